"""How claimed notices leave: worded, handed over to the wire one message at a time, and recorded."""

import secrets
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
from django.utils.translation import gettext

from slaportal import chat, letters, outbound, smtp, tries
from slaportal.letters import LONGEST_LINK, LONGEST_SUBJECT, Letter, one_line
from slaportal.models import Notice, Team
from slaportal.slots import team_of

Channel = Notice.Channel
Worded = tuple[Notice, Letter]
# What goes onto the wire has to be over before another worker may send it.
LONGEST_MESSAGE = timedelta(seconds=max(smtp.LONGEST, outbound.LONGEST))


class Unreachable(Exception):
    """No mail can be handed over now, whatever it says."""


class NotBegun(Exception):
    """Nothing went onto the wire; whoever comes next may send it."""


class Round:
    """One run of the outbox: until when it lasts, the connection that it keeps open, and the channels that work."""

    def __init__(self, *, now: datetime, seconds: float) -> None:
        self.channels = [Channel.PORTAL, Channel.EMAIL, Channel.CHAT]
        self._begun, self._from, self._seconds = monotonic(), now, seconds
        self._line: BaseEmailBackend | None = None
        self._is_used, self._why = False, ""

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
        envelopes: dict[tuple, list[Worded]] = {}
        # A chat may take long to answer, so mails come first.
        for row, letter in sorted(worded, key=lambda one: one[0].channel == Channel.CHAT):
            if row.channel != Channel.PORTAL:
                # Who was sent a part of it before gets the same message again; all else for one reader is a new one.
                reader = row.recipient_id or row.slot
                alone = row.pk if letter.invitation and row.channel == Channel.EMAIL else None
                envelopes.setdefault((row.channel, reader, row.envelope, alone), []).append((row, letter))
        for (channel, *_), inside in envelopes.items():
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
        if channel not in self.channels:
            tries.postpone(rows, self._why, now=self.now)
            return 0
        try:
            if self.is_over:
                raise NotBegun
            rows, subject = self._mail(inside) if channel == Channel.EMAIL else self._post(inside, chats)
        except NotBegun:
            tries.record(rows)  # they wait for the next run, and none of their tries is used up
            return 0
        except Unreachable as problem:
            self.channels.remove(channel)
            self._why = one_line(_why_unreachable(problem.__cause__))
            tries.postpone(rows, self._why, now=self.now)
            tries.postpone_all(self._why, now=self.now)
            return 0
        except Exception as problem:
            tries.record_failure(rows, one_line(_reason(problem)), now=self.now)
            return 0
        return tries.record(rows, sent_at=self.now, problem="", subject=subject[:LONGEST_SUBJECT])

    def _begin(self, inside: Sequence[Worded]) -> Sequence[Worded]:
        """What may go onto the wire now, under a number that it keeps from now on; `NotBegun` if nothing may.

        New numbers are drawn, so that none comes twice, not even after a database was restored.
        """
        rows = [row for row, _ in inside]
        if rows[0].claimed_until - self.now < LONGEST_MESSAGE:
            raise NotBegun
        number = rows[0].envelope
        held = set(tries.begin(rows, envelope=secrets.randbits(62) if number is None else number))
        if not held:
            raise NotBegun
        return [one for one in inside if one[0] in held]

    def _mail(self, inside: Sequence[Worded]) -> tuple[list[Notice], str]:
        """Send a mail; returns what was in it, and its subject."""
        for attempt in (1, 2):
            line = self._called()
            inside = self._begin(inside)
            rows = [row for row, _ in inside]
            with timezone.override(rows[0].recipient.time_zone):
                written = letters.message(rows, [letter for _, letter in inside])
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
        return rows, written.subject

    def _post(self, inside: Sequence[Worded], chats: dict[int, Team]) -> tuple[list[Notice], str]:
        """Post a chat message; returns what was in it, and its title."""
        inside = self._begin(inside)
        rows = [row for row, _ in inside]
        url = rows[0].recipient.chat_url if rows[0].recipient else chats[team_of(rows[0])].chat_url
        title, text = letters.chat_text(rows, [letter for _, letter in inside])
        chat.send(url, title=title, text=text)
        return rows, one_line(title)

    def _called(self) -> BaseEmailBackend:
        """The open connection to the mail server."""
        if self._line is None:
            try:
                self._line, self._is_used = mail.get_connection(), False
                self._line.open()
            except Exception as problem:
                self._hang_up()
                raise Unreachable from problem
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
        raise ValueError(gettext("the mail has no recipient"))


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
        tries.record(void, cancelled_at=now, problem=gettext("It no longer holds."))
    yield from ((row, found[row.pk]) for row in rows if found.get(row.pk))


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
        case smtplib.SMTPRecipientsRefused():
            code, said = next(iter(problem.recipients.values()))
            return gettext("The mail server refused the address: %(code)s %(text)s") % {
                "code": code,
                "text": _text(said),
            }
        case smtplib.SMTPResponseException():
            return gettext("The mail server refused it: %(code)s %(text)s") % {
                "code": problem.smtp_code,
                "text": _text(problem.smtp_error),
            }
        case smtp.TookTooLong():
            return gettext("The mail server did not take it within %(number)s seconds.") % {
                "number": f"{smtp.LONGEST:g}"
            }
        case TimeoutError():
            return gettext("The mail server did not answer within %(number)s seconds.") % {
                "number": settings.EMAIL_TIMEOUT
            }
        case smtplib.SMTPException():
            return gettext("The mail server broke off: %(problem)s") % {"problem": problem}
        case OSError():
            return gettext("The mail could not be handed over: %(why)s.") % {"why": problem.strerror or problem}
    return gettext("It could not be sent: %(place)s.") % {"place": tries.place(problem)}


def _why_unreachable(problem: BaseException) -> str:
    """Why no mail can be handed over at all, as the end of a sentence."""
    match problem:
        case smtplib.SMTPAuthenticationError():
            return gettext("it did not accept the portal’s name and password (%(code)s)") % {"code": problem.smtp_code}
        case smtplib.SMTPResponseException():
            return gettext("it said %(code)s %(text)s") % {
                "code": problem.smtp_code,
                "text": _text(problem.smtp_error),
            }
        case smtp.TookTooLong():
            return gettext("no whole answer within %(number)s seconds") % {"number": f"{smtp.LONGEST:g}"}
        case TimeoutError():
            return gettext("no answer within %(number)s seconds") % {"number": settings.EMAIL_TIMEOUT}
        case smtplib.SMTPException():
            return str(problem)
        case OSError():
            return problem.strerror or str(problem)
    return tries.place(problem)


def _text(said: bytes | str) -> str:
    return said.decode(errors="replace") if isinstance(said, bytes) else said
