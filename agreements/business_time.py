"""Business time: how much open time lies between two instants, and when an allowance of it is used up.

A `BusinessTime` is a calendar: a time zone, weekly hours, closures and special days (rules T1 to T3). It is pure: no
clock, no database, no framework. Instants are aware datetimes, or numpy `datetime64[us]` in UTC; spans are
`timedelta`, or `timedelta64[us]`.

How it works. The open windows of a run of years are compiled to UTC once. Open time then is a *position* on an axis:
the microseconds of open time since a fixed epoch, negative before it. It rises while the calendar is open and rests
while it is closed, so elapsed time is a difference of positions and a deadline is the way back from a position to an
instant. The epoch never moves: when more years are needed they are compiled beside it and no position changes.

What is decided here:
- Windows are half-open: at the closing bell the calendar is closed.
- T3: window ends are local times. One that does not exist moves forward by the length of the gap (also a whole day
  that the zone skipped, so its windows fall on the next day); of a repeated one an opening takes the first and a
  closing the second. "24:00" is the next local midnight, as a closing. A window that the gap turns round is empty.
  What then touches or overlaps is one window, so nothing counts twice.
- A closure wins over a special day, and a special day over the weekly hours (T5: closures may be added later).
- A calendar may have special days only. It then has a last closing, and no deadline beyond that.
- The years 1900 to 2199 are covered. Anything outside them is refused with a `ValueError`, never guessed.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

Day = TypeVar("Day", int, date)
Pairs = Iterable[Sequence[str]]
Minutes = tuple[tuple[int, int], ...]  # windows of a day as (begin, end) in minutes after local midnight

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
FIRST_YEAR, END_YEAR = 1900, 2200

_TIME = re.compile(r"([01]?[0-9]|2[0-3]):[0-5][0-9]|24:00")
_INSTANT, _SPAN = np.dtype("datetime64[us]"), np.dtype("timedelta64[us]")
_MICROSECOND, _MINUTE, _DAY = timedelta(microseconds=1), 60_000_000, 86_400_000_000
_UNIX = datetime(1970, 1, 1, tzinfo=UTC)
_UNIX_DAY = _UNIX.toordinal()
_NO_INSTANT, _NO_SPAN = np.datetime64("NaT", "us"), np.timedelta64("NaT", "us")
_NAT = np.iinfo(np.int64).min
# Far below every real position, and far enough from the end of the integers that sums of two still fit.
_UNKNOWN = _NAT // 2
# Longer than any calendar, short enough that adding it to an unknown position leaves that unknown.
_ENDLESS = 1 << 60
_EPOCH_YEAR, _YEARS_AT_FIRST = 2024, 4
# A zone's date may lie a day from UTC's and a skipped day moves windows by another.
_MARGIN_DAYS = 3
# A look-up table of four megabytes at most for each axis of a calendar.
_MOST_SLOTS = 1 << 19


class BusinessTime:
    """A calendar of open time. It never changes once made; equal terms make equal calendars.

    `hours` maps weekdays (0 is Monday; "0" to "6" from JSON will do) to windows such as ("09:00", "17:30"), ends up to
    "24:00"; a missing day is closed. `closed` lists dates without any opening, `special` maps dates to windows which
    replace the weekly ones; dates may be ISO strings. Raises `ValueError`, with a sentence, for an unknown zone,
    weekday, date or time, a window that does not end after it begins, windows that overlap, and a calendar that never
    opens (T2). Safe to share between threads.

    `working_day` is one business day (T4): the most common open time of the weekdays that open, or of the special days
    where there are no weekly hours.
    """

    def __init__(
        self,
        time_zone: str,
        hours: Mapping[int | str, Pairs],
        closed: Iterable[date | str] = (),
        special: Mapping[date | str, Pairs] | None = None,
    ) -> None:
        self.time_zone = _zone_name(time_zone)
        self._weekly = _by_day(hours, _weekday, WEEKDAYS.__getitem__)
        self._exceptions = _by_day(special or {}, _date, str) | {_date(day): () for day in closed}
        reached = [windows for day, windows in self._exceptions.items() if FIRST_YEAR <= day.year < END_YEAR]
        daily = [windows for windows in self._weekly.values() if windows] or [windows for windows in reached if windows]
        if not daily:
            raise ValueError("The calendar never opens: it has neither weekly hours nor a special day with hours.")
        # T4; of equally common days the longest.
        lengths = Counter(sum(end - begin for begin, end in windows) for windows in daily)
        self.working_day = timedelta(minutes=max(lengths, key=lambda minutes: (lengths[minutes], minutes)))

        open_days = frozenset((weekday, windows) for weekday, windows in self._weekly.items() if windows)
        self._terms = (self.time_zone, open_days, frozenset(self._exceptions.items()))
        self._axis: _Axis | None = None

    @classmethod
    def always(cls, time_zone: str = "UTC") -> "BusinessTime":
        """A calendar that never closes, for limits in calendar time (T4)."""
        return cls(time_zone, {weekday: [("00:00", "24:00")] for weekday in range(7)})

    def __eq__(self, other: object) -> bool:
        return self._terms == other._terms if isinstance(other, BusinessTime) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._terms)

    def elapsed(self, start: datetime, end: datetime) -> timedelta:
        """Open time from `start` to `end`, both aware; zero when `end` is not after `start`."""
        before, after = self.position_many(np.array([_microseconds(start), _microseconds(end)]).view(_INSTANT))
        return timedelta(microseconds=max(int(after - before), 0))

    def deadline(self, start: datetime, allowance: timedelta) -> datetime:
        """The earliest instant, in UTC, at which `allowance` of open time since `start` is used up (C2).

        That is Friday's closing bell rather than Monday's opening. Of a zero allowance it is `start`, or the next
        opening when closed then. Raises `ValueError` for a negative allowance, and where open time ends before that.
        """
        starts = np.array([_microseconds(start)]).view(_INSTANT)
        spans = np.array([max(-1, min(allowance // _MICROSECOND, _ENDLESS))]).view(_SPAN)
        return _datetime(self.deadline_many(starts, spans).view(np.int64)[0])

    def leaving(self, start: datetime, allowance: timedelta) -> datetime:
        """The last instant, in UTC, at which no more than `allowance` of open time since `start` is used up.

        That is Monday's opening rather than Friday's closing bell. Raises `ValueError` where open time ends before
        more than that is used up.
        """
        positions = self.position_many(np.array([_microseconds(start)]).view(_INSTANT)) + allowance // _MICROSECOND
        return _datetime(self.leaving_many(positions).view(np.int64)[0])

    def windows(self, start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
        """The open windows between two aware datetimes as (open, close) in UTC, clipped to that half-open span."""
        first, last = _microseconds(start), _microseconds(end)
        if last <= first:
            return []
        opens, closes = self._covering(first, last).windows()
        inside = slice(closes.searchsorted(first, "right"), opens.searchsorted(last, "left"))
        pairs = zip(opens[inside].clip(min=first), closes[inside].clip(max=last), strict=True)
        return [(_datetime(opening), _datetime(closing)) for opening, closing in pairs]

    def elapsed_many(self, starts: NDArray[np.datetime64], ends: NDArray[np.datetime64]) -> NDArray[np.timedelta64]:
        """`elapsed` for arrays of UTC instants that broadcast; NaT in either gives NaT."""
        starts, ends = np.asarray(starts, _INSTANT), np.asarray(ends, _INSTANT)
        elapsed = self.position_many(ends) - self.position_many(starts)
        elapsed = np.maximum(elapsed, 0).view(_SPAN)
        unknown = np.isnat(starts) | np.isnat(ends)
        return np.where(unknown, _NO_SPAN, elapsed) if unknown.any() else elapsed

    def deadline_many(self, starts: NDArray[np.datetime64], spans: NDArray[np.timedelta64]) -> NDArray[np.datetime64]:
        """`deadline` for arrays of UTC instants and spans that broadcast; NaT in either gives NaT."""
        starts, spans = np.asarray(starts, _INSTANT), np.asarray(spans, _SPAN)
        allowances = spans.view(np.int64)
        if allowances.min(initial=0) < 0:
            unknown = np.isnat(spans)
            if np.any((allowances < 0) & ~unknown):
                raise ValueError("An allowance cannot be negative.")
            starts, allowances = np.where(unknown, _NO_INSTANT, starts), np.where(unknown, 0, allowances)
        positions = self.position_many(starts) + np.minimum(allowances, _ENDLESS)
        # Without any allowance the calendar has to be open; otherwise the closing bell that is reached will do.
        return self._instants(positions, positions - (allowances > 0))

    def position_many(self, instants: NDArray[np.datetime64]) -> NDArray[np.int64]:
        """Microseconds of open time from the fixed epoch to each UTC instant; never falling, negative before it.

        Positions of one calendar compare with each other for as long as it lives. NaT gives a number far below every
        position, which stays so when an allowance is added: `instant_many` and `leaving_many` turn it into NaT again.
        """
        moments = np.asarray(instants, _INSTANT).view(np.int64)
        first, last = moments.min(initial=_EPOCH), moments.max(initial=_EPOCH)
        if first != _NAT:
            return self._covering(int(first), int(last)).positions(moments)
        unknown = moments == _NAT
        moments = np.where(unknown, _EPOCH, moments)
        return np.where(unknown, _UNKNOWN, self._covering(int(moments.min()), int(last)).positions(moments))

    def instant_many(self, positions: NDArray[np.int64]) -> NDArray[np.datetime64]:
        """The earliest UTC instant at each position: at the end of a window its closing bell."""
        positions = np.asarray(positions, np.int64)
        return self._instants(positions, positions - 1)

    def leaving_many(self, positions: NDArray[np.int64]) -> NDArray[np.datetime64]:
        """The last UTC instant still at each position: at the end of a window the next opening."""
        positions = np.asarray(positions, np.int64)
        return self._instants(positions, positions)

    def _instants(self, positions: NDArray[np.int64], passed: NDArray[np.int64]) -> NDArray[np.datetime64]:
        """The instant at each position, in the first window that ends later than `passed`."""
        positions, passed = np.asarray(positions), np.asarray(passed)
        lowest, highest = passed.min(initial=0), passed.max(initial=_UNKNOWN)
        if lowest < _UNKNOWN // 2:
            known = passed >= _UNKNOWN // 2
            instants = np.full(positions.shape, _NO_INSTANT)
            instants[known] = self._instants(positions[known], passed[known])
            return instants
        axis = self._covering(_EPOCH, _EPOCH)
        while lowest < axis.totals[0]:
            if axis.first_year == FIRST_YEAR:
                raise ValueError(f"The calendar has no open time so far back: it covers the years from {FIRST_YEAR}.")
            axis = self._grown(axis, axis.first_year - 1, axis.end_year)
        while highest >= axis.totals[-1]:
            if axis.end_year == END_YEAR:
                closing = _datetime(axis.totals[-1] - axis.offsets[-1])
                raise ValueError(
                    f"The calendar has not enough open time left: within the years {FIRST_YEAR} to {END_YEAR - 1} "
                    f"it closes for the last time at {closing:%Y-%m-%d %H:%M} UTC."
                )
            axis = self._grown(axis, axis.first_year, axis.end_year + 1)
        return axis.instants(positions, passed).view(_INSTANT)

    def _covering(self, first: int, last: int) -> "_Axis":
        """An axis on which both instants lie."""
        axis = self._axis
        if axis is None:
            axis = self._axis = self._compile(_EPOCH_YEAR, _EPOCH_YEAR + _YEARS_AT_FIRST)
        if axis.first <= first and last <= axis.last:
            return axis
        if first < _EARLIEST or last > _LATEST:
            outside = np.datetime64(first if first < _EARLIEST else last, "us").astype("datetime64[s]")
            raise ValueError(
                f"Business time covers the years {FIRST_YEAR} to {END_YEAR - 1}; {outside} UTC is outside."
            )
        return self._grown(axis, _datetime(first).year, _datetime(last).year + 1)

    def _grown(self, axis: "_Axis", first_year: int, end_year: int) -> "_Axis":
        """A longer axis which replaces the present one.

        It at least doubles on a side that grows, so that asking year by year stays cheap. Threads that grow it at the
        same time each go on with their own; either may be kept, because they agree wherever both reach.
        """
        years = axis.end_year - axis.first_year
        if first_year < axis.first_year:
            first_year = max(FIRST_YEAR, min(first_year, axis.first_year - years))
        if end_year > axis.end_year:
            end_year = min(END_YEAR, max(end_year, axis.end_year + years))
        self._axis = self._compile(min(first_year, axis.first_year), max(end_year, axis.end_year))
        return self._axis

    def _compile(self, first_year: int, end_year: int) -> "_Axis":
        """Lay out every window of these years in local time, turn it into UTC (T3), and merge."""
        days = np.arange(
            date(first_year, 1, 1).toordinal() - _MARGIN_DAYS, date(end_year, 1, 1).toordinal() + _MARGIN_DAYS
        )
        ordinary = np.ones(len(days), bool)
        laid = [(days[:0], (0, 0))]
        for day, windows in self._exceptions.items():
            index = day.toordinal() - int(days[0])
            if 0 <= index < len(days):
                ordinary[index] = False
                laid += [(days[index : index + 1], window) for window in windows]
        for weekday, windows in self._weekly.items():
            chosen = days[ordinary & ((days - 1) % 7 == weekday)]
            laid += [(chosen, window) for window in windows]
        opens, closes = (
            np.concatenate([(chosen - _UNIX_DAY) * _DAY + window[end] * _MINUTE for chosen, window in laid])
            for end in (0, 1)
        )
        opens, closes = _to_utc(self.time_zone, first_year, end_year, opens, closes)
        return _Axis.of(first_year, end_year, *_merged(opens, closes))


@dataclass(frozen=True, slots=True)
class _Axis:
    """Compiled windows: row k > 0 is the k-th window, row 0 stands for the closed time before the first.

    While window k is open the position of an instant is `instant + offsets[k]`, and after it `totals[k]`.
    """

    first_year: int
    end_year: int
    first: int
    last: int
    offsets: NDArray[np.int64]
    totals: NDArray[np.int64]
    openings: "_Ruler"
    closings: "_Ruler"

    @classmethod
    def of(cls, first_year: int, end_year: int, opens: NDArray[np.int64], closes: NDArray[np.int64]) -> "_Axis":
        first, last = _year_start(first_year), _year_start(end_year)
        # A window over the turn of a year stays whole: a sliver of it would need needlessly narrow slots.
        inside = (first < closes) & (opens < last)
        opens, closes = opens[inside].clip(min=_EARLIEST), closes[inside].clip(max=_LATEST)
        totals = np.append(0, np.cumsum(closes - opens))
        offsets = totals[:-1] - opens
        at_epoch = np.maximum(np.minimum(closes, _EPOCH) - opens, 0).sum()
        totals -= at_epoch
        offsets = np.append(totals[0] - first, offsets - at_epoch)
        # An opening after all others, so that there is one even where nothing is open.
        openings = _Ruler(np.append(opens, last + _DAY))
        return cls(first_year, end_year, first, last, offsets, totals, openings, _Ruler(totals))

    def positions(self, moments: NDArray[np.int64]) -> NDArray[np.int64]:
        row = self.openings.count(moments)
        return np.minimum(moments + self.offsets.take(row), self.totals.take(row))

    def instants(self, positions: NDArray[np.int64], passed: NDArray[np.int64]) -> NDArray[np.int64]:
        return positions - self.offsets.take(self.closings.count(passed))

    def windows(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        return self.totals[:-1] - self.offsets[1:], self.totals[1:] - self.offsets[1:]


class _Ruler:
    """Counts the edges at or before each value, as a binary search would.

    The line is cut into slots no wider than the closest two edges are apart. A slot then holds one edge at most, so a
    table and one comparison take the place of the search, at a fifth of the time. Where edges are so close that the
    table would be large, it is a binary search.
    """

    def __init__(self, edges: NDArray[np.int64]) -> None:
        self.edges, self.first = edges, edges[0]
        self.shift = int(np.diff(edges).min(initial=_DAY)).bit_length() - 1
        slots = (int(edges[-1] - self.first) >> self.shift) + 1
        self.table = None
        if slots <= _MOST_SLOTS:
            self.table = edges.searchsorted(self.first + (np.arange(slots) << self.shift), "left")

    def count(self, values: NDArray[np.int64]) -> NDArray[np.int64]:
        if self.table is None:
            return self.edges.searchsorted(values, "right")
        found = self.table.take((values - self.first) >> self.shift, mode="clip")
        return found + (values >= self.edges.take(found))


def parse_windows(text: str) -> list[tuple[str, str]]:
    """Read windows as a person writes them: "09:00-12:00, 13:00–17:30"; blank is closed.

    Returns them sorted, times as "HH:MM". Raises `ValueError` with a sentence.
    """
    pairs = [re.split("[-–]", piece) for piece in text.split(",")] if text.strip() else []
    return [(_clock(begin), _clock(end)) for begin, end in _checked(pairs, "")]


def write_windows(windows: Pairs) -> str:
    """The text from which `parse_windows` reads these windows."""
    return ", ".join(f"{begin}–{end}" for begin, end in windows)


def _by_day(given: Mapping[Any, Pairs], read: Callable[[Any], Day], name: Callable[[Day], str]) -> dict[Day, Minutes]:
    """The windows of each weekday or date; `read` understands its key and `name` calls it in a sentence."""
    if not isinstance(given, Mapping):
        raise ValueError("Give the windows of each day, such as {0: [(“09:00”, “17:30”)]}.")
    days = {}
    for key, windows in given.items():
        day = read(key)
        if not isinstance(windows, list | tuple):
            raise ValueError(f"{name(day)}: give a list of windows, such as [(“09:00”, “17:30”)].")
        if day in days:
            raise ValueError(f"{name(day)} is given twice.")
        days[day] = _checked(windows, f"{name(day)}: ")
    return days


def _checked(windows: Pairs, where: str) -> Minutes:
    """Windows of one day in minutes, in order; `where` begins each sentence of a `ValueError` (T2)."""
    minutes = []
    for window in windows:
        texts = [str(text).strip() for text in window] if isinstance(window, list | tuple) else [str(window)]
        if len(texts) != 2 or not all(_TIME.fullmatch(text) for text in texts):
            raise ValueError(f"{where}“{'–'.join(texts)}” is not a window of two times between 00:00 and 24:00.")
        begin, end = (60 * int(text[:-3]) + int(text[-2:]) for text in texts)
        if end <= begin:
            raise ValueError(f"{where}{_clock(begin)}–{_clock(end)} must end after it begins.")
        minutes.append((begin, end))
    minutes.sort()
    for (begin, end), (next_begin, next_end) in pairwise(minutes):
        if next_begin < end:
            raise ValueError(
                f"{where}{_clock(begin)}–{_clock(end)} and {_clock(next_begin)}–{_clock(next_end)} overlap."
            )
    return tuple(minutes)


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _weekday(key: int | str) -> int:
    if str(key) not in tuple("0123456"):
        raise ValueError(f"“{key}” is not a weekday: they are 0 (Monday) to 6 (Sunday).")
    return int(key)


def _date(value: date | str) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError(f"“{value}” is not a date such as 2024-12-24.") from None


def _zone_name(name: str) -> str:
    try:
        return ZoneInfo(str(name)).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"“{name}” is not a known time zone.") from None


def _microseconds(instant: datetime) -> int:
    if instant.utcoffset() is None:
        raise ValueError(f"{instant} has no time zone; business time needs to know which instant it is.")
    return (instant - _UNIX) // _MICROSECOND


def _datetime(moment: int | np.int64) -> datetime:
    return _UNIX + timedelta(microseconds=int(moment))


def _year_start(year: int) -> int:
    return (date(year, 1, 1).toordinal() - _UNIX_DAY) * _DAY


_EARLIEST, _EPOCH, _LATEST = (_year_start(year) for year in (FIRST_YEAR, _EPOCH_YEAR, END_YEAR))


def _to_utc(
    time_zone: str, first_year: int, end_year: int, opens: NDArray[np.int64], closes: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Local openings and closings in UTC (T3), all in microseconds."""
    years = [_clock_changes(time_zone, year) for year in range(first_year - 1, end_year + 1)]
    changes = [change for _, of_year in years for change in of_year]
    moments, before, after = (np.array(changes, np.int64).reshape(-1, 3) * 1_000_000).T
    offsets = np.append(years[0][0] * 1_000_000, after)
    # An opening keeps the old offset up to the end of a gap and through the whole of a repeated hour. A closing keeps
    # it to the end of a gap as well, but leaves it as soon as an hour is repeated.
    opening_row = (moments + np.maximum(before, after)).searchsorted(opens, "right")
    closing_row = (moments + after).searchsorted(closes, "right")
    return opens - offsets[opening_row], closes - offsets[closing_row]


