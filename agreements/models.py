"""What was promised: agreements, their numbered versions with commitments and criteria, signatures."""

import re
from datetime import date, datetime
from typing import Self
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, OuterRef, Q, Subquery
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from agreements.business_time import END_YEAR
from agreements.cadence import DEFAULT_REVIEW_DAY, Cadence
from agreements.calendars import (  # noqa: F401 (Django finds the tables here)
    WEEKDAYS,
    BusinessCalendar,
    Closure,
    SpecialDay,
    WorkingHours,
)
from agreements.catalogue import CATALOGUE, FIELDS, KIND_CHOICES, Action, Kind, Measure, Operator, Start, Unit
from slaportal import roles
from slaportal.models import Party, Team, User, validate_time_zone


class AgreementQuerySet(models.QuerySet):
    """Questions asked of agreements."""

    def visible_to(self, user: User) -> Self:
        """Whoever may see agreements sees all of them: both sides are bound by what both can read."""
        return self if user.has_perm("agreements.view_agreement") else self.none()

    def with_in_force(self, at: datetime) -> Self:
        """Annotate `in_force_id`: the version in force at `at`, or null (rule A2)."""
        versions = Version.objects.in_force(at).filter(agreement=OuterRef("pk"))
        return self.annotate(in_force_id=Subquery(versions.values("pk")[:1]))


class Agreement(models.Model):
    """A standing SLA between one marketing team and one sales team. Its versions hold the terms."""

    name = models.CharField(max_length=120, unique=True)
    marketing_team = models.ForeignKey(
        Team, models.PROTECT, related_name="marketing_agreements", limit_choices_to={"party": Party.MARKETING}
    )
    sales_team = models.ForeignKey(
        Team, models.PROTECT, related_name="sales_agreements", limit_choices_to={"party": Party.SALES}
    )
    time_zone = models.CharField(
        max_length=64,
        default="Europe/Berlin",
        validators=[validate_time_zone],
        help_text=_("Days and months begin in it."),
    )
    priority = models.PositiveSmallIntegerField(
        default=100,
        help_text=_("A lead belongs to the first agreement whose scope it meets; the lowest number is asked first."),
    )

    last_seal = models.CharField(
        max_length=64, blank=True, editable=False, help_text=_("Keyed hash of the last event: none can be taken away.")
    )

    objects = AgreementQuerySet.as_manager()

    class Meta:
        ordering = ["priority", "id"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("agreement", args=[self.pk])

    def clean(self) -> None:
        super().clean()
        for field, party in (("marketing_team", Party.MARKETING), ("sales_team", Party.SALES)):
            team = getattr(self, field, None) if getattr(self, f"{field}_id") else None
            if team and team.party != party:
                raise ValidationError(
                    {field: gettext("%(team)s is not a %(party)s team.") % {"team": team, "party": party.label.lower()}}
                )

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)


# Business time reaches no further, and older days than a lead can have are slips of the pen.
YEARS = range(1970, END_YEAR)


class VersionQuerySet(models.QuerySet):
    """Questions asked of versions."""

    def visible_to(self, user: User) -> Self:
        """RevOps sees drafts, also those that were withdrawn; everybody else sees what was proposed."""
        if user.has_perm("agreements.change_version"):
            return self
        return self.exclude(proposed_at=None) if user.has_perm("agreements.view_version") else self.none()

    def in_force(self, at: datetime) -> Self:
        """Per agreement the version in force at `at`: agreed, with the latest `effective_from ≤ at`, not ended (A2)."""
        begun = Version.objects.filter(agreement=OuterRef("agreement"), status=Status.AGREED, effective_from__lte=at)
        latest = begun.order_by("-effective_from").values("pk")[:1]
        return self.filter(Q(ends_at=None) | Q(ends_at__gt=at), pk=Subquery(latest))

    def agreed(self) -> Self:
        """Versions that both sides signed, in the order in which they took effect."""
        return self.filter(status=Status.AGREED).order_by("effective_from")


class Status(models.TextChoices):
    """States of a version; they only move to the right. Superseded is a question of date, not a state."""

    DRAFT = "draft", _("Draft")
    PROPOSED = "proposed", _("Proposed")
    AGREED = "agreed", _("Agreed")
    DECLINED = "declined", _("Declined")
    WITHDRAWN = "withdrawn", _("Withdrawn")


