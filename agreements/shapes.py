"""What a JSON document must look like, and every complaint about one that does not, with its place. Pure.

A shape is a check of one value, a list with the shape of its items, an `Each` or a `Record`. Complaints read
“commitments 2 (“contact”): limit “four” is not a number such as 4 or 2.5.”
"""

import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from itertools import islice
from typing import Any

from django.core.exceptions import ValidationError

# Characters of a wrong value that are repeated.
SHORT = 60
# Words that are looked through for what was meant.
MOST_KNOWN = 100

# Looks at one value. Raises `ValueError` with what continues “limit “four” …”, or `ValidationError` with sentences.
Check = Callable[[Any], None]


class Object(dict):
    """An object of the document, which remembers the keys that stand in it twice: one of the values would be lost."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        seen: set[str] = set()
        self.twice = {key for key, _ in pairs if key in seen or seen.add(key)}


@dataclass(frozen=True)
class Each:
    """An object whose keys are free, such as names."""

    key: Check
    value: Any


@dataclass(frozen=True)
class Record:
    """An object with these keys and no others; `whole` looks at it once every value is good by itself."""

    keys: Mapping[str, Any]
    optional: frozenset[str] = frozenset()
    whole: Callable[[Mapping[str, Any]], Iterable[str]] = lambda value: ()


def parse(text: str) -> Any:
    """The document; `ValueError` with a sentence where it is no JSON."""
    try:
        return json.loads(text.removeprefix("\ufeff"), object_pairs_hook=Object, parse_float=Decimal)
    except json.JSONDecodeError as problem:
        raise ValueError(f"Line {problem.lineno}, character {problem.colno}: this is not JSON.") from None
    except (ValueError, RecursionError):
        raise ValueError("A number in it is too long, or its lists and objects stand too deep in each other.") from None


def complaints(value: Any, shape: Any, place: str = "") -> Iterator[str]:
    """What is wrong with a value, each as a sentence that begins with its place."""
    if isinstance(shape, list):
        yield from _of_list(value, shape[0], place)
    elif not isinstance(shape, Each | Record):
        yield from _of_value(value, shape, place)
    elif not isinstance(value, dict):
        yield f"{place} {shown(value)} is not an object."
    else:
        twice = [f"{_inside(place, shown(key))} stands there twice. Keep one." for key in sorted(value.twice)]
        yield from twice
        if isinstance(shape, Each):
            yield from _of_each(value, shape, place)
        else:
            yield from _of_record(value, shape, place, is_good=not twice)


def item_place(place: str, number: int, item: Any) -> str:
    """Where an item of a list stands: “commitments 2 (“contact”)”; its code says more than its number."""
    code = item.get("code") if isinstance(item, dict) else None
    return f"{place} {number} ({shown(code)})" if code else f"{place} {number}"


def _of_value(value: Any, check: Check, place: str) -> Iterator[str]:
    try:
        check(value)
    except ValidationError as problem:
        yield from (f"{place} {shown(value)}: {message}" for message in problem.messages)
    except ValueError as problem:
        yield f"{place} {shown(value)} {problem}"


def _of_list(value: Any, shape: Any, place: str) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"{place} {shown(value)} is not a list."
        return
    for number, item in enumerate(value, start=1):
        yield from complaints(item, shape, item_place(place, number, item))


def _of_each(value: Object, shape: Each, place: str) -> Iterator[str]:
    for key, item in value.items():
        yield from _of_value(key, shape.key, place)
        yield from complaints(item, shape.value, f"{place} {shown(key)}")


def _of_record(value: Object, shape: Record, place: str, *, is_good: bool) -> Iterator[str]:
    for key in value:
        if key not in shape.keys:
            is_good = False
            yield f"{_inside(place, shown(key))} is not a key that belongs here. {hint(key, shape.keys)}"
    for key, inner in shape.keys.items():
        if key not in value:
            if key not in shape.optional:
                is_good = False
                yield f"{_inside(place, f'“{key}”')} is missing."
            continue
        for complaint in complaints(value[key], inner, _inside(place, key)):
            is_good = False
            yield complaint
    if is_good:
        yield from (_inside(place, complaint) for complaint in shape.whole(value))


def _inside(place: str, what: str) -> str:
    return f"{place}: {what}" if place else what


# --- In sentences -------------------------------------------------------------------------------------------------


def shown(value: Any) -> str:
    """A value as it stands in a sentence: in quotes, not too long, and nothing hidden in it."""
    match value:
        case list():
            return "(a list)"
        case dict():
            return "(an object)"
        case str():
            text = _in_sight(value[: SHORT + 1])
        case Decimal():
            text = str(value)
        case _:
            text = json.dumps(value)
    return f"“{text if len(text) <= SHORT else text[: SHORT - 1] + '…'}”"


def _in_sight(text: str) -> str:
    return "".join("�" if _is_hidden(character) else character for character in text)


def hint(given: str, known: Iterable[str]) -> str:
    """What was probably meant, or all that there is."""
    known = [_in_sight(name) for name in islice(known, MOST_KNOWN) if name]
    close = get_close_matches(given[:SHORT], known, n=1)
    return f"Did you mean “{close[0]}”?" if close else f"Known are {', '.join(known) or 'none'}."


# --- Checks -------------------------------------------------------------------------------------------------------

_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")
# These turn the text around them: signers would read something else than what is kept.
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def line(value: Any) -> None:
    """A text of one line."""
    if not isinstance(value, str):
        raise ValueError("is not a text.")
    if any(_is_hidden(character) for character in value):
        raise ValueError("holds a character that nobody can see. Write it anew.")


def lines(value: Any) -> None:
    """A text that may have several lines."""
    line(value.translate(_BREAKS) if isinstance(value, str) else value)


_BREAKS = dict.fromkeys(map(ord, "\r\n\t"), " ")


def _is_hidden(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or character in _TURNING


def whole(value: Any) -> None:
    """A whole number."""
    if type(value) is not int:
        raise ValueError("is not a whole number such as 5.")


def number(value: Any) -> None:
    """A number with or without decimals, as a number or as text."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str) or not _NUMBER.fullmatch(str(value)):
        raise ValueError("is not a number such as 4 or 2.5.")


def one_of(known: Iterable[str]) -> Check:
    """One of these texts."""
    known = tuple(known)

    def check(value: Any) -> None:
        if value not in known:
            raise ValueError(f"is not known. {hint(value if isinstance(value, str) else '', known)}")

    return check


def maybe(inner: Check) -> Check:
    """Nothing (null), or what `inner` accepts."""
    return lambda value: None if value is None else inner(value)


def anything(value: Any) -> None:
    """Whatever stands there: nobody reads it."""
