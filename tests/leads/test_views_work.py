"""Working a lead from the list: in place for a script, by a page of its own without one."""

import re
from datetime import UTC, date, datetime, timedelta
from html import unescape

import pytest
from django.http import HttpResponse
from django.urls import reverse

from leads import clocks, returns, routing, tracking
from leads.models import Attempt, Disposition, Handoff, Hold, ReasonCode
from tests.conftest import MONDAY, agree, make_commitment, receive
from tests.leads.conftest import clock_of, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("travel")]
HOUR = timedelta(hours=1)
ROW = {"X-Row": "1"}


def at(handoff: Handoff, name: str) -> str:
    return reverse("act", args=[handoff.pk, name])


def reason(code: str) -> ReasonCode:
    return ReasonCode.objects.get(code=code)


@pytest.fixture
def signed_in(client, ron):
    client.force_login(ron)
    return client


# --- By a script -----------------------------------------------------------------------------------------------------


def test_a_click_answers_with_the_line_as_it_stands_now_and_an_address_that_takes_it_back(signed_in, handoff):
    answer = signed_in.post(at(handoff, "call"), headers=ROW)
    body = answer.content.decode()
    assert (answer.status_code, body.strip().startswith("<li")) == (200, True)
    assert "<html" not in body
    assert "1 attempt, no answer, 10:00" in body
    assert 'data-said="Ines Albrecht: A call without an answer is logged. first_response met after 0' in body
    attempt = Attempt.objects.get()
    assert f'data-undo="{reverse("undo", args=[handoff.pk, "attempt", attempt.pk])}"' in body
    assert clock_of(handoff).state == clocks.MET

    answer = signed_in.post(reverse("undo", args=[handoff.pk, "attempt", attempt.pk]), headers=ROW)
    attempt.refresh_from_db()
    assert "no attempt yet" in answer.content.decode()
    assert (attempt.voided_at, clock_of(handoff).state) == (MONDAY, clocks.OPEN)
    again = signed_in.post(reverse("undo", args=[handoff.pk, "attempt", attempt.pk]), headers=ROW)
    assert (again.status_code, "That was taken back already." in text_of(again)) == (422, True)


@pytest.mark.parametrize(
    ("name", "typed", "kept"),
    [
        ("mail", {}, ("email", "outbound", "sent", "")),
        ("log_attempt", {"did": "call:voicemail", "direction": "outbound", "note": "Gatekeeper"},
         ("call", "outbound", "voicemail", "Gatekeeper")),
        ("log_attempt", {"did": "email:replied", "direction": "inbound"}, ("email", "inbound", "replied", "")),
        ("log_attempt", {"channel": "call", "outcome": "busy", "direction": "outbound"},
         ("call", "outbound", "busy", "")),
    ],
)  # fmt: skip
def test_a_try_is_one_button_and_may_have_a_note(signed_in, handoff, name, typed, kept):
    assert signed_in.post(at(handoff, name), typed, headers=ROW).status_code == 200
    (attempt,) = Attempt.objects.all()
    assert (attempt.channel, attempt.direction, attempt.outcome, attempt.note) == kept


@pytest.mark.parametrize("did", ["", "pigeon:sent", "call", "call:"])
def test_a_try_that_nobody_knows_is_refused_and_the_note_stays(signed_in, handoff, did):
    typed = {"did": did, "direction": "outbound", "note": "Ask for <Jo>"}
    answer = signed_in.post(at(handoff, "log_attempt"), typed, headers=ROW)
    assert (answer.status_code, Attempt.objects.count()) == (422, 0)
    assert "Ask for &lt;Jo&gt;</textarea>" in answer.content.decode()


def test_what_is_entered_later_than_agreed_is_said_to_be_evidence_only(signed_in, handoff, travel):
    travel.move_to(MONDAY + timedelta(days=7))
    shown = text_of(signed_in.get(at(handoff, "log_attempt"), headers=ROW))
    assert "What was before 6 Mar, 10:00 is evidence only and stops no clock (A4)." in shown
    typed = {"did": "call:connected", "direction": "outbound", "at": "2025-03-03T11:00"}
    said = signed_in.post(at(handoff, "log_attempt"), typed, headers=ROW).content.decode()
    assert "it is evidence and stops no clock (A4)" in said
    typed["at"] = "2025-03-06T10:00"
    said = signed_in.post(at(handoff, "log_attempt"), typed, headers=ROW).content.decode()
    assert "it is evidence and stops no clock (A4)" not in said


