"""The rep's list: open handoffs, ordered by what is left of the time that was promised. Reads only.

A list is read whole, because what comes first follows from the clocks and the time; as columns of numbers, because it
is read at each look (`facts.columns`). Only the rows of one page are read in full.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime
from functools import cache, lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.urls import reverse
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from agreements.catalogue import CATALOGUE
from leads import facts, filters, meanwhile, owing, routing, soon
from leads.models import Assignment, AttemptOutcome, Clock, Handoff, Hold, Lead
from leads.owing import SOON, Debt, Group, Owed, in_short
from slaportal import roles
from slaportal.models import Party, Team, User

QUEUE_SHOWN = 10
# Of a longer queue those that have waited longest are put in order.
QUEUE_READ = 500
SALES_KINDS = [kind.code for kind in CATALOGUE.values() if kind.party == Party.SALES and kind.has_limit]
GROUPS = list(Group)


@dataclass(frozen=True)
class Listing:
    """Handoffs in the order in which they are to be worked (`owing.place`), as columns: which group each is in, when
    what is owed first is due, whether it was missed, of which kind it is (its place among `SALES_KINDS` from 1 on; 0:
    nothing is owed), how many attempts are agreed, and until when what is due by that promise is soon.
    """

    pks: np.ndarray
    groups: np.ndarray
    due: np.ndarray
    is_missed: np.ndarray
    kinds: np.ndarray
    attempts: np.ndarray
    soon: np.ndarray

    def __len__(self) -> int:
        return len(self.pks)

    def __getitem__(self, chosen: slice | np.ndarray) -> "Listing":
        return Listing(*(getattr(self, column.name)[chosen] for column in fields(self)))

    def debts(self) -> list[Debt | None]:
        """What is owed first."""
        columns = (self.due, self.is_missed, self.kinds, self.attempts, self.soon)
        return [
            Debt(due.replace(tzinfo=UTC), missed, _promise(kind, attempts), until.replace(tzinfo=UTC)) if kind else None
            for due, missed, kind, attempts, until in zip(*(column.tolist() for column in columns), strict=True)
        ]


class Promise(NamedTuple):
    """What a list says of a commitment, which is called by its kind here."""

    kind: str
    title: str
    attempts: int


@cache
def _promise(kind: int, attempts: int) -> Promise:
    found = CATALOGUE[SALES_KINDS[kind - 1]]
    return Promise(found.code, found.label, attempts)


class Seen(NamedTuple):
    """What a line shows of a handoff and its lead. `name` to `external_id` are what a lead is called by."""

    pk: int
    number: int
    source: str
    segment: str
    score: int | None
    stage: str
    ended_at: datetime | str | None  # as the database has it: whether it has ended
    name: str
    email: str
    source_system: str
    external_id: str
    phone: str
    company: str
    title: str


@dataclass(frozen=True)
class Row:
    """One line of the list, in words. `page` is the address of everything about it, `address` the place where it is
    worked from the list; `ended` says how it ended."""

    seen: Seen
    group: Group
    owed: Owed | None
    tried: str
    page: str
    address: str
    held: str = ""
    ended: str = ""
    is_lost: bool = False  # in a queue: it was taken from the reader, so somebody else has to take it (rule L5)

    def __getitem__(self, name: str) -> object:
        """Templates look there first; without it each look is an error that they catch."""
        return getattr(self, name)

    @property
    def key(self) -> str:
        return str(self.seen.pk)

    @property
    def name(self) -> str:
        """As a handoff of that lead is called."""
        called = Lead.__str__(self.seen)
        return called if self.seen.number == 1 else f"{called} ({self.seen.number})"

    @property
    def stage(self) -> str:
        return str(Handoff.Stage(self.seen.stage).label)

    @property
    def doing(self) -> str:
        """What to do next, or why nothing; blank where nothing is due."""
        return self.ended or self.held or (self.owed.words if self.owed else "")

    @property
    def role(self) -> str:
        """“VP Operations, Nordhaus Logistik”."""
        return ", ".join(filter(None, [self.seen.title, self.seen.company]))

    @property
    def source(self) -> str:
        return self.seen.source or _("no source")

    @property
    def matters(self) -> str:
        """Why it matters, besides its source: “91 · Mid-market”."""
        score = self.seen.score
        return " · ".join(filter(None, ["" if score is None else str(score), self.seen.segment]))

    @property
    def is_accepted(self) -> bool:
        return self.seen.stage != Handoff.Stage.MQL


@dataclass(frozen=True)
class Queue:
    """What waits for a team: how many, and the first of them."""

    team: Team
    count: int
    rows: list[Row]

    @property
    def more(self) -> int:
        """How many are not shown."""
        return self.count - len(self.rows)


def owed_clocks() -> QuerySet[Clock]:
    """Clocks of sales with a time limit that nothing has stopped; those of former owners are not owed any more."""
    charged = Assignment.objects.filter(pk=OuterRef("charged_to"), owner=OuterRef("handoff__owner"))
    return Clock.objects.filter(
        Q(subject=0) | Exists(charged),
        state__in=(Clock.State.OPEN, Clock.State.MISSED),
        commitment__kind__in=SALES_KINDS,
        stopped_at=None,
        due_at__isnull=False,
    ).order_by("due_at", "commitment", "pk")


# The clocks of `owed_clocks` and of other parties beside each handoff. What fits into one number comes as one, since to
# send a column costs about as much as to find it: the commitment, whether the clock is missed (1) and whether the
# handoff is on hold (2).
LISTED = f"""
    SELECT h.id, c.due_at, coalesce(c.commitment_id, 0) * 4
        + CASE WHEN c.state = {Clock.State.MISSED:d} THEN 1 ELSE 0 END
        + CASE WHEN EXISTS (SELECT 1 FROM leads_hold o WHERE o.handoff_id = h.id AND o.ended_at IS NULL)
            THEN 2 ELSE 0 END
    FROM leads_handoff h
    LEFT JOIN leads_clock c ON c.handoff_id = h.id AND c.state IN ({Clock.State.MISSED:d}, {Clock.State.OPEN:d})
        AND c.stopped_at IS NULL AND c.due_at IS NOT NULL
        AND (c.subject = 0 OR EXISTS (
            SELECT 1 FROM leads_assignment a WHERE a.id = c.charged_to_id AND a.owner_id = h.owner_id))
    WHERE """  # noqa: S608 (our own words)
OWED = np.dtype([("handoff", "i8"), ("due_at", "M8[us]"), ("packed", "i8")])
# Commitments and, so that no further question is asked, the days that were closed after the terms were signed
# (`calendars.closures_by_calendar`): a row has either.
_PLACES = " ".join(f"WHEN '{kind}' THEN {place}" for place, kind in enumerate(SALES_KINDS, 1))
PROMISED = f"""
    SELECT p.id, CASE p.kind {_PLACES} END, p.attempts, v.id, v.terms_hash, v.created_at, NULL, NULL
    FROM picked JOIN agreements_commitment p ON p.id = picked.id JOIN agreements_version v ON v.id = p.version_id
    UNION ALL SELECT NULL, NULL, NULL, NULL, NULL, NULL, c.calendar_id, c.date
    FROM agreements_closure c WHERE c.withdrawn_at IS NULL"""  # noqa: S608 (our own words)
PROMISE = np.dtype([("kind", "i8"), ("attempts", "i8"), ("soon", "M8[us]")])
OF_A_PERSON = "h.owner_id = %s AND h.ended_at IS NULL"
# As `HandoffQuerySet.waiting` has it.
WAITING = "FROM leads_handoff WHERE owner_id IS NULL AND ended_at IS NULL AND team_id = %s"
OF_A_QUEUE = f"h.id IN (SELECT id {WAITING} ORDER BY qualified_at, id LIMIT %s)"


SEEN = """
    SELECT h.id, h.number, h.source, h.segment, h.score, h.stage, h.ended_at,
        l.name, l.email, l.source_system, l.external_id, l.phone, l.company, l.title
    FROM picked JOIN leads_handoff h ON h.id = picked.id JOIN leads_lead l ON l.id = h.lead_id"""


def of(user: User) -> QuerySet[Handoff]:
    """The person's open handoffs."""
    return Handoff.objects.open().filter(owner=user).order_by()


