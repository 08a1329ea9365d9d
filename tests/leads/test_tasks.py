"""Celery's doors: they call the verbs of timekeeping and are calm when the database is busy."""

from datetime import timedelta

import pytest
import time_machine
from django.db import OperationalError

from leads import clocks, tasks, timekeeping
from leads.models import Clock
from slaportal.models import Heartbeat
from slaportal.timing import database_now
from tests.conftest import MONDAY, receive

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def states() -> set[int]:
    return set(Clock.objects.filter(commitment__code="first-response").values_list("state", flat=True))


def test_the_tick_marks_what_was_missed_by_now(version, ron):
    receive("A", "B")
    with time_machine.travel(MONDAY + DAY, tick=False):
        assert tasks.tick.delay().get() == 2
        # By the database's clock, which travels only where it is the machine's.
        assert abs(Heartbeat.objects.get(name="tick").at - database_now()) < timedelta(minutes=1)
    assert states() == {clocks.MISSED}


def test_a_busy_database_is_noted_and_left_to_the_next_tick(monkeypatch, caplog):
    def busy(*, now):
        raise OperationalError("database is locked")

    monkeypatch.setattr(timekeeping, "tick", busy)
    with caplog.at_level("WARNING", logger="leads.tasks"):
        assert tasks.tick() == 0
    assert "left to the next one: database is locked" in caplog.text
    assert not Heartbeat.objects.exists()


def test_any_other_trouble_of_a_tick_is_not_hidden(monkeypatch):
    def broken(*, now):
        raise ZeroDivisionError

    monkeypatch.setattr(timekeeping, "tick", broken)
    with pytest.raises(ZeroDivisionError):
        tasks.tick()


def test_a_recompute_sends_each_range_of_handoffs_once(version, ron, monkeypatch):
    monkeypatch.setattr(timekeeping, "RANGE", 2)
    handoffs = receive(*"ABCDE")
    Clock.objects.all().delete()
    with time_machine.travel(MONDAY, tick=False):
        assert tasks.evaluate_everything.delay().get() == 3
    assert Clock.objects.count() == 5 * 3
    assert timekeeping.id_ranges()[0] == (handoffs[0].pk, handoffs[0].pk + 1)


def test_a_range_has_both_its_ends(version, ron):
    first, second, third = receive(*"ABC")
    Clock.objects.all().delete()
    assert tasks.evaluate_range(first.pk, second.pk) == 2
    assert set(Clock.objects.values_list("handoff", flat=True)) == {first.pk, second.pk}
    assert not Clock.objects.filter(handoff=third).exists()


def test_a_range_is_evaluated_as_of_the_time_of_the_database(version, ron, monkeypatch):
    (handoff,) = receive("A")
    monkeypatch.setattr(tasks, "database_now", lambda: MONDAY + DAY)
    with time_machine.travel(MONDAY, tick=False):
        tasks.evaluate_range(handoff.pk, handoff.pk)
    assert states() == {clocks.MISSED}


def test_without_handoffs_there_is_nothing_to_send(version):
    assert tasks.evaluate_everything.delay().get() == 0
