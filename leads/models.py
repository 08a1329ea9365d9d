"""What happened: leads, handoffs under a pinned version, the facts that hang on them, and the clocks they drive."""

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from agreements.catalogue import CATALOGUE
from agreements.models import Agreement, Commitment, Version
from leads import clocks
from leads.followups import Answer, Escalation, ExclusionRequest, Task  # noqa: F401 (Django finds the tables here)
from leads.routing_rules import RoutingCriterion, RoutingRule, RoutingSeat  # noqa: F401 (here too)
from leads.touches import TouchedDay  # noqa: F401 (and here)
from slaportal.models import Party, Team, User


class LeadQuerySet(models.QuerySet):
    """Questions asked of leads."""

    def visible_to(self, user: User) -> Self:
        """Leads whose handoffs the person may see; whoever sees all handoffs sees all leads."""
        if user.has_perm("leads.view_all_handoffs"):
            return self
        return self.filter(pk__in=Handoff.objects.visible_to(user).values("lead"))

    def unmatched(self, start: datetime, end: datetime) -> Self:
        """Leads received in `[start, end)` that no version covers (rule A2)."""
        return self.filter(state=Lead.State.UNMATCHED, received_at__gte=start, received_at__lt=end)


class Lead(models.Model):
    """One enquiry of one person, as the source system knows it."""

    class State(models.TextChoices):
        """Where a lead stands before and besides its handoffs."""

        WAITING = "waiting", _("Waiting: not yet qualified")
        UNMATCHED = "unmatched", _("Unmatched: no agreement covers it")
        HANDED_OFF = "handed off", _("Handed off")

    source_system = models.CharField(max_length=60, default="portal")
    external_id = models.CharField(max_length=120)
    contact_id = models.CharField(max_length=120, blank=True, help_text=_("The person, in the source system."))
    name = models.CharField(max_length=200, blank=True)
    email = models.CharField("e-mail", max_length=254, blank=True)
    phone = models.CharField(max_length=60, blank=True)
    company = models.CharField(max_length=200, blank=True)
    title = models.CharField(max_length=200, blank=True)
    seniority = models.CharField(max_length=60, blank=True)
    company_size = models.PositiveIntegerField(null=True, blank=True)
    industry = models.CharField(max_length=120, blank=True)
    country = models.CharField(max_length=60, blank=True)
    score = models.IntegerField(null=True, blank=True)
    source = models.CharField(max_length=120, blank=True)
    campaign = models.CharField(max_length=200, blank=True)
    segment = models.CharField(max_length=120, blank=True)
    attributes = models.JSONField(default=dict, blank=True)
    engaged_at = models.DateTimeField(null=True, blank=True, help_text=_("First engagement: speed to lead begins."))
    handed_over = models.BooleanField(default=False, help_text=_("The source says it was handed to sales (rule A1)."))
    owner = models.ForeignKey(
        User,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text=_("Whom the source names: gets the handoff."),
    )
    received_at = models.DateTimeField()
    state = models.CharField(max_length=10, choices=State, default=State.WAITING, editable=False)

    objects = LeadQuerySet.as_manager()

    class Meta:
        ordering = ["-received_at", "-id"]
        permissions = [("match_lead", "Can match unmatched leads again")]
        constraints = [
            models.UniqueConstraint(
                fields=["source_system", "external_id"],
                name="lead_external_id_unique",
                violation_error_message=_("This source system has sent a lead with that id already."),
            )
        ]
        indexes = [
            # facts.attempts: attempts that name only the person.
            models.Index(fields=["contact_id"], name="lead_contact_id", condition=~Q(contact_id="")),
            models.Index(fields=["email"], name="lead_email", condition=~Q(email="")),
            # draft_lint: the newest leads, which a draft is held against while it is written.
            models.Index(fields=["-received_at", "-id"], name="lead_received"),
            # Lead.unmatched: counted beside every scorecard.
            models.Index(fields=["received_at"], name="lead_unmatched", condition=Q(state="unmatched")),
        ]

    def __str__(self) -> str:
        return self.name or self.email or f"{self.source_system} {self.external_id}"


