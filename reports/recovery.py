"""Recovery plans: a side is asked how it makes up for a promise that is behind or missed, answers, and does it.

Here is what people do with a plan. What happens by itself, `reports.recovery_watch` does: it asks when a promise was
missed, looks at every month that ends, closes a plan when the number has come back, and reminds.
"""

from collections.abc import Sequence
from datetime import date, datetime

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.text import get_text_list
from django.utils.translation import gettext_lazy as _

from agreements import signers
from agreements.models import Agreement, Commitment, Version
from reports.models import RecoveryPlan
from reports.plans import CheckIn, PlanAction
from slaportal import outbox, roles
from slaportal.models import Party, User
from slaportal.refusal import Refused

MOST_NAMED = 3
LONGEST, LONGEST_NOTE, LONGEST_ACTION = 4000, 1000, 300


# --- Whose it is --------------------------------------------------------------------------------------------------


def party_of(commitment: Commitment) -> Party:
    """The side that owes the promise, and so the plan; what nobody signs (`operations`) is RevOps' to answer."""
    return commitment.catalogue.party


def team_name(commitment: Commitment, agreement: Agreement) -> str:
    """Who owes the promise, in words."""
    teams = {Party.MARKETING: agreement.marketing_team, Party.SALES: agreement.sales_team}
    return str(teams.get(party_of(commitment), roles.REVOPS))


def may_answer(user: User, plan: RecoveryPlan) -> bool:
    """Whether the person answers for the side that owes the plan."""
    if not user.has_perm("reports.answer_recoveryplan"):
        return False
    party = party_of(plan.commitment)
    if party not in signers.SIGNING_PARTIES:
        return roles.REVOPS in user.role_names()
    return signers.signing_party(user, plan.commitment.version.agreement) == party


def may_work(user: User, plan: RecoveryPlan) -> bool:
    """Whether the person writes actions and check-ins: its owner, and whoever answers for it."""
    return plan.closed_at is None and (plan.owner_id == user.pk or may_answer(user, plan))


def people(plan: RecoveryPlan) -> QuerySet[User]:
    """Who can own a plan or an action: who belongs to the team that owes it, its manager, leaders of its side."""
    agreement, party = plan.commitment.version.agreement, party_of(plan.commitment)
    if party not in signers.SIGNING_PARTIES:
        theirs = Q(groups__name=roles.REVOPS)
    else:
        team = agreement.marketing_team if party == Party.MARKETING else agreement.sales_team
        leads = Q(groups__name=signers.LEADERS[party]) & (Q(team=None) | Q(team=team))
        theirs = Q(team=team) | Q(pk=team.manager_id) | leads
    return User.objects.filter(theirs, is_active=True).distinct().order_by("name", "pk")


def is_moot(plan: RecoveryPlan, *, now: datetime) -> bool:
    """Whether no version in force makes the promise any more, so that its number can never come back."""
    agreement = plan.commitment.version.agreement
    in_force = Version.objects.agreed().in_force(now).filter(agreement=agreement).first()
    return in_force is None or not in_force.commitments.filter(code=plan.commitment.code).exists()


# --- Asking and answering -----------------------------------------------------------------------------------------


def ask(
    commitment: Commitment,
    agreement: Agreement,
    *,
    month: date,
    figures: str,
    key: str,
    now: datetime,
    trigger: str = RecoveryPlan.Trigger.PACE,
) -> tuple[bool, str]:
    """Ask for a plan for the promise and month, and ask again while there is none (P5); inside the event's transaction.

    `key` is that of the event. Returns whether somebody was asked, and in words what was done.
    """
    asked, revops_instead = _asked(commitment, agreement)
    plan, is_new = RecoveryPlan.objects.get_or_create(
        commitment=commitment,
        month=month,
        defaults={
            "figures": figures,
            "asked_at": now,
            "trigger": trigger,
            "owner": asked[0] if len(asked) == 1 and not revops_instead else None,
        },
    )
    if plan.closed_at:
        return False, str(_("nothing: the number has come back"))
    if plan.answered_at:
        return False, str(_("nothing: %(person)s has written a plan") % {"person": plan.answered_by})
    posts = outbox.to_people(asked, key=key, kind="plan", letter="reports.pace_notices.plan", about=plan.pk)
    outbox.post(posts, now=now)
    who = roles.REVOPS if revops_instead else _names(asked)
    if revops_instead:
        sentence = (
            _("asked %(who)s for a recovery plan, because nobody leads %(team)s")
            if is_new
            else _("asked %(who)s again for a recovery plan, because nobody leads %(team)s")
        )
    else:
        sentence = _("asked %(who)s for a recovery plan") if is_new else _("asked %(who)s again for a recovery plan")
    return True, str(sentence % {"who": who, "team": team_name(commitment, agreement)})


