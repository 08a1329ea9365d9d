"""A list leaves as a file: the rows that one sees, and no others."""

import csv
import io
import logging
from datetime import timedelta

import openpyxl
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from leads import tracking
from leads.models import Handoff
from tests.conftest import MONDAY, receive
from tests.leads.conftest import clock_of, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("travel")]
EVIL = '=HYPERLINK("http://evil.example";"Ines")'


@pytest.fixture
def three(version, ron, ruth) -> list[Handoff]:
    """Two leads of Ron's, one called within an hour, and one of Ruth's."""
    begun = [
        *receive("A", name=EVIL, score=90, source="Webinar", owner=ron.email, email="a@example.com"),
        *receive("B", owner=ron.email, email="b@example.com"),
        *receive("C", owner=ruth.email, email="c@example.com"),
    ]
    tracking.log_attempts([tracking.NewAttempt(lead=begun[0].lead)], by=ron, now=MONDAY + timedelta(hours=1))
    return begun


def exported(client, form: str = "csv", **asked: object) -> list[dict[str, object]]:
    response = client.get(reverse("export_handoffs", args=[form]), asked)
    assert response.status_code == 200
    content = b"".join(response.streaming_content)
    if form == "csv":
        return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    heads, *rows = openpyxl.load_workbook(io.BytesIO(content)).active.iter_rows(values_only=True)
    return [dict(zip(heads, row, strict=True)) for row in rows]


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_everybody_takes_along_what_they_see_and_no_more(client, three, ron, vera, form):
    for who, ids in ((vera, {"A", "B", "C"}), (ron, {"A", "B"})):
        client.force_login(who)
        rows = exported(client, form)
        assert {row["Id there"] for row in rows} == ids
        assert len(rows) == client.get(reverse("handoffs")).context["shown"]


def test_evidence_of_a_promise_has_its_clock(client, three, vera):
    client.force_login(vera)
    commitment = clock_of(three[0]).commitment_id
    asked = {"agreement": three[0].agreement_id, "commitment": commitment, "state": "met"}
    (row,) = exported(client, **asked)
    assert row["Name"] == f"'{EVIL}"
    assert (row["State"], row["Rule"], row["Business seconds"]) == ("met", "within_limit", "3600.0")
    assert row["Began (Europe/Berlin)"] == "2025-03-03 10:00:00"
    assert row["Stopped (Europe/Berlin)"] == "2025-03-03 11:00:00"
    assert row["Counted for"] == "Ron"
    assert row["Link"].endswith(three[0].get_absolute_url())
    (row,) = exported(client, "xlsx", **asked)
    assert (row["Name"], row["Score"], row["Business seconds"]) == (EVIL, 90, 3600)


def test_unmatched_leads_can_be_taken_along(client, version, rita):
    receive("X", name="", email="early@example.com", now=MONDAY - timedelta(days=900),
            received_at=MONDAY - timedelta(days=900))  # fmt: skip
    client.force_login(rita)
    (row,) = exported(client, unmatched="1")
    assert (row["Id there"], row["E-mail"]) == ("X", "early@example.com")


def test_what_the_list_refuses_is_refused_with_its_sentence(client, three, vera):
    client.force_login(vera)
    response = client.get(reverse("export_handoffs", args=["csv"]), {"period": "March"}, follow=True)
    assert "“March” is not a period" in text_of(response)
    assert client.get(reverse("export_handoffs", args=["pdf"])).status_code == 404


def test_without_a_login_nobody_takes_anything(client, three):
    response = client.get(reverse("export_handoffs", args=["csv"]))
    assert (response.status_code, response.url.split("?")[0]) == (302, reverse("login"))


def test_the_log_says_who_took_what_but_not_whom_they_searched_for(client, three, vera, caplog):
    client.force_login(vera)
    with caplog.at_level(logging.INFO, logger="leads.views_export"):
        exported(client, q="ines@example.com", source="Webinar")
    assert f"person {vera.pk} takes handoffs as csv: q, source=Webinar" in caplog.text
    assert "ines@" not in caplog.text


def test_a_file_of_many_rows_takes_as_many_queries_as_one_of_few(client, three, vera):
    client.force_login(vera)
    taken = []
    for more in range(0, 40, 20):
        for number in range(more):
            receive(f"M{number}", email=f"m{number}@example.com")
        with CaptureQueriesContext(connection) as queries:
            assert len(exported(client)) == 3 + more
        taken.append(len(queries))
    assert taken[0] == taken[1]
