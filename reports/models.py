"""Whether promises were kept: scorecards as they were last computed."""

from typing import Self

from django.db import models
from django.db.models import F, Q

from agreements.models import Agreement
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
