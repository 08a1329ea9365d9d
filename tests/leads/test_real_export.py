"""The real export of a school's CRM: imported, evaluated, compared with the CRM's own figures. All in one run."""

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command
from django.db.models import Count, Model, Sum

from leads.models import Attempt, Disposition, Lead, Outcome

EXPORT = Path(__file__).parents[3] / "shared" / "data" / "school_crm"

BERLIN = ZoneInfo("Europe/Berlin")

IMPORTED = {
    "deals.csv": {
        "rows": 21_595,
        "valid": 21_593,
        "written": True,
        "refused": [],
        "skipped": {"line without an Id": 2},
        "notes": {
            "disposition dated before the lead arrived: taken at its arrival": 44,
            "outcome dated before the lead arrived: taken at its arrival": 4,
        },
        "counts": {
            "created": 21_593,
            "updated": 0,
            "unchanged": 0,
            "waiting": 0,
            "unmatched": 0,
            "handoffs": 21_593,
            "dispositions": 17_113,
            "outcomes": 1_183,
            "people": 27,
        },
    },
    "calls.csv": {
        "rows": 95_874,
        "valid": 91_936,
        "written": True,
        "refused": [],
        "skipped": {"planned call that did not take place": 83, "call without a contact": 3_855},
        "notes": {},
        "counts": {"created": 91_936, "unchanged": 0, "people": 5},
    },
}
CAUSES = {
    "clock_change": 0,
    "answered_inbound": 69,
    "missed_inbound": 146,
    "person_newer": 7,
    "crm_outage": 48,
    "redialled_at_once": 94,
    "redialled_soon": 9,
    "later_call": 10,
    "planned_call": 7,
    "unlinked_call": 1,
    "unexplained": 1,
}
# Met, missed, open, excluded.
STATES = {
    "always": (7_275, 14_266, 0, 52),
    "weekdays": (10_755, 9_994, 0, 844),
    "every-day": (9_410, 11_506, 0, 677),
}


def counted(model: type[Model], *names: str) -> dict[tuple, int]:
    """Rows by the values of these columns."""
    rows = model.objects.order_by().values_list(*names).annotate(Count("pk"))
    return {row[:-1]: row[-1] for row in rows}


@pytest.mark.skipif(not EXPORT.exists(), reason="the real CRM export is not here")
@pytest.mark.embedded
@pytest.mark.long
@pytest.mark.django_db
def test_the_real_export_is_measured_as_documented():
    out = io.StringIO()
    call_command("measure_crm", str(EXPORT), "--json", stdout=out)
    said = json.loads(out.getvalue())
    assert said["imported"] == IMPORTED
    assert Lead.objects.filter(contact_id="").count() == 61
    assert counted(Disposition, "verdict") == {("rejected",): 15_006, ("recycled",): 737, ("accepted",): 1_370}
    assert counted(Outcome, "kind") == {("won",): 858, ("opportunity",): 325}
    assert Outcome.objects.filter(kind="won").aggregate(sum=Sum("amount"))["sum"] == 6_327_301
    assert counted(Attempt, "direction", "outcome") == {
        ("outbound", "connected"): 68_641,
        ("outbound", "no_answer"): 15_466,
        ("inbound", "no_answer"): 5_134,
        ("inbound", "connected"): 2_695,
    }

    crm = said["against_crm"]
    assert (crm["both"], crm["agree"], crm["differ"], crm["crm_shorter"]) == (15_447, 15_055, 392, 228)
    assert crm["share"] >= 0.97
    assert (crm["only_crm"], crm["only_ours"]) == (86, 2_266)
    assert {cause["code"]: cause["deals"] for cause in crm["causes"]} == CAUSES
    assert sum(CAUSES.values()) == crm["differ"]

    berlin = crm["read_in"]
    assert (berlin["time_zone"], berlin["agree"], berlin["agree_anew"]) == ("Europe/Berlin", 14_948, 0)
    assert berlin["agree_no_longer"] == crm["agree"] - berlin["agree"] == 107
    assert berlin["changed_by_seconds"] == {"-3600": 53, "3600": 54}
    assert (berlin["agreeing_spans_over_a_clock_change"], berlin["exactly_these"]) == (107, True)

    card = said["scorecard"]
    assert (card["handoffs"], card["clocks"]) == (21_593, 3 * 21_593)
    states = {
        row["code"]: tuple(row[name] for name in ("met", "missed", "open", "excluded")) for row in card["commitments"]
    }
    assert states == STATES
    assert all(sum(counts) == card["handoffs"] for counts in states.values())
    for row in card["commitments"]:
        values = {"source": 13, "rep": 28, "segment": 7}
        assert row["by"] == {name: {"values": number, "handoffs": 21_593} for name, number in values.items()}
    assert {row["code"]: f"{row['attainment']:.2%}" for row in card["commitments"]} == {
        "always": "33.77%",
        "weekdays": "51.83%",
        "every-day": "44.99%",
    }
    each_month_counts_every_deal_once(said["months"])
    each_source_is_compared_as_the_files_say(crm)