class FormerPerson(models.Model):
    """Who a lead was before its source said otherwise: attempts that name only a person counted by that (rule A3).

    Read by `leads.as_known`; written by `leads.intake`.
    """

    lead = models.ForeignKey(Lead, models.CASCADE, related_name="former_persons")
    until = models.DateTimeField(help_text=_("When its source said otherwise."))
    contact_id = models.CharField(max_length=120, blank=True)
    email = models.CharField(max_length=254, blank=True)
    engaged_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["until", "id"]

    def __str__(self) -> str:
        return self.contact_id or self.email


class HandoffQuerySet(models.QuerySet):
    """Questions asked of handoffs."""

    def visible_to(self, user: User) -> Self:
        """All for who may see all; what one owns or ever owned; a manager's teams, and a rep's own team's queue.

        Who lost a handoff still answers for what was missed then. Who may do what with it, `leads.forms` says.
        """
        if user.has_perm("leads.view_all_handoffs"):
            return self
        owned = Assignment.objects.filter(owner=user).order_by().values("handoff")
        if user.has_perm("leads.view_team_handoffs"):
            return self.filter(Q(team__manager=user) | Q(pk__in=owned))
        if not user.has_perm("leads.view_handoff"):
            return self.none()
        # A union, and not one condition or another, so that PostgreSQL finds both by their indexes.
        queue = Handoff.objects.waiting().filter(team=user.team_id).order_by().values("pk")
        return self.filter(pk__in=owned.union(queue, all=True))

    def given_out_by(self, user: User) -> Self:
        """What the person may give to somebody else: all for RevOps, and for a manager the own and the teams'."""
        if not user.has_perm("leads.assign_handoff"):
            return self.none()
        if user.has_perm("leads.view_all_handoffs"):
            return self
        return self.filter(Q(team__manager=user) | Q(owner=user))

    def open(self) -> Self:
        """Handoffs that no final disposition has ended (rule C7)."""
        return self.filter(ended_at=None)

    def waiting(self) -> Self:
        """Open handoffs in the queue of a team."""
        return self.open().filter(owner=None, team__isnull=False)

    def begun_in(self, start: datetime, end: datetime) -> Self:
        """Handoffs of the half-open period `[start, end)` (rule N1)."""
        return self.filter(qualified_at__gte=start, qualified_at__lt=end)


class Handoff(models.Model):
    """One passage of a lead from marketing to sales, pinned to the version in force when the lead qualified (A2)."""

    class Stage(models.TextChoices):
        """How far it came, derived from its facts (rule A5)."""

        MQL = "mql", "MQL"
        SAL = "sal", "SAL"
        SQL = "sql", "SQL"
        OPPORTUNITY = "opportunity", _("Opportunity")
        WON = "won", _("Won")
        LOST = "lost", _("Lost")
        RECYCLED = "recycled", _("Recycled")
        REJECTED = "rejected", _("Rejected")

    lead = models.ForeignKey(Lead, models.PROTECT, related_name="handoffs")
    number = models.PositiveSmallIntegerField(
        default=1, help_text=_("1 is the first; recycled leads come back as 2, 3, …")
    )
    agreement = models.ForeignKey(Agreement, models.PROTECT, related_name="handoffs")
    version = models.ForeignKey(Version, models.PROTECT, related_name="handoffs")
    qualified_at = models.DateTimeField()
    known_at = models.DateTimeField(
        null=True, help_text=_("When the portal learned of it. Of history, nothing due until then escalates (L4).")
    )

    # Copied when it begins; later edits of the lead move nothing (rule A1).
    source = models.CharField(max_length=120, blank=True)
    campaign = models.CharField(max_length=200, blank=True)
    segment = models.CharField(max_length=120, blank=True)
    score = models.IntegerField(null=True, blank=True)
    snapshot = models.JSONField(default=dict)
    failed_criteria = models.JSONField(default=list)
    missing_fields = models.JSONField(default=list)
    below_definition = models.BooleanField(default=False)
    is_complete = models.BooleanField(default=True)
    in_scope = models.BigIntegerField(
        default=0, help_text=_("Bit n is set when the lead is in the nth commitment's scope.")
    )

    # Derived from the facts by `leads.timekeeping`, so that lists need not read them.
    owner = models.ForeignKey(User, models.PROTECT, null=True, related_name="handoffs")
    team = models.ForeignKey(Team, models.PROTECT, null=True, related_name="handoffs")
    stage = models.CharField(max_length=12, choices=Stage, default=Stage.MQL)
    ended_at = models.DateTimeField(null=True)

    objects = HandoffQuerySet.as_manager()

    class Meta:
        ordering = ["-qualified_at", "-id"]
        permissions = [
            ("view_all_handoffs", "Can see every handoff"),
            ("view_team_handoffs", "Can see the handoffs of managed teams"),
            ("work_handoff", "Can log attempts and dispositions"),
            ("assign_handoff", "Can assign handoffs"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["lead", "number"],
                name="handoff_number_unique",
                violation_error_message=_("This lead was handed off under that number already."),
            )
        ]
        indexes = [
            # Scorecards, volume and the monthly cap: an agreement's handoffs of a period.
            models.Index(fields=["agreement", "qualified_at", "id"], name="handoff_period"),
            # My leads and routing: open handoffs of a person.
            models.Index(fields=["owner", "ended_at"], name="handoff_owner"),
            # The queue of a team, and routing what waits there.
            models.Index(fields=["team"], name="handoff_queue", condition=Q(owner=None, ended_at=None)),
        ]

    def __str__(self) -> str:
        return f"{self.lead}" if self.number == 1 else f"{self.lead} ({self.number})"

    def get_absolute_url(self) -> str:
        return reverse("handoff", args=[self.pk])


