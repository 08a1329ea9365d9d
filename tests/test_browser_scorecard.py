"""Every number of a scorecard, opened in a real browser: its list has as many rows as it says, live and sealed.

The pages are read as a person sees them. A number that is neither a link nor of a sort that is named here, with the
reason why it opens nothing, fails the test; so does a kind of link that no page shows any more.
"""

import re
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page

from agreements.catalogue import Start
from agreements.models import Agreement, Commitment
from leads import exclusions, timekeeping
from leads.models import Clock, Handoff
from leads.periods import MONTH, Period, parse
from leads.took import Took
from reports import breakdowns, scorecards, sealing
from slaportal.models import User
from tests.reports.sealed import SEALED
from tests.reports.test_evidence import BEGIN, history, receive  # noqa: F401 (fixtures)
from tests.test_browser import browser_type_launch_args, log_in, quiet  # noqa: F401 (fixtures)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.embedded,
    pytest.mark.long,
    pytest.mark.django_db(transaction=True, serialized_rollback=True),
]

KEY = "2025-03"
# What links say that open to what a share, a median or a sum of money is taken of.
A_SET = -1
# Numbers that open nothing, by where they stand, and why.
LOOSE = {
    "svg": "a picture; its figures stand in the table behind it",
    "h1, h2, h3, th, caption, time, .head, .stepper, .map-name": "moments, names of promises, periods and values",
    ".promise-name": "what was promised",
    ".figure small, .target": "target and baseline: agreed, not counted",
    ".chip": "since when figures stand, and how many promises were kept",
    ".sealed table, .sealed summary": "what figures read and would now read; the handoffs between them are links",
}
# The same by what they say; of a sentence all of it.
SAID = {
    r"[+=·]? ?0 (of 0|[a-z ]+)": "nought has no handoffs",
    r"[\d.]+ %( of the \w+)?": "a share, whose counts stand beside it",
    r"(median |p90 )?[\d.]+ (s|min|h)( \d\d)?( · p90 .*)?": "a time, whose handoffs open beside it",
    r"(up to|more than) [^,]*(, up to .*)?": "the ends of a bar",
    r"\(±[\d.]+ %\)": "how exact a median is",
    r"[+−±][\d.,]+( points)?": "a difference of two numbers that are links",
    r"(target|of) [\d.,]+( %)?": "a target: agreed, not counted",
    r"\d+ / [\d.,]+": "an earlier period, whose scorecard opens beside it",
    r"[\d.,]+ due by now at an even pace": "what was agreed, in proportion to the days",
    r"so far in .*, of which \d+ % is over\.": "how far a month is",
    r".*[a-z] \(version \d+\)": "a promise with the number of its version",
    r"under version \d+[,.]?( Outcomes count whenever they came\.)?": "the number of a version",
    r"[^\d]*(p90,)?[^\d]* \(rule N\d+\)\.": "the name of a rule",
    r"Within the same source and segment, .*": "what was compared; its groups stand below it",
    r"The lines show what each share may as well be \(95 %\).*": "how sure an interval is",
    r"(Nothing was promised in|So far in) .*": "the name of a period",
    r"(\w+ kept \d|\. (Nearest|By the least|Best kept|Furthest)).*": "a sentence about promises",
    r"Due and untouched: .*": "how the portal does",
}
# What links of the live pages must ask for between them, and those of the sealed ones.
COUNTED = ["state=met", "state=missed", "state=excluded", "rule=", "answered=no", "outcome=meeting",
           "outcome=opportunity", "verdict=accepted", "version=1", "version=2", "source=&", "segment=&"]  # fmt: skip
BROKEN_DOWN = [f"{name}=" for name in (*breakdowns.NAMES, "week")]
WAITED = ["delay=system", "delay=human", "delay=felt", "wait=over", "took=0-", "took=unstopped"]
LIVE = [*COUNTED, *BROKEN_DOWN, *WAITED, "unmatched=1", "rep=none", "within=30", "state=open"]
SEALED_KINDS = [*COUNTED, *WAITED, "source=", "rep=", "week=", "/seals/1/handoffs/", "known=", "/changes/"]

