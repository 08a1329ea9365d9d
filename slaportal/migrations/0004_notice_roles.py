from django.db import migrations

from slaportal.roles import REVOPS, grant


def forward(apps, schema_editor):
    grant(apps, "slaportal", {"view_notice": [REVOPS], "retry_notice": [REVOPS]})


class Migration(migrations.Migration):
    dependencies = [("slaportal", "0003_notice"), ("contenttypes", "0002_remove_content_type_name")]
    operations = [migrations.RunPython(forward, migrations.RunPython.noop)]
