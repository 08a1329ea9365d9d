"""The tables of reviews: when both sides sit down together, who is asked, what was decided, and whether it was done."""

from datetime import datetime
from typing import Self
from uuid import uuid4

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from agreements.models import Agreement, Version
from slaportal.models import User


class ReviewQuerySet(models.QuerySet):
    """Questions asked of reviews."""

    def visible_to(self, user: User) -> Self:
        """Both sides and whoever watches them see every review."""
        return self if user.has_perm("reports.view_review") else self.none()

    def by_cadence(self) -> Self:
        """Those that the terms ask for (rule R3); the others were called."""
        return self.filter(reason="")

    def overdue(self, now: datetime) -> Self:
        """Those whose day is over and of which nobody has written minutes."""
        return self.filter(state=Review.State.PLANNED, due_at__lte=now)

    def upcoming(self, now: datetime) -> Self:
        """Those that are still to be held in time."""
        return self.filter(state=Review.State.PLANNED, due_at__gt=now)

    def held(self) -> Self:
        """Those with minutes."""
        return self.filter(state__in=(Review.State.HELD, Review.State.CLOSED))


class Review(models.Model):
    """One meeting of both sides about an agreement. `reports.planning` and `reports.reviews` write it."""

    class State(models.TextChoices):
        """How far it came; it only moves to the right."""

        PLANNED = "planned", _("Planned")
        HELD = "held", _("Held")
        CLOSED = "closed", _("Closed")
        CANCELLED = "cancelled", _("Cancelled")

    agreement = models.ForeignKey(Agreement, models.PROTECT, related_name="reviews")
    uid = models.UUIDField(unique=True, default=uuid4, editable=False, help_text=_("By it calendars know it again."))
    state = models.CharField(max_length=9, choices=State, default=State.PLANNED)
    planned_for = models.DateField(null=True, help_text=_("Its day by the terms; none of a called one."))
    reason = models.CharField(max_length=300, blank=True, help_text=_("Why it was called; blank: by the cadence."))
    starts_at = models.DateTimeField()
    length = models.PositiveSmallIntegerField(default=45, validators=[MinValueValidator(5)], help_text=_("Minutes."))
    due_at = models.DateTimeField(help_text=_("The end of its local day: without minutes it is overdue then."))
    place = models.CharField(max_length=200, blank=True, help_text=_("A room, or the link to a call."))
    sequence = models.PositiveIntegerField(default=0, help_text=_("Rises with each change that people are told of."))
    is_chosen = models.BooleanField(default=False, help_text=_("Somebody chose its time; the cadence keeps off it."))
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    changed_at = models.DateTimeField()
    changed_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    cancelled_why = models.CharField(max_length=300, blank=True)
    reminded_at = models.DateTimeField(null=True, help_text=_("When RevOps was told that it is overdue."))

    agenda = models.JSONField(null=True, help_text=_("As it stood when the review was held (reports.agenda)."))
    minutes = models.TextField(blank=True)
    held_at = models.DateTimeField(null=True)
    written_at = models.DateTimeField(null=True, help_text=_("When the minutes were last written."))
    written_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    closed_at = models.DateTimeField(null=True)
    closed_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")

    objects = ReviewQuerySet.as_manager()

    class Meta:
        ordering = ["-starts_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["agreement", "planned_for"],
                name="review_once",
                violation_error_message=_("The review of that day is planned already."),
            ),
            models.CheckConstraint(
                condition=Q(planned_for__isnull=False) | ~Q(reason="") | Q(state="cancelled"),
                name="review_by_cadence_or_reason",
                violation_error_message=_("A review stands in the terms, or somebody says why it is called."),
            ),
            models.CheckConstraint(
                condition=Q(state__in=["planned", "cancelled"], held_at=None, agenda=None)
                | Q(state__in=["held", "closed"], held_at__isnull=False, agenda__isnull=False) & ~Q(minutes=""),
                name="review_held_whole",
                violation_error_message=_("A review that was held has minutes and an agenda; no other one has."),
            ),
            models.CheckConstraint(
                condition=Q(state="cancelled") & ~Q(cancelled_why="") | ~Q(state="cancelled") & Q(cancelled_why=""),
                name="review_cancelled_says_why",
                violation_error_message=_("A cancelled review says why; no other one does."),
            ),
            models.CheckConstraint(
                condition=Q(state="closed", closed_at__isnull=False) | ~Q(state="closed") & Q(closed_at=None),
                name="review_closed_has_a_moment",
                violation_error_message=_("A closed review says when it was closed."),
            ),
        ]
        indexes = [
            # The list, the agreement's page and planning: what is still to be held, and what is overdue.
            models.Index(fields=["due_at"], name="review_planned", condition=Q(state="planned")),
            # The list of held ones, newest first; the agenda: the last one of an agreement.
            models.Index(fields=["-starts_at", "-id"], name="review_newest"),
            models.Index(fields=["agreement", "-starts_at"], name="review_of_agreement"),
        ]

    def __str__(self) -> str:
        return gettext("Review of %(agreement)s") % {"agreement": self.agreement}

    def get_absolute_url(self) -> str:
        return reverse("review", args=[self.pk])

    @property
    def is_planned(self) -> bool:
        return self.state == self.State.PLANNED

    @property
    def is_held(self) -> bool:
        """Whether it has minutes."""
        return self.state in (self.State.HELD, self.State.CLOSED)

    @property
    def is_open(self) -> bool:
        """Whether decisions can be taken and minutes be written: not cancelled and not closed."""
        return self.state in (self.State.PLANNED, self.State.HELD)


