"""Worlds that stay in the database from one test to the next.

A thousand tests begin with the same agreed version, and to propose and sign it takes longer than what most of them do
with it. A fixture that is `@kept` is therefore made once, in a transaction around all tests that follow one another and
ask for it; each of them works in a savepoint of its own, which is rolled back, and gets copies of what the fixture and
those below it returned. A test that asks for something else, or that commits, finds the database empty as always.

A kept fixture returns rows, and so do those that it asks for: nothing that would have to be cleaned up.
"""

import inspect
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import pytest
from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import override_settings

QUICK_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# What pytest-django asks for before it opens the transaction of a test.
OPENS = "_django_db_helper"
COMMITS = {"transactional_db", "live_server"}

Family = dict[str, pytest.FixtureDef]


def kept(function: Callable) -> Callable:
    """Say that what this fixture makes may stay for the next test; stands below `@pytest.fixture`."""
    function.is_kept = True
    return function


def family_of(item: pytest.Item) -> Family:
    """The kept fixture that a test asks for, with those below it; empty where it asks for none or must not have it."""
    if asks_to_commit(item) or not isinstance(item, pytest.Function):
        return {}
    known = item._fixtureinfo.name2fixturedefs
    heads = [name for name in item.fixturenames if name in known and getattr(known[name][-1].func, "is_kept", False)]
    return max((below(name, known) for name in heads), key=len, default={})


def asks_to_commit(item: pytest.Item) -> bool:
    marker = item.get_closest_marker("django_db")
    return bool(marker and marker.kwargs.get("transaction")) or bool(COMMITS & set(getattr(item, "fixturenames", ())))


def below(name: str, known: dict[str, Any]) -> Family:
    """A fixture and all that it asks for, the lowest first; empty if one of them is more than rows."""
    definition = known[name][-1] if name in known else None
    if definition is None or definition.scope != "function" or definition.params is not None:
        return {}
    if name in definition.argnames or inspect.isgeneratorfunction(definition.func):
        return {}
    found: Family = {}
    for asked in definition.argnames:
        if asked != "db":
            family = below(asked, known)
            if not family:
                return {}
            found |= family
    return found | {name: definition}


def together(items: list[pytest.Item]) -> Iterator[pytest.Item]:
    """The tests with those of a file behind one another that ask for the same kept fixture."""
    for _, group in groupby(items, key=lambda item: (item.path, item.getparent(pytest.Class))):
        of_file = list(group)
        names = [list(family_of(item))[-1:] for item in of_file]
        yield from (item for _, item in sorted(zip(names, of_file, strict=True), key=lambda pair: pair[0]))


@dataclass
class World:
    """What stands in the database now, and what the fixtures returned that made it."""

    family: Family
    connection: BaseDatabaseWrapper
    transaction: transaction.Atomic
    values: dict[str, Any] = field(default_factory=dict)

    def rise(self) -> None:
        self.transaction.__enter__()
        with override_settings(PASSWORD_HASHERS=QUICK_HASHERS):
            for name, definition in self.family.items():
                asked = {one: self.values.get(one) for one in definition.argnames}  # `db` gives nothing
                self.values[name] = definition.func(**asked)

    def stands(self) -> bool:
        """False once a test has broken the connection."""
        return self.connection.in_atomic_block and not self.connection.needs_rollback

    def copies(self) -> dict[pytest.FixtureDef, Any]:
        """Copies for one test, which refer to one another as the originals do."""
        values = deepcopy(self.values)
        return {definition: values[name] for name, definition in self.family.items()}

    def fall(self) -> None:
        self.connection.needs_rollback = True
        self.transaction.__exit__(None, None, None)


class Keeper:
    """Lets a world stand while tests ask for it; a plugin of pytest."""

    def __init__(self) -> None:
        self.world: World | None = None
        self.copies: dict[pytest.FixtureDef, Any] = {}
        self.blocker: Any = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef, request: pytest.FixtureRequest) -> object | None:
        if fixturedef.argname == OPENS:
            self.blocker = request.getfixturevalue("django_db_blocker")
            self.let_stand(family_of(request.node))
            self.copies = self.world.copies() if self.world else {}
        elif fixturedef in self.copies:
            value = self.copies[fixturedef]
            fixturedef.cached_result = (value, fixturedef.cache_key(request), None)
            return value
        return None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item, nextitem: pytest.Item | None) -> object:
        """A world falls before the next test asks for anything: a browser would change the connections under it."""
        try:
            return (yield)
        finally:
            self.copies = {}
            if self.world:
                following = family_of(nextitem) if nextitem else {}
                self.let_stand(following if following == self.world.family else {})

    def let_stand(self, family: Family) -> None:
        """Let the world of this family stand, and no other."""
        with self.blocker.unblock():
            if self.world and (self.world.family != family or not self.world.stands()):
                falling, self.world = self.world, None
                falling.fall()
            if family and not self.world:
                rising = World(family, connections[DEFAULT_DB_ALIAS], transaction.atomic())
                try:
                    rising.rise()
                except BaseException:
                    rising.fall()
                    raise
                self.world = rising
