"""Ladders in words: short enough for one page, and every step of them is said."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agreements import ladders
from agreements.catalogue import CATALOGUE, Action
from agreements.terms import Promise, Rung
from slaportal import roles

LIMITS = {"4 business hours": 14_400, "15 minutes": 900, "1 business days": 30_600, "0 hours": 0}


def make_promise(*steps: Rung, kind: str = "first_response", limit: str = "4 business hours") -> Promise:
    """A promise with this ladder; kinds without a limit are given none."""
    has_limit = CATALOGUE[kind].has_limit
    return Promise(
        index=0, code="x", title="X", kind=CATALOGUE[kind], calendar="Office" if "business" in limit else None,
        scope=(), start=None, limit=limit if has_limit else "", limit_seconds=LIMITS[limit] if has_limit else None,
        attempts=None, target=None, monthly_targets={}, baseline=None, consequence="", steps=steps,
    )  # fmt: skip


def at(share: int, action: str, **named: str) -> Rung:
    return Rung(index=0, action=Action(action), share=Fraction(share, 100), **named)


def minutes(offset: int, action: str, **named: str) -> Rung:
    return Rung(index=0, action=Action(action), offset_seconds=offset * 60, **named)


def said(*steps: Rung, **fields: str) -> str:
    return ladders.sentence(make_promise(*steps, **fields)).replace("\xa0", " ")


@pytest.mark.parametrize(
    ("steps", "sentence"),
    [
        ([], ""),
        ([at(100, "tell manager")], "Until it is done: at the limit the manager is told."),
        ([at(50, "tell owner")], "Until it is done: at 50 % (2 business hours) the owner is told."),
        # Who is told at two moments is named once, and so is the unit.
        (
            [at(50, "tell owner"), at(80, "tell manager"), at(100, "tell manager"), at(150, "reassign")],
            "Until it is done: at 50 % (2 business hours) the owner is told, at 80 % (3.2) and at the limit the "
            "manager; at 150 % (6) the lead goes to the next rep.",
        ),
        (
            [at(25, "tell owner"), at(50, "tell owner"), at(80, "tell owner")],
            "Until it is done: at 25 % (1 business hour), at 50 % (2) and at 80 % (3.2) the owner is told.",
        ),
        # At one moment several things happen, in the order in which they are written down.
        (
            [at(100, "tell owner"), at(100, "tell manager"), at(100, "reassign")],
            "Until it is done: at the limit the owner and the manager are told and the lead goes to the next rep.",
        ),
        (
            [at(100, "reassign"), minutes(0, "tell manager"), at(100, "task")],
            "Until it is done: at the limit the lead goes to the next rep, the manager is told and RevOps gets a task.",
        ),
        (
            [at(80, "tell owner"), at(100, "return to queue"), at(120, "tell manager")],
            "Until it is done: at 80 % (3.2 business hours) the owner is told; at the limit the lead goes back to the "
            "team’s queue; at 120 % (4.8) the manager is told.",
        ),
        # They are said in the order in which they come.
        (
            [at(150, "task"), minutes(-30, "tell owner")],
            "Until it is done: 30 business minutes before the limit the owner is told; at 150 % (6 business hours) "
            "RevOps gets a task.",
        ),
        ([minutes(60, "task")], "Until it is done: 1 business hour after the limit RevOps gets a task."),
        ([minutes(-120, "task")], "Until it is done: 2 business hours before the limit RevOps gets a task."),
        ([minutes(90, "task")], "Until it is done: 90 business minutes after the limit RevOps gets a task."),
        ([minutes(-240, "task")], "Until it is done: at the start RevOps gets a task."),
        ([minutes(-999, "task")], "Until it is done: at the start RevOps gets a task."),
        # Whom else it tells
        (
            [at(100, "tell team"), at(110, "tell team", team="Partners"), at(120, "tell chat"),
             at(130, "tell chat", team="Partners"), at(140, "tell manager", team="Partners")],
            "Until it is done: at the limit the whole team is told, at 110 % (4.4 business hours) everybody of "
            "Partners, at 120 % (4.8) the team’s chat, at 130 % (5.2) the chat of Partners, at 140 % (5.6) the manager "
            "of Partners.",
        ),
        (
            [at(100, "tell role", role=roles.REVOPS), at(120, "tell role", role=roles.SALES_LEADER)],
            "Until it is done: at the limit RevOps is told, at 120 % (4.8 business hours) every sales leader.",
        ),
    ],
)  # fmt: skip
def test_a_ladder_is_one_sentence(steps, sentence):
    assert said(*steps) == sentence


@pytest.mark.parametrize(
    ("steps", "sentence"),
    [
        ([at(60, "tell manager")], "If it is behind: at 60 % of the month the manager is told."),
        ([at(100, "recovery plan")], "If it is behind: at the end of the month a recovery plan is asked for."),
        (
            [at(100, "recovery plan"), at(60, "tell manager"), at(80, "tell manager")],
            "If it is behind: at 60 % of the month and at 80 % the manager is told; at its end a recovery plan is "
            "asked for.",
        ),
    ],
)
def test_of_a_month_it_is_said_that_nothing_happens_on_pace(steps, sentence):
    assert said(*steps, kind="volume") == sentence


@pytest.mark.parametrize(
    ("limit", "share", "moment"),
    [
        ("15 minutes", 50, "at 50 % (7.5 minutes)"),
        ("1 business days", 33, "at 33 % (0.33 business days)"),
        ("1 business days", 200, "at 200 % (2 business days)"),
        ("0 hours", 50, "at 50 % (0 hours)"),
        ("4 business hours", 25, "at 25 % (1 business hour)"),
    ],
)
def test_a_share_says_how_long_that_is_in_the_unit_of_the_limit(limit, share, moment):
    rung = at(share, "task")
    assert ladders.moment(rung, make_promise(rung, limit=limit)).replace("\xa0", " ") == moment


def test_minutes_from_a_limit_in_calendar_time_are_minutes_of_any_hour():
    assert said(minutes(-5, "tell owner"), limit="15 minutes") == (
        "Until it is done: 5 minutes before the limit the owner is told."
    )


def test_operations_has_no_team_so_that_of_sales_is_named():
    rungs = [at(100, "tell manager"), at(110, "tell team"), at(120, "tell chat")]
    assert said(*rungs, kind="routing", limit="15 minutes") == (
        "Until it is done: at the limit the manager of sales is told, at 110 % (16.5 minutes) everybody of sales, at "
        "120 % (18) the chat of sales."
    )


def test_one_step_stands_by_itself():
    rung = at(150, "reassign")
    assert ladders.step(rung, make_promise(rung)).replace("\xa0", " ") == (
        "at 150 % (6 business hours) the lead goes to the next rep"
    )


@pytest.mark.parametrize("action", Action)
def test_every_action_has_its_words(action):
    assert said(at(100, action, role=roles.REP if action == Action.ROLE else "")).startswith(
        "Until it is done: at the limit "
    )


steps = st.lists(
    st.builds(at, st.integers(1, 1000), st.sampled_from([action for action in Action if action != Action.ROLE]))
    | st.builds(minutes, st.integers(-239, 3000), st.sampled_from([Action.OWNER, Action.REASSIGN])),
    max_size=6,
)


@given(steps)
def test_law_every_moment_of_a_ladder_is_said_and_every_deed(rungs):
    promise = make_promise(*rungs)
    sentence = ladders.sentence(promise)
    assert (sentence == "") == (not rungs)
    for rung in promise.ladder:
        assert any(ladders.moment(rung, promise, is_known=is_known) in sentence for is_known in (False, True))
    for action, words in ladders.DEEDS.items():
        assert (words in sentence) == any(rung.action == action for rung in rungs)
    assert ("the owner" in sentence) == any(rung.action == Action.OWNER for rung in rungs)
    assert "  " not in sentence and not sentence.endswith("..")
