"""Notices: written with the event that they tell of, worded when they are sent, sent at least once and never dropped.

The room that owns a notice names the function that words it; nothing here knows what it is about.
"""

import logging
import smtplib
import traceback
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parseaddr
from pathlib import Path
from time import monotonic
from zlib import crc32

from django.conf import settings
from django.core import mail
from django.db import transaction
from django.db.models import QuerySet
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.module_loading import import_string

from slaportal.models import Notice, User

log = logging.getLogger(__name__)

MOST_FAILURES = 8
FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=1)
# For how long a worker has a notice to itself: much longer than any mail takes, and how long one waits after a SIGKILL.
LEASE = timedelta(minutes=5)
# A run ends in time for the tick of the same worker; the next one goes on.
LONGEST_RUN = 30.0  # seconds
MOST_AT_ONCE = 500

# By name, because nothing inside the house goes through a door.
SEND_NOTICES = "slaportal.tasks.send_notices"


@dataclass(frozen=True)
class Attachment:
    """A file that goes with a letter."""

    name: str
    content: bytes
    mime_type: str


@dataclass(frozen=True)
class Letter:
    """What a notice says, as plain text; how it looks is the outbox's work. The link is a path of the portal."""

    subject: str
    paragraphs: tuple[str, ...]
    link_label: str
    link: str
    attachments: tuple[Attachment, ...] = ()

    def __post_init__(self) -> None:
        if not self.link.startswith("/"):
            raise ValueError(f"“{self.link}” is no path of the portal; it begins with a slash.")


class ServerUnreachable(Exception):
    """No mail can be handed over now, whatever it says."""


def post(key: str, *, recipients: Iterable[User], letter: str, about: int, now: datetime) -> None:
    """Write a notice to each of these people, in the transaction of the event; what was told already stays as it is.

    `letter` names the function that takes the notice and gives its `Letter`, or None when it no longer holds.
    """
    people = {person.pk for person in recipients}
    Notice.objects.bulk_create(
        [
            Notice(key=key, recipient_id=pk, letter=letter, about=about, created_at=now, due_at=now)
            for pk in sorted(people)
        ],
        ignore_conflicts=True,
    )
    transaction.on_commit(ring)


def retry(notices: QuerySet[Notice], *, now: datetime) -> int:
    """Send those of the notices that failed as soon as possible, with all their tries before them. Returns how many."""
    count = notices.in_state(Notice.State.FAILED).update(failed_at=None, failures=0, due_at=now)
    transaction.on_commit(ring)
    return count


def cancel(notices: QuerySet[Notice], *, now: datetime) -> int:
    """Send none of those of the notices that still wait. Returns how many."""
    return notices.waiting().update(cancelled_at=now)


def ring() -> None:
    """Ask a worker to send what is due. Without a broker the next sweep sends it, so nobody's page breaks."""
    try:
        import_string(SEND_NOTICES).apply_async(expires=55, retry=False)
    except Exception as problem:
        log.warning("notices: no worker could be called (%s); the next sweep sends them", type(problem).__name__)


def send_due(*, now: datetime) -> int:
    """Send every notice that is due; safe to run twice, by two workers, and after one was killed. Returns how many.

    Each is claimed for the time of a lease and recorded by whoever holds the claim. A server that cannot be reached
    ends the run: the others wait for it without using up their tries. Call it outside a transaction.
    """
    begun, sent = monotonic(), 0
    due = Notice.objects.due(now).order_by("due_at", "pk").values_list("pk", flat=True)
    for pk in list(due[:MOST_AT_ONCE]):
        if monotonic() - begun > LONGEST_RUN:
            break
        notice = _claim(pk, now=now)
        if notice is None:
            continue
        try:
            sent += _send(notice, now=now)
        except ServerUnreachable:
            break
    return sent


def wait_after(failures: int, *, notice_id: int) -> timedelta:
    """How long to wait after so many failures: a minute, doubled each time up to an hour, and up to a quarter more.

    The quarter is drawn from the notice and its failures, so that those which failed together come back one by one.
    """
    wait = min(FIRST_WAIT * 2 ** (failures - 1), LONGEST_WAIT)
    return wait + wait * (crc32(f"{notice_id}:{failures}".encode()) % 1000) / 4000


