"""Misses are answered in one line, by who had the handoff, the manager or RevOps; the others are counted."""

from datetime import timedelta

import pytest
from django.urls import reverse

from leads import answers, ticking
from leads.models import Answer, Clock, Handoff
from leads.periods import parse
from reports import scorecards
from slaportal import roles
from slaportal.refusal import Refused
from tests.conftest import MONDAY, make_user, receive

pytestmark = pytest.mark.django_db

LATER = MONDAY + timedelta(hours=6)


@pytest.fixture
def missed(version, mona, ron) -> Handoff:
    """A handoff of Ron's to which nobody responded within four hours."""
    (handoff,) = receive("A")
    ticking.tick(now=LATER)
    return Handoff.objects.get(pk=handoff.pk)


@pytest.fixture
def response(version):
    return version.commitments.get(kind="first_response")


def say(handoff, commitment, by, cause="On a train", action="Calls tomorrow at nine"):
    return answers.answer(handoff, commitment=commitment, cause=cause, action=action, by=by, now=LATER)


@pytest.mark.parametrize("who", ["ron", "mona", "rita"])
def test_the_owner_the_manager_and_revops_can_answer(who, missed, response, request):
    person = request.getfixturevalue(who)
    said = say(missed, response, person, cause="  On a\ntrain ")
    assert (said.by, said.cause, said.action) == (person, "On a train", "Calls tomorrow at nine")


def test_who_lost_the_handoff_can_still_answer_for_it(missed, response, ron, ruth, mona):
    from leads import routing

    routing.assign([(missed, ruth)], why="Ron is ill", by=mona, now=LATER)
    assert say(Handoff.objects.get(pk=missed.pk), response, ron)


@pytest.mark.parametrize("who", ["ruth", "max_", "sofia", "vera"])
def test_nobody_else_can(who, missed, response, request):
    with pytest.raises(Refused, match="Only who owned"):
        say(missed, response, request.getfixturevalue(who))


def test_the_manager_of_another_team_cannot(missed, response):
    with pytest.raises(Refused, match="Only who owned"):
        say(missed, response, make_user("other@example.com", roles.SALES_MANAGER))


def test_a_miss_is_answered_once(missed, response, ron, mona):
    say(missed, response, ron)
    with pytest.raises(Refused, match="answered already"):
        say(missed, response, mona)
    assert Answer.objects.count() == 1


@pytest.mark.parametrize(("given", "lacking"), [({"cause": " "}, "why it happened"), ({"action": ""}, "what is done")])
def test_both_halves_of_the_line_are_needed(given, lacking, missed, response, ron):
    with pytest.raises(Refused, match=lacking):
        say(missed, response, ron, **given)


def test_what_was_not_missed_needs_no_answer(version, ron):
    (handoff,) = receive("A")
    with pytest.raises(Refused, match="is not missed here"):
        say(Handoff.objects.get(pk=handoff.pk), version.commitments.get(kind="first_response"), ron)


def test_misses_without_an_answer_are_counted_and_the_number_opens_to_them(missed, response, ron, rita, client):
    (other,) = receive("B", email="b@example.com")
    ticking.tick(now=LATER)
    assert Clock.objects.unanswered().count() == 2
    say(missed, response, ron)
    card = scorecards.compute(missed.agreement, parse("2025-03"), now=LATER)
    (row,) = [row for row in card["commitments"] if row["kind"] == "first_response"]
    assert (row["missed"], row["unanswered"]) == (2, 1)
    client.force_login(rita)
    given = {"agreement": missed.agreement_id, "period": "2025-03", "commitment": response.pk, "state": "missed"}
    for answered, expected in (("no", {other.pk}), ("yes", {missed.pk})):
        page = client.get(reverse("handoffs"), {**given, "answered": answered})
        assert {row.record.pk for row in page.context["table"].page.object_list} == expected
    page = client.get(reverse("handoffs"), {"answered": "no"})
    assert {row.record.pk for row in page.context["table"].page.object_list} == {other.pk}


def test_the_page_of_a_handoff_offers_to_answer_and_shows_the_answer(missed, response, ron, client):
    client.force_login(ron)
    assert "Nobody has said yet why it was missed." in client.get(missed.get_absolute_url()).content.decode()
    sent = {"commitment": response.pk, "cause": "On a train", "action": "Calls at nine"}
    client.post(reverse("answer_miss", args=[missed.pk]), sent)
    page = client.get(missed.get_absolute_url()).content.decode()
    assert "On a train" in page and "Calls at nine" in page and "Nobody has said yet" not in page
    again = client.post(reverse("answer_miss", args=[missed.pk]), sent)
    assert again.status_code == 422
