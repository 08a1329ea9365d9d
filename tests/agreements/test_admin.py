"""RevOps at work in the admin: calendars, agreements, drafts on one page, and nothing but drafts that can be edited."""

import re
from datetime import UTC, date, datetime

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from agreements import signoff, terms
from agreements.calendars import BusinessCalendar, add_closure
from agreements.forms import free_code
from agreements.models import Agreement, Closure, Commitment, Status, Step, Version
from slaportal import roles
from tests.conftest import MONDAY, PASSWORD, agree, complete, make_calendar, make_commitment, make_step

CALENDARS = "admin:agreements_businesscalendar"
AGREEMENTS = "admin:agreements_agreement"
VERSIONS = "admin:agreements_version"


@pytest.fixture
def desk(client, rita):
    """RevOps, logged in."""
    client.force_login(rita)
    return client


def as_shown(response) -> dict[str, str]:
    """What a browser would post of a page of the admin if nobody touched it."""
    fields: dict[str, str] = {}
    formsets = [inline.formset for inline in response.context["inline_admin_formsets"]]
    forms = [response.context["adminform"].form]
    for formset in formsets:
        forms += [formset.management_form, *formset.forms]
    for form in forms:
        for bound in form:
            value = bound.value()
            fields[bound.html_name] = "" if value is None else value
    return fields


def with_rows(fields: dict[str, str], prefix: str, *rows: dict[str, object]) -> dict[str, object]:
    """The same post with new rows typed into an inline."""
    first = int(fields[f"{prefix}-TOTAL_FORMS"])
    typed = {f"{prefix}-{first + n}-{name}": value for n, row in enumerate(rows) for name, value in row.items()}
    return {**fields, **typed, f"{prefix}-TOTAL_FORMS": first + len(rows)}


def act(client, name: str, pk: int, *, follow: bool = False, **fields):
    """Confirm the dialog of a step."""
    return client.post(reverse(name, args=[pk]), {"_form_submitted": "True", **fields}, follow=follow)


def told(response) -> str:
    """The messages that the page after a step shows."""
    return " ".join(str(message) for message in response.context["messages"])


def errors(response) -> dict[str, list[str]]:
    return dict(response.context["adminform"].form.errors)


# --- Calendars ----------------------------------------------------------------------------------------------------

WEEK = dict.fromkeys(("monday", "tuesday", "wednesday", "thursday", "friday"), "09:00-12:00, 13:00-17:30")
OFFICE = {"name": "Berlin", "time_zone": "Europe/Berlin", "country": "DE", "region": "BE", **WEEK}


def add_calendar(client, **fields):
    blank = as_shown(client.get(reverse(f"{CALENDARS}_add")))
    christmas = {"date": "2025-12-24", "hours": "09:00-12:00", "name": "Christmas Eve"}
    return client.post(reverse(f"{CALENDARS}_add"), with_rows({**blank, **OFFICE, **fields}, "special_days", christmas))


def test_revops_adds_a_calendar_with_a_special_day_and_reads_what_a_business_day_is(desk):
    assert add_calendar(desk).status_code == 302
    calendar = BusinessCalendar.objects.get(name="Berlin")
    assert [str(day) for day in calendar.special_days.all()] == ["2025-12-24: 09:00-12:00"]
    with time_machine.travel(MONDAY, tick=False):
        page = desk.get(reverse(f"{CALENDARS}_change", args=[calendar.pk])).content.decode().replace("\xa0", " ")
    assert "Open Mon–Fri 9:00–12:00 and 13:00–17:30, Europe/Berlin." in page
    assert "One business day is 7 h 30" in page
    assert "Sat 8 Mar 2025" in page and "Women&#x27;s Day" in page


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("tuesday", "09:00-08:00", "09:00–08:00 must end after it begins."),
        ("tuesday", "09:00-12:00, 11:00-14:00", "09:00–12:00 and 11:00–14:00 overlap."),
        ("tuesday", "nine to five", "“nine to five” is not a window of two times between 00:00 and 24:00."),
        ("country", "XX", "No public holidays are known for “XX”; write a code such as DE or US."),
        ("region", "ZZ", "DE has no region “ZZ”, only BB, BE,"),
        ("time_zone", "Europe/Atlantis", "Select a valid choice."),
    ],
)
def test_a_bad_calendar_is_refused_at_the_field_with_a_sentence(desk, field, value, sentence):
    response = add_calendar(desk, **{field: value})
    assert list(errors(response)) == [field]
    assert sentence in errors(response)[field][0]
    assert not BusinessCalendar.objects.exists()


