"""The frame of every page: doors, policies, times, figures and states."""

import re
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import django_tables2
import pytest
from django.contrib import messages
from django.contrib.auth.models import AnonymousUser
from django.contrib.messages.storage.base import Message
from django.template.loader import render_to_string
from django.test import RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from slaportal.models import User
from slaportal.templatetags import display
from tests.conftest import PASSWORD

OPEN_DOORS = {"login", "logout", "health", "admin:login", "admin:logout"}
EXAMPLES = {"int": "1", "str": "x", "slug": "x", "path": "x", "uuid": "6c3f0a1e-8a3c-4b7d-9d53-0f3a1b2c4d5e"}
ASSETS = Path(__file__).parents[2] / "slaportal" / "assets"


def addresses(resolver: URLResolver, prefix: str = "/", space: str = "") -> list[tuple[str, str]]:
    """Every address with its name; converters are filled in with examples."""
    found = []
    for entry in resolver.url_patterns:
        path = prefix + re.sub(r"<(\w+):\w+>", lambda match: EXAMPLES[match[1]], str(entry.pattern))
        if isinstance(entry, URLResolver):
            inside = f"{space}{entry.namespace}:" if entry.namespace else space
            found += addresses(entry, path, inside)
        elif isinstance(entry, URLPattern):
            found.append((f"{space}{entry.name}", re.sub(r"\(\?P<\w+>[^)]*\)|\$$|/\?\$$", "", path)))
    return found


def test_every_address_asks_anonymous_people_to_log_in_unless_listed(db, client):
    open_doors = set()
    asked = 0
    for name, path in addresses(get_resolver()):
        response = client.get(path)
        if response.status_code == 302 and "/login/?next=" in response["Location"]:
            asked += 1
        else:
            open_doors.add(name)
    assert open_doors <= OPEN_DOORS
    assert asked > 20


def test_what_nobody_built_is_not_found(db, client):
    response = client.get("/no/such/page")
    assert response.status_code == 404
    assert "Not found" in response.content.decode()


# --- Logging in and out --------------------------------------------------------------------------------------------


def test_logging_in_leads_to_the_page_that_was_asked_for(max_, client):
    asked = client.get("/agreements/")
    response = client.post(
        asked["Location"], {"username": "MAX@example.com", "password": PASSWORD, "next": "/agreements/"}
    )
    assert response.status_code == 302
    assert response["Location"] == "/agreements/"


def test_a_wrong_password_is_told_without_saying_which_of_the_two_was_wrong(max_, client):
    stranger = client.post("/login/", {"username": "nobody@example.com", "password": "wrong"}).content.decode()
    known = client.post("/login/", {"username": "max@example.com", "password": "wrong"}).content.decode()
    sentence = "No active login has this e-mail address and this password."
    assert sentence in stranger
    assert sentence in known
    assert 'value="max@example.com"' in known


def test_after_too_many_failures_a_page_says_that_the_login_rests(max_, client, settings):
    settings.AXES_ENABLED = True
    settings.AXES_FAILURE_LIMIT = 3
    for _ in range(3):
        response = client.post("/login/", {"username": "max@example.com", "password": "wrong"})
    assert response.status_code == 429
    assert "Locked for a while" in response.content.decode()
    rightly = client.post("/login/", {"username": "max@example.com", "password": PASSWORD})
    assert rightly.status_code == 429


def test_logging_out_is_a_form_and_not_a_link(max_, client):
    client.force_login(max_)
    page = client.get("/agreements/").content.decode()
    assert f'<form method="post" action="{reverse("logout")}">' in page
    assert client.get(reverse("logout")).status_code == 405
    assert client.post(reverse("logout")).status_code == 302
    assert client.get("/agreements/").status_code == 302


# --- What each person sees -------------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("who", "places"),
    [
        ("ron", ["Home", "My leads", "What counted for me", "Handoffs", "Agreements", "Rules"]),
        ("mona", ["Home", "My leads", "What counted for me", "Handoffs", "Team", "Scorecards", "Reviews",
                  "Recovery plans", "Agreements", "Rules"]),
        ("sofia", ["Home", "Handoffs", "Handover", "Scorecards", "Reviews", "Recovery plans", "Agreements", "Rules"]),
        ("vera", ["Home", "Handoffs", "Handover", "Scorecards", "Reviews", "Recovery plans", "Agreements", "Rules"]),
        ("rita", ["Home", "Handoffs", "Team", "Handover", "Decisions", "Scorecards", "Reviews", "Recovery plans",
                  "Agreements", "Rules", "Admin"]),
    ],
)  # fmt: skip
def test_the_navigation_shows_what_the_role_may_open(who, places, request, client):
    client.force_login(request.getfixturevalue(who))
    page = client.get("/agreements/").content.decode()
    navigation = page.split("<nav", 1)[1].split("</nav>", 1)[0]
    shown = re.findall(r"</span>([^<]+)</a>", navigation)
    assert shown == places
    assert re.findall(r'aria-current="page">.*?</span>([^<]+)</a>', navigation) == ["Agreements"]


