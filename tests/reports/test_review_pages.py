"""The pages of reviews: who opens and does what, and what stands there."""

from datetime import UTC, date, datetime

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from leads.models import Dispute
from reports import planning, reviews, tasks
from reports.rhythm import Decision, Review
from slaportal import roles
from slaportal.models import Heartbeat, Team
from tests.conftest import MONDAY, make_user, triggers_off
from tests.reports.conftest import MET, MIDMARCH, MISSED, make_clock, make_handoff
from tests.reports.test_reviews import APRIL, DAY, HOUR, ON_THE_DAY, hold, in_state
from tests.reports.test_scorecard_pages import words

pytestmark = pytest.mark.django_db

READERS = [("rita", 200), ("max_", 200), ("sofia", 200), ("mona", 200), ("vera", 200), ("ron", 403)]
MAY = datetime(2025, 5, 6, 8, 0, tzinfo=UTC)


@pytest.fixture
def review(cast, time_machine) -> Review:
    planning.plan_ahead(now=MONDAY + 2 * DAY)
    time_machine.move_to(MONDAY + 3 * DAY, tick=False)
    return Review.objects.get()


@pytest.fixture
def begun(review, time_machine) -> Review:
    """Its day has come."""
    time_machine.move_to(ON_THE_DAY, tick=False)
    return review


def post(client, name: str, review, **given):
    return client.post(reverse(name, args=[review.pk]), given)


# --- Who opens what -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("who", "status"), READERS)
def test_both_sides_and_whoever_watches_them_read_reviews(client, cast, review, who, status):
    client.force_login(cast[who])
    assert client.get(reverse("reviews")).status_code == status
    assert client.get(review.get_absolute_url()).status_code == status
    shown = "Reviews" in client.get(reverse("numbers")).content.decode().split("<main")[0]
    assert shown is (status == 200)


@pytest.mark.parametrize(("who", "may"), [("rita", 1), ("max_", 1), ("sofia", 1), ("mona", 0), ("vera", 0), ("ron", 0)])
@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("move_review", {"starts_at": "2025-04-10T09:00", "length": 30}),
        ("cancel_review", {"why": "Trade fair"}),
        ("hold_review", {"minutes": "We talked"}),
        ("decide_in_review", {"text": "We stay at 4 hours"}),
    ],
)
def test_only_the_leaders_and_revops_do_something(client, cast, begun, who, may, name, given):
    client.force_login(cast[who])
    page = client.get(begun.get_absolute_url())
    assert (reverse(name, args=[begun.pk]) in page.content.decode()) is bool(may)
    assert post(client, name, begun, **given).status_code == (302 if may else 403)
    assert client.get(reverse("call_review")).status_code == (200 if may else 403)


def test_a_leader_of_other_teams_reads_and_does_nothing(client, begun):
    other = Team.objects.create(name="Sales UK", party="sales")
    client.force_login(make_user("olga@example.com", roles.SALES_LEADER, team=other))
    page = client.get(begun.get_absolute_url())
    assert page.status_code == 200 and "<form" not in page.content.decode().split("<main")[1]
    assert post(client, "hold_review", begun, minutes="Mine").status_code == 403
    assert client.get(reverse("call_review")).status_code == 403


def test_the_door_of_a_review_that_is_not_there(client, rita):
    client.force_login(rita)
    assert client.get(reverse("review", args=[4711])).status_code == 404
    assert client.post(reverse("mark_decision", args=[4711])).status_code == 404


# --- The list -----------------------------------------------------------------------------------------------------


def test_without_agreements_the_list_says_when_there_will_be_reviews(client, vera):
    client.force_login(vera)
    text = words(client.get(reverse("reviews")))
    assert "No review is planned" in text and "Call a review" not in text


def test_the_list_says_what_is_overdue_what_comes_and_what_was_held(client, cast, review, time_machine):
    hold(review, cast["rita"])
    time_machine.move_to(MAY + DAY, tick=False)
    planning.plan_ahead(now=MAY + DAY)
    client.force_login(cast["vera"])
    text = words(client.get(reverse("reviews")))
    assert "1 review is overdue: its day is over, and nobody has written minutes." in text
    assert text.index("6 May 2025, 10:00") < text.index("3 Jun 2025, 10:00") < text.index("1 Apr 2025, 10:00")


