"""What the admin's pages of people and teams show of how they are told of notices."""

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.formats import time_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from slaportal import chat, preferences
from slaportal.models import NoticePreference, Team, User

PACES = {
    NoticePreference.Pace.NOW: gettext_lazy("at once"),
    NoticePreference.Pace.DIGEST: gettext_lazy("in the daily digest"),
    NoticePreference.Pace.NEVER: gettext_lazy("not at all"),
}


class ShowsHowTold:
    """Chat address, masked, and what was chosen for each kind; each is changed on one page of the portal."""

    def lookup_allowed(self, lookup: str, value: object, *request: HttpRequest) -> bool:
        """Not by the address: whoever asks for the rows whose address begins so reads it sign by sign."""
        return "chat_url" not in lookup.split("__") and super().lookup_allowed(lookup, value, *request)

    @display(description=gettext_lazy("Chat"))
    def chat(self, owner: User | Team) -> str:
        return chat.masked(owner.chat_url) or _("No address")

    @display(description=gettext_lazy("Told of"))
    def told(self, owner: User | Team) -> SafeString:
        if owner.pk is None:
            return "–"
        wishes = preferences.wishes(owner)
        rows = [
            (
                settings.NOTICE_KINDS[kind],
                (
                    _("e-mail %(email)s, chat %(chat)s, urgent")
                    if wishes[kind].is_urgent
                    else _("e-mail %(email)s, chat %(chat)s")
                )
                % {"email": PACES[wishes[kind].email], "chat": PACES[wishes[kind].chat]},
            )
            for kind in preferences.kinds(owner)
        ]
        return format_html("<ul>{}</ul>", format_html_join("", "<li>{}: {}</li>", rows))

    @display(description=gettext_lazy("Quiet hours and digest"))
    def hours(self, person: User) -> str:
        quiet = _("No quiet hours")
        if person.quiet_from is not None and person.quiet_until is not None:
            hours = {"since": time_format(person.quiet_from), "until": time_format(person.quiet_until)}
            quiet = _("Quiet from %(since)s to %(until)s") % hours
        digest = _("digest at %(time)s (%(zone)s)") % {"time": time_format(person.digest_at), "zone": person.time_zone}
        return f"{quiet}, {digest}"

    @display(description=gettext_lazy("To change it"))
    def change_told(self, team: Team) -> SafeString:
        if team.pk is None:
            return _("Save the team first.")
        address = reverse("notice_settings_team", args=[team.pk])
        words = _("Chat address, test message and kinds of notices")
        return format_html('<a class="sla-link" href="{}">{}</a>', address, words)
