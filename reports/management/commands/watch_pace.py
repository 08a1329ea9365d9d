"""`manage.py watch_pace`: what the beat task does every five minutes, without Celery."""

from django.core.management.base import BaseCommand

from reports import pace
from slaportal.models import Heartbeat
from slaportal.timing import database_now


class Command(BaseCommand):
    help = "Do the steps of promises without a time limit that are due; safe to run at any time and twice."

    def handle(self, *args: object, **options: object) -> None:
        count = pace.watch(now=database_now())
        Heartbeat.beat("pace", now=database_now())
        if options["verbosity"]:
            self.stdout.write(f"{count} step{'s' * (count != 1)} looked at.")
