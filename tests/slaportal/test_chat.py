"""Chat: which addresses are taken, what is posted to them, and what nobody gets to see."""

import ast
import json
import logging
import threading
import traceback
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import apprise
import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from slaportal import chat, outbound
from tests.slaportal.test_outbound import inside_is_allowed  # noqa: F401

SECRET = "TIiajkdnlazkcOXrIdevi7FQ"
SLACK = f"slack://T1JJ3T3L2/A1BRTD4JD/{SECRET}/"
SLACK_WEB = f"https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/{SECRET}"
TEAMS_WEB = (
    "https://prod-25.westus.logic.azure.com:443/workflows/643e69f83c8944438d68119179a10a64/triggers/manual/paths/invoke"
    f"?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig={SECRET}"
)
GOOD = {
    SLACK: "Slack",
    SLACK_WEB: "Slack",
    f"  {SLACK_WEB}\n": "Slack",
    TEAMS_WEB: "Microsoft Teams",
    f"workflows://prod-25.westus.logic.azure.com:443/643e69f83c8944438d68119179a10a64/{SECRET}/": "Microsoft Teams",
    f"https://discord.com/api/webhooks/4174216298/{SECRET}": "Discord",
    f"gchat://workspace/key/{SECRET}": "Google Chat",
    f"mmosts://chat.example.com/{SECRET}": "Mattermost",
    f"rockets://webhook/{SECRET}{SECRET}@chat.example.com": "Rocket.Chat",
    f"ntfys://ntfy.example.com/{SECRET}": "ntfy",
    f"jsons://hooks.example.com/{SECRET}": "The JSON webhook",
    f"JSONS://hooks.example.com/{SECRET}": "The JSON webhook",
}


