"""What would read otherwise today than a month was sealed, and why: a cause for each handoff that is another (N14).

The causes are asked in order, and the first that is true of a handoff is its cause.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from django.db import connection
from django.urls import reverse
from django.utils.translation import gettext_lazy

from agreements import terms
from agreements.calendars import Closure
from agreements.models import Version
from leads import facts
from leads.models import Handoff
from leads.rules import RULE_NAMES
from reports import code_version
from reports.differences import Figure, figures
from reports.sealed_states import States, unpack
from reports.seals import Seal

CAUSES = {
    "new": gettext_lazy("came to the portal after the sealing"),
    "excluded": gettext_lazy("taken out on request since"),
    "open": gettext_lazy("open at the sealing, decided since"),
    "fact": gettext_lazy("a fact was entered, corrected or taken back since"),
    "closure": gettext_lazy("a day was closed or opened again since"),
    "cap": gettext_lazy("the order of the month changed"),
    "code": gettext_lazy("a newer release counts otherwise"),
    "other": gettext_lazy("no reason is known: run verify_scorecards"),
}
# What is written of a handoff, and when: a row after the sealing is a late fact.
LATE = (
    ("leads_assignment", "coalesce(f.entered_at, f.at)"),
    ("leads_disposition", "f.entered_at"),
    ("leads_disposition", "f.voided_at"),
    ("leads_outcome", "f.entered_at"),
    ("leads_outcome", "f.voided_at"),
    ("leads_hold", "coalesce(f.entered_at, f.started_at)"),
    ("leads_hold", "coalesce(f.release_entered_at, f.ended_at)"),
    ("leads_dispute", "f.opened_at"),
    ("leads_dispute", "f.answered_at"),
    ("leads_answer", "f.at"),
)
_ID = np.dtype([("id", "i8")])
_LIVE = np.dtype([(name, "i8") for name in ("commitment", "handoff", "state", "rule", "team", "owner", "elapsed")])


@dataclass(frozen=True)
class Cause:
    """Why so many handoffs are others now, and the list of them."""

    name: str
    words: str
    count: int
    url: str


@dataclass(frozen=True)
class Change:
    """A figure, what it was sealed as, and what it would now read."""

    figure: Figure
    why: Sequence[Cause]

    @property
    def what(self) -> str:
        return f"{self.figure.where}, {self.figure.name}"

    @property
    def sealed(self) -> str:
        return self.figure.before

    @property
    def now(self) -> str:
        return self.figure.after


def changes(seal: Seal, live: Mapping[str, Any]) -> list[Change]:
    """Every figure of the card that reads otherwise in the live one, with the causes of its promise's handoffs.

    Handoffs are compared only where a figure differs, so a month to which nothing happened costs nothing.
    """
    found = figures(seal.data, live)
    if not found:
        return []
    by_promise = causes(seal)
    return [
        Change(one, _ranked(seal, one.commitment, by_promise.get(one.commitment) or by_promise.get(None, {})))
        for one in found
    ]


def causes(seal: Seal) -> dict[int | None, dict[str, list[int]]]:
    """By commitment (None: of any) and by cause the handoffs that are others than they were sealed."""
    states = unpack(bytes(seal.states))
    found: dict[int | None, dict[str, list[int]]] = {}
    differing = list(_differing(seal, states))
    asked = sorted({handoff for handoff, *_ in differing})
    why = _Reasons(seal, asked)
    of_any: dict[int, str] = {}
    for handoff, commitment, before, after in differing:
        cause = why.of(handoff, before, after)
        found.setdefault(commitment, {}).setdefault(cause, []).append(handoff)
        of_any.setdefault(handoff, cause)
    for handoff in _with_other_outcomes(seal, states):
        of_any.setdefault(handoff, "fact")
    for handoff, cause in of_any.items():
        found.setdefault(None, {}).setdefault(cause, []).append(handoff)
    return found


def _ranked(seal: Seal, commitment: int | None, by_cause: Mapping[str, Sequence[int]]) -> list[Cause]:
    """The causes of one promise, in their order, each with the list of its handoffs."""
    place = reverse("sealed_changes", args=[seal.agreement_id, seal.key, seal.number])
    query = f"commitment={commitment}&" if commitment else ""
    return [
        Cause(name, str(words), len(set(by_cause[name])), f"{place}?{query}cause={name}")
        for name, words in CAUSES.items()
        if by_cause.get(name)
    ]


def _differing(seal: Seal, states: States) -> Iterator[tuple[int, int, tuple[int, str] | None, tuple[int, str] | None]]:
    """Handoffs and commitments whose deciding clock is another now, with state and rule then and now."""
    rules = states.rules
    sealed = {
        (row["commitment"], row["handoff"]): row
        for row in _rows(states.deciding(), ("commitment", "handoff", "state", "rule", "team", "owner", "elapsed"))
    }
    live = {(row["commitment"], row["handoff"]): row for row in _rows(_live(seal), _LIVE.names)}
    for place in sorted(sealed.keys() | live.keys()):
        was, now = sealed.get(place), live.get(place)
        before = was and (was["state"], rules[was["rule"]])
        after = now and (now["state"], RULE_NAMES[now["rule"]])
        if before != after or any(was[name] != now[name] for name in ("team", "owner", "elapsed")):
            yield place[1], place[0], before, after


def _rows(array: np.ndarray, names: Sequence[str]) -> Iterator[dict[str, int]]:
    columns = [array[name].tolist() for name in names]
    return (dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True))


def _live(seal: Seal) -> np.ndarray:
    """The clocks that decide for the month's handoffs, as they stand."""
    zone, period = seal.agreement.zone, seal.period
    adapt = connection.ops.adapt_datetimefield_value
    cases = " ".join(f"WHEN '{rule}' THEN {place}" for place, rule in enumerate(RULE_NAMES))
    return facts.columns(
        f"SELECT c.commitment_id, c.handoff_id, c.state, CASE c.rule {cases} END, a.team_id, a.owner_id, "
        "coalesce(CAST(round(c.elapsed_seconds * 1000000) AS bigint), -1) "
        "FROM leads_handoff h JOIN leads_clock c ON c.handoff_id = h.id "
        "LEFT JOIN leads_assignment a ON a.id = c.charged_to_id "
        "WHERE h.agreement_id = %s AND h.qualified_at >= %s AND h.qualified_at < %s AND c.decides",
        [seal.agreement_id, adapt(period.start(zone)), adapt(period.end(zone))],
        _LIVE,
    )


