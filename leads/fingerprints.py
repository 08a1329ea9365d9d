"""A number for the facts of each handoff, by which one can tell later whether they are still the same. Pure.

What the portal derives from the facts (owner, stage, end, rank in the month) is left out.
"""

import numpy as np

from leads import history
from leads.history import Facts

TABLES = ("assignments", "attempts", "dispositions", "outcomes", "holds", "disputes", "exclusions")
DERIVED = frozenset({"row", "month_rank", "owner", "team", "stage", "ended_at"})
# Assignments name whom they are to; that is a fact of theirs.
GIVEN = frozenset({"row"})


def of(facts: Facts) -> np.ndarray:
    """For each handoff 64 bits of everything that happened to it, in whatever order it was read."""
    found = _mixed(facts.handoffs, DERIVED, salt=0)
    for salt, name in enumerate(TABLES, start=1):
        events = getattr(facts, name)
        np.add.at(found, events["row"], _mixed(events, GIVEN, salt=salt))
    return found


def counts(facts: Facts) -> np.ndarray:
    """For each handoff how many facts of each table there are, in the order of `TABLES`."""
    size = len(facts.handoffs)
    return np.stack([np.bincount(getattr(facts, name)["row"], minlength=size) for name in TABLES], axis=1)


def layout() -> str:
    """Which columns go in. Numbers of another layout, of an earlier or later release, cannot be compared."""
    shapes = (history.HANDOFF, history.ASSIGNMENT, history.ATTEMPT, history.DISPOSITION, history.OUTCOME, history.HOLD,
              history.DISPUTE, history.EXCLUSION)  # fmt: skip
    return " ".join(",".join(shape.names) for shape in shapes)


def _mixed(rows: np.ndarray, without: frozenset[str], *, salt: int) -> np.ndarray:
    """For each row 64 well mixed bits of its columns, by the finalizer of splitmix64."""
    out = np.full(len(rows), salt + 1, "u8")
    for name in rows.dtype.names:
        if name in without:
            continue
        column = rows[name]
        bits = column.astype("i8").astype("u8") if column.dtype.kind != "M" else column.astype("i8").view("u8")
        out = (out ^ bits) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(0x632BE59BD9B4E019)
        out = (out ^ (out >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        out = (out ^ (out >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        out ^= out >> np.uint64(31)
    return out
