import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """Existing agreements get their tallies at the next refreshes, and are counted from their clocks until then."""

    dependencies = [("reports", "0004_pace_roles"), ("agreements", "0001_initial"), ("leads", "0013_touched_days")]

    operations = [
        migrations.AddField(
            model_name="scorecard",
            name="is_stale",
            field=models.BooleanField(default=False, help_text="A day of it was counted again since then."),
        ),
        migrations.CreateModel(
            name="TallyBook",
            fields=[
                (
                    "agreement",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="agreements.agreement",
                    ),
                ),
                ("time_zone", models.CharField(help_text="Counted in another zone, days are others.", max_length=64)),
            ],
        ),
        migrations.CreateModel(
            name="Tally",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField()),
                ("dimension", models.CharField(blank=True, max_length=10)),
                ("value", models.CharField(blank=True, help_text="Text, or an id; blank: it has none.", max_length=200)),
                ("missed", models.IntegerField()),
                ("open", models.IntegerField()),
                ("met", models.IntegerField()),
                ("excluded", models.IntegerField()),
                ("unstopped", models.IntegerField(default=0)),
                ("excluded_by", models.JSONField(default=dict, help_text="How many by each rule.")),
                ("spread", models.JSONField(default=dict, help_text="Stopped clocks by bucket of their time.")),
                (
                    "commitment",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="agreements.commitment",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("commitment", "day", "dimension", "value"),
                        name="tally_unique",
                        violation_error_message="That day has been counted for this already.",
                    )
                ],
            },
        ),
    ]
