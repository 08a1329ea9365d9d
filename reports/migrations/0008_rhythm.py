import django.core.validators
import django.db.models.deletion
import uuid
from django.conf import settings
from django.db import migrations, models

from slaportal.roles import MARKETING_LEADER, REVOPS, SALES_LEADER, SALES_MANAGER, VIEWER, grant


def forward(apps, schema_editor):
    grant(
        apps,
        "reports",
        {
            "view_review": [REVOPS, MARKETING_LEADER, SALES_LEADER, SALES_MANAGER, VIEWER],
            "change_review": [REVOPS, MARKETING_LEADER, SALES_LEADER],
        },
    )


class Migration(migrations.Migration):

    dependencies = [
        ('agreements', '0006_step_roles'),
        ('reports', '0007_seals'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Review',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uid', models.UUIDField(default=uuid.uuid4, editable=False, help_text='By it calendars know it again.', unique=True)),
                ('state', models.CharField(choices=[('planned', 'Planned'), ('held', 'Held'), ('closed', 'Closed'), ('cancelled', 'Cancelled')], default='planned', max_length=9)),
                ('planned_for', models.DateField(help_text='Its day by the terms; none of a called one.', null=True)),
                ('reason', models.CharField(blank=True, help_text='Why it was called; blank: by the cadence.', max_length=300)),
                ('starts_at', models.DateTimeField()),
                ('length', models.PositiveSmallIntegerField(default=45, help_text='Minutes.', validators=[django.core.validators.MinValueValidator(5)])),
                ('due_at', models.DateTimeField(help_text='The end of its local day: without minutes it is overdue then.')),
                ('place', models.CharField(blank=True, help_text='A room, or the link to a call.', max_length=200)),
                ('sequence', models.PositiveIntegerField(default=0, help_text='Rises with each change that people are told of.')),
                ('is_chosen', models.BooleanField(default=False, help_text='Somebody chose its time; the cadence keeps off it.')),
                ('created_at', models.DateTimeField()),
                ('changed_at', models.DateTimeField()),
                ('cancelled_why', models.CharField(blank=True, max_length=300)),
                ('reminded_at', models.DateTimeField(help_text='When RevOps was told that it is overdue.', null=True)),
                ('agenda', models.JSONField(help_text='As it stood when the review was held (reports.agenda).', null=True)),
                ('minutes', models.TextField(blank=True)),
                ('held_at', models.DateTimeField(null=True)),
                ('written_at', models.DateTimeField(help_text='When the minutes were last written.', null=True)),
                ('closed_at', models.DateTimeField(null=True)),
                ('agreement', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='reviews', to='agreements.agreement')),
                ('changed_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('closed_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('created_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('written_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-starts_at', '-id'],
            },
        ),
        migrations.CreateModel(
            name='Participant',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('sequence', models.PositiveIntegerField(default=0, help_text='The newest change that the person is told of.')),
                ('left_at', models.DateTimeField(help_text='When the person was taken off the list.', null=True)),
                ('attended', models.BooleanField(help_text='Unknown until the review is held.', null=True)),
                ('person', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('review', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='participants', to='reports.review')),
            ],
            options={
                'ordering': ['person__name', 'id'],
            },
        ),
        migrations.CreateModel(
            name='Decision',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('text', models.TextField()),
                ('due_on', models.DateField(null=True)),
                ('decided_at', models.DateTimeField()),
                ('done_at', models.DateTimeField(null=True)),
                ('decided_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('done_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('draft', models.ForeignKey(help_text='The draft that was made of it.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='agreements.version')),
                ('owner', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='review_decisions', to=settings.AUTH_USER_MODEL)),
                ('review', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='decisions', to='reports.review')),
            ],
            options={
                'ordering': ['decided_at', 'id'],
            },
        ),
        migrations.AddIndex(
            model_name='review',
            index=models.Index(condition=models.Q(('state', 'planned')), fields=['due_at'], name='review_planned'),
        ),
        migrations.AddIndex(
            model_name='review',
            index=models.Index(fields=['-starts_at', '-id'], name='review_newest'),
        ),
        migrations.AddIndex(
            model_name='review',
            index=models.Index(fields=['agreement', '-starts_at'], name='review_of_agreement'),
        ),
        migrations.AddConstraint(
            model_name='review',
            constraint=models.UniqueConstraint(fields=('agreement', 'planned_for'), name='review_once', violation_error_message='The review of that day is planned already.'),
        ),
        migrations.AddConstraint(
            model_name='review',
            constraint=models.CheckConstraint(condition=models.Q(('planned_for__isnull', False), models.Q(('reason', ''), _negated=True), ('state', 'cancelled'), _connector='OR'), name='review_by_cadence_or_reason', violation_error_message='A review stands in the terms, or somebody says why it is called.'),
        ),
        migrations.AddConstraint(
            model_name='review',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('agenda', None), ('held_at', None), ('state__in', ['planned', 'cancelled'])), models.Q(('agenda__isnull', False), ('held_at__isnull', False), ('state__in', ['held', 'closed']), models.Q(('minutes', ''), _negated=True)), _connector='OR'), name='review_held_whole', violation_error_message='A review that was held has minutes and an agenda; no other one has.'),
        ),
        migrations.AddConstraint(
            model_name='review',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'cancelled'), models.Q(('cancelled_why', ''), _negated=True)), models.Q(models.Q(('state', 'cancelled'), _negated=True), ('cancelled_why', '')), _connector='OR'), name='review_cancelled_says_why', violation_error_message='A cancelled review says why; no other one does.'),
        ),
        migrations.AddConstraint(
            model_name='review',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('closed_at__isnull', False), ('state', 'closed')), models.Q(models.Q(('state', 'closed'), _negated=True), ('closed_at', None)), _connector='OR'), name='review_closed_has_a_moment', violation_error_message='A closed review says when it was closed.'),
        ),
        migrations.AddConstraint(
            model_name='participant',
            constraint=models.UniqueConstraint(fields=('review', 'person'), name='participant_once', violation_error_message='This person is asked already.'),
        ),
        migrations.AddIndex(
            model_name='decision',
            index=models.Index(condition=models.Q(('done_at__isnull', True), ('owner__isnull', False)), fields=['due_on'], name='decision_owed'),
        ),
        migrations.AddConstraint(
            model_name='decision',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('due_on', None), ('owner', None)), models.Q(('due_on__isnull', False), ('owner__isnull', False)), _connector='OR'), name='decision_owed_by_a_day', violation_error_message='What somebody owes has a day, and a day somebody who owes.'),
        ),
        migrations.AddConstraint(
            model_name='decision',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('done_at', None), ('done_by', None)), models.Q(('done_at__isnull', False), ('owner__isnull', False)), _connector='OR'), name='decision_done_was_owed', violation_error_message='Only what somebody owes is done.'),
        ),
        migrations.RunPython(forward, migrations.RunPython.noop),
    ]
