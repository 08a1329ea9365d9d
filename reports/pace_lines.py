"""What a scorecard says beside a promise: what happened by itself at each milestone, and which plans were asked for."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from leads.periods import MONTH, QUARTER, Period
from reports.models import PaceCheck, RecoveryPlan


@dataclass(frozen=True)
class PaceLine:
    """Of one commitment in the months of a period: a sentence for each milestone, and the recovery plans."""

    milestones: list[str] = field(default_factory=list)
    plans: list[RecoveryPlan] = field(default_factory=list)


def of(commitments: Iterable[int], period: Period) -> dict[int, PaceLine]:
    """By commitment what was looked at in the months of a period that is made of months."""
    wanted = list(commitments)
    if not wanted or period.unit not in (MONTH, QUARTER):
        return {}
    months = (period.first_day, period.last_day)
    found: dict[int, PaceLine] = {}
    for plan in RecoveryPlan.objects.filter(commitment__in=wanted, month__range=months).order_by("month"):
        found.setdefault(plan.commitment_id, PaceLine()).plans.append(plan)
    for commitment, sentence in _sentences(wanted, months, period).items():
        found.setdefault(commitment, PaceLine()).milestones.extend(sentence)
    return found


def _sentences(wanted: list[int], months: tuple, period: Period) -> dict[int, list[str]]:
    """“18 of 50 after 60 % of the month: told Max; asked Max for a recovery plan”, in order."""
    checks = PaceCheck.objects.filter(step__commitment__in=wanted, month__range=months).select_related("step")
    said: dict[tuple, list[str]] = {}
    for check in checks.order_by("month", "step__share", "step__position", "step"):
        month = "" if period.unit == MONTH else f"{check.month:%B}: "
        said.setdefault((check.step.commitment_id, f"{month}{check.figures}"), []).append(check.what)
    found: dict[int, list[str]] = {}
    for (commitment, figures), done in said.items():
        # Of several steps at one milestone that had nothing to do, each says the same.
        found.setdefault(commitment, []).append(f"{figures}: {'; '.join(dict.fromkeys(done))}")
    return found
