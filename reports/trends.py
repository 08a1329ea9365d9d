"""A commitment over the last periods: the points of a small line, and the figures behind it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from slaportal.templatetags.display import percent

WIDTH, HEIGHT, EDGE = 104, 34, 5


@dataclass(frozen=True)
class Moment:
    """What was reached in one period; `counts` are met and missed, of volume what was delivered and what was due."""

    key: str
    label: str
    attained: str
    met: int
    of: float


@dataclass(frozen=True)
class Trend:
    """A line in a box of WIDTH × HEIGHT; `words` say the same to whoever does not see it, `moments` are its table."""

    points: str
    last: tuple[float, float]
    target_y: float | None
    words: str
    moments: list[Moment]


def draw(code: str, cards: Sequence[Mapping[str, Any] | None], *, target: float | None, volume: bool) -> Trend | None:
    """The attainment of the commitment `code` over `cards`, oldest first; None with fewer than two known values.

    A code stays the same from version to version, so what several versions reached in one period is taken together.
    """
    counts = [_counts(card, code) for card in cards]
    values = [met / of if of else None for met, of in counts]
    known = [(place, value) for place, value in enumerate(values) if value is not None]
    if len(known) < 2:
        return None
    mark = 1.0 if volume else target
    heights = [value for _, value in known] + ([] if mark is None else [mark])
    low, high = min(heights), max(heights)

    def y(value: float) -> float:
        rise = (value - low) / (high - low) if high > low else 0.5
        return round(HEIGHT - EDGE - rise * (HEIGHT - 2 * EDGE), 1)

    step = (WIDTH - 2 * EDGE) / (len(values) - 1)
    points = [(round(EDGE + step * place, 1), y(value)) for place, value in known]
    return Trend(
        points=" ".join(f"{x},{height}" for x, height in points),
        last=points[-1],
        target_y=None if mark is None else y(mark),
        words=", ".join(percent(value) for value in values),
        moments=[
            Moment(card["period"]["key"], card["period"]["label"], percent(value, mark), met, of)
            for card, value, (met, of) in zip(cards, values, counts, strict=True)
            if card
        ],
    )


def _counts(card: Mapping[str, Any] | None, code: str) -> tuple[int, float]:
    """How many were met, and of how many: of those with a verdict, or of what was due."""
    rows = [row for row in card["commitments"] if row["code"] == code] if card else []
    met = sum(row["met"] for row in rows)
    if rows and rows[0]["target_unit"] == "per month":
        return met, sum(row["expected"] or 0 for row in rows)
    return met, met + sum(row["missed"] for row in rows)
