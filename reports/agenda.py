"""What a review talks about, drawn from the numbers: what was promised and missed since the last one, and what waits.

Ready to be written as JSON: it is drawn anew at each look until the review is held, and kept as it stood then (rule
R5). Every figure comes with the list that shows it. Reads only.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.db.models import F, Q, QuerySet
from django.urls import reverse

from agreements import terms
from agreements.cadence import Cadence
from agreements.models import Agreement
from leads.models import TIMED_KINDS, Answer, Clock, Dispute, ExclusionRequest, Handoff
from leads.periods import MONTH, QUARTER, WEEK, Period, span
from reports import scorecards
from reports.models import RecoveryPlan
from reports.rhythm import Decision, Review

SCHEMA = 1
# Of each kind so many are named; how many there are is always said.
MOST_NAMED = 8
DAY = timedelta(days=1)
UNITS = {Cadence.WEEKLY: WEEK, Cadence.MONTHLY: MONTH, Cadence.QUARTERLY: QUARTER}


def of(review: Review, *, now: datetime) -> dict[str, Any]:
    """The agenda: as it was kept when the review was held, else as it stands at `now`."""
    return review.agenda if review.agenda is not None else draw(review, now=now)


def draw(review: Review, *, now: datetime) -> dict[str, Any]:
    """The agenda as it stands at `now`."""
    agreement, last = review.agreement, previous(review)
    period = looked_at(review, last, now=now)
    said = {
        "schema": SCHEMA,
        "drawn_at": now.isoformat(),
        "last": last and {"pk": last.pk, "at": last.starts_at.isoformat(), "url": last.get_absolute_url()},
        "decisions": _decisions(agreement, last),
    }
    if period is None:
        said["plans"] = _plans(agreement, now, now)
        return {**said, "period": None, "promises": [], "late": _none(), "disputes": _none(), "exclusions": _none()}
    start, end = period.start(agreement.zone), period.end(agreement.zone)
    return {
        **said,
        "period": {"key": period.key, "last_day": period.last_day.isoformat()},
        "promises": _promises(agreement, period, last, now=now),
        "late": _late(agreement, start, min(end, now)),
        "disputes": _disputes(agreement, start, end, now=now),
        "exclusions": _exclusions(agreement, start, end, now=now),
        "plans": _plans(agreement, start, max(end, now)),
    }


def previous(review: Review) -> Review | None:
    """The review of the agreement that was held before this one."""
    held = Review.objects.held().filter(agreement=review.agreement_id, starts_at__lt=review.starts_at)
    return held.exclude(pk=review.pk).order_by("-starts_at", "-pk").first()


def looked_at(review: Review, last: Review | None, *, now: datetime) -> Period | None:
    """The local days since those that the last review looked at, until the day before this one, or today before it.

    Of a first one the week, month or quarter before its own. None where there is no whole day between two reviews.
    """
    zone = review.agreement.zone
    day, today = review.starts_at.astimezone(zone).date(), now.astimezone(zone).date()
    until = min(day - DAY, today)
    if last is None:
        first = Period.containing(_unit(review, now), day).previous.first_day
    else:
        first = _day_after(last)
    return span(first, until) if first <= until else None


def _day_after(last: Review) -> date:
    """The first day that the last review did not look at."""
    if kept := (last.agenda or {}).get("period"):
        return date.fromisoformat(kept["last_day"]) + DAY
    return last.starts_at.astimezone(last.agreement.zone).date()


def _unit(review: Review, now: datetime) -> str:
    version = review.agreement.versions.in_force(now).first()
    return UNITS.get(terms.of(version).review_cadence, MONTH) if version else MONTH


# --- Promises -------------------------------------------------------------------------------------------------------


def _promises(agreement: Agreement, period: Period, last: Review | None, *, now: datetime) -> list[dict[str, Any]]:
    """Each promise as the scorecard of these days has it, with what the last review saw, and the answers to misses."""
    rows = scorecards.compute(agreement, period, now=now, by=())["commitments"]
    before = {row["code"]: row for row in (last.agenda or {}).get("promises", ())} if last else {}
    answers = _answers(agreement, period)
    return [_promise(agreement, period, row, before.get(row["code"]), answers) for row in rows]


def _promise(
    agreement: Agreement,
    period: Period,
    row: Mapping[str, Any],
    before: Mapping[str, Any] | None,
    answers: Mapping[int, list[dict[str, Any]]],
) -> dict[str, Any]:
    kept = {name: row[name] for name in ("pk", "code", "title", "version", "party", "kind", "target", "expected",
                                         "attainment", "kept", "met", "missed", "open", "excluded")}  # fmt: skip
    of_it = {"commitment": row["pk"]}
    is_timed = row["kind"] in TIMED_KINDS
    return {
        **kept,
        "is_share": row["target_unit"] == "share",
        "unanswered": row["unanswered"] if is_timed else 0,
        "before": before and {name: before[name] for name in ("attainment", "met", "expected")},
        "answers": answers.get(row["pk"], [])[:MOST_NAMED],
        "urls": {
            "met": _list(agreement, period, **of_it, state="met"),
            "missed": _list(agreement, period, **of_it, state="missed"),
            "unanswered": _list(agreement, period, **of_it, answered="no"),
        },
    }


def _answers(agreement: Agreement, period: Period) -> dict[int, list[dict[str, Any]]]:
    """What was said to the misses of these days, by commitment, the newest first."""
    start, end = period.start(agreement.zone), period.end(agreement.zone)
    rows = Answer.objects.filter(
        handoff__agreement=agreement, handoff__qualified_at__gte=start, handoff__qualified_at__lt=end
    )
    found: dict[int, list[dict[str, Any]]] = {}
    for row in rows.select_related("handoff__lead", "by").order_by("-at", "-pk")[: 10 * MOST_NAMED]:
        said = {**_handoff(row.handoff), "cause": row.cause, "action": row.action, "by": str(row.by)}
        found.setdefault(row.commitment_id, []).append(said)
    return found


def _list(agreement: Agreement, period: Period, **chosen: object) -> str:
    """The list of handoffs that shows exactly these."""
    return f"{reverse('handoffs')}?{urlencode({'agreement': agreement.pk, 'period': period.key, **chosen})}"


# --- What waits, and what was decided meanwhile -----------------------------------------------------------------------


def _late(agreement: Agreement, start: datetime, end: datetime) -> dict[str, Any]:
    """Limits that ran out since, of handoffs that began before: the last review saw these as open (rule N1)."""
    rows = Clock.objects.deciding().filter(
        handoff__agreement=agreement,
        handoff__qualified_at__lt=start,
        commitment__kind__in=TIMED_KINDS,
        state=Clock.State.MISSED,
        due_at__gte=start,
        due_at__lt=end,
    )
    named = rows.select_related("handoff__lead", "commitment").order_by("-due_at", "-pk")[:MOST_NAMED]
    lines = [{**_handoff(row.handoff), "promise": row.commitment.title} for row in named]
    return {"count": rows.count(), "lines": lines}


def _disputes(agreement: Agreement, start: datetime, end: datetime, *, now: datetime) -> dict[str, Any]:
    """Questions and disputes that are open, and those that were decided in these days; what waits first."""
    rows = Dispute.objects.filter(handoff__agreement=agreement, opened_at__lte=now)
    rows = rows.filter(_open_or_ended("answered_at", start, end))
    lines = [
        {
            **_handoff(row.handoff),
            "party": row.party,
            "said": row.comment,
            "answer": row.answer,
            "upheld": row.upheld,
            "is_open": row.answered_at is None,
            "by": str(row.answered_by or row.opened_by or ""),
        }
        for row in _waiting_first(rows, "answered_at", "opened_by", "answered_by")
    ]
    return {"count": rows.count(), "open": rows.filter(answered_at=None).count(), "lines": lines}


def _exclusions(agreement: Agreement, start: datetime, end: datetime, *, now: datetime) -> dict[str, Any]:
    """Requests not to count a handoff that wait, and those that were decided in these days; what waits first."""
    rows = ExclusionRequest.objects.filter(handoff__agreement=agreement, asked_at__lte=now)
    rows = rows.filter(_open_or_ended("decided_at", start, end))
    lines = [
        {
            **_handoff(row.handoff),
            "promise": row.commitment.title,
            "said": row.reason,
            "answer": row.note,
            "granted": row.granted,
            "is_open": row.decided_at is None,
            "by": str(row.decided_by or row.asked_by),
        }
        for row in _waiting_first(rows, "decided_at", "commitment", "asked_by", "decided_by")
    ]
    granted = rows.filter(granted=True).count()
    return {"count": rows.count(), "open": rows.waiting().count(), "granted": granted, "lines": lines}


def _plans(agreement: Agreement, start: datetime, end: datetime) -> dict[str, Any]:
    """Recovery plans of either side: those that run, what is not written first, and those that closed meanwhile."""
    rows = RecoveryPlan.objects.filter(commitment__version__agreement=agreement).select_related("commitment")
    rows = rows.filter(_open_or_ended("closed_at", start, end))
    lines = [
        {
            "title": str(row),
            "url": row.get_absolute_url(),
            "figures": row.figures,
            "is_written": bool(row.answered_at),
            "is_closed": bool(row.closed_at),
        }
        for row in rows.open_first()[:MOST_NAMED]
    ]
    return {"count": rows.count(), "open": rows.unwritten().count(), "lines": lines}


def _decisions(agreement: Agreement, last: Review | None) -> dict[str, Any]:
    """What earlier reviews decided and is still owed, and whatever the last one decided; what is owed first."""
    rows = Decision.objects.filter(review__agreement=agreement, review__state__in=("held", "closed"))
    rows = rows.filter(Q(owner__isnull=False, done_at=None) | Q(review=last))
    named = rows.select_related("owner", "draft", "review").order_by(F("due_on").asc(nulls_last=True), "pk")
    lines = [
        {
            "text": row.text,
            "url": f"{row.review.get_absolute_url()}#decision-{row.pk}",
            "owner": str(row.owner or ""),
            "due_on": row.due_on and row.due_on.isoformat(),
            "is_done": row.done_at is not None,
            "draft": row.draft and row.draft.number,
        }
        for row in sorted(named[: 2 * MOST_NAMED], key=lambda row: row.done_at is not None or row.owner_id is None)
    ]
    return {"count": rows.count(), "open": rows.owed().count(), "lines": lines}


def _open_or_ended(field: str, start: datetime, end: datetime) -> Q:
    return Q(**{field: None}) | Q(**{f"{field}__gte": start, f"{field}__lt": end})


def _waiting_first(rows: QuerySet, ended: str, *related: str) -> Iterable[Any]:
    """The first few with what they are about: what waits, longest first, then what ended, newest first."""
    ordered = rows.order_by(F(ended).desc(nulls_first=True), "pk")
    return ordered.select_related("handoff__lead", *related)[:MOST_NAMED]


def _handoff(handoff: Handoff) -> dict[str, Any]:
    return {"handoff": handoff.pk, "lead": str(handoff.lead), "url": handoff.get_absolute_url()}


def _none() -> dict[str, Any]:
    return {"count": 0, "open": 0, "lines": []}
