"""Leads come in: known again, matched to a version, tested against its definition, handed off and owned."""

import threading
from contextlib import closing, suppress
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import OperationalError, connection, transaction

from agreements import signoff
from agreements.models import Agreement, Criterion, Version
from leads import clocks, intake, timekeeping, tracking
from leads.models import Assignment, Clock, Disposition, Handoff, Lead, ReasonCode
from leads.records import LeadRecord
from slaportal.models import User
from slaportal.refusal import Refused
from tests.conftest import MONDAY, agree, complete, make_commitment, make_record, make_user, receive
from tests.leads.routed import at_once

pytestmark = pytest.mark.django_db
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def sign(rita, max_, sofia):
    """Propose a draft and sign it for both sides."""
    return lambda draft, now=MONDAY: agree(draft, by=rita, marketing=max_, sales=sofia, now=now)


@pytest.fixture
def asking(draft, sign) -> Version:
    """A version that asks for a score of 80, a source other than a webinar, and a phone number."""
    draft.score_threshold, draft.required_fields = 80, ["phone"]
    draft.save()
    Criterion.objects.create(version=draft, field="source", operator="is not", value="Webinar")
    return sign(draft)


def second_version(version: Version, sign, *, by: User, starts: date | None = None, **fields) -> Version:
    """Version 2, signed on MONDAY, with other fields."""
    draft = signoff.new_draft_from(version, by=by, now=MONDAY)
    Version.objects.filter(pk=draft.pk).update(wanted_from=starts, **fields)
    draft.refresh_from_db()
    return sign(draft)


def another_agreement(first: Agreement, draft: Version, sign, *, priority: int, **scope) -> Agreement:
    """A second agreement of the same teams with its own scope, in force like the first."""
    other = Agreement.objects.create(
        name=f"Priority {priority}",
        marketing_team=first.marketing_team,
        sales_team=first.sales_team,
        priority=priority,
    )
    for field, value in scope.items():
        Criterion.objects.create(agreement=other, field=field, operator="is", value=value)
    version = signoff.new_draft(
        other, by=None, now=MONDAY, calendar=draft.calendar, wanted_from=datetime(2025, 1, 1, tzinfo=UTC).date()
    )
    sign(complete(version))
    return other


def tables() -> list[list[tuple]]:
    """Everything that receiving writes."""
    return [sorted(map(str, model.objects.values_list())) for model in (Lead, Handoff, Assignment, Clock, User)]


def recycle(handoff: Handoff, *, at: datetime, reason: str = "bad_timing") -> Disposition:
    decision = tracking.Decision(handoff, "recycled", ReasonCode.objects.get(code=reason), at)
    return tracking.dispose([decision], by=None, now=at)[0]


def lead(external_id: str = "L1") -> Lead:
    return Lead.objects.get(external_id=external_id)


# --- Known again ---------------------------------------------------------------------------------------------------


def test_the_same_records_again_change_nothing(asking, ron, ruth):
    records = [
        make_record("A", email="Ines@Nordhaus.example", owner="Ron"),
        make_record("B", score=79),
        make_record("C", received_at=datetime(2020, 1, 1, tzinfo=UTC), owner="Nobody Known"),
        make_record("D", attributes={"product": "Router"}, engaged_at=MONDAY - DAY, company_size=7),
    ]
    first = intake.receive_leads(records, now=MONDAY)
    assert (first.created, first.waiting, first.unmatched, len(first.handoffs)) == (4, 1, 1, 2)
    before = tables()
    again = intake.receive_leads(records, now=MONDAY + DAY)
    assert again == intake.Received(unchanged=4)
    assert tables() == before


def test_of_two_records_of_one_lead_in_a_batch_the_last_counts(version, ron):
    received = intake.receive_leads([make_record(score=10), make_record("L2"), make_record(score=20)], now=MONDAY)
    assert (received.created, len(received.handoffs)) == (2, 2)
    assert lead().score == 20


def test_one_id_in_two_source_systems_is_two_leads(version, ron):
    received = intake.receive_leads([make_record(), make_record(source_system="form")], now=MONDAY)
    assert (received.created, len(received.handoffs)) == (2, 2)


