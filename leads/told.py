"""Who was told of what happened to a handoff, and when it reached them: lines beside the events of its time line.
Reads only.
"""

from collections.abc import Iterable, Iterator

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from leads.models import Assignment, Dispute, Escalation, ExclusionRequest, Handoff
from leads.timeline import Event
from slaportal.models import Notice


def attach(events: Iterable[Event], handoff: Handoff) -> None:
    """Say beside each event whom it was told to: one query, by the keys under which notices are unique."""
    by_key: dict[str, Event] = {}
    for event in events:
        for key in _keys(event, handoff):
            by_key.setdefault(key, event)
    found: dict[tuple[int, str], list[str]] = {}
    rows = Notice.objects.filter(key__in=by_key).exclude(cancelled_at__isnull=False)
    for row in rows.select_related("recipient").order_by("pk"):
        event, who = by_key[row.key], str(row.recipient) if row.recipient else _("the team’s chat")
        lines = found.setdefault((id(event), who), [])
        if not lines:
            event.told.append((who, lines))
        lines.append(_reached(row))


def _keys(event: Event, handoff: Handoff) -> Iterator[str]:
    fact = event.fact
    match fact:
        case Escalation():
            yield f"step:{handoff.pk}:{fact.step_id}:{fact.subject}"
        case Assignment():
            yield from (f"assigned:{fact.pk}", f"taken:{fact.pk}")
        case Dispute():
            yield f"dispute-closed:{fact.pk}" if event.at == fact.answered_at else f"dispute:{fact.pk}"
        case ExclusionRequest():
            yield f"exclusion-decided:{fact.pk}" if event.at == fact.decided_at else f"exclusion:{fact.pk}"


def _reached(row: Notice) -> str:
    """“Portal 13:12”, “E-mail waits”, “Chat failed: no route”."""
    channel = row.get_channel_display()
    if row.sent_at:
        return f"{channel} {date_format(timezone.localtime(row.sent_at), 'TIME_FORMAT')}"
    if row.failed_at:
        return _("%(channel)s failed: %(why)s") % {"channel": channel, "why": row.problem}
    return _("%(channel)s waits") % {"channel": channel}
