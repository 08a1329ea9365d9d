"""Doors to the scorecards (the list, one agreement over one period, *compute now*) and to the recovery plans."""

from datetime import datetime

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Max
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe

from agreements.models import Agreement
from leads.periods import CUSTOM, MONTH, UNITS, Period, parse
from reports import glance, pace_figures, pace_lines, recovery, sheet
from reports import scorecards as cards
from reports.forms import PlanForm
from reports.models import RecoveryPlan, Scorecard
from reports.refresh import MONTHS
from slaportal.refusal import Refused

PLANS = 50  # on one page

view_scorecard = permission_required("reports.view_scorecard", raise_exception=True)
view_plan = permission_required("reports.view_recoveryplan", raise_exception=True)


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
    card = cards.kept_or_computed(agreement, period, now=now)
    by = request.GET.get("by", "")
    by = by if by in cards.DIMENSIONS else next(iter(cards.DIMENSIONS))
    paces = pace_lines.of([row["pk"] for row in card.data["commitments"] if not row["limit"]], period)
    return render(
        request,
        "reports/scorecard.html",
        {
            "agreement": agreement,
            "period": period,
            "card": card,
            "is_running": card.end > now,
            "versions": agreement.versions.filter(number__in=card.data["versions"]).order_by("number"),
            "sheet": sheet.build(agreement.pk, card.data, by=by, earlier=_earlier(agreement, period), paces=paces),
            "dimensions": list(cards.DIMENSIONS),
            "units": _units(agreement, period, now),
            "sees_everything": request.user.has_perm("leads.view_all_handoffs"),
        },
    )


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
    agreement = get_object_or_404(Agreement.objects.visible_to(request.user), pk=pk)
    try:
        period = parse(key)
    except ValueError as problem:
        raise Http404(str(problem)) from problem
    if period.start(agreement.zone) > now:
        raise Http404(f"{period} has not begun.")
    return agreement, period


def _earlier(agreement: Agreement, period: Period) -> list[dict | None]:
    """Stored figures of the periods before this one, oldest first, None where none are stored: what the trend shows."""
    before = [period.previous]
    while len(before) < MONTHS - 1:
        before.append(before[-1].previous)
    starts = {each.start(agreement.zone): each.end(agreement.zone) for each in reversed(before)}
    stored = Scorecard.objects.filter(agreement=agreement, start__in=starts).values_list("start", "end", "data")
    found = {start: data for start, end, data in stored if starts[start] == end}
    return [found.get(start) for start in starts]


def _units(agreement: Agreement, period: Period, now: datetime) -> list[Period]:
    """The month, quarter and week that hold the last day of the period that is not in the future."""
    today = now.astimezone(agreement.zone).date()
    day = max(period.first_day, min(period.last_day, today))
    return [Period.containing(unit, day) for unit in UNITS]


# --- Recovery plans -----------------------------------------------------------------------------------------------


@require_safe
@view_plan
def recovery_plans(request: HttpRequest) -> HttpResponse:
    """Every plan that marketing was asked for, what waits first."""
    plans = RecoveryPlan.objects.visible_to(request.user)
    shown = plans.open_first().select_related("commitment__version__agreement", "answered_by")
    page = Paginator(shown, PLANS).get_page(request.GET.get("page"))
    return render(request, "reports/recovery_plans.html", {"page": page, "unwritten": plans.unwritten().count()})


@require_safe
@view_plan
def recovery_plan(request: HttpRequest, pk: int) -> HttpResponse:
    """One plan: the figures then and now, and what marketing says."""
    return _plan_page(request, pk)


@require_POST
@view_plan
def write_plan(request: HttpRequest, pk: int) -> HttpResponse:
    """Marketing writes its plan."""
    plan, form = _find_plan(request, pk), PlanForm(request.POST)
    if not recovery.may_answer(request.user, plan.commitment.version.agreement):
        raise PermissionDenied
    if form.is_valid():
        given = form.cleaned_data
        try:
            recovery.answer(plan, cause=given["cause"], text=given["plan"], by=request.user, now=timezone.now())
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, gettext("Thank you. Sales and RevOps are told."))
            return redirect("recovery_plan", pk)
    return _plan_page(request, pk, refused=form, status=422)


def _find_plan(request: HttpRequest, pk: int) -> RecoveryPlan:
    related = ("commitment__version__agreement__marketing_team", "commitment__version__agreement__sales_team",
               "answered_by")  # fmt: skip
    return get_object_or_404(RecoveryPlan.objects.visible_to(request.user).select_related(*related), pk=pk)


def _plan_page(request: HttpRequest, pk: int, *, refused: PlanForm | None = None, status: int = 200) -> HttpResponse:
    now, plan = timezone.now(), _find_plan(request, pk)
    commitment, agreement = plan.commitment, plan.commitment.version.agreement
    may_answer = plan.answered_at is None and recovery.may_answer(request.user, agreement)
    context = {
        "plan": plan,
        "agreement": agreement,
        "is_over": plan.period.end(agreement.zone) <= now,
        "present": pace_figures.at_present(plan, now=now),
        "pace": pace_lines.of([commitment.pk], plan.period).get(commitment.pk),
        "form": refused or (PlanForm() if may_answer else None),
    }
    return render(request, "reports/recovery_plan.html", context, status=status)
