"""The demo: half a year of two teams, told by calling the same verbs as everybody, each with the `now` of its moment.

It adds people, teams, opening hours and draft terms, and leaves every clock, handoff and scorecard to the verbs. The
same seed and `now` give the same figures.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, time, timedelta
from itertools import groupby
from operator import attrgetter
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Min
from django.utils.translation import gettext

from agreements.calendars import BusinessCalendar
from agreements.models import Agreement
from leads import (
    clocks,
    disputes,
    escalations,
    exclusions,
    handovers,
    intake,
    notes,
    routing,
    timekeeping,
    tracking,
)
from leads.models import TIMED_KINDS, Clock, Dispute, Handoff, Lead, ReasonCode
from leads.periods import MONTH, Period
from reports import demo_cast, demo_plans, demo_reviews, pace, scorecards, sealing
from reports.demo_cast import Cast
from reports.demo_leads import MONTHS, SECOND_VERSION
from reports.demo_plot import Arrival, Fact, Plot
from reports.models import Scorecard
from slaportal import outbox
from slaportal.models import Notice, Team, User
from slaportal.refusal import Refused

ZONE = ZoneInfo("Europe/Berlin")
MQLS = 50
# When people enter what they did during the day.
EVENING = time(20, tzinfo=ZONE)
# What is entered together in the evening; everything else is told at its own moment.
AT_NIGHT = ("attempt", "decision", "outcome")
# So long the portal has been live; what was before is history.
LIVE = timedelta(days=4)
# Asked in the running month: the reason, and what RevOps said if it was granted.
EXCLUSIONS = (
    ("The number that came with the lead belongs to somebody else", ""),
    ("The telephone system was down all morning", "The provider’s log shows the outage from 8:50 to 12:10"),
)
# What sales says of the definition with these reasons, and when a bad time may be over.
FAILED = {
    "not_target": "Company size is at most 500 (theirs: 4,200 with the parent company)",
    "not_qualified": "Company size is at least 50 (theirs: 12)",
}
COMES_BACK = timedelta(days=30)
NOTE = "The buyer of Moorkamp is at the trade fair until Thursday; try the assistant first."
RESTATED = "The telephone system had not sent a call; it stands in its log and was imported afterwards."
CALLED_AFTER = timedelta(minutes=25)
DISPUTE = "Their web site names three sites in the region and 180 people; please look again."
PIECE, SWEPT_AFTER = timedelta(minutes=30), timedelta(seconds=30)


def is_empty_portal() -> bool:
    """Whether the portal is empty, so that nothing of anybody's is mixed with the demo."""
    return not any(model.objects.exists() for model in (Agreement, Team, BusinessCalendar, Lead))


def is_loaded() -> bool:
    """Whether the demo's people are here."""
    return User.objects.filter(email__in=[email for _, email in demo_cast.logins()]).exists()


@transaction.atomic
def tell(
    *,
    now: datetime,
    seed: int = 1,
    scale: float = 1.0,
    evenings: Callable[[Sequence[datetime]], Iterable[datetime]] = iter,
) -> list[Scorecard]:
    """Tell the six full months before `now` and the running one; returns their scorecards of the first agreement.

    `scale` multiplies the numbers of leads and the volume that is promised. `evenings` may show how far it is.
    """
    if not is_empty_portal():
        raise Refused(
            gettext("The demo needs a portal without agreements, teams, calendars and leads; this one has some.")
        )
    now = now.astimezone(UTC)
    months = [Period.current(MONTH, now, ZONE)]
    while len(months) < len(MONTHS):
        months.insert(0, months[0].previous)
    first_day = months[0].first_day
    drafted = months[0].start(ZONE) - timedelta(days=15, hours=-10)

    cast = demo_cast.appear(now=drafted - timedelta(days=1))
    calendar = demo_cast.open_office(range(first_day.year - 1, now.year + 2))
    inbound, office = demo_cast.promise_inbound(
        cast,
        calendar,
        first_day=first_day,
        second_day=months[SECOND_VERSION].first_day,
        target=round(MQLS * scale),
        drafted=drafted,
    )
    referrals = demo_cast.promise_referrals(cast, calendar, first_day=first_day, drafted=drafted, now=now)
    reps = [rep.email for rep in cast.reps]
    plot = Plot(months=months, zone=ZONE, office=office, reps=reps, now=now, seed=seed, scale=scale)
    telling = Telling(cast, plot)
    went_live = False
    for evening in evenings(_evenings(plot.arrivals[0].written, now)):
        if evening > now - LIVE:
            went_live = went_live or _go_live(now=telling.told)
            telling.live_until(evening)
            pace.watch(now=evening)
        else:
            telling.until(evening)
    timekeeping.evaluate_all(now=now, everything=False)
    _leave_to_decide(cast, months[-1], now=now)
    _staff(cast, now=now)
    _seal(cast, inbound, months, live_since=now - LIVE, now=now)
    demo_reviews.meet(cast, inbound, referrals, since=months[-3].start(ZONE), now=now)
    Notice.objects.filter(kind="review", created_at__lt=now - LIVE).delete()
    closings = [moment for month in months if (moment := sealing.closes_at(inbound, month)) and moment <= now]
    demo_plans.recover(cast, closings=closings, now=now, live=LIVE)
    # What was told in the last days waits in the portal; nothing of the story is mailed.
    outbox.cancel(Notice.objects.exclude(channel=Notice.Channel.PORTAL), now=now)
    cards = [[scorecards.store(agreement, month, now=now) for month in months] for agreement in (inbound, referrals)]
    return cards[0]


