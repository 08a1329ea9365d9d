"""The scorecards of an export's months, broken down three ways, and the proof that each counts every handoff once."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from agreements.models import Agreement
from leads.periods import MONTH, Period
from reports import scorecards

# The school's quality is the segment of its handoffs: a field of the source that a break-down should read is mapped to
# source, campaign or segment, and every scorecard has it.
BY = ("source", "rep", "segment")
STATES = ("met", "missed", "open", "excluded")


def of(agreement: Agreement, year: Period, *, codes: Collection[str], now: datetime) -> dict[str, Any]:
    """The scorecard of each month of `year`, of the promises `codes`; and what does not add up, which is nothing."""
    month, rows = Period.containing(MONTH, year.first_day), []
    while month.first_day <= year.last_day:
        rows.append(_month(agreement, month, codes, now))
        month = month.next
    return {"rows": rows, "handoffs": sum(row["handoffs"] for row in rows), "miscounted": _miscounted(rows)}


def _month(agreement: Agreement, month: Period, codes: Collection[str], now: datetime) -> dict[str, Any]:
    card = scorecards.compute(agreement, month, now=now, by=BY, exact=True, sections=False)
    spans = ("median_seconds", "p90_seconds", "unstopped")
    return {
        "month": month.key,
        "handoffs": card["handoffs"],
        "commitments": [
            {
                **{name: row[name] for name in ("code", "title", *STATES, "attainment", *spans)},
                "by": {
                    name: [{key: group[key] for key in ("value", *STATES, "attainment")} for group in row["by"][name]]
                    for name in BY
                },
            }
            for row in card["commitments"]
            if row["code"] in codes
        ],
    }


def _miscounted(rows: list[dict[str, Any]]) -> list[str]:
    """Wherever a month's handoffs are not counted exactly once: in a promise's states, or in one of its break-downs."""
    wrong = []
    for row in rows:
        for promise in row["commitments"]:
            counted = {"states": sum(promise[state] for state in STATES)}
            counted |= {name: sum(group[state] for group in promise["by"][name] for state in STATES) for name in BY}
            wrong += [
                f"{row['month']}, {promise['title']}, by {name}: {number:,} of {row['handoffs']:,}"
                for name, number in counted.items()
                if number != row["handoffs"]
            ]
    return wrong
