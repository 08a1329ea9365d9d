"""What sales does with a handoff: attempts, dispositions, holds, outcomes, disputes; late, repeated, taken back."""

import threading
from contextlib import closing
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection, transaction

from agreements import calendars
from leads import clocks, timekeeping, tracking
from leads.models import Attempt, Clock, Disposition, Handoff, Hold, Outcome, ReasonCode
from leads.tracking import Decision, NewAttempt, NewOutcome
from slaportal.refusal import Refused
from tests.conftest import MONDAY, agree, make_commitment, receive

pytestmark = pytest.mark.django_db
HOUR, DAY, MICROSECOND = timedelta(hours=1), timedelta(days=1), timedelta(microseconds=1)


@pytest.fixture
def agreed(draft, rita, max_, sofia):
    """Sign the draft for both sides, with these promises and fields besides."""

    def sign(*promises: tuple[str, dict], **fields):
        for kind, overrides in promises:
            make_commitment(draft, kind, **overrides)
        for name, value in fields.items():
            setattr(draft, name, value)
        draft.save()
        return agree(draft, by=rita, marketing=max_, sales=sofia)

    return sign


def reason(code: str) -> ReasonCode:
    return ReasonCode.objects.get(code=code)


def clock_of(handoff: Handoff, code: str = "first-response") -> Clock:
    return Clock.objects.get(handoff=handoff, commitment__code=code)


def state_of(handoff: Handoff, code: str = "first-response") -> tuple[int, str]:
    return Clock.objects.values_list("state", "rule").get(handoff=handoff, commitment__code=code, decides=True)


def row_of(handoff: Handoff) -> tuple[str, datetime | None]:
    return Handoff.objects.values_list("stage", "ended_at").get(pk=handoff.pk)


def log(*attempts: NewAttempt, now: datetime = MONDAY + HOUR, by=None, **more) -> list[Attempt]:
    return tracking.log_attempts(attempts, by=by, now=now, **more)


def dispose(handoff: Handoff, verdict: str, why: str = "", now: datetime = MONDAY + HOUR, **more) -> list[Disposition]:
    how = {"at": more.pop("at", None), "reason": reason(why) if why else None}
    return tracking.dispose([Decision(handoff, verdict, **how)], by=None, now=now, **more)


# --- Attempts ------------------------------------------------------------------------------------------------------


def test_an_attempt_of_a_lead_counts_for_every_handoff_of_it_that_had_begun(version, ron):
    (first,) = receive()
    dispose(first, "recycled", "bad_timing", now=MONDAY + HOUR)
    (second,) = receive(received_at=MONDAY + 2 * HOUR, now=MONDAY + 2 * HOUR)
    log(NewAttempt(lead=first.lead), now=MONDAY + 3 * HOUR, by=ron)
    assert (state_of(first), state_of(second)) == ((clocks.MET, "within_limit"),) * 2


@pytest.mark.parametrize("named", [{"contact_id": "P1"}, {"email": "INES@nordhaus.example"}])
def test_an_attempt_of_a_person_counts_for_every_lead_of_theirs_that_had_begun(version, ron, named):
    same = {"contact_id": "P1", "email": "Ines@Nordhaus.example"}
    first, second = receive("A", "B", **same)
    (other,) = receive("C", contact_id="P2", email="other@nordhaus.example")
    (later,) = receive("D", received_at=MONDAY + 2 * HOUR, now=MONDAY + 2 * HOUR, **same)
    log(NewAttempt(at=MONDAY + HOUR, **named), now=MONDAY + 2 * HOUR, by=ron)
    states = [state_of(handoff)[0] for handoff in (first, second, other, later)]
    assert states == [clocks.MET, clocks.MET, clocks.OPEN, clocks.OPEN]


def test_an_attempt_that_names_its_lead_counts_for_no_other_lead_of_the_person(version, ron):
    first, second = receive("A", "B", contact_id="P1")
    log(NewAttempt(lead=first.lead, contact_id="P1", email="ines@nordhaus.example"), by=ron)
    assert (state_of(first)[0], state_of(second)[0]) == (clocks.MET, clocks.OPEN)


def test_an_attempt_of_somebody_not_yet_received_counts_once_their_lead_begins(version, ron):
    log(NewAttempt(contact_id="P1", at=MONDAY + HOUR), by=ron)
    (handoff,) = receive(contact_id="P1", now=MONDAY + 2 * HOUR)
    assert state_of(handoff) == (clocks.MET, "within_limit")


