"""Doors of the ground floor: login, home, health."""

from datetime import timedelta
from functools import cache

import markdown
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.safestring import SafeString, mark_safe

from slaportal.models import Heartbeat

# The tick runs each minute; two minutes without one means that nobody is sweeping.
SILENCE = timedelta(minutes=2)


@method_decorator(login_not_required, name="dispatch")
class Login(LoginView):
    """Log in with e-mail and password."""

    template_name = "registration/login.html"
    redirect_authenticated_user = True


def home(request: HttpRequest) -> HttpResponse:
    """Each role begins where its work is."""
    if request.user.has_perm("leads.view_all_handoffs"):
        return redirect("scorecards")
    if request.user.has_perm("leads.view_team_handoffs"):
        return redirect(reverse("handoffs") + "?state=open")
    if request.user.has_perm("leads.work_handoff"):
        return redirect("my_leads")
    return redirect("scorecards")


def numbers(request: HttpRequest) -> HttpResponse:
    """The rules behind every number, each under the name by which verdicts cite it."""
    return render(request, "numbers.html", {"rules": rules()})


@cache
def rules() -> SafeString:
    """docs/numbers.md as HTML; a heading's id is its first word, so `#C1` leads to rule C1."""
    text = (settings.BASE_DIR / "docs" / "numbers.md").read_text()
    names = {"toc": {"slugify": lambda heading, _: heading.split()[0], "toc_depth": "2-3"}}
    return mark_safe(markdown.markdown(text, extensions=["toc"], extension_configs=names))  # noqa: S308 (our own file)


@login_not_required
def health(request: HttpRequest) -> JsonResponse:
    """Whether the database answers and the tick runs: 200 when both do, else 503. Tells nothing else."""
    beat = Heartbeat.objects.filter(name="tick").first()
    ticking = bool(beat and abs(timezone.now() - beat.at) < SILENCE)
    return JsonResponse({"database": True, "ticking": ticking}, status=200 if ticking else 503)
