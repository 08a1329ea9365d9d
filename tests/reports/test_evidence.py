"""Every number on a scorecard opens to exactly the handoffs that it counts."""

import re
from datetime import UTC, date, datetime, timedelta
from html import unescape

import pytest
from django.urls import reverse
from django.utils import timezone

from agreements import signoff
from leads.intake import receive_leads
from leads.models import Handoff, Outcome, ReasonCode, Verdict
from leads.periods import parse
from leads.records import LeadRecord
from leads.tracking import Decision, NewAttempt, NewOutcome, dispose, log_attempts, record_outcomes
from reports import scorecards, sheet
from reports.evidence import Evidence
from tests.conftest import agree, make_absence, make_commitment, make_user

pytestmark = pytest.mark.django_db

BEGIN = datetime(2025, 3, 3, 9, 0, tzinfo=UTC)
SOURCES = ("Webinar", "Fair & more", "none", "", "webinar ")
SEGMENTS = ("SMB", "", "Mid-market / “old”")


def receive(number: int, *, at: datetime, **fields) -> list[Handoff]:
    record = LeadRecord(
        source_system="crm",
        external_id=str(number),
        received_at=at,
        **{
            "handed_over": True,
            "email": f"lead{number}@example.com",
            "source": SOURCES[number % 5],
            "segment": SEGMENTS[number % 3],
            "score": 40 + 5 * number,
            **fields,
        },
    )
    return receive_leads([record], now=at).handoffs


@pytest.fixture
def history(draft, rita, max_, sofia, ron, ruth, sales):
    """March under two versions: leads of every kind, and a sales team that did half of its work."""
    draft.score_threshold = 50
    draft.save()
    for kind in ("acceptance_rate", "acceptance", "attempts", "reasons_documented"):
        make_commitment(draft, kind)
    make_commitment(draft, "first_response", code="each-owner", start="assigned")
    version = agree(draft, by=rita, marketing=max_, sales=sofia, now=BEGIN - timedelta(days=1))
    changed = signoff.new_draft_from(version, by=rita, now=BEGIN)
    changed.wanted_from = date(2025, 3, 10)
    changed.save()
    agree(changed, by=rita, marketing=max_, sales=sofia, now=BEGIN)

    handoffs = []
    for number in range(14):
        owner = (ron, ruth)[number % 2].email
        handoffs += receive(number, at=BEGIN + timedelta(hours=19 * number), owner=owner)
    for rep in (ron, ruth):
        make_absence(rep, date(2025, 3, 15), date(2025, 12, 31))
    handoffs += receive(20, at=BEGIN + timedelta(days=12))  # nobody is there to take it
    elsewhere = make_user("else@example.com", team=None)
    handoffs += receive(21, at=BEGIN + timedelta(days=12), owner=elsewhere.email)
    receive(30, at=datetime(2024, 12, 30, tzinfo=UTC))  # before the agreement: unmatched
    now = BEGIN + timedelta(days=20)
    system = {"by": None, "now": now, "from_system": True}
    log_attempts(
        [NewAttempt(lead=handoff.lead, at=handoff.qualified_at + timedelta(hours=index)) for index, handoff in
         enumerate(handoffs[::2])],
        **system,
    )  # fmt: skip
    reason = ReasonCode.objects.filter(is_quality=True, for_rejected=True).first()
    verdicts = (
        (Verdict.ACCEPTED, None),
        (Verdict.REJECTED, reason),
        (Verdict.ACCEPTED, None),
        (Verdict.RECYCLED, None),
    )
    dispose(
        [
            Decision(handoff, *verdicts[index % 4], at=handoff.qualified_at + timedelta(hours=5 * index))
            for index, handoff in enumerate(handoffs[:11])
        ],
        **system,
    )
    record_outcomes(
        [NewOutcome(handoffs[0], "meeting", now), NewOutcome(handoffs[0], "opportunity", now, 900),
         NewOutcome(handoffs[2], "meeting", now), NewOutcome(handoffs[4], "lost", now)],
        **system,
    )  # fmt: skip
    return version.agreement


