"""Recovery plans: marketing is asked how it makes up for a promise that is behind, and answers once, for both sides."""

from collections.abc import Sequence
from datetime import date, datetime

from django.db import transaction
from django.utils.text import get_text_list

from agreements import signers
from agreements.models import Agreement, Commitment
from reports.models import RecoveryPlan
from slaportal import outbox, roles
from slaportal.models import Party, User
from slaportal.refusal import Refused

MOST_NAMED = 3
LONGEST = 4000


def ask(
    commitment: Commitment, agreement: Agreement, *, month: date, figures: str, key: str, now: datetime
) -> tuple[bool, str]:
    """Ask for a plan for the promise and month, and ask again while there is none (P5); inside the event's transaction.

    `key` is that of the event. Returns whether somebody was asked, and in words what was done.
    """
    plan, is_new = RecoveryPlan.objects.get_or_create(
        commitment=commitment, month=month, defaults={"figures": figures, "asked_at": now}
    )
    if plan.answered_at:
        return False, f"nothing: {plan.answered_by} has written a plan"
    people, why = _asked(agreement), ""
    if not people:
        people, why = _revops(), f", because nobody leads {agreement.marketing_team}"
    posts = outbox.to_people(people, key=key, kind="plan", letter="reports.pace_notices.plan", about=plan.pk)
    outbox.post(posts, now=now)
    return True, f"asked {_names(people, why)} {'' if is_new else 'again '}for a recovery plan{why}"


def may_answer(user: User, agreement: Agreement) -> bool:
    """Whether the person answers for the marketing side of this agreement."""
    may = user.has_perm("reports.answer_recoveryplan")
    return may and signers.signing_party(user, agreement) == Party.MARKETING


@transaction.atomic
def answer(plan: RecoveryPlan, *, cause: str, text: str, by: User, now: datetime) -> None:
    """Write the plan, once; the leaders of sales and RevOps are told."""
    agreement = plan.commitment.version.agreement
    if not may_answer(by, agreement):
        raise Refused(f"Only a leader of {agreement.marketing_team} can write this plan.")
    cause, text = cause.strip(), text.strip()
    for what, words in {"why it is behind": cause, "how you make up for it": text}.items():
        if not words:
            raise Refused(f"Say {what}.")
        if len(words) > LONGEST:
            raise Refused(f"Say {what} in at most {LONGEST:,} characters.")
    unanswered = RecoveryPlan.objects.filter(pk=plan.pk, answered_at=None)
    if not unanswered.update(cause=cause, plan=text, answered_at=now, answered_by=by):
        raise Refused("Somebody has written this plan already.")
    people = [*_leaders(agreement, Party.SALES), *_revops()]
    letter = "reports.pace_notices.answered"
    outbox.post(outbox.to_people(people, key=f"plan:{plan.pk}", kind="plan", letter=letter, about=plan.pk), now=now)


def _asked(agreement: Agreement) -> list[User]:
    """Whom a request goes to: the leaders of the marketing team, and its manager."""
    people, manager = _leaders(agreement, Party.MARKETING), agreement.marketing_team.manager
    return [*people, manager] if manager and manager.is_active and manager not in people else people


def _leaders(agreement: Agreement, party: Party) -> list[User]:
    return [user for user, side in signers.signers(agreement) if side == party]


def _revops() -> list[User]:
    return list(User.objects.filter(groups__name=roles.REVOPS, is_active=True))


def _names(people: Sequence[User], why: str) -> str:
    if why:
        return "RevOps"
    return get_text_list([str(one) for one in people], "and") if len(people) <= MOST_NAMED else f"{len(people)} people"
