"""The outbox: a notice is a row before it is a mail, is sent at least once, and is never dropped."""

import os
import re
import runpy
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier, Thread
from time import monotonic

import pytest
from celery import Celery
from django.contrib.messages import get_messages
from django.core import mail
from django.core.checks import Info, run_checks
from django.core.management import call_command
from django.db import IntegrityError, OperationalError, connection, transaction
from django.urls import reverse
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerDown

from slaportal import delivery, outbox, roles, tasks, tries
from slaportal.celery import app
from slaportal.letters import Letter
from slaportal.models import Heartbeat, Notice, NoticePreference, User
from slaportal.outbox import Post
from slaportal.paces import GATHER
from tests.conftest import MONDAY, make_user
from tests.slaportal import postal
from tests.slaportal.postal import (
    HOUR,
    MINUTE,
    SECRET,
    SOON,
    broken,
    broken_for_seven,
    database_url,
    local_time,
    name_of,
    no_longer,
    nonsense,
    plain,
    post,
    post_to_team,
    states,
    the,
)

pytestmark = pytest.mark.django_db
RING = outbox.ring
SECONDS = timedelta(seconds=5)  # longer than any run takes here


@pytest.fixture(autouse=True)
def rings(monkeypatch):
    """Here the worker is really called after a commit."""
    monkeypatch.setattr(outbox, "ring", RING)
    monkeypatch.setattr(outbox, "_no_broker_until", 0.0)


class Killed(BaseException):
    """What a SIGKILL looks like from inside: nothing after it is done."""


def rows(*fields: str, **which: object) -> list[tuple]:
    return list(Notice.objects.filter(**which).order_by("pk").values_list(*fields))


# --- Posting ------------------------------------------------------------------------------------------------------


def test_each_reader_gets_a_row_for_each_channel_once_however_often_they_are_named(max_, sofia):
    people = [max_, sofia, max_]
    for _ in range(2):
        posts = outbox.to_people(people, key="agreed:7", kind="agreement", letter="x.y", about=7)
        outbox.post([*posts, *posts], now=MONDAY)
    assert rows("recipient", "slot", "channel", "key", "kind", "letter", "about", "created_at", "due_at") == [
        (person.pk, f"person:{person.pk}", channel, "agreed:7", "agreement", "x.y", 7, MONDAY, due_at)
        for person in (max_, sofia)
        for channel, due_at in (("portal", MONDAY), ("email", SOON))
    ]
    assert set(states()) == {Notice.State.WAITING}


def test_people_come_as_any_collection_and_nobody_is_one_too(max_, sofia):
    post("to a query", *User.objects.filter(pk__in=[max_.pk, sofia.pk]))
    outbox.post(outbox.to_people({max_}, key="to a set", kind="alarm", letter="x.y", about=1), now=MONDAY)
    outbox.post(outbox.to_people([], key="to nobody", kind="alarm", letter="x.y", about=1), now=MONDAY)
    assert rows("key", channel="email") == [("to a query",), ("to a query",), ("to a set",)]


def test_a_chat_address_adds_a_channel(max_):
    post("before", max_)
    max_.chat_url = "json://chat.example.com"
    max_.save()
    post("after", max_)
    assert rows("channel", key="before") == [("portal",), ("email",)]
    assert rows("channel", key="after") == [("portal",), ("email",), ("chat",)]


def test_a_team_is_told_in_its_chat_and_only_if_it_has_one(sales, marketing):
    sales.chat_url = "json://chat.example.com"
    sales.save()
    post_to_team(sales)
    post_to_team(marketing)
    assert rows("slot", "channel", "recipient") == [(f"team:{sales.pk}", "chat", None)]


@pytest.mark.parametrize(
    ("chosen", "channels"),
    [
        ({"email": "never"}, ["portal", "chat"]),
        ({"chat": "never"}, ["portal", "email"]),
        ({"email": "never", "chat": "never"}, ["portal"]),
        ({"email": "digest"}, ["portal", "email", "chat"]),
    ],
)
def test_what_somebody_does_not_want_is_not_written(max_, chosen, channels):
    max_.chat_url = "json://chat.example.com"
    max_.save()
    NoticePreference.objects.create(person=max_, kind="miss", **chosen)
    post("missed", max_, kind="miss")
    post("other kind", max_, kind="warning")
    assert rows("channel", key="missed") == [(channel,) for channel in channels]
    assert rows("channel", key="other kind") == [("portal",), ("email",), ("chat",)]


def test_the_teams_choice_counts_for_whoever_has_chosen_nothing(max_, sofia, marketing):
    mia = make_user("mia@example.com", team=marketing)
    NoticePreference.objects.create(team=marketing, kind="miss", email="never")
    NoticePreference.objects.create(person=mia, kind="miss", email="digest")
    post("missed", max_, mia, sofia, kind="miss")
    assert set(rows("recipient__name", "due_at", channel="email")) == {
        ("Mia", MONDAY + 22 * HOUR),  # Tuesday 8:00 in Berlin
        ("Sofia", SOON),
    }


