"""Agreements and versions in the admin: a draft is edited on one page, whatever was proposed is only shown."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import models
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from unfold.admin import StackedInline
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm

from agreements import admin_calendars, signoff, terms, wording  # noqa: F401 (the calendars register themselves)
from agreements.forms import (
    AgreementForm,
    CommitmentForm,
    CommitmentFormSet,
    NewDraftForm,
    ReasonForm,
    VersionForm,
)
from agreements.models import Agreement, Commitment, Status, Version
from agreements.plain_text import write_criteria
from agreements.standing import Standing, standings
from slaportal.admin import PortalAdmin

# What the word of a standing looks like: the variant of Unfold's label.
TONES = {"in force": "success", "planned": "info", "proposed": "primary", "draft": "warning", "declined": "danger"}


def version_url(version: Version) -> str:
    """The admin's page of a version."""
    return reverse("admin:agreements_version_change", args=[version.pk])


def agreement_url(agreement_id: int) -> str:
    """The admin's page of an agreement."""
    return reverse("admin:agreements_agreement_change", args=[agreement_id])


def with_versions(agreements: QuerySet[Agreement]) -> QuerySet[Agreement]:
    """Agreements with what a time line shows; the frozen text of their versions stays in the database."""
    versions = Version.objects.defer("terms").select_related("created_by", "based_on").prefetch_related("signatures")
    return agreements.with_in_force(timezone.now()).prefetch_related(Prefetch("versions", versions))


def standings_of(agreement: Agreement) -> list[Standing]:
    """Where each version of an agreement `with_versions` stands now, newest first."""
    return standings(agreement.versions.all(), in_force_id=agreement.in_force_id, now=timezone.now())


def day(moment: datetime | None, version: Version) -> str:
    """The day of a moment in the agreement's zone, in which its days begin."""
    return f"{moment.astimezone(version.agreement.zone):%-d %b %Y}" if moment else ""


def dates(standing: Standing) -> str:
    """From when, or from when to when."""
    version, wanted = standing.version, standing.version.wanted_from
    since, until = day(standing.since, version), day(standing.until, version)
    match standing.word:
        case "in force":
            return f"since {since}, until {until}" if until else f"since {since}"
        case "planned":
            return f"from {since}"
        case "superseded" | "ended":
            return f"{since} to {until}"
        case "draft" | "proposed":
            return f"wanted from {wanted:%-d %b %Y}" if wanted else "from the second signature"
    return ""


def shown(standing: Standing) -> dict[str, object]:
    """What the templates say of a version."""
    version = standing.version
    signed = {signature.party for signature in version.signatures.all()}
    return {
        "standing": standing,
        "version": version,
        "tone": TONES.get(standing.word, ""),
        "dates": dates(standing),
        "since": day(standing.since, version),
        "waiting": " and ".join(party.label.lower() for party in signoff.SIGNING_PARTIES if party not in signed),
    }


@admin.register(Agreement)
class AgreementAdmin(PortalAdmin):
    """Who agrees about which leads, with all versions on a time line."""

    form = AgreementForm
    list_display = ("name", "teams", "priority", "in_force", "in_preparation")
    list_select_related = ("marketing_team", "sales_team")
    list_filter = (("marketing_team", RelatedDropdownFilter), ("sales_team", RelatedDropdownFilter))
    search_fields = ("name",)
    fieldsets = (
        (None, {"fields": ("name", ("marketing_team", "sales_team"), ("time_zone", "priority"))}),
        ("Scope", {"fields": ("covers",)}),
    )
    actions = None
    actions_detail = ("new_draft",)
    change_form_outer_before_template = "admin/agreements/timeline.html"
    view_on_site = False

    class Media:
        js = ["criteria.js"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Agreement]:
        return with_versions(super().get_queryset(request))

    def covers(self, agreement: Agreement) -> str:
        """The scope as text, for who may only look."""
        return write_criteria(agreement.scope.all()) or "every lead"

    @display(description="Teams", header=True)
    def teams(self, agreement: Agreement) -> tuple[str, str]:
        return str(agreement.marketing_team), str(agreement.sales_team)

    @display(description="In force")
    def in_force(self, agreement: Agreement) -> str:
        return self._listed(agreement, ("in force",)) or "none"

    @display(description="In preparation")
    def in_preparation(self, agreement: Agreement) -> str:
        return self._listed(agreement, ("draft", "proposed", "planned")) or "–"

    def _listed(self, agreement: Agreement, words: Collection[str]) -> str:
        found = [standing for standing in standings_of(agreement) if standing.word in words]
        links = format_html_join(
            "",
            '<a class="sla-listed" href="{}"><span class="text-link">Version {}</span> <span>{}</span></a>',
            (
                (version_url(one.version), one.version.number, dates(one) if one.word == "in force" else one.word)
                for one in found
            ),
        )
        return links and format_html("<div>{}</div>", links)

    def render_change_form(self, request: HttpRequest, context: dict, *args: Any, **kwargs: Any) -> HttpResponse:
        if agreement := context.get("original"):
            context["timeline"] = [shown(standing) for standing in standings_of(agreement)]
            context["may_draft"] = self.has_draft_permission(request)
        return super().render_change_form(request, context, *args, **kwargs)

    def response_post_save_add(self, request: HttpRequest, obj: Agreement) -> HttpResponse:
        """A new agreement promises nothing yet, so its page comes next, with the offer to draft version 1."""
        return redirect(agreement_url(obj.pk))

    def has_delete_permission(self, request: HttpRequest, obj: Agreement | None = None) -> bool:
        used = obj is not None and obj.versions.exists()
        return not used and super().has_delete_permission(request, obj)

    def has_draft_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("agreements.add_version")

    @action(
        description="New draft",
        icon="edit_document",
        variant=ActionVariant.PRIMARY,
        permissions=["draft"],
        dialog={
            "title": "New draft",
            "description": "Begin with the terms of any version, or with blank ones.",
            "form_class": NewDraftForm,
            "form_submit_text": "Draft it",
        },
    )
    def new_draft(self, request: HttpRequest, form: NewDraftForm, object_id: str) -> HttpResponse:
        agreement = get_object_or_404(Agreement, pk=object_id)
        chosen = form.cleaned_data["begin_with"]

        def draft() -> Version:
            by_and_now = {"by": request.user, "now": timezone.now()}
            if chosen == NewDraftForm.BLANK:
                return signoff.new_draft(agreement, calendar=form.cleaned_data["calendar"], **by_and_now)
            return signoff.new_draft_from(agreement.versions.get(pk=chosen), **by_and_now)

        return self.take(request, draft, done=drafted, then=version_url, otherwise=agreement_url(agreement.pk))


