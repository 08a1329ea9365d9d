"""Days, times and numbers in sentences, by the reader's locale."""

from datetime import UTC, date, datetime

import pytest
from django.utils.translation import override

from leads.periods import parse
from slaportal import formats

DAY, MOMENT = date(2025, 3, 3), datetime(2025, 3, 3, 9, 14, tzinfo=UTC)


@pytest.mark.parametrize(
    ("locale", "said"),
    {
        "en": ("3 Mar 2025", "3 March 2025", "3 Mar", "Mon 3 Mar, 9:14", "March 2025"),
        "en-us": ("Mar 3, 2025", "March 3, 2025", "Mar 3", "Mon Mar 3, 9:14 AM", "March 2025"),
        "de": ("03.03.2025", "3. März 2025", "03.03.", "Mo 03.03., 9:14", "März 2025"),
        "sv": ("2025-03-03", "3 mars 2025", "03-03", "mån 03-03, 9:14", "mars 2025"),
    }.items(),
)
def test_a_day_is_written_as_the_reader_writes_it(locale, said):
    with override(locale):
        days = formats.short_day(DAY), formats.long_day(DAY), formats.day_and_month(DAY)
        assert (*days, formats.weekday_time(MOMENT), formats.month(DAY)) == said


@pytest.mark.parametrize(
    ("locale", "said"), {"en": ("1,234", "1,234.5", "12"), "de": ("1.234", "1.234,5", "12")}.items()
)
def test_a_number_is_grouped_as_the_reader_groups_it_and_says_no_empty_digit(locale, said):
    with override(locale):
        assert (formats.number(1234), formats.number(1234.5, 1), formats.number(12.0, 1)) == said


@pytest.mark.parametrize(
    ("locale", "said"),
    {
        "en": ("March 2024", "Q1 2024", "Week 9, 26 Feb – 3 Mar 2024"),
        "de": ("März 2024", "Q1 2024", "Week 9, 26.02. – 03.03.2024"),
    }.items(),
)
def test_a_period_is_called_by_the_months_of_the_readers_language(locale, said):
    with override(locale):
        assert tuple(str(parse(key)) for key in ("2024-03", "2024-Q1", "2024-W09")) == said
