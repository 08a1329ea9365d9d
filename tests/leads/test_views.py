"""The doors of leads: who may open and do what, and the page of one handoff."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from agreements.calendars import add_closure
from leads import clocks, disputes, exclusions, routing, timekeeping, tracking
from leads.models import Attempt, Dispute, Handoff, Lead, ReasonCode
from slaportal.models import Team, User
from slaportal.templatetags.display import duration
from tests.conftest import MONDAY, agree, make_commitment, make_user, receive
from tests.leads.conftest import clock_of, page, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("travel")]
HOUR = timedelta(hours=1)
CAST = ("rita", "max_", "sofia", "mona", "ron", "ruth", "vera")


@pytest.fixture
def cast(request) -> dict[str, User]:
    return {name: request.getfixturevalue(name) for name in CAST}


def accepted(handoff: Handoff, by: User) -> None:
    tracking.dispose([tracking.Decision(handoff, "accepted")], by=by, now=datetime.now(UTC))


# --- Who may what --------------------------------------------------------------------------------------------------

FINE, NO, HIDDEN, DONE = 200, 403, 404, 302
READ = ("my_leads", "handoffs", "handoff")
WORK = ("no_answer", "log_attempt", "accept", "recycle", "reject", "hold", "release", "record_outcome", "ask_marketing")
# Per address of Ron's handoff what each of the cast gets; whoever is not named is refused.
ALLOWED = {
    "my_leads": {"mona": FINE, "ron": FINE, "ruth": FINE},
    "handoffs": dict.fromkeys(CAST, FINE),
    "handoff": {**dict.fromkeys(CAST, FINE), "ruth": HIDDEN},
    **{name: {"mona": DONE, "ron": DONE, "ruth": HIDDEN} for name in WORK},
    "answer_question": {"max_": DONE, "ruth": HIDDEN},
    "dispute_decision": {"max_": DONE, "ruth": HIDDEN},
    "decide_dispute": {"rita": DONE, "ruth": HIDDEN},
    "ask_exclusion": {"rita": DONE, "mona": DONE, "ron": DONE, "ruth": HIDDEN},
    "decide_exclusion": {"rita": DONE, "ruth": HIDDEN},
    "assign": {"rita": DONE, "mona": DONE, "ruth": HIDDEN},
    "void_attempt": {"ron": DONE, "ruth": HIDDEN},
    "void_disposition": {"ron": DONE, "ruth": HIDDEN},
}
# Decisions fit the reason; everything else takes it as words.
REASONS = {"reject": "duplicate", "recycle": "bad_timing"}


def address_of(name: str, handoff: Handoff, fact: int = 1) -> str:
    if name in ("my_leads", "handoffs"):
        return reverse(name)
    return page(handoff, name, *([fact] if name.startswith("void") else []))


@pytest.mark.parametrize("name", ALLOWED)
def test_each_of_the_cast_gets_what_their_role_allows(client, cast, handoff, name):
    ron = cast["ron"]
    (attempt,) = tracking.log_attempts([tracking.NewAttempt(lead=handoff.lead, note="Earlier")], by=ron, now=MONDAY)
    dispute, fact = disputes.ask(handoff, comment="Which campaign?", by=ron, now=MONDAY), attempt
    running = handoff.clocks.get(commitment__kind="first_response").commitment
    if name.endswith("exclusion"):
        tracking.void_attempt(attempt, by=ron, reason="mistake", now=MONDAY)
    if name in ("dispute_decision", "decide_dispute"):
        bad_timing = ReasonCode.objects.get(code="bad_timing")
        tracking.dispose([tracking.Decision(handoff, "recycled", bad_timing)], by=ron, now=datetime.now(UTC))
    if name == "decide_dispute":
        dispute = disputes.dispute(handoff, comment="Call again.", by=cast["max_"], now=datetime.now(UTC))
    if name == "decide_exclusion":
        exclusions.ask(handoff, commitment=running, reason="Ill", by=ron, now=MONDAY)
    if name in ("record_outcome", "void_disposition"):
        accepted(handoff, ron)
        fact = handoff.dispositions.get() if name == "void_disposition" else attempt
    if name == "release":
        tracking.hold([handoff], reason="in December", by=ron, now=MONDAY)
    reason = ReasonCode.objects.get(code=REASONS[name]).pk if name in REASONS else "asked to wait"
    typed = {"channel": "call", "direction": "outbound", "outcome": "connected", "kind": "meeting", "why": "holiday",
             "comment": "Which?", "answer": "Autumn.", "upheld": "no", "dispute": dispute.pk, "owner": cast["ruth"].pk,
             "reason": reason, "commitment": running.pk, "granted": "yes", "note": "So be it",
             "request": getattr(handoff.exclusion_requests.first(), "pk", "")}  # fmt: skip
    address, before = address_of(name, handoff, fact.pk), facts()
    for who, user in cast.items():
        with transaction.atomic():
            client.force_login(user)
            response = client.get(address) if name in READ else client.post(address, typed)
            expected = ALLOWED[name].get(who, NO)
            assert (who, response.status_code) == (who, expected)
            assert (facts() != before) == (expected == DONE)
            transaction.set_rollback(True)


def facts() -> list:
    """Everything that a door could have changed."""
    handoff = Handoff.objects.get()
    rows = [handoff.dispositions, handoff.outcomes, handoff.holds, handoff.disputes, handoff.assignments]
    rows.append(handoff.exclusion_requests)
    return [sorted(row.values_list(), key=str) for row in (*rows, Attempt.objects)]


@pytest.mark.parametrize("name", ALLOWED)
def test_who_is_not_logged_in_is_sent_to_the_login(client, handoff, name):
    address = address_of(name, handoff)
    response = client.get(address)
    assert (response.status_code, response.url) == (302, f"{reverse('login')}?next={address}")


@pytest.mark.parametrize("name", [name for name in ALLOWED if name not in READ])
def test_nothing_is_done_by_following_a_link(client, handoff, ron, name):
    client.force_login(ron)
    assert client.get(address_of(name, handoff)).status_code == 405


def test_the_page_offers_only_what_the_reader_may_do(client, cast, handoff):
    offered = {}
    for who in CAST:
        client.force_login(cast[who])
        response = client.get(page(handoff))
        if response.status_code == FINE:
            offered[who] = [form.name for form in response.context["acts"]]
    work = ["log_attempt", "accept", "recycle", "reject", "hold", "ask_marketing", "ask_exclusion"]
    assert offered == {
        "rita": ["ask_exclusion", "assign"], "max_": [], "sofia": [], "mona": [*work, "assign"], "ron": work, "vera": []
    }  # fmt: skip


def test_marketing_is_offered_the_answer_only_by_its_own_leader(client, cast, handoff, marketing):
    elsewhere = Team.objects.create(name="Marketing Nordics", party="marketing")
    other = make_user("mia@example.com", "Marketing leader", team=elsewhere)
    disputes.ask(handoff, comment="Which campaign?", by=cast["ron"], now=MONDAY)
    for who, names in ((cast["max_"], ["answer_question"]), (other, [])):
        client.force_login(who)
        assert [form.name for form in client.get(page(handoff)).context["acts"]] == names


# --- Queries and zones ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["/leads/", "/handoffs/", "/handoffs/?agreement={0}&commitment={1}&state=open"])
def test_more_rows_take_no_more_queries(client, version, ron, address):
    commitment = version.commitments.get(kind="first_response")
    address = address.format(version.agreement_id, commitment.pk)
    client.force_login(ron)
    counts = []
    for numbers in (range(3), range(3, 25)):
        for number in numbers:
            (handoff,) = receive(f"L{number}", contact_id=f"C{number}")
            disputes.ask(handoff, comment="Which?", by=ron, now=MONDAY)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            response = client.get(address)
        assert response.status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 22


def test_more_facts_take_no_more_queries(client, handoff, ron, mona):
    client.force_login(mona)
    counts = []
    for minutes in (range(1, 3), range(3, 25)):
        for minute in minutes:
            new = tracking.NewAttempt(lead=handoff.lead, at=MONDAY)
            tracking.log_attempts([new], by=ron, now=MONDAY + timedelta(minutes=minute))
            disputes.ask(handoff, comment="Which?", by=ron, now=MONDAY)
            tracking.hold([handoff], reason="wait", by=ron, now=MONDAY + timedelta(minutes=minute))
            tracking.release([handoff], by=ron, now=MONDAY + timedelta(minutes=minute))
        with CaptureQueriesContext(connection) as queries:
            assert client.get(page(handoff)).status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1]


@pytest.mark.parametrize(
    ("zone", "began", "due"), [("Europe/Berlin", "10:00", "14:00"), ("America/New_York", "04:00", "08:00")]
)
def test_times_are_shown_in_the_readers_zone(client, handoff, ron, zone, began, due, travel):
    ron.time_zone = zone
    ron.save()
    travel.move_to(MONDAY + timedelta(minutes=30))
    client.force_login(ron)
    shown = text_of(client.get(page(handoff)))
    assert f"3 Mar 2025, {began}" in shown
    assert f"Mon {began.lstrip('0')} → now: 30 min of 4 h, 3 h 30 left." in shown
    body = client.get(reverse("my_leads")).content.decode()
    assert f'title="Monday 3 March 2025, {due}:00 ({zone}); 13:00:00 UTC"' in body


def test_a_typed_time_is_the_readers_and_empty_is_now(client, handoff, ron, travel):
    travel.move_to(MONDAY + 2 * HOUR)
    client.force_login(ron)
    typed = {"channel": "call", "direction": "outbound", "outcome": "connected", "note": "Wants a demo"}
    client.post(page(handoff, "log_attempt"), {**typed, "at": "2025-03-03T11:15"})
    client.post(page(handoff, "log_attempt"), typed)
    moments = list(Attempt.objects.values_list("at", flat=True))
    assert moments == [datetime(2025, 3, 3, 10, 15, tzinfo=UTC), MONDAY + 2 * HOUR]


def test_the_minute_in_which_a_handoff_began_counts_from_its_beginning(client, version, ron, travel):
    begun = MONDAY + timedelta(seconds=40)
    (handoff,) = receive(now=begun, received_at=begun)
    travel.move_to(MONDAY + HOUR)
    client.force_login(ron)
    typed = {"channel": "call", "direction": "outbound", "outcome": "no_answer"}
    client.post(page(handoff, "log_attempt"), {**typed, "at": "2025-03-03T10:00"})
    assert Attempt.objects.get().at == begun
    assert clock_of(handoff).state == clocks.MET


# --- One handoff ---------------------------------------------------------------------------------------------------


def test_what_a_verb_refuses_comes_back_with_its_sentence_and_what_was_typed(client, handoff, ron):
    client.force_login(ron)
    tracking.dispose(
        [tracking.Decision(handoff, "rejected", ReasonCode.objects.get(code="duplicate"))], by=ron, now=MONDAY
    )
    reason = ReasonCode.objects.get(code="not_target")
    typed = {"reason": reason.pk, "note": "A student & a friend", "criterion": "Name is known (theirs: Ines Albrecht)"}
    response = client.post(page(handoff, "reject"), typed)
    assert response.status_code == 422
    assert "has ended already. Void its last disposition first" in text_of(response)
    body = response.content.decode()
    assert "A student &amp; a friend" in body
    assert f'<option value="{reason.pk}" selected' in body
    assert handoff.dispositions.count() == 1


@pytest.mark.parametrize(
    ("name", "typed", "said"),
    [
        ("reject", {"note": "kept"}, "This field is required."),
        ("recycle", {"reason": "duplicate", "note": "kept"}, "not one of the available choices"),
        ("log_attempt", {"channel": "pigeon", "note": "kept"}, "pigeon is not one of the available choices"),
        ("log_attempt", {"at": "2025-03-03T09:00", "note": "kept"}, "was handed over only on 3 Mar 2025, 10:00."),
        ("log_attempt", {"at": "2025-03-03T12:00", "note": "kept"}, "is in the future; log what has happened."),
        ("hold", {"reason": "", "at": "2025-03-03T10:00"}, "This field is required."),
        ("record_outcome", {"kind": "won", "amount": "12"}, "is not accepted, so nothing can come of it."),
        ("record_outcome", {"kind": "meeting", "amount": "12"}, "Only an opportunity and a win have an amount."),
        ("ask_marketing", {"comment": " "}, "This field is required."),
    ],
)
def test_a_form_that_does_not_fit_says_why(client, handoff, ron, name, typed, said):
    client.force_login(ron)
    before = facts()
    full = {"direction": "outbound", "channel": "call", "outcome": "no_answer", **typed}
    if "reason" in typed and typed["reason"] == "duplicate":
        full["reason"] = ReasonCode.objects.get(code="duplicate").pk  # fits rejected only
    response = client.post(page(handoff, name), full)
    assert response.status_code == 422
    assert said in text_of(response)
    assert "note" not in typed or "kept</textarea>" in response.content.decode()
    assert facts() == before


def test_reasons_are_those_that_fit_the_verdict_and_are_offered(client, handoff, ron):
    ReasonCode.objects.filter(code="other").update(is_active=False)
    client.force_login(ron)
    acts = {form.name: form for form in client.get(page(handoff)).context["acts"]}
    for name, field in (("recycle", "for_recycled"), ("reject", "for_rejected")):
        shown = set(acts[name].fields["reason"].queryset)
        assert shown == set(ReasonCode.objects.filter(is_active=True, **{field: True}))


def test_a_whole_life_of_a_handoff_through_its_page(client, handoff, ron, max_, travel):
    client.force_login(ron)

    def post(name: str, **typed: str) -> None:
        response = client.post(page(handoff, name), typed)
        assert (response.status_code, response.headers.get("Location")) == (302, page(handoff)), text_of(response)
        travel.shift(HOUR)

    post("log_attempt", channel="call", direction="outbound", outcome="connected")
    post("accept")
    post("hold", reason="on holiday")
    post("release")
    post("record_outcome", kind="opportunity", amount="12000.50")
    post("ask_marketing", comment="Which campaign?")
    client.force_login(max_)
    post("answer_question", dispute=str(Dispute.objects.get().pk), answer="Autumn.")
    handoff.refresh_from_db()
    (dispute,), (outcome,), (held,) = handoff.disputes.all(), handoff.outcomes.all(), handoff.holds.all()
    assert (handoff.stage, str(outcome.amount)) == ("opportunity", "12000.50")
    assert (held.ended_at - held.started_at, dispute.upheld, dispute.answer) == (HOUR, False, "Autumn.")
    events = [event.text for (event,) in client.get(page(handoff)).context["dossier"].events]
    assert events == [
        "Received from crm", "Handed to sales", "Assigned to Ron", "Outbound call, spoke with them", "Accepted",
        "On hold", "Released", "Opportunity", "Asked marketing", "Marketing answered",
    ]  # fmt: skip


def test_releasing_what_is_not_held_says_so(client, handoff, ron):
    client.force_login(ron)
    assert "It was not on hold." in text_of(client.post(page(handoff, "release"), follow=True))


def test_the_time_line_says_what_counts_for_nothing_and_why(client, handoff, ron, travel):
    def log(hours: float, **fields) -> Attempt:
        new = tracking.NewAttempt(lead=handoff.lead, **fields)
        return tracking.log_attempts([new], by=ron, now=MONDAY + hours * HOUR)[0]

    log(0.1, automated=True, channel="email", outcome="sent")
    log(0.2, channel="note", note="Looks good")
    wrong = log(0.3)
    tracking.void_attempt(wrong, by=ron, reason="wrong lead", now=MONDAY + HOUR)
    log(0.4, direction="inbound", outcome="connected")
    log(24 * 7, at=MONDAY + 0.5 * HOUR)
    before = tracking.NewAttempt(email=handoff.lead.email, at=MONDAY - HOUR)
    tracking.log_attempts([before], by=ron, now=MONDAY + 24 * 7 * HOUR)
    travel.move_to(MONDAY + 24 * 7 * HOUR)
    client.force_login(ron)
    response = client.get(page(handoff))
    shown = response.context["dossier"]
    told = [(event.text, [words for words, _ in event.marks], event.is_voided) for (event,) in shown.events]
    assert told[3:8] == [
        ("Outbound e-mail, sent", ["automated, counts for nothing"], False),
        ("Outbound note, no answer", ["a note, counts for nothing"], False),
        ("Outbound call, no answer", [], True),
        ("Inbound call, spoke with them", ["meaningful touch"], False),
        ("Outbound call, no answer", ["entered late, evidence only"], False),
    ]
    assert "Taken back by Ron" in text_of(response)
    assert "Before this handoff: 1 attempt" in text_of(response)
    assert clock_of(handoff).state == clocks.MISSED


def test_a_long_run_of_attempts_that_changed_nothing_is_folded(client, handoff, ron, travel):
    for minute in range(6):
        now = MONDAY + timedelta(minutes=minute)
        (attempt,) = tracking.log_attempts([tracking.NewAttempt(lead=handoff.lead)], by=ron, now=now)
    travel.move_to(now)
    client.force_login(ron)
    events = client.get(page(handoff)).context["dossier"].events
    assert [len(group) for group in events] == [1, 1, 1, 1, 5]  # the first attempt met the clock
    tracking.void_attempt(attempt, by=ron, reason="wrong lead", now=now)
    events = client.get(page(handoff)).context["dossier"].events
    assert [len(group) for group in events] == [1, 1, 1, 1, 4, 1]


def test_undoing_an_attempt_lets_the_clock_run_again(client, handoff, ron, mona):
    client.force_login(ron)
    client.post(page(handoff, "no_answer"))
    assert clock_of(handoff).state == clocks.MET
    attempt = Attempt.objects.get()
    undo = page(handoff, "void_attempt", attempt.pk)
    assert undo in client.get(page(handoff)).content.decode()
    client.force_login(mona)
    assert undo not in client.get(page(handoff)).content.decode()
    client.force_login(ron)
    assert "counts nowhere" in text_of(client.post(undo, follow=True))
    assert clock_of(handoff).state == clocks.OPEN
    assert "That was taken back already." in text_of(client.post(undo, follow=True))


def test_an_attempt_of_somebody_elses_lead_is_not_found_here(client, handoff, ron):
    (other,) = receive("L2", email="other@example.com")
    (attempt,) = tracking.log_attempts([tracking.NewAttempt(lead=other.lead)], by=ron, now=MONDAY)
    client.force_login(ron)
    assert client.post(page(handoff, "void_attempt", attempt.pk)).status_code == 404


def test_what_was_copied_stays_and_says_what_the_source_says_now(client, draft, rita, max_, sofia, ron):
    draft.required_fields = ["phone"]
    draft.score_threshold = 80
    draft.save()
    agree(draft, by=rita, marketing=max_, sales=sofia)
    (handoff,) = receive(score=60, handed_over=True)
    Lead.objects.update(score=95, phone="+49 30 1", source="Webinar")
    client.force_login(ron)
    response = client.get(page(handoff))
    found = {fact.name: (fact.value, fact.now) for fact in response.context["dossier"].facts}
    assert (found["score"], found["source"]) == ((60, 95), ("Inbound demo", "Webinar"))
    assert (found["phone"], found["company"]) == (("", "+49 30 1"), ("Nordhaus Logistik", None))
    assert "Below the definition. Failed: score is at least 80" in text_of(response)
    assert "Missing: phone" in text_of(response)


def test_every_clock_says_why_in_a_sum_that_is_what_was_stored(client, draft, rita, max_, sofia, ron, ruth, travel):
    draft.commitments.filter(kind="first_response").update(start="assigned")
    for kind in ("routing", "acceptance", "disposition", "contact_after_acceptance", "attempts", "dispute_answer"):
        make_commitment(draft, kind)
    version = agree(draft, by=rita, marketing=max_, sales=sofia)
    add_closure(calendar=version.calendar, day=MONDAY.date() + timedelta(days=2), reason="Strike", by=rita, now=MONDAY)
    (handoff,) = receive()
    handoff.refresh_from_db()
    routing.assign([(handoff, ruth)], why="holiday", by=rita, now=MONDAY + 3 * HOUR)
    tracking.hold([handoff], reason="wait", by=ruth, now=MONDAY + 4 * HOUR)
    tracking.release([handoff], by=ruth, now=MONDAY + 22 * HOUR + timedelta(minutes=7))
    accepted(handoff, ruth)
    disputes.ask(handoff, comment="Which?", by=ruth, now=MONDAY + 24 * HOUR)
    new = tracking.NewAttempt(lead=handoff.lead)
    tracking.log_attempts([new], by=ruth, now=MONDAY + timedelta(days=3, hours=2, seconds=11))
    travel.move_to(MONDAY + timedelta(days=3, hours=3))
    timekeeping.tick(now=MONDAY + timedelta(days=3, hours=3))
    client.force_login(mona := make_user("boss@example.com", "Sales leader"))
    assert mona.has_perm("leads.view_all_handoffs")
    shown = client.get(page(handoff)).context["dossier"]
    whys = [why for promised in shown.timed for why in promised.whys]
    assert {why.clock.pk for why in whys} == set(
        handoff.clocks.exclude(commitment__kind__in=["volume", "completeness"]).values_list("pk", flat=True)
    )
    stopped = [why for why in whys if why.clock.stopped_at]
    assert len(stopped) >= 4
    for why in stopped:
        assert f"{duration(why.clock.elapsed_seconds)} of " in why.sentence
    first = next(each for each in shown.timed if each.promise.kind.code == "first_response")
    assert [(why.about, why.clock.get_state_display()) for why in first.whys] == [
        ("while Ruth had it", "missed"), ("while Ron had it", "excluded")
    ]  # fmt: skip
    assert first.whys[0].closed == "Wed 5 Mar (closed)"


def test_rules_and_version_are_linked(client, handoff, ron):
    client.force_login(ron)
    body = client.get(page(handoff)).content.decode()
    assert f'href="{reverse("numbers")}#C1"' in body
    assert f'href="{handoff.version.get_absolute_url()}"' in body


def test_a_manager_gives_a_handoff_to_another_rep_of_the_team(client, handoff, mona, ron, ruth, vera):
    client.force_login(mona)
    acts = {form.name: form for form in client.get(page(handoff)).context["acts"]}
    assert set(acts["assign"].fields["owner"].queryset) == {ruth}
    assert client.post(page(handoff, "assign"), {"owner": vera.pk, "why": "x"}).status_code == 422
    client.post(page(handoff, "assign"), {"owner": ruth.pk, "why": "Ron is ill"})
    handoff.refresh_from_db()
    assert (handoff.owner, handoff.assignments.last().why, handoff.assignments.last().by) == (ruth, "Ron is ill", mona)
