"""Everything that people read is marked for translation: read in a language that brackets whatever passes through it,
no page shows a bare word that is not data, a name of the signed terms, or on the short list below.

The pages are those that `test_accessibility` looks at, so that a new page is read here as well.
"""

import re
from html import escape
from html.parser import HTMLParser

import pytest
from django.apps import apps
from django.conf.locale import LANG_INFO
from django.db import models
from django.urls import reverse
from django.utils.module_loading import import_string
from django.utils.translation import gettext, override, trans_real

from agreements import catalogue, differences, signoff, terms
from leads.rules import RULES
from slaportal.models import Notice, Party
from slaportal.refusal import Refused
from tests.test_accessibility import PAGES, opened, world  # noqa: F401 (a fixture)

OPEN, CLOSE = "⟦", "⟧"

# What is read bare, and why.
BARE = [
    r"SLA Portal",  # the name of the program
    r"RevOps|Marketing leader|Sales leader|Sales manager|Rep|Viewer",  # roles are rows, known to the code by name
    r"\d+\s?(s|min|h)\b",  # units of time are symbols
    r"UTC|[A-Z][A-Za-z_]+/[A-Z][A-Za-z_/]+",  # zones of time
    r"\b[ACDLNPTS]\d{1,2}\b",  # rules by number
    r"SHA-256|PDF|CSV|XLSX|JSON|HTTPS?|CRM|MQL|SAL|SQL",  # names of things that have no other
    r"\d{4}-Q\d",  # how a quarter is typed
    r"\bknown \(",  # a criterion of the signed definition
    r"\bW\d\d\b",  # weeks by number
    r"^R$",  # the picture of whoever is logged in
    r"https?://\S*|\S+@\S+",  # addresses
    r"[0-9a-f]{12,}",  # digests
]
# Elements whose words are for no reader: pictograms, keys of the keyboard, scripts.
SILENT = {"script", "style", "kbd", "code", "template"}
SPOKEN = ("title", "aria-label", "placeholder", "alt", "data-label", "aria-description")


class Bracketed(trans_real.DjangoTranslation):
    """A language that says everything in English, in brackets. It has a name of its own, by which it is kept."""

    def to_language(self) -> str:
        return "xx"

    def gettext(self, message: str) -> str:
        return f"{OPEN}{message.rpartition(trans_real.CONTEXT_SEPARATOR)[2]}{CLOSE}"

    def ngettext(self, one: str, many: str, number: int) -> str:
        return f"{OPEN}{one if number == 1 else many}{CLOSE}"


@pytest.fixture
def bracketed(monkeypatch, settings):
    """That language, and no other that a browser could ask for."""
    settings.LANGUAGES, settings.LANGUAGE_CODE = [("xx", "Bracketed")], "xx"
    monkeypatch.setitem(LANG_INFO, "xx", LANG_INFO["en"])
    monkeypatch.setitem(trans_real._translations, "xx", Bracketed("en"))
    with override("xx"):
        yield


class Reader(HTMLParser):
    """What stands bare on a page: texts, and what is said of elements. What has a language of its own is not read."""

    def __init__(self) -> None:
        super().__init__()
        self.bare: list[str] = []
        self.depth, self._silent, self._open = 0, 0, []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        is_silent = tag in SILENT or given.get("aria-hidden") == "true" or ("lang" in given and tag != "html")
        is_silent |= "material-symbols-outlined" in (given.get("class") or "")
        if tag not in ("input", "br", "img", "meta", "link", "hr", "rect", "use", "circle", "path", "line", "polyline"):
            self._open.append((tag, is_silent))
            self._silent += is_silent
        if not self._silent:
            self.bare += [bare(given[name]) for name in SPOKEN if given.get(name)]
            if tag == "input" and given.get("type") in ("submit", "button"):
                self.bare.append(bare(given.get("value") or ""))

    def handle_endtag(self, tag: str) -> None:
        while self._open:
            closed, was_silent = self._open.pop()
            self._silent -= was_silent
            if closed == tag:
                return

    def handle_data(self, data: str) -> None:
        said, self.depth = outside(data, self.depth)
        if not self._silent:
            self.bare.append(said)


def outside(text: str, depth: int = 0) -> tuple[str, int]:
    """What of a text stands outside all brackets, where so many are open; and how many are open then."""
    said = []
    for sign in text:
        depth += sign == OPEN
        if depth == 0:
            said.append(sign)
        depth -= sign == CLOSE
    return "".join(said), depth


