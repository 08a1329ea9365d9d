"""What a review talks about: the same as plain counts of the rows, since the last review and until the day before."""

from datetime import UTC, date, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from leads.models import Answer, Clock, Dispute, ExclusionRequest, Handoff
from leads.periods import parse
from reports import agenda, planning, reviews
from reports.models import RecoveryPlan
from reports.rhythm import Review
from tests.conftest import MONDAY, agree
from tests.reports.conftest import EXCLUDED, MET, MIDMARCH, MISSED, OPEN, make_clock, make_handoff
from tests.reports.test_reviews import APRIL, DAY, HOUR, ON_THE_DAY, hold

pytestmark = pytest.mark.django_db

FEBRUARY = datetime(2025, 2, 20, 10, tzinfo=UTC)


@pytest.fixture
def review(cast) -> Review:
    planning.plan_ahead(now=MONDAY + 2 * DAY)
    return Review.objects.get()


@pytest.fixture
def history(review, version, volume, response, ron, cast) -> Review:
    """March: 22 met, 3 missed of which one is answered, 1 open, 2 excluded; and a miss of February that came late."""
    for state, number in ((MET, 22), (MISSED, 3), (OPEN, 1), (EXCLUDED, 2)):
        for _ in range(number):
            handoff = make_handoff(version, ron)
            make_clock(handoff, volume, MET, rule="delivered")
            make_clock(handoff, response, state, rule="below_definition", due_at=MIDMARCH + HOUR)
    answered = Clock.objects.filter(commitment=response, state=MISSED).first()
    Answer.objects.create(
        handoff=answered.handoff, commitment=response, cause="No phones", action="Mobiles", by=ron, at=MIDMARCH
    )
    before = make_handoff(version, ron, qualified_at=FEBRUARY)
    make_clock(before, response, MISSED, due_at=MIDMARCH)
    make_clock(make_handoff(version, ron, qualified_at=FEBRUARY), response, MISSED, due_at=FEBRUARY + DAY)
    return review


def promise(data: dict, code: str) -> dict:
    return next(row for row in data["promises"] if row["code"] == code)


def test_misses_are_counted_as_the_lists_behind_them_count(history, client, vera, response):
    data = agenda.of(history, now=ON_THE_DAY)
    row = promise(data, "first-response")
    assert (row["met"], row["missed"], row["open"], row["excluded"], row["unanswered"]) == (22, 3, 1, 2, 2)
    assert row["attainment"] == 22 / 25
    march = parse(data["period"]["key"])
    zone = history.agreement.zone
    begun = Handoff.objects.begun_in(march.start(zone), march.end(zone))
    missed = Clock.objects.deciding().filter(handoff__in=begun, commitment=response, state=MISSED)
    assert missed.count() == row["missed"] and missed.unanswered().count() == row["unanswered"]
    client.force_login(vera)
    for name in ("met", "missed", "unanswered"):
        assert client.get(row["urls"][name]).context["table"].paginator.count == row[name]
    assert [(line["cause"], line["action"], line["by"]) for line in row["answers"]] == [("No phones", "Mobiles", "Ron")]


def test_a_limit_that_ran_out_since_is_named_though_the_lead_came_before(history):
    late = agenda.of(history, now=ON_THE_DAY)["late"]
    assert late["count"] == len(late["lines"]) == 1
    assert late["lines"][0]["promise"] == "first_response"


def test_disputes_that_wait_and_those_that_were_decided_since(history, version, cast, ron, max_, rita):
    handoff = make_handoff(version, ron)
    common = {"handoff": handoff, "opened_by": ron, "comment": "Which campaign?"}
    Dispute.objects.create(**common, opened_at=FEBRUARY)
    ended = {"answered_by": max_, "answer": "The fair"}
    Dispute.objects.create(**common, **ended, opened_at=FEBRUARY, answered_at=FEBRUARY + DAY)
    Dispute.objects.create(
        **common, **ended, opened_at=MIDMARCH, answered_at=MIDMARCH + DAY, party="marketing", upheld=True
    )
    found = agenda.of(history, now=ON_THE_DAY)["disputes"]
    assert (found["count"], found["open"]) == (2, 1)
    assert [(line["is_open"], line["upheld"]) for line in found["lines"]] == [(True, False), (False, True)]


def test_requests_that_wait_and_those_that_were_decided_since(history, version, response, ron, rita):
    def ask(at: datetime, **decided) -> None:
        fields = {"handoff": make_handoff(version, ron), "commitment": response, "reason": "No phones"}
        ExclusionRequest.objects.create(**fields, asked_by=ron, asked_at=at, **decided)

    ask(FEBRUARY)
    ask(FEBRUARY, granted=True, decided_by=rita, decided_at=FEBRUARY + DAY, note="Seen")
    ask(MIDMARCH, granted=True, decided_by=rita, decided_at=MIDMARCH + DAY, note="Seen")
    ask(MIDMARCH, granted=False, decided_by=rita, decided_at=MIDMARCH + DAY, note="No")
    found = agenda.of(history, now=ON_THE_DAY)["exclusions"]
    assert (found["count"], found["open"], found["granted"]) == (3, 1, 1)
    assert [line["is_open"] for line in found["lines"]] == [True, False, False]


def test_plans_that_marketing_owes(history, volume):
    RecoveryPlan.objects.create(commitment=volume, month=date(2025, 3, 1), figures="18 of 50", asked_at=MIDMARCH)
    found = agenda.of(history, now=ON_THE_DAY)["plans"]
    assert (found["count"], found["open"], found["lines"][0]["figures"]) == (1, 1, "18 of 50")


