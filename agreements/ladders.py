"""Ladders in words: when each step of a promise comes, and what it does. Pure; reads frozen terms only.

A whole ladder stands in one short sentence, because the page that is signed is one page: who is told at two moments is
named once, and so is the unit.
"""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import groupby

from agreements.catalogue import Action
from agreements.phrases import enumeration, number, percentage, span
from agreements.terms import Promise, Rung
from slaportal import roles
from slaportal.models import Party

DEEDS = {
    Action.REASSIGN: "the lead goes to the next rep",
    Action.QUEUE: "the lead goes back to the team’s queue",
    Action.TASK: "RevOps gets a task",
    Action.PLAN: "a recovery plan is asked for",
}


def sentence(promise: Promise) -> str:
    """“Until it is done: at 50 % (2 business hours) the owner is told, at 80 % (3.2) and at the limit the manager.”"""
    if not promise.steps:
        return ""
    said, told_before, is_known = "", False, False
    # What follows each other and does the same is one part of the sentence.
    come = ((rungs[0], _deeds(rungs, promise), _who_alone(rungs, promise)) for rungs in _by_moment(promise))
    for (deeds, who), group in groupby(come, key=lambda one: one[1:]):
        moments = []
        for rung, *_ in group:
            moments.append(moment(rung, promise, is_known=is_known))
            is_known = is_known or promise.limit_seconds is None or _has_amount(rung)
        begin = f"{', ' if told_before and who else '; '}" if said else ""
        said += f"{begin}{enumeration(moments)} {who if told_before and who else deeds}"
        told_before = bool(who)
    return f"{'If it is behind' if promise.limit_seconds is None else 'Until it is done'}: {said}."


def step(rung: Rung, promise: Promise) -> str:
    """One step by itself: “at 50 % (2 business hours) the owner is told”."""
    return f"{moment(rung, promise)} {_deeds([rung], promise)}"


def moment(rung: Rung, promise: Promise, *, is_known: bool = False) -> str:
    """“at 50 % (2 business hours)”, “30 minutes before the limit”; without a limit “at 60 % of the month”.

    Where it `is_known` of what, “at 50 % (2)” and “at 60 %”.
    """
    if promise.limit_seconds is None:
        share = rung.share or Fraction(1)
        if share < 1:
            return f"at {percentage(share)}{'' if is_known else ' of the month'}"
        return "at its end" if is_known else "at the end of the month"
    if _has_amount(rung):
        amount, unit = promise.limit.split(" ", 1)
        part = number(Fraction(amount) * rung.share)
        return f"at {percentage(rung.share)} ({part if is_known else span(f'{part} {unit}')})"
    if rung.share is not None or not rung.offset_seconds:
        return "at the limit"
    if not rung.position(promise.limit_seconds):
        return "at the start"
    return f"{_distance(rung, promise)} {'before' if rung.offset_seconds < 0 else 'after'} the limit"


def _has_amount(rung: Rung) -> bool:
    """Whether its moment is said as a part of the limit."""
    return rung.share not in (None, 1)


def _distance(rung: Rung, promise: Promise) -> str:
    """How far from the limit, counted like the limit."""
    seconds = abs(rung.offset_seconds)
    amount, unit = (seconds // 3600, "hours") if seconds % 3600 == 0 else (seconds // 60, "minutes")
    return span(f"{amount} {unit if promise.calendar is None else f'business {unit}'}")


def _by_moment(promise: Promise) -> Iterable[Sequence[Rung]]:
    return (list(rungs) for _, rungs in groupby(promise.ladder, key=lambda rung: moment(rung, promise)))


def _deeds(rungs: Sequence[Rung], promise: Promise) -> str:
    """What happens at one moment, in the order in which it is written down."""
    said = []
    for tells, group in groupby(rungs, key=lambda rung: rung.action.tells):
        if tells:
            told = [_told(rung, promise) for rung in group]
            said.append(f"{enumeration(told)} {'are' if len(told) > 1 else 'is'} told")
        else:
            said += [DEEDS[rung.action] for rung in group]
    return enumeration(said)


def _who_alone(rungs: Sequence[Rung], promise: Promise) -> str:
    """Who is told at one moment at which nothing else happens."""
    return enumeration([_told(rung, promise) for rung in rungs]) if all(rung.action.tells for rung in rungs) else ""


def _told(rung: Rung, promise: Promise) -> str:
    """Who is told. Operations has no team of its own; its leads are on their way to that of sales, which is named."""
    team = rung.team or ("sales" if promise.kind.party == Party.OPERATIONS else "")
    match rung.action:
        case Action.MANAGER:
            return f"the manager of {team}" if team else "the manager"
        case Action.TEAM:
            return f"everybody of {team}" if team else "the whole team"
        case Action.CHAT:
            return f"the chat of {team}" if team else "the team’s chat"
        case Action.ROLE:
            return rung.role if rung.role == roles.REVOPS else f"every {rung.role.lower()}"
        case _:
            return "the owner"
