import datetime
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('slaportal', '0004_notice_roles'),
    ]

    operations = [
        migrations.CreateModel(
            name='Absence',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('first_day', models.DateField()),
                ('last_day', models.DateField()),
                ('note', models.CharField(blank=True, max_length=120)),
            ],
            options={
                'ordering': ['first_day', 'id'],
            },
        ),
        migrations.CreateModel(
            name='NoticePreference',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(max_length=20)),
                ('email', models.CharField(choices=[('now', 'At once'), ('digest', 'In the daily digest'), ('never', 'Not at all')], default='now', max_length=6, verbose_name='e-mail')),
                ('chat', models.CharField(choices=[('now', 'At once'), ('digest', 'In the daily digest'), ('never', 'Not at all')], default='now', max_length=6)),
                ('is_urgent', models.BooleanField(default=False, help_text='Also in quiet hours.', verbose_name='urgent')),
            ],
            options={
                'ordering': ['kind', 'id'],
            },
        ),
        migrations.CreateModel(
            name='Wire',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('generation', models.BigIntegerField(default=0, help_text='Grows with each run and each release; a lower one than remembered is old.')),
                ('fingerprint', models.CharField(blank=True, help_text='Of the database that notices were sent from.', max_length=200)),
                ('held_at', models.DateTimeField(null=True)),
                ('held_why', models.CharField(blank=True, max_length=300)),
                ('released_at', models.DateTimeField(null=True)),
            ],
        ),
        migrations.RemoveConstraint(
            model_name='notice',
            name='notice_once',
        ),
        migrations.AddField(
            model_name='notice',
            name='channel',
            field=models.CharField(choices=[('portal', 'Portal'), ('email', 'E-mail'), ('chat', 'Chat')], default='', max_length=6),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name='notice',
            name='envelope',
            field=models.BigIntegerField(help_text='Drawn number of the message that it goes with: each try is the same message.', null=True),
        ),
        migrations.AddField(
            model_name='notice',
            name='kind',
            field=models.CharField(blank=True, help_text='By which people choose how they are told.', max_length=20),
        ),
        migrations.AddField(
            model_name='notice',
            name='link',
            field=models.CharField(blank=True, help_text='Where one click leads.', max_length=300),
        ),
        migrations.AddField(
            model_name='notice',
            name='read_at',
            field=models.DateTimeField(null=True, verbose_name='read'),
        ),
        migrations.AddField(
            model_name='notice',
            name='reader',
            field=models.CharField(blank=True, help_text='Dotted name of the function that says who the slot is when it is sent.', max_length=200),
        ),
        migrations.AddField(
            model_name='notice',
            name='slot',
            field=models.CharField(default='', help_text='For whom: person:12, team:3 for its chat, or a word such as owner.', max_length=80),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name='notice',
            name='subject',
            field=models.CharField(blank=True, help_text='As it was sent.', max_length=300),
        ),
        migrations.AddField(
            model_name='notice',
            name='summary',
            field=models.TextField(blank=True, help_text='As it was sent.'),
        ),
        migrations.AddField(
            model_name='team',
            name='chat_url',
            field=models.CharField(blank=True, help_text='The channel’s incoming webhook, such as https://hooks.slack.com/services/…; whoever knows it can post there.', max_length=500, verbose_name='chat'),
        ),
        migrations.AddField(
            model_name='user',
            name='chat_url',
            field=models.CharField(blank=True, help_text='An incoming webhook, such as https://hooks.slack.com/services/…; blank: no chat.', max_length=500, verbose_name='chat'),
        ),
        migrations.AddField(
            model_name='user',
            name='digest_at',
            field=models.TimeField(default=datetime.time(8, 0), help_text='When what comes as a digest is sent each day.', verbose_name='digest'),
        ),
        migrations.AddField(
            model_name='user',
            name='most_open',
            field=models.PositiveSmallIntegerField(blank=True, help_text='Who has so many open gets no more; blank: no cap.', null=True, verbose_name='cap'),
        ),
        migrations.AddField(
            model_name='user',
            name='quiet_from',
            field=models.TimeField(blank=True, default=datetime.time(20, 0), help_text='Nothing but what is urgent is sent from then on.', null=True),
        ),
        migrations.AddField(
            model_name='user',
            name='quiet_until',
            field=models.TimeField(blank=True, default=datetime.time(7, 0), help_text='What waited is sent then.', null=True),
        ),
        migrations.AlterField(
            model_name='notice',
            name='recipient',
            field=models.ForeignKey(help_text="Who the slot is now; none for a team's chat.", null=True, on_delete=django.db.models.deletion.PROTECT, related_name='notices', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddIndex(
            model_name='notice',
            index=models.Index(condition=models.Q(('cancelled_at', None), ('failed_at', None), ('sent_at', None)), fields=['recipient', 'due_at'], name='notice_waiting'),
        ),
        migrations.AddIndex(
            model_name='notice',
            index=models.Index(condition=models.Q(('failed_at__isnull', False)), fields=['failed_at'], name='notice_failed'),
        ),
        migrations.AddIndex(
            model_name='notice',
            index=models.Index(condition=models.Q(('channel', 'portal')), fields=['recipient', '-id'], name='notice_bell'),
        ),
        migrations.AddIndex(
            model_name='notice',
            index=models.Index(condition=models.Q(('channel', 'portal'), ('read_at', None), ('sent_at__isnull', False)), fields=['recipient'], name='notice_unread'),
        ),
        migrations.AddField(
            model_name='absence',
            name='person',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='absences', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='noticepreference',
            name='person',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='preferences', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='noticepreference',
            name='team',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='preferences', to='slaportal.team'),
        ),
        migrations.AddIndex(
            model_name='absence',
            index=models.Index(fields=['person', 'last_day'], name='absence_person'),
        ),
        migrations.AddConstraint(
            model_name='absence',
            constraint=models.CheckConstraint(condition=models.Q(('last_day__gte', models.F('first_day'))), name='absence_ends_after_it_begins', violation_error_message='The last day away comes before the first.'),
        ),
        migrations.AddConstraint(
            model_name='noticepreference',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('person__isnull', True), ('team__isnull', False)), models.Q(('person__isnull', False), ('team__isnull', True)), _connector='OR'), name='preference_of_one', violation_error_message="A preference is a person's or a team's."),
        ),
        migrations.AddConstraint(
            model_name='noticepreference',
            constraint=models.UniqueConstraint(fields=('person', 'kind'), name='preference_person_once', violation_error_message='This person has chosen for that kind already.'),
        ),
        migrations.AddConstraint(
            model_name='noticepreference',
            constraint=models.UniqueConstraint(fields=('team', 'kind'), name='preference_team_once', violation_error_message='This team has chosen for that kind already.'),
        ),
    ]
