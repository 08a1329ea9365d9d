"""What was drawn of a scorecard, kept: parts of its page, its picture and its paper.

A drawing says what it was drawn from: the figures as they were computed, by this release. So the page asks for one row
a part, whoever computes the figures anew has nothing to clear away, and after an update everything is drawn again when
somebody asks. Nothing in a drawing may depend on its reader but the language.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils import translation

from agreements.models import Agreement
from leads.periods import Period
from reports.evidence import Evidence
from reports.models import Rendering

# Whatever can change how a card looks: code and templates of this room, and how figures are said.
DRAWN_BY = ("reports/*.py", "templates/reports/*", "templates/partials/bar.html", "slaportal/templatetags/display.py",
            "agreements/catalogue.py", "leads/rules.py")  # fmt: skip


@dataclass(frozen=True)
class Edition:
    """The figures of one agreement and period that are to be shown, live or sealed; `name` tells them from all others.

    `name` is blank for figures that nobody keeps, so that their drawings are not kept either. `read` gives the figures
    and `read_earlier` those of the periods before, oldest first: asked only where something has to be drawn. `marks`
    say, by part, what else it is drawn from.
    """

    agreement: Agreement
    period: Period
    name: str
    computed_at: datetime
    evidence: Evidence
    read: Callable[[], Mapping[str, Any]]
    read_earlier: Callable[[], list[Mapping[str, Any] | None]]
    is_sealed: bool = False
    marks: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_running(self) -> bool:
        """Whether the period was not over when its figures were computed."""
        return self.computed_at < self.period.end(self.agreement.zone)

    @property
    def page_url(self) -> str:
        """The address of its page."""
        return reverse("scorecard", args=[self.agreement.pk, self.period.key])


Draw = Callable[[Edition, str], bytes]


def parts(edition: Edition, names: list[str], *, draw: Draw, now: datetime) -> dict[str, bytes]:
    """The parts of these names as they were drawn; what is missing or was drawn from something else is drawn now."""
    if not edition.name:
        return {name: draw(edition, name) for name in names}
    mine = Rendering.objects.filter(
        agreement=edition.agreement, period=edition.period.key, language=translation.get_language(), part__in=names
    )
    found = {
        part: bytes(content)
        for part, drawn_from, content in mine.values_list("part", "drawn_from", "content")
        if drawn_from == source(edition, part)
    }
    for name in names:
        if name not in found:
            found[name] = draw(edition, name)
            keep(edition, name, found[name], now=now)
    return found


def keep(edition: Edition, name: str, content: bytes, *, now: datetime) -> None:
    """Keep a drawing in place of the one that was kept before."""
    Rendering.objects.update_or_create(
        agreement=edition.agreement,
        period=edition.period.key,
        language=translation.get_language(),
        part=name,
        defaults={"drawn_from": source(edition, name), "content": content, "drawn_at": now},
    )


def source(edition: Edition, name: str) -> str:
    """What a part of the edition is drawn from, as a hash: its figures, what else it shows, and this release."""
    return hashlib.sha256(f"{release()} {edition.name} {edition.marks.get(name, '')}".encode()).hexdigest()


def release() -> str:
    """Everything that draws, as a hash; who works on a template sees it at once."""
    return _release.__wrapped__() if settings.DEBUG else _release()


@cache
def _release() -> str:
    found = hashlib.sha256()
    for pattern in DRAWN_BY:
        for file in sorted(settings.BASE_DIR.glob(pattern)):
            if file.is_file():
                found.update(file.read_bytes())
    return found.hexdigest()
