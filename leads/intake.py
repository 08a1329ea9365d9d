"""How leads come in: received, matched to an agreement, qualified, handed off, routed, and their clocks started."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
from django.db import transaction
from django.db.models import QuerySet

from agreements import terms
from agreements.models import Version
from agreements.terms import Terms
from leads import facts, qualification, timekeeping
from leads.models import Assignment, Handoff, Lead
from leads.records import LeadRecord
from leads.routing import Rota
from slaportal import people
from slaportal.models import User
from slaportal.refusal import Refused

# What a source system may say of a lead; everything else is ours.
RECEIVED_FIELDS = (
    "contact_id",
    "name",
    "email",
    "phone",
    "company",
    "title",
    "seniority",
    "company_size",
    "industry",
    "country",
    "score",
    "source",
    "campaign",
    "segment",
    "attributes",
    "engaged_at",
    "handed_over",
)
CHUNK = 5_000
# Older dates are mistakes of the source, such as 0001-01-01 for none.
EARLIEST_YEAR = 1970


@dataclass
class Received:
    """What became of the received leads."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    waiting: int = 0
    unmatched: int = 0
    handoffs: list[Handoff] = field(default_factory=list)


class Coverage:
    """Which version covers a lead at a moment: the first agreement, by priority, whose scope it meets (rule A2)."""

    def __init__(self) -> None:
        self.agreements: dict[int, list[tuple[Version, Terms]]] = {}
        agreed = Version.objects.agreed().select_related("agreement", "agreement__sales_team")
        for version in agreed.order_by("agreement__priority", "agreement_id", "effective_from"):
            self.agreements.setdefault(version.agreement_id, []).append((version, terms.of(version)))

    def find(self, lead: Lead, at: datetime) -> tuple[Version, Terms] | None:
        """The version in force at `at` whose scope the lead meets, or None: then it is unmatched."""
        values = vars(lead)
        for versions in self.agreements.values():
            place = bisect_right([version.effective_from for version, _ in versions], at) - 1
            if place < 0:
                continue
            version, agreed = versions[place]
            if (version.ends_at is None or at < version.ends_at) and qualification.covers(agreed, values):
                return version, agreed
        return None


def receive_leads(records: Sequence[LeadRecord], *, now: datetime, by: User | None = None) -> Received:
    """Take leads in: add or update them, and begin a handoff for each that qualifies (rule A1).

    Known by source system and external id, so receiving the same again changes nothing. A recycled lead that is
    received later than its handoff ended, and qualifies, begins a new one. Owners are named by e-mail or name.
    """
    for record in records:
        if not record.external_id.strip() or not record.source_system.strip():
            raise Refused("A lead needs a source system and its id there, or it could not be known again.")
        if record.received_at.year < EARLIEST_YEAR:
            raise Refused(f"Lead {record.external_id} would be received in {record.received_at.year}; mend its date.")
        if record.received_at > now:
            raise Refused(f"Lead {record.external_id} would be received in the future ({record.received_at:%Y-%m-%d}).")
    result = Received()
    latest = {(record.source_system, record.external_id): record for record in records}
    with transaction.atomic():
        owners = people.find_or_add(record.owner for record in latest.values())
        candidates = []
        for stored in _store(list(latest.values())):
            lead, record = stored.lead, stored.record
            result.created += stored.is_new
            result.updated += stored.is_changed
            result.unchanged += not stored.is_new and not stored.is_changed
            moment = _moment_to_test(stored, now)
            if moment is not None:
                candidates.append((lead, moment, owners.get(record.owner)))
        _begin(candidates, result, by=by, now=now)
    return result


@transaction.atomic
def match_again(leads: QuerySet[Lead], *, by: User | None, now: datetime) -> int:
    """Ask again which version covers leads that none covered when they came; returns how many handoffs began (A2)."""
    result = Received()
    found = leads.filter(state=Lead.State.UNMATCHED).select_for_update()
    _begin([(lead, lead.received_at, None) for lead in found], result, by=by, now=now)
    return len(result.handoffs)


@dataclass(frozen=True)
class Stored:
    """A received record with its lead, and what storing it changed."""

    lead: Lead
    record: LeadRecord
    is_new: bool
    is_changed: bool


def _moment_to_test(stored: Stored, now: datetime) -> datetime | None:
    """When the lead may have qualified; None when nothing happened that could make it.

    A waiting lead is tested on each change, a recycled one when it is received anew; an unmatched one only by
    `match_again` (rules A1 and A2).
    """
    lead, received_at = stored.lead, stored.record.received_at
    anew = received_at > lead.received_at
    if stored.is_new or (anew and lead.state != Lead.State.UNMATCHED):
        return received_at
    return now if stored.is_changed and lead.state == Lead.State.WAITING else None


def _store(records: list[LeadRecord]) -> list[Stored]:
    """Insert leads and update those that the source now describes differently."""
    out = []
    for begin in range(0, len(records), CHUNK):
        chunk = records[begin : begin + CHUNK]
        known = _by_key(chunk)
        fresh = [record for record in chunk if (record.source_system, record.external_id) not in known]
        # Of two workers that receive one lead at once the second finds it stored and goes on from there.
        Lead.objects.bulk_create([_new(record) for record in fresh], ignore_conflicts=True)
        leads = {**known, **_by_key(fresh)}
        changed = []
        for record in chunk:
            key = (record.source_system, record.external_id)
            lead, is_new = leads[key], key not in known
            is_changed = not is_new and _update(lead, record)
            if is_changed:
                changed.append(lead)
            out.append(Stored(lead, record, is_new, is_changed))
        Lead.objects.bulk_update(changed, RECEIVED_FIELDS, batch_size=500)
    return out


