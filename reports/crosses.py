"""Two dimensions crossed for one commitment over a period, read from the clocks by one GROUP BY (rules N1 to N4).

Tallies know one dimension at a time; a cube of all would be as large as the facts. Nobody looks at most pairs, so those
that somebody asks for are counted when they do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from functools import cache
from typing import Any

import numpy as np
from django.db import connection
from django.db.models import Count, DateField, F, Q
from django.db.models.functions import ExtractHour, ExtractIsoWeekDay, TruncWeek
from django.utils.translation import gettext

from agreements import terms
from agreements.models import Agreement, Commitment
from leads.models import Clock
from leads.periods import Period
from reports import counting, values
from slaportal.refusal import Refused

DIMENSIONS = (*counting.TEXTS, *counting.CHARGED, "weekday", "hour", "week")


@dataclass(frozen=True)
class Cross:
    """Counts of one commitment by the values of two dimensions, ready to be written as JSON by `as_json`.

    `row_values` and `column_values` have `value` (as people read it) and `id` (what tells it apart), both null where
    there is none. A cell has met, missed, open, excluded, attainment, kept and too_few; `cells` has one list for each
    row with a cell for each column, null where no handoff is. The totals add up to `total`.
    """

    commitment: int
    rows: str
    columns: str
    row_values: list[dict[str, Any]]
    column_values: list[dict[str, Any]]
    cells: list[list[dict[str, Any] | None]]
    row_totals: list[dict[str, Any]]
    column_totals: list[dict[str, Any]]
    total: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """All of it as plain lists and dictionaries."""
        return asdict(self)


def cross(agreement: Agreement, period: Period, commitment_pk: int, *, rows: str, columns: str) -> Cross:
    """Cross two dimensions for one commitment of the agreement over the handoffs that began in the period."""
    for name in (rows, columns):
        if name not in DIMENSIONS:
            known = ", ".join(DIMENSIONS)
            raise Refused(gettext("Handoffs cannot be crossed by “%(name)s”; use %(known)s."), name=name, known=known)
    if rows == columns:
        raise Refused(gettext("Choose two different dimensions to cross."))
    commitment = Commitment.objects.filter(pk=commitment_pk, version__agreement=agreement)
    found = commitment.select_related("version").first()
    if found is None or not found.version.terms:
        raise Refused(gettext("This agreement has promised no such thing."))
    agreed = terms.of(found.version)
    judged = values.judge(agreed.promise(found.code), agreed.minimum_group)

    counts = _counted(agreement, period, commitment_pk, rows, columns)
    table = np.array(list(counts.values()), "i8").reshape(-1, len(counting.STATES))
    by_row, by_column = (_summed([pair[side] for pair in counts], table) for side in (0, 1))
    labels = values.labels({rows: by_row, columns: by_column})
    down, across = values.ranked(rows, by_row, labels), values.ranked(columns, by_column, labels)
    # Most of many cells have few handoffs, and say the same as others.
    alike = cache(judged)
    cells = {pair: alike(states) for pair, states in counts.items()}
    return Cross(
        commitment=commitment_pk,
        rows=rows,
        columns=columns,
        row_values=[values.told(rows, value, labels) for value, _ in down],
        column_values=[values.told(columns, value, labels) for value, _ in across],
        cells=[[cells.get((row, column)) for column, _ in across] for row, _ in down],
        row_totals=[judged(states) for _, states in down],
        column_totals=[judged(states) for _, states in across],
        total=judged(table.sum(axis=0).tolist()),
    )


def _counted(
    agreement: Agreement, period: Period, commitment: int, rows: str, columns: str
) -> Mapping[tuple[str, str], Sequence[int]]:
    """Handoffs by state for each pair of values that occurs."""
    begun, zone = "handoff__qualified_at", agreement.zone
    columns_of = {
        **{name: F(f"handoff__{name}") for name in counting.TEXTS},
        "team": F("charged_to__team"),
        "rep": F("charged_to__owner"),
        "weekday": ExtractIsoWeekDay(begun, tzinfo=zone),
        "hour": ExtractHour(begun, tzinfo=zone),
        "week": TruncWeek(begun, output_field=DateField(), tzinfo=zone),
    }
    clocks = Clock.objects.deciding().filter(
        commitment=commitment,
        handoff__agreement=agreement,
        handoff__qualified_at__gte=period.start(zone),
        handoff__qualified_at__lt=period.end(zone),
    )
    by_state = {name: Count("pk", filter=Q(state=state)) for state, name in enumerate(counting.STATES)}
    grouped = clocks.order_by().values_list(columns_of[rows], columns_of[columns]).annotate(**by_state)
    # Taken as columns, as they come: to look at each of perhaps 20,000 rows by itself takes longer than to count them.
    with connection.cursor() as cursor:
        cursor.execute(*grouped.query.sql_with_params())
        down, across, *states = list(zip(*cursor.fetchall(), strict=True)) or [()] * (2 + len(counting.STATES))
    pairs = zip(_texts(rows, down), _texts(columns, across), strict=True)
    return dict(zip(pairs, zip(*states, strict=True), strict=True))


def _summed(names: Sequence[str], table: np.ndarray) -> dict[str, list[int]]:
    """Rows of the table added up by name."""
    places: dict[str, int] = {}
    codes = [places.setdefault(name, len(places)) for name in names]
    found = np.zeros((len(places), table.shape[1]), "i8")
    np.add.at(found, codes, table)
    return dict(zip(places, found.tolist(), strict=True))


def _texts(name: str, column: Sequence[Any]) -> list[str]:
    """The values of a dimension as text, blank where there is none; a week is given by its Monday."""
    known = {key: "" if key is None else str(key) for key in set(column)}
    if name == "week":
        known = {key: _week(date.fromisoformat(day[:10])) for key, day in known.items()}
    return [known[key] for key in column]


def _week(monday: date) -> str:
    year, week, _ = monday.isocalendar()
    return f"{year}-W{week:02}"
