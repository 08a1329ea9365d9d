"""Counting: one state for each handoff and promise, nothing counted twice, and nothing left out (N1 to N6)."""

import json
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from statistics import median, quantiles

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agreements import signoff
from agreements.models import Agreement
from leads.models import Assignment, Clock, ExclusionRequest, Handoff, Lead
from leads.periods import parse
from reports import scorecards
from reports.histogram import ERROR
from reports.models import Scorecard
from slaportal.models import Team
from slaportal.refusal import Refused
from tests.conftest import agree, make_user
from tests.reports.conftest import (
    EXCLUDED,
    MARCH,
    MET,
    MIDMARCH,
    MISSED,
    NOW,
    OPEN,
    make_clock,
    make_handoff,
    make_lead,
    make_outcome,
    row_of,
)

pytestmark = pytest.mark.django_db

STATES = ("met", "missed", "open", "excluded")
RUNNING = datetime(2025, 3, 20, 9, 0, tzinfo=UTC)


def march(agreement, **given):
    return scorecards.compute(agreement, MARCH, **{"now": NOW, **given})


@pytest.mark.parametrize(
    ("qualified_at", "counted"),
    [
        (datetime(2025, 2, 28, 22, 59, 59, 999999, tzinfo=UTC), 0),
        (datetime(2025, 2, 28, 23, 0, tzinfo=UTC), 1),  # midnight in Berlin
        (datetime(2025, 3, 31, 21, 59, 59, 999999, tzinfo=UTC), 1),  # summer time by then
        (datetime(2025, 3, 31, 22, 0, tzinfo=UTC), 0),
    ],
)
def test_a_handoff_belongs_to_the_local_period_in_which_it_began_whenever_its_clock_ends(
    version, response, qualified_at, counted
):
    handoff = make_handoff(version, qualified_at=qualified_at)
    make_clock(handoff, response, MET, stopped_at=qualified_at + timedelta(days=90), elapsed_seconds=60)

    data = march(version.agreement)

    assert data["handoffs"] == counted
    assert row_of(data, response)["met"] == counted


def test_only_the_deciding_clock_gives_a_handoff_its_state(version, response):
    handoff = make_handoff(version)
    make_clock(handoff, response, MISSED, subject=1)
    make_clock(handoff, response, MET, subject=2, decides=False)

    row = row_of(march(version.agreement), response)

    assert {name: row[name] for name in STATES} == {"met": 0, "missed": 1, "open": 0, "excluded": 0}


def test_excluded_handoffs_say_by_which_rule(version, response):
    for rule in ("below_definition", "out_of_scope", "out_of_scope"):
        make_clock(make_handoff(version), response, EXCLUDED, rule=rule)

    row = row_of(march(version.agreement), response)

    assert row["excluded"] == 3
    assert row["excluded_by"] == {"out_of_scope": 2, "below_definition": 1}


SHARES = [
    # met, missed, open, attainment, kept; the target is 95 %
    (0, 0, 0, None, None),
    (0, 0, 7, None, None),
    (19, 1, 50, 0.95, True),
    (18, 1, 0, 18 / 19, False),
    (0, 1, 0, 0.0, False),
    (1, 0, 0, 1.0, True),
]


@pytest.mark.parametrize(("met", "missed", "running", "attainment", "kept"), SHARES)
def test_attainment_is_met_of_met_and_missed_and_no_data_where_neither_is(
    version, response, met, missed, running, attainment, kept
):
    for state, number in ((MET, met), (MISSED, missed), (OPEN, running)):
        for _ in range(number):
            make_clock(make_handoff(version), response, state)

    row = row_of(march(version.agreement), response)

    assert (row["attainment"], row["kept"]) == (attainment, kept)
    assert (row["target"], row["target_unit"], row["expected"]) == (0.95, "share", None)


def test_a_third_of_a_percent_is_compared_exactly(draft, rita, max_, sofia):
    draft.commitments.filter(kind="first_response").update(target="66.66")
    version = agree(draft, by=rita, marketing=max_, sales=sofia)
    response = version.commitments.get(kind="first_response")
    for state in (MET, MET, MISSED):
        make_clock(make_handoff(version), response, state)

    assert row_of(march(version.agreement), response)["kept"] is (Fraction(2, 3) >= Fraction("0.6666"))


