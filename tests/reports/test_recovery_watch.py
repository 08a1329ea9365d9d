"""What happens to recovery plans by itself: they open by rule, are looked at each month, and close by evidence."""

from datetime import UTC, date, datetime, timedelta
from unittest.mock import patch

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse

from leads.models import Handoff
from leads.periods import parse
from reports import plan_letters, recovery, recovery_watch, refresh
from reports.models import RecoveryPlan
from reports.plans import CheckIn, PlanAction
from slaportal.models import Notice
from slaportal.refusal import Refused
from tests.conftest import agree
from tests.reports.conftest import MET, MISSED, make_clock, make_handoff

pytestmark = pytest.mark.django_db

SIGNED = datetime(2025, 1, 2, 9, 0, tzinfo=UTC)
APRIL = datetime(2025, 4, 1, 6, 0, tzinfo=UTC)  # March is over, and not closed
CLOSED = {number: datetime(2025, number + 1, 20, tzinfo=UTC) for number in range(1, 6)}  # of each month
SAID = {"cause": "Two people were ill.", "text": "Sofia calls herself until the 20th."}


@pytest.fixture
def version(draft, rita, max_, sofia):
    """In force through 2025: ten leads a month, and 95 % of calls in time, of at least five of them."""
    draft.minimum_group, draft.ends_on = 5, date(2025, 12, 31)
    draft.save()
    draft.commitments.filter(kind="volume").update(target=10)
    return agree(draft, by=rita, marketing=max_, sales=sofia, now=SIGNED)


def month(version, number: int, *, delivered: int = 10, called: int, late: int) -> None:
    """A month of 2025 with so many leads delivered, of which so many were called in time, and so many too late."""
    begun = datetime(2025, number, 10, 9, 0, tzinfo=UTC)
    volume = version.commitments.get(kind="volume")
    response = version.commitments.get(kind="first_response")
    for one in range(delivered):
        handoff = make_handoff(version, qualified_at=begun + timedelta(minutes=one))
        make_clock(handoff, volume, MET)
        if one < called + late:
            make_clock(handoff, response, MET if one < called else MISSED)


def follow(at: datetime) -> None:
    refresh.refresh(now=at)
    recovery_watch.follow(now=at)


def plans() -> list[tuple[str, date, str]]:
    rows = RecoveryPlan.objects.order_by("month", "pk").select_related("commitment")
    return [(plan.commitment.kind, plan.month, plan.trigger) for plan in rows]


# --- Opening (P6) -------------------------------------------------------------------------------------------------


def test_a_month_whose_volume_was_missed_is_asked_for_a_plan_at_once(version, max_):
    month(version, 3, delivered=4, called=4, late=0)
    follow(APRIL)
    (plan,) = RecoveryPlan.objects.all()
    assert (plan.commitment.kind, plan.month, plan.trigger) == ("volume", date(2025, 3, 1), "volume")
    assert plan.figures == "4 of 10"
    assert plan.owner == max_
    assert {notice.recipient for notice in Notice.objects.filter(kind="plan")} == {max_}


def test_a_share_is_asked_for_a_plan_when_it_missed_so_many_closed_months_in_a_row(version, sofia, settings):
    for number in (1, 2, 3):
        month(version, number, called=6, late=3)
    follow(CLOSED[1])
    assert plans() == []  # once is no habit
    follow(CLOSED[2] - timedelta(days=19))
    assert plans() == []  # February is over, but not closed
    follow(CLOSED[2])
    assert plans() == [("first_response", date(2025, 2, 1), "streak")]
    (plan,) = RecoveryPlan.objects.all()
    assert (plan.owner, plan.figures) == (
        sofia,
        "67 % against 95 %".replace(" %", "\N{NO-BREAK SPACE}%"),
    )
    follow(CLOSED[3])
    assert len(plans()) == 1  # while one runs, no other is opened


@pytest.mark.parametrize("months", [1, 2, 3])
def test_how_many_months_in_a_row_can_be_set(version, settings, months):
    settings.RECOVERY_AFTER = months
    for number in (1, 2, 3):
        month(version, number, called=6, late=3)
        follow(CLOSED[number])
        assert bool(plans()) == (number >= months)


@pytest.mark.parametrize(
    ("february", "why"),
    [((9, 0), "kept in between"), ((1, 2), "too few verdicts to say"), ((0, 0), "no verdict at all")],
)
def test_a_month_in_between_that_was_not_missed_ends_the_row(version, february, why):
    called, late = february
    month(version, 1, called=6, late=3)
    month(version, 2, called=called, late=late)
    month(version, 3, called=6, late=3)
    for number in (1, 2, 3):
        follow(CLOSED[number])
    assert plans() == [], why