class Version(models.Model):
    """Numbered terms of an agreement. From the proposal on only its status moves (`agreements.signoff`)."""

    agreement = models.ForeignKey(Agreement, models.PROTECT, related_name="versions")
    number = models.PositiveSmallIntegerField(editable=False)
    status = models.CharField(max_length=10, choices=Status, default=Status.DRAFT, editable=False)
    based_on = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="+", editable=False)
    note = models.TextField(blank=True, help_text=_("Why this version: what it changes and what it should bring."))

    wanted_from = models.DateField(
        _("effective from"),
        null=True,
        blank=True,
        help_text=_(
            "First day, in the agreement's zone. Blank: from the second signature. A first version may "
            "begin in the past, so that history can be measured; a later one begins no earlier than its "
            "second signature."
        ),
    )
    ends_on = models.DateField(null=True, blank=True, help_text=_("Last day of the agreement; blank: until replaced."))
    calendar = models.ForeignKey(
        BusinessCalendar, models.PROTECT, related_name="+", help_text=_("In it the graces below are counted.")
    )

    score_threshold = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text=_("A qualified lead scores at least this; blank: the score does not matter.")
    )
    required_fields = models.JSONField(
        default=list, blank=True, help_text=_("Fields that a complete record must have.")
    )

    review_cadence = models.CharField(
        max_length=12,
        default=Cadence.MONTHLY,
        blank=True,
        choices=Cadence,
        help_text=_("How often both sides look at the scorecard together."),
    )
    review_weekday = models.PositiveSmallIntegerField(
        _("review day"),
        default=DEFAULT_REVIEW_DAY,
        choices=list(enumerate(day.capitalize() for day in WEEKDAYS[:5])),
        help_text=_("The first such day of the week, month or quarter."),
    )
    entry_grace_days = models.DecimalField(
        _("grace for late entry"),
        max_digits=5,
        decimal_places=2,
        default=2,
        validators=[MinValueValidator(0)],
        help_text=_("Business days within which a person may enter what happened; later entries stop no clock (A4)."),
    )
    sealing_grace_days = models.DecimalField(
        _("grace for sealing"),
        max_digits=5,
        decimal_places=2,
        default=5,
        validators=[MinValueValidator(0)],
        help_text=_("Business days after a period's end before its scorecard is sealed."),
    )
    dispute_days = models.DecimalField(
        _("time to dispute"),
        max_digits=5,
        decimal_places=2,
        default=5,
        validators=[MinValueValidator(0)],
        help_text=_("Business days within which a disposition can be disputed."),
    )
    monthly_cap = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_(
            "Sales' speed and follow-through count for the first so many handoffs of a month; blank: no cap (N7)."
        ),
    )
    minimum_group = models.PositiveSmallIntegerField(
        _("least group size"), default=5, help_text=_("Smaller groups of a break-down read “too few” (N3).")
    )

    terms = models.TextField(blank=True, editable=False)
    terms_hash = models.CharField(max_length=64, blank=True, editable=False)
    effective_from = models.DateTimeField(null=True, editable=False)
    ends_at = models.DateTimeField(null=True, editable=False)
    created_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    proposed_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", editable=False)
    proposed_at = models.DateTimeField(null=True, editable=False)
    agreed_at = models.DateTimeField(null=True, editable=False)

    objects = VersionQuerySet.as_manager()

    class Meta:
        ordering = ["agreement", "-number"]
        constraints = [
            models.UniqueConstraint(
                fields=["agreement", "number"],
                name="version_number_unique",
                violation_error_message=_("This agreement has a version of that number."),
            ),
            models.UniqueConstraint(
                fields=["agreement", "effective_from"],
                condition=Q(status="agreed"),
                name="version_effective_from_unique",
                violation_error_message=_("Two versions of one agreement cannot take effect at the same moment."),
            ),
            models.CheckConstraint(
                condition=Q(status__in=["draft", "proposed", "agreed", "declined", "withdrawn"]),
                name="version_status_known",
                violation_error_message=_("A version is draft, proposed, agreed, declined or withdrawn."),
            ),
            models.CheckConstraint(
                condition=Q(status="draft", terms="", terms_hash="")
                | Q(status="withdrawn")
                | (~Q(status="draft") & ~Q(terms="") & ~Q(terms_hash="")),
                name="version_frozen_from_proposal",
                violation_error_message=_("A proposed version has frozen terms with a hash; a draft has none."),
            ),
            models.CheckConstraint(
                condition=~Q(status="agreed") | Q(effective_from__isnull=False, agreed_at__isnull=False),
                name="version_agreed_has_dates",
                violation_error_message=_("An agreed version says when it was agreed and from when it is in force."),
            ),
            models.CheckConstraint(
                condition=Q(ends_at__isnull=True) | Q(effective_from__isnull=True) | Q(ends_at__gt=F("effective_from")),
                name="version_ends_after_it_begins",
                violation_error_message=_("A version ends after it begins."),
            ),
        ]

    def __str__(self) -> str:
        return gettext("%(agreement)s, version %(number)s") % {"agreement": self.agreement, "number": self.number}

    def get_absolute_url(self) -> str:
        return reverse("version", args=[self.agreement_id, self.number])

    def clean(self) -> None:
        super().clean()
        days = {"wanted_from": self.wanted_from, "ends_on": self.ends_on}
        outside = [name for name, day in days.items() if day and day.year not in YEARS]
        if outside:
            said = gettext("Choose a day of the years %(first)s to %(last)s.") % {"first": YEARS[0], "last": YEARS[-1]}
            raise ValidationError(dict.fromkeys(outside, said))
        if self.wanted_from and self.ends_on and self.ends_on < self.wanted_from:
            raise ValidationError({"ends_on": gettext("The agreement would end before it begins.")})

    @property
    def is_draft(self) -> bool:
        return self.status == Status.DRAFT

    @property
    def is_retroactive(self) -> bool:
        """True when it applies to days before both had signed, which only a first version may."""
        return bool(self.agreed_at and self.effective_from and self.effective_from < self.agreed_at)

    @property
    def asked_start(self) -> datetime | None:
        """The asked-for first moment: local midnight of `wanted_from` (rule A6)."""
        return local_midnight(self.wanted_from, self.agreement.zone) if self.wanted_from else None


