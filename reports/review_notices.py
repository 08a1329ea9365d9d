"""What people are told of reviews: that one is planned, changed or off, that one is overdue, and what they owe.

An invitation is worded when it is sent, from the review as it then stands, and carries a file for calendars. Of several
changes in a row only the newest message is sent, so what a calendar hears never goes back (rule R4).
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from reports import invitations
from reports.invitations import Guest, Meeting
from reports.rhythm import Decision, Participant, Review
from slaportal import outbox, roles
from slaportal.letters import Attachment, Letter, absolute
from slaportal.models import Notice, User
from slaportal.outbox import one_by_one

HERE = "reports.review_notices"
KIND = "review"
INVITATION = f"{HERE}.invitation"


def invite(review: Review, people: Iterable[User], *, now: datetime) -> None:
    """Tell these people of the review as it stands since its last change, once for each change."""
    key = f"review:{review.pk}:{review.sequence}"
    posts = outbox.to_people(people, key=key, kind=KIND, letter=INVITATION, about=review.pk)
    if posts:
        outbox.post(posts, now=now)


def remind(review: Review, *, now: datetime) -> None:
    """Tell RevOps once that a review is overdue; again only if it was put off and is overdue again."""
    key = f"review-overdue:{review.pk}:{review.sequence}"
    people = User.objects.filter(groups__name=roles.REVOPS, is_active=True)
    posts = outbox.to_people(people, key=key, kind=KIND, letter=f"{HERE}.overdue", about=review.pk)
    if posts:
        outbox.post(posts, now=now)


def tell_owner(decision: Decision, *, by: User, now: datetime) -> None:
    """Tell whoever has to carry out a decision; not those who decided so themselves."""
    if decision.owner is None or decision.owner == by or not decision.owner.is_active:
        return
    key = f"review-decision:{decision.pk}"
    posts = outbox.to_people([decision.owner], key=key, kind=KIND, letter=f"{HERE}.owed", about=decision.pk)
    outbox.post(posts, now=now)


# --- Letters ------------------------------------------------------------------------------------------------------


def invitation(notices: Sequence[Notice]) -> list[Letter | None]:
    """Invitations, changes and cancellations; None where a newer one is under way, or there is nothing to say."""
    ids = {notice.about for notice in notices}
    reviews = Review.objects.select_related("agreement", "changed_by").in_bulk(ids)
    asked = Participant.objects.filter(review__in=ids).select_related("person")
    places: dict[int, dict[int, Participant]] = {}
    for one in asked.order_by("person__name", "pk"):
        places.setdefault(one.review_id, {})[one.person_id] = one
    people = {notice.recipient_id for notice in notices}
    told = Notice.objects.filter(recipient__in=people, letter=INVITATION, about__in=ids, sent_at__isnull=False)
    heard = set(told.values_list("about", "recipient", "channel"))
    return [
        _invitation(
            notice,
            reviews.get(notice.about),
            places.get(notice.about, {}),
            (notice.about, notice.recipient_id, notice.channel) in heard,
        )
        for notice in notices
    ]


def _invitation(notice: Notice, review: Review | None, asked: dict[int, Participant], was_told: bool) -> Letter | None:
    place = asked.get(notice.recipient_id)
    if review is None or place is None or review.is_held:
        return None
    if place.sequence != int(notice.key.rpartition(":")[2]):
        return None  # a newer change is told by its own notice
    if notice.claimed_until and review.starts_at + timedelta(minutes=review.length) < notice.claimed_until:
        return None  # it waited for so long that the meeting is over
    is_off = review.state == Review.State.CANCELLED or place.left_at is not None
    if is_off and not was_told:
        return None
    named = {"agreement": review.agreement, "when": in_words(review.starts_at)}
    if is_off:
        subject = _("Cancelled: review of %(agreement)s, %(when)s") % named
    elif was_told:
        subject = _("Changed: review of %(agreement)s, now %(when)s") % named
    else:
        subject = _("Review of %(agreement)s: %(when)s") % named
    method = invitations.CANCEL if is_off else invitations.REQUEST
    guests = [place] if place.left_at else [one for one in asked.values() if one.left_at is None]
    paragraphs = _off(review, place) if is_off else _on(review, guests)
    file = invitations.written(meeting(review, guests, about="\n".join(paragraphs)), method)
    return Letter(
        subject,
        tuple(paragraphs),
        _("Open the review"),
        review.get_absolute_url(),
        invitation=Attachment(invitations.FILE_NAME, file, f"text/calendar; method={method}"),
    )


def _on(review: Review, guests: Sequence[Participant]) -> list[str]:
    minutes = ngettext("%(number)s minute", "%(number)s minutes", review.length) % {"number": review.length}
    zone = timezone.get_current_timezone_name()
    paragraphs = [f"{in_words(review.starts_at)} ({zone}), {minutes}{f', {review.place}' if review.place else ''}"]
    if review.reason:
        called = _("%(who)s calls it: %(why)s")
        paragraphs.append(called % {"who": review.created_by or _("Somebody"), "why": review.reason})
    paragraphs.append(_("Asked: %(people)s") % {"people": ", ".join(str(one.person) for one in guests)})
    paragraphs.append(_("The agenda is drawn from the numbers and stands on the page of the review."))
    return paragraphs


def _off(review: Review, place: Participant) -> list[str]:
    if place.left_at and review.state != Review.State.CANCELLED:
        return [_("You are not asked to this review any more.")]
    who = review.changed_by or _("The portal")
    return [_("%(who)s has cancelled it: %(why)s") % {"who": who, "why": review.cancelled_why}]


def meeting(review: Review, guests: Sequence[Participant], *, about: str) -> Meeting:
    """The review as calendars know it, for these guests."""
    return Meeting(
        uid=f"{review.uid}@{_domain()}",
        sequence=review.sequence,
        changed_at=review.changed_at,
        created_at=review.created_at,
        starts_at=review.starts_at,
        length=timedelta(minutes=review.length),
        title=_("Review of %(agreement)s") % {"agreement": review.agreement},
        about=f"{about}\n\n{absolute(review.get_absolute_url())}",
        place=review.place,
        url=absolute(review.get_absolute_url()),
        organizer=settings.DEFAULT_FROM_EMAIL,
        guests=[Guest(str(one.person), one.person.email) for one in guests],
    )


@one_by_one
def overdue(notice: Notice) -> Letter | None:
    """That a review has no minutes though its day is over; while that is so."""
    review = Review.objects.select_related("agreement").filter(pk=notice.about).first()
    if review is None or not review.is_planned or review.due_at > notice.created_at:
        return None
    named = {"agreement": review.agreement, "when": in_words(review.starts_at)}
    return Letter(
        _("Overdue: review of %(agreement)s") % named,
        (_("The review of %(when)s has no minutes. Write them, put it off or cancel it.") % named,),
        _("Open the review"),
        review.get_absolute_url(),
    )


@one_by_one
def owed(notice: Notice) -> Letter | None:
    """What somebody has to do by when, as a review decided; until it is done."""
    decision = Decision.objects.select_related("review__agreement", "decided_by").filter(pk=notice.about).first()
    if decision is None or decision.owner_id != notice.recipient_id or decision.done_at:
        return None
    named = {"agreement": decision.review.agreement, "day": date_format(decision.due_on), "by": decision.decided_by}
    return Letter(
        _("Yours until %(day)s: review of %(agreement)s") % named,
        (decision.text, _("Decided in the review of %(agreement)s, written down by %(by)s.") % named),
        _("Open the review"),
        f"{decision.review.get_absolute_url()}#decision-{decision.pk}",
    )


def in_words(moment: datetime) -> str:
    """Day and time where the reader is: “Tue 3 Mar 2026, 10:00”."""
    local = timezone.localtime(moment)
    return f"{date_format(local, 'D')} {date_format(local, 'SHORT_DATETIME_FORMAT')}"


def _domain() -> str:
    # Not the portal's address, which may change, and with it what calendars know.
    return "reviews.slaportal"
