"""When something may be sent to somebody, by the clock on the reader's wall."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slaportal import paces
from slaportal.paces import GATHER

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia")
EVENING, MORNING = time(20), time(7)


def local(text: str, zone: ZoneInfo = BERLIN, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).astimezone(UTC)


def planned(now: datetime, *, zone: ZoneInfo = BERLIN, **overrides) -> datetime:
    wanted = {"quiet_from": EVENING, "quiet_until": MORNING, "digest_at": time(8), "in_digest": False,
              "is_urgent": False, **overrides}  # fmt: skip
    return paces.planned(now, zone=zone, **wanted)


@pytest.mark.parametrize(
    ("quiet_from", "quiet_until", "at", "ends"),
    [
        (EVENING, MORNING, "2025-03-03T19:59:59", None),
        (EVENING, MORNING, "2025-03-03T20:00:00", "2025-03-04T07:00"),
        (EVENING, MORNING, "2025-03-03T23:59:59", "2025-03-04T07:00"),
        (EVENING, MORNING, "2025-03-04T00:00:00", "2025-03-04T07:00"),  # over midnight
        (EVENING, MORNING, "2025-03-04T06:59:59", "2025-03-04T07:00"),
        (EVENING, MORNING, "2025-03-04T07:00:00", None),
        (time(12), time(13), "2025-03-04T12:30:00", "2025-03-04T13:00"),  # within a day
        (time(12), time(13), "2025-03-04T13:00:00", None),
        (time(0), time(0), "2025-03-04T00:00:00", None),  # the same twice is none
        (None, None, "2025-03-04T03:00:00", None),
        (EVENING, None, "2025-03-04T03:00:00", None),
        # The night of 29 to 30 March 2025 has no time between 2:00 and 3:00.
        (EVENING, MORNING, "2025-03-30T01:30:00", "2025-03-30T07:00"),
        (EVENING, time(2, 30), "2025-03-30T01:30:00", "2025-03-30T03:30"),  # comes later by the gap
        (EVENING, time(2, 30), "2025-03-30T03:00:00", None),
        # In the night of 25 to 26 October 2025 the time between 2:00 and 3:00 comes twice.
        (EVENING, MORNING, "2025-10-26T02:30:00", "2025-10-26T07:00"),
        (EVENING, time(2), "2025-10-26T01:30:00", "2025-10-26T02:00"),
    ],
)
def test_quiet_hours_begin_and_end_by_the_clock_on_the_wall(quiet_from, quiet_until, at, ends):
    found = paces.quiet_end(local(at), zone=BERLIN, quiet_from=quiet_from, quiet_until=quiet_until)
    assert found == (local(ends) if ends else None)


def test_an_hour_that_comes_twice_is_quiet_twice():
    until = time(2, 30)
    for fold in (0, 1):
        found = paces.quiet_end(
            local("2025-10-26T02:10", fold=fold), zone=BERLIN, quiet_from=EVENING, quiet_until=until
        )
        assert found == local("2025-10-26T02:30", fold=fold)


def test_a_night_is_as_long_as_it_really_is():
    found = {
        night: paces.quiet_end(local(f"2025-{night}T20:00"), zone=BERLIN, quiet_from=EVENING, quiet_until=MORNING)
        - local(f"2025-{night}T20:00")
        for night in ("03-03", "03-29", "10-25")
    }
    assert found == {"03-03": timedelta(hours=11), "03-29": timedelta(hours=10), "10-25": timedelta(hours=12)}


@pytest.mark.parametrize(
    ("at", "overrides", "expected"),
    [
        ("2025-03-03T10:00:00", {}, "2025-03-03T10:00:30"),  # what is sent at once gathers for a moment
        ("2025-03-03T19:59:50", {}, "2025-03-04T07:00:00"),  # and so may come into the quiet hours
        ("2025-03-03T22:00:00", {}, "2025-03-04T07:00:00"),
        ("2025-03-03T22:00:00", {"is_urgent": True}, "2025-03-03T22:00:00"),
        ("2025-03-03T22:00:00", {"is_urgent": True, "in_digest": True}, "2025-03-03T22:00:00"),
        ("2025-03-03T22:00:00", {"quiet_from": None}, "2025-03-03T22:00:30"),
        ("2025-03-03T10:00:00", {"in_digest": True}, "2025-03-04T08:00:00"),
        ("2025-03-03T07:59:59", {"in_digest": True}, "2025-03-03T08:00:00"),
        ("2025-03-03T08:00:00", {"in_digest": True}, "2025-03-04T08:00:00"),
        ("2025-03-03T10:00:00", {"in_digest": True, "digest_at": time(6)}, "2025-03-04T07:00:00"),  # a quiet hour
        ("2025-03-29T10:00:00", {"in_digest": True}, "2025-03-30T08:00:00"),  # over a change of the clock
        ("2025-03-29T10:00:00", {"in_digest": True, "digest_at": time(2, 30), "quiet_from": None},
         "2025-03-30T03:30:00"),
    ],
)  # fmt: skip
def test_when_a_notice_may_leave(at, overrides, expected):
    assert planned(local(at), **overrides) == local(expected)


def test_it_is_the_readers_zone_that_counts():
    at = datetime(2025, 3, 4, 2, 0, tzinfo=UTC)  # 3:00 in Berlin, 21:00 in New York, 11:00 in Tokyo
    found = {name: planned(at, zone=ZoneInfo(name)) for name in ("Europe/Berlin", "America/New_York", "Asia/Tokyo")}
    assert found == {
        "Europe/Berlin": datetime(2025, 3, 4, 6, 0, tzinfo=UTC),
        "America/New_York": datetime(2025, 3, 4, 12, 0, tzinfo=UTC),
        "Asia/Tokyo": at + GATHER,
    }


def test_a_daily_digest_comes_once_a_day_also_where_the_hour_comes_twice():
    at, found = local("2025-10-24T12:00"), []
    for _ in range(4):
        at = planned(at, in_digest=True, digest_at=time(2, 30), quiet_from=None)
        found.append(at)
    assert found == [local(f"2025-10-{day}T02:30") for day in (25, 26, 27, 28)]


moments = st.integers(1_324_000_000, 1_800_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
times = st.times().map(lambda found: found.replace(second=0, microsecond=0, fold=0))


@given(now=moments, zone=st.sampled_from(ZONES).map(ZoneInfo), quiet_from=times, quiet_until=times, digest_at=times,
       in_digest=st.booleans())  # fmt: skip
def test_a_plan_never_lies_within_quiet_hours_and_never_before_now(
    now, zone, quiet_from, quiet_until, digest_at, in_digest
):
    at = planned(now, zone=zone, quiet_from=quiet_from, quiet_until=quiet_until, digest_at=digest_at,
                 in_digest=in_digest)  # fmt: skip
    on_the_wall = at.astimezone(zone).time()
    if quiet_from <= quiet_until:
        assert not quiet_from <= on_the_wall < quiet_until
    else:
        assert quiet_until <= on_the_wall < quiet_from
    assert now < at <= now + timedelta(days=4)


@given(now=moments, zone=st.sampled_from(ZONES).map(ZoneInfo), digest_at=times)
def test_a_digest_waits_for_the_next_time_of_day_and_no_longer(now, zone, digest_at):
    at = paces.next_time(digest_at, after=now, zone=zone)
    between = [paces.next_time(digest_at, after=now + part * (at - now), zone=zone) for part in (0, 0.3, 0.7, 0.99)]
    assert set(between) == {at}
