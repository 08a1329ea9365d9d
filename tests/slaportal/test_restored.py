"""A database that was restored holds the outbox until somebody releases it."""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import connection

from slaportal import outbox, restored
from slaportal.models import Notice, Wire
from tests.conftest import MONDAY
from tests.slaportal.postal import HOUR, MINUTE, SOON, post, states

pytestmark = pytest.mark.django_db


@pytest.fixture
def memory(monkeypatch, tmp_path) -> Path:
    """What this machine remembers, also of the database in memory that most tests run on."""
    file = tmp_path / "sent_from"
    monkeypatch.setattr(restored, "_file", lambda: file)
    return file


@pytest.fixture
def elsewhere(monkeypatch) -> Callable[..., None]:
    """Makes this database one with another fingerprint."""

    def differ(**parts: str) -> None:
        monkeypatch.setattr(restored, "_fingerprint", lambda: parts)

    return differ


# --- Held ---------------------------------------------------------------------------------------------------------


def test_while_it_is_held_notices_are_written_and_shown_but_none_leaves(max_):
    restored.hold("Restored from Monday's backup.", now=MONDAY)
    post("proposed:7", max_)
    assert outbox.send_due(now=SOON) == 1
    assert states(channel="portal") == ["sent"] and states(channel="email") == ["waiting"]
    assert not mail.outbox


def test_what_waited_leaves_after_the_release(max_):
    restored.hold("Restored.", now=MONDAY)
    post("proposed:7", max_)
    outbox.send_due(now=SOON)
    assert restored.release(now=SOON) == 0
    assert outbox.send_due(now=SOON) == 1 and len(mail.outbox) == 1
    assert restored.held() is None


def test_all_that_waits_at_the_release_can_be_cancelled_also_what_was_written_since(max_, sofia):
    """The tick goes on while the outbox is held, and takes steps again that were taken before the restore."""
    post("before", max_, now=MONDAY - MINUTE)
    restored.hold("Restored.", now=MONDAY)
    post("since", sofia, now=MONDAY + MINUTE)
    assert restored.release(now=MONDAY + HOUR, cancel_waiting=True) == 2
    post("after", max_, now=MONDAY + HOUR)
    outbox.send_due(now=MONDAY + HOUR + MINUTE)
    assert [one.to for one in mail.outbox] == [["max@example.com"]]
    cancelled = Notice.objects.filter(channel="email").exclude(cancelled_at=None)
    assert set(cancelled.values_list("key", "problem")) == {
        (key, "It waited in a restored database and was probably sent before.") for key in ("before", "since")
    }
    assert states(channel="portal") == ["sent"] * 3


def test_who_releases_before_any_worker_noticed_is_not_asked_again(max_, memory, elsewhere):
    outbox.send_due(now=MONDAY)
    post("before", max_)
    elsewhere(database="2")
    assert restored.release(now=SOON, cancel_waiting=True) == 1
    outbox.send_due(now=SOON)
    assert restored.held() is None


# --- Recognised ---------------------------------------------------------------------------------------------------


def test_a_fresh_database_is_never_held_also_where_another_one_was_before(memory):
    assert not restored.is_held(now=MONDAY)
    assert not restored.is_held(now=MONDAY + MINUTE)
    Wire.objects.all().delete()  # made anew under the same name
    assert not restored.is_held(now=MONDAY - HOUR)
    assert not restored.is_held(now=MONDAY - HOUR)


def test_one_that_went_back_in_time_is_held(memory, caplog):
    restored.is_held(now=MONDAY)
    backup = Wire.objects.values().get()
    restored.is_held(now=MONDAY + HOUR)
    Wire.objects.filter(pk=1).update(**backup)
    assert restored.is_held(now=MONDAY + 2 * HOUR)
    assert restored.held().held_why == restored.WENT_BACK
    assert "the outbox is held. This database is older" in caplog.text
    assert restored.is_held(now=MONDAY + 3 * HOUR)  # until it is released


def test_a_release_counts_on_machines_that_remember_a_later_moment(memory):
    """The first machine sent last; the second one notices the restore and is where it is released."""
    restored.is_held(now=MONDAY)
    backup, second = Wire.objects.values().get(), memory.read_text()
    restored.is_held(now=MONDAY + HOUR)
    first = memory.read_text()
    Wire.objects.filter(pk=1).update(**backup)
    memory.write_text(second)
    restored.hold("Restored.", now=MONDAY + 2 * HOUR)
    restored.release(now=MONDAY + 2 * HOUR)
    memory.write_text(first)
    assert not restored.is_held(now=MONDAY + 2 * HOUR)


