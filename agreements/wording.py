"""Terms in plain English: what a version says, in sentences that both sides can sign. Pure; reads frozen terms only."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from itertools import groupby
from typing import Any

from agreements import ladders
from agreements.business_time import WEEKDAYS
from agreements.cadence import Cadence
from agreements.catalogue import Operator, Start
from agreements.phrases import (
    NBSP,
    day_of,
    enumeration,
    in_hours,
    month_of,
    noun,
    number,
    percentage,
    span,
    windows,
)
from agreements.terms import Promise, Terms, Test
from slaportal.models import Party

BOUNDS = (Operator.AT_LEAST, Operator.AT_MOST)
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
AROUND_THE_CLOCK = {str(day): [["00:00", "24:00"]] for day in range(7)}
# What a lead does that has the value; other fields, and other comparisons, are said with “has”.
VERBS = {
    "score": "scores",
    "company_size": "works for a company with a size of",
    "industry": "works in",
    "country": "is in",
    "seniority": "is",
    "source": "comes from",
    "segment": "belongs to",
}
PLAIN = (Operator.IS, Operator.ONE_OF, *BOUNDS)

STARTS = {
    Start.QUALIFIED: "after it qualifies",
    Start.ROUTED: "after it is first assigned",
    Start.ASSIGNED: "after each assignment",
    Start.ACCEPTED: "after accepting it",
}
# When the clock of a promise starts, whatever the promise; None is the answer to a dispute, which has no other start.
CLOCK_STARTS = {
    Start.QUALIFIED: "when the lead qualifies",
    Start.ROUTED: "when the lead is first assigned",
    Start.ASSIGNED: "at each assignment (afresh for each owner)",
    Start.ACCEPTED: "when sales accepts the lead",
    None: "with the dispute or request for data",
}


@dataclass(frozen=True)
class Clause:
    """One commitment: `text` continues “Sales will …” and names neither the consequence nor the ladder."""

    code: str
    title: str
    text: str
    consequence: str
    ladder: str = ""


@dataclass(frozen=True)
class Hours:
    """A calendar of the terms: opening hours, and what else decides whether a moment is open."""

    name: str
    open: str
    working_day: str
    special: tuple[str, ...]
    closed: tuple[tuple[int, tuple[str, ...]], ...]

    @property
    def text(self) -> str:
        """All but the closed days in sentences, behind the calendar's name."""
        sentences = [f"{self.open}. One business day is {self.working_day}."]
        if self.special:
            sentences.append(f"Other hours on {', '.join(self.special)}.")
        return " ".join(sentences)


@dataclass(frozen=True)
class Document:
    """A version on one page."""

    covers: str
    qualified: tuple[str, ...]
    promises: tuple[tuple[Party, tuple[Clause, ...]], ...]
    both: tuple[str, ...]
    notes: tuple[str, ...]
    calendars: tuple[Hours, ...]


def document(terms: Terms) -> Document:
    """Everything that the terms say, in the order in which it is read: marketing, sales, then what nobody signs for."""
    return Document(
        covers=f"This agreement covers {leads(terms.scope)}.",
        qualified=definition(terms),
        promises=tuple(
            (party, tuple(clause(promise, terms) for promise in terms.promises if promise.kind.party == party))
            for party in (Party.MARKETING, Party.SALES, Party.OPERATIONS)
            if any(promise.kind.party == party for promise in terms.promises)
        ),
        both=both(terms),
        notes=notes(terms),
        calendars=tuple(calendar(name, frozen) for name, frozen in sorted(terms.calendars.items())),
    )


def clause(promise: Promise, terms: Terms) -> Clause:
    """What the party will do, by when, for how many, and where it stands today."""
    text = CLAUSES[promise.kind.code](promise, terms)
    if promise.baseline is not None:
        figure = percentage(promise.baseline) if promise.is_share else number(promise.baseline)
        text += f"; today {figure}"
    return Clause(promise.code, promise.title, f"{text}.", promise.consequence, ladders.sentence(promise))


