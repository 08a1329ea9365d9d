"""The one evaluation: what a version's terms make of the facts of many handoffs at one moment.

`evaluate` is pure and vectorised. One handoff, a million, a replay and the property tests all call it; nothing else
decides met or missed. The rules cited (C1, N2, …) stand in docs/numbers.md.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import numpy as np

from agreements.business_time import BusinessTime
from agreements.catalogue import Dimension, Start
from agreements.terms import Promise, Terms
from leads.history import ACCEPTED, NAT, REJECTED, Facts, History, first, last_index, ordinals, take
from leads.rules import RULE_NAMES
from slaportal.models import Party

# States, ordered so that the least of a handoff's clocks is the handoff's state (rule N2).
MISSED, OPEN, MET, EXCLUDED = range(4)

# What began longer than this before the portal knew of it is history, which escalates nothing (rule L4).
NEWS_FOR = timedelta(days=1)

_ALL = slice(None)

_RULE = {name: index for index, name in enumerate(RULE_NAMES)}

VERDICT = np.dtype(
    [
        ("row", "i8"),
        ("promise", "i8"),  # index of the commitment in the terms
        ("subject", "i8"),  # id of the assignment or dispute that it is about, else 0
        ("state", "i8"),
        ("rule", "i8"),  # index into RULE_NAMES
        ("decides", "?"),  # gives the handoff its state for the commitment (rule N2)
        ("started_at", "M8[us]"),
        ("due_at", "M8[us]"),
        ("look_at", "M8[us]"),  # an open clock has missed after this moment
        ("stopped_at", "M8[us]"),
        ("elapsed", "m8[us]"),  # start to stop, in business time
        ("charged_to", "i8"),  # id of the assignment that it is counted for, else 0 (rule N4)
        ("next_step_at", "M8[us]"),  # a step of its ladder is due after this moment (rule L1)
        ("next_step", "i8"),  # which of the promise's steps, else -1
    ]
)


def evaluate(terms: Terms, calendars: Mapping[str | None, BusinessTime], facts: Facts, now: datetime) -> np.ndarray:
    """Every clock of every handoff at `now`, as an array of `VERDICT`.

    `calendars` maps the names in the terms, and None to the calendar that is always open. Facts later than `now` are
    not known yet. Each handoff gets at least one verdict for each commitment, so that the columns add up (N2).
    """
    moment = np.datetime64(now.astimezone(UTC).replace(tzinfo=None), "us")
    history = History(terms, calendars, facts, moment)
    verdicts = [_judge(promise, history) for promise in terms.promises]
    return np.concatenate(verdicts) if verdicts else np.empty(0, VERDICT)


def _judge(promise: Promise, history: History) -> np.ndarray:
    """All verdicts of one commitment, deciding ones marked."""
    verdicts = _BY_KIND.get(promise.kind.code, _clocks)(promise, history)
    verdicts["promise"] = promise.index
    excluded = _static_exclusions(promise, history)[verdicts["row"]]
    hit = excluded >= 0
    if hit.any():
        _exclude(verdicts, hit, excluded[hit])
        # Excluded from the start, so it counts for whoever owned it then (rule N4).
        begun = history.owner_at(history.rows, history.handoffs["qualified_at"])
        verdicts["charged_to"][hit] = begun[verdicts["row"][hit]]
    verdicts["decides"] = True
    if len(verdicts) > history.size:
        _mark_deciding(verdicts)
    granted = history.exclusions["row"][history.exclusions["promise"] == promise.index]
    if len(granted):
        # After the deciding one was found, so that it stays counted for whom it would have been (rule N9).
        _exclude(verdicts, np.isin(verdicts["row"], granted) & ~hit, _RULE["granted"])
    return verdicts


def _exclude(verdicts: np.ndarray, where: np.ndarray, rules: np.ndarray | int) -> None:
    """Take clocks out for these rules: nothing is due any more."""
    verdicts["state"][where], verdicts["rule"][where] = EXCLUDED, rules
    verdicts["look_at"][where] = verdicts["next_step_at"][where] = NAT
    verdicts["next_step"][where] = -1


def _static_exclusions(promise: Promise, history: History) -> np.ndarray:
    """Per handoff the rule that excludes it whatever happens, or -1 (rules N2 and N7)."""
    handoffs = history.handoffs
    rule = np.full(history.size, -1)
    if promise.kind.party == Party.SALES and promise.kind.dimension in (Dimension.SPEED, Dimension.FOLLOW_THROUGH):
        if history.terms.monthly_cap is not None:
            rule[handoffs["month_rank"] > history.terms.monthly_cap] = _RULE["over_cap"]
        rule[handoffs["below_definition"]] = _RULE["below_definition"]
    rule[(handoffs["in_scope"] >> promise.index) & 1 == 0] = _RULE["out_of_scope"]
    return rule


def _set(out: np.ndarray, where: np.ndarray | slice, state: int, rule: str) -> None:
    out["state"][where], out["rule"][where] = state, _RULE[rule]


# --- Kinds with a time limit -------------------------------------------------------------------------------------


def _clocks(promise: Promise, history: History) -> np.ndarray:
    """Verdicts of a kind with a limit: one for each handoff, or for each owner where it starts afresh (rule C6)."""
    if promise.start != Start.ASSIGNED:
        return _layer(promise, history, history.rows, _starts(promise, history))
    layers = []
    assigned = history.assignments
    ordinal = ordinals(assigned["row"])
    # What waits in a queue, from the beginning or again, has a clock that nobody has started.
    last = last_index(assigned, history.size)
    waiting = history.rows[~take(assigned["owned"], last, False)]
    layers.append(_layer(promise, history, waiting, np.full(len(waiting), NAT)))
    for k in range(ordinal.max(initial=-1) + 1):
        here = np.flatnonzero((ordinal == k) & assigned["owned"])
        following = here + 1
        has_next = following < len(assigned)
        has_next[has_next] = assigned["row"][following[has_next]] == assigned["row"][here[has_next]]
        until = np.full(len(here), NAT)
        until[has_next] = assigned["at"][following[has_next]]
        layers.append(
            _layer(promise, history, assigned["row"][here], assigned["at"][here], until, assigned["id"][here])
        )
    return np.concatenate(layers)


def _starts(promise: Promise, history: History) -> np.ndarray:
    if promise.start == Start.ROUTED:
        return first(history.owned, history.size)
    if promise.start == Start.ACCEPTED:
        return history.accepted_at
    return history.handoffs["qualified_at"]


def _stops(promise: Promise, history: History, since: np.ndarray) -> np.ndarray:
    """Per handoff the first moment at or after `since` that stops the kind's clock (rules A3 and C3)."""
    size, kind = history.size, promise.kind.code

    def soonest(events: np.ndarray, count: int = 1) -> np.ndarray:
        return first(events, size, events["at"] >= since[events["row"]], count)

    if kind == "routing":
        return soonest(history.owned)
    if kind == "acceptance":
        return soonest(history.timely_dispositions)
    if kind == "disposition":
        returned = history.timely_dispositions
        returned = returned[(returned["verdict"] != ACCEPTED) & returned["has_reason"]]
        outcomes = history.timely_outcomes
        outcomes = outcomes[outcomes["at"] >= history.accepted_at[outcomes["row"]]]
        return np.fmin(soonest(returned), soonest(outcomes))
    if kind == "first_touch":
        return soonest(history.attempts[history.attempts["touch"]])
    outbound = history.attempts[history.attempts["outbound"]]
    if kind == "attempts":
        return np.fmin(soonest(outbound, promise.attempts), soonest(outbound[outbound["touch"]]))
    return soonest(outbound)


