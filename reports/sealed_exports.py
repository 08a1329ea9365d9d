"""What an exported list of sealed handoffs has in its columns. Reads only."""

from collections.abc import Iterator, Sequence
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils.translation import gettext as _

from leads.exports import PERSON, person_heads
from reports.sealed_lists import SealedList
from slaportal.spreadsheet import Cell

CHUNK = 2000  # rows that are read together


def heads(zone: ZoneInfo) -> list[str]:
    """The headings of `rows`; moments are in the zone."""
    return [*person_heads(), _("Handoff"), _("Source"), _("Campaign"), _("Segment"), _("Began") + f" ({zone})",
            _("Sealed as"), _("Why"), _("Business seconds"), _("Counted for"), _("Would now be"),
            _("Link")]  # fmt: skip


def rows(asked: SealedList, ids: Sequence[int]) -> Iterator[list[Cell]]:
    """A row for each of these handoffs, with what its clock was where a promise is chosen."""
    for begin in range(0, len(ids), CHUNK):
        for row in asked.rows(ids[begin : begin + CHUNK]):
            handoff = row.handoff
            yield [
                *(getattr(handoff.lead, name) for name in PERSON),
                handoff.number,
                handoff.source,
                handoff.campaign,
                handoff.segment,
                handoff.qualified_at,
                row.state,
                row.rule,
                row.elapsed,
                row.owner,
                row.now,
                f"{settings.PORTAL_URL}{handoff.get_absolute_url()}",
            ]
