"""Whom a step of a ladder tells: the owner, a manager, a team, a role or a chat, as it stands for one handoff.

Somebody always is told: for an owner who is missing the manager, and for a manager who is missing RevOps.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from agreements.catalogue import Action
from agreements.models import Agreement, Step
from leads.models import Escalation, Handoff
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

    def of(self, step: Step, handoff: Handoff) -> tuple[list[Seat], str]:
        """The readers of a step, and in words who they are: “told Ron Rep”."""
        team = team_of(step, handoff)
        match step.action:
            case Action.OWNER if handoff.owner and handoff.owner.is_active:
                return [Seat("owner", handoff.owner, READER)], f"told {handoff.owner}"
            case Action.OWNER:
                why = f"{handoff.owner} cannot log in" if handoff.owner else "nobody owned it"
                seats, words = self._manager(team, READER)
                return seats, f"{words}, because {why}"
        return self.around(step, team, handoff.agreement, reader=READER, also=handoff.team_id)

    def around(
        self, step: Step, team: Team, agreement: Agreement, *, reader: str, also: int | None = None
    ) -> tuple[list[Seat], str]:
        """The readers of a step that tells somebody else than an owner; `reader` says who its manager is by then.

        Of a role that works for one side: those of the agreement's teams and of the team `also`.
        """
        match step.action:
            case Action.MANAGER:
                return self._manager(team, reader)
            case Action.TEAM:
                return _each(self.members(team)), f"told everybody of {team}"
            case Action.ROLE:
                teams = {also, agreement.sales_team_id, agreement.marketing_team_id, None}
                return _each(self._role(step.role, teams)), f"told everybody with the role {step.role}"
            case Action.CHAT if team.chat_url:
                return [Seat(f"team:{team.pk}")], f"posted in the chat of {team}"
            case Action.CHAT:
                seats, words = self._manager(team, reader)
                return seats, f"{words}, because {team} has no chat"
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

    def _manager(self, team: Team, reader: str) -> tuple[list[Seat], str]:
        manager = team.manager
        if manager and manager.is_active:
            return [Seat("manager", manager, reader)], f"told {manager}"
        return self.revops, f"told RevOps, because {team} has no manager"


def team_of(step: Step, handoff: Handoff) -> Team:
    """The team that a step is about: the one that it names, else the one that owes the promise."""
    if step.team:
        return step.team
    if step.commitment.catalogue.party == Party.MARKETING:
        return handoff.agreement.marketing_team
    return handoff.team or handoff.agreement.sales_team


def readers(notices: Sequence[Notice]) -> list[User | None]:
    """Who the owner and the manager of these steps are by now; None where the handoff has nobody in that place."""
    found = Escalation.objects.select_related(
        "step__team__manager",
        "step__commitment",
        "handoff__owner",
        "handoff__team__manager",
        "handoff__agreement__sales_team__manager",
        "handoff__agreement__marketing_team__manager",
    ).in_bulk({notice.about for notice in notices})
    return [_reader(notice.slot, found[notice.about]) for notice in notices]


def _reader(slot: str, escalation: Escalation) -> User | None:
    handoff = escalation.handoff
    if slot == "owner":
        return handoff.owner
    return team_of(escalation.step, handoff).manager


def _each(people: Sequence[User]) -> list[Seat]:
    return [Seat(f"person:{person.pk}", person) for person in people]
