"""An evaluation that changes figures notes their local days, once each, in its transaction; another notes nothing."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from django.db import transaction

from agreements.models import Agreement
from leads import clock_rows, timekeeping, touches
from leads.models import Clock, Verdict
from leads.touches import TouchedDay
from leads.tracking import Decision, NewAttempt, NewOutcome, dispose, log_attempts, record_outcomes
from tests.conftest import MONDAY, receive

pytestmark = pytest.mark.django_db


def noted() -> list[date]:
    return sorted(TouchedDay.objects.values_list("day", flat=True))


@pytest.fixture
def handoff(version, ron):
    """One that began on Monday, evaluated and counted."""
    (handoff,) = receive("A")
    TouchedDay.objects.all().delete()
    return handoff


def test_a_handoff_that_begins_touches_its_local_day(version, ron):
    late = datetime(2025, 3, 3, 22, 59, 59, tzinfo=UTC)
    receive("A", now=late, received_at=late)
    receive("B", now=late + timedelta(seconds=1), received_at=late + timedelta(seconds=1))  # Tuesday in Berlin

    assert set(noted()) == {date(2025, 3, 3), date(2025, 3, 4)}


def test_what_changes_a_clock_touches_the_day_on_which_its_handoff_began(handoff, ron):
    later = MONDAY + timedelta(days=3)
    log_attempts([NewAttempt(lead=handoff.lead, at=later)], by=ron, now=later)

    assert noted() == [MONDAY.date()]


def test_what_changes_nothing_touches_nothing(handoff):
    timekeeping.evaluate_handoffs([handoff.pk], now=MONDAY + timedelta(minutes=1))

    assert noted() == []


def test_an_outcome_touches_the_day_though_no_clock_depends_on_it(handoff, ron):
    dispose([Decision(handoff, Verdict.ACCEPTED, at=MONDAY)], by=ron, now=MONDAY)
    TouchedDay.objects.all().delete()

    record_outcomes([NewOutcome(handoff, "meeting", MONDAY)], by=ron, now=MONDAY)

    assert noted() == [MONDAY.date()]


def test_a_clock_that_ceases_to_be_touches_the_day_of_its_handoff(handoff):
    clock = Clock.objects.filter(handoff=handoff).first()
    Clock.objects.create(handoff=handoff, commitment=clock.commitment, subject=99, state=clock.state, rule="running")

    timekeeping.evaluate_handoffs([handoff.pk], now=MONDAY)

    assert noted() == [MONDAY.date()]


def test_what_is_rolled_back_touches_nothing(handoff, ron):
    later = MONDAY + timedelta(days=3)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        log_attempts([NewAttempt(lead=handoff.lead, at=later)], by=ron, now=later)
        raise ZeroDivisionError

    assert noted() == []


def test_many_at_once_touch_each_of_their_days_once(version, ron):
    later = MONDAY + timedelta(days=9)
    with timekeeping.evaluated_together(now=later):
        for number in range(6):
            receive(f"L{number}", now=later, received_at=MONDAY + timedelta(days=number % 2))

    assert noted() == [MONDAY.date(), MONDAY.date() + timedelta(days=1)]


@pytest.mark.postgresql
def test_of_many_whose_clocks_are_copied_only_the_days_of_those_that_changed_are_touched(version, ron):
    later = MONDAY + timedelta(days=9)
    handoffs = receive(*(f"M{number}" for number in range(200)))
    handoffs += receive("other", now=later, received_at=MONDAY + timedelta(days=4))
    everybody = [handoff.pk for handoff in handoffs]
    timekeeping.evaluate_handoffs(everybody, now=later)
    assert Clock.objects.count() >= clock_rows.COPY_FROM
    TouchedDay.objects.all().delete()

    Clock.objects.filter(handoff=handoffs[-1]).update(state=Clock.State.EXCLUDED, rule="granted")
    timekeeping.evaluate_handoffs(everybody, now=later)

    assert noted() == [(MONDAY + timedelta(days=4)).date()]


@pytest.mark.parametrize(
    ("zone", "moment", "day"),
    [
        ("America/Havana", "2025-03-09T04:59", "2025-03-08"),  # midnight does not exist
        ("America/Havana", "2025-03-09T05:00", "2025-03-09"),
        ("America/Havana", "2025-11-02T04:00", "2025-11-02"),  # midnight comes twice
        ("America/Havana", "2025-11-02T05:00", "2025-11-02"),
        ("Pacific/Auckland", "2024-02-28T11:00", "2024-02-29"),
    ],
)
def test_days_are_those_of_the_zone_also_where_its_clocks_change_at_midnight(agreement, zone, moment, day):
    Agreement.objects.update(time_zone=zone)
    agreement.refresh_from_db()
    alone = touches.days_of(agreement, np.array([moment], "M8[us]"))
    among = touches.days_of(agreement, np.array(["2024-01-01T12:00", moment, "2025-12-31T12:00"], "M8[us]"))

    assert alone == [date.fromisoformat(day)]
    assert among[1:-1] == alone
