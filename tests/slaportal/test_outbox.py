"""The outbox: a notice is a row before it is a mail, is sent at least once, and is never dropped."""

import os
import re
import signal
import socketserver
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from threading import Barrier, Event, Thread
from urllib.parse import quote

import pytest
from django.contrib.messages import get_messages
from django.core import mail
from django.core.checks import Info, run_checks
from django.core.management import call_command
from django.db import IntegrityError, OperationalError, connection, transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import mark_safe
from kombu.exceptions import OperationalError as BrokerDown

from slaportal import outbox, roles, tasks
from slaportal.celery import app
from slaportal.models import Notice, User
from slaportal.outbox import Attachment, Letter
from tests.conftest import MONDAY, make_user

pytestmark = pytest.mark.django_db

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
SECRET = "the terms that nobody else may read"
PDF = b"%PDF-1.7\n" + bytes(range(256)) * 50
RING = outbox.ring


@pytest.fixture(autouse=True)
def rings(monkeypatch):
    """Here the worker is really called after a commit."""
    monkeypatch.setattr(outbox, "ring", RING)


# --- Letters, as the rooms above write them -----------------------------------------------------------------------


def plain(notice: Notice) -> Letter:
    return Letter(
        subject=f"Please sign version {notice.about}",
        paragraphs=("Rita proposed a new version & asks for your signature.", SECRET),
        link_label="Read and sign",
        link=f"/versions/{notice.about}/",
    )


def with_document(notice: Notice) -> Letter:
    files = (
        Attachment("agreement.pdf", PDF, "application/pdf"),
        Attachment("terms.txt", "Sätze".encode(), "text/plain"),
    )
    return Letter("Beide haben unterschrieben: „DACH“", ("The document is attached.",), "Open it", "/v/", files)


def hostile(notice: Notice) -> Letter:
    return Letter(
        subject="Signed <b>now</b>\r\nBcc: everybody@example.com\n\n<script>alert(1)</script>\x00\u2028",
        paragraphs=(
            "<img src=x onerror=alert(1)> & more\nsecond line",
            mark_safe("<script>alert(2)</script>"),
        ),
        link_label='"><script>alert(3)</script>',
        link='/v/"onmouseover="alert(4)',
        attachments=(Attachment('a"\r\nBcc: everybody@example.com\r\n\r\nb.pdf', PDF, "application/pdf"),),
    )


def local_time(notice: Notice) -> Letter:
    return Letter("When", (f"At {timezone.localtime(notice.created_at):%H:%M}.",), "Open", "/")


def no_longer(notice: Notice) -> None:
    return None


def broken(notice: Notice) -> Letter:
    raise ValueError(SECRET)


def nonsense(notice: Notice) -> str:
    return SECRET


class Killed(BaseException):
    """What a SIGKILL looks like from inside: nothing after it is done."""


def kill(notice: Notice) -> Letter:
    if notice.problem == "":
        raise Killed
    return plain(notice)


def post(key: str = "proposed:7", *recipients: User, letter=plain, now: datetime = MONDAY, about: int = 7) -> None:
    outbox.post(key, recipients=recipients, letter=f"{__name__}.{letter.__name__}", about=about, now=now)


def the(person: User, **which: object) -> Notice:
    return Notice.objects.get(recipient=person, **which)


# --- Posting ------------------------------------------------------------------------------------------------------


def test_each_recipient_gets_a_row_once_however_often_they_are_named(max_, sofia):
    outbox.post("agreed:7", recipients=[max_, sofia, max_], letter="x.y", about=7, now=MONDAY)
    assert set(Notice.objects.values_list("recipient", "key", "letter", "about", "created_at", "due_at")) == {
        (person.pk, "agreed:7", "x.y", 7, MONDAY, MONDAY) for person in (max_, sofia)
    }
    assert {notice.state for notice in Notice.objects.all()} == {Notice.State.WAITING}


