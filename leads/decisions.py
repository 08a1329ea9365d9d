"""RevOps' desk: what waits for a decision, each with its evidence in a line, and what was decided last. Reads only."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Prefetch, QuerySet

from agreements import terms
from agreements.calendars import closures_by_calendar
from leads import exclusions, explanations, misses, timeline
from leads.models import Clock, Disposition, Dispute, ExclusionRequest, Handoff
from leads.rules import RULES
from slaportal.models import Party, User

# What waits, on one page; and how many of the decided ones are shown.
PAGE, DECIDED = 50, 30


@dataclass
class Case:
    """A dispute with the decision that it is about, and how often sales had tried before."""

    dispute: Dispute
    decision: Disposition | None
    tried: str
    form: Any = None  # by which it is decided; a door puts it there

    kind = "dispute"

    @property
    def at(self) -> datetime:
        """When it was decided, or asked where it waits."""
        return self.dispute.answered_at or self.dispute.opened_at

    @property
    def handoff(self) -> Handoff:
        return self.dispute.handoff


@dataclass
class Request:
    """A request to exclude with the clock that it is about, and why that says what it says."""

    request: ExclusionRequest
    clock: Clock | None
    why: str
    is_own: bool
    form: Any = None  # by which it is decided; a door puts it there

    kind = "exclusion"

    @property
    def at(self) -> datetime:
        """When it was decided, or asked where it waits."""
        return self.request.decided_at or self.request.asked_at

    @property
    def handoff(self) -> Handoff:
        return self.request.handoff

    @property
    def rule(self) -> tuple[str, str]:
        """The rule that decided the clock: its sentence and its name."""
        return RULES[self.clock.rule] if self.clock else ("", "")


@dataclass(frozen=True)
class Desk:
    """What waits, who waits longest first, and what was decided, the latest first."""

    cases: list[Case]
    requests: list[Request]
    decided: list[Case | Request]
    cases_count: int
    requests_count: int

    @property
    def waiting(self) -> int:
        """How much waits."""
        return self.cases_count + self.requests_count


def of(user: User, *, now: datetime, zone: ZoneInfo) -> Desk:
    """The desk of somebody who decides disputes, and requests to exclude where the person may decide them as well."""
    disputes = _with_evidence(Dispute.objects.filter(party=Party.MARKETING))
    open_ones, closed = disputes.filter(answered_at=None), disputes.exclude(answered_at=None)
    asked = _with_evidence(ExclusionRequest.objects.all())
    if not exclusions.may_decide(user):
        asked = asked.none()
    waiting, answered = asked.waiting(), asked.exclude(decided_at=None)
    cases = [*open_ones.order_by("opened_at", "pk")[:PAGE], *closed.order_by("-answered_at", "-pk")[:DECIDED]]
    requests = [*waiting.order_by("asked_at", "pk")[:PAGE], *answered.order_by("-decided_at", "-pk")[:DECIDED]]
    told = [*_cases(cases, now=now, zone=zone), *_requests(requests, user, now=now, zone=zone)]
    decided = [one for one in told if not _waits(one)]
    return Desk(
        cases=[one for one in told if one.kind == "dispute" and _waits(one)],
        requests=[one for one in told if one.kind == "exclusion" and _waits(one)],
        decided=sorted(decided, key=lambda one: one.at, reverse=True)[:DECIDED],
        cases_count=open_ones.count(),
        requests_count=waiting.count(),
    )


def _waits(one: Case | Request) -> bool:
    return (one.dispute.answered_at if isinstance(one, Case) else one.request.decided_at) is None


def _with_evidence(rows: QuerySet) -> QuerySet:
    related = ["handoff__lead", "handoff__agreement", "handoff__version", "handoff__owner"]
    if rows.model is Dispute:
        decisions = Disposition.objects.valid().select_related("reason", "by").order_by("at", "pk")
        return rows.select_related(*related, "opened_by", "answered_by").prefetch_related(
            Prefetch("handoff__dispositions", decisions, to_attr="decisions")
        )
    clocks = Clock.objects.deciding().select_related("commitment", "charged_to__owner")
    return rows.select_related(*related, "commitment", "asked_by", "decided_by").prefetch_related(
        Prefetch("handoff__clocks", clocks, to_attr="deciding"), "handoff__holds"
    )


def _cases(disputes: Sequence[Dispute], *, now: datetime, zone: ZoneInfo) -> Iterable[Case]:
    attempts = timeline.attempts_of([one.handoff for one in disputes])
    for one in disputes:
        # What marketing disputes is the latest decision before it spoke; a later one is another matter.
        decision = next((d for d in reversed(one.handoff.decisions) if d.at <= one.opened_at), None)
        until = decision.at if decision else one.opened_at
        began = one.handoff.qualified_at
        tries = [a for a in attempts[one.handoff_id] if timeline.is_try(a) and began <= a.at <= until]
        yield Case(one, decision, misses.tried(tries, now=now, zone=zone))


def _requests(requests: Sequence[ExclusionRequest], user: User, *, now: datetime, zone: ZoneInfo) -> Iterable[Request]:
    closures = closures_by_calendar() if requests else {}
    for one in requests:
        clock = next((c for c in one.handoff.deciding if c.commitment_id == one.commitment_id), None)
        why = _why(clock, one.handoff, closures, now=now, zone=zone) if clock else ""
        yield Request(one, clock, why, one.asked_by_id == user.pk)


def _why(clock: Clock, handoff: Handoff, closures: dict, *, now: datetime, zone: ZoneInfo) -> str:
    """The arithmetic of the clock in a sentence; blank where it has no time limit, or its terms cannot be read."""
    try:
        agreed = terms.of(handoff.version)
    except terms.Unreadable:
        return ""
    promise = agreed.promise(clock.commitment.code)
    calendars = agreed.business_times(closures)
    return explanations.why(clock, promise, calendars, handoff.holds.all(), now=now, zone=zone)
