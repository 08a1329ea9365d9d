"""Leads, handoffs, attempts and reason codes in the admin. What happened is shown; writing it is the verbs' work."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import (
    ChoicesDropdownFilter,
    DropdownFilter,
    RangeDateTimeFilter,
    RelatedDropdownFilter,
)
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminExpandableTextareaWidget

from leads import admin_routing, escalations  # noqa: F401 (the rules register themselves)
from leads.intake import RECEIVED_FIELDS, match_again, receive_leads
from leads.models import Attempt, Handoff, Lead, ReasonCode, Task
from leads.records import LeadRecord
from slaportal.admin import CheapCountPaginator, PortalAdmin, ReadOnlyAdmin

# What a reason means; numbers rest on it from the first disposition on.
STAGE_TONES = {Handoff.Stage.WON: "success", Handoff.Stage.LOST: "danger", Handoff.Stage.REJECTED: "danger"}
MEANING = ("code", "for_recycled", "for_rejected", "is_quality", "needs_contact", "needs_attempts", "undelivered")


class LeadForm(forms.ModelForm):
    """A lead as it is known here."""

    class Meta:
        model = Lead
        fields = ("source_system", "external_id", "received_at", "owner", *RECEIVED_FIELDS)
        widgets = {"attributes": UnfoldAdminExpandableTextareaWidget}

    def clean_received_at(self) -> datetime:
        received_at = self.cleaned_data["received_at"]
        if received_at > timezone.now():
            raise ValidationError(gettext("A lead cannot be received in the future."))
        return received_at

    def clean_attributes(self) -> dict[str, object]:
        attributes = self.cleaned_data["attributes"] or {}
        if not isinstance(attributes, dict):
            raise ValidationError(gettext('Attributes have names, such as {"product": "Router"}.'))
        return attributes


@admin.register(Lead)
class LeadAdmin(PortalAdmin):
    """Leads. One that is added or changed here is received like any other: it may qualify and begin a handoff."""

    form = LeadForm
    list_display = ("who", "company", "state_now", "score", "source", "segment", "received_at")
    list_filter = (("state", ChoicesDropdownFilter), "handed_over", ("received_at", RangeDateTimeFilter))
    search_fields = ("name", "email", "company", "=external_id", "=contact_id")
    search_help_text = _("Name, e-mail, company, or the exact id of the lead or person in the source system")
    ordering = ("-id",)
    paginator, show_full_result_count = CheapCountPaginator, False
    actions = ("match_again",)
    fieldsets = (
        (_("Person"), {"fields": (("name", "title"), ("email", "phone"), ("seniority", "contact_id"))}),
        (_("Company"), {"fields": (("company", "company_size"), ("industry", "country"))}),
        (
            _("Interest"),
            {"fields": (("score", "segment"), ("source", "campaign"), "engaged_at", "handed_over")},
        ),
        (
            _("Record"),
            {"fields": (("source_system", "external_id"), ("received_at", "owner"), "attributes")},
        ),
    )

    @display(description=_("Lead"), header=True, ordering="name")
    def who(self, lead: Lead) -> tuple[str, str]:
        return str(lead), lead.email

    @display(
        description=_("State"),
        ordering="state",
        label={Lead.State.HANDED_OFF: "success", Lead.State.UNMATCHED: "warning", Lead.State.WAITING: ""},
    )
    def state_now(self, lead: Lead) -> tuple[str, str]:
        return lead.state, Lead.State(lead.state).label.partition(":")[0]

    def get_readonly_fields(self, request: HttpRequest, obj: Lead | None = None) -> Sequence[str]:
        return ("source_system", "external_id", "received_at") if obj else ()

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        now = timezone.now()
        return {"received_at": now, "external_id": f"by-hand-{now:%Y%m%d-%H%M%S}"}

    def save_model(self, request: HttpRequest, obj: Lead, form: LeadForm, change: bool) -> None:
        """Receive it: the verb stores it, tests it against the lead definition, and hands it off if it qualifies."""
        told = {name: getattr(obj, name) for name in ("source_system", "external_id", "received_at", *RECEIVED_FIELDS)}
        told["owner"] = obj.owner.email if obj.owner else ""
        received = receive_leads([LeadRecord(**told)], now=timezone.now(), by=request.user)
        stored = Lead.objects.get(source_system=obj.source_system, external_id=obj.external_id)
        obj.pk, obj.state = stored.pk, stored.state
        if received.handoffs:
            messages.info(
                request,
                gettext("It qualifies under %(version)s: a handoff has begun.")
                % {"version": received.handoffs[0].version},
            )

    def has_match_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("leads.match_lead")

    @action(description=_("Match again"), permissions=["match"])
    def match_again(self, request: HttpRequest, leads: QuerySet[Lead]) -> None:
        unmatched = leads.filter(state=Lead.State.UNMATCHED).count()
        begun = match_again(leads, by=request.user, now=timezone.now())
        messages.success(
            request,
            gettext("Of %(unmatched)s unmatched leads, %(begun)s began a handoff.")
            % {"unmatched": unmatched, "begun": begun},
        )


class PortalPageAdmin(ReadOnlyAdmin):
    """Rows of big tables that are shown, with a way to their page in the portal where they have one."""

    paginator, show_full_result_count = CheapCountPaginator, False
    ordering = ("-id",)
    view_on_site = False


@admin.register(Handoff)
class HandoffAdmin(PortalPageAdmin):
    """Handoffs; the portal's page of each has the time line and the clocks."""

    list_display = ("lead", "agreement", "version_number", "qualified_at", "owner", "team", "stage_reached", "ended_at")
    list_select_related = ("lead", "agreement", "version", "owner", "team")
    list_filter = (
        ("agreement", RelatedDropdownFilter),
        ("stage", ChoicesDropdownFilter),
        ("team", RelatedDropdownFilter),
        ("qualified_at", RangeDateTimeFilter),
    )
    search_fields = ("lead__name", "lead__email", "=lead__external_id")
    fieldsets = (
        (None, {"fields": (("lead", "number"), ("agreement", "version"), ("qualified_at", "ended_at"))}),
        (_("Now"), {"fields": (("owner", "team"), "stage")}),
        (_("When it began"), {"fields": (("source", "campaign"), ("segment", "score"), "snapshot")}),
        (
            _("Qualification"),
            {"fields": (("below_definition", "failed_criteria"), ("is_complete", "missing_fields"))},
        ),
    )
    actions_detail = ("open_page",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Handoff]:
        return super().get_queryset(request).defer("version__terms")

    @display(description=_("Version"), ordering="version__number")
    def version_number(self, handoff: Handoff) -> int:
        return handoff.version.number

    @display(
        description=_("Stage"),
        ordering="stage",
        label=dict.fromkeys(Handoff.Stage, "") | STAGE_TONES,
    )
    def stage_reached(self, handoff: Handoff) -> tuple[str, str]:
        return handoff.stage, handoff.get_stage_display()

    @action(description=_("Time line and clocks"), icon="open_in_new", permissions=["view"])
    def open_page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return redirect(get_object_or_404(Handoff, pk=object_id).get_absolute_url())


