"""What changed between two versions of an agreement: a row for each difference, in words and numbers.

Pure; reads frozen terms only. `changes` is empty exactly where two terms say the same. Three things may differ unseen,
because they bind nobody: the version's number, a calendar's id, and the calendar that a promise names beside a limit in
calendar time, which counts on none.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction
from itertools import groupby
from math import ceil
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from agreements import ladders, phrases, wording
from agreements.business_time import WEEKDAYS
from agreements.marks import in_order
from agreements.terms import Promise, Rung, Terms, Test

Key = TypeVar("Key")
Frozen = Mapping[str, Any]

# Where a calendar names its days for a whole new year, more of them than these are counted instead of listed.
FEW_DAYS = 3


@dataclass(frozen=True)
class Change:
    """One difference of the terms, in words. `before` is blank for what is new, `after` for what is gone."""

    where: str
    before: str
    after: str


def changes(before: Terms, after: Terms) -> tuple[Change, ...]:
    """Every difference of the terms, in the order in which the document is read."""
    return tuple(_changes(before, after))


def _changes(before: Terms, after: Terms) -> Iterator[Change]:
    names = _calendars_that_stay(before.calendars, after.calendars)
    # What was only renamed is one change, not one for each promise that names it.
    before = replace(
        before,
        calendar=names.get(before.calendar, before.calendar),
        calendars={names.get(name, name): frozen for name, frozen in before.calendars.items()},
        promises=tuple(replace(one, calendar=names.get(one.calendar, one.calendar)) for one in before.promises),
    )
    yield from _aspects(BETWEEN, before, after)
    yield from _criteria("Leads covered", before.scope, after.scope)
    yield from _aspects(DEFINITION, before, after)
    yield from _criteria("A qualified lead", before.criteria, after.criteria)
    yield from _promises(before, after)
    yield from _aspects(TOGETHER, before, after)
    for was, now in names.items():
        if was != now:
            yield Change(f"Calendar “{now}” · name", was, now)
    for name in in_order(before.calendars, after.calendars):
        yield from _calendar(name, before.calendars.get(name), after.calendars.get(name))
    yield from _aspects(NOTE, before, after)


def _promises(before: Terms, after: Terms) -> Iterator[Change]:
    """Promises, paired by their codes."""
    old, new = ({promise.code: promise for promise in terms.promises} for terms in (before, after))
    titles = {code: promise.title for code, promise in {**old, **new}.items()}
    for code in in_order(old, new):
        title = titles[code] if list(titles.values()).count(titles[code]) == 1 else f"{titles[code]} ({code})"
        if code not in old:
            yield Change(title, "", _sentence(new[code], after))
        elif code not in new:
            yield Change(title, _sentence(old[code], before), "")
        else:
            yield from _aspects(OF_A_PROMISE, old[code], new[code], f"{title} · ")
            yield from _monthly_targets(title, old[code].monthly_targets, new[code].monthly_targets)
            yield from _criteria(f"{title} · leads", old[code].scope, new[code].scope)
            yield from _steps(f"{title} · ladder", old[code], new[code])
    yield from _order("Order of the promises", [c for c in old if c in new], [c for c in new if c in old], titles.get)


def _sentence(promise: Promise, terms: Terms) -> str:
    """The whole promise, for one that is new or gone."""
    clause = wording.clause(promise, terms)
    otherwise = f" If not: {clause.consequence}" if clause.consequence else ""
    ladder = f" {clause.ladder}" if clause.ladder else ""
    return f"{promise.kind.party.value.capitalize()} will {clause.text}{otherwise}{ladder}"


def _monthly_targets(title: str, before: Mapping[str, Fraction], after: Mapping[str, Fraction]) -> Iterator[Change]:
    for month in sorted(before.keys() | after.keys()):
        was, now = before.get(month), after.get(month)
        if was != now:
            words = ("" if figure is None else phrases.number(figure) for figure in (was, now))
            yield _told_apart(f"{title} · {phrases.month_of(month)}", *words, was, now)


def _criteria(where: str, before: Sequence[Test], after: Sequence[Test]) -> Iterator[Change]:
    """Criteria; one of the same field, and rather of the same comparison too, is one that changed."""
    alike = (lambda test: (test.field, test.operator), lambda test: test.field)
    yield from (_criterion(where, *pair) for pair in _changed(before, after, *alike))
    yield from _order(f"{where} · order", *_kept(before, after), str)


def _changed(
    before: Sequence[Key], after: Sequence[Key], *alike: Callable[[Key], object]
) -> Iterator[tuple[Key | None, Key | None]]:
    """What does not stand on both sides, paired with what it is most `alike`; then what is gone, and what is new."""
    was, now = list((Counter(before) - Counter(after)).elements()), list((Counter(after) - Counter(before)).elements())
    for of in alike:
        for old in list(was):
            new = next((one for one in now if of(one) == of(old)), None)
            if new is not None:
                was.remove(old)
                now.remove(new)
                yield old, new
    yield from ((old, None) for old in was)
    yield from ((None, new) for new in now)


def _kept(before: Sequence[Key], after: Sequence[Key]) -> tuple[list[Key], list[Key]]:
    """What stands on both sides, in the order of each."""
    kept = Counter(before) & Counter(after)
    return [one for one in before if one in kept], [one for one in after if one in kept]


def _criterion(where: str, before: Test | None, after: Test | None) -> Change:
    def words(test: Test | None) -> str:
        return f"{test.operator.label} {', '.join(test.values)}".strip() if test else ""

    def exactly(test: Test | None) -> object:
        return test and (test.field, test.operator, test.values)

    field = phrases.noun((after or before).field)
    return _told_apart(f"{where} · {field}", words(before), words(after), exactly(before), exactly(after))


def _steps(where: str, before: Promise, after: Promise) -> Iterator[Change]:
    """Steps; one that does the same at another moment, or else another thing at that moment, is one that changed."""

    def words(rung: Rung | None, promise: Promise) -> str:
        return ladders.step(rung, promise) if rung else ""

    def exactly(rung: Rung | None) -> object:
        return rung and {name: value for name, value in vars(rung).items() if name != "index"}

    old, new = ([replace(rung, index=0) for rung in promise.steps] for promise in (before, after))
    alike = (lambda rung: (rung.action, rung.team, rung.role), lambda rung: (rung.share, rung.offset_seconds))
    for was, now in _changed(old, new, *alike):
        yield _told_apart(where, words(was, before), words(now, after), exactly(was), exactly(now))
    yield from _order(f"{where} · order", *_kept(old, new), lambda rung: words(rung, after))


def _calendar(name: str, before: Frozen | None, after: Frozen | None) -> Iterator[Change]:
    where = f"Calendar “{name}”"
    if before is None or after is None:
        yield Change(where, *("" if one is None else wording.calendar(name, one).text for one in (before, after)))
        return
    yield from _aspects(OF_A_CALENDAR, before, after, f"{where} · ")
    yield from _days(f"{where} · other hours in", before["special"], after["special"], phrases.windows)
    yield from _days(f"{where} · closed days of", before["closed"], after["closed"], str)


def _days(where: str, before: Frozen, after: Frozen, words: Callable[[Any], str]) -> Iterator[Change]:
    """A row for each year with the days that differ."""

    def said(days: Sequence[str], these: Frozen, others: Frozen) -> str:
        named = [day for day in days if day in these]
        if len(named) > FEW_DAYS and not any(day[:4] == days[0][:4] for day in others):
            return f"{len(named)} days"
        return ", ".join(f"{date.fromisoformat(day):%-d %b} {words(these[day])}" for day in named)

    differing = sorted(day for day in before.keys() | after.keys() if before.get(day) != after.get(day))
    for year, group in groupby(differing, key=lambda day: day[:4]):
        days = list(group)
        was, now = ([(day, one[day]) for day in days if day in one] for one in (before, after))
        yield _told_apart(f"{where} {year}", said(days, before, after), said(days, after, before), was, now)


def _calendars_that_stay(before: Mapping[str, Frozen], after: Mapping[str, Frozen]) -> dict[str, str]:
    """Names then by names before: a calendar stays by its name, or under another name by its id."""
    names = {name: name for name in before if name in after}
    renamed = {frozen["id"]: name for name, frozen in after.items() if name not in before}
    for name, frozen in before.items():
        if name not in after and frozen["id"] in renamed:
            names[name] = renamed.pop(frozen["id"])
    return names


def _order(where: str, before: list[Key], after: list[Key], words: Callable[[Key], str]) -> Iterator[Change]:
    """What stands on both sides, if it stands in another order."""
    if before != after and Counter(before) == Counter(after):
        yield _told_apart(where, *(", ".join(map(words, things)) for things in (before, after)), before, after)


def _told_apart(where: str, was: str, now: str, before: object, after: object) -> Change:
    """The row; where both sides read alike, what stands in the terms is written out beside the words."""
    if was.split() == now.split():
        was, now = (
            _exactly(exact) if words == exact else f"{words} ({_exactly(exact)})"
            for words, exact in ((was, before), (now, after))
        )
    return Change(where, was, now)


def _exactly(value: object) -> str:
    """A value with every blank and quote of it to be seen."""
    return json.dumps(value, ensure_ascii=False, default=lambda one: vars(one) if isinstance(one, Test) else str(one))


# --- What is compared ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Aspect:
    """One thing that terms, or a promise or calendar of them, say: where, what is compared, and how it reads."""

    where: str
    value: Callable[[Any], object]
    words: Callable[[Any], str]


def _aspects(aspects: Iterable[Aspect], before: object, after: object, prefix: str = "") -> Iterator[Change]:
    for aspect in aspects:
        was, now = aspect.value(before), aspect.value(after)
        if was != now:
            yield _told_apart(f"{prefix}{aspect.where}", aspect.words(before), aspect.words(after), was, now)


def _aspect(where: str, value: Callable[[Any], Any], words: Callable[[Any], str] = str) -> Aspect:
    """An aspect with words for its value; None is said by silence."""
    return Aspect(where, value, lambda of: "" if value(of) is None else words(value(of)))


def _business_days(where: str, seconds: Callable[[Terms], int]) -> Aspect:
    """Business days as they were agreed: of their hundredths, terms keep the whole seconds."""

    def days(terms: Terms) -> Fraction:
        working_day = terms.calendars[terms.calendar]["working_day_seconds"]
        return Fraction(ceil(Fraction(100 * seconds(terms), working_day)), 100)

    return _aspect(where, days, lambda amount: phrases.span(f"{phrases.number(amount)} business days"))


def _figure(where: str, figure: Callable[[Promise], Fraction | None]) -> Aspect:
    """A target or baseline: a share, or a number of leads."""

    def words(promise: Promise) -> str:
        if figure(promise) is None:
            return ""
        return phrases.percentage(figure(promise)) if promise.is_share else f"{phrases.number(figure(promise))} a month"

    return Aspect(where, lambda promise: (figure(promise), promise.is_share), words)


def _effective_from(terms: Terms) -> str:
    if terms.effective_from is None:
        return "the second signature"
    return phrases.day_of(terms.effective_from.astimezone(ZoneInfo(terms.time_zone)).date())


BETWEEN = (
    _aspect("Name of the agreement", lambda terms: terms.agreement),
    _aspect("Marketing team", lambda terms: terms.marketing_team),
    _aspect("Sales team", lambda terms: terms.sales_team),
    _aspect("Time zone", lambda terms: terms.time_zone),
    Aspect("Effective from", lambda terms: terms.effective_from, _effective_from),
    _aspect("Ends with", lambda terms: terms.ends_on, phrases.day_of),
)
DEFINITION = (
    _aspect(
        "A qualified lead · score threshold", lambda terms: terms.score_threshold, lambda score: f"{score} or more"
    ),
    _aspect(
        "A complete record",
        lambda terms: terms.required_fields,
        lambda fields: phrases.enumeration([phrases.noun(field) for field in fields]),
    ),
)
OF_A_PROMISE = (
    _aspect("title", lambda promise: promise.title),
    Aspect("kind", lambda promise: promise.kind.code, lambda promise: promise.kind.label),
    _aspect("limit", lambda promise: promise.limit or None, phrases.span),
    _aspect("start", lambda promise: promise.start, lambda start: start.label),
    Aspect("hours", lambda promise: promise.calendar, lambda promise: promise.calendar or "every hour counts"),
    _aspect("attempts", lambda promise: promise.attempts),
    _figure("target", lambda promise: promise.target),
    _figure("baseline", lambda promise: promise.baseline),
    _aspect("consequence", lambda promise: promise.consequence),
)
TOGETHER = (
    _aspect("Review", lambda terms: terms.review_cadence),
    _aspect("Review day", lambda terms: terms.review_weekday, lambda weekday: WEEKDAYS[weekday]),
    _business_days("Time to dispute", lambda terms: terms.dispute_seconds),
    _business_days("Grace for late entry", lambda terms: terms.entry_grace_seconds),
    _business_days("Grace for sealing", lambda terms: terms.sealing_grace_seconds),
    _aspect("Calendar of the graces", lambda terms: terms.calendar),
    _aspect("Monthly cap", lambda terms: terms.monthly_cap, lambda leads: f"{leads} leads"),
    _aspect("Least group size", lambda terms: terms.minimum_group, lambda leads: f"{leads} leads"),
)
OF_A_CALENDAR = (
    _aspect("time zone", lambda frozen: frozen["time_zone"]),
    Aspect("opening hours", lambda frozen: frozen["hours"], wording.hours),
    _aspect("business day", lambda frozen: frozen["working_day_seconds"], phrases.in_hours),
    _aspect(
        "public holidays of",
        lambda frozen: (frozen["country"], frozen["region"]) if "country" in frozen else None,
        lambda place: ", ".join(filter(None, place)) or "none",
    ),
)
NOTE = (_aspect("Note", lambda terms: terms.note),)
