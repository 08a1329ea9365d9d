import django.core.validators
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('agreements', '0004_chain'),
        ('slaportal', '0005_absences_and_channels'),
    ]

    operations = [
        migrations.CreateModel(
            name='Step',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('share', models.PositiveSmallIntegerField(blank=True, help_text='Percent of the limit, counted like the limit; without a limit, of the month.', null=True, validators=[django.core.validators.MinValueValidator(1, 'A step comes at 1 to 1000 percent.'), django.core.validators.MaxValueValidator(1000, 'A step comes at 1 to 1000 percent.')], verbose_name='at')),
                ('offset', models.SmallIntegerField(blank=True, validators=[django.core.validators.MinValueValidator(-30000, 'A step comes within 30,000 minutes of the limit.'), django.core.validators.MaxValueValidator(30000, 'A step comes within 30,000 minutes of the limit.')], help_text='Counted like the limit: -30 is half an hour before it is used up, 60 an hour after.', null=True, verbose_name='or minutes from the limit')),
                ('action', models.CharField(choices=[('tell owner', 'tell the owner'), ('tell manager', 'tell the manager'), ('tell team', 'tell everybody of a team'), ('tell role', 'tell everybody with a role'), ('tell chat', 'post in a team’s chat'), ('reassign', 'reassign to the next rep'), ('return to queue', 'return to the team’s queue'), ('task', 'open a task for RevOps'), ('recovery plan', 'ask for a recovery plan')], max_length=16)),
                ('role', models.CharField(blank=True, choices=[('RevOps', 'RevOps'), ('Marketing leader', 'Marketing leader'), ('Sales leader', 'Sales leader'), ('Sales manager', 'Sales manager'), ('Rep', 'Rep'), ('Viewer', 'Viewer')], max_length=20)),
                ('position', models.PositiveSmallIntegerField(default=0)),
                ('commitment', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='steps', to='agreements.commitment')),
                ('team', models.ForeignKey(blank=True, help_text='Blank: the team that owes it.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='slaportal.team')),
            ],
            options={
                'ordering': ['position', 'id'],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('offset__isnull', False), ('share__isnull', True)), models.Q(('offset__isnull', True), ('share__isnull', False)), _connector='OR'), name='step_share_or_offset', violation_error_message='A step comes at a share of the limit, or so many minutes from it: give one.'), models.CheckConstraint(condition=models.Q(('share__isnull', True), models.Q(('share__gte', 1), ('share__lte', 1000)), _connector='OR'), name='step_share_in_range', violation_error_message='A step comes at 1 to 1000 percent.'), models.CheckConstraint(condition=models.Q(('offset__isnull', True), models.Q(('offset__gte', -30000), ('offset__lte', 30000)), _connector='OR'), name='step_offset_in_range', violation_error_message='A step comes within 30,000 minutes of the limit.'), models.CheckConstraint(condition=models.Q(models.Q(('action', 'tell role'), models.Q(('role', ''), _negated=True)), models.Q(models.Q(('action', 'tell role'), _negated=True), ('role', '')), _connector='OR'), name='step_role_where_one_is_told', violation_error_message='Name the role that is told, and only there.'), models.CheckConstraint(condition=models.Q(('team__isnull', True), ('action__in', ['tell team', 'tell chat', 'tell manager']), _connector='OR'), name='step_team_where_one_is_told', violation_error_message='Name a team only where it, its manager or its chat is told.')],
            },
        ),
    ]
