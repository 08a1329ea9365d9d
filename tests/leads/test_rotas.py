"""Whose turn it is: fair by weight at every moment, deterministic, and nobody who is away or full."""

from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leads.rotas import Rep, Rota, Seat, missing

weights = st.lists(st.sampled_from((1, 1, 2, 3, 5, 8, 50)), min_size=1, max_size=8)
steps = st.lists(st.tuples(st.lists(st.booleans(), min_size=8, max_size=8), st.integers(1, 12)), max_size=12)


def make_rota(given: list[int], *, turns: list[int | None] | None = None, in_turn: bool = True, **fields) -> Rota:
    reps = [Rep(key, **{name: values[key] for name, values in fields.items()}) for key in range(len(given))]
    had = turns or [0] * len(given)
    return Rota([Seat(rep, weight, had[rep.key]) for rep, weight in zip(reps, given, strict=True)], in_turn=in_turn)


def keys(rota: Rota, count: int) -> list[int]:
    return [rota.next().key for _ in range(count)]


def oracle(weights: dict[int, int], turns: dict[int, int]) -> int:
    """Whose turn is next, in fractions: turn k of a share f may begin after (k - 1) / f turns and ends by k / f."""
    total, now = sum(weights.values()), sum(turns.values())
    found = []
    for key in weights:
        share = Fraction(weights[key], total)
        begins, ends = Fraction(turns[key]) / share, Fraction(turns[key] + 1) / share
        if begins < now + 1:
            found.append((-(-ends // 1), turns[key] - share * (now + 1), key))
    return min(found)[2]


# --- Fairness -----------------------------------------------------------------------------------------------------


def test_three_of_equal_weight_take_turns():
    assert keys(make_rota([1, 1, 1]), 7) == [0, 1, 2, 0, 1, 2, 0]


def test_turns_by_weight_come_round_again():
    assert keys(make_rota([3, 1, 1]), 10) == [0, 0, 1, 2, 0] * 2


@given(weights, st.lists(st.integers(1, 60), max_size=8))
def test_over_any_bulks_nobody_is_more_than_one_turn_away_from_the_share(given, bulks):
    rota, count = make_rota(given), Counter()
    for bulk in bulks:
        for key in keys(rota, bulk):
            count[key] += 1
            done = count.total()
            for who, weight in enumerate(given):
                assert abs(count[who] - Fraction(weight * done, sum(given))) < 1


@given(weights, st.integers(1, 80), st.data())
def test_how_a_bulk_is_divided_changes_nothing(given, size, data):
    cut = data.draw(st.integers(0, size))
    whole, first = make_rota(given), make_rota(given)
    begun = keys(first, cut)
    second = make_rota(given, turns=[seat.turns for seat in first.seats])
    assert keys(whole, size) == begun + keys(second, size - cut)


@given(weights, steps)
def test_it_is_what_a_plain_oracle_says_whoever_is_there(given, steps):
    rota = make_rota(given)
    for there, count in steps:
        for seat in rota.seats:
            seat.rep.is_away = not there[seat.rep.key]
        free = {seat.rep.key: seat.weight for seat in rota.seats if not seat.rep.is_away}
        for _ in range(count):
            turns = {seat.rep.key: seat.turns for seat in rota.seats}
            owed = [abs(Fraction(w * sum(turns[k] for k in free), sum(free.values())) - turns[k])
                    for k, w in free.items()]  # fmt: skip
            chosen = rota.next()
            assert (chosen is None) == (not free)
            if free and max(owed) < 2:
                assert chosen.key == oracle(free, {key: turns[key] for key in free})


@given(weights, steps, st.data())
def test_nobody_who_is_away_full_or_without_a_login_is_ever_next(given, steps, data):
    caps = data.draw(st.lists(st.none() | st.integers(0, 9), min_size=len(given), max_size=len(given)))
    active = data.draw(st.lists(st.booleans(), min_size=len(given), max_size=len(given)))
    rota = make_rota(given, most=caps, is_active=active, in_turn=data.draw(st.booleans()))
    for there, count in steps:
        for seat in rota.seats:
            seat.rep.is_away = not there[seat.rep.key]
        for _ in range(count):
            before = {seat.rep.key: seat.rep.open for seat in rota.seats}
            chosen = rota.next()
            if chosen is None:
                assert not any(seat.rep.is_free for seat in rota.seats)
                continue
            assert there[chosen.key] and active[chosen.key]
            assert caps[chosen.key] is None or before[chosen.key] < caps[chosen.key]
            assert chosen.open == before[chosen.key] + 1


@given(weights.filter(lambda given: len(given) > 1), st.integers(1, 200), st.integers(1, 60))
def test_who_was_away_saves_nothing_up_and_is_not_flooded_on_return(given, away_for, after):
    rota = make_rota(given)
    rota.seats[0].rep.is_away = True
    keys(rota, away_for)
    rota.seats[0].rep.is_away = False
    back = Counter(keys(rota, after))
    assert back[0] <= Fraction(given[0] * after, sum(given)) + 1


def test_a_changed_weight_owes_nobody_what_the_old_one_did_not_give():
    rota = make_rota([1, 1, 1])
    keys(rota, 300)
    rota.seats[0].weight = 8
    # Eight of ten from now on, and not the 140 that 300 turns at the new weight would have been.
    assert Counter(keys(rota, 20))[0] in (15, 16, 17, 18)


def test_a_new_colleague_begins_with_the_share_and_not_with_all_that_others_had():
    rota = make_rota([1, 1, 1], turns=[100, 100, None])
    assert Counter(keys(rota, 9)) == {0: 3, 1: 3, 2: 3}


# --- Who is asked -------------------------------------------------------------------------------------------------


def test_of_the_free_ones_those_at_work_are_asked():
    assert set(keys(make_rota([1, 1, 1], is_at_work=[False, True, None]), 6)) == {1, 2}


def test_when_nobody_is_at_work_all_the_free_ones_are_asked():
    assert set(keys(make_rota([1, 1], is_at_work=[False, False]), 2)) == {0, 1}


def test_when_those_at_work_are_full_the_others_are_asked():
    rota = make_rota([1, 1], is_at_work=[True, False], most=[2, None])
    assert keys(rota, 4) == [0, 0, 1, 1]


def test_whoever_had_it_before_is_not_asked_and_nobody_left_is_nobody():
    rota = make_rota([1, 1])
    assert rota.next(but={0}).key == 1
    assert rota.next(but={0, 1}) is None


def test_the_fewest_open_comes_first_and_of_equals_the_longest_known():
    rota = make_rota([1, 1, 1], open=[2, 0, 1], in_turn=False)
    assert keys(rota, 5) == [1, 1, 2, 0, 1]


@pytest.mark.parametrize(
    ("fields", "but", "why"),
    [
        ({}, (), None),
        ({"is_away": True}, (), "away"),
        ({"open": 3, "most": 3}, (), "full"),
        ({"open": 2, "most": 3}, (), None),
        ({"most": 0}, (), "full"),
        ({"is_active": False, "is_away": True}, (), "without a login"),
        ({"is_away": True}, (1,), "had it before"),
    ],
)
def test_why_somebody_is_not_free(fields, but, why):
    assert missing([Rep(1, **fields)], but=but) == ({why: 1} if why else {})
