"""What happened to handoffs, as arrays, and the questions that several commitments ask of them. Pure.

Shapes: a handoff is a row of `Facts.handoffs`; every other fact names that row's index in `row` and is sorted by
(`row`, `at`, `id`). Times are UTC `datetime64[us]`; a missing one is NaT.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from agreements.business_time import BusinessTime
from agreements.terms import Terms

# Verdicts of a disposition.
ACCEPTED, RECYCLED, REJECTED = range(3)

NAT = np.datetime64("NaT", "us")

HANDOFF = np.dtype(
    [
        ("id", "i8"),
        ("qualified_at", "M8[us]"),
        ("first", "?"),  # the lead's first handoff, no recycled return
        ("below_definition", "?"),
        ("complete", "?"),
        ("in_scope", "i8"),  # bit n: in the scope of the nth commitment
        ("month_rank", "i8"),  # 1 for the first of its local month (rule N7)
        ("known_at", "M8[us]"),  # of history, what came due before escalates nothing (rule L4)
    ]
)
ASSIGNMENT = np.dtype([("row", "i8"), ("at", "M8[us]"), ("id", "i8"), ("owned", "?")])  # else it waits in a queue
ATTEMPT = np.dtype(
    [
        ("row", "i8"),
        ("at", "M8[us]"),
        ("id", "i8"),
        ("entered_at", "M8[us]"),  # NaT from a system of record, which always counts (rule A4)
        ("outbound", "?"),  # outbound, by a person, answered or not
        ("touch", "?"),  # two-way, by a person, in either direction
    ]
)
DISPOSITION = np.dtype(
    [
        ("row", "i8"),
        ("at", "M8[us]"),
        ("id", "i8"),
        ("entered_at", "M8[us]"),
        ("verdict", "i8"),
        ("has_reason", "?"),
        ("quality", "?"),
        ("needs_contact", "?"),
        ("needs_attempts", "i8"),
        ("undelivered", "?"),
    ]
)
OUTCOME = np.dtype([("row", "i8"), ("at", "M8[us]"), ("id", "i8"), ("entered_at", "M8[us]")])
HOLD = np.dtype([("row", "i8"), ("at", "M8[us]"), ("id", "i8"), ("ended_at", "M8[us]")])
DISPUTE = np.dtype(
    [
        ("row", "i8"),
        ("at", "M8[us]"),
        ("id", "i8"),
        ("answered_at", "M8[us]"),
        ("upheld", "?"),
        ("asks", "?"),  # sales asks marketing; else marketing disputes a decision (rule N10)
    ]
)
# A handoff that RevOps takes out of a promise (rule N9).
EXCLUSION = np.dtype([("row", "i8"), ("at", "M8[us]"), ("promise", "i8")])
NO_EXCLUSIONS = np.empty(0, EXCLUSION)
# A step of a ladder that was looked at: of which promise and clock, and its place among the promise's steps.
ESCALATION = np.dtype([("row", "i8"), ("promise", "i8"), ("subject", "i8"), ("step", "i8")])
NO_ESCALATIONS = np.empty(0, ESCALATION)


@dataclass(frozen=True)
class Facts:
    """What happened to handoffs of one version. See the module's words on shapes."""

    handoffs: np.ndarray
    assignments: np.ndarray
    attempts: np.ndarray
    dispositions: np.ndarray
    outcomes: np.ndarray
    holds: np.ndarray
    disputes: np.ndarray
    escalations: np.ndarray = field(default_factory=lambda: NO_ESCALATIONS)
    exclusions: np.ndarray = field(default_factory=lambda: NO_EXCLUSIONS)


