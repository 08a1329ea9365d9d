"""Business calendars in the admin. A closure reaches signed versions, so it goes through its verb, never a save."""

from datetime import date, timedelta
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from agreements.calendars import (
    WEEKDAYS,
    BusinessCalendar,
    SpecialDay,
    WorkingHours,
    add_closure,
    public_holidays,
    snapshot,
    withdraw_closure,
)
from agreements.fields import working_day
from agreements.forms import CalendarForm, ClosureChoiceForm, ClosureForm, WorkingHoursForm
from agreements.models import Commitment, Version
from agreements.wording import hours
from slaportal import formats
from slaportal.admin import PortalAdmin
from slaportal.templatetags.display import duration

HOLIDAYS_SHOWN = timedelta(days=366)


def calendar_url(calendar_id: int | str) -> str:
    """The admin's page of a calendar."""
    return reverse("admin:agreements_businesscalendar_change", args=[calendar_id])


def coming_holidays(calendar: BusinessCalendar, *, today: date) -> list[tuple[date, str]]:
    """Public holidays of a calendar from today on, for a year."""
    named = public_holidays(calendar.country, calendar.region, years=[today.year, today.year + 1])
    return sorted((day, name) for day, name in named.items() if today <= day < today + HOLIDAYS_SHOWN)


class SpecialDayInline(TabularInline):
    """Days with hours of their own."""

    model = SpecialDay
    extra = 0
    verbose_name_plural = _("special days (frozen into versions proposed from then on)")


class WorkingHoursInline(TabularInline):
    """Who works these hours; the lint tells when owners are never there while a promise's calendar is open."""

    model = WorkingHours
    form = WorkingHoursForm
    extra = 0
    autocomplete_fields = ("person",)
    verbose_name = "person"
    verbose_name_plural = _("who works these hours")


@admin.register(BusinessCalendar)
class BusinessCalendarAdmin(PortalAdmin):
    """When somebody is there to answer."""

    form = CalendarForm
    inlines = (SpecialDayInline, WorkingHoursInline)
    list_display = ("name", "opens", "business_day", "holidays_of", "time_zone")
    search_fields = ("name",)
    fieldsets = (
        (None, {"fields": (("name", "time_zone"),)}),
        (_("Weekly hours"), {"fields": WEEKDAYS}),
        (_("Public holidays"), {"fields": (("country", "region"),)}),
    )
    actions_detail = ("close_day", "withdraw_a_closure")
    actions = None
    change_form_outer_before_template = "admin/agreements/calendar.html"
    change_form_outer_after_template = "admin/agreements/closures.html"

    @display(description=_("Open"))
    def opens(self, calendar: BusinessCalendar) -> str:
        frozen = {"hours": {str(day): pairs for day, pairs in calendar.weekly_hours.items() if pairs}}
        return hours({**frozen, "closed": {}, "special": {}, "time_zone": calendar.time_zone})

    @display(description=_("One business day"))
    def business_day(self, calendar: BusinessCalendar) -> str:
        return duration(working_day(calendar))

    @display(description=_("Public holidays"), empty_value="none")
    def holidays_of(self, calendar: BusinessCalendar) -> str | None:
        return "-".join(filter(None, (calendar.country, calendar.region))) or None

    def render_change_form(self, request: HttpRequest, context: dict, *args: Any, **kwargs: Any) -> HttpResponse:
        calendar: BusinessCalendar | None = context.get("original")
        if calendar:
            today = timezone.localdate()
            context |= {
                "open_hours": hours(snapshot(calendar, years=[])),
                "business_day": duration(working_day(calendar)),
                "closures": calendar.closures.select_related("added_by", "withdrawn_by").order_by("-date", "-added_at"),
                "coming_holidays": coming_holidays(calendar, today=today),
                "may_close": self.has_close_permission(request),
            }
        return super().render_change_form(request, context, *args, **kwargs)

    def has_delete_permission(self, request: HttpRequest, obj: BusinessCalendar | None = None) -> bool:
        used = obj is not None and (
            obj.closures.exists()
            or obj.people.exists()
            or Version.objects.filter(calendar=obj).exists()
            or Commitment.objects.filter(calendar=obj).exists()
        )
        return not used and super().has_delete_permission(request, obj)

    def has_close_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("agreements.add_closure")

    @action(
        description=_("Add closure"),
        icon="event_busy",
        variant=ActionVariant.PRIMARY,
        permissions=["close"],
        dialog={
            "title": _("Close a day"),
            "description": _(
                "A closure applies to signed versions too: every clock that touches the day is computed "
                "again, finished ones included, in periods that are not sealed."
            ),
            "form_class": ClosureForm,
            "form_submit_text": _("Close the day"),
        },
    )
    def close_day(self, request: HttpRequest, form: ClosureForm, object_id: str) -> HttpResponse:
        calendar = get_object_or_404(BusinessCalendar, pk=object_id)
        day, reason = form.cleaned_data["day"], form.cleaned_data["reason"]
        return self.take(
            request,
            lambda: add_closure(calendar=calendar, day=day, reason=reason, by=request.user, now=timezone.now()),
            done=lambda closure: (
                gettext("%(date)s is closed, and the clocks that touch it are computed again.")
                % {"date": formats.long_day(closure.date)}
            ),
            then=lambda closure: calendar_url(object_id),
            otherwise=calendar_url(object_id),
        )

    @action(
        description=_("Withdraw closure"),
        icon="event_available",
        permissions=["close"],
        dialog={
            "title": _("Withdraw a closure"),
            "description": _(
                "The day is open again, for signed versions too, and the clocks that touch it are computed "
                "again. The closure stays in the list with your name."
            ),
            "form_class": ClosureChoiceForm,
            "form_submit_text": _("Withdraw it"),
        },
    )
    def withdraw_a_closure(self, request: HttpRequest, form: ClosureChoiceForm, object_id: str) -> HttpResponse:
        closure = form.cleaned_data["closure"]
        return self.take(
            request,
            lambda: withdraw_closure(closure, by=request.user, now=timezone.now()),
            done=lambda nothing: gettext("%(date)s is open again.") % {"date": formats.long_day(closure.date)},
            then=lambda nothing: calendar_url(object_id),
            otherwise=calendar_url(object_id),
        )
