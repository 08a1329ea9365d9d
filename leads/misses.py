"""Why a promise was missed, in words that a manager can act on: who had it, with how much, and what was tried. Reads
only; what is here is derived, and says nothing of blame.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from leads import owing, timeline
from leads.models import Assignment, Attempt, Clock
from leads.rules import RULES
from slaportal.models import Absence
from slaportal.templatetags.display import duration

# Of these the answer is contact; of the others a decision.
CONTACT = ("first_response", "first_touch", "contact_after_acceptance", "attempts")
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Circumstances:
    """What stood around a clock when its allowance was used up."""

    owner: str = ""
    team: str = ""
    load: int = 0
    most: int | None = None
    is_away: bool = False
    was_held: bool = False
    tries: Sequence[Attempt] = field(default_factory=tuple)


@dataclass(frozen=True)
class Miss:
    """A clock that missed, and why: the facts in short, and the rule that decided."""

    clock: Clock
    facts: list[str]
    is_answered: bool

    @property
    def rule(self) -> tuple[str, str]:
        """The rule's sentence and its name in the rules."""
        return RULES[self.clock.rule]

    @property
    def owner(self) -> str:
        """Whom it counts for (rule N4)."""
        return str(self.clock.charged_to.owner or "") if self.clock.charged_to else ""


def explained(clocks: Sequence[Clock], *, attempts: Mapping[int, Sequence[Attempt]]) -> list[Miss]:
    """Missed clocks with their facts; the clocks come with handoff, lead, holds and whom they are charged to.

    How many questions are asked does not depend on how many clocks there are.
    """
    if not clocks:
        return []
    unanswered = set(Clock.objects.unanswered().filter(pk__in=[one.pk for one in clocks]).values_list("pk", flat=True))
    owners = {one.charged_to.owner_id for one in clocks if one.charged_to} - {None}
    loads, away = _Loads(owners, min(one.due_at for one in clocks)), _absences(clocks, owners)
    found = []
    for clock in clocks:
        owner = clock.charged_to.owner if clock.charged_to else None
        tries = [
            one
            for one in attempts.get(clock.handoff_id, ())
            if timeline.is_try(one) and (clock.started_at or clock.handoff.qualified_at) <= one.at <= clock.due_at
        ]
        around = Circumstances(
            owner=str(owner) if owner else "",
            team=str(clock.handoff.team or ""),
            load=loads.at(owner.pk, clock.due_at) if owner else 0,
            most=owner.most_open if owner else None,
            is_away=bool(owner) and _is_away(away[owner.pk], clock.due_at, ZoneInfo(owner.time_zone)),
            was_held=_was_held(clock),
            tries=tries,
        )
        found.append(Miss(clock, in_words(clock, around), clock.pk not in unanswered))
    return found


def in_words(clock: Clock, around: Circumstances) -> list[str]:
    """“nobody called”, “Ron had 12 open”, “it came 25 min later”: what is known, the telling first."""
    said = [_done(clock, around.tries)]
    if not around.owner:
        said.append(_("it waited in the queue of %(team)s") % {"team": around.team} if around.team
                    else _("nobody owned it"))  # fmt: skip
    else:
        if around.is_away:
            said.append(_("%(person)s was away") % {"person": around.owner})
        cap = _(" (cap %(number)s)") % {"number": around.most} if around.most is not None else ""
        said.append(_("%(person)s had %(number)s open%(cap)s")
                    % {"person": around.owner, "number": around.load, "cap": cap})  # fmt: skip
    if around.was_held:
        said.append(_("it was on hold for a while"))
    if clock.stopped_at and clock.stopped_at > clock.due_at:
        said.append(_("it came %(span)s later") % {"span": duration(clock.stopped_at - clock.due_at)})
    return said


def tried(tries: Sequence[Attempt], *, now: datetime, zone: ZoneInfo) -> str:
    """“2 attempts, the last: no answer, 9:14”."""
    if not tries:
        return _("no attempt yet")
    return f"{_counted(tries)}, {owing.in_short(tries[-1].at, now=now, zone=zone)}"


def _counted(tries: Sequence[Attempt]) -> str:
    count = ngettext("%(number)s attempt", "%(number)s attempts", len(tries)) % {"number": len(tries)}
    return _("%(count)s, the last: %(outcome)s") % {
        "count": count,
        "outcome": tries[-1].get_outcome_display().lower(),
    }


def _done(clock: Clock, tries: Sequence[Attempt]) -> str:
    """What had been done by then."""
    kind = clock.commitment.kind
    if kind == "attempts":
        return _("%(number)s of %(wanted)s attempts") % {"number": len(tries), "wanted": clock.commitment.attempts}
    if not tries:
        return _("nobody called") if kind in CONTACT else _("nobody called, nobody decided")
    last = _counted(tries)
    return last if kind in CONTACT else _("%(tried)s; nobody decided") % {"tried": last}


class _Loads:
    """How many handoffs somebody had open at a moment, from the assignments of whatever was open since `since`."""

    def __init__(self, owners: Collection[int], since: datetime) -> None:
        self._spans: dict[int, list[tuple[datetime, datetime | None]]] = defaultdict(list)
        rows = Assignment.objects.filter(
            Q(handoff__ended_at=None) | Q(handoff__ended_at__gte=since),
            handoff__in=Assignment.objects.filter(owner__in=owners).values("handoff"),
        )
        by_handoff: dict[int, list[tuple]] = defaultdict(list)
        for handoff, owner, at, ended in rows.order_by("at", "pk").values_list(
            "handoff", "owner", "at", "handoff__ended_at"
        ):
            by_handoff[handoff].append((owner, at, ended))
        for turns in by_handoff.values():
            ends = [at for _, at, _ in turns[1:]]
            for (owner, at, ended), until in zip(turns, [*ends, None], strict=True):
                stop = min(filter(None, (until, ended)), default=None)
                self._spans[owner].append((at, stop))

    def at(self, owner: int, moment: datetime) -> int:
        return sum(begin <= moment and (end is None or end > moment) for begin, end in self._spans[owner])


def _absences(clocks: Iterable[Clock], owners: Collection[int]) -> dict[int, list[Absence]]:
    days = [clock.due_at.astimezone(UTC).date() for clock in clocks]
    near = Absence.objects.filter(person__in=owners, first_day__lte=max(days) + DAY, last_day__gte=min(days) - DAY)
    found: dict[int, list[Absence]] = defaultdict(list)
    for absence in near:
        found[absence.person_id].append(absence)
    return found


def _is_away(absences: Iterable[Absence], moment: datetime, zone: ZoneInfo) -> bool:
    day = moment.astimezone(zone).date()
    return any(absence.first_day <= day <= absence.last_day for absence in absences)


def _was_held(clock: Clock) -> bool:
    return clock.started_at is not None and any(
        hold.started_at < clock.due_at and (hold.ended_at is None or hold.ended_at > clock.started_at)
        for hold in clock.handoff.holds.all()
    )
