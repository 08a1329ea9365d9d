"""Sections of a scorecard beyond its promises: delays with their owners (rule N8), outcomes beside compliance, cohorts.

Each is drawn from its part of the stored figures, and left out where a card has none.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from leads import periods
from leads.delays import EXCLUDED, NOT_STARTED, OVER, WAITING
from leads.models import Outcome
from reports import charts
from reports.cohorts import COUNTED
from reports.evidence import Evidence, Number
from reports.promises import in_version
from slaportal.models import Party
from slaportal.templatetags.display import percent

DELAYS = {
    "system": (gettext_lazy("System delay"), gettext_lazy("qualified to routed")),
    "human": (gettext_lazy("Human delay"), gettext_lazy("routed to first response")),
    "felt": (gettext_lazy("Speed to lead"), gettext_lazy("as the lead felt it: first engagement to first response")),
}


@dataclass(frozen=True)
class Delay:
    """One stretch of the way: who owns it, how many are over it and where the others are, and how long it took.

    The counts add up to the handoffs. `open_median` is the median in the hours of the terms' calendar.
    """

    name: str
    stretch: str
    owner: str
    count: Number
    waiting: Number
    not_started: Number
    excluded: Number
    median: float | None
    p90: float | None
    open_median: float | None
    median_width: str
    p90_width: str


@dataclass(frozen=True)
class Delays:
    """The stretches side by side on one scale, and the calendars of their open hours."""

    rows: list[Delay]
    calendars: list[str]


@dataclass(frozen=True)
class Rate:
    """How many of a group came to a stage, with their list, as a share of the group with its interval, and of those
    that came to the stage before; blank where there are too few."""

    name: str
    number: Number
    share: str
    low: str
    high: str
    interval: charts.Interval | None
    step: str


@dataclass(frozen=True)
class Standing:
    """What came of the handoffs whose promise was met, or was missed."""

    state: str
    total: Number
    rates: list[Rate]
    pipeline: float
    pipeline_url: str


@dataclass(frozen=True)
class Stratum:
    """Meetings of met and of missed within one source and segment, as “12 of 20”, and the difference."""

    source: str
    segment: str
    met: tuple[Number, Number]
    missed: tuple[Number, Number]
    difference: str


@dataclass(frozen=True)
class Beside:
    """Outcomes beside one promise of sales. `difference` is that of the meeting rates within the same source and
    segment, with its interval; blank where nothing can be compared."""

    title: str
    rows: list[Standing]
    strata: list[Stratum]
    difference: str
    compared: Mapping[str, Any]


@dataclass(frozen=True)
class Share:
    """A share of a cohort, and those of it that came so far."""

    share: str
    number: Number


@dataclass(frozen=True)
class Age:
    """What a cohort had come to after so many days, stage by stage; nothing where it is too young to say."""

    after_days: int
    is_reached: bool
    shares: list[Share]


@dataclass(frozen=True)
class Cohort:
    """The handoffs of one month of arrival."""

    month: str
    label: str
    handoffs: Number
    is_young: bool
    ages: list[Age]


@dataclass(frozen=True)
class Cohorts:
    """Months of arrival, oldest first, each at the same ages."""

    days: list[int]
    rows: list[Cohort]


def delays(found: Mapping[str, Any] | None, evidence: Evidence) -> Delays | None:
    """The three stretches on one scale, that of the longest p90."""

    def number(name: str, row: Mapping[str, Any], key: str, wait: str) -> Number:
        return Number(key, row[key], evidence.url(delay=name, wait=wait))

    rows = [(name, found[name]) for name in DELAYS if found.get(name)] if found else []
    if not rows:
        return None
    scale = charts.widths([row[key] for _name, row in rows for key in ("median_seconds", "p90_seconds")])
    return Delays(
        [
            Delay(
                name=str(DELAYS[name][0]),
                stretch=str(DELAYS[name][1]),
                owner=str(Party(row["owner"]).label) if row["owner"] else "",
                count=number(name, row, "count", OVER),
                waiting=number(name, row, "waiting", WAITING),
                not_started=number(name, row, "not_started", NOT_STARTED),
                excluded=number(name, row, "excluded", EXCLUDED),
                median=row["median_seconds"],
                p90=row["p90_seconds"],
                open_median=row["business_median_seconds"],
                median_width=scale[2 * place],
                p90_width=scale[2 * place + 1],
            )
            for place, (name, row) in enumerate(rows)
        ],
        found["calendars"],
    )


# The stages, how a head of a column and a step say them, and what the list behind their number asks for.
STAGES = {
    "accepted": (gettext_lazy("accepted"), "", {"verdict": "accepted"}),
    "meeting": (gettext_lazy("meeting"), gettext_lazy("%(share)s of the accepted"), {"outcome": Outcome.Kind.MEETING}),
    "opportunity": (gettext_lazy("opportunity"), gettext_lazy("%(share)s of the meetings"),
                    {"outcome": Outcome.Kind.OPPORTUNITY}),
    "won": (gettext_lazy("won"), gettext_lazy("%(share)s of the opportunities"), {"outcome": Outcome.Kind.WON}),
}  # fmt: skip


def beside(found: Sequence[Mapping[str, Any]] | None, evidence: Evidence) -> list[Beside]:
    """Outcomes of met against missed, promise by promise, where either has handoffs (rule N11)."""
    several = len({one["version"] for one in found or ()}) > 1
    return [
        Beside(
            title=in_version(one["title"], one["version"]) if several else one["title"],
            rows=[_standing(one["pk"], row, evidence) for row in one["rows"]],
            strata=[_stratum(one["pk"], row, evidence) for row in one["strata"]],
            difference=_difference(one["difference"]["meeting_rate"]),
            compared=one["compared"],
        )
        for one in found or ()
        if any(row["count"] for row in one["rows"])
    ]


def cohorts(found: Sequence[Mapping[str, Any]] | None, evidence: Evidence) -> Cohorts | None:
    """Months of arrival at the same ages, so that a young month is not read as a bad one."""
    if not found:
        return None
    days = sorted({age["after_days"] for row in found for age in row["ages"]})
    return Cohorts(days, [_cohort(row, days, evidence) for row in found])


def _standing(pk: int, row: Mapping[str, Any], evidence: Evidence) -> Standing:
    chosen = {"commitment": pk, "state": row["state"]}
    return Standing(
        state=row["state"],
        total=Number(row["state"], row["count"], evidence.url(**chosen)),
        rates=[_rate(stage, evidence.url(**chosen, **STAGES[stage["stage"]][2]), row) for stage in row["stages"]],
        pipeline=row["pipeline"],
        pipeline_url=evidence.url(**chosen, outcome=Outcome.Kind.OPPORTUNITY),
    )


def _rate(stage: Mapping[str, Any], url: str, row: Mapping[str, Any]) -> Rate:
    label, step, _asked = STAGES[stage["stage"]]
    number = Number(str(label), stage["count"], url)
    rate = stage["rate"]
    if row["too_few"] or rate is None:
        return Rate(str(label), number, _("too few") if row["count"] else percent(None), "", "", None, "")
    return Rate(
        str(label),
        number,
        percent(rate["value"]),
        percent(rate["low"]),
        percent(rate["high"]),
        charts.interval(rate["value"], rate["low"], rate["high"]),
        str(step) % {"share": percent(stage["step_rate"]["value"])} if step and stage["step_rate"] else "",
    )


def _stratum(pk: int, row: Mapping[str, Any], evidence: Evidence) -> Stratum:
    mine = {"commitment": pk, "source": row["source"] or "", "segment": row["segment"] or ""}
    met, missed = (
        (
            Number("meetings", row[state]["meetings"], evidence.url(**mine, state=state, outcome=Outcome.Kind.MEETING)),
            Number(state, row[state]["count"], evidence.url(**mine, state=state)),
        )
        for state in ("met", "missed")
    )
    difference = _("too few") if row["too_few"] else _difference(row["difference"]["meeting_rate"])
    names = (row["source"] or _("without a source"), row["segment"] or _("without a segment"))
    return Stratum(*names, met, missed, difference)


def _difference(found: Mapping[str, float] | None) -> str:
    """“+12 points (−3 points to +27 points)”; blank where there is nothing to compare."""
    if found is None:
        return ""
    words = {name: points(found[name]) for name in ("value", "low", "high")}
    return _("%(value)s (%(low)s to %(high)s)") % words


def points(share: float | None) -> str:
    """A difference of two shares: “+4.2 points”."""
    if share is None:
        return percent(None)
    value = round(100 * share, 1) or 0.0
    sign = "+" if value > 0 else "−" if value < 0 else "±"
    return _("%(points)s points") % {"points": f"{sign}{abs(value):,.1f}".removesuffix(".0")}


def _cohort(row: Mapping[str, Any], days: Iterable[int], evidence: Evidence) -> Cohort:
    by_days = {age["after_days"]: age for age in row["ages"]}
    mine = evidence.of_period(row["month"])
    return Cohort(
        month=row["month"],
        label=periods.parse(row["month"]).label,
        handoffs=Number("handoffs", row["handoffs"], mine.url()),
        is_young=row["is_young"],
        ages=[_age(by_days.get(after, {}), after, row["handoffs"], mine) for after in days],
    )


def _age(age: Mapping[str, Any], after: int, handoffs: int, evidence: Evidence) -> Age:
    if not age.get("reached_age"):
        return Age(after, False, [])
    return Age(
        after,
        True,
        [
            Share(
                percent(age[name] / handoffs if handoffs else None),
                Number(name, age[name], evidence.url(outcome=kind, within=after)),
            )
            for kind, name in COUNTED.items()
        ],
    )
