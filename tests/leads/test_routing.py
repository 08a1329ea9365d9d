"""Who gets a handoff, and what a new owner does to its clocks."""

from datetime import timedelta

import pytest

from leads import clocks, routing, timekeeping, tracking
from leads.models import Assignment, Clock, Handoff
from slaportal import roles
from slaportal.models import Absence, Team, User
from slaportal.refusal import Refused
from tests.conftest import MONDAY, agree, make_commitment, make_user, receive

pytestmark = pytest.mark.django_db
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def owners() -> list[User]:
    """The owners of the handoffs, in the order in which they began."""
    return [handoff.owner for handoff in Handoff.objects.order_by("qualified_at", "pk").select_related("owner")]


def away(person: User, first: int, last: int) -> None:
    """Away from so many days after MONDAY to so many."""
    days = [(MONDAY + number * DAY).date() for number in (first, last)]
    Absence.objects.create(person=person, first_day=days[0], last_day=days[1])


def assign(handoff: Handoff, owner: User, *, by: User | None = None, now=MONDAY + HOUR) -> list[Assignment]:
    return routing.assign([(handoff, owner)], why="asked for", by=by, now=now)


def clock_of(handoff: Handoff, code: str = "first-response") -> Clock:
    return Clock.objects.get(handoff=handoff, commitment__code=code)


# --- The rota ------------------------------------------------------------------------------------------------------


def test_the_rep_with_the_fewest_open_handoffs_is_next_and_of_equals_the_longest_known(version, ron, ruth):
    receive("A", "B", "C", "D", "E")
    assert owners() == [ron, ruth, ron, ruth, ron]
    assert Assignment.objects.order_by("pk").last().why == "fewest open handoffs of the team (2)"


def test_what_has_ended_is_no_load_and_what_runs_on_from_before_is(version, ron, ruth):
    handoffs = receive("A", "B", "C", "D", "E")
    decisions = [tracking.Decision(handoff, "recycled") for handoff in handoffs[::2]]
    tracking.dispose(decisions, by=ron, now=MONDAY + HOUR)
    receive("F", "G", "H", received_at=MONDAY + 2 * HOUR, now=MONDAY + 2 * HOUR)
    assert owners()[5:] == [ron, ron, ron]


@pytest.mark.parametrize(
    "change",
    [
        {"is_active": False},
        {"most_open": 0},
        {"team": None},
    ],
)
def test_whoever_cannot_work_now_is_passed_over(version, ron, ruth, change):
    User.objects.filter(pk=ron.pk).update(**change)
    receive("A", "B")
    assert owners() == [ruth, ruth]


@pytest.mark.parametrize("days", [(0, 0), (-3, 0), (0, 1), (-1, 1)])
def test_whoever_is_away_today_is_passed_over(version, ron, ruth, days):
    away(ron, *days)
    receive("A", "B")
    assert owners() == [ruth, ruth]


@pytest.mark.parametrize("days", [(-3, -1), (1, 3)])
def test_before_the_first_and_after_the_last_day_away_somebody_is_there(version, ron, days):
    away(ron, *days)
    receive()
    assert owners() == [ron]


def test_the_day_away_is_that_of_the_person_and_not_the_servers(version, ron):
    """Sunday 23:30 in London is Monday in Berlin, so that whoever is away until Sunday is back."""
    away(ron, -1, -1)
    half_past_eleven = MONDAY.replace(hour=0) - HOUR / 2
    receive(received_at=half_past_eleven, now=half_past_eleven)
    assert owners() == [ron]


def test_only_reps_of_the_agreements_own_team_are_asked(version, mona, sofia, rita, ron):
    other = Team.objects.create(name="Sales Nordics", party="sales")
    make_user("rune@example.com", roles.REP, team=other)
    receive("A", "B")
    assert owners() == [ron, ron]


def test_with_nobody_there_a_handoff_is_unassigned_and_its_clocks_say_what_they_wait_for(
    draft, rita, max_, sofia, ruth
):
    make_commitment(draft, "routing")
    make_commitment(draft, "first_touch", start="routed")
    make_commitment(draft, "acceptance", start="assigned")
    agree(draft, by=rita, marketing=max_, sales=sofia)
    User.objects.filter(pk=ruth.pk).update(is_active=False)
    (handoff,) = receive()
    assert owners() == [None]
    assert {code: clock_of(handoff, code).rule for code in ("routing", "first-touch", "acceptance")} == {
        "routing": "running",
        "first-touch": "not_started",
        "acceptance": "not_started",
    }
    User.objects.filter(pk=ruth.pk).update(is_active=True)
    ruth.refresh_from_db()
    (assignment,) = assign(handoff, ruth)
    assert (clock_of(handoff, "routing").state, clock_of(handoff, "first-touch").started_at) == (
        clocks.MET,
        MONDAY + HOUR,
    )
    assert clock_of(handoff, "acceptance").subject == assignment.pk


