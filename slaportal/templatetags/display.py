"""How pages say figures, spans, moments and states; the same words and marks everywhere."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from math import ceil

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()

NO_DATA = "no data"
NBSP = "\N{NO-BREAK SPACE}"
MOST_DIGITS = 4
FULL_HOURS_FROM = 100

# Word → (tone, icon, sentence case word). The tone is a CSS class; the icon says the same without colour.
STATES = {
    "met": ("ok", "check_circle", "Met"),
    "missed": ("bad", "cancel", "Missed"),
    "open": ("wait", "schedule", "Open"),
    "excluded": ("quiet", "do_not_disturb_on", "Excluded"),
    "kept": ("ok", "check_circle", "Kept"),
    "not kept": ("bad", "cancel", "Not kept"),
    "no data": ("quiet", "remove", "No data"),
    "on hold": ("quiet", "pause_circle", "On hold"),
    "accepted": ("ok", "thumb_up", "Accepted"),
    "recycled": ("wait", "autorenew", "Recycled"),
    "rejected": ("bad", "thumb_down", "Rejected"),
    "undecided": ("wait", "schedule", "Undecided"),
    "draft": ("quiet", "edit_note", "Draft"),
    "proposed": ("warn", "ink_pen", "Proposed"),
    "agreed": ("ok", "handshake", "Agreed"),
    "in force": ("ok", "verified", "In force"),
    "planned": ("wait", "event", "Agreed, not yet in force"),
    "superseded": ("quiet", "history", "Superseded"),
    "ended": ("quiet", "event_busy", "Ended"),
    "declined": ("bad", "block", "Declined"),
    "withdrawn": ("quiet", "undo", "Withdrawn"),
}


@register.filter
def duration(span: timedelta | float | None) -> str:
    """A span, or a number of seconds, as “45 s”, “12 min”, “4 h”, “1 h 52” or “120 h”; of open or of any hours alike.

    Never days, because a business day and a calendar day differ. It is rounded up, so that a span reads as longer
    than a limit in whole minutes exactly when it is (rule C1).
    """
    if span is None:
        return NO_DATA
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
        return NO_DATA
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
    """Day and time in the reader's zone, with UTC on hover: “3 Mar 2025, 10:00”."""
    return _time(moment, "%-d %b %Y, %H:%M")


@register.filter
def on_day(moment: datetime | date | None, month: str = "short") -> str:
    """The day alone: “3 Mar 2025”, or with the month “long” “3 March 2025”; UTC on hover.

    Of a moment it is the day in the reader's zone, or in that of a surrounding `{% timezone %}`.
    """
    pattern = "%-d %B %Y" if month == "long" else "%-d %b %Y"
    if isinstance(moment, date) and not isinstance(moment, datetime):
        return format_html('<time datetime="{}">{}</time>', moment.isoformat(), moment.strftime(pattern))
    return _time(moment, pattern)


@register.filter
def at_time(moment: datetime | None) -> str:
    """The time alone: “10:00”, in the reader's zone with the day and UTC on hover."""
    return _time(moment, "%H:%M")


@register.simple_tag
def icon(name: str) -> SafeString:
    """A Material Symbol, silent for screen readers: the words beside it say the same."""
    return format_html('<span class="material-symbols-outlined" aria-hidden="true">{}</span>', name)


@register.simple_tag
def state(word: str, label: str = "") -> SafeString:
    """A chip for a state such as “missed” or “in force”: word, icon and tone together."""
    tone, symbol, text = STATES.get(str(word).lower(), ("quiet", "label", str(word)))
    return format_html('<span class="chip {}">{}{}</span>', tone, icon(symbol), label or text)


@dataclass(frozen=True)
class Part:
    """One piece of a bar: what it stands for, how many, and where it lies on a line from 0 to 1000."""

    name: str
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
        parts.append(Part(name, count, x, end - x))
        before += count
    return {"parts": parts, "total": total}


def _exactly(share: Fraction | Decimal | float) -> Fraction:
    """The share in percent; a float means the plain fraction that it stands for, 0.95 being 19/20."""
    return Fraction(share).limit_denominator(10**9) * 100


def _side(value: Fraction, mark: Fraction) -> int:
    """Below (-1), at (0) or above (1) the mark."""
    return (value > mark) - (value < mark)


def _time(moment: datetime | None, pattern: str) -> str:
    if moment is None:
        return ""
    utc = moment.astimezone(UTC)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        utc.isoformat(timespec="seconds"),
        f"{utc:%-d %b %Y, %H:%M:%S} UTC",
        timezone.localtime(moment).strftime(pattern),
    )
