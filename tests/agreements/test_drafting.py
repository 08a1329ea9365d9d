"""Drafting in the admin: the preview and its remarks, templates, terms that come and go as files, what was declined."""

import json
import re
from datetime import timedelta

import pytest
import time_machine
from django.apps import apps
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from agreements import exchange, signoff, terms
from agreements.calendars import BusinessCalendar
from agreements.models import Agreement, Commitment, Status, Version
from agreements.terms_file import MOST_BYTES, MOST_COMPLAINTS
from tests.agreements.test_admin import AGREEMENTS, CALENDARS, VERSIONS, act, as_shown, row, told, with_rows
from tests.conftest import MONDAY, PASSWORD, make_calendar, make_commitment, make_step, make_user, triggers_off

TEMPLATES = pytest.mark.parametrize("template", exchange.TEMPLATES, ids=lambda template: template.slug)


@pytest.fixture(autouse=True)
def on_monday():
    with time_machine.travel(MONDAY, tick=False):
        yield


@pytest.fixture
def desk(client, rita):
    """RevOps, logged in."""
    client.force_login(rita)
    return client


@pytest.fixture
def draft(draft) -> Version:
    """A draft whose promises have ladders, of which there is nothing to say."""
    for commitment in draft.commitments.all():
        make_step(commitment, "task")
    return draft


def page(client, version: Version):
    return client.get(reverse(f"{VERSIONS}_change", args=[version.pk]))


def posted(client, version: Version, *rows: dict[str, object], **fields) -> dict[str, object]:
    """What the browser sends of a draft's page on which this was typed."""
    return with_rows(as_shown(page(client, version)) | fields, "commitments", *rows)


def untouched(version: Version) -> dict[str, object]:
    """A row that was added and not written in."""
    return {"title": "", "kind": "", "calendar": version.calendar_id, "covers": "", "position": 0}


def preview(client, version: Version, fields: dict[str, object]):
    return client.post(reverse(f"{VERSIONS}_preview", args=[version.pk]), fields)


def everything() -> dict[str, list[dict[str, object]]]:
    """Every row of every table."""
    return {model._meta.label: list(model._base_manager.order_by("pk").values()) for model in apps.get_models()}


def remarks(response) -> dict[tuple[str, str], str]:
    """Beside which field each remark stands, by its rule and commitment."""
    found = [*response.context["blocking"], *response.context["warning"]]
    return {(one.lint.code, one.lint.commitment): one.beside for one in found}


# --- The preview --------------------------------------------------------------------------------------------------


def test_the_preview_is_the_draft_as_it_would_be_saved(desk, draft):
    fields = posted(
        desk,
        draft,
        row(draft, "attempts", limit=5, unit="business days", attempts=3, target=80, covers="source is Webinar"),
        wanted_from="2025-02-01",
        score_threshold=60,
        covers="country is one of DE; AT",
        **{"commitments-0-target": 70, "commitments-1-DELETE": "on"},
    )
    shown = preview(desk, draft, fields)
    assert shown.status_code == 200
    read = shown.content.decode().replace("\xa0", " ")
    assert "hand over at least 70 qualified leads a month" in read
    assert "A qualified lead scores 60 or more" in read

    assert desk.post(reverse(f"{VERSIONS}_change", args=[draft.pk]), fields).status_code == 302
    saved = Version.objects.get(pk=draft.pk)
    assert [promise.code for promise in terms.of(saved, now=MONDAY).promises] == ["volume", "completeness", "attempts"]
    assert shown.context["terms"] == terms.of(saved, now=MONDAY)
    assert shown.context["marked"] == page(desk, saved).context["marked"]


def test_the_preview_writes_nothing(desk, draft):
    fields = posted(
        desk, draft, row(draft, "volume", code="more", target=5), covers="country is DE",
        **{"commitments-0-covers": "score is at least 80", "commitments-2-DELETE": "on"},
    )  # fmt: skip
    before = everything()
    assert preview(desk, draft, fields).status_code == 200
    assert preview(desk, draft, fields | {"entry_grace_days": "-1"}).status_code == 422
    assert everything() == before


