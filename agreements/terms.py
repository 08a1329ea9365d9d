"""Terms: what a version says, as canonical JSON with its SHA-256, and read back as plain objects.

Everything that decides or shows anything reads a `Terms` made from these bytes, never the rows behind them.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from django.utils.translation import gettext

from agreements.business_time import BusinessTime
from agreements.calendars import HOLIDAY_YEARS_AHEAD, snapshot, thaw
from agreements.catalogue import CATALOGUE, FIELDS, Action, Kind, Measure, Operator, Start, Unit
from agreements.models import Commitment, Criterion, Step, Version
from slaportal.refusal import Refused

# 2 adds `review_weekday` (absent: no day was named) and each calendar's `country` and `region` (absent: unknown).
# 3 adds each commitment's `steps` (absent: nothing happens by itself).
SCHEMA = 3

# Seconds in one unit; a business day is the calendar's own working day (rule T4).
UNIT_SECONDS = {
    Unit.BUSINESS_MINUTES: 60,
    Unit.BUSINESS_HOURS: 3600,
    Unit.MINUTES: 60,
    Unit.HOURS: 3600,
    Unit.DAYS: 86400,
}


# One for all, because it is compiled when it is first asked.
ALWAYS = BusinessTime.always()

# What comes of reading terms that somebody spoiled.
UNREADABLE = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, RecursionError, ObjectDoesNotExist)


class Unreadable(Refused):
    """Terms that cannot be read, because somebody changed what was frozen."""


@dataclass(frozen=True)
class Test:
    """A criterion of frozen terms: `values` holds one text, several for *one of*, none for *is empty*."""

    field: str
    operator: Operator
    values: tuple[str, ...]

    def __str__(self) -> str:
        name = FIELDS.get(self.field, self.field.removeprefix("attributes."))
        return f"{name} {self.operator.label} {', '.join(self.values)}".strip()


@dataclass(frozen=True)
class Rung:
    """A step of a promise's ladder: at a share of the limit (or of the month), or so many seconds from the limit.

    `index` is its place in the terms; a `team` is named where another one than that which owes the promise is told.
    """

    index: int
    action: Action
    share: Fraction | None = None
    offset_seconds: int | None = None
    team: str = ""
    role: str = ""

    def position(self, limit_seconds: int) -> Fraction:
        """After how many seconds of the clock it comes; never before the start."""
        if self.share is not None:
            return self.share * limit_seconds
        return Fraction(max(limit_seconds + self.offset_seconds, 0))


@dataclass(frozen=True)
class Promise:
    """A commitment of frozen terms. `limit_seconds` counts on `calendar`, or on every hour where that is None."""

    index: int
    code: str
    title: str
    kind: Kind
    calendar: str | None
    scope: tuple[Test, ...]
    start: Start | None
    limit: str
    limit_seconds: int | None
    attempts: int | None
    target: Fraction | None
    monthly_targets: Mapping[str, Fraction]
    baseline: Fraction | None
    consequence: str
    worked_by: str = ""  # the calendar that it names, also where its limit counts every hour
    steps: tuple[Rung, ...] = ()

    @property
    def is_share(self) -> bool:
        return self.kind.measure != Measure.COUNT

    @property
    def ladder(self) -> tuple[Rung, ...]:
        """The steps in the order in which they come; of those that come at once, as they are written down."""
        # Without a limit, shares are of the month, and how long that is makes no difference to their order.
        limit = 1 if self.limit_seconds is None else self.limit_seconds
        return tuple(sorted(self.steps, key=lambda rung: rung.position(limit)))


@dataclass(frozen=True)
class Terms:
    """A version's terms, read from the bytes that were signed (or would be, for a draft)."""

    agreement: str
    marketing_team: str
    sales_team: str
    time_zone: str
    version: int
    effective_from: datetime | None
    ends_on: date | None
    scope: tuple[Test, ...]
    score_threshold: int | None
    criteria: tuple[Test, ...]
    required_fields: tuple[str, ...]
    calendar: str
    calendars: Mapping[str, Mapping[str, Any]]
    promises: tuple[Promise, ...]
    review_cadence: str
    entry_grace_seconds: int
    sealing_grace_seconds: int
    dispute_seconds: int
    monthly_cap: int | None
    minimum_group: int
    note: str = ""
    review_weekday: int | None = None

    def business_times(self, closures: Mapping[int, list[date]]) -> dict[str | None, BusinessTime]:
        """Every calendar of the terms with the closures added since; under None the one that is always open."""
        named = {name: thaw(frozen, closures.get(frozen["id"], ())) for name, frozen in self.calendars.items()}
        return {None: ALWAYS, **named}

    def promise(self, code: str) -> Promise:
        """The commitment with this code."""
        return next(promise for promise in self.promises if promise.code == code)

    def fields_read(self) -> set[str]:
        """Fields that any criterion or the list of required fields reads: what a handoff must copy (rule A1)."""
        criteria = [*self.scope, *self.criteria, *(c for promise in self.promises for c in promise.scope)]
        return {criterion.field for criterion in criteria} | set(self.required_fields)


