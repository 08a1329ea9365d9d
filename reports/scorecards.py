"""Scorecards: what the clocks of one period add up to, for each promise of each version in it (rules N1 to N7).

`compute` reads and writes nothing; `store` keeps what it said, so that a page need not ask again.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from typing import Any

import numpy as np
from django.db.models import Count

from agreements import terms
from agreements.catalogue import Measure
from agreements.models import Agreement, Version
from agreements.terms import Promise
from leads import exclusions
from leads.models import Clock, ExclusionRequest, Handoff, Lead
from leads.periods import CUSTOM, Period
from reports import outcomes, volume
from reports.models import Scorecard
from slaportal.refusal import Refused

# What a scorecard is broken down by: the column that tells values apart, and the one that names them. Source and
# segment are the handoff's copies; team and rep those of the assignment that the clock is charged to (rule N4).
DIMENSIONS = {
    "source": ("handoff__source", "handoff__source"),
    "segment": ("handoff__segment", "handoff__segment"),
    "team": ("charged_to__team", "charged_to__team__name"),
    "rep": ("charged_to__owner", "charged_to__owner__name"),
}


@dataclass
class Tally:
    """Handoffs by state, in the order of `Clock.State`, and the excluded ones by the rule that excluded them (N2)."""

    states: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    excluded_by: Counter[str] = field(default_factory=Counter)

    def add(self, state: int, rule: str, number: int) -> None:
        self.states[state] += number
        if state == Clock.State.EXCLUDED:
            self.excluded_by[rule] += number

    @property
    def judged(self) -> int:
        """Handoffs with a verdict: what a share is taken of (N3)."""
        return self.states[Clock.State.MET] + self.states[Clock.State.MISSED]

    def counts(self) -> dict[str, int]:
        """The four numbers that add up to the handoffs."""
        missed, running, met, excluded = self.states
        return {"met": met, "missed": missed, "open": running, "excluded": excluded}

    def share(self, target: Fraction | None) -> dict[str, Any]:
        """Attainment and whether it reaches the target, compared exactly; null without a verdict (C1, N3)."""
        if not self.judged:
            return {"attainment": None, "kept": None}
        attained = Fraction(self.states[Clock.State.MET], self.judged)
        return {"attainment": float(attained), "kept": None if target is None else attained >= target}


def compute(
    agreement: Agreement, period: Period, *, now: datetime, by: Sequence[str] = tuple(DIMENSIONS)
) -> dict[str, Any]:
    """The scorecard of a period as it stands at `now`, ready to be written as JSON (docs/numbers.md, Counting)."""
    if unknown := [name for name in by if name not in DIMENSIONS]:
        raise Refused(f"A scorecard cannot be broken down by “{unknown[0]}”; use {', '.join(DIMENSIONS)}.")
    start, end = period.start(agreement.zone), period.end(agreement.zone)
    handoffs = Handoff.objects.filter(agreement=agreement).begun_in(start, end)
    begun = dict(handoffs.order_by().values_list("version").annotate(Count("pk")))
    spans = volume.in_force(agreement.versions.agreed().prefetch_related("commitments"))
    shown = [version for version, since, until in spans if version.pk in begun or (since < end and start < until)]
    clocks = Clock.objects.filter(
        handoff__agreement=agreement, handoff__qualified_at__gte=start, handoff__qualified_at__lt=end
    ).order_by()
    totals, groups = _tally(clocks.deciding(), by)
    spread = _spread(clocks)
    # Handoffs, like all the figures, also where several owners missed one of them.
    silent = clocks.unanswered().values_list("commitment").annotate(Count("handoff", distinct=True))
    unanswered = dict(silent)
    is_any_granted = any("granted" in tally.excluded_by for tally in totals.values())
    granted = exclusions.granted(clocks.deciding()) if is_any_granted else {}
    days = {version.pk: volume.days_in_force(period, agreement.zone, since, until) for version, since, until in spans}
    return {
        "agreement": agreement.name,
        "versions": [version.number for version in shown],
        "period": {
            "start": start.astimezone(agreement.zone).isoformat(),
            "end": end.astimezone(agreement.zone).isoformat(),
            "key": period.key,
            "label": period.label,
        },
        "handoffs": sum(begun.values()),
        "unmatched": Lead.objects.unmatched(start, end).count(),
        "commitments": [
            {
                **_about(version, promise, pk),
                "handoffs": begun.get(version.pk, 0),
                "unanswered": unanswered.get(pk, 0),
                "granted": [_granted(request) for request in granted.get(pk, ())],
                **_figures(promise, totals[pk], volume.expected(promise, days[version.pk]), ended=now >= end),
                **_speed(*spread.get(pk, ((), 0))),
                "by": {name: _groups(groups[pk, name], promise, terms.of(version).minimum_group) for name in by},
            }
            for version in shown
            for promise, pk in _promises(version)
        ],
        "outcomes": outcomes.count(handoffs),
    }


def store(agreement: Agreement, period: Period, *, now: datetime) -> Scorecard:
    """Compute a scorecard and keep it in place of the one that was kept for the period before."""
    card, _ = Scorecard.objects.update_or_create(
        agreement=agreement,
        start=period.start(agreement.zone),
        end=period.end(agreement.zone),
        defaults={"computed_at": now, "data": compute(agreement, period, now=now)},
    )
    return card


def kept_or_computed(agreement: Agreement, period: Period, *, now: datetime) -> Scorecard:
    """The scorecard that is kept for the period; computed and kept when somebody asks for the first time.

    Days that somebody chose are computed at each asking and never kept: there are too many to keep fresh.
    """
    if period.unit == CUSTOM:
        start, end = period.start(agreement.zone), period.end(agreement.zone)
        data = compute(agreement, period, now=now)
        return Scorecard(agreement=agreement, start=start, end=end, computed_at=now, data=data)
    kept = Scorecard.objects.filter(
        agreement=agreement, start=period.start(agreement.zone), end=period.end(agreement.zone)
    )
    return kept.first() or store(agreement, period, now=now)


def _promises(version: Version) -> Iterable[tuple[Promise, int]]:
    """The version's promises, each with the id of its commitment."""
    ids = {commitment.code: commitment.pk for commitment in version.commitments.all()}
    return [(promise, ids[promise.code]) for promise in terms.of(version).promises]