@lru_cache(maxsize=8192)
def _clock_changes(time_zone: str, year: int) -> tuple[int, tuple[tuple[int, int, int], ...]]:
    """A zone's UTC offset as a year begins, and each change of it as (instant, before, after), all in seconds.

    Looks at every midnight and halves the days over which the offset changed: no zone has ever changed twice within
    days (the closest two are a week apart).
    """
    zone = ZoneInfo(time_zone)

    def offset(second: int) -> int:
        return int((datetime.fromtimestamp(second, zone).utcoffset() or timedelta()).total_seconds())

    midnights = range(_year_start(year) // 1_000_000, _year_start(year + 1) // 1_000_000 + 1, 86_400)
    offsets = [offset(midnight) for midnight in midnights]
    changes = []
    for (early, before), (late, after) in pairwise(zip(midnights, offsets, strict=True)):
        if before == after:
            continue
        while late - early > 1:
            middle = (early + late) // 2
            early, late = (middle, late) if offset(middle) == before else (early, middle)
        changes.append((late, before, after))
    return offsets[0], tuple(changes)


def _merged(opens: NDArray[np.int64], closes: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Windows in order, those that touch or overlap as one, without the empty ones."""
    inside = opens < closes
    order = np.argsort(opens[inside], kind="stable")
    opens, closes = opens[inside][order], np.maximum.accumulate(closes[inside][order])
    apart = np.flatnonzero(opens[1:] > closes[:-1]) + 1
    return opens[np.append(0, apart)[: len(opens)]], closes[np.append(apart, len(opens))[: len(opens)] - 1]
