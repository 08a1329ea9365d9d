"""Doors of “What counted for me”: nobody but the reader sees it."""

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from leads import exclusions, my_month, periods
from leads.models import Clock
from leads.periods import MONTH, Period
from slaportal.refusal import Refused

work_handoff = permission_required("leads.work_handoff", raise_exception=True)


class ReasonForm(forms.Form):
    """Why something shall not count."""

    reason = forms.CharField(max_length=300)


@require_safe
@work_handoff
def counted(request: HttpRequest, key: str = "") -> HttpResponse:
    """A month of the reader: this one, or the one that the address names."""
    now, zone = timezone.now(), timezone.get_current_timezone()
    running = Period.current(MONTH, now, zone)
    try:
        month = periods.parse(key) if key else running
    except ValueError as error:
        raise Http404(str(error)) from None
    if month.unit != MONTH or month.first_day > running.first_day:
        raise Http404(_("Choose a month that has begun."))
    promised = my_month.of(request.user, month, now=now, zone=zone)
    context = {"month": month, "is_running": month == running, "promised": promised}
    return render(request, "leads/counted.html", {**context, "summary": my_month.in_words(promised)})


@require_POST
@work_handoff
def ask_not_to_count(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask RevOps not to count one of the reader's clocks; back to its month."""
    mine = Clock.objects.deciding().filter(charged_to__owner=request.user)
    clock = get_object_or_404(mine.select_related("commitment", "handoff__lead", "handoff__agreement"), pk=pk)
    form = ReasonForm(request.POST)
    if not form.is_valid():
        messages.error(request, f"{_('Reason')}: {' '.join(form.errors['reason'])}")
    else:
        given = {"commitment": clock.commitment, "reason": form.cleaned_data["reason"]}
        try:
            exclusions.ask(clock.handoff, **given, by=request.user, now=timezone.now())
        except Refused as refusal:
            messages.error(request, str(refusal))
        else:
            messages.success(request, _("%(lead)s: asked. RevOps decides.") % {"lead": clock.handoff})
    began = clock.handoff.qualified_at.astimezone(clock.handoff.agreement.zone)
    return redirect("counted", key=Period.containing(MONTH, began.date()).key)
