"""The pace of promises without a time limit: when a step comes, who is behind, what is done, and that once."""

import logging
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from agreements import signoff
from agreements.business_time import BusinessTime
from agreements.calendars import add_closure
from agreements.models import Agreement, Commitment, Step, Version
from leads.models import Task
from leads.periods import MONTH, Period, parse
from reports import milestones, pace, pace_notices, scorecards, tasks
from reports.models import PaceCheck, RecoveryPlan
from slaportal import roles
from slaportal.models import Heartbeat, Notice, User
from slaportal.outbox import Letter
from tests.agreements.test_signoff_races import at_once
from tests.conftest import agree, make_commitment, make_user
from tests.reports.conftest import EXCLUDED, MARCH, MET, MISSED, OPEN, make_clock, make_handoff, row_of

# Signed on the morning of a Saturday, for all of the year: February is over by then.
SIGNED = datetime(2025, 3, 1, 9, 0, tzinfo=UTC)
# 60 % of March, which has an hour less in Berlin: Wednesday the 19th, 13:48 there.
SIXTY = datetime(2025, 3, 19, 12, 48, tzinfo=UTC)
# The office opens on Tuesday, 1 April, at nine.
MONTH_END = datetime(2025, 4, 1, 7, 0, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)

OFFICE = {day: [("09:00", "12:00"), ("13:00", "17:30")] for day in range(5)}


@pytest.fixture
def ladder(draft, rita, max_, sofia):
    """A version, agreed as March begins, whose promise of a kind has these steps."""

    def with_steps(*steps: dict, kind: str = "volume", at: datetime = SIGNED, **overrides) -> Version:
        commitment = draft.commitments.get(kind=kind)
        Commitment.objects.filter(pk=commitment.pk).update(**overrides)
        for position, step in enumerate(steps):
            Step.objects.create(commitment=commitment, position=position, **step)
        return agree(draft, by=rita, marketing=max_, sales=sofia, now=at)

    return with_steps


MANAGER, PLAN = {"share": 60, "action": "tell manager"}, {"share": 60, "action": "recovery plan"}


def promise(version: Version, kind: str = "volume") -> Commitment:
    return version.commitments.get(kind=kind)


def deliver(version: Version, number: int, *, state: int = MET, kind: str = "volume", **overrides) -> None:
    for _ in range(number):
        make_clock(make_handoff(version, **overrides), promise(version, kind), state)


def looks() -> list[tuple[str, str, str, str]]:
    return [(str(row.step), row.state, row.figures.replace("\xa0", " "), row.what.replace("\xa0", " "))
            for row in PaceCheck.objects.order_by("pk")]  # fmt: skip


def told(kind: str | None = None) -> list[tuple[str, str, str]]:
    """Portal notices: kind, slot, who that is."""
    rows = Notice.objects.filter(channel="portal").exclude(kind="agreement").order_by("pk")
    return [(row.kind, row.slot, str(row.recipient)) for row in rows if kind in (None, row.kind)]


def letters(function=pace_notices.step, **chosen) -> list[Letter | None]:
    notices = Notice.objects.filter(channel="portal", **chosen).select_related("recipient").order_by("pk")
    return function(list(notices))


# --- When a step comes (P1) ---------------------------------------------------------------------------------------


def test_a_share_of_the_month_is_one_of_its_real_hours_in_the_agreements_zone():
    berlin = ZoneInfo("Europe/Berlin")
    assert milestones.milestone(MARCH, berlin, Fraction(60, 100)) == SIXTY
    assert milestones.milestone(MARCH, berlin, Fraction(1)) == datetime(2025, 3, 31, 22, 0, tzinfo=UTC)
    assert milestones.milestone(parse("2025-04"), UTC, Fraction(1, 2)) == datetime(2025, 4, 16, tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "comes"),
    [
        ("2025-03-19T12:48Z", "2025-03-19T12:48Z"),  # while somebody is there
        ("2025-03-31T22:00Z", "2025-04-01T07:00Z"),  # midnight in Berlin
        ("2025-03-19T11:15Z", "2025-03-19T12:00Z"),  # lunch
        ("2025-03-21T16:30Z", "2025-03-24T08:00Z"),  # Friday's closing bell: closed
        ("2025-03-29T23:00Z", "2025-03-31T07:00Z"),  # the weekend of the clock change
    ],
)
def test_a_step_waits_until_somebody_is_there(moment, comes):
    calendar = BusinessTime("Europe/Berlin", OFFICE)
    assert milestones.opening(datetime.fromisoformat(moment), calendar) == datetime.fromisoformat(comes)


