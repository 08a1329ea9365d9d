"""How notices leave the house: what a mail looks like, and what becomes of it on a real wire."""

import re
import socketserver
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from time import monotonic

import pytest
from django.core import mail

from slaportal import chat, delivery, outbox, smtp
from slaportal.letters import MOST_IN_FULL, Letter
from slaportal.models import Notice, Team, User
from slaportal.paces import GATHER
from tests.conftest import MONDAY, make_user
from tests.slaportal.postal import (
    HOUR,
    MINUTE,
    PDF,
    SECRET,
    SOON,
    hostile,
    local_time,
    plain,
    post,
    post_to_team,
    states,
    the,
    with_document,
)

pytestmark = pytest.mark.django_db
SECOND = timedelta(seconds=1)


def sent(letter, person: User) -> EmailMessage:
    """The letter as it leaves the house, read again as a mail program reads it."""
    post("event", person, letter=letter)
    outbox.send_due(now=SOON)
    return message_from_bytes(mail.outbox[-1].message().as_bytes(), policy=policy.default)


# --- What the mail looks like -------------------------------------------------------------------------------------


def test_a_notice_becomes_a_mail_in_html_and_text_with_one_button(max_, settings):
    settings.PORTAL_URL = "https://sla.example.com/portal/"
    settings.DEFAULT_FROM_EMAIL = "SLA Portal <sla@example.com>"
    post("proposed:7", max_)
    assert outbox.send_due(now=SOON) == 2
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
    assert headers["Message-ID"] == f"<notice.{the(max_).envelope:x}@example.com>"
    assert headers["Auto-Submitted"] == "auto-generated"
    assert (the(max_).sent_at - SOON < MINUTE, the(max_).claimed_until) == (True, None)
    assert the(max_).subject == "Please sign version 7"


def test_hostile_text_stays_text(max_):
    html = sent(hostile, max_).get_body("html").get_content()
    for number in (1, 2, 3):
        assert not re.search(rf"<[^>]*alert\({number}\)", html)
        assert f"alert({number})" in html
    assert "<script" not in html and "<img" not in html and '"onmouseover' not in html
    assert "&lt;img src=x onerror=alert(1)&gt; &amp; more<br>second line" in html
    text = mail.outbox[-1].body
    assert "<img src=x onerror=alert(1)> & more\nsecond line" in text and "<script>alert(2)</script>" in text


@pytest.mark.parametrize("many", [2, MOST_IN_FULL, MOST_IN_FULL + 1])
def test_hostile_text_stays_text_also_in_a_mail_of_several(max_, many):
    for number in range(many - 1):
        post(f"event:{number}", max_, letter=hostile)
    html = sent(hostile, max_).get_body("html").get_content()
    assert html.count("alert(1)") >= many
    assert "<script" not in html and "<img" not in html and '"onmouseover' not in html
    assert "Bcc" not in mail.outbox[-1].message() and len(mail.outbox) == 1


def test_no_line_break_of_a_subject_or_a_file_name_becomes_a_header(max_):
    written = sent(hostile, max_)
    assert written["Subject"] == "Signed <b>now</b> Bcc: everybody@example.com <script>alert(1)</script>"
    assert written["Bcc"] is None and written["To"] == "max@example.com"
    (file,) = written.iter_attachments()
    assert file["Bcc"] is None
    assert file.get_filename().endswith("b.pdf") and file.get_content() == PDF
    shown = Notice.objects.get(channel="portal")
    assert shown.subject == written["Subject"]


def test_a_mail_asks_nothing_of_the_network_and_fits_old_and_small_programs(max_, settings):
    html = sent(plain, max_).get_body("html").get_content()
    assert "<img" not in html and "<link" not in html and "@import" not in html and "url(" not in html
    links = set(re.findall(r'href="([^"]+)"', html))
    assert f"{settings.PORTAL_URL}/versions/7/" in links
    assert all(link.startswith(settings.PORTAL_URL) for link in links)
    assert html.count("<table") - html.count("mso]><table") == html.count('role="presentation"') - 1
    assert "prefers-color-scheme: dark" in html and "width=device-width" in html and "<!--[if mso]>" in html
    assert not any(len(line) > 998 for line in html.splitlines())  # the most that SMTP carries


