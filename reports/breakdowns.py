"""Break-downs of a scorecard: each promise by one dimension, and by source and week as a map of heat."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from leads import periods
from reports.crosses import Cross
from reports.evidence import STATES, Evidence, Number
from reports.promises import Line
from slaportal.templatetags.display import percent

# The dimensions in the order of their tabs, each as its tab, its heading, and its lines without a value say it.
NAMES = {
    "source": (gettext_lazy("Source"), gettext_lazy("source"), gettext_lazy("without a source")),
    "campaign": (gettext_lazy("Campaign"), gettext_lazy("campaign"), gettext_lazy("without a campaign")),
    "segment": (gettext_lazy("Segment"), gettext_lazy("segment"), gettext_lazy("without a segment")),
    "team": (gettext_lazy("Team"), gettext_lazy("team"), gettext_lazy("unassigned")),
    "rep": (gettext_lazy("Rep"), gettext_lazy("rep"), gettext_lazy("unassigned")),
    "weekday": (gettext_lazy("Weekday"), gettext_lazy("weekday of arrival"), ""),
    "hour": (gettext_lazy("Hour"), gettext_lazy("hour of arrival"), ""),
}
# Dimensions in which a handoff has one value, whatever the commitment.
COPIED = ("source", "campaign", "segment", "weekday", "hour")
# Their values have an order of their own.
ORDERED = ("weekday", "hour")
# A page shows so many values; all of them stand in the export.
MOST_GROUPS = 200


@dataclass(frozen=True)
class Cell:
    """One commitment for one value of a break-down; `heat` is the class of its colour, `url` opens all of it."""

    line: Line
    numbers: list[Number] = field(default_factory=list)
    attained: str = ""
    heat: str = ""
    url: str = ""


@dataclass(frozen=True)
class Group:
    """One value of a break-down. `handoffs` is None where each commitment has its own owners (rule N4)."""

    value: str
    is_blank: bool
    handoffs: Number | None
    cells: list[Cell]


@dataclass(frozen=True)
class Table:
    """The break-down of one version's commitments; `hidden` values are not shown."""

    version: int
    handoffs: Number
    lines: list[Line]
    groups: list[Group]
    hidden: int


@dataclass(frozen=True)
class HeatMap:
    """A promise by source, week for week. A cell is None in a week without a handoff of the source."""

    line: Line
    weeks: list[str]
    rows: list[tuple[str, bool, list[Cell | None]]]


@dataclass(frozen=True)
class Crossed:
    """A promise by two dimensions: heads of the columns, a row for each value, and their sums."""

    line: Line
    columns: list[str]
    rows: list[tuple[str, list[Cell | None], Cell]]
    sums: list[Cell]
    total: Cell


def crossed(line: Line, evidence: Evidence, found: Cross) -> Crossed:
    """The figures of `reports.crosses` as a table, whose every number opens to its handoffs."""
    across = [value["id"] for value in found.column_values]
    rows = []
    for value, cells, total in zip(found.row_values, found.cells, found.row_totals, strict=True):
        at = {found.rows: value["id"]}
        shown = [
            cell(evidence, line, row, **at, **{found.columns: key}) if row else None
            for key, row in zip(across, cells, strict=True)
        ]
        rows.append((named(found.rows, **value), shown, cell(evidence, line, total, **at)))
    return Crossed(
        line=line,
        columns=[named(found.columns, **value) for value in found.column_values],
        rows=rows,
        sums=[
            cell(evidence, line, row, **{found.columns: key})
            for key, row in zip(across, found.column_totals, strict=True)
        ],
        total=cell(evidence, line, found.total),
    )


def tables(lines: Sequence[Line], evidence: Evidence, by: str) -> list[Table]:
    """The break-down by a dimension, a table for each version under which handoffs began."""
    versions = sorted({line.row["version"] for line in lines if line.row["handoffs"]})
    return [_table(evidence, number, [one for one in lines if one.row["version"] == number], by) for number in versions]


