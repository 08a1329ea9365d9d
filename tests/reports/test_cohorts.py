"""Cohorts by month of arrival: what had come by each age, and only of months that are old enough to say (N12)."""

import json
from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest

from agreements.models import Version
from leads.models import Handoff, Outcome
from leads.periods import parse
from reports import cohorts
from tests.reports.conftest import make_handoff, make_outcome

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
BERLIN = ZoneInfo("Europe/Berlin")


def at(month: int, day: int, hour: int = 12, year: int = 2025) -> datetime:
    return datetime(year, month, day, hour, tzinfo=BERLIN).astimezone(UTC)


def months(version: Version, key: str, now: datetime) -> dict[str, dict]:
    found = cohorts.measure(version.agreement, parse(key).end(version.agreement.zone), now=now)
    assert json.loads(json.dumps(found)) == found
    return {row["month"]: row for row in found}


def counts(row: dict, name: str) -> list[int | None]:
    return [age[name] for age in row["ages"]]


def test_what_came_is_counted_by_its_age_when_it_came(version):
    for days in (0, 30, 31, 90, 180, 181):
        handoff = make_handoff(version, qualified_at=at(3, 5))
        make_outcome(handoff, "meeting", at=at(3, 5) + days * DAY)
    row = months(version, "2025-03", at(12, 1))["2025-03"]
    assert (row["handoffs"], row["is_young"]) == (6, False)
    assert [age["after_days"] for age in row["ages"]] == [30, 60, 90, 180]
    assert counts(row, "meetings") == [2, 3, 4, 5]
    assert counts(row, "won") == [0, 0, 0, 0]


def test_an_age_that_the_youngest_handoff_has_not_reached_is_not_shown(version):
    early, late = make_handoff(version, qualified_at=at(3, 1)), make_handoff(version, qualified_at=at(3, 20))
    for handoff in (early, late):
        make_outcome(handoff, "won", at=handoff.qualified_at + DAY)
    youngest = late.qualified_at
    for now, reached in (
        (youngest + 30 * DAY - timedelta(seconds=1), 0),
        (youngest + 30 * DAY, 1),
        (youngest + 60 * DAY, 2),
        (youngest + 179 * DAY, 3),
        (youngest + 180 * DAY, 4),
    ):
        row = months(version, "2025-03", now)["2025-03"]
        assert [age["reached_age"] for age in row["ages"]] == [True] * reached + [False] * (4 - reached)
        assert counts(row, "won") == [2] * reached + [None] * (4 - reached)
        assert row["is_young"] is (reached < 4)


def test_a_running_month_is_young_however_old_its_handoffs_are(version):
    make_handoff(version, qualified_at=at(3, 1, hour=0))
    now = at(3, 31)
    assert not months(version, "2025-03", now)["2025-03"]["ages"][0]["reached_age"]
    assert months(version, "2025-03", at(4, 1, hour=0))["2025-03"]["ages"][0]["reached_age"]


def test_months_are_those_of_the_agreement_and_twelve_at_most_from_the_first_handoff_on(version):
    for moment in (at(1, 1, hour=0), at(1, 31, hour=23), at(3, 31, hour=23), at(4, 1, hour=0)):
        make_handoff(version, qualified_at=moment)
    found = months(version, "2025-04", at(6, 1))
    assert {key: row["handoffs"] for key, row in found.items()} == {
        "2025-01": 2,
        "2025-02": 0,
        "2025-03": 1,
        "2025-04": 1,
    }
    assert list(months(version, "2026-02", at(3, 1, year=2026))) == [
        *(f"2025-{month:02}" for month in range(3, 13)), "2026-01", "2026-02",
    ]  # fmt: skip


def test_a_period_that_is_not_over_ends_with_the_running_month(version):
    make_handoff(version, qualified_at=at(4, 2))
    assert list(months(version, "2025-Q2", at(5, 9))) == ["2025-04", "2025-05"]


def test_what_is_voided_or_has_not_happened_yet_counts_for_nothing(version):
    handoff = make_handoff(version, qualified_at=at(3, 1))
    make_outcome(handoff, "meeting", at=at(3, 2), voided_at=at(3, 3))
    make_outcome(handoff, "won", at=at(4, 20))
    make_outcome(handoff, "lost", at=at(3, 2))
    row = months(version, "2025-03", at(4, 19))["2025-03"]
    assert (counts(row, "meetings")[0], counts(row, "won")[0]) == (0, 0)
    row = months(version, "2025-03", at(5, 30))["2025-03"]
    assert counts(row, "won")[:2] == [0, 1]


def test_nothing_is_known_of_an_agreement_without_handoffs(version):
    assert months(version, "2025-03", at(4, 1)) == {}


@pytest.mark.parametrize("seed", range(3))
def test_a_plain_loop_over_the_handoffs_counts_the_same(version, seed):
    random = Random(seed)
    for _ in range(30):
        handoff = make_handoff(version, qualified_at=at(1, 1) + random.randint(0, 300 * 24) * timedelta(hours=1))
        for kind in random.sample(["meeting", "opportunity", "won", "lost"], random.randint(0, 3)):
            void = {"voided_at": handoff.qualified_at} if random.random() < 0.2 else {}
            make_outcome(
                handoff, kind, at=handoff.qualified_at + random.randint(0, 200 * 24) * timedelta(hours=1), **void
            )
    now = at(11, random.randint(1, 28))

    found = months(version, "2025-11", now)

    names = {"meeting": "meetings", "opportunity": "opportunities", "won": "won"}
    for key, row in found.items():
        mine = [one for one in Handoff.objects.all() if f"{one.qualified_at.astimezone(BERLIN):%Y-%m}" == key]
        assert row["handoffs"] == len(mine)
        over = f"{now.astimezone(BERLIN):%Y-%m}" > key
        for age in row["ages"]:
            span = age["after_days"] * DAY
            reached = over and all(one.qualified_at + span <= now for one in mine)
            if mine:
                assert age["reached_age"] is reached
            for kind, name in names.items():
                came = [
                    one for one in Outcome.objects.filter(kind=kind, voided_at=None, handoff__in=mine)
                    if one.at - one.handoff.qualified_at <= span and one.at <= now
                ]  # fmt: skip
                assert age[name] == (len(came) if age["reached_age"] else None)
