"""The agreement as a document: what it says, who may see it, that a PDF reads nothing foreign and never changes."""

import re
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from types import SimpleNamespace

import pytest
from django.contrib.staticfiles import finders
from django.core.checks import run_checks
from django.urls import reverse
from pypdf import PdfReader

from agreements import checks, documents, exchange, lint, signoff, terms, wording
from agreements.models import Status, Version
from slaportal.refusal import Refused
from tests.conftest import MONDAY, PASSWORD, agree, make_calendar, make_commitment, make_step, make_user
from tests.kept import kept

YEARS_LATER = MONDAY + timedelta(days=1000)
HOSTILE = (
    '<img src="file:///etc/passwd"> <style>@import url(http://evil.example/x.css)</style> url(http://evil.example/)'
)


@pytest.fixture
@kept
def proposed(draft, rita) -> Version:
    return signoff.propose(draft, by=rita, now=MONDAY)


def sign(version: Version, user, *, now: datetime = MONDAY, name: str = "", title: str = "") -> None:
    signoff.sign(
        version, signer=user, password=PASSWORD, terms_hash=version.terms_hash, name=name or user.name, title=title,
        now=now,
    )  # fmt: skip


def ended(draft: Version, status: Status, *, rita, max_, sofia) -> Version:
    """The draft, brought to a status of which nobody expects anything more."""
    if status == Status.AGREED:
        return agree(draft, by=rita, marketing=max_, sales=sofia)
    if status != Status.DRAFT:
        draft = signoff.propose(draft, by=rita, now=MONDAY)
    if status == Status.DECLINED:
        draft = signoff.decline(draft, by=sofia, reason="Fifty are too many.", now=MONDAY)
    if status == Status.WITHDRAWN:
        draft = signoff.withdraw(draft, by=rita, reason="The quarter is over.", now=MONDAY)
    return draft


def draw(version: Version, *, now: datetime = MONDAY, **options) -> bytes:
    """The PDF, or with options of WeasyPrint’s what comes of the same page."""
    if not documents.can_draw_pdf():
        pytest.skip("needs WeasyPrint’s system libraries, see agreements.W001")
    if not options:
        return documents.pdf(version, now=now)
    from weasyprint import HTML

    return HTML(string=documents.markup(version, now=now), url_fetcher=documents.fetcher()).write_pdf(**options)


def pages(content: bytes) -> list[str]:
    """The text of each page, with single blanks."""
    found = [page.extract_text() for page in PdfReader(BytesIO(content)).pages]
    return [" ".join(text.replace("\xa0", " ").split()) for text in found]


def shown(client, user, version: Version, name: str = "document"):
    client.force_login(user)
    return client.get(reverse(name, args=[version.agreement_id, version.number]))


# --- What it says -------------------------------------------------------------------------------------------------


def test_the_pdf_says_what_was_agreed_by_whom_when_and_how_to_prove_it(proposed, max_, sofia):
    sign(proposed, max_, title="VP Marketing")
    sign(proposed, sofia, now=datetime(2025, 7, 1, 8, 30, 15, tzinfo=UTC), name="Sofia Sand", title="Head of Sales")
    proposed.refresh_from_db()
    text = " ".join(pages(draw(proposed)))
    for words in (
        "DACH inbound",
        "Version 1",
        "Between Marketing DACH and Sales DACH",
        "Agreed on 1 July 2025",
        "From 1 January 2025, applied to history, until a later version takes its place",
        "This agreement covers every lead.",
        "hand over at least 50 qualified leads a month",
        "make first contact with every lead within 4 business hours after it qualifies",
        "Mon–Fri 9:00–17:30, Europe/Berlin",
        "For marketing · Marketing DACH Max VP Marketing",
        "“I have read version 1 of “DACH inbound” and commit marketing to it from 1 January 2025.”",
        "3 March 2025, 10:00:00 Europe/Berlin 3 March 2025, 09:00:00 UTC",
        "For sales · Sales DACH Sofia Sand Head of Sales",
        "“I have read version 1 of “DACH inbound” and commit sales to it from 1 January 2025.”",
        "1 July 2025, 10:30:15 Europe/Berlin 1 July 2025, 08:30:15 UTC",
        "SHA-256 of the frozen terms",
        "“agreed” on 1 July 2025, 10:30:15 Europe/Berlin",
    ):
        assert words in text
    head = proposed.events.order_by("number").last()
    assert head.what == "agreed"
    # In one piece, as somebody would copy them.
    assert proposed.terms_hash in text
    assert head.mac in text
    assert f"Event {head.number} of this agreement" in text