def test_people_come_as_any_collection_and_nobody_is_one_too(max_, sofia):
    post("to a query", *User.objects.filter(pk__in=[max_.pk, sofia.pk]))
    outbox.post("to a set", recipients={max_}, letter="x.y", about=1, now=MONDAY)
    outbox.post("to nobody", recipients=[], letter="x.y", about=1, now=MONDAY)
    assert sorted(Notice.objects.values_list("key", flat=True)) == ["to a query", "to a query", "to a set"]


def test_an_event_that_is_told_again_tells_only_who_was_not_told(max_, sofia):
    post("proposed:7", max_)
    assert outbox.send_due(now=MONDAY) == 1
    post("proposed:7", max_, sofia, now=MONDAY + HOUR)
    assert (the(max_).state, the(sofia).state) == (Notice.State.SENT, Notice.State.WAITING)
    assert outbox.send_due(now=MONDAY + HOUR) == 1
    assert [mail_.to for mail_ in mail.outbox] == [["max@example.com"], ["sofia@example.com"]]


def test_another_event_of_the_same_row_is_told_as_well(max_):
    post("proposed:7", max_)
    post("agreed:7", max_)
    assert outbox.send_due(now=MONDAY) == 2


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
        assert not mail.outbox
    assert [mail_.subject for mail_ in mail.outbox] == ["Please sign version 7"]
    assert the(max_).state == Notice.State.SENT


def test_a_broker_that_is_down_breaks_nobodys_page(max_, monkeypatch, caplog, django_capture_on_commit_callbacks):
    def down(*args: object, **options: object) -> None:
        raise BrokerDown("redis://portal:secret@broker refused")

    monkeypatch.setattr(tasks.send_notices, "apply_async", down)
    with django_capture_on_commit_callbacks(execute=True):
        post("proposed:7", max_)
    assert "no worker could be called (OperationalError); the next sweep sends them" in caplog.text
    assert "secret" not in caplog.text
    assert outbox.send_due(now=MONDAY) == 1


# --- Sending ------------------------------------------------------------------------------------------------------


def test_a_notice_becomes_a_mail_in_html_and_text_with_one_link(max_, settings):
    settings.PORTAL_URL = "https://sla.example.com/portal/"
    settings.DEFAULT_FROM_EMAIL = "SLA Portal <sla@example.com>"
    post("proposed:7", max_)
    assert outbox.send_due(now=MONDAY + MINUTE) == 1
    (written,) = mail.outbox
    assert (written.subject, written.to, written.from_email) == (
        "Please sign version 7", ["max@example.com"], "SLA Portal <sla@example.com>"
    )  # fmt: skip
    ((html, kind),) = written.alternatives
    assert kind == "text/html"
    for part, text in ((html, "Rita proposed a new version &amp; asks"), (written.body, "a new version & asks")):
        assert text in part and SECRET in part and "Read and sign" in part
        assert "https://sla.example.com/portal/versions/7/" in part
    assert len(re.findall('class="button"', html)) == 1
    headers = written.message()
    assert headers["Message-ID"] == f"<notice.{the(max_).pk}.20250303090000@example.com>"
    assert headers["Auto-Submitted"] == "auto-generated"
    assert (the(max_).sent_at, the(max_).claimed_until) == (MONDAY + MINUTE, None)


def test_what_was_sent_is_not_sent_again_and_what_is_not_due_waits(max_, sofia):
    post("now", max_)
    post("later", sofia, now=MONDAY + HOUR)
    assert [outbox.send_due(now=MONDAY + MINUTE) for _ in range(3)] == [1, 0, 0]
    assert outbox.send_due(now=MONDAY + HOUR) == 1
    assert [mail_.to for mail_ in mail.outbox] == [["max@example.com"], ["sofia@example.com"]]


def test_the_oldest_is_sent_first(max_):
    for minutes in (3, 1, 2):
        post(f"event:{minutes}", max_, now=MONDAY + minutes * MINUTE, about=minutes)
    assert outbox.send_due(now=MONDAY + HOUR) == 3
    assert [mail_.subject[-1] for mail_ in mail.outbox] == ["1", "2", "3"]


