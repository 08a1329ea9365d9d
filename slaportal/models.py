"""People: who works here, in which team, for which side; the notices that they get; and the heartbeat of the sweeps."""

import zoneinfo
from datetime import date, datetime
from functools import cache
from typing import Self

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone


class Party(models.TextChoices):
    """The sides of an agreement. Operations owns what neither of the two signs for, such as routing."""

    MARKETING = "marketing", "Marketing"
    SALES = "sales", "Sales"
    OPERATIONS = "operations", "Operations"


@cache
def time_zone_names() -> frozenset[str]:
    """Every name that the time zone database knows; asking for them reads hundreds of files."""
    return frozenset(zoneinfo.available_timezones())


def validate_time_zone(name: str) -> None:
    """Refuse a name that the time zone database does not know."""
    if name not in time_zone_names():
        raise ValidationError(f"“{name}” is not a time zone; write one such as Europe/Berlin.")


class Team(models.Model):
    """A group of people of one side, with the manager who sees its work."""

    name = models.CharField(max_length=120, unique=True)
    party = models.CharField(max_length=12, choices=Party)
    manager = models.ForeignKey("slaportal.User", models.SET_NULL, null=True, blank=True, related_name="managed_teams")

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class UserQuerySet(models.QuerySet):
    """Questions asked of people."""

    def available(self, *, on: date) -> Self:
        """People who can be given work on the local day `on`: active and not away."""
        return self.filter(Q(away_until=None) | Q(away_until__lt=on), is_active=True)

    def visible_to(self, user: "User") -> Self:
        """Colleagues are no secret: whoever may log in sees them all."""
        return self if user.is_active else self.none()


class UserManager(BaseUserManager.from_queryset(UserQuerySet)):
    """Makes people; their e-mail is kept in lower case, because nobody types it the same way twice."""

    def create_user(self, email: str, password: str | None = None, **fields: object) -> "User":
        email = (email or "").strip().lower()
        if not email:
            raise ValueError("A person needs an e-mail address to log in with.")
        user = self.model(email=email, **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: object) -> "User":
        return self.create_user(email, password, **{**fields, "is_staff": True, "is_superuser": True})

    def get_by_natural_key(self, email: str) -> "User":
        return self.get(email__iexact=email)


class User(AbstractBaseUser, PermissionsMixin):
    """A person. The e-mail address is the login."""

    email = models.EmailField("e-mail", unique=True, error_messages={"unique": "Somebody has this e-mail already."})
    name = models.CharField(max_length=120)
    title = models.CharField(max_length=120, blank=True, help_text="As it stands under a signature.")
    time_zone = models.CharField(
        max_length=64, default="UTC", validators=[validate_time_zone], help_text="All times are shown in it."
    )
    team = models.ForeignKey(Team, models.PROTECT, null=True, blank=True, related_name="members")
    away_until = models.DateField(null=True, blank=True, help_text="Last day away; no new lead is routed until then.")
    from_import = models.BooleanField(
        default=False, editable=False, help_text="Added because an imported file names them; cannot log in."
    )
    is_active = models.BooleanField("may log in", default=True)
    is_staff = models.BooleanField("may open the admin", default=False)
    date_joined = models.DateTimeField(default=timezone.now, editable=False)

    objects = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = ["name"]

    class Meta:
        verbose_name = "person"
        verbose_name_plural = "people"
        ordering = ["name", "email"]
        constraints = [
            models.UniqueConstraint(
                Lower("email"), name="user_email_unique", violation_error_message="Somebody has this e-mail already."
            )
        ]

    def __str__(self) -> str:
        return self.name or self.email

    def get_full_name(self) -> str:
        return self.name

    def get_short_name(self) -> str:
        return self.name.split(" ", 1)[0] or self.email

    def role_names(self) -> set[str]:
        """The roles that the person holds now, asked of the database and not of a cache."""
        return set(self.groups.values_list("name", flat=True))

    def has_role(self, role: str) -> bool:
        """Whether the person holds the role now."""
        return role in self.role_names()

    def clean(self) -> None:
        super().clean()
        self.email = self.email.strip().lower()


