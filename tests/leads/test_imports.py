"""A file comes in whole or not at all, coming again changes nothing, and the clocks follow whatever came first."""

import gc
import io
import json
import threading
import zipfile
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, transaction

from leads import clocks, desk, imports, timekeeping, tracking
from leads.csvfile import Refusal
from leads.imports import ImportResult, Options, import_attempts, import_leads
from leads.management.importing import report, with_progress
from leads.models import Attempt, Clock, Disposition, Handoff, Lead, Outcome
from slaportal.models import User
from slaportal.refusal import Refused
from tests.conftest import MONDAY, make_user

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
LATER = datetime(2025, 4, 1, tzinfo=UTC)

LEADS = """
target = "leads"
source_system = "crm"
time_zone = "Europe/Berlin"
dates = ["iso"]

[fields]
external_id = "Id"
received_at = "Created"
contact_id = "Person"
source = "Source"
owner = "Rep"

[[disposition]]
when = { Stage = ["Won", "Talking"] }
verdict = "accepted"
at = "Closed"

[[disposition]]
when = { Stage = "Lost" }
verdict = "rejected"
reason = "Why"
at = "Closed"

[[outcome]]
when = { Stage = "Won" }
kind = "won"
amount = "Sum"
at = "Closed"
"""
ATTEMPTS = """
target = "attempts"
source_system = "crm"
time_zone = "Europe/Berlin"
dates = ["iso"]

[fields]
external_id = "Id"
at = "Started"
contact_id = "Person"
lead_external_id = "Lead"
channel = { constant = "call" }
direction = { constant = "outbound" }
outcome = { column = "Result", translate = { "Reached" = "connected", "*" = "no_answer" } }
owner = "Rep"
"""
DEALS = (
    "Id,Created,Person,Source,Rep,Stage,Why,Closed,Sum",
    "D1,2025-03-03T10:00,P1,Web,Kim Rep,Won,,2025-03-07,900",
    "D2,2025-03-03T11:00,P2,Fair,Kim Rep,Lost,no_budget,2025-03-05,",
    "D3,2025-03-03T12:00,P1,Web,,Open,,,",
    "D4,2025-03-03T12:00,P3,Web,Lou Rep,Talking,,2025-03-04,",
)
CALLS = (
    "Id,Started,Person,Lead,Result,Rep",
    "C1,2025-03-03T12:30,P1,,Reached,Kim Rep",
    "C2,2025-03-03T11:30,,D2,Busy,Kim Rep",
    "C3,2025-03-03T17:30,P3,,Busy,Lou Rep",
)


class Folder:
    """Files to be imported, with the mappings above."""

    def __init__(self, path: Path):
        self.path = path
        self.leads_map, self.attempts_map = self.file("leads.toml", LEADS), self.file("calls.toml", ATTEMPTS)

    def file(self, name: str, *lines: str) -> Path:
        (self.path / name).write_text("\n".join(lines) + "\n", "utf-8")
        return self.path / name

    def leads(self, *lines: str, now: datetime = LATER, time_zone: str | None = None, **options) -> ImportResult:
        file = self.file("leads.csv", *(lines or DEALS))
        return import_leads(file, self.leads_map, now=now, time_zone=time_zone, options=Options(**options))

    def attempts(self, *lines: str, now: datetime = LATER, **options) -> ImportResult:
        return import_attempts(
            self.file("calls.csv", *(lines or CALLS)), self.attempts_map, now=now, options=Options(**options)
        )


@pytest.fixture
def folder(tmp_path) -> Folder:
    return Folder(tmp_path)


def everything() -> dict[str, list[tuple]]:
    """Every row of every table of ours."""
    models = [model for model in apps.get_models() if model._meta.app_label in ("slaportal", "agreements", "leads")]
    return {model._meta.label: list(model.objects.order_by("pk").values_list()) for model in models}


