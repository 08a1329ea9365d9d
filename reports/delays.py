"""System delay and human delay apart, and speed to lead as the lead felt it (rule N8)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np

from agreements.models import Agreement
from leads import delays
from leads.delays import EXCLUDED, NAMES, NOT_STARTED, OVER, WAITING, Delays
from leads.models import Handoff
from slaportal.models import Party

# Whose delay it is; what the lead felt is everybody's.
OWNERS = {delays.SYSTEM: Party.OPERATIONS.value, delays.HUMAN: Party.SALES.value, delays.FELT: None}


def measure(agreement: Agreement, start: datetime, end: datetime, *, now: datetime) -> dict[str, Any]:
    """Each delay of the handoffs that began in `[start, end)`, as it stands at `now`; ready to be written as JSON.

    `count`, `waiting`, `not_started` and `excluded` add up to the handoffs. Median and p90 are of those that are over
    (N5), in real seconds and in those of the terms' calendar; `calendars` names it, several where versions differ.
    """
    found = list(delays.of(Handoff.objects.filter(agreement=agreement).begun_in(start, end), now=now))
    return {"calendars": sorted({one.calendar for one in found}), **{name: _figures(name, found) for name in NAMES}}


def _figures(name: str, found: Sequence[Delays]) -> dict[str, Any]:
    waits = [one.waits[name] for one in found]
    counts = {state: sum(int(one.in_state(state).sum()) for one in waits) for state in delays.STATES}
    median, p90 = _spread([one.real[one.in_state(OVER)] for one in waits])
    business = [one.business[one.in_state(OVER)] for one in waits if one.business is not None]
    business_median, business_p90 = _spread(business)
    return {
        "owner": OWNERS[name],
        "count": counts[OVER],
        "waiting": counts[WAITING],
        "not_started": counts[NOT_STARTED],
        "excluded": counts[EXCLUDED],
        "median_seconds": median,
        "p90_seconds": p90,
        "business_median_seconds": business_median,
        "business_p90_seconds": business_p90,
    }


def _spread(parts: Sequence[np.ndarray]) -> tuple[float | None, float | None]:
    """Median and p90 by linear interpolation (N5), None where nothing is over."""
    seconds = np.concatenate(parts) if parts else np.empty(0)
    return tuple(np.percentile(seconds, [50, 90]).tolist()) if len(seconds) else (None, None)
