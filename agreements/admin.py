"""Agreements in the admin: one page each, with all versions on a time line and everything that can be done to them."""

from collections.abc import Collection
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from agreements import admin_calendars, chain, exchange, signoff  # noqa: F401 (the calendars register themselves)
from agreements.admin_versions import (
    agreement_url,
    dates,
    drafted,
    shown,
    standings_of,
    version_url,
    with_versions,
)
from agreements.forms import AgreementForm, ImportForm, NewDraftForm
from agreements.models import Agreement, Version
from agreements.plain_text import write_criteria
from agreements.standing import next_review
from agreements.terms_file import MOST_COMPLAINTS, BadTerms
from slaportal.admin import PortalAdmin
from slaportal.refusal import Refused
from slaportal.templatetags.display import word_for


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
        (_("Scope"), {"fields": ("covers",)}),
    )
    actions = None
    actions_detail = ("new_draft", "import_terms", {"title": _("More"), "items": ["open_page"]})
    change_form_outer_before_template = "admin/agreements/timeline.html"
    view_on_site = False

    class Media:
        js = ["lines.js", "criteria.js"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Agreement]:
        return with_versions(super().get_queryset(request))

    def covers(self, agreement: Agreement) -> str:
        """The scope as text, for who may only look."""
        return write_criteria(agreement.scope.all()) or gettext("every lead")

    @display(description=_("Teams"), header=True)
    def teams(self, agreement: Agreement) -> tuple[str, str]:
        return str(agreement.marketing_team), str(agreement.sales_team)

    @display(description=_("In force"))
    def in_force(self, agreement: Agreement) -> str:
        return self._listed(agreement, ("in force",)) or gettext("none")

    @display(description=_("In preparation"))
    def in_preparation(self, agreement: Agreement) -> str:
        return self._listed(agreement, ("draft", "proposed", "planned")) or "–"

    def _listed(self, agreement: Agreement, words: Collection[str]) -> str:
        found = [standing for standing in standings_of(agreement) if standing.word in words]
        links = format_html_join(
            "",
            '<a class="sla-listed" href="{}"><span class="text-link">{}</span> <span>{}</span></a>',
            (
                (
                    version_url(one.version),
                    gettext("Version %(number)s") % {"number": one.version.number},
                    dates(one) if one.word == "in force" else word_for(one.word).lower(),
                )
                for one in found
            ),
        )
        return links and format_html("<div>{}</div>", links)

    def render_change_form(self, request: HttpRequest, context: dict, *args: Any, **kwargs: Any) -> HttpResponse:
        if agreement := context.get("original"):
            timeline = standings_of(agreement)
            in_force = next((one.version for one in timeline if one.word == "in force"), None)
            misfits = chain.verify(agreement)
            context |= {
                "timeline": [shown(standing) for standing in timeline],
                "may_draft": self.has_draft_permission(request),
                "may_change": request.user.has_perm("agreements.change_version"),
                "next_review": in_force and not misfits and next_review(in_force, now=timezone.now()),
                "misfits": misfits,
            }
        return super().render_change_form(request, context, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Agreement, form: AgreementForm, change: bool) -> None:
        """Write what the form has and nothing else: a verb may have sealed an event since the page was read."""
        obj.save(update_fields=AgreementForm.Meta.fields if change else None)

    def response_post_save_add(self, request: HttpRequest, obj: Agreement) -> HttpResponse:
        """A new agreement promises nothing yet, so its page comes next, with the offer to draft version 1."""
        return redirect(agreement_url(obj.pk))

    def has_delete_permission(self, request: HttpRequest, obj: Agreement | None = None) -> bool:
        used = obj is not None and obj.versions.exists()
        return not used and super().has_delete_permission(request, obj)

    def has_draft_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("agreements.add_version")

    @action(
        description=_("New draft"),
        icon="edit_document",
        variant=ActionVariant.PRIMARY,
        permissions=["draft"],
        dialog={
            "title": _("New draft"),
            "description": _("A draft has the next number, and binds nobody."),
            "form_class": NewDraftForm,
            "form_submit_text": _("Draft it"),
        },
    )
    def new_draft(self, request: HttpRequest, form: NewDraftForm, object_id: str) -> HttpResponse:
        agreement = get_object_or_404(Agreement, pk=object_id)
        chosen, calendar = form.cleaned_data["begin_with"], form.cleaned_data["calendar"]
        template = next((one for one in exchange.TEMPLATES if one.slug == chosen), None)

        def draft() -> Version:
            by_and_now = {"by": request.user, "now": timezone.now()}
            if chosen == NewDraftForm.BLANK:
                return signoff.new_draft(agreement, calendar=calendar, **by_and_now)
            if template:
                made = exchange.draft_from_template(agreement, template, calendar=calendar, **by_and_now)
                return self._remarked(request, made)
            return signoff.new_draft_from(agreement.versions.get(pk=chosen), **by_and_now)

        return self.take(request, draft, done=drafted, then=version_url, otherwise=agreement_url(agreement.pk))

    @action(description=_("Import terms"), icon="upload_file", permissions=["draft"])
    def import_terms(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """A draft from terms that were exported here or elsewhere."""
        agreement = get_object_or_404(Agreement, pk=object_id)
        form, complaints = ImportForm(request.POST or None, request.FILES or None), ()
        if request.method == "POST" and form.is_valid():
            try:
                made = exchange.import_draft(agreement, form.text, by=request.user, now=timezone.now())
            except BadTerms as refusal:
                complaints = refusal.complaints
            except Refused as refusal:
                form.add_error(None, str(refusal))
            else:
                version = self._remarked(request, made)
                messages.success(request, drafted(version))
                return redirect(version_url(version))
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Import terms into %(agreement)s") % {"agreement": agreement},
            "form": form,
            "complaints": complaints[:MOST_COMPLAINTS],
            "there_is_more": len(complaints) > MOST_COMPLAINTS,
            "opts": self.opts,
            "original": agreement,
        }
        status = 422 if form.errors or complaints else 200
        return render(request, "admin/agreements/import.html", context, status=status)

    def _remarked(self, request: HttpRequest, made: exchange.Imported) -> Version:
        for remark in made.remarks:
            messages.info(request, remark)
        return made.version

    @action(description=_("Page for everybody"), icon="open_in_new", permissions=["view"])
    def open_page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return redirect(get_object_or_404(Agreement, pk=object_id).get_absolute_url())