def drafted(version: Version) -> str:
    """What is said when a draft was made."""
    return f"Version {version.number} is a draft: only RevOps sees it until it is proposed."


class CommitmentInline(StackedInline):
    """All promises of a draft, in the order in which both sides read them."""

    model = Commitment
    form, formset = CommitmentForm, CommitmentFormSet
    extra = 0
    collapsible = True
    ordering_field = "position"
    hide_ordering_field = True
    fields = (
        ("title", "kind"),
        "covers",
        ("calendar", "start"),
        ("limit", "unit", "attempts"),
        ("target", "baseline"),
        "monthly_targets",
        ("consequence", "code"),
        "position",
    )

    def get_formset(self, request: HttpRequest, obj: Version | None = None, **kwargs: Any) -> type[CommitmentFormSet]:
        formset = super().get_formset(request, obj, **kwargs)
        formset.form.base_fields["calendar"].initial = obj and obj.calendar_id
        return formset

    def get_queryset(self, request: HttpRequest) -> QuerySet[Commitment]:
        return super().get_queryset(request).select_related("calendar").prefetch_related("scope")

    def formfield_for_foreignkey(
        self, db_field: models.ForeignKey, request: HttpRequest, **kwargs: Any
    ) -> forms.ModelChoiceField:
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        field.choices = list(field.choices)  # read once, not once for each row
        return field

    def formfield_for_dbfield(self, db_field: models.Field, request: HttpRequest, **kwargs: Any) -> forms.Field | None:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "calendar":
            field.widget = field.widget.widget  # without buttons to add and change calendars: a row has no room
        return field