def test_a_region_needs_its_country_and_a_calendar_its_hours(desk):
    assert errors(add_calendar(desk, country="", region="BE")) == {"region": ["A region needs its country."]}
    never = add_calendar(desk, **dict.fromkeys(WEEK, ""))
    assert "The calendar never opens" in errors(never)["__all__"][0]


def test_a_closure_is_added_through_its_verb_and_says_who_did_it(desk, office, rita, monkeypatch):
    seen = []
    monkeypatch.setattr("leads.timekeeping.closure_changed", lambda closure, *, now: seen.append(closure.date))
    act(desk, f"{CALENDARS}_close_day", office.pk, day="2025-03-04", reason="Power cut")
    closure = Closure.objects.get()
    assert (closure.date, closure.reason, closure.added_by) == (date(2025, 3, 4), "Power cut", rita)
    page = desk.get(reverse(f"{CALENDARS}_change", args=[office.pk])).content.decode()
    assert "Power cut" in page and "added by Rita" in page
    act(desk, f"{CALENDARS}_withdraw_a_closure", office.pk, closure=closure.pk)
    closure.refresh_from_db()
    assert closure.withdrawn_by == rita
    assert seen == [date(2025, 3, 4), date(2025, 3, 4)]


def test_the_dialog_of_a_closure_warns_and_refuses_a_day_that_is_closed(desk, office, rita):
    add_closure(calendar=office, day=date(2025, 3, 4), reason="Strike", by=rita, now=MONDAY)
    url = reverse(f"{CALENDARS}_close_day", args=[office.pk])
    assert "A closure applies to signed versions too" in desk.get(url).content.decode()
    refused = act(desk, f"{CALENDARS}_close_day", office.pk, day="2025-03-04", reason="Strike")
    assert "That day is closed already." in refused.content.decode()
    assert Closure.objects.count() == 1


def test_a_calendar_in_use_cannot_be_deleted(desk, draft):
    assert desk.post(reverse(f"{CALENDARS}_delete", args=[draft.calendar_id]), {"post": "yes"}).status_code == 403
    spare = make_calendar(name="Spare")
    assert desk.post(reverse(f"{CALENDARS}_delete", args=[spare.pk]), {"post": "yes"}).status_code == 302


# --- Agreements ---------------------------------------------------------------------------------------------------


def add_agreement(client, marketing, sales, **fields):
    blank = as_shown(client.get(reverse(f"{AGREEMENTS}_add")))
    teams = {"name": "Nordics", "marketing_team": marketing.pk, "sales_team": sales.pk}
    return client.post(reverse(f"{AGREEMENTS}_add"), {**blank, **teams, **fields}, follow=True)


def test_a_new_agreement_has_its_scope_and_offers_to_draft_version_1(desk, marketing, sales):
    response = add_agreement(desk, marketing, sales, covers="country is one of SE; NO\r\nscore at least 10\r\n")
    agreement = Agreement.objects.get()
    assert [str(row) for row in agreement.scope.all()] == ["country is one of SE; NO", "score is at least 10"]
    assert response.redirect_chain[-1][0] == reverse(f"{AGREEMENTS}_change", args=[agreement.pk])
    assert "Draft version 1" in response.content.decode()


def test_a_scope_that_cannot_be_read_is_refused_with_the_line_and_a_suggestion(desk, marketing, sales):
    response = add_agreement(desk, marketing, sales, covers="country is SE\ncountri is NO")
    assert errors(response) == {"covers": ["Line 2: Leads have no field “countri”. Did you mean “country”?"]}
    assert "countri is NO" in response.content.decode()


def test_saving_an_agreement_untouched_leaves_its_scope_alone(desk, marketing, sales):
    add_agreement(desk, marketing, sales, covers="country is SE")
    agreement = Agreement.objects.get()
    before = list(agreement.scope.values_list("pk", flat=True))
    url = reverse(f"{AGREEMENTS}_change", args=[agreement.pk])
    fields = as_shown(desk.get(url))
    assert desk.post(url, fields | {"priority": 7}).status_code == 302
    agreement.refresh_from_db()
    assert (agreement.priority, list(agreement.scope.values_list("pk", flat=True))) == (7, before)
    desk.post(url, fields | {"covers": ""})
    assert not agreement.scope.exists()


