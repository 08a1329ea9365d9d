"""Ladders as people write them: one step a line."""

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from agreements.catalogue import Action
from agreements.models import Step
from agreements.plain_ladders import complaints, parse_ladder, write_ladder
from slaportal import roles
from slaportal.models import Team

SALES, PARTNERS, INT = Team(pk=1, name="Sales DACH"), Team(pk=2, name="Partners (new)"), Team(pk=3, name="Int'l")
TEAMS = {team.name: team for team in (SALES, PARTNERS, INT)}


def said(step: Step) -> tuple:
    """What a step is, without where it stands."""
    return step.share, step.offset, str(step.action), step.team and step.team.name, step.role


def only(line: str) -> tuple:
    (step,) = parse_ladder(line, teams=TEAMS)
    return said(step)


def refusals(text: str) -> list[str]:
    with pytest.raises(ValidationError) as refused:
        parse_ladder(text, teams=TEAMS)
    return refused.value.messages


@pytest.mark.parametrize(
    ("line", "share", "offset", "action", "team", "role"),
    [
        ("at 50 %: tell the owner", 50, None, "tell owner", None, ""),
        ("50%: tell owner", 50, None, "tell owner", None, ""),
        ("After 80 percent of the limit, Tell the Manager", 80, None, "tell manager", None, ""),
        ("at 60 % of the month: ask for a recovery plan", 60, None, "recovery plan", None, ""),
        ("at the limit: reassign to the next rep", 100, None, "reassign", None, ""),
        ("at the end of the month: open a task for RevOps", 100, None, "task", None, ""),
        ("30 minutes before the limit: tell the manager", None, -30, "tell manager", None, ""),
        ("1 minute before: task", None, -1, "task", None, ""),
        ("2 hours after the limit: return to the team’s queue", None, 120, "return to queue", None, ""),
        ("0 minutes after the limit: return to the team's queue", None, 0, "return to queue", None, ""),
        ("at 90 %: post in a team's chat (Sales DACH)", 90, None, "tell chat", "Sales DACH", ""),
        ("at 90 %: tell the manager (sales dach)", 90, None, "tell manager", "Sales DACH", ""),
        ("at 90 %: tell everybody of a team (Partners (new))", 90, None, "tell team", "Partners (new)", ""),
        ("at 90 %: tell everybody of a team (Int'l)", 90, None, "tell team", "Int'l", ""),
        ("at 90 %: tell everybody of a team", 90, None, "tell team", None, ""),
        ("at 90 %: tell everybody with a role ( revops )", 90, None, "tell role", None, "RevOps"),
        ("  at   5 %  :   tell the owner  ", 5, None, "tell owner", None, ""),
    ],
)
def test_a_line_is_read_as_a_person_means_it(line, share, offset, action, team, role):
    assert only(line) == (share, offset, action, team, role)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("tell the owner", "“tell the owner” is no step. Write a moment and what is done then, such as “at 80 %: tell "
         "the owner” or “30 minutes before the limit: tell the manager”."),
        ("at 50 %: shout", "“at 50 %: shout” is no step."),
        ("at  %: tell the owner", "“at  %: tell the owner” is no step."),
        ("at 50.5 %: tell the owner", "“at 50.5 %: tell the owner” is no step."),
        ("at 0 %: tell the owner", "A step comes at 1 to 1000 percent."),
        ("at 1001 %: tell the owner", "A step comes at 1 to 1000 percent."),
        ("501 hours after the limit: tell the owner", "A step comes within 30,000 minutes of the limit."),
        ("at 50 %: tell the owner (Sales DACH)", "“Tell the owner” names no team. Leave out “Sales DACH”."),
        ("at 50 %: tell the manager (Mars)", "There is no team “Mars”. Write one of Int'l, Partners (new), Sales DACH, "
         "or leave it out."),
        ("at 50 %: tell everybody with a role", "“Tell everybody with a role” names none. Write one of RevOps, "
         "Marketing leader, Sales leader, Sales manager, Rep, Viewer in brackets behind it."),
        ("at 50 %: tell everybody with a role (boss)", "There is no role “boss”. Write one of RevOps, Marketing "
         "leader, Sales leader, Sales manager, Rep, Viewer in brackets behind it."),
    ],
)  # fmt: skip
def test_a_line_that_is_no_step_gets_a_sentence_with_the_cure(line, sentence):
    (found,) = refusals(line)
    assert found.startswith(f"Step 1: {sentence}")


def test_every_bad_step_is_named_by_its_number_and_blank_lines_say_nothing():
    text = "at 50 %: tell the owner\n\nnonsense\n \nat 0 %: task\n"
    assert [message.split(": ")[0] for message in refusals(text)] == ["Step 2", "Step 3"]
    assert parse_ladder(" \n\r\n", teams={}) == []


def test_nobody_climbs_more_than_twenty_steps():
    assert len(parse_ladder("at 50 %: task\n" * 20, teams={})) == 20
    assert refusals("at 50 %: task\n" * 21) == ["There are 21 steps. Keep the 20 that matter most, or fewer."]


def test_two_teams_that_differ_in_their_capitals_alone_are_told_apart():
    teams = {name: Team(name=name) for name in ("Sales", "SALES")}
    found = parse_ladder("at 1 %: tell the manager (Sales)\nat 1 %: tell the manager (SALES)", teams=teams)
    assert [step.team.name for step in found] == ["Sales", "SALES"]


def test_what_a_kind_cannot_do_is_said_with_the_number_of_the_step():
    steps = parse_ladder("at 60 %: task\nat 100 %: tell the owner\n5 minutes after: task", teams={})
    found = complaints(steps, "volume")
    assert [message.split(": ", 1)[0] for message in found] == ["Step 2", "Step 3"]
    assert "cannot “tell the owner”" in found[0]
    assert complaints(steps, "first_response") == []


names = st.text(st.characters(blacklist_categories=["C", "Z"]), min_size=1, max_size=6)
moments = st.one_of(
    st.builds(lambda share: {"share": share}, st.integers(1, 1000)),
    st.builds(lambda offset: {"offset": offset}, st.integers(-30_000, 30_000)),
)


@st.composite
def steps(draw) -> Step:
    action = draw(st.sampled_from(Action))
    role = draw(st.sampled_from(roles.ROLES)) if action == Action.ROLE else ""
    team = Team(name=" ".join(draw(st.lists(names, min_size=1, max_size=3)))) if action.names_team else None
    return Step(**draw(moments), action=action, role=role, team=draw(st.sampled_from([None, team])))


@given(st.lists(steps(), max_size=5))
def test_what_is_written_is_read_as_the_same_ladder(ladder):
    teams = {step.team.name: step.team for step in ladder if step.team}
    assert [said(step) for step in parse_ladder(write_ladder(ladder), teams=teams)] == [said(step) for step in ladder]
