import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('agreements', '0005_step'),
        ('reports', '0005_tallies'),
    ]

    operations = [
        migrations.CreateModel(
            name='Rendering',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('period', models.CharField(help_text='Such as 2026-03.', max_length=24)),
                ('language', models.CharField(max_length=10)),
                ('part', models.CharField(max_length=24)),
                ('drawn_from', models.CharField(help_text='Hash of its figures and of what draws them.', max_length=64)),
                ('drawn_at', models.DateTimeField()),
                ('content', models.BinaryField()),
                ('agreement', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='agreements.agreement')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('agreement', 'period', 'language', 'part'), name='rendering_once', violation_error_message='That part of the scorecard is kept already.')],
            },
        ),
    ]
