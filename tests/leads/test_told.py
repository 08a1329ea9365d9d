"""Beside what happened to a handoff stands who was told of it, and how it reached them."""

from datetime import timedelta

import pytest
from django.urls import reverse

from leads import disputes
from slaportal.models import Notice
from tests.conftest import MONDAY, receive

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def lines(client, handoff) -> list[tuple[str, str]]:
    """Of the page: each event that somebody was told of, with whom and how."""
    page = client.get(reverse("handoff", args=[handoff.pk]))
    events = [event for group in page.context["dossier"].events for event in group]
    return [(event.text, f"{who}: {', '.join(reached)}") for event in events for who, reached in event.told]


def test_each_event_says_who_was_told_and_how_it_reached_them(client, version, ron, max_, rita, travel):
    (handoff,) = receive(owner="Ron")
    question = disputes.ask(handoff, comment="Which campaign?", by=ron, now=MONDAY + HOUR)
    disputes.answer(question, answer="Autumn.", by=max_, now=MONDAY + 2 * HOUR)
    mails = Notice.objects.filter(channel="email")
    Notice.objects.filter(channel="portal").update(sent_at=MONDAY + HOUR)
    mails.filter(recipient=ron, kind="decision").update(failed_at=MONDAY, problem="mailbox full")
    travel.move_to(MONDAY + 3 * HOUR)
    client.force_login(rita)
    assert lines(client, handoff) == [
        ("Assigned to Ron", "Ron: Portal 11:00, E-mail waits"),
        ("Asked marketing", "Max: Portal 11:00, E-mail waits"),
        ("Marketing answered", "Ron: Portal 11:00, E-mail failed: mailbox full"),
    ]


def test_what_was_not_needed_any_more_was_told_to_nobody(client, version, ron, rita, travel):
    (handoff,) = receive(owner="Ron")
    Notice.objects.update(cancelled_at=MONDAY)
    travel.move_to(MONDAY + HOUR)
    client.force_login(rita)
    assert lines(client, handoff) == []


def test_the_handover_says_which_criteria_were_met_failed_and_missing(
    client, draft, agreement, rita, max_, sofia, ron, travel
):
    from tests.conftest import agree

    draft.score_threshold = 70
    draft.required_fields = ["phone"]
    draft.save()
    agree(draft, by=rita, marketing=max_, sales=sofia)
    (handoff,) = receive(owner="Ron", score=10, phone="", handed_over=True)
    travel.move_to(MONDAY + HOUR)
    client.force_login(rita)
    page = client.get(reverse("handoff", args=[handoff.pk]))
    (detail,) = [e.detail for group in page.context["dossier"].events for e in group if e.kind == "handoff"]
    assert "Failed: " in detail and "Missing: " in detail and "70" in detail
