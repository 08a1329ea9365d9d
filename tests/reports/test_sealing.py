"""A month closes, is sealed, and never changes by itself; RevOps may restate it, and what it read before stays."""

import threading
from datetime import timedelta
from unittest.mock import patch

import pytest
from django.db import IntegrityError, OperationalError, connection, connections, transaction
from django.db.models import ProtectedError, RestrictedError

from agreements import calendars, chain, frozen, signoff
from agreements.models import Agreement, AgreementEvent
from leads import exclusions, timekeeping, tracking
from leads.models import Attempt, Clock, Handoff
from leads.periods import parse
from leads.tracking import NewAttempt
from reports import drawn, scorecards, sealing, tasks
from reports.sealed_states import pack, unpack
from reports.seals import Seal
from slaportal import roles
from slaportal.models import Notice
from slaportal.refusal import Refused
from tests.conftest import MONDAY, agree, make_user, receive, triggers_off
from tests.reports.conftest import row_of
from tests.reports.sealed import CLOSED, DAY, HOUR, LATER, MARCH, SEALED, called, promise_more, seal_march, tell_march

pytestmark = pytest.mark.django_db


@pytest.fixture
def draft(draft):
    return promise_more(draft)


@pytest.fixture
def handoffs(version, ron, ruth) -> list[Handoff]:
    return tell_march(ron, ruth)


@pytest.fixture
def march(handoffs) -> Seal:
    return seal_march()


# --- When -----------------------------------------------------------------------------------------------------------


def test_a_month_closes_when_the_agreed_business_days_after_its_end_are_over(version):
    assert sealing.closes_at(version.agreement, MARCH) == CLOSED


def test_a_closed_day_in_the_grace_moves_the_closing(version, office, rita):
    calendars.add_closure(calendar=office, day=CLOSED.date(), reason="Flood", by=rita, now=SEALED - 3 * DAY)
    assert sealing.closes_at(version.agreement, MARCH) == CLOSED + DAY


def test_without_terms_nothing_closes(version):
    assert sealing.closes_at(version.agreement, parse("2024-11")) is None


def test_nothing_is_sealed_before_what_was_on_its_way_has_arrived(handoffs):
    assert sealing.seal_due(now=CLOSED + timedelta(minutes=9)) == 0
    assert sealing.seal_due(now=CLOSED + timedelta(minutes=10)) == 1


def test_a_month_is_sealed_once_however_often_the_task_runs(handoffs):
    assert [sealing.seal_due(now=SEALED), sealing.seal_due(now=SEALED), sealing.seal_due(now=SEALED + DAY)] == [1, 0, 0]
    assert list(Seal.objects.values_list("key", "number")) == [("2025-03", 1)]


def test_the_task_seals_and_leaves_a_busy_database_to_the_next_run(handoffs, monkeypatch, caplog):
    monkeypatch.setattr(tasks, "database_now", lambda: SEALED)
    with patch.object(sealing, "seal_due", side_effect=OperationalError("database is locked")):
        assert tasks.seal_scorecards() == 0
    assert "left to the next run" in caplog.text
    assert tasks.seal_scorecards() == 1


def test_after_weeks_of_silence_old_months_are_sealed_in_order_as_they_were_known_when_they_closed(march, handoffs):
    agreement = march.agreement
    called(handoffs[3], LATER, now=LATER)
    long_after = LATER + 90 * DAY
    assert sealing.seal_due(now=long_after) == 3
    sealed = Seal.objects.order_by("sealed_at", "pk")
    assert [seal.key for seal in sealed] == ["2025-03", "2025-04", "2025-05", "2025-06"]
    assert [event.detail for event in agreement.events.filter(what="sealed").order_by("number")] == [
        "2025-03 no. 1", "2025-04 no. 1", "2025-05 no. 1", "2025-06 no. 1"
    ]  # fmt: skip
    assert all(seal.known_at == seal.closes_at and not seal.is_late for seal in sealed)


