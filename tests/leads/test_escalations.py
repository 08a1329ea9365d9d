"""Steps of ladders: who is told, who loses the handoff, and that each happens once, in order, whoever sweeps."""

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from agreements.models import Step
from leads import (
    audience,
    disputes,
    escalation_letters,
    escalations,
    intake,
    routing,
    ticking,
    timekeeping,
    tracking,
)
from leads.models import Assignment, Clock, Escalation, Handoff, Task
from slaportal import outbox, roles
from slaportal.letters import Letter
from slaportal.models import Notice, User
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


def send(hours: float) -> None:
    """Send what waits, after it has gathered."""
    outbox.send_due(now=MONDAY + timedelta(hours=hours, minutes=1))


def sent() -> list[str]:
    """Who has got a notice of a step, in the portal."""
    rows = Notice.objects.filter(channel="portal", key__startswith="step:").exclude(sent_at=None)
    return [str(row.recipient) for row in rows.order_by("pk")]


def letters() -> list[Letter | None]:
    """What the portal says of steps, in the reader's zone."""
    notices = Notice.objects.filter(channel="portal", key__startswith="step:").select_related("recipient")
    with timezone.override("Europe/Berlin"):
        return escalation_letters.step(list(notices.order_by("pk")))


def leave(*people: User) -> None:
    """Let none of them log in any more."""
    User.objects.filter(pk__in=[person.pk for person in people]).update(is_active=False)


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


@pytest.fixture
def three_reps(sales, ron, ruth) -> None:
    make_user("rolf@example.com", roles.REP, team=sales)


def test_of_two_promises_that_take_it_away_at_once_only_one_does(draft, ladder, three_reps):
    accept = make_commitment(draft, "acceptance", position=9)
    Step.objects.create(commitment=accept, share=100, action="reassign")
    ladder({"share": 100, "action": "reassign"})
    (handoff,) = receive("A", owner="Ron")
    sweep(4.01)
    second = Handoff.objects.get(pk=handoff.pk).owner
    assert [(state, what) for _, state, what in history()] == [
        ("fired", f"from Ron to {second}"),
        ("skipped", f"nothing: {second} has had it only since then"),
    ]


def test_after_a_stop_the_next_owner_does_not_lose_it_by_what_was_due_before(ladder, three_reps):
    ladder({"share": 100, "action": "reassign"}, {"share": 150, "action": "return to queue"})
    (handoff,) = receive("A", owner="Ron")
    sweep(7)
    second = Handoff.objects.get(pk=handoff.pk).owner
    assert second is not None
    assert history()[-1][1:] == ("skipped", f"nothing: {second} has had it only since then")


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


@pytest.mark.parametrize(
    ("step", "why"),
    [
        ({"action": "tell team"}, "nobody of Sales DACH can log in"),
        ({"action": "tell role", "role": roles.SALES_LEADER}, "nobody of theirs with the role Sales leader can log in"),
        ({"action": "tell role", "role": roles.VIEWER}, "nobody with the role Viewer can log in"),
    ],
)
def test_a_step_that_reaches_nobody_reaches_whoever_is_in_charge_and_says_so(step, why, ladder, sales, sofia, mona):
    ladder({"share": 50, **step})
    receive("A", owner="Ron")
    leave(*User.objects.filter(team=sales).exclude(pk=mona.pk))
    User.objects.filter(pk=mona.pk).update(team=None)  # she manages it from outside
    sweep(2.1)
    assert history() == [(history()[0][0], "fired", f"told Mona, because {why}")]
    assert told() == [("warning", "manager", "Mona")]


def test_where_nobody_at_all_can_be_told_the_step_is_skipped(ladder, mona, rita):
    ladder({"share": 50, "action": "tell manager"})
    receive("A", owner="Ron")
    leave(mona, rita)
    sweep(2.1)
    assert [row[1:] for row in history()] == [("skipped", "nothing: Mona cannot log in and nobody is in RevOps")]


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


# --- Who it is by the time it is sent ------------------------------------------------------------------------------


