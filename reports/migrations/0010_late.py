from django.db import migrations, models


class Migration(migrations.Migration):
    """The words of a help text; no column changes."""

    dependencies = [("reports", "0009_plans")]

    operations = [
        migrations.AlterField(
            model_name="pacecheck",
            name="is_late",
            field=models.BooleanField(default=False, help_text="Done more than ten minutes after it was due."),
        ),
    ]
