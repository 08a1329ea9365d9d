"""What a verb says that refuses: a sentence for the translator, and what it names for the reader."""

import pickle

from slaportal.refusal import Refused


def test_a_refusal_says_what_it_names():
    assert str(Refused("Only %(team)s can, at %(share)s %%.", team="Marketing DACH", share=80)) == (
        "Only Marketing DACH can, at 80 %."
    )


def test_a_refusal_that_names_nothing_says_its_sentence_as_it_is():
    assert str(Refused("At 100 % the month is over.")) == "At 100 % the month is over."


def test_what_a_refusal_names_is_no_template():
    assert str(Refused("%(lead)s has ended.", lead="100 %(of) Ltd")) == "100 %(of) Ltd has ended."


def test_a_refusal_is_the_same_after_a_journey():
    assert str(pickle.loads(pickle.dumps(Refused("%(lead)s has ended.", lead="Ines")))) == "Ines has ended."  # noqa: S301
