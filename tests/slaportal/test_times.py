"""Times on pages: in the reader's zone, as the reader's language writes them, exact on hover."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from django.template import Context, Template
from django.urls import reverse
from django.utils import timezone, translation

from slaportal.templatetags import display

MOMENT = datetime(2025, 3, 3, 15, 5, 7, tzinfo=UTC)


@pytest.fixture(autouse=True)
def in_berlin():
    """A page that is about nothing yet, of a reader in Berlin."""
    with display.a_page_of_its_own(), timezone.override("Europe/Berlin"):
        yield


@pytest.mark.parametrize(
    ("language", "form", "expected"),
    [
        ("en", display.when, "3 Mar 2025, 16:05"),
        ("en", display.on_day, "3 Mar 2025"),
        ("en", display.at_time, "16:05"),
        ("en-us", display.when, "Mar 3, 2025, 4:05 PM"),
        ("en-us", display.on_day, "Mar 3, 2025"),
        ("en-us", display.at_time, "4:05 PM"),
    ],
)
def test_a_time_is_written_as_the_readers_language_writes_it(language, form, expected):
    with translation.override(language):
        assert f">{expected}<" in form(MOMENT)


@pytest.mark.parametrize(("language", "expected"), [("en", "3 March 2025"), ("en-us", "March 3, 2025")])
def test_a_day_in_full_is_written_so_too(language, expected):
    with translation.override(language):
        assert f">{expected}<" in display.on_day(date(2025, 3, 3), "long")


def test_on_hover_stands_the_exact_moment_in_utc():
    assert 'title="3 Mar 2025, 15:05:07 UTC"' in display.when(MOMENT)


def test_on_hover_of_a_page_about_an_agreement_stands_its_zone_as_well():
    source = "{% load display %}{{ moment|when }}{% also_in zone %}{{ moment|when }}"
    before, after = (
        Template(source).render(Context({"moment": MOMENT, "zone": ZoneInfo("Asia/Tokyo")})).split("</time>")[:2]
    )
    assert "Tokyo" not in before
    assert 'title="3 Mar 2025, 15:05:07 UTC; 4 Mar 2025, 00:05:07 Asia/Tokyo"' in after


@pytest.mark.django_db
def test_the_next_page_does_not_remember_the_zone(client, version, rita):
    client.force_login(rita)
    assert "UTC; " in client.get(version.get_absolute_url()).content.decode()
    assert "UTC; " not in display.when(MOMENT)
    assert "UTC; " not in client.get(reverse("handoffs")).content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("asked", "language"), [("en-US,en;q=0.9", "en-us"), ("en-GB", "en"), ("de-DE", "en"), ("", "en")]
)
def test_the_browser_says_which_language(client, rita, asked, language):
    client.force_login(rita)
    page = client.get(reverse("numbers"), headers={"accept-language": asked}).content.decode()
    assert f'<html lang="{language}">' in page
