"""Doors of the rep's list: the list, and working one lead in place.

A script that asks with the header `X-Row` gets the line of the list anew, and with status 422 whatever was typed;
without one the same addresses show a page of their own, and lead back to the list.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, QueryDict
from django.middleware.csrf import get_token
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from leads import effects, forms, meanwhile, routing, tracking, worklist
from leads.models import Attempt, AttemptOutcome, Channel, Disposition, Handoff
from leads.owing import DOING, Group
from slaportal.models import User
from slaportal.refusal import Refused

PAGE = 25
work_handoff = permission_required("leads.work_handoff", raise_exception=True)
Done = list[Attempt] | list[Disposition] | object


# --- The list --------------------------------------------------------------------------------------------------------


@require_safe
@work_handoff
def my_leads(request: HttpRequest) -> HttpResponse:
    """The reader's open handoffs, what is due first at the top."""
    now, zone = timezone.now(), timezone.get_current_timezone()
    mine = worklist.of(request.user)
    listed = worklist.listing(worklist.OF_A_PERSON, request.user.pk, now=now, zone=zone)
    narrow = forms.WorklistForm(request.GET)
    asked = narrow.cleaned_data if narrow.is_valid() else {}
    is_narrowed = any(asked.values())
    found = worklist.chosen(listed, mine, asked) if is_narrowed else listed
    page = Paginator(found, PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "rows": worklist.rows(page.object_list, now=now, zone=zone),
        "words": worklist.words(),
        "narrow": narrow,
        "choices": _choices(request.user, request.GET),
        "is_narrowed": is_narrowed,
        "tabs": _tabs(request.GET, listed, asked.get("group", "")),
        "total": len(listed),
        "summary": worklist.in_words(listed, now=now),
        "seen": now.isoformat(),
    }
    if request.GET:
        context["words"]["back"] = f"?{urlencode({'next': request.get_full_path()})}"
    if not is_narrowed and page.number == 1:
        context["queue"] = worklist.queue(request.user, now=now, zone=zone)
    return render(request, "leads/my_leads.html", context, status=200 if narrow.is_valid() else 400)


def _choices(user: User, given: QueryDict) -> list[tuple[str, str, list[tuple[str, str]], str]]:
    """What the list can be narrowed by, as (name, label, choices, what is chosen)."""
    sources, segments = worklist.origins(user)
    return [
        ("source", _("Source"), [(one, one) for one in sources], given.get("source", "")),
        ("segment", _("Segment"), [(one, one) for one in segments], given.get("segment", "")),
        ("owed", _("Owed"), list(DOING.items()), given.get("owed", "")),
    ]


def _tabs(given: QueryDict, listed: worklist.Listing, chosen: str) -> list[tuple[str, int, str, bool]]:
    """The groups as (label, count, address, whether it is chosen), all of them first; the other choices stay."""

    def address(group: str) -> str:
        rest = given.copy()
        rest.pop("page", None)
        rest.pop("group", None)
        if group:
            rest["group"] = group
        return f"?{rest.urlencode()}"

    counts = worklist.by_group(listed)
    return [
        (_("All"), len(listed), address(""), not chosen),
        *((group.label, counts[group], address(group), group == chosen) for group in Group),
    ]


@require_POST
@work_handoff
def take(request: HttpRequest, pk: int) -> HttpResponse:
    """A rep takes what waits in the queue of the own team. Back to where the click was."""
    found = get_object_or_404(Handoff.objects.visible_to(request.user).select_related("lead"), pk=pk)
    try:
        routing.take(found, by=request.user, now=timezone.now())
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("%(lead)s is yours now.") % {"lead": found})
    return _back(request, found if Handoff.objects.visible_to(request.user).filter(pk=pk).exists() else "my_leads")


def _back(request: HttpRequest, otherwise: Handoff | str) -> HttpResponse:
    """To where the click was, if that is a page of ours."""
    return redirect(_next(request) or otherwise)


def _next(request: HttpRequest) -> str:
    """The page of ours from which somebody came; blank where that is none."""
    back = request.POST.get("next") or request.GET.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure())
    return back if is_ours else ""


# --- One lead, in place ----------------------------------------------------------------------------------------------

Verb = Callable[[Handoff, dict[str, Any], User, datetime], Done]


