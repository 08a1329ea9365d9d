"""Counts the clocks of local days by commitment and by value of each dimension (rules N1, N2, N4, N5). Reads only.

What tallies are made of, and what a scorecard reads of days that have none: one count for both. Clocks come as blocks
of numbers and are counted by numpy, which takes less time than the database needs to group them itself.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from django.db import connection

from agreements import terms
from agreements.models import Agreement, local_midnight
from leads import facts
from leads.models import Clock
from leads.rules import RULE_NAMES
from reports import histogram

# What clocks are counted by. Source, campaign and segment are the handoff's copies; team and rep those of the
# assignment that the clock is charged to (N4); the hour is that of arrival in the agreement's zone. The weekday
# follows from the day.
TEXTS = ("source", "campaign", "segment")
CHARGED = ("team", "rep")
DIMENSIONS = (*TEXTS, *CHARGED, "hour")

STATES = ("missed", "open", "met", "excluded")  # in the order of Clock.State
# Instead of a clock's microseconds: it has not stopped; it is excluded, or nobody knows how long it took (N5).
UNSTOPPED, UNCOUNTED = -1, -2

_HANDOFF = np.dtype([("id", "i8"), ("at", "M8[us]")])
_CLOCK = np.dtype([(name, "i8") for name in ("handoff", "commitment", "state", "decides", "charged", "rule", "micro")])
_CHARGE = np.dtype([("id", "i8"), ("rep", "i8"), ("team", "i8")])
_DAY = timedelta(days=1)


@dataclass
class Total:
    """One commitment on one day: handoffs by state, the excluded ones by rule, and how long clocks took."""

    states: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    excluded_by: Counter[str] = field(default_factory=Counter)
    unstopped: int = 0
    spread: dict[int, int] = field(default_factory=dict)  # stopped, not excluded clocks by bucket of their time
    spans: list[float] = field(default_factory=list)  # the same in seconds


@dataclass
class Groups:
    """Handoffs by state for each commitment, day and value of one dimension: arrays of one length."""

    dimension: str
    commitments: np.ndarray
    days: np.ndarray  # as ordinals
    values: np.ndarray  # text, "" where there is none
    states: np.ndarray  # a row of four numbers for each


@dataclass
class Counted:
    """What the clocks of some local days add up to."""

    totals: dict[tuple[int, date], Total] = field(default_factory=dict)
    groups: list[Groups] = field(default_factory=list)


def limits(agreement: Agreement) -> dict[int, int | None]:
    """The limit of every commitment of the agreement in seconds, None where it has none."""
    found = {}
    for version in agreement.versions.agreed().prefetch_related("commitments"):
        seconds = {promise.code: promise.limit_seconds for promise in terms.of(version).promises}
        found |= {commitment.pk: seconds[commitment.code] for commitment in version.commitments.all()}
    return found


def count(
    agreement: Agreement, days: Iterable[date], *, dimensions: Sequence[str] = DIMENSIONS, spans: bool = False
) -> Counted:
    """Count the clocks of the handoffs that began on these local days; `spans` keeps how long each clock took."""
    counted, around = Counted(), limits(agreement)
    for first, last in runs(days):
        _count_run(counted, agreement, first, last, around, dimensions, spans)
    return counted


def runs(days: Iterable[date]) -> Iterator[tuple[date, date]]:
    """Days as runs of days that follow each other, both ends included."""
    first = last = None
    for day in sorted(set(days)):
        if last is None or day != last + _DAY:
            if last is not None:
                yield first, last
            first = day
        last = day
    if last is not None:
        yield first, last


def _count_run(
    counted: Counted,
    agreement: Agreement,
    first: date,
    last: date,
    around: Mapping[int, int | None],
    dimensions: Sequence[str],
    spans: bool,
) -> None:
    days = [first + _DAY * n for n in range((last - first).days + 1)]
    edges = [local_midnight(day, agreement.zone) for day in [*days, last + _DAY]]
    handoffs, clocks = _read(agreement, edges[0], edges[-1])
    if not len(clocks):
        return
    starts = np.array([edge.replace(tzinfo=None) for edge in edges], "M8[us]")
    day_of = np.searchsorted(starts, handoffs["at"], side="right") - 1
    row = np.searchsorted(handoffs["id"], clocks["handoff"])
    commitments, commitment = np.unique(clocks["commitment"], return_inverse=True)
    cell = commitment * len(days) + day_of[row]

    def place(key: int) -> tuple[int, date]:
        return int(commitments[key // len(days)]), days[key % len(days)]

    decides = clocks["decides"] == 1
    state = clocks["state"]
    for key, at, number in _counts(cell[decides], state[decides]):
        counted.totals.setdefault(place(key), Total()).states[at] += number
    rules = [*RULE_NAMES, *_strange_rules(agreement, edges[0], edges[-1], clocks)]
    is_out = decides & (state == Clock.State.EXCLUDED)
    for key, rule, number in _counts(cell[is_out], clocks["rule"][is_out]):
        counted.totals[place(key)].excluded_by[rules[rule]] += number
    _add_times(counted, clocks["micro"], cell, place, around, spans)

    chosen, cells, states = row[decides], cell[decides], state[decides]
    values: dict[str, tuple[np.ndarray, Sequence[str] | None]] = {}
    if set(dimensions) & set(TEXTS):
        for name, (codes, words) in _texts(agreement, edges[0], edges[-1], handoffs["id"]).items():
            values[name] = codes[chosen], words
    if set(dimensions) & set(CHARGED):
        rep, team = _charges(agreement, edges[0], edges[-1], clocks["charged"][decides])
        values |= {"rep": (rep, None), "team": (team, None)}
    if "hour" in dimensions:
        values["hour"] = _hours(handoffs["at"], day_of, edges, agreement.zone)[chosen], None
    ordinals = np.array([day.toordinal() for day in days])
    for name in dimensions:
        codes, words = values[name]
        counted.groups.append(_grouped(name, cells, codes, states, words, commitments, ordinals))


def _grouped(
    name: str,
    cells: np.ndarray,
    codes: np.ndarray,
    states: np.ndarray,
    words: Sequence[str] | None,
    commitments: np.ndarray,
    ordinals: np.ndarray,
) -> Groups:
    """Group by cell and value. Without `words` a value is its number; 0 is nobody, but midnight of an hour."""
    size = int(codes.max(initial=0)) + 1
    keys, numbers = np.unique((cells * size + codes) * 4 + states, return_counts=True)
    groups, index = np.unique(keys >> 2, return_inverse=True)
    table = np.zeros((len(groups), 4), "i8")
    table[index, keys & 3] = numbers
    found, inverse = np.unique(groups % size, return_inverse=True)
    if words is not None:
        texts = [words[code] for code in found]
    else:
        texts = ["" if code == 0 and name in CHARGED else str(code) for code in found.tolist()]
    cell = groups // size
    return Groups(
        dimension=name,
        commitments=commitments[cell // len(ordinals)],
        days=ordinals[cell % len(ordinals)],
        values=np.array(texts, object)[inverse],
        states=table,
    )


def _counts(keys: np.ndarray, kinds: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """Each key and kind with how often they come together; a kind is less than 4,096."""
    found, numbers = np.unique(keys * 4096 + kinds, return_counts=True)
    return zip((found >> 12).tolist(), (found & 4095).tolist(), numbers.tolist(), strict=True)


def _add_times(
    counted: Counted,
    micro: np.ndarray,
    cell: np.ndarray,
    place: Callable[[int], tuple[int, date]],
    around: Mapping[int, int | None],
    spans: bool,
) -> None:
    """Of clocks that are not excluded, also where several count for one handoff: not stopped yet, or how long (N5)."""
    for key, _, number in _counts(cell[micro == UNSTOPPED], np.zeros(int((micro == UNSTOPPED).sum()), "i8")):
        counted.totals.setdefault(place(key), Total()).unstopped += number
    stopped = np.flatnonzero(micro >= 0)
    if not len(stopped):
        return
    order = stopped[np.argsort(cell[stopped], kind="stable")]
    keys, begins = np.unique(cell[order], return_index=True)
    for key, mine in zip(keys.tolist(), np.split(micro[order] / 1e6, begins[1:]), strict=True):
        total = counted.totals.setdefault(place(key), Total())
        total.spread = histogram.Histogram.of(mine, around.get(place(key)[0])).counts
        if spans:
            total.spans = mine.tolist()


def _read(agreement: Agreement, start: datetime, end: datetime) -> tuple[np.ndarray, np.ndarray]:
    """The handoffs of `[start, end)` in the order of their ids, and their clocks."""
    of_days, parameters = _of_days(agreement, start, end)
    handoffs = facts.columns(f"SELECT h.id, h.qualified_at FROM leads_handoff h WHERE {of_days}", parameters, _HANDOFF)
    handoffs.sort(order="id")
    rules = " ".join(f"WHEN '{name}' THEN {index}" for index, name in enumerate(RULE_NAMES))
    out, missing = Clock.State.EXCLUDED.value, "c.stopped_at IS NULL"
    clocks = facts.columns(
        "SELECT c.handoff_id, c.commitment_id, c.state, CASE WHEN c.decides THEN 1 ELSE 0 END, c.charged_to_id, "
        f"CASE WHEN c.state = {out} THEN CASE c.rule {rules} ELSE {len(RULE_NAMES)} END ELSE 0 END, "
        f"CASE WHEN c.state = {out} THEN {UNCOUNTED} WHEN {missing} THEN {UNSTOPPED} "
        f"WHEN c.elapsed_seconds IS NULL THEN {UNCOUNTED} ELSE CAST(round(c.elapsed_seconds * 1000000) AS BIGINT) END "
        f"FROM leads_handoff h JOIN leads_clock c ON c.handoff_id = h.id WHERE {of_days}",
        parameters,
        _CLOCK,
    )
    # A handoff that began between the two questions has touched its day and is counted the next time.
    return handoffs, clocks[np.isin(clocks["handoff"], handoffs["id"])]


def _of_days(agreement: Agreement, start: datetime, end: datetime) -> tuple[str, list[object]]:
    adapt = connection.ops.adapt_datetimefield_value
    sql = "h.agreement_id = %s AND h.qualified_at >= %s AND h.qualified_at < %s"
    return sql, [agreement.pk, adapt(start), adapt(end)]


def _strange_rules(agreement: Agreement, start: datetime, end: datetime, clocks: np.ndarray) -> list[str]:
    """Rules of an earlier release that no longer stand among ours; their clocks then get their own numbers."""
    strange = np.flatnonzero(clocks["rule"] == len(RULE_NAMES))
    if not len(strange):
        return []
    rows = Clock.objects.filter(
        state=Clock.State.EXCLUDED,
        decides=True,
        handoff__agreement=agreement,
        handoff__qualified_at__gte=start,
        handoff__qualified_at__lt=end,
    ).exclude(rule__in=RULE_NAMES)
    found = {(row[0], row[1]): row[2] for row in rows.values_list("handoff", "commitment", "rule")}
    names = sorted(set(found.values())) or [""]
    for at in strange.tolist():
        name = found.get((int(clocks["handoff"][at]), int(clocks["commitment"][at])), names[0])
        clocks["rule"][at] = len(RULE_NAMES) + names.index(name)
    return names


def _texts(
    agreement: Agreement, start: datetime, end: datetime, ids: np.ndarray
) -> dict[str, tuple[np.ndarray, list[str]]]:
    """For each dimension of text a number for each handoff, and the text of each number."""
    of_days, parameters = _of_days(agreement, start, end)
    names = ", ".join(f"h.{name}" for name in TEXTS)
    blocks: Iterable[tuple[tuple[str, ...], np.ndarray]]
    with connection.cursor() as cursor:
        if facts.is_postgresql():
            block = "string_agg(int8send(h.id), '')"
            cursor.execute(f"SELECT {block}, {names} FROM leads_handoff h WHERE {of_days} GROUP BY {names}", parameters)
            blocks = [(tuple(texts), np.frombuffer(block, ">i8")) for block, *texts in cursor.fetchall()]
        else:
            cursor.execute(f"SELECT h.id, {names} FROM leads_handoff h WHERE {of_days}", parameters)
            lists: dict[tuple[str, ...], list[int]] = defaultdict(list)
            for number, *texts in cursor.fetchall():
                lists[tuple(texts)].append(number)
            blocks = [(texts, np.array(numbers, "i8")) for texts, numbers in lists.items()]
    codes = {name: np.zeros(len(ids), "i8") for name in TEXTS}
    words: dict[str, dict[str, int]] = {name: {"": 0} for name in TEXTS}
    for texts, numbers in blocks:
        rows = np.searchsorted(ids, numbers)
        known = np.flatnonzero(rows < len(ids))
        rows = rows[known[ids[rows[known]] == numbers[known]]]
        for name, text in zip(TEXTS, texts, strict=True):
            codes[name][rows] = words[name].setdefault(text, len(words[name]))
    return {name: (codes[name], list(words[name])) for name in TEXTS}


def _charges(
    agreement: Agreement, start: datetime, end: datetime, charged: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The owner and the team of each of these assignments, 0 where there is none."""
    of_days, parameters = _of_days(agreement, start, end)
    sql = (
        "SELECT a.id, a.owner_id, a.team_id FROM leads_handoff h JOIN leads_assignment a ON a.handoff_id = h.id "
        f"WHERE {of_days}"
    )
    found = np.concatenate([np.zeros(1, _CHARGE), facts.columns(sql, parameters, _CHARGE)])
    found.sort(order="id")
    at = np.searchsorted(found["id"], charged).clip(max=len(found) - 1)
    at = np.where(found["id"][at] == charged, at, 0)
    return found["rep"][at], found["team"][at]


def _hours(moments: np.ndarray, day_of: np.ndarray, edges: Sequence[datetime], zone: ZoneInfo) -> np.ndarray:
    """The local hour of each moment. On a day on which the clocks change each moment is looked at by itself."""
    begins = [edge.astimezone(zone).utcoffset() for edge in edges[:-1]]
    ends = [(edge - timedelta(microseconds=1)).astimezone(zone).utcoffset() for edge in edges[1:]]
    local = moments + np.array(begins, "m8[us]")[day_of]
    hours = local.astype("M8[h]").astype("i8") % 24
    changes = np.array([begin != end for begin, end in zip(begins, ends, strict=True)])
    for at in np.flatnonzero(changes[day_of]).tolist():
        hours[at] = moments[at].astype(datetime).replace(tzinfo=UTC).astimezone(zone).hour
    return hours
