"""Doors of RevOps' desk: what marketing disputes and what people ask not to count, decided in place."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from leads import decisions as desk
from leads import disputes, exclusions, leading
from leads.models import Dispute, ExclusionRequest
from slaportal.models import Party
from slaportal.refusal import Refused

decide_dispute_too = permission_required("leads.change_dispute", raise_exception=True)
decide_exclusion_too = permission_required("leads.change_exclusionrequest", raise_exception=True)


@require_safe
@decide_dispute_too
def decisions(request: HttpRequest) -> HttpResponse:
    """Everything that waits for RevOps, with its evidence, and what was decided last."""
    return _page(request)


def _page(request: HttpRequest, *, refused: tuple[str, leading.VerdictForm] | None = None) -> HttpResponse:
    """The desk; a form that was refused stands where it was, as long as that waits."""
    shown = desk.of(request.user, now=timezone.now(), zone=timezone.get_current_timezone())
    waiting = [(f"dispute-{one.dispute.pk}", one) for one in shown.cases]
    waiting += [(f"exclusion-{one.request.pk}", one) for one in shown.requests]
    kept = dict([refused]) if refused else {}
    for name, one in waiting:
        form_class = leading.DisputeVerdictForm if one.kind == "dispute" else leading.ExclusionVerdictForm
        one.form = kept.get(name) or form_class(prefix=name)
    return render(request, "leads/decisions.html", {"desk": shown}, status=422 if refused else 200)


@require_POST
@decide_dispute_too
def decide_dispute(request: HttpRequest, pk: int) -> HttpResponse:
    """Uphold what marketing disputes, or let the decision of sales stand."""
    found = get_object_or_404(Dispute.objects.visible_to(request.user).filter(party=Party.MARKETING), pk=pk)
    form = leading.DisputeVerdictForm(request.POST, prefix=f"dispute-{pk}")

    def verb(given: dict[str, Any]) -> object:
        return disputes.decide(found, upheld=given["is_yes"], answer=given["why"], by=request.user, now=timezone.now())

    return _decide(request, form, verb, is_over=lambda: Dispute.objects.exclude(answered_at=None).filter(pk=pk))


@require_POST
@decide_exclusion_too
def decide_exclusion(request: HttpRequest, pk: int) -> HttpResponse:
    """Grant a request not to count something, or decline it."""
    found = get_object_or_404(ExclusionRequest, pk=pk)
    form = leading.ExclusionVerdictForm(request.POST, prefix=f"exclusion-{pk}")

    def verb(given: dict[str, Any]) -> object:
        return exclusions.decide(found, granted=given["is_yes"], note=given["why"], by=request.user, now=timezone.now())

    return _decide(request, form, verb, is_over=lambda: ExclusionRequest.objects.exclude(decided_at=None).filter(pk=pk))


def _decide(
    request: HttpRequest, form: leading.VerdictForm, verb: Callable[[dict[str, Any]], object], *, is_over: Callable
) -> HttpResponse:
    """Take a form to its verb. Of two who decide at once the second is told what the verb says."""
    if form.is_valid():
        try:
            verb(form.cleaned_data)
        except Refused as refusal:
            if is_over().exists():
                messages.error(request, str(refusal))
                return redirect("decisions")
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("Decided: whoever asked is told."))
            return redirect("decisions")
    return _page(request, refused=(form.prefix, form))