def test_the_preview_marks_what_changes_against_the_version_in_force(desk, version, rita):
    second = signoff.new_draft_from(version, by=rita, now=MONDAY)
    shown = preview(desk, second, posted(desk, second, **{"commitments-0-target": 70}))
    assert shown.context["before_version"] == version
    read = shown.content.decode()
    assert "changes since version 1, in force, are marked" in read
    assert re.search(r"<del><span class=\"unseen\">was </span>50</del> <ins><span class=\"unseen\">now </span>70", read)


def test_while_a_form_cannot_be_saved_the_preview_names_what_it_waits_for(desk, draft):
    typed = {**row(draft, "volume"), "kind": "", "title": "Ring twice"}
    wrong = {"commitments-0-target": "-1", "commitments-1-limit": "", "commitments-1-DELETE": "on"}
    fields = posted(desk, draft, typed, entry_grace_days="", covers="countri is NO", **wrong)
    waits = preview(desk, draft, fields)
    assert waits.status_code == 422
    assert {(one.where, one.says, one.beside) for one in waits.context["problems"]} == {
        ("Criteria", "Line 1: Leads have no field “countri”. Did you mean “country”?", "id_covers"),
        ("Grace for late entry", "This field is required.", "id_entry_grace_days"),
        ("volume · Target", "Ensure this value is greater than or equal to 0.", "id_commitments-0-target"),
        ("Ring twice · What is promised", "This field is required.", "id_commitments-3-kind"),
    }
    read = waits.content.decode()
    assert "The preview waits for these fields" in read and 'data-opens="id_commitments-3-kind"' in read


def test_the_preview_says_the_ladder_as_it_is_typed_and_what_is_odd_about_it(desk, draft):
    typed = "at 50 %: tell the owner\n30 minutes before the limit: reassign to the next rep"
    shown = preview(desk, draft, posted(desk, draft, **{"commitments-1-ladder": typed}))
    read = shown.content.decode().replace("\xa0", " ")
    assert (
        "Until it is done: at 50 % (2 business hours) the owner is told; 30 business minutes before the limit the lead "
        "goes to the next rep."
    ) in read
    assert remarks(shown)["taken-before-the-limit", "first-response"] == "id_commitments-1-ladder"
    assert "at 50 % (2" not in page(desk, draft).content.decode().replace("\xa0", " ")  # nothing is saved yet


def test_a_ladder_that_cannot_be_saved_is_what_the_preview_waits_for(desk, draft):
    wrong = {"commitments-0-ladder": "at 60 %: tell the owner", "commitments-1-ladder": "some day: tell the owner"}
    waits = preview(desk, draft, posted(desk, draft, **wrong))
    assert waits.status_code == 422
    found = {one.beside: (one.where, one.says) for one in waits.context["problems"]}
    assert found["id_commitments-0-ladder"] == (
        "volume · Ladder",
        "Step 1: Volume of qualified leads cannot “tell the owner”. Choose from: tell the manager, tell everybody of a "
        "team, tell everybody with a role, post in a team’s chat, open a task for RevOps, ask for a recovery plan.",
    )
    assert found["id_commitments-1-ladder"][1].startswith("Step 1: “some day: tell the owner” is no step. Write a")


def test_two_commitments_of_one_code_are_what_the_preview_waits_for(desk, draft):
    twins = [row(draft, "volume", code="same"), row(draft, "completeness", code="same")]
    waits = preview(desk, draft, posted(desk, draft, *twins))
    assert waits.status_code == 422
    assert "duplicate" in waits.context["problems"][-1].says


def test_the_preview_is_only_posted_to_and_only_for_a_draft(desk, draft, rita):
    fields = posted(desk, draft)
    assert desk.get(reverse(f"{VERSIONS}_preview", args=[draft.pk])).status_code == 405
    assert desk.post(reverse(f"{VERSIONS}_preview", args=[draft.pk + 1000]), fields).status_code == 404
    signoff.propose(draft, by=rita, now=MONDAY)
    assert preview(desk, draft, fields).status_code == 404


