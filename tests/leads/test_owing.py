"""What is owed next, in a rep's words, and where that puts a lead in the list. Pure functions."""

from datetime import timedelta
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest

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
    due = owing.due(MONDAY + hours * HOUR, now=MONDAY, zone=BERLIN)
    assert (due.words.replace("\N{NO-BREAK SPACE}", " "), due.tone, due.ticks) == (words, tone, ticks)
