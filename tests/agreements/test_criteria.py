"""Criteria against values and against each other: whatever two scopes share is never said to be apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agreements import terms
from agreements.catalogue import Operator
from agreements.criteria import accepts, overlap
from leads import qualification


def scope(text: str) -> list[terms.Test]:
    """Tests written as “score at least 80, source one of Web; Event”."""
    found = []
    for part in filter(None, text.split(", ")):
        field, _, rest = part.partition(" ")
        operator = max((one for one in Operator if rest == one or rest.startswith(f"{one} ")), key=len)
        values = [value.strip() for value in rest[len(operator) :].split(";")]
        found.append(terms.Test(field, operator, tuple(filter(None, values))))
    return found


MEETING = [
    ("", ""),
    ("", "source is Web"),
    ("source is Web", "segment is SMB"),
    ("source is Web", "source is WEB"),
    ("source is Web", "source one of Event; web"),
    ("source one of Web; Event", "source one of Event; Fair"),
    ("source is Web", "source is not Event"),
    ("source is not Web", "source is not Event"),
    ("source is Inbound demo", "source contains DEMO"),
    ("source contains demo", "source contains web"),
    ("source contains demo", "source none of demo; web"),
    ("source is filled", "source is not Web"),
    ("phone filled", "phone is 12"),
    ("phone empty", "phone empty"),
    ("score at least 80", ""),
    ("score at least 80", "score at most 80"),
    ("score at least 80", "score at most 90, score is not 85"),
    ("score at least 50", "score at least 80"),
    ("score is 80", "score is 80.0"),
    ("score is 80", "score at least 80, score at most 80"),
    ("score one of 10; 90", "score at least 80"),
    # Written 80.5e1, the number 805 contains a point.
    ("score is 805", "score contains ."),
    ("score at least 80, score at most 80", "score contains 5"),
]

APART = [
    ("source is Web", "source is Event"),
    ("source is Web", "source is not web"),
    ("source one of Web; Event", "source none of event; WEB; Fair"),
    ("source one of Web; Event", "source one of Fair; Demo"),
    ("source is Web", "source contains demo"),
    ("source is Web", "source empty"),
    ("source filled", "source empty"),
    ("source is not Web", "source empty"),
    ("source none of Web; Event", "source empty"),
    ("source contains Web", "source empty"),
    ("score at least 80", "score empty"),
    ("score at least 80", "score at most 79.99"),
    ("score at least 80", "score is 79"),
    ("score at least 80", "score one of 10; 20; none"),
    ("score at least 80", "score is many"),
    ("score is 80", "score is not 80.0"),
    ("score at least 80, score at most 80", "score is not 80"),
    ("source is Web, score at least 80", "source is web, score at most 70"),
]


@pytest.mark.parametrize(("one", "other"), MEETING)
def test_scopes_meet_unless_a_field_keeps_them_apart(one, other):
    assert overlap(scope(one), scope(other))
    assert overlap(scope(other), scope(one))


@pytest.mark.parametrize(("one", "other"), APART)
def test_one_field_is_enough_to_keep_scopes_apart(one, other):
    assert not overlap(scope(one), scope(other))
    assert not overlap(scope(other), scope(one))


def test_scopes_may_be_kept_apart_by_a_third_one_only():
    two = scope("source one of Web; Event"), scope("source one of Event; Fair")
    assert overlap(*two)
    assert not overlap(*two, scope("source is not event"))


FIELDS = ("source", "score", "attributes.tier")
# Few words and numbers, in several spellings, so that scopes and leads often hit upon each other.
words = st.sampled_from(
    ["Web", " web ", "WEB demo", "demo", "Straße", "STRASSE", "0", "1", "1.0", "1e0", "2", "-3", "+1"]
)
numbers = st.sampled_from(["0", "1", "1.0", "2", "-3", "10"])


@st.composite
def criteria(draw) -> terms.Test:
    operator = draw(st.sampled_from(Operator))
    if operator in (Operator.EMPTY, Operator.FILLED):
        values = ()
    elif operator in (Operator.AT_LEAST, Operator.AT_MOST):
        values = (draw(numbers),)
    else:
        several = operator in (Operator.ONE_OF, Operator.NONE_OF)
        values = tuple(text.strip() for text in draw(st.lists(words, min_size=1, max_size=3 if several else 1)))
    return terms.Test(draw(st.sampled_from(FIELDS)), operator, values)


values = st.one_of(st.none(), st.just(""), words, st.integers(-3, 3), st.floats(-3, 3), st.text(max_size=4))
leads = st.builds(lambda source, score, tier: {"source": source, "score": score, "attributes": {"tier": tier}},
                  values, values, values)  # fmt: skip
scopes = st.lists(criteria(), max_size=3)


@given(lead=leads, one=scopes, other=scopes)
def test_scopes_that_one_lead_meets_are_never_said_to_be_apart(lead, one, other):
    if all(qualification.meets(test, lead) for test in [*one, *other]):
        assert overlap(one, other)


@given(lead=leads, parts=st.lists(criteria(), min_size=1, max_size=6), cut=st.integers(0, 6))
def test_the_scopes_that_a_lead_meets_among_any_are_never_said_to_be_apart(lead, parts, cut):
    """The same with scopes made to fit, so that nearly every example says something."""
    met = [test for test in parts if qualification.meets(test, lead)]
    assert overlap(met[:cut], met[cut:])


@given(lead=leads, test=criteria())
def test_a_lead_meets_a_criterion_when_its_value_does(lead, test):
    assert qualification.meets(test, lead) is accepts(test, qualification.value_of(lead, test.field))
