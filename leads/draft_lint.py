"""What the leads of the last 90 days say to a draft: what could not be measured, and what nobody could have kept.

It is asked at every look at a draft, so it reads no more than the newest leads and handoffs and tests a criterion once
for each different value. Where no lead came in, it says nothing.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from math import floor
from typing import Any

import numpy as np
from django.db import connection
from django.db.models import QuerySet

from agreements import phrases
from agreements.business_time import BusinessTime
from agreements.calendars import closures_by_calendar
from agreements.catalogue import FIELDS, Operator, Start
from agreements.lint import NOT_MEASURABLE, UNREACHABLE, Lint, worked_by
from agreements.models import Version
from agreements.terms import Promise, Terms, Test
from leads import facts, qualification
from leads.models import Lead, Verdict

SPAN, MONTH = timedelta(days=90), timedelta(days=365) / 12
MOST = 10_000
# Kinds whose clock sales stops, and could have stopped with the first open moment.
WORKED = ("acceptance", "first_response", "first_touch", "contact_after_acceptance", "attempts", "disposition")

# What is known of a lead, by field.
Values = dict[str, Any]

HANDOFF = np.dtype([("lead", "i8"), ("qualified_at", "M8[us]"), ("assigned_at", "M8[us]"), ("accepted_at", "M8[us]")])


def lint(version: Version, terms: Terms, *, now: datetime) -> list[Lint]:
    """What the leads and the agreement's handoffs of the 90 days before `now` say to these terms."""
    received = Lead.objects.filter(received_at__gt=now - SPAN, received_at__lte=now)
    leads = Sample(received.order_by("-received_at", "-pk")[:MOST], terms)
    if not len(leads):
        return []
    unknown = {field for field in _fields(terms) if not leads.know(field)}
    found = list(_unknown_fields(terms, leads, unknown))
    covered = leads.meeting(terms.scope)
    if not covered.any():
        if unknown.isdisjoint(test.field for test in terms.scope):
            says = f"None of {leads} is in the agreement’s scope ({_words(terms.scope)}). Widen which leads it covers."
            found.append(Lint(NOT_MEASURABLE, "nobody-in-scope", "", "", says))
        return found
    asked = []
    for promise in terms.promises:
        if (covered & leads.meeting(promise.scope)).any():
            asked.append(promise)
        elif unknown.isdisjoint(test.field for test in promise.scope):
            says = (
                f"None of {leads} is among those to which {_name(promise)} applies ({_words(promise.scope)}). Widen "
                "that, or leave it out until such leads come."
            )
            found.append(Lint(NOT_MEASURABLE, "nobody-in-scope", "covers", promise.code, says))
    definition = _definition(terms)
    if not unknown.isdisjoint(test.field for test in definition):
        return found
    if not (covered & leads.meeting(definition)).any():
        says = f"None of {leads} meets the lead definition ({_words(definition)}). Use the values that your leads have."
        return [*found, Lint(NOT_MEASURABLE, "nobody-qualifies", "covers", "", says)]
    found += _too_many_leads(asked, terms, leads, now)
    found += _too_many_in_time(asked, terms, leads, version.agreement_id, now)
    return found


class Sample:
    """Leads by what terms read of them. A criterion is tested once for each different value of its field."""

    def __init__(self, leads: QuerySet[Lead], terms: Terms):
        named = {field.partition(".")[0] for field in _fields(terms)} & {*FIELDS, "attributes"}
        rows = leads.values_list("pk", *named)
        self._columns = dict(zip(("pk", *named), zip(*rows, strict=True), strict=False))
        self.ids = np.array(self._columns.get("pk", ()), "i8")
        self._met: dict[Test, np.ndarray] = {}
        self._coded: dict[str, tuple[list[Values], np.ndarray]] = {}

    def __len__(self) -> int:
        return len(self.ids)

    def __str__(self) -> str:
        return f"the newest {MOST:,} leads" if len(self) == MOST else f"the last 90 days’ {_count(len(self), 'lead')}"

    def meeting(self, tests: Iterable[Test]) -> np.ndarray:
        """Which of the leads meet all the tests."""
        found = np.ones(len(self), bool)
        for test in tests:
            if test not in self._met:
                different, which = self._different(test.field)
                self._met[test] = np.array([qualification.meets(test, one) for one in different], bool)[which]
            found &= self._met[test]
        return found

    def know(self, field: str) -> bool:
        """Whether any of the leads has the field."""
        column = field.partition(".")[0]
        return any(qualification.value_of({column: sent}, field) for sent in self._columns.get(column, ()))

    def rows_of(self, ids: np.ndarray) -> np.ndarray:
        """Where the leads with these ids stand; all have to be there."""
        order = np.argsort(self.ids)
        return order[np.searchsorted(self.ids, ids, sorter=order)]

    def _different(self, field: str) -> tuple[list[Values], np.ndarray]:
        """The different values of a field, as leads of which no more is known, and which of them each lead has."""
        if field not in self._coded:
            column, _, name = field.partition(".")
            sent = self._columns.get(column) or [None] * len(self)
            if name:
                # As text, because an attribute can be a list, which nothing can be looked up by.
                sent = [qualification.value_of({column: attributes}, field) for attributes in sent]
            place = {value: index for index, value in enumerate(dict.fromkeys(sent))}
            alone = [{column: {name: value} if name else value} for value in place]
            self._coded[field] = alone, np.array([place[value] for value in sent], "i8")
        return self._coded[field]