@transaction.atomic
def answer(plan: RecoveryPlan, *, cause: str, text: str, by: User, now: datetime) -> None:
    """Write the plan, once; the leaders of the other side and RevOps are told. Whoever writes it owns it at first."""
    agreement = plan.commitment.version.agreement
    if not may_answer(by, plan):
        raise Refused(_("Only a leader of %(team)s can write this plan."), team=team_name(plan.commitment, agreement))
    cause = _said(cause, LONGEST, _("Say why it is behind."), _("Say why it is behind in at most %(most)s characters."))
    text = _said(
        text, LONGEST, _("Say how you make up for it."), _("Say how you make up for it in at most %(most)s characters.")
    )
    unanswered = RecoveryPlan.objects.filter(pk=plan.pk).unwritten()
    if not unanswered.update(cause=cause, plan=text, answered_at=now, answered_by=by, owner=plan.owner or by):
        raise Refused(_("Somebody has written this plan already."))
    told = [*_leaders(agreement, _other(party_of(plan.commitment))), *_revops()]
    outbox.post(
        _posts(told, plan, key=f"plan:{plan.pk}", letter="reports.pace_notices.answered", leave_out=by), now=now
    )


# --- Doing it -----------------------------------------------------------------------------------------------------


@transaction.atomic
def hand_on(plan: RecoveryPlan, *, to: User, by: User, now: datetime) -> None:
    """Give the plan to somebody else of the side that owes it; they are told."""
    _refuse_stranger(plan, by)
    if not people(plan).filter(pk=to.pk).exists():
        team = team_name(plan.commitment, plan.commitment.version.agreement)
        raise Refused(_("%(person)s does not belong to %(team)s."), person=to, team=team)
    if not RecoveryPlan.objects.running().filter(pk=plan.pk).exclude(owner=to).update(owner=to):
        raise Refused(_("%(person)s owns this plan already."), person=to)
    key = f"plan-owner:{plan.pk}:{to.pk}:{now.isoformat()}"
    outbox.post(_posts([to], plan, key=key, letter="reports.plan_letters.handed_on", leave_out=by), now=now)


@transaction.atomic
def add_action(plan: RecoveryPlan, *, what: str, who: User, due_on: date, by: User, now: datetime) -> PlanAction:
    """Write down who does what until when."""
    _refuse_stranger(plan, by)
    what = _said(what, LONGEST_ACTION, _("Say what is done."), _("Say what is done in at most %(most)s characters."))
    if not people(plan).filter(pk=who.pk).exists():
        team = team_name(plan.commitment, plan.commitment.version.agreement)
        raise Refused(_("%(person)s does not belong to %(team)s."), person=who, team=team)
    if due_on < now.astimezone(plan.commitment.version.agreement.zone).date():
        raise Refused(_("Choose a day that is not over yet."))
    action = PlanAction.objects.create(plan=plan, what=what, who=who, due_on=due_on, added_at=now, added_by=by)
    posts = outbox.to_people([who] if who != by else [], key=f"action:{action.pk}", kind="plan",
                             letter="reports.plan_letters.action", about=action.pk)  # fmt: skip
    outbox.post(posts, now=now)
    return action


@transaction.atomic
def finish(action: PlanAction, *, by: User, now: datetime) -> None:
    """Tick an action off."""
    _refuse_stranger(action.plan, by, besides=action.who_id)
    if not PlanAction.objects.filter(pk=action.pk).standing().update(done_at=now, done_by=by):
        raise Refused(_("This action is done or dropped already."))


