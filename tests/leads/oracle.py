"""A second reading of the rules in plain Python: one handoff, one commitment at a time, loops and datetimes.

It shares no code with `leads.clocks` or `agreements.business_time` and is as slow as it looks. Only `facts_of`, at the
end, knows the arrays: it hands the same histories to `leads.clocks.evaluate`.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from math import floor
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from agreements.terms import Promise, Terms
from leads import clocks
from leads import history as arrays
from leads.history import Facts
from leads.rules import RULE_NAMES

Span = tuple[datetime, datetime]
Decision = tuple[str, str, datetime | None]  # state, rule, when it was decided
NONE = timedelta(0)
SALES_SPEED_AND_FOLLOW_THROUGH = {
    "acceptance",
    "first_response",
    "first_touch",
    "contact_after_acceptance",
    "attempts",
    "attempts_before_giving_up",
}


# What happened -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Fact:
    """Something that happened at a moment; `entered_at` is None where a system of record says so."""

    id: int
    at: datetime
    entered_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Assignment(Fact):
    """Given to somebody, or to a team's queue, where nobody owns it."""

    owned: bool = True


@dataclass(frozen=True, kw_only=True)
class Attempt(Fact):
    outbound: bool = True
    touch: bool = False


@dataclass(frozen=True, kw_only=True)
class Disposition(Fact):
    verdict: str = "accepted"
    has_reason: bool = False
    quality: bool = False
    needs_contact: bool = False
    needs_attempts: int = 0
    undelivered: bool = False


@dataclass(frozen=True, kw_only=True)
class Hold(Fact):
    ended_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Dispute(Fact):
    answered_at: datetime | None = None
    upheld: bool = False
    asks: bool = True


@dataclass(frozen=True, kw_only=True)
class Exclusion(Fact):
    """RevOps takes the handoff out of a promise, by its index (N9)."""

    promise: int = 0


@dataclass(frozen=True, kw_only=True)
class History:
    """One handoff with everything that happened to it. `out_of_scope` names commitments by their index.

    `looked_at` names the steps that came due already: commitment, subject and place in the ladder.
    """

    id: int
    qualified_at: datetime
    first: bool = True
    below_definition: bool = False
    complete: bool = True
    out_of_scope: frozenset[int] = frozenset()
    month_rank: int = 1
    known_at: datetime | None = None
    assignments: Sequence[Assignment] = ()
    attempts: Sequence[Attempt] = ()
    dispositions: Sequence[Disposition] = ()
    outcomes: Sequence[Fact] = ()
    holds: Sequence[Hold] = ()
    disputes: Sequence[Dispute] = ()
    exclusions: Sequence[Exclusion] = ()
    looked_at: frozenset[tuple[int, int, int]] = frozenset()


class Clock(NamedTuple):
    """What is said of one commitment on one handoff."""

    handoff: int
    promise: int
    subject: int
    state: str
    rule: str
    started: datetime | None
    due: datetime | None
    look: datetime | None
    stopped: datetime | None
    elapsed: timedelta | None
    charged_to: int
    decides: bool
    step_at: datetime | None = None
    step: int | None = None


# Open time -----------------------------------------------------------------------------------------------------------


class Hours:
    """The open windows of a calendar from `first` to `last`, laid out in UTC day by day (T2, T3)."""

    def __init__(
        self,
        time_zone: str,
        weekly: Mapping[int, Sequence[tuple[str, str]]],
        special: Mapping[date, Sequence[tuple[str, str]]],
        closed: Sequence[date],
        *,
        first: date,
        last: date,
    ) -> None:
        zone = ZoneInfo(time_zone)
        windows = []
        for number in range(first.toordinal(), last.toordinal() + 1):
            day = date.fromordinal(number)
            hours = () if day in closed else special.get(day, weekly.get(day.weekday(), ()))
            for opening, closing in hours:
                window = (_opening(day, opening, zone), _closing(day, closing, zone))
                if window[0] < window[1]:
                    windows.append(window)
        self.windows: list[Span] = []
        for opening, closing in sorted(windows):
            if self.windows and opening <= self.windows[-1][1]:
                opening, before = self.windows.pop()
                closing = max(before, closing)
            self.windows.append((opening, closing))

    def counting(self, start: datetime, holds: Sequence[Span]) -> Iterator[Span]:
        """Spans from `start` on that count: open and not on hold (C5). `holds` are in order and do not overlap."""
        for index in range(max(bisect_right(self.windows, (start, start)) - 1, 0), len(self.windows)):
            opening, closing = self.windows[index]
            if opening < start:
                opening = start
            for held, released in holds:
                if held < closing and released > opening:
                    if opening < held:
                        yield opening, held
                    opening = released
            if opening < closing:
                yield opening, closing


