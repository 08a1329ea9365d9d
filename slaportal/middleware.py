"""Middleware: the content security policy of each half of the site, and the reader's time zone."""

from collections.abc import Callable
from contextlib import nullcontext

from csp.middleware import CSPMiddleware
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone

from slaportal.templatetags import display


class ContentPolicy(CSPMiddleware):
    """Strict policy for the portal's pages; the admin gets the looser one that its Alpine needs."""

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        if request.path.startswith(reverse("admin:index")):
            response._csp_replace = settings.ADMIN_CONTENT_SECURITY_POLICY
        return super().process_response(request, response)


def local_time(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Show every time of a page in the reader's own zone."""

    def middleware(request: HttpRequest) -> HttpResponse:
        zone = request.user.time_zone if request.user.is_authenticated else None
        with display.a_page_of_its_own(), timezone.override(zone) if zone else nullcontext():
            return get_response(request)

    return middleware