def message(notice: Notice, letter: Letter) -> mail.EmailMultiAlternatives:
    """The mail, as HTML and as text. Each try of a notice has the same Message-ID, so that two copies show as one."""
    context = {"letter": letter, "link": settings.PORTAL_URL.rstrip("/") + letter.link, "portal": settings.PORTAL_URL}
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"
    written = mail.EmailMultiAlternatives(
        subject=_one_line(letter.subject),
        body=render_to_string("emails/base.txt", context),
        to=[notice.recipient.email],
        headers={
            "Message-ID": f"<notice.{notice.pk}.{notice.created_at:%Y%m%d%H%M%S}@{domain}>",
            # Nobody's “out of office” answers a machine.
            "Auto-Submitted": "auto-generated",
            "X-Auto-Response-Suppress": "All",
        },
    )
    written.attach_alternative(render_to_string("emails/base.html", context), "text/html")
    for file in letter.attachments:
        written.attach(_one_line(file.name), file.content, file.mime_type)
    return written


def _claim(pk: int, *, now: datetime) -> Notice | None:
    """The notice, for this worker alone until its lease ends; None when another one was quicker."""
    if not Notice.objects.due(now).filter(pk=pk).update(claimed_until=now + LEASE):
        return None
    return Notice.objects.select_related("recipient").get(pk=pk)


def _send(notice: Notice, *, now: datetime) -> bool:
    """Word a claimed notice, send it, and record how that went; whether it was sent."""
    reader = notice.recipient
    if not reader.is_active:
        _record(notice, cancelled_at=now, problem=f"{reader} may not log in any more."[:300])
        return False
    try:
        with timezone.override(reader.time_zone):
            letter = import_string(notice.letter)(notice)
            written = message(notice, letter) if letter else None
    except Exception as problem:
        _record_failure(notice, f"{notice.letter} could not be written: {_place(problem)}.", now=now)
        return False
    if written is None:
        _record(notice, cancelled_at=now)
        return False
    try:
        _hand_over(written)
    except Exception as problem:
        _record_failure(notice, _reason(problem.__cause__ or problem), now=now)
        if isinstance(problem, ServerUnreachable):
            raise
        return False
    _record(notice, sent_at=now, problem="")
    return True


def _hand_over(written: mail.EmailMultiAlternatives) -> None:
    """Give one mail to the server."""
    try:
        wire = mail.get_connection()
        wire.open()
    except Exception as problem:
        raise ServerUnreachable from problem
    try:
        if not wire.send_messages([written]):
            raise ValueError("the mail has no recipient")
    finally:
        # It is sent or it is not; a farewell that fails changes nothing.
        with suppress(Exception):
            wire.close()


def _record(notice: Notice, **fields: object) -> None:
    """Write how a try ended, unless its lease ran out and another worker holds the notice by now."""
    held = Notice.objects.waiting().filter(pk=notice.pk, claimed_until=notice.claimed_until)
    held.update(claimed_until=None, **fields)


def _record_failure(notice: Notice, problem: str, *, now: datetime) -> None:
    failures = notice.failures + 1
    if failures < MOST_FAILURES:
        when = {"due_at": now + wait_after(failures, notice_id=notice.pk)}
    else:
        when = {"failed_at": now}
    _record(notice, failures=failures, problem=_one_line(problem)[:300], **when)
    # The reason stands in the row: a server's answer may quote the mail, which has no place in a log.
    log.warning("notice %s: try %s of %s failed", notice.pk, failures, MOST_FAILURES)


def _reason(problem: BaseException) -> str:
    """Why a mail was not sent, in a sentence."""
    match problem:
        case smtplib.SMTPAuthenticationError():
            return f"The mail server did not accept the portal’s name and password ({problem.smtp_code})."
        case smtplib.SMTPRecipientsRefused():
            code, said = next(iter(problem.recipients.values()))
            return f"The mail server refused the address: {code} {_text(said)}"
        case smtplib.SMTPResponseException():
            return f"The mail server refused it: {problem.smtp_code} {_text(problem.smtp_error)}"
        case TimeoutError():
            return f"The mail server did not answer within {settings.EMAIL_TIMEOUT} seconds."
        case smtplib.SMTPException():
            return f"The mail server broke off: {problem}"
        case OSError():
            return f"The mail could not be handed over: {problem.strerror or problem}."
    return f"The mail could not be sent: {_place(problem)}."


def _text(said: bytes | str) -> str:
    return said.decode(errors="replace") if isinstance(said, bytes) else said


def _place(problem: BaseException) -> str:
    """What went wrong in which line. Not its words: they may quote the letter."""
    last = traceback.extract_tb(problem.__traceback__)[-1]
    return f"{type(problem).__name__} in {Path(last.filename).name}, line {last.lineno}"


def _one_line(text: str) -> str:
    """Text for a header: without line breaks and other signs that nobody sees."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
