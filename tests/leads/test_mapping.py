"""A mapping file turns rows of another system into records, or says by line, column, value and reason why not."""

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leads import csvfile, records
from leads.csvfile import Refusal
from leads.mapping import Mapping, MappingError, Skip, load
from leads.records import AttemptRecord, DispositionRecord, LeadRecord, OutcomeRecord

ROOT = Path(__file__).parents[2]
DATES = ["%d.%m.%Y %H:%M", "%d.%m.%Y", "iso"]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def lead_terms(**overrides) -> dict:
    fields = {"external_id": "Id", "received_at": "Created"} | overrides.pop("fields", {})
    return {
        "target": "leads",
        "source_system": "crm",
        "time_zone": "Europe/Berlin",
        "dates": DATES,
        "fields": fields,
    } | overrides


def attempt_terms(**fields) -> dict:
    fields = {
        "external_id": "Id",
        "at": "When",
        "contact_id": "Person",
        "channel": {"constant": "call"},
        "direction": {"constant": "outbound"},
        "outcome": "Result",
    } | fields
    return {"target": "attempts", "source_system": "crm", "time_zone": "UTC", "dates": ["iso"], "fields": fields}


def mapped(terms: dict, *lines: str, time_zone: str | None = None) -> list:
    table = csvfile.read("\n".join(lines).encode())
    return list(Mapping(terms, time_zone).records(table))


def lead(terms: dict, *lines: str, time_zone: str | None = None) -> LeadRecord:
    (record,) = mapped(terms, *lines, time_zone=time_zone)
    assert isinstance(record, LeadRecord), record
    return record


def field_of(name: str, spec, cell: str):
    """What one field becomes of one cell: the value, or the refusals."""
    *_, record = found = mapped(lead_terms(fields={name: spec}), "Id;Created;Cell", f"1;2024-03-14;{cell}")
    return getattr(record, name) if isinstance(record, LeadRecord) else found


# The mapping in the documentation


def documented(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / "docs" / "importing.md").read_text("utf-8"), re.DOTALL)


def test_the_documented_example_maps_its_own_file(tmp_path):
    path = tmp_path / "example.toml"
    path.write_text(documented("toml")[0], "utf-8")
    ada, ben, cy, total = load(path).records(csvfile.read(documented("csv")[0].encode()))
    assert ada == LeadRecord(
        source_system="example-crm",
        external_id="L-1",
        received_at=utc("2024-03-14 08:30"),
        name="Ada Example",
        email="ada@example.com",
        company_size=120,
        campaign="Web form",
        source="website",
        handed_over=True,
        owner="Kim Rep",
        attributes={"city": "Graz"},
        dispositions=(DispositionRecord("accepted", "", utc("2024-05-02 21:59:59")),),
        outcomes=(OutcomeRecord("won", utc("2024-05-02 21:59:59"), Decimal(12500)),),
    )
    assert ben.dispositions == (DispositionRecord("rejected", "not_target", utc("2024-03-15 22:59:59")),)
    assert (ben.source, ben.attributes) == ("other", {})
    assert (cy.dispositions, cy.outcomes, cy.notes, cy.company_size) == ((), (), (), None)
    assert total == Skip(5, "total line")


def test_the_documented_mapping_of_attempts_can_be_loaded(tmp_path):
    path = tmp_path / "example.toml"
    path.write_text(documented("toml")[1], "utf-8")
    assert load(path).target == "attempts"


# Values


def test_text_is_trimmed_and_composed_and_a_long_id_keeps_every_digit():
    record = lead(lead_terms(fields={"name": "Name"}), "Id,Created,Name", "5805028000012345678,2024-03-14, Zoe\u0308 ")
    assert (record.external_id, record.name) == ("5805028000012345678", "Zoë")


