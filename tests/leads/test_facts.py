"""Facts as arrays: what the database holds comes out exactly, on both databases, missing values and all."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agreements import terms
from agreements.models import Step, local_midnight
from leads import disputes, facts, history, timekeeping, tracking
from leads.models import Assignment, Dispute, Escalation, ExclusionRequest, Handoff, Lead, ReasonCode
from tests.conftest import MONDAY, agree, receive

HOUR, DAY, MICROSECOND = timedelta(hours=1), timedelta(days=1), timedelta(microseconds=1)
ROW = np.dtype([("id", "i8"), ("number", "i8"), ("at", "M8[us]"), ("flag", "?")])
moments = st.datetimes(datetime(1970, 1, 1), datetime(2199, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


def utc(moment: datetime | None) -> np.datetime64:
    return history.NAT if moment is None else np.datetime64(moment.astimezone(UTC).replace(tzinfo=None), "us")


# --- Columns -------------------------------------------------------------------------------------------------------


@pytest.fixture
def table(db) -> None:
    """A table whose columns may all be missing."""
    types = ("bigint", "timestamptz", "boolean") if facts.is_postgresql() else ("integer", "datetime", "bool")
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE told (id integer, number {}, at {}, flag {})".format(*types))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.tuples(
            st.none() | st.integers(-(2**63), 2**63 - 1),
            st.none() | moments | st.just(MONDAY) | st.just(MONDAY + MICROSECOND),
            st.none() | st.booleans(),
        ),
        max_size=12,
    )
)
def test_what_was_stored_comes_out_and_what_is_missing_is_nat_nought_or_false(table, rows):
    adapt = connection.ops.adapt_datetimefield_value
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM told")
        for index, (number, at, flag) in enumerate(rows):
            cursor.execute("INSERT INTO told VALUES (%s, %s, %s, %s)", [index, number, at and adapt(at), flag])
    found = facts.columns("SELECT id, number, at, flag FROM told", [], ROW)
    found.sort(order="id")
    assert found["id"].tolist() == list(range(len(rows)))
    assert found["number"].tolist() == [number or 0 for number, _, _ in rows]
    assert found["flag"].tolist() == [bool(flag) for _, _, flag in rows]
    np.testing.assert_array_equal(found["at"], np.array([utc(at) for _, at, _ in rows], "M8[us]"))


def test_no_rows_are_an_empty_array_of_the_same_shape(table):
    found = facts.columns("SELECT id, number, at, flag FROM told", [], ROW)
    assert (len(found), found.dtype) == (0, ROW)


def test_a_select_may_use_ids_that_are_given_in_any_number(table):
    ids = list(range(0, 40_000, 2))
    given_ids, parameters = facts.picked(np.array(ids))
    found = facts.columns("SELECT id FROM picked", parameters, np.dtype([("id", "i8")]), given=given_ids)
    assert sorted(found["id"].tolist()) == ids


# --- What happened -------------------------------------------------------------------------------------------------


def load(*handoffs: Handoff) -> history.Facts:
    version = handoffs[0].version
    return facts.load([handoff.pk for handoff in handoffs], terms.of(version), version.agreement_id)


@pytest.mark.django_db
def test_what_revops_granted_names_its_promise_and_what_is_declined_or_waits_is_no_fact(version, ron, rita):
    first, second = receive("A", "B")
    one, other, *_ = version.commitments.all()
    asked = {"asked_by": ron, "asked_at": MONDAY, "reason": "Away"}
    decided = {"decided_by": rita, "decided_at": MONDAY + HOUR}
    ExclusionRequest.objects.create(handoff=second, commitment=other, granted=True, **asked, **decided)
    ExclusionRequest.objects.create(handoff=second, commitment=one, granted=False, **asked, **decided)
    ExclusionRequest.objects.create(handoff=first, commitment=one, **asked)
    agreed = terms.of(version)
    promises = timekeeping.promises_of(version, agreed)
    found = facts.load([second.pk, first.pk], agreed, version.agreement_id, promises=promises).exclusions
    expected = (1, utc(MONDAY + HOUR), agreed.promise(other.code).index)
    assert [(row["row"], row["at"], row["promise"]) for row in found] == [expected]


@pytest.mark.django_db
def test_a_dispute_of_marketing_asks_nobody(version, ron, max_):
    (handoff,) = receive()
    for party, by in (("sales", ron), ("marketing", max_)):
        Dispute.objects.create(handoff=handoff, party=party, comment="Why?", opened_by=by, opened_at=MONDAY)
    assert load(handoff).disputes["asks"].tolist() == [True, False]


@pytest.mark.django_db
def test_facts_name_the_row_of_their_handoff_and_come_in_the_order_of_time_and_id(version, ron):
    first, second = handoffs = receive("A", "B")
    later = MONDAY + 5 * HOUR
    for number, (handoff, hours) in enumerate(((second, 2), (first, 3), (second, 1), (first, 3))):
        attempt = tracking.NewAttempt(lead=handoff.lead, at=MONDAY + hours * HOUR, note=f"Number {number}")
        tracking.log_attempts([attempt], by=ron, now=later)
    found = load(*reversed(handoffs))
    assert found.handoffs["id"].tolist() == [first.pk, second.pk]
    assert [(row, at) for row, at in found.attempts[["row", "at"]].tolist()] == [
        (row, (MONDAY + hours * HOUR).replace(tzinfo=None)) for row, hours in ((0, 3), (0, 3), (1, 1), (1, 2))
    ]
    assert found.attempts["id"][0] < found.attempts["id"][1]
    assert found.assignments["owner"].tolist() == [ron.pk, ron.pk]


@pytest.mark.django_db
def test_what_was_taken_back_is_no_fact(version, ron):
    (handoff,) = receive()
    (attempt,) = tracking.log_attempts([tracking.NewAttempt(lead=handoff.lead)], by=ron, now=MONDAY)
    (disposition,) = tracking.dispose([tracking.Decision(handoff, "recycled")], by=ron, now=MONDAY)
    assert (len(load(handoff).attempts), len(load(handoff).dispositions)) == (1, 1)
    tracking.void_attempt(attempt, by=ron, reason="", now=MONDAY)
    tracking.void_disposition(disposition, by=ron, reason="", now=MONDAY)
    assert (len(load(handoff).attempts), len(load(handoff).dispositions)) == (0, 0)


@pytest.mark.django_db
def test_a_fact_from_a_system_has_no_time_of_entry_and_a_persons_has(version, ron):
    (handoff,) = receive()
    for from_system in (True, False):
        told = tracking.NewAttempt(lead=handoff.lead, at=MONDAY)
        tracking.log_attempts([told], by=ron, now=MONDAY + HOUR, from_system=from_system)
    np.testing.assert_array_equal(load(handoff).attempts["entered_at"], [history.NAT, utc(MONDAY + HOUR)])


@pytest.mark.django_db
def test_an_attempt_before_the_handoff_began_is_none_of_its_facts(version, ron):
    (handoff,) = receive()
    for at in (MONDAY - MICROSECOND, MONDAY):
        tracking.log_attempts([tracking.NewAttempt(lead=handoff.lead, at=at)], by=ron, now=MONDAY)
    np.testing.assert_array_equal(load(handoff).attempts["at"], [utc(MONDAY)])


@pytest.mark.django_db
def test_a_disposition_carries_what_its_reason_says(version, ron):
    told = {}
    for handoff, code in zip(receive("A", "B", "C"), ("duplicate", "no_answer", None), strict=True):
        why = ReasonCode.objects.get(code=code) if code else None
        tracking.dispose([tracking.Decision(handoff, "rejected", why)], by=ron, now=MONDAY)
        row = load(handoff).dispositions[0]
        told[code] = tuple(row[["has_reason", "quality", "needs_contact", "needs_attempts", "undelivered"]].tolist())
        assert row["verdict"] == history.REJECTED
    assert told == {
        "duplicate": (True, False, False, 0, True),
        "no_answer": (True, False, True, 5, False),
        None: (False, False, False, 0, False),
    }


@pytest.mark.django_db
def test_an_open_hold_and_an_open_dispute_have_no_end(version, ron):
    (handoff,) = receive()
    tracking.hold([handoff], reason="away", by=ron, now=MONDAY)
    disputes.ask(handoff, comment="Why?", by=ron, now=MONDAY)
    found = load(handoff)
    assert np.isnat(found.holds["ended_at"]).tolist() == np.isnat(found.disputes["answered_at"]).tolist() == [True]
    tracking.release([handoff], by=ron, now=MONDAY + HOUR)
    disputes.answer(Dispute.objects.get(), answer="So.", by=ron, now=MONDAY + HOUR)
    found = load(handoff)
    assert (found.holds["ended_at"][0], found.disputes["answered_at"][0]) == (utc(MONDAY + HOUR), utc(MONDAY + HOUR))
    assert found.disputes["upheld"].tolist() == [False]


@pytest.mark.django_db
def test_a_returned_lead_is_not_the_first(version, ron):
    (first,) = receive()
    tracking.dispose([tracking.Decision(first, "recycled")], by=ron, now=MONDAY)
    (second,) = receive(received_at=MONDAY + HOUR, now=MONDAY + HOUR)
    assert load(first, second).handoffs["first"].tolist() == [True, False]


@pytest.mark.django_db
def test_what_waits_in_a_queue_is_an_assignment_that_nobody_owns(version, ron, sales):
    (handoff,) = receive()
    for owner, at in ((None, MONDAY + HOUR), (ron, MONDAY + 2 * HOUR)):
        Assignment.objects.create(handoff=handoff, owner=owner, team=sales, at=at, why="told")
    found = load(handoff).assignments
    assert found["owned"].tolist() == [True, False, True]
    assert found["owner"].tolist() == [ron.pk, 0, ron.pk]
    assert found["team"].tolist() == [sales.pk] * 3


@pytest.mark.django_db
def test_a_handoff_says_since_when_the_portal_knows_of_it(version, ron):
    handoffs = receive("A", "B", now=MONDAY + DAY)
    Handoff.objects.filter(pk=handoffs[1].pk).update(known_at=None)
    np.testing.assert_array_equal(load(*handoffs).handoffs["known_at"], [utc(MONDAY + DAY), history.NAT])


@pytest.mark.django_db
def test_steps_that_were_looked_at_name_their_promise_and_their_place_in_its_ladder(draft, rita, max_, sofia, ron):
    """Places go by position, whatever the ids."""
    response, volume = draft.commitments.get(kind="first_response"), draft.commitments.get(kind="volume")
    late = Step.objects.create(commitment=response, share=100, action="tell manager", position=2)
    early = Step.objects.create(commitment=response, share=50, action="tell owner", position=1)
    Step.objects.create(commitment=volume, share=60, action="tell manager")
    version = agree(draft, by=rita, marketing=max_, sales=sofia, now=MONDAY - DAY)
    first, second, third = receive("A", "B", "C")
    for handoff, step, subject, state in ((second, late, 0, "fired"), (first, early, 7, "skipped")):
        Escalation.objects.create(
            handoff=handoff, step=step, subject=subject, state=state, due_at=MONDAY, at=MONDAY, what="told Ron"
        )  # fmt: skip
    agreed = terms.of(version)
    steps = timekeeping.steps_of(version, agreed)
    index = agreed.promise(response.code).index
    found = facts.load([second.pk, third.pk, first.pk], agreed, version.agreement_id, steps=steps).escalations
    assert sorted(found.tolist()) == [(0, index, 7, 0), (1, index, 0, 1)]
    assert len(facts.load([third.pk], agreed, version.agreement_id, steps=steps).escalations) == 0
    assert [agreed.promises[promise].steps[place].action for promise, place in (steps[early.pk], steps[late.pk])] == [
        *("tell owner", "tell manager")
    ]


# --- Local months (N7) ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "first", "last", "months"),
    [
        ("UTC", "2025-01-01T00:00:00", "2025-01-31T23:59:59.999999", ["2025-01-01T00", "2025-02-01T00"]),
        ("Europe/Berlin", "2025-02-28T22", "2025-02-28T23", ["2025-01-31T23", "2025-02-28T23", "2025-03-31T22"]),
        ("Europe/Berlin", "2025-10-31T23", "2025-10-31T23", ["2025-10-31T23", "2025-11-30T23"]),
        ("America/New_York", "2024-12-31T12", "2024-12-31T12", ["2024-12-01T05", "2025-01-01T05"]),
        # Midnight of 1 October 2023 does not exist in Asunción, and that of 1 November 2020 comes twice in Havana.
        ("America/Asuncion", "2023-10-01T04", "2023-10-01T04", ["2023-10-01T04", "2023-11-01T03"]),
        ("America/Havana", "2020-11-01T04", "2020-11-01T05", ["2020-11-01T04", "2020-12-01T05"]),
    ],
)  # fmt: skip
def test_local_months_begin_at_their_first_moment(zone, first, last, months):
    found = facts.month_starts(np.datetime64(first, "us"), np.datetime64(last, "us"), ZoneInfo(zone))
    np.testing.assert_array_equal(found, np.array(months, "M8[us]"))


@given(
    zone=st.sampled_from(["Europe/Berlin", "America/Havana", "Asia/Beirut", "Pacific/Apia", "Australia/Lord_Howe"]),
    span=st.lists(st.datetimes(datetime(1990, 1, 1), datetime(2035, 1, 1)), min_size=2, max_size=2).map(sorted),  # noqa: DTZ001
)
def test_every_moment_lies_in_the_local_month_that_a_calendar_shows(zone, span):
    first, last = (np.datetime64(moment, "us") for moment in span)
    found = facts.month_starts(first, last, ZoneInfo(zone))
    assert found[0] <= first <= last < found[-1]
    days = [start.astype(datetime).replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).date() for start in found]
    assert {day.day for day in days} == {1}
    assert {(later.year - day.year) * 12 + later.month - day.month for day, later in pairwise(days)} == {1}
    np.testing.assert_array_equal(found, np.array([utc(local_midnight(day, ZoneInfo(zone))) for day in days]))


@pytest.mark.django_db
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(hours=st.lists(st.integers(-2, 4), min_size=1, max_size=8))
def test_a_handoff_has_its_place_in_its_month_by_time_and_id(version, ron, hours):
    Handoff.objects.all().delete()
    midnight = datetime(2025, 2, 28, 23, 0, tzinfo=UTC)  # 1 March in Berlin
    begun = [receive(f"L{Lead.objects.count()}", received_at=midnight + hour * HOUR)[0] for hour in hours]
    chosen = np.zeros(len(begun[::2]), facts.HANDOFF)
    chosen["id"] = [handoff.pk for handoff in begun[::2]]
    chosen["qualified_at"] = [utc(handoff.qualified_at) for handoff in begun[::2]]
    found = facts.month_ranks(chosen, version.agreement_id, ZoneInfo("Europe/Berlin"))
    ordered = sorted(begun, key=lambda handoff: (handoff.qualified_at, handoff.pk))
    places = {}
    for month in (True, False):
        together = [handoff.pk for handoff in ordered if (handoff.qualified_at < midnight) is month]
        places |= {pk: place for place, pk in enumerate(together, start=1)}
    assert found.tolist() == [places[pk] for pk in chosen["id"].tolist()]


@pytest.mark.django_db
def test_few_are_read_in_one_go_and_many_one_by_one_alike(version, ron, monkeypatch):
    handoffs = receive("A", "B", "C")
    tracking.log_attempts([tracking.NewAttempt(lead=handoffs[1].lead)], by=ron, now=MONDAY)
    tracking.hold(handoffs[2:], reason="in December", by=ron, now=MONDAY)
    tracking.dispose([tracking.Decision(handoffs[0], "accepted")], by=ron, now=MONDAY)
    few = load(*handoffs)
    monkeypatch.setattr(facts, "FEW", 0)
    many = load(*handoffs)
    for name in ("handoffs", *facts.EVENTS):
        assert getattr(few, name).tolist() == getattr(many, name).tolist()
    assert [len(getattr(few, name)) for name in ("attempts", "holds", "dispositions")] == [1, 1, 1]