def local_midnight(day: date, zone: ZoneInfo) -> datetime:
    """The first moment of a local day, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(ZoneInfo("UTC"))


# Two years, roughly, in each unit: beyond it a deadline would be further away than any agreement lives.
LONGEST_LIMIT = {"minutes": 1_000_000, "hours": 17_500, "days": 730}


class Commitment(models.Model):
    """One measurable promise of one party, of a kind in the catalogue."""

    version = models.ForeignKey(Version, models.CASCADE, related_name="commitments")
    code = models.SlugField(max_length=40, help_text=_("Short name that stays the same from version to version."))
    title = models.CharField(max_length=120, help_text=_("As both sides say it: “Contact within 4 business hours”."))
    kind = models.CharField(max_length=30, choices=KIND_CHOICES)
    calendar = models.ForeignKey(BusinessCalendar, models.PROTECT, related_name="+")
    start = models.CharField(
        max_length=10, choices=Start, blank=True, help_text=_("Where the kind leaves a choice; blank: when qualified.")
    )
    limit = models.DecimalField(
        max_digits=8, decimal_places=2, null=True, blank=True, validators=[MinValueValidator(0)]
    )
    unit = models.CharField(max_length=16, choices=Unit, blank=True)
    attempts = models.PositiveSmallIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1)], help_text=_("How many attempts the kind asks for.")
    )
    target = models.DecimalField(
        max_digits=8,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text=_("Percent of handoffs; for volume, leads a month."),
    )
    monthly_targets = models.JSONField(
        default=dict, blank=True, help_text=_('Months whose volume differs: {"2026-12": 30}.')
    )
    baseline = models.DecimalField(
        max_digits=8,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text=_("Where both sides stand today, in the target's unit."),
    )
    consequence = models.TextField(blank=True, help_text=_("What happens on a miss."))
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["position", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["version", "code"],
                name="commitment_code_unique",
                violation_error_message=_("Two commitments of one version cannot share a code."),
            ),
            models.CheckConstraint(
                condition=Q(limit__isnull=True, unit="") | (Q(limit__isnull=False) & ~Q(unit="")),
                name="commitment_limit_has_unit",
                violation_error_message=_("A limit needs its unit, and a unit its limit."),
            ),
            models.CheckConstraint(
                condition=Q(attempts__isnull=True) | Q(attempts__gte=1),
                name="commitment_attempts_positive",
                violation_error_message=_("Ask for at least one attempt."),
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def catalogue(self) -> Kind:
        return CATALOGUE[self.kind]

    def clean(self) -> None:
        """Refuse what the kind cannot measure, naming the field and the cure."""
        super().clean()
        kind = CATALOGUE.get(self.kind)
        if kind is None:
            return
        problems = {}
        if self.limit and self.unit in Unit and self.limit > LONGEST_LIMIT[self.unit.split()[-1]]:
            problems["limit"] = gettext("A limit of more than two years promises nothing. Choose a shorter one.")
        if kind.has_limit and self.limit is None:
            problems["limit"] = gettext("%(kind)s needs a time limit.") % {"kind": kind.label}
        if not kind.has_limit and self.limit is not None:
            problems["limit"] = gettext("%(kind)s has no time limit; leave it blank.") % {"kind": kind.label}
        if self.start in Start and kind.starts and self.start not in kind.starts:
            start = Start(self.start).label
            problems["start"] = gettext("%(kind)s cannot start %(start)s.") % {"kind": kind.label, "start": start}
        if kind.needs_attempts and not self.attempts:
            problems["attempts"] = gettext("%(kind)s needs a number of attempts.") % {"kind": kind.label}
        if kind.measure != Measure.COUNT and self.target is not None and self.target > 100:
            problems["target"] = gettext("A share is at most 100 percent.")
        if problems:
            raise ValidationError(problems)


NUMBER = re.compile(r"[+-]?\d{1,15}(\.\d{1,15})?")


def validate_field(name: str) -> None:
    """Refuse a field that leads do not have."""
    if name not in FIELDS and not (name.startswith("attributes.") and name != "attributes."):
        raise ValidationError(f"Leads have no field “{name}”. Use {', '.join(FIELDS)} or attributes.<name>.")


SHARE_RANGE = _("A step comes at 1 to 1000 percent.")
# In minutes, about three months of an office's hours.
FARTHEST = 30_000
OFFSET_RANGE = _("A step comes within 30,000 minutes of the limit.")


class Step(models.Model):
    """One step of a commitment's ladder: when so much of its limit is used up, this is done.

    Of a promise without a limit it is so much of the month, and done only when the promise is behind its pace.
    """

    commitment = models.ForeignKey(Commitment, models.CASCADE, related_name="steps")
    share = models.PositiveSmallIntegerField(
        "at",
        null=True,
        blank=True,
        validators=[MinValueValidator(1, SHARE_RANGE), MaxValueValidator(1000, SHARE_RANGE)],
        help_text=_("Percent of the limit, counted like the limit; without a limit, of the month."),
    )
    offset = models.SmallIntegerField(
        _("or minutes from the limit"),
        null=True,
        blank=True,
        validators=[MinValueValidator(-FARTHEST, OFFSET_RANGE), MaxValueValidator(FARTHEST, OFFSET_RANGE)],
        help_text=_("Counted like the limit: -30 is half an hour before it is used up, 60 an hour after."),
    )
    action = models.CharField(max_length=16, choices=Action)
    team = models.ForeignKey(
        Team, models.PROTECT, null=True, blank=True, related_name="+", help_text=_("Blank: the team that owes it.")
    )
    role = models.CharField(max_length=20, blank=True, choices=[(role, role) for role in roles.ROLES])
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["position", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(share__isnull=True, offset__isnull=False) | Q(share__isnull=False, offset__isnull=True),
                name="step_share_or_offset",
                violation_error_message=_(
                    "A step comes at a share of the limit, or so many minutes from it: give one."
                ),
            ),
            models.CheckConstraint(
                condition=Q(share__isnull=True) | Q(share__gte=1, share__lte=1000),
                name="step_share_in_range",
                violation_error_message=SHARE_RANGE,
            ),
            models.CheckConstraint(
                condition=Q(offset__isnull=True) | Q(offset__gte=-FARTHEST, offset__lte=FARTHEST),
                name="step_offset_in_range",
                violation_error_message=OFFSET_RANGE,
            ),
            models.CheckConstraint(
                condition=Q(action="tell role") & ~Q(role="") | ~Q(action="tell role") & Q(role=""),
                name="step_role_where_one_is_told",
                violation_error_message=_("Name the role that is told, and only there."),
            ),
            models.CheckConstraint(
                condition=Q(team__isnull=True) | Q(action__in=["tell team", "tell chat", "tell manager"]),
                name="step_team_where_one_is_told",
                violation_error_message="Name a team only where it, its manager or its chat is told.",
            ),
        ]

    def __str__(self) -> str:
        when = f"{self.share} %" if self.share is not None else f"{self.offset:+} min"
        return f"{when}: {self.get_action_display()}"

    def clean(self) -> None:
        """Refuse what the commitment's kind cannot do, naming the field and the cure."""
        super().clean()
        kind = CATALOGUE.get(self.commitment.kind)
        if kind is None or self.action not in Action:
            return
        problems = kind.objections(
            Action(self.action),
            share=self.share,
            offset=self.offset,
            names_team=self.team is not None,
            role=self.role,
        )
        if problems:
            raise ValidationError(problems)