@admin.register(Version)
class VersionAdmin(PortalAdmin):
    """Terms. New ones begin at their agreement; from the proposal on they are read-only."""

    form = VersionForm
    inlines = (CommitmentInline,)
    list_display = ("__str__", "standing", "dates", "signed_by")
    list_filter = (("agreement", RelatedDropdownFilter), ("status", ChoicesDropdownFilter))
    search_fields = ("agreement__name", "note")
    ordering = ("agreement__priority", "agreement", "-number")
    fieldsets = (
        ("When and why", {"fields": (("wanted_from", "ends_on"), "note")}),
        ("Lead definition", {"fields": ("score_threshold", "covers", "required_fields")}),
        (
            "Further terms",
            {
                "classes": ["collapse"],
                "fields": (
                    ("calendar", "review_cadence"),
                    ("entry_grace_days", "sealing_grace_days", "dispute_days"),
                    ("monthly_cap", "minimum_group"),
                ),
            },
        ),
    )
    actions = None
    actions_detail = ("propose", "withdraw", {"title": "More", "items": ["open_page", "draft_from"]})
    actions_detail_hide_default = True  # what happened stands on the page
    change_form_outer_before_template = "admin/agreements/version.html"
    view_on_site = False

    class Media:
        js = ["criteria.js", "commitments.js"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Version]:
        versions = super().get_queryset(request).prefetch_related("signatures")
        return versions.prefetch_related(Prefetch("agreement", with_versions(Agreement.objects.all())))

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Version | None:
        """The version; locked while an edit is written, so that nobody proposes half of it."""
        version = super().get_object(request, object_id, from_field)
        if version is None or request.method != "POST":
            return version
        return self.get_queryset(request).select_for_update(of=("self",)).get(pk=version.pk)

    def _standing(self, version: Version) -> Standing:
        return next(one for one in standings_of(version.agreement) if one.version == version)

    @display(description="Status", label={word.capitalize(): tone for word, tone in TONES.items()})
    def standing(self, version: Version) -> str:
        return self._standing(version).word.capitalize()

    @display(description="Dates")
    def dates(self, version: Version) -> str:
        return dates(self._standing(version))

    @display(description="Signed by")
    def signed_by(self, version: Version) -> str:
        return ", ".join(signature.name for signature in version.signatures.all())

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Version | None = None) -> bool:
        """Never: a draft that nobody needs any more is withdrawn, with the reason."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Version | None = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or obj.is_draft)

    def get_fieldsets(self, request: HttpRequest, obj: Version | None = None) -> Sequence[tuple[str | None, dict]]:
        return self.fieldsets if self.has_change_permission(request, obj) else ()

    def get_inlines(self, request: HttpRequest, obj: Version | None) -> Sequence[type[StackedInline]]:
        return self.inlines if self.has_change_permission(request, obj) else ()

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: dict | None = None
    ) -> HttpResponse:
        """The page, which may have been open while somebody proposed the draft: then a late edit is refused."""
        if request.method == "POST" and self.has_view_permission(request):
            version = get_object_or_404(Version, pk=object_id)
            if not version.is_draft:
                messages.error(
                    request,
                    f"Version {version.number} is {version.get_status_display().lower()}, so its terms are frozen; "
                    "nothing was changed. Draft a new version from it instead.",
                )
                return redirect(version_url(version))
        return super().changeform_view(request, object_id, form_url, extra_context)

    def render_change_form(self, request: HttpRequest, context: dict, *args: Any, **kwargs: Any) -> HttpResponse:
        version = context["original"]
        context |= shown(self._standing(version))
        if not self.has_change_permission(request, version):
            context |= {
                "document": wording.document(terms.of(version, now=timezone.now())),
                "sides": [
                    (party, next((row for row in version.signatures.all() if row.party == party), None))
                    for party in signoff.SIGNING_PARTIES
                ],
                "events": version.events.select_related("actor"),
            }
        return super().render_change_form(request, context, *args, **kwargs)

    def response_post_save_change(self, request: HttpRequest, obj: Version) -> HttpResponse:
        return redirect(agreement_url(obj.agreement_id))

    def has_propose_permission(self, request: HttpRequest, object_id: str) -> bool:
        return self._may_end(request, object_id, Status.DRAFT)

    def has_withdraw_permission(self, request: HttpRequest, object_id: str) -> bool:
        return self._may_end(request, object_id, Status.DRAFT, Status.PROPOSED)

    def has_draft_permission(self, request: HttpRequest, object_id: str) -> bool:
        return request.user.has_perm("agreements.add_version")

    def _may_end(self, request: HttpRequest, object_id: str, *states: Status) -> bool:
        """Whether the button is offered; whether the step can be taken decides the verb."""
        may = request.user.has_perm("agreements.change_version")
        return may and Version.objects.filter(pk=object_id, status__in=states).exists()

    @action(
        description="Propose",
        icon="send",
        variant=ActionVariant.PRIMARY,
        permissions=["propose"],
        dialog={
            "title": "Propose this version?",
            "description": "Its terms freeze as they were last saved, and both leaders are asked to sign them. To "
            "change anything afterwards, withdraw it and draft a new version.",
            "form_class": None,
            "form_submit_text": "Freeze and propose",
        },
    )
    def propose(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        version = get_object_or_404(Version, pk=object_id)
        return self.take(
            request,
            lambda: signoff.propose(version, by=request.user, now=timezone.now()),
            done=lambda row: f"Version {row.number} is proposed. Both leaders can sign it now.",
            then=version_url,
            otherwise=version_url(version),
        )

    @action(
        description="Withdraw",
        icon="undo",
        permissions=["withdraw"],
        dialog={
            "title": "Withdraw this version?",
            "description": "It stays visible with your reason and can never be signed. This cannot be undone.",
            "form_class": ReasonForm,
            "form_submit_text": "Withdraw",
        },
    )
    def withdraw(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        version = get_object_or_404(Version, pk=object_id)
        return self.take(
            request,
            lambda: signoff.withdraw(version, by=request.user, reason=form.cleaned_data["reason"], now=timezone.now()),
            done=lambda row: f"Version {row.number} is withdrawn.",
            then=version_url,
            otherwise=version_url(version),
        )

    @action(
        description="New draft from this",
        icon="edit_document",
        permissions=["draft"],
        dialog={
            "title": "New draft from this version?",
            "description": "A draft with the same terms and the next number; its dates are left open.",
            "form_class": None,
            "form_submit_text": "Draft it",
        },
    )
    def draft_from(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        version = get_object_or_404(Version, pk=object_id)
        return self.take(
            request,
            lambda: signoff.new_draft_from(version, by=request.user, now=timezone.now()),
            done=drafted,
            then=version_url,
            otherwise=version_url(version),
        )

    @action(description="Page for signers", icon="open_in_new", permissions=["view"])
    def open_page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return redirect(get_object_or_404(Version, pk=object_id).get_absolute_url())