@dataclass(frozen=True)
class Act:
    """Something that is done with a lead from the list: by a click, or with a form. What decides about the lead is held
    against what others have done meanwhile.
    """

    verb: Verb
    done: str
    form: type[forms.FactForm] | None = None
    decides: bool = False
    undo: str = ""

    @property
    def has_fields(self) -> bool:
        return bool(self.form and self.form.base_fields)


def _tried(**said: str) -> Verb:
    def verb(found: Handoff, given: dict[str, Any], by: User, now: datetime) -> Done:
        new = tracking.NewAttempt(lead=found.lead, **said, **given)
        return tracking.log_attempts([new], by=by, now=now)

    return verb


def _decided(verdict: str) -> Verb:
    def verb(found: Handoff, given: dict[str, Any], by: User, now: datetime) -> Done:
        return tracking.dispose([tracking.Decision(found, verdict, **given)], by=by, now=now)

    return verb


def _hold(found: Handoff, given: dict[str, Any], by: User, now: datetime) -> Done:
    return tracking.hold([found], by=by, now=now, **given)


def _release(found: Handoff, given: dict[str, Any], by: User, now: datetime) -> Done:
    if not (count := tracking.release([found], by=by, now=now)):
        raise Refused(_("It was not on hold."))
    return count


ACTS = {
    "call": Act(_tried(), gettext_lazy("A call without an answer is logged."), undo="attempt"),
    "mail": Act(
        _tried(channel=Channel.EMAIL, outcome=AttemptOutcome.SENT), gettext_lazy("An e-mail is logged."), undo="attempt"
    ),
    "log_attempt": Act(_tried(), gettext_lazy("Logged."), forms.AttemptForm, undo="attempt"),
    **{
        form.name: Act(_decided(form.verdict), done, form, decides=True, undo="disposition")
        for form, done in (
            (forms.AcceptForm, gettext_lazy("Accepted.")),
            (forms.RecycleForm, gettext_lazy("Recycled.")),
            (forms.RejectForm, gettext_lazy("Rejected.")),
        )
    },
    "hold": Act(_hold, gettext_lazy("On hold: its clocks rest."), forms.HoldForm, decides=True, undo="release"),
    "release": Act(_release, gettext_lazy("Released: its clocks run again."), decides=True),
}
VOIDS = {
    "attempt": (Attempt, tracking.void_attempt),
    "disposition": (Disposition, tracking.void_disposition),
}


@dataclass
class Answer:
    """What a door says about a line of the list: `said` what was done, `refused` why it was not, with the form."""

    form: forms.FactForm | None = None
    said: str = ""
    undo: str = ""
    refused: list[str] = field(default_factory=list)


@require_http_methods(["GET", "HEAD", "POST"])
@work_handoff
def act(request: HttpRequest, pk: int, name: str) -> HttpResponse:
    """Do something with a lead of the list, or show the form for it."""
    if name not in ACTS:
        raise Http404(_("Nothing like that is done with a lead."))
    doing, now = ACTS[name], timezone.now()
    if request.method != "POST" and not doing.has_fields:
        return HttpResponseNotAllowed(["POST"])
    found, is_mine = _find(request.user, pk)
    given = request.POST if request.method == "POST" else None
    form = doing.form(given, handoff=found) if doing.form else None
    shown = form if doing.has_fields else None
    if not is_mine:
        words = meanwhile.taken(found, now=now, zone=timezone.get_current_timezone())
        return _answer(request, found, Answer(shown, refused=[words]))
    if given is None:
        return _answer(request, found, Answer(shown))
    if form and not form.is_valid():
        return _answer(request, found, Answer(shown, refused=[""]))
    if doing.decides and (told := _meanwhile(request, found, now)):
        return _answer(request, found, Answer(shown, refused=[*told, forms.LOOK_AGAIN]))
    try:
        done = doing.verb(found, form.cleaned_data if form else {}, request.user, now)
    except Refused as refusal:
        return _answer(request, found, Answer(shown, refused=[str(refusal), *_meanwhile(request, found, now)]))
    told = effects.stopped_by(found, done) if doing.undo in VOIDS else ""
    said = f"{found}: {doing.done} {told}".strip()
    if doing.undo == "attempt" and not done:
        # A second click on the same: the first can be taken back, unless something else was logged between them.
        own = Attempt.objects.valid().filter(lead=found.lead, by=request.user, from_system=False)
        just_now = list(own.filter(entered_at__gt=now - tracking.DOUBLE_CLICK)[:2])
        done = just_now if len(just_now) == 1 else []
        said = f"{found}: {_('logged a moment ago; the second click adds nothing.')}"
    if doing.undo == "attempt":
        zone, seen = timezone.get_current_timezone(), request.POST.get("seen", "")
        said = " ".join([said, *meanwhile.tried_too(found, seen, done, reader=request.user, now=now, zone=zone)])
    if getattr(form, "is_late", False):
        said += f" {forms.LATE}"
    return _answer(request, found, Answer(said=said, undo=_undo(doing, found, done)))