class Channel(BaseHTTPRequestHandler):
    """A service that takes messages, or does not."""

    posts: list[dict] = []
    status = 200

    def do_POST(self) -> None:
        said = self.rfile.read(int(self.headers["Content-Length"]))
        self.posts.append(json.loads(said) if said.startswith(b"{") else {})
        self.send_response(self.status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        with suppress(OSError):
            self.wfile.write(b"ok")

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def channel(inside_is_allowed) -> Iterator[type[Channel]]:  # noqa: F811
    """A service on this machine; `url` leads to it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Channel)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    Channel.posts, Channel.status, Channel.url = [], 200, f"json://127.0.0.1:{server.server_port}/{SECRET}"
    yield Channel
    server.shutdown()
    server.server_close()


@pytest.fixture
def posted(monkeypatch) -> list[dict]:
    """What services on the web would get; nothing leaves."""
    found = []

    def request(self, method, url, **options):
        found.append({"url": url, "said": options.get("data") or options.get("json"), **options})
        return SimpleNamespace(status_code=200, content=b"ok", text="ok", headers={})

    monkeypatch.setattr("requests.sessions.Session.request", request)
    return found


def said(posted: list[dict]) -> str:
    """Everything of the one message that was posted, as text."""
    (post,) = posted
    return json.dumps(json.loads(post["said"]), ensure_ascii=False)


# --- Addresses ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("url", "name"), GOOD.items(), ids=range(len(GOOD)))
def test_addresses_of_chats_are_taken_also_as_the_service_shows_them(url, name):
    chat.validate(url)
    assert chat._service(url)[0].name == name


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd", "exec://ls", "script://x", "shell://x", "syslog://localhost", "rsyslog://localhost",
        "dbus://x", "kde://x", "glib://x", "gnome://x", "windows://x", "macosx://x", "growl://localhost", "blink1://x",
        "mailto://a:b@example.com", "mailtos://a:b@example.com", "mqtt://localhost", "amqp://localhost", "xmpp://a:b@c",
        "irc://localhost", "apprise://localhost/token", "apprises://localhost/token", "matrix://a:b@localhost",
        "tgram://123456789:abcdefg_hijklmnop/12315544/", "form://localhost", "xml://localhost", "kodi://localhost",
        "http://hooks.slack.com/services/T/B/x", "ftp://example.com", "javascript://x", "data://x", "gopher://x",
    ],
)  # fmt: skip
def test_whatever_may_do_more_than_post_to_a_chat_is_refused(url):
    scheme = url.partition("://")[0]
    with pytest.raises(ValidationError, match=f"^\\['“{scheme}://” is no chat service that the portal sends to;"):
        chat.validate(url)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("", "A chat address begins with the name of a service"),
        ("slack", "A chat address begins with the name of a service"),
        (f"hooks.slack.com/{SECRET}?x=://", "A chat address begins with the name of a service"),
        ("slack://", "A chat address begins with the name of a service"),
        ("slack://T1JJ3T3L2", "Something is missing in this address"),
        ("workflows://host", "Something is missing in this address"),
        ("json://?x=y", "Something is missing in this address"),
        ("json://[::1", "Something is missing in this address"),
        (f"https://example.com/{SECRET}", "No chat service has such an https:// address"),
        (f"https://acme.webhook.office.com/webhookb2/a@b/IncomingWebhook/c/{SECRET}", "No chat service has such"),
        (f"{SLACK}?template=/etc/passwd", "“template=” cannot be used here"),
        (f"{SLACK}?TEMPLATE=http://169.254.169.254/", "“template=” cannot be used here"),
        (f"{TEAMS_WEB}&template=/etc/passwd", "“template=” cannot be used here"),
        ("jsons://example.com/?method=DELETE", "“method=” cannot be used here"),
    ],
)
def test_what_is_wrong_with_an_address_is_said_without_repeating_it(url, sentence):
    with pytest.raises(ValidationError) as problem:
        chat.validate(url)
    assert sentence in problem.value.message
    assert SECRET not in problem.value.message


@given(
    st.text(max_size=60) | st.builds("{}://{}".format, st.sampled_from([*chat.SERVICES, "https"]), st.text(max_size=40))
)
def test_whatever_is_typed_is_taken_or_refused_with_a_sentence(url):
    try:
        chat.validate(url)
    except ValidationError as problem:
        assert problem.message[0].isupper() or problem.message[0] == "“"
        assert problem.message.endswith(".")


@pytest.mark.parametrize("url", GOOD)
def test_an_address_is_shown_without_its_secret(url):
    assert SECRET not in chat.masked(url)
    assert chat.masked(url).endswith("…")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (SLACK, "slack://…"),
        (SLACK_WEB, "https://hooks.slack.com/…"),
        (f"https://u:{SECRET}@hooks.slack.com/x", "https://hooks.slack.com/…"),
        ("", ""),
        (SECRET, ""),
    ],
)
def test_a_shown_address_says_which_service_it_is(url, shown):
    assert chat.masked(url) == shown


PLUGINS = sorted(
    {chat_plugin.__module__ for scheme in chat.SERVICES for chat_plugin in [apprise.plugins.N_MGR[scheme]]}
)
# What could reach further than `requests`; mimetypes, os.path and the like cannot.
FURTHER = {"socket", "subprocess", "smtplib", "asyncio", "ssl", "ctypes", "http", "urllib.request", "ftplib", "paho"}


@pytest.mark.parametrize("module", PLUGINS)
def test_services_talk_through_what_is_checked_and_through_nothing_else(module):
    source = Path(apprise.__file__).parents[1].joinpath(*module.split(".")).with_suffix(".py").read_text()
    taken = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            taken |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            taken.add(node.module)
    assert "requests" in taken
    assert taken.isdisjoint(FURTHER)
    # Of files they read attachments, which the portal never gives, and templates, which it refuses.
    assert source.count("AppriseAttachment(") == source.count("self.template = AppriseAttachment(")


# --- Messages -----------------------------------------------------------------------------------------------------


def test_a_message_arrives(channel):
    chat.send(
        channel.url, title="Missed: Ines", text="It was due at 14:00.\nOpen it: https://sla.example.com/handoffs/1/"
    )
    (post,) = channel.posts
    assert post["title"] == "Missed: Ines"
    assert post["message"] == "It was due at 14:00.\nOpen it: https://sla.example.com/handoffs/1/"


@pytest.mark.parametrize(
    "url", [SLACK, SLACK_WEB, TEAMS_WEB, f"mmosts://chat.example.com/{SECRET}", f"gchat://w/k/{SECRET}"]
)
def test_services_get_words_and_link_and_no_picture_of_others(url, posted):
    link = "https://sla.example.com/handoffs/1/?from=a_b"
    chat.send(url, title="Missed: Ines Albrecht", text=f"Nordhaus_Logistik, due at 14:00.\nOpen it: {link}")
    text = said(posted)
    assert "Missed: Ines Albrecht" in text and link in text
    assert "github" not in text.lower() and "apprise" not in text.lower()


READ_MARKDOWN = [
    TEAMS_WEB,
    f"discord://4174216298/{SECRET}",
    f"mmosts://chat.example.com/{SECRET}",
    f"rockets://webhook/{SECRET}{SECRET}@chat.example.com",
    f"webex://{SECRET * 4}",
]


@pytest.mark.parametrize("url", READ_MARKDOWN)
def test_a_leads_name_makes_no_link_and_no_heading(url, posted):
    for place in ("title", "text"):
        posted.clear()
        chat.send(url, **{"title": "New", "text": "New", place: "[Your bank](https://evil.example) *now* `x`"})
        assert "\\\\[Your bank\\\\](https://evil.example) \\\\*now\\\\* \\\\`x\\\\`" in said(posted)


@pytest.mark.parametrize("url", [SLACK, f"gchat://w/k/{SECRET}"])
def test_a_leads_name_is_no_command(url, posted):
    chat.send(url, title="<!channel>", text="<!everyone> <https://evil.example|Your bank>")
    assert "<" not in said(posted)


@pytest.mark.parametrize("name", ["@channel", "@here", "x (@everyone)", "@all"])
def test_a_leads_name_rings_nobodys_bell(name, channel):
    chat.send(channel.url, title=name, text=f"{name} of ines@nordhaus.example")
    (post,) = channel.posts
    assert name not in post["title"] and name not in post["message"]
    assert "ines@nordhaus.example" in post["message"]


@pytest.mark.parametrize("url", [SLACK, TEAMS_WEB, f"discord://4174216298/{SECRET}"])
def test_a_long_message_is_shortened_and_keeps_its_link(url, posted):
    lines = "\n".join(f"• Missed: lead number {number}" for number in range(500))
    chat.send(url, title="500 notices", text=f"{lines}\nOpen: https://sla.example.com/notices/")
    text = said(posted)
    assert "lead number 0" in text and "lead number 499" not in text
    assert "https://sla.example.com/notices/" in text
    assert len(text) < 6_000


@given(st.text(max_size=300), st.integers(20, 200))
def test_a_shortened_text_is_as_long_as_it_may_be_at_most(text, longest):
    short = chat._short(text, longest)
    assert len(short) <= longest
    assert short == text or " …\n" in short


# --- What does not work ---------------------------------------------------------------------------------------------


def test_a_service_that_does_not_take_it_is_said(channel):
    channel.status = 404
    with pytest.raises(chat.Failed) as problem:
        chat.send(channel.url, title="A", text="B")
    assert str(problem.value) == "The JSON webhook did not take the message (HTTP 404). Is the address still right?"
    assert problem.value.__cause__ is None


def test_a_machine_inside_is_not_written_to(channel, settings):
    settings.OUTBOUND_PRIVATE = False
    with pytest.raises(chat.Failed, match=r"was not reached: 127\.0\.0\.1 is no address of the open internet\.$"):
        chat.send(channel.url, title="A", text="B")
    assert channel.posts == []


def test_a_service_that_is_not_there_is_said(inside_is_allowed):  # noqa: F811
    with pytest.raises(chat.Failed, match=r"^The JSON webhook was not reached\.$"):
        chat.send("json://127.0.0.1:1/", title="A", text="B")


def test_an_address_that_is_none_any_more_is_said():
    with pytest.raises(chat.Failed, match=r"^“dbus://” is no chat service"):
        chat.send("dbus://_/", title="A", text="B")


@pytest.mark.parametrize("url", [*GOOD, f"{SLACK}?template=/etc/passwd", f"slack://{SECRET}", f"dbus://{SECRET}"])
@pytest.mark.parametrize("status", [200, 500])
def test_no_log_and_no_error_has_a_secret_however_much_is_logged(url, status, caplog, channel, monkeypatch):
    send = outbound._send_anything

    def reroute(adapter, request, **options):
        """Whatever the service, this machine answers."""
        request.url = channel.url.replace("json", "http")
        return send(adapter, request, **options)

    monkeypatch.setattr(outbound, "_send_anything", reroute)
    channel.status = status
    with caplog.at_level(1):
        try:
            chat.send(url, title="A", text="B")
        except chat.Failed as problem:
            assert SECRET not in "".join(traceback.format_exception(problem)) + repr(problem)
        logging.getLogger("slaportal").info("the search finds something")
    assert "finds something" in caplog.text
    assert SECRET not in caplog.text
