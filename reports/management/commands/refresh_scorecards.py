"""`manage.py refresh_scorecards`: what the beat task does every quarter of an hour, without Celery."""

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from reports import refresh


class Command(BaseCommand):
    help = "Count the days that changed and compute their scorecards; safe to run at any time and twice."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--recount", action="store_true", help="count every day of every agreement again first")

    def handle(self, *args: object, recount: bool, **options: object) -> None:
        if recount:
            self._say(refresh.recount(), "day", "counted")
        self._say(refresh.refresh(now=timezone.now()), "scorecard", "computed")

    def _say(self, count: int, what: str, done: str) -> None:
        self.stdout.write(f"{count:,} {what}{'s' * (count != 1)} {done}.")
