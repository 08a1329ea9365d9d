from django.db import migrations, models


class Migration(migrations.Migration):
    """What was missed today is found without reading every clock; help texts say what the rules say."""

    dependencies = [("leads", "0013_touched_days")]

    operations = [
        migrations.AlterField(
            model_name="assignment",
            name="is_offer",
            field=models.BooleanField(
                default=False,
                help_text="In the queue until somebody takes it; else routed as soon as somebody is free.",
            ),
        ),
        migrations.AlterField(
            model_name="escalation",
            name="is_late",
            field=models.BooleanField(default=False, help_text="Done more than five minutes after it was due (L2)."),
        ),
        migrations.AlterField(
            model_name="handoff",
            name="known_at",
            field=models.DateTimeField(
                help_text="When the portal learned of it. Of history, nothing due until then escalates (L4).",
                null=True,
            ),
        ),
        migrations.AlterField(
            model_name="lead",
            name="engaged_at",
            field=models.DateTimeField(blank=True, help_text="First engagement: speed to lead begins.", null=True),
        ),
        migrations.AlterField(
            model_name="lead",
            name="handed_over",
            field=models.BooleanField(default=False, help_text="The source says it was handed to sales (rule A1)."),
        ),
        migrations.AddIndex(
            model_name="clock",
            index=models.Index(
                condition=models.Q(("due_at__isnull", False), ("state", 0)), fields=["due_at"], name="clock_missed"
            ),
        ),
    ]
