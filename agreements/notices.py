"""What people are told of a version: please sign it, it was declined, it is agreed.

A notice is written with its event. Its letter is worded when it is sent, from what then stands in the database; None
when it no longer holds.
"""

import logging
from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.text import get_text_list
from django.utils.translation import gettext

from agreements import chain, differences, documents, signers, terms
from agreements.models import Agreement, Status, Version
from slaportal import outbox, roles
from slaportal.letters import Attachment, Letter
from slaportal.models import Notice, User

log = logging.getLogger(__name__)

# More changes than these are read on the page.
MOST_CHANGES = 8


def ask_to_sign(version: Version, *, now: datetime) -> None:
    """Ask everybody who may sign a proposed version, on both sides."""
    _post("proposed", version, "please_sign", [user for user, _ in signers.signers(version.agreement)], now)


def tell_declined(version: Version, *, now: datetime) -> None:
    """Tell RevOps, and whoever had signed already, that a version was declined and why."""
    signed = [signature.signer for signature in version.signatures.select_related("signer")]
    _post("declined", version, "declined", [*_revops(), *signed], now)


def tell_agreed(version: Version, *, now: datetime) -> None:
    """Send the signed document to both signers, and to whoever proposed it."""
    signed = [signature.signer for signature in version.signatures.select_related("signer")]
    _post("agreed", version, "agreed", filter(None, [*signed, version.proposed_by]), now)


def raise_alarms(*, now: datetime) -> int:
    """Tell RevOps of every agreement that is not what was signed, once a day for each first row. Returns how many."""
    found = 0
    for agreement in Agreement.objects.order_by("pk"):
        if misfits := chain.verify(agreement):
            found += 1
            log.error("agreement %s is not what was signed: %s", agreement.pk, misfits[0])
            key = f"alarm:{agreement.pk}:{terms.digest(str(misfits[0]))[:12]}:{now:%Y-%m-%d}"
            letter = "agreements.notices.alarm"
            outbox.post(outbox.to_people(_revops(), key=key, kind="alarm", letter=letter, about=agreement.pk), now=now)
    return found


def _revops() -> QuerySet[User]:
    return User.objects.filter(groups__name=roles.REVOPS, is_active=True)


def _post(event: str, version: Version, letter: str, people: Iterable[User], now: datetime) -> None:
    key, name = f"{event}:{version.pk}", f"agreements.notices.{letter}"
    outbox.post(outbox.to_people(people, key=key, kind="agreement", letter=name, about=version.pk), now=now)


# --- Letters ------------------------------------------------------------------------------------------------------


@outbox.one_by_one
def please_sign(notice: Notice) -> Letter | None:
    """The request to read and sign, with what changes; only while this person's side has not signed."""
    version = _version(notice)
    party = signers.signing_party(notice.recipient, version.agreement)
    if party is None or version.status != Status.PROPOSED or version.signatures.filter(party=party).exists():
        return None
    proposed = terms.of(version)
    paragraphs = [
        gettext(
            "Version %(number)s of “%(agreement)s” waits for your signature for %(party)s. "
            "It takes five minutes to read and two clicks and your password to sign."
        )
        % {"number": version.number, "agreement": version.agreement, "party": party.label.lower()}
    ]
    if version.note:
        paragraphs.append(version.note)
    before = version.agreement.versions.in_force(version.proposed_at).first()
    if before:
        changes = differences.changes(terms.of(before), proposed)
        new, gone = gettext("new"), gettext("gone")
        shown = [f"• {one.where}: {one.before or new} → {one.after or gone}" for one in changes[:MOST_CHANGES]]
        more = len(changes) - MOST_CHANGES
        rest = ["• " + gettext("and %(count)s more") % {"count": more}] if more > 0 else []
        changed = gettext("What changes against version %(number)s, in force:") % {"number": before.number}
        paragraphs += [changed, *shown, *rest]
    return Letter(
        subject=gettext("Please sign: %(version)s") % {"version": version},
        paragraphs=tuple(paragraphs),
        link_label=gettext("Read and sign"),
        link=version.get_absolute_url(),
    )


