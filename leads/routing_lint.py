"""Remarks on routing rules: those that no lead can meet, or that can choose nobody, and what is likely a slip.

Rules are read together, because an earlier one may leave nothing to a later one.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import inf

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from agreements import criteria
from agreements.catalogue import Operator
from agreements.terms import Test
from leads.desk import as_test
from leads.models import RoutingRule
from slaportal import roles
from slaportal.models import Party, User

EXACT = (Operator.IS, Operator.ONE_OF)


@dataclass(frozen=True)
class Scope:
    """A rule with its criteria as tests."""

    rule: RoutingRule
    tests: Sequence[Test]


def of(rules: Iterable[RoutingRule]) -> dict[int, list[str]]:
    """Remarks by rule, for all rules in their order; one that is not used has none."""
    scopes = [Scope(rule, [as_test(row) for row in rule.criteria.all()]) for rule in rules if rule.is_active]
    reps = _reps({scope.rule.team_id for scope in scopes} - {None})
    found = {}
    for place, scope in enumerate(scopes):
        remarks = [*_of_leads(scope, scopes[:place]), *_of_people(scope.rule, reps)]
        if remarks:
            found[scope.rule.pk] = remarks
    return found


def to_lint() -> list[RoutingRule]:
    """Every rule with what the remarks read."""
    rules = RoutingRule.objects.select_related("team", "person__team", "agreement__sales_team")
    return list(rules.prefetch_related("criteria", "agreement__scope", "seats__person__groups"))


# --- Leads: which can meet it -------------------------------------------------------------------------------------


def _of_leads(scope: Scope, earlier: Sequence[Scope]) -> Iterator[str]:
    rule, tests = scope.rule, scope.tests
    if not criteria.overlap(tests):
        yield _("No lead can meet it: its criteria exclude each other (%(words)s).") % {"words": _words(tests)}
        return
    covered = [as_test(row) for row in rule.agreement.scope.all()] if rule.agreement else []
    if not criteria.overlap(tests, covered):
        yield _("No lead of %(agreement)s can meet it: the agreement covers %(words)s.") % {
            "agreement": rule.agreement,
            "words": _words(covered),
        }
        return
    for other in earlier:
        if other.rule.agreement_id not in (None, rule.agreement_id) or not criteria.overlap(other.tests):
            continue
        # One that names a person is passed over where they had the handoff before, or cannot log in.
        if other.rule.person:
            continue
        if all(implies(tests, test) for test in other.tests):
            yield _("No lead reaches it: whatever it fits, “%(rule)s” before it fits as well. Move it up.") % {
                "rule": other.rule
            }
            return


def implies(tests: Iterable[Test], wider: Test) -> bool:
    """Whether every value that meets all these tests meets the wider one too; where that is not certain, no."""
    mine = [test for test in tests if test.field == wider.field]
    if not mine:
        return False
    for test in mine:
        if test.operator in EXACT:
            left = [text.casefold() for text in test.values if criteria.fits(text, mine)]
            # A number is written in more than one way.
            is_certain = wider.operator != Operator.CONTAINS or all(criteria.number_of(text) is None for text in left)
            return is_certain and all(criteria.accepts(wider, value) for value in left)
    if wider.operator == Operator.EMPTY or any(test.operator == Operator.EMPTY for test in mine):
        return any(test.operator == Operator.EMPTY for test in mine) and criteria.accepts(wider, "")
    if wider.operator == Operator.FILLED:
        return True
    return any(_narrower(test, wider) for test in mine)


def _narrower(test: Test, wider: Test) -> bool:
    """Whether one test of a field that is not about single values leaves no more than another."""
    if test == wider:
        return True
    match wider.operator:
        case Operator.AT_LEAST | Operator.AT_MOST if test.operator == wider.operator:
            mine, theirs = float(test.values[0]), float(wider.values[0])
            return mine >= theirs if wider.operator == Operator.AT_LEAST else mine <= theirs
        case Operator.CONTAINS if test.operator == Operator.CONTAINS:
            return wider.values[0].casefold() in test.values[0].casefold()
        case Operator.IS_NOT | Operator.NONE_OF:
            return all(_excludes(test, text) for text in wider.values)
    return False


def _excludes(test: Test, text: str) -> bool:
    """Whether a test rules one value out."""
    if test.operator in (Operator.IS_NOT, Operator.NONE_OF):
        return not criteria.accepts(test, text.casefold())
    number = criteria.number_of(text)
    if test.operator == Operator.CONTAINS:
        # A number is written in more than one way.
        return number is None and not criteria.accepts(test, text.casefold())
    if test.operator in (Operator.AT_LEAST, Operator.AT_MOST):
        low = float(test.values[0]) if test.operator == Operator.AT_LEAST else -inf
        high = float(test.values[0]) if test.operator == Operator.AT_MOST else inf
        return number is None or not low <= number <= high
    return False


def _words(tests: Iterable[Test]) -> str:
    return "; ".join(str(test) for test in tests)


# --- People: who can be chosen ------------------------------------------------------------------------------------


def _reps(teams: set[int]) -> dict[int, list[User]]:
    """The reps of these teams, those who cannot log in too."""
    found: dict[int, list[User]] = {team: [] for team in teams}
    for person in User.objects.filter(team__in=teams, groups__name=roles.REP):
        found[person.team_id].append(person)
    return found


def _of_people(rule: RoutingRule, reps: dict[int, list[User]]) -> Iterator[str]:
    if rule.person:
        yield from _of_person(rule.person)
    else:
        yield from _of_team(rule, reps[rule.team_id])
    team = rule.team or rule.person.team
    if team and team.party != Party.SALES:
        yield _("%(team)s is no sales team, so nobody there works leads.") % {"team": team}
    elif team and rule.agreement and team != rule.agreement.sales_team:
        said = _("%(agreement)s was signed for %(signer)s, and this gives its leads to %(team)s.")
        yield said % {"agreement": rule.agreement, "signer": rule.agreement.sales_team, "team": team}


def _of_person(person: User) -> Iterator[str]:
    if not person.is_active:
        yield _("It can choose nobody: %(person)s cannot log in. The next rule that fits is asked instead.") % {
            "person": person
        }
    elif person.most_open == 0:
        yield _("It can choose nobody: %(person)s may have no handoff open (cap 0).") % {"person": person}
    if not person.team:
        yield _(
            "%(person)s is in no team, so what waits for them waits in the queue of the agreement’s sales team."
        ) % {"person": person}


def _of_team(rule: RoutingRule, reps: Sequence[User]) -> Iterator[str]:
    active = [person for person in reps if person.is_active]
    if not reps:
        said = _("It can choose nobody: %(team)s has no member with the role %(role)s.")
        yield said % {"team": rule.team, "role": roles.REP}
    elif not active:
        yield _("It can choose nobody: no rep of %(team)s can log in.") % {"team": rule.team}
    elif all(person.most_open == 0 for person in active):
        yield _("It can choose nobody: every rep of %(team)s may have no handoff open (cap 0).") % {"team": rule.team}
    if rule.method == RoutingRule.Method.WEIGHTED:
        here = {person.pk for person in active}
        gone = [str(seat.person) for seat in rule.seats.all() if seat.weight != 1 and seat.person_id not in here]
        if gone:
            said = ngettext(
                "%(people)s is no active rep of %(team)s any more, so their weight counts for nothing.",
                "%(people)s are no active reps of %(team)s any more, so their weight counts for nothing.",
                len(gone),
            )
            yield said % {"people": ", ".join(gone), "team": rule.team}
