"""My leads: in the order in which they can still be kept, and one click logs a call."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.urls import reverse

from agreements import terms
from agreements.calendars import add_closure, closures_by_calendar
from leads import clocks, facts, owing, routing, soon, timekeeping, tracking, worklist
from leads.models import Attempt, Handoff
from tests.conftest import MONDAY, agree, make_calendar, make_commitment, receive
from tests.leads.conftest import clock_of, page, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("travel")]
HOUR = timedelta(hours=1)
BERLIN = ZoneInfo("Europe/Berlin")


def test_one_click_logs_a_call_without_answer_and_meets_the_clock(client, handoff, ron, travel):
    travel.move_to(MONDAY + HOUR)
    client.force_login(ron)
    back = reverse("my_leads") + "?q=ines&page=1"
    response = client.post(page(handoff, "no_answer"), {"next": back}, follow=True)
    attempt = Attempt.objects.get()
    assert (attempt.channel, attempt.direction, attempt.outcome) == ("call", "outbound", "no_answer")
    assert (attempt.by, attempt.at) == (ron, MONDAY + HOUR)
    assert (clock_of(handoff).state, clock_of(handoff).elapsed_seconds) == (clocks.MET, 3600)
    assert response.redirect_chain == [(back, 302)]
    assert "a call without an answer is logged. first_response met after 1 h." in text_of(response)


def test_the_click_leads_back_to_no_other_site(client, handoff, ron):
    client.force_login(ron)
    response = client.post(page(handoff, "no_answer"), {"next": "https://example.org/leads/"})
    assert response.url == page(handoff)


def test_my_leads_come_in_the_order_in_which_they_can_still_be_kept(client, version, ron, travel):
    days = {"overdue long": 5, "overdue": 3, "soon": 0, "today": 0, "held": 0, "called": 0}
    for name, ago in days.items():
        start = MONDAY - timedelta(days=ago) - (0 if name != "soon" else 3) * HOUR
        (handoff,) = receive(name, now=start, received_at=start, name=name)
        if name == "held":
            tracking.hold([handoff], reason="in December", by=ron, now=MONDAY)
        if name == "called":
            tracking.log_attempts([tracking.NewAttempt(lead=handoff.lead)], by=ron, now=MONDAY)
    soon = MONDAY + 3 * HOUR + timedelta(minutes=30)  # “soon” came before the office opened
    timekeeping.tick(now=soon - 3 * HOUR)
    travel.move_to(MONDAY + 2 * HOUR + timedelta(minutes=15))
    client.force_login(ron)
    response = client.get(reverse("my_leads"))
    rows = [(row.name, row.group.label, row.owed and row.owed.due.tone) for row in response.context["rows"]]
    assert rows == [
        ("soon", "Now", "warn"),
        ("overdue", "Now", "bad"),
        ("overdue long", "Now", "bad"),
        ("today", "Today", ""),
        ("called", "Later", None),
        ("held", "On hold", None),
    ]
    assert "6 open · 1 due within the hour · 2 overdue · 1 on hold" in text_of(response)


def berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


@pytest.mark.parametrize(
    ("promised", "closed", "received", "now", "shown"),
    [
        # 50 minutes of Friday and Monday, and 75
        ({}, "", "2025-02-28 13:40", "2025-02-28 16:50", ("now", "warn", "Mon 9:10")),
        ({}, "", "2025-02-28 13:40", "2025-02-28 16:25", ("later", "", "Mon 9:10")),
        ({}, "", "2025-02-28 13:44", "2025-03-03 02:00", ("now", "warn", "7 h 14")),  # at night
        ({}, "", "2025-02-28 15:44", "2025-03-03 02:00", ("today", "", "9 h 14")),
        ({}, "", "2025-04-30 13:40", "2025-04-30 16:50", ("now", "warn", "Fri 9:10")),  # the first of May
        ({}, "2025-03-03", "2025-02-28 13:40", "2025-02-28 16:50", ("now", "warn", "Tue 9:10")),
        ({"limit": "67.5", "unit": "hours"}, "", "2025-02-28 13:40", "2025-02-28 16:50", ("later", "", "Mon 9:10")),
        ({"limit": "4", "unit": "hours"}, "", "2025-02-28 13:40", "2025-02-28 16:50", ("now", "warn", "50 min")),
    ],
)
def test_a_list_goes_by_the_business_time_that_is_left(
    promised, closed, received, now, shown, client, draft, office, rita, max_, sofia, ron, travel
):
    type(office).objects.update(country="DE")
    draft.commitments.filter(kind="first_response").update(**promised)
    agree(draft, by=rita, marketing=max_, sales=sofia)
    if closed:
        day = datetime.fromisoformat(closed).date()
        add_closure(calendar=office, day=day, reason="Water pipe", by=rita, now=berlin("2025-01-02 10:00"))
    receive(now=berlin(received), received_at=berlin(received))
    travel.move_to(berlin(now))
    client.force_login(ron)
    response = client.get(reverse("my_leads"))
    (row,) = response.context["rows"]
    words = row.owed.due.words.replace("\N{NO-BREAK SPACE}", " ")
    assert (row.group, row.owed.due.tone, words) == shown
    assert ("1 due within the hour" in text_of(response)) == (shown[0] == "now")
    owed = client.get(page(Handoff.objects.get())).context["dossier"].owed
    assert (owed.due.tone, owed.due.words) == (row.owed.due.tone, row.owed.due.words)


def test_each_promise_of_a_list_goes_by_its_own_calendar(client, draft, rita, max_, sofia, ron, travel):
    early = make_calendar(name="Early", **dict.fromkeys(("monday", "friday"), "07:00-15:00"))
    make_commitment(draft, "acceptance", calendar=early)
    agree(draft, by=rita, marketing=max_, sales=sofia)
    begun = berlin("2025-02-28 13:40")
    for name in ("called", "new"):
        (handoff,) = receive(name, now=begun, received_at=begun, name=name, email=f"{name}@example.com")
        if name == "called":
            tracking.log_attempts([tracking.NewAttempt(lead=handoff.lead)], by=ron, now=begun + HOUR / 2)
    client.force_login(ron)
    for now, expected in (
        # Early, 2 h 40 are left until Monday 9:40; in the office, 50 minutes until 9:10.
        (
            "2025-02-28 16:50",
            [("new", "now", "warn", "First call"), ("called", "later", "", "Decide: accept or reject")],
        ),
        (
            "2025-03-03 08:35",
            [("new", "now", "warn", "First call"), ("called", "today", "", "Decide: accept or reject")],
        ),
        (
            "2025-03-03 08:45",
            [("new", "now", "warn", "First call"), ("called", "now", "warn", "Decide: accept or reject")],
        ),
    ):
        travel.move_to(berlin(now))
        rows = client.get(reverse("my_leads")).context["rows"]
        assert [(row.name, row.group, row.owed.due.tone, row.owed.words) for row in rows] == expected, now


def test_a_list_is_read_also_where_terms_cannot_be_read(client, handoff, ron, travel, monkeypatch):
    def spoiled(*_version: object) -> None:
        raise terms.Unreadable("spoiled")

    monkeypatch.setattr(timekeeping, "signed", spoiled)
    travel.move_to(MONDAY + 3.5 * HOUR)
    client.force_login(ron)
    (row,) = client.get(reverse("my_leads")).context["rows"]
    assert (row.group, row.owed.due.tone) == ("now", "warn")


def test_a_miss_that_no_tick_has_seen_yet_is_red_too(client, handoff, ron, travel):
    travel.move_to(MONDAY + 5 * HOUR)
    client.force_login(ron)
    (row,) = client.get(reverse("my_leads")).context["rows"]
    assert (row.group, row.owed.due.tone, row.owed.due.words) == (
        "now",
        "bad",
        "1\N{NO-BREAK SPACE}h\N{NO-BREAK SPACE}late",
    )


def test_a_former_owners_clock_is_not_owed_by_the_new_one(client, draft, rita, max_, sofia, ron, ruth, travel):
    draft.commitments.filter(kind="first_response").update(start="assigned")
    agree(draft, by=rita, marketing=max_, sales=sofia)
    (handoff,) = receive()
    handoff.refresh_from_db()
    routing.assign([(handoff, ruth)], why="holiday", by=rita, now=MONDAY + 24 * HOUR)
    travel.move_to(MONDAY + 25 * HOUR)
    client.force_login(ruth)
    (row,) = client.get(reverse("my_leads")).context["rows"]
    assert (row.group, row.owed.due.at) == ("today", MONDAY + 28 * HOUR)
    client.force_login(ron)
    assert client.get(reverse("my_leads")).context["rows"] == []


def test_the_next_of_several_attempts_is_counted(client, draft, rita, max_, sofia, ron):
    make_commitment(draft, "attempts", title="Five attempts")
    agree(draft, by=rita, marketing=max_, sales=sofia)
    (handoff,) = receive()
    client.force_login(ron)
    client.post(page(handoff, "no_answer"))
    (row,) = client.get(reverse("my_leads")).context["rows"]
    assert (row.owed.words, row.tried) == ("Second of five attempts", "1 attempt, no answer, 10:00")


def test_searching_finds_every_word_in_name_company_or_mail(client, version, ron):
    receive("A", name="Ines Albrecht", company="Nordhaus")
    receive("B", name="Ines Frey", company="Alpin Med", email="frey@alpin.example")
    client.force_login(ron)
    for query, found in (("ines", 2), ("ines nord", 1), ("FREY", 1), ("nobody", 0), ("", 2)):
        response = client.get(reverse("my_leads"), {"q": query})
        assert len(response.context["rows"]) == found, query
    assert "No open lead" not in text_of(response)


def test_a_search_that_no_database_takes_is_refused_with_a_sentence(client, version, ron):
    client.force_login(ron)
    response = client.get(reverse("my_leads"), {"q": "\0"})
    assert response.status_code == 400
    assert "Search: Null characters are not allowed." in text_of(response)


def test_a_long_list_goes_on_on_the_next_page_and_an_empty_one_says_so(client, version, ron, ruth):
    receive(*(f"L{number}" for number in range(60)))
    client.force_login(ron)
    first = client.get(reverse("my_leads"))
    second = client.get(reverse("my_leads"), {"page": 2})
    assert (len(first.context["rows"]), len(second.context["rows"])) == (25, 5)
    Handoff.objects.update(ended_at=MONDAY)
    assert "No open lead" in text_of(client.get(reverse("my_leads")))


def test_the_list_has_the_same_order_as_the_rules_for_each_lead(draft, rita, max_, sofia, ron, ruth):
    """The list is read as columns and put in order by numpy; `owing` says the same of one lead."""
    draft.commitments.filter(kind="first_response").update(start="assigned")
    make_commitment(draft, "acceptance", limit=70, unit="hours")
    make_commitment(draft, "attempts")
    make_commitment(draft, "contact_after_acceptance", calendar=make_calendar(name="Early", monday="07:00-11:30"))
    make_commitment(draft, "disposition", limit=5, unit="business days")
    version = agree(draft, by=rita, marketing=max_, sales=sofia)
    agreed = terms.of(version)
    for number in range(24):
        start = MONDAY - (number % 12) * HOUR * (number % 7) / 2
        (handoff,) = receive(f"L{number}", now=start, received_at=start, email=f"{number}@example.com")
        if number % 2:
            tracking.log_attempts([tracking.NewAttempt(lead=handoff.lead)], by=ron, now=start + HOUR)
        if number % 3 == 0:
            tracking.dispose([tracking.Decision(handoff, "accepted")], by=ron, now=start + HOUR)
        if number % 5 == 0:
            tracking.hold([handoff], reason="wait", by=ron, now=start + HOUR)
        if number % 4 == 0:
            handoff.refresh_from_db()
            other = ruth if handoff.owner == ron else ron
            routing.assign([(handoff, other)], why="holiday", by=rita, now=start + 2 * HOUR)
    seen = set()
    hours = (2, 3.5, 7, 16, 22, 6.5 + 96, 12 + 96, 22 + 144)
    for now in (MONDAY + one * HOUR for one in hours):
        timekeeping.tick(now=now)
        near = soon.of(agreed, timekeeping.promises_of(version, agreed), closures_by_calendar(), now=now)
        until = owing.midnight(now, BERLIN)
        for person in (ron, ruth):
            listed = worklist.listing(worklist.OF_A_PERSON, person.pk, now=now, zone=BERLIN)
            expected = []
            for handoff in worklist.of(person):
                owed = worklist.owed_clocks().filter(handoff=handoff).select_related("commitment")
                debts = [
                    owing.Debt(one.due_at, one.state == clocks.MISSED, one.commitment, near.get(one.commitment_id))
                    for one in owed
                ]
                debt = owing.first(debts, now=now)
                is_held = handoff.holds.filter(ended_at=None).exists()
                group = owing.group_of(debt, now=now, until=until, is_held=is_held)
                place = owing.place(group, debt, now=now)
                expected.append((place, handoff.pk, debt and (debt.due_at, debt.is_missed, debt.promise.kind)))
            found = [debt and (debt.due_at, debt.is_missed, debt.promise.kind) for debt in listed.debts()]
            assert list(zip(listed.pks.tolist(), found, strict=True)) == [
                (pk, debt) for _, pk, debt in sorted(expected, key=lambda one: one[:2])
            ]
            assert listed.groups.tolist() == sorted(place[0] for place, *_ in expected)
            seen |= set(listed.groups.tolist())
    assert len(seen) == len(owing.Group)  # every group came up


def test_three_leads_and_thirty_take_the_same_number_of_queries(client, version, ron, django_assert_max_num_queries):
    client.force_login(ron)
    receive("A", "B", "C")
    client.get(reverse("my_leads"))
    with django_assert_max_num_queries(11) as few:
        client.get(reverse("my_leads"))
    receive(*(f"L{n}" for n in range(27)))
    with django_assert_max_num_queries(len(few)):
        client.get(reverse("my_leads"))


def test_terms_that_the_evaluation_has_read_are_not_read_again(client, handoff, ron):
    before = timekeeping.read_once.cache_info().misses
    client.force_login(ron)
    client.get(reverse("my_leads"))
    assert timekeeping.read_once.cache_info().misses == before


def test_a_click_asks_for_no_more_than_it_needs(client, handoff, ron, django_assert_max_num_queries):
    """SQLite asks for each kind of fact by itself, PostgreSQL for all of them at once."""
    client.force_login(ron)
    with django_assert_max_num_queries(24 if facts.is_postgresql() else 34):
        client.post(page(handoff, "act", "call"), headers={"X-Row": "1"})


def test_a_name_is_shown_as_it_was_written(client, version, ron):
    receive(name='<b>"Ann"</b>', company="A & B", phone="1<2", email="'@x.example")
    client.force_login(ron)
    shown = client.get(reverse("my_leads")).content.decode()
    assert 'aria-label="&lt;b&gt;&quot;Ann&quot;&lt;/b&gt;"' in shown and "<b>" not in shown.partition("<main")[2]
    assert "A &amp; B" in shown and "1&lt;2" in shown and "&#x27;@x.example" in shown
