"""A scorecard says what a plain loop over the clocks says, from clocks and from tallies, in every zone and period.

The loop shares nothing with what it checks: it asks the zone for each moment's local time and counts in exact numbers.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from agreements.models import Agreement
from leads.models import Answer, Assignment, Clock, Handoff, Lead
from leads.periods import parse
from leads.touches import TouchedDay, note_days
from reports import crosses, scorecards, tallies
from reports.models import Tally, TallyBook
from slaportal.models import Team
from tests.conftest import make_commitment, make_user

pytestmark = pytest.mark.django_db

# Changes of an hour, of half of one and of two, at midnight, in the southern winter, and none.
ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "America/Havana",
    "Australia/Lord_Howe",
    "Antarctica/Troll",
    "Asia/Kolkata",
)
# Weeks in which clocks change, the leap day, and the turn of a year that lies within an ISO week.
AROUND = (
    datetime(2024, 2, 27, tzinfo=UTC),
    datetime(2024, 3, 9, tzinfo=UTC),
    datetime(2024, 3, 30, tzinfo=UTC),
    datetime(2024, 4, 6, tzinfo=UTC),
    datetime(2024, 10, 5, tzinfo=UTC),
    datetime(2024, 10, 26, tzinfo=UTC),
    datetime(2024, 11, 2, tzinfo=UTC),
    datetime(2024, 12, 29, tzinfo=UTC),
)
NOW = datetime(2025, 6, 2, 9, tzinfo=UTC)
STATES = {0: "missed", 1: "open", 2: "met", 3: "excluded"}
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
RULES = ("out_of_scope", "below_definition", "over_cap", "of_an_earlier_release")
BY = ("source", "campaign", "segment", "team", "rep", "weekday", "hour")


@pytest.fixture
def world(draft, rita, max_, sofia, ron, ruth):
    """An agreement with six promises, and the people whom clocks are charged to."""
    from tests.conftest import agree

    for kind in ("acceptance", "acceptance_rate", "attempts"):
        make_commitment(draft, kind)
    draft.minimum_group = 3
    draft.save()
    version = agree(draft, by=rita, marketing=max_, sales=sofia)
    team = Team.objects.create(name="Another team", party="sales")
    return version, [ron, ruth, make_user("namesake@example.com", name=ron.name, team=team)]


def tell(world, seed: int, zone: str, around: datetime) -> None:
    """Random handoffs and clocks around a moment, in place of what was there."""
    version, people = world
    Answer.objects.all().delete()
    Clock.objects.all().delete()
    Assignment.objects.all().delete()
    Handoff.objects.all().delete()
    Lead.objects.all().delete()
    Tally.objects.all().delete()
    TallyBook.objects.all().delete()
    TouchedDay.objects.all().delete()
    Agreement.objects.filter(pk=version.agreement_id).update(time_zone=zone)
    version.agreement.refresh_from_db()
    random = Random(seed)
    # On the quarter of an hour, or a microsecond beside it, so that many lie at the edge of a day or an hour.
    moments = [
        around
        + timedelta(minutes=15) * random.randint(0, 96 * random.choice([1, 6, 40]))
        + timedelta(microseconds=random.choice([-1, 0, 0, 1]))
        for _ in range(random.randint(0, 30))
    ]
    # In the days in which clocks may change, and at the very edges of the periods that are asked for.
    moments += [around + timedelta(minutes=30) * random.randint(0, 96) for _ in range(random.randint(0, 12))]
    day = (around + timedelta(days=2)).date()
    edges = [datetime.combine(day + timedelta(days=n), time(), ZoneInfo(zone)).astimezone(UTC) for n in (-3, 0, 1, 41)]
    moments += random.choices(edges, k=random.randint(0, 4))
    begin(version, people, random, moments)


def begin(version, people, random: Random, moments: list[datetime]) -> list[Handoff]:
    """Handoffs that begin at these moments, with clocks of all kinds."""
    leads = [Lead(external_id=f"{at} {random.random()}", received_at=at) for at in moments]
    handoffs = [
        Handoff(
            lead=lead,
            version=version,
            agreement=version.agreement,
            qualified_at=lead.received_at,
            source=random.choice(["", "Web\tinar", "Fair & more", "none", "back\\slash\n"]),
            campaign=random.choice(["", "Frühjahr", "Q1"]),
            segment=random.choice(["", "SMB"]),
        )
        for lead in Lead.objects.bulk_create(leads)
    ]
    assignments, clocks, answers = [], [], []
    for handoff in Handoff.objects.bulk_create(handoffs):
        at, owner = handoff.qualified_at, random.choice([None, *people])
        mine = [Assignment(handoff=handoff, team=people[0].team, at=at)]
        mine += [Assignment(handoff=handoff, owner=owner, team=owner.team, at=at)] if owner else []
        assignments += mine
        for commitment in version.commitments.all():
            decisive = random.randint(0, 3)
            for subject in range(random.choice([1, 1, 1, 2, 3])):
                # The least state of several decides (N2).
                state = decisive if subject == 0 else random.randint(decisive, 3)
                limit = random.choice([1, 60, 3600, 14_400, 28_800])
                micros = random.choice([0, 1, limit * 10**6, random.randint(0, 10**12)])
                is_stopped = state != 1 and random.random() < 0.8
                clock = Clock(
                    handoff=handoff,
                    commitment=commitment,
                    subject=subject,
                    state=state,
                    decides=subject == 0,
                    rule=random.choice(RULES) if state == 3 else "within_limit",
                    stopped_at=at + timedelta(hours=1) if is_stopped else None,
                    elapsed_seconds=micros / 1e6 if is_stopped else None,
                )
                clocks.append((clock, random.choice([None, *mine])))
                if state == 0 and random.random() < 0.4:
                    about = {"handoff": handoff, "commitment": commitment, "subject": subject}
                    answers.append(Answer(**about, cause="c", action="a", by=people[0], at=NOW))
    Assignment.objects.bulk_create(assignments)
    for clock, assignment in clocks:
        clock.charged_to = assignment
    Clock.objects.bulk_create([clock for clock, _ in clocks])
    Answer.objects.bulk_create(answers)
    return handoffs


# --- The plain loop -----------------------------------------------------------------------------------------------


def is_within(local: datetime, key: str) -> bool:
    """Whether a local time lies in the period with this key."""
    day = local.date()
    if ".." in key:
        first, last = map(date.fromisoformat, key.split(".."))
        return first <= day <= last
    if "W" in key:
        return week_of(day) == key
    if "Q" in key:
        return f"{day.year}-Q{1 + (day.month - 1) // 3}" == key
    return f"{day.year}-{day.month:02}" == key


def week_of(day: date) -> str:
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02}"


def periods(around: datetime) -> list[str]:
    day = (around + timedelta(days=2)).date()
    longest = f"{day - timedelta(days=3)}..{day + timedelta(days=40)}"
    return [f"{day:%Y-%m}", f"{day.year}-Q{1 + (day.month - 1) // 3}", week_of(day), f"{day}..{day}", longest]


def values_of(clock: Clock, local: datetime) -> dict[str, tuple[object, object]]:
    """By dimension what tells the clock's value apart, and how people read it."""
    handoff, charged = clock.handoff, clock.charged_to
    team, owner = (charged.team, charged.owner) if charged else (None, None)
    return {
        "source": (handoff.source or None, handoff.source or None),
        "campaign": (handoff.campaign or None, handoff.campaign or None),
        "segment": (handoff.segment or None, handoff.segment or None),
        "team": (team and team.pk, team and team.name),
        "rep": (owner and owner.pk, owner and owner.name),
        "weekday": (local.isoweekday(), WEEKDAYS[local.weekday()]),
        "hour": (local.hour, f"{local.hour:02}:00"),
    }


