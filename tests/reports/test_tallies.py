"""Tallies stay true under kills, under two workers and when a zone changes; unfinished work is done by the next run."""

import threading
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection, transaction

from agreements.models import Agreement
from leads.models import Clock
from leads.touches import TouchedDay, note_days
from reports import refresh, scorecards, tallies
from reports.models import Scorecard, Tally, TallyBook
from tests.reports.conftest import MARCH, MET, MIDMARCH, MISSED, NOW, make_clock, make_handoff, row_of

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
TODAY = MIDMARCH.date()


def missed(version, response) -> int:
    return row_of(scorecards.compute(version.agreement, MARCH, now=NOW, sections=False), response)["missed"]


def kept(day: date = TODAY) -> dict[str, tuple[int, int]]:
    """Met and missed of the sources of a day, as its tallies have them."""
    rows = Tally.objects.filter(day=day, dimension="source").values_list("value", "met", "missed")
    return {value: (met, missed) for value, met, missed in rows}


def test_the_first_run_counts_every_day_from_the_first_handoff_to_the_last(version, response):
    for days in (0, 1, 9):
        make_clock(make_handoff(version, qualified_at=MIDMARCH + days * DAY), response, MET)
    TouchedDay.objects.all().delete()  # as in a database of an earlier release

    done = tallies.refresh(version.agreement)

    assert done == {TODAY + number * DAY for number in range(10)}
    assert set(Tally.objects.values_list("day", flat=True)) == {TODAY + days * DAY for days in (0, 1, 9)}


def test_a_run_counts_only_so_many_days_the_newest_first_and_the_next_goes_on(version, response):
    for days in range(5):
        make_clock(make_handoff(version, qualified_at=MIDMARCH + days * DAY), response, MISSED)

    done = tallies.refresh(version.agreement, most=2)

    assert done == {TODAY + 3 * DAY, TODAY + 4 * DAY}
    assert missed(version, response) == 5  # what is not counted yet is read from its clocks
    assert len(tallies.refresh(version.agreement)) == 3
    assert missed(version, response) == 5
    assert not TouchedDay.objects.exists()


def test_a_value_that_is_gone_has_no_tally_any_more_and_what_is_unchanged_keeps_its_row(version, response):
    clock = make_clock(make_handoff(version, source="Event"), response, MISSED)
    make_clock(make_handoff(version, source="Webinar"), response, MET)
    tallies.refresh(version.agreement)
    before = dict(Tally.objects.filter(dimension="source").values_list("value", "pk"))

    note_days(version.agreement, [TODAY])
    clock.handoff.clocks.all().delete()
    tallies.refresh(version.agreement)

    assert kept() == {"Webinar": (1, 0)}
    assert Tally.objects.get(dimension="source").pk == before["Webinar"]


def test_a_run_that_is_killed_while_it_counts_leaves_everything_to_the_next(version, response, monkeypatch):
    make_clock(make_handoff(version), response, MISSED)
    insert = tallies._insert

    def killed(rows):
        insert(rows)
        raise SystemExit

    monkeypatch.setattr(tallies, "_insert", killed)
    with pytest.raises(SystemExit):
        tallies.refresh(version.agreement)
    assert (Tally.objects.count(), TallyBook.objects.count()) == (0, 0)
    monkeypatch.undo()

    assert missed(version, response) == 1
    tallies.refresh(version.agreement)
    assert kept() == {"Webinar": (0, 1)}


def test_a_run_that_is_killed_before_it_computes_leaves_the_scorecards_of_its_days_stale(version, response):
    old = NOW + timedelta(days=200)
    scorecards.store(version.agreement, MARCH, now=NOW)
    make_clock(make_handoff(version), response, MISSED)
    tallies.refresh(version.agreement)  # and is killed here
    assert list(Scorecard.objects.values_list("is_stale", flat=True)) == [True]

    for number in range(refresh.IN_TURN + 1):  # others that were computed longer ago
        Scorecard.objects.create(
            agreement=version.agreement, start=NOW - (number + 900) * DAY, end=NOW - (number + 899) * DAY,
            computed_at=NOW - 400 * DAY, data={"period": {"key": f"2022-{1 + number % 12:02}"}},
        )  # fmt: skip
    refresh.refresh(now=old)

    card = Scorecard.objects.get(start=MARCH.start(version.agreement.zone))
    assert (card.is_stale, card.computed_at, row_of(card.data, response)["missed"]) == (False, old, 1)


def test_another_zone_makes_other_days_and_every_day_is_counted_again(version, response):
    midnight = datetime(2025, 3, 12, 23, 30, tzinfo=UTC)  # the 13th in Berlin
    make_clock(make_handoff(version, qualified_at=midnight), response, MISSED)
    tallies.refresh(version.agreement)
    assert kept(date(2025, 3, 13)) == {"Webinar": (0, 1)}

    Agreement.objects.update(time_zone="America/New_York")
    version.agreement.refresh_from_db()

    assert missed(version, response) == 1
    tallies.refresh(version.agreement)
    assert (kept(date(2025, 3, 12)), kept(date(2025, 3, 13))) == ({"Webinar": (0, 1)}, {})


def test_what_is_excluded_by_a_rule_of_an_earlier_release_is_named_by_it(version, response):
    make_clock(make_handoff(version), response, Clock.State.EXCLUDED, rule="of_old")
    make_clock(make_handoff(version), response, Clock.State.EXCLUDED, rule="out_of_scope")
    tallies.refresh(version.agreement)

    assert Tally.objects.get(dimension="", commitment=response).excluded_by == {"of_old": 1, "out_of_scope": 1}


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_while_one_worker_counts_another_leaves_the_agreement_to_it(version, response):
    make_clock(make_handoff(version), response, MISSED)
    tallies.refresh(version.agreement)
    note_days(version.agreement, [TODAY])
    done = []

    def other() -> None:
        done.append(tallies.refresh(version.agreement))
        connection.close()

    with transaction.atomic():
        TallyBook.objects.select_for_update().get(agreement=version.agreement)
        thread = threading.Thread(target=other)
        thread.start()
        thread.join(20)

    assert done == [set()]
    assert tallies.refresh(version.agreement) == {TODAY}


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_what_is_touched_while_its_day_is_counted_is_counted_by_the_next_run(version, response, monkeypatch):
    clock = make_clock(make_handoff(version), response, MISSED)
    read = tallies.counting.count

    def evaluated_meanwhile(*given, **named):
        counted = read(*given, **named)

        def evaluate() -> None:
            with transaction.atomic():
                Clock.objects.filter(pk=clock.pk).update(state=MET)
                note_days(version.agreement, [TODAY])
            connection.close()

        thread = threading.Thread(target=evaluate)
        thread.start()
        thread.join(20)
        monkeypatch.undo()
        return counted

    monkeypatch.setattr(tallies.counting, "count", evaluated_meanwhile)
    tallies.refresh(version.agreement, most=1)

    assert missed(version, response) == 0
    tallies.refresh(version.agreement)
    assert (kept(), missed(version, response)) == ({"Webinar": (1, 0)}, 0)
