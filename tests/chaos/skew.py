"""Machines whose clocks are five minutes wrong: nothing happens early, and nothing is lost."""

import random
from collections.abc import Sequence
from datetime import timedelta

from django.db.models import F
from django_celery_beat.models import PeriodicTask

from leads.models import Escalation
from slaportal.models import Notice, User
from slaportal.timing import database_now
from tests.chaos import scene, verdict
from tests.chaos.outage import beats_after
from tests.chaos.report import Report
from tests.chaos.services import Services, wait_until

MINUTES = 5
FAST, SLOW = str(MINUTES * 60), str(-MINUTES * 60)

# The clock of beat, and those of the workers.
MIXTURES = {
    "beat slow, all workers fast": (SLOW, (FAST, FAST)),
    "beat fast, all workers slow": (FAST, (SLOW, SLOW)),
    "beat slow, workers slow and fast": (SLOW, (SLOW, FAST)),
    "beat fast, workers slow and fast": (FAST, (SLOW, FAST)),
}


def skewed(services: Services, report: Report, *, count: int, seconds: float, most: int | None = None) -> None:
    """Beat and workers with every mixture of wrong clocks, so many steps in each; half come due while they run."""
    for number, mixture in enumerate(list(MIXTURES)[:most]):
        owners = scene.reps(count, after=number * count)
        _mixture(services, report, mixture, owners, seconds)
        services.dismiss()


def _mixture(services: Services, report: Report, mixture: str, owners: Sequence[User], seconds: float) -> None:
    dice = random.Random(5)
    beat, workers = MIXTURES[mixture]
    # Another machine's beat is not to wait until its own clock has come to what the one before wrote down.
    PeriodicTask.objects.all().delete()
    begun = database_now()
    services.beat("--skew", beat, "--every", "2")
    for n, wrong in enumerate(workers, start=1):
        services.worker("--skew", wrong, name=f"worker{n}")
    wait_until(lambda: beats_after(begun), "the workers to begin")
    first = database_now()
    due = [first + timedelta(seconds=dice.uniform(-seconds, seconds)) for _ in owners]
    handoffs = scene.begin(owners, due)
    early = 0

    def is_done() -> bool:
        nonlocal early
        # By the one clock that counts, and while it happens: what is written down later might be a wrong machine's.
        early = max(early, Escalation.objects.filter(due_at__gte=database_now()).count())
        return verdict.is_done(handoffs)

    wait_until(is_done, "all to be done", patience=60 + seconds, pause=0.1)
    report.check(mixture, not early, f"{early} steps were done early")
    mails = services.new_mails()
    report.faults(mixture, verdict.faults(handoffs, mails))
    moments = dict(Escalation.objects.filter(handoff__in=handoffs).values_list("handoff__owner__email", "due_at"))
    report.faults(mixture, [f"a mail came early to {m.to}" for m in mails if m.at <= moments[m.to].timestamp()])
    wrong = Notice.objects.filter(sent_at__gt=database_now()) | Notice.objects.filter(sent_at__lt=F("created_at"))
    report.check(mixture, not wrong.exists(), "notices with a moment by a wrong clock")
    report.line(f"clocks {MINUTES} minutes wrong, {mixture}", f"{len(owners)} steps, none early, each once")
