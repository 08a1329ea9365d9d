"""What tests of routing share: rules, hours and absences, who owns what, and several who act at once."""

import threading
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta

from django.db import connection

from agreements.calendars import WorkingHours
from leads.models import Assignment, Handoff, RoutingCriterion, RoutingRule, RoutingSeat
from slaportal.models import Absence, Notice, User
from tests.conftest import MONDAY, make_calendar


def make_rule(name: str = "Enterprise", *criteria: tuple[str, str, str], weights: dict | None = None, **fields):
    """A rule of these criteria (field, operator, value), after those that there are."""
    rule = RoutingRule.objects.create(name=name, **{"position": RoutingRule.objects.count(), **fields})
    for field, operator, value in criteria:
        RoutingCriterion.objects.create(rule=rule, field=field, operator=operator, value=value)
    for person, weight in (weights or {}).items():
        RoutingSeat.objects.create(rule=rule, person=person, weight=weight)
    return rule


def make_away(person: User, first: int = 0, last: int = 0, **fields) -> Absence:
    """Away from so many days after MONDAY to so many."""
    first_day, last_day = ((MONDAY + timedelta(days=number)).date() for number in (first, last))
    return Absence.objects.create(person=person, first_day=first_day, last_day=last_day, **fields)


def works(person: User, **hours) -> None:
    """Works by a calendar of one's own."""
    WorkingHours.objects.create(person=person, calendar=make_calendar(name=f"Of {person}", **hours))


def owners() -> list[str]:
    """The owners of the handoffs by name, in the order in which they began; blank is nobody."""
    rows = Handoff.objects.order_by("qualified_at", "pk").select_related("owner")
    return [row.owner.name if row.owner else "" for row in rows]


def whys() -> list[str]:
    return list(Assignment.objects.order_by("pk").values_list("why", flat=True))


def told(kind: str, now: datetime | None = None) -> list[tuple[str, str]]:
    """Portal notices of a kind: slot and who it is now."""
    rows = Notice.objects.filter(channel="portal", kind=kind).order_by("pk")
    return [(row.slot, str(row.recipient)) for row in rows]


def at_once(*calls: Callable[[], object]) -> list[Exception]:
    """Run these in threads of their own, each with its own connection; what they raised."""
    raised, ready = [], threading.Barrier(len(calls))

    def run(call):
        with closing(connection):
            ready.wait()
            try:
                call()
            except Exception as problem:
                raised.append(problem)

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    return raised