def test_running_it_twice_or_after_weeks_of_silence_asks_once(version):
    month(version, 2, called=6, late=3)
    month(version, 3, delivered=9, called=6, late=3)
    for _ in range(2):
        follow(CLOSED[3])
    assert sorted(plans()) == [("first_response", date(2025, 3, 1), "streak"), ("volume", date(2025, 3, 1), "volume")]
    told = Notice.objects.filter(kind="plan").values_list("key", "slot", "channel")
    assert len(told) == len(set(told))


def test_nobody_is_asked_about_history(version):
    month(version, 1, delivered=5, called=0, late=5)
    month(version, 2, delivered=5, called=0, late=5)
    follow(datetime(2025, 12, 20, tzinfo=UTC))
    kinds = {(kind, day) for kind, day, _ in plans()}
    assert not {day for _, day in kinds if day < date(2025, 11, 1)}


def test_what_is_closed_may_be_asked_for_again_when_it_is_missed_again(version, sofia):
    for number in (1, 2):
        month(version, number, called=6, late=3)
    month(version, 3, called=9, late=0)
    follow(CLOSED[2])
    follow(CLOSED[3])
    assert RecoveryPlan.objects.get().word == "closed"
    for number in (4, 5):
        month(version, number, called=6, late=3)
        follow(CLOSED[number])
    assert [day for _, day, _ in plans()] == [date(2025, 2, 1), date(2025, 5, 1)]


# --- Closing (P7) -------------------------------------------------------------------------------------------------


@pytest.fixture
def plan(version, sofia) -> RecoveryPlan:
    """Sales was asked in March, because January and February missed the calls, and has written its plan."""
    for number in (1, 2):
        month(version, number, called=6, late=3)
    follow(CLOSED[2])
    plan = RecoveryPlan.objects.get()
    recovery.answer(plan, **SAID, by=sofia, now=CLOSED[2])
    plan.refresh_from_db()
    return plan


def test_a_plan_runs_until_a_later_month_has_closed_and_kept_the_promise(version, plan, max_, sofia, rita):
    month(version, 3, called=6, late=3)
    month(version, 4, called=9, late=0)
    for at in (CLOSED[2], CLOSED[3], datetime(2025, 5, 1, 8, tzinfo=UTC)):
        follow(at)
        plan.refresh_from_db()
        assert plan.word == "running"
    follow(CLOSED[4])
    plan.refresh_from_db()
    assert (plan.word, plan.closed_by) == ("closed", None)
    assert plan.closing.startswith("April 2025: 100")
    assert list(plan.check_ins.values_list("month", flat=True)) == [date(2025, 3, 1), date(2025, 4, 1)]
    notices = Notice.objects.filter(letter="reports.plan_letters.closed", channel="portal").order_by("recipient")
    assert {notice.recipient for notice in notices} == {max_, sofia, rita}
    assert {letter.subject for letter in plan_letters.closed(list(notices))} == {
        f"The number came back: {plan.commitment}"
    }


def test_each_month_is_looked_at_once_whatever_the_silence(version, plan):
    month(version, 3, called=6, late=3)
    for _ in range(2):
        follow(CLOSED[5])
    assert list(plan.check_ins.values_list("month", "by")) == [(date(2025, number, 1), None) for number in (3, 4, 5)]


def test_a_plan_closes_however_many_months_were_missed_before(version, plan):
    for number in range(3, 11):
        month(version, number, called=6, late=3)
    month(version, 11, called=9, late=0)
    with patch.object(recovery_watch, "MOST_MONTHS", 4):
        for _ in range(3):  # of a silence some months in each run
            follow(datetime(2025, 12, 20, tzinfo=UTC))
    plan.refresh_from_db()
    assert (plan.word, plan.check_ins.count()) == ("closed", 9)


def test_no_click_closes_a_plan_whose_promise_stands(plan, sofia, rita):
    with pytest.raises(Refused, match="Only RevOps closes a plan"):
        recovery.close_moot(plan, reason="Enough.", by=sofia, now=CLOSED[3])
    with pytest.raises(Refused, match="the plan closes by itself when its number has come back"):
        recovery.close_moot(plan, reason="Enough.", by=rita, now=CLOSED[3])
    plan.refresh_from_db()
    assert plan.closed_at is None


def test_revops_closes_what_no_version_promises_any_more(version, plan, rita):
    ended = datetime(2026, 1, 2, tzinfo=UTC)
    recovery.close_moot(plan, reason="The agreement has ended.", by=rita, now=ended)
    plan.refresh_from_db()
    assert (plan.word, plan.closing) == ("moot", "The agreement has ended.")
    with pytest.raises(Refused, match="This plan is closed"):
        recovery.check_in(plan, note="More", figures="-", by=rita, now=ended)


