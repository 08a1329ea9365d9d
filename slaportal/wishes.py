"""How people want to be told: on which channels, at once or in a digest, and when not at all."""

from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

from django.db.models import Q

from slaportal import paces
from slaportal.models import Notice, NoticePreference, User

Channel, Pace = Notice.Channel, NoticePreference.Pace


class Wishes:
    """How each of these people wants to be told: their own choice, else their team's, else at once everywhere."""

    def __init__(self, people: Iterable[User]) -> None:
        people = {person.pk: person for person in people}
        teams = {person.team_id for person in people.values()} - {None}
        rows = NoticePreference.objects.filter(Q(person__in=people) | Q(team__in=teams)) if people else ()
        self._chosen = {(row.person_id, row.team_id, row.kind): row for row in rows}

    def of(self, person: User, kind: str) -> NoticePreference:
        """The choice that counts for this person and kind."""
        chosen = self._chosen.get((person.pk, None, kind)) or self._chosen.get((None, person.team_id, kind))
        return chosen or NoticePreference(kind=kind)

    def are_on(self, person: User, kind: str, channel: str) -> bool:
        """Whether the person is told on this channel at all; in the portal always."""
        wish = self.of(person, kind)
        match channel:
            case Channel.EMAIL:
                return wish.email != Pace.NEVER
            case Channel.CHAT:
                return wish.chat != Pace.NEVER and bool(person.chat_url)
        return True

    def planned(self, person: User, kind: str, channel: str, now: datetime) -> datetime:
        """When a notice that is written at `now` may leave; in the portal at once (`slaportal.paces`)."""
        if channel == Channel.PORTAL:
            return now
        wish = self.of(person, kind)
        pace = wish.email if channel == Channel.EMAIL else wish.chat
        return paces.planned(
            now,
            digest_at=person.digest_at,
            in_digest=pace == Pace.DIGEST,
            is_urgent=wish.is_urgent,
            **_quiet_hours(person),
        )

    def held_until(self, person: User, kind: str, now: datetime) -> datetime | None:
        """When the quiet hours end that the person has now; None where nothing is held back."""
        return None if self.of(person, kind).is_urgent else paces.quiet_end(now, **_quiet_hours(person))


def _quiet_hours(person: User) -> dict[str, object]:
    zone = ZoneInfo(person.time_zone)
    return {"zone": zone, "quiet_from": person.quiet_from, "quiet_until": person.quiet_until}
