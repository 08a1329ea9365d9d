"""RevOps' desk: what waits, each with its evidence, decided in place; of two who decide the second is told."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from leads import disputes, exclusions, ticking, tracking
from leads.models import Clock, Dispute, ExclusionRequest, Handoff, ReasonCode
from slaportal import roles
from tests.conftest import MONDAY, agree, make_commitment, make_user, receive
from tests.leads.conftest import clock_of, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("travel")]
HOUR = timedelta(hours=1)


def give_back(handoff: Handoff, ron, **fields) -> None:
    reason = ReasonCode.objects.filter(is_quality=True, for_rejected=True, is_active=True).first()
    tracking.dispose([tracking.Decision(handoff, "rejected", reason, **fields)], by=ron, now=MONDAY)
    handoff.refresh_from_db()


@pytest.fixture
def disputed(version, ron, max_) -> Dispute:
    """Ron rejected a lead for its quality, and Max disputes that."""
    (handoff,) = receive("A")
    tracking.log_attempts([tracking.NewAttempt(lead=handoff.lead)], by=ron, now=MONDAY)
    give_back(handoff, ron, note="a student", criterion="Company size is at least 50 (theirs: 12)")
    return disputes.dispute(handoff, comment="Their imprint names 220 people.", by=max_, now=MONDAY)


@pytest.fixture
def asked(version, ron) -> ExclusionRequest:
    """Ron asks not to count a call that he missed."""
    (handoff,) = receive("B", name="Bo Berg", owner="Ron")
    ticking.tick(now=MONDAY + 5 * HOUR)
    commitment = clock_of(handoff).commitment
    return exclusions.ask(handoff, commitment=commitment, reason="The phones were down.", by=ron, now=MONDAY + 5 * HOUR)


def decide(client, what: str, row, word: str, why: str = "Looked at it."):
    prefix = f"{'dispute' if what == 'decide_waiting_dispute' else 'exclusion'}-{row.pk}"
    return client.post(reverse(what, args=[row.pk]), {f"{prefix}-is_yes": word, f"{prefix}-why": why}, follow=True)


def test_a_dispute_stands_there_with_its_evidence_and_is_upheld_in_place(client, disputed, rita):
    client.force_login(rita)
    said = text_of(client.get(reverse("decisions")))
    for words in (
        "1 waiting", "Their imprint names 220 people.", "Rejected", "a student", "Ron",
        "Company size is at least 50 (theirs: 12)", "1 attempt, the last: no answer", "It met the definition.",
    ):  # fmt: skip
        assert words in said
    answer = decide(client, "decide_waiting_dispute", disputed, "yes")
    assert "Nothing waits for a decision" in text_of(answer) and "Upheld" in text_of(answer)
    disputed.refresh_from_db()
    assert (disputed.upheld, disputed.answer, disputed.answered_by) == (True, "Looked at it.", rita)


def test_what_stands_is_told_apart_from_what_was_upheld(client, disputed, rita):
    client.force_login(rita)
    assert "Not upheld" in text_of(decide(client, "decide_waiting_dispute", disputed, "no"))
    disputed.refresh_from_db()
    assert disputed.upheld is False


def test_a_request_stands_there_with_the_why_of_its_clock_and_is_granted(client, asked, rita, travel):
    travel.move_to(MONDAY + 5 * HOUR)
    client.force_login(rita)
    said = text_of(client.get(reverse("decisions")))
    assert "The phones were down." in said and "first_response" in said
    assert "of 4 h, and it has not happened" in said
    assert "The limit is used up and it has not happened. C1" in said
    answer = decide(client, "decide_waiting_exclusion", asked, "yes")
    assert "Excluded" in text_of(answer)
    assert clock_of(asked.handoff).state == Clock.State.EXCLUDED


def test_a_decision_says_why_and_what_was_typed_stays(client, disputed, rita):
    client.force_login(rita)
    answer = decide(client, "decide_waiting_dispute", disputed, "yes", why=" ")
    assert answer.status_code == 422
    assert f'name="dispute-{disputed.pk}-is_yes" value="yes"' in answer.content.decode()
    assert "checked" in answer.content.decode()
    assert not Dispute.objects.exclude(answered_at=None).exists()


def test_of_two_who_decide_the_second_is_told_what_the_first_did(client, disputed, asked, rita, travel):
    travel.move_to(MONDAY + 5 * HOUR)
    other = make_user("rosa@example.com", roles.REVOPS)
    now = MONDAY + 5 * HOUR
    disputes.decide(disputed, answer="No.", upheld=False, by=other, now=now)
    exclusions.decide(asked, granted=False, note="No.", by=other, now=now)
    client.force_login(rita)
    assert "Rosa has answered this already." in text_of(decide(client, "decide_waiting_dispute", disputed, "yes"))
    assert "Rosa has decided this already." in text_of(decide(client, "decide_waiting_exclusion", asked, "yes"))
    disputed.refresh_from_db()
    assert disputed.upheld is False


def test_nobody_decides_what_they_asked_for(client, asked, rita):
    ExclusionRequest.objects.update(asked_by=rita)
    client.force_login(rita)
    assert "somebody else of RevOps has to decide" in text_of(client.get(reverse("decisions")))
    answer = decide(client, "decide_waiting_exclusion", asked, "yes")
    assert answer.status_code == 422
    assert ExclusionRequest.objects.waiting().exists()


def test_only_who_decides_disputes_comes_here(client, disputed, asked, max_, mona, vera, ron):
    for person in (max_, mona, vera, ron):
        client.force_login(person)
        assert client.get(reverse("decisions")).status_code == 403
        assert decide(client, "decide_waiting_dispute", disputed, "yes").status_code == 403
        assert decide(client, "decide_waiting_exclusion", asked, "yes").status_code == 403
        assert "Decisions" not in text_of(client.get(reverse("home")))


def test_a_question_of_sales_is_none_of_revops_decisions(client, version, ron, rita):
    (handoff,) = receive("A")
    question = disputes.ask(handoff, comment="Which product?", by=ron, now=MONDAY)
    client.force_login(rita)
    assert "Which product?" not in text_of(client.get(reverse("decisions")))
    assert decide(client, "decide_waiting_dispute", question, "yes").status_code == 404


def test_the_desk_asks_as_much_for_one_as_for_many(client, draft, rita, max_, sofia, ron):
    make_commitment(draft, "acceptance", position=9, limit=1, unit="hours")
    agree(draft, by=rita, marketing=max_, sales=sofia)
    client.force_login(rita)
    counts = []
    for number in range(2):
        for one in range(2 + 5 * number):
            for kind in ("d", "e"):
                (handoff,) = receive(f"{kind}{number}-{one}", owner="Ron")
                if kind == "d":
                    give_back(handoff, ron)
                    row = disputes.dispute(handoff, comment="No.", by=max_, now=MONDAY)
                    if one % 2:
                        disputes.decide(row, answer="Yes.", upheld=True, by=rita, now=MONDAY)
                else:
                    commitment = clock_of(handoff).commitment
                    exclusions.ask(handoff, commitment=commitment, reason="Ill.", by=ron, now=MONDAY)
        with CaptureQueriesContext(connection) as queries:
            assert client.get(reverse("decisions")).status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1]
