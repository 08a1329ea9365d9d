"""The time line of a handoff: everything that happened to it and what each clock made of it, in order. Reads only."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce
from itertools import groupby
from operator import or_
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agreements.business_time import BusinessTime
from agreements.terms import Terms
from leads import clocks, ladder
from leads.models import (
    Answer,
    Attempt,
    Channel,
    Clock,
    Direction,
    Disposition,
    Dispute,
    Escalation,
    ExclusionRequest,
    Handoff,
    Outcome,
    Voidable,
)
from slaportal import formats
from slaportal.models import Party, User
from slaportal.templatetags.display import duration

# Runs of so many attempts that changed nothing are folded.
FOLDED_FROM = 4
EVIDENCE_ONLY = (gettext_lazy("entered late, evidence only"), "A4")


@dataclass
class Event:
    """One thing that happened. `tone` is its class, `fact` the row behind it, `undo` the name of the address that
    takes it back. `marks` say how it counts, as (words, rule); `starts` which clocks it started, `clocks` what it did
    to others, as (tone, words); `told` who was told of it, with how it reached them (`leads.told`).
    """

    at: datetime
    icon: str
    text: str
    by: User | None = None
    detail: str = ""
    tone: str = ""
    fact: Any = None
    marks: list[tuple[str, str]] = field(default_factory=list)
    starts: list[str] = field(default_factory=list)
    clocks: list[tuple[str, str]] = field(default_factory=list)
    is_ahead: bool = False
    undo: str = ""
    told: list[tuple[str, list[str]]] = field(default_factory=list)

    @property
    def is_voided(self) -> bool:
        return isinstance(self.fact, Voidable) and self.fact.voided_at is not None

    @property
    def is_plain(self) -> bool:
        """An attempt that counts, and changed nothing."""
        return self.kind == "attempt" and not (
            self.is_voided or self.clocks or self.starts or EVIDENCE_ONLY in self.marks
        )

    @property
    def kind(self) -> str:
        """The name of the fact's model, which says by which form it can be taken back."""
        return self.fact._meta.model_name if self.fact is not None else ""


def attempts_of(handoffs: Sequence[Handoff]) -> dict[int, list[Attempt]]:
    """Every attempt that concerns each handoff's lead or person (rule A3), by handoff, in order; voided ones as well.

    Those before the handoff began are among them. The handoffs come with their leads.
    """
    if not handoffs:
        return {}
    leads = {handoff.lead_id: handoff.lead for handoff in handoffs}
    tests = [Q(lead__in=leads)]
    for name in ("contact_id", "email"):
        if values := {getattr(lead, name) for lead in leads.values()} - {""}:
            tests.append(Q(lead=None, **{f"{name}__in": values}))
    by_lead, by_contact, by_email = defaultdict(list), defaultdict(list), defaultdict(list)
    for attempt in Attempt.objects.filter(reduce(or_, tests)).select_related("by", "voided_by"):
        if attempt.lead_id:
            by_lead[attempt.lead_id].append(attempt)
            continue
        by_contact[attempt.contact_id].append(attempt)
        by_email[attempt.email].append(attempt)
    found = {}
    for handoff in handoffs:
        lead = handoff.lead
        mine = [*by_lead[lead.pk]]
        mine += by_contact[lead.contact_id] if lead.contact_id else []
        mine += by_email[lead.email] if lead.email else []
        found[handoff.pk] = sorted({attempt.pk: attempt for attempt in mine}.values(), key=lambda a: (a.at, a.pk))
    return found


def is_by_a_person(attempt: Attempt) -> bool:
    """Neither voided, automated nor a note: the only attempts that count (rules A3 and A4)."""
    return attempt.voided_at is None and not attempt.automated and attempt.channel != Channel.NOTE


def is_try(attempt: Attempt) -> bool:
    """What counts as one of the agreed attempts: outbound, by a person, answered or not (rule A3)."""
    return is_by_a_person(attempt) and attempt.direction == Direction.OUTBOUND


def lateness(agreed: Terms, calendar: BusinessTime) -> Callable[[Attempt | Disposition | Outcome], bool]:
    """Tells whether a person entered a fact later than the agreed grace, so that it stops no clock (rule A4)."""

    def is_late(fact: Attempt | Disposition | Outcome) -> bool:
        if fact.from_system or fact.entered_at <= fact.at:
            return False
        return calendar.elapsed(fact.at, fact.entered_at).total_seconds() > agreed.entry_grace_seconds

    return is_late


