"""Keeps the tallies fresh: counts the local days again that evaluations touched, and on the first run all of them.

Safe to run twice, by two workers, and after a kill: touches are taken away in the transaction that counts their days,
and an agreement's days are counted by one worker at a time. What an evaluation touches meanwhile has a row of its own,
which was not taken, and is counted by the next run.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date

import numpy as np
from django.db import connection, transaction
from django.db.models import Max, Min, Q

from agreements.models import Agreement, Commitment
from leads import facts
from leads.models import Handoff
from leads.periods import span
from leads.touches import TouchedDay, note_days
from reports import counting
from reports.counting import STATES, Counted
from reports.models import Scorecard, Tally, TallyBook

# Local days of one transaction, and of one agreement in one run: half a year of them, the newest first.
AT_ONCE = 31
IN_A_RUN = 6 * AT_ONCE

# The order of a row.
COLUMNS = ("commitment_id", "day", "dimension", "value", *STATES, "unstopped", "excluded_by", "spread")
KEY = 4  # so many of them tell rows apart
# From so many rows on, PostgreSQL takes them through COPY.
COPY_FROM = 500
LINE = "\t".join(["%d", "%s", "%s", "%s", *["%d"] * 5, "%s", "%s"])
ESCAPED = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


def refresh(agreement: Agreement, *, most: int = IN_A_RUN) -> set[date]:
    """Count the touched days of an agreement again, at most so many. Returns them.

    Where another worker is counting days of the agreement they are left to it.
    """
    done: set[date] = set()
    while len(done) < most:
        found = _refresh_some(agreement, min(AT_ONCE, most - len(done)))
        done |= found
        if not found:
            break
    return done


@transaction.atomic
def _refresh_some(agreement: Agreement, most: int) -> set[date]:
    book = _locked_book(agreement)
    if book is None:
        return set()
    touched = TouchedDay.objects.filter(agreement=agreement).order_by()
    days = set(touched.order_by("-day").values_list("day", flat=True).distinct()[:most])
    if days:
        # The rows that are seen now: one that comes meanwhile stays, as the clocks behind it may not be seen.
        ids = list(touched.filter(day__in=days).values_list("pk", flat=True))
        given, parameters = facts.picked(ids)
        with connection.cursor() as cursor:
            cursor.execute(f"WITH {given} DELETE FROM leads_touchedday WHERE id IN (SELECT id FROM picked)", parameters)
        replace(agreement, days)
        _mark_stale(agreement, days)
    return days


def _locked_book(agreement: Agreement) -> TallyBook | None:
    """The agreement's book, locked until the transaction ends; None while somebody else has it.

    The first time, and when the agreement's zone has changed, every day is touched.
    """
    book, is_new = TallyBook.objects.get_or_create(agreement=agreement, defaults={"time_zone": agreement.time_zone})
    locked = TallyBook.objects.select_for_update(skip_locked=True, of=("self",)).filter(pk=book.pk).first()
    if locked and (is_new or locked.time_zone != agreement.time_zone):
        Tally.objects.filter(commitment__version__agreement=agreement).delete()
        locked.time_zone = agreement.time_zone
        locked.save(update_fields=["time_zone"])
        touch_all(agreement)
    return locked


def _mark_stale(agreement: Agreement, days: set[date]) -> None:
    """Scorecards of these days are to be computed again, by this run or by whichever comes after a kill."""
    within = Q()
    for first, last in counting.runs(days):
        run = span(first, last)
        within |= Q(start__lt=run.end(agreement.zone), end__gt=run.start(agreement.zone))
    Scorecard.objects.filter(within, agreement=agreement).update(is_stale=True)


def touch_all(agreement: Agreement) -> None:
    """Touch every day from the first handoff's to the last one's."""
    ends = Handoff.objects.filter(agreement=agreement).aggregate(first=Min("qualified_at"), last=Max("qualified_at"))
    if ends["first"] is not None:
        first, last = (moment.astimezone(agreement.zone).date() for moment in (ends["first"], ends["last"]))
        note_days(agreement, span(first, last).days())


def replace(agreement: Agreement, days: set[date]) -> None:
    """Make the tallies of these days what their clocks say; rows that say so already are left alone."""
    counted = {row[:KEY]: row[KEY:] for row in _rows(counting.count(agreement, days))}
    gone = []
    for pk, key, figures in _stored(agreement, days):
        if counted.get(key) == figures:
            del counted[key]
        else:
            gone.append(pk)
    if gone:
        given, parameters = facts.picked(gone)
        with connection.cursor() as cursor:
            cursor.execute(f"WITH {given} DELETE FROM reports_tally WHERE id IN (SELECT id FROM picked)", parameters)
    if counted:
        _insert([key + figures for key, figures in counted.items()])


def _rows(counted: Counted) -> Iterator[tuple]:
    """Rows of the table, in the order of its columns."""
    for (commitment, day), total in counted.totals.items():
        rules, spread = _json(total.excluded_by), _json(total.spread)
        yield commitment, str(day), "", "", *total.states, total.unstopped, rules, spread
    for groups in counted.groups:
        days = {ordinal: str(date.fromordinal(ordinal)) for ordinal in np.unique(groups.days).tolist()}
        columns = (groups.commitments, groups.days, groups.values, *groups.states.T)
        for commitment, ordinal, value, *states in zip(*(column.tolist() for column in columns), strict=True):
            yield commitment, days[ordinal], groups.dimension, value, *states, 0, "{}", "{}"


def _stored(agreement: Agreement, days: set[date]) -> Iterator[tuple[int, tuple, tuple]]:
    """Of the rows that are kept for these days: the id, the key, and the figures."""
    commitments = Commitment.objects.filter(version__agreement=agreement).values_list("pk", flat=True)
    rows = Tally.objects.filter(commitment__in=list(commitments), day__in=days).order_by()
    columns = ("pk", "commitment", "day", "dimension", "value", *STATES)
    names = {day: str(day) for day in days}
    totals = rows.filter(dimension="").values_list(*columns, "unstopped", "excluded_by", "spread")
    for pk, commitment, day, dimension, value, *numbers, rules, spread in totals:
        yield pk, (commitment, names[day], dimension, value), (*numbers, _json(rules), _json(spread))
    for pk, commitment, day, dimension, value, *states in rows.exclude(dimension="").values_list(*columns):
        yield pk, (commitment, names[day], dimension, value), (*states, 0, "{}", "{}")


def _json(counts: Mapping[str | int, int]) -> str:
    return json.dumps({str(key): number for key, number in counts.items()}, sort_keys=True)


def _insert(rows: Sequence[tuple]) -> None:
    names = ", ".join(COLUMNS)
    with connection.cursor() as cursor:
        if facts.is_postgresql() and len(rows) >= COPY_FROM:
            with cursor.copy(f"COPY reports_tally ({names}) FROM STDIN") as copy:
                copy.write("\n".join(_lines(rows)))
        else:
            marks = ", ".join(["%s"] * len(COLUMNS))
            cursor.executemany(f"INSERT INTO reports_tally ({names}) VALUES ({marks})", rows)


def _lines(rows: Iterable[tuple]) -> Iterator[str]:
    """Rows in the text format of PostgreSQL's COPY."""
    for commitment, day, dimension, value, *numbers, rules, spread in rows:
        yield LINE % (commitment, day, dimension, value.translate(ESCAPED), *numbers, rules.translate(ESCAPED), spread)
