"""Routing rules in the admin: in their order, each with which leads it is about, whom it chooses, and remarks."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import Max, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject
from django.utils.html import format_html_join
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline
from unfold.decorators import display

from agreements.fields import CriteriaField
from agreements.forms import CriteriaForm
from agreements.models import Criterion
from agreements.plain_text import write_criteria
from leads import routing_lint
from leads.models import RoutingCriterion, RoutingRule, RoutingSeat
from slaportal.admin import PortalAdmin


class RuleForm(CriteriaForm):
    """A rule, with its criteria as text."""

    criteria_of = "criteria"
    covers = CriteriaField(label=_("Criteria"), help_text=_("A lead must meet all of them; none: every lead."))

    class Meta:
        model = RoutingRule
        fields = ("name", "position", "agreement", "team", "person", "method", "is_active")

    def clean_covers(self) -> list[RoutingCriterion]:
        written: Sequence[Criterion] = self.cleaned_data["covers"]
        return [RoutingCriterion(field=row.field, operator=row.operator, value=row.value) for row in written]


class SeatInline(TabularInline):
    """Weights; who has none counts once."""

    model = RoutingSeat
    fields = ("person", "weight")
    autocomplete_fields = ("person",)
    extra = 0
    verbose_name = "weight"
    verbose_name_plural = _("weights (for “in turn, by weight”; everybody else of the team counts 1)")


@admin.register(RoutingRule)
class RoutingRuleAdmin(PortalAdmin):
    """Who gets a handoff. The first rule that fits decides; where none does, the agreement's sales team."""

    form = RuleForm
    inlines = (SeatInline,)
    list_display = ("name", "leads_of", "about", "goes_to", "chosen", "is_active")
    list_filter = ("is_active",)
    search_fields = ("name",)
    ordering_field = "position"
    ordering = ("position", "pk")
    autocomplete_fields = ("person",)
    list_per_page = 500
    change_form_outer_before_template = "admin/leads/routing_remarks.html"
    fieldsets = (
        (None, {"fields": (("name", "is_active"), ("agreement", "position"))}),
        (_("Which leads"), {"fields": ("covers",)}),
        (
            _("To whom"),
            {
                "fields": (("team", "person"), "method"),
                "description": _("Name a team or a person, not both."),
            },
        ),
    )

    class Media:
        js = ["lines.js", "criteria.js"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[RoutingRule]:
        found = super().get_queryset(request).select_related("agreement", "team", "person")
        return found.prefetch_related("criteria")

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        last = RoutingRule.objects.aggregate(last=Max("position"))["last"]
        return {"position": 0 if last is None else last + 1, **super().get_changeform_initial_data(request)}

    def covers(self, rule: RoutingRule) -> str:
        """The criteria as text, for who may only look."""
        return write_criteria(rule.criteria.all()) or gettext("every lead")

    @display(description=_("Leads of"), ordering="agreement")
    def leads_of(self, rule: RoutingRule) -> str:
        return str(rule.agreement or gettext("every agreement"))

    @display(description=_("Which meet"))
    def about(self, rule: RoutingRule) -> str:
        return format_html_join("", "<div>{}</div>", ((row,) for row in rule.criteria.all())) or gettext("every lead")

    @display(description=_("Go to"))
    def goes_to(self, rule: RoutingRule) -> str:
        return str(rule.team or rule.person)

    @display(description=_("Chosen"))
    def chosen(self, rule: RoutingRule) -> str:
        return rule.get_method_display() if rule.team_id else gettext("by name")

    def get_list_display(self, request: HttpRequest) -> Sequence[Any]:
        """With remarks, which are read for all rules together, once for each request."""
        found = SimpleLazyObject(lambda: routing_lint.of(routing_lint.to_lint()))

        @display(description=_("Remarks"))
        def remarks(rule: RoutingRule) -> str:
            said = ((remark,) for remark in found.get(rule.pk, ()))
            return format_html_join("", '<div class="sla-rule-remark">{}</div>', said) or "–"

        return (*super().get_list_display(request), remarks)

    def render_change_form(self, request: HttpRequest, context: dict, *args: Any, **kwargs: Any) -> HttpResponse:
        if rule := context.get("original"):
            context["remarks"] = routing_lint.of(routing_lint.to_lint()).get(rule.pk, ())
        return super().render_change_form(request, context, *args, **kwargs)
