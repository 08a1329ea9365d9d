"""What happens in the demo: which leads come when, and what sales does with each. Pure; decided by a seed and `now`.

Every month has exact numbers, so the story is the same for every seed: half a year ago too few leads, slow reviews and
contacts, rejections without a reason; from version 2 on better each month. Business hours, lunch, weekends and
holidays are those of the sales team's calendar. `now` cuts the story off wherever it stands.
"""

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from agreements.business_time import BusinessTime
from leads.mapping import LeadRecord
from leads.periods import Period

FIRST_NAMES = (
    "Ines Tom Marta Jonas Sina Peter Aylin Karla Mehmet Anja Ralf Birgit Oskar Leonie Fabian Yasmin Dirk Helena Milan "
    "Petra Georg Silke Armin Nadine Kerim Judith Lars Vera Florian Ute Matteo Selma Bernd Carina Ivo Greta"
).split()
LAST_NAMES = (
    "Albrecht Reuter Lindner Frey Odermatt Vogt Demir Aebischer Kowalski Thalmann Brückner Steinhauser Wimmer Zeller "
    "Hagedorn Pfister Rosenow Kaltenbach Mertens Jovanović Oberhuber Dornseif Lüthi Sommerfeld Engel Kramer Yıldız "
    "Hellwig Bachmeier Nussbaum Ritter Schöller Tanner Uhlig Winterberg Zimmerli"
).split()
BRANDS = (
    "Nordhaus Kesselring Brennwald Lindhof Auental Weserwerk Falkenried Tannbach Sternau Elbmark Rotacker Hagental "
    "Moorkamp Silbergrund Ostermoor Buchfeld Wiesental Grauhof Erlenbrück Kronsee Steinmark Waldau Birkenfels "
    "Hohenried Marschau Quellhof Rosenberg Tiefenbrunn Ahornau Lerchenfeld"
).split()
TRADES = {
    "Logistics": ("Logistik", "Spedition"),
    "Manufacturing": ("Maschinenbau", "Werkzeuge"),
    "Software": ("Software", "Systeme"),
    "Healthcare": ("Medizintechnik", "Kliniken"),
    "Energy": ("Energie", "Solar"),
}
TITLES = {
    "VP": ("VP Operations", "VP Sales", "VP Engineering", "VP Marketing", "VP Supply Chain"),
    "C-suite": ("CEO", "COO", "CFO", "CTO", "CIO"),
    "Manager": ("Team Lead Purchasing", "IT Manager", "Marketing Manager"),
}
# Source: how often it comes alone, and its campaign.
SOURCES = {
    "Inbound demo": (40, "Website"),
    "Content download": (22, "Guide to planning"),
    "Paid social": (20, "Spring video"),
    "Webinar": (10, "Recording on demand"),
    "Event list": (8, "Trade fair talks"),
}
FORM_SOURCES = ("Inbound demo", "Content download")
QUESTIONS = (
    ("The phone number does not work. Is there another one?", "The direct line is in the record now."),
    ("Which product did they ask for?", "They saw the planning module in the webinar."),
    ("Is this the group or the subsidiary?", "The subsidiary; the group has its own contract."),
)
PROTEST = ("They do fit: the imprint names 220 people.", "Checked with sales: it should have been accepted.")


@dataclass(frozen=True)
class Month:
    """How a month goes: numbers of leads, and shares of those that they can happen to."""

    qualified: int  # delivered, as volume counts them
    below: int  # handed over although below the definition
    refused: float  # of those accepted or rejected for quality
    late_review: float
    late_contact: float
    gives_up: float  # of those that nobody reaches: too few attempts
    undocumented: float
    incomplete: float
    slow_routing: float
    slow_answers: bool = False


# The six full months and the running one.
MONTHS = (
    Month(34, 7, 0.40, 0.34, 0.42, 0.9, 0.40, 0.24, 0.10, True),
    Month(38, 6, 0.36, 0.29, 0.36, 0.9, 0.30, 0.20, 0.08, True),
    Month(43, 5, 0.31, 0.22, 0.28, 0.8, 0.25, 0.15, 0.07, True),
    Month(47, 4, 0.24, 0.12, 0.14, 0.8, 0.15, 0.08, 0.04, True),
    Month(52, 2, 0.18, 0.07, 0.08, 0.5, 0.08, 0.05, 0.03),
    Month(57, 1, 0.13, 0.03, 0.03, 0.1, 0, 0.02, 0.02),
    Month(60, 1, 0.12, 0.03, 0.03, 0.1, 0, 0.02, 0.02),
)
UNDELIVERED, UNMATCHED, WAITING, REFERRALS = 3, 4, 3, 5  # a month


