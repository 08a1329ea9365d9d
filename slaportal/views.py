"""Doors of the ground floor: login, health, and what RevOps is told on every page."""

from datetime import timedelta
from functools import cache

import markdown
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.decorators import method_decorator
from django.utils.functional import SimpleLazyObject
from django.utils.safestring import SafeString, mark_safe

from slaportal import auditor, restored
from slaportal.models import Heartbeat
from slaportal.timing import database_now

# The slowest sweep runs each minute; two minutes without one mean that nobody is sweeping.
SILENCE = timedelta(minutes=2)


@method_decorator(login_not_required, name="dispatch")
class Login(LoginView):
    """Log in with e-mail and password."""

    template_name = "registration/login.html"
    redirect_authenticated_user = True


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
    """Whether the database answers, the sweeps run and nothing stands still: 200 when all is well, else 503.

    Names what stands still and says how much of it, and nothing else.
    """
    now = database_now()
    beats = dict(Heartbeat.objects.filter(name__in=("tick", "notices")).values_list("name", "at"))
    ticking, sending = (name in beats and abs(now - beats[name]) < SILENCE for name in ("tick", "notices"))
    late = {str(finding.what): finding.count for finding in auditor.tell(now=now)}
    held = restored.held() is not None
    told = {"database": True, "ticking": ticking, "sending": sending, "late": late, "held": held}
    told["failed"] = auditor.failed()
    return JsonResponse(told, status=200 if ticking and sending and not late and not held else 503)


def alarms(request: HttpRequest) -> dict[str, object]:
    """Context processor: what RevOps has to know at once; asked only where a page shows it."""
    user = getattr(request, "user", None)
    if user is None or not user.has_perm("slaportal.retry_notice"):
        return {}
    return {"alarms": SimpleLazyObject(lambda: auditor.alarms(now=database_now()))}
