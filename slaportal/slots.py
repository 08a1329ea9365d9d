"""Slots: whom a notice is for by the time it is sent. Who owned a lead when it was written may not own it any more."""

from collections.abc import Sequence
from datetime import datetime

from django.utils.translation import gettext as _

from slaportal import tries
from slaportal.models import Notice, Team, User
from slaportal.wishes import Wishes

Channel = Notice.Channel


def settle(rows: Sequence[Notice], *, now: datetime) -> tuple[list[Notice], list[Notice]]:
    """Which of these claimed rows may leave now, and which moved to another person who has the slot by now.

    Those that nobody is to get are cancelled with the reason; those that quiet hours hold back wait for their end. Who
    has a slot by now, in place of somebody who is gone, is for the room that owns it to say.
    """
    readers: dict[int, User | None] = {}
    for name in sorted({row.reader for row in rows}):
        asked = [row for row in rows if row.reader == name]
        if name:
            readers |= tries.answers(name, asked, kind=User, now=now)
        else:
            readers |= {row.pk: row.recipient for row in asked}
    wishes = Wishes(person for person in readers.values() if person)
    chats = set(Team.objects.exclude(chat_url="").values_list("pk", flat=True)) if any(map(team_of, rows)) else set()
    kept, moved, held = [], [], []
    for row in rows:
        if row.pk not in readers:
            continue  # nobody could say; it is tried again
        person = readers[row.pk]
        if why := _why_not(row, person, wishes, chats):
            tries.record([row], cancelled_at=now, problem=why[:300])
        elif person and person.pk != row.recipient_id:
            due_at = wishes.planned(person, row.kind, row.channel, now)
            if tries.record([row], recipient=person, due_at=due_at, envelope=None):
                row.recipient = person
                moved.append(row)
        elif person and row.channel != Channel.PORTAL and (until := wishes.held_until(person, row.kind, now)):
            held.append((row, until))
        else:
            kept.append(row)
    # A mail that may have arrived before the quiet hours comes afterwards as the same one. Where a part of it is urgent
    # and leaves alone, the rest is another mail: under its name it would be taken for a copy.
    parted = {row.envelope for row in kept}
    for row, until in held:
        tries.record([row], due_at=until, envelope=None if row.envelope in parted else row.envelope)
    return kept, moved


def team_of(row: Notice) -> int | None:
    """The team for whose chat it is, by its id; None where it is for a person."""
    return int(row.slot.removeprefix("team:")) if row.slot.startswith("team:") else None


def _why_not(row: Notice, person: User | None, wishes: Wishes, chats: set[int]) -> str:
    """Why nobody is to get it, in a sentence; blank where somebody is."""
    if team := team_of(row):
        return "" if team in chats else _("The team has no chat address any more.")
    if person is None:
        return _("Nobody is the %(slot)s any more.") % {"slot": row.slot}
    if not person.is_active:
        return _("%(person)s may not log in any more.") % {"person": person}
    if not wishes.are_on(person, row.kind, row.channel):
        return _("%(person)s is not told of this by %(channel)s.") % {
            "person": person,
            "channel": row.get_channel_display().lower(),
        }
    return ""
