"""Doors through which the figures of a scorecard, a cross, and the lists behind a seal leave as files."""

import logging

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.http import require_safe

from agreements.models import Agreement
from leads.periods import Period, parse
from reports import cross_exports, crosses, exports, sealed_editions, sealed_exports
from reports.sealed_lists import SealedList
from reports.seals import Seal
from slaportal import spreadsheet
from slaportal.refusal import Refused

log = logging.getLogger(__name__)


@require_safe
@permission_required("reports.view_scorecard", raise_exception=True)
def export_scorecard(request: HttpRequest, pk: int, key: str, form: str) -> HttpResponseBase:
    """The figures that the page shows, sealed ones where it is sealed, as CSV or XLSX."""
    agreement, period = _find(request, pk, key, form)
    data = sealed_editions.standing(agreement, period, now=timezone.now()).read()
    log.info("export: person %s takes the scorecard of agreement %s over %s as %s", request.user.pk, pk, key, form)
    name, rows = f"{agreement} {period.key} scorecard", exports.rows(data)
    try:
        return spreadsheet.respond(form, name=name, heads=exports.heads(), rows=rows, zone=agreement.zone)
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("scorecard", pk, key)


@require_safe
@permission_required("reports.view_scorecard", raise_exception=True)
def export_cross(request: HttpRequest, pk: int, key: str, form: str) -> HttpResponseBase:
    """One promise by two dimensions (`?commitment=…&rows=…&columns=…`), as CSV or XLSX."""
    agreement, period = _find(request, pk, key, form)
    asked = request.GET
    promise = int(asked["commitment"]) if asked.get("commitment", "").isdecimal() else 0
    log.info("export: person %s takes a cross of agreement %s over %s as %s", request.user.pk, pk, key, form)
    try:
        found = crosses.cross(agreement, period, promise, rows=asked.get("rows", ""), columns=asked.get("columns", ""))
        name = f"{agreement} {period.key} {found.rows} by {found.columns}"
        heads, rows = cross_exports.heads(found), cross_exports.rows(found)
        return spreadsheet.respond(form, name=name, heads=heads, rows=rows, zone=agreement.zone)
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("cross", pk, key)


@require_safe
@permission_required("reports.view_scorecard", raise_exception=True)
def export_sealed(request: HttpRequest, pk: int, key: str, number: int, form: str) -> HttpResponseBase:
    """The handoffs behind a sealed number that the reader may see, as they were sealed, as CSV or XLSX."""
    agreement, period = _find(request, pk, key, form)
    seals = Seal.objects.visible_to(request.user).of(agreement, period).select_related("agreement")
    seal = get_object_or_404(seals, number=number)
    zone = timezone.get_current_timezone()
    log.info("export: person %s takes handoffs of seal %s as %s", request.user.pk, seal.pk, form)
    try:
        asked = SealedList(seal, request.GET.dict())
        heads, rows = sealed_exports.heads(zone), sealed_exports.rows(asked, asked.visible_to(request.user))
        return spreadsheet.respond(form, name=f"{agreement} {key} seal {number}", heads=heads, rows=rows, zone=zone)
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("sealed_handoffs", pk, key, number)


def _find(request: HttpRequest, pk: int, key: str, form: str) -> tuple[Agreement, Period]:
    """The agreement and a period that has begun, in a form that there is."""
    if form not in spreadsheet.FORMS:
        raise Http404(f"This can be had as {' or '.join(spreadsheet.FORMS)}, not as “{form}”.")
    agreement = get_object_or_404(Agreement.objects.visible_to(request.user), pk=pk)
    try:
        period = parse(key)
    except ValueError as problem:
        raise Http404(str(problem)) from problem
    if period.start(agreement.zone) > timezone.now():
        raise Http404(f"{period} has not begun.")
    return agreement, period
