"""Notices: written with the event that they tell of, worded when they are sent, sent at least once and never dropped.

The room that owns a notice names the function that words it, and where its reader may change the function that says who
that is; nothing here knows what it is about. A row is for one slot of an event and one channel. Everything that is due
for one reader is claimed together, so that a burst becomes one message. On its way a notice passes `slots` (for whom it
is by now), `delivery` (worded and handed over) and `tries` (recorded); `restored` may hold it.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import wraps
from time import monotonic

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.module_loading import import_string

from slaportal import delivery, restored, slots, tries
from slaportal.letters import LONGEST_SUBJECT, Letter
from slaportal.models import Notice, Team, User
from slaportal.paces import GATHER
from slaportal.wishes import Wishes

log = logging.getLogger(__name__)

Channel = Notice.Channel

# For how long a worker has notices to itself: a run and the slowest mail; and how long one waits after a SIGKILL.
LEASE = timedelta(minutes=2)
# A run ends in time for the tick of the same worker; the next one goes on.
LONGEST_RUN = 30.0  # seconds
# One claim takes the notices of so many readers, and about so many rows.
MOST_READERS, MOST_ROWS = 50, 1_000
# What is due for one reader is never cut in two, unless a statement could not name it all.
MOST_OF_ONE = 20_000
# Of so many due rows the readers are looked at; those whom other workers have locked are among them.
MOST_LOOKED_AT = 5_000
# Claims in a row that others were quicker at; then there are others enough.
MOST_MISSES = 5

# By name, because nothing inside the house goes through a door.
SEND_NOTICES = "slaportal.tasks.send_notices"
# As beat does; who rings more rarely than that is no loss.
SWEEPS_EVERY = 20.0  # seconds
_no_broker_until = 0.0


@dataclass(frozen=True)
class Post:
    """A notice to be written, for one slot of an event.

    The `slot` is `person:12`, `team:3` for that team's chat, or a word such as `owner` that the function named `reader`
    turns into a person when it is sent; `person` is who that is now. `letter` names the function that words it; what
    somebody has `written` stands in the notice from the beginning, and `letter` finds it there.
    """

    key: str
    slot: str
    kind: str
    letter: str
    about: int
    person: User | None = None
    reader: str = ""
    written: Letter | None = None


def to_people(people: Iterable[User], *, key: str, kind: str, letter: str, about: int) -> list[Post]:
    """The same notice for each of these people, once."""
    found = {person.pk: person for person in people}
    return [Post(key, f"person:{pk}", kind, letter, about, person) for pk, person in sorted(found.items())]


def one_by_one(word: Callable[[Notice], Letter | None]) -> Callable[[Sequence[Notice]], list[Letter | None]]:
    """Make a function that words one notice into one that words many."""

    @wraps(word)
    def many(notices: Sequence[Notice]) -> list[Letter | None]:
        return [word(notice) for notice in notices]

    return many


def post(posts: Iterable[Post], *, now: datetime) -> None:
    """Write notices in the transaction of their event: for each slot a row for each channel that its reader has on.

    What was told already (key, slot and channel) stays as it is.
    """
    posts = list(posts)
    for each in posts:
        if each.kind not in settings.NOTICE_KINDS:
            raise ValueError(f"“{each.kind}” is no kind of notice; settings.NOTICE_KINDS has them.")
        if each.person is None and not each.slot.startswith("team:"):
            raise ValueError(f"Nobody is the {each.slot} of {each.key}; only a team's chat needs no person.")
    wishes = Wishes(each.person for each in posts if each.person)
    with_chat = set()
    if any(each.person is None for each in posts):
        with_chat = {f"team:{pk}" for pk in Team.objects.exclude(chat_url="").values_list("pk", flat=True)}
    rows = [
        Notice(
            key=each.key,
            slot=each.slot,
            channel=channel,
            kind=each.kind,
            recipient=each.person,
            reader=each.reader,
            letter=each.letter,
            about=each.about,
            created_at=now,
            due_at=due_at,
            **_words(each.written),
        )
        for each in posts
        for channel, due_at in _channels(each, wishes, with_chat, now)
    ]
    if rows:
        Notice.objects.bulk_create(rows, ignore_conflicts=True, batch_size=2_000)
        transaction.on_commit(ring)


def _words(written: Letter | None) -> dict[str, str]:
    if written is None:
        return {}
    return {"subject": written.subject[:LONGEST_SUBJECT], "summary": written.summary, "link": written.link}


def _channels(each: Post, wishes: Wishes, with_chat: set[str], now: datetime) -> list[tuple[str, datetime]]:
    """On which channels it is told, and from when on it may be."""
    if each.person is None:
        return [(Channel.CHAT, now + GATHER)] if each.slot in with_chat else []
    return [
        (channel, wishes.planned(each.person, each.kind, channel, now))
        for channel in Channel.values
        if wishes.are_on(each.person, each.kind, channel)
    ]


def retry(notices: QuerySet[Notice], *, now: datetime) -> int:
    """Send those of the notices that failed as soon as possible, with all their tries before them. Returns how many."""
    failed = notices.in_state(Notice.State.FAILED)
    # Only some of a message may be asked for again, which is then another one.
    count = failed.update(failed_at=None, failures=0, due_at=now, envelope=None)
    transaction.on_commit(ring)
    return count


def cancel(notices: QuerySet[Notice], *, now: datetime) -> int:
    """Send none of those of the notices that still wait, or failed and wait for somebody. Returns how many."""
    return notices.filter(sent_at=None, cancelled_at=None).update(cancelled_at=now, failed_at=None)


def ring() -> None:
    """Ask a worker to send what is due. Without a broker the next sweep sends it, so nobody's page breaks.

    A broker that says nothing costs seconds to find out (`settings.CELERY_BROKER_TRANSPORT_OPTIONS`), so for a while
    afterwards this process does not ask it again.
    """
    global _no_broker_until
    if monotonic() < _no_broker_until:
        return
    try:
        import_string(SEND_NOTICES).apply_async(expires=18, retry=False)
    except Exception as problem:
        _no_broker_until = monotonic() + SWEEPS_EVERY
        log.warning("notices: no worker could be called (%s); the next sweep sends them", type(problem).__name__)


def send_due(*, now: datetime) -> int:
    """Send every notice that is due; safe to run twice, by two workers, and after one was killed. Returns how many.

    What is due for one reader is claimed together, for the time of a lease, and recorded by whoever holds the claim. A
    mail server that cannot be reached ends the run for mails: they wait for it without using up their tries. While the
    outbox is held (`slaportal.restored`), only what stays in the portal goes on. Call it outside a transaction.
    """
    sent, misses = 0, 0
    with delivery.Round(now=now, seconds=LONGEST_RUN) as round_:
        while not round_.is_over and misses < MOST_MISSES:
            channels = [Channel.PORTAL] if restored.is_held(now=round_.now) else round_.channels
            readers = _readers_with_due(channels, round_.now)
            if not any(readers):
                break
            claimed = claim(*readers, channels=channels, now=round_.now)
            misses = 0 if claimed else misses + 1
            kept, moved = slots.settle(claimed, now=round_.now)
            if moved:
                post([_again(row) for row in moved], now=round_.now)
            sent += round_.deliver(kept)
    return sent


def _readers_with_due(channels: Sequence[str], now: datetime) -> tuple[list[int], list[int]]:
    """Who has something due, who waits longest first: people, and teams for their chats, by their ids."""
    due = Notice.objects.due(now).filter(channel__in=channels).order_by("due_at", "pk")
    people, teams = {}, {}
    for row in due.only("recipient", "slot")[:MOST_LOOKED_AT]:
        if row.recipient_id:
            people[row.recipient_id] = None
        elif team := slots.team_of(row):
            teams[team] = None
    return list(people), list(teams)


@transaction.atomic
def claim(people: Sequence[int], teams: Sequence[int], *, channels: Sequence[str], now: datetime) -> list[Notice]:
    """Everything that is due for some of these readers, for this worker alone until its lease ends; committed at once.

    None where other workers were quicker. Once something is due for a reader, what was written a moment ago goes with
    it, and what only waited for the mail server.
    """
    due = Notice.objects.due(now).filter(channel__in=channels)
    # Two workers must not share a reader's notices: each would send a message.
    lock = {"no_key": True, "skip_locked": True}
    of_people = User.objects.filter(Exists(due.filter(recipient=OuterRef("pk"))), pk__in=people[: 10 * MOST_READERS])
    locked = list(of_people.order_by().select_for_update(**lock).values_list("pk", flat=True)[:MOST_READERS])
    chats = Team.objects.filter(pk__in=teams[:MOST_READERS]).select_for_update(**lock).values_list("pk", flat=True)
    rows = _claimable(locked, list(chats), channels, now)
    if not rows:
        return []
    lease = now + LEASE
    Notice.objects.filter(pk__in=[row.pk for row in rows]).update(claimed_until=lease)
    for row in rows:
        row.claimed_until = lease
    return rows


def _claimable(people: Sequence[int], teams: Sequence[int], channels: Sequence[str], now: datetime) -> list[Notice]:
    """Locked rows of these readers that are due, and with them those that only gather; who waits longest first."""
    if not people and not teams:
        return []
    mine = Q(recipient__in=people) | Q(recipient=None, slot__in=[f"team:{pk}" for pk in teams])
    soon = Q(due_at__lte=now + GATHER) | tries.waits_for_server(now)
    free = Notice.objects.unclaimed(now).filter(soon, mine, channel__in=channels).order_by("recipient_id", "slot", "pk")
    locked = free.select_for_update(no_key=True, skip_locked=True, of=("self",)).select_related("recipient")
    rows = list(locked[: MOST_ROWS + 1])
    if len(rows) > MOST_ROWS:
        cut = _reader(rows[-1])
        whole = [row for row in rows if _reader(row) != cut]
        # Half of what is due for a reader would be a message too many: the last one comes next, the only one whole.
        rows = whole or list(locked.filter(_is_for(*cut))[:MOST_OF_ONE])
    due = {(_reader(row), row.channel) for row in rows if row.due_at <= now}
    taken = [row for row in rows if row.due_at <= now or ((_reader(row), row.channel) in due and _goes_along(row))]
    return sorted(taken, key=lambda row: (row.due_at, row.pk))


def _goes_along(row: Notice) -> bool:
    """Whether it goes with what is due for its reader: it only gathers, or only waits for the mail server."""
    return row.due_at - row.created_at == GATHER or row.problem.startswith(tries.UNREACHABLE)


def _is_for(person: int | None, slot: str) -> Q:
    return Q(recipient=person) if person else Q(recipient=None, slot=slot)


def _reader(row: Notice) -> tuple[int | None, str]:
    return (row.recipient_id, "") if row.recipient_id else (None, row.slot)


def _again(row: Notice) -> Post:
    """The same notice for who has its slot by now, who may have channels on that the one before had not."""
    return Post(row.key, row.slot, row.kind, row.letter, row.about, row.recipient, row.reader)
