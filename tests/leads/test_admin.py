"""Leads, handoffs, attempts and reason codes in the admin: shown, and written through the verbs only."""

from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from leads.models import Attempt, Disposition, Handoff, Lead, ReasonCode
from tests.conftest import MONDAY, agree

LEADS = "admin:leads_lead"


@pytest.fixture
def desk(client, rita):
    """RevOps, logged in."""
    client.force_login(rita)
    return client


def make_lead(number: int = 1, **overrides) -> Lead:
    fields = {"name": f"Lena {number}", "email": f"lena{number}@example.org", "received_at": MONDAY}
    return Lead.objects.create(external_id=f"L-{number}", source_system="crm", **{**fields, **overrides})


def make_handoff(lead: Lead, version, **overrides) -> Handoff:
    fields = {"agreement": version.agreement, "version": version, "qualified_at": lead.received_at}
    return Handoff.objects.create(lead=lead, **{**fields, **overrides})


def typed(**overrides) -> dict[str, object]:
    """A lead as it is typed into the form."""
    blank = dict.fromkeys(("contact_id", "phone", "company", "title", "seniority", "company_size", "industry"), "")
    blank |= dict.fromkeys(("country", "score", "campaign", "segment", "engaged_at_0", "engaged_at_1"), "")
    known = {"source_system": "portal", "external_id": "T-1", "name": "Tara", "email": "tara@example.org"}
    moment = {"received_at_0": "2025-03-03", "received_at_1": "10:00:00", "attributes": "{}", "source": "Webinar"}
    return {**blank, **known, **moment, **overrides}


def test_a_lead_that_is_typed_in_is_received_like_any_other(desk, version):
    with time_machine.travel(MONDAY + timedelta(hours=1), tick=False):
        response = desk.post(reverse(f"{LEADS}_add"), typed(attributes='{"product": "Router"}'), follow=True)
    lead = Lead.objects.get()
    assert (lead.state, lead.received_at, lead.attributes) == (Lead.State.HANDED_OFF, MONDAY, {"product": "Router"})
    assert lead.handoffs.get().version == version
    assert "It qualifies under DACH inbound, version 1: a handoff has begun." in response.content.decode()


def test_an_edit_is_received_too_and_may_make_a_waiting_lead_qualify(desk, draft, rita, max_, sofia):
    draft.score_threshold = 60
    draft.save()
    agree(draft, by=rita, marketing=max_, sales=sofia)
    with time_machine.travel(MONDAY + timedelta(hours=1), tick=False):
        desk.post(reverse(f"{LEADS}_add"), typed())
        lead = Lead.objects.get()
        assert lead.state == Lead.State.WAITING
        page = reverse(f"{LEADS}_change", args=[lead.pk])
        response = desk.post(page, typed(score=75, external_id="other"))
    lead.refresh_from_db()
    assert response.status_code == 302
    assert (lead.score, lead.state, lead.external_id) == (75, Lead.State.HANDED_OFF, "T-1")


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("received_at_0", "2025-03-04", "A lead cannot be received in the future."),
        ("attributes", "[1]", "Attributes have names"),
    ],
)
def test_a_lead_that_cannot_be_is_refused_with_a_sentence(desk, db, field, value, sentence):
    with time_machine.travel(MONDAY, tick=False):
        response = desk.post(reverse(f"{LEADS}_add"), typed(**{field: value}))
    assert sentence in response.content.decode()
    assert not Lead.objects.exists()


def test_unmatched_leads_are_matched_again_when_asked(desk, version):
    lost = make_lead(1, state=Lead.State.UNMATCHED)
    waiting = make_lead(2)
    chosen = {"action": "match_again", "_selected_action": [lost.pk, waiting.pk]}
    response = desk.post(reverse(f"{LEADS}_changelist"), chosen, follow=True)
    assert "Of 1 unmatched leads, 1 began a handoff." in response.content.decode()
    lost.refresh_from_db()
    assert lost.state == Lead.State.HANDED_OFF and not waiting.handoffs.exists()


