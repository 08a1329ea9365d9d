"""The delays on a scorecard: counts that add up, owners of their own, and medians that a plain list gives."""

import json
from datetime import timedelta
from statistics import median, quantiles

import pytest

from agreements import signoff
from leads import delays as waits
from leads import tracking
from leads.models import Assignment, Handoff
from leads.periods import parse
from leads.tracking import NewAttempt
from reports import delays
from tests.conftest import MONDAY, agree, make_calendar, receive

pytestmark = pytest.mark.django_db

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MARCH = parse("2025-03")


def march(agreement, now=MONDAY + 9 * DAY) -> dict:
    return delays.measure(agreement, MARCH.start(agreement.zone), MARCH.end(agreement.zone), now=now)


def work(handoff: Handoff, owner, routed: float | None, answered: float | None) -> None:
    """Give it to the owner and call the lead so many hours after it qualified."""
    handoff.assignments.all().delete()
    if routed is not None:
        at = handoff.qualified_at + routed * HOUR
        Assignment.objects.create(handoff=handoff, owner=owner, team=owner.team, at=at, why="given")
    if answered is not None:
        at = handoff.qualified_at + answered * HOUR
        tracking.log_attempts([NewAttempt(lead=handoff.lead, at=at)], by=owner, now=at)


def test_each_delay_has_its_owner_and_its_counts_add_up_to_the_handoffs(version, ron):
    worked = [(0, 1), (1, 4), (2, 3), (3, None), (None, None)]
    handoffs = receive(*(f"L{n}" for n in range(len(worked))), engaged_at=MONDAY - HOUR, email="")
    for handoff, (routed, answered) in zip(handoffs, worked, strict=True):
        work(handoff, ron, routed, answered)

    found = march(version.agreement)

    assert found["calendars"] == ["Office"]
    assert [found[name]["owner"] for name in ("system", "human", "felt")] == ["operations", "sales", None]
    counts = {
        name: [found[name][key] for key in ("count", "waiting", "not_started", "excluded")] for name in waits.NAMES
    }
    assert counts == {"system": [4, 1, 0, 0], "human": [3, 1, 1, 0], "felt": [3, 2, 0, 0]}
    system, human, felt = ([hours * 3600 for hours in spans] for spans in ([0, 1, 2, 3], [1, 3, 1], [2, 5, 4]))
    for name, spans in (("system", system), ("human", human), ("felt", felt)):
        assert found[name]["median_seconds"] == pytest.approx(median(spans))
        assert found[name]["p90_seconds"] == pytest.approx(quantiles(spans, n=10, method="inclusive")[-1])
    assert found["human"]["business_median_seconds"] == 3600
    assert found["felt"]["business_median_seconds"] is None
    assert json.loads(json.dumps(found)) == found


def test_a_period_without_handoffs_has_noughts_and_no_median(version):
    found = march(version.agreement)
    assert found["calendars"] == []
    assert {found[name]["count"] for name in waits.NAMES} == {0}
    assert {found[name]["median_seconds"] for name in waits.NAMES} == {None}


def test_handoffs_of_other_periods_and_agreements_are_not_counted(version, ron):
    (handoff,) = receive()
    work(handoff, ron, 1, 2)
    assert march(version.agreement)["human"]["count"] == 1
    Handoff.objects.update(qualified_at=MARCH.end(version.agreement.zone))
    assert march(version.agreement)["human"]["count"] == 0


def test_under_two_versions_each_handoff_is_counted_by_the_hours_of_its_own(version, rita, max_, sofia, ron):
    second = signoff.new_draft_from(version, by=rita, now=MONDAY + DAY)
    second.calendar = make_calendar(name="Mornings", monday="09:00-12:00")
    second.save()
    agree(second, by=rita, marketing=max_, sales=sofia, now=MONDAY + DAY)
    one, other = receive("A", email=""), receive("B", email="", received_at=MONDAY + 7 * DAY, now=MONDAY + 7 * DAY)
    for handoff in (*one, *other):
        work(handoff, ron, 0, 5)
    assert {handoff.version.number for handoff in (*one, *other)} == {1, 2}

    found = march(version.agreement)

    assert found["calendars"] == ["Mornings", "Office"]
    # From ten on: five hours of the office, two of a morning.
    assert found["human"]["business_median_seconds"] == pytest.approx(3.5 * 3600)
    assert found["human"]["median_seconds"] == 5 * 3600


def test_the_list_behind_each_count_has_as_many_handoffs(version, ron):
    handoffs = receive(*"ABCD", engaged_at=MONDAY - HOUR, email="")
    for handoff, (routed, answered) in zip(handoffs, [(0, 1), (1, None), (None, None), (1, 2)], strict=True):
        work(handoff, ron, routed, answered)
    now = MONDAY + DAY
    found = march(version.agreement, now)
    for name in waits.NAMES:
        for state, key in (("over", "count"), *((state, state) for state in waits.STATES[1:])):
            behind = waits.ids_of(Handoff.objects.all(), delay=name, state=state, now=now)
            assert len(behind) == found[name][key]
