"""Doors to the recovery plans: the list, one plan, and a door for each verb.

Whoever owns a plan, or does something for it, comes in by that plan's doors without the right to see all of them.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from reports import pace_lines, plan_page, recovery
from reports.forms_plans import ActionForm, CheckInForm, CloseForm, OwnerForm, PlanForm
from reports.models import RecoveryPlan
from reports.plans import PlanAction
from slaportal.refusal import Refused

PLANS = 50  # on one page

view_plan = permission_required("reports.view_recoveryplan", raise_exception=True)
Verb = Callable[[dict[str, Any], datetime], object]


@require_safe
@view_plan
def recovery_plans(request: HttpRequest) -> HttpResponse:
    """Every plan that was asked for, what waits first."""
    plans = RecoveryPlan.objects.visible_to(request.user)
    shown = plans.open_first().select_related("commitment__version__agreement", "answered_by", "owner")
    context = {
        "page": Paginator(shown, PLANS).get_page(request.GET.get("page")),
        "unwritten": plans.unwritten().count(),
        "running": plans.running().count(),
    }
    return render(request, "reports/recovery_plans.html", context)


@require_safe
def recovery_plan(request: HttpRequest, pk: int) -> HttpResponse:
    """One plan: the figures then and now, what its side says, what is done, and what is missing until it closes."""
    return _page(request, _find(request, pk))


@require_POST
def write_plan(request: HttpRequest, pk: int) -> HttpResponse:
    """The side that owes it writes its plan."""
    plan = _find(request, pk)
    if not recovery.may_answer(request.user, plan):
        raise PermissionDenied

    def write(given: dict[str, Any], now: datetime) -> None:
        recovery.answer(plan, cause=given["cause"], text=given["plan"], by=request.user, now=now)

    return _submit(request, plan, PlanForm(request.POST), write, _("Thank you. The other side and RevOps are told."))


@require_POST
def hand_on_plan(request: HttpRequest, pk: int) -> HttpResponse:
    """Give it to somebody else of the side that owes it."""
    plan = _find(request, pk)

    def hand_on(given: dict[str, Any], now: datetime) -> None:
        recovery.hand_on(plan, to=given["owner"], by=request.user, now=now)

    return _submit(request, plan, OwnerForm(request.POST, plan=plan), hand_on, _("The new owner is told."))


@require_POST
def add_plan_action(request: HttpRequest, pk: int) -> HttpResponse:
    """Write down who does what until when."""
    plan = _find(request, pk)

    def add(given: dict[str, Any], now: datetime) -> None:
        recovery.add_action(plan, **given, by=request.user, now=now)

    return _submit(request, plan, ActionForm(request.POST, plan=plan), add, _("Added."))


@require_POST
def finish_plan_action(request: HttpRequest, pk: int, action: int) -> HttpResponse:
    """Tick an action off."""
    plan = _find(request, pk)
    found = _action(plan, action)
    return _act(request, plan, lambda now: recovery.finish(found, by=request.user, now=now), _("Done."))


@require_POST
def drop_plan_action(request: HttpRequest, pk: int, action: int) -> HttpResponse:
    """Take an action back."""
    plan = _find(request, pk)
    found = _action(plan, action)
    return _act(
        request, plan, lambda now: recovery.drop(found, by=request.user, now=now), _("Dropped; it stays readable.")
    )


@require_POST
def check_in_plan(request: HttpRequest, pk: int) -> HttpResponse:
    """Note how it goes, beside the figure of the moment."""
    plan = _find(request, pk)

    def check_in(given: dict[str, Any], now: datetime) -> None:
        recovery.check_in(
            plan, note=given["note"], figures=plan_page.at_present(plan, now=now), by=request.user, now=now
        )

    return _submit(request, plan, CheckInForm(request.POST), check_in, _("Noted."))


@require_POST
def close_plan(request: HttpRequest, pk: int) -> HttpResponse:
    """RevOps closes a plan of which the promise is not made any more."""
    plan = _find(request, pk)

    def close(given: dict[str, Any], now: datetime) -> None:
        recovery.close_moot(plan, reason=given["reason"], by=request.user, now=now)

    return _submit(request, plan, CloseForm(request.POST), close, _("Closed."))


def _submit(request: HttpRequest, plan: RecoveryPlan, form: forms.Form, verb: Verb, done: str) -> HttpResponse:
    """Take a form to its verb; what is refused comes back with the sentence and all that was typed."""
    if form.is_valid():
        try:
            verb(form.cleaned_data, timezone.now())
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, done)
            return redirect("recovery_plan", plan.pk)
    return _page(request, plan, refused=form, status=422)


def _act(request: HttpRequest, plan: RecoveryPlan, verb: Callable[[datetime], object], done: str) -> HttpResponse:
    try:
        verb(timezone.now())
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, done)
    return redirect("recovery_plan", plan.pk)


def _find(request: HttpRequest, pk: int) -> RecoveryPlan:
    related = ("commitment__version__agreement__marketing_team", "commitment__version__agreement__sales_team",
               "answered_by", "owner", "closed_by")  # fmt: skip
    visible = RecoveryPlan.objects.visible_to(request.user).filter(pk=pk)
    if not request.user.has_perm("reports.view_recoveryplan") and not visible.exists():
        raise PermissionDenied
    return get_object_or_404(visible.select_related(*related))


def _action(plan: RecoveryPlan, pk: int) -> PlanAction:
    return get_object_or_404(plan.actions.select_related("plan__commitment__version__agreement"), pk=pk)


def _page(
    request: HttpRequest, plan: RecoveryPlan, *, refused: forms.Form | None = None, status: int = 200
) -> HttpResponse:
    now, user = timezone.now(), request.user
    may_answer = plan.closed_at is None and plan.answered_at is None and recovery.may_answer(user, plan)
    may_work = plan.answered_at is not None and recovery.may_work(user, plan)
    offered: list[forms.Form] = []
    if may_answer:
        offered.append(PlanForm())
    if may_work:
        offered += [ActionForm(plan=plan), CheckInForm(), OwnerForm(plan=plan)]
    if plan.closed_at is None and user.has_perm("reports.close_recoveryplan") and recovery.is_moot(plan, now=now):
        offered.append(CloseForm())
    acts = {form.name: form for form in offered}
    if refused is not None:
        acts[refused.name] = refused
    context = {
        "plan": plan,
        "agreement": plan.commitment.version.agreement,
        "shown": plan_page.of(plan, now=now),
        "acts": acts,
        "may_work": may_work,
        "form": refused,
        "pace": pace_lines.of([plan.commitment_id], plan.period).get(plan.commitment_id),
    }
    return render(request, "reports/recovery_plan.html", context, status=status)