def test_an_attempt_that_fits_by_contact_id_and_by_email_counts_once(agreed, ron):
    agreed(("attempts", {"attempts": 2}))
    (handoff,) = receive(contact_id="P1")
    both = {"contact_id": "P1", "email": "ines@nordhaus.example"}
    log(NewAttempt(**both), by=ron)
    assert state_of(handoff, "attempts")[0] == clocks.OPEN
    log(NewAttempt(**both), by=ron)
    assert state_of(handoff, "attempts")[0] == clocks.MET


def test_blank_names_fit_nobody(version, ron):
    (handoff,) = receive(contact_id="", email="")
    log(NewAttempt(contact_id="P1"), NewAttempt(email="somebody@nordhaus.example"), by=ron)
    assert state_of(handoff)[0] == clocks.OPEN


@pytest.mark.parametrize(
    ("fields", "response", "touch"),
    [
        ({}, clocks.MET, clocks.OPEN),
        ({"outcome": "connected"}, clocks.MET, clocks.MET),
        ({"outcome": "connected", "direction": "inbound"}, clocks.OPEN, clocks.MET),
        ({"outcome": "no_answer", "direction": "inbound"}, clocks.OPEN, clocks.OPEN),
        ({"channel": "email", "outcome": "sent"}, clocks.MET, clocks.OPEN),
        ({"channel": "email", "outcome": "replied", "direction": "inbound"}, clocks.OPEN, clocks.MET),
        ({"automated": True, "outcome": "connected"}, clocks.OPEN, clocks.OPEN),
        ({"channel": "note", "outcome": "connected"}, clocks.OPEN, clocks.OPEN),
    ],
)
def test_only_what_a_person_did_is_a_response_and_only_two_way_contact_a_touch(agreed, ron, fields, response, touch):
    agreed(("first_touch", {}))
    (handoff,) = receive()
    log(NewAttempt(lead=handoff.lead, **fields), by=ron)
    assert (state_of(handoff)[0], state_of(handoff, "first-touch")[0]) == (response, touch)


def test_an_attempt_is_kept_as_it_was_told(version, ron, ruth):
    (handoff,) = receive()
    told = NewAttempt(
        lead=handoff.lead, at=MONDAY, channel="message", outcome="sent", note="Hello", owner=ruth, external_id="7",
        source_system="chat",
    )  # fmt: skip
    log(told, NewAttempt(lead=handoff.lead), by=ron, from_system=True)
    first, second = Attempt.objects.order_by("at")
    assert (first.by, first.note, first.at, first.entered_at, first.from_system) == (
        ruth, "Hello", MONDAY, MONDAY + HOUR, True,
    )  # fmt: skip
    assert (second.by, second.at, second.external_id) == (ron, MONDAY + HOUR, None)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"email": ""}, "An attempt names its lead, or the person by contact id or e-mail."),
        ({"at": MONDAY + 2 * HOUR}, "2025-03-03 11:00 UTC is in the future; log what has happened."),
        ({"channel": "fax"}, "“fax” is no channel; use call, email, message, meeting, note, other."),
        ({"direction": "up"}, "“up” is no direction; use outbound, inbound."),
        (
            {"outcome": "bingo"},
            "“bingo” is no outcome of an attempt; use connected, replied, no_answer, voicemail, busy, sent, invalid, "
            "other.",
        ),
    ],
)
def test_an_attempt_that_cannot_be_is_refused_with_all_that_came_with_it(version, ron, fields, sentence):
    good = NewAttempt(email="ines@nordhaus.example")
    with pytest.raises(Refused) as refusal:
        log(good, NewAttempt(**{"email": "ines@nordhaus.example", **fields}), by=ron)
    assert str(refusal.value) == sentence
    assert not Attempt.objects.exists()


def test_what_a_system_has_sent_before_is_passed_over(version, ron):
    (handoff,) = receive()
    calls = [NewAttempt(lead=handoff.lead, source_system="dialer", external_id=str(n)) for n in range(3)]
    assert len(log(*calls[:2], from_system=True)) == 2
    assert [row.external_id for row in log(*calls, from_system=True)] == ["2"]
    assert log(*calls, from_system=True) == []
    assert len(log(NewAttempt(lead=handoff.lead, source_system="crm", external_id="1"), from_system=True)) == 1


