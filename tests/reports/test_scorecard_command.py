"""`manage.py scorecard` prints the documented JSON or a table, and says what exists when asked for something else."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from reports import scorecards
from reports.models import Scorecard
from tests.reports.conftest import EXCLUDED, MARCH, MET, MISSED, NOW, make_clock, make_handoff, make_outcome

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("scorecard", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def history(version, response, ron):
    for state in (MET, MET, MISSED, EXCLUDED):
        handoff = make_handoff(version, ron)
        make_clock(handoff, response, state, stopped_at=NOW, elapsed_seconds=3600)
    make_clock(make_handoff(version, source=""), response, MISSED)
    make_outcome(handoff, "opportunity", amount=1500)
    return version.agreement


def test_json_is_what_compute_says_and_nothing_is_stored(history, time_machine):
    time_machine.move_to(NOW, tick=False)
    printed = json.loads(run("DACH inbound", "--period", "2025-03", "--json"))

    assert printed == scorecards.compute(history, MARCH, now=NOW, by=())
    assert all(row["by"] == {} for row in printed["commitments"])
    assert not Scorecard.objects.exists()


@pytest.mark.parametrize(
    "asked", [("--by", "source,rep"), ("--by", "source", "--by", "rep"), ("--by", " rep, source ")]
)
def test_break_downs_are_asked_for_one_by_one_or_with_commas(history, asked):
    printed = json.loads(run("dach INBOUND", "--period", "2025-03", "--json", *asked))

    assert {frozenset(row["by"]) for row in printed["commitments"]} == {frozenset({"source", "rep"})}


def test_the_table_shows_counts_verdicts_and_values(history):
    lines = run("DACH inbound", "--period", "2025-03", "--by", "source").replace("\xa0", " ").splitlines()

    assert lines[0] == "DACH inbound · March 2025 · version 1"
    assert lines[1] == "5 handoffs; beside them 0 leads that no agreement covers"
    cells = {line.split("  ")[0].strip() or line.split("  ")[1].strip(): line.split() for line in lines[3:-2]}
    assert cells["sales: first_response"][2:] == [
        "2",
        "2",
        "0",
        "1",
        "too",
        "few",
        "95",
        "%",
        "no",
        "1",
        "h",
        "1",
        "h",
        "1",
    ]
    assert cells["marketing: volume"][2:] == ["0", "0", "0", "0", "0", "%", "50", "no", "–", "–", "0"]
    assert cells["source Webinar"][2:] == ["2", "1", "0", "1", "too", "few"]
    assert cells["source none"][2:] == ["0", "1", "0", "0", "too", "few"]
    assert lines[-1] == "Outcomes: meetings 0 · opportunities 1 · won 0 · lost 0 · pipeline 1,500"


def test_without_a_period_it_is_the_running_month(history, time_machine):
    time_machine.move_to(NOW)

    assert json.loads(run("DACH inbound", "--json"))["period"]["key"] == "2025-05"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("EMEA",), "There is no agreement “EMEA”. There are “DACH inbound”."),
        (("DACH inbound", "--period", "March"), "write one such as 2024-03, 2024-Q1, 2024-W09"),
        (("DACH inbound", "--by", "colour"), "use source, campaign, segment, team, rep, weekday, hour"),
    ],
)
def test_what_does_not_exist_is_answered_with_what_does(version, arguments, sentence):
    with pytest.raises(CommandError, match=sentence):
        run(*arguments)


def test_where_there_is_no_agreement_at_all_it_says_so(db):
    with pytest.raises(CommandError, match="There is none"):
        run("DACH inbound")
