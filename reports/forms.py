"""What marketing writes when a promise is behind."""

from django import forms

from reports.recovery import LONGEST


class PlanForm(forms.Form):
    """Why, and how it is made up for."""

    cause = forms.CharField(
        label="Why it is behind", max_length=LONGEST, widget=forms.Textarea({"rows": 4}),
        help_text="What happened, in your own words.",
    )  # fmt: skip
    plan = forms.CharField(
        label="How you make up for it", max_length=LONGEST, widget=forms.Textarea({"rows": 7}),
        help_text="Who does what until when, and how many leads that brings.",
    )  # fmt: skip