def _go_live(*, now: datetime) -> bool:
    """Make what was told so far history that escalates nothing (rule L4), as if it had been imported at `now`.

    What came within the last day would be no history, so it was known from the beginning.
    """
    Handoff.objects.filter(qualified_at__lt=now - clocks.NEWS_FOR).update(known_at=now)
    Notice.objects.all().delete()
    waiting = Clock.objects.filter(next_step_at__isnull=False).values_list("handoff_id", flat=True)
    timekeeping.evaluate_handoffs(waiting, now=now)
    return True


def _seal(cast: Cast, agreement: Agreement, months: Sequence[Period], *, live_since: datetime, now: datetime) -> None:
    """Seal what closed before the portal was live as it was known then, and what closed since.

    Afterwards the telephone system brings a call of two of these months; RevOps has restated one of them.
    """
    for moment in (live_since, now):
        sealing.seal_due(now=moment)
    zone = agreement.zone
    sealed = [month for month in months if sealing.latest(agreement, month)]
    for month in sealed[1:3]:
        missed = Clock.objects.filter(state=Clock.State.MISSED, commitment__kind="contact_after_acceptance")
        begun = {"handoff__qualified_at__gte": month.start(zone), "handoff__qualified_at__lt": month.end(zone)}
        clock = missed.filter(handoff__agreement=agreement, **begun).select_related("handoff__lead").first()
        if clock:
            call = tracking.NewAttempt(lead=clock.handoff.lead, at=clock.started_at + CALLED_AFTER)
            tracking.log_attempts([call], by=None, now=now, from_system=True)
    for month in sealed[1:2]:
        sealing.restate(agreement, month, reason=RESTATED, by=cast.revops, now=now)


def _leave_to_decide(cast: Cast, month: Period, *, now: datetime) -> None:
    """Requests to exclude of the running month, the second of them granted, and a dispute that waits for RevOps."""
    began = {"handoff__qualified_at__gte": month.start(ZONE), "charged_to__owner__in": cast.reps}
    began |= {"commitment__kind__in": TIMED_KINDS}
    counted = Clock.objects.deciding().excludable().filter(**began)
    rows = counted.select_related("handoff__team", "commitment", "charged_to__owner").order_by("state", "-handoff")
    for clock, (reason, note) in zip(rows, EXCLUSIONS, strict=False):
        by = clock.charged_to.owner
        request = exclusions.ask(clock.handoff, commitment=clock.commitment, reason=reason, by=by, now=now)
        if note:
            exclusions.decide(request, granted=True, note=note, by=cast.revops, now=now)
    returned = Handoff.objects.filter(stage__in=(Handoff.Stage.REJECTED, Handoff.Stage.RECYCLED), disputes=None)
    marketing, _ = cast.leaders
    for handoff in returned.filter(agreement__marketing_team=marketing.team_id).order_by("-ended_at")[:1]:
        with suppress(Refused):
            disputes.dispute(handoff, comment=DISPUTE, by=marketing, now=now)


def _staff(cast: Cast, *, now: datetime) -> None:
    """Caps, somebody who is away from tomorrow on, and a note of the manager: what a board shows besides leads."""
    today, (first, *_, last) = now.astimezone(ZONE).date(), cast.reps
    User.objects.filter(pk__in=[rep.pk for rep in cast.reps]).update(most_open=8)
    given = {"first_day": today + timedelta(days=1), "last_day": today + timedelta(days=3), "note": "Trade fair"}
    handovers.set_away(person=last, **given, hand_over=False, by=cast.manager, now=now)
    token = UUID(int=first.pk)
    notes.send(first, text=NOTE, token=token, by=cast.manager, now=now)


def _evenings(first: datetime, now: datetime) -> list[datetime]:
    """Every evening from the day of `first` on, and `now`."""
    day, found = first.astimezone(ZONE).date(), []
    while (evening := datetime.combine(day, EVENING).astimezone(UTC)) < now:
        found.append(evening)
        day += timedelta(days=1)
    return [*found, now]