READ = """loose => {
  const main = document.querySelector("main"), found = {links: [], loose: []};
  for (const one of main.querySelectorAll("details")) one.open = true;
  for (const one of main.querySelectorAll("a[href]")) found.links.push({
    href: one.href, text: one.textContent.trim(), title: one.title, label: one.ariaLabel || "",
    isSet: one.classList.contains("set")});
  const texts = document.createTreeWalker(main, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const at = texts.currentNode.parentElement, text = texts.currentNode.textContent.trim();
    if (/[0-9]/.test(text) && text !== "0" && !at.closest(["a", "title", "option", ...loose].join(",")))
      found.loose.push([text.replace(/\\s+/g, " "), `${at.parentElement.className} ${at.tagName}.${at.className}`]);
  }
  return found;
}"""


class Reader:
    """Reads pages, and opens each of their numbers once."""

    def __init__(self, page: Page, address: str, client: Client) -> None:
        self.page, self.address, self.client = page, address, client
        self.links: dict[tuple[str, int], str] = {}
        self.sorts: set[tuple[str, ...]] = set()
        self.wrong: list[str] = []

    def read(self, path: str) -> None:
        """Everything that a page says."""
        said = self.page.goto(self.address + path)
        assert said.status == 200, path
        found = self.page.evaluate(READ, list(LOOSE))
        self.wrong += [f"{path}: “{text}” is no link, in {at}" for text, at in found["loose"] if not is_known(text)]
        for link in found["links"]:
            if is_list(link["href"]):
                where = f"{path}: “{link['text']}” ({link['label'] or link['title']})"
                self.links.setdefault((link["href"], number_of(link)), where)

    def open(self) -> None:
        """The list behind every number."""
        opened = {href: self.rows(href) for href in self.asked}
        for (href, number), where in self.links.items():
            rows = opened[href]
            if not (rows > 0 if number == A_SET else counts(href, rows, number)):
                self.wrong.append(f"{where} opens to {rows} rows: {href}")

    @property
    def asked(self) -> set[str]:
        """The addresses of all lists."""
        return {href for href, _ in self.links}

    def rows(self, href: str) -> int:
        """How many rows a list has on all its pages; it must say the same above them. Of the browser only the first
        list of each sort is asked for, because it takes ten times as long.
        """
        rows, page, said = 0, 1, None
        while True:
            text = self.text_of(href + ("&" if "?" in href else "?") + f"page={page}")
            said = int(re.search(r"<b>\s*([\d,.]+) (?:handoff|lead)", text).group(1))
            here = sum(body.count("<tr") for body in re.findall(r"(?s)<tbody.*?</tbody>", text)) if said else 0
            rows, page = rows + here, page + 1
            if rows >= said or not here:
                break
        assert rows == said, f"{href} says {said} and shows {rows}"
        return rows

    def text_of(self, href: str) -> str:
        """The page at an address."""
        parts = urlsplit(href)
        sort = (re.sub(r"\d+", "", parts.path), *sorted(parse_qs(parts.query, keep_blank_values=True)))
        if sort not in self.sorts:
            self.sorts.add(sort)
            answer = self.page.request.get(href)
            assert answer.status == 200, href
            return answer.text()
        response = self.client.get(f"{parts.path}?{parts.query}")
        assert response.status_code == 200, href
        return response.content.decode()

    def kinds_missing(self, kinds: list[str]) -> list[str]:
        """Which of these no link asks for."""
        return [kind for kind in kinds if not any(kind in f"{href}&" for href in self.asked)]


def is_known(text: str) -> bool:
    """Whether a number that is no link is one that opens nothing."""
    return any(re.fullmatch(words, text) for words in SAID)


def is_list(href: str) -> bool:
    """Whether the address is that of a list of handoffs."""
    parts = urlsplit(href)
    is_live = parts.path == "/handoffs/" and parts.query
    return bool(is_live or parts.path.endswith("/changes/") or re.search(r"/seals/\d+/handoffs/$", parts.path))


def number_of(link: dict) -> int:
    """The count that a link says, or `A_SET` for a share, a median or a sum of money."""
    words = r"(\d[\d,]*) (?:met|missed|open|excluded)"
    if link["text"] == "0":
        return 0
    if not link["isSet"]:
        found = re.findall(r"\d[\d,]*", link["label"] or link["text"])[:1]
        assert found, link
    else:
        found = re.findall(words, link["title"]) or re.findall(r"^(\d[\d,]*) of [\d,]+$", link["title"])
    return sum(int(count.replace(",", "")) for count in found) if found else A_SET