def entries(client, agreement_id: int) -> list[tuple[str, list[str]]]:
    """The time line: of each version what it says, and the steps that it offers."""
    page = client.get(reverse(f"{AGREEMENTS}_change", args=[agreement_id])).content.decode()
    found = []
    for entry in page.split('<ol class="sla-timeline">')[1].split("</ol>")[0].split("<li ")[1:]:
        words, _, steps = re.sub(r'<span class="material-symbols.*?</span>', "", entry).partition('class="sla-steps"')
        texts = [" ".join(text.split()) for text in re.findall(r">([^<]+)<", words)]
        found.append((" ".join(filter(None, texts)), re.findall(r">([A-Z][a-z ]+)</a>", steps)))
    return found


def test_the_time_line_says_where_every_version_stands_who_signed_and_what_can_be_done(
    desk, version, rita, max_, sofia
):
    def another(*, note: str = "", wanted_from: date | None = None, ends_on: date | None = None) -> Version:
        row = signoff.new_draft_from(version, by=rita, now=MONDAY)
        row.note, row.wanted_from, row.ends_on = note, wanted_from, ends_on
        row.save()
        return row

    def signed(row: Version) -> Version:
        row = signoff.propose(row, by=rita, now=MONDAY)
        signoff.sign(row, signer=max_, password=PASSWORD, terms_hash=row.terms_hash, name="Max", now=MONDAY)
        return row

    signoff.withdraw(another(), by=rita, reason="Wrong <year>.", now=MONDAY)
    signoff.decline(signed(another(note="Faster.")), by=sofia, reason="Too much.", now=MONDAY)  # drafts version 4
    planned = another(wanted_from=date(2025, 6, 1), ends_on=date(2025, 12, 31))
    agree(planned, by=rita, marketing=max_, sales=sofia)
    signed(another(wanted_from=date(2025, 9, 1)))
    with time_machine.travel(MONDAY, tick=False):
        found = entries(desk, version.agreement_id)
    assert found == [
        (
            "Version 6 proposed wanted from 1 Sep 2025 Max signed for marketing, 3 Mar 2025 "
            "proposed by Rita on 3 Mar 2025 ; waits for sales",
            ["Withdraw", "New draft", "Document", "Compare"],
        ),
        (
            "Version 5 planned from 1 Jun 2025 Max signed for marketing, 3 Mar 2025 Sofia signed for sales, 3 Mar 2025",
            ["New draft", "Document", "Compare"],
        ),
        (
            "Version 4 draft from the second signature drafted on 3 Mar 2025 from version 3 Faster.",
            ["Propose", "Withdraw", "New draft", "Document", "Compare"],
        ),
        (
            "Version 3 declined Max signed for marketing, 3 Mar 2025 , without effect "
            "declined by Sofia on 3 Mar 2025 for sales: Too much. Faster.",
            ["New draft", "Document", "Compare"],
        ),
        (
            "Version 2 withdrawn withdrawn by Rita on 3 Mar 2025 : Wrong &lt;year&gt;.",
            ["New draft", "Document", "Compare"],
        ),
        (
            "Version 1 in force since 1 Jan 2025, until 1 Jun 2025 Max signed for marketing, 3 Mar 2025 "
            "Sofia signed for sales, 3 Mar 2025 signed 3 Mar 2025 , applied to history from 1 Jan 2025",
            ["New draft", "Document", "Compare"],
        ),
    ]
    with time_machine.travel(datetime(2025, 7, 1, tzinfo=UTC), tick=False):
        found = dict(zip((6, 5, 4, 3, 2, 1), (words for words, _ in entries(desk, version.agreement_id)), strict=True))
    assert found[5].startswith("Version 5 in force since 1 Jun 2025, until 1 Jan 2026")
    assert found[1].startswith("Version 1 superseded 1 Jan 2025 to 1 Jun 2025")
    with time_machine.travel(datetime(2026, 7, 1, tzinfo=UTC), tick=False):
        assert entries(desk, version.agreement_id)[1][0].startswith("Version 5 ended 1 Jun 2025 to 1 Jan 2026")


