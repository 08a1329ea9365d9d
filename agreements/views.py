"""Pages of agreements: the list, one agreement with its versions, and the one page that is read and signed."""

from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta
from functools import wraps
from io import BytesIO

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import authenticate
from django.db.models import Prefetch, Q
from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from agreements import chain, differences, documents, marks, signers, signoff, terms, wording
from agreements.calendars import closures_by_calendar
from agreements.models import YEARS, Agreement, Status, Version, local_midnight
from agreements.standing import Standing, in_force_between, next_review, standings
from slaportal.models import User
from slaportal.refusal import Refused

# What is not in force yet is read beside what is.
BESIDE_IN_FORCE = ("draft", "proposed", "planned")


class SignForm(forms.Form):
    """What a signature takes besides the login. The verb decides whether it is good."""

    name = forms.CharField(max_length=120, label=_("Name"), widget=forms.TextInput({"autocomplete": "name"}))
    title = forms.CharField(
        max_length=120, label=_("Title"), widget=forms.TextInput({"autocomplete": "organization-title"})
    )
    password = forms.CharField(
        strip=False,
        label=_("Your password, once more"),
        widget=forms.PasswordInput({"autocomplete": "current-password"}),
    )
    # The page writes the current ones, never what was refused; `shown` is there to say what differs if it does.
    terms_hash = forms.CharField(required=False)
    statement = forms.CharField(required=False)
    shown = forms.CharField(required=False, strip=False)


class DeclineForm(forms.Form):
    """Why a side does not sign."""

    reason = forms.CharField(
        label=_("Why not"),
        help_text=_("Both sides and RevOps read it."),
        widget=forms.Textarea({"rows": 3}),
    )


def agreement_list(request: HttpRequest) -> HttpResponse:
    """All agreements: what is in force, and what waits for the reader's signature."""
    now = timezone.now()
    visible = Version.objects.visible_to(request.user).select_related("proposed_by").prefetch_related("signatures")
    agreements = (
        Agreement.objects.visible_to(request.user)
        .with_in_force(now)
        .select_related("marketing_team", "sales_team")
        .prefetch_related(Prefetch("versions", visible))
    )
    held = request.user.role_names()
    rows = []
    for agreement in agreements:
        versions = standings(agreement.versions.all(), in_force_id=agreement.in_force_id, now=now)
        party = signers.side_of(request.user, held, agreement)
        rows.append(
            {
                "agreement": agreement,
                "in_force": next((one for one in versions if one.word == "in force"), None),
                "others": [one for one in versions if one.word in ("draft", "proposed", "planned")],
                "waiting": [one.version for one in versions if signers.waits_for(party, one.version)],
            }
        )
    waiting = [version for row in rows for version in row["waiting"]]
    return render(request, "agreements/agreement_list.html", {"rows": rows, "waiting": waiting})


View = Callable[..., HttpResponse]


def tells_unreadable(view: View) -> View:
    """Frozen terms that somebody spoiled are no error of the program: the page raises the alarm and names the row."""

    @wraps(view)
    def told(request: HttpRequest, pk: int, **numbers: int) -> HttpResponse:
        try:
            return view(request, pk, **numbers)
        except terms.Unreadable as problem:
            agreement = get_object_or_404(Agreement.objects.visible_to(request.user), pk=pk)
            context = {"agreement": agreement, "problem": problem, "misfits": chain.verify(agreement)}
            return render(request, "agreements/unreadable.html", context, status=409)

    return told


class DayForm(forms.Form):
    """Which day is asked about."""

    on = forms.DateField(
        label=_("What bound the teams on"),
        widget=forms.DateInput({"type": "date"}),
        error_messages={"invalid": _("Write a day such as 2025-03-01.")},
    )

    def clean_on(self) -> date:
        day = self.cleaned_data["on"]
        if day.year not in YEARS:
            words = gettext("Choose a day of the years %(first)s to %(last)s.")
            raise forms.ValidationError(words % {"first": YEARS[0], "last": YEARS[-1]})
        return day


@tells_unreadable
def agreement(request: HttpRequest, pk: int) -> HttpResponse:
    """One agreement: its versions by date, everything that happened to it, and what bound the teams on a day."""
    now = timezone.now()
    visible = Agreement.objects.visible_to(request.user).with_in_force(now)
    agreement = get_object_or_404(visible.select_related("marketing_team", "sales_team"), pk=pk)
    versions = list(agreement.versions.visible_to(request.user).prefetch_related("signatures"))
    form = DayForm(request.GET if "on" in request.GET else None)
    day = form.cleaned_data["on"] if form.is_valid() else None
    found = standings(versions, in_force_id=agreement.in_force_id, now=now)
    in_force = next((one.version for one in found if one.word == "in force"), None)
    misfits = chain.verify(agreement, deep=False)
    # What happened to a draft stays with those who may see drafts.
    events = agreement.events.filter(Q(version=None) | Q(version__in=versions)).select_related("version", "actor")
    party = signers.signing_party(request.user, agreement)
    return render(
        request,
        "agreements/agreement.html",
        {
            "agreement": agreement,
            "scope": agreement.scope.all(),
            "standings": found,
            "waiting": [version for version in versions if signers.waits_for(party, version)],
            "events": events.order_by("-number"),
            "misfits": misfits,
            "next_review": in_force and not misfits and next_review(in_force, now=now),
            "notes": import_string(settings.AGREEMENT_NOTES)(agreement, user=request.user, now=now),
            "day_form": form,
            "day": day,
            "bound": _bound(found, day, agreement) if day else (),
        },
        status=400 if form.is_bound and not day else 200,
    )


