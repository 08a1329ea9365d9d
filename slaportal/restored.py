"""Recognises a database that was restored: what it thinks is still to be sent may have been sent long ago.

Two signs are looked for. The database that notices were last sent from has another fingerprint than this one: a dump
was read into a new database, a copy of the cluster went on by itself, or a file came from another machine. And a number
grows with each run, which each machine also remembers in a file: where it is lower than remembered the database went
back in time. Then the outbox is *held*: nothing leaves but what stays in the portal, until somebody releases it.

A cluster that only began another time line was restored, or a standby took over from it. The latter lost nothing where
the number is as high as this machine remembers it, so then nothing is held.

What cannot be seen is a machine that was set back as a whole, together with the file: hold it by hand.
"""

import hashlib
import logging
import os
import secrets
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from threading import get_ident

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.models import F, Value
from django.db.models.functions import Greatest

from slaportal.local import local_key
from slaportal.models import Notice, Wire

log = logging.getLogger(__name__)

OTHER_DATABASE = "This is another database than the one that notices were last sent from; it was probably restored."
WENT_BACK = "This database is older than when notices were last sent from it; it was probably restored."


def is_held(*, now: datetime) -> bool:
    """Whether notices must not leave; looks for the signs of a restore, and holds the outbox where it finds one."""
    # Read before the row: whoever wrote it had moved the row on already.
    remembered = _remembered()
    wire = _wire()
    if wire.held_at:
        return True
    before, by_now = _parts(wire.fingerprint), _fingerprint()
    if why := _sign(before, by_now, wire.generation, remembered):
        hold(why, now=now)
        return True
    name, fresh = before.get("wire") or _drawn(), _number(now)
    Wire.objects.filter(pk=1).update(
        generation=Greatest(F("generation") + 1, Value(fresh)), fingerprint=_text({"wire": name} | by_now)
    )
    _remember(name, max(wire.generation + 1, fresh))
    return False


def hold(why: str, *, now: datetime) -> None:
    """Let nothing leave until `release`."""
    log.error("notices: the outbox is held. %s", why)
    _wire()
    Wire.objects.filter(pk=1, held_at=None).update(held_at=now, held_why=why[:300])


@transaction.atomic
def release(*, now: datetime, cancel_waiting: bool = False) -> int:
    """Let notices leave again, on every machine. All mails and chat messages that wait can be cancelled: they were
    probably sent before, also those of steps that were taken once more since. Returns how many were cancelled.
    """
    _wire()
    wire = Wire.objects.select_for_update(no_key=True).get(pk=1)
    count = 0
    if cancel_waiting:
        leaving = Notice.objects.waiting().exclude(channel=Notice.Channel.PORTAL)
        count = leaving.update(
            cancelled_at=now, problem="It waited in a restored database and was probably sent before."
        )
    # The moment is later than what any machine remembers, and whichever sends next says which database this is.
    _, remembered = _remembered() or ("", 0)
    Wire.objects.filter(pk=1).update(
        held_at=None,
        held_why="",
        released_at=now,
        generation=max(wire.generation + 1, remembered, _number(now)),
        fingerprint=_text({"wire": _parts(wire.fingerprint).get("wire") or _drawn()}),
    )
    return count


def held() -> Wire | None:
    """The row that says since when and why the outbox is held, if it is."""
    return Wire.objects.filter(pk=1, held_at__isnull=False).first()


def _wire() -> Wire:
    """The row. A new one draws a name, by which a new database differs from an old one that came back."""
    return Wire.objects.get_or_create(pk=1, defaults={"fingerprint": _text({"wire": _drawn()})})[0]


def _sign(before: dict[str, str], by_now: dict[str, str], generation: int, remembered: tuple[str, int] | None) -> str:
    """Why this seems to be a restored database, in a sentence; blank where nothing says so."""
    # What only one of them knows (a role may not ask for the cluster) says nothing.
    differs = {name for name in before.keys() & by_now.keys() if before[name] != by_now[name]}
    is_known = remembered is not None and remembered[0] == before.get("wire")
    if differs - {"timeline"} or (differs and not is_known):
        return OTHER_DATABASE
    if remembered is None:
        return ""
    name, number = remembered
    # A row without a name was made by a migration, for notices from before there was one.
    is_older = "wire" not in before or (before["wire"] == name and generation < number)
    return WENT_BACK if is_older else ""


def _fingerprint() -> dict[str, str]:
    """Which database this is, as its server knows it; on SQLite on which machine it lies."""
    if connection.vendor != "postgresql":
        machine = "" if connection.is_in_memory_db() else local_key(settings.VAR_DIR / "machine")
        return {"machine": _short(machine)}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT oid FROM pg_database WHERE datname = current_database()), %s::regclass::oid",
            [Notice._meta.db_table],
        )
        found = dict(zip(("database", "table"), map(str, cursor.fetchone()), strict=True))
    # The cluster and its time line, where this role may ask for them.
    with suppress(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT system_identifier, timeline_id FROM pg_control_system(), pg_control_checkpoint()")
        found |= zip(("cluster", "timeline"), map(str, cursor.fetchone()), strict=True)
    return found


def _text(fingerprint: dict[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in fingerprint.items())


def _parts(fingerprint: str) -> dict[str, str]:
    return dict(part.split("=") for part in fingerprint.split())


def _drawn() -> str:
    return secrets.token_hex(8)


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _number(now: datetime) -> int:
    return int(now.timestamp() * 1000)


def _file() -> Path | None:
    """Where this machine remembers the number, one for each database; one in memory has none to go back to."""
    given = connection.settings_dict
    if connection.vendor == "sqlite" and connection.is_in_memory_db():
        return None
    address = ":".join(str(given[name]) for name in ("HOST", "PORT", "NAME"))
    return settings.VAR_DIR / f"sent_from_{_short(address)}"


def _remembered() -> tuple[str, int] | None:
    """The row's name and number as this machine saw them last."""
    with suppress(OSError, ValueError):
        if file := _file():
            name, number = file.read_text().split()
            return name, int(number)
    return None


def _remember(name: str, generation: int) -> None:
    file = _file()
    if file is None:
        return
    fresh = file.with_name(f"{file.name}.{os.getpid()}.{get_ident()}")
    try:
        fresh.write_text(f"{name} {generation}")
        fresh.replace(file)
    except OSError as problem:
        log.warning("notices: %s cannot be written: a restored database may not be recognised", problem.filename)