def counted(clocks: list[Clock]) -> dict[str, int]:
    found = Counter(STATES[clock.state] for clock in clocks)
    return {name: found[name] for name in STATES.values()}


def judged(clocks: list[Clock], promise: dict) -> dict[str, object]:
    """Counts and verdict of a group, as a scorecard writes them."""
    counts = counted(clocks)
    of = counts["met"] + counts["missed"]
    if promise["kind"] == "volume":
        return {**counts, "attainment": None, "kept": None, "too_few": False}
    share = Fraction(counts["met"], of) if of else None
    kept = None if share is None or promise["target"] is None else share >= Fraction(str(promise["target"]))
    return {**counts, "attainment": share and float(share), "kept": kept, "too_few": 0 < of < 3}


def quantile(spans: list[Fraction], share: Fraction) -> Fraction | None:
    if not spans:
        return None
    spans = sorted(spans)
    place = share * (len(spans) - 1)
    low, high = spans[int(place)], spans[min(int(place) + 1, len(spans) - 1)]
    return low + (high - low) * (place - int(place))


def groups_of(clocks: list[tuple[Clock, datetime]], name: str) -> dict[tuple, list[Clock]]:
    found = defaultdict(list)
    for clock, local in clocks:
        found[values_of(clock, local)[name]].append(clock)
    return found


