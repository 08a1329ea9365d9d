"""The scorecard on paper and as a picture."""

from io import BytesIO

import pypdf
import pytest
from django.urls import reverse
from django.utils import translation
from PIL import Image

from reports import editions, paper
from reports.models import Rendering
from slaportal.refusal import Refused
from tests.reports.conftest import MARCH, MET, MISSED, NOW, make_clock, make_handoff, make_outcome

pytestmark = [pytest.mark.django_db, pytest.mark.embedded]


@pytest.fixture(autouse=True)
def fifth_of_may(time_machine):
    """It is 5 May 2025."""
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def history(version, response, volume, ron):
    for number in range(12):
        handoff = make_handoff(version, ron, source=f"Fair number {number}")
        make_clock(handoff, volume, MET, rule="delivered")
        make_clock(handoff, response, MET if number % 4 else MISSED, elapsed_seconds=900 * number, stopped_at=NOW)
        if number % 3 == 0:
            make_outcome(handoff, "meeting")
    return version.agreement


def opened(drawn: bytes) -> pypdf.PdfReader:
    return pypdf.PdfReader(BytesIO(drawn))


@pytest.mark.parametrize(("name", "size"), [(paper.A4, (595, 842)), (paper.LETTER, (612, 792))])
def test_it_stands_on_one_or_two_pages_of_either_paper(history, name, size):
    found = opened(paper.pdf(editions.live(history, MARCH, now=NOW), name))

    assert 1 <= len(found.pages) <= 2
    assert tuple(round(float(side)) for side in found.pages[0].mediabox[2:]) == size
    said = " ".join(page.extract_text() for page in found.pages)
    said = " ".join(said.replace("\xa0", " ").split())
    assert "DACH inbound · March 2025" in said
    assert "Furthest below its target" in said
    assert "The 8 largest; all of them stand on the page." in said
    assert "9 met + 3 missed + 0 open + 0 excluded = 12" in said


def test_an_empty_period_is_a_page_too(version):
    drawn = paper.pdf(editions.live(version.agreement, MARCH, now=NOW))

    assert len(opened(drawn).pages) == 1


def test_it_is_downloaded_kept_and_on_the_paper_of_the_reader(client, vera, history):
    client.force_login(vera)
    address = reverse("scorecard_pdf", args=[history.pk, "2025-03"])

    answer = client.get(address)
    assert answer["Content-Disposition"] == 'attachment; filename="dach-inbound-2025-03.pdf"'
    first = b"".join(answer.streaming_content)
    assert b"".join(client.get(address).streaming_content) == first  # the one that was kept
    client.get(address, {"paper": "letter"})
    client.get(address, headers={"accept-language": "en-us"})

    assert sorted(Rendering.objects.values_list("part", "language")) == [
        ("pdf-a4", "en"), ("pdf-letter", "en"), ("pdf-letter", "en-us"),
    ]  # fmt: skip


def test_a_machine_that_cannot_draw_says_what_to_do_instead(client, vera, history, monkeypatch):
    monkeypatch.setattr(paper.documents, "can_draw_pdf", lambda: False)
    client.force_login(vera)

    page = client.get(reverse("scorecard_pdf", args=[history.pk, "2025-03"]), follow=True)

    assert "Print the page from the browser" in page.content.decode()
    assert reverse("scorecard_pdf", args=[history.pk, "2025-03"]) not in page.content.decode()
    with pytest.raises(Refused):
        paper.pdf(editions.live(history, MARCH, now=NOW))


def test_the_picture_is_as_wide_as_a_mail_twice_as_fine_and_not_blank(history):
    image = Image.open(BytesIO(paper.picture(editions.live(history, MARCH, now=NOW))))

    assert image.format == "PNG"
    assert image.width == 2 * paper.WIDTH
    colours = {colour for _count, colour in image.convert("RGB").getcolors(maxcolors=10**6)}
    assert (196, 50, 10) in colours  # a missed promise
    assert (22, 24, 29) in colours  # words, and the strokes of targets


def test_names_in_the_picture_are_text_and_never_markup(history):
    history.name = "A <b>bold</b> & long name " * 9
    with translation.override("en"):
        drawn = paper.svg(editions.live(history, MARCH, now=NOW))

    assert "<b>" not in drawn and "&lt;b&gt;bold" in drawn
    assert paper.picture(editions.live(history, MARCH, now=NOW))