def test_what_is_urgent_waits_for_nothing(max_):
    NoticePreference.objects.create(person=max_, kind="alarm", is_urgent=True)
    night = MONDAY + 14 * HOUR  # midnight in Berlin
    post("alarm", max_, kind="alarm", now=night)
    post("miss", max_, kind="miss", now=night)
    assert the(max_, key="alarm").due_at == night
    assert the(max_, key="miss").due_at == MONDAY + 21 * HOUR  # Tuesday 7:00
    assert outbox.send_due(now=night) == 3  # both in the portal, one by mail
    assert [one.subject for one in mail.outbox] == ["Please sign version 7"]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [({"kind": "gossip"}, "is no kind of notice"), ({"person": None}, "only a team's chat needs no person")],
)
def test_a_post_that_could_reach_nobody_is_refused(max_, wrong, says):
    fields = {"key": "x", "slot": "owner", "kind": "miss", "letter": "x.y", "about": 1, "person": max_, **wrong}
    with pytest.raises(ValueError, match=says):
        outbox.post([Post(**fields)], now=MONDAY)


def test_an_event_that_is_told_again_tells_only_who_was_not_told(max_, sofia):
    post("proposed:7", max_)
    assert outbox.send_due(now=SOON) == 2
    post("proposed:7", max_, sofia, now=MONDAY + HOUR)
    assert (the(max_).state, the(sofia).state) == (Notice.State.SENT, Notice.State.WAITING)
    assert outbox.send_due(now=SOON + HOUR) == 2
    assert [mail_.to for mail_ in mail.outbox] == [["max@example.com"], ["sofia@example.com"]]


def test_an_event_that_is_rolled_back_was_never_told(max_, django_capture_on_commit_callbacks):
    with (
        django_capture_on_commit_callbacks(execute=True) as rung,
        pytest.raises(ZeroDivisionError),
        transaction.atomic(),
    ):
        post("proposed:7", max_)
        raise ZeroDivisionError
    assert rung == []
    assert not Notice.objects.exists() and not mail.outbox


