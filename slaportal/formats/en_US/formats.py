"""English as the United States write dates: “Mar 3, 2025, 10:00 AM”."""

DATE_FORMAT = "F j, Y"
SHORT_DATE_FORMAT = "M j, Y"
SHORT_DATETIME_FORMAT = "M j, Y, g:i A"
DATETIME_FORMAT = "F j, Y, g:i A"
TIME_FORMAT = "g:i A"
