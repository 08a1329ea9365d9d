"""What each handoff was when its month was sealed, as one block of bytes: opened, it is two arrays. Pure.

A sealed number opens to exactly the handoffs that it counted, whatever became of them since; and the fingerprints of
the facts that were read tell later which handoff's facts are others now.
"""

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from leads import fingerprints

NOTHING = -1  # of times: there is none

HANDOFF = np.dtype(
    [
        ("id", "<i8"),
        ("version", "<i8"),
        ("stage", "<u1"),  # index into `stages`
        ("came", "<u1"),  # bit n: it had the nth kind of outcome
        ("cents", "<i8"),  # what its opportunity is worth
        ("waits", "<u1"),  # two bits for each of `delays`: index into `waits` (rule N8)
        *((name, "<u2") for name in fingerprints.TABLES),
        ("facts", "<u8"),  # fingerprint of its facts
    ]
)
CLOCK = np.dtype(
    [
        ("commitment", "<i8"),
        ("handoff", "<i8"),
        ("subject", "<i8"),
        ("state", "<u1"),
        ("rule", "<u1"),  # index into `rules`
        ("decides", "?"),
        ("answered", "?"),  # somebody has said why it missed
        ("stopped", "<i8"),  # microseconds since 1970, or NOTHING
        ("elapsed", "<i8"),  # microseconds of open time, or NOTHING
        ("owner", "<i8"),  # whom it is counted for, 0: nobody (rule N4)
        ("team", "<i8"),
    ]
)
# Sorted by these, ids grow slowly, and differences need fewer bytes.
GROWING = {"id", "handoff"}


@dataclass(frozen=True)
class States:
    """Handoffs by id, clocks by commitment and handoff. `about` says what else was read: words, layout, closures."""

    handoffs: np.ndarray
    clocks: np.ndarray
    about: Mapping[str, Any]

    @property
    def stages(self) -> list[str]:
        """How far a handoff can come, by which the handoffs count them."""
        return self.about["stages"]

    @property
    def outcomes(self) -> list[str]:
        """The kinds of outcomes, by which the handoffs count them."""
        return self.about["outcomes"]

    @property
    def delays(self) -> list[str]:
        """Whose delays the handoffs know; none where an earlier release has sealed them."""
        return self.about.get("delays", [])

    @property
    def waits(self) -> list[str]:
        """What can have become of a wait, by which the handoffs count them."""
        return self.about.get("waits", [])

    @property
    def rules(self) -> list[str]:
        """The names of the rules, by which the clocks count them."""
        return self.about["rules"]

    def deciding(self) -> np.ndarray:
        """One clock for each handoff and commitment (rule N2)."""
        return self.clocks[self.clocks["decides"]]


def pack(states: States) -> bytes:
    """The bytes of these arrays; the same arrays give the same bytes."""
    parts = []
    for rows in (states.handoffs, states.clocks):
        for name in rows.dtype.names:
            column = np.ascontiguousarray(rows[name])
            parts.append((np.diff(column, prepend=column.dtype.type(0)) if name in GROWING else column).tobytes())
    head = {**states.about, "handoffs": len(states.handoffs), "clocks": len(states.clocks),
            "columns": [HANDOFF.descr, CLOCK.descr]}  # fmt: skip
    written = json.dumps(head, sort_keys=True, separators=(",", ":")).encode()
    return len(written).to_bytes(4, "big") + written + zlib.compress(b"".join(parts), 6)


def unpack(block: bytes) -> States:
    """The arrays of these bytes, also of those that a release with fewer columns has written; `ValueError` if none."""
    try:
        size = int.from_bytes(block[:4], "big")
        about = json.loads(block[4 : 4 + size])
        body, place, found = zlib.decompress(block[4 + size :]), 0, []
        counts = (about.pop("handoffs"), about.pop("clocks"))
        for count, columns, shape in zip(counts, about.pop("columns"), (HANDOFF, CLOCK), strict=True):
            rows = np.zeros(count, shape)
            for name, kind in columns:
                column = np.frombuffer(body, kind, count, place)
                place += column.nbytes
                if name in shape.names:
                    rows[name] = np.cumsum(column, dtype=column.dtype) if name in GROWING else column
            found.append(rows)
    except (ValueError, KeyError, TypeError, zlib.error) as problem:
        raise ValueError("what each handoff was cannot be read") from problem
    return States(*found, about)
