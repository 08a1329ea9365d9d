"""What is filled in about a review: when and where, why, the minutes, and what was decided."""

from datetime import datetime
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from agreements.models import Agreement
from reports import reviews
from reports.rhythm import Review
from slaportal.models import User

WHEN = forms.DateTimeInput(format="%Y-%m-%dT%H:%M", attrs={"type": "datetime-local"})


class TimeForm(forms.Form):
    """When and where a review takes place, in the time of whoever fills it in."""

    starts_at = forms.DateTimeField(label=_("Day and time"), widget=WHEN, help_text=_("In your own time zone."))
    length = forms.IntegerField(
        label=_("Minutes"),
        min_value=reviews.LENGTHS.start,
        max_value=reviews.LENGTHS.stop - 1,
        widget=forms.NumberInput({"step": 5}),
    )
    place = forms.CharField(
        label=_("Where"), max_length=200, required=False, help_text=_("A room, or the link to a call.")
    )
    seen = forms.IntegerField(widget=forms.HiddenInput, required=False)

    @classmethod
    def of(cls, review: Review) -> "TimeForm":
        """Filled with how it stands."""
        names = ("starts_at", "length", "place")
        return cls(initial={**{name: getattr(review, name) for name in names}, "seen": review.sequence})


class CallForm(TimeForm):
    """A review beside those of the cadence."""

    field_order = ["agreement", "reason", "starts_at", "length", "place"]

    agreement = forms.ModelChoiceField(label=_("Agreement"), queryset=Agreement.objects.none(), empty_label=None)
    reason = forms.CharField(
        label=_("Why"), max_length=300, help_text=_("Everybody who is asked reads it."), widget=forms.TextInput
    )
    seen = None

    def __init__(self, *args: object, agreements: list[Agreement], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["agreement"]
        field.queryset = Agreement.objects.filter(pk__in=[agreement.pk for agreement in agreements])
        if len(agreements) == 1:
            field.initial = agreements[0].pk


class CancelForm(forms.Form):
    """Why it does not take place."""

    why = forms.CharField(label=_("Why"), max_length=300, help_text=_("Everybody who was asked reads it."))
    seen = forms.IntegerField(widget=forms.HiddenInput, required=False)


class MinutesForm(forms.Form):
    """What was said, and who was there."""

    minutes = forms.CharField(
        label=_("What was said"), max_length=reviews.LONGEST_MINUTES, widget=forms.Textarea({"rows": 8})
    )
    attended = forms.ModelMultipleChoiceField(
        label=_("Who was there"), queryset=User.objects.none(), required=False, widget=forms.CheckboxSelectMultiple
    )
    seen_at = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: object, review: Review, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.review = review
        asked = [one for one in review.participants.all() if one.left_at is None]
        self.fields["attended"].queryset = User.objects.filter(pk__in=[one.person_id for one in asked])
        self.initial = {
            "minutes": review.minutes,
            # Of a new one everybody who was asked.
            "attended": [one.person_id for one in asked if one.attended is not False],
            "seen_at": _stamp(review),
        }

    def clean(self) -> dict[str, Any]:
        given = super().clean()
        try:
            given["seen_at"] = datetime.fromisoformat(given["seen_at"]) if given["seen_at"] else None
        except ValueError:
            self.add_error(None, _("The page was changed on its way. Open it anew."))
        return given

    def begin_from(self, review: Review) -> None:
        """Let what was typed stand over what somebody else has written meanwhile: sent again, it takes its place."""
        self.data = self.data.copy()
        self.data["seen_at"] = _stamp(review)


class DecisionForm(forms.Form):
    """What was decided, and who does what until when."""

    text = forms.CharField(
        label=_("What was decided"), max_length=reviews.LONGEST_DECISION, widget=forms.Textarea({"rows": 2})
    )
    owner = forms.ModelChoiceField(
        label=_("Who does it"), queryset=User.objects.none(), required=False, empty_label=_("Nothing to do")
    )
    due_on = forms.DateField(label=_("By when"), required=False, widget=forms.DateInput({"type": "date"}))

    def __init__(self, *args: object, review: Review, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        asked = [one.person_id for one in review.participants.all() if one.left_at is None]
        self.fields["owner"].queryset = User.objects.filter(pk__in=asked)


def _stamp(review: Review) -> str:
    return review.written_at.isoformat() if review.written_at else ""
