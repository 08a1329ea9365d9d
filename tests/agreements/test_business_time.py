"""Business time: rules T1 to T4, C1 and C2, checked by tables, by laws, and against a plain walk over the windows."""

import copy
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agreements.business_time import BusinessTime, parse_windows, write_windows

WEEKDAYS = range(5)
OFFICE = {day: [("09:00", "12:00"), ("13:00", "17:30")] for day in WEEKDAYS}
NINE_TO_FIVE = {day: [("09:00", "17:00")] for day in WEEKDAYS}
ROUND_THE_CLOCK = {day: [("00:00", "24:00")] for day in range(7)}
MICROSECOND = timedelta(microseconds=1)


def at(text, zone="UTC"):
    """The instant at which a clock on the wall of the zone first shows this."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


def berlin(text):
    return at(text, "Europe/Berlin")


def utc64(*instants):
    return np.array([instant.astimezone(UTC).replace(tzinfo=None) for instant in instants], "datetime64[us]")


def make_office(**overrides):
    return BusinessTime(**{"time_zone": "Europe/Berlin", "hours": OFFICE, **overrides})


def make_day(zone, day, *windows):
    """A calendar that is open in these windows of one date, and never else."""
    return BusinessTime(time_zone=zone, hours={}, special={day: [window.split("-") for window in windows]})


# The oracle: one window at a time, in plain Python, by looking how the zone itself shows an instant.


def walked_end(zone, day, minutes, closing):
    wall = datetime(day.year, day.month, day.day) + timedelta(minutes=minutes)  # noqa: DTZ001
    around = [wall.replace(tzinfo=UTC) + timedelta(hours=hours) for hours in (-30, 0, 30)]
    candidates = {wall.replace(tzinfo=UTC) - instant.astimezone(zone).utcoffset() for instant in around}
    shown = [instant for instant in candidates if instant.astimezone(zone).replace(tzinfo=None) == wall]
    if not shown:
        return max(candidates)
    return max(shown) if closing else min(shown)


def walked_windows(terms, first, last):
    """Open windows of these dates in order, those that touch as one."""
    zone = ZoneInfo(terms["time_zone"])
    found = []
    for number in range(first.toordinal(), last.toordinal() + 1):
        day = date.fromordinal(number)
        windows = terms["special"].get(day, terms["hours"].get(day.weekday(), []))
        for window in [] if day in terms["closed"] else windows:
            begin, end = (int(text[:2]) * 60 + int(text[3:]) for text in window)
            opening, closing = walked_end(zone, day, begin, False), walked_end(zone, day, end, True)
            if opening < closing:
                found.append((opening, closing))
    merged = []
    for opening, closing in sorted(found):
        if merged and opening <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(closing, merged[-1][1]))
        else:
            merged.append((opening, closing))
    return merged


def walked_elapsed(windows, start, end):
    spans = (min(closing, end) - max(opening, start) for opening, closing in windows)
    return sum((span for span in spans if span > timedelta()), timedelta())


def walked_deadline(windows, start, allowance):
    for opening, closing in windows:
        begin = max(opening, start)
        if begin >= closing:
            continue
        if allowance <= closing - begin:
            return begin + allowance
        allowance -= closing - begin
    raise AssertionError("the walk has to go further")


# Elapsed


@pytest.mark.parametrize(
    ("start", "end", "minutes"),
    [
        ("2024-03-04T09:00", "2024-03-04T09:00", 0),
        ("2024-03-04T09:00", "2024-03-04T10:30", 90),
        ("2024-03-04T06:00", "2024-03-04T09:00", 0),
        ("2024-03-04T11:30", "2024-03-04T13:30", 60),
        ("2024-03-04T12:00", "2024-03-04T13:00", 0),
        ("2024-03-04T17:30", "2024-03-05T09:00", 0),
        ("2024-03-04T17:29", "2024-03-05T09:01", 2),
        ("2024-03-01T17:00", "2024-03-04T09:30", 60),
        ("2024-03-02T00:00", "2024-03-03T23:59", 0),
        ("2024-03-04T00:00", "2024-03-11T00:00", 5 * 450),
        ("2024-03-29T17:00", "2024-04-01T09:30", 60),
        ("2024-03-05T10:00", "2024-03-04T10:00", 0),
    ],
)
def test_only_open_time_elapses(start, end, minutes):
    assert make_office().elapsed(berlin(start), berlin(end)) == timedelta(minutes=minutes)


def test_elapsed_keeps_microseconds_and_understands_any_zone():
    start = datetime(2024, 3, 4, 8, 59, 59, 999_999, tzinfo=ZoneInfo("Europe/Berlin"))
    end = datetime(2024, 3, 4, 13, 30, 0, 1, tzinfo=ZoneInfo("Asia/Kolkata"))
    assert make_office().elapsed(start, end) == MICROSECOND


def test_a_closed_date_is_empty_and_a_special_date_has_its_own_windows():
    calendar = make_office(closed=[date(2024, 12, 25)], special={date(2024, 12, 24): [("09:00", "12:00")]})
    assert calendar.elapsed(berlin("2024-12-24T00:00"), berlin("2024-12-25T00:00")) == timedelta(hours=3)
    assert calendar.elapsed(berlin("2024-12-25T00:00"), berlin("2024-12-26T00:00")) == timedelta()
    assert calendar.elapsed(berlin("2024-12-26T00:00"), berlin("2024-12-27T00:00")) == timedelta(hours=7.5)


def test_a_special_date_opens_on_a_weekend():
    calendar = make_office(special={date(2024, 3, 2): [("10:00", "14:00")]})
    assert calendar.elapsed(berlin("2024-03-01T17:30"), berlin("2024-03-04T09:00")) == timedelta(hours=4)


def test_a_closure_wins_over_a_special_day():
    calendar = make_office(closed=[date(2024, 12, 24)], special={date(2024, 12, 24): [("09:00", "12:00")]})
    assert calendar.elapsed(berlin("2024-12-24T00:00"), berlin("2024-12-25T00:00")) == timedelta()


def test_a_special_date_without_windows_is_closed():
    calendar = make_office(special={date(2024, 12, 24): []})
    assert calendar.elapsed(berlin("2024-12-24T00:00"), berlin("2024-12-25T00:00")) == timedelta()


def test_an_overnight_shift_is_two_windows():
    calendar = BusinessTime("Europe/Berlin", {0: [("22:00", "24:00")], 1: [("00:00", "06:00")]})
    assert calendar.windows(berlin("2024-03-04T12:00"), berlin("2024-03-05T12:00")) == [
        (at("2024-03-04T21:00"), at("2024-03-05T05:00"))
    ]


@pytest.mark.parametrize(
    ("zone", "day", "minutes"),
    [
        ("Europe/Berlin", "2024-03-31", 1380),
        ("Europe/Berlin", "2024-10-27", 1500),
        ("America/New_York", "2024-03-10", 1380),
        ("America/New_York", "2024-11-03", 1500),
        ("America/Havana", "2024-03-10", 1380),
        ("America/Havana", "2024-11-03", 1500),
        ("Asia/Beirut", "2024-03-31", 1380),
        ("Asia/Beirut", "2024-10-26", 1500),
        ("Australia/Lord_Howe", "2024-04-07", 1470),
        ("Australia/Lord_Howe", "2024-10-06", 1410),
        ("Asia/Kathmandu", "1986-01-01", 1425),
        ("Asia/Kolkata", "2024-03-31", 1440),
        ("Pacific/Apia", "2011-12-30", 0),
        ("UTC", "2024-03-31", 1440),
    ],
)
def test_an_open_day_lasts_as_long_as_it_really_did(zone, day, minutes):
    calendar = make_day(zone, day, "00:00-24:00")
    noon = at(f"{day}T12:00")
    assert calendar.elapsed(noon - timedelta(days=3), noon + timedelta(days=3)) == timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("zone", "day", "windows", "opened"),
    [
        # Berlin, spring: 02:00 becomes 03:00 at 01:00 UTC.
        ("Europe/Berlin", "2024-03-31", ["02:30-04:00"], ["03-31T01:30 03-31T02:00"]),
        ("Europe/Berlin", "2024-03-31", ["01:00-02:30"], ["03-31T00:00 03-31T01:30"]),
        ("Europe/Berlin", "2024-03-31", ["02:15-02:45"], ["03-31T01:15 03-31T01:45"]),
        ("Europe/Berlin", "2024-03-31", ["01:00-02:00"], ["03-31T00:00 03-31T01:00"]),
        ("Europe/Berlin", "2024-03-31", ["02:00-03:00"], []),
        ("Europe/Berlin", "2024-03-31", ["02:30-03:15"], []),
        ("Europe/Berlin", "2024-03-31", ["02:15-02:45", "03:00-04:00"], ["03-31T01:00 03-31T02:00"]),
        ("Europe/Berlin", "2024-03-31", ["01:00-02:45", "03:00-03:30"], ["03-31T00:00 03-31T01:45"]),
        # Berlin, autumn: 03:00 becomes 02:00 at 01:00 UTC.
        ("Europe/Berlin", "2024-10-27", ["01:00-02:30"], ["10-26T23:00 10-27T01:30"]),
        ("Europe/Berlin", "2024-10-27", ["02:30-04:00"], ["10-27T00:30 10-27T03:00"]),
        ("Europe/Berlin", "2024-10-27", ["02:00-03:00"], ["10-27T00:00 10-27T02:00"]),
        ("Europe/Berlin", "2024-10-27", ["01:00-02:00"], ["10-26T23:00 10-27T01:00"]),
        ("Europe/Berlin", "2024-10-27", ["03:00-04:00"], ["10-27T02:00 10-27T03:00"]),
        ("Europe/Berlin", "2024-10-27", ["02:10-02:20", "02:40-02:50"], ["10-27T00:10 10-27T01:50"]),
        ("Europe/Berlin", "2024-10-27", ["01:00-02:30", "02:30-05:00"], ["10-26T23:00 10-27T04:00"]),
        # New York: 07:00 UTC in spring, 06:00 UTC in autumn.
        ("America/New_York", "2024-03-10", ["02:30-04:00"], ["03-10T07:30 03-10T08:00"]),
        ("America/New_York", "2024-11-03", ["01:30-09:00"], ["11-03T05:30 11-03T14:00"]),
        ("America/New_York", "2024-11-03", ["00:30-01:30"], ["11-03T04:30 11-03T06:30"]),
        # Lord Howe moves by half an hour.
        ("Australia/Lord_Howe", "2024-04-07", ["01:00-01:45"], ["04-06T14:00 04-06T15:15"]),
        ("Australia/Lord_Howe", "2024-10-06", ["02:15-03:00"], ["10-05T15:45 10-05T16:00"]),
        # Havana and Beirut change at midnight.
        ("America/Havana", "2024-03-09", ["20:00-24:00"], ["03-10T01:00 03-10T05:00"]),
        ("America/Havana", "2024-03-10", ["00:00-02:00"], ["03-10T05:00 03-10T06:00"]),
        ("America/Havana", "2024-11-02", ["20:00-24:00"], ["11-03T00:00 11-03T05:00"]),
        ("America/Havana", "2024-11-03", ["00:00-09:00"], ["11-03T04:00 11-03T14:00"]),
        ("Asia/Beirut", "2024-03-30", ["22:00-24:00"], ["03-30T20:00 03-30T22:00"]),
        ("Asia/Beirut", "2024-03-31", ["00:30-02:00"], ["03-30T22:30 03-30T23:00"]),
        ("Asia/Beirut", "2024-10-26", ["23:00-24:00"], ["10-26T20:00 10-26T22:00"]),
        # Half and quarter hours, and a date that Apia skipped, whose windows fall on the next.
        ("Asia/Kolkata", "2024-03-04", ["09:00-17:00"], ["03-04T03:30 03-04T11:30"]),
        ("Asia/Kathmandu", "2024-03-04", ["09:00-17:00"], ["03-04T03:15 03-04T11:15"]),
        ("Pacific/Apia", "2011-12-29", ["09:00-17:00"], ["12-29T19:00 12-30T03:00"]),
        ("Pacific/Apia", "2011-12-30", ["09:00-17:00"], ["12-30T19:00 12-31T03:00"]),
        ("Pacific/Apia", "2011-12-31", ["09:00-17:00"], ["12-30T19:00 12-31T03:00"]),
    ],
)
def test_window_ends_are_local_times(zone, day, windows, opened):
    noon = at(f"{day}T12:00")
    expected = [tuple(at(f"{day[:4]}-{end}") for end in window.split()) for window in opened]
    assert make_day(zone, day, *windows).windows(noon - timedelta(days=3), noon + timedelta(days=3)) == expected


def test_what_both_passes_of_a_midnight_share_counts_once():
    calendar = BusinessTime("America/Havana", {5: [("20:00", "24:00")], 6: [("00:00", "09:00")]})
    start, end = at("2024-11-02T12:00"), at("2024-11-04T12:00")
    assert calendar.windows(start, end) == [(at("2024-11-03T00:00"), at("2024-11-03T14:00"))]
    assert calendar.elapsed(start, end) == timedelta(hours=14)


def test_windows_of_a_day_skipped_at_the_end_of_a_year_open_in_the_next():
    calendar = make_day("Pacific/Kanton", "1994-12-31", "20:00-21:00")
    assert calendar.windows(at("1995-01-01T00:00"), at("1995-01-02T00:00")) == [
        (at("1995-01-01T07:00"), at("1995-01-01T08:00"))
    ]


# Deadlines


@pytest.mark.parametrize(
    ("start", "minutes", "deadline"),
    [
        ("2024-03-04T09:00", 60, "2024-03-04T10:00"),
        ("2024-03-04T09:00", 180, "2024-03-04T12:00"),
        ("2024-03-04T09:00", 181, "2024-03-04T13:01"),
        ("2024-03-04T07:00", 30, "2024-03-04T09:30"),
        ("2024-03-04T12:15", 30, "2024-03-04T13:30"),
        ("2024-03-01T16:30", 60, "2024-03-01T17:30"),
        ("2024-03-01T16:30", 61, "2024-03-04T09:01"),
        ("2024-03-01T17:30", 1, "2024-03-04T09:01"),
        ("2024-03-29T17:00", 60, "2024-04-01T09:30"),
        ("2024-03-04T15:00", 450, "2024-03-05T15:00"),
        # A zero allowance: the start, or the next opening when closed.
        ("2024-03-04T09:00", 0, "2024-03-04T09:00"),
        ("2024-03-04T10:17", 0, "2024-03-04T10:17"),
        ("2024-03-04T12:00", 0, "2024-03-04T13:00"),
        ("2024-03-01T17:30", 0, "2024-03-04T09:00"),
        ("2024-03-02T12:00", 0, "2024-03-04T09:00"),
    ],
)
def test_a_deadline_is_the_earliest_instant_at_which_the_allowance_is_used_up(start, minutes, deadline):
    found = make_office().deadline(berlin(start), timedelta(minutes=minutes))
    assert (found, found.tzinfo) == (berlin(deadline).astimezone(UTC), UTC)


def test_a_deadline_runs_through_both_passes_of_a_repeated_hour():
    calendar = BusinessTime("Europe/Berlin", ROUND_THE_CLOCK)
    assert calendar.deadline(berlin("2024-10-27T00:00"), timedelta(hours=24)) == berlin("2024-10-27T23:00")
    assert calendar.deadline(berlin("2024-03-31T00:00"), timedelta(hours=23)) == berlin("2024-04-01T00:00")


def test_a_start_in_the_second_pass_of_a_repeated_hour_is_later():
    calendar = BusinessTime.always("Europe/Berlin")
    first, second = berlin("2024-10-27T02:30"), berlin("2024-10-27T02:30").replace(fold=1)
    assert calendar.elapsed(first, second) == timedelta(hours=1)


def test_an_always_open_calendar_counts_calendar_time():
    calendar = BusinessTime.always()
    start = at("2024-02-28T13:37")
    assert calendar.deadline(start, timedelta(days=2, microseconds=1)) == start + timedelta(days=2, microseconds=1)
    assert calendar.deadline(start, timedelta()) == start
    assert calendar.elapsed(at("1900-01-01T00:00"), at("2200-01-01T00:00")) == timedelta(days=109_572 + 1)
    assert calendar.working_day == timedelta(hours=24)
    assert calendar.windows(start, start + timedelta(days=900)) == [(start, start + timedelta(days=900))]


# Windows


def test_windows_are_clipped_to_the_span():
    windows = make_office().windows(berlin("2024-03-01T10:00"), berlin("2024-03-04T09:15"))
    assert windows == [
        (berlin("2024-03-01T10:00"), berlin("2024-03-01T12:00")),
        (berlin("2024-03-01T13:00"), berlin("2024-03-01T17:30")),
        (berlin("2024-03-04T09:00"), berlin("2024-03-04T09:15")),
    ]
    assert {end.tzinfo for window in windows for end in window} == {UTC}


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2024-03-01T12:00", "2024-03-01T13:00"),
        ("2024-03-01T10:00", "2024-03-01T10:00"),
        ("2024-03-01T11:00", "2024-03-01T10:00"),
        ("2024-03-04T11:00", "2024-03-01T10:00"),
    ],
)
def test_a_closed_or_reversed_span_has_no_windows(start, end):
    assert make_office().windows(berlin(start), berlin(end)) == []


# Positions


def test_the_end_of_a_window_is_left_at_the_next_opening():
    calendar = make_office()
    friday = calendar.position_many(utc64(berlin("2024-03-01T17:30")))
    assert calendar.instant_many(friday) == utc64(berlin("2024-03-01T17:30"))
    assert calendar.leaving_many(friday) == utc64(berlin("2024-03-04T09:00"))


def test_an_allowance_is_left_at_the_next_opening():
    calendar = make_office()
    for start, minutes, until in (
        ("2024-03-01T10:00", 60, "2024-03-01T11:00"),
        ("2024-03-01T16:30", 60, "2024-03-04T09:00"),
        ("2024-03-01T17:00", 60, "2024-03-04T09:30"),
        ("2024-03-02T12:00", 0, "2024-03-04T09:00"),
    ):
        found = calendar.leaving(berlin(start), timedelta(minutes=minutes))
        assert (found, found.utcoffset()) == (berlin(until), timedelta()), start


def test_inside_a_window_a_position_has_one_instant():
    calendar = make_office()
    moment = utc64(berlin("2024-03-01T10:00"))
    positions = calendar.position_many(moment)
    assert calendar.instant_many(positions) == calendar.leaving_many(positions) == moment


def test_positions_rest_while_closed_and_go_below_zero_before_the_epoch():
    calendar = make_office()
    before, closing, opening, much_earlier = calendar.position_many(
        utc64(
            berlin("2024-03-01T17:29"),
            berlin("2024-03-01T17:30"),
            berlin("2024-03-04T09:00"),
            berlin("1990-01-01T00:00"),
        )
    )
    assert (closing - before, opening - closing) == (60_000_000, 0)
    assert much_earlier < 0


@pytest.mark.parametrize("further", ["1900-01-01T00:00", "1987-06-05T04:03", "2031-01-01T00:00", "2200-01-01T00:00"])
def test_growing_changes_no_position(further):
    calendar = make_office(special={"2024-12-24": [("09:00", "12:00")]})
    moments = np.arange("2024-01-01", "2028-01-01", 7_777, "datetime64[m]").astype("datetime64[us]")
    before = calendar.position_many(moments)
    calendar.position_many(utc64(at(further)))
    np.testing.assert_array_equal(calendar.position_many(moments), before)
    np.testing.assert_array_equal(calendar.position_many(calendar.instant_many(before[100:])), before[100:])


def test_threads_that_grow_one_calendar_get_the_same_answers():
    calendar = make_office()
    starts = [at(f"{year}-05-06T07:08") for year in range(1900, 2199, 13)]
    expected = [make_office().elapsed(start, start + timedelta(days=200)) for start in starts]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda start: calendar.elapsed(start, start + timedelta(days=200)), starts * 5))
    assert found == expected * 5


# Far from today


def count_weekdays(first, last):
    return sum(date.fromordinal(number).weekday() < 5 for number in range(first.toordinal(), last.toordinal()))


@pytest.mark.parametrize(
    "zone", ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Apia", "Africa/Monrovia"]
)
@pytest.mark.parametrize(("first", "last"), [(1913, 2013), (1950, 2050), (2098, 2198), (1901, 2199)])
def test_a_hundred_years_are_as_long_as_their_working_days(zone, first, last):
    calendar = BusinessTime(zone, {**NINE_TO_FIVE})
    first, last = date(first, 1, 1), date(last, 1, 1)
    days = count_weekdays(first, last)
    elapsed = calendar.elapsed(at(f"{first}T00:00", zone), at(f"{last}T00:00", zone))
    # Friday 30 December 2011 never came in Apia: its windows fell on the Saturday after it.
    assert elapsed == timedelta(hours=8 * days)
    assert calendar.deadline(at(f"{first}T00:00", zone), timedelta(hours=8 * days)) <= at(f"{last}T00:00", zone)


@pytest.mark.parametrize("outside", ["1899-12-31T23:59", "2200-01-01T00:01", "0001-01-02T00:00", "9999-12-30T00:00"])
def test_years_that_are_not_covered_are_refused(outside):
    inside, outside = at("2024-03-04T09:00"), at(outside)
    for question in (
        lambda: make_office().elapsed(inside, outside),
        lambda: make_office().elapsed(outside, inside),
        lambda: make_office().deadline(outside, timedelta()),
        lambda: make_office().windows(min(inside, outside), max(inside, outside)),
        lambda: make_office().elapsed_many(utc64(inside), utc64(outside)),
    ):
        with pytest.raises(ValueError, match=f"covers the years 1900 to 2199; .*{outside:%H:%M}"):
            question()


@pytest.mark.parametrize("allowance", [timedelta(days=300 * 365), timedelta.max])
def test_a_deadline_beyond_the_covered_years_is_refused(allowance):
    with pytest.raises(ValueError, match=r"not enough open time left.*last time at 2199-12-31 16:30 UTC"):
        make_office().deadline(at("2024-03-04T09:00"), allowance)
    with pytest.raises(ValueError, match="not enough open time left"):
        make_office().deadline_many(utc64(at("2190-01-01T00:00")), np.array([2**63 - 1], "timedelta64[us]"))


def test_an_always_open_calendar_ends_with_the_covered_years_too():
    calendar = BusinessTime.always("America/New_York")
    first, last = at("1900-01-01T00:00"), at("2200-01-01T00:00")
    assert calendar.deadline(last - timedelta(days=1), timedelta(days=1)) == last
    with pytest.raises(ValueError, match="last time at 2200-01-01 00:00 UTC"):
        calendar.deadline(last - timedelta(days=1), timedelta(days=1) + MICROSECOND)
    positions = calendar.position_many(utc64(first))
    assert calendar.leaving_many(positions) == utc64(first)
    with pytest.raises(ValueError, match="no open time so far back"):
        calendar.leaving_many(positions - 1)


def test_a_calendar_of_special_days_ends_with_the_last_of_them():
    calendar = make_day("Europe/Berlin", "2024-06-01", "10:00-16:00")
    assert calendar.deadline(at("2020-01-01T00:00"), timedelta(hours=6)) == berlin("2024-06-01T16:00")
    assert calendar.elapsed(at("1950-01-01T00:00"), at("2150-01-01T00:00")) == timedelta(hours=6)
    for start, allowance in [("2020-01-01T00:00", timedelta(hours=6) + MICROSECOND), ("2024-06-02T00:00", timedelta())]:
        with pytest.raises(ValueError, match=r"not enough open time left.*last time at 2024-06-01 14:00 UTC"):
            calendar.deadline(at(start), allowance)


def test_there_is_no_earliest_instant_before_the_first_opening():
    calendar = make_day("Europe/Berlin", "2024-06-01", "10:00-16:00")
    before = calendar.position_many(utc64(at("2024-01-01T00:00")))
    assert calendar.leaving_many(before) == utc64(berlin("2024-06-01T10:00"))
    with pytest.raises(ValueError, match="no open time so far back"):
        calendar.instant_many(before)


# Arrays


def test_arrays_agree_with_single_questions():
    calendar = make_office(closed=[date(2024, 12, 25)])
    noise = np.random.default_rng(7)
    starts = np.datetime64("2023-06-01", "us") + noise.integers(0, 600 * 86_400_000_000, 300)
    ends = starts + noise.integers(-5 * 86_400_000_000, 90 * 86_400_000_000, 300)
    spans = noise.integers(0, 3, 300) * noise.integers(0, 90 * 3_600_000_000, 300).astype("timedelta64[us]")
    singly = list(zip(*(array.tolist() for array in (starts, ends, spans)), strict=True))
    elapsed = [calendar.elapsed(start.replace(tzinfo=UTC), end.replace(tzinfo=UTC)) for start, end, _ in singly]
    deadlines = [calendar.deadline(start.replace(tzinfo=UTC), span).replace(tzinfo=None) for start, _, span in singly]
    assert calendar.elapsed_many(starts, ends).tolist() == elapsed
    assert calendar.deadline_many(starts, spans).tolist() == deadlines
    assert calendar.elapsed_many(starts, ends).dtype == "timedelta64[us]"
    assert calendar.deadline_many(starts, spans).dtype == "datetime64[us]"


def test_nothing_known_in_nothing_known_out():
    calendar = make_office()
    starts = np.array(["1991-03-04T08:00", "NaT", "2024-03-04T08:00", "NaT"], "datetime64[us]")
    ends = np.array(["1991-03-04T09:00", "2024-03-04T09:00", "NaT", "NaT"], "datetime64[us]")
    spans = np.array([3_600_000_000, 0, "NaT", "NaT"], "timedelta64[us]")
    np.testing.assert_array_equal(
        calendar.elapsed_many(starts, ends), np.array([3_600_000_000, *["NaT"] * 3], "m8[us]")
    )
    np.testing.assert_array_equal(calendar.deadline_many(starts, spans), np.array([ends[0], *["NaT"] * 3], "M8[us]"))
    unknown = calendar.position_many(starts) + 3_600_000_000
    expected = np.array([ends[0], "NaT", "2024-03-04T09:00", "NaT"], "M8[us]")
    np.testing.assert_array_equal(calendar.instant_many(unknown), expected)
    np.testing.assert_array_equal(calendar.leaving_many(unknown), expected)


def test_arrays_broadcast_and_may_be_empty_or_single():
    calendar = make_office()
    starts = np.array([["2024-03-04T08:00"], ["2024-03-04T09:00"]], "datetime64[s]")
    ends = np.array(["2024-03-04T09:00", "2024-03-04T10:00"], "datetime64[m]")
    hours = (calendar.elapsed_many(starts, ends) / np.timedelta64(1, "h")).tolist()
    assert hours == [[1, 2], [0, 1]]
    due = calendar.deadline_many(starts, np.timedelta64(30, "m"))
    assert due.tolist() == [[datetime(2024, 3, 4, 8, 30)], [datetime(2024, 3, 4, 9, 30)]]  # noqa: DTZ001
    assert calendar.elapsed_many(starts[0, 0], ends[1]) == np.timedelta64(2, "h")
    assert calendar.deadline_many(starts[0, 0], np.timedelta64(1, "h")) == ends[0]
    assert np.isnat(calendar.deadline_many(np.datetime64("NaT"), np.timedelta64(1, "h")))
    assert np.isnat(calendar.elapsed_many(np.datetime64("NaT"), ends[0]))
    nothing = np.array([], "datetime64[us]")
    assert calendar.elapsed_many(nothing, nothing).size == 0
    assert make_day("UTC", "2024-01-01", "10:00-11:00").deadline_many(nothing, np.array([], "m8[us]")).size == 0


def test_minute_windows_are_counted_right_too():
    calendar = BusinessTime("Europe/Berlin", {0: [("09:00", "09:01"), ("09:02", "09:03")]})
    start, end = berlin("2023-01-02T00:00"), berlin("2033-01-03T00:00")
    assert calendar.elapsed(start, end) == timedelta(minutes=2 * 522)
    assert calendar.deadline(start, timedelta(minutes=2 * 521, seconds=61)) == berlin("2032-12-27T09:02:01")


# Terms


def test_terms_may_come_from_json():
    from_json = BusinessTime(
        time_zone="Europe/Berlin",
        hours={"0": [["9:00", "12:00"], ["13:00", "17:30"]], "1": []},
        closed=["2024-12-25"],
        special={"2024-12-24": [["09:00", "12:00"]]},
    )
    calendar = BusinessTime(
        time_zone="Europe/Berlin",
        hours={0: [("13:00", "17:30"), ("09:00", "12:00")]},
        closed=[date(2024, 12, 25)],
        special={date(2024, 12, 24): [("09:00", "12:00")]},
    )
    assert from_json == calendar
    assert hash(from_json) == hash(calendar)
    assert copy.deepcopy(from_json) == calendar


def test_other_terms_make_another_calendar():
    calendars = {
        make_office(),
        make_office(time_zone="Europe/Paris"),
        make_office(closed=["2024-12-25"]),
        make_office(special={"2024-12-24": [("09:00", "12:00")]}),
        make_office(hours=NINE_TO_FIVE),
    }
    assert len(calendars) == 5
    assert make_office() != "a calendar"


def test_changing_what_a_calendar_was_made_from_does_not_change_it():
    hours, closed = {0: [["09:00", "17:00"]]}, [date(2024, 3, 11)]
    calendar = BusinessTime("UTC", hours, closed)
    hours[0][0][1] = "18:00"
    closed.clear()
    assert calendar.elapsed(at("2024-03-04T00:00"), at("2024-03-18T00:00")) == timedelta(hours=8)


@pytest.mark.parametrize(
    ("terms", "hours"),
    [
        ({"hours": OFFICE}, 7.5),
        ({"hours": {**NINE_TO_FIVE, 4: [("09:00", "14:00")]}}, 8),
        ({"hours": {0: [("09:00", "17:00")], 1: [("09:00", "15:00")]}}, 8),
        ({"hours": {0: [("09:00", "15:00")], 1: [("09:00", "17:00")], 2: [("10:00", "16:00")]}}, 6),
        ({"hours": {0: [("09:00", "10:00")], 1: [], 2: []}}, 1),
        ({"hours": ROUND_THE_CLOCK}, 24),
        ({"hours": OFFICE, "special": {"2024-12-24": [("09:00", "12:00")]}}, 7.5),
        ({"hours": {}, "special": {"2024-12-24": [("09:00", "12:00")], "2024-12-25": []}}, 3),
    ],
)
def test_a_working_day_is_the_most_common_daily_open_time(terms, hours):
    assert BusinessTime(time_zone="Europe/Berlin", **terms).working_day == timedelta(hours=hours)


@pytest.mark.parametrize(
    ("terms", "sentence"),
    [
        ({"hours": {0: [("9am", "17:00")]}}, "Monday: “9am–17:00” is not a window of two times"),
        ({"hours": {0: [("09:60", "17:00")]}}, "Monday: “09:60–17:00” is not a window"),
        ({"hours": {0: [("09:00", "24:01")]}}, "Monday: “09:00–24:01” is not a window"),
        ({"hours": {0: [("09:00", "25:00")]}}, "Monday: “09:00–25:00” is not a window"),
        ({"hours": {0: [("09:00", "")]}}, "Monday: “09:00–” is not a window"),
        ({"hours": {0: [("٠٩:٠٠", "17:00")]}}, "Monday: “٠٩:٠٠–17:00” is not a window"),
        ({"hours": {0: [(9, 17)]}}, "Monday: “9–17” is not a window"),
        ({"hours": {0: [("09:00", "12:00", "17:00")]}}, "Monday: “09:00–12:00–17:00” is not a window"),
        ({"hours": {0: ["09:00-17:00"]}}, "Monday: “09:00-17:00” is not a window"),
        ({"hours": {2: [("17:00", "09:00")]}}, "Wednesday: 17:00–09:00 must end after it begins"),
        ({"hours": {2: [("09:00", "9:00")]}}, "Wednesday: 09:00–09:00 must end after it begins"),
        ({"hours": {2: [("24:00", "24:00")]}}, "Wednesday: 24:00–24:00 must end after it begins"),
        (
            {"hours": {6: [("11:00", "13:00"), ("09:00", "12:00")]}},
            "Sunday: 09:00–12:00 and 11:00–13:00 overlap",
        ),
        (
            {"special": {"2024-12-24": [("09:00", "12:00"), ("09:00", "12:00")]}},
            "2024-12-24: 09:00–12:00 and 09:00–12:00 overlap",
        ),
        ({"special": {date(2024, 12, 24): [("12:00", "09:00")]}}, "2024-12-24: 12:00–09:00 must end"),
        ({"special": {"2024-12-24": [], date(2024, 12, 24): []}}, "2024-12-24 is given twice"),
        ({"special": {"24.12.2024": []}}, "“24.12.2024” is not a date"),
        ({"closed": ["2024-02-30"]}, "“2024-02-30” is not a date"),
        ({"closed": [datetime(2024, 2, 3, tzinfo=UTC)]}, "is not a date"),
        ({"closed": "2024-02-03"}, "“2” is not a date"),
        ({"closed": [None]}, "“None” is not a date"),
        ({"hours": {7: [("09:00", "17:00")]}}, "“7” is not a weekday"),
        ({"hours": {-1: [("09:00", "17:00")]}}, "“-1” is not a weekday"),
        ({"hours": {"mon": [("09:00", "17:00")]}}, "“mon” is not a weekday"),
        ({"hours": {0: [("09:00", "17:00")], "0": []}}, "Monday is given twice"),
        ({"time_zone": "Europe/Atlantis"}, "“Europe/Atlantis” is not a known time zone"),
        ({"time_zone": "Europe"}, "“Europe” is not a known time zone"),
        ({"time_zone": "../etc/passwd"}, "“../etc/passwd” is not a known time zone"),
        ({"time_zone": ""}, "“” is not a known time zone"),
        ({"hours": {}}, "never opens"),
        ({"hours": {day: [] for day in range(7)}, "special": {"2024-12-24": []}}, "never opens"),
        ({"hours": {}, "closed": ["2024-12-24"], "special": {"2024-12-24": [("09:00", "12:00")]}}, "never opens"),
        ({"hours": {}, "special": {"2500-12-24": [("09:00", "12:00")]}}, "never opens"),
    ],
)
def test_terms_that_make_no_sense_are_refused_with_a_sentence(terms, sentence):
    with pytest.raises(ValueError, match=sentence) as refusal:
        make_office(**terms)
    assert str(refusal.value).endswith(".")


def test_windows_may_touch():
    calendar = make_office(hours={0: [("09:00", "12:00"), ("12:00", "24:00")], 1: [("00:00", "09:00")]})
    assert calendar.elapsed(berlin("2024-03-04T00:00"), berlin("2024-03-06T00:00")) == timedelta(hours=24)
    assert len(calendar.windows(berlin("2024-03-04T00:00"), berlin("2024-03-06T00:00"))) == 1


def test_times_without_a_zone_are_refused():
    naive, aware = datetime(2024, 3, 4, 9), at("2024-03-04T09:00")  # noqa: DTZ001
    for question in (
        lambda: make_office().elapsed(naive, aware),
        lambda: make_office().elapsed(aware, naive),
        lambda: make_office().deadline(naive, timedelta()),
        lambda: make_office().windows(aware, naive),
    ):
        with pytest.raises(ValueError, match="2024-03-04 09:00:00 has no time zone"):
            question()


def test_negative_allowances_are_refused():
    for allowance in (-MICROSECOND, timedelta.min):
        with pytest.raises(ValueError, match="cannot be negative"):
            make_office().deadline(at("2024-03-04T09:00"), allowance)
    starts = np.array(["2024-03-04", "2024-03-04"], "datetime64[us]")
    with pytest.raises(ValueError, match="cannot be negative"):
        make_office().deadline_many(starts, np.array(["NaT", -1], "timedelta64[us]"))


# Windows as text


@pytest.mark.parametrize(
    ("text", "windows"),
    [
        ("", []),
        ("  ", []),
        ("09:00-17:00", [("09:00", "17:00")]),
        (" 9:00 – 12:00,13:00-17:30 ", [("09:00", "12:00"), ("13:00", "17:30")]),
        ("13:00–24:00, 0:00–12:00", [("00:00", "12:00"), ("13:00", "24:00")]),
    ],
)
def test_windows_are_read_as_people_write_them(text, windows):
    assert parse_windows(text) == windows
    assert parse_windows(write_windows(windows)) == windows


def test_windows_are_written_with_a_dash():
    assert write_windows([["09:00", "12:00"], ["13:00", "17:30"]]) == "09:00–12:00, 13:00–17:30"
    assert write_windows([]) == ""


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("nine to five", "“nine to five” is not a window"),
        ("09:00-12:00,", "“” is not a window"),
        ("09:00-12:00-13:00", "“09:00–12:00–13:00” is not a window"),
        ("09:00-12", "“09:00–12” is not a window"),
        ("12:00-09:00", "^12:00–09:00 must end after it begins"),
        ("09:00-12:00, 11:00-13:00", "^09:00–12:00 and 11:00–13:00 overlap"),
    ],
)
def test_text_that_holds_no_windows_is_refused_with_a_sentence(text, sentence):
    with pytest.raises(ValueError, match=sentence):
        parse_windows(text)


# Laws, around days on which the clocks of a zone change and around the turn of a year

CHANGES = [
    ("Europe/Berlin", date(2024, 3, 31)),
    ("Europe/Berlin", date(2024, 10, 27)),
    ("Europe/London", date(2031, 10, 26)),
    ("America/New_York", date(2024, 3, 10)),
    ("America/New_York", date(2024, 11, 3)),
    ("America/Havana", date(2024, 3, 10)),
    ("America/Havana", date(2024, 11, 3)),
    ("America/Sao_Paulo", date(2018, 2, 18)),
    ("America/Sao_Paulo", date(2018, 11, 4)),
    ("Asia/Beirut", date(2024, 3, 31)),
    ("Asia/Beirut", date(2024, 10, 27)),
    ("Africa/Casablanca", date(2025, 2, 23)),
    ("Africa/Casablanca", date(2025, 4, 6)),
    ("Asia/Kathmandu", date(1986, 1, 1)),
    ("Asia/Kolkata", date(2024, 6, 1)),
    ("Australia/Lord_Howe", date(2024, 4, 7)),
    ("Australia/Lord_Howe", date(2024, 10, 6)),
    ("Pacific/Apia", date(2011, 12, 30)),
    ("Pacific/Kwajalein", date(1993, 8, 21)),
    ("Africa/Monrovia", date(1972, 1, 7)),
    ("America/New_York", date(2023, 12, 31)),
    ("Asia/Kolkata", date(2024, 1, 1)),
    ("Australia/Sydney", date(2028, 1, 1)),
]
ENDS = ["00:00", "00:15", "00:30", "01:00", "01:30", "01:45", "02:00", "02:20", "02:30", "03:00", "03:30"]
ENDS += ["09:00", "12:00", "13:00", "17:30", "23:00", "23:30", "24:00"]


@st.composite
def windows_of_a_day(draw):
    ends = sorted(draw(st.lists(st.sampled_from(ENDS), max_size=7, unique=True)))
    every = draw(st.sampled_from([1, 2]))
    return list(pairwise(ends))[::every]


@st.composite
def histories(draw):
    """Terms, the walk over their windows around a clock change, and some instants there in order."""
    zone, change = draw(st.sampled_from(CHANGES))
    near = st.integers(-4, 4).map(lambda days: change + timedelta(days=days))
    terms = {
        "time_zone": zone,
        "hours": {day: draw(windows_of_a_day()) for day in range(7)},
        "closed": draw(st.lists(near, max_size=2)),
        "special": draw(st.dictionaries(near, windows_of_a_day(), max_size=3)),
    }
    terms["hours"][draw(st.integers(0, 6))] = [("08:00", "16:00")]
    midnight = datetime(change.year, change.month, change.day, tzinfo=UTC)
    seconds = st.integers(-5 * 86_400, 5 * 86_400) | st.integers(-24 * 2, 24 * 2).map(lambda half: half * 1800)
    instants = draw(st.lists(seconds.map(lambda second: midnight + timedelta(seconds=second)), min_size=3, max_size=3))
    walk = walked_windows(terms, change - timedelta(days=8), change + timedelta(days=40))
    return terms, walk, sorted(instants)


@settings(deadline=None, max_examples=200)
@given(histories())
def test_elapsed_agrees_with_a_walk_over_the_windows_and_adds_up(history):
    terms, walk, (first, second, third) = history
    calendar = BusinessTime(**terms)
    assert calendar.elapsed(first, third) == walked_elapsed(walk, first, third)
    assert calendar.elapsed(first, second) + calendar.elapsed(second, third) == calendar.elapsed(first, third)
    assert calendar.elapsed(third, first) == timedelta()


@settings(deadline=None, max_examples=200)
@given(histories(), st.integers(0, 20 * 3600) | st.sampled_from([0, 900, 1800, 3600, 7200]))
def test_a_deadline_is_the_first_instant_that_has_elapsed_enough(history, seconds):
    terms, walk, (start, _, _) = history
    calendar = BusinessTime(**terms)
    allowance = timedelta(seconds=seconds)
    deadline = calendar.deadline(start, allowance)
    assert deadline == walked_deadline(walk, start, allowance)
    assert calendar.elapsed(start, deadline) == allowance
    if allowance:
        assert calendar.elapsed(start, deadline - MICROSECOND) == allowance - MICROSECOND


@settings(deadline=None, max_examples=100)
@given(histories())
def test_windows_agree_with_the_walk(history):
    terms, walk, (start, _, end) = history
    clipped = [(max(opening, start), min(closing, end)) for opening, closing in walk]
    assert BusinessTime(**terms).windows(start, end) == [window for window in clipped if window[0] < window[1]]


@settings(deadline=None, max_examples=100)
@given(histories())
def test_a_position_is_first_reached_and_last_left_where_its_instants_begin_and_end(history):
    terms, _, instants = history
    calendar = BusinessTime(**terms)
    moments = utc64(*instants)
    positions = calendar.position_many(moments)
    first, last = calendar.instant_many(positions), calendar.leaving_many(positions)
    assert (first <= moments).all()
    assert (moments <= last).all()
    np.testing.assert_array_equal(calendar.position_many(first), positions)
    np.testing.assert_array_equal(calendar.position_many(first - 1), positions - 1)
    np.testing.assert_array_equal(calendar.position_many(last), positions)
    np.testing.assert_array_equal(calendar.position_many(last + 1), positions + 1)


@settings(deadline=None, max_examples=30)
@given(histories(), st.sampled_from(["1900-01-01", "1961-02-03", "2061-02-03", "2199-12-31"]))
def test_growing_changes_no_answer(history, further):
    terms, _, instants = history
    fresh, grown = BusinessTime(**terms), BusinessTime(**terms)
    grown.position_many(np.array([further], "datetime64[us]"))
    moments, spans = utc64(*instants), np.array([0, 1, 36_000_000_000], "timedelta64[us]")
    np.testing.assert_array_equal(fresh.position_many(moments), grown.position_many(moments))
    np.testing.assert_array_equal(fresh.deadline_many(moments, spans), grown.deadline_many(moments, spans))
    assert fresh.windows(instants[0], instants[2]) == grown.windows(instants[0], instants[2])


@pytest.mark.parametrize("hours", [None, [], {0: None}, {0: "09:00-17:00"}])
def test_hours_of_another_shape_are_a_sentence(hours):
    with pytest.raises(ValueError, match=r"[Gg]ive .* windows"):
        BusinessTime("UTC", hours)
