"""Celery's doors to the verbs of this room; the state is in the database, the broker only rings."""

import logging

from celery import shared_task
from django.db import OperationalError
from django.utils import timezone

from slaportal import outbox

log = logging.getLogger(__name__)


@shared_task
def send_notices() -> int:
    """Send the notices that are due. A busy database leaves the rest to the next run."""
    try:
        return outbox.send_due(now=timezone.now())
    except OperationalError as busy:
        log.warning("send_notices: left to the next run: %s", busy)
        return 0
