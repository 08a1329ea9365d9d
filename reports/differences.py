"""Where two sets of figures of one period differ: for people as lines, for the verification number by number."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from slaportal.templatetags.display import duration, percent

# Of each promise, in this order: the key, what it is called, and how it is written.
OF_A_PROMISE = (
    ("attainment", gettext_lazy("kept"), "share"),
    ("expected", gettext_lazy("owed"), "number"),
    ("met", gettext_lazy("met"), "number"),
    ("missed", gettext_lazy("missed"), "number"),
    ("open", gettext_lazy("open"), "number"),
    ("excluded", gettext_lazy("excluded"), "number"),
    ("unanswered", gettext_lazy("misses not answered"), "number"),
    ("median_seconds", gettext_lazy("median"), "time"),
    ("p90_seconds", gettext_lazy("p90"), "time"),
)
OF_ALL = (
    ("meetings", gettext_lazy("meetings")),
    ("opportunities", gettext_lazy("opportunities")),
    ("won", gettext_lazy("won")),
    ("lost", gettext_lazy("lost")),
    ("pipeline", gettext_lazy("pipeline")),
)
# By these the parts of a list are told apart; a list whose parts have none of them is compared place by place.
IDENTITIES = ("pk", "id", "week", "month", "after_days", "state", "number", "handoff")
# How far two numbers may be apart that were worked out of the same clocks in another order.
NEARLY = 1e-9


@dataclass(frozen=True)
class Figure:
    """One figure that reads otherwise: of a promise, or of all handoffs where `commitment` is None."""

    commitment: int | None
    promise: str
    key: str
    name: str
    before: str
    after: str

    @property
    def where(self) -> str:
        """The promise, or what it is about all handoffs."""
        return self.promise or _("All handoffs")


def figures(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Figure]:
    """The figures that people read and that differ, in the order of the card."""
    found = []
    if before["handoffs"] != after["handoffs"]:
        found.append(Figure(None, "", "handoffs", _("handoffs"), str(before["handoffs"]), str(after["handoffs"])))
    for key, name in OF_ALL:
        one, other = before["outcomes"].get(key, 0), after["outcomes"].get(key, 0)
        if not _same(one, other):
            found.append(Figure(None, "", key, str(name), _written(one, "number"), _written(other, "number")))
    rows = {row["pk"]: row for row in after["commitments"]}
    for row in before["commitments"]:
        found += _of_a_promise(row, rows.pop(row["pk"], {}))
    for row in rows.values():
        found += _of_a_promise({}, row)
    return found


def told(figure: Figure) -> str:
    """A figure in one line."""
    said = {"where": figure.where, "name": figure.name, "before": figure.before, "after": figure.after}
    return _("%(where)s, %(name)s: %(before)s → %(after)s") % said


def numbers(before: Any, after: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Every number that stands in `before` and reads otherwise in `after`, with its place in words.

    Words are no figures: people, teams and promises may be called otherwise by now. What only `after` has was not
    there to be sealed.
    """
    if isinstance(before, Mapping):
        for key, value in before.items():
            other = after.get(key) if isinstance(after, Mapping) else None
            yield from numbers(value, other, f"{path}.{key}" if path else str(key))
    elif isinstance(before, Sequence) and not isinstance(before, str):
        there = after if isinstance(after, Sequence) and not isinstance(after, str) else []
        if len(before) != len(there):
            yield f"{path}.length", len(before), len(there)
        named = _named(there)
        for name, value in _named(before).items():
            yield from numbers(value, named.get(name), f"{path}[{name}]")
    elif (before is None or isinstance(before, int | float)) and not _same(before, after):
        yield path, before, after


def _named(parts: Sequence[Any]) -> dict[str, Any]:
    """The parts of a list by what tells them apart."""
    identity = next(
        (name for name in IDENTITIES if all(isinstance(part, Mapping) and name in part for part in parts)), ""
    )
    found = {str(part[identity]) if identity else str(place): part for place, part in enumerate(parts)}
    return found if len(found) == len(parts) else {str(place): part for place, part in enumerate(parts)}


def _of_a_promise(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Figure]:
    row = after or before
    for key, name, how in OF_A_PROMISE:
        one, other = before.get(key), after.get(key)
        is_volume = row["target_unit"] == "per month"
        # Of volume the number says it, and its share of what is owed says nothing more.
        if _alike(one, other, how) or (key == "attainment" and is_volume):
            continue
        yield Figure(row["pk"], row["title"], key, str(name), _written(one, how), _written(other, how))


def _alike(one: Any, other: Any, how: str) -> bool:
    """Whether two figures read the same; times within the error of those that are not sealed."""
    if how == "time" and None not in (one, other):
        return abs(one - other) <= 0.03 * max(abs(one), abs(other), 1)
    return _same(one, other)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, bool) or isinstance(other, bool) or None in (one, other):
        return one is other or (one == other and type(one) is type(other))
    if isinstance(other, int | float):
        return abs(one - other) <= NEARLY * max(1.0, abs(one), abs(other))
    return False


def _written(value: float | None, how: str) -> str:
    match how:
        case "share":
            return percent(value)
        case "time":
            return duration(value) if value is not None else "–"
    return "–" if value is None else f"{value:,.2f}".rstrip("0").rstrip(".")
