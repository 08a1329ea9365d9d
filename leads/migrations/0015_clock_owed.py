from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("leads", "0014_missed_today")]

    operations = [
        migrations.AddIndex(
            model_name="clock",
            index=models.Index(
                condition=models.Q(("due_at__isnull", False), ("state__in", [0, 1]), ("stopped_at", None)),
                fields=["handoff", "due_at", "state", "commitment", "subject", "charged_to", "id"],
                name="clock_owed",
            ),
        ),
    ]