def test_a_letter_that_no_longer_holds_is_cancelled_and_never_asked_again(max_):
    post("proposed:7", max_, letter=no_longer)
    assert outbox.send_due(now=MONDAY + MINUTE) == 0
    notice = the(max_)
    assert (notice.state, notice.cancelled_at, notice.claimed_until) == ("cancelled", MONDAY + MINUTE, None)
    assert outbox.send_due(now=MONDAY + 2 * HOUR) == 0
    assert not mail.outbox


def test_who_may_not_log_in_any_more_gets_no_mail_and_the_row_says_so(max_, sofia):
    post("proposed:7", max_, sofia)
    max_.is_active = False
    max_.save()
    assert outbox.send_due(now=MONDAY) == 1
    assert (the(max_).state, the(max_).problem) == (Notice.State.CANCELLED, "Max may not log in any more.")
    assert [mail_.to for mail_ in mail.outbox] == [["sofia@example.com"]]


def test_times_in_a_letter_are_the_readers(db):
    for zone in ("Europe/Berlin", "America/New_York"):
        post("event", make_user(f"{zone[:2].lower()}@example.com", time_zone=zone), letter=local_time)
    outbox.send_due(now=MONDAY)
    assert [mail_.body.split("\n")[0] for mail_ in mail.outbox] == ["At 10:00.", "At 04:00."]
    assert timezone.get_current_timezone_name() == "UTC"


def test_one_bad_notice_never_stops_the_others(max_, sofia, caplog):
    for letter in (broken, nonsense, no_longer, plain):
        post(letter.__name__, max_, letter=letter)
    outbox.post("leads nowhere", recipients=[max_], letter="nowhere.at_all", about=1, now=MONDAY)
    post("proposed:7", sofia, now=MONDAY + MINUTE)
    assert outbox.send_due(now=MONDAY + MINUTE) == 2
    problems = dict(Notice.objects.in_state(Notice.State.TRIED).values_list("key", "problem"))
    assert set(problems) == {"broken", "nonsense", "leads nowhere"}
    assert re.fullmatch(
        rf"{__name__}\.broken could not be written: ValueError in test_outbox\.py, line \d+\.", problems["broken"]
    )
    assert problems["leads nowhere"].startswith("nowhere.at_all could not be written: ModuleNotFoundError in ")
    assert SECRET not in caplog.text + "".join(problems.values())
    assert f"notice {the(max_, key='broken').pk}: try 1 of 8 failed" in caplog.text


def test_a_run_ends_in_time_for_the_tick_and_the_next_one_goes_on(max_, monkeypatch):
    for number in range(5):
        post(f"event:{number}", max_)
    seconds = iter([0.0, 10.0, 20.0, 30.1])
    monkeypatch.setattr(outbox, "monotonic", lambda: next(seconds))
    assert outbox.send_due(now=MONDAY) == 2
    assert list(Notice.objects.waiting().values_list("claimed_until", "failures")) == [(None, 0)] * 3
    monkeypatch.undo()
    assert outbox.send_due(now=MONDAY) == 3


# --- Failures -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("failures", "minutes"), [(1, 1), (2, 2), (3, 4), (4, 8), (5, 16), (6, 32), (7, 60), (8, 60), (30, 60)]
)
def test_each_failure_doubles_the_wait_up_to_an_hour_and_draws_up_to_a_quarter_more(failures, minutes):
    waits = [outbox.wait_after(failures, notice_id=number) for number in range(1, 400)]
    assert minutes * MINUTE <= min(waits) < 1.01 * minutes * MINUTE
    assert 1.24 * minutes * MINUTE < max(waits) < 1.25 * minutes * MINUTE
    assert len(set(waits)) > 250  # those that failed together come back one by one
    assert waits == [outbox.wait_after(failures, notice_id=number) for number in range(1, 400)]


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
    assert timedelta(minutes=123) <= notice.failed_at - MONDAY < timedelta(minutes=123 * 1.25 + 8)
    assert len(caplog.records) == 8
    assert outbox.send_due(now=now + timedelta(days=30)) == 0
    assert the(max_).failures == 8
    assert "ValueError" in the(max_).problem


