"""Keeps the stored scorecards fresh: those of recent periods at every run, all others in turn."""

from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, Q, QuerySet

from agreements.models import Agreement, Version
from leads.models import Handoff
from leads.periods import MONTH, Period, parse
from reports import scorecards
from reports.models import Scorecard

# Months that a page's trend shows. The two newest are computed at every run, the older ones once and then in turn.
MONTHS = 6
LIVE_MONTHS = 2
# A period that ended so recently still changes by itself: clocks run out, late facts and imports arrive.
SETTLING = timedelta(days=45)
# A late fact can reach any period, so those computed longest ago are computed again too: so many at each run.
IN_TURN = 20


def refresh(*, now: datetime) -> int:
    """Compute and store what may have changed; running it twice changes nothing. Returns how many were computed."""
    agreements = {agreement.pk: agreement for agreement in measured()}
    kept = Scorecard.objects.filter(agreement__in=agreements).order_by("computed_at")
    rows = list(kept.values_list("agreement", "data__period__key", "end"))
    known = {(pk, key) for pk, key, _ in rows}
    due = {
        (agreement.pk, month.key)
        for agreement in agreements.values()
        for age, month in enumerate(recent_months(agreement, now))
        if age < LIVE_MONTHS or (agreement.pk, month.key) not in known
    }
    due |= {(pk, key) for pk, key, end in rows if end > now - SETTLING}
    due |= set([(pk, key) for pk, key, end in rows if end <= now - SETTLING][:IN_TURN])
    for pk, key in sorted(due):
        scorecards.store(agreements[pk], parse(key), now=now)
    return len(due)


def measured() -> QuerySet[Agreement]:
    """Agreements with something to measure: a version that both signed, or handoffs."""
    agreed = Version.objects.agreed().filter(agreement=OuterRef("pk"))
    handoffs = Handoff.objects.filter(agreement=OuterRef("pk"))
    return Agreement.objects.filter(Q(Exists(agreed)) | Q(Exists(handoffs)))


def recent_months(agreement: Agreement, now: datetime) -> list[Period]:
    """The running month and those before it that a trend shows, newest first."""
    months = [Period.current(MONTH, now, agreement.zone)]
    while len(months) < MONTHS:
        months.append(months[-1].previous)
    return months
