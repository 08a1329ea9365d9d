"""Whole files in: every row is checked first, then all are written in one transaction, or none."""

import gc
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from os import PathLike

from django.db import connection, transaction
from django.db.models import F
from django.utils.translation import gettext as _

from leads import csvfile, facts, intake, mapping, timekeeping, tracking
from leads.csvfile import Refusal
from leads.mapping import Mapping, Skip
from leads.models import Handoff, Lead, ReasonCode, Verdict
from leads.records import AttemptRecord, DispositionRecord, LeadRecord, Record
from slaportal import people
from slaportal.models import User
from slaportal.refusal import Refused

CHUNK = 5_000

File = str | PathLike[str]


@dataclass(frozen=True)
class Options:
    """How to import: `dry_run` keeps nothing, `skip_invalid` writes the good rows although others were refused."""

    dry_run: bool = False
    skip_invalid: bool = False
    progress: Callable[[Iterable], Iterable] = iter


@dataclass
class ImportResult:
    """What an import did; after a dry run, what it would have done.

    `rows` are those of the file, `valid` those that can be written. A row may be refused for several values.
    `skipped`, `notes` and `counts` say how often.
    """

    rows: int = 0
    valid: int = 0
    written: bool = False
    refused: list[Refusal] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    counts: dict[str, int] = field(default_factory=dict)

    def as_dict(self) -> dict[str, object]:
        """For `--json`."""
        refused = [refusal._asdict() for refusal in self.refused]
        return {**vars(self), "refused": refused, "skipped": dict(self.skipped), "notes": dict(self.notes)}


def import_leads(
    file: File | bytes,
    map_file: File,
    *,
    now: datetime,
    by: User | None = None,
    time_zone: str | None = None,
    options: Options = Options(),
) -> ImportResult:
    """Import leads with the dispositions and outcomes that the file gives them. Importing again changes nothing.

    `time_zone` overrides the mapping's. Raises `CsvError`, `MappingError` or `Refused`; nothing is written then.
    """
    reasons = {reason.code: reason for reason in ReasonCode.objects.all()}
    fitting = {code: frozenset(filter(reason.fits, Verdict.values)) for code, reason in reasons.items()}
    how = mapping.load(map_file, time_zone, now=now, reasons=fitting)
    with _collector_paused():
        result, records = _checked(file, how, "leads", options)
        if result.refused and not options.skip_invalid:
            return result
        with _one_transaction(result, options, now=now):
            received = intake.receive_leads(records, by=by, now=now)
            for name in ("created", "updated", "unchanged", "waiting", "unmatched"):
                result.counts[name] = getattr(received, name)
            result.counts["handoffs"] = len(received.handoffs)
            decisions, outcomes = _facts(records, how.source_system, reasons, result.notes)
            disposed = tracking.dispose(decisions, by=by, now=now, from_system=True)
            recorded = tracking.record_outcomes(outcomes, by=by, now=now, from_system=True)
            result.counts |= {"dispositions": len(disposed), "outcomes": len(recorded)}
    return result