def _layer(
    promise: Promise,
    history: History,
    rows: np.ndarray,
    started: np.ndarray,
    until: np.ndarray | None = None,
    subject: np.ndarray | None = None,
) -> np.ndarray:
    """One clock for each of `rows`, none twice. An `until` is the moment at which a new owner took over (C6)."""
    since = np.full(history.size, NAT)
    since[rows] = started
    stopped = _stops(promise, history, since)[rows]
    if until is not None:
        stopped = np.where(stopped >= until, NAT, stopped)
    out = _timed(promise, history, rows, started, stopped, history.excused_at[rows], until, subject)

    not_started = np.isnat(started)
    if not_started.any():
        ended = not_started & ~np.isnat(history.ended_at[rows])
        never = "never_accepted" if promise.start == Start.ACCEPTED else "never_assigned"
        _set(out, not_started, OPEN, "not_started")
        _set(out, ended, EXCLUDED, never)
        out["charged_to"][not_started] = history.owner_at(rows, np.where(ended, history.ended_at[rows], history.now))[
            not_started
        ]
    if promise.kind.code == "acceptance":
        # Nobody can accept what is accepted, so whom it is given to afterwards owes nothing (rule C6).
        late = _accepted_since(history)[rows] < started
        _exclude(out, late, _RULE["accepted_before"])
        out["charged_to"][late] = history.owner_at(rows, started)[late]
    if subject is not None:
        out["charged_to"] = subject
    return out


