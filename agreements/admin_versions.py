"""Versions in the admin: a draft is edited beside how it will read; what was proposed is only shown."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import models, transaction
from django.db.models import Prefetch, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.text import get_text_list, slugify
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from unfold.admin import StackedInline
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm

from agreements import chain, exchange, marks, signers, signoff, wording
from agreements.admin_preview import preview, problems, readable
from agreements.fields import LadderField
from agreements.forms import CommitmentForm, CommitmentFormSet, ReasonForm, VersionForm
from agreements.models import Agreement, AgreementEvent, Commitment, Status, Version
from agreements.standing import Standing, standings
from slaportal import formats
from slaportal.admin import PortalAdmin
from slaportal.models import Team
from slaportal.templatetags.display import STATES, word_for

# What the word of a standing looks like: the variant of Unfold's label.
TONES = {
    "in force": "success",
    "planned": "info",
    "proposed": "primary",
    "draft": "warning",
    "declined": "danger",
}


def version_url(version: Version) -> str:
    """The admin's page of a version."""
    return reverse("admin:agreements_version_change", args=[version.pk])


def agreement_url(agreement_id: int) -> str:
    """The admin's page of an agreement."""
    return reverse("admin:agreements_agreement_change", args=[agreement_id])


def with_versions(agreements: QuerySet[Agreement]) -> QuerySet[Agreement]:
    """Agreements with what a time line shows; the frozen text of their versions stays in the database."""
    versions = Version.objects.defer("terms").select_related("created_by", "proposed_by", "based_on")
    versions = versions.prefetch_related(
        "signatures", Prefetch("events", AgreementEvent.objects.select_related("actor"))
    )
    agreements = agreements.select_related("marketing_team", "sales_team").with_in_force(timezone.now())
    return agreements.prefetch_related(Prefetch("versions", versions))


def standings_of(agreement: Agreement) -> list[Standing]:
    """Where each version of an agreement `with_versions` stands now, newest first."""
    return standings(agreement.versions.all(), in_force_id=agreement.in_force_id, now=timezone.now())


def day(moment: datetime | None, version: Version) -> str:
    """The day of a moment in the agreement's zone, in which its days begin."""
    return formats.short_day(moment.astimezone(version.agreement.zone)) if moment else ""


def dates(standing: Standing) -> str:
    """From when, or from when to when."""
    version, wanted = standing.version, standing.version.wanted_from
    since, until = day(standing.since, version), day(standing.until, version)
    match standing.word:
        case "in force":
            said = gettext("since %(since)s, until %(until)s") if until else gettext("since %(since)s")
            return said % {"since": since, "until": until}
        case "planned":
            return gettext("from %(since)s") % {"since": since}
        case "superseded" | "ended":
            return gettext("%(since)s to %(until)s") % {"since": since, "until": until}
        case "draft" | "proposed":
            if not wanted:
                return gettext("from the second signature")
            return gettext("wanted from %(day)s") % {"day": formats.short_day(wanted)}
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
        "ending": ending(version),
        "waiting": get_text_list(
            [party.label.lower() for party in signers.SIGNING_PARTIES if party not in signed], gettext("and")
        ),
    }


def ending(version: Version) -> AgreementEvent | None:
    """The event that ended a version before it was agreed."""
    return next((event for event in version.events.all() if event.what in ("declined", "withdrawn")), None)


