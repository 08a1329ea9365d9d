"""What changed between two versions, in words and numbers: each difference is said, and what is none is not."""

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agreements import differences, terms
from agreements.calendars import snapshot
from agreements.catalogue import CATALOGUE, Action, Operator, Unit
from agreements.models import Criterion, Version
from tests.conftest import MONDAY, make_commitment, make_step

OFFICE = {
    "id": 1,
    "time_zone": "Europe/Berlin",
    "country": "DE",
    "region": "BE",
    "hours": {str(day): [["09:00", "17:30"]] for day in range(5)},
    "special": {"2025-12-24": [["09:00", "12:00"]]},
    "closed": {"2025-01-01": "New Year's Day", "2025-12-25": "Christmas Day"},
    "working_day_seconds": 30_600,
}
SCORE = {"field": "score", "operator": "at least", "values": ["80"]}
WARNED = {"share": 50, "offset": None, "action": "tell owner", "team": "", "role": ""}
TAKEN_AWAY = {**WARNED, "share": None, "offset": 60, "action": "reassign"}
CONTACT = {
    "code": "contact",
    "title": "Contact within 4 business hours",
    "kind": "first_response",
    "party": "sales",
    "calendar": "Office",
    "scope": [SCORE],
    "start": "qualified",
    "limit": "4",
    "unit": "business hours",
    "attempts": None,
    "target": "95",
    "monthly_targets": {},
    "baseline": "70",
    "consequence": "We talk.",
    "steps": [WARNED, TAKEN_AWAY],
}
VOLUME = {
    **CONTACT,
    "code": "volume",
    "title": "Volume",
    "kind": "volume",
    "party": "marketing",
    "scope": [],
    "start": None,
    "limit": None,
    "unit": "",
    "target": "50",
    "monthly_targets": {"2026-12": "30"},
    "baseline": None,
    "consequence": "",
    "steps": [],
}
FROZEN = {
    "schema": 3,
    "agreement": {
        "name": "DACH inbound",
        "marketing_team": "Marketing DACH",
        "sales_team": "Sales DACH",
        "time_zone": "Europe/Berlin",
    },
    "version": 1,
    "effective_from": "2024-12-31T23:00:00+00:00",
    "ends_on": "2026-06-30",
    "scope": [{"field": "source", "operator": "one of", "values": ["Fair", "Webinar"]}],
    "definition": {
        "score_threshold": 80,
        "criteria": [
            {"field": "company_size", "operator": "at least", "values": ["50"]},
            {"field": "company_size", "operator": "at most", "values": ["500"]},
        ],
        "required_fields": ["email", "phone"],
    },
    "calendar": "Office",
    "calendars": {"Office": OFFICE},
    "commitments": [VOLUME, CONTACT],
    "review_cadence": "monthly",
    "review_weekday": 1,
    "entry_grace_days": "2",
    "sealing_grace_days": "5",
    "dispute_days": "5",
    "monthly_cap": 200,
    "minimum_group": 5,
    "note": "Why",
}

Path = tuple[str | int, ...]


def read(frozen: dict[str, Any]) -> terms.Terms:
    return terms.read(terms.canonical(frozen))


def put(path: str, value: object) -> dict[str, Any]:
    """The terms above with another value at a dotted path."""
    frozen = deepcopy(FROZEN)
    *parents, last = path.split(".")
    inner: Any = frozen
    for name in parents:
        inner = inner[int(name)] if isinstance(inner, list) else inner[name]
    inner[int(last) if isinstance(inner, list) else last] = value
    return frozen