def _bound(found: Iterable[Standing], day: date, agreement: Agreement) -> list[dict[str, object]]:
    """What was in force during a local day, in the order of its hours, with when somebody was there."""
    start, end = (local_midnight(day + timedelta(days=n), agreement.zone) for n in (0, 1))
    closures, bound = closures_by_calendar(), []
    for one in reversed(in_force_between(found, start, end)):
        agreed = terms.of(one.version)
        times = agreed.business_times(closures)
        bound.append(
            {
                "standing": one,
                "begins_that_day": one.since > start,
                "ends_that_day": one.until is not None and one.until < end,
                "terms": agreed,
                "marked": marks.marked(None, wording.document(agreed)),
                "hours": [(name, times[name].windows(start, end)) for name in sorted(agreed.calendars)],
            }
        )
    return bound


@tells_unreadable
def compare(request: HttpRequest, pk: int) -> HttpResponse:
    """Any two versions side by side: the later one with its changes marked, and every change before and after."""
    agreement = get_object_or_404(Agreement.objects.visible_to(request.user), pk=pk)
    versions = {str(version.number): version for version in agreement.versions.visible_to(request.user)}
    numbers = list(versions)  # newest first
    after = request.GET.get("after") or next(iter(numbers), "")
    others = [number for number in numbers if number != after]
    earlier = numbers[numbers.index(after) + 1 :] if after in versions else []
    in_force = [str(version.number) for version in agreement.versions.in_force(timezone.now()).defer("terms")]
    # Usually against what is in force, else against the one before, else against any.
    usual = next((number for number in (*in_force, *earlier, *others) if number in others), "")
    before = request.GET.get("before") or usual
    sides = [("before", _("Before"), before), ("after", _("After"), after)]
    context = {"agreement": agreement, "versions": versions.values(), "sides": sides}
    unknown = [number for number in (before, after) if number not in versions]
    if unknown:
        context["refused"] = (
            gettext("There is no version %(number)s of this agreement that you may see.") % {"number": unknown[0]}
            if unknown[0]
            else gettext("There are no two versions to compare yet.")
        )
        return render(request, "agreements/compare.html", context, status=404 if unknown[0] else 200)
    now = timezone.now()
    old, new = (terms.of(versions[number], now=now) for number in (before, after))
    context |= {
        "version": versions[after],
        "before_version": versions[before],
        "terms": new,
        "marked": marks.marked(wording.document(old), wording.document(new)),
        "changes": differences.changes(old, new),
    }
    return render(request, "agreements/compare.html", context)


@tells_unreadable
def version(request: HttpRequest, pk: int, number: int) -> HttpResponse:
    """A version on one page, in plain words, with its signatures."""
    return _version_page(request, _visible_version(request.user, pk, number))


@require_POST
@tells_unreadable
def sign(request: HttpRequest, pk: int, number: int) -> HttpResponse:
    """Sign for the reader's own side what the page showed."""
    version = _visible_version(request.user, pk, number)
    form = SignForm(request.POST)
    if not form.is_valid():
        return _version_page(request, version, sign_form=form, status=422)
    # Counted like a login, so that nobody can try passwords on a session left open.
    if authenticate(request, username=request.user.email, password=form.cleaned_data["password"]) is None:
        form.add_error(
            None, _("That is not your password, or too many tries have failed; then wait a quarter of an hour.")
        )
        return _version_page(request, version, sign_form=form, status=422)
    shown = form.cleaned_data.pop("shown")
    try:
        signature = signoff.sign(version, signer=request.user, now=timezone.now(), **form.cleaned_data)
    except signoff.TermsChanged as refusal:
        form.add_error(None, str(refusal))
        version.refresh_from_db()
        difference = _difference(shown, form.cleaned_data["terms_hash"], version)
        return _version_page(request, version, sign_form=form, status=409, difference=difference)
    except Refused as refusal:
        form.add_error(None, str(refusal))
        version.refresh_from_db()
        return _version_page(request, version, sign_form=form, status=422)
    version.refresh_from_db()
    told = (
        gettext("You have signed for %(side)s. Both sides have signed.")
        if version.status == Status.AGREED
        else gettext("You have signed for %(side)s. The other side has not signed yet.")
    )
    messages.success(request, told % {"side": signature.get_party_display().lower()})
    return redirect(version)


