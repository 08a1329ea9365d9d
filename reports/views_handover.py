"""Door to the hand-over as marketing sees it: one agreement and one month."""

from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from agreements import signers
from leads.periods import MONTH, Period, parse
from reports import handover as hand
from slaportal.models import Party

view_handover = permission_required("leads.view_all_handoffs", raise_exception=True)


@require_safe
@view_handover
def handover(request: HttpRequest, pk: int | None = None, key: str = "") -> HttpResponse:
    """What was delivered, what sales made of it, and what waits; without an address the first agreement's month."""
    now, offered = timezone.now(), hand.agreements(request.user)
    if pk is None:
        agreement = offered.first()
    else:
        agreement = get_object_or_404(offered, pk=pk)
    context = {"agreements": offered, "agreement": agreement}
    if agreement is not None:
        running = Period.current(MONTH, now, agreement.zone)
        month = _month(key, running) if key else running
        by = request.GET.get("by", "")
        by = by if by in hand.DIMENSIONS else hand.DIMENSIONS[0]
        context |= {
            "month": month,
            "is_running": month == running,
            "by": by,
            "dimensions": hand.DIMENSIONS,
            "hand": hand.of(agreement, month, by=by, now=now),
            "speaks": signers.signing_party(request.user, agreement) == Party.MARKETING,
        }
    return render(request, "reports/handover.html", context)


def _month(key: str, running: Period) -> Period:
    try:
        month = parse(key)
    except ValueError as problem:
        raise Http404(str(problem)) from problem
    if month.unit != MONTH or month.first_day > running.first_day:
        raise Http404(_("%(month)s is no month that has begun.") % {"month": month})
    return month
