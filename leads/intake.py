"""How leads come in: received, matched to an agreement, qualified, handed off, routed, and their clocks started."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext

from agreements import terms
from agreements.models import Agreement, Version
from agreements.terms import Terms
from leads import qualification, routing, timekeeping
from leads.models import FormerPerson, Handoff, Lead
from leads.records import LeadRecord
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
# Who the person is: attempts that name no lead are found by them (rule A3).
PERSON_FIELDS = frozenset({"contact_id", "email"})
# What figures rest on besides the facts, so it is remembered as it was (`leads.as_known`).
REMEMBERED_FIELDS = PERSON_FIELDS | {"engaged_at"}
# What a lead keeps of it: its owner is the person behind the name.
STORED_FIELDS = (*RECEIVED_FIELDS, "owner_id")
CHUNK = 5_000
# More than any month has, in any time zone.
MONTH_AT_MOST = timedelta(days=32)
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
        agreed = Version.objects.agreed().select_related("agreement")
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

    def capped(self) -> set[int]:
        """Ids of the agreements of which a version caps a month (rule N7)."""
        return {
            agreement_id
            for agreement_id, versions in self.agreements.items()
            if any(agreed.monthly_cap is not None for _, agreed in versions)
        }


def receive_leads(records: Sequence[LeadRecord], *, now: datetime, by: User | None = None) -> Received:
    """Take leads in: add or update them, and begin a handoff for each that qualifies (rule A1).

    Known by source system and external id, so receiving the same again changes nothing. A recycled lead that is
    received later than its handoff ended, and qualifies, begins a new one. Owners are named by e-mail or name.
    """
    for record in records:
        if not record.external_id.strip() or not record.source_system.strip():
            raise Refused(gettext("A lead needs a source system and its id there, or it could not be known again."))
        if record.received_at.year < EARLIEST_YEAR:
            raise Refused(
                gettext("Lead %(external_id)s would be received in %(year)s; mend its date."),
                external_id=record.external_id,
                year=record.received_at.year,
            )
        if record.received_at > now:
            raise Refused(
                gettext("Lead %(external_id)s would be received in the future (%(received_at)s)."),
                external_id=record.external_id,
                received_at=f"{record.received_at:%Y-%m-%d}",
            )
    result = Received()
    latest = {(record.source_system, record.external_id): record for record in records}
    with transaction.atomic():
        owners = people.find_or_add(record.owner for record in latest.values())
        candidates, mended, told = [], [], []
        for stored in _store(list(latest.values()), owners, now):
            result.created += stored.is_new
            result.updated += bool(stored.changed)
            result.unchanged += not stored.is_new and not stored.changed
            moment = _moment_to_test(stored, now)
            if moment is not None:
                candidates.append(Candidate(stored.lead, moment, stored.record.received_at))
            # Of a person who is known better now, other attempts count.
            if stored.changed & PERSON_FIELDS:
                mended.append(stored.lead.pk)
            # An import goes on to what came of its leads. All other handoffs stay free, so that nobody's click waits
            # for a long file that repeats what is known.
            if not stored.is_new and (stored.record.dispositions or stored.record.outcomes):
                told.append(stored.lead.pk)
        _begin(candidates, result, mended=mended, told=told, by=by, now=now)
    return result


@transaction.atomic
def match_again(leads: QuerySet[Lead], *, by: User | None, now: datetime) -> int:
    """Ask again which version covers leads that none covered when they came; returns how many handoffs began (A2)."""
    result = Received()
    found = leads.filter(state=Lead.State.UNMATCHED).order_by("pk").select_for_update(no_key=True)
    _begin([Candidate(lead, lead.received_at, lead.received_at) for lead in found], result, by=by, now=now)
    return len(result.handoffs)


@dataclass(frozen=True)
class Stored:
    """A received record with its lead, and what storing it changed."""

    lead: Lead
    record: LeadRecord
    is_new: bool
    changed: frozenset[str]


@dataclass(frozen=True)
class Candidate:
    """A lead that may have qualified at `moment`, and when its source sent it."""

    lead: Lead
    moment: datetime
    received_at: datetime


def _moment_to_test(stored: Stored, now: datetime) -> datetime | None:
    """When the lead may have qualified; None when nothing happened that could make it.

    A waiting lead is tested on each change, a recycled one when it is received anew; an unmatched one only by
    `match_again` (rules A1 and A2).
    """
    lead, received_at = stored.lead, stored.record.received_at
    anew = received_at > lead.received_at
    if stored.is_new or (anew and lead.state != Lead.State.UNMATCHED):
        return received_at
    return now if stored.changed and lead.state == Lead.State.WAITING else None


def _store(records: list[LeadRecord], owners: Mapping[str, User], now: datetime) -> list[Stored]:
    """Insert leads and update those that the source now describes differently."""
    told = {(record.source_system, record.external_id): _told(record, owners) for record in records}
    known = _stored(told)
    # Of two workers that receive one lead at once the second finds it stored and goes on from there. Both lock what is
    # known and then insert, each in one order, so that neither waits for the other in turn.
    fresh = sorted(told.keys() - known.keys())
    for chunk in _chunks(fresh):
        Lead.objects.bulk_create([told[key] for key in chunk], ignore_conflicts=True)
    leads = known | _stored(fresh)
    rows, former = [], []
    for record, (key, described) in zip(records, told.items(), strict=True):
        was = {name: getattr(leads[key], name) for name in REMEMBERED_FIELDS}
        changed = _update(leads[key], described)
        if changed & REMEMBERED_FIELDS:
            former.append(FormerPerson(lead=leads[key], until=now, **was))
        rows.append(Stored(leads[key], record, key not in known and not changed, changed))
    FormerPerson.objects.bulk_create(former, batch_size=CHUNK)
    Lead.objects.bulk_update([row.lead for row in rows if row.changed], STORED_FIELDS, batch_size=500)
    return rows


def _stored(keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Lead]:
    """The stored leads of these source systems and external ids, locked in the order of their ids."""
    by_system: dict[str, list[str]] = {}
    for system, external_id in keys:
        by_system.setdefault(system, []).append(external_id)
    ids: list[int] = []
    for system, external in by_system.items():
        for chunk in _chunks(external):
            leads = Lead.objects.filter(source_system=system, external_id__in=chunk).order_by()
            ids += leads.values_list("pk", flat=True)
    found: dict[tuple[str, str], Lead] = {}
    for chunk in _chunks(sorted(ids)):
        for lead in Lead.objects.select_for_update(no_key=True).filter(pk__in=chunk).order_by("pk"):
            found[lead.source_system, lead.external_id] = lead
    return found


def _told(record: LeadRecord, owners: Mapping[str, User]) -> Lead:
    """The lead as its source describes it."""
    fields = {name: getattr(record, name) for name in RECEIVED_FIELDS}
    fields["email"] = record.email.lower()
    fields["owner"] = owners.get(record.owner)
    return Lead(
        source_system=record.source_system, external_id=record.external_id, received_at=record.received_at, **fields
    )


def _update(lead: Lead, told: Lead) -> frozenset[str]:
    """Take over what the source says now; the names of the fields that differed."""
    differing = frozenset(name for name in STORED_FIELDS if getattr(lead, name) != getattr(told, name))
    for name in differing:
        setattr(lead, name, getattr(told, name))
    return differing


def _begin(
    candidates: Sequence[Candidate],
    result: Received,
    *,
    mended: Sequence[int] = (),
    told: Sequence[int] = (),
    by: User | None,
    now: datetime,
) -> None:
    """Begin a handoff for each lead that qualifies at its moment, route it and start its clocks. The leads are locked.

    Of the leads in `mended` the handoffs that they have are evaluated too, and those in `told` locked for what follows.
    """
    coverage = Coverage()
    begun = _qualified(candidates, coverage, result, now=now)
    # Everybody locks leads, agreements, handoffs and teams in this order, each by id and all handoffs at once, so that
    # nobody waits for somebody in turn. Of two workers that fill one month's cap the second sees what the first began.
    capped = coverage.capped() & {handoff.agreement_id for handoff in begun}
    list(Agreement.objects.select_for_update(no_key=True).filter(pk__in=capped).order_by("pk"))
    touched = {handoff.pk for handoff in _handoffs(mended)} | _pushed_back(begun, capped)
    timekeeping.lock(sorted(touched | {handoff.pk for handoff in _handoffs(told)}))
    result.handoffs = Handoff.objects.bulk_create(begun)
    routing.start(result.handoffs, by=by, now=now)
    timekeeping.evaluate_handoffs(touched | {handoff.pk for handoff in result.handoffs}, now=now)


def _qualified(
    candidates: Sequence[Candidate], coverage: Coverage, result: Received, *, now: datetime
) -> list[Handoff]:
    """A handoff, not yet stored, for each lead that qualifies; what the leads are by now is stored and counted."""
    last = {handoff.lead_id: handoff for handoff in _handoffs([candidate.lead.pk for candidate in candidates])}
    begun: list[Handoff] = []
    states: dict[Lead.State, list[int]] = {state: [] for state in Lead.State}
    anew = []
    for candidate in candidates:
        lead, moment, previous = candidate.lead, candidate.moment, last.get(candidate.lead.pk)
        if previous and not (previous.stage == Handoff.Stage.RECYCLED and moment > previous.ended_at):
            continue
        covering = coverage.find(lead, moment)
        number = previous.number + 1 if previous else 1
        handoff = _qualify(lead, *covering, moment, number, now=now) if covering else None
        if handoff:
            begun.append(handoff)
        state = Lead.State.HANDED_OFF if handoff else Lead.State.WAITING
        states[state if covering else Lead.State.UNMATCHED].append(lead.pk)
        # The lead keeps when the receipt that was tested last came in, so that the same one is not anew again.
        if candidate.received_at > lead.received_at:
            lead.received_at = candidate.received_at
            anew.append(lead)
    result.waiting += len(states[Lead.State.WAITING])
    result.unmatched += len(states[Lead.State.UNMATCHED])
    for state, ids in states.items():
        for chunk in _chunks(ids):
            Lead.objects.filter(pk__in=chunk).update(state=state)
    Lead.objects.bulk_update(anew, ["received_at"], batch_size=500)
    return begun


def _handoffs(lead_ids: Sequence[int]) -> Iterator[Handoff]:
    """The handoffs of these leads, of each lead in their order."""
    for chunk in _chunks(lead_ids):
        yield from Handoff.objects.filter(lead__in=chunk).order_by("lead_id", "number")


def _qualify(
    lead: Lead, version: Version, agreed: Terms, at: datetime, number: int, *, now: datetime
) -> Handoff | None:
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
        known_at=now,
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


def _pushed_back(handoffs: Sequence[Handoff], capped: set[int]) -> set[int]:
    """Those that came after handoffs that begin under these agreements, in a month that their terms cap (rule N7)."""
    moments: dict[int, list[datetime]] = {}
    for handoff in handoffs:
        if handoff.agreement_id in capped:
            moments.setdefault(handoff.agreement_id, []).append(handoff.qualified_at)
    ids: set[int] = set()
    for agreement_id, found in moments.items():
        later = Handoff.objects.filter(
            agreement=agreement_id,
            version__monthly_cap__isnull=False,
            qualified_at__gte=min(found),
            qualified_at__lt=max(found) + MONTH_AT_MOST,
        )
        ids.update(later.values_list("pk", flat=True))
    return ids


def _chunks(items: Sequence) -> Iterator[Sequence]:
    """A few thousand at a time: a statement takes no more."""
    for begin in range(0, len(items), CHUNK):
        yield items[begin : begin + CHUNK]
