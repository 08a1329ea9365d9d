"""Business calendars: their hours, the copy that is frozen with terms, and days closed after everybody signed."""

import json
from datetime import UTC, date, datetime, timedelta

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from agreements import signoff, terms
from agreements.business_time import BusinessTime
from agreements.calendars import (
    BusinessCalendar,
    Closure,
    add_closure,
    closures_by_calendar,
    public_holidays,
    snapshot,
    thaw,
    withdraw_closure,
)
from leads import clocks, timekeeping, tracking
from leads.models import Clock, Handoff
from slaportal.refusal import Refused
from tests.conftest import MONDAY, agree, make_calendar, receive

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
TUESDAY = date(2025, 3, 4)
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday")


# --- What a calendar says -----------------------------------------------------------------------------------------


def problems(**overrides) -> list[str]:
    week = dict.fromkeys(WEEKDAYS, "09:00-17:30")
    calendar = BusinessCalendar(**{"name": "Office", "time_zone": "Europe/Berlin", **week, **overrides})
    try:
        calendar.full_clean()
    except ValidationError as problem:
        return problem.messages
    return []


@pytest.mark.parametrize(
    ("fields", "sentences"),
    [
        ({}, []),
        ({"monday": ""}, []),
        ({"monday": "00:00-24:00"}, []),
        ({"monday": " 9:00 - 12:00,13:00–17:30 "}, []),
        ({"country": "DE"}, []),
        ({"country": "de", "region": "be"}, []),
        ({"monday": "17:00-09:00"}, ["17:00–09:00 must end after it begins."]),
        ({"monday": "09:00-09:00"}, ["09:00–09:00 must end after it begins."]),
        ({"sunday": "09:00-12:00, 11:00-13:00"}, ["09:00–12:00 and 11:00–13:00 overlap."]),
        ({"monday": "nine to five"}, ["“nine to five” is not a window of two times between 00:00 and 24:00."]),
        ({"monday": "09:00-25:00"}, ["“09:00–25:00” is not a window of two times between 00:00 and 24:00."]),
        (dict.fromkeys(WEEKDAYS, ""),
         ["The calendar never opens: it has neither weekly hours nor a special day with hours."]),
        ({"time_zone": "Europe/Atlantis"}, ["“Europe/Atlantis” is not a time zone; write one such as Europe/Berlin."]),
        ({"country": "XX"}, ["No public holidays are known for country “XX”, region “”."]),
        ({"country": "DE", "region": "XX"}, ["No public holidays are known for country “DE”, region “XX”."]),
    ],
)  # fmt: skip
def test_a_calendar_that_cannot_be_is_refused_with_a_sentence(fields, sentences):
    found = problems(**fields)
    assert [sentence for sentence in sentences if sentence not in found] == []
    assert bool(found) == bool(sentences)


def test_hours_are_read_by_weekday():
    calendar = BusinessCalendar(monday="9:00-12:00, 13:00-17:30", sunday="00:00-24:00")
    assert calendar.weekly_hours[0] == [("09:00", "12:00"), ("13:00", "17:30")]
    assert calendar.weekly_hours[6] == [("00:00", "24:00")]
    assert [calendar.weekly_hours[weekday] for weekday in range(1, 6)] == [[]] * 5


@pytest.mark.parametrize(
    ("country", "region", "day", "is_holiday"),
    [
        ("DE", "", date(2025, 3, 8), False),
        ("DE", "BE", date(2025, 3, 8), True),  # Women's Day in Berlin
        ("de", "be", date(2025, 3, 8), True),
        ("DE", "BY", date(2025, 3, 8), False),
        ("DE", "BY", date(2025, 1, 6), True),  # Epiphany in Bavaria
        ("DE", "BE", date(2025, 1, 6), False),
        ("DE", "", date(2025, 10, 3), True),
        ("US", "", date(2025, 7, 4), True),
        ("GB", "SCT", date(2025, 1, 2), True),
        ("GB", "ENG", date(2025, 1, 2), False),
        ("", "", date(2025, 1, 1), False),
    ],
)
def test_public_holidays_are_those_of_the_region(country, region, day, is_holiday):
    assert (day in public_holidays(country, region, years=[2025])) is is_holiday


