"""What people and teams choose: how they are told of each kind of notice, when, and by which chat.

A choice is a row only where it differs from what would hold without it, so that whoever chose nothing of their own goes
on with their team.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction

from slaportal import roles
from slaportal.models import NoticePreference, Team, User

# Nobody else ever gets these.
FOR_REVOPS = ("task", "alarm")

Pace = NoticePreference.Pace


@dataclass(frozen=True)
class Wish:
    """How somebody wants to be told of one kind: the pace of each channel, and whether it waits for nothing."""

    email: str = Pace.NOW
    chat: str = Pace.NOW
    is_urgent: bool = False


def kinds(owner: User | Team) -> dict[str, str]:
    """The kinds of which this person, or anybody of the team, may be told, with their names."""
    members = User.objects.filter(**({"team": owner} if isinstance(owner, Team) else {"pk": owner.pk}))
    has_revops = members.filter(groups__name=roles.REVOPS).exists()
    return {kind: label for kind, label in settings.NOTICE_KINDS.items() if has_revops or kind not in FOR_REVOPS}


def wishes(owner: User | Team) -> dict[str, Wish]:
    """What holds for each kind."""
    return _without(owner) | _rows(owner)


@transaction.atomic
def choose(owner: User | Team, wanted: Mapping[str, Wish]) -> None:
    """Keep what is wanted of these kinds; what is as it would be without a choice is none."""
    without, whose = _without(owner), _whose(owner)
    chosen = {kind: wish for kind, wish in wanted.items() if wish != without[kind]}
    NoticePreference.objects.filter(**whose, kind__in=wanted.keys() - chosen.keys()).delete()
    NoticePreference.objects.bulk_create(
        [NoticePreference(**whose, kind=kind, **vars(wish)) for kind, wish in chosen.items()],
        update_conflicts=True,
        unique_fields=[*whose, "kind"],
        update_fields=["email", "chat", "is_urgent"],
    )


def change(owner: User | Team, fields: Mapping[str, object]) -> None:
    """Change the person's hours, or the chat address of person or team."""
    owner._meta.model.objects.filter(pk=owner.pk).update(**fields)


def _without(owner: User | Team) -> dict[str, Wish]:
    """What would hold without a choice: the team's, else at once."""
    of_team = _rows(owner.team) if isinstance(owner, User) and owner.team else {}
    return dict.fromkeys(settings.NOTICE_KINDS, Wish()) | of_team


def _rows(owner: User | Team) -> dict[str, Wish]:
    rows: Iterable[NoticePreference] = NoticePreference.objects.filter(**_whose(owner), kind__in=settings.NOTICE_KINDS)
    return {row.kind: Wish(row.email, row.chat, row.is_urgent) for row in rows}


def _whose(owner: User | Team) -> dict[str, User | Team]:
    return {"team" if isinstance(owner, Team) else "person": owner}
