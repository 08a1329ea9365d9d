"""Connections to addresses that people typed in: only into the open internet, only where they said, and not for long.

Inside `checked()` each connection of `requests` goes to the very address that was looked at, so a name that means
another machine the second time leads nowhere else. Redirects, long answers and slow ones are refused; what the
environment says of proxies does not count, because behind one nobody sees where it goes.
"""

import ipaddress
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from time import monotonic

import requests
import urllib3
from django.conf import settings
from django.utils.translation import gettext as _
from requests.adapters import HTTPAdapter
from urllib3.util import connection as wire

LONGEST = 15.0  # seconds, from the first name that is looked up to the last byte
LARGEST = 64 * 1024  # bytes of an answer
# By it a network without IPv4 reaches addresses that have no other.
NAT64 = ipaddress.ip_network("64:ff9b::/96")


class Refused(requests.RequestException):
    """A connection that is not made, or an answer that is not read; the message says why."""


class Watch:
    """One `checked()`: until when it may last, what is open meanwhile, and what became of it.

    Libraries swallow why a request failed; `refused` and the `status` of the last answer tell.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds, self.ends = seconds, monotonic() + seconds
        self.refused: Refused | None = None
        self.status: int | None = None
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()
        self._is_over = False

    def left(self) -> float:
        """How many seconds are left; `Refused` if none."""
        left = self.ends - monotonic()
        if left <= 0:
            raise self.refuse(_("no whole answer came within %(seconds)s seconds") % {"seconds": f"{self.seconds:g}"})
        return left

    def keep(self, connected: socket.socket) -> socket.socket:
        """Have a connection broken off at the end. TLS takes the socket over, but not a second handle on it."""
        with self._lock:
            self._open.append(connected.dup())
            is_over = self._is_over
        if is_over:
            self.break_off()
        return connected

    def break_off(self) -> None:
        """The time is up: whoever waits for a byte gets the end of the connection."""
        with self._lock:
            self._is_over = True
            for one in self._open:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Let go of the second handles."""
        with self._lock:
            while self._open:
                self._open.pop().close()

    def refuse(self, why: str) -> Refused:
        """Remember the first reason, and give it to be raised."""
        self.refused = self.refused or Refused(why)
        return self.refused


_watch: ContextVar[Watch | None] = ContextVar("outbound", default=None)


@contextmanager
def checked(*, seconds: float = LONGEST) -> Iterator[Watch]:
    """Look at every connection that is made inside; `Refused` says why one was not made or broken off."""
    watch = Watch(seconds)
    timer = threading.Timer(seconds, watch.break_off)
    timer.daemon = True
    timer.start()
    token = _watch.set(watch)
    try:
        yield watch
    except (requests.RequestException, OSError):
        watch.left()
        if watch.refused:
            raise watch.refused from None
        raise
    finally:
        _watch.reset(token)
        timer.cancel()
        watch.close()


def is_public(address: str) -> bool:
    """Whether an IP address is one of the open internet; one inside another counts as what it leads to."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if ip.version == 6:
        inside = ipaddress.ip_address(int(ip) & 0xFFFFFFFF) if ip in NAT64 else None
        ip = inside or ip.ipv4_mapped or ip.sixtofour or ip
    elsewhere = ip.is_multicast or ip.is_reserved or getattr(ip, "is_site_local", False)
    return ip.is_global and not elsewhere


def _connect(address: tuple[str, int], timeout: object = None, *options: object, **named: object) -> socket.socket:
    """What `urllib3` calls for a connection; inside `checked()` only to an address that may be reached."""
    watch = _watch.get()
    if watch is None:
        return _connect_anywhere(address, timeout, *options, **named)
    host, port = address
    watch.left()
    try:
        found = [row[4][0] for row in socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError):
        raise watch.refuse(_("nobody knows an address of %(host)s") % {"host": host}) from None
    if not settings.OUTBOUND_PRIVATE and not all(map(is_public, found)):
        raise watch.refuse(_("%(host)s is no address of the open internet") % {"host": host})
    problem = OSError(_("%(host)s has no address") % {"host": host})
    for ip in dict.fromkeys(found):
        left = watch.left()
        brief = min(timeout, left) if isinstance(timeout, int | float) else left
        try:
            return watch.keep(_connect_anywhere((ip, port), brief, *options, **named))
        except OSError as failed:
            problem = failed
    raise problem


def _send(adapter: HTTPAdapter, request: requests.PreparedRequest, **options: object) -> requests.Response:
    """What `requests` calls for each request; inside `checked()` without redirects, and with a short answer only."""
    watch = _watch.get()
    if watch is None:
        return _send_anything(adapter, request, **options)
    # Whoever types an address in does not decide that anybody may pretend to be it.
    options |= {"stream": True, "verify": options.get("verify") or True}
    if not settings.OUTBOUND_PRIVATE:
        options["proxies"] = {}
    try:
        response = _send_anything(adapter, request, **options)
    except requests.RequestException:
        watch.left()  # whoever was broken off is told why
        raise
    with response:
        watch.status = response.status_code
        if response.is_redirect:
            raise watch.refuse(_("it leads on to another address; write that one"))
        try:
            content = response.raw.read(LARGEST + 1, decode_content=True)
        except urllib3.exceptions.HTTPError as problem:
            watch.left()
            raise requests.ConnectionError(problem) from None
    watch.left()  # what was broken off may look whole
    if len(content) > LARGEST:
        raise watch.refuse(_("the answer is longer than %(number)s KiB") % {"number": LARGEST // 1024})
    response._content, response._content_consumed = content, True
    return response


_connect_anywhere, _send_anything = wire.create_connection, HTTPAdapter.send
# Outside of `checked()` both do what they always did. The libraries offer no other place that sees every connection.
wire.create_connection, HTTPAdapter.send = _connect, _send
