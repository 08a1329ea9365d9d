"""Questions of sales to marketing, and marketing's disputes of what sales decided, which RevOps decides (rule N10)."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from agreements import signers, terms
from agreements.calendars import closures_by_calendar
from leads import decision_notices, timekeeping, tracking
from leads.models import Disposition, Dispute, Handoff, Verdict
from slaportal.models import Party, User
from slaportal.refusal import Refused


def may_answer(user: User, handoff: Handoff) -> bool:
    """Whether the person speaks for marketing: answers what sales asks, and disputes what sales decided."""
    return signers.signing_party(user, handoff.agreement) == Party.MARKETING


def may_decide(user: User) -> bool:
    """Whether the person decides disputes: RevOps."""
    return user.has_perm("leads.change_dispute")


def disputable(handoff: Handoff) -> Disposition | None:
    """The decision that marketing may dispute: the latest, if sales gave the handoff back."""
    given = [decision for decision in handoff.dispositions.all() if decision.voided_at is None]
    latest = max(given, key=lambda decision: (decision.at, decision.pk), default=None)
    return latest if latest and latest.verdict != Verdict.ACCEPTED else None


@transaction.atomic
def ask(handoff: Handoff, *, comment: str, by: User | None, now: datetime) -> Dispute:
    """Sales asks marketing for data; marketing owes an answer (dispute_answer)."""
    if not comment.strip():
        raise Refused(_("Say what is missing or wrong."))
    tracking.locked([handoff])
    # Two clicks on one button ask once.
    asked = handoff.disputes.filter(party=Party.SALES, comment=comment.strip(), opened_by=by, answered_at=None)
    if same := asked.filter(opened_at__gt=now - tracking.DOUBLE_CLICK).first():
        return same
    return _open(handoff, Party.SALES, comment, by=by, now=now)


@transaction.atomic
def answer(dispute: Dispute, *, answer: str, by: User | None, now: datetime) -> Dispute:
    """Marketing answers what sales asked, once."""
    if dispute.party != Party.SALES:
        raise Refused(_("RevOps decides what marketing disputes."))
    return _close(dispute, answer, upheld=False, by=by, now=now)


@transaction.atomic
def dispute(handoff: Handoff, *, comment: str, by: User | None, now: datetime) -> Dispute:
    """Marketing disputes that sales gave a handoff back, within the agreed days of the decision; RevOps decides."""
    if not comment.strip():
        raise Refused(_("Say why the decision is wrong."))
    # What the page has loaded may have been taken back meanwhile.
    (fresh,) = tracking.locked([handoff]).values()
    decided = disputable(fresh)
    if decided is None:
        raise Refused(
            _("%(handoff)s was neither recycled nor rejected, so there is nothing to dispute."), handoff=handoff
        )
    agreed = terms.of(handoff.version)
    calendar = agreed.business_times(closures_by_calendar())[agreed.calendar]
    if calendar.elapsed(decided.at, now).total_seconds() > agreed.dispute_seconds:
        raise Refused(_("The agreed time to dispute this decision is over."))
    earlier = handoff.disputes.filter(party=Party.MARKETING)
    if earlier.filter(answered_at=None).exists():
        raise Refused(_("%(handoff)s is disputed already; RevOps has to decide."), handoff=handoff)
    if earlier.filter(opened_at__gte=decided.at).exists():
        raise Refused(_("RevOps has decided a dispute of this decision already."))
    return _open(handoff, Party.MARKETING, comment, by=by, now=now)


@transaction.atomic
def decide(dispute: Dispute, *, answer: str, upheld: bool, by: User | None, now: datetime) -> Dispute:
    """RevOps decides what marketing disputed; an upheld one counts as accepted (acceptance_rate)."""
    if dispute.party != Party.MARKETING:
        raise Refused(_("Marketing answers what sales asks."))
    return _close(dispute, answer, upheld=upheld, by=by, now=now)


def _open(handoff: Handoff, party: Party, comment: str, *, by: User | None, now: datetime) -> Dispute:
    row = Dispute.objects.create(handoff=handoff, party=party, comment=comment.strip(), opened_by=by, opened_at=now)
    timekeeping.evaluate_handoffs([handoff.pk], now=now)
    decision_notices.dispute_opened(row, by=by, now=now)
    return row


def _close(dispute: Dispute, answer: str, *, upheld: bool, by: User | None, now: datetime) -> Dispute:
    if not answer.strip():
        raise Refused(_("Say why, in a sentence."))
    tracking.locked([dispute.handoff])
    fresh = Dispute.objects.select_for_update().get(pk=dispute.pk)
    if fresh.answered_at is not None:
        raise Refused(_("%(person)s has answered this already."), person=fresh.answered_by or _("Somebody"))
    fresh.answer, fresh.upheld, fresh.answered_by, fresh.answered_at = answer.strip(), upheld, by, now
    fresh.save(update_fields=["answer", "upheld", "answered_by", "answered_at"])
    timekeeping.evaluate_handoffs([fresh.handoff_id], now=now)
    decision_notices.dispute_closed(fresh, by=by, now=now)
    return fresh
