"""Scorecards: what the clocks of one period add up to, for each promise of each version in it (rules N1 to N7).

`compute` reads and writes nothing; `store` keeps what it said, so that a page need not ask again. The counts come from
`sums`, and so from the tallies wherever these are fresh.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from typing import Any

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, QuerySet
from django.utils.translation import gettext

from agreements import terms
from agreements.catalogue import Measure
from agreements.models import Agreement, Version
from agreements.terms import Promise
from leads import exclusions
from leads.models import TIMED_KINDS, Answer, Clock, ExclusionRequest, Handoff, Lead
from leads.periods import CUSTOM, Period, parse
from reports import beside, cohorts, counting, delays, histogram, outcomes, sums, values, volume
from reports.models import Scorecard
from reports.sums import Sums, Times
from reports.values import Judge, Labels
from slaportal.refusal import Refused

# What a scorecard says, as a number: stored ones of an earlier one are computed again when somebody asks for them.
SCHEMA = 2
# What it is broken down by. Source, campaign and segment are the handoff's copies, team and rep those of the
# assignment that the clock is charged to (N4), weekday and hour those of arrival in the agreement's zone.
DIMENSIONS = (*counting.TEXTS, *counting.CHARGED, "weekday", "hour")


def compute(
    agreement: Agreement,
    period: Period,
    *,
    now: datetime,
    by: Sequence[str] = DIMENSIONS,
    exact: bool = False,
    sections: bool = True,
) -> dict[str, Any]:
    """The scorecard of a period as it stands at `now`, ready to be written as JSON (docs/numbers.md, Counting).

    Median and p90 are within `histogram.ERROR`; where `exact`, every clock is read and they are what N5 says. Without
    `sections` it has the promises alone, and not what stands beside them: outcomes, delays, cohorts.
    """
    if unknown := [name for name in by if name not in DIMENSIONS]:
        raise Refused(
            gettext("A scorecard cannot be broken down by “%(word)s”; use %(words)s."),
            word=unknown[0],
            words=", ".join(DIMENSIONS),
        )
    start, end = period.start(agreement.zone), period.end(agreement.zone)
    handoffs = Handoff.objects.filter(agreement=agreement).begun_in(start, end)
    begun = dict(handoffs.order_by().values_list("version").annotate(Count("pk")))
    spans = volume.in_force(agreement.versions.agreed().prefetch_related("commitments"))
    shown = [version for version, since, until in spans if version.pk in begun or (since < end and start < until)]
    clocks = Clock.objects.filter(
        handoff__agreement=agreement, handoff__qualified_at__gte=start, handoff__qualified_at__lt=end
    ).order_by()
    counted = sums.of(agreement, period, by=by, exact=exact)
    answered = _answered(clocks)
    is_any_granted = any("granted" in total.excluded_by for total in counted.totals.values())
    granted = exclusions.granted(clocks.deciding()) if is_any_granted else {}
    days = {version.pk: volume.days_in_force(period, agreement.zone, since, until) for version, since, until in spans}
    labels, weeks = _labels(counted), _weeks(counted)
    commitments = []
    for version in shown:
        minimum = terms.of(version).minimum_group
        for promise, pk in _promises(version):
            total, expected = counted.totals[pk], volume.expected(promise, days[version.pk])
            is_timed, judged = promise.kind.has_limit, values.judge(promise, minimum)
            commitments.append(
                {
                    **_about(version, promise, pk),
                    "handoffs": begun.get(version.pk, 0),
                    "unanswered": total.states[Clock.State.MISSED] - answered.get(pk, 0) if is_timed else 0,
                    "granted": [_granted(request) for request in granted.get(pk, ())],
                    **_figures(promise, total, expected, ended=now >= end),
                    "too_few": judged(total.states)["too_few"],
                    **_speed(counted.times_of(pk)),
                    "by": {name: _groups(name, counted.by[pk, name], judged, labels) for name in by},
                    "weeks": _by_week(counted, pk, judged, weeks),
                }
            )
    return {
        "schema": SCHEMA,
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
        "commitments": commitments,
        **(_sections(agreement, handoffs, start, end, now) if sections else {}),
    }


def _sections(
    agreement: Agreement, handoffs: QuerySet[Handoff], start: datetime, end: datetime, now: datetime
) -> dict[str, Any]:
    """What stands beside the promises."""
    return {
        "outcomes": outcomes.count(handoffs),
        "delays": delays.measure(agreement, start, end, now=now),
        "beside": beside.measure(agreement, start, end),
        "cohorts": cohorts.measure(agreement, end, now=now),
    }


@transaction.atomic
def store(agreement: Agreement, period: Period, *, now: datetime) -> Scorecard:
    """Compute a scorecard and keep it in place of the one that was kept for the period before.

    It is locked first, so that a day that is counted again meanwhile leaves it stale.
    """
    card, _ = Scorecard.objects.select_for_update().get_or_create(
        agreement=agreement,
        start=period.start(agreement.zone),
        end=period.end(agreement.zone),
        defaults={"computed_at": now, "data": {}},
    )
    card.computed_at, card.data, card.is_stale = now, compute(agreement, period, now=now), False
    card.save(update_fields=["computed_at", "data", "is_stale"])
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
    card = kept.first()
    return card if card and is_current(card.data) else store(agreement, period, now=now)


def is_current(data: Mapping[str, Any]) -> bool:
    """Whether a stored scorecard says all that this release shows."""
    return data.get("schema") == SCHEMA


def _promises(version: Version) -> Iterable[tuple[Promise, int]]:
    """The version's promises, each with the id of its commitment."""
    ids = {commitment.code: commitment.pk for commitment in version.commitments.all()}
    return [(promise, ids[promise.code]) for promise in terms.of(version).promises]