@pytest.mark.parametrize("start", ["assigned", "qualified"])
@pytest.mark.parametrize("move", ["reassign", "return to queue"])
def test_a_miss_is_told_to_whose_it_is_though_it_is_not_theirs_any_more(ladder, move, start, ruth):
    ladder({"share": 100, "action": "tell owner"}, {"share": 100, "action": move}, start=start)
    receive("A", owner="Ron")
    sweep(4.01)
    send(4.01)
    assert sent() == ["Ron"]
    (letter,) = letters()
    assert letter.subject == "Missed: Ines Albrecht: first_response"
    has_it = "Ruth has it now" if move == "reassign" else "it waits in the queue now"
    assert letter.paragraphs[-1] == (
        f"It is no longer yours: {has_it}. One line of answer is asked: why it happened, and what is done about it."
    )
    assert not any("Act now" in paragraph for paragraph in letter.paragraphs)


def test_a_miss_is_told_to_whose_it_is_though_it_changed_hands_before_the_sweep(ladder, ron, ruth, mona):
    ladder({"share": 100, "action": "tell owner"}, {"share": 100, "action": "tell manager"})
    (handoff,) = receive("A", owner="Ron")
    routing.assign([(handoff, ruth)], why="rebalanced", by=mona, now=MONDAY + 4 * HOUR + MINUTE)
    sweep(4.1)
    assert [what for _, _, what in history()] == ["told Ron", "told Mona"]
    letter = letters()[1]
    assert letter.subject == "Missed: Ines Albrecht (Ron): first_response"
    assert "Owner: Ruth; it counts for Ron · DACH inbound" in letter.paragraphs


def test_a_warning_follows_the_handoff_to_its_present_owner(ladder, ruth, mona):
    ladder({"share": 50, "action": "tell owner"})
    (handoff,) = receive("A", owner="Ron")
    sweep(2.01)
    routing.assign([(handoff, ruth)], why="rebalanced", by=mona, now=MONDAY + 2.01 * HOUR)
    send(2.01)
    assert sent() == ["Ruth"]


@pytest.mark.parametrize(("gone", "reader"), [(["ron"], "Mona"), (["ron", "mona"], "Rita")])
def test_a_miss_of_somebody_who_left_goes_to_the_manager_and_without_one_to_revops(ladder, gone, reader, request):
    ladder({"share": 100, "action": "tell owner"})
    receive("A", owner="Ron")
    sweep(4.01)
    leave(*(request.getfixturevalue(name) for name in gone))
    send(4.01)
    assert sent() == [reader]


@pytest.mark.parametrize("fields", [{"manager": None}, {}])
def test_what_the_manager_is_told_goes_to_revops_once_the_team_has_none_who_may_log_in(ladder, sales, mona, fields):
    ladder({"share": 50, "action": "tell manager"})
    receive("A", owner="Ron")
    sweep(2.01)
    leave(mona)
    type(sales).objects.filter(pk=sales.pk).update(name=sales.name, **fields)
    send(2.01)
    assert sent() == ["Rita"]


def test_the_readers_of_many_notices_cost_as_many_queries_as_those_of_one(ladder, mona, django_assert_num_queries):
    ladder(*FULL[:3])
    receive("A", "B", "C", owner="Ron")
    sweep(4.01)
    leave(mona)
    notices = list(Notice.objects.filter(channel="portal", key__startswith="step:"))
    with django_assert_num_queries(3):
        audience.readers(notices[:1])
    with django_assert_num_queries(3):
        assert all(audience.readers(notices))


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


def test_what_came_due_because_an_attempt_was_taken_back_says_when_it_was_due_and_no_more(ladder, ron):
    ladder(*FULL[:2])
    (handoff,) = receive("A", owner="Ron")
    answered(handoff, MONDAY + HOUR)
    for hours in (2.1, 3.3):
        assert sweep(hours) == 0
    tracking.void_attempt(handoff.lead.attempts.get(), by=ron, reason="wrong lead", now=MONDAY + 3.5 * HOUR)
    sweep(3.51)
    assert [row.is_late for row in Escalation.objects.all()] == [True, True]
    assert "This step comes late: it was due Mon 3 Mar, 12:00." in letters()[0].paragraphs


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


