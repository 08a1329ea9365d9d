"""Bench: the scorecard page, the refresh of a month and crosses, with a million handoffs and six million clocks.

Run on PostgreSQL: `DATABASE_URL=postgres://… python tests/bench_scorecards.py`. It makes a database of its own, fills
it with two years of one agreement, and drops it. The page is held against the yardstick view of bench_worklist; the
refresh (all days of the running month are touched and the clocks of one have changed: count, keep what differs, and
work out the figures of every promise) against one GROUP BY over the same GROUPING SETS; each cross of two dimensions
against the GROUP BY that it rests on. What a scorecard says beside its promises is not counted here: it has a line.
"""

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import combinations
from statistics import median

import benches
from benches import said

HANDOFFS = 1_000_000
REPS = 400
PAGE_TARGET, REFRESH_TARGET, CROSS_TARGET = 1.0, 2.0, 1.5
TURNS = 5
NOW = datetime(2026, 3, 31, 21, tzinfo=UTC)
DAYS = 730


def main() -> int:
    benches.set_up()
    from django.urls import path

    with benches.own_database("bench_scorecards", [path("bench/", benches.plain_list)]):
        fill()
        return compare()


def fill() -> None:
    """Two years of an agreement with six promises, a clock for each on every handoff; 500 are open for the reader."""
    from slaportal import roles
    from slaportal.models import User
    from tests.conftest import make_always, make_user

    marketing, teams = benches.teams(8)
    make_user("sofia@example.com", roles.SALES_LEADER, team=teams[0])
    User.objects.bulk_create(
        User(email=f"rep{n}@example.com", name=f"Rep {n}", team=teams[n % len(teams)]) for n in range(REPS)
    )
    promises = {
        "volume": {"target": 8000},
        "completeness": {},
        "acceptance_rate": {},
        "acceptance": {"limit": 48, "unit": "hours"},
        "first_response": {"limit": 24, "unit": "hours"},
        "attempts": {"limit": 10, "unit": "days"},
    }
    since = datetime(2024, 1, 1, tzinfo=UTC)
    version = benches.agreed(marketing, teams[0], promises, calendar=make_always(), since=since)
    given = {"handoffs": HANDOFFS, "reps": REPS, "now": NOW, "days": DAYS,
             "agreement": version.agreement_id,
             "version": version.pk, "scope": 2 ** len(promises) - 1,
             "teams": [team.pk for team in teams], "first": User.objects.get(email="rep0@example.com").pk,
             "reader": User.objects.get(email="sofia@example.com").pk,
             "timed": [row.pk for row in version.commitments.all() if row.limit]}  # fmt: skip
    benches.filled(FILL, given)


