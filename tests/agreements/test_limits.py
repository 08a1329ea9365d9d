"""Limits against opening hours: the longest break, the worst moment, and which of two limits is the longer one."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from agreements.business_time import BusinessTime
from agreements.limits import YEAR, OrdinaryWeeks, Span, holds, least_open, longest_closed

BERLIN = ZoneInfo("Europe/Berlin")
WEEK = {day: [("09:00", "17:30")] for day in range(5)}
EASTER = ["2025-04-18", "2025-04-21"]
MARCH = datetime(2025, 3, 3, tzinfo=BERLIN)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def office(**overrides) -> BusinessTime:
    return BusinessTime(**{"time_zone": "Europe/Berlin", "hours": WEEK, **overrides})


def local(day: int, month: int, hour: float, year: int = 2025) -> datetime:
    return datetime(year, month, day, tzinfo=BERLIN) + hour * HOUR


def test_the_longest_break_is_a_weekend_or_the_holidays_around_it():
    assert longest_closed(office(closed=EASTER), MARCH) == (local(17, 4, 17.5), local(22, 4, 9))
    closing, opening = longest_closed(office(), MARCH)
    assert opening - closing == 64.5 * HOUR  # the weekend on which summer time ends


def test_a_break_counts_when_it_begins_within_the_year_and_is_seen_to_its_end():
    closed = [f"2026-03-{day:02}" for day in range(3, 25)]
    assert longest_closed(office(closed=closed), MARCH) == (local(2, 3, 17.5, 2026), local(25, 3, 9, 2026))
    assert longest_closed(office(closed=closed), MARCH - 2 * DAY)[0].year == 2025


def test_what_never_closes_has_no_break():
    assert longest_closed(BusinessTime.always(), MARCH) is None


@pytest.mark.parametrize(
    ("limit", "hours"),
    [
        (1 * HOUR, 0),
        (63.5 * HOUR, 0),
        (111.5 * HOUR, 0),  # Easter: from Thursday's closing bell to Tuesday's opening
        (112.5 * HOUR, 1),
        (5 * DAY, 8.5),
        (7 * DAY, 3 * 8.5),  # Easter week has two days fewer
    ],
)
def test_at_the_worst_moment_least_time_is_open_within_a_limit(limit, hours):
    assert least_open(office(closed=EASTER), MARCH, limit) == hours * HOUR


@pytest.mark.parametrize("limit", [2 * HOUR, 15 * HOUR, 66 * HOUR, 4 * DAY + HOUR])
@pytest.mark.parametrize("lunch", [(), ("12:00", "13:00")])
def test_no_moment_of_the_year_is_worse_than_the_worst(lunch, limit):
    windows = [("09:00", lunch[0]), (lunch[1], "17:30")] if lunch else [("09:00", "17:30")]
    hours = office(hours=dict.fromkeys(range(5), windows), closed=EASTER, special={"2025-05-10": [("10:00", "12:00")]})
    starts = np.arange("2025-03-03", "2026-03-02", np.timedelta64(30, "m"), "M8[us]")
    elapsed = hours.elapsed_many(starts, starts + np.timedelta64(limit))
    assert elapsed.min().astype(timedelta) == least_open(hours, MARCH, limit)


def test_what_never_closes_is_open_for_the_whole_limit():
    assert least_open(BusinessTime.always(), MARCH, 14 * HOUR) == 14 * HOUR


def test_a_calendar_holds_a_limit_that_is_used_up_within_a_year():
    hours, minute = office(), timedelta(minutes=1)
    year = hours.elapsed(MARCH, MARCH + YEAR)
    assert holds(hours, MARCH, year)
    assert not holds(hours, MARCH, year + minute)
    assert holds(BusinessTime.always(), MARCH, YEAR)
    assert not holds(BusinessTime.always(), MARCH, YEAR + minute)
    closing = office(hours={}, special={"2025-05-10": [("10:00", "12:00")]})
    assert holds(closing, MARCH, 2 * HOUR)
    assert not holds(closing, MARCH, 3 * HOUR)  # it closes for good


class Terms:
    """As much of terms as the comparison reads."""

    def __init__(self, **calendars: dict):
        self.calendar, self.time_zone = "office", "Europe/Berlin"
        self.calendars = {name: frozen(**overrides) for name, overrides in {"office": {}, **calendars}.items()}


def frozen(**overrides) -> dict:
    hours = {str(day): windows for day, windows in WEEK.items()}
    return {"time_zone": "Europe/Berlin", "hours": hours, "special": {}, "closed": {}, **overrides}


@pytest.mark.parametrize(
    ("shorter", "longer"),
    [
        (("office", 3600), ("office", 3601)),
        ((None, 3600), (None, 3601)),
        (("office", 3600), (None, 3601)),  # Monday 9:00 and an hour is 10:00 either way
        (("office", 5 * 30600), (None, 5 * 86400)),  # Friday 17:30 against Saturday 9:00
        ((None, 4 * 86400), ("office", 5 * 30600)),
        (("office", 3600), ("late", 1)),  # the other calendar opens at noon
        (("late", 4 * 3600), ("office", 8 * 3600)),
    ],
)
def test_limits_compare_by_where_they_end_after_a_mondays_opening(shorter, longer):
    late = {str(day): [("12:00", "18:00")] for day in range(5)}
    weeks = OrdinaryWeeks(Terms(late={"hours": late}), today=date(2025, 3, 5))
    assert weeks.opening == local(10, 3, 9)
    assert weeks.is_shorter(Span(*shorter), Span(*longer))
    assert not weeks.is_shorter(Span(*longer), Span(*shorter))


def test_holidays_do_not_change_which_limit_is_the_longer_one():
    closed = dict.fromkeys(["2025-04-14", "2025-04-15", "2025-04-16"], "closed")
    weeks = OrdinaryWeeks(Terms(office={"closed": closed}), today=date(2025, 4, 14))
    assert weeks.opening == local(14, 4, 9)
    assert weeks.is_shorter(Span("office", 30600), Span(None, 86400))


def test_what_closes_for_good_ends_after_everything_else():
    special = {"hours": {}, "special": {"2025-03-20": [["10:00", "12:00"]]}}
    weeks = OrdinaryWeeks(Terms(fair=special), today=date(2025, 3, 3))
    assert weeks.end(Span("fair", 7200)) == datetime(2025, 3, 20, 11, tzinfo=UTC)
    assert weeks.is_shorter(Span(None, 300 * 86400), Span("fair", 7201))
