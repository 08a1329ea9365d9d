"""Doors of the leads: the list of handoffs, one handoff, and a door for each verb."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from itertools import chain
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.db.models import Prefetch
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe
from django_tables2 import RequestConfig

from leads import (
    answers,
    disputes,
    dossier,
    effects,
    exclusions,
    filters,
    forms,
    forms_questions,
    forms_team,
    handovers,
    meanwhile,
    tables,
    timeline,
    tracking,
)
from leads.forms_facts import FactForm
from leads.models import Attempt, Clock, Disposition, Handoff, Outcome
from slaportal.models import Party, User
from slaportal.refusal import Refused

TABLE_PAGE = 50
# Facts that a page can take back, and by which address.
VOIDS = {"attempt": "void_attempt", "disposition": "void_disposition", "outcome": "void_outcome"}
# What is held against what others did since the page was opened.
DECIDING = (forms.AcceptForm, forms.ReturnForm, forms.HoldForm)
Verb = Callable[[Handoff, dict[str, Any], datetime], object]

view_handoff = permission_required("leads.view_handoff", raise_exception=True)
work_handoff = permission_required("leads.work_handoff", raise_exception=True)


# --- Lists ---------------------------------------------------------------------------------------------------------


@require_safe
@view_handoff
def handoffs(request: HttpRequest) -> HttpResponse:
    """Handoffs, or unmatched leads, as the address asks: also the evidence behind each number of a scorecard."""
    chosen = filters.HandoffFilter(request.GET, queryset=Handoff.objects.all(), user=request.user)
    context: dict[str, Any] = {"filter": chosen, "is_valid": chosen.is_valid()}
    if not chosen.is_valid():
        return render(request, "leads/handoffs.html", context, status=400)
    everything = chosen.leads() if chosen.is_about_leads else chosen.qs
    visible = everything.visible_to(request.user)
    if chosen.is_about_leads:
        table = tables.LeadTable(visible)
    else:
        rows, has_clock = visible.select_related("lead", "owner"), "commitment" in chosen.given
        if not has_clock:
            rows = rows.prefetch_related(Prefetch("clocks", Clock.objects.deciding(), to_attr="deciding"))
        may_assign = handovers.managed_teams(request.user).exists()
        table = tables.HandoffTable(rows, has_clock=has_clock, can_choose=may_assign)
        if may_assign:
            context["reassign"] = forms_team.ReassignForm(user=request.user, now=timezone.now())
    # Not by the request's configuration, which would let the address choose how many rows are rendered.
    RequestConfig(request, paginate=False).configure(table)
    table.paginate(per_page=TABLE_PAGE)
    table.page = table.paginator.get_page(request.GET.get("page"))
    shown = table.paginator.count
    # How many others match a search would say whether somebody's e-mail address is known here.
    counts_visible = "q" in chosen.given or request.user.has_perm("leads.view_all_handoffs")
    context |= {"table": table, "shown": shown, "total": shown if counts_visible else everything.count()}
    if {"agreement", "period"} <= chosen.given.keys():
        place = [chosen.given["agreement"].pk, chosen.given["period"].key]
        context["scorecard"] = reverse("scorecard", args=place)
    return render(request, "leads/handoffs.html", context)


# --- One handoff ---------------------------------------------------------------------------------------------------


@require_safe
@view_handoff
def handoff(request: HttpRequest, pk: int) -> HttpResponse:
    """Everything known of one handoff, why its clocks say what they say, and what the reader can do."""
    return _page(request, pk)


def _find(request: HttpRequest, pk: int) -> Handoff:
    """The handoff, if the reader may see it; else 404."""
    return get_object_or_404(dossier.to_show(Handoff.objects.visible_to(request.user)), pk=pk)


def _page(request: HttpRequest, pk: int, *, refused: FactForm | None = None, status: int = 200) -> HttpResponse:
    """The page of a handoff, with a form as it was refused, if one was."""
    found, user = _find(request, pk), request.user
    shown = dossier.of(found, user, now=timezone.now(), zone=timezone.get_current_timezone())
    offered = forms.offered(found, user, shown.stands)
    may_work = forms.may_work(user, found)
    for event in chain.from_iterable(shown.events):
        if may_work and event.kind in VOIDS and not event.is_voided and forms.may_void(user, event.fact):
            event.undo = VOIDS[event.kind]
    acts = {form.name: form(handoff=found) for form in offered}
    if refused is not None:
        acts[refused.name] = refused
    context = {
        "handoff": found,
        "dossier": shown,
        "acts": list(acts.values()),
        "refused": refused,
        "may_work": may_work,
        "seen": timezone.now().isoformat(),
    }
    return render(request, "leads/handoff.html", context, status=status)


def _submit(
    request: HttpRequest,
    pk: int,
    form_class: type[FactForm],
    verb: Verb,
    done: str | Callable[[Any], str],
    *,
    allowed: Callable[..., bool] = forms.may_work,
) -> HttpResponse:
    """Take a form about a handoff to its verb; what is refused comes back with the sentence and all that was typed.

    `done` says what was done, or makes the sentence of what the verb returned.
    """
    found = _find(request, pk)
    if not allowed(request.user, found):
        raise PermissionDenied
    form, told = form_class(request.POST, handoff=found), []
    if issubclass(form_class, DECIDING):
        now, zone = timezone.now(), timezone.get_current_timezone()
        told = meanwhile.told(found, request.POST.get("seen", ""), reader=request.user, now=now, zone=zone)
    if form.is_valid() and told:
        form.add_error(None, " ".join([*told, str(forms.LOOK_AGAIN)]))
    elif form.is_valid():
        before = effects.states(found)
        try:
            result = verb(found, form.cleaned_data, timezone.now())
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            said = done if isinstance(done, str) else done(result)
            messages.success(request, f"{said} {effects.in_words(found, before)}".strip())
            return redirect(found)
    return _page(request, pk, refused=form, status=422)


# --- What sales did ------------------------------------------------------------------------------------------------


@require_POST
def log_attempt(request: HttpRequest, pk: int) -> HttpResponse:
    """Log a try at contact."""

    def verb(found: Handoff, given: dict[str, Any], now: datetime) -> object:
        return tracking.log_attempts([tracking.NewAttempt(lead=found.lead, **given)], by=request.user, now=now)

    return _submit(request, pk, forms.AttemptForm, verb, _("Logged."))


@require_POST
def accept(request: HttpRequest, pk: int) -> HttpResponse:
    """Take the handoff."""
    return _dispose(request, pk, forms.AcceptForm, _("Accepted."))


@require_POST
def recycle(request: HttpRequest, pk: int) -> HttpResponse:
    """Give the handoff back for later."""
    return _dispose(request, pk, forms.RecycleForm, _("Recycled."))


@require_POST
def reject(request: HttpRequest, pk: int) -> HttpResponse:
    """Give the handoff back for good."""
    return _dispose(request, pk, forms.RejectForm, _("Rejected."))


def _dispose(
    request: HttpRequest, pk: int, form_class: type[forms.AcceptForm | forms.ReturnForm], done: str
) -> HttpResponse:
    def verb(found: Handoff, given: dict[str, Any], now: datetime) -> object:
        decision = tracking.Decision(found, form_class.verdict, **given)
        return tracking.dispose([decision], by=request.user, now=now)

    return _submit(request, pk, form_class, verb, done)


@require_POST
def hold(request: HttpRequest, pk: int) -> HttpResponse:
    """Stop the time of a handoff."""

    def verb(found: Handoff, given: dict[str, Any], now: datetime) -> object:
        return tracking.hold([found], by=request.user, now=now, **given)

    return _submit(request, pk, forms.HoldForm, verb, _("On hold: its clocks rest."))


@require_POST
@work_handoff
def release(request: HttpRequest, pk: int) -> HttpResponse:
    """Let the time of a handoff run on."""
    found = _find(request, pk)
    if not forms.may_work(request.user, found):
        raise PermissionDenied
    if tracking.release([found], by=request.user, now=timezone.now()):
        messages.success(request, _("Released: its clocks run again."))
    else:
        messages.info(request, _("It was not on hold."))
    return redirect(found)


@require_POST
def record_outcome(request: HttpRequest, pk: int) -> HttpResponse:
    """Record a meeting, an opportunity, a win or a loss."""

    def verb(found: Handoff, given: dict[str, Any], now: datetime) -> object:
        return tracking.record_outcomes([tracking.NewOutcome(found, **given)], by=request.user, now=now)

    return _submit(request, pk, forms.OutcomeForm, verb, _("Recorded."))


@require_POST
def ask_marketing(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask marketing for data."""

    def verb(found: Handoff, given: dict[str, Any], now: datetime) -> object:
        return disputes.ask(found, by=request.user, now=now, **given)

    return _submit(request, pk, forms_questions.AskForm, verb, _("Asked: marketing owes an answer."))