def test_public_holidays_are_named_for_the_years_asked_for_and_no_others():
    found = public_holidays("DE", "", years=[2024, 2026])
    assert {day.year for day in found} == {2024, 2026}
    assert found[date(2026, 12, 25)] == "Christmas Day"


# --- Frozen and thawed --------------------------------------------------------------------------------------------


def thawed(calendar: BusinessCalendar, closures=()) -> BusinessTime:
    return thaw(snapshot(calendar, years=[2025]), closures)


def test_a_thawed_calendar_is_the_one_that_was_frozen():
    calendar = make_calendar(name="Berlin", country="DE", region="BE", saturday="10:00-12:00, 13:00-14:00")
    calendar.special_days.create(date=date(2025, 12, 24), hours="09:00-12:00", name="Christmas Eve")
    calendar.special_days.create(date=date(2025, 12, 30), hours="", name="Inventory")
    holidays = public_holidays("DE", "BE", years=[2025])
    assert thawed(calendar) == BusinessTime(
        "Europe/Berlin",
        {**{weekday: [("09:00", "17:30")] for weekday in range(5)}, 5: [("10:00", "12:00"), ("13:00", "14:00")]},
        closed=[*holidays, date(2025, 12, 30)],
        special={date(2025, 12, 24): [("09:00", "12:00")]},
    )


def test_a_frozen_calendar_names_what_is_closed_and_why():
    calendar = make_calendar(country="DE")
    calendar.special_days.create(date=date(2025, 12, 30), hours="", name="Inventory")
    calendar.special_days.create(date=date(2025, 12, 31), hours="")
    calendar.special_days.create(date=date(2025, 12, 24), hours="9:00-12:00")
    frozen = snapshot(calendar, years=[2025])
    assert (frozen["id"], frozen["time_zone"]) == (calendar.pk, "Europe/Berlin")
    assert frozen["hours"] == {str(weekday): [("09:00", "17:30")] for weekday in range(5)}
    assert frozen["special"] == {"2025-12-24": [("09:00", "12:00")]}
    assert {day: frozen["closed"][day] for day in ("2025-12-25", "2025-12-30", "2025-12-31")} == {
        "2025-12-25": "Christmas Day", "2025-12-30": "Inventory", "2025-12-31": "closed",
    }  # fmt: skip
    assert frozen["working_day_seconds"] == 30_600


@pytest.mark.parametrize(
    ("hours", "open_hours"),
    [("09:00-12:00", 3), ("", 0), ("00:00-24:00", 24)],
)
def test_a_special_day_counts_instead_of_the_holiday_and_of_the_weekly_hours(hours, open_hours):
    calendar = make_calendar(country="DE")
    for day in (date(2025, 12, 25), date(2025, 12, 22), date(2025, 12, 21)):  # a holiday, a Monday, a Sunday
        calendar.special_days.create(date=day, hours=hours)
        begin = datetime(day.year, day.month, day.day, tzinfo=UTC) - HOUR  # midnight in Berlin
        assert thawed(calendar).elapsed(begin, begin + DAY) == open_hours * HOUR


def test_a_closure_counts_instead_of_everything_else():
    calendar = make_calendar()
    calendar.special_days.create(date=TUESDAY, hours="00:00-24:00")
    begin = datetime(2025, 3, 3, 23, tzinfo=UTC)
    assert thawed(calendar).elapsed(begin, begin + DAY) == 24 * HOUR
    assert thawed(calendar, [TUESDAY]).elapsed(begin, begin + DAY) == timedelta(0)


times = st.integers(0, 47).map(lambda half: f"{half // 2:02}:{half % 2 * 30:02}")
windows = st.tuples(times, times).filter(lambda pair: pair[0] < pair[1]).map("-".join) | st.just("")
instants = st.integers(-500 * 86_400, 500 * 86_400).map(lambda seconds: MONDAY + timedelta(seconds=seconds))


