"""The form of everything that is said about one handoff: its name, its button, and a time of the past."""

from datetime import datetime, timedelta

from django import forms
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from leads.models import Handoff

MINUTE = timedelta(minutes=1)


class When(forms.DateTimeField):
    """A time of the past in the reader's zone; empty is now."""

    def __init__(self, **kwargs: object) -> None:
        widget = forms.DateTimeInput({"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
        super().__init__(**{"label": _("When"), "required": False, "widget": widget, **kwargs})


class FactForm(forms.Form):
    """A form about one handoff. `name` is also the name of its address; `label` and `icon` stand on its button."""

    name = label = icon = ""

    def __init__(self, data: object = None, *, handoff: Handoff) -> None:
        super().__init__(data, auto_id=f"{self.name}_%s")
        self.handoff = handoff
        if "at" in self.fields:
            local = timezone.localtime(timezone.now())
            zone = timezone.get_current_timezone_name()
            self.fields["at"].help_text = gettext("Empty means now. Your time zone: %(zone)s.") % {"zone": zone}
            self.fields["at"].widget.attrs["max"] = f"{local:%Y-%m-%dT%H:%M}"

    def clean_at(self) -> datetime | None:
        """People say minutes: the one in which the handoff began means its beginning. Before it nothing happened."""
        at, began = self.cleaned_data["at"], self.handoff.qualified_at
        if at and at > timezone.now():
            raise forms.ValidationError(
                gettext("%(moment)s is in the future; log what has happened.")
                % {"moment": date_format(timezone.localtime(at), "SHORT_DATETIME_FORMAT")}
            )
        if at and began - at >= MINUTE:
            local = timezone.localtime(began)
            raise forms.ValidationError(
                gettext("%(lead)s was handed over only on %(moment)s.")
                % {"lead": self.handoff, "moment": date_format(local, "SHORT_DATETIME_FORMAT")}
            )
        return max(at, began) if at else None
