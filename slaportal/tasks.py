"""Celery's doors to the verbs of this room; the state is in the database, the broker only rings."""

import logging

from celery import shared_task
from django.db import OperationalError

from slaportal import auditor, outbox
from slaportal.models import Heartbeat
from slaportal.timing import database_now

log = logging.getLogger(__name__)


@shared_task
def send_notices() -> int:
    """Send the notices that are due. A busy database leaves the rest to the next run."""
    try:
        count = outbox.send_due(now=database_now())
        Heartbeat.beat("notices", now=database_now())
        return count
    except OperationalError as busy:
        log.warning("send_notices: left to the next run: %s", busy)
        return 0


@shared_task
def audit() -> int:
    """Look for what stands still, and write it into the log."""
    return len(auditor.tell(now=database_now()))
