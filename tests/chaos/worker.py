"""A real Celery process of the portal that can be told to die at a point, and whose clock can be wrong.

    python -m tests.chaos.worker [--orders FILE] [--skew SECONDS] [--every SECONDS] [--standby] worker --pool solo …

What follows the options is Celery's own command line. `--orders` names a file that is asked at every point: when it
says “before_send 2”, the process kills itself at the second passing of that point. `--every` is for a beat: how often
it rings. With `--standby` the process loads everything and then waits for a line on its standard input, so that a
successor is there at once.
"""

import argparse
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from pkgutil import resolve_name

import django

from tests.chaos.points import POINTS, Point


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--orders", type=Path)
    parser.add_argument("--skew", type=float, default=0.0)
    parser.add_argument("--every", type=float)
    parser.add_argument("--standby", action="store_true")
    options, command = parser.parse_known_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "slaportal.settings")
    if options.skew:
        skew(options.skew)
    django.setup()
    from slaportal.celery import app

    app.loader.import_default_modules()
    if options.orders:
        passings: Counter[str] = Counter()
        for point in POINTS.values():
            attach(point, options.orders, passings)
    if options.every:
        for name in ("tick", "notices"):
            app.conf.beat_schedule[name]["schedule"] = options.every
    if options.standby and not sys.stdin.readline():
        return  # whoever started it is gone
    app.start(command)


def skew(seconds: float) -> None:
    """Let every clock of this process go wrong by so much."""
    import time

    import time_machine

    time_machine.travel(time.time() + seconds, tick=True).start()


def attach(point: Point, orders: Path, passings: Counter[str]) -> None:
    """Wrap the function of a point, so that passing it follows the orders."""
    where, _, name = point.function.rpartition(".")
    owner = resolve_name(where)
    function: Callable = getattr(owner, name)

    def passed() -> None:
        try:
            wanted, number = orders.read_text().split()
        except FileNotFoundError:
            return
        if wanted == point.name:
            passings[point.name] += 1
            if passings[point.name] >= int(number):
                os.kill(os.getpid(), signal.SIGKILL)

    @wraps(function)
    def wrapped(*args: object, **options: object) -> object:
        if not point.is_after:
            passed()
        result = function(*args, **options)
        if point.is_after and result != []:  # who claimed nothing has not passed
            passed()
        return result

    setattr(owner, name, wrapped)


if __name__ == "__main__":
    main()