@require_POST
@tells_unreadable
def decline(request: HttpRequest, pk: int, number: int) -> HttpResponse:
    """Decline for the reader's own side, with the reason."""
    version = _visible_version(request.user, pk, number)
    form = DeclineForm(request.POST)
    if not form.is_valid():
        return _version_page(request, version, decline_form=form, status=422)
    try:
        signoff.decline(version, by=request.user, now=timezone.now(), **form.cleaned_data)
    except Refused as refusal:
        form.add_error(None, str(refusal))
        version.refresh_from_db()
        return _version_page(request, version, decline_form=form, status=422)
    told = gettext("You have declined version %(number)s. RevOps has a new draft with your reason on it.")
    messages.success(request, told % {"number": version.number})
    return redirect(version)


def _version_page(
    request: HttpRequest,
    version: Version,
    *,
    sign_form: SignForm | None = None,
    decline_form: DeclineForm | None = None,
    difference: Mapping[str, object] | None = None,
    status: int = 200,
) -> HttpResponse:
    """The page of a version, with the forms as they were refused, if they were."""
    now = timezone.now()
    siblings = version.agreement.versions.visible_to(request.user)
    in_force = version.agreement.versions.in_force(now).first()
    standing = next(
        one
        for one in standings(siblings, in_force_id=in_force and in_force.pk, now=now)
        if one.version.pk == version.pk
    )
    party = signers.signing_party(request.user, version.agreement)
    agreed = terms.of(version, now=now)
    signatures = {signature.party: signature for signature in version.signatures.select_related("signer")}
    context = {
        "version": version,
        "agreement": version.agreement,
        "standing": standing,
        "terms": agreed,
        **_compared(agreed, in_force if standing.word in BESIDE_IN_FORCE else None),
        "sides": [(side, signatures.get(side)) for side in signers.SIGNING_PARTIES],
        "ending": version.events.filter(what__in=["declined", "withdrawn"]).select_related("actor").first(),
        "refused": form.non_field_errors() if (form := sign_form or decline_form) else (),
        "difference": difference,
        "misfits": chain.verify(version.agreement),
    }
    if signers.waits_for(party, version):
        start = {"name": request.user.name, "title": request.user.title}
        context |= {
            "party": party,
            "meaning": signoff.meaning(version, party),
            "sign_form": sign_form or SignForm(initial=start),
            "decline_form": decline_form or DeclineForm(),
        }
    return render(request, "agreements/version.html", context, status=status)


def _compared(agreed: terms.Terms, before: Version | None) -> dict[str, object]:
    """The document with its changes marked, and the changes, since the version before; none are without one."""
    document = wording.document(agreed)
    if before is None:
        return {"marked": marks.marked(None, document)}
    earlier = terms.of(before)
    return {
        "marked": marks.marked(wording.document(earlier), document),
        "changes": differences.changes(earlier, agreed),
        "before_version": before,
    }


def _difference(shown: str, shown_hash: str, version: Version) -> dict[str, object]:
    """Between the terms that somebody was shown and those that are frozen, as far as one can tell."""
    if terms.digest(shown) != shown_hash:
        # Not what our page sends; perhaps another version's page was left open.
        same = version.agreement.versions.filter(terms_hash=shown_hash).first()
        shown = same.terms if same else ""
    found = {"shown_hash": shown_hash, "frozen_hash": terms.digest(version.terms)}
    try:
        changes = differences.changes(terms.read(shown), terms.of(version))
    except (Refused, *terms.UNREADABLE):
        return found  # there is nothing to compare, or it cannot be read
    return {**found, "changes": changes}


def _visible_version(user: User, pk: int, number: int) -> Version:
    """The numbered version of an agreement, if the reader may see it; else 404."""
    visible = Version.objects.visible_to(user).select_related("agreement", "proposed_by", "created_by")
    return get_object_or_404(visible, agreement_id=pk, number=number)


@tells_unreadable
def document(request: HttpRequest, pk: int, number: int) -> HttpResponse:
    """The version as a document: to read, to print, to file."""
    version = _visible_version(request.user, pk, number)
    return render(request, documents.TEMPLATE, documents.context(version, now=timezone.now()))


@tells_unreadable
def pdf(request: HttpRequest, pk: int, number: int) -> HttpResponse:
    """The same document as a PDF; where none can be drawn, the page, which every browser prints."""
    version = _visible_version(request.user, pk, number)
    if not documents.can_draw_pdf():
        told = gettext("This machine cannot draw PDFs. Print this page, or save it as a PDF when printing.")
        messages.warning(request, told)
        return redirect("document", pk, number)
    content = BytesIO(documents.pdf(version, now=timezone.now()))
    return FileResponse(content, as_attachment=True, filename=documents.file_name(version))