@pytest.mark.parametrize(
    ("cell", "moment"),
    [
        ("14.03.2024 09:30", "2024-03-14 08:30"),
        ("14.07.2024 09:30", "2024-07-14 07:30"),
        ("14.03.2024", "2024-03-13 23:00"),
        ("2024-03-14T09:30:00", "2024-03-14 08:30"),
        ("2024-03-14 09:30:00+05:00", "2024-03-14 04:30"),
        ("2024-03-14", "2024-03-13 23:00"),
        ("31.03.2024 02:30", "2024-03-31 01:30"),
        ("27.10.2024 02:30", "2024-10-27 00:30"),
    ],
)
def test_a_moment_is_read_in_the_files_zone_by_the_first_format_that_fits(cell, moment):
    assert lead(lead_terms(), "Id,Created", f"1,{cell}").received_at == utc(moment)


@pytest.mark.parametrize(
    ("form", "cell", "moment"),
    [
        ("%m/%d/%Y, %I:%M %p", "3/14/2024, 2:05 PM", "2024-03-14 13:05"),
        ("%Y-%m-%d %H:%M:%S %z", "2024-03-14 09:30:00 -0500", "2024-03-14 14:30"),
        ("%d %b %y", "14 Mar 24", "2024-03-13 23:00"),
    ],
)
def test_a_format_may_use_any_documented_code(form, cell, moment):
    assert lead(lead_terms(dates=[form]), "Id;Created", f"1;{cell}").received_at == utc(moment)


def test_the_zone_can_be_overridden():
    record = lead(lead_terms(), "Id,Created", "1,14.03.2024 09:30", time_zone="UTC")
    assert record.received_at == utc("2024-03-14 09:30")


CLOSED = [{"verdict": "accepted", "at": "Closed"}]


@pytest.mark.parametrize(
    ("zone", "cell", "moment"),
    [
        ("Europe/Berlin", "2024-03-14", "2024-03-14 22:59:59"),
        ("Europe/Berlin", "2024-10-27", "2024-10-27 22:59:59"),
        ("Europe/Berlin", "2024-03-14 09:30", "2024-03-14 08:30:00"),
        # In Havana the clocks go from 01:00 back to 00:00, so that Sunday begins at the first midnight …
        ("America/Havana", "2024-11-02", "2024-11-03 03:59:59"),
        # … and in spring from 00:00 to 01:00, so that Saturday ends when Sunday's 01:00 begins.
        ("America/Havana", "2024-03-09", "2024-03-10 04:59:59"),
    ],
)
def test_a_date_that_ends_something_is_the_last_second_of_its_local_day(zone, cell, moment):
    record = lead(lead_terms(disposition=CLOSED), "Id,Created,Closed", f"1,2024-01-01,{cell}", time_zone=zone)
    assert record.dispositions == (DispositionRecord("accepted", "", utc(moment)),)


@given(
    day=st.dates(date(1971, 1, 1), date(2099, 12, 30)),
    zone=st.sampled_from(
        ["Europe/Berlin", "America/Havana", "America/Sao_Paulo", "Asia/Beirut", "Australia/Lord_Howe"]
    ),
)
def test_the_seconds_of_a_local_day_lie_between_its_start_and_its_last_second(day, zone):
    terms = lead_terms(disposition=CLOSED)
    record = lead(terms, "Id,Created,Closed", f"1,{day},{day}", time_zone=zone)
    start, last = record.received_at, record.dispositions[0].at
    local = ZoneInfo(zone)
    assert start.astimezone(local).date() == last.astimezone(local).date() == day
    assert (last + timedelta(seconds=1)).astimezone(local).date() > day
    assert (start - timedelta(seconds=1)).astimezone(local).date() < day


@pytest.mark.parametrize(
    ("decimal", "cell", "amount"),
    [
        ("comma", "€ 3.500,00", "3500"),
        ("comma", "11000", "11000"),
        ("comma", "1.234.567,5", "1234567.5"),
        ("comma", "0,99 EUR", "0.99"),
        ("comma", "1.234", "1234"),
        ("point", "1,234.50", "1234.5"),
        ("point", "$1234.5", "1234.5"),
        ("point", "CHF 1'234.50", "1234.5"),
        ("point", "1\u202f234\xa0€", "1234"),
        ("comma", "", None),
    ],
)
def test_an_amount_is_read_in_the_files_decimal_style(decimal, cell, amount):
    terms = lead_terms(decimal=decimal, outcome=[{"kind": "won", "amount": "Sum", "at": "Created"}])
    record = lead(terms, "Id;Created;Sum", f"1;2024-03-14;{cell}")
    assert record.outcomes[0].amount == (amount and Decimal(amount))


