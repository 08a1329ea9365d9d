"""Reads what happened to many handoffs into the arrays that `leads.clocks` evaluates. Reads only.

Reading timestamps row by row through Django costs more than everything else together, so PostgreSQL sends each column
as one block of bytes and SQLite's text is parsed by numpy.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from django.conf import settings
from django.db import connection
from django.utils.module_loading import import_string

from agreements.terms import Terms
from leads import history
from leads.models import TWO_WAY, AttemptOutcome, Channel, Direction, Handoff, Outcome, Verdict
from leads.periods import parse
from slaportal.models import Party

# Besides what the rules read, what the handoff's own row shows: its owner and how far it came.
ASSIGNMENT = np.dtype([*history.ASSIGNMENT.descr, ("owner", "i8"), ("team", "i8")])
OUTCOME = np.dtype([*history.OUTCOME.descr, ("kind", "i8")])
HANDOFF = np.dtype([*history.HANDOFF.descr, ("owner", "i8"), ("team", "i8"), ("stage", "i8"), ("ended_at", "M8[us]")])

OUTCOME_KINDS = tuple(Outcome.Kind.values)
POSTGRES_EPOCH = np.datetime64("2000-01-01", "us").astype("i8")
MINUS_INFINITY = np.iinfo("i8").min
# The facts of so many handoffs are read in one go.
FEW = 100


def is_postgresql() -> bool:
    """Whether the bulk paths of PostgreSQL can be used."""
    return connection.vendor == "postgresql"


def picked(ids: Sequence[int]) -> tuple[str, list[object]]:
    """SQL of a one-column table `picked(id)` that holds `ids`, with its parameters."""
    numbers = json.dumps([int(number) for number in ids])
    if is_postgresql():
        # An array as PostgreSQL writes it: psycopg looks for quotes in each number of a list.
        return "picked(id) AS (SELECT unnest(%s::bigint[]))", [f"{{{numbers[1:-1]}}}"]
    return "picked(id) AS (SELECT value FROM json_each(%s))", [numbers]


def columns(sql: str, parameters: Sequence[object], dtype: np.dtype, *, given: str = "") -> np.ndarray:
    """The rows of a SELECT as a structured array: its columns are the fields of `dtype`, in order. NULL is NaT or 0.

    `given` holds common table expressions that the SELECT uses.
    """
    given = f"WITH {given} " if given else ""
    with connection.cursor() as cursor:
        if not is_postgresql():
            cursor.execute(given + sql, parameters)
            rows = cursor.fetchall()
            out = np.empty(len(rows), dtype)
            for name, values in zip(dtype.names, zip(*rows, strict=True) if rows else (), strict=bool(rows)):
                empty = None if dtype[name].kind == "M" else 0
                out[name] = np.array([empty if value is None else value for value in values], dtype[name])
            return out
        cursor.execute(given + _in_one_row(sql, dtype), parameters)
        count, *blocks = cursor.fetchone()
    return _rows(count, blocks, dtype)


def several(
    asked: Mapping[str, tuple[str, np.dtype]], parameters: Sequence[object], *, given: str
) -> dict[str, np.ndarray]:
    """The rows of several SELECTs over the same `given`, each as `columns` has them.

    PostgreSQL answers them in one go, which spares a click most of what it waits for. It is for few rows: of many each
    SELECT is better planned alone.
    """
    if not is_postgresql():
        return {name: columns(sql, parameters, dtype, given=given) for name, (sql, dtype) in asked.items()}
    width = max(len(dtype.names) for _sql, dtype in asked.values())
    parts = [
        _in_one_row(sql, dtype, f"{place}, ", ", NULL::bytea" * (width - len(dtype.names)))
        for place, (sql, dtype) in enumerate(asked.values())
    ]
    with connection.cursor() as cursor:
        cursor.execute(f"WITH {given} " + " UNION ALL ".join(parts), parameters)
        answers = {place: answer for place, *answer in cursor.fetchall()}
    return {
        name: _rows(answers[place][0], answers[place][1 : 1 + len(dtype.names)], dtype)
        for place, (name, (_sql, dtype)) in enumerate(asked.items())
    }


def _in_one_row(sql: str, dtype: np.dtype, before: str = "", after: str = "") -> str:
    """SQL of PostgreSQL that has one row for all of a SELECT: how many there are, and each column as one block."""
    names = [f"c{index}" for index in range(len(dtype.names))]
    sent = ", ".join(_sent(name, dtype[index]) for index, name in enumerate(names))
    return f"SELECT {before}count(*), {sent}{after} FROM ({sql}) AS q({', '.join(names)})"


def _rows(count: int, blocks: Sequence[bytes | None], dtype: np.dtype) -> np.ndarray:
    out = np.empty(count, dtype)
    for name, block in zip(dtype.names, blocks, strict=True):
        out[name] = _received(block or b"", dtype[name])
    return out


def _sent(name: str, dtype: np.dtype) -> str:
    match dtype.kind:
        case "M":
            return f"string_agg(timestamptz_send(coalesce({name}, '-infinity')), '')"
        case "b":
            return f"string_agg(boolsend(coalesce({name}, false)), '')"
    return f"string_agg(int8send(coalesce({name}, 0)::bigint), '')"


def _received(block: bytes, dtype: np.dtype) -> np.ndarray:
    if dtype.kind == "b":
        return np.frombuffer(block, "?")
    numbers = np.frombuffer(block, ">i8").astype("i8")
    if dtype.kind != "M":
        return numbers
    missing = numbers == MINUS_INFINITY
    times = (np.where(missing, 0, numbers) + POSTGRES_EPOCH).astype("M8[us]")
    times[missing] = history.NAT
    return times


def load(
    ids: Sequence[int],
    terms: Terms,
    agreement_id: int,
    *,
    promises: Mapping[int, int] | None = None,
    steps: Mapping[int, tuple[int, int]] | None = None,
) -> history.Facts:
    """The facts of handoffs of one version, `handoffs` in the order of their ids.

    `promises` gives each commitment of the version, by its id, its index in the terms; `steps` says of each step, by
    its id, of which promise it is and which of its steps.
    """
    given, parameters = _begun(ids)
    asked = dict(ASKED)
    if promises:
        asked["exclusions"] = EXCLUSIONS
    if steps:
        asked["escalations"] = ESCALATIONS
    if len(ids) <= FEW:
        found = several(asked, parameters, given=given)
    else:
        found = {name: columns(sql, parameters, dtype, given=given) for name, (sql, dtype) in asked.items()}
    handoffs = found.pop("handoffs")
    handoffs.sort(order="id")
    if terms.monthly_cap is not None and len(handoffs):
        handoffs["month_rank"] = month_ranks(handoffs, agreement_id, ZoneInfo(terms.time_zone))
    for name, rows in found.items():
        rows["row"] = np.searchsorted(handoffs["id"], rows["row"])
        if name in EVENTS:
            found[name] = rows[np.lexsort((rows["id"], rows["at"], rows["row"]))]
    if promises:
        of_promise = found["exclusions"]["promise"]
        of_promise[:] = [promises[number] for number in of_promise.tolist()]
    if steps:
        seen = found["escalations"]
        places = np.array([steps[number] for number in seen["promise"].tolist()], "i8").reshape(-1, 2)
        seen["promise"], seen["step"] = places[:, 0], places[:, 1]
    return history.Facts(handoffs=handoffs, **found)


TRY = np.dtype([*history.ATTEMPT.descr, ("outcome", "i8")])
OUTCOMES = tuple(AttemptOutcome.values)


def tries(ids: Sequence[int]) -> np.ndarray:
    """The attempts that count as tries at contact (rule A3), by handoff (`row` is its id) and in order; `outcome` is
    its place among `OUTCOMES`.
    """
    given, parameters = _begun(ids)
    sql = _attempts("f.entered_at", f", {_coded('f.outcome', OUTCOMES)}")
    found = columns(sql, parameters, TRY, given=given)
    found = found[found["outbound"]]
    return found[np.lexsort((found["id"], found["at"], found["row"]))]


def _begun(ids: Sequence[int]) -> tuple[str, list[object]]:
    """Besides `picked(id)`, what attempts are held against: `begun` has each handoff's beginning, lead and person."""
    given, parameters = picked(ids)
    return (
        f"{given}, begun AS (SELECT h.id, h.lead_id, h.qualified_at, l.contact_id, l.email FROM picked "
        "JOIN leads_handoff h ON h.id = picked.id JOIN leads_lead l ON l.id = h.lead_id)",
        parameters,
    )