def test_the_frame_names_the_person_and_the_zone(ron, client):
    client.force_login(ron)
    page = client.get("/agreements/").content.decode()
    assert "Ron" in page
    assert "Europe/Berlin" in page


def test_a_message_is_shown_once_and_escaped():
    request = RequestFactory().get("/")
    request.user = AnonymousUser()
    request._messages = [Message(messages.ERROR, "It did not <work>.")]
    page = render_to_string("404.html", request=request)
    assert page.count("It did not &lt;work&gt;.") == 1
    assert 'class="note error"' in page


@pytest.mark.parametrize("template", ["403.html", "404.html", "500.html"])
def test_error_pages_need_nothing_to_be_drawn(template):
    page = render_to_string(template)
    assert f'href="{reverse("home")}"' in page
    assert "<nav" not in page


# --- Policies -----------------------------------------------------------------------------------------------------


def test_the_portal_allows_nothing_inline_and_the_admin_has_its_own_policy(rita, client):
    client.force_login(rita)
    portal = client.get("/agreements/")["Content-Security-Policy"]
    admin = client.get("/admin/")["Content-Security-Policy"]
    assert "default-src 'self'" in portal
    assert "unsafe" not in portal
    assert "frame-ancestors 'none'" in portal
    assert "'unsafe-eval'" in admin


def test_pages_have_no_inline_style_script_or_handler(version, sofia, client):
    anonymous = [client.get("/login/"), client.get("/nope")]
    client.force_login(sofia)
    paths = ["/agreements/", f"/agreements/{version.agreement_id}/", version.get_absolute_url()]
    for response in [*anonymous, *(client.get(path) for path in paths)]:
        page = response.content.decode()
        assert "<main" in page
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", page)
        assert all(re.search(r'src="/static/', script) for script in re.findall(r"<script[^>]*>", page))


def test_the_colours_are_chosen_before_anything_is_drawn(db, client):
    page = client.get("/login/").content.decode()
    assert page.index("theme.js") < page.index('rel="stylesheet"')
    assert "defer" not in page[: page.index('rel="stylesheet"')]


def test_the_portal_wears_the_colours_of_the_admin(rita, client):
    client.force_login(rita)
    admin = client.get("/admin/").content.decode()
    wanted = dict(re.findall(r"(--color-(?:base|primary|font)-[\w-]+):\s*([^;]+);", admin))
    worn = dict(re.findall(r"(--color-(?:base|primary|font)-[\w-]+):\s*([^;]+);", (ASSETS / "portal.css").read_text()))
    assert len(wanted) > 20
    assert worn == wanted


# --- Times, spans, figures --------------------------------------------------------------------------------------------

NINE = datetime(2025, 3, 3, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "shown"),
    [
        ("UTC", "3 Mar 2025, 09:00"),
        ("Europe/Berlin", "3 Mar 2025, 10:00"),
        ("Asia/Kolkata", "3 Mar 2025, 14:30"),
        ("Pacific/Honolulu", "2 Mar 2025, 23:00"),
    ],
)
def test_a_moment_is_shown_in_the_readers_zone_with_utc_on_hover(zone, shown):
    with timezone.override(zone):
        assert display.when(NINE) == (
            f'<time datetime="2025-03-03T09:00:00+00:00" title="3 Mar 2025, 09:00:00 UTC">{shown}</time>'
        )
        assert display.on_day(NINE).endswith(f">{shown.split(',')[0]}</time>")
        assert display.at_time(NINE).endswith(f">{shown.split(', ')[1]}</time>")


def test_a_day_is_the_same_day_for_everybody():
    with timezone.override("Pacific/Honolulu"):
        assert display.on_day(date(2025, 3, 3), "long") == '<time datetime="2025-03-03">3 March 2025</time>'


def test_no_moment_is_no_text():
    assert display.when(None) == ""
    assert display.on_day(None) == ""


def test_a_page_shows_times_in_the_readers_zone(version, sofia, max_, client):
    User.objects.filter(pk=sofia.pk).update(time_zone="Asia/Tokyo")
    pages = {}
    for user in (sofia, max_):
        client.force_login(User.objects.get(pk=user.pk))
        pages[user] = client.get(version.get_absolute_url()).content.decode()
    assert ">3 Mar 2025, 18:00</time>" in pages[sofia]
    assert ">3 Mar 2025, 10:00</time>" in pages[max_]
    exact = 'title="3 Mar 2025, 09:00:00 UTC; 3 Mar 2025, 10:00:00 Europe/Berlin"'
    assert all(exact in page for page in pages.values())


