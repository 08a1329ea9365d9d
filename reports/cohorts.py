"""Cohorts by month of arrival: what had come of a month's handoffs by each age, so that a young month is not read as a
bad one (rule N12)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.db import connection
from django.db.models import Count, Max

from agreements.models import Agreement
from leads import facts
from leads.models import Handoff, Outcome
from leads.periods import MONTH, Period

MONTHS = 12
# So many days, of 24 hours, after a handoff arrived.
AGES = (30, 60, 90, 180)
COUNTED = {Outcome.Kind.MEETING: "meetings", Outcome.Kind.OPPORTUNITY: "opportunities", Outcome.Kind.WON: "won"}

_DAY = timedelta(days=1)
_CAME = np.dtype([("begun", "M8[us]"), ("kind", "i8"), ("at", "M8[us]")])


def measure(agreement: Agreement, end: datetime, *, now: datetime) -> list[dict[str, Any]]:
    """The months up to the one in which `end` lies, or `now` if that comes before, as JSON; oldest first.

    An age is reached once the month is over and its youngest handoff is so old; before that its counts are null, and
    the month is young. Months before the agreement's first handoff are left out.
    """
    months = [Period.containing(MONTH, (min(end, now) - timedelta(microseconds=1)).astimezone(agreement.zone).date())]
    while len(months) < MONTHS:
        months.insert(0, months[0].previous)
    begun = _begun(agreement, months)
    came = _came(agreement, months[0].start(agreement.zone), months[-1].end(agreement.zone), now)
    bounds = np.array([_utc(month.start(agreement.zone)) for month in months], "M8[us]")
    month_of = np.searchsorted(bounds, came["begun"], side="right") - 1
    first = next((place for place in range(MONTHS) if begun[place][0]), MONTHS)
    return [
        _cohort(month, *begun[place], came[month_of == place], month.end(agreement.zone), now)
        for place, month in enumerate(months)
        if place >= first
    ]


def _cohort(
    month: Period, handoffs: int, youngest: datetime | None, came: np.ndarray, end: datetime, now: datetime
) -> dict[str, Any]:
    ages = []
    for days in AGES:
        is_reached = now >= max(end, (youngest or end) + days * _DAY)
        soon = came["kind"][came["at"] - came["begun"] <= np.timedelta64(days, "D")]
        counts = np.bincount(soon, minlength=len(COUNTED)).tolist()
        numbers = {name: count if is_reached else None for name, count in zip(COUNTED.values(), counts, strict=True)}
        ages.append({"after_days": days, "reached_age": is_reached, **numbers})
    is_young = not all(age["reached_age"] for age in ages)
    return {"month": month.key, "handoffs": handoffs, "ages": ages, "is_young": is_young}


def _begun(agreement: Agreement, months: Sequence[Period]) -> list[tuple[int, datetime | None]]:
    """How many handoffs began in each month, and when the last of them did: one query, one look at an index each."""
    begun = Handoff.objects.filter(agreement=agreement).order_by()
    parts = [
        begun.begun_in(month.start(agreement.zone), month.end(agreement.zone))
        .values("agreement")
        .annotate(number=Count("pk"), last=Max("qualified_at"))
        .values_list("number", "last")
        for month in months
    ]
    found = {}
    for number, last in parts[0].union(*parts[1:], all=True):
        found[Period.containing(MONTH, last.astimezone(agreement.zone).date())] = (number, last)
    return [found.get(month, (0, None)) for month in months]


def _came(agreement: Agreement, start: datetime, end: datetime, now: datetime) -> np.ndarray:
    """What came of these handoffs by `now` and was not voided: when they began, which kind, and when. Each has a kind
    once at most, so rows are handoffs."""
    adapt = connection.ops.adapt_datetimefield_value
    found = facts.columns(
        "SELECT h.qualified_at, CASE f.kind WHEN %s THEN 0 WHEN %s THEN 1 WHEN %s THEN 2 ELSE -1 END, f.at "
        "FROM leads_handoff h JOIN leads_outcome f ON f.handoff_id = h.id "
        "WHERE h.agreement_id = %s AND h.qualified_at >= %s AND h.qualified_at < %s "
        "AND f.voided_at IS NULL AND f.at <= %s",
        [*COUNTED, agreement.pk, adapt(start), adapt(end), adapt(now)],
        _CAME,
    )
    return found[found["kind"] >= 0]


def _utc(moment: datetime) -> np.datetime64:
    return np.datetime64(moment.replace(tzinfo=None), "us")
