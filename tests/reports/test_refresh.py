"""Stored scorecards stay fresh: recent ones at every run, older ones in turn, and running twice changes nothing."""

from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import OperationalError

from agreements.models import Agreement
from leads.periods import parse
from leads.touches import TouchedDay
from reports import refresh, scorecards, tasks
from reports.models import Scorecard, Tally
from tests.reports.conftest import MET, NOW, make_clock, make_handoff

pytestmark = pytest.mark.django_db


def keys() -> dict[str, datetime]:
    return {card.data["period"]["key"]: card.computed_at for card in Scorecard.objects.all()}


def test_the_running_month_and_those_of_the_trend_are_computed(version):
    done = refresh.refresh(now=NOW)

    assert done == 6
    assert set(keys()) == {"2025-05", "2025-04", "2025-03", "2025-02", "2025-01", "2024-12"}


def test_running_again_renews_what_is_recent_and_adds_nothing(version, response):
    refresh.refresh(now=NOW)
    make_clock(make_handoff(version, qualified_at=NOW), response, MET)
    later = NOW + timedelta(minutes=15)

    refresh.refresh(now=later)

    assert len(keys()) == 6
    assert Scorecard.objects.get(data__period__key="2025-05").data["handoffs"] == 1
    assert keys()["2025-05"] == keys()["2025-04"] == later


def test_older_scorecards_are_renewed_in_turn_those_computed_longest_ago_first(version, monkeypatch):
    monkeypatch.setattr(refresh, "IN_TURN", 1)
    for age, key in ((3, "2025-W03"), (9, "2025-W04"), (5, "2025-W05")):
        scorecards.store(version.agreement, parse(key), now=NOW - timedelta(hours=age))
    refresh.refresh(now=NOW)

    assert [key for key in ("2025-W03", "2025-W04", "2025-W05") if keys()[key] == NOW] == ["2025-W04"]


def test_a_stored_week_that_just_ended_is_renewed_at_every_run(version, monkeypatch):
    monkeypatch.setattr(refresh, "IN_TURN", 0)
    scorecards.store(version.agreement, parse("2025-W17"), now=NOW - timedelta(hours=1))
    scorecards.store(version.agreement, parse("2025-W10"), now=NOW - timedelta(hours=1))

    refresh.refresh(now=NOW)

    assert keys()["2025-W17"] == NOW
    assert keys()["2025-W10"] == NOW - timedelta(hours=1)


def test_an_agreement_that_nobody_signed_has_nothing_to_compute(draft):
    assert refresh.refresh(now=NOW) == 0


def test_an_agreement_that_ended_is_still_measured_while_it_has_handoffs(version, marketing, sales):
    other = Agreement.objects.create(name="Other", marketing_team=marketing, sales_team=sales)
    make_handoff(version, agreement=other)

    assert {agreement.name for agreement in refresh.measured()} == {"DACH inbound", "Other"}


def test_months_are_those_of_the_agreements_zone(version):
    one_before_midnight_in_utc = datetime(2025, 4, 30, 23, 0, tzinfo=UTC)

    assert refresh.recent_months(version.agreement, one_before_midnight_in_utc)[0].key == "2025-05"


def test_the_task_computes_what_is_due_now(version):
    assert tasks.refresh_scorecards() == 6


def test_a_period_of_which_a_day_was_counted_again_is_computed_however_old_it_is(version, response, monkeypatch):
    monkeypatch.setattr(refresh, "IN_TURN", 0)
    for key in ("2025-W10", "2025-W11"):
        scorecards.store(version.agreement, parse(key), now=NOW - timedelta(hours=1))
    make_clock(make_handoff(version, qualified_at=datetime(2025, 3, 9, 23, 30, tzinfo=UTC)), response, MET)

    refresh.refresh(now=NOW)

    # Half past midnight on Monday in Berlin.
    assert (keys()["2025-W10"], keys()["2025-W11"]) == (NOW - timedelta(hours=1), NOW)


def test_the_command_does_what_the_task_does_and_counts_everything_again_when_asked(version, response):
    make_clock(make_handoff(version, qualified_at=NOW), response, MET)
    out = StringIO()

    call_command("refresh_scorecards", stdout=out)
    TouchedDay.objects.all().delete()
    Tally.objects.update(met=7)
    call_command("refresh_scorecards", "--recount", stdout=out)

    assert out.getvalue().splitlines() == ["6 scorecards computed.", "1 day counted.", "6 scorecards computed."]
    assert set(Tally.objects.values_list("met", flat=True)) == {1}


def test_a_busy_database_leaves_the_rest_to_the_next_run(version, monkeypatch):
    def busy(agreement):
        raise OperationalError("database is locked")

    monkeypatch.setattr(refresh.tallies, "refresh", busy)

    assert tasks.refresh_scorecards() == 0
