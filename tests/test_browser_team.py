"""What happens around a rep, in a real browser: a manager rescues a lead, and a rejection is disputed and decided."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from leads import intake, ticking
from leads.models import Answer, Handoff, ReasonCode
from tests.conftest import agree, make_commitment, make_record
from tests.test_browser import browser_type_launch_args, fits, log_in  # noqa: F401 (a fixture)

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True, serialized_rollback=True)]


@pytest.fixture
def silent(page: Page):
    """The page, whose console must stay silent."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda problem: said.append(str(problem)))
    yield page
    assert said == []


@pytest.fixture
def signed(draft, rita, max_, sofia):
    """Version 1, which also promises a review within ten minutes, and that four in five are accepted."""
    make_commitment(draft, "acceptance", limit=10, unit="minutes", position=8, title="Review in ten minutes")
    make_commitment(draft, "acceptance_rate", target=80, position=9, title="Four in five accepted")
    return agree(draft, by=rita, marketing=max_, sales=sofia)


def hand_over(external_id: str, name: str, *, ago: timedelta = timedelta(0), **fields) -> Handoff:
    now = timezone.now()
    (begun,) = intake.receive_leads(
        [make_record(external_id, name=name, received_at=now - ago, **fields)], now=now - ago
    ).handoffs
    return begun


def test_a_manager_rescues_a_lead_on_a_board_that_refreshes_by_itself(page: Page, live_server, signed, mona, ron, ruth):
    missed = hand_over("M", "Miriam Missed", ago=timedelta(minutes=30), owner="Ron")
    saved = hand_over("S", "Sven Saved", owner="Ron")
    ticking.tick(now=timezone.now())
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.set_viewport_size({"width": 1280, "height": 900})
    page.clock.install()
    log_in(page, live_server.url, mona)
    page.goto(f"{live_server.url}/team/")
    due = page.get_by_role("region", name="Due in the next four business hours").first
    row = due.get_by_role("row").filter(has_text="Sven Saved")
    expect(row).to_contain_text("Decide: accept or reject")
    expect(row).to_contain_text("Ruth")

    # While somebody chooses and types, the board is fetched anew, and takes nothing away.
    row.get_by_role("checkbox").check()
    page.get_by_label("Give the chosen to").select_option(str(ruth.pk))
    why = page.locator("#reassign_why")
    why.press_sequentially("Ron is at a customer’s")
    hand_over("N", "Nora New", owner="Ron")
    page.clock.run_for(61_000)
    expect(due).to_contain_text("Nora New")
    expect(row.get_by_role("checkbox")).to_be_checked()
    expect(why).to_have_value("Ron is at a customer’s")
    expect(why).to_be_focused()
    expect(page.get_by_label("Give the chosen to")).to_have_value(str(ruth.pk))
    expect(page.get_by_label("Choose all of this page").first).to_be_visible()
    assert said == []

    # Without a server it says so, and since when it knows nothing.
    page.route("**/team/", lambda route: route.abort())
    page.clock.run_for(61_000)
    expect(page.locator("#refresh-failed")).to_have_text(re.compile(r"^Last refreshed .+, cannot reach the server$"))
    page.unroute("**/team/")
    page.clock.run_for(61_000)
    expect(page.locator("#refresh-failed")).to_be_empty()

    page.get_by_role("button", name="Reassign").click()
    expect(page.get_by_text("1 reassigned: 1 to Ruth.")).to_be_visible()
    saved.refresh_from_db()
    assert saved.owner == ruth

    misses = page.get_by_role("listitem").filter(has_text="Miriam Missed").filter(has_text="Review in ten minutes")
    misses.get_by_role("link", name="Answer").click()
    cause = page.locator("#answer_miss_cause")
    expect(cause).to_be_visible()  # the form that the link names is open
    cause.fill("Nobody looked at the queue")
    page.locator("#answer_miss_action").fill("The board stays open")
    page.locator("#answer_miss").get_by_role("button", name="Answer a miss").click()
    expect(page.get_by_text("Answered.")).to_be_visible()
    assert Answer.objects.get().handoff == missed


def test_a_rejection_is_disputed_and_upheld_and_the_scorecard_counts_it(
    silent: Page, live_server, signed, ron, max_, rita, vera
):
    handoff = hand_over("D", "Dora Disputed")
    reason = ReasonCode.objects.filter(is_quality=True, is_active=True, needs_contact=False).first()
    own = live_server.url + handoff.get_absolute_url()
    log_in(silent, live_server.url, ron)
    silent.goto(f"{own}#reject")
    silent.locator("#reject select[name=reason]").select_option(str(reason.pk))
    silent.locator("#reject input[name=criterion]").first.check()
    silent.locator("#reject textarea[name=note]").fill("She is a student")
    silent.locator("#reject").get_by_role("button", name="Reject").click()
    expect(silent.get_by_text("Rejected.")).to_be_visible()

    log_in(silent, live_server.url, max_)
    silent.goto(f"{live_server.url}/handover/")
    silent.get_by_role("listitem").filter(has_text="Dora Disputed").get_by_role("link", name="Dispute").last.click(
        timeout=4000
    )
    comment = silent.locator("#dispute_decision_comment")
    expect(comment).to_be_focused()
    comment.fill("She runs their logistics.")
    silent.locator("#dispute_decision").get_by_role("button", name="Dispute").click()
    expect(silent.get_by_text("Disputed: RevOps decides.")).to_be_visible()

    log_in(silent, live_server.url, rita)
    silent.goto(f"{live_server.url}/decisions/")
    case = silent.get_by_role("region", name="Dora Disputed")
    for words in ("She runs their logistics.", "She is a student", str(reason)):
        expect(case).to_contain_text(words)
    case.get_by_label("Upheld: it counts as accepted").check()
    case.get_by_label("Why").fill("Her title says so.")
    case.get_by_role("button", name="Decide").click()
    expect(silent.get_by_text("Nothing waits for a decision")).to_be_visible()

    log_in(silent, live_server.url, vera)
    month = timezone.now().astimezone(signed.agreement.zone).strftime("%Y-%m")
    silent.goto(f"{live_server.url}/scorecards/{signed.agreement_id}/{month}/")
    rate = signed.commitments.get(kind="acceptance_rate")
    silent.get_by_role("button", name="Compute now").click()  # what a worker does every few minutes
    silent.locator(f"a[href*='commitment={rate.pk}'][href*='state=met']").first.click()
    expect(silent.get_by_text("Dora Disputed").first).to_be_visible()
    expect(silent.get_by_text("A dispute was upheld").first).to_be_visible()


LONGEST = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"


def test_none_of_these_pages_scrolls_sideways_on_a_phone(silent: Page, live_server, signed, rita, ron, max_):
    type(ron).objects.filter(pk=ron.pk).update(name=LONGEST)
    for number in range(3):
        hand_over(f"L{number}", f"{LONGEST} {number}", company=LONGEST, source=LONGEST, campaign=LONGEST,
                  ago=timedelta(minutes=20 * number))  # fmt: skip
    ticking.tick(now=timezone.now())
    silent.set_viewport_size({"width": 390, "height": 800})
    log_in(silent, live_server.url, rita)
    fits(silent, live_server.url, "/team/", "/team/people", "/handover/", "/handover/?by=campaign", "/decisions/")
