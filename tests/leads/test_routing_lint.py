"""Rules that no lead can meet or that can choose nobody, and their pages in the admin."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from hypothesis import example, given
from hypothesis import strategies as st

from agreements import criteria
from agreements.catalogue import Operator
from agreements.models import Criterion
from agreements.terms import Test as Criterium
from leads import routing_lint
from leads.models import RoutingRule
from slaportal import roles
from slaportal.models import Party, Team, User
from tests.conftest import make_user
from tests.leads.routed import make_rule

pytestmark = pytest.mark.django_db


@pytest.fixture
def reps(sales) -> list[User]:
    return [make_user(f"{name}@example.com", roles.REP, team=sales) for name in ("ron", "ruth")]


def said(rule: RoutingRule) -> str:
    return " ".join(routing_lint.of(routing_lint.to_lint()).get(rule.pk, ()))


def test_a_rule_that_works_has_no_remark(reps, sales, agreement):
    assert said(make_rule("All", team=sales, position=9)) == ""
    assert said(make_rule("DACH", ("country", "is", "DE"), team=sales, agreement=agreement)) == ""


@pytest.mark.parametrize(
    "tests",
    [
        [("source", "is", "Webinar"), ("source", "is", "Fair")],
        [("score", "at least", "10"), ("score", "at most", "5")],
        [("phone", "empty", ""), ("phone", "filled", "")],
    ],
)
def test_criteria_that_exclude_each_other(tests, reps, sales):
    assert "No lead can meet it: its criteria exclude each other" in said(make_rule("X", *tests, team=sales))


def test_criteria_outside_of_what_the_agreement_covers(reps, sales, agreement):
    Criterion.objects.create(agreement=agreement, field="source", operator="is", value="Fair")
    rule = make_rule("X", ("source", "is", "Webinar"), team=sales, agreement=agreement)
    assert "No lead of DACH inbound can meet it" in said(rule)


@pytest.mark.parametrize(
    ("earlier", "later", "swallowed"),
    [
        ([], [("source", "is", "Fair")], True),
        ([("source", "one of", "Fair; Webinar")], [("source", "is", "fair")], True),
        ([("source", "is", "Fair")], [("source", "one of", "Fair; Webinar")], False),
        ([("score", "at least", "10")], [("score", "at least", "10"), ("country", "is", "DE")], True),
        ([("score", "at least", "50")], [("score", "at least", "10")], False),
        ([("score", "at most", "50")], [("score", "at most", "10")], True),
        ([("company", "contains", "lab")], [("company", "contains", "Labor")], True),
        ([("company", "filled", "")], [("company", "contains", "Labor")], True),
        ([("company", "is not", "Labor")], [("company", "none of", "labor; x")], True),
        ([("company", "is not", "Labor")], [("country", "is", "DE")], False),
        ([("source", "is", "Fair"), ("country", "is", "DE")], [("source", "is", "Fair")], False),
    ],
)
def test_an_earlier_rule_that_is_as_wide_leaves_nothing(earlier, later, swallowed, reps, sales):
    make_rule("First", *earlier, team=sales)
    assert ("“First” before it fits as well" in said(make_rule("Second", *later, team=sales))) == swallowed


def test_only_an_earlier_rule_that_is_asked_for_the_same_leads_leaves_nothing(reps, sales, agreement, marketing):
    first = make_rule("First", team=sales, agreement=agreement)
    assert said(make_rule("Every", team=sales)) == ""
    assert "“First” before it" in said(make_rule("Same", team=sales, agreement=agreement))
    RoutingRule.objects.filter(pk=first.pk).update(is_active=False)
    assert "“Every” before it" in said(RoutingRule.objects.get(name="Same"))


def test_an_earlier_rule_that_names_a_person_leaves_what_they_had_before(reps, sales):
    first = make_rule("First", person=reps[0])
    assert said(make_rule("Second", team=sales)) == ""
    RoutingRule.objects.filter(pk=first.pk).update(person=None, team=sales)
    assert "“First” before it" in said(RoutingRule.objects.get(name="Second"))


operators = st.sampled_from(list(Operator))
texts = st.sampled_from(["a", "ab", "b", "5", "5.0", "10"])


@st.composite
def criteria_of_one_field(draw):
    operator = draw(operators)
    if operator in (Operator.EMPTY, Operator.FILLED):
        return Criterium("source", operator, ())
    if operator in (Operator.AT_LEAST, Operator.AT_MOST):
        return Criterium("source", operator, (draw(st.sampled_from(["5", "10"])),))
    several = operator in (Operator.ONE_OF, Operator.NONE_OF)
    return Criterium("source", operator, tuple(draw(st.lists(texts, min_size=1, max_size=3 if several else 1))))


@example([Criterium("source", Operator.IS, ("5",)), Criterium("source", Operator.CONTAINS, ("5.0",))],
         Criterium("source", Operator.IS, ("a",)))  # fmt: skip
@example([Criterium("source", Operator.IS, ("5",))], Criterium("source", Operator.CONTAINS, ("5",)))
@given(st.lists(criteria_of_one_field(), max_size=3), criteria_of_one_field())
def test_what_is_said_to_be_narrower_is_narrower(mine, wider):
    if routing_lint.implies(mine, wider):
        for value in ("", "a", "ab", "b", "5", "5.0", "7", "10", "12", "zab"):
            assert not all(criteria.accepts(test, value) for test in mine) or criteria.accepts(wider, value)


# --- Who can be chosen --------------------------------------------------------------------------------------------


def test_a_team_of_which_nobody_can_be_chosen(sales, max_, sofia):
    rule = make_rule("All", team=sales)
    assert said(rule) == "It can choose nobody: Sales DACH has no member with the role Rep."
    rep = make_user("ron@example.com", roles.REP, team=sales, most_open=0)
    assert said(rule) == "It can choose nobody: every rep of Sales DACH may have no handoff open (cap 0)."
    User.objects.filter(pk=rep.pk).update(is_active=False)
    assert said(rule) == "It can choose nobody: no rep of Sales DACH can log in."


def test_a_named_person_who_cannot_be_chosen(ron):
    rule = make_rule("Key", person=ron)
    assert said(rule) == ""
    User.objects.filter(pk=ron.pk).update(most_open=0)
    assert "may have no handoff open (cap 0)" in said(rule)
    User.objects.filter(pk=ron.pk).update(is_active=False)
    assert "Ron cannot log in" in said(rule)


def test_a_team_of_another_side_or_agreement_and_weights_of_people_who_left(reps, sales, marketing, agreement):
    make_user("m@example.com", roles.REP, team=marketing)
    assert "is no sales team" in said(make_rule("M", ("score", "at least", "1"), team=marketing))
    other = Team.objects.create(name="Nordics", party=Party.SALES)
    make_user("n@example.com", roles.REP, team=other)
    rule = make_rule("N", ("score", "at least", "2"), team=other, agreement=agreement, position=0)
    RoutingRule.objects.filter(name="M").update(position=5)
    assert said(rule) == "DACH inbound was signed for Sales DACH, and this gives its leads to Nordics."
    weighted = make_rule("W", team=sales, method="weighted", weights={reps[0]: 3, reps[1]: 2})
    User.objects.filter(pk=reps[0].pk).update(team=None)
    assert said(weighted) == "Ron is no active rep of Sales DACH any more, so their weight counts for nothing."


# --- In the admin -------------------------------------------------------------------------------------------------

RULES = "admin:leads_routingrule"


def typed(**fields) -> dict[str, object]:
    blank = {"covers": "", "agreement": "", "team": "", "person": "", "method": "round robin", "position": 0}
    seats = {"seats-TOTAL_FORMS": 0, "seats-INITIAL_FORMS": 0}
    return {**blank, "is_active": "on", **seats, **fields}


def test_revops_writes_a_rule_with_criteria_as_text_and_weights(client, rita, reps, sales):
    client.force_login(rita)
    weights = {"seats-TOTAL_FORMS": 1, "seats-0-person": reps[0].pk, "seats-0-weight": 3}
    covers = "score is at least 80\ncountry is one of DE; AT"
    response = client.post(
        reverse(f"{RULES}_add"), typed(name="Big", team=sales.pk, method="weighted", covers=covers, **weights)
    )
    assert response.status_code == 302, response.context["errors"]
    rule = RoutingRule.objects.get()
    assert [str(row) for row in rule.criteria.all()] == ["score is at least 80", "country is one of DE; AT"]
    assert (rule.seats.get().person, rule.seats.get().weight) == (reps[0], 3)
    page = client.get(reverse(f"{RULES}_change", args=[rule.pk])).content.decode()
    assert "What is wrong with this rule" not in page
    listed = client.get(reverse(f"{RULES}_changelist")).content.decode()
    assert "country is one of DE; AT" in listed and "In turn, by weight" in listed


def test_a_rule_names_a_team_or_a_person(client, rita, ron, sales):
    client.force_login(rita)
    for both in ({}, {"team": sales.pk, "person": ron.pk}):
        response = client.post(reverse(f"{RULES}_add"), typed(name="X", **both))
        assert "A rule names a team or a person: one of them." in response.content.decode()


def test_remarks_stand_on_the_rules_page_and_in_the_list_and_the_order_is_edited_there(client, rita, reps, sales):
    first, second = make_rule("First", team=sales), make_rule("Second", team=sales)
    client.force_login(rita)
    remark = "whatever it fits, “First” before it fits as well"
    assert remark in client.get(reverse(f"{RULES}_change", args=[second.pk])).content.decode()
    assert remark in client.get(reverse(f"{RULES}_changelist")).content.decode()
    moved = {"form-TOTAL_FORMS": 2, "form-INITIAL_FORMS": 2, "form-0-id": first.pk, "form-0-position": 1,
             "form-1-id": second.pk, "form-1-position": 0, "_save": "Save"}  # fmt: skip
    client.post(reverse(f"{RULES}_changelist"), moved)
    assert [rule.name for rule in RoutingRule.objects.all()] == ["Second", "First"]


def test_only_revops_writes_rules(client, db, sofia, mona):
    for person in (sofia, mona):
        User.objects.filter(pk=person.pk).update(is_staff=True)
        client.force_login(person)
        assert client.get(reverse(f"{RULES}_changelist")).status_code == 403


def test_the_list_asks_as_much_for_two_as_for_twenty(client, rita, reps, sales):
    client.force_login(rita)
    counts = []
    for size in (2, 18):
        for number in range(size):
            make_rule(f"R{size}-{number}", ("score", "at least", str(number)), team=sales)
        with CaptureQueriesContext(connection) as queries:
            client.get(reverse(f"{RULES}_changelist"))
        counts.append(len(queries))
    assert counts[0] == counts[1]
