"""Business calendars: their rows, the copy that is frozen with terms, and the closures added since (rules T2, T5)."""

import json
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from functools import lru_cache
from typing import Any

import holidays
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import Q
from django.utils.module_loading import import_string
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from agreements.business_time import BusinessTime, parse_windows
from slaportal import formats
from slaportal.models import User, validate_time_zone
from slaportal.refusal import Refused

# Public holidays are frozen from the first year in which terms may apply to this many years after the proposal.
HOLIDAY_YEARS_AHEAD = 5
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def public_holidays(country: str, region: str, *, years: Iterable[int]) -> dict[date, str]:
    """Dates and names of public holidays; `ValueError` with a sentence for an unknown country or region."""
    return dict(_public_holidays(country.upper(), region.upper(), tuple(years)))


@lru_cache(maxsize=64)
def _public_holidays(country: str, region: str, years: tuple[int, ...]) -> dict[date, str]:
    """Worked out once: every look at a draft asks for the same years."""
    if not country:
        return {}
    try:
        # Named in one language: otherwise frozen terms would depend on the language of the machine that froze them.
        named = holidays.country_holidays(country, subdiv=region or None, years=list(years), language="en_US")
    except NotImplementedError:
        raise ValueError(
            gettext("No public holidays are known for country “%(country)s”, region “%(region)s”.")
            % {"country": country, "region": region}
        ) from None
    return dict(named)


def validate_windows(text: str) -> None:
    """Refuse opening hours that cannot be read, with the sentence that says why."""
    try:
        parse_windows(text)
    except ValueError as problem:
        raise ValidationError(str(problem)) from problem


