"""Doors to the scorecards: the list, one agreement over one period, its paper, comparisons, *compute now*."""

from datetime import datetime
from io import BytesIO
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.db.models import Max
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.safestring import mark_safe
from django.utils.translation import get_language, gettext
from django.views.decorators.http import require_POST, require_safe

from agreements.models import Agreement
from leads.periods import CUSTOM, MONTH, Period, parse
from reports import (
    breakdowns,
    comparison,
    crosses,
    drawing,
    editions,
    glance,
    pace_lines,
    paper,
    promises,
    rendering,
    sealed_editions,
    sheet,
)
from reports import scorecards as cards
from reports.refresh import measured
from slaportal.refusal import Refused

view_scorecard = permission_required("reports.view_scorecard", raise_exception=True)


@require_safe
@view_scorecard
def scorecards(request: HttpRequest) -> HttpResponse:
    """Every agreement with its running and its last month."""
    agreements = Agreement.objects.visible_to(request.user).annotate(last_handoff=Max("handoffs__qualified_at"))
    return render(request, "reports/scorecards.html", {"rows": glance.rows(agreements, now=timezone.now())})


@require_safe
@view_scorecard
def scorecard(request: HttpRequest, pk: int, key: str) -> HttpResponse:
    """One agreement over one period, as it was last computed; over chosen days as it is now."""
    now = timezone.now()
    agreement, period = _find(request, pk, key, now)
    edition = sealed_editions.standing(agreement, period, now=now)
    tabs = drawing.tabs()
    by = request.GET.get("by", "")
    by = by if by in dict(tabs) else tabs[0][0]
    live = editions.live(agreement, period, now=now) if edition.is_sealed else edition
    parts = drawing.page(edition, by, live=live, user=request.user, now=now)
    # Drawn by templates of our own, which escape.
    safe = {name: mark_safe(content.decode()) for name, content in parts.items()}  # noqa: S308
    return render(
        request,
        "reports/scorecard.html",
        {
            "agreement": agreement,
            "period": period,
            "edition": edition,
            **safe,
            "is_running": period.end(agreement.zone) > now,
            "by": by,
            "tabs": tabs,
            "sees_everything": request.user.has_perm("leads.view_all_handoffs"),
        },
    )


@require_safe
@view_scorecard
def scorecard_pdf(request: HttpRequest, pk: int, key: str) -> HttpResponse:
    """The whole of it on one or two pages, on A4 or Letter (`?paper=letter`)."""
    now = timezone.now()
    agreement, period = _find(request, pk, key, now)
    name = paper.SIZES.get(request.GET.get("paper", ""), paper.size_for(get_language() or ""))
    edition = sealed_editions.standing(agreement, period, now=now)
    try:
        drawn = rendering.parts(edition, [name], draw=paper.draw, now=now)[name]
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("scorecard", agreement.pk, period.key)
    return FileResponse(BytesIO(drawn), as_attachment=True, filename=f"{paper.slug(edition)}.pdf")


@require_safe
@view_scorecard
def compare(request: HttpRequest, pk: int, key: str) -> HttpResponse:
    """Beside the period before (`?with=previous`), a year earlier (`year`), or another agreement (its id)."""
    now = timezone.now()
    agreement, period = _find(request, pk, key, now)
    others = Agreement.objects.visible_to(request.user).filter(pk__in=measured()).exclude(pk=pk).order_by("name")
    chosen = request.GET.get("with", comparison.PREVIOUS)
    with_agreement, with_period = agreement, period
    if chosen == comparison.YEAR:
        with_period = comparison.year_before(period)
    elif chosen == comparison.PREVIOUS:
        with_period = period.previous
    else:
        with_agreement = get_object_or_404(others, pk=int(chosen) if chosen.isdecimal() else 0)
    both = ((agreement, period), (with_agreement, with_period))
    here, there = (sealed_editions.standing(one, days, now=now) for one, days in both)
    return render(
        request,
        "reports/compare.html",
        {
            "agreement": agreement,
            "period": period,
            "chosen": chosen,
            "others": others,
            "here": here,
            "there": there,
            "comparison": comparison.compare(here, there),
        },
    )


@require_safe
@view_scorecard
def cross(request: HttpRequest, pk: int, key: str) -> HttpResponse:
    """One promise by any two dimensions (`?commitment=…&rows=…&columns=…`), counted from the clocks as they are now."""
    now = timezone.now()
    agreement, period = _find(request, pk, key, now)
    edition = editions.live(agreement, period, now=now)
    lines = promises.lines(edition.read(), edition.evidence)
    first = sheet.first_look(lines)
    asked = {"commitment": str(first.row["pk"]) if first else "", "rows": "source", "columns": "weekday"}
    asked |= {name: request.GET[name] for name in asked if name in request.GET}
    line = next((line for line in lines if str(line.row["pk"]) == asked["commitment"]), None)
    table, problem = None, ""
    try:
        if line:
            found = crosses.cross(agreement, period, line.row["pk"], rows=asked["rows"], columns=asked["columns"])
            table = breakdowns.crossed(line, edition.evidence, found)
    except Refused as refusal:
        problem = str(refusal)
    context = {
        "agreement": agreement,
        "period": period,
        "edition": edition,
        "lines": lines,
        "line": line,
        "asked": asked,
        "asked_for": urlencode(asked),
        "dimensions": [*drawing.tabs()[:-1], ("week", gettext("Week"))],
        "table": table,
        "problem": problem,
    }
    return render(request, "reports/cross.html", context, status=422 if problem else 200)


@require_safe
@view_scorecard
def choose_period(request: HttpRequest, pk: int) -> HttpResponse:
    """The running month, or the days `from` … `to` that somebody chose."""
    agreement = get_object_or_404(Agreement.objects.visible_to(request.user), pk=pk)
    period = Period.current(MONTH, timezone.now(), agreement.zone)
    if "from" in request.GET or "to" in request.GET:
        try:
            period = parse(f"{request.GET.get('from', '')}..{request.GET.get('to', '')}")
        except ValueError as problem:
            messages.error(request, gettext("Choose the first and the last day. %(problem)s") % {"problem": problem})
    return redirect("scorecard", agreement.pk, period.key)


@require_POST
@view_scorecard
def compute_now(request: HttpRequest, pk: int, key: str) -> HttpResponse:
    """Compute a scorecard again and show it; one over chosen days is computed by being shown."""
    now = timezone.now()
    agreement, period = _find(request, pk, key, now)
    if period.unit != CUSTOM:
        cards.store(agreement, period, now=now)
    return redirect("scorecard", agreement.pk, period.key)


def _find(request: HttpRequest, pk: int, key: str, now: datetime) -> tuple[Agreement, Period]:
    try:
        period = parse(key)
    except ValueError as problem:
        raise Http404(str(problem)) from problem
    agreements = pace_lines.marked(Agreement.objects.visible_to(request.user), period)
    agreement = get_object_or_404(agreements, pk=pk)
    if period.start(agreement.zone) > now:
        raise Http404(f"{period} has not begun.")
    return agreement, period
