"""The why of a clock: sums that add up, in the reader's days, and a strip that shows the same."""

import re
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agreements.business_time import BusinessTime
from agreements.catalogue import CATALOGUE
from agreements.terms import Promise
from leads import strips
from leads.clocks import EXCLUDED, MET, MISSED, OPEN
from leads.explanations import Run, by_day, closed_days, in_words, limit_in_words, merged, sentence
from slaportal.templatetags.display import duration

BERLIN = ZoneInfo("Europe/Berlin")
WINDOWS = [("09:00", "12:00"), ("13:00", "17:30")]
EASTER = {"2025-04-18": "Karfreitag", "2025-04-21": "Ostermontag"}
OFFICE = BusinessTime("Europe/Berlin", dict.fromkeys(range(5), WINDOWS), closed=EASTER)
HOUR = 3600


def at(text: str) -> datetime:
    """Berlin time in March 2025, whose third is a Monday: “3 16:40”; or “4-18 9:00” in another month."""
    day, time = text.split()
    month, day = day.split("-") if "-" in day else ("3", day)
    hour, minute, *second = (int(part) for part in time.split(":"))
    return datetime(2025, int(month), int(day), hour, minute, *second, tzinfo=BERLIN).astimezone(UTC)


def make_run(start: str, end: str | None = None, state: int = MET, **overrides) -> Run:
    fields = {"calendar": OFFICE, "due_at": None, "limit": 4 * HOUR, "holds": (), "zone": BERLIN, "now": at("28 12:00")}
    fields = {**fields, "started_at": at(start), "stopped_at": end and at(end), "state": state, **overrides}
    return Run(**{**fields, "due_at": fields["due_at"] or fields["calendar"].deadline(at(start), timedelta(hours=4))})


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        ("3 9:00", "3 10:05", "Mon 9:00 → 10:05: 1 h 05 of 4 h."),
        ("3 16:40", "4 9:20", "Mon 16:40 → Tue 9:20: 50 min Monday + 20 min Tuesday = 1 h 10 of 4 h."),
        ("3 11:30", "3 14:00", "Mon 11:30 → 14:00: 30 min 11:30–12:00 + 1 h 13:00–14:00 = 1 h 30 of 4 h."),
        ("7 17:00", "10 9:30", "Fri 17:00 → Mon 9:30: 30 min Friday + 30 min Monday = 1 h of 4 h."),
        ("4-17 17:00", "4-22 9:15", "Thu 17:00 → Tue 9:15: 30 min Thursday + 15 min Tuesday = 45 min of 4 h."),
        ("8 10:00", "10 9:20", "Sat 10:00 → Mon 9:20: 20 min Monday = 20 min of 4 h."),
        ("8 10:00", "9 11:00", "Sat 10:00 → Sun 11:00: closed all along = 0 s of 4 h."),
        ("3 9:00", "3 9:00", "Mon 9:00 → 9:00: 0 s of 4 h."),
        ("3 9:00", "3 9:00:45", "Mon 9:00 → 9:00: 45 s of 4 h."),
    ],
    ids=["same day", "overnight", "lunch", "weekend", "holidays", "from a Saturday", "closed", "at once", "seconds"],
)
def test_the_sum_names_what_counted_and_nothing_else(start, end, said):
    assert plain(sentence(make_run(start, end))) == said


def test_a_sum_over_more_than_a_week_says_dates_and_puts_the_days_between_together():
    said = plain(sentence(make_run("3 17:00", "17 9:30", MISSED)))
    assert said == (
        "3 Mar 17:00 → 17 Mar 9:30: 30 min on 3 Mar + 67 h 30 on the 9 days between + 30 min on 17 Mar "
        "= 68 h 30 of 4 h, 64 h 30 too late."
    )


@pytest.mark.parametrize(
    ("holds", "said"),
    [
        ([("3 9:30", "3 10:00")], "2 h Monday − 30 min on hold = 1 h 30 of 4 h."),
        ([("3 9:30", "3 10:00"), ("3 9:45", "3 10:15")], "2 h Monday − 45 min on hold = 1 h 15 of 4 h."),
        ([("2 8:00", "3 9:15")], "2 h Monday − 15 min on hold = 1 h 45 of 4 h."),
        ([("3 12:10", "3 12:50")], "2 h of 4 h."),
        ([("3 8:00", "3 8:30")], "2 h of 4 h."),
    ],
    ids=["in between", "overlapping", "from before the start", "after the stop", "while closed"],
)
def test_time_on_hold_is_taken_out_of_the_sum(holds, said):
    spans = merged([(at(begin), at(end)) for begin, end in holds], now=at("28 12:00"))
    assert plain(sentence(make_run("3 9:00", "3 11:00", holds=spans))) == f"Mon 9:00 → 11:00: {said}"


