"""How days, times and numbers are written in sentences, by the reader's locale. The formats stand beside it, by locale;
those of other locales, and numbers, are Django's own. Pages that show a moment by itself use `templatetags.display`.
"""

import re
from datetime import date, datetime
from decimal import Decimal

from django.utils.formats import date_format, get_format, number_format


def short_day(day: date) -> str:
    """“3 Mar 2025”, in the United States “Mar 3, 2025”."""
    return date_format(day, "SHORT_DATE_FORMAT")


def long_day(day: date) -> str:
    """“3 March 2025”."""
    return date_format(day, "DATE_FORMAT")


def day_and_month(day: date) -> str:
    """“3 Mar”: a day of a year that goes without saying."""
    return date_format(day, re.sub(r",? ?Y[-/.]?", "", get_format("SHORT_DATE_FORMAT")).strip("-/ "))


def weekday(day: date) -> str:
    """“Mon 3 Mar”."""
    return f"{date_format(day, 'D')} {day_and_month(day)}"


def weekday_time(moment: datetime) -> str:
    """“Mon 3 Mar, 9:14”."""
    return f"{weekday(moment)}, {time_of(moment)}"


def month(day: date) -> str:
    """“March 2025”: the month of a day."""
    return date_format(day, "YEAR_MONTH_FORMAT")


def time_of(moment: datetime) -> str:
    """“9:14”, in the United States “9:14 AM”; of the zone that the moment has."""
    return date_format(moment, get_format("TIME_FORMAT").replace("H", "G"))


def number(figure: int | float | Decimal, digits: int | None = None) -> str:
    """“1,234”, or “1,234.5” with one digit where the figure has any."""
    written = number_format(figure, decimal_pos=digits, force_grouping=True)
    if digits:
        whole = number_format(0, decimal_pos=digits)[1:]
        return written.removesuffix(whole)
    return written