@pytest.mark.parametrize(
    ("decimal", "cell"),
    [
        ("comma", "1234.5"),
        ("comma", "12.34"),
        ("comma", "3,505"),
        ("comma", "-5"),
        ("comma", "on request"),
        ("point", "1234,50"),
        ("point", "1,234,5"),
        ("point", "1" * 13),
    ],
)
def test_an_amount_in_another_style_is_refused_not_guessed(decimal, cell):
    terms = lead_terms(decimal=decimal, outcome=[{"kind": "won", "amount": "Sum", "at": "Created"}])
    reason = "is not an amount as “decimal” says, of at most 12 digits and 2 decimals"
    assert mapped(terms, "Id;Created;Sum", f"1;2024-03-14;{cell}") == [Refusal(2, "Sum", cell, reason)]


@pytest.mark.parametrize(
    ("name", "cell", "value"),
    [
        ("company_size", "120", 120),
        ("company_size", "1,200", 1200),
        ("company_size", "85.0", 85),
        ("company_size", "", None),
        ("score", "-5", -5),
        ("score", "0", 0),
        ("handed_over", "Yes", True),
        ("handed_over", "0", False),
        ("handed_over", "", False),
        ("engaged_at", "", None),
    ],
)
def test_numbers_and_yes_or_no_are_read_and_a_blank_is_unknown(name, cell, value):
    assert field_of(name, "Cell", cell) == value