# --- Not measurable -----------------------------------------------------------------------------------------------


def _unknown_fields(terms: Terms, leads: Sample, unknown: set[str]) -> Iterator[Lint]:
    """Fields that the terms read and no lead has, each beside where it is read."""
    places = [
        ("", "", "the agreement’s scope reads it", terms.scope),
        ("score_threshold", "", "the lead definition reads it", _threshold(terms)),
        ("covers", "", "the lead definition reads it", terms.criteria),
        *(("covers", one.code, f"{_name(one)} applies by it", one.scope) for one in terms.promises),
    ]
    read = [(*place, list(dict.fromkeys(test.field for test in tests))) for *place, tests in places]
    read.append(("required_fields", "", "a complete record needs it", list(terms.required_fields)))
    for field, commitment, why, names in read:
        for name in names:
            if name in unknown:
                says = (
                    f"In none of {leads} is the {phrases.noun(name)} known, and {why}. Have the source send it, or use "
                    "another field."
                )
                yield Lint(NOT_MEASURABLE, "field-nobody-has", field, commitment, says)


# --- Unreachable --------------------------------------------------------------------------------------------------


def _too_many_leads(promises: Iterable[Promise], terms: Terms, leads: Sample, now: datetime) -> Iterator[Lint]:
    """Volumes above the rate at which leads that meet the draft's definition came in."""
    qualified = leads.meeting([*terms.scope, *_definition(terms)])
    volumes = [promise for promise in promises if promise.kind.code == "volume" and promise.target is not None]
    counts = [int((qualified & leads.meeting(promise.scope)).sum()) for promise in volumes]
    if all(_monthly(count, SPAN) >= promise.target for promise, count in zip(volumes, counts, strict=True)):
        return
    # Leads may reach back less far: the portal is new, or there are more of them than are read.
    since = Lead.objects.values_list("received_at", flat=True).get(pk=int(leads.ids[-1]))
    if now - since < MONTH and len(leads) < MOST:
        return
    for promise, count in zip(volumes, counts, strict=True):
        rate = _monthly(count, now - since)
        if rate < promise.target:
            says = (
                f"{_name(promise)} asks for {phrases.number(promise.target)} leads a month; of {leads} those that meet "
                f"this definition were {_floored(rate)} a month. Lower the target, or widen the definition."
            )
            yield Lint(UNREACHABLE, "target-out-of-reach", "target", promise.code, says)


