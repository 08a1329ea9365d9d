"""A file of terms: what `agreements.terms` freezes, checked in full and turned into rows before anything is written.

Which keys it has is said here; what their values may be is asked of the models, so that a file and a form follow the
same rules.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import chain, islice
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import models

from agreements import shapes
from agreements.business_time import BusinessTime, write_windows
from agreements.calendars import WEEKDAYS, BusinessCalendar, SpecialDay, public_holidays
from agreements.catalogue import CATALOGUE, Measure, Operator, Start
from agreements.models import YEARS, Agreement, Commitment, Criterion, Step, Version, validate_field
from agreements.plain_ladders import MOST_STEPS
from agreements.plain_text import ALONE, SEVERAL
from agreements.shapes import Check, Each, Record, anything, line, maybe, one_of, shown, whole
from agreements.signoff import MOST_COMMITMENTS
from agreements.terms import SCHEMA
from slaportal.models import Party, Team
from slaportal.refusal import Refused

MOST_BYTES = 2_000_000
# Complaints that are listed; whoever mends twenty things tries again anyway.
MOST_COMPLAINTS = 20


class BadTerms(Refused):
    """A file that cannot be imported; each of the `complaints` says where, what is wrong and often the cure."""

    def __init__(self, complaints: Iterable[str]) -> None:
        self.complaints = tuple(complaints)
        listed = [f"– {one}" for one in self.complaints[:MOST_COMPLAINTS]]
        if len(self.complaints) > MOST_COMPLAINTS:
            listed.append(f"– There is more; these are the first {MOST_COMPLAINTS}.")
        super().__init__("\n".join(["Nothing was imported. Mend this in the file:", *listed]))


@dataclass(frozen=True)
class PromiseRows:
    """A commitment with its scope and steps; `calendar` and the steps' teams are named as in the file."""

    commitment: Commitment
    calendar: str
    scope: list[Criterion]
    steps: list[Step]


@dataclass(frozen=True)
class Contents:
    """A good file. `data` is the file itself, `fields` those of the version but for its calendar."""

    data: Mapping[str, Any]
    fields: Mapping[str, Any]
    criteria: list[Criterion]
    promises: list[PromiseRows]


def read(text: str) -> Contents:
    """The unsaved rows that a file says; `BadTerms` with all that is wrong with it otherwise."""
    data = _parse(text)
    complaints = list(islice(chain(_across(data), shapes.complaints(data, DOCUMENT)), MOST_COMPLAINTS + 1))
    if complaints:
        raise BadTerms(complaints)
    definition = data["definition"]
    given = {**data, **definition}
    return Contents(
        data=data,
        fields={name: _cleaned(Version, name, given[name]) for name in VERSION_KEYS if given.get(name) is not None},
        criteria=[_criterion(test) for test in definition["criteria"]],
        promises=[
            PromiseRows(
                commitment=(commitment := _commitment(row, position)),
                calendar=row["calendar"],
                scope=[_criterion(test) for test in row["scope"]],
                steps=_steps(row, commitment),
            )
            for position, row in enumerate(data["commitments"])
        ],
    )


def _parse(text: str) -> Mapping[str, Any]:
    """The object of the file, if this release knows its schema and it is not beyond all measure."""
    if len(text.encode(errors="replace")) > MOST_BYTES:
        raise BadTerms([f"It is larger than {MOST_BYTES // 1_000_000} MB, and terms fit on a page."])
    try:
        data = shapes.parse(text)
    except ValueError as problem:
        raise BadTerms([f"{problem} Export a version to see how terms look."]) from None
    if not isinstance(data, dict):
        raise BadTerms(["It is not an object. Export a version to see how terms look."])
    schema = data.get("schema")
    if type(schema) is not int or not 1 <= schema <= SCHEMA:
        is_newer = type(schema) is int and schema > SCHEMA
        cure = "Update the portal: a later release wrote this." if is_newer else "Export a version to see how it looks."
        raise BadTerms([f"schema {shown(schema)} is not known; this release reads schemas 1 to {SCHEMA}. {cure}"])
    for key, most in (("commitments", MOST_COMMITMENTS), ("calendars", MOST_COMMITMENTS + 1)):
        if isinstance(data.get(key), list | dict) and len(data[key]) > most:
            raise BadTerms([f"{key}: there are {len(data[key])}; a version has no more than {most}."])
    return data


