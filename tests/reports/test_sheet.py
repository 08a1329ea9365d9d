"""What a scorecard says: verdicts in words, honest figures, and a link behind each number."""

from urllib.parse import parse_qs, urlsplit

import pytest

from reports import breakdowns, sheet
from reports.evidence import Evidence, Number

ROW = {
    "code": "response",
    "version": 1,
    "kind": "first_response",
    "party": "sales",
    "dimension": "speed",
    "pk": 7,
    "title": "Contact within 4 hours",
    "limit": "4 business hours",
    "calendar": "Office",
    "scope": [],
    "handoffs": 10,
    "target": 0.95,
    "target_unit": "share",
    "expected": None,
    "met": 7,
    "missed": 1,
    "open": 0,
    "excluded": 2,
    "excluded_by": {"below_definition": 2},
    "attainment": 0.875,
    "kept": False,
    "median_seconds": 60.0,
    "p90_seconds": 90.0,
    "unstopped": 0,
    "by": {"source": []},
}
VOLUME = {
    **ROW,
    "code": "volume",
    "kind": "volume",
    "party": "marketing",
    "pk": 8,
    "title": "50 MQLs a month",
    "limit": "",
    "target": 50.0,
    "target_unit": "per month",
    "expected": 50.0,
    "attainment": 0.14,
}


def card(*rows, **overrides) -> dict:
    fields = {
        "versions": sorted({row["version"] for row in rows}),
        "period": {"key": "2025-03", "label": "March 2025"},
        "handoffs": 10,
        "unmatched": 3,
        "commitments": list(rows),
        "outcomes": {"meetings": 1, "opportunities": 0, "won": 0, "lost": 0, "pipeline": 0.0},
    }
    return {**fields, **overrides}


EVIDENCE = Evidence(5, "2025-03")


def built(*rows, earlier=(), **overrides) -> sheet.Sheet:
    return sheet.build(card(*rows, **overrides), EVIDENCE, earlier=earlier)


def broken_down(*rows, by="source") -> breakdowns.Table:
    (table,) = sheet.break_down(card(*rows), EVIDENCE, by)
    return table


def test_sides_stand_in_order_and_count_kept_broken_and_undecided_promises():
    rows = [
        {**ROW, "party": "operations", "kept": True},
        ROW,
        {**ROW, "kept": None},
        {**ROW, "kept": True},
        {**VOLUME, "kept": True},
    ]

    sides = built(*rows).sides

    assert [(side.label, side.kept, side.judged, side.pending) for side in sides] == [
        ("Marketing", 1, 1, 0),
        ("Sales", 1, 2, 1),
        ("Operations", 1, 1, 0),
    ]


@pytest.mark.parametrize(
    ("row", "reached", "target"),
    [
        (ROW, "88 %", "95 %"),
        ({**ROW, "attainment": 0.9496}, "94.96 %", "95 %"),
        ({**ROW, "attainment": None, "kept": None}, "no data", "95 %"),
        ({**ROW, "target": None, "kept": None}, "88 %", ""),
        ({**VOLUME, "met": 1234, "expected": 1500.0}, "1,234", "1,500"),
        ({**VOLUME, "met": 5, "expected": 4.838}, "5", "4.8"),
    ],
)
def test_a_figure_never_looks_as_if_it_had_reached_what_it_did_not(row, reached, target):
    (line,) = built(row).sides[0].lines

    assert (line.reached.replace("\xa0", " "), line.target.replace("\xa0", " ")) == (reached, target)


@pytest.mark.parametrize(
    ("row", "about"),
    [
        (ROW, "Within 4 business hours, Office"),
        ({**ROW, "limit": "24 hours", "calendar": ""}, "Within 24 hours"),
        ({**ROW, "scope": ["score is at least 80"]}, "Within 4 business hours, Office; score is at least 80"),
        (VOLUME, "First handoffs that meet the definition, less duplicates and unusable contact data"),
        (
            {**VOLUME, "expected": 4.8},
            "First handoffs that meet the definition, less duplicates and unusable contact data"
            "; 50 a month, in proportion to the days",
        ),
    ],
)
def test_a_promise_says_in_one_line_what_it_is_about(row, about):
    assert built(row).sides[0].lines[0].about == about


def test_two_versions_are_told_apart_where_they_are_mentioned():
    later = {**ROW, "version": 2, "title": "MQLs reviewed"}

    lines = built(ROW, later).sides[0].lines

    assert [line.mention for line in lines] == ["contact within 4 hours (version 1)", "MQLs reviewed (version 2)"]


def asked(number: Number) -> dict:
    """What the link of a number asks of the list of handoffs."""
    return {name: value for name, (value,) in parse_qs(urlsplit(number.url).query, keep_blank_values=True).items()}


