"""Everything that a handoff's page shows: the lead as it was handed over, the why of each clock, the time line. Reads
only; the handoff comes from `to_show`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from agreements import terms, wording
from agreements.calendars import closures_by_calendar
from agreements.catalogue import FIELDS
from agreements.models import Commitment
from agreements.terms import Promise, Terms
from leads import (
    clocks,
    disputes,
    explanations,
    ladder,
    owing,
    qualification,
    soon,
    strips,
    timekeeping,
    timeline,
    told,
    worklist,
)
from leads.models import SALES_KINDS, Answer, Attempt, Clock, Handoff, Hold
from leads.rules import RULES
from slaportal.models import Party, User

COPIED = ("source", "campaign", "segment", "score")


@dataclass(frozen=True)
class Fact:
    """One field of the lead: as it stood at the handoff, and what the source says now where that differs."""

    name: str
    label: str
    value: Any
    now: Any


@dataclass(frozen=True)
class Why:
    """One clock and why it says what it says."""

    clock: Clock
    about: str
    sentence: str
    closed: str
    rule: str
    anchor: str
    strip: strips.Strip | None
    steps: list[ladder.StepLine]
    answer: Answer | None

    @property
    def is_unanswered(self) -> bool:
        """Whether it was missed and nobody has said why."""
        return self.clock.state == clocks.MISSED and not self.answer

    @property
    def rule_name(self) -> str:
        """The anchor as people read it."""
        return self.anchor.replace("_", " ")


@dataclass(frozen=True)
class Promised:
    """One commitment with its clocks on this handoff, the one that decides first."""

    promise: Promise
    limit: str
    hours: str
    whys: list[Why]
    commitment: Commitment | None

    @property
    def is_unanswered(self) -> bool:
        """Whether one of its clocks was missed and nobody has said why."""
        return any(why.is_unanswered for why in self.whys)


@dataclass(frozen=True)
class Standing:
    """Where a handoff stands, as far as it decides what a reader can do."""

    is_held: bool = False
    is_missed: bool = False
    is_missed_by_marketing: bool = False
    is_excludable: bool = False
    is_asked: bool = False
    is_disputed: bool = False
    is_exclusion_asked: bool = False
    is_disputable: bool = False


@dataclass(frozen=True)
class Dossier:
    """A handoff's page. `timed` are the commitments with a time limit, `counted` the others; `ahead` is not yet."""

    facts: list[Fact]
    timed: list[Promised]
    counted: list[Promised]
    events: list[list[timeline.Event]]
    ahead: list[timeline.Event]
    earlier: list[Attempt]
    owed: owing.Owed | None
    held: Hold | None
    others: list[Handoff]
    stands: Standing


def to_show(handoffs: QuerySet[Handoff]) -> QuerySet[Handoff]:
    """Handoffs with every fact that the page reads."""
    return handoffs.select_related(
        "lead", "version__agreement", "agreement__sales_team", "agreement__marketing_team", "owner", "team"
    ).prefetch_related(
        "assignments__owner",
        "assignments__by",
        "assignments__team",
        "dispositions__reason",
        "dispositions__by",
        "dispositions__voided_by",
        "outcomes__by",
        "outcomes__voided_by",
        "holds__by",
        "holds__released_by",
        "disputes__opened_by",
        "disputes__answered_by",
        "clocks__commitment",
        "clocks__charged_to__owner",
        "exclusion_requests__commitment",
        "exclusion_requests__asked_by",
        "exclusion_requests__decided_by",
        "escalations__step__commitment",
        "answers__by",
        "answers__commitment",
        "version__commitments__steps",
    )


def of(handoff: Handoff, user: User, *, now: datetime, zone: ZoneInfo) -> Dossier:
    """The page of a handoff as `user` sees it at `now`, with times in `zone`."""
    agreed = terms.of(handoff.version)
    closures = closures_by_calendar()
    calendars = agreed.business_times(closures)
    attempts = timeline.attempts_of([handoff])[handoff.pk]
    is_late = timeline.lateness(agreed, calendars[agreed.calendar])
    events = timeline.events_of(handoff, attempts, is_late=is_late, now=now)
    _add_definition(events, handoff, agreed)
    told.attach(events, handoff)
    tries = [one for one in attempts if timeline.is_try(one) and one.at >= handoff.qualified_at and not is_late(one)]
    spans = [(held.started_at, held.ended_at) for held in handoff.holds.all()]
    holds = explanations.merged(spans, now=now)
    escalations = ladder.by_place(handoff.escalations.all(), timekeeping.steps_of(handoff.version, agreed))
    answers = {(answer.commitment_id, answer.subject): answer for answer in handoff.answers.all()}

    def why(clock: Clock, promise: Promise) -> Why:
        run = explanations.run_of(clock, promise, calendars, holds, now=now, zone=zone)
        sentence, anchor = RULES[clock.rule]
        frozen = agreed.calendars.get(promise.calendar)
        return Why(
            clock=clock,
            about=timeline.about(clock, handoff),
            sentence=explanations.sentence(run, explanations.limit_in_words(promise)) if run else "",
            closed=explanations.closed_days(frozen, closures.get(frozen["id"], ()), run) if run and frozen else "",
            rule=sentence,
            anchor=anchor,
            strip=strips.draw(run) if run else None,
            steps=ladder.lines(clock, promise, handoff, run, escalations.get(promise.index, {})),
            answer=answers.get((clock.commitment_id, clock.subject)),
        )

    commitments = {commitment.code: commitment for commitment in handoff.version.commitments.all()}
    by_code: dict[str, list[Clock]] = {}
    for clock in sorted(handoff.clocks.all(), key=lambda clock: (not clock.decides, clock.subject)):
        by_code.setdefault(clock.commitment.code, []).append(clock)
    promised = [
        Promised(
            promise,
            explanations.limit_in_words(promise) if promise.limit_seconds is not None else "",
            _hours(promise, agreed),
            [why(clock, promise) for clock in by_code.get(promise.code, ())],
            commitments.get(promise.code),
        )
        for promise in agreed.promises
    ]
    return Dossier(
        facts=_facts(handoff),
        timed=[each for each in promised if each.limit],
        counted=[each for each in promised if not each.limit],
        events=timeline.folded(event for event in events if not event.is_ahead),
        ahead=[event for event in events if event.is_ahead],
        earlier=[attempt for attempt in attempts if attempt.at < handoff.qualified_at and not attempt.voided_at],
        owed=owing.next_owed(
            _owed(handoff, now),
            len(tries),
            now=now,
            zone=zone,
            soon=soon.of(agreed, timekeeping.promises_of(handoff.version, agreed), closures, now=now),
            is_accepted=handoff.stage != Handoff.Stage.MQL,
        ),
        held=next((held for held in handoff.holds.all() if held.ended_at is None), None),
        others=list(Handoff.objects.visible_to(user).filter(lead=handoff.lead).exclude(pk=handoff.pk)),
        stands=_standing(handoff, promised),
    )


