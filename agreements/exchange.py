"""Terms leave as JSON and come back as a draft; four templates ship in the same form.

What comes back are promises and rules. Name, teams, zone and scope belong to the agreement, and dates to whoever
decides on the draft: what a file says of them is reported, never taken over.
"""

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import holidays
from django.db import transaction
from django.forms.models import model_to_dict
from django.utils.translation import gettext

from agreements import phrases, signoff, terms, terms_file, wording
from agreements.business_time import WEEKDAYS, write_windows
from agreements.cadence import DEFAULT_REVIEW_DAY
from agreements.calendars import BusinessCalendar, SpecialDay, snapshot
from agreements.catalogue import Operator
from agreements.models import Agreement, Criterion, Step, Version
from agreements.terms_file import Contents
from slaportal.models import Team, User
from slaportal.refusal import Refused

STARTERS = Path(__file__).parent / "starters"
OFFICE_HOURS = "Office hours"


@dataclass(frozen=True)
class Imported:
    """A draft, and what its reader should know: what was not taken over, and which calendars it counts in."""

    version: Version
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class Template:
    """Terms to begin with; `slug` names the file in `agreements/starters`."""

    slug: str

    @property
    def name(self) -> str:
        return _starter(self.slug)["name"]

    @property
    def about(self) -> str:
        """For whom it is, in a sentence."""
        return _starter(self.slug)["about"]

    @property
    def terms(self) -> dict[str, Any]:
        """Its terms, for the reader to change."""
        return deepcopy(_starter(self.slug)["terms"])


@cache
def _starter(slug: str) -> dict[str, Any]:
    return json.loads((STARTERS / f"{slug}.json").read_text(encoding="utf-8"))


TEMPLATES: tuple[Template, ...] = tuple(
    map(Template, ("one-page-starter", "inbound-demo-requests", "icp-review-and-acceptance", "high-volume-mqls"))
)


def export(version: Version, *, now: datetime) -> str:
    """The version's terms for people to read and keep: the frozen ones, or those of a draft as they would be frozen."""
    text = version.terms or terms.freeze(version, now=now)[0]
    return json.dumps(json.loads(text), indent=2, sort_keys=True, ensure_ascii=False)


def import_draft(
    agreement: Agreement,
    text: str,
    *,
    by: User | None,
    now: datetime,
    calendars: Mapping[str, BusinessCalendar] | None = None,
    note: str | None = None,
) -> Imported:
    """A draft of the agreement with the terms of a file.

    A calendar of the file is the one that `calendars` gives for its name, or else the one of that name; one that there
    is not yet is made. Raises `BadTerms`, with everything that is wrong with the file, before anything is written.
    """
    if by is not None and not by.has_perm("agreements.add_version"):
        raise Refused(gettext("Only RevOps imports terms."))
    file = terms_file.read(text)
    with transaction.atomic():
        found, remarks = _calendars(file, calendars or {})
        teams, unknown = _teams(file, agreement)
        fields = {**file.fields, "calendar": found[file.data["calendar"]]}
        if note is not None:
            fields["note"] = note
        version = signoff.new_draft(agreement, by=by, now=now, **fields)
        _add(file.criteria, version=version)
        for promise in file.promises:
            promise.commitment.version, promise.commitment.calendar = version, found[promise.calendar]
            promise.commitment.save(force_insert=True)
            _add(promise.scope, commitment=promise.commitment)
            for step in promise.steps:
                step.commitment, step.team = promise.commitment, step.team and teams.get(step.team.name)
            Step.objects.bulk_create(promise.steps)
    return Imported(version, (*_not_taken_over(file, agreement), *remarks, *unknown))