class Assignment(models.Model):
    """From `at` on, this person owns the handoff; without a person it waits in the team's queue."""

    handoff = models.ForeignKey(Handoff, models.CASCADE, related_name="assignments")
    owner = models.ForeignKey(User, models.PROTECT, null=True, related_name="assignments")
    team = models.ForeignKey(Team, models.PROTECT, null=True, related_name="+")
    at = models.DateTimeField()
    entered_at = models.DateTimeField(
        null=True, help_text=_("When it was written down; blank in older rows, which were written when they began.")
    )
    by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    why = models.CharField(max_length=200)
    rule = models.ForeignKey(RoutingRule, models.SET_NULL, null=True, related_name="+")
    is_offer = models.BooleanField(
        default=False, help_text=_("In the queue until somebody takes it; else routed as soon as somebody is free.")
    )

    class Meta:
        ordering = ["at", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(owner__isnull=False, is_offer=False) | Q(owner__isnull=True, team__isnull=False),
                name="assignment_to_somebody",
                violation_error_message=_("A handoff is given to a person, or waits in the queue of a team."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.owner or gettext('queue of %(team)s') % {'team': self.team}}, {self.at:%Y-%m-%d %H:%M}"


class Channel(models.TextChoices):
    """How contact was tried."""

    CALL = "call", _("Call")
    EMAIL = "email", "E-mail"
    MESSAGE = "message", _("Message")
    MEETING = "meeting", _("Meeting")
    NOTE = "note", _("Note")
    OTHER = "other", _("Other")


class Direction(models.TextChoices):
    """Who began."""

    OUTBOUND = "outbound", _("Outbound")
    INBOUND = "inbound", _("Inbound")


class AttemptOutcome(models.TextChoices):
    """What came of it; only the first two are two-way."""

    CONNECTED = "connected", _("Spoke with them")
    REPLIED = "replied", _("They replied")
    NO_ANSWER = "no_answer", _("No answer")
    VOICEMAIL = "voicemail", _("Left a voicemail")
    BUSY = "busy", _("Busy")
    SENT = "sent", _("Sent")
    INVALID = "invalid", _("Wrong or dead contact data")
    OTHER = "other", _("Other")


TWO_WAY = (AttemptOutcome.CONNECTED, AttemptOutcome.REPLIED)


class VoidableQuerySet(models.QuerySet):
    """Questions asked of facts that can be voided."""

    def valid(self) -> Self:
        """Facts that count; a voided one stays visible and counts nowhere (rule A4)."""
        return self.filter(voided_at=None)


class Voidable(models.Model):
    """A fact that is never changed: an undo or a correction voids it (rule A4)."""

    voided_at = models.DateTimeField(null=True, editable=False)
    voided_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", editable=False)
    void_reason = models.CharField(max_length=200, blank=True, editable=False)

    objects = VoidableQuerySet.as_manager()

    class Meta:
        abstract = True


class Attempt(Voidable):
    """One try at contact. It names its lead, or only the person, and then counts for each of their handoffs (A3)."""

    lead = models.ForeignKey(Lead, models.PROTECT, null=True, blank=True, related_name="attempts")
    contact_id = models.CharField(max_length=120, blank=True)
    email = models.CharField("e-mail", max_length=254, blank=True)
    at = models.DateTimeField()
    entered_at = models.DateTimeField(
        help_text=_("When it was written down; late entries are evidence only (rule A4).")
    )
    from_system = models.BooleanField(default=False, help_text=_("From a system of record: counts however late."))
    channel = models.CharField(max_length=8, choices=Channel, default=Channel.CALL)
    direction = models.CharField(max_length=8, choices=Direction, default=Direction.OUTBOUND)
    outcome = models.CharField(max_length=10, choices=AttemptOutcome, default=AttemptOutcome.NO_ANSWER)
    automated = models.BooleanField(default=False, help_text=_("Sent by a machine: never a response."))
    by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="attempts")
    note = models.TextField(blank=True)
    source_system = models.CharField(max_length=60, default="portal")
    external_id = models.CharField(max_length=120, null=True, blank=True)  # noqa: DJ001 (null: not from a system)

    class Meta:
        ordering = ["at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["source_system", "external_id"],
                name="attempt_external_id_unique",
                violation_error_message=_("This source system has sent an attempt with that id already."),
            ),
            models.CheckConstraint(
                condition=Q(lead__isnull=False) | ~Q(contact_id="") | ~Q(email=""),
                name="attempt_names_somebody",
                violation_error_message=_("An attempt names its lead, or the person by contact id or e-mail."),
            ),
        ]
        indexes = [
            # facts.attempts: by the person, where no lead is named.
            models.Index(fields=["contact_id"], name="attempt_contact_id", condition=Q(lead=None) & ~Q(contact_id="")),
            models.Index(fields=["email"], name="attempt_email", condition=Q(lead=None) & ~Q(email="")),
        ]

    def __str__(self) -> str:
        return (
            f"{self.get_direction_display()} {self.get_channel_display().lower()}, {self.get_outcome_display().lower()}"
        )

    @property
    def is_touch(self) -> bool:
        """A meaningful touch: two-way, by a person."""
        return self.outcome in TWO_WAY and not self.automated and self.channel != Channel.NOTE


