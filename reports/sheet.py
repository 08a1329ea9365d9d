"""What a scorecard's page says: the sentence at the top, each side's promises, what came of the handoffs, and the
sections about delays, outcomes and cohorts.

Made from stored figures alone, so that page, paper, mail and `manage.py scorecard` cannot disagree.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from leads.models import Outcome
from reports import breakdowns, headline, promises, sections
from reports.breakdowns import HeatMap, Table
from reports.evidence import Evidence, Number
from reports.outcomes import PLURALS
from reports.promises import Line, Side


@dataclass(frozen=True)
class Sheet:
    """Everything on the page but its frame and its break-downs."""

    said: list[headline.Said]
    handoffs: Number
    unmatched: Number
    sides: list[Side]
    outcomes: list[Number]
    pipeline: float
    pipeline_url: str
    by_version: list[Number]
    several_versions: bool
    timed: list[Line]
    delays: sections.Delays | None
    beside: list[sections.Beside]
    cohorts: sections.Cohorts | None
    heat: HeatMap | None


def build(
    data: Mapping[str, Any],
    evidence: Evidence,
    *,
    earlier: Sequence[Mapping[str, Any] | None] = (),
    is_running: bool = False,
) -> Sheet:
    """The page of a scorecard. `earlier` are the figures of the periods before it, oldest first, None where unknown."""
    lines = promises.lines(data, evidence, earlier=earlier)
    sides = promises.sides(lines)
    counts = data["outcomes"]
    begun = {line.row["version"]: line.row["handoffs"] for line in lines}
    return Sheet(
        said=headline.sentences(sides, handoffs=data["handoffs"], label=data["period"]["label"], is_running=is_running),
        handoffs=Number("handoffs", data["handoffs"], evidence.url()),
        unmatched=Number("leads", data["unmatched"], evidence.url(unmatched=1)),
        sides=sides,
        outcomes=[Number(plural, counts[plural], evidence.url(outcome=kind)) for kind, plural in PLURALS.items()],
        pipeline=counts["pipeline"],
        pipeline_url=evidence.url(outcome=Outcome.Kind.OPPORTUNITY),
        by_version=[Number(str(number), begun[number], evidence.url(version=number)) for number in sorted(begun)],
        several_versions=len(data["versions"]) > 1,
        timed=[line for side in sides for line in side.lines if line.histogram],
        delays=sections.delays(data.get("delays"), evidence),
        beside=sections.beside(data.get("beside"), evidence),
        cohorts=sections.cohorts(data.get("cohorts"), evidence),
        heat=_heat(lines, evidence),
    )


def break_down(data: Mapping[str, Any], evidence: Evidence, by: str) -> list[Table]:
    """The tables by one dimension."""
    return breakdowns.tables(promises.lines(data, evidence), evidence, by)


def heat_maps(data: Mapping[str, Any], evidence: Evidence) -> list[HeatMap]:
    """Every promise that is a share, by source and week."""
    lines = [line for line in promises.lines(data, evidence) if not line.is_volume]
    return [found for line in lines if (found := breakdowns.heat_map(line, evidence))]


def first_look(lines: Sequence[Line]) -> Line | None:
    """Where to look first: the share that is furthest below its target, or least above; without a verdict the first."""
    known = [(far, place) for place, line in enumerate(lines) if (far := headline.margin(line)) is not None]
    ranked = [lines[place] for _far, place in sorted(known) if not lines[place].is_volume]
    return next(iter([*ranked, *lines]), None)


def _heat(lines: Sequence[Line], evidence: Evidence) -> HeatMap | None:
    line = first_look(lines)
    return breakdowns.heat_map(line, evidence) if line and not line.is_volume else None
