"""The tick does three things, and one that breaks holds up no other."""

from datetime import timedelta

import pytest
from django.db import OperationalError

from leads import clocks, routing, ticking
from leads.models import Clock
from tests.conftest import MONDAY, receive

pytestmark = pytest.mark.django_db

LATER = MONDAY + timedelta(hours=5)


def break_with(monkeypatch, problem: Exception) -> None:
    def broken(*, now):
        raise problem

    broken.__name__, broken.__module__ = "route_waiting", "leads.routing"
    monkeypatch.setattr(routing, "route_waiting", broken)


def test_what_cannot_be_given_out_keeps_nobody_from_seeing_a_miss(version, ron, monkeypatch, caplog):
    receive("A")
    break_with(monkeypatch, ValueError("no rule fits"))
    with pytest.raises(ValueError, match="no rule fits"):
        ticking.tick(now=LATER)
    assert Clock.objects.get(commitment__kind="first_response").state == clocks.MISSED
    assert "tick: leads.routing.route_waiting" in caplog.text


def test_a_busy_database_ends_the_tick(version, ron, monkeypatch):
    receive("A")
    break_with(monkeypatch, OperationalError("database is locked"))
    with pytest.raises(OperationalError):
        ticking.tick(now=LATER)


def test_ticking_twice_does_nothing_more(version, ron):
    receive("A", "B")
    assert ticking.tick(now=LATER) == 2
    assert ticking.tick(now=LATER) == 0
