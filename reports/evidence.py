"""Links from the numbers of a scorecard to the handoffs behind them; other pages make theirs here too."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from leads.rules import RULES
from leads.took import UNSTOPPED, Took

STATES = (gettext_noop("met"), gettext_noop("missed"), gettext_noop("open"), gettext_noop("excluded"))
# How a link says that there is no value: a blank text, but nobody's id.
BLANK = {"source": "", "segment": "", "campaign": "", "team": "none", "rep": "none"}


@dataclass(frozen=True)
class Number:
    """So many handoffs, and the list that shows exactly these."""

    name: str
    count: int
    url: str
    help: str = ""


@dataclass(frozen=True)
class Evidence:
    """Makes the links from numbers to the handoffs behind them."""

    agreement_id: int
    key: str

    def url(self, **chosen: object) -> str:
        """The list of handoffs of the period that meet the choices."""
        given = {name: BLANK[name] if value is None else value for name, value in chosen.items()}
        query = urlencode({"agreement": self.agreement_id, "period": self.key, **given})
        return f"{reverse('handoffs')}?{query}"

    def of_period(self, key: str) -> "Evidence":
        """Links of the same kind for another period."""
        return Evidence(self.agreement_id, key)

    def took(self, row: Mapping[str, Any]) -> list[Number]:
        """The bars of how long a promise took, the last without an end; clocks, of which a handoff can have several
        where a promise starts afresh for each owner (rule N5)."""
        bars = row.get("distribution")
        if not bars:
            return []
        ends = [*bars["edges"], None]
        return [
            Number("clocks", count, self.url(commitment=row["pk"], took=Took(low, high).key))
            for count, (low, high) in zip([*bars["counts"], bars["over"]], pairwise(ends), strict=True)
        ]

    def unstopped(self, row: Mapping[str, Any]) -> Number:
        """Clocks that have not stopped."""
        return Number("clocks", row["unstopped"], self.url(commitment=row["pk"], took=UNSTOPPED))

    def states(self, counts: Mapping[str, Any], commitment: int, **chosen: object) -> list[Number]:
        """The four states of a commitment's handoffs."""
        return [Number(name, counts[name], self.url(commitment=commitment, state=name, **chosen)) for name in STATES]

    def unanswered(self, row: Mapping[str, Any]) -> Number:
        """Misses of which nobody has said why; a card that was computed by an earlier release does not know."""
        url = self.url(commitment=row["pk"], state="missed", answered="no")
        return Number(_("not answered"), row.get("unanswered", 0), url, _("Nobody has said yet why it happened."))

    def exclusions(self, row: Mapping[str, Any]) -> list[Number]:
        """Excluded handoffs by the rule that excluded them."""
        return [
            Number(
                rule.replace("_", " "),
                count,
                self.url(commitment=row["pk"], state="excluded", rule=rule),
                str(RULES[rule][0]) if rule in RULES else "",
            )
            for rule, count in row["excluded_by"].items()
        ]
