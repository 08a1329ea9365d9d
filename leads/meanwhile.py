"""What others did with a handoff since somebody looked at it, in sentences for whoever comes second. Reads only."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from django.db.models import Q
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from leads.models import Attempt, Disposition, Handoff, Verdict
from leads.owing import in_short
from slaportal.models import User

DID = {
    Verdict.ACCEPTED: gettext_lazy("accepted it"),
    Verdict.RECYCLED: gettext_lazy("recycled it"),
    Verdict.REJECTED: gettext_lazy("rejected it"),
}


def told(handoff: Handoff, seen: str, *, reader: User, now: datetime, zone: ZoneInfo) -> list[str]:
    """`since`, of a moment as a form sends it; what is none tells nothing."""
    moment = _moment(seen)
    return since(handoff, moment, reader=reader, now=now, zone=zone) if moment else []


def tried_too(
    handoff: Handoff, seen: str, own: Sequence[Attempt], *, reader: User, now: datetime, zone: ZoneInfo
) -> list[str]:
    """Attempts that people have logged with the lead since the reader looked, besides these of their own. They refuse
    nothing, since two calls are two calls.
    """
    if (moment := _moment(seen)) is None:
        return []
    fresh = Attempt.objects.valid().filter(lead=handoff.lead_id, entered_at__gt=moment, from_system=False)
    # Nearly always it is their own alone, which is told by the ids.
    others = set(fresh.order_by().values_list("pk", flat=True)) - {one.pk for one in own}
    if not others:
        return []
    rows = Attempt.objects.filter(pk__in=others).select_related("by").order_by("entered_at", "pk")
    return [
        _("%(who)s logged “%(attempt)s” meanwhile (%(at)s).")
        % {
            "who": _("You") if one.by == reader else one.by,
            "attempt": one,
            "at": in_short(one.entered_at, now=now, zone=zone),
        }
        for one in rows
    ]


def _moment(seen: str) -> datetime | None:
    try:
        moment = parse_datetime(seen)
    except ValueError:
        return None
    return None if moment is None or timezone.is_naive(moment) else moment


def since(handoff: Handoff, seen: datetime, *, reader: User, now: datetime, zone: ZoneInfo) -> list[str]:
    """Decisions, holds and outcomes, and what was taken back of them, that came after the reader looked."""
    found: list[tuple[datetime, str]] = []

    def tell(at: datetime, who: User | None, did: str, more: str = "") -> None:
        name = _("You") if who == reader else str(who or _("The system of record"))
        at_words = in_short(at, now=now, zone=zone)
        found.append((at, f"{name} {did} ({at_words}){f': {more}' if more else ''}."))

    dispositions = handoff.dispositions.filter(Q(entered_at__gt=seen) | Q(voided_at__gt=seen))
    decided = list(dispositions.select_related("by", "voided_by", "reason"))
    for one in decided:
        if one.entered_at > seen:
            tell(one.entered_at, one.by, DID[one.verdict], why(one))
        if one.voided_at and one.voided_at > seen:
            tell(one.voided_at, one.voided_by, _("took back: “%s”") % one)
    outcomes = handoff.outcomes.filter(Q(entered_at__gt=seen) | Q(voided_at__gt=seen))
    for one in outcomes.select_related("by", "voided_by"):
        if one.entered_at > seen:
            tell(one.entered_at, one.by, _("recorded: “%s”") % one)
        if one.voided_at and one.voided_at > seen:
            tell(one.voided_at, one.voided_by, _("took back: “%s”") % one)
    # When it was written down: a hold may be backdated (C5). Rows of earlier releases do not say so.
    holds = handoff.holds.annotate(
        written=Coalesce("entered_at", "started_at"), let_go=Coalesce("release_entered_at", "ended_at")
    )
    for held in holds.filter(Q(written__gt=seen) | Q(let_go__gt=seen)).select_related("by", "released_by"):
        if held.written > seen:
            tell(held.written, held.by, _("put it on hold"), held.reason)
        if held.let_go and held.let_go > seen and not decided:
            tell(held.let_go, held.released_by, _("released it"))
    return [words for _at, words in sorted(found, key=lambda one: one[0])]


def taken(handoff: Handoff, *, now: datetime, zone: ZoneInfo) -> str:
    """Who has a handoff that the reader had, since when, and why."""
    last = handoff.assignments.select_related("owner", "team", "by").last()
    if last is None:
        return _("%s is not yours.") % handoff
    words = {
        "lead": handoff,
        "who": last.owner or _("the queue of %s") % last.team,
        "at": in_short(last.at, now=now, zone=zone),
        "why": last.why,
        "by": f" ({last.by})" if last.by else "",
    }
    if last.owner is None:
        return _("%(lead)s is not yours any more: since %(at)s it waits in %(who)s. %(why)s%(by)s.") % words
    return _("%(lead)s is not yours any more: since %(at)s %(who)s has it. Why: %(why)s%(by)s.") % words


def why(decision: Disposition) -> str:
    """Reason and note of a decision."""
    return ", ".join(filter(None, [str(decision.reason or ""), decision.criterion, decision.note]))


def ended(handoff: Handoff, *, reader: User, now: datetime, zone: ZoneInfo) -> str:
    """Who decided that a handoff ended: “Rejected by Mona, 10:42: Duplicate”; blank where nobody did."""
    last = handoff.dispositions.valid().exclude(verdict=Verdict.ACCEPTED).select_related("by", "reason").last()
    if last is None:
        return ""
    who = _("you") if last.by == reader else last.by or _("the system of record")
    words = _("%(did)s by %(who)s, %(at)s") % {
        "did": last.get_verdict_display(),
        "who": who,
        "at": in_short(last.at, now=now, zone=zone),
    }
    more = why(last)
    return f"{words}: {more}" if more else words
