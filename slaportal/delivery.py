"""How claimed notices leave: worded, handed over to the wire one message at a time, and recorded."""

import smtplib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from time import monotonic
from types import TracebackType
from typing import Self

from django.conf import settings
from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from django.utils import timezone

from slaportal import chat, letters, tries
from slaportal.letters import LONGEST_LINK, LONGEST_SUBJECT, Letter, one_line
from slaportal.models import Notice, Team
from slaportal.slots import team_of

Channel = Notice.Channel
Worded = tuple[Notice, Letter]


class Unreachable(Exception):
    """Nothing can be handed over now, whatever it says."""


class Round:
    """One run of the outbox: until when it lasts, the connection that it keeps open, and the channels that work."""

    def __init__(self, *, now: datetime, seconds: float) -> None:
        self.channels = [Channel.PORTAL, Channel.EMAIL, Channel.CHAT]
        self._begun, self._from, self._seconds = monotonic(), now, seconds
        self._line: BaseEmailBackend | None = None
        self._is_used = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, problem: BaseException | None, trace: TracebackType | None) -> None:
        self._hang_up()

    @property
    def is_over(self) -> bool:
        """Whether the next one has to go on."""
        return monotonic() - self._begun > self._seconds

    @property
    def now(self) -> datetime:
        """The present moment by the clock that the run was begun with."""
        return self._from + timedelta(seconds=monotonic() - self._begun)

    def deliver(self, rows: Sequence[Notice]) -> int:
        """Send what was claimed and settled; returns how many notices were sent."""
        teams = {pk for row in rows if (pk := team_of(row))}
        chats = Team.objects.select_related("manager").in_bulk(teams) if teams else {}
        worded = list(_worded(rows, chats, self.now))
        sent = self._show([(row, letter) for row, letter in worded if row.channel == Channel.PORTAL])
        envelopes: dict[tuple[str, int], list[Worded]] = {}
        # A chat may take long to answer, so mails come first.
        for row, letter in sorted(worded, key=lambda one: one[0].channel == Channel.CHAT):
            if row.channel != Channel.PORTAL:
                envelopes.setdefault((row.channel, row.envelope), []).append((row, letter))
        for (channel, _), inside in envelopes.items():
            sent += self._send(channel, inside, chats)
        return sent

    def _show(self, worded: Sequence[Worded]) -> int:
        """Put notices into the portal: what they say is kept, so that the list is read without asking anybody."""
        words = {
            row.pk: {
                "subject": one_line(letter.subject)[:LONGEST_SUBJECT],
                "summary": letter.summary,
                "link": letter.link[:LONGEST_LINK],
            }
            for row, letter in worded
        }
        return tries.record_words([row for row, _ in worded], words, sent_at=self.now, problem="") if worded else 0

    def _send(self, channel: str, inside: Sequence[Worded], chats: dict[int, Team]) -> int:
        """Hand one message over and record how that went."""
        rows = [row for row, _ in inside]
        if channel not in self.channels or self.is_over:
            tries.record(rows)  # they wait for the next run, and none of their tries is used up
            return 0
        try:
            subject = self._mail(inside) if channel == Channel.EMAIL else _chat(inside, chats)
        except Exception as problem:
            tries.record_failure(rows, one_line(_reason(problem.__cause__ or problem)), now=self.now)
            if isinstance(problem, Unreachable):
                self.channels.remove(channel)
            return 0
        return tries.record(rows, sent_at=self.now, problem="", subject=subject[:LONGEST_SUBJECT])

    def _mail(self, inside: Sequence[Worded]) -> str:
        """Send a mail; returns its subject."""
        with timezone.override(inside[0][0].recipient.time_zone):
            written = letters.message([row for row, _ in inside], [letter for _, letter in inside])
        for attempt in (1, 2):
            line = self._called()
            try:
                hand_over(line, written)
            except Exception as problem:
                # What the server thinks of this connection is unknown: the next mail gets a new one. So does this one,
                # where the server only had enough of a connection that had carried others.
                had_enough = self._is_used and _is_closed(problem)
                self._hang_up()
                if attempt == 2 or not had_enough:
                    raise
            else:
                self._is_used = True
                break
        return written.subject

    def _called(self) -> BaseEmailBackend:
        """The open connection to the mail server."""
        if self._line is None:
            try:
                line = mail.get_connection()
                line.open()
            except Exception as problem:
                raise Unreachable from problem
            self._line, self._is_used = line, False
        return self._line

    def _hang_up(self) -> None:
        # What was sent is sent; a farewell that fails changes nothing.
        with suppress(Exception):
            if self._line is not None:
                self._line.close()
        self._line = None


def hand_over(line: BaseEmailBackend, written: mail.EmailMultiAlternatives) -> None:
    """Give one mail to the server."""
    if not line.send_messages([written]):
        raise ValueError("the mail has no recipient")


def _worded(rows: Sequence[Notice], chats: dict[int, Team], now: datetime) -> Iterator[Worded]:
    """Rows with what they say, who waits longest first; what no longer holds is cancelled.

    Many are worded at once: all those of one kind of letter whose readers have the same clock on the wall.
    """
    together: dict[tuple[str, str], list[Notice]] = {}
    for row in rows:
        reader = row.recipient or chats[team_of(row)].manager
        zone = reader.time_zone if reader else settings.TIME_ZONE
        together.setdefault((zone, row.letter), []).append(row)
    found: dict[int, Letter | None] = {}
    for (zone, name), group in together.items():
        with timezone.override(zone):
            found |= tries.answers(name, group, kind=Letter, now=now)
    if void := [row for row in rows if row.pk in found and found[row.pk] is None]:
        tries.record(void, cancelled_at=now, problem="It no longer holds.")
    yield from ((row, found[row.pk]) for row in rows if found.get(row.pk))


def _chat(inside: Sequence[Worded], chats: dict[int, Team]) -> str:
    """Post a chat message; returns its title."""
    first = inside[0][0]
    url = first.recipient.chat_url if first.recipient else chats[team_of(first)].chat_url
    title, text = letters.chat_text([row for row, _ in inside], [letter for _, letter in inside])
    chat.send(url, title=title, text=text)
    return one_line(title)


def _is_closed(problem: Exception) -> bool:
    """Whether the server closed the connection by itself; one that fell silent may have taken the mail."""
    if isinstance(problem, smtplib.SMTPServerDisconnected):
        return not isinstance(problem.__context__, TimeoutError)
    return isinstance(problem, smtplib.SMTPSenderRefused) and problem.smtp_code == 421


def _reason(problem: BaseException) -> str:
    """Why something was not sent, in a sentence."""
    match problem:
        case chat.Failed():
            return str(problem)
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
    return f"It could not be sent: {tries.place(problem)}."


def _text(said: bytes | str) -> str:
    return said.decode(errors="replace") if isinstance(said, bytes) else said
