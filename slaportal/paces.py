"""When something may be sent to somebody: at once, after the quiet hours, or with the daily digest. Pure.

All is in the reader's own zone, by the clock on the wall: in the night in which an hour comes twice, both are quiet. A
time of day that a clock change leaves out comes later by the gap.
"""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

# What comes in a burst goes out together: the first of it waits so long. Two mails to one person are at least as far
# apart, so that a burst of a minute ends in three at most.
GATHER = timedelta(seconds=30)
DAY = timedelta(days=1)


def planned(
    now: datetime,
    *,
    zone: ZoneInfo,
    quiet_from: time | None,
    quiet_until: time | None,
    digest_at: time,
    in_digest: bool,
    is_urgent: bool,
) -> datetime:
    """The earliest moment at which it may be sent. What the reader marked urgent waits for nothing."""
    if is_urgent:
        return now
    at = next_time(digest_at, after=now, zone=zone) if in_digest else now + GATHER
    return quiet_end(at, zone=zone, quiet_from=quiet_from, quiet_until=quiet_until) or at


def quiet_end(at: datetime, *, zone: ZoneInfo, quiet_from: time | None, quiet_until: time | None) -> datetime | None:
    """When the quiet hours end that `at` falls into, or None outside of them; they may go over midnight."""
    if quiet_from is None or quiet_until is None or not _is_quiet(at, zone, quiet_from, quiet_until):
        return None
    ends = (moment for moment in _moments(quiet_until, at, zone) if moment > at)
    return next(moment for moment in ends if not _is_quiet(moment, zone, quiet_from, quiet_until))


def next_time(local: time, *, after: datetime, zone: ZoneInfo) -> datetime:
    """The first moment after `after` at which it is `local`; once a day, also where the hour comes twice."""
    day = after.astimezone(zone).date()
    return next(found for n in range(3) if (found := _moment(day + n * DAY, local, zone)) > after)


def _is_quiet(at: datetime, zone: ZoneInfo, quiet_from: time, quiet_until: time) -> bool:
    on_the_wall = at.astimezone(zone).time()
    if quiet_from <= quiet_until:
        return quiet_from <= on_the_wall < quiet_until
    return on_the_wall >= quiet_from or on_the_wall < quiet_until


def _moments(local: time, around: datetime, zone: ZoneInfo) -> list[datetime]:
    """Every moment of the next days at which it is `local`, of an hour that comes twice both."""
    day = around.astimezone(zone).date()
    return sorted(_moment(day + n * DAY, local.replace(fold=fold), zone) for n in range(4) for fold in (0, 1))


def _moment(day: date, local: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, local, tzinfo=zone).astimezone(UTC)
