"""Whether promises were kept: scorecards as they were last computed."""

from typing import Self

from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django.utils.translation import gettext_lazy

from agreements.models import Agreement, Commitment, Step
from leads.periods import MONTH, Period
from reports.plans import CheckIn, PlanAction  # noqa: F401 (Django finds the tables here)
from reports.rhythm import Decision, Participant, Review  # noqa: F401 (Django finds the tables here)
from reports.seals import Seal  # noqa: F401 (Django finds the table here)
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
    is_stale = models.BooleanField(default=False, help_text=gettext_lazy("A day of it was counted again since then."))

    objects = ScorecardQuerySet.as_manager()

    class Meta:
        ordering = ["-start"]
        constraints = [
            models.UniqueConstraint(
                fields=["agreement", "start", "end"],
                name="scorecard_period_unique",
                violation_error_message=gettext_lazy("That period has a scorecard already."),
            ),
            models.CheckConstraint(
                condition=Q(end__gt=F("start")),
                name="scorecard_period_not_empty",
                violation_error_message=gettext_lazy("A period ends after it begins."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.agreement}, {self.start:%Y-%m-%d} to {self.end:%Y-%m-%d}"


class TallyBook(models.Model):
    """The tallies of one agreement: in which zone its days are counted. Locked by whoever counts some of them again."""

    agreement = models.OneToOneField(Agreement, models.CASCADE, related_name="+", primary_key=True)
    time_zone = models.CharField(max_length=64, help_text=gettext_lazy("Counted in another zone, days are others."))

    def __str__(self) -> str:
        return f"{self.agreement} ({self.time_zone})"


class Tally(models.Model):
    """Handoffs of one local day by their state for one commitment: all of them, or those with one value.

    Only the row of all of them, without a dimension, has the rules that excluded and how long clocks took.
    """

    # Counted from clocks, whose commitments are held to be there; checking each tally again would double its cost.
    commitment = models.ForeignKey(Commitment, models.CASCADE, related_name="+", db_index=False, db_constraint=False)
    day = models.DateField()
    dimension = models.CharField(max_length=10, blank=True)
    value = models.CharField(max_length=200, blank=True, help_text=gettext_lazy("Text, or an id; blank: it has none."))
    missed = models.IntegerField()
    open = models.IntegerField()
    met = models.IntegerField()
    excluded = models.IntegerField()
    unstopped = models.IntegerField(default=0)
    excluded_by = models.JSONField(default=dict, help_text=gettext_lazy("How many by each rule."))
    spread = models.JSONField(default=dict, help_text=gettext_lazy("Stopped clocks by bucket of their time."))

    class Meta:
        constraints = [
            # Also the index of both readers: tallies.replace and sums.of take days of a few commitments.
            models.UniqueConstraint(
                fields=["commitment", "day", "dimension", "value"],
                name="tally_unique",
                violation_error_message=gettext_lazy("That day has been counted for this already."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.commitment}, {self.day} {self.dimension} {self.value}".rstrip()


class Rendering(models.Model):
    """A part of a scorecard's page, its picture or its paper, as it was drawn in a language (`reports.rendering`)."""

    agreement = models.ForeignKey(Agreement, models.CASCADE, related_name="+")
    period = models.CharField(max_length=24, help_text=gettext_lazy("Such as 2026-03."))
    language = models.CharField(max_length=10)
    part = models.CharField(max_length=24)
    drawn_from = models.CharField(max_length=64, help_text=gettext_lazy("Hash of its figures and of what draws them."))
    drawn_at = models.DateTimeField()
    content = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["agreement", "period", "language", "part"],
                name="rendering_once",
                violation_error_message=gettext_lazy("That part of the scorecard is kept already."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.part} of {self.agreement_id}, {self.period} ({self.language})"


class PaceCheck(models.Model):
    """A step of the ladder of a promise without a limit, in one month: what was done, or that it was on its pace."""

    class State(models.TextChoices):
        """What became of it."""

        FIRED = "fired", gettext_lazy("Fired")
        SKIPPED = "skipped", gettext_lazy("Skipped")

    step = models.ForeignKey(Step, models.PROTECT, related_name="pace_checks")
    month = models.DateField(help_text=gettext_lazy("Its first day."))
    state = models.CharField(max_length=7, choices=State)
    due_at = models.DateTimeField()
    at = models.DateTimeField(help_text=gettext_lazy("When it was looked at."))
    is_late = models.BooleanField(default=False, help_text=gettext_lazy("Done more than ten minutes after it was due."))
    figures = models.CharField(max_length=200, help_text=gettext_lazy("Such as “18 of 50 after 60 % of the month”."))
    what = models.CharField(max_length=300, help_text=gettext_lazy("What was done, or why nothing was."))

    class Meta:
        ordering = ["at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["step", "month"],
                name="pace_check_once",
                violation_error_message=gettext_lazy("This step has come due in that month already."),
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
        """Both sides and whoever watches them see every plan; anybody sees those that they own or do something for."""
        if user.has_perm("reports.view_recoveryplan"):
            return self
        return self.filter(Q(owner=user) | Q(pk__in=PlanAction.objects.filter(who=user).values("plan")))

    def running(self) -> Self:
        """Plans whose number has not come back."""
        return self.filter(closed_at=None)

    def unwritten(self) -> Self:
        """Plans that were asked for, are not written, and are still needed."""
        return self.running().filter(answered_at=None)

    def open_first(self) -> Self:
        """The order of the list: what is not written, oldest first; what runs; what is closed, newest first."""
        return self.order_by(
            F("closed_at").desc(nulls_first=True), F("answered_at").desc(nulls_first=True), "asked_at", "id"
        )


class RecoveryPlan(models.Model):
    """A side is asked how it makes up for a promise that is behind its pace, or was missed; and how it went on.

    It is closed by evidence, when the number has come back (rule P7), and never by a click alone.
    """

    class Trigger(models.TextChoices):
        """What it was asked for."""

        PACE = "pace", gettext_lazy("Behind its pace")
        VOLUME = "volume", gettext_lazy("Volume was missed")
        STREAK = "streak", gettext_lazy("Missed several months in a row")

    commitment = models.ForeignKey(Commitment, models.PROTECT, related_name="recovery_plans")
    month = models.DateField(help_text=gettext_lazy("Its first day."))
    figures = models.CharField(max_length=200, help_text=gettext_lazy("As they stood when it was asked for."))
    asked_at = models.DateTimeField()
    cause = models.TextField(blank=True)
    plan = models.TextField(blank=True)
    answered_at = models.DateTimeField(null=True)
    answered_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    trigger = models.CharField(max_length=6, choices=Trigger, default=Trigger.PACE)
    owner = models.ForeignKey(
        User, models.PROTECT, null=True, related_name="+", help_text=gettext_lazy("Who sees to it that it is done.")
    )
    closed_at = models.DateTimeField(null=True)
    closed_by = models.ForeignKey(
        User, models.PROTECT, null=True, related_name="+", help_text=gettext_lazy("Nobody, when the number came back.")
    )
    closing = models.CharField(max_length=300, blank=True, help_text=gettext_lazy("The evidence, or why it is moot."))

    objects = RecoveryPlanQuerySet.as_manager()

    class Meta:
        ordering = ["-asked_at", "-id"]
        permissions = [
            ("answer_recoveryplan", "Can write a recovery plan"),
            ("close_recoveryplan", "Can close a recovery plan of which the promise is not made any more"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["commitment", "month"],
                name="recovery_plan_once",
                violation_error_message=gettext_lazy("A plan for that promise and month was asked for already."),
            ),
            models.CheckConstraint(
                condition=Q(answered_at__isnull=True, plan="") | Q(answered_at__isnull=False) & ~Q(plan=""),
                name="recovery_plan_answered_in_words",
                violation_error_message=gettext_lazy("An answered plan says something, and an open one nothing yet."),
            ),
            models.CheckConstraint(
                condition=Q(closed_at__isnull=True, closing="", closed_by=None)
                | Q(closed_at__isnull=False) & ~Q(closing=""),
                name="recovery_plan_closed_with_evidence",
                violation_error_message=gettext_lazy("A closed plan says by what, and an open one by nothing yet."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.commitment}, {self.month:%B %Y}"

    def get_absolute_url(self) -> str:
        return reverse("recovery_plan", args=[self.pk])

    @property
    def word(self) -> str:
        """How far it is: proposed (not written yet), running, closed, or moot."""
        if self.closed_at:
            return "moot" if self.closed_by_id else "closed"
        return "running" if self.answered_at else "proposed"

    @property
    def period(self) -> Period:
        """The month."""
        return Period.containing(MONTH, self.month)