def test_the_agenda_is_kept_as_it_stood_when_the_review_was_held(history, version, response, ron, rita):
    before = agenda.of(history, now=ON_THE_DAY)
    hold(history, rita)
    make_clock(make_handoff(version, ron), response, MISSED)
    history.refresh_from_db()
    kept = agenda.of(history, now=ON_THE_DAY + DAY)
    assert kept == {**before, "drawn_at": kept["drawn_at"]}
    assert promise(agenda.draw(history, now=ON_THE_DAY + DAY), "first-response")["missed"] == 4


def test_the_next_review_begins_where_the_last_one_ended_and_says_what_changed(history, version, response, ron, rita):
    hold(history, rita, now=ON_THE_DAY + 2 * DAY)  # the minutes came later
    planning.plan_ahead(now=ON_THE_DAY + 3 * DAY)
    following = Review.objects.get(planned_for=date(2025, 5, 6))
    make_clock(make_handoff(version, ron, qualified_at=APRIL), response, MET)
    data = agenda.of(following, now=datetime(2025, 5, 6, 9, tzinfo=UTC))
    assert data["period"]["key"] == "2025-04-01..2025-05-05"
    assert data["last"]["pk"] == history.pk
    row = promise(data, "first-response")
    assert (row["attainment"], row["before"]["attainment"], row["missed"]) == (1.0, 22 / 25, 0)


def test_earlier_decisions_stay_on_the_agenda_until_they_are_done(review, rita, mona):
    owed = reviews.decide(review, text="Call partners", owner=mona, due_on=date(2025, 4, 20), by=rita, now=ON_THE_DAY)
    reviews.decide(review, text="We stay at 4 hours", by=rita, now=ON_THE_DAY)
    hold(review, rita)
    planning.plan_ahead(now=ON_THE_DAY + DAY)
    may = Review.objects.get(planned_for=date(2025, 5, 6))
    said = agenda.of(may, now=ON_THE_DAY + 2 * DAY)["decisions"]
    assert (said["count"], said["open"]) == (2, 1)
    assert [(line["text"], line["owner"], line["is_done"]) for line in said["lines"]] == [
        ("Call partners", "Mona", False),
        ("We stay at 4 hours", "", False),
    ]
    hold(may, rita, now=may.starts_at + HOUR)
    planning.plan_ahead(now=may.starts_at + DAY)
    june = Review.objects.get(planned_for=date(2025, 6, 3))
    after_may = agenda.of(june, now=may.starts_at + 2 * DAY)["decisions"]
    assert [line["text"] for line in after_may["lines"]] == ["Call partners"]
    reviews.mark(owed, done=True, by=mona, now=may.starts_at + 2 * DAY)
    assert agenda.of(june, now=may.starts_at + 3 * DAY)["decisions"]["count"] == 0


@pytest.mark.parametrize(
    ("cadence", "key"),
    [
        ("weekly", "2025-03-24..2025-03-31"),
        ("monthly", "2025-03-01..2025-03-31"),
        ("quarterly", "2025-01-01..2025-03-31"),
    ],
)
def test_a_first_review_looks_at_the_span_of_its_cadence_before_it(draft, rita, max_, sofia, cadence, key):
    draft.review_cadence = cadence
    draft.save()
    agree(draft, by=rita, marketing=max_, sales=sofia)
    planning.plan_ahead(now=MONDAY + 20 * DAY)
    review = Review.objects.get()
    reviews.move(review, starts_at=APRIL, length=45, place="", by=rita, now=MONDAY + 20 * DAY)
    review.refresh_from_db()
    assert agenda.of(review, now=ON_THE_DAY)["period"]["key"] == key


def test_before_its_day_it_looks_at_what_has_come_so_far(review):
    assert agenda.of(review, now=MIDMARCH)["period"]["key"] == "2025-03-01..2025-03-12"


def test_between_two_reviews_of_one_day_there_is_no_whole_day_to_look_at(review, rita):
    hold(review, rita)
    second = reviews.call(
        review.agreement, starts_at=APRIL + 4 * HOUR, length=30, reason="Not done", by=rita, now=ON_THE_DAY
    )
    data = agenda.of(second, now=ON_THE_DAY)
    assert data["period"] is None and data["promises"] == []
    hold(second, rita, now=APRIL + 5 * HOUR)
    third = reviews.call(
        review.agreement, starts_at=APRIL + 2 * DAY, length=30, reason="Again", by=rita, now=APRIL + 6 * HOUR
    )
    assert agenda.of(third, now=APRIL + 2 * DAY)["period"]["key"] == "2025-04-01..2025-04-02"


def test_it_asks_as_many_questions_for_much_as_for_little(history, version, response, ron, rita, max_):
    def asked() -> int:
        with CaptureQueriesContext(connection) as queries:
            agenda.draw(history, now=ON_THE_DAY)
        return len(queries)

    def more() -> None:
        handoff = make_handoff(version, ron)
        make_clock(handoff, response, MISSED, due_at=MIDMARCH)
        Answer.objects.create(handoff=handoff, commitment=response, cause="A", action="B", by=ron, at=MIDMARCH)
        Dispute.objects.create(handoff=handoff, opened_by=ron, comment="?", opened_at=MIDMARCH)
        ExclusionRequest.objects.create(
            handoff=handoff, commitment=response, reason="R", asked_by=ron, asked_at=MIDMARCH
        )

    more()
    asked()  # what is the same for everybody is read once
    few = asked()
    for _ in range(6):
        more()
    assert asked() == few