def test_a_worker_is_called_after_the_commit_and_not_before(max_, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        post("proposed:7", max_)
        assert states(channel="portal") == [Notice.State.WAITING]
    assert states(channel="portal") == [Notice.State.SENT]


def test_a_broker_that_is_down_breaks_nobodys_page(max_, monkeypatch, caplog, django_capture_on_commit_callbacks):
    def down(*args: object, **options: object) -> None:
        raise BrokerDown("redis://portal:secret@broker refused")

    monkeypatch.setattr(tasks.send_notices, "apply_async", down)
    with django_capture_on_commit_callbacks(execute=True):
        post("proposed:7", max_)
    assert "no worker could be called (OperationalError); the next sweep sends them" in caplog.text
    assert "secret" not in caplog.text
    assert outbox.send_due(now=SOON) == 2


@pytest.fixture
def silent_broker(monkeypatch, settings, tmp_path) -> Iterator[list[socket.socket]]:
    """A Redis that takes calls and says nothing, with the portal's own options but less patience; gives the calls."""
    with monkeypatch.context() as here:
        here.setenv("VAR_DIR", str(tmp_path))
        here.setenv("CELERY_BROKER_URL", "redis://")
        read = runpy.run_path(str(settings.BASE_DIR / "slaportal" / "settings.py"))
    monkeypatch.delenv("CELERY_BROKER_URL", raising=False)  # Celery prefers it to what it is told
    options = read["CELERY_BROKER_TRANSPORT_OPTIONS"]
    assert options["socket_timeout"] + options["socket_connect_timeout"] < 10
    options["socket_timeout"] = 0.3
    calls = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        Thread(target=lambda: [calls.append(listening.accept()[0]) for _ in range(2)], daemon=True).start()
        broker = Celery("silent", broker=f"redis://127.0.0.1:{listening.getsockname()[1]}/0", set_as_current=False)
        broker.conf.broker_transport_options = options
        task = broker.task(tasks.send_notices.run, name=outbox.SEND_NOTICES)
        monkeypatch.setattr(outbox, "import_string", lambda name: task)
        yield calls


def test_a_broker_that_says_nothing_keeps_a_click_for_seconds_and_is_not_asked_by_the_next(silent_broker, caplog):
    begun = monotonic()
    outbox.ring()
    took = monotonic() - begun
    assert 0.2 < took < 3 and 1 <= len(silent_broker) <= 2
    for _ in range(20):
        outbox.ring()
    assert monotonic() - begun < took + 0.2
    assert caplog.text.count("no worker could be called") == 1


# --- Sending ------------------------------------------------------------------------------------------------------


def test_in_the_portal_a_notice_is_at_once_and_keeps_what_it_says(max_):
    post("proposed:7", max_)
    assert outbox.send_due(now=MONDAY) == 1
    shown = Notice.objects.get(channel="portal")
    assert (shown.subject, shown.link) == ("Please sign version 7", "/versions/7/")
    assert shown.summary == "Rita proposed a new version & asks for your signature."
    assert (shown.sent_at - MONDAY < MINUTE, shown.claimed_until, shown.read_at) == (True, None, None)
    assert not mail.outbox


def test_each_of_many_in_the_portal_keeps_its_own_words(max_, sofia):
    for number in range(3):
        post(f"proposed:{number}", max_, sofia, about=number)
    assert outbox.send_due(now=MONDAY) == 6
    assert rows("about", "subject", channel="portal", recipient=sofia) == [
        (number, f"Please sign version {number}") for number in range(3)
    ]


def test_what_was_sent_is_not_sent_again_and_what_is_not_due_waits(max_, sofia):
    post("now", max_)
    post("later", sofia, now=MONDAY + HOUR)
    assert [outbox.send_due(now=SOON + MINUTE) for _ in range(3)] == [2, 0, 0]
    assert outbox.send_due(now=SOON + HOUR) == 2
    assert [mail_.to for mail_ in mail.outbox] == [["max@example.com"], ["sofia@example.com"]]


def test_who_waits_longest_is_told_first(max_, sofia, ron):
    for minutes, person in ((3, max_), (1, sofia), (2, ron)):
        post(f"event:{minutes}", person, now=MONDAY + minutes * MINUTE, about=minutes)
    assert outbox.send_due(now=MONDAY + HOUR) == 6
    assert [mail_.subject[-1] for mail_ in mail.outbox] == ["1", "2", "3"]


def test_a_letter_that_no_longer_holds_is_cancelled_and_never_asked_again(max_):
    post("proposed:7", max_, letter=no_longer)
    assert outbox.send_due(now=SOON) == 0
    assert rows("claimed_until", "problem") == [(None, "It no longer holds.")] * 2
    assert states() == ["cancelled", "cancelled"]
    assert outbox.send_due(now=MONDAY + 2 * HOUR) == 0
    assert not mail.outbox


def test_times_in_a_letter_are_the_readers(db):
    for zone in ("Europe/Berlin", "Europe/Lisbon"):
        post("event", make_user(f"{zone[7:].lower()}@example.com", time_zone=zone), letter=local_time)
    outbox.send_due(now=SOON)
    assert {one.to[0]: one.body.split("\n")[0] for one in mail.outbox} == {
        "berlin@example.com": "At 10:00.",
        "lisbon@example.com": "At 09:00.",
    }
    assert timezone.get_current_timezone_name() == "UTC"


def test_one_bad_notice_never_stops_the_others(max_, sofia, caplog):
    for letter in (broken, nonsense, no_longer, plain):
        post(letter.__name__, max_, letter=letter)
    outbox.post(outbox.to_people([max_], key="nowhere", kind="miss", letter="nowhere.at_all", about=1), now=MONDAY)
    post("proposed:7", sofia)
    assert outbox.send_due(now=SOON) == 4  # two letters on two channels
    problems = dict(rows("key", "problem", channel="email", failures=1))
    assert set(problems) == {"broken", "nonsense", "nowhere"}
    assert re.fullmatch(
        r"tests\.slaportal\.postal\.broken could not answer: ValueError in postal\.py, line \d+\.", problems["broken"]
    )
    assert problems["nowhere"].startswith("nowhere.at_all could not answer: ModuleNotFoundError in ")
    assert SECRET not in caplog.text + "".join(problems.values())
    assert f"notice {the(max_, key='broken').pk}: try 1 of 8 failed" in caplog.text
    assert len(mail.outbox) == 2


def test_of_many_that_are_worded_at_once_only_the_bad_one_fails(max_, sofia, ron):
    for about, person in ((6, max_), (7, sofia), (8, ron)):
        post(f"event:{about}", person, letter=broken_for_seven, about=about)
    assert outbox.send_due(now=SOON) == 4
    assert rows("key", failures=1, channel="email") == [("event:7",)]
    assert sorted(one.subject for one in mail.outbox) == ["About 6", "About 8"]


def test_notices_of_many_readers_are_worded_together(monkeypatch, db):
    asked = []

    def together(notices: list[Notice]) -> list[Letter]:
        asked.append(len(notices))
        return plain(notices)

    monkeypatch.setattr(postal, "broken", together)
    for number in range(20):
        post("event", make_user(f"p{number}@example.com"), letter=broken)
    assert outbox.send_due(now=SOON) == 40
    assert asked == [40]


def test_a_run_ends_in_time_for_the_tick_and_the_next_one_goes_on(monkeypatch, db):
    for number in range(5):
        post("event", make_user(f"p{number}@example.com"))
    outbox.send_due(now=MONDAY)
    seconds = [0.0]
    monkeypatch.setattr(delivery, "monotonic", lambda: seconds[0])
    monkeypatch.setattr(delivery, "hand_over", lambda line, written: seconds.append(seconds.pop() + 10.1))
    assert outbox.send_due(now=SOON) == 3
    waiting = Notice.objects.waiting()
    assert list(waiting.values_list("claimed_until", "failures", "envelope")) == [(None, 0, None)] * 2
    monkeypatch.undo()
    assert outbox.send_due(now=SOON) == 2


# --- Together -----------------------------------------------------------------------------------------------------


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


# --- Failures -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("failures", "minutes"), [(1, 1), (2, 2), (3, 4), (4, 8), (5, 16), (6, 32), (7, 60), (8, 60), (30, 60)]
)
def test_each_failure_doubles_the_wait_up_to_an_hour_and_draws_up_to_a_quarter_more(failures, minutes):
    waits = [tries.wait_after(failures, notice_id=number) for number in range(1, 400)]
    assert minutes * MINUTE <= min(waits) < 1.01 * minutes * MINUTE
    assert 1.24 * minutes * MINUTE < max(waits) < 1.25 * minutes * MINUTE
    assert len(set(waits)) > 250  # those that failed together come back one by one
    assert waits == [tries.wait_after(failures, notice_id=number) for number in range(1, 400)]


