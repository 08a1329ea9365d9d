"""Spans of time counted in geometric buckets: sums of days add up, and quantiles come out within a stated error. Pure.

Medians of days do not add up to the median of a month; counts by bucket do. The buckets of a commitment are powers of
2^(1/24) times its limit, each open below and closed above, so how many spans lie within the limit, its half or its
double is exact, and nought has a bucket of its own. A span is known by its bucket, and read as the value that is off by
the same share at both ends: at most (q − 1) ÷ (q + 1) with q = 2^(1/24), which is 1.45 %. A quantile lies between two
spans and mixes them (rule N5), so that it is off by no larger share.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

import numpy as np

STEPS = 24  # buckets from a span to its double
ERROR = 0.015  # what a quantile is off by at most, as a share of it
REACH = 50 * STEPS  # from a limit of years down to less than a microsecond, and beyond every lifetime
ZERO = -REACH - 1  # the bucket of nought
NO_LIMIT = 3600.0  # the buckets of what has no limit lie around an hour
# The bars of a picture end at these shares of the limit; what takes longer than the last is one bar more.
BARS = (1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8)

_TOPS = 2.0 ** (np.arange(-REACH, REACH + 1) / STEPS)
_MIDDLES = _TOPS * 2 / (1 + 2 ** (1 / STEPS))


def buckets(seconds: np.ndarray, limit: float | None) -> np.ndarray:
    """The bucket of each span, 0 for those just within the limit; `ZERO` for nought."""
    found = np.searchsorted(_TOPS * (limit or NO_LIMIT), seconds, side="left").clip(max=2 * REACH) - REACH
    return np.where(seconds > 0, found, ZERO)


@dataclass
class Histogram:
    """How many spans lie in each bucket around a limit (in seconds; None where there is none)."""

    limit: float | None = None
    counts: dict[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, seconds: np.ndarray, limit: float | None) -> Self:
        """The histogram of these spans."""
        found, numbers = np.unique(buckets(np.asarray(seconds, float), limit), return_counts=True)
        return cls(limit, dict(zip(found.tolist(), numbers.tolist(), strict=True)))

    def add(self, counts: Mapping[int | str, int]) -> None:
        """Count more spans, by bucket; as JSON writes them, a bucket may be text."""
        for bucket, number in counts.items():
            self.counts[int(bucket)] = self.counts.get(int(bucket), 0) + number

    @property
    def total(self) -> int:
        """All spans."""
        return sum(self.counts.values())

    def quantile(self, share: float) -> float | None:
        """The span that `share` of all lie below, in seconds, by linear interpolation (N5); None where there is none.

        Off by at most `ERROR` of itself.
        """
        if not self.counts:
            return None
        found = np.array(sorted(self.counts))
        ends = np.cumsum([self.counts[bucket] for bucket in found.tolist()])
        position = share * (ends[-1] - 1)
        around = np.searchsorted(ends, [np.floor(position), np.ceil(position)], side="right")
        low, high = self._middle(found[around])
        return float(low + (high - low) * (position % 1))

    def bars(self) -> dict[str, list[float] | list[int] | int] | None:
        """Counts between `edges` (in seconds; the limit is one of them) and `over` the last; None without a limit.

        The first bar begins at nought and holds it; every other one is open below and closed above. All exact.
        """
        if self.limit is None or not self.counts:
            return None
        around = self.limit or NO_LIMIT
        tops = [round(STEPS * np.log2(share)) for share in BARS]
        counts = [0] * (len(tops) + 1)
        for bucket, number in self.counts.items():
            counts[int(np.searchsorted(tops, bucket))] += number
        return {"edges": [0.0, *(around * share for share in BARS)], "counts": counts[:-1], "over": counts[-1]}

    def _middle(self, found: np.ndarray) -> np.ndarray:
        middles = _MIDDLES[np.maximum(found, -REACH) + REACH] * (self.limit or NO_LIMIT)
        return np.where(found == ZERO, 0.0, middles)
