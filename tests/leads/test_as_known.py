"""The database as it was known at a moment: whatever is written later, what is read there stays the same."""

from datetime import datetime, timedelta

import pytest
from django.db import connection

from agreements import calendars
from leads import disputes, exclusions, intake, routing, timekeeping, tracking
from leads.as_known import as_known
from leads.models import Assignment, Attempt, Clock, Handoff, Hold, Lead, ReasonCode
from leads.periods import parse
from leads.tracking import Decision, NewAttempt, NewOutcome
from tests.conftest import MONDAY, make_commitment, make_record, receive

pytestmark = pytest.mark.django_db

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MARCH = parse("2025-03")
LATER = MONDAY + 40 * DAY


def seen(agreement, at: datetime) -> list[tuple]:
    """Every clock of March as it was known at a moment."""
    start, end = MARCH.start(agreement.zone), MARCH.end(agreement.zone)
    with as_known(agreement, at=at, start=start, end=end):
        return clocks()


def clocks() -> list[tuple]:
    columns = ("handoff", "commitment", "subject", "state", "rule", "decides", "stopped_at", "elapsed_seconds",
               "charged_to__owner", "handoff__stage", "handoff__owner")  # fmt: skip
    return sorted(Clock.objects.values_list(*columns), key=str)


def state(rows: list[tuple], version, code: str) -> tuple[int, str]:
    (found,) = [row for row in rows if row[1] == version.commitments.get(code=code).pk]
    return found[3], found[4]


@pytest.fixture
def draft(draft):
    """Promises of every sort, so that whatever happens shows somewhere."""
    for kind in ("dispute_answer", "acceptance_rate", "disposition"):
        make_commitment(draft, kind)
    make_commitment(draft, "acceptance", start="assigned")
    return draft


@pytest.fixture
def handoff(version, ron) -> Handoff:
    """Ron's, since Monday at ten."""
    (begun,) = receive("L1", owner=ron.email, contact_id="C1")
    return begun


def call(handoff, at, *, now):
    return tracking.log_attempts([NewAttempt(lead=handoff.lead, at=at)], by=handoff.lead.owner, now=now)


def test_what_is_known_now_reads_like_the_database_itself(handoff, ron, rita):
    call(handoff, MONDAY + HOUR, now=MONDAY + HOUR)
    tracking.hold([handoff], reason="They asked for it", by=ron, now=MONDAY + 2 * HOUR)
    timekeeping.evaluate_all(now=LATER)
    assert seen(handoff.agreement, LATER) == clocks() != []


def _late_call(handoff, **people):
    tracking.log_attempts([NewAttempt(lead=handoff.lead, at=MONDAY + HOUR)], by=None, now=LATER, from_system=True)


def _voided(handoff, rita, **people):
    tracking.void_attempt(Attempt.objects.first(), by=rita, reason="Never happened", now=LATER)


def _accepted(handoff, ron, **people):
    tracking.dispose([Decision(handoff, "accepted", at=MONDAY + HOUR)], by=ron, now=LATER)


def _rejected(handoff, ron, **people):
    reason = ReasonCode.objects.get(code="not_target")
    tracking.dispose([Decision(handoff, "rejected", reason)], by=ron, now=LATER)


def _won(handoff, **people):
    tracking.dispose([Decision(handoff, "accepted", at=MONDAY + HOUR)], by=None, now=LATER, from_system=True)
    tracking.record_outcomes([NewOutcome(handoff, "won", at=MONDAY + 2 * HOUR)], by=None, now=LATER, from_system=True)


def _held(handoff, rita, **people):
    tracking.hold([handoff], reason="Their fair", at=MONDAY + HOUR, by=rita, now=LATER)


def _asked(handoff, ron, max_, **people):
    disputes.answer(disputes.ask(handoff, comment="Which site?", by=ron, now=LATER), answer="Ulm", by=max_, now=LATER)


def _excluded(handoff, ron, rita, version, **people):
    promise = version.commitments.get(kind="first_response")
    request = exclusions.ask(handoff, commitment=promise, reason="No line", by=ron, now=LATER)
    exclusions.decide(request, granted=True, note="So it was", by=rita, now=LATER)


def _closed(handoff, rita, office, **people):
    calendars.add_closure(calendar=office, day=MONDAY.date(), reason="Flood", by=rita, now=LATER)


