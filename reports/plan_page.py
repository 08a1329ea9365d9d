"""What the page of a recovery plan shows: the figure now, later months, actions, and what is missing to close it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from leads.periods import MONTH, Period
from reports import recovery, recovery_watch
from reports.models import RecoveryPlan
from reports.plans import CheckIn, PlanAction


@dataclass(frozen=True)
class Action:
    """An action, with what has become of it: done, dropped, overdue, standing; moot once its plan is closed."""

    action: PlanAction
    word: str


@dataclass(frozen=True)
class Shown:
    """`present` is the running month's figure; `months` are the months looked at since, `notes` what people noted."""

    team: str
    present: str
    in_the_end: str
    actions: Sequence[Action]
    months: Sequence[CheckIn]
    notes: Sequence[CheckIn]
    is_moot: bool


def of(plan: RecoveryPlan, *, now: datetime) -> Shown:
    """Everything that the page says beside what was written."""
    agreement = plan.commitment.version.agreement
    today = now.astimezone(agreement.zone).date()
    check_ins = list(plan.check_ins.select_related("by"))
    months = recovery_watch.Months(agreement, now)
    own = months.lines(plan.period).get(plan.commitment.code)
    return Shown(
        team=recovery.team_name(plan.commitment, agreement),
        present=_running(plan, months),
        in_the_end=recovery_watch.figures(own) if own and plan.period.end(agreement.zone) <= now else "",
        actions=[Action(one, _word(one, plan, today)) for one in plan.actions.select_related("who", "done_by")],
        months=[one for one in check_ins if one.month],
        notes=[one for one in reversed(check_ins) if one.by_id],
        is_moot=plan.closed_at is None and recovery.is_moot(plan, now=now),
    )


def at_present(plan: RecoveryPlan, *, now: datetime) -> str:
    """The figure of the running month, named: “April 2025: 12 / 50”."""
    months = recovery_watch.Months(plan.commitment.version.agreement, now)
    month = Period.current(MONTH, now, plan.commitment.version.agreement.zone)
    return f"{month.label}: {_running(plan, months)}"


def _running(plan: RecoveryPlan, months: recovery_watch.Months) -> str:
    line = months.lines(months.ended.next).get(plan.commitment.code)
    return recovery_watch.figures(line) if line else "–"


def _word(action: PlanAction, plan: RecoveryPlan, today: date) -> str:
    if action.done_at:
        return "done"
    if action.dropped_at:
        return "dropped"
    if plan.closed_at:
        return "moot"
    return "overdue" if action.due_on < today else "standing"
