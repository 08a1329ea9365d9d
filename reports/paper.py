"""A scorecard on paper (PDF, by WeasyPrint) and as a picture (PNG, by resvg); drawn when asked for and kept.

The pictures are those of the page. Paper and mail know no stylesheet of the portal and no dark mode, so the same
classes get plain colours here.
"""

from functools import cache
from importlib import import_module
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from django.contrib.staticfiles import finders
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _

from agreements import documents
from reports import breakdowns, promises, sheet
from reports.rendering import Edition
from slaportal.letters import absolute
from slaportal.refusal import Refused
from slaportal.templatetags import display

# Names of what is kept.
A4, LETTER, PICTURE = "pdf-a4", "pdf-letter", "picture"
SIZES = {"a4": A4, "letter": LETTER}
# Where people print on Letter, by how dates are written.
ON_LETTER = ("en-us",)
FONTS = ("Regular", "Medium", "SemiBold", "Bold")
# Rows of a break-down on paper; all of them stand on the page.
MOST_ROWS = 8
# The picture, in pixels before it is drawn twice as fine for screens that show it so.
WIDTH, HEAD, ROW, GROUP, FOOT, FINE = 600, 58, 40, 34, 32, 2


def can_draw() -> bool:
    """Whether PDFs can be drawn on this machine."""
    return documents.can_draw_pdf()


def size_for(language: str) -> str:
    """The paper of whoever reads this language."""
    return LETTER if language.lower() in ON_LETTER else A4


def draw(edition: Edition, name: str) -> bytes:
    """A PDF on the paper of that name, or the picture."""
    return picture(edition) if name == PICTURE else pdf(edition, name)


def pdf(edition: Edition, name: str = A4) -> bytes:
    """The whole scorecard on one or two pages. Refused where it cannot be drawn; ask `can_draw` before."""
    if not can_draw():
        raise Refused(_("This machine cannot draw PDFs. Print the page from the browser instead."))
    page = markup(edition, name)
    drawn = import_module("weasyprint").HTML(string=page, base_url=documents.SHELF, url_fetcher=documents.fetcher())
    return drawn.write_pdf(pdf_tags=True)


def markup(edition: Edition, name: str) -> str:
    """The paper as HTML, with its style in it."""
    agreement, data, zone = edition.agreement, edition.read(), edition.agreement.zone
    shown = sheet.build(data, edition.evidence, earlier=edition.read_earlier(), is_running=edition.is_running)
    with timezone.override(zone), display.a_page_of_its_own():
        return render_to_string(
            "reports/paper.html",
            {
                "agreement": agreement,
                "period": edition.period,
                "sheet": shown,
                "edition": edition,
                "computed_at": documents.moment(edition.computed_at, zone).local,
                "versions": agreement.versions.filter(number__in=data["versions"]).order_by("number"),
                "tables": sheet.break_down(data, edition.evidence, "source"),
                "heading": breakdowns.NAMES["source"][1],
                "most_rows": MOST_ROWS,
                "is_letter": name == LETTER,
                "shelf": documents.SHELF,
                "stylesheet": documents.STYLESHEETS[0],
                "page_url": absolute(edition.page_url),
            },
        )


def picture(edition: Edition) -> bytes:
    """Every promise as a bar against its target, as PNG for a mail."""
    drawing = svg(edition)
    found = import_module("resvg_py").svg_to_bytes(
        svg_string=drawing, zoom=FINE, skip_system_fonts=True, font_files=_font_files(), font_family="Inter",
        sans_serif_family="Inter",
    )  # fmt: skip
    return bytes(found)


def svg(edition: Edition) -> str:
    """The picture of a mail before it is made of pixels."""
    sides = promises.sides(promises.lines(edition.read(), edition.evidence))
    y, groups = HEAD, []
    for side in sides:
        rows = [(y + GROUP + ROW * place, line) for place, line in enumerate(side.lines)]
        groups.append((y, side, rows))
        y += GROUP + ROW * len(rows)
    return render_to_string(
        "reports/picture.svg",
        {"edition": edition, "groups": groups, "width": WIDTH, "height": y + FOOT, "foot": y + FOOT - 12},
    )


def slug(edition: Edition) -> str:
    """What its files are called: “dach-inbound-2026-03”."""
    return f"{slugify(edition.agreement.name) or 'scorecard'}-{slugify(edition.period.key.replace('..', '-to-'))}"


@cache
def _font_files() -> list[str]:
    """Inter as files that resvg reads; they go with the process."""
    folder = _folder()
    return [str(_unpacked(weight, Path(folder.name))) for weight in FONTS]


@cache
def _folder() -> TemporaryDirectory:
    return TemporaryDirectory(prefix="fonts-")


def _unpacked(weight: str, folder: Path) -> Path:
    content = BytesIO()
    import_module("fontTools.ttLib.woff2").decompress(finders.find(f"unfold/fonts/inter/Inter-{weight}.woff2"), content)
    file = folder / f"Inter-{weight}.ttf"
    file.write_bytes(content.getvalue())
    return file
