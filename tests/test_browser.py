"""The main job in a real browser: a draft is proposed, both leaders sign it, a rep works a lead, a number opens.

Any message on the browser's console fails the test: a strict content policy breaks pages silently.
"""

import re
import shutil
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from agreements.models import Status, Version
from leads import clocks, intake
from leads.models import Clock, Handoff
from tests.conftest import PASSWORD, make_record

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
        quiet.fill("input[name=password]", PASSWORD)
        quiet.get_by_role("button", name="Sign version 1").click()
        expect(quiet.get_by_text("You have signed")).to_be_visible()
    version = Version.objects.get(pk=draft.pk)
    assert version.status == Status.AGREED
    assert version.is_retroactive
    expect(quiet.get_by_text("applied to history from").first).to_be_visible()


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


@pytest.mark.parametrize("width", [390, 1280])
def test_no_page_scrolls_sideways(quiet, live_server, version, rita, ron, width):
    now = timezone.now()
    company = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
    records = [make_record(str(n), received_at=now, company=company, name="Ines Albrecht " * 5) for n in range(30)]
    handoff = intake.receive_leads(records, now=now).handoffs[0]
    quiet.set_viewport_size({"width": width, "height": 800})
    log_in(quiet, live_server.url, rita)
    month = now.strftime("%Y-%m")
    card = f"/scorecards/{version.agreement_id}/{month}/"
    for path in ("/scorecards/", card, "/handoffs/", handoff.get_absolute_url(), "/agreements/", "/numbers/"):
        quiet.goto(live_server.url + path)
        assert quiet.evaluate("document.documentElement.scrollWidth") <= width, path
    log_in(quiet, live_server.url, ron)
    quiet.goto(f"{live_server.url}/leads/")
    assert quiet.evaluate("document.documentElement.scrollWidth") <= width
