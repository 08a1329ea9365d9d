"""What fails: a letter comes back later and is given up in the end; a broker or database that is away costs none."""

import runpy
import socket
from collections.abc import Iterator
from datetime import datetime, timedelta
from threading import Thread
from time import monotonic

import pytest
from celery import Celery
from django.core import mail
from django.db import OperationalError
from kombu.exceptions import OperationalError as BrokerDown

from slaportal import outbox, tasks, tries
from slaportal.letters import Letter
from slaportal.models import Notice, User
from tests.conftest import MONDAY
from tests.slaportal import postal
from tests.slaportal.postal import (
    HOUR,
    MINUTE,
    SOON,
    broken,
    broken_for_seven,
    name_of,
    no_longer,
    plain,
    post,
    rows,
    states,
    the,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("rings")]


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


# --- Broker and database ------------------------------------------------------------------------------------------


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