def test_accepting_and_giving_back_in_place_and_taking_it_back(signed_in, handoff):
    body = signed_in.post(at(handoff, "accept"), headers=ROW).content.decode()
    assert "Accepted." in body
    assert 'data-act="accept"' not in body
    typed = {"reason": reason("bad_timing").pk, "back_on": "2025-06-01", "note": "New budget in June"}
    answer = signed_in.post(at(handoff, "recycle"), typed, headers=ROW)
    assert "Recycled by you, 10:00: Bad timing, New budget in June" in text_of(answer)
    given_back = Disposition.objects.get(verdict="recycled")
    assert (given_back.back_on, given_back.note) == (date(2025, 6, 1), "New budget in June")
    signed_in.post(reverse("undo", args=[handoff.pk, "disposition", given_back.pk]), headers=ROW)
    handoff.refresh_from_db()
    assert (handoff.stage, handoff.ended_at) == ("sal", None)


def test_a_day_on_which_it_comes_back_is_still_to_come(signed_in, handoff):
    typed = {"reason": reason("bad_timing").pk, "back_on": "2025-03-03"}
    answer = signed_in.post(at(handoff, "recycle"), typed, headers=ROW)
    assert (answer.status_code, "Name a day that is still to come, or none." in text_of(answer)) == (422, True)
    assert 'value="2025-03-03"' in answer.content.decode()


def test_holding_and_releasing_in_place(signed_in, handoff):
    assert "data-held" in signed_in.post(at(handoff, "hold"), {"reason": "Fair"}, headers=ROW).content.decode()
    released = signed_in.post(at(handoff, "release"), headers=ROW)
    assert "Released" in released.content.decode()
    assert Hold.objects.get().ended_at == MONDAY
    again = signed_in.post(at(handoff, "release"), headers=ROW)
    assert (again.status_code, "It was not on hold." in text_of(again)) == (422, True)


# --- What a reason asks for ------------------------------------------------------------------------------------------


@pytest.fixture
def demanding(draft, rita, max_, sofia, ron):
    """A lead of a version that asks for a score, a size and a phone number; the lead has none of the last two."""
    draft.criteria.create(field="company_size", operator="at least", value="200")
    draft.score_threshold, draft.required_fields = 80, ["phone"]
    draft.save()
    make_commitment(draft, "attempts_before_giving_up", attempts=4)
    agree(draft, by=rita, marketing=max_, sales=sofia)
    (begun,) = receive(company_size=35, handed_over=True)
    begun.refresh_from_db()
    return begun


def test_a_reason_about_quality_names_what_failed_and_shows_the_leads_own_value(signed_in, demanding):
    quality = ReasonCode.objects.filter(is_quality=True, for_rejected=True, is_active=True).first()
    typed = {"reason": quality.pk, "note": "Too small"}
    answer = signed_in.post(at(demanding, "reject"), typed, headers=ROW)
    assert (answer.status_code, Disposition.objects.count()) == (422, 0)
    assert "is about quality: say what of the signed definition the lead fails." in text_of(answer)
    offered = [one.text for one in returns.definition(demanding)]
    assert offered == [
        "Company size is at least 200 (theirs: 35)", "Phone number is known (theirs: nothing)",
        "Score is at least 80 (theirs: 90)",
    ]  # fmt: skip
    assert all(one in text_of(answer) for one in offered)
    signed_in.post(at(demanding, "reject"), {**typed, "criterion": offered[0]}, headers=ROW)
    assert Disposition.objects.get().criterion == offered[0]


def test_a_reason_about_anything_else_asks_for_no_criterion_and_keeps_none(signed_in, demanding):
    typed = {"reason": reason("duplicate").pk, "criterion": returns.definition(demanding)[0].text}
    assert signed_in.post(at(demanding, "reject"), typed, headers=ROW).status_code == 200
    assert Disposition.objects.get().criterion == ""


def test_a_required_field_is_asked_about_once(draft, rita, max_, sofia, ron):
    draft.criteria.create(field="name", operator="filled", value="")
    agree(draft, by=rita, marketing=max_, sales=sofia)
    (begun,) = receive()
    assert [one.text for one in returns.definition(begun)] == ["Name is known (theirs: Ines Albrecht)"]


