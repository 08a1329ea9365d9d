"""What sales owes a lead next, in a rep's words, how long it has for it, and where that puts it in a list.

Reads nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.db.models import TextChoices
from django.utils.formats import date_format
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from agreements.business_time import BusinessTime
from agreements.models import Commitment
from leads import clocks
from leads.models import Clock
from slaportal import formats
from slaportal.templatetags.display import NBSP, duration

# Soon is what has no more than this left of the time that its promise counts.
SOON = timedelta(hours=1)
WEEK = 7
NEVER = datetime.max.replace(tzinfo=UTC)


class Group(TextChoices):
    """The parts of a rep's list, in order. What is overdue belongs to now, behind what can still be kept."""

    NOW = "now", gettext_lazy("Now")
    TODAY = "today", gettext_lazy("Today")
    LATER = "later", gettext_lazy("Later")
    HELD = "held", gettext_lazy("On hold")


PLACES = {group: place for place, group in enumerate(Group)}


@dataclass(frozen=True)
class Due:
    """When something is owed: the short words, their tone, the exact moment in the reader's zone in words and for
    machines, and whether the words are of the moment and go on by the second.
    """

    at: datetime
    words: str
    tone: str
    exact: str
    iso: str = ""
    ticks: bool = False


@dataclass(frozen=True)
class Owed:
    """The next thing that sales owes a handoff: what to do, which promise that is, and by when."""

    words: str
    due: Due
    promise: str = ""


class Debt(NamedTuple):
    """A promise with a time limit that nothing has stopped: its commitment, or the id of it; and until when what it is
    due by is soon (`soon_until`), where it does not count every hour.
    """

    due_at: datetime
    is_missed: bool
    promise: Any
    soon: datetime | None = None

    def is_late(self, now: datetime) -> bool:
        return self.is_missed or self.due_at < now

    def is_soon(self, now: datetime) -> bool:
        return self.due_at <= (self.soon or now + SOON)


def soon_until(calendar: BusinessTime | None, *, now: datetime) -> datetime:
    """Whatever is due by this moment has at most an hour of the calendar's time left; without one every hour counts.

    On a Friday at 16:50, of an office that closes at 17:30, it is Monday at 9:20; at 16:30 it is Monday's opening.
    """
    if calendar is None:
        return now + SOON
    try:
        return calendar.leaving(now, SOON)
    except ValueError:
        return NEVER  # less than an hour is left before it closes for good


def first(debts: Iterable[Debt], *, now: datetime) -> Debt | None:
    """What is owed first, of debts by their due time: what can still be kept and is due soon, else what is overdue,
    else what is due next.

    Of two promises with calendars of their own the one that is due later may be the one that is due soon.
    """
    soon = late = ahead = None
    for debt in debts:
        if debt.is_late(now):
            late = late or debt
        elif debt.is_soon(now):
            soon = soon or debt
        else:
            ahead = ahead or debt
    return soon or late or ahead


def midnight(now: datetime, zone: ZoneInfo) -> datetime:
    """When the reader's day is over."""
    tomorrow = now.astimezone(zone).date() + timedelta(days=1)
    return datetime(tomorrow.year, tomorrow.month, tomorrow.day, tzinfo=zone).astimezone(UTC)


def group_of(debt: Debt | None, *, now: datetime, until: datetime, is_held: bool = False) -> Group:
    """Where a handoff stands in a rep's list by what is owed first; the day goes on until `until`."""
    if is_held:
        return Group.HELD
    if debt is None:
        return Group.LATER
    if debt.is_late(now) or debt.is_soon(now):
        return Group.NOW
    return Group.TODAY if debt.due_at < until else Group.LATER


def place(group: Group, debt: Debt | None, *, now: datetime) -> tuple[int, int, float]:
    """Sorts a list: by group, then by due time, because within one calendar that is the order of the business time
    left. Of what is overdue the latest comes first, because it is the most likely to be saved; what owes nothing comes
    last.
    """
    if debt is None:
        return PLACES[group], 2, 0
    if debt.is_late(now):
        return PLACES[group], 1, -debt.due_at.timestamp()
    return PLACES[group], 0, debt.due_at.timestamp()


# --- Words -----------------------------------------------------------------------------------------------------------