class Telling:
    """Tells a plot, evening by evening, by calling the verbs."""

    def __init__(self, cast: Cast, plot: Plot) -> None:
        self.cast = cast
        self.moments = sorted(
            [*plot.arrivals, *(fact for fact in plot.facts if fact.what not in AT_NIGHT)], key=attrgetter("written")
        )
        self.night = [fact for fact in plot.facts if fact.what in AT_NIGHT]
        self.people = {user.pk: user for user in (*cast.reps, *cast.leaders, cast.manager, cast.revops)}
        self.reasons = {reason.code: reason for reason in ReasonCode.objects.all()}
        self.told = plot.arrivals[0].written
        self.handoffs: dict[str, Handoff] = {}
        self.disputes: dict[str, Dispute] = {}

    def until(self, now: datetime) -> None:
        """Tell everything that was written since the last time."""
        moments, self.moments = _split(self.moments, now)
        for written, together in groupby(moments, key=attrgetter("written")):
            rows = list(together)
            if arrivals := [row.record for row in rows if isinstance(row, Arrival)]:
                received = intake.receive_leads(arrivals, now=written)
                self.handoffs.update({handoff.lead.external_id: handoff for handoff in received.handoffs})
            for row in rows:
                if isinstance(row, Fact):
                    self._single(row)
        self._evening(now)
        self.told = now

    def live_until(self, now: datetime) -> None:
        """Tell the same in small pieces, with the steps of ladders that come due between them."""
        while self.told < now:
            self.until(min(self.told + PIECE, now))
            while due := Clock.objects.with_due_step(self.told).aggregate(first=Min("next_step_at"))["first"]:
                if not escalations.sweep(now=min(due + SWEPT_AFTER, self.told)):
                    break

    def _single(self, fact: Fact) -> None:
        handoff, values = self.handoffs[fact.lead], fact.values
        owner, now = self._owners([fact])[handoff.pk], fact.written
        marketing, _ = self.cast.leaders
        match fact.what:
            case "assignment":
                rep = self.cast.reps[values["rep"]]
                why = f"{owner.get_short_name()} is at a customer’s"
                handoff.refresh_from_db()
                routing.assign([(handoff, rep)], why=why, by=self.cast.manager, now=now)
            case "hold":
                tracking.hold([handoff], reason=values["reason"], by=owner, now=now)
            case "release":
                tracking.release([handoff], by=owner, now=now)
            case "question":
                self.disputes[fact.lead] = disputes.ask(handoff, **values, by=owner, now=now)
            case "protest":
                self.disputes[fact.lead] = disputes.dispute(handoff, **values, by=marketing, now=now)
            case "answer":
                disputes.answer(self.disputes[fact.lead], **values, by=marketing, now=now)
            case "ruling":
                disputes.decide(self.disputes[fact.lead], **values, by=self.cast.revops, now=now)

    def _evening(self, now: datetime) -> None:
        """What was done during the day, entered together: many rows of one kind in one call."""
        facts, self.night = _split(self.night, now)
        owners = self._owners(facts)
        by_kind: dict[str, list[Fact]] = defaultdict(list)
        for fact in facts:
            by_kind[fact.what].append(fact)
        if by_kind["attempt"]:
            tracking.log_attempts([self._attempt(fact, owners) for fact in by_kind["attempt"]], by=None, now=now)
        decisions: dict[User, list[tracking.Decision]] = defaultdict(list)
        for fact in by_kind["decision"]:
            handoff, reason = self.handoffs[fact.lead], fact.values["reason"]
            decision = tracking.Decision(
                handoff,
                fact.values["verdict"],
                reason and self.reasons[reason],
                at=fact.at,
                criterion=FAILED.get(reason, ""),
                back_on=fact.at.astimezone(ZONE).date() + COMES_BACK if reason == "bad_timing" else None,
            )
            # The manager goes through a list that was uploaded; everything else is decided by its owner.
            decisions[self.cast.manager if fact.values["in_list"] else owners[handoff.pk]].append(decision)
        for owner, made in decisions.items():
            tracking.dispose(made, by=owner, now=now)
        outcomes = [
            tracking.NewOutcome(self.handoffs[fact.lead], at=fact.at, **fact.values) for fact in by_kind["outcome"]
        ]
        if outcomes:
            tracking.record_outcomes(outcomes, by=None, now=now, from_system=True)

    def _attempt(self, fact: Fact, owners: dict[int, User]) -> tracking.NewAttempt:
        """An attempt by the owner; an inbound call names only the person (rule A3)."""
        handoff, values = self.handoffs[fact.lead], dict(fact.values)
        if values.pop("by_person", False):
            who = {"contact_id": handoff.lead.contact_id}
        else:
            who = {"lead": handoff.lead}
        owner = None if values.get("automated") else owners[handoff.pk]
        return tracking.NewAttempt(**who, at=fact.at, owner=owner, **values)

    def _owners(self, facts: Sequence[Fact]) -> dict[int, User]:
        """Who owns the handoffs of these facts now."""
        ids = {self.handoffs[fact.lead].pk for fact in facts}
        rows = Handoff.objects.filter(pk__in=ids).values_list("pk", "owner")
        # What waits in a queue is worked by the manager until somebody takes it.
        return {pk: self.people.get(owner, self.cast.manager) for pk, owner in rows}


def _split(rows: list, now: datetime) -> tuple[list, list]:
    """Rows written by `now`, and those after; rows are in order."""
    told = sum(row.written <= now for row in rows)
    return rows[:told], rows[told:]
