"""What a scorecard says beside a promise: what happened by itself at each milestone, and which plans were asked for."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db.models import CharField, QuerySet, Value
from django.db.models.expressions import RawSQL
from django.utils.formats import date_format

from agreements.models import Agreement, Commitment
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


def meanwhile(agreement: int, period: Period) -> list[tuple[str, PaceLine]]:
    """What a scorecard's page says of an agreement's promises, by their titles, in the order of the terms."""
    if period.unit not in (MONTH, QUARTER):
        return []
    promises = Commitment.objects.filter(version__agreement=agreement).exclude(version__terms="")
    named = dict(promises.order_by("version__number", "position", "pk").values_list("pk", "title"))
    found = of(named, period)
    return [(title, found[pk]) for pk, title in named.items() if pk in found]


# How much there is to say: looks, and plans, written and closed ones. Asked with the agreement at every look at its
# page, so it stands here and is not put together each time.
_SAID = """(
    SELECT count(*) FROM reports_pacecheck look JOIN agreements_step step ON step.id = look.step_id
    JOIN agreements_commitment promise ON promise.id = step.commitment_id
    JOIN agreements_version version ON version.id = promise.version_id
    WHERE version.agreement_id = agreements_agreement.id AND look.month BETWEEN %s AND %s
) || ' ' || (
    SELECT count(*) || ' ' || count(plan.answered_at) || ' ' || count(plan.closed_at) FROM reports_recoveryplan plan
    JOIN agreements_commitment promise ON promise.id = plan.commitment_id
    JOIN agreements_version version ON version.id = promise.version_id
    WHERE version.agreement_id = agreements_agreement.id AND plan.month BETWEEN %s AND %s
)"""


def marked(agreements: QuerySet[Agreement], period: Period) -> QuerySet[Agreement]:
    """Agreements with a `pace_mark`: what `meanwhile` says of a period changes only with it. No query of its own."""
    if period.unit not in (MONTH, QUARTER):
        return agreements.annotate(pace_mark=Value(""))
    months = (period.first_day, period.last_day)
    return agreements.annotate(pace_mark=RawSQL(_SAID, [*months, *months], output_field=CharField()))  # noqa: S611


def _sentences(wanted: list[int], months: tuple, period: Period) -> dict[int, list[str]]:
    """“18 of 50 after 60 % of the month: told Max; asked Max for a recovery plan”, in order."""
    checks = PaceCheck.objects.filter(step__commitment__in=wanted, month__range=months).select_related("step")
    said: dict[tuple, list[str]] = {}
    for check in checks.order_by("month", "step__share", "step__position", "step"):
        month = "" if period.unit == MONTH else f"{date_format(check.month, 'F')}: "
        said.setdefault((check.step.commitment_id, f"{month}{check.figures}"), []).append(check.what)
    found: dict[int, list[str]] = {}
    for (commitment, figures), done in said.items():
        # Of several steps at one milestone that had nothing to do, each says the same.
        found.setdefault(commitment, []).append(f"{figures}: {'; '.join(dict.fromkeys(done))}")
    return found