# --- Rows ---------------------------------------------------------------------------------------------------------


def calendar_rows(name: str, frozen: Mapping[str, Any]) -> tuple[BusinessCalendar, list[SpecialDay]]:
    """The rows that freeze as this calendar of a good file; closed days that are no public holiday are special days."""
    calendar = _calendar(frozen, name=name)
    years = {int(day[:4]) for day in frozen["closed"]}
    holidays = public_holidays(calendar.country, calendar.region, years=years)
    days = [SpecialDay(date=day, hours=write_windows(pairs)) for day, pairs in frozen["special"].items()]
    longest = SpecialDay._meta.get_field("name").max_length
    for day, why in frozen["closed"].items():
        if holidays.get(date.fromisoformat(day)) != why:
            days.append(SpecialDay(date=day, name=why if len(why) <= longest else f"{why[: longest - 1]}…"))
    return calendar, days


def _calendar(frozen: Mapping[str, Any], **fields: Any) -> BusinessCalendar:
    hours = {WEEKDAYS[int(day)]: write_windows(pairs) for day, pairs in frozen["hours"].items()}
    where = {key: frozen.get(key, "") for key in ("time_zone", "country", "region")}
    return BusinessCalendar(**fields, **where, **hours)


def _criterion(test: Mapping[str, Any]) -> Criterion:
    return Criterion(field=test["field"], operator=test["operator"], value="; ".join(test["values"]))


def _commitment(row: Mapping[str, Any], position: int = 0) -> Commitment:
    kind = CATALOGUE[row["kind"]]
    fields = {name: _cleaned(Commitment, name, row[name]) for name in COMMITMENT_KEYS}
    months = {month: int(Decimal(leads)) for month, leads in row["monthly_targets"].items()}
    start = (row["start"] or "") if kind.starts else ""
    return Commitment(**fields, kind=kind.code, start=start, monthly_targets=months, position=position)


def _steps(row: Mapping[str, Any], commitment: Commitment) -> list[Step]:
    """The ladder, whose teams are names alone. Before schema 3 there was none."""
    return [
        Step(
            **{**step, "team": Team(name=step["team"]) if step["team"] else None}, commitment=commitment, position=place
        )
        for place, step in enumerate(row.get("steps", ()))
    ]


def _cleaned(model: type[models.Model], name: str, value: Any) -> Any:
    """The value as the model's field keeps it; `ValidationError` where it may not have it."""
    field = model._meta.get_field(name)
    return field.clean(Decimal(value) if isinstance(field, models.DecimalField) and value is not None else value, None)


# --- What the values may be ---------------------------------------------------------------------------------------


def _of(model: type[models.Model], name: str) -> Check:
    """A value of this field of a model: of the right sort, and then what the model says."""
    field = model._meta.get_field(name)
    if field.choices and isinstance(field, models.CharField):
        return one_of([value for value, _ in field.flatchoices] + [""] * field.blank)
    sort = next(check for fields, check in SORTS.items() if isinstance(field, fields))

    def check(value: Any) -> None:
        if value is not None or not field.null:
            sort(value)
            _cleaned(model, name, value)

    return check


SORTS: Mapping[type[models.Field], Check] = {
    models.DecimalField: shapes.number,
    models.IntegerField: shapes.whole,
    models.TextField: shapes.lines,
    models.CharField: shapes.line,
}


_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(r"[0-9]{1,2}:[0-9]{2}")


def _moment(value: Any) -> None:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        moment = None
    if moment is None or moment.tzinfo is None or moment.year not in range(YEARS[0] - 1, YEARS[-1] + 1):
        raise ValueError("is not a moment such as 2026-03-31T22:00:00+00:00.")


def _day(value: Any) -> None:
    if not _is_day(value):
        raise ValueError(f"is not a day such as 2026-12-24, of the years {YEARS[0]} to {YEARS[-1]}.")


