"""The tables of handoffs and of leads without one."""

from collections import Counter

import django_tables2 as tables
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from leads.models import Clock, Handoff, Lead
from leads.rules import RULES
from slaportal.templatetags.display import duration, state, when, word_for

MAIN, FIGURE = {"td": {"class": "main lead-name"}}, {"th": {"class": "num"}, "td": {"class": "num"}}
CHOICE = {"th": {"class": "choose"}, "td": {"class": "choose"}}
SHORT = {"td": {"class": "nowrap"}}

# The classes of counts; excluded ones are left out, because they judge nobody.
TONES = {Clock.State.MISSED: "bad-text", Clock.State.OPEN: "", Clock.State.MET: "ok-text"}


class HandoffTable(tables.Table):
    """Handoffs; with a commitment chosen, what its clock says of each."""

    chosen = tables.Column(_("Choose"), accessor="pk", orderable=False, attrs=CHOICE)
    lead = tables.Column(_("Lead"), order_by=("lead__name", "pk"), attrs=MAIN)
    qualified_at = tables.Column(_("Began"), attrs=SHORT)
    source = tables.Column(_("Source"))
    score = tables.Column(_("Score"), attrs=FIGURE)
    owner = tables.Column(_("Owner"), order_by=("owner__name", "pk"), default=_("nobody"))
    charged_to = tables.Column(_("Counted for"), default=_("nobody"))
    stage = tables.Column(_("Stage"), attrs=SHORT)
    promises = tables.Column(_("Promises"), accessor="deciding", orderable=False, attrs=SHORT)
    clock_state = tables.Column(_("State"), attrs=SHORT)
    elapsed = tables.Column(_("Business time"), attrs=FIGURE, default="–")
    clock_rule = tables.Column(_("Why"), orderable=False)

    class Meta:
        order_by = ("-qualified_at",)
        empty_text = _("No handoff is like that.")

    def __init__(self, *args: object, has_clock: bool, can_choose: bool = False, **kwargs: object) -> None:
        hidden = ("owner", "stage", "promises") if has_clock else ("charged_to", "clock_state", "elapsed", "clock_rule")
        hidden += () if can_choose else ("chosen",)
        super().__init__(*args, exclude=hidden, **kwargs)
        self.numbers = reverse("numbers")

    def render_chosen(self, record: Handoff) -> SafeString | str:
        if record.ended_at is not None:
            return ""
        return format_html('<input type="checkbox" name="handoff" value="{}" aria-label="{}">', record.pk, record)

    def render_lead(self, record: Handoff) -> SafeString:
        return format_html(
            '<div><a href="{}">{}</a><div class="sub small">{}</div></div>',
            record.get_absolute_url(),
            record,
            record.lead.company,
        )

    def render_qualified_at(self, record: Handoff) -> SafeString:
        return when(record.qualified_at)

    def render_promises(self, record: Handoff) -> SafeString:
        counts = Counter(clock.state for clock in record.deciding)
        words = [
            (TONES[state], counts[state], word_for(Clock.State(state).label).lower())
            for state in TONES
            if counts[state]
        ]
        return format_html("<span>{}</span>", format_html_join(" · ", '<span class="{}">{} {}</span>', words))

    def render_clock_state(self, record: Handoff) -> SafeString:
        return state(Clock.State(record.clock_state).label)

    def render_elapsed(self, record: Handoff) -> str:
        return duration(record.elapsed)

    def render_clock_rule(self, record: Handoff) -> SafeString:
        sentence, rule = RULES[record.clock_rule]
        link = '<span>{} <a href="{}#{}" title="{}">{}</a></span>'
        return format_html(link, sentence, self.numbers, rule, _("The rule in full"), rule.replace("_", " "))


class LeadTable(tables.Table):
    """Leads that no version covers."""

    name = tables.Column(_("Lead"), order_by=("name", "pk"), attrs=MAIN, empty_values=())
    received_at = tables.Column(_("Received"), attrs=SHORT)
    source = tables.Column(_("Source"))
    segment = tables.Column(_("Segment"))
    score = tables.Column(_("Score"), attrs=FIGURE)

    class Meta:
        order_by = ("-received_at",)
        empty_text = _("Every lead is covered by an agreement.")

    def render_name(self, record: Lead) -> SafeString:
        return format_html('<div>{}<div class="sub small">{}</div></div>', record, record.company)

    def render_received_at(self, record: Lead) -> SafeString:
        return when(record.received_at)
