"""Whoever missed something may ask RevOps not to count it; a granted request is excluded with its reason (rule N9)."""

from datetime import timedelta

import pytest

from leads import clocks, escalations, exclusions, timekeeping, tracking
from leads.models import Clock, ExclusionRequest, Handoff
from slaportal.refusal import Refused
from tests.conftest import MONDAY, receive

pytestmark = pytest.mark.django_db
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def missed(version, ron, mona) -> Clock:
    """Ron did not call within four business hours."""
    receive(owner="Ron")
    timekeeping.tick(now=MONDAY + DAY)
    return Clock.objects.get(commitment__kind="first_response", state=clocks.MISSED)


def ask(clock: Clock, by, reason: str = "The phones were down", now=MONDAY + DAY) -> ExclusionRequest:
    return exclusions.ask(clock.handoff, commitment=clock.commitment, reason=reason, by=by, now=now)


def decide(request: ExclusionRequest, by, *, granted: bool = True, now=MONDAY + DAY + HOUR) -> ExclusionRequest:
    return exclusions.decide(request, granted=granted, note="So it was", by=by, now=now)


def test_a_granted_request_excludes_the_miss_and_it_stays_the_owners(missed, ron, rita):
    charged_to = missed.charged_to_id
    request = ask(missed, ron)
    missed.refresh_from_db()
    assert missed.state == clocks.MISSED
    decide(request, rita)
    missed.refresh_from_db()
    assert (missed.state, missed.rule, missed.charged_to_id) == (clocks.EXCLUDED, "granted", charged_to)


def test_what_is_granted_stays_excluded_whatever_happens_and_a_recompute_says_the_same(missed, ron, rita):
    decide(ask(missed, ron), rita)
    tracking.log_attempts([tracking.NewAttempt(lead=missed.handoff.lead)], by=ron, now=MONDAY + 2 * DAY)
    timekeeping.evaluate_all(now=MONDAY + 3 * DAY)
    missed.refresh_from_db()
    assert (missed.state, missed.rule) == (clocks.EXCLUDED, "granted")
    assert missed.stopped_at == MONDAY + 2 * DAY


def test_a_running_clock_is_excluded_too_and_neither_tick_nor_ladder_looks_at_it_again(version, ron, rita):
    receive(owner="Ron")
    running = Clock.objects.get(commitment__kind="first_response")
    decide(ask(running, ron, now=MONDAY + HOUR), rita, now=MONDAY + 2 * HOUR)
    running.refresh_from_db()
    assert (running.state, running.look_at, running.next_step_at) == (clocks.EXCLUDED, None, None)
    assert escalations.sweep(now=MONDAY + 5 * DAY) == 0


def test_a_declined_request_changes_nothing_and_may_be_asked_again(missed, ron, rita):
    decide(ask(missed, ron), rita, granted=False)
    missed.refresh_from_db()
    assert missed.state == clocks.MISSED
    assert ask(missed, ron, "There is a log of the outage").granted is None


def test_asking_twice_is_refused_while_the_first_waits_or_stands(missed, ron, mona, rita):
    request = ask(missed, ron)
    with pytest.raises(Refused, match="Ron has asked for that already"):
        ask(missed, mona)
    decide(request, rita)
    with pytest.raises(Refused, match="Ron has asked for that already"):
        ask(missed, mona)


def test_only_who_owned_it_the_manager_and_revops_ask(missed, ron, ruth, mona, rita, max_):
    for who in (ruth, max_):
        with pytest.raises(Refused, match="Only who owned"):
            ask(missed, who)
    assert ask(missed, mona).asked_by == mona


def test_only_missed_or_open_promises_of_sales_can_be_excluded(missed, version, ron):
    marketing = version.commitments.get(kind="volume")
    with pytest.raises(Refused, match="is no promise of sales that is missed or open here"):
        exclusions.ask(missed.handoff, commitment=marketing, reason="No", by=ron, now=MONDAY + DAY)
    (called,) = receive("L2", owner="Ron", now=MONDAY + DAY, received_at=MONDAY + DAY)
    tracking.log_attempts([tracking.NewAttempt(lead=called.lead)], by=ron, now=MONDAY + DAY)
    with pytest.raises(Refused, match="is no promise of sales that is missed or open here"):
        exclusions.ask(called, commitment=missed.commitment, reason="No", by=ron, now=MONDAY + DAY)


def test_requests_and_decisions_say_why_and_nobody_decides_the_own(missed, ron, rita):
    with pytest.raises(Refused, match="Say why it shall not count"):
        ask(missed, ron, " ")
    own = ask(missed, rita)
    with pytest.raises(Refused, match="Somebody else has to decide"):
        decide(own, rita)
    with pytest.raises(Refused, match="Say why, in a sentence"):
        exclusions.decide(own, granted=True, note=" ", by=ron, now=MONDAY + DAY)


def test_of_two_decisions_the_second_is_told_of_the_first(missed, ron, rita, mona):
    request = ask(missed, ron)
    decide(request, rita)
    with pytest.raises(Refused, match="Rita has decided this already"):
        decide(request, mona, granted=False)
    assert Handoff.objects.get().exclusion_requests.get().granted is True
