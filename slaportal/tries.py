"""Tries: asking the rooms what a notice says and for whom it is, and recording how it ended.

Whatever is recorded is recorded by whoever still holds the claim: a worker that wakes after its lease writes nothing.
"""

import logging
import traceback
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from zlib import crc32

from django.db import OperationalError, transaction
from django.db.models import Case, Q, QuerySet, Value, When
from django.utils.module_loading import import_string

from slaportal.models import Notice

log = logging.getLogger(__name__)

MOST_FAILURES = 8
# So begins the problem of mails that wait for their server, which is asked again so often.
UNREACHABLE = "The mail server cannot be reached"
AWHILE = timedelta(minutes=1)
FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=1)
# Rows of one statement that gives each of them its own words, and of one that gives all of them the same.
BATCH, MOST_AT_ONCE = 200, 5_000


def answers(name: str, rows: Sequence[Notice], *, kind: type, now: datetime) -> dict[int, object]:
    """What the function `name` of a room answers for each of these rows, by id: something of this kind, or None.

    A row for which it fails has failed, and spoils no other.
    """
    try:
        found = list(import_string(name)(rows))
        if wrong := [answer for answer in found if not isinstance(answer, kind | None)]:
            raise TypeError(f"{type(wrong[0]).__name__} is no {kind.__name__}")
        return {row.pk: answer for row, answer in zip(rows, found, strict=True)}
    except OperationalError:
        raise  # the database is busy or away, which is nobody's fault
    except Exception as problem:
        if len(rows) > 1:
            return {pk: answer for row in rows for pk, answer in answers(name, [row], kind=kind, now=now).items()}
        # Its mail may leave without it, so it must not come later under the same name.
        record_failure(rows, f"{name} could not answer: {place(problem)}.", now=now, envelope=None)
        return {}


def record(rows: Sequence[Notice], **fields: object) -> int:
    """Write how a try ended, but where another worker holds the notice by now. Returns how many were written."""
    return _claimed(rows).update(claimed_until=None, **fields)


def record_words(rows: Sequence[Notice], words: Mapping[int, Mapping[str, str]], **fields: object) -> int:
    """The same for rows of which each has words of its own, by its id."""
    count = 0
    for start in range(0, len(rows), BATCH):
        part = rows[start : start + BATCH]
        own = {
            name: Case(*(When(pk=row.pk, then=Value(words[row.pk][name])) for row in part))
            for name in words[part[0].pk]
        }
        count += record(part, **fields, **own)
    return count


def begin(rows: Sequence[Notice], *, envelope: int) -> list[Notice]:
    """Write down, before the first word is said, that these go onto the wire as this message.

    Returns those that this worker still holds; what somebody cancelled a moment ago is not among them.
    """
    if _claimed(rows).update(envelope=envelope) < len(rows):
        held = set(_claimed(rows).values_list("pk", flat=True))
        rows = [row for row in rows if row.pk in held]
    for row in rows:
        row.envelope = envelope
    return list(rows)


def postpone(rows: Sequence[Notice], why: str, *, now: datetime) -> None:
    """Let these mails wait for their server, which cannot be reached.

    None of their tries is used up: however long that lasts, they leave by themselves when it is over.
    """
    record(rows, **_postponed(why, now))


def postpone_all(why: str, *, now: datetime) -> None:
    """The same for every mail that is due and that no worker holds."""
    log.warning("notices: %s: %s; mails wait for it", UNREACHABLE[0].lower() + UNREACHABLE[1:], why)
    due = Notice.objects.due(now).filter(channel=Notice.Channel.EMAIL).order_by("pk")
    while True:
        with transaction.atomic():
            # Two workers that find it out in the same moment must not wait for each other.
            free = due.select_for_update(no_key=True, skip_locked=True).values_list("pk", flat=True)
            found = list(free[:MOST_AT_ONCE])
            Notice.objects.filter(pk__in=found).update(**_postponed(why, now))
        if len(found) < MOST_AT_ONCE:
            return


def waits_for_server(now: datetime) -> Q:
    """Which of the notices that wait do so for nothing but the mail server; what waits for the morning is due later."""
    return Q(problem__startswith=UNREACHABLE, due_at__lte=now + 2 * AWHILE)


def record_failure(rows: Sequence[Notice], problem: str, *, now: datetime, **fields: object) -> None:
    """Try these, which go together, again later; after the last try give up, which is seen and can be taken back."""
    first = rows[0]
    failures = max(row.failures for row in rows) + 1
    if failures < MOST_FAILURES:
        when = {"due_at": now + wait_after(failures, notice_id=first.pk)}
    else:
        when = {"failed_at": now}
    record(rows, failures=failures, problem=problem[:300], **when, **fields)
    # The reason stands in the row: a server's answer may quote the mail, which has no place in a log.
    log.warning("notice %s: try %s of %s failed", first.pk, failures, MOST_FAILURES)


def wait_after(failures: int, *, notice_id: int) -> timedelta:
    """How long to wait after so many failures: a minute, doubled each time up to an hour, and up to a quarter more.

    The quarter is drawn from the notice and its failures, so that those which failed together come back one by one.
    """
    wait = min(FIRST_WAIT * 2 ** (failures - 1), LONGEST_WAIT)
    return wait + wait * (crc32(f"{notice_id}:{failures}".encode()) % 1000) / 4000


def place(problem: BaseException) -> str:
    """What went wrong in which line. Not its words: they may quote the letter."""
    last = traceback.extract_tb(problem.__traceback__)[-1]
    return f"{type(problem).__name__} in {Path(last.filename).name}, line {last.lineno}"


def _postponed(why: str, now: datetime) -> dict[str, object]:
    return {"due_at": now + AWHILE, "problem": f"{UNREACHABLE}: {why.rstrip('.')[:250]}."}


def _claimed(rows: Sequence[Notice]) -> QuerySet[Notice]:
    return Notice.objects.waiting().filter(pk__in=[row.pk for row in rows], claimed_until=rows[0].claimed_until)
