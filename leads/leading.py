"""Forms of those who lead: a manager's note to a rep, and RevOps' decisions where they stand in the list."""

from collections.abc import Iterable
from typing import Any
from uuid import uuid4

from django import forms
from django.utils.translation import gettext_lazy

from leads import notes
from leads.models import Handoff
from slaportal.models import User


class NoteForm(forms.Form):
    """What a manager tells somebody of a managed team, about one handoff or not."""

    person = forms.ModelChoiceField(User.objects.none(), label=gettext_lazy("To"), empty_label=gettext_lazy("Choose"))
    text = forms.CharField(
        label=gettext_lazy("What you want to say"),
        max_length=notes.LONGEST,
        widget=forms.Textarea({"rows": 2, "maxlength": notes.LONGEST}),
    )
    about = forms.ModelChoiceField(Handoff.objects.none(), required=False, widget=forms.HiddenInput)
    token = forms.UUIDField(initial=uuid4, widget=forms.HiddenInput)

    def __init__(self, data: object = None, *, people: Iterable[User], user: User, initial: Any = None) -> None:
        super().__init__(data, auto_id="note_%s", initial=initial)
        offered = User.objects.filter(pk__in=[person.pk for person in people], is_active=True).exclude(pk=user.pk)
        self.fields["person"].queryset = offered
        self.fields["about"].queryset = Handoff.objects.visible_to(user).select_related("lead")


class VerdictForm(forms.Form):
    """RevOps' decision on one thing that waits: yes or no, and why."""

    yes = no = ""
    is_yes = forms.TypedChoiceField(
        coerce=lambda word: word == "yes", widget=forms.RadioSelect, label=gettext_lazy("Decision")
    )
    why = forms.CharField(max_length=300, label=gettext_lazy("Why"), widget=forms.Textarea({"rows": 2}))

    def __init__(self, data: object = None, *, prefix: str) -> None:
        super().__init__(data, prefix=prefix)
        self.fields["is_yes"].choices = [("yes", self.yes), ("no", self.no)]


class DisputeVerdictForm(VerdictForm):
    """Whether what marketing disputes counts as accepted."""

    yes, no = gettext_lazy("Upheld: it counts as accepted"), gettext_lazy("Not upheld: sales’ decision stands")


class ExclusionVerdictForm(VerdictForm):
    """Whether a promise counts here."""

    yes, no = gettext_lazy("Grant: it is excluded"), gettext_lazy("Decline: it counts")
