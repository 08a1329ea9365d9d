"""Bench: the rep's list and a click on it, against plain views of the same size, with a million leads.

Run on PostgreSQL: `DATABASE_URL=postgres://… python tests/bench_worklist.py`. It makes a database of its own, fills it,
and drops it. The rep has 500 open handoffs of a version with seven promises. The yardstick of the list is a view of 25
handoffs and their leads, six text cells each, in the same base template with session and navigation; that of the click
is a view that updates one row, commits, and returns the same fragment. Requests of both take turns in one process.
"""

import sys
import time
from datetime import UTC, datetime

import benches
from benches import ROUNDS, said
from django.http import HttpRequest, HttpResponse

LEADS = 1_000_000
REPS = 400
OPEN = 500
LIST_TARGET, CLICK_TARGET = 1.5, 2.0


def bench_click(request: HttpRequest, pk: int) -> HttpResponse:
    """Update one row, commit, and return the line of the list."""
    from django.db import transaction
    from django.template.loader import render_to_string
    from django.utils import timezone

    from leads import worklist
    from leads.models import Handoff, Lead

    found = Handoff.objects.visible_to(request.user).select_related("lead", "version").get(pk=pk)
    with transaction.atomic():
        Lead.objects.filter(pk=found.lead_id).update(phone=f"+49 {time.monotonic_ns()}")
    now = timezone.now()
    row = worklist.row(found, reader=request.user, now=now, zone=timezone.get_current_timezone())
    context = {"row": row, "words": worklist.words(), "seen": now.isoformat(), "said": "Done"}
    return HttpResponse(render_to_string("leads/_row.html", context))


def main() -> int:
    benches.set_up()
    from django.urls import path

    with benches.own_database(
        "bench_worklist", [path("bench/", benches.plain_list), path("bench/<int:pk>", bench_click)]
    ):
        fill()
        return compare()


def fill() -> None:
    """A million leads, each handed over once; the first rep has 500 open ones, tried up to three times."""
    from slaportal import roles
    from slaportal.models import User
    from tests.conftest import make_always, make_user

    marketing, (sales,) = benches.teams()
    make_user("ron@example.com", roles.REP, team=sales)
    User.objects.bulk_create(User(email=f"rep{n}@example.com", name=f"Rep {n}", team=sales) for n in range(1, REPS))
    promises = {
        "volume": {"target": 8000},
        "completeness": {},
        "acceptance_rate": {},
        "acceptance": {"limit": 48, "unit": "hours"},
        "first_response": {"limit": 24, "unit": "hours"},
        "attempts": {"limit": 10, "unit": "days"},
        "disposition": {"limit": 20, "unit": "days"},
    }
    since = datetime(2025, 1, 1, tzinfo=UTC)
    version = benches.agreed(marketing, sales, promises, calendar=make_always(), since=since)
    given = {"leads": LEADS, "reps": REPS, "open": OPEN, "now": datetime.now(UTC),
             "agreement": version.agreement_id,
             "version": version.pk, "team": sales.pk, "first": User.objects.get(email="ron@example.com").pk,
             "timed": [row.pk for row in version.commitments.all() if row.limit], "scope": 2 ** len(promises) - 1,
             "counted": [row.pk for row in version.commitments.all() if not row.limit]}  # fmt: skip
    benches.filled(FILL, given)


