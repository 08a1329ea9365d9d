"""The side navigation: what each person may open, in the order in which they need it."""

from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise, SimpleLazyObject
from django.utils.translation import gettext_lazy as _

from slaportal import bell


@dataclass(frozen=True)
class Entry:
    """One line of the navigation."""

    label: str | Promise
    url: str
    icon: str
    current: bool


# Label, URL name, icon, permission that it takes (empty: everybody who is logged in).
PLACES = (
    (_("Home"), "home", "home", ""),
    (_("My leads"), "my_leads", "call", "leads.work_handoff"),
    (_("What counted for me"), "counted", "fact_check", "leads.work_handoff"),
    (_("Handoffs"), "handoffs", "swap_horiz", "leads.view_handoff"),
    (_("Team"), "team", "groups", "leads.assign_handoff"),
    (_("Handover"), "handover", "conveyor_belt", "leads.view_all_handoffs"),
    (_("Decisions"), "decisions", "gavel", "leads.change_dispute"),
    (_("Scorecards"), "scorecards", "monitoring", "reports.view_scorecard"),
    (_("Reviews"), "reviews", "event_note", "reports.view_review"),
    (_("Recovery plans"), "recovery_plans", "trending_up", "reports.view_recoveryplan"),
    (_("Agreements"), "agreements", "handshake", "agreements.view_agreement"),
    (_("Rules"), "numbers", "menu_book", ""),
)


def navigation(request: HttpRequest) -> dict[str, object]:
    """Context processor: the entries that the person may open, and what the bell counts; asked only where it shows."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {}
    entries = []
    here = _place(request.path)
    for label, name, icon, permission in PLACES:
        if not permission or user.has_perm(permission):
            url = reverse(name)
            entries.append(Entry(label, url, icon, url == here))
    if user.is_staff:
        entries.append(Entry(_("Admin"), reverse("admin:index"), "settings", False))
    return {"navigation": entries, "unread": SimpleLazyObject(lambda: bell.unread(user))}


def _place(path: str) -> str:
    """The address of the place that a page belongs to: the longest that its own address begins with."""
    addresses = [reverse(name) for __, name, __, __ in PLACES]
    return max(
        (url for url in addresses if path == url or (url != reverse("home") and path.startswith(url))),
        key=len,
        default="",
    )