@pytest.mark.parametrize(
    ("cadence", "weekday", "day"),
    [("weekly", 0, "Mon 3 Mar 2025"), ("monthly", 1, "Tue 4 Mar 2025"), ("quarterly", 4, "Fri 4 Apr 2025")],
)
def test_the_page_of_an_agreement_says_when_both_sides_meet_next(desk, draft, rita, max_, sofia, cadence, weekday, day):
    url = reverse(f"{AGREEMENTS}_change", args=[draft.agreement_id])
    draft.review_cadence, draft.review_weekday = cadence, weekday
    draft.save()
    with time_machine.travel(MONDAY, tick=False):
        assert "Next review" not in desk.get(url).content.decode()  # a draft binds nobody
        agree(draft, by=rita, marketing=max_, sales=sofia)
        assert f"Next review {day}" in desk.get(url).content.decode()


def test_a_draft_begins_blank_or_from_any_version(desk, agreement, office, rita):
    step = f"{AGREEMENTS}_new_draft"
    first = act(desk, step, agreement.pk, begin_with="blank", calendar=office.pk)
    version = agreement.versions.get()
    assert first["Location"] == reverse(f"{VERSIONS}_change", args=[version.pk])
    assert (version.number, version.status, version.created_by) == (1, Status.DRAFT, rita)
    make_commitment(version, "first_response")
    act(desk, step, agreement.pk, begin_with=version.pk)
    assert [row.code for row in agreement.versions.get(number=2).commitments.all()] == ["first-response"]
    nothing = act(desk, step, agreement.pk, begin_with="blank", calendar="")
    assert "Choose the calendar in which the terms count" in nothing.content.decode()


def test_an_agreement_with_versions_cannot_be_deleted(desk, draft):
    url = reverse(f"{AGREEMENTS}_delete", args=[draft.agreement_id])
    assert desk.post(url, {"post": "yes"}).status_code == 403
    assert Agreement.objects.exists()


# --- Drafts -------------------------------------------------------------------------------------------------------


@pytest.fixture
def blank(agreement, office, rita) -> Version:
    """A draft that says nothing yet."""
    return signoff.new_draft(agreement, by=rita, now=MONDAY, calendar=office)


def save(client, version: Version, *rows: dict[str, object], **fields):
    url = reverse(f"{VERSIONS}_change", args=[version.pk])
    return client.post(url, with_rows(as_shown(client.get(url)) | fields, "commitments", *rows))


def row(version: Version, kind: str, **fields) -> dict[str, object]:
    return {"title": kind.replace("_", " ").title(), "kind": kind, "calendar": version.calendar_id, **fields}


def row_errors(response) -> list[dict[str, list[str]]]:
    return [dict(found) for found in response.context["inline_admin_formsets"][0].formset.errors]


def test_a_draft_is_written_on_one_page_and_proposed(desk, blank, rita):
    response = save(
        desk,
        blank,
        row(blank, "volume", target=50, baseline="34.5", monthly_targets="2025-12: 30", title="50 MQLs a month"),
        row(blank, "first_response", limit=4, unit="business hours", target=95, start="routed",
            covers="score is at least 80\nsource is Demo request"),
        row(blank, "attempts", limit=5, unit="business days", attempts=5, target=90, consequence="Back to the queue."),
        row(blank, "first_response", limit=2, unit="hours", target=80),
        row(blank, "reasons_documented", target=100, start="routed", attempts=3),
        row(blank, "definition_fit", target=90),
        wanted_from="2025-01-01",
        score_threshold=60,
        covers="company size is at least 50\nseniority is one of VP; C-suite",
        required_fields=["email", "phone"],
        monthly_cap=80,
    )  # fmt: skip
    assert response.status_code == 302, row_errors(response)
    assert response["Location"] == reverse(f"{AGREEMENTS}_change", args=[blank.agreement_id])

    # What is missing keeps it from being proposed, and is said.
    missing = act(desk, f"{VERSIONS}_propose", blank.pk, follow=True)
    assert "“Attempts” has no baseline" in told(missing) and "has no consequence" in told(missing)
    complete(blank)
    act(desk, f"{VERSIONS}_propose", blank.pk)
    blank.refresh_from_db()
    assert (blank.status, blank.proposed_by) == (Status.PROPOSED, rita)
    frozen = terms.of(blank)
    assert frozen.score_threshold == 60 and frozen.monthly_cap == 80
    assert [str(test) for test in frozen.criteria] == ["company size is at least 50", "seniority is one of VP, C-suite"]
    assert frozen.required_fields == ("email", "phone")
    volume, response_, attempts, second, reasons, _ = frozen.promises
    assert (volume.code, volume.target, volume.monthly_targets) == ("50-mqls-a-month", 50, {"2025-12": 30})
    assert [str(test) for test in response_.scope] == ["score is at least 80", "source is Demo request"]
    assert (response_.code, second.code) == ("first-response", "first-response-2")
    assert attempts.limit_seconds == 5 * 8.5 * 3600 and attempts.attempts == 5
    # What the kind does not use is not kept.
    assert (reasons.start, reasons.attempts) == (None, None)