def write(version: Version, *, years_to: int) -> dict[str, Any]:
    """The version's terms from its rows, ready for `canonical`; holidays are named up to the year `years_to`."""
    zone = version.agreement.zone
    asked = version.asked_start
    years_from = (asked.astimezone(zone).year if asked else version.created_at.year) - 1
    years = range(min(years_from, years_to), years_to + 1)
    commitments = list(version.commitments.select_related("calendar").prefetch_related("scope", "steps__team"))
    calendars = {c.pk: c for c in [version.calendar, *(row.calendar for row in commitments)]}
    return {
        "schema": SCHEMA,
        "agreement": {
            "name": version.agreement.name,
            "marketing_team": version.agreement.marketing_team.name,
            "sales_team": version.agreement.sales_team.name,
            "time_zone": version.agreement.time_zone,
        },
        "effective_from": asked.isoformat() if asked else None,
        "scope": [_criterion(row) for row in version.agreement.scope.all()],
        "calendar": version.calendar.name,
        "calendars": {row.name: snapshot(row, years=years) for row in calendars.values()},
        **_content(version, commitments),
    }


def _content(version: Version, commitments: Iterable[Commitment]) -> dict[str, Any]:
    """What stands in the version's own rows and nowhere else."""
    return {
        "version": version.number,
        "ends_on": version.ends_on.isoformat() if version.ends_on else None,
        "definition": {
            "score_threshold": version.score_threshold,
            "criteria": [_criterion(row) for row in version.criteria.all()],
            "required_fields": sorted(version.required_fields),
        },
        "commitments": [_commitment(row) for row in commitments],
        "review_cadence": version.review_cadence,
        "review_weekday": version.review_weekday,
        "entry_grace_days": plain_number(version.entry_grace_days),
        "sealing_grace_days": plain_number(version.sealing_grace_days),
        "dispute_days": plain_number(version.dispute_days),
        "monthly_cap": version.monthly_cap,
        "minimum_group": version.minimum_group,
        "note": version.note,
    }


def unlike_rows(version: Version) -> list[str]:
    """What the frozen terms say otherwise than the version's own rows; names that others may change do not count.

    Reads `version.commitments`, with calendar, scope and steps, and `version.criteria`; fetch them before.
    """
    commitments = version.commitments.all()
    try:
        rows, frozen = _content(version, commitments), json.loads(version.terms)
        pairs = list(zip(rows.pop("commitments"), frozen["commitments"], commitments, strict=True))
        wrong = [key for key, value in rows.items() if key in frozen and frozen[key] != value]
        for now, was, row in pairs:
            now["calendar"], was["calendar"] = row.calendar_id, frozen["calendars"][was["calendar"]]["id"]
            for step in (*now["steps"], *was.setdefault("steps", [])):
                step["team"] = bool(step["team"])
            # What the catalogue says of a kind may change with a release; the row did not.
            derived = {"party", *(() if row.start else ("start",))}
            if any(was[key] != value for key, value in now.items() if key in was and key not in derived):
                return [*wrong, "commitments"]
    except UNREADABLE:
        return ["everything: one of them cannot be read"]
    return wrong