def test_a_page_with_errors_shows_the_draft_as_it_was_last_saved(desk, draft):
    fields = posted(desk, draft, score_threshold=90, entry_grace_days="")
    refused = desk.post(reverse(f"{VERSIONS}_change", args=[draft.pk]), fields)
    assert refused.status_code == 200
    assert refused.context["terms"].score_threshold is None
    assert " data-unsaved" in refused.content.decode()
    assert " data-unsaved" not in page(desk, draft).content.decode()


def test_the_preview_asks_as_often_for_thirty_commitments_as_for_three(desk, draft):
    counts, team = [], draft.agreement.marketing_team
    make_step(draft.commitments.first(), "tell team", share=80, team=team)
    for more in (0, 27):
        for number in range(more):
            made = make_commitment(draft, "completeness", code=f"c-{number}", position=number + 3)
            made.scope.create(field="source", operator="is", value="Webinar")
            make_step(made, "tell team", share=80, team=team)
        fields = posted(desk, draft, score_threshold=50, **{"commitments-0-target": 30})
        with CaptureQueriesContext(connection) as asked:
            assert preview(desk, draft, fields).status_code == 200
        counts.append(len(asked))
    assert counts[0] == counts[1] <= 50


# --- Remarks beside their fields ----------------------------------------------------------------------------------


def test_a_remark_stands_beside_the_field_of_its_row(desk, draft):
    draft.commitments.filter(code="first-response").update(baseline=None, consequence="")
    Version.objects.filter(pk=draft.pk).update(review_cadence="")
    shown = page(desk, draft)
    assert remarks(shown) == {
        ("no-baseline", "first-response"): "id_commitments-1-baseline",
        ("no-consequence", "first-response"): "id_commitments-1-consequence",
        ("no-review-cadence", ""): "id_review_cadence",
        ("no-holidays", ""): "id_calendar",
    }
    read = shown.content.decode()
    for beside in remarks(shown).values():
        assert f'id="{beside}"' in read and f'data-beside="{beside}"' in read
    assert "3 things to do before it can be proposed; 1 to think of" in read


def test_a_remark_on_a_row_that_is_not_saved_yet_stands_in_it(desk, draft):
    fields = posted(
        desk, draft, row(draft, "volume", title="More"), untouched(draft), row(draft, "definition_fit", target=90)
    )
    found = remarks(preview(desk, draft, fields))
    assert found["no-target", "more"] == "id_commitments-3-target"
    assert found["no-baseline", "definition-fit"] == "id_commitments-5-baseline"


def test_a_row_to_be_deleted_keeps_its_place_and_takes_no_remark(desk, draft):
    """What is said of the version must not end up beside the row that has no code any more."""
    draft.commitments.filter(code="volume").update(target=None)
    draft.commitments.filter(code="completeness").update(consequence="")
    assert remarks(page(desk, draft))["no-target", "volume"] == "id_commitments-0-target"
    found = remarks(preview(desk, draft, posted(desk, draft, untouched(draft), **{"commitments-0-DELETE": "on"})))
    assert found == {
        ("no-quantity", ""): "",
        ("no-consequence", "completeness"): "id_commitments-2-consequence",
        ("no-holidays", ""): "id_calendar",
    }


def test_a_draft_with_nothing_to_mend_says_so(desk, draft):
    BusinessCalendar.objects.filter(pk=draft.calendar_id).update(country="DE")
    shown = page(desk, draft)
    assert remarks(shown) == {}
    assert "Nothing to mend" in shown.content.decode()


# --- New drafts ---------------------------------------------------------------------------------------------------


@TEMPLATES
def test_each_template_makes_a_draft_that_nothing_keeps_from_being_proposed(desk, agreement, office, rita, template):
    response = act(desk, f"{AGREEMENTS}_new_draft", agreement.pk, begin_with=template.slug, calendar=office.pk)
    version = agreement.versions.get()
    assert response["Location"] == reverse(f"{VERSIONS}_change", args=[version.pk])
    assert (version.status, version.created_by, version.calendar) == (Status.DRAFT, rita, office)
    titles = [promise["title"] for promise in template.terms["commitments"]]
    assert [promise.title for promise in terms.of(version).promises] == titles
    assert {row.calendar for row in version.commitments.all()} == {office}
    assert page(desk, version).context["blocking"] == []
    act(desk, f"{VERSIONS}_propose", version.pk)
    version.refresh_from_db()
    assert version.status == Status.PROPOSED


