"""Celery's doors to the verbs of this room; the state is in the database, the broker only rings."""

import logging

from celery import shared_task
from django.db import OperationalError
from django.utils import timezone

from reports.refresh import refresh

log = logging.getLogger(__name__)


@shared_task
def refresh_scorecards() -> int:
    """Compute and store the scorecards that may have changed. A busy database leaves the rest to the next run."""
    try:
        return refresh(now=timezone.now())
    except OperationalError as busy:
        log.warning("refresh_scorecards: left to the next run: %s", busy)
        return 0
