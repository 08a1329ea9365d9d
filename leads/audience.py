"""Whom a step of a ladder tells: the owner, a manager, a team, a role or a chat, as it stands for one handoff.

Somebody always is told, when the step comes due and again when its notice is sent: for an owner, a team or a role
without anybody who may log in the manager, and for such a manager RevOps.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from django.utils.translation import gettext

from agreements.catalogue import Action
from agreements.models import Agreement, Step
from leads.models import Clock, Escalation, Handoff
from slaportal import roles
from slaportal.models import Notice, Party, Team, User

READER = "leads.audience.readers"
# Roles of people who work for one side: of these only those of the two teams are told.
OF_A_TEAM = (roles.MARKETING_LEADER, roles.SALES_LEADER, roles.SALES_MANAGER, roles.REP)


@dataclass(frozen=True)
class Seat:
    """One reader of a step: the slot of the notice, who that is now, and whether it is asked again when it is sent."""

    slot: str
    person: User | None = None
    reader: str = ""


class Audience:
    """Finds the readers of many steps; each group of people is read once."""

    def __init__(self) -> None:
        self._members: dict[int, list[User]] = {}
        self._with_role: dict[str, list[User]] = {}

    def of(self, step: Step, handoff: Handoff, owner: User | None) -> tuple[list[Seat], str]:
        """The readers of a step, and in words who they are: “told Ron Rep”. `owner` is whom its owner means."""
        team = team_of(step, handoff)
        if step.action != Action.OWNER:
            return self.around(step, team, handoff.agreement, reader=READER, also=handoff.team_id)
        if owner and owner.is_active:
            return [Seat("owner", owner, READER)], gettext("told %(person)s") % {"person": owner}
        why = gettext("%(person)s cannot log in") % {"person": owner} if owner else gettext("nobody owned it")
        return self._manager(team, READER, why)

    def around(
        self, step: Step, team: Team, agreement: Agreement, *, reader: str, also: int | None = None
    ) -> tuple[list[Seat], str]:
        """The readers of a step that tells somebody else than an owner; `reader` says who its manager is by then.

        Of a role that works for one side: those of the agreement's teams and of the team `also`. None where there is
        nobody at all, also in RevOps; the words then say why.
        """
        match step.action:
            case Action.MANAGER:
                return self._manager(team, reader)
            case Action.TEAM if people := self.members(team):
                return _each(people), gettext("told everybody of %(team)s") % {"team": team}
            case Action.TEAM:
                return self._manager(team, reader, gettext("nobody of %(team)s can log in") % {"team": team})
            case Action.ROLE:
                teams = {also, agreement.sales_team_id, agreement.marketing_team_id, None}
                if people := self._role(step.role, teams):
                    return _each(people), gettext("told everybody with the role %(role)s") % {"role": step.role}
                why = gettext("nobody with the role %(role)s can log in")
                if step.role in OF_A_TEAM:
                    why = gettext("nobody of theirs with the role %(role)s can log in")
                return self._manager(team, reader, why % {"role": step.role})
            case Action.CHAT if team.chat_url:
                return [Seat(f"team:{team.pk}")], gettext("posted in the chat of %(team)s") % {"team": team}
            case Action.CHAT:
                return self._manager(team, reader, gettext("%(team)s has no chat") % {"team": team})
        return [], ""

    @cached_property
    def revops(self) -> list[Seat]:
        """Everybody in RevOps."""
        return _each(self.everybody(roles.REVOPS))

    def members(self, team: Team) -> list[User]:
        """Everybody of a team who may log in."""
        if team.pk not in self._members:
            self._members[team.pk] = list(User.objects.filter(team=team, is_active=True))
        return self._members[team.pk]

    def everybody(self, role: str) -> list[User]:
        """Everybody with a role who may log in."""
        if role not in self._with_role:
            self._with_role[role] = list(User.objects.filter(groups__name=role, is_active=True))
        return self._with_role[role]

    def _role(self, role: str, teams: set[int | None]) -> list[User]:
        people = self.everybody(role)
        return [person for person in people if role not in OF_A_TEAM or person.team_id in teams]

    def _manager(self, team: Team, reader: str, why: str = "") -> tuple[list[Seat], str]:
        """The team's manager, or all of RevOps; `why` is why the manager is told instead of somebody else."""
        manager = team.manager
        if manager and manager.is_active:
            said = gettext("told %(person)s, because %(why)s") if why else gettext("told %(person)s")
            return [Seat("manager", manager, reader)], said % {"person": manager, "why": why}
        missing = gettext("%(person)s cannot log in") if manager else gettext("%(team)s has no manager")
        missing %= {"person": manager, "team": team}
        why = gettext("%(why)s and %(missing)s") % {"why": why, "missing": missing} if why else missing
        if not self.revops:
            return [], gettext("nothing: %(why)s and nobody is in RevOps") % {"why": why}
        return self.revops, gettext("told RevOps, because %(why)s") % {"why": why}


