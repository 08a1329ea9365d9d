"""Who gets a handoff. Simple on purpose: who the source names, else the available rep with the fewest open ones."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import Count, Q

from agreements.models import Agreement
from leads import timekeeping, tracking
from leads.models import Assignment, Handoff
from slaportal import roles
from slaportal.models import User
from slaportal.refusal import Refused


class Rota:
    """The available reps of an agreement's sales team, with how many open handoffs each has."""

    def __init__(self, agreement: Agreement, *, now: datetime):
        today = now.astimezone(agreement.zone).date()
        members = User.objects.available(on=today).filter(team=agreement.sales_team_id, groups__name=roles.REP)
        counted = members.annotate(load=Count("handoffs", filter=Q(handoffs__ended_at=None))).order_by("pk")
        self.loads = {user: user.load for user in counted}

    def next(self) -> tuple[User, str] | None:
        """The rep with the fewest open handoffs and why, or None when nobody is there."""
        if not self.loads:
            return None
        user = min(self.loads, key=lambda member: (self.loads[member], member.pk))
        load = self.loads[user]
        self.loads[user] += 1
        return user, f"fewest open handoffs of the team ({load})"


@transaction.atomic
def assign(items: Sequence[tuple[Handoff, User]], *, why: str, by: User | None, now: datetime) -> list[Assignment]:
    """Give handoffs to people. Whoever owns one already keeps it, and nothing is written for it."""
    owners = {handoff.pk: owner for handoff, owner in items}
    handoffs = tracking.locked(handoff for handoff, _ in items)
    for pk, handoff in handoffs.items():
        if not owners[pk].is_active:
            raise Refused(f"{owners[pk]} cannot log in, so {handoff} cannot be worked by them.")
        if handoff.ended_at is not None:
            raise Refused(f"{handoff} has ended; it needs no owner any more.")
    created = Assignment.objects.bulk_create(
        Assignment(handoff=handoff, owner=owners[pk], team_id=owners[pk].team_id, at=now, by=by, why=why)
        for pk, handoff in handoffs.items()
        if handoff.owner_id != owners[pk].pk
    )
    timekeeping.evaluate_handoffs([assignment.handoff_id for assignment in created], now=now)
    return created
