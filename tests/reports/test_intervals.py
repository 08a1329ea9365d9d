"""Intervals: published examples, and what must hold of any."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.intervals import Pair, difference, share

# Newcombe 1998, Statistics in Medicine 17, 857–872, table I: the score method.
WILSON = [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]
# Newcombe 1998, Statistics in Medicine 17, 873–890, table II: method 10.
NEWCOMBE = [
    ((56, 70, 48, 80), 0.2000, 0.0524, 0.3339),
    ((9, 10, 3, 10), 0.6000, 0.1705, 0.8090),
    ((5, 56, 0, 29), 0.0893, -0.0381, 0.1926),
    ((0, 10, 0, 20), 0.0, -0.1611, 0.2775),
    ((10, 10, 0, 20), 1.0, 0.6791, 1.0),
]
# Deaths under tolbutamide and under placebo, below 55 years and above (University Group Diabetes Program, 1970): the
# pooled difference is 0.035 (Rothman, Epidemiology: An Introduction).
TOLBUTAMIDE = [Pair(8, 106, 5, 120), Pair(22, 98, 16, 85)]

pairs = st.tuples(st.integers(0, 40), st.integers(1, 40), st.integers(0, 40), st.integers(1, 40)).map(
    lambda n: Pair(min(n[0], n[1]), n[1], min(n[2], n[3]), n[3])
)


@pytest.mark.parametrize(("events", "of", "low", "high"), WILSON)
def test_the_interval_of_a_share_is_wilsons(events, of, low, high):
    found = share(events, of)
    assert found.value == events / of
    assert (found.low, found.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


@pytest.mark.parametrize(("pair", "value", "low", "high"), NEWCOMBE)
def test_the_interval_of_a_difference_within_one_stratum_is_newcombes(pair, value, low, high):
    found = difference([Pair(*pair)])
    assert found == pytest.approx((value, low, high), abs=5e-5)


def test_differences_of_strata_are_weighted_as_mantel_and_haenszel_do():
    found = difference(TOLBUTAMIDE)
    assert round(found.value, 3) == 0.035
    crude = difference([Pair(30, 204, 21, 205)])
    assert round(crude.value, 3) == 0.045  # of which the ages of the groups make up a part
    assert found.low < 0 < found.high


def test_rounding_leaves_the_share_of_none_and_of_all_within_its_interval():
    for of in range(1, 200):
        assert share(0, of).low == 0 and share(of, of).high == 1


def test_of_nothing_there_is_no_interval():
    assert share(0, 0) is None
    assert difference([]) is None
    assert difference([Pair(1, 2, 0, 0), Pair(0, 0, 3, 3)]) is None


@given(strata=st.lists(pairs, min_size=1, max_size=6))
def test_a_difference_lies_within_its_interval_and_within_the_possible(strata):
    found = difference(strata)
    assert -1 - 1e-12 <= found.low <= found.value <= found.high <= 1 + 1e-12


@given(strata=st.lists(pairs, min_size=1, max_size=6), order=st.randoms())
def test_the_order_of_strata_changes_nothing_and_the_other_way_round_the_sign(strata, order):
    found = difference(strata)
    assert difference(order.sample(strata, len(strata))) == pytest.approx(found)
    turned = [Pair(pair.other_events, pair.of_other, pair.events, pair.of) for pair in strata]
    assert difference(turned) == pytest.approx((-found.value, -found.high, -found.low))


@pytest.mark.parametrize(
    ("strata", "smallest", "largest", "rate", "true"),
    [(6, 5, 30, 0.2, 0.1), (6, 5, 30, 0.03, 0.0), (1, 10, 20, 0.3, 0.1)],
)
def test_of_many_samples_nearly_all_intervals_hold_the_true_difference(strata, smallest, largest, rate, true):
    random, holds, samples = Random(strata), 0, 1000
    for _ in range(samples):
        drawn = []
        for _ in range(strata):
            one, other = random.randint(smallest, largest), random.randint(smallest, largest)
            drawn.append(
                Pair(
                    sum(random.random() < rate + true for _ in range(one)), one,
                    sum(random.random() < rate for _ in range(other)), other,
                )
            )  # fmt: skip
        found = difference(drawn)
        holds += found.low <= true <= found.high
    assert holds / samples >= 0.925