def fail_until_given_up(person: User) -> datetime:
    """Sweep each minute until the person's notice is given up; gives that moment."""
    now = MONDAY
    while the(person).state != Notice.State.FAILED:
        outbox.send_due(now=now)
        now += MINUTE
        assert now < MONDAY + 5 * HOUR
    return now


def test_after_eight_failures_a_notice_is_given_up_but_kept(max_, caplog):
    post("proposed:7", max_, letter=broken)
    now = fail_until_given_up(max_)
    notice = the(max_)
    assert (notice.failures, notice.claimed_until, notice.sent_at) == (8, None, None)
    assert timedelta(minutes=123) <= notice.failed_at - MONDAY < timedelta(minutes=123 * 1.25 + 9)
    assert sum(f"notice {notice.pk}:" in record.message for record in caplog.records) == 8
    assert outbox.send_due(now=now + timedelta(days=30)) == 0
    assert the(max_).failures == 8
    assert "ValueError" in the(max_).problem


def test_a_notice_that_failed_is_sent_again_once_somebody_asks_for_it(max_, django_capture_on_commit_callbacks):
    post("proposed:7", max_, letter=broken)
    now = fail_until_given_up(max_)
    User.objects.update(quiet_from=None)  # the worker that is called knows what time of day it is
    Notice.objects.update(letter=name_of(plain))
    Notice.objects.update(due_at=MONDAY)
    with django_capture_on_commit_callbacks(execute=True):
        assert outbox.retry(Notice.objects.filter(channel="email"), now=now) == 1
        assert (the(max_).state, the(max_).failures, the(max_).due_at) == (Notice.State.WAITING, 0, now)
    outbox.send_due(now=now)
    assert len(mail.outbox) == 1
    assert (the(max_).state, the(max_).problem) == (Notice.State.SENT, "")


def test_what_is_sent_again_is_another_mail_and_may_be_only_a_part_of_the_one_that_failed(desk, max_):
    """Under one number a mail program would take the second part for a copy of the first."""
    for number in range(2):
        post(f"event:{number}", max_, about=number)
    desk.refused.add("max@example.com")
    Notice.objects.update(failures=7)
    outbox.send_due(now=SOON)
    assert states(channel="email") == ["failed", "failed"]
    desk.refused.clear()
    for number in range(2):
        assert outbox.retry(Notice.objects.filter(key=f"event:{number}"), now=SOON) == 1
        outbox.send_due(now=SOON)
    assert len(desk.mails) == len({one["Message-ID"] for one in desk.read()}) == 2


def test_only_what_failed_is_sent_again(max_):
    for key, letter in (("sent", plain), ("cancelled", no_longer), ("tried", broken)):
        post(key, max_, letter=letter)
    outbox.send_due(now=SOON)
    before = list(Notice.objects.values())
    assert outbox.retry(Notice.objects.all(), now=MONDAY + MINUTE) == 0
    assert list(Notice.objects.values()) == before


def test_what_could_not_be_written_comes_later_as_a_mail_of_its_own(max_, sofia):
    """Under the number of the mail that left without it, a mail program would take it for a copy."""
    post("event:6", max_, letter=broken_for_seven, about=6)
    post("event:7", max_, letter=broken_for_seven, about=7)
    outbox.send_due(now=SOON)
    assert (the(max_, key="event:7").failures, the(max_, key="event:7").envelope) == (1, None)
    Notice.objects.filter(key="event:7").update(letter=name_of(plain))
    outbox.send_due(now=SOON + 2 * MINUTE)
    assert [one.subject for one in mail.outbox] == ["About 6", "Please sign version 7"]
    assert len({one.message()["Message-ID"] for one in mail.outbox}) == 2


