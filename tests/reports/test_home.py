"""Home: what waits for each person, and every agreement at a glance."""

from datetime import UTC, datetime, timedelta
from math import ceil

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from agreements import signoff
from agreements.models import Agreement
from leads import disputes, exclusions, timekeeping, tracking
from leads.models import Handoff, ReasonCode
from leads.periods import parse
from reports import home, planning, recovery, scorecards
from reports.models import RecoveryPlan, Review
from reports.rhythm import Decision
from slaportal.models import Party, Team, User
from tests.conftest import MONDAY, PASSWORD, agree, complete, make_user, receive
from tests.leads.conftest import clock_of, text_of
from tests.reports.conftest import MET, MISSED, OPEN, make_clock, make_handoff

pytestmark = pytest.mark.django_db
MID = datetime(2025, 3, 16, 11, 0, tzinfo=UTC)  # a little more than half of March is over in Berlin


@pytest.fixture(autouse=True)
def the_middle_of_march(time_machine):
    time_machine.move_to(MID, tick=False)


@pytest.fixture
def history(version, response, volume, ron) -> list[Handoff]:
    """Ten handoffs in March: seven called in time, two too late, one not yet."""
    begun = []
    for number in range(10):
        handoff = make_handoff(version, ron, qualified_at=MONDAY + timedelta(hours=number))
        make_clock(handoff, response, MET if number < 7 else MISSED if number < 9 else OPEN)
        make_clock(handoff, volume, MET)
        begun.append(handoff)
    return begun


def needs(user: User) -> list[str]:
    return [need.words for need in home.of(User.objects.get(pk=user.pk), now=MID).needs]


@pytest.mark.parametrize(
    ("who", "where"),
    [("ron", "my_leads"), ("mona", "team"), ("max_", None), ("sofia", None), ("vera", None), ("rita", None)],
)
def test_everybody_begins_where_their_work_is(client, request, version, who, where):
    client.force_login(request.getfixturevalue(who))
    response = client.get(reverse("home"))
    if where:
        assert (response.status_code, response.url) == (302, reverse(where))
    else:
        assert response.status_code == 200
        assert "DACH inbound" in text_of(response)


def test_who_has_no_role_is_told_whom_to_ask(client, version):
    client.force_login(make_user("new@example.com"))
    assert "You have no role yet RevOps gives you one" in text_of(client.get(reverse("home")))


def test_an_empty_portal_says_where_it_begins(client, vera):
    client.force_login(vera)
    said = text_of(client.get(reverse("home")))
    assert "No agreement yet RevOps opens the first one in the admin" in said
    assert "Nothing. What has to be signed, decided or answered stands here" in said


def test_a_running_month_shows_each_promise_against_its_target_and_its_pace(version, history, vera):
    scorecards.store(version.agreement, parse("2025-03"), now=MID)
    (card,) = home.of(vera, now=MID).cards
    shown = {promise.line.row["code"]: promise for side in card.sides for promise in side.promises}
    assert (card.gone, card.now.handoffs) == (50, 10)
    volume, response = shown["volume"], shown["first-response"]
    # 50 a month: at half of it 25 are due, and ten came.
    assert (volume.line.reached, volume.line.target, volume.pace, volume.tone) == (
        "10", "50", "26 due by now at an even pace", "warn-text"
    )  # fmt: skip
    assert (response.line.row["attainment"], response.pace) == (7 / 9, "1 still open")


def test_each_version_of_a_month_has_the_pace_of_its_own_days(draft, rita, max_, sofia, vera):
    """62 are owed in March: of the two days of version 1 all of theirs, of the rest in proportion (N6, P2)."""
    draft.commitments.filter(kind="volume").update(target=62)
    first = agree(draft, by=rita, marketing=max_, sales=sofia, now=MONDAY - timedelta(days=60))
    second = complete(signoff.new_draft_from(first, by=rita, now=MONDAY))
    second = agree(second, by=rita, marketing=max_, sales=sofia, now=MONDAY)
    scorecards.store(first.agreement, parse("2025-03"), now=MID)
    (card,) = home.of(User.objects.get(pk=vera.pk), now=MID).cards
    volumes = [promise for side in card.sides for promise in side.promises if promise.line.is_volume]
    paces = {promise.line.row["version"]: int(promise.pace.split()[0]) for promise in volumes}
    owed = {promise.line.row["version"]: promise.line.row["expected"] for promise in volumes}
    assert paces[1] == owed[1]
    share = (MID - second.effective_from) / (datetime(2025, 3, 31, 22, tzinfo=UTC) - second.effective_from)
    assert paces[2] == ceil(owed[2] * share)


@pytest.mark.parametrize(
    ("moment", "gone"),
    [
        (datetime(2025, 2, 20, tzinfo=UTC), 0.0),
        (datetime(2025, 2, 28, 23, 0, tzinfo=UTC), 0.0),
        (datetime(2025, 3, 31, 22, 0, tzinfo=UTC), 1.0),
        (datetime(2025, 5, 1, tzinfo=UTC), 1.0),
    ],
)
def test_a_month_is_over_between_its_first_and_its_last_moment_in_the_agreements_zone(version, moment, gone):
    assert home.share_gone(parse("2025-03"), version.agreement.zone, moment) == gone


