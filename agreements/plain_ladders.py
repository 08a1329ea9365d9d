"""Ladders as people write them: one step a line, read and written without loss. Pure.

A step is a moment and what is done then: `at 80 %: tell the owner`, `30 minutes before the limit: tell the manager`.
Where a team or a role can be named it stands in brackets: `at 100 %: post in a team’s chat (Sales DACH)`.
"""

import re
from collections.abc import Iterable, Mapping

from django.core.exceptions import ValidationError

from agreements.catalogue import Action
from agreements.models import Commitment, Step
from slaportal import roles
from slaportal.models import Team

# Nobody climbs more.
MOST_STEPS = 20

# The apostrophe of some may be the straight one.
PHRASES = {
    spelt: action
    for action in Action
    for phrase in (action.label.lower(), action.value)
    for spelt in (phrase, phrase.replace("’", "'"))
}
ROLE_NAMES = {role.casefold(): role for role in roles.ROLES}

_SHARE = r"(?:at|after)?\s*(?P<share>\d{1,5})\s*(?:%|percent)(?:\s+of the (?:limit|month))?"
_OFFSET = r"(?P<amount>\d{1,5})\s*(?P<unit>min|minutes?|hours?)\s+(?P<side>before|after)(?:\s+the limit)?"
_PHRASE = "|".join(re.escape(phrase) for phrase in sorted(PHRASES, key=len, reverse=True))
_LINE = re.compile(
    rf"(?:{_SHARE}|{_OFFSET}|(?P<limit>at the (?:limit|end of the month)))\s*[:,]\s*"
    rf"(?P<action>{_PHRASE})\s*(?:\((?P<name>.*)\))?",
    re.IGNORECASE,
)


def parse_ladder(text: str, *, teams: Mapping[str, Team]) -> list[Step]:
    """The steps of a text, one a line; blank lines say nothing. Names each bad line in a `ValidationError`."""
    by_name = {**{name.casefold(): team for name, team in teams.items()}, **teams}
    found, problems = [], []
    for number, line in enumerate(filter(str.strip, text.splitlines()), start=1):
        try:
            found.append(_parse(line.strip(), by_name))
        except ValidationError as problem:
            problems += [f"Step {number}: {message}" for message in problem.messages]
    if len(found) > MOST_STEPS:
        problems.append(f"There are {len(found)} steps. Keep the {MOST_STEPS} that matter most, or fewer.")
    if problems:
        raise ValidationError(problems)
    return found


def write_ladder(steps: Iterable[Step]) -> str:
    """The text that `parse_ladder` reads as these steps."""
    return "\n".join(map(_write, steps))


def complaints(steps: Iterable[Step], kind: str) -> list[str]:
    """What is wrong with these steps on a commitment of this kind, each with the number of its step."""
    found = []
    for number, step in enumerate(steps, start=1):
        step.commitment = Commitment(kind=kind)
        try:
            step.clean()
        except ValidationError as problem:
            found += [f"Step {number}: {message}" for message in problem.messages]
    return found


def _parse(line: str, teams: Mapping[str, Team]) -> Step:
    match = _LINE.fullmatch(line)
    if match is None:
        raise ValidationError(
            f"“{line}” is no step. Write a moment and what is done then, such as “at 80 %: tell the owner” or “30 "
            "minutes before the limit: tell the manager”."
        )
    action, name = PHRASES[match["action"].lower()], (match["name"] or "").strip()
    step = Step(action=action)
    if match["amount"]:
        minutes = int(match["amount"]) * (60 if match["unit"].lower().startswith("hour") else 1)
        step.offset = -minutes if match["side"].lower() == "before" else minutes
    else:
        step.share = int(match["share"] or 100)
    if action == Action.ROLE:
        step.role = _role(name)
    elif name:
        step.team = _team(name, action, teams)
    step.clean_fields(exclude=["commitment", "team"])
    return step


def _role(name: str) -> str:
    role = ROLE_NAMES.get(name.casefold())
    if role is None:
        known = ", ".join(roles.ROLES)
        said = f"There is no role “{name}”." if name else f"“{Action.ROLE.label.capitalize()}” names none."
        raise ValidationError(f"{said} Write one of {known} in brackets behind it.")
    return role


def _team(name: str, action: Action, teams: Mapping[str, Team]) -> Team:
    if not action.names_team:
        raise ValidationError(f"“{action.label.capitalize()}” names no team. Leave out “{name}”.")
    team = teams.get(name) or teams.get(name.casefold())
    if team is None:
        known = ", ".join(sorted({team.name for team in teams.values()}))
        raise ValidationError(f"There is no team “{name}”. Write one of {known}, or leave it out.")
    return team


def _write(step: Step) -> str:
    if step.share is not None:
        when = f"at {step.share} %"
    else:
        when = f"{abs(step.offset)} minutes {'before' if step.offset < 0 else 'after'} the limit"
    name = step.role or (step.team.name if step.team else "")
    return f"{when}: {Action(step.action).label}{f' ({name})' if name else ''}"
