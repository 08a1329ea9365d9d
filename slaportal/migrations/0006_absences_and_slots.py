from datetime import timedelta

from django.db import migrations
from django.db.models import F, Value
from django.db.models.functions import Cast, Concat
from django.db.models import CharField


def forward(apps, schema_editor):
    """Who was away until a day still is; every notice so far was a mail to one person."""
    absence, user = apps.get_model("slaportal", "Absence"), apps.get_model("slaportal", "User")
    # Nobody wrote down since when.
    absence.objects.bulk_create(
        absence(person=person, first_day=person.away_until - timedelta(days=13), last_day=person.away_until)
        for person in user.objects.exclude(away_until=None)
    )
    notice = apps.get_model("slaportal", "Notice")
    notice.objects.filter(slot="").update(
        slot=Concat(Value("person:"), Cast(F("recipient_id"), CharField())), channel="email", kind="agreement"
    )
    if notice.objects.exists():
        # Notices were sent from here: if this is a backup from before this release, it is older than remembered.
        apps.get_model("slaportal", "Wire").objects.create(pk=1)


class Migration(migrations.Migration):
    dependencies = [("slaportal", "0005_absences_and_channels")]
    operations = [migrations.RunPython(forward, migrations.RunPython.noop)]