class Comparison(models.Model):
    """Field, operator, value."""

    field = models.CharField(
        max_length=60, validators=[validate_field], help_text=_("Such as source, company_size or attributes.product.")
    )
    operator = models.CharField(max_length=10, choices=Operator, default=Operator.IS)
    value = models.CharField(max_length=500, blank=True, help_text=_("Several values are separated by semicolons."))

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{FIELDS.get(self.field, self.field)} {Operator(self.operator).label} {self.value}".strip()

    def clean(self) -> None:
        super().clean()
        if self.operator in (Operator.EMPTY, Operator.FILLED):
            if self.value.strip():
                raise ValidationError(
                    {"value": gettext("“%(operator)s” takes no value.") % {"operator": Operator(self.operator).label}}
                )
        elif not self.values:
            raise ValidationError({"value": gettext("Give the value to compare with.")})
        elif self.operator in (Operator.AT_LEAST, Operator.AT_MOST) and not NUMBER.fullmatch(self.value.strip()):
            raise ValidationError({"value": gettext("“%(value)s” is not a number.") % {"value": self.value}})

    @property
    def values(self) -> list[str]:
        """The texts to compare with: one, several for *one of* and *none of*, none for *is empty*."""
        several = self.operator in (Operator.ONE_OF, Operator.NONE_OF)
        given = self.value.split(";") if several else [self.value]
        return [text.strip() for text in given if text.strip()]


