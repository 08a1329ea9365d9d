"""Pages of agreements: the list, one agreement with its versions, and the one page that is read and signed."""

from django import forms
from django.contrib import messages
from django.contrib.auth import authenticate
from django.db.models import Prefetch, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from agreements import signoff, terms, wording
from agreements.models import Agreement, Status, Version
from agreements.standing import standings
from slaportal.models import Party, User
from slaportal.refusal import Refused


class SignForm(forms.Form):
    """What a signature takes besides the login. The verb decides whether it is good."""

    name = forms.CharField(max_length=120, label="Name", widget=forms.TextInput({"autocomplete": "name"}))
    title = forms.CharField(
        max_length=120, required=False, widget=forms.TextInput({"autocomplete": "organization-title"})
    )
    password = forms.CharField(
        strip=False,
        label="Your password, once more",
        widget=forms.PasswordInput({"autocomplete": "current-password"}),
    )
    terms_hash = forms.CharField(required=False)  # the page writes the current one, never what was refused


class DeclineForm(forms.Form):
    """Why a side does not sign."""

    reason = forms.CharField(
        label="Why not",
        help_text="Both sides and RevOps read it.",
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
        party = signoff.side_of(request.user, held, agreement)
        rows.append(
            {
                "agreement": agreement,
                "in_force": next((one for one in versions if one.word == "in force"), None),
                "others": [one for one in versions if one.word in ("draft", "proposed", "planned")],
                "waiting": [one.version for one in versions if _waits_for(party, one.version)],
            }
        )
    waiting = [version for row in rows for version in row["waiting"]]
    return render(request, "agreements/agreement_list.html", {"rows": rows, "waiting": waiting})


def agreement(request: HttpRequest, pk: int) -> HttpResponse:
    """One agreement: its versions by date, and everything that happened to it."""
    now = timezone.now()
    visible = Agreement.objects.visible_to(request.user).with_in_force(now)
    agreement = get_object_or_404(visible.select_related("marketing_team", "sales_team"), pk=pk)
    versions = list(agreement.versions.visible_to(request.user).prefetch_related("signatures"))
    # What happened to a draft stays with those who may see drafts.
    events = agreement.events.filter(Q(version=None) | Q(version__in=versions)).select_related("version", "actor")
    party = signoff.signing_party(request.user, agreement)
    return render(
        request,
        "agreements/agreement.html",
        {
            "agreement": agreement,
            "scope": agreement.scope.all(),
            "standings": standings(versions, in_force_id=agreement.in_force_id, now=now),
            "waiting": [version for version in versions if _waits_for(party, version)],
            "events": events.order_by("-at", "-id"),
        },
    )


def version(request: HttpRequest, pk: int, number: int) -> HttpResponse:
    """A version on one page, in plain words, with its signatures."""
    return _version_page(request, _visible_version(request.user, pk, number))


@require_POST
def sign(request: HttpRequest, pk: int, number: int) -> HttpResponse:
    """Sign for the reader's own side what the page showed."""
    version = _visible_version(request.user, pk, number)
    form = SignForm(request.POST)
    if not form.is_valid():
        return _version_page(request, version, sign_form=form, status=422)
    # Counted like a login, so that nobody can try passwords on a session left open.
    if authenticate(request, username=request.user.email, password=form.cleaned_data["password"]) is None:
        form.add_error(
            None, "That is not your password, or too many tries have failed; then wait a quarter of an hour."
        )
        return _version_page(request, version, sign_form=form, status=422)
    try:
        signature = signoff.sign(version, signer=request.user, now=timezone.now(), **form.cleaned_data)
    except Refused as refusal:
        form.add_error(None, str(refusal))
        changed = isinstance(refusal, signoff.TermsChanged)
        version.refresh_from_db()
        return _version_page(request, version, sign_form=form, status=409 if changed else 422)
    version.refresh_from_db()
    both = "Both sides have signed." if version.status == Status.AGREED else "The other side has not signed yet."
    messages.success(request, f"You have signed for {signature.get_party_display().lower()}. {both}")
    return redirect(version)


@require_POST
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
    messages.success(request, f"You have declined version {version.number}.")
    return redirect(version)


def _version_page(
    request: HttpRequest,
    version: Version,
    *,
    sign_form: SignForm | None = None,
    decline_form: DeclineForm | None = None,
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
    party = signoff.signing_party(request.user, version.agreement)
    agreed = terms.of(version, now=now)
    signatures = {signature.party: signature for signature in version.signatures.select_related("signer")}
    context = {
        "version": version,
        "agreement": version.agreement,
        "standing": standing,
        "terms": agreed,
        "document": wording.document(agreed),
        "sides": [(side, signatures.get(side)) for side in signoff.SIGNING_PARTIES],
        "ending": version.events.filter(what__in=["declined", "withdrawn"]).select_related("actor").first(),
        "refused": form.non_field_errors() if (form := sign_form or decline_form) else (),
    }
    if _waits_for(party, version):
        start = {"name": request.user.name, "title": request.user.title}
        context |= {
            "party": party,
            "meaning": signoff.meaning(version, party),
            "sign_form": sign_form or SignForm(initial=start),
            "decline_form": decline_form or DeclineForm(),
        }
    return render(request, "agreements/version.html", context, status=status)


def _visible_version(user: User, pk: int, number: int) -> Version:
    """The numbered version of an agreement, if the reader may see it; else 404."""
    visible = Version.objects.visible_to(user).select_related("agreement", "proposed_by", "created_by")
    return get_object_or_404(visible, agreement_id=pk, number=number)


def _waits_for(party: Party | None, version: Version) -> bool:
    """Whether the version is proposed and this side has not signed it."""
    if party is None or version.status != Status.PROPOSED:
        return False
    return party not in {signature.party for signature in version.signatures.all()}