def drafted(version: Version) -> str:
    """What is said when a draft was made."""
    said = gettext("Version %(number)s is a draft: only RevOps sees it until it is proposed.")
    return said % {"number": version.number}


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
        "ladder",
        ("consequence", "code"),
        "position",
    )

    def get_formset(self, request: HttpRequest, obj: Version | None = None, **kwargs: Any) -> type[CommitmentFormSet]:
        formset = super().get_formset(request, obj, **kwargs)
        fields = formset.form.base_fields
        fields["calendar"].initial = obj and obj.calendar_id
        fields["ladder"] = LadderField(teams=Team.objects.all(), help_text=fields["ladder"].help_text)
        return formset

    def get_queryset(self, request: HttpRequest) -> QuerySet[Commitment]:
        return super().get_queryset(request).select_related("calendar").prefetch_related("scope", "steps__team")

    def formfield_for_foreignkey(
        self, db_field: models.ForeignKey, request: HttpRequest, **kwargs: Any
    ) -> forms.ModelChoiceField:
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        field.choices = [*iter(field.choices)]  # read once, not once for each row
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
        (_("When and why"), {"fields": (("wanted_from", "ends_on"), "note")}),
        (_("Lead definition"), {"fields": ("score_threshold", "covers", "required_fields")}),
        (
            _("Further terms"),
            {
                "classes": ["collapse"],
                "fields": (
                    "calendar",
                    ("review_cadence", "review_weekday"),
                    ("entry_grace_days", "sealing_grace_days", "dispute_days"),
                    ("monthly_cap", "minimum_group"),
                ),
            },
        ),
    )
    actions = None
    actions_detail = (
        "propose",
        "withdraw",
        {
            "title": _("More"),
            "items": ["open_page", "open_document", "compare", "draft_from", "export_terms"],
        },
    )
    actions_detail_hide_default = True  # what happened stands on the page
    change_form_outer_before_template = "admin/agreements/version.html"
    change_form_outer_after_template = "admin/agreements/preview_card.html"
    view_on_site = False

    class Media:
        js = ["lines.js", "criteria.js", "ladder.js", "commitments.js", "preview.js"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Version]:
        versions = super().get_queryset(request).select_related("calendar").prefetch_related("signatures")
        return versions.prefetch_related(Prefetch("agreement", with_versions(Agreement.objects.all())))

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Version | None:
        """The version; locked while an edit is written, so that nobody proposes half of it."""
        version = super().get_object(request, object_id, from_field)
        if version is None or request.method != "POST":
            return version
        return self.get_queryset(request).select_for_update(of=("self",)).get(pk=version.pk)

    def _standing(self, version: Version) -> Standing:
        return next(one for one in standings_of(version.agreement) if one.version == version)

    @display(description=_("Status"), label=dict.fromkeys(STATES, "") | TONES)
    def standing(self, version: Version) -> tuple[str, str]:
        word = self._standing(version).word
        return word, word_for(word)

    @display(description=_("Dates"))
    def dates(self, version: Version) -> str:
        return dates(self._standing(version))

    @display(description=_("Signed by"))
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
                    gettext(
                        "Version %(number)s is %(status)s, so its terms are frozen; nothing was changed. "
                        "Draft a new version from it instead."
                    )
                    % {"number": version.number, "status": version.get_status_display().lower()},
                )
                return redirect(version_url(version))
        return super().changeform_view(request, object_id, form_url, extra_context)

    def render_change_form(self, request: HttpRequest, context: dict, *args: Any, **kwargs: Any) -> HttpResponse:
        version, now = context["original"], timezone.now()
        context |= shown(self._standing(version))
        context["misfits"] = chain.verify(version.agreement)
        if self.has_change_permission(request, version):
            before = next((one for one in version.agreement.versions.all() if one.pk == version.based_on_id), None)
            context["declined"] = before and before.status == Status.DECLINED and ending(before)
            if request.method == "POST":  # what could not be saved is no part of the draft
                version = self.get_queryset(request).get(pk=version.pk)
            codes = [row.instance.code for formset in context["inline_admin_formsets"] for row in formset.formset]
            context |= {"editing": True, **preview(version, codes, now=now)}
        else:
            agreed = readable(version, now=now)
            context |= {
                "terms": agreed,
                "marked": agreed and marks.marked(None, wording.document(agreed)),
                "sides": [
                    (party, next((row for row in version.signatures.all() if row.party == party), None))
                    for party in signers.SIGNING_PARTIES
                ],
                "events": version.events.select_related("actor"),
            }
        return super().render_change_form(request, context, *args, **kwargs)

    def response_post_save_change(self, request: HttpRequest, obj: Version) -> HttpResponse:
        return redirect(agreement_url(obj.agreement_id))

    def get_urls(self) -> list[URLPattern]:
        own = path(
            "<int:pk>/preview/", self.admin_site.admin_view(self.preview_view), name="agreements_version_preview"
        )
        return [own, *super().get_urls()]

    @method_decorator(require_POST)
    def preview_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """How the draft would read, and what there is to say of it, if the form were saved as it stands.

        It is saved, read and taken back: no second way to make terms of a form can then differ from the first.
        """
        with transaction.atomic():
            version = self.get_object(request, str(pk))
            if version is None or not self.has_change_permission(request, version):
                raise Http404
            form = self.get_form(request, version, change=True)(request.POST, instance=version)
            (promises,), _ = self._create_formsets(request, version, change=True)
            if not all([form.is_valid(), promises.is_valid()]):
                context = {"problems": problems(form, promises)}
                return render(request, "admin/agreements/preview_waits.html", context, status=422)
            form.save()
            promises.save()
            codes = ["" if promises._should_delete_form(row) else row.instance.code for row in promises]
            saved = Version.objects.select_related("agreement__marketing_team", "agreement__sales_team", "calendar")
            context = preview(saved.get(pk=pk), codes, now=timezone.now())
            transaction.set_rollback(True)
        return render(request, "admin/agreements/preview.html", {**context, "original": version})

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
        description=_("Propose"),
        icon="send",
        variant=ActionVariant.PRIMARY,
        permissions=["propose"],
        dialog={
            "title": _("Propose this version?"),
            "description": _(
                "Its terms freeze as they were last saved, and both leaders are asked to sign them. To "
                "change anything afterwards, withdraw it and draft a new version."
            ),
            "form_class": None,
            "form_submit_text": _("Freeze and propose"),
        },
    )
    def propose(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        version = get_object_or_404(Version, pk=object_id)
        return self.take(
            request,
            lambda: signoff.propose(version, by=request.user, now=timezone.now()),
            done=lambda row: (
                gettext("Version %(number)s is proposed. Both leaders can sign it now.") % {"number": row.number}
            ),
            then=version_url,
            otherwise=version_url(version),
        )

    @action(
        description=_("Withdraw"),
        icon="undo",
        permissions=["withdraw"],
        dialog={
            "title": _("Withdraw this version?"),
            "description": _("It stays visible with your reason and can never be signed. This cannot be undone."),
            "form_class": ReasonForm,
            "form_submit_text": _("Withdraw"),
        },
    )
    def withdraw(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        version = get_object_or_404(Version, pk=object_id)
        return self.take(
            request,
            lambda: signoff.withdraw(version, by=request.user, reason=form.cleaned_data["reason"], now=timezone.now()),
            done=lambda row: gettext("Version %(number)s is withdrawn.") % {"number": row.number},
            then=version_url,
            otherwise=version_url(version),
        )

    @action(
        description=_("New draft from this"),
        icon="edit_document",
        permissions=["draft"],
        dialog={
            "title": _("New draft from this version?"),
            "description": _("A draft with the same terms and the next number; its dates are left open."),
            "form_class": None,
            "form_submit_text": _("Draft it"),
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

    @action(description=_("Page for signers"), icon="open_in_new", permissions=["view"])
    def open_page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return redirect(get_object_or_404(Version, pk=object_id).get_absolute_url())

    @action(description=_("Document"), icon="description", permissions=["view"])
    def open_document(self, request: HttpRequest, object_id: str) -> HttpResponse:
        version = get_object_or_404(Version, pk=object_id)
        return redirect("document", version.agreement_id, version.number)

    @action(description=_("Compare"), icon="difference", permissions=["view"])
    def compare(self, request: HttpRequest, object_id: str) -> HttpResponse:
        version = get_object_or_404(Version, pk=object_id)
        return redirect(f"{reverse('compare', args=[version.agreement_id])}?after={version.number}")

    @action(description=_("Export terms"), icon="download", permissions=["view"])
    def export_terms(self, request: HttpRequest, object_id: str) -> HttpResponse:
        version = get_object_or_404(Version.objects.select_related("agreement"), pk=object_id)
        text = exchange.export(version, now=timezone.now())
        name = f"{slugify(version.agreement.name)}-version-{version.number}.json"
        return HttpResponse(
            text, content_type="application/json", headers={"Content-Disposition": f'attachment; filename="{name}"'}
        )
