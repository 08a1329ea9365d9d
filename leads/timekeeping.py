"""Writes what `leads.clocks.evaluate` says. One handoff, a whole recompute and the tick take the same path."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from django.db import connection, transaction
from django.db.models import Max, Min

from agreements import terms
from agreements.calendars import Closure, closures_by_calendar
from agreements.models import Version, local_midnight
from agreements.terms import Terms
from leads import clock_rows, clocks, facts, stages, touches
from leads.history import Facts
from leads.models import Clock, Handoff

# Handoffs of one transaction of a recompute; a tick takes fewer, so that nobody waits for it.
RANGE = 25_000
TICK_BATCH = 2_000

STAGES = tuple(Handoff.Stage.values)


# Inside `evaluated_together`: the handoffs that its verbs touched.
_together: ContextVar[set[int] | None] = ContextVar("together", default=None)


@contextmanager
def evaluated_together(*, now: datetime) -> Iterator[None]:
    """Evaluate what the verbs inside touch once, at the end, instead of after each verb: for imports."""
    token = _together.set(set())
    try:
        yield
        touched = _together.get()
    finally:
        _together.reset(token)
    evaluate_handoffs(touched, now=now)


def evaluate_handoffs(ids: Iterable[int], *, now: datetime) -> int:
    """Evaluate these handoffs at `now` and write what changed: their clocks, stage, owner and end. Returns how many.

    Verbs call it in the transaction of their fact, which it ends with its own. The handoffs are locked first, so that
    of two evaluations the later one sees the facts of the earlier.
    """
    wanted = sorted({int(number) for number in ids})
    if (waiting := _together.get()) is not None:
        waiting.update(wanted)
        return 0
    done = 0
    for begin in range(0, len(wanted), RANGE):
        # Within a verb it stands and falls with the fact, so it needs no savepoint.
        with transaction.atomic(savepoint=False):
            done += _evaluate_locked(lock(wanted[begin : begin + RANGE]), now)
    return done


def evaluate_all(*, now: datetime, everything: bool = True, progress: Callable[[int], object] | None = None) -> int:
    """Evaluate every handoff, or only those that can still change by themselves, in ranges of their ids."""
    handoffs = Handoff.objects.all() if everything else Handoff.objects.filter(clocks__state=clocks.OPEN)
    done = 0
    for first, last in id_ranges():
        found = handoffs.filter(pk__gte=first, pk__lte=last).values_list("pk", flat=True).distinct().order_by()
        done += evaluate_handoffs(found, now=now)
        if progress:
            progress(done)
    return done


def id_ranges() -> list[tuple[int, int]]:
    """Ranges of handoff ids, both ends included, each small enough for one transaction."""
    ends = Handoff.objects.aggregate(first=Min("pk"), last=Max("pk"))
    if ends["first"] is None:
        return []
    return [(start, start + RANGE - 1) for start in range(ends["first"], ends["last"] + 1, RANGE)]


def tick(*, now: datetime) -> int:
    """Evaluate every handoff with a clock whose limit is used up; safe to run twice or by two workers at once.

    Handoffs that somebody else has locked are left to the next tick, as whoever holds the lock evaluates them, and hold
    up none behind them. Returns how many were evaluated.
    """
    done: set[int] = set()
    left: set[int] = set()
    while True:
        with transaction.atomic():
            due = Clock.objects.running_out(now).exclude(handoff__in=left).order_by("look_at")
            ids = set(due.values_list("handoff_id", flat=True)[:TICK_BATCH]) - done
            found = lock(sorted(ids), skip_locked=True)
            _evaluate_locked(found, now)
        if not ids:
            return len(done)
        locked = {handoff_id for handoff_id, _ in found}
        done |= locked
        left |= ids - locked


def late(before: datetime) -> tuple[int, datetime | None]:
    """How many clocks had used up their limit before `before` and were not looked at, and since when."""
    found = Clock.objects.running_out(before)
    first = found.order_by("look_at").values_list("look_at", flat=True).first()
    return (found.count() if first else 0), first


def closure_changed(closure: Closure, *, now: datetime) -> None:
    """Re-evaluate every clock that touches a day that was closed, or opened again, after the fact (rule T5)."""
    versions = [version for version in Version.objects.agreed() if _uses(version, closure.calendar_id)]
    for version in versions:
        after = local_midnight(closure.date + timedelta(days=1), version.agreement.zone) + timedelta(days=1)
        touched = Handoff.objects.filter(version=version, qualified_at__lt=after)
        evaluate_handoffs(touched.values_list("pk", flat=True), now=now)


def _uses(version: Version, calendar_id: int) -> bool:
    return any(frozen["id"] == calendar_id for frozen in terms.of(version).calendars.values())


def lock(ids: Sequence[int], *, skip_locked: bool = False) -> list[tuple[int, int]]:
    """Ids of handoffs with the id of their version, in order, locked until the transaction ends."""
    given, parameters = facts.picked(ids)
    wanted = "h.id IN (SELECT id FROM picked) ORDER BY h.id"
    sql = f"WITH {given} SELECT h.id, h.version_id FROM leads_handoff h WHERE {wanted}"
    if facts.is_postgresql():
        sql += " FOR NO KEY UPDATE" + (" SKIP LOCKED" if skip_locked else "")
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall()


def _evaluate_locked(rows: Sequence[tuple[int, int]], now: datetime) -> int:
    if not rows:
        return 0
    by_version: dict[int, list[int]] = {}
    for handoff_id, version_id in rows:
        by_version.setdefault(version_id, []).append(handoff_id)
    closures = closures_by_calendar()
    versions = Version.objects.filter(pk__in=by_version).select_related("agreement")
    for version in versions.only("terms_hash", "created_at", "agreement__time_zone"):
        agreed, promises, steps = signed(version.pk, version.terms_hash, version.created_at)
        ids = by_version[version.pk]
        history = facts.load(ids, agreed, version.agreement_id, promises=promises, steps=steps)
        verdicts = clocks.evaluate(agreed, agreed.business_times(closures), history, max(now, newest(history)))
        changed = clock_rows.write(history.handoffs["id"], sorted(promises, key=promises.__getitem__), verdicts)
        changed = np.union1d(changed, _write_handoffs(history))
        touches.note(version.agreement, history.handoffs["qualified_at"][np.isin(history.handoffs["id"], changed)])
    return len(rows)


class Signed(NamedTuple):
    """What handoffs of a version are judged by: its terms, and which of their promises and steps its rows stand for."""

    terms: Terms
    promises: dict[int, int]
    steps: dict[int, tuple[int, int]]


def signed(pk: int, terms_hash: str, created_at: datetime) -> Signed:
    """What is frozen is read once by each process, because nothing of it can change; a draft each time."""
    return read_once(pk, terms_hash, created_at) if terms_hash else _read(pk)


def _read(pk: int) -> Signed:
    version = Version.objects.prefetch_related("commitments__steps").get(pk=pk)
    agreed = terms.of(version)
    return Signed(agreed, promises_of(version, agreed), steps_of(version, agreed))


@lru_cache(maxsize=256)
def read_once(pk: int, _terms_hash: str, _created_at: datetime) -> Signed:
    """The hash and the moment tell a version from one of another database with the same id, such as a restored one."""
    return _read(pk)


def promises_of(version: Version, agreed: Terms) -> dict[int, int]:
    """The index in the terms of each commitment of a version, by its id. Reads `version.commitments`."""
    index = {promise.code: promise.index for promise in agreed.promises}
    return {commitment.pk: index[commitment.code] for commitment in version.commitments.all()}


def steps_of(version: Version, agreed: Terms) -> dict[int, tuple[int, int]]:
    """Of each step of a version, by its id: of which promise of the terms it is, and which of its steps.

    Rows and frozen terms have the same order (`Step.Meta.ordering`). Reads `version.commitments` with their steps.
    """
    index = {promise.code: promise.index for promise in agreed.promises if promise.steps}
    return {
        step.pk: (index[commitment.code], place)
        for commitment in version.commitments.all()
        if commitment.code in index
        for place, step in enumerate(commitment.steps.all())
    }


def newest(history: Facts) -> datetime:
    """The moment of the latest fact. What is stored is never judged as of before it: a tick that read its time just
    before somebody logged an attempt must not forget that attempt."""
    moments = [events["at"] for events in (history.attempts, history.dispositions, history.outcomes, history.holds)]
    moments += [history.holds["ended_at"], history.disputes["at"], history.disputes["answered_at"]]
    moments.append(history.exclusions["at"])
    # An end that was entered late excludes from its entry on (rule C7).
    moments += [history.dispositions["entered_at"], history.assignments["at"], history.handoffs["qualified_at"]]
    known = np.concatenate(moments)
    return known[~np.isnat(known)].max().astype(datetime).replace(tzinfo=UTC)


def _write_handoffs(history: Facts) -> np.ndarray:
    """Keep the handoffs' own rows up to date with their facts: owner, team, stage, end. Ids of those that changed."""
    rows, stored = history.assignments["row"], history.handoffs
    owner, team = np.zeros(len(stored), "i8"), np.zeros(len(stored), "i8")
    owner[rows], team[rows] = history.assignments["owner"], history.assignments["team"]
    stage, ended_at = stages.derive(history)
    same_end = (stored["ended_at"] == ended_at) | (np.isnat(stored["ended_at"]) & np.isnat(ended_at))
    same = (stored["owner"] == owner) & (stored["team"] == team) & (stored["stage"] == stage) & same_end
    changed = np.flatnonzero(~same)
    if not len(changed):
        return stored["id"][:0]
    adapt = connection.ops.adapt_datetimefield_value
    updates = [
        (owner_id or None, team_id or None, STAGES[stage_at], moment and adapt(moment.replace(tzinfo=UTC)), handoff_id)
        for owner_id, team_id, stage_at, moment, handoff_id in zip(
            owner[changed].tolist(),
            team[changed].tolist(),
            stage[changed].tolist(),
            ended_at[changed].tolist(),
            stored["id"][changed].tolist(),
            strict=True,
        )
    ]
    with connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE leads_handoff SET owner_id = %s, team_id = %s, stage = %s, ended_at = %s WHERE id = %s", updates
        )
    return stored["id"][changed]