def test_a_change_of_the_source_is_taken_over_and_moves_no_copy(asking, ron):
    (handoff,) = receive()
    copied = Handoff.objects.values("snapshot", "source", "segment", "score", "missing_fields", "in_scope").get()
    record = make_record(source="Webinar", segment="SMB", score=1, phone="030 1")
    assert intake.receive_leads([record], now=MONDAY + HOUR) == intake.Received(updated=1)
    assert (lead().source, lead().segment, lead().score) == ("Webinar", "SMB", 1)
    handoff.refresh_from_db()
    assert {name: getattr(handoff, name) for name in copied} == copied
    assert copied["snapshot"] == {"source": "Inbound demo", "phone": ""}


def test_what_the_source_no_longer_knows_is_forgotten(version, ron):
    receive(attributes={"product": "Router"}, company_size=7)
    intake.receive_leads([make_record(source="")], now=MONDAY)
    assert (lead().attributes, lead().company_size, lead().source) == ({}, None, "")


def test_the_case_of_an_email_address_does_not_matter(version, ron):
    receive(email="Ines@NordHaus.Example")
    assert lead().email == "ines@nordhaus.example"
    assert intake.receive_leads([make_record(email="INES@nordhaus.example")], now=MONDAY).unchanged == 1


def test_a_lead_whose_address_is_mended_answers_for_the_attempts_of_its_person(version, ron):
    (handoff,) = receive(email="wrong@nordhaus.example")
    call = tracking.NewAttempt(email="right@nordhaus.example", at=MONDAY + HOUR)
    tracking.log_attempts([call], by=ron, now=MONDAY + HOUR)
    assert Clock.objects.get(handoff=handoff, commitment__code="first-response").state == clocks.OPEN
    intake.receive_leads([make_record(email="right@nordhaus.example")], now=MONDAY + 2 * HOUR)
    assert Clock.objects.get(handoff=handoff, commitment__code="first-response").state == clocks.MET


# --- Refused -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"external_id": " "}, "A lead needs a source system and its id there, or it could not be known again."),
        ({"source_system": ""}, "A lead needs a source system and its id there, or it could not be known again."),
        ({"received_at": datetime(1, 1, 1, tzinfo=UTC)}, "Lead L1 would be received in 1; mend its date."),
        ({"received_at": datetime(1969, 12, 31, tzinfo=UTC)}, "Lead L1 would be received in 1969; mend its date."),
        (
            {"received_at": MONDAY + timedelta(microseconds=1)},
            "Lead L1 would be received in the future (2025-03-03).",
        ),
    ],
)
def test_a_lead_that_cannot_be_is_refused_with_everything_that_came_with_it(version, ron, fields, sentence):
    with pytest.raises(Refused) as refusal:
        intake.receive_leads([make_record("good"), make_record(**{"external_id": "L1", **fields})], now=MONDAY)
    assert str(refusal.value) == sentence
    assert not Lead.objects.exists()


def test_a_name_that_fits_two_people_is_refused_and_nothing_is_kept(version, ron):
    make_user("ron@elsewhere.example", name="Ron")
    with pytest.raises(Refused, match=r"may be any of ron@elsewhere.example, ron@example.com"):
        receive(owner="Ron")
    assert not Lead.objects.exists()


def test_nothing_received_is_nothing_done(version):
    assert intake.receive_leads([], now=MONDAY) == intake.Received()


# --- Qualified, waiting, handed over (A1) ------------------------------------------------------------------------


def test_a_lead_below_the_definition_waits_and_begins_when_a_change_lifts_it(asking, ron):
    assert receive(score=79) == []
    assert lead().state == Lead.State.WAITING
    later = intake.receive_leads([make_record(score=79, phone="030 1")], now=MONDAY + HOUR)
    assert (later.updated, later.waiting, later.handoffs) == (1, 1, [])
    (handoff,) = intake.receive_leads([make_record(score=80)], now=MONDAY + DAY).handoffs
    assert (handoff.qualified_at, handoff.score, lead().state) == (MONDAY + DAY, 80, Lead.State.HANDED_OFF)
    assert lead().received_at == MONDAY


