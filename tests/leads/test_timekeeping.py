"""Verbs write facts, and the clocks follow: at once, by the tick, and by a recompute that changes nothing."""

from datetime import timedelta

import pytest

from leads import clocks, timekeeping, tracking
from leads.models import Clock, Handoff
from slaportal.models import Heartbeat
from tests.conftest import MONDAY, receive

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def clock_of(handoff: Handoff, code: str = "first-response") -> Clock:
    return Clock.objects.get(handoff=handoff, commitment__code=code)


def stored() -> list[tuple]:
    return sorted(
        Clock.objects.values_list("handoff", "commitment", "subject", "state", "rule", "due_at", "stopped_at")
    )


def test_a_new_handoff_has_a_running_clock_due_four_business_hours_later(version, ron):
    (handoff,) = receive()
    clock = clock_of(handoff)
    assert (clock.state, clock.rule, clock.due_at) == (clocks.OPEN, "running", MONDAY + 4 * HOUR)
    assert clock.charged_to.owner == ron


def test_an_attempt_within_the_limit_meets_the_promise(version, ron):
    (handoff,) = receive()
    tracking.log_attempts([tracking.NewAttempt(lead=handoff.lead)], by=ron, now=MONDAY + HOUR)
    clock = clock_of(handoff)
    assert (clock.state, clock.elapsed_seconds) == (clocks.MET, 3600)


def test_the_tick_marks_a_miss_once_the_limit_is_used_up_and_not_before(version, ron):
    (handoff,) = receive()
    assert timekeeping.tick(now=MONDAY + 4 * HOUR) == 0
    assert clock_of(handoff).state == clocks.OPEN
    assert timekeeping.tick(now=MONDAY + 4 * HOUR + timedelta(seconds=1)) == 1
    assert clock_of(handoff).state == clocks.MISSED
    assert timekeeping.tick(now=MONDAY + 5 * HOUR) == 0
    assert Heartbeat.objects.get(name="tick").at == MONDAY + 5 * HOUR


def test_a_miss_is_found_even_if_the_handoff_closed_between_two_ticks(version, ron):
    (handoff,) = receive()
    decision = tracking.Decision(handoff, "accepted")
    tracking.dispose([decision], by=ron, now=MONDAY + 30 * HOUR)
    assert clock_of(handoff).state == clocks.MISSED


def test_a_late_fact_from_a_system_of_record_turns_a_miss_into_met(version, ron):
    (handoff,) = receive()
    timekeeping.tick(now=MONDAY + 48 * HOUR)
    late = tracking.NewAttempt(email="INES@nordhaus.example", at=MONDAY + HOUR, source_system="dialer", external_id="1")
    tracking.log_attempts([late], by=None, now=MONDAY + 24 * 7 * HOUR, from_system=True)
    assert clock_of(handoff).state == clocks.MET
    assert tracking.log_attempts([late], by=None, now=MONDAY + 24 * 8 * HOUR, from_system=True) == []


def test_a_voided_attempt_counts_nowhere(version, ron):
    (handoff,) = receive()
    (attempt,) = tracking.log_attempts([tracking.NewAttempt(lead=handoff.lead)], by=ron, now=MONDAY + HOUR)
    tracking.void_attempt(attempt, by=ron, reason="wrong lead", now=MONDAY + HOUR)
    assert clock_of(handoff).state == clocks.OPEN


def test_a_recompute_changes_nothing(version, ron, ruth):
    handoffs = receive("A", "B", "C")
    tracking.log_attempts([tracking.NewAttempt(lead=handoffs[0].lead)], by=ron, now=MONDAY + HOUR)
    tracking.hold([handoffs[1]], reason="asked to wait", by=ron, now=MONDAY + HOUR)
    tracking.dispose([tracking.Decision(handoffs[2], "accepted")], by=ron, now=MONDAY + HOUR)
    before = stored()
    assert timekeeping.evaluate_all(now=MONDAY + HOUR) == 3
    assert stored() == before
    assert timekeeping.evaluate_all(now=MONDAY + HOUR, everything=False) == 2


def test_release_computes_the_due_time_that_a_hold_put_off(version, ron):
    (handoff,) = receive()
    tracking.hold([handoff], reason="asked to wait", by=ron, now=MONDAY + HOUR)
    assert clock_of(handoff).due_at is None
    tracking.release([handoff], by=ron, now=MONDAY + 2 * HOUR)
    assert clock_of(handoff).due_at == MONDAY + 5 * HOUR
