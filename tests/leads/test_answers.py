"""Misses are answered in one line, by who had the handoff, the manager or RevOps, and marketing's by marketing; the
others are counted."""

from datetime import timedelta
from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from leads import answers, disputes, forms, routing, ticking, tracking
from leads.models import Answer, Attempt, Clock, Handoff, Lead
from leads.periods import parse
from reports import scorecards
from slaportal import roles
from slaportal.models import Party, Team, User
from slaportal.refusal import Refused
from tests.conftest import MONDAY, agree, make_commitment, make_user, receive
from tests.leads.conftest import page, text_of

pytestmark = pytest.mark.django_db

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LATER = MONDAY + 6 * HOUR


@pytest.fixture
def missed(version, mona, ron) -> Handoff:
    """A handoff of Ron's to which nobody responded within four hours."""
    (handoff,) = receive("A")
    ticking.tick(now=LATER)
    return later(handoff)


def later(handoff: Handoff) -> Handoff:
    return Handoff.objects.get(pk=handoff.pk)


@pytest.fixture
def response(version):
    return version.commitments.get(kind="first_response")


def clock_of(handoff: Handoff, kind: str = "first_response") -> Clock:
    return Clock.objects.get(handoff=handoff, commitment__kind=kind)


def say(clock: Clock, by: User, cause="On a train", action="Calls tomorrow at nine") -> Answer:
    return answers.answer(clock, cause=cause, action=action, by=by, now=LATER)


@pytest.mark.parametrize("who", ["ron", "mona", "rita"])
def test_the_owner_the_manager_and_revops_can_answer(who, missed, request):
    person = request.getfixturevalue(who)
    said = say(clock_of(missed), person, cause="  On a\ntrain ")
    assert (said.by, said.cause, said.action) == (person, "On a train", "Calls tomorrow at nine")


@pytest.mark.parametrize("who", ["ruth", "max_", "vera"])
def test_nobody_else_can(who, missed, request):
    with pytest.raises(Refused, match="Only who owned"):
        say(clock_of(missed), request.getfixturevalue(who))


def test_the_manager_of_another_team_cannot_and_can_where_they_owned_it(version, mona):
    other = make_user("other@example.com", roles.SALES_MANAGER)
    Team.objects.create(name="Sales Nordics", party=Party.SALES, manager=other)
    handoffs = [*receive("A", owner="Mona"), *receive("B", owner="other@example.com")]
    ticking.tick(now=LATER)
    with pytest.raises(Refused, match="Only who owned"):
        say(clock_of(handoffs[0]), other)
    assert say(clock_of(handoffs[1]), other)


def test_whoever_manages_the_team_answers_whatever_the_role(missed, sales, sofia):
    with pytest.raises(Refused, match="Only who owned"):
        say(clock_of(missed), sofia)
    Team.objects.filter(pk=sales.pk).update(manager=sofia)
    assert say(clock_of(missed), sofia)


def test_a_miss_is_answered_once(missed, ron, mona):
    say(clock_of(missed), ron)
    with pytest.raises(Refused, match="answered already"):
        say(clock_of(missed), mona)
    assert Answer.objects.count() == 1


@pytest.mark.parametrize(("given", "lacking"), [({"cause": " "}, "why it happened"), ({"action": ""}, "what is done")])
def test_both_halves_of_the_line_are_needed(given, lacking, missed, ron):
    with pytest.raises(Refused, match=lacking):
        say(clock_of(missed), ron, **given)


def test_what_was_not_missed_needs_no_answer(version, ron):
    (handoff,) = receive("A")
    with pytest.raises(Refused, match="is not missed here"):
        say(clock_of(handoff), ron)


# --- Who lost it --------------------------------------------------------------------------------------------------


@pytest.fixture
def lost(missed, ruth, mona) -> Handoff:
    """Ron missed it, called in vain when it was late, and it was given to Ruth."""
    tracking.log_attempts([tracking.NewAttempt(lead=missed.lead)], by=User.objects.get(name="Ron"), now=LATER)
    routing.assign([(missed, ruth)], why="Ron is ill", by=mona, now=LATER)
    return later(missed)


def test_who_lost_a_handoff_opens_it_and_answers_the_miss(lost, ron, client):
    client.force_login(ron)
    shown = client.get(page(lost))
    assert [form.name for form in shown.context["acts"]] == ["answer_miss", "ask_exclusion"]
    assert lost in Handoff.objects.visible_to(ron) and lost.lead in Lead.objects.visible_to(ron)
    sent = {"clock": clock_of(lost).pk, "cause": "On a train", "action": "Ruth calls"}
    assert client.post(page(lost, "answer_miss"), sent).status_code == 302
    assert Answer.objects.get().by == ron


