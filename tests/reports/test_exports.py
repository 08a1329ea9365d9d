"""The figures of a scorecard as a file: what the page says, as numbers that can be calculated with."""

import csv
import io

import pytest
from django.urls import reverse

from reports import exports, scorecards
from slaportal.spreadsheet import FORMS
from tests.reports.conftest import MARCH, MET, MIDMARCH, MISSED, NOW, make_clock, make_handoff

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("may")]
STATES = ("met", "missed", "open", "excluded")


@pytest.fixture
def may(time_machine):
    """It is 5 May, and March is not sealed yet."""
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def history(version, response, volume, ron, ruth) -> None:
    """March: five handoffs from hostile sources, three answered in time."""
    for number, source in enumerate(["=1+1", "Webinar", "", "Webinar", "Fair"]):
        handoff = make_handoff(version, (ron, ruth)[number % 2], source=source)
        state = MISSED if number > 2 else MET
        make_clock(handoff, response, state, started_at=MIDMARCH, stopped_at=MIDMARCH, elapsed_seconds=60.0 * number)
        make_clock(handoff, volume, MET)


def exported(client, agreement, form: str = "csv") -> list[list[str]]:
    response = client.get(reverse("export_scorecard", args=[agreement.pk, "2025-03", form]))
    assert response.status_code == 200
    return list(csv.reader(io.StringIO(b"".join(response.streaming_content).decode("utf-8-sig"), newline="")))


def test_every_figure_of_every_break_down_is_a_row_and_each_break_down_adds_up(version, history):
    data = scorecards.compute(version.agreement, MARCH, now=NOW)
    rows = list(exports.rows(data))
    assert {len(row) for row in rows} == {len(exports.heads())}
    assert sum(row[7] for row in rows if not row[5]) == 3 + 5
    for line in data["commitments"]:
        mine = [row for row in rows if row[4] == line["title"]]
        (whole,) = (row[7:11] for row in mine if not row[5])
        assert whole == [line[state] for state in STATES]
        weeks = [row for row in mine if row[-1]]
        for parts in (*([row for row in mine if row[5] == name and not row[-1]] for name in line["by"]), weeks):
            assert [sum(row[at] for row in parts) for at in range(7, 11)] == whole


def test_the_file_has_what_the_page_has_and_runs_nothing(client, vera, version, history):
    client.force_login(vera)
    heads, *rows = exported(client, version.agreement)
    assert heads[:5] == ["Agreement", "Period", "Version", "Party", "Promise"]
    by_source = {row[6]: row[7:9] for row in rows if row[5] == "source" and not row[-1] and row[3] == "sales"}
    assert by_source == {"'=1+1": ["1", "0"], "Webinar": ["1", "1"], "": ["1", "0"], "Fair": ["0", "1"]}


def test_whoever_may_not_open_the_scorecard_may_not_take_it(client, ron, vera, version, history):
    client.force_login(ron)
    for form in FORMS:
        address = reverse("export_scorecard", args=[version.agreement_id, "2025-03", form])
        assert client.get(address).status_code == 403
    client.force_login(vera)
    for key, form in (("2025-03", "pdf"), ("March", "csv"), ("2031-01", "csv")):
        assert client.get(reverse("export_scorecard", args=[version.agreement_id, key, form])).status_code == 404


def test_a_cross_is_a_row_for_each_pair_and_adds_up_to_the_promise(client, vera, version, response, history):
    client.force_login(vera)
    address = reverse("export_cross", args=[version.agreement_id, "2025-03", "csv"])
    answer = client.get(address, {"commitment": response.pk, "rows": "source", "columns": "rep"})
    heads, *rows = csv.reader(io.StringIO(b"".join(answer.streaming_content).decode("utf-8-sig"), newline=""))
    assert heads[:4] == ["source", "rep", "Met", "Missed"]
    assert [row[:4] for row in rows if row[0] == "Webinar"] == [["Webinar", "Ruth", "1", "1"]]
    assert [sum(int(row[at]) for row in rows) for at in range(2, 6)] == [3, 2, 0, 0]


def test_a_cross_that_makes_no_sense_is_refused_on_its_page(client, ron, vera, version, response, history):
    address = reverse("export_cross", args=[version.agreement_id, "2025-03", "csv"])
    client.force_login(vera)
    for asked in ({"rows": "source", "columns": "rep"}, {"commitment": response.pk, "rows": "rep", "columns": "rep"}):
        assert client.get(address, asked).url == reverse("cross", args=[version.agreement_id, "2025-03"])
    client.force_login(ron)
    assert client.get(address).status_code == 403
