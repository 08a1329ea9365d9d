"""Two scorecards side by side: a period with the one before, with a year earlier, or with another agreement."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.utils.translation import gettext as _

from leads.periods import CUSTOM, WEEK, Period, span
from reports import outcomes, promises
from reports.evidence import Number
from reports.promises import Line
from reports.rendering import Edition
from reports.sections import points
from slaportal.models import Party
from slaportal.templatetags.display import duration, percent

PREVIOUS, YEAR = "previous", "year"


@dataclass(frozen=True)
class Pair:
    """One promise here and there, either may be missing; `difference` is in points of a share, or words why there is
    none.
    """

    here: Line | None
    there: Line | None
    difference: str
    tone: str
    faster: str

    @property
    def title(self) -> str:
        """What it is called, with its version where the period has several."""
        mention = (self.here or self.there).mention
        return f"{mention[:1].upper()}{mention[1:]}"

    @property
    def their_title(self) -> str:
        """What the other agreement calls it, where that is another name."""
        if self.here and self.there and self.there.row["title"] != self.here.row["title"]:
            return self.there.row["title"]
        return ""


@dataclass(frozen=True)
class Counted:
    """Handoffs, or one outcome of them, here and there."""

    name: str
    here: Number
    there: Number

    @property
    def difference(self) -> str:
        value = self.here.count - self.there.count
        return f"{'+' if value > 0 else '−' if value < 0 else '±'}{abs(value):,}"


@dataclass(frozen=True)
class Comparison:
    """Everything on the page: the promises by party, and what came of the handoffs."""

    sides: list[tuple[str, list[Pair]]]
    counted: list[Counted]


def compare(here: Edition, there: Edition) -> Comparison:
    """The figures of `here` against those of `there`."""
    mine, theirs = here.read(), there.read()
    pairs = _paired(
        promises.lines(mine, here.evidence),
        promises.lines(theirs, there.evidence),
        by_kind=here.agreement.pk != there.agreement.pk,
    )
    by_party = [(party, [pair for pair in pairs if (pair.here or pair.there).row["party"] == party]) for party in Party]
    names = [("handoffs", _("handoffs"), {}), *((plural, _(plural), {"outcome": kind}) for kind, plural in
                                                outcomes.PLURALS.items())]  # fmt: skip
    return Comparison(
        sides=[(str(party.label), rows) for party, rows in by_party if rows],
        counted=[
            Counted(label, *(Number(label, _count(data, name), edition.evidence.url(**asked))
                             for data, edition in ((mine, here), (theirs, there))))
            for name, label, asked in names
        ],
    )  # fmt: skip


def year_before(period: Period) -> Period:
    """The same month, quarter, week by its number, or days, a year earlier; a week 53 compares with the last week."""
    if period.unit == WEEK:
        year, week, _day = period.first_day.isocalendar()
        try:
            return Period.containing(WEEK, date.fromisocalendar(year - 1, week, 1))
        except ValueError:
            return Period.containing(WEEK, date.fromisocalendar(year - 1, week - 1, 1))
    first = _year_before(period.first_day)
    if period.unit == CUSTOM:
        return span(first, max(first, _year_before(period.last_day)))
    return Period.containing(period.unit, first)


def _year_before(day: date) -> date:
    try:
        return day.replace(year=day.year - 1)
    except ValueError:  # 29 February
        return day.replace(year=day.year - 1, day=28)


def _count(data: Mapping[str, Any], name: str) -> int:
    return data["handoffs"] if name == "handoffs" else data["outcomes"][name]


def _paired(mine: Sequence[Line], theirs: Sequence[Line], *, by_kind: bool) -> list[Pair]:
    """Promises with the same code belong together, and in another agreement those of the same kind; in order. Of
    several versions the later ones are compared first."""
    free = list(reversed(theirs))
    found: dict[int, Line | None] = {}
    for names in (("code", "kind"), *((("kind",),) if by_kind else ())):
        for place, line in reversed(list(enumerate(mine))):
            if found.get(place) is None:
                fits = [one for one in free if all(one.row[name] == line.row[name] for name in names)]
                if fits:
                    found[place] = fits[0]
                    free.remove(fits[0])
    pairs = [_pair(line, found.get(place), theirs) for place, line in enumerate(mine)]
    return pairs + [_pair(None, line, mine) for line in reversed(free)]


def _pair(here: Line | None, there: Line | None, others: Sequence[Line]) -> Pair:
    """A promise beside its like; one that has none may still be among the `others`, beside another version's."""
    if here is None or there is None:
        words = _("not promised there") if there is None else _("not promised here")
        if any(one.row["code"] == (here or there).row["code"] for one in others):
            words = _("stands beside another version")
        return Pair(here, there, words, "", "")
    faster = ""
    spans = [line.row["median_seconds"] for line in (here, there)]
    if None not in spans:
        change = timedelta(seconds=spans[0] - spans[1])
        faster = _("as fast") if not change else (
            _("%(span)s faster") if spans[0] < spans[1] else _("%(span)s slower")
        ) % {"span": duration(abs(change))}  # fmt: skip
    if here.is_too_few or there.is_too_few:
        return Pair(here, there, _("too few"), "", faster)
    if here.row["attainment"] is None or there.row["attainment"] is None:
        return Pair(here, there, percent(None), "", faster)
    value = here.row["attainment"] - there.row["attainment"]
    tone = "ok-text" if value > 0 else "bad-text" if value < 0 else ""
    return Pair(here, there, points(value), tone, faster)
