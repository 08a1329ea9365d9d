"""What people are told of routing: a lead is yours, it is yours no longer, nobody is free for it, somebody may take it.

Letters are worded when they are sent; None where it no longer is so.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from django.urls import reverse
from django.utils import timezone

from leads import audience, worklist
from leads.models import Assignment, Clock, Handoff
from slaportal import outbox, roles
from slaportal.letters import Letter
from slaportal.models import Notice, Team, User
from slaportal.outbox import Post

HERE = "leads.routing_notices"
# What happened longer ago is history that was imported: nobody is told of it.
NEWS_FOR = timedelta(days=1)
# So many leads a letter names.
NAMED = 3
RUNS_ON = "The time that was promised runs on."


def tell(created: Sequence[Assignment], losers: Mapping[int, User], *, by: User | None, now: datetime) -> None:
    """Tell of assignments: who has something now, who had it (`losers`, by handoff), and the managers of queues.

    Nobody is told what they did themselves. What comes to one queue in one moment is told once.
    """
    news = [row for row in created if now - row.at <= NEWS_FOR]
    posts = []
    for row in news:
        for person, word in ((row.owner, "assigned"), (losers.get(row.handoff_id), "taken")):
            if person and person != by and person.is_active:
                key, letter = f"{word}:{row.pk}", f"{HERE}.{word}"
                posts += outbox.to_people([person], key=key, kind="assignment", letter=letter, about=row.pk)
    queued = [row for row in news if row.owner_id is None]
    posts += _of_queues([row for row in queued if not row.is_offer], "waiting", by)
    posts += _of_queues([row for row in queued if row.is_offer], "offered", by)
    if posts:
        outbox.post(posts, now=now)


def assigned(notices: Sequence[Notice]) -> list[Letter | None]:
    """A lead is yours, and what is due first. None where it is somebody else's by now, or over."""
    rows = _rows(notices)
    dues = _first_due({row.handoff_id for row in rows.values()})
    return [_yours(rows[notice.about], notice, dues) for notice in notices]


def taken(notices: Sequence[Notice]) -> list[Letter | None]:
    """A lead is yours no longer. None where you have it again."""
    rows = _rows(notices)
    return [_yours_no_longer(rows[notice.about], notice) for notice in notices]


def waiting(notices: Sequence[Notice]) -> list[Letter | None]:
    """Nobody is free: leads wait in a queue. None where none of those that came there together waits any more."""
    return [_nobody_free(rows) if rows else None for rows in _still_queued(notices, is_offer=False)]


def offered(notices: Sequence[Notice]) -> list[Letter | None]:
    """Leads wait in a queue for somebody to take them. None where none of those that came there together does."""
    return [_to_be_taken(rows) if rows else None for rows in _still_queued(notices, is_offer=True)]


def managers(notices: Sequence[Notice]) -> list[User | None]:
    """Who manages the team of each queue by now, or somebody of RevOps where nobody does who may log in."""
    rows = _rows(notices)
    return audience.in_charge([rows[notice.about].team for notice in notices])


def _of_queues(rows: Iterable[Assignment], letter: str, by: User | None) -> list[Post]:
    """One notice for each team: to its manager, or to RevOps where it has none."""
    first: dict[int, Assignment] = {}
    for row in rows:
        first.setdefault(row.team_id, row)
    if not first:
        return []
    teams = Team.objects.select_related("manager").in_bulk(first)
    posts: list[Post] = []
    for team_id, row in sorted(first.items()):
        told = {"key": f"queue:{row.pk}", "kind": "queue", "letter": f"{HERE}.{letter}", "about": row.pk}
        manager = teams[team_id].manager
        if manager and manager.is_active:
            if manager != by:
                posts.append(Post(slot="manager", person=manager, reader=f"{HERE}.managers", **told))
        else:
            revops = User.objects.filter(groups__name=roles.REVOPS, is_active=True)
            posts += outbox.to_people(revops, **told)
    return posts


