"""What happens to recovery plans by itself: opened by rule, looked at each month, closed by evidence, reminded of.

Rules P6 and P7 of docs/numbers.md. It reads the figures that stand for a month, sealed ones where it is sealed. Safe to
run twice, by two workers, or after a silence: a plan is one row for a promise and month, a look one for a plan and
month, and what is told has the key of its event.
"""

import logging
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from django.conf import settings
from django.db import OperationalError, transaction
from django.utils.translation import gettext as _

from agreements.models import Agreement, Commitment, Version
from leads.periods import MONTH, Period
from reports import promises, recovery, sealed_editions, sealing
from reports.evidence import Evidence
from reports.models import RecoveryPlan
from reports.plans import CheckIn, PlanAction
from reports.promises import Line
from reports.refresh import measured
from slaportal import outbox

log = logging.getLogger(__name__)

# A month that closed longer ago is history: nobody is asked today how to make up for it.
HISTORY = timedelta(days=45)
# Of a silence of years no more months are looked at in one run.
MOST_MONTHS = 24


def follow(*, now: datetime) -> int:
    """Open, look at, close and remind of whatever is due. Returns how many plans were opened, looked at or closed."""
    done = 0
    for agreement in measured().select_related("marketing_team__manager", "sales_team__manager").order_by("pk"):
        try:
            months = Months(agreement, now)
            done += _open_missed(months) + sum(_look(plan, months) for plan in _running(agreement))
        except OperationalError:
            raise
        except Exception:
            log.exception("recovery: the plans of agreement %s cannot be followed", agreement.pk)
    return done + remind(now=now)


class Months:
    """The months of one agreement as they stand at a moment; each is read once."""

    def __init__(self, agreement: Agreement, now: datetime) -> None:
        self.agreement, self.now = agreement, now
        self._rows: dict[str, Mapping[str, Line]] = {}

    @cached_property
    def ended(self) -> Period:
        """The last month that is over."""
        return Period.current(MONTH, self.now, self.agreement.zone).previous

    @cached_property
    def closed(self) -> Period | None:
        """The last month of which the days of grace are over, so that its figures stay."""
        for month in (self.ended, self.ended.previous):
            closes_at = sealing.closes_at(self.agreement, month)
            if closes_at is not None and closes_at <= self.now:
                return month
        return None

    def lines(self, month: Period) -> Mapping[str, Line]:
        """Each promise of the month by its code, under the last version that had a verdict on it (N6)."""
        if month.key not in self._rows:
            data = sealed_editions.standing(self.agreement, month, now=self.now).read()
            found: dict[str, Line] = {}
            for line in promises.lines(data, Evidence(self.agreement.pk, month.key)):
                known = found.get(line.row["code"])
                if known is None or line.row["kept"] is not None or known.row["kept"] is None:
                    found[line.row["code"]] = line
            self._rows[month.key] = found
        return self._rows[month.key]


def figures(line: Line) -> str:
    """The figure of a promise with its target: “18 of 50”, “88 % against 95 %”."""
    if not line.target:
        return line.reached
    words = _("%(reached)s of %(target)s") if line.is_volume else _("%(reached)s against %(target)s")
    return words % {"reached": line.reached, "target": line.target}


def is_missed(line: Line | None) -> bool:
    """Whether a month's verdict is a miss, from enough verdicts (N3)."""
    return line is not None and line.row["kept"] is False and not line.is_too_few


def is_kept(line: Line | None) -> bool:
    """Whether a month's verdict is that the promise was kept, from enough verdicts (N3)."""
    return line is not None and line.row["kept"] is True and not line.is_too_few


# --- Opening (P6) -------------------------------------------------------------------------------------------------


def _open_missed(months: Months) -> int:
    """Ask for the plans that the rule asks for; one promise has one running plan at a time."""
    done = 0
    for line, month, trigger in _missed(months):
        row: Mapping[str, Any] = line.row
        done += _open(Commitment.objects.get(pk=row["pk"]), months, month, figures(line), trigger)
    return done