def test_a_worker_killed_between_claim_and_sending_loses_nothing(max_, sofia, monkeypatch):
    post("proposed:7", max_, sofia)
    outbox.send_due(now=MONDAY)

    def kill(*args: object) -> None:
        raise Killed

    monkeypatch.setattr(delivery, "hand_over", kill)
    with pytest.raises(Killed):
        outbox.send_due(now=SOON)
    monkeypatch.undo()
    claimed = the(max_)
    assert claimed.claimed_until == the(sofia).claimed_until > SOON + outbox.LEASE - MINUTE
    post("proposed:8", max_, now=SOON, about=8)
    # What came since goes on at once, the claimed ones when their lease has ended; nobody waits for anybody.
    assert outbox.send_due(now=claimed.claimed_until - SECONDS) == 2
    assert outbox.send_due(now=claimed.claimed_until) == 2
    assert sorted(one.to[0] for one in mail.outbox) == ["max@example.com", "max@example.com", "sofia@example.com"]


def test_what_came_since_a_worker_was_killed_before_the_wire_goes_with_what_it_had(max_, monkeypatch):
    """Nothing of it can have arrived, so it may become another message."""
    for number in range(3):
        post(f"proposed:{number}", max_, about=number)
    with monkeypatch.context() as here:
        here.setattr(delivery.Round, "deliver", lambda *given: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            outbox.send_due(now=SOON)
    for number in range(3, 6):
        post(f"proposed:{number}", max_, now=SOON, about=number)
    outbox.send_due(now=SOON + outbox.LEASE + MINUTE)
    assert [one.subject for one in mail.outbox] == ["6 notices: 6 × agreements to sign, and their news"]


@pytest.mark.parametrize("many", [1, 3, 8])
def test_a_mail_that_may_have_been_sent_is_sent_again_under_the_same_number(max_, monkeypatch, many):
    """The server took it and the worker died before it could write that down; what came since is another mail."""
    for number in range(many):
        post(f"proposed:{number}", max_, about=number)
    outbox.send_due(now=MONDAY)
    real = tries.record

    def kill(rows_: list[Notice], **fields: object) -> int:
        if "sent_at" in fields:
            raise Killed
        return real(rows_, **fields)

    monkeypatch.setattr(tries, "record", kill)
    with pytest.raises(Killed):
        outbox.send_due(now=SOON)
    monkeypatch.undo()
    post("proposed:99", max_, now=SOON, about=99)
    outbox.send_due(now=SOON + outbox.LEASE + MINUTE)
    ids = [one.message()["Message-ID"] for one in mail.outbox]
    assert len(ids) == 3 and len(set(ids)) == 2 and ids[0] in ids[1:]
    assert set(states()) == {"sent"}


@pytest.mark.parametrize("meanwhile", [plain, nonsense])
def test_a_worker_that_wakes_after_its_lease_does_not_overwrite_what_another_recorded(max_, monkeypatch, meanwhile):
    post("proposed:7", max_, letter=broken)
    recorded: list[dict] = []

    def sleeps(notices: list[Notice]) -> list[Letter]:
        """While the first worker is in here, a second one finds the lease ended, and sends or fails."""
        monkeypatch.setattr(postal, "broken", meanwhile)
        outbox.send_due(now=SOON + outbox.LEASE + MINUTE)
        recorded.extend(Notice.objects.order_by("pk").values())
        raise ValueError

    monkeypatch.setattr(postal, "broken", sleeps)
    assert outbox.send_due(now=SOON) == 0
    assert the(max_).state == (Notice.State.SENT if meanwhile is plain else Notice.State.TRIED)
    assert list(Notice.objects.order_by("pk").values()) == recorded


def test_a_lease_that_ends_in_a_moment_still_holds(max_):
    """What gathers is taken a moment before its time, but never from a worker."""
    post("proposed:7", max_)
    outbox.send_due(now=MONDAY)
    lease = MONDAY + MINUTE
    Notice.objects.filter(channel="email").update(claimed_until=lease)
    post("proposed:8", max_, now=MONDAY, about=8)
    outbox.send_due(now=lease - SECONDS)
    assert [one.subject for one in mail.outbox] == ["Please sign version 8"]
    assert the(max_, key="proposed:7").claimed_until == lease


def test_a_busy_database_leaves_the_rest_to_the_next_run(monkeypatch, caplog):
    def busy(*, now: datetime) -> int:
        raise OperationalError("database is locked")

    monkeypatch.setattr(outbox, "send_due", busy)
    assert tasks.send_notices() == 0
    assert "left to the next run: database is locked" in caplog.text


def test_a_database_that_is_away_is_no_fault_of_a_letter(max_, monkeypatch):
    def away(notices: list[Notice]) -> list[Letter]:
        raise OperationalError("server closed the connection")

    monkeypatch.setattr(postal, "broken", away)
    post("proposed:7", max_, letter=broken)
    with pytest.raises(OperationalError):
        outbox.send_due(now=SOON)
    assert set(rows("failures")) == {(0,)}


def test_what_was_cancelled_is_not_sent_and_what_was_sent_stays_sent(rita):
    post("sent:1", rita)
    outbox.send_due(now=SOON)
    post("failed:1", rita, letter=broken)
    Notice.objects.filter(key="failed:1").update(failures=7)
    outbox.send_due(now=SOON)
    post("waiting:1", rita)
    assert outbox.cancel(Notice.objects.all(), now=MONDAY) == 4
    assert outbox.send_due(now=SOON) == 0
    assert states() == ["sent", "sent", "cancelled", "cancelled", "cancelled", "cancelled"]


# --- Workers ------------------------------------------------------------------------------------------------------


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_workers_that_sweep_in_the_same_instant_send_each_notice_once(desk, monkeypatch):
    monkeypatch.setattr(outbox, "ring", lambda: None)
    monkeypatch.setattr(outbox, "MOST_READERS", 3)  # so that there is something to do for each of them
    people = [make_user(f"person{number}@example.com") for number in range(24)]
    workers, shared = 4, 0
    for round_ in range(4):
        now = MONDAY + round_ * HOUR
        for number in range(3):
            post(f"event:{round_}-{number}", *people, now=now, about=number)
        barrier = Barrier(workers)

        def sweep(now=now, barrier=barrier) -> int:
            try:
                connection.ensure_connection()
                barrier.wait(timeout=30)
                return outbox.send_due(now=now + GATHER)
            finally:
                connection.close()

        with ThreadPoolExecutor(workers) as threads:
            counts = [future.result(timeout=60) for future in [threads.submit(sweep) for _ in range(workers)]]
        assert sum(counts) == 24 * 3 * 2
        shared += sum(count > 0 for count in counts) > 1
    assert shared  # or they did not sweep at the same time
    # One mail for each person and round: no two workers shared somebody's notices.
    assert len({one["Message-ID"] for one in desk.read()}) == len(desk.mails) == 24 * 4
    assert set(states()) == {"sent"}


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_a_reader_whom_another_worker_has_is_left_to_it(max_, sofia, monkeypatch):
    monkeypatch.setattr(outbox, "ring", lambda: None)
    post("proposed:7", max_, sofia)

    def claims() -> list[Notice]:
        try:
            return outbox.claim([max_.pk, sofia.pk], [], channels=["portal", "email"], now=SOON)
        finally:
            connection.close()

    with transaction.atomic(), ThreadPoolExecutor(1) as threads:
        User.objects.select_for_update(no_key=True).get(pk=max_.pk)
        taken = threads.submit(claims).result(timeout=30)
    assert {row.recipient for row in taken} == {sofia} and len(taken) == 2


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_after_a_sigkill_in_the_middle_of_a_mail_another_worker_sends_it_with_the_same_id(
    desk, max_, monkeypatch, settings, tmp_path
):
    monkeypatch.setattr(outbox, "ring", lambda: None)
    desk.silent = True
    User.objects.update(quiet_from=None)  # at whatever time of day this runs
    post("proposed:7", max_)
    environment = {**os.environ, "DATABASE_URL": database_url(), "EMAIL_URL": f"smtp://127.0.0.1:{desk.port}",
                   "VAR_DIR": str(tmp_path), "CELERY_BROKER_URL": "filesystem://"}  # fmt: skip
    process = subprocess.Popen([sys.executable, "manage.py", "outbox"], cwd=settings.BASE_DIR, env=environment)
    try:
        deadline = 60.0
        while not desk.mails and deadline > 0 and process.poll() is None:
            desk.over.wait(0.1)
            deadline -= 0.1
        assert len(desk.mails) == 1 and process.poll() is None
    finally:
        process.send_signal(signal.SIGKILL)
        assert process.wait(timeout=30) == -signal.SIGKILL
    claimed = the(max_)
    assert claimed.state == Notice.State.WAITING and claimed.claimed_until is not None
    desk.silent = False
    assert outbox.send_due(now=claimed.claimed_until - MINUTE) == 0
    assert outbox.send_due(now=claimed.claimed_until) == 1
    first, second = desk.read()
    assert first["Message-ID"] == second["Message-ID"]


def test_the_command_sends_without_celery_and_says_how_many(max_, sofia, capsys):
    User.objects.update(quiet_from=None)
    post("proposed:7", max_, sofia)
    for said in ("4 notices sent.\n", "0 notices sent.\n"):
        call_command("outbox")
        assert capsys.readouterr().out == said
    call_command("outbox", verbosity=0)
    assert capsys.readouterr().out == ""
    assert Heartbeat.objects.get(name="notices")


def test_beat_sends_three_times_a_minute_and_its_task_exists(settings):
    entry = settings.CELERY_BEAT_SCHEDULE["notices"]
    assert entry["task"] == outbox.SEND_NOTICES and entry["task"] in app.tasks
    assert entry["options"]["expire_seconds"] - settings.MOST_SKEW < entry["schedule"] == 20
    tasks.send_notices()
    assert timezone.now() - Heartbeat.objects.get(name="notices").at < MINUTE


# --- The table ----------------------------------------------------------------------------------------------------


def test_the_database_refuses_a_second_row_for_one_event_slot_and_channel(max_):
    post("proposed:7", max_)
    again = Notice(key="proposed:7", slot=f"person:{max_.pk}", channel="email", recipient=max_, letter="x.y", about=1,
                   created_at=MONDAY, due_at=MONDAY)  # fmt: skip
    with pytest.raises(IntegrityError), transaction.atomic():
        again.save()
    with pytest.raises(Exception, match="This person has been told of that already"):
        again.validate_constraints()


@pytest.mark.parametrize("ends", [("sent_at", "cancelled_at"), ("sent_at", "failed_at"), ("cancelled_at", "failed_at")])
def test_the_database_refuses_two_ends_of_one_notice(max_, ends):
    post("proposed:7", max_)
    with pytest.raises(IntegrityError), transaction.atomic():
        Notice.objects.update(**dict.fromkeys(ends, MONDAY))


def test_who_has_notices_cannot_be_deleted(max_):
    post("proposed:7", max_)
    with pytest.raises(IntegrityError), transaction.atomic():
        max_.delete()


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (lambda: Notice.objects.due(MONDAY).order_by("due_at", "pk"), "notice_due"),
        (lambda: Notice.objects.due(MONDAY).filter(recipient=1).order_by("due_at"), "notice_waiting"),
        (lambda: Notice.objects.in_state("failed").order_by(), "notice_failed"),
        (lambda: Notice.objects.filter(recipient=1, channel="portal").order_by("-id"), "notice_bell"),
    ],
)
def test_the_sweep_the_alarms_and_the_bell_read_their_partial_indexes(max_, query, index):
    post("proposed:7", max_)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_sort = off")
    assert index in query().explain()


