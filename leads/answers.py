"""Answers to misses: in one line why it happened, and what is done about it. Each side answers for its own promises."""

from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from agreements import signers
from leads.models import Answer, Clock, Handoff
from slaportal import roles
from slaportal.models import Party, User
from slaportal.refusal import Refused


def may_answer(user: User, handoff: Handoff, party: str = Party.SALES) -> bool:
    """Whether the person may say why a promise of this side was missed; RevOps may for both.

    For sales, and for what nobody signs: whoever owned the handoff, and the team's manager. For marketing: the manager
    and the leaders of its team.
    """
    if user.has_perm("leads.assign_handoff") and user.has_role(roles.REVOPS):
        return True
    agreement = handoff.agreement
    if party == Party.MARKETING:
        is_manager = agreement.marketing_team.manager_id == user.pk
        return is_manager or signers.signing_party(user, agreement) == Party.MARKETING
    if (handoff.team or agreement.sales_team).manager_id == user.pk:
        return True
    return user.has_perm("leads.work_handoff") and handoff.assignments.filter(owner=user).exists()


def answer(clock: Clock, *, cause: str, action: str, by: User, now: datetime) -> Answer:
    """Answer a miss, once. `Refused` where nothing was missed, or a line is empty."""
    handoff, commitment = clock.handoff, clock.commitment
    if not cause.strip():
        raise Refused(_("Say why it happened, in one line."))
    if not action.strip():
        raise Refused(_("Say what is done about it, in one line."))
    if not may_answer(by, handoff, commitment.catalogue.party):
        raise Refused(_who_can(handoff, commitment.catalogue.party))
    missed = Clock.objects.filter(handoff=handoff, commitment=commitment, subject=clock.subject)
    if not missed.filter(state=Clock.State.MISSED).exists():
        raise Refused(_("“%(commitment)s” is not missed here, so there is nothing to answer."), commitment=commitment)
    cause, action = (" ".join(line.split())[:200] for line in (cause, action))
    try:
        with transaction.atomic():
            return Answer.objects.create(
                handoff=handoff, commitment=commitment, subject=clock.subject, cause=cause, action=action, by=by, at=now
            )
    except IntegrityError:
        raise Refused(_("This miss has been answered already.")) from None


def _who_can(handoff: Handoff, party: str) -> str:
    if party == Party.MARKETING:
        team = handoff.agreement.marketing_team
        return _("Only the manager or a leader of %(team)s, or RevOps, can answer.") % {"team": team}
    return _("Only who owned %(handoff)s, the manager of the team or RevOps can answer.") % {"handoff": handoff}
