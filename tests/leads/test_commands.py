"""`manage.py tick` and `manage.py evaluate`: the same work without Celery, from a terminal or cron."""

from datetime import timedelta

import pytest
import time_machine
from django.core.management import CommandError, call_command

from leads import clocks
from leads.models import Clock, Handoff
from slaportal.models import Heartbeat
from slaportal.timing import database_now
from tests.conftest import MONDAY, receive

pytestmark = pytest.mark.django_db
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def said(capsys, *command: str) -> str:
    call_command(*command)
    return capsys.readouterr().out


def states() -> set[int]:
    return set(Clock.objects.filter(commitment__code="first-response").values_list("state", flat=True))


@pytest.mark.parametrize(
    ("moment", "state", "sentence"),
    [
        ("2025-03-03T13:00:00Z", clocks.OPEN, "0 handoffs given out, marked or escalated.\n"),
        ("2025-03-03T13:00:00.000001Z", clocks.MISSED, "1 handoff given out, marked or escalated.\n"),
        ("2025-03-03T14:00:01+01:00", clocks.MISSED, "1 handoff given out, marked or escalated.\n"),
        ("2025-03-03 14:00+01:00", clocks.OPEN, "0 handoffs given out, marked or escalated.\n"),
    ],
)
def test_tick_takes_a_moment_with_its_zone(version, ron, capsys, moment, state, sentence):
    receive()
    assert said(capsys, "tick", "--now", moment) == sentence
    assert states() == {state}


def test_tick_without_a_moment_takes_the_present(version, ron, capsys):
    receive("A", "B")
    with time_machine.travel(MONDAY + DAY, tick=False):
        assert said(capsys, "tick") == "2 handoffs given out, marked or escalated.\n"
        assert abs(Heartbeat.objects.get(name="tick").at - database_now()) < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("moment", "sentence"),
    [
        ("tomorrow", "“tomorrow” is not a moment; write 2025-03-03T09:00Z."),
        ("2025-13-03T09:00Z", "“2025-13-03T09:00Z” is not a moment; write 2025-03-03T09:00Z."),
        ("2025-03-03T09:00", "“2025-03-03T09:00” names no time zone; write 2025-03-03T09:00Z."),
    ],
)
def test_tick_refuses_what_is_no_moment(moment, sentence):
    with pytest.raises(CommandError) as refusal:
        call_command("tick", "--now", moment)
    assert str(refusal.value) == sentence


def test_evaluate_takes_what_still_runs_and_with_all_everything(version, ron, capsys):
    _, done = receive("A", "B")
    Clock.objects.filter(handoff=done).update(state=clocks.MET, rule="within_limit")
    with time_machine.travel(MONDAY + HOUR, tick=False):
        assert said(capsys, "evaluate") == "1 handoff evaluated.\n"
        assert Clock.objects.get(handoff=done, commitment__code="first-response").state == clocks.MET
        assert said(capsys, "evaluate", "--all") == "2 handoffs evaluated.\n"
    assert states() == {clocks.OPEN}


def test_evaluate_makes_good_what_is_missing_altogether(version, ron, capsys):
    receive("A", "B")
    columns = [field.attname for field in Clock._meta.concrete_fields if field.name != "id"]
    before = list(Clock.objects.order_by("handoff", "commitment").values_list(*columns))
    Clock.objects.all().delete()
    Handoff.objects.update(owner=None, stage="won", ended_at=MONDAY)
    with time_machine.travel(MONDAY, tick=False):
        assert said(capsys, "evaluate") == "0 handoffs evaluated.\n"
        assert said(capsys, "evaluate", "--all") == "2 handoffs evaluated.\n"
    assert list(Clock.objects.order_by("handoff", "commitment").values_list(*columns)) == before
    assert set(Handoff.objects.values_list("owner", "stage", "ended_at")) == {(ron.pk, "mql", None)}


def test_evaluate_with_nothing_to_evaluate_says_so(version, capsys):
    assert said(capsys, "evaluate", "--all") == "0 handoffs evaluated.\n"