# --- The admin ----------------------------------------------------------------------------------------------------

LIST = "admin:slaportal_notice_changelist"


@pytest.fixture
def one_of_each(max_, sofia) -> dict[str, Notice]:
    """A notice in every state."""
    NoticePreference.objects.create(person=max_, kind="agreement", email="never")
    for letter in (plain, no_longer):
        post(letter.__name__, max_, letter=letter)
    outbox.send_due(now=MONDAY)
    post("given up", max_, letter=broken)
    Notice.objects.filter(key="given up").update(failures=7)
    post("once", max_, letter=broken)
    outbox.send_due(now=MONDAY)
    post("waits", max_, now=MONDAY + HOUR)
    return {notice.state: notice for notice in Notice.objects.all()}


def test_every_state_is_told_and_found(one_of_each, client, rita):
    assert set(one_of_each) == set(Notice.State.values)
    client.force_login(rita)
    page = client.get(reverse(LIST)).content.decode()
    for state, notice in one_of_each.items():
        assert Notice.State(state).label in page and notice.key in page
        assert list(Notice.objects.in_state(state)) == [notice]
        found = client.get(reverse(LIST), {"state": state})
        assert list(found.context["cl"].queryset) == [notice]
    assert client.get(reverse(LIST), {"state": "lost"}).status_code == 200