def team_of(step: Step, handoff: Handoff) -> Team:
    """The team that a step is about: the one that it names, else the one that owes the promise."""
    if step.team:
        return step.team
    if step.commitment.catalogue.party == Party.MARKETING:
        return handoff.agreement.marketing_team
    return handoff.team or handoff.agreement.sales_team


def whose(clock: Clock | None, handoff: Handoff) -> User | None:
    """Whom “the owner” of a step means: of a warning whoever has the handoff now, as only they can still act.

    Of a miss, and of what began with one owner, it is whom that counts for (rule N4), whoever has the handoff by now.
    """
    if clock is not None and (clock.subject or clock.state == Clock.State.MISSED):
        return clock.charged_to.owner if clock.charged_to else None
    return handoff.owner


def clocks_of(escalations: Iterable[Escalation]) -> dict[int, Clock]:
    """The clocks that these steps came due for, by the id of the step's row, with whom they count for."""
    rows = list(escalations)
    places = {row.pk: (row.handoff_id, row.step.commitment_id, row.subject) for row in rows}
    handoffs, commitments, _ = zip(*places.values(), strict=True) if places else ((), (), ())
    clocks = Clock.objects.filter(handoff__in=handoffs, commitment__in=set(commitments))
    found = {
        (clock.handoff_id, clock.commitment_id, clock.subject): clock
        for clock in clocks.select_related("charged_to__owner")
    }
    return {pk: found[place] for pk, place in places.items() if place in found}


def readers(notices: Sequence[Notice]) -> list[User | None]:
    """Who the owner and the manager of these steps are by now; whoever is in charge where they are missing."""
    found = Escalation.objects.select_related(
        "step__team__manager",
        "step__commitment",
        "handoff__owner",
        "handoff__team__manager",
        "handoff__agreement__sales_team__manager",
        "handoff__agreement__marketing_team__manager",
    ).in_bulk({notice.about for notice in notices})
    clocks = clocks_of(found.values())
    rows = [found[notice.about] for notice in notices]
    deputies = in_charge([team_of(row.step, row.handoff) for row in rows])
    people: list[User | None] = []
    for notice, row, deputy in zip(notices, rows, deputies, strict=True):
        owner = whose(clocks.get(row.pk), row.handoff) if notice.slot == "owner" else None
        people.append(owner if owner and owner.is_active else deputy)
    return people


def in_charge(teams: Sequence[Team]) -> list[User | None]:
    """Of each team its manager, or somebody of RevOps where it has none who may log in; None where nobody is left."""
    managers = [team.manager if team.manager and team.manager.is_active else None for team in teams]
    if all(managers):
        return managers
    # A slot has one reader, so it is always the same one of them.
    deputy = User.objects.filter(groups__name=roles.REVOPS, is_active=True).order_by("pk").first()
    return [manager or deputy for manager in managers]


def _each(people: Sequence[User]) -> list[Seat]:
    return [Seat(f"person:{person.pk}", person) for person in people]
