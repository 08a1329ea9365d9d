"""Celery's doors to the verbs of this room; the state is in the database, the broker only rings."""

import logging

from celery import shared_task
from django.db import OperationalError
from django.utils import timezone

from reports import pace
from reports.refresh import refresh
from slaportal.models import Heartbeat
from slaportal.timing import database_now

log = logging.getLogger(__name__)


@shared_task
def refresh_scorecards() -> int:
    """Compute and store the scorecards that may have changed. A busy database leaves the rest to the next run."""
    try:
        return refresh(now=timezone.now())
    except OperationalError as busy:
        log.warning("refresh_scorecards: left to the next run: %s", busy)
        return 0


@shared_task
def watch_pace() -> int:
    """Do the steps of promises without a time limit that are due. A busy database leaves them to the next run."""
    try:
        count = pace.watch(now=database_now())
        Heartbeat.beat("pace", now=database_now())
        return count
    except OperationalError as busy:
        log.warning("watch_pace: left to the next run: %s", busy)
        return 0