def test_a_proposal_waits_for_each_leader_who_has_not_signed(version, rita, max_, sofia, vera):
    second = signoff.propose(complete(signoff.new_draft_from(version, by=rita, now=MID)), by=rita, now=MID)
    waiting = f"Read and sign version {second.number}"
    assert waiting in needs(max_)
    assert waiting in needs(sofia)
    assert waiting not in needs(vera) + needs(rita)
    signoff.sign(second, signer=max_, password=PASSWORD, terms_hash=second.terms_hash, name=max_.name, now=MID)
    assert waiting not in needs(max_)
    assert waiting in needs(sofia)


def test_misses_wait_for_the_side_that_owes_an_answer_and_open_to_exactly_these(client, version, history, max_, sofia):
    (need,) = [need for need in home.of(sofia, now=MID).needs if need.icon == "chat_error"]
    assert need.words == "Say why 2 handoffs were missed"
    client.force_login(sofia)
    assert client.get(need.url).context["total"] == 2
    assert not [words for words in needs(max_) if words.startswith("Say why")]


def test_what_marketing_and_revops_owe_waits_for_them_alone(version, ron, max_, rita, sofia):
    unfit = ReasonCode.objects.create(code="unfit", label="Unfit", is_quality=True, needs_contact=False)
    (first, second) = (receive(name, email=f"{name}@example.com")[0] for name in ("a", "b"))
    disputes.ask(first, comment="Which product?", by=ron, now=MID)
    tracking.dispose([tracking.Decision(second, "rejected", unfit)], by=ron, now=MID)
    disputes.dispute(Handoff.objects.get(pk=second.pk), comment="It fits.", by=max_, now=MID)
    assert "Answer 1 question of sales" in needs(max_)
    assert needs(rita) == ["Decide 1 dispute"]
    assert not [words for words in needs(sofia) if words.startswith(("Answer", "Decide"))]


def test_minutes_wait_for_whoever_may_write_them(version, max_):
    planning.plan_ahead(now=MONDAY + timedelta(days=2))
    long_ago = MONDAY - timedelta(days=10)
    Review.objects.update(starts_at=long_ago, due_at=long_ago)
    stranger = make_user(
        "lea@example.com", "Marketing leader", team=Team.objects.create(name="Others", party=Party.MARKETING)
    )
    wanted = "Write the minutes of an overdue review"
    assert wanted in needs(max_)
    assert wanted not in needs(stranger)


def test_what_a_review_decided_waits_for_whoever_does_it(version, max_, sofia):
    planning.plan_ahead(now=MONDAY + timedelta(days=2))
    review = Review.objects.get()
    owed = Decision.objects.create(
        review=review, text="Call the partners", owner=max_, due_on=MID.date(), decided_at=MID, decided_by=sofia
    )
    assert "Do until 16 Mar 2025: Call the partners" in needs(max_)
    assert not [words for words in needs(sofia) if "Call the partners" in words]
    Decision.objects.filter(pk=owed.pk).update(done_at=MID, done_by=max_)
    assert not [words for words in needs(max_) if "Call the partners" in words]


def test_a_plan_waits_for_marketing_until_it_is_written(version, volume, max_, sofia):
    RecoveryPlan.objects.create(commitment=volume, month=MID.date().replace(day=1), figures="10 of 50", asked_at=MID)
    (words,) = [words for words in needs(max_) if "plan" in words]
    assert words == f"Write the recovery plan for “{volume.title}”"
    assert not [words for words in needs(sofia) if "plan" in words]


def test_an_overdue_review_waits_for_its_minutes_and_the_next_one_to_be_prepared(version, max_, vera):
    planning.plan_ahead(now=MONDAY)
    review = Review.objects.get()
    review_day = review.starts_at
    prepare, write = "Prepare the review", "Write the minutes of an overdue review"
    for now, words in (
        (review_day - timedelta(days=8), []),
        (review_day - timedelta(days=6), [prepare]),
        (review.due_at + timedelta(hours=1), [write]),
    ):
        said = [need.words for need in home.of(max_, now=now).needs if need.words in (prepare, write)]
        assert said == words
        assert not [need for need in home.of(vera, now=now).needs if need.words in (prepare, write)]


def test_an_action_waits_for_whoever_does_it_while_its_plan_runs(version, response, sofia, mona):
    plan = RecoveryPlan.objects.create(
        commitment=response, month=MID.date().replace(day=1), figures="60 %", asked_at=MID, owner=sofia
    )
    action = recovery.add_action(plan, what="Call them", who=sofia, due_on=MID.date(), by=sofia, now=MID)
    assert "Do until 16 Mar 2025: Call them" in needs(sofia)
    assert "Write the recovery plan for" in " ".join(needs(sofia))
    recovery.finish(action, by=sofia, now=MID)
    assert "Do until 16 Mar 2025: Call them" not in needs(sofia)


def test_home_asks_as_much_for_one_agreement_as_for_many(client, version, history, marketing, sales, max_):
    client.force_login(max_)
    asked = []
    for number in range(2):
        client.get(reverse("home"))  # what is missing is computed once
        with CaptureQueriesContext(connection) as queries:
            assert client.get(reverse("home")).status_code == 200
        asked.append(len(queries))
        for more in range(4 * (1 - number)):
            Agreement.objects.create(name=f"More {more}", marketing_team=marketing, sales_team=sales)
    assert asked[0] == asked[1]


def test_a_request_not_to_count_waits_for_revops(version, ron, rita):
    (handoff,) = receive("late", now=MONDAY, received_at=MONDAY, owner=ron.email)
    timekeeping.tick(now=MID)
    commitment = clock_of(handoff).commitment
    exclusions.ask(handoff, commitment=commitment, reason="The phone system was down.", by=ron, now=MID)
    assert needs(rita) == ["Decide 1 exclusion"]