class Verdict(models.TextChoices):
    """What sales says to a handoff."""

    ACCEPTED = "accepted", _("Accepted")
    RECYCLED = "recycled", _("Recycled")
    REJECTED = "rejected", _("Rejected")


class ReasonCode(models.Model):
    """Why a handoff was recycled or rejected. What a used reason means cannot be changed: numbers rest on it."""

    code = models.SlugField(max_length=40, unique=True)
    label = models.CharField(max_length=120)
    for_recycled = models.BooleanField(_("fits recycled"), default=True)
    for_rejected = models.BooleanField(_("fits rejected"), default=True)
    is_quality = models.BooleanField(_("about quality"), default=False, help_text=_("Counts against acceptance rate."))
    needs_contact = models.BooleanField(
        default=True, help_text=_("Only contact can tell; without it, running clocks end with the handoff (rule C7).")
    )
    needs_attempts = models.PositiveSmallIntegerField(default=0, help_text=_("So many attempts must come before it."))
    undelivered = models.BooleanField(
        _("not delivered"), default=False, help_text=_("Duplicate or unusable: leaves marketing's volume.")
    )
    is_active = models.BooleanField("offered", default=True)

    class Meta:
        ordering = ["label"]

    def __str__(self) -> str:
        return self.label

    def fits(self, verdict: str) -> bool:
        return {Verdict.RECYCLED: self.for_recycled, Verdict.REJECTED: self.for_rejected}.get(verdict, False)


