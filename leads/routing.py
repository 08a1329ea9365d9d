"""Who gets a handoff: whom the source names, else the next by the rules (`leads.desk`). Nobody who is away, full or
without a login is chosen; where nobody is left it waits in the team's queue, and the team's manager is told.

Handoffs are locked first and then the teams, by whoever routes: so two workers never wait for each other in turn.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from django.db import transaction
from django.db.models import OuterRef, Subquery, prefetch_related_objects
from django.utils.translation import gettext, gettext_lazy

from agreements.models import Agreement
from leads import roster, routing_notices, timekeeping, tracking
from leads.desk import Choice, Desk, lock_teams
from leads.models import Assignment, Handoff
from leads.routing_rules import RoutingRule
from slaportal import roles
from slaportal.models import User
from slaportal.refusal import Refused

LONGEST_WHY = Assignment._meta.get_field("why").max_length
# Waiting handoffs of one transaction, and ids of one question.
BATCH, CHUNK = 500, 5_000

NAMED = gettext_lazy("named by the source")
TAKEN = gettext_lazy("taken from the queue")


@dataclass
class Past:
    """What an existing handoff went through: its latest assignment, everybody who had it, and who of them lost it:
    who had it when a ladder took it away for a miss.
    """

    last: Assignment | None = None
    had: set[int] = field(default_factory=set)
    lost: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, assignments: Iterable[Assignment]) -> Self:
        """The past of one handoff, of its assignments in their order."""
        past = cls()
        for row in assignments:
            past.add(row)
        return past

    def add(self, row: Assignment) -> None:
        """What came next. Only ladders take something from its owner without anybody who does it."""
        if row.by_id is None and self.last is not None and self.last.owner_id is not None:
            self.lost |= self.had
        self.last = row
        self.had |= {row.owner_id} - {None}

    @property
    def is_waiting(self) -> bool:
        """Whether it is in a queue until somebody is free."""
        return self.last is not None and self.last.owner_id is None and not self.last.is_offer


def start(begun: Sequence[Handoff], *, by: User | None, now: datetime) -> list[Assignment]:
    """First owners of handoffs that have just begun: whom the source names, else the next by the rules.

    For the transaction in which they began; whoever calls it evaluates them.
    """
    named = User.objects.in_bulk({handoff.lead.owner_id for handoff in begun} - {None})
    others = [handoff for handoff in begun if handoff.lead.owner_id not in named]
    chosen = iter(_choose(others, {}, named=[handoff.lead.owner_id for handoff in begun], now=now))
    rows = []
    for handoff in begun:
        if owner := named.get(handoff.lead.owner_id):
            team_id, at = owner.team_id or handoff.agreement.sales_team_id, handoff.qualified_at
            rows.append(Assignment(handoff=handoff, owner=owner, team_id=team_id, at=at, by=by, why=str(NAMED)))
        else:
            rows.append(_chosen(handoff, next(chosen), at=now, by=by))
    return _write(rows, {}, by=by, now=now)


@transaction.atomic
def route(handoffs: Sequence[Handoff], *, by: User | None, now: datetime) -> list[Assignment]:
    """Give handoffs that nobody owns to the next by the rules, never to somebody who had them before.

    Who finds nobody waits in the queue of the team, which is written once. What has an owner, or has ended, stays.
    """
    waiting = [row for row in tracking.locked(handoffs).values() if row.owner_id is None and row.ended_at is None]
    return _give(waiting, why="", by=by, now=now)


def route_waiting(*, now: datetime) -> int:
    """Give out what waits in queues as soon as somebody is free, who waits longest first; returns how many.

    Offers are left to whoever takes them. Safe to run twice or by two workers: what somebody has locked is left to
    them. Where nobody is free, nothing is written.
    """
    last = Assignment.objects.filter(handoff=OuterRef("pk")).order_by("-at", "-pk")
    waiting = Handoff.objects.waiting().annotate(offered=Subquery(last.values("is_offer")[:1])).filter(offered=False)
    ids = list(waiting.order_by("qualified_at", "pk").values_list("pk", flat=True))
    if not ids or not _is_anybody_free(now):
        return 0
    return sum(_route_waiting(ids[begin : begin + BATCH], now) for begin in range(0, len(ids), BATCH))


@transaction.atomic
def assign(items: Sequence[tuple[Handoff, User]], *, why: str, by: User | None, now: datetime) -> list[Assignment]:
    """Give handoffs to people, as somebody has decided it: caps and absences are asked for by the doors' verbs in
    `leads.handovers`. Whoever owns one already keeps it, and nothing is written for it.
    """
    owners = {handoff.pk: owner for handoff, owner in items}
    handoffs = tracking.locked(handoff for handoff, _ in items)
    for pk, handoff in handoffs.items():
        if not owners[pk].is_active:
            raise Refused(
                gettext("%(person)s cannot log in, so %(handoff)s cannot be worked by them."),
                person=owners[pk],
                handoff=handoff,
            )
        if handoff.ended_at is not None:
            raise Refused(gettext("%(handoff)s has ended; it needs no owner any more."), handoff=handoff)
    moved = [handoff for pk, handoff in handoffs.items() if handoff.owner_id != owners[pk].pk]
    lock_teams({owners[handoff.pk].team_id for handoff in moved} - {None})
    pasts = _pasts(moved)
    rows = []
    for handoff in moved:
        owner, at = owners[handoff.pk], _after(pasts[handoff.pk], now)
        rows.append(Assignment(handoff=handoff, owner=owner, team_id=owner.team_id, at=at, by=by, why=_short(why)))
    return _write_and_evaluate(rows, pasts, by=by, now=now)


@transaction.atomic
def reassign(
    handoffs: Sequence[Handoff], *, why: str | Mapping[int, str], by: User | None, now: datetime
) -> list[Assignment]:
    """Take handoffs from whoever has them and give each to the next by the rules, never to somebody who had it before.

    Where nobody is left, it waits in the team's queue. `why` is for all of them, or by the id of each.
    """
    fresh = tracking.locked(handoffs)
    _refuse_ended(fresh.values())
    return _give(list(fresh.values()), why=why, by=by, now=now)


@transaction.atomic
def return_to_queue(
    handoffs: Sequence[Handoff], *, why: str | Mapping[int, str], by: User | None, now: datetime
) -> list[Assignment]:
    """Take handoffs from whoever has them and offer them to the team: each waits until somebody takes it."""
    fresh = tracking.locked(handoffs)
    _refuse_ended(fresh.values())
    owned = [handoff for handoff in fresh.values() if handoff.owner_id is not None]
    prefetch_related_objects(owned, "agreement")
    pasts = _pasts(owned)
    rows = [
        Assignment(
            handoff=handoff,
            team_id=handoff.team_id or handoff.agreement.sales_team_id,
            at=_after(pasts[handoff.pk], now),
            by=by,
            why=_short(_of(why, handoff)),
            is_offer=True,
        )
        for handoff in owned
    ]
    return _write_and_evaluate(rows, pasts, by=by, now=now)


@transaction.atomic
def take(handoff: Handoff, *, by: User, now: datetime) -> Assignment:
    """A rep takes what waits in the queue of the own team, unless it was taken from them for a miss (rule L5). Of two
    at once the second is told who was quicker.
    """
    (fresh,) = tracking.locked([handoff]).values()
    prefetch_related_objects([fresh], "lead", "owner", "team")
    if fresh.ended_at is not None:
        raise Refused(gettext("%(lead)s has ended; it needs no owner any more."), lead=fresh)
    if fresh.owner is not None:
        if fresh.owner_id == by.pk:
            raise Refused(gettext("%(lead)s is yours already."), lead=fresh)
        raise Refused(gettext("%(lead)s is %(owner)s’s already."), lead=fresh, owner=fresh.owner)
    if fresh.team is None or fresh.team_id != by.team_id or not by.has_role(roles.REP):
        raise Refused(
            gettext("%(lead)s waits for the reps of %(team)s; only they can take it."),
            lead=fresh,
            team=fresh.team or gettext("another team"),
        )
    pasts = _pasts([fresh])
    if by.pk in pasts[fresh.pk].lost:
        raise Refused(gettext("%(lead)s was taken from you, so somebody else has to take it."), lead=fresh)
    lock_teams([by.team_id])
    (rep,) = roster.members((), people=[by.pk], now=now)
    if rep.is_full:
        raise Refused(
            gettext("You have %(open)s of %(most)s open. Finish one before you take %(lead)s."),
            open=rep.open,
            most=rep.most,
            lead=fresh,
        )
    row = Assignment(handoff=fresh, owner=by, team=fresh.team, at=_after(pasts[fresh.pk], now), by=by, why=str(TAKEN))
    return _write_and_evaluate([row], pasts, by=by, now=now)[0]


def _is_anybody_free(now: datetime) -> bool:
    """Whether there is anybody to whom a waiting handoff could go."""
    rules = RoutingRule.objects.filter(is_active=True).values_list("team", "person")
    teams = {team for team, _ in rules} | set(Agreement.objects.values_list("sales_team", flat=True))
    people = {person for _, person in rules} - {None}
    return any(rep.is_free for rep in roster.members(teams - {None}, people=people, now=now))


@transaction.atomic
def _route_waiting(ids: Sequence[int], now: datetime) -> int:
    """Those of the waiting handoffs that can be locked and that somebody is free for."""
    free = Handoff.objects.waiting().filter(pk__in=ids).select_for_update(no_key=True, skip_locked=True)
    handoffs = sorted(free.order_by("pk"), key=lambda handoff: (handoff.qualified_at, handoff.pk))
    pasts = _pasts(handoffs)
    still = [handoff for handoff in handoffs if pasts[handoff.pk].is_waiting]
    return sum(row.owner_id is not None for row in _give(still, why="", by=None, now=now, pasts=pasts))


def _give(
    handoffs: Sequence[Handoff],
    *,
    why: str | Mapping[int, str],
    by: User | None,
    now: datetime,
    pasts: Mapping[int, Past] | None = None,
) -> list[Assignment]:
    """Give locked handoffs to the next by the rules. What waits already and finds nobody goes on waiting."""
    pasts = _pasts(handoffs) if pasts is None else pasts
    prefetch_related_objects(handoffs, "lead", "agreement__sales_team")
    rows = []
    for handoff, choice in zip(handoffs, _choose(handoffs, pasts, now=now), strict=True):
        past = pasts[handoff.pk]
        if choice.owner is not None or not past.is_waiting:
            said = _of(why, handoff)
            rows.append(_chosen(handoff, choice, at=_after(past, now), by=by, said=said))
    return _write_and_evaluate(rows, pasts, by=by, now=now)


def _choose(
    handoffs: Sequence[Handoff], pasts: Mapping[int, Past], *, now: datetime, named: Iterable[int | None] = ()
) -> list[Choice]:
    """Who is next for each, in this order; `named` are people who get as many as they stand there anyway."""
    if not handoffs:
        return []
    desk = Desk(handoffs, had={pk: past.had for pk, past in pasts.items()}, now=now)
    desk.count(key for key in named if key is not None)
    choices = [desk.choose(handoff) for handoff in handoffs]
    desk.save()
    return choices


def _chosen(handoff: Handoff, choice: Choice, *, at: datetime, by: User | None, said: str = "") -> Assignment:
    """The row of a choice: an owner, or a place in the queue."""
    team_id = (choice.owner and choice.owner.team_id) or choice.team.pk
    why = _short(f"{said}: {choice.why}" if said else choice.why)
    return Assignment(handoff=handoff, owner=choice.owner, team_id=team_id, at=at, by=by, why=why, rule=choice.rule)


def _write_and_evaluate(
    rows: Sequence[Assignment], pasts: Mapping[int, Past], *, by: User | None, now: datetime
) -> list[Assignment]:
    created = _write(rows, pasts, by=by, now=now)
    timekeeping.evaluate_handoffs([row.handoff_id for row in created], now=now)
    return created


def _write(
    rows: Sequence[Assignment], pasts: Mapping[int, Past], *, by: User | None, now: datetime
) -> list[Assignment]:
    """Write assignments, and tell whoever gets something, loses something or has to find somebody."""
    for row in rows:
        row.entered_at = now
    created = Assignment.objects.bulk_create(rows, batch_size=CHUNK)
    losers = {pk: past.last.owner for pk, past in pasts.items() if past.last and past.last.owner}
    routing_notices.tell(created, losers, by=by, now=now)
    return created


def _pasts(handoffs: Sequence[Handoff]) -> dict[int, Past]:
    """What each of these handoffs went through."""
    pasts = {handoff.pk: Past() for handoff in handoffs}
    for ids in _chunks(list(pasts)):
        for row in Assignment.objects.filter(handoff__in=ids).select_related("owner").order_by("at", "pk"):
            pasts[row.handoff_id].add(row)
    return pasts


def _after(past: Past, now: datetime) -> datetime:
    """When an assignment begins: now, and never before the last one, whatever the clocks of two machines say."""
    return max(now, past.last.at) if past.last else now


def _refuse_ended(handoffs: Iterable[Handoff]) -> None:
    for handoff in handoffs:
        if handoff.ended_at is not None:
            raise Refused(gettext("%(handoff)s has ended; it needs no owner any more."), handoff=handoff)


def _of(why: str | Mapping[int, str], handoff: Handoff) -> str:
    return why[handoff.pk] if isinstance(why, Mapping) else str(why)


def _short(why: str) -> str:
    return why if len(why) <= LONGEST_WHY else f"{why[: LONGEST_WHY - 1]}…"


def _chunks(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for begin in range(0, len(ids), CHUNK):
        yield ids[begin : begin + CHUNK]
