"""When both sides look at the scorecard together: the first such weekday of a week, month or quarter."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agreements import signoff
from agreements.cadence import Cadence, next_review
from agreements.standing import next_review as next_review_of
from tests.conftest import MONDAY, agree

TUESDAY = 1
days = st.dates(date(2000, 1, 1), date(2100, 12, 31))


@pytest.mark.parametrize(
    ("cadence", "weekday", "after", "found"),
    [
        ("weekly", 1, date(2026, 11, 26), date(2026, 12, 1)),
        ("weekly", 1, date(2026, 12, 1), date(2026, 12, 8)),
        ("weekly", 4, date(2026, 11, 26), date(2026, 11, 27)),
        ("monthly", 1, date(2026, 11, 2), date(2026, 11, 3)),
        ("monthly", 1, date(2026, 11, 3), date(2026, 12, 1)),
        ("monthly", 1, date(2026, 12, 1), date(2027, 1, 5)),
        ("monthly", 0, date(2026, 11, 30), date(2026, 12, 7)),
        ("quarterly", 1, date(2026, 11, 26), date(2027, 1, 5)),
        ("quarterly", 1, date(2026, 9, 30), date(2026, 10, 6)),
        ("quarterly", 4, date(2026, 12, 31), date(2027, 1, 1)),
        ("", 1, date(2026, 11, 26), None),
    ],
)
def test_the_next_review(cadence, weekday, after, found):
    assert next_review(cadence, weekday, after=after) == found


def test_terms_that_name_no_day_mean_tuesday():
    assert next_review("monthly", None, after=date(2026, 11, 26)) == date(2026, 12, 1)


@given(st.sampled_from(Cadence.values), st.integers(0, 4), days)
def test_a_review_is_the_first_such_weekday_of_its_span_and_the_first_after_the_day(cadence, weekday, after):
    found = next_review(cadence, weekday, after=after)
    assert found > after and found.weekday() == weekday
    if cadence == "weekly":
        assert found - after <= timedelta(days=7)
        return
    months = 3 if cadence == "quarterly" else 1
    assert found.day <= 7 and (found.month - 1) % months == 0
    # None lies between: the day before it has the same next review.
    assert next_review(cadence, weekday, after=found - timedelta(days=1)) == found
    earlier = [day for n in range((found - after).days) if (day := after + timedelta(days=n + 1)) < found]
    assert not any(day.day <= 7 and day.weekday() == weekday and (day.month - 1) % months == 0 for day in earlier)


@pytest.mark.django_db
def test_a_review_day_itself_is_still_the_next_one_in_the_agreements_zone(draft, rita, max_, sofia):
    version = agree(draft, by=rita, marketing=max_, sales=sofia)
    last_minute = datetime(2025, 3, 4, 22, 59, tzinfo=UTC)  # 23:59 in Berlin
    assert next_review_of(version, now=MONDAY) == date(2025, 3, 4)
    assert next_review_of(version, now=last_minute) == date(2025, 3, 4)
    assert next_review_of(version, now=last_minute + timedelta(minutes=1)) == date(2025, 4, 1)


@pytest.mark.django_db
def test_a_new_draft_keeps_the_review_day(draft, rita):
    draft.review_weekday = 3
    draft.save()
    assert signoff.new_draft_from(draft, by=rita, now=MONDAY).review_weekday == 3