def _tally(clocks: Iterable[Clock], by: Sequence[str]) -> tuple[Mapping[int, Tally], Mapping[tuple, Any]]:
    """Totals by commitment, and by (commitment, dimension) a tally for each (id, name) of a value: one query."""
    columns = list(dict.fromkeys(column for name in by for column in DIMENSIONS[name]))
    rows = clocks.values_list("commitment", "state", "rule", *columns).annotate(Count("pk"))
    at = {column: index for index, column in enumerate(columns)}
    places = [(name, *(at[column] for column in DIMENSIONS[name])) for name in by]
    totals: dict[int, Tally] = defaultdict(Tally)
    groups: dict[tuple, dict[tuple, Tally]] = defaultdict(lambda: defaultdict(Tally))
    for commitment, state, rule, *values, number in rows:
        totals[commitment].add(state, rule, number)
        for name, key, label in places:
            groups[commitment, name][values[key] or None, values[label] or None].add(state, rule, number)
    return totals, groups


def _spread(clocks: Iterable[Clock]) -> dict[int, tuple[list[float], int]]:
    """By commitment the elapsed seconds of stopped clocks, and how many have not stopped; excluded ones aside (N5)."""
    counted = clocks.exclude(state=Clock.State.EXCLUDED)
    running = dict(counted.filter(stopped_at=None).values_list("commitment").annotate(Count("pk")))
    elapsed: dict[int, list[float]] = defaultdict(list)
    stopped = counted.filter(stopped_at__isnull=False, elapsed_seconds__isnull=False)
    for commitment, seconds in stopped.values_list("commitment", "elapsed_seconds"):
        elapsed[commitment].append(seconds)
    return {pk: (elapsed[pk], running.get(pk, 0)) for pk in running.keys() | elapsed.keys()}


def _granted(request: ExclusionRequest) -> dict[str, Any]:
    """Who asked not to count a handoff and why, and who granted it (N9)."""
    return {
        "handoff": request.handoff_id,
        "asked_by": str(request.asked_by),
        "reason": request.reason,
        "granted_by": str(request.decided_by),
        "note": request.note,
    }


def _about(version: Version, promise: Promise, pk: int) -> dict[str, Any]:
    return {
        "code": promise.code,
        "version": version.number,
        "kind": promise.kind.code,
        "party": promise.kind.party.value,
        "dimension": promise.kind.dimension.value,
        "pk": pk,
        "title": promise.title,
        "limit": promise.limit,
        "calendar": promise.calendar or "",
        "scope": [str(criterion) for criterion in promise.scope],
    }


def _figures(promise: Promise, tally: Tally, expected: Fraction | None, *, ended: bool) -> dict[str, Any]:
    """Counts, target and verdict of one commitment; of volume, what was delivered against the days' targets."""
    shared = {"target": None if promise.target is None else float(promise.target), **tally.counts()}
    shared["excluded_by"] = dict(tally.excluded_by.most_common())
    if promise.kind.measure != Measure.COUNT:
        return {**shared, "target_unit": "share", "expected": None, **tally.share(promise.target)}
    delivered = tally.states[Clock.State.MET]
    reached = bool(expected) and delivered >= expected
    return {
        **shared,
        "target_unit": "per month",
        "expected": None if expected is None else float(expected),
        "attainment": float(delivered / expected) if expected else None,
        # Until its last day a volume that is not reached is not missed either.
        "kept": reached if expected and (reached or ended) else None,
    }


def _speed(elapsed: Sequence[float], unstopped: int) -> dict[str, Any]:
    """Median and p90 by linear interpolation, null where nothing has stopped (N5)."""
    median, p90 = np.percentile(elapsed, [50, 90]).tolist() if elapsed else (None, None)
    return {"median_seconds": median, "p90_seconds": p90, "unstopped": unstopped}


def _groups(tallies: Mapping[tuple, Tally], promise: Promise, minimum: int) -> list[dict[str, Any]]:
    """A commitment's counts by value, largest first and those without a value last. Volume has no target by value."""
    ranked = sorted(
        tallies.items(), key=lambda item: (item[0][1] is None, -sum(item[1].states), item[0][1] or "", str(item[0][0]))
    )
    rows = []
    for (key, label), tally in ranked:
        is_share = promise.kind.measure != Measure.COUNT
        verdict = tally.share(promise.target) if is_share else {"attainment": None, "kept": None}
        rows.append(
            {"value": label, "id": key, **tally.counts(), **verdict, "too_few": is_share and 0 < tally.judged < minimum}
        )
    return rows
