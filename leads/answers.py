"""Answers to misses: in one line why it happened, and what is done about it."""

from datetime import datetime

from django.db import IntegrityError, transaction

from agreements.models import Commitment
from leads.models import Answer, Clock, Handoff
from slaportal import roles
from slaportal.models import User
from slaportal.refusal import Refused


def may_answer(user: User, handoff: Handoff) -> bool:
    """Whether the person may say why something was missed: whoever owned it, the team's manager, and RevOps."""
    if user.has_perm("leads.assign_handoff"):
        return user.has_role(roles.REVOPS) or bool(handoff.team and handoff.team.manager_id == user.pk)
    return user.has_perm("leads.work_handoff") and handoff.assignments.filter(owner=user).exists()


def answer(handoff: Handoff, *, commitment: Commitment, cause: str, action: str, by: User, now: datetime) -> Answer:
    """Answer a miss, once. `Refused` where nothing was missed, or a line is empty."""
    said = {"why it happened": cause, "what is done about it": action}
    for what, line in said.items():
        if not line.strip():
            raise Refused(f"Say {what}, in one line.")
    if not may_answer(by, handoff):
        raise Refused(f"Only who owned {handoff}, the manager of the team or RevOps can answer.")
    missed = Clock.objects.deciding().filter(handoff=handoff, commitment=commitment, state=Clock.State.MISSED)
    if not missed.exists():
        raise Refused(f"“{commitment}” is not missed here, so there is nothing to answer.")
    cause, action = (" ".join(line.split())[:200] for line in (cause, action))
    try:
        with transaction.atomic():
            return Answer.objects.create(
                handoff=handoff, commitment=commitment, cause=cause, action=action, by=by, at=now
            )
    except IntegrityError:
        raise Refused("This miss has been answered already.") from None
