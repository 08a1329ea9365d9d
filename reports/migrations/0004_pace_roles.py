from django.db import migrations

from slaportal.roles import MARKETING_LEADER, REVOPS, SALES_LEADER, SALES_MANAGER, VIEWER, grant


def forward(apps, schema_editor):
    grant(
        apps,
        "reports",
        {
            "view_recoveryplan": [REVOPS, MARKETING_LEADER, SALES_LEADER, SALES_MANAGER, VIEWER],
            "answer_recoveryplan": [MARKETING_LEADER],
        },
    )


class Migration(migrations.Migration):
    dependencies = [("reports", "0003_pace"), ("contenttypes", "0002_remove_content_type_name")]
    operations = [migrations.RunPython(forward, migrations.RunPython.noop)]