def _missed(months: Months) -> Iterator[tuple[Line, Period, str]]:
    """Volume that the last month missed; and every promise missed in so many closed months, one after another."""
    agreement, now, triggers = months.agreement, months.now, RecoveryPlan.Trigger
    if now - months.ended.end(agreement.zone) <= HISTORY and _is_agreed_before_end(months, months.ended):
        for line in months.lines(months.ended).values():
            if line.is_volume and is_missed(line):
                yield line, months.ended, triggers.VOLUME
    closed = months.closed
    if closed is None or not _is_agreed_before_end(months, closed):
        return
    before = [closed]
    while len(before) < settings.RECOVERY_AFTER:
        before.append(before[-1].previous)
    for code, line in months.lines(closed).items():
        if not line.is_volume and all(is_missed(months.lines(month).get(code)) for month in before):
            yield line, closed, triggers.STREAK


def _is_agreed_before_end(months: Months, month: Period) -> bool:
    """Whether a version that both had signed was in force when the month ended: nobody is asked about history (P4)."""
    end = month.end(months.agreement.zone)
    return (
        Version.objects.agreed().filter(agreement=months.agreement, agreed_at__lt=end, effective_from__lt=end).exists()
    )


@transaction.atomic
def _open(commitment: Commitment, months: Months, month: Period, reached: str, trigger: str) -> int:
    agreement = months.agreement
    same = RecoveryPlan.objects.filter(commitment__version__agreement=agreement, commitment__code=commitment.code)
    if same.running().exists() or same.filter(month=month.first_day).exists():
        return 0
    key = f"missed:{commitment.pk}:{month.key}"
    recovery.ask(
        commitment, agreement, month=month.first_day, figures=reached, key=key, now=months.now,
        trigger=trigger,
    )  # fmt: skip
    return 1


# --- Looking and closing (P7) -------------------------------------------------------------------------------------


def _running(agreement: Agreement) -> list[RecoveryPlan]:
    plans = RecoveryPlan.objects.running().filter(commitment__version__agreement=agreement)
    return list(plans.select_related("commitment__version__agreement", "owner").order_by("asked_at", "pk"))


def _look(plan: RecoveryPlan, months: Months) -> bool:
    """Write down what the months since the plan's came to, and close it where one of them kept the promise."""
    if months.closed is None:
        return False
    looked = set(CheckIn.objects.filter(plan=plan, month__isnull=False).values_list("month", flat=True))
    month, did = plan.period.next, 0
    while month.first_day <= months.closed.first_day and did < MOST_MONTHS:
        if month.first_day not in looked:
            did += 1
            if _look_at(plan, months, month):
                return True
        month = month.next
    return did > 0


@transaction.atomic
def _look_at(plan: RecoveryPlan, months: Months, month: Period) -> bool:
    """Whether the month closes the plan; of two workers one writes it down."""
    line = months.lines(month).get(plan.commitment.code)
    reached = figures(line) if line else "–"
    _row, is_new = CheckIn.objects.get_or_create(
        plan=plan, month=month.first_day, defaults={"at": months.now, "figures": reached}
    )
    if not is_new or not is_kept(line):
        return False
    evidence = f"{month.label}: {reached}"
    if RecoveryPlan.objects.running().filter(pk=plan.pk).update(closed_at=months.now, closing=evidence):
        recovery.tell_sides(plan, key=f"plan-closed:{plan.pk}", letter="reports.plan_letters.closed", now=months.now)
    return True


# --- Reminding ----------------------------------------------------------------------------------------------------


def remind(*, now: datetime) -> int:
    """Tell whoever has an overdue action, and the plan's owner, once. Returns how many actions that is."""
    # Nowhere is it the day after tomorrow yet; whether it is overdue, the agreement's own day says.
    perhaps = PlanAction.objects.standing().filter(reminded_at=None, due_on__lte=now.date(), plan__closed_at=None)
    done = 0
    for action in perhaps.select_related("plan__commitment__version__agreement", "plan__owner", "who"):
        if action.due_on < now.astimezone(action.plan.commitment.version.agreement.zone).date():
            done += _remind(action, now)
    return done


@transaction.atomic
def _remind(action: PlanAction, now: datetime) -> int:
    if not PlanAction.objects.standing().filter(pk=action.pk, reminded_at=None).update(reminded_at=now):
        return 0
    told = [action.who, *([action.plan.owner] if action.plan.owner else [])]
    letter = "reports.plan_letters.overdue"
    outbox.post(
        outbox.to_people(told, key=f"overdue:{action.pk}", kind="plan", letter=letter, about=action.pk), now=now
    )
    return 1
