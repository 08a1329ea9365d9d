"""Steps of ladders: who is told, who loses the handoff, and that each happens once, in order, whoever sweeps."""

from datetime import datetime, timedelta

import pytest

from agreements.models import Step
from leads import disputes, escalations, intake, routing, ticking, timekeeping, tracking
from leads.models import Assignment, Clock, Escalation, Handoff, Task
from slaportal import roles
from slaportal.models import Notice
from tests.conftest import MONDAY, agree, make_commitment, make_record, make_user, receive

pytestmark = pytest.mark.django_db

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
def ladder(draft, rita, max_, sofia, mona, ron, ruth):
    """A version whose first response within 4 business hours has these steps."""

    def with_steps(*steps: dict, kind: str = "first_response", **overrides):
        commitment = draft.commitments.get(kind=kind)
        type(commitment).objects.filter(pk=commitment.pk).update(**overrides)
        for position, step in enumerate(steps):
            Step.objects.create(commitment=commitment, position=position, **step)
        return agree(draft, by=rita, marketing=max_, sales=sofia, now=MONDAY - timedelta(days=7))

    return with_steps


FULL = (
    {"share": 50, "action": "tell owner"},
    {"share": 80, "action": "tell manager"},
    {"share": 100, "action": "tell manager"},
    {"share": 150, "action": "reassign"},
)


def history() -> list[tuple[str, str, str]]:
    return [(str(row.step), row.state, row.what) for row in Escalation.objects.order_by("pk")]


def told() -> list[tuple[str, str, str]]:
    """Portal notices of steps: kind, slot, who it is now."""
    rows = Notice.objects.filter(channel="portal", key__startswith="step:").order_by("pk")
    return [(row.kind, row.slot, str(row.recipient or "")) for row in rows]


def sweep(hours: float) -> int:
    return ticking.tick(now=MONDAY + timedelta(hours=hours))


# --- The ladder ---------------------------------------------------------------------------------------------------


def test_steps_come_at_their_share_of_the_limit_and_not_before(ladder):
    ladder(*FULL)
    (handoff,) = receive("A")
    owner = str(Handoff.objects.get(pk=handoff.pk).owner)
    sweep(2)  # exactly half: not more than half
    assert history() == []
    escalations.sweep(now=MONDAY + 2 * HOUR + MINUTE)
    assert history() == [("50 %: tell the owner", "fired", f"told {owner}")]
    assert told() == [("warning", "owner", owner)]
    sweep(3.5)
    sweep(4.01)
    assert [what for _, _, what in history()] == [f"told {owner}", "told Mona", "told Mona"]
    assert [kind for kind, _, _ in told()] == ["warning", "warning", "miss"]


def test_a_reassigned_handoff_has_a_fresh_clock_for_the_new_owner_and_the_lead_facing_one_runs_on(ladder):
    version = ladder({"share": 100, "action": "reassign"})
    (handoff,) = receive("A")
    first = Handoff.objects.get(pk=handoff.pk).owner
    sweep(4.01)
    handoff = Handoff.objects.get(pk=handoff.pk)
    assert handoff.owner != first and handoff.owner.name in ("Ron", "Ruth")
    assert history() == [("100 %: reassign to the next rep", "fired", f"from {first} to {handoff.owner}")]
    clock = Clock.objects.get(handoff=handoff, commitment__kind="first_response")
    assert (clock.state, clock.charged_to.owner) == (Clock.State.MISSED, first)
    assert clock.started_at == handoff.qualified_at and version == handoff.version


def test_nobody_gets_a_handoff_back_that_was_taken_from_them(ladder, ron, ruth):
    ladder(
        {"share": 25, "action": "reassign"}, {"share": 50, "action": "reassign"}, {"share": 75, "action": "reassign"}
    )
    (handoff,) = receive("A")
    sweep(1.1)
    sweep(2.1)
    assert set(Assignment.objects.filter(handoff=handoff).values_list("owner__name", flat=True)) == {
        "Ron",
        "Ruth",
        None,
    }
    handoff.refresh_from_db()
    assert handoff.owner is None and str(handoff.team) == "Sales DACH"
    sweep(3.1)
    assert history()[-1] == ("75 %: reassign to the next rep", "skipped", "nothing: it waits in the queue already")


def test_a_handoff_returned_to_the_queue_waits_there_until_somebody_takes_it(ladder, ron, ruth):
    ladder({"share": 50, "action": "return to queue"}, start="assigned")
    (handoff,) = receive("A")
    first = Handoff.objects.get(pk=handoff.pk).owner
    sweep(2.1)
    sweep(2.2)
    handoff.refresh_from_db()
    assert handoff.owner is None
    assert history() == [("50 %: return to the team’s queue", "fired", f"from {first} to the queue of Sales DACH")]
    waiting = Clock.objects.get(handoff=handoff, commitment__kind="first_response", subject=0)
    assert (waiting.state, waiting.rule, waiting.decides) == (Clock.State.OPEN, "not_started", True)
    other = ruth if first == ron else ron
    routing.take(handoff, by=other, now=MONDAY + 3 * HOUR)
    fresh = Clock.objects.get(handoff=handoff, commitment__kind="first_response", decides=True)
    assert (fresh.charged_to.owner, fresh.started_at) == (other, MONDAY + 3 * HOUR)


