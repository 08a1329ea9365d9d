"""The reason codes that a fresh portal offers; RevOps adds others in the admin."""

from django.db import migrations

# code, label, fits recycled, fits rejected, quality, needs contact, needs attempts, undelivered
REASONS = [
    ("duplicate", "Duplicate", False, True, False, False, 0, True),
    ("unusable_contact_data", "Unusable contact data", False, True, False, False, 0, True),
    ("below_definition", "Below the definition", False, True, True, False, 0, False),
    ("not_target", "Not our target", False, True, True, False, 0, False),
    ("test_or_spam", "Test or spam", False, True, False, False, 0, True),
    ("no_answer", "No answer", True, True, False, True, 5, False),
    ("not_interested", "Not interested", True, True, False, True, 0, False),
    ("no_budget", "No budget", True, True, True, True, 0, False),
    ("bad_timing", "Bad timing", True, False, False, True, 0, False),
    ("competitor", "Chose a competitor", False, True, False, True, 0, False),
    ("not_qualified", "Not qualified", False, True, True, True, 0, False),
    ("other", "Other", True, True, False, True, 0, False),
]
NAMES = (
    "label",
    "for_recycled",
    "for_rejected",
    "is_quality",
    "needs_contact",
    "needs_attempts",
    "undelivered",
)


def forward(apps, schema_editor):
    reason_code = apps.get_model("leads", "ReasonCode")
    for code, *values in REASONS:
        reason_code.objects.get_or_create(code=code, defaults=dict(zip(NAMES, values, strict=True)))


class Migration(migrations.Migration):
    dependencies = [("leads", "0002_roles")]
    operations = [migrations.RunPython(forward, migrations.RunPython.noop)]
