"""A version as a document: the print page and the PDF, both drawn from the frozen bytes.

A PDF has the same bytes whenever it is drawn: nothing in it but a draft's own date asks what time it is. It is drawn by
WeasyPrint, which is imported when the first one is asked for, because that takes a second; the portal runs without it.
"""

from contextlib import redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime, time
from functools import cache
from importlib import import_module
from io import BytesIO, StringIO
from pathlib import Path
from types import ModuleType
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.staticfiles import finders
from django.template.loader import render_to_string
from django.utils.text import slugify
from django.utils.translation import gettext as _

from agreements import marks, phrases, terms, wording
from agreements.models import Signature, Status, Version
from agreements.signers import SIGNING_PARTIES
from agreements.terms import Terms
from slaportal.models import Party
from slaportal.refusal import Refused

TEMPLATE = "agreements/document.html"
STYLESHEETS = ("unfold/fonts/inter/styles.css", "document.css")
WEIGHTS = ("Regular", "Medium", "SemiBold", "Bold")
# Everything that a PDF is made of besides its own text, and the type of each file.
ASSETS = {
    **dict.fromkeys(STYLESHEETS, "text/css"),
    **{f"unfold/fonts/inter/Inter-{weight}.woff2": "font/woff2" for weight in WEIGHTS},
}
# Stands before their names while a PDF is drawn. There can be no such host (RFC 2606), and nobody asks for it.
SHELF = "https://static.invalid/"

# What is not an agreement says so on every page.
MARKS = {
    Status.DRAFT: "DRAFT",
    Status.PROPOSED: "PROPOSED – not yet agreed",
    Status.DECLINED: "DECLINED",
    Status.WITHDRAWN: "WITHDRAWN",
}
# A hash breaks between pieces of this many digits, and nowhere else.
PIECE = 16


@dataclass(frozen=True)
class Moment:
    """A moment as the document says it: in the agreement's zone and in UTC, both to the second."""

    local: str
    utc: str


@dataclass(frozen=True)
class Side:
    """One side's place under the terms, signed or not."""

    party: Party
    team: str
    signature: Signature | None
    at: Moment | None


def context(version: Version, *, now: datetime) -> dict[str, Any]:
    """What the document says; to everything but a draft `now` makes no difference."""
    last = version.events.select_related("actor").order_by("number").last()
    as_of = now if version.is_draft or last is None else last.at
    agreed = terms.of(version, now=as_of)
    said = wording.document(agreed)
    zone = ZoneInfo(agreed.time_zone)
    signatures = {signature.party: signature for signature in version.signatures.all()}
    teams = {Party.MARKETING: agreed.marketing_team, Party.SALES: agreed.sales_team}
    return {
        "version": version,
        "terms": agreed,
        "marked": marks.marked(None, said),
        "calendars": said.calendars,
        "mark": MARKS.get(version.status, ""),
        "status": _status(version, as_of, zone),
        "in_force": _in_force(version, agreed, zone),
        "ending": last if version.status in (Status.DECLINED, Status.WITHDRAWN) else None,
        "sides": [_side(party, teams[party], signatures.get(party), zone) for party in SIGNING_PARTIES],
        "terms_hash": _pieces(version.terms_hash),
        "head": last,
        "head_mac": _pieces(last.mac) if last else [],
        "head_at": moment(last.at, zone) if last else None,
        "written_at": (version.agreed_at or version.proposed_at or as_of).astimezone(UTC).isoformat(timespec="seconds"),
        "stylesheets": STYLESHEETS,
    }


def file_name(version: Version) -> str:
    """“dach-inbound-version-2.pdf”."""
    return f"{slugify(terms.of(version).agreement) or 'agreement'}-version-{version.number}.pdf"


def moment(at: datetime, zone: ZoneInfo) -> Moment:
    """“3 March 2025, 10:00:00 Europe/Berlin” and “3 March 2025, 09:00:00 UTC”."""
    return Moment(
        f"{at.astimezone(zone):%-d %B %Y, %H:%M:%S} {zone.key}",
        f"{at.astimezone(UTC):%-d %B %Y, %H:%M:%S} UTC",
    )