def _add_definition(events: Iterable[timeline.Event], handoff: Handoff, agreed: Terms) -> None:
    """Beside the handover, which criteria of the definition the lead met and failed, and what was missing."""
    met = [str(test) for test in qualification.definition(agreed) if str(test) not in handoff.failed_criteria]
    lists = ((_("Met"), met), (_("Failed"), handoff.failed_criteria), (_("Missing"), handoff.missing_fields))
    for event in events:
        if event.kind == "handoff":
            event.detail = "\n".join([event.detail, *(f"{word}: {'; '.join(named)}" for word, named in lists if named)])


def _standing(handoff: Handoff, promised: Iterable[Promised]) -> Standing:
    waiting = {dispute.party for dispute in handoff.disputes.all() if dispute.answered_at is None}
    requests = handoff.exclusion_requests.all()
    asked = {request.commitment_id for request in requests if request.granted is not False}
    counted = [clock for clock in handoff.clocks.all() if clock.decides and clock.commitment.kind in SALES_KINDS]
    missed = [one for one in promised if one.limit]
    return Standing(
        is_held=any(held.ended_at is None for held in handoff.holds.all()),
        is_missed=any(one.is_unanswered for one in missed if one.promise.kind.party != Party.MARKETING),
        is_missed_by_marketing=any(one.is_unanswered for one in missed if one.promise.kind.party == Party.MARKETING),
        is_excludable=any(
            clock.state in (clocks.MISSED, clocks.OPEN) and clock.commitment_id not in asked for clock in counted
        ),
        is_asked=Party.SALES in waiting,
        is_disputed=Party.MARKETING in waiting,
        is_exclusion_asked=any(request.decided_at is None for request in requests),
        is_disputable=Party.MARKETING not in waiting and disputes.disputable(handoff) is not None,
    )


def _owed(handoff: Handoff, now: datetime) -> list[Clock]:
    """The same clocks as `worklist.owed_clocks`, from what is loaded; of an ended handoff those that still run (C7)."""
    owed = [
        clock
        for clock in handoff.clocks.all()
        if clock.state in (clocks.OPEN, clocks.MISSED)
        and clock.commitment.kind in worklist.SALES_KINDS
        and clock.stopped_at is None
        and clock.due_at is not None
        and (not handoff.ended_at or (clock.state == clocks.OPEN and clock.due_at > now))
        and (not clock.subject or (clock.charged_to and clock.charged_to.owner_id == handoff.owner_id))
    ]
    return sorted(owed, key=lambda clock: (clock.due_at, clock.commitment_id, clock.pk))


def _hours(promise: Promise, agreed: Terms) -> str:
    """Which hours count for a limit."""
    if promise.limit_seconds is None:
        return ""
    if promise.calendar is None:
        return _("every hour counts")
    return f"{promise.calendar}: {wording.hours(agreed.calendars[promise.calendar])}"


def _facts(handoff: Handoff) -> list[Fact]:
    """What is known of the lead. What was copied shows as it stood; the rest as the source says now (rule A1)."""
    live = vars(handoff.lead)
    copied = {**handoff.snapshot, **{name: getattr(handoff, name) for name in COPIED}}
    names = [*FIELDS, *(f"attributes.{name}" for name in sorted(handoff.lead.attributes))]
    facts = []
    for name in [*names, *sorted(set(copied) - set(names))]:
        now = qualification.raw_value(live, name)
        value = copied.get(name, now)
        differs = value != now
        if value not in (None, "") or differs:
            label = FIELDS.get(name, name.removeprefix("attributes.")).replace("_", " ")
            facts.append(Fact(name, label[:1].upper() + label[1:], value, (now or _("nothing")) if differs else None))
    return facts
