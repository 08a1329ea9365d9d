"""Criteria and monthly targets as people write them: one a line, read and written without loss. Pure.

A criterion is a field, a comparison and a value, as one would say it: `score is at least 80`, `source is Demo request`,
`industry is one of Logistics; Energy`, `phone is not empty`. A value in double quotes is taken as it stands, so
`source is "not known"` compares with the text *not known*.
"""

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from django.core.exceptions import ValidationError

from agreements.catalogue import FIELDS, Operator
from agreements.models import Criterion

PHRASES: dict[str, Operator] = {
    **{operator.label: operator for operator in Operator},
    **{operator.value: operator for operator in Operator},
    "is not one of": Operator.NONE_OF,
    "is filled": Operator.FILLED,
    ">=": Operator.AT_LEAST,
    "<=": Operator.AT_MOST,
    "=": Operator.IS,
}
ALONE = (Operator.EMPTY, Operator.FILLED)
SEVERAL = (Operator.ONE_OF, Operator.NONE_OF)
FIELD_NAMES = {name.casefold(): field for field, label in FIELDS.items() for name in (field, label)}


def _either(operators: Iterable[Operator]) -> str:
    """A pattern for every phrase of the operators, the longest first so that *is not* wins over *is*."""
    phrases = [phrase for phrase, operator in PHRASES.items() if operator in operators]
    return "|".join(re.escape(phrase) for phrase in sorted(phrases, key=len, reverse=True))


_COMPARISON = rf"(?P<alone>{_either(ALONE)})|(?P<how>{_either(set(Operator) - set(ALONE))})(?:\s+(?P<value>.*))?"
_LINE = re.compile(rf"(?P<field>\S.*?)\s+(?:{_COMPARISON})", re.IGNORECASE)


def parse_criterion(line: str) -> Criterion:
    """The criterion that a line such as `score is at least 80` says; `ValidationError` with a sentence otherwise.

    A value in double quotes is taken as it stands: `source is "not known"` compares with the text *not known*.
    """
    match = _LINE.fullmatch(line.strip())
    if match is None:
        raise ValidationError(
            f"“{line.strip()}” does not say how to compare. Write a field, a comparison and a value, such as "
            "“score is at least 80”."
        )
    operator = PHRASES[(match["alone"] or match["how"]).lower()]
    values = (match["value"] or "").split(";") if operator in SEVERAL else [match["value"] or ""]
    value = "; ".join(text for text in map(_unquoted, values) if text)
    criterion = Criterion(field=_field(match["field"]), operator=operator, value=value)
    try:
        criterion.clean_fields(exclude=["agreement", "version", "commitment"])
        criterion.clean()
    except ValidationError as problem:
        raise ValidationError(problem.messages) from problem
    return criterion


def write_criterion(criterion: Criterion) -> str:
    """The line that `parse_criterion` reads as this criterion."""
    field = FIELDS.get(criterion.field, criterion.field)
    label = Operator(criterion.operator).label
    if criterion.operator in SEVERAL:
        return f"{field} {label} {'; '.join(map(_quoted, criterion.value.split(';')))}"
    line = f"{field} {label} {criterion.value}".strip()
    match = _LINE.fullmatch(line)
    plain = match and PHRASES[(match["alone"] or match["how"]).lower()] == criterion.operator
    return line if plain and _quoted(criterion.value) == criterion.value else f'{field} {label} "{criterion.value}"'


def parse_criteria(text: str) -> list[Criterion]:
    """The criteria of a text, one a line; blank lines say nothing. Names each bad line in a `ValidationError`."""
    found, problems = [], []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            found.append(parse_criterion(line))
        except ValidationError as problem:
            problems += [f"Line {number}: {message}" for message in problem.messages]
    if problems:
        raise ValidationError(problems)
    return found


def write_criteria(criteria: Iterable[Criterion]) -> str:
    """The text that `parse_criteria` reads as these criteria."""
    return "\n".join(map(write_criterion, criteria))


def _field(name: str) -> str:
    """The field that a person calls so: its own name or its label, whatever the case; free ones as they stand."""
    name = " ".join(name.split())
    known = FIELD_NAMES.get(name.casefold())
    if known or name.startswith("attributes."):
        return known or name
    close = get_close_matches(name.casefold(), FIELD_NAMES, n=1)
    hint = f"Did you mean “{close[0]}”?" if close else f"Use {', '.join(FIELDS.values())} or attributes.<name>."
    raise ValidationError(f"Leads have no field “{name}”. {hint}")


def _unquoted(value: str) -> str:
    value = value.strip()
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value


def _quoted(value: str) -> str:
    """The value as it must be written so that reading it takes nothing away."""
    value = value.strip()
    return f'"{value}"' if _unquoted(value) != value else value


_MONTH = re.compile(r"(?P<month>[12]\d{3}-(?:0[1-9]|1[0-2]))(?:\s*[:=]\s*|\s+)(?P<leads>\d{1,6})")


def parse_monthly_targets(text: str) -> dict[str, int]:
    """Leads by month, from lines such as `2026-12: 30`; `ValidationError` names the line that is none."""
    found: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        match = _MONTH.fullmatch(line.strip())
        if match is None:
            raise ValidationError(
                f"Line {number}: “{line.strip()}” is not a month and its target, such as 2026-12: 30."
            )
        if match["month"] in found:
            raise ValidationError(f"Line {number}: {match['month']} has a target already.")
        found[match["month"]] = int(match["leads"])
    return found


def write_monthly_targets(targets: Mapping[str, object]) -> str:
    """The text that `parse_monthly_targets` reads as these targets."""
    return "\n".join(f"{month}: {leads}" for month, leads in sorted(targets.items()))
