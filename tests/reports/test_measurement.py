"""An export of the school's CRM is measured by one command, from an empty database to the causes of each difference."""

import csv
import io
import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from agreements.models import Agreement, Signature
from leads.models import Attempt, Lead
from slaportal.models import User

pytestmark = pytest.mark.django_db

DEALS = (
    "Id,Deal Owner Name,Closing Date,Quality,Stage,Lost Reason,Page,Campaign,SLA,Content,Term,Source,Payment Type,"
    "Product,Education Type,Created Time,Course duration,Months of study,Offer Total Amount,Contact Name,"
    "Level of Deutsch",
    "D1,Kim,,A - High,New Lead,,,,00:30:00,,,SMM,,,,14.03.2024 09:00,,,,P1,",
    "D2,Kim,20.03.2024,B - Medium,Payment Done,,,,00:10:00,,,SMM,,,,14.03.2024 09:00,,,3000,P2,",
    "D3,,20.03.2024,E - Non Qualified,Lost,Duplicate,,,,,,CRM,,,,14.03.2024 09:00,,,,P3,",
    "D4,Lou,,,New Lead,,,,23:59:00,,,CRM,,,,30.03.2024 18:00,,,,P4,",
    "D5,Lou,,,New Lead,,,,01:00:00,,,CRM,,,,30.03.2024 18:00,,,,,",
    ",,,,,,,,,,,,,,,,,,,,",
)
CALLS = (
    "Id,Call Start Time,Call Owner Name,CONTACTID,Call Type,Call Duration (in seconds),Call Status,"
    "Outgoing Call Status",
    "C1,2024-03-14 09:30:00,Kim,P1,Outbound,60,Attended Dialled,Completed",
    "C2,2024-03-14 09:10:00,Kim,P2,Missed,0,Missed,",
    "C3,2024-03-14 15:00:00,Kim,P2,Outbound,0,Unattended Dialled,Completed",
    "C4,2024-03-14 10:00:00,Kim,P3,Outbound,0,Unattended Dialled,Completed",
    "C5,2024-03-31 18:00:00,Lou,P4,Outbound,60,Attended Dialled,Completed",
)
CONTACTS = ("Id,Created Time", *(f"P{n},14.03.2024 08:00" for n in range(1, 5)))


@pytest.fixture
def folder(tmp_path) -> Path:
    for name, lines in (("deals", DEALS), ("calls", CALLS), ("contacts", CONTACTS)):
        (tmp_path / f"{name}.csv").write_text("\n".join(lines) + "\n", "utf-8")
    return tmp_path


def run(folder: Path, *options: str) -> str:
    out = io.StringIO()
    call_command("measure_crm", str(folder), *options, stdout=out)
    return out.getvalue()


def figures(folder: Path, *options: str) -> dict:
    said = json.loads(run(folder, "--json", *options))
    said.pop("seconds")
    return said


def test_an_export_is_measured_from_an_empty_database(folder):
    said = figures(folder)
    crm = said["against_crm"]
    assert (crm["both"], crm["agree"], crm["only_crm"], crm["only_ours"]) == (3, 2, 1, 1)
    assert {cause["code"]: cause["deals"] for cause in crm["causes"] if cause["deals"]} == {"missed_inbound": 1}
    assert crm["read_in"] == {
        "time_zone": "Europe/Berlin",
        "agree": 1,
        "share": 1 / 3,
        "agree_anew": 0,
        "agree_no_longer": 1,
        "changed_by_seconds": {"-3600": 1},
        "agreeing_spans_over_a_clock_change": 1,
        "exactly_these": True,
    }
    card = said["scorecard"]
    assert (card["handoffs"], card["clocks"]) == (5, 15)
    states = {row["code"]: [row[name] for name in ("met", "missed", "open", "excluded")] for row in card["commitments"]}
    assert states == {"always": [2, 3, 0, 0], "weekdays": [3, 2, 0, 0], "every-day": [2, 3, 0, 0]}
    for row in card["commitments"]:
        values = {"source": 2, "rep": 3, "segment": 4}
        assert row["by"] == {name: {"values": number, "handoffs": 5} for name, number in values.items()}


def test_each_month_counts_every_deal_once_by_source_owner_and_quality(folder):
    months = figures(folder)["months"]
    assert (len(months["rows"]), months["handoffs"], months["miscounted"]) == (12, 5, [])
    handoffs = {row["month"]: row["handoffs"] for row in months["rows"]}
    assert {key: number for key, number in handoffs.items() if number} == {"2024-03": 5}
    march = next(row for row in months["rows"] if row["month"] == "2024-03")
    always = next(row for row in march["commitments"] if row["code"] == "always")
    by_quality = {group["value"]: (group["met"], group["missed"]) for group in always["by"]["segment"]}
    assert by_quality == {"A - High": (1, 0), "B - Medium": (0, 1), "E - Non Qualified": (1, 0), None: (0, 2)}
    assert {group["value"] for group in always["by"]["rep"]} == {"Kim", "Lou", None}


