"""The pace of promises without a time limit: at a share of the month, whoever is behind is told, or asked for a plan.

Rules P1 to P5 of docs/numbers.md. Each step and month has one row, and whoever wrote it acts: row, notices, task and
plan are one transaction, so a worker that dies leaves nothing, and of two workers the second finds the row.

Locks are taken in this order: the check (waited for by its unique key), its plan, its task, its notices. Everybody
takes the steps one by one in the same order, so no two workers wait for each other.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

from django.db import OperationalError, transaction
from django.utils.translation import gettext

from agreements import calendars, terms
from agreements.catalogue import CATALOGUE, Action
from agreements.models import Agreement, Status, Step
from leads.audience import Audience, Seat
from leads.models import Task
from leads.periods import MONTH, Period
from reports import milestones, pace_figures, recovery
from reports.milestones import Standing
from reports.models import PaceCheck
from reports.pace_figures import Figures, Span
from slaportal import outbox
from slaportal.models import Party, Team
from slaportal.outbox import Post

log = logging.getLogger(__name__)

UNTIMED = tuple(kind.code for kind in CATALOGUE.values() if not kind.has_limit)
# The running month and those before it in which a step can still come due; what lies before them is history (P4).
MONTHS = 3
# The watch runs every five minutes; what is looked at later than this was due while nobody watched.
LATE = timedelta(minutes=10)


@dataclass(frozen=True)
class Due:
    """A step that is due in a month; `moment` is the milestone, `due_at` when it comes (P1)."""

    step: Step
    span: Span
    month: Period
    moment: datetime
    due_at: datetime

    @property
    def agreement(self) -> Agreement:
        return self.span[0].agreement

    @property
    def key(self) -> str:
        """Of its notices."""
        return f"pace:{self.step.pk}:{self.month.key}"


def watch(*, now: datetime) -> int:
    """Look at every step that is due, in order; safe to run twice, by two workers, or after a stop of days.

    One that cannot be done is told in the log and holds up no other. Returns how many were looked at.
    """
    figures, audience, done = Figures(now=now), Audience(), 0
    for one in due(now):
        try:
            standing = figures.standing(one.step.commitment, one.span, one.month, Fraction(one.step.share, 100))
            done += _take(one, standing, audience, now)
        except OperationalError:
            raise
        except Exception:
            log.exception("pace: step %s of %s cannot be done", one.step.pk, one.month.key)
    return done


def late(before: datetime) -> tuple[int, datetime | None]:
    """How many steps were due before `before` and are still untouched after the watch's own time, and since when."""
    found = due(before - LATE)
    return len(found), found[0].due_at if found else None


def due(now: datetime) -> list[Due]:
    """Every step that has come due and that nobody has looked at, in the order of their moments."""
    reached = _reached(now)
    if not reached:
        return []
    checks = PaceCheck.objects.filter(month__gte=min(month.first_day for _, _, month, _ in reached))
    known = set(checks.order_by().values_list("step", "month"))
    new = [one for one in reached if (one[0], one[2].first_day) not in known]
    if not new:
        return []
    spans = pace_figures.spans(span[0].agreement_id for _, span, _, _ in new)
    steps = Step.objects.select_related("commitment", "team__manager").in_bulk({pk for pk, *_ in new})
    closures, found = calendars.closures_by_calendar(), []
    for pk, (version, *_), month, moment in new:
        try:
            agreed = terms.of(spans[version.pk][0])
        except terms.Unreadable:
            log.error("pace: the terms of version %s cannot be read", version.pk)
            continue
        calendar = agreed.promise(steps[pk].commitment.code).calendar
        due_at = milestones.opening(moment, agreed.business_times(closures)[calendar])
        if due_at is not None and due_at <= now:
            found.append(Due(steps[pk], spans[version.pk], month, moment, due_at))
    return sorted(found, key=_order)


def months(now: datetime, zone: ZoneInfo) -> list[Period]:
    """The months in which a step can come due, newest first."""
    found = [Period.current(MONTH, now, zone)]
    while len(found) < MONTHS:
        found.append(found[-1].previous)
    return found


