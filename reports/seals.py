"""The tables of sealed scorecards: what a month read when it was sealed, and each time it was restated."""

import hashlib
import json
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Self

from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django.utils.translation import gettext, gettext_lazy

from agreements import terms
from agreements.models import Agreement, AgreementEvent
from leads.periods import Period, parse
from slaportal.models import User

# What an event of the agreement says of a seal: of the first one, and of those that replace another.
SEALED, RESTATED = "sealed", "restated"


class SealQuerySet(models.QuerySet):
    """Questions asked of seals."""

    def visible_to(self, user: User) -> Self:
        """Whoever sees scorecards sees what was sealed of them, and what it was before."""
        return self if user.has_perm("reports.view_scorecard") else self.none()

    def of(self, agreement: Agreement, period: Period) -> Self:
        """The seals of one period, in their order."""
        return self.filter(agreement=agreement, key=period.key).order_by("number")

    def figures(self) -> Self:
        """Without what each handoff was, which only the lists and the verification read."""
        return self.defer("states", "replaces__states")

    def light(self) -> Self:
        """Without the figures as well: they are read where something has to be drawn of them."""
        return self.defer("states", "text")


class Seal(models.Model):
    """One agreement over one month as it was known at a moment: appended, never changed. The last one stands."""

    agreement = models.ForeignKey(Agreement, models.PROTECT, related_name="seals")
    key = models.CharField(max_length=24, help_text=gettext_lazy("The month, such as 2026-03."))
    number = models.PositiveSmallIntegerField(help_text=gettext_lazy("1 is the sealing, 2, 3, … are restatements."))
    replaces = models.OneToOneField("self", models.PROTECT, null=True, related_name="replaced_by")
    closes_at = models.DateTimeField(help_text=gettext_lazy("When the agreed days of grace were over."))
    known_at = models.DateTimeField(help_text=gettext_lazy("What was written down by then is in it."))
    sealed_at = models.DateTimeField()
    by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    reason = models.TextField(blank=True)
    code = models.CharField(max_length=64, help_text=gettext_lazy("SHA-256 of the code that decided the figures."))
    text = models.TextField(help_text=gettext_lazy("The figures as canonical JSON."))
    states = models.BinaryField(help_text=gettext_lazy("What each handoff was (reports.sealed_states)."))
    digest = models.CharField(max_length=64, help_text=gettext_lazy("SHA-256 of all the above."))

    objects = SealQuerySet.as_manager()

    class Meta:
        ordering = ["agreement", "key", "number"]
        permissions = [("restate_scorecard", "Can restate sealed scorecards")]
        constraints = [
            models.UniqueConstraint(
                fields=["agreement", "key", "number"],
                name="seal_number_unique",
                violation_error_message=gettext_lazy("That month is sealed under that number already."),
            ),
            models.CheckConstraint(
                condition=Q(number=1, replaces=None, by=None)
                | Q(number__gt=1, replaces__isnull=False, by__isnull=False) & ~Q(reason=""),
                name="seal_restated_with_reason",
                violation_error_message=gettext_lazy("A restatement replaces a seal, and says who made it and why."),
            ),
            models.CheckConstraint(
                condition=Q(known_at__lte=F("sealed_at")),
                name="seal_of_what_was_known",
                violation_error_message=gettext_lazy("Nothing is sealed before it is known."),
            ),
        ]

    def __str__(self) -> str:
        return gettext("%(agreement)s, %(period)s, seal %(number)s") % {
            "agreement": self.agreement,
            "period": self.period,
            "number": self.number,
        }

    def get_absolute_url(self) -> str:
        return reverse("seal", args=[self.agreement_id, self.key, self.number])

    @property
    def period(self) -> Period:
        """The month."""
        return parse(self.key)

    @cached_property
    def data(self) -> dict[str, Any]:
        """The figures, in the shape of `Scorecard.data`."""
        return json.loads(self.text)

    @property
    def name(self) -> str:
        """As its event calls it: “2026-03 no. 1”."""
        return f"{self.key} no. {self.number}"

    @property
    def what(self) -> str:
        """The kind of its event."""
        return SEALED if self.number == 1 else RESTATED

    @property
    def is_late(self) -> bool:
        """Whether the month was closed before the portal could seal it, so that what came since is in it."""
        return self.number == 1 and self.known_at > self.closes_at

    @cached_property
    def event(self) -> AgreementEvent | None:
        """Its event in the agreement's chain."""
        return AgreementEvent.objects.filter(agreement=self.agreement_id, what=self.what, detail=self.name).first()

    def worked_out_digest(self) -> str:
        """SHA-256 of everything that stands here now; `digest` is what it was when it was sealed."""
        return hashlib.sha256(
            terms.canonical(
                {
                    "agreement": self.agreement_id,
                    "key": self.key,
                    "number": self.number,
                    "replaces": self.replaces_id,
                    "closes_at": _plain(self.closes_at),
                    "known_at": _plain(self.known_at),
                    "sealed_at": _plain(self.sealed_at),
                    "by": self.by_id,
                    "reason": self.reason,
                    "code": self.code,
                    "text": hashlib.sha256(self.text.encode()).hexdigest(),
                    "states": hashlib.sha256(bytes(self.states)).hexdigest(),
                }
            ).encode()
        ).hexdigest()


def vouched_for(agreement_id: int, *, deep: bool) -> dict[str, dict[str, dict[str, Any]]]:
    """What the events of an agreement's seals vouch for, by what each says in detail; for `agreements.chain`.

    Where `deep`, everything that stands in a seal is hashed anew, which reads megabytes for a large agreement.
    """
    seals = Seal.objects.filter(agreement=agreement_id).order_by("key", "number")
    shown = seals if deep else seals.only("key", "number", "digest")
    return {seal.name: _row(seal, deep=deep) for seal in shown.iterator(chunk_size=10)}


def _row(seal: Seal, *, deep: bool) -> dict[str, dict[str, Any]]:
    said = {"what": seal.what, "digest": seal.digest}
    return {f"seal {seal.pk}": {**said, "content": seal.worked_out_digest()} if deep else said}


def _plain(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
