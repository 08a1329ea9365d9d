"""Values of dimensions: how people read them, in which order they come, and the counts of one as JSON."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from agreements.catalogue import Measure
from agreements.terms import Promise
from reports import counting
from slaportal.models import Team, User

# Values of these have an order of their own; those of the others come largest first.
ORDERED = ("weekday", "hour", "week")
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

# How people read a value that is a number, by dimension and value.
Labels = Mapping[tuple[str, str], str]
# Says the counts and the verdict of handoffs, given by state.
Judge = Callable[[Sequence[int]], dict[str, Any]]


def labels(asked: Mapping[str, Iterable[str]]) -> Labels:
    """How people read these values, given by dimension; those of texts need no label."""
    found = {("weekday", str(number)): name for number, name in enumerate(WEEKDAYS, 1)}
    found |= {("hour", str(hour)): f"{hour:02}:00" for hour in range(24)}
    for name, model in (("team", Team), ("rep", User)):
        if ids := {int(value) for value in asked.get(name, ()) if value}:
            rows = model.objects.filter(pk__in=ids).values_list("pk", "name")
            found |= {(name, str(pk)): label for pk, label in rows}
    return found


def told(name: str, value: str, known: Labels) -> dict[str, Any]:
    """A value as people read it, and what tells it apart; both null where there is none."""
    if name in (*counting.TEXTS, "week"):
        return {"value": value or None, "id": value or None}
    return {"value": known.get((name, value)) or None, "id": int(value) if value else None}


def ranked(name: str, states: Mapping[str, Sequence[int]], known: Labels) -> list[tuple[str, Sequence[int]]]:
    """Values with their counts by state: largest first and no value last, or in the order of the week and the day."""
    if name in ORDERED:
        return sorted(states.items(), key=lambda item: (len(item[0]), item[0]))
    return sorted(
        states.items(),
        key=lambda item: (item[0] == "", -sum(item[1]), known.get((name, item[0]), item[0]), item[0]),
    )


def judge(promise: Promise, minimum: int) -> Judge:
    """What says the counts and the verdict of a part of a commitment's handoffs, given by state.

    Fewer with a verdict than `minimum` are too few (N3). Volume has no target by value.
    """
    is_share, target = promise.kind.measure != Measure.COUNT, promise.target
    owed, of = (target.numerator, target.denominator) if target is not None else (0, 0)

    def judged(states: Sequence[int]) -> dict[str, Any]:
        missed, running, met, excluded = states
        known = met + missed if is_share else 0
        return {
            "met": met,
            "missed": missed,
            "open": running,
            "excluded": excluded,
            "attainment": met / known if known else None,
            # Compared exactly (C1): met ÷ known ≥ owed ÷ of.
            "kept": met * of >= known * owed if known and of else None,
            "too_few": 0 < known < minimum,
        }

    return judged
