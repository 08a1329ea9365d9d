"""Intervals around shares and around differences of shares, all for 95 % confidence. Pure.

Few formulas, each checked against published examples; a statistics library for them would be the largest thing that
the portal installs.
"""

from collections.abc import Sequence
from math import sqrt
from statistics import NormalDist
from typing import NamedTuple

Z = NormalDist().inv_cdf(0.975)


class Interval(NamedTuple):
    """A share, or a difference of two, with what it may as well be."""

    value: float
    low: float
    high: float


class Pair(NamedTuple):
    """Two groups of one stratum: so many of each, and how many of them had the event."""

    events: int
    of: int
    other_events: int
    of_other: int


def share(events: int, of: int) -> Interval | None:
    """Wilson's score interval of a share; None of nothing."""
    if not of:
        return None
    value = events / of
    middle = (value + Z * Z / (2 * of)) / (1 + Z * Z / of)
    reach = Z * sqrt(value * (1 - value) / of + Z * Z / (4 * of * of)) / (1 + Z * Z / of)
    # Of none and of all, rounding must not leave the share itself outside.
    return Interval(value, min(max(middle - reach, 0.0), value), max(min(middle + reach, 1.0), value))


def difference(strata: Sequence[Pair]) -> Interval | None:
    """The first group's share less the other's within the same strata; None where no stratum has both groups.

    Differences of strata are weighted as Mantel and Haenszel do, by n₁n₂ ÷ (n₁+n₂). The limits of the shares' Wilson
    intervals are put together by squares, which for one stratum is Newcombe's interval and never empty or beyond ±1.
    """
    both = [pair for pair in strata if pair.of and pair.of_other]
    weights = [pair.of * pair.of_other / (pair.of + pair.of_other) for pair in both]
    if not both:
        return None
    value = below = above = 0.0
    for pair, weight in zip(both, weights, strict=True):
        part = weight / sum(weights)
        one, other = share(pair.events, pair.of), share(pair.other_events, pair.of_other)
        value += part * (one.value - other.value)
        below += part**2 * ((one.value - one.low) ** 2 + (other.high - other.value) ** 2)
        above += part**2 * ((one.high - one.value) ** 2 + (other.value - other.low) ** 2)
    return Interval(value, value - sqrt(below), value + sqrt(above))
