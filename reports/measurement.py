"""Measures the export of a school's CRM: agrees on three promises, imports, evaluates, and compares with the CRM.

`docs/importing.md` shows the figures. Everything goes through the verbs that every other door uses.
"""

import secrets
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import transaction
from django.utils.translation import gettext

from agreements import signers, signoff
from agreements.calendars import WEEKDAYS, BusinessCalendar
from agreements.models import Agreement, Commitment
from leads import comparison, timekeeping
from leads.comparison import Case, Comparison, Reading, Response
from leads.imports import ImportResult, import_attempts, import_leads
from leads.models import Attempt, Clock, Lead
from leads.periods import span
from reports import measured_months, scorecards
from slaportal import outbox, roles
from slaportal.models import Notice, Team, User
from slaportal.refusal import Refused

NAME, SYSTEM = "School CRM", "school-crm"
MAPPINGS = settings.BASE_DIR / "leads" / "mappings"
UTC, BERLIN = "UTC", "Europe/Berlin"
# The school's year: the export begins on 3 July 2023 and ends on 21 June 2024.
YEAR = span(date(2023, 7, 1), date(2024, 6, 30))
ALWAYS = "always"
# Code and title of the promise, its calendar, the days and hours that it is open, target in percent.
PROMISES = (
    (ALWAYS, "First response within 4 hours, day and night", "Always open", WEEKDAYS, "00:00-24:00", 70),
    ("weekdays", "First response within 4 hours, Mon–Fri", "Mon–Fri 9–17:30", WEEKDAYS[:5], "09:00-17:30", 90),
    ("every-day", "First response within 4 hours, Mon–Sun", "Mon–Sun 9–17:30", WEEKDAYS, "09:00-17:30", 80),
)
MEASURED = {code for code, *_ in PROMISES}
# What marketing promises beside them, because an agreement binds both sides: kind, title, target. It is not reported.
BESIDE = (
    ("volume", "1,500 enquiries a month", 1500),
    ("completeness", "Every record names its source", 95),
)
STATES = ("met", "missed", "open", "excluded")
ELSEWHERE = "DATABASE_URL=sqlite:////tmp/school.sqlite3"


def measure(
    folder: Path, zone: ZoneInfo, *, now: datetime, step: Callable[[str], AbstractContextManager[None]]
) -> dict[str, Any]:
    """Every figure of the export in `folder`, its local times read in `zone`; ready to be written as JSON.

    `step` is told what begins. What was imported before is not imported again. Raises `CsvError` or `Refused`.
    """
    with step("set up"):
        agreement = Agreement.objects.filter(name=NAME).first() or set_up(now=now)
    with step("import deals.csv"):
        known = Lead.objects.filter(source_system=SYSTEM).exists()
        deals = None if known else bring_in(import_leads, folder / "deals.csv", zone, now=now)
    with step("import calls.csv"):
        known = Attempt.objects.filter(source_system=SYSTEM).exists()
        calls = None if known else bring_in(import_attempts, folder / "calls.csv", zone, now=now)
    with step("evaluate every clock again"):
        timekeeping.evaluate_all(now=now)
    with step("compare with the CRM"):
        compared = comparison.compare(comparison.read_export(folder), responses(agreement), zone)
        refuse_other_reading(compared)
        against_crm = figures(compared, compared.read_in(ZoneInfo(BERLIN if zone.key == UTC else UTC)))
    with step("compute the scorecards"):
        card = scorecards.compute(agreement, YEAR, now=now, by=measured_months.BY, exact=True, sections=False)
        months = measured_months.of(agreement, YEAR, codes=MEASURED, now=now)
    return {
        "agreement": agreement.name,
        "time_zone": zone.key,
        "imported": {"deals.csv": deals and deals.as_dict(), "calls.csv": calls and calls.as_dict()},
        "against_crm": against_crm,
        "scorecard": {
            "period": card["period"]["key"],
            "handoffs": card["handoffs"],
            "clocks": Clock.objects.filter(handoff__agreement=agreement, commitment__kind="first_response").count(),
            "commitments": [promise_figures(row) for row in card["commitments"] if row["code"] in MEASURED],
        },
        "months": months,
    }


@transaction.atomic
def set_up(*, now: datetime) -> Agreement:
    """The agreement “School CRM”, signed by two leaders who can never log in, from before the first deal."""
    if Agreement.objects.exists():
        raise Refused(
            gettext(
                "This database has other agreements, and the export would come among their leads. Use a new "
                "one: %(elsewhere)s"
            ),
            elsewhere=ELSEWHERE,
        )
    password = secrets.token_urlsafe(30)
    owner = User.objects.create_user("revops@school.invalid", name="School RevOps")
    owner.groups.add(Group.objects.get(name=roles.REVOPS))
    leaders = []
    for party, role in signers.LEADERS.items():
        team = Team.objects.create(name=f"School {party.label.lower()}", party=party)
        leader = User.objects.create_user(f"{party}@school.invalid", password, name=f"School {role.lower()}", team=team)
        leader.groups.add(Group.objects.get(name=role))
        leaders.append(leader)
    marketing, sales = (leader.team for leader in leaders)
    agreement = Agreement.objects.create(name=NAME, marketing_team=marketing, sales_team=sales, time_zone=BERLIN)
    calendars = {
        name: BusinessCalendar.objects.create(name=name, time_zone=BERLIN, **dict.fromkeys(days, hours))
        for _, _, name, days, hours, _ in PROMISES
    }
    version = signoff.new_draft(
        agreement, by=owner, now=now, calendar=calendars["Mon–Fri 9–17:30"], wanted_from=YEAR.first_day,
        required_fields=["source"],
    )  # fmt: skip
    said = {"version": version, "baseline": 0, "consequence": "None: this agreement only measures what has been."}
    Commitment.objects.bulk_create(
        Commitment(code=code, title=title, kind="first_response", calendar=calendars[calendar], limit=4,
                   unit="business hours", target=target, position=position, **said)
        for position, (code, title, calendar, _, _, target) in enumerate(PROMISES)
    )  # fmt: skip
    Commitment.objects.bulk_create(
        Commitment(
            code=kind, title=title, kind=kind, calendar=version.calendar, target=target, position=position, **said
        )
        for position, (kind, title, target) in enumerate(BESIDE, start=len(PROMISES))
    )
    version = signoff.propose(version, by=owner, now=now)
    for leader in leaders:
        signoff.sign(
            version, signer=leader, password=password, terms_hash=version.terms_hash, name=leader.name, now=now
        )
        leader.set_unusable_password()
        leader.save()
    outbox.cancel(Notice.objects.all(), now=now)  # none of them reads mail
    return agreement


