"""The handoffs behind a sealed number, as they were sealed: the choices of `leads.filters`, asked of what was kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from django.db.models import QuerySet
from django.db.models.functions import ExtractHour, ExtractIsoWeekDay
from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext

from agreements.models import Commitment, Version
from leads.filters import COPIED, DELAYS, NOBODY, VERDICTS
from leads.models import TIMED_KINDS, Clock, Handoff, Outcome
from leads.periods import parse
from leads.rules import RULES
from leads.took import Took
from reports.sealed_states import NOTHING, States, unpack
from reports.seals import Seal
from slaportal.models import Team, User
from slaportal.refusal import Refused
from slaportal.templatetags.display import word_for

CODES = {"missed": Clock.State.MISSED, "open": Clock.State.OPEN, "met": Clock.State.MET,
         "excluded": Clock.State.EXCLUDED}  # fmt: skip
STATES_NAMED = {int(code): name for name, code in CODES.items()}
# What is asked of the clock that decides, of the handoff as it was kept, and of its row, which never changes.
OF_CLOCK = ("commitment", "state", "rule", "team", "rep", "answered", "took")
OF_HANDOFF = ("version", "outcome", "verdict", "delay", "wait")
OF_ROW = (*COPIED, "weekday", "hour", "week")
CHOICES = (*OF_CLOCK, *OF_HANDOFF, *OF_ROW)


@dataclass(frozen=True)
class Row:
    """One handoff of the list; what its clock said when it was sealed, and says now, where a promise is chosen."""

    handoff: Handoff
    owner: str = ""
    state: str = ""
    rule: str = ""
    elapsed: float | None = None
    now: str = ""


class SealedList:
    """The handoffs that met the choices of an address when the month was sealed, newest first."""

    def __init__(self, seal: Seal, chosen: Mapping[str, str]) -> None:
        """`chosen` are the parameters of the address; `Refused` for a choice that no sealed list knows."""
        self.seal = seal
        self.chosen = {name: value for name, value in chosen.items() if name != "page"}
        if unknown := sorted(self.chosen.keys() - set(CHOICES)):
            raise Refused(gettext("A sealed list cannot be asked for “%(name)s”."), name=unknown[0])
        try:
            self.ids = self._found()
        except (ValueError, KeyError, IndexError):
            raise Refused(gettext("This address asks for something that no sealed list has.")) from None

    @cached_property
    def states(self) -> States:
        return unpack(bytes(self.seal.states))

    @cached_property
    def commitment(self) -> Commitment | None:
        """The promise that is chosen."""
        if "commitment" not in self.chosen:
            return None
        found = Commitment.objects.filter(pk=int(self.chosen["commitment"]), version__agreement=self.seal.agreement_id)
        return found.select_related("version").first()

    def visible_to(self, user: User) -> list[int]:
        """Those that the person may see."""
        if user.has_perm("leads.view_all_handoffs"):
            return self.ids
        seen = set(self._begun().visible_to(user).values_list("pk", flat=True))
        return [pk for pk in self.ids if pk in seen]

    def rows(self, ids: Sequence[int]) -> list[Row]:
        """The lines of a page."""
        found = Handoff.objects.select_related("lead").in_bulk(ids)
        if self.commitment is None:
            return [Row(found[pk]) for pk in ids]
        clocks = self._mine()
        clocks = clocks[np.isin(clocks["handoff"], ids)]
        sealed = {int(row["handoff"]): row for row in clocks}
        names = User.objects.in_bulk({int(row["owner"]) for row in clocks} - {0})
        live = (
            Clock.objects.deciding().filter(handoff__in=ids, commitment=self.commitment).values_list("handoff", "state")
        )
        now = {handoff: STATES_NAMED[state] for handoff, state in live}
        rows = []
        for pk in ids:
            row = sealed[pk]
            rule, state = self.states.rules[row["rule"]], STATES_NAMED[int(row["state"])]
            rows.append(
                Row(
                    found[pk],
                    owner=str(names.get(int(row["owner"])) or ""),
                    state=state,
                    rule=str(RULES[rule][0]) if rule in RULES else rule.replace("_", " "),
                    elapsed=None if row["elapsed"] < 0 else row["elapsed"] / 1e6,
                    now=word_for(now[pk]).lower() if now.get(pk, state) != state else "",
                )
            )
        return rows

    def words(self) -> list[str]:
        """The choices, as a person reads them."""
        return [self._word(name, value) for name, value in self.chosen.items() if name != "wait"]

    def _word(self, name: str, value: str) -> str:
        match name:
            case "commitment":
                return str(self.commitment or value)
            case "rule":
                return str(RULES[value][0]).rstrip(".").lower() if value in RULES else value
            case "team" | "rep":
                if value == NOBODY:
                    return gettext("no %(name)s") % {"name": name}
                return str((Team if name == "team" else User).objects.filter(pk=int(value)).first() or value)
            case "version":
                return gettext("version %(version)s") % {"version": value}
            case "answered":
                return gettext("misses answered") if value == "yes" else gettext("misses not answered")
            case "took":
                return Took.parse(value).words
            case "delay":
                return str(DELAYS[value, self.chosen["wait"]])
            case "state":
                return word_for(value).lower()
            case "outcome":
                return str(Outcome.Kind(value).label).lower()
            case "week":
                return parse(value).label
            case "weekday":
                return gettext("arrived on a %(weekday)s") % {"weekday": WEEKDAYS[int(value) - 1]}
            case "hour":
                return gettext("arrived from %(hour)s:00 to %(hour)s:59") % {"hour": value}
        if name in COPIED:
            return value or gettext("no %(name)s") % {"name": name}
        return value

    def _found(self) -> list[int]:
        handoffs = self.states.handoffs
        keep = np.ones(len(handoffs), bool)
        if set(OF_CLOCK) & self.chosen.keys():
            keep &= np.isin(handoffs["id"], self._by_clock())
        if "version" in self.chosen:
            version = Version.objects.filter(agreement=self.seal.agreement_id, number=int(self.chosen["version"]))
            keep &= np.isin(handoffs["version"], list(version.values_list("pk", flat=True)))
        if "outcome" in self.chosen:
            keep &= (handoffs["came"] >> self.states.outcomes.index(self.chosen["outcome"])) & 1 == 1
        if "verdict" in self.chosen:
            wanted = [self.states.stages.index(stage) for stage in VERDICTS[self.chosen["verdict"]]]
            keep &= np.isin(handoffs["stage"], wanted)
        if {"delay", "wait"} & self.chosen.keys():
            shift = 2 * self.states.delays.index(self.chosen["delay"])
            keep &= (handoffs["waits"] >> shift) & 3 == self.states.waits.index(self.chosen["wait"])
        if set(OF_ROW) & self.chosen.keys():
            keep &= np.isin(handoffs["id"], list(self._by_row().values_list("pk", flat=True)))
        return handoffs["id"][keep][::-1].tolist()

    def _mine(self) -> np.ndarray:
        """The clocks that decide, of the chosen promise where one is chosen."""
        clocks = self.states.deciding()
        if "commitment" in self.chosen:
            clocks = clocks[clocks["commitment"] == int(self.chosen["commitment"])]
        return clocks

    def _by_clock(self) -> np.ndarray:
        chosen, clocks = self.chosen, self._mine()
        if "took" in chosen:
            clocks = clocks[np.isin(clocks["handoff"], self._took(Took.parse(chosen["took"])))]
        if "state" in chosen:
            clocks = clocks[clocks["state"] == CODES[chosen["state"]]]
        if "rule" in chosen:
            clocks = clocks[clocks["rule"] == self.states.rules.index(chosen["rule"])]
        for name, column in (("team", "team"), ("rep", "owner")):
            if name in chosen:
                clocks = clocks[clocks[column] == (0 if chosen[name] == NOBODY else int(chosen[name]))]
        if "answered" in chosen:
            clocks = clocks[clocks["state"] == CODES["missed"]]
            timed = Commitment.objects.filter(version__agreement=self.seal.agreement_id, kind__in=TIMED_KINDS)
            silent = self.states.clocks[(self.states.clocks["state"] == CODES["missed"])]
            silent = silent[
                ~silent["answered"] & np.isin(silent["commitment"], list(timed.values_list("pk", flat=True)))
            ]
            same = silent["commitment"] * (1 << 40) + silent["handoff"]
            is_silent = np.isin(clocks["commitment"] * (1 << 40) + clocks["handoff"], same)
            clocks = clocks[is_silent if chosen["answered"] == "no" else ~is_silent]
        return clocks["handoff"]

    def _took(self, took: Took) -> np.ndarray:
        """Handoffs with a clock that took so long, also where several count for one (rule N5)."""
        clocks = self.states.clocks[self.states.clocks["state"] != CODES["excluded"]]
        clocks = clocks[clocks["commitment"] == int(self.chosen["commitment"])]
        if took.low is None:
            return clocks["handoff"][clocks["stopped"] == NOTHING]
        seconds = clocks["elapsed"] / 1e6
        fits = (clocks["stopped"] != NOTHING) & (seconds > took.low if took.low else seconds >= 0)
        return clocks["handoff"][fits if took.high is None else fits & (seconds <= took.high)]

    def _begun(self) -> QuerySet[Handoff]:
        """Handoffs of the month, by what never changes of them."""
        zone, period = self.seal.agreement.zone, self.seal.period
        return Handoff.objects.filter(agreement=self.seal.agreement_id).begun_in(period.start(zone), period.end(zone))

    def _by_row(self) -> QuerySet[Handoff]:
        chosen, zone = self.chosen, self.seal.agreement.zone
        found = self._begun().filter(**{name: chosen[name] for name in COPIED if name in chosen})
        if "week" in chosen:
            week = parse(chosen["week"])
            found = found.begun_in(week.start(zone), week.end(zone))
        asked: dict[str, Any] = {"weekday": ExtractIsoWeekDay, "hour": ExtractHour}
        for name, part in asked.items():
            if name in chosen:
                found = found.annotate(**{name: part("qualified_at", tzinfo=zone)}).filter(**{name: int(chosen[name])})
        return found
