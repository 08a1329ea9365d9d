"""When the steps of a ladder come due (rules L1 to L4): tables of their boundaries, and laws of any history."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.leads.oracle import History
from tests.leads.stories import at, clock, clocks
from tests.leads.worlds import MICROSECOND, ZONES, World, make_world

MINUTE = timedelta(minutes=1)
# Of the four business hours from Monday at 10:00 on: due after 12:00, 13:12, 14:00 and 16:00.
LADDER = "50% tell owner, 80% tell manager, 100% tell manager, 150% reassign"


def climbed(kind="first_response", start=None, *, ladder=LADDER, now="Fri2 12:00", looked_at=(), **said) -> list[str]:
    """The steps that a sweep at `now` does, one by one, each with its clock where there are several."""
    done, steps = set(looked_at), ladder.split(", ")
    told = []
    while True:
        story = {"now": now, "ladder": ladder, "looked_at": frozenset(done), **said}
        due = [found for found in clocks(kind, start, **story) if found.step_at and found.step_at < at(now)]
        if not due:
            return told
        first = min(due, key=lambda found: (found.step_at, found.subject))
        done.add((0, first.subject, first.step))
        told.append(steps[first.step] + (f" of {first.subject}" if first.subject else ""))


# L1: when a step is due -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "moment", "story"),
    [
        ("50%", "12:00", {}),
        ("80%", "13:12", {}),
        ("100%", "14:00", {}),
        ("150%", "16:00", {}),
        ("200%", "Tue 10:00", {}),
        ("1%", "10:02:24", {}),
        ("-30", "13:30", {}),
        ("+0", "14:00", {}),
        ("+60", "15:00", {}),
        ("-240", "10:00", {}),  # at the start
        ("-300", "10:00", {}),  # and not before it
        ("-300", "Mon2 09:00", {"qualified": "Sat 10:00"}),
        # Used up at the closing bell is warned of at the opening.
        ("50%", "Mon2 09:00", {"qualified": "Fri 15:00"}),
        ("50%", "Fri 16:59:59", {"qualified": "Fri 14:59:59"}),
        ("50%", "Mon2 09:00:01", {"qualified": "Fri 15:00:01"}),
        ("100%", "Mon2 09:00", {"qualified": "Fri 13:00"}),
        ("+30", "Mon2 09:00", {"qualified": "Fri 12:30"}),
        ("50%", "Mon2 11:00", {"qualified": "Sat 12:00"}),
        # Without any allowance everything comes as soon as it is open.
        ("50%", "10:00", {"limit": "0:00"}),
        ("100%", "Mon2 09:00", {"limit": "0:00", "qualified": "Fri 17:00"}),
        ("-30", "10:00", {"limit": "0:00"}),
        ("+30", "10:30", {"limit": "0:00"}),
        # Calendar time runs through nights; Berlin skips an hour on 30 March and repeats one on 26 October 2025.
        ("50%", "Sun 00:00", {"limit": "24:00", "calendar": None, "qualified": "Sat 12:00"}),
        ("100%", "Sun4 13:00", {"limit": "24:00", "calendar": None, "qualified": "Sat4 12:00"}),
        ("-60", "Sun34 10:00", {"limit": "24:00", "calendar": None, "qualified": "Sat34 12:00"}),
        ("25%", "Sun4 01:00", {"calendar": "nights", "qualified": "Sat4 23:00"}),
        ("50%", "Sun4 03:00", {"calendar": "nights", "qualified": "Sat4 23:00"}),
        ("100%", "Sun4 05:00", {"calendar": "nights", "qualified": "Sat4 23:00"}),
        ("75%", "Sun34 02:00", {"calendar": "nights", "qualified": "Sat34 23:00", "held": "Sat34 22:00 to Sun34 01:00",
                                "limit": "1:20"}),
        ("100%", "Sun34 03:00", {"calendar": "nights", "qualified": "Sat34 23:00"}),
        # What was on hold does not count.
        ("50%", "13:00", {"held": "11:00 to 12:00"}),
        ("50%", "13:30", {"held": "11:00 to 12:00, 11:30 to 12:30"}),
        ("50%", "13:00", {"held": "12:00 to 13:00"}),  # just as it is used up
        ("50%", "12:00", {"held": "12:00:00.000001 to 13:00"}),
        ("50%", "12:00", {"held": "08:00 to 10:00"}),
        ("50%", "Mon2 10:00", {"qualified": "Fri 15:00", "held": "Fri 17:00 to Mon2 10:00"}),
        ("50%", "Mon2 09:00", {"qualified": "Fri 15:00", "held": "Sat 09:00 to Sun 17:00"}),
        ("50%", "11:00", {"limit": "0:00", "held": "09:30 to 11:00"}),
    ],
)  # fmt: skip
def test_a_step_is_due_just_after_its_share_is_used_up_and_not_before(step, moment, story):
    what = f"{step} reassign"
    coming = clock("first_response", ladder=what, now="Fri35 12:00", **story)
    assert (coming.step_at, coming.step) == (at(moment), 0)
    assert climbed(ladder=what, now=moment, **story) == []
    just_after = f"{moment}:00.000001" if moment.count(":") == 1 else f"{moment}.000001"
    assert climbed(ladder=what, now=just_after, **story) == [what]


def test_a_step_at_the_limit_comes_in_the_instant_in_which_the_clock_misses():
    for story in ({}, {"qualified": "Fri 13:00"}, {"limit": "0:00"}, {"held": "14:00 to 16:00", "now": "16:00"}):
        running = clock("first_response", ladder="100% tell owner", **{"now": "10:00", **story})
        assert running.step_at == running.look is not None


@pytest.mark.parametrize(
    ("held", "now", "coming"),
    [
        ("11:00", "11:00", None),
        ("11:00", "Fri 12:00", None),
        ("11:00 to Fri 12:00", "Fri 11:59", None),  # not released yet
        ("11:00 to Fri 12:00", "Fri 12:00", ("Fri 13:00", 0)),
        ("12:00", "12:00", None),  # just as it is used up
        ("12:00", "Fri 12:00", None),
        ("12:00:00.000001", "12:00:00.000001", ("12:00", 0)),  # used up before
        ("13:30", "Fri 12:00", ("12:00", 0)),
        ("10:30 to 11:00, 12:00", "Fri 12:00", None),
        ("10:30 to 11:00, 13:00", "Fri 12:00", ("12:30", 0)),
    ],
)
def test_while_a_hold_is_open_only_what_was_used_up_before_it_has_a_moment(held, now, coming):
    found = clock("first_response", ladder=LADDER, held=held, now=now)
    assert (found.step_at, found.step) == ((at(coming[0]), coming[1]) if coming else (None, None))


def test_a_hold_lets_what_was_due_before_come_and_the_rest_wait():
    assert climbed(held="13:30", now="Fri 12:00") == ["50% tell owner", "80% tell manager"]
    assert climbed(held="13:30 to Thu 16:30", now="Fri 12:00") == LADDER.split(", ")
    assert climbed(held="13:30 to Thu 16:30", now="Thu 17:00") == LADDER.split(", ")[:2]


# L2: each once, in their order ----------------------------------------------------------------------------------------


def test_steps_come_one_after_the_other():
    moments = ("12:00", "13:12", "14:00", "16:00")
    looked_at = set()
    for place, moment in enumerate(moments):
        found = clock("first_response", ladder=LADDER, looked_at=frozenset(looked_at))
        assert (found.step_at, found.step) == (at(moment), place)
        looked_at.add((0, 0, place))
    found = clock("first_response", ladder=LADDER, looked_at=frozenset(looked_at))
    assert (found.step_at, found.step) == (None, None)


@pytest.mark.parametrize(
    ("ladder", "limit", "order"),
    [
        (LADDER, "4:00", [0, 1, 2, 3]),
        ("150% tell team, 100% tell manager, 50% tell owner", "4:00", [2, 1, 0]),
        ("100% tell manager, +0 reassign, 100% tell team", "4:00", [0, 1, 2]),
        ("+0 return to queue, 100% tell manager, 50% tell owner, +0 reassign", "4:00", [2, 0, 1, 3]),
        ("-120 tell manager, 50% tell owner", "4:00", [0, 1]),
        ("-30 tell manager, 90% tell owner, 80% tell team", "4:00", [2, 0, 1]),
        ("-480 tell team, -300 tell owner, 1% tell manager", "4:00", [0, 1, 2]),  # both at the start
        ("100% tell manager, 50% tell owner, -30 tell team, +1 reassign", "0:00", [0, 1, 2, 3]),
    ],
)
def test_steps_come_in_the_order_of_their_moments_and_of_equal_ones_as_they_are_written(ladder, limit, order):
    steps = ladder.split(", ")
    assert climbed(ladder=ladder, limit=limit) == [steps[place] for place in order]


def test_a_step_comes_once_whatever_became_of_it_and_does_not_hold_up_the_others():
    assert climbed(looked_at={(0, 0, 0), (0, 0, 2)}) == ["80% tell manager", "150% reassign"]
    assert climbed(looked_at={(0, 0, 3)}, now="Tue 12:00") == LADDER.split(", ")[:3]


def test_steps_of_another_clock_and_of_another_promise_do_not_count():
    other = {(1, 0, 0), (0, 7, 0), (2, 0, 3)}
    assert climbed(looked_at=other) == LADDER.split(", ")
    assert climbed(start="assigned", assigned="10:00", ladder="50% tell owner", looked_at={(0, 0, 0)}) == [
        "50% tell owner of 1"
    ]
    assert climbed(start="assigned", assigned="10:00", ladder="50% tell owner", looked_at={(0, 1, 0)}) == []


def test_a_stop_of_six_hours_or_a_fortnight_brings_each_step_once_in_order():
    assert climbed(now="16:00:00.000001") == climbed(now="Fri2 12:00") == LADDER.split(", ")


# L3: when no more steps come ------------------------------------------------------------------------------------------


def test_what_was_kept_has_no_further_steps():
    assert climbed(called="13:00") == []
    assert climbed(called="13:00", now="13:00") == []
    assert climbed(called="13:00", now="12:30") == ["50% tell owner"]
    assert climbed(called="14:00") == []  # in the last instant


TALE = "50% tell owner, 100% tell manager, +0 reassign, 100% task, +60 tell team, +60 return to queue, 150% tell role"


@pytest.mark.parametrize(
    ("called", "told"),
    [
        ("14:00", []),
        ("14:00:00.000001", ["100% tell manager"]),
        ("15:00", ["100% tell manager"]),  # just before the step that comes an hour later
        ("15:00:00.000001", ["100% tell manager", "+60 tell team"]),
        ("16:00", ["100% tell manager", "+60 tell team"]),
        ("Wed 16:00", ["100% tell manager", "+60 tell team", "150% tell role"]),
    ],
)
def test_a_breach_that_nobody_saw_before_it_ended_is_told_and_nothing_else_is_done(called, told):
    assert climbed(ladder=TALE, called=called) == told


def test_a_breach_over_a_weekend_is_told_if_the_response_came_after_the_opening():
    ladder, story = "100% tell manager", {"qualified": "Fri 13:00"}
    assert climbed(ladder=ladder, called="Sat 12:00", **story) == []
    assert climbed(ladder=ladder, called="Mon2 09:00", **story) == []
    assert climbed(ladder=ladder, called="Mon2 09:00:00.000001", **story) == [ladder]


def test_without_any_allowance_every_step_that_tells_is_at_the_limit():
    assert climbed(ladder="50% tell owner, 50% reassign, -30 tell team", limit="0:00", called="11:00") == [
        "50% tell owner",
        "-30 tell team",
    ]


@pytest.mark.parametrize(
    ("story", "told"),
    [
        ({"rejected": "12:00 duplicate"}, []),
        ({"rejected": "14:00 duplicate"}, []),  # exactly used up is not missed
        ({"rejected": "14:00:00.000001 duplicate"}, ["100% tell manager"]),
        ({"rejected": "Wed 12:00 duplicate"}, ["100% tell manager", "+60 tell team", "150% tell role"]),
        # An end that needs contact takes nothing away: the clock runs on, and so does its ladder (C7).
        ({"rejected": "12:00 bad fit"}, TALE.split(", ")),
        ({"accepted": "11:00", "won": "12:00"}, TALE.split(", ")),
        # An end that was written down too late excuses from then on (A4).
        ({"rejected": "12:00 duplicate written Thu 12:00"}, ["100% tell manager", "+60 tell team", "150% tell role"]),
    ],
)
def test_an_end_without_contact_takes_a_clock_away(story, told):
    assert climbed(ladder=TALE, **story) == told


@pytest.mark.parametrize(
    "story",
    [
        {"below_definition": True},
        {"out_of_scope": True},
        {"month_rank": 3, "monthly_cap": 2},
        {"below_definition": True, "called": "16:00"},
    ],
)
def test_what_is_excluded_has_no_steps(story):
    assert climbed(ladder=TALE, **story) == []
    found = clock("first_response", ladder=TALE, now="10:00", **story)
    assert (found.step_at, found.step) == (None, None)


@pytest.mark.parametrize("then", ["", " to the queue"])
@pytest.mark.parametrize(
    ("moment", "told"),
    [
        ("12:30", []),  # what was not looked at before is not made up for
        ("14:00", []),
        ("14:00:00.000001", ["100% tell manager of 1"]),
        ("15:00:00.000001", ["100% tell manager of 1", "+60 tell team of 1"]),
        ("Wed 12:00", ["100% tell manager of 1", "+60 tell team of 1", "150% tell role of 1"]),
    ],
)
def test_an_owner_who_lost_it_has_no_further_steps_but_a_breach_that_was_theirs_is_told(moment, told, then):
    found = climbed(start="assigned", ladder=TALE, assigned=f"10:00, {moment}{then}", now="Thu 17:00")
    assert [step for step in found if step.endswith("of 1")] == told


def test_a_new_owner_has_a_ladder_of_their_own_from_the_beginning():
    story = {"start": "assigned", "assigned": "10:00, 12:30", "ladder": "50% tell owner, 100% reassign"}
    assert climbed(**story, now="12:30") == []
    assert climbed(**story, now="14:30") == []
    assert climbed(**story, now="14:31") == ["50% tell owner of 2"]
    assert climbed(**story, now="16:31", looked_at={(0, 1, 0)}) == ["50% tell owner of 2", "100% reassign of 2"]


def test_clocks_that_face_the_lead_run_on_when_it_is_taken_away_and_so_do_their_ladders():
    for start in ("qualified", "routed"):
        assert climbed(start=start, assigned="10:00, 12:30, 15:00 to the queue", now="Tue 12:00") == LADDER.split(", ")


def test_what_waits_in_a_queue_has_no_steps_before_somebody_takes_it():
    story = {"start": "assigned", "ladder": "50% tell owner"}
    assert climbed(**story) == climbed(**story, assigned="10:00 to the queue") == []
    assert climbed(**story, assigned="10:00, 11:00 to the queue") == []
    assert climbed(**story, assigned="10:00, 11:00 to the queue, 13:00", now="15:00") == []
    assert climbed(**story, assigned="10:00, 11:00 to the queue, 13:00", now="15:01") == ["50% tell owner of 3"]


def test_the_routing_clock_of_what_waits_in_a_queue_climbs_until_somebody_owns_it():
    ladder = "50% tell manager, 100% tell manager, 150% task"
    assert climbed("routing", ladder=ladder, assigned="10:00 to the queue", now="Tue 12:00") == ladder.split(", ")
    assert climbed("routing", ladder=ladder, assigned="10:00 to the queue, 13:00", now="12:30") == ["50% tell manager"]
    assert climbed("routing", ladder=ladder, assigned="10:00 to the queue, 13:00") == []


def test_a_late_fact_that_turns_a_miss_into_met_cancels_what_is_left_and_taking_it_back_repeats_nothing():
    fired = {(0, 0, 0), (0, 0, 1), (0, 0, 2)}
    assert climbed(called="15:00", looked_at=fired - {(0, 0, 2)}) == ["100% tell manager"]
    assert climbed(called="15:00, 11:00", looked_at=fired - {(0, 0, 2)}) == []
    assert climbed(looked_at=fired) == ["150% reassign"]


def test_what_has_not_started_has_no_steps():
    assert climbed(start="accepted") == climbed(start="routed") == []
    assert climbed(start="accepted", accepted="11:00", now="13:01") == ["50% tell owner"]


def test_what_has_no_limit_has_no_steps_of_a_clock():
    assert climbed("volume", ladder="60% tell manager, 100% recovery plan") == []
    assert climbed("acceptance_rate", ladder="60% tell manager", rejected="12:00 wrong region") == []


def test_each_dispute_has_a_ladder_of_its_own():
    asked, ladder = "10:00 to 13:00, 11:00, 11:30 to 16:00", "50% tell manager, 100% tell team"
    assert climbed("dispute_answer", ladder=ladder, asked=asked, now="12:31") == ["50% tell manager of 1"]
    assert climbed("dispute_answer", ladder=ladder, asked=asked, now="Tue 12:00") == [
        "50% tell manager of 2",
        "100% tell team of 2",
        "100% tell team of 3",
    ]
    # The end of a handoff takes away what was asked before it, and nothing that is asked later.
    assert climbed("dispute_answer", ladder=ladder, asked="10:00, 13:00", rejected="12:30 duplicate") == [
        "50% tell manager of 2",
        "100% tell team of 2",
    ]


# L4: what came due before the portal knew -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "steps"),
    [
        ("Tue 10:00", LADDER.split(", ")),  # within a day: late, and no history
        ("Tue 10:00:00.000001", ["+480 tell team"]),
        ("Tue 11:00", ["+480 tell team"]),
        ("Tue 14:00", ["+480 tell team"]),  # it comes due just after
        ("Tue 14:00:00.000001", []),
    ],
)
def test_what_came_due_more_than_a_day_before_the_portal_knew_of_the_handoff_is_history(known, steps):
    ladder = f"{LADDER}, +480 tell team"
    steps = steps if len(steps) < 2 else ladder.split(", ")
    assert climbed(ladder=ladder, known=known) == steps
    told = [step for step in steps if step in ("100% tell manager", "+480 tell team")]
    assert climbed(ladder=ladder, known=known, called="Thu 15:00") == told


def test_of_what_is_known_late_but_within_a_day_nothing_is_lost():
    for known in ("10:00", "12:00:00.000001", "14:30", "Tue 09:00"):
        assert climbed(known=known) == LADDER.split(", ")


def test_what_is_known_before_the_opening_is_warned_of_at_the_opening():
    assert climbed(ladder="50% tell owner", qualified="Fri 15:00", known="Sun 12:00") == ["50% tell owner"]


# Laws -----------------------------------------------------------------------------------------------------------------

laws = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
sweeps = settings(laws, max_examples=8)
seeds, zones = st.integers(0, 10**6), st.sampled_from(ZONES)
worlds = st.builds(make_world, seeds, zones, size=st.just(12))
# Nothing was looked at yet.
fresh = worlds.map(lambda world: replace(world, histories=[replace(h, looked_at=frozenset()) for h in world.histories]))

Fired = tuple[datetime, int, int, int]  # moment, commitment, clock's subject, place


def swept(world: World, histories: Sequence[History], moments: Sequence[datetime]) -> dict[int, list[Fired]]:
    """What sweeps at these moments do for each handoff, the first due step of each at a time.

    As in the portal a handoff is evaluated only at first, as of the world's time, and after each of its steps.
    """
    stands = {history.id: history for history in histories}
    fired: dict[int, list[Fired]] = {number: [] for number in stands}
    coming: dict[int, list[Fired]] = {}

    def evaluate(some: Sequence[int], now: datetime) -> None:
        coming.update((number, []) for number in some)
        for found in world.evaluated([stands[number] for number in some], now):
            if found.step_at:
                coming[found.handoff].append((found.step_at, found.promise, found.subject, found.step))

    evaluate([*stands], world.now)
    for now in moments:
        while due := [number for number, steps in coming.items() if steps and min(steps)[0] < now]:
            for number in due:
                first, history = min(coming[number]), stands[number]
                assert first[1:] not in history.looked_at
                fired[number].append(first)
                stands[number] = replace(history, looked_at=history.looked_at | {first[1:]})
            evaluate(due, now)
    return fired


def untouched(history: History, now: datetime) -> History:
    """The handoff as if nothing happened to it after `now`."""

    def past(moment: datetime | None) -> datetime | None:
        return moment if moment is None or moment <= now else None

    def known(facts: Sequence) -> list:
        kept = [fact for fact in facts if fact.at <= now]
        return [replace(fact, entered_at=fact.entered_at and min(fact.entered_at, now)) for fact in kept]

    return replace(
        history,
        assignments=known(history.assignments),
        attempts=known(history.attempts),
        dispositions=known(history.dispositions),
        outcomes=known(history.outcomes),
        holds=[replace(hold, ended_at=past(hold.ended_at)) for hold in known(history.holds)],
        disputes=[replace(dispute, answered_at=past(dispute.answered_at)) for dispute in known(history.disputes)],
    )


@sweeps
@given(world=fresh, later=st.timedeltas(timedelta(0), timedelta(days=60)))
def test_steps_come_at_most_once_for_a_clock_in_the_order_of_their_moments_and_then_it_ends(world, later):
    world = replace(world, now=world.now + later)
    for fired in swept(world, world.histories, [world.now]).values():
        assert len({step[1:] for step in fired}) == len(fired)
        assert [moment for moment, *_ in fired] == sorted(moment for moment, *_ in fired)


@sweeps
@given(world=fresh)
def test_sweeping_each_minute_and_once_after_six_hours_do_the_same_to_what_nobody_touches(world):
    minutes = [world.now + MINUTE * number for number in range(6 * 60 + 1)]
    histories = [untouched(history, world.now) for history in world.histories]
    assert swept(world, histories, minutes) == swept(world, histories, minutes[-1:])


@laws
@given(world=worlds)
def test_no_step_has_a_moment_before_its_share_is_used_up_or_while_nobody_works(world):
    for found in world.evaluated():
        if found.step is None:
            assert found.step_at is None
            continue
        promise, history = world.terms.promises[found.promise], world.histories[found.handoff]
        rung, limit = promise.steps[found.step], promise.limit_seconds
        share = rung.share * limit if rung.share is not None else max(limit + rung.offset_seconds, 0)
        holds = [(hold.at, hold.ended_at or found.step_at) for hold in history.holds if hold.at <= world.now]
        windows = world.calendars[promise.calendar].windows(found.started, found.step_at + MICROSECOND)
        open_at = [(opening, closing) for opening, closing in windows if opening <= found.step_at < closing]
        assert open_at, "a step comes while the calendar is closed"
        assert not any(begin <= found.step_at < end for begin, end in holds), "a step comes while on hold"
        ends = sorted({moment for pair in [*windows, *holds] for moment in pair} | {found.started, found.step_at})
        counted = sum(
            (end - begin) // MICROSECOND
            for begin, end in pairwise(ends)
            if found.started <= begin and end <= found.step_at
            and any(opening <= begin and end <= closing for opening, closing in windows)
            and not any(held <= begin and end <= released for held, released in holds)
        )  # fmt: skip
        assert counted == int(share * 1_000_000), "a step comes before or after its share is used up"


@laws
@given(world=worlds)
def test_only_what_runs_or_missed_has_steps_and_of_what_is_over_only_a_breach_is_told(world):
    for found in world.evaluated():
        if found.step is not None:
            assert found.state in ("open", "missed")
            promise = world.terms.promises[found.promise]
            if found.stopped:
                rung = promise.steps[found.step]
                assert found.state == "missed" and rung.action.value.startswith("tell")
                assert found.due <= found.step_at < found.stopped


@laws
@given(world=worlds)
def test_what_was_looked_at_moves_no_verdict(world):
    forgotten = [replace(history, looked_at=frozenset()) for history in world.histories]
    assert [clock._replace(step_at=None, step=None) for clock in world.evaluated()] == [
        clock._replace(step_at=None, step=None) for clock in world.evaluated(forgotten)
    ]
    everything = frozenset(
        (clock.promise, clock.subject, rung.index)
        for clock in world.evaluated()
        for rung in world.terms.promises[clock.promise].steps
    )
    done = [replace(history, looked_at=everything) for history in world.histories]
    assert {clock.step for clock in world.evaluated(done)} <= {None}
