"""The pace of a month as a line: what was delivered day by day, and what was due by then. Pure.

Lines are drawn in a box of 1000 by 1000 that is stretched; labels are placed beside it, so that words keep their size.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

BOX = 1000
# Where the box lies in the picture, in pixels; labels of days stand below it.
TOP, HEIGHT, BELOW = 16, 180, 214
LABELLED = 7  # days between two labels


@dataclass(frozen=True)
class Tick:
    """A height that is named: `y` in the box and `label_y` in the picture."""

    y: int
    label_y: int
    text: str


@dataclass(frozen=True)
class Mark:
    """A day that is named; `x` is a percentage."""

    x: str
    text: str
    anchor: str


@dataclass(frozen=True)
class Chart:
    """Everything to draw. `expected` is blank where no target is agreed; `now_x` is None once the month is over."""

    delivered: str
    area: str
    expected: str
    ticks: list[Tick]
    marks: list[Mark]
    now_x: int | None


def draw(delivered: Sequence[int], expected: Sequence[Fraction] | None, *, days: int, passed: Fraction) -> Chart:
    """Both lines from nothing. `delivered` holds the sum at the end of each day that has begun, `expected` what is due
    by the end of each day of the month; `passed` are the days that are over, with the part of the running one.
    """
    most = max([*delivered, *(expected or ()), Fraction(1)])

    def y(value: Fraction | int) -> int:
        return BOX - round(BOX * value / most)

    def x(day: Fraction | int) -> int:
        return round(BOX * Fraction(day) / days)

    line = [(0, BOX)]
    line += [(x(min(Fraction(number), passed)), y(value)) for number, value in enumerate(delivered, 1)]
    due = [(0, BOX), *((x(number), y(value)) for number, value in enumerate(expected, 1))] if expected else []
    last = line[-1][0]
    heights = {Fraction(expected[-1])} if expected and expected[-1] else set()
    heights |= {Fraction(delivered[-1])} if delivered and delivered[-1] else set()
    ticks = [Tick(y(value), round(TOP + HEIGHT * y(value) / BOX) - 4, _plain(value)) for value in _apart(heights, most)]
    marks = [Mark(f"{100 * number / days:.2f}%", str(number + 1), "start") for number in range(0, days, LABELLED)]
    return Chart(
        delivered=_points(line),
        area=_points([*line, (last, BOX)]),
        expected=_points(due),
        ticks=ticks,
        marks=marks,
        now_x=x(passed) if passed < days else None,
    )


def _apart(heights: set[Fraction], most: Fraction | int) -> list[Fraction]:
    """Those whose labels do not lie upon each other, the highest first."""
    found: list[Fraction] = []
    for value in sorted(heights, reverse=True):
        if not found or (found[-1] - value) * HEIGHT >= 12 * most:
            found.append(value)
    return found


def _points(points: Sequence[tuple[int, int]]) -> str:
    return " ".join(f"{x},{y}" for x, y in points)


def _plain(value: Fraction) -> str:
    return f"{float(value):,.1f}".removesuffix(".0")
