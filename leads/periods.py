"""Periods: a month, quarter, ISO week or any span of local days, as text and as instants (rules T1, N1). Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Self
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from agreements.models import local_midnight
from slaportal import formats

MONTH, QUARTER, WEEK, CUSTOM = gettext_noop("month"), gettext_noop("quarter"), gettext_noop("week"), "custom"
UNITS = (MONTH, QUARTER, WEEK)
YEARS = range(1970, 2200)
FORMS = "2024-03, 2024-Q1, 2024-W09, 2024-01-01..2024-02-15"

_MONTHS_IN = {MONTH: 1, QUARTER: 3}
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Period:
    """Local days from `first_day` to `last_day`, both included. `unit` is month, quarter, week or custom."""

    unit: str
    first_day: date
    last_day: date

    @classmethod
    def containing(cls, unit: str, day: date) -> Self:
        """The month, quarter or week in which the day lies."""
        if unit == WEEK:
            first = day - timedelta(days=day.weekday())
            return cls(WEEK, first, first + timedelta(days=6))
        if unit not in _MONTHS_IN:
            raise ValueError(f"“{unit}” is not a unit of periods; use {', '.join(UNITS)}.")
        length = _MONTHS_IN[unit]
        first = day.replace(month=day.month - (day.month - 1) % length, day=1)
        return cls(unit, first, _months_on(first, length) - _DAY)

    @classmethod
    def current(cls, unit: str, now: datetime, zone: ZoneInfo) -> Self:
        """The month, quarter or week that runs at `now` in the zone."""
        return cls.containing(unit, now.astimezone(zone).date())

    def start(self, zone: ZoneInfo) -> datetime:
        """The first instant, in UTC; it belongs to the period."""
        return local_midnight(self.first_day, zone)

    def end(self, zone: ZoneInfo) -> datetime:
        """The instant after the last, in UTC; it does not belong to the period."""
        return local_midnight(self.last_day + _DAY, zone)

    def days(self) -> Iterator[date]:
        """Every local day, in order."""
        return (self.first_day + timedelta(days=n) for n in range((self.last_day - self.first_day).days + 1))

    @property
    def previous(self) -> "Period":
        """The one before of the same unit; of a custom period, as many days before it."""
        if self.unit == CUSTOM:
            return span(self.first_day - (self.last_day - self.first_day) - _DAY, self.first_day - _DAY)
        return self.containing(self.unit, self.first_day - _DAY)

    @property
    def next(self) -> "Period":
        """The one after of the same unit; of a custom period, as many days after it."""
        if self.unit == CUSTOM:
            return span(self.last_day + _DAY, self.last_day + (self.last_day - self.first_day) + _DAY)
        return self.containing(self.unit, self.last_day + _DAY)

    @property
    def key(self) -> str:
        """As it stands in addresses and commands; `parse` reads it."""
        first = self.first_day
        if self.unit == MONTH:
            return f"{first:%Y-%m}"
        if self.unit == QUARTER:
            return f"{first:%Y}-Q{(first.month + 2) // 3}"
        if self.unit == WEEK:
            year, week, __ = first.isocalendar()
            return f"{year}-W{week:02}"
        return f"{first}..{self.last_day}"

    @property
    def label(self) -> str:
        """As people say it in their language: “March 2024”, “Q1 2024”, “Week 9, 26 Feb – 3 Mar 2024”, “1 Jan – 15 Feb
        2024”.
        """
        first, last = self.first_day, self.last_day
        if self.unit == MONTH:
            return formats.month(first)
        if self.unit == QUARTER:
            return _("Q%(quarter)s %(year)s") % {"quarter": (first.month + 2) // 3, "year": first.year}
        begin = formats.day_and_month(first) if first.year == last.year else formats.short_day(first)
        days = formats.short_day(last) if first == last else f"{begin} – {formats.short_day(last)}"
        if self.unit == WEEK:
            return _("Week %(number)s, %(days)s") % {"number": first.isocalendar().week, "days": days}
        return days

    def __str__(self) -> str:
        return self.label


def parse(text: str) -> Period:
    """The period that a text names; `ValueError` with a sentence for anything else."""
    text = text.strip()
    if match := re.fullmatch(r"(\d{4})-(\d{2})", text, re.ASCII):
        return Period.containing(MONTH, _day(text, int(match[1]), int(match[2]), 1))
    if match := re.fullmatch(r"(\d{4})-[Qq]([1-4])", text, re.ASCII):
        return Period.containing(QUARTER, _day(text, int(match[1]), int(match[2]) * 3, 1))
    if match := re.fullmatch(r"(\d{4})-[Ww](\d{2})", text, re.ASCII):
        return Period.containing(WEEK, _monday(text, int(match[1]), int(match[2])))
    if match := re.fullmatch(r"(\d{4})-(\d{2})-(\d{2})\.\.(\d{4})-(\d{2})-(\d{2})", text, re.ASCII):
        numbers = [int(part) for part in match.groups()]
        return span(_day(text, *numbers[:3]), _day(text, *numbers[3:]))
    raise ValueError(_("“%(text)s” is not a period; write one such as %(forms)s.") % {"text": text, "forms": FORMS})


def span(first: date, last: date) -> Period:
    """A custom period, both days included."""
    if last < first:
        raise ValueError(
            _("The period would end on %(last)s, before it begins on %(first)s.") % {"last": last, "first": first}
        )
    return Period(CUSTOM, first, last)


def _months_on(first: date, months: int) -> date:
    """The first day of the month so many months later."""
    index = first.year * 12 + first.month - 1 + months
    return date(index // 12, index % 12 + 1, 1)


def _day(text: str, year: int, month: int, day: int) -> date:
    _refuse_far(text, year)
    try:
        return date(year, month, day)
    except ValueError:
        raise ValueError(_("“%(text)s” names a day or month that no calendar has.") % {"text": text}) from None


def _monday(text: str, year: int, week: int) -> date:
    _refuse_far(text, year)
    try:
        return date.fromisocalendar(year, week, 1)
    except ValueError:
        raise ValueError(
            _("“%(text)s”: %(year)s has no week %(week)s.") % {"text": text, "year": year, "week": week}
        ) from None


def _refuse_far(text: str, year: int) -> None:
    if year not in YEARS:
        raise ValueError(
            _("“%(text)s” is too far away; periods lie between %(first)s and %(last)s.")
            % {"text": text, "first": YEARS[0], "last": YEARS[-1]}
        )
