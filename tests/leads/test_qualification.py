"""What terms say of a lead's fields: the operators, value by value, and what a version makes of them."""

from datetime import UTC, datetime
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agreements import terms
from agreements.catalogue import CATALOGUE, FIELDS, Operator
from leads import qualification

MISSING = (None, "", "   ", "\t\n")


def says(operator: str, wanted: str | tuple[str, ...], value: object, field: str = "industry") -> bool:
    """Whether a lead with this value meets the criterion, through the field and through an attribute alike."""
    values = (wanted,) if isinstance(wanted, str) else wanted
    direct = qualification.meets(terms.Test(field, Operator(operator), values), {field: value})
    attribute = terms.Test("attributes.what", Operator(operator), values)
    assert qualification.meets(attribute, {"attributes": {"what": value}}) is direct
    return direct


@pytest.mark.parametrize(
    ("operator", "wanted", "meeting", "failing"),
    [
        ("is", "Logistics", ["Logistics", " logistics ", "LOGISTICS"], ["Logistic", "Logistics GmbH", 0]),
        ("is", "STRASSE", ["Straße", "strasse"], ["Strase"]),
        ("is", "50", [50, "50", "50.0", " 50 ", 50.0, "5e1"], [49, "fifty", "5 0", "5_0"]),
        ("is", "0", [0, "0", 0.0, "-0"], [1, False]),
        ("is", "True", [True, "true"], [1, "yes"]),
        ("is not", "Logistics", ["Retail", 7], ["logistics", " LOGISTICS"]),
        ("is not", "50", [51, "fifty"], [50, "50.00"]),
        ("at least", "80", [80, 80.0, "80", " 81", "1e3", 10**20], [79, 79.999, "-80", "eighty", "80 %", "0x50"]),
        ("at least", "-1", [0, -1, "-0.5"], [-2, "minus one"]),
        ("at most", "80", [80, "80.0", -5], [80.001, "81", "many"]),
        ("one of", ("VP", "C-suite"), ["vp", "c-suite ", "C-SUITE"], ["VP Sales", "C", 0]),
        ("one of", ("10", "20"), [10, "20.0"], [15]),
        ("none of", ("VP", "C-suite"), ["Manager", 3], ["vp", " C-Suite"]),
        ("contains", "Demo", ["Inbound demo", "DEMO request", "demo"], ["dem o", "webinar"]),
        ("contains", "5", [1505, "5"], [123]),
        ("filled", (), ["x", 0, False, 0.0, " . "], []),
        ("empty", (), [], ["x", 0, False, 0.0]),
    ],
)
def test_an_operator_compares_trimmed_and_without_case(operator, wanted, meeting, failing):
    assert [value for value in meeting if not says(operator, wanted, value)] == []
    assert [value for value in failing if says(operator, wanted, value)] == []


@pytest.mark.parametrize("value", MISSING)
@pytest.mark.parametrize("operator", Operator)
def test_a_missing_value_meets_only_is_empty(operator, value):
    assert says(operator, "x", value) is (operator == Operator.EMPTY)
    assert says(operator, "0", value) is (operator == Operator.EMPTY)


@pytest.mark.parametrize("operator", Operator)
@pytest.mark.parametrize("values", [{}, {"attributes": None}, {"attributes": {}}, {"attributes": {"other": "x"}}])
def test_an_attribute_that_was_never_sent_is_missing(operator, values):
    test = terms.Test("attributes.what", operator, ("x",))
    assert qualification.meets(test, values) is (operator == Operator.EMPTY)


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "Infinity", "1_000", "9" * 400])
def test_words_that_only_a_programmer_takes_for_numbers_are_no_numbers(text):
    assert not says("at least", "80", text)
    assert not says("at most", "80", text)
    assert says("is", text, text.upper())


@given(number=st.integers(-(10**9), 10**9), limit=st.integers(-(10**9), 10**9))
def test_a_number_is_at_least_or_at_most_another_as_numbers_are(number, limit):
    for value in (number, f" {number} ", f"{number}.0"):
        assert says("at least", str(limit), value, field="score") is (number >= limit)
        assert says("at most", str(limit), value, field="score") is (number <= limit)
        assert says("is", str(limit), value, field="score") is (number == limit)