def test_a_notice_that_failed_is_sent_again_once_somebody_asks_for_it(max_, django_capture_on_commit_callbacks):
    post("proposed:7", max_, letter=broken)
    now = fail_until_given_up(max_)
    Notice.objects.update(letter=f"{__name__}.plain")
    with django_capture_on_commit_callbacks(execute=True):
        assert outbox.retry(Notice.objects.all(), now=now) == 1
        assert (the(max_).state, the(max_).failures, the(max_).due_at) == (Notice.State.WAITING, 0, now)
    assert len(mail.outbox) == 1
    assert (the(max_).state, the(max_).problem) == (Notice.State.SENT, "")


def test_only_what_failed_is_sent_again(max_):
    for key, letter in (("sent", plain), ("cancelled", no_longer), ("tried", broken)):
        post(key, max_, letter=letter)
    outbox.send_due(now=MONDAY)
    before = list(Notice.objects.values())
    assert outbox.retry(Notice.objects.all(), now=MONDAY + MINUTE) == 0
    assert list(Notice.objects.values()) == before


def test_a_worker_killed_between_claim_and_sending_loses_nothing(max_, sofia):
    post("proposed:7", max_, letter=kill)
    post("proposed:7", sofia, now=MONDAY + timedelta.resolution)
    with pytest.raises(Killed):
        outbox.send_due(now=MONDAY)
    Notice.objects.filter(recipient=max_).update(problem="killed")  # so that the letter can be written next time
    assert the(max_).claimed_until == MONDAY + outbox.LEASE
    # The others go on at once, the claimed one when its lease has ended.
    assert outbox.send_due(now=MONDAY + outbox.LEASE - timedelta.resolution) == 1
    assert the(max_).state == Notice.State.WAITING
    assert outbox.send_due(now=MONDAY + outbox.LEASE) == 1
    assert [mail_.to for mail_ in mail.outbox] == [["sofia@example.com"], ["max@example.com"]]


@pytest.mark.parametrize("meanwhile", [plain, nonsense])
def test_a_worker_that_wakes_after_its_lease_does_not_overwrite_what_another_recorded(max_, monkeypatch, meanwhile):
    post("proposed:7", max_, letter=broken)
    recorded: list[dict] = []

    def sleeps(notice: Notice) -> Letter:
        """While the first worker is in here, a second one finds the lease ended, and sends or fails."""
        monkeypatch.setattr(f"{__name__}.broken", meanwhile)
        outbox.send_due(now=MONDAY + outbox.LEASE)
        recorded.extend(Notice.objects.values())
        raise ValueError

    monkeypatch.setattr(f"{__name__}.broken", sleeps)
    assert outbox.send_due(now=MONDAY) == 0
    assert the(max_).state == (Notice.State.SENT if meanwhile is plain else Notice.State.TRIED)
    assert list(Notice.objects.values()) == recorded


def test_a_busy_database_leaves_the_rest_to_the_next_run(monkeypatch, caplog):
    def busy(*, now: datetime) -> int:
        raise OperationalError("database is locked")

    monkeypatch.setattr(outbox, "send_due", busy)
    assert tasks.send_notices() == 0
    assert "left to the next run: database is locked" in caplog.text


# --- What the mail looks like -------------------------------------------------------------------------------------


def sent(letter, person: User) -> EmailMessage:
    """The letter as it leaves the house, read again as a mail program reads it."""
    post("event", person, letter=letter)
    outbox.send_due(now=MONDAY)
    return message_from_bytes(mail.outbox[-1].message().as_bytes(), policy=policy.default)


def test_hostile_text_stays_text(max_):
    html = sent(hostile, max_).get_body("html").get_content()
    for number in (1, 2, 3):
        assert not re.search(rf"<[^>]*alert\({number}\)", html)
        assert f"alert({number})" in html
    assert "<script" not in html and "<img" not in html and '"onmouseover' not in html
    assert "&lt;img src=x onerror=alert(1)&gt; &amp; more<br>second line" in html
    text = mail.outbox[-1].body
    assert "<img src=x onerror=alert(1)> & more\nsecond line" in text and "<script>alert(2)</script>" in text