def test_of_one_id_twice_in_a_batch_the_last_is_kept_and_attempts_without_an_id_are_all_kept(version, ron):
    (handoff,) = receive()
    twice = [NewAttempt(lead=handoff.lead, external_id="0", note=note) for note in ("first", "last")]
    without = [NewAttempt(lead=handoff.lead, external_id=blank) for blank in (None, None, "", "")]
    assert len(log(*without, *twice, *without)) == 9
    assert Attempt.objects.get(external_id="0").note == "last"
    assert log(*twice) == []


def test_a_voided_attempt_stays_visible_counts_nowhere_and_does_not_come_back(version, ron):
    (handoff,) = receive()
    call = NewAttempt(lead=handoff.lead, source_system="dialer", external_id="1")
    (attempt,) = log(call, from_system=True)
    tracking.void_attempt(attempt, by=ron, reason="wrong lead", now=MONDAY + 2 * HOUR)
    attempt.refresh_from_db()
    assert (attempt.voided_by, attempt.voided_at, attempt.void_reason) == (ron, MONDAY + 2 * HOUR, "wrong lead")
    assert state_of(handoff) == (clocks.OPEN, "running")
    assert log(call, from_system=True) == []
    with pytest.raises(Refused, match="That was taken back already"):
        tracking.void_attempt(attempt, by=ron, reason="again", now=MONDAY + 3 * HOUR)


# --- Late entries (A4) ---------------------------------------------------------------------------------------------

# Two business days of 8.5 hours: from Monday 11:00 in Berlin to Wednesday 11:00.
CALLED = MONDAY + HOUR
GRACE_ENDS = CALLED + 2 * DAY


@pytest.mark.parametrize(
    ("entered", "from_system", "state"),
    [
        (GRACE_ENDS, False, clocks.MET),
        (GRACE_ENDS + MICROSECOND, False, clocks.MISSED),
        (GRACE_ENDS + MICROSECOND, True, clocks.MET),
        (GRACE_ENDS + 100 * DAY, True, clocks.MET),
    ],
)
def test_what_a_person_enters_later_than_the_grace_is_evidence_only(version, ron, entered, from_system, state):
    (handoff,) = receive()
    assert len(log(NewAttempt(lead=handoff.lead, at=CALLED), now=entered, by=ron, from_system=from_system)) == 1
    assert state_of(handoff)[0] == state


def test_a_day_closed_after_the_fact_lengthens_the_grace(version, office, rita, ron):
    (handoff,) = receive()
    log(NewAttempt(lead=handoff.lead, at=CALLED), now=GRACE_ENDS + DAY, by=ron)
    assert state_of(handoff)[0] == clocks.MISSED
    calendars.add_closure(calendar=office, day=date(2025, 3, 4), reason="Strike", by=rita, now=GRACE_ENDS + DAY)
    assert state_of(handoff)[0] == clocks.MET


@pytest.mark.parametrize(
    ("entered", "rule"), [(GRACE_ENDS, "within_limit"), (GRACE_ENDS + MICROSECOND, "limit_used_up")]
)
def test_a_decision_entered_too_late_stops_no_clock_but_decides_the_stage(agreed, ron, entered, rule):
    agreed(("acceptance", {}))
    (handoff,) = receive()
    dispose(handoff, "accepted", at=CALLED, now=entered)
    assert state_of(handoff, "acceptance")[1] == rule
    assert row_of(handoff) == ("sal", None)


# --- Dispositions --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verdict", "why", "stage", "ends"),
    [
        ("accepted", "", "sal", False),
        ("recycled", "", "recycled", True),
        ("recycled", "bad_timing", "recycled", True),
        ("rejected", "", "rejected", True),
        ("rejected", "not_target", "rejected", True),
    ],
)
def test_a_disposition_moves_the_stage_and_all_but_acceptance_end_the_handoff(version, ron, verdict, why, stage, ends):
    (handoff,) = receive()
    (row,) = dispose(handoff, verdict, why)
    assert row_of(handoff) == (stage, MONDAY + HOUR if ends else None)
    assert (row.at, row.entered_at) == (MONDAY + HOUR, MONDAY + HOUR)