def test_what_is_still_to_come_of_imported_history_comes(ladder):
    ladder(*FULL[:1], limit=20)  # half of it is used up on Tuesday at 11:30
    receive("A", now=MONDAY + 25 * HOUR)
    receive("B", now=MONDAY + 26 * HOUR)
    sweep(27)
    assert [*Escalation.objects.values_list("handoff__lead__external_id", flat=True)] == ["A"]


def test_a_lead_that_arrives_after_its_limit_is_escalated_at_once_and_the_lateness_is_explained(ladder, ron):
    """A source that is asked each hour brings it when the limit is used up already."""
    ladder(*FULL[:3], limit=30, unit="business minutes")
    receive("A", owner="Ron", now=MONDAY + 50 * MINUTE)
    sweep(0.85)
    assert [what for _, _, what in history()] == ["told Ron", "told Mona", "told Mona"]
    late = "This step comes late: the portal learned of it only Mon 3 Mar, 10:50."
    assert all(late in letter.paragraphs for letter in letters())
    assert letters()[0].subject == "Missed: Ines Albrecht: first_response"


def test_who_got_it_after_a_step_was_due_does_not_lose_it_by_that_step(ladder, ron, ruth):
    ladder({"share": 100, "action": "reassign"}, limit=30, unit="business minutes")
    (handoff,) = receive("A", now=MONDAY + 50 * MINUTE)  # given out by the rules, now
    handoff.refresh_from_db()
    sweep(0.85)
    assert [what for _, _, what in history()] == [f"nothing: {handoff.owner} has had it only since then"]


def test_whom_the_source_names_does_not_lose_a_lead_by_a_step_that_was_due_before_the_portal_knew_it(ladder, ron, ruth):
    ladder({"share": 100, "action": "reassign"}, limit=30, unit="business minutes")
    (handoff,) = receive("A", owner="Ron", now=MONDAY + 50 * MINUTE)
    sweep(0.85)
    assert [what for _, _, what in history()] == ["nothing: the portal learned of it only afterwards"]
    handoff.refresh_from_db()
    assert handoff.owner == ron


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

    def of(self, step, handoff, owner):
        if handoff.pk == poison.pk:
            raise ValueError("nothing fits")
        return what(self, step, handoff, owner)

    monkeypatch.setattr(escalations.Audience, "of", of)
    sweep(2.1)
    assert set(Escalation.objects.values_list("handoff", flat=True)) == {fine.pk}
    assert f"handoff {poison.pk} cannot be done" in caplog.text
    monkeypatch.undo()
    sweep(2.2)
    assert Escalation.objects.filter(handoff=poison).count() == 1


def hold_up(monkeypatch, *held: Handoff) -> None:
    """As if somebody else had these locked: they are skipped by whoever does not wait."""
    lock, kept = timekeeping.lock, {handoff.pk for handoff in held}

    def skipping(ids, *, skip_locked=False):
        return lock([pk for pk in ids if not (skip_locked and pk in kept)], skip_locked=skip_locked)

    monkeypatch.setattr(timekeeping, "lock", skipping)


def test_a_block_that_somebody_else_has_locked_holds_up_nothing_behind_it(ladder, monkeypatch):
    ladder(*FULL[:1])
    first, second, third, fourth = receive("A", "B", "C", "D")
    hold_up(monkeypatch, first, second)
    monkeypatch.setattr(escalations, "BATCH", 1)
    assert escalations.sweep(now=MONDAY + 2.1 * HOUR) == 2
    assert {row.handoff_id for row in Escalation.objects.all()} == {third.pk, fourth.pk}
    monkeypatch.setattr(timekeeping, "TICK_BATCH", 1)
    assert timekeeping.tick(now=MONDAY + 4.1 * HOUR) == 2
    missed = Clock.objects.filter(commitment__kind="first_response", state=Clock.State.MISSED)
    assert {clock.handoff_id for clock in missed} == {third.pk, fourth.pk}


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
