"""Which leads come in the demo, when, and what will become of each. Pure: decided by a seed, the months and `now`.

Every month has fixed numbers, so that any seed tells the same story: half a year ago too few leads, slow reviews and
contacts, rejections without a reason; better each month from version 2 on.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from math import ceil
from random import Random
from zoneinfo import ZoneInfo

from agreements.business_time import BusinessTime
from leads.periods import Period
from leads.records import LeadRecord

FIRST_NAMES = (
    "Ines", "Tom", "Marta", "Jonas", "Sina", "Peter", "Aylin", "Karla", "Mehmet", "Anja", "Ralf", "Birgit", "Oskar",
    "Leonie", "Fabian", "Yasmin", "Dirk", "Helena", "Milan", "Petra", "Georg", "Silke", "Armin", "Nadine", "Kerim",
    "Judith", "Lars", "Vera", "Florian", "Ute", "Matteo", "Selma", "Bernd", "Carina", "Ivo", "Greta",
)  # fmt: skip
LAST_NAMES = (
    "Albrecht", "Reuter", "Lindner", "Frey", "Odermatt", "Vogt", "Demir", "Aebischer", "Kowalski", "Thalmann",
    "Brückner", "Steinhauser", "Wimmer", "Zeller", "Hagedorn", "Pfister", "Rosenow", "Kaltenbach", "Mertens",
    "Jovanović", "Oberhuber", "Dornseif", "Lüthi", "Sommerfeld", "Engel", "Kramer", "Yıldız", "Hellwig", "Bachmeier",
    "Nussbaum", "Ritter", "Schöller", "Tanner", "Uhlig", "Winterberg", "Zimmerli",
)  # fmt: skip
BRANDS = (
    "Nordhaus", "Kesselring", "Brennwald", "Lindhof", "Auental", "Weserwerk", "Falkenried", "Tannbach", "Sternau",
    "Elbmark", "Rotacker", "Hagental", "Moorkamp", "Silbergrund", "Ostermoor", "Buchfeld", "Wiesental", "Grauhof",
    "Erlenbrück", "Kronsee", "Steinmark", "Waldau", "Birkenfels", "Hohenried", "Marschau", "Quellhof", "Rosenberg",
    "Tiefenbrunn", "Ahornau", "Lerchenfeld",
)  # fmt: skip
TRADES = {
    "Logistics": ("Logistik", "Spedition"),
    "Manufacturing": ("Maschinenbau", "Werkzeuge"),
    "Software": ("Software", "Systeme"),
    "Healthcare": ("Medizintechnik", "Kliniken"),
    "Energy": ("Energie", "Solar"),
}
SPELT_OUT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ı": "i"})
TITLES = {
    "VP": ("VP Operations", "VP Sales", "VP Engineering", "VP Marketing", "VP Supply Chain"),
    "C-suite": ("CEO", "COO", "CFO", "CTO", "CIO"),
    "Manager": ("Team Lead Purchasing", "IT Manager", "Marketing Manager"),
}
WEBINAR, EVENT, SYNDICATED, PARTNER = "Webinar", "Event list", "Content download", "Partner"
CAMPAIGNS = {
    "Inbound demo": "Website",
    SYNDICATED: "Planning guide",
    "Paid social": "Customer stories",
    WEBINAR: "Planning live",
    EVENT: "Trade fair",
    PARTNER: "Partner portal",
}
ALONE = {"Inbound demo": 50, SYNDICATED: 20, "Paid social": 25, WEBINAR: 5}
# Lists that are uploaded at once, once a month: source, share of the month's leads, weekday, hour and minute.
UPLOADS = ((WEBINAR, 0.20, 3, (12, 5)), (EVENT, 0.14, 1, (9, 40)), (SYNDICATED, 0.10, 0, (8, 30)))
# When single leads come: by local hour from 7 o'clock on, and on days when the office is closed.
HOURS = (2, 5, 9, 11, 11, 8, 7, 9, 10, 9, 7, 4, 3, 3, 2)
CLOSED_DAY = 0.3

# What becomes of a lead: a meeting, or the reason code for which sales gives it back.
MEETING = "meeting"
UNDELIVERED = ("duplicate", "unusable_contact_data", "test_or_spam")
AT_REVIEW = (*UNDELIVERED, "below_definition", "not_target")
QUALITY = ("not_target", "no_budget", "not_target", "not_qualified")
OTHERWISE = {"no_answer": 0.15, "bad_timing": 0.07, "not_interested": 0.05}


# When a lead comes, in UTC, and from where.
Source = tuple[datetime, str]


@dataclass(frozen=True)
class Month:
    """How a month goes: numbers of leads, and shares of the handoffs to which something can happen."""

    qualified: int  # as volume counts them
    below: int  # handed over although below the definition
    refused: float  # for quality, of those accepted or so refused
    late_review: float
    late_contact: float
    few_attempts: float  # of those whom nobody reaches
    no_reason: float
    incomplete: float
    slow_routing: float
    slow_answer: float


# The six full months and the running one.
MONTHS = (
    Month(34, 7, 0.40, 0.34, 0.42, 0.9, 0.40, 0.24, 0.10, 1),
    Month(38, 6, 0.36, 0.29, 0.36, 0.9, 0.30, 0.20, 0.08, 1),
    Month(43, 5, 0.31, 0.22, 0.28, 0.8, 0.25, 0.15, 0.07, 1),
    Month(47, 4, 0.25, 0.12, 0.15, 0.8, 0.15, 0.08, 0.04, 0.5),
    Month(53, 2, 0.18, 0.08, 0.08, 0.5, 0.08, 0.05, 0.03, 0),
    Month(58, 1, 0.12, 0.03, 0.03, 0.1, 0, 0.02, 0.02, 0),
    Month(60, 1, 0.12, 0.02, 0.02, 0.1, 0, 0.02, 0.02, 0),
)
# The month from which version 2 is in force.
SECOND_VERSION = 3
# Besides them, each month: never delivered, outside every scope, not yet qualified, referred by partners.
UNUSABLE, UNMATCHED, WAITING, REFERRED = 3, 4, 3, 4


@dataclass
class Visit:
    """One passage of a lead through sales: what it is received as, what becomes of it, and what goes wrong (`marks`).

    `upload` is true where it came with a list.
    """

    record: LeadRecord
    fate: str = MEETING
    upload: bool = False
    marks: set[str] = field(default_factory=set)

    @property
    def at(self) -> datetime:
        """When it is received, in UTC."""
        return self.record.received_at


class Leads:
    """Invents leads. `scale` multiplies all numbers of a month; `office` says which days are open."""

    def __init__(self, *, random: Random, zone: ZoneInfo, office: BusinessTime, scale: float) -> None:
        self.random, self.zone, self.office, self.scale = random, zone, office, scale
        self._count = 0

    def lists(self, period: Period) -> list[Source]:
        """The lists of a month, each uploaded at once on an open day."""
        found = []
        for source, _, weekday, (hour, minute) in UPLOADS:
            days = [day for day in period.days() if day.weekday() == weekday and self._is_open(day)]
            found.append((self._local(self.random.choice(days), hour, minute), source))
        return found

    def alone(self, period: Period, number: int) -> list[Source]:
        """When so many leads come one by one in a month, and from where."""
        days = list(period.days())
        weights = [1 if self._is_open(day) else CLOSED_DAY for day in days]
        found = []
        for day in self.random.choices(days, weights, k=number):
            hour = 7 + self.random.choices(range(len(HOURS)), HOURS)[0]
            at = self._local(day, hour, self.random.randrange(60), self.random.randrange(60))
            found.append((at, self.random.choices(list(ALONE), list(ALONE.values()))[0]))
        return found

    def month(
        self,
        plan: Month,
        period: Period,
        lists: Sequence[Source],
        returning: Iterable[Visit],
        *,
        now: datetime,
        spared: int,
    ) -> list[Visit]:
        """The handoffs of a month's leads, in the order in which they come, with fates and marks.

        Of the leads that come by `now` so many as `spared` are left out, because others stand for them.
        """
        number = self._scaled(plan.qualified)
        fresh = [
            self.visit(*listed, upload=True)
            for listed, (_, share, _, _) in zip(lists, UPLOADS, strict=True)
            for _ in range(round(share * number))
        ]
        fresh += [self.visit(*single) for single in self.alone(period, number - len(fresh))]
        come = [visit for visit in fresh if visit.at <= now]
        spare = self.random.sample(come, min(spared, len(come)))
        fresh = [visit for visit in fresh if visit not in spare]
        for visit in self.some(fresh, 0.05):
            visit.marks.add("waits first")
        # What is wrong with a lead comes with lists, which nobody looked through.
        below = [self._below(*self.random.choice(lists)) for _ in range(self._scaled(plan.below))]
        unusable = [self.visit(*self.random.choice(lists), upload=True) for _ in range(self._scaled(UNUSABLE))]
        for index, visit in enumerate(unusable):
            visit.fate = UNDELIVERED[index % len(UNDELIVERED)]
            earlier = [other for other in fresh if other.at < visit.at]
            if visit.fate == "duplicate" and earlier:
                known_as = self.random.choice(earlier).record
                same = ("contact_id", "name", "email", "phone", "company", "title", "seniority", "company_size")
                visit.record = replace(visit.record, **{name: getattr(known_as, name) for name in same})
        good = sorted([*fresh, *returning], key=lambda visit: visit.at)
        self._decide(good, below, plan)
        visits = sorted([*good, *below, *unusable], key=lambda visit: visit.at)
        self._mark(visits, plan)
        return visits

    def beside(self, lists: Sequence[Source]) -> list[LeadRecord]:
        """Leads on the same lists that begin no handoff: from abroad, or in scope but too small."""
        abroad = [{"country": self.random.choice(("NL", "FR", "PL", "US"))} for _ in range(self._scaled(UNMATCHED))]
        small = [{"company_size": self.random.randrange(8, 48), "score": 30} for _ in range(self._scaled(WAITING))]
        return [self.record(*self.random.choice(lists), **fields) for fields in (*abroad, *small)]

    def referrals(self, period: Period) -> list[Visit]:
        """Leads that partners send in a month."""
        fates = (MEETING, MEETING, MEETING, "not_interested")
        moments = [at for at, _ in self.alone(period, self._scaled(REFERRED))]
        return [replace(self.visit(at, PARTNER), fate=fates[index % 4]) for index, at in enumerate(moments)]

    def visit(self, at: datetime, source: str, *, upload: bool = False, **overrides: object) -> Visit:
        """A lead that qualifies when it comes."""
        return Visit(self.record(at, source, **overrides), upload=upload)

    def record(self, at: datetime, source: str, **overrides: object) -> LeadRecord:
        """A lead inside the ideal customer profile, received at `at`."""
        pick = self.random.choice
        self._count += 1
        first, last, brand = pick(FIRST_NAMES), pick(LAST_NAMES), pick(BRANDS)
        trade = pick(list(TRADES))
        kind = pick(TRADES[trade])
        seniority = pick(("VP", "VP", "C-suite"))
        size = int(self.random.triangular(52, 500, 140))
        fields = {
            "contact_id": f"P-{self._count:05}",
            "name": f"{first} {last}",
            "email": f"{_plain(first)}.{_plain(last)}@{_plain(brand)}-{_plain(kind)}.example",
            "phone": f"+49 30 555 {self.random.randrange(1000, 9999)}",
            "company": f"{brand} {kind}",
            "title": pick(TITLES[seniority]),
            "seniority": seniority,
            "company_size": size,
            "industry": trade,
            "country": self.random.choices(("DE", "AT", "CH"), (7, 2, 2))[0],
            "score": self.random.randrange(58, 99),
            "source": source,
            "campaign": CAMPAIGNS[source],
            "segment": "Mid-market" if size >= 150 else "Small business",
            "engaged_at": at - timedelta(minutes=self.random.randrange(2, 600)),
        }
        return LeadRecord(
            source_system="crm", external_id=f"L-{self._count:05}", received_at=at, **{**fields, **overrides}
        )

    def some(self, items: Sequence[Visit], share: float) -> list[Visit]:
        """So large a share of them, rounded down."""
        return self.random.sample(items, int(share * len(items)))

    def _below(self, at: datetime, source: str) -> Visit:
        """A lead that marketing hands over although it misses the definition."""
        short = self.random.choice((
            {"company_size": self.random.randrange(12, 48), "segment": "Small business"},
            {"seniority": "Manager", "title": self.random.choice(TITLES["Manager"])},
        ))  # fmt: skip
        return self.visit(at, source, upload=True, handed_over=True, **short)

    def _decide(self, good: list[Visit], below: list[Visit], plan: Month) -> None:
        """Give each its fate, in exact numbers; some of those below the definition are accepted all the same."""
        sent_back = ceil(0.7 * len(below))
        for visit in below[:sent_back]:
            visit.fate = "below_definition"
        fates = [fate for fate, share in OTHERWISE.items() for _ in range(round(share * len(good)))]
        judged = len(good) - len(fates) + len(below)
        refused = max(round(plan.refused * judged) - sent_back, 0)
        fates += [QUALITY[index % len(QUALITY)] for index in range(refused)]
        for visit, fate in zip(self.random.sample(good, len(good)), fates, strict=False):
            visit.fate = fate

    def _mark(self, visits: list[Visit], plan: Month) -> None:
        """Say what goes wrong with which, in exact numbers."""
        worked = [visit for visit in visits if visit.fate not in AT_REVIEW]
        returned = [visit for visit in visits if visit.fate != MEETING]
        single = [visit for visit in visits if not visit.upload]
        unfit = [visit for visit in visits if visit.fate == "not_target"]
        # Whatever came before a closed day waits longest.
        slowest = sorted(self.some(visits, 1), key=lambda visit: not self._waits(visit.at))
        chosen = {
            "late review": slowest[: int(plan.late_review * len(visits))],
            "late contact": self.some(worked, plan.late_contact),
            "few attempts": self.some([visit for visit in visits if visit.fate == "no_answer"], plan.few_attempts),
            # Without a reason nobody can say that it was about quality, so these are others.
            "no reason": [visit for visit in returned if visit.fate in OTHERWISE][
                : int(plan.no_reason * len(returned))
            ],
            "incomplete": self.some(visits, plan.incomplete),
            "slow routing": self.random.sample(single, min(int(plan.slow_routing * len(visits)), len(single))),
            "question": self.some(worked, 0.06),
            "slow answer": self.some(visits, plan.slow_answer),
            "protest": self.random.sample(unfit, ceil(0.25 * len(unfit))),
            "hold": self.some([visit for visit in visits if visit.fate == MEETING], 0.06),
            "new owner": self.some(worked, 0.04),
            "calls in": self.some(worked, 0.08),
        }
        for mark, marked in chosen.items():
            for visit in marked:
                visit.marks.add(mark)
        for visit in chosen["incomplete"]:
            visit.record = replace(visit.record, **{self.random.choice(("phone", "title")): ""})

    def _scaled(self, number: int) -> int:
        return max(1, round(number * self.scale))

    def _waits(self, at: datetime) -> bool:
        """Whether nobody is in the office soon enough to review within a day."""
        return self.office.deadline(at, timedelta(minutes=30)) > at + timedelta(hours=23)

    def _is_open(self, day: date) -> bool:
        start = self._local(day, 0, 0)
        return self.office.elapsed(start, start + timedelta(days=1)) > timedelta(0)

    def _local(self, day: date, hour: int, minute: int, second: int = 0) -> datetime:
        return datetime(day.year, day.month, day.day, hour, minute, second, tzinfo=self.zone).astimezone(UTC)


def _plain(text: str) -> str:
    """Letters that fit an address."""
    bare = unicodedata.normalize("NFKD", text.lower().translate(SPELT_OUT))
    return "".join(letter for letter in bare if letter.isascii() and letter.isalnum())
