"""What a manager does with the team's work: reassign many, set somebody away, have somebody back; and its pages."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from leads import forms_team, handovers, tracking
from leads.models import Handoff
from slaportal import roles
from slaportal.models import Absence, Party, Team, User
from slaportal.refusal import Refused
from tests.conftest import MONDAY, make_user, receive
from tests.leads.conftest import page, text_of
from tests.leads.routed import at_once, make_away, make_rule, owners, works

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("travel")]
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TODAY = MONDAY.date()


def make_stranger(**fields) -> User:
    """A rep of a team that Mona does not manage."""
    other = Team.objects.create(name="Sales Nordics", party=Party.SALES)
    return make_user("rune@example.com", roles.REP, team=other, **fields)


def everything():
    return Handoff.objects.order_by("pk")


# --- Many ---------------------------------------------------------------------------------------------------------


def test_many_go_to_one_rep_as_far_as_the_cap_allows(version, mona, ron, ruth):
    handoffs = receive(*(f"L{number}" for number in range(5)), owner="Ron")
    receive("Own", owner="Ruth")
    tracking.dispose([tracking.Decision(handoffs[0], "recycled")], by=ron, now=MONDAY)
    User.objects.filter(pk=ruth.pk).update(most_open=3)
    ruth.refresh_from_db()
    done = handovers.reassign_many(everything(), to=ruth, why="Ron is ill", by=mona, now=MONDAY)
    assert done.in_words() == (
        "2 reassigned: 2 to Ruth. "
        "4 stayed where they were: 1 Ruth’s already, 2 beyond the cap of Ruth (3 open), 1 ended."
    )
    assert Handoff.objects.open().filter(owner=ruth).count() == 3


def test_many_go_to_the_next_by_the_rules(version, mona, ron, ruth, sales):
    rolf = make_user("rolf@example.com", roles.REP, team=sales)
    make_rule("All", team=sales)
    receive(*(f"L{number}" for number in range(4)), owner="Ron")
    done = handovers.reassign_many(everything(), to=None, why="Ron is ill", by=mona, now=MONDAY)
    assert done.in_words() == "4 reassigned: 2 to Rolf, 2 to Ruth."
    assert rolf.assignments.first().why == "Ron is ill: Rule “All”: next in turn of Sales DACH"


def test_where_nobody_is_left_they_wait_and_the_answer_says_so(version, mona, ron):
    receive("A", "B", owner="Ron")
    done = handovers.reassign_many(everything(), to=None, why="x", by=mona, now=MONDAY)
    assert done.in_words() == "0 reassigned. 2 wait in the queue of Sales DACH."
    again = handovers.reassign_many(everything(), to=None, why="x", by=mona, now=MONDAY)
    assert again.in_words() == "0 reassigned. 2 stayed where they were: 2 waiting on, because nobody is free."


def test_another_teams_rep_gets_nothing_and_one_who_is_away_is_refused(version, mona, ron, ruth):
    receive("A", owner="Ron")
    done = handovers.reassign_many(everything(), to=make_stranger(), why="x", by=mona, now=MONDAY)
    assert done.refused == {"of another team than Rune": 1}
    make_away(ruth, 0, 2)
    with pytest.raises(Refused, match="Ruth is not free: away until 5 Mar"):
        handovers.reassign_many(everything(), to=ruth, why="x", by=mona, now=MONDAY)
    with pytest.raises(Refused, match="Say why"):
        handovers.reassign_many(everything(), to=ron, why=" ", by=mona, now=MONDAY)


# --- One ----------------------------------------------------------------------------------------------------------


def give(handoff: Handoff, to: User | None, by: User) -> str:
    """Give one away; who has it then, or the team in whose queue it waits."""
    row = handovers.reassign_one(handoff, to=to, why="asked for", by=by, now=MONDAY)
    return str(row.owner or row.team)


def test_one_is_given_to_somebody_who_is_free_and_the_cap_holds(version, mona, ron, ruth):
    first, second = receive("A", "B", owner="Ron")
    User.objects.filter(pk=ruth.pk).update(most_open=1)
    assert give(first, ruth, mona) == "Ruth"
    with pytest.raises(Refused, match=r"^Ruth has 1 of 1 open\.$"):
        give(second, ruth, mona)
    with pytest.raises(Refused, match=r"^Ruth has 1 of 1 open\.$"):
        handovers.reassign_many([second], to=ruth, why="x", by=mona, now=MONDAY)
    make_away(ruth, 0, 2)
    with pytest.raises(Refused, match="Ruth is not free: away until 5 Mar"):
        give(second, ruth, mona)
    assert owners() == ["Ruth", "Ron"]


def test_one_that_stays_is_refused_and_says_why(version, mona, ron, ruth):
    (handoff,) = receive(owner="Ron")
    with pytest.raises(Refused, match="Ines Albrecht stays where it is: Ron’s already"):
        give(handoff, ron, mona)
    with pytest.raises(Refused, match="stays where it is: of another team than Rune"):
        give(handoff, make_stranger(), mona)
    make_away(ruth)
    assert give(handoff, None, mona) == "Sales DACH"
    with pytest.raises(Refused, match="stays where it is: waiting on, because nobody is free"):
        give(handoff, None, mona)
    tracking.dispose([tracking.Decision(handoff, "recycled")], by=None, now=MONDAY)
    with pytest.raises(Refused, match="stays where it is: ended"):
        give(handoff, ron, mona)


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_of_two_managers_who_fill_the_last_place_at_once_one_gets_a_sentence(version, mona, ron, ruth):
    handoffs = receive("A", "B", owner="Ron")
    User.objects.filter(pk=ruth.pk).update(most_open=1)
    ruth.refresh_from_db()
    (refusal,) = at_once(*(lambda handoff=handoff: give(handoff, ruth, mona) for handoff in handoffs))
    assert (type(refusal), str(refusal)) == (Refused, "Ruth has 1 of 1 open.")
    assert Handoff.objects.filter(owner=ruth).count() == 1


def test_the_page_of_a_handoff_says_who_got_it_that_nobody_is_free_or_why_not(client, handoff, mona, ron, ruth):
    client.force_login(mona)

    def said(owner: User | None) -> str:
        given = {"owner": owner.pk if owner else "", "why": "Ron is ill"}
        return text_of(client.post(page(handoff, "assign"), given, follow=True))

    assert "Given to Ruth." in said(ruth)
    waits = "Nobody is free: it waits in the queue of Sales DACH."
    assert waits in said(None)
    assert owners() == [""]
    stays = "Ines Albrecht stays where it is: waiting on, because nobody is free."
    assert stays in said(None)


def test_who_was_filled_while_the_page_was_open_is_refused_with_the_sentence(client, handoff, mona, ruth, monkeypatch):
    receive("B", owner="Ruth")
    User.objects.filter(pk=ruth.pk).update(most_open=1)

    def offer_still(field: forms_team.RepField, members: list) -> None:
        field.members = {row.key: row for row in members}
        field.queryset = User.objects.filter(pk__in=field.members)

    monkeypatch.setattr(forms_team.RepField, "offer", offer_still)
    client.force_login(mona)
    response = client.post(page(handoff, "assign"), {"owner": ruth.pk, "why": "x"})
    assert response.status_code == 422 and "Ruth has 1 of 1 open." in text_of(response)


# --- The page of many ---------------------------------------------------------------------------------------------


def post(client, url: str, *args: int, **data):
    return client.post(reverse(url, args=args), data, follow=True)


def test_a_manager_chooses_in_the_list(client, version, mona, ron, ruth):
    first, second, third = receive("A", "B", "C", owner="Ron")
    tracking.dispose([tracking.Decision(third, "recycled")], by=ron, now=MONDAY)
    client.force_login(mona)
    shown = client.get(reverse("handoffs")).content.decode()
    assert shown.count('type="checkbox"') == 2
    back = reverse("handoffs") + "?q=ines"
    response = post(client, "reassign", handoff=[first.pk, second.pk], owner=ruth.pk, why="Ron is ill", next=back)
    assert response.redirect_chain == [(back, 302)]
    assert "2 reassigned: 2 to Ruth." in text_of(response)
    assert "Choose handoffs first." in text_of(post(client, "reassign", owner=ruth.pk, why="x"))
    assert "Why: This field is required." in text_of(post(client, "reassign", handoff=[first.pk], owner=ruth.pk))
    assert owners() == ["Ruth", "Ruth", "Ron"]


def test_what_a_manager_does_not_see_is_not_moved_and_others_cannot_move_anything(client, version, mona, ron, ruth):
    (hidden,) = receive("A", owner=make_stranger().email)
    client.force_login(mona)
    assert "0 reassigned." in text_of(post(client, "reassign", handoff=[hidden.pk], owner=ruth.pk, why="x"))
    assert owners() == ["Rune"]
    client.force_login(ron)
    for name, args in (("reassign", []), ("set_away", []), ("team", [])):
        assert client.post(reverse(name, args=args)).status_code in (403, 405)
    assert client.get(reverse("team")).status_code == 403
    assert 'type="checkbox"' not in client.get(reverse("handoffs")).content.decode()
    client.force_login(mona)
    assert client.get(reverse("reassign")).status_code == 405


def test_the_list_asks_as_much_for_ten_as_for_a_hundred(client, version, mona, ron):
    client.force_login(mona)
    counts = []
    for size in (10, 90):
        receive(*(f"L{size}-{number}" for number in range(size)), owner="Ron")
        with CaptureQueriesContext(connection) as queries:
            client.get(reverse("handoffs"))
        counts.append(len(queries))
    assert counts[0] == counts[1]


# --- Away ---------------------------------------------------------------------------------------------------------


def test_somebody_goes_away_and_the_open_ones_go_to_others(version, mona, ron, ruth):
    receive("A", "B", owner="Ron")
    absence, done = handovers.set_away(
        ron, first_day=TODAY, last_day=TODAY + 2 * DAY, note=" flu ", hand_over=True, by=mona, now=MONDAY
    )
    assert (str(absence), absence.note) == ("Ron away 3 Mar to 5 Mar 2025", "flu")
    assert done.in_words() == "2 reassigned: 2 to Ruth."
    assert receive("C") and owners() == ["Ruth"] * 3


def test_somebody_goes_away_and_keeps_them(version, mona, ron, ruth):
    receive("A", owner="Ron")
    _, done = handovers.set_away(ron, first_day=TODAY, last_day=TODAY, note="", hand_over=False, by=mona, now=MONDAY)
    assert (done, owners()) == (None, ["Ron"])


@pytest.mark.parametrize(
    ("first", "last", "sentence"),
    [
        (2, 1, "comes before the first"),
        (-3, -1, "2 March 2025 is over"),
        (3, 9, "Ron away 5 Mar to 7 Mar 2025 already"),
    ],
)
def test_days_that_cannot_be_are_refused(mona, ron, first, last, sentence):
    make_away(ron, 2, 4)
    days = {"first_day": TODAY + first * DAY, "last_day": TODAY + last * DAY}
    with pytest.raises(Refused, match=sentence):
        handovers.set_away(ron, **days, note="", hand_over=False, by=mona, now=MONDAY)


def test_nobody_sets_people_of_other_teams_away(mona, ron, rita):
    rune, days = make_stranger(), {"first_day": TODAY, "last_day": TODAY, "note": "", "hand_over": False}
    for person, by in ((rune, mona), (ron, ron)):
        with pytest.raises(Refused, match="is in none of your teams"):
            handovers.set_away(person, **days, by=by, now=MONDAY)
    handovers.set_away(rune, **days, by=rita, now=MONDAY)  # RevOps has all of sales
    with pytest.raises(Refused, match="is in none of your teams"):
        handovers.end_absence(rune.absences.get(), by=mona, now=MONDAY)


@pytest.mark.parametrize(("days", "left"), [((-2, 3), (-2, -1)), ((0, 3), None), ((2, 3), None)])
def test_back_from_today_on(mona, ron, days, left):
    absence = make_away(ron, *days)
    handovers.end_absence(absence, by=mona, now=MONDAY)
    found = Absence.objects.first()
    assert left == (found and tuple((day - TODAY).days for day in (found.first_day, found.last_day)))


def test_an_absence_that_is_over_or_gone_cannot_be_ended(mona, ron):
    with pytest.raises(Refused, match="Ron has been back since 3 Mar 2025"):
        handovers.end_absence(make_away(ron, -2, -1), by=mona, now=MONDAY)
    absence = make_away(ron, 0, 1)
    handovers.end_absence(absence, by=mona, now=MONDAY)
    with pytest.raises(Refused, match="was ended already"):
        handovers.end_absence(absence, by=mona, now=MONDAY)


# --- The page of a team -------------------------------------------------------------------------------------------


def test_the_page_says_who_has_how_much_who_is_there_and_what_waits(client, version, mona, ron, ruth, sales):
    User.objects.filter(pk=ruth.pk).update(most_open=1)
    works(ron, monday="14:00-18:00")
    receive("A", "B", "C")
    make_away(ron, 1, 2, note="fair")
    rolf = make_user("rolf@example.com", roles.REP, team=sales)
    make_away(rolf, -1, 0)
    client.force_login(mona)
    said = text_of(client.get(reverse("team_people")))
    assert "Sales DACH 1 of 3 free" in said
    assert "Ron 2 none bedtime Not at work 4 Mar – 5 Mar 2025 fair" in said
    assert "Rolf 0 none flight Away 2 Mar – 3 Mar 2025" in said
    assert "Ruth 1 1 block Full" in said
    assert "Nothing waits in the queue" in said


def test_a_manager_sets_somebody_away_there_and_has_them_back(client, version, mona, ron, ruth):
    receive("A", owner="Ron")
    client.force_login(mona)
    given = {"person": ron.pk, "first_day": "2025-03-03", "last_day": "2025-03-05", "hand_over": "yes"}
    response = client.post(reverse("set_away"), given | {"last_day": "2025-03-01"})
    assert response.status_code == 422 and "This comes before the first day." in text_of(response)
    response = post(client, "set_away", **given)
    assert "Ron away 3 Mar to 5 Mar 2025. 1 reassigned: 1 to Ruth." in text_of(response)
    assert client.post(reverse("set_away"), given).status_code == 422
    assert "Ron is not away any more." in text_of(post(client, "end_absence", Absence.objects.get().pk))
    assert not Absence.objects.exists()
    assert client.post(reverse("end_absence", args=[make_away(make_stranger()).pk])).status_code == 404


def test_the_page_of_who_manages_nobody_says_so_and_asks_as_much_for_one_as_for_thirty(client, db, mona, sales):
    client.force_login(make_user("new@example.com", roles.SALES_MANAGER))
    assert "You manage no team" in text_of(client.get(reverse("team_people")))
    client.force_login(mona)
    assert "No reps" in text_of(client.get(reverse("team_people")))
    counts = []
    for number in range(2):
        for one in range(1 + 30 * number):
            make_away(make_user(f"r{number}-{one}@example.com", roles.REP, team=sales))
        with CaptureQueriesContext(connection) as queries:
            client.get(reverse("team_people"))
        counts.append(len(queries))
    assert counts[0] == counts[1]


# --- The queue in the rep's list, and the handoff's page ----------------------------------------------------------


@pytest.fixture
def queued(version, mona, ron, ruth) -> Handoff:
    """One that waits while both are away; Ron is back by now."""
    absences = [make_away(ron), make_away(ruth)]
    (handoff,) = receive()
    absences[0].delete()
    handoff.refresh_from_db()
    return handoff


def test_reps_see_their_teams_queue_and_take_from_it(client, queued, ron):
    client.force_login(ron)
    said = text_of(client.get(reverse("my_leads")))
    assert "In the queue of Sales DACH: 1" in said and "No open lead" in said
    response = client.post(page(queued, "take"), {"next": reverse("my_leads")}, follow=True)
    assert "Ines Albrecht is yours now." in text_of(response) and "In the queue" not in text_of(response)
    assert "is yours already" in text_of(client.post(page(queued, "take"), follow=True))


def test_a_rep_opens_what_waits_and_takes_it_before_working_it(client, queued, ron):
    client.force_login(ron)
    response = client.get(page(queued))
    assert [form.name for form in response.context["acts"]] == ["take"]
    assert "in the queue of Sales DACH" in text_of(response)
    for name in ("no_answer", "log_attempt", "accept"):
        assert client.post(page(queued, name), {}).status_code in (403, 404)
    client.post(page(queued, "take"))
    assert "log_attempt" in [form.name for form in client.get(page(queued)).context["acts"]]


def test_other_teams_do_not_see_what_waits(client, queued):
    client.force_login(make_stranger())
    assert client.get(page(queued)).status_code == 404
    assert client.post(page(queued, "take")).status_code == 404
    assert "In the queue" not in text_of(client.get(reverse("my_leads")))


def test_a_long_queue_shows_the_first_and_how_many_more(client, version, mona, ron, ruth):
    absences = [make_away(ron), make_away(ruth)]
    receive(*(f"L{number}" for number in range(13)))
    absences[0].delete()
    client.force_login(ron)
    with CaptureQueriesContext(connection) as queries:
        said = text_of(client.get(reverse("my_leads")))
    assert "In the queue of Sales DACH: 13" in said and "3 more wait" in said
    assert len(queries) < 32
    assert client.get(reverse("handoffs"), {"rep": "none"}).context["shown"] == 13


def test_only_people_who_are_free_are_offered_and_the_form_says_why_others_are_not(client, handoff, mona, ruth, sales):
    make_away(ruth, 0, 2)
    rolf = make_user("rolf@example.com", roles.REP, team=sales, most_open=4)
    make_user("ada@example.com", roles.REP, team=sales, name="<b>Ada</b>", most_open=0)
    client.force_login(mona)
    response = client.get(page(handoff))
    field = {form.name: form for form in response.context["acts"]}["assign"].fields["owner"]
    assert [str(label) for _, label in field.choices] == ["The next by the rules", "Rolf (0 of 4 open)"]
    assert "Not free: &lt;b&gt;Ada&lt;/b&gt; (0 of 0 open), Ruth (away until 5 Mar)." in response.content.decode()
    assert client.post(page(handoff, "assign"), {"owner": ruth.pk, "why": "x"}).status_code == 422
    client.post(page(handoff, "assign"), {"owner": "", "why": "Ron is ill"})
    handoff.refresh_from_db()
    assert handoff.owner == rolf
