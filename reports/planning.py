"""Plans the reviews that the terms ask for, always the next one ahead, and reminds RevOps of those that are overdue.

Safe to run twice, by two workers, or after weeks of silence (rule R3): what is due follows from the versions alone
(`review_dates`), an agreement is locked while its reviews are written, and a day has one review by a unique key. Locks
are taken as by the verbs: the agreement, then its reviews.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from django.db import OperationalError, transaction
from django.db.models import Min, Prefetch
from django.utils.translation import gettext_lazy as _

from agreements import terms
from agreements.models import Agreement, Version
from reports import review_dates, review_notices, reviews, volume
from reports.guests import Guests
from reports.review_dates import Row, Slot, Span
from reports.rhythm import Participant, Review
from slaportal.models import User

log = logging.getLogger(__name__)

NOT_DUE = _("The agreement asks for no review on that day any more.")


def plan_ahead(*, now: datetime) -> int:
    """Plan, move and cancel reviews as the versions say, keep their guests fresh, and remind of what is overdue.

    One agreement that cannot be planned is told in the log and holds up no other. Returns how much was done.
    """
    guests, done = Guests(), 0
    # Since when the portal plans at all; what was due before is history.
    portal = Review.objects.by_cadence().aggregate(first=Min("created_at"))["first"] or now
    for agreement in _agreements():
        try:
            done += _plan(agreement, guests, portal, now)
        except OperationalError:
            raise
        except Exception:
            log.exception("reviews: agreement %s cannot be planned", agreement.pk)
    return done + _refresh_guests(guests, now) + _remind(now)


def _agreements(**chosen: object) -> list[Agreement]:
    """Agreements that both sides have signed, with their agreed versions in order and their reviews by the cadence."""
    signed = Agreement.objects.filter(pk__in=Version.objects.agreed().order_by().values("agreement"), **chosen)
    planned = Review.objects.by_cadence().filter(planned_for__isnull=False)
    return list(
        signed.select_related("sales_team").prefetch_related(
            Prefetch("versions", Version.objects.agreed(), to_attr="signed"),
            Prefetch("reviews", planned.defer("agenda", "minutes"), to_attr="by_cadence"),
        )
    )


def _plan(agreement: Agreement, guests: Guests, portal: datetime, now: datetime) -> int:
    if not _steps(agreement, portal, now):
        return 0
    with transaction.atomic():
        Agreement.objects.select_for_update(no_key=True).get(pk=agreement.pk)
        (agreement,) = _agreements(pk=agreement.pk)
        steps = _steps(agreement, portal, now)
        rows = {row.pk: row for row in agreement.by_cadence}
        for pk, slot in steps.adopted:
            Review.objects.filter(pk=pk).update(planned_for=slot.day)
        for pk in steps.cancelled:
            # Its day is free again, should later terms ask for it.
            row = _whole(rows[pk], agreement)
            row.planned_for = None
            reviews.call_off(row, why=str(NOT_DUE), by=None, now=now)
        for pk, slot in steps.moved:
            row = _whole(rows[pk], agreement)
            row.planned_for = slot.day
            reviews.change(row, starts_at=slot.starts_at, by=None, now=now)
        people = guests.of(agreement) if steps.planned else []
        for slot in steps.planned:
            _plan_one(agreement, slot, people, now)
        return len(steps.adopted) + len(steps.cancelled) + len(steps.moved) + len(steps.planned)


def _steps(agreement: Agreement, portal: datetime, now: datetime) -> review_dates.Steps:
    rows = [Row(row.pk, row.planned_for, row.is_planned, row.is_chosen) for row in agreement.by_cadence]
    signed = min(version.agreed_at for version in agreement.signed)
    began = max(signed + review_dates.NOTICE, portal)
    return review_dates.steps(rows, _spans(agreement.signed), began=began, now=now)


def _spans(signed: Iterable[Version]) -> list[Span]:
    """What each version says of reviews while it is in force; one that cannot be read says nothing."""
    spans = []
    for version, since, until in volume.in_force(signed):
        try:
            agreed = terms.of(version)
        except terms.Unreadable:
            log.error("reviews: the terms of version %s cannot be read", version.pk)
            continue
        if agreed.review_cadence:
            zone = ZoneInfo(agreed.time_zone)
            spans.append(Span(agreed.review_cadence, agreed.review_weekday, zone, since, until))
    return spans


def _plan_one(agreement: Agreement, slot: Slot, people: list[User], now: datetime) -> None:
    review = Review.objects.create(
        agreement=agreement,
        planned_for=slot.day,
        created_at=now,
        changed_at=now,
        **reviews.times(slot.starts_at, agreement.zone),
    )
    reviews.invite_all(review, people, now=now)


def _whole(row: Review, agreement: Agreement) -> Review:
    """The row with all its columns, locked."""
    fresh = Review.objects.select_for_update(no_key=True, of=("self",)).get(pk=row.pk)
    fresh.agreement = agreement
    return fresh


def _refresh_guests(guests: Guests, now: datetime) -> int:
    """Who became or ceased to be somebody whom a review concerns is asked to it, or taken off the list."""
    upcoming = Review.objects.upcoming(now).filter(starts_at__gt=now).select_related("agreement__sales_team")
    asked: Mapping[int, dict[int, Participant]] = defaultdict(dict)
    for one in Participant.objects.filter(review__in=upcoming.order_by().values("pk"), left_at=None):
        asked[one.review_id][one.person_id] = one
    done = 0
    for review in upcoming.defer("agenda", "minutes"):
        wanted = {person.pk for person in guests.of(review.agreement)}
        if wanted != asked[review.pk].keys():
            done += _change_guests(review, guests, now)
    return done


@transaction.atomic
def _change_guests(review: Review, guests: Guests, now: datetime) -> int:
    Agreement.objects.select_for_update(no_key=True).get(pk=review.agreement_id)
    fresh = _whole(review, review.agreement)
    asked = {one.person_id: one for one in fresh.participants.filter(left_at=None).select_related("person")}
    people = guests.of(review.agreement)
    joined = [person for person in people if person.pk not in asked]
    left = [one for pk, one in asked.items() if pk not in {person.pk for person in people}]
    if not fresh.is_planned or not (joined or left):
        return 0
    reviews.change_guests(fresh, joined=joined, left=left, now=now)
    return 1


def _remind(now: datetime) -> int:
    """Tell RevOps once of each review whose day is over and that has no minutes."""
    done = 0
    for pk in (
        Review.objects.overdue(now).filter(reminded_at=None).order_by("due_at", "pk").values_list("pk", flat=True)
    ):
        with transaction.atomic():
            # Whoever marks it tells of it; another worker finds it marked.
            if Review.objects.overdue(now).filter(pk=pk, reminded_at=None).update(reminded_at=now):
                review_notices.remind(Review.objects.get(pk=pk), now=now)
                done += 1
    return done
