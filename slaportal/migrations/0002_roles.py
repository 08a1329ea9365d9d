from django.db import migrations

from slaportal.roles import EVERYBODY, REVOPS, grant


def forward(apps, schema_editor):
    grant(
        apps,
        "slaportal",
        {
            "view_user": EVERYBODY,
            "view_team": EVERYBODY,
            "add_user": [REVOPS],
            "change_user": [REVOPS],
            "add_team": [REVOPS],
            "change_team": [REVOPS],
            "delete_team": [REVOPS],
        },
    )


class Migration(migrations.Migration):
    dependencies = [("slaportal", "0001_initial"), ("contenttypes", "0002_remove_content_type_name")]
    operations = [migrations.RunPython(forward, migrations.RunPython.noop)]
