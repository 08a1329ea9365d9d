"""Which figures of a scorecard are shown: as they are kept, as they are now, and those of the periods before them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from agreements.models import Agreement
from leads.periods import CUSTOM, Period
from reports import scorecards
from reports.evidence import Evidence
from reports.models import Scorecard
from reports.refresh import MONTHS
from reports.rendering import Edition


def live(agreement: Agreement, period: Period, *, now: datetime) -> Edition:
    """The scorecard that is kept for the period, computed where there is none; over chosen days as it is now.

    What it says is read only where something has to be drawn, because reading it takes longer than showing it.
    """
    if period.unit == CUSTOM:
        return _edition(agreement, scorecards.kept_or_computed(agreement, period, now=now), period, name="", now=now)
    mine = Scorecard.objects.filter(
        agreement=agreement, start=period.start(agreement.zone), end=period.end(agreement.zone)
    )
    card = mine.defer("data").first() or scorecards.store(agreement, period, now=now)
    return _edition(agreement, card, period, name=f"card {card.pk} {card.computed_at.isoformat()}", now=now)


def _edition(agreement: Agreement, card: Scorecard, period: Period, *, name: str, now: datetime) -> Edition:
    def read() -> Mapping[str, Any]:
        if not name:
            return card.data
        return scorecards.kept_or_computed(agreement, period, now=now).data

    return Edition(
        agreement=agreement,
        period=period,
        name=name,
        computed_at=card.computed_at,
        evidence=Evidence(agreement.pk, period.key),
        read=read,
        read_earlier=lambda: earlier(agreement, period),
    )


def earlier(agreement: Agreement, period: Period) -> list[Mapping[str, Any] | None]:
    """Kept figures of the periods before this one, oldest first, None where none are kept: what a trend shows."""
    before = [period.previous]
    while len(before) < MONTHS - 1:
        before.append(before[-1].previous)
    starts = {each.start(agreement.zone): each.end(agreement.zone) for each in reversed(before)}
    stored = Scorecard.objects.filter(agreement=agreement, start__in=starts).values_list("start", "end", "data")
    found = {start: data for start, end, data in stored if starts[start] == end}
    return [found.get(start) for start in starts]