def test_no_line_break_of_a_subject_or_a_file_name_becomes_a_header(max_):
    written = sent(hostile, max_)
    assert written["Subject"] == "Signed <b>now</b> Bcc: everybody@example.com <script>alert(1)</script>"
    assert written["Bcc"] is None and written["To"] == "max@example.com"
    (file,) = written.iter_attachments()
    assert file["Bcc"] is None
    assert file.get_filename().endswith("b.pdf") and file.get_content() == PDF


def test_a_mail_asks_nothing_of_the_network_and_fits_old_and_small_programs(max_, settings):
    html = sent(plain, max_).get_body("html").get_content()
    assert "<img" not in html and "<link" not in html and "@import" not in html and "url(" not in html
    assert set(re.findall(r'href="([^"]+)"', html)) == {settings.PORTAL_URL, f"{settings.PORTAL_URL}/versions/7/"}
    assert html.count("<table") - html.count("mso]><table") == html.count('role="presentation"') - 1
    assert "prefers-color-scheme: dark" in html and "width=device-width" in html and "<!--[if mso]>" in html
    assert not any(len(line) > 998 for line in html.splitlines())  # the most that SMTP carries


@pytest.mark.parametrize("link", ["", "versions/7/", "https://elsewhere.example", "@elsewhere.example"])
def test_a_letter_leads_to_a_page_of_the_portal_and_nowhere_else(link):
    with pytest.raises(ValueError, match="is no path of the portal"):
        Letter("Subject", ("Text",), "Open", link)


# --- A real server ------------------------------------------------------------------------------------------------


@dataclass
class Post:
    """What a mail server got, and how it behaves."""

    port: int = 0
    mails: list[tuple[str, bytes]] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    silent: bool = False  # takes a mail and says nothing more
    over: Event = field(default_factory=Event)

    def read(self) -> list[EmailMessage]:
        return [message_from_bytes(content, policy=policy.default) for _, content in self.mails]


class Conversation(socketserver.StreamRequestHandler):
    """As much SMTP as one sender needs."""

    def say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())

    def handle(self) -> None:
        desk: Post = self.server.desk
        address = ""
        self.say("220 sink ready")
        for raw in self.rfile:
            line = raw.decode().strip()
            match line.split(" ")[0].split(":")[0].upper():
                case "RCPT":
                    address = line.partition("<")[2].partition(">")[0]
                    self.say("550 5.1.1 No such person here" if address in desk.refused else "250 OK")
                case "DATA":
                    self.say("354 Go on")
                    content = b"".join(iter(self.rfile.readline, b".\r\n"))
                    desk.mails.append((address, content.replace(b"\r\n..", b"\r\n.")))
                    if desk.silent:
                        desk.over.wait(30)
                        return
                    self.say("250 Taken")
                case "QUIT":
                    self.say("221 Bye")
                    return
                case _:
                    self.say("250 OK")