def test_every_state_says_what_follows_from_the_sum():
    now = {"now": at("4 9:20")}
    open_, resting = make_run("3 16:40", None, OPEN, **now), [(at("4 9:10"), None)]
    assert plain(sentence(open_)).endswith(
        "Mon 16:40 → now: 50 min Monday + 20 min Tuesday = 1 h 10 of 4 h, 2 h 50 left."
    )
    held = make_run("3 16:40", None, OPEN, holds=merged(resting, now=at("4 9:20")), **now)
    assert plain(sentence(held)).endswith("− 10 min on hold = 1 h of 4 h, 3 h left when it is released.")
    late = make_run("3 16:40", None, OPEN, now=at("5 9:00"))
    assert plain(sentence(late)).endswith("of 4 h, used up.")
    assert plain(sentence(make_run("3 16:40", "4 15:00", MISSED))).endswith("= 5 h 50 of 4 h, 1 h 50 too late.")
    unstopped = plain(sentence(make_run("3 16:40", None, MISSED)))
    assert unstopped == "Mon 16:40 → Tue 13:10: 50 min Monday + 3 h 10 Tuesday = 4 h of 4 h, and it has not happened."
    assert plain(sentence(make_run("3 9:00", "3 10:00", EXCLUDED))).endswith("1 h of 4 h, which is not counted.")
    assert sentence(make_run("3 9:00", None, EXCLUDED)) == ""


def test_a_second_over_the_limit_never_reads_as_the_limit():
    assert plain(sentence(make_run("3 13:00", "3 17:00:01", MISSED))).endswith("4 h 01 of 4 h, 1 min too late.")
    assert plain(sentence(make_run("3 13:00", "3 17:00", MET))).endswith(": 4 h of 4 h.")


def test_days_and_times_are_the_readers():
    tokyo = make_run("3 16:40", "4 9:20", zone=ZoneInfo("Asia/Tokyo"))
    assert plain(sentence(tokyo)) == "Tue 0:40 → 17:20: 50 min 0:40–1:30 + 20 min 17:00–17:20 = 1 h 10 of 4 h."


def test_a_calendar_that_is_always_open_is_cut_at_midnight():
    run = make_run("3 16:00", "4 10:00", calendar=BusinessTime.always("Europe/Berlin"), limit=24 * HOUR)
    assert plain(sentence(run)) == "Mon 16:00 → Tue 10:00: 8 h Monday + 10 h Tuesday = 18 h of 24 h."


def test_midnight_that_comes_twice_does_not_stop_the_count():
    zone = ZoneInfo("America/Toronto")  # put back from 0:01 to 23:01 in 2006
    window = (datetime(2006, 10, 29, 3, tzinfo=UTC), datetime(2006, 10, 29, 8, tzinfo=UTC))
    days = by_day([window], zone)
    assert sum((end - begin for spans in days.values() for begin, end in spans), timedelta(0)) == timedelta(hours=5)


def seconds_of(words: str) -> int:
    """“1 h 10”, “50 min” and “45 s” back to seconds."""
    sizes = {"h": 3600, "min": 60, "s": 1}
    found = sum(int(amount) * sizes[unit] for amount, unit in re.findall(r"(\d+) (h|min|s)\b", words))
    minutes = re.search(r"\d h (\d\d)$", words)
    return found + (int(minutes[1]) * 60 if minutes else 0)


MINUTES = st.integers(0, 3 * 7 * 24 * 60)


@given(start=MINUTES, spans=st.lists(st.integers(0, 4 * 24 * 3600), min_size=1, max_size=5), held=st.booleans())
@example(start=403, spans=[26161], held=False)
def test_the_terms_of_every_sum_add_up_to_the_elapsed_time(start, spans, held):
    moments = [at("3 0:00") + timedelta(minutes=start)]
    for span in spans:
        moments.append(moments[-1] + timedelta(seconds=span))
    begin, end = moments[0], moments[-1]
    holds = merged(pairwise(moments[1:-1:2]) if held else [], now=end)
    run = Run(OFFICE, begin, None, end, MET, 4 * HOUR, holds, end, BERLIN)
    net = OFFICE.elapsed(begin, end) - sum((OFFICE.elapsed(*hold) for hold in holds), timedelta(0))
    sums, total = plain(sentence(run)).split(": ", 1)[1].removesuffix(" of 4 h.").rpartition(" = ")[::2]
    shown = duration(net) if net < timedelta(hours=100) else in_words(seconds_of(total))
    assert total == plain(shown)
    if sums and "closed" not in sums:
        terms, _, on_hold = sums.partition(" − ")
        # “1 h 13:00–13:59” is one hour, in these minutes.
        parts = [re.match(r"\d+ (?:h \d\d\b(?!:)|h|min|s)", term)[0] for term in terms.split(" + ")]
        assert sum(map(seconds_of, parts)) - seconds_of(on_hold.removesuffix(" on hold")) == seconds_of(total)