def each_month_counts_every_deal_once(months: dict) -> None:
    """By source, by owner and by quality: as a plain count of the lines of the file, month of arrival by month."""
    assert (len(months["rows"]), months["handoffs"], months["miscounted"]) == (12, 21_593, [])
    lines = Counter()
    for deal in deals():
        # Times were read as UTC; the months are the agreement's.
        month = f"{created(deal).replace(tzinfo=UTC).astimezone(BERLIN):%Y-%m}"
        columns = {"source": "Source", "rep": "Deal Owner Name", "segment": "Quality"}
        lines.update((month, name, deal[column] or None) for name, column in columns.items())
    for code in STATES:
        counted = Counter()
        for row in months["rows"]:
            (promise,) = [promise for promise in row["commitments"] if promise["code"] == code]
            for name, groups in promise["by"].items():
                for group in groups:
                    number = sum(group[state] for state in ("met", "missed", "open", "excluded"))
                    counted[row["month"], name, group["value"]] += number
        assert counted == lines
        place = list(STATES).index(code)
        for number, state in zip(STATES[code], ("met", "missed", "open", "excluded"), strict=True):
            assert sum(row["commitments"][place][state] for row in months["rows"]) == number


def each_source_is_compared_as_the_files_say(crm: dict) -> None:
    """Against the first outbound call at or after the deal's creation, looked up in the files themselves."""
    calls: dict[str, list[datetime]] = {}
    for call in rows("calls.csv"):
        took_place = call["Outgoing Call Status"] not in ("Overdue", "Cancelled", "Scheduled")
        if call["Call Type"] == "Outbound" and call["CONTACTID"] and took_place:
            calls.setdefault(call["CONTACTID"], []).append(datetime.fromisoformat(call["Call Start Time"]))
    spans: dict[str, list[tuple[float, float]]] = {}
    disagree = {}
    for deal in deals():
        begun, sla = created(deal), re.fullmatch(r"(?:(\d+) days?, )?(\d+):(\d+):(\d+)", deal["SLA"])
        after = [at for at in calls.get(deal["Contact Name"], ()) if at >= begun]
        if sla and after:
            days, hours, minutes, seconds = (int(part or 0) for part in sla.groups())
            theirs = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
            ours = (min(after) - begun).total_seconds()
            spans.setdefault(deal["Source"], []).append((theirs, ours))
            if abs(theirs - ours) > 60:
                disagree[deal["Id"]] = (theirs, ours, deal["Source"])
    assert [row["source"] for row in crm["by_source"]] == sorted(spans, key=lambda name: (-len(spans[name]), name))
    for row in crm["by_source"]:
        pairs = spans[row["source"]]
        agree = sum(abs(theirs - ours) <= 60 for theirs, ours in pairs)
        assert (row["both"], row["agree"], row["differ"]) == (len(pairs), agree, len(pairs) - agree)
        assert row["share"] == pytest.approx(agree / len(pairs))
        assert row["crm_median_seconds"] == median(theirs for theirs, _ in pairs)
        assert row["our_median_seconds"] == median(ours for _, ours in pairs)
    assert sum(row["agree"] for row in crm["by_source"]) == crm["agree"]

    traced = {row["deal"]: (row["crm_seconds"], row["our_seconds"], row["source"]) for row in crm["differences"]}
    assert traced == disagree
    assert Counter(row["cause"] for row in crm["differences"]) == +Counter(CAUSES)


def rows(name: str) -> Iterator[dict[str, str]]:
    """The lines of one of the files, read by the standard library alone."""
    with (EXPORT / name).open(encoding="utf-8-sig", newline="") as file:
        yield from csv.DictReader(file)


def deals() -> Iterator[dict[str, str]]:
    return (deal for deal in rows("deals.csv") if deal["Id"])


def created(deal: dict[str, str]) -> datetime:
    """On the wall clock."""
    return datetime.strptime(deal["Created Time"], "%d.%m.%Y %H:%M")  # noqa: DTZ007