def check(agreement: Agreement, key: str, *, exact: bool = False) -> dict:
    """Hold a scorecard against the plain loop."""
    data = scorecards.compute(agreement, parse(key), now=NOW, exact=exact, sections=False)
    zone = ZoneInfo(agreement.time_zone)
    mine: dict[int, list[tuple[Clock, datetime]]] = defaultdict(list)
    handoffs = set()
    for clock in Clock.objects.select_related("handoff", "charged_to__team", "charged_to__owner"):
        local = clock.handoff.qualified_at.astimezone(zone)
        if is_within(local, key):
            mine[clock.commitment_id].append((clock, local))
            handoffs.add(clock.handoff_id)
    said = set(Answer.objects.values_list("handoff", "commitment", "subject"))

    assert data["handoffs"] == len(handoffs)
    for row in data["commitments"]:
        clocks = mine[row["pk"]]
        deciding = [(clock, local) for clock, local in clocks if clock.decides]
        own = [clock for clock, _ in deciding]
        assert {name: row[name] for name in STATES.values()} == counted(own)
        assert row["excluded_by"] == Counter(clock.rule for clock in own if clock.state == 3)
        silent = {
            clock.handoff_id
            for clock, _ in clocks
            if clock.state == 0 and (clock.handoff_id, clock.commitment_id, clock.subject) not in said
        }
        assert row["unanswered"] == (len(silent) if row["limit_seconds"] is not None else 0)
        check_times(row, [clock for clock, _ in clocks if clock.state != 3], exact=exact)
        for name in BY:
            found = {(group["id"], group["value"]): group for group in row["by"][name]}
            assert len(found) == len(row["by"][name])
            assert found == {
                (known, label): {"id": known, "value": label, **judged(group, row)}
                for (known, label), group in groups_of(deciding, name).items()
            }
        by_week = defaultdict(list)
        for clock, local in deciding:
            by_week[clock.handoff.source or None, week_of(local.date())].append(clock)
        cells = {(line["id"], cell["week"]): cell for line in row["weeks"] for cell in line["cells"]}
        assert cells == {
            place: {"week": place[1], **judged(by_week.get(place, []), row)} for place in cells.keys() | by_week.keys()
        }
    return data


def check_times(row: dict, counting: list[Clock], *, exact: bool) -> None:
    stopped = [clock for clock in counting if clock.stopped_at]
    spans = [Fraction(round(clock.elapsed_seconds * 10**6), 10**6) for clock in stopped]
    assert row["unstopped"] == len(counting) - len(stopped)
    assert row["spread_error"] == (0 if exact else 0.015)
    for name, share in (("median_seconds", Fraction(1, 2)), ("p90_seconds", Fraction(9, 10))):
        true = quantile(spans, share)
        if true is None:
            assert row[name] is None
        else:
            assert abs(Fraction(row[name]) - true) <= Fraction("1e-9" if exact else "0.015") * true
    if row["limit_seconds"] is None or not spans:
        assert row["distribution"] is None
    else:
        edges, counts = row["distribution"]["edges"], row["distribution"]["counts"]
        assert row["limit_seconds"] in edges and edges == sorted(edges) and edges[0] == 0
        for place, number in enumerate(counts):
            low = -1 if place == 0 else edges[place]
            assert number == sum(low < span <= edges[place + 1] for span in spans)
        assert sum(counts) + row["distribution"]["over"] == len(spans)


def rows_of_tallies() -> set[tuple]:
    names = ("commitment", "day", "dimension", "value", *STATES.values(), "unstopped")
    rows = list(Tally.objects.values_list(*names, "excluded_by", "spread"))
    found = {(*row[:-2], tuple(sorted(row[-2].items())), tuple(sorted(row[-1].items()))) for row in rows}
    assert len(found) == len(rows)
    return found


