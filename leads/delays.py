"""How long each handoff waited: for the system, for sales, and as the lead felt it (rule N8). Reads only.

There is no second reading of facts here: `clocks.evaluate` is asked for promises that nobody made, with a limit that
nothing uses up, so that holds, late entries, attempts that name only the person, and ends count as everywhere.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

import numpy as np

from agreements import terms
from agreements.business_time import BusinessTime
from agreements.calendars import closures_by_calendar
from agreements.catalogue import CATALOGUE, Start
from agreements.models import Version
from agreements.terms import Promise, Terms
from leads import clocks, facts, timekeeping
from leads.history import NAT, NO_EXCLUSIONS, Facts
from leads.models import HandoffQuerySet
from leads.rules import RULE_NAMES

SYSTEM, HUMAN, FELT = NAMES = ("system", "human", "felt")
# What became of the wait: it is over; it goes on; it has not begun (N8 says of which); a rule takes it out.
OVER, WAITING, NOT_STARTED, EXCLUDED = STATES = ("over", "waiting", "not_started", "excluded")

# The kind that says what ends the wait, and when it begins.
_MEASURED_AS = {
    SYSTEM: ("routing", Start.QUALIFIED),
    HUMAN: ("first_response", Start.ROUTED),
    FELT: ("first_response", Start.QUALIFIED),
}
_NOT_STARTED = RULE_NAMES.index("not_started")
_EVERYTHING = -1  # as bits of scope: all of them
_ENGAGED = np.dtype([("id", "i8"), ("at", "M8[us]")])
# Handoffs that are read at once.
RANGE = 50_000


@dataclass(frozen=True)
class Waits:
    """One of the delays of many handoffs: `state` is an index into STATES, `rule` into RULE_NAMES. `real` and
    `business` are the seconds of those that are over, else NaN; as the lead felt it there is no business time."""

    state: np.ndarray
    rule: np.ndarray
    real: np.ndarray
    business: np.ndarray | None

    def in_state(self, state: str) -> np.ndarray:
        """Which of the handoffs, as booleans."""
        return self.state == STATES.index(state)


@dataclass(frozen=True)
class Delays:
    """The three delays of handoffs of one version, in the order of `ids`; business time is `calendar`'s."""

    ids: np.ndarray
    calendar: str
    waits: Mapping[str, Waits]


def of(handoffs: HandoffQuerySet, *, now: datetime | None = None) -> Iterator[Delays]:
    """The delays of these handoffs at `now`, by version and in ranges; None is as of the newest fact of each range, for
    a wait does not change by itself."""
    by_version: dict[int, list[int]] = {}
    for handoff_id, version_id in handoffs.order_by("pk").values_list("pk", "version"):
        by_version.setdefault(version_id, []).append(handoff_id)
    closures = closures_by_calendar()
    for version in Version.objects.filter(pk__in=by_version).order_by("pk"):
        ids = by_version[version.pk]
        for begin in range(0, len(ids), RANGE):
            yield _read(version, ids[begin : begin + RANGE], closures, now)


def ids_of(handoffs: HandoffQuerySet, *, delay: str, state: str, now: datetime | None = None) -> list[int]:
    """Which of these handoffs are behind a number: ids of those whose delay is in the state."""
    return [pk for found in of(handoffs, now=now) for pk in found.ids[found.waits[delay].in_state(state)].tolist()]


def _read(version: Version, ids: Sequence[int], closures: Mapping[int, list[date]], now: datetime | None) -> Delays:
    agreed = terms.of(version)
    found = facts.load(ids, agreed, version.agreement_id)
    given, parameters = facts.picked(ids)
    engaged = facts.columns(
        "SELECT h.id, l.engaged_at FROM picked JOIN leads_handoff h ON h.id = picked.id "
        "JOIN leads_lead l ON l.id = h.lead_id",
        parameters,
        _ENGAGED,
        given=given,
    )
    engaged = engaged[np.argsort(engaged["id"])]
    calendars = agreed.business_times(closures)
    waits = measure(agreed, calendars, found, engaged["at"], now or timekeeping.newest(found))
    return Delays(found.handoffs["id"], agreed.calendar, waits)


