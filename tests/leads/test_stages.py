"""How far a handoff came and where it ended, from its dispositions and outcomes alone."""

import numpy as np
import pytest

from leads import facts, history, stages
from leads.models import Handoff, Outcome

MEETING, OPPORTUNITY, WON, LOST = range(4)
A, R, X = history.ACCEPTED, history.RECYCLED, history.REJECTED


def told(*handoffs: tuple[dict[int, int], dict[int, int]]) -> history.Facts:
    """Facts of handoffs, each given by the hours of its verdicts and the hours of its outcomes."""
    dispositions, outcomes = [], []
    for row, (verdicts, kinds) in enumerate(handoffs):
        dispositions += [(row, hour, verdict) for hour, verdict in sorted(verdicts.items())]
        outcomes += [(row, hour, kind) for hour, kind in sorted(kinds.items())]

    def events(rows: list[tuple[int, int, int]], dtype: np.dtype, name: str) -> np.ndarray:
        out = np.zeros(len(rows), dtype)
        out["id"] = np.arange(len(rows))
        for index, (row, hour, value) in enumerate(rows):
            out[index]["row"], out[index]["at"], out[index][name] = row, at(hour), value
        return out

    return history.Facts(
        handoffs=np.zeros(len(handoffs), facts.HANDOFF),
        assignments=np.zeros(0, facts.ASSIGNMENT),
        attempts=np.zeros(0, history.ATTEMPT),
        dispositions=events(dispositions, history.DISPOSITION, "verdict"),
        outcomes=events(outcomes, facts.OUTCOME, "kind"),
        holds=np.zeros(0, history.HOLD),
        disputes=np.zeros(0, history.DISPUTE),
    )


def at(hour: int | None) -> np.datetime64:
    return history.NAT if hour is None else np.datetime64("2025-03-03T00", "us") + np.timedelta64(hour, "h")


def test_the_numbers_are_those_of_the_stages_and_outcomes_of_a_handoff():
    assert [name.upper() for name in Handoff.Stage.values] == [
        name for name, _ in sorted(vars(stages).items(), key=lambda item: str(item[1])) if name.isupper()
    ]
    assert Outcome.Kind.values == ["meeting", "opportunity", "won", "lost"]


CASES = [
    ("nothing", {}, {}, "mql", None),
    ("accepted", {1: A}, {}, "sal", None),
    ("recycled at once", {1: R}, {}, "recycled", 1),
    ("rejected after acceptance", {1: A, 2: X}, {}, "rejected", 2),
    ("ended twice by a system, the first end and the last word count", {1: R, 3: X}, {}, "rejected", 1),
    ("accepted once more after its end", {1: R, 3: A}, {}, "recycled", 1),
    ("meeting held", {1: A}, {2: MEETING}, "sql", 2),
    ("meeting at the moment of acceptance", {1: A}, {1: MEETING}, "sql", 1),
    ("all the way", {1: A}, {2: MEETING, 3: OPPORTUNITY, 4: WON}, "won", 2),
    ("further than its latest step", {1: A}, {2: OPPORTUNITY, 4: MEETING}, "opportunity", 2),
    ("lost", {1: A}, {2: OPPORTUNITY, 3: LOST}, "lost", 2),
    ("lost and then won after all", {1: A}, {2: LOST, 3: WON}, "won", 2),
    ("won and then lost after all", {1: A}, {2: WON, 3: LOST}, "lost", 2),
    ("a meeting after the loss", {1: A}, {2: LOST, 3: MEETING}, "lost", 2),
    ("a meeting that nobody accepted ends nothing", {}, {2: MEETING}, "sql", None),
    ("a meeting before acceptance ends nothing", {3: A}, {2: MEETING}, "sql", None),
    ("after acceptance the next outcome ends it", {3: A}, {2: MEETING, 4: OPPORTUNITY}, "opportunity", 4),
    ("given back after a meeting", {1: A, 5: R}, {2: MEETING}, "recycled", 2),
    ("given back before the meeting", {1: A, 2: R}, {5: MEETING}, "recycled", 2),
]


@pytest.mark.parametrize(("verdicts", "kinds", "stage", "end"), [case[1:] for case in CASES], ids=[c[0] for c in CASES])
def test_stage_and_end_follow_from_the_facts(verdicts, kinds, stage, end):
    found, ended = stages.derive(told((verdicts, kinds)))
    assert Handoff.Stage.values[found[0]] == stage
    np.testing.assert_array_equal(ended, [at(end)])


def test_many_handoffs_are_told_apart():
    found, ended = stages.derive(told(*((verdicts, kinds) for _, verdicts, kinds, _, _ in CASES)))
    assert [Handoff.Stage.values[stage] for stage in found] == [case[3] for case in CASES]
    np.testing.assert_array_equal(ended, [at(case[4]) for case in CASES])


def test_no_handoffs_have_no_stages():
    found, ended = stages.derive(told())
    assert (len(found), len(ended)) == (0, 0)
