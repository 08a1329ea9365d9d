"""Whole files in: every row is checked first, then all are written in one transaction, or none."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from os import PathLike

from django.db import transaction

from leads import csvfile, intake, timekeeping, tracking
from leads.csvfile import Refusal
from leads.mapping import AttemptRecord, LeadRecord, Mapping, Skip
from leads.models import Handoff, Lead, ReasonCode
from slaportal import people
from slaportal.models import User
from slaportal.refusal import Refused

CHUNK = 5_000


@dataclass
class ImportResult:
    """What an import did, or would do."""

    rows: int = 0
    valid: int = 0
    written: bool = False
    refused: list[Refusal] = field(default_factory=list)
    skipped: Counter = field(default_factory=Counter)
    notes: Counter = field(default_factory=Counter)
    counts: Counter = field(default_factory=Counter)

    def as_dict(self) -> dict[str, object]:
        """For `--json`."""
        refused = [refusal._asdict() for refusal in self.refused]
        return {
            **asdict(self),
            "refused": refused,
            **{k: dict(getattr(self, k)) for k in ("skipped", "notes", "counts")},
        }


@dataclass(frozen=True)
class Options:
    """How to import: `dry_run` writes nothing, `skip_invalid` writes the good rows although others were refused."""

    dry_run: bool = False
    skip_invalid: bool = False
    progress: Callable[[Iterable], Iterable] = iter


def import_leads(
    path: str | PathLike[str], how: Mapping, *, now: datetime, by: User | None = None, options: Options = Options()
) -> ImportResult:
    """Import leads with the dispositions and outcomes that the file gives them. Importing again changes nothing."""
    reasons = {reason.code: reason for reason in ReasonCode.objects.all()}
    unknown = sorted(how.reason_codes - reasons.keys())
    if unknown:
        raise Refused(
            f"The mapping names reason codes that do not exist: {', '.join(unknown)}. Add them in the admin, or use "
            f"one of {', '.join(sorted(reasons))}."
        )

    def check(record: LeadRecord) -> Iterator[Refusal]:
        moments = [("received_at", record.received_at)]
        moments += [("disposition", fact.at) for fact in record.dispositions]
        moments += [("outcome", fact.at) for fact in record.outcomes]
        for name, moment in moments:
            if moment > now:
                yield Refusal(record.line, name, f"{moment:%Y-%m-%d %H:%M}", "is in the future")
        for fact in record.dispositions:
            if fact.reason and not reasons[fact.reason].fits(fact.verdict):
                yield Refusal(record.line, "reason", fact.reason, f"is no reason for {fact.verdict}")

    def write(records: list[LeadRecord], result: ImportResult) -> None:
        received = intake.receive_leads(records, by=by, now=now)
        for name in ("created", "updated", "unchanged", "waiting", "unmatched"):
            result.counts[name] = getattr(received, name)
        result.counts["handoffs"] = len(received.handoffs)
        facts = [record for record in records if record.dispositions or record.outcomes]
        handoffs = _handoffs_by_lead(facts)
        decisions, outcomes = [], []
        for record in facts:
            known = handoffs.get((record.source_system, record.external_id), [])
            for fact in record.dispositions:
                if (handoff := _at(known, fact.at)) is not None:
                    decisions.append(tracking.Decision(handoff, fact.verdict, reasons.get(fact.reason), fact.at))
            for fact in record.outcomes:
                if (handoff := _at(known, fact.at)) is not None:
                    outcomes.append(tracking.NewOutcome(handoff, fact.kind, fact.at, fact.amount))
        disposed = tracking.dispose(decisions, by=by, now=now, from_system=True)
        recorded = tracking.record_outcomes(outcomes, by=by, now=now, from_system=True)
        result.counts["dispositions"], result.counts["outcomes"] = len(disposed), len(recorded)

    return _import(path, how, "leads", check, write, now=now, options=options)


def import_attempts(
    path: str | PathLike[str], how: Mapping, *, now: datetime, by: User | None = None, options: Options = Options()
) -> ImportResult:
    """Import attempts of a system of record. They name a lead of the same source system, or only the person."""

    def check(record: AttemptRecord) -> Iterator[Refusal]:
        if record.at > now:
            yield Refusal(record.line, "at", f"{record.at:%Y-%m-%d %H:%M}", "is in the future")

    def write(records: list[AttemptRecord], result: ImportResult) -> None:
        owners = people.find_or_add(record.owner for record in records)
        leads = _leads(record for record in records if record.lead_external_id)
        attempts = []
        for record in records:
            lead = leads.get((record.source_system, record.lead_external_id))
            if lead is None and not record.contact_id and not record.email:
                result.notes[f"names a lead that was never received: {record.lead_external_id}"] += 1
                continue
            attempts.append(
                tracking.NewAttempt(
                    lead=lead,
                    contact_id=record.contact_id,
                    email=record.email,
                    at=record.at,
                    channel=record.channel,
                    direction=record.direction,
                    outcome=record.outcome,
                    automated=record.automated,
                    owner=owners.get(record.owner),
                    source_system=record.source_system,
                    external_id=record.external_id,
                )
            )
        created = tracking.log_attempts(attempts, by=by, now=now, from_system=True)
        result.counts["created"], result.counts["unchanged"] = len(created), len(attempts) - len(created)

    return _import(path, how, "attempts", check, write, now=now, options=options)


def _import(
    path: str | PathLike[str],
    how: Mapping,
    target: str,
    check: Callable[..., Iterator[Refusal]],
    write: Callable[[list, ImportResult], None],
    *,
    now: datetime,
    options: Options,
) -> ImportResult:
    """Check the whole file, then write it in one transaction with one evaluation of the clocks at its end."""
    if how.target != target:
        raise Refused(f"This mapping is for {how.target}, not for {target}.")
    result = ImportResult()
    records = []
    lines = set()
    for row in options.progress(how.records(csvfile.read(path))):
        lines.add(row.line)
        if isinstance(row, Skip):
            result.skipped[row.reason] += 1
            continue
        problems = [row] if isinstance(row, Refusal) else list(check(row))
        result.refused += problems
        if not problems:
            result.notes.update(getattr(row, "notes", ()))
            records.append(row)
    result.rows, result.valid = len(lines), len(records)
    if options.dry_run or (result.refused and not options.skip_invalid):
        return result
    with transaction.atomic(), timekeeping.evaluated_together(now=now):
        before = User.objects.filter(from_import=True).count()
        write(records, result)
        result.counts["people added"] = User.objects.filter(from_import=True).count() - before
    result.written = True
    return result


def _leads(records: Iterable[LeadRecord | AttemptRecord]) -> dict[tuple[str, str], Lead]:
    """Stored leads by source system and external id."""
    keys: dict[str, list[str]] = {}
    for record in records:
        external_id = getattr(record, "lead_external_id", None) or record.external_id
        keys.setdefault(record.source_system, []).append(external_id)
    found: dict[tuple[str, str], Lead] = {}
    for system, ids in keys.items():
        for begin in range(0, len(ids), CHUNK):
            leads = Lead.objects.filter(source_system=system, external_id__in=ids[begin : begin + CHUNK])
            found.update({(system, lead.external_id): lead for lead in leads})
    return found


def _handoffs_by_lead(records: list[LeadRecord]) -> dict[tuple[str, str], list[Handoff]]:
    """The handoffs of each record's lead, the first first."""
    keys = {lead.pk: key for key, lead in _leads(records).items()}
    found: dict[tuple[str, str], list[Handoff]] = {}
    ids = list(keys)
    for begin in range(0, len(ids), CHUNK):
        for handoff in Handoff.objects.filter(lead__in=ids[begin : begin + CHUNK]).order_by("lead_id", "number"):
            found.setdefault(keys[handoff.lead_id], []).append(handoff)
    return found


def _at(handoffs: list[Handoff], moment: datetime) -> Handoff | None:
    """The handoff that a fact of that moment belongs to: the latest that had begun."""
    begun = [handoff for handoff in handoffs if handoff.qualified_at <= moment]
    return begun[-1] if begun else None
