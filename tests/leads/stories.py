"""Small histories told in local time of a week, and what `evaluate` and the oracle, which must agree, say of them."""

import re
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

from agreements.business_time import BusinessTime
from agreements.catalogue import CATALOGUE, Action
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

MONDAY = datetime(2025, 3, 3, tzinfo=ZoneInfo("Europe/Berlin"))
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
WEEK = dict.fromkeys(range(5), (("09:00", "17:00"),))
EVERY_HOUR = dict.fromkeys(range(7), (("00:00", "24:00"),))
NIGHTS = dict.fromkeys(range(7), (("00:00", "06:00"),))
SPAN = {"first": MONDAY.date() - timedelta(days=30), "last": MONDAY.date() + timedelta(days=270)}
CALENDARS = {
    "office": BusinessTime("Europe/Berlin", WEEK),
    "nights": BusinessTime("Europe/Berlin", NIGHTS),
    None: BusinessTime.always(),
}
HOURS = {
    "office": Hours("Europe/Berlin", WEEK, {}, [], **SPAN),
    "nights": Hours("Europe/Berlin", NIGHTS, {}, [], **SPAN),
    None: Hours("UTC", EVERY_HOUR, {}, [], **SPAN),
}

MOMENT = r"(?:\w{3}\d* )?\d\d:\d\d(?::[\d.]+)?"
FACT = re.compile(rf"({MOMENT})(?: to ({MOMENT}))?(?: (?!written)(.+?))?(?: written ({MOMENT}))?")
WORDS = {
    "assigned": ("assignments", Assignment, {}),
    "called": ("attempts", Attempt, {}),
    "spoke": ("attempts", Attempt, {"touch": True}),
    "replied": ("attempts", Attempt, {"outbound": False, "touch": True}),
    "mailed": ("attempts", Attempt, {"outbound": False}),
    "accepted": ("dispositions", Disposition, {"verdict": "accepted"}),
    "recycled": ("dispositions", Disposition, {"verdict": "recycled"}),
    "rejected": ("dispositions", Disposition, {"verdict": "rejected"}),
    "won": ("outcomes", Fact, {}),
    "held": ("holds", Hold, {}),
    "asked": ("disputes", Dispute, {}),
    "disputed": ("disputes", Dispute, {"asks": False}),
    "granted": ("exclusions", Exclusion, {}),
}
FLAGS = {
    "returned": {"first": False},
    "incomplete": {"complete": False},
    "below_definition": {"below_definition": True},
    "out_of_scope": {"out_of_scope": frozenset({0})},
}
ENDS = {Hold: "ended_at", Dispute: "answered_at"}
DETAILS = {
    None: {},
    "to the queue": {"owned": False},
    "upheld": {"upheld": True},
    "duplicate": {"has_reason": True, "undelivered": True},
    "wrong region": {"has_reason": True, "quality": True},
    "bad fit": {"has_reason": True, "quality": True, "needs_contact": True},
    "bad timing": {"has_reason": True, "needs_contact": True},
    "silent": {"has_reason": True, "needs_contact": True, "needs_attempts": 3},
}


def at(text: str) -> datetime:
    """“Tue 10:00” of the week of 3 March 2025, in Berlin; “Tue2 10:00” is a week later, and “10:00” on Monday."""
    day, time = text.split() if " " in text else ("Mon", text)
    hour, minute, second = (*time.split(":"), "0")[:3]
    days = DAYS.index(day[:3]) + 7 * (int(day[3:] or 1) - 1)
    wall = MONDAY + timedelta(days=days, hours=int(hour), minutes=int(minute), seconds=float(second))
    return wall.astimezone(UTC)


def hours(text: str) -> timedelta:
    """“1:30” is an hour and a half."""
    hour, minute = text.split(":")
    return timedelta(hours=int(hour), minutes=int(minute))


