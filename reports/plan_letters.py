"""What is said of a recovery plan while it is done: whom it was handed to, what is to be done, and that it worked.

Worded when it is sent; None where it no longer holds. What asks for a plan and what says that it is written stands in
`reports.pace_notices`, under the names that notices on their way have.
"""

from collections.abc import Sequence

from django.utils.translation import gettext as _

from reports.models import RecoveryPlan
from reports.plans import PlanAction
from slaportal import formats
from slaportal.models import Notice
from slaportal.outbox import Letter

PLAN = ("commitment__version__agreement", "owner")


def handed_on(notices: Sequence[Notice]) -> list[Letter | None]:
    """That the plan is the reader's now, while it still is."""
    plans = _plans(notices)
    letters: list[Letter | None] = []
    for notice in notices:
        plan = plans[notice.about]
        if plan.closed_at or plan.owner_id != notice.recipient_id:
            letters.append(None)
            continue
        subject = _("The recovery plan for “%(promise)s” is yours now") % {"promise": plan.commitment}
        paragraphs = (_("It stood at %(figures)s.") % {"figures": plan.figures}, str(plan.commitment.version.agreement))
        letters.append(Letter(subject, paragraphs, _("Open the plan"), _link(plan)))
    return letters


def closed(notices: Sequence[Notice]) -> list[Letter | None]:
    """That the number came back, with the evidence."""
    plans = _plans(notices)
    letters: list[Letter | None] = []
    for notice in notices:
        plan = plans[notice.about]
        subject = _("The number came back: %(promise)s") % {"promise": plan.commitment}
        paragraphs = (
            _("%(evidence)s. The plan was asked for at %(figures)s.")
            % {"evidence": plan.closing, "figures": plan.figures},
            str(plan.commitment.version.agreement),
        )
        letters.append(Letter(subject, paragraphs, _("Open the plan"), _link(plan)))
    return letters


def action(notices: Sequence[Notice]) -> list[Letter | None]:
    """That something is to be done by the reader, while it is."""
    return [_action(one, _("To do until %(day)s: %(what)s")) for one in _actions(notices)]


def overdue(notices: Sequence[Notice]) -> list[Letter | None]:
    """That something was to be done until a day that is over."""
    return [_action(one, _("Overdue since %(day)s: %(what)s")) for one in _actions(notices)]


def _action(one: PlanAction, subject: str) -> Letter | None:
    if one.done_at or one.dropped_at or one.plan.closed_at:
        return None
    paragraphs = (
        _("%(who)s does it, so that “%(promise)s” comes back; it stood at %(figures)s.")
        % {"who": one.who, "promise": one.plan.commitment, "figures": one.plan.figures},
        str(one.plan.commitment.version.agreement),
    )
    words = subject % {"day": formats.short_day(one.due_on), "what": one.what}
    return Letter(words, paragraphs, _("Open the plan"), _link(one.plan))


def _link(plan: RecoveryPlan) -> str:
    """Its page, which the people asked here may open: leaders, RevOps, its owner, and who does something for it."""
    return plan.get_absolute_url()


def _plans(notices: Sequence[Notice]) -> dict[int, RecoveryPlan]:
    return RecoveryPlan.objects.select_related(*PLAN).in_bulk({notice.about for notice in notices})


def _actions(notices: Sequence[Notice]) -> list[PlanAction]:
    rows = PlanAction.objects.select_related("who", *(f"plan__{name}" for name in PLAN))
    found = rows.in_bulk({notice.about for notice in notices})
    return [found[notice.about] for notice in notices]
