"""Chat: messages to a channel or a person, by an address that Apprise understands (Slack, Teams and others).

Whoever knows the address can post there, so it is a secret: shown only masked, and in no log and no error.
"""

import logging
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from apprise import Apprise, AppriseAsset, NotifyFormat
from apprise.plugins import NotifyBase, url_to_dict
from django.core.exceptions import ValidationError
from django.utils.translation import gettext

from slaportal import outbound

MARKS = re.compile(r"(https?://\S+)|([\\`*_\[\]<>~|#])")
# What rings everybody's bell. Somebody's lead may be called so.
CALLS = re.compile(r"(?<!\w)@(?=\w)")
WORD_JOINER = "\N{WORD JOINER}"


def marks_escaped(text: str) -> str:
    """Text as it shows the same where Markdown is read: its marks escaped, but not those of addresses."""
    return MARKS.sub(lambda mark: mark[1] or f"\\{mark[2]}", text)


def brackets_replaced(text: str) -> str:
    """Text without the only mark that nothing escapes there."""
    return text.replace("<", "‹")


@dataclass(frozen=True)
class Service:
    """A service that is reached by the web alone: its name, and what a text needs to be shown as it is.

    Without an `escape` of ours Apprise is told that it is plain text, and sees to it.
    """

    name: str
    escape: Callable[[str], str] | None = None
    line_break: str = "\n"
    longest: int = 3_500


# All else that Apprise knows is refused: it may run commands, read files, talk to this machine, or is no chat.
TEAMS = Service("Microsoft Teams", marks_escaped, "\n\n")
MATTERMOST = Service("Mattermost", marks_escaped)
ROCKET_CHAT = Service("Rocket.Chat", marks_escaped)
WEBEX = Service("Webex", marks_escaped, "\n\n")
NTFY, WEBHOOK = Service("ntfy"), Service("The JSON webhook")
SERVICES = {
    "slack": Service("Slack"),
    "workflow": TEAMS,
    "workflows": TEAMS,
    "discord": Service("Discord", marks_escaped, longest=1_800),
    "gchat": Service("Google Chat", brackets_replaced),
    "mmost": MATTERMOST,
    "mmosts": MATTERMOST,
    "rocket": ROCKET_CHAT,
    "rockets": ROCKET_CHAT,
    "webex": WEBEX,
    "wxteams": WEBEX,
    "ntfy": NTFY,
    "ntfys": NTFY,
    "json": WEBHOOK,
    "jsons": WEBHOOK,
}
# A file of this machine, or any address, to make the message from; and another verb of HTTP than the one that posts.
REFUSED_OPTIONS = ("template", "method")

EXAMPLES = "https://hooks.slack.com/services/… or the address that Teams shows for a workflow"

# Both write addresses into their logs.
logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)


class Failed(Exception):
    """A message that was not taken; the message is a sentence, without the address."""


def validate(url: str) -> None:
    """Refuse an address to which nothing can be sent, with a sentence that says what to write."""
    _service(url)


def masked(url: str) -> str:
    """An address as it may be shown: which service it is, and nothing by which one could post there."""
    scheme, _, rest = url.strip().partition("://")
    if not rest:
        return ""
    # In the others the first part may be half of the secret.
    return f"https://{rest.partition('/')[0].rpartition('@')[2]}/…" if scheme.lower() == "https" else f"{scheme}://…"


def send(url: str, *, title: str, text: str) -> None:
    """Post a message of plain text; `Failed` with a sentence where nobody took it. Its last line is kept, however long
    it is, because that is where a link stands."""
    try:
        service, plugin = _service(url)
    except ValidationError as problem:
        raise Failed(problem.message) from None
    title, text = CALLS.sub(f"@{WORD_JOINER}", title), _short(CALLS.sub(f"@{WORD_JOINER}", text), service.longest)
    options = {"overflow": "upstream", "body_format": NotifyFormat.TEXT}
    if service.escape:
        title, text = service.escape(title), service.line_break.join(filter(None, service.escape(text).split("\n")))
        del options["body_format"]
    taken, why = False, ""
    try:
        with outbound.checked() as watch:
            taken = plugin.notify(title=title, body=text, **options)
    except Exception as problem:  # whatever a plugin raises, its words may have the address in them
        why = f" ({type(problem).__name__})"
    if taken:
        return
    if watch.refused:
        raise Failed(gettext("%(service)s was not reached: %(why)s.") % {"service": service.name, "why": watch.refused})
    if watch.status:
        raise Failed(
            gettext("%(service)s did not take the message (HTTP %(status)s). Is the address still right?")
            % {"service": service.name, "status": watch.status}
        )
    raise Failed(gettext("%(service)s was not reached%(why)s.") % {"service": service.name, "why": why})


def _service(url: str) -> tuple[Service, NotifyBase]:
    """The service behind an address, and what sends to it; a `ValidationError` where there is none that may be used."""
    url = url.strip()
    scheme, _, rest = url.partition("://")
    scheme = scheme.lower()
    if not rest or (scheme not in SERVICES and scheme != "https"):
        if not rest or not scheme.isalnum():
            raise ValidationError(
                gettext("A chat address begins with the name of a service; use one such as %(examples)s.")
                % {"examples": EXAMPLES}
            )
        raise ValidationError(
            gettext("“%(scheme)s://” is no chat service that the portal sends to; use one such as %(examples)s.")
            % {"scheme": scheme, "examples": EXAMPLES}
        )
    asset = AppriseAsset(app_id="SLA Portal", app_desc="SLA Portal", image_url_mask="", image_url_logo="",
                         image_path_mask=False, storage_mode="memory")  # fmt: skip
    parts, refused, plugin = {}, [], None
    with suppress(Exception):  # Apprise raises whatever its plugins raise, with the address in it
        parts = url_to_dict(url) or {}
        refused = [option for option in REFUSED_OPTIONS if parts.get("qsd", {}).get(option)]
        if parts.get("schema") in SERVICES and not refused:
            plugin = Apprise.instantiate(parts, asset=asset)
    if plugin is not None:
        return SERVICES[parts["schema"]], plugin
    if parts.get("schema") not in SERVICES and scheme == "https":
        raise ValidationError(
            gettext("No chat service has such an https:// address; use one such as %(examples)s.")
            % {"examples": EXAMPLES}
        )
    if refused:
        raise ValidationError(gettext("“%(name)s=” cannot be used here; leave it out.") % {"name": refused[0]})
    raise ValidationError(gettext("Something is missing in this address; copy it once more."))


def _short(text: str, longest: int) -> str:
    """At most so many signs: what is too much goes from before the last line."""
    if len(text) <= longest:
        return text
    *lines, last = text.split("\n")
    last = last[-longest // 2 :]
    return f"{chr(10).join(lines)[: longest - len(last) - 3].rstrip()} …\n{last}"
