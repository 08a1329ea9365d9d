"""Two people, or two workers, in the same instant: threads with connections of their own on PostgreSQL."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from threading import Barrier

import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError, connection, transaction

from agreements import chain, signoff, terms
from agreements.calendars import Closure, add_closure
from agreements.models import Agreement, AgreementEvent, Signature, Status, Version
from leads import clocks, intake, timekeeping, tracking
from leads.models import Assignment, Clock, Handoff, Lead
from slaportal import roles
from slaportal.refusal import Refused
from tests.conftest import MONDAY, PASSWORD, agree, make_commitment, make_record, make_user, receive

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]

ROUNDS = 20
MANY = 200
FEW = 8
HOUR = timedelta(hours=1)


def at_once(*steps: Callable[[], object]) -> list[object]:
    """Take every step in a thread of its own, all in the same instant; what each gave, or how it was refused.

    Anything but a refusal is an error of the program and fails the test.
    """
    barrier = Barrier(len(steps))

    def take(step: Callable[[], object]) -> object:
        try:
            connection.ensure_connection()
            barrier.wait(timeout=30)
            return step()
        except Refused as refusal:
            return refusal
        finally:
            connection.close()

    with ThreadPoolExecutor(len(steps)) as threads:
        return [future.result(timeout=60) for future in [threads.submit(take, step) for step in steps]]


def refused(results: list[object]) -> list[str]:
    return [str(result) for result in results if isinstance(result, Refused)]


# --- Signing ------------------------------------------------------------------------------------------------------


@pytest.fixture
def proposals(draft, rita):
    """Proposes another version of the same agreement, for each round."""

    def propose(now: datetime = MONDAY) -> Version:
        return signoff.propose(signoff.new_draft_from(draft, by=rita, now=now), by=rita, now=now)

    return propose


def signing(version: Version, leader, **overrides) -> Callable[[], Signature]:
    given = {"password": PASSWORD, "terms_hash": version.terms_hash, "name": leader.name, "now": MONDAY, **overrides}
    return lambda: signoff.sign(version, signer=leader, **given)


@pytest.mark.long
def test_both_leaders_sign_in_the_same_instant_and_the_version_is_agreed_exactly_once(proposals, max_, sofia):
    for round_ in range(MANY):
        now = MONDAY + timedelta(minutes=round_)
        version = proposals(now)
        assert refused(at_once(*(signing(version, leader, now=now) for leader in (max_, sofia)))) == []
        version.refresh_from_db()
        assert version.status == Status.AGREED
        assert version.signatures.count() == 2
        assert AgreementEvent.objects.filter(version=version, what="agreed").count() == 1
    assert Version.objects.filter(status=Status.PROPOSED).count() == 0
    assert Version.objects.filter(status=Status.AGREED).count() == MANY
    assert chain.verify(Agreement.objects.get()) == []


def test_whose_role_is_taken_away_in_the_same_instant_signs_before_it_or_not_at_all(proposals, max_):
    for round_ in range(FEW):
        version = proposals(MONDAY + timedelta(minutes=round_))
        max_.groups.add(Group.objects.get(name=roles.MARKETING_LEADER))
        results = at_once(signing(version, max_), max_.groups.clear)
        assert version.signatures.count() + len(refused(results)) == 1
        # A second later nobody without the role signs.
        with pytest.raises(Refused, match="Only the leaders of this agreement"):
            signing(proposals(), max_)()


def test_an_edit_of_a_commitment_and_the_proposal_of_its_draft_never_cross(draft, rita):
    """Raw, without the lock that the admin takes: either the edit is in the frozen terms, or it is refused."""
    for number in range(ROUNDS):
        version = signoff.new_draft_from(draft, by=rita, now=MONDAY)

        def edit(version=version, number=number) -> object:
            try:
                return version.commitments.filter(kind="volume").update(target=100 + number)
            except IntegrityError as refusal:
                return refusal

        results = at_once(edit, lambda version=version: signoff.propose(version, by=rita, now=MONDAY))
        version.refresh_from_db()
        target = terms.of(version).promises[0].target
        edited = not isinstance(results[0], IntegrityError)
        assert target == (100 + number if edited else 50)
        assert version.commitments.get(kind="volume").target == target
    assert chain.verify(Agreement.objects.get()) == []


def test_a_double_click_is_one_signature(proposals, max_):
    for _ in range(ROUNDS):
        version = proposals()
        first, second = at_once(*[signing(version, max_)] * 2)
        assert first == second == version.signatures.get()
        assert AgreementEvent.objects.filter(version=version, what="signed").count() == 1


def test_of_two_leaders_of_one_side_one_signs_and_the_other_is_told(proposals, max_):
    colleague = make_user("mia@example.com", roles.MARKETING_LEADER, team=max_.team)
    for _ in range(FEW):
        version = proposals()
        results = at_once(*(signing(version, leader) for leader in (max_, colleague)))
        assert refused(results) == ["Somebody has signed for your side already, or you for the other one."]
        assert version.signatures.count() == 1


def test_one_declines_while_the_other_completes_the_signatures(proposals, max_, sofia):
    for round_ in range(FEW):
        now = MONDAY + timedelta(minutes=round_)
        version = proposals(now)
        signing(version, max_, now=now)()
        results = at_once(
            signing(version, sofia, now=now),
            lambda version=version, now=now: signoff.decline(version, by=max_, reason="Wait.", now=now),
        )
        version.refresh_from_db()
        assert len(refused(results)) == 1
        assert version.status in (Status.AGREED, Status.DECLINED)
        assert (version.status == Status.AGREED) == (version.signatures.count() == 2)


def test_two_versions_completed_in_the_same_instant_take_effect_one_after_the_other(proposals, max_, sofia):
    for round_ in range(FEW):
        now = MONDAY + timedelta(minutes=round_)
        pair = [proposals(now), proposals(now)]
        for version in pair:
            signing(version, max_, now=now)()
        results = at_once(*(signing(version, sofia, now=now) for version in pair))
        assert len(refused(results)) == 1
        assert "a later version must begin after it" in refused(results)[0]
        assert sorted(Version.objects.get(pk=version.pk).status for version in pair) == ["agreed", "proposed"]


def test_a_draft_is_proposed_or_withdrawn_but_not_both(draft, rita):
    for _ in range(FEW):
        version = signoff.new_draft_from(draft, by=rita, now=MONDAY)
        results = at_once(
            lambda version=version: signoff.propose(version, by=rita, now=MONDAY),
            lambda version=version: signoff.propose(version, by=rita, now=MONDAY),
        )
        assert refused(results) == [f"Version {version.number} is proposed; only a draft can be proposed."]


def test_drafts_begun_in_the_same_instant_get_different_numbers(draft, rita):
    for _ in range(FEW):
        drafts = at_once(*[lambda: signoff.new_draft_from(draft, by=rita, now=MONDAY)] * 3)
        assert len({version.number for version in drafts}) == 3


def test_a_day_closed_twice_in_the_same_instant_is_closed_once(office, rita):
    for round_ in range(FEW):
        day = date(2025, 3, 3) + timedelta(days=round_)
        results = at_once(
            *[lambda day=day: add_closure(calendar=office, day=day, reason="Strike", by=rita, now=MONDAY)] * 2
        )
        assert refused(results) == [f"{day:%-d %B %Y} is closed already."]
        assert Closure.objects.filter(date=day).count() == 1


# --- Leads and clocks ---------------------------------------------------------------------------------------------


def test_two_workers_that_receive_the_same_lead_make_one_lead_and_one_handoff(version, ron):
    for number in range(ROUNDS):
        record = make_record(f"L{number}")
        results = at_once(*[lambda record=record: intake.receive_leads([record], now=MONDAY)] * 2)
        assert refused(results) == []
        assert sum(len(received.handoffs) for received in results) == 1
        handoff = Handoff.objects.get(lead__external_id=record.external_id)
        assert (handoff.lead.state, handoff.assignments.count()) == (Lead.State.HANDED_OFF, 1)
        assert handoff.clocks.count() == version.commitments.count()


def test_overlapping_batches_in_opposite_order_do_not_block_each_other(version, ron, ruth):
    for round_ in range(FEW):
        records = [make_record(f"{round_}-{number}") for number in range(10)]
        results = at_once(
            lambda records=records: intake.receive_leads(records, now=MONDAY),
            lambda records=records: intake.receive_leads(records[::-1], now=MONDAY),
        )
        assert refused(results) == []
    assert Lead.objects.count() == Handoff.objects.count() == Assignment.objects.count() == 10 * FEW


def clock_of(handoff: Handoff) -> Clock:
    return Clock.objects.get(handoff=handoff, commitment__kind="first_response")


def test_an_attempt_logged_while_the_tick_runs_is_never_forgotten(version, ron):
    due = MONDAY + 4 * HOUR
    late = due + timedelta(seconds=1)
    for number in range(ROUNDS):
        (handoff,) = receive(f"L{number}")
        attempt = tracking.NewAttempt(lead=handoff.lead, at=due)
        results = at_once(
            lambda: timekeeping.tick(now=late),
            lambda attempt=attempt: tracking.log_attempts([attempt], by=ron, now=late),
        )
        assert refused(results) == []
        clock = clock_of(handoff)
        assert (clock.state, clock.stopped_at) == (clocks.MET, due)


def test_attempts_logged_in_the_same_instant_all_count(draft, rita, max_, sofia, ron):
    make_commitment(draft, "attempts", attempts=3)
    agree(draft, by=rita, marketing=max_, sales=sofia)
    for number in range(FEW):
        (handoff,) = receive(f"L{number}")
        told = [tracking.NewAttempt(lead=handoff.lead, channel=channel) for channel in ("call", "email", "message")]
        at_once(*(lambda one=one: tracking.log_attempts([one], by=ron, now=MONDAY + HOUR) for one in told))
        assert handoff.clocks.get(commitment__kind="attempts").state == clocks.MET


def test_a_double_click_in_the_same_instant_is_one_attempt(version, ron):
    for number in range(FEW):
        (handoff,) = receive(f"L{number}")
        click = tracking.NewAttempt(lead=handoff.lead)
        at_once(*[lambda click=click: tracking.log_attempts([click], by=ron, now=MONDAY + HOUR)] * 3)
        assert handoff.lead.attempts.count() == 1


def test_two_ticks_at_once_do_the_work_once_and_leave_none(version, ron):
    late = MONDAY + 5 * HOUR
    for round_ in range(5):
        receive(*(f"{round_}-{number}" for number in range(10)))
        results = at_once(*[lambda: timekeeping.tick(now=late)] * 2)
        assert sum(results) == 10
        assert not Clock.objects.running_out(late).exists()
    assert set(Clock.objects.filter(commitment__kind="first_response").values_list("state", flat=True)) == {
        clocks.MISSED
    }


def test_a_tick_leaves_what_somebody_holds_to_the_next_one_and_does_not_wait(version, ron):
    held, free = receive("A", "B")
    late = MONDAY + 5 * HOUR
    with transaction.atomic():
        Handoff.objects.select_for_update().get(pk=held.pk)
        assert at_once(lambda: timekeeping.tick(now=late)) == [1]
        assert (clock_of(held).state, clock_of(free).state) == (clocks.OPEN, clocks.MISSED)
    assert timekeeping.tick(now=late) == 1
    assert clock_of(held).state == clocks.MISSED
