"""What the page of a team shows: each rep's load, hours and absences, and what waits for the team. Reads only."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import Count, QuerySet

from leads import roster
from leads.models import Handoff
from leads.roster import Member
from slaportal.models import Absence, Team, User

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Standing:
    """A rep, with the absences that are still to come or run now."""

    member: Member
    absences: list[Absence]
    today: date

    @property
    def person(self) -> User:
        return self.member.person

    @property
    def soon(self) -> list[Absence]:
        """Absences of today and tomorrow, in the person's own days."""
        return [absence for absence in self.absences if absence.first_day <= self.today + DAY]


@dataclass(frozen=True)
class Staff:
    """A team with its reps, and how many handoffs wait in its queue."""

    team: Team
    members: list[Standing]
    waiting: int

    @property
    def free(self) -> int:
        """How many can be given work now."""
        return sum(standing.member.is_free for standing in self.members)


def of(teams: QuerySet[Team], *, now: datetime) -> list[Staff]:
    """These teams with their active reps; the number of questions does not depend on how many there are."""
    found = list(teams)
    ids = [team.pk for team in found]
    standings = _standings(_active(ids, now), now)
    waiting = Handoff.objects.waiting().filter(team__in=ids).order_by().values_list("team").annotate(Count("pk"))
    counts = dict(waiting)
    return [
        Staff(team, [one for one in standings if one.person.team_id == team.pk], counts.get(team.pk, 0))
        for team in found
    ]


def people(teams: QuerySet[Team], *, now: datetime) -> list[User]:
    """Everybody who works in these teams as a rep."""
    return [row.person for row in _active(list(teams.values_list("pk", flat=True)), now)]


def _active(teams: list[int], now: datetime) -> list[Member]:
    return [row for row in roster.members(teams, now=now) if row.is_active]


def _standings(members: Iterable[Member], now: datetime) -> list[Standing]:
    by_person: dict[int, list[Absence]] = {row.key: [] for row in members}
    today = {row.key: roster.local_day(row.person, now) for row in members}
    if by_person:
        ahead = Absence.objects.filter(person__in=by_person, last_day__gte=min(today.values()))
        for absence in ahead.select_related("person"):
            if absence.last_day >= today[absence.person_id]:
                by_person[absence.person_id].append(absence)
    return [Standing(row, by_person[row.key], today[row.key]) for row in members]
