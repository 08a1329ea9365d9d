"""People: who works here, in which team, for which side; the notices that they get; and the heartbeat of the sweeps."""

import zoneinfo
from datetime import date, datetime, time
from functools import cache
from typing import Self

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from slaportal import formats


class Party(models.TextChoices):
    """The sides of an agreement. Operations owns what neither of the two signs for, such as routing."""

    MARKETING = "marketing", _("Marketing")
    SALES = "sales", _("Sales")
    OPERATIONS = "operations", _("Operations")


@cache
def time_zone_names() -> frozenset[str]:
    """Every name that the time zone database knows; asking for them reads hundreds of files."""
    return frozenset(zoneinfo.available_timezones())


def validate_time_zone(name: str) -> None:
    """Refuse a name that the time zone database does not know."""
    if name not in time_zone_names():
        raise ValidationError(
            gettext("“%(name)s” is not a time zone; write one such as Europe/Berlin.") % {"name": name}
        )


class Team(models.Model):
    """A group of people of one side, with the manager who sees its work."""

    name = models.CharField(max_length=120, unique=True)
    party = models.CharField(max_length=12, choices=Party)
    manager = models.ForeignKey("slaportal.User", models.SET_NULL, null=True, blank=True, related_name="managed_teams")
    chat_url = models.CharField(
        "chat",
        max_length=500,
        blank=True,
        help_text=_(
            "The channel’s incoming webhook, such as https://hooks.slack.com/services/…; whoever knows "
            "it can post there."
        ),
    )

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class UserQuerySet(models.QuerySet):
    """Questions asked of people."""

    def available(self, *, on: date) -> Self:
        """People who can be given work on the local day `on`: active and not away."""
        away = Absence.objects.filter(person=OuterRef("pk"), first_day__lte=on, last_day__gte=on)
        return self.filter(~Exists(away), is_active=True)

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

    email = models.EmailField("e-mail", unique=True, error_messages={"unique": _("Somebody has this e-mail already.")})
    name = models.CharField(max_length=120)
    title = models.CharField(max_length=120, blank=True, help_text=_("As it stands under a signature."))
    time_zone = models.CharField(
        max_length=64, default="UTC", validators=[validate_time_zone], help_text=_("All times are shown in it.")
    )
    team = models.ForeignKey(Team, models.PROTECT, null=True, blank=True, related_name="members")
    most_open = models.PositiveSmallIntegerField(
        "cap", null=True, blank=True, help_text=_("Who has so many open gets no more; blank: no cap.")
    )
    chat_url = models.CharField(
        "chat",
        max_length=500,
        blank=True,
        help_text=_("An incoming webhook, such as https://hooks.slack.com/services/…; blank: no chat."),
    )
    quiet_from = models.TimeField(
        null=True, blank=True, default=time(20), help_text=_("Nothing but what is urgent is sent from then on.")
    )
    quiet_until = models.TimeField(null=True, blank=True, default=time(7), help_text=_("What waited is sent then."))
    digest_at = models.TimeField(
        "digest", default=time(8), help_text=_("When what comes as a digest is sent each day.")
    )
    from_import = models.BooleanField(
        default=False, editable=False, help_text=_("Added because an imported file names them; cannot log in.")
    )
    is_active = models.BooleanField(_("may log in"), default=True)
    is_staff = models.BooleanField(_("may open the admin"), default=False)
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
                Lower("email"), name="user_email_unique", violation_error_message=_("Somebody has this e-mail already.")
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


class Absence(models.Model):
    """Days on which somebody is away: no work is given to them."""

    person = models.ForeignKey(User, models.CASCADE, related_name="absences")
    first_day = models.DateField()
    last_day = models.DateField()
    note = models.CharField(max_length=120, blank=True)

    class Meta:
        ordering = ["first_day", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(last_day__gte=F("first_day")),
                name="absence_ends_after_it_begins",
                violation_error_message=_("The last day away comes before the first."),
            )
        ]
        indexes = [
            # UserQuerySet.available: asked for each rep at each routing.
            models.Index(fields=["person", "last_day"], name="absence_person"),
        ]

    def __str__(self) -> str:
        return gettext("%(person)s away %(first_day)s to %(last_day)s") % {
            "person": self.person,
            "first_day": formats.day_and_month(self.first_day),
            "last_day": formats.short_day(self.last_day),
        }


