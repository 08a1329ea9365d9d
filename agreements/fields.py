"""Fields of the admin’s forms: criteria, ladders and monthly targets as lines of text, and choices of calendars."""

import json
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext
from unfold.widgets import UnfoldAdminExpandableTextareaWidget

from agreements.business_time import BusinessTime
from agreements.calendars import BusinessCalendar
from agreements.catalogue import FIELDS, Action, Operator
from agreements.models import Criterion, Step
from agreements.plain_ladders import parse_ladder
from agreements.plain_text import parse_criteria, parse_monthly_targets, write_monthly_targets
from slaportal import roles
from slaportal.models import Team
from slaportal.templatetags.display import duration


class LinesField(forms.CharField):
    """Text whose lines mean something; how the lines end does not."""

    def has_changed(self, initial: Any, data: Any) -> bool:
        return (initial or "").split() != (data or "").split()


class CriteriaField(LinesField):
    """Criteria as text; cleans to unsaved `Criterion` rows. The browser shows them as rows (criteria.js)."""

    def __init__(self, **kwargs: Any) -> None:
        widget = UnfoldAdminExpandableTextareaWidget(
            {
                "placeholder": "score is at least 80\nindustry is one of Logistics; Energy",
                "data-criteria-fields": json.dumps(list(FIELDS.values())),
                "data-criteria-operators": json.dumps([operator.label for operator in Operator]),
                "spellcheck": "false",
            }
        )
        super().__init__(required=False, widget=widget, **kwargs)

    def clean(self, value: str) -> list[Criterion]:
        return parse_criteria(super().clean(value))


class MonthlyTargetsField(LinesField):
    """Leads by month as text; cleans to the mapping that the model keeps."""

    def __init__(self, **kwargs: Any) -> None:
        widget = UnfoldAdminExpandableTextareaWidget({"placeholder": "2026-12: 30"})
        super().__init__(required=False, widget=widget, **kwargs)

    def prepare_value(self, value: Any) -> str:
        return write_monthly_targets(value) if isinstance(value, Mapping) else value

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(self.prepare_value(initial), data)

    def clean(self, value: str) -> dict[str, int]:
        return parse_monthly_targets(super().clean(value))


class LadderField(LinesField):
    """A ladder as text; cleans to unsaved `Step` rows. The browser shows them as rows (ladder.js)."""

    def __init__(self, *, teams: Iterable[Team] = (), **kwargs: Any) -> None:
        self.teams = {team.name: team for team in teams}
        named = {"team": list(self.teams), "role": list(roles.ROLES)}
        widget = UnfoldAdminExpandableTextareaWidget(
            {
                "placeholder": "at 50 %: tell the owner\n30 minutes before the limit: tell the manager",
                "data-ladder-actions": json.dumps({action.label: _names(action) for action in Action}),
                "data-ladder-names": json.dumps(named),
                "spellcheck": "false",
            }
        )
        super().__init__(required=False, widget=widget, **kwargs)

    def clean(self, value: str) -> list[Step]:
        return parse_ladder(super().clean(value), teams=self.teams)


def _names(action: Action) -> str:
    """What stands in brackets behind an action."""
    return "role" if action == Action.ROLE else "team" if action.names_team else ""


def working_day(calendar: BusinessCalendar) -> timedelta:
    """One business day of a calendar (T4)."""
    return BusinessTime(calendar.time_zone, calendar.weekly_hours).working_day


class ListedChoiceField(forms.ModelChoiceField):
    """A choice of rows that asks the database for none that stands in its list of choices."""

    def to_python(self, value: Any) -> Any:
        listed = self.choices if isinstance(self.choices, list) else ()
        found = (choice.instance for choice, _ in listed if choice and str(choice) == str(value))
        return next(found, None) or super().to_python(value)


class CalendarChoiceField(ListedChoiceField):
    """A choice of calendar that says what a business day is on each."""

    def label_from_instance(self, calendar: BusinessCalendar) -> str:
        return gettext("%(calendar)s (one business day is %(working_day)s)") % {
            "calendar": calendar,
            "working_day": duration(working_day(calendar)),
        }