def test_saving_a_draft_untouched_changes_nothing(desk, blank):
    save(desk, blank, row(blank, "volume", target=50, monthly_targets="2025-12: 30", covers="source is Webinar"))
    before = terms.freeze(blank, now=MONDAY)
    criterion = blank.commitments.get().scope.get()
    assert save(desk, blank).status_code == 302
    assert terms.freeze(Version.objects.get(pk=blank.pk), now=MONDAY) == before
    assert blank.commitments.get().scope.get() == criterion


def test_an_edit_reaches_the_commitment_and_its_criteria(desk, draft):
    save(desk, draft, **{"commitments-0-target": 60, "commitments-0-covers": "source is Webinar"})
    first = draft.commitments.first()
    assert (first.target, [str(row) for row in first.scope.all()]) == (60, ["source is Webinar"])
    save(desk, draft, **{"commitments-1-DELETE": "on"})
    assert [row.code for row in draft.commitments.all()] == [first.code, "completeness"]


def test_new_commitments_come_last_and_blank_rows_say_nothing(desk, blank):
    save(desk, blank, row(blank, "volume", target=50), row(blank, "completeness", target=90))
    untouched = {"title": "", "kind": "", "calendar": blank.calendar_id, "covers": "", "position": 0}
    response = save(desk, blank, untouched, row(blank, "definition_fit", target=80), untouched)
    assert response.status_code == 302
    assert [row.kind for row in blank.commitments.all()] == ["volume", "completeness", "definition_fit"]


@pytest.mark.parametrize(
    ("kind", "fields", "where", "sentence"),
    [
        ("first_response", {}, "limit", "First response needs a time limit."),
        ("first_response", {"unit": "hours"}, "limit", "First response needs a time limit."),
        ("first_response", {"limit": 4}, "unit", "Say in which unit the limit is."),
        ("completeness", {"limit": 4, "unit": "hours"}, "limit", "Complete records has no time limit; leave it blank."),
        ("attempts", {"limit": 4, "unit": "hours"}, "attempts", "Attempts needs a number of attempts."),
        ("acceptance", {"limit": 4, "unit": "hours", "start": "accepted"}, "start",
         "Review cannot start when sales accepts."),
        ("completeness", {"target": 120}, "target", "A share is at most 100 percent."),
        ("completeness", {"covers": "score is"}, "covers", "Line 1: Give the value to compare with."),
        ("volume", {"monthly_targets": "May: 3"}, "monthly_targets",
         "Line 1: “May: 3” is not a month and its target, such as 2026-12: 30."),
    ],
)  # fmt: skip
def test_a_promise_that_cannot_be_measured_is_refused_at_the_field(desk, blank, kind, fields, where, sentence):
    assert row_errors(save(desk, blank, row(blank, kind, **fields))) == [{where: [sentence]}]
    assert not Commitment.objects.exists()


def ladder_of(version: Version, code: str) -> list[str]:
    """The steps of a commitment, as they stand in the database."""
    steps = Step.objects.filter(commitment__version=version, commitment__code=code).select_related("team")
    return [f"{step}{f' ({step.team or step.role})' if step.team or step.role else ''}" for step in steps]


def test_a_ladder_is_written_with_its_commitment_and_comes_back_as_it_was_written(desk, blank):
    typed = (
        "at 50 %: tell the owner\r\n"
        "30 minutes before the limit: tell the manager (Marketing DACH)\r\n\r\n"
        "at the limit: tell everybody with a role (Sales leader)\r\n"
        "2 hours after the limit: reassign to the next rep\r\n"
    )
    response = save(desk, blank, row(blank, "first_response", limit=4, unit="business hours", ladder=typed))
    assert response.status_code == 302, row_errors(response)
    assert ladder_of(blank, "first-response") == [
        "50 %: tell the owner",
        "-30 min: tell the manager (Marketing DACH)",
        "100 %: tell everybody with a role (Sales leader)",
        "+120 min: reassign to the next rep",
    ]
    assert [step.position for step in Step.objects.all()] == [0, 1, 2, 3]
    shown = as_shown(desk.get(reverse(f"{VERSIONS}_change", args=[blank.pk])))
    assert shown["commitments-0-ladder"] == (
        "at 50 %: tell the owner\n30 minutes before the limit: tell the manager (Marketing DACH)\n"
        "at 100 %: tell everybody with a role (Sales leader)\n120 minutes after the limit: reassign to the next rep"
    )