def team_of(step: Step, agreement: Agreement) -> Team:
    """The team that a step is about: the one that it names, else the one that owes the promise."""
    if step.team:
        return step.team
    is_marketing = step.commitment.catalogue.party == Party.MARKETING
    return agreement.marketing_team if is_marketing else agreement.sales_team


def _reached(now: datetime) -> list[tuple[int, Span, Period, datetime]]:
    """Steps, by id, with the milestones that they have reached while their version was agreed and in force (P4).

    And of a version that another followed within the month, the end of that month.
    """
    shares: dict[int, list[tuple[int, Fraction]]] = {}
    agreements = set()
    steps = Step.objects.filter(
        commitment__kind__in=UNTIMED, commitment__version__status=Status.AGREED, share__isnull=False
    )
    columns = ("commitment__version", "commitment__version__agreement", "pk", "share")
    for version_id, agreement_id, pk, share in steps.order_by().values_list(*columns):
        shares.setdefault(version_id, []).append((pk, Fraction(share, 100)))
        agreements.add(agreement_id)
    spans = list(pace_figures.spans(agreements, with_terms=False).values()) if agreements else []
    begins = {(version.agreement_id, since) for version, since, _ in spans}
    found = []
    for span in spans:
        version, since, until = span
        zone, is_followed = version.agreement.zone, (version.agreement_id, until) in begins
        for month in months(now, zone):
            for pk, share in shares.get(version.pk, ()):
                moment = milestones.milestone(month, zone, share)
                # The month is judged at its end also where terms were followed by others before, by their own days:
                # nobody signs out of a month that was missed.
                last = moment if is_followed and share == 1 and month.start(zone) < until else until
                if since < moment <= min(last, now) and version.agreed_at <= moment:
                    found.append((pk, span, month, moment))
    return found


def _order(one: Due) -> tuple:
    return (one.due_at, one.moment, one.agreement.pk, one.step.commitment.position, one.step.position, one.step.pk)


@transaction.atomic
def _take(one: Due, standing: Standing, audience: Audience, now: datetime) -> bool:
    """Write down what becomes of a step, and do it; False where another worker was quicker."""
    check, is_new = PaceCheck.objects.get_or_create(
        step=one.step,
        month=one.month.first_day,
        defaults={
            "state": PaceCheck.State.FIRED if standing.is_behind else PaceCheck.State.SKIPPED,
            "due_at": one.due_at,
            "at": now,
            "is_late": now - one.due_at > LATE,
            "figures": standing.figures,
            "what": standing.why,
        },
    )
    if is_new and standing.is_behind:
        is_done, what = _act(one, check, audience, now)
        check.state = PaceCheck.State.FIRED if is_done else PaceCheck.State.SKIPPED
        check.what = what[:300]
        check.save(update_fields=["state", "what"])
    return is_new


def _act(one: Due, check: PaceCheck, audience: Audience, now: datetime) -> tuple[bool, str]:
    """Do what the step says. Returns whether something was done, and what, in words."""
    step, commitment, agreement = one.step, one.step.commitment, one.agreement
    if step.action == Action.PLAN:
        return recovery.ask(commitment, agreement, month=check.month, figures=check.figures, key=one.key, now=now)
    if step.action == Action.TASK:
        title = f"{commitment.title}: {check.figures}, {one.month.label}"
        Task.objects.create(step=step, agreement=agreement, title=title[:200], opened_at=now)
        kind, seats, words = "task", audience.revops, gettext("opened a task for RevOps")
    else:
        kind = "warning" if step.share < 100 else "miss"
        seats, words = audience.around(step, team_of(step, agreement), agreement, reader="reports.pace_notices.readers")
    outbox.post((_post(one, check, kind, seat) for seat in seats), now=now)
    return step.action == Action.TASK or bool(seats), words


def _post(one: Due, check: PaceCheck, kind: str, seat: Seat) -> Post:
    return Post(
        key=one.key,
        slot=seat.slot,
        kind=kind,
        letter="reports.pace_notices.step",
        about=check.pk,
        person=seat.person,
        reader=seat.reader,
    )