@given(
    week=st.lists(windows, min_size=7, max_size=7).filter(any),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"]),
    closures=st.lists(st.dates(date(2024, 1, 1), date(2026, 12, 31)), max_size=5),
    span=st.tuples(instants, instants).map(sorted),
)
def test_freezing_as_json_and_thawing_counts_the_same_time(week, zone, closures, span):
    names = (*WEEKDAYS, "saturday", "sunday")
    calendar = BusinessCalendar(pk=0, time_zone=zone, **dict(zip(names, week, strict=True)))
    direct = BusinessTime(zone, {day: [text.split("-")] for day, text in enumerate(week) if text}, closed=closures)
    again = thaw(json.loads(terms.canonical(snapshot(calendar, years=[]))), closures)
    assert again == direct
    assert again.elapsed(*span) == direct.elapsed(*span)


# --- Agreed terms keep their calendar (rule T5) -------------------------------------------------------------------


def clock_of(handoff: Handoff) -> Clock:
    return Clock.objects.get(handoff=handoff, commitment__code="first-response")


def stored() -> list[tuple]:
    fields = ("handoff", "commitment", "subject", "state", "rule", "due_at", "stopped_at", "elapsed_seconds")
    return sorted(Clock.objects.values_list(*fields), key=str)


def test_what_is_changed_in_a_calendar_reaches_drafts_and_no_signed_version(version, office, ron, rita):
    before = terms.of(version).business_times({})
    office.monday, office.tuesday, office.country = "", "00:00-24:00", "DE"
    office.save()
    office.special_days.create(date=date(2025, 3, 3), hours="")
    assert terms.of(version).business_times(closures_by_calendar()) == before
    (handoff,) = receive()
    assert clock_of(handoff).due_at == MONDAY + 4 * HOUR
    draft = signoff.new_draft_from(version, by=rita, now=MONDAY)
    assert terms.of(draft, now=MONDAY).business_times({})["Office"] == thaw(snapshot(office, years=range(2024, 2031)))


def test_a_closure_is_added_by_somebody_at_a_time_for_a_reason(office, rita):
    closure = add_closure(calendar=office, day=TUESDAY, reason="  Strike ", by=rita, now=MONDAY)
    closure.refresh_from_db()
    assert (closure.date, closure.reason, closure.added_by, closure.added_at) == (TUESDAY, "Strike", rita, MONDAY)
    assert (closure.withdrawn_by, closure.withdrawn_at) == (None, None)
    assert closures_by_calendar() == {office.pk: [TUESDAY]}


def test_a_withdrawn_closure_stays_and_says_who_did_it(office, rita):
    closure = add_closure(calendar=office, day=TUESDAY, reason="Strike", by=rita, now=MONDAY)
    withdraw_closure(closure, by=rita, now=MONDAY + HOUR)
    closure.refresh_from_db()
    assert (closure.withdrawn_by, closure.withdrawn_at) == (rita, MONDAY + HOUR)
    assert closures_by_calendar() == {}
    again = add_closure(calendar=office, day=TUESDAY, reason="Strike after all", by=rita, now=MONDAY)
    assert Closure.objects.count() == 2
    assert closures_by_calendar() == {office.pk: [again.date]}


def test_a_day_is_closed_once_and_for_a_reason(office, rita):
    with pytest.raises(Refused, match="Say why the day is closed"):
        add_closure(calendar=office, day=TUESDAY, reason=" ", by=rita, now=MONDAY)
    add_closure(calendar=office, day=TUESDAY, reason="Strike", by=rita, now=MONDAY)
    with pytest.raises(Refused, match="4 March 2025 is closed already"):
        add_closure(calendar=office, day=TUESDAY, reason="Power cut", by=rita, now=MONDAY)
    assert Closure.objects.get().reason == "Strike"
    other = make_calendar(name="Other")
    assert add_closure(calendar=other, day=TUESDAY, reason="Strike", by=rita, now=MONDAY).calendar == other


def test_a_closure_is_withdrawn_once_and_the_first_name_stays(office, rita, vera):
    closure = add_closure(calendar=office, day=TUESDAY, reason="Strike", by=rita, now=MONDAY)
    left_open = Closure.objects.get(pk=closure.pk)
    withdraw_closure(closure, by=rita, now=MONDAY)
    with pytest.raises(Refused, match="4 March 2025 was opened again already"):
        withdraw_closure(left_open, by=vera, now=MONDAY + HOUR)
    assert Closure.objects.get().withdrawn_by == rita