def test_a_waiting_lead_that_is_received_anew_begins_when_it_was_received(asking, ron):
    receive(score=79)
    anew = make_record(score=80, received_at=MONDAY + DAY)
    (handoff,) = intake.receive_leads([anew], now=MONDAY + 3 * DAY).handoffs
    assert handoff.qualified_at == MONDAY + DAY


def test_a_waiting_lead_that_was_received_anew_in_vain_begins_when_a_later_change_lifts_it(asking, ron):
    receive(score=10)
    anew = make_record(score=79, received_at=MONDAY + DAY)
    assert intake.receive_leads([anew], now=MONDAY + DAY).waiting == 1
    assert intake.receive_leads([anew], now=MONDAY + DAY) == intake.Received(unchanged=1)
    lifted = make_record(score=80, received_at=MONDAY + DAY)
    (handoff,) = intake.receive_leads([lifted], now=MONDAY + 9 * DAY).handoffs
    assert handoff.qualified_at == MONDAY + 9 * DAY


def test_a_lead_that_its_source_handed_over_begins_with_the_criteria_that_it_failed(asking, ron):
    (handoff,) = receive(score=79, source="webinar", handed_over=True)
    assert handoff.below_definition
    assert handoff.failed_criteria == ["score is at least 80", "source is not Webinar"]
    clock = Clock.objects.get(handoff=handoff, commitment__code="first-response")
    assert (clock.state, clock.rule) == (clocks.EXCLUDED, "below_definition")


def test_a_lead_that_meets_the_definition_carries_no_failed_criterion_but_what_it_lacks(asking, ron):
    (handoff,) = receive(handed_over=True)
    assert (handoff.below_definition, handoff.failed_criteria) == (False, [])
    assert (handoff.is_complete, handoff.missing_fields) == (False, ["phone"])


def test_a_commitment_for_some_leads_leaves_the_others_out(draft, sign, ron):
    promise = make_commitment(draft, "first_touch")
    Criterion.objects.create(commitment=promise, field="score", operator="at least", value="95")
    sign(draft)
    low, high = receive("low", score=94)[0], receive("high", score=95)[0]
    rules = dict(Clock.objects.filter(commitment__code="first-touch").values_list("handoff", "rule"))
    assert rules == {low.pk: "out_of_scope", high.pk: "running"}


# --- Which version (A2) --------------------------------------------------------------------------------------------


def test_a_lead_that_came_before_the_first_version_is_unmatched(version, ron):
    before = version.effective_from - timedelta(microseconds=1)
    received = intake.receive_leads(
        [make_record("late", received_at=before), make_record("first", received_at=version.effective_from)], now=MONDAY
    )
    assert (received.unmatched, [h.lead.external_id for h in received.handoffs]) == (1, ["first"])
    assert lead("late").state == Lead.State.UNMATCHED


def test_a_handoff_is_pinned_to_the_version_in_force_when_the_lead_qualified(version, sign, rita, ron):
    second = second_version(version, sign, by=rita, starts=date(2025, 3, 10))
    instant = second.effective_from
    old, new = receive("old", received_at=instant - timedelta(microseconds=1), now=instant), None
    new = receive("new", received_at=instant, now=instant)
    assert (old[0].version, new[0].version) == (version, second)
    assert receive("late", received_at=MONDAY, now=instant + DAY)[0].version == version


def test_signing_a_version_moves_no_handoff_and_tests_no_waiting_lead(asking, sign, rita, ron):
    (handoff,) = receive("A")
    receive("B", score=10)
    second_version(asking, sign, by=rita, score_threshold=5)
    handoff.refresh_from_db()
    assert handoff.version == asking
    assert lead("B").state == Lead.State.WAITING


def test_the_last_day_of_an_agreement_ends_it_and_a_version_before_it_does_not_come_back(version, sign, rita, ron):
    second = second_version(version, sign, by=rita, starts=date(2025, 3, 10), ends_on=date(2025, 3, 20))
    last = datetime(2025, 3, 20, 23, 0, tzinfo=UTC)  # midnight in Berlin
    assert second.ends_at == last
    now = last + DAY
    assert receive("A", received_at=last - timedelta(microseconds=1), now=now)[0].version == second
    assert receive("B", received_at=last, now=now) == []
    assert lead("B").state == Lead.State.UNMATCHED


