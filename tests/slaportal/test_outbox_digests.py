"""Several notices for one reader: one mail, a digest, or none before the reader’s day begins."""

from datetime import timedelta

import pytest
from django.core import mail

from slaportal import outbox
from slaportal.models import Notice, NoticePreference
from tests.conftest import MONDAY
from tests.slaportal.postal import (
    HOUR,
    MINUTE,
    SECONDS,
    SECRET,
    SOON,
    post,
    rows,
    states,
    the,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("rings")]


def test_what_comes_within_a_moment_is_one_mail_with_every_letter_whole(max_):
    for number in range(5):
        post(f"proposed:{number}", max_, about=number, now=MONDAY + number * timedelta(seconds=5))
    outbox.send_due(now=SOON)
    (written,) = mail.outbox
    assert written.subject == "Please sign version 0 and 4 more"
    for part in (written.body, written.alternatives[0][0]):
        assert part.count(SECRET) == 5 and part.count("/versions/4/") >= 1


def test_more_than_five_are_a_digest(max_):
    for number in range(20):
        post(f"missed:{number}", max_, about=number, kind="miss")
    post("proposed:99", max_, about=99)
    outbox.send_due(now=SOON)
    (written,) = mail.outbox
    assert written.subject == "21 notices: 20 × a promise was broken, 1 × agreements to sign, and their news"
    for part in (written.body, written.alternatives[0][0]):
        assert SECRET not in part and "5 more" in part
        assert part.count("/versions/") >= 16 and part.index("/versions/0/") < part.index("/versions/99/")
    assert set(rows("sent_at", channel="email")) == {(the(max_, key="proposed:99").sent_at,)}
    assert states(channel="email") == [Notice.State.SENT] * 21


def test_nothing_leaves_alone_while_more_of_it_is_written(max_):
    """Once the first has waited, whatever was written meanwhile goes with it; what comes then waits anew."""
    post("first", max_)
    post("second", max_, now=SOON - SECONDS)
    outbox.send_due(now=SOON - SECONDS)
    assert not mail.outbox
    outbox.send_due(now=SOON)
    assert len(mail.outbox) == 1 and states(channel="email") == ["sent", "sent"]
    post("third", max_, now=SOON + timedelta(seconds=1))
    outbox.send_due(now=SOON + timedelta(seconds=2))
    assert len(mail.outbox) == 1


@pytest.mark.parametrize("first_tick", [0, 1, 2, 30, 59])
def test_a_burst_of_a_minute_ends_in_at_most_three_mails(max_, first_tick):
    """Steps come due twice a second for a minute; ticks find them, two beats ring, and workers look every second."""
    posted, due = 0, lambda second: min(120, 2 * second)
    for second in range(150):
        now = MONDAY + timedelta(seconds=second)
        if second % 60 == first_tick or second % 60 == (first_tick + 25) % 60:
            for number in range(posted, due(second)):
                post(f"step:{number}", max_, about=number, now=now, kind="miss")
            posted = due(second)
        outbox.send_due(now=now)
    assert posted == 120 and set(states()) == {"sent"}
    assert 1 <= len(mail.outbox) <= 3


def test_a_digest_waits_for_its_time_and_has_all_that_came_until_then(max_):
    NoticePreference.objects.create(person=max_, kind="miss", email="digest")
    for hour in range(3):
        post(f"missed:{hour}", max_, now=MONDAY + hour * HOUR, kind="miss", about=hour)
    outbox.send_due(now=MONDAY + 21 * HOUR)
    assert states(channel="portal") == ["sent"] * 3 and not mail.outbox
    outbox.send_due(now=MONDAY + 22 * HOUR)  # Tuesday 8:00 in Berlin
    assert [one.subject for one in mail.outbox] == ["Please sign version 0 and 2 more"]


def test_quiet_hours_hold_a_mail_and_it_leaves_when_they_end(max_):
    post("late", max_, now=MONDAY + 10.5 * HOUR)  # 20:30
    post("later", max_, now=MONDAY + 14 * HOUR)
    outbox.send_due(now=MONDAY + 20.9 * HOUR)
    assert states(channel="portal") == ["sent", "sent"] and not mail.outbox
    outbox.send_due(now=MONDAY + 21 * HOUR)  # 7:00
    assert len(mail.outbox) == 1 and states(channel="email") == ["sent", "sent"]


def test_quiet_hours_are_asked_again_when_a_mail_is_sent(max_):
    """The worker was down until the evening, or the reader has other quiet hours by now."""
    post("at noon", max_)
    outbox.send_due(now=MONDAY + 11 * HOUR)  # 21:00
    assert not mail.outbox
    assert (the(max_).due_at, the(max_).claimed_until) == (MONDAY + 21 * HOUR, None)
    outbox.send_due(now=MONDAY + 21 * HOUR)
    assert len(mail.outbox) == 1


def test_an_urgent_one_leaves_alone_and_what_is_held_comes_later_as_another_mail(max_):
    NoticePreference.objects.create(person=max_, kind="alarm", is_urgent=True)
    evening = MONDAY + 10 * HOUR - timedelta(seconds=40)  # 19:59:20
    post("miss", max_, kind="miss", now=evening)
    post("alarm", max_, kind="alarm", now=evening + MINUTE)
    outbox.send_due(now=evening + MINUTE)
    assert (the(max_, key="alarm").state, the(max_, key="miss").state) == ("sent", "waiting")
    outbox.send_due(now=MONDAY + 21 * HOUR)
    first, second = (one.message()["Message-ID"] for one in mail.outbox)
    assert first != second


def test_two_readers_share_no_mail(max_, sofia):
    for number in range(3):
        post(f"event:{number}", max_, sofia, about=number)
    outbox.send_due(now=SOON)
    assert sorted(one.to for one in mail.outbox) == [["max@example.com"], ["sofia@example.com"]]
    assert len({one.message()["Message-ID"] for one in mail.outbox}) == 2


def test_of_a_flood_the_first_rows_go_now_and_the_others_next(max_, sofia, monkeypatch):
    monkeypatch.setattr(outbox, "MOST_ROWS", 4)
    for number in range(3):
        post(f"event:{number}", max_, sofia, about=number)
    outbox.send_due(now=MONDAY)
    assert set(states(channel="portal")) == {"sent"}
    outbox.send_due(now=SOON)
    assert len(mail.outbox) == 2  # no reader's rows were cut in two


def test_more_than_one_claim_takes_is_one_digest_where_it_is_for_one_reader(max_, sofia, monkeypatch):
    monkeypatch.setattr(outbox, "MOST_ROWS", 4)
    for number in range(7):
        post(f"event:{number}", max_, about=number)
    post("event:7", sofia)
    assert outbox.send_due(now=SOON) == 16
    assert sorted((one.to[0], one.subject) for one in mail.outbox) == [
        ("max@example.com", "7 notices: 7 × agreements to sign, and their news"),
        ("sofia@example.com", "Please sign version 7"),
    ]


def test_more_than_five_urgent_ones_that_are_due_in_one_run_are_a_digest_that_waits_for_nothing(max_):
    NoticePreference.objects.create(person=max_, kind="miss", is_urgent=True)
    for number in range(8):
        post(f"missed:{number}", max_, now=MONDAY + number * timedelta(seconds=1), kind="miss", about=number)
    outbox.send_due(now=MONDAY + 7 * timedelta(seconds=1))
    assert [one.subject for one in mail.outbox] == ["8 notices: 8 × a promise was broken"]