def test_months_that_closed_before_anything_was_sealed_are_sealed_as_they_are_known_then_and_say_so(handoffs):
    called(handoffs[3], LATER, now=LATER)
    march = seal_march(now=LATER + DAY)
    assert march.known_at == LATER + DAY
    assert march.is_late
    assert march.data == drawn.draw(march.agreement, MARCH, at=LATER + DAY).data


def test_months_before_the_first_handoff_and_the_first_signature_are_not_sealed(version):
    """It is in force since January, and was signed in March: nothing was measured before."""
    assert [month.key for month in sealing.unsealed(version.agreement, now=SEALED + 31 * DAY)] == ["2025-03", "2025-04"]


def test_months_after_the_agreement_ended_are_not_sealed(draft, rita, max_, sofia):
    draft.ends_on = MARCH.last_day
    draft.save()
    version = agree(draft, by=rita, marketing=max_, sales=sofia)
    assert [month.key for month in sealing.unsealed(version.agreement, now=SEALED + 99 * DAY)] == ["2025-03"]


def test_an_agreement_whose_terms_cannot_be_read_holds_up_no_other(handoffs, marketing, sales, version, caplog):
    other = Agreement.objects.create(name="Partners", marketing_team=marketing, sales_team=sales, priority=1)
    with triggers_off():
        copy = version
        copy.pk, copy.agreement, copy.terms = None, other, "{}"
        copy.save(force_insert=True)
    sealing.seal_due(now=SEALED)
    assert "cannot be sealed" in caplog.text
    assert [seal.agreement.name for seal in Seal.objects.all()] == ["DACH inbound"]


# --- What -----------------------------------------------------------------------------------------------------------


def test_what_is_sealed_is_the_scorecard_of_that_moment_with_exact_times(handoffs):
    agreement = handoffs[0].agreement
    timekeeping.evaluate_all(now=CLOSED)
    expected = scorecards.compute(agreement, MARCH, now=CLOSED, exact=True)
    assert seal_march().data == expected
    assert {row["spread_error"] for row in expected["commitments"]} == {0.0}


def test_a_seal_says_its_code_its_hash_and_its_event(march):
    assert len(march.code) == len(march.digest) == 64
    assert march.digest == march.worked_out_digest()
    event = march.event
    assert (event.what, event.version, event.at) == ("sealed", None, SEALED)
    assert march.digest in event.evidence
    assert chain.verify(march.agreement) == []


def test_clocks_that_are_open_at_the_sealing_are_sealed_as_open(march, version):
    """The latest disposition of what was never touched is still open."""
    rate = version.commitments.get(kind="acceptance_rate")
    assert row_of(march.data, rate)["open"] == 2
    states = unpack(bytes(march.states))
    waiting = states.deciding()
    waiting = waiting[(waiting["commitment"] == rate.pk) & (waiting["state"] == Clock.State.OPEN)]
    assert waiting["handoff"].tolist() == sorted(Handoff.objects.filter(lead__external_id__in=["L2", "L4"])
                                                 .values_list("pk", flat=True))  # fmt: skip


def test_what_each_handoff_was_is_kept_in_few_bytes_and_read_back_as_it_was(march):
    states = unpack(bytes(march.states))
    assert pack(states) == bytes(march.states)
    deciding = states.deciding()
    for row in march.data["commitments"]:
        mine = deciding[deciding["commitment"] == row["pk"]]
        for name, state in (("met", 2), ("missed", 0), ("open", 1), ("excluded", 3)):
            assert row[name] == (mine["state"] == state).sum()


@pytest.mark.parametrize("block", [b"", b"\0\0\0\2{}", b"\0\0\0\1{}x", b"\xff\xff\xff\xffabc"])
def test_bytes_that_are_no_states_are_refused_with_a_sentence(block):
    with pytest.raises(ValueError, match="cannot be read"):
        unpack(block)


# --- Nothing changes it ---------------------------------------------------------------------------------------------

REFUSED = (IntegrityError, ProtectedError, RestrictedError)


def _raw(sql):
    def run(seal):
        connection.check_constraints()
        with connection.cursor() as cursor:
            cursor.execute(sql.format(pk=seal.pk))

    return run