def definition(terms: Terms) -> tuple[str, ...]:
    """What makes a lead qualified, and a record complete."""
    asked = [f"scores {terms.score_threshold} or more"] if terms.score_threshold is not None else []
    asked += [_what_it_does(tests) for tests in _by_field(terms.criteria)]
    # A comma before the last “and” too, because the parts may be lists themselves.
    joined = ", and ".join(filter(None, [", ".join(asked[:-1]), *asked[-1:]]))
    sentences = [f"A qualified lead {joined}." if asked else "Every lead is a qualified lead."]
    if terms.required_fields:
        sentences.append(f"Its record is complete with {enumeration([noun(name) for name in terms.required_fields])}.")
    return tuple(sentences)


def both(terms: Terms) -> tuple[str, ...]:
    """What binds both sides alike."""
    day = _house_day(terms)
    together = review(terms)
    return (
        *([f"look at the scorecard together {together};"] if together else []),
        f"dispute a decision within {_days(terms.dispute_seconds, day)} of it, and not later;",
        f"enter what they did within {_days(terms.entry_grace_seconds, day)}: later entries are evidence and stop no "
        "clock;",
        f"take a scorecard as final {_days(terms.sealing_grace_seconds, day)} after its period ends.",
    )


def review(terms: Terms) -> str:
    """“on the first Tuesday of each month”; empty where no review is agreed, and without a day where none is named."""
    if not terms.review_cadence or terms.review_weekday is None:
        return terms.review_cadence
    day = WEEKDAYS[terms.review_weekday]
    if terms.review_cadence == Cadence.WEEKLY:
        return f"every {day}"
    return f"on the first {day} of each {terms.review_cadence.removesuffix('ly')}"


def notes(terms: Terms) -> tuple[str, ...]:
    """How the words above are meant, and first the four that figures rest on."""
    lines = [
        "An attempt is a call or message to the lead by a person, answered or not; automated ones and notes are none.",
        "A meaningful touch is a two-way contact with a person on both ends, whoever began it.",
        clock_start(terms),
        "A lead stays under the version in force when it qualified; no later version moves it.",
        f"Days and months begin in {terms.time_zone}; graces count in “{terms.calendar}” hours.",
        f"Groups of fewer than {terms.minimum_group} leads are reported as “too few”.",
    ]
    if terms.monthly_cap is not None:
        lines.append(f"Sales’ speed and follow-through count for the first {terms.monthly_cap} leads of a month.")
    if terms.ends_on is not None:
        lines.append(f"The agreement ends with {day_of(terms.ends_on)}.")
    return tuple(lines)


def clock_start(terms: Terms) -> str:
    """When the clocks of these terms start (rules C3, C6), and what they count: only what a promise here uses."""
    timed = [promise for promise in terms.promises if promise.limit_seconds is not None]
    if not timed:
        return "No promise here has a time limit, so no clock starts."
    starts = {promise.start for promise in timed}
    calendars = sorted({promise.calendar for promise in timed if promise.calendar is not None})
    counted = []
    if calendars:
        counted.append(f"business time counts only in the open hours of {_either([f'“{name}”' for name in calendars])}")
    if any(promise.calendar is None for promise in timed):
        counted.append("other time day and night" if calendars else "time counts day and night")
    begins = _either([words for start, words in CLOCK_STARTS.items() if start in starts])
    return f"A clock starts {begins}; what came before does not stop it, and {', '.join(counted)}."


def leads(scope: Sequence[Test], every: str = "every lead") -> str:
    """“every lead scoring at least 80 whose source is webinar or event”."""
    scoring, others = [], []
    for tests in _by_field(scope):
        if tests[0].field == "score" and tests[0].operator in BOUNDS:
            scoring.append(f"scoring {_comparison(tests)}")
        else:
            others.append(_condition(tests))
    return " ".join([every, *scoring, *([f"whose {enumeration(others)}"] if others else [])])


def criterion(test: Test) -> str:
    """What one criterion asks: “company size is at least 200”."""
    return _condition([test])


def hours(frozen: Mapping[str, Any]) -> str:
    """“Mon–Fri 9:00–17:30, Europe/Berlin”: opening hours of a frozen calendar, with its zone."""
    weekly = {day: [list(pair) for pair in pairs] for day, pairs in frozen["hours"].items()}
    if weekly == AROUND_THE_CLOCK and not frozen["closed"] and not frozen["special"]:
        return "around the clock"
    days = [(day, windows(weekly.get(str(day), []))) for day in range(7)]
    spans = []
    for text, run in groupby(days, key=lambda day: day[1]):
        first, *rest = [DAYS[day] for day, _ in run]
        if text:
            spans.append(f"{first}–{rest[-1]} {text}" if rest else f"{first} {text}")
    return f"{', '.join(spans) or 'on special days only'}, {frozen['time_zone']}"