def test_a_calendar_that_never_opens_again_has_no_more_steps():
    once = BusinessTime("UTC", {}, special={"2025-03-03": [("09:00", "10:00")]})
    assert milestones.opening(SIXTY, once) is None


ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Kolkata", "UTC")
MONTHS = st.dates(date(2024, 1, 1), date(2027, 12, 31)).map(lambda day: Period.containing(MONTH, day))
SHARES = st.integers(1, 100).map(lambda share: Fraction(share, 100))


@given(month=MONTHS, zone=st.sampled_from(ZONES), one=SHARES, other=SHARES)
def test_moments_rise_with_the_share_lie_in_the_month_and_never_in_a_closed_hour(month, zone, one, other):
    calendar, local = BusinessTime(zone, OFFICE, closed=[month.first_day]), ZoneInfo(zone)
    low, high = (milestones.milestone(month, local, share) for share in sorted((one, other)))
    assert (low < high) == (one != other)
    assert month.start(local) < low and high <= month.end(local)
    first, last = milestones.opening(low, calendar), milestones.opening(high, calendar)
    assert low <= first <= last
    for comes in (first, last):
        assert calendar.elapsed(comes, comes + MINUTE) == MINUTE, "open from that moment on"
        wall = comes.astimezone(local)
        assert wall.weekday() < 5 and wall.date() != month.first_day
        assert 9 * 60 <= wall.hour * 60 + wall.minute < 17 * 60 + 30


@given(month=MONTHS, zone=st.sampled_from(ZONES), share=SHARES)
def test_of_a_whole_month_exactly_the_share_is_over_at_its_milestone(month, zone, share):
    local = ZoneInfo(zone)
    moment = milestones.milestone(month, local, share)
    assert milestones.passed(moment, month.start(local), month.end(local)) == share


# --- Who is behind (P2, P3) ---------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("delivered", "state", "what"),
    [
        (29, "fired", "told RevOps, because Marketing DACH has no manager"),
        (30, "skipped", "on pace, 30 were due by then"),
        (31, "skipped", "on pace, 30 were due by then"),
    ],
)
def test_volume_is_behind_with_less_than_the_share_of_its_target(ladder, delivered, state, what):
    version = ladder(MANAGER, target=50)
    deliver(version, delivered)
    deliver(version, 5, state=EXCLUDED)
    pace.watch(now=SIXTY)
    assert looks() == [("60 %: tell the manager", state, f"{delivered} of 50 after 60 % of the month", what)]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("target", "delivered", "what"),
    [(51, 30, "fired"), (51, 31, "skipped"), (0, 0, "skipped")],  # 30.6 leads are 31
)
def test_there_are_no_parts_of_leads(ladder, target, delivered, what):
    version = ladder(MANAGER, target=target)
    deliver(version, delivered)
    pace.watch(now=SIXTY)
    assert [state for _, state, *_ in looks()] == [what]


