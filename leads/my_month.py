"""What counted for one person in one month: what sales promised, what of it was met and missed, and why. Reads only.

A handoff belongs to the month in which it began (rule N1), and to whoever its clock is counted for (rule N4): the same
rows that scorecards count by rep.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from agreements import terms
from agreements.business_time import BusinessTime
from agreements.calendars import closures_by_calendar
from agreements.models import Agreement, Version
from agreements.terms import Promise, Terms
from leads import clocks, explanations
from leads.models import SALES_KINDS, Clock, ExclusionRequest, Handoff
from leads.periods import Period
from leads.rules import RULES
from slaportal.models import User

STATES = {clocks.MISSED: "missed", clocks.OPEN: "open", clocks.MET: "met", clocks.EXCLUDED: "excluded"}


@dataclass(frozen=True)
class Item:
    """One handoff under one promise, and why it counts as it does. `request` is what was asked of RevOps last."""

    clock: Clock
    why: str
    rule: str
    anchor: str
    request: ExclusionRequest | None

    @property
    def handoff(self) -> Handoff:
        return self.clock.handoff

    @property
    def may_ask(self) -> bool:
        """Whether RevOps can be asked not to count it (rule N9)."""
        is_counted = self.clock.state in (clocks.MISSED, clocks.OPEN)
        return is_counted and (self.request is None or self.request.granted is False)


@dataclass
class Promised:
    """A promise of sales with everything that was counted for the person, newest first."""

    version: Version
    promise: Promise
    limit: str
    commitment_id: int
    missed: list[Item] = field(default_factory=list)
    open: list[Item] = field(default_factory=list)
    met: list[Item] = field(default_factory=list)
    excluded: list[Item] = field(default_factory=list)

    @property
    def judged(self) -> int:
        """How many have a verdict."""
        return len(self.met) + len(self.missed)

    @property
    def groups(self) -> list[tuple[str, list[Item]]]:
        """What is shown, in order: misses first."""
        return [(name, rows) for name in ("missed", "open", "met", "excluded") if (rows := getattr(self, name))]


class _Reading:
    """A version as it explains its clocks."""

    def __init__(self, version: Version, closures: dict) -> None:
        self.version = version
        self.agreed: Terms = terms.of(version)
        self.calendars: dict[str | None, BusinessTime] = self.agreed.business_times(closures)

    def item(self, clock: Clock, *, now: datetime, zone: ZoneInfo) -> Item:
        handoff = clock.handoff
        promise = self.agreed.promise(clock.commitment.code)
        why = explanations.why(clock, promise, self.calendars, handoff.holds.all(), now=now, zone=zone)
        sentence, anchor = RULES[clock.rule]
        asked = [one for one in handoff.exclusion_requests.all() if one.commitment_id == clock.commitment_id]
        return Item(clock, why, sentence, anchor, asked[-1] if asked else None)

    def promised(self, clock: Clock) -> Promised:
        promise = self.agreed.promise(clock.commitment.code)
        limit = explanations.limit_in_words(promise) if promise.limit_seconds is not None else ""
        return Promised(self.version, promise, limit, clock.commitment_id)


def of(user: User, month: Period, *, now: datetime, zone: ZoneInfo) -> list[Promised]:
    """Each promise of sales of which something was counted for the person in the month, in the order of the terms.

    A month is that of each agreement's zone; times in the sentences are in `zone`.
    """
    found = _counted(user, month).select_related("commitment", "handoff__lead")
    found = found.prefetch_related("handoff__holds", "handoff__exclusion_requests__decided_by")
    rows = list(found.order_by("-handoff__qualified_at", "-pk"))
    closures = closures_by_calendar()
    versions = Version.objects.filter(pk__in={row.handoff.version_id for row in rows}).select_related("agreement")
    readings: dict[int, _Reading] = {}
    for version in versions:
        with suppress(terms.Unreadable):  # the agreement's own page says so
            readings[version.pk] = _Reading(version, closures)
    promised: dict[int, Promised] = {}
    for row in rows:
        reading = readings.get(row.handoff.version_id)
        if reading is None:
            continue
        place = promised.setdefault(row.commitment_id, reading.promised(row))
        getattr(place, STATES[row.state]).append(reading.item(row, now=now, zone=zone))
    return sorted(
        promised.values(), key=lambda one: (str(one.version.agreement), one.version.number, one.promise.index)
    )


def in_words(promised: Iterable[Promised]) -> str:
    """“Met 31 of 34; 5 open”, over all promises."""
    rows = list(promised)
    met, judged = sum(len(one.met) for one in rows), sum(one.judged for one in rows)
    still = sum(len(one.open) for one in rows)
    said = _("Met %(met)s of %(judged)s") % {"met": met, "judged": judged} if judged else _("Nothing is decided yet")
    return "; ".join([said, *([_("%(count)s open") % {"count": still}] if still else [])])


def _counted(user: User, month: Period) -> QuerySet[Clock]:
    """The deciding clocks of sales' promises that are counted for the person, of handoffs that began in the month."""
    began = Q()
    for name in set(Agreement.objects.values_list("time_zone", flat=True)):
        zone = ZoneInfo(name)
        span = {"handoff__qualified_at__gte": month.start(zone), "handoff__qualified_at__lt": month.end(zone)}
        began |= Q(handoff__agreement__time_zone=name, **span)
    if not began:
        return Clock.objects.none()
    mine = Clock.objects.deciding().filter(began, charged_to__owner=user, commitment__kind__in=SALES_KINDS)
    # What was out of scope from the start says nothing about a person.
    return mine.exclude(rule="out_of_scope")