def test_the_list_costs_as_many_queries_for_many_reviews_as_for_one(client, cast, review, agreement):
    def asked() -> int:
        with CaptureQueriesContext(connection) as queries:
            client.get(reverse("reviews"))
        return len(queries)

    client.force_login(cast["vera"])
    hold(review, cast["rita"])
    planning.plan_ahead(now=APRIL + DAY)
    one = asked()
    for state in ("planned", "held", "closed", "cancelled") * 2:
        in_state(state, agreement, cast["max_"])
    assert asked() == one


# --- One review ---------------------------------------------------------------------------------------------------


def test_before_its_day_the_page_says_when_who_and_what_so_far(client, cast, review, version, response, ron):
    make_clock(make_handoff(version, ron, qualified_at=MONDAY), response, MISSED, due_at=MONDAY + HOUR)
    client.force_login(cast["sofia"])
    text = words(client.get(review.get_absolute_url()))
    assert "Review of DACH inbound 1 Apr 2025, 10:00" in text and "Planned" in text
    assert "1 miss of 1 Mar – 6 Mar 2025, 1 not answered." in text
    assert "They are written on the day of the review." in text
    assert "by the cadence in the terms" in text and "Max" in text
    assert "Keep the minutes" not in text and "Move it and tell everybody" in text


def test_a_review_is_held_decided_in_and_closed_on_its_page(client, cast, begun):
    client.force_login(cast["max_"])
    both = [cast["max_"].pk, cast["sofia"].pk]
    assert post(client, "hold_review", begun, minutes="Both <b>agree</b>.", attended=both).status_code == 302
    owed = {"text": "Call every partner", "owner": cast["mona"].pk, "due_on": "2025-04-20"}
    assert post(client, "decide_in_review", begun, **owed).url == f"{begun.get_absolute_url()}#decisions"
    page = client.get(begun.get_absolute_url())
    assert "Both &lt;b&gt;agree&lt;/b&gt;." in page.content.decode()
    text = words(page)
    assert "Call every partner Mona until 20 Apr 2025" in text and "To do" in text
    assert text.count("was there") == 3 and text.count("was not there") == 2  # once it labels the form
    assert post(client, "close_review", begun).status_code == 302
    text = words(client.get(begun.get_absolute_url()))
    assert "Held, closed" in text and "Keep the minutes" not in text and "Add a decision" not in text
    refusal = post(client, "hold_review", begun, minutes="More")
    assert refusal.status_code == 422 and "This review is closed; call another one." in words(refusal)


def test_what_was_typed_is_not_lost_when_somebody_else_was_quicker(client, cast, begun):
    hold(begun, cast["rita"], minutes="Theirs")
    client.force_login(cast["max_"])
    refusal = post(client, "hold_review", begun, minutes="Mine", seen_at="")
    assert refusal.status_code == 422
    text = words(refusal)
    assert "Rita has written the minutes since you opened this page." in text
    assert "Theirs" in text and "Mine" in text
    again = refusal.context["forms"]["minutes"]["seen_at"].value()
    assert post(client, "hold_review", begun, minutes="Theirs and mine", seen_at=again).status_code == 302
    begun.refresh_from_db()
    assert begun.minutes == "Theirs and mine"


@pytest.mark.parametrize(
    ("name", "given", "says"),
    [
        ("move_review", {"starts_at": "2025-03-01T09:00", "length": 30}, "Choose a time that lies ahead."),
        ("move_review", {"starts_at": "tomorrow", "length": 30}, "Enter a valid date/time."),
        ("move_review", {"starts_at": "2026-03-29T02:30", "length": 30}, "couldn’t be interpreted in time zone"),
        ("cancel_review", {"why": " "}, "This field is required."),
        ("hold_review", {"minutes": ""}, "This field is required."),
        ("hold_review", {"minutes": "Yes", "seen_at": "x"}, "The page was changed on its way. Open it anew."),
        ("decide_in_review", {"text": "Yes", "due_on": "2025-04-20"}, "Name both who does it and by when"),
    ],
)
def test_what_is_wrong_is_said_where_it_was_typed(client, cast, begun, name, given, says):
    client.force_login(cast["max_"])
    refusal = post(client, name, begun, **given)
    assert refusal.status_code == 422
    assert says in words(refusal).replace("&#x27;", "’").replace("'", "’")
    begun.refresh_from_db()
    assert begun.is_planned and begun.sequence == 0


