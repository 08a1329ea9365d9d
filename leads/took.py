"""How long a clock took, as an address asks for it: “225-450” is more than 225 seconds and up to 450, “450-” is more
than 450, and “unstopped” is not stopped yet. Spans of scorecards (rule N5) and their lists are told apart by this.
"""

import re
from dataclasses import dataclass
from typing import Self

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils.translation import gettext

from leads.models import Clock
from slaportal.templatetags.display import duration

UNSTOPPED = "unstopped"
_SPAN = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)-(\d{1,12}(?:\.\d{1,9})?)?", re.ASCII)


@dataclass(frozen=True)
class Took:
    """Open below and closed above, but nought belongs to what begins with it. Without `low` the clock has not stopped,
    without `high` the span has no end. Seconds."""

    low: float | None = None
    high: float | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read it as addresses say it; `ValueError` for anything else."""
        if text == UNSTOPPED:
            return cls()
        if not (found := _SPAN.fullmatch(text)):
            raise ValueError(gettext("“%(text)s” is no span: write seconds, such as 225-450.") % {"text": text})
        low, high = found.groups()
        return cls(float(low), float(high) if high else None)

    @property
    def key(self) -> str:
        """As addresses say it."""
        if self.low is None:
            return UNSTOPPED
        return f"{_plain(self.low)}-{'' if self.high is None else _plain(self.high)}"

    @property
    def words(self) -> str:
        """As a person reads it."""
        if self.low is None:
            return gettext("not stopped")
        ends = {"low": duration(self.low), "high": duration(self.high)}
        if self.high is None:
            return gettext("took more than %(low)s") % ends
        if not self.low:
            return gettext("took up to %(high)s") % ends
        return gettext("took more than %(low)s, up to %(high)s") % ends

    @property
    def of_clocks(self) -> Q:
        """The clocks for which it is so; those that are excluded have no time (rule N5)."""
        timed = ~Q(state=Clock.State.EXCLUDED)
        if self.low is None:
            return timed & Q(stopped_at=None)
        timed &= Q(stopped_at__isnull=False)
        timed &= Q(elapsed_seconds__gt=self.low) if self.low else Q(elapsed_seconds__gte=0)
        return timed if self.high is None else timed & Q(elapsed_seconds__lte=self.high)


def _plain(seconds: float) -> str:
    """Without an exponent, and without noughts at its end."""
    return f"{seconds:.9f}".rstrip("0").rstrip(".")


class TookField(forms.CharField):
    """A span as it stands in addresses."""

    def clean(self, value: object) -> Took | None:
        text = super().clean(value)
        try:
            return Took.parse(text) if text else None
        except ValueError as problem:
            raise ValidationError(str(problem)) from problem
