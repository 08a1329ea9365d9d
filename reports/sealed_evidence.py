"""Links from the numbers of a sealed scorecard to the handoffs as they were sealed; an `Evidence` like any other."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from django.urls import reverse

from reports.evidence import BLANK, Evidence


@dataclass(frozen=True)
class AsKnown(Evidence):
    """Links to what the list of handoffs showed at a moment: what came of them by then (rule N12)."""

    at: datetime | None = None

    def url(self, **chosen: object) -> str:
        """The list of handoffs of the period that met the choices at the moment."""
        return super().url(**chosen, **({"known": self.at.isoformat()} if self.at else {}))


@dataclass(frozen=True)
class SealedEvidence(Evidence):
    """Makes the links of the seal with this number."""

    number: int = 1
    known_at: datetime | None = None

    def of_period(self, key: str) -> Evidence:
        """Another period is in no list of this seal, so its own is asked for what was known then."""
        return AsKnown(self.agreement_id, key, self.known_at)

    def url(self, **chosen: object) -> str:
        """The list of sealed handoffs that met the choices; leads without an agreement are in no seal."""
        if "unmatched" in chosen:
            return super().url(**chosen)
        given = {name: BLANK.get(name, "") if value is None else value for name, value in chosen.items()}
        place = reverse("sealed_handoffs", args=[self.agreement_id, self.key, self.number])
        return f"{place}?{urlencode(given)}" if given else place
