"""What volume is measured against: a period's target is the sum of its days' (rule N6 and the kind `volume`). Pure."""

from calendar import monthrange
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

from agreements.models import Version, local_midnight
from agreements.terms import Promise
from leads.periods import Period

FOREVER = datetime.max.replace(tzinfo=UTC)


def in_force(agreed: Iterable[Version]) -> list[tuple[Version, datetime, datetime]]:
    """Each agreed version, in order of its start, with the half-open span in which it was in force (rule A2)."""
    spans, until = [], FOREVER
    for version in reversed(list(agreed)):
        spans.append((version, version.effective_from, min(version.ends_at or FOREVER, until)))
        until = version.effective_from
    return spans[::-1]


def days_in_force(period: Period, zone: ZoneInfo, since: datetime, until: datetime) -> Counter[tuple[int, int]]:
    """Local days of the period at whose first moment the version was in force, by (year, month)."""
    return Counter((day.year, day.month) for day in period.days() if since <= local_midnight(day, zone) < until)


def expected(promise: Promise, days: Mapping[tuple[int, int], int]) -> Fraction | None:
    """Leads owed for so many days of each month, in proportion; None where the promise names no target at all."""
    if promise.target is None and not promise.monthly_targets:
        return None
    owed = Fraction(0)
    for (year, month), number in days.items():
        target = promise.monthly_targets.get(f"{year}-{month:02}", promise.target or 0)
        owed += Fraction(target) * number / monthrange(year, month)[1]
    return owed