@pytest.mark.parametrize(
    ("before", "verdict", "why", "at", "sentence"),
    [
        ([], "maybe", "", None, "“maybe” is no disposition; use accepted, recycled, rejected."),
        ([], "accepted", "no_answer", None, "“No answer” is no reason for accepted."),
        ([], "rejected", "bad_timing", None, "“Bad timing” is no reason for rejected."),
        ([], "recycled", "duplicate", None, "“Duplicate” is no reason for recycled."),
        ([], "accepted", "", MONDAY + 9 * DAY, "2025-03-12 09:00 UTC is in the future; log what has happened."),
        (
            [],
            "accepted",
            "",
            MONDAY - MICROSECOND,
            "Ines Albrecht began only on 2025-03-03 09:00 UTC; it cannot be decided before.",
        ),
        (["accepted"], "accepted", "", None, "Ines Albrecht is accepted already."),
        (
            ["recycled"],
            "rejected",
            "",
            None,
            "Ines Albrecht has ended already. Void its last disposition first if that was a mistake.",
        ),
        (
            ["accepted", "rejected"],
            "accepted",
            "",
            None,
            "Ines Albrecht has ended already. Void its last disposition first if that was a mistake.",
        ),
    ],
)
def test_a_decision_that_cannot_be_is_refused_with_all_that_came_with_it(
    version, ron, before, verdict, why, at, sentence
):
    handoff, other = receive("A", "B")
    for earlier in before:
        dispose(handoff, earlier, now=MONDAY + HOUR)
    decisions = [Decision(other, "accepted"), Decision(handoff, verdict, reason(why) if why else None, at)]
    with pytest.raises(Refused) as refusal:
        tracking.dispose(decisions, by=ron, now=MONDAY + 2 * HOUR)
    assert str(refusal.value) == sentence
    assert Disposition.objects.count() == len(before)


def test_what_counts_is_how_the_handoff_stands_now_and_not_what_a_page_still_shows(version, ron):
    (stale,) = receive()
    dispose(stale, "rejected", "not_target")
    assert stale.ended_at is None
    with pytest.raises(Refused, match="has ended already"):
        dispose(stale, "accepted", now=MONDAY + 2 * HOUR)


@pytest.mark.parametrize("verdict", ["accepted", "recycled", "rejected"])
def test_the_same_decision_twice_in_one_call_is_refused(version, ron, verdict):
    (handoff,) = receive()
    with pytest.raises(Refused, match=f"Ines Albrecht is {verdict} already"):
        tracking.dispose([Decision(handoff, verdict)] * 2, by=ron, now=MONDAY)
    assert not Disposition.objects.exists()


def test_a_person_may_accept_what_a_system_knows_to_be_further_along(version, ron):
    (handoff,) = receive()
    tracking.record_outcomes([NewOutcome(handoff, "meeting")], by=None, now=MONDAY + HOUR, from_system=True)
    dispose(handoff, "accepted", at=MONDAY)
    assert row_of(handoff) == ("sql", MONDAY + HOUR)


def test_a_decision_at_the_moment_of_the_begin_is_no_decision_before_it(version, ron):
    (handoff,) = receive()
    dispose(handoff, "rejected", at=MONDAY)
    assert row_of(handoff) == ("rejected", MONDAY)


def test_a_system_may_tell_the_same_dispositions_again_and_each_is_kept_once(version, ron):
    (handoff,) = receive()
    told = [
        Decision(handoff, "accepted", None, MONDAY + HOUR),
        Decision(handoff, "rejected", reason("not_target"), MONDAY + 2 * HOUR),
    ]
    rows = tracking.dispose([*told, *told], by=None, now=MONDAY + DAY, from_system=True)
    assert [row.verdict for row in rows] == ["accepted", "rejected"]
    assert tracking.dispose(told, by=None, now=MONDAY + 2 * DAY, from_system=True) == []


def test_what_a_person_took_back_a_system_does_not_put_back(version, ron):
    (handoff,) = receive()
    told = [Decision(handoff, "rejected", reason("not_target"), MONDAY)]
    (row,) = tracking.dispose(told, by=None, now=MONDAY, from_system=True)
    tracking.void_disposition(row, by=ron, reason="it is a target", now=MONDAY + HOUR)
    assert tracking.dispose(told, by=None, now=MONDAY + DAY, from_system=True) == []
    assert row_of(handoff) == ("mql", None)


