import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import F

from slaportal.roles import REVOPS, SALES_LEADER, grant


def forward(apps, schema_editor):
    """Sales answers for what it promised, RevOps for what nobody signs; whoever wrote a plan owns it."""
    grant(apps, "reports", {"answer_recoveryplan": [SALES_LEADER, REVOPS], "close_recoveryplan": [REVOPS]})
    plans = apps.get_model("reports", "RecoveryPlan").objects.exclude(answered_by=None)
    plans.update(owner=F("answered_by"))


class Migration(migrations.Migration):
    dependencies = [
        ("agreements", "0006_step_roles"),
        ("reports", "0008_rhythm"),
        ("contenttypes", "0002_remove_content_type_name"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="recoveryplan",
            options={
                "ordering": ["-asked_at", "-id"],
                "permissions": [
                    ("answer_recoveryplan", "Can write a recovery plan"),
                    ("close_recoveryplan", "Can close a recovery plan of which the promise is not made any more"),
                ],
            },
        ),
        migrations.CreateModel(
            name="CheckIn",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField()),
                (
                    "month",
                    models.DateField(
                        help_text="Of a month that was looked at when it was over: its first day.", null=True
                    ),
                ),
                ("figures", models.CharField(max_length=200)),
                ("note", models.CharField(blank=True, max_length=1000)),
            ],
            options={
                "ordering": ["at", "id"],
            },
        ),
        migrations.CreateModel(
            name="PlanAction",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("what", models.CharField(max_length=300)),
                ("due_on", models.DateField(help_text="In the agreement's zone; it is overdue from the next day on.")),
                ("added_at", models.DateTimeField()),
                ("done_at", models.DateTimeField(null=True)),
                (
                    "reminded_at",
                    models.DateTimeField(help_text="When somebody was told that it is overdue; once.", null=True),
                ),
                ("dropped_at", models.DateTimeField(null=True)),
            ],
            options={
                "ordering": ["due_on", "id"],
            },
        ),
        migrations.AddField(
            model_name="recoveryplan",
            name="closed_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="recoveryplan",
            name="closed_by",
            field=models.ForeignKey(
                help_text="Nobody, when the number came back.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="recoveryplan",
            name="closing",
            field=models.CharField(blank=True, help_text="The evidence, or why it is moot.", max_length=300),
        ),
        migrations.AddField(
            model_name="recoveryplan",
            name="owner",
            field=models.ForeignKey(
                help_text="Who sees to it that it is done.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="recoveryplan",
            name="trigger",
            field=models.CharField(
                choices=[
                    ("pace", "Behind its pace"),
                    ("volume", "Volume was missed"),
                    ("streak", "Missed several months in a row"),
                ],
                default="pace",
                max_length=6,
            ),
        ),
        migrations.AddConstraint(
            model_name="recoveryplan",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("closed_at__isnull", True), ("closed_by", None), ("closing", "")),
                    models.Q(("closed_at__isnull", False), models.Q(("closing", ""), _negated=True)),
                    _connector="OR",
                ),
                name="recovery_plan_closed_with_evidence",
                violation_error_message="A closed plan says by what, and an open one by nothing yet.",
            ),
        ),
        migrations.AddField(
            model_name="checkin",
            name="by",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="checkin",
            name="plan",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="check_ins", to="reports.recoveryplan"
            ),
        ),
        migrations.AddField(
            model_name="planaction",
            name="added_by",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="planaction",
            name="done_by",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="planaction",
            name="dropped_by",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="planaction",
            name="plan",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="actions", to="reports.recoveryplan"
            ),
        ),
        migrations.AddField(
            model_name="planaction",
            name="who",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddConstraint(
            model_name="checkin",
            constraint=models.UniqueConstraint(
                fields=("plan", "month"),
                name="check_in_once_a_month",
                violation_error_message="That month has been looked at already.",
            ),
        ),
        migrations.AddConstraint(
            model_name="checkin",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("by__isnull", False), ("month__isnull", True), models.Q(("note", ""), _negated=True)),
                    models.Q(("by", None), ("month__isnull", False)),
                    _connector="OR",
                ),
                name="check_in_of_somebody_or_of_a_month",
                violation_error_message="A check-in is somebody's note, or what a month came to.",
            ),
        ),
        migrations.AddIndex(
            model_name="planaction",
            index=models.Index(
                condition=models.Q(("done_at", None), ("dropped_at", None), ("reminded_at", None)),
                fields=["due_on"],
                name="plan_action_to_remind",
            ),
        ),
        migrations.AddConstraint(
            model_name="planaction",
            constraint=models.CheckConstraint(
                condition=models.Q(("done_at", None), ("dropped_at", None), _connector="OR"),
                name="plan_action_done_or_dropped",
                violation_error_message="An action is done, or dropped, not both.",
            ),
        ),
        migrations.RunPython(forward, migrations.RunPython.noop),
    ]