def test_the_ladder_stands_in_the_document_on_paper_and_on_the_page(draft, rita, max_, client):
    for action, share in (("tell owner", 50), ("tell manager", 80), ("tell manager", 100), ("reassign", 150)):
        make_step(draft.commitments.get(kind="first_response"), action, share=share)
    make_step(draft.commitments.get(kind="volume"), "recovery plan", share=60)
    version = signoff.propose(draft, by=rita, now=MONDAY)
    page = re.sub(r"<[^>]+>", "", shown(client, max_, version).content.decode())
    for text in (" ".join(pages(draw(version))), " ".join(page.replace("\xa0", " ").split())):
        assert (
            "Until it is done: at 50 % (2 business hours) the owner is told, at 80 % (3.2) and at the limit the "
            "manager; at 150 % (6) the lead goes to the next rep."
        ) in text
        assert "If it is behind: at 60 % of the month a recovery plan is asked for." in text
        assert text.count("Until it is done") == 1


def test_closed_days_stand_in_the_document_as_they_were_frozen(draft, rita):
    draft.calendar.country = "DE"
    draft.calendar.save()
    draft.calendar.special_days.create(date=date(2025, 12, 24), hours="09:00-12:00")
    version = signoff.propose(draft, by=rita, now=MONDAY)
    text = " ".join(pages(draw(version)))
    assert "3 Oct German Unity Day" in text
    assert "24 December 2025 9:00–12:00" in text


def test_every_page_has_its_number_the_agreement_and_the_first_digits_of_the_terms(version):
    found = pages(draw(version))
    assert 1 <= len(found) <= 2
    for number, text in enumerate(found, start=1):
        assert f"Page {number} of {len(found)}" in text
        assert f"DACH inbound · version 1 · terms {version.terms_hash[:8]}" in text


@pytest.mark.parametrize("status", Status)
def test_whatever_is_no_agreement_says_so_on_every_page(status, draft, rita, max_, sofia):
    for number in range(14):
        make_commitment(draft, "disposition", code=f"d{number}", title="Outcome")
    version = ended(draft, status, rita=rita, max_=max_, sofia=sofia)
    found = pages(draw(version))
    assert len(found) > 1
    for text in found:
        assert [mark for mark in documents.MARKS.values() if mark in text] == [
            mark for marked, mark in documents.MARKS.items() if marked == status
        ]
    # On later pages the stylesheet says it, for browsers cannot take it from the page.
    with open(finders.find("document.css")) as sheet:
        rules = sheet.read()
    for marked, mark in documents.MARKS.items():
        assert f'@page {marked} {{ @top-right {{ content: "{mark}";' in rules


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (
            Status.DRAFT,
            ["Draft as of 3 March 2025, 10:00; not proposed", "A draft cannot be signed.", "Not frozen"],
        ),
        (Status.PROPOSED, ["Proposed on 3 March 2025; not yet agreed", "Not signed yet"]),
        (Status.DECLINED, ["Declined by Sofia for sales: Fifty are too many.", "It never took effect", "Not signed"]),
        (Status.WITHDRAWN, ["Withdrawn by Rita: The quarter is over.", "It never took effect", "Not signed"]),
    ],
)
def test_the_document_says_where_the_version_stands(status, said, draft, rita, max_, sofia, client):
    version = ended(draft, status, rita=rita, max_=max_, sofia=sofia)
    text = " ".join(pages(draw(version)))
    for words in said:
        assert words in text
    page = shown(client, rita, version).content.decode()
    for words in said:
        if status != Status.DRAFT:  # whose day is today
            assert words in re.sub(r"<[^>]*>", "", page)