def verdicts() -> list[tuple]:
    """What the first response clocks say, by lead."""
    found = Clock.objects.filter(commitment__kind="first_response").order_by("handoff__lead__external_id")
    return list(found.values_list("handoff__lead__external_id", "state", "elapsed_seconds"))


def run(verb: str, *args: object) -> str:
    out = io.StringIO()
    call_command(verb, *map(str, args), stdout=out)
    return out.getvalue()


# What comes in


def test_leads_come_in_with_their_owners_decisions_and_outcomes(version, ron, folder):
    result = folder.leads()
    assert result.counts == {
        "created": 4,
        "updated": 0,
        "unchanged": 0,
        "waiting": 0,
        "unmatched": 0,
        "handoffs": 4,
        "dispositions": 3,
        "outcomes": 1,
        "people": 2,
    }
    stages = Handoff.objects.order_by("lead__external_id").values_list("lead__external_id", "stage", "owner__name")
    assert list(stages) == [
        ("D1", "won", "Kim Rep"),
        ("D2", "rejected", "Kim Rep"),
        ("D3", "mql", "Ron"),
        ("D4", "sal", "Lou Rep"),
    ]
    assert Outcome.objects.get().amount == 900
    assert Disposition.objects.get(verdict="rejected").at == datetime(2025, 3, 5, 22, 59, 59, tzinfo=UTC)


def test_calls_count_for_the_lead_that_they_name_or_for_every_lead_of_the_person(version, folder):
    folder.leads()
    assert folder.attempts().counts == {"created": 3, "unchanged": 0, "people": 0}
    met, missed = clocks.MET, clocks.MISSED
    assert verdicts() == [("D1", met, 2.5 * 3600), ("D2", met, 1800), ("D3", met, 1800), ("D4", missed, 5.5 * 3600)]
    assert Attempt.objects.filter(from_system=True, by__name="Kim Rep").count() == 2


def test_importing_again_changes_nothing(version, ron, folder):
    folder.leads()
    folder.attempts()
    before = everything()
    again = folder.leads(now=LATER + 24 * HOUR)
    assert again.written
    assert (again.counts["unchanged"], again.counts["dispositions"], again.counts["outcomes"]) == (4, 0, 0)
    assert folder.attempts(now=LATER + 24 * HOUR).counts == {"created": 0, "unchanged": 3, "people": 0}
    assert everything() == before


def test_calls_that_come_before_their_leads_count_all_the_same(version, folder):
    person_only = (CALLS[0], CALLS[1], CALLS[3])
    folder.attempts(*person_only)
    folder.leads()
    calls_first = verdicts()
    for model in (Clock, Attempt, Outcome, Disposition, Handoff, Lead):
        model.objects.all().delete()
    folder.leads()
    folder.attempts(*person_only)
    assert verdicts() == calls_first
    assert [state for _, state, _ in calls_first] == [clocks.MET, clocks.MISSED, clocks.MET, clocks.MISSED]


def test_a_call_that_comes_a_week_late_turns_the_miss_into_met(version, folder):
    folder.leads(DEALS[0], "D5,2025-03-03T10:00,P1,Web,Kim Rep,Open,,,", now=MONDAY + HOUR)
    timekeeping.tick(now=MONDAY + 24 * HOUR)
    assert verdicts() == [("D5", clocks.MISSED, None)]
    folder.attempts(*CALLS[:2], now=MONDAY + 7 * 24 * HOUR)
    assert verdicts() == [("D5", clocks.MET, 2.5 * 3600)]


def test_a_changed_row_updates_the_lead_and_moves_nothing_that_its_handoff_copied(version, folder):
    folder.leads()
    result = folder.leads(DEALS[0], DEALS[1].replace("Web", "Fair"), *DEALS[2:])
    assert (result.counts["updated"], result.counts["unchanged"]) == (1, 3)
    assert Lead.objects.get(external_id="D1").source == "Fair"
    assert Handoff.objects.get(lead__external_id="D1").source == "Web"


