"""Who is told of questions, disputes and requests to exclude, and that nobody is told what is settled already."""

from datetime import timedelta

import pytest

from leads import decision_notices, disputes, exclusions, timekeeping, tracking
from leads.models import Clock, ReasonCode
from slaportal.models import Notice
from tests.conftest import MONDAY, make_user, receive

pytestmark = pytest.mark.django_db
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def told() -> list[tuple[str, str]]:
    """Who is told what, in the portal."""
    rows = Notice.objects.filter(channel="portal", kind="decision").order_by("pk").select_related("recipient")
    found = []
    for row in rows:
        (letter,) = getattr(decision_notices, row.letter.rpartition(".")[2])([row])
        found.append((str(row.recipient), letter.subject if letter else "nothing any more"))
    return found


@pytest.fixture
def handoff(version, ron):
    (handoff,) = receive(owner="Ron")
    return handoff


def test_marketings_leaders_are_asked_and_who_asked_is_answered(handoff, ron, max_, marketing):
    make_user("mia@example.com", "Marketing leader", team=handoff.agreement.sales_team)
    question = disputes.ask(handoff, comment="Which campaign?", by=ron, now=MONDAY)
    assert told() == [("Max", "Sales asks: Ines Albrecht")]
    disputes.answer(question, answer="Autumn.", by=max_, now=MONDAY + HOUR)
    assert told() == [("Max", "nothing any more"), ("Ron", "Marketing answered: Ines Albrecht")]


@pytest.mark.parametrize(("upheld", "said"), [(True, "Dispute upheld"), (False, "Dispute not upheld")])
def test_revops_decides_disputes_and_both_sides_hear_of_it(handoff, ron, max_, rita, upheld, said):
    reason = ReasonCode.objects.get(code="bad_timing")
    tracking.dispose([tracking.Decision(handoff, "recycled", reason)], by=ron, now=MONDAY)
    dispute = disputes.dispute(handoff, comment="Call again.", by=max_, now=MONDAY + HOUR)
    assert told() == [("Rita", "Marketing disputes a decision: Ines Albrecht")]
    disputes.decide(dispute, answer="So.", upheld=upheld, by=rita, now=MONDAY + 2 * HOUR)
    line = f"{said}: Ines Albrecht"
    assert sorted(told()) == [("Max", line), ("Rita", "nothing any more"), ("Ron", line)]


@pytest.mark.parametrize(("granted", "said"), [(True, "Excluded"), (False, "Not excluded")])
def test_revops_decides_requests_and_who_asked_hears_of_it(handoff, ron, rita, granted, said):
    timekeeping.tick(now=MONDAY + DAY)
    clock = Clock.objects.get(commitment__kind="first_response")
    given = {"commitment": clock.commitment, "reason": "The phones were down"}
    request = exclusions.ask(handoff, **given, by=ron, now=MONDAY + DAY)
    assert told() == [("Rita", "To decide: exclude Ines Albrecht?")]
    exclusions.decide(request, granted=granted, note="So.", by=rita, now=MONDAY + DAY + HOUR)
    assert told() == [("Rita", "nothing any more"), ("Ron", f"{said}: Ines Albrecht")]


def test_nobody_is_told_what_they_did_themselves(handoff, rita):
    timekeeping.tick(now=MONDAY + DAY)
    clock = Clock.objects.get(commitment__kind="first_response")
    exclusions.ask(handoff, commitment=clock.commitment, reason="Ill", by=rita, now=MONDAY + DAY)
    assert told() == []
