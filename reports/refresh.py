"""Keeps tallies and scorecards fresh: touched days and recent periods at every run, all other periods in turn."""

from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, Q, QuerySet

from agreements.models import Agreement, Version
from leads.models import Handoff
from leads.periods import MONTH, Period, parse
from reports import scorecards, tallies
from reports.models import Scorecard

# Months that a page's trend shows. The two newest are computed at every run, the older ones once and then in turn.
MONTHS = 6
LIVE_MONTHS = 2
# A period that ended so recently still changes by itself: clocks run out, late facts and imports arrive.
SETTLING = timedelta(days=45)
# What touches no day may still change a period (answers, unmatched leads), so those computed longest ago are computed
# again too: so many at each run.
IN_TURN = 20


def refresh(*, now: datetime) -> int:
    """Count touched days, then compute and store what may have changed; running it twice changes nothing.

    Returns how many scorecards were computed.
    """
    agreements = {agreement.pk: agreement for agreement in measured()}
    for agreement in agreements.values():
        tallies.refresh(agreement)
    kept = Scorecard.objects.filter(agreement__in=agreements).order_by("computed_at")
    rows = list(kept.values_list("agreement", "data__period__key", "end", "is_stale"))
    known = {(pk, key) for pk, key, _, _ in rows}
    due = {
        (agreement.pk, month.key)
        for agreement in agreements.values()
        for age, month in enumerate(recent_months(agreement, now))
        if age < LIVE_MONTHS or (agreement.pk, month.key) not in known
    }
    due |= {(pk, key) for pk, key, end, is_stale in rows if is_stale or end > now - SETTLING}
    due |= set([(pk, key) for pk, key, _, _ in rows if (pk, key) not in due][:IN_TURN])
    for pk, key in sorted(due):
        scorecards.store(agreements[pk], parse(key), now=now)
    return len(due)


def recount() -> int:
    """Count every day of every agreement again, whatever has touched it. Returns how many days."""
    count = 0
    for agreement in measured():
        tallies.touch_all(agreement)
        while done := tallies.refresh(agreement):
            count += len(done)
    return count


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
