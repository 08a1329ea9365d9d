"""What a careful colleague would say to a draft, beside the field that it is about.

What is *incomplete* cannot be proposed; the rest warns. Most of it the terms tell by themselves. What the leads of the
last 90 days say is plugged in by dotted name (`DRAFT_LINT`), because agreements know no lead.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction
from math import ceil
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils.module_loading import import_string

from agreements import ladder_lint, phrases, wording
from agreements.business_time import WEEKDAYS, BusinessTime
from agreements.calendars import WorkingHours, snapshot, thaw
from agreements.catalogue import Dimension
from agreements.criteria import overlap
from agreements.limits import YEAR, OrdinaryWeeks, Span, holds, least_open, longest_closed, starts_no_later
from agreements.models import Version, local_midnight
from agreements.terms import Promise, Terms
from agreements.terms import of as terms_of
from slaportal.models import Party

INCOMPLETE, NOT_MEASURABLE, UNREACHABLE = "incomplete", "not measurable", "unreachable"
CALENDAR, LADDER, TOO_HEAVY = "calendar", "ladder", "too heavy"

# What every agreement needs, by the side whose promise it is above all: what it says, and what one would add.
NEEDED = {
    Dimension.QUANTITY: (Party.MARKETING, "how many leads come", "a volume of qualified leads"),
    Dimension.QUALITY: (Party.MARKETING, "how good the leads are", "a share that meets the definition or is accepted"),
    Dimension.SPEED: (Party.SALES, "how soon a lead is worked", "a time limit for the first response"),
}
# Nobody calls twice in less.
OPEN_TIME_AN_ATTEMPT = timedelta(hours=1)
# People who share no open minute in four weeks never meet.
FOUR_WEEKS, MINUTE = timedelta(weeks=4), timedelta(minutes=1)
# One A4 page at 10 pt: how long a line of body text is, how many there are, and what the title and a heading take.
CHARACTERS_A_LINE, LINES_A_PAGE = 95, 56
LINES_OF_TITLE, LINES_OF_HEADING = 3, 2


@dataclass(frozen=True)
class Lint:
    """One remark: its group, the rule by its code, the field that it is about, and a sentence with the cure.

    `field` is a field of the version's form, or, where `commitment` is the code of one, of that commitment's form.
    Blank is the version as a whole.
    """

    group: str
    code: str
    field: str
    commitment: str
    says: str

    @property
    def blocks(self) -> bool:
        """Whether the draft cannot be proposed before this is mended."""
        return self.group == INCOMPLETE


def of(version: Version, *, now: datetime, agreed: Terms | None = None) -> list[Lint]:
    """Everything there is to say of a version at `now`: by its terms, by who works when, and by the latest leads.

    `agreed` are its terms where the caller has read them already.
    """
    terms = agreed or terms_of(version, now=now)
    today = now.astimezone(ZoneInfo(terms.time_zone)).date()
    from_leads = import_string(settings.DRAFT_LINT)
    return [
        *lint(terms, today=today),
        *_owners_elsewhere(version, terms, now),
        *(_of_ladder(*remark) for remark in ladder_lint.by_people(version.agreement, terms)),
        *from_leads(version, terms, now=now),
    ]


def lint(terms: Terms, *, today: date) -> list[Lint]:
    """Everything that the terms tell by themselves; calendars are looked at for the year from `today` on."""
    unreachable = list(_unreachable(terms, today))
    # A limit that has to change anyway is not compared with others before.
    questioned = {one.commitment for one in unreachable}
    standing = [promise for promise in _timed(terms) if promise.code not in questioned]
    weeks = OrdinaryWeeks(terms, today=today)
    return [
        *incomplete(terms),
        *_two_limits(terms),
        *unreachable,
        *_at_odds_with_attempts(terms, standing, weeks),
        *_calendars(terms, today),
        *_sealed_too_soon(terms, standing, weeks),
        *(_of_ladder(*remark) for remark in ladder_lint.by_terms(terms)),
        *_too_heavy(terms),
    ]


# --- Incomplete ---------------------------------------------------------------------------------------------------


def incomplete(terms: Terms) -> list[Lint]:
    """What is missing before anybody can be asked to sign."""
    found = []
    if terms.score_threshold is None and not terms.criteria and not terms.required_fields:
        says = "Nothing says what a qualified lead is. Give a score threshold, criteria or required fields."
        found.append(Lint(INCOMPLETE, "no-definition", "score_threshold", "", says))
    found += _not_promised(terms)
    for promise in terms.promises:
        found += [*_left_blank(promise), *_impossible_steps(promise)]
    if not terms.review_cadence:
        says = "Nobody looks at the scorecard together. Choose how often both sides review it."
        found.append(Lint(INCOMPLETE, "no-review-cadence", "review_cadence", "", says))
    return found


def _not_promised(terms: Terms) -> Iterator[Lint]:
    """Sides that promise nothing, and what the others leave out. What nobody signs for is no promise."""
    promised = {promise.kind.dimension for promise in terms.promises if promise.kind.party != Party.OPERATIONS}
    for party in (Party.MARKETING, Party.SALES):
        needed = {dimension: said for dimension, (whose, *said) in NEEDED.items() if whose == party}
        if not any(promise.kind.party == party for promise in terms.promises):
            cure = phrases.enumeration([cure for _, cure in needed.values()])
            says = f"{party.label} promises nothing, and an agreement binds both sides. Add at least {cure}."
            yield Lint(INCOMPLETE, f"{party.value}-promises-nothing", "", "", says)
            continue
        for dimension, (what, cure) in needed.items():
            if dimension not in promised:
                says = f"Nobody promises {what}. Add a commitment on {dimension.label.lower()}, such as {cure}."
                yield Lint(INCOMPLETE, f"no-{dimension.value}", "", "", says)


def _left_blank(promise: Promise) -> Iterator[Lint]:
    name = _name(promise)
    if promise.target is None:
        cure = "what share of handoffs has to keep it" if promise.is_share else "how many leads a month it asks for"
        yield Lint(INCOMPLETE, "no-target", "target", promise.code, f"{name} has no target. Say {cure}.")
    if promise.baseline is None:
        says = f"{name} has no baseline. Say where both sides stand today, or nobody can tell what the target asks."
        yield Lint(INCOMPLETE, "no-baseline", "baseline", promise.code, says)
    if not promise.consequence.strip():
        says = f"{name} has no consequence. Say what happens when it is missed."
        yield Lint(INCOMPLETE, "no-consequence", "consequence", promise.code, says)


def _impossible_steps(promise: Promise) -> Iterator[Lint]:
    """Steps that would freeze and never be done."""
    yield from (
        Lint(INCOMPLETE, "impossible-step", "ladder", promise.code, says) for says in ladder_lint.impossible(promise)
    )


# --- Not measurable -----------------------------------------------------------------------------------------------


def _two_limits(terms: Terms) -> Iterator[Lint]:
    """Commitments of one kind that can cover the same lead: which of the limits holds?"""
    timed = _timed(terms)
    for index, promise in enumerate(timed):
        others = [one for one in timed[:index] if one.kind == promise.kind and _can_meet(one, promise, terms)]
        if others:
            says = (
                f"{_name(promise)} can cover the same lead as {phrases.enumeration([_name(one) for one in others])}, "
                f"which then has two limits of one kind ({promise.kind.label.lower()}). Narrow what they apply to, so "
                "that each lead has one."
            )
            yield Lint(NOT_MEASURABLE, "two-limits", "covers", promise.code, says)


# --- Unreachable --------------------------------------------------------------------------------------------------


def _unreachable(terms: Terms, today: date) -> Iterator[Lint]:
    """Limits that the calendar in which the work is done cannot hold in the coming year: of each the worst reason."""
    start = local_midnight(today, ZoneInfo(terms.time_zone))
    calendars = terms.business_times({})
    for promise in _timed(terms):
        where = worked_by(promise, terms)
        if said := _why_not(promise, where, calendars[where], start):
            code, says = said
            yield Lint(UNREACHABLE, code, "limit", promise.code, says)


def _why_not(promise: Promise, where: str, calendar: BusinessTime, start: datetime) -> tuple[str, str] | None:
    """Why the limit cannot be kept, as a code and a sentence; None where it can."""
    name, allowed = _name(promise), phrases.span(promise.limit)
    limit = timedelta(seconds=promise.limit_seconds)
    if promise.calendar is not None and not holds(calendar, start, limit):
        return "too-little-open-time", (
            f"“{where}” does not open for {allowed} within a year, as {name} allows. Shorten the limit, or choose a "
            "calendar that opens longer."
        )
    # Nobody has to be there for what operations does: the portal assigns leads at night too.
    if promise.calendar is None and promise.kind.party != Party.OPERATIONS:
        closing, opening = longest_closed(calendar, start) or (start, start)
        if limit < opening - closing:
            zone = ZoneInfo(calendar.time_zone)
            since, until = (f"{moment.astimezone(zone):%a %-d %b %Y %-H:%M}" for moment in (closing, opening))
            return "closed-longer-than-limit", (
                f"{name} allows {allowed}, nights and weekends included, but “{where}” is closed from {since} to "
                f"{until}: a lead that comes at the closing bell has no open minute within the limit. Count it in "
                f"business time, or allow at least {ceil((opening - closing) / timedelta(hours=1))} hours."
            )
    if promise.kind.needs_attempts and promise.attempts is not None:
        open_time = limit if promise.calendar else least_open(calendar, start, limit)
        if open_time < promise.attempts * OPEN_TIME_AN_ATTEMPT:
            return "no-hour-for-each-attempt", (
                f"{name} asks for {promise.attempts} attempts within {allowed}, in which “{where}” may be open for no "
                f"more than {_hours(open_time)}. Allow an open hour for each attempt, or ask for fewer."
            )
    return None


def _at_odds_with_attempts(terms: Terms, timed: Sequence[Promise], weeks: OrdinaryWeeks) -> Iterator[Lint]:
    """Limits that close a lead before its attempts are over, or allow the first of them after the last."""
    cadences = [promise for promise in timed if promise.kind.needs_attempts]
    for promise in timed:
        meeting = [cadence for cadence in cadences if _can_meet(promise, cadence, terms)]
        allowed = f"{_name(promise)} allows {phrases.span(promise.limit)}, but"
        match promise.kind.code:
            case "disposition":
                longer = (one for one in meeting if starts_no_later(promise, one) and weeks.is_shorter(promise, one))
                if cadence := next(longer, None):
                    says = (
                        f"{allowed} the attempts of {_name(cadence)} go on for {phrases.span(cadence.limit)}. Allow at "
                        "least as long, or ask for the attempts sooner."
                    )
                    yield Lint(UNREACHABLE, "closed-before-attempts-end", "limit", promise.code, says)
            case "first_response":
                shorter = (one for one in meeting if starts_no_later(one, promise) and weeks.is_shorter(one, promise))
                if cadence := next(shorter, None):
                    says = (
                        f"{allowed} {_name(cadence)} wants all attempts within {phrases.span(cadence.limit)}. Ask for "
                        "the first response sooner, or allow longer for the attempts."
                    )
                    yield Lint(UNREACHABLE, "response-after-attempts", "limit", promise.code, says)


# --- Calendar -----------------------------------------------------------------------------------------------------


def _calendars(terms: Terms, today: date) -> Iterator[Lint]:
    until = today + YEAR
    for name, frozen in terms.calendars.items():
        # Beside the version's own calendar, or else beside the first commitment that counts in it.
        users = [promise.code for promise in terms.promises if promise.calendar == name]
        commitment = "" if name == terms.calendar or not users else users[0]
        days = {
            **{f"{WEEKDAYS[int(day)]}s": pairs for day, pairs in frozen["hours"].items()},
            **{phrases.day_of(date.fromisoformat(day)): pairs for day, pairs in frozen["special"].items()},
        }
        early = [day for day, pairs in days.items() if any(end == "23:59" for _, end in pairs)]
        if early:
            says = (
                f"“{name}” closes at 23:59 on {phrases.enumeration(early)}, so the last minute of the day does not "
                "count. Write 24:00."
            )
            yield Lint(CALENDAR, "closes-at-23-59", "calendar", commitment, says)
        has_holidays = any(today.isoformat() <= day < until.isoformat() for day in frozen["closed"])
        # Terms of schema 1 do not say whose holidays they are.
        if (has_holidays and frozen.get("country") != "") or _is_always_open(frozen):
            continue
        cure = "Look at its country and region" if frozen.get("country") else "Choose the country whose days it keeps"
        says = f"“{name}” knows no public holiday before {phrases.day_of(until)}, so limits run on through all. {cure}."
        yield Lint(CALENDAR, "no-holidays", "calendar", commitment, says)


def _is_always_open(frozen: Mapping[str, Any]) -> bool:
    """Somebody is there around the clock, on holidays too."""
    return {day: [list(pair) for pair in pairs] for day, pairs in frozen["hours"].items()} == wording.AROUND_THE_CLOCK


def _sealed_too_soon(terms: Terms, timed: Sequence[Promise], weeks: OrdinaryWeeks) -> Iterator[Lint]:
    """A scorecard that is final while clocks of its last handoffs may still run."""
    grace = Span(terms.calendar, terms.sealing_grace_seconds)
    longer = [promise for promise in timed if weeks.is_shorter(grace, promise)]
    if longer:
        longest = max(longer, key=weeks.end)
        working_day = terms.calendars[terms.calendar]["working_day_seconds"]
        days = phrases.number(Fraction(terms.sealing_grace_seconds, working_day))
        says = (
            f"A scorecard is final {days} business {'day' if days == '1' else 'days'} after its period, but "
            f"{_name(longest)} allows {phrases.span(longest.limit)}. Lengthen the grace until every clock has run out."
        )
        yield Lint(CALENDAR, "sealed-before-the-longest-limit", "sealing_grace_days", "", says)


def _owners_elsewhere(version: Version, terms: Terms, now: datetime) -> Iterator[Lint]:
    """People of the sales team who are never there while a promise of sales counts: one remark for each calendar."""
    rows = (
        WorkingHours.objects.filter(person__team=version.agreement.sales_team_id, person__is_active=True)
        .select_related("person", "calendar")
        .prefetch_related("calendar__special_days")
    )
    people: dict[int, list[WorkingHours]] = {}
    for row in rows:
        people.setdefault(row.calendar_id, []).append(row)
    end = now + FOUR_WEEKS
    years = range(now.year, end.year + 1)
    hours = {pk: thaw(snapshot(alike[0].calendar, years=years)).windows(now, end) for pk, alike in people.items()}
    calendars = terms.business_times({})
    first = {}
    for promise in _timed(terms):
        if promise.kind.party == Party.SALES:
            first.setdefault(worked_by(promise, terms), promise)
    for name, promise in first.items():
        elsewhere = [
            row.person.name
            for pk, alike in people.items()
            if not any(calendars[name].elapsed(opening, closing) >= MINUTE for opening, closing in hours[pk])
            for row in alike
        ]
        if elsewhere:
            says = (
                f"{phrases.enumeration(sorted(elsewhere))} {'is' if len(elsewhere) == 1 else 'are'} never there while "
                f"“{name}” is open, by which {_name(promise)} counts. Choose another calendar, or correct the working "
                "hours."
            )
            yield Lint(CALENDAR, "owners-elsewhere", "calendar", promise.code, says)


# --- Ladders ------------------------------------------------------------------------------------------------------


def _of_ladder(promise: Promise, code: str, says: str) -> Lint:
    return Lint(LADDER, code, "ladder", promise.code, says)


# --- Too heavy ----------------------------------------------------------------------------------------------------


def _too_heavy(terms: Terms) -> Iterator[Lint]:
    lines = length(terms)
    if lines > LINES_A_PAGE:
        pages = phrases.number(Fraction(ceil(10 * lines / LINES_A_PAGE), 10))
        says = (
            f"It would fill about {pages} pages, and people keep what they can read on one. Start small: keep the few "
            "promises that matter most, and add others once these are kept."
        )
        yield Lint(TOO_HEAVY, "more-than-one-page", "", "", says)


def length(terms: Terms) -> int:
    """About how many printed lines the document takes, without closed days and signatures, which stand apart."""
    document = wording.document(terms)
    clauses = [clause for _, clauses in document.promises for clause in clauses]
    headings = 3 + len(document.promises)  # besides those of the sides: the definition, both sides, business hours
    paragraphs = [
        document.covers,
        *terms.note.splitlines(),
        *document.qualified,
        *map(_printed, clauses),
        *document.both,
        *(f"{calendar.name} · {calendar.text}" for calendar in document.calendars),
        *document.notes,
    ]
    body = sum(max(ceil(len(text) / CHARACTERS_A_LINE), 1) for text in paragraphs)
    return LINES_OF_TITLE + headings * LINES_OF_HEADING + body


def _printed(clause: wording.Clause) -> str:
    """A promise as it stands on paper, where its ladder runs on in the same paragraph."""
    otherwise = f"If not: {clause.consequence}" if clause.consequence else ""
    return " ".join(filter(None, (clause.title, "·", clause.text, otherwise, clause.ladder)))


# --- Promises -----------------------------------------------------------------------------------------------------


def worked_by(promise: Promise, terms: Terms) -> str:
    """The calendar by which the work is done, also where the limit counts every hour."""
    return promise.worked_by or terms.calendar


def _timed(terms: Terms) -> list[Promise]:
    return [promise for promise in terms.promises if promise.limit_seconds is not None]


def _can_meet(one: Promise, other: Promise, terms: Terms) -> bool:
    """Whether one lead of the agreement can be covered by both."""
    return overlap(terms.scope, one.scope, other.scope)


def _name(promise: Promise) -> str:
    return f"“{promise.title or promise.code}”"


def _hours(span: timedelta) -> str:
    hours = phrases.number(Fraction(int(span.total_seconds()), 3600))
    return f"{hours}{phrases.NBSP}{'hour' if hours == '1' else 'hours'}"