def test_a_template_without_a_calendar_counts_in_office_hours_where_the_agreement_is(desk, agreement, office):
    agreement.time_zone = "Europe/Vienna"
    agreement.save()
    step = f"{AGREEMENTS}_new_draft"
    response = act(desk, step, agreement.pk, follow=True, begin_with="one-page-starter", calendar="")
    made = agreement.versions.get().calendar
    assert (made.name, made.time_zone, made.country) == ("Office hours", "Europe/Vienna", "AT")
    assert "Version 1 is a draft" in told(response)
    assert "Calendar “Office hours” is new: Mon–Fri 9:00–17:30, Europe/Vienna" in told(response).replace("\xa0", " ")


def test_the_dialog_says_where_each_version_stands_and_begins_with_the_one_in_force(desk, version, rita):
    signoff.withdraw(signoff.new_draft_from(version, by=rita, now=MONDAY), by=rita, reason="Later", now=MONDAY)
    dialog = desk.get(reverse(f"{AGREEMENTS}_new_draft", args=[version.agreement_id])).content.decode()
    assert "Version 2 (withdrawn)" in dialog
    assert re.search(rf'<option value="{version.pk}" selected>\s*Version 1 \(in force\)', dialog)
    for template in exchange.TEMPLATES:
        assert template.name in dialog and template.about in dialog


def test_only_versions_of_the_agreement_can_be_copied_into_it(desk, version, marketing, sales):
    other = Agreement.objects.create(name="Nordics", marketing_team=marketing, sales_team=sales)
    refused = act(desk, f"{AGREEMENTS}_new_draft", other.pk, begin_with=version.pk)
    assert "Select a valid choice" in refused.content.decode()
    assert not other.versions.exists()


def test_the_draft_after_a_refusal_says_who_declined_and_why(desk, draft, rita, max_, sofia):
    draft = signoff.propose(draft, by=rita, now=MONDAY)
    signoff.sign(
        draft, signer=max_, password=PASSWORD, terms_hash=draft.terms_hash, name="Max Muster", now=MONDAY
    )  # fmt: skip
    signoff.decline(draft, by=sofia, reason="Four hours <are> too few.\nGive us six.", now=MONDAY + timedelta(hours=1))
    follow_up = Version.objects.get(number=2)
    read = page(desk, follow_up).content.decode()
    assert "Version 1 was declined" in read
    assert re.search(
        r"by Sofia on <time[^>]*>3 Mar 2025</time> for sales: Four hours &lt;are&gt; too few.<br>Give us six.", read
    )
    # The signature stays, without effect.
    declined = page(desk, draft).content.decode()
    assert '<span class="sla-strong">Max Muster</span>' in declined and ", without effect" in declined
    # A draft that began elsewhere, or with a version that was withdrawn, has nothing to answer.
    signoff.withdraw(follow_up, by=rita, reason="Not now", now=MONDAY)
    third = signoff.new_draft_from(follow_up, by=rita, now=MONDAY)
    assert "was declined" not in page(desk, third).content.decode()


# --- Terms as files -----------------------------------------------------------------------------------------------


def bring(client, agreement: Agreement, *, file: bytes | None = None, pasted: str = "", follow: bool = False):
    """Import a file or what was pasted."""
    upload = {} if file is None else {"file": SimpleUploadedFile("terms.json", file, "application/json")}
    url = reverse(f"{AGREEMENTS}_import_terms", args=[agreement.pk])
    return client.post(url, {"pasted": pasted, **upload}, follow=follow)


def leaving(client, version: Version) -> bytes:
    response = client.get(reverse(f"{VERSIONS}_export_terms", args=[version.pk]))
    assert response["Content-Disposition"] == f'attachment; filename="dach-inbound-version-{version.number}.json"'
    return response.content


