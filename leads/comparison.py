"""Compares our first response with the one that a CRM measured itself, and names the cause of each difference. Pure.

The school's CRM keeps for each deal the time from its creation to the first call: its column `SLA`. It subtracts wall
clocks of an unstated zone, to the minute. Here moments without a zone are such wall clocks; ours are UTC.
"""

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from statistics import median
from typing import NamedTuple
from zoneinfo import ZoneInfo

from leads import csvfile
from leads.csvfile import CsvError, Refusal

TOLERANCE = timedelta(seconds=60)
"""Both figures are cut to the minute, so they agree when they differ by no more."""
OUTAGE = 10
"""So many first calls in a row that the CRM did not take: it registered none at that time."""

DEAL = ("Id", "Created Time", "Contact Name", "Deal Owner Name", "SLA", "Source")
OUTBOUND, INBOUND, MISSED = "Outbound", "Inbound", "Missed"


class Call(NamedTuple):
    """A call as the CRM lists it."""

    start: datetime
    type: str
    owner: str
    duration: timedelta


@dataclass(frozen=True, slots=True)
class Deal:
    """A deal with the CRM's own time to the first call, if it has one."""

    id: str
    created: datetime
    contact: str
    owner: str
    sla: timedelta | None
    source: str = ""


@dataclass(frozen=True)
class Export:
    """The CRM's files: deals, calls by contact (blank: linked to nobody) in order, and since when it has a contact."""

    deals: Sequence[Deal]
    calls: Mapping[str, Sequence[Call]]
    contacts: Mapping[str, datetime]


class Response(NamedTuple):
    """Our measure of a deal's first response: when the clock started and stopped, and what it counted, every hour."""

    started: datetime
    stopped: datetime
    elapsed: timedelta

    def read_in(self, zone: ZoneInfo, instead: ZoneInfo) -> "Response":
        """The same wall clocks, taken for another zone's."""
        moments = (self.started, self.stopped)
        started, stopped = (at.astimezone(zone).replace(tzinfo=instead).astimezone(UTC) for at in moments)
        return Response(started, stopped, stopped - started)


@dataclass(frozen=True)
class Case:
    """A deal that both measured. `started`, `first` (our first call) and `stop` (the CRM's) are wall clocks."""

    deal: Deal
    response: Response
    first: datetime
    export: Export
    in_outage: bool = False

    @property
    def agrees(self) -> bool:
        return agree(self.deal.sla, self.response)

    @property
    def stop(self) -> datetime:
        return self.deal.created + self.deal.sla

    @property
    def cause(self) -> "Cause":
        """Why the two differ; asked only where they do."""
        return next(cause for cause in CAUSES if cause.holds(self))

    @property
    def is_shorter(self) -> bool:
        """Whether the CRM's time is the shorter one."""
        return self.stop < self.first

    @cached_property
    def calls(self) -> Sequence[Call]:
        """The calls with the person since the deal was created."""
        calls = self.export.calls.get(self.deal.contact, ())
        return calls[bisect_left(calls, self.deal.created, key=attrgetter("start")) :]

    @cached_property
    def first_call(self) -> Call:
        return next(call for call in self.calls if call.type == OUTBOUND and call.start >= self.first)

    @cached_property
    def before(self) -> list[Call]:
        """Calls at the CRM's stop, up to our first one."""
        return [call for call in self.calls if self.is_at_stop(call) and call.start <= self.first]

    @cached_property
    def after(self) -> list[Call]:
        """Other calls at the CRM's stop, from our first one on."""
        later = [call for call in self.calls if self.is_at_stop(call) and call.start >= self.first]
        return [call for call in later if call is not self.first_call]

    @property
    def unlinked(self) -> Sequence[Call]:
        """Calls at the CRM's stop that are linked to nobody."""
        calls = self.export.calls.get("", ())
        start = attrgetter("start")
        return calls[
            bisect_left(calls, self.stop - TOLERANCE, key=start) : bisect_right(calls, self.stop + TOLERANCE, key=start)
        ]

    def is_at_stop(self, call: Call) -> bool:
        return abs(call.start - self.stop) <= TOLERANCE

    def redialled(self, within: timedelta, types: Sequence[str]) -> bool:
        """Whether the CRM timed another call that began so soon after our first."""
        return not self.is_shorter and any(
            call.type in types and call.start - self.first <= within for call in self.after
        )