def test_runs_of_the_same_moment_by_clocks_that_differ_hold_nothing(memory):
    for now in (MONDAY, MONDAY + HOUR, MONDAY, MONDAY - HOUR, MONDAY):
        assert not restored.is_held(now=now)


@pytest.mark.parametrize(
    ("before", "by_now", "is_held"),
    [
        ({"database": "1", "table": "2", "cluster": "3", "timeline": "1"}, {"database": "9"}, True),
        ({"database": "1", "table": "2"}, {"database": "1", "table": "9"}, True),
        ({"database": "1", "cluster": "3"}, {"database": "1", "cluster": "9"}, True),
        ({"timeline": "1", "cluster": "3"}, {"timeline": "2", "cluster": "9"}, True),
        ({"machine": "a"}, {"machine": "b"}, True),
        ({"database": "1", "cluster": "3"}, {"database": "1"}, False),  # this role may not ask for the cluster
        ({"database": "1"}, {"database": "1", "cluster": "3"}, False),
        ({"database": "1", "table": "2"}, {"database": "1", "table": "2"}, False),
    ],
)
def test_another_database_than_the_last_one_is_held(memory, elsewhere, before, by_now, is_held):
    elsewhere(**before)
    restored.is_held(now=MONDAY)
    elsewhere(**by_now)
    assert restored.is_held(now=MONDAY + MINUTE) is is_held
    assert (restored.held().held_why if is_held else "") == (restored.OTHER_DATABASE if is_held else "")


def test_a_standby_that_took_over_without_a_loss_holds_nothing(memory, elsewhere):
    elsewhere(database="1", timeline="1")
    restored.is_held(now=MONDAY)
    elsewhere(database="1", timeline="2")
    assert not restored.is_held(now=MONDAY + MINUTE)
    assert not restored.is_held(now=MONDAY + HOUR)


def test_a_standby_that_took_over_and_had_missed_the_last_runs_is_held(memory, elsewhere):
    elsewhere(database="1", timeline="1")
    restored.is_held(now=MONDAY)
    copied = Wire.objects.values().get()
    restored.is_held(now=MONDAY + MINUTE)
    Wire.objects.filter(pk=1).update(**copied)
    elsewhere(database="1", timeline="2")
    assert restored.is_held(now=MONDAY + HOUR)
    assert restored.held().held_why == restored.WENT_BACK


@pytest.mark.parametrize("remembered", ["", "0123456789abcdef 1"])
def test_another_time_line_is_held_where_this_machine_knows_nothing_of_the_database(memory, elsewhere, remembered):
    elsewhere(database="1", timeline="1")
    restored.is_held(now=MONDAY)
    memory.write_text(remembered)
    elsewhere(database="1", timeline="2")
    assert restored.is_held(now=MONDAY + HOUR)
    assert restored.held().held_why == restored.OTHER_DATABASE


def test_a_backup_from_before_there_was_a_row_is_held_where_notices_were_sent_since(memory):
    """The migration makes a row without a name where there are notices."""
    Wire.objects.create(pk=1)
    assert not restored.is_held(now=MONDAY)  # upgraded, and nothing remembered yet
    Wire.objects.all().delete()
    Wire.objects.create(pk=1)
    assert restored.is_held(now=MONDAY + HOUR)


def test_a_folder_that_cannot_be_written_stops_nothing_and_says_what_is_lost(monkeypatch, tmp_path, caplog):
    monkeypatch.setattr(restored, "_file", lambda: tmp_path / "nowhere" / "sent_from")
    assert not restored.is_held(now=MONDAY)
    assert "a restored database may not be recognised" in caplog.text


# --- The command --------------------------------------------------------------------------------------------------


def test_the_command_holds_says_so_and_releases(max_, capsys):
    post("proposed:7", max_)
    call_command("outbox", hold="Moving house.")
    call_command("outbox")
    said = capsys.readouterr().out
    assert "Held: nothing leaves until manage.py outbox --release." in said
    assert "1 notice sent.\nHeld since " in said and "no chat message leaves. Moving house." in said
    call_command("outbox", release=True, cancel_waiting=True)
    assert capsys.readouterr().out == "Released; 1 notice cancelled.\n"
    assert not mail.outbox and restored.held() is None


@pytest.mark.parametrize(
    ("wrong", "says"),
    [({"cancel_waiting": True}, "goes with --release"), ({"hold": " "}, "Say why nothing shall leave")],
)
def test_the_command_refuses_what_makes_no_sense(wrong, says):
    with pytest.raises(CommandError, match=says):
        call_command("outbox", **wrong)


# --- Restored for real --------------------------------------------------------------------------------------------