@admin.register(Attempt)
class AttemptAdmin(PortalPageAdmin):
    """Attempts; a wrong one is voided on its handoff's page, never changed (A4)."""

    list_display = ("at", "who", "channel", "direction", "outcome", "by", "automated", "voided_at")
    list_select_related = ("lead", "by")
    list_filter = (
        ("channel", ChoicesDropdownFilter),
        ("direction", ChoicesDropdownFilter),
        ("outcome", ChoicesDropdownFilter),
        "automated",
        ("at", RangeDateTimeFilter),
    )
    search_fields = ("lead__name", "=email", "=contact_id", "=external_id")

    @display(description=_("With"))
    def who(self, attempt: Attempt) -> str:
        return str(attempt.lead) if attempt.lead else attempt.email or attempt.contact_id


@admin.register(ReasonCode)
class ReasonCodeAdmin(PortalAdmin):
    """Reasons for recycling and rejecting."""

    list_display = ("label", *MEANING[1:], "is_active")
    list_filter = ("is_active", "is_quality", "needs_contact")
    search_fields = ("label", "code")
    prepopulated_fields = {"code": ("label",)}

    def get_readonly_fields(self, request: HttpRequest, obj: ReasonCode | None = None) -> Sequence[str]:
        return MEANING if self._is_used(obj) else ()

    def get_prepopulated_fields(self, request: HttpRequest, obj: ReasonCode | None = None) -> dict[str, Sequence[str]]:
        return {} if obj else self.prepopulated_fields

    def get_fieldsets(self, request: HttpRequest, obj: ReasonCode | None = None) -> Sequence[tuple[str | None, dict]]:
        why = gettext(
            "Dispositions use this reason, so what it means stays as it is: their numbers rest on it. To "
            "mean something else, stop offering it and add a new one."
        )
        return (
            (None, {"fields": (("label", "code"), "is_active")}),
            (gettext("What it means"), {"fields": MEANING[1:], "description": why if self._is_used(obj) else ""}),
        )

    def _is_used(self, reason: ReasonCode | None) -> bool:
        return reason is not None and reason.dispositions.exists()


class OpenFilter(DropdownFilter):
    """Tasks that wait, and those that are done."""

    title, parameter_name = "state", "state"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return [("open", gettext("To do")), ("done", gettext("Done"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Task]) -> QuerySet[Task]:
        return queryset.filter(done_at__isnull=self.value() == "open") if self.value() in ("open", "done") else queryset


@admin.register(Task)
class TaskAdmin(PortalAdmin):
    """What steps of ladders asked RevOps to look into. What was found is noted here; they come and go by verbs."""

    list_display = ("title", "agreement", "opened_at", "is_done", "done_by", "note")
    list_filter = (OpenFilter, ("agreement", RelatedDropdownFilter), ("opened_at", RangeDateTimeFilter))
    list_select_related = ("agreement", "done_by")
    search_fields = ("title", "note")
    ordering = ("-id",)
    actions = ("close",)
    actions_detail = ("open_page",)
    fieldsets = (
        (None, {"fields": ("title", ("agreement", "opened_at"), "note")}),
        (_("Done"), {"fields": (("done_at", "done_by"),)}),
    )
    readonly_fields = ("title", "agreement", "opened_at", "done_at", "done_by")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Task | None = None) -> bool:
        return False

    @display(description=_("Done"), boolean=True)
    def is_done(self, task: Task) -> bool:
        return task.done_at is not None

    @action(description=_("Mark as done"), permissions=["change"])
    def close(self, request: HttpRequest, tasks: QuerySet[Task]) -> None:
        count = escalations.close_tasks(tasks, by=request.user, now=timezone.now())
        messages.success(request, ngettext("%(count)s task done.", "%(count)s tasks done.", count) % {"count": count})

    @action(description=_("Open what it is about"), icon="open_in_new", permissions=["view"])
    def open_page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        task = get_object_or_404(Task, pk=object_id)
        return redirect((task.handoff or task.agreement).get_absolute_url())