def test_saving_a_draft_untouched_leaves_its_ladders_alone(desk, draft):
    make_step(draft.commitments.get(code="first-response"), "tell role", share=80, role=roles.REVOPS)
    before = list(Step.objects.values())
    save(desk, draft)
    save(desk, draft, **{"commitments-1-target": 90})
    assert list(Step.objects.values()) == before


def test_steps_are_moved_changed_and_removed(desk, draft):
    for share in (50, 80, 100):
        make_step(draft.commitments.get(code="first-response"), "task", share=share)
    save(desk, draft, **{"commitments-1-ladder": "at 100 %: open a task for RevOps\nat 75 %: tell the owner"})
    assert ladder_of(draft, "first-response") == ["100 %: open a task for RevOps", "75 %: tell the owner"]
    save(desk, draft, **{"commitments-1-ladder": ""})
    assert ladder_of(draft, "first-response") == []


@pytest.mark.parametrize(
    ("kind", "ladder", "sentence"),
    [
        ("first_response", "at 50 %: tell the owner\nlater: tell the owner", "Step 2: “later: tell the owner” is no "
         "step. Write a moment and what is done then, such as “at 80 %: tell the owner” or “30 minutes before the "
         "limit: tell the manager”."),
        ("first_response", "at 1001 %: tell the owner", "Step 1: A step comes at 1 to 1000 percent."),
        ("first_response", "at 50 %: ask for a recovery plan", "Step 1: First response cannot “ask for a recovery "
         "plan”. Choose from: tell the owner, tell the manager, tell everybody of a team, tell everybody with a role, "
         "post in a team’s chat, open a task for RevOps, reassign to the next rep, return to the team’s queue."),
        ("volume", "at 60 %: open a task for RevOps\n5 minutes after the limit: open a task for RevOps", "Step 2: "
         "Volume of qualified leads has no limit to count from. Give a share of the month."),
        ("completeness", "at 120 %: ask for a recovery plan", "Step 1: After 100 percent the month is over. Give no "
         "more."),
        ("first_response", "at 80 %: tell the manager (Sales Mars)", "Step 1: There is no team “Sales Mars”. Write one "
         "of Marketing DACH, Sales DACH, or leave it out."),
        ("first_response", "at 80 %: tell the owner (Sales DACH)", "Step 1: “Tell the owner” names no team. Leave out "
         "“Sales DACH”."),
        ("first_response", "at 80 %: tell everybody with a role", "Step 1: “Tell everybody with a role” names none. "
         "Write one of RevOps, Marketing leader, Sales leader, Sales manager, Rep, Viewer in brackets behind it."),
    ],
)  # fmt: skip
def test_a_ladder_that_cannot_be_climbed_is_refused_at_the_field_and_nothing_typed_is_lost(
    desk, blank, kind, ladder, sentence
):
    limit = {"limit": 4, "unit": "business hours"} if kind == "first_response" else {}
    response = save(desk, blank, row(blank, kind, ladder=ladder, **limit))
    assert row_errors(response) == [{"ladder": [sentence]}]
    assert as_shown(response)["commitments-0-ladder"] == ladder
    assert not Step.objects.exists()


def test_a_ladder_is_held_against_another_kind_of_its_commitment_too(desk, draft):
    make_step(draft.commitments.get(code="first-response"), "reassign")
    response = save(desk, draft, **{"commitments-1-kind": "dispute_answer"})
    (found,) = [found for found in row_errors(response) if found]
    assert found["ladder"][0].startswith("Step 1: Answer to disputes cannot “reassign to the next rep”.")


def test_two_commitments_cannot_share_a_code_that_was_typed(desk, blank):
    twins = [row(blank, "volume", code="same"), row(blank, "completeness", code="same")]
    response = save(desk, blank, *twins)
    assert response.status_code == 200
    assert not Commitment.objects.exists()


