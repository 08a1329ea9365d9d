"""What is owed next, in a rep's words, and where that puts a lead in the list. Pure functions."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest

from agreements.business_time import BusinessTime
from leads import owing
from leads.owing import Debt, Group
from tests.conftest import MONDAY

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = timedelta(hours=1)


def promise(kind: str, attempts: int | None = None) -> SimpleNamespace:
    return SimpleNamespace(kind=kind, title="As agreed", attempts=attempts)


@pytest.mark.parametrize(
    ("kind", "attempts", "tries", "is_accepted", "words"),
    [
        ("first_response", None, 0, False, "First call"),
        ("acceptance", None, 0, False, "Decide: accept or reject"),
        ("attempts", 5, 0, True, "First of five attempts"),
        ("attempts", 5, 1, True, "Second of five attempts"),
        ("attempts", 12, 10, True, "Number 11 of 12 attempts"),
        ("attempts", 5, 5, True, "As agreed"),
        ("disposition", None, 3, False, "Decide: keep or give back"),
        ("disposition", None, 3, True, "Say what came of it"),
        ("something new", None, 0, False, "As agreed"),
    ],
)
def test_what_is_owed_reads_as_what_to_do(kind, attempts, tries, is_accepted, words):
    assert owing.to_do(promise(kind, attempts), tries, is_accepted=is_accepted) == words


def debt(hours: float, *, is_missed: bool = False) -> Debt:
    return Debt(MONDAY + hours * HOUR, is_missed, None)


@pytest.mark.parametrize(
    ("hours", "found"),
    [
        ([], None),
        ([-3, -1], -3),
        ([-3, 0.5], 0.5),  # what can still be kept within the hour comes before what is overdue
        ([-3, 2], -3),
        ([2, 5], 2),
        ([0], 0),
    ],
)
def test_what_can_still_be_kept_within_the_hour_comes_first(hours, found):
    first = owing.first([debt(one) for one in hours], now=MONDAY)
    assert (first and first.due_at) == (None if found is None else MONDAY + found * HOUR)


WEEK = {day: [("09:00", "17:30")] for day in range(5)}
OFFICE = BusinessTime("Europe/Berlin", WEEK)
HOLIDAY = BusinessTime("Europe/Berlin", WEEK, closed=["2025-03-03"])
NIGHTS = BusinessTime("Europe/Berlin", {day: [("22:00", "24:00")] for day in range(7)})
LAST_DAY = BusinessTime("Europe/Berlin", {}, special={"2025-03-03": [("09:00", "09:30")]})


def berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


SOON_UNTIL = [
    (OFFICE, "2025-02-28 11:00", "2025-02-28 12:00"),
    (OFFICE, "2025-02-28 16:29", "2025-02-28 17:29"),
    (OFFICE, "2025-02-28 16:30", "2025-03-03 09:00"),  # the opening is as near as the closing bell
    (OFFICE, "2025-02-28 16:50", "2025-03-03 09:20"),
    (OFFICE, "2025-02-28 23:00", "2025-03-03 10:00"),
    (OFFICE, "2025-03-04 02:00", "2025-03-04 10:00"),
    (HOLIDAY, "2025-02-28 16:50", "2025-03-04 09:20"),
    (NIGHTS, "2025-02-28 12:00", "2025-02-28 23:00"),
    (None, "2025-02-28 16:50", "2025-02-28 17:50"),
]


@pytest.mark.parametrize(("calendar", "now", "until"), SOON_UNTIL)
def test_soon_is_what_has_an_hour_of_business_time_left(calendar, now, until):
    now, until = berlin(now), berlin(until)
    assert owing.soon_until(calendar, now=now) == until
    left = (calendar or BusinessTime.always()).elapsed
    assert left(now, until) <= HOUR < left(now, until + timedelta(microseconds=1))


def test_what_is_due_before_the_last_closing_is_soon_when_less_than_an_hour_is_left():
    assert owing.soon_until(LAST_DAY, now=berlin("2025-02-28 16:50")) == owing.NEVER


@pytest.mark.parametrize(
    ("calendar", "now", "due_at", "group", "tone"),
    [
        (OFFICE, "2025-02-28 16:50", "2025-03-03 09:10", Group.NOW, "warn"),  # 50 minutes
        (OFFICE, "2025-02-28 16:50", "2025-03-03 09:20", Group.NOW, "warn"),  # 60 minutes
        (OFFICE, "2025-02-28 16:50", "2025-03-03 09:21", Group.LATER, ""),
        (OFFICE, "2025-03-03 02:00", "2025-03-03 09:14", Group.NOW, "warn"),
        (OFFICE, "2025-03-03 02:00", "2025-03-03 10:01", Group.TODAY, ""),
        (HOLIDAY, "2025-02-28 16:50", "2025-03-04 09:10", Group.NOW, "warn"),
        (LAST_DAY, "2025-02-28 16:50", "2025-03-03 09:29", Group.NOW, "warn"),
        (None, "2025-02-28 16:50", "2025-03-03 09:10", Group.LATER, ""),
        (None, "2025-02-28 16:50", "2025-02-28 17:50", Group.NOW, "warn"),
    ],
)
def test_group_and_tone_go_by_the_business_time_that_is_left(calendar, now, due_at, group, tone):
    now = berlin(now)
    owed = Debt(berlin(due_at), False, None, owing.soon_until(calendar, now=now))
    assert owing.group_of(owed, now=now, until=owing.midnight(now, BERLIN)) == group
    assert owing.due(owed, now=now, zone=BERLIN).tone == tone


def test_of_two_calendars_what_is_due_later_may_be_what_is_due_soon():
    now = berlin("2025-02-28 16:50")
    sunday = Debt(berlin("2025-03-02 12:00"), False, "every hour counts")
    monday = Debt(berlin("2025-03-03 09:10"), False, "office", owing.soon_until(OFFICE, now=now))
    late = Debt(now - HOUR, False, "late")
    assert owing.first([sunday, monday], now=now) == monday
    assert owing.first([late, sunday, monday], now=now) == monday
    assert owing.first([late, sunday], now=now) == late


@pytest.mark.parametrize(
    ("owed", "is_held", "group"),
    [
        (debt(0.9), False, Group.NOW),
        (debt(-30), False, Group.NOW),
        (debt(3, is_missed=True), False, Group.NOW),
        (debt(13.9), False, Group.TODAY),  # 23:54 in Berlin
        (debt(14), False, Group.LATER),
        (None, False, Group.LATER),
        (debt(-1), True, Group.HELD),
    ],
)
def test_a_lead_stands_in_the_group_of_what_it_is_owed(owed, is_held, group):
    until = owing.midnight(MONDAY, BERLIN)
    assert owing.group_of(owed, now=MONDAY, until=until, is_held=is_held) == group


def test_of_what_is_overdue_the_latest_comes_first_and_what_owes_nothing_last():
    owed = {"soon": debt(0.5), "late": debt(-1), "very late": debt(-40)}
    places = {name: owing.place(Group.NOW, one, now=MONDAY) for name, one in owed.items()}
    assert sorted(places, key=places.__getitem__) == ["soon", "late", "very late"]
    assert owing.place(Group.LATER, debt(90), now=MONDAY) < owing.place(Group.LATER, None, now=MONDAY)


@pytest.mark.parametrize(
    ("hours", "words", "tone", "ticks"),
    [
        (0.5, "30 min", "warn", True),
        (3, "3 h", "", True),
        (-0.25, "15 min late", "bad", True),
        (24, "Tue 10:00", "", False),
        (-72, "since Fri 10:00", "bad", False),
        (24 * 9, "12 Mar", "", False),
    ],
)
def test_time_left_goes_on_by_itself_where_it_is_said_in_hours(hours, words, tone, ticks):
    due = owing.due(debt(hours), now=MONDAY, zone=BERLIN)
    assert (due.words.replace("\N{NO-BREAK SPACE}", " "), due.tone, due.ticks) == (words, tone, ticks)