def listing(where: str, *values: object, now: datetime, zone: ZoneInfo) -> Listing:
    """The handoffs `h` for which a condition in SQL holds, in order."""
    read = facts.columns(LISTED + where, values, OWED)
    moment, until = _instant(now), _instant(owing.midnight(now, zone))
    read = read[np.lexsort((read["packed"], read["due_at"], read["handoff"]))]
    pks, begin = np.unique(read["handoff"], return_index=True)
    is_missed, is_held = (read["packed"] & 1) > 0, (read["packed"] & 2) > 0
    promised = _promised(read["packed"] // 4, now=now)
    is_owed = promised["kind"] > 0
    is_late = is_owed & (is_missed | (read["due_at"] < moment))
    is_ahead, is_soon = is_owed & ~is_late, is_owed & (read["due_at"] <= promised["soon"])
    # As `owing.first` has it.
    soonest, late, ahead = (_first(wanted, begin) for wanted in (is_ahead & is_soon, is_late, is_ahead))
    first = np.select([soonest >= 0, late >= 0], [soonest, late], ahead)
    due = np.where(first >= 0, read["due_at"][first], np.datetime64("NaT"))
    is_late, is_soon = ((first >= 0) & column[first] for column in (is_late, is_soon))
    # As `owing.group_of` has it.
    groups = np.select(
        [is_held[begin], first < 0, is_late | is_soon, due < until],
        [owing.PLACES[group] for group in (Group.HELD, Group.LATER, Group.NOW, Group.TODAY)],
        owing.PLACES[Group.LATER],
    )
    # As `owing.place` has it.
    left = np.where(is_late, -due.astype("i8"), due.astype("i8"))
    order = np.lexsort((pks, left, np.where(first < 0, 2, is_late), groups))
    kinds, attempts = (np.where(first >= 0, promised[name][first], 0) for name in ("kind", "attempts"))
    return Listing(pks, groups, due, (first >= 0) & is_missed[first], kinds, attempts, promised["soon"][first])[order]


def _promised(commitments: np.ndarray, *, now: datetime) -> np.ndarray:
    """Of each its kind, as its place among `SALES_KINDS` from 1 on (0: sales promised nothing), its attempts, and until
    when what is due by it is soon.
    """
    ids, places = np.unique(commitments, return_inverse=True)
    given, parameters = facts.picked(ids)
    with connection.cursor() as cursor:
        cursor.execute(f"WITH {given} {PROMISED}", parameters)
        read = cursor.fetchall()
    versions, closures = set(), defaultdict(list)
    for pk, _kind, _attempts, version, terms_hash, created_at, calendar, closed in read:
        if pk is None:
            closures[calendar].append(date.fromisoformat(closed) if isinstance(closed, str) else closed)
            continue
        # SQLite says moments without a zone, and what was read once is found again by the moment.
        versions.add((version, terms_hash, created_at if created_at.tzinfo else created_at.replace(tzinfo=UTC)))
    # In order, so that the evaluation and the list share one compiled calendar.
    known = soon.by_commitment(versions, {calendar: sorted(days) for calendar, days in closures.items()}, now=now)
    moments = {until: _instant(until) for until in {*known.values(), now + SOON}}
    said = {pk: (kind or 0, attempts or 0, moments[known.get(pk, now + SOON)]) for pk, kind, attempts, *_rest in read}
    nothing = (0, 0, moments[now + SOON])
    return np.array([said.get(pk, nothing) for pk in ids.tolist()], PROMISE)[places]


def _instant(moment: datetime) -> np.datetime64:
    return np.datetime64(moment.astimezone(UTC).replace(tzinfo=None), "us")


def _first(wanted: np.ndarray, begin: np.ndarray) -> np.ndarray:
    """The place of the first wanted row of each run of rows that begins there, or -1."""
    if not len(wanted):
        return np.empty(0, "i8")
    last = len(wanted)
    places = np.minimum.reduceat(np.where(wanted, np.arange(last), last), begin)
    return np.where(places < last, places, -1)


def in_words(listed: Listing, *, now: datetime) -> str:
    """“14 open · 2 due within the hour · 3 overdue · 1 on hold”."""
    moment = _instant(now)
    is_now = listed.groups == owing.PLACES[Group.NOW]
    late = int((is_now & (listed.is_missed | (listed.due < moment))).sum())
    counts = (
        (int(is_now.sum()) - late, _("%d due within the hour")),
        (late, _("%d overdue")),
        (by_group(listed)[Group.HELD], _("%d on hold")),
    )
    return " · ".join([_("%d open") % len(listed), *(words % count for count, words in counts if count)])


def origins(user: User) -> tuple[list[str], list[str]]:
    """The sources and the segments of the person's open handoffs, by name."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT DISTINCT h.source, h.segment FROM leads_handoff h WHERE {OF_A_PERSON}", [user.pk])  # noqa: S608
        pairs = cursor.fetchall()
    sources, segments = (sorted({pair[place] for pair in pairs} - {""}, key=str.casefold) for place in (0, 1))
    return sources, segments


def by_group(listed: Listing) -> dict[Group, int]:
    """How many are in each group."""
    counts = np.bincount(listed.groups, minlength=len(Group)).tolist()
    return dict(zip(Group, counts, strict=True))


def chosen(listed: Listing, mine: QuerySet[Handoff], asked: Mapping[str, str]) -> Listing:
    """Those of a list that mention the words, have the source and segment, owe that, and are in the group."""
    if asked.get("group"):
        listed = listed[listed.groups == owing.PLACES[Group(asked["group"])]]
    if asked.get("owed"):
        listed = listed[listed.kinds == SALES_KINDS.index(asked["owed"]) + 1]
    copied = {name: asked[name] for name in ("source", "segment") if asked.get(name)}
    if copied or asked.get("q"):
        found = filters.search(mine.filter(**copied), asked.get("q", ""))
        listed = listed[np.isin(listed.pks, list(found.values_list("pk", flat=True)))]
    return listed


def rows(listed: Listing, *, now: datetime, zone: ZoneInfo) -> list[Row]:
    """The lines of a page of the list, in its order. What has gone since it was read is left out."""
    pks = listed.pks.tolist()
    seen = {one.pk: one for one in _seen(pks)}
    read = facts.tries(pks)
    groups, held = [GROUPS[group] for group in listed.groups.tolist()], {}
    if Group.HELD in groups:
        held = dict(Hold.objects.filter(handoff__in=pks, ended_at=None).order_by().values_list("handoff", "reason"))
    tries = defaultdict(list)
    for pk, at, outcome in zip(*(read[name].tolist() for name in ("row", "at", "outcome")), strict=True):
        tries[pk].append((at, outcome))
    # All addresses begin alike; `reverse` for each would take longer than reading the rows.
    pages, places = reverse("handoffs"), reverse("my_leads")
    shown, language = [], get_language()
    for pk, group, debt in zip(pks, groups, listed.debts(), strict=True):
        if (one := seen.get(pk)) is None:
            continue
        mine, is_accepted, owed = tries.get(pk, ()), one.stage != Handoff.Stage.MQL, None
        if debt:
            doing = _to_do(debt.promise, len(mine), is_accepted, language)
            due = owing.due(debt, now=now, zone=zone, language=language)
            owed = Owed(doing, due, debt.promise.title)
        words = _tried(mine, language, now=now, zone=zone)
        if is_accepted and one.ended_at is None:
            words = f"{Handoff.Stage(one.stage).label} · {words}"
        shown.append(Row(one, group, owed, words, f"{pages}{pk}/", f"{places}{pk}/", held.get(pk, "")))
    return shown


def _seen(pks: Sequence[int]) -> Iterator[Seen]:
    """Read past the models: to make 25 handoffs and leads takes three times as long as to read them."""
    given, parameters = facts.picked(pks)
    with connection.cursor() as cursor:
        cursor.execute(f"WITH {given} {SEEN}", parameters)
        yield from (Seen(*row) for row in cursor.fetchall())


def row(handoff: Handoff, *, reader: User, now: datetime, zone: ZoneInfo) -> Row:
    """The line of one handoff as it stands now, whether it is still open or not."""
    (shown,) = rows(listing("h.id = %s", handoff.pk, now=now, zone=zone), now=now, zone=zone)
    if shown.seen.ended_at is None:
        return shown
    words = meanwhile.ended(handoff, reader=reader, now=now, zone=zone) or shown.stage
    return replace(shown, owed=None, ended=words)


def words() -> dict[str, str]:
    """What every line says alike, translated once. `back` is what an address needs to lead back to a narrowed list."""
    return {
        "held": _("On hold"),
        "nothing": _("Nothing is due"),
        "call": _("No answer"),
        "log": _("Log"),
        "accept": _("Accept"),
        "open": _("Open"),
        "more": _("More"),
        "back": "",
    }


def queue(user: User, *, now: datetime, zone: ZoneInfo) -> Queue | None:
    """What waits in the queue of the person's team, the first of it in the order of the list; None where nothing."""
    if not user.team_id:
        return None
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) {WAITING}", [user.team_id])
        (count,) = cursor.fetchone()
    if not count or not user.has_role(roles.REP):
        return None
    listed = listing(OF_A_QUEUE, user.team_id, QUEUE_READ, now=now, zone=zone)
    shown = rows(listed[:QUEUE_SHOWN], now=now, zone=zone)
    past: defaultdict[int, list[Assignment]] = defaultdict(list)
    for assignment in Assignment.objects.filter(handoff__in=[row.seen.pk for row in shown]):
        past[assignment.handoff_id].append(assignment)
    lost = {pk for pk, assignments in past.items() if user.pk in routing.Past.of(assignments).lost}
    return Queue(user.team, count, [replace(row, is_lost=row.seen.pk in lost) for row in shown])


def _tried(tries: Sequence[tuple[datetime, int]], language: str, *, now: datetime, zone: ZoneInfo) -> str:
    """“2 attempts, no answer, 9:14”, of the moments (in UTC) and outcomes of `facts.tries`."""
    if not tries:
        return _("no attempt yet")
    at, outcome = tries[-1]
    said = _so_often(len(tries), outcome, language)
    return f"{said}, {in_short(at.replace(tzinfo=UTC), now=now, zone=zone, language=language)}"


# Lines say the same of many leads, and a language always says it alike.
@lru_cache(maxsize=1024)
def _so_often(count: int, outcome: int, _language: str) -> str:
    number = ngettext("%d attempt", "%d attempts", count) % count
    return f"{number}, {AttemptOutcome(facts.OUTCOMES[outcome]).label.lower()}"


@lru_cache(maxsize=1024)
def _to_do(promise: Promise, tries: int, is_accepted: bool, _language: str) -> str:
    return owing.to_do(promise, tries, is_accepted=is_accepted)