@pytest.mark.parametrize(
    ("why", "state", "rule"),
    [
        ("duplicate", clocks.EXCLUDED, "ended_without_contact"),
        ("unusable_contact_data", clocks.EXCLUDED, "ended_without_contact"),
        ("below_definition", clocks.EXCLUDED, "ended_without_contact"),
        ("no_budget", clocks.OPEN, "running"),
        ("", clocks.OPEN, "running"),
    ],
)
def test_only_a_reason_that_needs_no_contact_excludes_what_still_runs(version, ron, why, state, rule):
    (handoff,) = receive()
    dispose(handoff, "rejected", why)
    assert state_of(handoff) == (state, rule)
    timekeeping.tick(now=MONDAY + 30 * DAY)
    assert state_of(handoff)[0] == (clocks.EXCLUDED if state == clocks.EXCLUDED else clocks.MISSED)


def test_what_had_missed_or_met_before_the_end_stays_so(version, ron):
    missed, met = receive("A", "B")
    log(NewAttempt(lead=met.lead), by=ron)
    for handoff in (missed, met):
        dispose(handoff, "rejected", "duplicate", now=MONDAY + 5 * HOUR)
    assert (state_of(missed)[0], state_of(met)[0]) == (clocks.MISSED, clocks.MET)


def test_a_voided_disposition_reopens_the_handoff_and_its_clocks(version, ron):
    (handoff,) = receive()
    (row,) = dispose(handoff, "rejected", "duplicate")
    tracking.void_disposition(row, by=ron, reason="no duplicate", now=MONDAY + 2 * HOUR)
    assert (row_of(handoff), state_of(handoff)) == (("mql", None), (clocks.OPEN, "running"))
    with pytest.raises(Refused, match="That was taken back already"):
        tracking.void_disposition(row, by=ron, reason="again", now=MONDAY + 2 * HOUR)
    dispose(handoff, "accepted", now=MONDAY + 3 * HOUR)
    assert row_of(handoff) == ("sal", None)


def test_with_the_end_taken_back_what_came_before_it_stands(version, ron):
    (handoff,) = receive()
    dispose(handoff, "accepted", now=MONDAY + HOUR)
    (row,) = dispose(handoff, "recycled", now=MONDAY + 2 * HOUR)
    tracking.void_disposition(row, by=ron, reason="mistake", now=MONDAY + 3 * HOUR)
    assert row_of(handoff) == ("sal", None)


# --- Holds (C5) ----------------------------------------------------------------------------------------------------


def test_a_hold_takes_out_exactly_its_business_time(version, ron):
    (handoff,) = receive()
    tracking.hold([handoff], reason=" on holiday ", by=ron, now=MONDAY + HOUR)
    assert (state_of(handoff), clock_of(handoff).due_at) == ((clocks.OPEN, "on_hold"), None)
    assert timekeeping.tick(now=MONDAY + 9 * DAY) == 0
    assert tracking.release([handoff], by=ron, now=MONDAY + 2 * HOUR) == 1
    assert clock_of(handoff).due_at == MONDAY + 5 * HOUR
    held = Hold.objects.get()
    assert (held.reason, held.by, held.released_by, held.ended_at) == ("on holiday", ron, ron, MONDAY + 2 * HOUR)
    assert tracking.release([handoff], by=ron, now=MONDAY + 3 * HOUR) == 0
    held.refresh_from_db()
    assert held.ended_at == MONDAY + 2 * HOUR


def test_holds_that_overlap_count_once(version, ron):
    (handoff,) = receive()
    for begin, end in ((1, 2), (1.5, 3), (3, 3.5)):
        tracking.hold([handoff], reason="away", by=ron, now=MONDAY + end * HOUR, at=MONDAY + begin * HOUR)
        tracking.release([handoff], by=ron, now=MONDAY + end * HOUR)
    assert clock_of(handoff).due_at == MONDAY + 6.5 * HOUR


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"reason": "  "}, "Say why the time shall not count."),
        ({"at": MONDAY + 3 * HOUR}, "2025-03-03 12:00 UTC is in the future; log what has happened."),
        ({"at": MONDAY - HOUR}, "Ines Albrecht began only on 2025-03-03 09:00 UTC."),
    ],
)
def test_a_hold_that_cannot_be_is_refused(version, ron, fields, sentence):
    (handoff,) = receive()
    with pytest.raises(Refused) as refusal:
        tracking.hold([handoff], by=ron, now=MONDAY + HOUR, **{"reason": "away", **fields})
    assert str(refusal.value) == sentence
    assert not Hold.objects.exists()


