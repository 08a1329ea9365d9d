import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('agreements', '0005_step'),
        ('reports', '0002_roles'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='PaceCheck',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('month', models.DateField(help_text='Its first day.')),
                ('state', models.CharField(choices=[('fired', 'Fired'), ('skipped', 'Skipped')], max_length=7)),
                ('due_at', models.DateTimeField()),
                ('at', models.DateTimeField(help_text='When it was looked at.')),
                ('is_late', models.BooleanField(default=False, help_text='It came due while nothing was running.')),
                ('figures', models.CharField(help_text='Such as “18 of 50 after 60 % of the month”.', max_length=200)),
                ('what', models.CharField(help_text='What was done, or why nothing was.', max_length=300)),
                ('step', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='pace_checks', to='agreements.step')),
            ],
            options={
                'ordering': ['at', 'id'],
                'constraints': [models.UniqueConstraint(fields=('step', 'month'), name='pace_check_once', violation_error_message='This step has come due in that month already.')],
            },
        ),
        migrations.CreateModel(
            name='RecoveryPlan',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('month', models.DateField(help_text='Its first day.')),
                ('figures', models.CharField(help_text='As they stood when it was asked for.', max_length=200)),
                ('asked_at', models.DateTimeField()),
                ('cause', models.TextField(blank=True)),
                ('plan', models.TextField(blank=True)),
                ('answered_at', models.DateTimeField(null=True)),
                ('answered_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('commitment', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='recovery_plans', to='agreements.commitment')),
            ],
            options={
                'ordering': ['-asked_at', '-id'],
                'permissions': [('answer_recoveryplan', 'Can write a recovery plan')],
                'constraints': [models.UniqueConstraint(fields=('commitment', 'month'), name='recovery_plan_once', violation_error_message='A plan for that promise and month was asked for already.'), models.CheckConstraint(condition=models.Q(models.Q(('answered_at__isnull', True), ('plan', '')), models.Q(('answered_at__isnull', False), models.Q(('plan', ''), _negated=True)), _connector='OR'), name='recovery_plan_answered_in_words', violation_error_message='An answered plan says something, and an open one nothing yet.')],
            },
        ),
    ]