def _accepted_since(history: History) -> np.ndarray:
    """Per handoff since when it is accepted; by an acceptance that was entered too late (A4), since its entry."""
    given = history.dispositions[history.dispositions["verdict"] == ACCEPTED]
    timely = np.isin(given["id"], history.timely_dispositions["id"])
    since = np.full(history.size, NAT)
    np.fmin.at(since, given["row"], np.where(timely, given["at"], np.fmax(given["at"], given["entered_at"])))
    return since


def _timed(
    promise: Promise,
    history: History,
    rows: np.ndarray,
    started: np.ndarray,
    stopped: np.ndarray,
    excused: np.ndarray,
    until: np.ndarray | None = None,
    subject: np.ndarray | None = None,
) -> np.ndarray:
    """Verdicts of clocks with these starts and stops (rules C1 to C7); what has no start is left to the caller."""
    calendar, now = history.calendars[promise.calendar], history.now
    limit = promise.limit_seconds * 1_000_000
    span = _Span(calendar, history, rows, started)
    out = np.zeros(len(rows), VERDICT)
    out["row"], out["started_at"], out["stopped_at"] = rows, started, stopped
    out["due_at"] = out["look_at"] = NAT
    elapsed = span.elapsed(stopped)
    out["elapsed"] = np.where(np.isnat(stopped), np.timedelta64("NaT"), elapsed.astype("m8[us]"))

    due = span.deadline(limit)
    is_stopped = ~np.isnat(stopped)
    used_up = span.elapsed(np.full(len(rows), now)) > limit
    # An open hold keeps the rest of the allowance, also none, from being used up.
    resting = span.on_hold & ~used_up
    _set(out, slice(None), OPEN, "running")
    _set(out, resting, OPEN, "on_hold")
    _set(out, used_up, MISSED, "limit_used_up")
    _set(out, is_stopped, MISSED, "past_limit")
    _set(out, is_stopped & (elapsed <= limit), MET, "within_limit")

    # A clock that is still running when something takes it away is excluded; one past its limit stays missed.
    cutoffs = [("ended_without_contact", excused)] + ([("reassigned", until)] if until is not None else [])
    cut_at = np.full(len(rows), NAT)
    for name, moment in sorted(cutoffs, key=lambda cut: cut[0] == "reassigned"):
        running = ~np.isnat(moment) & ~(stopped <= moment) & (span.elapsed(moment) <= limit)
        running &= ~(cut_at <= moment)
        _set(out, running, EXCLUDED, name)
        cut_at[running] = moment[running]

    out["due_at"] = np.where(resting, NAT, due)
    is_open = (out["state"] == OPEN) & ~resting & ~np.isnat(started)
    if is_open.any():
        out["look_at"][is_open] = span.leaving(limit)[is_open]
    decided = np.select(
        [out["state"] == MISSED, out["state"] == MET, out["state"] == EXCLUDED], [due, stopped, cut_at], now
    )
    out["charged_to"] = history.owner_at(rows, decided)
    out["next_step_at"], out["next_step"] = NAT, -1
    if subject is not None:
        out["subject"] = subject
    if promise.steps:
        over = np.fmin(np.fmin(stopped, excused), NAT if until is None else until)
        _set_next_step(out, promise, history, span, over)
    return out