def test_a_task_is_opened_for_revops_once(ladder, rita):
    ladder({"share": 100, "action": "task"})
    (handoff,) = receive("A")
    sweep(5)
    sweep(6)
    assert [(task.handoff_id, task.title) for task in Task.objects.all()] == [
        (handoff.pk, "first_response: Ines Albrecht")
    ]
    assert told() == [("task", f"person:{rita.pk}", "Rita")]


@pytest.mark.parametrize(
    ("step", "readers"),
    [
        ({"action": "tell team"}, {"Mona", "Ron", "Ruth", "Sofia"}),
        ({"action": "tell role", "role": roles.SALES_MANAGER}, {"Mona"}),
        ({"action": "tell role", "role": roles.MARKETING_LEADER}, {"Max"}),
        ({"action": "tell role", "role": roles.REVOPS}, {"Rita"}),
    ],
)
def test_a_team_and_a_role_are_told_each_person_by_themselves(step, readers, ladder):
    make_user("stranger@example.com", roles.SALES_MANAGER, team=None)
    ladder({"share": 50, **step})
    receive("A")
    sweep(2.1)
    assert {who for _, _, who in told()} - {"Stranger"} == readers


def test_where_a_team_has_no_manager_revops_is_told(ladder, sales):
    ladder({"share": 50, "action": "tell manager"})
    receive("A")
    type(sales).objects.update(manager=None)
    sweep(2.1)
    assert history() == [("50 %: tell the manager", "fired", "told RevOps, because Sales DACH has no manager")]
    assert {who for _, _, who in told()} == {"Rita"}


def test_where_nobody_owns_a_handoff_the_manager_is_told_instead_of_the_owner(ladder, ron, ruth):
    ladder({"share": 50, "action": "tell owner"}, start="qualified")
    type(ron).objects.filter(pk__in=[ron.pk, ruth.pk]).update(is_active=False)
    receive("A")
    sweep(2.1)
    assert history() == [("50 %: tell the owner", "fired", "told Mona, because nobody owned it")]


def test_a_chat_step_of_a_team_without_a_chat_tells_the_manager(ladder, sales):
    ladder({"share": 50, "action": "tell chat"})
    receive("A")
    sweep(2.1)
    assert history() == [("50 %: post in a team’s chat", "fired", "told Mona, because Sales DACH has no chat")]


def test_a_chat_step_posts_once_in_the_team_s_chat(ladder, sales):
    type(sales).objects.update(chat_url="json://hooks.example.com/x")
    ladder({"share": 50, "action": "tell chat"})
    receive("A")
    sweep(2.1)
    sweep(2.2)
    rows = Notice.objects.filter(key__startswith="step:")
    assert [(row.channel, row.slot, row.recipient) for row in rows] == [("chat", f"team:{sales.pk}", None)]


# --- What stops it ------------------------------------------------------------------------------------------------


def answered(handoff: Handoff, at: datetime, now: datetime | None = None) -> None:
    owner = Handoff.objects.get(pk=handoff.pk).owner
    tracking.log_attempts([tracking.NewAttempt(lead=handoff.lead, at=at)], by=owner, now=now or at)


def test_a_step_whose_clock_stopped_is_cancelled(ladder):
    ladder(*FULL)
    (handoff,) = receive("A")
    answered(handoff, MONDAY + HOUR)
    assert sweep(8) == 0
    assert history() == [] and told() == []


def test_a_breach_that_ended_between_two_sweeps_is_told_all_the_same(ladder):
    ladder(*FULL)
    (handoff,) = receive("A")
    sweep(3.9)
    answered(handoff, MONDAY + timedelta(hours=4, seconds=20))
    sweep(4.02)
    assert [(step, state) for step, state, _ in history()][2:] == [("100 %: tell the manager", "fired")]
    sweep(8)
    assert len(history()) == 3, "the step that would take it away is cancelled"


def test_steps_that_came_due_during_a_stop_fire_once_in_order_and_are_marked_late(ladder):
    ladder(*FULL)
    receive("A")
    sweep(7)
    assert [(step, late) for step, late in Escalation.objects.order_by("pk").values_list("step__share", "is_late")] == [
        (50, True), (80, True), (100, True), (150, True)
    ]  # fmt: skip
    due = list(Escalation.objects.order_by("pk").values_list("due_at", flat=True))
    assert due == sorted(due)
    assert sweep(7) == 0


def test_a_late_fact_withdraws_and_tells_nobody_twice(ladder, ron):
    ladder(*FULL[:3])
    (handoff,) = receive("A")
    sweep(4.1)
    answered(handoff, MONDAY + HOUR, now=MONDAY + 5 * HOUR)
    clock = Clock.objects.get(handoff=handoff, commitment__kind="first_response")
    assert clock.state == Clock.State.MET and clock.next_step_at is None
    before = (history(), told())
    attempt = handoff.lead.attempts.get()
    tracking.void_attempt(attempt, by=attempt.by, reason="wrong lead", now=MONDAY + 5.5 * HOUR)
    sweep(5.6)
    assert (history(), told()) == before


