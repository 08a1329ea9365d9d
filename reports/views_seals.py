"""Doors to sealed scorecards: the seals of a month, one of them, the handoffs behind its numbers, and *restate*."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.safestring import mark_safe
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe

from agreements.models import Agreement, Commitment
from leads.models import Handoff
from leads.periods import Period, parse
from reports import drawing, sealed_editions, sealing, since_sealed
from reports.differences import figures
from reports.forms import RestateForm
from reports.sealed_lists import SealedList
from reports.seals import Seal
from slaportal.refusal import Refused

ROWS = 50  # on one page

view_scorecard = permission_required("reports.view_scorecard", raise_exception=True)
restate_scorecard = permission_required("reports.restate_scorecard", raise_exception=True)


@require_safe
@view_scorecard
def seals(request: HttpRequest, pk: int, key: str) -> HttpResponse:
    """Every seal of a month, newest first, each with what it changed; and for RevOps the form to restate it."""
    return _seals(request, *_find(request, pk, key))


@require_POST
@restate_scorecard
def restate(request: HttpRequest, pk: int, key: str) -> HttpResponse:
    """RevOps seals the month anew with what is known now."""
    agreement, period = _find(request, pk, key)
    form = RestateForm(request.POST)
    if form.is_valid():
        try:
            made = sealing.restate(agreement, period, **form.cleaned_data, by=request.user, now=timezone.now())
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            said = gettext("%(period)s is restated. The leaders of both sides are told.")
            messages.success(request, said % {"period": period})
            return redirect(made)
    return _seals(request, agreement, period, refused=form, status=422)


@require_safe
@view_scorecard
def seal(request: HttpRequest, pk: int, key: str, number: int) -> HttpResponse:
    """One seal as it was, whatever was sealed after it."""
    found = _find_seal(request, pk, key, number)
    is_last = not Seal.objects.filter(replaces=found).exists()
    edition = sealed_editions.of(found, is_kept=is_last)
    parts = [drawing.part(edition, name).decode() for name in (drawing.HEAD, drawing.BODY)]
    context = {
        "agreement": found.agreement,
        "period": found.period,
        "sealed": sealed_editions.told(found, user=request.user),
        "is_last": is_last,
        "changed": figures(found.replaces.data, found.data) if found.replaces else [],
        "parts": [mark_safe(part) for part in parts],  # noqa: S308 (our own templates)
        "sees_everything": request.user.has_perm("leads.view_all_handoffs"),
    }
    return render(request, "reports/seal.html", context)


@require_safe
@view_scorecard
def sealed_handoffs(request: HttpRequest, pk: int, key: str, number: int) -> HttpResponse:
    """The handoffs behind a sealed number, as they were when it was sealed."""
    found = _find_seal(request, pk, key, number, light=False)
    context: dict[str, Any] = {"agreement": found.agreement, "period": found.period, "seal": found}
    try:
        asked = SealedList(found, request.GET.dict())
    except Refused as refusal:
        return render(request, "reports/sealed_handoffs.html", {**context, "problem": str(refusal)}, status=400)
    page = Paginator(asked.visible_to(request.user), ROWS).get_page(request.GET.get("page"))
    context["asked_for"] = urlencode(asked.chosen)
    context |= {"asked": asked, "page": page, "rows": asked.rows(page.object_list), "total": len(asked.ids)}
    return render(request, "reports/sealed_handoffs.html", context)


@require_safe
@view_scorecard
def sealed_changes(request: HttpRequest, pk: int, key: str, number: int) -> HttpResponse:
    """The handoffs that would be counted otherwise today, of one promise or of all, for one cause or for any."""
    found = _find_seal(request, pk, key, number, light=False)
    commitment, cause = request.GET.get("commitment", ""), request.GET.get("cause", "")
    by_cause = since_sealed.causes(found).get(int(commitment) if commitment.isdecimal() else None, {})
    reasons = {handoff: name for name in reversed(since_sealed.CAUSES) for handoff in by_cause.get(name, ())
               if cause in ("", name)}  # fmt: skip
    ids = Handoff.objects.filter(pk__in=reasons).visible_to(request.user).order_by("-qualified_at", "-pk")
    page = Paginator(ids.values_list("pk", flat=True), ROWS).get_page(request.GET.get("page"))
    rows = Handoff.objects.select_related("lead").in_bulk(page.object_list)
    promise = (
        Commitment.objects.filter(pk=commitment, version__agreement=pk).first() if commitment.isdecimal() else None
    )
    context = {
        "agreement": found.agreement,
        "period": found.period,
        "seal": found,
        "promise": promise,
        "cause": since_sealed.CAUSES.get(cause, ""),
        "page": page,
        "rows": [(rows[pk], since_sealed.CAUSES[reasons[pk]]) for pk in page.object_list],
        "total": len(reasons),
    }
    return render(request, "reports/sealed_changes.html", context)


def _find(request: HttpRequest, pk: int, key: str) -> tuple[Agreement, Period]:
    agreement = get_object_or_404(Agreement.objects.visible_to(request.user), pk=pk)
    try:
        return agreement, parse(key)
    except ValueError as problem:
        raise Http404(str(problem)) from problem


def _find_seal(request: HttpRequest, pk: int, key: str, number: int, *, light: bool = True) -> Seal:
    agreement, period = _find(request, pk, key)
    rows = Seal.objects.visible_to(request.user).of(agreement, period).select_related("agreement", "by", "replaces")
    return get_object_or_404(rows.figures() if light else rows, number=number)


def _seals(
    request: HttpRequest, agreement: Agreement, period: Period, *, refused: RestateForm | None = None, status: int = 200
) -> HttpResponse:
    rows = Seal.objects.visible_to(request.user).of(agreement, period).defer("states").select_related("agreement", "by")
    found = list(rows)
    before = [None, *found][: len(found)]
    may_restate = bool(found) and request.user.has_perm("reports.restate_scorecard")
    context = {
        "agreement": agreement,
        "period": period,
        "closes_at": sealing.closes_at(agreement, period) if not found else None,
        "seals": [
            (seal, figures(previous.data, seal.data) if previous else [])
            for previous, seal in zip(before, found, strict=True)
        ][::-1],
        "form": (refused or RestateForm()) if may_restate else None,
    }
    return render(request, "reports/seals.html", context, status=status)
