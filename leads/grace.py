"""The agreed grace for late entries (rule A4): since when what a person enters now still stops a clock. Reads only."""

from datetime import UTC, datetime

import numpy as np

from agreements import terms
from agreements.calendars import closures_by_calendar
from leads.models import Handoff


def begins(handoff: Handoff, *, now: datetime) -> datetime:
    """The earliest moment of what may be entered now and still count; before it an entry is evidence only."""
    agreed = terms.of(handoff.version)
    calendar = agreed.business_times(closures_by_calendar())[agreed.calendar]
    moment = np.datetime64(now.astimezone(UTC).replace(tzinfo=None), "us")
    position = calendar.position_many(np.array([moment])) - agreed.entry_grace_seconds * 1_000_000
    return calendar.instant_many(position)[0].astype(datetime).replace(tzinfo=UTC)