def import_attempts(
    file: File | bytes,
    map_file: File,
    *,
    now: datetime,
    by: User | None = None,
    time_zone: str | None = None,
    options: Options = Options(),
) -> ImportResult:
    """Import attempts of a system of record; arguments, errors and repetition as in `import_leads`.

    An attempt names a lead of the same source system, or only the person, whose leads may come later.
    """
    how = mapping.load(map_file, time_zone, now=now)
    with _collector_paused():
        result, records = _checked(file, how, "attempts", options)
        leads = _leads(how.source_system, [record.lead_external_id for record in records if record.lead_external_id])
        records = _named(records, leads, how, result)
        if result.refused and not options.skip_invalid:
            return result
        with _one_transaction(result, options, now=now):
            owners = people.find_or_add(record.owner for record in records)
            attempts = [
                tracking.NewAttempt(
                    lead=leads.get(record.lead_external_id),
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
                for record in records
            ]
            created = tracking.log_attempts(attempts, by=by, now=now, from_system=True)
            result.counts |= {"created": len(created), "unchanged": len(attempts) - len(created)}
    return result


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Pause the cyclic garbage collector: it would walk a file's records and rows, which all live on, again and again.

    Measured with 21,593 deals and 91,936 calls: a third of the time.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _checked(file: File | bytes, how: Mapping, target: str, options: Options) -> tuple[ImportResult, list[Record]]:
    """Read the whole file; the result knows what was skipped and refused."""
    if how.target != target:
        raise Refused(_("This mapping is for %(its)s, not for %(target)s."), its=how.target, target=target)
    result = ImportResult()
    records, lines = [], set()
    for row in options.progress(how.records(csvfile.read(file))):
        lines.add(row.line)
        if isinstance(row, Skip):
            result.skipped[row.reason] += 1
        elif isinstance(row, Refusal):
            result.refused.append(row)
        else:
            records.append(row)
            result.notes.update(getattr(row, "notes", ()))
    result.rows, result.valid = len(lines), len(records)
    return result, records


@contextmanager
def _one_transaction(result: ImportResult, options: Options, *, now: datetime) -> Iterator[None]:
    """One transaction with one evaluation of the clocks at its end; a dry run is rolled back."""
    with transaction.atomic():
        before = User.objects.filter(from_import=True).count()
        with timekeeping.evaluated_together(now=now):
            yield
            _gather_statistics()
        result.counts["people"] = User.objects.filter(from_import=True).count() - before
        if options.dry_run:
            transaction.set_rollback(True)
    result.written = not options.dry_run


def _gather_statistics() -> None:
    """Tell PostgreSQL what this transaction has filled: it joins tables that it takes for empty by nested loops."""
    if facts.is_postgresql():
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE leads_lead, leads_handoff, leads_assignment, leads_attempt, leads_disposition")


def _facts(
    records: Iterable[LeadRecord], source_system: str, reasons: dict[str, ReasonCode], notes: Counter[str]
) -> tuple[list[tracking.Decision], list[tracking.NewOutcome]]:
    """What the records say came of their leads, each on the latest handoff that had begun by then."""
    told = {record.external_id: (*record.dispositions, *record.outcomes) for record in records}
    handoffs = _handoffs(source_system, [external_id for external_id, happened in told.items() if happened])
    decisions: list[tracking.Decision] = []
    outcomes: list[tracking.NewOutcome] = []
    for external_id, happened in told.items():
        begun = handoffs.get(external_id, ())
        for fact in happened:
            handoff = next((handoff for handoff in begun if handoff.qualified_at <= fact.at), None)
            if handoff is None:
                notes[_("disposition or outcome of a lead that was not handed off by then: left out")] += 1
            elif isinstance(fact, DispositionRecord):
                decisions.append(tracking.Decision(handoff, fact.verdict, reasons.get(fact.reason), fact.at))
            else:
                outcomes.append(tracking.NewOutcome(handoff, fact.kind, fact.at, fact.amount))
    return decisions, outcomes


def _named(
    records: Iterable[AttemptRecord], leads: dict[str, Lead], how: Mapping, result: ImportResult
) -> list[AttemptRecord]:
    """The attempts whose lead or person can be known; the others are refused."""
    named = []
    for record in records:
        if record.contact_id or record.email or record.lead_external_id in leads:
            named.append(record)
        else:
            reason = _("is no lead that %(source_system)s has sent; import its leads first") % {
                "source_system": how.source_system
            }
            column = how.column("lead_external_id")
            result.refused.append(Refusal(record.line, column, record.lead_external_id, reason))
    result.refused.sort(key=lambda refusal: refusal.line)
    result.valid = len(named)
    return named


def _leads(source_system: str, external_ids: Sequence[str]) -> dict[str, Lead]:
    """Stored leads by external id."""
    leads = Lead.objects.filter(source_system=source_system)
    return {
        lead.external_id: lead
        for begin in range(0, len(external_ids), CHUNK)
        for lead in leads.filter(external_id__in=external_ids[begin : begin + CHUNK])
    }


def _handoffs(source_system: str, external_ids: Sequence[str]) -> dict[str, list[Handoff]]:
    """The handoffs of leads by the leads' external ids, the latest first."""
    found: dict[str, list[Handoff]] = {}
    handoffs = Handoff.objects.filter(lead__source_system=source_system).annotate(external_id=F("lead__external_id"))
    for begin in range(0, len(external_ids), CHUNK):
        rows = handoffs.filter(lead__external_id__in=external_ids[begin : begin + CHUNK]).order_by("-number")
        for handoff in rows.only("qualified_at"):
            found.setdefault(handoff.external_id, []).append(handoff)
    return found
