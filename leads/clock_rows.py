"""The stored clocks: makes the table what an evaluation says, few rows or millions."""

from collections.abc import Sequence
from datetime import UTC
from itertools import chain

import numpy as np
from django.db import connection

from leads import facts
from leads.rules import RULE_NAMES

# From so many verdicts on, PostgreSQL takes them through COPY.
COPY_FROM = 500

STORED = np.dtype(
    [
        ("handoff_id", "i8"),
        ("commitment_id", "i8"),
        ("subject", "i8"),
        ("state", "i8"),
        ("rule", "i8"),
        ("decides", "?"),
        ("started_at", "M8[us]"),
        ("due_at", "M8[us]"),
        ("look_at", "M8[us]"),
        ("stopped_at", "M8[us]"),
        ("elapsed_seconds", "f8"),
        ("charged_to_id", "i8"),
        ("next_step_at", "M8[us]"),
        ("next_step", "i8"),
    ]
)
CLOCK_COLUMNS = STORED.names
KEY = CLOCK_COLUMNS[:3]
VALUES = CLOCK_COLUMNS[3:]
MOMENTS = tuple(name for name in CLOCK_COLUMNS if STORED[name].kind == "M")


def write(handoff_ids: np.ndarray, commitment_ids: Sequence[int], verdicts: np.ndarray) -> np.ndarray:
    """Make the stored clocks of these handoffs what `verdicts` says: insert, update what differs, delete the rest.

    Returns the ids of the handoffs of which a clock changed, perhaps with others, but none where no clock did.
    """
    table = table_of(handoff_ids, commitment_ids, verdicts)
    lost = _delete_stale(handoff_ids, table)
    if facts.is_postgresql() and len(table) >= COPY_FROM:
        changed = _copy_clocks(handoff_ids, table)
    elif len(table):
        changed = _upsert_clocks(table)
    else:
        changed = table["handoff_id"]
    return np.union1d(lost, changed)


def table_of(handoff_ids: np.ndarray, commitment_ids: Sequence[int], verdicts: np.ndarray) -> np.ndarray:
    """Verdicts with the ids of their rows in the database; elapsed in seconds, NaN where there is none."""
    out = np.empty(len(verdicts), STORED)
    out["handoff_id"] = handoff_ids[verdicts["row"]]
    out["commitment_id"] = np.asarray(commitment_ids, "i8")[verdicts["promise"]]
    for name in ("subject", "state", "rule", "decides", "next_step", *MOMENTS):
        out[name] = verdicts[name]
    micro = verdicts["elapsed"]
    out["elapsed_seconds"] = np.where(np.isnat(micro), np.nan, micro.astype("i8") / 1e6)
    out["charged_to_id"] = verdicts["charged_to"]
    return out