def test_a_lead_belongs_to_the_first_agreement_by_priority_whose_scope_it_meets(agreement, draft, sign, ron):
    sign(draft)
    first = another_agreement(agreement, draft, sign, priority=10, source="Webinar")
    second = another_agreement(agreement, draft, sign, priority=20, segment="SMB")
    begun = {
        name: receive(name, **fields)[0].agreement
        for name, fields in {
            "both": {"source": "webinar ", "segment": "SMB"},
            "second": {"source": "Fair", "segment": "smb"},
            "neither": {"source": "Fair", "segment": "Enterprise"},
        }.items()
    }
    assert begun == {"both": first, "second": second, "neither": agreement}


def test_outside_every_scope_a_lead_is_unmatched(agreement, draft, sign, ron):
    Criterion.objects.create(agreement=agreement, field="country", operator="is", value="DE")
    sign(draft)
    assert receive(country="FR") == []
    assert lead().state == Lead.State.UNMATCHED


# --- Matched again (A2) --------------------------------------------------------------------------------------------


def test_an_unmatched_lead_is_adopted_only_by_match_again_and_as_of_when_it_came(draft, sign, rita, ron):
    receive("A", received_at=MONDAY - DAY)
    first = sign(draft)
    second = second_version(first, sign, by=rita)
    assert receive("A", received_at=MONDAY - DAY, score=95) == []
    assert receive("A", received_at=MONDAY) == []
    assert lead("A").state == Lead.State.UNMATCHED
    assert intake.match_again(Lead.objects.all(), by=rita, now=MONDAY + DAY) == 1
    handoff = Handoff.objects.get()
    assert (handoff.version, handoff.qualified_at, second.effective_from) == (first, MONDAY - DAY, MONDAY)
    assert lead("A").state == Lead.State.HANDED_OFF
    assert intake.match_again(Lead.objects.all(), by=rita, now=MONDAY + DAY) == 0


def test_match_again_leaves_what_is_still_not_covered_and_lets_the_unqualified_wait(draft, sign, rita, ron):
    receive("good", received_at=MONDAY)
    receive("low", received_at=MONDAY, score=10)
    receive("early", received_at=datetime(2024, 12, 31, tzinfo=UTC))
    receive("not asked", received_at=MONDAY)
    draft.score_threshold = 80
    draft.save()
    sign(draft)
    chosen = Lead.objects.exclude(external_id="not asked")
    assert intake.match_again(chosen, by=rita, now=MONDAY + DAY) == 1
    assert dict(Lead.objects.values_list("external_id", "state")) == {
        "good": Lead.State.HANDED_OFF,
        "low": Lead.State.WAITING,
        "early": Lead.State.UNMATCHED,
        "not asked": Lead.State.UNMATCHED,
    }


# --- Recycled and received anew ------------------------------------------------------------------------------------


def test_a_recycled_lead_that_is_received_anew_begins_its_second_handoff_once(version, ron):
    (first,) = receive()
    recycle(first, at=MONDAY + HOUR)
    assert receive(score=95, now=MONDAY + 2 * HOUR) == []
    anew = make_record(received_at=MONDAY + 2 * HOUR)
    (second,) = intake.receive_leads([anew], now=MONDAY + 3 * HOUR).handoffs
    assert (second.number, second.qualified_at) == (2, MONDAY + 2 * HOUR)
    assert Clock.objects.get(handoff=second, commitment__code="volume").rule == "returned"
    before = tables()
    assert intake.receive_leads([anew], now=MONDAY + 4 * HOUR) == intake.Received(unchanged=1)
    assert tables() == before


@pytest.mark.parametrize(("after", "begun"), [(timedelta(0), 0), (timedelta(microseconds=1), 1)])
def test_only_what_is_received_later_than_the_end_comes_anew(version, ron, after, begun):
    (first,) = receive()
    recycle(first, at=MONDAY + HOUR)
    assert len(receive(received_at=MONDAY + HOUR + after, now=MONDAY + DAY)) == begun


