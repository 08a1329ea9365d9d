"""What waits for somebody who looks at agreements as a whole: to sign, decide, write, answer, attend. Reads only."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from agreements import signers
from agreements.models import Agreement
from leads.followups import ExclusionRequest, Task
from leads.models import Dispute
from reports import glance, recovery
from reports import reviews as verbs
from reports.models import RecoveryPlan, Review
from reports.plans import PlanAction
from reports.rhythm import Decision
from slaportal import formats, roles
from slaportal.models import Party, User

Sides = Mapping[Agreement, Party | None]
# So long before a review it is among what waits.
AHEAD = timedelta(days=7)


@dataclass(frozen=True)
class Need:
    """Something that waits for the reader: what, whose it is, and where it is done."""

    icon: str
    words: str
    about: str
    url: str


def of(user: User, rows: Sequence[glance.Row], *, now: datetime) -> Iterator[Need]:
    """Everything, what is most urgent first. The agreements of `rows` have their proposals as `proposed`."""
    held = user.role_names()
    sides = {row.agreement: signers.side_of(user, held, row.agreement) for row in rows}
    yield from _to_sign(sides)
    yield from _to_decide(user)
    yield from _reviews(user, [row.agreement for row in rows], now)
    yield from _plans(user, sides, held)
    yield from _actions(user)
    yield from _decided(user)
    yield from _questions(user, sides)
    yield from _misses(rows, sides)


def _to_sign(sides: Sides) -> Iterator[Need]:
    for agreement, party in sides.items():
        for version in agreement.proposed:
            if signers.waits_for(party, version):
                words = _("Read and sign version %(number)s") % {"number": version.number}
                yield Need("ink_pen", words, str(agreement), version.get_absolute_url())


def _to_decide(user: User) -> Iterator[Need]:
    """What only RevOps decides."""
    if not user.has_perm("leads.change_dispute"):
        return
    desk = reverse("decisions")
    disputes = Dispute.objects.filter(party=Party.MARKETING, answered_at=None).count()
    if disputes:
        words = ngettext("Decide %(count)s dispute", "Decide %(count)s disputes", disputes) % {"count": disputes}
        yield Need("gavel", words, _("marketing says that a rejection was wrong"), desk)
    requests = ExclusionRequest.objects.waiting().count()
    if requests:
        words = ngettext("Decide %(count)s exclusion", "Decide %(count)s exclusions", requests) % {"count": requests}
        yield Need("gavel", words, _("somebody asks not to count a handoff"), desk)
    tasks = Task.objects.filter(done_at=None).count()
    if tasks and user.is_staff:
        words = ngettext("Look into %(count)s task", "Look into %(count)s tasks", tasks) % {"count": tasks}
        yield Need("task_alt", words, _("opened by a ladder"), reverse("admin:leads_task_changelist"))


def _reviews(user: User, agreements: Sequence[Agreement], now: datetime) -> Iterator[Need]:
    """Reviews of which somebody has to write the minutes, and the next ones to which the reader is invited."""
    reviews = Review.objects.visible_to(user).select_related("agreement")
    if mine := verbs.run_by(user, agreements):
        for review in reviews.overdue(now).filter(agreement__in=mine).order_by("due_at", "pk"):
            yield Need(
                "event_busy", _("Write the minutes of an overdue review"), _day(review), review.get_absolute_url()
            )
    invited = {"participants__person": user, "participants__left_at": None}
    soon = reviews.upcoming(now).filter(starts_at__lte=now + AHEAD, **invited)
    for review in soon.order_by("starts_at", "pk"):
        yield Need("event", _("Prepare the review"), _day(review), review.get_absolute_url())


def _day(review: Review) -> str:
    return f"{review.agreement}, {formats.weekday_time(review.starts_at.astimezone(review.agreement.zone))}"


def _plans(user: User, sides: Sides, held: set[str]) -> Iterator[Need]:
    """Plans that the reader's side was asked for and has not written; RevOps writes those of what nobody signs."""
    if not user.has_perm("reports.answer_recoveryplan"):
        return
    plans = RecoveryPlan.objects.visible_to(user).unwritten().select_related("commitment__version__agreement")
    for plan in plans.order_by("asked_at", "pk"):
        agreement, party = plan.commitment.version.agreement, recovery.party_of(plan.commitment)
        if sides.get(agreement) == party or (party not in signers.SIGNING_PARTIES and roles.REVOPS in held):
            words = _("Write the recovery plan for “%(promise)s”") % {"promise": plan.commitment.title}
            yield Need("trending_up", words, f"{agreement}, {plan.period}: {plan.figures}", plan.get_absolute_url())


def _actions(user: User) -> Iterator[Need]:
    """What the reader has to do for a plan that still runs."""
    mine = PlanAction.objects.standing().filter(who=user, plan__closed_at=None)
    for action in mine.select_related("plan__commitment__version__agreement"):
        words = _("Do until %(day)s: %(what)s") % {"day": formats.short_day(action.due_on), "what": action.what}
        yield Need("task_alt", words, str(action.plan.commitment.version.agreement), action.plan.get_absolute_url())


def _decided(user: User) -> Iterator[Need]:
    """What a review decided that the reader does."""
    mine = Decision.objects.owed().filter(owner=user).select_related("review__agreement")
    for one in mine.order_by("due_on", "pk"):
        words = _("Do until %(day)s: %(what)s") % {"day": formats.short_day(one.due_on), "what": one.text}
        yield Need("task_alt", words, str(one.review.agreement), f"{one.review.get_absolute_url()}#decision-{one.pk}")


def _questions(user: User, sides: Sides) -> Iterator[Need]:
    """What sales asked marketing and nobody has answered."""
    mine = [agreement for agreement, party in sides.items() if party == Party.MARKETING]
    if not mine:
        return
    asked = Dispute.objects.visible_to(user).filter(party=Party.SALES, answered_at=None)
    count = asked.filter(handoff__agreement__in=mine).count()
    if count:
        words = ngettext("Answer %(count)s question of sales", "Answer %(count)s questions of sales", count)
        yield Need("help", words % {"count": count}, _("they wait on the handover page"), reverse("handover"))


def _misses(rows: Sequence[glance.Row], sides: Sides) -> Iterator[Need]:
    """Misses of the reader's side in the running and the last month of which nobody has said why."""
    for row in rows:
        party = sides[row.agreement]
        for month in row.months if party else ():
            for line in month.unanswered:
                if line.row["party"] != party:
                    continue
                count = line.unanswered.count
                words = ngettext(
                    "Say why %(count)s handoff was missed", "Say why %(count)s handoffs were missed", count
                )
                about = f"{line.row['title']}, {row.agreement}, {month.period}"
                yield Need("chat_error", words % {"count": count}, about, line.unanswered.url)