def bring_in(verb: Callable[..., ImportResult], file: Path, zone: ZoneInfo, *, now: datetime) -> ImportResult:
    """Import one of the files through its mapping; it has to come in whole."""
    result = verb(file, MAPPINGS / f"school_crm_{file.stem}.toml", now=now, time_zone=zone.key)
    if result.refused:
        raise Refused(
            gettext("%(refused)s values of %(file)s were refused; import it alone to see them."),
            refused=len(result.refused),
            file=file.name,
        )
    return result


def responses(agreement: Agreement) -> dict[str, Response]:
    """Our first responses around the clock, by deal, whatever became of their clocks (rule C8)."""
    stopped = Clock.objects.filter(
        handoff__agreement=agreement, commitment__code=ALWAYS, handoff__number=1, stopped_at__isnull=False
    )
    rows = stopped.values_list("handoff__lead__external_id", "started_at", "stopped_at", "elapsed_seconds")
    return {deal: Response(started, at, timedelta(seconds=elapsed)) for deal, started, at, elapsed in rows}


def refuse_other_reading(compared: Comparison) -> None:
    """Refuse to compare these files with what was imported from others, or in another zone."""
    for case in compared.cases[:1]:
        if case.response.started.astimezone(compared.zone).replace(tzinfo=None) == case.deal.created:
            return
    raise Refused(
        gettext(
            "The deals in this database are not those of these files, read in %(zone)s. Give the zone in "
            "which they were imported, or use a new database: %(elsewhere)s"
        ),
        zone=compared.zone,
        elsewhere=ELSEWHERE,
    )


def figures(compared: Comparison, reading: Reading) -> dict[str, Any]:
    """What the CRM's own figures say of ours, and what they would say in another zone."""
    both = len(compared.cases)
    return {
        "both": both,
        "agree": compared.agreeing,
        "share": compared.agreeing / both,
        "differ": len(compared.differing),
        "crm_shorter": sum(case.deal.sla < case.response.elapsed for case in compared.differing),
        "only_crm": compared.only_crm,
        "only_ours": compared.only_ours,
        "by_source": [
            {
                "source": one.source,
                "both": len(one.cases),
                "agree": len(one.cases) - len(one.differing),
                "share": 1 - len(one.differing) / len(one.cases),
                "crm_median_seconds": medians[0].total_seconds(),
                "our_median_seconds": medians[1].total_seconds(),
                "differ": len(one.differing),
            }
            for one in compared.by_source()
            for medians in [one.medians]
        ],
        "differences": [difference(case) for case in compared.differing],
        "causes": [{"code": cause.code, "deals": n, "sentence": cause.sentence} for cause, n in compared.causes()],
        "read_in": {
            "time_zone": reading.zone.key,
            "agree": reading.agreeing,
            "share": reading.agreeing / both,
            "agree_anew": reading.gained,
            "agree_no_longer": reading.lost.total(),
            "changed_by_seconds": {int(change.total_seconds()): n for change, n in sorted(reading.lost.items())},
            "agreeing_spans_over_a_clock_change": reading.changed.total(),
            "exactly_these": reading.lost == reading.changed,
        },
    }


def difference(case: Case) -> dict[str, Any]:
    """A deal on which the two do not agree: both values, where they come from as wall clocks, and the cause."""
    crm, ours = case.deal.sla.total_seconds(), case.response.elapsed.total_seconds()
    return {
        "deal": case.deal.id,
        "source": case.deal.source,
        "owner": case.deal.owner,
        "created": case.deal.created.isoformat(sep=" "),
        "crm_seconds": crm,
        "our_seconds": ours,
        "crm_less_ours_seconds": crm - ours,
        "crm_stop": case.stop.isoformat(sep=" "),
        "our_first_call": case.first.isoformat(sep=" "),
        "cause": case.cause.code,
        "why": case.cause.sentence,
    }


def promise_figures(row: Mapping[str, Any]) -> dict[str, Any]:
    """One promise of the scorecard, and how many handoffs its break-downs count."""
    spans = ("median_seconds", "p90_seconds", "unstopped")
    counted = {
        dimension: {"values": len(groups), "handoffs": sum(group[state] for group in groups for state in STATES)}
        for dimension, groups in row["by"].items()
    }
    return {**{name: row[name] for name in ("code", "title", *STATES, "attainment", *spans)}, "by": counted}