@pytest.mark.django_db
def test_a_month_with_a_target_of_its_own_is_measured_by_it(ladder):
    version = ladder(MANAGER, target=50, monthly_targets={"2025-03": 20})
    deliver(version, 12)
    pace.watch(now=SIXTY)
    assert looks()[0][1:3] == ("skipped", "12 of 20 after 60 % of the month")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("met", "missed", "opened", "state", "figures", "what"),
    [
        (18, 2, 5, "fired", "90 % (18 of 20) against 95 % after 60 % of the month", "told everybody of Marketing DACH"),
        (19, 1, 0, "skipped", "95 % (19 of 20) against 95 % after 60 % of the month", "on target"),
        (0, 0, 7, "skipped", "no data after 60 % of the month", "no data"),
        (1, 3, 0, "skipped", "25 % (1 of 4) against 95 % after 60 % of the month",
         "too few, 4 with a verdict where 5 are the least"),
    ],
)  # fmt: skip
def test_a_share_is_behind_below_its_target_and_only_where_enough_is_decided(
    ladder, met, missed, opened, state, figures, what
):
    version = ladder({"share": 60, "action": "tell team"}, kind="completeness")
    for number, each in ((met, MET), (missed, MISSED), (opened, OPEN)):
        deliver(version, number, state=each, kind="completeness")
    pace.watch(now=SIXTY)
    assert looks() == [("60 %: tell everybody of a team", state, figures, what)]


@pytest.mark.django_db
@pytest.mark.parametrize("delivered", [49, 50])
def test_at_the_end_of_the_month_the_verdict_is_that_of_the_scorecard(ladder, delivered):
    version = ladder({"share": 100, "action": "tell manager"}, target=50)
    deliver(version, delivered)
    pace.watch(now=MONTH_END)
    row = row_of(scorecards.compute(version.agreement, MARCH, now=MONTH_END), promise(version))
    assert row["kept"] is (looks()[0][1] == "skipped") is (delivered == 50)
    assert looks()[0][2] == f"{delivered} of 50 in the whole month"
    assert [kind for kind, *_ in told()] == ["miss"] * (delivered < 50)


@pytest.mark.django_db
def test_a_version_in_force_from_a_later_day_owes_its_days_and_by_then_only_those_that_are_over(
    draft, ladder, rita, max_, sofia
):
    """In force from the 17th: 15 days of 31, and of them 2.575 are over at 60 % of the month."""
    ladder(MANAGER, target=62)
    newer = signoff.new_draft_from(draft, by=rita, now=SIGNED)
    Version.objects.filter(pk=newer.pk).update(wanted_from=date(2025, 3, 17))
    newer = agree(Version.objects.get(pk=newer.pk), by=rita, marketing=max_, sales=sofia, now=SIGNED + DAY)
    deliver(newer, 6, qualified_at=datetime(2025, 3, 18, 10, 0, tzinfo=UTC))
    pace.watch(now=SIXTY)
    assert looks() == [
        ("60 %: tell the manager", "skipped", "6 of 30 after 60 % of the month", "on pace, 6 were due by then")
    ]
    assert PaceCheck.objects.get().step.commitment.version == newer, "not of the version that it replaced"
    row = row_of(scorecards.compute(newer.agreement, MARCH, now=SIXTY), promise(newer))
    assert row["expected"] == 30


# --- Which steps are due (P4) -------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_step_comes_at_its_moment_and_not_before(ladder):
    ladder(MANAGER)
    assert pace.watch(now=SIXTY - timedelta(seconds=1)) == 0
    assert pace.watch(now=SIXTY) == 1
    assert pace.watch(now=SIXTY) == 0


@pytest.mark.django_db
def test_nobody_is_told_at_midnight_that_the_month_is_over(ladder):
    ladder({"share": 100, "action": "tell manager"})
    assert pace.watch(now=datetime(2025, 3, 31, 22, 0, tzinfo=UTC)) == 0
    assert pace.watch(now=MONTH_END - timedelta(seconds=1)) == 0
    assert pace.watch(now=MONTH_END) == 1
    assert PaceCheck.objects.get().due_at == MONTH_END


@pytest.mark.django_db
def test_a_day_that_was_closed_later_moves_a_step_on(ladder, office, rita):
    ladder(MANAGER)
    add_closure(calendar=office, day=date(2025, 3, 19), reason="Outing", by=rita, now=SIGNED)
    assert pace.watch(now=SIXTY) == 0
    assert pace.watch(now=datetime(2025, 3, 20, 8, 0, tzinfo=UTC)) == 1


