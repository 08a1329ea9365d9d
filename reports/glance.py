"""The list of scorecards: each agreement's running and last month in a few figures."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from agreements.models import Agreement
from leads.periods import MONTH, Period
from reports import scorecards, sheet
from reports.models import Scorecard
from reports.refresh import measured


@dataclass(frozen=True)
class Month:
    """One month of one agreement."""

    period: Period
    handoffs: int
    sides: list[sheet.Side]


@dataclass(frozen=True)
class Row:
    """One agreement; without months while nobody has signed it. `latest` is the month of its last handoff where that
    is older than both.
    """

    agreement: Agreement
    months: list[Month]
    latest: Period | None


def rows(agreements: Iterable[Agreement], *, now: datetime) -> list[Row]:
    """A row for each agreement, annotated with `last_handoff`, from what is stored; what is missing is computed."""
    ready = set(measured().values_list("pk", flat=True))
    asked = {}
    for agreement in agreements:
        running = Period.current(MONTH, now, agreement.zone)
        asked[agreement] = [running, running.previous] if agreement.pk in ready else []
    starts = {period.start(agreement.zone) for agreement, periods in asked.items() for period in periods}
    stored = {
        (card.agreement_id, card.start, card.end): card
        for card in Scorecard.objects.filter(agreement__in=asked, start__in=starts)
    }
    found = []
    for agreement, periods in asked.items():
        months = []
        for period in periods:
            known = (agreement.pk, period.start(agreement.zone), period.end(agreement.zone))
            card = stored.get(known) or scorecards.store(agreement, period, now=now)
            figures = sheet.build(agreement.pk, card.data, by="source", earlier=[])
            months.append(Month(period, card.data["handoffs"], figures.sides))
        last = agreement.last_handoff
        latest = Period.current(MONTH, last, agreement.zone) if last else None
        is_older = latest is not None and latest.first_day < periods[-1].first_day
        found.append(Row(agreement, months, latest if is_older else None))
    return found