@require_POST
@work_handoff
def void_attempt(request: HttpRequest, pk: int, fact: int) -> HttpResponse:
    """Take an attempt of one's own back."""
    found = _find(request, pk)
    attempts = timeline.attempts_of([found])[found.pk]
    return _void(request, found, next((one for one in attempts if one.pk == fact), None), tracking.void_attempt)


@require_POST
@work_handoff
def void_disposition(request: HttpRequest, pk: int, fact: int) -> HttpResponse:
    """Take a decision of one's own back."""
    found = _find(request, pk)
    dispositions = found.dispositions.all()
    return _void(request, found, next((one for one in dispositions if one.pk == fact), None), tracking.void_disposition)


@require_POST
@work_handoff
def void_outcome(request: HttpRequest, pk: int, fact: int) -> HttpResponse:
    """Take an outcome that one recorded back."""
    found = _find(request, pk)
    outcomes = found.outcomes.all()
    return _void(request, found, next((one for one in outcomes if one.pk == fact), None), tracking.void_outcome)


def _void(
    request: HttpRequest, found: Handoff, fact: Attempt | Disposition | Outcome | None, verb: Callable[..., None]
) -> HttpResponse:
    if fact is None:
        raise Http404(_("This handoff has nothing like that."))
    if not forms.may_void(request.user, fact) or not forms.may_work(request.user, found):
        raise PermissionDenied
    try:
        verb(fact, by=request.user, reason="undone", now=timezone.now())
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("Taken back: it stays visible and counts nowhere."))
    return redirect(found)