def test_each_source_is_compared_with_the_crm_by_itself(folder):
    crm = figures(folder)["against_crm"]
    smm, other = crm["by_source"]
    assert (smm["source"], smm["both"], smm["agree"], smm["share"], smm["differ"]) == ("SMM", 2, 1, 0.5, 1)
    # The CRM timed 30 and 10 minutes, we 30 minutes and six hours.
    assert (smm["crm_median_seconds"], smm["our_median_seconds"]) == (20 * 60, (30 + 360) / 2 * 60)
    assert (other["source"], other["both"], other["agree"]) == ("CRM", 1, 1)


def test_every_deal_that_disagrees_is_written_down_with_both_values_and_the_cause(folder):
    file = folder / "differences.csv"
    said = figures(folder, "--differences", str(file))["against_crm"]["differences"]
    assert said == [
        {
            "deal": "D2",
            "source": "SMM",
            "owner": "Kim",
            "created": "2024-03-14 09:00:00",
            "crm_seconds": 600,
            "our_seconds": 21_600,
            "crm_less_ours_seconds": -21_000,
            "crm_stop": "2024-03-14 09:10:00",
            "our_first_call": "2024-03-14 15:00:00",
            "cause": "missed_inbound",
            "why": "the person rang first and nobody answered",
        }
    ]
    with file.open(encoding="utf-8-sig", newline="") as written:
        rows = list(csv.DictReader(written))
    assert [(row["deal"], row["cause"], float(row["crm_seconds"])) for row in rows] == [("D2", "missed_inbound", 600)]
    with pytest.raises(CommandError, match="cannot be written"):
        figures(folder, "--differences", str(folder / "nowhere" / "differences.csv"))


def test_measuring_again_imports_nothing_and_says_the_same(folder):
    first = figures(folder)
    assert first["imported"]["deals.csv"]["counts"]["created"] == 5
    again = figures(folder)
    assert again == {**first, "imported": {"deals.csv": None, "calls.csv": None}}
    assert (Lead.objects.count(), Attempt.objects.count(), Agreement.objects.count()) == (5, 5, 1)


def test_read_in_berlin_the_clock_change_is_a_cause_and_utc_agrees_anew(folder):
    crm = figures(folder, "--time-zone", "Europe/Berlin")["against_crm"]
    causes = {cause["code"]: cause["deals"] for cause in crm["causes"] if cause["deals"]}
    assert causes == {"clock_change": 1, "missed_inbound": 1}
    assert (crm["agree"], crm["read_in"]["time_zone"], crm["read_in"]["agree"]) == (1, "UTC", 2)


def test_both_leaders_signed_and_can_never_log_in(folder):
    run(folder)
    assert {signature.party for signature in Signature.objects.all()} == {"marketing", "sales"}
    assert not any(user.has_usable_password() for user in User.objects.all())


def test_people_read_the_figures_in_words(folder):
    said = run(folder)
    for line in (
        "deals.csv: 6 rows, 5 good; 5 created, 5 handoffs, 2 dispositions, 1 outcomes, 2 people",
        "  skipped 1 ×: line without an Id",
        "  3 deals have both; 2 agree within 60 s: 66.67%",
        "        1  missed_inbound     the person rang first and nobody answered",
        "        1  became 1\u00a0h shorter",
        "  1 agreeing spans cross a change of the clocks: exactly these",
        "    by rep: 3 values, 5 handoffs",
        ("  {:<22}" + 6 * "{:>12}").format("SMM", 2, 1, "50.00%", "20\u00a0min", "3\u00a0h\u00a015", 1),
        "2024-03           5         2 of 5  40.00%         3 of 5  60.00%         2 of 5  40.00%",
        "every deal is counted once each month: by state, by source, by owner (rep) and by quality (segment)",
    ):
        assert line in said.splitlines()
    assert "deals.csv: imported before" in run(folder)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--time-zone=Berlin"], "“Berlin” is not a time zone; write one such as Europe/Berlin."),
        (["--time-zone=Europe/Berlin"], "The deals in this database are not those of these files, read in Europe/"),
    ],
)
def test_another_zone_than_the_imported_one_is_refused(folder, options, sentence):
    run(folder)
    with pytest.raises(CommandError) as caught:
        run(folder, *options)
    assert str(caught.value).startswith(sentence)


def test_a_database_with_other_agreements_is_left_alone(agreement, folder):
    with pytest.raises(CommandError, match="This database has other agreements"):
        run(folder)
    assert not Lead.objects.exists()


def test_a_file_that_is_missing_or_does_not_come_in_whole_is_refused(folder):
    with pytest.raises(CommandError, match=r"deals\.csv cannot be read"):
        run(folder.parent)
    (folder / "calls.csv").write_text("\n".join([*CALLS, "C6,never,Kim,P1,Outbound,0,Received,"]), "utf-8")
    with pytest.raises(CommandError, match=r"1 values of calls\.csv were refused"):
        run(folder)