@pytest.mark.django_db
def test_signing_a_version_for_the_past_floods_nobody(ladder):
    ladder(MANAGER, {"share": 100, "action": "recovery plan"}, at=datetime(2025, 4, 24, 9, 0, tzinfo=UTC))
    assert pace.watch(now=datetime(2025, 4, 28, 9, 0, tzinfo=UTC)) == 0
    # What comes from then on is due: the end of April.
    assert pace.watch(now=datetime(2025, 5, 2, 9, 0, tzinfo=UTC)) == 1
    assert PaceCheck.objects.get().month == date(2025, 4, 1)


@pytest.mark.django_db
def test_neither_drafts_nor_promises_with_a_time_limit_have_a_pace(draft, ladder, rita):
    Step.objects.create(commitment=draft.commitments.get(kind="first_response"), share=100, action="tell manager")
    version = ladder()
    newer = signoff.new_draft_from(version, by=rita, now=SIGNED)
    Step.objects.create(commitment=promise(newer), share=50, action="tell manager")
    assert pace.watch(now=MONTH_END) == 0


@pytest.mark.django_db
def test_an_agreement_that_ended_within_the_month_has_no_step_after_its_end(draft, ladder):
    Version.objects.filter(pk=draft.pk).update(ends_on=date(2025, 3, 18))
    draft.refresh_from_db()
    ladder({"share": 50, "action": "tell manager"}, MANAGER, {"share": 100, "action": "tell manager"})
    pace.watch(now=MONTH_END)
    assert [step for step, *_ in looks()] == ["50 %: tell the manager"]


@pytest.mark.django_db
def test_one_that_ends_with_the_month_has_its_last_step(draft, ladder):
    Version.objects.filter(pk=draft.pk).update(ends_on=date(2025, 3, 31))
    draft.refresh_from_db()
    ladder({"share": 100, "action": "tell manager"})
    assert pace.watch(now=MONTH_END) == 1


def follow(version: Version, first_day: date, *, by: User, marketing: User, sales: User, target: int) -> Version:
    """The next version, signed and in force from this day on, with the same ladders."""
    newer = signoff.new_draft_from(version, by=by, now=SIGNED + 10 * DAY)
    Version.objects.filter(pk=newer.pk).update(wanted_from=first_day)
    newer.commitments.filter(kind="volume").update(target=target)
    return agree(Version.objects.get(pk=newer.pk), by=by, marketing=marketing, sales=sales, now=SIGNED + 11 * DAY)


@pytest.mark.django_db
def test_nobody_signs_out_of_a_month_that_was_missed(ladder, rita, max_, sofia):
    """Sixty leads a month up to the 30th, of which none came, and on the last day one in all, which came."""
    old = ladder({"share": 100, "action": "recovery plan"}, target=62)
    new = follow(old, date(2025, 3, 31), by=rita, marketing=max_, sales=sofia, target=31)
    deliver(new, 1, qualified_at=datetime(2025, 3, 31, 10, 0, tzinfo=UTC))
    pace.watch(now=MONTH_END)
    rows = PaceCheck.objects.order_by("pk")
    assert [(row.step.commitment.version, row.state, row.figures, row.what) for row in rows] == [
        (old, "fired", "0 of 60 in the whole month", "asked Max for a recovery plan"),
        (new, "skipped", "1 of 1 in the whole month", "kept, 1 were due"),
    ]
    assert {row.due_at for row in rows} == {MONTH_END}
    assert pace.watch(now=datetime(2025, 5, 5, 9, 0, tzinfo=UTC)) == 1, "April is the new one’s alone"


@pytest.mark.django_db
def test_one_that_was_followed_has_no_other_step_and_one_that_the_next_month_followed_only_its_own(
    ladder, rita, max_, sofia
):
    old = ladder(MANAGER, {"share": 90, "action": "tell manager"}, {"share": 100, "action": "tell manager"})
    follow(old, date(2025, 4, 1), by=rita, marketing=max_, sales=sofia, target=50)
    pace.watch(now=datetime(2025, 5, 5, 9, 0, tzinfo=UTC))
    rows = PaceCheck.objects.order_by("due_at", "pk")
    by_version = [(row.step.commitment.version == old, f"{row.month:%b}", row.step.share) for row in rows]
    assert by_version == [(True, "Mar", share) for share in (60, 90, 100)] + [
        (False, "Apr", share) for share in (60, 90, 100)
    ]