@pytest.mark.parametrize(
    ("name", "spec", "cell", "reason"),
    [
        ("engaged_at", "Cell", "03/14/2024", "is not a date in any of the formats under “dates”"),
        ("engaged_at", "Cell", "31.02.2024", "is not a date in any of the formats under “dates”"),
        ("engaged_at", "Cell", "14.03.0024", "is not a date from 1970 to 2100"),
        ("engaged_at", "Cell", "0001-01-01T00:00+05:00", "is not a date from 1970 to 2100"),
        ("company_size", "Cell", "50-500", "is not a whole number up to 2147483647"),
        ("company_size", "Cell", "-1", "is not a whole number up to 2147483647"),
        ("company_size", "Cell", "2147483648", "is not a whole number up to 2147483647"),
        ("score", "Cell", "85.5", "is not a whole number up to 2147483647"),
        ("handed_over", "Cell", "maybe", "is none of true, yes, 1, false, no, 0"),
        ("segment", "Cell", "x" * 121, "is longer than 120 characters"),
        ("source", {"column": "Cell", "translate": {"Web": "website"}}, "Fair", "is not in the table “translate”"),
        ("source", {"column": "Cell", "required": True}, " ", "is blank, but needed"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_line_column_value_and_reason(name, spec, cell, reason):
    assert field_of(name, spec, cell) == [Refusal(2, "Cell", cell, reason)]


def test_a_moment_whose_zone_leaves_the_calendar_is_refused():
    (refusal,) = mapped(lead_terms(dates=["%Y-%m-%d %H:%M %z"]), "Id,Created", "1,0001-01-01 00:00 +0500")
    assert refusal.reason == "is not a date in any of the formats under “dates”"


def test_every_reason_of_a_row_is_reported_and_the_other_rows_are_mapped():
    terms = lead_terms(
        fields={"score": "Score", "company_size": "Size"},
        attributes={"page": {"column": "Page", "required": True}},
        outcome=[{"kind": "won", "amount": "Sum", "at": "Closed"}],
    )
    *refusals, good = mapped(
        terms,
        "Id,Created,Score,Size,Page,Sum,Closed",
        ",never,high,many,,much,late",
        "2,2024-03-14,1,2,/start,5,2024-03-15",
    )
    assert [(refusal.line, refusal.column, refusal.value) for refusal in refusals] == [
        (2, "Id", ""),
        (2, "Created", "never"),
        (2, "Score", "high"),
        (2, "Size", "many"),
        (2, "Page", ""),
        (2, "Sum", "much"),
        (2, "Closed", "late"),
    ]
    assert good.external_id == "2"


def test_a_ragged_row_is_passed_on_as_refused():
    assert mapped(lead_terms(), "Id,Created", "1") == [Refusal(2, "", "", "has 1 cell where the header has 2")]


# Translation


@pytest.mark.parametrize(
    ("translate", "cell", "value"),
    [
        ({"Web form": "website"}, " WEB FORM ", "website"),
        ({"Web form": "website"}, "", ""),
        ({"": "unknown", "Web form": "website"}, "", "unknown"),
        ({"Web form": "website", "*": "other"}, "Fair", "other"),
        ({"Web form": "website", "*": "other"}, "", "other"),
        ({"Web form": "website", "*": "*"}, "Fair", "Fair"),
        ({"Web form": "website", "*": "*"}, "", ""),
        ({"Test": ""}, "Test", ""),
        ({"В2": "B2", "*": "*"}, "в2", "B2"),
    ],
)
def test_words_are_translated_without_regard_to_case(translate, cell, value):
    assert field_of("source", {"column": "Cell", "translate": translate}, cell) == value


def test_a_default_stands_for_a_blank_cell_only():
    assert field_of("source", {"column": "Cell", "default": "direct"}, "") == "direct"
    assert field_of("source", {"column": "Cell", "default": "direct"}, "Fair") == "Fair"


def test_a_constant_is_the_same_for_every_row():
    assert field_of("handed_over", {"constant": True}, "no") is True
    assert field_of("score", {"constant": 80}, "") == 80


# Rows


def test_rows_are_skipped_under_the_first_reason_whose_columns_all_hold():
    terms = lead_terms(
        skip=[
            {"when": {"Id": ""}, "reason": "no id"},
            {"when": {"Kind": ["Test", "Demo"], "Live": "no"}, "reason": "trial"},
        ]
    )
    lines = ["Id,Created,Kind,Live", ",,Test,no", "2,2024-03-14,test,NO", "3,2024-03-14,Test,yes"]
    first, second, third = mapped(terms, *lines)
    assert (first, second) == (Skip(2, "no id"), Skip(3, "trial"))
    assert third.external_id == "3"


def test_a_repeated_id_is_skipped_when_the_row_says_the_same_and_refused_when_not():
    terms = lead_terms(fields={"name": "Name"})
    _, same, other = mapped(terms, "Id,Created,Name", "1,2024-03-14,Ada", "1,2024-03-14,Ada", "1,2024-03-14,Ben")
    assert same == Skip(3, "repeats an earlier line")
    assert other == Refusal(4, "Id", "1", "is already the id of line 2, which says something else")


# Dispositions and outcomes

LOST = {
    "when": {"Stage": "Lost"},
    "verdict": {"column": "Why", "translate": {"Later": "recycled", "*": "rejected"}},
    "reason": {"column": "Why", "translate": {"Later": "bad_timing", "No money": "no_budget"}},
    "at": "Closed",
}
WON = {"when": {"Stage": ["Won", "Paid"]}, "kind": "won", "amount": "Sum", "at": "Closed"}
ACCEPTED = {"when": {"Stage": ["Won", "Paid"]}, "verdict": "accepted", "reason": "Why", "at": "Closed"}
STAGES = lead_terms(disposition=[LOST, ACCEPTED], outcome=[WON])


def staged(row: str, terms: dict = STAGES):
    (record,) = mapped(terms, "Id;Created;Stage;Why;Closed;Sum", f"1;14.03.2024 10:00;{row}")
    return record


END = utc("2024-03-20 22:59:59")


@pytest.mark.parametrize(
    ("row", "dispositions", "outcomes"),
    [
        ("Lost;No money;20.03.2024;", [("rejected", "no_budget", END)], []),
        ("Lost;Later;20.03.2024;", [("recycled", "bad_timing", END)], []),
        ("Lost;;20.03.2024;", [("rejected", "", END)], []),
        ("Open;No money;20.03.2024;", [], []),
        ("Open;Unheard of;20.03.2024;", [], []),
        ("Paid;No money;20.03.2024;900", [("accepted", "", END)], [("won", END, Decimal(900))]),
    ],
)
def test_stages_and_reasons_become_dispositions_and_outcomes(row, dispositions, outcomes):
    record = staged(row)
    assert (list(record.dispositions), list(record.outcomes), record.notes) == (dispositions, outcomes, ())


def test_a_reason_that_the_mapping_does_not_know_is_refused():
    assert staged("Lost;Unheard of;20.03.2024;") == Refusal(2, "Why", "Unheard of", "is not in the table “translate”")


def test_a_decision_without_a_date_is_left_out_and_noted():
    record = staged("Won;;;900")
    assert (record.dispositions, record.outcomes) == ((), ())
    assert record.notes == ("disposition without a past date: left out", "outcome without a past date: left out")


def test_a_default_date_stands_for_a_decision_without_one():
    dated = WON | {"at": {"column": "Closed", "default": "30.06.2024"}}
    record = staged("Won;;;900", lead_terms(outcome=[dated]))
    assert (record.outcomes[0].at, record.notes) == (utc("2024-06-30 21:59:59"), ())


def test_a_decision_dated_before_its_lead_arrived_is_taken_at_the_arrival_and_noted():
    record = staged("Lost;Later;01.03.2024;")
    assert record.dispositions == (DispositionRecord("recycled", "bad_timing", record.received_at),)
    assert record.notes == ("disposition dated before the lead arrived: taken at its arrival",)


def test_blocks_without_a_condition_speak_of_the_rows_that_have_their_date_in_the_order_of_time():
    terms = lead_terms(
        disposition=[
            {"verdict": "rejected", "reason": {"constant": "no_budget"}, "at": "Closed"},
            {"verdict": "accepted", "at": "Accepted"},
        ]
    )
    lines = ["Id,Created,Accepted,Closed", "1,2024-03-01,2024-03-05,2024-03-09", "2,2024-03-01,,"]
    decided, open_ = mapped(terms, *lines)
    assert [(entry.verdict, entry.reason) for entry in decided.dispositions] == [
        ("accepted", ""),
        ("rejected", "no_budget"),
    ]
    assert (open_.dispositions, open_.notes) == ((), ())


def test_the_same_outcome_twice_is_refused():
    again = {"kind": "won", "at": "Created"}
    assert staged("Won;;20.03.2024;", lead_terms(outcome=[WON, again])) == Refusal(
        2, "", "", "has the same outcome twice"
    )


REASONS = {"bad_timing": frozenset({"recycled"}), "no_budget": frozenset({"recycled", "rejected"})}


def judged(why: str, reason):
    """What becomes of a lost row under these reason codes."""
    block = LOST | {"reason": reason}
    table = csvfile.read(f"Id;Created;Stage;Why;Closed\n1;14.03.2024 10:00;Lost;{why};20.03.2024".encode())
    (record,) = Mapping(lead_terms(disposition=[block]), reasons=REASONS).records(table)
    return record


def test_a_mapping_that_names_a_reason_code_that_does_not_exist_is_refused():
    with pytest.raises(MappingError, match=r"disposition\.reason: “no_money” is none of bad_timing, no_budget\."):
        judged("No money", {"column": "Why", "translate": {"No money": "no_money"}})


def test_a_cell_that_holds_no_reason_code_is_refused():
    assert judged("no_money", "Why") == Refusal(2, "Why", "no_money", "is none of bad_timing, no_budget")
    assert judged("no_budget", "Why").dispositions[0].reason == "no_budget"


def test_a_reason_that_does_not_fit_the_verdict_is_refused():
    translate = {"column": "Why", "translate": {"Next year": "bad_timing", "Later": "bad_timing"}}
    why = "becomes bad_timing, which is no reason for rejected"
    assert judged("Next year", translate) == Refusal(2, "Why", "Next year", why)
    assert judged("Later", translate).dispositions[0].verdict == "recycled"
    assert judged("Next year", {"constant": "bad_timing"}) == Refusal(2, "", "", why)


# The present

NOON = utc("2024-03-14 12:00")


def present(terms: dict, *lines: str):
    (found,) = Mapping(terms, "UTC", now=NOON).records(csvfile.read("\n".join(lines).encode()))
    return found


@pytest.mark.parametrize(
    ("created", "taken"),
    [("2024-03-14", True), ("2024-03-14T12:00", True), ("2024-03-14T12:01", False), ("2024-03-15", False)],
)
def test_a_moment_after_the_present_is_refused(created, taken):
    found = present(lead_terms(), "Id,Created", f"1,{created}")
    assert isinstance(found, LeadRecord) is taken
    assert taken or found == Refusal(2, "Created", created, "is in the future")


def test_a_decision_dated_today_without_a_time_waits_until_the_day_is_over():
    terms = lead_terms(disposition=[{"when": {"Stage": "Won"}, "verdict": "accepted", "at": "Closed"}])
    header = "Id,Created,Stage,Closed"
    today = present(terms, header, "1,2024-03-01,Won,2024-03-14")
    assert (today.dispositions, today.notes) == ((), ("disposition without a past date: left out",))
    assert present(terms, header, "1,2024-03-01,Won,2024-03-13").dispositions[0].at == utc("2024-03-13 23:59:59")
    assert present(terms, header, "1,2024-03-01,Won,2024-03-15").reason == "is in the future"


def test_an_attempt_dated_today_without_a_time_is_refused():
    found = present(attempt_terms(), "Id,When,Person,Result", "a1,2024-03-14,P-1,sent")
    assert found == Refusal(2, "When", "2024-03-14", "is a day that is not over yet, without a time")


def test_a_default_date_in_the_future_is_refused_with_the_mapping():
    terms = lead_terms(disposition=[{"verdict": "accepted", "at": {"column": "Closed", "default": "2024-03-15"}}])
    with pytest.raises(MappingError, match=r"disposition\.at: “2024-03-15” is in the future\."):
        Mapping(terms, now=NOON)


# Attempts


def test_an_attempt_names_its_lead_or_the_person():
    terms = attempt_terms(lead_external_id="Lead", email="Mail", automated="Auto", owner="By")
    lines = ["Id,When,Person,Lead,Mail,Result,Auto,By", "a1,2024-03-14T09:30,P-1,,,connected,,Kim"]
    (record,) = mapped(terms, *lines)
    assert record == AttemptRecord(
        source_system="crm",
        external_id="a1",
        at=utc("2024-03-14 09:30"),
        channel="call",
        direction="outbound",
        outcome="connected",
        contact_id="P-1",
        owner="Kim",
    )
    assert mapped(terms, lines[0], "a1,2024-03-14T09:30,,,,connected,,Kim") == [
        Refusal(2, "", "", "names neither a lead nor a person")
    ]


def test_an_attempt_on_a_date_without_a_time_ends_no_wait_too_early():
    (record,) = mapped(attempt_terms(), "Id,When,Person,Result", "a1,2024-03-14,P-1,sent")
    assert record.at == utc("2024-03-14 23:59:59")


def test_an_outcome_that_we_do_not_know_is_refused():
    (refusal,) = mapped(attempt_terms(), "Id,When,Person,Result", "a1,2024-03-14,P-1,Reached")
    assert (refusal.column, refusal.value) == ("Result", "Reached")
    assert refusal.reason.startswith("is none of connected, replied, no_answer, ")


def test_the_words_and_lengths_are_those_of_the_database():
    from leads import models

    types = {"channel": models.Channel, "direction": models.Direction, "outcome": models.AttemptOutcome}
    for name, choices in types.items():
        assert set(AttemptRecord.__annotations__[name].__args__) == set(choices.values)
    assert set(records.Verdict.__args__) == set(models.Verdict.values)
    assert set(records.OutcomeKind.__args__) == set(models.Outcome.Kind.values)
    for model in (models.Lead, models.Attempt):
        stored = {
            field.name: field.max_length
            for field in model._meta.fields
            if field.max_length and field.name in records.LONGEST
        }
        assert stored == {name: records.LONGEST[name] for name in stored}


# A mapping that makes no sense


@pytest.mark.parametrize(
    ("terms", "sentence"),
    [
        ({}, "target is missing or unknown. Known: leads, attempts."),
        (lead_terms(target="lead"), "target is missing or unknown. Did you mean “leads”? Known: leads, attempts."),
        (lead_terms(source_system=" "), "source_system is missing: it needs a text."),
        (lead_terms(source_system="x" * 61), "source_system is longer than 60 characters."),
        (
            lead_terms(time_zone="Europe/Berlim"),
            "The time zone “Europe/Berlim” is unknown. Did you mean “Europe/Berlin”?",
        ),
        (lead_terms(dates=[]), "dates is missing: it needs a list of formats"),
        (lead_terms(dates=["DD.MM.YYYY"]), "dates: “DD.MM.YYYY” is neither “iso” nor a format such as"),
        (lead_terms(dates=["%d.%m."]), "dates: “%d.%m.” is neither “iso” nor a format such as"),
        (lead_terms(dates=["%d.%m.%Q"]), "dates: “%d.%m.%Q” is neither “iso” nor a format such as"),
        (lead_terms(decimal=","), "decimal is missing or unknown. Known: comma, point."),
        (lead_terms(skips=[]), "The mapping has “skips”, which is unknown. Did you mean “skip”? Known: target,"),
        (attempt_terms() | {"outcome": []}, "The mapping has “outcome”, which is unknown."),
        (lead_terms(fields={"e_mail": "Mail"}), "fields has “e_mail”, which is unknown. Did you mean “email”? Known: "),
        (lead_terms(fields={"line": "Line"}), "fields has “line”, which is unknown."),
        (lead_terms() | {"fields": {"external_id": "Id"}}, "fields.received_at is missing: leads cannot be"),
        (lead_terms() | {"fields": "Id"}, "fields needs a table of names and values."),
        (
            {**attempt_terms(), "fields": {k: v for k, v in attempt_terms()["fields"].items() if k != "contact_id"}},
            "fields names no lead_external_id, contact_id or email: whose attempts are they?",
        ),
        (lead_terms(fields={"name": 7}), "fields.name needs the name of a column, or a table with either a column"),
        (lead_terms(fields={"name": {}}), "fields.name needs the name of a column, or a table with either a column"),
        (
            lead_terms(fields={"name": {"column": "A", "constant": "B"}}),
            "fields.name needs the name of a column, or a table with either a column or a constant.",
        ),
        (lead_terms(fields={"name": {"column": 7}}), "fields.name needs the name of a column, as a text."),
        (lead_terms(fields={"name": {"constant": ""}}), "fields.name.constant is blank."),
        (
            lead_terms(fields={"name": {"column": "A", "defualt": "x"}}),
            "fields.name has “defualt”, which is unknown. Did you mean “default”?",
        ),
        (lead_terms(fields={"name": {"column": "A", "required": "yes"}}), "fields.name.required is true or false"),
        (lead_terms(fields={"name": {"column": "A", "translate": "x"}}), "fields.name.translate needs a table"),
        (
            lead_terms(fields={"name": {"column": "A", "translate": {"b1": "x", "B1": "y"}}}),
            "fields.name.translate lists a word twice; upper and lower case count as one.",
        ),
        (lead_terms(fields={"score": {"constant": "high"}}), "fields.score: “high” is not a whole number"),
        (
            lead_terms(fields={"score": {"column": "A", "default": "high"}}),
            "fields.score: “high” is not a whole number",
        ),
        (
            attempt_terms(outcome={"column": "A", "translate": {"Reached": "conected"}}),
            "fields.outcome: “conected” is none of connected, replied, ",
        ),
        (lead_terms(attributes={"source": "A"}), "attributes.source is the name of a field: it belongs under fields."),
        (lead_terms(skip={"when": {"A": ""}}), "skip needs double brackets: [[skip]]."),
        (lead_terms(skip=[{"reason": "all"}]), "skip.when is missing: every row would be skipped."),
        (lead_terms(skip=[{"when": {"A": ""}}]), "skip.reason is missing: it needs a text."),
        (
            lead_terms(skip=[{"when": {"A": 1}, "reason": "x"}]),
            "skip.when: column “A” needs a text or a list of texts.",
        ),
        (lead_terms(disposition=[{"verdict": "accepted"}]), "disposition.at is missing."),
        (lead_terms(outcome=[{"at": "A"}]), "outcome.kind is missing."),
        (lead_terms(disposition=[{"verdict": "won", "at": "A"}]), "disposition.verdict: “won” is none of accepted, "),
        (
            lead_terms(outcome=[{"kind": "won", "at": "A", "reason": "B"}]),
            "outcome has “reason”, which is unknown. Known: when, kind, amount, at.",
        ),
    ],
)
def test_a_mapping_that_makes_no_sense_is_refused_in_one_sentence(terms, sentence):
    with pytest.raises(MappingError) as caught:
        Mapping(terms)
    assert str(caught.value).startswith(sentence)


def test_an_overriding_zone_must_exist_too():
    with pytest.raises(MappingError, match=r"The time zone “Berlin” is unknown\."):
        Mapping(lead_terms(), time_zone="Berlin")


def test_a_column_that_the_file_lacks_is_named_before_any_row_is_read():
    table = csvfile.read(b"Id,Created On,Stage\n1,2024-03-14,Won\n")
    terms = lead_terms(skip=[{"when": {"Id": ""}, "reason": "no id"}])
    with pytest.raises(MappingError) as caught:
        Mapping(terms).records(table)
    assert str(caught.value) == (
        "The file has no column “Created”, which fields.received_at names. "
        "Did you mean “Created On”? Known: Id, Created On, Stage."
    )


@pytest.mark.parametrize(
    ("content", "sentence"),
    [("target = leads", "is not valid TOML: "), (None, "cannot be read: No such file or directory.")],
)
def test_a_mapping_file_that_cannot_be_read_is_refused_in_one_sentence(tmp_path, content, sentence):
    path = tmp_path / "crm.toml"
    if content:
        path.write_text(content, "utf-8")
    with pytest.raises(MappingError) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path} {sentence}")


# The mappings of the project


def test_the_school_maps_an_invented_deal():
    deal = {
        "Id": "5805028000000000001",
        "Created Time": "30.03.2024 18:00",
        "Contact Name": "5805028000000000002",
        "Deal Owner Name": "Kim Rep",
        "Stage": "Payment Done",
        "Lost Reason": "Expensive",
        "Closing Date": "02.04.2024",
        "Quality": "B - Medium",
        "Source": "Test",
        "Campaign": "spring",
        "Offer Total Amount": "€ 3.500,00",
        "Level of Deutsch": "б1",
        **dict.fromkeys(("Page", "Content", "Term", "Product", "Education Type", "Payment Type"), ""),
        **dict.fromkeys(("Course duration", "Months of study"), ""),
    }
    table = csvfile.Table(list(deal), iter([csvfile.Row(2, deal)]), "utf-8", ",")
    (record,) = load(ROOT / "leads/mappings/school_crm_deals.toml").records(table)
    assert record == LeadRecord(
        source_system="school-crm",
        external_id="5805028000000000001",
        received_at=utc("2024-03-30 17:00"),
        contact_id="5805028000000000002",
        owner="Kim Rep",
        source="Test",
        campaign="spring",
        segment="B - Medium",
        handed_over=True,
        attributes={"german_level": "B1"},
        dispositions=(DispositionRecord("accepted", "", utc("2024-04-02 21:59:59")),),
        outcomes=(OutcomeRecord("won", utc("2024-04-02 21:59:59"), Decimal(3500)),),
    )