def _set_next_step(out: np.ndarray, promise: Promise, history: History, span: "_Span", over: np.ndarray) -> None:
    """Find the first step of each clock's ladder that nobody has looked at (rules L1 to L4).

    `over` is when the clock stopped or was taken away. Of what is over only a miss is still told.
    """
    rows, ended = out["row"], ~np.isnat(over)
    # What is over is no longer open.
    left = np.flatnonzero(~np.isnat(out["started_at"]) & ((out["state"] == OPEN) | (out["state"] == MISSED)))
    subject = np.full(history.size, -1)
    subject[rows] = out["subject"]
    seen = history.escalations[history.escalations["promise"] == promise.index]
    seen = seen[subject[seen["row"]] == seen["subject"]]
    done = np.zeros((len(promise.steps), history.size), bool)
    done[seen["step"], seen["row"]] = True
    known_at, qualified_at = history.handoffs["known_at"][rows], history.handoffs["qualified_at"][rows]
    # What the portal learned of within a day is no history: what came due meanwhile comes at once.
    known_at[~(known_at - qualified_at > np.timedelta64(NEWS_FOR))] = NAT
    for rung in promise.ladder:
        position = rung.position(promise.limit_seconds)
        some = left[~done[rung.index, rows[left]]]
        if not rung.action.tells or position < promise.limit_seconds:
            some = some[~ended[some]]
        if not len(some):
            continue
        moments = span.leaving(int(position * 1_000_000), some)
        due = ~(moments < known_at[some]) & (~ended[some] | (moments < over[some]))
        # While a hold is open it is not known when the rest of the allowance is used up.
        due &= ~span.on_hold[some] | (moments < history.now)
        out["next_step_at"][some[due]], out["next_step"][some[due]] = moments[due], rung.index
        left = left[out["next_step"][left] < 0]


class _Span:
    """Business time from the starts on, without what was on hold (rule C5). Positions are µs of open time."""

    def __init__(self, calendar: BusinessTime, history: History, rows: np.ndarray, started: np.ndarray):
        self.calendar = calendar
        self.started = started
        self.from_ = calendar.position_many(started)
        self.on_hold = np.zeros(len(rows), bool)
        self.holds = []
        holds = history.holds
        ordinal = ordinals(holds["row"])
        for k in range(ordinal.max(initial=-1) + 1):
            layer = holds[ordinal == k]
            begin, end = np.full(history.size, NAT), np.full(history.size, NAT)
            begin[layer["row"]], end[layer["row"]] = layer["at"], layer["ended_at"]
            held, is_open = ~np.isnat(begin[rows]), np.isnat(end[rows])
            self.on_hold |= held & is_open
            lower = np.maximum(calendar.position_many(begin[rows]), self.from_)
            upper = np.maximum(calendar.position_many(np.where(is_open, history.now, end[rows])), lower)
            self.holds.append((held, lower, upper))

    def elapsed(self, moments: np.ndarray) -> np.ndarray:
        """µs of open time from start to `moments` that were not on hold; undefined where either is missing."""
        to = np.maximum(self.calendar.position_many(moments), self.from_)
        taken = to - self.from_
        for held, lower, upper in self.holds:
            taken -= np.where(held, np.maximum(np.minimum(upper, to) - lower, 0), 0)
        return taken

    def deadline(self, limit: int) -> np.ndarray:
        """`due_at` (rule C2): the earliest moment at which the allowance is used up; NaT without a start."""
        if limit == 0:
            return self.leaving(limit)
        end = self.from_ + limit
        for held, lower, upper in self.holds:
            end += np.where(held & (lower < end), upper - lower, 0)
        return self._instants(self.calendar.instant_many, end)

    def leaving(self, limit: int, some: np.ndarray | slice = _ALL) -> np.ndarray:
        """The last moment at which no more than the allowance is used: after it, an open clock has missed (C1)."""
        end = self.from_[some] + limit
        for held, lower, upper in self.holds:
            # A hold that begins just as the allowance is used up still keeps more from being used.
            end += np.where(held[some] & (lower[some] <= end), upper[some] - lower[some], 0)
        return self._instants(self.calendar.leaving_many, end, some)

    def _instants(
        self, of: Callable[[np.ndarray], np.ndarray], positions: np.ndarray, some: np.ndarray | slice = _ALL
    ) -> np.ndarray:
        begun = ~np.isnat(self.started[some])
        instants = np.full(len(positions), NAT)
        instants[begun] = of(positions[begun])
        return instants


