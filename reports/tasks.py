"""Celery's doors to the verbs of this room; the state is in the database, the broker only rings."""

import logging

from celery import shared_task
from django.db import OperationalError
from django.utils import timezone

from reports import drawing, pace, planning, recovery_watch, sealing
from reports.refresh import refresh
from slaportal.models import Heartbeat
from slaportal.timing import database_now

log = logging.getLogger(__name__)


@shared_task
def refresh_scorecards() -> int:
    """Compute and store the scorecards that may have changed, and draw the pages that people look at. A busy database
    leaves the rest to the next run."""
    try:
        count = refresh(now=timezone.now())
        drawing.ahead(now=timezone.now())
        return count
    except OperationalError as busy:
        log.warning("refresh_scorecards: left to the next run: %s", busy)
        return 0


@shared_task
def seal_scorecards() -> int:
    """Seal the months whose days of grace are over. A busy database leaves them to the next run."""
    try:
        return sealing.seal_due(now=database_now())
    except OperationalError as busy:
        log.warning("seal_scorecards: left to the next run: %s", busy)
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


@shared_task
def plan_reviews() -> int:
    """Plan reviews as the terms ask, and remind of overdue ones. A busy database leaves them to the next run."""
    try:
        count = planning.plan_ahead(now=database_now())
        Heartbeat.beat("reviews", now=database_now())
        return count
    except OperationalError as busy:
        log.warning("plan_reviews: left to the next run: %s", busy)
        return 0


@shared_task
def follow_plans() -> int:
    """Open, look at, close and remind of recovery plans. A busy database leaves them to the next run."""
    try:
        return recovery_watch.follow(now=database_now())
    except OperationalError as busy:
        log.warning("follow_plans: left to the next run: %s", busy)
        return 0
