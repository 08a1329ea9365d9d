"""System checks of agreements: what is missing on this machine or in the database, in a sentence with its cure."""

from collections.abc import Sequence
from ctypes import CDLL
from importlib.util import find_spec

from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import connections

from agreements import documents, frozen

# What WeasyPrint loads, as Linux calls it. Debian's packages have the same names.
LIBRARIES = {
    "libpango-1.0.so.0": "libpango-1.0-0",
    "libpangoft2-1.0.so.0": "libpangoft2-1.0-0",
    "libharfbuzz-subset.so.0": "libharfbuzz-subset0",
}


@register()
def pdfs(**kwargs: object) -> list[CheckMessage]:
    """PDFs need system libraries; without them the portal runs and offers its print page instead."""
    if libraries_are_there() or documents.can_draw_pdf():
        return []
    return [
        Warning(
            "Agreements cannot be drawn as PDFs: WeasyPrint or a system library that it needs is missing.",
            hint=f"On Debian and Ubuntu: apt-get install {' '.join(LIBRARIES.values())}. Elsewhere see WeasyPrint’s "
            "“First steps”. Until then the PDF button opens the print page.",
            id="agreements.W001",
        )
    ]


def libraries_are_there() -> bool:
    """The quick answer on Linux: importing WeasyPrint takes a second, and most commands run the checks."""
    try:
        for library in LIBRARIES:
            CDLL(library)
    except OSError:
        return False
    return find_spec("weasyprint") is not None


@register()
def frozen_tables(**kwargs: object) -> list[CheckMessage]:
    """Whoever adds a table says whether what stands in it freezes."""
    return [
        Error(
            f"Nobody has said whether the rows of {label} freeze with a version.",
            hint="Name the model in agreements.frozen: in FROZEN, with its triggers, or in FREE.",
            id="agreements.E001",
        )
        for label in frozen.unknown_tables()
    ]


@register(Tags.database)
def triggers(*, databases: Sequence[str] | None = None, **kwargs: object) -> list[CheckMessage]:
    """The triggers on frozen rows stand in the database as this release wants them.

    No error, because migrate, which makes them, asks before it begins.
    """
    return [
        Warning(
            f"Frozen rows are not guarded: {', '.join(missing)} missing or changed.",
            hint="Run manage.py migrate, which makes them anew; then manage.py verify_agreements.",
            id="agreements.W002",
        )
        for name in databases or ()
        if (missing := frozen.missing(connections[name]))
    ]
