"""The list of handoffs, which is the evidence behind every number: it shows as many as the clocks say."""

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from django.urls import reverse

from leads import clocks, routing, timekeeping, tracking, views
from leads.models import Clock, Handoff
from tests.conftest import MONDAY, agree, receive
from tests.kept import kept
from tests.leads.conftest import clock_of, page, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("travel")]
HOUR = timedelta(hours=1)


@pytest.fixture
@kept
def month(draft, rita, max_, sofia, ron, ruth, sales) -> list[Handoff]:
    """March: twelve handoffs of both reps from several sources, some called in time, some late, some not."""
    agree(draft, by=rita, marketing=max_, sales=sofia)
    begun = []
    for number, (source, segment) in enumerate(product(("Webinar", "", "none"), ("SMB", "", "smb", "SMB"))):
        start = MONDAY + timedelta(days=number)
        begun += receive(f"L{number}", now=start, received_at=start, source=source, segment=segment,
                         email=f"p{number}@example.com", owner=(ron, ruth)[number % 2].email)  # fmt: skip
    for number, handoff in enumerate(begun):
        if number % 3:
            at = handoff.qualified_at + (1 if number % 3 == 1 else 40) * HOUR
            tracking.log_attempts([tracking.NewAttempt(lead=handoff.lead)], by=ron, now=at)
    # Ron's misses stay his when the lead goes to somebody else (N4).
    timekeeping.tick(now=MONDAY + timedelta(days=30))
    begun[0].refresh_from_db()
    routing.assign([(begun[0], ruth)], why="holiday", by=rita, now=MONDAY + timedelta(days=31))
    before = datetime(2024, 12, 31, tzinfo=UTC)
    receive("unmatched", now=before, received_at=before, name="", email="early@example.com")
    return begun


def shown(client, agreement_id: int, **parameters: object) -> int:
    response = client.get(reverse("handoffs"), {"agreement": agreement_id, **parameters})
    assert response.status_code == 200
    return response.context["shown"]


def test_the_list_shows_as_many_as_the_clocks_of_every_dimension(client, month, vera, sales):
    client.force_login(vera)
    agreement, commitment = month[0].agreement_id, clock_of(month[0]).commitment
    deciding = Clock.objects.deciding().filter(commitment=commitment)
    columns = {"source": "handoff__source", "segment": "handoff__segment", "rep": "charged_to__owner",
               "team": "charged_to__team", "rule": "rule"}  # fmt: skip
    counted = 0
    for state in Clock.State:
        given = {"period": "2025-03", "commitment": commitment.pk, "state": state.label}
        assert shown(client, agreement, **given) == deciding.filter(state=state).count()
        for name, column in columns.items():
            for value in deciding.order_by().values_list(column, flat=True).distinct():
                expected = deciding.filter(**{"state": state, column: value}).count()
                written = "none" if value is None else value
                assert shown(client, agreement, **given, **{name: written}) == expected, (state, name, value)
                counted += expected
    assert counted == len(columns) * len(month)


def test_the_list_shows_who_arrived_on_a_weekday_in_an_hour_or_in_a_week_of_the_agreement(client, month, vera):
    client.force_login(vera)
    zone = month[0].agreement.zone
    local = [handoff.qualified_at.astimezone(zone) for handoff in month]
    counted = 0
    for day in range(1, 8):
        expected = sum(moment.isoweekday() == day for moment in local)
        assert shown(client, month[0].agreement_id, weekday=day) == expected
        counted += expected
    for hour in range(24):
        assert shown(client, month[0].agreement_id, hour=hour) == sum(moment.hour == hour for moment in local)
    for week in {f"{moment.isocalendar()[0]}-W{moment.isocalendar()[1]:02}" for moment in local}:
        expected = sum(f"{year}-W{number:02}" == week for year, number, _ in (one.isocalendar() for one in local))
        assert shown(client, month[0].agreement_id, week=week) == expected
    assert counted == len(month)


def test_a_week_that_reaches_beyond_the_month_shows_its_days_within_it(client, month, vera):
    client.force_login(vera)
    within = client.get(
        reverse("handoffs"), {"agreement": month[0].agreement_id, "period": "2025-04", "week": "2025-W10"}
    )
    assert within.context["shown"] == 0


def test_the_hour_is_that_of_the_agreements_wall_clock_also_when_clocks_change(client, draft, rita, max_, sofia, vera):
    agree(draft, by=rita, marketing=max_, sales=sofia)
    # 30 March 2025, 02:00 in Berlin does not exist: 00:59 UTC is 01:59, 01:00 UTC is 03:00.
    for number, (hour, minute) in enumerate([(0, 59), (1, 0), (22, 0)]):
        moment = datetime(2025, 3, 30, hour, minute, tzinfo=UTC)
        receive(f"S{number}", now=moment, received_at=moment, email=f"s{number}@example.com")
    client.force_login(vera)
    agreement = draft.agreement_id
    assert [shown(client, agreement, hour=hour) for hour in (0, 1, 2, 3)] == [1, 1, 0, 1]
    assert [shown(client, agreement, weekday=day) for day in (7, 1)] == [2, 1]