def test_notices_are_found_by_channel_and_by_what_they_are_about(client, rita, max_):
    post("miss:1", max_, kind="miss")
    post("alarm:1", max_, kind="alarm")
    client.force_login(rita)
    found = client.get(reverse(LIST), {"channel__exact": "email", "kind": "miss"}).context["cl"].queryset
    assert [(row.key, row.channel) for row in found] == [("miss:1", "email")]


def test_revops_sends_again_what_failed(one_of_each, client, rita):
    client.force_login(rita)
    chosen = [notice.pk for notice in one_of_each.values()]
    response = client.post(reverse(LIST), {"action": "retry", "_selected_action": chosen})
    assert [str(said) for said in get_messages(response.wsgi_request)] == ["1 notice will be sent again."]
    one_of_each["failed"].refresh_from_db()
    assert one_of_each["failed"].state == Notice.State.WAITING
    response = client.post(reverse(LIST), {"action": "retry", "_selected_action": chosen})
    said = [str(message) for message in get_messages(response.wsgi_request)]
    assert said[-1] == "None of these failed, so there is nothing to send again."


def test_revops_cancels_what_nobody_needs_any_more(one_of_each, client, rita):
    client.force_login(rita)
    chosen = [notice.pk for notice in one_of_each.values()]
    for expected in ("3 notices cancelled.", "None of these waits or failed, so there is nothing to cancel."):
        response = client.post(reverse(LIST), {"action": "cancel", "_selected_action": chosen})
        assert [str(said) for said in get_messages(response.wsgi_request)][-1] == expected
    assert sorted(states()) == ["cancelled"] * 4 + ["sent"]


