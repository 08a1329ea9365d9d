"""Requests not to count a handoff for a promise, and RevOps' decisions on them (rule N9)."""

from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils.translation import gettext as _

from agreements.models import Commitment
from leads import answers, decision_notices, timekeeping, tracking
from leads.models import Clock, ExclusionRequest, Handoff
from slaportal.models import User
from slaportal.refusal import Refused


def may_decide(user: User) -> bool:
    """Whether the person decides requests: RevOps."""
    return user.has_perm("leads.change_exclusionrequest")


@transaction.atomic
def ask(handoff: Handoff, *, commitment: Commitment, reason: str, by: User, now: datetime) -> ExclusionRequest:
    """Ask RevOps not to count what was missed, or still runs, of one promise of sales. Once, until it is declined."""
    reason = " ".join(reason.split())
    if not reason:
        raise Refused(_("Say why it shall not count."))
    if not answers.may_answer(by, handoff):
        raise Refused(_("Only who owned %(handoff)s, or the manager of the team, can ask."), handoff=handoff)
    tracking.locked([handoff])
    asked = ExclusionRequest.objects.filter(handoff=handoff, commitment=commitment).exclude(granted=False).first()
    if asked:
        raise Refused(_("%(person)s has asked for that already."), person=asked.asked_by)
    if not Clock.objects.deciding().excludable().filter(handoff=handoff, commitment=commitment).exists():
        raise Refused(_("“%(commitment)s” is no promise of sales that is missed or open here."), commitment=commitment)
    row = ExclusionRequest.objects.create(
        handoff=handoff, commitment=commitment, reason=reason[:300], asked_by=by, asked_at=now
    )
    decision_notices.exclusion_asked(row, by=by, now=now)
    return row


@transaction.atomic
def decide(request: ExclusionRequest, *, granted: bool, note: str, by: User, now: datetime) -> ExclusionRequest:
    """Grant a request, so that the handoff is excluded from the promise, or decline it; nobody decides the own one."""
    if not note.strip():
        raise Refused(_("Say why, in a sentence."))
    if request.asked_by_id == by.pk:
        raise Refused(_("Somebody else has to decide what you asked for."))
    tracking.locked([request.handoff])
    fresh = ExclusionRequest.objects.select_for_update().get(pk=request.pk)
    if fresh.decided_at is not None:
        raise Refused(_("%(person)s has decided this already."), person=fresh.decided_by)
    fresh.granted, fresh.note, fresh.decided_by, fresh.decided_at = granted, note.strip()[:300], by, now
    fresh.save(update_fields=["granted", "note", "decided_by", "decided_at"])
    if granted:
        timekeeping.evaluate_handoffs([fresh.handoff_id], now=now)
    decision_notices.exclusion_decided(fresh, by=by, now=now)
    return fresh


def granted(clocks: QuerySet[Clock]) -> dict[int, list[ExclusionRequest]]:
    """By commitment the requests that took these clocks out (rule N9), in the order in which they were granted."""
    told = clocks.filter(rule="granted", handoff=OuterRef("handoff"), commitment=OuterRef("commitment"))
    rows = ExclusionRequest.objects.granted().filter(Exists(told)).select_related("asked_by", "decided_by")
    found: dict[int, list[ExclusionRequest]] = {}
    for row in rows.order_by("decided_at", "pk"):
        found.setdefault(row.commitment_id, []).append(row)
    return found