def test_a_reason_that_needs_attempts_says_how_many_are_missing_and_does_not_forbid(signed_in, demanding, travel):
    needing = ReasonCode.objects.filter(needs_attempts__gt=0, for_recycled=True).first()
    Handoff.objects.update(below_definition=False)  # else sales' follow-through is not judged (N7)
    tracking.log_attempts(
        [
            tracking.NewAttempt(lead=demanding.lead),
            tracking.NewAttempt(lead=demanding.lead, channel="note"),
            tracking.NewAttempt(lead=demanding.lead, direction="inbound"),
            tracking.NewAttempt(lead=demanding.lead, automated=True),
        ],
        by=demanding.owner,
        now=MONDAY,
    )
    # The number that the promise names wins over the reason's own.
    assert str(returns.needs(demanding, [needing], now=MONDAY)[needing.pk]) == "needs 4 attempts, 3 are missing"
    shown = signed_in.get(at(demanding, "recycle"), headers=ROW).content.decode()
    assert f"{needing} (needs 4 attempts, 3 are missing)" in shown
    # What was entered late counts for no number of attempts (A4).
    travel.move_to(MONDAY + timedelta(days=7))
    late = tracking.NewAttempt(lead=demanding.lead, at=MONDAY + HOUR)
    tracking.log_attempts([late], by=demanding.owner, now=MONDAY + timedelta(days=7))
    assert returns.needs(demanding, [needing], now=datetime.now(UTC))[needing.pk].missing == 3
    assert signed_in.post(at(demanding, "recycle"), {"reason": needing.pk}, headers=ROW).status_code == 200
    assert clock_of(demanding, "attempts-before-giving-up").state == clocks.MISSED


def test_without_a_promise_the_reasons_own_number_is_said(handoff):
    needing = ReasonCode.objects.filter(needs_attempts__gt=0).first()
    needs = returns.needs(handoff, ReasonCode.objects.all(), now=MONDAY)[needing.pk]
    assert (needs.needed, needs.missing) == (needing.needs_attempts, needing.needs_attempts)


# --- Two at once -----------------------------------------------------------------------------------------------------


def test_whoever_comes_second_hears_what_the_first_did_and_keeps_what_was_typed(signed_in, handoff, mona, travel):
    seen = MONDAY.isoformat()
    travel.move_to(MONDAY + HOUR)
    tracking.dispose([tracking.Decision(handoff, "accepted")], by=mona, now=MONDAY + HOUR)
    typed = {"reason": reason("duplicate").pk, "note": "Known since May", "seen": seen}
    answer = signed_in.post(at(handoff, "reject"), typed, headers=ROW)
    assert answer.status_code == 422
    assert "Mona accepted it (11:00). Look again before you go on." in text_of(answer)
    assert "Known since May</textarea>" in answer.content.decode()
    assert Disposition.objects.count() == 1
    # The line has been seen now, so the same form goes through.
    typed["seen"] = (MONDAY + HOUR).isoformat()
    assert signed_in.post(at(handoff, "reject"), typed, headers=ROW).status_code == 200


def test_the_leads_own_page_tells_whoever_comes_second_too(signed_in, handoff, mona, travel):
    travel.move_to(MONDAY + HOUR)
    tracking.dispose([tracking.Decision(handoff, "accepted")], by=mona, now=MONDAY + HOUR)
    typed = {"reason": reason("duplicate").pk, "note": "Known since May", "seen": MONDAY.isoformat()}
    answer = signed_in.post(reverse("reject", args=[handoff.pk]), typed)
    assert (answer.status_code, "Mona accepted it (11:00). Look again" in text_of(answer)) == (422, True)
    assert "Known since May</textarea>" in answer.content.decode()


def test_the_same_click_in_two_browsers_is_told_too(signed_in, handoff, travel):
    seen = MONDAY.isoformat()
    travel.move_to(MONDAY + HOUR)
    signed_in.post(at(handoff, "accept"), {"seen": seen}, headers=ROW)
    travel.move_to(MONDAY + 2 * HOUR)
    answer = signed_in.post(at(handoff, "accept"), {"seen": seen}, headers=ROW)
    assert (answer.status_code, "You accepted it (11:00)." in text_of(answer)) == (422, True)


def text_of_line(answer: HttpResponse) -> str:
    """What a line says, also in what its script reads."""
    return unescape(answer.content.decode()).replace("\N{NO-BREAK SPACE}", " ")


def test_a_hold_that_was_entered_meanwhile_is_told_whenever_it_began(signed_in, handoff, mona, travel):
    travel.move_to(MONDAY + 2 * HOUR)
    seen = (MONDAY + HOUR).isoformat()
    tracking.hold([handoff], reason="at the fair", at=MONDAY, by=mona, now=MONDAY + 2 * HOUR)
    typed = {"reason": reason("duplicate").pk, "seen": seen}
    answer = signed_in.post(at(handoff, "reject"), typed, headers=ROW)
    assert (answer.status_code, "Mona put it on hold" in text_of(answer)) == (422, True)


