"""One search over what a person may see."""

import pytest
from django.db import connection
from django.urls import reverse

from leads import filters, search
from leads.models import Lead
from tests.conftest import receive

pytestmark = pytest.mark.django_db


@pytest.fixture
def leads(version, ron, ruth):
    receive("A", owner="Ron", name="Ada Nord", company="Nordhaus", email="ada@nordhaus.example")
    receive("B", owner="Ruth", name="Bela Süd", company="Nordlicht", email="bela@nordlicht.example")


def names(user, text: str) -> list[str]:
    found = search.find(user, text)
    return sorted([str(row) for row in (*found.agreements, *found.handoffs)])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nord", ["Ada Nord", "Bela Süd"]),
        ("NORDHAUS ada", ["Ada Nord"]),
        ("bela@nordlicht", ["Bela Süd"]),
        ("dach", ["DACH inbound"]),
        ("nobody", []),
        ("  ", []),
        ("%", []),
    ],
)
def test_every_word_has_to_stand_in_it(leads, rita, text, expected):
    assert names(rita, text) == expected


def test_nobody_finds_what_they_may_not_see(leads, ron, ruth):
    assert names(ron, "nord") == ["Ada Nord"]
    assert names(ruth, "nord") == ["Bela Süd"]


def test_of_many_the_latest_are_shown_and_that_there_are_more(version, rita):
    receive(*(f"L{number}" for number in range(search.MOST_HANDOFFS + 1)), company="Nordhaus")
    found = search.find(rita, "nordhaus")
    assert (len(found.handoffs), found.more) == (search.MOST_HANDOFFS, True)


@pytest.mark.parametrize(("query", "status"), [("nord", 200), ("", 200), ("x" * 101, 400), ("<script>", 200)])
def test_the_page_answers_whatever_is_asked(leads, client, rita, query, status):
    client.force_login(rita)
    response = client.get(reverse("search"), {"q": query})
    assert response.status_code == status
    assert "<script>&lt" not in response.content.decode() and "“<script>" not in response.content.decode()


def test_the_search_stands_on_every_page(client, rita, db):
    client.force_login(rita)
    assert reverse("search") in client.get(reverse("numbers")).content.decode()


@pytest.mark.postgresql
@pytest.mark.parametrize("field", filters.SEARCHED)
def test_parts_of_words_are_found_by_an_index(leads, field):
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    assert "lead_words" in Lead.objects.order_by().filter(**{f"{field}__icontains": "ord"}).explain()
