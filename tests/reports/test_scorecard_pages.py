"""The pages: who may open them, what they say first, and how they keep what they computed."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from agreements.models import Agreement
from leads.models import Handoff, Lead
from reports import scorecards
from reports.models import Scorecard
from tests.conftest import make_user
from tests.reports.conftest import (
    EXCLUDED,
    MARCH,
    MET,
    MISSED,
    NOW,
    OPEN,
    make_clock,
    make_handoff,
    make_lead,
    make_outcome,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fifth_of_may(time_machine):
    """It is 5 May 2025."""
    time_machine.move_to(NOW, tick=False)


def page_of(agreement: Agreement, key: str = "2025-03") -> str:
    return reverse("scorecard", args=[agreement.pk, key])


def words(response) -> str:
    """The visible text of the page, with plain spaces."""
    body = response.content.decode().replace("\xa0", " ")
    body = re.sub(r"(?s)<(script|title)[^>]*>.*?</\1>", " ", body)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", body))


@pytest.fixture
def history(version, response, volume, ron):
    for state, number in ((MET, 22), (MISSED, 3), (OPEN, 1), (EXCLUDED, 2)):
        for _ in range(number):
            handoff = make_handoff(version, ron)
            make_clock(handoff, volume, MET, rule="delivered")
            make_clock(handoff, response, state, rule="below_definition", elapsed_seconds=5400, stopped_at=NOW)
    make_lead(state=Lead.State.UNMATCHED)
    return version.agreement


@pytest.mark.parametrize(
    ("who", "status"), [("vera", 200), ("mona", 200), ("max_", 200), ("sofia", 200), ("rita", 200), ("ron", 403)]
)
def test_whoever_watches_a_side_may_open_the_scorecards_and_a_rep_may_not(client, request, history, who, status):
    client.force_login(request.getfixturevalue(who))

    assert client.get(reverse("scorecards")).status_code == status
    assert client.get(page_of(history)).status_code == status
    assert client.post(reverse("compute_scorecard", args=[history.pk, "2025-03"])).status_code in (302, status)


def test_without_a_login_there_is_only_the_login_page(client, history):
    assert client.get(page_of(history)).url.startswith(reverse("login"))


def test_the_page_says_in_words_who_kept_what(client, vera, history):
    client.force_login(vera)

    text = words(client.get(page_of(history)))

    assert "DACH inbound" in text
    assert "version 1, signed 3 Mar 2025, applied to history from 1 Jan 2025" in text
    assert "live · computed now" in text
    assert (
        "Marketing kept 0 of 1 promise (no data for 1). Sales kept 0 of 1 promise. Furthest below its target: volume "
        "reached 28 against 50. Nearest to its target: first_response reached 88 % against 95 %." in text
    )
    assert "22 met + 3 missed + 1 open + 2 excluded = 28" in text
    assert "excluded: 2 below definition" in text
    assert "median 1 h 32 · p90 1 h 32 (±1.5 %) · 0 not stopped" in text
    assert "before 50 %" in text
    assert "beside them: leads that no agreement covers" in text


def test_an_undecided_promise_is_not_counted_as_broken(client, vera, history, version, volume):
    make_clock(make_handoff(version, qualified_at=NOW), volume, MET)
    client.force_login(vera)

    text = words(client.get(page_of(history, "2025-05")))

    assert "still running · computed now" in text
    assert "So far in May 2025: Marketing has no verdict yet. Sales has no verdict yet." in text


def test_a_period_without_a_version_and_one_without_handoffs_say_so(client, vera, version):
    client.force_login(vera)

    assert "Nothing was promised in this period" in words(client.get(page_of(version.agreement, "2024-11")))
    empty = words(client.get(page_of(version.agreement, "2025-02")))
    assert "No lead was handed over in February 2025." in empty
    assert "No handoff in this period" in empty


@pytest.mark.parametrize("key", ["2025-06", "2025-13", "spring", "2025-Q3"])
def test_a_period_that_is_none_or_has_not_begun_is_not_found(client, vera, history, key):
    client.force_login(vera)

    assert client.get(page_of(history, key)).status_code == 404
    assert client.post(reverse("compute_scorecard", args=[history.pk, key])).status_code == 404
    assert not Scorecard.objects.exists()


@pytest.mark.parametrize(
    ("key", "previous", "following"),
    [
        ("2025-03", "2025-02", "2025-04"),
        ("2025-W10", "2025-W09", "2025-W11"),
        ("2025-03-01..2025-03-10", "2025-02-19..2025-02-28", "2025-03-11..2025-03-20"),
        ("2025-05", "2025-04", None),
        ("2025-Q2", "2025-Q1", None),
    ],
)
def test_one_steps_from_period_to_period_up_to_the_running_one(client, vera, history, key, previous, following):
    client.force_login(vera)

    body = client.get(page_of(history, key)).content.decode()

    stepper = re.search(r'(?s)<nav class="stepper".*?</nav>', body)[0]
    assert re.findall(r'href="([^"]+)"', stepper) == [page_of(history, to) for to in (previous, following) if to]


@pytest.mark.parametrize(
    ("key", "units"),
    [
        ("2025-Q1", ["2025-03", "2025-Q1", "2025-W14"]),
        ("2025-Q2", ["2025-05", "2025-Q2", "2025-W19"]),  # the quarter runs: what holds today
    ],
)
def test_another_unit_leads_to_the_last_part_of_the_period_that_has_begun(client, vera, history, key, units):
    client.force_login(vera)

    body = client.get(page_of(history, key)).content.decode()

    choice = re.search(r'(?s)<div class="choice".*?</div>', body)[0]
    assert re.findall(r'href="([^"]+)"', choice) == [page_of(history, unit) for unit in units]


def test_other_days_are_chosen_with_a_form_and_mistakes_are_explained(client, vera, history):
    client.force_login(vera)
    address = reverse("choose_period", args=[history.pk])

    chosen = client.get(address, {"from": "2025-03-01", "to": "2025-03-10"})
    mistaken = client.get(address, {"from": "2025-03-10", "to": "2025-03-01"}, follow=True)

    assert chosen.url == page_of(history, "2025-03-01..2025-03-10")
    assert client.get(address).url == page_of(history, "2025-05")
    assert mistaken.redirect_chain[-1][0] == page_of(history, "2025-05")
    assert "before it begins on 2025-03-10" in words(mistaken)


def test_the_page_shows_what_is_stored_says_how_old_it_is_and_computes_on_demand(client, vera, history, time_machine):
    client.force_login(vera)
    client.get(page_of(history))
    make_lead(state=Lead.State.UNMATCHED)
    time_machine.move_to(NOW + timedelta(minutes=2), tick=False)

    before = client.get(page_of(history))
    after = client.post(reverse("compute_scorecard", args=[history.pk, "2025-03"]), follow=True)

    assert "computed 2 minutes ago" in words(before)
    assert "1beside them: leads that no agreement covers" in words(before)
    assert "computed now" in words(after)
    assert "2beside them: leads that no agreement covers" in words(after)
    assert client.get(reverse("compute_scorecard", args=[history.pk, "2025-03"])).status_code == 405


def test_chosen_days_are_computed_for_the_page_alone(client, vera, history):
    client.force_login(vera)
    days = "2025-03-01..2025-03-20"

    shown = client.get(page_of(history, days))
    asked = client.post(reverse("compute_scorecard", args=[history.pk, days]))

    assert "computed just now" in words(shown) and "Compute now" not in words(shown)
    assert asked.url == page_of(history, days)
    assert not Scorecard.objects.exists()


def test_the_pipeline_leads_to_the_handoffs_that_became_opportunities(client, vera, history):
    client.force_login(vera)
    nothing = client.get(page_of(history, "2025-03-01..2025-03-20"))
    make_outcome(Handoff.objects.first(), "opportunity", amount=1200)

    body = client.get(page_of(history, "2025-03-01..2025-03-20")).content.decode()

    address = unescape(re.search(r'href="([^"]+)">1,200</a><small>pipeline', body)[1])
    assert "0<small>pipeline" in nothing.content.decode()
    assert client.get(address).context["shown"] == 1


@pytest.mark.parametrize(
    ("by", "value"),
    [("source", "Webinar"), ("campaign", "without a campaign"), ("segment", "Mid-market"), ("team", "Sales DACH"),
     ("rep", "Ron"), ("weekday", "Wednesday"), ("hour", "11:00–12:00"), ("week", "W11")],
)  # fmt: skip
def test_each_break_down_is_one_click_away(client, vera, history, by, value):
    client.force_login(vera)

    body = client.get(page_of(history), {"by": by}).content.decode()

    table = body[body.index('<section class="card flush" id="by">') :]
    assert re.findall(r'href="\?by=(\w+)#by" aria-current="true"', table) == [by]
    assert re.search(rf"<th scope=[^>]*>\s*(<[^>]+>)?{value}", table)


def test_an_unknown_break_down_shows_the_first_one(client, vera, history):
    client.force_login(vera)

    body = client.get(page_of(history), {"by": "colour"}).content.decode()

    assert re.findall(r'href="\?by=(\w+)#by" aria-current="true"', body) == ["source"]


def test_a_manager_is_told_that_the_lists_hold_only_their_own_teams(client, mona, vera, history):
    client.force_login(mona)
    assert "the handoffs of your own teams" in words(client.get(page_of(history)))
    client.force_login(vera)
    assert "the handoffs of your own teams" not in words(client.get(page_of(history)))


def test_names_from_a_crm_are_text_and_never_markup(client, vera, version, response):
    make_clock(make_handoff(version, source="<b>Fair & more</b>"), response, MET)
    client.force_login(vera)

    body = client.get(page_of(version.agreement)).content.decode()

    assert "&lt;b&gt;Fair &amp; more&lt;/b&gt;" in body
    assert "source=%3Cb%3EFair+%26+more%3C%2Fb%3E" in body


def test_the_page_needs_no_inline_style_or_script(client, vera, history):
    client.force_login(vera)

    body = client.get(page_of(history)).content.decode()

    assert not re.search(r"<[^>]+\s(style|on\w+)=", body)
    assert not re.search(r"<script(?![^>]*\ssrc=)", body)


def test_a_drawn_page_takes_the_same_few_queries_however_many_reps_there_are(client, vera, history, version, response):
    client.force_login(vera)
    client.get(page_of(history), {"by": "rep"})
    with CaptureQueriesContext(connection) as few:
        client.get(page_of(history), {"by": "rep"})
    for number in range(30):
        make_clock(make_handoff(version, make_user(f"rep{number}@example.com", team=None)), response, MET)
    scorecards.store(history, MARCH, now=NOW + timedelta(minutes=1))
    assert "Rep29" in words(client.get(page_of(history), {"by": "rep"}))
    with CaptureQueriesContext(connection) as many:
        client.get(page_of(history), {"by": "rep"})

    assert len(many) == len(few) <= 12
    assert not any('"data"' in query["sql"] for query in many)  # its figures are not even read


def test_the_list_shows_the_running_and_the_last_month_of_each_agreement(client, vera, history, version, response):
    make_clock(make_handoff(version, qualified_at=NOW), response, MET)
    client.force_login(vera)

    text = words(client.get(reverse("scorecards")))

    assert "May 2025 1 handoff " in text
    assert "Sales 1 of 1" in text
    assert "April 2025 no handoffs" in text
    assert "latest handoffs" not in text


def test_the_list_leads_to_the_latest_month_with_handoffs_where_that_is_long_ago(client, vera, history):
    client.force_login(vera)

    body = client.get(reverse("scorecards")).content.decode()

    assert f'latest handoffs: <a href="{page_of(history)}">March 2025</a>' in body


def test_an_agreement_that_nobody_signed_has_no_months(client, vera, draft):
    client.force_login(vera)

    text = words(client.get(reverse("scorecards")))

    assert "no version is signed by both sides yet" in text
    assert not Scorecard.objects.exists()


def test_an_empty_list_says_how_a_scorecard_begins(client, vera):
    client.force_login(vera)

    assert "A scorecard begins when both sides have signed" in words(client.get(reverse("scorecards")))


def test_the_list_takes_the_same_queries_for_any_number_of_agreements(client, vera, version, marketing, sales):
    client.force_login(vera)
    client.get(reverse("scorecards"))
    with CaptureQueriesContext(connection) as few:
        client.get(reverse("scorecards"))
    for number in range(5):
        other = Agreement.objects.create(name=f"Other {number}", marketing_team=marketing, sales_team=sales)
        make_handoff(version, agreement=other)
    client.get(reverse("scorecards"))
    with CaptureQueriesContext(connection) as many:
        client.get(reverse("scorecards"))

    assert len(many) == len(few) <= 10
