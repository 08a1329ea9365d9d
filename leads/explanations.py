"""Why a clock says what it says: its business time as arithmetic in one sentence, and drawn as a strip. Pure.

Days and times are the reader's; what is open is the calendar's. Nothing is decided here: `leads.clocks` has done that,
and the sum in the sentence is the elapsed time that it stored.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from math import ceil
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.formats import date_format
from django.utils.translation import gettext

from agreements.business_time import BusinessTime
from agreements.models import local_midnight
from agreements.terms import Promise
from leads import clocks
from leads.models import Clock, Hold
from slaportal import formats

Span = tuple[datetime, datetime]

NBSP = "\N{NO-BREAK SPACE}"
NONE = timedelta(0)
# Days named one by one in a sum; of more, those between the first and the last are one term.
MOST_DAYS = 4
MOST_STRETCHES = 3
WEEK = 7
HOLIDAYS_NAMED = 4


@dataclass(frozen=True)
class Run:
    """A clock with a start and a limit in seconds, and the calendar that it runs on.

    `holds` are merged, sorted spans; one that is still open ends at `now`.
    """

    calendar: BusinessTime
    started_at: datetime
    due_at: datetime | None
    stopped_at: datetime | None
    state: int
    limit: int
    holds: Sequence[Span]
    now: datetime
    zone: ZoneInfo

    @property
    def counted_to(self) -> datetime | None:
        """Up to when time is counted: the stop, now, or the moment at which the limit was used up."""
        if self.stopped_at or self.state == clocks.OPEN:
            return self.stopped_at or max(self.now, self.started_at)
        return self.due_at if self.state == clocks.MISSED else None

    @property
    def is_resting(self) -> bool:
        """On hold now."""
        return self.state == clocks.OPEN and any(end == self.now for _, end in self.holds)

    def net(self, to: datetime) -> timedelta:
        """Open time from the start to `to` without what was on hold (rule C5)."""
        held = sum((self.held(begin, min(end, to)) for begin, end in self.holds), NONE)
        return self.calendar.elapsed(self.started_at, to) - held

    def held(self, begin: datetime, end: datetime) -> timedelta:
        """Open time of a hold that fell behind the start."""
        return self.calendar.elapsed(max(begin, self.started_at), end)

    @cached_property
    def is_within_a_week(self) -> bool:
        """Whether names of weekdays say which day is meant."""
        last = max(self.counted_to or self.started_at, self.due_at or self.started_at)
        return (local_day(last, self.zone) - local_day(self.started_at, self.zone)).days < WEEK

    def day(self, day: date) -> str:
        """“Monday”, or “on 3 Mar” where that would not be clear."""
        if self.is_within_a_week:
            return date_format(day, "l")
        return (gettext("on %(day)s") % {"day": formats.day_and_month(day)}).replace(" ", NBSP)

    def moment(self, moment: datetime) -> str:
        """“Mon 16:40”, or “3 Mar 16:40” where that would not be clear."""
        local = moment.astimezone(self.zone)
        day = date_format(local, "D") if self.is_within_a_week else formats.day_and_month(local)
        return f"{day} {formats.time_of(local)}".replace(" ", NBSP)


def run_of(
    clock: Clock,
    promise: Promise,
    calendars: Mapping[str | None, BusinessTime],
    holds: Sequence[Span],
    *,
    now: datetime,
    zone: ZoneInfo,
) -> Run | None:
    """What is to be explained of a stored clock; None where it has no time limit or has not begun."""
    if promise.limit_seconds is None or clock.started_at is None:
        return None
    return Run(
        calendar=calendars[promise.calendar],
        started_at=clock.started_at,
        due_at=clock.due_at,
        stopped_at=clock.stopped_at,
        state=clock.state,
        limit=promise.limit_seconds,
        holds=holds,
        now=now,
        zone=zone,
    )


def why(
    clock: Clock,
    promise: Promise,
    calendars: Mapping[str | None, BusinessTime],
    holds: Iterable[Hold],
    *,
    now: datetime,
    zone: ZoneInfo,
) -> str:
    """The arithmetic of a stored clock in one sentence; blank where it has no time limit or has not begun."""
    spans = merged(((held.started_at, held.ended_at) for held in holds), now=now)
    run = run_of(clock, promise, calendars, spans, now=now, zone=zone)
    return sentence(run, limit_in_words(promise)) if run else ""


def merged(holds: Iterable[tuple[datetime, datetime | None]], *, now: datetime) -> list[Span]:
    """Holds in order, those that overlap as one; an open one ends at `now` (rule C5)."""
    spans: list[Span] = []
    for begin, end in sorted((begin, end or now) for begin, end in holds):
        if spans and begin <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], end))
        else:
            spans.append((begin, end))
    return spans


def sentence(run: Run, limit: str = "") -> str:
    """“Mon 16:40 → Tue 9:20: 50 min Monday + 20 min Tuesday = 1 h 10 of 4 h”, and what follows from it.

    Every term is rounded so that the sum is what the reader gets who adds up, and the total the one that other pages
    show. `limit` are the words of the limit. Blank for a clock that was taken away while it ran (rule C6 or C7).
    """
    end = run.counted_to
    if end is None:
        return ""
    same_day = local_day(run.started_at, run.zone) == local_day(end, run.zone)
    until = formats.time_of(end.astimezone(run.zone)) if same_day else run.moment(end)
    until = gettext("now") if run.state == clocks.OPEN and not run.stopped_at else until
    terms, gross, net, unit = _terms(run, end)
    total = gettext("%(spent)s of %(limit)s") % {"spent": in_words(net), "limit": limit or in_words(run.limit)}
    if net < gross:
        summed = {"sum": " + ".join(terms), "held": in_words(gross - net), "total": total}
        total = gettext("%(sum)s − %(held)s on hold = %(total)s") % summed
    elif not terms:
        total = gettext("closed all along = %(total)s") % {"total": total} if end > run.started_at else total
    elif len(terms) > 1 or not same_day:
        total = f"{' + '.join(terms)} = {total}"
    return f"{run.moment(run.started_at)} → {until}: {total}{_verdict(run, net, unit)}."


def _terms(run: Run, end: datetime) -> tuple[list[str], int, int, int]:
    """The terms of the sum, its total with holds and without, and the unit of all of them, in seconds."""
    days = by_day(run.calendar.windows(run.started_at, end), run.zone)
    gross, net = run.calendar.elapsed(run.started_at, end), run.net(end)
    unit = 1 if run.limit % 60 or NONE < net < timedelta(minutes=1) else 60
    if len(days) == 1 and 1 < len(stretches := next(iter(days.values()))) <= MOST_STRETCHES:
        named = [(hours_of(stretch, run.zone), length(stretch)) for stretch in stretches]
    else:
        named = [(run.day(day), sum(map(length, stretches), NONE)) for day, stretches in days.items()]
    if len(named) > MOST_DAYS:
        between = gettext("on the %(count)s days between") % {"count": len(named) - 2}
        named = [named[0], (between, sum((amount for _, amount in named[1:-1]), NONE)), named[-1]]
    terms, reached, before = [], NONE, 0
    for name, amount in named:
        reached += amount
        after = _rounded(reached, unit)
        if after > before:
            terms.append(f"{in_words(after - before)} {name}")
        before = after
    return terms, _rounded(gross, unit), _rounded(net, unit), unit


def _verdict(run: Run, net: int, unit: int) -> str:
    """What follows from the sum."""
    limit = _rounded(timedelta(seconds=run.limit), unit)
    if run.state == clocks.EXCLUDED:
        return gettext(", which is not counted")
    if run.state == clocks.MET:
        return ""
    if run.stopped_at:
        return gettext(", %(span)s too late") % {"span": in_words(net - limit)}
    if run.state == clocks.MISSED:
        return gettext(", and it has not happened")
    if net > limit:
        return gettext(", used up")
    left = gettext(", %(span)s left when it is released") if run.is_resting else gettext(", %(span)s left")
    return left % {"span": in_words(limit - net)}


def in_words(seconds: int) -> str:
    """“45 s”, “50 min”, “4 h”, “1 h 10”: exact, because these are added up."""
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    if rest or not seconds:
        parts = [(hours, "h"), (minutes, "min"), (rest, "s")]
        return " ".join(f"{amount}{NBSP}{unit}" for amount, unit in parts if amount) or f"0{NBSP}s"
    if hours:
        return f"{hours}{NBSP}h{NBSP}{minutes:02}" if minutes else f"{hours}{NBSP}h"
    return f"{minutes}{NBSP}min"


def limit_in_words(promise: Promise) -> str:
    """“4 h”, or with the business day of the calendar worked out: “17 h (2 business days)” (rule T4)."""
    exact = in_words(promise.limit_seconds)
    amount, unit = promise.limit.split(" ", 1)
    unit = unit.removesuffix("s") if amount == "1" else unit
    return f"{exact} ({amount}{NBSP}{unit})" if "business day" in unit else exact


def closed_days(frozen: Mapping[str, Any], closures: Iterable[date], run: Run) -> str:
    """Days between that would have been open, but were a holiday or closed: “Fri 18 Apr (Karfreitag)”; else blank."""
    end = run.counted_to
    if end is None:
        return ""
    zone = ZoneInfo(frozen["time_zone"])
    first, last = local_day(run.started_at, zone), local_day(end, zone)
    named = {date.fromisoformat(day): name for day, name in frozen["closed"].items()}
    named = {**dict.fromkeys(closures, gettext("closed")), **named}
    between = sorted(day for day in named if first <= day <= last and frozen["hours"].get(str(day.weekday())))
    words = [f"{formats.weekday(day)} ({named[day]})" for day in between[:HOLIDAYS_NAMED]]
    if len(between) > HOLIDAYS_NAMED:
        words.append(gettext("and %(count)s more") % {"count": len(between) - HOLIDAYS_NAMED})
    return ", ".join(words)


def by_day(windows: Iterable[Span], zone: ZoneInfo) -> dict[date, list[Span]]:
    """Open windows by local day, cut at midnight where they run over it."""
    days: dict[date, list[Span]] = {}
    for opening, closing in windows:
        while opening < closing:
            day = local_day(opening, zone)
            midnight = local_midnight(day + timedelta(days=1), zone)
            # A clock that is put back just after midnight has two of them.
            end = min(closing, midnight) if midnight > opening else closing
            days.setdefault(day, []).append((opening, end))
            opening = end
    return days


def hours_of(span: Span, zone: ZoneInfo) -> str:
    """“9:00–12:00” in the zone."""
    begin, end = (moment.astimezone(zone) for moment in span)
    return f"{formats.time_of(begin)}–{formats.time_of(end)}"


def length(span: Span) -> timedelta:
    return span[1] - span[0]


def local_day(moment: datetime, zone: ZoneInfo) -> date:
    return moment.astimezone(zone).date()


def _rounded(amount: timedelta, unit: int) -> int:
    """Seconds, rounded up to the unit as everywhere on screen: more than the limit never reads as the limit (C1)."""
    return ceil(amount / timedelta(seconds=unit)) * unit
