"""The routing desk: which rule a handoff falls under, and whom it chooses. It reads once for many handoffs.

The first rule whose criteria the lead meets decides, else whoever has the fewest open of the agreement's sales team. A
rule that names a person who can never get the handoff, because they cannot log in or had it before, is passed over; one
who is away or full is waited for.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext

from agreements.catalogue import Operator
from agreements.terms import Test
from leads import qualification, roster, rotas
from leads.models import Handoff
from leads.roster import Member
from leads.rotas import AWAY, FULL, HAD, NO_LOGIN, Rep, Rota, Seat
from leads.routing_rules import RoutingRule, RoutingSeat
from slaportal.models import Team, User

COPIED = ("source", "campaign", "segment", "score")
Method = RoutingRule.Method


@dataclass(frozen=True)
class Choice:
    """Whom a handoff goes to and why, or in whose queue it waits because nobody is free."""

    owner: User | None
    team: Team
    why: str
    rule: RoutingRule | None


@dataclass(frozen=True)
class Place:
    """Where a handoff goes by the rules: to one of a team, or to a person of it."""

    team: Team
    rule: RoutingRule | None = None

    @property
    def person(self) -> User | None:
        return self.rule.person if self.rule else None


class Desk:
    """Chooses for many handoffs in one transaction. It locks their teams, so that no two workers take the same turn or
    fill the same place under somebody's cap; handoffs that exist already are locked before.

    `had` are the people who had each handoff before, by its id. Handoffs come with their lead and agreement.
    """

    def __init__(self, handoffs: Iterable[Handoff], *, had: Mapping[int, Collection[int]], now: datetime) -> None:
        self._had = had
        rules = RoutingRule.objects.filter(is_active=True).select_related("team", "person__team")
        self._rules = [
            (rule, [as_test(row) for row in rule.criteria.all()]) for rule in rules.prefetch_related("criteria")
        ]
        self._places = {handoff.pk: self._place(handoff) for handoff in handoffs}
        places = set(self._places.values())
        teams = {place.team.pk for place in places}
        lock_teams(teams)
        named = {place.person.pk for place in places if place.person}
        self._members = {row.key: row for row in roster.members(teams, people=named, now=now)}
        self._seats: dict[int, list[tuple[RoutingSeat, Seat]]] = {}
        self._rotas = self._make_rotas(places)

    def count(self, owners: Iterable[int]) -> None:
        """Count what these people get without being chosen."""
        for key in owners:
            if key in self._members:
                self._members[key].open += 1

    def choose(self, handoff: Handoff) -> Choice:
        """Who is next for a handoff."""
        place, but = self._places[handoff.pk], self._had.get(handoff.pk, ())
        rota, name = self._rotas[place], f"{gettext('Rule')} “{place.rule}”: " if place.rule else ""
        found = rota.next(but=but)
        if found is None:
            return Choice(None, place.team, name + self._nobody(place, but), place.rule)
        return Choice(self._members[found.key].person, place.team, name + _because(place, found), place.rule)

    def save(self) -> None:
        """Keep whose turn is next."""
        rows = [row for pairs in self._seats.values() for row, seat in pairs if _moved(row, seat)]
        RoutingSeat.objects.bulk_create(row for row in rows if row.pk is None)
        RoutingSeat.objects.bulk_update([row for row in rows if row.pk is not None], ["turns"], batch_size=500)

    def _place(self, handoff: Handoff) -> Place:
        values = None
        for rule, tests in self._rules:
            if rule.agreement_id not in (None, handoff.agreement_id):
                continue
            if rule.person and (not rule.person.is_active or rule.person_id in self._had.get(handoff.pk, ())):
                continue
            values = values_of(handoff) if values is None and tests else values
            if all(qualification.meets(test, values) for test in tests):
                team = rule.team or rule.person.team or handoff.agreement.sales_team
                return Place(team, rule)
        return Place(handoff.agreement.sales_team)

    def _make_rotas(self, places: Collection[Place]) -> dict[Place, Rota]:
        turning = {place.rule.pk for place in places if place.rule and not place.person and _in_turn(place.rule)}
        stored: dict[int, dict[int, RoutingSeat]] = {}
        for row in RoutingSeat.objects.filter(rule__in=turning).order_by("pk") if turning else ():
            stored.setdefault(row.rule_id, {})[row.person_id] = row
        made = {}
        for place in places:
            if place.person:
                made[place] = Rota([Seat(self._members[place.person.pk])], in_turn=False)
            elif place.rule and place.rule.pk in turning:
                made[place] = self._turning(place, stored.get(place.rule.pk, {}))
            else:
                made[place] = Rota(map(Seat, self._of_team(place.team)), in_turn=False)
        return made

    def _turning(self, place: Place, stored: Mapping[int, RoutingSeat]) -> Rota:
        """A rota in turn, with a seat for each rep; seats of people who have left are passed over."""
        weighted, pairs = place.rule.method == Method.WEIGHTED, []
        reps: dict[int, Rep] = {row.key: row for row in self._of_team(place.team)}
        for key in sorted(reps.keys() | stored.keys()):
            row = stored.get(key) or RoutingSeat(rule=place.rule, person_id=key)
            seat = Seat(reps.get(key) or Rep(key, is_active=False), row.weight if weighted else 1)
            seat.turns = row.turns if row.pk else None
            pairs.append((row, seat))
        self._seats[place.rule.pk] = pairs
        return Rota((seat for _, seat in pairs), in_turn=True)

    def _of_team(self, team: Team) -> list[Member]:
        """The reps of a team, without those whom only a rule names."""
        return [row for row in self._members.values() if row.person.team_id == team.pk and row.is_rep]

    def _nobody(self, place: Place, but: Collection[int]) -> str:
        """“nobody of Sales DACH is free: 2 away, 1 full”."""
        if place.person:
            why = self._members[place.person.pk].why_not
            return gettext("%(person)s is not free: %(why)s") % {"person": place.person, "why": why}
        counts = rotas.missing(self._of_team(place.team), but=but)
        said = ", ".join(f"{counts[why]} {why}" for why in (AWAY, FULL, HAD, NO_LOGIN) if counts[why])
        if not said:
            return gettext("%(team)s has no reps") % {"team": place.team}
        return gettext("nobody of %(team)s is free: %(why)s") % {"team": place.team, "why": said}


def lock_teams(ids: Iterable[int]) -> None:
    """Have turns and caps of these teams for oneself until the transaction ends. Lock handoffs before, never after."""
    list(Team.objects.select_for_update(no_key=True).filter(pk__in=ids).order_by("pk").values_list("pk"))


def as_test(row: Any) -> Test:
    """A criterion of a rule as it is tested."""
    return Test(row.field, Operator(row.operator), tuple(row.values))


def values_of(handoff: Handoff) -> dict[str, Any]:
    """What rules read of a lead: what was copied as it stood at the handoff, the rest as the source says now."""
    found = {**vars(handoff.lead), **{name: getattr(handoff, name) for name in COPIED}}
    attributes = dict(handoff.lead.attributes or {})
    for name, value in handoff.snapshot.items():
        if name.startswith("attributes."):
            attributes[name.removeprefix("attributes.")] = value
        else:
            found[name] = value
    return {**found, "attributes": attributes}


def _in_turn(rule: RoutingRule) -> bool:
    return rule.method in (Method.ROUND_ROBIN, Method.WEIGHTED)


def _moved(row: RoutingSeat, seat: Seat) -> bool:
    """Take over what a seat's turns are now; whether that is new."""
    is_new, row.turns = row.pk is None or row.turns != seat.turns, seat.turns
    return is_new


def _because(place: Place, chosen: Rep) -> str:
    """“next in turn of Sales DACH, at work now”; the one who was chosen is counted already."""
    if place.person:
        words = gettext("for %(person)s") % {"person": place.person}
    elif place.rule is None or not _in_turn(place.rule):
        whose = place.team if place.rule else gettext("the team")
        words = gettext("fewest open handoffs of %(whose)s (%(open)s)") % {"whose": whose, "open": chosen.open - 1}
    else:
        is_weighted = place.rule.method == Method.WEIGHTED
        words = gettext("next in turn by weight of %(team)s") if is_weighted else gettext("next in turn of %(team)s")
        words %= {"team": place.team}
    if place.person or chosen.is_at_work is None:
        return words
    return f"{words}, {gettext('at work now') if chosen.is_at_work else gettext('nobody is at work now')}"