def test_median_and_p90_are_of_stopped_clocks_that_count_and_all_of_them(version, response):
    spans = [10.0, 20.0, 30.0, 40.0, 100.0]
    for number, seconds in enumerate(spans):
        handoff = make_handoff(version)
        state = MISSED if seconds == 100 else MET
        make_clock(handoff, response, state, stopped_at=NOW, elapsed_seconds=seconds, subject=number)
    make_clock(handoff, response, MISSED, subject=90, decides=False)  # a second owner's, never stopped
    make_clock(make_handoff(version), response, EXCLUDED, stopped_at=NOW, elapsed_seconds=9_999)
    make_clock(make_handoff(version), response, OPEN)

    exact = row_of(march(version.agreement, exact=True), response)
    row = row_of(march(version.agreement), response)

    true = {"median_seconds": median(spans), "p90_seconds": quantiles(spans, n=10, method="inclusive")[-1]}
    assert {name: exact[name] for name in true} == pytest.approx(true)
    assert {name: row[name] for name in true} == pytest.approx(true, rel=ERROR)
    assert (exact["spread_error"], row["spread_error"]) == (0, ERROR)
    assert row["unstopped"] == exact["unstopped"] == 2


def test_without_a_stopped_clock_there_is_no_median(version, response):
    make_clock(make_handoff(version), response, OPEN)

    row = row_of(march(version.agreement), response)

    assert (row["median_seconds"], row["p90_seconds"], row["unstopped"]) == (None, None, 1)


VOLUMES = [
    # delivered of 50, now, attainment, kept
    (0, NOW, 0.0, False),
    (49, NOW, 0.98, False),
    (50, NOW, 1.0, True),
    (51, NOW, 1.02, True),
    (49, RUNNING, 0.98, None),
    (50, RUNNING, 1.0, True),
    (0, datetime(2025, 3, 31, 22, 0, tzinfo=UTC), 0.0, False),
    (0, datetime(2025, 3, 31, 21, 59, tzinfo=UTC), 0.0, None),
]


@pytest.mark.parametrize(("delivered", "now", "attainment", "kept"), VOLUMES)
def test_volume_is_delivered_against_the_target_and_is_not_missed_before_the_period_ends(
    version, volume, delivered, now, attainment, kept
):
    for _ in range(delivered):
        make_clock(make_handoff(version), volume, MET, rule="delivered")
    make_clock(make_handoff(version), volume, EXCLUDED, rule="returned")

    row = row_of(march(version.agreement, now=now), volume)

    assert (row["met"], row["missed"], row["excluded"]) == (delivered, 0, 1)
    assert (row["target"], row["target_unit"], row["expected"]) == (50.0, "per month", 50.0)
    assert (row["attainment"], row["kept"]) == (pytest.approx(attainment), kept)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("2025-03", Fraction(50)),
        ("2025-Q1", Fraction(150)),
        ("2025-W10", Fraction(50 * 7, 31)),
        ("2025-02-15..2025-03-10", Fraction(50 * 14, 28) + Fraction(50 * 10, 31)),
        ("2024-12", Fraction(0)),  # before the version
        ("2024-12-31..2025-01-01", Fraction(50, 31)),
    ],
)
def test_the_volume_expected_of_any_period_is_the_sum_of_its_days(version, volume, key, expected):
    make_clock(make_handoff(version, qualified_at=datetime(2024, 12, 5, tzinfo=UTC)), volume, MET)

    row = row_of(scorecards.compute(version.agreement, parse(key), now=NOW), volume)

    assert row["expected"] == pytest.approx(float(expected))


def test_a_month_may_have_a_volume_of_its_own(draft, rita, max_, sofia):
    draft.commitments.filter(kind="volume").update(monthly_targets={"2025-03": 62})
    version = agree(draft, by=rita, marketing=max_, sales=sofia)

    data = scorecards.compute(version.agreement, parse("2025-02-28..2025-03-01"), now=NOW)

    assert data["commitments"][0]["expected"] == pytest.approx(50 / 28 + 2)


