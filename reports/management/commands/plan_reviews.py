"""`manage.py plan_reviews`: what the beat task does every quarter of an hour, without Celery."""

from django.core.management.base import BaseCommand

from reports import planning
from slaportal.models import Heartbeat
from slaportal.timing import database_now


class Command(BaseCommand):
    help = "Plan the reviews that the terms ask for and remind of overdue ones; safe to run at any time and twice."

    def handle(self, *args: object, **options: object) -> None:
        count = planning.plan_ahead(now=database_now())
        Heartbeat.beat("reviews", now=database_now())
        if options["verbosity"]:
            self.stdout.write(f"{count} review{'s' * (count != 1)} planned, changed or reminded of.")
