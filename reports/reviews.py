"""The life of a review: called or planned → held → closed, or cancelled. One verb for each step (rules R3 to R6).

Both sides' leaders and RevOps call, move, hold and decide. Locks are taken in this order: the agreement, then its
review; so nobody waits for the planning of the same agreement, which takes them alike.
"""

from collections.abc import Collection, Iterable
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Case, When
from django.utils.formats import date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from agreements import signers, signoff
from agreements.models import Agreement, Version
from reports import agenda, guests, review_dates, review_notices
from reports.rhythm import Decision, Participant, Review
from slaportal import roles
from slaportal.models import User
from slaportal.refusal import Refused

LONGEST_MINUTES, LONGEST_DECISION, LONGEST_LINE = 20_000, 2_000, 300
LENGTHS = range(5, 481)  # minutes


def run_by(user: User, agreements: Iterable[Agreement]) -> list[Agreement]:
    """The agreements whose reviews the person calls, moves, holds and closes: as leader of a side, or for RevOps."""
    if not user.has_perm("reports.change_review"):
        return []
    held = user.role_names()
    runs_all = user.is_superuser or roles.REVOPS in held
    return [one for one in agreements if runs_all or signers.side_of(user, held, one) is not None]


def may_run(user: User, agreement: Agreement) -> bool:
    """Whether the person runs the reviews of this agreement."""
    return bool(run_by(user, [agreement]))


def may_draft(user: User) -> bool:
    """Whether the person may turn a decision into a draft: whoever writes terms."""
    return user.has_perm("agreements.change_version")


@transaction.atomic
def call(
    agreement: Agreement, *, starts_at: datetime, length: int, place: str = "", reason: str, by: User, now: datetime
) -> Review:
    """Call a review beside those of the cadence, with a reason, and invite everybody whom it concerns."""
    _refuse_outsider(by, agreement)
    if not reason.strip():
        raise Refused(_("Say why you call it, so that everybody comes prepared."))
    agreement = _lock(agreement.pk)
    _refuse_time(starts_at, length, now)
    review = Review.objects.create(
        agreement=agreement,
        reason=_line(reason),
        is_chosen=True,
        place=_line(place)[:200],
        length=length,
        created_at=now,
        created_by=by,
        changed_at=now,
        changed_by=by,
        **times(starts_at, agreement.zone),
    )
    invite_all(review, guests.of(agreement), now=now)
    return review


@transaction.atomic
def move(
    review: Review, *, starts_at: datetime, length: int, place: str, seen: int | None = None, by: User, now: datetime
) -> Review:
    """Put a review at another time or place, and tell everybody; the cadence keeps off it from then on.

    `seen` is the `sequence` of the page that was filled in: of two who move it at once the second is told.
    """
    review = _planned(review, by, seen)
    _refuse_time(starts_at, length, now)
    place = _line(place)[:200]
    if (review.starts_at, review.length, review.place) == (starts_at, length, place):
        return review
    review.is_chosen = True
    change(review, starts_at=starts_at, length=length, place=place, by=by, now=now)
    return review


@transaction.atomic
def cancel(review: Review, *, why: str, seen: int | None = None, by: User, now: datetime) -> Review:
    """Cancel a review that is not held, with the reason; calendars take it off."""
    review = _planned(review, by, seen)
    if not why.strip():
        raise Refused(_("Say why, in a sentence."))
    if review.decisions.exists():
        raise Refused(_("Decisions were taken in it already. Write its minutes instead."))
    call_off(review, why=_line(why), by=by, now=now)
    return review


def hold(
    review: Review,
    *,
    minutes: str,
    attended: Collection[int] = (),
    seen_at: datetime | None = None,
    by: User,
    now: datetime,
) -> Review:
    """Write the minutes; the first time the agenda is kept as it stands then, and nobody is invited any more.

    `attended` are ids of people among those asked. Minutes may be written again until the review is closed; `seen_at`
    is when those were written that the writer began from, so that two writers do not lose each other's words.
    """
    # It takes many questions, and nobody need wait for them; of two who hold it at once the first one's is kept.
    drawn = agenda.draw(review, now=now) if review.is_planned and has_come(review, now=now) else None
    with transaction.atomic():
        review = _locked(review)
        _refuse_outsider(by, review.agreement)
        if not review.is_open:
            raise Refused(_is(review))
        if not minutes.strip():
            raise Refused(_("Write what was said, if only in a line."))
        if len(minutes) > LONGEST_MINUTES:
            raise Refused(_("Write at most %(most)s characters."), most=f"{LONGEST_MINUTES:,}")
        if not has_come(review, now=now):
            raise Refused(_("Its day has not come yet. Move it if you meet earlier."))
        if review.written_at != seen_at:
            raise Refused(
                _("%(who)s has written the minutes since you opened this page. Put yours and theirs together."),
                who=review.written_by,
            )
        if review.is_planned:
            # Who moved it between the two lines above has not changed what was looked at.
            review.agenda = drawn or agenda.draw(review, now=now)
            review.state, review.held_at = Review.State.HELD, now
        review.minutes, review.written_at, review.written_by = minutes.strip(), now, by
        review.save(update_fields=["agenda", "state", "held_at", "minutes", "written_at", "written_by"])
        asked = review.participants.filter(left_at=None)
        asked.update(attended=Case(When(person__in=attended, then=True), default=False))
    return review