def canonical(terms: Mapping[str, Any]) -> str:
    """The one way to write terms down: sorted keys, no blanks, every character itself."""
    return json.dumps(terms, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(text: str) -> str:
    """SHA-256 of canonical terms, as 64 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def plain_number(value: Decimal | None) -> str | None:
    """A decimal without trailing noughts, so that 95 and 95.00 are the same terms."""
    return None if value is None else f"{value:f}".rstrip("0").rstrip(".") if "." in f"{value:f}" else f"{value:f}"


def freeze(version: Version, *, now: datetime) -> tuple[str, str]:
    """The canonical text of a draft's terms at `now` and its hash."""
    text = canonical(write(version, years_to=now.year + HOLIDAY_YEARS_AHEAD))
    return text, digest(text)


def of(version: Version, *, now: datetime | None = None) -> Terms:
    """The version's terms: from the frozen bytes, or for a draft as they would be frozen at `now`."""
    if version.terms:
        return read(version.terms)
    return read(freeze(version, now=now or version.created_at)[0])


@lru_cache(maxsize=256)
def read(text: str) -> Terms:
    """Read canonical text, or raise `Unreadable`. A key that a later release added means its default where absent."""
    try:
        return _read(json.loads(text))
    except UNREADABLE as problem:
        raise Unreadable(gettext("These terms cannot be read: somebody has changed what was frozen.")) from problem


def _read(data: Mapping[str, Any]) -> Terms:
    calendars = data["calendars"]
    house = calendars[data["calendar"]]["working_day_seconds"]
    return Terms(
        agreement=data["agreement"]["name"],
        marketing_team=data["agreement"]["marketing_team"],
        sales_team=data["agreement"]["sales_team"],
        time_zone=data["agreement"]["time_zone"],
        version=data["version"],
        effective_from=datetime.fromisoformat(data["effective_from"]) if data["effective_from"] else None,
        ends_on=date.fromisoformat(data["ends_on"]) if data["ends_on"] else None,
        scope=_criteria(data["scope"]),
        score_threshold=data["definition"]["score_threshold"],
        criteria=_criteria(data["definition"]["criteria"]),
        required_fields=tuple(data["definition"]["required_fields"]),
        calendar=data["calendar"],
        calendars=calendars,
        promises=tuple(_promise(index, row, calendars) for index, row in enumerate(data["commitments"])),
        review_cadence=data["review_cadence"],
        review_weekday=data.get("review_weekday"),
        entry_grace_seconds=int(Fraction(data["entry_grace_days"]) * house),
        sealing_grace_seconds=int(Fraction(data["sealing_grace_days"]) * house),
        dispute_seconds=int(Fraction(data["dispute_days"]) * house),
        monthly_cap=data["monthly_cap"],
        minimum_group=data["minimum_group"],
        note=data["note"],
    )


def _criterion(row: Criterion) -> dict[str, Any]:
    return {"field": row.field, "operator": row.operator, "values": row.values}


def _criteria(rows: list[Mapping[str, Any]]) -> tuple[Test, ...]:
    return tuple(Test(row["field"], Operator(row["operator"]), tuple(row["values"])) for row in rows)


def _commitment(row: Commitment) -> dict[str, Any]:
    kind = row.catalogue
    start = kind.fixed_start or (kind.starts and (row.start or kind.starts[0])) or None
    return {
        "code": row.code,
        "title": row.title,
        "kind": row.kind,
        "party": kind.party.value,
        "calendar": row.calendar.name,
        "scope": [_criterion(criterion) for criterion in row.scope.all()],
        "start": start and Start(start).value,
        "limit": plain_number(row.limit),
        "unit": row.unit,
        "attempts": row.attempts,
        "target": plain_number(row.target),
        "monthly_targets": {month: plain_number(Decimal(str(value))) for month, value in row.monthly_targets.items()},
        "baseline": plain_number(row.baseline),
        "consequence": row.consequence,
        "steps": [_step(step) for step in row.steps.all()],
    }


def _step(row: Step) -> dict[str, Any]:
    return {
        "share": row.share,
        "offset": row.offset,
        "action": row.action,
        "team": row.team.name if row.team else "",
        "role": row.role,
    }


def _rung(index: int, row: Mapping[str, Any]) -> Rung:
    return Rung(
        index=index,
        action=Action(row["action"]),
        share=None if row["share"] is None else Fraction(row["share"], 100),
        offset_seconds=None if row["offset"] is None else row["offset"] * 60,
        team=row["team"],
        role=row["role"],
    )


def _promise(index: int, row: Mapping[str, Any], calendars: Mapping[str, Mapping[str, Any]]) -> Promise:
    unit = Unit(row["unit"]) if row["unit"] else None
    seconds = None
    if unit is not None:
        size = UNIT_SECONDS.get(unit) or calendars[row["calendar"]]["working_day_seconds"]
        seconds = int(Fraction(row["limit"]) * size)
    share = CATALOGUE[row["kind"]].measure != Measure.COUNT
    scale = 100 if share else 1
    return Promise(
        index=index,
        code=row["code"],
        title=row["title"],
        kind=CATALOGUE[row["kind"]],
        calendar=row["calendar"] if unit is None or unit.is_business else None,
        scope=_criteria(row["scope"]),
        start=Start(row["start"]) if row["start"] else None,
        limit=f"{row['limit']} {unit.value}" if unit else "",
        limit_seconds=seconds,
        attempts=row["attempts"],
        target=Fraction(row["target"]) / scale if row["target"] else None,
        monthly_targets={month: Fraction(value) for month, value in row["monthly_targets"].items()},
        baseline=Fraction(row["baseline"]) / scale if row["baseline"] else None,
        consequence=row["consequence"],
        worked_by=row["calendar"],
        steps=tuple(_rung(place, step) for place, step in enumerate(row.get("steps", ()))),
    )
