"""Runs the scenarios: `python -m tests.chaos [--smoke] [scenario …]`, on the server that DATABASE_URL names."""

import argparse
import os
import signal
import sys
from collections.abc import Callable
from functools import partial

import django

from tests.chaos.report import Report
from tests.chaos.services import Services, Stuck


def main() -> int:
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="a few of each, for every change")
    parser.add_argument("scenarios", nargs="*", help="only these")
    options = parser.parse_args()
    server = os.environ.get("DATABASE_URL", "")
    if not server.startswith("postgres"):
        sys.exit("Set DATABASE_URL=postgres://…: the chaos scripts need PostgreSQL.")
    report = Report()
    with Services(server) as services:
        template = services.create_database()
        django.setup()
        build()
        known = scenarios(is_smoke=options.smoke)
        if unknown := set(options.scenarios) - known.keys():
            sys.exit(f"There is no {', '.join(sorted(unknown))}; there are {', '.join(known)}.")
        for name in options.scenarios or known:
            services.create_database(like=template, suffix=f"_{name}")
            play(known[name], name, services, report)
        services.is_clean = not report.wrong
    print(f"{report.count} verdicts in {report.seconds:.0f} s, {len(report.wrong)} faults.")
    return 1 if report.wrong else 0


def scenarios(*, is_smoke: bool) -> dict[str, Callable[[Services, Report], None]]:
    """Every scenario by its name; in the smoke with smaller figures, and without the one that has to wait long."""
    from tests.chaos import crowds, kills, night, outage, skew

    if is_smoke:
        return {
            "points": partial(kills.at_points, times=3),
            "random": partial(kills.at_random, times=3),
            "outage": partial(outage.outage, seconds=4, every=1),
            "many": partial(crowds.many, count=200),
            "skew": partial(skew.skewed, count=25, seconds=5, most=1),
            "night": partial(night.night, count=40, pace=10),
        }
    return {
        "points": partial(kills.at_points, times=30),
        "random": partial(kills.at_random, times=100),
        "outage": partial(outage.outage, seconds=60, every=5),
        "many": partial(crowds.many, count=5_000),
        "few": partial(crowds.few, count=5_000, people=40, seconds=60),
        "skew": partial(skew.skewed, count=200, seconds=30),
        "night": partial(night.night, count=240, pace=1),
    }


def build() -> None:
    """Make the database that every scenario gets a copy of."""
    from django.core.management import call_command
    from django.db import connection

    from tests.chaos import scene

    call_command("migrate", verbosity=0)
    scene.build()
    scene.analyze()
    connection.close()


def play(scenario: Callable[[Services, Report], None], name: str, services: Services, report: Report) -> None:
    """Let one scenario happen on its own database, an empty Redis and an empty mail box; then end what it left."""
    from django.db import connection

    from slaportal import restored

    connection.settings_dict["NAME"] = services.database
    services.flush_redis()
    services.new_mails()
    try:
        scenario(services, report)
        wire = restored.held()
        report.check(name, wire is None, f"the outbox was held: {wire and wire.held_why}")
    except Stuck as problem:
        report.faults(name, [str(problem)])
        report.line(name, "stuck")
    finally:
        services.dismiss()
        connection.close()


if __name__ == "__main__":
    sys.exit(main())
