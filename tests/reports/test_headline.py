"""The sentence at the top: what each side kept, the best and the worst promise, and what cannot be said."""

import pytest

from reports import headline, promises
from reports.evidence import Evidence
from tests.reports.test_sheet import ROW, VOLUME, card

EVIDENCE = Evidence(5, "2025-03")
KEPT = {**ROW, "title": "Review in a day", "met": 98, "missed": 2, "attainment": 0.98, "kept": True}
BARELY = {**KEPT, "title": "Complete records", "attainment": 0.952}
MISSED = {**ROW, "title": "Call back", "attainment": 0.88, "kept": False}
WORSE = {**MISSED, "title": "Five attempts", "attainment": 0.5}
UNKNOWN = {**ROW, "title": "Reasons", "met": 0, "missed": 0, "attainment": None, "kept": None}
DELIVERED = {**VOLUME, "met": 53, "attainment": 1.06, "kept": True}
SHORT = {**VOLUME, "met": 20, "attainment": 0.4, "kept": False}
UNDECIDED = {**VOLUME, "met": 20, "attainment": 0.4, "kept": None}


def said(*rows, handoffs=100, is_running=False) -> str:
    sides = promises.sides(promises.lines(card(*rows), EVIDENCE))
    found = headline.sentences(sides, handoffs=handoffs, label="March 2025", is_running=is_running)
    return headline.plain(found).replace("\xa0", " ")


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ((KEPT, MISSED, DELIVERED),
         "Marketing kept 1 of 1 promise. Sales kept 1 of 2 promises. Furthest below its target: call back reached 88 % "
         "against 95 %. Best kept: 50 MQLs a month reached 53 against 50."),
        ((KEPT, BARELY),
         "Sales kept 2 of 2 promises. Best kept: review in a day reached 98 % against 95 %. By the least: complete "
         "records reached 95.2 % against 95 %."),
        ((MISSED, WORSE),
         "Sales kept 0 of 2 promises. Furthest below its target: five attempts reached 50 % against 95 %. Nearest to "
         "its target: call back reached 88 % against 95 %."),
        ((MISSED,), "Sales kept 0 of 1 promise. Furthest below its target: call back reached 88 % against 95 %."),
        ((KEPT,), "Sales kept 1 of 1 promise. Best kept: review in a day reached 98 % against 95 %."),
        # Both are as far above: neither is the better one.
        ((KEPT, {**KEPT, "title": "Another"}),
         "Sales kept 2 of 2 promises. Best kept: review in a day reached 98 % against 95 %."),
        ((SHORT, KEPT),
         "Marketing kept 0 of 1 promise. Sales kept 1 of 1 promise. Furthest below its target: 50 MQLs a month reached "
         "20 against 50. Best kept: review in a day reached 98 % against 95 %."),
    ],
)  # fmt: skip
def test_the_best_and_the_worst_are_named_with_their_numbers(rows, sentence):
    assert said(*rows) == sentence


def test_a_promise_of_too_few_verdicts_is_counted_but_never_the_best_or_the_worst():
    few = {**WORSE, "too_few": True}

    assert said(few, MISSED) == (
        "Sales kept 0 of 2 promises. Furthest below its target: call back reached 88 % against 95 %."
    )
    assert said(few) == "Sales kept 0 of 1 promise. Too few verdicts to call any promise the best or the worst."


def test_no_data_is_said_and_is_no_miss():
    assert said(UNKNOWN) == "Sales has no data: none of its promises came to a verdict."
    assert said(UNKNOWN, KEPT) == (
        "Sales kept 1 of 1 promise (no data for 1). Best kept: review in a day reached 98 % against 95 %."
    )


def test_a_period_that_runs_says_so_far_and_has_nothing_missed_before_its_end():
    assert said(UNDECIDED, UNKNOWN, is_running=True) == (
        "So far in March 2025: Marketing has no verdict yet. Sales has no verdict yet."
    )
    assert said(UNKNOWN, MISSED, is_running=True) == (
        "So far in March 2025: Sales kept 0 of 1 promise (1 not decided yet). Furthest below its target: call back "
        "reached 88 % against 95 %."
    )


def test_two_versions_are_told_apart():
    assert said(KEPT, {**MISSED, "version": 2}) == (
        "Sales kept 1 of 2 promises. Furthest below its target: call back (version 2) reached 88 % against 95 %. "
        "Best kept: review in a day (version 1) reached 98 % against 95 %."
    )


def test_nothing_promised_and_nothing_handed_over_are_said():
    assert said() == "Nothing was promised in March 2025."
    assert said(UNKNOWN, handoffs=0) == "No lead was handed over in March 2025."
    assert said(SHORT, handoffs=0) == (
        "No lead was handed over in March 2025. Marketing kept 0 of 1 promise. Furthest below its target: 50 MQLs a "
        "month reached 20 against 50."
    )


def test_its_figures_open_to_every_handoff_of_the_promise():
    sides = promises.sides(promises.lines(card(MISSED), EVIDENCE))
    (figure,) = [one for one in headline.sentences(sides, handoffs=1, label="", is_running=False) if one.figure]

    assert (figure.url, figure.tone) == ("/handoffs/?agreement=5&period=2025-03&commitment=7", "bad")
