"""What happens when a promise is about to be broken: steps of ladders that came due are done, each once and in order.

Which step is due when is decided by `leads.clocks` alone (rules L1 to L4). The sweep finds it by `Clock.next_step_at`,
does it under the handoff's lock, writes an `Escalation` and evaluates again, all in one transaction: a worker that dies
leaves nothing, and the next one begins anew.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import OperationalError, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext

from agreements import terms
from agreements.catalogue import Action
from agreements.models import Step
from agreements.terms import Promise, Rung
from leads import ladder, routing, timekeeping
from leads.audience import Audience, Seat, whose
from leads.models import Assignment, Clock, Escalation, Handoff, Task
from slaportal import outbox
from slaportal.models import User
from slaportal.outbox import Post

log = logging.getLogger(__name__)

# Handoffs of one transaction.
BATCH = 500
# The sweep runs each minute; what is looked at later than this was due while nobody swept.
LATE = timedelta(minutes=5)


@dataclass
class Due:
    """A step that is due, with all that it needs; and what becomes of it: who is told, and in words what was done."""

    clock: Clock
    handoff: Handoff
    step: Step
    promise: Promise
    rung: Rung
    seats: Sequence[Seat] = ()
    what: str = ""
    is_skipped: bool = False

    @property
    def is_warning(self) -> bool:
        """Whether the promise can still be kept."""
        return self.rung.position(self.promise.limit_seconds) < self.promise.limit_seconds


def sweep(*, now: datetime) -> int:
    """Do every step that is due, each handoff's in their order; safe to run twice, by two workers, or after a silence.

    Handoffs that somebody else has locked are left to the next sweep. One that cannot be done is told in the log.
    Neither holds up what is behind it. Returns how many steps were looked at.
    """
    done = 0
    left: set[int] = set()
    while True:
        due = Clock.objects.with_due_step(now).exclude(handoff__in=left).order_by("next_step_at", "pk")
        ids = sorted(set(due.values_list("handoff_id", flat=True)[:BATCH]))
        if not ids:
            return done
        done += _climb_safely(ids, left, now)


def close_tasks(tasks: QuerySet[Task], *, by: User, now: datetime) -> int:
    """Mark those of the tasks that are still open as done. Returns how many."""
    return tasks.filter(done_at=None).update(done_at=now, done_by=by)


def late(before: datetime) -> tuple[int, datetime | None]:
    """How many clocks have a step that was due before `before` and that nobody has looked at, and since when."""
    found = Clock.objects.with_due_step(before)
    first = found.order_by("next_step_at").values_list("next_step_at", flat=True).first()
    return (found.count() if first else 0), first


def _climb_safely(ids: Sequence[int], left: set[int], now: datetime) -> int:
    """All of them in one transaction; if that fails, one by one. What cannot be done now is added to `left`."""
    try:
        climbed = _climb(ids, now)
    except OperationalError:
        raise
    except Exception:
        if len(ids) > 1:
            return sum(_climb_safely([pk], left, now) for pk in ids)
        log.exception("escalations: the next step of handoff %s cannot be done", ids[0])
        climbed = set()
    left.update(set(ids) - climbed)
    return len(climbed)


@transaction.atomic
def _climb(ids: Sequence[int], now: datetime) -> set[int]:
    """Do the next due step of each of these handoffs that can be locked. Returns which they were."""
    locked = timekeeping.lock(ids, skip_locked=True)
    found = _next_steps([handoff_id for handoff_id, _ in locked], now)
    if not found:
        return set()
    audience = Audience()
    for one in found:
        if one.rung.action.tells:
            one.seats, one.what = audience.of(one.step, one.handoff, whose(one.clock, one.handoff))
            one.is_skipped = not one.seats
    for action, move in ((Action.REASSIGN, routing.reassign), (Action.QUEUE, routing.return_to_queue)):
        _move([one for one in found if one.rung.action == action], move, now)
    tasks = [one for one in found if one.rung.action == Action.TASK]
    _open_tasks(tasks, audience, now)
    rows = Escalation.objects.bulk_create(
        Escalation(
            handoff=one.handoff,
            step=one.step,
            subject=one.clock.subject,
            state=Escalation.State.SKIPPED if one.is_skipped else Escalation.State.FIRED,
            due_at=one.clock.next_step_at,
            at=now,
            is_late=now - one.clock.next_step_at > LATE,
            what=one.what[:300],
        )
        for one in found
    )
    outbox.post([post for one, row in zip(found, rows, strict=True) for post in _posts(one, row)], now=now)
    climbed = {one.handoff.pk for one in found}
    timekeeping.evaluate_handoffs(climbed, now=now)
    return climbed


def _next_steps(ids: Sequence[int], now: datetime) -> list[Due]:
    """Of each locked handoff the step that came due first."""
    due = Clock.objects.with_due_step(now).filter(handoff__in=ids).select_related("commitment", "charged_to__owner")
    first: dict[int, Clock] = {}
    for clock in due.order_by("next_step_at", "commitment__position", "pk"):
        first.setdefault(clock.handoff_id, clock)
    handoffs = Handoff.objects.select_related(
        "lead",
        "owner",
        "team__manager",
        "agreement__sales_team__manager",
        "agreement__marketing_team__manager",
        "version",
    ).in_bulk(first)
    steps: dict[int, list[Step]] = {}
    commitments = {clock.commitment_id for clock in first.values()}
    for step in Step.objects.filter(commitment__in=commitments).select_related("team__manager", "commitment"):
        steps.setdefault(step.commitment_id, []).append(step)
    found = []
    for handoff_id, clock in first.items():
        handoff = handoffs[handoff_id]
        promise = terms.of(handoff.version).promise(clock.commitment.code)
        step, rung = steps[clock.commitment_id][clock.next_step], promise.steps[clock.next_step]
        found.append(Due(clock, handoff, step, promise, rung))
    return found


def _move(found: Sequence[Due], move: Callable[..., list[Assignment]], now: datetime) -> None:
    """Take these handoffs from their owners, where there is somebody who had it when the step came due."""
    if not found:
        return
    latest = Assignment.objects.filter(handoff__in=[one.handoff.pk for one in found]).order_by("at", "pk")
    since = dict(latest.values_list("handoff", "at"))
    for one in found:
        if why := _why_not_moved(one, since.get(one.handoff.pk)):
            one.is_skipped, one.what = True, gettext("nothing: %(why)s") % {"why": why}
    taken = [one for one in found if not one.is_skipped]
    why = {one.handoff.pk: f"{one.promise.title}: {ladder.when(one.step)}" for one in taken}
    given = move([one.handoff for one in taken], why=why, by=None, now=now) if taken else []
    by_handoff = {assignment.handoff_id: assignment for assignment in given}
    for one in taken:
        one.what = _moved(one.handoff, by_handoff.get(one.handoff.pk))


def _why_not_moved(one: Due, since: datetime | None) -> str:
    """Why nobody is to lose this handoff by this step; blank where its owner does, who has had it `since` then."""
    if one.handoff.ended_at is not None:
        return gettext("the handoff has ended")
    if one.handoff.owner is None:
        return gettext("it waits in the queue already")
    # What is done for two promises at once, or after a stop, must not take it from the one whom it was just given to.
    if since is not None and since > one.clock.next_step_at:
        return gettext("%(owner)s has had it only since then") % {"owner": one.handoff.owner}
    known_at = one.handoff.known_at
    if known_at is not None and known_at > one.clock.next_step_at:
        return gettext("the portal learned of it only afterwards")
    return ""


def _moved(handoff: Handoff, assignment: Assignment | None) -> str:
    """What became of a handoff that was taken from its owner."""
    if assignment is None:
        return gettext("nothing: %(owner)s keeps it") % {"owner": handoff.owner}
    where = assignment.owner or gettext("the queue of %(team)s") % {"team": assignment.team}
    return gettext("from %(owner)s to %(where)s") % {"owner": handoff.owner, "where": where}


def _open_tasks(found: Sequence[Due], audience: Audience, now: datetime) -> None:
    """Open a task for RevOps for each of these."""
    Task.objects.bulk_create(
        Task(
            step=one.step,
            handoff=one.handoff,
            agreement=one.handoff.agreement,
            title=f"{one.promise.title}: {one.handoff}"[:200],
            opened_at=now,
        )
        for one in found
    )
    for one in found:
        one.seats, one.what = audience.revops, gettext("opened a task for RevOps")


def _posts(one: Due, row: Escalation) -> list[Post]:
    kind = "task" if one.rung.action == Action.TASK else "warning" if one.is_warning else "miss"
    return [
        Post(
            key=f"step:{one.handoff.pk}:{one.step.pk}:{one.clock.subject}",
            slot=seat.slot,
            kind=kind,
            letter="leads.escalation_letters.step",
            about=row.pk,
            person=seat.person,
            reader=seat.reader,
        )
        for seat in one.seats
    ]
