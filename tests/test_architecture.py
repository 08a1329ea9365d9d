"""The house: which room may know which, what stays pure, and what every table owes its readers."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.db import models

from slaportal.navigation import PLACES

ROOMS = ("slaportal", "agreements", "leads", "reports")  # each may import from itself and from those before it
LONGEST = 640

# Doors open onto verbs. None goes through another, and nothing inside the house goes through one.
DOORS = {
    "admin": "the admin",
    "views": "the pages",
    "tasks": "Celery",
    "api": "the API",
    "commands": "the command line",
}

# These must be pure; any other module that calls itself so in its docstring is held to it as well.
PURE = {
    "agreements.business_time",
    "agreements.catalogue",
    "agreements.wording",
    "leads.clocks",
    "leads.csvfile",
    "leads.mapping",
    "leads.periods",
    "leads.qualification",
    "leads.records",
    "leads.stages",
}
# What a pure module may take of Django: words for choices, the error that a form shows, and the reader's language.
HARMLESS = {
    "django.db.models.TextChoices",
    "django.core.exceptions.ValidationError",
    "django.utils.formats.date_format",
    *(f"django.utils.translation.{name}" for name in ("gettext", "gettext_lazy", "gettext_noop", "ngettext")),
}
# Attributes through which a module would read or write the database.
DATABASE = {"objects", "_default_manager", "save", "bulk_create", "bulk_update", "execute", "atomic"}


def modules() -> list[str]:
    found = []
    for room in ROOMS:
        for file in sorted((settings.BASE_DIR / room).rglob("*.py")):
            parts = file.relative_to(settings.BASE_DIR).with_suffix("").parts
            if "migrations" not in parts:
                found.append(".".join(parts))
    return found


MODULES = modules()


def path_of(module: str) -> Path:
    return settings.BASE_DIR / Path(*module.split(".")).with_suffix(".py")


@cache
def tree_of(module: str) -> ast.Module:
    return ast.parse(path_of(module).read_text())


def imported(module: str) -> set[str]:
    """Everything that a module imports, anywhere in it, as full dotted names."""
    found = set()
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively; write the full name."
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def own_modules(module: str) -> set[str]:
    """Modules of the house that a module imports from."""
    found = set()
    for name in imported(module):
        while name not in MODULES and "." in name:
            name = name.rpartition(".")[0]
        if name in MODULES:
            found.add(name)
    return found


def room_of(module: str) -> int:
    return ROOMS.index(module.split(".")[0])


def door_of(module: str) -> str | None:
    """Which door the module belongs to, if any: `admin_calendars` is a part of the admin."""
    if ".management.commands." in module:
        return "commands"
    name = module.rpartition(".")[2].split("_")[0]
    return name if name in DOORS and name != "commands" else None


# --- Rooms and doors ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_from_its_own_room_and_those_below(module):
    above = {name for name in own_modules(module) if room_of(name) > room_of(module)}
    assert not above, f"{module} imports {', '.join(sorted(above))}; the way is {' <- '.join(ROOMS)}."


def test_the_ground_floor_is_the_project_and_every_room_an_app():
    assert [app for app in settings.INSTALLED_APPS if app in ROOMS] == list(ROOMS)
    assert {name.split(".")[0] for name in MODULES} == set(ROOMS)


@pytest.mark.parametrize("module", MODULES)
def test_no_door_goes_through_another_and_nothing_inside_through_a_door(module):
    own = door_of(module)
    for name in own_modules(module):
        through = door_of(name)
        # The parts of the admin stand on one base; addresses are what leads to the pages.
        same_admin = own == through == "admin"
        addresses = through == "views" and module.endswith(".urls") and room_of(name) == room_of(module)
        assert through is None or same_admin or addresses, f"{module} goes through {DOORS[through]}: {name}."


def test_the_doors_are_where_they_are_looked_for():
    assert {door_of(module) for module in MODULES} >= {"admin", "views", "tasks", "commands", None}
    assert door_of("agreements.admin_calendars") == "admin"
    assert door_of("leads.management.commands.tick") == "commands"
    assert door_of("leads.management.importing") is None


def test_the_time_is_asked_for_only_at_a_door():
    """Every rule takes its time as an argument (T1); doors, and forms that offer a date, look at the clock."""
    asking = set()
    for module in MODULES:
        for node in ast.walk(tree_of(module)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "database_now":
                asking.add(module)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                asked = f"{ast.unparse(node.func.value).rpartition('.')[2]}.{node.func.attr}"
                if asked in ("timezone.now", "datetime.now", "datetime.utcnow", "date.today", "time.time"):
                    asking.add(module)
            elif isinstance(node, ast.Call) and ast.unparse(node.func) == "database_now":
                asking.add(module)
    at_a_door = {
        m for m in MODULES if door_of(m) or m.rpartition(".")[2].split("_")[0] == "forms" or ".management." in m
    }
    assert asking <= {*at_a_door, "slaportal.timing"}  # which only says what the doors' clock is
    assert asking  # the search finds something


# --- Pure modules -------------------------------------------------------------------------------------------------


def pure_modules() -> list[str]:
    said = {m for m in MODULES if " pure" in (ast.get_docstring(tree_of(m)) or "").replace("\n", " ").lower()}
    return sorted(said | PURE)


@pytest.mark.parametrize("module", pure_modules())
def test_a_pure_module_knows_no_database_and_no_framework(module):
    taken = {name for name in imported(module) if name.split(".")[0] in ("django", "celery")}
    assert taken <= HARMLESS
    touched = {node.attr for node in ast.walk(tree_of(module)) if isinstance(node, ast.Attribute)}
    assert touched.isdisjoint(DATABASE)


def test_business_time_knows_nothing_but_the_standard_library_and_numpy():
    found = {name.split(".")[0] for name in imported("agreements.business_time")}
    assert found.isdisjoint({*ROOMS, "django"})
    assert "numpy" in found


def test_evaluating_clocks_needs_neither_rows_nor_django():
    """One evaluation for one lead, a million and a replay: it sees arrays and frozen terms."""
    assert not any(
        name.startswith(("django", "agreements.models", "leads.models")) for name in imported("leads.clocks")
    )


# --- Shape --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", MODULES)
def test_a_module_is_short_says_what_it_is_about_and_is_no_place_for_odds_and_ends(module):
    source = path_of(module).read_text()
    assert len(source.splitlines()) <= LONGEST
    assert not source.strip() or ast.get_docstring(tree_of(module))
    assert module.rpartition(".")[2] not in ("utils", "util", "helpers", "common", "misc", "services", "signals")


def public_functions() -> Iterator[tuple[str, ast.FunctionDef]]:
    for module in MODULES:
        for node in tree_of(module).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                yield module, node


def test_functions_say_what_they_take_and_give():
    for module, function in public_functions():
        arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
        assert function.returns, f"{module}.{function.name} does not say what it gives."
        assert all(one.annotation for one in arguments), f"{module}.{function.name} does not say what it takes."


VERBS = (
    *("agreements.signoff", "agreements.calendars", "agreements.exchange", "agreements.chain", "agreements.notices"),
    *("leads.intake", "leads.routing", "leads.tracking", "leads.escalations", "leads.answers", "leads.ticking"),
    *("leads.disputes", "leads.exclusions", "leads.notes"),
    *("reports.reviews", "reports.planning"),
    *("reports.sealing", "reports.recovery", "slaportal.outbox", "slaportal.restored"),
)


def test_a_verb_takes_its_time_and_whoever_acts_by_name_only():
    for module, function in public_functions():
        if module in VERBS:
            positional = {argument.arg for argument in function.args.args}
            assert positional.isdisjoint({"by", "now", "signer", "at", "reason"}), f"{module}.{function.name}"


# --- Tables -------------------------------------------------------------------------------------------------------

OURS = [model for model in apps.get_models() if model._meta.app_label in ROOMS]


def named(things: list) -> dict:
    return {"argvalues": things, "ids": [thing._meta.label for thing in things]}


@pytest.mark.parametrize("model", **named(OURS))
def test_every_constraint_has_a_name_and_a_sentence_of_its_own(model):
    for constraint in model._meta.constraints:
        said = constraint.violation_error_message
        assert said != models.BaseConstraint.default_violation_error_message, f"{constraint.name} says nothing."
        assert said[0].isupper() and said.endswith("."), f"{constraint.name}: “{said}” is no sentence."
        assert constraint.name.isidentifier()


def test_no_two_constraints_or_indexes_share_a_name():
    names = [one.name for model in OURS for one in (*model._meta.constraints, *model._meta.indexes)]
    assert len(names) == len(set(names)) > 20


@pytest.mark.parametrize("model", **named([model for model in OURS if model._meta.indexes]))
def test_every_index_says_who_uses_it(model):
    source = path_of(model.__module__).read_text().splitlines()
    for index in model._meta.indexes:
        line = next(number for number, text in enumerate(source) if f'name="{index.name}"' in text)
        while "models.Index(" not in source[line]:
            line -= 1
        # Above the index stands a comment, or another index that the same comment covers.
        while "models.Index(" in source[line]:
            line -= 1
        assert source[line].strip().startswith("#"), f"{index.name} does not say who uses it."


@pytest.mark.parametrize("model", **named(OURS))
def test_every_record_says_what_it_is_and_has_an_order(model):
    assert model.__str__ is not models.Model.__str__
    assert model._meta.ordering or not hasattr(model, "get_absolute_url")
    assert model.__doc__ and not model.__doc__.startswith(f"{model.__name__}(")


def test_whatever_has_a_page_or_a_place_in_the_navigation_knows_who_may_see_it():
    placed = {permission.rpartition("_")[2] for *_, permission in PLACES if permission}
    listed = [m for m in OURS if hasattr(m, "get_absolute_url") or m._meta.model_name in {*placed, "lead", "user"}]
    assert len(listed) >= 6
    for model in listed:
        assert hasattr(model.objects.all(), "visible_to"), f"{model.__name__} has no visible_to."