def test_a_code_is_made_from_the_title_and_kept_free():
    assert free_code("Contact within 4 business hours!", set()) == "contact-within-4-business-hours"
    assert free_code("Review", {"review", "review-2"}) == "review-3"
    assert free_code("…", set()) == "commitment"


def test_the_page_says_what_a_business_day_is_on_each_calendar(desk, draft):
    page = desk.get(reverse(f"{VERSIONS}_change", args=[draft.pk])).content.decode().replace("\xa0", " ")
    assert "Office (one business day is 8 h 30)" in page


def test_dates_that_contradict_each_other_are_refused_at_the_field(desk, blank):
    response = save(desk, blank, wanted_from="2025-03-01", ends_on="2025-02-01")
    assert errors(response) == {"ends_on": ["The agreement would end before it begins."]}


# --- Steps, and what is frozen ------------------------------------------------------------------------------------


def test_a_step_that_is_refused_says_why_and_changes_nothing(desk, blank):
    url = reverse(f"{VERSIONS}_propose", args=[blank.pk])
    response = desk.post(url, {"_form_submitted": "True"}, follow=True)
    assert told(response).startswith("These terms are incomplete. Nothing says what a qualified lead is.")
    blank.refresh_from_db()
    assert blank.status == Status.DRAFT


@pytest.mark.parametrize("step", ["propose", "withdraw", "draft_from"])
def test_a_step_is_only_asked_for_by_a_link(desk, draft, step):
    assert desk.get(reverse(f"{VERSIONS}_{step}", args=[draft.pk])).status_code == 200
    assert [(row.number, row.status) for row in Version.objects.all()] == [(1, Status.DRAFT)]


def test_in_the_dialog_the_browser_is_sent_on(desk, draft):
    response = desk.post(
        reverse(f"{VERSIONS}_propose", args=[draft.pk]), {"_form_submitted": "True"}, headers={"HX-Request": "true"}
    )
    assert response.headers["HX-Redirect"] == reverse(f"{VERSIONS}_change", args=[draft.pk])


def test_a_version_is_withdrawn_with_the_reason(desk, draft):
    assert "Say why" in act(desk, f"{VERSIONS}_withdraw", draft.pk, reason="").content.decode()
    act(desk, f"{VERSIONS}_withdraw", draft.pk, reason="Budget cut")
    draft.refresh_from_db()
    assert draft.status == Status.WITHDRAWN
    assert "Budget cut" in desk.get(reverse(f"{VERSIONS}_change", args=[draft.pk])).content.decode()
    assert act(desk, f"{VERSIONS}_withdraw", draft.pk, reason="Again").status_code == 403


def test_a_draft_begins_from_an_agreed_version(desk, version):
    response = act(desk, f"{VERSIONS}_draft_from", version.pk)
    draft = Version.objects.get(number=2)
    assert draft.based_on == version and response["Location"].endswith(f"/{draft.pk}/change/")


def test_a_proposed_version_is_shown_and_cannot_be_edited(desk, draft, rita):
    url = reverse(f"{VERSIONS}_change", args=[draft.pk])
    fields = as_shown(desk.get(url))
    signoff.propose(draft, by=rita, now=MONDAY)
    response = desk.get(url)
    page = response.content.decode()
    draft.refresh_from_db()
    assert "Frozen terms" in page and draft.terms_hash in page
    assert "hand over at least 50 qualified leads a month" in page
    assert all(f"<b>{promise.title}</b>" in page for promise in terms.of(draft).promises)
    assert not response.context["inline_admin_formsets"]
    assert 'name="note"' not in page and 'name="_save"' not in page

    late = desk.post(url, fields | {"note": "Sneaky", "commitments-0-target": 1}, follow=True)
    assert told(late).startswith("Version 1 is proposed, so its terms are frozen; nothing was changed.")
    draft.refresh_from_db()
    assert draft.note == "" and draft.commitments.first().target == 50


def test_an_agreed_version_shows_signatures_history_and_what_it_was_applied_to(desk, version):
    page = desk.get(reverse(f"{VERSIONS}_change", args=[version.pk])).content.decode()
    assert "I have read version 1 of “DACH inbound” and commit sales to it from 1 January 2025." in page
    assert ">3 Mar 2025</time>, applied to history from 1 Jan 2025" in page
    for what in ("Drafted", "Proposed", "Signed", "Agreed"):
        assert what in page