def _replaced(seal):
    columns = [field.column for field in Seal._meta.concrete_fields]
    chosen = ", ".join("'x'" if name == "reason" else name for name in columns)
    verb = "INSERT OR REPLACE" if connection.vendor == "sqlite" else "INSERT"
    with connection.cursor() as cursor:
        cursor.execute(
            f"{verb} INTO reports_seal ({', '.join(columns)}) SELECT {chosen} FROM reports_seal WHERE id = {seal.pk}"  # noqa: S608
        )


WAYS = {
    "update": lambda seal: Seal.objects.filter(pk=seal.pk).update(text="{}"),
    "save": lambda seal: seal.save(),
    "delete": lambda seal: seal.delete(),
    "queryset delete": lambda seal: Seal.objects.all().delete(),
    "the agreement's delete": lambda seal: seal.agreement.delete(),
    "raw update": _raw("UPDATE reports_seal SET states = states WHERE id = {pk}"),
    "raw delete": _raw("DELETE FROM reports_seal WHERE id = {pk}"),
    "replace": _replaced,
}


def test_no_way_changes_or_removes_a_seal(march):
    for way, act in WAYS.items():
        with pytest.raises(REFUSED), transaction.atomic():
            act(march)
            connection.check_constraints()
        assert Seal.objects.get().worked_out_digest() == march.digest, way


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no TRUNCATE")
def test_the_table_of_seals_cannot_be_emptied(march):
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        connection.check_constraints()
        cursor.execute("TRUNCATE reports_seal CASCADE")


def test_a_missing_trigger_is_told(march):
    name = next(name for name in frozen._triggers(connection) if "seal" in name)
    table = " ON reports_seal" if connection.vendor == "postgresql" else ""
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TRIGGER {name}{table}")
    assert frozen.missing(connection) == [name]
    frozen.mend(connection)
    assert frozen.missing(connection) == []


TAMPERED = {
    "key": "2025-02",
    "closes_at": LATER,
    "known_at": CLOSED - DAY,
    "sealed_at": LATER,
    "code": "0" * 64,
    "text": "{}",
    "states": b"",
    "digest": "0" * 64,
}


def test_whoever_owns_the_database_and_changes_a_seal_is_found(march):
    for column, value in TAMPERED.items():
        with triggers_off(), transaction.atomic():
            Seal.objects.filter(pk=march.pk).update(**{column: value})
            assert f"seal {march.pk}" in str(chain.verify(march.agreement)[0]), column
            transaction.set_rollback(True)
    assert chain.verify(march.agreement) == []


def test_whoever_changes_who_restated_and_why_or_in_which_order_is_found(march, rita, vera):
    made = sealing.restate(march.agreement, MARCH, reason="A call was missing", by=rita, now=LATER)
    for change in ({"by": vera}, {"reason": "None"}, {"number": 7}):
        with triggers_off(), transaction.atomic():
            Seal.objects.filter(pk=made.pk).update(**change)
            assert f"seal {made.pk}" in str(chain.verify(march.agreement)[0]), change
            transaction.set_rollback(True)


def test_a_seal_that_is_taken_away_is_found_and_so_is_one_that_nobody_sealed(march):
    with triggers_off():
        Seal.objects.filter(pk=march.pk).delete()
    assert [str(one) for one in chain.verify(march.agreement)] == [
        f"seal {march.pk}: it is missing since event {march.event.number} (sealed)"
    ]
    march.pk, march.key = None, "2025-02"
    march.digest = march.worked_out_digest()
    march.save(force_insert=True)
    assert f"seal {march.pk}: no event vouches for it" in [str(one) for one in chain.verify(march.agreement)]


def test_a_page_that_only_looks_at_the_hashes_still_finds_what_is_missing(march):
    assert chain.verify(march.agreement, deep=False) == []
    with triggers_off():
        Seal.objects.all().delete()
    assert len(chain.verify(march.agreement, deep=False)) == 1


def test_chains_without_seals_verify_as_before(version):
    assert chain.verify(version.agreement) == []
    assert AgreementEvent.objects.filter(version=None).count() == 0