def test_a_call_that_was_logged_meanwhile_is_told_to_whoever_logs_the_next(signed_in, handoff, mona, travel):
    travel.move_to(MONDAY + HOUR)
    tracking.log_attempts([tracking.NewAttempt(lead=handoff.lead)], by=mona, now=MONDAY + HOUR)
    travel.move_to(MONDAY + 2 * HOUR)
    answer = text_of_line(signed_in.post(at(handoff, "call"), {"seen": MONDAY.isoformat()}, headers=ROW))
    assert "Mona logged “Outbound call, no answer” meanwhile (11:00)." in answer
    assert Attempt.objects.count() == 2
    seen = (MONDAY + 2 * HOUR).isoformat()
    travel.move_to(MONDAY + 3 * HOUR)
    again = text_of_line(signed_in.post(at(handoff, "call"), {"seen": seen}, headers=ROW))
    assert "meanwhile" not in again


def test_a_second_click_says_that_it_added_nothing_and_still_offers_the_undo(signed_in, handoff, travel):
    first = signed_in.post(at(handoff, "call"), headers=ROW).content.decode()
    second = signed_in.post(at(handoff, "call"), headers=ROW).content.decode()
    assert Attempt.objects.count() == 1
    assert "the second click adds nothing" in second
    undo = re.compile(r'data-undo="([^"]+)"')
    assert undo.search(second).group(1) == undo.search(first).group(1)


def test_a_second_click_offers_no_undo_of_something_else(signed_in, handoff, travel):
    for name in ("call", "mail"):
        signed_in.post(at(handoff, name), headers=ROW)
    answer = signed_in.post(at(handoff, "call"), headers=ROW).content.decode()
    assert "the second click adds nothing" in answer and "data-undo" not in answer
    assert Attempt.objects.count() == 2


def test_a_time_to_come_is_refused_at_its_field_in_the_readers_zone(signed_in, handoff, travel):
    typed = {"did": "call:connected", "direction": "outbound", "at": "2025-03-03T11:00"}
    answer = signed_in.post(at(handoff, "log_attempt"), typed, headers=ROW)
    assert (answer.status_code, Attempt.objects.count()) == (422, 0)
    assert "11:00" in text_of(answer) and "is in the future; log what has happened." in text_of(answer)


def test_a_call_is_logged_whatever_others_did_meanwhile(signed_in, handoff, mona, travel):
    travel.move_to(MONDAY + HOUR)
    tracking.dispose([tracking.Decision(handoff, "accepted")], by=mona, now=MONDAY + HOUR)
    assert signed_in.post(at(handoff, "call"), {"seen": MONDAY.isoformat()}, headers=ROW).status_code == 200


def test_a_form_of_its_own_leads_back_to_the_narrowed_list(signed_in, handoff):
    body = unescape(signed_in.get(reverse("my_leads"), {"q": "ines"}).content.decode())
    link = re.search(r'href="([^"]*/log_attempt[^"]*)"', body).group(1)
    assert 'href="/leads/?q=ines" data-close' in unescape(signed_in.get(link).content.decode())
    assert "?next=" not in signed_in.get(reverse("my_leads")).content.decode()


@pytest.mark.parametrize("seen", ["", "yesterday", "2025-13-40T00:00", "2025-03-03T09:00"])
def test_a_moment_that_is_none_refuses_nothing(signed_in, handoff, seen):
    assert signed_in.post(at(handoff, "accept"), {"seen": seen}, headers=ROW).status_code == 200


def test_who_lost_a_lead_hears_who_has_it_and_why_and_keeps_what_was_typed(signed_in, handoff, ruth, mona, travel):
    travel.move_to(MONDAY + HOUR)
    routing.assign([(handoff, ruth)], why="Ron is at the fair", by=mona, now=MONDAY + HOUR)
    typed = {"did": "call:connected", "direction": "outbound", "note": "Wants a demo"}
    answer = signed_in.post(at(handoff, "log_attempt"), typed, headers=ROW)
    assert (answer.status_code, Attempt.objects.count()) == (422, 0)
    told = "Ines Albrecht is not yours any more: since 11:00 Ruth has it. Why: Ron is at the fair (Mona)."
    assert told in text_of(answer)
    assert "Wants a demo</textarea>" in answer.content.decode()


def test_a_lead_that_one_never_had_is_not_found_and_who_may_not_work_is_refused(client, handoff, ruth, vera):
    for user, status in ((ruth, 404), (vera, 403)):
        client.force_login(user)
        assert client.post(at(handoff, "call"), headers=ROW).status_code == status
        assert client.get(at(handoff, "reject"), headers=ROW).status_code == status
    assert not Attempt.objects.exists()