# --- What is checked ----------------------------------------------------------------------------------------------

WORLDS = {"seed": st.integers(0, 10**6), "zone": st.sampled_from(ZONES), "around": st.sampled_from(AROUND)}
quick = settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@quick
@given(**WORLDS)
@example(seed=1, zone="Europe/Berlin", around=AROUND[2])
@example(seed=2, zone="America/Havana", around=AROUND[6])
def test_a_scorecard_is_a_plain_recount_from_clocks_and_from_tallies(world, seed, zone, around):
    tell(world, seed, zone, around)
    agreement = world[0].agreement
    from_clocks = {key: check(agreement, key) for key in periods(around)}

    tallies.refresh(agreement, most=10**6)

    assert Tally.objects.exists() == Clock.objects.exists()
    for key, data in from_clocks.items():
        assert check(agreement, key) == data
        check(agreement, key, exact=True)


@quick
@given(**WORLDS)
def test_what_changes_is_counted_at_once_and_refreshing_touched_days_is_as_good_as_all(world, seed, zone, around):
    tell(world, seed, zone, around)
    version, people = world
    agreement = version.agreement
    tallies.refresh(agreement, most=10**6)
    random = Random(seed + 1)

    for handoff in random.sample(list(Handoff.objects.all()), min(5, Handoff.objects.count())):
        handoff.clocks.update(state=random.randint(0, 3), charged_to=None)
        note_days(agreement, [handoff.qualified_at.astimezone(agreement.zone).date()] * 2)
    (late,) = begin(version, people, random, [around + timedelta(days=1, hours=random.randint(0, 23))])
    note_days(agreement, [late.qualified_at.astimezone(agreement.zone).date()])
    changed = {key: check(agreement, key) for key in periods(around)}
    touched = set(TouchedDay.objects.values_list("day", flat=True))

    assert tallies.refresh(agreement, most=10**6) == touched
    assert not TouchedDay.objects.exists()
    by_touch = rows_of_tallies()
    assert {key: check(agreement, key) for key in changed} == changed
    assert tallies.refresh(agreement) == set()
    assert rows_of_tallies() == by_touch
    TallyBook.objects.all().delete()
    tallies.refresh(agreement, most=10**6)
    assert rows_of_tallies() == by_touch


def crossed(agreement: Agreement, key: str, pk: int, names: tuple[str, str]) -> Iterator[tuple]:
    """The cells of a cross by the plain loop."""
    zone = ZoneInfo(agreement.time_zone)
    found = defaultdict(list)
    for clock in Clock.objects.filter(commitment=pk, decides=True).select_related("handoff", "charged_to"):
        local = clock.handoff.qualified_at.astimezone(zone)
        if is_within(local, key):
            values = values_of(clock, local) | {"week": (week_of(local.date()), week_of(local.date()))}
            found[tuple(values[name][0] for name in names)].append(clock)
    yield from found.items()


@quick
@given(**WORLDS, names=st.permutations(crosses.DIMENSIONS).map(lambda names: tuple(names[:2])))
def test_a_cross_is_a_plain_recount_and_its_totals_add_up(world, seed, zone, around, names):
    tell(world, seed, zone, around)
    agreement = world[0].agreement
    for key in periods(around)[1:3]:
        for row in scorecards.compute(agreement, parse(key), now=NOW, by=(), sections=False)["commitments"]:
            found = crosses.cross(agreement, parse(key), row["pk"], rows=names[0], columns=names[1])
            ids = [[value["id"] for value in values] for values in (found.row_values, found.column_values)]
            cells = {
                (down, across): cell
                for down, line in zip(ids[0], found.cells, strict=True)
                for across, cell in zip(ids[1], line, strict=True)
                if cell
            }
            plain = dict(crossed(agreement, key, row["pk"], names))
            assert cells == {pair: judged(clocks, row) for pair, clocks in plain.items()}
            for side, totals in enumerate((found.row_totals, found.column_totals)):
                for known, total in zip(ids[side], totals, strict=True):
                    own = [clock for pair, clocks in plain.items() for clock in clocks if pair[side] == known]
                    assert total == judged(own, row)
            assert found.total == judged([clock for clocks in plain.values() for clock in clocks], row)