class Cause(NamedTuple):
    """Why the two differ: a code, the sentence, and the test."""

    code: str
    sentence: str
    holds: Callable[[Case], bool]


def _rang_first(case: Case, kind: str) -> bool:
    return case.is_shorter and any(call.type == kind for call in case.before)


def _contact_is_newer(case: Case) -> bool:
    known_since = case.export.contacts.get(case.deal.contact)
    return case.is_shorter and known_since is not None and known_since > case.stop


def _is_unlinked(case: Case) -> bool:
    return any(call.owner in (case.deal.owner, case.first_call.owner) for call in case.unlinked)


ANY = (OUTBOUND, INBOUND, MISSED)
# The first that holds is the cause. Where the wall clocks agree, only the zone in which ours were read differs.
CAUSES = (
    Cause("clock_change", "the clocks changed in between, and the CRM subtracts wall clocks",
          lambda case: abs(case.stop - case.first) <= TOLERANCE),
    Cause("answered_inbound", "the person rang first and was answered", lambda case: _rang_first(case, INBOUND)),
    Cause("missed_inbound", "the person rang first and nobody answered", lambda case: _rang_first(case, MISSED)),
    Cause("person_newer", "the deal was moved to another person; the CRM timed a call with the former one",
          _contact_is_newer),
    Cause("crm_outage", f"the CRM registered no call at that time ({OUTAGE} or more in a row)",
          lambda case: case.in_outage),
    Cause("redialled_at_once", "another call began while the first was running or within a minute of its end",
          lambda case: case.redialled(case.first_call.duration + TOLERANCE, ANY)),
    Cause("redialled_soon", "another call began within five minutes of the first",
          lambda case: case.redialled(timedelta(minutes=5), (OUTBOUND,))),
    Cause("later_call", "the CRM timed a later call; why is not in the files",
          lambda case: case.redialled(timedelta.max, (OUTBOUND,))),
    Cause("planned_call", "the CRM timed the full or half hour for which a call was planned",
          # A deal's creation is cut to the minute, so the call that was timed began up to 59 seconds after the stop.
          lambda case: (case.stop + timedelta(seconds=59)).minute in (0, 30)),
    Cause("unlinked_call", "the CRM timed a call of the owner that is linked to nobody", _is_unlinked),
    Cause("unexplained", "nothing in the files explains it", lambda case: True),
)  # fmt: skip


@dataclass(frozen=True)
class Comparison:
    """What the CRM and we say of the same deals, our moments read in `zone`."""

    zone: ZoneInfo
    cases: Sequence[Case]
    only_crm: int
    only_ours: int

    @property
    def agreeing(self) -> int:
        return sum(case.agrees for case in self.cases)

    @property
    def differing(self) -> list[Case]:
        return [case for case in self.cases if not case.agrees]

    def causes(self) -> list[tuple[Cause, int]]:
        """Every cause with the number of its deals; they add up to those that differ."""
        counts = Counter(case.cause for case in self.differing)
        return [(cause, counts[cause]) for cause in CAUSES]

    def by_source(self) -> list["OfSource"]:
        """The same for each source, most deals first."""
        cases: dict[str, list[Case]] = {}
        for case in self.cases:
            cases.setdefault(case.deal.source, []).append(case)
        return [OfSource(source, cases[source]) for source in sorted(cases, key=lambda name: (-len(cases[name]), name))]

    def read_in(self, instead: ZoneInfo) -> "Reading":
        """What would change if the files were read in another zone."""
        reading = Reading(instead, 0, 0, Counter(), Counter())
        for case in self.cases:
            other = case.response.read_in(self.zone, instead)
            change, agrees = other.elapsed - case.response.elapsed, agree(case.deal.sla, other)
            reading.agreeing += agrees
            reading.gained += agrees and not case.agrees
            if case.agrees and not agrees:
                reading.lost[change] += 1
            if case.agrees and change:
                reading.changed[change] += 1
        return reading