def calendar(name: str, frozen: Mapping[str, Any]) -> Hours:
    """A frozen calendar with its business day (rule T4), days with other hours and closed days by year."""
    closed = sorted((date.fromisoformat(day), why) for day, why in frozen["closed"].items())
    return Hours(
        name=name,
        open=hours(frozen),
        working_day=in_hours(frozen["working_day_seconds"]),
        special=tuple(
            f"{day_of(date.fromisoformat(day))} {windows(pairs)}" for day, pairs in sorted(frozen["special"].items())
        ),
        closed=tuple(
            (year, tuple(f"{day:%-d %b} {why}" for day, why in days))
            for year, days in groupby(closed, key=lambda entry: entry[0].year)
        ),
    )


# --- One sentence for each kind of the catalogue -----------------------------------------------------------------


def _volume(promise: Promise, terms: Terms) -> str:
    least = f"at least {number(promise.target)} " if promise.target is not None else ""
    months = [f"{number(figure)} in {month_of(month)}" for month, figure in sorted(promise.monthly_targets.items())]
    return (
        f"hand over {least}{leads(promise.scope, 'qualified leads')} a month"
        f"{f' ({enumeration(months)})' if months else ''}, not counting duplicates, unusable contact data and leads "
        "that come back after recycling"
    )


def _definition_fit(promise: Promise, terms: Terms) -> str:
    return f"see to it that {_at_least(promise)}handoffs{_of(promise)} meet the definition of a qualified lead"


def _completeness(promise: Promise, terms: Terms) -> str:
    return f"see to it that {_at_least(promise)}handoffs{_of(promise)} have a complete record"


def _acceptance_rate(promise: Promise, terms: Terms) -> str:
    return (
        f"hand over leads{_of(promise)} that sales accepts: {_at_least(promise) or 'counted among '}those that it "
        "accepts, or rejects for a reason about quality"
    )


def _reasons_documented(promise: Promise, terms: Terms) -> str:
    return f"give a reason code for {_at_least(promise)}the leads{_of(promise)} that it recycles or rejects"


def _attempts_before_giving_up(promise: Promise, terms: Terms) -> str:
    return (
        f"give up a lead only after the{f' {promise.attempts}' if promise.attempts else ''} attempts that the reason "
        f"needs, for {_at_least(promise)}"
        f"the leads{_of(promise)} given up for such a reason"
    )


def _dispute_answer(promise: Promise, terms: Terms) -> str:
    return (
        f"answer every dispute or request for data{_of(promise)} {_within(promise, terms, '')}{_share(promise, 'them')}"
    )


def _attempts(promise: Promise, terms: Terms) -> str:
    tries = "once" if promise.attempts == 1 else f"{promise.attempts} times"
    return (
        f"try {leads(promise.scope)} at least {tries} {_within(promise, terms)}, unless it is reached sooner"
        f"{_share(promise)}"
    )


def _contact_after_acceptance(promise: Promise, terms: Terms) -> str:
    lead = leads(promise.scope, "every accepted lead")
    return f"make contact with {lead} {_within(promise, terms)}{_share(promise)}"


def _timed(doing: str) -> Callable[[Promise, Terms], str]:
    """The sentence of a time limit: `doing` has a gap for the leads in scope."""

    def words(promise: Promise, terms: Terms) -> str:
        return f"{doing.format(leads(promise.scope))} {_within(promise, terms)}{_share(promise)}"

    return words


CLAUSES: dict[str, Callable[[Promise, Terms], str]] = {
    "volume": _volume,
    "definition_fit": _definition_fit,
    "completeness": _completeness,
    "acceptance_rate": _acceptance_rate,
    "dispute_answer": _dispute_answer,
    "routing": _timed("give {} an owner"),
    "acceptance": _timed("accept, recycle or reject {}"),
    "first_response": _timed("make first contact with {}"),
    "first_touch": _timed("reach {}, with an answer,"),
    "contact_after_acceptance": _contact_after_acceptance,
    "attempts": _attempts,
    "disposition": _timed("bring {} to an outcome, or recycle or reject it with a reason,"),
    "attempts_before_giving_up": _attempts_before_giving_up,
    "reasons_documented": _reasons_documented,
}


