"""Until when what comes due is soon, as each promise counts its time: on its own calendar in the signed terms, with the
days that were closed since. Reads only.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime

from agreements.terms import Terms, Unreadable
from leads import owing, timekeeping

Closures = Mapping[int, list[date]]


def by_commitment(
    versions: Iterable[tuple[int, str, datetime]], closures: Closures, *, now: datetime
) -> dict[int, datetime]:
    """The `owing.soon_until` of each commitment of these versions, by id; what is not in it counts every hour.

    A version is given as `timekeeping.signed` takes it.
    """
    found: dict[int, datetime] = {}
    for version in versions:
        try:
            signed = timekeeping.signed(*version)
        except (Unreadable, LookupError):
            continue  # the agreement's own page says so, and its leads have to be worked all the same
        found |= of(signed.terms, signed.promises, closures, now=now)
    return found


def of(agreed: Terms, promises: Mapping[int, int], closures: Closures, *, now: datetime) -> dict[int, datetime]:
    """The same of one version, from its terms and the index in them of each commitment, by its id."""
    named = {}
    for pk, index in promises.items():
        promise = agreed.promises[index]
        if promise.limit_seconds is not None and promise.calendar is not None:
            named[pk] = promise.calendar
    if not named:
        return {}
    times = agreed.business_times(closures)
    until = {name: owing.soon_until(times[name], now=now) for name in set(named.values())}
    return {pk: until[name] for pk, name in named.items()}