def told(*, qualified: str = "10:00", **said) -> History:
    """A handoff with facts such as `called="11:00, 12:00 written Tue 09:00"`, `rejected="12:00 bad fit"`.

    The facts of a table count from 1 in the order told. Called is tried in vain, replied is that they came to us,
    mailed is by a machine; held and asked may say until when, and assigned may be “to the queue”. The words of `FLAGS`
    are said by `True`; known is when the portal learned of it.
    """
    tables: dict[str, list[Fact]] = {table: [] for table, _, _ in WORDS.values()}
    for word in [word for word in said if word in WORDS]:
        table, make, flags = WORDS[word]
        for text in said.pop(word).split(", "):
            begin, end, detail, written = FACT.fullmatch(text).groups()
            entered_at = at(written) if written else None
            ends = {ENDS[make]: at(end)} if end else {}
            number = len(tables[table]) + 1
            details = {**flags, **ends, **DETAILS[detail]}
            tables[table].append(make(id=number, at=at(begin), entered_at=entered_at, **details))
    if "known" in said:
        said["known_at"] = at(said.pop("known"))
    for word in [word for word in said if word in FLAGS]:
        said.pop(word)
        said |= FLAGS[word]
    return History(**{"id": 1, "qualified_at": at(qualified), **tables, **said})


def promised(
    kind: str, start=None, *, limit: str = "4:00", calendar="office", attempts=None, ladder: str = ""
) -> Promise:
    """A commitment of four business hours, or two attempts in them, unless said otherwise."""
    definition = CATALOGUE[kind]
    return Promise(
        index=0,
        code=kind,
        title=kind,
        kind=definition,
        calendar=calendar,
        scope=(),
        start=start or definition.fixed_start or (definition.starts or (None,))[0],
        limit=limit,
        limit_seconds=int(hours(limit).total_seconds()) if definition.has_limit else None,
        attempts=attempts or (2 if definition.needs_attempts else None),
        target=None,
        monthly_targets={},
        baseline=None,
        consequence="",
        steps=tuple(rung(index, text) for index, text in enumerate(ladder.split(", ")) if text),
    )


def rung(index: int, text: str) -> Rung:
    """“80% tell owner”, “-30 tell manager” half an hour before the limit, “+0 reassign” at it."""
    place, _, action = text.partition(" ")
    if place.endswith("%"):
        return Rung(index=index, action=Action(action), share=Fraction(place.removesuffix("%")) / 100)
    return Rung(index=index, action=Action(action), offset_seconds=60 * int(place))


def agreed(*promises: Promise, monthly_cap: int | None = None) -> Terms:
    """Terms with these promises and two business days of grace."""
    return Terms(
        agreement="DACH inbound",
        marketing_team="Marketing",
        sales_team="Sales",
        time_zone="Europe/Berlin",
        version=1,
        effective_from=None,
        ends_on=None,
        scope=(),
        score_threshold=None,
        criteria=(),
        required_fields=(),
        calendar="office",
        calendars={},
        promises=promises,
        review_cadence="monthly",
        entry_grace_seconds=16 * 3600,
        sealing_grace_seconds=0,
        dispute_seconds=0,
        monthly_cap=monthly_cap,
        minimum_group=1,
    )


def clocks(kind: str, start=None, *, now: str = "Fri2 12:00", monthly_cap=None, **said) -> list[Clock]:
    """The clocks of one history under one commitment, as both `evaluate` and the oracle see them."""
    words = {"limit", "calendar", "attempts", "ladder"} & said.keys()
    promise = promised(kind, start, **{word: said.pop(word) for word in words})
    terms, history = agreed(promise, monthly_cap=monthly_cap), told(**said)
    found = clocks_of([history], evaluate(terms, CALENDARS, facts_of([history]), at(now)))
    assert found == sorted(judge(terms, HOURS, history, at(now)))
    return found


def clock(kind, start=None, **said) -> Clock:
    """The clock that decides."""
    (deciding,) = [clock for clock in clocks(kind, start, **said) if clock.decides]
    return deciding


def verdict(kind, start=None, **said) -> str:
    """State and rule of the clock that decides."""
    deciding = clock(kind, start, **said)
    return f"{deciding.state}: {deciding.rule}"