def test_a_cancelled_review_says_who_and_why_and_offers_nothing(client, cast, review):
    client.force_login(cast["max_"])
    post(client, "cancel_review", review, why="Trade fair", seen=0)
    page = client.get(review.get_absolute_url())
    assert "Max has cancelled it, 6 Mar 2025. Trade fair" in words(page)
    assert "<form" not in page.content.decode().split("<main")[1]
    assert "This review is cancelled: Trade fair" in words(post(client, "hold_review", review, minutes="Yes"))


def test_a_review_is_called_with_a_reason(client, cast, review):
    client.force_login(cast["sofia"])
    given = {"agreement": review.agreement_id, "reason": "", "starts_at": "2025-03-20T15:00", "length": 30}
    refusal = client.post(reverse("call_review"), given)
    assert refusal.status_code == 422 and "This field is required." in words(refusal)
    answer = client.post(reverse("call_review"), {**given, "reason": "Contact fell", "place": "Room 4"})
    called = Review.objects.get(reason="Contact fell")
    assert answer.url == called.get_absolute_url()
    assert called.starts_at == datetime(2025, 3, 20, 14, 0, tzinfo=UTC)  # 15:00 where she is
    text = words(client.get(answer.url))
    assert "Contact fell" in text and "by Sofia" in text and "Room 4" in text


def test_a_place_that_is_no_link_of_the_web_stays_text(client, cast, review):
    reviews.move(
        review, starts_at=APRIL + DAY, length=30, place="javascript:alert(1)", by=cast["max_"], now=MONDAY + 3 * DAY
    )
    client.force_login(cast["vera"])
    assert 'href="javascript' not in client.get(review.get_absolute_url()).content.decode()


def test_revops_turns_a_decision_into_a_draft_with_one_click(client, cast, begun):
    decision = reviews.decide(begun, text="3 hours from May on", by=cast["max_"], now=ON_THE_DAY)
    address = reverse("draft_decision", args=[decision.pk])
    for who in ("max_", "vera"):
        client.force_login(cast[who])
        assert address not in client.get(begun.get_absolute_url()).content.decode()
        assert client.post(address).status_code == 403
    client.force_login(cast["rita"])
    assert address in client.get(begun.get_absolute_url()).content.decode()
    answer = client.post(address)
    draft = begun.agreement.versions.get(number=2)
    assert answer.url == reverse("admin:agreements_version_change", args=[draft.pk])
    assert "3 hours from May on" in client.get(answer.url).content.decode()
    assert "became version 2" in words(client.get(begun.get_absolute_url()))
    assert "Version 2 was made of this decision already." in words(client.post(address, follow=True))


def test_whoever_owes_something_marks_it_from_the_page(client, cast, begun):
    given = {"owner": cast["mona"], "due_on": date(2025, 4, 20)}
    decision = reviews.decide(begun, text="Call every partner", **given, by=cast["max_"], now=ON_THE_DAY)
    client.force_login(cast["vera"])
    assert "mark" not in client.get(begun.get_absolute_url()).content.decode().split("<main")[1]
    client.post(reverse("mark_decision", args=[decision.pk]), {"done": "1"})
    assert Decision.objects.get().done_at is None
    client.force_login(cast["mona"])
    answer = client.post(reverse("mark_decision", args=[decision.pk]), {"done": "1"})
    assert answer.url == f"{begun.get_absolute_url()}#decision-{decision.pk}"
    assert Decision.objects.get().done_by == cast["mona"]
    client.post(reverse("mark_decision", args=[decision.pk]), {"done": "0"})
    assert Decision.objects.get().done_at is None


def test_leads_of_other_teams_are_counted_and_not_named(client, cast, review, version, sales):
    other = Team.objects.create(name="Sales UK", party="sales")
    handoff = make_handoff(version, cast["ron"], qualified_at=MONDAY, team=other)
    handoff.lead.name = "Ines Albrecht"
    handoff.lead.save()
    Dispute.objects.create(handoff=handoff, opened_by=cast["ron"], comment="Which campaign?", opened_at=MONDAY)
    client.force_login(cast["mona"])
    text = words(client.get(review.get_absolute_url()))
    assert "Ines Albrecht" not in text and "A lead of another team" in text
    assert "waiting: 1 question or dispute." in text
    client.force_login(cast["vera"])
    assert "Ines Albrecht" in words(client.get(review.get_absolute_url()))


