"""The tables of what happens about a miss: steps of ladders, answers, requests to exclude, and tasks for RevOps."""

from typing import Self

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from agreements.models import Agreement, Commitment, Step
from slaportal.models import User


class Answer(models.Model):
    """What the owner or the manager says of a missed clock, in one line: why it happened, and what is done about it."""

    handoff = models.ForeignKey("leads.Handoff", models.CASCADE, related_name="answers")
    commitment = models.ForeignKey(Commitment, models.PROTECT, related_name="answers")
    subject = models.BigIntegerField(default=0, help_text=_("Of its clock: id of the assignment or dispute, else 0."))
    cause = models.CharField(max_length=200)
    action = models.CharField(max_length=200)
    by = models.ForeignKey(User, models.PROTECT, related_name="+")
    at = models.DateTimeField()

    class Meta:
        ordering = ["at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["handoff", "commitment", "subject"],
                name="answer_once",
                violation_error_message=_("This miss has been answered already."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.cause} → {self.action}"


class ExclusionRequestQuerySet(models.QuerySet):
    """Questions asked of requests to exclude."""

    def waiting(self) -> Self:
        """Those that RevOps has not decided."""
        return self.filter(decided_at=None)

    def granted(self) -> Self:
        """Those that take a handoff out of a promise (rule N9)."""
        return self.filter(granted=True)


class ExclusionRequest(models.Model):
    """Somebody asks RevOps not to count a handoff for one promise; a granted request excludes it (rule N9)."""

    handoff = models.ForeignKey("leads.Handoff", models.CASCADE, related_name="exclusion_requests")
    commitment = models.ForeignKey(Commitment, models.PROTECT, related_name="exclusion_requests")
    reason = models.CharField(max_length=300)
    asked_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    granted = models.BooleanField(null=True, help_text=_("Unknown until RevOps has decided."))
    decided_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)
    note = models.CharField(max_length=300, blank=True, help_text=_("Why RevOps decided so."))

    objects = ExclusionRequestQuerySet.as_manager()

    class Meta:
        ordering = ["asked_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["handoff", "commitment"],
                condition=Q(granted=None) | Q(granted=True),
                name="exclusion_request_once",
                violation_error_message=_("This was asked already."),
            ),
            models.CheckConstraint(
                condition=Q(granted=None, decided_at=None) | Q(granted__isnull=False, decided_at__gte=F("asked_at")),
                name="exclusion_request_decided_whole",
                violation_error_message=_("A decision has an answer and a moment after the request."),
            ),
        ]
        indexes = [
            # The list of what RevOps has to decide.
            models.Index(fields=["asked_at"], name="exclusion_request_waiting", condition=Q(decided_at=None)),
        ]

    def __str__(self) -> str:
        return f"{self.handoff}, {self.commitment}"


class Task(models.Model):
    """Something that RevOps is asked to look into, opened by a step of a ladder."""

    step = models.ForeignKey(Step, models.PROTECT, null=True, related_name="+")
    handoff = models.ForeignKey("leads.Handoff", models.CASCADE, null=True, related_name="tasks")
    agreement = models.ForeignKey(Agreement, models.CASCADE, related_name="tasks")
    title = models.CharField(max_length=200)
    opened_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True)
    done_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    note = models.CharField(max_length=300, blank=True, help_text=_("What was found."))

    class Meta:
        ordering = ["-opened_at", "-id"]
        indexes = [
            # The list of what is still to be done.
            models.Index(fields=["-opened_at"], name="task_open", condition=Q(done_at=None)),
        ]

    def __str__(self) -> str:
        return self.title


class Escalation(models.Model):
    """A step of the ladder that came due for a clock: what was done, or why not. Each comes due once."""

    class State(models.TextChoices):
        """What became of it. One that never came due, because its clock stopped before, has no row: it is cancelled."""

        FIRED = "fired", _("Fired")
        SKIPPED = "skipped", _("Skipped")

    handoff = models.ForeignKey("leads.Handoff", models.CASCADE, related_name="escalations")
    step = models.ForeignKey(Step, models.PROTECT, related_name="escalations")
    subject = models.BigIntegerField(default=0, help_text=_("Of its clock: id of the assignment or dispute, else 0."))
    state = models.CharField(max_length=7, choices=State)
    due_at = models.DateTimeField()
    at = models.DateTimeField(help_text=_("When it was looked at."))
    is_late = models.BooleanField(default=False, help_text=_("Done more than five minutes after it was due (L2)."))
    what = models.CharField(max_length=300, help_text=_("What was done, or why nothing was."))

    class Meta:
        ordering = ["at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["handoff", "step", "subject"],
                name="escalation_once",
                violation_error_message=_("This step has come due for that clock already."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.step} ({self.get_state_display().lower()})"