def _attempts(entered: str, more: str = "") -> str:
    """Attempts that name the lead, and those that name only its person, once the handoff had begun (rule A3)."""
    human = f"NOT f.automated AND f.channel <> '{Channel.NOTE}'"
    two_way = ", ".join(f"'{outcome}'" for outcome in TWO_WAY)
    select = (
        f"SELECT b.id, f.at, f.id, {entered}, {human} AND f.direction = '{Direction.OUTBOUND}', "
        f"{human} AND f.outcome IN ({two_way}){more} FROM begun b JOIN leads_attempt f ON"
    )
    begun = "WHERE f.voided_at IS NULL AND f.at >= b.qualified_at"
    return " UNION ALL ".join(
        (
            f"{select} f.lead_id = b.lead_id {begun}",
            f"{select} f.lead_id IS NULL AND NOT (f.contact_id = '') AND f.contact_id = b.contact_id {begun}",
            f"{select} f.lead_id IS NULL AND NOT (f.email = '') AND f.email = b.email {begun} "
            "AND NOT (f.contact_id <> '' AND f.contact_id = b.contact_id)",
        )
    )


def _coded(column: str, values: Sequence[str]) -> str:
    """SQL that turns one of our own words into its index."""
    cases = " ".join(f"WHEN '{value}' THEN {index}" for index, value in enumerate(values))
    return f"CASE {column} {cases} END"