def _by_key(records: list[LeadRecord]) -> dict[tuple[str, str], Lead]:
    """The stored leads of these records, locked."""
    ids: dict[str, list[str]] = {}
    for record in records:
        ids.setdefault(record.source_system, []).append(record.external_id)
    return {
        (system, lead.external_id): lead
        for system, external in ids.items()
        for lead in Lead.objects.select_for_update().filter(source_system=system, external_id__in=external)
    }


def _new(record: LeadRecord) -> Lead:
    fields = {name: getattr(record, name) for name in RECEIVED_FIELDS}
    fields["email"] = record.email.lower()
    return Lead(
        source_system=record.source_system, external_id=record.external_id, received_at=record.received_at, **fields
    )


def _update(lead: Lead, record: LeadRecord) -> bool:
    """Take over what the source says now; True when anything differs."""
    fresh = _new(record)
    differing = [name for name in RECEIVED_FIELDS if getattr(lead, name) != getattr(fresh, name)]
    for name in differing:
        setattr(lead, name, getattr(fresh, name))
    return bool(differing)


def _begin(
    candidates: list[tuple[Lead, datetime, User | None]], result: Received, *, by: User | None, now: datetime
) -> None:
    """Begin a handoff for each lead that qualifies at its moment, route it and start its clocks."""
    coverage = Coverage()
    last = _last_handoffs([lead.pk for lead, _, _ in candidates if lead.state == Lead.State.HANDED_OFF])
    begun: list[tuple[Handoff, User | None]] = []
    states: dict[Lead.State, list[int]] = {state: [] for state in Lead.State}
    for lead, moment, owner in candidates:
        previous = last.get(lead.pk)
        if previous and not (previous.stage == Handoff.Stage.RECYCLED and moment > previous.ended_at):
            continue
        covering = coverage.find(lead, moment)
        handoff = _qualify(lead, *covering, moment, previous.number + 1 if previous else 1) if covering else None
        if handoff:
            begun.append((handoff, owner))
        if not previous:
            waiting = Lead.State.HANDED_OFF if handoff else Lead.State.WAITING
            states[waiting if covering else Lead.State.UNMATCHED].append(lead.pk)
    result.waiting += len(states[Lead.State.WAITING])
    result.unmatched += len(states[Lead.State.UNMATCHED])
    for state, ids in states.items():
        for begin in range(0, len(ids), CHUNK):
            Lead.objects.filter(pk__in=ids[begin : begin + CHUNK]).update(state=state)
    result.handoffs = Handoff.objects.bulk_create([handoff for handoff, _ in begun])
    _route(begun, by=by, now=now)
    timekeeping.evaluate_handoffs(_with_later_in_month(result.handoffs), now=now)


def _last_handoffs(lead_ids: list[int]) -> dict[int, Handoff]:
    """Each lead's latest handoff."""
    found: dict[int, Handoff] = {}
    for begin in range(0, len(lead_ids), CHUNK):
        handoffs = Handoff.objects.filter(lead__in=lead_ids[begin : begin + CHUNK]).order_by("lead_id", "number")
        found.update({handoff.lead_id: handoff for handoff in handoffs})
    return found


def _qualify(lead: Lead, version: Version, agreed: Terms, at: datetime, number: int) -> Handoff | None:
    """A handoff with everything copied that its terms read, or None while the lead has to wait (rule A1)."""
    values = vars(lead)
    failed = qualification.failed(agreed, values)
    if failed and not lead.handed_over:
        return None
    missing = qualification.missing(agreed, values)
    return Handoff(
        lead=lead,
        number=number,
        agreement=version.agreement,
        version=version,
        qualified_at=at,
        source=lead.source,
        campaign=lead.campaign,
        segment=lead.segment,
        score=lead.score,
        snapshot={name: qualification.raw_value(values, name) for name in sorted(agreed.fields_read())},
        failed_criteria=failed,
        missing_fields=missing,
        below_definition=bool(failed),
        is_complete=not missing,
        in_scope=qualification.scope_bits(agreed, values),
    )


def _route(begun: list[tuple[Handoff, User | None]], *, by: User | None, now: datetime) -> None:
    """Give each new handoff its first owner: who the source names, else the next of the rota."""
    rotas: dict[int, Rota] = {}
    assignments = []
    for handoff, owner in begun:
        at, why = handoff.qualified_at, "named by the source"
        if owner is None:
            rota = rotas.get(handoff.agreement_id) or Rota(handoff.agreement, now=now)
            rotas[handoff.agreement_id] = rota
            chosen = rota.next()
            if chosen is None:
                continue
            at, (owner, why) = now, chosen
        team = owner.team or handoff.agreement.sales_team
        assignments.append(Assignment(handoff=handoff, owner=owner, team=team, at=at, by=by, why=why))
    Assignment.objects.bulk_create(assignments)


def _with_later_in_month(handoffs: list[Handoff]) -> set[int]:
    """The new handoffs, and where terms cap a month those that they push back in it (rule N7)."""
    ids = {handoff.pk for handoff in handoffs}
    capped: dict[int, list[Handoff]] = {}
    for handoff in handoffs:
        if terms.of(handoff.version).monthly_cap is not None:
            capped.setdefault(handoff.agreement_id, []).append(handoff)
    for group in capped.values():
        moments = [np.datetime64(handoff.qualified_at.replace(tzinfo=None), "us") for handoff in group]
        end = facts.month_starts(min(moments), max(moments), group[0].agreement.zone)[-1]
        later = Handoff.objects.filter(
            agreement=group[0].agreement_id,
            qualified_at__gte=min(handoff.qualified_at for handoff in group),
            qualified_at__lt=end.astype(datetime).replace(tzinfo=UTC),
        )
        ids.update(later.values_list("pk", flat=True))
    return ids