@dataclass(frozen=True)
class OfSource:
    """The deals of one source that both measured: how many agree, and both medians."""

    source: str
    cases: Sequence[Case]

    @property
    def differing(self) -> list[Case]:
        return [case for case in self.cases if not case.agrees]

    @property
    def medians(self) -> tuple[timedelta, timedelta]:
        """The CRM's and ours."""
        return median(case.deal.sla for case in self.cases), median(case.response.elapsed for case in self.cases)


@dataclass
class Reading:
    """The same files read in another zone: how many deals agree, and how many that did not before.

    `lost` counts the deals that agree no longer by the change of their time, `changed` all agreeing ones whose time
    changes. Another zone changes only spans over a change of the clocks, so equal counts mean: these and no others.
    """

    zone: ZoneInfo
    agreeing: int
    gained: int
    lost: Counter[timedelta]
    changed: Counter[timedelta]


def compare(export: Export, responses: Mapping[str, Response], zone: ZoneInfo) -> Comparison:
    """Compare the CRM's figures with ours, by deal; `zone` is the one in which the files were read."""
    cases, only_crm = [], 0
    for deal in export.deals:
        response = responses.get(deal.id)
        if deal.sla is not None and response is not None:
            first = response.stopped.astimezone(zone).replace(tzinfo=None)
            cases.append(Case(deal, response, first, export))
        only_crm += deal.sla is not None and response is None
    return Comparison(zone, list(_with_outages(cases)), only_crm, only_ours=len(responses) - len(cases))


def agree(sla: timedelta, response: Response) -> bool:
    """Whether the CRM's time and ours are the same but for the cut to the minute."""
    return abs(sla - response.elapsed) <= TOLERANCE


def _with_outages(cases: Iterable[Case]) -> Iterator[Case]:
    """The cases in the order of their first calls, with the runs marked that differ one after the other."""
    ordered = sorted(cases, key=lambda case: (case.first, case.deal.created, case.deal.id))
    for agrees, run in groupby(ordered, key=lambda case: abs(case.stop - case.first) <= TOLERANCE):
        several = list(run)
        if agrees or len(several) < OUTAGE:
            yield from several
        else:
            yield from (replace(case, in_outage=not case.is_shorter) for case in several)


def read_export(folder: Path) -> Export:
    """Read `deals.csv`, `calls.csv` and `contacts.csv`; raises `CsvError`."""
    deals = [
        Deal(deal, _local(created), contact, owner, span(sla), source.strip())
        for cells in _rows(folder / "deals.csv", *DEAL)
        for deal, created, contact, owner, sla, source in [[cells[name] for name in DEAL]]
        if deal
    ]
    calls: dict[str, list[Call]] = {}
    heads = ("CONTACTID", "Call Start Time", "Call Type", "Call Owner Name", "Call Duration (in seconds)")
    for cells in _rows(folder / "calls.csv", *heads):
        contact, start, kind, owner, seconds = (cells[head] for head in heads)
        duration = timedelta(seconds=float(seconds or 0))
        calls.setdefault(contact, []).append(Call(datetime.fromisoformat(start), kind, owner, duration))
    for of_contact in calls.values():
        of_contact.sort(key=attrgetter("start"))
    contacts = {
        cells["Id"]: _local(cells["Created Time"]) for cells in _rows(folder / "contacts.csv", "Id", "Created Time")
    }
    return Export(deals, calls, contacts)


def span(text: str) -> timedelta | None:
    """A span as the CRM writes it: `00:26:43`, `1 day, 20:55:36`, `4 days, 0:38:15`; blank is None."""
    if not text.strip():
        return None
    match = re.fullmatch(r"(?:(\d+) days?, )?(\d+):(\d\d):(\d\d)", text.strip())
    if not match:
        raise CsvError(f"“{text}” is not a span such as 00:26:43 or 4 days, 0:38:15.")
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def _rows(path: Path, *columns: str) -> Iterator[dict[str, str]]:
    table = csvfile.read(path)
    for column in columns:
        if column not in table.header:
            raise CsvError(f"{path} has no column “{column}”.")
    return (row.cells for row in table.rows if not isinstance(row, Refusal))


def _local(text: str) -> datetime:
    return datetime.strptime(text, "%d.%m.%Y %H:%M")  # noqa: DTZ007 (the CRM's wall clock)