@cache
def _since_midnight(text: str) -> timedelta:
    hour, minute = text.split(":")
    return timedelta(hours=int(hour), minutes=int(minute))


@cache
def _instants(day: date, text: str, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The first and the second of a local time, in UTC; but for a night in autumn they are the same."""
    midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 (local times get their zone below)
    local = (midnight + _since_midnight(text)).replace(tzinfo=zone)
    return local.replace(fold=0).astimezone(UTC), local.replace(fold=1).astimezone(UTC)


def _opening(day: date, text: str, zone: ZoneInfo) -> datetime:
    """The first of a repeated local time; a skipped one moves forward, which is what fold=0 means to Python."""
    return _instants(day, text, zone)[0]


def _closing(day: date, text: str, zone: ZoneInfo) -> datetime:
    """The second of a repeated local time; a skipped one moves forward as well."""
    return max(_instants(day, text, zone))


ENDLESS = datetime(9000, 1, 1, tzinfo=UTC)


class Stopwatch:
    """A limit that runs from `start` on the counting spans of one handoff."""

    def __init__(self, hours: Hours, start: datetime, holds: Sequence[Span], limit: timedelta):
        self.hours, self.start, self.holds, self.limit = hours, start, holds, limit

    def elapsed(self, end: datetime) -> timedelta:
        total = NONE
        for opening, closing in self.hours.counting(self.start, self.holds):
            if opening >= end:
                break
            total += min(closing, end) - opening
        return total

    def used_up(self, moment: datetime) -> bool:
        """C1: more than the limit has elapsed."""
        return self.elapsed(moment) > self.limit

    def due(self) -> datetime:
        """C2: the earliest moment at which the limit is used up."""
        if self.limit == NONE:
            return self.look()
        total = NONE
        for opening, closing in self.hours.counting(self.start, self.holds):
            if total + (closing - opening) >= self.limit:
                return opening + (self.limit - total)
            total += closing - opening
        raise AssertionError("The oracle's calendar is laid out over too few days.")

    def look(self) -> datetime:
        """The last moment at which no more than the limit has elapsed."""
        total = NONE
        for opening, closing in self.hours.counting(self.start, self.holds):
            if total + (closing - opening) > self.limit:
                return opening + (self.limit - total)
            total += closing - opening
        raise AssertionError("The oracle's calendar is laid out over too few days.")


# The rules -----------------------------------------------------------------------------------------------------------


def judge(terms: Terms, hours: Mapping[str | None, Hours], history: History, now: datetime) -> list[Clock]:
    """Every clock of one handoff at `now`."""
    reading = Reading(terms, hours, history, now)
    return [clock for promise in terms.promises for clock in reading.of(promise)]


class Reading:
    """What is known of one handoff at `now`."""

    def __init__(self, terms: Terms, hours: Mapping[str | None, Hours], history: History, now: datetime) -> None:
        self.terms, self.hours, self.history, self.now = terms, hours, history, now
        self.assignments = self.known(history.assignments)
        self.owned = [fact for fact in self.assignments if fact.owned]
        self.attempts = [fact for fact in self.known(history.attempts) if self.timely(fact)]
        self.dispositions = self.known(history.dispositions)
        self.disputes = self.known(history.disputes)
        self.outcomes = self.known(history.outcomes)
        self.holds = self.merged_holds()
        self.on_hold = any(released == ENDLESS for _, released in self.holds)
        known_at = history.known_at
        self.is_history = known_at is not None and known_at > history.qualified_at + timedelta(hours=24)

        accepted = [fact for fact in self.dispositions if fact.verdict == "accepted"]
        self.accepted_at = accepted[0].at if accepted else None
        # C6: of one that was written down too late, since then.
        since = [fact.at if self.timely(fact) else max(fact.at, fact.entered_at) for fact in accepted]
        self.accepted_since = min(since) if since else None
        self.after_acceptance = [f for f in self.outcomes if self.accepted_at and f.at >= self.accepted_at]
        self.given_back = [fact for fact in self.dispositions if fact.verdict != "accepted"]
        ends = [fact.at for fact in [*self.given_back[:1], *self.after_acceptance[:1]]]
        self.ended_at = min(ends) if ends else None
        self.excused_at = self.excuse()

    def known(self, facts: Sequence[Any]) -> list[Any]:
        """Facts that have happened by now, in order (C3)."""
        return sorted((fact for fact in facts if fact.at <= self.now), key=lambda fact: (fact.at, fact.id))

    def timely(self, fact: Fact) -> bool:
        """A4: from a system of record, or entered within the grace."""
        if fact.entered_at is None:
            return True
        grace = timedelta(seconds=self.terms.entry_grace_seconds)
        return not Stopwatch(self.hours[self.terms.calendar], fact.at, (), grace).used_up(fact.entered_at)

    def merged_holds(self) -> list[Span]:
        merged: list[Span] = []
        for hold in self.known(self.history.holds):
            ended = hold.ended_at is not None and hold.ended_at <= self.now
            begin, end = hold.at, hold.ended_at if ended else ENDLESS
            if merged and begin <= merged[-1][1]:
                begin, before = merged.pop()
                end = max(end, before)
            merged.append((begin, end))
        return merged

    def excuse(self) -> datetime | None:
        """C7: when the handoff ended for a reason that needs no contact, or when that was written down if too late."""
        if not self.given_back or self.given_back[0].at != self.ended_at:
            return None
        end = self.given_back[0]
        if not end.has_reason or end.needs_contact:
            return None
        moment = end.at if self.timely(end) else end.entered_at
        return moment if moment <= self.now else None

    def owner(self, moment: datetime) -> int:
        """N4: the assignment in effect at a moment, be it to a queue."""
        owners = [fact.id for fact in self.assignments if fact.at <= moment]
        return owners[-1] if owners else 0

    def of(self, promise: Promise) -> list[Clock]:
        found = self.shares(promise) if promise.kind.code in SHARES else self.clocks(promise)
        excluded = self.excluded_whatever_happens(promise)
        if excluded:
            charged_to = self.owner(self.history.qualified_at)
            found = [
                clock._replace(
                    state="excluded", rule=excluded, look=None, charged_to=charged_to, step_at=None, step=None
                )
                for clock in found
            ]
        worst = min(
            range(len(found)),
            key=lambda n: (
                ("missed", "open", "met", "excluded").index(found[n].state),
                found[n].due or ENDLESS,
                found[n].subject,
            ),
        )
        found = [clock._replace(decides=n == worst) for n, clock in enumerate(found)]
        if not excluded and any(fact.promise == promise.index for fact in self.known(self.history.exclusions)):
            gone = {"state": "excluded", "rule": "granted", "look": None, "step_at": None, "step": None}
            return [clock._replace(**gone) for clock in found]
        return found

    def excluded_whatever_happens(self, promise: Promise) -> str | None:
        """N2 and N7."""
        if promise.index in self.history.out_of_scope:
            return "out_of_scope"
        if promise.kind.code not in SALES_SPEED_AND_FOLLOW_THROUGH:
            return None
        if self.history.below_definition:
            return "below_definition"
        if self.terms.monthly_cap is not None and self.history.month_rank > self.terms.monthly_cap:
            return "over_cap"
        return None

    # Clocks

    def clocks(self, promise: Promise) -> list[Clock]:
        if promise.kind.code == "dispute_answer":
            return self.dispute_answers(promise)
        if promise.start == "assigned":
            return self.one_for_each_owner(promise)
        if promise.start == "qualified":
            return [self.run(promise, self.history.qualified_at)]
        if promise.start == "routed":
            if self.owned:
                return [self.run(promise, self.owned[0].at)]
            return [self.not_begun(promise, "never_assigned")]
        assert promise.start == "accepted"
        if self.accepted_at:
            return [self.run(promise, self.accepted_at)]
        return [self.not_begun(promise, "never_accepted")]

    def one_for_each_owner(self, promise: Promise) -> list[Clock]:
        """C6: afresh for each new owner; nobody has begun what waits in a queue."""
        found = []
        for own, successor in zip(self.assignments, [*self.assignments[1:], None], strict=False):
            if own.owned:
                until = successor.at if successor else None
                found.append(self.run(promise, own.at, subject=own.id, until=until)._replace(charged_to=own.id))
        if not self.assignments or not self.assignments[-1].owned:
            found.append(self.not_begun(promise, "never_assigned"))
        return found

    def not_begun(self, promise: Promise, rule: str) -> Clock:
        clock = self.blank(promise)
        if self.ended_at is None:
            return clock._replace(state="open", rule="not_started", charged_to=self.owner(self.now))
        return clock._replace(state="excluded", rule=rule, charged_to=self.owner(self.ended_at))

    def dispute_answers(self, promise: Promise) -> list[Clock]:
        asked = [dispute for dispute in self.disputes if dispute.asks]
        if not asked:
            charged_to = self.owner(self.history.qualified_at)
            return [self.blank(promise)._replace(state="excluded", rule="nothing_asked", charged_to=charged_to)]
        answers = []
        for dispute in asked:
            answered = dispute.answered_at if self.answered(dispute) else None
            answers.append(self.run(promise, dispute.at, subject=dispute.id, stop=answered))
        return answers

    def answered(self, dispute: Dispute) -> bool:
        return dispute.answered_at is not None and dispute.answered_at <= self.now

    def run(
        self,
        promise: Promise,
        start: datetime,
        *,
        subject: int = 0,
        until: datetime | None = None,
        stop: datetime | None = None,
    ) -> Clock:
        """One clock from its start to its verdict (C1 to C8), and its ladder; `until` is when the next owner took over,
        or a queue."""
        is_dispute = promise.kind.code == "dispute_answer"
        if not is_dispute:
            stop = self.stop(promise, start)
        if until is not None and stop is not None and stop >= until:
            stop = None
        watch = Stopwatch(
            self.hours[promise.calendar], start, self.holds, timedelta(seconds=promise.limit_seconds or 0)
        )
        clock = self.blank(promise)._replace(
            subject=subject,
            started=start,
            due=None if self.on_hold and not watch.used_up(self.now) else watch.due(),
            stopped=stop,
            elapsed=None if stop is None else watch.elapsed(stop),
        )
        if promise.kind.code == "acceptance" and self.accepted_since and self.accepted_since < start:
            # C6: nobody can accept it again.
            return clock._replace(state="excluded", rule="accepted_before", charged_to=self.owner(start))
        # What may end it without a verdict, the first of them first.
        endings = []
        if until is not None:
            endings.append((until, "reassigned"))
        # What marketing is asked after the end still wants an answer.
        if self.excused_at is not None and not (is_dispute and start > self.excused_at):
            endings.append((self.excused_at, "ended_without_contact"))
        for moment, rule in sorted(endings):
            stopped_by_then = stop is not None and stop <= moment
            if start > moment or not (stopped_by_then or watch.used_up(moment)):
                return clock._replace(state="excluded", rule=rule, charged_to=self.owner(moment))
        if stop is not None and not watch.used_up(stop):
            return clock._replace(state="met", rule="within_limit", charged_to=self.owner(stop))
        over = min((moment for moment in [stop, *(moment for moment, _ in endings)] if moment), default=None)
        if stop is not None:
            clock = clock._replace(state="missed", rule="past_limit", charged_to=self.owner(clock.due))
        elif watch.used_up(self.now):
            clock = clock._replace(state="missed", rule="limit_used_up", charged_to=self.owner(clock.due))
        elif self.on_hold:
            clock = clock._replace(state="open", rule="on_hold", charged_to=self.owner(self.now))
        else:
            clock = clock._replace(state="open", rule="running", look=watch.look(), charged_to=self.owner(self.now))
        return self.climb(promise, clock, over)

    def climb(self, promise: Promise, clock: Clock, over: datetime | None) -> Clock:
        """L1 to L4: with the step of its ladder that comes next. `over` is when it stopped or was taken away."""
        limit = timedelta(seconds=promise.limit_seconds)
        coming = []
        for place, rung in enumerate(promise.steps):
            if rung.share is not None:
                allowance = timedelta(microseconds=floor(rung.share * promise.limit_seconds * 1_000_000))
            else:
                allowance = max(limit + timedelta(seconds=rung.offset_seconds), NONE)
            watch = Stopwatch(self.hours[promise.calendar], clock.started, self.holds, allowance)
            if (promise.index, clock.subject, place) in self.history.looked_at:
                continue  # L2: each once
            if self.on_hold and not watch.used_up(self.now):
                continue  # nobody knows when the hold will end
            moment = watch.look()
            if self.is_history and moment < self.history.known_at:
                continue  # L4
            if over is not None:
                # L3: a breach is told, also when it is over; nothing else happens any more.
                is_breach = clock.state == "missed" and allowance >= limit and moment < over
                if not (is_breach and rung.action.value.startswith("tell ")):
                    continue
            coming.append((moment, place))
        if not coming:
            return clock
        moment, place = min(coming)
        return clock._replace(step_at=moment, step=place)

    def stop(self, promise: Promise, start: datetime) -> datetime | None:
        """The first moment at or after the start that stops the clock (C3 and the catalogue)."""
        outbound = [fact.at for fact in self.attempts if fact.outbound and fact.at >= start]
        match promise.kind.code:
            case "routing":
                moments = [fact.at for fact in self.owned]
            case "acceptance":
                moments = [fact.at for fact in self.dispositions if self.timely(fact)]
            case "first_response" | "contact_after_acceptance":
                moments = outbound
            case "first_touch":
                moments = [fact.at for fact in self.attempts if fact.touch]
            case "attempts":
                touches = [fact.at for fact in self.attempts if fact.outbound and fact.touch]
                moments = [*outbound[promise.attempts - 1 :], *touches]
            case "disposition":
                documented = [fact for fact in self.given_back if fact.has_reason]
                moments = [fact.at for fact in [*documented, *self.after_acceptance] if self.timely(fact)]
        return min((moment for moment in moments if moment >= start), default=None)

    def blank(self, promise: Promise) -> Clock:
        return Clock(self.history.id, promise.index, 0, "", "", None, None, None, None, None, 0, True)

    # Shares and counts

    def shares(self, promise: Promise) -> list[Clock]:
        state, rule, decided = getattr(self, promise.kind.code)(promise)
        clock = self.blank(promise)._replace(state=state, rule=rule, started=self.history.qualified_at, stopped=decided)
        return [clock._replace(charged_to=self.owner(decided or self.now))]

    def volume(self, promise: Promise) -> Decision:
        begun = self.history.qualified_at
        if not self.history.first:
            return "excluded", "returned", begun
        if self.history.below_definition:
            return "excluded", "below_definition", begun
        if self.dispositions and self.dispositions[-1].undelivered:
            return "excluded", "undelivered", self.dispositions[-1].at
        return "met", "delivered", begun

    def definition_fit(self, promise: Promise) -> Decision:
        if self.history.below_definition:
            return "missed", "fails_definition", self.history.qualified_at
        return "met", "meets_definition", self.history.qualified_at

    def completeness(self, promise: Promise) -> Decision:
        if self.history.complete:
            return "met", "complete", self.history.qualified_at
        return "missed", "incomplete", self.history.qualified_at

    def acceptance_rate(self, promise: Promise) -> Decision:
        latest = self.dispositions[-1] if self.dispositions else None
        upheld = [dispute.answered_at for dispute in self.disputes if self.answered(dispute) and dispute.upheld]
        if upheld:
            return "met", "dispute_upheld", latest.at if latest else min(upheld)
        if latest is None:
            return "open", "undecided", None
        if latest.verdict == "accepted":
            return "met", "accepted", latest.at
        if latest.verdict == "recycled" or not latest.quality:
            return "excluded", "not_about_quality", latest.at
        if latest.needs_contact and not self.tries_before(latest, {"outbound", "touch"}):
            return "excluded", "never_contacted", latest.at
        return "missed", "rejected_for_quality", latest.at

    def attempts_before_giving_up(self, promise: Promise) -> Decision:
        if self.ended_at is None:
            return "open", "undecided", None
        first = self.given_back[0] if self.given_back else None
        if first is None or not first.needs_attempts:
            return "excluded", "not_given_up", self.ended_at
        if self.tries_before(first, {"outbound"}) >= (promise.attempts or first.needs_attempts):
            return "met", "enough_attempts", first.at
        return "missed", "too_few_attempts", first.at

    def reasons_documented(self, promise: Promise) -> Decision:
        latest = self.dispositions[-1] if self.dispositions else None
        if latest is None or latest.verdict == "accepted":
            if self.after_acceptance:
                return "excluded", "not_returned", self.ended_at
            return "open", "undecided", None
        if latest.has_reason:
            return "met", "documented", latest.at
        return "missed", "undocumented", latest.at

    def tries_before(self, disposition: Disposition, sorts: set[str]) -> int:
        """Human attempts of these sorts since the handoff began (A3) and up to the disposition."""
        begun = self.history.qualified_at
        tries = [fact for fact in self.attempts if begun <= fact.at <= disposition.at]
        return sum(any(getattr(fact, sort) for sort in sorts) for fact in tries)


SHARES = {
    "volume",
    "definition_fit",
    "completeness",
    "acceptance_rate",
    "attempts_before_giving_up",
    "reasons_documented",
}


# The same histories for `leads.clocks.evaluate` ----------------------------------------------------------------------

VERDICTS = {"accepted": arrays.ACCEPTED, "recycled": arrays.RECYCLED, "rejected": arrays.REJECTED}
STATES = {clocks.MISSED: "missed", clocks.OPEN: "open", clocks.MET: "met", clocks.EXCLUDED: "excluded"}


def facts_of(histories: Sequence[History]) -> Facts:
    """The histories as arrays: row n is the nth of them."""
    handoffs = np.zeros(len(histories), arrays.HANDOFF)
    for row, history in enumerate(histories):
        in_scope = sum(1 << bit for bit in range(62) if bit not in history.out_of_scope)
        handoffs[row] = (
            history.id,
            _instant(history.qualified_at),
            history.first,
            history.below_definition,
            history.complete,
            in_scope,
            history.month_rank,
            _instant(history.known_at),
        )
    tables = {
        "assignments": arrays.ASSIGNMENT,
        "attempts": arrays.ATTEMPT,
        "dispositions": arrays.DISPOSITION,
        "outcomes": arrays.OUTCOME,
        "holds": arrays.HOLD,
        "disputes": arrays.DISPUTE,
        "exclusions": arrays.EXCLUSION,
    }
    looked_at = [
        (row, promise, subject, place)
        for row, history in enumerate(histories)
        for promise, subject, place in sorted(history.looked_at)
    ]
    escalations = np.array(looked_at, arrays.ESCALATION)
    found = {name: _table(histories, name, dtype) for name, dtype in tables.items()}
    return Facts(handoffs, **found, escalations=escalations)


def _table(histories: Sequence[History], name: str, dtype: np.dtype) -> np.ndarray:
    rows = [
        (row, *(_value(getattr(fact, column)) for column in dtype.names[1:]))
        for row, history in enumerate(histories)
        for fact in sorted(getattr(history, name), key=lambda fact: (fact.at, fact.id))
    ]
    return np.array(rows, dtype)


def _value(value: Any) -> Any:
    if isinstance(value, str):
        return VERDICTS[value]
    return _instant(value) if value is None or isinstance(value, datetime) else value


def _instant(moment: datetime | None) -> np.datetime64:
    return np.datetime64(moment and moment.astimezone(UTC).replace(tzinfo=None), "us")


def clocks_of(histories: Sequence[History], verdicts: np.ndarray) -> list[Clock]:
    """What `evaluate` said, in the oracle's words, in order of handoff, commitment and subject."""
    instants = ("started_at", "due_at", "look_at", "stopped_at", "next_step_at")
    started, due, look, stopped, step_at = (
        [moment and moment.replace(tzinfo=UTC) for moment in verdicts[column].tolist()] for column in instants
    )
    found = zip(
        (histories[row].id for row in verdicts["row"].tolist()),
        verdicts["promise"].tolist(),
        verdicts["subject"].tolist(),
        (STATES[state] for state in verdicts["state"].tolist()),
        (RULE_NAMES[rule] for rule in verdicts["rule"].tolist()),
        started,
        due,
        look,
        stopped,
        verdicts["elapsed"].tolist(),
        verdicts["charged_to"].tolist(),
        verdicts["decides"].tolist(),
        step_at,
        (None if step < 0 else step for step in verdicts["next_step"].tolist()),
        strict=True,
    )
    return sorted((Clock(*values) for values in found), key=lambda clock: clock[:3])
