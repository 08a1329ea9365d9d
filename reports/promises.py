"""One promise on a scorecard, and the promises of one side: figures as words, and each number with its evidence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.utils.translation import gettext as _

from agreements.catalogue import CATALOGUE
from reports import charts, trends
from reports.evidence import Evidence, Number
from slaportal.models import Party
from slaportal.templatetags.display import percent


@dataclass(frozen=True)
class Line:
    """One commitment: what was promised, what came of it. `mention` is its title inside a sentence.

    `all_url` opens every handoff that it counts: the set that shares, medians and bars are taken of.
    """

    row: Mapping[str, Any]
    mention: str
    numbers: list[Number]
    exclusions: list[Number]
    unanswered: Number
    trend: trends.Trend | None
    all_url: str
    unstopped: Number
    took: list[Number]

    @property
    def reached_url(self) -> str:
        """What opens with the figure: of volume what was delivered, of a share all that it is taken of."""
        return self.numbers[0].url if self.is_volume else self.all_url

    @property
    def about(self) -> str:
        """What exactly is promised, in one line."""
        row = self.row
        within = _("Within %(limit)s") % {"limit": row["limit"]} + (f", {row['calendar']}" if row["calendar"] else "")
        words = [within if row["limit"] else str(CATALOGUE[row["kind"]].exactly).rstrip(".")]
        if self.is_volume and row["expected"] != row["target"] and row["target"] is not None:
            words.append(_("%(target)s a month, in proportion to the days") % {"target": plain(row["target"])})
        return "; ".join([*words, *row["scope"]])

    @property
    def exactly(self) -> str:
        """The definition of the kind."""
        return str(CATALOGUE[self.row["kind"]].exactly)

    @property
    def is_volume(self) -> bool:
        return self.row["target_unit"] == "per month"

    @property
    def is_too_few(self) -> bool:
        """Whether so few verdicts stand behind its share that it says nothing (rule N3)."""
        return not self.is_volume and bool(self.row.get("too_few"))

    @property
    def tone(self) -> str:
        """Class of the figure: good, bad or neither."""
        return {True: "ok-text", False: "bad-text", None: ""}[self.row["kept"]]

    @property
    def reached(self) -> str:
        """The figure: a share, or the number delivered."""
        return plain(self.row["met"]) if self.is_volume else percent(self.row["attainment"], self.row["target"])

    @property
    def target(self) -> str:
        """What it is measured against; blank where nothing was named."""
        owed = self.row["expected"] if self.is_volume else self.row["target"]
        if owed is None:
            return ""
        return plain(owed) if self.is_volume else percent(owed)

    @property
    def baseline(self) -> str:
        """How it stood before it was promised, as the terms say; blank where they name nothing."""
        before = self.row.get("baseline")
        if before is None:
            return ""
        return _("%(number)s a month") % {"number": plain(before)} if self.is_volume else percent(before)

    @cached_property
    def bullet(self) -> charts.Bullet:
        """Attained against target and baseline, as a bar."""
        row = self.row
        if not self.is_volume:
            return charts.bullet(row["attainment"], row["target"], row.get("baseline"), most=1)
        # The baseline is a number a month like the target, and the period owes its part of both.
        before, target, owed = row.get("baseline"), row["target"], row["expected"]
        part = before * owed / target if before is not None and target and owed is not None else None
        return charts.bullet(row["met"], owed, part)

    @cached_property
    def histogram(self) -> charts.Histogram | None:
        """How long it took, against the limit; None where nothing has stopped, or there is no limit."""
        bars, limit = self.row.get("distribution"), self.row.get("limit_seconds")
        if not bars or limit is None:
            return None
        return charts.histogram(
            bars["edges"], bars["counts"], bars["over"], limit=limit, median=self.row["median_seconds"],
            p90=self.row["p90_seconds"],
        )  # fmt: skip

    @property
    def bars(self) -> list[tuple[charts.Bar, Number]]:
        """The bars of the histogram, each with its list."""
        return list(zip(self.histogram.bars, self.took, strict=True)) if self.histogram else []

    @property
    def spread_error(self) -> str:
        """By how much median and p90 may be off, as a share of themselves: “1.5 %”; blank where they are exact (N5)."""
        error = self.row.get("spread_error")
        return f"{100 * error:.2g}\N{NO-BREAK SPACE}%" if error else ""


@dataclass(frozen=True)
class Side:
    """One party's promises and how many it kept, for the sentence that opens the page."""

    party: Party
    lines: list[Line]

    @property
    def label(self) -> str:
        return str(self.party.label)

    @property
    def kept(self) -> int:
        return sum(line.row["kept"] is True for line in self.lines)

    @property
    def judged(self) -> int:
        return sum(line.row["kept"] is not None for line in self.lines)

    @property
    def in_short(self) -> str:
        """Such as “Sales 2 of 3”."""
        return _("%(party)s %(kept)s of %(judged)s") % {
            "party": self.label, "kept": self.kept, "judged": self.judged
        }  # fmt: skip

    @property
    def pending(self) -> int:
        return len(self.lines) - self.judged


def lines(
    data: Mapping[str, Any], evidence: Evidence, *, earlier: Sequence[Mapping[str, Any] | None] = ()
) -> list[Line]:
    """Every promise of a scorecard's figures; `earlier` are those of the periods before, oldest first, for trends."""
    several = len(data["versions"]) > 1
    return [
        Line(
            row=row,
            mention=_mention(row, several),
            numbers=evidence.states(row, row["pk"]),
            exclusions=evidence.exclusions(row),
            unanswered=evidence.unanswered(row),
            trend=trends.draw(row["code"], [*earlier, data], target=row["target"], volume=row["expected"] is not None),
            all_url=evidence.url(commitment=row["pk"]),
            unstopped=evidence.unstopped(row),
            took=evidence.took(row),
        )
        for row in data["commitments"]
    ]


def sides(found: Sequence[Line]) -> list[Side]:
    """The promises by party, in the order of the parties; parties without a promise are left out."""
    every = [Side(party, [line for line in found if line.row["party"] == party]) for party in Party]
    return [side for side in every if side.lines]


def plain(number: float) -> str:
    """“1,234” or “4.8”."""
    return f"{number:,.1f}".removesuffix(".0")


def in_version(title: str, version: int) -> str:
    """A promise with its version, where a period has several."""
    return _("%(promise)s (version %(number)s)") % {"promise": title, "number": version}


def _mention(row: Mapping[str, Any], several_versions: bool) -> str:
    """The title as it reads after a colon: “contact within 4 hours”, but “MQLs a month”."""
    title = row["title"]
    title = title[:1].lower() + title[1:] if title[1:2].islower() else title
    if not several_versions:
        return title
    return in_version(title, row["version"])