FILL = (
    """
    INSERT INTO leads_lead (source_system, external_id, contact_id, name, email, phone, company, title, seniority,
        company_size, industry, country, score, source, campaign, segment, attributes, handed_over, received_at, state)
    SELECT 'crm', n, 'C' || n, 'Ines Albrecht ' || n, 'ines' || n || '@nordhaus.example', '+49 30 ' || n,
        'Nordhaus Logistik ' || n %% 900, 'VP Operations', 'VP', 220, 'Logistics', 'DE', 60 + n %% 40,
        (ARRAY['Inbound demo', 'Webinar', 'Partner', 'Paid social', 'Event', ''])[1 + n * 7 %% 6],
        'Campaign ' || n * 31 %% 60, (ARRAY['Mid-market', 'Enterprise', 'SMB'])[1 + n * 13 %% 3], '{}', false,
        %(now)s::timestamptz - interval '1 day' * %(days)s * (1 - n::float / %(handoffs)s), 'handed off'
    FROM generate_series(1, %(handoffs)s) AS n
    """,
    """
    INSERT INTO leads_handoff (lead_id, number, agreement_id, version_id, qualified_at, source, campaign, segment,
        score, snapshot, failed_criteria, missing_fields, below_definition, is_complete, in_scope, owner_id, team_id,
        stage, ended_at)
    SELECT id, 1, %(agreement)s, %(version)s, received_at, source, campaign, segment, score, '{"name": "Ines"}',
        '[]', '[]', false, true, %(scope)s,
        CASE WHEN id %% 2000 = 0 THEN %(reader)s ELSE %(first)s + (hashint8(id) & 2147483647) %% %(reps)s END,
        (%(teams)s::bigint[])[1 + id %% 8], 'mql', CASE WHEN id %% 2000 > 0 THEN received_at + interval '5 hours' END
    FROM leads_lead
    """,
    """
    INSERT INTO leads_assignment (id, handoff_id, owner_id, team_id, at, why, is_offer)
    SELECT id, id, owner_id, team_id, qualified_at, 'next in turn', false FROM leads_handoff
    """,
    # About a quarter missed, a tenth excluded by three rules, a twentieth open; times from a minute to a week.
    """
    INSERT INTO leads_clock (handoff_id, commitment_id, subject, state, rule, decides, charged_to_id, started_at,
        stopped_at, elapsed_seconds)
    SELECT h.id, c.id, 0, state, CASE WHEN state = 3
            THEN (ARRAY['out_of_scope', 'below_definition', 'reassigned'])[1 + luck %% 3] ELSE 'within_limit' END,
        true, h.id, CASE WHEN c.timed THEN h.qualified_at END,
        CASE WHEN c.timed AND state <> 1 THEN h.qualified_at + interval '1 second' * elapsed END,
        CASE WHEN c.timed AND state <> 1 THEN elapsed END
    FROM leads_handoff h, (SELECT id, id = ANY(%(timed)s) AS timed FROM agreements_commitment) c,
        LATERAL (SELECT hashint8(h.id * 64 + c.id) & 2147483647 AS luck) l,
        LATERAL (SELECT CASE WHEN luck %% 100 < 5 THEN 1 WHEN luck %% 100 < 15 THEN 3 WHEN luck %% 100 < 40 THEN 0
            ELSE 2 END AS state, round(60 * exp(luck %% 9973 / 1081.0)) AS elapsed) s
    """,
)

# The same groups as the tallies keep, with the same counts; not the times, and nothing is kept.
GROUPED = """
    SELECT count(*) FROM (
        SELECT c.commitment_id, (h.qualified_at AT TIME ZONE %(zone)s)::date AS day,
            h.source, h.campaign, h.segment, a.team_id, a.owner_id,
            extract(hour FROM h.qualified_at AT TIME ZONE %(zone)s) AS hour,
            count(*) FILTER (WHERE c.state = 0), count(*) FILTER (WHERE c.state = 1),
            count(*) FILTER (WHERE c.state = 2), count(*) FILTER (WHERE c.state = 3)
        FROM leads_handoff h JOIN leads_clock c ON c.handoff_id = h.id
            LEFT JOIN leads_assignment a ON a.id = c.charged_to_id
        WHERE h.agreement_id = %(agreement)s AND h.qualified_at >= %(start)s AND h.qualified_at < %(end)s
            AND c.decides
        GROUP BY GROUPING SETS ((1, 2), (1, 2, 3), (1, 2, 4), (1, 2, 5), (1, 2, 6), (1, 2, 7), (1, 2, 8))
    ) AS grouped
"""

# Every handoff of the last day is missed in one turn and met in the next.
CHANGED = """
    UPDATE leads_clock c SET state = CASE WHEN c.state = 0 THEN 2 ELSE 0 END, rule = 'within_limit'
    FROM leads_handoff h
    WHERE h.id = c.handoff_id AND h.agreement_id = %(agreement)s
        AND h.qualified_at >= %(end)s - interval '1 day' AND h.qualified_at < %(end)s
"""

COLUMNS = {
    "source": "h.source",
    "campaign": "h.campaign",
    "segment": "h.segment",
    "team": "a.team_id",
    "rep": "a.owner_id",
    "weekday": "extract(isodow FROM h.qualified_at AT TIME ZONE %(zone)s)",
    "hour": "extract(hour FROM h.qualified_at AT TIME ZONE %(zone)s)",
    "week": "to_char(h.qualified_at AT TIME ZONE %(zone)s, 'IYYY-IW')",
}
CROSSED = """
    SELECT {rows} AS one, {columns} AS other,
        count(*) FILTER (WHERE c.state = 0), count(*) FILTER (WHERE c.state = 1),
        count(*) FILTER (WHERE c.state = 2), count(*) FILTER (WHERE c.state = 3)
    FROM leads_handoff h JOIN leads_clock c ON c.handoff_id = h.id
        LEFT JOIN leads_assignment a ON a.id = c.charged_to_id
    WHERE h.agreement_id = %(agreement)s AND h.qualified_at >= %(start)s AND h.qualified_at < %(end)s
        AND c.decides AND c.commitment_id = %(commitment)s
    GROUP BY 1, 2
"""


