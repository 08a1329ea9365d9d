"""What is written on a recovery plan: the plan itself, actions, check-ins, its owner, and why it is moot."""

from django import forms
from django.utils.translation import gettext_lazy as _

from reports import recovery
from reports.models import RecoveryPlan
from slaportal.models import User


class PlanForm(forms.Form):
    """Why, and how it is made up for."""

    name = "write"
    cause = forms.CharField(
        label=_("Why it is behind"), max_length=recovery.LONGEST, widget=forms.Textarea({"rows": 4}),
        help_text=_("What happened, in your own words."),
    )  # fmt: skip
    plan = forms.CharField(
        label=_("How you make up for it"), max_length=recovery.LONGEST, widget=forms.Textarea({"rows": 7}),
        help_text=_("Who does what until when, and how many leads that brings."),
    )  # fmt: skip


class ActionForm(forms.Form):
    """Who does what until when."""

    name = "action"
    what = forms.CharField(label=_("What is done"), max_length=recovery.LONGEST_ACTION)
    who = forms.ModelChoiceField(label=_("By whom"), queryset=User.objects.none())
    due_on = forms.DateField(label=_("Until"), widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"))

    def __init__(self, *args: object, plan: RecoveryPlan, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.fields["who"].queryset = recovery.people(plan)


class CheckInForm(forms.Form):
    """How it goes."""

    name = "check_in"
    note = forms.CharField(
        label=_("How it goes"), max_length=recovery.LONGEST_NOTE, widget=forms.Textarea({"rows": 2}),
        help_text=_("The figure of this moment is put beside it."),
    )  # fmt: skip


class OwnerForm(forms.Form):
    """Whose it is from now on."""

    name = "owner"
    owner = forms.ModelChoiceField(label=_("Hand it on to"), queryset=User.objects.none())

    def __init__(self, *args: object, plan: RecoveryPlan, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.fields["owner"].queryset = recovery.people(plan).exclude(pk=plan.owner_id)


class CloseForm(forms.Form):
    """Why nobody needs it any more."""

    name = "close"
    reason = forms.CharField(
        label=_("Why it is moot"), max_length=280,
        help_text=_("No version in force makes this promise any more, so its number cannot come back."),
    )  # fmt: skip