def test_history_that_is_imported_escalates_nothing(ladder):
    ladder(*FULL)
    receive("A", now=MONDAY + timedelta(days=3))
    sweep(80)
    assert history() == []


def test_what_is_still_to_come_of_an_imported_handoff_comes(ladder):
    ladder(*FULL)
    receive("A", now=MONDAY + 3 * HOUR)
    sweep(3.5)
    assert [step for step, _, _ in history()] == ["80 %: tell the manager"]


def test_a_hold_lets_steps_wait(ladder):
    ladder(*FULL)
    (handoff,) = receive("A")
    tracking.hold([handoff], reason="customer on holiday", by=None, now=MONDAY + HOUR)
    sweep(7)
    assert history() == []
    tracking.release([handoff], by=None, now=MONDAY + 7 * HOUR)
    sweep(7.4)  # Monday 17:24 in Berlin: one hour and 24 minutes are used
    assert history() == []
    ticking.tick(now=MONDAY + timedelta(days=1, minutes=40))  # Tuesday 10:40
    assert [step for step, _, _ in history()] == ["50 %: tell the owner"]


def test_a_handoff_that_ended_is_not_given_to_anybody(ladder, ron):
    from leads.models import ReasonCode

    ladder({"share": 100, "action": "reassign"})
    (handoff,) = receive("A")
    reason = ReasonCode.objects.filter(needs_contact=True, for_recycled=True, is_active=True).first()
    tracking.dispose([tracking.Decision(handoff, "recycled", reason)], by=ron, now=MONDAY + HOUR)
    sweep(4.1)
    assert history() == [("100 %: reassign to the next rep", "skipped", "nothing: the handoff has ended")]


# --- Sweeping -----------------------------------------------------------------------------------------------------


def test_sweeping_again_changes_nothing(ladder):
    ladder(*FULL)
    receive("A", "B", "C")
    assert sweep(3.3) > 0
    before = (history(), told(), list(Clock.objects.values_list("pk", "next_step_at")))
    assert sweep(3.3) == 0
    assert (history(), told(), list(Clock.objects.values_list("pk", "next_step_at"))) == before


def test_a_recompute_of_everything_brings_no_step_back(ladder):
    ladder(*FULL)
    receive("A", "B")
    sweep(4.1)
    before = history()
    timekeeping.evaluate_all(now=MONDAY + 4.2 * HOUR)
    sweep(4.2)
    assert history() == before


def test_one_handoff_that_cannot_be_done_holds_up_no_other(ladder, monkeypatch, caplog):
    ladder(*FULL)
    poison, fine = receive("A", "B")
    what = escalations.Audience.of

    def of(self, step, handoff):
        if handoff.pk == poison.pk:
            raise ValueError("nothing fits")
        return what(self, step, handoff)

    monkeypatch.setattr(escalations.Audience, "of", of)
    sweep(2.1)
    assert set(Escalation.objects.values_list("handoff", flat=True)) == {fine.pk}
    assert f"handoff {poison.pk} cannot be done" in caplog.text
    monkeypatch.undo()
    sweep(2.2)
    assert Escalation.objects.filter(handoff=poison).count() == 1


def test_the_sweep_costs_the_same_number_of_queries_for_one_and_for_fifty(ladder, django_assert_max_num_queries):
    ladder(*FULL[:1])
    intake.receive_leads([make_record(f"L{number}", email=f"l{number}@x.example") for number in range(50)], now=MONDAY)
    with django_assert_max_num_queries(45):
        escalations.sweep(now=MONDAY + 2.1 * HOUR)
    assert Escalation.objects.count() == 50


def test_what_is_due_and_untouched_is_found_for_the_auditor(ladder):
    ladder(*FULL)
    receive("A")
    assert escalations.late(MONDAY + HOUR) == (0, None)
    count, since = escalations.late(MONDAY + 3 * HOUR)
    assert count == 1 and since == MONDAY + 2 * HOUR
    count, since = timekeeping.late(MONDAY + 5 * HOUR)
    assert count >= 1 and since == MONDAY + 4 * HOUR


def test_a_question_that_marketing_does_not_answer_reaches_its_manager(draft, rita, max_, sofia, mona, ron, marketing):
    marketing.manager = max_
    marketing.save()
    commitment = make_commitment(draft, "dispute_answer", position=9)
    Step.objects.create(commitment=commitment, share=100, action="tell manager")
    agree(draft, by=rita, marketing=max_, sales=sofia, now=MONDAY - timedelta(days=7))
    (handoff,) = receive("A")
    disputes.ask(handoff, comment="No phone number.", by=ron, now=MONDAY + HOUR)
    sweep(5.1)
    assert history() == [("100 %: tell the manager", "fired", "told Max")]
    assert Escalation.objects.get().subject == handoff.disputes.get().pk