@pytest.mark.django_db
def test_after_a_stop_of_weeks_each_step_comes_once_in_order_and_late(ladder):
    ladder({"share": 100, "action": "tell manager"}, {"share": 30, "action": "tell team"}, MANAGER)
    pace.watch(now=datetime(2025, 4, 25, 9, 0, tzinfo=UTC))
    rows = PaceCheck.objects.order_by("pk")
    assert [(f"{row.month:%b}", row.step.share) for row in rows] == [
        ("Mar", 30), ("Mar", 60), ("Mar", 100), ("Apr", 30), ("Apr", 60)
    ]  # fmt: skip
    assert [row.due_at for row in rows] == sorted(row.due_at for row in rows)
    assert all(row.is_late for row in rows)
    assert pace.watch(now=datetime(2025, 4, 25, 10, 0, tzinfo=UTC)) == 0


@pytest.mark.django_db
@pytest.mark.parametrize(("after", "is_late"), [(10 * MINUTE, False), (10 * MINUTE + timedelta(seconds=1), True)])
def test_what_is_looked_at_more_than_ten_minutes_after_its_moment_is_late(ladder, after, is_late):
    ladder(MANAGER)
    pace.watch(now=SIXTY + after)
    assert PaceCheck.objects.get().is_late is is_late


@pytest.mark.django_db
def test_what_lies_further_back_than_two_months_is_history(ladder):
    ladder({"share": 100, "action": "tell team"})
    pace.watch(now=datetime(2025, 6, 2, 9, 0, tzinfo=UTC))
    assert [f"{row.month:%b}" for row in PaceCheck.objects.order_by("pk")] == ["Apr", "May"]


@pytest.mark.django_db
def test_what_waits_longer_than_the_watch_takes_is_told_to_the_auditor(ladder):
    ladder(MANAGER)
    assert pace.late(SIXTY + 10 * MINUTE - timedelta(seconds=1)) == (0, None)
    assert pace.late(SIXTY + 10 * MINUTE) == (1, SIXTY)
    pace.watch(now=SIXTY + 11 * MINUTE)
    assert pace.late(SIXTY + DAY) == (0, None)


# --- What is done -------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_manager_of_the_team_that_owes_it_is_told(ladder, marketing, max_):
    marketing.manager = max_
    marketing.save()
    ladder(MANAGER)
    pace.watch(now=SIXTY)
    assert told() == [("warning", "manager", "Max")]
    assert looks()[0][3] == "told Max"


@pytest.mark.django_db
def test_a_share_that_sales_owes_is_told_to_sales(draft, ladder, mona):
    owed = make_commitment(draft, "reasons_documented", target=100)
    Step.objects.create(commitment=owed, share=60, action="tell manager")
    version = ladder()
    deliver(version, 4, kind="reasons_documented")
    deliver(version, 1, kind="reasons_documented", state=MISSED)
    pace.watch(now=SIXTY)
    assert told() == [("warning", "manager", "Mona")]


@pytest.mark.django_db
def test_the_team_that_the_step_names_is_told_and_of_a_role_only_the_two_teams(ladder, sales, sofia, mona, ron, max_):
    elsewhere = make_user("lea@example.com", roles.SALES_LEADER)
    elsewhere.team = type(sales).objects.create(name="Sales UK", party="sales")
    elsewhere.save()
    ladder(
        {"share": 60, "action": "tell team", "team": sales},
        {"share": 60, "action": "tell role", "role": roles.SALES_LEADER},
    )
    pace.watch(now=SIXTY)
    assert sorted(who for *_, who in told()) == ["Mona", "Ron", "Sofia", "Sofia"]
    assert [what for *_, what in looks()] == [
        "told everybody of Sales DACH",
        "told everybody with the role Sales leader",
    ]