def draft_from_template(
    agreement: Agreement, template: Template, *, calendar: BusinessCalendar | None, by: User | None, now: datetime
) -> Imported:
    """A draft with the terms of a template, all in one calendar: the given one, or office hours where the agreement is.

    Office hours are made when first asked for, with the public holidays of the country to which the zone belongs.
    """
    data = template.terms
    data |= {"agreement": _about(agreement), "scope": _scope(agreement)}
    (frozen,) = data["calendars"].values()
    name = calendar.name if calendar else _name_of_office_hours(agreement)
    data |= {"calendar": name, "calendars": {name: frozen}}
    for commitment in data["commitments"]:
        commitment["calendar"] = name
    frozen |= {"time_zone": agreement.time_zone, "country": country_of(agreement.time_zone)}
    return import_draft(
        agreement, terms.canonical(data), by=by, now=now, calendars={name: calendar} if calendar else None
    )


def country_of(time_zone: str) -> str:
    """Code of the country whose public holidays a zone most probably keeps; blank where nobody can tell."""
    country = _countries().get(time_zone, "")
    return country if country in holidays.list_supported_countries() else ""


@cache
def _countries() -> dict[str, str]:
    """Countries by zone, from the time zone database."""
    table = files("tzdata").joinpath("zoneinfo", "zone.tab").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in table.splitlines() if line and not line.startswith("#")]
    return {zone: country for country, _, zone, *_ in rows}


def _name_of_office_hours(agreement: Agreement) -> str:
    """The plain name, unless those are the hours of another zone: then the zone's place is added."""
    elsewhere = BusinessCalendar.objects.filter(name=OFFICE_HOURS).exclude(time_zone=agreement.time_zone)
    place = agreement.time_zone.rpartition("/")[2].replace("_", " ")
    return f"{OFFICE_HOURS}, {place}" if elsewhere.exists() else OFFICE_HOURS


def _add(criteria: list[Criterion], **parent: object) -> None:
    for row in criteria:
        for name, value in parent.items():
            setattr(row, name, value)
    Criterion.objects.bulk_create(criteria)


# --- Calendars ----------------------------------------------------------------------------------------------------


def _calendars(file: Contents, given: Mapping[str, BusinessCalendar]) -> tuple[dict[str, BusinessCalendar], list[str]]:
    """The calendars that the file counts in, by their names in it, with a remark on each that is not as it says."""
    used = {file.data["calendar"], *(promise.calendar for promise in file.promises)}
    found, remarks = {}, []
    for name, frozen in sorted(file.data["calendars"].items()):
        if name not in used:
            remarks.append(f"Nothing in the file counts in its calendar “{name}”, which is left out.")
        elif name in given:
            found[name] = given[name]
        elif here := BusinessCalendar.objects.filter(name=name).first():
            found[name] = here
            remarks += _unlike(here, frozen)
        else:
            found[name] = _make(name, frozen)
            remarks.append(f"Calendar “{name}” is new: {_in_short(frozen)}.")
    return found, remarks


def _make(name: str, frozen: Mapping[str, Any]) -> BusinessCalendar:
    """A calendar as the file has it; the one of that name where somebody was quicker."""
    row, days = terms_file.calendar_rows(name, frozen)
    fields = model_to_dict(row, exclude=["id", "name"])
    calendar, is_new = BusinessCalendar.objects.get_or_create(name=name, defaults=fields)
    if is_new:
        for day in days:
            day.calendar = calendar
        SpecialDay.objects.bulk_create(days)
    return calendar


def _unlike(here: BusinessCalendar, frozen: Mapping[str, Any]) -> list[str]:
    """How the calendar of the portal differs from the one of its name in the file."""
    mine = snapshot(here, years={int(day[:4]) for day in frozen["closed"]})
    if "country" not in frozen:  # schema 1 did not say whose holidays they are
        mine = {key: value for key, value in mine.items() if key in frozen}
    remarks = []
    if _in_short(mine) != _in_short(frozen):
        remarks.append(f"Calendar “{here}” is the portal’s: {_in_short(mine)}. In the file: {_in_short(frozen)}.")
    hours, own_hours = ({day: write_windows(pairs) for day, pairs in one["special"].items()} for one in (frozen, mine))
    own_days = {day.date.isoformat() for day in here.special_days.all()}
    days = sorted(
        {day for day, text in hours.items() if own_hours.get(day) != text}
        | (frozen["closed"].keys() - mine["closed"].keys())
        | (own_days - hours.keys() - frozen["closed"].keys())
    )
    if days:
        several = f"{len(days)} days, the first of them " if len(days) > 1 else ""
        remarks.append(
            f"Calendar “{here}” is the portal’s, and opens otherwise than in the file on {several}"
            f"{phrases.day_of(date.fromisoformat(days[0]))}."
        )
    return remarks