def test_who_lost_a_handoff_works_it_no_more(lost, ron, ruth, client, settings):
    client.force_login(ron)
    attempt = Attempt.objects.get()
    assert "is-now" not in text_of(client.get(page(lost)))
    doors = ["no_answer", "log_attempt", "accept", "recycle", "reject", "hold", "release", "record_outcome"]
    for name in (*doors, "ask_marketing", "assign"):
        assert (name, client.post(page(lost, name), {}).status_code) == (name, 403)
    assert client.post(page(lost, "void_attempt", attempt.pk)).status_code == 403
    assert not any(event.undo for group in client.get(page(lost)).context["dossier"].events for event in group)
    assert "Ines" not in text_of(client.get(reverse("my_leads")))
    attempt.refresh_from_db()
    assert attempt.voided_at is None and later(lost).owner == ruth


@pytest.mark.parametrize("role", [roles.SALES_MANAGER, roles.REP])
def test_a_manager_works_and_gives_out_what_the_team_has_and_not_what_they_once_had(role, missed, ruth, client, travel):
    """Of another team's they keep what they owned themselves in sight."""
    other = make_user("other@example.com", role)
    Team.objects.create(name="Sales Nordics", party=Party.SALES, manager=other)
    routing.assign([(missed, other)], why="", by=None, now=LATER)
    assert forms.may_work(other, later(missed))
    assert forms.may_assign(other, later(missed)) == (role == roles.SALES_MANAGER)
    routing.assign([(missed, ruth)], why="", by=None, now=LATER)
    handoff = later(missed)
    assert handoff in Handoff.objects.visible_to(other)
    assert not forms.may_work(other, handoff) and not forms.may_assign(other, handoff)
    client.force_login(other)
    client.post(reverse("reassign"), {"handoff": [handoff.pk], "owner": "", "why": "mine again"})
    assert later(handoff).owner == ruth


def test_what_one_sees_is_asked_without_reading_every_handoff(missed, ron, mona):
    """One question, however many there are; and nothing is in it twice."""
    routing.assign([(missed, mona)], why="", by=None, now=LATER)
    routing.assign([(missed, ron)], why="", by=None, now=LATER)
    for person in (ron, mona):
        with CaptureQueriesContext(connection) as queries:
            assert list(Handoff.objects.visible_to(person)) == [missed]
        assert len([one for one in queries if "leads_handoff" in one["sql"]]) == 1


# --- Each missed clock --------------------------------------------------------------------------------------------


@pytest.fixture
def twice(draft, rita, max_, sofia, mona, ron, ruth) -> Handoff:
    """Ron missed it, and so did Ruth, who got it from him and had four hours of her own."""
    draft.commitments.filter(kind="first_response").update(start="assigned")
    agree(draft, by=rita, marketing=max_, sales=sofia)
    (handoff,) = receive("A", owner="Ron")
    ticking.tick(now=LATER)
    routing.assign([(later(handoff), ruth)], why="Ron is ill", by=mona, now=LATER)
    ticking.tick(now=MONDAY + 2 * DAY)
    return later(handoff)


def test_each_owner_answers_the_own_miss_and_both_are_counted_until_then(twice, ron, ruth, rita, client):
    of_ron, of_ruth = Clock.objects.filter(commitment__kind="first_response").order_by("started_at")
    promise = of_ron.commitment

    def counted() -> tuple[int, int, int]:
        """Unanswered clocks, handoffs with one by the scorecard, and those in the list that the number opens to."""
        card = scorecards.compute(twice.agreement, parse("2025-03"), now=MONDAY + 2 * DAY)
        (row,) = [row for row in card["commitments"] if row["pk"] == promise.pk]
        given = {"agreement": twice.agreement_id, "period": "2025-03", "commitment": promise.pk, "state": "missed"}
        client.force_login(rita)
        shown = client.get(reverse("handoffs"), {**given, "answered": "no"}).context["shown"]
        answered = client.get(reverse("handoffs"), {**given, "answered": "yes"}).context["shown"]
        assert shown + answered == row["missed"] == 1
        return Clock.objects.unanswered().count(), row["unanswered"], shown

    assert counted() == (2, 1, 1)
    say(of_ron, ron)
    assert counted() == (1, 1, 1)
    with pytest.raises(Refused, match="answered already"):
        say(of_ron, rita)
    say(of_ruth, ruth)
    assert counted() == (0, 0, 0)


def test_the_page_offers_each_missed_clock_and_says_whose_it_was(twice, ruth, mona, client):
    of_ron, of_ruth = Clock.objects.filter(commitment__kind="first_response").order_by("started_at")
    client.force_login(ruth)
    shown = client.get(page(twice))
    (form,) = [form for form in shown.context["acts"] if form.name == "answer_miss"]
    titles = [(str(value), label) for value, label in form.fields["clock"].choices]
    assert titles == [
        (str(of_ron.pk), "first_response, while Ron had it"),
        (str(of_ruth.pk), "first_response, while Ruth had it"),
    ]
    assert text_of(shown).count("Nobody has said yet why it was missed.") == 2
    client.post(page(twice, "answer_miss"), {"clock": of_ruth.pk, "cause": "At a fair", "action": "Calls today"})
    said = text_of(client.get(page(twice)))
    assert said.count("Nobody has said yet why it was missed.") == 1
    assert "At a fair → Calls today" in said
    assert "Answered the miss of “first_response” while Ruth had it" in said
    again = client.post(page(twice, "answer_miss"), {"clock": of_ruth.pk, "cause": "x", "action": "y"})
    assert again.status_code == 422


