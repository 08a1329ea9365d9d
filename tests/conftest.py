"""A small named cast and plain `make_…` functions; every test says which of them it needs."""

import gc
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from unittest.mock import patch
from urllib.parse import urlsplit

import hypothesis
import pytest
from django.conf import settings as configured
from django.contrib.auth.models import Group
from django.db import connection, connections
from django.test import TransactionTestCase

from agreements import frozen
from agreements.models import Agreement, BusinessCalendar, Commitment, Step, Version
from leads import timekeeping
from slaportal import roles
from slaportal.celery import app
from slaportal.models import Absence, Party, Team, User
from tests.kept import QUICK_HASHERS, Keeper, asks_to_commit, kept, together

# Playwright keeps an event loop in the test's thread, which Django would mistake for asynchronous code.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")

PASSWORD = "correct horse battery"
MONDAY = datetime(2025, 3, 3, 9, 0, tzinfo=UTC)  # 10:00 in Berlin


# No test fails because the machine is busy.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")


def missing_for(item: pytest.Item) -> str:
    """Why this test cannot run here, from its markers; blank when it can."""
    on_postgresql = configured.DATABASES["default"]["ENGINE"].endswith("postgresql")
    broker = urlsplit(configured.CELERY_BROKER_URL).scheme
    if not on_postgresql and (item.get_closest_marker("postgresql") or item.get_closest_marker("services")):
        return "needs PostgreSQL: set DATABASE_URL=postgres://…"
    if on_postgresql and item.get_closest_marker("embedded"):
        return "says the same on every database, and takes long"
    if item.get_closest_marker("services") and broker not in ("redis", "rediss", "amqp", "amqps"):
        return "needs a broker that is a service: set CELERY_BROKER_URL=redis://…"
    if item.get_closest_marker("browser") and not shutil.which("chromium"):
        return "needs chromium"
    return ""


def asks_the_database(item: pytest.Item) -> bool:
    """Whether it makes a difference to the test on which database it runs."""
    fixtures = {"db", "transactional_db", "live_server"}
    return bool(item.get_closest_marker("django_db") or fixtures & set(item.fixturenames))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--database-only", action="store_true", help="leave out what says the same on every database")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Keeper())


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("database_only"):
        alike = [item for item in items if not asks_the_database(item)]
        config.hook.pytest_deselected(items=alike)
        items[:] = [item for item in items if asks_the_database(item)]
    for item in items:
        if reason := missing_for(item):
            item.add_marker(pytest.mark.skip(reason=reason))
        # A test with committed data empties the tables afterwards; the roles that migrations granted must come back.
        if asks_to_commit(item):
            item.add_marker(pytest.mark.django_db(transaction=True, serialized_rollback=True), append=False)
    items[:] = together(sorted(items, key=turn))


def pytest_collection_finish() -> None:
    """What was collected stays to the end: to look through it again and again takes a twentieth of the time."""
    gc.collect()
    gc.freeze()


def turn(item: pytest.Item) -> tuple[bool, bool, bool]:
    """When it is a test's turn. What commits comes late, as it leaves the tables empty; browsers come last, as
    Playwright's event loop stays in the thread from then on.
    """
    is_browsing, is_long = (bool(item.get_closest_marker(name)) for name in ("browser", "long"))
    return is_browsing, asks_to_commit(item), not is_long


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup):
    """Keep what the migrations wrote within reach of every connection: while Playwright's event loop runs, Django gives
    this thread connection objects other than the one that made the database."""
    maker = connections["default"]
    if hasattr(maker, "_test_serialized_contents"):
        type(maker)._test_serialized_contents = maker._test_serialized_contents


@pytest.fixture(scope="session")
def migrated(django_db_setup, django_db_blocker, tmp_path_factory) -> Path:
    """A database file as `migrate` leaves it, for processes that would migrate one of their own; only on SQLite."""
    path = tmp_path_factory.mktemp("migrated") / "portal.sqlite3"
    with django_db_blocker.unblock(), closing(sqlite3.connect(path)) as file:
        connection.ensure_connection()
        connection.connection.backup(file)
    return path