@transaction.atomic
def decide(
    review: Review, *, text: str, owner: User | None = None, due_on: date | None = None, by: User, now: datetime
) -> Decision:
    """Write down a decision, and who carries it out by when if there is something to do; the owner is told."""
    review = _locked(review)
    _refuse_outsider(by, review.agreement)
    if not review.is_open:
        raise Refused(_is(review))
    if not has_come(review, now=now):
        raise Refused(_("Its day has not come yet, so nothing is decided yet."))
    text = text.strip()
    if not text:
        raise Refused(_("Say what was decided."))
    if len(text) > LONGEST_DECISION:
        raise Refused(_("Say it in at most %(most)s characters."), most=f"{LONGEST_DECISION:,}")
    if (owner is None) != (due_on is None):
        raise Refused(_("Name both who does it and by when, or neither where there is nothing to do."))
    if owner and not review.participants.filter(person=owner, left_at=None).exists():
        raise Refused(_("%(who)s is not asked to this review; name somebody who is."), who=owner)
    if due_on and due_on < review.starts_at.astimezone(review.agreement.zone).date():
        raise Refused(_("Choose a day after the review."))
    if review.is_planned and not review.is_chosen:
        Review.objects.filter(pk=review.pk).update(is_chosen=True)  # a meeting that decides something takes place
    decision = Decision.objects.create(
        review=review, text=text, owner=owner, due_on=due_on, decided_at=now, decided_by=by
    )
    review_notices.tell_owner(decision, by=by, now=now)
    return decision


@transaction.atomic
def mark(decision: Decision, *, done: bool, by: User, now: datetime) -> Decision:
    """Mark what somebody owes as done, or as not done after all; whoever owes it, and whoever runs the review."""
    _locked(decision.review)
    decision = Decision.objects.select_related("review__agreement", "owner").get(pk=decision.pk)
    if not may_mark(by, decision):
        raise Refused(_("Only %(owner)s, the leaders and RevOps can mark it."), owner=decision.owner or "")
    if decision.owner is None:
        raise Refused(_("There is nothing to do about it."))
    if done == (decision.done_at is not None):
        return decision
    decision.done_at, decision.done_by = (now, by) if done else (None, None)
    decision.save(update_fields=["done_at", "done_by"])
    return decision


def may_mark(user: User, decision: Decision) -> bool:
    """Whether the person may say that it is done."""
    return decision.owner_id == user.pk or may_run(user, decision.review.agreement)


@transaction.atomic
def draft_from(decision: Decision, *, by: User, now: datetime) -> Version:
    """Turn a decision into a draft of the agreement's next version, which says why; once, unless that was withdrawn.

    It begins from what is in force, else from the newest version.
    """
    if not may_draft(by):
        raise Refused(_("Only RevOps writes drafts."))
    review = _locked(decision.review)
    decision = Decision.objects.select_related("draft").get(pk=decision.pk)
    if decision.draft and decision.draft.status != "withdrawn":
        raise Refused(_("Version %(number)s was made of this decision already."), number=decision.draft.number)
    versions = review.agreement.versions
    base = versions.in_force(now).first() or versions.order_by("-number").first()
    if base is None:
        raise Refused(_("The agreement has no version to begin from."))
    draft = signoff.new_draft_from(base, by=by, now=now)
    day = date_format(review.starts_at.astimezone(review.agreement.zone), "DATE_FORMAT")
    draft.note = gettext("Decided in the review of %(day)s: %(text)s") % {"day": day, "text": decision.text}
    draft.save(update_fields=["note"])
    decision.draft = draft
    decision.save(update_fields=["draft"])
    return draft


@transaction.atomic
def close(review: Review, *, by: User, now: datetime) -> Review:
    """End the writing: minutes and decisions stay as they are; what is owed can still be marked as done."""
    review = _locked(review)
    _refuse_outsider(by, review.agreement)
    if review.state != Review.State.HELD:
        raise Refused(_("Write the minutes first.") if review.is_planned else _is(review))
    review.state, review.closed_at, review.closed_by = Review.State.CLOSED, now, by
    review.save(update_fields=["state", "closed_at", "closed_by"])
    return review


