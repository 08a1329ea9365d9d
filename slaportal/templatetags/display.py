"""How pages say figures, spans, moments and states; the same words and marks everywhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from math import ceil

from django import template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from slaportal import formats

register = template.Library()

# The zone of the agreement that the page is about (`also_in`).
_also_in: ContextVar[tzinfo | None] = ContextVar("also_in", default=None)

NO_DATA = _("no data")
NBSP = "\N{NO-BREAK SPACE}"
MOST_DIGITS = 4
FULL_HOURS_FROM = 100

# Word → (tone, icon, sentence case word). The tone is a CSS class; the icon says the same without colour.
STATES = {
    "met": ("ok", "check_circle", _("Met")),
    "missed": ("bad", "cancel", _("Missed")),
    "open": ("wait", "schedule", _("Open")),
    "excluded": ("quiet", "do_not_disturb_on", _("Excluded")),
    "kept": ("ok", "check_circle", _("Kept")),
    "not kept": ("bad", "cancel", _("Not kept")),
    "no data": ("quiet", "remove", _("No data")),
    "on hold": ("quiet", "pause_circle", _("On hold")),
    "accepted": ("ok", "thumb_up", _("Accepted")),
    "recycled": ("wait", "autorenew", _("Recycled")),
    "rejected": ("bad", "thumb_down", _("Rejected")),
    "undecided": ("wait", "schedule", _("Undecided")),
    "draft": ("quiet", "edit_note", _("Draft")),
    "proposed": ("warn", "ink_pen", _("Proposed")),
    "agreed": ("ok", "handshake", _("Agreed")),
    "in force": ("ok", "verified", _("In force")),
    "planned": ("wait", "event", _("Agreed, not yet in force")),
    "superseded": ("quiet", "history", _("Superseded")),
    "ended": ("quiet", "event_busy", _("Ended")),
    "declined": ("bad", "block", _("Declined")),
    "withdrawn": ("quiet", "undo", _("Withdrawn")),
    "done": ("ok", "task_alt", _("Done")),
    "dropped": ("quiet", "undo", _("Dropped")),
    "overdue": ("bad", "event_busy", _("Overdue")),
    "standing": ("wait", "schedule", _("To do")),
    "running": ("wait", "trending_up", _("Running")),
    "closed": ("ok", "verified", _("The number came back")),
    "moot": ("quiet", "do_not_disturb_on", _("Moot")),
}


@register.filter
def duration(span: timedelta | float | None) -> str:
    """A span, or a number of seconds, as “45 s”, “12 min”, “4 h”, “1 h 52” or “120 h”; of open or of any hours alike.

    Never days, because a business day and a calendar day differ. It is rounded up, so that a span reads as longer
    than a limit in whole minutes exactly when it is (rule C1).
    """
    if span is None:
        return str(NO_DATA)
    exact = span.total_seconds() if isinstance(span, timedelta) else span
    sign, seconds = "−" if exact < 0 else "", ceil(abs(exact))
    if seconds < 60:
        return f"{sign}{seconds}{NBSP}s"
    hours, minutes = divmod(ceil(seconds / 60), 60)
    if not hours:
        return f"{sign}{minutes}{NBSP}min"
    if hours >= FULL_HOURS_FROM:
        return f"{sign}{hours + (minutes > 0)}{NBSP}h"
    return f"{sign}{hours}{NBSP}h{NBSP}{minutes:02}" if minutes else f"{sign}{hours}{NBSP}h"


@register.filter
def percent(share: Fraction | Decimal | float | None, target: Fraction | Decimal | float | None = None) -> str:
    """A share between 0 and 1 as “88 %”, or “no data” (rule N3).

    It takes as many digits as it needs to stay on its own side of the target, of nothing and of all: 94.97 % against
    95 % is not 95 %.
    """
    if share is None:
        return str(NO_DATA)
    marks = [Fraction(0), Fraction(100)]
    if target is not None:
        marks.append(_exactly(target))
    exact = _exactly(share)
    for digits in range(MOST_DIGITS + 1):
        shown = Decimal(exact.numerator) / Decimal(exact.denominator)
        shown = shown.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
        if all(_side(Fraction(shown), mark) == _side(exact, mark) for mark in marks):
            break
    return f"{shown:f}{NBSP}%"


@register.filter
def when(moment: datetime | None) -> str:
    """Day and time in the reader's zone, with UTC and the agreement's zone on hover: “3 Mar 2025, 10:00”."""
    return _time(moment, "SHORT_DATETIME_FORMAT")


@register.filter
def on_day(moment: datetime | date | None, month: str = "short") -> str:
    """The day alone: “3 Mar 2025”, or with the month “long” “3 March 2025”; the moment itself on hover.

    Of a moment it is the day in the reader's zone, or in that of a surrounding `{% timezone %}`.
    """
    form = "DATE_FORMAT" if month == "long" else "SHORT_DATE_FORMAT"
    if isinstance(moment, date) and not isinstance(moment, datetime):
        return format_html('<time datetime="{}">{}</time>', moment.isoformat(), date_format(moment, form))
    return _time(moment, form)


@register.filter
def in_its_year(day: date) -> str:
    """A day whose year is said beside it: “3 Mar”."""
    return formats.day_and_month(day)


@register.filter
def at_time(moment: datetime | None) -> str:
    """The time alone: “10:00”, in the reader's zone with the moment itself on hover."""
    return _time(moment, "TIME_FORMAT")


