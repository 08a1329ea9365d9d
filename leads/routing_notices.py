"""What people are told of routing: a lead is yours, it is yours no longer, nobody is free for it, somebody may take it.

Letters are worded when they are sent; None where it no longer is so.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, gettext_lazy, ngettext

from leads import audience, worklist
from leads.clocks import NEWS_FOR
from leads.models import Assignment, Clock, Handoff
from slaportal import formats, outbox, roles
from slaportal.letters import Letter
from slaportal.models import Notice, Team, User
from slaportal.outbox import Post

HERE = "leads.routing_notices"
# So many leads a letter names.
NAMED = 3
RUNS_ON = gettext_lazy("The time that was promised runs on.")


def tell(created: Sequence[Assignment], losers: Mapping[int, User], *, by: User | None, now: datetime) -> None:
    """Tell of assignments: who has something now, who had it (`losers`, by handoff), and the managers of queues.

    Nobody is told what they did themselves. What comes to one queue in one moment is told once.
    """
    # What happened longer ago is history that was imported (rule L4).
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
    said = gettext("%(lead)s is yours, from %(person)s: %(why)s.") if row.by else gettext("%(lead)s is yours: %(why)s.")
    said %= {"lead": handoff, "person": row.by, "why": row.why}
    paragraphs = [said, _about(handoff)]
    if due:
        moment = formats.weekday_time(timezone.localtime(due.due_at))
        first = {"promise": due.commitment.title, "moment": moment}
        paragraphs.append(gettext("Due first: %(promise)s, %(moment)s.") % first)
    subject = gettext("Yours now: %(lead)s") % {"lead": handoff}
    return _letter(subject, paragraphs, gettext("Open the handoff"), handoff.get_absolute_url())


def _yours_no_longer(row: Assignment, notice: Notice) -> Letter | None:
    handoff = row.handoff
    if handoff.owner_id == notice.recipient_id:
        return None
    if row.owner:
        said = gettext("%(lead)s is not yours any more. %(person)s has it now: %(why)s.")
    else:
        said = gettext("%(lead)s is not yours any more. It waits in the queue of %(team)s: %(why)s.")
    said %= {"lead": handoff, "person": row.owner, "team": row.team, "why": row.why}
    # Who had it still sees it, to say why something was missed.
    link, subject = handoff.get_absolute_url(), gettext("No longer yours: %(lead)s") % {"lead": handoff}
    return _letter(subject, [said, _about(handoff)], gettext("Open the handoff"), link)


def _nobody_free(rows: Sequence[Assignment]) -> Letter:
    then = gettext("As soon as somebody is free, it is given out by itself.")
    return _of_queue(gettext("Nobody is free"), rows, f"{RUNS_ON} {then}")


def _to_be_taken(rows: Sequence[Assignment]) -> Letter:
    then = ngettext(
        "It waits until somebody of the team takes it; nothing gives it out by itself.",
        "They wait until somebody of the team takes them; nothing gives them out by itself.",
        len(rows),
    )
    return _of_queue(gettext("To be taken"), rows, f"{then} {RUNS_ON}")


def _of_queue(what: str, rows: Sequence[Assignment], then: str) -> Letter:
    """What came to one queue together, and what becomes of it then."""
    first, count = rows[0], len(rows)
    names = ", ".join(str(row.handoff) for row in rows[:NAMED])
    if count > NAMED:
        names = gettext("%(names)s and %(count)s more") % {"names": names, "count": count - NAMED}
    who = str(first.handoff) if count == 1 else gettext("%(count)s leads") % {"count": count}
    why = f": {first.why}" if len({row.why for row in rows}) == 1 else ""
    said = ngettext("%(leads)s waits in the queue of %(team)s", "%(leads)s wait in the queue of %(team)s", count)
    said = f"{said % {'leads': names, 'team': first.team}}{why}."
    link = f"{reverse('handoffs')}?team={first.team_id}&rep=none"
    if count == 1:
        link = first.handoff.get_absolute_url()
    subject = gettext("%(leads)s in the queue of %(team)s") % {"leads": who, "team": first.team}
    subject = f"{what}: {subject}"
    return _letter(subject, [said, then], gettext("Give it to somebody"), link)


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
