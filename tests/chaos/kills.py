"""SIGKILL to a worker, at named points and at random moments; the next one finishes what the dead one left.

The successor of one kill is the victim of the next, and a third process is already loading meanwhile.
"""

import random
import time
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from leads import tasks as of_leads
from leads.models import Escalation
from slaportal import tasks as of_portal
from slaportal.models import Notice, User
from slaportal.timing import database_now
from tests.chaos import scene, verdict
from tests.chaos.points import POINTS, Point
from tests.chaos.report import Report
from tests.chaos.services import Process, Services, Stuck, wait_until

STEPS = len(scene.SHARES)
FEW, MANY = 3, 20
# Both steps of each handoff are due: the sweep does the first of each, then the second.
DUE = scene.SECOND_STEP - scene.FIRST_STEP + timedelta(minutes=1)


class Crew:
    """One worker at a time, and its successor standing by."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self._next = self._standby()
        self.worker = self._next
        self.replace()

    def replace(self) -> None:
        """Let the successor begin; nobody else works, so what a dead one claimed can be set free."""
        if self.worker is not self._next:
            self.services.stop(self.worker)
        scene.end_leases()
        self.worker = self._next
        self.worker.go()
        self._next = self._standby()

    def finish(self, handoffs: Sequence[int]) -> None:
        """Wait until the worker has done everything for these; it is rung for now and then, as by beat."""
        for _ in range(10):
            ring()
            try:
                wait_until(lambda: verdict.is_done(handoffs, steps=STEPS), "the successor", patience=6, pause=0.03)
                return
            except Stuck:
                if not self.worker.is_alive:
                    raise Stuck(f"the successor died: {self.services.log('worker')[-2000:]}") from None
        raise Stuck("the successor did not finish")

    def dismiss(self) -> None:
        """End both."""
        self.services.stop(self.worker, self._next)

    def _standby(self) -> Process:
        return self.services.worker("--standby", "--orders", str(self.services.orders))


def ring() -> None:
    """What beat sends."""
    of_leads.tick.apply_async(expires=30)
    of_portal.send_notices.apply_async(expires=30)


def at_points(services: Services, report: Report, *, times: int) -> None:
    """Kill a worker at each point so many times; after each kill everything is there, and once."""
    dice = random.Random(7)
    crew = Crew(services)
    owners = iter(scene.reps(len(POINTS) * times * FEW))
    try:
        for point in POINTS.values():
            copies = 0
            for number in range(1, times + 1):
                chosen = [next(owners) for _ in range(FEW)]
                copies += _kill_at(point, dice.randint(1, point.passings), crew, chosen, report, number)
            figures = f"{times} kills, {times * FEW * STEPS} steps, each once; {copies} copies on the wire"
            report.line(f"SIGKILL {point.says}", figures)
    finally:
        crew.dismiss()


def _kill_at(point: Point, passing: int, crew: Crew, owners: Sequence[User], report: Report, number: int) -> int:
    """One kill, its consequences and the verdict; returns how many copies of a mail it cost."""
    handoffs = scene.begin(owners, [database_now() - DUE] * len(owners))
    crew.services.orders.write_text(f"{point.name} {passing}")
    ring()
    victim = crew.worker
    wait_until(lambda: not victim.is_alive, f"the worker to die {point.says}", patience=30, pause=0.01)
    crew.services.orders.unlink()
    if not victim.was_killed:
        raise Stuck(f"the worker ended by itself: {crew.services.log('worker')[-2000:]}")
    crew.replace()
    crew.finish(handoffs)
    mails = crew.services.new_mails()
    found = verdict.faults(handoffs, mails, steps=STEPS, extra_copies=point.extra_copies)
    if verdict.copies(mails) < point.extra_copies:
        found.append("the server had accepted a mail that nobody recorded, and got no copy: was the point passed?")
    report.faults(f"kill {number} {point.says}, passing {passing}", found)
    return verdict.copies(mails)


def at_random(services: Services, report: Report, *, times: int) -> None:
    """Kill a worker so many times at whatever moment, while it works."""
    dice = random.Random(11)
    crew = Crew(services)
    owners = iter(scene.reps((times + 2) * MANY))
    # The first round also opens connections and loads what is loaded lazily.
    _, lasted = (_undisturbed(crew, [next(owners) for _ in range(MANY)], report) for _ in range(2))
    hit: Counter[str] = Counter()
    copies = 0
    try:
        for number in range(1, times + 1):
            handoffs = scene.begin([next(owners) for _ in range(MANY)], [database_now() - DUE] * MANY)
            moment = dice.uniform(0, lasted)
            ring()
            time.sleep(moment)
            crew.worker.kill()
            hit[_state(handoffs)] += 1
            crew.replace()
            crew.finish(handoffs)
            mails = crew.services.new_mails()
            copies += verdict.copies(mails)
            # Whatever it was doing, it had at most one mail in its hand.
            found = verdict.faults(handoffs, mails, steps=STEPS, extra_copies=1)
            report.faults(f"random kill {number} after {moment:.3f} s", found)
    finally:
        crew.dismiss()
    where = ", ".join(f"{count} {what}" for what, count in sorted(hit.items()))
    figures = f"{times} kills ({where}), {times * MANY * STEPS} steps, each once; {copies} copies on the wire"
    report.line("SIGKILL at random", figures)


def _undisturbed(crew: Crew, owners: Sequence[User], report: Report) -> float:
    """How long a worker needs for one round when nobody kills it."""
    handoffs = scene.begin(owners, [database_now() - DUE] * len(owners))
    begun = time.monotonic()
    crew.finish(handoffs)
    report.faults("undisturbed", verdict.faults(handoffs, crew.services.new_mails(), steps=STEPS))
    return time.monotonic() - begun


def _state(handoffs: Sequence[int]) -> str:
    """How far a killed worker had come."""
    rows = Escalation.objects.filter(handoff__in=handoffs)
    if rows.count() < STEPS * len(handoffs):
        return "before all steps were done"
    waiting = Notice.objects.waiting().filter(letter=verdict.LETTER, about__in=rows.values("pk")).count()
    return "while sending" if waiting else "when all was sent"
