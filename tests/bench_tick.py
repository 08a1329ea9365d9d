"""Bench: finding 50 due among a million running or finished clocks against `SELECT 1` on the same connection.

Run on PostgreSQL: `DATABASE_URL=postgres://… python tests/bench_tick.py`. It makes a database of its own, fills it, and
drops it. The queries are the very ones that the sweep and the tick ask, caught on their way to the database.
"""

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from statistics import median
from unittest.mock import patch

import benches

CLOCKS = 1_000_000
HANDOFFS = 10_000
DUE = 50
ROUNDS = 2_000
TARGET = 5
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)

Query = tuple[str, tuple]


def main() -> int:
    benches.set_up()
    with benches.own_database("bench_tick"):
        fill()
        return compare()


def fill() -> None:
    """A hundred clocks for each handoff: half of them run with a step before them, the others are finished."""
    from django.db import connection

    from agreements.models import Agreement, Version
    from leads.models import Handoff, Lead
    from tests.conftest import make_calendar, make_commitment

    marketing, (sales,) = benches.teams()
    agreement = Agreement.objects.create(name="Bench", marketing_team=marketing, sales_team=sales)
    version = Version.objects.create(agreement=agreement, number=1, calendar=make_calendar())
    promise = make_commitment(version)
    leads = Lead.objects.bulk_create(
        (Lead(source_system="bench", external_id=str(n), received_at=NOW) for n in range(HANDOFFS)), batch_size=5_000
    )
    handoffs = Handoff.objects.bulk_create(
        (Handoff(lead=lead, agreement=agreement, version=version, qualified_at=NOW) for lead in leads),
        batch_size=5_000,
    )
    given = {"promise": promise.pk, "now": NOW, "each": CLOCKS // HANDOFFS - 1, "not_due": handoffs[DUE].pk}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO leads_clock (handoff_id, commitment_id, subject, rule, decides, started_at, due_at, state,
                                     look_at, next_step_at, next_step, stopped_at, elapsed_seconds)
            SELECT handoff, %(promise)s, subject, 'bench', true, limit_at - interval '4 hours', limit_at,
                   CASE WHEN runs THEN 1 ELSE (ARRAY[0, 2, 3])[1 + subject %% 3] END,
                   CASE WHEN runs THEN limit_at END, CASE WHEN runs THEN limit_at END, CASE WHEN runs THEN 0 END,
                   CASE WHEN NOT runs THEN limit_at END, CASE WHEN NOT runs THEN 14400 END
            FROM (
                SELECT h.id AS handoff, subject, subject %% 2 = 0 AS runs, %(now)s::timestamptz + interval '1 second' *
                       CASE WHEN subject = 0 AND h.id < %(not_due)s THEN -60
                       ELSE 1 + (h.id * 7919 + subject * 104729) %% 100000 END AS limit_at
                FROM leads_handoff h, generate_series(0, %(each)s) AS subject
            ) AS made
            """,
            given,
        )
        cursor.execute("VACUUM ANALYZE leads_clock")


def compare() -> int:
    """Time each query in turn with `SELECT 1`, and print the ratio of the medians."""
    from django.db import connection

    from leads import escalations, timekeeping
    from leads.models import Clock

    with patch.object(escalations, "_climb", return_value=set()):
        sweep = caught(lambda: escalations.sweep(now=NOW))
    with patch.object(timekeeping, "lock", return_value=[]):
        tick = caught(lambda: timekeeping.tick(now=NOW))
    running = Clock.objects.filter(state=Clock.State.OPEN).count()
    print(f"{Clock.objects.count():,} clocks on PostgreSQL, {running:,} of them running, median of {ROUNDS:,}:")
    ratios = []
    for what, query, index in (("sweep", sweep, "clock_step"), ("tick", tick, "clock_due")):
        plan = "\n".join(row[0] for row in rows(("EXPLAIN " + query[0], query[1])))
        if index not in plan:
            print(f"The {what} does not use the index {index}:\n{plan}")
            return 1
        found = len(rows(query))
        if found != DUE:
            print(f"The {what} finds {found} instead of {DUE}.")
            return 1
        taken: dict[str, list[float]] = {"query": [], "SELECT 1": []}
        for _ in range(ROUNDS):
            for name, asked in (("query", query), ("SELECT 1", ("SELECT 1", ()))):
                begin = time.perf_counter()
                rows(asked)
                taken[name].append(time.perf_counter() - begin)
        asked, one = (median(times) for times in taken.values())
        ratios.append(asked / one)
        verdict = "PASS" if ratios[-1] <= TARGET else "FAIL"
        print(
            f"  {what}: {DUE} due through {index} in {asked * 1e6:.0f} µs, SELECT 1 in {one * 1e6:.0f} µs: "
            f"ratio {ratios[-1]:.1f}, at most {TARGET}: {verdict}"
        )
    connection.close()
    return 0 if max(ratios) <= TARGET else 1


def caught(verb: Callable[[], object]) -> Query:
    """The first SELECT that a verb asks, with its parameters."""
    from django.db import connection

    asked: list[Query] = []

    def note(execute: Callable, sql: str, parameters: tuple, many: bool, context: dict) -> object:
        asked.append((sql, parameters))
        return execute(sql, parameters, many, context)

    with connection.execute_wrapper(note):
        verb()
    return next(query for query in asked if query[0].startswith("SELECT"))


def rows(query: Query) -> list[tuple]:
    """What a query answers."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(*query)
        return cursor.fetchall()


if __name__ == "__main__":
    sys.exit(main())
