"""What counted for me: a rep's month, each promise with its misses and why, and nobody else's (rules N1, N4, N9)."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from leads import exclusions, my_month, routing, timekeeping, tracking
from leads.models import Clock, ExclusionRequest
from leads.periods import parse
from tests.conftest import MONDAY, receive, triggers_off

pytestmark = pytest.mark.django_db
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MARCH = parse("2025-03")


def shown(user, month=MARCH, now=MONDAY + 3 * DAY) -> dict[str, dict[str, list[str]]]:
    """By promise and state the leads that are shown."""
    found = my_month.of(user, month, now=now, zone=MONDAY.tzinfo)
    return {
        one.promise.kind.code: {name: [str(item.handoff) for item in rows] for name, rows in one.groups}
        for one in found
    }


@pytest.fixture
def month(version, ron, ruth):
    """Ron called one of two in time; Ruth has one of her own; one of Ron's began in February."""
    called, _ = receive("A", "B", owner="Ron", name="Ada")
    receive("C", owner="Ruth", name="Cleo")
    receive("D", owner="Ron", name="Dora", received_at=MONDAY - 7 * DAY)
    tracking.log_attempts([tracking.NewAttempt(lead=called.lead)], by=ron, now=MONDAY + HOUR)
    timekeeping.tick(now=MONDAY + 3 * DAY)


def test_each_sees_what_is_counted_for_them_in_the_month_in_which_it_began(month, ron, ruth):
    assert shown(ron) == {"first_response": {"missed": ["Ada"], "met": ["Ada"]}}
    assert shown(ruth) == {"first_response": {"missed": ["Cleo"]}}
    assert shown(ron, parse("2025-02")) == {"first_response": {"missed": ["Dora"]}}
    assert shown(ron, parse("2025-01")) == {}


def test_terms_that_somebody_changed_behind_everybodys_back_break_no_page(month, client, version, ron, travel):
    with triggers_off():
        type(version).objects.filter(pk=version.pk).update(terms="{}")
    travel.move_to(MONDAY + 3 * DAY)
    client.force_login(ron)
    assert "Nothing was counted for you" in client.get(reverse("counted", args=["2025-03"])).content.decode()


def test_a_miss_stays_with_whoever_had_the_lead_when_it_was_due(month, ron, ruth, rita):
    handoff = Clock.objects.get(state=0, handoff__lead__name="Ada").handoff
    routing.assign([(handoff, ruth)], why="Ill", by=rita, now=MONDAY + 3 * DAY)
    assert shown(ron)["first_response"]["missed"] == ["Ada"]
    assert shown(ruth)["first_response"]["missed"] == ["Cleo"]


def test_the_page_says_why_and_takes_a_request_which_is_then_shown_with_its_decision(month, client, ron, rita, travel):
    travel.move_to(MONDAY + 3 * DAY)
    client.force_login(ron)
    clock = Clock.objects.get(state=0, handoff__lead__external_id="B")
    page = client.get(reverse("counted", args=["2025-03"])).content.decode()
    assert "Met 1 of 2" in page and "within 4\xa0h" in page and "Ask RevOps" in page
    response = client.post(reverse("ask_not_to_count", args=[clock.pk]), {"reason": "The phones were down"})
    assert response.url == reverse("counted", args=["2025-03"])
    request = ExclusionRequest.objects.get()
    assert "RevOps has not decided yet" in client.get(response.url).content.decode()
    exclusions.decide(request, granted=True, note="There was an outage", by=rita, now=MONDAY + 3 * DAY + HOUR)
    travel.move_to(MONDAY + 4 * DAY)
    page = client.get(response.url).content.decode()
    assert "Met 1 of 1" in page and "There was an outage" in page and "Ask RevOps" not in page


@pytest.mark.parametrize("reason", ["", "x" * 301])
def test_a_request_without_a_fitting_reason_writes_nothing_and_says_so(month, client, ron, travel, reason):
    travel.move_to(MONDAY + 3 * DAY)
    client.force_login(ron)
    clock = Clock.objects.get(state=0, handoff__lead__external_id="B")
    response = client.post(reverse("ask_not_to_count", args=[clock.pk]), {"reason": reason}, follow=True)
    assert [message.level_tag for message in response.context["messages"]] == ["error"]
    assert not ExclusionRequest.objects.exists()


def test_nobody_asks_about_what_is_counted_for_somebody_else(month, client, ruth, travel):
    travel.move_to(MONDAY + 3 * DAY)
    client.force_login(ruth)
    clock = Clock.objects.get(state=0, handoff__lead__external_id="B")
    assert client.post(reverse("ask_not_to_count", args=[clock.pk]), {"reason": "Not mine"}).status_code == 404


@pytest.mark.parametrize("key", ["2025-04", "2025-Q1", "rubbish", "2025-13"])
def test_only_months_that_have_begun_have_a_page(month, client, ron, travel, key):
    travel.move_to(MONDAY + 3 * DAY)
    client.force_login(ron)
    assert client.get(f"/leads/counted/{key}/").status_code == 404


def test_more_leads_take_no_more_queries(version, ron, client, travel):
    travel.move_to(MONDAY + HOUR)
    client.force_login(ron)
    counts = []
    for numbers in (range(2), range(2, 15)):
        receive(*(f"L{number}" for number in numbers), owner="Ron")
        with CaptureQueriesContext(connection) as queries:
            assert client.get(reverse("counted")).status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 20
