from django.db import migrations

from slaportal.roles import MARKETING_LEADER, REVOPS, SALES_LEADER, SALES_MANAGER, VIEWER, grant


def forward(apps, schema_editor):
    grant(
        apps,
        "reports",
        {"view_scorecard": [REVOPS, MARKETING_LEADER, SALES_LEADER, SALES_MANAGER, VIEWER]},
    )


class Migration(migrations.Migration):
    dependencies = [("reports", "0001_initial"), ("slaportal", "0002_roles")]
    operations = [migrations.RunPython(forward, migrations.RunPython.noop)]
