"""Roles: six groups that migrations fill, so that a fresh database is ready to use."""

from importlib import import_module

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command

from slaportal import roles
from slaportal.roles import EVERYBODY, MARKETING_LEADER, REP, REVOPS, ROLES, SALES_LEADER, SALES_MANAGER, VIEWER
from tests.conftest import make_user

pytestmark = pytest.mark.django_db

MIGRATIONS = [
    *(import_module(f"{app}.migrations.0002_roles") for app in ("slaportal", "agreements", "leads", "reports")),
    import_module("slaportal.migrations.0004_notice_roles"),
]
EDITED_BY_REVOPS = (
    *("agreement", "version", "commitment", "step", "criterion"),
    *("businesscalendar", "specialday", "closure", "workinghours"),
)

# Every permission of our own apps that a role has, and who has it; whatever is missing here, nobody has.
GRANTED = {
    **{f"slaportal.view_{model}": EVERYBODY for model in ("user", "team")},
    **{f"slaportal.{action}_user": [REVOPS] for action in ("add", "change")},
    **{f"slaportal.{action}_team": [REVOPS] for action in ("add", "change", "delete")},
    **{f"slaportal.{action}_absence": [REVOPS] for action in ("add", "change", "delete", "view")},
    **{f"agreements.{action}_{model}": [REVOPS]
       for action in ("add", "change", "delete", "view") for model in EDITED_BY_REVOPS},
    **{f"agreements.view_{model}": EVERYBODY for model in ("agreement", "version", "signature", "agreementevent")},
    **{f"leads.view_{model}": EVERYBODY for model in ("handoff", "lead", "reasoncode")},
    **{f"slaportal.{action}_notice": [REVOPS] for action in ("view", "retry")},
    "leads.view_all_handoffs": [REVOPS, MARKETING_LEADER, SALES_LEADER, VIEWER],
    "leads.view_team_handoffs": [SALES_MANAGER],
    "leads.work_handoff": [REP, SALES_MANAGER],
    "leads.assign_handoff": [SALES_MANAGER, REVOPS],
    "leads.match_lead": [REVOPS],
    "leads.view_attempt": [REVOPS],
    **{f"leads.{action}_lead": [REVOPS] for action in ("add", "change")},
    **{f"leads.{action}_reasoncode": [REVOPS] for action in ("add", "change", "delete")},
    **{f"leads.{action}_{model}": [REVOPS]
       for action in ("add", "change", "delete", "view")
       for model in ("routingrule", "routingcriterion", "routingseat")},
    **{f"leads.{action}_task": [REVOPS] for action in ("change", "view")},
    **{f"leads.{action}_dispute": [REVOPS] for action in ("change", "view")},
    **{f"leads.{action}_exclusionrequest": [REVOPS] for action in ("change", "view")},
    "reports.view_recoveryplan": [REVOPS, MARKETING_LEADER, SALES_LEADER, SALES_MANAGER, VIEWER],
    "reports.answer_recoveryplan": [MARKETING_LEADER, SALES_LEADER, REVOPS],
    "reports.close_recoveryplan": [REVOPS],
    "reports.restate_scorecard": [REVOPS],
    "reports.view_review": [REVOPS, MARKETING_LEADER, SALES_LEADER, SALES_MANAGER, VIEWER],
    "reports.change_review": [REVOPS, MARKETING_LEADER, SALES_LEADER],
    "reports.view_scorecard": [REVOPS, MARKETING_LEADER, SALES_LEADER, SALES_MANAGER, VIEWER],
}  # fmt: skip


def granted() -> dict[str, set[str]]:
    """Who has which permission, as the database says."""
    found: dict[str, set[str]] = {}
    for group in Group.objects.prefetch_related("permissions__content_type"):
        for permission in group.permissions.all():
            found.setdefault(f"{permission.content_type.app_label}.{permission.codename}", set()).add(group.name)
    return found


def test_a_fresh_database_has_the_six_roles():
    assert set(Group.objects.values_list("name", flat=True)) == set(ROLES)
    assert len(set(ROLES)) == 6


def test_each_role_may_do_exactly_what_the_table_says():
    assert granted() == {name: set(names) for name, names in GRANTED.items()}


@pytest.mark.parametrize("role", ROLES)
def test_holding_a_role_gives_its_permissions_and_no_other_ones(role):
    user = make_user("somebody@example.com", role)
    ours = {
        name for name in user.get_all_permissions() if name.split(".")[0] in {entry.split(".")[0] for entry in GRANTED}
    }
    assert ours == {name for name, names in GRANTED.items() if role in names}


def test_nobody_but_revops_writes_terms():
    for name, names in granted().items():
        app, action = name.split(".")
        if app == "agreements" and not action.startswith("view_"):
            assert names == {REVOPS}


def test_no_role_may_change_or_delete_what_is_only_ever_appended():
    appended = ("signature", "agreementevent", "attempt", "disposition", "outcome", "clock", "assignment", "handoff")
    forbidden = {f"{action}_{model}" for action in ("change", "delete") for model in appended}
    assert forbidden.isdisjoint(name.split(".")[1] for name in granted())


def test_granting_again_changes_nothing():
    def counts() -> tuple[int, ...]:
        return tuple(model.objects.count() for model in (Group, Permission, ContentType))

    before = granted(), counts()
    for migration in MIGRATIONS:
        migration.forward(apps, None)
    assert (granted(), counts()) == before


def test_granting_leaves_what_somebody_added_by_hand():
    extra = Permission.objects.get(codename="view_clock")
    Group.objects.get(name=roles.VIEWER).permissions.add(extra)
    for migration in MIGRATIONS:
        migration.forward(apps, None)
    assert granted()["leads.view_clock"] == {VIEWER}


def test_a_role_that_was_deleted_comes_back_with_its_permissions():
    before = granted()
    Group.objects.filter(name=REP).delete()
    for migration in MIGRATIONS:
        migration.forward(apps, None)
    assert granted() == before


def test_permissions_made_by_the_migrations_are_those_that_django_would_make():
    wanted = {
        (model._meta.app_label, model._meta.model_name, codename): name
        for model in apps.get_models()
        if model._meta.app_label in ("slaportal", "agreements", "leads", "reports")
        for codename, name in [
            *[(f"{action}_{model._meta.model_name}", f"Can {action} {model._meta.verbose_name_raw}")
              for action in model._meta.default_permissions],
            *model._meta.permissions,
        ]
    }  # fmt: skip
    found = {
        (row.content_type.app_label, row.content_type.model, row.codename): row.name
        for row in Permission.objects.filter(
            content_type__app_label__in=("slaportal", "agreements", "leads", "reports")
        ).select_related("content_type")
    }
    assert found == wanted


def test_no_migration_is_missing():
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)
