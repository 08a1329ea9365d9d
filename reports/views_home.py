"""The door that everybody comes in by: each role begins where its work is."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from reports import home as homes


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Agreements at a glance and what waits for the reader; a manager begins at the team, a rep at the own list."""
    user = request.user
    if user.has_perm("leads.view_team_handoffs") and not user.has_perm("leads.view_all_handoffs"):
        return redirect("team")
    if user.has_perm("leads.work_handoff") and not user.has_perm("leads.view_all_handoffs"):
        return redirect("my_leads")
    if not user.has_perm("reports.view_scorecard"):
        return render(request, "reports/home.html", {"home": None})
    return render(request, "reports/home.html", {"home": homes.of(user, now=timezone.now())})
