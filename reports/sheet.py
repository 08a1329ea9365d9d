"""What a scorecard's page says: the verdict in words, each side's promises, break-downs, and the links to the evidence.

Made from stored figures alone, so that the page and `manage.py scorecard` cannot disagree.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from agreements.catalogue import CATALOGUE
from leads.models import Outcome
from leads.rules import RULES
from reports import trends
from reports.outcomes import PLURALS
from reports.pace_lines import PaceLine
from slaportal.models import Party
from slaportal.templatetags.display import percent

STATES = ("met", "missed", "open", "excluded")
# How a link says that there is no value: a blank text, but nobody's id.
BLANK = {"source": "", "segment": "", "team": "none", "rep": "none"}
# Dimensions in which a handoff has one value, whatever the commitment.
COPIED = ("source", "segment")
MISSES_NAMED = 2
EMPTY: Mapping[int, PaceLine] = MappingProxyType({})


@dataclass(frozen=True)
class Number:
    """So many handoffs, and the list that shows exactly these."""

    name: str
    count: int
    url: str
    help: str = ""


@dataclass(frozen=True)
class Evidence:
    """Makes the links from numbers to the handoffs behind them."""

    agreement_id: int
    key: str

    def url(self, **chosen: object) -> str:
        """The list of handoffs of the period that meet the choices."""
        given = {name: BLANK[name] if value is None else value for name, value in chosen.items()}
        query = urlencode({"agreement": self.agreement_id, "period": self.key, **given})
        return f"{reverse('handoffs')}?{query}"

    def states(self, counts: Mapping[str, Any], commitment: int, **chosen: object) -> list[Number]:
        """The four states of a commitment's handoffs."""
        return [Number(name, counts[name], self.url(commitment=commitment, state=name, **chosen)) for name in STATES]

    def unanswered(self, row: Mapping[str, Any]) -> Number:
        """Misses of which nobody has said why; a card that was computed by an earlier release does not know."""
        url = self.url(commitment=row["pk"], state="missed", answered="no")
        return Number("not answered", row.get("unanswered", 0), url, "Nobody has said yet why it happened.")

    def exclusions(self, row: Mapping[str, Any]) -> list[Number]:
        """Excluded handoffs by the rule that excluded them."""
        return [
            Number(
                rule.replace("_", " "),
                count,
                self.url(commitment=row["pk"], state="excluded", rule=rule),
                RULES[rule][0] if rule in RULES else "",
            )
            for rule, count in row["excluded_by"].items()
        ]


@dataclass(frozen=True)
class Line:
    """One commitment: what was promised, what came of it. `mention` is its title inside a sentence."""

    row: Mapping[str, Any]
    mention: str
    numbers: list[Number]
    exclusions: list[Number]
    unanswered: Number
    trend: trends.Trend | None
    pace: PaceLine | None = None

    @property
    def about(self) -> str:
        """What exactly is promised, in one line."""
        row = self.row
        within = f"Within {row['limit']}" + (f", {row['calendar']}" if row["calendar"] else "")
        words = [within if row["limit"] else CATALOGUE[row["kind"]].exactly.rstrip(".")]
        if self.is_volume and row["expected"] != row["target"] and row["target"] is not None:
            words.append(f"{_plain(row['target'])} a month, in proportion to the days")
        return "; ".join([*words, *row["scope"]])

    @property
    def exactly(self) -> str:
        """The definition of the kind."""
        return CATALOGUE[self.row["kind"]].exactly

    @property
    def is_volume(self) -> bool:
        return self.row["target_unit"] == "per month"

    @property
    def tone(self) -> str:
        """Class of the figure: good, bad or neither."""
        return {True: "ok-text", False: "bad-text", None: ""}[self.row["kept"]]

    @property
    def reached(self) -> str:
        """The figure: a share, or the number delivered."""
        return _plain(self.row["met"]) if self.is_volume else percent(self.row["attainment"], self.row["target"])

    @property
    def target(self) -> str:
        """What it is measured against; blank where nothing was named."""
        owed = self.row["expected"] if self.is_volume else self.row["target"]
        if owed is None:
            return ""
        return _plain(owed) if self.is_volume else percent(owed)


@dataclass(frozen=True)
class Side:
    """One party's promises and how many it kept, for the sentence that opens the page."""

    label: str
    lines: list[Line]

    @property
    def kept(self) -> int:
        return sum(line.row["kept"] is True for line in self.lines)

    @property
    def judged(self) -> int:
        return sum(line.row["kept"] is not None for line in self.lines)

    @property
    def in_short(self) -> str:
        """Such as “Sales 2 of 3”."""
        return f"{self.label} {self.kept} of {self.judged}"

    @property
    def pending(self) -> int:
        return len(self.lines) - self.judged

    @property
    def misses(self) -> list[Line]:
        """The first broken promises, to be named."""
        return self._broken[:MISSES_NAMED]

    @property
    def more_misses(self) -> int:
        return len(self._broken) - len(self.misses)

    @property
    def _broken(self) -> list[Line]:
        return [line for line in self.lines if line.row["kept"] is False]


@dataclass(frozen=True)
class Cell:
    """One commitment for one value of a break-down; `heat` is the class of its colour."""

    line: Line
    numbers: list[Number] = field(default_factory=list)
    attained: str = ""
    heat: str = ""


