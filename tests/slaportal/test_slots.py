"""Whom a notice is for by the time it is sent."""

import pytest
from django.core import mail

from slaportal import outbox, tries
from slaportal.models import Notice, NoticePreference, Team, User
from slaportal.paces import GATHER
from tests.conftest import MONDAY
from tests.slaportal.postal import (
    HOUR,
    SOON,
    Killed,
    broken,
    now_nobody,
    now_sofia,
    post,
    post_to_owner,
    post_to_team,
    rows,
    the,
)

pytestmark = pytest.mark.django_db


def test_who_still_has_the_slot_is_told(sofia):
    post_to_owner(sofia, reader=now_sofia)
    assert outbox.send_due(now=SOON) == 2
    assert [one.to for one in mail.outbox] == [["sofia@example.com"]]


def test_a_slot_that_moved_is_told_to_who_has_it_now_and_never_to_who_had_it(max_, sofia):
    post_to_owner(max_, reader=now_sofia)
    outbox.send_due(now=MONDAY)
    assert rows("recipient__name", "channel") == [("Sofia", "portal"), ("Max", "email")]
    outbox.send_due(now=SOON)
    assert not mail.outbox  # it is planned anew
    assert the(sofia).due_at > SOON
    outbox.send_due(now=SOON + HOUR)
    assert [one.to for one in mail.outbox] == [["sofia@example.com"]]
    assert not Notice.objects.filter(recipient=max_).exists()


def test_who_has_the_slot_now_is_told_as_they_chose(max_, sofia):
    """Max takes no mails of misses but has a chat; Sofia has no chat and wants mails in her digest."""
    User.objects.filter(pk=max_.pk).update(chat_url="json://chat.example.com")
    max_.refresh_from_db()
    NoticePreference.objects.create(person=max_, kind="miss", email="never")
    NoticePreference.objects.create(person=sofia, kind="miss", email="digest")
    post_to_owner(max_, reader=now_sofia)
    assert rows("recipient__name", "channel") == [("Max", "portal"), ("Max", "chat")]
    outbox.send_due(now=SOON)
    assert rows("recipient__name", "channel", "problem") == [
        ("Sofia", "portal", ""),
        ("Max", "chat", "Sofia is not told of this by chat."),
        ("Sofia", "email", ""),
    ]
    assert the(sofia).due_at == MONDAY + 22 * HOUR


def test_a_slot_that_nobody_has_any_more_is_cancelled_with_the_reason(max_):
    post_to_owner(max_, reader=now_nobody)
    assert outbox.send_due(now=SOON) == 0
    assert rows("problem", "sent_at") == [("Nobody is the owner any more.", None)] * 2
    assert {notice.state for notice in Notice.objects.all()} == {"cancelled"} and not mail.outbox


def test_who_may_not_log_in_any_more_is_told_nothing_and_the_row_says_so(max_, sofia):
    post("proposed:7", max_, sofia)
    max_.is_active = False
    max_.save()
    assert outbox.send_due(now=SOON) == 2
    assert (the(max_).state, the(max_).problem) == (Notice.State.CANCELLED, "Max may not log in any more.")
    assert [one.to for one in mail.outbox] == [["sofia@example.com"]]


def test_whoever_a_room_names_in_place_of_somebody_who_is_gone_is_told(max_, sofia):
    post_to_owner(max_, reader=now_sofia)
    max_.is_active = False
    max_.save()
    outbox.send_due(now=SOON)
    outbox.send_due(now=SOON + HOUR)
    assert [one.to for one in mail.outbox] == [["sofia@example.com"]]


def test_who_does_not_want_it_any_more_is_not_told_by_mail(max_):
    post("missed:7", max_, kind="miss")
    NoticePreference.objects.create(person=max_, kind="miss", email="never")
    assert outbox.send_due(now=SOON) == 1
    assert (the(max_).state, the(max_).problem) == ("cancelled", "Max is not told of this by e-mail.")


def test_a_team_that_gave_up_its_chat_is_told_nothing(sales):
    Team.objects.update(chat_url="json://team.example.com")
    post_to_team(sales)
    Team.objects.update(chat_url="")
    assert outbox.send_due(now=SOON) == 0
    assert rows("problem") == [("The team has no chat address any more.",)]


def test_where_nobody_can_say_who_it_is_for_it_is_tried_again_and_the_others_go_on(max_, sofia, caplog):
    post_to_owner(max_, reader=broken)
    post("proposed:7", sofia)
    assert outbox.send_due(now=SOON) == 2
    assert the(max_).failures == 1
    assert the(max_).problem.startswith("tests.slaportal.postal.broken could not answer: ValueError in postal.py")


def test_an_envelope_is_not_taken_along_to_another_reader(max_, sofia, monkeypatch):
    """The mail to Max may have arrived; Sofia's is another one."""
    post_to_owner(max_, reader=now_sofia, key="step:1")
    Notice.objects.filter(channel="email").update(envelope=12)
    outbox.send_due(now=SOON)
    assert the(sofia).envelope is None
    outbox.send_due(now=SOON + HOUR)
    assert the(sofia).envelope not in (None, 12)


@pytest.mark.parametrize(
    ("urgent", "names"),
    [
        # Both wait for the morning, and come as the mail that they may have been in the evening.
        (False, ["evening", "evening"]),
        # A part leaves in the night under that name, and the rest must not look like a copy of it.
        (True, ["evening", "evening", "another"]),
    ],
)
def test_a_mail_that_may_have_arrived_just_before_quiet_hours_comes_again_as_the_same(max_, monkeypatch, urgent, names):
    evening = MONDAY + 10 * HOUR - 2 * GATHER  # 19:59:00
    post("miss", max_, kind="miss", now=evening)
    post("alarm", max_, kind="alarm", now=evening)

    def kill(rows: list[Notice], **fields: object) -> None:
        raise Killed

    outbox.send_due(now=evening)
    with monkeypatch.context() as here:
        here.setattr(tries, "record", kill)
        with pytest.raises(Killed):
            outbox.send_due(now=evening + GATHER)
    if urgent:
        NoticePreference.objects.create(person=max_, kind="alarm", is_urgent=True)
    for after in (outbox.LEASE, HOUR, 12 * HOUR):
        outbox.send_due(now=evening + GATHER + after)
    first = mail.outbox[0].extra_headers["Message-ID"]
    sent = [one.extra_headers["Message-ID"] for one in mail.outbox]
    assert ["evening" if one == first else "another" for one in sent] == names
    assert not Notice.objects.filter(sent_at=None).exists()
