"""`manage.py tick`: what the beat task does each minute, without Celery."""

from django.core.management.base import BaseCommand, CommandParser

from leads import ticking
from slaportal.management.moments import moment
from slaportal.models import Heartbeat
from slaportal.timing import database_now


class Command(BaseCommand):
    help = "Give out what waits, mark what was missed, do the steps that are due; safe to run at any time and twice."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--now",
            metavar="ISO",
            help="pretend that it is this moment, such as 2025-03-03T09:00Z; `evaluate --all` takes it back",
        )

    def handle(self, *args: object, now: str | None = None, **options: object) -> None:
        count = ticking.tick(now=moment(now) if now else database_now())
        if now is None:
            Heartbeat.beat("tick", now=database_now())
        if options["verbosity"]:
            self.stdout.write(f"{count} handoff{'s' * (count != 1)} given out, marked or escalated.")
