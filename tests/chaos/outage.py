"""Redis goes away under load, comes back empty, and is emptied once more: the broker only rings."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import cycle

from slaportal.models import Heartbeat, User
from slaportal.timing import database_now
from tests.chaos import scene, verdict
from tests.chaos.report import Report
from tests.chaos.services import Services, wait_until

EACH_TIME = 3
PAUSE = 0.5  # seconds


class Load:
    """Handoffs whose step is due, some more of them all the time."""

    def __init__(self) -> None:
        self.handoffs: list[int] = []
        self._owners: Iterator[User] = cycle(scene.reps(scene.REPS))

    def go_on(self) -> None:
        """Some more."""
        due = database_now() - timedelta(seconds=1)
        self.handoffs += scene.begin([next(self._owners) for _ in range(EACH_TIME)], [due] * EACH_TIME)

    def while_not(self, done: Callable[[], bool], what: str) -> float:
        """Some more until something is so; returns how many seconds it took."""

        def is_done() -> bool:
            self.go_on()
            return done()

        return wait_until(is_done, what, pause=PAUSE)

    def for_seconds(self, seconds: float) -> None:
        """Some more for so long."""
        end = time.monotonic() + seconds
        self.while_not(lambda: time.monotonic() > end, "the time to pass")


def outage(services: Services, report: Report, *, seconds: float, every: float) -> None:
    """Stop Redis for so long; do its work by hand meanwhile; start it again, and empty it while it runs."""
    crew = [services.worker(name=f"worker{n}") for n in (1, 2)] + [services.beat("--every", str(every))]
    load = Load()
    load.while_not(lambda: beats_after(None), "the workers to begin")

    services.stop_redis()
    stopped_at = database_now()
    load.for_seconds(seconds / 2)
    so_far = list(load.handoffs)
    said = [services.manage("tick"), services.manage("outbox")]
    is_done = verdict.is_done(so_far)
    report.check("outage", is_done, f"manage.py tick and outbox left work undone without the broker ({said})")
    load.for_seconds(seconds / 2)

    services.start_redis()
    restarted_at = database_now()
    took = load.while_not(lambda: beats_after(restarted_at), "the workers to come back")
    load.for_seconds(2 * every)
    services.flush_redis()
    flushed_at = database_now()
    took_again = load.while_not(lambda: beats_after(flushed_at), "the workers to go on after Redis was emptied")

    wait_until(lambda: verdict.is_done(load.handoffs), "all to be done", pause=0.3)
    for process in crew:
        report.check("outage", process.is_alive, f"{process.name} ended: {services.log(process.name)[-1000:]}")
    report.faults("outage", verdict.faults(load.handoffs, services.new_mails()))
    report.line(
        f"Redis away for {(restarted_at - stopped_at).total_seconds():.0f} s, empty afterwards, and emptied again",
        f"{len(load.handoffs):,} steps, none missing; {len(so_far):,} of them by manage.py or before; "
        f"back after {took:.0f} s and {took_again:.0f} s",
    )


def beats_after(moment: datetime | None) -> bool:
    """Whether a worker has done a tick and sent notices, since that moment or at all."""
    rows = Heartbeat.objects.filter(name__in=("tick", "notices"))
    return (rows.filter(at__gt=moment) if moment else rows).count() == 2
