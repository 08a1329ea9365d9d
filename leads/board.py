"""The manager's board: what comes due, what was missed and why, what waits, and who is there to take it. Reads only.

How many questions it asks does not depend on how many handoffs, reps or teams there are: it is read each minute.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import reduce
from operator import or_
from zoneinfo import ZoneInfo

from django.db.models import Prefetch, Q, QuerySet

from agreements import terms
from agreements.business_time import BusinessTime
from agreements.calendars import closures_by_calendar
from agreements.catalogue import CATALOGUE
from agreements.models import Commitment, Version, local_midnight
from leads import misses, owing, soon, staffing, timeline, worklist
from leads.models import Assignment, Attempt, Clock, Handoff
from leads.roster import Member
from leads.staffing import Staff, Standing
from slaportal.models import Absence, Party, Team

# So much business time ahead, by the calendar that each promise is worked by.
AHEAD = timedelta(hours=4)
SHOWN, ALL = 12, 500
# Whoever is on shift and free is named up to so many.
NAMED = 2
# What marketing owes it answers for itself.
NOT_OURS = tuple(kind.code for kind in CATALOGUE.values() if kind.party == Party.MARKETING)
# A limit may be used up at the last bell before today; further back no calendar is asked.
BEFORE = timedelta(days=10)
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Waiting:
    """A handoff of a team: what is owed first and how many more, what was tried, and who could take it."""

    handoff: Handoff
    owed: owing.Owed | None
    more: int
    tried: str
    free: Sequence[Member]
    since: datetime | None = None
    waited: timedelta | None = None

    @property
    def named(self) -> Sequence[Member]:
        """The first who could take it."""
        return self.free[:NAMED]

    @property
    def unnamed(self) -> int:
        """How many others could."""
        return len(self.free) - len(self.named)


@dataclass(frozen=True)
class Part:
    """One list of the board: the rows that are shown, and how many there are."""

    count: int
    rows: list = field(default_factory=list)

    @property
    def more(self) -> int:
        """How many are not shown."""
        return max(self.count - len(self.rows), 0)


@dataclass(frozen=True)
class Load:
    """How much a rep has, as a bar: `width` in thousandths of the cap, or of who has most where there is none."""

    standing: Standing
    width: int

    @property
    def member(self) -> Member:
        return self.standing.member


@dataclass(frozen=True)
class Board:
    """Everything on the page."""

    staff: list[Staff]
    due: Part
    missed: Part
    missed_unanswered: int
    unanswered: Part
    queue: Part
    loads: list[Load]
    away: list[tuple[Standing, Absence]]
    is_whole: bool

    @property
    def is_quiet(self) -> bool:
        """Whether nothing asks for anything."""
        return not (self.due.count or self.missed.count or self.unanswered.count or self.queue.count)


def of(teams: QuerySet[Team], *, now: datetime, zone: ZoneInfo, is_whole: bool = False) -> Board:
    """The board of these teams for a reader in `zone`, whose day is today; `is_whole` shows every row of the lists."""
    staff = staffing.of(teams, now=now)
    ids, most = [one.team.pk for one in staff], ALL if is_whole else SHOWN
    today = now.astimezone(zone).date()
    closures = closures_by_calendar()
    calendars = _calendars(ids, closures)
    due = _due(ids, calendars, now)
    due_count = due.values("handoff").order_by().distinct().count()
    owed = _by_handoff(due[: most * 4], most)
    missed = missed_on(today, ids, calendars, zone=zone).filter(_before(now))
    missed_clocks = list(_to_explain(missed)[:most])
    queue, queue_count = _queue(ids, most), sum(one.waiting for one in staff)
    clocks = [clock for clocks in owed.values() for clock in clocks]
    handoffs = {one.pk: one for one in (*(clock.handoff for clock in (*clocks, *missed_clocks)), *queue)}
    attempts = timeline.attempts_of(list(handoffs.values()))
    free = {one.team.pk: free_now(one) for one in staff}
    versions = Version.objects.filter(pk__in={one.version_id for one in handoffs.values()}).order_by()
    until = soon.by_commitment(versions.values_list("pk", "terms_hash", "created_at"), closures, now=now)

    def waiting(handoff: Handoff, clocks: Sequence[Clock], since: datetime | None = None) -> Waiting:
        tries = _tries(handoff, attempts)
        is_accepted = handoff.stage != Handoff.Stage.MQL
        others = [one for one in free.get(handoff.team_id, ()) if one.key != handoff.owner_id]
        return Waiting(
            handoff,
            owing.next_owed(clocks, len(tries), now=now, zone=zone, soon=until, is_accepted=is_accepted),
            max(len(clocks) - 1, 0),
            misses.tried(tries, now=now, zone=zone),
            others,
            since,
            now - since if since else None,
        )

    unanswered = Clock.objects.unanswered().filter(handoff__team__in=ids).exclude(commitment__kind__in=NOT_OURS)
    not_today = unanswered.exclude(pk__in=missed.values("pk"))
    shown = not_today.select_related("commitment", "handoff__lead", "handoff__owner", "charged_to__owner")
    return Board(
        staff=staff,
        due=Part(due_count, [waiting(clocks[0].handoff, clocks) for clocks in owed.values()]),
        missed=Part(missed.count(), misses.explained(missed_clocks, attempts=attempts)),
        missed_unanswered=unanswered.filter(pk__in=missed.values("pk")).count(),
        unanswered=Part(not_today.count(), list(shown.order_by("-due_at", "-pk")[:SHOWN])),
        queue=Part(queue_count, [waiting(one, one.owed, one.since) for one in queue]),
        loads=_loads(staff),
        away=[(one, absence) for team in staff for one in team.members for absence in one.soon],
        is_whole=is_whole,
    )


def free_now(staff: Staff) -> list[Member]:
    """Who of a team is on shift and free: first who is known to be at work, then who has the fewest."""
    members = [one.member for one in staff.members]
    found = [one for one in members if one.is_free and one.is_at_work is not False]
    return sorted(found, key=lambda one: (not one.is_at_work, one.open, str(one.person)))


def missed_on(
    day: date, teams: Iterable[int], calendars: Mapping[BusinessTime, Sequence[int]], *, zone: ZoneInfo
) -> QuerySet[Clock]:
    """Promises of sales that were missed on a day: those whose limit was used up on it, or at the last bell before.

    What is used up at Friday's closing bell is missed when Monday opens (rules C1 and C2).
    """
    start, end = local_midnight(day, zone), local_midnight(day + DAY, zone)
    on_it = [Q(due_at__gte=start, due_at__lt=end)]
    for calendar, commitments in calendars.items():
        windows = calendar.windows(start - BEFORE, start)
        opened = calendar.windows(start, end)
        if windows and opened and windows[-1][1] < start:
            on_it.append(Q(commitment__in=commitments, due_at=windows[-1][1]))
    missed = Clock.objects.filter(
        reduce(or_, on_it), state=Clock.State.MISSED, handoff__team__in=teams,
        commitment__kind__in=worklist.SALES_KINDS,
    )  # fmt: skip
    return missed.order_by("-due_at", "-pk")


def _before(now: datetime) -> Q:
    return Q(due_at__lte=now)


def _calendars(teams: Sequence[int], closures: Mapping[int, list[date]]) -> dict[BusinessTime, list[int]]:
    """The calendars that the promises of sales are worked by, each with the ids of its commitments.

    A limit in calendar time runs through the night as well, but is kept by people with opening hours; so what comes due
    on Saturday stands on the board on Friday.
    """
    versions = Handoff.objects.open().filter(team__in=teams).order_by().values("version")
    rows = Commitment.objects.filter(version__in=versions, kind__in=worklist.SALES_KINDS)
    by_version: dict[Version, list[Commitment]] = {}
    for row in rows.select_related("version"):
        by_version.setdefault(row.version, []).append(row)
    found: dict[BusinessTime, list[int]] = {}
    for version, commitments in by_version.items():
        try:
            agreed = terms.of(version)
        except terms.Unreadable:
            continue  # the agreement's own page says so
        times = agreed.business_times(closures)
        for row in commitments:
            calendar = times.get(agreed.promise(row.code).worked_by) or times[agreed.calendar]
            found.setdefault(calendar, []).append(row.pk)
    return found


def _due(teams: Sequence[int], calendars: Mapping[BusinessTime, Sequence[int]], now: datetime) -> QuerySet[Clock]:
    """Running clocks of sales that come due within the next business hours, what is due first at the top."""
    within = [Q(commitment__in=ids, due_at__lte=_horizon(calendar, now)) for calendar, ids in calendars.items()]
    running = worklist.owed_clocks().filter(state=Clock.State.OPEN, handoff__team__in=teams)
    if not within:
        return running.none()
    related = ("commitment", "handoff__lead", "handoff__owner", "handoff__team")
    return running.filter(reduce(or_, within)).select_related(*related)


def _horizon(calendar: BusinessTime, now: datetime) -> datetime:
    try:
        return calendar.deadline(now, AHEAD)
    except ValueError:
        return now + AHEAD  # it never opens again


def _by_handoff(clocks: Iterable[Clock], most: int) -> dict[int, list[Clock]]:
    """Clocks by handoff, in order, for so many handoffs."""
    found: dict[int, list[Clock]] = {}
    for clock in clocks:
        if clock.handoff_id in found or len(found) < most:
            found.setdefault(clock.handoff_id, []).append(clock)
    return found


def _to_explain(clocks: QuerySet[Clock]) -> QuerySet[Clock]:
    related = ("commitment", "handoff__lead", "handoff__owner", "handoff__team", "charged_to__owner")
    return clocks.select_related(*related).prefetch_related("handoff__holds")


def _queue(teams: Sequence[int], most: int) -> list[Handoff]:
    """What waits in the queues, who waits longest first, each with `since` and what is `owed`."""
    waiting = Handoff.objects.waiting().filter(team__in=teams).select_related("lead", "team")
    owed = Prefetch("clocks", worklist.owed_clocks().select_related("commitment"), to_attr="owed")
    turns = Prefetch("assignments", Assignment.objects.order_by("at", "pk"), to_attr="turns")
    found = list(waiting.order_by("qualified_at", "pk").prefetch_related(owed, turns)[:most])
    for handoff in found:
        handoff.since = handoff.turns[-1].at if handoff.turns else handoff.qualified_at
    return sorted(found, key=lambda one: (one.since, one.pk))


def _tries(handoff: Handoff, attempts: Mapping[int, Sequence[Attempt]]) -> list[Attempt]:
    return [one for one in attempts[handoff.pk] if timeline.is_try(one) and one.at >= handoff.qualified_at]


def _loads(staff: Iterable[Staff]) -> list[Load]:
    standings = [one for team in staff for one in team.members]
    longest = max((one.member.open for one in standings), default=0)
    loads = []
    for one in standings:
        of = longest if one.member.most is None else one.member.most
        loads.append(Load(one, min(1000, 1000 * one.member.open // of) if of else 1000 * bool(one.member.open)))
    return loads