# --- Parts of sentences -------------------------------------------------------------------------------------------


def _within(promise: Promise, terms: Terms, start: str | None = None) -> str:
    """“within 4 business hours after accepting it (Mon–Fri 9:00–17:30)”."""
    if promise.calendar is not None:
        when = f" ({_short_hours(promise.calendar, terms)})"
    else:
        when = ", nights and weekends included"
    begin = STARTS[promise.start] if start is None and promise.start else start
    return " ".join(filter(None, ["within", span(promise.limit), begin])) + when


def _short_hours(name: str, terms: Terms) -> str:
    """The opening hours where they are one span; else the calendar's name, whose hours stand on the same page.

    A zone is named where it is not the agreement's.
    """
    text = hours(terms.calendars[name])
    return text.removesuffix(f", {terms.time_zone}") if text.count(", ") < 2 else f"“{name}” hours"


def _share(promise: Promise, what: str = "handoffs") -> str:
    """“, for at least 95 % of handoffs a month”; nothing where no target is agreed."""
    return f", for {_at_least(promise)}{what} a month" if promise.target is not None else ""


def _at_least(promise: Promise) -> str:
    """“at least 95 % of ”; nothing where no target is agreed."""
    if promise.target is None:
        return ""
    return f"{'' if promise.target == 1 else 'at least '}{percentage(promise.target)} of "


def _of(promise: Promise) -> str:
    """The scope of a share, behind the word that it narrows."""
    return leads(promise.scope, "")


def _either(words: Sequence[str]) -> str:
    """“a”, or “a or b, as the promise says” where promises differ."""
    return f"{enumeration(words, 'or')}{', as the promise says' if len(words) > 1 else ''}"


def _by_field(tests: Iterable[Test]) -> list[list[Test]]:
    """Tests in their order, with a lower and an upper bound of the same number side by side."""
    together: dict[object, list[Test]] = {}
    for index, test in enumerate(tests):
        together.setdefault(test.field if test.operator in BOUNDS else index, []).append(test)
    return list(together.values())


def _comparison(tests: Sequence[Test]) -> str:
    """What is asked of one field, without its name: “at least 80”, “50 to 500”, “VP or C-suite”."""
    values = {test.operator: test.values for test in tests}
    if len(tests) == 2 and len(values) == 2:
        return f"{values[Operator.AT_LEAST][0]} to {values[Operator.AT_MOST][0]}"
    return enumeration([_asked(test) for test in tests])


def _asked(test: Test) -> str:
    match test.operator:
        case Operator.IS_NOT:
            return f"not {enumeration(test.values)}"
        case Operator.AT_LEAST | Operator.AT_MOST:
            return f"{test.operator.value} {enumeration(test.values)}"
        case Operator.NONE_OF:
            return f"none of {enumeration(test.values)}"
        case Operator.EMPTY:
            return "empty"
        case Operator.FILLED:
            return "known"
        case _:
            return enumeration(test.values, "or")


def _condition(tests: Sequence[Test]) -> str:
    """“company size is 50 to 500”, “title contains “head””."""
    test = tests[0]
    if test.operator == Operator.CONTAINS:
        return f"{noun(test.field)} contains “{enumeration(test.values)}”"
    return f"{noun(test.field)} is {_comparison(tests)}"


def _what_it_does(tests: Sequence[Test]) -> str:
    """“works for a company with a size of 50 to 500”, “has no phone number”."""
    test = tests[0]
    if test.field in VERBS and test.operator in PLAIN:
        return f"{VERBS[test.field]} {_comparison(tests)}"
    name = noun(test.field)
    article = "an" if name[0] in "aeiou" else "a"
    match test.operator:
        case Operator.EMPTY:
            return f"has no {name}"
        case Operator.FILLED:
            return f"has {article} {name}"
        case Operator.CONTAINS:
            return f"has {article} {name} that contains “{enumeration(test.values)}”"
        case _:
            return f"has {article} {name} that is {_comparison(tests)}"


def _house_day(terms: Terms) -> int:
    """Seconds of one business day of the terms' own calendar."""
    return terms.calendars[terms.calendar]["working_day_seconds"]


def _days(seconds: int, working_day: int) -> str:
    amount = number(Fraction(seconds, working_day))
    return f"{amount}{NBSP}business {'day' if amount == '1' else 'days'}"
