"""Recovery plans: who may write one, who reads it, and what the pages say."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from agreements.models import Step
from reports import pace, pace_notices, recovery
from reports.models import RecoveryPlan
from slaportal import roles
from slaportal.models import Notice, Team
from slaportal.refusal import Refused
from tests.agreements.test_signoff_races import at_once, refused
from tests.conftest import agree, make_user
from tests.reports.conftest import MET, make_clock, make_handoff
from tests.reports.test_scorecard_pages import page_of, words

pytestmark = pytest.mark.django_db

SIGNED = datetime(2025, 3, 1, 9, 0, tzinfo=UTC)
SIXTY = datetime(2025, 3, 19, 12, 48, tzinfo=UTC)
LATER = SIXTY + timedelta(hours=3)
MONTH_END = datetime(2025, 4, 1, 7, 0, tzinfo=UTC)
SAID = {"cause": "The fair was cancelled.", "text": "Two webinars until the 28th, 25 leads each."}


@pytest.fixture
def version(draft, rita, max_, sofia):
    """In force in March, with a ladder that asks for a plan at 60 % of the month."""
    Step.objects.create(commitment=draft.commitments.get(kind="volume"), share=60, action="recovery plan")
    return agree(draft, by=rita, marketing=max_, sales=sofia, now=SIGNED)


@pytest.fixture
def plan(version, volume, time_machine) -> RecoveryPlan:
    """18 of 50 were delivered after 60 % of March."""
    for _ in range(18):
        make_clock(make_handoff(version), volume, MET)
    pace.watch(now=SIXTY)
    time_machine.move_to(LATER, tick=False)
    return RecoveryPlan.objects.get()


def write(plan: RecoveryPlan, by, **overrides) -> None:
    recovery.answer(plan, **{**SAID, **overrides}, by=by, now=LATER)


def make_plan(version, number: int, **overrides) -> RecoveryPlan:
    commitment = version.commitments.get(kind="volume")
    month = date(2024 + number // 12, 1 + number % 12, 1)
    fields = {"commitment": commitment, "month": month, "figures": "18 of 50", "asked_at": SIXTY}
    return RecoveryPlan.objects.create(**{**fields, **overrides})


# --- The verb -----------------------------------------------------------------------------------------------------


def test_a_plan_is_written_once_and_the_leaders_of_sales_and_revops_are_told(plan, max_, sofia, rita):
    write(plan, max_)
    plan.refresh_from_db()
    assert (plan.cause, plan.plan, plan.answered_by, plan.answered_at) == (*SAID.values(), max_, LATER)
    notices = Notice.objects.filter(key=f"plan:{plan.pk}", channel="portal").select_related("recipient")
    assert {notice.recipient for notice in notices} == {sofia, rita}
    letter = pace_notices.answered(list(notices))[0]
    assert letter.subject == "Recovery plan: volume, March 2025"
    assert letter.link == f"/recovery-plans/{plan.pk}/"
    assert f"Plan: {SAID['text']}" in letter.paragraphs
    with pytest.raises(Refused, match="written this plan already"):
        write(plan, max_, text="Something else")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"cause": " \n"}, "Say why it is behind."),
        ({"text": ""}, "Say how you make up for it."),
        ({"text": "x" * 4001}, "in at most 4,000 characters"),
    ],
)
def test_a_plan_that_says_nothing_or_too_much_is_refused(plan, max_, given, says):
    with pytest.raises(Refused, match=says):
        write(plan, max_, **given)
    plan.refresh_from_db()
    assert plan.answered_at is None


@pytest.mark.parametrize("who", ["sofia", "rita", "mona", "vera", "ron"])
def test_nobody_but_marketings_leader_writes_the_plan(plan, request, who):
    with pytest.raises(Refused, match="Only a leader of Marketing DACH"):
        write(plan, request.getfixturevalue(who))


def test_a_leader_of_another_marketing_team_does_not_and_one_above_all_teams_does(plan):
    other = Team.objects.create(name="Marketing UK", party="marketing")
    with pytest.raises(Refused):
        write(plan, make_user("olga@example.com", roles.MARKETING_LEADER, team=other))
    write(plan, make_user("carla@example.com", roles.MARKETING_LEADER))


def test_the_database_keeps_no_answer_without_words_and_no_two_plans_of_a_month(plan, max_):
    for change in ({"answered_at": LATER}, {"plan": "Words without a moment"}):
        with pytest.raises(IntegrityError), transaction.atomic():
            RecoveryPlan.objects.update(**change)
    with pytest.raises(IntegrityError), transaction.atomic():
        RecoveryPlan.objects.create(commitment=plan.commitment, month=plan.month, figures="", asked_at=LATER)


# --- The list -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "status"), [("rita", 200), ("max_", 200), ("sofia", 200), ("mona", 200), ("vera", 200), ("ron", 403)]
)
def test_both_sides_and_whoever_watches_them_read_plans(client, request, plan, who, status):
    client.force_login(request.getfixturevalue(who))
    assert client.get(reverse("recovery_plans")).status_code == status
    assert client.get(plan.get_absolute_url()).status_code == status


def test_the_list_says_what_waits_first_and_counts_it(client, vera, version, max_):
    told = {"answered_at": LATER, "answered_by": max_, "cause": "Why", "plan": "How"}
    make_plan(version, 0, **told)
    make_plan(version, 1)
    make_plan(version, 2, asked_at=SIXTY - timedelta(days=30))
    client.force_login(vera)
    text = words(client.get(reverse("recovery_plans")))
    assert "2 of 3 plans are not written yet." in text
    assert text.index("Mar 2024") < text.index("Feb 2024") < text.index("Jan 2024")
    assert "Max, 19 Mar 2025" in text


def test_the_list_costs_as_many_queries_for_many_plans_as_for_one(client, vera, version, max_):
    client.force_login(vera)
    make_plan(version, 0)
    with CaptureQueriesContext(connection) as one:
        client.get(reverse("recovery_plans"))
    for number in range(1, 12):
        make_plan(version, number, answered_at=LATER, answered_by=max_, cause="Why", plan="How")
    with CaptureQueriesContext(connection) as many:
        client.get(reverse("recovery_plans"))
    assert len(many) == len(one)


def test_without_plans_the_list_says_when_there_will_be_one(client, vera):
    client.force_login(vera)
    assert "No recovery plan was asked for" in words(client.get(reverse("recovery_plans")))


# --- One plan -----------------------------------------------------------------------------------------------------


def test_the_page_says_how_it_stood_and_how_it_stands(client, vera, plan, version, volume):
    for _ in range(3):
        make_clock(make_handoff(version), volume, MET)
    client.force_login(vera)
    text = words(client.get(plan.get_absolute_url()))
    assert "stood at 18 of 50 after 60 % of the month when the plan was asked for, and stands at 21 of 50." in text
    assert "Marketing DACH has not written its plan yet" in text
    assert "asked Max for a recovery plan" in text
    assert "Both sides talk." in text


def test_when_the_month_is_over_the_page_says_how_it_ended(client, vera, plan, time_machine):
    time_machine.move_to(MONTH_END, tick=False)
    client.force_login(vera)
    text = words(client.get(plan.get_absolute_url()))
    assert "stood at 18 of 50 after 60 % of the month when the plan was asked for, and ended at 18 of 50." in text
    assert "The running month stands at 0 of 50." in text


def test_marketings_leader_writes_on_the_page_and_both_sides_read_it(client, plan, max_, sofia):
    client.force_login(max_)
    assert "How you make up for it" in words(client.get(plan.get_absolute_url()))
    refusal = client.post(reverse("write_plan", args=[plan.pk]), {"cause": "Why", "plan": " "})
    assert refusal.status_code == 422 and "This field is required." in words(refusal)
    given = {"cause": SAID["cause"], "plan": "Webinars:\n<b>25</b> leads each."}
    assert client.post(reverse("write_plan", args=[plan.pk]), given).url == plan.get_absolute_url()
    client.force_login(sofia)
    page = client.get(plan.get_absolute_url())
    assert SAID["cause"] in words(page) and "Max · 19 Mar 2025, 16:48" in words(page)
    assert "&lt;b&gt;25&lt;/b&gt;" in page.content.decode()
    assert "<form method" not in page.content.decode().split("<main")[1]


@pytest.mark.parametrize("who", ["sofia", "vera", "rita", "ron"])
def test_whoever_may_not_write_a_plan_is_refused_at_the_door(client, request, plan, who):
    client.force_login(request.getfixturevalue(who))
    given = {"cause": SAID["cause"], "plan": SAID["text"]}
    assert client.post(reverse("write_plan", args=[plan.pk]), given).status_code == 403
    plan.refresh_from_db()
    assert plan.answered_at is None


def test_a_plan_that_somebody_else_has_written_meanwhile_is_shown(client, plan, max_):
    carla = make_user("carla@example.com", roles.MARKETING_LEADER)
    write(plan, carla)
    client.force_login(max_)
    page = client.post(reverse("write_plan", args=[plan.pk]), {"cause": "Mine", "plan": "Mine"})
    assert page.status_code == 422
    assert "Somebody has written this plan already." in words(page) and SAID["text"] in words(page)


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_two_leaders_in_the_same_instant_write_one_plan(plan, max_):
    carla = make_user("carla@example.com", roles.MARKETING_LEADER)
    results = at_once(lambda: write(plan, max_), lambda: write(plan, carla, text="Mine"))
    assert len(refused(results)) == 1
    plan.refresh_from_db()
    assert plan.plan == (SAID["text"] if plan.answered_by == max_ else "Mine")


# --- The scorecard ------------------------------------------------------------------------------------------------


def test_the_scorecard_says_at_the_promise_what_happened_and_leads_to_the_plan(client, vera, plan, max_):
    client.force_login(vera)
    page = client.get(page_of(plan.commitment.version.agreement))
    assert "18 of 50 after 60 % of the month: asked Max for a recovery plan" in words(page)
    assert "Recovery plan, March 2025 asked for 19 Mar 2025, not written yet" in words(page)
    assert f'href="{plan.get_absolute_url()}"' in page.content.decode()
    write(plan, max_)
    assert "Recovery plan, March 2025 written 19 Mar 2025" in words(client.get(page.request["PATH_INFO"]))


def test_over_a_quarter_the_scorecard_says_of_which_month_it_speaks(client, vera, plan):
    client.force_login(vera)
    page = client.get(page_of(plan.commitment.version.agreement, "2025-Q1"))
    assert "March: 18 of 50 after 60 % of the month: asked Max for a recovery plan" in words(page)
    week = words(client.get(page_of(plan.commitment.version.agreement, "2025-W12")))
    assert "recovery plan" not in week and "18 of 50" not in week


def test_steps_of_one_milestone_are_one_line(draft, client, rita, max_, sofia, vera, time_machine):
    volume = draft.commitments.get(kind="volume")
    for action in ("tell team", "recovery plan"):
        Step.objects.create(commitment=volume, share=60, action=action)
    agreed = agree(draft, by=rita, marketing=max_, sales=sofia, now=SIGNED)
    pace.watch(now=SIXTY)
    time_machine.move_to(LATER, tick=False)
    client.force_login(vera)
    text = words(client.get(page_of(agreed.agreement)))
    assert "0 of 50 after 60 % of the month: told everybody of Marketing DACH; asked Max for a recovery plan " in text
