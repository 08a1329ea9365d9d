"""Doors to reviews: the list, one review with agenda, minutes and decisions, and what its leaders and RevOps do."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Count, Prefetch, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from agreements import terms
from agreements.models import Agreement
from reports import review_sheet
from reports import reviews as verbs
from reports.review_forms import CallForm, CancelForm, DecisionForm, MinutesForm, TimeForm
from reports.rhythm import Decision, Participant, Review
from slaportal.refusal import Refused

HELD = 50  # on one page

view_review = permission_required("reports.view_review", raise_exception=True)
run_review = permission_required("reports.change_review", raise_exception=True)


@require_safe
@view_review
def reviews(request: HttpRequest) -> HttpResponse:
    """What is overdue, what comes, and what was held, newest first."""
    now = timezone.now()
    owed = Q(decisions__owner__isnull=False, decisions__done_at=None)
    rows = Review.objects.visible_to(request.user).select_related("agreement").defer("agenda", "minutes")
    rows = rows.annotate(decided=Count("decisions"), owed=Count("decisions", filter=owed))
    past = rows.exclude(state=Review.State.PLANNED).order_by("-starts_at", "-pk")
    context = {
        "overdue": rows.overdue(now).order_by("due_at", "pk"),
        "upcoming": rows.upcoming(now).order_by("starts_at", "pk"),
        "page": Paginator(past, HELD).get_page(request.GET.get("page")),
        "may_call": bool(_runs(request)),
    }
    return render(request, "reports/reviews.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@run_review
def call(request: HttpRequest) -> HttpResponse:
    """Call a review with a reason; the agreement may be named by the address."""
    agreements = _runs(request)
    if not agreements:
        raise PermissionDenied
    given = request.POST if request.method == "POST" else None
    form = CallForm(given, agreements=agreements, initial={"agreement": request.GET.get("agreement"), "length": 45})
    if form.is_valid():
        try:
            review = verbs.call(
                form.cleaned_data["agreement"],
                starts_at=form.cleaned_data["starts_at"],
                length=form.cleaned_data["length"],
                place=form.cleaned_data["place"],
                reason=form.cleaned_data["reason"],
                by=request.user,
                now=timezone.now(),
            )
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("Called: everybody whom it concerns is invited by mail."))
            return redirect(review)
    return render(request, "reports/review_call.html", {"form": form}, status=422 if form.is_bound else 200)


@require_safe
@view_review
def review(request: HttpRequest, pk: int) -> HttpResponse:
    """One review: what it talks about, who is asked, what was said and decided."""
    return _page(request, pk)


@require_POST
@run_review
def move(request: HttpRequest, pk: int) -> HttpResponse:
    """Put it at another time or place."""

    def verb(found: Review, given: dict[str, Any]) -> object:
        return verbs.move(found, **given, by=request.user, now=timezone.now())

    return _act(request, pk, "move", TimeForm(request.POST), verb, _("Changed: everybody who is asked is told."))


@require_POST
@run_review
def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    """Cancel it, with the reason."""

    def verb(found: Review, given: dict[str, Any]) -> object:
        return verbs.cancel(found, **given, by=request.user, now=timezone.now())

    return _act(request, pk, "cancel", CancelForm(request.POST), verb, _("Cancelled: everybody who was asked is told."))


@require_POST
@run_review
def hold(request: HttpRequest, pk: int) -> HttpResponse:
    """Write the minutes."""
    form = MinutesForm(request.POST, review=_find(request, pk))

    def verb(found: Review, given: dict[str, Any]) -> object:
        given["attended"] = {person.pk for person in given["attended"]}
        return verbs.hold(found, **given, by=request.user, now=timezone.now())

    return _act(request, pk, "minutes", form, verb, _("Written down. The agenda is kept as it stood."))


@require_POST
@run_review
def decide(request: HttpRequest, pk: int) -> HttpResponse:
    """Write down a decision."""
    form = DecisionForm(request.POST, review=_find(request, pk))

    def verb(found: Review, given: dict[str, Any]) -> object:
        return verbs.decide(found, **given, by=request.user, now=timezone.now())

    return _act(request, pk, "decision", form, verb, _("Decided. Whoever owes something is told."), anchor="decisions")


@require_POST
@run_review
def close(request: HttpRequest, pk: int) -> HttpResponse:
    """End the writing."""

    def verb(found: Review, given: dict[str, Any]) -> object:
        return verbs.close(found, by=request.user, now=timezone.now())

    return _act(
        request, pk, "close", forms.Form(request.POST), verb, _("Closed: minutes and decisions stay as they are.")
    )


@require_POST
@view_review
def mark(request: HttpRequest, pk: int) -> HttpResponse:
    """Mark what somebody owes as done, or as not done after all."""
    decision = _find_decision(request, pk)
    try:
        verbs.mark(decision, done=request.POST.get("done") == "1", by=request.user, now=timezone.now())
    except Refused as refusal:
        messages.error(request, str(refusal))
    return _back(decision)


@require_POST
@view_review
def draft(request: HttpRequest, pk: int) -> HttpResponse:
    """Turn a decision into a draft of the next version, and open it."""
    decision = _find_decision(request, pk)
    if not verbs.may_draft(request.user):
        raise PermissionDenied
    try:
        version = verbs.draft_from(decision, by=request.user, now=timezone.now())
    except Refused as refusal:
        messages.error(request, str(refusal))
        return _back(decision)
    messages.success(
        request, _("Version %(number)s is drafted, with this decision as its reason.") % {"number": version.number}
    )
    if request.user.is_staff:
        return redirect("admin:agreements_version_change", version.pk)
    return _back(decision)


def _act(
    request: HttpRequest,
    pk: int,
    name: str,
    form: forms.Form,
    verb: Callable[[Review, dict[str, Any]], object],
    said: str,
    anchor: str = "",
) -> HttpResponse:
    """Take a form to its verb; one that was refused stands on the page where it was, with what was typed."""
    found = _find(request, pk)
    if not verbs.may_run(request.user, found.agreement):
        raise PermissionDenied
    if form.is_valid():
        try:
            verb(found, form.cleaned_data)
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, said)
            return redirect(f"{reverse('review', args=[pk])}{anchor and f'#{anchor}'}")
    return _page(request, pk, refused=(name, form))


def _page(request: HttpRequest, pk: int, *, refused: tuple[str, forms.Form] | None = None) -> HttpResponse:
    now, found = timezone.now(), _find(request, pk)
    may_run = verbs.may_run(request.user, found.agreement)
    has_come = verbs.has_come(found, now=now)
    offered: dict[str, forms.Form] = {}
    if may_run and found.is_planned:
        offered |= {"move": TimeForm.of(found), "cancel": CancelForm(initial={"seen": found.sequence})}
    if may_run and found.is_open and has_come:
        offered |= {"minutes": MinutesForm(review=found), "decision": DecisionForm(review=found)}
    problems: list[str] = []
    if refused:
        name, form = refused
        if name in offered:
            offered[name] = form
            if isinstance(form, MinutesForm):
                form.begin_from(found)
        else:
            # It cannot be done any more, or has no form of its own.
            problems = [str(error) for errors in form.errors.values() for error in errors]
    shown = None
    if not _is_off(found):
        try:
            shown = review_sheet.build(found, user=request.user, now=now)
        except terms.Unreadable as problem:
            problems.append(str(problem))  # whoever spoiled the terms takes no page away
    decisions = found.decisions.select_related("owner", "decided_by", "done_by", "draft").order_by("decided_at", "pk")
    runs = {"may_mark": may_run, "may_draft": verbs.may_draft(request.user)}
    context = {
        "review": found,
        "agreement": found.agreement,
        "sheet": shown,
        "participants": [one for one in found.participants.all() if one.left_at is None],
        "decisions": list(decisions),
        "forms": offered,
        "refused": refused[0] if refused else "",
        "problems": problems,
        "has_come": has_come,
        "is_overdue": found.is_planned and found.due_at <= now,
        "may_close": may_run and found.state == Review.State.HELD,
        "today": timezone.localdate(),
        **runs,
    }
    return render(request, "reports/review.html", context, status=422 if refused else 200)


def _is_off(review: Review) -> bool:
    return review.state == Review.State.CANCELLED


def _find(request: HttpRequest, pk: int) -> Review:
    asked = Prefetch("participants", Participant.objects.select_related("person"))
    related = (
        "agreement__marketing_team",
        "agreement__sales_team",
        "created_by",
        "changed_by",
        "written_by",
        "closed_by",
    )
    rows = Review.objects.visible_to(request.user).select_related(*related).prefetch_related(asked)
    return get_object_or_404(rows, pk=pk)


def _find_decision(request: HttpRequest, pk: int) -> Decision:
    seen = Review.objects.visible_to(request.user)
    return get_object_or_404(Decision.objects.filter(review__in=seen).select_related("review__agreement"), pk=pk)


def _back(decision: Decision) -> HttpResponse:
    return redirect(f"{decision.review.get_absolute_url()}#decision-{decision.pk}")


def _runs(request: HttpRequest) -> list[Agreement]:
    """The agreements whose reviews the person runs."""
    return verbs.run_by(request.user, Agreement.objects.visible_to(request.user))