@require_POST
def answer_miss(request: HttpRequest, pk: int) -> HttpResponse:
    """Say in one line why something was missed, and what is done about it."""

    def verb(found: Handoff, given: dict[str, Any], now: datetime) -> object:
        return answers.answer(given.pop("clock"), by=request.user, now=now, **given)

    return _submit(request, pk, forms_questions.AnswerMissForm, verb, _("Answered."), allowed=answers.may_answer)


@require_POST
def answer_marketing_miss(request: HttpRequest, pk: int) -> HttpResponse:
    """The same of what marketing missed."""

    def verb(found: Handoff, given: dict[str, Any], now: datetime) -> object:
        return answers.answer(given.pop("clock"), by=request.user, now=now, **given)

    allowed = partial(answers.may_answer, party=Party.MARKETING)
    return _submit(request, pk, forms_questions.AnswerMarketingMissForm, verb, _("Answered."), allowed=allowed)


@require_POST
def ask_exclusion(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask RevOps not to count a promise here."""

    def verb(found: Handoff, given: dict[str, Any], now: datetime) -> object:
        return exclusions.ask(found, by=request.user, now=now, **given)

    return _submit(
        request, pk, forms_questions.ExcludeForm, verb, _("Asked: RevOps decides."), allowed=answers.may_answer
    )


# --- What others do ------------------------------------------------------------------------------------------------


@require_POST
def answer_question(request: HttpRequest, pk: int) -> HttpResponse:
    """Marketing answers what sales asked."""

    def verb(found: Handoff, given: dict[str, Any], now: datetime) -> object:
        return disputes.answer(given["dispute"], answer=given["answer"], by=request.user, now=now)

    return _submit(request, pk, forms_questions.AnswerForm, verb, _("Answered."), allowed=disputes.may_answer)


@require_POST
def dispute_decision(request: HttpRequest, pk: int) -> HttpResponse:
    """Marketing disputes that sales gave the handoff back."""

    def verb(found: Handoff, given: dict[str, Any], now: datetime) -> object:
        return disputes.dispute(found, by=request.user, now=now, **given)

    return _submit(
        request, pk, forms_questions.DisputeForm, verb, _("Disputed: RevOps decides."), allowed=disputes.may_answer
    )


@require_POST
def decide_dispute(request: HttpRequest, pk: int) -> HttpResponse:
    """RevOps decides what marketing disputed."""

    def verb(found: Handoff, given: dict[str, Any], now: datetime) -> object:
        return disputes.decide(given.pop("dispute"), by=request.user, now=now, **given)

    return _submit(request, pk, forms_questions.DecideForm, verb, _("Decided."), allowed=_decides_disputes)


@require_POST
def decide_exclusion(request: HttpRequest, pk: int) -> HttpResponse:
    """RevOps decides whether a promise counts here."""

    def verb(found: Handoff, given: dict[str, Any], now: datetime) -> object:
        return exclusions.decide(given.pop("request"), by=request.user, now=now, **given)

    return _submit(request, pk, forms_questions.DecideExclusionForm, verb, _("Decided."), allowed=_decides_exclusions)


def _decides_disputes(user: User, found: Handoff) -> bool:
    return disputes.may_decide(user)


def _decides_exclusions(user: User, found: Handoff) -> bool:
    return exclusions.may_decide(user)


@require_POST
def assign(request: HttpRequest, pk: int) -> HttpResponse:
    """Give the handoff to another rep of the team, or to the next by the rules."""

    def verb(found: Handoff, given: dict[str, Any], now: datetime) -> object:
        return handovers.reassign_one(found, to=given["owner"], why=given["why"], by=request.user, now=now)

    return _submit(request, pk, forms_team.AssignForm, verb, handovers.in_words, allowed=forms.may_assign)
