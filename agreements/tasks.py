"""Celery's doors to the verbs of this room; the state is in the database, the broker only rings."""

import logging

from celery import shared_task
from django.db import OperationalError, connection
from django.utils import timezone

from agreements import frozen, notices

log = logging.getLogger(__name__)


@shared_task
def verify_agreements() -> int:
    """Recompute everything that was agreed and raise the alarm where it does not fit. Returns how many do not.

    Triggers that a migration broken off on SQLite has left out are made anew.
    """
    try:
        if missing := frozen.mend(connection):
            log.error("frozen rows were not guarded: %s", ", ".join(missing))
        return notices.raise_alarms(now=timezone.now())
    except OperationalError as busy:
        log.warning("verify_agreements: left to the next run: %s", busy)
        return 0