def test_what_is_held_or_has_ended_cannot_be_held_and_nothing_else_of_the_call_is(version, ron):
    free, held, ended = receive("A", "B", "C", name="")
    tracking.hold([held], reason="away", by=ron, now=MONDAY)
    dispose(ended, "recycled")
    for handoff, sentence in ((held, "is on hold already."), (ended, "has ended; there is nothing to hold.")):
        with pytest.raises(Refused, match=sentence):
            tracking.hold([free, handoff], reason="away", by=ron, now=MONDAY + HOUR)
    assert Hold.objects.count() == 1


@pytest.mark.parametrize(("after", "refused"), [(timedelta(0), False), (MICROSECOND, True)])
def test_a_hold_that_begins_longer_ago_than_the_grace_needs_revops(version, ron, rita, after, refused):
    (handoff,) = receive()
    given = {"reason": "away", "now": GRACE_ENDS + after, "at": CALLED}
    if refused:
        with pytest.raises(Refused, match="A hold that begins so long ago needs RevOps"):
            tracking.hold([handoff], by=ron, **given)
        tracking.hold([handoff], by=rita, **given)
    else:
        tracking.hold([handoff], by=ron, **given)
    assert Hold.objects.get().started_at == CALLED


def test_a_day_closed_after_the_fact_lengthens_the_grace_of_a_hold_too(version, office, rita, ron):
    (handoff,) = receive()
    calendars.add_closure(calendar=office, day=date(2025, 3, 4), reason="Strike", by=rita, now=MONDAY)
    tracking.hold([handoff], reason="away", by=ron, now=GRACE_ENDS + DAY, at=CALLED)
    assert Hold.objects.get().by == ron


# --- Outcomes ------------------------------------------------------------------------------------------------------


def test_outcomes_move_the_stage_and_the_first_ends_an_accepted_handoff(version, ron):
    (handoff,) = receive()
    dispose(handoff, "accepted")
    steps = [("meeting", "sql"), ("opportunity", "opportunity"), ("won", "won")]
    for hours, (kind, stage) in enumerate(steps, start=2):
        tracking.record_outcomes([NewOutcome(handoff, kind)], by=ron, now=MONDAY + hours * HOUR)
        assert row_of(handoff) == (stage, MONDAY + 2 * HOUR)


def test_an_amount_is_kept_to_the_cent(version, ron):
    (handoff,) = receive()
    dispose(handoff, "accepted")
    tracking.record_outcomes([NewOutcome(handoff, "opportunity", amount=Decimal("12500.50"))], by=ron, now=MONDAY + DAY)
    assert Outcome.objects.get().amount == Decimal("12500.50")


@pytest.mark.parametrize(
    ("accepted", "kind", "at", "sentence"),
    [
        (True, "lunch", None, "“lunch” is no outcome; use meeting, opportunity, won, lost."),
        (True, "meeting", None, "Ines Albrecht has that outcome already."),
        (True, "won", MONDAY + 9 * DAY, "2025-03-12 09:00 UTC is in the future; log what has happened."),
        (
            True,
            "won",
            MONDAY - MICROSECOND,
            "Ines Albrecht began only on 2025-03-03; nothing can come of it before.",
        ),
        (False, "meeting", None, "Ines Albrecht is not accepted, so nothing can come of it. Accept it first."),
    ],
)
def test_an_outcome_that_cannot_be_is_refused_with_all_that_came_with_it(version, ron, accepted, kind, at, sentence):
    (handoff,) = receive()
    if accepted:
        dispose(handoff, "accepted")
        tracking.record_outcomes([NewOutcome(handoff, "meeting")], by=ron, now=MONDAY + HOUR)
    count = Outcome.objects.count()
    with pytest.raises(Refused) as refusal:
        tracking.record_outcomes(
            [NewOutcome(handoff, "lost"), NewOutcome(handoff, kind, at)] if accepted else [NewOutcome(handoff, kind)],
            by=ron,
            now=MONDAY + DAY,
        )
    assert str(refusal.value) == sentence
    assert Outcome.objects.count() == count