def test_each_number_links_to_what_it_counts():
    page = built(ROW)
    base = {"agreement": "5", "period": "2025-03"}
    (line,) = page.sides[0].lines

    assert asked(page.handoffs) == base
    assert asked(page.unmatched) == {**base, "unmatched": "1"}
    assert [asked(number) for number in line.numbers] == [
        {**base, "commitment": "7", "state": state} for state in ("met", "missed", "open", "excluded")
    ]
    assert [asked(number) for number in line.exclusions] == [
        {**base, "commitment": "7", "state": "excluded", "rule": "below_definition"}
    ]
    assert asked(page.outcomes[0]) == {**base, "outcome": "meeting"}


def group(value, key, **overrides) -> dict:
    fields = {"value": value, "id": key, "met": 7, "missed": 1, "open": 0, "excluded": 2}
    return {**fields, "attainment": 0.875, "kept": False, "too_few": False, **overrides}


@pytest.mark.parametrize(
    ("by", "key", "written", "shows_handoffs"),
    [
        ("source", "Webinar & more", "Webinar & more", True),
        ("source", None, "", True),
        ("segment", None, "", True),
        ("team", 3, "3", False),
        ("team", None, "none", False),
        ("rep", 12, "12", False),
        ("rep", None, "none", False),
    ],
)
def test_a_break_down_links_to_its_value_even_where_there_is_none(by, key, written, shows_handoffs):
    (row,) = broken_down({**ROW, "by": {by: [group(key and "Name", key)]}}, by=by).groups
    (cell,) = row.cells
    assert [asked(number)[by] for number in cell.numbers] == [written] * 3
    assert [(number.name, number.count) for number in cell.numbers] == [("met", 7), ("missed", 1), ("excluded", 2)]
    assert (row.handoffs is not None) is shows_handoffs
    if row.handoffs:
        assert (row.handoffs.count, asked(row.handoffs)["version"], asked(row.handoffs)[by]) == (10, "1", written)


def test_values_stand_by_size_and_those_without_one_last():
    groups = [group(None, None, met=90), group("Small", "Small", met=1), group("Large", "Large", met=50)]

    table = broken_down({**ROW, "by": {"source": groups}})

    assert [(row.value, row.is_blank) for row in table.groups] == [
        ("Large", False), ("Small", False), ("without a source", True),
    ]  # fmt: skip


def test_a_value_that_one_commitment_does_not_know_has_an_empty_cell_there():
    other = {**ROW, "pk": 9, "by": {"source": []}}

    (row,) = broken_down({**ROW, "by": {"source": [group("Event", "Event")]}}, other).groups
    assert [len(cell.numbers) for cell in row.cells] == [3, 0]


@pytest.mark.parametrize(
    ("attainment", "kept", "too_few", "target", "heat", "words"),
    [
        (1.0, True, False, 0.95, "heat-ok-3", "100 %"),
        (0.97, True, False, 0.95, "heat-ok-2", "97 %"),
        (0.95, True, False, 0.95, "heat-ok-1", "95 %"),
        (1.0, True, False, 1.0, "heat-ok-3", "100 %"),
        (0.94, False, False, 0.95, "heat-bad-1", "94 %"),
        (0.88, False, False, 0.95, "heat-bad-2", "88 %"),
        (0.5, False, False, 0.95, "heat-bad-3", "50 %"),
        (0.5, False, True, 0.95, "", "too few"),
        (None, None, False, 0.95, "", "no data"),
        (0.5, None, False, None, "", "50 %"),
    ],
)
def test_the_colour_of_a_cell_follows_its_distance_from_the_target(attainment, kept, too_few, target, heat, words):
    one = group("Event", "Event", attainment=attainment, kept=kept, too_few=too_few)

    cell = broken_down({**ROW, "target": target, "by": {"source": [one]}}).groups[0].cells[0]
    assert (cell.heat, cell.attained.replace("\xa0", " ")) == (heat, words)


def test_volume_by_value_shows_numbers_without_a_verdict():
    one = group("Event", "Event", missed=0, attainment=None, kept=None)

    cell = broken_down({**VOLUME, "by": {"source": [one]}}).groups[0].cells[0]

    assert (cell.attained, cell.heat, [number.count for number in cell.numbers]) == ("", "", [7, 2])


def earlier_cards(*shares):
    return [
        None if share is None else card({**ROW, "met": round(share * 100), "missed": 100 - round(share * 100)})
        for share in shares
    ]


def test_a_trend_runs_over_the_known_periods_and_says_so_in_words():
    page = built(ROW, earlier=earlier_cards(None, 0.5, None, 0.7, 0.95))

    trend = page.sides[0].lines[0].trend
    assert trend.words.replace("\xa0", " ") == "no data, 50 %, no data, 70 %, 95 %, 88 %"
    assert len(trend.points.split()) == 4
    first, *_, last = trend.points.split()
    assert first == "23.8,29.0"  # the lowest value stands at the lower edge
    assert trend.last == tuple(float(number) for number in last.split(","))
    assert trend.target_y == 5.0  # the target is the highest here


