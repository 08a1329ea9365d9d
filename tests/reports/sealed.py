"""A month of the cast's agreement with facts of every sort, told by the verbs; what tests of sealing begin with."""

from datetime import UTC, datetime, timedelta

from agreements.models import Version
from leads import timekeeping, tracking
from leads.models import Handoff, ReasonCode
from leads.periods import parse
from leads.tracking import Decision, NewAttempt, NewOutcome
from reports import sealing
from reports.seals import Seal
from tests.conftest import MONDAY, make_commitment, receive

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MARCH = parse("2025-03")
# Five business days after the end of March, at closing time in Berlin.
CLOSED = datetime(2025, 4, 7, 15, 30, tzinfo=UTC)
SEALED = CLOSED + timedelta(minutes=15)
LATER = SEALED + 20 * DAY


def promise_more(draft: Version) -> Version:
    """Promises of every sort, so that whatever happens shows somewhere."""
    for kind in ("dispute_answer", "acceptance_rate", "disposition"):
        make_commitment(draft, kind)
    make_commitment(draft, "acceptance", start="assigned")
    return draft


def called(handoff: Handoff, at: datetime, *, now: datetime | None = None, **how) -> None:
    tracking.log_attempts([NewAttempt(lead=handoff.lead, at=at, **how)], by=handoff.owner, now=now or at)


def tell_march(ron, ruth) -> list[Handoff]:
    """Four handoffs: called and won; called too late; rejected; never touched until April."""
    handoffs = receive("L1", "L2", owner=ron.email) + receive("L3", "L4", owner=ruth.email, source="Webinar")
    for handoff in handoffs:
        handoff.refresh_from_db()
    first, second, third, _ = handoffs
    called(first, MONDAY + HOUR)
    called(second, MONDAY + 30 * HOUR)
    tracking.dispose([Decision(first, "accepted")], by=ron, now=MONDAY + 2 * HOUR)
    tracking.dispose(
        [Decision(third, "rejected", ReasonCode.objects.get(code="not_target"))], by=ruth, now=MONDAY + DAY
    )
    won = NewOutcome(first, "opportunity", at=MONDAY + 9 * DAY, amount=1200)
    tracking.record_outcomes([won], by=None, now=MONDAY + 9 * DAY, from_system=True)
    timekeeping.tick(now=SEALED - HOUR)
    return handoffs


def seal_march(*, now: datetime = SEALED) -> Seal:
    """Seal what is due; the seal of March."""
    sealing.seal_due(now=now)
    return Seal.objects.get(key="2025-03", number=1)