def counts(href: str, rows: int, number: int) -> bool:
    """Whether a number says how many rows its list has; of spans it says how many clocks, of which a handoff can have
    several where a promise starts afresh for each owner (rule N5)."""
    asked = {name: values[0] for name, values in parse_qs(urlsplit(href).query).items()}
    if "took" not in asked or not Commitment.objects.filter(pk=asked["commitment"], start=Start.ASSIGNED).exists():
        return rows == number
    if "period" not in asked:
        return 0 < rows <= number  # sealed, and the clocks are no longer what they were
    agreement, period = Agreement.objects.get(pk=asked["agreement"]), parse(asked["period"])
    begun = Handoff.objects.begun_in(period.start(agreement.zone), period.end(agreement.zone))
    clocks = Clock.objects.filter(
        Took.parse(asked["took"]).of_clocks, commitment=asked["commitment"], handoff__in=begun
    )
    return (clocks.count(), clocks.values("handoff").distinct().count()) == (number, rows)


def exclude_a_miss(rep: User, *, decider: User, now: datetime) -> None:
    """The first of the misses of a rep is not counted any more."""
    misses = Clock.objects.filter(commitment__code="first-response", state=Clock.State.MISSED, handoff__owner=rep)
    missed = misses.order_by("handoff").first()
    asked = exclusions.ask(missed.handoff, commitment=missed.commitment, reason="No phones", by=rep, now=now)
    exclusions.decide(asked, granted=True, note="True", by=decider, now=now)


@pytest.fixture
def told(history, rita, ron, ruth) -> Agreement:  # noqa: F811 (the fixture)
    """March, with a granted exclusion; and leads of this and of the last month, of which the last are late."""
    then, now = BEGIN + timedelta(days=20), timezone.now()
    timekeeping.tick(now=then)
    exclude_a_miss(ruth, decider=rita, now=then)
    last = Period.current(MONTH, now, history.zone).previous
    for number in range(100, 104):
        receive(number, at=last.start(history.zone) + timedelta(days=3, hours=10), owner=ron.email)
    receive(110, at=now - timedelta(minutes=5), owner=ron.email)
    timekeeping.tick(now=now)
    return history


@pytest.fixture
def lists(client, vera) -> Client:
    """Opens lists as somebody who has nothing to work with in them, which takes half the time."""
    client.force_login(vera)
    return client


def pages_of(agreement: Agreement, key: str) -> list[str]:
    """The scorecard with each of its break-downs, compared and crossed."""
    card = reverse("scorecard", args=[agreement.pk, key])
    promise = Commitment.objects.filter(version__agreement=agreement, code="first-response").first()
    crossed = [("source", "weekday"), ("rep", "week")]
    return [
        *(f"{card}?by={name}" for name in (*breakdowns.NAMES, "week")),
        *(f"{card}compare/?with={other}" for other in ("previous", "year")),
        *(f"{card}cross/?commitment={promise.pk}&rows={rows}&columns={columns}" for rows, columns in crossed),
    ]


def test_every_number_opens_to_as_many_handoffs_as_it_says(quiet, live_server, lists, told, rita, ruth):  # noqa: F811
    log_in(quiet, live_server.url, rita)
    live, now = Reader(quiet, live_server.url, lists), timezone.now()
    month = Period.current(MONTH, now, told.zone).key
    others = [reverse("scorecard", args=[told.pk, key]) for key in (month, "2024-12")]
    for path in (*pages_of(told, KEY), *others, reverse("scorecards"), "/"):
        live.read(path)
    live.open()

    sealing.seal_due(now=SEALED)
    exclude_a_miss(ruth, decider=rita, now=now)
    scorecards.store(told, parse(KEY), now=now)
    sealed = Reader(quiet, live_server.url, lists)
    card = reverse("scorecard", args=[told.pk, KEY])
    for path in (f"{card}?by=source", f"{card}?by=rep", reverse("seal", args=[told.pk, KEY, 1])):
        sealed.read(path)
    sealed.open()

    assert [*live.wrong, *sealed.wrong] == []
    assert live.kinds_missing(LIVE) == []
    assert sealed.kinds_missing(SEALED_KINDS) == []
    assert len(live.asked) > 500 and len(sealed.asked) > 200
