"""Sealing months: by themselves when the agreed days of grace are over (rule N13), and anew by RevOps (rule N15).

For whoever shows a scorecard: `sealed_editions.standing` gives the figures that stand, sealed or live, and `notice`
what `templates/reports/_sealed.html` says of them; links to the handoffs of a sealed number are `SealedEvidence`.
"""

import logging
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Min
from django.utils.translation import gettext

from agreements import chain, terms
from agreements.calendars import closures_by_calendar
from agreements.models import Agreement
from leads import timekeeping
from leads.models import Handoff
from leads.periods import MONTH, Period
from reports import code_version, drawn, month_mail, seal_notices, since_sealed, volume
from reports.models import Rendering
from reports.refresh import measured
from reports.sealed_states import pack
from reports.seals import RESTATED, SEALED, Seal
from reports.since_sealed import Change
from slaportal.models import User
from slaportal.refusal import Refused

log = logging.getLogger(__name__)

# What was on its way when a month closed has arrived by then.
ARRIVED = timedelta(minutes=10)
# A month that closed so recently is sealed as it was then, also where it is the first of its agreement.
JUST_NOW = timedelta(days=1)
LONGEST_REASON = 1000


# --- Reading ------------------------------------------------------------------------------------------------------


def latest(agreement: Agreement, period: Period) -> Seal | None:
    """The seal that stands for a month; None for one that is not sealed yet, and for every other sort of period."""
    if period.unit != MONTH:
        return None
    return Seal.objects.of(agreement, period).light().select_related("by").last()


def closes_at(agreement: Agreement, period: Period) -> datetime | None:
    """When a period's days of grace are over, on the calendar of the version in force at its end; None where none was.

    Of an agreement that ended within the period, or before, the last version's terms go on to say so.
    """
    end = period.end(agreement.zone)
    begun = [version for version, since, _ in volume.in_force(agreement.versions.agreed()) if since < end]
    if not begun:
        return None
    agreed = terms.of(begun[-1])
    calendar = agreed.business_times(closures_by_calendar())[agreed.calendar]
    return calendar.deadline(end, timedelta(seconds=agreed.sealing_grace_seconds))


def unsealed(agreement: Agreement, *, now: datetime) -> Iterator[Period]:
    """The months of an agreement that are over and not sealed, in order: from the first handoff or signature on."""
    spans = volume.in_force(agreement.versions.agreed())
    first_handoff = Handoff.objects.filter(agreement=agreement).aggregate(first=Min("qualified_at"))["first"]
    signed = [max(version.agreed_at, since) for version, since, _ in spans[:1]]
    begins = [moment for moment in (first_handoff, *signed) if moment]
    if not begins:
        return
    sealed = set(Seal.objects.filter(agreement=agreement).values_list("key", flat=True))
    month = Period.containing(MONTH, min(begins).astimezone(agreement.zone).date())
    while (end := month.end(agreement.zone)) <= now:
        start = month.start(agreement.zone)
        is_promised = any(since < end and start < until for _, since, until in spans)
        if month.key not in sealed and is_promised:
            yield month
        month = month.next


def first_known(agreement_id: int) -> list[tuple[str, datetime]]:
    """The months that are sealed, each with the moment whose knowledge it was sealed with first (rule N7)."""
    return list(Seal.objects.filter(agreement=agreement_id, number=1).order_by("key").values_list("key", "known_at"))


def would_now_read(seal: Seal, live: Mapping[str, Any]) -> list[Change]:
    """Every figure of the card that reads otherwise today, and why."""
    return since_sealed.changes(seal, live)


# --- Sealing ------------------------------------------------------------------------------------------------------


