"""System delay, human delay, and what the lead felt: each as a plain reading of the facts says (rule N8)."""

from datetime import datetime, timedelta
from random import Random
from urllib.parse import urlencode

import numpy as np
import pytest
from django.http import QueryDict

from agreements import terms
from leads import delays, tracking
from leads.delays import EXCLUDED, FELT, HUMAN, NOT_STARTED, OVER, SYSTEM, WAITING
from leads.filters import HandoffFilter
from leads.history import NAT
from leads.models import Assignment, Handoff, ReasonCode
from leads.tracking import Decision, NewAttempt
from tests.conftest import MONDAY, receive
from tests.leads.oracle import History, Reading, Stopwatch, facts_of
from tests.leads.worlds import ZONES, World, make_world

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


# --- By a plain reading --------------------------------------------------------------------------------------------


def plainly(world: World, history: History, name: str, engaged: datetime | None) -> tuple[str, float, float]:
    """State, real and business seconds of one delay of one handoff, read fact by fact."""
    read = Reading(world.terms, world.hours, history, world.now)
    routed = read.owned[0].at if read.owned else None
    cap = world.terms.monthly_cap
    never_judged = history.below_definition or (cap is not None and history.month_rank > cap)
    start = {SYSTEM: history.qualified_at, HUMAN: routed, FELT: engaged if history.first else None}[name]
    if name == HUMAN and never_judged:
        return EXCLUDED, 0, 0
    if start is None:
        return (EXCLUDED if name == HUMAN and read.ended_at else NOT_STARTED), 0, 0
    ending = read.owned if name == SYSTEM else [fact for fact in read.attempts if fact.outbound]
    end = min((fact.at for fact in ending if fact.at >= start), default=None)
    excused = read.excused_at
    if excused is not None and (start > excused or end is None or end > excused):
        return EXCLUDED, 0, 0
    if end is None:
        return WAITING, 0, 0
    real, business = (
        Stopwatch(world.hours[calendar], start, read.holds, timedelta.max).elapsed(end).total_seconds()
        for calendar in (None, world.terms.calendar)
    )
    return OVER, real, business


@pytest.mark.parametrize("zone", ZONES)
def test_a_plain_reading_of_the_facts_finds_the_same_delays_in_random_histories(zone):
    seen = set()
    for seed in range(5):
        world, random = make_world(seed, zone, size=25), Random(seed)
        engaged = [random.choice([None, h.qualified_at - random.randint(0, 9) * HOUR]) for h in world.histories]
        moments = np.array([NAT if at is None else np.datetime64(at.replace(tzinfo=None), "us") for at in engaged])
        found = delays.measure(world.terms, world.calendars, facts_of(world.histories), moments, world.now)
        for name, waits in found.items():
            for row, history in enumerate(world.histories):
                state, real, business = plainly(world, history, name, engaged[row])
                seen.add((name, state))
                assert delays.STATES[waits.state[row]] == state, (name, history)
                if state == OVER:
                    assert waits.real[row] == real, (name, history)
                    assert name == FELT or waits.business[row] == business, (name, history)
                else:
                    assert np.isnan(waits.real[row])
    assert {state for _, state in seen} == set(delays.STATES)


# --- In the database -----------------------------------------------------------------------------------------------


def delays_of(now: datetime) -> dict[str, list[tuple[str, float | None]]]:
    """Of every handoff, in the order of their ids, each delay's state and hours."""
    (found,) = delays.of(Handoff.objects.all(), now=now)
    return {
        name: [
            (delays.STATES[state], None if np.isnan(seconds) else seconds / 3600)
            for state, seconds in zip(waits.state, waits.real, strict=True)
        ]
        for name, waits in found.waits.items()
    }


def give(handoff: Handoff, owner, at: datetime) -> None:
    Assignment.objects.create(handoff=handoff, owner=owner, team=owner.team, at=at, why="given")


@pytest.mark.django_db
def test_each_wait_has_its_own_beginning_and_its_own_end(version, ron):
    (handoff,) = receive(engaged_at=MONDAY - HOUR)
    handoff.assignments.all().delete()
    give(handoff, ron, MONDAY + 2 * HOUR)
    tracking.log_attempts([NewAttempt(lead=handoff.lead, at=MONDAY + 5 * HOUR)], by=ron, now=MONDAY + 5 * HOUR)

    found = delays_of(MONDAY + DAY)

    assert found == {SYSTEM: [(OVER, 2)], HUMAN: [(OVER, 3)], FELT: [(OVER, 6)]}


@pytest.mark.django_db
def test_business_time_is_that_of_the_terms_and_real_time_has_the_night_in_it(version, ron):
    (handoff,) = receive()
    handoff.assignments.all().delete()
    give(handoff, ron, MONDAY + HOUR)
    late = MONDAY + DAY  # Tuesday at ten in Berlin; the office closes at half past five and opens at nine
    tracking.log_attempts([NewAttempt(lead=handoff.lead, at=late)], by=ron, now=late)

    (found,) = delays.of(Handoff.objects.all(), now=late + DAY)

    assert found.calendar == terms.of(version).calendar == "Office"
    assert found.waits[HUMAN].real.tolist() == [23 * 3600]
    assert found.waits[HUMAN].business.tolist() == [7.5 * 3600]
    assert found.waits[FELT].business is None