def test_a_lead_that_sales_still_has_or_rejected_does_not_come_back(version, ron):
    (first,) = receive()
    assert receive(received_at=MONDAY + HOUR, now=MONDAY + HOUR) == []
    reason = ReasonCode.objects.get(code="not_target")
    tracking.dispose([tracking.Decision(first, "rejected", reason)], by=ron, now=MONDAY + 2 * HOUR)
    assert receive(received_at=MONDAY + 3 * HOUR, now=MONDAY + 3 * HOUR) == []


def test_a_return_whose_recycling_is_told_late_begins_when_its_record_comes_again(version, ron):
    (first,) = receive()
    anew = make_record(received_at=MONDAY + 2 * HOUR)
    assert intake.receive_leads([anew], now=MONDAY + 2 * HOUR).handoffs == []
    decision = tracking.Decision(first, "recycled", None, MONDAY + HOUR)
    tracking.dispose([decision], by=None, now=MONDAY + DAY, from_system=True)
    (second,) = intake.receive_leads([anew], now=MONDAY + DAY).handoffs
    assert (second.number, second.qualified_at) == (2, MONDAY + 2 * HOUR)


def test_a_return_below_the_definition_waits_like_any_other_lead(asking, ron):
    (first,) = receive()
    recycle(first, at=MONDAY + HOUR)
    low = make_record(score=10, received_at=MONDAY + DAY)
    assert intake.receive_leads([low], now=MONDAY + DAY).waiting == 1
    assert lead().state == Lead.State.WAITING
    lifted = make_record(score=90, received_at=MONDAY + DAY)
    (second,) = intake.receive_leads([lifted], now=MONDAY + 9 * DAY).handoffs
    assert (second.number, second.qualified_at) == (2, MONDAY + 9 * DAY)


def test_a_return_that_no_version_covers_is_unmatched_until_it_is_matched_again(draft, sign, rita, ron):
    draft.ends_on = date(2025, 3, 9)
    draft.save()
    first_version = sign(draft)
    (first,) = receive()
    recycle(first, at=MONDAY + HOUR)
    anew = make_record(received_at=MONDAY + 14 * DAY)
    assert intake.receive_leads([anew], now=MONDAY + 14 * DAY).unmatched == 1
    begun = MONDAY + 14 * DAY
    assert list(Lead.objects.unmatched(begun, begun + HOUR)) == [lead()]
    second = signoff.new_draft_from(first_version, by=rita, now=MONDAY)
    Version.objects.filter(pk=second.pk).update(wanted_from=date(2025, 3, 10))
    second.refresh_from_db()
    sign(second)
    assert intake.match_again(Lead.objects.all(), by=rita, now=MONDAY + 20 * DAY) == 1
    returned = Handoff.objects.get(number=2)
    assert (returned.version, returned.qualified_at) == (second, begun)


# --- Owners --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ron@example.com", " RON@Example.com ", "Ron", "ron "])
def test_the_source_names_the_owner_by_name_or_email_from_the_moment_it_qualified(version, ron, ruth, name):
    (handoff,) = receive(owner=name, now=MONDAY + HOUR)
    assignment = Assignment.objects.get(handoff=handoff)
    assert (assignment.owner, assignment.team, assignment.at) == (ron, ron.team, MONDAY)
    assert assignment.why == "named by the source"
    assert Handoff.objects.get().owner == ron


def test_somebody_unknown_is_added_without_a_login_and_owns_for_the_sales_team(version, agreement):
    receive("A", owner="Zoë Unknown")
    receive("B", owner="zoë  unknown")
    receive("C", owner="Zoe@Elsewhere.example")
    first, second, third = Assignment.objects.order_by("handoff_id").select_related("owner")
    assert first.owner == second.owner
    assert (first.owner.name, first.owner.is_active, first.owner.from_import) == ("Zoë Unknown", False, True)
    assert (third.owner.email, third.owner.is_active) == ("zoe@elsewhere.example", False)
    assert first.team == agreement.sales_team


def test_a_change_of_the_owner_at_the_source_moves_nobody(version, ron, ruth):
    receive(owner="Ron")
    assert intake.receive_leads([make_record(owner="Ruth")], now=MONDAY + HOUR).updated == 1
    assert Handoff.objects.get().owner == ron