def test_the_same_outcome_twice_in_one_call_is_refused_from_a_person_and_kept_once_from_a_system(version, ron):
    (handoff,) = receive()
    dispose(handoff, "accepted")
    twice = [NewOutcome(handoff, "meeting")] * 2
    with pytest.raises(Refused, match="has that outcome already"):
        tracking.record_outcomes(twice, by=ron, now=MONDAY + DAY)
    assert len(tracking.record_outcomes(twice, by=None, now=MONDAY + DAY, from_system=True)) == 1
    assert tracking.record_outcomes(twice, by=None, now=MONDAY + DAY, from_system=True) == []


def test_an_outcome_that_was_taken_back_is_not_put_back_by_its_system_but_may_come_anew(version, ron):
    (handoff,) = receive()
    told = [NewOutcome(handoff, "won", MONDAY + HOUR, Decimal("5.00"))]
    (row,) = tracking.record_outcomes(told, by=None, now=MONDAY + DAY, from_system=True)
    Outcome.objects.filter(pk=row.pk).update(voided_at=MONDAY + DAY, voided_by=ron)
    assert tracking.record_outcomes(told, by=None, now=MONDAY + DAY, from_system=True) == []
    anew = [NewOutcome(handoff, "won", MONDAY + 2 * HOUR, Decimal("5.00"))]
    assert len(tracking.record_outcomes(anew, by=None, now=MONDAY + DAY, from_system=True)) == 1


def test_a_system_may_tell_outcomes_before_the_acceptance_that_they_follow(version, ron):
    (handoff,) = receive()
    told = [NewOutcome(handoff, "opportunity", MONDAY + 2 * HOUR)]
    tracking.record_outcomes(told, by=None, now=MONDAY + DAY, from_system=True)
    assert row_of(handoff) == ("opportunity", None)
    dispose(handoff, "accepted", at=MONDAY + HOUR, now=MONDAY + 2 * DAY, from_system=True)
    assert row_of(handoff) == ("opportunity", MONDAY + 2 * HOUR)


# --- Many, and two at once -----------------------------------------------------------------------------------------


def test_forty_of_a_kind_take_no_more_queries_than_one(version, ron, django_assert_max_num_queries):
    one, *many = receive(*(f"L{n}" for n in range(41)))
    verbs = {
        "attempts": lambda rows: log(*(NewAttempt(lead=row.lead) for row in rows), by=ron),
        "hold": lambda rows: tracking.hold(rows, reason="away", by=ron, now=MONDAY + HOUR, at=MONDAY),
        "release": lambda rows: tracking.release(rows, by=ron, now=MONDAY + 2 * HOUR),
        "dispose": lambda rows: tracking.dispose([Decision(row, "accepted") for row in rows], by=ron, now=MONDAY + DAY),
        "outcomes": lambda rows: tracking.record_outcomes(
            [NewOutcome(row, "meeting") for row in rows], by=ron, now=MONDAY + 2 * DAY
        ),
    }
    for verb in verbs.values():
        with django_assert_max_num_queries(40) as alone:
            verb([one])
        with django_assert_max_num_queries(len(alone)):
            verb(many)


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_click_does_not_wait_for_an_import_that_received_the_same_lead(version, ron):
    (handoff,) = receive()

    def click() -> None:
        with closing(connection):
            log(NewAttempt(lead=handoff.lead), by=ron)

    thread = threading.Thread(target=click)
    with transaction.atomic():
        receive()
        thread.start()
        thread.join(10)
        was_done = not thread.is_alive()
    thread.join()
    assert was_done
    assert state_of(handoff)[0] == clocks.MET


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_of_two_clicks_at_once_the_second_sees_the_first(version, ron):
    (handoff,) = receive()
    refused = []

    def click() -> None:
        with closing(connection):
            try:
                dispose(handoff, "accepted")
            except Refused as refusal:
                refused.append(str(refusal))

    thread = threading.Thread(target=click)
    with transaction.atomic():
        dispose(handoff, "accepted")
        thread.start()
        thread.join(0.5)
    thread.join()
    assert refused == ["Ines Albrecht is accepted already."]
    assert Disposition.objects.count() == 1


def test_what_ends_a_handoff_releases_its_hold_so_that_no_clock_rests_for_ever(version, ron):
    (handoff,) = receive()
    tracking.hold([handoff], reason="asked to wait", by=ron, now=MONDAY + HOUR)
    reason = ReasonCode.objects.get(code="not_interested")
    tracking.dispose([tracking.Decision(handoff, "rejected", reason)], by=ron, now=MONDAY + 2 * HOUR)
    assert handoff.holds.get().ended_at == MONDAY + 2 * HOUR
    timekeeping.tick(now=MONDAY + 24 * HOUR)
    assert Clock.objects.get(handoff=handoff, commitment__code="first-response").state == clocks.MISSED


