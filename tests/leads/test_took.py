"""Spans of clocks as addresses say them: each clock lies in exactly one bar, and each list has its own."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leads.models import Clock
from leads.took import UNSTOPPED, Took
from tests.conftest import MONDAY, receive

BARS = [0.0, 225.0, 4.6875 * 2**10, 115_200.0, None]


@given(st.floats(0, 1e9).map(lambda low: round(low, 6)), st.none() | st.floats(0, 1e9).map(lambda high: round(high, 6)))
def test_what_an_address_says_is_read_as_it_was_meant(low, high):
    assert Took.parse(Took(low, high).key) == Took(low, high)


def test_not_stopped_has_a_word_of_its_own():
    assert Took.parse(Took().key) == Took() and Took().key == UNSTOPPED


@pytest.mark.parametrize("text", ["", "soon", "5", "-5", "5-4-3", "1e3-2", "٣-٤", "9" * 20 + "-"])
def test_what_is_no_span_is_refused_with_a_sentence(text):
    with pytest.raises(ValueError, match="is no span"):
        Took.parse(text)


@pytest.mark.django_db
@pytest.mark.parametrize("seconds", [0.0, 0.000001, 225.0, 225.000001, 4800.0, 115_200.0, 1e8])
def test_every_stopped_clock_lies_in_exactly_one_bar_and_an_excluded_one_in_none(version, seconds):
    (handoff,) = receive("L1")
    clocks = Clock.objects.filter(handoff=handoff, commitment__kind="first_response")
    clocks.update(state=Clock.State.MET, stopped_at=MONDAY, elapsed_seconds=seconds)
    bars = [Took(low, high) for low, high in pairwise(BARS)]

    (its,) = [bar for bar in bars if clocks.filter(bar.of_clocks)]

    assert its.low <= seconds and (its.high is None or seconds <= its.high)
    clocks.update(state=Clock.State.EXCLUDED)
    assert not any(clocks.filter(bar.of_clocks) for bar in [*bars, Took()])
    clocks.update(state=Clock.State.OPEN, stopped_at=None, elapsed_seconds=None)
    assert clocks.filter(Took().of_clocks) and not any(clocks.filter(bar.of_clocks) for bar in bars)
