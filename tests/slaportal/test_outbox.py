"""The outbox: a notice is a row before it is a mail, is sent at least once, and is never dropped."""

import re

import pytest
from django.core import mail
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from slaportal import delivery, outbox, tasks
from slaportal.celery import app
from slaportal.letters import Letter
from slaportal.models import Heartbeat, Notice, NoticePreference, User
from slaportal.outbox import Post
from tests.conftest import MONDAY, make_user
from tests.slaportal import postal
from tests.slaportal.postal import (
    HOUR,
    MINUTE,
    SECRET,
    SOON,
    broken,
    broken_for_seven,
    local_time,
    no_longer,
    nonsense,
    plain,
    post,
    post_to_team,
    rows,
    states,
    the,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("rings")]


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
        # Of one row every index is as good as another: which is chosen would depend on statistics.
        for other in {"notice_due", "notice_waiting", "notice_failed", "notice_bell"} - {index}:
            cursor.execute(f"DROP INDEX {other}")
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_sort = off")
    assert index in query().explain()
