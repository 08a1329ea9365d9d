"""What people are told of questions, disputes and requests to exclude: that something is asked of them, and what came
of what they asked. Letters are worded when they are sent; None where nothing is asked any more.
"""

from collections.abc import Iterable
from datetime import datetime

from django.utils.translation import gettext as _

from agreements import signers
from leads.models import Dispute, ExclusionRequest
from slaportal import outbox, roles
from slaportal.letters import Letter
from slaportal.models import Notice, Party, User
from slaportal.outbox import one_by_one

HERE = "leads.decision_notices"
KIND = "decision"


def dispute_opened(dispute: Dispute, *, by: User | None, now: datetime) -> None:
    """Marketing's leaders are asked, or RevOps has to decide."""
    if dispute.party == Party.SALES:
        sides = signers.signers(dispute.handoff.agreement)
        people = [user for user, party in sides if party == Party.MARKETING]
    else:
        people = _revops()
    _tell(people, f"dispute:{dispute.pk}", "asked", dispute.pk, by=by, now=now)


def dispute_closed(dispute: Dispute, *, by: User | None, now: datetime) -> None:
    """Who asked is answered; of a decision the owner is told as well."""
    people = [dispute.opened_by]
    if dispute.party == Party.MARKETING:
        people.append(dispute.handoff.owner)
    _tell(people, f"dispute-closed:{dispute.pk}", "answered", dispute.pk, by=by, now=now)


def exclusion_asked(request: ExclusionRequest, *, by: User | None, now: datetime) -> None:
    """RevOps has to decide."""
    _tell(_revops(), f"exclusion:{request.pk}", "exclusion_waits", request.pk, by=by, now=now)


def exclusion_decided(request: ExclusionRequest, *, by: User | None, now: datetime) -> None:
    """Who asked is told."""
    _tell([request.asked_by], f"exclusion-decided:{request.pk}", "exclusion_is_decided", request.pk, by=by, now=now)


@one_by_one
def asked(notice: Notice) -> Letter | None:
    """A question of sales for marketing, or a dispute of marketing for RevOps, as long as it is open."""
    row = _dispute(notice)
    if row is None or row.answered_at is not None:
        return None
    if row.party == Party.SALES:
        subject, label = _("Sales asks: %(lead)s"), _("Answer")
    else:
        subject, label = _("Marketing disputes a decision: %(lead)s"), _("Decide")
    link = f"{row.handoff.get_absolute_url()}{'#answer_question' if row.party == Party.SALES else '#decide_dispute'}"
    who = _("%(who)s, %(agreement)s") % {"who": row.opened_by or _("Somebody"), "agreement": row.handoff.agreement}
    return Letter(subject % {"lead": row.handoff}, (f"“{row.comment}”", who), label, link)


@one_by_one
def answered(notice: Notice) -> Letter | None:
    """What marketing answered, or RevOps decided."""
    row = _dispute(notice)
    if row is None or row.answered_at is None:
        return None
    subject = _("Marketing answered: %(lead)s")
    if row.party == Party.MARKETING:
        subject = _("Dispute upheld: %(lead)s") if row.upheld else _("Dispute not upheld: %(lead)s")
    paragraphs = (
        f"“{row.answer}” {row.answered_by or ''}".strip(),
        _("Asked was: “%(asked)s”") % {"asked": row.comment},
    )
    return Letter(subject % {"lead": row.handoff}, paragraphs, _("Open the handoff"), row.handoff.get_absolute_url())


@one_by_one
def exclusion_waits(notice: Notice) -> Letter | None:
    """A request that RevOps has not decided."""
    row = _request(notice)
    if row is None or row.decided_at is not None:
        return None
    said = _("%(who)s asks not to count “%(promise)s” of %(lead)s: “%(reason)s”") % _words(row)
    link = f"{row.handoff.get_absolute_url()}#decide_exclusion"
    return Letter(_("To decide: exclude %(lead)s?") % _words(row), (said,), _("Decide"), link)


@one_by_one
def exclusion_is_decided(notice: Notice) -> Letter | None:
    """What became of a request."""
    row = _request(notice)
    if row is None or row.decided_at is None:
        return None
    subject = _("Excluded: %(lead)s") if row.granted else _("Not excluded: %(lead)s")
    said = _("“%(promise)s”, %(decided_by)s: “%(note)s”") % _words(row)
    return Letter(subject % _words(row), (said,), _("Open the handoff"), row.handoff.get_absolute_url())


def _tell(people: Iterable[User | None], key: str, letter: str, about: int, *, by: User | None, now: datetime) -> None:
    """Nobody is told what they did themselves."""
    others = [person for person in people if person and person.is_active and person != by]
    posts = outbox.to_people(others, key=key, kind=KIND, letter=f"{HERE}.{letter}", about=about)
    if posts:
        outbox.post(posts, now=now)


def _revops() -> list[User]:
    return list(User.objects.filter(groups__name=roles.REVOPS, is_active=True).distinct())


def _dispute(notice: Notice) -> Dispute | None:
    rows = Dispute.objects.select_related("handoff__lead", "handoff__agreement", "opened_by", "answered_by")
    return rows.filter(pk=notice.about).first()


def _request(notice: Notice) -> ExclusionRequest | None:
    rows = ExclusionRequest.objects.select_related("handoff__lead", "commitment", "asked_by", "decided_by")
    return rows.filter(pk=notice.about).first()


def _words(row: ExclusionRequest) -> dict[str, object]:
    return {
        "who": row.asked_by,
        "promise": row.commitment,
        "lead": row.handoff,
        "reason": row.reason,
        "decided_by": row.decided_by,
        "note": row.note,
    }