def events_of(
    handoff: Handoff,
    attempts: Iterable[Attempt],
    *,
    is_late: Callable[[Attempt | Disposition | Outcome], bool],
    now: datetime,
) -> list[Event]:
    """The time line, what lies ahead last. `handoff` comes with its lead, version and prefetched facts and clocks."""
    lead = handoff.lead
    events = [Event(lead.received_at, "inbox", _("Received from %(system)s") % {"system": lead.source_system})]
    if lead.engaged_at:
        events.append(Event(lead.engaged_at, "ads_click", _("First engagement")))
    events.append(
        Event(
            handoff.qualified_at, "verified", _("Handed to sales"), fact=handoff, tone="now", detail=_terms_of(handoff)
        )
    )
    for assignment in handoff.assignments.all():
        icon, text = "person", _("Assigned to %(owner)s") % {"owner": assignment.owner}
        if assignment.owner is None:
            icon, text = "inbox", _("In the queue of %(team)s") % {"team": assignment.team}
        events.append(Event(assignment.at, icon, text, assignment.by, assignment.why, fact=assignment))
    events += [_escalation(escalation) for escalation in handoff.escalations.all()]
    for answer in handoff.answers.all():
        text = _("Answered the miss of “%(promise)s”") % {"promise": answer.commitment}
        text = f"{text} {about(answer, handoff)}".strip()
        events.append(Event(answer.at, "rate_review", text, answer.by, str(answer)))
    events += [_attempt(attempt, is_late) for attempt in attempts if attempt.at >= handoff.qualified_at]
    events += [_disposition(disposition, is_late) for disposition in handoff.dispositions.all()]
    events += [_outcome(outcome, is_late) for outcome in handoff.outcomes.all()]
    for held in handoff.holds.all():
        events.append(Event(held.started_at, "pause_circle", _("On hold"), held.by, held.reason, "warn"))
        if held.ended_at:
            events.append(Event(held.ended_at, "play_circle", _("Released"), held.released_by))
    for dispute in handoff.disputes.all():
        events += _dispute(dispute)
    for request in handoff.exclusion_requests.all():
        events += _exclusion(request)
    events.sort(key=lambda event: event.at)
    _add_clocks(events, handoff.clocks.all(), now)
    return sorted(events, key=lambda event: event.at)


def about(clock: Clock | Answer, handoff: Handoff) -> str:
    """Which of several clocks of one commitment it is, or an answer is about; `handoff` as in `events_of`."""
    if not clock.subject:
        return ""
    if clock.commitment.kind == "dispute_answer":
        asked: Iterable[Dispute] = handoff.disputes.all()
        return next((f"“{dispute}”" for dispute in asked if dispute.pk == clock.subject), "")
    had = {
        one.pk: _("while %(person)s had it") % {"person": one.owner or _("nobody")} for one in handoff.assignments.all()
    }
    return had.get(clock.subject, "")


def folded(events: Iterable[Event]) -> list[list[Event]]:
    """The time line in groups: long runs of attempts that changed nothing together, everything else by itself."""
    groups: list[list[Event]] = []
    for is_plain, run in groupby(events, key=lambda event: event.is_plain):
        members = list(run)
        groups += [members] if is_plain and len(members) >= FOLDED_FROM else [[event] for event in members]
    return groups


def _terms_of(handoff: Handoff) -> str:
    """Whether it met the definition."""
    if handoff.below_definition:
        return _("Below the agreed definition, because its source says that it was handed over")
    if handoff.number > 1:
        return _("It met the lead definition; a recycled lead that came back")
    return _("It met the lead definition")


def _escalation(escalation: Escalation) -> Event:
    """A step of a ladder that came due, and what was done."""
    step, is_fired = escalation.step, escalation.state == Escalation.State.FIRED
    text = f"{step.commitment}, {ladder.when(step)}: {escalation.what}"
    detail, tone = ladder.lateness(escalation), "warn" if is_fired else ""
    return Event(escalation.at, "notification_important", text, detail=detail, tone=tone, fact=escalation)


def _attempt(attempt: Attempt, is_late: Callable[[Attempt], bool]) -> Event:
    marks = []
    if attempt.automated:
        marks.append((_("automated, counts for nothing"), "A3"))
    elif attempt.channel == Channel.NOTE:
        marks.append((_("a note, counts for nothing"), "A3"))
    elif attempt.direction == Direction.INBOUND and not attempt.is_touch:
        marks.append((_("inbound without contact, counts for nothing"), "A3"))
    elif is_late(attempt):
        marks.append(EVIDENCE_ONLY)
    elif attempt.is_touch:
        marks.append((_("meaningful touch"), "A3"))
    icon = {"call": "call", "email": "mail", "message": "chat", "meeting": "groups", "note": "sticky_note_2"}
    tone = "ok" if attempt.is_touch and not attempt.voided_at else ""
    name = icon.get(attempt.channel, "contact_mail")
    return Event(attempt.at, name, str(attempt), attempt.by, attempt.note, tone, attempt, marks)


