"""What a month reads as it was known at a moment: its figures, and what each handoff was. Writes nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from agreements import terms
from agreements.calendars import closures_by_calendar
from agreements.models import Agreement, Version
from leads import delays, facts, fingerprints
from leads.as_known import as_known
from leads.models import Handoff, Outcome
from leads.periods import Period
from leads.rules import RULE_NAMES
from leads.timekeeping import RANGE, STAGES, promises_of
from reports import scorecards
from reports.sealed_states import CLOCK, HANDOFF, NOTHING, States

KINDS = tuple(Outcome.Kind.values)
_OUTCOME = np.dtype([("handoff", "i8"), ("kind", "i8"), ("cents", "i8")])
_SENT = {"stopped": "M8[us]", "decides": "?", "answered": "?"}
_CLOCK = np.dtype([(name, _SENT.get(name, "i8")) for name in CLOCK.names])


@dataclass(frozen=True)
class Drawn:
    """The figures, as canonical JSON and as they are, and the handoffs behind them."""

    text: str
    data: Mapping[str, Any]
    states: States


def draw(agreement: Agreement, period: Period, *, at: datetime) -> Drawn:
    """The period as everything that was known `at` a moment makes it, by the code that makes every other figure."""
    start, end = period.start(agreement.zone), period.end(agreement.zone)
    with as_known(agreement, at=at, start=start, end=end) as ids:
        data = scorecards.compute(agreement, period, now=at, exact=True)
        states = _states(agreement, ids, at)
    return Drawn(terms.canonical(data), data, states)


def _states(agreement: Agreement, ids: Sequence[int], at: datetime) -> States:
    about = {
        "rules": list(RULE_NAMES),
        "stages": list(STAGES),
        "outcomes": list(KINDS),
        "delays": list(delays.NAMES),
        "waits": list(delays.STATES),
        "facts": fingerprints.layout(),
        "closures": _closures(agreement),
    }
    return States(_handoffs(agreement, ids, at), _clocks(ids), about)


def _handoffs(agreement: Agreement, ids: Sequence[int], at: datetime) -> np.ndarray:
    """Each handoff with its version, its outcomes, who waited, and how many facts of each sort made it what it is."""
    out = np.zeros(len(ids), HANDOFF)
    out["id"] = ids  # in order
    by_version: dict[int, list[int]] = {}
    for begin in range(0, len(ids), RANGE):
        rows = Handoff.objects.filter(pk__in=ids[begin : begin + RANGE]).order_by("pk")
        for place, (pk, version, stage) in enumerate(rows.values_list("pk", "version", "stage"), start=begin):
            by_version.setdefault(version, []).append(pk)
            out["stage"][place] = STAGES.index(stage)
    for version in Version.objects.filter(pk__in=by_version).prefetch_related("commitments"):
        agreed, mine = terms.of(version), by_version[version.pk]
        found = facts.load(mine, agreed, agreement.pk, promises=promises_of(version, agreed))
        places = np.searchsorted(out["id"], found.handoffs["id"])
        out["version"][places] = version.pk
        out["facts"][places] = fingerprints.of(found)
        for name, column in zip(fingerprints.TABLES, fingerprints.counts(found).T, strict=True):
            out[name][places] = column
    given, parameters = facts.picked(ids)
    outcomes = facts.columns(
        f"SELECT f.handoff_id, {_coded('f.kind', KINDS)}, CAST(round(f.amount * 100) AS bigint) "
        "FROM picked JOIN leads_outcome f ON f.handoff_id = picked.id WHERE f.voided_at IS NULL",
        parameters,
        _OUTCOME,
        given=given,
    )
    places = np.searchsorted(out["id"], outcomes["handoff"])
    np.bitwise_or.at(out["came"], places, (1 << outcomes["kind"]).astype("u1"))
    is_worth = outcomes["kind"] == KINDS.index(Outcome.Kind.OPPORTUNITY)
    np.add.at(out["cents"], places[is_worth], outcomes["cents"][is_worth])
    for begin in range(0, len(ids), RANGE):
        for found in delays.of(Handoff.objects.filter(pk__in=ids[begin : begin + RANGE]), now=at):
            places = np.searchsorted(out["id"], found.ids)
            for shift, name in enumerate(delays.NAMES):
                out["waits"][places] |= found.waits[name].state.astype("u1") << np.uint8(2 * shift)
    return out


def _clocks(ids: Sequence[int]) -> np.ndarray:
    """Every clock of these handoffs with whom it is counted for, by commitment and handoff."""
    given, parameters = facts.picked(ids)
    microseconds = "CAST(round(c.elapsed_seconds * 1000000) AS bigint)"
    found = facts.columns(
        f"SELECT c.commitment_id, c.handoff_id, c.subject, c.state, {_coded('c.rule', RULE_NAMES)}, c.decides, "
        "EXISTS (SELECT 1 FROM leads_answer s WHERE s.handoff_id = c.handoff_id "
        "AND s.commitment_id = c.commitment_id AND s.subject = c.subject), "
        f"c.stopped_at, coalesce({microseconds}, {NOTHING}), a.owner_id, a.team_id "
        "FROM picked JOIN leads_clock c ON c.handoff_id = picked.id "
        "LEFT JOIN leads_assignment a ON a.id = c.charged_to_id",
        parameters,
        _CLOCK,
        given=given,
    )
    found = found[np.lexsort((found["subject"], found["handoff"], found["commitment"]))]
    out = np.empty(len(found), CLOCK)
    for name in CLOCK.names:
        out[name] = found[name].astype("i8") if name == "stopped" else found[name]
    out["stopped"][np.isnat(found["stopped"])] = NOTHING
    return out


def _coded(column: str, words: Sequence[str]) -> str:
    """SQL that turns a word into its place among these."""
    cases = " ".join(f"WHEN '{word}' THEN {place}" for place, word in enumerate(words))
    return f"CASE {column} {cases} END"


def _closures(agreement: Agreement) -> dict[str, list[str]]:
    """Days closed after the fact on the calendars of the agreement's versions."""
    used = {frozen["id"] for version in agreement.versions.agreed() for frozen in terms.of(version).calendars.values()}
    closed = closures_by_calendar()
    return {str(pk): sorted(day.isoformat() for day in closed[pk]) for pk in sorted(used & closed.keys())}