def test_only_ones_own_fact_of_that_lead_is_taken_back(signed_in, handoff, mona):
    (other,) = receive("L2", email="other@example.com")
    (of_mona,) = tracking.log_attempts([tracking.NewAttempt(lead=handoff.lead)], by=mona, now=MONDAY)
    (elsewhere,) = tracking.log_attempts([tracking.NewAttempt(lead=other.lead)], by=handoff.owner, now=MONDAY)
    for kind, fact, status in (
        ("attempt", of_mona.pk, 403),
        ("attempt", elsewhere.pk, 404),
        ("outcome", of_mona.pk, 404),
    ):
        address = reverse("undo", args=[handoff.pk, kind, fact])
        assert signed_in.post(address, headers=ROW).status_code == status
    assert not Attempt.objects.exclude(voided_at=None).exists()


# --- Without a script ------------------------------------------------------------------------------------------------


def test_every_act_works_by_a_page_of_its_own_and_leads_back_to_the_list(signed_in, handoff):
    back = reverse("my_leads") + "?group=today"
    page = signed_in.get(at(handoff, "recycle"), {"next": back})
    assert "<html" in page.content.decode()
    assert f'value="{back}"' in page.content.decode()
    answer = signed_in.post(at(handoff, "call"), {"next": back}, follow=True)
    assert answer.redirect_chain == [(back, 302)]
    assert "A call without an answer is logged." in text_of(answer)
    refused = signed_in.post(at(handoff, "recycle"), {"note": "kept", "next": back})
    assert (refused.status_code, "This field is required." in text_of(refused)) == (422, True)
    assert "kept</textarea>" in refused.content.decode()
    typed = {"reason": reason("bad_timing").pk, "next": back}
    answer = signed_in.post(at(handoff, "recycle"), typed, follow=True)
    assert (answer.redirect_chain, "Recycled." in text_of(answer)) == ([(back, 302)], True)


def test_a_page_leads_to_no_other_site(signed_in, handoff):
    shown = signed_in.get(at(handoff, "hold"), {"next": "https://example.org/"}).content.decode()
    assert "https://example.org/" not in shown
    answer = signed_in.post(at(handoff, "call"), {"next": "https://example.org/"})
    assert answer.url == reverse("my_leads")


def test_what_has_no_form_is_not_opened_and_what_is_unknown_not_found(signed_in, handoff):
    assert signed_in.get(at(handoff, "accept")).status_code == 405
    assert signed_in.get(at(handoff, "explode")).status_code == 404
    assert not Disposition.objects.exists()


# --- The list's address ----------------------------------------------------------------------------------------------


def listed(response: HttpResponse) -> list[str]:
    return [row.name for row in response.context["rows"]]


def test_the_list_is_narrowed_by_its_address(signed_in, version, ron):
    receive("A", name="Ada", source="Webinar", segment="Enterprise")
    receive("B", name="Bo", source="Partner", segment="Enterprise")
    (held,) = receive("C", name="Cy", source="Partner", segment="SMB")
    tracking.hold([held], reason="Fair", by=ron, now=MONDAY)
    for asked, names in (
        ({}, ["Ada", "Bo", "Cy"]),
        ({"source": "Partner"}, ["Bo", "Cy"]),
        ({"segment": "Enterprise", "source": "Partner"}, ["Bo"]),
        ({"owed": "first_response"}, ["Ada", "Bo"]),
        ({"owed": "acceptance"}, []),
        ({"group": "held"}, ["Cy"]),
        ({"group": "today", "q": "bo"}, ["Bo"]),
        ({"source": "Nowhere"}, []),
    ):
        assert listed(signed_in.get(reverse("my_leads"), asked)) == names, asked
    answer = signed_in.get(reverse("my_leads"), {"source": "Partner", "page": 2})
    assert [(str(label), count, address) for label, count, address, _ in answer.context["tabs"]] == [
        ("All", 3, "?source=Partner"), ("Now", 0, "?source=Partner&group=now"),
        ("Today", 2, "?source=Partner&group=today"), ("Later", 0, "?source=Partner&group=later"),
        ("On hold", 1, "?source=Partner&group=held"),
    ]  # fmt: skip


@pytest.mark.parametrize("asked", [{"group": "never"}, {"owed": "nothing"}])
def test_an_address_that_asks_for_what_there_is_not_is_refused_with_a_sentence(signed_in, version, asked):
    answer = signed_in.get(reverse("my_leads"), asked)
    assert (answer.status_code, "is not one of the available choices" in text_of(answer)) == (400, True)
