"""What is asked of whoever gives a handoff back: how many attempts a reason needs and how many are missing, and which
criterion of the signed definition failed. Reads only.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from agreements import terms, wording
from agreements.calendars import closures_by_calendar
from agreements.catalogue import Operator
from agreements.terms import Terms, Test
from leads import qualification, timeline
from leads.desk import values_of
from leads.models import Handoff, ReasonCode

LONGEST = 300


@dataclass(frozen=True)
class Asked:
    """One criterion of the definition, and what the lead has there."""

    criterion: str
    theirs: str
    is_met: bool

    @property
    def text(self) -> str:
        """What is kept: “Company size is at least 200 (theirs: 35)”."""
        theirs = f" ({_('theirs')}: {self.theirs})"
        return self.criterion[: LONGEST - len(theirs)] + theirs[:LONGEST]


def definition(handoff: Handoff) -> list[Asked]:
    """What the signed definition asks, those that the lead fails first: threshold, criteria, required fields."""
    agreed, values = terms.of(handoff.version), values_of(handoff)
    tests = qualification.definition(agreed)
    asked = {test.field for test in tests if test.operator == Operator.FILLED}
    tests += [Test(name, Operator.FILLED, ()) for name in agreed.required_fields if name not in asked]
    found = [_asked(test, values) for test in tests]
    return sorted(found, key=lambda one: one.is_met)


def _asked(test: Test, values: dict) -> Asked:
    words, value = wording.criterion(test), qualification.raw_value(values, test.field)
    theirs = _("nothing") if value in (None, "") else " ".join(str(value).split())[:120]
    return Asked(words[:1].upper() + words[1:], theirs, qualification.meets(test, values))


@dataclass(frozen=True)
class Needs:
    """How many attempts a reason needs here, and how many are missing."""

    needed: int
    missing: int

    def __str__(self) -> str:
        needs = ngettext("needs %d attempt", "needs %d attempts", self.needed) % self.needed
        if not self.missing:
            return needs
        return needs + ", " + ngettext("%d is missing", "%d are missing", self.missing) % self.missing


def needs(handoff: Handoff, reasons: Iterable[ReasonCode], *, now: datetime) -> dict[int, Needs]:
    """Of the reasons that need attempts, by id. Counted as the promise `attempts_before_giving_up` counts; the number
    that it names wins.
    """
    needing = [reason for reason in reasons if reason.needs_attempts]
    if not needing:
        return {}
    agreed = terms.of(handoff.version)
    made = len(counted(handoff, agreed, now=now))
    named = _named(handoff, agreed)
    return {
        reason.pk: Needs(needed, max(needed - made, 0))
        for reason in needing
        for needed in [named or reason.needs_attempts]
    }


def counted(handoff: Handoff, agreed: Terms, *, now: datetime) -> Sequence[object]:
    """The attempts that count before giving up: outbound, by people, since the handoff began, not entered late."""
    is_late = timeline.lateness(agreed, agreed.business_times(closures_by_calendar())[agreed.calendar])
    attempts = timeline.attempts_of([handoff])[handoff.pk]
    return [
        one for one in attempts if timeline.is_try(one) and handoff.qualified_at <= one.at <= now and not is_late(one)
    ]


def _named(handoff: Handoff, agreed: Terms) -> int | None:
    """The number of attempts that a promise which covers the handoff names."""
    promises = (one for one in agreed.promises if one.kind.code == "attempts_before_giving_up")
    return next((one.attempts for one in promises if one.attempts and handoff.in_scope >> one.index & 1), None)
