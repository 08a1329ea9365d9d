"""The real export of a school's CRM: imported, evaluated, compared with the CRM's own figures. All in one run."""

import io
import json
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db.models import Count, Model, Sum

from leads.models import Attempt, Disposition, Lead, Outcome

EXPORT = Path(__file__).parents[3] / "shared" / "data" / "school_crm"

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
        assert row["by"] == {"source": {"values": 13, "handoffs": 21_593}, "rep": {"values": 28, "handoffs": 21_593}}