_HUMANS_ENTRY = "CASE WHEN f.from_system THEN NULL ELSE f.entered_at END"
# What `load` reads, as SELECTs of the fields of an array. All but handoffs have a handoff's id where its row is put.
ASKED = {
    "handoffs": (
        "SELECT h.id, h.qualified_at, h.number = 1, h.below_definition, h.is_complete, h.in_scope, 1, h.known_at, "
        f"h.owner_id, h.team_id, {_coded('h.stage', Handoff.Stage.values)}, h.ended_at "
        "FROM picked JOIN leads_handoff h ON h.id = picked.id",
        HANDOFF,
    ),
    "assignments": (
        "SELECT f.handoff_id, f.at, f.id, f.owner_id IS NOT NULL, f.owner_id, f.team_id "
        "FROM picked JOIN leads_assignment f ON f.handoff_id = picked.id",
        ASSIGNMENT,
    ),
    "attempts": (_attempts(_HUMANS_ENTRY), history.ATTEMPT),
    "dispositions": (
        f"SELECT f.handoff_id, f.at, f.id, {_HUMANS_ENTRY}, {_coded('f.verdict', Verdict.values)}, "
        "f.reason_id IS NOT NULL, r.is_quality, r.needs_contact, r.needs_attempts, r.undelivered "
        "FROM picked JOIN leads_disposition f ON f.handoff_id = picked.id "
        "LEFT JOIN leads_reasoncode r ON r.id = f.reason_id WHERE f.voided_at IS NULL",
        history.DISPOSITION,
    ),
    "outcomes": (
        f"SELECT f.handoff_id, f.at, f.id, {_HUMANS_ENTRY}, {_coded('f.kind', OUTCOME_KINDS)} "
        "FROM picked JOIN leads_outcome f ON f.handoff_id = picked.id WHERE f.voided_at IS NULL",
        OUTCOME,
    ),
    "holds": (
        "SELECT f.handoff_id, f.started_at, f.id, f.ended_at FROM picked JOIN leads_hold f ON f.handoff_id = picked.id",
        history.HOLD,
    ),
    "disputes": (
        f"SELECT f.handoff_id, f.opened_at, f.id, f.answered_at, f.upheld, f.party = '{Party.SALES}' "
        "FROM picked JOIN leads_dispute f ON f.handoff_id = picked.id",
        history.DISPUTE,
    ),
}
# These are in the order of their handoff, their time and their id.
EVENTS = tuple(name for name in ASKED if name != "handoffs")
# What RevOps took out of a promise. It has a commitment's id where the promise's index is put.
EXCLUSIONS = (
    "SELECT f.handoff_id, f.decided_at, f.commitment_id "
    "FROM picked JOIN leads_exclusionrequest f ON f.handoff_id = picked.id WHERE f.granted",
    history.EXCLUSION,
)
# Steps of ladders that were looked at. It has a step's id where its promise and place are put.
ESCALATIONS = (
    "SELECT f.handoff_id, f.step_id, f.subject, 0 FROM picked JOIN leads_escalation f ON f.handoff_id = picked.id",
    history.ESCALATION,
)


