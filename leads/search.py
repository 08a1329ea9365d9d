"""One search over what a person may see: agreements by name, leads by name, company and e-mail. Reads only."""

from dataclasses import dataclass

from agreements.models import Agreement
from leads import filters
from leads.models import Handoff
from slaportal.models import User

MOST_HANDOFFS, MOST_AGREEMENTS = 25, 10


@dataclass(frozen=True)
class Found:
    """What a text finds; `more` says that there are handoffs that are not shown."""

    agreements: list[Agreement]
    handoffs: list[Handoff]
    more: bool


def find(user: User, text: str) -> Found:
    """Agreements and handoffs that mention every word, the latest handoffs first. Nothing for a blank text."""
    words = text.split()
    if not words:
        return Found([], [], more=False)
    agreements = Agreement.objects.visible_to(user)
    for word in words:
        agreements = agreements.filter(name__icontains=word)
    handoffs = filters.search(Handoff.objects.visible_to(user), text).select_related("lead", "owner", "agreement")
    rows = list(handoffs.order_by("-qualified_at", "-pk")[: MOST_HANDOFFS + 1])
    return Found(list(agreements.order_by("name")[:MOST_AGREEMENTS]), rows[:MOST_HANDOFFS], len(rows) > MOST_HANDOFFS)
