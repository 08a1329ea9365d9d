"""What people say about notices: how they want to be told of each kind, when, and by which chat."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from slaportal import chat, preferences
from slaportal.models import NoticePreference, Team, User
from slaportal.preferences import Wish

LONGEST_URL = User._meta.get_field("chat_url").max_length


@dataclass(frozen=True)
class Line:
    """The fields of one kind of notice."""

    label: str
    email: forms.BoundField
    chat: forms.BoundField
    urgent: forms.BoundField


class TimeOfDay(forms.TimeField):
    """A time as the browser offers it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(widget=forms.TimeInput({"type": "time"}, format="%H:%M"), **kwargs)


class ToldForm(forms.Form):
    """How a person, or everybody of a team who has chosen nothing, is told; and the chat address.

    A stored address is never shown: who leaves the field empty keeps it.
    """

    chat_url = forms.CharField(
        label=_("Address of the chat"),
        required=False,
        max_length=LONGEST_URL,
        validators=[chat.validate],
        widget=forms.TextInput({"autocomplete": "off", "spellcheck": "false"}),
    )
    remove_chat = forms.BooleanField(label=_("Remove the address"), required=False)

    def __init__(self, data: Any = None, *, owner: User | Team) -> None:
        super().__init__(data)
        self.owner, self._kinds = owner, preferences.kinds(owner)
        wishes = preferences.wishes(owner)
        for kind, label in self._kinds.items():
            told = {"email": gettext("%(kind)s: e-mail"), "chat": gettext("%(kind)s: chat")}
            for channel, words in told.items():
                self.fields[f"{channel}_{kind}"] = forms.ChoiceField(
                    label=words % {"kind": label},
                    choices=NoticePreference.Pace.choices,
                    initial=getattr(wishes[kind], channel),
                )
            self.fields[f"urgent_{kind}"] = forms.BooleanField(
                label=gettext("%(kind)s: urgent") % {"kind": label}, required=False, initial=wishes[kind].is_urgent
            )
        if not owner.chat_url:
            del self.fields["remove_chat"]

    def lines(self) -> Iterator[Line]:
        """The kinds with their fields, in their order."""
        for kind, label in self._kinds.items():
            yield Line(label, self[f"email_{kind}"], self[f"chat_{kind}"], self[f"urgent_{kind}"])

    def clean(self) -> dict[str, Any]:
        said = super().clean()
        if said.get("chat_url") and said.get("remove_chat"):
            self.add_error("remove_chat", _("Either write a new address or remove the one that is there."))
        return said

    def save(self) -> None:
        """Keep what was chosen."""
        said = self.cleaned_data
        preferences.choose(
            self.owner,
            {kind: Wish(said[f"email_{kind}"], said[f"chat_{kind}"], said[f"urgent_{kind}"]) for kind in self._kinds},
        )
        if fields := self.changes():
            preferences.change(self.owner, fields)

    def changes(self) -> dict[str, Any]:
        """What changes of the person or team itself."""
        if self.cleaned_data["chat_url"]:
            return {"chat_url": self.cleaned_data["chat_url"]}
        return {"chat_url": ""} if self.cleaned_data.get("remove_chat") else {}


class OwnForm(ToldForm):
    """How I am told, with my quiet hours and the time of my digest."""

    quiet_from = TimeOfDay(label=_("Quiet from"), required=False)
    quiet_until = TimeOfDay(label=_("Quiet until"), required=False)
    digest_at = TimeOfDay(label=_("Daily digest at"))
    hours = ("quiet_from", "quiet_until", "digest_at")

    def __init__(self, data: Any = None, *, owner: User) -> None:
        super().__init__(data, owner=owner)
        for name in self.hours:
            self.fields[name].initial = getattr(owner, name)

    def clean(self) -> dict[str, Any]:
        said = super().clean()
        if {"quiet_from", "quiet_until"} & self.errors.keys():
            return said
        begin, end, digest = (said.get(name) for name in self.hours)
        if (begin is None) != (end is None):
            missing = "quiet_from" if begin is None else "quiet_until"
            self.add_error(missing, _("Quiet hours have a beginning and an end; for none leave both empty."))
        elif begin is not None and begin == end:
            self.add_error("quiet_until", _("These quiet hours end as they begin; for none leave both empty."))
        elif begin is not None and digest is not None:
            is_quiet = begin <= digest < end if begin < end else digest >= begin or digest < end
            if is_quiet:
                words = gettext("That is within your quiet hours, which end at %(end)s.")
                self.add_error("digest_at", words % {"end": f"{end:%H:%M}"})
        return said

    def changes(self) -> dict[str, Any]:
        return super().changes() | {name: self.cleaned_data[name] for name in self.hours}
