"""Doors to notices: the list behind the bell, one click to what a notice is about, and how one wants to be told."""

from datetime import date, timedelta

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from slaportal import bell, chat, forms
from slaportal.models import Team, User

PAGE = 50


@require_safe
def notices(request: HttpRequest) -> HttpResponse:
    """What the reader was told, by day."""
    shown = bell.shown_to(request.user)
    page = Paginator(shown, PAGE).get_page(request.GET.get("page"))
    today = timezone.localdate()
    for notice in page:
        notice.day = _day(timezone.localdate(notice.created_at), today)
        notice.about_what = settings.NOTICE_KINDS.get(notice.kind, "")
    newest = page[0] if page.number == 1 and page.paginator.count else shown.first()
    return render(request, "notices/notices.html", {"page": page, "newest": newest})


def _day(day: date, today: date) -> str:
    if day == today:
        return gettext("Today")
    return gettext("Yesterday") if day == today - timedelta(days=1) else date_format(day, "l, j F Y")


@require_safe
def notice(request: HttpRequest, pk: int) -> HttpResponse:
    """One click: the notice counts as read, and the reader stands before what it is about."""
    shown = bell.shown_to(request.user)
    found = get_object_or_404(shown, pk=pk)
    bell.read(shown.filter(pk=pk), now=timezone.now())
    # Nothing but a path of the portal: what others wrote must lead nobody elsewhere.
    is_ours = found.link.startswith("/") and url_has_allowed_host_and_scheme(found.link, allowed_hosts=None)
    return redirect(found.link if is_ours else "notices")


@require_POST
def read_all(request: HttpRequest) -> HttpResponse:
    """Mark everything as read that the reader has seen listed; what came meanwhile stays unread."""
    newest = request.POST.get("newest", "")
    if newest.isascii() and newest.isdecimal() and len(newest) < 19:
        bell.read(bell.shown_to(request.user).filter(pk__lte=newest), now=timezone.now())
    return redirect("notices")


@require_http_methods(["GET", "HEAD", "POST"])
def own_settings(request: HttpRequest) -> HttpResponse:
    """How the reader is told."""
    managed = Team.objects.filter(manager=request.user)
    return _settings(request, forms.OwnForm, request.user, "notice_settings", {"managed": managed})


@require_http_methods(["GET", "HEAD", "POST"])
def team_settings(request: HttpRequest, pk: int) -> HttpResponse:
    """How those of a team are told who have chosen nothing themselves, and the team's own chat."""
    team = _team(request, pk)
    return _settings(request, forms.ToldForm, team, reverse("notice_settings_team", args=[team.pk]), {"team": team})


def _team(request: HttpRequest, pk: int) -> Team:
    """The team, if the reader manages it or sets teams up."""
    team = get_object_or_404(Team, pk=pk)
    if team.manager_id != request.user.pk and not request.user.has_perm("slaportal.change_team"):
        raise PermissionDenied
    return team


def _settings(
    request: HttpRequest, form_class: type[forms.ToldForm], owner: User | Team, then: str, context: dict
) -> HttpResponse:
    form = form_class(request.POST if request.method == "POST" else None, owner=owner)
    if form.is_bound and form.is_valid():
        form.save()
        messages.success(request, gettext("Saved."))
        return redirect(then)
    context |= {"form": form, "chat_shown": chat.masked(owner.chat_url)}
    return render(request, "notices/settings.html", context, status=400 if form.errors else 200)


@require_POST
def test_own_chat(request: HttpRequest) -> HttpResponse:
    """Send a test message to the reader's own chat."""
    _test(request, request.user)
    return redirect("notice_settings")


@require_POST
def test_team_chat(request: HttpRequest, pk: int) -> HttpResponse:
    """Send a test message to a team's chat."""
    team = _team(request, pk)
    _test(request, team)
    return redirect(reverse("notice_settings_team", args=[team.pk]))


def _test(request: HttpRequest, owner: User | Team) -> None:
    if not owner.chat_url:
        messages.error(request, gettext("There is no chat address yet; save one first."))
        return
    try:
        chat.send(
            owner.chat_url,
            title=gettext("SLA Portal: a test message"),
            text=gettext("%(person)s asked for it. Notices for %(owner)s can arrive here.\n%(address)s")
            % {"person": request.user, "owner": owner, "address": settings.PORTAL_URL},
        )
    except chat.Failed as problem:
        messages.error(request, str(problem))
    else:
        messages.success(
            request, gettext("A test message was sent to %(address)s") % {"address": chat.masked(owner.chat_url)}
        )
