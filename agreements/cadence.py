"""When both sides look at the scorecard together. Pure."""

from datetime import date, timedelta

from django.db.models import TextChoices

# Tuesday: what frozen terms mean that name no day.
DEFAULT_REVIEW_DAY = 1


class Cadence(TextChoices):
    """How often an agreement is reviewed."""

    WEEKLY = "weekly", "weekly"
    MONTHLY = "monthly", "monthly"
    QUARTERLY = "quarterly", "quarterly"


def next_review(cadence: str, weekday: int | None, *, after: date) -> date | None:
    """The first review day later than `after`: the first `weekday` (0 is Monday) of a week, month or quarter.

    None where no cadence is agreed; a weekday of None is the default one.
    """
    weekday = DEFAULT_REVIEW_DAY if weekday is None else weekday
    if not cadence:
        return None
    if cadence == Cadence.WEEKLY:
        return after + timedelta(days=(weekday - after.weekday() - 1) % 7 + 1)
    months = 3 if cadence == Cadence.QUARTERLY else 1
    month = (after.month - 1) // months * months
    while (found := _first(after.year + month // 12, month % 12 + 1, weekday)) <= after:
        month += months
    return found


def _first(year: int, month: int, weekday: int) -> date:
    """The first such weekday of a month."""
    begin = date(year, month, 1)
    return begin + timedelta(days=(weekday - begin.weekday()) % 7)
