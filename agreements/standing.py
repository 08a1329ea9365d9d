"""Where each version stands today: what is in force, planned or superseded is a question of date, not a state."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from agreements.models import Status, Version


@dataclass(frozen=True)
class Standing:
    """A version with its standing in one word, and the span `[since, until)` in which it is in force, if any."""

    version: Version
    word: str
    since: datetime | None
    until: datetime | None


def standings(versions: Iterable[Version], *, in_force_id: int | None, now: datetime) -> list[Standing]:
    """The standing at `now` of all versions of one agreement, newest first; `in_force_id` comes from rule A2."""
    versions = sorted(versions, key=lambda version: -version.number)
    agreed = sorted((v for v in versions if v.status == Status.AGREED), key=lambda version: version.effective_from)
    following = dict(zip((v.pk for v in agreed), agreed[1:], strict=False))
    found = []
    for version in versions:
        if version.status != Status.AGREED:
            found.append(Standing(version, version.status, None, None))
            continue
        successor = following.get(version.pk)
        ends = [end for end in (version.ends_at, successor and successor.effective_from) if end]
        until = min(ends, default=None)
        if version.pk == in_force_id:
            word = "in force"
        elif version.effective_from > now:
            word = "planned"
        else:
            word = "superseded" if successor and successor.effective_from <= now else "ended"
        found.append(Standing(version, word, version.effective_from, until))
    return found
