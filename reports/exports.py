"""The figures of a scorecard as rows of a file: each promise as a whole, and by each value of each dimension. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from django.utils.translation import gettext as _

from reports.evidence import STATES
from slaportal.spreadsheet import Cell


def heads() -> list[str]:
    """The headings of `rows`."""
    return [_("Agreement"), _("Period"), _("Version"), _("Party"), _("Promise"), _("Broken down by"), _("Value"),
            _("Met"), _("Missed"), _("Open"), _("Excluded"), _("Attained"), _("Target"), _("Baseline"), _("Kept"),
            _("Too few"), _("Median seconds"), _("p90 seconds"), _("Not stopped"), _("Week")]  # fmt: skip


def rows(data: Mapping[str, Any]) -> Iterator[list[Cell]]:
    """A row for each promise, for each value of each of its break-downs, and for each source and week.

    Shares are numbers from 0 to 1; volume has the number delivered under met, and what was expected as its target.
    """
    for row in data["commitments"]:
        about: list[Cell] = [data["agreement"], data["period"]["key"], row["version"], row["party"], row["title"]]
        target = row["target"] if row["expected"] is None else row["expected"]
        times = [row["median_seconds"], row["p90_seconds"], row["unstopped"]]
        yield [*about, "", "", *figures(row), target, row.get("baseline"), row["kept"], None, *times, ""]
        share = row["target"] if row["expected"] is None else None
        for dimension, groups in row["by"].items():
            for group in groups:
                yield [
                    *about,
                    dimension,
                    named(group),
                    *figures(group),
                    share,
                    None,
                    *verdict(group),
                    *_NO_TIMES,
                    "",
                ]
        for group in row.get("weeks", ()):
            for cell in group["cells"]:
                yield [*about, "source", named(group), *figures(cell), share, None, *verdict(cell), *_NO_TIMES,
                       cell["week"]]  # fmt: skip


_NO_TIMES = (None, None, None)


def figures(row: Mapping[str, Any]) -> list[Cell]:
    """The four states and the share of them that was met."""
    return [*(row[state] for state in STATES), row["attainment"]]


def verdict(row: Mapping[str, Any]) -> list[Cell]:
    """Whether it was kept, and whether too few say so."""
    return [row["kept"], row["too_few"]]


def named(group: Mapping[str, Any]) -> str:
    """A value of a dimension as people read it, blank where there is none."""
    return "" if group["value"] is None else str(group["value"])