@require_POST
@work_handoff
def undo(request: HttpRequest, pk: int, kind: str, fact: int) -> HttpResponse:
    """Take back what one has just done: the row stays visible and counts nowhere (A4)."""
    found, is_mine = _find(request.user, pk)
    model, void = VOIDS.get(kind, (None, None))
    if model is None:
        raise Http404(_("Nothing like that can be taken back."))
    of_it = {"lead": found.lead} if model is Attempt else {"handoff": found}
    stored = get_object_or_404(model.objects.filter(**of_it), pk=fact)
    if not forms.may_void(request.user, stored):
        raise PermissionDenied
    if not is_mine:
        words = meanwhile.taken(found, now=timezone.now(), zone=timezone.get_current_timezone())
        return _answer(request, found, Answer(refused=[words]))
    try:
        void(stored, by=request.user, reason="undone", now=timezone.now())
    except Refused as refusal:
        return _answer(request, found, Answer(refused=[str(refusal)]))
    return _answer(request, found, Answer(said=f"{found}: {_('taken back; it counts nowhere.')}"))


@require_POST
@work_handoff
def no_answer(request: HttpRequest, pk: int) -> HttpResponse:
    """One click: an outbound call now that nobody answered. Back to where the click was."""
    found, is_mine = _find(request.user, pk)
    if not is_mine:
        raise PermissionDenied
    before = effects.states(found)
    try:
        tracking.log_attempts([tracking.NewAttempt(lead=found.lead)], by=request.user, now=timezone.now())
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        told = effects.in_words(found, before)
        said = _("%(lead)s: a call without an answer is logged.") % {"lead": found}
        messages.success(request, f"{said} {told}".strip())
    return _back(request, found)


def _find(user: User, pk: int) -> tuple[Handoff, bool]:
    """The handoff, and whether the person may work it. Of one that was taken from them they hear who has it now;
    anything else is 404.
    """
    known = Handoff.objects.select_related("lead").order_by()
    # Nearly always it is one's own, which is found at once; whoever owns it sees it.
    found = known.filter(pk=pk, owner=user).first() or known.visible_to(user).filter(pk=pk).first()
    if found and forms.may_work(user, found):
        return found, True
    return get_object_or_404(known.filter(assignments__owner=user).distinct(), pk=pk), False


def _meanwhile(request: HttpRequest, found: Handoff, now: datetime) -> list[str]:
    """What was done with it since the line that was acted on was drawn."""
    zone = timezone.get_current_timezone()
    return meanwhile.told(found, request.POST.get("seen", ""), reader=request.user, now=now, zone=zone)


def _undo(doing: Act, found: Handoff, done: Done) -> str:
    """The address that takes it back; a second click on the same made nothing that could be."""
    if doing.undo == "release":
        return reverse("act", args=[found.pk, "release"])
    return reverse("undo", args=[found.pk, doing.undo, done[0].pk]) if doing.undo and done else ""


def _answer(request: HttpRequest, found: Handoff, answer: Answer) -> HttpResponse:
    """The line anew for a script; for a browser alone a page with the form, or back to the list with a message."""
    now, zone = timezone.now(), timezone.get_current_timezone()
    status = 422 if answer.refused else 200
    refused = [words for words in answer.refused if words]
    if "X-Row" not in request.headers and answer.form is None:
        if answer.said:
            messages.success(request, answer.said)
        for words in refused:
            messages.error(request, words)
        return _back(request, "my_leads")
    row = worklist.row(found, reader=request.user, now=now, zone=zone)
    context = {
        "row": row,
        "words": worklist.words(),
        "form": answer.form,
        "said": answer.said,
        "undo": answer.undo,
        "refused": refused,
        "seen": now.isoformat(),
        "next": _next(request) or reverse("my_leads"),
    }
    if "X-Row" not in request.headers:
        return render(request, "leads/act.html", context, status=status)
    if answer.form is not None:
        context["csrf_token"] = get_token(request)
    return HttpResponse(render_to_string("leads/_row.html", context), status=status)