def test_a_disposition_that_somebody_took_back_does_not_return_with_the_next_import(version, rita, folder):
    folder.leads()
    tracking.void_disposition(Disposition.objects.get(verdict="rejected"), by=rita, reason="wrong lead", now=LATER)
    assert folder.leads(now=LATER + HOUR).counts["dispositions"] == 0
    assert Handoff.objects.get(lead__external_id="D2").stage == "mql"


def test_decisions_on_leads_that_no_agreement_covers_are_left_out_and_noted(folder):
    result = folder.leads()
    assert (result.counts["unmatched"], result.counts["dispositions"]) == (4, 0)
    assert result.notes == {"disposition or outcome of a lead that was not handed off by then: left out": 4}


@pytest.mark.parametrize(("zone", "received"), [(None, 9), ("UTC", 10), ("America/New_York", 15)])
def test_local_times_are_read_in_the_zone_of_the_mapping_or_the_one_that_is_given(folder, zone, received):
    given = [f"--time-zone={zone}"] if zone else []
    run("import_leads", folder.file("leads.csv", *DEALS[:2]), f"--map={folder.leads_map}", *given)
    assert Lead.objects.get().received_at == datetime(2025, 3, 3, received, tzinfo=UTC)


def test_many_leads_come_in_as_few_do(version, folder, monkeypatch):
    count = 600
    created = [MONDAY + timedelta(minutes=n % 60) for n in range(count)]
    moments = [f"{moment.astimezone(version.agreement.zone):%Y-%m-%dT%H:%M}" for moment in created]
    deals = [f"D{n:03},{moment},P{n},Web,Kim Rep,Open,,," for n, moment in enumerate(moments)]
    calls = [f"C{n:03},2025-03-03T{12 + n % 5}:00,P{n},,Busy,Kim Rep" for n in range(count)]
    monkeypatch.setattr(imports, "CHUNK", 250)
    folder.leads(DEALS[0], *deals)
    folder.attempts(CALLS[0], *calls)
    expected = [(MONDAY + timedelta(hours=2 + n % 5) - moment).total_seconds() for n, moment in enumerate(created)]
    assert [elapsed for _, _, elapsed in verdicts()] == expected
    assert all((state == clocks.MET) == (elapsed <= 4 * 3600) for _, state, elapsed in verdicts())
    before = everything()
    timekeeping.evaluate_all(now=LATER)
    folder.attempts(CALLS[0], *calls)
    assert everything() == before


@pytest.mark.postgresql
def test_postgresql_knows_how_many_rows_an_import_has_written_before_it_joins_them(version, folder):
    def believed(table: str) -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT reltuples FROM pg_class WHERE relname = %s", [table])
            return cursor.fetchone()[0]

    folder.leads()
    folder.attempts()
    assert (believed("leads_lead"), believed("leads_handoff"), believed("leads_attempt")) == (4, 4, 3)


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_an_import_and_a_reassignment_of_the_same_lead_wait_one_way_only(version, sales, ron, folder):
    """Everybody locks handoffs before teams: an import that routes a new lead (D3) and decides an old one (D2) too."""
    folder.leads(DEALS[0], "D2,2025-03-03T11:00,P2,Fair,Kim Rep,Open,,,")
    (handoff,) = Handoff.objects.all()
    raised = []

    def bring() -> None:
        with closing(connection):
            try:
                folder.leads(DEALS[0], DEALS[2], DEALS[3])
            except OperationalError as problem:
                raised.append(problem)

    second = threading.Thread(target=bring)
    with transaction.atomic():
        tracking.locked([handoff])
        second.start()
        second.join(1)
        assert second.is_alive()
        desk.lock_teams([sales.pk])
    second.join()
    assert not raised
    assert (Handoff.objects.count(), Disposition.objects.get().handoff) == (2, handoff)


# People


def test_an_unknown_owner_becomes_an_inactive_person_marked_from_import(version, folder):
    folder.leads()
    kim = User.objects.get(name="Kim Rep")
    assert (kim.is_active, kim.from_import, kim.has_usable_password()) == (False, True, False)
    assert kim.handoffs.count() == 2


