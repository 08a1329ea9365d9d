from django.db import migrations, models

from agreements import frozen
from agreements.chain import chain_up
from slaportal.roles import REVOPS, grant


def forward(apps, schema_editor):
    frozen.lift(schema_editor.connection)  # who comes back from here has them; they are made anew after each migrate
    chain_up(apps.get_model)
    grant(apps, "agreements", {f"{action}_workinghours": [REVOPS] for action in ("add", "change", "delete", "view")})


class Migration(migrations.Migration):
    dependencies = [("agreements", "0003_columns")]
    operations = [
        migrations.RunPython(forward, migrations.RunPython.noop),
        migrations.AddConstraint(
            model_name='agreementevent',
            constraint=models.UniqueConstraint(fields=('agreement', 'number'), name='agreement_event_number_unique', violation_error_message='This agreement has an event of that number.'),
        ),
    ]