def measure(
    agreed: Terms, calendars: Mapping[str | None, BusinessTime], found: Facts, engaged: np.ndarray, now: datetime
) -> dict[str, Waits]:
    """Each delay of the handoffs of `found`; `engaged` is each lead's first engagement, NaT where nobody knows it."""
    # What the terms' own promises do not cover, and what RevOps took out of one (N9), says nothing of these.
    handoffs = _with(found.handoffs, in_scope=_EVERYTHING)
    everything = replace(found, handoffs=handoffs, exclusions=NO_EXCLUSIONS)
    # A return was answered before, and speed to lead judges nobody: no rule about sales' promises (N7) leaves one out.
    known = np.where(found.handoffs["first"], engaged, NAT)
    begun_then = _with(handoffs, qualified_at=known, below_definition=False, month_rank=0)
    felt = replace(everything, handoffs=begun_then)
    waits = {
        name: _waits(name, agreed, calendars, everything, now, [None, agreed.calendar]) for name in (SYSTEM, HUMAN)
    }
    return {**waits, FELT: _waits(FELT, agreed, calendars, felt, now, [None])}


def _waits(
    name: str,
    agreed: Terms,
    calendars: Mapping[str | None, BusinessTime],
    found: Facts,
    now: datetime,
    counted_on: Sequence[str | None],
) -> Waits:
    """One delay, counted on every hour first and then on the others of `counted_on`."""
    since = _earliest(found, now)
    promises = tuple(_promise(n, name, key, calendars[key], since, now) for n, key in enumerate(counted_on))
    verdicts = clocks.evaluate(replace(agreed, promises=promises), calendars, found, now)
    # Each has exactly one clock for each handoff, and `row` is its place.
    layers = [verdicts[verdicts["promise"] == promise.index] for promise in promises]
    layers = [layer[np.argsort(layer["row"])] for layer in layers]
    first = layers[0]
    is_over = (first["state"] != clocks.EXCLUDED) & ~np.isnat(first["stopped_at"])
    # Of an engagement that nobody knows, the end of the handoff says nothing either.
    not_started = np.isnat(first["started_at"]) if name == FELT else first["rule"] == _NOT_STARTED
    conditions = [is_over, not_started, first["state"] == clocks.EXCLUDED]
    places = [STATES.index(state) for state in (OVER, NOT_STARTED, EXCLUDED)]
    state = np.select(conditions, places, STATES.index(WAITING))
    spans = [np.where(is_over, layer["elapsed"] / np.timedelta64(1, "s"), np.nan) for layer in layers]
    return Waits(state, first["rule"], spans[0], spans[1] if len(spans) > 1 else None)


def _promise(
    index: int, name: str, calendar: str | None, times: BusinessTime, since: datetime, now: datetime
) -> Promise:
    """A promise with a limit that is longer than anything so far, so that it only measures."""
    kind, start = _MEASURED_AS[name]
    return Promise(
        index=index,
        code=name,
        title=name,
        kind=CATALOGUE[kind],
        calendar=calendar,
        scope=(),
        start=start,
        limit="",
        limit_seconds=int(times.elapsed(since, now) / timedelta(seconds=1)) + 1,
        attempts=None,
        target=None,
        monthly_targets={},
        baseline=None,
        consequence="",
    )


def _earliest(found: Facts, now: datetime) -> datetime:
    """The first moment at which anything of these handoffs can have begun."""
    moments = np.concatenate([found.handoffs["qualified_at"], found.assignments["at"]])
    known = moments[~np.isnat(moments)]
    return min(known.min().astype(datetime).replace(tzinfo=UTC), now) if len(known) else now


def _with(handoffs: np.ndarray, **columns: object) -> np.ndarray:
    """A copy with other values in these columns."""
    changed = handoffs.copy()
    for name, values in columns.items():
        changed[name] = values
    return changed