def has_come(review: Review, *, now: datetime) -> bool:
    """Whether its local day has come, so that it can be held."""
    return review.starts_at.astimezone(review.agreement.zone).date() <= now.astimezone(review.agreement.zone).date()


# --- What planning does as well; whoever calls holds the lock of the agreement --------------------------------------


def times(starts_at: datetime, zone: ZoneInfo) -> dict[str, datetime]:
    """When a review begins, and when it is overdue."""
    return {"starts_at": starts_at, "due_at": review_dates.day_end(starts_at, zone)}


def invite_all(review: Review, people: list[User], *, now: datetime) -> None:
    """Ask these people to a new review; to one whose time is over nobody is invited any more."""
    Participant.objects.bulk_create(Participant(review=review, person=person) for person in people)
    if review.starts_at > now:
        review_notices.invite(review, people, now=now)


def change(review: Review, *, by: User | None, now: datetime, starts_at: datetime, **fields: object) -> None:
    """Write what is new of a review, and tell everybody who is asked."""
    for name, value in {**fields, **times(starts_at, review.agreement.zone), "reminded_at": None}.items():
        setattr(review, name, value)
    _next_sequence(review, by=by, now=now)
    review.save()
    _tell_all(review, now=now)


def call_off(review: Review, *, why: str, by: User | None, now: datetime) -> None:
    """Cancel a review, and tell everybody who was asked while that is still of use."""
    review.state, review.cancelled_why = Review.State.CANCELLED, why
    _next_sequence(review, by=by, now=now)
    review.save()
    _tell_all(review, now=now)


def change_guests(review: Review, *, joined: list[User], left: list[Participant], now: datetime) -> None:
    """Ask people who are concerned by now, and take those off who are not; nobody else hears of it."""
    _next_sequence(review, by=None, now=now)
    review.save(update_fields=["sequence", "changed_at", "changed_by"])
    for person in joined:
        review.participants.update_or_create(person=person, defaults={"sequence": review.sequence, "left_at": None})
    Participant.objects.filter(pk__in=[one.pk for one in left]).update(sequence=review.sequence, left_at=now)
    review_notices.invite(review, [*joined, *(one.person for one in left)], now=now)


def _next_sequence(review: Review, *, by: User | None, now: datetime) -> None:
    review.sequence, review.changed_at, review.changed_by = review.sequence + 1, now, by


def _tell_all(review: Review, *, now: datetime) -> None:
    asked = review.participants.filter(left_at=None)
    asked.update(sequence=review.sequence)
    if review.starts_at > now:
        review_notices.invite(review, [one.person for one in asked.select_related("person")], now=now)


# --- Guards ---------------------------------------------------------------------------------------------------------


def _refuse_outsider(user: User, agreement: Agreement) -> None:
    if not may_run(user, agreement):
        raise Refused(_("Only the leaders of %(agreement)s and RevOps run its reviews."), agreement=agreement)


def _refuse_time(starts_at: datetime, length: int, now: datetime) -> None:
    if starts_at <= now:
        raise Refused(_("Choose a time that lies ahead."))
    if starts_at > now + timedelta(days=3 * 366):
        raise Refused(_("Choose a time within the next three years."))
    if length not in LENGTHS:
        raise Refused(_("A review takes %(least)s to %(most)s minutes."), least=LENGTHS.start, most=LENGTHS.stop - 1)


def _planned(review: Review, by: User, seen: int | None) -> Review:
    """The review, locked, if it is still planned and nobody has changed it since the page was drawn."""
    review = _locked(review)
    _refuse_outsider(by, review.agreement)
    if not review.is_planned:
        raise Refused(_is(review))
    if seen is not None and seen != review.sequence:
        raise Refused(
            _("%(who)s has changed it since you opened this page. Look at it again, then send."),
            who=review.changed_by or gettext("The portal"),
        )
    return review


def _is(review: Review) -> str:
    """Why nothing can be changed any more."""
    match review.state:
        case Review.State.CANCELLED:
            return gettext("This review is cancelled: %(why)s") % {"why": review.cancelled_why}
        case Review.State.CLOSED:
            return gettext("This review is closed; call another one.")
    return gettext("This review is held already.")


def _line(text: str) -> str:
    return " ".join(text.split())[:LONGEST_LINE]


def _lock(agreement_id: int) -> Agreement:
    """The agreement, locked until the transaction ends: nobody plans its reviews in the meantime."""
    return Agreement.objects.select_for_update(no_key=True).get(pk=agreement_id)


def _locked(review: Review) -> Review:
    """The review as it stands in the database now, locked until the transaction ends."""
    agreement = _lock(review.agreement_id)
    fresh = Review.objects.select_for_update(no_key=True, of=("self",)).get(pk=review.pk)
    fresh.agreement = agreement
    return fresh