def test_what_is_exported_is_what_was_frozen(desk, version, rita):
    assert terms.canonical(json.loads(leaving(desk, version))) == version.terms
    second = signoff.new_draft_from(version, by=rita, now=MONDAY)
    assert terms.canonical(json.loads(leaving(desk, second))) == terms.freeze(second, now=MONDAY)[0]


@pytest.mark.parametrize("way", ["a file", "a file with a byte order mark", "pasted"])
def test_terms_come_back_as_a_draft_of_any_agreement(desk, version, marketing, sales, rita, way):
    other = Agreement.objects.create(name="Nordics", marketing_team=marketing, sales_team=sales)
    text = leaving(desk, version).decode()
    match way:
        case "pasted":
            response = bring(desk, other, pasted=text, follow=True)
        case "a file":
            response = bring(desk, other, file=text.encode(), follow=True)
        case _:
            response = bring(desk, other, file=text.encode("utf-8-sig"), follow=True)
    made = other.versions.get()
    assert response.redirect_chain[-1][0] == reverse(f"{VERSIONS}_change", args=[made.pk])
    assert (made.status, made.created_by) == (Status.DRAFT, rita)
    assert terms.of(made, now=MONDAY).promises == terms.of(version).promises
    said = told(response).replace("\xa0", " ")
    assert "The file’s name “DACH inbound” is not taken over: the agreement has its own." in said
    assert "The file’s first day 1 January 2025 is left open. Choose anew." in said
    assert "Version 1 is a draft" in said


GOOD = json.dumps(exchange.TEMPLATES[0].terms)
BAD = {
    "nothing": ({}, "Choose a file or paste its text: one of the two."),
    "blanks": ({"pasted": " \n"}, "Choose a file or paste its text: one of the two."),
    "both": ({"file": GOOD.encode(), "pasted": GOOD}, "Choose a file or paste its text: one of the two."),
    "an empty file": ({"file": b""}, "The file is empty."),
    "no text": ({"file": b"\xff\xfe\x00"}, "terms.json is no text in UTF-8. Export the terms again."),
    "a file that is too large": ({"file": b" " * (MOST_BYTES + 1)}, "terms.json is too large for terms: 2,000,001"),
    "too much pasted": ({"pasted": f'"{"x" * MOST_BYTES}"'}, "It is larger than 2 MB, and terms fit on a page."),
    "broken": ({"pasted": '{"schema": 2,'}, "this is not JSON. Export a version to see how terms look."),
    "no object": ({"pasted": "[]"}, "It is not an object. Export a version to see how terms look."),
    "a later schema": ({"pasted": '{"schema": 4}'}, "schema “4” is not known"),
    "another file": ({"file": b'{"name": "sla-portal"}'}, "schema “null” is not known"),
    "a wrong value": ({"pasted": GOOD.replace('"monthly"', '"daily"')}, "review_cadence “daily” is not known."),
}  # fmt: skip


@pytest.mark.parametrize(("sent", "sentence"), BAD.values(), ids=BAD)
def test_bad_terms_are_refused_with_a_sentence_and_nothing_is_written(desk, agreement, sent, sentence):
    before = everything()
    refused = bring(desk, agreement, **sent)
    assert refused.status_code == 422
    assert sentence in refused.content.decode()
    assert everything() == before


def test_everything_that_is_wrong_with_a_file_is_a_list(desk, agreement):
    data = exchange.TEMPLATES[0].terms
    data["commitments"][0]["target"] = "<many>"
    data["commitments"][1]["kind"] = "magic"
    data["review_weekday"] = 9
    refused = bring(desk, agreement, pasted=json.dumps(data)).content.decode()
    assert "Nothing was imported. Mend this in the file:" in refused
    assert len(re.findall(r"<li>(?:commitments|review_weekday)", refused)) == 3
    assert "target “&lt;many&gt;” is not a number" in refused
    assert "There is more" not in refused