@given(value=st.text(max_size=8), wanted=st.lists(st.text(max_size=8).map(str.strip).filter(bool), min_size=1))
def test_a_present_value_is_either_one_of_a_list_or_none_of_it(value, wanted):
    present = bool(value.strip())
    assert says("one of", tuple(wanted), value) + says("none of", tuple(wanted), value) == present
    assert says("is", wanted[0], value) + says("is not", wanted[0], value) == present
    assert says("filled", (), value) is present


def make_terms(**overrides) -> terms.Terms:
    """Terms with a definition and two promises, one of them for some leads only."""
    promises = tuple(
        terms.Promise(
            index=index,
            code=f"c{index}",
            title="",
            kind=CATALOGUE["definition_fit"],
            calendar="Office",
            scope=scope,
            start=None,
            limit="",
            limit_seconds=None,
            attempts=None,
            target=Fraction(95, 100),
            monthly_targets={},
            baseline=None,
            consequence="",
        )
        for index, scope in enumerate([(), (terms.Test("attributes.tier", Operator.IS, ("gold",)),)])
    )
    fields = {
        "agreement": "DACH inbound",
        "marketing_team": "Marketing",
        "sales_team": "Sales",
        "time_zone": "Europe/Berlin",
        "version": 1,
        "effective_from": datetime(2025, 1, 1, tzinfo=UTC),
        "ends_on": None,
        "scope": (terms.Test("country", Operator.ONE_OF, ("DE", "AT", "CH")),),
        "score_threshold": 80,
        "criteria": (terms.Test("industry", Operator.IS_NOT, ("Public",)),),
        "required_fields": ("phone", "company", "attributes.budget"),
        "calendar": "Office",
        "calendars": {},
        "promises": promises,
        "review_cadence": "monthly",
        "entry_grace_seconds": 0,
        "sealing_grace_seconds": 0,
        "dispute_seconds": 0,
        "monthly_cap": None,
        "minimum_group": 5,
    }
    return terms.Terms(**{**fields, **overrides})


GOOD = {"country": "de", "score": 80, "industry": "Retail", "phone": "0", "company": "N", "attributes": {"budget": 0}}


def test_a_lead_that_meets_everything_is_covered_qualified_and_complete():
    assert qualification.covers(make_terms(), GOOD)
    assert qualification.failed(make_terms(), GOOD) == []
    assert qualification.missing(make_terms(), GOOD) == []


def test_what_a_lead_fails_and_what_it_lacks_is_said_in_words():
    lead = {"score": 79, "company": " ", "attributes": {"budget": ""}}
    assert not qualification.covers(make_terms(), lead)
    assert qualification.failed(make_terms(), lead) == ["score is at least 80", "industry is not Public"]
    assert qualification.missing(make_terms(), lead) == ["phone", "company", "attributes.budget"]


def test_without_a_threshold_the_score_does_not_matter_and_without_a_scope_every_lead_is_covered():
    anyone = make_terms(scope=(), score_threshold=None, criteria=())
    assert qualification.covers(anyone, {})
    assert qualification.failed(anyone, {}) == []


def test_a_threshold_of_nought_still_asks_for_a_score():
    asking = make_terms(score_threshold=0, criteria=())
    assert qualification.failed(asking, {"score": None}) == ["score is at least 0"]
    assert qualification.failed(asking, {"score": 0}) == []


def test_a_bit_is_set_for_each_commitment_that_covers_the_lead():
    assert qualification.scope_bits(make_terms(), {}) == 0b01
    assert qualification.scope_bits(make_terms(), {"attributes": {"tier": " Gold "}}) == 0b11


def test_a_handoff_copies_every_field_that_its_terms_read():
    assert make_terms().fields_read() == {
        "country", "industry", "attributes.tier", "phone", "company", "attributes.budget",
    }  # fmt: skip


@pytest.mark.parametrize("field", FIELDS)
def test_a_value_is_copied_as_it_came(field):
    assert qualification.raw_value({field: " As It Came "}, field) == " As It Came "
