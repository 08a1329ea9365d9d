"""Mail over SMTP as Django sends it, but no call for longer than a limit, whatever the server does.

`EMAIL_TIMEOUT` is for one read: a server that says a sign now and then would hold a mail for longer than a worker has
it to itself, and another worker would send it too.
"""

import smtplib
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import Event, Timer

from django.core.mail import EmailMessage
from django.core.mail.backends import smtp

LONGEST = 30.0  # seconds for a call: to connect, to hand over a mail, or to say good-bye


class TookTooLong(TimeoutError):
    """The whole of it took longer than it may."""


class Plain(smtplib.SMTP):
    """Gives away each connection that it makes, before TLS takes that over."""

    keep: Callable[[socket.socket], None]

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        made = super()._get_socket(host, port, timeout)
        self.keep(made)
        return made


class Encrypted(smtplib.SMTP_SSL, Plain):
    """The same for a server that speaks TLS from the first byte on: what `SMTP_SSL` encrypts, `Plain` has made."""


class EmailBackend(smtp.EmailBackend):
    """Django's, with a limit for each call as a whole."""

    _handle: socket.socket | None = None
    _over: Event | None = None

    @property
    def connection_class(self) -> type[Plain]:
        return type("Connection", (Encrypted if self.use_ssl else Plain,), {"keep": staticmethod(self._keep)})

    def open(self) -> bool | None:
        with self._limited():
            return super().open()

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        with self._limited():
            return super().send_messages(email_messages)

    def close(self) -> None:
        try:
            with self._limited():
                super().close()
        finally:
            if self._handle is not None:
                self._handle.close()
            self._handle = None

    def _keep(self, made: socket.socket) -> None:
        # By a second handle on it, because TLS takes the first one over.
        self._handle = made.dup()
        if self._over is not None and self._over.is_set():
            self._break_off(self._over)

    def _break_off(self, over: Event) -> None:
        """The time is up: whoever waits for a byte gets the end of the connection."""
        over.set()
        with suppress(OSError, AttributeError):
            self._handle.shutdown(socket.SHUT_RDWR)

    @contextmanager
    def _limited(self) -> Iterator[None]:
        """One call; what it calls itself has no time of its own."""
        if self._over is not None:
            yield
            return
        over = self._over = Event()
        timer = Timer(LONGEST, self._break_off, [over])
        timer.daemon = True
        timer.start()
        try:
            yield
        except (smtplib.SMTPException, OSError) as problem:
            if over.is_set():
                raise TookTooLong(f"no whole answer came within {LONGEST:g} seconds") from problem
            raise
        finally:
            timer.cancel()
            self._over = None
