"""A document with what changed since an earlier one marked in it: words struck out before, and new ones after.

Pure; reads documents only, and knows nothing of what they say.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, TypeVar

from django.db.models import TextChoices

from agreements.wording import Clause, Document, Hours
from slaportal.models import Party

Key = TypeVar("Key")
Made = TypeVar("Made")

# Two sentences of which this share of words is the same are one sentence that changed.
ALIKE = 0.5
# Fewer unchanged words than these between two changes change with them: the eye should not jump from scrap to scrap.
WORDS_BETWEEN = 2
# A figure or span of times with its unit, a word, blanks, or any other character.
_NUMBER = r"\d+(?:[.,:]\d+)*"
_UNIT = r"%|(?:business )?(?:minute|hour|day)s?\b"
_TOKEN = re.compile(rf"{_NUMBER}(?:–{_NUMBER})?(?!\w)(?:\s(?:{_UNIT}))?|\w+(?:[-’'.]\w+)*|\s+|.", re.DOTALL)


class Mark(TextChoices):
    """What became of a text."""

    KEPT = "kept"
    REMOVED = "removed"
    ADDED = "added"


@dataclass(frozen=True)
class Piece:
    """A stretch of text as it was and as it is: the same on both sides, or replaced, removed or added."""

    before: str
    after: str

    @property
    def mark(self) -> Mark | None:
        """None where one text took the place of another."""
        if self.before == self.after:
            return Mark.KEPT
        return Mark.ADDED if not self.before else None if self.after else Mark.REMOVED


@dataclass(frozen=True)
class Line:
    """A text in pieces."""

    pieces: tuple[Piece, ...]

    @property
    def before(self) -> str:
        return "".join(piece.before for piece in self.pieces)

    @property
    def after(self) -> str:
        return "".join(piece.after for piece in self.pieces)

    @property
    def mark(self) -> Mark | None:
        """The mark of all its pieces; None where they differ, or where it is blank."""
        marks = {piece.mark for piece in self.pieces}
        return marks.pop() if len(marks) == 1 else None


@dataclass(frozen=True)
class MarkedClause:
    """A commitment; as a whole it was kept, is gone or is new."""

    code: str
    title: Line
    text: Line
    consequence: Line
    ladder: Line
    mark: Mark


@dataclass(frozen=True)
class MarkedSection:
    """What one party will do."""

    party: Party
    clauses: tuple[MarkedClause, ...]
    mark: Mark


@dataclass(frozen=True)
class MarkedHours:
    """A calendar, with its closed days by year."""

    name: str
    text: Line
    closed: tuple[tuple[int, Line], ...]
    mark: Mark

    @property
    def has_other_closed_days(self) -> bool:
        return any(days.mark != Mark.KEPT for _, days in self.closed)


@dataclass(frozen=True)
class MarkedDocument:
    """A version on one page, with what changed since another marked."""

    covers: Line
    qualified: tuple[Line, ...]
    promises: tuple[MarkedSection, ...]
    both: tuple[Line, ...]
    notes: tuple[Line, ...]
    calendars: tuple[MarkedHours, ...]


def marked(before: Document | None, after: Document) -> MarkedDocument:
    """The later document with what changed since the earlier one marked; nothing is, where there is none earlier."""
    before = before or after
    return MarkedDocument(
        covers=_line(before.covers, after.covers),
        qualified=_lines(before.qualified, after.qualified),
        promises=tuple(_pairs(_section, dict(before.promises), dict(after.promises))),
        both=_lines(before.both, after.both),
        notes=_lines(before.notes, after.notes),
        calendars=tuple(_pairs(_hours, *({one.name: one for one in of.calendars} for of in (before, after)))),
    )


def _pairs(make: Callable[..., Made], before: Mapping[Any, Any], after: Mapping[Any, Any]) -> Iterator[Made]:
    """What `make` makes of each key, of what stood there and stands there (or None), and of the mark of the whole."""
    for key in in_order(before, after):
        mark = Mark.ADDED if key not in before else Mark.REMOVED if key not in after else Mark.KEPT
        yield make(key, before.get(key), after.get(key), mark)


def in_order(before: Iterable[Key], after: Iterable[Key]) -> list[Key]:
    """All keys as they stand in `after`; one that is gone follows the one that it followed before."""
    found, last = list(after), -1
    for key in before:
        if key not in found:
            found.insert(last + 1, key)
        last = found.index(key)
    return found


def _section(
    party: Party, before: Sequence[Clause] | None, after: Sequence[Clause] | None, mark: Mark
) -> MarkedSection:
    old, new = ({clause.code: clause for clause in clauses or ()} for clauses in (before, after))
    return MarkedSection(party, tuple(_pairs(_clause, old, new)), mark)


def _clause(code: str, before: Clause | None, after: Clause | None, mark: Mark) -> MarkedClause:
    def line(part: str) -> Line:
        return _line(*(getattr(clause, part, "") for clause in (before, after)))

    return MarkedClause(code, line("title"), line("text"), line("consequence"), line("ladder"), mark)


def _hours(name: str, before: Hours | None, after: Hours | None, mark: Mark) -> MarkedHours:
    text = _line(*(hours.text if hours else "" for hours in (before, after)))
    closed = _pairs(_closed, *(dict(hours.closed) if hours else {} for hours in (before, after)))
    return MarkedHours(name, text, tuple(closed), mark)


def _closed(year: int, before: Sequence[str] | None, after: Sequence[str] | None, mark: Mark) -> tuple[int, Line]:
    """The closed days of a year: a day is marked as a whole."""
    old, new = ([part for day in days or () for part in (", ", day)][1:] for days in (before, after))
    return year, _marked(old, new, words_between=1)


def _lines(before: Sequence[str], after: Sequence[str]) -> tuple[Line, ...]:
    """Sentences side by side: the same ones, and between them those that are mostly so; others stand alone."""
    found: list[Line] = []
    for _, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        gone, new = list(before[a:b]), []
        for now in after[c:d]:
            likeness = [_likeness(was, now) for was in gone]
            if max(likeness, default=0) < ALIKE:
                new.append(now)
                continue
            same = likeness.index(max(likeness))
            found += [*_alone(gone[:same], new), _line(gone[same], now)]
            gone, new = gone[same + 1 :], []
        found += _alone(gone, new)
    return tuple(found)


def _alone(gone: Sequence[str], new: Sequence[str]) -> list[Line]:
    return [*(_line(was, "") for was in gone), *(_line("", now) for now in new)]


def _likeness(before: str, after: str) -> float:
    """The share of words that two sentences have in common."""
    words = ([token for token in _TOKEN.findall(text) if _is_word(token)] for text in (before, after))
    return SequenceMatcher(None, *words, autojunk=False).ratio()


def _line(before: str, after: str) -> Line:
    if before == after:
        return Line((Piece(before, after),) if after else ())
    return _marked(_TOKEN.findall(before), _TOKEN.findall(after), words_between=WORDS_BETWEEN)


def _marked(before: Sequence[str], after: Sequence[str], *, words_between: int) -> Line:
    """Two lists of words as one line. Scraps between changes change too; what is mostly new is so in one piece."""
    pieces: list[tuple[bool, list[str], list[str]]] = []
    opcodes = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    for index, (tag, a, b, c, d) in enumerate(opcodes):
        scrap = 0 < index < len(opcodes) - 1 and _count(before[a:b]) < words_between
        changed = tag != "equal" or scrap
        if changed and pieces and pieces[-1][0]:
            pieces[-1] = (True, [*pieces[-1][1], *before[a:b]], [*pieces[-1][2], *after[c:d]])
        else:
            pieces.append((changed, list(before[a:b]), list(after[c:d])))
    kept = sum(_count(was) for changed, was, _ in pieces if not changed)
    if sum(changed for changed, *_ in pieces) > 1 and 2 * kept < ALIKE * (_count(before) + _count(after)):
        return Line((Piece("".join(before), "".join(after)),))
    return Line(tuple(Piece("".join(was), "".join(now)) for _, was, now in pieces))


def _count(tokens: Iterable[str]) -> int:
    return sum(map(_is_word, tokens))


def _is_word(token: str) -> bool:
    return any(map(str.isalnum, token))
