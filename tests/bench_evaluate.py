"""Bench: evaluating 100,000 handoffs with 500,000 attempts against reading those rows and COPYing those clocks.

Run on PostgreSQL: `DATABASE_URL=postgres://… python tests/bench_evaluate.py`. It makes a database of its own, fills it,
and drops it. The baseline reads the same columns in the same way and COPYs the same clocks into the same empty table;
the ratio says what locking, deciding and storing range by range cost on top.
"""

import sys
import time
from datetime import UTC, datetime, timedelta

import benches
import numpy as np

HANDOFFS = 100_000
ATTEMPTS = 500_000
ROUNDS = 3
TARGET = 1.5
NOW = datetime(2026, 1, 1, tzinfo=UTC)
LADDER = ((50, "tell owner"), (80, "tell manager"), (100, "tell manager"), (150, "reassign"))


def main() -> int:
    benches.set_up()
    with benches.own_database("bench_evaluate"):
        fill()
        return compare()


def fill() -> None:
    """One agreement with five promises, its handoffs over a year, five attempts each, most of them decided.

    Those with a limit have a ladder of four steps, of which the first two of every third handoff came due already.
    """
    from agreements.models import Commitment, Step
    from leads.models import Assignment, Attempt, Disposition, Escalation, Handoff, Lead, ReasonCode
    from slaportal.models import User
    from tests.conftest import make_calendar

    marketing, (sales,) = benches.teams()
    reps = [User.objects.create(email=f"rep{n}@example.com", name=f"Rep {n}", team=sales) for n in range(40)]

    def climb(commitment: Commitment) -> None:
        for position, (share, action) in enumerate(LADDER if commitment.limit else ()):
            Step.objects.create(commitment=commitment, share=share, action=action, position=position)

    promises = {
        "volume": {"target": 8000},
        "acceptance": {"limit": 24, "unit": "hours"},
        "first_response": {},
        "attempts": {},
        "acceptance_rate": {},
    }
    since = datetime(2024, 12, 1, tzinfo=UTC)
    version = benches.agreed(marketing, sales, promises, calendar=make_calendar(country="DE"), since=since, also=climb)

    dice = np.random.default_rng(7)
    begun = [
        datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=int(s)) for s in dice.integers(0, 31_000_000, HANDOFFS)
    ]
    leads = Lead.objects.bulk_create(
        (
            Lead(source_system="bench", external_id=str(n), received_at=at, state="handed off")
            for n, at in enumerate(begun)
        ),
        batch_size=5000,
    )
    handoffs = Handoff.objects.bulk_create(
        (
            Handoff(
                lead=lead,
                agreement=version.agreement,
                version=version,
                qualified_at=lead.received_at,
                in_scope=31,
                owner=reps[n % 40],
                team=sales,
            )
            for n, lead in enumerate(leads)
        ),
        batch_size=5000,
    )
    Assignment.objects.bulk_create(
        (Assignment(handoff=h, owner_id=h.owner_id, team=sales, at=h.qualified_at, why="bench") for h in handoffs),
        batch_size=5000,
    )
    waits = dice.exponential(40_000, ATTEMPTS).astype(int)
    answered = dice.random(ATTEMPTS) < 0.2
    Attempt.objects.bulk_create(
        (
            Attempt(
                lead=leads[n // 5],
                at=begun[n // 5] + timedelta(seconds=int(waits[n]) * (n % 5 + 1)),
                entered_at=NOW,
                from_system=True,
                outcome="connected" if answered[n] else "no_answer",
                external_id=str(n),
            )
            for n in range(ATTEMPTS)
        ),
        batch_size=5000,
    )
    reason = ReasonCode.objects.get(code="not_qualified")
    Disposition.objects.bulk_create(
        (
            Disposition(
                handoff=h,
                verdict=("accepted", "rejected")[n % 2],
                reason=reason if n % 2 else None,
                at=h.qualified_at + timedelta(hours=20),
                entered_at=NOW,
                from_system=True,
            )
            for n, h in enumerate(handoffs)
            if n % 4
        ),
        batch_size=5000,
    )
    climbed = Step.objects.filter(share__lte=80)
    Escalation.objects.bulk_create(
        (
            Escalation(handoff=h, step=step, state="fired", due_at=h.qualified_at, at=h.qualified_at, what="bench")
            for h in handoffs[::3]
            for step in climbed
        ),
        batch_size=5000,
    )


def compare() -> int:
    """Time both, alternating, and print the ratio of the best rounds."""
    from django.db import connection, transaction

    from agreements import terms
    from agreements.models import Version
    from leads import clock_rows, facts, timekeeping
    from leads.models import Clock, Handoff

    version = Version.objects.prefetch_related("commitments__steps").get()
    agreed = terms.of(version)
    promises, steps = timekeeping.promises_of(version, agreed), timekeeping.steps_of(version, agreed)
    ids = list(Handoff.objects.order_by("pk").values_list("pk", flat=True))
    with connection.cursor() as cursor:
        for table in ("handoff", "assignment", "attempt", "disposition", "escalation", "lead"):
            cursor.execute(f"ANALYZE leads_{table}")
    # The first evaluation also brings the handoffs' own rows up to date, which no later one has to.
    timekeeping.evaluate_all(now=NOW)

    def read() -> None:
        for begin in range(0, len(ids), timekeeping.RANGE):
            some = ids[begin : begin + timekeeping.RANGE]
            facts.load(some, agreed, version.agreement_id, promises=promises, steps=steps)

    def clocks_as_copied() -> bytes:
        names = ", ".join(clock_rows.CLOCK_COLUMNS)
        with connection.cursor() as cursor, cursor.copy(f"COPY leads_clock ({names}) TO STDOUT") as copy:
            return b"".join(copy)

    block = clocks_as_copied()
    names = ", ".join(clock_rows.CLOCK_COLUMNS)

    def copy_in() -> None:
        copying = f"COPY leads_clock ({names}) FROM STDIN"
        with transaction.atomic(), connection.cursor() as cursor, cursor.copy(copying) as copy:
            copy.write(block)

    def evaluate() -> None:
        timekeeping.evaluate_all(now=NOW)

    rounds: dict[str, list[float]] = {"read": [], "copy": [], "evaluate": [], "evaluate again": []}
    for _ in range(ROUNDS):
        for what, how in (("read", read), ("copy", copy_in), ("evaluate", evaluate), ("evaluate again", evaluate)):
            if what in ("copy", "evaluate"):
                with connection.cursor() as cursor:
                    cursor.execute("TRUNCATE leads_clock")
            begin = time.perf_counter()
            how()
            rounds[what].append(time.perf_counter() - begin)
    best = {what: min(times) for what, times in rounds.items()}
    clocks = Clock.objects.count()
    ratio = best["evaluate"] / (best["read"] + best["copy"])
    print(f"{HANDOFFS:,} handoffs, {ATTEMPTS:,} attempts, {clocks:,} clocks on PostgreSQL, best of {ROUNDS}:")
    for what, seconds in best.items():
        print(f"  {what:<15} {seconds:6.2f} s")
    verdict = "PASS" if ratio <= TARGET else "FAIL"
    print(f"  evaluate ÷ (read + copy) = {ratio:.2f}, at most {TARGET}: {verdict}")
    return 0 if ratio <= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
