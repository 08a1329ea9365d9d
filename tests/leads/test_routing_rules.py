"""Rules decide in their order which team or person gets a handoff, and how one of a team is chosen."""

from collections import Counter
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st

from agreements.models import Agreement, Version
from leads import intake, routing
from leads.models import Assignment, Handoff, Lead, RoutingRule, RoutingSeat
from slaportal import roles
from slaportal.models import Party, Team, User
from tests.conftest import MONDAY, make_always, make_record, make_user, receive
from tests.leads.routed import make_away, make_rule, owners, whys, works

pytestmark = pytest.mark.django_db
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
Method = RoutingRule.Method


@pytest.fixture
def nordics(db) -> Team:
    """Another sales team, with the rep Rune."""
    team = Team.objects.create(name="Sales Nordics", party=Party.SALES)
    make_user("rune@example.com", roles.REP, team=team)
    return team


# --- Which rule ---------------------------------------------------------------------------------------------------


def test_without_rules_the_agreements_team_gets_it(version, ron, nordics):
    receive()
    assert (owners(), whys()) == (["Ron"], ["fewest open handoffs of the team (0)"])
    assert Assignment.objects.get().rule is None


def test_the_first_rule_that_fits_decides_and_stands_in_the_why(version, ron, ruth, nordics, sales):
    make_rule("Big", ("company_size", "at least", "1000"), team=sales)
    second = make_rule("North", ("country", "one of", "SE; NO"), team=nordics)
    make_rule("All", team=sales)
    (handoff,) = receive(country="se ")
    assert whys() == ["Rule “North”: next in turn of Sales Nordics"]
    assignment = Assignment.objects.get()
    assert (assignment.rule, assignment.team, assignment.owner.name) == (second, nordics, "Rune")
    receive("B", country="SE", company_size=1000)
    assert whys()[1] == "Rule “Big”: next in turn of Sales DACH"
    assert handoff.agreement.sales_team == sales


def test_position_decides_and_not_age(version, ron, nordics, sales):
    make_rule("Later", team=sales, position=5)
    make_rule("Earlier", team=nordics, position=1)
    receive()
    assert owners() == ["Rune"]


def test_a_rule_of_another_agreement_or_one_that_is_not_used_decides_nothing(version, ron, nordics, marketing, sales):
    other = Agreement.objects.create(name="Other", marketing_team=marketing, sales_team=sales)
    make_rule("Other’s", team=nordics, agreement=other)
    make_rule("Off", team=nordics, is_active=False)
    receive()
    assert owners() == ["Ron"]


def test_whom_the_source_names_comes_before_every_rule(version, ron, ruth, nordics):
    make_rule("All", team=nordics)
    receive(owner="Ruth")
    assert (owners(), whys()) == (["Ruth"], ["named by the source"])


def test_criteria_read_the_lead_as_it_stood_at_the_handoff(version, ron, nordics, sales):
    make_rule("North", ("score", "at least", "80"), ("attributes.product", "is", "router"), team=nordics)
    make_away(ron)
    (handoff,) = receive(score=90, attributes={"product": "Router"})
    assert owners() == ["Rune"]
    Lead.objects.update(score=10)
    handoff.refresh_from_db()
    routing.return_to_queue([handoff], why="", by=None, now=MONDAY + HOUR)
    make_user("rolf@example.com", roles.REP, team=nordics)
    handoff.refresh_from_db()
    routing.route([handoff], by=None, now=MONDAY + 2 * HOUR)
    assert owners() == ["Rolf"]


def test_a_named_rep_gets_it_and_one_who_is_away_is_waited_for(version, ron, ruth):
    make_rule("Key account", person=ruth)
    receive("A")
    make_away(ruth, 0, 3)
    receive("B", received_at=MONDAY + HOUR, now=MONDAY + HOUR)
    assert owners() == ["Ruth", ""]
    assert whys() == ["Rule “Key account”: for Ruth", "Rule “Key account”: Ruth is not free: away until 6 Mar"]


def test_a_named_rep_who_cannot_log_in_is_passed_over(version, ron, ruth, nordics):
    make_rule("Key account", person=ruth)
    make_rule("Rest", team=nordics)
    User.objects.filter(pk=ruth.pk).update(is_active=False)
    receive()
    assert owners() == ["Rune"]


# --- Who of a team ------------------------------------------------------------------------------------------------


def test_turns_go_on_where_the_last_call_left_them(version, ron, ruth, sales):
    make_rule("All", team=sales)
    for name in ("A", "B", "C"):
        receive(name, received_at=MONDAY, now=MONDAY)
    assert sorted(owners()) == ["Ron", "Ron", "Ruth"]
    receive("D", "E", "F", "G", "H")
    assert Counter(owners()) == {"Ron": 4, "Ruth": 4}


def test_turns_by_weight(version, ron, ruth, sales):
    make_rule("All", team=sales, method=Method.WEIGHTED, weights={ruth: 3})
    receive(*(f"L{number}" for number in range(40)))
    assert Counter(owners()) == {"Ron": 10, "Ruth": 30}
    assert whys()[0] == "Rule “All”: next in turn by weight of Sales DACH"