def test_an_earlier_signature_stays_visible_and_without_effect(proposed, max_, sofia):
    sign(proposed, max_)
    text = " ".join(pages(draw(signoff.decline(proposed, by=sofia, reason="No.", now=MONDAY))))
    assert "Max “I have read version 1" in text
    assert "Without effect: the version was declined." in text


@pytest.mark.parametrize(
    ("wanted_from", "ends_on", "before", "after"),
    [
        (None, None, "From the second signature, until a later", "From 3 March 2025, 10:00, until a later"),
        (date(2025, 6, 1), None, "From 1 June 2025, once both have signed, until", "From 1 June 2025, until a later"),
        (
            date(2025, 6, 1),
            date(2025, 12, 31),
            "once both have signed to 31 December",
            "From 1 June 2025 to 31 December",
        ),
        (date(2025, 1, 1), None, "From 1 January 2025, once both", "From 1 January 2025, applied to history, until"),
    ],
)
def test_the_span_is_named_in_the_agreements_zone(wanted_from, ends_on, before, after, draft, rita, max_, sofia):
    draft.wanted_from, draft.ends_on = wanted_from, ends_on
    draft.save()
    version = signoff.propose(draft, by=rita, now=MONDAY)
    assert before in documents.context(version, now=MONDAY)["in_force"]
    for leader in (max_, sofia):
        sign(version, leader)
    version.refresh_from_db()
    assert after in documents.context(version, now=YEARS_LATER)["in_force"]


def test_frozen_names_are_drawn_and_not_the_rows_behind_them(version, rita, client):
    version.agreement.name, version.agreement.marketing_team.name = "Something else", "Someone else"
    version.agreement.save()
    version.agreement.marketing_team.save()
    for text in (" ".join(pages(draw(version))), shown(client, rita, version).content.decode()):
        assert "DACH inbound" in text
        assert "Marketing DACH" in text
        assert "Something else" not in text
        assert "Someone else" not in text
    assert documents.file_name(version) == "dach-inbound-version-1.pdf"


# --- How it looks ---------------------------------------------------------------------------------------------------


def test_a_small_agreement_is_signed_on_its_first_page(version):
    found = pages(draw(version))
    assert len(found) <= 2
    for words in ("For marketing", "For sales", "commit marketing to it", "commit sales to it"):
        assert words in found[0]


@pytest.mark.parametrize("template", exchange.TEMPLATES, ids=lambda template: template.slug)
def test_the_terms_of_a_template_stand_on_one_page_with_their_ladders(template, agreement):
    draft = exchange.draft_from_template(agreement, template, calendar=None, by=None, now=MONDAY).version
    agreed = terms.of(draft, now=MONDAY)
    assert lint.length(agreed) <= lint.LINES_A_PAGE
    assert wording.notes(agreed)[-1].replace("\xa0", " ") in pages(draw(draft))[0]


@pytest.mark.parametrize("paper", ["A4", "letter"])
@pytest.mark.parametrize("more", [2, 4, 6, 8])
def test_the_signatures_are_never_torn_apart(more, paper, draft, rita, max_, sofia):
    for number in range(more):
        make_commitment(draft, "disposition", code=f"d{number}", title="Outcome")
    version = agree(draft, by=rita, marketing=max_, sales=sofia)
    found = pages(draw(version, stylesheets=[_paper(paper)]))
    [page] = [text for text in found if "commit marketing to it" in text]
    for words in ("Signatures", "For marketing", "For sales", "commit sales to it"):
        assert words in page