def second_version(version, *, by, marketing, sales, effective: date, target: int):
    """Version 2 from a day of March on, with another volume."""
    draft = signoff.new_draft_from(version, by=by, now=MIDMARCH - timedelta(days=5))
    draft.wanted_from = effective
    draft.save()
    draft.commitments.filter(kind="volume").update(target=target)
    return agree(draft, by=by, marketing=marketing, sales=sales, now=MIDMARCH - timedelta(days=5))


def test_a_month_with_two_versions_shows_each_with_its_own_handoffs_and_days(version, rita, max_, sofia):
    second = second_version(version, by=rita, marketing=max_, sales=sofia, effective=date(2025, 3, 11), target=93)
    first_volume, second_volume = version.commitments.get(kind="volume"), second.commitments.get(kind="volume")
    early = make_handoff(version, qualified_at=datetime(2025, 3, 10, 22, 59, tzinfo=UTC))
    make_clock(early, first_volume, MET)
    for _ in range(2):
        make_clock(make_handoff(second), second_volume, MET)

    data = march(version.agreement)

    assert (data["versions"], data["handoffs"]) == ([1, 2], 3)
    first, later = row_of(data, first_volume), row_of(data, second_volume)
    assert (first["version"], first["handoffs"], first["met"]) == (1, 1, 1)
    assert (later["version"], later["handoffs"], later["met"]) == (2, 2, 2)
    assert first["expected"] == pytest.approx(50 * 10 / 31)
    assert later["expected"] == pytest.approx(93 * 21 / 31)


def test_a_version_without_a_handoff_is_shown_only_while_it_was_in_force(version, rita, max_, sofia):
    second_version(version, by=rita, marketing=max_, sales=sofia, effective=date(2025, 4, 1), target=93)

    assert march(version.agreement)["versions"] == [1]
    assert scorecards.compute(version.agreement, parse("2025-04"), now=NOW)["versions"] == [2]
    assert scorecards.compute(version.agreement, parse("2024-12"), now=NOW)["versions"] == []


def test_an_agreement_that_ended_owes_no_volume_for_the_days_after(draft, rita, max_, sofia):
    draft.ends_on = date(2025, 3, 10)
    draft.save()
    version = agree(draft, by=rita, marketing=max_, sales=sofia)

    assert march(version.agreement)["commitments"][0]["expected"] == pytest.approx(50 * 10 / 31)


def test_another_agreements_handoffs_are_not_counted(version, response, marketing, sales):
    other = Agreement.objects.create(name="Other", marketing_team=marketing, sales_team=sales)
    make_clock(make_handoff(version), response, MET)

    assert march(other)["handoffs"] == 0
    assert march(other)["commitments"] == []


def test_unmatched_leads_stand_beside_the_sums(version, response):
    make_clock(make_handoff(version), response, MET)
    make_lead(state=Lead.State.UNMATCHED)
    make_lead(state=Lead.State.UNMATCHED, received_at=MARCH.end(version.agreement.zone))

    data = march(version.agreement)

    assert (data["handoffs"], data["unmatched"]) == (1, 1)


def test_outcomes_are_those_of_the_periods_handoffs_whenever_they_came(version, response):
    late = make_handoff(version)
    make_outcome(late, "meeting", at=NOW)
    make_outcome(late, "opportunity", amount="1200.50")
    make_outcome(make_handoff(version), "opportunity", amount=None)
    make_outcome(make_handoff(version), "won", amount=900)
    make_outcome(make_handoff(version), "lost", voided_at=NOW)
    make_outcome(make_handoff(version, qualified_at=NOW), "meeting")

    assert march(version.agreement)["outcomes"] == {
        "meetings": 1,
        "opportunities": 2,
        "won": 1,
        "lost": 0,
        "pipeline": 1200.5,
    }