def test_when_the_clocks_cannot_be_computed_nothing_is_closed(office, rita, monkeypatch):
    def broken(closure, *, now):
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(timekeeping, "closure_changed", broken)
    with pytest.raises(RuntimeError):
        add_closure(calendar=office, day=TUESDAY, reason="Strike", by=rita, now=MONDAY)
    assert not Closure.objects.exists()


@pytest.fixture
def three(version, ron, ruth):
    """Received on Monday at 16:00 in Berlin, due on Tuesday at 11:30: one waits, one was answered, one was missed."""
    evening = MONDAY + 6 * HOUR
    waits, answered, missed = receive("A", "B", "C", now=evening, received_at=evening)
    response = MONDAY + DAY + HOUR / 2  # Tuesday 10:30: three business hours, or half of one
    tracking.log_attempts([tracking.NewAttempt(lead=answered.lead)], by=ron, now=response)
    late = MONDAY + DAY + 5 * HOUR  # Tuesday 15:00: seven and a half
    timekeeping.tick(now=late)
    tracking.log_attempts([tracking.NewAttempt(lead=missed.lead)], by=ron, now=late)
    tracking.dispose([tracking.Decision(missed, "recycled")], by=ron, now=late)
    return waits, answered, missed


def figures(handoffs) -> list[tuple]:
    found = [clock_of(handoff) for handoff in handoffs]
    return [(clock.state, clock.due_at, clock.elapsed_seconds and clock.elapsed_seconds / 3600) for clock in found]


def test_a_day_closed_afterwards_counts_for_no_clock_that_touches_it_finished_or_not(three, office, rita):
    tuesday, wednesday = (datetime(2025, 3, day, 10, 30, tzinfo=UTC) for day in (4, 5))
    before = stored()
    assert figures(three) == [
        (clocks.MISSED, tuesday, None), (clocks.MET, tuesday, 3), (clocks.MISSED, tuesday, 7.5)
    ]  # fmt: skip
    closure = add_closure(calendar=office, day=TUESDAY, reason="Strike", by=rita, now=MONDAY + 2 * DAY)
    # Wednesday 10:00 in Berlin: what waits has an hour and a half left, and the recycled one was answered in time.
    assert figures(three) == [
        (clocks.OPEN, wednesday, None), (clocks.MET, wednesday, 1.5), (clocks.MET, wednesday, 1.5)
    ]  # fmt: skip
    as_closed = stored()
    timekeeping.evaluate_all(now=MONDAY + 2 * DAY)
    assert stored() == as_closed
    withdraw_closure(closure, by=rita, now=MONDAY + 2 * DAY)
    assert stored() == before
    timekeeping.evaluate_all(now=MONDAY + 2 * DAY)
    assert stored() == before


@pytest.mark.parametrize("day", [date(2025, 3, 2), date(2025, 3, 3) + 30 * DAY, date(2024, 6, 3)])
def test_a_closed_day_that_no_clock_touches_changes_none(day, three, office, rita):
    before = stored()
    add_closure(calendar=office, day=day, reason="Works outing", by=rita, now=MONDAY + 2 * DAY)
    assert stored() == before


def test_a_closure_of_another_calendar_changes_nothing(three, rita):
    before = stored()
    other = make_calendar(name="Munich")
    add_closure(calendar=other, day=TUESDAY, reason="Strike", by=rita, now=MONDAY + 2 * DAY)
    assert stored() == before


def test_a_closure_reaches_every_version_that_froze_the_calendar(three, version, office, rita, max_, sofia):
    second = agree(signoff.new_draft_from(version, by=rita, now=MONDAY), by=rita, marketing=max_, sales=sofia,
                   now=MONDAY + DAY + HOUR)  # fmt: skip
    begun = MONDAY + DAY + 2 * HOUR  # Tuesday 12:00
    (newer,) = receive("D", now=begun, received_at=begun)
    assert newer.version == second
    assert clock_of(newer).due_at == begun + 4 * HOUR
    add_closure(calendar=office, day=TUESDAY, reason="Strike", by=rita, now=begun)
    assert clock_of(newer).due_at == datetime(2025, 3, 5, 12, tzinfo=UTC)  # Wednesday 13:00, four hours after opening
    assert clock_of(three[0]).due_at == datetime(2025, 3, 5, 10, 30, tzinfo=UTC)
