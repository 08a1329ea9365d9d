"""What marketing writes when a promise is behind."""

from django import forms
from django.utils.translation import gettext_lazy as _

from reports.recovery import LONGEST


class PlanForm(forms.Form):
    """Why, and how it is made up for."""

    cause = forms.CharField(
        label=_("Why it is behind"), max_length=LONGEST, widget=forms.Textarea({"rows": 4}),
        help_text=_("What happened, in your own words."),
    )  # fmt: skip
    plan = forms.CharField(
        label=_("How you make up for it"), max_length=LONGEST, widget=forms.Textarea({"rows": 7}),
        help_text=_("Who does what until when, and how many leads that brings."),
    )  # fmt: skip