def _dispute_answers(promise: Promise, history: History) -> np.ndarray:
    """A clock for each time that sales asked; a handoff of which nobody asked is excluded."""
    disputes = history.disputes[history.disputes["asks"]]
    ordinal = ordinals(disputes["row"])
    quiet = np.setdiff1d(history.rows, disputes["row"])
    nothing = _plain(history, quiet)
    nothing["started_at"] = NAT
    _set(nothing, slice(None), EXCLUDED, "nothing_asked")
    nothing["charged_to"] = history.owner_at(quiet, history.handoffs["qualified_at"][quiet])
    layers = [nothing]
    for k in range(ordinal.max(initial=-1) + 1):
        layer = disputes[ordinal == k]
        answered = np.where(layer["answered_at"] <= history.now, layer["answered_at"], NAT)
        # A handoff's end excuses only what was already being asked (rule C7).
        excused = history.excused_at[layer["row"]]
        excused = np.where(excused >= layer["at"], excused, NAT)
        out = _timed(promise, history, layer["row"], layer["at"], answered, excused, subject=layer["id"])
        layers.append(out)
    return np.concatenate(layers)


# --- Kinds without a time limit ----------------------------------------------------------------------------------


def _plain(history: History, rows: np.ndarray) -> np.ndarray:
    """Verdicts without due and elapsed, started when the lead qualified."""
    out = np.zeros(len(rows), VERDICT)
    out["row"], out["started_at"] = rows, history.handoffs["qualified_at"][rows]
    out["due_at"] = out["look_at"] = out["stopped_at"] = out["next_step_at"] = NAT
    out["next_step"] = -1
    out["elapsed"] = np.timedelta64("NaT")
    return out


def _decided(out: np.ndarray, history: History, moments: np.ndarray) -> np.ndarray:
    """Fill in when each was decided (NaT: not yet) and whom it counts for (rule N4)."""
    is_open = out["state"] == OPEN
    out["stopped_at"] = np.where(is_open, NAT, moments)
    out["charged_to"] = history.owner_at(history.rows, np.where(is_open, history.now, moments))
    return out


def _volume(promise: Promise, history: History) -> np.ndarray:
    out, handoffs = _plain(history, history.rows), history.handoffs
    undelivered = take(history.dispositions["undelivered"], history.latest, False)
    disposed_at = take(history.dispositions["at"], history.latest)
    _set(out, slice(None), MET, "delivered")
    _set(out, undelivered, EXCLUDED, "undelivered")
    _set(out, handoffs["below_definition"], EXCLUDED, "below_definition")
    _set(out, ~handoffs["first"], EXCLUDED, "returned")
    late = out["rule"] == _RULE["undelivered"]
    return _decided(out, history, np.where(late, disposed_at, handoffs["qualified_at"]))


def _definition_fit(promise: Promise, history: History) -> np.ndarray:
    out, below = _plain(history, history.rows), history.handoffs["below_definition"]
    _set(out, ~below, MET, "meets_definition")
    _set(out, below, MISSED, "fails_definition")
    return _decided(out, history, history.handoffs["qualified_at"])


def _completeness(promise: Promise, history: History) -> np.ndarray:
    out, complete = _plain(history, history.rows), history.handoffs["complete"]
    _set(out, complete, MET, "complete")
    _set(out, ~complete, MISSED, "incomplete")
    return _decided(out, history, history.handoffs["qualified_at"])