class WindowsField(models.CharField):
    """Opening hours of one day as people write them: `09:00-12:00, 13:00-17:30`; blank is closed."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **{"max_length": 200, "blank": True, "default": "", **kwargs})
        self.validators = [*self.validators, validate_windows]


class BusinessCalendar(models.Model):
    """When somebody is there to answer. Signed versions keep a copy; changes here reach drafts only (rule T5)."""

    name = models.CharField(max_length=120, unique=True)
    time_zone = models.CharField(max_length=64, default="Europe/Berlin", validators=[validate_time_zone])
    monday = WindowsField(help_text=_("Such as 09:00-12:00, 13:00-17:30. Ends go up to 24:00; blank is closed."))
    tuesday = WindowsField()
    wednesday = WindowsField()
    thursday = WindowsField()
    friday = WindowsField()
    saturday = WindowsField()
    sunday = WindowsField()
    country = models.CharField(
        "public holidays of", max_length=2, blank=True, help_text="Two-letter country code, such as DE; blank is none."
    )
    region = models.CharField(
        max_length=8, blank=True, help_text=_("Code of the state or region, such as BE for Berlin.")
    )

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def weekly_hours(self) -> dict[int, list[tuple[str, str]]]:
        """Open windows by weekday, Monday is 0."""
        return {index: parse_windows(getattr(self, name)) for index, name in enumerate(WEEKDAYS)}

    def clean(self) -> None:
        """Refuse a calendar that never opens or names an unknown country or region (rule T2)."""
        super().clean()
        try:
            BusinessTime(time_zone=self.time_zone, hours=self.weekly_hours)
            public_holidays(self.country, self.region, years=[2024])
        except ValueError as problem:
            raise ValidationError(str(problem)) from problem


class SpecialDay(models.Model):
    """A day with other hours than its weekday's. It is frozen into versions proposed from then on."""

    calendar = models.ForeignKey(BusinessCalendar, models.CASCADE, related_name="special_days")
    date = models.DateField()
    hours = WindowsField(help_text=_("Blank is closed all day."))
    name = models.CharField(max_length=80, blank=True)

    class Meta:
        ordering = ["date"]
        constraints = [
            models.UniqueConstraint(
                fields=["calendar", "date"],
                name="special_day_unique",
                violation_error_message=_("This calendar has other hours for that day already."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.date}: {self.hours or 'closed'}"


class Closure(models.Model):
    """A closed day that applies to signed versions too, from the moment it is added (rule T5)."""

    calendar = models.ForeignKey(BusinessCalendar, models.PROTECT, related_name="closures")
    date = models.DateField()
    reason = models.CharField(max_length=200)
    added_by = models.ForeignKey(User, models.PROTECT, related_name="+", editable=False)
    added_at = models.DateTimeField(editable=False)
    withdrawn_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", editable=False)
    withdrawn_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["date"]
        constraints = [
            models.UniqueConstraint(
                fields=["calendar", "date"],
                condition=Q(withdrawn_at=None),
                name="closure_unique",
                violation_error_message=_("That day is closed already."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.date}: {self.reason}"


class WorkingHours(models.Model):
    """By which calendar a person works; nobody's hours are known unless they stand here."""

    person = models.OneToOneField(User, models.CASCADE, related_name="working_hours")
    calendar = models.ForeignKey(BusinessCalendar, models.PROTECT, related_name="people")

    class Meta:
        verbose_name_plural = "working hours"
        ordering = ["person__name"]

    def __str__(self) -> str:
        return gettext("%(person)s works by %(calendar)s") % {"person": self.person, "calendar": self.calendar}


def snapshot(calendar: BusinessCalendar, *, years: Iterable[int]) -> dict[str, Any]:
    """The calendar as it is frozen with terms: zone, weekly hours, special days, named holidays of `years`."""
    special = {day.date: day for day in calendar.special_days.all()}
    named = public_holidays(calendar.country, calendar.region, years=years)
    hours = calendar.weekly_hours
    return {
        "id": calendar.pk,
        "time_zone": calendar.time_zone,
        "country": calendar.country,
        "region": calendar.region,
        "hours": {str(weekday): windows for weekday, windows in hours.items() if windows},
        "special": {day.isoformat(): parse_windows(row.hours) for day, row in sorted(special.items()) if row.hours},
        "closed": {
            **{day.isoformat(): name for day, name in sorted(named.items()) if day not in special},
            **{day.isoformat(): row.name or "closed" for day, row in sorted(special.items()) if not row.hours},
        },
        "working_day_seconds": int(BusinessTime(calendar.time_zone, hours).working_day.total_seconds()),
    }


def thaw(frozen: Mapping[str, Any], closures: Iterable[date] = ()) -> BusinessTime:
    """A frozen calendar with the closures that were added since on top; compiled once, because every click asks."""
    return _thawed(json.dumps(frozen, sort_keys=True), tuple(closures))


@lru_cache(maxsize=256)
def _thawed(text: str, closures: tuple[date, ...]) -> BusinessTime:
    frozen = json.loads(text)
    return BusinessTime(
        time_zone=frozen["time_zone"],
        hours={int(day): windows for day, windows in frozen["hours"].items()},
        special=frozen["special"],
        closed=[*frozen["closed"], *closures],
    )


def closures_by_calendar() -> dict[int, list[date]]:
    """Dates closed after the fact, by calendar id."""
    found: dict[int, list[date]] = {}
    for calendar_id, day in Closure.objects.filter(withdrawn_at=None).values_list("calendar_id", "date"):
        found.setdefault(calendar_id, []).append(day)
    return found


def add_closure(*, calendar: BusinessCalendar, day: date, reason: str, by: User, now: datetime) -> Closure:
    """Close a day for everybody, signed versions included, and re-evaluate the clocks that touch it (T5)."""
    if not reason.strip():
        raise Refused(gettext("Say why the day is closed."))
    with transaction.atomic():
        closure, is_new = Closure.objects.get_or_create(
            calendar=calendar,
            date=day,
            withdrawn_at=None,
            defaults={"reason": reason.strip(), "added_by": by, "added_at": now},
        )
        if not is_new:
            raise Refused(gettext("%(day)s is closed already."), day=formats.long_day(day))
        import_string(settings.CLOSURE_CHANGED)(closure, now=now)
    return closure


def withdraw_closure(closure: Closure, *, by: User, now: datetime) -> None:
    """Take a mistaken closure back; the row stays and says who did it."""
    with transaction.atomic():
        if not Closure.objects.filter(pk=closure.pk, withdrawn_at=None).update(withdrawn_by=by, withdrawn_at=now):
            raise Refused(gettext("%(date)s was opened again already."), date=formats.long_day(closure.date))
        import_string(settings.CLOSURE_CHANGED)(closure, now=now)