def _with_other_outcomes(seal: Seal, states: States) -> list[int]:
    """Handoffs of the month of which something came, or was taken back, since."""
    ids = states.handoffs["id"].tolist()
    tables = [place for place in LATE if place[0] in ("leads_outcome", "leads_answer")]
    return sorted(_written_since(ids, seal.known_at, tables)) if ids else []


class _Reasons:
    """Why each of these handoffs is another than it was sealed; everything is asked for all of them at once."""

    def __init__(self, seal: Seal, ids: Sequence[int]) -> None:
        self.seal, at = seal, seal.known_at
        known = Handoff.objects.filter(pk__in=ids, known_at__gt=at) if ids else Handoff.objects.none()
        self.new = set(known.values_list("pk", flat=True))
        self.touched = _written_since(ids, at, LATE) | _tried_since(ids, at) if ids else set()
        self.closed = self._closed(ids) if ids else set()
        self.is_newer_code = seal.code != code_version.of_figures()

    def of(self, handoff: int, before: tuple[int, str] | None, after: tuple[int, str] | None) -> str:
        """The first cause that is true, in the order of `CAUSES`."""
        if handoff in self.new:
            return "new"
        if after and after[1] == "granted" and (before is None or before[1] != "granted"):
            return "excluded"
        if before and after and before[0] == 1 != after[0]:
            return "open"
        if handoff in self.touched:
            return "fact"
        if handoff in self.closed:
            return "closure"
        if "over_cap" in {word for _state, word in (pair for pair in (before, after) if pair)}:
            return "cap"
        return "code" if self.is_newer_code else "other"

    def _closed(self, ids: Sequence[int]) -> set[int]:
        """Those whose version uses a calendar of which a day was closed, or opened again, since."""
        at = self.seal.known_at
        added = set(Closure.objects.filter(added_at__gt=at).values_list("calendar", flat=True))
        withdrawn = set(Closure.objects.filter(withdrawn_at__gt=at).values_list("calendar", flat=True))
        if not added | withdrawn:
            return set()
        versions = [
            version.pk
            for version in Version.objects.filter(agreement=self.seal.agreement_id).exclude(terms="")
            if {frozen["id"] for frozen in terms.of(version).calendars.values()} & (added | withdrawn)
        ]
        return set(Handoff.objects.filter(pk__in=ids, version__in=versions).values_list("pk", flat=True))


def _written_since(ids: Sequence[int], at: datetime, tables: Sequence[tuple[str, str]]) -> set[int]:
    """Handoffs of which a row of these tables was written after a moment."""
    given, parameters = facts.picked(ids)
    moment = connection.ops.adapt_datetimefield_value(at.astimezone(UTC))
    parts = [f"SELECT f.handoff_id FROM picked JOIN {table} f ON f.handoff_id = picked.id WHERE {written} > %s"
             for table, written in tables]  # fmt: skip
    found = facts.columns(" UNION ".join(parts), [*parameters, *[moment] * len(parts)], _ID, given=given)
    return set(found["id"].tolist())


def _tried_since(ids: Sequence[int], at: datetime) -> set[int]:
    """Handoffs with an attempt, of their lead or of its person, that was entered or taken back after a moment (A3)."""
    given, parameters = facts.picked(ids)
    moment = connection.ops.adapt_datetimefield_value(at.astimezone(UTC))
    select = "SELECT h.id FROM picked JOIN leads_handoff h ON h.id = picked.id JOIN leads_lead l ON l.id = h.lead_id "
    written = "(f.entered_at > %s OR f.voided_at > %s)"
    parts = (
        f"{select} JOIN leads_attempt f ON f.lead_id = h.lead_id WHERE {written}",
        f"{select} JOIN leads_attempt f ON f.lead_id IS NULL AND NOT (f.contact_id = '') "
        f"AND f.contact_id = l.contact_id WHERE {written}",
        f"{select} JOIN leads_attempt f ON f.lead_id IS NULL AND NOT (f.email = '') AND f.email = l.email "
        f"WHERE {written}",
        f"{select} JOIN leads_formerperson f ON f.lead_id = h.lead_id WHERE f.until > %s AND %s IS NOT NULL",
    )
    found = facts.columns(" UNION ".join(parts), [*parameters, *[moment] * 2 * len(parts)], _ID, given=given)
    return set(found["id"].tolist())