def _paper(size: str):
    from weasyprint import CSS

    return CSS(string=f"@page {{ size: {size} }}")


def test_the_pdf_has_title_authors_language_structure_and_one_typeface(version):
    reader = PdfReader(BytesIO(draw(version)))
    assert reader.metadata.title == "DACH inbound, version 1"
    assert reader.metadata.author == "Marketing DACH, Sales DACH"
    assert reader.metadata.creation_date == MONDAY
    catalog = reader.trailer["/Root"]
    assert catalog["/Lang"] == "en"
    assert catalog["/MarkInfo"]["/Marked"]
    assert [round(float(side)) for side in reader.pages[0].mediabox[2:]] == [595, 842]
    fonts = {font["/BaseFont"] for page in reader.pages for font in page["/Resources"]["/Font"].values()}
    assert fonts
    assert all("+Inter" in name for name in fonts)


def test_a_worker_draws_without_collected_static_files(version, settings):
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
    }
    assert draw(version).startswith(b"%PDF-")


def test_weasyprint_understands_every_rule_of_the_stylesheet(version, caplog):
    caplog.set_level("WARNING", logger="weasyprint")
    draw(version)
    assert [record.getMessage() for record in caplog.records if record.name == "weasyprint"] == []


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("DACH inbound", "dach-inbound-version-1.pdf"),
        ("Übergabe / “Süd”; ../../etc", "ubergabe-sud-etc-version-1.pdf"),
        ("協定", "agreement-version-1.pdf"),
    ],
)
def test_the_file_is_named_after_agreement_and_version(name, file, draft, rita, client):
    draft.agreement.name = name
    draft.agreement.save()
    version = signoff.propose(draft, by=rita, now=MONDAY)
    assert documents.file_name(version) == file


# --- The same for ever ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [status for status in Status if status != Status.DRAFT])
def test_a_version_gives_the_same_bytes_whenever_it_is_drawn(status, draft, rita, max_, sofia):
    version = ended(draft, status, rita=rita, max_=max_, sofia=sofia)
    first = draw(version)
    # What happens later to the agreement is no part of what was agreed then.
    later = signoff.new_draft_from(version, by=rita, now=MONDAY + timedelta(days=2))
    later.wanted_from = date(2025, 6, 1)
    later.save()
    agree(later, by=rita, marketing=max_, sales=sofia, now=MONDAY + timedelta(days=3))
    again = Version.objects.get(pk=version.pk)
    assert draw(again, now=YEARS_LATER) == first
    assert PdfReader(BytesIO(first)).trailer["/ID"][0] == PdfReader(BytesIO(draw(again))).trailer["/ID"][0]


def test_a_withdrawn_draft_keeps_the_holidays_of_its_day(draft, rita):
    draft.calendar.country = "DE"
    draft.calendar.save()
    version = signoff.withdraw(draft, by=rita, reason="Never mind.", now=MONDAY)
    assert not version.terms
    assert documents.markup(version, now=MONDAY) == documents.markup(version, now=YEARS_LATER)


def test_a_draft_says_of_what_moment_it_is(draft):
    assert "Draft as of 3 March 2025, 10:00" in documents.markup(draft, now=MONDAY)
    assert "Draft as of 28 November 2027, 10:00" in documents.markup(draft, now=YEARS_LATER)


# --- Nothing foreign --------------------------------------------------------------------------------------------------


@pytest.fixture
def asked(monkeypatch) -> list[str]:
    """Every address for which WeasyPrint asks."""
    found: list[str] = []
    give = documents.asset

    def asset(url: str) -> tuple[bytes, str]:
        found.append(url)
        return give(url)

    monkeypatch.setattr(documents, "asset", asset)
    return found


