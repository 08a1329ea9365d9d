import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """When each fact was written down, so that a month can be read as it was known. Older rows stay blank."""

    dependencies = [("leads", "0009_answer_subject")]

    operations = [
        migrations.AddField(
            model_name="assignment",
            name="entered_at",
            field=models.DateTimeField(
                help_text="When it was written down; blank in older rows, which were written when they began.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="hold",
            name="entered_at",
            field=models.DateTimeField(
                help_text="When it was written down; blank in older rows, which were written when they began.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="hold",
            name="release_entered_at",
            field=models.DateTimeField(
                help_text="When its end was written down; blank in older rows, which were written at their end.",
                null=True,
            ),
        ),
        migrations.CreateModel(
            name="FormerPerson",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("until", models.DateTimeField(help_text="When its source said otherwise.")),
                ("contact_id", models.CharField(blank=True, max_length=120)),
                ("email", models.CharField(blank=True, max_length=254)),
                ("engaged_at", models.DateTimeField(null=True)),
                (
                    "lead",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="former_persons", to="leads.lead"
                    ),
                ),
            ],
            options={"ordering": ["until", "id"]},
        ),
    ]