class Participant(models.Model):
    """Somebody who is asked to a review."""

    review = models.ForeignKey(Review, models.CASCADE, related_name="participants")
    person = models.ForeignKey(User, models.PROTECT, related_name="+")
    sequence = models.PositiveIntegerField(default=0, help_text=_("The newest change that the person is told of."))
    left_at = models.DateTimeField(null=True, help_text=_("When the person was taken off the list."))
    attended = models.BooleanField(null=True, help_text=_("Unknown until the review is held."))

    class Meta:
        ordering = ["person__name", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["review", "person"],
                name="participant_once",
                violation_error_message=_("This person is asked already."),
            )
        ]

    def __str__(self) -> str:
        return str(self.person)


class DecisionQuerySet(models.QuerySet):
    """Questions asked of decisions."""

    def owed(self) -> Self:
        """Those that somebody has to carry out and nobody has marked as done."""
        return self.filter(owner__isnull=False, done_at=None)


class Decision(models.Model):
    """What a review decided, and who carries it out by when where there is something to do."""

    review = models.ForeignKey(Review, models.PROTECT, related_name="decisions")
    text = models.TextField()
    owner = models.ForeignKey(User, models.PROTECT, null=True, related_name="review_decisions")
    due_on = models.DateField(null=True)
    decided_at = models.DateTimeField()
    decided_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    done_at = models.DateTimeField(null=True)
    done_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    draft = models.ForeignKey(
        Version, models.PROTECT, null=True, related_name="+", help_text=_("The draft that was made of it.")
    )

    objects = DecisionQuerySet.as_manager()

    class Meta:
        ordering = ["decided_at", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(owner=None, due_on=None) | Q(owner__isnull=False, due_on__isnull=False),
                name="decision_owed_by_a_day",
                violation_error_message=_("What somebody owes has a day, and a day somebody who owes."),
            ),
            models.CheckConstraint(
                condition=Q(done_at=None, done_by=None) | Q(owner__isnull=False, done_at__isnull=False),
                name="decision_done_was_owed",
                violation_error_message=_("Only what somebody owes is done."),
            ),
        ]
        indexes = [
            # The agenda of the next review, and what a person owes.
            models.Index(
                fields=["due_on"], name="decision_owed", condition=Q(done_at__isnull=True, owner__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return self.text[:80]
