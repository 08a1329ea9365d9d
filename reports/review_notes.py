"""What an agreement's page says of its reviews: those that are overdue, and the next one. Reads only."""

from dataclasses import dataclass, field
from datetime import datetime

from django.utils.translation import gettext as _

from agreements.models import Agreement
from reports.review_notices import in_words
from reports.rhythm import Review
from slaportal.models import User


@dataclass(frozen=True)
class Note:
    """Something that waits, with where it is done."""

    words: str
    label: str
    url: str


@dataclass(frozen=True)
class Next:
    """The next review."""

    at: datetime
    url: str


@dataclass(frozen=True)
class Notes:
    """What the page shows above, and beside the facts."""

    overdue: list[Note] = field(default_factory=list)
    next: Next | None = None
    is_off: bool = False  # one that was to come is called off, so that the cadence says nothing of the next one


def of(agreement: Agreement, *, user: User, now: datetime) -> Notes:
    """The notes for whoever may see reviews; nothing for others."""
    planned = Review.objects.visible_to(user).filter(agreement=agreement, state=Review.State.PLANNED)
    rows = list(planned.only("starts_at", "due_at", "state").order_by("starts_at", "pk"))
    overdue = [
        Note(
            _("The review of %(day)s is overdue: it has no minutes.") % {"day": in_words(row.starts_at)},
            _("Open the review"),
            row.get_absolute_url(),
        )
        for row in rows
        if row.due_at <= now
    ]
    upcoming = next((Next(row.starts_at, row.get_absolute_url()) for row in rows if row.due_at > now), None)
    called_off = Review.objects.filter(agreement=agreement, state=Review.State.CANCELLED, starts_at__gt=now)
    return Notes(overdue, upcoming, called_off.exists())
