"""Whether promises were kept: scorecards as they were last computed."""

from typing import Self

from django.db import models
from django.db.models import F, Q
from django.urls import reverse

from agreements.models import Agreement, Commitment, Step
from leads.periods import MONTH, Period
from slaportal.models import User


class ScorecardQuerySet(models.QuerySet):
    """Questions asked of scorecards."""

    def visible_to(self, user: User) -> Self:
        """Both sides and whoever watches them see every scorecard."""
        return self if user.has_perm("reports.view_scorecard") else self.none()


class Scorecard(models.Model):
    """One agreement over one period `[start, end)`: the figures as computed at `computed_at`."""

    agreement = models.ForeignKey(Agreement, models.CASCADE, related_name="scorecards")
    start = models.DateTimeField()
    end = models.DateTimeField()
    computed_at = models.DateTimeField()
    data = models.JSONField()

    objects = ScorecardQuerySet.as_manager()

    class Meta:
        ordering = ["-start"]
        constraints = [
            models.UniqueConstraint(
                fields=["agreement", "start", "end"],
                name="scorecard_period_unique",
                violation_error_message="That period has a scorecard already.",
            ),
            models.CheckConstraint(
                condition=Q(end__gt=F("start")),
                name="scorecard_period_not_empty",
                violation_error_message="A period ends after it begins.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.agreement}, {self.start:%Y-%m-%d} to {self.end:%Y-%m-%d}"


class PaceCheck(models.Model):
    """A step of the ladder of a promise without a limit, in one month: what was done, or that it was on its pace."""

    class State(models.TextChoices):
        """What became of it."""

        FIRED = "fired", "Fired"
        SKIPPED = "skipped", "Skipped"

    step = models.ForeignKey(Step, models.PROTECT, related_name="pace_checks")
    month = models.DateField(help_text="Its first day.")
    state = models.CharField(max_length=7, choices=State)
    due_at = models.DateTimeField()
    at = models.DateTimeField(help_text="When it was looked at.")
    is_late = models.BooleanField(default=False, help_text="It came due while nothing was running.")
    figures = models.CharField(max_length=200, help_text="Such as “18 of 50 after 60 % of the month”.")
    what = models.CharField(max_length=300, help_text="What was done, or why nothing was.")

    class Meta:
        ordering = ["at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["step", "month"],
                name="pace_check_once",
                violation_error_message="This step has come due in that month already.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.step}, {self.month:%B %Y}"

    @property
    def period(self) -> Period:
        """The month."""
        return Period.containing(MONTH, self.month)


class RecoveryPlanQuerySet(models.QuerySet):
    """Questions asked of recovery plans."""

    def visible_to(self, user: User) -> Self:
        """Both sides and whoever watches them see every plan."""
        return self if user.has_perm("reports.view_recoveryplan") else self.none()

    def unwritten(self) -> Self:
        """Plans that marketing was asked for and has not written."""
        return self.filter(answered_at=None)

    def open_first(self) -> Self:
        """The order of the list: what waits, oldest first, then what was written, newest first."""
        return self.order_by(F("answered_at").desc(nulls_first=True), "asked_at", "id")


class RecoveryPlan(models.Model):
    """Marketing is asked how it makes up for a promise that is behind its pace, or was missed; and its answer."""

    commitment = models.ForeignKey(Commitment, models.PROTECT, related_name="recovery_plans")
    month = models.DateField(help_text="Its first day.")
    figures = models.CharField(max_length=200, help_text="As they stood when it was asked for.")
    asked_at = models.DateTimeField()
    cause = models.TextField(blank=True)
    plan = models.TextField(blank=True)
    answered_at = models.DateTimeField(null=True)
    answered_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")

    objects = RecoveryPlanQuerySet.as_manager()

    class Meta:
        ordering = ["-asked_at", "-id"]
        permissions = [("answer_recoveryplan", "Can write a recovery plan")]
        constraints = [
            models.UniqueConstraint(
                fields=["commitment", "month"],
                name="recovery_plan_once",
                violation_error_message="A plan for that promise and month was asked for already.",
            ),
            models.CheckConstraint(
                condition=Q(answered_at__isnull=True, plan="") | Q(answered_at__isnull=False) & ~Q(plan=""),
                name="recovery_plan_answered_in_words",
                violation_error_message="An answered plan says something, and an open one nothing yet.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.commitment}, {self.month:%B %Y}"

    def get_absolute_url(self) -> str:
        return reverse("recovery_plan", args=[self.pk])

    @property
    def period(self) -> Period:
        """The month."""
        return Period.containing(MONTH, self.month)