@pytest.mark.parametrize("link", ["", "versions/7/", "https://elsewhere.example", "@elsewhere.example"])
def test_a_letter_leads_to_a_page_of_the_portal_and_nowhere_else(link):
    with pytest.raises(ValueError, match="is no path of the portal"):
        Letter("Subject", ("Text",), "Open", link)


def test_what_is_attached_to_one_of_several_letters_goes_with_them(max_):
    post("agreed:1", max_, letter=plain)
    post("agreed:2", max_, letter=with_document)
    outbox.send_due(now=SOON)
    (written,) = mail.outbox
    assert [name for name, *_ in written.attachments] == ["agreement.pdf", "terms.txt"]


def test_no_kind_is_lost_from_a_digest_when_it_is_taken_from_the_settings(max_, settings):
    for number in range(8):
        post(f"event:{number}", max_, kind="miss" if number % 2 else "plan", about=number)
    settings.NOTICE_KINDS = {"miss": "A promise was broken"}
    outbox.send_due(now=SOON)
    (written,) = mail.outbox
    assert written.subject == "8 notices: 4 × a promise was broken, 4 × other"
    assert all(f"/versions/{number}/" in written.body for number in range(8))


# --- A real server ------------------------------------------------------------------------------------------------


def test_a_mail_arrives_with_its_documents_as_it_was_written(desk, sofia):
    post("agreed:7", sofia, letter=with_document)
    assert outbox.send_due(now=SOON) == 2
    ((address, _),) = desk.mails
    (arrived,) = desk.read()
    assert address == "sofia@example.com" == arrived["To"]
    assert arrived["Subject"] == "Beide haben unterschrieben: „DACH“"
    assert arrived["Message-ID"] == f"<notice.{the(sofia).envelope:x}@localhost>"
    assert "The document is attached." in arrived.get_body("plain").get_content()
    assert "The document is attached." in arrived.get_body("html").get_content()
    files = {file.get_filename(): (file.get_content_type(), file.get_content()) for file in arrived.iter_attachments()}
    assert files["agreement.pdf"] == ("application/pdf", PDF)
    assert files["terms.txt"][0] == "text/plain" and files["terms.txt"][1].strip() == "Sätze"


def test_one_connection_carries_the_mails_of_a_run(desk, max_, sofia, ron):
    post("agreed:7", max_, sofia, ron)
    outbox.send_due(now=SOON)
    assert (len(desk.mails), desk.calls) == (3, 1)


def test_a_server_that_has_enough_of_a_connection_gets_a_new_one_and_no_try_is_used_up(desk, db):
    desk.most_of_a_call = 2
    post("event", *(make_user(f"p{number}@example.com") for number in range(5)))
    outbox.send_due(now=SOON)
    assert (len(desk.mails), desk.calls) == (5, 3)
    assert set(states(channel="email")) == {"sent"}
    assert set(Notice.objects.values_list("failures", flat=True)) == {0}


def test_a_server_that_falls_silent_on_a_connection_that_worked_gets_no_second_copy_at_once(
    desk, max_, sofia, settings, monkeypatch
):
    settings.EMAIL_TIMEOUT = 0.3
    real = delivery.hand_over

    def then_silent(line: object, written: object) -> None:
        real(line, written)
        desk.silent = True

    monkeypatch.setattr(delivery, "hand_over", then_silent)
    post("agreed:7", max_, sofia)
    outbox.send_due(now=SOON)
    assert len(desk.mails) == 2 and sorted(states(channel="email")) == ["sent", "tried"]