@pytest.mark.django_db
def test_the_teams_chat_is_told_and_where_there_is_none_its_manager(ladder, marketing, sales, mona):
    marketing.chat_url = "json://chat.example.com/hook"
    marketing.save()
    ladder({"share": 60, "action": "tell chat"}, {"share": 60, "action": "tell chat", "team": sales})
    pace.watch(now=SIXTY)
    assert [what for *_, what in looks()] == [
        "posted in the chat of Marketing DACH",
        "told Mona, because Sales DACH has no chat",
    ]
    (chat,) = Notice.objects.filter(slot=f"team:{marketing.pk}")
    assert (chat.channel, chat.recipient) == ("chat", None)


@pytest.mark.django_db
def test_revops_gets_a_task_and_is_told_while_it_is_open(ladder, rita):
    version = ladder({"share": 60, "action": "task"})
    deliver(version, 18)
    pace.watch(now=SIXTY)
    task = Task.objects.get()
    assert (task.handoff, task.agreement) == (None, version.agreement)
    assert task.title.replace("\xa0", " ") == "volume: 18 of 50 after 60 % of the month, March 2025"
    assert told() == [("task", f"person:{rita.pk}", "Rita")]
    (letter,) = letters(kind="task")
    assert letter.subject.startswith("To look into: Behind: volume")
    Task.objects.update(done_at=SIXTY, done_by=rita)
    assert letters(kind="task") == [None]


@pytest.mark.django_db
def test_marketing_is_asked_for_a_recovery_plan_once_a_month_and_again_while_there_is_none(
    ladder, marketing, max_, rita, sofia
):
    paula = make_user("paula@example.com", team=marketing)
    marketing.manager = paula
    marketing.save()
    version = ladder(PLAN, {"share": 100, "action": "recovery plan"})
    deliver(version, 18)
    pace.watch(now=SIXTY)
    plan = RecoveryPlan.objects.get()
    assert (plan.commitment, plan.month, plan.asked_at) == (promise(version), date(2025, 3, 1), SIXTY)
    assert plan.figures.replace("\xa0", " ") == "18 of 50 after 60 % of the month"
    assert told() == [("plan", f"person:{max_.pk}", "Max"), ("plan", f"person:{paula.pk}", "Paula")]
    pace.watch(now=MONTH_END)
    assert RecoveryPlan.objects.get() == plan
    assert [what for *_, what in looks()] == [
        "asked Max and Paula for a recovery plan",
        "asked Max and Paula again for a recovery plan",
    ]
    assert len(told("plan")) == 4


@pytest.mark.django_db
def test_nobody_is_asked_again_for_a_plan_that_is_written(ladder, max_):
    ladder(PLAN, {"share": 100, "action": "recovery plan"})
    pace.watch(now=SIXTY)
    RecoveryPlan.objects.update(plan="More webinars", cause="Fair", answered_at=SIXTY, answered_by=max_)
    pace.watch(now=MONTH_END)
    assert looks()[1][1::2] == ("skipped", "nothing: Max has written a plan")
    assert len(told("plan")) == 1


@pytest.mark.django_db
def test_where_nobody_leads_marketing_revops_is_asked(ladder, max_):
    ladder(PLAN)
    User.objects.filter(pk=max_.pk).update(is_active=False)
    pace.watch(now=SIXTY)
    assert looks()[0][3] == "asked RevOps for a recovery plan, because nobody leads Marketing DACH"
    assert [who for *_, who in told()] == ["Rita"]


# --- Letters ------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_letter_says_how_it_stands_and_leads_to_the_scorecard(ladder, marketing, max_):
    marketing.manager = max_
    marketing.save()
    version = ladder(MANAGER)
    deliver(version, 18)
    pace.watch(now=SIXTY)
    deliver(version, 2)
    (letter,) = letters(kind="warning")
    assert letter.subject.replace("\xa0", " ") == "Behind: volume: 20 of 50 after 60 % of the month"
    assert "March 2025 (behind pace, 30 were due by then)" in letter.paragraphs[0]
    assert letter.link == f"/scorecards/{version.agreement_id}/2025-03/"


