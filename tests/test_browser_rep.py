"""A rep's day in a real browser: by keyboard and mouse, with somebody else on the same lead, and with one thumb.

Any message on the browser's console fails the test, but for what browsers write of an answer that refuses (422).
"""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Locator, Page, expect

from leads import intake, routing, tracking
from leads.models import Attempt, Disposition, Handoff, ReasonCode
from tests.conftest import agree, make_always, make_record
from tests.test_browser import browser_type_launch_args, log_in  # noqa: F401 (a fixture)

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True, serialized_rollback=True)]


@pytest.fixture
def silent(page: Page):
    """The page, whose console must stay silent."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda problem: said.append(str(problem)))
    yield page
    assert [words for words in said if "422" not in words] == []


@pytest.fixture
def leads(draft, rita, max_, sofia, ron) -> list[Handoff]:
    """Three leads of Ron's, to be called within four hours of any day, that are worked around the clock."""
    draft.commitments.update(calendar=make_always())
    draft.criteria.create(field="company_size", operator="at least", value="200")
    agree(draft, by=rita, marketing=max_, sales=sofia, now=timezone.now())
    now = timezone.now() - timedelta(minutes=200)
    names = ("Ada Adler", "Bo Berg", "Cy Conrad")
    records = [
        make_record(name, name=name, email=f"{name[:2]}@example.com", phone="+49 30 1", received_at=now,
                    company_size=220 - 185 * (name == "Cy Conrad"), handed_over=True)
        for name in names
    ]  # fmt: skip
    return intake.receive_leads(records, now=now).handoffs


def line(page: Page, name: str) -> Locator:
    return page.locator(".lead", has_text=name)


def test_a_reps_day_by_keyboard_and_mouse(silent, live_server, leads, ron):
    page = silent
    page.set_viewport_size({"width": 1440, "height": 900})
    log_in(page, live_server.url, ron)
    page.goto(f"{live_server.url}/leads/")
    ada, bo, cy = (line(page, name) for name in ("Ada Adler", "Bo Berg", "Cy Conrad"))
    expect(ada.locator("time")).to_have_class("tone warn")  # forty minutes are left
    expect(ada.locator("time")).to_contain_text("min")

    # Keys move, log and tell; what was done can be taken back for ten seconds.
    page.keyboard.press("j")
    expect(ada).to_be_focused()
    page.keyboard.press("c")
    expect(ada).to_contain_text("1 attempt, no answer")
    expect(page.locator("#toast")).to_contain_text("A call without an answer is logged. first_response met")
    expect(ada).to_be_focused()
    page.keyboard.press("u")
    expect(ada).to_contain_text("no attempt yet")
    page.keyboard.press("e")
    expect(ada).to_contain_text("1 attempt, sent")
    page.locator("#toast button").click()
    expect(ada).to_contain_text("no attempt yet")
    assert Attempt.objects.valid().count() == 0

    # Two clicks for the rest, and the list stays where it is.
    page.keyboard.press("j")
    expect(bo).to_be_focused()
    bo.get_by_role("link", name="Log").click()
    bo.locator("textarea").fill("jjj: calls back at noon")  # no key while typing
    bo.get_by_role("button", name="Left a voicemail").click()
    expect(bo).to_contain_text("1 attempt, left a voicemail")
    assert [row.split("\n")[1] for row in page.locator(".lead").all_inner_texts()] == [
        "Ada Adler", "Bo Berg", "Cy Conrad"
    ]  # fmt: skip
    page.keyboard.press("a")
    expect(bo).to_contain_text("SAL")

    # A reason about quality asks what failed; one that needs attempts says how many are missing.
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(cy.get_by_label("Reason")).to_be_focused()
    expect(cy.get_by_text("What of the signed definition failed")).to_be_hidden()
    quality = ReasonCode.objects.filter(is_quality=True, for_rejected=True, is_active=True).first()
    cy.get_by_label("Reason").select_option(str(quality.pk))
    cy.get_by_role("button", name="Reject").last.click()
    expect(cy).to_contain_text("is about quality: say what of the signed definition the lead fails.")
    cy.get_by_label("Company size is at least 200 (theirs: 35)").check()
    cy.get_by_role("button", name="Reject").last.click()
    expect(cy).to_contain_text("Rejected by you")
    assert Disposition.objects.get(verdict="rejected").criterion == "Company size is at least 200 (theirs: 35)"
    page.keyboard.press("k")
    page.keyboard.press("k")
    page.keyboard.press("r")
    needing = ReasonCode.objects.filter(needs_attempts__gt=0, for_recycled=True, is_active=True).first()
    ada.get_by_label("Reason").select_option(str(needing.pk))
    expect(ada.locator(".asked")).to_contain_text(f"needs {needing.needs_attempts} attempts")
    page.keyboard.press("Escape")
    expect(ada.locator(".sheet")).to_have_count(0)
    expect(ada).to_be_focused()

    # Help, search and hold.
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#keys")).to_be_hidden()
    page.keyboard.press("h")
    ada.get_by_label("Why the time shall not count").fill("At the fair")
    page.keyboard.press("Enter")
    expect(ada).to_contain_text("On hold")
    page.keyboard.press("/")
    page.keyboard.type("berg")
    page.keyboard.press("Enter")
    expect(page.locator(".lead")).to_have_count(1)
    assert "q=berg" in page.url


