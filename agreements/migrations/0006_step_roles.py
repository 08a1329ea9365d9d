from django.db import migrations

from slaportal.roles import REVOPS, grant


def forward(apps, schema_editor):
    grant(apps, "agreements", {f"{action}_step": [REVOPS] for action in ("add", "change", "delete", "view")})


class Migration(migrations.Migration):
    dependencies = [("agreements", "0005_step"), ("contenttypes", "0002_remove_content_type_name")]
    operations = [migrations.RunPython(forward, migrations.RunPython.noop)]