@register.simple_tag
def also_in(zone: tzinfo) -> str:
    """From here on, times of this page say on hover what they are in the agreement's zone as well."""
    _also_in.set(zone)
    return ""


@contextmanager
def a_page_of_its_own() -> Iterator[None]:
    """A page that is about no agreement yet; what it says by `also_in` ends with it."""
    token = _also_in.set(None)
    try:
        yield
    finally:
        _also_in.reset(token)


@register.simple_tag
def icon(name: str) -> SafeString:
    """A Material Symbol, silent for screen readers: the words beside it say the same."""
    return format_html('<span class="material-symbols-outlined" aria-hidden="true">{}</span>', name)


@register.simple_tag
def state(word: str, label: str = "") -> SafeString:
    """A chip for a state such as “missed” or “in force”: word, icon and tone together."""
    tone, symbol, text = STATES.get(str(word).lower(), ("quiet", "label", str(word)))
    return format_html('<span class="chip {}">{}{}</span>', tone, icon(symbol), label or text)


def word_for(state: str) -> str:
    """A state such as “missed” in the reader's language, where it stands alone."""
    return str(STATES[state][2])


@dataclass(frozen=True)
class Part:
    """One piece of a bar: what it stands for, in the reader's words too, how many, and where it lies on a line from 0
    to 1000.
    """

    name: str
    word: str
    count: int
    x: int
    width: int


@register.inclusion_tag("partials/bar.html")
def bar(met: int, missed: int, open: int, excluded: int) -> dict[str, object]:
    """How the handoffs of a commitment divide, as a bar of four parts that a screen reader hears as a sentence."""
    counts = {"met": met, "missed": missed, "open": open, "excluded": excluded}
    total, before, parts = sum(counts.values()), 0, []
    for name, count in counts.items():
        x, end = (before * 1000 // total, (before + count) * 1000 // total) if total else (0, 0)
        parts.append(Part(name, word_for(name).lower(), count, x, end - x))
        before += count
    return {"parts": parts, "total": total}


def _exactly(share: Fraction | Decimal | float) -> Fraction:
    """The share in percent; a float means the plain fraction that it stands for, 0.95 being 19/20."""
    return Fraction(share).limit_denominator(10**9) * 100


def _side(value: Fraction, mark: Fraction) -> int:
    """Below (-1), at (0) or above (1) the mark."""
    return (value > mark) - (value < mark)


def _time(moment: datetime | None, form: str) -> str:
    if moment is None:
        return ""
    utc = moment.astimezone(UTC)
    exact = f"{date_format(utc, 'SHORT_DATE_FORMAT')}, {utc:%H:%M:%S} UTC"
    if zone := _also_in.get():
        local = utc.astimezone(zone)
        exact += f"; {date_format(local, 'SHORT_DATE_FORMAT')}, {local:%H:%M:%S} {zone}"
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        utc.isoformat(timespec="seconds"),
        exact,
        date_format(timezone.localtime(moment), form),
    )
