"""What tests of notices share: letters as the rooms above write them, a mail server, and short names."""

import socketserver
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from threading import Event, Thread
from urllib.parse import quote

from django.db import connection
from django.utils import timezone
from django.utils.safestring import mark_safe

from slaportal import outbox
from slaportal.letters import Attachment, Letter
from slaportal.models import Notice, User
from slaportal.outbox import Post, one_by_one
from slaportal.paces import GATHER
from tests.conftest import MONDAY

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
SECONDS = timedelta(seconds=5)  # longer than any run takes here
SOON = MONDAY + GATHER  # when the mail of what was posted on Monday may leave
SECRET = "the terms that nobody else may read"
PDF = b"%PDF-1.7\n" + bytes(range(256)) * 50


class Killed(BaseException):
    """What a SIGKILL looks like from inside: nothing after it is done."""


# --- Letters ------------------------------------------------------------------------------------------------------


@one_by_one
def plain(notice: Notice) -> Letter:
    return Letter(
        subject=f"Please sign version {notice.about}",
        paragraphs=("Rita proposed a new version & asks for your signature.", SECRET),
        link_label="Read and sign",
        link=f"/versions/{notice.about}/",
    )


@one_by_one
def with_document(notice: Notice) -> Letter:
    files = (
        Attachment("agreement.pdf", PDF, "application/pdf"),
        Attachment("terms.txt", "Sätze".encode(), "text/plain"),
    )
    return Letter("Beide haben unterschrieben: „DACH“", ("The document is attached.",), "Open it", "/v/", files)


@one_by_one
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


@one_by_one
def local_time(notice: Notice) -> Letter:
    return Letter("When", (f"At {timezone.localtime(notice.created_at):%H:%M}.",), "Open", "/")


@one_by_one
def no_longer(notice: Notice) -> None:
    return None


@one_by_one
def broken(notice: Notice) -> Letter:
    raise ValueError(SECRET)


@one_by_one
def nonsense(notice: Notice) -> str:
    return SECRET


@one_by_one
def broken_for_seven(notice: Notice) -> Letter:
    """Fails for what is about row 7 only."""
    if notice.about == 7:
        raise ValueError(SECRET)
    return Letter(f"About {notice.about}", ("Text",), "Open", "/")


def now_nobody(notices: list[Notice]) -> list[None]:
    return [None for _ in notices]


def now_sofia(notices: list[Notice]) -> list[User]:
    return [User.objects.get(email="sofia@example.com") for _ in notices]


def name_of(function: object) -> str:
    return f"{__name__}.{function.__name__}"


# --- Posting ------------------------------------------------------------------------------------------------------


def post(
    key: str = "proposed:7",
    *people: User,
    letter=plain,
    now: datetime = MONDAY,
    about: int = 7,
    kind: str = "agreement",
) -> None:
    outbox.post(outbox.to_people(people, key=key, kind=kind, letter=name_of(letter), about=about), now=now)


def post_to_owner(person: User, *, reader, now: datetime = MONDAY, key: str = "step:7", kind: str = "miss") -> None:
    """A notice for whoever owns something by the time it is sent."""
    outbox.post([Post(key, "owner", kind, name_of(plain), 7, person, name_of(reader))], now=now)


def post_to_team(team, *, now: datetime = MONDAY, key: str = "step:7", about: int = 7) -> None:
    outbox.post([Post(key, f"team:{team.pk}", "miss", name_of(plain), about)], now=now)


def the(person: User, **which: object) -> Notice:
    """The person's only notice by mail."""
    return Notice.objects.get(**{"recipient": person, "channel": "email", **which})


def rows(*fields: str, **which: object) -> list[tuple]:
    return list(Notice.objects.filter(**which).order_by("pk").values_list(*fields))


def states(**which: object) -> list[str]:
    return [notice.state for notice in Notice.objects.filter(**which).order_by("pk")]


def database_url() -> str:
    given = connection.settings_dict
    person = quote(given["USER"]) + (f":{quote(given['PASSWORD'])}" if given["PASSWORD"] else "")
    return f"postgres://{person}@{given['HOST']}:{given['PORT'] or 5432}/{given['NAME']}"


# --- A real server ------------------------------------------------------------------------------------------------


@dataclass
class Desk:
    """What a mail server got, and how it behaves."""

    port: int = 0
    mails: list[tuple[str, bytes]] = field(default_factory=list)
    calls: int = 0
    refused: set[str] = field(default_factory=set)
    silent: bool = False  # takes a mail and says nothing more
    pause: float = 0.0  # seconds between the signs of its answer to a mail
    most_of_a_call: int = 1_000_000  # closes a connection after so many mails
    over: Event = field(default_factory=Event)

    def read(self) -> list[EmailMessage]:
        return [message_from_bytes(content, policy=policy.default) for _, content in self.mails]


class Conversation(socketserver.StreamRequestHandler):
    """As much SMTP as one sender needs."""

    def say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())

    def handle(self) -> None:
        desk: Desk = self.server.desk
        desk.calls += 1
        address, taken = "", 0
        self.say("220 sink ready")
        for raw in self.rfile:
            line = raw.decode().strip()
            match line.split(" ")[0].split(":")[0].upper():
                case "MAIL" if taken >= desk.most_of_a_call:
                    self.say("421 Too many of you")
                    return
                case "RCPT":
                    address = line.partition("<")[2].partition(">")[0]
                    self.say("550 5.1.1 No such person here" if address in desk.refused else "250 OK")
                case "DATA":
                    self.say("354 Go on")
                    content = b"".join(iter(self.rfile.readline, b".\r\n"))
                    desk.mails.append((address, content.replace(b"\r\n..", b"\r\n.")))
                    taken += 1
                    if desk.silent:
                        desk.over.wait(30)
                        return
                    with suppress(BrokenPipeError, ConnectionResetError):
                        for sign in "250 Taken\r\n":
                            desk.over.wait(desk.pause)
                            self.wfile.write(sign.encode())
                case "QUIT":
                    self.say("221 Bye")
                    return
                case _:
                    self.say("250 OK")


@contextmanager
def server() -> Iterator[Desk]:
    """A mail server on this machine."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Conversation) as tcp:
        tcp.daemon_threads, tcp.block_on_close = True, False
        tcp.desk = Desk(port=tcp.server_address[1])
        Thread(target=tcp.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield tcp.desk
        tcp.desk.over.set()
        tcp.shutdown()