def test_in_turn_without_weights_every_seat_counts_once(version, ron, ruth, sales):
    make_rule("All", team=sales, weights={ruth: 3})
    receive(*(f"L{number}" for number in range(10)))
    assert Counter(owners()) == {"Ron": 5, "Ruth": 5}


def test_the_fewest_open(version, ron, ruth, sales):
    receive("A", "B", owner="Ron")
    make_rule("All", team=sales, method=Method.LEAST_LOADED)
    receive("C", "D", "E")
    assert owners()[2:] == ["Ruth", "Ruth", "Ron"]
    assert whys()[2] == "Rule “All”: fewest open handoffs of Sales DACH (0)"


def test_of_the_free_ones_those_who_are_at_work_now_are_preferred(version, ron, ruth, sales):
    make_rule("All", team=sales)
    works(ron, monday="14:00-18:00")  # it is 10:00 in Berlin
    works(ruth)
    receive("A", "B")
    assert owners() == ["Ruth", "Ruth"]
    assert whys()[0] == "Rule “All”: next in turn of Sales DACH, at work now"


def test_when_nobody_is_at_work_all_are_asked(version, ron, ruth, sales):
    works(ron, monday="14:00-18:00")
    works(ruth, monday="14:00-18:00")
    receive("A", "B")
    assert owners() == ["Ron", "Ruth"]
    assert whys()[0] == "fewest open handoffs of the team (0), nobody is at work now"


def test_a_cap_counts_what_is_given_in_the_same_call_and_what_the_source_names(version, ron, ruth, sales):
    User.objects.filter(pk=ron.pk).update(most_open=2)
    records = [make_record("N", owner="Ron"), *(make_record(f"L{number}") for number in range(5))]
    intake.receive_leads(records, now=MONDAY)
    assert Counter(owners()) == {"Ron": 2, "Ruth": 4}


def test_who_was_away_for_a_hundred_gets_only_the_share_on_return(version, ron, ruth, sales):
    make_rule("All", team=sales)
    make_away(ron, 0, 0)
    receive(*(f"A{number}" for number in range(100)))
    later = MONDAY + DAY
    receive(*(f"B{number}" for number in range(10)), received_at=later, now=later)
    assert Counter(owners()[100:]) == {"Ron": 5, "Ruth": 5}


def test_seats_of_who_left_stay_and_owe_nothing_when_they_come_back(version, ron, ruth, sales):
    make_rule("All", team=sales)
    receive("A", "B")
    User.objects.filter(pk=ron.pk).update(team=None)
    receive(*(f"B{number}" for number in range(30)))
    User.objects.filter(pk=ron.pk).update(team=sales)
    receive(*(f"C{number}" for number in range(10)))
    assert Counter(owners()[32:]) == {"Ron": 5, "Ruth": 5}
    assert RoutingSeat.objects.count() == 2


@settings(max_examples=12)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=5))
def test_over_any_bulks_the_shares_are_those_of_the_weights(bulks):
    """Through the database: seats are read and written once a call, and nothing is lost between calls."""
    with transaction.atomic():
        rule, reps = _small_world()
        count, number = Counter(), 0
        for bulk in bulks:
            handoffs = [_handoff_of(number + one) for one in range(bulk)]
            number += bulk
            for row in routing.route(handoffs, by=None, now=MONDAY):
                count[row.owner_id] += 1
            for person, weight in reps.items():
                assert abs(count[person] - weight * number / 6) < 1
        assert rule.seats.count() == 3
        transaction.set_rollback(True)


def _small_world():
    team = Team.objects.create(name="Sales of three", party=Party.SALES)
    people = [User.objects.create(email=f"p{number}@example.org", name=f"P{number}", team=team) for number in range(3)]
    for person in people:
        person.groups.add(Group.objects.get(name=roles.REP))
    rule = make_rule("Three", team=team, method=Method.WEIGHTED, weights=dict(zip(people, (1, 2, 3), strict=True)))
    return rule, {person.pk: weight for person, weight in zip(people, (1, 2, 3), strict=True)}


def _handoff_of(number: int) -> Handoff:
    agreement = Agreement.objects.first()
    if agreement is None:
        teams = [Team.objects.create(name=party, party=party) for party in (Party.MARKETING, Party.SALES)]
        agreement = Agreement.objects.create(name="A", marketing_team=teams[0], sales_team=teams[1])
        Version.objects.create(agreement=agreement, number=1, calendar=make_always())
    lead = Lead.objects.create(external_id=f"H{number}", received_at=MONDAY)
    version = agreement.versions.get()
    return Handoff.objects.create(lead=lead, agreement=agreement, version=version, qualified_at=MONDAY)


# --- Many ---------------------------------------------------------------------------------------------------------


def test_a_hundred_take_no_more_questions_than_ten(version, ron, ruth, sales):
    make_rule("Some", ("source", "is", "Webinar"), team=sales)
    make_rule("All", team=sales)
    receive("warm")
    counts = []
    for size in (10, 100):
        handoffs = receive(*(f"L{size}-{number}" for number in range(size)))
        Assignment.objects.filter(handoff__in=handoffs).delete()
        with CaptureQueriesContext(connection) as queries:
            chosen = routing._choose(handoffs, {}, now=MONDAY)
        assert len(chosen) == size
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 12
