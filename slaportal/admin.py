"""The admin's ground floor: what every page of it shares, and the pages of people, teams, roles and scheduled tasks."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, TypeVar

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.auth.admin import GroupAdmin as PlainGroupAdmin
from django.contrib.auth.admin import UserAdmin as PlainUserAdmin
from django.contrib.auth.models import Group
from django.core.paginator import Paginator
from django.db import connections, models
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django_celery_beat import admin as beat
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule
from unfold.admin import ModelAdmin, TabularInline
from unfold.contrib.filters.admin import (
    ChoicesDropdownFilter,
    DropdownFilter,
    RangeDateTimeFilter,
    RelatedDropdownFilter,
)
from unfold.decorators import action, display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelect2MultipleWidget,
    UnfoldAdminSelect2Widget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from slaportal import outbox, roles
from slaportal.admin_told import ShowsHowTold
from slaportal.models import Absence, Notice, Party, Team, User, time_zone_names
from slaportal.refusal import Refused
from slaportal.timing import database_now

T = TypeVar("T")
BEYOND = _("Beyond roles")


class CheapCountPaginator(Paginator):
    """Asks PostgreSQL's statistics how many rows an unfiltered table has; a count reads them all, a page 100."""

    # Below it a count is quick, and a page number that is wrong is seen.
    EXACT_BELOW = 10_000

    @cached_property
    def count(self) -> int:
        connection = connections[self.object_list.db]
        if connection.vendor != "postgresql" or self.object_list.query.where:
            return self.object_list.count()
        with connection.cursor() as cursor:
            table = self.object_list.model._meta.db_table
            cursor.execute("SELECT reltuples::bigint FROM pg_class WHERE oid = %s::regclass", [f'"{table}"'])
            estimate = cursor.fetchone()[0]
        return estimate if estimate >= self.EXACT_BELOW else self.object_list.count()


@cache
def time_zones() -> list[tuple[str, str]]:
    """Every time zone as a choice; asking for them reads hundreds of files."""
    return [(name, name.replace("_", " ")) for name in sorted(time_zone_names())]


class PortalAdmin(ModelAdmin):
    """What every page of the admin shares: time zones to choose from, and steps that are taken by calling a verb."""

    list_filter_submit = True
    warn_unsaved_form = True

    class Media:
        css = {"all": ["admin.css"]}

    def formfield_for_dbfield(self, db_field: models.Field, request: HttpRequest, **kwargs: Any) -> forms.Field | None:
        if db_field.name == "time_zone":
            return forms.ChoiceField(
                choices=time_zones(),
                initial=db_field.default,
                help_text=db_field.help_text,
                widget=UnfoldAdminSelect2Widget,
            )
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def take(
        self,
        request: HttpRequest,
        step: Callable[[], T],
        *,
        done: Callable[[T], str],
        then: Callable[[T], str],
        otherwise: str,
    ) -> HttpResponse:
        """Take a step and go to the address `then`; if it is refused, say why and go to `otherwise`."""
        try:
            result = step()
        except Refused as refusal:
            messages.error(request, str(refusal))
            url = otherwise
        else:
            messages.success(request, done(result))
            url = then(result)
        if "HX-Request" in request.headers:
            return HttpResponse(headers={"HX-Redirect": url})
        return redirect(url)


