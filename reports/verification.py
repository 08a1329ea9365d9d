"""Whether sealed scorecards are what was sealed, and what the facts that were known then still make of them (rule N16).

Each difference has a cause. Against the seal itself: it was changed afterwards, or the chain does not vouch for it.
Against the facts: a row was changed, added or deleted behind the portal's back; or the same facts, judged by this
release, give something else.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from agreements import chain
from agreements.models import Agreement
from leads import fingerprints
from reports import code_version
from reports.differences import numbers
from reports.drawn import Drawn, draw
from reports.sealed_states import States, unpack
from reports.seals import Seal

# So many of a sort are named; how many others there are is said.
NAMED = 10
# Not asked again: when a lead became unmatched, and when it no longer was, is not kept.
AS_IT_WAS = ("unmatched",)
# Figures that are of handoffs of the months before, too.
OF_OTHER_MONTHS = "cohorts"
# What a clock is; whom it is counted for, and its times, included.
JUDGED = ("state", "rule", "decides", "stopped", "elapsed", "owner", "team")


@dataclass(frozen=True)
class Finding:
    """Something that does not fit: which seal, what is the cause, and how one can tell."""

    seal: Seal
    cause: str
    how: str

    def __str__(self) -> str:
        return f"{self.seal}: {self.cause}: {self.how}"


CHANGED = "it was changed after it was sealed"
CHAIN = "the chain of the agreement does not fit"
FACTS = "facts were changed behind the portal’s back"
CLOSURES = "closures were changed behind the portal’s back"
CODE = "this release counts otherwise"
# What facts are sealed by leaves out what only sorts handoffs.
UNKNOWN = (
    "the same code makes something else of the facts that were sealed, or a source, campaign, segment or first "
    "engagement was changed"
)


def of_chain(agreement: Agreement) -> list[str]:
    """What does not fit in the agreement's chain, seals that are missing or that nobody sealed included."""
    return [str(misfit) for misfit in chain.verify(agreement)]


def verify(seal: Seal) -> list[Finding]:
    """Everything about one seal that does not fit; empty means that the facts as they were known still say the same."""
    if seal.worked_out_digest() != seal.digest:
        return [Finding(seal, CHANGED, f"its SHA-256 is {seal.worked_out_digest()}, and was {seal.digest}")]
    if seal.event is None:
        return [Finding(seal, CHAIN, "no event vouches for it")]
    try:
        sealed = unpack(bytes(seal.states))
    except ValueError as problem:
        return [Finding(seal, CHANGED, str(problem))]
    found = draw(seal.agreement, seal.period, at=seal.known_at)
    behind = list(_other_facts(seal, sealed, found.states))
    if behind:
        return behind
    if sealed.about["closures"] != found.states.about["closures"]:
        then, now = sealed.about["closures"], found.states.about["closures"]
        return [Finding(seal, CLOSURES, f"{_days(then)} were closed then, {_days(now)} are said to have been")]
    return list(_otherwise_counted(seal, sealed, found))


def _other_facts(seal: Seal, sealed: States, found: States) -> Iterator[Finding]:
    """Handoffs whose facts, as they are said to have been known, are not those that were sealed."""
    then, now = sealed.handoffs, found.handoffs
    for words, missing in (
        ("was sealed and is gone", np.setdiff1d(then["id"], now["id"])),
        ("was not there when the month was sealed, and is said to have been", np.setdiff1d(now["id"], then["id"])),
    ):
        yield from _named(seal, FACTS, [f"handoff {pk} {words}" for pk in missing.tolist()])
    _, one, other = np.intersect1d(then["id"], now["id"], assume_unique=True, return_indices=True)
    then, now = then[one], now[other]
    if sealed.about["facts"] != fingerprints.layout():
        # Another release read other columns, so that only how many facts there are can be compared.
        differing = np.zeros(len(then), bool)
    else:
        differing = then["facts"] != now["facts"]
    for name in ("version", "came", "cents", *fingerprints.TABLES):
        differing |= then[name] != now[name]
    places = np.flatnonzero(differing).tolist()
    yield from _named(seal, FACTS, [f"handoff {then['id'][n]}: {_fact(then[n], now[n])}" for n in places])


def _fact(then: np.void, now: np.void) -> str:
    """What is otherwise in a handoff's facts."""
    words = [
        f"{then[name]} {name} were sealed, {now[name]} are there"
        for name in fingerprints.TABLES
        if then[name] != now[name]
    ]
    if then["cents"] != now["cents"]:
        words.append(f"{then['cents'] / 100:,.2f} of pipeline were sealed, {now['cents'] / 100:,.2f} are there")
    return "; ".join(words) or "a row was changed"


def _otherwise_counted(seal: Seal, sealed: States, found: Drawn) -> Iterator[Finding]:
    """Clocks and figures that come out otherwise from the same facts."""
    is_same_code = seal.code == code_version.of_figures()
    cause = UNKNOWN if is_same_code else CODE
    then, now = _clocks(sealed), _clocks(found.states)
    places = [place for place in sorted(then.keys() | now.keys()) if then.get(place) != now.get(place)]
    yield from _named(
        seal,
        cause,
        [
            f"promise {commitment} of handoff {handoff} was {_words(then.get((commitment, handoff, subject)))} and is "
            f"{_words(now.get((commitment, handoff, subject)))}"
            for commitment, handoff, subject in places
        ],
    )
    was = {key: value for key, value in seal.data.items() if key not in AS_IT_WAS}
    figures = [f"{path} was {one} and is {other}" for path, one, other in numbers(was, found.data)]
    if places or not figures:
        yield from _named(seal, cause, figures)
        return
    # No clock came out otherwise, so what differs rests on other rows: on answers, or on other months' handoffs.
    if (sealed.clocks["answered"] != found.states.clocks["answered"]).any() or is_same_code:
        others = [told for told in figures if told.startswith(OF_OTHER_MONTHS)]
        answered = [told for told in figures if ".unanswered " in told]
        yield from _named(seal, FACTS, [*answered, *others])
        figures = [told for told in figures if told not in {*answered, *others}]
    yield from _named(seal, cause, figures)


def _clocks(states: States) -> dict[tuple[int, int, int], tuple]:
    """What each clock is, with its rule in words: releases count rules otherwise."""
    rows, rules = states.clocks, states.rules
    columns = [rows[name].tolist() for name in ("commitment", "handoff", "subject", *JUDGED)]
    return {(c, h, s): (state, rules[rule], *rest) for c, h, s, state, rule, *rest in zip(*columns, strict=True)}


def _words(clock: tuple | None) -> str:
    if clock is None:
        return "not there"
    return f"{('missed', 'open', 'met', 'excluded')[clock[0]]} ({clock[1].replace('_', ' ')})"


def _named(seal: Seal, cause: str, all_of_them: Sequence[str]) -> Iterator[Finding]:
    for how in all_of_them[:NAMED]:
        yield Finding(seal, cause, how)
    if len(all_of_them) > NAMED:
        yield Finding(seal, cause, f"and {len(all_of_them) - NAMED} more like that")


def _days(closures: dict[str, list[str]]) -> str:
    return ", ".join(sorted({day for days in closures.values() for day in days})) or "no days"
