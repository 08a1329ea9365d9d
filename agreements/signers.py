"""Who may sign for which side of an agreement, asked of the database now.

RevOps owns agreements and never signs, and neither does a superuser, who can do all that RevOps can.
"""

from agreements.models import Agreement, Status, Version
from slaportal import roles
from slaportal.models import Party, User

SIGNING_PARTIES = (Party.MARKETING, Party.SALES)
LEADERS = {Party.MARKETING: roles.MARKETING_LEADER, Party.SALES: roles.SALES_LEADER}


def signing_party(user: User, agreement: Agreement) -> Party | None:
    """The side of the agreement for which this person may sign, asked of the database now."""
    return side_of(user, user.role_names(), agreement)


def side_of(user: User, held: set[str], agreement: Agreement) -> Party | None:
    """The side for which somebody with these roles may sign; RevOps never signs.

    A leader who belongs to a team signs for that team only; one above all teams signs for the side.
    """
    if not user.is_active or user.is_superuser or roles.REVOPS in held:
        return None
    teams = {Party.MARKETING: agreement.marketing_team_id, Party.SALES: agreement.sales_team_id}
    for party, role in LEADERS.items():
        if role in held and user.team_id in (None, teams[party]):
            return party
    return None


def waits_for(party: Party | None, version: Version) -> bool:
    """Whether the version is proposed and this side has not signed it. Reads `version.signatures`."""
    if party is None or version.status != Status.PROPOSED:
        return False
    return party not in {signature.party for signature in version.signatures.all()}


def signers(agreement: Agreement) -> list[tuple[User, Party]]:
    """Everybody who may sign the agreement now, with the side."""
    leaders = User.objects.filter(groups__name__in=LEADERS.values(), is_active=True).distinct()
    sides = [
        (user, side_of(user, {group.name for group in user.groups.all()}, agreement))
        for user in leaders.prefetch_related("groups").order_by("pk")
    ]
    return [(user, party) for user, party in sides if party]
