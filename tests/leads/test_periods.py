"""Periods are read strictly, cut at local midnight, and follow one another without a gap."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leads.periods import UNITS, Period, parse, span

BERLIN = ZoneInfo("Europe/Berlin")

READ = [
    # text, unit, first day, last day, label
    ("2024-03", "month", date(2024, 3, 1), date(2024, 3, 31), "March 2024"),
    ("2024-02", "month", date(2024, 2, 1), date(2024, 2, 29), "February 2024"),
    ("2023-12", "month", date(2023, 12, 1), date(2023, 12, 31), "December 2023"),
    ("2024-Q1", "quarter", date(2024, 1, 1), date(2024, 3, 31), "Q1 2024"),
    ("2024-Q4", "quarter", date(2024, 10, 1), date(2024, 12, 31), "Q4 2024"),
    ("2024-W09", "week", date(2024, 2, 26), date(2024, 3, 3), "Week 9, 26 Feb – 3 Mar 2024"),
    ("2020-W53", "week", date(2020, 12, 28), date(2021, 1, 3), "Week 53, 28 Dec 2020 – 3 Jan 2021"),
    ("2025-W01", "week", date(2024, 12, 30), date(2025, 1, 5), "Week 1, 30 Dec 2024 – 5 Jan 2025"),
    ("2024-01-01..2024-02-15", "custom", date(2024, 1, 1), date(2024, 2, 15), "1 Jan – 15 Feb 2024"),
    ("2024-02-29..2024-02-29", "custom", date(2024, 2, 29), date(2024, 2, 29), "29 Feb 2024"),
]


@pytest.mark.parametrize(("text", "unit", "first", "last", "label"), READ)
def test_a_period_is_read_and_written_back_as_it_was(text, unit, first, last, label):
    period = parse(text)

    assert (period.unit, period.first_day, period.last_day, period.label) == (unit, first, last, label)
    assert period.key == text


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "“” is not a period"),
        ("March 2024", "write one such as 2024-03"),
        ("2024-3", "is not a period"),
        ("2024-Q5", "is not a period"),
        ("٢٠٢٤-03", "is not a period"),
        ("2024-13", "names a day or month that no calendar has"),
        ("2024-00", "names a day or month that no calendar has"),
        ("2023-02-29..2023-03-01", "names a day or month that no calendar has"),
        ("2023-W53", "2023 has no week 53"),
        ("2023-W00", "2023 has no week 0"),
        ("2024-02-15..2024-01-01", "would end on 2024-01-01, before it begins on 2024-02-15"),
        ("0001-01", "too far away; periods lie between 1970 and 2199"),
        ("9999-12-31..9999-12-31", "too far away"),
    ],
)
def test_what_is_no_period_is_refused_with_a_sentence(text, sentence):
    with pytest.raises(ValueError, match=sentence.replace("(", r"\(").replace(".", r"\.")):
        parse(text)


def test_a_unit_that_does_not_exist_is_refused_by_name():
    with pytest.raises(ValueError, match="“year” is not a unit of periods; use month, quarter, week"):
        Period.containing("year", date(2024, 1, 1))


def test_a_period_begins_and_ends_at_local_midnight_across_a_clock_change():
    march = parse("2024-03")

    assert march.start(BERLIN) == datetime(2024, 2, 29, 23, 0, tzinfo=UTC)
    assert march.end(BERLIN) == datetime(2024, 3, 31, 22, 0, tzinfo=UTC)


def test_a_day_whose_midnight_does_not_exist_begins_where_the_clock_jumps_to():
    day = parse("2024-04-26..2024-04-26")

    assert day.start(ZoneInfo("Africa/Cairo")) == datetime(2024, 4, 25, 22, 0, tzinfo=UTC)
    assert day.end(ZoneInfo("Africa/Cairo")) - day.start(ZoneInfo("Africa/Cairo")) == timedelta(hours=23)


@pytest.mark.parametrize(("unit", "key"), [("month", "2025-04"), ("quarter", "2025-Q2"), ("week", "2025-W14")])
def test_the_current_period_is_that_of_the_zone_and_not_of_utc(unit, key):
    eleven_at_night_in_utc = datetime(2025, 3, 31, 22, 30, tzinfo=UTC)

    assert Period.current(unit, eleven_at_night_in_utc, BERLIN).key == key


def test_a_custom_period_steps_by_its_own_length():
    period = parse("2024-01-01..2024-01-10")

    assert period.previous.key == "2023-12-22..2023-12-31"
    assert period.next.key == "2024-01-11..2024-01-20"


DAYS = st.dates(date(1971, 1, 1), date(2190, 12, 31))
PERIODS = st.one_of(
    st.builds(Period.containing, st.sampled_from(UNITS), DAYS),
    st.builds(lambda day, length: span(day, day + timedelta(days=length)), DAYS, st.integers(0, 800)),
)


@given(PERIODS, st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kolkata", "America/Santiago"]))
def test_periods_follow_one_another_without_gap_or_overlap_and_survive_their_key(period, name):
    zone = ZoneInfo(name)

    assert parse(period.key) == period
    assert period.next.previous == period
    assert period.end(zone) == period.next.start(zone)
    assert period.start(zone) < period.end(zone)
    days = list(period.days())
    assert (days[0], days[-1], len(set(days))) == (period.first_day, period.last_day, len(days))
