"""The rep's list: open handoffs, ordered by what is left of the time that was promised. Reads only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db.models import (
    Case,
    Count,
    Exists,
    F,
    IntegerField,
    OuterRef,
    Prefetch,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)

from agreements.catalogue import CATALOGUE
from leads import clocks, timeline
from leads.models import Attempt, Clock, Handoff, Hold
from slaportal import roles
from slaportal.models import Party, Team, User
from slaportal.templatetags.display import NBSP, duration

SOON = timedelta(hours=1)
WEEK = 7
QUEUE_SHOWN = 10
SALES_KINDS = [kind.code for kind in CATALOGUE.values() if kind.party == Party.SALES and kind.has_limit]

# The parts of the list, in order.
NOW, LATE, LATER, QUIET, HELD = range(5)
PARTS = {
    NOW: "Due within the hour",
    LATE: "Overdue",
    LATER: "Later",
    QUIET: "No time limit runs",
    HELD: "On hold",
}


@dataclass(frozen=True)
class Due:
    """When something is owed: the short words, their tone, and the exact moment in the reader's zone."""

    at: datetime
    words: str
    tone: str
    exact: str


@dataclass(frozen=True)
class Owed:
    """The next thing that sales owes a handoff."""

    words: str
    due: Due


@dataclass(frozen=True)
class Row:
    """One line of the list."""

    handoff: Handoff
    part: str
    owed: Owed | None
    tried: str
    held: Hold | None


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
    mine = Q(subject=0) | Q(charged_to__owner=F("handoff__owner"))
    return Clock.objects.filter(
        mine,
        state__in=(Clock.State.OPEN, Clock.State.MISSED),
        commitment__kind__in=SALES_KINDS,
        stopped_at=None,
        due_at__isnull=False,
    ).order_by("due_at", "pk")


def worklist(user: User, *, now: datetime) -> QuerySet[Handoff]:
    """The person's open handoffs: what can still be kept within the hour, what is overdue, and the rest by due time.

    Of overdue ones the latest miss comes first, because old ones are the least likely to be saved.
    """
    return _in_order(Handoff.objects.open().filter(owner=user), now)


def queue(user: User, *, now: datetime, zone: ZoneInfo) -> Queue | None:
    """What waits in the queue of the person's team, the first of it in the order of `worklist`; None where nothing."""
    waiting = Handoff.objects.waiting().filter(team=user.team_id)
    count = waiting.count() if user.team_id and user.has_role(roles.REP) else 0
    if not count:
        return None
    shown = list(with_facts(_in_order(waiting, now))[:QUEUE_SHOWN])
    return Queue(user.team, count, rows(shown, now=now, zone=zone))


def _in_order(handoffs: QuerySet[Handoff], now: datetime) -> QuerySet[Handoff]:
    clocks_of = owed_clocks().filter(handoff=OuterRef("pk"))
    first_open = clocks_of.filter(state=Clock.State.OPEN, due_at__gte=now)
    late = clocks_of.filter(Q(state=Clock.State.MISSED) | Q(due_at__lt=now))
    held = Hold.objects.filter(handoff=OuterRef("pk"), ended_at=None)
    part = Case(
        When(Exists(held), then=Value(HELD)),
        When(next_due__lte=now + SOON, then=Value(NOW)),
        When(late_due__isnull=False, then=Value(LATE)),
        When(next_due__isnull=False, then=Value(LATER)),
        default=Value(QUIET),
        output_field=IntegerField(),
    )
    return (
        handoffs.annotate(
            next_due=Subquery(first_open.values("due_at")[:1]),
            late_due=Subquery(late.values("due_at")[:1]),
        )
        .annotate(part=part, order=Case(When(part=LATE, then=None), default=F("next_due")))
        .order_by("part", F("order").asc(nulls_last=True), F("late_due").desc(nulls_last=True), "qualified_at", "pk")
    )


