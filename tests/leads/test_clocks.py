"""What `evaluate` says of small histories: every kind, start and state, and the boundaries of the rules."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest

from agreements.catalogue import CATALOGUE
from leads.clocks import evaluate
from leads.rules import RULES
from tests.leads.oracle import SALES_SPEED_AND_FOLLOW_THROUGH, facts_of
from tests.leads.stories import CALENDARS, agreed, at, clock, clocks, hours, promised, told, verdict

# One history for each kind, start and state:
# start, verdict, started, due, stopped, elapsed, facts. Now is Friday of the second week if not said.
STORIES = """
volume
-          met: delivered                   10:00  -      10:00  -     -
-          excluded: returned               10:00  -      10:00  -     returned
-          excluded: below_definition       10:00  -      10:00  -     below_definition
-          excluded: undelivered            10:00  -      12:00  -     rejected 12:00 duplicate
definition_fit
-          met: meets_definition            10:00  -      10:00  -     -
-          missed: fails_definition         10:00  -      10:00  -     below_definition
-          excluded: out_of_scope           10:00  -      10:00  -     out_of_scope
completeness
-          met: complete                    10:00  -      10:00  -     -
-          missed: incomplete               10:00  -      10:00  -     incomplete
-          excluded: out_of_scope           10:00  -      10:00  -     out_of_scope
acceptance_rate
-          met: accepted                    10:00  -      11:00  -     accepted 11:00
-          met: dispute_upheld              10:00  -      12:00  -     rejected 12:00; disputed 13:00 to 14:00 upheld
-          excluded: granted                10:00  -      12:00  -     called 11:00; rejected 12:00; granted 13:00
-          missed: rejected_for_quality     10:00  -      12:00  -     called 11:00; rejected 12:00 bad fit
-          open: undecided                  10:00  -      -      -     -
-          excluded: not_about_quality      10:00  -      12:00  -     recycled 12:00 bad timing
-          excluded: never_contacted        10:00  -      12:00  -     rejected 12:00 bad fit
dispute_answer
-          met: within_limit                11:00  15:00  12:00  1:00  asked 11:00 to 12:00
-          missed: past_limit               11:00  15:00  16:00  5:00  asked 11:00 to 16:00
-          open: running                    11:00  15:00  -      -     asked 11:00; now 12:00
-          excluded: nothing_asked          -      -      -      -     -
-          excluded: nothing_asked          -      -      -      -     disputed 11:00
routing
qualified  met: within_limit                10:00  14:00  11:00  1:00  assigned 11:00
qualified  missed: past_limit               10:00  14:00  16:00  6:00  assigned 16:00
qualified  open: running                    10:00  14:00  -      -     now 11:00
qualified  excluded: ended_without_contact  10:00  14:00  -      -     rejected 11:00 duplicate
acceptance
qualified  met: within_limit                10:00  14:00  11:00  1:00  accepted 11:00
qualified  missed: past_limit               10:00  14:00  16:00  6:00  rejected 16:00 bad fit
qualified  open: running                    10:00  14:00  -      -     now 11:00
qualified  excluded: below_definition       10:00  14:00  11:00  1:00  accepted 11:00; below_definition
routed     met: within_limit                11:00  15:00  12:00  1:00  assigned 11:00; recycled 12:00
routed     missed: limit_used_up            11:00  15:00  -      -     assigned 11:00
routed     open: not_started                -      -      -      -     -
routed     excluded: never_assigned         -      -      -      -     recycled 12:00 bad timing
routed     excluded: accepted_before        11:00  15:00  -      -     accepted 10:30; assigned 11:00
assigned   met: within_limit                11:00  15:00  12:00  1:00  assigned 11:00; accepted 12:00
assigned   missed: past_limit               11:00  15:00  16:00  5:00  assigned 11:00; accepted 16:00
assigned   open: running                    11:00  15:00  -      -     assigned 11:00; now 12:00
assigned   excluded: never_assigned         -      -      -      -     rejected 12:00 bad fit
first_response
qualified  met: within_limit                10:00  14:00  11:00  1:00  called 11:00
qualified  missed: past_limit               10:00  14:00  16:00  6:00  called 16:00
qualified  open: on_hold                    10:00  -      -      -     held 11:00; now 16:00
qualified  excluded: ended_without_contact  10:00  14:00  -      -     rejected 12:00 duplicate
qualified  excluded: granted                10:00  14:00  16:00  6:00  called 16:00; granted 17:00
routed     met: within_limit                11:00  15:00  12:00  1:00  assigned 11:00; called 12:00
routed     missed: limit_used_up            11:00  15:00  -      -     assigned 11:00
routed     open: not_started                -      -      -      -     now 12:00
routed     excluded: over_cap               11:00  15:00  -      -     assigned 11:00; month_rank 3; monthly_cap 2
assigned   met: within_limit                11:00  15:00  12:00  1:00  assigned 11:00; called 12:00
assigned   missed: limit_used_up            11:00  15:00  -      -     assigned 11:00
assigned   open: running                    11:00  15:00  -      -     assigned 11:00; now 12:00
assigned   excluded: ended_without_contact  11:00  15:00  -      -     assigned 11:00, 13:00; rejected 12:00 duplicate
accepted   met: within_limit                11:00  15:00  12:00  1:00  accepted 11:00; called 12:00
accepted   missed: limit_used_up            11:00  15:00  -      -     accepted 11:00
accepted   open: not_started                -      -      -      -     now 12:00
accepted   excluded: never_accepted         -      -      -      -     rejected 11:00 bad fit
first_touch
qualified  met: within_limit                10:00  14:00  11:00  1:00  replied 11:00
qualified  missed: past_limit               10:00  14:00  16:00  6:00  called 11:00; spoke 16:00
qualified  open: running                    10:00  14:00  -      -     called 11:00; now 12:00
qualified  excluded: below_definition       10:00  14:00  11:00  1:00  spoke 11:00; below_definition
routed     met: within_limit                11:00  15:00  12:00  1:00  assigned 11:00; spoke 12:00
routed     missed: limit_used_up            11:00  15:00  -      -     assigned 11:00; called 12:00
routed     open: not_started                -      -      -      -     now 12:00
routed     excluded: ended_without_contact  11:00  15:00  -      -     assigned 11:00; rejected 12:00 duplicate
assigned   met: within_limit                11:00  15:00  12:00  1:00  assigned 11:00; spoke 12:00
assigned   missed: past_limit               11:00  15:00  16:00  5:00  assigned 11:00; spoke 16:00
assigned   open: not_started                -      -      -      -     now 12:00
assigned   excluded: never_assigned         -      -      -      -     recycled 12:00 bad timing
accepted   met: within_limit                11:00  15:00  12:00  1:00  accepted 11:00; replied 12:00
accepted   missed: past_limit               11:00  15:00  16:00  5:00  accepted 11:00; spoke 16:00
accepted   open: running                    11:00  15:00  -      -     accepted 11:00; now 12:00
accepted   excluded: never_accepted         -      -      -      -     recycled 12:00 silent
contact_after_acceptance
accepted   met: within_limit                11:00  15:00  12:00  1:00  called 10:30, 12:00; accepted 11:00
accepted   missed: limit_used_up            11:00  15:00  -      -     called 10:30; accepted 11:00
accepted   open: not_started                -      -      -      -     now 12:00
accepted   excluded: never_accepted         -      -      -      -     rejected 12:00 bad fit
attempts
qualified  met: within_limit                10:00  14:00  12:00  2:00  called 11:00, 12:00, 13:00
qualified  missed: past_limit               10:00  14:00  15:00  5:00  called 11:00, 15:00
qualified  open: running                    10:00  14:00  -      -     called 11:00; now 12:00
qualified  excluded: ended_without_contact  10:00  14:00  -      -     called 11:00; rejected 12:00 duplicate
routed     met: within_limit                11:00  15:00  13:00  2:00  assigned 11:00; called 12:00; spoke 13:00
routed     missed: limit_used_up            11:00  15:00  -      -     assigned 11:00; called 12:00
routed     open: not_started                -      -      -      -     now 12:00
routed     excluded: never_assigned         -      -      -      -     recycled 12:00 bad timing
assigned   met: within_limit                11:00  15:00  12:00  1:00  assigned 11:00; spoke 12:00
assigned   missed: limit_used_up            11:00  15:00  -      -     assigned 11:00; called 12:00
assigned   open: running                    12:00  16:00  -      -     assigned 11:00, 12:00; called 11:30; now 13:00
assigned   excluded: out_of_scope           11:00  15:00  13:00  2:00  assigned 11:00; called 12:00, 13:00; out_of_scope
accepted   met: within_limit                11:00  15:00  13:00  2:00  accepted 11:00; called 12:00, 13:00
accepted   missed: past_limit               11:00  15:00  16:00  5:00  accepted 11:00; called 12:00, 16:00
accepted   open: running                    11:00  15:00  -      -     accepted 11:00; now 12:00
accepted   excluded: ended_without_contact  11:00  15:00  -      -     accepted 11:00; rejected 12:00 duplicate
disposition
qualified  met: within_limit                10:00  14:00  11:00  1:00  recycled 11:00 bad timing
qualified  missed: limit_used_up            10:00  14:00  -      -     recycled 11:00
qualified  open: running                    10:00  14:00  -      -     accepted 11:00; now 12:00
qualified  excluded: out_of_scope           10:00  14:00  11:00  1:00  rejected 11:00 duplicate; out_of_scope
routed     met: within_limit                11:00  15:00  12:00  1:00  assigned 11:00; rejected 12:00 duplicate
routed     missed: past_limit               11:00  15:00  16:00  5:00  assigned 11:00; rejected 16:00 bad fit
routed     open: not_started                -      -      -      -     now 12:00
routed     excluded: never_assigned         -      -      -      -     rejected 12:00 bad fit
assigned   met: within_limit                11:00  15:00  13:00  2:00  assigned 11:00; accepted 12:00; won 13:00
assigned   missed: limit_used_up            11:00  15:00  -      -     assigned 11:00, 16:00; recycled 16:30 bad fit
assigned   open: running                    12:00  16:00  -      -     assigned 11:00, 12:00; now 13:00
assigned   excluded: never_assigned         -      -      -      -     rejected 12:00 bad fit
accepted   met: within_limit                11:00  15:00  12:00  1:00  accepted 11:00; won 12:00
accepted   missed: past_limit               11:00  15:00  16:00  5:00  accepted 11:00; recycled 16:00 bad timing
accepted   open: on_hold                    11:00  -      -      -     accepted 11:00; held 12:00; now Fri 12:00
accepted   excluded: never_accepted         -      -      -      -     rejected 11:00 bad fit
attempts_before_giving_up
-          met: enough_attempts             10:00  -      13:00  -     called 11:00, 12:00, 13:00; recycled 13:00 silent
-          missed: too_few_attempts         10:00  -      13:00  -     called 11:00, 12:00; recycled 13:00 silent
-          open: undecided                  10:00  -      -      -     called 11:00
-          excluded: not_given_up           10:00  -      13:00  -     recycled 13:00 bad timing
reasons_documented
-          met: documented                  10:00  -      13:00  -     recycled 13:00 bad timing
-          missed: undocumented             10:00  -      13:00  -     rejected 13:00
-          open: undecided                  10:00  -      -      -     accepted 13:00
-          excluded: not_returned           10:00  -      13:00  -     accepted 11:00; won 13:00
"""


def stories() -> Iterator[tuple[str, ...]]:
    """Kind and columns of each line; a dash is an empty column."""
    kind = ""
    for line in STORIES.strip().splitlines():
        columns = re.split(" {2,}", line)
        if len(columns) == 1:
            kind = line
        else:
            yield kind, *(column.removeprefix("-") for column in columns)


def facts(text: str) -> dict:
    """“called 11:00; below_definition; month_rank 3” as the arguments of `clock`."""
    said: dict = {}
    for word, _, value in (part.partition(" ") for part in text.split("; ") if part):
        said[word] = int(value) if value.isdigit() else value or True
    return said


@pytest.mark.parametrize("story", [*stories()], ids=lambda story: " ".join(story[:3]))
def test_every_kind_and_start_reaches_each_state(story):
    kind, start, says, started, due, stopped, elapsed, said = story
    found = clock(kind, start or None, **facts(said))
    assert f"{found.state}: {found.rule}" == says
    assert [found.started, found.due, found.stopped] == [at(text) if text else None for text in (started, due, stopped)]
    assert found.elapsed == (hours(elapsed) if elapsed else None)


def test_the_table_tells_every_kind_start_state_and_rule():
    all_four = {"met", "missed", "open", "excluded"}
    states = dict.fromkeys(CATALOGUE, all_four) | {
        "volume": {"met", "excluded"},
        "definition_fit": {"met", "missed", "excluded"},
        "completeness": {"met", "missed", "excluded"},
    }
    starts = {code: kind.starts or (kind.fixed_start or "",) for code, kind in CATALOGUE.items()}
    told_of = {(kind, start, says.partition(":")[0]) for kind, start, says, *_ in stories()}
    assert told_of == {(code, start, state) for code in CATALOGUE for start in starts[code] for state in states[code]}
    # Where an owner is replaced the next one's clock decides, so that rule has a test of its own below.
    assert {says.partition(": ")[2] for _, _, says, *_ in stories()} == RULES.keys() - {"reassigned"}


# C1 and C2: the limit -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "qualified", "called", "says"),
    [
        ("4:00", "10:00", "14:00", "met"),  # exactly at the limit
        ("4:00", "10:00", "14:00:00.000001", "missed"),
        ("4:00", "Fri 13:00", "Fri 17:00", "met"),  # at the closing bell
        ("4:00", "Fri 13:00", "Sat 12:00", "met"),  # used up, and not a second more while closed
        ("4:00", "Fri 13:00", "Mon2 09:00", "met"),
        ("4:00", "Fri 13:00", "Mon2 09:00:00.000001", "missed"),
        ("8:00", "10:00", "Tue 10:00", "met"),  # a business day is tomorrow at the same time (T4)
        ("8:00", "10:00", "Tue 10:00:01", "missed"),
        ("0:00", "10:00", "10:00", "met"),  # no allowance at all
        ("0:00", "10:00", "10:00:00.000001", "missed"),
        ("0:00", "Sat 10:00", "Sun 10:00", "met"),
        ("0:00", "Sat 10:00", "Mon2 09:00", "met"),
        ("0:00", "Sat 10:00", "Mon2 09:00:00.000001", "missed"),
    ],
)
def test_a_clock_is_met_when_no_more_than_the_limit_has_elapsed(limit, qualified, called, says):
    assert clock("first_response", limit=limit, qualified=qualified, called=called).state == says


@pytest.mark.parametrize(
    ("limit", "qualified", "due", "look"),
    [
        ("4:00", "10:00", "14:00", "14:00"),
        ("4:00", "Fri 13:00", "Fri 17:00", "Mon2 09:00"),
        ("4:00", "Fri 15:00", "Mon2 11:00", "Mon2 11:00"),
        ("4:00", "Sat 12:00", "Mon2 13:00", "Mon2 13:00"),
        ("0:00", "10:00", "10:00", "10:00"),
        ("0:00", "17:00", "Tue 09:00", "Tue 09:00"),
        ("0:00", "Sat 10:00", "Mon2 09:00", "Mon2 09:00"),
    ],
)
def test_a_clock_is_due_when_its_limit_is_used_up_and_looked_at_when_time_goes_on(limit, qualified, due, look):
    story = {"limit": limit, "qualified": qualified}
    running = clock("first_response", **story, now=look)
    assert (running.state, running.due, running.look) == ("open", at(due), at(look))
    late = clock("first_response", **story, now=f"{look}:00.000001")
    assert (late.state, late.due, late.look) == ("missed", at(due), None)


def test_calendar_time_runs_through_nights_and_over_a_change_of_the_clocks():
    # On 30 March 2025, the Sunday of the fourth week, Berlin skips an hour.
    found = clock("first_response", calendar=None, limit="24:00", qualified="Sat4 12:00", now="Sun4 12:00")
    assert found.due == at("Sun4 13:00")


# C3 and C4: what stops a clock ----------------------------------------------------------------------------------------


def test_what_happened_before_the_start_does_not_stop_a_clock():
    assert verdict("first_response", called="09:59:59") == "missed: limit_used_up"
    assert verdict("routing", assigned="09:00", now="12:00") == "open: running"


def test_what_happens_exactly_at_the_start_is_a_response_with_nothing_elapsed():
    found = clock("first_response", "accepted", accepted="11:00", called="11:00")
    assert (found.state, found.elapsed) == ("met", timedelta(0))


def test_equal_instants_order_by_id():
    assert clock("first_response", assigned="10:00, 10:00", called="11:00").charged_to == 2


def test_a_late_response_stays_a_miss():
    assert verdict("first_response", called="16:00") == "missed: past_limit"


@pytest.mark.parametrize("end", [{"rejected": "16:00 bad fit"}, {"accepted": "11:00", "won": "16:00"}])
def test_a_miss_is_found_even_if_the_handoff_closed_between_two_ticks(end):
    assert verdict("first_response", **end) == "missed: limit_used_up"


def test_a_fact_from_a_system_of_record_may_turn_a_miss_into_met_however_late():
    assert verdict("first_response", called="16:00") == "missed: past_limit"
    assert verdict("first_response", called="16:00, 11:00") == "met: within_limit"


def test_what_happens_later_than_now_is_not_known_yet():
    later = {"called": "11:00", "rejected": "11:00 duplicate", "held": "11:00", "assigned": "11:00", "now": "10:59"}
    assert verdict("first_response", **later) == "open: running"


# C5: holds ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("held", "elapsed"),
    [
        ("11:00 to 12:00", "3:00"),
        ("11:00 to 12:00, 11:30 to 12:30", "2:30"),  # overlapping
        ("11:00 to 13:00, 11:30 to 12:00", "2:00"),  # one within another
        ("11:00 to 11:30, 11:30 to 12:00", "3:00"),  # touching
        ("11:00 to 11:00", "4:00"),
        ("08:00 to 11:00", "3:00"),  # begun before the start
        ("08:00 to 10:00", "4:00"),
        ("13:00 to 15:00", "3:00"),  # over the stop
        ("13:00", "3:00"),
    ],
)
def test_a_hold_takes_out_exactly_its_business_time(held, elapsed):
    assert clock("first_response", called="14:00", held=held).elapsed == hours(elapsed)


def test_a_hold_takes_out_nothing_while_closed():
    assert clock(
        "first_response", qualified="Fri 16:00", called="Mon2 11:00", held="Fri 17:00 to Mon2 10:00"
    ).elapsed == (hours("2:00"))


def test_a_running_clock_rests_while_a_hold_is_open_and_release_computes_when_it_is_due():
    resting = clock("first_response", held="11:00", now="Fri 12:00")
    assert (resting.rule, resting.due, resting.look) == ("on_hold", None, None)
    released = clock("first_response", held="11:00 to Fri 12:00", now="Fri 13:00")
    assert (released.rule, released.due, released.look) == ("running", at("Fri 15:00"), at("Fri 15:00"))


def test_a_hold_that_has_not_ended_yet_is_open():
    assert verdict("first_response", held="11:00 to 12:00", now="11:59") == "open: on_hold"
    assert verdict("first_response", held="11:00 to 12:00", now="12:00") == "open: running"


def test_a_clock_that_missed_before_a_hold_stays_missed():
    found = clock("first_response", held="15:00", now="Fri 12:00")
    assert (found.rule, found.due) == ("limit_used_up", at("14:00"))


def test_a_limit_used_up_as_a_hold_begins_is_not_missed_before_the_hold_ends():
    assert verdict("first_response", held="14:00", now="Fri 12:00") == "open: on_hold"
    found = clock("first_response", held="14:00 to 16:00", now="16:00")
    assert (found.rule, found.due, found.look) == ("running", at("14:00"), at("16:00"))


def test_without_any_allowance_a_clock_on_hold_is_due_at_the_release():
    found = clock("first_response", limit="0:00", held="09:30 to 11:00", now="11:00")
    assert (found.rule, found.due, found.look) == ("running", at("11:00"), at("11:00"))


# C6: starts and new owners --------------------------------------------------------------------------------------------


def test_a_new_owner_gets_a_clock_of_their_own_and_the_running_one_is_excluded():
    old, new = clocks("first_response", "assigned", assigned="10:00, 12:00", called="13:00")
    assert (old.subject, old.rule, old.stopped, old.charged_to, old.decides) == (1, "reassigned", None, 1, False)
    assert (new.subject, new.rule, new.elapsed, new.charged_to, new.decides) == (
        2,
        "within_limit",
        hours("1:00"),
        2,
        True,
    )


@pytest.mark.parametrize(
    ("called", "assigned", "rule"),
    [
        ("11:00", "10:00, 12:00", "within_limit"),  # stopped before
        ("12:00", "10:00, 12:00", "reassigned"),  # at that very moment it is the new owner's
        ("16:00", "10:00, 14:00", "reassigned"),  # exactly used up is not yet past due
        ("16:00", "10:00, 14:00:00.000001", "limit_used_up"),
        ("15:00", "10:00, 16:00", "past_limit"),
        ("12:00", "10:00, 10:00", "reassigned"),
    ],
)
def test_the_old_owners_clock_keeps_its_verdict_only_if_it_had_one(called, assigned, rule):
    assert clocks("first_response", "assigned", assigned=assigned, called=called)[0].rule == rule


@pytest.mark.parametrize("start", ["qualified", "routed"])
def test_other_clocks_run_on_when_the_owner_changes(start):
    assert verdict("first_response", start, assigned="10:00, 12:00", called="13:00") == "met: within_limit"


@pytest.mark.parametrize(
    ("story", "rules"),
    [
        ({"assigned": "10:00, 12:00", "accepted": "11:00"}, ["within_limit", "accepted_before"]),
        ({"assigned": "10:00, 12:00", "accepted": "12:00"}, ["reassigned", "within_limit"]),  # at that very moment (C3)
        ({"assigned": "10:00, 16:00", "accepted": "15:00"}, ["past_limit", "accepted_before"]),
        ({"assigned": "10:00, 12:00", "accepted": "13:00"}, ["reassigned", "within_limit"]),
        ({"assigned": "10:00, 12:00, 13:00", "accepted": "11:00"}, ["within_limit", *["accepted_before"] * 2]),
        ({"assigned": "10:00, 12:00", "accepted": "11:00", "recycled": "13:00"}, ["within_limit", "accepted_before"]),
        # Entered later than the grace (A4): no escape from a miss, nor a miss of what was impossible from then on.
        ({"assigned": "10:00, 12:00", "accepted": "11:00 written Fri 12:00"}, ["reassigned", "limit_used_up"]),
        (
            {"assigned": "10:00, Mon2 12:00", "accepted": "11:00 written Fri 12:00"},
            ["limit_used_up", "accepted_before"],
        ),
    ],
)
def test_whom_an_accepted_handoff_is_given_to_owes_no_acceptance(story, rules):
    found = clocks("acceptance", "assigned", ladder="50% tell owner, 100% reassign", **story)
    assert [one.rule for one in found] == rules
    excluded = [one for one in found if one.rule == "accepted_before"]
    assert all((one.look, one.step, one.charged_to) == (None, None, one.subject) for one in excluded)


# C6: queues -----------------------------------------------------------------------------------------------------------


def test_a_queue_ends_the_owners_clock_like_a_new_owner_and_what_waits_there_has_one_that_has_not_started():
    waiting, old = clocks("first_response", "assigned", assigned="10:00, 12:00 to the queue", now="13:00")
    assert (old.subject, old.rule, old.charged_to, old.decides) == (1, "reassigned", 1, False)
    assert (waiting.subject, waiting.rule, waiting.started, waiting.charged_to, waiting.decides) == (
        *(0, "not_started", None),
        *(2, True),
    )


@pytest.mark.parametrize(
    ("assigned", "called", "rule"),
    [
        ("10:00, 12:00 to the queue", "11:00", "within_limit"),
        ("10:00, 12:00 to the queue", "12:00", "reassigned"),  # at that very moment nobody owns it
        ("10:00, 14:00 to the queue", "16:00", "reassigned"),
        ("10:00, 14:00:00.000001 to the queue", "16:00", "limit_used_up"),
    ],
)
def test_an_owner_who_gave_it_back_keeps_a_verdict_only_if_there_was_one(assigned, called, rule):
    assert clocks("first_response", "assigned", assigned=assigned, called=called)[1].rule == rule


def test_who_takes_it_out_of_the_queue_gets_a_fresh_clock_and_nothing_waits_any_more():
    found = clocks("first_response", "assigned", assigned="10:00, 12:00 to the queue, 13:00", called="14:00")
    assert [(clock.subject, clock.rule) for clock in found] == [(1, "reassigned"), (3, "within_limit")]
    assert found[1].elapsed == hours("1:00")


@pytest.mark.parametrize(
    ("assigned", "says"),
    [
        ("10:00 to the queue", "open: not_started"),
        ("10:00 to the queue, 11:00 to the queue", "open: not_started"),
        ("10:00 to the queue, 11:00", "open: running"),
        ("11:00, 11:30 to the queue", "open: not_started"),
    ],
)
def test_from_the_beginning_or_again_what_waits_has_not_started(assigned, says):
    assert verdict("first_response", "assigned", assigned=assigned, now="12:00") == says


def test_what_ends_while_it_waits_in_a_queue_has_never_begun():
    ended = clock("first_response", "assigned", assigned="10:00 to the queue", rejected="12:00 bad fit")
    assert (ended.rule, ended.charged_to) == ("never_assigned", 1)


def test_routing_runs_until_somebody_owns_it_and_is_stopped_by_the_first_owner_only():
    assert verdict("routing", assigned="10:00 to the queue", now="12:00") == "open: running"
    assert verdict("routing", assigned="10:00 to the queue") == "missed: limit_used_up"
    assert clock("routing", assigned="10:00 to the queue, 11:00, 12:00 to the queue, 13:00").stopped == at("11:00")
    assert clock("first_response", "routed", assigned="10:00 to the queue, 11:00").started == at("11:00")


def test_a_clock_that_misses_while_it_waits_in_a_queue_is_nobodys():
    assert clock("first_response", assigned="10:00, 12:00 to the queue, 15:00", now="16:00").charged_to == 2
    assert clock("first_response", assigned="10:00, 15:00 to the queue", now="16:00").charged_to == 1


# C7 and C8: ends ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("story", "says"),
    [
        ({"rejected": "12:00 duplicate"}, "excluded: ended_without_contact"),
        ({"rejected": "14:00 duplicate"}, "excluded: ended_without_contact"),  # exactly used up still runs
        ({"rejected": "14:00:01 duplicate"}, "missed: limit_used_up"),
        ({"rejected": "12:00 duplicate", "called": "12:00"}, "met: within_limit"),
        ({"rejected": "12:00 duplicate", "called": "11:00"}, "met: within_limit"),
        ({"rejected": "16:00 duplicate", "called": "15:00"}, "missed: past_limit"),
        ({"rejected": "12:00 bad fit", "called": "13:00"}, "met: within_limit"),
        ({"rejected": "12:00 bad fit"}, "missed: limit_used_up"),
        ({"rejected": "12:00"}, "missed: limit_used_up"),  # no reason given
        ({"accepted": "11:00", "won": "11:30", "rejected": "12:00 duplicate"}, "missed: limit_used_up"),
        ({"recycled": "11:00 bad timing", "rejected": "12:00 duplicate"}, "missed: limit_used_up"),  # ended before
        ({"rejected": "12:00 duplicate written Wed 12:00"}, "excluded: ended_without_contact"),
        ({"rejected": "12:00 duplicate written Wed 12:01"}, "missed: limit_used_up"),  # past the grace (A4)
        ({"rejected": "12:00 duplicate written Wed 12:01", "held": "13:00"}, "excluded: ended_without_contact"),
    ],
)
def test_an_end_excuses_what_still_runs_if_its_reason_needs_no_contact(story, says):
    assert verdict("first_response", **story) == says


def test_an_excluded_clock_keeps_start_stop_and_elapsed():
    found = clock("first_response", rejected="12:00 duplicate", called="13:00")
    assert (found.rule, found.due) == ("ended_without_contact", at("14:00"))
    assert (found.started, found.stopped, found.elapsed) == (at("10:00"), at("13:00"), hours("3:00"))


def test_a_clock_that_would_start_after_the_end_is_excluded_as_well():
    assert verdict("first_response", "accepted", rejected="12:00 duplicate", accepted="13:00", called="14:00") == (
        "excluded: ended_without_contact"
    )


def test_an_answer_asked_for_before_the_end_is_excused_and_one_asked_for_after_it_is_not():
    before, after = clocks("dispute_answer", asked="11:00, 13:00", rejected="12:00 duplicate")
    assert (before.rule, after.rule) == ("ended_without_contact", "limit_used_up")


# A3 and A4: attempts and late entries ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["first_response", "first_touch", "contact_after_acceptance", "attempts"])
@pytest.mark.parametrize(
    ("word", "stops"),
    [
        ("called", {"first_response", "contact_after_acceptance"}),
        ("spoke", {"first_response", "first_touch", "contact_after_acceptance", "attempts"}),
        ("replied", {"first_touch"}),
        ("mailed", set()),
    ],
)
def test_what_stops_which_clock(kind, word, stops):
    found = clock(kind, accepted="10:00", **{word: "11:00"})
    assert (found.stopped is not None) == (kind in stops)


def test_attempts_count_up_to_the_agreed_number_and_inbound_contacts_do_not():
    assert verdict("attempts", called="11:00", replied="12:00", attempts=2) == "missed: limit_used_up"
    assert verdict("attempts", called="11:00, 11:00", attempts=2) == "met: within_limit"
    assert verdict("attempts", called="11:00, 12:00", attempts=3) == "missed: limit_used_up"


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("11:00", "met: within_limit"),
        ("Wed 11:00", "met: within_limit"),  # two business days later
        ("Wed 11:00:01", "missed: limit_used_up"),
        ("09:00", "met: within_limit"),  # written down in advance
    ],
)
def test_what_a_person_enters_after_the_grace_stops_no_clock(written, says):
    assert verdict("first_response", called=f"11:00 written {written}") == says


def test_a_disposition_entered_after_the_grace_stops_no_clock_but_decides_the_shares():
    late = {"recycled": "11:00 bad timing written Thu 12:00"}
    assert verdict("acceptance", **late) == "missed: limit_used_up"
    assert verdict("disposition", **late) == "missed: limit_used_up"
    assert verdict("reasons_documented", **late) == "met: documented"
    assert verdict("acceptance_rate", **late) == "excluded: not_about_quality"


def test_an_outcome_entered_after_the_grace_stops_no_clock_but_ends_the_handoff():
    late = {"accepted": "11:00", "won": "12:00 written Thu 13:00"}
    assert verdict("disposition", **late) == "missed: limit_used_up"
    assert verdict("reasons_documented", **late) == "excluded: not_returned"


def test_calls_entered_after_the_grace_do_not_count_before_giving_up():
    late = {"called": "11:00, 11:30, 12:00 written Thu 13:00", "recycled": "13:00 silent"}
    assert verdict("attempts_before_giving_up", **late) == "missed: too_few_attempts"


# The shares -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("story", "says"),
    [
        ({"rejected": "12:00 wrong region"}, "missed: rejected_for_quality"),  # needs no contact
        ({"rejected": "12:00 bad fit", "called": "12:00"}, "missed: rejected_for_quality"),
        ({"rejected": "12:00 bad fit", "replied": "11:00"}, "missed: rejected_for_quality"),
        ({"rejected": "12:00 bad fit", "called": "12:01"}, "excluded: never_contacted"),
        ({"rejected": "12:00 bad fit", "called": "09:00"}, "excluded: never_contacted"),  # before the handoff
        ({"rejected": "12:00 bad fit", "mailed": "11:00"}, "excluded: never_contacted"),
        ({"recycled": "12:00 bad fit", "called": "11:00"}, "excluded: not_about_quality"),
        ({"rejected": "12:00 duplicate"}, "excluded: not_about_quality"),
        ({"rejected": "12:00 wrong region", "accepted": "13:00"}, "met: accepted"),  # the latest decides
        ({"accepted": "11:00", "rejected": "12:00 wrong region"}, "missed: rejected_for_quality"),
        ({"rejected": "12:00 wrong region", "asked": "13:00 to 14:00"}, "missed: rejected_for_quality"),
        ({"rejected": "12:00 wrong region", "asked": "13:00 to 14:00 upheld"}, "met: dispute_upheld"),
        ({"rejected": "12:00 wrong region", "asked": "13:00 to Sat2 09:00 upheld"}, "missed: rejected_for_quality"),
    ],
)
def test_acceptance_goes_by_the_latest_disposition_and_disputes_upheld(story, says):
    assert verdict("acceptance_rate", **story) == says


@pytest.mark.parametrize(
    ("story", "says"),
    [
        ({"called": "09:00, 11:00, 12:00", "recycled": "13:00 silent"}, "missed: too_few_attempts"),  # one before it
        ({"called": "11:00, 12:00", "replied": "12:00", "recycled": "13:00 silent"}, "missed: too_few_attempts"),
        ({"called": "11:00, 12:00", "recycled": "13:00 silent", "attempts": 2}, "met: enough_attempts"),
        ({"recycled": "13:00 bad timing", "attempts": 2}, "excluded: not_given_up"),
        ({"recycled": "13:00"}, "excluded: not_given_up"),
        ({"accepted": "11:00"}, "open: undecided"),
        ({"accepted": "11:00", "won": "12:00"}, "excluded: not_given_up"),
    ],
)
def test_giving_up_needs_the_attempts_of_its_reason_or_those_agreed(story, says):
    assert verdict("attempts_before_giving_up", **story) == says


# N2, N4 and N7: counting ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("story", "states", "decides"),
    [
        ({"assigned": "Mon 10:00, Tue 10:00, Wed 10:00", "now": "Wed 11:00"}, "missed missed open", 1),
        ({"assigned": "Mon 10:00, 11:00", "now": "12:00"}, "excluded open", 2),
        ({"assigned": "Mon 10:00, 12:00", "called": "11:00", "now": "13:00"}, "met open", 2),
        ({"assigned": "Mon 10:00, 12:00", "called": "11:00, 13:00"}, "met met", 1),
        ({"assigned": "Mon 10:00, 12:00", "called": "13:00"}, "excluded met", 2),
        ({"assigned": "Mon 10:00, 12:00", "called": "11:00"}, "met missed", 2),
        ({"assigned": "Mon 10:00, 12:00", "out_of_scope": True}, "excluded excluded", 1),
    ],
)
def test_the_worst_of_its_clocks_gives_a_handoff_its_state_and_of_equals_the_first_due(story, states, decides):
    found = clocks("first_response", "assigned", **story)
    assert " ".join(clock.state for clock in found) == states
    assert [clock.subject for clock in found if clock.decides] == [decides]


@pytest.mark.parametrize(
    ("story", "owner"),
    [
        ({"assigned": "09:00, 13:00, 15:00", "now": "16:00"}, 2),  # missed: owner when it was due
        ({"assigned": "09:00, 14:00", "called": "16:00"}, 2),
        ({"assigned": "09:00, 11:00, 12:00", "called": "11:30"}, 2),  # met: owner at the stop
        ({"assigned": "09:00, 11:00", "called": "11:00"}, 2),
        ({"assigned": "09:00, 11:00", "now": "11:30"}, 2),  # open: owner now
        ({"assigned": "09:00, 11:00, 13:00", "rejected": "12:00 duplicate"}, 2),  # excluded: owner at the exclusion
        ({"assigned": "09:00, 10:00, 11:00", "below_definition": True}, 2),  # excluded from the beginning
        ({"assigned": "11:00", "out_of_scope": True}, 0),
        ({"assigned": "15:00"}, 0),  # nobody owned it when it was due
    ],
)
def test_a_clock_is_charged_to_the_owner_of_its_moment(story, owner):
    assert clock("first_response", **story).charged_to == owner


def test_a_decision_is_charged_to_the_owner_who_took_it():
    story = {"assigned": "09:00, 11:00, 13:00", "called": "11:30", "rejected": "12:00 bad fit"}
    assert clock("acceptance_rate", **story).charged_to == 2
    assert clock("reasons_documented", **story).charged_to == 2
    assert clock("definition_fit", **story).charged_to == 1


@pytest.mark.parametrize("kind", sorted(CATALOGUE.keys() - {"volume"}))
def test_what_is_below_definition_or_over_the_cap_excuses_sales_speed_and_follow_through_only(kind):
    excused = kind in SALES_SPEED_AND_FOLLOW_THROUGH
    assert (clock(kind, below_definition=True).rule == "below_definition") == excused
    assert (clock(kind, month_rank=3, monthly_cap=2).rule == "over_cap") == excused
    assert clock(kind, month_rank=2, monthly_cap=2).rule != "over_cap"


@pytest.mark.parametrize("kind", sorted(CATALOGUE))
def test_out_of_scope_wins_over_everything_and_below_definition_over_the_cap(kind):
    assert clock(kind, out_of_scope=True, below_definition=True, month_rank=3, monthly_cap=2).rule == "out_of_scope"
    if kind in SALES_SPEED_AND_FOLLOW_THROUGH:
        assert clock(kind, below_definition=True, month_rank=3, monthly_cap=2).rule == "below_definition"


def test_terms_without_promises_have_no_clocks():
    assert len(evaluate(agreed(), CALENDARS, facts_of([told()]), at("12:00"))) == 0


def test_no_handoffs_have_no_clocks():
    terms = agreed(*(promised(kind) for kind in CATALOGUE))
    assert len(evaluate(terms, CALENDARS, facts_of([]), at("12:00"))) == 0
