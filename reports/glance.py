"""The list of scorecards: each agreement's running and last month in a few figures."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from agreements.models import Agreement
from leads.periods import MONTH, Period
from reports import promises, scorecards
from reports.evidence import Evidence
from reports.models import Scorecard
from reports.refresh import measured
from reports.sealed_evidence import SealedEvidence
from reports.seals import Seal


@dataclass(frozen=True)
class Month:
    """One month of one agreement as it stands, sealed where it is sealed; `url` opens its handoffs.

    `unanswered` are its promises with misses of which nobody has said why by now, whatever was sealed.
    """

    period: Period
    handoffs: int
    sides: list[promises.Side]
    url: str
    unanswered: list[promises.Line]


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
    keys = {period.key for periods in asked.values() for period in periods}
    seals = Seal.objects.filter(agreement__in=asked, key__in=keys).figures().order_by("number")
    sealed = {(seal.agreement_id, seal.key): seal for seal in seals}  # of each month the last one stands
    found = []
    for agreement, periods in asked.items():
        months = []
        for period in periods:
            known = (agreement.pk, period.start(agreement.zone), period.end(agreement.zone))
            card = stored.get(known) or scorecards.store(agreement, period, now=now)
            months.append(_month(agreement, period, card, sealed.get((agreement.pk, period.key))))
        last = agreement.last_handoff
        latest = Period.current(MONTH, last, agreement.zone) if last else None
        is_older = latest is not None and latest.first_day < periods[-1].first_day
        found.append(Row(agreement, months, latest if is_older else None))
    return found


def _month(agreement: Agreement, period: Period, card: Scorecard, seal: Seal | None) -> Month:
    live = promises.lines(card.data, Evidence(agreement.pk, period.key))
    data, lines, evidence = card.data, live, Evidence(agreement.pk, period.key)
    if seal:
        data, evidence = seal.data, SealedEvidence(agreement.pk, period.key, seal.number, seal.known_at)
        lines = promises.lines(data, evidence)
    unanswered = [line for line in live if line.unanswered.count]
    return Month(period, data["handoffs"], promises.sides(lines), evidence.url(), unanswered)
