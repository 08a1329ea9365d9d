"""Outcomes beside compliance: what came of handoffs whose promise was kept, and of those that missed it (rule N11).

Compared within the same source and segment, with counts and intervals. It says what stands beside what, not what made
what: whoever calls soon may have had the better leads.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from django.db import connection

from agreements import terms
from agreements.models import Agreement, Version
from agreements.terms import Promise
from leads import facts
from leads.filters import VERDICTS
from leads.models import Clock, Handoff, Outcome
from reports import intervals
from reports.intervals import Interval, Pair
from slaportal.models import Party

STATES = {"met": Clock.State.MET, "missed": Clock.State.MISSED}
# How far a handoff came: each is a bit of `reached`, in the order of the stages (A5).
ACCEPTED, MEETING, OPPORTUNITY, WON = STAGES = ("accepted", "meeting", "opportunity", "won")
COUNTS = {ACCEPTED: "accepted", MEETING: "meetings", OPPORTUNITY: "opportunities", WON: "won"}
RATES = {ACCEPTED: "acceptance_rate", MEETING: "meeting_rate", OPPORTUNITY: "opportunity_rate", WON: "won_rate"}
_KINDS = (Outcome.Kind.MEETING, Outcome.Kind.OPPORTUNITY, Outcome.Kind.WON)  # of the stages from the second on
_COMBINATIONS = 1 << len(STAGES)

_CLOCK = np.dtype([("handoff", "i8"), ("commitment", "i8"), ("state", "i8")])
_CAME = np.dtype([("handoff", "i8"), ("stage", "i8"), ("cents", "i8")])


@dataclass(frozen=True)
class Group:
    """Handoffs counted by which stages they reached, and the cents of their opportunities."""

    combinations: np.ndarray
    cents: int = 0

    def __add__(self, other: "Group") -> "Group":
        return Group(self.combinations + other.combinations, self.cents + other.cents)

    @property
    def count(self) -> int:
        return int(self.combinations.sum())

    def reached(self, *stages: str) -> int:
        """How many reached each of these stages, whatever else they reached."""
        bits = sum(1 << STAGES.index(stage) for stage in stages)
        return int(self.combinations[(np.arange(_COMBINATIONS) & bits) == bits].sum())

    def counts(self) -> dict[str, Any]:
        """The numbers of each stage and the pipeline."""
        return {
            "count": self.count,
            **{COUNTS[stage]: self.reached(stage) for stage in STAGES},
            "pipeline": self.cents / 100,
        }


NOBODY = Group(np.zeros(_COMBINATIONS, "i8"))
# By state the handoffs of one source and segment.
Stratum = Mapping[str, Group]


def measure(agreement: Agreement, start: datetime, end: datetime) -> list[dict[str, Any]]:
    """For each timed promise of sales its kept and its missed handoffs of `[start, end)` side by side, as JSON.

    A stratum with fewer verdicts than the terms' least group says *too few*, and so does one that has only one of the
    two; neither is compared. What is said of all of them, `difference`, is of those that are.
    """
    versions = agreement.versions.agreed().prefetch_related("commitments")
    promises = {pk: (version, promise) for version in versions for promise, pk in _timed_of_sales(version)}
    counted = _counted(agreement, start, end, list(promises))
    return [_figures(version, promise, pk, counted[pk]) for pk, (version, promise) in promises.items() if pk in counted]


def _timed_of_sales(version: Version) -> Iterable[tuple[Promise, int]]:
    ids = {commitment.code: commitment.pk for commitment in version.commitments.all()}
    promises = terms.of(version).promises
    return [(one, ids[one.code]) for one in promises if one.kind.party == Party.SALES and one.kind.has_limit]


# --- Figures -------------------------------------------------------------------------------------------------------


def _figures(version: Version, promise: Promise, pk: int, strata: Mapping[tuple[str, str], Stratum]) -> dict[str, Any]:
    minimum = terms.of(version).minimum_group
    ranked = sorted(strata.items(), key=lambda item: (-sum(group.count for group in item[1].values()), item[0]))
    compared = {key: stratum for key, stratum in ranked if _is_enough(stratum, minimum)}
    totals = {state: sum((stratum[state] for stratum in strata.values()), NOBODY) for state in STATES}
    sizes = {state: sum(stratum[state].count for stratum in compared.values()) for state in STATES}
    return {
        "pk": pk,
        "code": promise.code,
        "version": version.number,
        "title": promise.title,
        "minimum_group": minimum,
        "rows": [_row(state, totals[state], minimum) for state in STATES],
        "strata": [
            {
                "source": source or None,
                "segment": segment or None,
                **{state: stratum[state].counts() for state in STATES},
                "too_few": (source, segment) not in compared,
                "difference": _differences([stratum] if (source, segment) in compared else []),
            }
            for (source, segment), stratum in ranked
        ],
        "difference": _differences(list(compared.values())),
        "compared": {
            "strata": len(compared),
            **sizes,
            "left_out": sum(group.count for group in totals.values()) - sum(sizes.values()),
        },
    }


def _is_enough(stratum: Stratum, minimum: int) -> bool:
    counts = [stratum[state].count for state in STATES]
    return min(counts) > 0 and sum(counts) >= minimum


def _row(state: str, group: Group, minimum: int) -> dict[str, Any]:
    """All handoffs of one verdict: how many reached each stage, of all and of those that reached the one before.

    `low` and `high` are the meeting rate's.
    """
    rates = {stage: _interval(intervals.share(group.reached(stage), group.count)) for stage in STAGES}
    meeting = rates[MEETING] or {"low": None, "high": None}
    return {
        "state": state,
        **group.counts(),
        **{RATES[stage]: rate and rate["value"] for stage, rate in rates.items()},
        "low": meeting["low"],
        "high": meeting["high"],
        "stages": [
            {
                "stage": stage,
                "count": group.reached(stage),
                "of": group.count,
                "rate": rates[stage],
                **_step(group, stage, before),
            }
            for stage, before in zip(STAGES, (None, *STAGES), strict=False)
        ],
        "too_few": group.count < minimum,
    }


def _step(group: Group, stage: str, before: str | None) -> dict[str, Any]:
    """How many of those that reached the stage before reached this one, and the share."""
    of = group.reached(before) if before else group.count
    count = group.reached(stage, before) if before else group.reached(stage)
    return {"step_count": count, "step_of": of, "step_rate": _interval(intervals.share(count, of))}


def _differences(strata: Sequence[Stratum]) -> dict[str, Any]:
    """Each rate of the kept less that of the missed, within these strata; null where there is none."""
    return {
        RATES[stage]: _interval(
            intervals.difference(
                [
                    Pair(
                        stratum["met"].reached(stage),
                        stratum["met"].count,
                        stratum["missed"].reached(stage),
                        stratum["missed"].count,
                    )
                    for stratum in strata
                ]
            )
        )
        for stage in STAGES
    }


def _interval(found: Interval | None) -> dict[str, float] | None:
    return found and found._asdict()


# --- Counting ------------------------------------------------------------------------------------------------------


def _counted(
    agreement: Agreement, start: datetime, end: datetime, commitments: Sequence[int]
) -> dict[int, dict[tuple[str, str], Stratum]]:
    """By commitment and stratum the handoffs of each state. Columns of numbers are read whole and counted by numpy."""
    begun = Handoff.objects.filter(agreement=agreement).begun_in(start, end)
    rows = sorted(begun.order_by().values_list("pk", "source", "segment", "stage"))
    if not rows or not commitments:
        return {}
    ids = np.array([pk for pk, *_ in rows])
    keys = sorted({(source, segment) for _, source, segment, _ in rows})
    places = {key: place for place, key in enumerate(keys)}
    stratum = np.array([places[source, segment] for _, source, segment, _ in rows])
    accepted = np.array([stage in VERDICTS["accepted"] for *_, stage in rows])
    reached, cents = _outcomes(agreement, start, end, ids)
    reached |= accepted << STAGES.index(ACCEPTED)

    adapt = connection.ops.adapt_datetimefield_value
    given, parameters = facts.picked(commitments)
    clocks = facts.columns(
        "SELECT c.handoff_id, c.commitment_id, c.state FROM leads_handoff h JOIN leads_clock c ON c.handoff_id = h.id "
        "JOIN picked ON picked.id = c.commitment_id "
        "WHERE h.agreement_id = %s AND h.qualified_at >= %s AND h.qualified_at < %s "
        "AND c.decides AND c.state IN (%s, %s)",
        [*parameters, agreement.pk, adapt(start), adapt(end), *STATES.values()],
        _CLOCK,
        given=given,
    )
    clocks = clocks[np.isin(clocks["handoff"], ids)]
    at = np.searchsorted(ids, clocks["handoff"])
    found: dict[int, dict[tuple[str, str], Stratum]] = {}
    for pk in np.unique(clocks["commitment"]).tolist():
        by_state = {}
        for state, number in STATES.items():
            mine = at[(clocks["commitment"] == pk) & (clocks["state"] == number)]
            places_of = stratum[mine] * _COMBINATIONS + reached[mine]
            combinations = np.bincount(places_of, minlength=len(keys) * _COMBINATIONS).reshape(-1, _COMBINATIONS)
            sums = np.zeros(len(keys), "i8")
            np.add.at(sums, stratum[mine], cents[mine])
            by_state[state] = [Group(*pair) for pair in zip(combinations, sums.tolist(), strict=True)]
        strata = {key: {state: by_state[state][place] for state in STATES} for place, key in enumerate(keys)}
        found[pk] = {key: one for key, one in strata.items() if any(group.count for group in one.values())}
    return found


def _outcomes(agreement: Agreement, start: datetime, end: datetime, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Per handoff what came of it, as bits of STAGES, and the cents of its opportunity; what is voided counts not."""
    adapt = connection.ops.adapt_datetimefield_value
    came = facts.columns(
        "SELECT f.handoff_id, CASE f.kind WHEN %s THEN 1 WHEN %s THEN 2 WHEN %s THEN 3 ELSE 0 END, "
        "CAST(round(coalesce(f.amount, 0) * 100) AS bigint) "
        "FROM leads_handoff h JOIN leads_outcome f ON f.handoff_id = h.id "
        "WHERE h.agreement_id = %s AND h.qualified_at >= %s AND h.qualified_at < %s AND f.voided_at IS NULL",
        [*_KINDS, agreement.pk, adapt(start), adapt(end)],
        _CAME,
    )
    came = came[(came["stage"] > 0) & np.isin(came["handoff"], ids)]
    came = came[np.isin(came["handoff"], ids)]
    at, is_worth = np.searchsorted(ids, came["handoff"]), came["stage"] == STAGES.index(OPPORTUNITY)
    reached, cents = np.zeros(len(ids), "i8"), np.zeros(len(ids), "i8")
    np.bitwise_or.at(reached, at, np.int64(1) << came["stage"])
    np.add.at(cents, at[is_worth], came["cents"][is_worth])
    return reached, cents