def test_a_notice_is_shown_and_never_edited(one_of_each, client, rita):
    client.force_login(rita)
    notice = one_of_each["failed"]
    page = client.get(reverse("admin:slaportal_notice_change", args=[notice.pk])).content.decode()
    assert "could not answer" in page and SECRET not in page
    before = Notice.objects.values().get(pk=notice.pk)
    assert client.post(reverse("admin:slaportal_notice_change", args=[notice.pk]), {"key": "x"}).status_code == 403
    assert client.post(reverse("admin:slaportal_notice_delete", args=[notice.pk]), {"post": "yes"}).status_code == 403
    assert client.get(reverse("admin:slaportal_notice_add")).status_code == 403
    assert Notice.objects.values().get(pk=notice.pk) == before


@pytest.mark.parametrize("role", [role for role in roles.ROLES if role != roles.REVOPS])
def test_nobody_but_revops_sees_notices_even_with_a_way_into_the_admin(one_of_each, client, role):
    client.force_login(make_user("somebody@example.com", role, is_staff=True))
    assert client.get(reverse(LIST)).status_code == 403
    assert client.post(reverse(LIST), {"action": "retry", "_selected_action": [1]}).status_code == 403
    assert client.post(reverse(LIST), {"action": "cancel", "_selected_action": [1]}).status_code == 403


def test_the_list_asks_as_often_for_thirty_rows_as_for_three(client, rita, django_assert_max_num_queries):
    client.force_login(rita)
    for number in range(30):
        post(f"event:{number}", make_user(f"person{number}@example.com"))
        if number in (2, 29):
            with django_assert_max_num_queries(11):
                assert client.get(reverse(LIST)).status_code == 200


# --- Settings -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("", "filebased /mail"),
        ("smtp+tls://portal:p%40ss@mail.example.com:587", "smtp mail.example.com 587 portal p@ss True False"),
        ("smtp+ssl://mail.example.com:465", "smtp mail.example.com 465 None None False True"),
        ("consolemail://", "console"),
        ("carrier-pigeon://x", "filebased /mail"),
    ],
)
def test_email_url_says_where_mails_go(url, expected, settings, tmp_path):
    asked = (
        "from slaportal import settings as s; kind = s.EMAIL_BACKEND.split('.')[-2];"
        "names = ['HOST', 'PORT', 'HOST_USER', 'HOST_PASSWORD', 'USE_TLS', 'USE_SSL'] if kind == 'smtp' else [];"
        "given = [str(getattr(s, f'EMAIL_{name}', False)) for name in names];"
        "path = str(s.EMAIL_FILE_PATH).removeprefix(str(s.VAR_DIR)) if kind == 'filebased' else '';"
        "print(' '.join([kind, *given, path]).strip())"
    )
    environment = {**os.environ, "EMAIL_URL": url, "VAR_DIR": str(tmp_path)}
    said = subprocess.check_output([sys.executable, "-c", asked], cwd=settings.BASE_DIR, env=environment, text=True)
    assert said.strip() == expected


def found(*, deploy: bool = False) -> dict[str, object]:
    ours = ("slaportal.E004", "slaportal.E005", "slaportal.W002", "slaportal.W003")
    return {one.id: one for one in run_checks(include_deployment_checks=deploy) if one.id in ours}


@pytest.mark.parametrize(
    ("scheme", "host"), [("smtps", "mail.example.com"), ("https", "mail.example.com"), ("smtp", None), ("smtp+tls", "")]
)
def test_e004_no_mail_server(settings, scheme, host):
    settings.EMAIL_SCHEME, settings.EMAIL_HOST = scheme, host
    assert list(found()) == ["slaportal.E004"]
    assert "smtp+tls://user:password@host:587" in found()["slaportal.E004"].hint


@pytest.mark.parametrize(
    "url", ["", "sla.example.com", "//sla.example.com", "ftp://x", "https://", "https://x/?a=b", "https://x/#here"]
)
def test_e005_no_address_for_links(settings, url):
    settings.PORTAL_URL = url
    assert list(found()) == ["slaportal.E005"]


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "https://sla.example.com", "https://example.com/sla/"])
def test_where_links_may_lead(settings, url):
    settings.PORTAL_URL = url
    assert found() == {}


def test_w002_and_w003_a_deployed_portal_without_mail_is_told_but_not_warned(settings):
    settings.DEBUG = False
    settings.EMAIL_SCHEME, settings.PORTAL_URL = "", "http://127.0.0.1:8000"
    told = found(deploy=True)
    assert list(told) == ["slaportal.W002", "slaportal.W003"]
    assert all(type(one) is Info and one.hint for one in told.values())
    assert found(deploy=False) == {}
    settings.DEBUG = True
    assert found(deploy=True) == {}
    settings.DEBUG, settings.EMAIL_SCHEME, settings.PORTAL_URL = False, "smtp+tls", "https://sla.example.com"
    assert found(deploy=True) == {}