def _in_short(frozen: Mapping[str, Any]) -> str:
    """“Mon–Fri 9:00–17:30, Europe/Berlin, with the public holidays of DE, BE”."""
    if "country" not in frozen:
        return wording.hours(frozen)
    where = ", ".join(filter(None, (frozen["country"].upper(), frozen["region"].upper())))
    return f"{wording.hours(frozen)}, {f'with the public holidays of {where}' if where else 'without public holidays'}"


def _teams(file: Contents, agreement: Agreement) -> tuple[dict[str, Team], list[str]]:
    """The teams that steps name, by their names in the file, with a remark on each that there is not.

    Its own two are those of the agreement.
    """
    data = file.data["agreement"]
    own = {data["marketing_team"]: agreement.marketing_team, data["sales_team"]: agreement.sales_team}
    named = {step.team.name for promise in file.promises for step in promise.steps if step.team}
    others = Team.objects.filter(name__in=named - own.keys()) if named - own.keys() else ()
    found = {**{team.name: team for team in others}, **own}
    return found, [
        f"There is no team “{name}” here. Steps that name it tell the team that owes the promise. Choose anew."
        for name in sorted(named - found.keys())
    ]


# --- What belongs to the agreement --------------------------------------------------------------------------------


def _not_taken_over(file: Contents, agreement: Agreement) -> list[str]:
    """What the file says otherwise than the agreement, and its dates."""
    data, remarks = file.data, []
    told, own = data["agreement"], _about(agreement)
    others = [f"{key.replace('_', ' ')} “{told[key]}”" for key, value in own.items() if value != told[key]]
    if others:
        verb = "are" if len(others) > 1 else "is"
        remarks.append(f"The file’s {phrases.enumeration(others)} {verb} not taken over: the agreement has its own.")
    if data["scope"] != _scope(agreement):
        said = f"scope “{_in_words(data['scope'])}”" if data["scope"] else "cover of every lead"
        remarks.append(f"The file’s {said} is not taken over: the scope stands on the agreement.")
    days = []
    if data["effective_from"]:
        start = datetime.fromisoformat(data["effective_from"]).astimezone(ZoneInfo(told["time_zone"]))
        days.append(f"first day {phrases.day_of(start)}")
    if data["ends_on"]:
        days.append(f"last day {phrases.day_of(date.fromisoformat(data['ends_on']))}")
    if days:
        remarks.append(f"The file’s {' and '.join(days)} {'are' if len(days) > 1 else 'is'} left open. Choose anew.")
    if data["review_cadence"] and data.get("review_weekday") is None:
        remarks.append(f"The file names no review day. The draft has {WEEKDAYS[DEFAULT_REVIEW_DAY]}.")
    return remarks


def _about(agreement: Agreement) -> dict[str, str]:
    """What terms say of the agreement itself."""
    return {
        "name": agreement.name,
        "marketing_team": agreement.marketing_team.name,
        "sales_team": agreement.sales_team.name,
        "time_zone": agreement.time_zone,
    }


def _scope(agreement: Agreement) -> list[dict[str, Any]]:
    """The agreement's scope as terms say it."""
    return [{"field": row.field, "operator": row.operator, "values": row.values} for row in agreement.scope.all()]


def _in_words(scope: Sequence[Mapping[str, Any]]) -> str:
    return " and ".join(str(terms.Test(test["field"], Operator(test["operator"]), test["values"])) for test in scope)
