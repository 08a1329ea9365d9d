"""`manage.py outbox`: what the beat task does each minute, without Celery."""

from django.core.management.base import BaseCommand
from django.utils import timezone

from slaportal import outbox


class Command(BaseCommand):
    help = "Send every notice that is due; safe to run at any time and twice."

    def handle(self, *args: object, **options: object) -> None:
        count = outbox.send_due(now=timezone.now())
        if options["verbosity"]:
            self.stdout.write(f"{count} notice{'s' * (count != 1)} sent.")