@pytest.mark.django_db
def test_who_has_caught_up_since_is_not_warned(ladder):
    version = ladder(MANAGER)
    deliver(version, 29)
    pace.watch(now=SIXTY)
    assert letters(kind="warning") != [None]
    deliver(version, 1)
    assert letters(kind="warning") == [None]


@pytest.mark.django_db
def test_a_month_that_was_saved_by_late_facts_is_not_called_a_miss(ladder):
    version = ladder({"share": 100, "action": "tell manager"})
    deliver(version, 49)
    pace.watch(now=MONTH_END)
    (letter,) = letters(kind="miss")
    assert letter.subject == "Missed: volume: 49 of 50 in the whole month"
    deliver(version, 1)
    assert letters(kind="miss") == [None]


@pytest.mark.django_db
def test_a_request_for_a_plan_holds_until_it_is_written(ladder, max_):
    ladder(PLAN)
    pace.watch(now=SIXTY)
    (letter,) = letters(pace_notices.plan, kind="plan")
    plan = RecoveryPlan.objects.get()
    assert letter.subject == "Please write a recovery plan: volume, March 2025"
    assert letter.link == f"/recovery-plans/{plan.pk}/"
    assert "What was agreed for a miss: Both sides talk." in letter.paragraphs
    RecoveryPlan.objects.update(plan="More webinars", cause="Fair", answered_at=SIXTY, answered_by=max_)
    assert letters(pace_notices.plan, kind="plan") == [None]


@pytest.mark.django_db
def test_who_may_not_open_scorecards_is_led_to_the_portal(ladder, ron, sales):
    ladder({"share": 60, "action": "tell role", "role": roles.REP})
    pace.watch(now=SIXTY)
    assert told() == [("warning", f"person:{ron.pk}", "Ron")]
    assert [letter.link for letter in letters(kind="warning")] == ["/"]


@pytest.mark.django_db
def test_a_manager_who_came_in_the_meantime_is_the_reader(ladder, marketing, max_, rita):
    marketing.manager = max_
    marketing.save()
    ladder(MANAGER)
    pace.watch(now=SIXTY)
    marketing.manager = rita
    marketing.save()
    assert pace_notices.readers(list(Notice.objects.filter(kind="warning", channel="portal"))) == [rita]


@pytest.mark.django_db
@pytest.mark.parametrize("gone", [{"manager": None}, {}])
def test_where_the_team_has_no_manager_any_more_revops_is_the_reader(ladder, marketing, max_, rita, gone):
    marketing.manager = max_
    marketing.save()
    ladder(MANAGER)
    pace.watch(now=SIXTY)
    User.objects.filter(pk=max_.pk).update(is_active=False)
    type(marketing).objects.filter(pk=marketing.pk).update(name="Marketing", **gone)
    assert pace_notices.readers(list(Notice.objects.filter(kind="warning", channel="portal"))) == [rita]


@pytest.mark.django_db
def test_a_step_that_reaches_nobody_of_a_team_reaches_revops_and_where_nobody_is_left_it_is_skipped(
    ladder, marketing, rita, max_
):
    ladder({"share": 60, "action": "tell team"}, {"share": 70, "action": "tell team"})
    User.objects.filter(team=marketing).update(is_active=False)
    pace.watch(now=SIXTY)
    User.objects.filter(pk=rita.pk).update(is_active=False)
    pace.watch(now=MONTH_END)
    why = "nobody of Marketing DACH can log in and Marketing DACH has no manager"
    assert [row[1::2] for row in looks()] == [
        ("fired", f"told RevOps, because {why}"),
        ("skipped", f"nothing: {why} and nobody is in RevOps"),
    ]
    assert told() == [("warning", f"person:{rita.pk}", "Rita")]


@pytest.mark.django_db
def test_a_late_step_says_when_it_was_due(ladder):
    ladder(MANAGER)
    pace.watch(now=SIXTY + DAY)
    with timezone.override("Europe/Berlin"):
        assert "This step comes late: it was due Wed 19 Mar, 13:48." in letters(kind="warning")[0].paragraphs