@pytest.mark.parametrize("known", [(), (None, None, None, None, None)])
def test_one_known_period_makes_no_trend(known):
    assert built(ROW, earlier=earlier_cards(*known)).sides[0].lines[0].trend is None


def test_a_trend_that_never_moved_is_a_level_line_in_the_middle():
    page = built({**ROW, "met": 95, "missed": 5}, earlier=earlier_cards(0.95))

    assert page.sides[0].lines[0].trend.points == "5.0,17.0 99.0,17.0"


def test_the_trend_of_volume_takes_versions_of_one_month_together_against_what_was_due():
    before = card({**VOLUME, "met": 10, "expected": 20.0}, {**VOLUME, "met": 30, "expected": 20.0, "version": 2})

    page = built({**VOLUME, "met": 25, "expected": 50.0}, earlier=[before])

    assert page.sides[0].lines[0].trend.words.replace("\xa0", " ") == "100 %, 50 %"


def test_the_table_behind_a_trend_has_its_periods_with_their_counts():
    page = built(ROW, earlier=earlier_cards(None, 0.5, 0.7))

    moments = page.sides[0].lines[0].trend.moments

    assert [(one.attained.replace("\xa0", " "), one.met, one.of) for one in moments] == [
        ("50 %", 50, 100), ("70 %", 70, 100), ("88 %", 7, 8),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("row", "baseline"),
    [
        ({**ROW, "baseline": 0.6}, "60 %"),
        ({**VOLUME, "baseline": 35.0}, "35 a month"),
        ({**ROW, "baseline": None}, ""),
        (ROW, ""),  # computed by an earlier release
    ],
)
def test_a_promise_says_how_it_stood_before(row, baseline):
    (line,) = built(row).sides[0].lines

    assert line.baseline.replace("\xa0", " ") == baseline


def test_the_error_of_a_median_is_stated_where_there_is_one():
    assert [
        built({**ROW, "spread_error": error}).sides[0].lines[0].spread_error.replace("\xa0", " ")
        for error in (0.015, 0.0)
    ] == ["1.5 %", ""]


def test_weekdays_and_hours_stand_in_their_order_and_have_names():
    days = [group("Sunday", 7, met=90), group("Monday", 1, met=1)]
    hours = [group("17:00", 17, met=90), group("09:00", 9, met=1)]
    row = {**ROW, "by": {"weekday": days, "hour": hours}}

    assert [one.value for one in broken_down(row, by="weekday").groups] == ["Monday", "Sunday"]
    assert [one.value for one in broken_down(row, by="hour").groups] == ["09:00–10:00", "17:00–18:00"]
    assert asked(broken_down(row, by="hour").groups[0].handoffs)["hour"] == "9"


def test_a_page_shows_so_many_values_and_counts_the_others():
    many = [group(f"Fair {number}", f"Fair {number}") for number in range(breakdowns.MOST_GROUPS + 3)]

    table = broken_down({**ROW, "by": {"source": many}})

    assert (len(table.groups), table.hidden) == (breakdowns.MOST_GROUPS, 3)


def week(key, **overrides) -> dict:
    return {"week": key, "met": 7, "missed": 1, "open": 0, "excluded": 2, "attainment": 0.875, "kept": False,
            "too_few": False, **overrides}  # fmt: skip


def test_a_map_of_heat_has_a_column_for_each_week_and_a_gap_where_nothing_came():
    rows = [
        {"value": "Event", "id": "Event", "cells": [week("2025-W10"), week("2025-W12", too_few=True)]},
        {"value": None, "id": None, "cells": [week("2025-W11", attainment=1.0, kept=True, missed=0)]},
    ]

    found = built({**ROW, "weeks": rows}).heat

    assert found.weeks == ["2025-W10", "2025-W11", "2025-W12"]
    (event, _, cells), (nobody, is_blank, others) = found.rows
    assert (event, nobody, is_blank) == ("Event", "without a source", True)
    assert [cell and cell.attained.replace("\xa0", " ") for cell in cells] == ["88 %", None, "too few"]
    assert [cell and cell.heat for cell in others] == [None, "heat-ok-3", None]
    assert parse_qs(urlsplit(others[1].url).query, keep_blank_values=True)["source"] == [""]


def test_the_map_on_the_page_is_that_of_the_share_furthest_below_its_target():
    cells = [{"value": "Event", "id": "Event", "cells": [week("2025-W10")]}]
    fine = {**ROW, "pk": 1, "attainment": 1.0, "kept": True, "weeks": cells}
    worst = {**ROW, "pk": 2, "attainment": 0.5, "weeks": cells}
    few = {**ROW, "pk": 3, "attainment": 0.0, "too_few": True, "weeks": cells}

    assert built(fine, few, worst, {**VOLUME, "weeks": cells}).heat.line.row["pk"] == 2
    assert built({**VOLUME, "weeks": cells}).heat is None
