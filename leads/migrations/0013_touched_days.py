import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("leads", "0012_known"), ("agreements", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="TouchedDay",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField(help_text="In the agreement's zone.")),
                (
                    "agreement",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="agreements.agreement",
                    ),
                ),
            ],
            options={"indexes": [models.Index(fields=["agreement", "day"], name="touched_day")]},
        )
    ]
