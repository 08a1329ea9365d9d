from django.db import migrations, models

from slaportal.roles import REVOPS, grant


def forward(apps, schema_editor):
    edits = {f"{action}_absence": [REVOPS] for action in ("add", "change", "delete", "view")}
    grant(apps, "slaportal", edits)


class Migration(migrations.Migration):
    dependencies = [("slaportal", "0006_absences_and_slots"), ("contenttypes", "0002_remove_content_type_name")]
    operations = [
        migrations.AddConstraint(
            model_name='notice',
            constraint=models.UniqueConstraint(fields=('key', 'slot', 'channel'), name='notice_once', violation_error_message='This person has been told of that already.'),
        ),
        migrations.RemoveField(
            model_name='user',
            name='away_until',
        ),
        migrations.RunPython(forward, migrations.RunPython.noop),
    ]