def rows(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The changes, with plain blanks."""
    found = differences.changes(read(before), read(after))
    return [tuple(text.replace("\xa0", " ") for text in (one.where, one.before, one.after)) for one in found]


# --- In words and numbers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "value", "row"),
    [
        ("agreement.name", "Inbound", ("Name of the agreement", "DACH inbound", "Inbound")),
        ("agreement.marketing_team", "Growth", ("Marketing team", "Marketing DACH", "Growth")),
        ("agreement.sales_team", "Field", ("Sales team", "Sales DACH", "Field")),
        ("agreement.time_zone", "Europe/Paris", ("Time zone", "Europe/Berlin", "Europe/Paris")),
        ("effective_from", "2025-05-31T22:00:00+00:00", ("Effective from", "1 January 2025", "1 June 2025")),
        ("effective_from", None, ("Effective from", "1 January 2025", "the second signature")),
        ("ends_on", "2026-12-31", ("Ends with", "30 June 2026", "31 December 2026")),
        ("ends_on", None, ("Ends with", "30 June 2026", "")),
        (
            "scope.0.values",
            ["Fair"],
            ("Leads covered · source", "is one of Fair, Webinar", "is one of Fair"),
        ),
        ("scope", [], ("Leads covered · source", "is one of Fair, Webinar", "")),
        ("definition.score_threshold", 70, ("A qualified lead · score threshold", "80 or more", "70 or more")),
        ("definition.score_threshold", None, ("A qualified lead · score threshold", "80 or more", "")),
        (
            "definition.criteria.0.values",
            ["120"],
            ("A qualified lead · company size", "is at least 50", "is at least 120"),
        ),
        (
            "definition.required_fields",
            ["email", "phone", "title"],
            ("A complete record", "e-mail address and phone number", "e-mail address, phone number and job title"),
        ),
        ("definition.required_fields", [], ("A complete record", "e-mail address and phone number", "")),
        ("commitments.1.limit", "2", ("{} · limit", "4 business hours", "2 business hours")),
        ("commitments.1.limit", "1", ("{} · limit", "4 business hours", "1 business hour")),
        ("commitments.1.unit", "business days", ("{} · limit", "4 business hours", "4 business days")),
        ("commitments.1.target", "97.5", ("{} · target", "95 %", "97.5 %")),
        ("commitments.1.target", None, ("{} · target", "95 %", "")),
        ("commitments.1.baseline", "72", ("{} · baseline", "70 %", "72 %")),
        ("commitments.1.consequence", "", ("{} · consequence", "We talk.", "")),
        ("commitments.1.start", "accepted", ("{} · start", "when the lead qualifies", "when sales accepts")),
        ("commitments.1.attempts", 5, ("{} · attempts", "", "5")),
        ("commitments.1.kind", "first_touch", ("{} · kind", "First response", "First meaningful touch")),
        ("commitments.1.title", "Call", ("Call · title", "Contact within 4 business hours", "Call")),
        ("commitments.1.scope.0.values", ["60"], ("{} · leads · score", "is at least 80", "is at least 60")),
        (
            "commitments.1.steps.0.share",
            80,
            ("{} · ladder", "at 50 % (2 business hours) the owner is told", "at 80 % (3.2 business hours) the owner is "
             "told"),
        ),
        (
            "commitments.1.steps.0.action",
            "tell manager",
            ("{} · ladder", "at 50 % (2 business hours) the owner is told", "at 50 % (2 business hours) the manager is "
             "told"),
        ),
        (
            "commitments.1.steps.1.offset",
            90,
            ("{} · ladder", "1 business hour after the limit the lead goes to the next rep",
             "90 business minutes after the limit the lead goes to the next rep"),
        ),
        (
            "commitments.1.steps",
            [WARNED],
            ("{} · ladder", "1 business hour after the limit the lead goes to the next rep", ""),
        ),
        (
            "commitments.0.steps",
            [{**WARNED, "share": 60, "action": "recovery plan"}],
            ("Volume · ladder", "", "at 60 % of the month a recovery plan is asked for"),
        ),
        ("commitments.0.target", "45", ("Volume · target", "50 a month", "45 a month")),
        ("commitments.0.monthly_targets.2026-12", "20", ("Volume · December 2026", "30", "20")),
        ("commitments.0.monthly_targets", {}, ("Volume · December 2026", "30", "")),
        ("review_cadence", "quarterly", ("Review", "monthly", "quarterly")),
        ("review_cadence", "", ("Review", "monthly", "")),
        ("review_weekday", 3, ("Review day", "Tuesday", "Thursday")),
        ("entry_grace_days", "1", ("Grace for late entry", "2 business days", "1 business day")),
        ("sealing_grace_days", "7.25", ("Grace for sealing", "5 business days", "7.25 business days")),
        ("dispute_days", "0.33", ("Time to dispute", "5 business days", "0.33 business days")),
        ("monthly_cap", None, ("Monthly cap", "200 leads", "")),
        ("minimum_group", 8, ("Least group size", "5 leads", "8 leads")),
        ("note", "Why not", ("Note", "Why", "Why not")),
        (
            "calendars.Office.hours.4",
            [["09:00", "15:00"]],
            (
                "Calendar “Office” · opening hours",
                "Mon–Fri 9:00–17:30, Europe/Berlin",
                "Mon–Thu 9:00–17:30, Fri 9:00–15:00, Europe/Berlin",
            ),
        ),
        ("calendars.Office.time_zone", "UTC", ("Calendar “Office” · time zone", "Europe/Berlin", "UTC")),
        ("calendars.Office.working_day_seconds", 28_800, ("Calendar “Office” · business day", "8.5 hours", "8 hours")),
        ("calendars.Office.region", "BY", ("Calendar “Office” · public holidays of", "DE, BE", "DE, BY")),
        (
            "calendars.Office.special.2025-12-24",
            [["09:00", "12:00"], ["13:00", "14:00"]],
            ("Calendar “Office” · other hours in 2025", "24 Dec 9:00–12:00", "24 Dec 9:00–12:00 and 13:00–14:00"),
        ),
        (
            "calendars.Office.closed.2025-12-26",
            "Boxing Day",
            ("Calendar “Office” · closed days of 2025", "", "26 Dec Boxing Day"),
        ),
    ],
)  # fmt: skip
def test_one_difference_is_one_row_in_words_and_numbers(path, value, row):
    where, before, after = row
    expected = (where.format("Contact within 4 business hours"), before, after)
    found = rows(FROZEN, put(path, value))
    # A shorter business day makes shorter days of the same graces, which is none of their own doing.
    assert [one for one in found if one[0] == expected[0]] == [expected]
    assert len(found) == 1 or path.endswith("working_day_seconds")


def test_terms_that_say_the_same_have_no_changes():
    assert rows(FROZEN, deepcopy(FROZEN)) == []


def test_what_binds_nobody_is_no_change():
    assert rows(FROZEN, put("version", 2)) == []
    assert rows(FROZEN, put("calendars.Office.id", 7)) == []
    in_calendar_time = [VOLUME, {**CONTACT, "unit": "hours"}]
    before, after = put("commitments", in_calendar_time), put("commitments", deepcopy(in_calendar_time))
    for frozen in (before, after):
        frozen["calendars"]["Always"] = {**OFFICE, "id": 2}
    after["commitments"][1]["calendar"] = "Always"
    assert rows(before, after) == []


def test_a_limit_in_calendar_time_counts_every_hour():
    assert rows(FROZEN, put("commitments.1.unit", "hours")) == [
        ("Contact within 4 business hours · limit", "4 business hours", "4 hours"),
        ("Contact within 4 business hours · hours", "Office", "every hour counts"),
    ]


def test_new_and_dropped_promises_are_said_in_full():
    without = put("commitments", [VOLUME])
    sentence = (
        "Sales will make first contact with every lead scoring at least 80 within 4 business hours after it qualifies "
        "(Mon–Fri 9:00–17:30), for at least 95 % of handoffs a month; today 70 %. If not: We talk. Until it is done: "
        "at 50 % (2 business hours) the owner is told; 1 business hour after the limit the lead goes to the next rep."
    )
    assert rows(without, FROZEN) == [("Contact within 4 business hours", "", sentence)]
    assert rows(FROZEN, without) == [("Contact within 4 business hours", sentence, "")]


def test_promises_are_paired_by_their_codes_whatever_else_changed():
    after = {**CONTACT, "title": "Call within the hour", "limit": "60", "unit": "business minutes"}
    assert rows(FROZEN, put("commitments", [after, VOLUME])) == [
        ("Call within the hour · title", "Contact within 4 business hours", "Call within the hour"),
        ("Call within the hour · limit", "4 business hours", "60 business minutes"),
        ("Order of the promises", "Volume, Call within the hour", "Call within the hour, Volume"),
    ]


def test_two_promises_of_one_title_are_told_apart_by_their_codes():
    twice = put("commitments", [CONTACT, {**CONTACT, "code": "again"}])
    after = deepcopy(twice)
    after["commitments"][1]["target"] = "90"
    assert rows(twice, after) == [("Contact within 4 business hours (again) · target", "95 %", "90 %")]


def test_a_criterion_is_paired_by_its_comparison_then_by_its_field_then_stands_alone():
    def criterion(field: str, operator: str, *values: str) -> dict[str, Any]:
        return {"field": field, "operator": operator, "values": list(values)}

    before = [criterion("score", "at least", "50"), criterion("score", "at most", "90"), criterion("phone", "filled")]
    after = [criterion("score", "at most", "80"), criterion("score", "is", "70"), criterion("industry", "is", "media")]
    assert rows(put("scope", before), put("scope", after)) == [
        ("Leads covered · score", "is at most 90", "is at most 80"),
        ("Leads covered · score", "is at least 50", "is 70"),
        ("Leads covered · phone number", "is not empty", ""),
        ("Leads covered · industry", "", "is media"),
    ]


def test_a_step_is_paired_by_what_it_does_then_by_its_moment_then_stands_alone():
    def step(share: int, action: str, team: str = "") -> dict[str, Any]:
        return {**WARNED, "share": share, "action": action, "team": team}

    before = [step(50, "tell owner"), step(80, "tell manager"), step(100, "task"), step(120, "return to queue")]
    after = [step(100, "tell manager"), step(50, "tell team", "Partners"), step(150, "reassign"), step(100, "task")]
    where = "Contact within 4 business hours · ladder"
    assert rows(put("commitments.1.steps", before), put("commitments.1.steps", after)) == [
        (where, "at 80 % (3.2 business hours) the manager is told", "at the limit the manager is told"),
        (
            where,
            "at 50 % (2 business hours) the owner is told",
            "at 50 % (2 business hours) everybody of Partners is told",
        ),
        (where, "at 120 % (4.8 business hours) the lead goes back to the team’s queue", ""),
        (where, "", "at 150 % (6 business hours) the lead goes to the next rep"),
    ]


def test_another_limit_moves_a_ladder_that_is_counted_in_shares_and_is_one_change():
    before, after = put("commitments.1.steps", [WARNED]), put("commitments.1.steps", [WARNED])
    after["commitments"][1]["limit"] = "2"
    assert rows(before, after) == [("Contact within 4 business hours · limit", "4 business hours", "2 business hours")]


def test_another_order_of_steps_is_said_as_one():
    assert rows(FROZEN, put("commitments.1.steps", [TAKEN_AWAY, WARNED])) == [
        (
            "Contact within 4 business hours · ladder · order",
            "at 50 % (2 business hours) the owner is told, 1 business hour after the limit the lead goes to the next "
            "rep",
            "1 business hour after the limit the lead goes to the next rep, at 50 % (2 business hours) the owner is "
            "told",
        )
    ]


def test_another_order_of_criteria_is_said_as_one():
    turned = FROZEN["definition"]["criteria"][::-1]
    assert rows(FROZEN, put("definition.criteria", turned)) == [
        (
            "A qualified lead · order",
            "company size is at least 50, company size is at most 500",
            "company size is at most 500, company size is at least 50",
        )
    ]


def test_a_criterion_given_twice_is_not_given_once():
    twice = [SCORE, SCORE]
    assert rows(put("scope", [SCORE]), put("scope", twice)) == [("Leads covered · score", "", "is at least 80")]


def test_a_calendar_under_another_name_is_one_change_and_not_one_for_each_promise():
    after = json.loads(json.dumps(FROZEN).replace('"Office"', '"Berlin"'))
    assert rows(FROZEN, after) == [("Calendar “Berlin” · name", "Office", "Berlin")]


def test_another_calendar_is_a_new_one_and_one_that_is_gone():
    after = json.loads(json.dumps(FROZEN).replace('"Office"', '"Berlin"'))
    after["calendars"]["Berlin"] |= {"id": 2, "special": {}}
    opening = "Mon–Fri 9:00–17:30, Europe/Berlin. One business day is 8.5 hours."
    assert rows(FROZEN, after) == [
        ("Volume · hours", "Office", "Berlin"),
        ("Contact within 4 business hours · hours", "Office", "Berlin"),
        ("Calendar of the graces", "Office", "Berlin"),
        ("Calendar “Office”", f"{opening} Other hours on 24 December 2025 9:00–12:00.", ""),
        ("Calendar “Berlin”", "", opening),
    ]


def test_the_closed_days_of_a_new_year_are_counted_and_those_of_a_known_one_named():
    after = deepcopy(FROZEN)
    closed = after["calendars"]["Office"]["closed"]
    del closed["2025-01-01"]
    closed |= {"2025-12-24": "Christmas Eve", "2026-01-01": "New Year's Day"}
    closed |= {f"2027-01-0{day}": "Fair" for day in range(1, 6)}
    assert rows(FROZEN, after) == [
        ("Calendar “Office” · closed days of 2025", "1 Jan New Year's Day", "24 Dec Christmas Eve"),
        ("Calendar “Office” · closed days of 2026", "", "1 Jan New Year's Day"),
        ("Calendar “Office” · closed days of 2027", "", "5 days"),
    ]


def test_terms_of_the_second_schema_have_no_ladder():
    before = put("schema", 2)
    for row in before["commitments"]:
        del row["steps"]
    assert [(where, was) for where, was, _ in rows(before, FROZEN)] == [
        ("Contact within 4 business hours · ladder", ""),
        ("Contact within 4 business hours · ladder", ""),
    ]
    assert rows(before, put("commitments.1.steps", [])) == []


def test_terms_of_the_first_schema_name_no_day_and_no_country():
    before = deepcopy(FROZEN)
    del before["review_weekday"], before["calendars"]["Office"]["country"], before["calendars"]["Office"]["region"]
    after = put("calendars.Office.country", "")
    after["calendars"]["Office"]["region"] = ""
    assert rows(before, after) == [
        ("Review day", "", "Tuesday"),
        ("Calendar “Office” · public holidays of", "", "none"),
    ]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (put("note", "Two words"), put("note", "Two  words")),
        (put("definition.required_fields", ["phone"]), put("definition.required_fields", ["attributes.phone_number"])),
        (put("scope.0.field", "score"), put("scope.0.field", "attributes.score")),
        (put("commitments.0.target", "50"), put("commitments.0.target", "50.001")),
        (put("effective_from", "2025-06-01T00:00:00+00:00"), put("effective_from", "2025-06-01T01:00:00+00:00")),
        (
            put("commitments.1.steps", [{**WARNED, "share": 100}]),
            put("commitments.1.steps", [{**WARNED, "share": None, "offset": 0}]),
        ),
    ],
)
def test_what_reads_alike_but_is_not_is_written_out(before, after):
    found = differences.changes(read(before), read(after))
    assert found
    assert all(one.before != one.after for one in found)
    assert all(one.before.split() != one.after.split() or '"' in one.before + one.after for one in found)


# --- Nothing is missed: every place of the frozen bytes -----------------------------------------------------------

# Another value for whatever stands under a name, or in a list under it.
OTHERS: dict[str, Any] = {
    "effective_from": "2025-02-28T23:00:00+00:00",
    "ends_on": "2027-01-31",
    "time_zone": "Asia/Tokyo",
    "operator": "is not",
    "kind": "first_touch",
    "start": "assigned",
    "unit": "business days",
    "action": "tell manager",
    "review_cadence": "weekly",
    "calendar": "Other",
    "hours": "08:00",
    "special": "08:00",
}


def leaves(value: object, path: Path = ()) -> Iterator[tuple[Path, object]]:
    """Every value of some JSON that has none inside it, with the way there."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    if not isinstance(value, dict | list):
        yield path, value
    for key, one in inner:
        yield from leaves(one, (*path, key))


def branches(value: object, path: Path = ()) -> Iterator[tuple[Path, object]]:
    """Every object and list of some JSON."""
    if isinstance(value, dict | list):
        yield path, value
        for key, one in value.items() if isinstance(value, dict) else enumerate(value):
            yield from branches(one, (*path, key))


def at(frozen: Any, path: Path) -> Any:
    for key in path:
        frozen = frozen[key]
    return frozen


FULL = deepcopy(FROZEN)
FULL["calendars"]["Other"] = {**deepcopy(OFFICE), "id": 2}
FULL["commitments"][1] |= {"attempts": 3, "monthly_targets": {"2026-10": "90"}}
FULL["commitments"][1]["steps"] += [
    {**WARNED, "action": "tell team", "team": "Partners"},
    {**WARNED, "action": "tell role", "role": "RevOps"},
]
SAYING = [path for path, value in leaves(FULL) if value not in (None, "")]


def unseen(path: Path) -> bool:
    """Whether a value binds nobody, or follows from another one of the terms (the side, from the kind)."""
    return path[-1] in ("schema", "version", "id", "party")


def other(path: Path, value: object) -> object:
    names = [key for key in path if key in OTHERS]
    if names:
        return OTHERS[names[-1]]
    return f"{value}1" if isinstance(value, str) else value + 1


@pytest.mark.parametrize("path", SAYING, ids=lambda path: ".".join(map(str, path)))
def test_another_value_anywhere_is_a_change(path):
    after = deepcopy(FULL)
    at(after, path[:-1])[path[-1]] = other(path, at(FULL, path))
    assert bool(rows(FULL, after)) != unseen(path)
    assert bool(rows(after, FULL)) != unseen(path)


def takes_away(path: Path, key: str | int) -> bool:
    """Whether terms without this still read: an entry of a list or of a mapping by name, not a key that they owe."""
    by_name = path[-1:] and path[-1] in ("calendars", "hours", "special", "closed", "monthly_targets")
    return isinstance(key, int) or (bool(by_name) and key != "Office")


TAKEN = [
    (path, key)
    for path, branch in branches(FULL)
    for key in (branch if isinstance(branch, dict) else range(len(branch)))
    # The windows of a day are begin and end.
    if takes_away(path, key) and not (set(path) & {"hours", "special"} and len(path) > 4)
]


@pytest.mark.parametrize(("path", "key"), TAKEN, ids=lambda part: str(part))
def test_something_more_or_less_anywhere_is_a_change(path, key):
    after = deepcopy(FULL)
    del at(after, path)[key]
    assert rows(FULL, after)
    assert rows(after, FULL)


@pytest.mark.django_db
def test_the_terms_of_these_tests_have_every_key_that_is_frozen(draft):
    """A key that a later schema adds has to be told apart here too."""
    Criterion.objects.create(version=draft, field="phone", operator="filled")
    make_step(make_commitment(draft, "attempts"))
    written = terms.write(Version.objects.get(pk=draft.pk), years_to=MONDAY.year)
    assert set(written) == set(FROZEN)
    assert set(written["agreement"]) == set(FROZEN["agreement"])
    assert set(written["definition"]) == set(FROZEN["definition"])
    assert set(written["definition"]["criteria"][0]) == set(SCORE)
    assert {key for row in written["commitments"] for key in row} == set(CONTACT)
    assert set(written["commitments"][-1]["steps"][0]) == set(WARNED)
    assert set(snapshot(draft.calendar, years=[2025])) == set(OFFICE)


# --- Nothing is missed: any two terms -----------------------------------------------------------------------------

TEXTS = st.sampled_from(["", "We talk.", "We  talk.", "We talk. "]) | st.text(st.characters(codec="utf-8"), max_size=4)
NAMES = st.sampled_from(["Office", "Berlin", "“A”"])
FIGURES = st.sampled_from(["0", "1", "50", "50.001", "95.5", "100"])
FEW = st.integers(1, 3)
PAIRS = st.sampled_from([[["09:00", "17:30"]], [["9:00", "17:30"]], [["09:00", "12:00"], ["13:00", "24:00"]]])
DAYS = ("2025-01-01", "2025-12-24", "2026-01-01", "2027-01-04", "2027-01-05", "2027-01-06", "2027-01-07")


@st.composite
def criteria(draw) -> dict[str, Any]:
    operator = draw(st.sampled_from(Operator))
    if operator in (Operator.EMPTY, Operator.FILLED):
        values = []
    elif operator in (Operator.AT_LEAST, Operator.AT_MOST):
        values = [draw(st.sampled_from(["50", "50.0", "80"]))]
    else:
        several = operator in (Operator.ONE_OF, Operator.NONE_OF)
        values = draw(st.lists(st.sampled_from(["Fair", "fair", "a, b", "a", "b"]), min_size=1, max_size=1 + several))
    field = draw(st.sampled_from(["score", "attributes.score", "phone", "attributes.phone_number"]))
    return {"field": field, "operator": operator.value, "values": values}


SCOPES = st.lists(criteria(), max_size=3)


@st.composite
def steps(draw, has_limit: bool) -> dict[str, Any]:
    is_share = not has_limit or draw(st.booleans())
    return {
        "share": draw(st.sampled_from([50, 60, 100])) if is_share else None,
        "offset": None if is_share else draw(st.sampled_from([-60, 0, 30])),
        "action": draw(st.sampled_from(Action)).value,
        "team": draw(st.sampled_from(["", "S", "sales"])),
        "role": draw(st.sampled_from(["", "RevOps"])),
    }


@st.composite
def commitments(draw, code: str, calendars: list[str], schema: int = 3) -> dict[str, Any]:
    kind = draw(st.sampled_from(list(CATALOGUE.values())))
    return {
        "code": code,
        "title": draw(st.sampled_from(["Contact", "Volume", "Volume "])),
        "kind": kind.code,
        "party": kind.party.value,
        "calendar": draw(st.sampled_from(calendars)),
        "scope": draw(SCOPES),
        "start": kind.fixed_start or (draw(st.sampled_from(kind.starts)) if kind.starts else None),
        "limit": draw(st.sampled_from(["0", "1", "1.5", "4"])) if kind.has_limit else None,
        "unit": draw(st.sampled_from(Unit)).value if kind.has_limit else "",
        "attempts": draw(st.none() | FEW),
        "target": draw(st.none() | FIGURES),
        "monthly_targets": draw(st.dictionaries(st.sampled_from(["2026-08", "2026-12"]), FIGURES, max_size=2)),
        "baseline": draw(st.none() | FIGURES),
        "consequence": draw(TEXTS),
        **({"steps": draw(st.lists(steps(kind.has_limit), max_size=3))} if schema > 2 else {}),
    }


@st.composite
def calendars(draw, schema: int) -> dict[str, Any]:
    place = {"country": draw(st.sampled_from(["", "DE"])), "region": draw(st.sampled_from(["", "BE"]))}
    return {
        "id": draw(FEW),
        "time_zone": draw(st.sampled_from(["UTC", "Etc/GMT"])),
        **(place if schema > 1 else {}),
        "hours": draw(st.dictionaries(st.sampled_from("01234"), PAIRS, min_size=1, max_size=2)),
        "special": draw(st.dictionaries(st.sampled_from(DAYS), PAIRS, max_size=2)),
        "closed": draw(st.dictionaries(st.sampled_from(DAYS), st.sampled_from(["closed", "Fair"]), max_size=6)),
        "working_day_seconds": draw(st.sampled_from([120, 28_800, 30_600, 30_660])),
    }


@st.composite
def any_terms(draw) -> dict[str, Any]:
    schema = draw(st.sampled_from([1, 2, 3]))
    named = {name: draw(calendars(schema)) for name in draw(st.lists(NAMES, min_size=1, max_size=2, unique=True))}
    codes = draw(st.lists(st.sampled_from(["a", "b", "c"]), max_size=2, unique=True))
    days = st.sampled_from(["0", "0.01", "0.33", "2", "2.5"])
    return {
        "schema": schema,
        "agreement": {
            "name": draw(st.sampled_from(["Inbound", "Inbound "])),
            "marketing_team": draw(st.sampled_from(["M", "N"])),
            "sales_team": draw(st.sampled_from(["S", "T"])),
            "time_zone": draw(st.sampled_from(["UTC", "Etc/GMT", "Europe/Berlin"])),
        },
        "version": draw(FEW),
        "effective_from": draw(st.sampled_from([None, "2024-12-31T23:00:00+00:00", "2025-01-01T00:00:00+00:00"])),
        "ends_on": draw(st.sampled_from([None, "2026-06-30", "2026-07-31"])),
        "scope": draw(SCOPES),
        "definition": {
            "score_threshold": draw(st.sampled_from([None, 0, 80])),
            "criteria": draw(SCOPES),
            "required_fields": draw(st.lists(st.sampled_from(["phone", "attributes.phone_number"]), max_size=2)),
        },
        "calendar": draw(st.sampled_from(list(named))),
        "calendars": named,
        "commitments": [draw(commitments(code, list(named), schema)) for code in codes],
        "review_cadence": draw(st.sampled_from(["", "weekly", "monthly"])),
        **({"review_weekday": draw(st.integers(0, 4))} if schema > 1 else {}),
        "entry_grace_days": draw(days),
        "sealing_grace_days": draw(days),
        "dispute_days": draw(days),
        "monthly_cap": draw(st.none() | FEW),
        "minimum_group": draw(FEW),
        "note": draw(TEXTS),
    }


@st.composite
def pairs(draw) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two terms: far apart, or the second with some parts of the first, so that often only one thing differs."""
    before, after = draw(any_terms()), draw(any_terms())
    if draw(st.booleans()):
        shared = draw(st.sets(st.sampled_from(sorted(before))))
        kept = deepcopy(before)
        for key in sorted(before.keys() & after.keys() - {"schema", "calendars", "calendar", "commitments"} - shared):
            kept[key] = after[key]
        for row in kept["commitments"]:
            for key in draw(st.sets(st.sampled_from(["title", "scope", "target", "baseline", "consequence"]))):
                row[key] = draw(commitments(row["code"], list(before["calendars"])))[key]
        for frozen in kept["calendars"].values():
            for key in draw(st.sets(st.sampled_from(sorted(frozen)), max_size=2)):
                frozen[key] = draw(calendars(before["schema"]))[key]
        after = kept
    return before, after


def meaning(frozen: dict[str, Any]) -> dict[str, Any]:
    """What is left of frozen terms without what binds nobody."""
    said = deepcopy(frozen)
    del said["schema"], said["version"]
    for calendar in said["calendars"].values():
        del calendar["id"]
    for row in said["commitments"]:
        row.setdefault("steps", [])
        if row["unit"] and not Unit(row["unit"]).is_business:
            del row["calendar"]
    return said


@given(pairs())
def test_changes_are_empty_exactly_where_two_terms_say_the_same(pair):
    before, after = pair
    found = differences.changes(read(before), read(after))
    assert bool(found) == (meaning(before) != meaning(after))
    for one in found:
        assert one.where
        assert one.before != one.after


@given(any_terms(), st.integers(4, 9), st.randoms())
def test_another_number_other_ids_and_the_order_of_keys_change_nothing(before, number, random):
    after = deepcopy(before)
    after["version"] = number
    for index, frozen in enumerate(after["calendars"].values()):
        frozen["id"] = 100 + index
    shuffled = list(after.items())
    random.shuffle(shuffled)
    assert differences.changes(read(before), terms.read(json.dumps(dict(shuffled)))) == ()
