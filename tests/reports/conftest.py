"""Handoffs and clocks written directly: these tests are about counting, not about how a clock was decided."""

from datetime import UTC, datetime
from itertools import count

import pytest

from agreements.models import Commitment, Version
from leads.models import Assignment, Clock, Handoff, Lead, Outcome
from leads.periods import parse
from leads.touches import note_days
from slaportal.models import User

NOW = datetime(2025, 5, 5, 9, 0, tzinfo=UTC)
MARCH = parse("2025-03")
MIDMARCH = datetime(2025, 3, 12, 10, 0, tzinfo=UTC)
MISSED, OPEN, MET, EXCLUDED = Clock.State.MISSED, Clock.State.OPEN, Clock.State.MET, Clock.State.EXCLUDED

_number = count(1)


def make_lead(**overrides) -> Lead:
    fields = {"external_id": str(next(_number)), "received_at": MIDMARCH, "state": Lead.State.HANDED_OFF}
    return Lead.objects.create(**{**fields, **overrides})


def make_handoff(version: Version, owner: User | None = None, **overrides) -> Handoff:
    fields = {"agreement": version.agreement, "qualified_at": MIDMARCH, "source": "Webinar", "segment": "Mid-market"}
    handoff = Handoff.objects.create(lead=make_lead(), version=version, **{**fields, **overrides})
    touch(handoff)
    if owner:
        handoff.assignment = Assignment.objects.create(handoff=handoff, owner=owner, team=owner.team, at=MIDMARCH)
    return handoff


def make_clock(handoff: Handoff, commitment: Commitment, state: int, **overrides) -> Clock:
    fields = {"rule": "within_limit", "charged_to": getattr(handoff, "assignment", None)}
    touch(handoff)
    return Clock.objects.create(handoff=handoff, commitment=commitment, state=state, **{**fields, **overrides})


def touch(handoff: Handoff) -> None:
    """What an evaluation does that changes a clock of the handoff."""
    note_days(handoff.agreement, [handoff.qualified_at.astimezone(handoff.agreement.zone).date()])


def make_outcome(handoff: Handoff, kind: str, **overrides) -> Outcome:
    fields = {"at": MIDMARCH, "entered_at": MIDMARCH}
    return Outcome.objects.create(handoff=handoff, kind=kind, **{**fields, **overrides})


@pytest.fixture
def volume(version) -> Commitment:
    return version.commitments.get(kind="volume")


@pytest.fixture
def response(version) -> Commitment:
    return version.commitments.get(kind="first_response")


@pytest.fixture
def cast(version, rita, max_, sofia, mona, ron, vera) -> dict[str, User]:
    """Everybody by name, and an agreement in force that both have signed."""
    return {"rita": rita, "max_": max_, "sofia": sofia, "mona": mona, "ron": ron, "vera": vera}


def row_of(data: dict, commitment: Commitment) -> dict:
    """The figures of one commitment."""
    return next(row for row in data["commitments"] if row["pk"] == commitment.pk)
