"""Figures, spans of time, days and lists as they stand in a sentence. Pure."""

from collections.abc import Iterable, Sequence
from datetime import date
from fractions import Fraction

from agreements.catalogue import FIELDS

NBSP = "\N{NO-BREAK SPACE}"
# Field names that are none in a sentence.
NOUNS = {"email": "e-mail address", "phone": "phone number", "title": "job title"}


def number(value: Fraction) -> str:
    """A figure of the terms, with two decimals at most and none that say nothing."""
    return f"{float(value):.2f}".rstrip("0").rstrip(".")


def percentage(share: Fraction) -> str:
    """A share of the terms as agreed, unrounded: “95 %”."""
    return f"{number(share * 100)}{NBSP}%"


def span(limit: str) -> str:
    """A limit of the terms: “1 business day”, “4 business hours”."""
    amount, unit = limit.split(" ", 1)
    return f"{amount}{NBSP}{unit.removesuffix('s') if amount == '1' else unit}"


def in_hours(seconds: int) -> str:
    """“8.5 hours”."""
    return f"{number(Fraction(seconds, 3600))}{NBSP}hours"


def windows(pairs: Iterable[Sequence[str]]) -> str:
    """“9:00–12:00 and 13:00–17:30”; empty when closed."""
    return enumeration([f"{begin.removeprefix('0')}–{end.removeprefix('0')}" for begin, end in pairs])


def day_of(day: date) -> str:
    """“3 March 2026”."""
    return f"{day:%-d %B %Y}"


def month_of(month: str) -> str:
    """“December 2026” of “2026-12”."""
    return f"{date.fromisoformat(f'{month}-01'):%B %Y}"


def noun(field: str) -> str:
    """What a field of a lead is called in a sentence."""
    return NOUNS.get(field) or FIELDS.get(field) or field.removeprefix("attributes.").replace("_", " ")


def enumeration(words: Sequence[str], last: str = "and") -> str:
    """“a, b and c”."""
    return f" {last} ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))
