"""Letters: what a notice says, and how that becomes a mail, a digest or a chat message. Writes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from email.mime.image import MIMEImage
from email.utils import parseaddr

from django.conf import settings
from django.core import mail
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _

from slaportal.models import Notice

# What comes together is one message. Of up to so many letters each stands in it whole; more are a digest.
MOST_IN_FULL = 5
# Of one kind a digest names so many; the others are a click away.
MOST_OF_A_KIND = 15
LONGEST_SUBJECT, LONGEST_SUMMARY, LONGEST_LINK = 300, 1_000, 300


@dataclass(frozen=True)
class Attachment:
    """A file that goes with a letter. A picture with words (`shown_as`) shows in the mail, else the words."""

    name: str
    content: bytes
    mime_type: str
    shown_as: str = ""

    @property
    def cid(self) -> str:
        """By which the mail finds its picture."""
        return f"{one_line(self.name)}@{_domain()}"


@dataclass(frozen=True)
class Letter:
    """What a notice says, as plain text; how it looks is the outbox's work. The link is a path of the portal."""

    subject: str
    paragraphs: tuple[str, ...]
    link_label: str
    link: str
    attachments: tuple[Attachment, ...] = ()
    # The letter as calendars read it (text/calendar). Programs look for one in a mail, so such a letter goes alone.
    invitation: Attachment | None = None

    def __post_init__(self) -> None:
        if not self.link.startswith("/"):
            raise ValueError(f"“{self.link}” is no path of the portal; it begins with a slash.")

    @property
    def summary(self) -> str:
        """The first paragraph, for the portal and for a digest."""
        return (self.paragraphs[0] if self.paragraphs else "")[:LONGEST_SUMMARY]

    @property
    def url(self) -> str:
        """The link as whoever reads a mail or a chat has to follow it."""
        return absolute(self.link)


@dataclass(frozen=True)
class Kind:
    """The letters of one kind in a digest: the first of them, and how many there are."""

    label: str
    letters: Sequence[Letter]
    count: int

    @property
    def more(self) -> int:
        """How many are only counted."""
        return self.count - len(self.letters)


def message(envelope: Sequence[Notice], letters: Sequence[Letter]) -> mail.EmailMultiAlternatives:
    """The mail of an envelope, as HTML and as text: one letter, or several that came together.

    Each try of an envelope has the same Message-ID, so that two copies show as one.
    """
    if len(letters) == 1:
        name, context = "base", {"letter": letters[0], "link": letters[0].url}
    else:
        name, context = "digest", _digest(envelope, letters)
    context |= {"portal": settings.PORTAL_URL, "settings_link": absolute(reverse("notice_settings"))}
    written = mail.EmailMultiAlternatives(
        subject=one_line(subject_of(envelope, letters)),
        body=render_to_string(f"emails/{name}.txt", context),
        to=[envelope[0].recipient.email],
        headers={
            "Message-ID": f"<notice.{envelope[0].envelope:x}@{_domain()}>",
            # Nobody's “out of office” answers a machine.
            "Auto-Submitted": "auto-generated",
            "X-Auto-Response-Suppress": "All",
        },
    )
    written.attach_alternative(render_to_string(f"emails/{name}.html", context), "text/html")
    for letter in letters:
        if letter.invitation and len(letters) == 1:
            # Some programs take the part, others the file.
            file = letter.invitation
            written.attach_alternative(file.content.decode(), file.mime_type)
            written.attach(one_line(file.name), file.content, "application/ics")
        for file in letter.attachments:
            if file.shown_as:
                written.mixed_subtype = "related"
                written.attach(_picture(file))
            else:
                written.attach(one_line(file.name), file.content, file.mime_type)
    return written


def chat_text(envelope: Sequence[Notice], letters: Sequence[Letter]) -> tuple[str, str]:
    """Title and text of a chat message: one letter, or several that came together."""
    if len(letters) == 1:
        (letter,) = letters
        return letter.subject, "\n".join([*letter.paragraphs, f"{letter.link_label}: {letter.url}"])
    shown = [f"• {letter.subject}: {letter.url}" for letter in letters[:MOST_OF_A_KIND]]
    more = len(letters) - len(shown)
    rest = [_("and %(count)s more") % {"count": more}] if more else []
    return subject_of(envelope, letters), "\n".join([*shown, *rest])


def subject_of(envelope: Sequence[Notice], letters: Sequence[Letter]) -> str:
    """The only letter's subject, “Missed: … and 2 more”, or of a digest “12 notices: 8 × a promise was broken, …”."""
    if len(letters) == 1:
        return letters[0].subject
    if len(letters) <= MOST_IN_FULL:
        return _("%(subject)s and %(count)s more") % {"subject": letters[0].subject, "count": len(letters) - 1}
    counted = ", ".join(f"{kind.count} × {kind.label[:1].lower()}{kind.label[1:]}" for kind in kinds(envelope, letters))
    return _("%(count)s notices: %(kinds)s") % {"count": len(letters), "kinds": counted}


def kinds(envelope: Sequence[Notice], letters: Sequence[Letter]) -> list[Kind]:
    """The letters of a digest by kind, what matters most first."""
    by_kind: dict[str, list[Letter]] = {}
    for notice, letter in zip(envelope, letters, strict=True):
        by_kind.setdefault(notice.kind, []).append(letter)
    order = [*(kind for kind in settings.NOTICE_KINDS if kind in by_kind), *(by_kind.keys() - settings.NOTICE_KINDS)]
    return [
        Kind(str(settings.NOTICE_KINDS.get(kind, _("Other"))), by_kind[kind][:MOST_OF_A_KIND], len(by_kind[kind]))
        for kind in order
    ]


def absolute(path: str) -> str:
    """A path of the portal with the portal's address before it."""
    return settings.PORTAL_URL.rstrip("/") + path


def one_line(text: str) -> str:
    """Text for a header: without line breaks and other signs that nobody sees."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def _picture(file: Attachment) -> MIMEImage:
    picture = MIMEImage(file.content, _subtype=file.mime_type.partition("/")[2])
    picture.add_header("Content-ID", f"<{file.cid}>")
    picture.add_header("Content-Disposition", "inline", filename=one_line(file.name))
    return picture


def _domain() -> str:
    return parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"


def _digest(envelope: Sequence[Notice], letters: Sequence[Letter]) -> dict[str, object]:
    return {
        "kinds": kinds(envelope, letters),
        "count": len(letters),
        "in_full": len(letters) <= MOST_IN_FULL,
        "link": absolute(reverse("notices")),
    }