def _month(value: Any) -> None:
    if not (isinstance(value, str) and _is_day(f"{value}-01")):
        raise ValueError("is not a month such as 2026-12.")


def _is_day(value: Any) -> bool:
    try:
        return bool(_DAY.fullmatch(value)) and date.fromisoformat(value).year in YEARS
    except (TypeError, ValueError):
        return False


def _leads(value: Any) -> None:
    shapes.number(value)
    if not 0 <= Decimal(value) < 1_000_000 or Decimal(value) % 1:
        raise ValueError("is not a number of leads such as 30.")


def _windows(value: Any) -> None:
    pairs = value if isinstance(value, list) else [None]
    if not all(isinstance(pair, list) and len(pair) == 2 and all(map(_is_time, pair)) for pair in pairs):
        raise ValueError('is not a list of windows such as [["09:00", "12:30"], ["13:15", "17:30"]].')
    _cleaned(SpecialDay, "hours", write_windows(pairs))


def _open_windows(value: Any) -> None:
    _windows(value)
    if not value:
        raise ValueError("is without hours. Name the day under “closed”.")


def _is_time(value: Any) -> bool:
    return isinstance(value, str) and bool(_TIME.fullmatch(value))


def _required_field(value: Any) -> None:
    shapes.line(value)
    validate_field(value)


# What goes together is asked of the models' own checks where they have one.


def _criterion_as_a_whole(test: Mapping[str, Any]) -> Iterator[str]:
    operator, values, row = test["operator"], test["values"], _criterion(test)
    if operator not in (*SEVERAL, *ALONE) and len(values) > 1:
        yield f"“{operator}” compares with one value. Use “{Operator.ONE_OF}” or “{Operator.NONE_OF}” for several."
        return
    sentences = [*_said_by(lambda: _cleaned(Criterion, "value", row.value)), *_said_by(row.clean)]
    if not sentences and row.values != [value.strip() for value in values]:
        sentences = ["none of several values may be empty or hold a semicolon, which parts them."]
    yield from (f"values: {sentence.removeprefix('value: ')}" for sentence in sentences)


def _commitment_as_a_whole(row: Mapping[str, Any]) -> Iterator[str]:
    kind, commitment = CATALOGUE[row["kind"]], _commitment(row)
    said = [*_said_by(commitment.clean)]
    yield from said or _said_by(lambda: commitment.validate_constraints(exclude={"version", "calendar"}))
    if row["party"] != kind.party:
        yield f"party {shown(row['party'])} does not promise this. Write “{kind.party}”, or choose another kind."
    if not kind.starts and row["start"] not in (None, kind.fixed_start):
        only = f"“{kind.fixed_start}”" if kind.fixed_start else "null"
        yield f"start {shown(row['start'])}: {kind.label} leaves no choice. Write {only}."
    if row["attempts"] is not None and not kind.takes_attempts:
        yield f"attempts {shown(row['attempts'])}: {kind.label} counts no attempts. Write null."
    if row["monthly_targets"] and kind.measure != Measure.COUNT:
        yield f"monthly_targets: {kind.label} has no targets by month. Write {{}}."
    steps = _steps(row, commitment)
    if len(steps) > MOST_STEPS:
        yield f"steps: there are {len(steps)}; a ladder has no more than {MOST_STEPS}."
    for number, step in enumerate(steps[:MOST_STEPS], start=1):
        yield from (f"steps {number}: {sentence}" for sentence in _said_by(step.clean))


def _calendar_as_a_whole(frozen: Mapping[str, Any]) -> Iterator[str]:
    calendar = _calendar(frozen)
    sentences = [*_said_by(calendar.clean)]
    if not sentences:
        day = int(BusinessTime(calendar.time_zone, calendar.weekly_hours).working_day.total_seconds())
        if frozen["working_day_seconds"] != day:
            sentences = [f"working_day_seconds {shown(frozen['working_day_seconds'])} is not a day of its hours. "
                         f"Write {day}."]  # fmt: skip
    yield from sentences
    for day in sorted(frozen["special"].keys() & frozen["closed"].keys()):
        yield f"“{day}” is both under “special” and “closed”. Keep one."