class History:
    """The facts known at `now`, with what several kinds ask of them."""

    def __init__(self, terms: Terms, calendars: Mapping[str | None, BusinessTime], facts: Facts, now: np.datetime64):
        self.terms, self.calendars, self.now = terms, calendars, now
        self.handoffs, self.size = facts.handoffs, len(facts.handoffs)
        self.rows = np.arange(self.size)
        self.assignments = known(facts.assignments, now)
        self.owned = self.assignments[self.assignments["owned"]]
        self.escalations = facts.escalations
        self.attempts = self._timely(known(facts.attempts, now))
        self.dispositions = known(facts.dispositions, now)
        self.outcomes = known(facts.outcomes, now)
        self.holds = merged(known(facts.holds, now), now)
        self.disputes = known(facts.disputes, now)
        self.exclusions = known(facts.exclusions, now)
        # Late entries are evidence but stop no clock (rule A4).
        self.timely_dispositions = self._timely(self.dispositions)
        self.timely_outcomes = self._timely(self.outcomes)

        self.accepted_at = first(self.dispositions[self.dispositions["verdict"] == ACCEPTED], self.size)
        self.latest = last_index(self.dispositions, self.size)
        self.has_outcome = np.zeros(self.size, bool)
        after = self.outcomes["at"] >= self.accepted_at[self.outcomes["row"]]
        self.has_outcome[self.outcomes["row"][after]] = True
        self._find_end()

    def _timely(self, events: np.ndarray) -> np.ndarray:
        """Events entered by a system, or by a person within the grace (rule A4)."""
        late = events["entered_at"] > events["at"]
        if late.any():
            taken = self.calendars[self.terms.calendar].elapsed_many(events["at"][late], events["entered_at"][late])
            late[late] = taken > np.timedelta64(self.terms.entry_grace_seconds, "s")
        return events[~late] if late.any() else events

    def _find_end(self) -> None:
        """Where each handoff ended (rule C7), and where it ended for a reason that needs no contact.

        An end that was entered too late (A4) excludes nothing that ran before it was entered.
        """
        final = self.dispositions[self.dispositions["verdict"] != ACCEPTED]
        outcomes = self.outcomes[self.outcomes["at"] >= self.accepted_at[self.outcomes["row"]]]
        back = first_index(final, self.size)
        returned_at = take(final["at"], back)
        self.ended_at = np.fmin(returned_at, first(outcomes, self.size))
        self.final, self.given_back = final, back
        without_contact = (back >= 0) & take(final["has_reason"] & ~final["needs_contact"], back, False)
        without_contact &= returned_at == self.ended_at
        entered = np.fmax(returned_at, take(final["entered_at"], back))
        timely = np.isin(take(final["id"], back, 0), self.timely_dispositions["id"])
        excused_at = np.where(timely, returned_at, entered)
        self.excused_at = np.where(without_contact & (excused_at <= self.now), excused_at, NAT)

    def owner_at(self, rows: np.ndarray, moments: np.ndarray) -> np.ndarray:
        """Id of the assignment in effect for `rows` (no row twice) at `moments`; 0 for none (rule N4)."""
        at = np.full(self.size, NAT)
        at[rows] = moments
        index = last_index(self.assignments, self.size, self.assignments["at"] <= at[self.assignments["row"]])
        return take(self.assignments["id"], index, 0)[rows]


# --- Arrays of events --------------------------------------------------------------------------------------------


def known(events: np.ndarray, now: np.datetime64) -> np.ndarray:
    """Events that have happened by `now`."""
    happened = events["at"] <= now
    return events if happened.all() else events[happened]


def take(column: np.ndarray, index: np.ndarray, default: object = NAT) -> np.ndarray:
    """`column[index]`, with the default where the index is -1."""
    if not len(column):
        return np.full(len(index), default, column.dtype)
    return np.where(index >= 0, column[index], np.array(default, column.dtype))


def ordinals(rows: np.ndarray) -> np.ndarray:
    """0 for the first event of each row, 1 for the second, and so on; `rows` is sorted."""
    if not len(rows):
        return np.empty(0, int)
    begins = np.r_[True, rows[1:] != rows[:-1]]
    position = np.arange(len(rows))
    return position - np.maximum.accumulate(np.where(begins, position, 0))


def first_index(events: np.ndarray, size: int, keep: np.ndarray | None = None, count: int = 1) -> np.ndarray:
    """Per row the index of its `count`th event among those kept, or -1."""
    index = np.arange(len(events)) if keep is None else np.flatnonzero(keep)
    found = np.full(size, -1)
    rows = events["row"][index]
    chosen = index[ordinals(rows) == count - 1]
    found[events["row"][chosen]] = chosen
    return found


def first(events: np.ndarray, size: int, keep: np.ndarray | None = None, count: int = 1) -> np.ndarray:
    """Per row the time of its `count`th event among those kept, or NaT."""
    return take(events["at"], first_index(events, size, keep, count))


def last_index(events: np.ndarray, size: int, keep: np.ndarray | None = None) -> np.ndarray:
    """Per row the index of its last event among those kept, or -1."""
    index = np.arange(len(events)) if keep is None else np.flatnonzero(keep)
    found = np.full(size, -1)
    # Of repeated indices numpy keeps the last assignment, which is the latest event.
    found[events["row"][index]] = index
    return found


def merged(holds: np.ndarray, now: np.datetime64) -> np.ndarray:
    """Overlapping holds of a handoff as one (rule C5); one that has not ended by `now` is open."""
    merged: list[tuple] = []
    forever = np.datetime64(2**62, "us")
    for hold in holds:
        end = hold["ended_at"]
        end = forever if np.isnat(end) or end > now else end
        if merged and merged[-1][0] == hold["row"] and hold["at"] <= merged[-1][3]:
            row, at, first_id, last = merged[-1]
            merged[-1] = (row, at, first_id, max(last, end))
        else:
            merged.append((hold["row"], hold["at"], hold["id"], end))
    out = np.array(merged, HOLD) if merged else np.empty(0, HOLD)
    out["ended_at"][out["ended_at"] == forever] = NAT
    return out