class ReadOnlyAdmin(PortalAdmin):
    """Pages that show and never write: verbs write these rows."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False


class NewPersonForm(UserCreationForm):
    """A person with a first password."""

    class Meta:
        model = User
        fields = ("email", "name")


class PersonForm(UserChangeForm):
    """A person; the password has its own page."""

    class Meta:
        model = User
        fields = "__all__"


class AbsenceInline(TabularInline):
    """Days on which a person is away."""

    model, extra, tab = Absence, 0, False
    verbose_name, verbose_name_plural = "absence", "away"
    fields = ("first_day", "last_day", "note")
    ordering = ("-first_day",)


@admin.register(User)
class UserAdmin(PlainUserAdmin, ShowsHowTold, PortalAdmin):
    """People. Who is no superuser gives nobody, least of all themselves, more than roles and the way into the admin."""

    form, add_form, change_password_form = PersonForm, NewPersonForm, AdminPasswordChangeForm
    list_display = ("person", "team", "held_roles", "active", "staff")
    list_filter = (
        ("team", RelatedDropdownFilter),
        ("groups", RelatedDropdownFilter),
        "is_active",
        "is_staff",
        "from_import",
    )
    search_fields = ("name", "email")
    ordering = ("name", "email")
    autocomplete_fields = ("team",)
    filter_horizontal = ()
    readonly_fields = ("chat", "hours", "told", "last_login", "date_joined", "from_import")
    inlines = (AbsenceInline,)
    add_fieldsets = (
        (None, {"fields": ("email", "name", "title", "password1", "password2")}),
        (_("Work"), {"fields": ("team", "time_zone", "groups", "is_staff")}),
    )
    fieldsets = (
        (None, {"fields": ("email", "name", "title", "password")}),
        (_("Work"), {"fields": ("team", "time_zone", "most_open")}),
        (_("Access"), {"fields": ("is_active", "is_staff", "groups")}),
        (BEYOND, {"classes": ["collapse"], "fields": ("is_superuser", "user_permissions")}),
        (_("Notices"), {"classes": ["collapse"], "fields": ("chat", "hours", "told")}),
        (_("Record"), {"classes": ["collapse"], "fields": ("last_login", "date_joined", "from_import")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).select_related("team").prefetch_related("groups")

    def get_inlines(self, request: HttpRequest, obj: User | None) -> Sequence[type[TabularInline]]:
        return self.inlines if obj else ()

    @display(description=_("Person"), header=True, ordering="name")
    def person(self, user: User) -> tuple[str, str]:
        return user.name, user.email

    @display(description=_("Roles"))
    def held_roles(self, user: User) -> str:
        return ", ".join(group.name for group in user.groups.all())

    @display(description=_("May log in"), boolean=True, ordering="is_active")
    def active(self, user: User) -> bool:
        return user.is_active

    @display(description=_("Admin"), boolean=True, ordering="is_staff")
    def staff(self, user: User) -> bool:
        return user.is_staff

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Sequence[tuple[str | None, dict]]:
        fieldsets = super().get_fieldsets(request, obj)
        return fieldsets if request.user.is_superuser else [row for row in fieldsets if row[0] != BEYOND]

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Sequence[str]:
        fields = (*self.readonly_fields,)
        if not request.user.is_superuser:
            fields += ("is_superuser", "user_permissions")
            if obj == request.user:
                fields += ("is_active", "is_staff", "groups")
        return fields

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        out_of_reach = obj is not None and obj.is_superuser and not request.user.is_superuser
        return not out_of_reach and super().has_change_permission(request, obj)

    def formfield_for_dbfield(self, db_field: models.Field, request: HttpRequest, **kwargs: Any) -> forms.Field | None:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None and db_field.name == "is_staff":
            field.help_text = gettext("RevOps needs it.")
        return field

    def formfield_for_manytomany(
        self, db_field: models.ManyToManyField, request: HttpRequest, **kwargs: Any
    ) -> forms.Field | None:
        if db_field.name != "groups":
            return super().formfield_for_manytomany(db_field, request, **kwargs)
        return forms.ModelMultipleChoiceField(
            Group.objects.order_by("name"),
            required=False,
            label=gettext("Roles"),
            help_text=gettext("Leaders sign for the side that they lead; RevOps never signs."),
            widget=UnfoldAdminCheckboxSelectMultipleWidget,
        )

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        """Set a password. A signature rests on it, so after the first one only its owner and a superuser may."""
        person = self.get_object(request, unquote(id))
        others = person is not None and person != request.user and person.has_usable_password()
        if others and not request.user.is_superuser:
            messages.error(
                request,
                gettext("%(person)s signs with this password, so only %(person)s and a superuser may change it.")
                % {"person": person},
            )
            return redirect(reverse("admin:slaportal_user_change", args=[person.pk]))
        return super().user_change_password(request, id, form_url)


@admin.register(Team)
class TeamAdmin(ShowsHowTold, PortalAdmin):
    """Teams of both sides."""

    list_display = ("name", "side", "manager", "size")
    list_filter = ("party",)
    list_select_related = ("manager",)
    search_fields = ("name",)
    autocomplete_fields = ("manager",)
    readonly_fields = ("chat", "told", "change_told")
    fieldsets = (
        (None, {"fields": ("name", "party", "manager")}),
        (_("Notices"), {"fields": ("chat", "told", "change_told")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Team]:
        return super().get_queryset(request).annotate(people=Count("members"))

    @display(
        description=_("Side"),
        ordering="party",
        label={Party.MARKETING: "primary", Party.SALES: "info"},
    )
    def side(self, team: Team) -> tuple[str, str]:
        return team.party, team.get_party_display()

    @display(description=_("People"), ordering="people")
    def size(self, team: Team) -> int:
        return team.people


class NoticeStateFilter(DropdownFilter):
    """How far notices came."""

    title, parameter_name = "state", "state"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return Notice.State.choices

    def queryset(self, request: HttpRequest, queryset: QuerySet[Notice]) -> QuerySet[Notice]:
        return queryset.in_state(self.value()) if self.value() in Notice.State.values else queryset


class NoticeKindFilter(DropdownFilter):
    """What notices are about."""

    title, parameter_name = "kind", "kind"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return list(settings.NOTICE_KINDS.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Notice]) -> QuerySet[Notice]:
        return queryset.filter(kind=self.value()) if self.value() else queryset


@admin.register(Notice)
class NoticeAdmin(ReadOnlyAdmin):
    """Notices: what was sent to whom, what waits, and what failed, to be sent again once its cause is gone."""

    list_display = ("about_what", "reader_now", "channel", "how_far", "created_at", "sent_at", "problem")
    list_filter = (
        NoticeStateFilter,
        ("channel", ChoicesDropdownFilter),
        NoticeKindFilter,
        ("recipient", RelatedDropdownFilter),
        ("created_at", RangeDateTimeFilter),
    )
    list_select_related = ("recipient",)
    search_fields = ("=key", "recipient__name", "recipient__email")
    search_help_text = _("The whole key, such as proposed:12, or the person’s name or e-mail")
    ordering = ("-id",)
    paginator, show_full_result_count = CheapCountPaginator, False
    actions = ("retry", "cancel")
    fieldsets = (
        (None, {"fields": (("subject", "kind_label"), ("recipient", "channel"), ("created_at", "due_at"))}),
        (
            _("What became of it"),
            {"fields": (("sent_at", "read_at"), ("cancelled_at", "failed_at"), "failures", "problem")},
        ),
        (
            _("Record"),
            {"fields": (("key", "slot"), ("letter", "about"), "reader", ("envelope", "claimed_until"))},
        ),
    )
    readonly_fields = ("kind_label",)

    @display(description=_("About"), header=True, ordering="key")
    def about_what(self, notice: Notice) -> tuple[str, str]:
        return notice.subject or self.kind_label(notice), notice.key

    @display(description=_("For"), ordering="recipient__name")
    def reader_now(self, notice: Notice) -> str:
        return str(notice.recipient or notice.slot)

    @display(description=_("Kind"))
    def kind_label(self, notice: Notice) -> str:
        return settings.NOTICE_KINDS.get(notice.kind, notice.kind)

    @display(
        description=_("State"),
        label={
            Notice.State.SENT: "success",
            Notice.State.TRIED: "warning",
            Notice.State.FAILED: "danger",
            Notice.State.WAITING: "",
            Notice.State.CANCELLED: "",
        },
    )
    def how_far(self, notice: Notice) -> tuple[str, str]:
        return notice.state, str(notice.state.label)

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("slaportal.retry_notice")

    @action(description=_("Send failed ones again"), permissions=["retry"])
    def retry(self, request: HttpRequest, notices: QuerySet[Notice]) -> None:
        count = outbox.retry(notices, now=database_now())
        if count:
            said = ngettext("%(count)s notice will be sent again.", "%(count)s notices will be sent again.", count)
            messages.success(request, said % {"count": count})
        else:
            messages.warning(request, gettext("None of these failed, so there is nothing to send again."))

    @action(description=_("Cancel those that wait or failed"), permissions=["retry"])
    def cancel(self, request: HttpRequest, notices: QuerySet[Notice]) -> None:
        count = outbox.cancel(notices, now=database_now())
        if count:
            said = ngettext("%(count)s notice cancelled.", "%(count)s notices cancelled.", count)
            messages.success(request, said % {"count": count})
        else:
            messages.warning(request, gettext("None of these waits or failed, so there is nothing to cancel."))


admin.site.unregister(Group)


@admin.register(Group)
class RoleAdmin(PlainGroupAdmin, PortalAdmin):
    """Roles. Those that the portal knows by name keep it."""

    fields = ("name", "permissions")
    filter_horizontal = ()

    def formfield_for_manytomany(
        self, db_field: models.ManyToManyField, request: HttpRequest, **kwargs: Any
    ) -> forms.Field | None:
        field = super().formfield_for_manytomany(db_field, request, **kwargs)
        field.widget = UnfoldAdminSelect2MultipleWidget(choices=field.choices)
        return field

    def get_readonly_fields(self, request: HttpRequest, obj: Group | None = None) -> Sequence[str]:
        return ("name",) if obj and obj.name in roles.ROLES else ()

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        known = obj is not None and obj.name in roles.ROLES
        return not known and super().has_delete_permission(request, obj)


class TaskSelect(UnfoldAdminSelectWidget, beat.TaskSelectWidget):
    """The tasks that exist, in the admin's dress."""


class PeriodicTaskForm(beat.PeriodicTaskForm):
    """When a task runs."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["task"].widget = UnfoldAdminTextInputWidget()
        self.fields["regtask"].widget = TaskSelect()


for model in (PeriodicTask, IntervalSchedule, CrontabSchedule, SolarSchedule, ClockedSchedule):
    admin.site.unregister(model)


@admin.register(PeriodicTask)
class PeriodicTaskAdmin(beat.PeriodicTaskAdmin, PortalAdmin):
    """Scheduled tasks."""

    form = PeriodicTaskForm


@admin.register(IntervalSchedule)
class IntervalScheduleAdmin(beat.IntervalScheduleAdmin, PortalAdmin):
    """Schedules by interval."""


@admin.register(CrontabSchedule)
class CrontabScheduleAdmin(beat.CrontabScheduleAdmin, PortalAdmin):
    """Schedules by time of day."""


@admin.register(SolarSchedule)
class SolarScheduleAdmin(beat.SolarScheduleAdmin, PortalAdmin):
    """Schedules by the sun."""


@admin.register(ClockedSchedule)
class ClockedScheduleAdmin(beat.ClockedScheduleAdmin, PortalAdmin):
    """Schedules at one moment."""