# --- What comes later ----------------------------------------------------------------------------------------------


def _late_call(handoffs, **people):
    tracking.log_attempts([NewAttempt(lead=handoffs[1].lead, at=MONDAY + HOUR)], by=None, now=LATER, from_system=True)


def _taken_back(handoffs, rita, **people):
    tracking.void_attempt(Attempt.objects.order_by("pk").first(), by=rita, reason="Wrong lead", now=LATER)


def _excluded(handoffs, ruth, rita, version, **people):
    promise = version.commitments.get(kind="first_response")
    request = exclusions.ask(handoffs[3], commitment=promise, reason="No line", by=ruth, now=LATER)
    exclusions.decide(request, granted=True, note="So it was", by=rita, now=LATER)


def _closed(handoffs, rita, office, **people):
    calendars.add_closure(calendar=office, day=(MONDAY + DAY).date(), reason="Flood", by=rita, now=LATER)


def _decided(handoffs, ruth, **people):
    tracking.dispose([tracking.Decision(handoffs[3], "accepted")], by=ruth, now=LATER)


def _came(handoffs, **people):
    receive("L9", now=LATER)


# An acceptance decides what was open, and stops clocks that had missed.
LATE = [(_late_call, {"fact"}), (_taken_back, {"fact"}), (_excluded, {"excluded"}), (_closed, {"closure"}),
        (_decided, {"open", "fact"}), (_came, {"new"})]  # fmt: skip


@pytest.mark.parametrize(("change", "causes"), LATE, ids=[change.__name__.strip("_") for change, _ in LATE])
def test_what_comes_later_changes_nothing_that_is_sealed_and_shows_as_what_it_would_now_read(
    change, causes, march, handoffs, version, rita, ruth, office
):
    before = Seal.objects.values().get()
    change(handoffs, version=version, rita=rita, ruth=ruth, office=office)
    live = scorecards.compute(march.agreement, MARCH, now=LATER)
    changes = sealing.would_now_read(march, live)
    assert Seal.objects.values().get() == before
    assert changes
    found = {why.name for one in changes for why in one.why}
    assert found == causes
    assert all(one.sealed != one.now for one in changes)
    assert drawn.draw(march.agreement, MARCH, at=march.known_at).text == march.text


def test_where_nothing_came_later_nothing_would_read_otherwise(march):
    live = scorecards.compute(march.agreement, MARCH, now=LATER)
    assert sealing.would_now_read(march, live) == []


def test_a_newer_release_is_named_as_a_cause_where_no_other_is(march, handoffs, version, monkeypatch):
    promise = version.commitments.get(kind="first_response")
    Clock.objects.filter(handoff=handoffs[0], commitment=promise).update(state=Clock.State.MISSED, rule="past_limit")
    live = scorecards.compute(march.agreement, MARCH, now=LATER)
    assert {why.name for one in sealing.would_now_read(march, live) for why in one.why} == {"other"}
    monkeypatch.setattr("reports.code_version.of_figures", lambda: "another")
    assert {why.name for one in sealing.would_now_read(march, live) for why in one.why} == {"code"}


def test_the_cap_of_a_sealed_month_is_not_counted_again(draft, rita, max_, sofia, ron):
    """What comes to the portal after the sealing takes nobody's place in the month, wherever it began (rule N7)."""
    draft.monthly_cap = 2
    draft.save()
    version = agree(draft, by=rita, marketing=max_, sales=sofia)
    receive("L1", "L2", received_at=MONDAY + HOUR, now=MONDAY + HOUR, owner=ron.email)
    march = seal_march()

    receive("L0", received_at=MONDAY, now=LATER, owner=ron.email)
    timekeeping.evaluate_all(now=LATER)

    response = version.commitments.get(kind="first_response")
    over = Clock.objects.filter(commitment=response, rule="over_cap")
    assert [clock.handoff.lead.external_id for clock in over] == ["L0"]
    assert drawn.draw(march.agreement, MARCH, at=march.known_at).text == march.text