def test_answers_from_before_belong_to_the_clock_that_decided_then(twice, missed_before):
    """The migration finds the clock of each answer that named only the promise."""
    of_ron, of_ruth = Clock.objects.filter(commitment__kind="first_response").order_by("started_at")
    assert of_ron.subject and of_ron.decides
    import_module("leads.migrations.0009_answer_subject").name_clocks(apps, None)
    assert {row.subject for row in Answer.objects.all()} == {of_ron.subject}
    assert [clock.pk for clock in Clock.objects.unanswered()] == [of_ruth.pk]


@pytest.fixture
def missed_before(twice, ron) -> Answer:
    promise = twice.version.commitments.get(kind="first_response")
    return Answer.objects.create(handoff=twice, commitment=promise, cause="x", action="y", by=ron, at=LATER)


# --- Promises of marketing ----------------------------------------------------------------------------------------


@pytest.fixture
def asked(draft, rita, max_, sofia, mona, ron) -> Handoff:
    """Ron asked marketing, which did not answer in time; nobody called either."""
    make_commitment(draft, "dispute_answer")
    agree(draft, by=rita, marketing=max_, sales=sofia)
    (handoff,) = receive("A", owner="Ron")
    disputes.ask(later(handoff), comment="Which campaign?", by=ron, now=MONDAY + HOUR)
    ticking.tick(now=LATER)
    return later(handoff)


@pytest.mark.parametrize("who", ["max_", "rita"])
def test_what_marketing_missed_its_leaders_and_revops_answer(who, asked, request):
    assert say(clock_of(asked, "dispute_answer"), request.getfixturevalue(who), cause="On holiday")


def test_the_manager_of_the_marketing_team_answers_too(asked, marketing, vera):
    Team.objects.filter(pk=marketing.pk).update(manager=vera)
    assert say(clock_of(later(asked), "dispute_answer"), vera)


@pytest.mark.parametrize("who", ["ron", "mona", "sofia", "vera"])
def test_nobody_of_sales_answers_what_marketing_missed(who, asked, request):
    with pytest.raises(Refused, match="Only the manager or a leader of Marketing DACH, or RevOps, can answer"):
        say(clock_of(asked, "dispute_answer"), request.getfixturevalue(who))


def test_each_side_is_offered_what_it_answers_for(asked, ron, max_, rita, client):
    for who, expected in ((ron, ["answer_miss"]), (max_, ["answer_marketing_miss"])):
        client.force_login(who)
        acts = {form.name: form for form in client.get(page(asked)).context["acts"]}
        assert [name for name in acts if "miss" in name] == expected
        labels = [label for _, label in acts[expected[0]].fields["clock"].choices]
        assert labels == [{ron: "first_response", max_: "dispute_answer, “Which campaign?”"}[who]]
    sent = {"clock": clock_of(asked, "dispute_answer").pk, "cause": "Holiday", "action": "Answered now"}
    for who, name, status in ((max_, "answer_miss", 403), (ron, "answer_marketing_miss", 403),
                              (max_, "answer_marketing_miss", 302), (rita, "answer_miss", 422)):  # fmt: skip
        client.force_login(who)
        assert (who.name, client.post(page(asked, name), sent).status_code) == (who.name, status)
    assert Answer.objects.get().by == max_


# --- The figure ---------------------------------------------------------------------------------------------------


def test_misses_without_an_answer_are_counted_and_the_number_opens_to_them(missed, response, ron, rita, client):
    (other,) = receive("B", email="b@example.com")
    ticking.tick(now=LATER)
    assert Clock.objects.unanswered().count() == 2
    say(clock_of(missed), ron)
    card = scorecards.compute(missed.agreement, parse("2025-03"), now=LATER)
    (row,) = [row for row in card["commitments"] if row["kind"] == "first_response"]
    assert (row["missed"], row["unanswered"]) == (2, 1)
    client.force_login(rita)
    given = {"agreement": missed.agreement_id, "period": "2025-03", "commitment": response.pk, "state": "missed"}
    for answered, expected in (("no", {other.pk}), ("yes", {missed.pk})):
        shown = client.get(reverse("handoffs"), {**given, "answered": answered})
        assert {row.record.pk for row in shown.context["table"].page.object_list} == expected
    shown = client.get(reverse("handoffs"), {"answered": "no"})
    assert {row.record.pk for row in shown.context["table"].page.object_list} == {other.pk}


def test_the_page_of_a_handoff_offers_to_answer_and_shows_the_answer(missed, ron, client):
    client.force_login(ron)
    assert "Nobody has said yet why it was missed." in text_of(client.get(page(missed)))
    sent = {"clock": clock_of(missed).pk, "cause": "On a train", "action": "Calls at nine"}
    client.post(page(missed, "answer_miss"), sent)
    said = text_of(client.get(page(missed)))
    assert "On a train → Calls at nine" in said and "Nobody has said yet" not in said
    assert client.post(page(missed, "answer_miss"), sent).status_code == 422
