"""The scene: one agreement with a ladder, its reps, and handoffs whose steps come due when a scenario wants it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from django.contrib.auth.models import Group
from django.db import connection

from agreements import terms
from agreements.models import Agreement, Status, Version
from leads import timekeeping
from leads.models import Assignment, Handoff, Lead
from slaportal import roles
from slaportal.models import Notice, NoticePreference, Party, Team, User
from slaportal.timing import database_now
from tests.conftest import make_always, make_commitment, make_step

REPS = 5_000
# Steps tell the owner when half of the four hours are used up, and again soon after.
LIMIT = timedelta(hours=4)
SHARES = (50, 60)
FIRST_STEP, SECOND_STEP = (LIMIT * share / 100 for share in SHARES)
BATCH = 5_000


def build() -> None:
    """People who want every warning at once, and an agreement in force since the beginning of 2025."""
    marketing = Team.objects.create(name="Marketing", party=Party.MARKETING)
    sales = Team.objects.create(name="Sales", party=Party.SALES)
    sales.manager = User.objects.create(email="manager@example.com", name="Mona Manager", team=sales)
    sales.save()
    people = User.objects.bulk_create(
        (
            User(
                email=f"rep{n}@example.com",
                name=f"Rep {n}",
                team=sales,
                quiet_from=None,
                quiet_until=None,
                password="!",
            )
            for n in range(REPS)
        ),
        batch_size=BATCH,
    )
    rep = Group.objects.get(name=roles.REP)
    User.groups.through.objects.bulk_create(
        (User.groups.through(user_id=person.pk, group_id=rep.pk) for person in people), batch_size=BATCH
    )
    NoticePreference.objects.create(team=sales, kind="warning", is_urgent=True)
    agreement = Agreement.objects.create(name="Chaos", marketing_team=marketing, sales_team=sales, time_zone="UTC")
    version = Version.objects.create(agreement=agreement, number=1, calendar=make_always())
    promise = make_commitment(version, "first_response", limit=LIMIT // timedelta(hours=1), unit="hours")
    for share in SHARES:
        make_step(promise, "tell owner", share=share)
    agree(version)


def agree(version: Version) -> None:
    """Freeze a version and let it be in force, without anybody who signs."""
    begun = datetime(2025, 1, 1, tzinfo=UTC)
    version.terms, version.terms_hash = terms.freeze(version, now=begun)
    version.status = Status.PROPOSED
    version.save()
    version.status, version.agreed_at, version.effective_from = Status.AGREED, begun, begun
    version.save()


def reps(count: int, *, after: int = 0) -> list[User]:
    """So many reps, in order; `after` so many others."""
    return list(User.objects.filter(email__startswith="rep").order_by("pk")[after : after + count])


def gather_warnings() -> None:
    """Nobody wants warnings at once any more: what comes together may come as one."""
    NoticePreference.objects.all().delete()


def begin(owners: Sequence[User], due: Sequence[datetime], *, version: Version | None = None) -> list[int]:
    """Hand a lead to each of these, so that its first step is due at that moment; returns the ids of the handoffs."""
    return hand_off(owners, [moment - FIRST_STEP for moment in due], version=version, now=database_now())


def hand_off(
    owners: Sequence[User], qualified: Sequence[datetime], *, now: datetime, version: Version | None = None
) -> list[int]:
    """Hand a lead that qualified at that moment to each of these, and evaluate it at `now`."""
    version = version or Version.objects.select_related("agreement").get(agreement__name="Chaos")
    number = Lead.objects.count()
    leads = Lead.objects.bulk_create(
        (
            Lead(
                source_system="chaos",
                external_id=str(number + n),
                name=f"Lead {number + n}",
                received_at=at,
                state=Lead.State.HANDED_OFF,
            )
            for n, at in enumerate(qualified)
        ),
        batch_size=BATCH,
    )
    handoffs = Handoff.objects.bulk_create(
        (
            Handoff(
                lead=lead,
                agreement=version.agreement,
                version=version,
                qualified_at=at,
                known_at=at,
                in_scope=2**20 - 1,
                owner=owner,
                team_id=owner.team_id,
            )
            for lead, owner, at in zip(leads, owners, qualified, strict=True)
        ),
        batch_size=BATCH,
    )
    Assignment.objects.bulk_create(
        (
            Assignment(handoff=one, owner_id=one.owner_id, team_id=one.team_id, at=one.qualified_at, why="chaos")
            for one in handoffs
        ),
        batch_size=BATCH,
    )
    ids = [handoff.pk for handoff in handoffs]
    timekeeping.evaluate_handoffs(ids, now=now)
    return ids


def end_leases() -> int:
    """Let the time pass after which a dead worker's claims are free; only while no worker lives. Returns how many."""
    past = database_now() - timedelta(seconds=1)
    return Notice.objects.waiting().exclude(claimed_until=None).update(claimed_until=past)


def analyze() -> None:
    """Tell the planner what is in the tables, as autovacuum would have by now."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
