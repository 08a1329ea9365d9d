"""The ladder of a clock as its page shows it: what was done, what is still to come and when, and what no longer comes.

Nothing is decided here: what came due is a row, what comes next stands on the clock, the rest follows from its state.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from django.utils import timezone
from django.utils.translation import gettext

from agreements.models import Step
from agreements.terms import Promise, Rung
from leads import clocks
from leads.explanations import Run
from leads.models import Clock, Escalation, Handoff
from leads.rules import RULES
from slaportal import formats


@dataclass(frozen=True)
class StepLine:
    """One step: when in the clock it comes, what it does or did, how it stands, and the moment that goes with it."""

    when: str
    what: str
    word: str
    tone: str = ""
    at: datetime | None = None
    why: str = ""


def lines(
    clock: Clock, promise: Promise, handoff: Handoff, run: Run | None, done: Mapping[tuple[int, int], Escalation]
) -> list[StepLine]:
    """Every step of a clock's ladder in order. `done` are the handoff's escalations by place and subject."""
    return [_line(rung, clock, promise, handoff, run, done.get((rung.index, clock.subject))) for rung in promise.ladder]


def by_place(escalations: Iterable[Escalation], places: Mapping[int, tuple[int, int]]) -> dict[int, dict]:
    """A handoff's escalations by promise, then by place and subject; `places` as `steps_of` gives."""
    found: dict[int, dict[tuple[int, int], Escalation]] = {}
    for row in escalations:
        promise, place = places[row.step_id]
        found.setdefault(promise, {})[place, row.subject] = row
    return found


def when(step: Step | Rung) -> str:
    """“at 80 % of the limit”, “30 min before the limit”, “at the limit”."""
    if isinstance(step, Rung):
        share, minutes = step.share and int(step.share * 100), (step.offset_seconds or 0) // 60
    else:
        share, minutes = step.share, step.offset or 0
    if share is not None and share != 100:
        return gettext("at %(share)s %% of the limit") % {"share": share}
    if not minutes:
        return gettext("at the limit")
    said = gettext("%(number)s min before the limit") if minutes < 0 else gettext("%(number)s min after the limit")
    return said % {"number": abs(minutes)}


def lateness(row: Escalation) -> str:
    """Why a step that is marked late comes late, or where that is not recorded since when it was due; else blank.

    Nothing was running then, or what had stopped the clock was taken back: the row does not tell which.
    """
    if not row.is_late:
        return ""
    known_at = row.handoff.known_at
    if known_at and row.due_at < known_at:
        return gettext("late: the portal learned of it only %(moment)s") % {"moment": _local(known_at)}
    return gettext("late: it was due %(moment)s") % {"moment": _local(row.due_at)}


def is_history(handoff: Handoff) -> bool:
    """Whether it had begun so long before the portal knew of it that what came due before comes no more (rule L4)."""
    return handoff.known_at is not None and handoff.known_at - handoff.qualified_at > clocks.NEWS_FOR


def _local(moment: datetime) -> str:
    return formats.weekday_time(timezone.localtime(moment))


def _line(
    rung: Rung, clock: Clock, promise: Promise, handoff: Handoff, run: Run | None, row: Escalation | None
) -> StepLine:
    place, does = when(rung), rung.action.label
    if row is not None:
        if row.state == Escalation.State.SKIPPED:
            return StepLine(place, does, gettext("skipped"), "", row.at, row.what)
        is_withdrawn = clock.state == clocks.MET and rung.position(promise.limit_seconds) >= promise.limit_seconds
        why = gettext("withdrawn by a late fact") if is_withdrawn else lateness(row)
        return StepLine(place, row.what, gettext("fired"), "" if is_withdrawn else "warn", row.at, why)
    if clock.next_step == rung.index and clock.next_step_at is not None:
        return StepLine(place, does, gettext("next"), "wait", clock.next_step_at)
    if clock.started_at is None or run is None:
        return StepLine(place, does, gettext("planned"), "wait", None, gettext("once the clock starts"))
    moment = moment_of(run, int(rung.position(promise.limit_seconds) * 1_000_000))
    if is_history(handoff) and moment and moment < handoff.known_at:
        why = gettext("it came due before the portal knew of this handoff")
        return StepLine(place, does, gettext("cancelled"), "", None, why)
    is_held = clock.stopped_at is None and any(end == run.now for _, end in run.holds)
    if clock.next_step is None and (clock.state in (clocks.MET, clocks.EXCLUDED) or not is_held):
        return StepLine(place, does, gettext("cancelled"), "", None, _over(clock))
    return StepLine(place, does, gettext("planned"), "wait", moment, "" if moment else gettext("once it is released"))


def _over(clock: Clock) -> str:
    """Why no more steps come."""
    if clock.state == clocks.MET:
        return gettext("the promise was kept before")
    if clock.state == clocks.EXCLUDED:
        return RULES[clock.rule][0].rstrip(".").lower()
    if clock.stopped_at:
        return gettext("it was done, late")
    return gettext("nobody can keep it any more") if clock.subject else gettext("it is over")


def moment_of(run: Run, position: int) -> datetime | None:
    """When more than `position` µs of a clock's time are used up (rule L1); None while an open hold keeps it away."""
    calendar = run.calendar

    def place(moment: datetime) -> int:
        return int(calendar.position_many(_instant(moment))[0])

    end = place(run.started_at) + position
    for begin, until in run.holds:
        lower = max(place(begin), place(run.started_at))
        if lower <= end:
            if until == run.now:
                return None
            end += max(place(until), lower) - lower
    found = calendar.leaving_many(np.array([end]))[0]
    return None if np.isnat(found) else found.astype("M8[us]").astype(datetime).replace(tzinfo=UTC)


def _instant(moment: datetime) -> Sequence:
    return np.array([moment.astimezone(UTC).replace(tzinfo=None)], "M8[us]")
