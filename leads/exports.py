"""What an exported list of handoffs or unmatched leads has in its columns. Reads only.

An export has the rows of the list that it is of, in the same order, and more of each: what one needs to go on with them
elsewhere.
"""

from collections.abc import Iterator
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import F
from django.urls import reverse
from django.utils.translation import gettext as _

from leads.models import Clock, Handoff, HandoffQuerySet, LeadQuerySet
from leads.rules import RULES
from slaportal.spreadsheet import Cell

CHUNK = 2000  # rows that are read together

PERSON = ("source_system", "external_id", "name", "title", "company", "email", "phone", "country")
HANDOFF = ("number", "source", "campaign", "segment", "score", "version__number", "qualified_at", "owner__name",
           "team__name", "stage", "ended_at")  # fmt: skip
# Annotated by the filter where a commitment was chosen.
CLOCK = ("clock__state", "clock__rule", "clock__started_at", "clock__due_at", "clock__stopped_at", "elapsed",
         "charged_to", "clock__charged_to__team__name")  # fmt: skip
LEAD = (*PERSON, "source", "campaign", "segment", "score", "received_at")


def handoff_heads(zone: ZoneInfo, *, has_clock: bool) -> list[str]:
    """The headings of `handoff_rows`; moments are in the zone."""
    heads = [*person_heads(), _("Handoff"), _("Source"), _("Campaign"), _("Segment"), _("Score"), _("Version"),
             _in(_("Began"), zone), _("Owner"), _("Team"), _("Stage"), _in(_("Ended"), zone)]  # fmt: skip
    if has_clock:
        heads += [_("State"), _("Rule"), _("Why"), _in(_("Clock started"), zone), _in(_("Due"), zone),
                  _in(_("Stopped"), zone), _("Business seconds"), _("Counted for"), _("Counted for team")]  # fmt: skip
    return [*heads, _("Link")]


def handoff_rows(handoffs: HandoffQuerySet, *, has_clock: bool) -> Iterator[list[Cell]]:
    """A row for each handoff: the person, the handoff, the clock of the chosen commitment if one was, and the link."""
    columns = (*(f"lead__{name}" for name in PERSON), *HANDOFF, *(CLOCK if has_clock else ()))
    # The list loads whole rows; a file needs these columns of them and nothing beside.
    rows = handoffs.select_related(None).prefetch_related(None).values_list("pk", *columns)
    stages = dict(Handoff.Stage.choices)
    at = len(PERSON) + HANDOFF.index("stage")
    for pk, *row in rows.iterator(chunk_size=CHUNK):
        row[at] = str(stages[row[at]])
        if has_clock:
            first = len(PERSON) + len(HANDOFF)
            state, rule, *rest = row[first:]
            row[first:] = [str(Clock.State(state).label), rule, str(RULES[rule][0]) if rule in RULES else "", *rest]
        yield [*row, f"{settings.PORTAL_URL}{reverse('handoff', args=[pk])}"]


def lead_heads(zone: ZoneInfo) -> list[str]:
    """The headings of `lead_rows`."""
    return [*person_heads(), _("Source"), _("Campaign"), _("Segment"), _("Score"), _in(_("Received"), zone)]


def lead_rows(leads: LeadQuerySet) -> Iterator[list[Cell]]:
    """A row for each lead."""
    return (list(row) for row in leads.values_list(*LEAD).iterator(chunk_size=CHUNK))


def ordered(handoffs: HandoffQuerySet) -> HandoffQuerySet:
    """The newest first, as the list begins."""
    return handoffs.order_by(F("qualified_at").desc(), "-pk")


def person_heads() -> list[str]:
    """The headings of `PERSON`."""
    return [_("System"), _("Id there"), _("Name"), _("Title"), _("Company"), _("E-mail"), _("Phone"), _("Country")]


def _in(head: str, zone: ZoneInfo) -> str:
    return f"{head} ({zone})"