def test_closed_days_between_are_named():
    frozen = {"time_zone": "Europe/Berlin", "closed": EASTER, "hours": {str(day): WINDOWS for day in range(5)}}
    run = make_run("4-17 17:00", "4-22 9:15")
    assert closed_days(frozen, [date(2025, 4, 22), date(2025, 4, 20)], run) == (
        "Fri 18 Apr (Karfreitag), Mon 21 Apr (Ostermontag), Tue 22 Apr (closed)"
    )
    assert closed_days(frozen, (), make_run("3 9:00", "4 9:00")) == ""


@pytest.mark.parametrize(
    ("limit", "seconds", "said"),
    [
        ("4 business hours", 4 * HOUR, "4 h"),
        ("1 business days", 27000, "7 h 30 (1 business day)"),
        ("2 business days", 54000, "15 h (2 business days)"),
        ("2 days", 48 * HOUR, "48 h"),
        ("1.5 minutes", 90, "1 min 30 s"),
    ],
)
def test_limits_in_business_days_are_worked_out(limit, seconds, said):
    fields = dict.fromkeys(Promise.__dataclass_fields__)
    promise = Promise(**{**fields, "kind": CATALOGUE["first_response"], "limit": limit, "limit_seconds": seconds})
    assert plain(limit_in_words(promise)) == said


def percent(text: str) -> float:
    return float(text.removesuffix("%"))


def edges(strip: strips.Strip, kind: str) -> list[tuple[float, float]]:
    found = [(percent(piece.x), percent(piece.width)) for piece in strip.pieces if piece.kind == kind]
    return [(x, x + width) for x, width in found]


def test_the_strip_shows_open_hours_what_counted_and_the_marks():
    strip = strips.draw(make_run("3 16:40", "4 14:00", MISSED))
    assert [(mark.kind, mark.at) for mark in strip.marks] == [
        ("start", at("3 16:40")), ("due", at("4 13:10")), ("stop", at("4 14:00"))
    ]  # fmt: skip
    assert len(edges(strip, "open")) == 3
    (over,) = edges(strip, "counted-over")
    due, stop = (percent(strip.marks[index].x) for index in (1, 2))
    assert over == pytest.approx((due, stop), abs=0.02)
    assert [label.text for label in strip.labels] == ["Mon 3 Mar", "Tue 4 Mar"]
    assert plain(strip.text).startswith(
        "Business time: open Mon 13:00–17:30, open Tue 9:00–12:00, open Tue 13:00–17:30;"
    )
    assert plain(strip.text).endswith("started Mon 16:40; due Tue 13:10; stopped Tue 14:00.")


def test_the_strip_leaves_a_hold_out_of_what_counted():
    holds = [(at("3 9:30"), at("3 10:00"))]
    strip = strips.draw(make_run("3 9:00", "3 11:00", holds=holds))
    first, second = edges(strip, "counted-met")
    (hold,) = edges(strip, "hold")
    assert (first[1], second[0]) == pytest.approx(hold, abs=0.02)
    assert "on hold Mon 9:30–10:00" in plain(strip.text)


def test_a_clock_that_was_taken_away_has_no_strip():
    assert strips.draw(make_run("3 9:00", None, EXCLUDED)) is None


def test_a_year_of_windows_is_drawn_as_one():
    run = make_run("3 9:00", None, MISSED, stopped_at=at("3 9:00") + timedelta(days=365))
    assert len(edges(strips.draw(run), "open")) == 1


@given(
    start=MINUTES,
    taken=st.integers(0, 3 * 7 * 24 * 60),
    state=st.sampled_from([MET, MISSED, OPEN]),
    stops=st.booleans(),
    hold=st.tuples(MINUTES, MINUTES),
)
def test_everything_drawn_lies_on_the_strip_in_the_order_of_time(start, taken, state, stops, hold):
    begin = at("3 0:00") + timedelta(minutes=start)
    now = begin + timedelta(minutes=taken)
    holds = [tuple(sorted(at("3 0:00") + timedelta(minutes=minute) for minute in hold))]
    stopped = now if state == MET or (stops and state == MISSED) else None
    due = OFFICE.deadline(begin, timedelta(hours=4))
    strip = strips.draw(Run(OFFICE, begin, due, stopped, state, 4 * HOUR, holds, now, BERLIN))
    places = [percent(mark.x) for mark in sorted(strip.marks, key=lambda mark: mark.at)]
    assert places == sorted(places)
    assert all(0 <= place <= 100 for place in places)
    opened = edges(strip, "open")
    assert all(first[1] <= second[0] + 0.02 for first, second in pairwise(opened))
    for piece in strip.pieces:
        x, width = percent(piece.x), percent(piece.width)
        assert x >= 0 and width >= 0 and x + width <= 100
        if piece.kind.startswith("counted"):
            assert any(low - 0.02 <= x and x + width <= high + 0.03 for low, high in opened)