def test_an_answer_that_comes_late_leaves_the_hands_where_they_are(silent, live_server, leads, ron):
    """While one line waits for its answer, somebody types into another: none of it becomes a command."""
    page = silent
    log_in(page, live_server.url, ron)
    page.goto(f"{live_server.url}/leads/")
    ada, bo = line(page, "Ada Adler"), line(page, "Bo Berg")
    bo.get_by_role("link", name="Log").click()
    held = []
    page.route("**/call", lambda route: held.append(route))
    ada.get_by_role("button", name="No answer").click()
    bo.locator("textarea").fill("will call ")
    expect(bo.locator("textarea")).to_be_focused()
    held[0].continue_()
    expect(ada).to_contain_text("1 attempt, no answer")
    page.keyboard.type("back, accepted")
    expect(bo.locator("textarea")).to_have_value("will call back, accepted")
    assert (Attempt.objects.count(), Disposition.objects.count()) == (1, 0)

    # What was typed is lost only when somebody says so.
    asked = []
    page.once("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
    page.keyboard.press("Escape")
    expect(bo.locator("textarea")).to_have_value("will call back, accepted")
    assert asked == ["What you have typed is not saved. Go on without it?"]
    page.once("dialog", lambda dialog: dialog.accept())
    bo.locator("textarea").press("Escape")
    expect(bo.locator(".sheet")).to_have_count(0)


def test_the_second_of_two_browsers_is_told_what_the_first_did_and_loses_nothing(
    silent, live_server, leads, ron, ruth, mona
):
    page, duplicate = silent, ReasonCode.objects.get(code="duplicate")
    ada, bo = leads[:2]
    log_in(page, live_server.url, ron)
    page.goto(f"{live_server.url}/leads/")
    line(page, "Ada Adler").locator("[data-others]").click()
    line(page, "Ada Adler").get_by_role("button", name="Reject").click()
    row = line(page, "Ada Adler")
    row.get_by_label("Reason").select_option(str(duplicate.pk))
    row.locator("textarea").fill("Known since May")
    tracking.dispose([tracking.Decision(ada, "accepted")], by=mona, now=timezone.now())
    row.get_by_role("button", name="Reject").last.click()
    expect(row).to_contain_text("Mona accepted it")
    expect(row.locator("textarea")).to_have_value("Known since May")
    expect(row.get_by_label("Reason")).to_have_value(str(duplicate.pk))
    row.get_by_role("button", name="Reject").last.click()
    expect(row).to_contain_text("Rejected by you")

    routing.assign([(bo, ruth)], why="Ron is at the fair", by=mona, now=timezone.now())
    line(page, "Bo Berg").get_by_role("button", name="No answer").click()
    expect(line(page, "Bo Berg")).to_contain_text("Ruth has it. Why: Ron is at the fair (Mona).")
    assert not Attempt.objects.exists()


def test_an_attempt_is_logged_with_one_thumb(silent, live_server, leads, ron):
    page = silent
    page.set_viewport_size({"width": 390, "height": 844})
    page.emulate_media(reduced_motion="reduce")  # what comes up is measured where it stays
    log_in(page, live_server.url, ron)
    page.goto(f"{live_server.url}/leads/")
    ada = line(page, "Ada Adler")
    buttons = ada.locator(".acts > .btn")
    heights = [box["height"] for box in (buttons.nth(n).bounding_box() for n in range(buttons.count()))]
    assert len(heights) == 4
    assert min(heights) >= 44
    ada.get_by_role("link", name="Log").click()
    sheet = ada.locator(".sheet")
    box = sheet.bounding_box()
    assert (box["x"], box["width"], box["y"] + box["height"]) == (0, 390, 844)  # it comes up from below
    sheet.get_by_role("button", name="Spoke with them").click()
    expect(ada).to_contain_text("1 attempt, spoke with them")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert Attempt.objects.get().outcome == "connected"
