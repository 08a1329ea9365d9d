"""What sales does with each lead of the demo: review, contact, attempts, decision, outcome. Pure; nothing after `now`.

Whatever people do, they do while the office is open (lunch, weekends and holidays are theirs); only the weekend rota,
which comes with version 2, looks at what came in: so the later months keep the review within 24 hours.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from agreements.business_time import BusinessTime
from leads.models import Verdict
from leads.periods import Period
from leads.records import LeadRecord
from reports.demo_leads import AT_REVIEW, MEETING, MONTHS, PARTNER, SECOND_VERSION, SYNDICATED, Leads, Visit

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
WORKING_DAY = 7.75 * HOUR
UPLOADING = 5 * MINUTE
AWAKE = range(9, 20)
TELLING_DAYS = (1, 4)
# A machine confirms what came through a form.
ANSWERED_BY_MAIL = ("Inbound demo", SYNDICATED)

QUESTIONS = (
    ("The phone number does not work. Is there another one?", "The direct line stands in the record now."),
    ("Which product did they ask for?", "They saw the planning module in the webinar."),
    ("Is this the group or the subsidiary?", "The subsidiary; the group has a contract of its own."),
)
PROTEST = ("They do fit: their imprint names 220 people.", "Looked at it with sales: it should have been accepted.")
HELD = "Asked us to come back after the trade fair"


@dataclass(frozen=True)
class Arrival:
    """A lead as it is received, and routed if it qualifies, at `written`."""

    written: datetime
    record: LeadRecord


@dataclass(frozen=True)
class Fact:
    """What happened at `at` to the latest handoff of the lead with this external id, and was entered at `written`.

    `what` is attempt, decision, outcome, hold, release, question, protest, answer, ruling or assignment; `values` go
    with it.
    """

    written: datetime
    lead: str
    what: str
    at: datetime
    values: dict[str, Any] = field(default_factory=dict)


class Plot:
    """The whole story: `arrivals` and `facts` in the order in which they are written.

    `months` are the seven calendar months, the running one last; `reps` are the e-mail addresses of those who shall
    have something to do at `now`, the first of them most.
    """

    def __init__(
        self,
        *,
        months: Sequence[Period],
        zone: ZoneInfo,
        office: BusinessTime,
        reps: Sequence[str],
        now: datetime,
        seed: int,
        scale: float,
    ) -> None:
        self.random = Random(seed)  # noqa: S311 (a story, no secret)
        self.zone, self.office, self.reps, self.now = zone, office, reps, now
        self.leads = Leads(random=self.random, zone=zone, office=office, scale=scale)
        self.arrivals: list[Arrival] = []
        self.facts: list[Fact] = []
        self.begin, self.rota_begins = months[0].start(zone), months[SECOND_VERSION].start(zone)
        self._returning: dict[Period, list[Visit]] = {month: [] for month in months}
        waiting = [self._local(at).date() for at in self._today()]
        for month, plan in zip(months, MONTHS, strict=True):
            lists = self.leads.lists(month)
            spared = sum(month.first_day <= day <= month.last_day for day in waiting)
            for visit in self.leads.month(plan, month, lists, self._returning[month], now=now, spared=spared):
                self._pass_through(visit)
            for visit in self.leads.referrals(month):
                self._pass_through(visit)
            for record in self.leads.beside(lists):
                self._receive(record, record.received_at + UPLOADING)
        self.arrivals = sorted((row for row in self.arrivals if row.written <= now), key=lambda row: row.written)
        self.facts = sorted((row for row in self.facts if row.written <= now), key=lambda row: row.written)

    # --- One handoff -------------------------------------------------------------------------------------------

    def _pass_through(self, visit: Visit) -> None:
        """Everything that happens to one handoff, from its arrival to its end."""
        routed = self._routing(visit)
        early = visit.at - self.random.uniform(3, 15) * DAY
        if "waits first" in visit.marks and early > self.begin:
            unknown = replace(visit.record, received_at=early, engaged_at=early, title="", seniority="")
            self._receive(unknown, early + 3 * MINUTE)
        self._receive(visit.record, routed)
        if visit.record.source in ANSWERED_BY_MAIL:
            self._attempt(visit, visit.at + MINUTE, "email", "sent", written=routed, automated=True)
        if "new owner" in visit.marks:
            self._fact(visit, "assignment", self._later(routed, 3, 15), rep=self.random.randrange(len(self.reps)))
        reviewed = self._review(visit, routed)
        if "calls in" in visit.marks:
            called = self._later(routed, 20, 120)
            self._attempt(visit, called, "call", "connected", direction="inbound", by_person=True)
        if visit.fate in AT_REVIEW:
            self._decide(visit, reviewed, in_list=visit.upload)
            return
        self._fact(visit, "decision", reviewed, verdict=Verdict.ACCEPTED, reason=None, in_list=visit.upload)
        if "question" in visit.marks:
            self._ask(visit, self._later(reviewed, 5, 60), "question", self.random.choice(QUESTIONS))
        contacted = self._contact(visit, reviewed)
        if visit.fate == "no_answer":
            self._nobody_answers(visit, contacted)
        else:
            self._talk(visit, contacted)

    def _routing(self, visit: Visit) -> datetime:
        if visit.upload:
            return visit.at + UPLOADING
        if "slow routing" in visit.marks:
            return visit.at + self.random.uniform(20, 150) * MINUTE
        return visit.at + self.random.uniform(0.5, 7) * MINUTE

    def _review(self, visit: Visit, routed: datetime) -> datetime:
        """When sales accepts or rejects: within 24 hours, unless marked as late or over a weekend without a rota."""
        if "late review" in visit.marks:
            return self._later(visit.at + DAY, 10, 300)
        # At their leisure, or quickly before the office closes for longer.
        for minutes in ((16, 200), (16, 24)):
            reviewed = self._later(routed, *minutes)
            if reviewed < visit.at + 23 * HOUR:
                return reviewed
        if visit.at < self.rota_begins:
            return reviewed
        # The weekend rota of version 2; there is daylight in any 22 hours.
        while True:
            reviewed = routed + self.random.random() * (visit.at + 23 * HOUR - routed)
            if self._local(reviewed).hour in AWAKE:
                return reviewed

    def _contact(self, visit: Visit, reviewed: datetime) -> datetime:
        """When somebody first tries: within 4 business hours of the acceptance unless it is marked as late."""
        if "late contact" not in visit.marks:
            return self._later(reviewed, 5, 220)
        if self.random.random() < 0.2:
            # In time, but entered after the grace for late entries: evidence that stops no clock.
            at = self._later(reviewed, 5, 220)
            self._attempt(visit, at, "call", "no_answer", written=self._later_days(at, 3, 5))
        return self._later(reviewed, 260, 900)

    def _nobody_answers(self, visit: Visit, contacted: datetime) -> None:
        tries = 2 if "few attempts" in visit.marks else self.random.choice((5, 5, 6))
        until = max(visit.at + 6.5 * DAY, self._later_days(contacted, 1, 2))
        tried = self._attempts(visit, contacted, until, tries)
        self._decide(visit, self._later(tried, 5, 240))

    def _talk(self, visit: Visit, contacted: datetime) -> None:
        """Attempts until somebody answers, then what comes of it."""
        tries = self.random.choices((1, 2, 3), (5, 3, 1))[0]
        tried = self._attempts(visit, contacted, min(self._later_days(contacted, 1, 2), visit.at + 6 * DAY), tries - 1)
        spoke = self._later(tried, 30, 200) if tries > 1 else contacted
        channel, outcome = self.random.choice((("call", "connected"), ("call", "connected"), ("email", "replied")))
        self._attempt(visit, spoke, channel, outcome)
        if "hold" in visit.marks:
            held, spoke = spoke + 4 * MINUTE, self._later_days(spoke, 3, 6)
            self._fact(visit, "hold", held, reason=HELD)
            self._fact(visit, "release", spoke)
        if visit.fate == MEETING:
            self._meet(visit, spoke)
        else:
            self._decide(visit, self._later_days(spoke, 0.1, 5))

    def _meet(self, visit: Visit, spoke: datetime) -> None:
        met = self._later_days(spoke, 2, 9)
        self._reach(visit, met, "meeting")
        if self.random.random() > 0.6:
            return
        offered = self._later_days(met, 0.5, 6)
        amount = Decimal(self.random.randrange(8, 120) * 500)
        self._reach(visit, offered, "opportunity", amount)
        ends = self.random.choices(("won", "lost", None), (2, 3, 5))[0]
        if ends:
            closed = self._later_days(offered, 10, 45)
            self._reach(visit, closed, ends, amount if ends == "won" else None)

    def _reach(self, visit: Visit, at: datetime, kind: str, amount: Decimal | None = None) -> None:
        """An outcome. Deals are kept in the CRM, which tells them on two evenings a week."""
        told = self._local(at).replace(hour=19, minute=30)
        while told < at or told.weekday() not in TELLING_DAYS:
            told += DAY
        self._fact(visit, "outcome", at, written=told, kind=kind, amount=amount)

    def _decide(self, visit: Visit, at: datetime, *, in_list: bool = False) -> None:
        """Give the lead back for the reason that is its fate; some come back later, some are argued about."""
        goes_on = visit.fate in ("no_answer", "bad_timing")
        verdict = Verdict.RECYCLED if goes_on else Verdict.REJECTED
        reason = None if "no reason" in visit.marks else visit.fate
        self._fact(visit, "decision", at, verdict=verdict, reason=reason, in_list=in_list)
        if goes_on:
            self._come_back(visit, at)
        if "protest" in visit.marks:
            self._ask(visit, self._later_days(at, 1.5, 2.5), "protest", PROTEST)

    def _come_back(self, visit: Visit, ended: datetime) -> None:
        """Let every third recycled lead qualify again in a later month; what misses a field stays with marketing."""
        later = [month for month in self._returning if month.start(self.zone) > ended + 14 * DAY]
        stays = visit.record.source == PARTNER or "incomplete" in visit.marks
        if not later or stays or self.random.random() > 0.35:
            return
        month = later[0]
        ((at, source),) = self.leads.alone(month, 1)
        again = replace(visit.record, received_at=at, engaged_at=at - HOUR, source=source, score=95)
        self._returning[month].append(Visit(again))

    def _ask(self, visit: Visit, at: datetime, what: str, words: tuple[str, str]) -> None:
        """A question to marketing and its answer, or marketing's protest and RevOps' ruling: within two business days,
        unless late.
        """
        comment, answer = words
        days = (2.2, 4) if "slow answer" in visit.marks else (0.1, 1.7)
        self._fact(visit, what, at, comment=comment)
        if what == "protest":
            self._fact(visit, "ruling", self._later_days(at, *days), answer=answer, upheld=True)
        else:
            self._fact(visit, "answer", self._later_days(at, *days), answer=answer)

    def _attempts(self, visit: Visit, first: datetime, until: datetime, number: int) -> datetime:
        """So many attempts without an answer, spread over the open hours up to `until`; when the last one was."""
        room = self.office.elapsed(first, until)
        at = first
        for index in range(number):
            at = self.office.deadline(first, room * (index / number)) if index else first
            channel, outcome = self.random.choice(
                (("call", "no_answer"), ("call", "voicemail"), ("email", "sent"), ("call", "busy"))
            )
            self._attempt(visit, at, channel, outcome)
        return at

    # --- What waits at `now` -----------------------------------------------------------------------------------

    def _today(self) -> list[datetime]:
        """Give each rep a review or a contact that is due soon, whatever the hour; the first rep a little of all.

        Returns when these leads came.
        """
        came = []
        for index, rep in enumerate(self.reps):
            kinds = ("contact", "review", "chase", "hold") if not index else (("review", "contact")[index % 2],)
            for kind in kinds:
                came.append(self._waiting(rep, kind, due=(12 + 19 * index + self.random.randrange(15)) * MINUTE))
        return came

    def _waiting(self, rep: str, kind: str, *, due: timedelta) -> datetime:
        """A lead of this rep's that has come as far as `kind` says, with the next promise due in so much time."""
        if kind == "review":
            accepted, at = None, self.now - DAY + due
        else:
            accepted = self._ago(4 * HOUR - due if kind == "contact" else 12 * HOUR)
            at = accepted - 40 * MINUTE
        visit = self.leads.visit(at, "Inbound demo", owner=rep)
        self._receive(visit.record, at + 2 * MINUTE)
        if accepted is None:
            return at
        self._fact(visit, "decision", accepted, verdict=Verdict.ACCEPTED, reason=None, in_list=False)
        if kind == "chase":
            self._attempts(visit, self._ago(10 * HOUR), self._ago(HOUR), 2)
        elif kind == "hold":
            self._attempt(visit, self._ago(10 * HOUR), "call", "connected")
            self._fact(visit, "hold", self._ago(9.9 * HOUR), reason=HELD)
        return at

    # --- Writing it down ---------------------------------------------------------------------------------------

    def _receive(self, record: LeadRecord, written: datetime) -> None:
        self.arrivals.append(Arrival(written.replace(microsecond=0), record))

    def _fact(self, visit: Visit, what: str, at: datetime, *, written: datetime | None = None, **values: Any) -> None:
        at, written = (moment.replace(microsecond=0) for moment in (at, written or at))
        self.facts.append(Fact(written, visit.record.external_id, what, at, values))

    def _attempt(self, visit: Visit, at: datetime, channel: str, outcome: str, **values: Any) -> None:
        self._fact(visit, "attempt", at, channel=channel, outcome=outcome, **values)

    # --- Time --------------------------------------------------------------------------------------------------

    def _later(self, moment: datetime, least: float, most: float) -> datetime:
        """After so many open minutes."""
        return self.office.deadline(moment, self.random.uniform(least, most) * MINUTE)

    def _later_days(self, moment: datetime, least: float, most: float) -> datetime:
        """After so many working days."""
        return self.office.deadline(moment, self.random.uniform(least, most) * WORKING_DAY)

    def _ago(self, span: timedelta) -> datetime:
        """So much open time before `now`."""
        position = self.office.position_many(np.array([self.now.replace(tzinfo=None)], "M8[us]"))
        found = self.office.instant_many(position - int(span / timedelta(microseconds=1)))
        return found[0].astype(datetime).replace(tzinfo=UTC)

    def _local(self, moment: datetime) -> datetime:
        return moment.astimezone(self.zone)