def seal_due(*, now: datetime) -> int:
    """Seal every month whose days of grace are over, in order; safe to run twice, by two workers, or after a silence.

    A month is sealed as it was known when it closed, however late the worker comes. Only months that closed before the
    agreement was sealed for the first time are sealed as they are known now: nobody was held to anything before.
    """
    done = 0
    for agreement in measured().order_by("pk"):
        try:
            for month, closed in list(_due(agreement, now=now)):
                first = Seal.objects.filter(agreement=agreement).aggregate(first=Min("sealed_at"))["first"]
                is_history = (first is None or closed < first) and now - closed > JUST_NOW
                known_at = now if is_history else closed
                done += _append(agreement, month, closed, known_at=known_at, now=now) is not None
        except terms.Unreadable as problem:
            # The alarm has been raised already (agreements.notices); the other agreements do not wait for it.
            log.error("agreement %s cannot be sealed: %s", agreement.pk, problem)
    return done


def restate(
    agreement: Agreement, period: Period, *, reason: str, by: User, now: datetime, after: int | None = None
) -> Seal:
    """Seal a month anew with everything that is known now; what it read before stays, and both sides are told.

    `after` is the number of the seal that was looked at: if another stands by now, it is refused.
    """
    if not by.has_perm("reports.restate_scorecard"):
        raise Refused(gettext("Only RevOps restates a scorecard."))
    reason = reason.strip()
    if not reason:
        raise Refused(gettext("Say why the month is restated."))
    if len(reason) > LONGEST_REASON:
        raise Refused(gettext("Say why in at most %(number)s characters."), number=f"{LONGEST_REASON:,}")
    before = latest(agreement, period)
    if before is None:
        raise Refused(gettext("%(period)s is not sealed, so there is nothing to restate."), period=period)
    made = None
    if after in (None, before.number):
        made = _append(agreement, period, before.closes_at, known_at=now, now=now, before=before, reason=reason, by=by)
    if made is None:
        raise Refused(gettext("Somebody has restated %(period)s meanwhile; look at it first."), period=period)
    return made


def _due(agreement: Agreement, *, now: datetime) -> Iterator[tuple[Period, datetime]]:
    """Months of an agreement whose days of grace are over, in order, each with the moment at which they were."""
    for month in unsealed(agreement, now=now):
        closed = closes_at(agreement, month)
        if closed is not None and closed + ARRIVED <= now:
            yield month, closed


def _append(
    agreement: Agreement,
    period: Period,
    closed: datetime,
    *,
    known_at: datetime,
    now: datetime,
    before: Seal | None = None,
    reason: str = "",
    by: User | None = None,
) -> Seal | None:
    """Write a seal with its event, or nothing if somebody was quicker.

    It is drawn first, which takes a while and depends on nothing but the moment; then written under the agreement's
    lock.
    """
    found = drawn.draw(agreement, period, at=known_at)
    made = Seal(
        agreement=agreement,
        key=period.key,
        number=before.number + 1 if before else 1,
        replaces=before,
        closes_at=closed,
        known_at=known_at,
        sealed_at=now,
        by=by,
        reason=reason,
        code=code_version.of_figures(),
        text=found.text,
        states=pack(found.states),
    )
    made.digest = made.worked_out_digest()
    with transaction.atomic():
        Agreement.objects.select_for_update(no_key=True).get(pk=agreement.pk)
        if Seal.objects.filter(agreement=agreement, key=period.key, number=made.number).exists():
            return None
        made.save(force_insert=True)
        chain.record_beyond(agreement, RESTATED if before else SEALED, by=by, now=now, detail=made.name)
        if before:
            # The trends of later months show this one.
            Rendering.objects.filter(agreement=agreement).exclude(period=period.key).delete()
            seal_notices.tell_restated(made, now=now)
        else:
            _take_places(made, now=now)
            month_mail.month_mail(agreement, period, now=now)
    return made


def _take_places(seal: Seal, *, now: datetime) -> None:
    """What came between the closing and the sealing stands behind the month's cap from now on (rule N7)."""
    zone, period = seal.agreement.zone, seal.period
    begun = Handoff.objects.filter(agreement=seal.agreement_id).begun_in(period.start(zone), period.end(zone))
    if begun.filter(known_at__gt=seal.known_at, version__monthly_cap__isnull=False).exists():
        timekeeping.evaluate_handoffs(begun.values_list("pk", flat=True), now=now)