def bare(text: str) -> str:
    return outside(text)[0]


def known() -> list[str]:
    """Data: what people typed into rows, and the names in the catalogue, which are those of the signed terms."""
    words = set(catalogue.FIELDS.values())
    for kind in catalogue.CATALOGUE.values():
        words |= {kind.label, kind.code, kind.exactly, kind.exactly.rstrip(".")}
    for choices in (catalogue.Dimension, catalogue.Unit, catalogue.Operator, catalogue.Action, catalogue.Start):
        words |= set(choices.labels)
    words |= {name.replace("_", " ") for rule, (_, cited) in RULES.items() for name in (rule, cited)}
    words |= {word[:1].upper() + word[1:] for word in words}
    for model in apps.get_models():
        # The admin calls tables and their columns as the code does.
        words.add(str(model._meta.verbose_name_plural).capitalize())
        if model._meta.app_label not in ("slaportal", "agreements", "leads", "reports", "auth"):
            continue
        for field in model._meta.concrete_fields:
            is_text = type(field) in (models.CharField, models.TextField, models.SlugField, models.EmailField)
            if is_text and field.choices is None and field.name not in ("rule", "kind", "status"):
                words |= set(model._default_manager.values_list(field.name, flat=True))
    return sorted({word for word in words if word and re.search("[A-Za-z]", word)}, key=len, reverse=True)


def unmarked(page: str, data: re.Pattern[str]) -> list[str]:
    reader = Reader()
    reader.feed(page)
    reader.close()
    found = []
    for text in reader.bare:
        rest = data.sub(" ", text.strip())
        for allowed in BARE:
            rest = re.sub(allowed, " ", rest)
        if re.search(r"[^\W\d_]", rest):
            found.append(" ".join(text.split()))
    return found


@pytest.mark.parametrize("who", PAGES)
def test_nothing_that_a_page_says_is_unmarked(who, world, client, request, bracketed):  # noqa: F811
    if who:
        client.force_login(request.getfixturevalue(who))
    pages = {}
    for shown in PAGES[who] + (["admin:index"] if who == "rita" else []):
        address = opened(shown, world)
        said = client.get(address)
        assert said.status_code == 200, address
        pages[address] = said.content.decode()
    data = re.compile("|".join(re.escape(word) for word in known()))
    found = [f"{address} {words}" for address, page in pages.items() for words in unmarked(page, data)]
    assert not found, "\n".join(dict.fromkeys(found))


def test_the_signed_terms_keep_their_language(world, client, rita, bracketed):  # noqa: F811
    """What was signed is the same text for every reader, on the screen and in the sentence that is signed."""
    client.force_login(rita)
    number = world.proposed.number
    paper = client.get(reverse("document", args=[world.agreement.pk, number])).content.decode()
    assert OPEN in paper and OPEN not in re.search("<main.*</main>", paper, re.DOTALL)[0]
    assert OPEN not in signoff.meaning(world.proposed, Party.SALES)
    changes = differences.changes(terms.of(world.agreement.versions.get(number=1)), terms.of(world.proposed))
    assert changes and OPEN not in "".join(f"{one.where} {one.before} {one.after}" for one in changes)


def test_a_letter_says_nothing_unmarked(world, bracketed):  # noqa: F811
    data = re.compile("|".join(re.escape(word) for word in known()))
    words = set()
    notices = Notice.objects.exclude(letter="")
    assert len({notice.letter for notice in notices}) >= 5
    for notice in notices:
        (letter,) = import_string(notice.letter)([notice])
        if letter:
            said = (letter.subject, *letter.paragraphs, letter.link_label)
            # What changes is quoted from the terms.
            own = [text for text in said if not text.startswith("• ")]
            words |= {word for text in own for word in unmarked(f"<p>{escape(text)}</p>", data)}
    assert not words


def test_a_refusal_is_read_in_the_readers_language(bracketed):
    assert str(Refused(gettext("%(lead)s has ended already."), lead="Ines")) == "⟦Ines has ended already.⟧"


def test_an_unmarked_word_is_found():
    """The measure measures."""
    nothing = re.compile("(?!)")
    assert unmarked("<p>⟦Said <b>Ines</b>⟧ and done</p>", nothing) == ["and done"]
    assert unmarked('<a title="Rule">⟦Open⟧</a>', nothing) == ["Rule"]
    assert unmarked('<p>⟦Open⟧ 12 min, <span lang="en">in time</span></p>', nothing) == []