def heat_map(line: Line, evidence: Evidence) -> HeatMap | None:
    """Source by ISO week; None where the figures do not have it, or nothing happened."""
    found = line.row.get("weeks")
    if not found:
        return None
    weeks = sorted({cell["week"] for row in found for cell in row["cells"]})
    rows = []
    for row in found:
        by_week = {cell["week"]: cell for cell in row["cells"] if any(cell[state] for state in STATES)}
        cells = [
            cell(evidence, line, by_week.get(week), source=row["id"], week=week) if week in by_week else None
            for week in weeks
        ]
        rows.append((named("source", row["id"], row["value"]), row["value"] is None, cells))
    return HeatMap(line, weeks, rows)


def named(by: str, id: object, value: str | None) -> str:
    """How a value is called, by what tells it apart or by its name; the time of arrival has no name but its number."""
    if by == "weekday":
        return str(WEEKDAYS[int(id) - 1])
    if by == "hour":
        return f"{int(id):02}:00–{int(id) + 1:02}:00"
    if by == "week":
        return periods.parse(str(id)).label.partition(",")[0]
    return value if value not in (None, "") else str(NAMES[by][2])


def _table(evidence: Evidence, version: int, lines: list[Line], by: str) -> Table:
    """Every value of the dimension with a cell for each commitment: largest first and those without a value last, or in
    the order of the values."""
    names: dict[Any, str | None] = {}
    rows: dict[Any, dict[int, Mapping[str, Any]]] = {}
    for line in lines:
        for row in line.row["by"].get(by, ()):
            names[row["id"]] = row["value"]
            rows.setdefault(row["id"], {})[line.row["pk"]] = row
    groups = []
    keys = sorted(rows, key=_order(by, names, rows))
    for key in keys[:MOST_GROUPS]:
        number = Number("handoffs", _size(rows[key]), evidence.url(version=version, **{by: key}))
        cells = [cell(evidence, line, rows[key].get(line.row["pk"]), **{by: key}) for line in lines]
        value = named(by, key, names[key])
        groups.append(Group(value, names[key] in (None, ""), number if by in COPIED else None, cells))
    total = Number("handoffs", lines[0].row["handoffs"], evidence.url(version=version))
    return Table(version, total, lines, groups, max(len(keys) - MOST_GROUPS, 0))


def _order(by: str, names: Mapping[Any, str | None], rows: Mapping[Any, Mapping[int, Any]]) -> Callable[[Any], tuple]:
    if by in ORDERED:
        return lambda key: (int(key),)
    return lambda key: (names[key] is None, -_size(rows[key]), names[key] or "")


def _size(rows: Mapping[int, Mapping[str, Any]]) -> int:
    """Handoffs of a value: of what is copied, each commitment of the version counts the same ones."""
    return max(sum(row[name] for name in STATES) for row in rows.values())


def cell(evidence: Evidence, line: Line, row: Mapping[str, Any] | None, **chosen: object) -> Cell:
    """A promise's counts in one place of a table, with the lists of exactly these; empty without a row."""
    if row is None:
        return Cell(line)
    pk = line.row["pk"]
    numbers = [number for number in evidence.states(row, pk, **chosen) if number.count]
    url = evidence.url(commitment=pk, **chosen)
    if line.is_volume:
        return Cell(line, numbers, url=url)
    if row["too_few"]:
        return Cell(line, numbers, _("too few"), url=url)
    return Cell(line, numbers, percent(row["attainment"], line.row["target"]), heat(row, line.row["target"]), url)


def heat(row: Mapping[str, Any], target: float | None) -> str:
    """How far above or below the target, in three steps each."""
    if row["kept"] is None or target is None:
        return ""
    if row["kept"]:
        room = (row["attainment"] - target) / (1 - target) if target < 1 else 1
        return f"heat-ok-{1 + (room >= 1 / 3) + (room >= 2 / 3)}"
    short = target - row["attainment"]
    return f"heat-bad-{1 + (short >= 0.05) + (short >= 0.15)}"
