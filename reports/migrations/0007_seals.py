import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from slaportal.roles import REVOPS, grant


def forward(apps, schema_editor):
    grant(apps, "reports", {"restate_scorecard:seal": [REVOPS]})


class Migration(migrations.Migration):
    """Months that closed before there were seals are sealed by the periodic task, as they are known then."""

    dependencies = [
        ("agreements", "0004_chain"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("leads", "0012_known"),
        ("reports", "0006_rendering"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Seal",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.CharField(help_text="The month, such as 2026-03.", max_length=24)),
                (
                    "number",
                    models.PositiveSmallIntegerField(help_text="1 is the sealing, 2, 3, … are restatements."),
                ),
                ("closes_at", models.DateTimeField(help_text="When the agreed days of grace were over.")),
                ("known_at", models.DateTimeField(help_text="What was written down by then is in it.")),
                ("sealed_at", models.DateTimeField()),
                ("reason", models.TextField(blank=True)),
                (
                    "code",
                    models.CharField(help_text="SHA-256 of the code that decided the figures.", max_length=64),
                ),
                ("text", models.TextField(help_text="The figures as canonical JSON.")),
                ("states", models.BinaryField(help_text="What each handoff was (reports.sealed_states).")),
                ("digest", models.CharField(help_text="SHA-256 of all the above.", max_length=64)),
                (
                    "agreement",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="seals", to="agreements.agreement"
                    ),
                ),
                (
                    "by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "replaces",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="replaced_by",
                        to="reports.seal",
                    ),
                ),
            ],
            options={
                "ordering": ["agreement", "key", "number"],
                "permissions": [("restate_scorecard", "Can restate sealed scorecards")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("agreement", "key", "number"),
                        name="seal_number_unique",
                        violation_error_message="That month is sealed under that number already.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("by", None),
                            ("number", 1),
                            ("replaces", None),
                        )
                        | models.Q(
                            ("by__isnull", False),
                            ("number__gt", 1),
                            ("replaces__isnull", False),
                            models.Q(("reason", ""), _negated=True),
                        ),
                        name="seal_restated_with_reason",
                        violation_error_message="A restatement replaces a seal, and says who made it and why.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("known_at__lte", models.F("sealed_at"))),
                        name="seal_of_what_was_known",
                        violation_error_message="Nothing is sealed before it is known.",
                    ),
                ],
            },
        ),
        migrations.RunPython(forward, migrations.RunPython.noop),
    ]
