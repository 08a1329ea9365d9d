"""What RevOps writes when a sealed month is restated."""

from django import forms
from django.utils.translation import gettext_lazy as _

from reports.sealing import LONGEST_REASON


class RestateForm(forms.Form):
    """Why a sealed month is sealed anew."""

    reason = forms.CharField(
        label=_("Why it is restated"), max_length=LONGEST_REASON, widget=forms.Textarea({"rows": 3}),
        help_text=_("Both sides read it beside the figures before and after. What was sealed before stays readable."),
    )  # fmt: skip
    after = forms.IntegerField(required=False)  # the number of the seal that was looked at