RUN = "import sys, django; django.setup(); from django.core.management import call_command as call; "
RUN += "[call(*line.split()) for line in sys.argv[1:]]"


class Portal:
    """The portal as its operator runs it: with a database and a folder of its own."""

    def __init__(self, database_url: str, folder: Path) -> None:
        own = {"DATABASE_URL": database_url, "VAR_DIR": str(folder), "CELERY_BROKER_URL": "memory://"}
        self.environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "slaportal.settings", **own}

    def manage(self, *lines: str) -> list[str]:
        """Run these commands one after the other; what they say."""
        done = subprocess.run(
            [sys.executable, "-c", RUN, *lines], env=self.environment, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()


@pytest.mark.embedded
def test_a_database_file_that_was_copied_back_or_came_from_another_machine_is_held(migrated, tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    file, backup = here / "portal.sqlite3", tmp_path / "backup.sqlite3"
    portal = Portal(f"sqlite:///{file}", here)
    shutil.copy(migrated, file)
    assert portal.manage("outbox") == ["0 notices sent."]  # never on the first run

    with sqlite3.connect(file) as source, sqlite3.connect(backup) as target:
        source.backup(target)
    assert portal.manage("outbox") == ["0 notices sent."]
    for part in here.glob("portal.sqlite3-*"):
        part.unlink()
    shutil.copy(backup, file)
    said = portal.manage("outbox", "outbox --release", "outbox")
    assert restored.WENT_BACK in said[1]
    assert said[2:] == ["Released; 0 notices cancelled.", "0 notices sent."]

    shutil.copy(backup, there / "portal.sqlite3")
    elsewhere = Portal(f"sqlite:///{there / 'portal.sqlite3'}", there)
    said = elsewhere.manage("outbox", "outbox --release", "outbox")
    assert restored.OTHER_DATABASE in said[1] and said[-1] == "0 notices sent."


@pytest.fixture
def databases() -> Iterator[tuple[str, str]]:
    """Addresses of two empty databases beside the one of this test."""
    given = connection.settings_dict
    server = f"postgres://{given['USER']}:{given['PASSWORD']}@{given['HOST']}:{given['PORT'] or 5432}"
    names = [f"restored_{uuid4().hex[:12]}" for _ in range(2)]
    with psycopg.connect(f"{server}/postgres", autocommit=True) as wire:
        for name in names:
            wire.execute(f"CREATE DATABASE {name}")
        yield tuple(f"{server}/{name}" for name in names)
        for name in names:
            wire.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.postgresql
@pytest.mark.skipif(not shutil.which("pg_restore"), reason="needs pg_dump and pg_restore")
def test_a_dump_that_is_read_back_is_held_in_another_database_and_in_its_own(databases, tmp_path):
    first, other = databases
    portal, elsewhere = Portal(first, tmp_path / "here"), Portal(other, tmp_path / "there")
    portal.manage("migrate slaportal --verbosity 0", "outbox")
    dump = str(tmp_path / "dump")
    subprocess.run(["pg_dump", "-Fc", "-f", dump, first], check=True)
    assert portal.manage("outbox") == ["0 notices sent."]

    # Into another database, which another machine runs.
    subprocess.run(["pg_restore", "-d", other, dump], check=True)
    said = elsewhere.manage("outbox", "outbox --release", "outbox")
    assert restored.OTHER_DATABASE in said[1] and said[-1] == "0 notices sent."

    # Into its own tables, made anew.
    subprocess.run(["pg_restore", "--clean", "-d", first, dump], check=True)
    said = portal.manage("outbox", "outbox --release", "outbox")
    assert restored.OTHER_DATABASE in said[1] and said[-1] == "0 notices sent."

    # Only the rows, into the tables that there are.
    subprocess.run(["pg_dump", "-Fc", "-a", "-t", "slaportal_wire", "-f", dump, first], check=True)
    portal.manage("outbox")
    with psycopg.connect(first, autocommit=True) as wire:
        wire.execute("TRUNCATE slaportal_wire")
    subprocess.run(["pg_restore", "-a", "-d", first, dump], check=True)
    assert restored.WENT_BACK in portal.manage("outbox")[1]


@pytest.mark.postgresql
def test_a_role_that_may_not_ask_for_the_cluster_still_sends(memory):
    restored.is_held(now=MONDAY)
    assert Wire.objects.get().fingerprint.count("=") == 5
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE restored_guest")
        cursor.execute("GRANT ALL ON slaportal_wire, slaportal_notice TO restored_guest")
        cursor.execute("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")
        cursor.execute("SET LOCAL ROLE restored_guest")
    assert not restored.is_held(now=MONDAY + MINUTE)
    assert Wire.objects.get().fingerprint.count("=") == 3