class Heartbeat(models.Model):
    """When a sweep last ran. A worker that died leaves no other trace."""

    name = models.CharField(max_length=40, unique=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return gettext("%(name)s at %(at)s") % {"name": self.name, "at": f"{self.at:%Y-%m-%d %H:%M:%S}"}

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

    def unclaimed(self, now: datetime) -> Self:
        """Waiting notices that no worker holds."""
        return self.waiting().filter(Q(claimed_until=None) | Q(claimed_until__lte=now))

    def due(self, now: datetime) -> Self:
        """Waiting notices whose time has come and that no worker holds."""
        return self.unclaimed(now).filter(due_at__lte=now)

    def in_state(self, state: str) -> Self:
        """Notices of which `state` is true; see `Notice.state`."""
        match state:
            case Notice.State.SENT:
                return self.filter(sent_at__isnull=False)
            case Notice.State.CANCELLED:
                return self.filter(cancelled_at__isnull=False)
            case Notice.State.FAILED:
                return self.filter(failed_at__isnull=False)
            case Notice.State.TRIED:
                return self.waiting().filter(failures__gt=0)
        return self.waiting().filter(failures=0)


class Notice(models.Model):
    """A message that is a row before it is a mail: written with its event, worded and sent afterwards."""

    class State(models.TextChoices):
        """How far it came."""

        WAITING = "waiting", _("Waiting")
        TRIED = "tried", _("Trying again")
        SENT = "sent", _("Sent")
        CANCELLED = "cancelled", _("No longer needed")
        FAILED = "failed", _("Failed")

    class Channel(models.TextChoices):
        """How it reaches its reader."""

        PORTAL = "portal", _("Portal")
        EMAIL = "email", "E-mail"
        CHAT = "chat", _("Chat")

    key = models.CharField(max_length=200, help_text=_("What it is about, such as proposed:12."))
    slot = models.CharField(
        max_length=80, help_text=_("For whom: person:12, team:3 for its chat, or a word such as owner.")
    )
    channel = models.CharField(max_length=6, choices=Channel)
    kind = models.CharField(max_length=20, blank=True, help_text=_("By which people choose how they are told."))
    recipient = models.ForeignKey(
        User,
        models.PROTECT,
        null=True,
        related_name="notices",
        help_text=_("Who the slot is now; none for a team's chat."),
    )
    reader = models.CharField(
        max_length=200,
        blank=True,
        help_text=_("Dotted name of the function that says who the slot is when it is sent."),
    )
    letter = models.CharField(max_length=200, help_text=_("Dotted name of the function that words it when it is sent."))
    about = models.BigIntegerField(help_text=_("Id of the row that it is about."))
    envelope = models.BigIntegerField(
        null=True, help_text=_("Drawn number of the message that it goes with: each try is the same message.")
    )
    subject = models.CharField(max_length=300, blank=True, help_text=_("As it was sent."))
    summary = models.TextField(blank=True, help_text=_("As it was sent."))
    link = models.CharField(max_length=300, blank=True, help_text=_("Where one click leads."))
    read_at = models.DateTimeField("read", null=True)
    created_at = models.DateTimeField("created")
    due_at = models.DateTimeField("due")
    claimed_until = models.DateTimeField(null=True, help_text=_("A worker is sending it; afterwards another one may."))
    sent_at = models.DateTimeField("sent", null=True)
    cancelled_at = models.DateTimeField(
        "cancelled", null=True, help_text=_("It no longer held when it was to be sent.")
    )
    failures = models.PositiveSmallIntegerField(default=0)
    problem = models.CharField(max_length=300, blank=True, help_text=_("Why it was not sent when it was last tried."))
    failed_at = models.DateTimeField(_("given up"), null=True)

    objects = NoticeQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        permissions = [("retry_notice", "Can send failed notices again")]
        constraints = [
            models.UniqueConstraint(
                fields=["key", "slot", "channel"],
                name="notice_once",
                violation_error_message=_("This person has been told of that already."),
            ),
            models.CheckConstraint(
                condition=Q(sent_at=None, cancelled_at=None)
                | Q(sent_at=None, failed_at=None)
                | Q(cancelled_at=None, failed_at=None),
                name="notice_one_end",
                violation_error_message=_("A notice is sent, no longer needed or given up: only one of these."),
            ),
        ]
        indexes = [
            # outbox.send_due: the sweep.
            models.Index(fields=["due_at"], name="notice_due", condition=UNENDED),
            # outbox.send_due: everything that waits for one person goes into one mail.
            models.Index(fields=["recipient", "due_at"], name="notice_waiting", condition=UNENDED),
            # NoticeQuerySet.in_state: what waits for a person, told on every page of RevOps.
            models.Index(fields=["failed_at"], name="notice_failed", condition=Q(failed_at__isnull=False)),
            # bell.shown_to: the page behind the bell.
            models.Index(fields=["recipient", "-id"], name="notice_bell", condition=Q(channel="portal")),
            # bell.unread: counted on every page, so that it must not read what was read long ago.
            models.Index(
                fields=["recipient"],
                name="notice_unread",
                condition=Q(channel="portal", read_at=None, sent_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return gettext("%(key)s for %(person)s") % {"key": self.key, "person": self.recipient or self.slot}

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


class NoticePreference(models.Model):
    """How a person, or everybody of a team who has chosen nothing, is told of one kind of notice."""

    class Pace(models.TextChoices):
        """When it is sent."""

        NOW = "now", _("At once")
        DIGEST = "digest", _("In the daily digest")
        NEVER = "never", _("Not at all")

    person = models.ForeignKey(User, models.CASCADE, null=True, blank=True, related_name="preferences")
    team = models.ForeignKey(Team, models.CASCADE, null=True, blank=True, related_name="preferences")
    kind = models.CharField(max_length=20)
    email = models.CharField("e-mail", max_length=6, choices=Pace, default=Pace.NOW)
    chat = models.CharField(max_length=6, choices=Pace, default=Pace.NOW)
    is_urgent = models.BooleanField("urgent", default=False, help_text=_("Also in quiet hours."))

    class Meta:
        ordering = ["kind", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(person__isnull=True, team__isnull=False) | Q(person__isnull=False, team__isnull=True),
                name="preference_of_one",
                violation_error_message=_("A preference is a person's or a team's."),
            ),
            models.UniqueConstraint(
                fields=["person", "kind"],
                name="preference_person_once",
                violation_error_message=_("This person has chosen for that kind already."),
            ),
            models.UniqueConstraint(
                fields=["team", "kind"],
                name="preference_team_once",
                violation_error_message=_("This team has chosen for that kind already."),
            ),
        ]

    def __str__(self) -> str:
        return gettext("%(kind)s for %(person)s") % {"kind": self.kind, "person": self.person or self.team}


class Wire(models.Model):
    """The one row that says whether notices may leave, and how a restored database is recognised."""

    generation = models.BigIntegerField(
        default=0, help_text=_("Grows with each run and each release; a lower one than remembered is old.")
    )
    fingerprint = models.CharField(
        max_length=200, blank=True, help_text=_("Of the database that notices were sent from.")
    )
    held_at = models.DateTimeField(null=True)
    held_why = models.CharField(max_length=300, blank=True)
    released_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return (
            gettext("held since %(held_at)s") % {"held_at": f"{self.held_at:%Y-%m-%d %H:%M}"}
            if self.held_at
            else "open"
        )