# --- The monthly cap (N7) ------------------------------------------------------------------------------------------


def rules() -> dict[str, str]:
    """The rule of each lead's `first_response` clock."""
    found = Clock.objects.filter(commitment__code="first-response")
    return dict(found.values_list("handoff__lead__external_id", "rule"))


@pytest.fixture
def capped(draft, sign) -> Version:
    draft.monthly_cap = 2
    draft.save()
    return sign(draft)


def test_a_late_lead_with_an_earlier_time_pushes_another_over_the_cap(capped, ron):
    receive("A", received_at=MONDAY)
    receive("B", received_at=MONDAY + HOUR, now=MONDAY + HOUR)
    assert rules() == {"A": "running", "B": "running"}
    receive("early", received_at=MONDAY - HOUR, now=MONDAY + 2 * HOUR)
    assert rules() == {"early": "running", "A": "running", "B": "over_cap"}


def test_equal_instants_fill_the_cap_in_the_order_of_their_ids(capped, ron):
    receive("A", "B", "C")
    assert rules() == {"A": "running", "B": "running", "C": "over_cap"}


def test_the_cap_begins_afresh_at_local_midnight_of_the_first(capped, ron):
    april = datetime(2025, 3, 31, 22, 0, tzinfo=UTC)  # midnight in Berlin
    moments = {
        "A": april - 2 * HOUR,
        "B": april - HOUR,
        "last of March": april - timedelta(microseconds=1),
        "first of April": april,
        "C": april + timedelta(microseconds=1),
        "D": april + HOUR,
    }
    for name, moment in moments.items():
        receive(name, received_at=moment, now=april + DAY)
    over = sorted(name for name, rule in rules().items() if rule == "over_cap")
    assert over == ["D", "last of March"]


def test_a_lead_at_the_first_moment_of_its_month_may_be_alone_in_it(capped, ron):
    receive(received_at=datetime(2025, 2, 28, 23, 0, tzinfo=UTC))
    assert rules() == {"L1": "running"}


def test_a_late_lead_of_an_uncapped_version_pushes_those_of_a_capped_one(version, sign, rita, ron):
    second = second_version(version, sign, by=rita, starts=date(2025, 3, 10), monthly_cap=1)
    receive("capped", received_at=second.effective_from, now=second.effective_from)
    assert rules() == {"capped": "running"}
    receive("late", received_at=MONDAY, now=second.effective_from)
    assert rules()["capped"] == "over_cap"


def test_match_again_pushes_others_over_the_cap_too(draft, sign, rita, ron):
    draft.monthly_cap = 1
    draft.save()
    receive("early", received_at=MONDAY - HOUR)
    sign(draft)
    receive("A", received_at=MONDAY)
    assert rules() == {"A": "running"}
    intake.match_again(Lead.objects.all(), by=rita, now=MONDAY)
    assert rules() == {"early": "running", "A": "over_cap"}


# --- Two at once ---------------------------------------------------------------------------------------------------


