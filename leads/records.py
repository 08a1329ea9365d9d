"""Records: leads and attempts as another system knows them, in our words. Pure; `leads.mapping` makes them of a file.

Times are UTC. `leads.intake` takes the leads in, `leads.tracking` the attempts.
"""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal, NamedTuple

Channel = Literal["call", "email", "message", "meeting", "note", "other"]
Direction = Literal["outbound", "inbound"]
AttemptOutcome = Literal["connected", "replied", "no_answer", "voicemail", "busy", "sent", "invalid", "other"]
Verdict = Literal["accepted", "recycled", "rejected"]
OutcomeKind = Literal["meeting", "opportunity", "won", "lost"]

LONGEST = {
    **dict.fromkeys(("source_system", "phone", "seniority", "country"), 60),
    **dict.fromkeys(("external_id", "lead_external_id", "contact_id", "industry", "source", "segment", "owner"), 120),
    **dict.fromkeys(("name", "company", "title", "campaign"), 200),
    "email": 254,
}
"""Characters that a text of this name may have."""
LONGEST_ATTRIBUTE = 2_000
"""Characters that any of a lead's free attributes may have."""


class DispositionRecord(NamedTuple):
    """What sales said, the reason code (or blank), and when."""

    verdict: Verdict
    reason: str
    at: datetime


class OutcomeRecord(NamedTuple):
    """What came of it, when, and the amount if one is known."""

    kind: OutcomeKind
    at: datetime
    amount: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadRecord:
    """One lead; blank text means unknown. Equal whatever its line.

    `notes` say what the mapping had to decide about this row; they are few different sentences, to be counted.
    """

    line: int = field(default=0, compare=False)
    source_system: str
    external_id: str
    received_at: datetime
    engaged_at: datetime | None = None
    contact_id: str = ""
    name: str = ""
    email: str = ""
    phone: str = ""
    company: str = ""
    title: str = ""
    seniority: str = ""
    company_size: int | None = None
    industry: str = ""
    country: str = ""
    score: int | None = None
    source: str = ""
    campaign: str = ""
    segment: str = ""
    handed_over: bool = False
    owner: str = ""
    attributes: dict[str, str] = field(default_factory=dict)
    dispositions: tuple[DispositionRecord, ...] = ()
    outcomes: tuple[OutcomeRecord, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRecord:
    """One try at contact; it names its lead or, by contact id or e-mail, only the person. Equal whatever its line."""

    line: int = field(default=0, compare=False)
    source_system: str
    external_id: str
    at: datetime
    channel: Channel
    direction: Direction
    outcome: AttemptOutcome
    lead_external_id: str = ""
    contact_id: str = ""
    email: str = ""
    automated: bool = False
    owner: str = ""


Record = LeadRecord | AttemptRecord
