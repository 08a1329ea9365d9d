import agreements.models
import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('agreements', '0006_step_roles'),
        ('leads', '0004_lead_received'),
        ('slaportal', '0007_notice_once'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Answer',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('cause', models.CharField(max_length=200)),
                ('action', models.CharField(max_length=200)),
                ('at', models.DateTimeField()),
            ],
            options={
                'ordering': ['at', 'id'],
            },
        ),
        migrations.CreateModel(
            name='Escalation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('subject', models.BigIntegerField(default=0, help_text='Of its clock: id of the assignment or dispute, else 0.')),
                ('state', models.CharField(choices=[('fired', 'Fired'), ('skipped', 'Skipped')], max_length=7)),
                ('due_at', models.DateTimeField()),
                ('at', models.DateTimeField(help_text='When it was looked at.')),
                ('is_late', models.BooleanField(default=False, help_text='It came due while nothing was running.')),
                ('what', models.CharField(help_text='What was done, or why nothing was.', max_length=300)),
            ],
            options={
                'ordering': ['at', 'id'],
            },
        ),
        migrations.CreateModel(
            name='RoutingCriterion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('field', models.CharField(help_text='Such as source, company_size or attributes.product.', max_length=60, validators=[agreements.models.validate_field])),
                ('operator', models.CharField(choices=[('is', 'is'), ('is not', 'is not'), ('at least', 'is at least'), ('at most', 'is at most'), ('one of', 'is one of'), ('none of', 'is none of'), ('contains', 'contains'), ('empty', 'is empty'), ('filled', 'is not empty')], default='is', max_length=10)),
                ('value', models.CharField(blank=True, help_text='Several values are separated by semicolons.', max_length=500)),
            ],
            options={
                'verbose_name': 'criterion',
                'verbose_name_plural': 'criteria',
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='RoutingRule',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(help_text='Stands in the “why” of each assignment.', max_length=120, unique=True)),
                ('position', models.PositiveSmallIntegerField(default=0, help_text='The lowest is asked first.')),
                ('method', models.CharField(choices=[('round robin', 'In turn'), ('weighted', 'In turn, by weight'), ('least loaded', 'Who has the fewest open')], default='round robin', max_length=12)),
                ('is_active', models.BooleanField(default=True, verbose_name='used')),
            ],
            options={
                'ordering': ['position', 'id'],
            },
        ),
        migrations.CreateModel(
            name='RoutingSeat',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('weight', models.PositiveSmallIntegerField(default=1, validators=[django.core.validators.MinValueValidator(1)])),
                ('turns', models.BigIntegerField(default=0, editable=False, help_text='How many this seat has had; one that it was passed over in counts as had.')),
            ],
            options={
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='Task',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('title', models.CharField(max_length=200)),
                ('opened_at', models.DateTimeField()),
                ('done_at', models.DateTimeField(null=True)),
                ('note', models.CharField(blank=True, help_text='What was found.', max_length=300)),
            ],
            options={
                'ordering': ['-opened_at', '-id'],
            },
        ),
        migrations.AddField(
            model_name='assignment',
            name='is_offer',
            field=models.BooleanField(default=False, help_text='In the queue until somebody takes it; else it is routed as soon as somebody is free.'),
        ),
        migrations.AddField(
            model_name='clock',
            name='next_step',
            field=models.SmallIntegerField(help_text='Which one, as counted in the terms.', null=True),
        ),
        migrations.AddField(
            model_name='clock',
            name='next_step_at',
            field=models.DateTimeField(help_text='After this moment a step of its ladder is due.', null=True),
        ),
        migrations.AddField(
            model_name='handoff',
            name='known_at',
            field=models.DateTimeField(help_text='When the portal learned of it; what came due before is history and escalates nothing.', null=True),
        ),
        migrations.AlterField(
            model_name='assignment',
            name='owner',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='assignments', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddIndex(
            model_name='clock',
            index=models.Index(condition=models.Q(('next_step_at__isnull', False)), fields=['next_step_at'], name='clock_step'),
        ),
        migrations.AddIndex(
            model_name='handoff',
            index=models.Index(condition=models.Q(('ended_at', None), ('owner', None)), fields=['team'], name='handoff_queue'),
        ),
        migrations.AddField(
            model_name='answer',
            name='by',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='answer',
            name='commitment',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='answers', to='agreements.commitment'),
        ),
        migrations.AddField(
            model_name='answer',
            name='handoff',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='answers', to='leads.handoff'),
        ),
        migrations.AddField(
            model_name='escalation',
            name='handoff',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='escalations', to='leads.handoff'),
        ),
        migrations.AddField(
            model_name='escalation',
            name='step',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='escalations', to='agreements.step'),
        ),
        migrations.AddField(
            model_name='routingrule',
            name='agreement',
            field=models.ForeignKey(blank=True, help_text='Blank: every one.', null=True, on_delete=django.db.models.deletion.CASCADE, related_name='routing_rules', to='agreements.agreement'),
        ),
        migrations.AddField(
            model_name='routingrule',
            name='person',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='routing_rules', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='routingrule',
            name='team',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='routing_rules', to='slaportal.team'),
        ),
        migrations.AddField(
            model_name='routingcriterion',
            name='rule',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='criteria', to='leads.routingrule'),
        ),
        migrations.AddField(
            model_name='assignment',
            name='rule',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='leads.routingrule'),
        ),
        migrations.AddConstraint(
            model_name='assignment',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('is_offer', False), ('owner__isnull', False)), models.Q(('owner__isnull', True), ('team__isnull', False)), _connector='OR'), name='assignment_to_somebody', violation_error_message='A handoff is given to a person, or waits in the queue of a team.'),
        ),
        migrations.AddField(
            model_name='routingseat',
            name='person',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='routingseat',
            name='rule',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='seats', to='leads.routingrule'),
        ),
        migrations.AddField(
            model_name='task',
            name='agreement',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='tasks', to='agreements.agreement'),
        ),
        migrations.AddField(
            model_name='task',
            name='done_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='task',
            name='handoff',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='tasks', to='leads.handoff'),
        ),
        migrations.AddField(
            model_name='task',
            name='step',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='agreements.step'),
        ),
        migrations.AddConstraint(
            model_name='answer',
            constraint=models.UniqueConstraint(fields=('handoff', 'commitment'), name='answer_once', violation_error_message='This miss has been answered already.'),
        ),
        migrations.AddConstraint(
            model_name='escalation',
            constraint=models.UniqueConstraint(fields=('handoff', 'step', 'subject'), name='escalation_once', violation_error_message='This step has come due for that clock already.'),
        ),
        migrations.AddConstraint(
            model_name='routingrule',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('person__isnull', False), ('team__isnull', True)), models.Q(('person__isnull', True), ('team__isnull', False)), _connector='OR'), name='routing_rule_names_one', violation_error_message='A rule names a team or a person: one of them.'),
        ),
        migrations.AddConstraint(
            model_name='routingseat',
            constraint=models.UniqueConstraint(fields=('rule', 'person'), name='routing_seat_once', violation_error_message='This person has a seat in this rule already.'),
        ),
        migrations.AddConstraint(
            model_name='routingseat',
            constraint=models.CheckConstraint(condition=models.Q(('weight__gte', 1)), name='routing_seat_has_weight', violation_error_message='A weight is at least 1.'),
        ),
        migrations.AddIndex(
            model_name='task',
            index=models.Index(condition=models.Q(('done_at', None)), fields=['-opened_at'], name='task_open'),
        ),
    ]
