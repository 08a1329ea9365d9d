"""The demo’s recovery plans: asked for by rule as its months closed, written, worked on, and closed by the number."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from reports import plan_page, recovery, recovery_watch
from reports.demo_cast import Cast
from reports.models import RecoveryPlan
from slaportal.models import Notice, Party, User

DAY = timedelta(days=1)
# By the kind of the promise: why it was missed, and how it is made up for; others have the last pair.
SAID = {
    "volume": (
        "The trade fair brought half of what it brought last year, and the webinar was moved into the next month.",
        "Two webinars instead of one, and the partner campaign a month earlier: about twenty leads more until the end "
        "of the month.",
    ),
    "": (
        "Leads that come in the last hour of a day wait for the next morning, when the list is longest.",
        "Two people stay until half past six, in turns, and each morning begins with the leads of the evening before.",
    ),
}
ACTIONS = (
    "Draw up a rota",
    "Go through the misses with the team each Monday",
    "Look at the figures with RevOps",
)
NOTE = "The rota stands, and the first week went better."


def recover(cast: Cast, *, closings: Iterable[datetime], now: datetime, live: timedelta) -> None:
    """Follow the plans at each of these moments, and let the side that was asked write, act and note.

    What was asked for in the last weeks still waits to be written.
    """
    for moment in closings:
        recovery_watch.follow(now=moment)
        for plan in RecoveryPlan.objects.unwritten().select_related("commitment__version__agreement"):
            if moment < now - 20 * DAY:
                _work(plan, cast, moment)
    recovery_watch.follow(now=now)
    Notice.objects.filter(kind="plan", created_at__lt=now - live).delete()


def _work(plan: RecoveryPlan, cast: Cast, moment: datetime) -> None:
    by, doing = _whose(plan, cast)
    if not recovery.may_answer(by, plan):
        return
    cause, text = SAID.get(plan.commitment.kind, SAID[""])
    recovery.answer(plan, cause=cause, text=text, by=by, now=moment + DAY)
    plan.refresh_from_db()
    today = moment.astimezone(plan.commitment.version.agreement.zone).date()
    for number, what in enumerate(ACTIONS):
        due_on = today + timedelta(days=7 * (1 + 2 * number))
        action = recovery.add_action(plan, what=what, who=doing, due_on=due_on, by=by, now=moment + DAY)
        if number == 0:
            recovery.finish(action, by=doing, now=moment + 5 * DAY)
    figures = plan_page.at_present(plan, now=moment + 6 * DAY)
    recovery.check_in(plan, note=NOTE, figures=figures, by=by, now=moment + 6 * DAY)


def _whose(plan: RecoveryPlan, cast: Cast) -> tuple[User, User]:
    """Who answers for the side that was asked, and who does it."""
    marketing, sales = cast.leaders
    return (marketing, marketing) if recovery.party_of(plan.commitment) == Party.MARKETING else (sales, cast.manager)