def _given_away(handoff, ruth, mona, **people):
    routing.assign([(handoff, ruth)], why="Holiday", by=mona, now=LATER)


def _more_came(handoff, **people):
    receive("L2", "L3", now=LATER)


def _somebody_else(handoff, **people):
    """The lead turns out to be another person, who had been called."""
    tracking.log_attempts([NewAttempt(contact_id="C2", at=MONDAY + HOUR)], by=None, now=MONDAY + HOUR, from_system=True)
    intake.receive_leads([make_record("L1", contact_id="C2", owner="ron@example.com")], now=LATER)


CHANGES = [_late_call, _voided, _accepted, _rejected, _won, _held, _asked, _excluded, _closed, _given_away, _more_came,
           _somebody_else]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__.strip("_"))
def test_what_is_written_later_changes_nothing_in_what_was_known(change, handoff, version, ron, ruth, mona, rita, max_,
                                                                office):  # fmt: skip
    call(handoff, MONDAY + 30 * HOUR, now=MONDAY + 30 * HOUR)
    known_at = MONDAY + 10 * DAY
    before = seen(handoff.agreement, known_at)
    live = clocks()
    change(handoff, version=version, ron=ron, ruth=ruth, mona=mona, rita=rita, max_=max_, office=office)
    assert clocks() != live
    assert seen(handoff.agreement, known_at) == before
    assert seen(handoff.agreement, LATER) == clocks()


def test_a_hold_that_an_end_released_later_was_open_until_then(handoff, version, ron):
    tracking.hold([handoff], reason="Their fair", by=ron, now=MONDAY + HOUR)
    before = seen(handoff.agreement, MONDAY + 10 * DAY)
    assert state(before, version, "first-response") == (Clock.State.OPEN, "on_hold")
    tracking.dispose([Decision(handoff, "recycled", at=MONDAY + 2 * HOUR)], by=None, now=LATER, from_system=True)
    assert Hold.objects.get().release_entered_at == LATER
    assert seen(handoff.agreement, MONDAY + 10 * DAY) == before


def test_a_person_who_changed_twice_is_who_they_were_at_each_moment(handoff, version):
    moments = [MONDAY + n * DAY for n in (1, 2, 3)]
    for number, moment in enumerate(moments, start=2):
        contact = f"C{number}"
        intake.receive_leads([make_record("L1", contact_id=contact, email=f"{contact}@x.example")], now=moment)
    start, end = MARCH.start(version.agreement.zone), MARCH.end(version.agreement.zone)
    found = []
    for moment in (moments[0] - HOUR, *(moment + HOUR for moment in moments)):
        with as_known(version.agreement, at=moment, start=start, end=end):
            found.append(Lead.objects.values_list("contact_id", "email").get())
    assert [contact for contact, _ in found] == ["C1", "C2", "C3", "C4"]
    assert [email for _, email in found][1:] == ["c2@x.example", "c3@x.example", "c4@x.example"]


def test_rows_of_earlier_releases_count_as_known_when_they_happened(handoff, ron):
    Handoff.objects.update(known_at=None)
    Assignment.objects.update(entered_at=None)
    Hold.objects.create(handoff=handoff, started_at=MONDAY + HOUR, ended_at=MONDAY + 3 * HOUR, reason="Fair", by=ron)
    start, end = MARCH.start(handoff.agreement.zone), MARCH.end(handoff.agreement.zone)
    with as_known(handoff.agreement, at=MONDAY + 2 * HOUR, start=start, end=end) as ids:
        assert ids == [handoff.pk]
        assert Hold.objects.get().ended_at is None
        assert Assignment.objects.get().owner == ron
    with as_known(handoff.agreement, at=MONDAY - HOUR, start=start, end=end) as ids:
        assert ids == []


def test_nothing_of_it_stays(handoff, ron):
    before = clocks()
    seen(handoff.agreement, MONDAY - DAY)
    assert clocks() == before
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT count(*) FROM pg_class WHERE relnamespace = pg_my_temp_schema()")
        else:
            cursor.execute("SELECT count(*) FROM sqlite_temp_master")
        assert cursor.fetchone()[0] == 0
    call(handoff, None, now=MONDAY + HOUR)  # and the verbs write where they always do
    assert clocks() != before