def test_no_version_is_ever_deleted_or_added_without_its_agreement(desk, draft):
    assert desk.post(reverse(f"{VERSIONS}_delete", args=[draft.pk]), {"post": "yes"}).status_code == 403
    assert desk.get(reverse(f"{VERSIONS}_add")).status_code == 403


def test_the_page_for_signers_is_one_click_away(desk, draft):
    assert desk.get(reverse(f"{VERSIONS}_open_page", args=[draft.pk]))["Location"] == draft.get_absolute_url()


# --- Who may -------------------------------------------------------------------------------------------------------


def test_a_rep_cannot_open_the_admin(client, ron, draft):
    client.force_login(ron)
    for name in (f"{VERSIONS}_change", f"{VERSIONS}_propose", f"{AGREEMENTS}_change"):
        assert client.get(reverse(name, args=[draft.pk])).status_code == 302
    assert act(client, f"{VERSIONS}_propose", draft.pk).status_code == 302
    draft.refresh_from_db()
    assert draft.status == Status.DRAFT


def test_who_may_open_the_admin_but_not_edit_sees_and_changes_nothing(client, vera, draft, marketing):
    vera.is_staff = True
    vera.save()
    client.force_login(vera)
    draft.agreement.scope.create(field="source", operator="is", value="Webinar")
    page = client.get(reverse(f"{AGREEMENTS}_change", args=[draft.agreement_id])).content.decode()
    assert "source is Webinar" in page and "New draft" not in page
    assert (
        "Terms as they would be frozen" in client.get(reverse(f"{VERSIONS}_change", args=[draft.pk])).content.decode()
    )
    for step in ("propose", "withdraw", "draft_from"):
        assert act(client, f"{VERSIONS}_{step}", draft.pk, reason="No").status_code == 403
    assert act(client, f"{AGREEMENTS}_new_draft", draft.agreement_id, begin_with=draft.pk).status_code == 403
    assert client.post(reverse(f"{VERSIONS}_change", args=[draft.pk]), {}).status_code == 403
    assert client.get(reverse(f"{CALENDARS}_changelist")).status_code == 403


# --- Query counts --------------------------------------------------------------------------------------------------


def fill(marketing, sales, office, rita, numbers):
    for number in numbers:
        agreement = Agreement.objects.create(name=f"No. {number}", marketing_team=marketing, sales_team=sales)
        version = signoff.new_draft(agreement, by=rita, now=MONDAY, calendar=office)
        make_commitment(version, "volume")
        signoff.propose(complete(version), by=rita, now=MONDAY)
        signoff.new_draft_from(version, by=rita, now=MONDAY)
        make_calendar(name=f"Calendar {number}")


@pytest.mark.parametrize(("place", "most"), [(AGREEMENTS, 12), (VERSIONS, 14), (CALENDARS, 8)])
def test_lists_ask_as_often_for_thirty_rows_as_for_three(
    desk, marketing, sales, office, rita, django_assert_max_num_queries, place, most
):
    url = reverse(f"{place}_changelist")
    fill(marketing, sales, office, rita, range(3))
    with django_assert_max_num_queries(most):
        desk.get(url)
    fill(marketing, sales, office, rita, range(3, 30))
    with django_assert_max_num_queries(most):
        assert desk.get(url).status_code == 200


def test_a_draft_asks_as_often_for_thirty_commitments_as_for_three(desk, blank, django_assert_max_num_queries):
    url = reverse(f"{VERSIONS}_change", args=[blank.pk])
    for count in (3, 27):
        for _ in range(count):
            number = blank.commitments.count()
            made = make_commitment(blank, "completeness", code=f"c-{number}", position=number)
            made.scope.create(field="source", operator="is", value="Webinar")
            make_step(made, "tell team", team=blank.agreement.marketing_team)
        with django_assert_max_num_queries(45):
            assert desk.get(url).status_code == 200


def test_the_page_of_an_agreement_asks_as_often_for_thirteen_versions_as_for_three(desk, version, rita):
    url, counts = reverse(f"{AGREEMENTS}_change", args=[version.agreement_id]), []
    for more in (2, 10):
        for _ in range(more):
            signoff.propose(signoff.new_draft_from(version, by=rita, now=MONDAY), by=rita, now=MONDAY)
        with CaptureQueriesContext(connection) as asked:
            assert desk.get(url).status_code == 200
        counts.append(len(asked))
    assert counts[0] == counts[1] <= 28