def test_what_came_between_closing_and_sealing_stands_behind_the_cap_too(draft, rita, max_, sofia, ron):
    draft.monthly_cap = 2
    draft.save()
    version = agree(draft, by=rita, marketing=max_, sales=sofia)
    receive("L1", "L2", received_at=MONDAY + HOUR, now=MONDAY + HOUR, owner=ron.email)
    receive("L0", received_at=MONDAY, now=CLOSED + timedelta(minutes=5), owner=ron.email)
    seal_march()
    over = Clock.objects.filter(commitment=version.commitments.get(kind="first_response"), rule="over_cap")
    assert [clock.handoff.lead.external_id for clock in over] == ["L0"]


# --- Restating -----------------------------------------------------------------------------------------------------


def test_revops_restates_with_a_reason_and_what_it_read_before_stays_readable(march, handoffs, rita, version):
    _late_call(handoffs)
    made = sealing.restate(march.agreement, MARCH, reason=" The telephone system lost a call ", by=rita, now=LATER)
    response = version.commitments.get(kind="first_response")
    assert (made.number, made.replaces, made.by, made.reason) == (2, march, rita, "The telephone system lost a call")
    assert (row_of(march.data, response)["met"], row_of(made.data, response)["met"]) == (1, 2)
    assert sealing.latest(march.agreement, MARCH) == made
    assert made.event.what == "restated"
    assert chain.verify(march.agreement) == []
    assert Seal.objects.get(number=1).worked_out_digest() == march.digest


def test_both_sides_are_told_what_a_restated_month_read_and_reads(march, handoffs, rita, max_, sofia):
    from reports import seal_notices

    _late_call(handoffs)
    made = sealing.restate(march.agreement, MARCH, reason="A call was missing", by=rita, now=LATER)
    notices = Notice.objects.filter(letter="reports.seal_notices.restated", channel="portal")
    assert set(notices.values_list("recipient__email", flat=True)) == {max_.email, sofia.email}
    (letter,) = seal_notices.restated([notices.first()])
    text = " ".join(letter.paragraphs)
    assert "Rita has restated March 2025" in text
    assert "A call was missing" in text
    assert "first_response, kept: 25 % → 50 %" in text.replace("\N{NO-BREAK SPACE}", " ")
    assert letter.link == made.get_absolute_url()


@pytest.mark.parametrize(
    ("role", "reason", "said"),
    [
        (roles.SALES_LEADER, "Because", "Only RevOps"),
        (roles.REVOPS, "  ", "Say why"),
        (roles.REVOPS, "x" * 1001, "at most 1,000"),
    ],
)
def test_a_restatement_without_right_or_reason_is_refused(role, reason, said, march):
    somebody = make_user("some@example.com", role)
    with pytest.raises(Refused, match=said):
        sealing.restate(march.agreement, MARCH, reason=reason, by=somebody, now=LATER)
    assert Seal.objects.count() == 1


def test_what_is_not_sealed_cannot_be_restated(handoffs, rita):
    for period in (MARCH, parse("2025-Q1")):
        with pytest.raises(Refused, match="not sealed"):
            sealing.restate(handoffs[0].agreement, period, reason="Why not", by=rita, now=SEALED)


def test_a_new_version_moves_nothing_that_is_sealed(march, version, rita, max_, sofia):
    draft = signoff.new_draft_from(version, by=rita, now=LATER)
    agree(draft, by=rita, marketing=max_, sales=sofia, now=LATER)
    assert drawn.draw(march.agreement, MARCH, at=march.known_at).text == march.text
    assert chain.verify(march.agreement) == []


# --- Two at once ---------------------------------------------------------------------------------------------------


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_of_two_workers_that_seal_at_once_one_seals(handoffs):
    barrier, problems = threading.Barrier(2), []

    def work():
        try:
            barrier.wait()
            sealing.seal_due(now=SEALED)
        except Exception as problem:
            problems.append(problem)
        finally:
            connections.close_all()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert problems == []
    assert Seal.objects.count() == 1
    assert chain.verify(handoffs[0].agreement) == []