@pytest.mark.django_db
def test_many_letters_for_one_reader_cost_as_many_queries_as_one(ladder, marketing, max_, django_assert_num_queries):
    marketing.manager = max_
    marketing.save()
    ladder(*({"share": share, "action": "tell manager"} for share in range(41, 61)))
    pace.watch(now=SIXTY)
    notices = list(Notice.objects.filter(kind="warning", channel="portal").select_related("recipient"))
    assert len(notices) == 20
    with CaptureQueriesContext(connection) as one:
        pace_notices.step(notices[:1])
    notices = list(Notice.objects.filter(kind="warning", channel="portal").select_related("recipient"))
    with django_assert_num_queries(len(one)):
        assert all(pace_notices.step(notices))


# --- Once, whatever happens ---------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_step_that_cannot_be_done_is_told_in_the_log_and_holds_up_no_other(ladder, monkeypatch, caplog):
    ladder(PLAN, MANAGER)

    def broken(*args, **kwargs):
        raise RuntimeError("no")

    monkeypatch.setattr("reports.recovery.ask", broken)
    with caplog.at_level(logging.ERROR):
        assert pace.watch(now=SIXTY) == 1
    assert "cannot be done" in caplog.text
    assert [step for step, *_ in looks()] == ["60 %: tell the manager"]
    monkeypatch.undo()
    assert pace.watch(now=SIXTY) == 1
    assert RecoveryPlan.objects.count() == 1


@pytest.mark.django_db
def test_a_worker_that_dies_before_the_commit_leaves_nothing(ladder, monkeypatch):
    ladder(PLAN)

    def killed(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("slaportal.outbox.post", killed)
    with pytest.raises(KeyboardInterrupt):
        pace.watch(now=SIXTY)
    assert (PaceCheck.objects.count(), RecoveryPlan.objects.count()) == (0, 0)


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_of_four_workers_exactly_one_does_each_step(ladder, rita, max_):
    version = ladder(PLAN, MANAGER, {"share": 60, "action": "task"}, {"share": 100, "action": "recovery plan"})
    deliver(version, 18)
    done = at_once(*[lambda: pace.watch(now=MONTH_END)] * 4)
    assert sum(done) == 4 == PaceCheck.objects.count()
    assert (RecoveryPlan.objects.count(), Task.objects.count()) == (1, 1)
    assert told("plan") == [("plan", f"person:{max_.pk}", "Max")] * 2
    assert len(told("task")) == len(told("warning")) == 1


# --- Doors --------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_task_watches_by_the_clock_of_the_database_and_leaves_a_heartbeat(ladder, monkeypatch):
    ladder(MANAGER)
    monkeypatch.setattr("reports.tasks.database_now", lambda: SIXTY)
    assert tasks.watch_pace() == 1
    assert Heartbeat.objects.filter(name="pace").exists()


@pytest.mark.django_db
def test_a_busy_database_leaves_the_watch_to_the_next_run(monkeypatch):
    def busy(**kwargs):
        raise OperationalError("database is locked")

    monkeypatch.setattr("reports.pace.watch", busy)
    assert tasks.watch_pace() == 0
    assert not Heartbeat.objects.filter(name="pace").exists()


# --- How much it costs --------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_watch_that_finds_nothing_asks_as_often_for_one_agreement_as_for_many(
    ladder, marketing, sales, office, rita, max_, sofia, django_assert_num_queries
):
    ladder(MANAGER)
    for number in range(3):
        other = Agreement.objects.create(name=f"Other {number}", marketing_team=marketing, sales_team=sales)
        draft = signoff.new_draft(other, by=rita, now=SIGNED, calendar=office, required_fields=["name"])
        Step.objects.create(commitment=make_commitment(draft, "volume", target=50), **MANAGER)
        make_commitment(draft, "first_response")
        make_commitment(draft, "completeness")
        agree(draft, by=rita, marketing=max_, sales=sofia, now=SIGNED)
    with django_assert_num_queries(2):
        assert pace.watch(now=SIXTY - DAY) == 0
    assert pace.watch(now=SIXTY) == 4
    with django_assert_num_queries(3):
        assert pace.watch(now=SIXTY + DAY) == 0
