"""Five thousand steps at once: for as many people, each of whom gets one mail; and for forty, who are not buried."""

import random
from collections import Counter
from datetime import timedelta
from itertools import cycle, islice

from django.db.models import Max

from leads.models import Escalation
from slaportal.models import Notice
from slaportal.timing import database_now
from tests.chaos import scene, verdict
from tests.chaos.report import Report
from tests.chaos.services import Services, wait_until

MOST_MAILS = 3
DRAINED_WITHIN = timedelta(minutes=2)
LONG = 300.0  # seconds to wait for a crowd


def many(services: Services, report: Report, *, count: int) -> None:
    """So many due steps for as many people, two beats, four workers: exactly so many rows and sends."""
    handoffs = scene.begin(scene.reps(count), [database_now() - timedelta(minutes=1)] * count)
    scene.analyze()
    begun = database_now()
    for n in (1, 2):
        services.beat("--every", "5", name=f"beat{n}")
    for n in range(1, 5):
        services.worker(name=f"worker{n}")
    wait_until(lambda: verdict.is_done(handoffs), "all to be done", patience=LONG, pause=0.5)
    took = (database_now() - begun).total_seconds()
    # What is on its way twice arrives now.
    wait_until(lambda: (database_now() - begun).total_seconds() > took + 6, "another round", pause=0.5)
    mails = services.new_mails()
    report.faults("many", verdict.faults(handoffs, mails))
    sent = Notice.objects.exclude(sent_at=None)
    told, readers = sent.filter(channel="portal").count(), len({mail.to for mail in mails})
    figures = [Escalation.objects.count(), told, len(mails), readers]
    report.check("many", figures == [count] * 4, f"{figures} instead of {count}")
    report.line(
        f"{count:,} steps for {count:,} people, two beats and four workers",
        "{:,} rows, {:,} in the portal, {:,} mails to {:,} people".format(*figures) + f", after {took:.0f} s",
    )


def few(
    services: Services, report: Report, *, count: int, people: int, seconds: float, every: float | None = None
) -> None:
    """So many steps come due within a minute, for a few people: a few mails each, and soon."""
    scene.gather_warnings()
    hurry = ("--every", str(every)) if every else ()
    services.beat(*hurry)
    for n in (1, 2):
        services.worker(name=f"worker{n}")
    dice = random.Random(3)
    first = database_now() + timedelta(seconds=5)
    due = [first + timedelta(seconds=dice.uniform(0, seconds)) for _ in range(count)]
    handoffs = scene.begin(list(islice(cycle(scene.reps(people)), count)), due)
    wait_until(lambda: verdict.is_done(handoffs), "all to be done", patience=LONG, pause=0.5)
    mails = services.new_mails()
    report.faults("few", verdict.faults(handoffs, mails))
    each = Counter(mail.to for mail in mails)
    report.check("few", len(each) == people, f"{len(each)} people got mail")
    report.check("few", max(each.values()) <= MOST_MAILS, f"somebody got {max(each.values())} mails")
    drained = Notice.objects.aggregate(last=Max("sent_at"))["last"] - max(due)
    report.check("few", drained <= DRAINED_WITHIN, f"it took {drained.total_seconds():.0f} s after the last was due")
    report.line(
        f"{count:,} steps due within {seconds:.0f} s for {people} people",
        f"{len(mails)} mails, at most {max(each.values())} each; the last left {drained.total_seconds():.0f} s after "
        "the last step was due",
    )
