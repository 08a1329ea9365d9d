"""The ladder on a handoff's page: what was done, what is to come and when, what no longer comes and why."""

from datetime import timedelta

import pytest
from django.utils import timezone

from agreements.models import Step
from leads import dossier, ticking, tracking
from leads.models import Handoff
from tests.conftest import MONDAY, agree, receive

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


@pytest.fixture
def handoff(draft, rita, max_, sofia, mona, ron) -> Handoff:
    """First response within four business hours, with a ladder; received Monday at 10:00 in Berlin."""
    commitment = draft.commitments.get(kind="first_response")
    ladder = ({"share": 50, "action": "tell owner"}, {"offset": -30, "action": "tell manager"},
              {"share": 100, "action": "tell manager"}, {"share": 200, "action": "reassign"})  # fmt: skip
    for position, step in enumerate(ladder):
        Step.objects.create(commitment=commitment, position=position, **step)
    agree(draft, by=rita, marketing=max_, sales=sofia, now=MONDAY - timedelta(days=7))
    (begun,) = receive("A")
    return begun


def shown(handoff: Handoff, now) -> list[tuple]:
    found = dossier.to_show(Handoff.objects.filter(pk=handoff.pk)).get()
    page = dossier.of(found, found.owner, now=now, zone=timezone.get_current_timezone())
    (promised,) = [promised for promised in page.timed if promised.promise.kind.code == "first_response"]
    return [(step.when, step.word, step.at and step.at - MONDAY, step.why) for step in promised.whys[0].steps]


def test_before_anything_is_due_each_step_says_when_it_comes(handoff):
    assert shown(handoff, MONDAY) == [
        ("at 50 % of the limit", "next", 2 * HOUR, ""),
        ("30 min before the limit", "planned", 3.5 * HOUR, ""),
        ("at the limit", "planned", 4 * HOUR, ""),
        # Monday has seven and a half hours from ten on, so eight end on Tuesday at 9:30.
        ("at 200 % of the limit", "planned", timedelta(days=1) - 0.5 * HOUR, ""),
    ]


def test_what_fired_stays_and_what_a_stop_takes_away_is_cancelled_with_the_reason(handoff, ron):
    ticking.tick(now=MONDAY + 2.01 * HOUR)
    tracking.log_attempts([tracking.NewAttempt(lead=handoff.lead)], by=ron, now=MONDAY + 3 * HOUR)
    found = shown(handoff, MONDAY + 4 * HOUR)
    assert [(word, why) for _, word, _, why in found] == [
        ("fired", ""),
        *[("cancelled", "the promise was kept before")] * 3,
    ]


def test_a_late_fact_withdraws_what_fired_at_the_limit(handoff, ron):
    ticking.tick(now=MONDAY + 4.01 * HOUR)
    attempt = tracking.NewAttempt(lead=handoff.lead, at=MONDAY + HOUR)
    tracking.log_attempts([attempt], by=ron, now=MONDAY + 5 * HOUR)
    with timezone.override("Europe/Berlin"):
        words = [(word, why) for _, word, _, why in shown(handoff, MONDAY + 5 * HOUR)]
    late = [("fired", f"late: it was due Mon 3 Mar, {due}") for due in ("12:00", "13:30")]
    assert words[:3] == [*late, ("fired", "withdrawn by a late fact")]


def test_while_a_hold_is_open_nobody_knows_when(handoff):
    tracking.hold([handoff], reason="on holiday", by=None, now=MONDAY + HOUR)
    waiting = [("planned", None, "once it is released")] * 4
    assert [(word, at, why) for _, word, at, why in shown(handoff, MONDAY + 2 * HOUR)] == waiting
    tracking.release([handoff], by=None, now=MONDAY + 3 * HOUR)
    assert [at for _, _, at, _ in shown(handoff, MONDAY + 3.1 * HOUR)][:2] == [4 * HOUR, 5.5 * HOUR]


def test_the_time_line_tells_what_steps_did(handoff, ron, client):
    ticking.tick(now=MONDAY + 2.01 * HOUR)
    client.force_login(ron)
    page = client.get(handoff.get_absolute_url()).content.decode()
    assert "first_response, at 50 % of the limit: told Ron" in page
