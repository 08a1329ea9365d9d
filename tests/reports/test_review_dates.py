"""Which reviews are due by the terms: the same whether planning ran each day or after weeks of silence (rule R3)."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import count
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agreements.cadence import Cadence
from reports import review_dates
from reports.review_dates import LOOK_BACK, NOTICE, Row, Slot, Span, slots, steps
from reports.volume import FOREVER

BERLIN, NEW_YORK, KOLKATA = (ZoneInfo(name) for name in ("Europe/Berlin", "America/New_York", "Asia/Kolkata"))
DAY = timedelta(days=1)
SIGNED = datetime(2025, 1, 15, 12, tzinfo=UTC)


def make_span(**overrides) -> Span:
    fields = {"cadence": "monthly", "weekday": 1, "zone": BERLIN, "since": SIGNED, "until": FOREVER}
    return Span(**{**fields, **overrides})


def days(found: list[Slot]) -> list[date]:
    return [slot.day for slot in found]


def at(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)


# --- What is due --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cadence", "now", "due"),
    [
        ("weekly", date(2025, 1, 29), [date(2025, 1, 21), date(2025, 1, 28), date(2025, 2, 4)]),
        ("monthly", date(2025, 1, 29), [date(2025, 2, 4)]),
        ("monthly", date(2025, 3, 20), [date(2025, 2, 4), date(2025, 3, 4), date(2025, 4, 1)]),
        ("quarterly", date(2025, 3, 20), [date(2025, 4, 1)]),
        ("", date(2025, 3, 20), []),
    ],
)
def test_what_has_come_since_the_signature_is_due_and_the_next_one_ahead(cadence, now, due):
    assert days(slots([make_span(cadence=cadence)], after=SIGNED, now=at(now))) == due


@pytest.mark.parametrize(
    ("zone", "day", "utc"),
    [
        (BERLIN, date(2025, 3, 4), datetime(2025, 3, 4, 9, tzinfo=UTC)),
        (BERLIN, date(2025, 4, 1), datetime(2025, 4, 1, 8, tzinfo=UTC)),
        (BERLIN, date(2025, 11, 4), datetime(2025, 11, 4, 9, tzinfo=UTC)),
        (NEW_YORK, date(2025, 3, 4), datetime(2025, 3, 4, 15, tzinfo=UTC)),
        (NEW_YORK, date(2025, 4, 1), datetime(2025, 4, 1, 14, tzinfo=UTC)),
        (KOLKATA, date(2025, 4, 1), datetime(2025, 4, 1, 4, 30, tzinfo=UTC)),
    ],
)
def test_a_review_begins_at_ten_where_the_agreement_is_also_over_a_change_of_the_clocks(zone, day, utc):
    found = {
        slot.day: slot.starts_at for slot in slots([make_span(zone=zone)], after=SIGNED, now=at(date(2025, 12, 1)))
    }
    assert found[day] == utc
    assert utc.astimezone(zone).time() == time(10)


def test_an_agreement_that_ends_asks_for_no_review_afterwards():
    ends = datetime(2025, 3, 31, 22, tzinfo=UTC)
    assert days(slots([make_span(until=ends)], after=SIGNED, now=at(date(2025, 3, 20)))) == [
        date(2025, 2, 4),
        date(2025, 3, 4),
    ]


def test_each_day_is_asked_of_the_version_that_is_in_force_then():
    change = datetime(2025, 3, 3, 23, tzinfo=UTC)  # midnight before the first Tuesday of March
    first, second = make_span(until=change), make_span(cadence="weekly", weekday=3, since=change)
    assert days(slots([first, second], after=SIGNED, now=at(date(2025, 3, 10)))) == [
        date(2025, 2, 4),
        date(2025, 3, 6),
        date(2025, 3, 13),
    ]


# --- What has to become of the rows -------------------------------------------------------------------------------


def test_the_review_that_is_there_is_left_alone():
    rows = [Row(1, date(2025, 2, 4), is_planned=True, is_chosen=False)]
    assert not steps(rows, [make_span()], began=SIGNED, now=SIGNED + DAY)


def test_when_the_terms_change_the_next_review_moves_and_keeps_its_invitation():
    rows = [Row(1, date(2025, 2, 4), is_planned=True, is_chosen=False)]
    found = steps(rows, [make_span(weekday=3)], began=SIGNED, now=SIGNED + DAY)
    assert [(pk, slot.day) for pk, slot in found.moved] == [(1, date(2025, 2, 6))]
    assert not found.planned and not found.cancelled


def test_when_no_review_is_agreed_any_more_the_next_one_is_cancelled():
    rows = [Row(1, date(2025, 2, 4), is_planned=True, is_chosen=False)]
    assert steps(rows, [make_span(cadence="")], began=SIGNED, now=SIGNED + DAY).cancelled == (1,)


def test_a_review_whose_time_somebody_chose_keeps_it_and_stands_for_the_new_day():
    rows = [Row(1, date(2025, 2, 4), is_planned=True, is_chosen=True)]
    found = steps(rows, [make_span(weekday=3)], began=SIGNED, now=SIGNED + DAY)
    assert [(pk, slot.day) for pk, slot in found.adopted] == [(1, date(2025, 2, 6))]
    assert not (found.planned or found.moved or found.cancelled)
    assert not steps(rows, [make_span(cadence="")], began=SIGNED, now=SIGNED + DAY)


@pytest.mark.parametrize("is_chosen", [True, False])
def test_what_was_held_or_cancelled_is_neither_moved_nor_planned_again(is_chosen):
    rows = [Row(1, date(2025, 2, 4), is_planned=False, is_chosen=is_chosen)]
    assert not steps(rows, [make_span()], began=SIGNED, now=SIGNED + DAY)
    later = steps(rows, [make_span(weekday=3)], began=SIGNED, now=SIGNED + DAY)
    assert days(later.planned) == [date(2025, 2, 6)] and not later.moved


def test_after_more_than_a_year_of_silence_what_is_older_stays_history():
    now = SIGNED + 3 * LOOK_BACK
    found = steps([], [make_span()], began=SIGNED, now=now).planned
    assert 12 <= len(found) <= 14 and found[0].starts_at > now - LOOK_BACK


# --- The law ------------------------------------------------------------------------------------------------------


class Book:
    """Reviews as the table has them, kept by the steps alone."""

    def __init__(self) -> None:
        self.rows: dict[int, Row] = {}
        self.began: datetime | None = None
        self._ids = count(1)

    def run(self, spans: list[Span], *, began: datetime, now: datetime) -> None:
        found = steps(list(self.rows.values()), spans, began=began, now=now)
        for pk in found.cancelled:
            del self.rows[pk]  # its day is free again
        for pk, slot in found.moved:
            self.rows[pk] = replace(self.rows[pk], day=slot.day)
        for slot in found.planned:
            pk = next(self._ids)
            self.rows[pk] = Row(pk, slot.day, is_planned=True, is_chosen=False)
        assert not steps(list(self.rows.values()), spans, began=began, now=now), "a second run would do something"
        assert len({row.day for row in self.rows.values()}) == len(self.rows), "a day has two reviews"

    @property
    def days(self) -> set[date]:
        return {row.day for row in self.rows.values()}


cadences = st.tuples(st.sampled_from([*Cadence.values, ""]), st.one_of(st.none(), st.integers(0, 4)))
zones = st.sampled_from([BERLIN, NEW_YORK, KOLKATA, ZoneInfo("Pacific/Apia"), ZoneInfo("America/St_Johns")])


@st.composite
def histories(draw):
    """Versions, each signed some days before it takes effect, and the moments at which somebody looks."""
    zone, first = draw(zones), SIGNED - timedelta(minutes=draw(st.integers(0, 60 * 24 * 700)))
    signed, versions = first, []
    for cadence, weekday in draw(st.lists(cadences, min_size=1, max_size=4)):
        effective = signed + timedelta(hours=draw(st.integers(0, 24 * 40)))
        versions.append((signed, effective, cadence, weekday))
        signed = effective + timedelta(hours=draw(st.integers(1, 24 * 90)))
    ends = first + timedelta(days=draw(st.integers(1, 200)))
    gaps = draw(st.lists(st.integers(1, 24 * 200), max_size=6))
    return zone, first, versions, ends, gaps


def known(versions: list, zone: ZoneInfo, now: datetime) -> list[Span]:
    """The spans of what was signed by `now`; a version ends where the next one that is signed begins."""
    signed = [one for one in versions if one[0] <= now]
    ends = [one[1] for one in signed[1:]] + [FOREVER]
    return [Span(one[2], one[3], zone, one[1], end) for one, end in zip(signed, ends, strict=True)]


NOON, HOUR = datetime(2025, 1, 15, 12, tzinfo=UTC), timedelta(hours=1)


@settings(max_examples=40)
# Signed anew within the hour, before anybody looked again.
@example((BERLIN, NOON, [(NOON, NOON, "weekly", 4), (NOON + HOUR, NOON + HOUR, "weekly", None)], NOON + DAY, []))
@given(histories())
def test_after_any_silences_there_are_the_same_reviews_as_with_a_run_each_day(history):
    zone, first, versions, ends, gaps = history
    began = first + NOTICE
    daily, rare = Book(), Book()
    moment = first
    while moment < ends:
        daily.run(known(versions, zone, moment), began=began, now=moment)
        moment += DAY
    moment = first
    for gap in gaps:
        if moment < ends:
            rare.run(known(versions, zone, moment), began=began, now=moment)
        moment += timedelta(hours=gap)
    for book in (daily, rare):
        book.run(known(versions, zone, ends), began=began, now=ends)
    assert daily.days == rare.days


@settings(max_examples=60)
@given(histories())
def test_what_is_due_is_each_review_day_of_the_version_in_force_counted_day_by_day(history):
    zone, first, versions, ends, _ = history
    spans = known(versions, zone, ends)
    due = slots(spans, after=first, now=ends)
    day, wanted = first.astimezone(zone).date(), []
    while day <= ends.astimezone(zone).date():
        begins = review_dates.local(day, zone)
        for span in spans:
            is_day = review_dates.next_review(span.cadence, span.weekday, after=day - DAY) == day
            if is_day and span.since <= begins < span.until and first < begins <= ends:
                wanted.append(day)
        day += DAY
    assert [slot.day for slot in due if slot.starts_at <= ends] == wanted
    assert sum(slot.starts_at > ends for slot in due) <= 1