class Disposition(Voidable):
    """Accepted, recycled or rejected, with a reason code."""

    handoff = models.ForeignKey(Handoff, models.CASCADE, related_name="dispositions")
    verdict = models.CharField(max_length=8, choices=Verdict)
    reason = models.ForeignKey(ReasonCode, models.PROTECT, null=True, blank=True, related_name="dispositions")
    at = models.DateTimeField()
    entered_at = models.DateTimeField()
    from_system = models.BooleanField(default=False)
    by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    note = models.TextField(blank=True)
    back_on = models.DateField(null=True, blank=True, help_text=_("When a recycled lead may come back."))
    criterion = models.CharField(max_length=300, blank=True, help_text=_("What of the definition failed, says sales."))

    class Meta:
        ordering = ["at", "id"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(verdict="accepted") | Q(reason__isnull=True),
                name="disposition_accepted_without_reason",
                violation_error_message=_("Accepting needs no reason."),
            ),
            models.CheckConstraint(
                condition=Q(back_on=None) | Q(verdict="recycled"),
                name="disposition_back_when_recycled",
                violation_error_message=_("Only what is recycled comes back."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_verdict_display()}: {self.reason}" if self.reason else self.get_verdict_display()


class Outcome(Voidable):
    """What came of a handoff after acceptance."""

    class Kind(models.TextChoices):
        """The steps after sales accepted."""

        MEETING = "meeting", _("Meeting held")
        OPPORTUNITY = "opportunity", _("Opportunity")
        WON = "won", _("Won")
        LOST = "lost", _("Lost")

    handoff = models.ForeignKey(Handoff, models.CASCADE, related_name="outcomes")
    kind = models.CharField(max_length=12, choices=Kind)
    at = models.DateTimeField()
    entered_at = models.DateTimeField()
    from_system = models.BooleanField(default=False)
    amount = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)
    by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        ordering = ["at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["handoff", "kind"],
                condition=Q(voided_at=None),
                name="outcome_once",
                violation_error_message=_("This handoff has that outcome already."),
            )
        ]

    def __str__(self) -> str:
        return self.get_kind_display()


class Hold(models.Model):
    """Time that does not count, with a reason (rule C5)."""

    handoff = models.ForeignKey(Handoff, models.CASCADE, related_name="holds")
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=200)
    entered_at = models.DateTimeField(
        null=True, help_text=_("When it was written down; blank in older rows, which were written when they began.")
    )
    release_entered_at = models.DateTimeField(
        null=True, help_text=_("When its end was written down; blank in older rows, which were written at their end.")
    )
    by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    released_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")

    class Meta:
        ordering = ["started_at", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True) | Q(ended_at__gte=F("started_at")),
                name="hold_ends_after_start",
                violation_error_message=_("A hold cannot end before it begins."),
            )
        ]

    def __str__(self) -> str:
        return self.reason


class DisputeQuerySet(models.QuerySet):
    """Questions asked of disputes."""

    def visible_to(self, user: User) -> Self:
        """Those of the handoffs that the person may see."""
        return self.filter(handoff__in=Handoff.objects.visible_to(user))


class Dispute(models.Model):
    """Sales asks marketing, who owes an answer; or marketing disputes a decision of sales, and RevOps decides (N10)."""

    handoff = models.ForeignKey(Handoff, models.CASCADE, related_name="disputes")
    party = models.CharField(max_length=12, choices=Party, default=Party.SALES, help_text=_("Who opened it."))
    opened_at = models.DateTimeField()
    opened_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    comment = models.TextField()
    answered_at = models.DateTimeField(null=True)
    answered_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    answer = models.TextField(blank=True)
    upheld = models.BooleanField(default=False, help_text=_("The disposition counts as accepted (acceptance rate)."))

    objects = DisputeQuerySet.as_manager()

    class Meta:
        ordering = ["opened_at", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(answered_at__isnull=True) | Q(answered_at__gte=F("opened_at")),
                name="dispute_answered_after_opening",
                violation_error_message=_("An answer cannot come before the question."),
            )
        ]

    def __str__(self) -> str:
        return self.comment[:80]


TIMED_KINDS = tuple(kind.code for kind in CATALOGUE.values() if kind.has_limit)
SALES_KINDS = tuple(kind.code for kind in CATALOGUE.values() if kind.party == Party.SALES)
MARKETING_KINDS = tuple(kind.code for kind in CATALOGUE.values() if kind.party == Party.MARKETING)


