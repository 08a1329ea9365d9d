"""On which days reviews are due by the terms, and what has to become of those that are planned. Pure.

Rules R1 and R3 of docs/numbers.md. What is due follows from the versions and from when the planning began alone, so a
run after weeks of silence comes to what a run each day would have come to.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from agreements.cadence import next_review
from agreements.models import local_midnight

# Terms name a day and no hour; whoever calls or moves a review chooses another.
HOUR = time(10)
# Who has just signed is not asked to sit down within the day.
NOTICE = timedelta(days=1)
# What was due longer ago than this and never planned is history: nobody is asked for its minutes any more.
LOOK_BACK = timedelta(days=366)


@dataclass(frozen=True)
class Span:
    """The half-open span `[since, until)` in which a version is in force, with what it says of reviews."""

    cadence: str
    weekday: int | None
    zone: ZoneInfo
    since: datetime
    until: datetime


@dataclass(frozen=True)
class Slot:
    """A review day of the terms, and the moment at which the review begins unless somebody chooses another."""

    day: date
    starts_at: datetime


@dataclass(frozen=True)
class Row:
    """A review by the cadence as it is planned: its day by the terms, and whether a person has chosen its time."""

    pk: int
    day: date
    is_planned: bool
    is_chosen: bool


@dataclass(frozen=True)
class Steps:
    """What has to be done: slots to plan anew, rows to move onto a slot, and rows to cancel.

    Who is `adopted` stands for the slot from now on and keeps the time that a person chose for it.
    """

    planned: tuple[Slot, ...] = ()
    moved: tuple[tuple[int, Slot], ...] = ()
    adopted: tuple[tuple[int, Slot], ...] = ()
    cancelled: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.planned or self.moved or self.adopted or self.cancelled)


def slots(spans: Iterable[Span], *, after: datetime, now: datetime) -> list[Slot]:
    """Every slot later than `after` that has begun by `now`, and the first one that has not, in order."""
    begun: dict[date, Slot] = {}
    ahead: list[Slot] = []
    for span in spans:
        day = max(after, span.since).astimezone(span.zone).date() - timedelta(days=1)
        while (found := next_review(span.cadence, span.weekday, after=day)) is not None:
            day, slot = found, Slot(found, local(found, span.zone))
            if slot.starts_at >= span.until:
                break
            if slot.starts_at <= after or slot.starts_at < span.since:
                continue
            if slot.starts_at > now:
                ahead.append(slot)
                break
            begun[day] = slot
    # Two versions that follow each other in different zones may both name a day; it is one review.
    upcoming = sorted((slot for slot in ahead if slot.day not in begun), key=lambda slot: slot.starts_at)[:1]
    return [*sorted(begun.values(), key=lambda slot: slot.starts_at), *upcoming]


def steps(rows: Sequence[Row], spans: Sequence[Span], *, began: datetime, now: datetime) -> Steps:
    """What has to become of the rows so that they are what the terms say; nothing where they are that already.

    Only what comes after `began` is planned. A review that somebody moved, held or cancelled stays as it is.
    """
    after = max(began, now - LOOK_BACK)
    due = slots(spans, after=after, now=now)
    known, wanted = {row.day for row in rows}, {slot.day for slot in due}
    missing = [slot for slot in due if slot.day not in known]
    zones = {span.zone for span in spans}  # a row was planned in one of them
    ahead = [row for row in rows if row.is_planned and all(local(row.day, zone) > after for zone in zones)]
    strays = [row for row in ahead if row.day not in wanted]
    moved, adopted, cancelled = [], [], []
    # The latest first, so that what lies ahead takes what lies ahead.
    for row in sorted(strays, key=lambda row: row.day, reverse=True):
        if missing:
            (adopted if row.is_chosen else moved).append((row.pk, missing.pop()))
        elif not row.is_chosen:
            cancelled.append(row.pk)
    return Steps(tuple(missing), tuple(moved), tuple(adopted), tuple(cancelled))


def local(day: date, zone: ZoneInfo, at: time = HOUR) -> datetime:
    """The moment of a local time of a day, in UTC; a repeated one is the first, one that is skipped moves forward."""
    return datetime.combine(day, at, tzinfo=zone).astimezone(UTC)


def day_end(moment: datetime, zone: ZoneInfo) -> datetime:
    """The end of the local day in which a moment lies, in UTC: from then on its review is overdue."""
    return local_midnight(moment.astimezone(zone).date() + timedelta(days=1), zone)
