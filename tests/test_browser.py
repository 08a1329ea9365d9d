"""The main job in a real browser: a draft is proposed, both leaders sign it, a rep works a lead, a number opens.

Any message on the browser's console fails the test: a strict content policy breaks pages silently.
"""

import re
import shutil
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from agreements import signoff
from agreements.models import Agreement, BusinessCalendar, Status, Version
from leads import clocks, intake
from leads.models import Clock, Handoff
from slaportal.models import User
from tests.conftest import PASSWORD, make_record, make_step

# No test fails because the machine is busy.
expect.set_options(timeout=20_000)

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True, serialized_rollback=True)]


@pytest.fixture(scope="session")
def browser_type_launch_args():
    return {"executable_path": shutil.which("chromium"), "args": ["--no-sandbox", "--disable-gpu"]}


@pytest.fixture
def quiet(page: Page):
    """The page, whose console must stay silent."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda problem: said.append(str(problem)))
    yield page
    assert said == []


def log_in(page: Page, address: str, user) -> None:
    page.context.clear_cookies()
    page.goto(f"{address}/login/")
    page.fill("input[name=username]", user.email)
    page.fill("input[name=password]", PASSWORD)
    page.click("button[type=submit]")
    expect(page).not_to_have_url(re.compile("/login/"))


def fits(page: Page, address: str, *paths: str) -> None:
    """Open pages, none of which may be wider than the window."""
    for path in paths:
        page.goto(address + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"], path


def test_revops_proposes_and_both_leaders_sign(quiet, live_server, draft, rita, max_, sofia):
    log_in(quiet, live_server.url, rita)
    quiet.goto(f"{live_server.url}/admin/agreements/version/{draft.pk}/change/")
    quiet.get_by_role("link", name="Propose").or_(quiet.get_by_role("button", name="Propose")).first.click()
    confirm = quiet.get_by_role("button", name=re.compile("propose", re.IGNORECASE))
    if Version.objects.get(pk=draft.pk).status == Status.DRAFT:
        confirm.last.click()
    expect(quiet.get_by_text("proposed", exact=False).first).to_be_visible()
    for leader in (max_, sofia):
        log_in(quiet, live_server.url, leader)
        quiet.goto(live_server.url + draft.get_absolute_url())
        quiet.fill("input[name=title]", "Vice President")
        quiet.fill("input[name=password]", PASSWORD)
        quiet.get_by_role("button", name="Sign version 1").click()
        expect(quiet.get_by_text("You have signed")).to_be_visible()
    version = Version.objects.get(pk=draft.pk)
    assert version.status == Status.AGREED
    assert version.is_retroactive
    expect(quiet.get_by_text("applied to history from").first).to_be_visible()


def test_a_draft_is_edited_beside_how_it_reads_and_what_is_to_mend(quiet, live_server, draft, rita):
    for commitment in draft.commitments.all():
        make_step(commitment, "task")
    quiet.set_viewport_size({"width": 1440, "height": 900})
    log_in(quiet, live_server.url, rita)
    quiet.goto(f"{live_server.url}/admin/agreements/version/{draft.pk}/change/")
    reads, row = quiet.locator("#sla-preview"), quiet.locator("#commitments-group .form-group").first
    remark, flag = row.locator("p.sla-beside"), row.locator("h3 .sla-flag")
    quiet.get_by_text("volume", exact=True).first.click()
    quiet.fill("#id_commitments-0-target", "70")
    expect(reads).to_contain_text("hand over at least 70 qualified leads")
    expect(flag).to_have_count(0)

    quiet.fill("#id_commitments-0-baseline", "")
    expect(remark).to_contain_text("“volume” has no baseline.")
    # Of a closed row the header tells; a click on the remark opens it at the field.
    quiet.locator("#commitments-group h3 strong").first.click()
    expect(remark).to_be_hidden()
    expect(flag).to_be_visible()
    reads.get_by_role("button", name="has no baseline").click()
    expect(quiet.locator("#id_commitments-0-baseline")).to_be_focused()
    quiet.keyboard.type("40")
    expect(remark).to_have_count(0)
    expect(flag).to_have_count(0)
    assert draft.commitments.get(code="volume").target == 50  # nothing is saved yet

    # What is folded away opens likewise.
    quiet.select_option("#id_review_cadence", "", force=True)
    reads.get_by_role("button", name="Nobody looks at the scorecard").click()
    expect(quiet.locator("#id_review_cadence")).to_be_focused()
    quiet.select_option("#id_review_cadence", "monthly")
    expect(reads.get_by_text("Nobody looks at the scorecard")).to_have_count(0)
    quiet.get_by_role("button", name="Save and continue editing").click()
    expect(quiet.get_by_text("changed successfully")).to_be_visible()
    assert draft.commitments.get(code="volume").target == 70


def test_a_ladder_is_edited_in_rows_or_as_text_and_reads_beside_it(page, live_server, draft, rita):
    contact = draft.commitments.get(code="first-response")
    make_step(contact, "tell owner", share=50)
    make_step(contact, "tell manager", share=100)
    page.set_viewport_size({"width": 1440, "height": 900})
    log_in(page, live_server.url, rita)
    page.goto(f"{live_server.url}/admin/agreements/version/{draft.pk}/change/")
    reads, row = page.locator("#sla-preview"), page.locator("#commitments-group .form-group").nth(1)
    row.locator("h3 strong").click()
    field, rungs = row.locator(".field-ladder"), row.locator(".sla-rung")
    text, kind = row.locator("textarea[name$='-ladder']"), row.locator("select[name$='-kind']")
    expect(rungs).to_have_count(2)
    # A new step says something at once, and offers what the kind can do.
    field.get_by_role("button", name="Add step").click()
    expect(reads).to_contain_text("at the limit the manager and the owner.")
    new = rungs.nth(2)
    new.get_by_label("When").fill("30")
    new.get_by_label("Counted in").select_option("minutes before the limit")
    new.get_by_label("Action").select_option("tell everybody with a role")
    new.get_by_label("Role").select_option("Sales leader")
    assert not new.get_by_label("Action").locator("option", has_text="recovery plan").is_enabled()
    expect(reads).to_contain_text("30\xa0business minutes before the limit every sales leader")
    # Rows are moved and removed.
    new.get_by_role("button", name="Move step up").click()
    rungs.nth(0).get_by_role("button", name="Remove step").click()
    assert text.input_value() == (
        "30 minutes before the limit: tell everybody with a role (Sales leader)\nat 100 %: tell the manager"
    )
    # What another kind cannot do is said, and nothing is lost.
    rungs.nth(1).get_by_label("Action").select_option("tell the owner")
    kind.select_option("dispute_answer")
    expect(page.locator("#sla-waits")).to_contain_text("Step 2: Answer to disputes cannot “tell the owner”.")
    kind.select_option("first_response")
    expect(reads).to_contain_text("at the limit the owner.")
    # Text that cannot be told apart stays text.
    field.get_by_role("button", name="Write as text").click()
    text.fill("at 80 %: tell the owner\nsome day: tell the owner")
    field.get_by_role("button", name="Show as rows").click()
    expect(text).to_be_visible()
    text.fill("at 80 %: tell the owner\n2 hours after the limit: reassign to the next rep")
    field.get_by_role("button", name="Show as rows").click()
    expect(rungs).to_have_count(2)
    page.get_by_role("button", name="Save and continue editing").click()
    expect(page.get_by_text("changed successfully")).to_be_visible()
    assert [str(step) for step in contact.steps.all()] == ["80 %: tell the owner", "+120 min: reassign to the next rep"]


def test_the_preview_waits_for_what_cannot_be_saved(page, live_server, draft, rita):
    """Not held to a silent console: browsers write there that a form was refused."""
    log_in(page, live_server.url, rita)
    page.goto(f"{live_server.url}/admin/agreements/version/{draft.pk}/change/")
    page.get_by_role("link", name="Add another Commitment").click()
    page.fill("#id_commitments-3-title", "Ring twice")
    waits = page.locator("#sla-waits")
    expect(waits).to_contain_text("Ring twice · What is promised")
    waits.get_by_role("button", name="What is promised").click()
    expect(page.locator("#id_commitments-3-kind")).to_be_focused()
    page.select_option("#id_commitments-3-kind", "definition_fit")
    expect(page.locator("#sla-preview")).to_contain_text("“Ring twice” has no target.")
    expect(waits).to_have_text("", use_inner_text=True)
    page.context.clear_cookies()
    page.fill("#id_commitments-3-target", "90")
    expect(waits).to_contain_text("The preview has stopped")


def test_a_template_is_proposed_and_declined_and_revops_finds_the_reason(
    quiet, live_server, agreement, office, rita, sofia
):
    page = f"{live_server.url}/admin/agreements/agreement/{agreement.pk}/change/"
    log_in(quiet, live_server.url, rita)
    quiet.goto(page)
    quiet.get_by_role("link", name="Draft version 1").click()
    quiet.select_option("#dialog select[name=begin_with]", label="ICP with review and acceptance")
    quiet.get_by_role("button", name="Draft it").click()
    expect(quiet.get_by_text("Version 1 is a draft")).to_be_visible()
    quiet.goto(page)
    quiet.locator(".sla-timeline").get_by_role("link", name="Propose").click()
    quiet.get_by_role("button", name="Freeze and propose").click()
    expect(quiet.get_by_text("Version 1 is proposed. Both leaders can sign it now.")).to_be_visible()

    log_in(quiet, live_server.url, sofia)
    quiet.goto(live_server.url + agreement.versions.get().get_absolute_url())
    quiet.get_by_text("Decline…").click()
    quiet.fill("textarea[name=reason]", "Nobody works on Fridays.")
    quiet.get_by_role("button", name="Decline version 1").click()
    expect(quiet.get_by_text("You have declined version 1.")).to_be_visible()

    log_in(quiet, live_server.url, rita)
    quiet.goto(page)
    expect(quiet.get_by_text("declined by Sofia")).to_contain_text("for sales: Nobody works on Fridays.")
    quiet.get_by_role("link", name="Version 2").click()
    expect(quiet.get_by_text("Version 1 was declined")).to_be_visible()
    assert [row.status for row in agreement.versions.order_by("number")] == [Status.DECLINED, Status.DRAFT]


def test_a_rep_logs_an_attempt_and_accepts_and_the_scorecard_opens_to_it(quiet, live_server, version, ron, vera):
    now = timezone.now()
    intake.receive_leads([make_record(received_at=now - timedelta(minutes=5))], now=now)
    log_in(quiet, live_server.url, ron)
    quiet.goto(f"{live_server.url}/leads/")
    quiet.get_by_role("button", name="No answer").first.click()
    expect(quiet.get_by_text("1 attempt").first).to_be_visible()
    assert Clock.objects.get(commitment__code="first-response").state == clocks.MET
    quiet.get_by_role("link", name="Ines Albrecht").first.click()
    quiet.locator("form[action$='/accept'] button").first.click()
    assert Handoff.objects.get().stage == Handoff.Stage.SAL

    log_in(quiet, live_server.url, vera)
    month = now.astimezone(version.agreement.zone).strftime("%Y-%m")
    quiet.goto(f"{live_server.url}/scorecards/{version.agreement_id}/{month}/")
    quiet.locator("a[href*='state=met']").first.click()
    expect(quiet.get_by_text("Ines Albrecht").first).to_be_visible()


LONGEST = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"


def test_no_page_of_an_agreement_scrolls_sideways_on_a_phone(quiet, live_server, draft, rita, max_, sofia):
    """However long its note is, and the names of people, promises and calendars."""
    Agreement.objects.update(name="Anfragen aus Deutschland, Österreich und der Schweiz " * 2)
    User.objects.filter(pk__in=[max_.pk, sofia.pk]).update(name=LONGEST, title=LONGEST)
    Version.objects.update(note=f"{LONGEST}\n" + "Why this version, and what it should bring. " * 40)
    draft.commitments.update(title=LONGEST, consequence=LONGEST * 3)
    BusinessCalendar.objects.update(name=LONGEST)
    version = signoff.propose(draft, by=rita, now=timezone.now())
    signed = {"password": PASSWORD, "terms_hash": version.terms_hash, "name": LONGEST, "title": LONGEST}
    signoff.sign(version, signer=max_, now=timezone.now(), **signed)
    second = signoff.new_draft_from(version, by=rita, now=timezone.now())
    quiet.set_viewport_size({"width": 390, "height": 800})
    own, admin = version.get_absolute_url(), "/admin/agreements"
    log_in(quiet, live_server.url, sofia)
    fits(quiet, live_server.url, own, f"/agreements/{version.agreement_id}/", "/agreements/")
    log_in(quiet, live_server.url, rita)
    in_admin = [f"version/{version.pk}", f"version/{second.pk}", f"agreement/{version.agreement_id}"]
    fits(
        quiet, live_server.url, f"{own}document", f"/agreements/{version.agreement_id}/compare/",
        *(f"{admin}/{place}/change/" for place in in_admin), f"{admin}/agreement/{version.agreement_id}/import_terms/",
    )  # fmt: skip


@pytest.mark.parametrize("width", [390, 1280])
def test_no_page_scrolls_sideways(quiet, live_server, version, rita, ron, width):
    now = timezone.now()
    records = [make_record(str(n), received_at=now, company=LONGEST, name="Ines Albrecht " * 5) for n in range(30)]
    handoff = intake.receive_leads(records, now=now).handoffs[0]
    quiet.set_viewport_size({"width": width, "height": 800})
    log_in(quiet, live_server.url, rita)
    month = now.strftime("%Y-%m")
    card = f"/scorecards/{version.agreement_id}/{month}/"
    fits(
        quiet, live_server.url, "/scorecards/", card, "/handoffs/", handoff.get_absolute_url(), "/agreements/",
        "/numbers/",
    )  # fmt: skip
    log_in(quiet, live_server.url, ron)
    fits(quiet, live_server.url, "/leads/")
