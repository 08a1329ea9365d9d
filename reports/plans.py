"""What hangs on a recovery plan: actions with dates, and check-ins with the figure of their moment."""

from typing import Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from slaportal.models import User


class PlanActionQuerySet(models.QuerySet):
    """Questions asked of actions."""

    def standing(self) -> Self:
        """Neither done nor dropped."""
        return self.filter(done_at=None, dropped_at=None)


class PlanAction(models.Model):
    """One thing that somebody does until a day, so that the number comes back."""

    plan = models.ForeignKey("reports.RecoveryPlan", models.CASCADE, related_name="actions")
    what = models.CharField(max_length=300)
    who = models.ForeignKey(User, models.PROTECT, related_name="+")
    due_on = models.DateField(help_text=_("In the agreement's zone; it is overdue from the next day on."))
    added_at = models.DateTimeField()
    added_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    done_at = models.DateTimeField(null=True)
    done_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    reminded_at = models.DateTimeField(null=True, help_text=_("When somebody was told that it is overdue; once."))
    dropped_at = models.DateTimeField(null=True)
    dropped_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")

    objects = PlanActionQuerySet.as_manager()

    class Meta:
        ordering = ["due_on", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(done_at=None) | Q(dropped_at=None),
                name="plan_action_done_or_dropped",
                violation_error_message=_("An action is done, or dropped, not both."),
            ),
        ]
        indexes = [
            # recovery_watch.remind: what stands, may be overdue, and was not reminded of.
            models.Index(
                fields=["due_on"],
                name="plan_action_to_remind",
                condition=Q(done_at=None, dropped_at=None, reminded_at=None),
            ),
        ]

    def __str__(self) -> str:
        return self.what


class CheckIn(models.Model):
    """How a plan stood at a moment: what somebody noted, or what a month came to once it was over (rule P7)."""

    plan = models.ForeignKey("reports.RecoveryPlan", models.CASCADE, related_name="check_ins")
    at = models.DateTimeField()
    by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    month = models.DateField(null=True, help_text=_("Of a month that was looked at when it was over: its first day."))
    figures = models.CharField(max_length=200)
    note = models.CharField(max_length=1000, blank=True)

    class Meta:
        ordering = ["at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["plan", "month"],
                name="check_in_once_a_month",
                violation_error_message=_("That month has been looked at already."),
            ),
            models.CheckConstraint(
                condition=Q(month__isnull=True, by__isnull=False) & ~Q(note="") | Q(month__isnull=False, by=None),
                name="check_in_of_somebody_or_of_a_month",
                violation_error_message=_("A check-in is somebody's note, or what a month came to."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.figures}: {self.note}" if self.note else self.figures