def _side(party: Party, team: str, signature: Signature | None, zone: ZoneInfo) -> Side:
    return Side(party, team, signature, moment(signature.signed_at, zone) if signature else None)


def _status(version: Version, as_of: datetime, zone: ZoneInfo) -> str:
    """Where the version stands and since when: “Agreed on 3 March 2025”."""
    if version.is_draft:
        return f"Draft as of {as_of.astimezone(zone):%-d %B %Y, %H:%M}; not proposed yet"
    if version.status == Status.PROPOSED:
        return f"Proposed on {phrases.day_of(version.proposed_at.astimezone(zone))}; not yet agreed"
    return f"{version.status.capitalize()} on {phrases.day_of(as_of.astimezone(zone))}"


def _in_force(version: Version, agreed: Terms, zone: ZoneInfo) -> str:
    """From when, and until when, as far as the version itself says it: what replaces it later stands in the portal."""
    if version.status in (Status.DECLINED, Status.WITHDRAWN):
        return "It never took effect"
    until = f" to {phrases.day_of(agreed.ends_on)}" if agreed.ends_on else ", until a later version takes its place"
    if version.status == Status.AGREED:
        applied = ", applied to history" if version.is_retroactive else ""
        return f"From {_beginning(version.effective_from, zone)}{applied}{until}"
    if agreed.effective_from is None:
        return f"From the second signature{until}"
    return f"From {_beginning(agreed.effective_from, zone)}, once both have signed{until}"


def _beginning(at: datetime, zone: ZoneInfo) -> str:
    """The day where a version begins with it; else the minute too: “3 March 2025, 10:00”."""
    local = at.astimezone(zone)
    return f"{local:%-d %B %Y}" if local.time() == time.min else f"{local:%-d %B %Y, %H:%M}"


def _pieces(digits: str) -> list[str]:
    return [digits[start : start + PIECE] for start in range(0, len(digits), PIECE)]


# --- PDF ----------------------------------------------------------------------------------------------------------


@cache
def can_draw_pdf() -> bool:
    """Whether WeasyPrint and the system libraries that it needs are there."""
    try:
        _weasyprint()
    except (ImportError, OSError):
        return False
    return True


def pdf(version: Version, *, now: datetime) -> bytes:
    """The document as a PDF on A4. Refused where it cannot be drawn; ask `can_draw_pdf` before."""
    if not can_draw_pdf():
        raise Refused(_("This machine cannot draw PDFs. Print the document from the browser instead."))
    page = markup(version, now=now)
    drawn = _weasyprint().HTML(string=page, base_url=SHELF, url_fetcher=fetcher())
    return drawn.write_pdf(pdf_identifier=terms.digest(page)[:32].encode(), pdf_tags=True)


def markup(version: Version, *, now: datetime) -> str:
    """The page as it is drawn: without the buttons, and with stylesheets from the shelf."""
    return render_to_string(TEMPLATE, {**context(version, now=now), "shelf": SHELF})


def asset(url: str) -> tuple[bytes, str]:
    """The file behind an address that a PDF may read, with its type; everything else is refused, wherever it lies."""
    name = url.removeprefix(SHELF)
    if name == url or name not in ASSETS:
        raise PermissionError(f"A document reads nothing but its own stylesheets and fonts, and not {url}")
    file = Path(finders.find(name))
    return (_unpacked(file) if file.suffix == ".woff2" else file.read_bytes()), ASSETS[name]


def fetcher() -> object:
    """What WeasyPrint asks for every address that it meets, `data:` included; it gives what `asset` gives."""
    urls = import_module("weasyprint.urls")

    class Shelf(urls.URLFetcher):
        def fetch(self, url: str, headers: object = None) -> object:
            content, kind = asset(url)
            return urls.URLFetcherResponse(url, content, {"Content-Type": kind})

    return Shelf()


@cache
def _weasyprint() -> ModuleType:
    with redirect_stdout(StringIO()):  # where libraries are missing it prints its own advice; ours is agreements.W001
        return import_module("weasyprint")


@cache
def _unpacked(font: Path) -> bytes:
    """A font as WeasyPrint would unpack it for each PDF anew, which takes longer than to draw one."""
    content = BytesIO()
    import_module("fontTools.ttLib.woff2").decompress(str(font), content)
    return content.getvalue()
