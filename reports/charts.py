"""Pictures of a scorecard as geometry, which templates draw as SVG. Pure.

Across everything is a share of the picture's width, written as a percentage, so that a picture takes the width that
there is and its words keep their size; upright everything is in pixels. No colour says anything alone: what came after
the limit stands right of a line that is named, and is hatched.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from math import log

# Upright, in pixels: counts stand above the bars, edges below them.
TOP, HEIGHT = 34, 96
BASE = TOP + HEIGHT
GAP = 0.14  # between two bars, as a share of a bar's place
CLOSEST = 11  # per cent of the width that a label under the axis needs at least
# Where in the bar without an end a mark stands.
SOMEWHERE = 0.5


@dataclass(frozen=True)
class Bar:
    """One bar: from `low` to `high` seconds (None: without an end), and where it lies."""

    count: int
    low: float
    high: float | None
    x: str
    width: str
    middle: str
    y: float
    height: float
    is_late: bool


@dataclass(frozen=True)
class Tick:
    """A span that is named under the axis; `anchor` is that of the text."""

    seconds: float
    x: str
    anchor: str


@dataclass(frozen=True)
class Histogram:
    """How many took how long. `limit_x`, `median_x` and `p90_x` are places, None where there is none."""

    bars: list[Bar]
    ticks: list[Tick]
    limit: float
    limit_x: str
    limit_anchor: str
    median_x: str | None
    p90_x: str | None
    within: int
    late: int

    @property
    def total(self) -> int:
        return self.within + self.late


@dataclass(frozen=True)
class Bullet:
    """A share as a bar, with a stroke at the target and a finer one at the baseline; None where not named."""

    width: str
    target_x: str | None
    baseline_x: str | None


@dataclass(frozen=True)
class Interval:
    """A share as a point, and what it may well be as a line through it."""

    x: str
    low_x: str
    high_x: str


def histogram(
    edges: Sequence[float], counts: Sequence[int], over: int, *, limit: float, median: float | None, p90: float | None
) -> Histogram:
    """Counts between `edges` (in seconds, one more than counts) and beyond the last, as bars of equal width.

    What lies beyond the limit is late; the limit should be one of the edges, else the bar that it falls into is not.
    """
    places = len(counts) + 1
    step = 100 / places
    most = max([*counts, over, 1])
    spans = [*itertools.pairwise(edges), (edges[-1], None)]
    bars = [
        Bar(
            count=count,
            low=low,
            high=high,
            x=_percent(place * step + step * GAP / 2),
            width=_percent(step * (1 - GAP)),
            middle=_percent((place + 0.5) * step),
            y=round(BASE - HEIGHT * count / most, 1),
            height=round(HEIGHT * count / most, 1),
            is_late=low >= limit,
        )
        for place, ((low, high), count) in enumerate(zip(spans, [*counts, over], strict=True))
    ]
    late = sum(bar.count for bar in bars if bar.is_late)
    limit_at = _place(edges, limit) * step
    return Histogram(
        bars=bars,
        ticks=_ticks(edges, step),
        limit=limit,
        limit_x=_percent(limit_at),
        limit_anchor="start" if limit_at < 60 else "end",
        median_x=None if median is None else _percent(_place(edges, median) * step),
        p90_x=None if p90 is None else _percent(_place(edges, p90) * step),
        within=sum(counts) + over - late,
        late=late,
    )


def bullet(attained: float | None, target: float | None, baseline: float | None, *, most: float = 0) -> Bullet:
    """Attained against target and baseline, on a scale that ends at `most` or at the largest of them."""
    end = max(most, attained or 0, target or 0, baseline or 0) or 1
    return Bullet(
        width=_percent(100 * (attained or 0) / end),
        target_x=None if target is None else _percent(100 * target / end),
        baseline_x=None if baseline is None else _percent(100 * baseline / end),
    )


def interval(value: float, low: float, high: float) -> Interval:
    """A share between 0 and 1 with the ends of its interval."""
    return Interval(_percent(100 * value), _percent(100 * low), _percent(100 * high))


def widths(values: Sequence[float | None]) -> list[str]:
    """Bars on one scale, on which the longest takes the whole width."""
    most = max([value or 0 for value in values], default=0) or 1
    return [_percent(100 * (value or 0) / most) for value in values]


def _place(edges: Sequence[float], seconds: float) -> float:
    """Where a span lies, counted in bars from the left; edges that double are a scale of doubling also between them."""
    for place, (low, high) in enumerate(itertools.pairwise(edges)):
        if seconds <= high:
            share = log(seconds / low) / log(high / low) if low > 0 else seconds / high
            return place + max(share, 0)
    return len(edges) - 1 + SOMEWHERE


def _ticks(edges: Sequence[float], step: float) -> list[Tick]:
    """Edges whose names do not lie upon each other."""
    found: list[Tick] = []
    last = -CLOSEST
    for place, edge in enumerate(edges):
        at = place * step
        if at - last >= CLOSEST and at <= 100 - step / 2:
            found.append(Tick(edge, _percent(at), "start" if place == 0 else "middle"))
            last = at
    return found


def _percent(share: float) -> str:
    return f"{min(max(share, 0), 100):.2f}%"