# --- Assigning -----------------------------------------------------------------------------------------------------


def test_a_new_owner_takes_over_with_team_time_and_reason(version, mona, ron, ruth):
    (handoff,) = receive(owner="Ron")
    (assignment,) = assign(handoff, ruth, by=mona)
    assert (assignment.owner, assignment.team, assignment.at, assignment.by) == (ruth, ruth.team, MONDAY + HOUR, mona)
    handoff.refresh_from_db()
    assert (handoff.owner, handoff.team) == (ruth, ruth.team)
    assert clock_of(handoff).charged_to == assignment


def test_whoever_owns_it_already_keeps_it_and_nothing_is_written(version, ron, ruth):
    (handoff,) = receive(owner="Ron")
    assert assign(handoff, ron) == []
    assert Assignment.objects.count() == 1


def test_what_counts_is_who_owns_it_now_and_not_what_a_page_still_shows(version, ron, ruth):
    (stale,) = receive(owner="Ron")
    assign(stale, ruth)
    assert assign(stale, ruth) == []
    assert [row.owner for row in assign(stale, ron)] == [ron]
    tracking.dispose([tracking.Decision(stale, "recycled")], by=ron, now=MONDAY + 2 * HOUR)
    with pytest.raises(Refused, match="Ines Albrecht has ended; it needs no owner"):
        assign(stale, ruth, now=MONDAY + 3 * HOUR)


def test_nobody_is_given_what_they_cannot_open_and_nothing_else_of_the_call_is_done(version, ron, ruth):
    first, second = receive("A", "B", owner="Ron")
    gone = make_user("gone@example.com", is_active=False)
    with pytest.raises(Refused, match="Gone cannot log in, so Ines Albrecht cannot be worked"):
        routing.assign([(first, ruth), (second, gone)], why="", by=None, now=MONDAY)
    assert owners() == [ron, ron]


def test_one_handoff_named_twice_goes_to_the_last_named(version, ron, ruth):
    (handoff,) = receive(owner="Ron")
    rows = routing.assign([(handoff, ruth), (handoff, ron), (handoff, ruth)], why="", by=None, now=MONDAY + HOUR)
    assert [row.owner for row in rows] == [ruth]


# --- Clocks that start afresh for each owner (C6) ----------------------------------------------------------------


@pytest.fixture
def afresh(draft, rita, max_, sofia):
    """A version with a touch within 4 business hours of each assignment."""
    make_commitment(draft, "first_touch", start="assigned")
    return agree(draft, by=rita, marketing=max_, sales=sofia)


def layers(handoff: Handoff) -> list[tuple]:
    """Owner, rule and start of each of the handoff's `first_touch` clocks."""
    found = Clock.objects.filter(handoff=handoff, commitment__code="first-touch").order_by("started_at")
    return [(clock.charged_to.owner, clock.rule, clock.started_at) for clock in found]


def test_each_owner_gets_a_clock_and_the_running_one_of_the_last_owner_is_excluded(afresh, ron, ruth):
    (handoff,) = receive(owner="Ron")
    assign(handoff, ruth, now=MONDAY + HOUR)
    assert layers(handoff) == [(ron, "reassigned", MONDAY), (ruth, "running", MONDAY + HOUR)]
    assert clock_of(handoff).due_at == MONDAY + 4 * HOUR


def test_a_miss_of_the_last_owner_stays_theirs(afresh, ron, ruth):
    (handoff,) = receive(owner="Ron")
    assign(handoff, ruth, now=MONDAY + 5 * HOUR)
    assert layers(handoff) == [(ron, "limit_used_up", MONDAY), (ruth, "running", MONDAY + 5 * HOUR)]
    assert clock_of(handoff).charged_to.owner == ron


def test_the_clock_that_waited_for_an_owner_is_gone_once_there_is_one(afresh, ruth):
    User.objects.filter(pk=ruth.pk).update(is_active=False)
    (handoff,) = receive()
    assert Clock.objects.filter(commitment__code="first-touch").values_list("subject", "rule").get() == (
        0,
        "not_started",
    )
    User.objects.filter(pk=ruth.pk).update(is_active=True)
    ruth.refresh_from_db()
    assign(handoff, ruth)
    assert layers(handoff) == [(ruth, "running", MONDAY + HOUR)]


def test_forty_take_no_more_queries_than_one(afresh, ron, ruth, django_assert_max_num_queries):
    handoffs = receive(*(f"L{n}" for n in range(41)), owner="Ron")
    with django_assert_max_num_queries(40) as one:
        assign(handoffs[0], ruth)
    # SQLite takes the notices in four statements.
    with django_assert_max_num_queries(len(one) + 3):
        routing.assign([(handoff, ruth) for handoff in handoffs[1:]], why="", by=None, now=MONDAY + HOUR)
    assert timekeeping.tick(now=MONDAY + HOUR) == 0
    assert set(owners()) == {ruth}