@dataclass(frozen=True)
class Group:
    """One value of a break-down. `handoffs` is None where each commitment has its own owners (rule N4)."""

    value: str | None
    handoffs: Number | None
    cells: list[Cell]


@dataclass(frozen=True)
class Table:
    """The break-down of one version's commitments."""

    version: int
    handoffs: Number
    lines: list[Line]
    groups: list[Group]


@dataclass(frozen=True)
class Sheet:
    """Everything on the page but its frame."""

    handoffs: Number
    unmatched: Number
    sides: list[Side]
    by: str
    tables: list[Table]
    outcomes: list[Number]
    pipeline: float
    pipeline_url: str
    several_versions: bool


def build(
    agreement_id: int,
    data: Mapping[str, Any],
    *,
    by: str,
    earlier: Sequence[Mapping[str, Any] | None],
    paces: Mapping[int, PaceLine] = EMPTY,
) -> Sheet:
    """The page of a scorecard. `earlier` are the figures of the periods before it, oldest first, None where unknown.

    `paces` say by commitment what happened by itself: not figures of the period, so they are not stored with them.
    """
    evidence = Evidence(agreement_id, data["period"]["key"])
    several = len(data["versions"]) > 1
    lines = [
        Line(
            row,
            _mention(row, several),
            evidence.states(row, row["pk"]),
            evidence.exclusions(row),
            evidence.unanswered(row),
            trends.draw(row["code"], [*earlier, data], target=row["target"], volume=row["expected"] is not None),
            paces.get(row["pk"]),
        )
        for row in data["commitments"]
    ]
    sides = [Side(party.label, [line for line in lines if line.row["party"] == party]) for party in Party]
    counts = data["outcomes"]
    return Sheet(
        handoffs=Number("handoffs", data["handoffs"], evidence.url()),
        unmatched=Number("leads", data["unmatched"], evidence.url(unmatched=1)),
        sides=[side for side in sides if side.lines],
        by=by,
        tables=[_table(evidence, version, lines, by) for version in _with_handoffs(lines)],
        outcomes=[Number(plural, counts[plural], evidence.url(outcome=kind)) for kind, plural in PLURALS.items()],
        pipeline=counts["pipeline"],
        pipeline_url=evidence.url(outcome=Outcome.Kind.OPPORTUNITY),
        several_versions=several,
    )


def _mention(row: Mapping[str, Any], several_versions: bool) -> str:
    """The title as it reads after a colon: “contact within 4 hours”, but “MQLs a month”."""
    title = row["title"]
    title = title[:1].lower() + title[1:] if title[1:2].islower() else title
    return f"{title} (version {row['version']})" if several_versions else title


def _with_handoffs(lines: Sequence[Line]) -> list[int]:
    """Numbers of the versions under which handoffs began, in order."""
    return sorted({line.row["version"] for line in lines if line.row["handoffs"]})


def _table(evidence: Evidence, version: int, lines: Sequence[Line], by: str) -> Table:
    """Every value of the dimension with a cell for each commitment, largest first, those without a value last."""
    mine = [line for line in lines if line.row["version"] == version]
    names: dict[Any, str | None] = {}
    rows: dict[Any, dict[int, Mapping[str, Any]]] = {}
    for line in mine:
        for row in line.row["by"][by]:
            names[row["id"]] = row["value"]
            rows.setdefault(row["id"], {})[line.row["pk"]] = row
    groups = []
    for key in sorted(rows, key=lambda key: (names[key] is None, -_size(rows[key]), names[key] or "")):
        number = Number("handoffs", _size(rows[key]), evidence.url(version=version, **{by: key}))
        cells = [_cell(evidence, line, rows[key].get(line.row["pk"]), by, key) for line in mine]
        groups.append(Group(names[key], number if by in COPIED else None, cells))
    total = Number("handoffs", mine[0].row["handoffs"], evidence.url(version=version))
    return Table(version, total, mine, groups)


def _size(rows: Mapping[int, Mapping[str, Any]]) -> int:
    """Handoffs of a value: by source and segment each commitment of the version counts the same ones."""
    return max(sum(row[name] for name in STATES) for row in rows.values())


def _cell(evidence: Evidence, line: Line, row: Mapping[str, Any] | None, by: str, key: object) -> Cell:
    if row is None:
        return Cell(line)
    numbers = [number for number in evidence.states(row, line.row["pk"], **{by: key}) if number.count]
    if line.is_volume:
        return Cell(line, numbers)
    attained = "too few" if row["too_few"] else percent(row["attainment"], line.row["target"])
    return Cell(line, numbers, attained, "" if row["too_few"] else _heat(row, line.row["target"]))


def _heat(row: Mapping[str, Any], target: float | None) -> str:
    """How far above or below the target, in three steps each."""
    if row["kept"] is None:
        return ""
    if row["kept"]:
        room = (row["attainment"] - target) / (1 - target) if target < 1 else 1
        return f"heat-ok-{1 + (room >= 1 / 3) + (room >= 2 / 3)}"
    short = target - row["attainment"]
    return f"heat-bad-{1 + (short >= 0.05) + (short >= 0.15)}"


def _plain(number: float) -> str:
    return f"{number:,.1f}".removesuffix(".0")