ORDINALS = (
    gettext_lazy("First"), gettext_lazy("Second"), gettext_lazy("Third"), gettext_lazy("Fourth"), gettext_lazy("Fifth"),
    gettext_lazy("Sixth"), gettext_lazy("Seventh"), gettext_lazy("Eighth"), gettext_lazy("Ninth"),
    gettext_lazy("Tenth"),
)  # fmt: skip
CARDINALS = (
    gettext_lazy("one"), gettext_lazy("two"), gettext_lazy("three"), gettext_lazy("four"), gettext_lazy("five"),
    gettext_lazy("six"), gettext_lazy("seven"), gettext_lazy("eight"), gettext_lazy("nine"), gettext_lazy("ten"),
)  # fmt: skip
# What a rep does about a promise of each kind; attempts and dispositions say more.
DOING = {
    "acceptance": gettext_lazy("Decide: accept or reject"),
    "first_response": gettext_lazy("First call"),
    "first_touch": gettext_lazy("First conversation"),
    "contact_after_acceptance": gettext_lazy("First call since accepting"),
    "attempts": gettext_lazy("Attempts"),
    "disposition": gettext_lazy("Decide: keep or give back"),
}


def next_owed(
    owed: Sequence[Clock],
    tries: int,
    *,
    now: datetime,
    zone: ZoneInfo,
    soon: Mapping[int, datetime],
    is_accepted: bool = False,
) -> Owed | None:
    """What is owed first, of clocks by their due time, as a rep reads it who has tried so often.

    `soon` has the `soon_until` of commitments, by id; whatever stands not in it counts every hour.
    """
    debts = (
        Debt(clock.due_at, clock.state == clocks.MISSED, clock.commitment, soon.get(clock.commitment_id))
        for clock in owed
    )
    debt = first(debts, now=now)
    return debt and in_words(debt, debt.promise, tries, now=now, zone=zone, is_accepted=is_accepted)


def in_words(
    debt: Debt, promise: Commitment, tries: int, *, now: datetime, zone: ZoneInfo, is_accepted: bool = False
) -> Owed:
    """A debt as a rep reads it who has tried so often."""
    shown = due(debt, now=now, zone=zone)
    return Owed(to_do(promise, tries, is_accepted=is_accepted), shown, promise.title)


def to_do(promise: Commitment, tries: int, *, is_accepted: bool = False) -> str:
    """“First call”, “Second of five attempts”, “Decide: accept or reject”; else what the promise is called."""
    if promise.kind == "attempts" and promise.attempts:
        if tries >= promise.attempts:
            return promise.title
        return _("%(which)s of %(all)s attempts") % {"which": _ordinal(tries + 1), "all": _cardinal(promise.attempts)}
    if promise.kind == "disposition" and is_accepted:
        return _("Say what came of it")
    return str(DOING.get(promise.kind, promise.title))


def _ordinal(number: int) -> str:
    return str(ORDINALS[number - 1]) if number <= len(ORDINALS) else _("Number %(number)d") % {"number": number}


def _cardinal(number: int) -> str:
    return str(CARDINALS[number - 1]) if number <= len(CARDINALS) else str(number)


def due(debt: Debt, *, now: datetime, zone: ZoneInfo, language: str | None = None) -> Due:
    """“41 min”, “Tue 10:40” or “12 Mar”; red once it is missed, amber while it is due soon.

    A list gives the language that is spoken now, because to ask for it takes as long as to find the words.
    """
    language = language or get_language()
    at, is_late = debt.due_at, debt.is_late(now)
    local = at.astimezone(zone)
    is_today = local.date() == now.astimezone(zone).date()
    if is_today:
        words = duration(abs(at - now)) + (f"{NBSP}{_('late')}" if is_late else "")
    else:
        words = in_short(at, now=now, zone=zone, language=language).replace(" ", NBSP)
        words = _("since %(moment)s") % {"moment": words} if is_late else words
    tone = "bad" if is_late else "warn" if debt.is_soon(now) else ""
    exact = f"{_day(local.date(), language)}, {local:%H:%M:%S} ({zone.key}); {at.astimezone(UTC):%H:%M:%S} UTC"
    return Due(at, words, tone, exact, local.isoformat(), ticks=is_today or timedelta() <= at - now <= SOON)


def in_short(at: datetime, *, now: datetime, zone: ZoneInfo, language: str | None = None) -> str:
    """“9:14” today, “Tue 10:40” within a week, else “12 Mar”, in the language that is spoken now (as `due` has it)."""
    local = at.astimezone(zone).replace(tzinfo=None, second=0, microsecond=0)
    return _minute(local, now.astimezone(zone).date(), language or get_language())


# A list says the same days and minutes at each look, in every line, and a language always says them alike.
@lru_cache(maxsize=4096)
def _minute(local: datetime, today: date, _language: str) -> str:
    days = abs((local.date() - today).days)
    if days < WEEK:
        return f"{date_format(local, 'D')} {formats.time_of(local)}" if days else formats.time_of(local)
    return formats.day_and_month(local) if local.year == today.year else formats.short_day(local)


@lru_cache(maxsize=1024)
def _day(local: date, _language: str) -> str:
    return f"{date_format(local, 'l')} {formats.long_day(local)}"