def test_by_rep_counts_for_the_one_charged_and_namesakes_stay_apart(version, response, ron, sales):
    namesake = make_user("ron.2@example.com", name=ron.name, team=sales)
    handoff = make_handoff(version, ron)
    later = Assignment.objects.create(handoff=handoff, owner=namesake, team=sales, at=NOW)
    make_clock(handoff, response, MET, charged_to=later)
    make_clock(make_handoff(version, ron), response, MISSED)
    make_clock(make_handoff(version), response, OPEN)

    by = row_of(march(version.agreement), response)["by"]

    assert {group["id"]: (group["value"], group["met"], group["missed"], group["open"]) for group in by["rep"]} == {
        ron.pk: (ron.name, 0, 1, 0),
        namesake.pk: (ron.name, 1, 0, 0),
        None: (None, 0, 0, 1),
    }
    assert [(group["value"], group["met"], group["missed"]) for group in by["team"]] == [
        (sales.name, 1, 1),
        (None, 0, 0),
    ]


@pytest.mark.parametrize(
    ("judged", "attainment", "too_few"), [(0, None, False), (1, 1.0, True), (4, 1.0, True), (5, 1.0, False)]
)
def test_a_group_with_fewer_verdicts_than_the_agreed_minimum_says_too_few_and_one_without_any_no_data(
    version, response, judged, attainment, too_few
):
    for number in range(judged + 3):
        make_clock(make_handoff(version), response, MET if number < judged else EXCLUDED)

    (group,) = row_of(march(version.agreement), response)["by"]["source"]

    assert (group["attainment"], group["too_few"]) == (attainment, too_few)


def test_handoffs_without_a_source_are_a_group_of_their_own_and_stand_last(version, response):
    for source in ("", "", "Event"):
        make_clock(make_handoff(version, source=source), response, MET)

    groups = row_of(march(version.agreement), response)["by"]["source"]

    assert [(group["value"], group["met"]) for group in groups] == [("Event", 1), (None, 2)]


def test_what_was_excluded_on_request_says_who_asked_who_granted_it_and_why(version, response, ron, rita):
    for rule, granted in (("granted", True), ("past_limit", False)):
        clock = make_clock(make_handoff(version), response, EXCLUDED if granted else MISSED, rule=rule)
        ExclusionRequest.objects.create(
            handoff=clock.handoff, commitment=response, reason="The phones were down", asked_by=ron, asked_at=NOW,
            granted=granted, note="So it was", decided_by=rita, decided_at=NOW,
        )  # fmt: skip

    row = row_of(march(version.agreement), response)

    (granted,) = row["granted"]
    handoff = granted.pop("handoff")
    assert Clock.objects.get(handoff=handoff).rule == "granted"
    assert granted == {"asked_by": "Ron", "reason": "The phones were down", "granted_by": "Rita", "note": "So it was"}
    assert (row["excluded"], row["excluded_by"]) == (1, {"granted": 1})


KEYS = {"schema", "agreement", "versions", "period", "handoffs", "unmatched", "commitments"}
SECTIONS = {"outcomes", "delays", "beside", "cohorts"}
COMMITMENT_KEYS = {
    *("unanswered", "granted"),
    *("code", "version", "kind", "party", "target", "target_unit", "met", "missed", "open", "excluded"),
    *("attainment", "kept", "median_seconds", "p90_seconds", "unstopped", "by"),
    *("pk", "title", "dimension", "limit", "calendar", "scope", "handoffs", "expected", "excluded_by"),
    *("baseline", "limit_seconds", "distribution", "spread_error", "weeks", "too_few"),
}


def test_the_scorecard_has_the_documented_form_and_is_json(version, response):
    make_clock(make_handoff(version), response, MET, stopped_at=NOW, elapsed_seconds=1.5)

    data = march(version.agreement)

    assert json.loads(json.dumps(data)) == data
    assert set(data) == KEYS | SECTIONS
    assert set(march(version.agreement, sections=False)) == KEYS
    assert data["agreement"] == "DACH inbound"
    assert data["period"] == {
        "start": "2025-03-01T00:00:00+01:00",
        "end": "2025-04-01T00:00:00+02:00",
        "key": "2025-03",
        "label": "March 2025",
    }
    assert set(data["outcomes"]) == {"meetings", "opportunities", "won", "lost", "pipeline"}
    for row in data["commitments"]:
        assert set(row) == COMMITMENT_KEYS
        assert list(row["by"]) == ["source", "campaign", "segment", "team", "rep", "weekday", "hour"]
    judged = {"met", "missed", "open", "excluded", "attainment", "kept", "too_few"}
    row = row_of(data, response)
    assert set(row["by"]["source"][0]) == {"value", "id"} | judged
    assert [set(week) for week in row["weeks"]] == [{"value", "id", "cells"}]
    assert set(row["weeks"][0]["cells"][0]) == {"week"} | judged
    assert (row["baseline"], row["limit_seconds"]) == (0.5, 14_400)
    assert row["distribution"]["edges"][:2] == [0, 225] and sum(row["distribution"]["counts"]) == 1