def test_of_many_complaints_the_first_are_listed(desk, agreement):
    data = exchange.TEMPLATES[0].terms
    for number in range(MOST_COMPLAINTS + 5):
        data["commitments"][0][f"key-{number}"] = 1
    refused = bring(desk, agreement, pasted=json.dumps(data))
    assert len(refused.context["complaints"]) == MOST_COMPLAINTS
    assert f"There is more; these are the first {MOST_COMPLAINTS}." in refused.content.decode()


# --- Who may ------------------------------------------------------------------------------------------------------


def doors(version: Version) -> list[tuple[str, int, dict[str, str]]]:
    """Every step of drafting: its name, on what, and with which fields."""
    own, agreement = version.pk, version.agreement_id
    return [
        (f"{VERSIONS}_propose", own, {}),
        (f"{VERSIONS}_withdraw", own, {"reason": "No"}),
        (f"{VERSIONS}_draft_from", own, {}),
        (f"{VERSIONS}_preview", own, {}),
        (f"{AGREEMENTS}_new_draft", agreement, {"begin_with": "one-page-starter"}),
        (f"{AGREEMENTS}_import_terms", agreement, {"pasted": GOOD}),
    ]


@pytest.mark.parametrize("who", ["max_", "sofia", "mona", "ron", "vera"])
@pytest.mark.parametrize("staff", [False, True], ids=["", "who may open the admin"])
def test_nobody_but_revops_gets_these_doors(client, request, draft, who, staff):
    person = request.getfixturevalue(who)
    person.is_staff = staff
    person.save()
    client.force_login(person)
    for name, pk, fields in doors(draft):
        before = everything()
        response = act(client, name, pk, **fields)
        assert response.status_code == ((404 if name.endswith("_preview") else 403) if staff else 302), name
        if not staff:
            assert response["Location"].startswith(reverse("admin:login"))
        assert everything() == before, name
    shown = client.get(reverse(f"{AGREEMENTS}_change", args=[draft.agreement_id])).content.decode()
    for name, pk, _ in doors(draft):
        assert reverse(name, args=[pk]) not in shown


def test_who_may_read_versions_may_export_them(client, version, vera, ron):
    for person in (vera, ron):
        person.is_staff = True
        person.save()
    client.force_login(vera)
    assert leaving(client, version)
    client.force_login(make_user("nobody@example.com", is_staff=True))
    assert client.get(reverse(f"{VERSIONS}_export_terms", args=[version.pk])).status_code == 403


def test_a_draft_is_compared_from_its_page(desk, draft):
    response = desk.get(reverse(f"{VERSIONS}_compare", args=[draft.pk]))
    assert response["Location"] == f"{reverse('compare', args=[draft.agreement_id])}?after=1"


# --- What does not fit --------------------------------------------------------------------------------------------


def test_a_changed_row_raises_the_banner_on_both_pages(desk, version):
    pages = [page, lambda client, of: client.get(reverse(f"{AGREEMENTS}_change", args=[of.agreement_id]))]
    for show in pages:
        assert "is not what was signed" not in show(desk, version).content.decode()
    volume = version.commitments.get(code="volume")
    with triggers_off():
        Commitment.objects.filter(pk=volume.pk).update(target=49)
    for show in pages:
        read = show(desk, version).content.decode()
        assert "This agreement is not what was signed." in read
        assert f"commitment {volume.pk}: target changed since event 2 (proposed)" in read


def test_a_person_works_by_one_calendar_and_it_cannot_be_deleted(desk, office, ron):
    night = make_calendar(name="Night")
    for calendar in (office, night):
        url = reverse(f"{CALENDARS}_change", args=[calendar.pk])
        response = desk.post(url, with_rows(as_shown(desk.get(url)), "people", {"person": ron.pk}))
    assert "Works by another calendar already; remove the person there first." in response.content.decode()
    assert [str(hours) for hours in office.people.all()] == ["Ron works by Office"]
    assert not night.people.exists()
    assert desk.post(reverse(f"{CALENDARS}_delete", args=[office.pk]), {"post": "yes"}).status_code == 403
