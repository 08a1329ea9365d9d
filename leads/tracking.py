"""What sales does with a handoff: attempts, dispositions, holds, outcomes. Each fact re-evaluates its clocks.

Facts are append-only: a correction voids the row, which stays visible and counts nowhere (rule A4).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from agreements import terms
from agreements.calendars import closures_by_calendar
from agreements.models import Version
from leads import timekeeping
from leads.models import (
    Attempt,
    AttemptOutcome,
    Channel,
    Direction,
    Disposition,
    Handoff,
    Hold,
    Lead,
    Outcome,
    ReasonCode,
    Verdict,
)
from slaportal import roles
from slaportal.models import User
from slaportal.refusal import Refused

CHUNK = 5_000
# Two clicks on one button come within this time; nobody calls twice in it.
DOUBLE_CLICK = timedelta(seconds=10)


@dataclass(frozen=True)
class NewAttempt:
    """An attempt to be logged: for a lead, or for a person by contact id or e-mail (rule A3)."""

    lead: Lead | None = None
    contact_id: str = ""
    email: str = ""
    at: datetime | None = None
    channel: str = Channel.CALL
    direction: str = Direction.OUTBOUND
    outcome: str = AttemptOutcome.NO_ANSWER
    automated: bool = False
    note: str = ""
    owner: User | None = None
    source_system: str = "portal"
    external_id: str | None = None


@dataclass(frozen=True)
class Decision:
    """A disposition to be made."""

    handoff: Handoff
    verdict: str
    reason: ReasonCode | None = None
    at: datetime | None = None
    note: str = ""
    back_on: date | None = None
    criterion: str = ""


@dataclass(frozen=True)
class NewOutcome:
    """A meeting, opportunity, win or loss to be recorded."""

    handoff: Handoff
    kind: str
    at: datetime | None = None
    amount: Decimal | None = None


@transaction.atomic
def log_attempts(
    attempts: Sequence[NewAttempt], *, by: User | None, now: datetime, from_system: bool = False
) -> list[Attempt]:
    """Log attempts; those that a system of record has sent before are passed over. Returns the new ones."""
    for attempt in attempts:
        if attempt.lead is None and not attempt.contact_id and not attempt.email:
            raise Refused(_("An attempt names its lead, or the person by contact id or e-mail."))
        _refuse_future(attempt.at, now)
    locked_of: dict[int, list[int]] = {}
    if not from_system:
        locked_of = _lock_handoffs_of(attempt.lead for attempt in attempts if attempt.lead)
        attempts = _without_double_clicks(attempts, by=by, now=now)
    for words in {(attempt.channel, attempt.direction, attempt.outcome) for attempt in attempts}:
        _refuse_unknown(*words)
    known = _known_ids(attempts)
    fresh = {
        (attempt.source_system, attempt.external_id or index): attempt
        for index, attempt in enumerate(attempts)
        if (attempt.source_system, attempt.external_id) not in known
    }
    created = Attempt.objects.bulk_create(
        (
            Attempt(
                lead=attempt.lead,
                contact_id=attempt.contact_id,
                email=attempt.email.lower(),
                at=attempt.at or now,
                entered_at=now,
                from_system=from_system,
                channel=attempt.channel,
                direction=attempt.direction,
                outcome=attempt.outcome,
                automated=attempt.automated,
                by=attempt.owner or by,
                note=attempt.note,
                source_system=attempt.source_system,
                external_id=attempt.external_id or None,
            )
            for attempt in fresh.values()
        ),
        batch_size=CHUNK,
    )
    timekeeping.evaluate_handoffs(_handoffs_of(created, locked_of), now=now)
    return created


def _lock_handoffs_of(leads: Iterable[Lead]) -> dict[int, list[int]]:
    """Ids of the handoffs of these leads, by lead, locked in the order of their ids: of two clicks in the same instant
    the second sees the first.
    """
    ids = sorted({lead.pk for lead in leads})
    found: dict[int, list[int]] = {number: [] for number in ids}
    rows = Handoff.objects.select_for_update(no_key=True).filter(lead__in=ids).order_by("pk")
    for lead, handoff in rows.values_list("lead", "pk"):
        found[lead].append(handoff)
    return found


def _without_double_clicks(attempts: Sequence[NewAttempt], *, by: User | None, now: datetime) -> list[NewAttempt]:
    """Attempts that the same person has not logged just the same for the lead a moment ago (rule A4)."""
    leads = sorted({attempt.lead.pk for attempt in attempts if attempt.lead})
    just_now = Attempt.objects.valid().filter(
        lead__in=leads, by=by, entered_at__gt=now - DOUBLE_CLICK, from_system=False
    )
    rows = just_now.order_by().values_list("lead", "channel", "direction", "outcome", "note", "at", "entered_at")
    # Without a time it happened when it was entered.
    same = {(*said, None if at == entered_at else at) for *said, at, entered_at in rows}
    return [
        attempt
        for attempt in attempts
        if not attempt.lead
        or (attempt.lead.pk, attempt.channel, attempt.direction, attempt.outcome, attempt.note, attempt.at) not in same
    ]


def _refuse_unknown(channel: str, direction: str, outcome: str) -> None:
    told = ((_("channel"), Channel, channel), (_("direction"), Direction, direction))
    for noun, words, word in (*told, (_("outcome of an attempt"), AttemptOutcome, outcome)):
        if word not in words.values:
            raise Refused(
                _("“%(word)s” is no %(noun)s; use %(words)s."), word=word, noun=noun, words=", ".join(words.values)
            )


def _known_ids(attempts: Sequence[NewAttempt]) -> set[tuple[str, str]]:
    ids: dict[str, list[str]] = {}
    for attempt in attempts:
        if attempt.external_id:
            ids.setdefault(attempt.source_system, []).append(attempt.external_id)
    known: set[tuple[str, str]] = set()
    for system, external in ids.items():
        for begin in range(0, len(external), CHUNK):
            found = Attempt.objects.filter(source_system=system, external_id__in=external[begin : begin + CHUNK])
            known.update(found.values_list("source_system", "external_id"))
    return known


def _handoffs_of(attempts: Iterable[Attempt], known: Mapping[int, Sequence[int]] = MappingProxyType({})) -> set[int]:
    """Ids of the handoffs for which these attempts count: by lead, or by person where none is named (rule A3).

    `known` has those of some leads already.
    """
    found: set[int] = set()
    by_field: dict[str, set[object]] = {"lead_id": set(), "lead__contact_id": set(), "lead__email": set()}
    for attempt in attempts:
        if attempt.lead_id in known:
            found.update(known[attempt.lead_id])
            continue
        if attempt.lead_id:
            by_field["lead_id"].add(attempt.lead_id)
            continue
        by_field["lead__contact_id"].add(attempt.contact_id)
        by_field["lead__email"].add(attempt.email)
    for name, values in by_field.items():
        wanted = sorted(value for value in values if value)
        for begin in range(0, len(wanted), CHUNK):
            handoffs = Handoff.objects.filter(**{f"{name}__in": wanted[begin : begin + CHUNK]})
            found.update(handoffs.values_list("pk", flat=True))
    return found


@transaction.atomic
def void_attempt(attempt: Attempt, *, by: User, reason: str, now: datetime) -> None:
    """Undo an attempt: the row stays, and counts nowhere."""
    _void(attempt, by=by, reason=reason, now=now)
    timekeeping.evaluate_handoffs(_handoffs_of([attempt]), now=now)


@transaction.atomic
def dispose(
    decisions: Sequence[Decision], *, by: User | None, now: datetime, from_system: bool = False
) -> list[Disposition]:
    """Accept, recycle or reject handoffs. What a system of record has said before is passed over."""
    handoffs = locked(decision.handoff for decision in decisions)
    if from_system:
        # A voided one too, or its system would bring it back.
        said = _stored(Disposition.objects.all(), handoffs, "verdict", "at")
    else:
        said = _stored(Disposition.objects.valid(), handoffs, "verdict")
    created = []
    for decision in decisions:
        handoff, at = handoffs[decision.handoff.pk], decision.at or now
        key = (handoff.pk, decision.verdict, at) if from_system else (handoff.pk, decision.verdict)
        if from_system and key in said:
            continue
        _refuse_decision(decision, handoff, at, now, from_system=from_system)
        if key in said:
            raise Refused(
                _("%(handoff)s is %(verdict)s already."),
                handoff=handoff,
                verdict=Verdict(decision.verdict).label.lower(),
            )
        said.add(key)
        created.append(
            Disposition(
                handoff=handoff,
                verdict=decision.verdict,
                reason=decision.reason,
                at=at,
                entered_at=now,
                from_system=from_system,
                by=by,
                note=decision.note,
                back_on=decision.back_on,
                criterion=decision.criterion,
            )
        )
    Disposition.objects.bulk_create(created, batch_size=CHUNK)
    _release_ended(created, by=by, now=now)
    timekeeping.evaluate_handoffs([row.handoff_id for row in created], now=now)
    return created


def _refuse_decision(decision: Decision, handoff: Handoff, at: datetime, now: datetime, *, from_system: bool) -> None:
    if decision.verdict not in Verdict.values:
        raise Refused(
            _("“%(verdict)s” is no disposition; use %(words)s."),
            verdict=decision.verdict,
            words=", ".join(Verdict.values),
        )
    if decision.reason and not decision.reason.fits(decision.verdict):
        raise Refused(
            _("“%(reason)s” is no reason for %(verdict)s."),
            reason=decision.reason,
            verdict=Verdict(decision.verdict).label.lower(),
        )
    _refuse_future(at, now)
    if at < handoff.qualified_at:
        raise Refused(
            _("%(handoff)s began only on %(qualified_at)s UTC; it cannot be decided before."),
            handoff=handoff,
            qualified_at=f"{handoff.qualified_at:%Y-%m-%d %H:%M}",
        )
    if not from_system and handoff.ended_at is not None:
        raise Refused(
            _("%(handoff)s has ended already. Void its last disposition first if that was a mistake."), handoff=handoff
        )


def _stored(rows: QuerySet, handoff_ids: Iterable[int], *names: str) -> set[tuple]:
    """The handoff and these fields of the rows of these handoffs."""
    ids = list(handoff_ids)
    return {
        values
        for begin in range(0, len(ids), CHUNK)
        for values in rows.filter(handoff__in=ids[begin : begin + CHUNK]).values_list("handoff_id", *names)
    }


@transaction.atomic
def void_disposition(disposition: Disposition, *, by: User, reason: str, now: datetime) -> None:
    """Take a disposition back; the handoff is what its other facts make of it."""
    _void(disposition, by=by, reason=reason, now=now)
    timekeeping.evaluate_handoffs([disposition.handoff_id], now=now)
    _hold_again(disposition, now=now)


def _release_ended(facts: Iterable[Disposition | Outcome], *, by: User | None, now: datetime) -> None:
    """Release the holds of handoffs that these facts end (rule C7): what rests after the end would rest for ever."""
    ended = {fact.handoff_id: fact.at for fact in facts if getattr(fact, "verdict", None) != Verdict.ACCEPTED}
    ids = list(ended)
    for begin in range(0, len(ids), CHUNK):
        for held in Hold.objects.filter(handoff__in=ids[begin : begin + CHUNK], ended_at=None):
            held.ended_at, held.released_by = max(held.started_at, ended[held.handoff_id]), by
            held.release_entered_at = now
            held.save(update_fields=["ended_at", "released_by", "release_entered_at"])


def _hold_again(fact: Disposition | Outcome, *, now: datetime) -> None:
    """Go on with the hold that this fact released (`_release_ended`), now that it counts nowhere (rule C5): in a row of
    its own, from the moment of the release, so that nothing of the hold is lost.
    """
    handoff = locked([fact.handoff])[fact.handoff_id]
    if handoff.ended_at is not None or handoff.holds.filter(ended_at=None).exists():
        return
    released = handoff.holds.filter(release_entered_at=fact.entered_at, ended_at__gte=fact.at, started_at__lte=now)
    if held := released.order_by("-ended_at", "-pk").first():
        Hold.objects.create(handoff=handoff, started_at=held.ended_at, reason=held.reason, entered_at=now, by=held.by)
        timekeeping.evaluate_handoffs([handoff.pk], now=now)


@transaction.atomic
def record_outcomes(
    outcomes: Sequence[NewOutcome], *, by: User | None, now: datetime, from_system: bool = False
) -> list[Outcome]:
    """Record what came of accepted handoffs, each kind once. A system of record may repeat itself."""
    handoffs = locked(outcome.handoff for outcome in outcomes)
    had = _stored(Outcome.objects.valid(), handoffs, "kind")
    taken_back = _stored(Outcome.objects.exclude(voided_at=None), handoffs, "kind", "at") if from_system else set()
    created = []
    for outcome in outcomes:
        handoff, at = handoffs[outcome.handoff.pk], outcome.at or now
        key = (handoff.pk, outcome.kind)
        _refuse_future(at, now)
        if outcome.kind not in Outcome.Kind.values:
            raise Refused(
                _("“%(kind)s” is no outcome; use %(words)s."), kind=outcome.kind, words=", ".join(Outcome.Kind.values)
            )
        if at < handoff.qualified_at:
            raise Refused(
                _("%(handoff)s began only on %(qualified_at)s; nothing can come of it before."),
                handoff=handoff,
                qualified_at=f"{handoff.qualified_at:%Y-%m-%d}",
            )
        if from_system and (key in had or (*key, at) in taken_back):
            continue
        if key in had:
            raise Refused(_("%(handoff)s has that outcome already."), handoff=handoff)
        if not from_system and handoff.stage in (Handoff.Stage.MQL, Handoff.Stage.RECYCLED, Handoff.Stage.REJECTED):
            raise Refused(
                _("%(handoff)s is not accepted, so nothing can come of it. Accept it first."), handoff=handoff
            )
        had.add(key)
        created.append(
            Outcome(
                handoff=handoff,
                kind=outcome.kind,
                at=at,
                entered_at=now,
                from_system=from_system,
                amount=outcome.amount,
                by=by,
            )
        )
    Outcome.objects.bulk_create(created, batch_size=CHUNK)
    _release_ended(created, by=by, now=now)
    timekeeping.evaluate_handoffs([row.handoff_id for row in created], now=now)
    return created


@transaction.atomic
def void_outcome(outcome: Outcome, *, by: User, reason: str, now: datetime) -> None:
    """Take an outcome back; the handoff is what its other facts make of it."""
    _void(outcome, by=by, reason=reason, now=now)
    timekeeping.evaluate_handoffs([outcome.handoff_id], now=now)
    _hold_again(outcome, now=now)


@transaction.atomic
def hold(
    handoffs: Sequence[Handoff], *, reason: str, by: User | None, now: datetime, at: datetime | None = None
) -> list[Hold]:
    """Stop the time of handoffs until they are released (rule C5). Backdating beyond the grace needs RevOps (A4)."""
    if not reason.strip():
        raise Refused(_("Say why the time shall not count."))
    fresh = locked(handoffs)
    begin = at or now
    _refuse_future(begin, now)
    already = set(Hold.objects.filter(handoff__in=fresh, ended_at=None).values_list("handoff_id", flat=True))
    for handoff in fresh.values():
        if handoff.pk in already:
            raise Refused(_("%(handoff)s is on hold already."), handoff=handoff)
        if handoff.ended_at is not None:
            raise Refused(_("%(handoff)s has ended; there is nothing to hold."), handoff=handoff)
        if begin < handoff.qualified_at:
            raise Refused(
                _("%(handoff)s began only on %(qualified_at)s UTC."),
                handoff=handoff,
                qualified_at=f"{handoff.qualified_at:%Y-%m-%d %H:%M}",
            )
    if begin < now and not (by and by.has_role(roles.REVOPS)):
        _refuse_beyond_grace(fresh.values(), begin, now)
    created = Hold.objects.bulk_create(
        Hold(handoff=handoff, started_at=begin, reason=reason.strip(), entered_at=now, by=by)
        for handoff in fresh.values()
    )
    timekeeping.evaluate_handoffs(fresh, now=now)
    return created


@transaction.atomic
def release(handoffs: Sequence[Handoff], *, by: User | None, now: datetime) -> int:
    """Let the time of held handoffs run on; returns how many were on hold."""
    fresh = locked(handoffs)
    count = Hold.objects.filter(handoff__in=fresh, ended_at=None).update(
        ended_at=now, release_entered_at=now, released_by=by
    )
    timekeeping.evaluate_handoffs(fresh, now=now)
    return count


def locked(handoffs: Iterable[Handoff]) -> dict[int, Handoff]:
    """The handoffs as they stand in the database now, locked in the order of their ids."""
    ids = sorted({handoff.pk for handoff in handoffs})
    found: dict[int, Handoff] = {}
    for begin in range(0, len(ids), CHUNK):
        rows = Handoff.objects.select_for_update(no_key=True).filter(pk__in=ids[begin : begin + CHUNK]).order_by("pk")
        found.update({row.pk: row for row in rows})
    return found


def _void(fact: Attempt | Disposition | Outcome, *, by: User, reason: str, now: datetime) -> None:
    stored = type(fact).objects.filter(pk=fact.pk, voided_at=None)
    if not stored.update(voided_at=now, voided_by=by, void_reason=reason[:200]):
        raise Refused(_("That was taken back already."))


def _refuse_future(at: datetime | None, now: datetime) -> None:
    if at is not None and at > now:
        moment = f"{at.astimezone(UTC):%Y-%m-%d %H:%M}"
        raise Refused(_("%(at)s UTC is in the future; log what has happened."), at=moment)


def _refuse_beyond_grace(handoffs: Iterable[Handoff], at: datetime, now: datetime) -> None:
    """Refuse `at` where it lies more than the agreed grace for late entries before `now` (rule A4)."""
    closures = closures_by_calendar()
    for version in Version.objects.filter(pk__in={handoff.version_id for handoff in handoffs}):
        agreed = terms.of(version)
        taken = agreed.business_times(closures)[agreed.calendar].elapsed(at, now)
        if taken > timedelta(seconds=agreed.entry_grace_seconds):
            raise Refused(_("A hold that begins so long ago needs RevOps, because it changes what was measured."))
