"""One promise by two dimensions as rows of a file."""

from collections.abc import Iterator

from django.utils.translation import gettext as _

from reports.crosses import Cross
from reports.exports import figures, named, verdict
from slaportal.spreadsheet import Cell


def heads(found: Cross) -> list[str]:
    """The headings of `rows`."""
    return [found.rows, found.columns, _("Met"), _("Missed"), _("Open"), _("Excluded"), _("Attained"), _("Kept"),
            _("Too few")]  # fmt: skip


def rows(found: Cross) -> Iterator[list[Cell]]:
    """A row for each pair of values with a handoff; the pairs add up to the promise, so sums are left to the reader."""
    for value, cells in zip(found.row_values, found.cells, strict=True):
        for across, cell in zip(found.column_values, cells, strict=True):
            if cell:
                yield [named(value), named(across), *figures(cell), *verdict(cell)]