class Criterion(Comparison):
    """Field, operator, value: in an agreement's scope, a version's lead definition, or a commitment's scope."""

    agreement = models.ForeignKey(Agreement, models.CASCADE, null=True, blank=True, related_name="scope")
    version = models.ForeignKey(Version, models.CASCADE, null=True, blank=True, related_name="criteria")
    commitment = models.ForeignKey(Commitment, models.CASCADE, null=True, blank=True, related_name="scope")

    class Meta:
        verbose_name_plural = "criteria"
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(agreement__isnull=False, version__isnull=True, commitment__isnull=True)
                | Q(agreement__isnull=True, version__isnull=False, commitment__isnull=True)
                | Q(agreement__isnull=True, version__isnull=True, commitment__isnull=False),
                name="criterion_has_one_parent",
                violation_error_message=_("A criterion belongs to one agreement, version or commitment."),
            )
        ]


class Signature(models.Model):
    """One party's assent to exactly one frozen version, by one person."""

    version = models.ForeignKey(Version, models.PROTECT, related_name="signatures")
    party = models.CharField(max_length=12, choices=[(p.value, p.label) for p in (Party.MARKETING, Party.SALES)])
    signer = models.ForeignKey(User, models.PROTECT, related_name="signatures")
    name = models.CharField(max_length=120)
    title = models.CharField(max_length=120, blank=True)
    meaning = models.TextField()
    terms_hash = models.CharField(max_length=64)
    signed_at = models.DateTimeField()

    class Meta:
        ordering = ["signed_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["version", "party"],
                name="signature_party_unique",
                violation_error_message=_("This side has signed already."),
            ),
            models.UniqueConstraint(
                fields=["version", "signer"],
                name="signature_signer_unique",
                violation_error_message=_("One person cannot sign for both sides."),
            ),
            models.CheckConstraint(
                condition=Q(party__in=["marketing", "sales"]),
                name="signature_party_signs",
                violation_error_message=_("Only marketing and sales sign."),
            ),
        ]

    def __str__(self) -> str:
        return gettext("%(name)s for %(party)s") % {"name": self.name, "party": self.get_party_display().lower()}


class AgreementEvent(models.Model):
    """What happened to an agreement: appended, never changed. Its events form a keyed chain (`agreements.chain`)."""

    agreement = models.ForeignKey(Agreement, models.PROTECT, related_name="events")
    number = models.PositiveIntegerField(help_text=_("1, 2, 3, … within the agreement."))
    version = models.ForeignKey(Version, models.PROTECT, null=True, related_name="events")
    what = models.CharField(max_length=40)
    detail = models.TextField(blank=True)
    actor = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    at = models.DateTimeField()
    evidence = models.TextField(blank=True, help_text=_("The rows that it vouches for, as canonical JSON."))
    key_id = models.CharField(max_length=40, help_text=_("Which of AGREEMENT_KEYS the hash was made with."))
    mac = models.CharField(max_length=64, help_text=_("HMAC-SHA256 of all the above and of the hash before it."))

    class Meta:
        ordering = ["agreement", "number"]
        constraints = [
            models.UniqueConstraint(
                fields=["agreement", "number"],
                name="agreement_event_number_unique",
                violation_error_message=_("This agreement has an event of that number."),
            )
        ]

    def __str__(self) -> str:
        return self.what