def test_what_people_write_is_text_and_fetches_nothing(draft, rita, max_, sofia, client, asked):
    draft.note = HOSTILE
    draft.calendar = make_calendar(name=HOSTILE)
    draft.save()
    draft.commitments.update(title=HOSTILE[:120], consequence=HOSTILE, calendar=draft.calendar)
    draft.calendar.special_days.create(date=date(2025, 12, 24), hours="", name=HOSTILE[:80])
    draft.agreement.name = HOSTILE[:120]
    draft.agreement.marketing_team.name = HOSTILE[:80]
    draft.agreement.marketing_team.save()
    draft.agreement.save()
    version = signoff.propose(draft, by=rita, now=MONDAY)
    sign(version, max_, name=HOSTILE[:120], title=HOSTILE[:120])
    version = signoff.decline(version, by=sofia, reason=HOSTILE, now=MONDAY)

    text = " ".join(pages(draw(version)))
    assert text.count('<img src="file:///etc/passwd">') >= 8
    assert set(asked) <= {documents.SHELF + name for name in documents.ASSETS}
    assert {documents.SHELF + name for name in documents.STYLESHEETS} <= set(asked)
    page = shown(client, rita, version).content.decode()
    assert "&lt;img src=&quot;file:///etc/passwd&quot;&gt;" in page
    for tag in ("<img", "<style"):
        assert tag not in page


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "http://127.0.0.1/",
        "https://static.invalid/",
        "https://static.invalid/portal.css",
        "https://static.invalid/../../slaportal/settings.py",
        "https://static.invalid/document.css?x=1",
        "https://static.invalid.evil.example/document.css",
        "document.css",
        "data:text/css,body{color:red}",
        "ftp://evil.example/document.css",
    ],
)
def test_no_address_but_those_on_the_shelf_is_read(url):
    with pytest.raises(PermissionError, match="nothing but its own stylesheets and fonts"):
        documents.asset(url)


def test_even_markup_that_slipped_through_reads_no_file_and_no_network(asked, tmp_path, caplog):
    if not documents.can_draw_pdf():
        pytest.skip("needs WeasyPrint’s system libraries, see agreements.W001")
    from weasyprint import HTML

    secret = tmp_path / "secret.css"
    secret.write_text("body::before { content: 'SECRET' }")
    page = (
        f'<link rel="stylesheet" href="{secret.as_uri()}"><link rel="attachment" href="{secret.as_uri()}">'
        f'<style>@import url("{secret.as_uri()}"); body {{ background: url(http://127.0.0.1:9/a.png) }}</style>'
        '<link rel="stylesheet" href="data:text/css,body::before{content:\'SECRET\'}">'
        '<img src="http://127.0.0.1:9/b.png"><object data="http://127.0.0.1:9/c.svg"></object><p>Text</p>'
    )
    content = HTML(string=page, base_url=documents.SHELF, url_fetcher=documents.fetcher()).write_pdf()
    assert "".join(pages(content)) == "Text"
    assert not PdfReader(BytesIO(content)).attachments
    assert {url.partition(":")[0] for url in asked} == {"file", "http", "data"}
    assert len(asked) >= 7


# --- Pages and permissions --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["document", "agreement_pdf"])
@pytest.mark.parametrize(
    ("who", "seen_as_draft", "seen_later"),
    [
        ("rita", 200, 200),
        ("max_", 404, 200),
        ("sofia", 404, 200),
        ("mona", 404, 200),
        ("ron", 404, 200),
        ("vera", 404, 200),
        ("nobody", 404, 404),
        (None, 302, 302),
    ],
)
def test_whoever_may_see_the_version_may_see_its_document(
    who, seen_as_draft, seen_later, name, draft, rita, request, client, monkeypatch
):
    monkeypatch.setattr(documents, "can_draw_pdf", lambda: True)
    monkeypatch.setattr(documents, "pdf", lambda version, *, now: b"%PDF-")
    if who:
        client.force_login(make_user("nobody@example.com") if who == "nobody" else request.getfixturevalue(who))
    address = reverse(name, args=[draft.agreement_id, draft.number])
    assert client.get(address).status_code == seen_as_draft
    signoff.propose(draft, by=rita, now=MONDAY)
    response = client.get(address)
    assert response.status_code == seen_later
    if who is None:
        assert response["Location"].startswith(reverse("login"))


