from django.db import migrations

from slaportal.roles import EVERYBODY, MARKETING_LEADER, REP, REVOPS, SALES_LEADER, SALES_MANAGER, VIEWER, grant


def forward(apps, schema_editor):
    grant(
        apps,
        "leads",
        {
            "view_handoff": EVERYBODY,
            "view_lead": EVERYBODY,
            "view_all_handoffs:handoff": [REVOPS, MARKETING_LEADER, SALES_LEADER, VIEWER],
            "view_team_handoffs:handoff": [SALES_MANAGER],
            "work_handoff": [REP, SALES_MANAGER],
            "assign_handoff": [SALES_MANAGER, REVOPS],
            "match_lead": [REVOPS],
            "add_lead": [REVOPS],
            "change_lead": [REVOPS],
            "view_attempt": [REVOPS],
            "add_reasoncode": [REVOPS],
            "change_reasoncode": [REVOPS],
            "delete_reasoncode": [REVOPS],
            "view_reasoncode": EVERYBODY,
        },
    )


class Migration(migrations.Migration):
    dependencies = [("leads", "0001_initial"), ("slaportal", "0002_roles")]
    operations = [migrations.RunPython(forward, migrations.RunPython.noop)]
