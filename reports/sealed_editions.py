"""Which figures stand for a period: those that were sealed, never the live ones, once it is sealed.

For the pages of scorecards: `standing` instead of `editions.live` wherever the figures of a period are shown or drawn;
`notice` is what `templates/reports/_sealed.html` says of them below the heading (None for what is not sealed).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from agreements.models import Agreement, AgreementEvent
from leads.periods import MONTH, Period
from reports import editions, scorecards, sealing
from reports.evidence import Number
from reports.rendering import Edition
from reports.sealed_evidence import SealedEvidence
from reports.seals import Seal
from reports.since_sealed import Change
from slaportal.models import User


@dataclass(frozen=True)
class OpenClocks:
    """Handoffs whose promise was not decided when the month was sealed, with their list."""

    title: str
    number: Number


@dataclass(frozen=True)
class Notice:
    """What a page says of a seal: since when, by whom and why; what was open then; and what would read otherwise."""

    seal: Seal
    event: AgreementEvent | None
    open: Sequence[OpenClocks]
    changes: Sequence[Change]
    others: int  # seals of the same month besides this one
    may_restate: bool


def standing(agreement: Agreement, period: Period, *, now: datetime) -> Edition:
    """The sealed figures of a period, or the live ones while it is not sealed."""
    seal = None
    if period.unit == MONTH and period.end(agreement.zone) <= now:
        # What it reads is fetched only where something has to be drawn.
        seal = Seal.objects.of(agreement, period).defer("states", "text").last()
    if seal:
        seal.agreement = agreement
    edition = of(seal) if seal else editions.live(agreement, period, now=now)
    return replace(edition, read_earlier=lambda: earlier(agreement, period))


def earlier(agreement: Agreement, period: Period) -> list[Mapping[str, Any] | None]:
    """Figures of the periods before this one, oldest first, as they were sealed where they were: what a trend shows."""
    found = editions.earlier(agreement, period)
    if period.unit != MONTH:
        return found
    before = [period.previous]
    while len(before) < len(found):
        before.insert(0, before[0].previous)
    keys = [month.key for month in before]
    rows = Seal.objects.filter(agreement=agreement, key__in=keys).defer("states").order_by("key", "number")
    sealed = {seal.key: seal.data for seal in rows}  # of each month the last one
    return [sealed.get(key, live) for key, live in zip(keys, found, strict=True)]


def of(seal: Seal, *, is_kept: bool = True) -> Edition:
    """A seal as it is shown like every scorecard. Drawings of one that no longer stands are not kept."""
    agreement, period = seal.agreement, seal.period
    return Edition(
        agreement=agreement,
        period=period,
        name=f"seal {seal.pk} {seal.digest}" if is_kept else "",
        computed_at=seal.sealed_at,
        evidence=SealedEvidence(agreement.pk, seal.key, seal.number, seal.known_at),
        read=lambda: seal.data,
        read_earlier=lambda: earlier(agreement, period),
        is_sealed=True,
    )


def notice(agreement: Agreement, period: Period, *, user: User, now: datetime) -> Notice | None:
    """What is to be said of the period's seal, held against the live scorecard; None while there is none."""
    seal = sealing.latest(agreement, period)
    if seal is None:
        return None
    live = scorecards.kept_or_computed(agreement, period, now=now).data
    return told(seal, changes=sealing.would_now_read(seal, live), user=user)


def told(seal: Seal, *, changes: Sequence[Change] = (), user: User) -> Notice:
    """The same of one seal, whatever has come since."""
    evidence = SealedEvidence(seal.agreement_id, seal.key, seal.number, seal.known_at)
    waiting = [
        OpenClocks(row["title"], Number("open", row["open"], evidence.url(commitment=row["pk"], state="open")))
        for row in seal.data["commitments"]
        if row["open"]
    ]
    return Notice(
        seal=seal,
        event=seal.event,
        open=waiting,
        changes=changes,
        others=Seal.objects.of(seal.agreement, seal.period).exclude(pk=seal.pk).count(),
        may_restate=user.has_perm("reports.restate_scorecard"),
    )