def in_words(handoffs: QuerySet[Handoff]) -> str:
    """“14 open · 2 due within the hour · 3 overdue”, of a worklist."""
    counts = dict(handoffs.order_by().values_list("part").annotate(Count("pk")))
    words = [f"{sum(counts.values())} open"]
    words += [f"{counts[part]} {PARTS[part].lower()}" for part in (NOW, LATE, HELD) if part in counts]
    return " · ".join(words)


def with_facts(handoffs: QuerySet[Handoff]) -> QuerySet[Handoff]:
    """With what `rows` needs of each handoff."""
    return handoffs.select_related("lead").prefetch_related(
        Prefetch("clocks", owed_clocks().select_related("commitment"), to_attr="owed"),
        Prefetch("holds", Hold.objects.filter(ended_at=None), to_attr="running_holds"),
    )


def rows(handoffs: Sequence[Handoff], *, now: datetime, zone: ZoneInfo) -> list[Row]:
    """The lines of a page of the list."""
    attempts = timeline.attempts_of(handoffs)
    found = []
    for handoff in handoffs:
        tries = [one for one in attempts[handoff.pk] if timeline.is_try(one) and one.at >= handoff.qualified_at]
        held = next(iter(handoff.running_holds), None)
        owed = next_owed(handoff.owed, len(tries), now=now, zone=zone)
        found.append(Row(handoff, PARTS[handoff.part], owed, _tried(tries, now=now, zone=zone), held))
    return found


def _tried(tries: Sequence[Attempt], *, now: datetime, zone: ZoneInfo) -> str:
    """“2 attempts, no answer, 9:14”."""
    if not tries:
        return "no attempt yet"
    last = tries[-1]
    number = "1 attempt" if len(tries) == 1 else f"{len(tries)} attempts"
    return f"{number}, {last.get_outcome_display().lower()}, {in_short(last.at, now=now, zone=zone)}"


def next_owed(owed: Sequence[Clock], tries: int, *, now: datetime, zone: ZoneInfo) -> Owed | None:
    """What is owed first: within the hour what can still be kept, else what is overdue, else what is due next."""
    open_ones = [clock for clock in owed if clock.state == clocks.OPEN and clock.due_at >= now]
    late = [clock for clock in owed if clock.state == clocks.MISSED or clock.due_at < now]
    soon = [clock for clock in open_ones if clock.due_at <= now + SOON]
    clock = next(iter([*soon, *late, *open_ones]), None)
    if clock is None:
        return None
    commitment = clock.commitment
    words = commitment.title
    if commitment.kind == "attempts" and tries < commitment.attempts:
        words += f": attempt {tries + 1} of {commitment.attempts}"
    return Owed(words, due(clock.due_at, now=now, zone=zone, is_missed=clock.state == clocks.MISSED))


def due(at: datetime, *, now: datetime, zone: ZoneInfo, is_missed: bool = False) -> Due:
    """“41 min”, “Tue 10:40” or “12 Mar”; red once it is missed, amber within the hour."""
    local, is_late = at.astimezone(zone), is_missed or at < now
    if local.date() == now.astimezone(zone).date():
        words = duration(abs(at - now)) + (f"{NBSP}late" if is_late else "")
    else:
        words = ("since " if is_late else "") + in_short(at, now=now, zone=zone).replace(" ", NBSP)
    tone = "bad" if is_late else "warn" if at <= now + SOON else ""
    return Due(at, words, tone, f"{local:%A %-d %B %Y, %H:%M:%S} ({zone.key})")


def in_short(at: datetime, *, now: datetime, zone: ZoneInfo) -> str:
    """“9:14” today, “Tue 10:40” within a week, else “12 Mar”."""
    local, today = at.astimezone(zone), now.astimezone(zone).date()
    days = abs((local.date() - today).days)
    if days < WEEK:
        return f"{local:%a %-H:%M}" if days else f"{local:%-H:%M}"
    return f"{local:%-d %b}" if local.year == today.year else f"{local:%-d %b %Y}"
