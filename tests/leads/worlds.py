"""Random terms and histories around the changes of a zone's clocks, for `evaluate` and for the oracle."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from random import Random
from zoneinfo import ZoneInfo

from agreements.business_time import BusinessTime
from agreements.catalogue import CATALOGUE, Kind, Start
from agreements.terms import Promise, Rung, Terms
from leads.clocks import evaluate
from tests.leads.oracle import (
    Assignment,
    Attempt,
    Clock,
    Disposition,
    Dispute,
    Exclusion,
    Fact,
    History,
    Hold,
    Hours,
    clocks_of,
    facts_of,
    judge,
)

# Changes of an hour, half an hour and two, at midnight, in the southern winter, and for a month of fasting.
ZONES = (
    "Europe/Berlin",
    "Europe/London",
    "America/New_York",
    "America/St_Johns",
    "America/Havana",
    "Asia/Beirut",
    "Africa/Casablanca",
    "Pacific/Auckland",
    "Australia/Lord_Howe",
    "Antarctica/Troll",
)
YEAR = 2025

WEEKS = (
    dict.fromkeys(range(5), (("09:00", "17:30"),)),
    dict.fromkeys(range(5), (("08:00", "12:00"), ("13:00", "17:00"))),
    {**dict.fromkeys(range(5), (("09:00", "12:30"), ("13:00", "17:30"))), 5: (("10:00", "14:00"),)},
    dict.fromkeys(range(7), (("00:00", "02:30"), ("22:00", "24:00"))),
    dict.fromkeys(range(7), (("00:30", "01:30"), ("01:30", "02:30"), ("02:30", "03:00"), ("20:00", "24:00"))),
    {6: (("00:00", "24:00"),), 2: (("02:00", "02:30"), ("23:00", "23:30"))},
    dict.fromkeys(range(7), (("00:00", "24:00"),)),
)
SPECIAL = ([("09:00", "12:00")], [("00:00", "24:00")], [("01:00", "02:00"), ("03:00", "03:30")])
HALF_HOUR = timedelta(minutes=30)
MICROSECOND = timedelta(microseconds=1)
DAY = timedelta(days=1)


@dataclass(frozen=True)
class World:
    """Terms with their calendars, told to `evaluate` and to the oracle, histories under them, and a moment."""

    terms: Terms
    calendars: dict[str | None, BusinessTime]
    hours: dict[str | None, Hours]
    histories: list[History]
    now: datetime

    def evaluated(self, histories: Sequence[History] | None = None, now: datetime | None = None) -> list[Clock]:
        histories = self.histories if histories is None else histories
        return clocks_of(histories, evaluate(self.terms, self.calendars, facts_of(histories), now or self.now))

    def judged(self) -> list[Clock]:
        return [clock for history in self.histories for clock in judge(self.terms, self.hours, history, self.now)]


def clock_changes(zone: str) -> list[date]:
    """Local days of a year on which the zone's clocks change."""
    noons = [datetime(YEAR, 1, 1, 12, tzinfo=ZoneInfo(zone)) + timedelta(days=n) for n in range(365)]
    return [late.date() for early, late in pairwise(noons) if early.utcoffset() != late.utcoffset()]


def make_world(seed: int, zone: str, *, size: int, settled: bool = False) -> World:
    """Random terms and histories around one of the zone's clock changes; where settled all has happened by `now`."""
    random = Random(f"{zone} {seed}")
    changes = clock_changes(zone)
    change = datetime.combine(changes[seed % len(changes)], datetime.min.time(), UTC)
    begin = change - timedelta(days=random.randint(1, 9))
    calendars, hours = {None: BusinessTime.always()}, {None: make_hours("UTC", WEEKS[-1], {}, [], begin)}
    for name in ("first", "second"):
        weekly = random.choice(WEEKS)
        days = [begin.date() + timedelta(days=random.randint(0, 20)) for _ in range(random.choice([0, 0, 2, 4]))]
        special, closed = {day: random.choice(SPECIAL) for day in days[::2]}, days[1::2]
        calendars[name] = BusinessTime(zone, weekly, closed=closed, special=special)
        hours[name] = make_hours(zone, weekly, special, closed, begin)
    terms = make_terms(random, zone)
    span = timedelta(days=random.choice([1, 4, 12]))
    histories = [make_history(random, number, begin, span, terms) for number in range(size)]
    # The last fact comes at most two days and the span after the beginning and is entered within five days.
    now = begin + span + timedelta(days=8) if settled else begin + span * random.choice([0.5, 0.9, 1, 1.5])
    return World(terms, calendars, hours, histories, now)


def make_hours(zone: str, weekly: dict, special: dict, closed: list[date], begin: datetime) -> Hours:
    first, last = begin.date() - timedelta(days=9), begin.date() + timedelta(days=400)
    return Hours(zone, weekly, special, closed, first=first, last=last)


def make_terms(random: Random, zone: str) -> Terms:
    chosen = [
        (code, start)
        for code, kind in CATALOGUE.items()
        for start in kind.starts or (kind.fixed_start,)
        if random.random() < 0.6
    ]
    return Terms(
        agreement="Any",
        marketing_team="Marketing",
        sales_team="Sales",
        time_zone=zone,
        version=1,
        effective_from=None,
        ends_on=None,
        scope=(),
        score_threshold=None,
        criteria=(),
        required_fields=(),
        calendar="first",
        calendars={},
        promises=tuple(make_promise(random, n, code, start) for n, (code, start) in enumerate(chosen)),
        review_cadence="monthly",
        entry_grace_seconds=random.choice([0, 3600, 8 * 3600, 17 * 3600]),
        sealing_grace_seconds=0,
        dispute_seconds=0,
        monthly_cap=random.choice([None, None, 0, 8]),
        minimum_group=1,
    )