@contextmanager
def server() -> Iterator[Post]:
    """A mail server on this machine."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Conversation) as tcp:
        tcp.daemon_threads, tcp.block_on_close = True, False
        tcp.desk = Post(port=tcp.server_address[1])
        Thread(target=tcp.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield tcp.desk
        tcp.desk.over.set()
        tcp.shutdown()


@pytest.fixture
def desk(settings) -> Iterator[Post]:
    """A mail server to which this portal sends."""
    with server() as running:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", running.port, 5
        yield running


def test_a_mail_arrives_with_its_documents_as_it_was_written(desk, sofia):
    post("agreed:7", sofia, letter=with_document)
    assert outbox.send_due(now=MONDAY) == 1
    ((address, _),) = desk.mails
    (arrived,) = desk.read()
    assert address == "sofia@example.com" == arrived["To"]
    assert arrived["Subject"] == "Beide haben unterschrieben: „DACH“"
    assert arrived["Message-ID"] == f"<notice.{the(sofia).pk}.20250303090000@localhost>"
    assert "The document is attached." in arrived.get_body("plain").get_content()
    assert "The document is attached." in arrived.get_body("html").get_content()
    files = {file.get_filename(): (file.get_content_type(), file.get_content()) for file in arrived.iter_attachments()}
    assert files["agreement.pdf"] == ("application/pdf", PDF)
    assert files["terms.txt"][0] == "text/plain" and files["terms.txt"][1].strip() == "Sätze"


def test_an_address_that_the_server_refuses_is_told_in_a_sentence_and_the_others_get_theirs(desk, max_, sofia, ron):
    desk.refused.add("max@example.com")
    post("agreed:7", max_, sofia, ron)
    assert outbox.send_due(now=MONDAY) == 2
    assert the(max_).problem == "The mail server refused the address: 550 5.1.1 No such person here"
    assert MONDAY + MINUTE <= the(max_).due_at < MONDAY + 1.25 * MINUTE
    desk.refused.clear()
    assert outbox.send_due(now=MONDAY + 2 * MINUTE) == 1
    assert sorted(address for address, _ in desk.mails) == ["max@example.com", "ron@example.com", "sofia@example.com"]


def test_a_person_without_an_address_is_a_problem_and_never_counted_as_sent(desk, max_):
    User.objects.filter(pk=max_.pk).update(email="")
    post("proposed:7", max_)
    assert outbox.send_due(now=MONDAY) == 0
    assert the(max_).problem.startswith("The mail could not be sent: ValueError in outbox.py")


def test_a_server_that_falls_silent_is_left_after_the_time_limit_and_the_second_copy_is_known_as_one(
    desk, max_, settings
):
    settings.EMAIL_TIMEOUT = 0.3
    desk.silent = True
    post("agreed:7", max_)
    assert outbox.send_due(now=MONDAY) == 0
    assert "timed out" in the(max_).problem
    desk.silent = False
    assert outbox.send_due(now=MONDAY + 2 * MINUTE) == 1
    first, second = desk.read()
    assert first["Message-ID"] == second["Message-ID"]


def test_while_no_server_can_be_reached_one_notice_tries_for_all(desk, max_, sofia, ron, settings):
    with socketserver.TCPServer(("127.0.0.1", 0), None) as closed:
        settings.EMAIL_PORT = closed.server_address[1]
    post("agreed:7", max_, sofia, ron)
    assert outbox.send_due(now=MONDAY) == 0
    tried = Notice.objects.get(failures=1)
    assert tried.problem == "The mail could not be handed over: Connection refused."
    assert list(Notice.objects.exclude(pk=tried.pk).values_list("failures", "claimed_until")) == [(0, None)] * 2
    settings.EMAIL_PORT = desk.port
    assert outbox.send_due(now=MONDAY + 2 * MINUTE) == 3


def test_a_password_that_the_server_does_not_take_is_told_without_the_password(desk, max_, settings, caplog):
    settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "portal", "hunter2"
    post("agreed:7", max_)
    assert outbox.send_due(now=MONDAY) == 0
    assert the(max_).problem == "The mail server broke off: SMTP AUTH extension not supported by server."
    assert "hunter2" not in caplog.text


def test_without_a_server_a_mail_is_a_file(max_, settings, tmp_path):
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = tmp_path / "mail"
    post("proposed:7", max_)
    assert outbox.send_due(now=MONDAY) == 1
    (file,) = settings.EMAIL_FILE_PATH.iterdir()
    assert message_from_bytes(file.read_bytes(), policy=policy.default)["Subject"] == "Please sign version 7"


def test_a_folder_that_cannot_be_written_is_a_problem_of_the_notice_and_no_crash(max_, settings, tmp_path):
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = tmp_path / "mail"
    settings.EMAIL_FILE_PATH.touch()
    post("proposed:7", max_)
    assert outbox.send_due(now=MONDAY) == 0
    assert the(max_).problem.startswith("The mail could not be sent: ImproperlyConfigured in filebased.py")


# --- Workers ------------------------------------------------------------------------------------------------------


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_workers_that_sweep_in_the_same_instant_send_each_notice_once(desk, monkeypatch):
    monkeypatch.setattr(outbox, "ring", lambda: None)
    people = [make_user(f"person{number}@example.com") for number in range(4)]
    workers, shared = 4, 0
    for round_ in range(5):
        now = MONDAY + round_ * HOUR
        for number in range(5):
            post(f"event:{round_}-{number}", *people, now=now)
        barrier = Barrier(workers)

        def sweep(now=now, barrier=barrier) -> int:
            try:
                connection.ensure_connection()
                barrier.wait(timeout=30)
                return outbox.send_due(now=now)
            finally:
                connection.close()

        with ThreadPoolExecutor(workers) as threads:
            counts = [future.result(timeout=60) for future in [threads.submit(sweep) for _ in range(workers)]]
        assert sum(counts) == 20
        shared += sum(count > 0 for count in counts) > 1
    assert shared  # or they did not sweep at the same time
    assert len({one["Message-ID"] for one in desk.read()}) == len(desk.mails) == 100
    assert Notice.objects.in_state(Notice.State.SENT).count() == 100


def database_url() -> str:
    given = connection.settings_dict
    person = quote(given["USER"]) + (f":{quote(given['PASSWORD'])}" if given["PASSWORD"] else "")
    return f"postgres://{person}@{given['HOST']}:{given['PORT'] or 5432}/{given['NAME']}"


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_after_a_sigkill_in_the_middle_of_a_mail_another_worker_sends_it_with_the_same_id(
    desk, max_, monkeypatch, settings, tmp_path
):
    monkeypatch.setattr(outbox, "ring", lambda: None)
    desk.silent = True
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
    post("proposed:7", max_, sofia)
    for said in ("2 notices sent.\n", "0 notices sent.\n"):
        call_command("outbox")
        assert capsys.readouterr().out == said
    call_command("outbox", verbosity=0)
    assert capsys.readouterr().out == ""


def test_beat_sends_each_minute_and_its_task_exists(settings):
    entry = settings.CELERY_BEAT_SCHEDULE["notices"]
    assert entry["task"] == outbox.SEND_NOTICES and entry["task"] in app.tasks
    assert entry["options"]["expires"] < entry["schedule"] == 60


# --- The table ----------------------------------------------------------------------------------------------------


def test_the_database_refuses_a_second_row_for_one_event_and_person(max_):
    post("proposed:7", max_)
    again = Notice(key="proposed:7", recipient=max_, letter="x.y", about=1, created_at=MONDAY, due_at=MONDAY)
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


def test_the_sweep_reads_the_partial_index(max_):
    post("proposed:7", max_)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
    assert "notice_due" in Notice.objects.due(MONDAY).order_by("due_at", "pk").explain()


# --- The admin ----------------------------------------------------------------------------------------------------

LIST = "admin:slaportal_notice_changelist"


@pytest.fixture
def one_of_each(max_, sofia) -> dict[str, Notice]:
    """A notice in every state."""
    for letter in (plain, no_longer):
        post(letter.__name__, max_, letter=letter)
    outbox.send_due(now=MONDAY)
    post("given up", max_, letter=broken)
    Notice.objects.filter(key="given up").update(failures=7)
    post("once", max_, letter=broken)
    outbox.send_due(now=MONDAY)
    post("waits", sofia, now=MONDAY + HOUR)
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


def test_a_notice_is_shown_and_never_edited(one_of_each, client, rita):
    client.force_login(rita)
    notice = one_of_each["failed"]
    page = client.get(reverse("admin:slaportal_notice_change", args=[notice.pk])).content.decode()
    assert "could not be written" in page and SECRET not in page
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


def test_what_was_cancelled_is_not_sent_and_what_was_sent_stays_sent(rita):
    post("sent:1", rita)
    outbox.send_due(now=MONDAY)
    post("waiting:1", rita)
    assert outbox.cancel(Notice.objects.all(), now=MONDAY) == 1
    assert outbox.send_due(now=MONDAY) == 0
    assert sorted(notice.state for notice in Notice.objects.all()) == [Notice.State.CANCELLED, Notice.State.SENT]
