"""The life of a version: draft → proposed → agreed, declined or withdrawn. One verb for each step.

Content freezes at the proposal. Each side signs once, nobody signs twice, and the signature that completes the pair
agrees the version in the same transaction.
"""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Max, Q
from django.forms.models import model_to_dict
from django.utils.translation import gettext as _

from agreements import chain, lint, notices, terms
from agreements.models import (
    Agreement,
    Commitment,
    Criterion,
    Signature,
    Status,
    Step,
    Version,
    local_midnight,
)
from agreements.signers import SIGNING_PARTIES, signing_party
from slaportal.models import Party, User
from slaportal.refusal import Refused

# A handoff keeps in one number which commitments cover it, a bit for each.
MOST_COMMITMENTS = 60


class SignoffError(Refused):
    """A step that cannot be taken; the message says why and what to do."""


class TermsChanged(SignoffError):
    """What was shown to the signer is not what is frozen."""


class Incomplete(SignoffError):
    """The terms lack what every agreement needs."""


def meaning(version: Version, party: Party) -> str:
    """What a signature says, in the words that are kept with it."""
    agreed = terms.of(version)
    if agreed.effective_from is None:
        when = "from the second signature"
    else:
        when = f"from {_day(agreed.effective_from, ZoneInfo(agreed.time_zone))}"
        if version.agreement.versions.agreed().exclude(pk=version.pk).exists():
            when += ", or from the second signature if that is later"
    return f"I have read version {agreed.version} of “{agreed.agreement}” and commit {party.value} to it {when}."


@transaction.atomic
def new_draft(agreement: Agreement, *, by: User | None, now: datetime, **fields: object) -> Version:
    """A first or blank draft of an agreement, with the next free number."""
    agreement = _lock(agreement.pk)
    number = (agreement.versions.aggregate(last=Max("number"))["last"] or 0) + 1
    version = Version.objects.create(agreement=agreement, number=number, created_by=by, created_at=now, **fields)
    chain.record(version, "drafted", by=by, now=now)
    return version


@transaction.atomic
def new_draft_from(version: Version, *, by: User | None, now: datetime) -> Version:
    """A draft with the same content as any version of the agreement, in whatever state; its dates are left open."""
    kept = model_to_dict(version, exclude=["id", "agreement", "based_on", "wanted_from", "ends_on", "calendar"])
    content = {name: value for name, value in kept.items() if Version._meta.get_field(name).editable}
    draft = new_draft(version.agreement, by=by, now=now, calendar=version.calendar, based_on=version, **content)
    _copy_criteria(version.criteria.all(), version=draft)
    for commitment in version.commitments.select_related("calendar").prefetch_related("scope", "steps"):
        scope, steps = list(commitment.scope.all()), list(commitment.steps.all())
        fields = model_to_dict(commitment, exclude=["id", "version", "calendar"])
        copy = Commitment.objects.create(version=draft, calendar=commitment.calendar, **fields)
        _copy_criteria(scope, commitment=copy)
        for step in steps:
            step.pk, step._state.adding, step.commitment = None, True, copy
        Step.objects.bulk_create(steps)
    return draft


@transaction.atomic
def propose(version: Version, *, by: User, now: datetime) -> Version:
    """Freeze a draft's content and ask both sides for their signature."""
    _refuse_outsider(by)
    version = _locked(version)
    if version.status != Status.DRAFT:
        raise SignoffError(_("%(version)s; only a draft can be proposed."), version=_is(version))
    if version.commitments.count() > MOST_COMMITMENTS:
        raise SignoffError(
            _("Nobody keeps more than %(most)s promises. Start with the few that matter."), most=MOST_COMMITMENTS
        )
    version.terms, version.terms_hash = terms.freeze(version, now=now)
    if lacking := lint.incomplete(terms.of(version)):
        said = " ".join(one.says for one in lacking)
        raise Incomplete(_("These terms are incomplete. %(remarks)s"), remarks=said)
    _span(version, now=now + timedelta.resolution)  # the signatures come later
    version.status, version.proposed_by, version.proposed_at = Status.PROPOSED, by, now
    version.save(update_fields=["terms", "terms_hash", "status", "proposed_by", "proposed_at"])
    chain.record(version, "proposed", by=by, now=now, detail=f"terms {version.terms_hash}")
    notices.ask_to_sign(version, now=now)
    return version


