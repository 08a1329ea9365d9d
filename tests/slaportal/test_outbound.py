"""Connections to addresses that people typed in: to which machines, how far and for how long."""

import gzip
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from slaportal import outbound
from slaportal.outbound import Refused, checked, is_public

TAKEN = b"taken"


class Machine(BaseHTTPRequestHandler):
    """A machine inside: it answers, leads on, drips and floods."""

    protocol_version = "HTTP/1.1"
    asked: list[str] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        with suppress(OSError):
            getattr(self, self.path.partition("?")[0].strip("/").replace("-", "_") or "plain")()

    do_POST = do_GET

    def plain(self) -> None:
        self.answer(200, TAKEN)

    def leads_on(self) -> None:
        self.send_response(302)
        self.send_header("Location", "/plain")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def drips(self) -> None:
        self.send_response(200)
        self.end_headers()
        for _ in range(100):
            self.wfile.write(b".")
            time.sleep(0.05)

    def drips_heads(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        for number in range(90):
            self.wfile.write(b"X-%d: y\r\n" % number)
            time.sleep(0.05)

    def says_nothing(self) -> None:
        time.sleep(3)

    def floods(self) -> None:
        self.send_response(200)
        self.end_headers()
        for _ in range(10_000):
            self.wfile.write(b"x" * 4096)

    def unfolds(self) -> None:
        self.answer(200, gzip.compress(b"x" * 50_000_000), ("Content-Encoding", "gzip"))

    def barely_fits(self) -> None:
        self.answer(200, b"x" * outbound.LARGEST)

    def breaks(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "500")
        self.end_headers()
        self.wfile.write(b"x")
        self.close_connection = True

    def answer(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in (*headers, ("Content-Length", str(len(body)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


class Six(ThreadingHTTPServer):
    address_family = socket.AF_INET6


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The port of a machine inside, on 127.0.0.1."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Machine)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.fixture
def inside_is_allowed(settings):
    settings.OUTBOUND_PRIVATE = True


@pytest.fixture(autouse=True)
def nobody_asked():
    Machine.asked.clear()


def named(monkeypatch, *found: str) -> list[str]:
    """Every name is looked up as the first of these addresses, the next time as the second. Returns what was asked."""
    answers, asked = list(found), []
    look_up = socket.getaddrinfo

    def getaddrinfo(host, port, *args, **kwargs):
        if host == "evil.example":
            asked.append(host)
            host = answers.pop(0) if len(answers) > 1 else answers[0]
        return look_up(host, port, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


# --- Which machines -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.1", "127.0.0.1", "127.8.8.8", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
        "169.254.169.254", "100.64.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "239.255.255.250", "240.0.0.1",
        "255.255.255.255",
        "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12:3456::1", "ff02::1", "ff0e::1", "2001:db8::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "2002:7f00:1::", "2002:a00:1::1", "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2001::1", "::ffff:224.0.0.1", "fec0::1",
    ],
)  # fmt: skip
def test_an_address_that_is_not_of_the_open_internet_is_known(address):
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "172.32.0.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_an_address_of_the_open_internet_is_let_through(address):
    assert is_public(address)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0", "[::1]", "[::ffff:127.0.0.1]"],
)
def test_no_way_to_write_this_machine_leads_to_it(host, port):
    with pytest.raises(Refused, match="is no address of the open internet"), checked():
        requests.get(f"http://{host}:{port}/plain", timeout=5)
    assert Machine.asked == []


def test_a_name_that_means_a_machine_inside_leads_nowhere(port, monkeypatch):
    named(monkeypatch, "127.0.0.1")
    with pytest.raises(Refused, match=r"^evil\.example is no address of the open internet$"), checked():
        requests.get(f"http://evil.example:{port}/plain", timeout=5)
    assert Machine.asked == []


def test_a_name_that_means_another_machine_the_second_time_leads_where_was_looked(port, monkeypatch):
    asked, reached = named(monkeypatch, "8.8.8.8", "127.0.0.1"), []

    def connect(address, *args, **kwargs):
        reached.append(address)
        raise OSError("no wire")

    monkeypatch.setattr(outbound, "_connect_anywhere", connect)
    with pytest.raises(requests.ConnectionError), checked():
        requests.get(f"http://evil.example:{port}/plain", timeout=5)
    assert (asked, reached) == (["evil.example"], [("8.8.8.8", port)])


def test_a_name_with_an_address_inside_among_others_is_refused(port, monkeypatch):
    look_up = socket.getaddrinfo
    both = lambda host, *args, **kwargs: [*look_up("8.8.8.8", *args, **kwargs), *look_up("127.0.0.1", *args, **kwargs)]  # noqa: E731
    monkeypatch.setattr(socket, "getaddrinfo", both)
    with pytest.raises(Refused, match="open internet"), checked():
        requests.get(f"http://evil.example:{port}/", timeout=5)


@pytest.mark.parametrize("host", ["nowhere.invalid", "a" * 70 + ".example"])
def test_a_name_that_nobody_knows_is_said(host):
    with pytest.raises(requests.RequestException) as problem, checked():
        requests.get(f"http://{host}/", timeout=5)
    if isinstance(problem.value, Refused):
        assert str(problem.value) == f"nobody knows an address of {host}"


def test_machines_inside_are_reached_where_the_setting_allows_it(port, inside_is_allowed):
    with checked() as watch:
        assert requests.get(f"http://127.0.0.1:{port}/plain", timeout=5).content == TAKEN
    assert (watch.status, watch.refused) == (200, None)


def test_a_machine_inside_is_reached_by_ipv6_where_the_setting_allows_it(inside_is_allowed):
    try:
        server = Six(("::1", 0), Machine)
    except OSError:
        pytest.skip("this machine has no IPv6")
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        with checked():
            assert requests.get(f"http://[::1]:{server.server_port}/plain", timeout=5).content == TAKEN
    finally:
        server.shutdown()
        server.server_close()


def test_a_proxy_of_the_environment_is_not_asked(port, monkeypatch):
    """Behind a proxy nobody sees where a connection goes."""
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
    monkeypatch.setattr(outbound, "_connect_anywhere", lambda address, *args, **kwargs: 1 / 0)
    with pytest.raises(ZeroDivisionError), checked():
        requests.get("http://8.8.8.8/plain", timeout=5)
    assert Machine.asked == []


@pytest.mark.parametrize(("given", "kept"), [(True, True), (False, True), ("/some/bundle.pem", "/some/bundle.pem")])
def test_who_answers_always_has_to_prove_who_it_is(given, kept, monkeypatch):
    seen = {}

    def send(adapter, request, **options):
        seen.update(options)
        raise requests.ConnectionError

    monkeypatch.setattr(outbound, "_send_anything", send)
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)
    with pytest.raises(requests.ConnectionError), checked():
        requests.get("https://8.8.8.8/", timeout=5, verify=given)
    assert seen["verify"] == kept


# --- How far, how much, how long -----------------------------------------------------------------------------------


def test_a_redirect_is_not_followed(port, inside_is_allowed):
    with pytest.raises(Refused, match="leads on to another address"), checked() as watch:
        requests.post(f"http://127.0.0.1:{port}/leads-on", timeout=5)
    assert (Machine.asked, watch.status) == (["/leads-on"], 302)


@pytest.mark.parametrize("path", ["floods", "unfolds"])
def test_an_endless_answer_is_not_read(path, port, inside_is_allowed):
    with pytest.raises(Refused, match="the answer is longer than 64 KiB"), checked():
        requests.get(f"http://127.0.0.1:{port}/{path}", timeout=5)


def test_an_answer_that_just_fits_is_read(port, inside_is_allowed):
    with checked():
        assert len(requests.get(f"http://127.0.0.1:{port}/barely-fits", timeout=5).content) == outbound.LARGEST


@pytest.mark.parametrize("path", ["drips", "drips-heads", "says-nothing"])
def test_a_slow_answer_ends_with_the_time_for_all_of_it(path, port, inside_is_allowed):
    begun = time.monotonic()
    with pytest.raises(Refused, match=r"no whole answer came within 0\.3 seconds"), checked(seconds=0.3):
        requests.get(f"http://127.0.0.1:{port}/{path}", timeout=10)
    assert time.monotonic() - begun < 2


def test_after_the_time_no_connection_begins(port, inside_is_allowed):
    with pytest.raises(Refused, match="no whole answer"), checked(seconds=0.05):
        time.sleep(0.1)
        requests.get(f"http://127.0.0.1:{port}/plain", timeout=5)
    assert Machine.asked == []


def test_an_answer_that_breaks_off_is_an_error_as_always(port, inside_is_allowed):
    with pytest.raises(requests.ConnectionError) as problem, checked():
        requests.get(f"http://127.0.0.1:{port}/breaks", timeout=5)
    assert not isinstance(problem.value, Refused)


# --- Only inside ---------------------------------------------------------------------------------------------------


def test_outside_everything_is_as_it_was(port):
    for path, taken in (("plain", TAKEN), ("leads-on", TAKEN), ("barely-fits", b"x" * outbound.LARGEST)):
        with suppress(Refused), checked():
            requests.get(f"http://127.0.0.1:{port}/", timeout=5)
        assert requests.get(f"http://127.0.0.1:{port}/{path}", timeout=5).content == taken


def test_one_threads_check_is_not_anothers(port):
    inside, done, got = threading.Event(), threading.Event(), []

    def look() -> None:
        with suppress(Refused), checked():
            inside.set()
            done.wait(5)
            requests.get(f"http://127.0.0.1:{port}/plain", timeout=5)
            got.append("reached although it is inside")

    other = threading.Thread(target=look)
    other.start()
    inside.wait(5)
    got.append(requests.get(f"http://127.0.0.1:{port}/plain", timeout=5).content)
    done.set()
    other.join()
    assert got == [TAKEN]


def test_nothing_is_left_open(port, inside_is_allowed):
    with checked() as watch:
        requests.get(f"http://127.0.0.1:{port}/plain", timeout=5)
        handles = list(watch._open)
    assert handles and all(one.fileno() == -1 for one in handles)