@dataclass(frozen=True)
class Arrival:
    """A lead as it is received at `written`, and routed if it qualifies."""

    written: datetime
    record: LeadRecord


@dataclass(frozen=True)
class Fact:
    """Something that happened at `at` to the latest handoff of the lead `lead`, and was entered at `written`."""

    written: datetime
    lead: str
    what: str
    at: datetime
    values: dict[str, Any] = field(default_factory=dict)


@dataclass
class Visit:
    """One passage of a lead through sales, with what was decided about it before it is told."""

    record: LeadRecord
    fate: str = ""
    routed: datetime | None = None
    returns: bool = False
    marks: set[str] = field(default_factory=set)

    @property
    def at(self) -> datetime:
        return self.record.received_at


class Plot:
    """The whole story up to `now`: `arrivals` and `facts`, each to be told when it is written.

    `months` are the seven calendar months, oldest first; `reps` the logins of those who shall have work at `now`;
    `scale` makes the numbers of leads smaller or larger.
    """

    def __init__(
        self, *, months: Sequence[Period], zone: ZoneInfo, office: BusinessTime, reps: Sequence[str], now: datetime,
        seed: int, scale: float,
    ) -> None:  # fmt: skip
        self.random, self.zone, self.office, self.now, self.scale = Random(seed), zone, office, now, scale  # noqa: S311
        self.months, self.reps = months, reps
        self.arrivals: list[Arrival] = []
        self.facts: list[Fact] = []
        self._number = 0
        self._coming_back: dict[Period, list[Visit]] = {month: [] for month in months}
        today = self._today()
        for index, (month, plan) in enumerate(zip(months, MONTHS, strict=True)):
            instead = sum(self._month_of(visit.at) == month for visit in today)
            self._month(index, month, plan, instead)
        self.arrivals = sorted((row for row in self.arrivals if row.written <= now), key=lambda row: row.written)
        self.facts = sorted((row for row in self.facts if row.written <= now), key=lambda row: row.written)

    # --- A month -----------------------------------------------------------------------------------------------

    def _month(self, index: int, month: Period, plan: Month, instead: int) -> None:
        """Plan a month; `instead` of its latest leads are those that wait for the reps at `now`."""
        fresh = [self._fresh(at, source) for at, source in self._moments(month, self._scaled(plan.qualified))]
        come = [visit for visit in fresh if visit.at <= self.now]
        fresh = come[: max(len(come) - instead, 0)] + fresh[len(come) :]
        below = [self._below(at) for at, _ in self._moments(month, self._scaled(plan.below))]
        unusable = [
            replace(self._fresh(at, source), fate=self.random.choice(("duplicate", "unusable_contact_data", "test_or_spam")))
            for at, source in self._moments(month, self._scaled(UNDELIVERED))
        ]
        returning = [visit for visit in self._coming_back[month]]
        good = sorted(fresh + returning, key=lambda visit: visit.at)
        self._decide_fates(good, below, plan)
        visits = sorted(good + below + unusable, key=lambda visit: visit.at)
        self._mark(visits, plan)
        for visit in visits:
            self._tell(visit, plan, index)
        for at, _ in self._moments(month, self._scaled(REFERRALS)):
            visit = self._visit(at, "Partner", fate=self.random.choice(("meeting", "meeting", "not_interested")))
            visit.record = replace(visit.record, campaign="Partner portal")
            self._tell(visit, MONTHS[-1], index)
        for at, source in self._moments(month, self._scaled(UNMATCHED)):
            self._receive(self._visit(at, source, country=self.random.choice(("NL", "FR", "PL", "US"))).record, at)
        for at, source in self._moments(month, self._scaled(WAITING)):
            self._receive(self._visit(at, source, company_size=self.random.randrange(8, 45)).record, at)
