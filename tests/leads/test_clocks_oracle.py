"""`evaluate` says of any history what a plain reading of the rules says of it, and obeys its laws."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.leads.oracle import Assignment, Attempt, Clock, Disposition, Dispute, Fact, Hold
from tests.leads.worlds import HALF_HOUR, MICROSECOND, ZONES, clock_changes, make_world

WORLDS, HISTORIES = 40, 50  # for each zone


@pytest.mark.parametrize("zone", ZONES)
def test_a_plain_reading_of_the_rules_says_the_same_of_random_histories(zone):
    assert len(clock_changes(zone)) == 2
    for seed in range(WORLDS):
        world = make_world(seed, zone, size=HISTORIES)
        for said, right in zip(world.evaluated(), sorted(world.judged()), strict=True):
            assert said == right, f"{world.terms.promises[right.promise]}, {world.histories[right.handoff]}"


# Laws ----------------------------------------------------------------------------------------------------------------

worlds = st.builds(make_world, st.integers(0, 10**6), st.sampled_from(ZONES), size=st.just(12))
settled_worlds = st.builds(
    make_world, st.integers(0, 10**6), st.sampled_from(ZONES), size=st.just(12), settled=st.just(True)
)
laws = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@laws
@given(world=worlds)
def test_many_handoffs_are_judged_as_each_alone(world):
    assert world.evaluated() == [clock for history in world.histories for clock in world.evaluated([history])]


@laws
@given(world=worlds, data=st.data())
def test_the_order_of_handoffs_changes_nothing(world, data):
    assert world.evaluated(data.draw(st.permutations(world.histories))) == world.evaluated()


@laws
@given(world=worlds)
def test_each_handoff_has_one_deciding_clock_for_each_commitment_and_it_is_its_worst(world):
    verdicts: dict[tuple[int, int], list[Clock]] = {}
    for clock in world.evaluated():
        verdicts.setdefault((clock.handoff, clock.promise), []).append(clock)
    assert len(verdicts) == len(world.histories) * len(world.terms.promises)
    for clocks in verdicts.values():
        (deciding,) = [clock for clock in clocks if clock.decides]
        states = [clock.state for clock in clocks]
        assert deciding.state == min(states, key=("missed", "open", "met", "excluded").index)


@laws
@given(world=settled_worlds, later=st.timedeltas(timedelta(0), timedelta(days=60)))
def test_time_alone_changes_no_verdict_but_that_an_open_clock_misses(world, later):
    for before, after in zip(world.evaluated(), world.evaluated(now=world.now + later), strict=True):
        if before.state == "open" and after.state == "missed":
            assert before.look < world.now + later
            assert (after.started, after.due, after.rule) == (before.started, before.due, "limit_used_up")
            assert (after.step_at, after.step) == (before.step_at, before.step)
        else:
            # Open clocks count for whoever has them now, which no fact has changed.
            assert after._replace(decides=True) == before._replace(decides=True)


@laws
@given(world=settled_worlds)
def test_an_open_clock_misses_just_after_it_is_looked_at_and_not_before(world):
    for clock in world.evaluated():
        if clock.look:
            history = [world.histories[clock.handoff]]
            at_look, just_after = (
                next(found for found in world.evaluated(history, now) if found[:3] == clock[:3])
                for now in (clock.look, clock.look + MICROSECOND)
            )
            assert clock.started <= clock.due <= clock.look
            assert (at_look.state, just_after.state) == ("open", "missed")


# What must change nothing, from a moment before everything, one in the midst of it and one after now.
IRRELEVANT = {
    "by a machine": lambda before, amid, after: {"attempts": [Attempt(id=0, at=amid, outbound=False)]},
    "an attempt before it began": lambda before, amid, after: {"attempts": [Attempt(id=0, at=before, touch=True)]},
    "a hold over before it began": lambda before, amid, after: {
        "holds": [Hold(id=0, at=before, ended_at=before + HALF_HOUR)]
    },
    "a hold without length": lambda before, amid, after: {"holds": [Hold(id=0, at=amid, ended_at=amid)]},
    "written down a year late": lambda before, amid, after: {
        "attempts": [Attempt(id=0, at=amid, touch=True, entered_at=amid + timedelta(days=365))]
    },
    "not happened yet": lambda before, amid, after: {
        "assignments": [Assignment(id=0, at=after)],
        "attempts": [Attempt(id=0, at=after, touch=True)],
        "dispositions": [Disposition(id=0, at=after, verdict="rejected", has_reason=True)],
        "outcomes": [Fact(id=0, at=after)],
        "holds": [Hold(id=0, at=after)],
        "disputes": [Dispute(id=0, at=after, answered_at=after, upheld=True)],
    },
}


@pytest.mark.parametrize("why", IRRELEVANT)
@laws
@given(world=worlds, amid=st.integers(0, 400))
def test_a_fact_that_does_not_count_changes_nothing(world, why, amid):
    before = min(history.qualified_at for history in world.histories) - timedelta(days=2)
    added = IRRELEVANT[why](before, before + HALF_HOUR * amid, world.now + MICROSECOND)
    histories = [
        replace(history, **{table: [*getattr(history, table), *facts] for table, facts in added.items()})
        for history in world.histories
    ]
    assert world.evaluated(histories) == world.evaluated()
