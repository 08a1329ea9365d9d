"""Milestones of a month: when a step of a promise without a time limit comes, and whether that is behind by then. Pure.

Rules P1 to P3 of docs/numbers.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from functools import lru_cache
from math import ceil
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from agreements.business_time import BusinessTime
from agreements.terms import Promise
from leads.periods import Period
from slaportal import formats
from slaportal.templatetags.display import NO_DATA, percent

_MICROSECOND, _NOTHING = timedelta(microseconds=1), timedelta(0)


@dataclass(frozen=True)
class Standing:
    """Where a promise stands: what it has reached of what, at which milestone, whether it is behind, and what tells so.

    `reached` is such as “18 of 50”, `when` “after 60 % of the month”.
    """

    reached: str
    when: str
    is_behind: bool
    why: str

    @property
    def figures(self) -> str:
        """In one line."""
        return f"{self.reached} {self.when}"


# Every agreement of a zone asks for the same few, and each watch again.
@lru_cache(maxsize=1024)
def milestone(month: Period, zone: ZoneInfo, share: Fraction) -> datetime:
    """The moment at which this share of the month is over; all of it at the first moment of the next (P1)."""
    start = month.start(zone)
    return start + timedelta(microseconds=int((month.end(zone) - start) // _MICROSECOND * share))


def opening(moment: datetime, calendar: BusinessTime) -> datetime | None:
    """The moment itself while the calendar is open, else when it opens next; None where it never does again (P1)."""
    try:
        return calendar.deadline(moment, _NOTHING)
    except ValueError:
        return None


def passed(moment: datetime, since: datetime, until: datetime) -> Fraction:
    """How much of a span is over at a moment."""
    over = min(max(moment, since), until) - since
    return Fraction(over // _MICROSECOND, (until - since) // _MICROSECOND)


def standing(
    promise: Promise, row: Mapping[str, Any], *, owed: Fraction | None, share: Fraction, over: Fraction, minimum: int
) -> Standing:
    """Whether a promise is behind, from its row of the scorecard (P2, P3).

    `owed` is what volume owes for the whole month, `over` how much of its time is over; `minimum` the least group.
    """
    when = _("in the whole month") if share == 1 else _("after %(share)s of the month") % {"share": percent(share)}
    if promise.is_share:
        reached, is_behind, why = _share(promise, row, minimum)
    else:
        reached, is_behind, why = _volume(row["met"], owed, over)
    return Standing(reached, when, is_behind, why)


def plain(number: Fraction | float) -> str:
    """A number of leads: whole where it is whole, else with one digit."""
    return formats.number(round(float(number), 1), 1)


def _volume(delivered: int, owed: Fraction | None, over: Fraction) -> tuple[str, bool, str]:
    if owed is None:
        return formats.number(delivered), False, _("no target is agreed")
    # Leads are whole: 18 are less than 18.2 exactly when they are less than 19.
    due = ceil(owed * over)
    is_behind = delivered < due
    if over == 1:
        why = _("missed, %(due)s were due") if is_behind else _("kept, %(due)s were due")
    else:
        why = _("behind pace, %(due)s were due by then") if is_behind else _("on pace, %(due)s were due by then")
    reached = _("%(delivered)s of %(owed)s") % {"delivered": formats.number(delivered), "owed": plain(owed)}
    return reached, is_behind, why % {"due": formats.number(due)}


def _share(promise: Promise, row: Mapping[str, Any], minimum: int) -> tuple[str, bool, str]:
    judged = row["met"] + row["missed"]
    if not judged:
        return str(NO_DATA), False, str(NO_DATA)
    counts = _("%(met)s of %(judged)s") % {"met": formats.number(row["met"]), "judged": formats.number(judged)}
    reached = f"{percent(row['attainment'], promise.target)} ({counts})"
    if promise.target is None:
        return reached, False, _("no target is agreed")
    reached = _("%(reached)s against %(target)s") % {"reached": reached, "target": percent(promise.target)}
    if judged < minimum:
        why = _("too few, %(judged)s with a verdict where %(least)s are the least")
        return reached, False, why % {"judged": formats.number(judged), "least": formats.number(minimum)}
    is_behind = row["kept"] is False
    return reached, is_behind, _("below target") if is_behind else _("on target")