@pytest.mark.parametrize("name", ["document", "agreement_pdf"])
def test_a_version_that_is_not_there_has_no_document(name, version, rita, client):
    client.force_login(rita)
    assert client.get(reverse(name, args=[version.agreement_id, 9])).status_code == 404
    assert client.get(reverse(name, args=[999, 1])).status_code == 404


def test_the_pdf_is_a_file_to_keep(version, vera, client):
    draw(version)  # skips where none can be drawn
    response = shown(client, vera, version, "agreement_pdf")
    assert response["Content-Type"] == "application/pdf"
    assert response["Content-Disposition"] == 'attachment; filename="dach-inbound-version-1.pdf"'
    assert b"".join(response.streaming_content) == draw(version, now=YEARS_LATER)


def test_the_print_page_leads_to_the_pdf_and_back_and_keeps_the_strict_policy(version, vera, client):
    response = shown(client, vera, version)
    page = response.content.decode()
    assert f'href="{reverse("agreement_pdf", args=[version.agreement_id, 1])}">Download PDF' in page
    assert f'href="{version.get_absolute_url()}">Back' in page
    assert "unsafe" not in response["Content-Security-Policy"]
    assert "<style" not in page
    assert " style=" not in page
    assert re.findall(r"<script(?![^>]*\bsrc=)", page) == []
    assert "static.invalid" not in page
    assert "Download PDF" not in documents.markup(version, now=MONDAY)


# --- Where WeasyPrint is missing --------------------------------------------------------------------------------------


@pytest.fixture(params=[ImportError("No module named 'weasyprint'"), OSError("cannot load library 'libpango-1.0-0'")])
def without_weasyprint(request, monkeypatch):
    """A machine on which WeasyPrint, or what it loads, is not installed."""
    caches = (documents.can_draw_pdf, documents._weasyprint)

    def fail(name: str) -> SimpleNamespace:
        print("WeasyPrint could not import some external libraries.")
        raise request.param

    monkeypatch.setattr(documents, "import_module", fail)
    monkeypatch.setattr(checks, "libraries_are_there", lambda: False)
    for cache in caches:
        cache.cache_clear()
    yield
    for cache in caches:
        cache.cache_clear()


def test_without_weasyprint_the_pdf_button_opens_the_print_page(without_weasyprint, version, vera, client, capsys):
    assert not documents.can_draw_pdf()
    with pytest.raises(Refused, match="Print the document from the browser"):
        documents.pdf(version, now=MONDAY)
    response = shown(client, vera, version, "agreement_pdf")
    page = reverse("document", args=[version.agreement_id, version.number])
    assert response.status_code == 302
    assert response["Location"] == page
    text = client.get(page).content.decode()
    assert "This machine cannot draw PDFs." in text
    assert version.terms_hash in text.replace("</span><span>", "")
    assert capsys.readouterr().out == ""


def test_without_weasyprint_a_check_names_the_packages_to_install(without_weasyprint):
    [warning] = [message for message in run_checks() if message.id == "agreements.W001"]
    assert "apt-get install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0" in warning.hint
    assert not warning.is_serious()  # not an error: the portal runs


def test_with_weasyprint_the_check_is_silent_and_does_not_take_long(monkeypatch):
    if not documents.can_draw_pdf():
        pytest.skip("needs WeasyPrint’s system libraries, see agreements.W001")
    assert checks.pdfs() == []
    monkeypatch.setattr(checks, "libraries_are_there", lambda: False)  # under other names, as on macOS
    assert checks.pdfs() == []
    monkeypatch.undo()
    monkeypatch.setattr(documents, "can_draw_pdf", lambda: pytest.fail("It imported WeasyPrint to know."))
    if checks.libraries_are_there():
        assert checks.pdfs() == []
