"""A clock drawn as a strip of business time: what was open, what counted, what was on hold, start, due and stop. Pure.

Open time is drawn to scale; each closed stretch takes the same narrow gap, or nights would be most of the picture.
Places are percentages of the strip's width, so that its words keep their size at every width.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from django.utils.translation import gettext

from leads import clocks
from leads.explanations import NONE, Run, Span, by_day, length
from slaportal import formats

LEFT, RIGHT = 1.5, 98.5
GAP, ALL_GAPS = 2.5, 25.0
# How much open time is drawn before the first mark and behind the last, as a share of what lies between.
MARGIN = 0.15
# Of more windows than these nobody sees the gaps.
MOST_WINDOWS = 60
WINDOWS_TOLD = 4
DAY, MOMENT = timedelta(days=1), timedelta(microseconds=1)
LABEL_EVERY, LABEL_UNTIL = 20.0, 82.0
COUNTED = {clocks.MET: "counted-met", clocks.OPEN: "counted-open", clocks.EXCLUDED: "counted-excluded"}


@dataclass(frozen=True)
class Piece:
    """A rectangle: `kind` is its class, `x` and `width` are percentages."""

    kind: str
    x: str
    width: str
    title: str


@dataclass(frozen=True)
class Mark:
    """A moment on the strip: start, due, stop or now."""

    kind: str
    x: str
    word: str
    at: datetime


@dataclass(frozen=True)
class Label:
    """The name of a day below the strip."""

    x: str
    text: str


@dataclass(frozen=True)
class Strip:
    """Everything to draw, and the same in words for those who do not see it."""

    pieces: list[Piece]
    marks: list[Mark]
    labels: list[Label]
    text: str


def draw(run: Run) -> Strip | None:
    """The strip of a clock; None where it was taken away while it ran."""
    if run.counted_to is None:
        return None
    marks = _moments(run)
    first, last = min(at for _, _, at in marks), max(at for _, _, at in marks)
    low, high = _ends(run, first, last)
    windows = run.calendar.windows(low, high)
    drawn = windows
    if len(windows) > MOST_WINDOWS:
        drawn = [(windows[0][0], windows[-1][1])]
    scale = _Scale(low, high, drawn)
    if drawn is windows:
        titles = [_open_hours(run, window) for window in windows]
    else:
        titles = [gettext("%(count)s open windows") % {"count": len(windows)}]
    pieces = [scale.piece("open", window, title) for window, title in zip(drawn, titles, strict=True)]
    until = run.stopped_at or run.now
    pieces += _counted(run, scale, drawn, min(until, high))
    pieces += [
        scale.piece("hold", (max(begin, low), min(end, high)), _on_hold(run, (begin, end)))
        for begin, end in run.holds
        if begin < high and end > low
    ]
    return Strip(
        pieces=pieces,
        marks=[Mark(kind, _percent(scale.x(at)), word, at) for kind, word, at in marks],
        labels=_labels(run, scale, drawn),
        text=_in_words(run, windows, marks),
    )


class _Scale:
    """Turns moments between two ends into places."""

    def __init__(self, low: datetime, high: datetime, windows: list[Span]):
        edges = [low, *(edge for window in windows for edge in window), high]
        # Closed and open stretches in turn; the first and the last closed one may be empty.
        self.stretches = list(pairwise(edges))
        gaps = [stretch for stretch in self.stretches[::2] if length(stretch)]
        opened = sum(map(length, self.stretches[1::2]), NONE)
        gap = min(GAP, ALL_GAPS / max(len(gaps), 1)) if opened else (RIGHT - LEFT) / max(len(gaps), 1)
        rest = RIGHT - LEFT - gap * len(gaps)
        self.widths = [
            (gap if length(stretch) else 0.0) if index % 2 == 0 else rest * (length(stretch) / opened)
            for index, stretch in enumerate(self.stretches)
        ]

    def x(self, moment: datetime) -> float:
        place = LEFT
        for stretch, width in zip(self.stretches, self.widths, strict=True):
            begin, end = stretch
            if moment < end:
                return place + (width * ((moment - begin) / length(stretch)) if moment > begin else 0.0)
            place += width
        return place

    def piece(self, kind: str, span: Span, title: str) -> Piece:
        begin, end = self.x(span[0]), self.x(span[1])
        return Piece(kind, _percent(begin), _percent(end - begin), title)


def _moments(run: Run) -> list[tuple[str, str, datetime]]:
    found = [("start", gettext("Started"), run.started_at)]
    if run.due_at:
        found.append(("due", gettext("Due"), run.due_at))
    if run.stopped_at:
        found.append(("stop", gettext("Stopped"), run.stopped_at))
    elif run.state == clocks.OPEN:
        found.append(("now", gettext("Now"), max(run.now, run.started_at)))
    return found


def _ends(run: Run, first: datetime, last: datetime) -> Span:
    """Where the strip begins and ends: a little open time around the marks, so that one sees where they lie."""
    margin = max(run.calendar.elapsed(first, last) * MARGIN, timedelta(minutes=1))
    before = run.calendar.windows(first - margin, first)
    after = run.calendar.windows(last, last + margin)
    low = before[-1][0] if before and before[-1][1] == first else first
    high = after[0][1] if after and after[0][0] == last else last
    return low, high if high > low else low + margin


def _counted(run: Run, scale: _Scale, windows: Iterable[Span], until: datetime) -> list[Piece]:
    """What the clock counted, up to its due time and beyond."""
    within = COUNTED.get(run.state, "counted-missed")
    due = run.due_at or until
    pieces = []
    for kind, begin, end in ((within, run.started_at, min(due, until)), ("counted-over", due, until)):
        for opening, closing in windows:
            for span in _without(run.holds, (max(opening, begin), min(closing, end))):
                pieces.append(scale.piece(kind, span, gettext("counted %(span)s") % {"span": _span(run, span)}))
    return pieces


def _without(holds: Iterable[Span], span: Span) -> list[Span]:
    """What is left of a span outside the holds."""
    left, begin = [], span[0]
    for hold_begin, hold_end in holds:
        left.append((begin, min(hold_begin, span[1])))
        begin = max(begin, hold_end)
    left.append((begin, span[1]))
    return [(start, end) for start, end in left if start < end]


def _labels(run: Run, scale: _Scale, windows: Iterable[Span]) -> list[Label]:
    """Names of days where there is room for them."""
    labels, free = [], 0.0
    for day, stretches in by_day(windows, run.zone).items():
        place = scale.x(stretches[0][0])
        if free <= place <= LABEL_UNTIL:
            labels.append(Label(_percent(place), formats.weekday(day)))
            free = place + LABEL_EVERY
    return labels


def _in_words(run: Run, windows: list[Span], marks: Iterable[tuple[str, str, datetime]]) -> str:
    opened = ", ".join(_open_hours(run, window) for window in windows[:WINDOWS_TOLD]) or gettext("closed all along")
    if len(windows) > WINDOWS_TOLD:
        opened = gettext("%(windows)s and %(count)s more") % {
            "windows": opened,
            "count": len(windows) - WINDOWS_TOLD,
        }
    told = [f"{word.lower()} {run.moment(at)}" for _, word, at in marks]
    told += [_on_hold(run, hold) for hold in run.holds]
    return gettext("Business time: %(told)s.") % {"told": "; ".join([opened, *told])}


def _on_hold(run: Run, hold: Span) -> str:
    return gettext("on hold %(span)s") % {"span": _span(run, hold)}


def _open_hours(run: Run, window: Span) -> str:
    """The whole window of which the strip may show only a part: “open Mon 9:00–17:30”."""
    begin = run.calendar.windows(window[0] - DAY, window[0] + MOMENT)[-1][0]
    end = run.calendar.windows(window[1] - MOMENT, window[1] + DAY)[0][1]
    if end - begin > DAY:
        return gettext("open around the clock")
    return gettext("open %(span)s") % {"span": _span(run, (begin, end))}


def _span(run: Run, span: Span) -> str:
    """“Mon 9:00–17:30”, with the second day where it is another."""
    begin, end = (moment.astimezone(run.zone) for moment in span)
    return f"{run.moment(span[0])}–{formats.time_of(end) if begin.date() == end.date() else run.moment(span[1])}"


def _percent(value: float) -> str:
    return f"{value:.2f}%"
