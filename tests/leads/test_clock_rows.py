"""The stored clocks become what an evaluation says, and no row is touched that is so already."""

from datetime import timedelta

import numpy as np
import pytest
from django.db import connection

from leads import clock_rows, clocks, facts, timekeeping, tracking
from leads.models import Clock
from leads.rules import RULE_NAMES
from tests.conftest import MONDAY, receive

pytestmark = pytest.mark.django_db
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LATER = np.datetime64("2025-03-04T09:00:00.000001", "us")


def changes() -> dict[int, object]:
    """What tells a written row from one that was left alone: PostgreSQL's row version, SQLite's sum of changes."""
    with connection.cursor() as cursor:
        if facts.is_postgresql():
            cursor.execute("SELECT id, ctid::text FROM leads_clock")
            return dict(cursor.fetchall())
    return {0: connection.connection.total_changes}


@pytest.fixture
def handoffs(version, ron):
    """Three handoffs with a volume and a first response clock each."""
    return receive("A", "B", "C")


def verdicts_of(count: int, *, promises: int = 2) -> np.ndarray:
    """Verdicts in which every column differs from row to row, some of it missing."""
    out = np.zeros(count * promises, clocks.VERDICT)
    index = np.arange(len(out))
    out["row"], out["promise"] = index // promises, index % promises
    out["state"], out["rule"], out["decides"] = index % 4, index % len(RULE_NAMES), index % 2 == 0
    out["started_at"] = LATER
    for shift, name in enumerate(("due_at", "look_at", "stopped_at", "next_step_at")):
        out[name] = np.where((index + shift) % 3 == 0, np.datetime64("NaT"), LATER + index * shift)
    out["elapsed"] = np.where(index % 2, np.timedelta64("NaT"), index * 1_000_001)
    out["next_step"] = index % 3 - 1
    return out


def write(handoffs, verdicts: np.ndarray) -> None:
    commitments = [row.pk for row in handoffs[0].version.commitments.all()]
    clock_rows.write(np.array([handoff.pk for handoff in handoffs]), commitments, verdicts)


def table() -> list[tuple]:
    """All clocks without their ids."""
    names = [*clock_rows.CLOCK_COLUMNS]
    return sorted(map(repr, Clock.objects.values_list(*names)))


def test_every_column_is_stored_as_the_verdict_says(handoffs):
    verdicts = verdicts_of(3)
    verdicts["charged_to"][0] = handoffs[0].assignments.get().pk
    write(handoffs, verdicts)
    clock = Clock.objects.get(handoff=handoffs[0], commitment__code="volume")
    assert (clock.state, clock.rule, clock.decides, clock.elapsed_seconds) == (0, RULE_NAMES[0], True, 0)
    assert (clock.due_at, clock.started_at) == (None, MONDAY + DAY + timedelta(microseconds=1))
    assert (clock.next_step_at, clock.next_step) == (None, None)
    assert clock.charged_to.owner == handoffs[0].assignments.get().owner
    clock = Clock.objects.get(handoff=handoffs[1], commitment__code="volume")
    assert (clock.elapsed_seconds, clock.charged_to, clock.subject) == (2.000002, None, 0)
    assert (clock.next_step_at, clock.next_step) == (MONDAY + DAY + timedelta(microseconds=7), 1)


def test_what_is_the_same_is_not_written_again(handoffs):
    write(handoffs, verdicts_of(3))
    before = changes()
    write(handoffs, verdicts_of(3))
    assert changes() == before


@pytest.mark.parametrize("name", clocks.VERDICT.names[3:])
def test_a_change_of_any_column_writes_that_row_and_no_other(handoffs, name):
    verdicts = verdicts_of(3)
    write(handoffs, verdicts)
    before = changes()
    match verdicts.dtype[name].kind:
        case "b":
            verdicts[name][3] = not verdicts[name][3]
        case "M" | "m":
            missing = np.isnat(verdicts[name][3])
            verdicts[name][3] = 5 if missing else "NaT"
        case _:
            verdicts[name][3] = handoffs[0].assignments.get().pk if name == "charged_to" else 2
    write(handoffs, verdicts)
    after = changes()
    if facts.is_postgresql():
        assert len(before.items() - after.items()) == 1
    else:
        assert after[0] - before[0] == 1
    write(handoffs, verdicts)
    assert changes() == after


def test_a_clock_that_the_evaluation_no_longer_has_is_deleted_and_those_of_others_are_left(handoffs):
    first, second, third = handoffs
    write(handoffs, verdicts_of(3))
    kept = set(Clock.objects.filter(handoff=third).values_list("pk", flat=True))
    verdicts = verdicts_of(2)[[0, 2, 3]]
    verdicts["subject"][1] = 7
    write([first, second], verdicts)
    left = Clock.objects.filter(handoff__in=[first, second]).values_list("handoff", "commitment__code", "subject")
    assert sorted(left) == [
        (first.pk, "volume", 0),
        (second.pk, "first-response", 0),
        (second.pk, "volume", 7),
    ]  # fmt: skip
    assert set(Clock.objects.filter(handoff=third).values_list("pk", flat=True)) == kept


def test_without_a_verdict_nothing_is_left(handoffs):
    write(handoffs, verdicts_of(0))
    assert not Clock.objects.exists()


# --- Many rows, on PostgreSQL --------------------------------------------------------------------------------------


@pytest.mark.postgresql
@pytest.mark.parametrize("stored", ["nothing", "others", "the same", "more"])
def test_copy_leaves_the_same_table_as_single_statements(handoffs, monkeypatch, stored):
    start = {"nothing": None, "others": verdicts_of(3)[::-1].copy(), "the same": verdicts_of(3), "more": verdicts_of(3)}
    if stored == "others":
        start[stored]["row"], start[stored]["state"] = verdicts_of(3)["row"], 2
    verdicts = verdicts_of(3)[:4] if stored == "more" else verdicts_of(3)
    verdicts["charged_to"][1] = handoffs[0].assignments.get().pk
    tables = []
    for threshold in (1, 10**9):
        Clock.objects.all().delete()
        if start[stored] is not None:
            write(handoffs, start[stored])
        monkeypatch.setattr(clock_rows, "COPY_FROM", threshold)
        write(handoffs, verdicts)
        tables.append(table())
        before = changes()
        write(handoffs, verdicts)
        assert changes() == before
    assert tables[0] == tables[1]
    assert len(tables[0]) == len(verdicts)


@pytest.mark.postgresql
def test_a_recompute_through_copy_changes_nothing(handoffs, ron, monkeypatch):
    tracking.log_attempts([tracking.NewAttempt(lead=handoffs[0].lead)], by=ron, now=MONDAY + HOUR)
    timekeeping.tick(now=MONDAY + DAY)
    before = changes()
    monkeypatch.setattr(clock_rows, "COPY_FROM", 1)
    assert timekeeping.evaluate_all(now=MONDAY + DAY) == 3
    assert changes() == before


@pytest.mark.postgresql
def test_five_hundred_verdicts_take_the_way_through_copy(handoffs, monkeypatch):
    lengths = []
    monkeypatch.setattr(clock_rows, "_copy_clocks", lambda ids, rows: lengths.append(len(rows)))
    verdicts = verdicts_of(3)
    for count in (499, 500):
        many = np.tile(verdicts, 100)[:count]
        many["subject"] = np.arange(count)
        write(handoffs, many)
    assert lengths == [500]