@transaction.atomic
def drop(action: PlanAction, *, by: User, now: datetime) -> None:
    """Take an action back; it stays readable."""
    _refuse_stranger(action.plan, by)
    if not PlanAction.objects.filter(pk=action.pk).standing().update(dropped_at=now, dropped_by=by):
        raise Refused(_("This action is done or dropped already."))


@transaction.atomic
def check_in(plan: RecoveryPlan, *, note: str, figures: str, by: User, now: datetime) -> CheckIn:
    """Note how it goes; `figures` are those of the moment, so that the note can be read beside them later."""
    _refuse_stranger(plan, by)
    note = _said(note, LONGEST_NOTE, _("Say how it goes."), _("Say how it goes in at most %(most)s characters."))
    return CheckIn.objects.create(plan=plan, at=now, by=by, figures=figures, note=note)


@transaction.atomic
def close_moot(plan: RecoveryPlan, *, reason: str, by: User, now: datetime) -> None:
    """RevOps closes a plan whose promise nobody makes any more; any other is closed by its number alone (P7)."""
    if not by.has_perm("reports.close_recoveryplan"):
        raise Refused(_("Only RevOps closes a plan, and only one whose promise is not made any more."))
    reason = _said(reason, 280, _("Say why it is moot."), _("Say why it is moot in at most %(most)s characters."))
    if not is_moot(plan, now=now):
        raise Refused(_("The promise is in force: the plan closes by itself when its number has come back."))
    if not RecoveryPlan.objects.running().filter(pk=plan.pk).update(closed_at=now, closed_by=by, closing=reason):
        raise Refused(_("This plan is closed already."))


def tell_sides(plan: RecoveryPlan, *, key: str, letter: str, now: datetime) -> None:
    """Tell the leaders of both sides, RevOps and the owner; inside the event's transaction."""
    agreement = plan.commitment.version.agreement
    told = [*(user for user, _side in signers.signers(agreement)), *_revops(), *([plan.owner] if plan.owner else [])]
    outbox.post(_posts(told, plan, key=key, letter=letter), now=now)


# --- Beneath ------------------------------------------------------------------------------------------------------


def _refuse_stranger(plan: RecoveryPlan, by: User, *, besides: int | None = None) -> None:
    if plan.closed_at:
        raise Refused(_("This plan is closed."))
    if by.pk != besides and not may_work(by, plan):
        team = team_name(plan.commitment, plan.commitment.version.agreement)
        raise Refused(_("Only its owner, or a leader of %(team)s, works on this plan."), team=team)


def _said(words: str, most: int, missing: object, too_long: object) -> str:
    """The words without blanks around them, or the sentence that says what is wrong with them."""
    words = words.strip()
    if not words:
        raise Refused(missing)
    if len(words) > most:
        raise Refused(too_long, most=f"{most:,}")
    return words


def _posts(told: Sequence[User], plan: RecoveryPlan, *, key: str, letter: str, leave_out: User | None = None) -> list:
    once = list({user.pk: user for user in told if user != leave_out}.values())
    return outbox.to_people(once, key=key, kind="plan", letter=letter, about=plan.pk)


def _asked(commitment: Commitment, agreement: Agreement) -> tuple[list[User], bool]:
    """Whom a request goes to: the leaders of the side that owes the promise and the manager of its team; RevOps where
    there are none, and then True.
    """
    party = party_of(commitment)
    found = _leaders(agreement, party)
    managers = {Party.MARKETING: agreement.marketing_team.manager, Party.SALES: agreement.sales_team.manager}
    manager = managers.get(party)
    if manager and manager.is_active and manager not in found:
        found.append(manager)
    if found or party not in signers.SIGNING_PARTIES:
        return found or _revops(), False
    return _revops(), True


def _other(party: Party) -> Party:
    return Party.SALES if party == Party.MARKETING else Party.MARKETING


def _leaders(agreement: Agreement, party: Party) -> list[User]:
    return [user for user, side in signers.signers(agreement) if side == party]


def _revops() -> list[User]:
    return list(User.objects.filter(groups__name=roles.REVOPS, is_active=True))


def _names(asked: Sequence[User]) -> str:
    if len(asked) <= MOST_NAMED:
        return get_text_list([str(one) for one in asked], str(_("and")))
    return str(_("%(number)s people") % {"number": len(asked)})