def _acceptance_rate(promise: Promise, history: History) -> np.ndarray:
    """By the latest disposition; an upheld dispute counts as accepted."""
    out, latest, given = _plain(history, history.rows), history.latest, history.dispositions
    verdict, at = take(given["verdict"], latest, -1), take(given["at"], latest)
    quality = (verdict == REJECTED) & take(given["has_reason"] & given["quality"], latest, False)
    human = history.attempts[history.attempts["outbound"] | history.attempts["touch"]]
    begun = history.handoffs["qualified_at"][human["row"]]
    tried = ~np.isnat(first(human, history.size, (human["at"] >= begun) & (human["at"] <= at[human["row"]])))
    upheld = history.disputes[history.disputes["upheld"] & (history.disputes["answered_at"] <= history.now)]
    upheld_at = np.full(history.size, NAT)
    np.fmin.at(upheld_at, upheld["row"], upheld["answered_at"])

    _set(out, slice(None), EXCLUDED, "not_about_quality")
    _set(out, latest < 0, OPEN, "undecided")
    _set(out, quality, MISSED, "rejected_for_quality")
    _set(out, quality & take(given["needs_contact"], latest, False) & ~tried, EXCLUDED, "never_contacted")
    _set(out, verdict == ACCEPTED, MET, "accepted")
    _set(out, ~np.isnat(upheld_at), MET, "dispute_upheld")
    return _decided(out, history, np.where(np.isnat(at), upheld_at, at))


def _reasons_documented(promise: Promise, history: History) -> np.ndarray:
    out, latest, given = _plain(history, history.rows), history.latest, history.dispositions
    verdict = take(given["verdict"], latest, -1)
    returned, documented = verdict > ACCEPTED, take(given["has_reason"], latest, False)
    kept = ~returned & history.has_outcome
    _set(out, slice(None), OPEN, "undecided")
    _set(out, kept, EXCLUDED, "not_returned")
    _set(out, returned & documented, MET, "documented")
    _set(out, returned & ~documented, MISSED, "undocumented")
    return _decided(out, history, np.where(kept, history.ended_at, take(given["at"], latest)))


def _attempts_before_giving_up(promise: Promise, history: History) -> np.ndarray:
    """Decided where the handoff first went back: a reason such as “no answer” needs attempts before it."""
    out, given_back, final = _plain(history, history.rows), history.given_back, history.final
    at = take(final["at"], given_back)
    needed = np.where(take(final["has_reason"], given_back, False), take(final["needs_attempts"], given_back, 0), 0)
    if promise.attempts is not None:
        needed = np.where(needed > 0, promise.attempts, 0)
    attempts = history.attempts[history.attempts["outbound"]]
    begun = history.handoffs["qualified_at"][attempts["row"]]
    before = (attempts["at"] >= begun) & (attempts["at"] <= at[attempts["row"]])
    made = np.bincount(attempts["row"][before], minlength=history.size)
    _set(out, slice(None), OPEN, "undecided")
    _set(out, ~np.isnat(history.ended_at), EXCLUDED, "not_given_up")
    _set(out, (needed > 0) & (made >= needed), MET, "enough_attempts")
    _set(out, (needed > 0) & (made < needed), MISSED, "too_few_attempts")
    return _decided(out, history, np.where(needed > 0, at, history.ended_at))


_BY_KIND = {
    "volume": _volume,
    "definition_fit": _definition_fit,
    "completeness": _completeness,
    "acceptance_rate": _acceptance_rate,
    "reasons_documented": _reasons_documented,
    "attempts_before_giving_up": _attempts_before_giving_up,
    "dispute_answer": _dispute_answers,
}


def _mark_deciding(verdicts: np.ndarray) -> None:
    """Mark each handoff's clock that gives it its state: the worst, and of equals the first due (rules N2, N4)."""
    due = np.where(np.isnat(verdicts["due_at"]), np.datetime64(2**62, "us"), verdicts["due_at"])
    order = np.lexsort((verdicts["subject"], due, verdicts["state"], verdicts["row"]))
    rows = verdicts["row"][order]
    verdicts["decides"] = False
    verdicts["decides"][order[np.r_[True, rows[1:] != rows[:-1]]]] = True
