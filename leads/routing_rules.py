"""The tables of routing: rules in their order, what each is about, and the seats between which it takes turns."""

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from agreements.models import Agreement, Comparison
from slaportal.models import Team, User


class RoutingRule(models.Model):
    """Handoffs that meet its criteria go to a team or a person. The first rule that fits decides."""

    class Method(models.TextChoices):
        """How one of a team is chosen."""

        ROUND_ROBIN = "round robin", _("In turn")
        WEIGHTED = "weighted", _("In turn, by weight")
        LEAST_LOADED = "least loaded", _("Who has the fewest open")

    name = models.CharField(max_length=120, unique=True, help_text=_("Stands in the “why” of each assignment."))
    position = models.PositiveSmallIntegerField(default=0, help_text=_("The lowest is asked first."))
    agreement = models.ForeignKey(
        Agreement, models.CASCADE, null=True, blank=True, related_name="routing_rules", help_text=_("Blank: every one.")
    )
    team = models.ForeignKey(Team, models.PROTECT, null=True, blank=True, related_name="routing_rules")
    person = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="routing_rules")
    method = models.CharField(max_length=12, choices=Method, default=Method.ROUND_ROBIN)
    is_active = models.BooleanField("used", default=True)

    class Meta:
        ordering = ["position", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(team__isnull=True, person__isnull=False) | Q(team__isnull=False, person__isnull=True),
                name="routing_rule_names_one",
                violation_error_message=_("A rule names a team or a person: one of them."),
            )
        ]

    def __str__(self) -> str:
        return self.name


class RoutingCriterion(Comparison):
    """What a rule is about; all of its criteria have to be met."""

    rule = models.ForeignKey(RoutingRule, models.CASCADE, related_name="criteria")

    class Meta:
        verbose_name = "criterion"
        verbose_name_plural = "criteria"
        ordering = ["id"]


class RoutingSeat(models.Model):
    """One person's place in a rule's turns (`leads.rotas`)."""

    rule = models.ForeignKey(RoutingRule, models.CASCADE, related_name="seats")
    person = models.ForeignKey(User, models.CASCADE, related_name="+")
    weight = models.PositiveSmallIntegerField(default=1, validators=[MinValueValidator(1)])
    turns = models.BigIntegerField(
        default=0,
        editable=False,
        help_text=_("How many this seat has had; one that it was passed over in counts as had."),
    )

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["rule", "person"],
                name="routing_seat_once",
                violation_error_message=_("This person has a seat in this rule already."),
            ),
            models.CheckConstraint(
                condition=Q(weight__gte=1),
                name="routing_seat_has_weight",
                violation_error_message=_("A weight is at least 1."),
            ),
        ]

    def __str__(self) -> str:
        return gettext("%(person)s, weight %(weight)s") % {"person": self.person, "weight": self.weight}

    def clean(self) -> None:
        super().clean()
        if self.rule_id and self.person_id and self.rule.team_id and self.person.team_id != self.rule.team_id:
            raise ValidationError(
                {"person": gettext("%(person)s is not in %(team)s.") % {"person": self.person, "team": self.rule.team}}
            )
