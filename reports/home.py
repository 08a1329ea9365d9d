"""Where leaders, viewers and RevOps begin: every agreement at a glance, and what waits for the reader.

Read from the scorecards that are kept, so that it costs the same whatever lies behind them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from math import ceil
from zoneinfo import ZoneInfo

from django.db.models import Max, Prefetch
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from agreements.models import Agreement, Status, Version
from leads.periods import Period
from reports import glance, milestones, needs, volume
from reports.promises import Line, plain
from slaportal.models import User


@dataclass(frozen=True)
class Promise:
    """One promise in the running month; `pace` says how it stands against the part of the month that is over,
    and `pace_url` opens the handoffs that it counts."""

    line: Line
    pace: str
    tone: str
    pace_url: str = ""


@dataclass(frozen=True)
class Side:
    """What one party promised."""

    label: str
    promises: list[Promise]


@dataclass(frozen=True)
class Card:
    """One agreement: its running month, promise by promise, and its last month in short. `gone` is in percent."""

    row: glance.Row
    gone: int
    sides: list[Side]

    @property
    def now(self) -> glance.Month:
        return self.row.months[0]

    @property
    def last(self) -> glance.Month:
        return self.row.months[1]


@dataclass(frozen=True)
class Home:
    """The page: what waits for the reader, agreements with figures, and those that nobody has signed yet."""

    needs: list[needs.Need]
    cards: list[Card]
    unsigned: list[Agreement]


def of(user: User, *, now: datetime) -> Home:
    """The home of a person who looks at agreements as a whole."""
    proposed = Version.objects.filter(status=Status.PROPOSED).prefetch_related("signatures")
    agreements = (
        Agreement.objects.visible_to(user)
        .annotate(last_handoff=Max("handoffs__qualified_at"))
        .prefetch_related(
            Prefetch("versions", proposed, to_attr="proposed"),
            Prefetch("versions", Version.objects.agreed().defer("terms"), to_attr="signed"),
        )
    )
    rows = glance.rows(agreements, now=now)
    return Home(
        needs=list(needs.of(user, rows, now=now)),
        cards=[_card(row, now) for row in rows if row.months],
        unsigned=[row.agreement for row in rows if not row.months],
    )


def _card(row: glance.Row, now: datetime) -> Card:
    month, zone = row.months[0], row.agreement.zone
    gone = share_gone(month.period, zone, now)
    over = _over(row.agreement, month.period, now)
    sides = [Side(side.label, [_promise(line, over) for line in side.lines]) for side in month.sides]
    return Card(row, round(100 * gone), sides)


def share_gone(period: Period, zone: ZoneInfo, now: datetime) -> float:
    """How much of a period is over at `now`, from 0 to 1."""
    start, end = period.start(zone), period.end(zone)
    return min(max((now - start) / (end - start), 0.0), 1.0)


def _over(agreement: Agreement, period: Period, now: datetime) -> dict[int, Fraction]:
    """By number how much of each version's time in the period is over (P2). Reads `agreement.signed`."""
    start, end = period.start(agreement.zone), period.end(agreement.zone)
    spans = ((version.number, max(start, since), min(end, until))
             for version, since, until in volume.in_force(agreement.signed))  # fmt: skip
    return {number: milestones.passed(now, since, until) for number, since, until in spans if since < until}


def _promise(line: Line, over: Mapping[int, Fraction]) -> Promise:
    """A promise with its pace: volume against what an even pace would have brought, a share with what is undecided."""
    row = line.row
    if line.is_volume and row["expected"] is not None:
        # Leads are whole: 18.2 due are 19 (P2).
        due = ceil(Fraction(row["expected"]) * over.get(row["version"], Fraction(1)))
        pace = _("%(due)s due by now at an even pace") % {"due": plain(due)}
        tone = "ok-text" if row["met"] >= due else "warn-text"
        return Promise(line, pace, tone if row["kept"] is None else line.tone)
    open_ones = row["open"]
    pace = (
        ngettext("%(count)s still open", "%(count)s still open", open_ones) % {"count": open_ones} if open_ones else ""
    )
    url = next(number.url for number in line.numbers if number.name == "open")
    return Promise(line, pace, line.tone, url if open_ones else "")
