"""How far handoffs came and where they ended, derived from their facts (rules A5 and C7). Pure."""

import numpy as np

from leads import history

# In the order of `Handoff.Stage`.
MQL, SAL, SQL, OPPORTUNITY, WON, LOST, RECYCLED, REJECTED = range(8)


def derive(facts: history.Facts) -> tuple[np.ndarray, np.ndarray]:
    """Per handoff its stage and its end (NaT while it is open); `facts.outcomes` carries `kind` as well."""
    size = len(facts.handoffs)
    given, outcomes = facts.dispositions, facts.outcomes
    accepted = given["verdict"] == history.ACCEPTED
    accepted_at = _earliest(given[accepted], size)
    closing = outcomes[outcomes["at"] >= accepted_at[outcomes["row"]]]

    stage = np.where(np.isnat(accepted_at), MQL, SAL)
    reached = outcomes["kind"] + SQL
    np.maximum.at(stage, outcomes["row"], reached)
    # Of won and lost the later one stands.
    decided = reached >= WON
    stage[outcomes["row"][decided]] = reached[decided]
    returned = given[~accepted]
    stage[returned["row"]] = returned["verdict"] - history.RECYCLED + RECYCLED
    return stage, np.fmin(_earliest(returned, size), _earliest(closing, size))


def _earliest(events: np.ndarray, size: int) -> np.ndarray:
    """Per row the time of its first event; events are sorted by (`row`, `at`), so written backwards the first stays."""
    at = np.full(size, history.NAT)
    at[events["row"][::-1]] = events["at"][::-1]
    return at
