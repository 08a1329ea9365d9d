"""What terms say of a lead's fields: is it covered, does it meet the definition, what is missing. Pure.

Text compares trimmed and without case; a missing value meets only *is empty* (rule A1).
"""

from collections.abc import Mapping
from typing import Any

from agreements import criteria
from agreements.catalogue import FIELDS, Operator
from agreements.terms import Terms, Test


def raw_value(values: Mapping[str, Any], field: str) -> Any:
    """A field as it came; `attributes.x` reads the free attributes."""
    if field.startswith("attributes."):
        return (values.get("attributes") or {}).get(field.removeprefix("attributes."))
    return values.get(field)


def value_of(values: Mapping[str, Any], field: str) -> str:
    """A field as text, trimmed and without case; missing is empty."""
    found = raw_value(values, field)
    return "" if found is None else str(found).strip().casefold()


def meets(test: Test, values: Mapping[str, Any]) -> bool:
    """Whether a lead's fields meet one criterion."""
    return criteria.accepts(test, value_of(values, test.field))


def covers(terms: Terms, values: Mapping[str, Any]) -> bool:
    """Whether the lead is in the agreement's scope."""
    return all(meets(test, values) for test in terms.scope)


def definition(terms: Terms) -> list[Test]:
    """Everything that a lead has to meet: the score, then the criteria."""
    tests = list(terms.criteria)
    if terms.score_threshold is not None:
        tests.insert(0, Test("score", Operator.AT_LEAST, (str(terms.score_threshold),)))
    return tests


def failed(terms: Terms, values: Mapping[str, Any]) -> list[str]:
    """The criteria of the lead definition that the lead does not meet, in words; empty means qualified."""
    return [str(test) for test in definition(terms) if not meets(test, values)]


def missing(terms: Terms, values: Mapping[str, Any]) -> list[str]:
    """The required fields that are empty, in words."""
    return [FIELDS.get(field, field) for field in terms.required_fields if not value_of(values, field)]


def scope_bits(terms: Terms, values: Mapping[str, Any]) -> int:
    """Bit n is set when the lead is in the scope of the nth commitment."""
    return sum(1 << p.index for p in terms.promises if all(meets(test, values) for test in p.scope))