@outbox.one_by_one
def declined(notice: Notice) -> Letter | None:
    """That a side declined, with the reason; to RevOps also where the next draft waits."""
    version = _version(notice)
    event = version.events.filter(what="declined").select_related("actor").last()
    if event is None:
        return None
    said = gettext("%(person)s declined %(detail)s") % {"person": event.actor, "detail": event.detail}
    paragraphs, label, link = [said], gettext("Open the version"), version.get_absolute_url()
    draft = Version.objects.filter(based_on=version, status=Status.DRAFT).order_by("number").last()
    if draft and notice.recipient.has_perm("agreements.change_version"):
        number = {"number": draft.number}
        waits = gettext("A new draft, version %(number)s, waits with the same terms and this reason.")
        paragraphs.append(waits % number)
        label = gettext("Open version %(number)s") % number
        link = reverse("admin:agreements_version_change", args=[draft.pk])
    elif version.signatures.filter(signer=notice.recipient).exists():
        paragraphs.append(gettext("Your signature stays visible, without effect. RevOps writes the next version."))
    return Letter(
        subject=gettext("Declined: %(version)s") % {"version": version},
        paragraphs=tuple(paragraphs),
        link_label=label,
        link=link,
    )


@outbox.one_by_one
def agreed(notice: Notice) -> Letter | None:
    """The signed document, with the chain's head, which proves later that nothing was taken away."""
    version = _version(notice)
    event = version.events.filter(what="agreed").last()
    if version.status != Status.AGREED or event is None:
        return None
    zone = ZoneInfo(terms.of(version).time_zone)
    signatures = version.signatures.order_by("signed_at", "pk")
    names = get_text_list([str(row) for row in signatures], gettext("and"))
    files: tuple[Attachment, ...] = ()
    if notice.channel == Notice.Channel.EMAIL and documents.can_draw_pdf():
        drawn = documents.pdf(version, now=notice.created_at)
        files = (Attachment(documents.file_name(version), drawn, "application/pdf"),)
    return Letter(
        subject=gettext("Signed by both sides: %(version)s") % {"version": version},
        paragraphs=(
            gettext("%(names)s have signed. Version %(number)s is in force from %(moment)s (%(zone)s).")
            % {
                "names": names,
                "number": version.number,
                "moment": date_format(version.effective_from.astimezone(zone), "DATETIME_FORMAT"),
                "zone": zone.key,
            },
            gettext("The signed document is attached.")
            if files
            else gettext("The document can be printed from its page."),
            gettext("SHA-256 of the terms: %(digest)s") % {"digest": version.terms_hash},
            gettext(
                "Head of the agreement’s history at event %(event)s: %(mac)s. Keep this letter: with it "
                "anybody can prove later that the history has not been changed."
            )
            % {"event": event.number, "mac": event.mac},
        ),
        link_label=gettext("Open the agreement"),
        link=version.get_absolute_url(),
        attachments=files,
    )


@outbox.one_by_one
def alarm(notice: Notice) -> Letter | None:
    """That an agreement is not what was signed, and the first row by which one can tell; while it is so."""
    agreement = Agreement.objects.get(pk=notice.about)
    misfits = chain.verify(agreement)
    if not misfits:
        return None
    return Letter(
        subject=gettext("Changed behind everybody’s back: %(agreement)s") % {"agreement": agreement},
        paragraphs=(
            gettext("“%(agreement)s” is not what was signed. The first row that does not fit: %(misfit)s.")
            % {"agreement": agreement, "misfit": misfits[0]},
            gettext(
                "Run manage.py verify_agreements --all, compare with the signed documents that both leaders "
                "received, and restore what was agreed from a backup."
            ),
        ),
        link_label=gettext("Open the agreement"),
        link=agreement.get_absolute_url(),
    )


def _version(notice: Notice) -> Version:
    return Version.objects.select_related("agreement").get(pk=notice.about)