@pytest.fixture(scope="session", autouse=True)
def frozen_rows_lifted_for_the_flush():
    """Between two tests with committed data the tables are emptied, which triggers refuse; nothing else lifts them."""
    empty_the_tables = TransactionTestCase._fixture_teardown

    def lifted(self: TransactionTestCase) -> None:
        frozen.lift(connection)
        try:
            empty_the_tables(self)
        finally:
            frozen.install(connection)

    TransactionTestCase._fixture_teardown = lifted
    yield
    TransactionTestCase._fixture_teardown = empty_the_tables


@contextmanager
def triggers_off() -> Iterator[None]:
    """What somebody could do who owns the database, or before there were triggers."""
    frozen.lift(connection)
    try:
        yield
    finally:
        frozen.install(connection)


@pytest.fixture(autouse=True)
def quick_and_local(settings, monkeypatch):
    """Cheap password hashes, tasks in the caller's process, and no mails but where a test is about them."""
    settings.PASSWORD_HASHERS = QUICK_HASHERS
    settings.AXES_ENABLED = False
    # Celery reads the settings only once, so its own configuration is what has to change.
    app.conf.task_always_eager = app.conf.task_eager_propagates = True
    monkeypatch.setattr("slaportal.outbox.ring", lambda: None)
    # Of two tests the ids, the terms and the frozen time may be the same, and the rows behind them others.
    timekeeping.read_once.cache_clear()


def make_user(email: str, role: str | None = None, **overrides) -> User:
    fields = {"name": email.split("@")[0].replace(".", " ").title(), "time_zone": "Europe/Berlin", **overrides}
    user = User.objects.create_user(email, PASSWORD, **fields)
    if role:
        user.groups.add(Group.objects.get(name=role))
    return user


def make_absence(person: User, first: date, last: date | None = None) -> Absence:
    """Days on which somebody is away; one, where no last one is given."""
    return Absence.objects.create(person=person, first_day=first, last_day=last or first)


def make_calendar(**overrides) -> BusinessCalendar:
    week = dict.fromkeys(("monday", "tuesday", "wednesday", "thursday", "friday"), "09:00-17:30")
    return BusinessCalendar.objects.create(**{"name": "Office", "time_zone": "Europe/Berlin", **week, **overrides})


def make_always(**overrides) -> BusinessCalendar:
    days = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
    return make_calendar(**{"name": "Always", "time_zone": "UTC", **dict.fromkeys(days, "00:00-24:00"), **overrides})


def make_commitment(version: Version, kind: str = "first_response", **overrides) -> Commitment:
    fields = {"code": kind.replace("_", "-"), "title": kind, "kind": kind, "calendar": version.calendar, "target": 95,
              "baseline": 50, "consequence": "Both sides talk."}  # fmt: skip
    if kind in ("routing", "acceptance", "first_response", "first_touch", "contact_after_acceptance", "attempts",
                "disposition", "dispute_answer"):  # fmt: skip
        fields |= {"limit": 4, "unit": "business hours"}
    if kind == "attempts":
        fields |= {"attempts": 5, "limit": 5, "unit": "business days"}
    return Commitment.objects.create(version=version, **{**fields, **overrides})


def make_step(commitment: Commitment, action: str = "tell manager", **overrides) -> Step:
    """A step of its ladder at the limit, or at the end of the month, behind those that there are."""
    fields = {"share": None if "offset" in overrides else 100, "position": commitment.steps.count()}
    return Step.objects.create(commitment=commitment, action=action, **{**fields, **overrides})


NEEDED = {"quantity": "volume", "quality": "completeness", "speed": "first_response"}


def complete(version: Version) -> Version:
    """Add what a draft lacks to be proposed, behind what it promises already."""
    promises = version.commitments.all()
    kinds = [row.catalogue for row in promises if row.kind != "routing"]
    missing = {NEEDED[dimension] for dimension in NEEDED.keys() - {kind.dimension for kind in kinds}}
    missing |= {NEEDED["quantity"]} if "marketing" not in {kind.party for kind in kinds} else set()
    missing |= {NEEDED["speed"]} if "sales" not in {kind.party for kind in kinds} else set()
    for kind in sorted(missing):
        make_commitment(version, kind, position=1000)
    for field, value in {"target": 95, "baseline": 50}.items():
        promises.filter(**{f"{field}__isnull": True}).update(**{field: value})
    blank = [row.pk for row in version.commitments.all() if not row.consequence.strip()]
    promises.filter(pk__in=blank).update(consequence="Both sides talk.")
    if version.score_threshold is None and not version.criteria.exists() and not version.required_fields:
        Version.objects.filter(pk=version.pk).update(required_fields=["name"])
    Version.objects.filter(pk=version.pk, review_cadence="").update(review_cadence="monthly")
    version.refresh_from_db()
    return version


