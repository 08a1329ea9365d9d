"""Doors of whoever manages a team: the board, the people and their absences, a note, and giving many to others."""

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from leads import board, forms_team, handovers, leading, notes, staffing
from leads.models import Handoff
from slaportal import roles
from slaportal.models import Absence, Team
from slaportal.refusal import Refused

assign_handoff = permission_required("leads.assign_handoff", raise_exception=True)


@require_safe
@assign_handoff
@never_cache
def team(request: HttpRequest) -> HttpResponse:
    """The board: what comes due, what was missed, what waits, and who can take it. It refreshes by itself."""
    return _board(request, now=timezone.now())


def _board(
    request: HttpRequest, *, now: datetime, note: leading.NoteForm | None = None, status: int = 200
) -> HttpResponse:
    managed = list(handovers.managed_teams(request.user).order_by("name"))
    chosen = next((one for one in managed if str(one.pk) == request.GET.get("team")), None)
    shown = board.of(
        _teams([chosen] if chosen else managed),
        now=now,
        zone=timezone.get_current_timezone(),
        is_whole="all" in request.GET,
    )
    people = [one.person for staff in shown.staff for one in staff.members]
    asked = {name: request.GET[name] for name in ("person", "about") if _is_id(request.GET.get(name, ""))}
    note = note or leading.NoteForm(people=people, user=request.user, initial=asked)
    context = {
        "board": shown,
        "now": now,
        "managed": managed,
        "chosen": chosen,
        # The lists behind the numbers are of one team, or of all that the reader sees.
        "only": chosen or (managed[0] if len(managed) == 1 else None),
        # A manager who is a rep as well takes what waits for the own team.
        "takes": request.user.team_id if request.user.has_role(roles.REP) else None,
        "note": note,
        "about": _about(note),
        "reassign": forms_team.ReassignForm(user=request.user, now=now) if managed else None,
    }
    return render(request, "leads/team.html", context, status=status)


def _teams(teams: list[Team]) -> QuerySet[Team]:
    return Team.objects.filter(pk__in=[team.pk for team in teams]).order_by("name")


def _about(note: leading.NoteForm) -> Handoff | None:
    """The handoff that a note is about."""
    value = note["about"].value()
    return note.fields["about"].queryset.filter(pk=value).first() if _is_id(str(value or "")) else None


def _is_id(text: str) -> bool:
    return text.isdecimal() and len(text) < 19


@require_POST
@assign_handoff
def send_note(request: HttpRequest) -> HttpResponse:
    """Tell somebody of the team something: it comes as a notice."""
    now = timezone.now()
    people = staffing.people(handovers.managed_teams(request.user), now=now)
    form = leading.NoteForm(request.POST, people=people, user=request.user)
    if form.is_valid():
        given = form.cleaned_data
        try:
            notes.send(
                given["person"], text=given["text"], handoff=given["about"], token=given["token"],
                by=request.user, now=now,
            )  # fmt: skip
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("%(person)s is told.") % {"person": given["person"]})
            return _back(request, reverse("team"))
    return _board(request, now=now, note=form, status=422)


@require_safe
@assign_handoff
def people(request: HttpRequest) -> HttpResponse:
    """The teams that the reader manages: each rep's load, cap and absences, and what waits in the queue."""
    return _people(request, now=timezone.now())


def _people(
    request: HttpRequest, *, now: datetime, form: forms_team.AwayForm | None = None, status: int = 200
) -> HttpResponse:
    teams = staffing.of(handovers.managed_teams(request.user), now=now)
    members = [member.person for shown in teams for member in shown.members]
    context: dict[str, Any] = {
        "teams": teams,
        "form": form or forms_team.AwayForm(people=members),
        "is_refused": bool(form),
    }
    return render(request, "leads/team_people.html", context, status=status)


@require_POST
@assign_handoff
def set_away(request: HttpRequest) -> HttpResponse:
    """Somebody of the team is away on these days; what is open may go to others."""
    now = timezone.now()
    form = forms_team.AwayForm(request.POST, people=staffing.people(handovers.managed_teams(request.user), now=now))
    if form.is_valid():
        try:
            absence, handover = handovers.set_away(**form.cleaned_data, by=request.user, now=now)
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, f"{absence}. {handover.in_words() if handover else ''}".strip())
            return redirect("team_people")
    return _people(request, now=now, form=form, status=422)


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
        messages.success(request, _("%(person)s is not away any more.") % {"person": person})
    return redirect("team_people")


@require_POST
@assign_handoff
def reassign(request: HttpRequest) -> HttpResponse:
    """Give the chosen handoffs to one rep or to the next by the rules; the answer says how many, and why others not."""
    now = timezone.now()
    form = forms_team.ReassignForm(request.POST, user=request.user, now=now)
    chosen = [int(pk) for pk in request.POST.getlist("handoff") if _is_id(pk)]
    handoffs = Handoff.objects.given_out_by(request.user).filter(pk__in=chosen)
    if not chosen:
        messages.warning(request, _("Choose handoffs first."))
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
    return _back(request, reverse("handoffs"))


def _back(request: HttpRequest, otherwise: str) -> HttpResponse:
    """To where the click was, if that is a page of ours."""
    back = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure()):
        return redirect(back)
    return redirect(otherwise)
