"""Every page of the portal against WCAG 2.2 AA as axe sees it: by role, at a desk and on a phone, light and dark.

What axe cannot see (does the order of the keys make sense, do the words) is for people to look at.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cached_property

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from django.urls import URLPattern, get_resolver, reverse
from django.utils import timezone
from playwright.sync_api import Page

from agreements import signoff
from agreements.models import Version
from leads import disputes, exclusions, intake, timekeeping, tracking
from leads.models import Clock, Handoff, ReasonCode
from leads.periods import MONTH, Period
from leads.tracking import Decision, NewAttempt
from reports import planning, reviews, scorecards, sealing
from reports.models import RecoveryPlan
from reports.rhythm import Review
from reports.seals import Seal
from slaportal.models import User
from tests.conftest import agree, make_absence, make_commitment, make_record, make_step
from tests.test_browser import browser_type_launch_args, log_in  # noqa: F401 (a fixture)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.embedded,
    pytest.mark.long,
    pytest.mark.django_db(transaction=True, serialized_rollback=True),
]

DAY = timedelta(days=1)
DESK, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 800}
LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
QUICK = {"resultTypes": ["violations"], "preload": False, "iframes": False}
RULES = {"runOnly": LEVELS, **QUICK}
# Dark is the same page in other colours, and a phone shows all of them.
COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast"]}, **QUICK}
# Addresses that lead elsewhere, or only do something.
NO_PAGES = {
    "home", "logout", "choose_period", "notice", "notices_read", "notice_test", "notice_test_team", "handover_month",
}  # fmt: skip
ACTS = ("log_attempt", "recycle", "reject", "hold")


class World:
    """A lead in every state, a version that waits for signatures, a plan that waits for words."""

    def __init__(self, people: dict[str, User], first: Version) -> None:
        self.agreement, now = first.agreement, timezone.now()
        draft = signoff.new_draft_from(first, by=people["rita"], now=now)
        draft.commitments.filter(kind="volume").update(target=70)
        self.proposed = signoff.propose(draft, by=people["rita"], now=now)
        make_absence(people["ruth"], (now - DAY).date(), (now + DAY).date())
        self.leads = {}
        # Long enough ago for a miss, whatever day it is.
        for when, *names in ((now - 7 * DAY, "missed", "rejected"), (now, "called", "held", "recycled", "fresh")):
            records = [make_record(name, received_at=when, owner="Ron", phone="+49 30 555 1416") for name in names]
            for record, handoff in zip(records, intake.receive_leads(records, now=when).handoffs, strict=True):
                self.leads[record.external_id] = handoff
        intake.receive_leads([make_record("queued", received_at=now)], now=now)
        self._work(people, now)
        self.review = self._meet(people, now)
        commitment = first.commitments.get(kind="volume")
        self.plan = RecoveryPlan.objects.create(
            commitment=commitment, month=now.date().replace(day=1), figures="18 of 50", asked_at=now
        )

    @cached_property
    def seal(self) -> Seal:
        """Of the running month, as if it had closed; a call that is brought afterwards would make it read otherwise."""
        now = timezone.now()
        period = Period.current(MONTH, now, self.agreement.zone)
        made = sealing._append(self.agreement, period, now, known_at=now, now=now)
        call = NewAttempt(lead=self.leads["called"].lead, outcome="connected")
        tracking.log_attempts([call], by=None, now=timezone.now(), from_system=True)
        scorecards.store(self.agreement, period, now=timezone.now())
        return made

    def _meet(self, people: dict[str, User], now: datetime) -> Review:
        """A review that was held and decided something, beside the next one by the cadence."""
        planning.plan_ahead(now=now)
        max_, called = people["max_"], {"starts_at": now + timedelta(seconds=1), "length": 30, "reason": "Late again"}
        review = reviews.call(self.agreement, **called, place="Room 4", by=max_, now=now)
        due = {"owner": max_, "due_on": (now + 9 * DAY).date()}
        reviews.decide(review, text="Call every partner", **due, by=max_, now=now)
        return reviews.hold(review, minutes="Both sides talked.", attended={max_.pk}, by=max_, now=now)

    def _work(self, people: dict[str, User], now: datetime) -> None:
        ron, max_ = people["ron"], people["max_"]
        leads = {name: Handoff.objects.get(pk=handoff.pk) for name, handoff in self.leads.items()}
        for name in ("rejected", "called", "recycled"):
            tracking.log_attempts([NewAttempt(lead=leads[name].lead, note="Nobody there")], by=ron, now=now)
        tracking.hold([leads["held"]], reason="On leave until Monday", by=ron, now=now)
        for name, verdict, code in (("rejected", "rejected", "no_budget"), ("recycled", "recycled", "bad_timing")):
            reason = ReasonCode.objects.get(code=code)
            tracking.dispose([Decision(leads[name], verdict, reason)], by=ron, now=now)
        timekeeping.tick(now=now)
        disputes.dispute(leads["rejected"], comment="They have one.", by=max_, now=now)
        disputes.ask(leads["called"], comment="Which campaign?", by=ron, now=now)
        missed = Clock.objects.get(handoff=leads["missed"], commitment__kind="first_response")
        exclusions.ask(leads["missed"], commitment=missed.commitment, reason="No phones", by=ron, now=now)


@pytest.fixture
def world(draft, rita, max_, sofia, mona, ron, ruth) -> World:
    for kind in ("dispute_answer", "acceptance_rate"):
        make_commitment(draft, kind)
    make_step(draft.commitments.get(kind="first_response"), "tell manager")
    first = agree(draft, by=rita, marketing=max_, sales=sofia)
    return World({"rita": rita, "max_": max_, "ron": ron, "ruth": ruth}, first)


def lead(name: str) -> Callable[[World], tuple]:
    return lambda world: ("handoff", world.leads[name].pk)


def month(name: str) -> Callable[[World], tuple]:
    return lambda world: (name, world.agreement.pk, f"{timezone.now():%Y-%m}")


def of_agreement(name: str, *rest: int) -> Callable[[World], tuple]:
    return lambda world: (name, world.agreement.pk, *rest)


def act(name: str) -> Callable[[World], tuple]:
    return lambda world: ("act", world.leads["fresh"].pk, name)


def sealed(name: str) -> Callable[[World], tuple]:
    return lambda world: (name, world.agreement.pk, world.seal.key, world.seal.number)


# Who opens which pages: the name of an address, or what makes of the world a name with its arguments.
PAGES: dict[str, list] = {
    "": ["login"],
    "ron": ["my_leads", "counted", "notices", "notice_settings", "search?q=Ines", lead("missed"), lead("fresh"),
            lead("held"), lead("called"), *map(act, ACTS)],
    "mona": ["team", "team_people", "handoffs", "numbers",
             lambda world: ("notice_settings_team", world.agreement.sales_team_id)],
    "rita": [lambda world: ("seals", world.agreement.pk, world.seal.key), "reviews", "call_review",
             "decisions", "handover", "agreements", of_agreement("agreement"), of_agreement("compare"),
             of_agreement("version", 1), of_agreement("document", 1), "scorecards", month("scorecard"),
             month("compare_scorecards"), month("cross"),
             lead("rejected")],
    "max_": [lambda world: ("review", world.review.pk),
             "recovery_plans", lambda world: ("recovery_plan", world.plan.pk), of_agreement("version", 2),
             lead("rejected"), lead("called"), "handover"],
    "vera": [month("scorecard"), lead("called"), sealed("seal"), sealed("sealed_handoffs"), sealed("sealed_changes"),
             lambda world: ("scorecard", world.agreement.pk, world.seal.key)],
}  # fmt: skip


def complaints(page: Page, rules: dict) -> list[str]:
    """What axe finds on the page as it is shown."""
    found = page.evaluate("rules => axe.run(rules)", rules)["violations"]
    return [f"{one['id']}: {node['html'][:200]} {node['failureSummary']}" for one in found for node in one["nodes"]]


def looked_at(page: Page, address: str) -> list[str]:
    """The same page at a desk and on a phone, light and dark, with everything unfolded."""
    said = page.goto(address)
    assert said.status == 200, address
    page.evaluate(AXE_SCRIPT)
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    found = []
    for window, theme, rules in ((DESK, "light", RULES), (PHONE, "light", RULES), (PHONE, "dark", COLOURS)):
        page.evaluate("dark => document.documentElement.classList.toggle('dark', dark)", theme == "dark")
        page.set_viewport_size(window)
        where = f"{address} {theme} {window['width']}"
        found += [f"{where} {complaint}" for complaint in complaints(page, rules)]
    return found


@pytest.fixture
def bare(browser) -> Page:
    """A page into which a script may be put from outside, as the portal itself allows none, and where nothing moves."""
    context = browser.new_context(bypass_csp=True, viewport=DESK, reduced_motion="reduce")
    yield context.new_page()
    context.close()


def opened(shown: str | Callable[[World], tuple], world: World) -> str:
    name, *arguments = [shown] if isinstance(shown, str) else shown(world)
    name, _, asked = name.partition("?")
    return f"{reverse(name, args=arguments)}?{asked}"


@pytest.mark.parametrize("who", PAGES)
def test_no_page_keeps_anybody_out(who, bare, live_server, world, request):
    if who:
        log_in(bare, live_server.url, request.getfixturevalue(who))
    found = [line for shown in PAGES[who] for line in looked_at(bare, live_server.url + opened(shown, world))]
    assert found == []


def test_what_keeps_people_out_is_found(bare, live_server):
    """The measure measures: a picture without words, grey on grey and a field without a label."""
    bare.goto(f"{live_server.url}/login/")
    bare.evaluate("document.querySelector('main').innerHTML = '<img src=x><p style=\"color: #999\">Grey</p><input>'")
    bare.evaluate(AXE_SCRIPT)
    assert {line.split(":")[0] for line in complaints(bare, RULES)} == {"image-alt", "color-contrast", "label"}
    assert {line.split(":")[0] for line in complaints(bare, COLOURS)} == {"color-contrast"}


def test_every_page_is_looked_at(world):
    """Addresses of pages end with a stroke; a new one must be looked at, too."""
    shown = [one for pages in PAGES.values() for one in pages]
    seen = {(one if isinstance(one, str) else one(world)[0]).partition("?")[0] for one in shown}
    assert pages_of(get_resolver().url_patterns) - NO_PAGES <= seen


def pages_of(patterns: list) -> set[str]:
    """Names of addresses that end as pages do, the admin's left out."""
    found = set()
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            found |= {pattern.name} if str(pattern.pattern).endswith("/") else set()
        elif not pattern.app_name:
            found |= pages_of(pattern.url_patterns)
    return found - {None}