def _said_by(check: Callable[[], object]) -> Iterator[str]:
    """The sentences of a model's own check, each behind the key that it is about."""
    try:
        check()
    except ValidationError as problem:
        by_key = problem.message_dict if hasattr(problem, "error_dict") else {NON_FIELD_ERRORS: problem.messages}
        for key, messages in by_key.items():
            yield from (message if key == NON_FIELD_ERRORS else f"{key}: {message}" for message in messages)


def _across(data: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong between parts of a file whose parts may be anything."""
    calendars = data.get("calendars")
    names = list(calendars) if isinstance(calendars, dict) else None
    listed = data.get("commitments")
    commitments = [row if isinstance(row, dict) else {} for row in listed] if isinstance(listed, list) else []
    places = [shapes.item_place("commitments", number, row) for number, row in enumerate(commitments, start=1)]
    for row, place in [(data, ""), *zip(commitments, places, strict=True)]:
        name = row.get("calendar")
        if isinstance(name, str) and names is not None and name not in names:
            place = f"{place}: " if place else ""
            yield f"{place}calendar {shown(name)} is not among the calendars of the file. {shapes.hint(name, names)}"
    first: dict[str, str] = {}
    for row, place in zip(commitments, places, strict=True):
        code = row.get("code")
        if isinstance(code, str) and first.setdefault(code, place) != place:
            yield f"{place}: {first[code]} has the same code. Choose another."


CRITERION = Record(
    {"field": _of(Criterion, "field"), "operator": _of(Criterion, "operator"), "values": [line]},
    whole=_criterion_as_a_whole,
)
CALENDAR = Record(
    {
        "id": anything,
        **{name: _of(BusinessCalendar, name) for name in ("time_zone", "country", "region")},
        "hours": Each(one_of(map(str, range(7))), _windows),
        "special": Each(_day, _open_windows),
        "closed": Each(_day, line),
        "working_day_seconds": whole,
    },
    optional=frozenset({"country", "region"}),
    whole=_calendar_as_a_whole,
)
STEP = Record(
    {
        **{name: _of(Step, name) for name in ("share", "offset", "action", "role")},
        "team": lambda value: None if value == "" else _of(Team, "name")(value),
    }
)
# Of a commitment, what its row takes over as it stands.
COMMITMENT_KEYS = ("code", "title", "limit", "unit", "attempts", "target", "baseline", "consequence")
COMMITMENT = Record(
    {
        **{name: _of(Commitment, name) for name in (*COMMITMENT_KEYS, "kind")},
        "party": one_of(Party.values),
        "calendar": line,
        "scope": [CRITERION],
        "start": maybe(one_of(Start.values)),
        "monthly_targets": Each(_month, _leads),
        "steps": [STEP],
    },
    optional=frozenset({"steps"}),
    whole=_commitment_as_a_whole,
)
# Likewise of a version; the others stand in the definition.
TERMS_KEYS = (
    *("review_cadence", "entry_grace_days", "sealing_grace_days", "dispute_days", "monthly_cap", "minimum_group"),
    "note",
)
VERSION_KEYS = (*TERMS_KEYS, "review_weekday", "score_threshold", "required_fields")
DOCUMENT = Record(
    {
        "schema": whole,
        "agreement": Record(
            {
                "name": _of(Agreement, "name"),
                "marketing_team": _of(Team, "name"),
                "sales_team": _of(Team, "name"),
                "time_zone": _of(Agreement, "time_zone"),
            }
        ),
        "version": whole,
        "effective_from": maybe(_moment),
        "ends_on": maybe(_day),
        "scope": [CRITERION],
        "definition": Record(
            {
                "score_threshold": _of(Version, "score_threshold"),
                "criteria": [CRITERION],
                "required_fields": [_required_field],
            }
        ),
        "calendar": line,
        "calendars": Each(_of(BusinessCalendar, "name"), CALENDAR),
        "commitments": [COMMITMENT],
        **{name: _of(Version, name) for name in TERMS_KEYS},
        "review_weekday": maybe(_of(Version, "review_weekday")),
    },
    optional=frozenset({"review_weekday"}),
)
