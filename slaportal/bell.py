"""The bell: the notices that a person has in the portal, and which of them were read."""

from datetime import datetime

from django.db.models import QuerySet

from slaportal.models import Notice, User

# Nobody counts further; the bell says “99+”.
MOST_COUNTED = 100


def shown_to(user: User) -> QuerySet[Notice]:
    """What the person was told in the portal, newest first."""
    return Notice.objects.filter(channel=Notice.Channel.PORTAL, recipient=user, sent_at__isnull=False).order_by("-id")


def unread(user: User) -> int:
    """How many of them the person has not read, up to a hundred."""
    return shown_to(user).filter(read_at=None).order_by()[:MOST_COUNTED].count()


def read(notices: QuerySet[Notice], *, now: datetime) -> int:
    """Mark notices as read; those that were read before keep their time. Returns how many."""
    return notices.filter(read_at=None).update(read_at=now)
