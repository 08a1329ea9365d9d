"""Reviews: planned by the terms, called, moved, cancelled, held and closed; by whom, and what the table keeps."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from agreements import signoff
from agreements.models import Agreement, Status
from reports import planning, reviews
from reports.rhythm import Decision, Participant, Review
from slaportal import roles
from slaportal.models import Notice, Team, User
from slaportal.refusal import Refused
from tests.agreements.test_signoff_races import at_once, refused
from tests.conftest import MONDAY, agree, complete, make_user

pytestmark = pytest.mark.django_db

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
APRIL = datetime(2025, 4, 1, 8, 0, tzinfo=UTC)  # the first Tuesday, 10:00 in Berlin
MAY = datetime(2025, 5, 6, 8, 0, tzinfo=UTC)
ON_THE_DAY = APRIL + HOUR
PLANNED, HELD, CLOSED, CANCELLED = Review.State


@pytest.fixture
def review(cast) -> Review:
    """The review of April, planned by the cadence of version 1."""
    planning.plan_ahead(now=MONDAY)
    planning.plan_ahead(now=MONDAY + 2 * DAY)
    return Review.objects.get(planned_for=date(2025, 4, 1))


def hold(review: Review, by: User, *, now: datetime = ON_THE_DAY, **given) -> Review:
    return reviews.hold(review, **{"minutes": "Both sides talked.", "attended": set(), **given}, by=by, now=now)


def next_version(agreement: Agreement, *, by: User, marketing: User, sales: User, now: datetime, **terms):
    draft = signoff.new_draft_from(agreement.versions.agreed().last(), by=by, now=now)
    for name, value in terms.items():
        setattr(draft, name, value)
    draft.save()
    return agree(draft, by=by, marketing=marketing, sales=sales, now=now)


def sequences(review: Review, person: User) -> list[str]:
    rows = Notice.objects.filter(recipient=person, channel="email", about=review.pk, key__startswith="review:")
    return list(rows.order_by("pk").values_list("key", flat=True))


# --- Planning -----------------------------------------------------------------------------------------------------


def test_the_next_review_is_planned_with_those_whom_it_concerns(review, cast):
    assert (review.state, review.starts_at, review.reason, review.sequence) == (PLANNED, APRIL, "", 0)
    assert review.due_at == datetime(2025, 4, 1, 22, 0, tzinfo=UTC)
    asked = {one.person for one in review.participants.all()}
    assert asked == {cast["rita"], cast["max_"], cast["sofia"], cast["mona"]}


def test_nobody_is_asked_to_sit_down_within_a_day_of_signing(cast):
    planning.plan_ahead(now=MONDAY)  # the first Tuesday of March is the day after it was signed, at the same hour
    assert list(Review.objects.values_list("planned_for", flat=True)) == [date(2025, 4, 1)]


def test_running_it_again_plans_nothing_again_and_tells_nobody_again(review):
    rows, told = list(Review.objects.values_list("pk", "changed_at")), Notice.objects.count()
    assert planning.plan_ahead(now=MONDAY + 3 * DAY) == 0
    assert list(Review.objects.values_list("pk", "changed_at")) == rows and Notice.objects.count() == told


def test_after_a_silence_what_was_missed_stands_there_once_without_invitations(review, cast):
    planning.plan_ahead(now=datetime(2025, 7, 20, 12, tzinfo=UTC))
    found = Review.objects.order_by("starts_at")
    assert [row.planned_for.month for row in found] == [4, 5, 6, 7, 8]
    missed = [row for row in found if row.planned_for.month in (5, 6, 7)]
    assert not Notice.objects.filter(key__in=[f"review:{row.pk}:0" for row in missed]).exists()
    assert Notice.objects.filter(key=f"review:{found.last().pk}:0").exists()


def test_other_terms_move_the_next_review_and_tell_everybody(review, cast):
    now = MONDAY + 5 * DAY
    given = {"by": cast["rita"], "marketing": cast["max_"], "sales": cast["sofia"]}
    next_version(review.agreement, **given, now=now, review_weekday=3)
    planning.plan_ahead(now=now + HOUR)
    review.refresh_from_db()
    assert (review.planned_for, review.sequence) == (date(2025, 4, 3), 1)
    assert sequences(review, cast["mona"]) == [f"review:{review.pk}:0", f"review:{review.pk}:1"]
    assert Review.objects.count() == 1


def test_an_agreement_that_ends_cancels_what_was_to_come_and_frees_its_day(review, cast):
    now = MONDAY + 5 * DAY
    given = {"by": cast["rita"], "marketing": cast["max_"], "sales": cast["sofia"]}
    next_version(review.agreement, **given, now=now, ends_on=date(2025, 3, 31))
    planning.plan_ahead(now=now + HOUR)
    review.refresh_from_db()
    assert (review.state, review.planned_for, review.sequence) == (CANCELLED, None, 1)
    assert review.cancelled_why == "The agreement asks for no review on that day any more."
    next_version(review.agreement, **given, now=now + DAY, ends_on=None)
    planning.plan_ahead(now=now + DAY + HOUR)
    assert Review.objects.get(planned_for=date(2025, 4, 1)).pk != review.pk


def test_a_review_that_somebody_moved_stays_when_the_terms_change(review, cast):
    reviews.move(review, starts_at=APRIL + 2 * DAY, length=60, place="Room 4", by=cast["max_"], now=MONDAY + DAY)
    now = MONDAY + 5 * DAY
    given = {"by": cast["rita"], "marketing": cast["max_"], "sales": cast["sofia"]}
    next_version(review.agreement, **given, now=now, review_weekday=3)
    planning.plan_ahead(now=now + HOUR)
    review.refresh_from_db()
    assert (review.starts_at, review.planned_for, review.sequence) == (APRIL + 2 * DAY, date(2025, 4, 3), 1)
    assert Review.objects.count() == 1


def test_who_becomes_concerned_is_asked_and_who_is_not_any_more_is_taken_off(review, cast, sales):
    carl = make_user("carl@example.com", roles.SALES_LEADER, team=sales)
    cast["max_"].groups.clear()
    planning.plan_ahead(now=MONDAY + 3 * DAY)
    review.refresh_from_db()
    left = Participant.objects.get(review=review, person=cast["max_"])
    assert left.left_at == MONDAY + 3 * DAY and left.sequence == review.sequence == 1
    assert sequences(review, carl) == [f"review:{review.pk}:1"]
    assert sequences(review, cast["max_"]) == [f"review:{review.pk}:0", f"review:{review.pk}:1"]
    assert sequences(review, cast["mona"]) == [f"review:{review.pk}:0"]


def test_who_comes_back_is_asked_again(review, cast):
    group = cast["max_"].groups.get()
    cast["max_"].groups.clear()
    planning.plan_ahead(now=MONDAY + 3 * DAY)
    cast["max_"].groups.add(group)
    planning.plan_ahead(now=MONDAY + 4 * DAY)
    place = Participant.objects.get(review=review, person=cast["max_"])
    assert (place.left_at, place.sequence) == (None, 2)
    assert sequences(review, cast["max_"])[-1] == f"review:{review.pk}:2"


def test_revops_is_reminded_once_of_an_overdue_review(review, cast):
    late = APRIL + DAY
    for hour in range(3):
        planning.plan_ahead(now=late + hour * HOUR)
    rows = Notice.objects.filter(key__startswith=f"review-overdue:{review.pk}", channel="email")
    assert [row.recipient for row in rows] == [cast["rita"]]
    reviews.move(review, starts_at=late + DAY, length=45, place="", by=cast["rita"], now=late + 5 * HOUR)
    planning.plan_ahead(now=late + 3 * DAY)
    assert rows.all().count() == 2


def test_terms_that_somebody_spoiled_hold_up_no_other_agreement(review, cast, monkeypatch, caplog):
    other_marketing = Team.objects.create(name="Marketing UK", party="marketing")
    other = Agreement.objects.create(name="UK", marketing_team=other_marketing, sales_team=review.agreement.sales_team)
    plan = planning._plan
    failing = lambda agreement, *rest: 1 / 0 if agreement == review.agreement else plan(agreement, *rest)  # noqa: E731
    monkeypatch.setattr(planning, "_plan", failing)
    planning.plan_ahead(now=MONDAY + 3 * DAY)
    assert other.reviews.count() == 0 and "cannot be planned" in caplog.text


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_two_workers_in_the_same_instant_plan_one_review(cast):
    results = at_once(*[lambda: planning.plan_ahead(now=MONDAY + 2 * DAY)] * 2)
    assert not refused(results)
    assert Review.objects.count() == 1
    assert Notice.objects.filter(channel="email", kind="review").count() == 4


def test_planning_costs_as_many_questions_for_many_agreements_with_nothing_to_do_as_for_one(review, cast, office):
    def asked() -> int:
        planning.plan_ahead(now=MONDAY + 3 * DAY)
        with CaptureQueriesContext(connection) as queries:
            assert planning.plan_ahead(now=MONDAY + 3 * DAY) == 0
        return len(queries)

    one = asked()
    teams = {"marketing_team": review.agreement.marketing_team, "sales_team": review.agreement.sales_team}
    for number in range(3):
        other = Agreement.objects.create(name=f"Other {number}", priority=200 + number, **teams)
        draft = complete(signoff.new_draft(other, by=cast["rita"], now=MONDAY, calendar=office))
        agree(draft, by=cast["rita"], marketing=cast["max_"], sales=cast["sofia"])
    assert asked() == one
    assert Review.objects.count() == 4


# --- The life of a review -----------------------------------------------------------------------------------------


def call(agreement: Agreement, by: User, **given) -> Review:
    fields = {"starts_at": MONDAY + 3 * DAY, "length": 60, "reason": "Contact fell under 80 %"}
    return reviews.call(agreement, **{**fields, **given}, by=by, now=MONDAY)


def in_state(state: str, agreement: Agreement, by: User) -> Review:
    """A called review whose day has come, in each state."""
    review = call(agreement, by)
    now = review.starts_at + HOUR
    if state == CANCELLED:
        reviews.cancel(review, why="Nobody can come", by=by, now=MONDAY)
    elif state in (HELD, CLOSED):
        hold(review, by, now=now)
        if state == CLOSED:
            reviews.close(review, by=by, now=now)
    review.refresh_from_db()
    return review


STEPS = {
    "move": lambda review, by, now: reviews.move(review, starts_at=now + DAY, length=30, place="", by=by, now=now),
    "cancel": lambda review, by, now: reviews.cancel(review, why="Nobody can come", by=by, now=now),
    "hold": lambda review, by, now: hold(review, by, now=now, seen_at=review.written_at),
    "decide": lambda review, by, now: reviews.decide(review, text="We stay at 4 hours.", by=by, now=now),
    "close": lambda review, by, now: reviews.close(review, by=by, now=now),
}
ALLOWED = {
    (PLANNED, "move"): PLANNED,
    (PLANNED, "cancel"): CANCELLED,
    (PLANNED, "hold"): HELD,
    (PLANNED, "decide"): PLANNED,
    (HELD, "hold"): HELD,
    (HELD, "decide"): HELD,
    (HELD, "close"): CLOSED,
}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("state", Review.State.values)
def test_the_state_says_which_steps_can_be_taken(cast, agreement, state, step):
    review = in_state(state, agreement, cast["max_"])
    take = lambda: STEPS[step](review, cast["max_"], review.starts_at + 2 * HOUR)  # noqa: E731
    wanted = ALLOWED.get((state, step))
    if wanted is None:
        with pytest.raises(Refused):
            take()
    else:
        take()
    review.refresh_from_db()
    assert review.state == (wanted or state)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    ("who", "may"), [("rita", True), ("max_", True), ("sofia", True), ("mona", False), ("vera", False), ("ron", False)]
)
def test_the_leaders_of_both_sides_and_revops_run_reviews_and_nobody_else(cast, agreement, step, who, may):
    review = in_state(HELD if step == "close" else PLANNED, agreement, cast["rita"])
    by, now = cast[who], review.starts_at + HOUR
    assert reviews.may_run(by, agreement) is may
    if may:
        STEPS[step](review, by, now)
        return
    with pytest.raises(Refused, match="Only the leaders of DACH inbound and RevOps"):
        STEPS[step](review, by, now)
    with pytest.raises(Refused, match="Only the leaders"):
        call(agreement, by)


def test_a_leader_of_another_team_does_not_run_them(cast, agreement):
    other = Team.objects.create(name="Sales UK", party="sales")
    with pytest.raises(Refused):
        call(agreement, make_user("olga@example.com", roles.SALES_LEADER, team=other))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"reason": "  "}, "Say why you call it"),
        ({"starts_at": MONDAY}, "a time that lies ahead"),
        ({"starts_at": MONDAY + 2000 * DAY}, "within the next three years"),
        ({"length": 0}, "5 to 480 minutes"),
    ],
)
def test_a_call_without_a_reason_or_a_time_is_refused_and_invites_nobody(cast, agreement, given, says):
    with pytest.raises(Refused, match=says):
        call(agreement, cast["max_"], **given)
    assert not Review.objects.exists() and not Notice.objects.filter(kind="review").exists()


def test_of_two_who_change_it_from_the_same_page_the_second_is_told(review, cast):
    given = {"length": 45, "place": "", "seen": review.sequence}
    reviews.move(review, starts_at=APRIL + DAY, **given, by=cast["max_"], now=MONDAY)
    with pytest.raises(Refused, match="Max has changed it since you opened this page"):
        reviews.move(review, starts_at=APRIL + 2 * DAY, **given, by=cast["sofia"], now=MONDAY)
    with pytest.raises(Refused, match="Max has changed it"):
        reviews.cancel(review, why="Holidays", seen=0, by=cast["sofia"], now=MONDAY)


def test_moving_it_to_where_it_is_tells_nobody(review, cast):
    reviews.move(review, starts_at=review.starts_at, length=45, place="", by=cast["max_"], now=MONDAY)
    assert sequences(review, cast["mona"]) == [f"review:{review.pk}:0"]


def test_before_its_day_nothing_is_written_or_decided(review, cast):
    the_day_before = APRIL - 12 * HOUR
    with pytest.raises(Refused, match="Its day has not come yet"):
        hold(review, cast["max_"], now=the_day_before)
    with pytest.raises(Refused, match="Its day has not come yet"):
        reviews.decide(review, text="Yes", by=cast["max_"], now=the_day_before)
    hold(review, cast["max_"], now=APRIL - 9 * HOUR)  # one in the morning there: it is the day


def test_minutes_keep_the_agenda_and_who_was_there(review, cast):
    hold(review, cast["rita"], attended={cast["max_"].pk, cast["ron"].pk})
    review.refresh_from_db()
    assert (review.state, review.held_at, review.written_by) == (HELD, ON_THE_DAY, cast["rita"])
    assert review.agenda["period"]["key"] == "2025-03-01..2025-03-31"
    assert {one.person.name: one.attended for one in review.participants.all()} == {
        "Max": True, "Mona": False, "Rita": False, "Sofia": False,
    }  # fmt: skip


def test_two_writers_do_not_lose_each_others_words(review, cast):
    first = hold(review, cast["rita"])
    with pytest.raises(Refused, match="Rita has written the minutes since you opened this page"):
        hold(review, cast["max_"], minutes="Mine", seen_at=None)
    hold(review, cast["max_"], minutes="Both", seen_at=first.written_at, now=ON_THE_DAY + HOUR)
    review.refresh_from_db()
    assert review.minutes == "Both" and review.held_at == ON_THE_DAY


@pytest.mark.parametrize(("minutes", "says"), [(" \n", "Write what was said"), ("x" * 20_001, "at most 20,000")])
def test_minutes_say_something_and_not_too_much(review, cast, minutes, says):
    with pytest.raises(Refused, match=says):
        hold(review, cast["rita"], minutes=minutes)
    review.refresh_from_db()
    assert review.state == PLANNED and review.agenda is None


# --- Decisions ----------------------------------------------------------------------------------------------------


def decide(review: Review, by: User, **given) -> Decision:
    return reviews.decide(review, **{"text": "Contact within 3 hours from May on.", **given}, by=by, now=ON_THE_DAY)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"text": " "}, "Say what was decided"),
        ({"text": "x" * 2001}, "at most 2,000"),
        ({"due_on": date(2025, 4, 20)}, "Name both who does it and by when"),
        ({"owner": "mona"}, "Name both who does it and by when"),
        ({"owner": "ron", "due_on": date(2025, 4, 20)}, "Ron is not asked to this review"),
        ({"owner": "mona", "due_on": date(2025, 3, 31)}, "a day after the review"),
    ],
)
def test_a_decision_says_what_and_either_who_and_by_when_or_neither(review, cast, given, says):
    given = {**given, **({"owner": cast[given["owner"]]} if "owner" in given else {})}
    with pytest.raises(Refused, match=says):
        decide(review, cast["max_"], **given)
    assert not Decision.objects.exists()


def test_whoever_owes_something_is_told_once_and_not_of_what_they_wrote_themselves(review, cast):
    due = {"due_on": date(2025, 4, 20)}
    decision = decide(review, cast["max_"], owner=cast["mona"], **due)
    decide(review, cast["max_"], owner=cast["max_"], **due)
    decide(review, cast["max_"])
    rows = Notice.objects.filter(key__startswith="review-decision:", channel="email")
    assert [(row.recipient, row.about) for row in rows] == [(cast["mona"], decision.pk)]


@pytest.mark.parametrize(("who", "may"), [("mona", True), ("sofia", True), ("rita", True), ("vera", False)])
def test_whoever_owes_it_and_whoever_runs_the_review_marks_it_as_done(review, cast, who, may):
    decision = decide(review, cast["max_"], owner=cast["mona"], due_on=date(2025, 4, 20))
    hold(review, cast["max_"])
    reviews.close(review, by=cast["max_"], now=ON_THE_DAY)
    if not may:
        with pytest.raises(Refused, match="Only Mona, the leaders and RevOps"):
            reviews.mark(decision, done=True, by=cast[who], now=ON_THE_DAY)
        return
    reviews.mark(decision, done=True, by=cast[who], now=ON_THE_DAY)
    decision.refresh_from_db()
    assert (decision.done_at, decision.done_by) == (ON_THE_DAY, cast[who])
    reviews.mark(decision, done=False, by=cast[who], now=ON_THE_DAY)
    decision.refresh_from_db()
    assert decision.done_at is None and decision.done_by is None


def test_a_decision_becomes_a_draft_that_says_why(review, cast):
    decision = decide(review, cast["sofia"])
    draft = reviews.draft_from(decision, by=cast["rita"], now=ON_THE_DAY)
    draft.refresh_from_db()
    assert (draft.number, draft.status, draft.based_on.number) == (2, Status.DRAFT, 1)
    assert draft.note == "Decided in the review of 1 April 2025: Contact within 3 hours from May on."
    assert draft.commitments.count() == review.agreement.versions.get(number=1).commitments.count()
    with pytest.raises(Refused, match="Version 2 was made of this decision already"):
        reviews.draft_from(decision, by=cast["rita"], now=ON_THE_DAY)
    signoff.withdraw(draft, by=cast["rita"], reason="Not yet", now=ON_THE_DAY)
    assert reviews.draft_from(decision, by=cast["rita"], now=ON_THE_DAY).number == 3


@pytest.mark.parametrize("who", ["max_", "sofia", "mona", "vera"])
def test_only_who_writes_terms_drafts_a_version(review, cast, who):
    decision = decide(review, cast["sofia"])
    with pytest.raises(Refused, match="Only RevOps writes drafts"):
        reviews.draft_from(decision, by=cast[who], now=ON_THE_DAY)
    assert review.agreement.versions.count() == 1


def test_a_review_in_which_something_was_decided_is_not_cancelled(review, cast):
    decide(review, cast["sofia"])
    with pytest.raises(Refused, match="Decisions were taken in it already"):
        reviews.cancel(review, why="Never mind", by=cast["sofia"], now=ON_THE_DAY)


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_two_who_hold_it_in_the_same_instant_write_one_after_the_other(review, cast):
    results = at_once(lambda: hold(review, cast["max_"], minutes="A"), lambda: hold(review, cast["sofia"], minutes="B"))
    assert len(refused(results)) == 1
    review.refresh_from_db()
    assert review.minutes == ("A" if review.written_by == cast["max_"] else "B")


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_of_one_decision_one_draft_is_made_however_many_click(review, cast):
    decision = decide(review, cast["sofia"])
    results = at_once(*[lambda: reviews.draft_from(decision, by=cast["rita"], now=ON_THE_DAY)] * 4)
    assert len(refused(results)) == 3 and review.agreement.versions.count() == 2


# --- What the table refuses ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"planned_for": None},
        {"state": "held"},
        {"state": "cancelled"},
        {"cancelled_why": "Why"},
        {"closed_at": MONDAY},
        {"agenda": {"schema": 1}},
    ],
)
def test_the_database_keeps_no_half_review(review, change):
    with pytest.raises(IntegrityError), transaction.atomic():
        Review.objects.filter(pk=review.pk).update(**change)


def test_the_database_keeps_no_second_review_of_a_day_and_nobody_twice(review, cast):
    copy = {"created_at": MONDAY, "changed_at": MONDAY, "starts_at": APRIL, "due_at": APRIL}
    with pytest.raises(IntegrityError), transaction.atomic():
        Review.objects.create(agreement=review.agreement, planned_for=review.planned_for, **copy)
    with pytest.raises(IntegrityError), transaction.atomic():
        Participant.objects.create(review=review, person=cast["max_"])


@pytest.mark.parametrize("change", [{"due_on": date(2025, 4, 20)}, {"done_at": MONDAY}])
def test_the_database_keeps_no_half_decision(review, cast, change):
    decide(review, cast["max_"])
    with pytest.raises(IntegrityError), transaction.atomic():
        Decision.objects.update(**change)


def test_the_address_of_a_review(review):
    assert review.get_absolute_url() == reverse("review", args=[review.pk])
