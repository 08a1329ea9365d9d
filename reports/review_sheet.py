"""What the page of a review shows of its agenda: each side's promises, how they changed, and what waits. Reads only.

Leads are named only to whoever may see them; the figures are everybody's who may see the review.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from leads.models import Handoff
from leads.periods import Period, parse
from reports import agenda
from reports.rhythm import Review
from slaportal.models import Party, User
from slaportal.templatetags.display import percent

SIDES = ((Party.MARKETING, gettext_lazy("Marketing promised")), (Party.SALES, gettext_lazy("Sales promised")),
         (Party.OPERATIONS, gettext_lazy("Operations")))  # fmt: skip

ITEMS = ("late", "disputes", "exclusions", "plans", "decisions")


@dataclass(frozen=True)
class Promise:
    """One promise as the table has it."""

    row: Mapping[str, Any]
    reached: str
    before: str
    change: int  # -1 worse than at the last review, 0 alike or unknown, 1 better

    @property
    def verdict(self) -> str:
        """A state that the page has a mark for."""
        return {True: "kept", False: "not kept", None: "no data"}[self.row["kept"]]


@dataclass(frozen=True)
class Side:
    """A side with its promises."""

    label: str
    promises: list[Promise]


@dataclass(frozen=True)
class Sheet:
    """The agenda, ready to be shown."""

    data: Mapping[str, Any]
    sides: list[Side]
    period: Period | None
    last_at: datetime | None
    hidden: bool  # some leads are not named to the reader

    @property
    def missed(self) -> int:
        """How many misses there are of all promises."""
        return sum(one.row["missed"] for side in self.sides for one in side.promises if one.row["is_share"])

    @property
    def waiting(self) -> str:
        """“2 questions and disputes, 1 request not to count something”; blank where nothing waits."""
        said = (
            ngettext("%(n)s question or dispute", "%(n)s questions and disputes", self.data["disputes"]["open"]),
            ngettext("%(n)s request not to count something", "%(n)s requests not to count something",
                     self.data["exclusions"]["open"]),
            ngettext("%(n)s recovery plan", "%(n)s recovery plans", self.data["plans"]["open"]),
            ngettext("%(n)s earlier decision", "%(n)s earlier decisions", self.data["decisions"]["open"]),
        )  # fmt: skip
        counts = [self.data[name]["open"] for name in ("disputes", "exclusions", "plans", "decisions")]
        return ", ".join(words % {"n": n} for words, n in zip(said, counts, strict=True) if n)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to talk about at all."""
        return not self.sides and not any(self.data[name]["count"] for name in ITEMS)

    @property
    def unanswered(self) -> int:
        """Of how many nobody has said why."""
        return sum(one.row["unanswered"] for side in self.sides for one in side.promises)


def build(review: Review, *, user: User, now: datetime) -> Sheet:
    """The agenda of a review as this person may see it."""
    data = agenda.of(review, now=now)
    lines = list(_lines(data))
    named = {line["handoff"] for line in lines}
    seen = set(Handoff.objects.visible_to(user).filter(pk__in=named).values_list("pk", flat=True)) if named else set()
    for line in lines:
        line["is_named"] = line["handoff"] in seen
    for line in data["decisions"]["lines"]:
        line["due"] = date.fromisoformat(line["due_on"]) if line["due_on"] else None
    rows = data["promises"]
    sides = [Side(str(label), [_promise(row) for row in rows if row["party"] == party]) for party, label in SIDES]
    return Sheet(
        data=data,
        sides=[side for side in sides if side.promises],
        period=parse(data["period"]["key"]) if data["period"] else None,
        last_at=datetime.fromisoformat(data["last"]["at"]) if data["last"] else None,
        hidden=bool(named - seen),
    )


def _promise(row: Mapping[str, Any]) -> Promise:
    before = row["before"]
    reached, was = _reached(row, row), _reached(row, before) if before else ""
    known = before and before["attainment"] is not None and row["attainment"] is not None
    # What reads alike is alike, however it ends behind the comma.
    is_other = known and reached != was
    change = (row["attainment"] > before["attainment"]) - (row["attainment"] < before["attainment"]) if is_other else 0
    return Promise(row, reached, was, change)


def _reached(row: Mapping[str, Any], figures: Mapping[str, Any]) -> str:
    """“94 %” of a share, and of volume “60 of 58”."""
    if row["is_share"]:
        return percent(figures["attainment"], row["target"])
    if figures["expected"] is None:
        return str(figures["met"])
    return _("%(met)s of %(due)s") % {"met": figures["met"], "due": f"{figures['expected']:.0f}"}


def _lines(data: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    """Every line that names a lead."""
    for name in ("late", "disputes", "exclusions"):
        yield from data[name]["lines"]
    for row in data["promises"]:
        yield from row["answers"]