def test_handoffs_and_attempts_are_only_shown(desk, version):
    lead = make_lead()
    handoff = make_handoff(lead, version)
    attempt = Attempt.objects.create(lead=lead, at=MONDAY, entered_at=MONDAY)
    for name, row in (("handoff", handoff), ("attempt", attempt)):
        page = reverse(f"admin:leads_{name}_change", args=[row.pk])
        shown = desk.get(page)
        assert shown.status_code == 200 and 'name="_save"' not in shown.content.decode()
        assert desk.post(page, {}).status_code == 403
        assert desk.get(reverse(f"admin:leads_{name}_add")).status_code == 403
        assert desk.post(reverse(f"admin:leads_{name}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
    leads_to = desk.get(reverse("admin:leads_handoff_open_page", args=[handoff.pk]))
    assert leads_to["Location"] == handoff.get_absolute_url()


def test_a_reason_may_be_shaped_until_a_disposition_uses_it(desk, version):
    reason = ReasonCode.objects.create(code="no-budget", label="No budget")
    page = reverse("admin:leads_reasoncode_change", args=[reason.pk])
    shaped = {"label": "No budget now", "code": "no-budget", "needs_attempts": 2, "is_quality": "on", "is_active": "on"}
    desk.post(page, shaped)
    reason.refresh_from_db()
    assert (reason.label, reason.is_quality, reason.needs_attempts) == ("No budget now", True, 2)

    handoff = make_handoff(make_lead(), version)
    Disposition.objects.create(handoff=handoff, verdict="rejected", reason=reason, at=MONDAY, entered_at=MONDAY)
    assert "Dispositions use this reason, so what it means stays as it is" in desk.get(page).content.decode()
    desk.post(page, {"label": "Budget is gone", "code": "other", "needs_attempts": 0})
    reason.refresh_from_db()
    assert (reason.label, reason.is_active) == ("Budget is gone", False)
    assert (reason.code, reason.is_quality, reason.needs_attempts) == ("no-budget", True, 2)
    desk.post(reverse("admin:leads_reasoncode_delete", args=[reason.pk]), {"post": "yes"})
    assert ReasonCode.objects.filter(pk=reason.pk).exists()


def test_a_new_reason_is_added_and_an_unused_one_deleted(desk, db):
    fields = {"label": "Wrong country", "code": "wrong-country", "needs_attempts": 0, "for_rejected": "on"}
    assert desk.post(reverse("admin:leads_reasoncode_add"), fields).status_code == 302
    reason = ReasonCode.objects.get(code="wrong-country")
    assert (reason.for_recycled, reason.for_rejected) == (False, True)
    desk.post(reverse("admin:leads_reasoncode_delete", args=[reason.pk]), {"post": "yes"})
    assert not ReasonCode.objects.filter(pk=reason.pk).exists()


def test_a_rep_cannot_open_the_lists(client, ron):
    client.force_login(ron)
    for name in ("lead", "handoff", "attempt", "reasoncode"):
        assert client.get(reverse(f"admin:leads_{name}_changelist")).status_code == 302


def test_lists_ask_as_often_for_thirty_rows_as_for_three(desk, version, ron, django_assert_max_num_queries):
    for number in range(30):
        lead = make_lead(number)
        make_handoff(lead, version, owner=ron, team=ron.team)
        Attempt.objects.create(lead=lead, at=MONDAY, entered_at=MONDAY, by=ron)
        if number in (2, 29):
            for name in ("lead", "handoff", "attempt", "reasoncode"):
                with django_assert_max_num_queries(9):
                    assert desk.get(reverse(f"admin:leads_{name}_changelist")).status_code == 200


def test_a_list_of_handoffs_leaves_the_frozen_terms_in_the_database(desk, version):
    make_handoff(make_lead(), version)
    with CaptureQueriesContext(connection) as asked:
        desk.get(reverse("admin:leads_handoff_changelist"))
    assert not [query for query in asked.captured_queries if '"agreements_version"."terms",' in query["sql"]]
