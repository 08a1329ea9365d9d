"""`manage.py tick`: what the beat task does each minute, without Celery."""

from datetime import datetime

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from leads import timekeeping
from slaportal.models import Heartbeat


class Command(BaseCommand):
    help = "Mark every promise that was missed by now; safe to run at any time and twice."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--now",
            metavar="ISO",
            help="pretend that it is this moment, such as 2025-03-03T09:00Z; `evaluate --all` takes it back",
        )

    def handle(self, *args: object, now: str | None = None, **options: object) -> None:
        count = timekeeping.tick(now=moment(now))
        if now is None:
            Heartbeat.beat("tick", now=timezone.now())
        if options["verbosity"]:
            self.stdout.write(f"{count} handoff{'s' * (count != 1)} evaluated.")


def moment(text: str | None) -> datetime:
    """An ISO moment with its zone, or the present one."""
    if not text:
        return timezone.now()
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(f"“{text}” is not a moment; write 2025-03-03T09:00Z.") from None
    if found.tzinfo is None:
        raise CommandError(f"“{text}” names no time zone; write 2025-03-03T09:00Z.")
    return found
