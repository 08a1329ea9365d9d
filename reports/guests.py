"""Who is asked to a review: the leaders of both sides, the managers of the sales team, and RevOps. Reads only."""

from functools import cached_property

from agreements import signers
from agreements.models import Agreement
from slaportal import roles
from slaportal.models import User

ASKED = (roles.REVOPS, roles.MARKETING_LEADER, roles.SALES_LEADER, roles.SALES_MANAGER)


class Guests:
    """Finds whom the reviews of many agreements concern; the people are read once."""

    def of(self, agreement: Agreement) -> list[User]:
        """Whom a review of the agreement concerns now, by name."""
        return [person for person, held in self._people if self._is_asked(person, held, agreement)]

    @cached_property
    def _people(self) -> list[tuple[User, set[str]]]:
        people = User.objects.filter(groups__name__in=ASKED, is_active=True).distinct()
        found = people.prefetch_related("groups").order_by("name", "pk")
        return [(person, {group.name for group in person.groups.all()}) for person in found]

    def _is_asked(self, person: User, held: set[str], agreement: Agreement) -> bool:
        if roles.REVOPS in held or signers.side_of(person, held, agreement) is not None:
            return True
        team = agreement.sales_team
        return roles.SALES_MANAGER in held and (person.team_id == team.pk or team.manager_id == person.pk)


def of(agreement: Agreement) -> list[User]:
    """Whom a review of one agreement concerns now, by name."""
    return Guests().of(agreement)