def _still_queued(notices: Sequence[Notice], *, is_offer: bool) -> list[list[Assignment]]:
    """Of each notice the assignments that came to its queue together, as far as nobody owns their handoffs yet."""
    rows = _rows(notices)
    moments = {(row.team_id, row.at) for row in rows.values()}
    still: dict[tuple[int, datetime], list[Assignment]] = {moment: [] for moment in moments}
    together = Assignment.objects.filter(
        owner=None,
        is_offer=is_offer,
        team__in={team for team, _ in moments},
        at__in={at for _, at in moments},
        handoff__owner=None,
        handoff__ended_at=None,
    )
    for row in together.select_related("handoff__lead", "team").order_by("handoff__qualified_at", "pk"):
        if (row.team_id, row.at) in still:
            still[row.team_id, row.at].append(row)
    return [still[rows[notice.about].team_id, rows[notice.about].at] for notice in notices]


def _rows(notices: Sequence[Notice]) -> dict[int, Assignment]:
    found = Assignment.objects.select_related("handoff__lead", "handoff__agreement", "owner", "team__manager", "by")
    return found.in_bulk({notice.about for notice in notices})


def _yours(row: Assignment, notice: Notice, dues: Mapping[int, Clock]) -> Letter | None:
    handoff, due = row.handoff, dues.get(row.handoff_id)
    if handoff.owner_id != notice.recipient_id or handoff.ended_at is not None:
        return None
    said = f"{handoff} is yours{f', from {row.by}' if row.by else ''}: {row.why}."
    paragraphs = [said, _about(handoff)]
    if due:
        local = timezone.localtime(due.due_at)
        paragraphs.append(f"Due first: {due.commitment.title}, {local:%a %-d %b, %-H:%M}.")
    return _letter(f"Yours now: {handoff}", paragraphs, "Open the handoff", handoff.get_absolute_url())


def _yours_no_longer(row: Assignment, notice: Notice) -> Letter | None:
    handoff = row.handoff
    if handoff.owner_id == notice.recipient_id:
        return None
    to = f"{row.owner} has it now" if row.owner else f"It waits in the queue of {row.team}"
    said = f"{handoff} is not yours any more. {to}: {row.why}."
    # Who had it still sees it, to say why something was missed.
    link = handoff.get_absolute_url()
    return _letter(f"No longer yours: {handoff}", [said, _about(handoff)], "Open the handoff", link)


def _nobody_free(rows: Sequence[Assignment]) -> Letter:
    return _of_queue("Nobody is free", rows, f"{RUNS_ON} As soon as somebody is free, it is given out by itself.")


def _to_be_taken(rows: Sequence[Assignment]) -> Letter:
    waits, it = ("It waits", "it") if len(rows) == 1 else ("They wait", "them")
    then = f"{waits} until somebody of the team takes {it}; nothing gives {it} out by itself. {RUNS_ON}"
    return _of_queue("To be taken", rows, then)


def _of_queue(what: str, rows: Sequence[Assignment], then: str) -> Letter:
    """What came to one queue together, and what becomes of it then."""
    first, count = rows[0], len(rows)
    names = ", ".join(str(row.handoff) for row in rows[:NAMED])
    more = f" and {count - NAMED} more" if count > NAMED else ""
    who = str(first.handoff) if count == 1 else f"{count} leads"
    why = f": {first.why}" if len({row.why for row in rows}) == 1 else ""
    said = f"{names}{more} wait{'s' * (count == 1)} in the queue of {first.team}{why}."
    link = f"{reverse('handoffs')}?team={first.team_id}&rep=none"
    if count == 1:
        link = first.handoff.get_absolute_url()
    return _letter(f"{what}: {who} in the queue of {first.team}", [said, then], "Give it to somebody", link)


def _letter(subject: str, paragraphs: Iterable[str], label: str, link: str) -> Letter:
    return Letter(subject, tuple(filter(None, paragraphs)), label, link)


def _about(handoff: Handoff) -> str:
    """“Nordhaus Logistik, Head of Operations, Inbound demo · DACH inbound”."""
    lead = handoff.lead
    known = ", ".join(filter(None, (lead.company, lead.title, handoff.source)))
    return " · ".join(filter(None, (known, str(handoff.agreement))))


def _first_due(handoffs: Iterable[int]) -> dict[int, Clock]:
    """What sales owes each handoff first."""
    found: dict[int, Clock] = {}
    owed = worklist.owed_clocks().filter(handoff__in=handoffs, state=Clock.State.OPEN)
    for clock in owed.select_related("commitment"):
        found.setdefault(clock.handoff_id, clock)
    return found