def compare() -> int:
    """Take turns, and print the ratios of the medians."""
    from django.db import connection
    from django.test import Client

    from agreements.models import Agreement
    from leads.models import Clock, Handoff
    from leads.periods import MONTH, Period
    from leads.touches import note_days
    from reports import crosses, scorecards, tallies
    from reports.models import Tally
    from slaportal.models import User

    agreement = Agreement.objects.get()
    month = Period.current(MONTH, NOW, agreement.zone)
    given = {
        "agreement": agreement.pk,
        "zone": agreement.time_zone,
        "start": month.start(agreement.zone),
        "end": month.end(agreement.zone),
    }
    begin = time.perf_counter()
    while tallies.refresh(agreement):
        pass
    taken = time.perf_counter() - begin
    print(
        f"{Handoff.objects.count():,} handoffs with {Clock.objects.count():,} clocks on PostgreSQL; "
        f"{Tally.objects.count():,} tallies, counted for the first time in {taken:.0f} s:"
    )

    def grouped() -> None:
        with connection.cursor() as cursor:
            cursor.execute(GROUPED, given)

    def refreshed() -> None:
        note_days(agreement, month.days())
        tallies.refresh(agreement)
        scorecards.compute(agreement, month, now=NOW, sections=False)

    def changed() -> None:
        with connection.cursor() as cursor:
            cursor.execute(CHANGED, given)

    plain, ours = timed(grouped, refreshed, before=changed)
    ok = said(f"refresh of {month}", ours, plain, REFRESH_TARGET, "one GROUP BY over the grouping sets")
    begin = time.perf_counter()
    scorecards.store(agreement, month, now=NOW)
    print(f"  (its scorecard with delays, outcomes and cohorts, kept: {time.perf_counter() - begin:.1f} s)")

    pk = agreement.versions.get().commitments.get(kind="first_response").pk
    ratios = []
    for rows, columns in combinations(crosses.DIMENSIONS, 2):
        sql = CROSSED.format(rows=COLUMNS[rows], columns=COLUMNS[columns])
        plain, ours = timed(
            lambda sql=sql: run(sql, {**given, "commitment": pk}),
            lambda rows=rows, columns=columns: crosses.cross(agreement, month, pk, rows=rows, columns=columns),
        )
        ratios.append((ours / plain, f"{rows} × {columns}", ours, plain))
    _, names, ours, plain = max(ratios)
    ok &= said(f"slowest of {len(ratios)} crosses, {names}", ours, plain, CROSS_TARGET, "its GROUP BY")

    client = Client()
    client.force_login(User.objects.get(email="sofia@example.com"))
    plain, ours = benches.turns(
        lambda n: client.get("/bench/"), lambda n: client.get(f"/scorecards/{agreement.pk}/{month.key}/")
    )
    ok &= said("scorecard page", ours, plain, PAGE_TARGET)
    return 0 if ok else 1


def run(sql: str, given: dict[str, object]) -> None:
    """Ask, and take the answer."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(sql, given)
        cursor.fetchall()


def timed(
    one: Callable[[], object], other: Callable[[], object], *, before: Callable[[], object] | None = None
) -> list[float]:
    """The median time of each over a few turns, in seconds; the first turn warms up, and `before` is not timed."""
    taken: list[list[float]] = [[], []]
    for turn in range(TURNS + 1):
        if before:
            before()
        for place, does in enumerate((one, other)):
            begin = time.perf_counter()
            does()
            if turn:
                taken[place].append(time.perf_counter() - begin)
    return [median(times) for times in taken]


if __name__ == "__main__":
    sys.exit(main())
