"""What sales asks, marketing answers; what marketing disputes, RevOps decides (rule N10)."""

from datetime import timedelta

import pytest

from leads import clocks, disputes, tracking
from leads.models import Clock, Dispute, Handoff, ReasonCode
from leads.tracking import Decision, NewAttempt
from slaportal.refusal import Refused
from tests.conftest import MONDAY, agree, make_commitment, receive

pytestmark = pytest.mark.django_db
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def handoff(draft, rita, max_, sofia, ron) -> Handoff:
    """Ron's, under promises that disputes are about."""
    for kind in ("dispute_answer", "acceptance_rate"):
        make_commitment(draft, kind)
    agree(draft, by=rita, marketing=max_, sales=sofia)
    (handoff,) = receive(owner="Ron")
    return handoff


def reject(handoff: Handoff, by, now=MONDAY + HOUR) -> None:
    """Rejected for its quality, after a call."""
    tracking.log_attempts([NewAttempt(lead=handoff.lead)], by=by, now=now)
    reason = ReasonCode.objects.get(code="no_budget")
    tracking.dispose([Decision(handoff, "rejected", reason)], by=by, now=now)


def says(handoff: Handoff, code: str) -> tuple[int, str]:
    clock = Clock.objects.deciding().get(handoff=handoff, commitment__code=code)
    return clock.state, clock.rule


def test_marketing_owes_an_answer_to_what_sales_asks(handoff, ron, max_):
    assert says(handoff, "dispute-answer") == (clocks.EXCLUDED, "nothing_asked")
    question = disputes.ask(handoff, comment=" Which campaign? ", by=ron, now=MONDAY + HOUR)
    assert says(handoff, "dispute-answer") == (clocks.OPEN, "running")
    disputes.answer(question, answer=" Autumn. ", by=max_, now=MONDAY + 2 * HOUR)
    assert says(handoff, "dispute-answer") == (clocks.MET, "within_limit")
    question.refresh_from_db()
    assert (question.comment, question.answer, question.answered_by) == ("Which campaign?", "Autumn.", max_)
    with pytest.raises(Refused, match="Max has answered this already"):
        disputes.answer(question, answer="Spring.", by=max_, now=MONDAY + 3 * HOUR)
    second = disputes.ask(handoff, comment="Whose?", by=ron, now=MONDAY + 4 * HOUR)
    found = Clock.objects.filter(commitment__code="dispute-answer").order_by("subject")
    assert [(clock.subject, clock.state) for clock in found] == [(question.pk, clocks.MET), (second.pk, clocks.OPEN)]


def test_two_clicks_ask_one_question(handoff, ron, max_):
    question = disputes.ask(handoff, comment="Which campaign?", by=ron, now=MONDAY + HOUR)
    moment = timedelta(milliseconds=300)
    assert disputes.ask(handoff, comment="Which campaign? ", by=ron, now=MONDAY + HOUR + moment) == question
    disputes.ask(handoff, comment="Which webinar?", by=ron, now=MONDAY + HOUR + moment)
    assert Dispute.objects.count() == 2


def test_an_upheld_dispute_counts_as_accepted_and_asks_nothing_of_marketing(handoff, ron, max_, rita):
    reject(handoff, ron)
    assert says(handoff, "acceptance-rate") == (clocks.MISSED, "rejected_for_quality")
    dispute = disputes.dispute(handoff, comment="They have one.", by=max_, now=MONDAY + 2 * HOUR)
    assert says(handoff, "dispute-answer") == (clocks.EXCLUDED, "nothing_asked")
    assert says(handoff, "acceptance-rate") == (clocks.MISSED, "rejected_for_quality")
    disputes.decide(dispute, answer="Right.", upheld=True, by=rita, now=MONDAY + 3 * HOUR)
    assert says(handoff, "acceptance-rate") == (clocks.MET, "dispute_upheld")
    handoff.refresh_from_db()
    assert handoff.stage == Handoff.Stage.REJECTED


def test_a_dispute_that_is_not_upheld_changes_nothing_and_ends_the_argument(handoff, ron, max_, rita):
    reject(handoff, ron)
    dispute = disputes.dispute(handoff, comment="They have one.", by=max_, now=MONDAY + 2 * HOUR)
    with pytest.raises(Refused, match="disputed already; RevOps has to decide"):
        disputes.dispute(handoff, comment="Look again.", by=max_, now=MONDAY + 2 * HOUR)
    disputes.decide(dispute, answer="No budget this year.", upheld=False, by=rita, now=MONDAY + 3 * HOUR)
    assert says(handoff, "acceptance-rate") == (clocks.MISSED, "rejected_for_quality")
    with pytest.raises(Refused, match="has decided a dispute of this decision already"):
        disputes.dispute(handoff, comment="Look again.", by=max_, now=MONDAY + 4 * HOUR)
    with pytest.raises(Refused, match="Rita has answered this already"):
        disputes.decide(dispute, answer="After all.", upheld=True, by=rita, now=MONDAY + 4 * HOUR)


def test_a_decision_can_be_disputed_for_the_agreed_days_and_no_longer(handoff, ron, max_):
    reject(handoff, ron, now=MONDAY + 60 * DAY)
    with pytest.raises(Refused, match="time to dispute"):
        disputes.dispute(handoff, comment="They are", by=max_, now=MONDAY + 68 * DAY)
    assert disputes.dispute(handoff, comment="They are", by=max_, now=MONDAY + 67 * DAY).party == "marketing"


def test_only_what_sales_gave_back_can_be_disputed(handoff, ron, max_):
    with pytest.raises(Refused, match="neither recycled nor rejected"):
        disputes.dispute(handoff, comment="Why?", by=max_, now=MONDAY + HOUR)
    tracking.dispose([Decision(handoff, "accepted")], by=ron, now=MONDAY + HOUR)
    with pytest.raises(Refused, match="neither recycled nor rejected"):
        disputes.dispute(handoff, comment="Why?", by=max_, now=MONDAY + HOUR)


def test_a_decision_that_was_taken_back_while_the_page_was_open_is_not_disputed(handoff, ron, max_):
    reject(handoff, ron)
    (opened,) = Handoff.objects.prefetch_related("dispositions")
    tracking.void_disposition(handoff.dispositions.get(), by=ron, reason="mistake", now=MONDAY + 2 * HOUR)
    with pytest.raises(Refused, match="neither recycled nor rejected"):
        disputes.dispute(opened, comment="They have one.", by=max_, now=MONDAY + 3 * HOUR)


def test_each_dispute_is_closed_by_whoever_it_is_for(handoff, ron, max_, rita):
    question = disputes.ask(handoff, comment="Which?", by=ron, now=MONDAY)
    reject(handoff, ron)
    dispute = disputes.dispute(handoff, comment="No.", by=max_, now=MONDAY + 2 * HOUR)
    with pytest.raises(Refused, match="Marketing answers what sales asks"):
        disputes.decide(question, answer="So.", upheld=True, by=rita, now=MONDAY + 3 * HOUR)
    with pytest.raises(Refused, match="RevOps decides what marketing disputes"):
        disputes.answer(dispute, answer="So.", by=max_, now=MONDAY + 3 * HOUR)
    assert Dispute.objects.filter(answered_at=None).count() == 2


@pytest.mark.parametrize(
    ("verb", "said"), [(disputes.ask, "Say what is missing or wrong"), (disputes.dispute, "Say why the decision")]
)
def test_a_dispute_says_what_it_is_about(handoff, ron, verb, said):
    with pytest.raises(Refused, match=said):
        verb(handoff, comment=" ", by=ron, now=MONDAY)
    assert not Dispute.objects.exists()
