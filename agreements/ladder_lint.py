"""What a careful colleague would say to the ladders of a draft: steps that come to nothing, or too late, or too soon.

Each remark is the promise that it is about, the rule by its code, and a sentence with the cure.
"""

from collections.abc import Iterator
from itertools import combinations, pairwise

from agreements import ladders
from agreements.catalogue import Action
from agreements.models import Agreement
from agreements.terms import Promise, Rung, Terms
from slaportal import roles
from slaportal.models import Party, Team, User

Remark = tuple[Promise, str, str]
# The portal looks once a minute.
A_LOOK = 60


def impossible(promise: Promise) -> Iterator[str]:
    """Why a step cannot be done at all, each in a sentence that says which; no form lets one through."""
    for number, rung in enumerate(promise.steps, start=1):
        share = None if rung.share is None else float(rung.share * 100)
        objections = promise.kind.objections(
            rung.action, share=share, offset=rung.offset_seconds, names_team=bool(rung.team), role=rung.role
        )
        yield from (f"Step {number} of {_name(promise)} cannot be done: {says}" for says in objections.values())


def by_terms(terms: Terms) -> Iterator[Remark]:
    """What the terms tell by themselves."""
    for promise in terms.promises:
        if any(impossible(promise)):
            continue
        if not promise.steps and promise.consequence.strip():
            says = (
                f"{_name(promise)} has a consequence but no ladder: nothing happens by itself, and a miss is found "
                "when somebody looks. Add a step, such as telling the manager at 100 %."
            )
            yield promise, "no-ladder", says
        yield from ((promise, code, says) for code, says in _twice(promise))
        if promise.limit_seconds is not None:
            yield from ((promise, code, says) for code, says in _out_of_place(promise, promise.limit_seconds))


def _twice(promise: Promise) -> Iterator[tuple[str, str]]:
    seen = set()
    length = 1 if promise.limit_seconds is None else promise.limit_seconds
    for rung in promise.ladder:
        what = (rung.position(length), rung.action, rung.team, rung.role)
        if what in seen:
            yield "same-step-twice", f"{_name(promise)} says twice that {ladders.step(rung, promise)}. Drop one."
        seen.add(what)


def _out_of_place(promise: Promise, limit: int) -> Iterator[tuple[str, str]]:
    """Steps that come before their time, after it, or together with others."""
    for rung in promise.steps:
        before = -(rung.offset_seconds or 0) - limit
        if before > 0:
            says = (
                f"A step of {_name(promise)} is to come {-rung.offset_seconds // 60} minutes before the limit, which "
                "is before the clock starts, so it comes at once. Bring it nearer to the limit."
            )
            yield "step-before-the-start", says
    for rung in promise.ladder:
        if rung.action.takes_away and rung.position(limit) < limit:
            says = (
                f"{_name(promise)} takes the lead from its owner while the promise can still be kept: "
                f"{ladders.step(rung, promise)}. Let that happen at the limit or later, and tell the owner before."
            )
            yield "taken-before-the-limit", says
    for taking, rung in combinations(promise.ladder, 2):
        if taking.action.takes_away and rung.action == Action.OWNER:
            owner = "nobody owns it then" if taking.action == Action.QUEUE else "its owner then is new to it"
            says = (
                f"{_name(promise)} tells the owner {ladders.moment(rung, promise)}, but the lead is taken from them "
                f"{ladders.moment(taking, promise)}, and {owner}. Tell the owner before that, or the manager."
            )
            yield "owner-told-too-late", says
            break
    for first, second in pairwise(promise.ladder):
        apart = second.position(limit) - first.position(limit)
        if 0 < apart < A_LOOK:
            says = (
                f"Two steps of {_name(promise)}, {ladders.moment(first, promise)} and "
                f"{ladders.moment(second, promise)}, come within the same minute, and the portal looks once a minute. "
                "Drop one, or allow longer."
            )
            yield "steps-in-one-minute", says


def by_people(agreement: Agreement, terms: Terms) -> Iterator[Remark]:
    """Steps that reach nobody, as teams and roles are now: one remark for each."""
    rungs = [(promise, rung) for promise in terms.promises for rung in promise.ladder if rung.action.tells]
    owing = {Party.MARKETING: agreement.marketing_team, Party.SALES: agreement.sales_team,
             Party.OPERATIONS: agreement.sales_team}  # fmt: skip
    named = {rung.team for _, rung in rungs} - {""}
    teams = {team.name: team for team in Team.objects.filter(name__in=named).select_related("manager")}
    # Of those who work for a side, only the people of these two teams are told.
    sides = {agreement.marketing_team_id, agreement.sales_team_id, None}
    people = User.objects.filter(is_active=True).values_list("team", "groups__name").distinct()
    members = {team for team, _ in people}
    held = {role for team, role in people if team in sides or role in (roles.REVOPS, roles.VIEWER)}
    said = set()
    for promise, rung in rungs:
        team = teams.get(rung.team) or owing[promise.kind.party]
        found = _unheard(rung, team, team.pk in members, rung.role in held)
        if found and found not in said:
            said.add(found)
            code, why, cure = found
            yield promise, code, f"{_name(promise)} {why}. {cure}"


def _unheard(rung: Rung, team: Team, has_members: bool, is_held: bool) -> tuple[str, str, str] | None:
    """Why nobody hears of a step, or not the one who is meant, and the cure."""
    match rung.action:
        case Action.MANAGER if not (team.manager and team.manager.is_active):
            cure = "RevOps would be told instead. Name the team’s manager, or tell a role."
            return "no-manager", f"tells the manager of {team}, which has none", cure
        case Action.CHAT if not team.chat_url:
            cure = "Its manager would be told instead. Give the team the address of its channel, or tell somebody else."
            return "no-chat", f"posts in the chat of {team}, which has none", cure
        case Action.TEAM if not has_members:
            return "nobody-is-told", f"tells everybody of {team}, and that is nobody", "Tell another team, or a role."
        case Action.ROLE if not is_held:
            return "nobody-is-told", f"tells every {rung.role}, and there is none", "Tell another role, or a team."
    return None


def _name(promise: Promise) -> str:
    return f"“{promise.title or promise.code}”"
