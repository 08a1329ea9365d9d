"""Roles: six groups whose permissions are granted by migrations, so that a fresh database is ready to use."""

from collections.abc import Mapping, Sequence

from django.apps.registry import Apps

REVOPS = "RevOps"
MARKETING_LEADER = "Marketing leader"
SALES_LEADER = "Sales leader"
SALES_MANAGER = "Sales manager"
REP = "Rep"
VIEWER = "Viewer"
ROLES = (REVOPS, MARKETING_LEADER, SALES_LEADER, SALES_MANAGER, REP, VIEWER)
EVERYBODY = ROLES


def grant(apps: Apps, app_label: str, grants: Mapping[str, Sequence[str]]) -> None:
    """Give roles permissions of one app, inside a migration.

    `grants` maps a permission, as `action_model` or a model's own codename written `codename:model`, to the roles
    that get it. Permissions are made here because Django makes them only after the last migration.
    """
    permission_type = apps.get_model("auth", "Permission")
    content_types = apps.get_model("contenttypes", "ContentType").objects
    groups = {name: apps.get_model("auth", "Group").objects.get_or_create(name=name)[0] for name in ROLES}
    for entry, roles in grants.items():
        codename, _, model = entry.partition(":")
        model = model or codename.split("_", 1)[1]
        options = apps.get_model(app_label, model)._meta
        named = dict(options.permissions)
        content_type, _ = content_types.get_or_create(app_label=app_label, model=model)
        permission, _ = permission_type.objects.get_or_create(
            content_type=content_type,
            codename=codename,
            defaults={"name": named.get(codename, f"Can {codename.split('_', 1)[0]} {options.verbose_name}")},
        )
        for role in roles:
            groups[role].permissions.add(permission)