def numbers(body: str) -> set[tuple[int, str]]:
    """Every linked number of handoffs on the page with its address; shares and sums of money open to their set."""
    links = re.findall(r'(?s)<a( class="set[^"]*")?[^>]*?href="(/handoffs/\?[^"]*)"[^>]*>(.*?)</a>', body)
    return {(int(re.sub(r"<[^>]+>|,", "", text)), unescape(address)) for is_set, address, text in links if not is_set}


def sets(body: str) -> set[tuple[str, str]]:
    """What is no count: shares, medians and the pipeline, each with the address of what they are taken of."""
    links = re.findall(r'(?s)<a class="set[^"]*" href="(/handoffs/\?[^"]*)"[^>]*>(.*?)</a>', body)
    return {(re.sub(r"<[^>]+>", "", text).replace("\xa0", " "), unescape(address)) for address, text in links}


# On SQLite tests/test_browser_scorecard.py opens all of them.
@pytest.mark.postgresql
@pytest.mark.parametrize(
    ("key", "by", "begins", "at_least"),
    [
        ("2025-03", "source", "", 80),  # all of the page; then only what another break-down adds
        ("2025-03", "segment", "segment=", 30),
        ("2025-03", "team", "team=", 20),
        ("2025-03", "rep", "rep=", 30),
        ("2024-12", "source", "", 1),  # an unmatched lead and nothing else
    ],
)
def test_every_number_links_to_a_list_of_that_length(client, vera, history, key, by, begins, at_least):
    client.force_login(vera)
    response = client.get(reverse("scorecard", args=[history.pk, key]), {"by": by})

    found = {link for link in numbers(response.content.decode()) if f"&{begins}" in link[1]}

    assert len(found) >= at_least
    for number, address in found:
        assert (client.get(address).context["shown"], address) == (number, address)


def test_no_number_but_nought_is_without_its_link(client, vera, history):
    client.force_login(vera)
    body = client.get(reverse("scorecard", args=[history.pk, "2025-03"])).content.decode()
    data = scorecards.compute(history, parse("2025-03"), now=timezone.now())
    evidence = Evidence(history.pk, "2025-03")
    page, tables = sheet.build(data, evidence), sheet.break_down(data, evidence, "source")
    counted = [page.handoffs, page.unmatched, *page.outcomes, *page.by_version]
    for line in (line for side in page.sides for line in side.lines):
        counted += [*line.numbers, *line.exclusions, line.unanswered]
    for row in (row for one in page.beside for row in one.rows):
        counted += [row.total, *(rate.number for rate in row.rates)]
    for table in tables:
        counted += [group.handoffs for group in table.groups]
        counted += [number for group in table.groups for cell in group.cells for number in cell.numbers]
    counted += [row.handoffs for row in (page.cohorts.rows if page.cohorts else ())]

    assert {(number.count, number.url) for number in counted if number.count} <= numbers(body)


def test_shares_and_medians_open_to_the_handoffs_that_they_are_taken_of(client, vera, history):
    client.force_login(vera)
    body = client.get(reverse("scorecard", args=[history.pk, "2025-03"])).content.decode()
    commitment = history.versions.order_by("number").first().commitments.get(code="first-response")
    whole = Evidence(history.pk, "2025-03").url(commitment=commitment.pk)

    of_promise = {text for text, address in sets(body) if address == whole}

    assert len([text for text in of_promise if text.endswith("%")]) >= 1
    assert any(text.startswith("median") for text in of_promise)
    every = client.get(whole.replace(f"&commitment={commitment.pk}", "&version=1"))
    assert client.get(whole).context["shown"] == every.context["shown"]


def test_the_pipeline_opens_to_the_opportunities_whose_amounts_it_adds_up(client, vera, history):
    client.force_login(vera)
    body = client.get(reverse("scorecard", args=[history.pk, "2025-03"])).content.decode()
    amount, address = re.search(r'<a class="set" href="([^"]+)">([\d,]+)</a><small>pipeline', body).group(2, 1)
    behind = [row.record.pk for row in client.get(unescape(address)).context["table"].rows]
    opportunities = Outcome.objects.filter(handoff__in=behind, kind="opportunity")
    assert sum(opportunity.amount for opportunity in opportunities) == int(amount.replace(",", ""))
