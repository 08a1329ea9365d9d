"""What the admin's pages of people and teams show of how they are told of notices."""

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import display

from slaportal import chat, preferences
from slaportal.models import NoticePreference, Team, User

PACES = {
    NoticePreference.Pace.NOW: "at once",
    NoticePreference.Pace.DIGEST: "in the daily digest",
    NoticePreference.Pace.NEVER: "not at all",
}


class ShowsHowTold:
    """Chat address, masked, and what was chosen for each kind; each is changed on one page of the portal."""

    def lookup_allowed(self, lookup: str, value: object, *request: HttpRequest) -> bool:
        """Not by the address: whoever asks for the rows whose address begins so reads it sign by sign."""
        return "chat_url" not in lookup.split("__") and super().lookup_allowed(lookup, value, *request)

    @display(description="Chat")
    def chat(self, owner: User | Team) -> str:
        return chat.masked(owner.chat_url) or "No address"

    @display(description="Told of")
    def told(self, owner: User | Team) -> SafeString:
        if owner.pk is None:
            return "–"
        wishes = preferences.wishes(owner)
        rows = [
            (
                settings.NOTICE_KINDS[kind],
                f"e-mail {PACES[wishes[kind].email]}, chat {PACES[wishes[kind].chat]}"
                + (", urgent" if wishes[kind].is_urgent else ""),
            )
            for kind in preferences.kinds(owner)
        ]
        return format_html("<ul>{}</ul>", format_html_join("", "<li>{}: {}</li>", rows))

    @display(description="Quiet hours and digest")
    def hours(self, person: User) -> str:
        quiet = "no quiet hours"
        if person.quiet_from is not None and person.quiet_until is not None:
            quiet = f"quiet from {person.quiet_from:%H:%M} to {person.quiet_until:%H:%M}"
        return f"{quiet[0].upper()}{quiet[1:]}, digest at {person.digest_at:%H:%M} ({person.time_zone})"

    @display(description="To change it")
    def change_told(self, team: Team) -> SafeString:
        if team.pk is None:
            return "Save the team first."
        address = reverse("notice_settings_team", args=[team.pk])
        return format_html('<a class="sla-link" href="{}">Chat address, test message and kinds of notices</a>', address)
