"""Criteria, tested against a value and against each other. Pure.

Text compares trimmed and without case, numbers as numbers; a missing value meets only *is empty* (rule A1).
"""

from collections.abc import Iterable, Sequence
from itertools import chain
from math import inf, isfinite

from agreements.catalogue import Operator
from agreements.terms import Test


def accepts(test: Test, value: str) -> bool:
    """Whether a value, already trimmed and without case, meets a criterion; a missing one is empty."""
    if test.operator == Operator.EMPTY:
        return not value
    if not value:
        return False
    wanted = [text.casefold() for text in test.values]
    match test.operator:
        case Operator.FILLED:
            return True
        case Operator.IS | Operator.ONE_OF:
            return any(same(value, text) for text in wanted)
        case Operator.IS_NOT | Operator.NONE_OF:
            return not any(same(value, text) for text in wanted)
        case Operator.CONTAINS:
            return wanted[0] in value
    number = number_of(value)
    if number is None:
        return False
    return number >= float(wanted[0]) if test.operator == Operator.AT_LEAST else number <= float(wanted[0])


def overlap(*scopes: Iterable[Test]) -> bool:
    """Whether one lead could be in all these scopes: yes, unless some field rules it out."""
    by_field: dict[str, list[Test]] = {}
    for test in chain(*scopes):
        by_field.setdefault(test.field, []).append(test)
    return all(_has_room(tests) for tests in by_field.values())


def _has_room(tests: Sequence[Test]) -> bool:
    """Whether some value of one field meets all these; where that cannot be told for certain, yes."""
    if any(test.operator == Operator.EMPTY for test in tests):
        return all(accepts(test, "") for test in tests)
    for test in tests:
        if test.operator in (Operator.IS, Operator.ONE_OF):
            return any(fits(text, tests) for text in test.values)
    lowest = max((float(test.values[0]) for test in tests if test.operator == Operator.AT_LEAST), default=-inf)
    highest = min((float(test.values[0]) for test in tests if test.operator == Operator.AT_MOST), default=inf)
    # Between two numbers lie more than any list excludes, and no list excludes every text that contains another.
    return fits(str(lowest), tests) if lowest == highest else lowest < highest


def fits(text: str, tests: Sequence[Test]) -> bool:
    """Whether the value meets them all. A number can be written in many ways, so it may contain anything."""
    value = text.casefold()
    is_number = number_of(value) is not None
    return all(accepts(test, value) or (is_number and test.operator == Operator.CONTAINS) for test in tests)


def number_of(text: str) -> float | None:
    """A number as people write it; `inf`, `nan` and `1_000` are words."""
    try:
        found = float(text)
    except ValueError:
        return None
    return found if isfinite(found) and "_" not in text else None


def same(value: str, wanted: str) -> bool:
    """Whether two texts without case are the same text or the same number."""
    if value == wanted:
        return True
    number = number_of(value)
    return number is not None and number == number_of(wanted)