def test_a_known_owner_is_found_by_name_or_email(version, ron, folder):
    folder.leads(DEALS[0], DEALS[1].replace("Kim Rep", " ron "), DEALS[2].replace("Kim Rep", "RON@example.com"))
    assert not User.objects.filter(from_import=True).exists()
    assert ron.handoffs.count() == 2


@pytest.mark.parametrize("dry_run", [False, True])
def test_an_owner_who_may_be_one_of_two_people_is_refused_in_one_sentence(version, folder, dry_run):
    make_user("kim.a@example.com", name="Kim Rep")
    make_user("kim.b@example.com", name="Kim Rep")
    with pytest.raises(Refused, match=r"“Kim Rep” may be any of kim\.a@example\.com, kim\.b@example\.com\."):
        folder.leads(dry_run=dry_run)
    assert not Lead.objects.exists()


# What is refused

BAD = (
    "Id,Created,Person,Source,Rep,Stage,Why,Closed,Sum",
    "D1,2025-03-03T10:00,P1,Web,Kim Rep,Won,,2025-03-07,900",
    "D2,yesterday,P2,Fair,Kim Rep,Won,,2025-03-05,much",
    "D3,2025-03-03T10:00",
    "D4,2100-03-03T10:00,P3,Web,Lou Rep,Open,,,",
    "D5,2025-03-03T10:00,P3,Web,Lou Rep,Lost,bad_timing,2025-03-05,",
    "D6,2025-03-03T10:00,P3,Web,Lou Rep,Lost,too dear,2025-03-05,",
)
REFUSED = [
    (3, "Created", "yesterday", "is not a date in any of the formats under “dates”"),
    (3, "Sum", "much", "is not an amount as “decimal” says, of at most 12 digits and 2 decimals"),
    (4, "", "", "has 2 cells where the header has 9"),
    (5, "Created", "2100-03-03T10:00", "is in the future"),
    (6, "Why", "bad_timing", "becomes bad_timing, which is no reason for rejected"),
    (7, "Why", "too dear", "is none of "),
]


def test_one_bad_row_keeps_every_row_out_and_each_is_reported(version, folder):
    before = everything()
    result = folder.leads(*BAD)
    assert (result.written, result.rows, result.valid, result.counts) == (False, 6, 1, {})
    for refusal, (line, column, value, reason) in zip(result.refused, REFUSED, strict=True):
        assert refusal[:3] == (line, column, value)
        assert refusal.reason.startswith(reason)
    assert everything() == before


def test_the_good_rows_come_in_when_the_bad_ones_may_stay_out(version, folder):
    result = folder.leads(*BAD, skip_invalid=True)
    assert (result.written, len(result.refused), result.counts["created"]) == (True, 6, 1)
    assert Lead.objects.get().external_id == "D1"


def test_a_call_for_a_lead_that_never_came_is_refused_until_it_comes(version, folder):
    lost = "C4,2025-03-03T12:30,,D9,Reached,Kim Rep"
    reason = "is no lead that crm has sent; import its leads first"
    result = folder.attempts(CALLS[0], lost, "C5,never,,D9,Reached,Kim Rep")
    assert [tuple(refusal)[:3] for refusal in result.refused] == [(2, "Lead", "D9"), (3, "Started", "never")]
    assert (result.refused[0].reason, result.valid) == (reason, 0)
    folder.leads(DEALS[0], "D9,2025-03-03T10:00,,Web,Kim Rep,Open,,,")
    assert folder.attempts(CALLS[0], lost).counts["created"] == 1
    assert verdicts() == [("D9", clocks.MET, 2.5 * 3600)]


def test_a_dry_run_says_what_would_happen_and_writes_nothing(version, ron, folder):
    before = everything()
    dry = folder.leads(dry_run=True)
    assert not dry.written
    assert everything() == before
    assert folder.leads().counts == dry.counts