def _delete_stale(handoff_ids: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Delete clocks that the evaluation no longer has, such as the one that waited for a first owner; of whom."""
    given, parameters = facts.picked(handoff_ids)
    stored = facts.columns(
        "SELECT c.id, c.handoff_id, c.commitment_id, c.subject "
        "FROM picked JOIN leads_clock c ON c.handoff_id = picked.id",
        parameters,
        np.dtype([("id", "i8"), *STORED.descr[:3]]),
        given=given,
    )
    if not len(stored):
        return stored["handoff_id"]
    keys = [np.concatenate([table[name], stored[name]]) for name in KEY]
    order = np.lexsort(keys)
    # The sort is stable, so a stored key that the evaluation has as well comes right after its like.
    alone = np.r_[True, np.any([np.diff(key[order]) != 0 for key in keys], axis=0)]
    stale = stored[order[alone & (order >= len(table))] - len(table)]
    if len(stale):
        given, parameters = facts.picked(stale["id"])
        with connection.cursor() as cursor:
            cursor.execute(f"WITH {given} DELETE FROM leads_clock WHERE id IN (SELECT id FROM picked)", parameters)
    return stale["handoff_id"]


def _upsert(source: str) -> str:
    """INSERT … ON CONFLICT that touches only rows that differ."""
    names = ", ".join(CLOCK_COLUMNS)
    sets = ", ".join(f"{name} = excluded.{name}" for name in VALUES)
    different = "IS DISTINCT FROM" if facts.is_postgresql() else "IS NOT"
    changed = " OR ".join(f"leads_clock.{name} {different} excluded.{name}" for name in VALUES)
    return (
        f"INSERT INTO leads_clock ({names}) {source} "
        f"ON CONFLICT ({', '.join(KEY)}) DO UPDATE SET {sets} WHERE {changed}"
    )


def _upsert_clocks(table: np.ndarray) -> np.ndarray:
    values = [column.tolist() for column in (table[name] for name in CLOCK_COLUMNS)]
    by_name = dict(zip(CLOCK_COLUMNS, values, strict=True))
    adapt = connection.ops.adapt_datetimefield_value
    by_name["rule"] = [RULE_NAMES[index] for index in by_name["rule"]]
    for name in MOMENTS:
        adapted = {moment: moment and adapt(moment.replace(tzinfo=UTC)) for moment in set(by_name[name])}
        by_name[name] = [adapted[moment] for moment in by_name[name]]
    by_name["elapsed_seconds"] = [None if seconds != seconds else seconds for seconds in by_name["elapsed_seconds"]]
    by_name["charged_to_id"] = [number or None for number in by_name["charged_to_id"]]
    by_name["next_step"] = [None if number < 0 else number for number in by_name["next_step"]]
    rows = list(zip(*by_name.values(), strict=True))
    row = f"({', '.join(['%s'] * len(CLOCK_COLUMNS))})"
    differing = 0
    with connection.cursor() as cursor:
        # Few statements: PostgreSQL plans each anew, and SQLite keeps a journal of its own for each.
        for begin in range(0, len(rows), COPY_FROM):
            some = rows[begin : begin + COPY_FROM]
            cursor.execute(_upsert(f"VALUES {', '.join([row] * len(some))}"), list(chain.from_iterable(some)))
            differing += cursor.rowcount
    # How many rows differed is known, but not which.
    return table["handoff_id"] if differing else table["handoff_id"][:0]


# COPY's binary format: a header, then per row the number of fields and per field its length and bytes.
COPY_HEADER = b"PGCOPY\n\xff\r\n\0" + b"\0" * 8
COPY_TYPES = {"i": (">i8", 8, "bigint"), "b": ("?", 1, "boolean"), "M": (">i8", 8, "timestamptz"),
              "f": (">f8", 8, "double precision")}  # fmt: skip


def binary_rows(table: np.ndarray) -> bytes:
    """A structured array in PostgreSQL's binary COPY format; NaT is sent as `-infinity`."""
    layout = [("fields", ">i2")]
    for name in table.dtype.names:
        code = COPY_TYPES[table.dtype[name].kind][0]
        layout += [(f"{name}_length", ">i4"), (name, code)]
    out = np.empty(len(table), np.dtype(layout))
    out["fields"] = len(table.dtype.names)
    for name in table.dtype.names:
        column = table[name]
        out[f"{name}_length"] = COPY_TYPES[column.dtype.kind][1]
        if column.dtype.kind == "M":
            missing = np.isnat(column)
            column = np.where(missing, facts.MINUS_INFINITY, column.astype("i8") - facts.POSTGRES_EPOCH)
        out[name] = column
    return COPY_HEADER + out.tobytes() + b"\xff\xff"


def _copy_clocks(handoff_ids: np.ndarray, table: np.ndarray) -> np.ndarray:
    """The PostgreSQL way for many: COPY to a temporary table, then one statement into the clocks."""
    types = ", ".join(f"{name} {COPY_TYPES[table.dtype[name].kind][2]}" for name in CLOCK_COLUMNS)
    read = {name: f"nullif({name}, '-infinity')" for name in MOMENTS}
    read |= {"rule": "(%s::text[])[rule + 1]", "elapsed_seconds": "nullif(elapsed_seconds, 'NaN')"}
    read |= {
        "charged_to_id": "nullif(charged_to_id, 0)",
        "state": "state::smallint",
        "next_step": "nullif(next_step, -1)",
    }
    selected = ", ".join(read.get(name, name) for name in CLOCK_COLUMNS)
    given, parameters = facts.picked(handoff_ids)
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMPORARY TABLE evaluated ({types}) ON COMMIT DROP")
        with cursor.copy(f"COPY evaluated ({', '.join(CLOCK_COLUMNS)}) FROM STDIN (FORMAT binary)") as copy:
            copy.write(binary_rows(table))
        cursor.execute("ANALYZE evaluated")
        cursor.execute(
            f"WITH {given} SELECT EXISTS (SELECT FROM leads_clock c JOIN picked ON picked.id = c.handoff_id)",
            parameters,
        )
        source = f"SELECT {selected} FROM evaluated"
        if cursor.fetchone()[0]:
            differing = f"WITH differing AS ({_upsert(source)} RETURNING handoff_id) SELECT DISTINCT * FROM differing"
            cursor.execute(differing, [list(RULE_NAMES)])
            changed = np.array([number for (number,) in cursor.fetchall()], "i8")
        else:
            names = ", ".join(CLOCK_COLUMNS)
            cursor.execute(f"INSERT INTO leads_clock ({names}) {source}", [list(RULE_NAMES)])
            changed = table["handoff_id"]
        cursor.execute("DROP TABLE evaluated")
    return changed
