from django.db import migrations

from slaportal.roles import EVERYBODY, REVOPS, grant

EDITED = ("agreement", "version", "commitment", "criterion", "businesscalendar", "specialday", "closure")


def forward(apps, schema_editor):
    edits = {f"{action}_{model}": [REVOPS] for model in EDITED for action in ("add", "change", "delete", "view")}
    reads = {f"view_{model}": EVERYBODY for model in ("agreement", "version", "signature", "agreementevent")}
    grant(apps, "agreements", {**edits, **reads})


class Migration(migrations.Migration):
    dependencies = [("agreements", "0001_initial"), ("slaportal", "0002_roles")]
    operations = [migrations.RunPython(forward, migrations.RunPython.noop)]
