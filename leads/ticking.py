"""The tick: what has to happen by itself, each minute or after a week of silence, on one machine or on ten."""

import logging
from datetime import datetime

from django.db import OperationalError

from leads import escalations, routing, timekeeping

log = logging.getLogger(__name__)


def tick(*, now: datetime) -> int:
    """Give out what waits in queues, mark what was missed, and do every step of a ladder that is due.

    Safe to run twice and by two workers. What breaks holds up nothing else and is raised at the end: what cannot be
    given out is no reason to warn nobody. Returns how many handoffs were given out, marked or escalated.
    """
    count, broken = 0, None
    for verb in (routing.route_waiting, timekeeping.tick, escalations.sweep):
        try:
            count += verb(now=now)
        except OperationalError:
            raise
        except Exception as problem:
            log.exception("tick: %s.%s", verb.__module__, verb.__name__)
            broken = broken or problem
    if broken:
        raise broken
    return count
