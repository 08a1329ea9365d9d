from django.db import migrations

from slaportal.roles import REVOPS, grant


def forward(apps, schema_editor):
    decides = [f"{action}_{model}" for model in ("dispute", "exclusionrequest") for action in ("view", "change")]
    grant(apps, "leads", dict.fromkeys(decides, [REVOPS]))


class Migration(migrations.Migration):
    dependencies = [("leads", "0007_day"), ("contenttypes", "0002_remove_content_type_name")]
    operations = [migrations.RunPython(forward, migrations.RunPython.noop)]
