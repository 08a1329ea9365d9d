"""The side navigation: what each person may open, in the order in which they need it."""

from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import SimpleLazyObject

from slaportal import bell


@dataclass(frozen=True)
class Entry:
    """One line of the navigation."""

    label: str
    url: str
    icon: str
    current: bool


# Label, URL name, icon, permission that it takes (empty: everybody who is logged in).
PLACES = (
    ("Home", "home", "home", ""),
    ("My leads", "my_leads", "call", "leads.work_handoff"),
    ("What counted for me", "counted", "fact_check", "leads.work_handoff"),
    ("Handoffs", "handoffs", "swap_horiz", "leads.view_handoff"),
    ("Team", "team", "groups", "leads.assign_handoff"),
    ("Scorecards", "scorecards", "monitoring", "reports.view_scorecard"),
    ("Recovery plans", "recovery_plans", "trending_up", "reports.view_recoveryplan"),
    ("Agreements", "agreements", "handshake", "agreements.view_agreement"),
    ("Rules", "numbers", "menu_book", ""),
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
        entries.append(Entry("Admin", reverse("admin:index"), "settings", False))
    return {"navigation": entries, "unread": SimpleLazyObject(lambda: bell.unread(user))}


def _place(path: str) -> str:
    """The address of the place that a page belongs to: the longest that its own address begins with."""
    addresses = [reverse(name) for _, name, _, _ in PLACES]
    return max(
        (url for url in addresses if path == url or (url != reverse("home") and path.startswith(url))),
        key=len,
        default="",
    )