def test_a_mapping_that_names_an_unknown_reason_code_is_refused_before_any_row_is_read(version, folder):
    folder.file("leads.toml", LEADS.replace('reason = "Why"', 'reason = { constant = "too_dear" }'))
    with pytest.raises(CommandError, match=r"disposition\.reason: “too_dear” is none of .*no_budget"):
        run("import_leads", folder.path / "none.csv", f"--map={folder.leads_map}")


def test_the_garbage_collector_runs_again_after_an_import_and_after_a_refusal(version, folder):
    folder.leads()
    assert gc.isenabled()
    folder.leads(*BAD)
    assert gc.isenabled()
    gc.disable()
    try:
        folder.leads()
        assert not gc.isenabled()
    finally:
        gc.enable()


# The commands


def test_the_command_reports_what_it_wrote(version, folder):
    said = run("import_leads", folder.file("leads.csv", *DEALS, DEALS[1]), f"--map={folder.leads_map}")
    assert said == (
        "5 rows: 4 good, 0 refused, 1 skipped.\n"
        "  skipped 1 ×: repeats an earlier line\n"
        "Written: 4 created, 4 handoffs, 3 dispositions, 1 outcome, 2 people.\n"
    )
    again = run("import_leads", folder.path / "leads.csv", f"--map={folder.leads_map}", "--dry-run")
    assert again.endswith("Would be written: 4 unchanged.\n")


@pytest.mark.parametrize("options", [[], ["--dry-run"]])
def test_the_command_fails_when_rows_are_refused_and_shows_each(version, folder, options):
    file = folder.file("leads.csv", *BAD)
    out = io.StringIO()
    with pytest.raises(CommandError, match=r"Nothing was written\. Mend these rows, or import the others with"):
        call_command("import_leads", str(file), f"--map={folder.leads_map}", *options, stdout=out)
    lines = out.getvalue().splitlines()
    assert lines[0] == "6 rows: 1 good, 5 refused, 0 skipped."
    assert lines[1] == "  line 3: Created “yesterday” is not a date in any of the formats under “dates”"
    assert lines[3] == "  line 4: has 2 cells where the header has 9"
    assert len(lines) == 1 + len(REFUSED)


def test_the_command_succeeds_with_the_good_rows_when_the_others_may_stay_out(version, folder):
    args = (folder.file("leads.csv", *BAD), f"--map={folder.leads_map}", "--skip-invalid")
    assert "Would be written: 1 created" in run("import_leads", *args, "--dry-run")
    assert not Lead.objects.exists()
    assert "Written: 1 created" in run("import_leads", *args)


def test_the_command_prints_its_result_as_json(version, folder):
    file = folder.file("leads.csv", *BAD, DEALS[1])
    said = json.loads(run("import_leads", file, f"--map={folder.leads_map}", "--skip-invalid", "--json"))
    assert said == {
        "rows": 7,
        "valid": 1,
        "written": True,
        "refused": said["refused"],
        "skipped": {"repeats an earlier line": 1},
        "notes": {},
        "counts": {
            "created": 1, "updated": 0, "unchanged": 0, "waiting": 0, "unmatched": 0, "handoffs": 1,
            "dispositions": 1, "outcomes": 1, "people": 1,
        },
    }  # fmt: skip
    assert len(said["refused"]) == len(REFUSED)
    assert said["refused"][0] == dict(zip(("line", "column", "value", "reason"), REFUSED[0], strict=True))


@pytest.mark.parametrize(("length", "printed"), [(80, "x" * 80), (81, "x" * 79 + "…"), (5000, "x" * 79 + "…")])
def test_a_long_refused_value_is_printed_short_and_kept_whole_for_programs(length, printed):
    result = ImportResult(rows=1, refused=[Refusal(2, "Created", "x" * length, "is no date")])
    assert report(result)[1] == f"  line 2: Created “{printed}” is no date"
    assert result.as_dict()["refused"][0]["value"] == "x" * length


