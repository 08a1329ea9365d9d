"""What the monthly mail says: the headline, the picture of every promise, and the link."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from django.utils.translation import gettext as _

from agreements.models import Agreement
from leads.periods import parse
from reports import headline, paper, promises, rendering, sealed_editions
from reports.promises import Side
from reports.rendering import Edition
from slaportal.letters import Attachment, Letter
from slaportal.models import Notice


def letters(notices: Sequence[Notice]) -> list[Letter]:
    """The headline, and in a mail the picture of every promise; drawn once for all readers of a month."""
    agreements = Agreement.objects.in_bulk({notice.about for notice in notices})
    drawn: dict[tuple[int, str, bool], Letter] = {}
    for notice in notices:
        place = _place(notice)
        if place not in drawn:
            period = parse(notice.key.rpartition(":")[2])
            edition = sealed_editions.standing(agreements[notice.about], period, now=notice.created_at)
            drawn[place] = _letter(edition, with_picture=place[2], now=notice.created_at)
    return [drawn[_place(notice)] for notice in notices]


def _place(notice: Notice) -> tuple[int, str, bool]:
    return notice.about, notice.key, notice.channel == Notice.Channel.EMAIL


def _letter(edition: Edition, *, with_picture: bool, now: datetime) -> Letter:
    data = edition.read()
    sides = promises.sides(promises.lines(data, edition.evidence))
    said = headline.sentences(
        sides, handoffs=data["handoffs"], label=str(edition.period), is_running=edition.is_running
    )
    words = {"agreement": edition.agreement, "period": edition.period}
    return Letter(
        subject=_("Scorecard: %(agreement)s, %(period)s") % words,
        paragraphs=(headline.plain(said),),
        link_label=_("Open the scorecard"),
        link=edition.page_url,
        attachments=_picture(edition, sides, now=now) if with_picture and sides else (),
    )


def _picture(edition: Edition, sides: Sequence[Side], *, now: datetime) -> tuple[Attachment, ...]:
    """The picture, in words too; a mail goes without it where this machine cannot draw it."""
    with suppress(ImportError):
        drawn = rendering.parts(edition, [paper.PICTURE], draw=paper.draw, now=now)[paper.PICTURE]
        name = f"{paper.slug(edition)}.png"
        return (Attachment(name, drawn, "image/png", shown_as=_in_words(sides)),)
    return ()


def _in_words(sides: Sequence[Side]) -> str:
    """Every promise with its figure, for whoever does not see the picture."""
    rows = [
        f"• {line.mention[:1].upper()}{line.mention[1:]}: "
        + (_("%(reached)s against %(target)s") % {"reached": line.reached, "target": line.target}
           if line.target else line.reached)
        for side in sides
        for line in side.lines
    ]  # fmt: skip
    return "\n".join(rows)