def make_promise(random: Random, index: int, code: str, start: Start | None) -> Promise:
    kind = CATALOGUE[code]
    limit = random.choice([0, 1800, 3600, 3600, 7200, 4 * 3600, 8 * 3600, 2 * 8 * 3600, 86400, 5 * 86400])
    return Promise(
        index=index,
        code=code,
        title=kind.label,
        kind=kind,
        calendar=random.choice(["first", "second", None]),
        scope=(),
        start=start,
        limit="",
        limit_seconds=limit if kind.has_limit else None,
        attempts=random.choice([1, 2, 3] if kind.needs_attempts else [None, None, 2]),
        target=None,
        monthly_targets={},
        baseline=None,
        consequence="",
        steps=tuple(make_rung(random, place, kind) for place in range(random.choice([0, 0, 1, 2, 3, 5]))),
    )


def make_rung(random: Random, index: int, kind: Kind) -> Rung:
    """A step at a share or an offset, some of them at the same moment as others, or before the start."""
    action = random.choice(kind.actions)
    if not kind.has_limit or random.random() < 0.7:
        share = Fraction(random.choice([1, 25, 50, 50, 80, 100, 100, 101, 150, 400]), 100)
        return Rung(index=index, action=action, share=share)
    return Rung(index=index, action=action, offset_seconds=60 * random.choice([-9999, -60, -30, -1, 0, 30, 60, 480]))


def make_history(random: Random, number: int, begin: datetime, span: timedelta, terms: Terms) -> History:
    """Facts at a few moments, most on the half hour, so that many fall together, on a bell or on a limit."""
    qualified_at = begin + HALF_HOUR * random.randint(0, 96)
    steps = span // HALF_HOUR
    moments = [qualified_at]
    for _ in range(random.randint(2, 12)):
        moment = qualified_at + HALF_HOUR * random.randint(-2, random.choice([8, steps]))
        moments.append(moment + MICROSECOND * random.choice([0, 0, 0, 0, 0, -1, 1]))
    ids = iter(random.sample(range(1, 100), 40))

    def some(*counts: int) -> list[dict]:
        return [{"id": next(ids) + 100 * number, "at": random.choice(moments)} for _ in range(random.choice(counts))]

    def entry(fact: dict) -> dict:
        later = random.choice([None, None, timedelta(0), HALF_HOUR, timedelta(hours=random.randint(-3, 99))])
        return {**fact, "entered_at": later if later is None else fact["at"] + later}

    def later(fact: dict) -> datetime | None:
        after = [fact["at"], *(moment for moment in moments if moment > fact["at"])]
        return random.choice(after) if random.random() < 0.8 else None

    def disposition(fact: dict) -> Disposition:
        verdict = random.choice(["accepted", "accepted", "recycled", "rejected"])
        if verdict == "accepted" or random.random() < 0.15:
            return Disposition(**entry(fact), verdict=verdict)
        return Disposition(
            **entry(fact),
            verdict=verdict,
            has_reason=True,
            quality=random.random() < 0.5,
            needs_contact=random.random() < 0.5,
            needs_attempts=random.choice([0, 0, 1, 2, 3]),
            undelivered=random.random() < 0.3,
        )

    def attempt(fact: dict) -> Attempt:
        outbound, touch = random.choice([(True, False), (True, False), (True, True), (False, True), (False, False)])
        return Attempt(**entry(fact), outbound=outbound, touch=touch)

    def dispute(fact: dict) -> Dispute:
        answered_at = later(fact)
        upheld = answered_at is not None and random.random() < 0.5
        return Dispute(**fact, answered_at=answered_at, upheld=upheld, asks=random.random() < 0.7)

    def assignment(fact: dict) -> Assignment:
        return Assignment(**fact, owned=random.random() < 0.75)

    assignments = [assignment(fact) for fact in some(0, 1, 1, 2, 3)]
    disputes = [dispute(fact) for fact in some(0, 0, 1, 2)]
    return History(
        id=number,
        qualified_at=qualified_at,
        first=random.random() < 0.8,
        below_definition=random.random() < 0.1,
        complete=random.random() < 0.8,
        out_of_scope=frozenset(bit for bit in range(30) if random.random() < 0.05),
        month_rank=random.randint(1, 10),
        known_at=random.choice([None, qualified_at, random.choice(moments), *around_history(qualified_at)]),
        assignments=assignments,
        attempts=[attempt(fact) for fact in some(0, 1, 2, 3, 5)],
        dispositions=[disposition(fact) for fact in some(0, 1, 1, 2, 3)],
        outcomes=[Fact(**entry(fact)) for fact in some(0, 0, 1, 2)],
        holds=[Hold(**fact, ended_at=later(fact)) for fact in some(0, 0, 1, 2, 3)],
        disputes=disputes,
        exclusions=[Exclusion(**fact, promise=random.choice(terms.promises).index) for fact in some(0, 0, 0, 1)],
        looked_at=make_looked_at(random, terms, [0, *(fact.id for fact in [*assignments, *disputes])]),
    )


def around_history(qualified_at: datetime) -> list[datetime]:
    """When the portal learned of it: as late as it may be, and so late that what came due before is history (L4)."""
    return [qualified_at + DAY, qualified_at + DAY + MICROSECOND, qualified_at + 3 * DAY]


def make_looked_at(random: Random, terms: Terms, subjects: Sequence[int]) -> frozenset[tuple[int, int, int]]:
    """Steps that came due already, of clocks that there are and of some that there are not."""
    odds = random.choice([0, 0.2, 0.6])
    return frozenset(
        (promise.index, subject, rung.index)
        for promise in terms.promises
        for rung in promise.steps
        for subject in subjects
        if random.random() < odds
    )