def test_an_address_that_the_server_refuses_is_told_in_a_sentence_and_the_others_get_theirs(desk, max_, sofia, ron):
    desk.refused.add("max@example.com")
    post("agreed:7", max_, sofia, ron)
    assert outbox.send_due(now=SOON) == 5
    assert the(max_).problem == "The mail server refused the address: 550 5.1.1 No such person here"
    assert SOON + MINUTE <= the(max_).due_at < SOON + 1.3 * MINUTE
    desk.refused.clear()
    assert outbox.send_due(now=SOON + 2 * MINUTE) == 1
    assert sorted(address for address, _ in desk.mails) == ["max@example.com", "ron@example.com", "sofia@example.com"]


def test_a_person_without_an_address_is_a_problem_and_never_counted_as_sent(desk, max_):
    User.objects.filter(pk=max_.pk).update(email="")
    post("proposed:7", max_)
    assert outbox.send_due(now=SOON) == 1  # in the portal
    assert the(max_).problem.startswith("It could not be sent: ValueError in delivery.py")


def test_a_server_that_falls_silent_is_left_after_the_time_limit_and_the_second_copy_is_known_as_one(
    desk, max_, settings
):
    settings.EMAIL_TIMEOUT = 0.3
    desk.silent = True
    post("agreed:7", max_)
    assert outbox.send_due(now=SOON) == 1
    assert "timed out" in the(max_).problem
    desk.silent = False
    assert outbox.send_due(now=SOON + 2 * MINUTE) == 1
    first, second = desk.read()
    assert first["Message-ID"] == second["Message-ID"]


def test_a_server_that_answers_sign_by_sign_is_left_in_time_too(desk, max_, monkeypatch):
    """Each sign comes within the time limit for one read; all of them together took longer than the lease."""
    monkeypatch.setattr(smtp, "LONGEST", 0.4)
    desk.pause = 0.2
    post("agreed:7", max_)
    begun = monotonic()
    assert outbox.send_due(now=SOON) == 1
    assert monotonic() - begun < 1.5  # ten signs take two seconds
    assert the(max_).problem == "The mail server did not take it within 0.4 seconds."
    desk.pause = 0.0
    assert outbox.send_due(now=SOON + 2 * MINUTE) == 1
    first, second = desk.read()
    assert first["Message-ID"] == second["Message-ID"]


def test_a_mail_is_only_begun_while_there_is_time_to_end_it_before_another_worker_may(desk, max_, monkeypatch):
    """The connection took longer than anybody thought, so its notice is claimed once more."""
    late = outbox.LEASE - delivery.LONGEST_MESSAGE + timedelta(seconds=1)
    real, leases = delivery.Round._called, []

    def takes_long(round_: delivery.Round) -> object:
        if not leases:
            round_._from += late
        leases.append(the(max_).claimed_until - round_.now)
        return real(round_)

    monkeypatch.setattr(delivery.Round, "_called", takes_long)
    post("agreed:7", max_)
    assert outbox.send_due(now=SOON) == 2
    assert [left > delivery.LONGEST_MESSAGE for left in leases] == [False, True]
    assert len(desk.mails) == 1 and the(max_).failures == 0


def test_what_somebody_cancels_while_it_is_on_its_way_to_the_wire_stays_behind(desk, max_, monkeypatch):
    for number in range(3):
        post(f"event:{number}", max_, about=number)
    real = delivery.Round._called

    def meanwhile(round_: delivery.Round) -> object:
        outbox.cancel(Notice.objects.filter(key="event:1"), now=SOON)
        return real(round_)

    monkeypatch.setattr(delivery.Round, "_called", meanwhile)
    outbox.send_due(now=SOON)
    (written,) = desk.read()
    assert written["Subject"] == "Please sign version 0 and 1 more"
    assert states(channel="email") == ["sent", "cancelled", "sent"]


# --- A server that cannot be reached ------------------------------------------------------------------------------


