"""What a period's clocks add up to: from the tallies, and from the clocks on days not counted yet. Reads only."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from typing import Any

import numpy as np
from django.db.models import Case, F, Sum, When

from agreements.models import Agreement
from leads.models import Clock
from leads.periods import WEEK, Period
from leads.touches import TouchedDay
from reports import counting
from reports.counting import STATES, Counted
from reports.histogram import Histogram
from reports.models import Tally, TallyBook

BY_WEEK = "source"  # what weeks are kept apart for
WEEKDAY = "weekday"  # follows from the day


def add(sum_: list[int], states: Sequence[int]) -> None:
    """Add counts by state to a sum of them."""
    for place, number in enumerate(states):
        sum_[place] += number


@dataclass
class Count:
    """Handoffs by state, in the order of `Clock.State`, and the excluded ones by the rule that excluded them (N2)."""

    states: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    excluded_by: Counter[str] = field(default_factory=Counter)

    @property
    def judged(self) -> int:
        """Handoffs with a verdict: what a share is taken of (N3)."""
        return self.states[Clock.State.MET] + self.states[Clock.State.MISSED]

    def counts(self) -> dict[str, int]:
        """The four numbers that add up to the handoffs."""
        missed, running, met, excluded = self.states
        return {"met": met, "missed": missed, "open": running, "excluded": excluded}

    def share(self, target: Fraction | None) -> dict[str, Any]:
        """Attainment and whether it reaches the target, compared exactly; null without a verdict (C1, N3)."""
        met, of = self.states[Clock.State.MET], self.judged
        if not of:
            return {"attainment": None, "kept": None}
        kept = None if target is None else met * target.denominator >= of * target.numerator
        return {"attainment": met / of, "kept": kept}


@dataclass
class Times:
    """How long the clocks of a commitment took that stopped and are not excluded, and how many have not stopped (N5).

    `spans` are their seconds where they were asked for, else None.
    """

    spread: Histogram
    spans: list[float] | None
    unstopped: int = 0

    def quantile(self, share: float) -> float | None:
        """By linear interpolation: exact where the spans are known, else within `histogram.ERROR`."""
        if self.spans is None:
            return self.spread.quantile(share)
        return float(np.percentile(self.spans, 100 * share)) if self.spans else None


@dataclass
class Sums:
    """Counts by commitment (its id); by commitment, dimension and value; and of each source by ISO week.

    Plain lists of numbers are handoffs by state, in the order of `Clock.State`.
    """

    limits: dict[int, int | None]
    exact: bool
    totals: dict[int, Count] = field(default_factory=lambda: defaultdict(Count))
    times: dict[int, Times] = field(default_factory=dict)
    by: dict[tuple[int, str], dict[str, list[int]]] = field(default_factory=lambda: defaultdict(dict))
    weeks: dict[int, dict[str, dict[str, list[int]]]] = field(default_factory=lambda: defaultdict(dict))

    def times_of(self, commitment: int) -> Times:
        """The times of a commitment, none of them yet where it has no clock."""
        limit = self.limits.get(commitment)
        return self.times.setdefault(commitment, Times(Histogram(limit), [] if self.exact else None))

    def add_total(self, commitment: int, day: date, states: Sequence[int], excluded_by: dict[str, int]) -> None:
        """Count a day of a commitment."""
        add(self.totals[commitment].states, states)
        self.totals[commitment].excluded_by.update(excluded_by)
        add(self.by[commitment, WEEKDAY].setdefault(str(day.isoweekday()), [0, 0, 0, 0]), states)

    def add_value(self, commitment: int, dimension: str, value: str, day: date | None, states: Sequence[int]) -> None:
        """Count handoffs of one value; of the dimension that has weeks the day tells which."""
        add(self.by[commitment, dimension].setdefault(value, [0, 0, 0, 0]), states)
        if dimension == BY_WEEK and day is not None:
            week = Period.containing(WEEK, day).key
            add(self.weeks[commitment].setdefault(value, {}).setdefault(week, [0, 0, 0, 0]), states)


def of(agreement: Agreement, period: Period, *, by: Sequence[str], exact: bool = False) -> Sums:
    """The sums of a period, by these dimensions. Where `exact`, times are read one by one, and no tally is."""
    sums = Sums(counting.limits(agreement), exact)
    dimensions = [name for name in counting.DIMENSIONS if name in by]
    days = set(period.days())
    if exact or not TallyBook.objects.filter(agreement=agreement, time_zone=agreement.time_zone).exists():
        missing = days
    else:
        missing = _touched(agreement, period)
    if missing:
        _add_counted(sums, counting.count(agreement, missing, dimensions=dimensions, spans=exact))
    if missing != days:
        _add_tallies(sums, period, missing, dimensions)
    return sums


def _touched(agreement: Agreement, period: Period) -> set[date]:
    """Days of the period that have changed since they were counted."""
    rows = TouchedDay.objects.filter(agreement=agreement, day__range=(period.first_day, period.last_day))
    return set(rows.order_by().values_list("day", flat=True).distinct())


def _add_counted(sums: Sums, counted: Counted) -> None:
    for (commitment, day), total in counted.totals.items():
        sums.add_total(commitment, day, total.states, total.excluded_by)
        times = sums.times_of(commitment)
        times.unstopped += total.unstopped
        times.spread.add(total.spread)
        if times.spans is not None:
            times.spans += total.spans
    for groups in counted.groups:
        columns = (groups.commitments.tolist(), groups.values.tolist(), groups.days.tolist(), groups.states.tolist())
        for commitment, value, ordinal, states in zip(*columns, strict=True):
            sums.add_value(commitment, groups.dimension, value, date.fromordinal(ordinal), states)


def _add_tallies(sums: Sums, period: Period, missing: Iterable[date], dimensions: Sequence[str]) -> None:
    rows = Tally.objects.filter(commitment__in=list(sums.limits), day__range=(period.first_day, period.last_day))
    rows = rows.exclude(day__in=missing).order_by()
    totals = rows.filter(dimension="").values_list("commitment", "day", *STATES, "unstopped", "excluded_by", "spread")
    for commitment, day, *states, unstopped, excluded_by, spread in totals:
        sums.add_total(commitment, day, states, excluded_by)
        times = sums.times_of(commitment)
        times.unstopped += unstopped
        times.spread.add(spread)
    if dimensions:
        at = Case(When(dimension=BY_WEEK, then=F("day")))
        grouped = rows.filter(dimension__in=dimensions).values_list("commitment", "dimension", "value", at)
        for commitment, dimension, value, day, *states in grouped.annotate(*(Sum(state) for state in STATES)):
            sums.add_value(commitment, dimension, value, day, states)
