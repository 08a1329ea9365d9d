"""`manage.py portal` as a user starts and stops it: real processes on SQLite and the filesystem broker."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest
from django.conf import settings

from slaportal.management.commands import portal

PATIENCE = 180  # seconds; on an idle machine it answers in ten


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def processes_of(var_dir: Path) -> list[int]:
    """Live processes that were started with this VAR_DIR."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"VAR_DIR={var_dir}".encode() in (process / "environ").read_bytes().split(b"\0"):
                found.append(int(process.name))
    return found


@pytest.fixture
def environment(tmp_path):
    database = f"sqlite:///{tmp_path / 'portal.sqlite3'}"
    return {**os.environ, "VAR_DIR": str(tmp_path), "DATABASE_URL": database, "CELERY_BROKER_URL": "filesystem://",
            "DEBUG": "1"}  # fmt: skip


def start(port: int, environment: dict[str, str]) -> subprocess.Popen:
    command = [sys.executable, "manage.py", "portal", "--empty", "--port", str(port)]
    return subprocess.Popen(
        command, cwd=settings.BASE_DIR, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def wait_until_it_answers(port: int, portal: subprocess.Popen) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        assert portal.poll() is None, portal.stdout.read()
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/login/", timeout=5) as answer:
            assert answer.status == 200
            return
        time.sleep(0.3)
    pytest.fail("The portal did not answer in time.")


def wait_for_worker(environment: dict[str, str]) -> None:
    """Until the worker has its beat: web server, its child, the worker and the beat are more than four processes."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and len(processes_of(environment["VAR_DIR"])) < 5:
        time.sleep(0.3)
    assert len(processes_of(environment["VAR_DIR"])) >= 5


@pytest.fixture
def database(environment) -> Path:
    """Where the portal's database is, or will be."""
    return Path(environment["VAR_DIR"]) / "portal.sqlite3"


@pytest.mark.embedded
@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize(("how", "again"), [(signal.SIGTERM, False), (signal.SIGINT, True)])
def test_the_portal_starts_answers_and_stops_with_no_process_left_behind(environment, database, migrated, how, again):
    """For the first time, without a database, and with the one that it left."""
    if again:
        shutil.copy(migrated, database)
    port = free_port()
    portal = start(port, environment)
    try:
        wait_until_it_answers(port, portal)
        wait_for_worker(environment)
        portal.send_signal(how)
        said, _ = portal.communicate(timeout=PATIENCE)
    finally:
        portal.kill()
    assert portal.returncode == 0, said
    assert f"http://127.0.0.1:{port}/" in said
    assert processes_of(environment["VAR_DIR"]) == []


def test_a_taken_port_is_said_before_anything_is_done(environment):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        portal = start(taken.getsockname()[1], environment)
        said, _ = portal.communicate(timeout=PATIENCE)
    assert portal.returncode == 1
    assert "Cannot listen on 127.0.0.1" in said


@pytest.mark.parametrize(
    ("said", "found"), [("http://127.0.0.1:8000", "http://10.0.0.5:9000"), ("https://sla.example.com", None)]
)
def test_mails_link_to_where_the_portal_listens_unless_somebody_said_where_it_is_reached(said, found, settings):
    settings.PORTAL_URL = said
    assert portal.environment("10.0.0.5", 9000).get("PORTAL_URL") == found
