"""Local days whose figures changed: what an evaluation leaves behind, so that only these days are counted again.

A row for each evaluation and day, written in its transaction and taken away by whoever counts the day after it. Nobody
updates a row or waits for one: two evaluations of one day leave two rows.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

import numpy as np
from django.db import models
from django.utils.translation import gettext_lazy as _

from agreements.models import Agreement, local_midnight


class TouchedDay(models.Model):
    """Handoffs that began on this local day of the agreement, or their clocks, changed after the day was counted."""

    agreement = models.ForeignKey(Agreement, models.CASCADE, related_name="+", db_index=False)
    day = models.DateField(help_text=_("In the agreement's zone."))

    class Meta:
        indexes = [
            # reports.tallies: what is to be counted, and which days of a period are not counted yet.
            models.Index(fields=["agreement", "day"], name="touched_day"),
        ]

    def __str__(self) -> str:
        return f"{self.agreement}, {self.day}"


def note(agreement: Agreement, moments: np.ndarray) -> None:
    """Note the local days on which these handoffs began (UTC moments), a row for each day (rules N1, T1)."""
    if len(moments):
        note_days(agreement, days_of(agreement, moments))


def note_days(agreement: Agreement, days: Iterable[date]) -> None:
    """Note these local days of the agreement."""
    TouchedDay.objects.bulk_create([TouchedDay(agreement=agreement, day=day) for day in days], batch_size=5000)


def days_of(agreement: Agreement, moments: np.ndarray) -> list[date]:
    """The local days in which these moments (UTC) lie, in order, each once."""
    first, last = (_local_day(agreement, moment) for moment in (moments.min(), moments.max()))
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    if len(days) == 1:
        return days
    starts = np.array([local_midnight(day, agreement.zone).replace(tzinfo=None) for day in days], "M8[us]")
    found = np.unique(np.searchsorted(starts, moments, side="right") - 1)
    return [days[place] for place in found.tolist()]


def _local_day(agreement: Agreement, moment: np.datetime64) -> date:
    return moment.astype(datetime).replace(tzinfo=UTC).astimezone(agreement.zone).date()
