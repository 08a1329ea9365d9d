"""Pictures as geometry: what is drawn lies inside, in order, and in proportion, whatever the figures."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from reports import charts

HOUR = 3600.0
EDGES = [0.0, *(4 * HOUR * share for share in (1 / 8, 1 / 4, 1 / 2, 1, 2, 4))]
counts = st.lists(st.integers(0, 10**7), min_size=len(EDGES) - 1, max_size=len(EDGES) - 1)
spans = st.floats(0, 10**7)


def at(place: str) -> float:
    assert place.endswith("%")
    return float(place[:-1])


def drawn(numbers, over, median=None, p90=None) -> charts.Histogram:
    return charts.histogram(EDGES, numbers, over, limit=4 * HOUR, median=median, p90=p90)


@given(counts, st.integers(0, 10**7))
def test_bars_lie_side_by_side_inside_the_picture_and_stand_on_one_line(numbers, over):
    bars = drawn(numbers, over).bars

    ends = [(at(bar.x), at(bar.x) + at(bar.width)) for bar in bars]
    assert all(0 <= begin < end <= 100 for begin, end in ends)
    assert all(end <= begin for (_, end), (begin, _) in itertools.pairwise(ends))
    assert all(abs(bar.y + bar.height - charts.BASE) < 0.2 and bar.y >= charts.TOP for bar in bars)


@given(counts, st.integers(0, 10**7))
def test_heights_are_in_proportion_and_the_highest_takes_all_of_it(numbers, over):
    bars = drawn(numbers, over).bars

    most = max(bar.count for bar in bars)
    for bar in bars:
        assert abs(bar.height - (charts.HEIGHT * bar.count / most if most else 0)) <= 0.05
    assert [bar.count for bar in bars] == [*numbers, over]


@given(counts, st.integers(0, 10**7))
def test_what_is_late_stands_right_of_the_limit_and_all_is_counted_once(numbers, over):
    chart = drawn(numbers, over)

    for bar in chart.bars:
        is_right = at(bar.x) >= at(chart.limit_x)
        assert bar.is_late == is_right == (bar.low >= 4 * HOUR)
    assert (chart.within, chart.late) == (sum(numbers[:4]), sum(numbers[4:]) + over)
    assert chart.total == sum(numbers) + over


@given(spans, spans)
def test_a_longer_span_is_never_marked_further_left_and_a_mark_lies_in_its_bar(one, other):
    chart = drawn([1] * 6, 1, median=min(one, other), p90=max(one, other))

    assert at(chart.median_x) <= at(chart.p90_x)
    for seconds, place in ((min(one, other), chart.median_x), (max(one, other), chart.p90_x)):
        slot = 100 / len(chart.bars)
        (index,) = [n for n, bar in enumerate(chart.bars)
                    if (bar.low < seconds or n == 0) and (bar.high is None or seconds <= bar.high)]  # fmt: skip
        assert index * slot - 0.01 <= at(place) <= (index + 1) * slot + 0.01


def test_names_under_the_axis_do_not_lie_upon_each_other():
    ticks = [at(tick.x) for tick in drawn([1] * 6, 0).ticks]

    assert ticks[0] == 0
    assert all(after - before >= charts.CLOSEST for before, after in itertools.pairwise(ticks))


def test_nothing_at_all_is_an_empty_picture():
    chart = drawn([0] * 6, 0)

    assert {bar.height for bar in chart.bars} == {0}
    assert (chart.median_x, chart.p90_x) == (None, None)


optional = st.none() | st.floats(0, 10**6)


@given(optional, optional, optional, st.sampled_from([0, 1]))
def test_a_bullet_keeps_its_order_on_one_scale(attained, target, baseline, most):
    bullet = charts.bullet(attained, target, baseline, most=most)

    known = [(attained or 0, bullet.width), (target, bullet.target_x), (baseline, bullet.baseline_x)]
    placed = sorted((value, at(place)) for value, place in known if value is not None)
    assert [place for _, place in placed] == sorted(place for _, place in placed)
    assert all(0 <= place <= 100 for _, place in placed)
    assert (bullet.target_x is None) == (target is None)


@given(st.lists(st.none() | st.floats(0, 10**7), max_size=8))
def test_bars_on_one_scale_fill_it_with_the_longest(values):
    found = [at(width) for width in charts.widths(values)]

    assert all(0 <= width <= 100 for width in found)
    if any(values):
        assert max(found) == 100


@given(st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)))
def test_a_share_stands_inside_its_interval(ends):
    low, value, high = sorted(ends)
    found = charts.interval(value, low, high)
    assert 0 <= at(found.low_x) <= at(found.x) <= at(found.high_x) <= 100