def test_only_the_dimensions_asked_for_are_broken_down(version, response):
    assert row_of(march(version.agreement, by=()), response)["by"] == {}
    assert set(row_of(march(version.agreement, by=("rep",)), response)["by"]) == {"rep"}
    with pytest.raises(
        Refused, match="cannot be broken down by “colour”; use source, campaign, segment, team, rep, weekday, hour"
    ):
        march(version.agreement, by=("colour",))


CLOCKS = st.lists(
    st.tuples(
        st.sampled_from([MISSED, OPEN, MET, EXCLUDED]),
        st.sampled_from(["", "Webinar", "Event"]),
        st.sampled_from(["", "SMB"]),
        st.sampled_from([None, 0, 1]),  # charged to nobody, to the first or the second rep
        st.booleans(),  # began in March
        st.floats(0, 1e6) | st.none(),  # elapsed, or not stopped
    ),
    max_size=25,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(clocks=CLOCKS)
def test_counts_agree_with_a_plain_count_and_add_up_in_every_break_down(version, response, ron, clocks):
    Clock.objects.all().delete()
    Handoff.objects.all().delete()
    team, _ = Team.objects.get_or_create(name="Another team", defaults={"party": "sales"})
    ruth = type(ron).objects.filter(email="ruth@example.com").first() or make_user("ruth@example.com", team=team)
    for state, source, segment, who, inside, elapsed in clocks:
        owner = None if who is None else (ron, ruth)[who]
        at = MIDMARCH if inside else NOW
        handoff = make_handoff(version, owner, source=source, segment=segment, qualified_at=at)
        stopped_at = None if elapsed is None else NOW
        make_clock(handoff, response, state, elapsed_seconds=elapsed, stopped_at=stopped_at, rule=f"rule {state}")

    data = march(version.agreement)
    row = row_of(data, response)

    mine = [clock for clock in clocks if clock[4]]
    states = {MISSED: "missed", OPEN: "open", MET: "met", EXCLUDED: "excluded"}
    assert data["handoffs"] == row["handoffs"] == len(mine) == sum(row[name] for name in STATES)
    for state, name in states.items():
        assert row[name] == sum(clock[0] == state for clock in mine)
    spans = sorted(round(clock[5], 6) for clock in mine if clock[0] != EXCLUDED and clock[5] is not None)
    assert row["unstopped"] == sum(clock[0] != EXCLUDED and clock[5] is None for clock in mine)
    assert row["median_seconds"] == (pytest.approx(median(spans), rel=ERROR) if spans else None)
    people = {None: None, 0: ron.pk, 1: ruth.pk}
    teams = {None: None, 0: ron.team_id, 1: team.pk}
    keys = {
        "source": lambda clock: clock[1] or None,
        "segment": lambda clock: clock[2] or None,
        "rep": lambda clock: people[clock[3]],
        "team": lambda clock: teams[clock[3]],
    }
    for dimension, key in keys.items():
        groups = row["by"][dimension]
        assert {group["id"] for group in groups} == {key(clock) for clock in mine}
        for group in groups:
            for state, name in states.items():
                assert group[name] == sum(clock[0] == state and key(clock) == group["id"] for clock in mine)


def test_a_scorecard_takes_the_same_few_queries_however_much_there_is(version, response, ron):
    make_clock(make_handoff(version, ron), response, MET, stopped_at=NOW, elapsed_seconds=1)
    with CaptureQueriesContext(
        connection,
    ) as few:
        march(version.agreement)
    for number in range(20):
        owner = make_user(f"rep{number}@example.com", team=ron.team)
        handoff = make_handoff(version, owner, source=f"Source {number}")
        make_clock(handoff, response, MET, stopped_at=NOW, elapsed_seconds=1)
        make_outcome(handoff, "meeting")
    with CaptureQueriesContext(connection) as many:
        march(version.agreement)

    assert len(many) == len(few) <= 40


def test_storing_again_replaces_what_was_stored(version, response):
    scorecards.store(version.agreement, MARCH, now=RUNNING)
    make_clock(make_handoff(version), response, MET)

    card = scorecards.store(version.agreement, MARCH, now=NOW)

    assert Scorecard.objects.get() == card
    assert (card.computed_at, card.data["handoffs"]) == (NOW, 1)
    assert card.start == MARCH.start(version.agreement.zone)


def test_what_is_stored_is_shown_until_it_is_computed_again(version, response):
    scorecards.kept_or_computed(version.agreement, MARCH, now=RUNNING)
    make_clock(make_handoff(version), response, MET)

    card = scorecards.kept_or_computed(version.agreement, MARCH, now=NOW)

    assert (card.computed_at, card.data["handoffs"]) == (RUNNING, 0)


@pytest.mark.parametrize("key", ["2025-03-01..2025-03-20", "2025-03-01..2025-03-31"])
def test_chosen_days_are_computed_at_each_asking_and_never_kept(version, response, key):
    scorecards.store(version.agreement, MARCH, now=RUNNING)
    make_clock(make_handoff(version), response, MET)

    card = scorecards.kept_or_computed(version.agreement, parse(key), now=NOW)

    assert (card.computed_at, card.data["handoffs"], card.data["period"]["key"]) == (NOW, 1, key)
    assert Scorecard.objects.get().data["period"]["key"] == MARCH.key


def test_a_stored_scorecard_of_an_earlier_release_is_computed_anew_when_it_is_asked_for(version, response):
    card = scorecards.store(version.agreement, MARCH, now=RUNNING)
    Scorecard.objects.update(data={key: value for key, value in card.data.items() if key != "schema"})

    card = scorecards.kept_or_computed(version.agreement, MARCH, now=NOW)

    assert (card.computed_at, card.data["schema"]) == (NOW, 2)


def test_values_are_in_the_order_of_the_week_and_the_day_and_others_by_size(version, response):
    for day, hour, source in ((10, 9, "Event"), (9, 23, ""), (11, 10, "Event"), (12, 9, "Ads")):
        handoff = make_handoff(version, qualified_at=datetime(2025, 3, day, hour, tzinfo=UTC), source=source)
        make_clock(handoff, response, MET)

    by = row_of(march(version.agreement), response)["by"]

    # 23 o'clock in UTC on Sunday is the first hour of Monday in Berlin.
    assert [(group["id"], group["value"], group["met"]) for group in by["weekday"]] == [
        (1, "Monday", 2),
        (2, "Tuesday", 1),
        (3, "Wednesday", 1),
    ]
    assert [(group["id"], group["value"]) for group in by["hour"]] == [(0, "00:00"), (10, "10:00"), (11, "11:00")]
    assert [group["value"] for group in by["source"]] == ["Event", "Ads", None]


def test_the_heat_map_has_every_week_between_the_first_and_the_last_handoff_for_every_source(version, response):
    for day, source in ((3, "Event"), (19, "Ads"), (30, "Event")):
        handoff = make_handoff(version, qualified_at=datetime(2025, 3, day, 12, tzinfo=UTC), source=source)
        make_clock(handoff, response, MISSED)

    weeks = row_of(march(version.agreement), response)["weeks"]

    assert [line["value"] for line in weeks] == ["Event", "Ads"]
    assert [(cell["week"], cell["missed"]) for cell in weeks[0]["cells"]] == [
        ("2025-W10", 1),
        ("2025-W11", 0),
        ("2025-W12", 0),
        ("2025-W13", 1),
    ]
    assert [cell["missed"] for cell in weeks[1]["cells"]] == [0, 0, 1, 0]