def _answered(clocks: QuerySet[Clock]) -> dict[int, int]:
    """By commitment how many handoffs were missed and have an answer to every miss, where several owners missed them.

    Asked from the answers, which are few: all misses without one would be found by reading all clocks.
    """
    missed = clocks.filter(state=Clock.State.MISSED, commitment__kind__in=TIMED_KINDS)
    mine = missed.filter(handoff=OuterRef("handoff"), commitment=OuterRef("commitment"))
    said = Answer.objects.filter(Exists(mine.filter(subject=OuterRef("subject"))), ~Exists(mine.unanswered()))
    return dict(said.order_by().values_list("commitment").annotate(Count("handoff", distinct=True)))


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
        "limit_seconds": promise.limit_seconds,
        "calendar": promise.calendar or "",
        "scope": [str(criterion) for criterion in promise.scope],
        "baseline": None if promise.baseline is None else float(promise.baseline),
    }


def _figures(promise: Promise, total: sums.Count, expected: Fraction | None, *, ended: bool) -> dict[str, Any]:
    """Counts, target and verdict of one commitment; of volume, what was delivered against the days' targets."""
    shared = {"target": None if promise.target is None else float(promise.target), **total.counts()}
    shared["excluded_by"] = dict(total.excluded_by.most_common())
    if promise.kind.measure != Measure.COUNT:
        return {**shared, "target_unit": "share", "expected": None, **total.share(promise.target)}
    delivered = total.states[Clock.State.MET]
    reached = bool(expected) and delivered >= expected
    return {
        **shared,
        "target_unit": "per month",
        "expected": None if expected is None else float(expected),
        "attainment": float(delivered / expected) if expected else None,
        # Until its last day a volume that is not reached is not missed either.
        "kept": reached if expected and (reached or ended) else None,
    }


def _speed(times: Times) -> dict[str, Any]:
    """Median and p90, null where nothing has stopped (N5), and how the stopped clocks lie around the limit."""
    return {
        "median_seconds": times.quantile(0.5),
        "p90_seconds": times.quantile(0.9),
        "spread_error": histogram.ERROR if times.spans is None else 0.0,
        "unstopped": times.unstopped,
        "distribution": times.spread.bars(),
    }


def _groups(name: str, states: Mapping[str, Sequence[int]], judged: Judge, labels: Labels) -> list[dict[str, Any]]:
    """A commitment's counts by value."""
    return [
        {**values.told(name, value, labels), **judged(counts)} for value, counts in values.ranked(name, states, labels)
    ]


def _labels(counted: Sums) -> Labels:
    """How people read the values that are numbers."""
    asked: dict[str, set[str]] = {}
    for (_, name), counts in counted.by.items():
        asked.setdefault(name, set()).update(counts)
    return values.labels(asked)


def _weeks(counted: Sums) -> list[str]:
    """The ISO weeks from the first to the last with a handoff, in order."""
    known = sorted({key for values in counted.weeks.values() for weeks in values.values() for key in weeks})
    found = known[:1]
    while known and found[-1] != known[-1]:
        found.append(parse(found[-1]).next.key)
    return found


def _by_week(counted: Sums, pk: int, judged: Judge, weeks: Sequence[str]) -> list[dict[str, Any]]:
    """The heat map: for each source, largest first, every week of the card."""
    rows, none = [], [0, 0, 0, 0]
    for value, _ in values.ranked(sums.BY_WEEK, counted.by[pk, sums.BY_WEEK], {}):
        found = counted.weeks[pk].get(value, {})
        cells = [{"week": week, **judged(found.get(week, none))} for week in weeks]
        rows.append({**values.told(sums.BY_WEEK, value, {}), "cells": cells})
    return rows