def in_a_thread(work) -> threading.Thread:
    """Run `work` with a connection of its own."""

    def run() -> None:
        with closing(connection):
            work()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_leads_are_stored_in_the_order_of_their_ids_so_that_two_workers_wait_one_way_only(version, ron):
    receive("C", "A", "B")
    assert list(Lead.objects.order_by("pk").values_list("external_id", flat=True)) == ["A", "B", "C"]
    assert [handoff.lead.external_id for handoff in Handoff.objects.order_by("pk")] == ["C", "A", "B"]


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_of_two_workers_that_receive_one_lead_at_once_the_second_adds_what_it_knows(version, ron):
    with transaction.atomic():
        receive(score=70)
        second = in_a_thread(lambda: receive(score=75))
        second.join(0.5)
        assert second.is_alive()
    second.join()
    assert Handoff.objects.count() == Lead.objects.count() == 1
    assert (lead().score, Handoff.objects.get().score) == (75, 70)


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_of_two_workers_that_fill_a_cap_at_once_the_second_sees_what_the_first_began(capped, ron):
    receive("A")
    with transaction.atomic():
        receive("B", received_at=MONDAY + HOUR, now=MONDAY + 2 * HOUR)
        second = in_a_thread(lambda: receive("C", received_at=MONDAY + 2 * HOUR, now=MONDAY + 2 * HOUR))
        second.join(0.5)
    second.join()
    assert rules() == {"A": "running", "B": "running", "C": "over_cap"}


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_of_two_imports_under_one_cap_neither_waits_for_the_other_in_turn(capped, ron, monkeypatch):
    """Each mends a lead that the other's new lead pushes back: agreements are locked before any handoff."""
    receive("A", "B", owner="Ron", now=MONDAY + HOUR)
    met, lock = threading.Barrier(2), timekeeping.lock

    def slowly(ids, **how):
        locked = lock(ids, **how)
        with suppress(threading.BrokenBarrierError):
            met.wait(0.5)
        return locked

    monkeypatch.setattr(timekeeping, "lock", slowly)

    def bring(known: str, new: str) -> None:
        records = [make_record(known, owner="Ron", email=f"{known}@new.example"),
                   make_record(new, owner="Ron", received_at=MONDAY - HOUR)]  # fmt: skip
        assert intake.receive_leads(records, now=MONDAY + 2 * HOUR).created == 1

    assert at_once(lambda: bring("A", "N1"), lambda: bring("B", "N2")) == []
    assert rules() == {"N1": "running", "N2": "running", "A": "over_cap", "B": "over_cap"}


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_leads_that_are_known_are_locked_in_the_order_of_their_ids_whatever_the_order_of_the_file(
    version, ron, monkeypatch
):
    receive("A", "B")
    monkeypatch.setattr(intake, "CHUNK", 1)
    with transaction.atomic():
        receive("A", score=70)
        other = in_a_thread(lambda: receive("B", "A", score=80))
        other.join(1)
        assert other.is_alive()
        receive("B", score=75)
    other.join()
    assert set(Lead.objects.values_list("score", flat=True)) == {80}


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_what_an_import_pushes_back_is_locked_in_the_order_of_ids(capped, ron):
    """So it never holds a later handoff while it waits for an earlier one, as somebody who gives out many would."""
    first, second = receive("A", "B", owner="Ron", now=MONDAY + HOUR)
    raised = []

    def bring() -> None:
        try:
            records = [make_record("B", owner="Ron", email="mended@new.example"),
                       make_record("N", owner="Ron", received_at=MONDAY - HOUR)]  # fmt: skip
            intake.receive_leads(records, now=MONDAY + 2 * HOUR)
        except OperationalError as problem:
            raised.append(problem)

    with transaction.atomic():
        tracking.locked([first])
        other = in_a_thread(bring)
        other.join(1)
        assert other.is_alive()
        tracking.locked([second])
    other.join()
    assert raised == []
    assert rules() == {"N": "running", "A": "running", "B": "over_cap"}


# --- Many at once --------------------------------------------------------------------------------------------------


def test_forty_leads_take_no_more_queries_than_one(asking, ron, ruth, django_assert_max_num_queries):
    def batch(count: int, prefix: str) -> list[LeadRecord]:
        return [
            make_record(f"{prefix}{n}", owner="" if n % 2 else "Ruth", received_at=MONDAY + n * HOUR)
            for n in range(count)
        ]

    with django_assert_max_num_queries(60) as one:
        intake.receive_leads(batch(2, "few"), now=MONDAY + 100 * HOUR)
    with django_assert_max_num_queries(len(one)):
        intake.receive_leads(batch(40, "many"), now=MONDAY + 100 * HOUR)


def test_an_unmatched_lead_that_is_matched_later_goes_to_whom_its_source_named(
    agreement, draft, rita, max_, sofia, ron
):
    receive("L1", owner="ruth@elsewhere.example")
    agree(draft, by=rita, marketing=max_, sales=sofia)
    intake.match_again(Lead.objects.all(), by=rita, now=MONDAY + timedelta(days=30))
    assignment = Assignment.objects.get()
    assert assignment.owner.email == "ruth@elsewhere.example"
    assert (assignment.at, assignment.why) == (MONDAY, "named by the source")
