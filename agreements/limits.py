"""Limits of time against the hours in which somebody works: what holds them, and which is the longer one. Pure."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

from agreements.business_time import END_YEAR, BusinessTime
from agreements.calendars import thaw
from agreements.catalogue import Start
from agreements.terms import Promise, Terms

YEAR = timedelta(days=365)
# A closed stretch that begins within the year is seen to its end.
LONGEST_BREAK = timedelta(days=60)
# When a limit is used up that its calendar cannot hold; business time reaches no further.
NEVER = datetime(END_YEAR - 1, 12, 31, tzinfo=UTC)
# Clocks that start later may run out later, however short they are (rule C6).
ORDER_OF_STARTS = {Start.QUALIFIED: 0, Start.ROUTED: 1, Start.ASSIGNED: 1, Start.ACCEPTED: 2}


class Span(NamedTuple):
    """A limit of the terms that no promise has, such as a grace: its calendar, None for every hour, and seconds."""

    calendar: str | None
    limit_seconds: int


def longest_closed(calendar: BusinessTime, start: datetime) -> tuple[datetime, datetime] | None:
    """The longest time from a closing bell of the year from `start` on to the next opening."""
    windows = calendar.windows(start, start + YEAR + LONGEST_BREAK)
    gaps = [(closing, opening) for (_, closing), (opening, _) in pairwise(windows) if closing < start + YEAR]
    return max(gaps, key=lambda gap: gap[1] - gap[0], default=None)


def least_open(calendar: BusinessTime, start: datetime, limit: timedelta) -> timedelta:
    """Open time within the limit for whoever comes at the worst moment of the year from `start` on.

    That is a closing bell: who comes earlier has more before it, and who comes later has more behind the limit's end.
    """
    bells = [closing for _, closing in calendar.windows(start, start + YEAR)]
    return min((calendar.elapsed(bell, bell + limit) for bell in bells), default=timedelta())


def holds(calendar: BusinessTime, start: datetime, limit: timedelta) -> bool:
    """Whether the calendar opens long enough within the year from `start` on."""
    return _deadline(calendar, start, limit) <= start + YEAR


def starts_no_later(one: Promise, other: Promise) -> bool:
    """Whether the clock of `one` starts with that of `other` or before it, for a lead that nobody passes on."""
    return ORDER_OF_STARTS[one.start] <= ORDER_OF_STARTS[other.start]


class OrdinaryWeeks:
    """Spans side by side, each from the opening of the version's calendar on the next Monday.

    In weeks without holidays, because two limits should not compare otherwise at Easter.
    """

    def __init__(self, terms: Terms, *, today: date):
        plain = {
            name: thaw({**frozen, "closed": {}, "special": {}} if frozen["hours"] else frozen)
            for name, frozen in terms.calendars.items()
        }
        self.calendars = {None: BusinessTime.always(), **plain}
        monday = today + timedelta(days=-today.weekday() % 7)
        midnight = datetime(monday.year, monday.month, monday.day, tzinfo=ZoneInfo(terms.time_zone))
        self.opening = _deadline(plain[terms.calendar], midnight, timedelta())

    def end(self, one: Span | Promise) -> datetime:
        """When a limit that begins with the opening is used up."""
        return _deadline(self.calendars[one.calendar], self.opening, timedelta(seconds=one.limit_seconds))

    def is_shorter(self, one: Span | Promise, other: Span | Promise) -> bool:
        """Seconds of one calendar compare as they are, those of two by where they end."""
        if one.calendar == other.calendar:
            return one.limit_seconds < other.limit_seconds
        return self.end(one) < self.end(other)


def _deadline(calendar: BusinessTime, start: datetime, allowance: timedelta) -> datetime:
    try:
        return calendar.deadline(start, allowance)
    except ValueError:  # it closes for good before
        return NEVER