class Heartbeat(models.Model):
    """When a sweep last ran. A worker that died leaves no other trace."""

    name = models.CharField(max_length=40, unique=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} at {self.at:%Y-%m-%d %H:%M:%S}"

    @classmethod
    def beat(cls, name: str, *, now) -> None:
        """Record that the sweep `name` ran at `now`."""
        cls.objects.update_or_create(name=name, defaults={"at": now})


# Nothing has become of it yet; one that failed waits for a person and not for a worker.
UNENDED = Q(sent_at=None, cancelled_at=None, failed_at=None)


class NoticeQuerySet(models.QuerySet):
    """Questions asked of notices."""

    def waiting(self) -> Self:
        """Notices that are still to be sent."""
        return self.filter(UNENDED)

    def due(self, now: datetime) -> Self:
        """Waiting notices whose time has come and that no worker holds."""
        return self.waiting().filter(Q(claimed_until=None) | Q(claimed_until__lte=now), due_at__lte=now)

    def in_state(self, state: str) -> Self:
        """Notices of which `state` is true; see `Notice.state`."""
        match state:
            case Notice.State.SENT:
                return self.exclude(sent_at=None)
            case Notice.State.CANCELLED:
                return self.exclude(cancelled_at=None)
            case Notice.State.FAILED:
                return self.exclude(failed_at=None)
            case Notice.State.TRIED:
                return self.waiting().filter(failures__gt=0)
        return self.waiting().filter(failures=0)


class Notice(models.Model):
    """A message that is a row before it is a mail: written with its event, worded and sent afterwards."""

    class State(models.TextChoices):
        """How far it came."""

        WAITING = "waiting", "Waiting"
        TRIED = "tried", "Trying again"
        SENT = "sent", "Sent"
        CANCELLED = "cancelled", "No longer needed"
        FAILED = "failed", "Failed"

    key = models.CharField(max_length=200, help_text="What it is about, such as proposed:12.")
    recipient = models.ForeignKey(User, models.PROTECT, related_name="notices")
    letter = models.CharField(max_length=200, help_text="Dotted name of the function that words it when it is sent.")
    about = models.BigIntegerField(help_text="Id of the row that it is about.")
    created_at = models.DateTimeField("created")
    due_at = models.DateTimeField("due")
    claimed_until = models.DateTimeField(null=True, help_text="A worker is sending it; afterwards another one may.")
    sent_at = models.DateTimeField("sent", null=True)
    cancelled_at = models.DateTimeField("cancelled", null=True, help_text="It no longer held when it was to be sent.")
    failures = models.PositiveSmallIntegerField(default=0)
    problem = models.CharField(max_length=300, blank=True, help_text="Why it was not sent when it was last tried.")
    failed_at = models.DateTimeField("given up", null=True)

    objects = NoticeQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        permissions = [("retry_notice", "Can send failed notices again")]
        constraints = [
            models.UniqueConstraint(
                fields=["key", "recipient"],
                name="notice_once",
                violation_error_message="This person has been told of that already.",
            ),
            models.CheckConstraint(
                condition=Q(sent_at=None, cancelled_at=None)
                | Q(sent_at=None, failed_at=None)
                | Q(cancelled_at=None, failed_at=None),
                name="notice_one_end",
                violation_error_message="A notice is sent, no longer needed or given up: only one of these.",
            ),
        ]
        indexes = [
            # outbox.send_due: the sweep each minute.
            models.Index(fields=["due_at"], name="notice_due", condition=UNENDED),
        ]

    def __str__(self) -> str:
        return f"{self.key} for {self.recipient}"

    @property
    def state(self) -> State:
        """How far it came, in a word."""
        if self.sent_at:
            return self.State.SENT
        if self.cancelled_at:
            return self.State.CANCELLED
        if self.failed_at:
            return self.State.FAILED
        return self.State.TRIED if self.failures else self.State.WAITING
