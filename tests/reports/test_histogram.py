"""Quantiles from buckets are within the stated error of the true ones, and counts around the limit are exact."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.histogram import BARS, ERROR, ZERO, Histogram, buckets

MICROSECONDS = st.integers(0, 3 * 10**13)  # up to a year
SPANS = st.lists(st.one_of(st.just(0), st.integers(0, 10**8), MICROSECONDS), min_size=1, max_size=60)
LIMITS = st.sampled_from([None, 0, 1, 60, 900, 3600, 14_400, 86_400, 432_000, 63_072_000])


def true_quantile(spans: list[Fraction], share: Fraction) -> Fraction:
    """By linear interpolation between the two spans around the place, in exact numbers (N5)."""
    spans = sorted(spans)
    place = share * (len(spans) - 1)
    low = spans[int(place)]
    high = spans[min(int(place) + 1, len(spans) - 1)]
    return low + (high - low) * (place - int(place))


def seconds(micros: list[int]) -> np.ndarray:
    return np.array(micros) / 1e6


@given(micros=SPANS, limit=LIMITS, share=st.sampled_from([Fraction(1, 2), Fraction(9, 10), Fraction(0), Fraction(1)]))
def test_a_quantile_is_off_by_no_more_than_the_stated_share_of_itself(micros, limit, share):
    true = true_quantile([Fraction(micro, 10**6) for micro in micros], share)

    found = Histogram.of(seconds(micros), limit).quantile(float(share))

    assert abs(Fraction(found) - true) <= Fraction(ERROR) * true


def test_the_stated_error_is_hardly_more_than_what_the_worst_span_shows():
    spans = 3600 * 2.0 ** np.linspace(0, 1 / 24, 1000)[1:]

    worst = max(abs(Histogram.of(np.array([span]), 3600).quantile(0.5) - span) / span for span in spans)

    assert 0.014 < worst <= ERROR <= 0.02


def test_nought_is_exact():
    assert Histogram.of(np.zeros(3), 3600).quantile(0.5) == 0
    assert Histogram.of(np.array([0.0, 0.0, 0.0, 50.0]), 3600).quantile(0.5) == 0


def test_without_a_span_there_is_no_quantile_and_no_picture():
    empty = Histogram(3600)

    assert (empty.quantile(0.5), empty.bars(), empty.total) == (None, None, 0)


@given(one=SPANS, other=SPANS, limit=LIMITS)
def test_histograms_of_days_add_up_to_that_of_the_month_also_after_they_were_json(one, other, limit):
    month = Histogram(limit)
    for day in (one, other):
        month.add({str(bucket): count for bucket, count in Histogram.of(seconds(day), limit).counts.items()})

    assert month == Histogram.of(seconds(one + other), limit)
    assert month.total == len(one) + len(other)


@given(micros=SPANS, limit=LIMITS.filter(bool))
def test_bars_hold_exactly_the_spans_between_their_edges_and_the_limit_is_one(micros, limit):
    # At each edge, and a microsecond on both sides of it.
    micros = micros + [round(share * limit * 10**6) + beside for share in BARS for beside in (-1, 0, 1)]
    bars = Histogram.of(seconds(micros), limit).bars()

    edges = [Fraction(0), *(Fraction(share) * limit for share in BARS)]
    spans = [Fraction(micro, 10**6) for micro in micros]
    assert limit in bars["edges"] and bars["edges"] == edges
    assert bars["counts"][0] == sum(span <= edges[1] for span in spans)
    for place in range(1, len(BARS)):
        assert bars["counts"][place] == sum(edges[place] < span <= edges[place + 1] for span in spans)
    assert bars["over"] == sum(span > edges[-1] for span in spans)


@pytest.mark.parametrize("limit", [60, 3600, 14_400, 86_400, 432_000])
def test_a_microsecond_tells_just_within_the_limit_from_just_past_it(limit):
    around = np.array([limit - 1e-6, limit, limit + 1e-6, limit / 2, limit / 2 + 1e-6, 2 * limit, 0.0])

    assert buckets(around, limit).tolist() == [0, 0, 1, -24, -23, 24, ZERO]


def test_what_has_no_limit_has_quantiles_but_no_picture():
    found = Histogram.of(np.array([60.0, 120.0, 180.0]), None)

    assert found.quantile(0.5) == pytest.approx(120, rel=ERROR)
    assert found.bars() is None