@pytest.mark.django_db
def test_nobody_waits_for_sales_before_the_lead_is_given_to_somebody(version, ron):
    (handoff,) = receive()
    handoff.assignments.all().delete()
    assert delays_of(MONDAY + DAY) == {
        SYSTEM: [(WAITING, None)],
        HUMAN: [(NOT_STARTED, None)],
        FELT: [(NOT_STARTED, None)],
    }
    assert delays.ids_of(Handoff.objects.all(), delay=SYSTEM, state=WAITING, now=MONDAY + DAY) == [handoff.pk]
    assert delays.ids_of(Handoff.objects.all(), delay=HUMAN, state=WAITING, now=MONDAY + DAY) == []


@pytest.mark.django_db
def test_an_attempt_that_names_only_the_person_counts_and_one_entered_too_late_does_not(version, ron):
    first, second = receive("A", "B", contact_id="C1", email="", engaged_at=MONDAY)
    Handoff.objects.filter(pk=second.pk).update(qualified_at=MONDAY + 3 * HOUR)
    for handoff in (first, second):
        handoff.assignments.all().delete()
        give(handoff, ron, handoff.qualified_at if handoff == first else MONDAY + 3 * HOUR)
    # Written down nine days later, so it is evidence only (A4); the one that the system knows of is for both.
    tracking.log_attempts([NewAttempt(lead=first.lead, at=MONDAY + HOUR)], by=ron, now=MONDAY + 9 * DAY)
    call = NewAttempt(contact_id="C1", at=MONDAY + 4 * HOUR, source_system="crm", external_id="call")
    tracking.log_attempts([call], by=None, now=MONDAY + 9 * DAY, from_system=True)

    assert delays_of(MONDAY + 10 * DAY)[HUMAN] == [(OVER, 4), (OVER, 1)]


@pytest.mark.django_db
def test_what_was_on_hold_is_taken_out_and_what_is_a_duplicate_waits_for_nobody(version, ron):
    held, duplicate = receive("A", "B", engaged_at=MONDAY)
    for handoff in (held, duplicate):
        handoff.assignments.all().delete()
        give(handoff, ron, MONDAY)
    held.holds.create(started_at=MONDAY + HOUR, ended_at=MONDAY + 3 * HOUR, reason="Asked for the afternoon")
    tracking.log_attempts([NewAttempt(lead=held.lead, at=MONDAY + 4 * HOUR)], by=ron, now=MONDAY + 4 * HOUR)
    reason = ReasonCode.objects.get(code="duplicate")
    decision = Decision(handoff=duplicate, verdict="rejected", reason=reason, at=MONDAY + HOUR)
    tracking.dispose([decision], by=ron, now=MONDAY + HOUR)

    found = delays_of(MONDAY + DAY)

    assert found[HUMAN] == found[FELT] == [(OVER, 2), (EXCLUDED, None)]


@pytest.mark.django_db
def test_below_the_definition_sales_is_not_measured_but_the_lead_has_felt_it(version, ron):
    (handoff,) = receive(engaged_at=MONDAY - HOUR)
    Handoff.objects.update(below_definition=True)
    handoff.assignments.all().delete()
    give(handoff, ron, MONDAY)
    tracking.log_attempts([NewAttempt(lead=handoff.lead, at=MONDAY + HOUR)], by=ron, now=MONDAY + HOUR)

    found = delays_of(MONDAY + DAY)

    assert (found[HUMAN], found[FELT]) == ([(EXCLUDED, None)], [(OVER, 2)])


@pytest.mark.django_db
def test_of_a_lead_that_came_back_nobody_knows_when_it_was_engaged_again(version, ron):
    (handoff,) = receive(engaged_at=MONDAY)
    Handoff.objects.filter(pk=handoff.pk).update(number=2)
    assert delays_of(MONDAY + DAY)[FELT] == [(NOT_STARTED, None)]


@pytest.mark.django_db
def test_the_list_of_handoffs_shows_who_waited_and_what_came_within_so_many_days(version, ron, vera):
    answered, waiting = receive("A", "B", engaged_at=MONDAY - HOUR, email="")
    for handoff in (answered, waiting):
        handoff.assignments.all().delete()
        give(handoff, ron, MONDAY + HOUR)
    tracking.log_attempts([NewAttempt(lead=answered.lead)], by=ron, now=MONDAY + 2 * HOUR)
    answered.outcomes.create(kind="meeting", at=MONDAY + 30 * DAY, entered_at=MONDAY + 30 * DAY)

    def shown(**asked: str) -> tuple[list[int], list[str]]:
        found = HandoffFilter(QueryDict(urlencode(asked)), queryset=Handoff.objects.order_by("pk"), user=vera)
        return list(found.qs.values_list("pk", flat=True)), [str(choice.words) for choice in found.choices()]

    month = {"agreement": str(version.agreement_id), "period": "2025-03"}
    for name in delays.NAMES:
        behind = {state: shown(**month, delay=name, wait=state)[0] for state in delays.STATES}
        expected = {OVER: [answered.pk], WAITING: [waiting.pk], NOT_STARTED: [], EXCLUDED: []}
        if name == SYSTEM:
            expected |= {OVER: [answered.pk, waiting.pk], WAITING: []}
        assert behind == expected
    assert "waiting for its owner’s first response" in shown(**month, delay=HUMAN, wait=WAITING)[1]
    # All handoffs of all time are not read to say who waited.
    assert shown(delay=HUMAN, wait=WAITING)[0] == [answered.pk, waiting.pk]

    assert shown(**month, outcome="meeting", within="30")[0] == [answered.pk]
    assert "within 30 days of arrival" in shown(**month, outcome="meeting", within="30")[1]
    assert shown(**month, outcome="meeting", within="29")[0] == []
