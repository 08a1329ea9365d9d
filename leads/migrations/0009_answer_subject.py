from django.db import migrations, models
from django.db.models import OuterRef, Subquery
from django.db.models.functions import Coalesce


def name_clocks(apps, schema_editor):
    """An answer was given to the clock that decided for its promise (rule N2); of several it says which from now on."""
    answers, clocks = apps.get_model("leads", "Answer").objects, apps.get_model("leads", "Clock").objects
    answered = clocks.filter(handoff=OuterRef("handoff"), commitment=OuterRef("commitment"), decides=True)
    answers.update(subject=Coalesce(Subquery(answered.values("subject")[:1]), 0))


class Migration(migrations.Migration):
    dependencies = [("leads", "0008_day_roles")]

    operations = [
        migrations.AddField(
            model_name="answer",
            name="subject",
            field=models.BigIntegerField(default=0, help_text="Of its clock: id of the assignment or dispute, else 0."),
        ),
        migrations.RemoveConstraint(model_name="answer", name="answer_once"),
        migrations.AddConstraint(
            model_name="answer",
            constraint=models.UniqueConstraint(
                fields=("handoff", "commitment", "subject"),
                name="answer_once",
                violation_error_message="This miss has been answered already.",
            ),
        ),
        migrations.RunPython(name_clocks, migrations.RunPython.noop),
    ]