def test_a_blank_source_is_asked_for_by_its_empty_parameter(client, month, vera):
    client.force_login(vera)
    agreement = month[0].agreement_id
    assert [shown(client, agreement, **asked) for asked in ({}, {"source": ""}, {"source": "none"})] == [12, 4, 4]
    assert shown(client, agreement, source="", segment="SMB") == 2


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({}, ["DACH inbound"]),
        (
            {"period": "2025-03", "state": "missed", "source": "Webinar"},
            ["DACH inbound", "March 2025", "missed", "Webinar"],
        ),
        ({"period": "2025-Q1", "segment": "", "rep": "none"}, ["DACH inbound", "Q1 2025", "no segment", "no rep"]),
        ({"outcome": "won", "version": "1", "q": "ines"}, ["DACH inbound", "version 1", "won", "“ines”"]),
        ({"unmatched": "1", "period": "2025-03"}, ["DACH inbound", "March 2025", "unmatched"]),
        ({"rule": "within_limit"}, ["DACH inbound", "it happened within the limit"]),
        (
            {"week": "2025-W10", "weekday": "1", "hour": "9"},
            ["DACH inbound", "Week 10, 3 Mar – 9 Mar 2025", "arrived on a Monday", "arrived from 9:00 to 9:59"],
        ),
    ],
)
def test_the_list_says_in_words_what_it_shows_and_each_word_can_be_left_out(client, month, vera, asked, words):
    client.force_login(vera)
    response = client.get(reverse("handoffs"), {"agreement": month[0].agreement_id, **asked})
    choices = response.context["filter"].choices()
    assert [choice.words for choice in choices] == words
    for choice in choices:
        left = client.get(reverse("handoffs") + choice.without).context["filter"].choices()
        assert [one.words for one in left] == [word for word in words if word != choice.words]


def test_evidence_shows_business_time_and_rule_and_leads_back_to_the_scorecard(client, month, vera):
    client.force_login(vera)
    commitment = clock_of(month[0]).commitment
    asked = {"agreement": month[0].agreement_id, "period": "2025-03", "commitment": commitment.pk, "state": "missed"}
    response = client.get(reverse("handoffs"), asked)
    assert response.context["scorecard"] == reverse("scorecard", args=[month[0].agreement_id, "2025-03"])
    assert "It happened after the limit was used up. C4" in text_of(response)
    assert page(next(one for one in month if clock_of(one).state == clocks.MISSED)) in response.content.decode()


def test_who_may_see_only_some_is_told_of_how_many(client, month, ron, mona, vera):
    # Ron sees the five that are his, and the one that Ruth has from him.
    for who, said in ((ron, "You may see 6 of 12."), (mona, None), (vera, None)):
        client.force_login(who)
        words = text_of(client.get(reverse("handoffs"), {"agreement": month[0].agreement_id}))
        assert ("You may see" in words) == bool(said)
        assert said is None or (said in words and "12 handoffs" in words)


def test_unmatched_leads_are_listed_by_the_period_in_which_they_came(client, month, ron, vera):
    client.force_login(vera)
    for period, count in (("2024-12", 1), ("2025-01", 0)):
        assert shown(client, month[0].agreement_id, unmatched="1", period=period) == count
    assert "early@example.com Nordhaus" in text_of(client.get(reverse("handoffs"), {"unmatched": "1"}))
    client.force_login(ron)
    response = client.get(reverse("handoffs"), {"unmatched": "1", "period": "2024-12"})
    assert "You may see 0 of 1." in text_of(response)


def test_outcomes_are_counted_whenever_they_came_and_not_when_taken_back(client, month, ron, vera):
    client.force_login(vera)
    for handoff in month[:3]:
        tracking.record_outcomes([tracking.NewOutcome(handoff, "meeting")], by=None, now=MONDAY + timedelta(days=90),
                                 from_system=True)  # fmt: skip
    month[0].outcomes.update(voided_at=MONDAY)
    asked = [shown(client, month[0].agreement_id, period="2025-03", outcome=kind) for kind in ("meeting", "won")]
    assert asked == [2, 0]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"period": "March"}, "“March” is not a period; write one such as 2024-03"),
        ({"agreement": "999"}, "Select a valid choice."),
        ({"agreement": "9" * 25}, "Select a valid choice."),
        ({"agreement": "9" * 5000}, "Select a valid choice."),
        ({"q": "\0"}, "Null characters are not allowed."),
        ({"commitment": "999"}, "Select a valid choice."),
        ({"state": "lost"}, "lost is not one of the available choices."),
        ({"rep": "nobody"}, "Select a valid choice."),
        ({"hour": "24"}, "24 is not one of the available choices."),
        ({"week": "next"}, "“next” is not a period"),
    ],
)
def test_an_address_that_makes_no_sense_shows_nothing_and_says_why(client, version, vera, asked, said):
    client.force_login(vera)
    response = client.get(reverse("handoffs"), asked)
    assert response.status_code == 400
    assert said in text_of(response)
    assert "table" not in response.context


def test_a_search_does_not_tell_whether_somebody_elses_lead_exists(client, month, ron, ruth):
    client.force_login(ron)
    (hers,) = (handoff for handoff in Handoff.objects.filter(owner=ruth)[:1])
    response = client.get(reverse("handoffs"), {"q": hers.lead.email})
    assert (response.context["shown"], response.context["total"]) == (0, 0)
    assert "You may see" not in text_of(response)


@pytest.mark.parametrize(
    ("asked", "rows", "number"),
    [
        ({}, 5, 1),
        ({"page": "3"}, 2, 3),
        ({"page": "999"}, 2, 3),
        ({"page": "first"}, 5, 1),
        ({"per_page": "-5"}, 5, 1),
        ({"per_page": "100000", "page": "2"}, 5, 2),
    ],
)
def test_an_address_chooses_the_page_but_not_its_size(client, month, vera, monkeypatch, asked, rows, number):
    monkeypatch.setattr(views, "TABLE_PAGE", 5)
    client.force_login(vera)
    table = client.get(reverse("handoffs"), asked).context["table"]
    assert (len(table.page.object_list), table.page.number) == (rows, number)


def test_an_empty_list_says_so(client, version, vera):
    client.force_login(vera)
    assert "No handoff is like that." in text_of(client.get(reverse("handoffs"), {"q": "nobody"}))