def _too_many_in_time(
    promises: Iterable[Promise], terms: Terms, leads: Sample, agreement_id: int, now: datetime
) -> Iterator[Lint]:
    """Shares above what sales had reached, had it worked each handoff with the first open moment of its owner."""
    timed = [
        promise
        for promise in promises
        if promise.kind.code in WORKED and promise.limit_seconds is not None and promise.target is not None
    ]
    if not timed:
        return
    handoffs = _handoffs(agreement_id, now)
    if not np.isin(handoffs["lead"], leads.ids).all():
        leads = Sample(Lead.objects.filter(pk__in=np.unique(handoffs["lead"]).tolist()), terms)
    rows = leads.rows_of(handoffs["lead"])
    qualified = leads.meeting([*terms.scope, *_definition(terms)])
    calendars = terms.business_times(closures_by_calendar())
    moment = np.datetime64(now.astimezone(UTC).replace(tzinfo=None), "us")
    for promise in timed:
        counting = handoffs[(qualified & leads.meeting(promise.scope))[rows]]
        met, total = _at_best(promise, counting, calendars, worked_by(promise, terms), moment)
        # A share of a few says nothing (rule N3).
        if total < max(terms.minimum_group, 1) or Fraction(met, total) >= promise.target:
            continue
        among = f" among the newest {MOST:,}" if len(handoffs) == MOST else ""
        says = (
            f"{_name(promise)}: at best {_floored(Fraction(100 * met, total))}{phrases.NBSP}% of the last 90 days’ "
            f"{_count(total, 'handoff')}{among} could have been met; the target is "
            f"{phrases.percentage(promise.target)}. Lower the target, allow longer, or assign leads sooner."
        )
        yield Lint(UNREACHABLE, "target-out-of-reach", "target", promise.code, says)


def _handoffs(agreement_id: int, now: datetime) -> np.ndarray:
    """The newest handoffs of the agreement, with when each was first assigned and accepted."""
    adapt = connection.ops.adapt_datetimefield_value
    return facts.columns(
        "SELECT h.lead_id, h.qualified_at, "
        "(SELECT min(a.at) FROM leads_assignment a WHERE a.handoff_id = h.id), "
        "(SELECT min(d.at) FROM leads_disposition d "
        "WHERE d.handoff_id = h.id AND d.verdict = %s AND d.voided_at IS NULL) "
        "FROM leads_handoff h WHERE h.agreement_id = %s AND h.qualified_at > %s AND h.qualified_at <= %s "
        "ORDER BY h.qualified_at DESC, h.id DESC LIMIT %s",
        [Verdict.ACCEPTED.value, agreement_id, adapt(now - SPAN), adapt(now), MOST],
        HANDOFF,
    )


def _at_best(
    promise: Promise,
    handoffs: np.ndarray,
    calendars: Mapping[str | None, BusinessTime],
    where: str,
    now: np.datetime64,
) -> tuple[int, int]:
    """How many could have been met (rule C1) and of how many, had each owner acted with the first open moment.

    A clock that has not started, or waits for an owner within its limit, is not counted.
    """
    clock, limit = calendars[promise.calendar], np.timedelta64(promise.limit_seconds, "s")
    # Whoever accepts a handoff owns it, whatever else is known.
    owned_at = np.where(np.isnat(handoffs["assigned_at"]), handoffs["accepted_at"], handoffs["assigned_at"])
    starts = {Start.QUALIFIED: handoffs["qualified_at"], Start.ACCEPTED: handoffs["accepted_at"]}
    started, owned = starts.get(promise.start, handoffs["assigned_at"]), ~np.isnat(owned_at)
    ready = np.maximum(started, np.where(owned, owned_at, now))
    try:
        acted = calendars[where].deadline_many(ready, np.timedelta64(0, "us"))
    except ValueError:  # it has closed for good, which its own remark says
        return 0, 0
    in_time = clock.elapsed_many(started, np.where(owned, acted, now)) <= limit
    counted = ~np.isnat(started) & (owned | ~in_time)
    return int((in_time & counted).sum()), int(counted.sum())


# --- What terms read, and figures ---------------------------------------------------------------------------------


def _threshold(terms: Terms) -> list[Test]:
    if terms.score_threshold is None:
        return []
    return [Test("score", Operator.AT_LEAST, (str(terms.score_threshold),))]


def _definition(terms: Terms) -> list[Test]:
    """The tests that a qualified lead meets."""
    return [*_threshold(terms), *terms.criteria]


def _fields(terms: Terms) -> list[str]:
    return sorted(terms.fields_read() | {test.field for test in _threshold(terms)})


def _monthly(count: int, span: timedelta) -> Fraction:
    return count * Fraction(MONTH // timedelta.resolution, max(span // timedelta.resolution, 1))


def _floored(figure: Fraction) -> str:
    """With one decimal, rounded down: what falls short of a target must not look like it."""
    return phrases.number(Fraction(floor(figure * 10), 10))


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _words(tests: Iterable[Test]) -> str:
    return "; ".join(str(test) for test in tests)


def _name(promise: Promise) -> str:
    return f"“{promise.title or promise.code}”"