class ClockQuerySet(models.QuerySet):
    """Questions asked of clocks."""

    def running_out(self, now: datetime) -> Self:
        """Clocks whose allowance is used up at `now`; what the tick looks at, through `clock_due`."""
        return self.filter(state=Clock.State.OPEN, look_at__lt=now)

    def with_due_step(self, now: datetime) -> Self:
        """Clocks of which a step of the ladder is due at `now`; what the sweep finds, through `clock_step`."""
        return self.filter(next_step_at__lt=now)

    def deciding(self) -> Self:
        """One clock for each handoff and commitment: the one that gives the handoff its state (rule N2)."""
        return self.filter(decides=True)

    def excludable(self) -> Self:
        """Missed or open promises of sales, of which nobody has asked yet not to count them (rule N9)."""
        asked = ExclusionRequest.objects.filter(handoff=OuterRef("handoff"), commitment=OuterRef("commitment"))
        states, kinds = (Clock.State.MISSED, Clock.State.OPEN), SALES_KINDS
        found = self.filter(state__in=states, commitment__kind__in=kinds)
        return found.filter(~Exists(asked.exclude(granted=False)))

    def unanswered(self) -> Self:
        """Missed clocks with a time limit of which nobody has said why; a handoff may have several of one promise."""
        same = {name: OuterRef(name) for name in ("handoff", "commitment", "subject")}
        said = Answer.objects.filter(**same)
        return self.filter(~Exists(said), state=Clock.State.MISSED, commitment__kind__in=TIMED_KINDS)


class Clock(models.Model):
    """One commitment on one handoff: what `leads.clocks.evaluate` said last. Written by `leads.timekeeping` only."""

    class State(models.IntegerChoices):
        """Ordered so that the least is the handoff's state (rule N2). Its words have no language (`display.state`)."""

        MISSED = clocks.MISSED, "missed"
        OPEN = clocks.OPEN, "open"
        MET = clocks.MET, "met"
        EXCLUDED = clocks.EXCLUDED, "excluded"

    handoff = models.ForeignKey(Handoff, models.CASCADE, related_name="clocks")
    commitment = models.ForeignKey(Commitment, models.PROTECT, related_name="clocks")
    subject = models.BigIntegerField(default=0, help_text=_("Id of the assignment or dispute it is about, else 0."))
    state = models.SmallIntegerField(choices=State)
    rule = models.CharField(max_length=24, help_text=_("The rule that decided, by name (docs/numbers.md)."))
    decides = models.BooleanField(default=True, help_text=_("It gives the handoff its state for the commitment (N2)."))
    started_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField(null=True, help_text=_("The allowance is used up (rule C2)."))
    look_at = models.DateTimeField(null=True, help_text=_("After this moment an open clock has missed (rule C1)."))
    stopped_at = models.DateTimeField(null=True)
    elapsed_seconds = models.FloatField(null=True, help_text=_("Business seconds from start to stop."))
    next_step_at = models.DateTimeField(null=True, help_text=_("After this moment a step of its ladder is due."))
    next_step = models.SmallIntegerField(null=True, help_text=_("Which one, as counted in the terms."))
    charged_to = models.ForeignKey(
        Assignment, models.SET_NULL, null=True, related_name="+", help_text=_("The assignment it is counted for (N4).")
    )

    objects = ClockQuerySet.as_manager()

    class Meta:
        ordering = ["commitment__position", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["handoff", "commitment", "subject"],
                name="clock_unique",
                violation_error_message=_("This handoff has that clock already."),
            ),
            models.CheckConstraint(
                condition=Q(state__in=[0, 1, 2, 3]),
                name="clock_state_known",
                violation_error_message=_("A clock is missed, open, met or excluded."),
            ),
        ]
        indexes = [
            # The tick: only clocks still running; one that missed leaves the index.
            models.Index(fields=["look_at"], name="clock_due", condition=Q(state=1, look_at__isnull=False)),
            # leads.board: what was missed today, and at the last bell; without a limit nothing is due.
            models.Index(fields=["due_at"], name="clock_missed", condition=Q(state=0, due_at__isnull=False)),
            # leads.escalations: only clocks of which a step is still to come.
            models.Index(fields=["next_step_at"], name="clock_step", condition=Q(next_step_at__isnull=False)),
            # worklist.listing: what is owed of five hundred handoffs, of which it alone is read and not the table.
            models.Index(
                fields=["handoff", "due_at", "state", "commitment", "subject", "charged_to", "id"],
                name="clock_owed",
                condition=Q(state__in=[0, 1], stopped_at=None, due_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.commitment}: {self.get_state_display()}"
