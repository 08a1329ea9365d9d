from django.db import migrations

from slaportal.roles import REVOPS, grant


def forward(apps, schema_editor):
    rules = ("routingrule", "routingcriterion", "routingseat")
    edits = {f"{action}_{model}": [REVOPS] for model in rules for action in ("add", "change", "delete", "view")}
    grant(apps, "leads", {**edits, "view_task": [REVOPS], "change_task": [REVOPS]})


class Migration(migrations.Migration):
    dependencies = [("leads", "0005_ladder"), ("contenttypes", "0002_remove_content_type_name")]
    operations = [migrations.RunPython(forward, migrations.RunPython.noop)]