def month_ranks(handoffs: np.ndarray, agreement_id: int, zone: ZoneInfo) -> np.ndarray:
    """Each handoff's place in its local month by (`qualified_at`, id), 1 for the first (rule N7).

    Once a month is sealed its places are taken: what came to the portal later stands behind them.
    """
    months = month_starts(handoffs["qualified_at"].min(), handoffs["qualified_at"].max(), zone)
    adapt = connection.ops.adapt_datetimefield_value
    first, end = (adapt(month.astype(datetime).replace(tzinfo=UTC)) for month in (months[0], months[-1]))
    everyone = columns(
        "SELECT id, qualified_at, known_at FROM leads_handoff "
        "WHERE agreement_id = %s AND qualified_at >= %s AND qualified_at < %s",
        [agreement_id, first, end],
        np.dtype([("id", "i8"), ("qualified_at", "M8[us]"), ("known_at", "M8[us]")]),
    )
    month = np.searchsorted(months, everyone["qualified_at"], side="right") - 1
    is_late = everyone["known_at"] > _sealed(agreement_id, months, zone)[month]
    order = np.lexsort((everyone["id"], everyone["qualified_at"], is_late, month))
    everyone, month = everyone[order], month[order]
    rank = np.arange(len(everyone)) - np.searchsorted(month, month) + 1
    by_id = np.argsort(everyone["id"])
    return rank[by_id[np.searchsorted(everyone["id"], handoffs["id"], sorter=by_id)]]


def _sealed(agreement_id: int, months: np.ndarray, zone: ZoneInfo) -> np.ndarray:
    """With what was known by which moment each of these months was sealed; NaT for those that are not."""
    found = np.full(len(months), history.NAT)
    for key, known_at in import_string(settings.MONTHS_SEALED)(agreement_id):
        start = np.datetime64(parse(key).start(zone).replace(tzinfo=None), "us")
        found[months == start] = known_at.astimezone(UTC).replace(tzinfo=None)
    return found


def month_starts(first: np.datetime64, last: np.datetime64, zone: ZoneInfo) -> np.ndarray:
    """The first moments of the local months from `first`'s to the one after `last`'s."""
    begin = first.astype(datetime).replace(tzinfo=UTC).astimezone(zone)
    end = last.astype(datetime).replace(tzinfo=UTC).astimezone(zone)
    starts, month = [], datetime(begin.year, begin.month, 1, tzinfo=zone)
    while not starts or starts[-1] <= end:
        starts.append(month)
        following = month.replace(day=28) + timedelta(days=4)
        month = following.replace(day=1)
    return np.array([start.astimezone(UTC).replace(tzinfo=None) for start in starts], "M8[us]")