@pytest.mark.parametrize(
    ("number", "lines"),
    [
        (1, ["1 row: 1 good, 0 refused, 0 skipped.", "Written: 1 created, 1 handoff, 1 outcome, 1 person."]),
        (2, ["2 rows: 2 good, 0 refused, 0 skipped.", "Written: 2 created, 2 handoffs, 2 outcomes, 2 people."]),
    ],
)
def test_one_row_and_many_are_reported_in_plain_english(number, lines):
    counts = dict.fromkeys(("created", "handoffs", "outcomes", "people"), number)
    assert report(ImportResult(rows=number, valid=number, written=True, counts=counts)) == lines


def test_people_see_the_first_fifty_refusals_and_how_many_more_there_are():
    refused = [Refusal(line, "Created", "never", "is no date") for line in range(2, 62)]
    lines = report(ImportResult(rows=60, refused=refused))
    assert lines[0] == "60 rows: 0 good, 60 refused, 0 skipped."
    assert len(lines) == 52
    assert lines[-1] == "  … and 10 more; --json has them all."


def test_the_progress_bar_passes_every_row_on(folder):
    assert list(with_progress(folder.file("leads.csv", *DEALS), iter(DEALS))) == list(DEALS)


def workbook() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("[Content_Types].xml", "<x/>")
    return buffer.getvalue()


TABLE = "\n".join(DEALS)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (TABLE.encode("utf-16"), "The file is UTF-16 text, not CSV: export it again as CSV in UTF-8."),
        (workbook(), "The file is an Excel workbook (.xlsx), not CSV: export it again as CSV in UTF-8."),
        (TABLE.replace("Fair", "\0").encode(), "Line 3 has a NUL byte: the file is damaged or not text."),
        (b"", "The file is empty."),
        (
            "\n".join(DEALS[1:]).encode(),
            "The file has no header: line 1 should name the columns, but “2025-03-03T10:00” looks like data.",
        ),
        (TABLE.replace("Why", "Stage").encode(), "The header (line 1) names more than one column “Stage”."),
        (
            TABLE.replace("Created", "Created on").encode(),
            "The file has no column “Created”, which fields.received_at names. Did you mean “Created on”? "
            "Known: Id, Created on, Person, Source, Rep, Stage, Why, Closed, Sum.",
        ),
        ((TABLE + '\n"D9').encode(), "The record that begins in line 6 has a quote that is never closed."),
    ],
    ids=["utf-16", "xlsx", "NUL", "empty", "no header", "duplicate header", "missing column", "open quote"],
)
def test_a_file_that_cannot_be_read_reaches_the_user_as_one_sentence(version, folder, content, sentence):
    (folder.path / "leads.csv").write_bytes(content)
    with pytest.raises(CommandError) as caught:
        run("import_leads", folder.path / "leads.csv", f"--map={folder.leads_map}")
    assert str(caught.value) == sentence
    assert not Lead.objects.exists()


def test_a_missing_file_a_missing_mapping_and_a_wrong_zone_reach_the_user_as_one_sentence(folder):
    file, nowhere = folder.file("leads.csv", *DEALS), folder.path / "none"
    for args, sentence in (
        ((nowhere, f"--map={folder.leads_map}"), f"{nowhere} cannot be read: No such file or directory."),
        ((file, f"--map={nowhere}"), f"{nowhere} cannot be read: No such file or directory."),
        ((file, f"--map={folder.leads_map}", "--time-zone=Mars"), "The time zone “Mars” is unknown."),
    ):
        with pytest.raises(CommandError) as caught:
            run("import_leads", *args)
        assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("verb", "name", "sentence"),
    [
        ("import_leads", "calls.toml", "This mapping is for attempts, not for leads."),
        ("import_attempts", "leads.toml", "This mapping is for leads, not for attempts."),
    ],
)
def test_a_mapping_for_the_other_command_is_refused(folder, verb, name, sentence):
    with pytest.raises(CommandError) as caught:
        run(verb, folder.file("some.csv", *DEALS), f"--map={folder.path / name}")
    assert str(caught.value) == sentence
