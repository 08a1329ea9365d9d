"""Forms by which handoffs change hands: to somebody, to the next by the rules, and while somebody is away."""

from collections.abc import Iterable
from datetime import datetime

from django import forms
from django.utils import timezone
from django.utils.html import escape
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from leads import handovers, roster
from leads.forms_facts import FactForm
from leads.models import Handoff
from leads.roster import Member
from slaportal.models import User


class RepField(forms.ModelChoiceField):
    """Reps who are free, each with how many they have; its help says why others are not. Blank: by the rules."""

    def __init__(self, **kwargs: object) -> None:
        super().__init__(User.objects.none(), required=False, empty_label=_("The next by the rules"), **kwargs)
        self.members: dict[int, Member] = {}

    def offer(self, members: Iterable[Member]) -> None:
        """Offer those of these reps who are free."""
        self.members = {row.key: row for row in members if row.is_free}
        self.queryset = User.objects.filter(pk__in=self.members)
        others = [f"{row.person} ({row.why_not})" for row in members if not row.is_free]
        self.help_text = escape(gettext("Not free: %(people)s.") % {"people": ", ".join(others)}) if others else ""

    def label_from_instance(self, person: User) -> str:
        return f"{person} ({self.members[person.pk].in_words})"


class AssignForm(FactForm):
    """Another owner from the same team: a person who is free, or the next by the rules."""

    name, label, icon = "assign", _("Assign"), "person_add"
    owner = RepField(label=_("To"))
    why = forms.CharField(max_length=200, label=_("Why"))

    def __init__(self, data: object = None, *, handoff: Handoff) -> None:
        super().__init__(data, handoff=handoff)
        team = handoff.team_id or handoff.agreement.sales_team_id
        members = roster.members([team], now=timezone.now())
        self.fields["owner"].offer([row for row in members if row.key != handoff.owner_id])


class TakeForm(FactForm):
    """A rep takes what waits in the queue of the own team."""

    name, label, icon = "take", _("Take"), "front_hand"


class ReassignForm(forms.Form):
    """Many handoffs to one rep who is free, or each to the next by the rules."""

    owner = RepField(label=_("Give the chosen to"))
    why = forms.CharField(max_length=120, label=_("Why"))

    def __init__(self, data: object = None, *, user: User, now: datetime) -> None:
        super().__init__(data, auto_id="reassign_%s")
        teams = handovers.managed_teams(user).values_list("pk", flat=True)
        self.fields["owner"].offer(roster.members(set(teams), now=now))


class AwayForm(forms.Form):
    """Somebody of a managed team is away on these days."""

    person = forms.ModelChoiceField(User.objects.none(), label=_("Who"), empty_label=_("Choose a person"))
    first_day = forms.DateField(label=_("From"), widget=forms.DateInput({"type": "date"}))
    last_day = forms.DateField(label=_("Until and with"), widget=forms.DateInput({"type": "date"}))
    note = forms.CharField(max_length=120, required=False, label=_("Note"))
    hand_over = forms.TypedChoiceField(
        choices=[("yes", _("Give them to others now, by the rules")), ("no", _("Keep them"))],
        coerce=lambda word: word == "yes",
        initial="yes",
        widget=forms.RadioSelect,
        label=_("Open handoffs"),
    )

    def __init__(self, data: object = None, *, people: Iterable[User]) -> None:
        super().__init__(data, auto_id="away_%s")
        self.fields["person"].queryset = User.objects.filter(pk__in=[person.pk for person in people], is_active=True)

    def clean(self) -> dict[str, object]:
        given = super().clean()
        first, last = given.get("first_day"), given.get("last_day")
        if first and last and last < first:
            self.add_error("last_day", gettext("This comes before the first day."))
        return given