@pytest.mark.parametrize(
    ("span", "shown"),
    [
        (None, "no data"),
        (0, "0 s"),
        (45, "45 s"),
        (59.2, "1 min"),
        (timedelta(minutes=12), "12 min"),
        (3599, "1 h"),
        (3600, "1 h"),
        (6720, "1 h 52"),
        (4 * 3600, "4 h"),
        (4 * 3600 + 1, "4 h 01"),
        (100 * 3600, "100 h"),
        (100 * 3600 + 60, "101 h"),
        (-90, "−2 min"),
    ],
)
def test_a_span_reads_as_people_say_it(span, shown):
    assert display.duration(span).replace("\xa0", " ") == shown


@given(st.integers(1, 99 * 60), st.integers(0, 99 * 3600))
def test_a_span_reads_as_beyond_a_limit_exactly_when_it_is(limit_minutes, seconds):
    def minutes(text: str) -> float:
        number, unit, *rest = text.split("\xa0")
        return (
            int(number) / 60 if unit == "s" else int(number) if unit == "min" else int(number) * 60 + int([*rest, 0][0])
        )

    limit = limit_minutes * 60
    assert (minutes(display.duration(seconds)) > minutes(display.duration(limit))) == (seconds > limit)


@pytest.mark.parametrize(
    ("share", "target", "shown"),
    [
        (None, Fraction(95, 100), "no data"),
        (0, None, "0 %"),
        (1, None, "100 %"),
        (0.88, None, "88 %"),
        (Fraction(1, 3), None, "33 %"),
        (Fraction(1, 1000), None, "0.1 %"),
        (Fraction(9996, 10000), None, "99.96 %"),
        (Fraction(9497, 10000), Fraction(95, 100), "94.97 %"),
        (Fraction(9497, 10000), Fraction(90, 100), "95 %"),
        (0.95, 0.95, "95 %"),
        (Fraction(955, 1000), Fraction(95, 100), "96 %"),
    ],
)
def test_a_share_reads_on_its_own_side_of_the_target(share, target, shown):
    assert display.percent(share, target).replace("\xa0", " ") == shown


@given(st.integers(0, 500), st.integers(1, 500), st.integers(0, 100))
def test_a_share_never_seems_to_reach_a_target_that_it_misses(met, missed, target):
    share, goal = Fraction(met, met + missed), Fraction(target, 100)
    shown = Fraction(display.percent(share, goal).split("\xa0")[0]) / 100
    assert (shown >= goal) == (share >= goal)
    assert (shown == 0) == (share == 0)
    assert shown < 1


# --- Bars, states, tables ---------------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 10_000), min_size=4, max_size=4))
def test_the_parts_of_a_bar_lie_side_by_side_and_fill_it(counts):
    parts = display.bar(*counts)["parts"]
    assert [part.count for part in parts] == counts
    assert all(first.x + first.width == second.x for first, second in pairwise(parts) if sum(counts))
    assert sum(part.width for part in parts) == (1000 if sum(counts) else 0)


def test_a_bar_can_be_heard():
    assert 'aria-label="41 met, 6 missed, 1 open, 18 excluded"' in render_to_string(
        "partials/bar.html", display.bar(41, 6, 1, 18)
    )


def test_a_state_is_a_word_with_a_sign_and_not_a_colour_alone():
    assert len({symbol for _, symbol, _ in display.STATES.values()}) >= len(
        {tone for tone, _, _ in display.STATES.values()}
    )
    for word in display.STATES:
        chip = display.state(word)
        assert re.search(r">\w+</span>[A-Z]", chip)
    assert "&lt;b&gt;" in display.state("<b>")


class Names(django_tables2.Table):
    name = django_tables2.Column(attrs={"td": {"class": "main"}})
    calls = django_tables2.Column(orderable=False)


def table_page(count: int, query: str = "") -> str:
    request = RequestFactory().get(f"/{query}")
    table = Names([{"name": f"<Lead {index}>", "calls": index} for index in range(count)], empty_text="No leads.")
    django_tables2.RequestConfig(request, paginate={"per_page": 10}).configure(table)
    return table.as_html(request)


def test_an_empty_table_says_so():
    assert "No leads." in table_page(0)
    assert "<table" not in table_page(0)


def test_a_table_on_one_page_has_no_pages():
    page = table_page(10)
    assert page.count("<tr") == 11
    assert "Pages" not in page
    assert 'data-label="Calls"' in page
    assert "&lt;Lead 3&gt;" in page


def test_a_long_table_can_be_turned_and_sorted():
    page = table_page(25, "?page=2&sort=-name")
    assert "11–20 of 25" in page
    assert "sort=-name&amp;page=3" in page or "page=3&amp;sort=-name" in page
    assert 'aria-sort="descending"' in page
    assert re.search(r'href="[^"]*sort=name', page)
    assert page.count('aria-current="page"') == 1
