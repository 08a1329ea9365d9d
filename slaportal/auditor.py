"""The auditor: what is due and nobody has touched for two minutes, and what else stands still. Reads only, cheaply.

Each room names in `settings.AUDITED` the functions that know its own due rows; all of them read partial indexes.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Count, Exists, Max, Q
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from slaportal import formats, restored, tries
from slaportal.models import Notice, Wire

log = logging.getLogger(__name__)

# Sweeps run each minute; what is due for longer has nobody who sweeps it.
PATIENCE = timedelta(minutes=2)


@dataclass(frozen=True)
class Finding:
    """Something that stands still: what, how many, and since when; `why` where that is known."""

    what: str | Promise
    count: int
    since: datetime | None = None
    why: str = ""

    def __str__(self) -> str:
        if self.why:
            return f"{self.why} {self.count} {self.what}."
        if self.since is None:
            said = _("Due and untouched: %(count)s %(what)s. Is a worker running?")
        else:
            said = _("Due and untouched: %(count)s %(what)s, the oldest since %(since)s. Is a worker running?")
        return said % {"count": self.count, "what": self.what, "since": self.since and _local(self.since)}


def findings(*, now: datetime) -> list[Finding]:
    """Everything that was due two minutes before `now` and that nobody has touched, and mails that wait for a server
    that cannot be reached; empty is as it should be.
    """
    found = []
    for name, what in settings.AUDITED.items():
        count, since = import_string(name)(now - PATIENCE)
        if count:
            found.append(Finding(what, count, since))
    if waiting := unreachable(now):
        found.append(waiting)
    return found


def alarms(*, now: datetime) -> list[str]:
    """What RevOps has to know: what stands still, an outbox that is held, and notices that were given up."""
    said = [str(finding) for finding in findings(now=now)]
    if wire := restored.held():
        said.append(
            _(
                "No mail and no chat message leaves since %(since)s. %(why)s "
                "Look at what waits under Notices, then run manage.py outbox --release."
            )
            % {"since": _local(wire.held_at), "why": wire.held_why}
        )
    if count := failed():
        said.append(
            ngettext(
                "%(count)s notice could not be sent. Send again or cancel what failed under Notices.",
                "%(count)s notices could not be sent. Send again or cancel what failed under Notices.",
                count,
            )
            % {"count": count}
        )
    return said


def tell(*, now: datetime) -> list[Finding]:
    """Write what stands still into the log, and return it."""
    found = findings(now=now)
    for finding in found:
        log.error("auditor: %s", finding)
    return found


def failed() -> int:
    """How many notices were given up and wait for a person."""
    return Notice.objects.in_state(Notice.State.FAILED).count()


def unreachable(now: datetime) -> Finding | None:
    """Mails that wait for a server that cannot be reached. Workers go on asking it, so none of them is untouched."""
    asked = tries.waits_for_server(now) & Q(due_at__gt=now - PATIENCE, created_at__lte=now - PATIENCE)
    found = Notice.objects.waiting().filter(asked).aggregate(count=Count("pk"), why=Max("problem"))
    return Finding(_("mails wait for it"), found["count"], why=found["why"]) if found["count"] else None


def late_notices(before: datetime) -> tuple[int, datetime | None]:
    """How many notices were due before `before` and that no worker holds, and since when.

    While the outbox is held only those that stay in the portal count.
    """
    is_held = Exists(Wire.objects.filter(held_at__isnull=False))
    due = Notice.objects.due(before).filter(Q(channel=Notice.Channel.PORTAL) | ~is_held)
    first = due.order_by("due_at").values_list("due_at", flat=True).first()
    return (due.count() if first else 0), first


def _local(moment: datetime) -> str:
    local = timezone.localtime(moment)
    return f"{formats.day_and_month(local)}, {date_format(local, 'TIME_FORMAT')}"
