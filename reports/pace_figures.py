"""Where promises without a time limit stand in a month: the figures of their scorecard, and nothing counted anew."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from fractions import Fraction
from typing import Any

from django.utils.translation import gettext as _

from agreements import terms
from agreements.models import Agreement, Commitment, Version
from leads.periods import Period
from reports import milestones, scorecards, volume
from reports.milestones import Standing
from reports.models import RecoveryPlan

# A version with the half-open span in which it is in force (rule A2).
Span = tuple[Version, datetime, datetime]


class Figures:
    """Figures of several promises at one moment; the scorecard of a month is computed once."""

    def __init__(self, *, now: datetime) -> None:
        self._now = now
        self._cards: dict[tuple[int, str], Mapping[int, Mapping[str, Any]]] = {}

    def standing(self, commitment: Commitment, span: Span, month: Period, share: Fraction) -> Standing:
        """How the promise stands, measured by what it owes once this share of the month is over (P2, P3)."""
        version, since, until = span
        zone, agreed = version.agreement.zone, terms.of(version)
        promise = agreed.promise(commitment.code)
        moment = milestones.milestone(month, zone, share)
        return milestones.standing(
            promise,
            self._row(version.agreement, month, commitment.pk),
            owed=volume.expected(promise, volume.days_in_force(month, zone, since, until)),
            share=share,
            over=milestones.passed(moment, max(month.start(zone), since), min(month.end(zone), until)),
            minimum=agreed.minimum_group,
        )

    def _row(self, agreement: Agreement, month: Period, commitment_id: int) -> Mapping[str, Any]:
        key = agreement.pk, month.key
        if key not in self._cards:
            card = scorecards.compute(agreement, month, now=self._now, by=(), sections=False)
            self._cards[key] = {row["pk"]: row for row in card["commitments"]}
        return self._cards[key][commitment_id]


def at_present(plan: RecoveryPlan, *, now: datetime) -> Standing:
    """How the promise of a plan stands by now, measured by the whole month."""
    version = plan.commitment.version
    span, month = spans([version.agreement_id])[version.pk], plan.period
    standing = Figures(now=now).standing(plan.commitment, span, month, Fraction(1))
    return replace(standing, when=_("so far")) if now < month.end(version.agreement.zone) else standing


def spans(agreements: Iterable[int], *, with_terms: bool = True) -> dict[int, Span]:
    """By its id each agreed version of these agreements, with the span in which it is in force."""
    agreed = Version.objects.agreed().filter(agreement__in=set(agreements)).select_related("agreement")
    by_agreement: dict[int, list[Version]] = {}
    # Terms are long, and most looks find nothing that is due.
    for version in agreed if with_terms else agreed.defer("terms"):
        by_agreement.setdefault(version.agreement_id, []).append(version)
    return {span[0].pk: span for versions in by_agreement.values() for span in volume.in_force(versions)}
