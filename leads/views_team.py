"""Doors of whoever manages a team: who has how much, who is away, and giving many handoffs to others."""

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe

from leads import forms, handovers, staffing
from leads.models import Handoff
from slaportal.models import Absence
from slaportal.refusal import Refused

assign_handoff = permission_required("leads.assign_handoff", raise_exception=True)


@require_safe
@assign_handoff
def team(request: HttpRequest) -> HttpResponse:
    """The teams that the reader manages: each rep's load, cap and absences, and what waits in the queue."""
    return _page(request, now=timezone.now())


def _page(
    request: HttpRequest, *, now: datetime, form: forms.AwayForm | None = None, status: int = 200
) -> HttpResponse:
    teams = staffing.of(handovers.managed_teams(request.user), now=now)
    people = [member.person for shown in teams for member in shown.members]
    context: dict[str, Any] = {"teams": teams, "form": form or forms.AwayForm(people=people), "is_refused": bool(form)}
    return render(request, "leads/team.html", context, status=status)


@require_POST
@assign_handoff
def set_away(request: HttpRequest) -> HttpResponse:
    """Somebody of the team is away on these days; what is open may go to others."""
    now = timezone.now()
    form = forms.AwayForm(request.POST, people=staffing.people(handovers.managed_teams(request.user), now=now))
    if form.is_valid():
        try:
            absence, handover = handovers.set_away(**form.cleaned_data, by=request.user, now=now)
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, f"{absence}. {handover.in_words() if handover else ''}".strip())
            return redirect("team")
    return _page(request, now=now, form=form, status=422)


@require_POST
@assign_handoff
def end_absence(request: HttpRequest, pk: int) -> HttpResponse:
    """Somebody is back from today on."""
    teams = handovers.managed_teams(request.user)
    absence = get_object_or_404(Absence.objects.filter(person__team__in=teams), pk=pk)
    try:
        person = handovers.end_absence(absence, by=request.user, now=timezone.now())
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, f"{person} is not away any more.")
    return redirect("team")


@require_POST
@assign_handoff
def reassign(request: HttpRequest) -> HttpResponse:
    """Give the chosen handoffs to one rep or to the next by the rules; the answer says how many, and why others not."""
    now = timezone.now()
    form = forms.ReassignForm(request.POST, user=request.user, now=now)
    chosen = [int(pk) for pk in request.POST.getlist("handoff") if pk.isdecimal() and len(pk) < 19]
    handoffs = Handoff.objects.visible_to(request.user).filter(pk__in=chosen)
    if not chosen:
        messages.warning(request, "Choose handoffs first.")
    elif not form.is_valid():
        for name, errors in form.errors.items():
            messages.error(request, f"{form[name].label}: {' '.join(errors)}")
    else:
        given = form.cleaned_data
        try:
            done = handovers.reassign_many(handoffs, to=given["owner"], why=given["why"], by=request.user, now=now)
        except Refused as refusal:
            messages.error(request, str(refusal))
        else:
            tell = messages.warning if done.refused else messages.success
            tell(request, done.in_words())
    back = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure()):
        return redirect(back)
    return redirect(reverse("handoffs"))
