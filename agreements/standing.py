"""Where each version stands today: what is in force, planned or superseded is a question of date, not a state."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from agreements import cadence, terms
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


def next_review(version: Version, *, now: datetime) -> date | None:
    """The day on which both sides look at the scorecard next, today included; None where no cadence is agreed."""
    agreed = terms.of(version, now=now)
    yesterday = now.astimezone(ZoneInfo(agreed.time_zone)).date() - timedelta(days=1)
    return cadence.next_review(agreed.review_cadence, agreed.review_weekday, after=yesterday)


def in_force_between(found: Iterable[Standing], start: datetime, end: datetime) -> list[Standing]:
    """Those that were in force at some moment of `[start, end)`, newest first."""
    begun = [one for one in found if one.since is not None and one.since < end]
    # One that a later version overtook before it began was never in force.
    begun = [one for one in begun if one.until is None or one.until > max(start, one.since)]
    return sorted(begun, key=lambda one: one.since, reverse=True)
