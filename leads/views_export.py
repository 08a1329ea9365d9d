"""The door through which a list leaves as a file."""

import logging

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from leads import exports, filters
from leads.models import Handoff
from slaportal import spreadsheet
from slaportal.refusal import Refused

log = logging.getLogger(__name__)


@require_safe
@permission_required("leads.view_handoff", raise_exception=True)
def export_handoffs(request: HttpRequest, form: str) -> HttpResponseBase:
    """The list that the address asks for, as CSV or XLSX: the rows that the reader sees there, on all its pages."""
    if form not in spreadsheet.FORMS:
        raise Http404(f"A list can be had as {' or '.join(spreadsheet.FORMS)}, not as “{form}”.")
    shown = f"{reverse('handoffs')}?{request.GET.urlencode()}"
    chosen = filters.HandoffFilter(request.GET, queryset=Handoff.objects.all(), user=request.user)
    if not chosen.is_valid():
        return redirect(shown)  # the list says what is wrong
    zone, has_clock = timezone.get_current_timezone(), "commitment" in chosen.given
    if chosen.is_about_leads:
        heads, rows = exports.lead_heads(zone), exports.lead_rows(chosen.leads().visible_to(request.user))
    else:
        heads = exports.handoff_heads(zone, has_clock=has_clock)
        visible = exports.ordered(chosen.qs.visible_to(request.user))
        rows = exports.handoff_rows(visible, has_clock=has_clock)
    # What was searched for may be somebody's name.
    asked = ", ".join(name if name == "q" else f"{name}={value}" for name, value in chosen.data.items())
    log.info("export: person %s takes handoffs as %s: %s", request.user.pk, form, asked or "all")
    try:
        return spreadsheet.respond(form, name=_name(chosen), heads=heads, rows=rows, zone=zone)
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect(shown)


def _name(chosen: filters.HandoffFilter) -> str:
    """The file's name, such as “DACH inbound 2026-10 missed”."""
    given = chosen.given
    words = [given.get("agreement", ""), getattr(given.get("period"), "key", ""), given.get("state", "")]
    return " ".join(str(word) for word in words if word) or ("unmatched leads" if chosen.is_about_leads else "handoffs")