def _disposition(disposition: Disposition, is_late: Callable[[Disposition], bool]) -> Event:
    icon, tone = {
        "accepted": ("thumb_up", "ok"),
        "recycled": ("autorenew", "warn"),
        "rejected": ("thumb_down", "bad"),
    }[disposition.verdict]
    marks = [EVIDENCE_ONLY] if is_late(disposition) else []
    tone = "" if disposition.voided_at else tone
    said = [disposition.note] if disposition.note else []
    if disposition.criterion:
        said.append(_("Failed, says sales: %(criterion)s") % {"criterion": disposition.criterion})
    if disposition.back_on:
        said.append(_("May come back on %(day)s") % {"day": formats.long_day(disposition.back_on)})
    detail = "\n".join(said)
    return Event(disposition.at, icon, str(disposition), disposition.by, detail, tone, disposition, marks)


def _outcome(outcome: Outcome, is_late: Callable[[Outcome], bool]) -> Event:
    icon = {"meeting": "event_available", "opportunity": "trending_up", "won": "trophy", "lost": "trending_down"}
    amount = formats.number(outcome.amount, 2) if outcome.amount is not None else ""
    marks = [EVIDENCE_ONLY] if is_late(outcome) else []
    tone = "bad" if outcome.kind == Outcome.Kind.LOST else "ok"
    return Event(outcome.at, icon[outcome.kind], str(outcome), outcome.by, amount, tone, outcome, marks)


def _dispute(dispute: Dispute) -> Iterator[Event]:
    """What sales asked and marketing answered; or what marketing disputed and RevOps decided."""
    is_question = dispute.party == Party.SALES
    icon, text = ("help", _("Asked marketing")) if is_question else ("balance", _("Marketing disputes the decision"))
    yield Event(dispute.opened_at, icon, text, dispute.opened_by, dispute.comment, fact=dispute)
    if not dispute.answered_at:
        return
    icon, text, tone = "quick_phrases", _("Marketing answered"), ""
    if dispute.upheld:
        icon, text, tone = "gavel", _("The dispute is upheld: it counts as accepted"), "ok"
    elif not is_question:
        icon, text = "gavel", _("The dispute is not upheld: the decision stands")
    yield Event(dispute.answered_at, icon, text, dispute.answered_by, dispute.answer, tone, dispute)


def _exclusion(request: ExclusionRequest) -> Iterator[Event]:
    """Somebody asked not to count a promise, and what RevOps decided."""
    text = _("Asked to exclude “%(promise)s”") % {"promise": request.commitment}
    yield Event(request.asked_at, "do_not_disturb_on", text, request.asked_by, request.reason, fact=request)
    if request.decided_at:
        text = _("Excluded: “%(promise)s”") if request.granted else _("Not excluded: “%(promise)s”")
        text %= {"promise": request.commitment}
        mark = [(_("counts nowhere"), "N9")] if request.granted else []
        yield Event(request.decided_at, "gavel", text, request.decided_by, request.note, fact=request, marks=mark)


def _add_clocks(events: list[Event], timed: Iterable[Clock], now: datetime) -> None:
    """Put what clocks did beside the event that did it, and their dues between them. Excluded ones did nothing."""
    last_at = {event.at: event for event in events}

    def beside(at: datetime, icon: str, text: str, tone: str) -> Event:
        event = last_at.get(at)
        if event is None:
            event = last_at[at] = Event(at, icon, text, tone=tone, is_ahead=at > now)
            events.append(event)
        return event

    for clock in timed:
        if not clock.commitment.catalogue.has_limit or clock.started_at is None or clock.state == clocks.EXCLUDED:
            continue
        title, is_missed = clock.commitment.title, clock.state == clocks.MISSED
        beside(clock.started_at, "timer", _("Clocks started"), "").starts.append(title)
        if clock.due_at and (is_missed or not clock.stopped_at):
            tone, text = ("bad", _("Time is up")) if is_missed else ("wait", _("Due"))
            said = _("%(promise)s: missed") if is_missed else _("%(promise)s: due")
            beside(clock.due_at, "alarm", text, tone).clocks.append((tone, said % {"promise": title}))
        if clock.stopped_at:
            said = (
                _("%(promise)s: done too late, after %(span)s") if is_missed else _("%(promise)s: met after %(span)s")
            )
            tone, words = "bad" if is_missed else "ok", said % {"promise": title, "span": spent(clock)}
            beside(clock.stopped_at, "timer", _("Clocks stopped"), tone).clocks.append((tone, words))


def spent(clock: Clock) -> str:
    """Business time from start to stop."""
    return duration(clock.elapsed_seconds)