@pytest.fixture
def closed() -> int:
    """A port at which nobody answers."""
    with socketserver.TCPServer(("127.0.0.1", 0), None) as tcp:
        return tcp.server_address[1]


def test_while_no_server_can_be_reached_one_mail_asks_for_all_and_the_portal_goes_on(
    desk, closed, max_, sofia, ron, settings, monkeypatch
):
    monkeypatch.setattr(outbox, "MOST_READERS", 2)  # so that somebody's mail is in nobody's hand
    settings.EMAIL_PORT = closed
    post("agreed:7", max_, sofia, ron)
    assert outbox.send_due(now=SOON) == 3
    assert set(states(channel="portal")) == {"sent"}
    waiting = Notice.objects.filter(channel="email")
    assert set(waiting.values_list("failures", "claimed_until", "envelope", "problem")) == {
        (0, None, None, "The mail server cannot be reached: Connection refused.")
    }
    assert all(SOON + MINUTE <= due < SOON + 1.2 * MINUTE for due in waiting.values_list("due_at", flat=True))
    settings.EMAIL_PORT = desk.port
    assert outbox.send_due(now=SOON + 2 * MINUTE) == 3
    assert set(waiting.values_list("problem", flat=True)) == {""}


def test_however_long_the_server_is_away_its_mails_leave_by_themselves_afterwards(desk, closed, max_, sofia, settings):
    settings.EMAIL_PORT = closed
    post("agreed:7", max_, sofia)
    for hour in range(1, 10):
        outbox.send_due(now=MONDAY + hour * HOUR)
    assert set(states(channel="email")) == {"waiting"}
    settings.EMAIL_PORT = desk.port
    assert outbox.send_due(now=MONDAY + 24 * HOUR) == 2
    assert len(desk.mails) == 2


def test_what_came_one_by_one_while_the_server_was_away_is_one_digest(desk, closed, max_, settings):
    settings.EMAIL_PORT = closed
    for number in range(8):
        now = MONDAY + number * 50 * SECOND
        post(f"event:{number}", max_, about=number, now=now)
        outbox.send_due(now=now + GATHER)
    settings.EMAIL_PORT = desk.port
    # The first that comes now takes along what still waits.
    post("event:8", max_, about=8, now=now + SECOND)
    outbox.send_due(now=now + GATHER + SECOND)
    (written,) = desk.read()
    assert written["Subject"].strip() == "9 notices: 9 × agreements to sign, and their news"


def test_a_mail_that_may_have_arrived_keeps_its_number_while_the_server_is_away(desk, closed, max_, settings):
    settings.EMAIL_TIMEOUT = 0.3
    desk.silent = True
    post("agreed:7", max_)
    outbox.send_due(now=SOON)
    number, desk.silent = the(max_).envelope, False
    settings.EMAIL_PORT = closed
    outbox.send_due(now=SOON + 2 * MINUTE)
    assert (the(max_).failures, the(max_).envelope) == (1, number)
    settings.EMAIL_PORT = desk.port
    post("agreed:8", max_, now=SOON, about=8)
    outbox.send_due(now=SOON + HOUR)
    first, *others = [one["Message-ID"] for one in desk.read()]
    assert len(others) == 2 and others.count(first) == 1  # what came since is another mail


def test_a_password_that_the_server_does_not_take_is_told_without_the_password(desk, max_, settings, caplog):
    settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "portal", "hunter2"
    post("agreed:7", max_)
    assert outbox.send_due(now=SOON) == 1
    assert the(max_).problem == ("The mail server cannot be reached: SMTP AUTH extension not supported by server.")
    assert "hunter2" not in caplog.text


def test_without_a_server_mails_are_files(max_, sofia, settings, tmp_path):
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = tmp_path / "mail"
    post("proposed:7", max_, sofia)
    assert outbox.send_due(now=SOON) == 4
    written = "".join(file.read_text() for file in settings.EMAIL_FILE_PATH.iterdir())
    assert written.count("Subject: Please sign version 7") == 2


