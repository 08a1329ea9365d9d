"""The CRM's own first response and ours are compared deal by deal, and each difference has one cause."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leads import comparison
from leads.comparison import Call, Comparison, Deal, Export, Response, compare, read_export, span
from leads.csvfile import CsvError

BERLIN, ZULU = ZoneInfo("Europe/Berlin"), ZoneInfo("UTC")
CREATED = datetime.fromisoformat("2024-03-14 09:00")
MINUTE = timedelta(minutes=1)


def call(minute: float, kind: str = "Outbound", owner: str = "Kim", lasts: float = 2) -> Call:
    return Call(CREATED + minute * MINUTE, kind, owner, lasts * MINUTE)


def deal(sla: float | None = 30, number: int = 1, created: datetime = CREATED) -> Deal:
    return Deal(f"D{number}", created, "P1", "Kim", None if sla is None else sla * MINUTE)


def response(started: datetime, stopped: datetime, zone: ZoneInfo = ZULU) -> Response:
    """What the portal stores when it reads these wall clocks in the zone."""
    start, stop = (moment.replace(tzinfo=zone).astimezone(UTC) for moment in (started, stopped))
    return Response(start, stop, stop - start)


def compared(the_deal: Deal, *calls: Call, unlinked: tuple[Call, ...] = (), known_since: datetime = CREATED):
    """The comparison of one deal whose first response is the first outbound call."""
    first = next(one.start for one in calls if one.type == "Outbound")
    export = Export([the_deal], {"P1": sorted(calls), "": list(unlinked)}, {"P1": known_since})
    return compare(export, {the_deal.id: response(the_deal.created, first)}, ZULU)


def cause_of(comparison_: Comparison) -> str:
    (cause,) = [cause.code for cause, deals in comparison_.causes() if deals]
    return cause


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("00:26:43", 1603),
        ("23:59:59", 86399),
        ("1 day, 20:55:36", 161736),
        ("4 days, 0:38:15", 347895),
        (" ", None),
    ],
)
def test_a_span_is_read_as_the_crm_writes_it(text, seconds):
    assert span(text) == (None if seconds is None else timedelta(seconds=seconds))


@pytest.mark.parametrize("text", ["26 min", "1:2:3", "-00:01:00", "1 week, 0:00:00"])
def test_what_is_no_span_is_refused(text):
    with pytest.raises(CsvError, match="is not a span such as"):
        span(text)


@pytest.mark.parametrize(("sla", "agrees"), [(29, True), (28.98, False), (31, True), (31.02, False)])
def test_both_agree_up_to_a_minute(sla, agrees):
    assert compared(deal(sla), call(30)).agreeing == agrees


@pytest.mark.parametrize(
    ("cause", "the_deal", "calls", "others"),
    [
        ("answered_inbound", deal(10), [call(10, "Inbound"), call(30)], {}),
        ("missed_inbound", deal(10), [call(10, "Missed"), call(30)], {}),
        ("person_newer", deal(10), [call(30)], {"known_since": CREATED + 11 * MINUTE}),
        ("redialled_at_once", deal(8), [call(5, lasts=2), call(8)], {}),
        ("redialled_at_once", deal(40), [call(5, lasts=60), call(40, "Missed")], {}),
        ("redialled_soon", deal(10), [call(5, lasts=0), call(10)], {}),
        ("later_call", deal(11), [call(5, lasts=0), call(11)], {}),
        ("planned_call", deal(30), [call(5)], {}),
        ("planned_call", deal(59.5), [call(5)], {}),
        ("unlinked_call", deal(11), [call(5)], {"unlinked": (call(12),)}),
        ("unexplained", deal(11), [call(5)], {"unlinked": (call(12, owner="Lou"), call(12.1))}),
        ("unexplained", deal(11), [call(5), call(11, "Inbound"), call(5)], {}),
        ("unexplained", deal(3), [call(5)], {}),
    ],
)
def test_each_difference_has_its_cause(cause, the_deal, calls, others):
    assert cause_of(compared(the_deal, *calls, **others)) == cause


def test_a_call_before_the_deal_explains_nothing():
    assert cause_of(compared(deal(0.5), call(-0.5, "Inbound"), call(5))) == "unexplained"


@pytest.mark.parametrize(("in_a_row", "cause"), [(9, "unexplained"), (10, "crm_outage")])
def test_ten_first_calls_in_a_row_that_the_crm_did_not_take_are_an_outage(in_a_row, cause):
    firsts = {f"P{n}": 10 + n for n in range(in_a_row)}
    deals = [Deal(person, CREATED, person, "Kim", 201 * MINUTE) for person in firsts]
    deals += [Deal(person, CREATED, person, "Kim", sla * MINUTE) for person, sla in (("before", 5), ("after", 60))]
    firsts |= {"before": 5, "after": 60}
    calls = {person: [call(minute)] for person, minute in firsts.items()}
    responses = {person: response(CREATED, CREATED + minute * MINUTE) for person, minute in firsts.items()}
    found = compare(Export(deals, calls, {}), responses, ZULU)
    assert found.agreeing == 2
    assert {code.code: count for code, count in found.causes() if count} == {cause: in_a_row}


def test_deals_that_only_one_of_the_two_measured_are_counted_apart():
    deals = [deal(30, 1), deal(30, 2), deal(None, 3), deal(None, 4)]
    responses = {number: response(CREATED, CREATED + 30 * MINUTE) for number in ("D1", "D3")}
    found = compare(Export(deals, {"P1": [call(30)]}, {}), responses, ZULU)
    assert (len(found.cases), found.agreeing, found.only_crm, found.only_ours) == (1, 1, 1, 1)


def test_each_source_has_its_own_share_and_both_medians():
    told = [("Ads", 30, 30), ("Ads", 10, 10), ("Ads", 200, 50), ("", 5, 6)]  # source, minutes of the CRM, and ours
    deals = [replace(deal(sla, n), source=source, contact=f"P{n}") for n, (source, sla, _) in enumerate(told)]
    calls = {f"P{n}": [call(ours)] for n, (*_, ours) in enumerate(told)}
    ours = {f"D{n}": response(CREATED, CREATED + minutes * MINUTE) for n, (*_, minutes) in enumerate(told)}
    ads, blank = compare(Export(deals, calls, {}), ours, ZULU).by_source()
    assert (ads.source, len(ads.cases), ads.medians) == ("Ads", 3, (30 * MINUTE, 30 * MINUTE))
    assert [(case.deal.id, case.cause.code) for case in ads.differing] == [("D2", "unexplained")]
    assert (blank.source, blank.differing, blank.medians) == ("", [], (5 * MINUTE, 6 * MINUTE))


SATURDAY = datetime.fromisoformat("2024-03-30 18:00")
AUTUMN = datetime.fromisoformat("2023-10-28 18:00")


@pytest.mark.parametrize(
    ("created", "change"),
    [(SATURDAY, -3600), (AUTUMN, 3600), (SATURDAY - timedelta(days=7), 0)],
)
def test_another_zone_changes_only_spans_over_a_change_of_its_clocks(created, change):
    the_deal = deal(24 * 60, created=created)
    one_day = response(created, created + timedelta(days=1))
    found = compare(Export([the_deal], {}, {}), {"D1": one_day}, ZULU)
    reading = found.read_in(BERLIN)
    assert found.agreeing == 1
    assert (reading.agreeing, reading.gained) == (not change, 0)
    assert reading.lost == reading.changed == ({timedelta(seconds=change): 1} if change else {})


def test_what_was_read_in_a_zone_with_a_change_differs_for_that_cause_and_agrees_anew_in_utc():
    the_deal = deal(24 * 60, created=SATURDAY)
    call_ = Call(SATURDAY + timedelta(days=1), "Outbound", "Kim", MINUTE)
    there = response(SATURDAY, call_.start, BERLIN)
    found = compare(Export([the_deal], {"P1": [call_]}, {}), {"D1": there}, BERLIN)
    assert there.elapsed == timedelta(hours=23)
    assert cause_of(found) == "clock_change"
    assert (found.read_in(ZULU).agreeing, found.read_in(ZULU).gained) == (1, 1)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 200), st.lists(st.tuples(st.integers(-20, 200), st.sampled_from(comparison.ANY)), max_size=5)
        ),
        max_size=20,
    )
)
def test_the_causes_add_up_to_the_deals_that_differ(histories):
    deals, calls, responses = [], {}, {}
    for number, (sla, rung) in enumerate(histories):
        person = f"P{number}"
        calls[person] = sorted(call(minute, kind) for minute, kind in [*rung, (150, "Outbound")])
        first = next(one.start for one in calls[person] if one.type == "Outbound" and one.start >= CREATED)
        deals.append(Deal(f"D{number}", CREATED, person, "Kim", sla * MINUTE))
        responses[f"D{number}"] = response(CREATED, first)
    found = compare(Export(deals, calls, {}), responses, ZULU)
    assert found.agreeing + sum(count for _, count in found.causes()) == len(histories)
    assert Counter(case.agrees for case in found.cases)[False] == len(found.differing)


# The files


def exported(path: Path, **files: str) -> Path:
    for name, content in files.items():
        (path / f"{name}.csv").write_text(content, "utf-8")
    return path


DEALS = "Id,Created Time,Contact Name,Deal Owner Name,SLA,Source\nD1,14.03.2024 09:00,P1,Kim,00:30:00,SMM \n,,,,,\n"
CALLS = (
    "CONTACTID,Call Start Time,Call Type,Call Owner Name,Call Duration (in seconds)\n"
    "P1,2024-03-14 09:40:00,Outbound,Kim,\nP1,2024-03-14 09:30:00,Inbound,Lou,30\n,2024-03-14 09:30:00,Missed,Lou,0\n"
)
CONTACTS = "Id,Created Time\nP1,14.03.2024 08:59\n"


def test_the_export_is_read_with_its_calls_in_order(tmp_path):
    export = read_export(exported(tmp_path, deals=DEALS, calls=CALLS, contacts=CONTACTS))
    assert export.deals == [replace(deal(30), source="SMM")]
    assert export.calls == {
        "P1": [call(30, "Inbound", "Lou", lasts=0.5), call(40, lasts=0)],
        "": [call(30, "Missed", "Lou", lasts=0)],
    }
    assert export.contacts == {"P1": CREATED - MINUTE}


def test_a_file_without_a_column_that_is_needed_is_refused(tmp_path):
    folder = exported(tmp_path, deals=DEALS.replace("SLA", "SLO"), calls=CALLS, contacts=CONTACTS)
    with pytest.raises(CsvError, match=r"deals\.csv has no column “SLA”\."):
        read_export(folder)