@pytest.fixture
def marketing(db) -> Team:
    return Team.objects.create(name="Marketing DACH", party=Party.MARKETING)


@pytest.fixture
def sales(db) -> Team:
    return Team.objects.create(name="Sales DACH", party=Party.SALES)


@pytest.fixture
def rita(db) -> User:
    """RevOps."""
    return make_user("rita@example.com", roles.REVOPS, is_staff=True)


@pytest.fixture
def max_(marketing) -> User:
    """The marketing leader."""
    return make_user("max@example.com", roles.MARKETING_LEADER, team=marketing)


@pytest.fixture
def sofia(sales) -> User:
    """The sales leader."""
    return make_user("sofia@example.com", roles.SALES_LEADER, team=sales)


@pytest.fixture
def mona(sales) -> User:
    """The sales manager of Sales DACH."""
    user = make_user("mona@example.com", roles.SALES_MANAGER, team=sales)
    sales.manager = user
    sales.save()
    return user


@pytest.fixture
def ron(sales) -> User:
    """A rep."""
    return make_user("ron@example.com", roles.REP, team=sales)


@pytest.fixture
def ruth(sales) -> User:
    """Another rep of the same team."""
    return make_user("ruth@example.com", roles.REP, team=sales)


@pytest.fixture
def vera(db) -> User:
    """A viewer."""
    return make_user("vera@example.com", roles.VIEWER)


@pytest.fixture
def office(db) -> BusinessCalendar:
    return make_calendar()


@pytest.fixture
def agreement(marketing, sales) -> Agreement:
    return Agreement.objects.create(name="DACH inbound", marketing_team=marketing, sales_team=sales)


@pytest.fixture
@kept
def draft(agreement, office, rita) -> Version:
    """A draft of version 1 with promises of both sides, as complete as it must be, wanted from 1 January 2025."""
    from agreements import signoff

    version = signoff.new_draft(
        agreement, by=rita, now=MONDAY, calendar=office, wanted_from=datetime(2025, 1, 1, tzinfo=UTC).date(),
        required_fields=["name"],
    )  # fmt: skip
    make_commitment(version, "volume", target=50)
    make_commitment(version, "first_response")
    make_commitment(version, "completeness")
    return version


def agree(version: Version, *, by: User, marketing: User, sales: User, now: datetime = MONDAY) -> Version:
    """Propose a draft and sign it for both sides. Thousands of tests begin so, and that what is signed is verified has
    tests of its own: here it is left out, because it takes a third of the time."""
    from agreements import signoff

    version = signoff.propose(version, by=by, now=now)
    with patch("agreements.signoff.chain.verify_version", return_value=[]):
        for leader in (marketing, sales):
            signoff.sign(
                version, signer=leader, password=PASSWORD, terms_hash=version.terms_hash, name=leader.name, now=now
            )
    version.refresh_from_db()
    return version


@pytest.fixture
@kept
def version(draft, rita, max_, sofia) -> Version:
    """Version 1, agreed by both and in force since 1 January 2025."""
    return agree(draft, by=rita, marketing=max_, sales=sofia)


def make_record(external_id: str = "L1", **overrides):
    """A lead as a source system sends it, inside every scope of the cast's agreement."""
    from leads.records import LeadRecord

    fields = {"source_system": "crm", "received_at": MONDAY, "name": "Ines Albrecht", "email": "ines@nordhaus.example",
              "company": "Nordhaus Logistik", "source": "Inbound demo", "segment": "Mid-market",
              "score": 90}  # fmt: skip
    return LeadRecord(line=0, external_id=external_id, **{**fields, **overrides})


def receive(*external_ids: str, now: datetime = MONDAY, **overrides) -> list:
    """Receive leads and return the handoffs that began."""
    from leads import intake

    records = [make_record(external_id, **overrides) for external_id in external_ids or ("L1",)]
    return intake.receive_leads(records, now=now).handoffs