def test_a_hold_goes_on_when_what_released_it_is_taken_back(version, ron):
    (handoff,) = receive()
    tracking.hold([handoff], reason="asked to wait", by=ron, now=MONDAY + HOUR)
    reason = ReasonCode.objects.get(code="not_interested")
    (rejection,) = tracking.dispose([tracking.Decision(handoff, "rejected", reason)], by=ron, now=MONDAY + 2 * HOUR)
    later = MONDAY + 2 * HOUR + timedelta(seconds=5)
    tracking.void_disposition(rejection, by=ron, reason="undone", now=later)
    first, second = handoff.holds.order_by("pk")
    assert (first.ended_at, second.started_at, second.entered_at) == (MONDAY + 2 * HOUR, MONDAY + 2 * HOUR, later)
    assert (second.ended_at, second.reason, second.by) == (None, "asked to wait", ron)
    timekeeping.tick(now=MONDAY + 24 * HOUR)
    assert clock_of(handoff).state == clocks.OPEN


def test_what_was_released_by_hand_is_not_held_again(version, ron):
    (handoff,) = receive()
    tracking.hold([handoff], reason="asked to wait", by=ron, now=MONDAY + HOUR)
    tracking.release([handoff], by=ron, now=MONDAY + 2 * HOUR)
    reason = ReasonCode.objects.get(code="not_interested")
    (rejection,) = tracking.dispose([tracking.Decision(handoff, "rejected", reason)], by=ron, now=MONDAY + 3 * HOUR)
    tracking.void_disposition(rejection, by=ron, reason="undone", now=MONDAY + 3 * HOUR)
    assert handoff.holds.get().ended_at == MONDAY + 2 * HOUR


def test_accepting_keeps_a_hold(version, ron):
    (handoff,) = receive()
    tracking.hold([handoff], reason="asked to wait", by=ron, now=MONDAY + HOUR)
    tracking.dispose([tracking.Decision(handoff, "accepted")], by=ron, now=MONDAY + 2 * HOUR)
    assert handoff.holds.get().ended_at is None


def test_an_outcome_taken_back_opens_the_handoff_again(version, ron):
    (handoff,) = receive()
    tracking.dispose([tracking.Decision(handoff, "accepted")], by=ron, now=MONDAY)
    (meeting,) = tracking.record_outcomes([tracking.NewOutcome(handoff, "meeting")], by=ron, now=MONDAY + HOUR)
    tracking.void_outcome(meeting, by=ron, reason="it was moved", now=MONDAY + 2 * HOUR)
    handoff.refresh_from_db()
    assert (handoff.stage, handoff.ended_at) == (Handoff.Stage.SAL, None)
    with pytest.raises(Refused, match="taken back already"):
        tracking.void_outcome(meeting, by=ron, reason="again", now=MONDAY + 2 * HOUR)


def test_a_double_click_is_one_attempt_and_a_second_call_later_is_another(version, ron, ruth):
    (handoff,) = receive()
    call = NewAttempt(lead=handoff.lead)
    moment = timedelta(milliseconds=300)
    assert len(tracking.log_attempts([call], by=ron, now=MONDAY)) == 1
    assert tracking.log_attempts([call], by=ron, now=MONDAY + moment) == []
    assert len(tracking.log_attempts([call], by=ruth, now=MONDAY + moment)) == 1
    assert len(tracking.log_attempts([call], by=ron, now=MONDAY + timedelta(seconds=11))) == 1


def test_a_double_click_with_a_time_that_was_typed_is_one_attempt_too(version, ron):
    (handoff,) = receive()
    typed = NewAttempt(lead=handoff.lead, at=MONDAY, note="Calls back")
    moment = timedelta(milliseconds=300)
    assert len(tracking.log_attempts([typed], by=ron, now=MONDAY + HOUR)) == 1
    assert tracking.log_attempts([typed], by=ron, now=MONDAY + HOUR + moment) == []
    other = NewAttempt(lead=handoff.lead, at=MONDAY + timedelta(minutes=1), note="Calls back")
    assert len(tracking.log_attempts([other], by=ron, now=MONDAY + HOUR + moment)) == 1
