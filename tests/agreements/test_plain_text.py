"""Criteria and monthly targets as people write them."""

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from agreements.catalogue import FIELDS, Operator
from agreements.models import Criterion
from agreements.plain_text import (
    parse_criteria,
    parse_criterion,
    parse_monthly_targets,
    write_criteria,
    write_criterion,
    write_monthly_targets,
)


def said(criterion: Criterion) -> tuple[str, str, str]:
    return criterion.field, str(criterion.operator), criterion.value


@pytest.mark.parametrize(
    ("line", "field", "operator", "value"),
    [
        ("score is at least 80", "score", "at least", "80"),
        ("score at least 80", "score", "at least", "80"),
        ("score >= 80", "score", "at least", "80"),
        ("company size is at most 500", "company_size", "at most", "500"),
        ("COMPANY_SIZE at most 500", "company_size", "at most", "500"),
        ("source is Demo request", "source", "is", "Demo request"),
        ("source = Demo request", "source", "is", "Demo request"),
        ("source is not Demo request", "source", "is not", "Demo request"),
        ("industry one of Logistics;Energy ;", "industry", "one of", "Logistics; Energy"),
        ("country is none of DE; AT", "country", "none of", "DE; AT"),
        ("title contains VP", "title", "contains", "VP"),
        ("phone is not empty", "phone", "filled", ""),
        ("e-mail is empty", "email", "empty", ""),
        ("source is empty street", "source", "is", "empty street"),
        ('source is "not known"', "source", "is", "not known"),
        ("attributes.Product line is Router", "attributes.Product line", "is", "Router"),
        ("  campaign   is   Spring fair ", "campaign", "is", "Spring fair"),
    ],
)
def test_a_line_is_read_as_a_person_means_it(line, field, operator, value):
    assert said(parse_criterion(line)) == (field, operator, value)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("scor is at least 80", "Leads have no field “scor”. Did you mean “score”?"),
        ("moon phase is full", "Leads have no field “moon phase”. Use score, source"),
        ("score 80", "“score 80” does not say how to compare."),
        ("score is at least many", "“many” is not a number."),
        ("industry is one of", "Give the value to compare with."),
        ("attributes. is 1", "Leads have no field “attributes.”."),
    ],
)
def test_a_line_that_says_nothing_gets_a_sentence(line, sentence):
    with pytest.raises(ValidationError) as refused:
        parse_criterion(line)
    assert refused.value.messages[0].startswith(sentence)


def test_every_bad_line_is_named_and_blank_ones_say_nothing():
    with pytest.raises(ValidationError) as refused:
        parse_criteria("score is at least 80\n\nnonsense\nscor is 1\n")
    assert [message[:7] for message in refused.value.messages] == ["Line 3:", "Line 4:"]
    assert parse_criteria(" \n") == []


words = st.text(st.characters(blacklist_categories=["C", "Z"], blacklist_characters=";"), min_size=1, max_size=9)
values = st.one_of(
    st.lists(words, min_size=1, max_size=4).map(" ".join),
    st.sampled_from(["not known", "empty", "at least 5", "one of a kind", '"quoted"', '"', '""', "is", "not empty"]),
)
fields = st.one_of(st.sampled_from(list(FIELDS)), st.sampled_from(["attributes.product", "attributes.Plan"]))


@st.composite
def criteria(draw) -> Criterion:
    operator = draw(st.sampled_from(Operator))
    match operator:
        case Operator.EMPTY | Operator.FILLED:
            value = ""
        case Operator.AT_LEAST | Operator.AT_MOST:
            value = str(draw(st.integers(0, 999)))
        case Operator.ONE_OF | Operator.NONE_OF:
            value = "; ".join(draw(st.lists(values, min_size=1, max_size=4)))
        case _:
            value = draw(values)
    return Criterion(field=draw(fields), operator=operator, value=value)


@given(st.lists(criteria(), max_size=4))
def test_what_is_written_is_read_as_the_same_criteria(rows):
    assert [said(row) for row in parse_criteria(write_criteria(rows))] == [said(row) for row in rows]


def test_a_value_that_sounds_like_a_comparison_is_written_in_quotes():
    assert write_criterion(Criterion(field="source", operator="is", value="not known")) == 'source is "not known"'
    assert write_criterion(Criterion(field="source", operator="is", value="Webinar")) == "source is Webinar"


def test_monthly_targets_are_lines_of_month_and_leads():
    assert parse_monthly_targets("2026-12:30\n\n2027-01 = 45\n2027-02 50") == {
        "2026-12": 30,
        "2027-01": 45,
        "2027-02": 50,
    }
    assert write_monthly_targets({"2027-01": 45, "2026-12": 30}) == "2026-12: 30\n2027-01: 45"


@pytest.mark.parametrize("line", ["December: 30", "2026-13: 30", "2026-12: many", "2026-12"])
def test_a_line_that_is_no_month_with_its_target_is_named(line):
    with pytest.raises(ValidationError, match="is not a month and its target, such as 2026-12: 30"):
        parse_monthly_targets(line)


def test_a_month_has_one_target():
    with pytest.raises(ValidationError, match="Line 2: 2026-12 has a target already"):
        parse_monthly_targets("2026-12: 30\n2026-12: 31")
