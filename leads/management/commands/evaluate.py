"""`manage.py evaluate`: recompute clocks from the facts; the same path as a click."""

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone
from tqdm import tqdm

from leads import timekeeping
from leads.models import Handoff


class Command(BaseCommand):
    help = "Evaluate the clocks that are still running, or with --all every clock from its facts."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--all", action="store_true", help="every handoff, finished ones too")

    def handle(self, *args: object, **options: object) -> None:
        with tqdm(total=Handoff.objects.count(), unit=" handoffs", disable=None) as bar:
            count = timekeeping.evaluate_all(
                now=timezone.now(), everything=options["all"], progress=lambda done: bar.update(done - bar.n)
            )
        self.stdout.write(f"{count} handoff{'s' * (count != 1)} evaluated.")
