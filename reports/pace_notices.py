"""What is said of the pace of promises, and of recovery plans: in a mail, in the portal and in a chat.

A letter is worded when it is sent, from the figures as they then are; None when it no longer holds: who has caught up
in the meantime is not warned, and a plan that is written is not asked for.
"""

from collections.abc import Callable, Collection, Sequence
from fractions import Fraction

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from agreements.catalogue import Action
from leads import audience
from leads.models import Task
from reports import pace, pace_figures, recovery
from reports.milestones import Standing
from reports.models import PaceCheck, RecoveryPlan
from reports.pace_figures import Figures
from slaportal import formats
from slaportal.models import Notice, User
from slaportal.outbox import Letter

SIDES = ("step__team__manager", "step__commitment__version__agreement__marketing_team__manager",
         "step__commitment__version__agreement__sales_team__manager")  # fmt: skip


def step(notices: Sequence[Notice]) -> list[Letter | None]:
    """Letters of steps that came due: a warning while the month runs, a miss at its end, a task for RevOps.

    None where the promise has caught up since, and where the task is done.
    """
    checks = _checks(notices)
    stands = _standings(checks.values())
    tasks = Task.objects.filter(step__in={check.step_id for check in checks.values()}).exclude(done_at=None)
    done = set(tasks.values_list("step", "opened_at"))
    may_open = _may("reports.view_scorecard")
    letters = []
    for notice in notices:
        check = checks[notice.about]
        is_task = check.step.action == Action.TASK
        holds = (check.step_id, check.at) not in done if is_task else stands[check.pk].is_behind
        letters.append(_step(check, stands[check.pk], may_open(notice)) if holds else None)
    return letters


def plan(notices: Sequence[Notice]) -> list[Letter | None]:
    """Requests for recovery plans, while they are not answered."""
    plans, may_open = _plans(notices), _may("reports.view_recoveryplan")
    asked = [(plans[notice.about], notice) for notice in notices]
    return [None if plan.answered_at or plan.closed_at else _request(plan, may_open(notice)) for plan, notice in asked]


def answered(notices: Sequence[Notice]) -> list[Letter | None]:
    """That a side has written its plan, to the leaders of the other and to RevOps."""
    plans, may_open = _plans(notices), _may("reports.view_recoveryplan")
    return [_answer(plans[notice.about], may_open(notice)) for notice in notices]


def readers(notices: Sequence[Notice]) -> list[User | None]:
    """Who the manager of these steps is by now, or somebody of RevOps where the team has none who may log in."""
    checks = _checks(notices, *SIDES)
    steps = [checks[notice.about].step for notice in notices]
    return audience.in_charge([pace.team_of(step, step.commitment.version.agreement) for step in steps])


def _step(check: PaceCheck, stands: Standing, may_open: bool) -> Letter:
    commitment, month = check.step.commitment, check.period
    agreement = commitment.version.agreement
    word = _("Missed") if check.step.share == 100 else _("Behind")
    subject = f"{word}: {commitment}: {stands.figures}"
    if check.step.action == Action.TASK:
        subject = _("To look into: %(subject)s") % {"subject": subject}
    paragraphs = [
        _("“%(promise)s” stands at %(figures)s, %(month)s (%(why)s).")
        % {"promise": commitment, "figures": stands.figures, "month": month.label, "why": stands.why},
        _("%(agreement)s: %(marketing)s and %(sales)s")
        % {"agreement": agreement, "marketing": agreement.marketing_team, "sales": agreement.sales_team},
    ]
    if check.is_late:
        due = timezone.localtime(check.due_at)
        paragraphs.append(_("This step comes late: it was due %(due)s.") % {"due": formats.weekday_time(due)})
    link = reverse("scorecard", args=[agreement.pk, month.key]) if may_open else reverse("home")
    return Letter(subject, tuple(paragraphs), _("Open the scorecard") if may_open else _("Open the portal"), link)


def _request(plan: RecoveryPlan, may_open: bool) -> Letter:
    commitment, month = plan.commitment, plan.period
    paragraphs = [
        _("“%(promise)s” stood at %(figures)s, %(month)s.")
        % {"promise": commitment, "figures": plan.figures, "month": month.label},
        _("Say on one page why, and how %(team)s makes up for it. The other side and RevOps read it at once.")
        % {"team": recovery.team_name(commitment, commitment.version.agreement)},
        f"{commitment.version.agreement}",
    ]
    if commitment.consequence.strip():
        paragraphs.append(
            _("What was agreed for a miss: %(consequence)s") % {"consequence": commitment.consequence.strip()}
        )
    subject = _("Please write a recovery plan: %(promise)s, %(month)s")
    subject %= {"promise": commitment, "month": month.label}
    return Letter(subject, tuple(paragraphs), _("Write the plan"), _link(plan, may_open))


def _answer(plan: RecoveryPlan, may_open: bool) -> Letter:
    commitment, month = plan.commitment, plan.period
    team = recovery.team_name(commitment, commitment.version.agreement)
    paragraphs = (
        _("%(person)s has written how %(team)s makes up for “%(promise)s”, which stood at %(figures)s, %(month)s.")
        % {
            "person": plan.answered_by,
            "team": team,
            "promise": commitment,
            "figures": plan.figures,
            "month": month.label,
        },
        _("Why: %(cause)s") % {"cause": plan.cause},
        _("Plan: %(plan)s") % {"plan": plan.plan},
    )
    subject = _("Recovery plan: %(promise)s, %(month)s") % {"promise": commitment, "month": month.label}
    return Letter(subject, paragraphs, _("Open the plan"), _link(plan, may_open))


def _link(plan: RecoveryPlan, may_open: bool) -> str:
    return plan.get_absolute_url() if may_open else reverse("home")


def _checks(notices: Sequence[Notice], *related: str) -> dict[int, PaceCheck]:
    rows = PaceCheck.objects.select_related("step__commitment__version__agreement__marketing_team",
                                            "step__commitment__version__agreement__sales_team", *related)  # fmt: skip
    return rows.in_bulk({notice.about for notice in notices})


def _plans(notices: Sequence[Notice]) -> dict[int, RecoveryPlan]:
    sides = ("commitment__version__agreement__marketing_team", "commitment__version__agreement__sales_team")
    rows = RecoveryPlan.objects.select_related(*sides, "answered_by")
    return rows.in_bulk({notice.about for notice in notices})


def _standings(checks: Collection[PaceCheck]) -> dict[int, Standing]:
    """How each of the promises stands by now, at the milestone of its step."""
    if not checks:
        return {}
    spans = pace_figures.spans(check.step.commitment.version.agreement_id for check in checks)
    # At the moment of the look a month was over or not, and that is all that the moment tells.
    figures = Figures(now=max(check.at for check in checks))
    found = {}
    for check in checks:
        commitment, share = check.step.commitment, Fraction(check.step.share, 100)
        found[check.pk] = figures.standing(commitment, spans[commitment.version_id], check.period, share)
    return found


def _may(permission: str) -> Callable[[Notice], bool]:
    """Whether the reader of a notice may open what it is about; each reader is asked once."""
    known: dict[int | None, bool] = {None: True}  # a team's chat: whoever clicks is asked then

    def may(notice: Notice) -> bool:
        pk = notice.recipient_id
        if pk not in known:
            known[pk] = notice.recipient.has_perm(permission)
        return known[pk]

    return may