def test_terms_that_somebody_spoiled_take_no_page_away(client, cast, review, version):
    with triggers_off():
        type(version).objects.filter(pk=version.pk).update(terms="{}")
    client.force_login(cast["vera"])
    page = client.get(review.get_absolute_url())
    assert page.status_code == 200 and "Who is asked" in words(page) and 'role="alert"' in page.content.decode()


def test_the_page_costs_as_many_queries_for_many_as_for_few(client, cast, begun, version, response, ron):
    def more() -> None:
        handoff = make_handoff(version, ron)
        make_clock(handoff, response, MISSED, due_at=MIDMARCH)
        Dispute.objects.create(handoff=handoff, opened_by=ron, comment="?", opened_at=MIDMARCH)
        given = {"owner": cast["mona"], "due_on": date(2025, 4, 20)}
        reviews.decide(begun, text="Call", **given, by=cast["max_"], now=ON_THE_DAY)

    def asked() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert client.get(begun.get_absolute_url()).status_code == 200
        return len(queries)

    client.force_login(cast["rita"])
    more()
    few = asked()
    for _ in range(6):
        more()
    assert asked() == few


# --- The agreement's page -----------------------------------------------------------------------------------------


def test_the_agreement_says_when_its_next_review_is_and_which_is_overdue(client, cast, review, time_machine):
    reviews.move(review, starts_at=APRIL + 2 * DAY, length=30, place="", by=cast["max_"], now=MONDAY + 3 * DAY)
    client.force_login(cast["vera"])
    page = client.get(review.agreement.get_absolute_url())
    assert "Next review3 Apr 2025, 10:00" in words(page)
    assert review.get_absolute_url() in page.content.decode()
    time_machine.move_to(APRIL + 4 * DAY, tick=False)
    planning.plan_ahead(now=APRIL + 4 * DAY)
    client.force_login(cast["vera"])  # the session of a month ago is over
    text = words(client.get(review.agreement.get_absolute_url()))
    assert "The review of Thu 3 Apr 2025, 10:00 is overdue: it has no minutes." in text
    assert "Next review6 May 2025, 10:00" in text


def test_a_cancelled_review_is_not_the_next_one(client, cast, review):
    reviews.cancel(review, why="Trade fair", by=cast["max_"], now=MONDAY + 3 * DAY)
    for who in ("vera", "ron"):
        client.force_login(cast[who])
        assert "Next review" not in words(client.get(review.agreement.get_absolute_url()))


def test_a_rep_reads_the_day_in_the_terms_and_nothing_of_reviews(client, cast, review, time_machine):
    client.force_login(cast["ron"])
    page = client.get(review.agreement.get_absolute_url())
    assert "Next review1 April 2025" in words(page) and "/reviews/" not in page.content.decode()


def test_a_scorecard_is_one_click_away(client, cast, review, version, response, ron):
    make_clock(make_handoff(version, ron, qualified_at=MONDAY), response, MET)
    client.force_login(cast["vera"])
    page = client.get(review.get_absolute_url())
    address = reverse("scorecard", args=[review.agreement_id, "2025-03-01..2025-03-06"])
    assert address in page.content.decode()
    assert client.get(address).status_code == 200


# --- Without Celery, and with it ----------------------------------------------------------------------------------


def test_the_task_plans_by_the_clock_of_the_database_and_leaves_a_heartbeat(cast, monkeypatch):
    monkeypatch.setattr("reports.tasks.database_now", lambda: MONDAY + 2 * DAY)
    assert (tasks.plan_reviews(), tasks.plan_reviews()) == (1, 0)
    assert Heartbeat.objects.get(name="reviews").at == MONDAY + 2 * DAY
    assert Review.objects.get().starts_at == APRIL


def test_a_busy_database_leaves_planning_to_the_next_run(monkeypatch):
    def busy(**kwargs):
        raise OperationalError("database is locked")

    monkeypatch.setattr("reports.planning.plan_ahead", busy)
    assert tasks.plan_reviews() == 0
    assert not Heartbeat.objects.filter(name="reviews").exists()


def test_the_command_does_the_same(cast, monkeypatch, capsys):
    monkeypatch.setattr("reports.management.commands.plan_reviews.database_now", lambda: MONDAY + 2 * DAY)
    call_command("plan_reviews")
    assert capsys.readouterr().out == "1 review planned, changed or reminded of.\n"
    assert Review.objects.count() == 1