def sign(
    version: Version,
    *,
    signer: User,
    password: str,
    terms_hash: str,
    name: str,
    title: str = "",
    statement: str | None = None,
    now: datetime,
) -> Signature:
    """Sign for the signer's own side exactly the terms whose hash was shown; a second click changes nothing.

    The password is asked again, because a signature must not come from a session left open. A `statement` is the
    meaning that was shown, and has to be the one that is kept. When the other side has signed, the version is agreed in
    the same transaction (rule A2 then decides from when it is in force).
    """
    if not signer.check_password(password):
        raise SignoffError(_("That is not your password. Nothing was signed."))
    if not any(character.isalnum() for character in name):
        raise SignoffError(_("Type your name as it shall stand under the agreement."))
    with transaction.atomic():
        version = _locked(version)
        party = signing_party(User.objects.get(pk=signer.pk), version.agreement)
        if party is None:
            raise SignoffError(
                _("Only the leaders of this agreement’s marketing and sales teams sign, each for the own side.")
            )
        done = version.signatures.filter(party=party, signer=signer).first()
        if done and version.status in (Status.PROPOSED, Status.AGREED):
            return done
        if version.status != Status.PROPOSED:
            raise SignoffError(_("%(version)s; only a proposed one can be signed."), version=_is(version))
        if version.signatures.filter(Q(party=party) | Q(signer=signer)).exists():
            raise SignoffError(_("Somebody has signed for your side already, or you for the other one."))
        if terms_hash != version.terms_hash:
            raise TermsChanged(_("These are not the terms that you were shown. Read them again, then sign."))
        # Who was shown what stands here now must not sign what nobody proposed and the other side did not sign.
        if misfits := chain.verify_version(version):
            raise TermsChanged(
                _(
                    "This version has been changed behind everybody’s back (%(misfits)s), so nobody can sign it. "
                    "Tell RevOps: `manage.py verify_agreements` names every row."
                ),
                misfits=misfits[0],
            )
        kept = meaning(version, party)
        if statement not in (None, kept):
            raise TermsChanged(
                _("What your signature means has changed since you were shown it. Read it again, then sign.")
            )
        signature = Signature.objects.create(
            version=version,
            party=party,
            signer=signer,
            name=name.strip(),
            title=title.strip(),
            meaning=kept,
            terms_hash=terms_hash,
            signed_at=now,
        )
        chain.record(version, "signed", by=signer, now=now, detail=f"for {party.value}")
        if version.signatures.count() == len(SIGNING_PARTIES):
            _agree(version, now=now)
        return signature


@transaction.atomic
def decline(version: Version, *, by: User, reason: str, now: datetime) -> Version:
    """End a proposal for one side, with the reason; an earlier signature stays visible, without effect.

    RevOps finds a new draft with the same content, which shows the reason.
    """
    version = _locked(version)
    party = signing_party(by, version.agreement)
    if party is None:
        raise SignoffError(_("Only the leaders of this agreement’s marketing and sales teams can decline."))
    if version.status != Status.PROPOSED:
        raise SignoffError(_("%(version)s; only a proposed one can be declined."), version=_is(version))
    version = _end(version, Status.DECLINED, by=by, reason=reason, now=now, detail=f"for {party.value}: ")
    new_draft_from(version, by=None, now=now)
    notices.tell_declined(version, now=now)
    return version


@transaction.atomic
def withdraw(version: Version, *, by: User, reason: str, now: datetime) -> Version:
    """RevOps takes back a draft or a proposal that nobody needs any more."""
    _refuse_outsider(by)
    version = _locked(version)
    if version.status not in (Status.DRAFT, Status.PROPOSED):
        raise SignoffError(_("%(version)s; only a draft or a proposed one can be withdrawn."), version=_is(version))
    return _end(version, Status.WITHDRAWN, by=by, reason=reason, now=now)


def _end(version: Version, status: Status, *, by: User, reason: str, now: datetime, detail: str = "") -> Version:
    if not reason.strip():
        raise SignoffError(_("Say why, so that the next version can do better."))
    version.status = status
    version.save(update_fields=["status"])
    chain.record(version, status.value, by=by, now=now, detail=detail + reason.strip())
    return version


def _agree(version: Version, *, now: datetime) -> None:
    """Both have signed: fix from when the version is in force."""
    start, end = _span(version, now=now)
    version.status, version.agreed_at = Status.AGREED, now
    version.effective_from, version.ends_at = start, end
    version.save(update_fields=["status", "agreed_at", "effective_from", "ends_at"])
    chain.record(version, "agreed", by=None, now=now, detail=f"in force from {_day(start, version.agreement.zone)}")
    notices.tell_agreed(version, now=now)


def _span(version: Version, *, now: datetime) -> tuple[datetime, datetime | None]:
    """From when and until when its frozen terms are in force if both have signed at `now`; refuses what A2 forbids."""
    agreed = terms.of(version)
    zone = ZoneInfo(agreed.time_zone)
    start = agreed.effective_from or now
    end = local_midnight(agreed.ends_on + timedelta(days=1), zone) if agreed.ends_on else None
    last = version.agreement.versions.agreed().last()
    if last is not None:
        if start <= last.effective_from:
            raise SignoffError(
                _(
                    "Version %(last)s takes effect on %(day)s; a later version must begin after it. Choose a "
                    "later first day."
                ),
                last=last.number,
                day=_day(last.effective_from, zone),
            )
        start = max(start, now)
    if end and end <= start:
        raise SignoffError(_("The agreement would end before it begins; choose a later last day."))
    return start, end


def _refuse_outsider(user: User) -> None:
    """Only who writes terms may put them before the two sides, or take them back."""
    if not user.has_perm("agreements.change_version"):
        raise SignoffError(_("Only RevOps proposes and withdraws versions."))


def _day(moment: datetime, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%-d %B %Y}"


def _is(version: Version) -> str:
    if version.is_draft:
        return _("Version %(number)s is a draft") % {"number": version.number}
    return _("Version %(number)s is %(status)s") % {
        "number": version.number,
        "status": version.get_status_display().lower(),
    }


def _lock(agreement_id: int) -> Agreement:
    """The agreement, locked until the transaction ends: no two of its versions take a step at the same time."""
    return Agreement.objects.select_for_update(no_key=True).get(pk=agreement_id)


def _locked(version: Version) -> Version:
    """The version as it stands in the database now, locked until the transaction ends."""
    _lock(version.agreement_id)
    return Version.objects.select_for_update(of=("self",)).select_related("agreement").get(pk=version.pk)


def _copy_criteria(criteria: list[Criterion], **parent: object) -> None:
    Criterion.objects.bulk_create(
        Criterion(field=row.field, operator=row.operator, value=row.value, **parent) for row in criteria
    )