FILL = (
    # Open ones of the first rep are every 2,000th, so that they lie scattered over the table as they would.
    """
    INSERT INTO leads_lead (source_system, external_id, contact_id, name, email, phone, company, title, seniority,
        company_size, industry, country, score, source, campaign, segment, attributes, handed_over, received_at, state)
    SELECT 'crm', n, 'C' || n, 'Ines Albrecht ' || n, 'ines' || n || '@nordhaus.example', '+49 30 ' || n,
        'Nordhaus Logistik ' || n %% 900, 'VP Operations', 'VP', 220, 'Logistics', 'DE', 60 + n %% 40,
        (ARRAY['Inbound demo', 'Webinar', 'Partner', 'Paid social'])[1 + n %% 4], '',
        (ARRAY['Mid-market', 'Enterprise', 'SMB'])[1 + n %% 3], '{}', false,
        %(now)s::timestamptz - interval '1 minute' * (n %% 500000), 'handed off'
    FROM generate_series(1, %(leads)s) AS n
    """,
    """
    INSERT INTO leads_handoff (lead_id, number, agreement_id, version_id, qualified_at, source, campaign, segment,
        score, snapshot, failed_criteria, missing_fields, below_definition, is_complete, in_scope, owner_id, team_id,
        stage, ended_at)
    SELECT l.id, 1, %(agreement)s, %(version)s, began, l.source, '', l.segment, l.score, '{"name": "Ines"}', '[]', '[]',
        false, true, %(scope)s, CASE WHEN mine THEN %(first)s ELSE %(first)s + 1 + l.id %% (%(reps)s - 1) END, %(team)s,
        CASE WHEN mine THEN 'mql' ELSE 'rejected' END, CASE WHEN NOT mine THEN began + interval '5 hours' END
    FROM (SELECT *, id %% (%(leads)s / %(open)s) = 0 AS mine, CASE WHEN id %% (%(leads)s / %(open)s) = 0
            THEN %(now)s::timestamptz - interval '1 minute' * (id %% 7919) ELSE received_at END AS began
          FROM leads_lead) AS l
    """,
    """
    INSERT INTO leads_assignment (handoff_id, owner_id, team_id, at, why, is_offer)
    SELECT id, owner_id, team_id, qualified_at, 'next in turn', false FROM leads_handoff
    """,
    """
    INSERT INTO leads_attempt (lead_id, contact_id, email, at, entered_at, from_system, channel, direction, outcome,
        automated, by_id, note, source_system, external_id, void_reason)
    SELECT h.lead_id, '', '', at, at, true, 'call', 'outbound', 'no_answer', false, h.owner_id, '', 'crm',
        h.id || '-' || n, ''
    FROM leads_handoff h, generate_series(1, 3) AS n, LATERAL (SELECT h.qualified_at + interval '7 minutes' * n AS at) t
    WHERE n <= h.id / (%(leads)s / %(open)s) %% 4 OR (h.ended_at IS NOT NULL AND n = 1)
    """,
    """
    INSERT INTO leads_clock (handoff_id, commitment_id, subject, state, rule, decides, started_at, due_at, look_at,
        stopped_at, elapsed_seconds)
    SELECT h.id, c.id, 0, CASE WHEN h.ended_at IS NULL THEN 1 ELSE 2 END, 'bench', true, h.qualified_at, due,
        CASE WHEN h.ended_at IS NULL THEN due END, h.ended_at, CASE WHEN h.ended_at IS NOT NULL THEN 18000 END
    FROM leads_handoff h, agreements_commitment c,
        LATERAL (SELECT h.qualified_at + interval '1 day' * (1 + c.id %% 9) AS due) t
    WHERE c.id = ANY(%(timed)s)
    """,
    """
    INSERT INTO leads_clock (handoff_id, commitment_id, subject, state, rule, decides)
    SELECT h.id, c.id, 0, 2, 'bench', true FROM leads_handoff h, agreements_commitment c
    WHERE c.id = ANY(%(counted)s) AND h.ended_at IS NULL
    """,
)


def compare() -> int:
    """Take turns, and print the ratios of the medians."""
    from django.test import Client

    from leads import timekeeping
    from leads.models import Handoff, Lead
    from slaportal.models import User

    ron = User.objects.get(email="ron@example.com")
    client = Client()
    client.force_login(ron)
    mine = list(Handoff.objects.open().filter(owner=ron).values_list("pk", flat=True))
    timekeeping.evaluate_handoffs(mine, now=datetime.now(UTC))
    print(f"{Lead.objects.count():,} leads on PostgreSQL, {len(mine)} of them open for the rep, median of {ROUNDS}:")
    plain, listed = benches.turns(lambda n: client.get("/bench/"), lambda n: client.get("/leads/"))
    ok = said("list", listed, plain, LIST_TARGET)
    headers = {"X-Row": "1"}
    plain, click = benches.turns(
        lambda n: client.post(f"/bench/{mine[n % OPEN]}", headers=headers),
        lambda n: client.post(
            f"/leads/{mine[n % OPEN]}/call", {"seen": datetime.now(UTC).isoformat()}, headers=headers
        ),
    )
    ok &= said("click", click, plain, CLICK_TARGET)
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