def test_a_folder_that_cannot_be_written_is_waited_for_and_no_crash(max_, settings, tmp_path):
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = tmp_path / "mail"
    settings.EMAIL_FILE_PATH.touch()
    post("proposed:7", max_)
    assert outbox.send_due(now=SOON) == 1
    assert the(max_).problem.startswith("The mail server cannot be reached: ImproperlyConfigured in filebased.py")


# --- Chat ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def said(monkeypatch) -> list[tuple[str, str, str]]:
    """What was posted in chats."""
    found = []
    monkeypatch.setattr(chat, "send", lambda url, *, title, text: found.append((url, title, text)))
    return found


def in_chat(person: User) -> Notice:
    return Notice.objects.get(recipient=person, channel="chat")


def test_a_chat_message_says_it_all_and_leads_to_the_page(said, max_, settings):
    User.objects.filter(pk=max_.pk).update(chat_url="json://chat.example.com")
    max_.refresh_from_db()
    post("proposed:7", max_)
    assert outbox.send_due(now=SOON) == 3
    ((url, title, text),) = said
    assert (url, title) == ("json://chat.example.com", "Please sign version 7")
    assert SECRET in text and f"Read and sign: {settings.PORTAL_URL}/versions/7/" in text
    assert in_chat(max_).subject == "Please sign version 7"


def test_a_teams_chat_gets_a_burst_as_one_message_in_the_time_of_its_manager(said, sales, mona):
    Team.objects.update(chat_url="json://team.example.com")
    for number in range(7):
        post_to_team(sales, key=f"step:{number}", about=number)
    assert outbox.send_due(now=SOON) == 7
    ((url, title, text),) = said
    assert (url, title) == ("json://team.example.com", "7 notices: 7 × a promise was broken")
    assert text.count("• Please sign version") == 7


def test_times_in_a_teams_chat_are_its_managers(said, sales, mona, monkeypatch):
    Team.objects.update(chat_url="json://team.example.com")
    monkeypatch.setattr("tests.slaportal.postal.plain", local_time)
    post_to_team(sales)
    outbox.send_due(now=SOON)
    assert "At 10:00." in said[0][2]


def test_a_chat_that_does_not_answer_stops_neither_mails_nor_other_chats(monkeypatch, max_, sofia):
    User.objects.update(chat_url="json://chat.example.com")
    people = list(User.objects.order_by("pk"))

    def refuses(url: str, *, title: str, text: str) -> None:
        raise chat.Failed("The chat did not take the message. Is its address still right?")

    monkeypatch.setattr(chat, "send", refuses)
    post("proposed:7", *people)
    assert outbox.send_due(now=SOON) == 4
    assert {in_chat(person).problem for person in people} == {
        "The chat did not take the message. Is its address still right?"
    }
    assert len(mail.outbox) == 2
    assert {in_chat(person).state for person in people} == {"tried"}


def test_mails_do_not_wait_for_chats(monkeypatch, max_):
    User.objects.update(chat_url="json://chat.example.com")
    order = []
    monkeypatch.setattr(chat, "send", lambda url, **message: order.append("chat"))
    monkeypatch.setattr(delivery, "hand_over", lambda line, written: order.append("mail"))
    post("proposed:7", *User.objects.all())
    outbox.send_due(now=SOON)
    assert order == ["mail", "chat"]


def test_quiet_hours_hold_chats_of_people_and_not_those_of_teams(said, max_, sales):
    User.objects.update(chat_url="json://chat.example.com")
    Team.objects.update(chat_url="json://team.example.com")
    night = MONDAY + 14 * HOUR
    post("proposed:7", *User.objects.all(), now=night)
    post_to_team(sales, now=night)
    outbox.send_due(now=night + MINUTE)
    assert [url for url, *_ in said] == ["json://team.example.com"]