def test_the_database_refuses_a_closing_without_evidence(plan):
    with pytest.raises(IntegrityError, match="recovery_plan_closed_with_evidence"), transaction.atomic():
        RecoveryPlan.objects.update(closed_at=CLOSED[3])


# --- Doing it -----------------------------------------------------------------------------------------------------


def test_an_action_is_reminded_of_once_when_its_day_is_over_in_the_agreements_zone(plan, sofia, ron):
    recovery.add_action(plan, what="Call the backlog", who=ron, due_on=date(2025, 3, 24), by=sofia, now=CLOSED[2])
    last = datetime(2025, 3, 24, 22, 59, tzinfo=UTC)
    assert recovery_watch.remind(now=last) == 0
    assert [recovery_watch.remind(now=last + timedelta(minutes=2)) for _ in range(2)] == [1, 0]
    notices = Notice.objects.filter(letter="reports.plan_letters.overdue", channel="portal")
    assert {notice.recipient for notice in notices} == {ron, sofia}
    (subject,) = {letter.subject for letter in plan_letters.overdue(list(notices))}
    assert subject == "Overdue since 24 Mar 2025: Call the backlog"


def test_what_is_done_or_dropped_is_not_reminded_of(plan, sofia, ron):
    done, dropped = (
        recovery.add_action(plan, what=what, who=ron, due_on=date(2025, 3, 24), by=sofia, now=CLOSED[2])
        for what in ("Call", "Hire")
    )
    recovery.finish(done, by=ron, now=CLOSED[2])
    recovery.drop(dropped, by=sofia, now=CLOSED[2])
    assert recovery_watch.remind(now=CLOSED[3]) == 0
    for action in (done, dropped):
        with pytest.raises(Refused, match="done or dropped already"):
            recovery.finish(action, by=ron, now=CLOSED[3])


def test_only_the_owner_and_leaders_of_its_side_work_on_a_plan(plan, sofia, max_, ron, ruth, mona):
    give = {"what": "Call", "who": ron, "due_on": date(2025, 3, 24), "now": CLOSED[2]}
    for stranger in (max_, ron, ruth):
        with pytest.raises(Refused, match="Only its owner, or a leader of Sales"):
            recovery.add_action(plan, **give, by=stranger)
    recovery.hand_on(plan, to=mona, by=sofia, now=CLOSED[2])
    plan.refresh_from_db()
    recovery.add_action(plan, **give, by=mona)
    recovery.check_in(plan, note="Half of them are called.", figures="70 %", by=mona, now=CLOSED[2])
    with pytest.raises(Refused, match="does not belong to Sales"):
        recovery.hand_on(plan, to=max_, by=sofia, now=CLOSED[2])
    assert (PlanAction.objects.count(), CheckIn.objects.count()) == (1, 1)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"what": " "}, "Say what is done."),
        ({"what": "x" * 301}, "in at most 300 characters"),
        ({"due_on": date(2025, 3, 19)}, "Choose a day that is not over yet."),
    ],
)
def test_an_action_needs_words_and_a_day_to_come(plan, sofia, ron, given, said):
    fields = {"what": "Call", "who": ron, "due_on": date(2025, 3, 24), **given}
    with pytest.raises(Refused, match=said):
        recovery.add_action(plan, **fields, by=sofia, now=CLOSED[2])


def test_marketing_does_not_answer_for_sales(version, max_):
    for number in (1, 2):
        month(version, number, called=6, late=3)
    follow(CLOSED[2])
    with pytest.raises(Refused, match="Only a leader of Sales DACH can write this plan"):
        recovery.answer(RecoveryPlan.objects.get(), **SAID, by=max_, now=CLOSED[2])


def test_the_months_of_an_agreement_say_the_verdict_of_the_last_version_that_has_one(version):
    month(version, 3, called=9, late=0)
    months = recovery_watch.Months(version.agreement, CLOSED[3])
    assert recovery_watch.is_kept(months.lines(parse("2025-03"))["first-response"])
    assert not recovery_watch.is_missed(months.lines(parse("2025-02")).get("first-response"))
    assert Handoff.objects.count() == 10


def test_a_rep_who_does_something_for_a_plan_ticks_it_off_and_no_other_rep_opens_it(client, plan, sofia, ron, ruth):
    action = recovery.add_action(plan, what="Call", who=ron, due_on=date(2025, 3, 24), by=sofia, now=CLOSED[2])
    finish = reverse("finish_plan_action", args=[plan.pk, action.pk])
    for person, status in ((ruth, 403), (ron, 200)):
        client.force_login(person)
        assert client.get(plan.get_absolute_url()).status_code == status
        assert client.get(reverse("recovery_plans")).status_code == 403
        assert client.post(finish, follow=True).status_code == status
    action.refresh_from_db()
    assert action.done_by == ron
