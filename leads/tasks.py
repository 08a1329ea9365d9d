"""Celery's doors to the verbs of this room; the state is in the database, the broker only rings."""

import logging

from celery import shared_task
from django.db import OperationalError

from leads import ticking, timekeeping
from leads.models import Handoff
from slaportal.models import Heartbeat
from slaportal.timing import database_now

log = logging.getLogger(__name__)


@shared_task
def tick() -> int:
    """Route what waits, mark what was missed, and do the steps that are due. A busy database leaves it to the next."""
    try:
        count = ticking.tick(now=database_now())
        Heartbeat.beat("tick", now=database_now())
        return count
    except OperationalError as busy:
        log.warning("tick: left to the next one: %s", busy)
        return 0


@shared_task
def evaluate_range(first: int, last: int) -> int:
    """Evaluate the handoffs with ids from `first` to `last`, both included."""
    ids = Handoff.objects.filter(pk__gte=first, pk__lte=last).values_list("pk", flat=True)
    return timekeeping.evaluate_handoffs(ids, now=database_now())


@shared_task
def evaluate_everything() -> int:
    """Send every range of handoffs to the workers; returns how many ranges."""
    ranges = timekeeping.id_ranges()
    for first, last in ranges:
        evaluate_range.delay(first, last)
    return len(ranges)
