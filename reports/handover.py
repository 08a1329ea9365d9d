"""The hand-over seen from marketing's side: what was delivered against the promise, what sales made of it and why, and
what waits between the two. Reads only.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction
from math import ceil
from zoneinfo import ZoneInfo

from django.db.models import Count, Exists, OuterRef, QuerySet
from django.db.models.functions import TruncDate
from django.utils.translation import gettext as _

from agreements import terms
from agreements.calendars import closures_by_calendar
from agreements.models import Agreement, Version, local_midnight
from agreements.terms import Promise
from leads import filters
from leads.models import Clock, Disposition, Dispute, Handoff, ReasonCode, Verdict
from leads.periods import Period
from reports import milestones, pace_chart, volume
from reports.evidence import Evidence, Number
from slaportal import formats, roles
from slaportal.models import Party, User
from slaportal.templatetags.display import word_for

DIMENSIONS = ("source", "campaign")
STAGE_VERDICT = {stage: verdict for verdict, stages in filters.VERDICTS.items() for stage in stages}
# So many values of a break-down, and rows of each list; what is left out is a click away.
GROUPS, ROWS = 50, 10
# A recycled lead “soon”, and one whose day has come and that nobody has handed over again.
SOON, SINCE = timedelta(days=30), timedelta(days=30)
# Older decisions are not looked at, however long an agreement lets them be disputed.
LONGEST_DISPUTE = timedelta(days=120)
DAY, MICROSECOND = timedelta(days=1), timedelta(microseconds=1)


@dataclass(frozen=True)
class Day:
    """One day of the month: what came on it, what had come by its end, and what was due by then."""

    day: date
    delivered: int
    so_far: int
    due: str


@dataclass(frozen=True)
class Pace:
    """A promise of volume in a month: figures, a verdict in words, the line, and the table behind it."""

    title: str
    delivered: int
    numbers: list[Number]
    target: str
    verdict: str
    is_behind: bool | None
    chart: pace_chart.Chart
    days: list[Day]


@dataclass(frozen=True)
class Group:
    """One source or campaign: how many were handed over, what sales said to them, and the reasons of what came back."""

    value: str
    total: Number
    verdicts: list[Number]
    reasons: list[Number]


@dataclass(frozen=True)
class Question:
    """What sales asked, and when marketing's answer is due."""

    dispute: Dispute
    due_at: datetime | None
    is_late: bool


@dataclass(frozen=True)
class Returned:
    """A handoff that sales gave back for its quality, and until when that may be disputed."""

    decision: Disposition
    until: datetime


@dataclass(frozen=True)
class Hand:
    """The page of one agreement and month. Lists come with how many there are."""

    paces: list[Pace]
    total: Group
    groups: list[Group]
    hidden_groups: int
    questions: list[Question]
    waiting: list[Dispute]
    disputable: list[Returned]
    decided: Counter
    below: Number
    below_rows: list[Handoff]
    back: list[Disposition]

    @property
    def upheld(self) -> int:
        """Disputes of the month in which marketing was right."""
        return self.decided[True]

    @property
    def stands(self) -> int:
        """Disputes of the month in which the decision of sales stands."""
        return self.decided[False]


def agreements(user: User) -> QuerySet[Agreement]:
    """Agreements whose hand-over the person looks at; a marketing leader with a team looks at that team's."""
    signed = Exists(Version.objects.agreed().filter(agreement=OuterRef("pk")))
    found = Agreement.objects.visible_to(user).filter(signed).order_by("name")
    if user.has_role(roles.MARKETING_LEADER) and user.team_id:
        found = found.filter(marketing_team=user.team_id)
    return found


def of(agreement: Agreement, month: Period, *, by: str, now: datetime) -> Hand:
    """The page as it stands at `now`, broken down by source or campaign."""
    zone, evidence = agreement.zone, Evidence(agreement.pk, month.key)
    handoffs = Handoff.objects.filter(agreement=agreement).begun_in(month.start(zone), month.end(zone))
    spans = volume.in_force(agreement.versions.agreed().prefetch_related("commitments"))
    total, groups = _groups(handoffs, by, evidence)
    questions, waiting, decided = _disputes(agreement, month, now)
    below = handoffs.filter(below_definition=True)
    return Hand(
        paces=_paces(agreement, month, spans, evidence, now=now),
        total=total,
        groups=groups[:GROUPS],
        hidden_groups=max(len(groups) - GROUPS, 0),
        questions=questions,
        waiting=waiting,
        disputable=_disputable(agreement, now),
        decided=decided,
        below=Number(_("below the definition"), below.count(), evidence.url(below=1)),
        below_rows=list(below.select_related("lead")[:ROWS]),
        back=_back(agreement, now.astimezone(zone).date()),
    )


# --- The pace -----------------------------------------------------------------------------------------------------


def _paces(
    agreement: Agreement, month: Period, spans: Sequence[tuple], evidence: Evidence, *, now: datetime
) -> list[Pace]:
    """A line for each promise of volume; versions that follow each other within the month make one line (rule N6)."""
    zone = agreement.zone
    start, end = month.start(zone), month.end(zone)
    by_code: dict[str, list[tuple[Promise, int, datetime, datetime, int]]] = {}
    for version, since, until in spans:
        if since >= end or until <= start:
            continue
        ids = {row.code: row.pk for row in version.commitments.all()}
        for promise in terms.of(version).promises:
            if promise.kind.code == "volume":
                mine = (promise, ids[promise.code], since, until, version.number)
                by_code.setdefault(promise.code, []).append(mine)
    ids = [pk for mine in by_code.values() for _promise, pk, *_rest in mine]
    came = _by_day(agreement, ids, start, end, zone)
    return [_pace(mine, came, month, zone, evidence, now=now) for mine in by_code.values()]


def _by_day(
    agreement: Agreement, commitments: Iterable[int], start: datetime, end: datetime, zone: ZoneInfo
) -> dict[int, Counter[date]]:
    """By commitment how many were delivered on each local day: exactly those whose clock says met."""
    met = Clock.objects.deciding().filter(
        commitment__in=list(commitments), state=Clock.State.MET, handoff__agreement=agreement,
        handoff__qualified_at__gte=start, handoff__qualified_at__lt=end,
    )  # fmt: skip
    rows = met.order_by().annotate(day=TruncDate("handoff__qualified_at", tzinfo=zone))
    found: dict[int, Counter[date]] = defaultdict(Counter)
    for commitment, day, count in rows.values_list("commitment", "day").annotate(Count("pk")):
        found[commitment][day] += count
    return found


def _pace(
    mine: Sequence[tuple[Promise, int, datetime, datetime, int]],
    came: Mapping[int, Counter[date]],
    month: Period,
    zone: ZoneInfo,
    evidence: Evidence,
    *,
    now: datetime,
) -> Pace:
    days = list(month.days())
    owed = [_owed(mine, day, zone) for day in days]
    has_target = any(one is not None for one in owed)
    due = _running(one or Fraction(0) for one in owed)
    passed = _passed(days, zone, now)
    delivered = [sum(came[pk][day] for _promise, pk, *_rest in mine) for day in days]
    begun = min(ceil(passed), len(days))
    so_far = _running(delivered)[:begun]
    reached = so_far[-1] if so_far else 0
    by_now = _at(due, passed)
    return Pace(
        title=mine[-1][0].title,
        delivered=reached,
        numbers=[
            Number(_("version %(number)s") % {"number": number}, came[pk].total(),
                   evidence.url(commitment=pk, state="met"))
            for _promise, pk, _since, _until, number in mine
        ],
        target=milestones.plain(due[-1]) if has_target else "",
        verdict=in_words(reached, due[-1] if has_target else None, by_now, is_over=passed >= len(days)),
        is_behind=reached < ceil(by_now) if has_target else None,
        chart=pace_chart.draw(so_far, due if has_target else None, days=len(days), passed=passed),
        days=[
            Day(day, delivered[index], so_far[index], milestones.plain(due[index]) if has_target else "")
            for index, day in enumerate(days[:begun])
        ],
    )  # fmt: skip


def in_words(delivered: int, owed: Fraction | None, due: Fraction, *, is_over: bool) -> str:
    """“Behind pace by 19: 43 were due by now.” Leads are whole, so 18.2 due are 19 (rule P2)."""
    if owed is None:
        return _("No target is agreed.")
    whole = ceil(due)
    missing = whole - delivered
    words = {"due": formats.number(whole), "missing": formats.number(missing)}
    if is_over:
        if missing > 0:
            return _("Missed by %(missing)s: %(due)s were due.") % words
        return _("Kept: %(due)s were due.") % words
    if missing > 0:
        return _("Behind pace by %(missing)s: %(due)s were due by now.") % words
    return _("On pace: %(due)s were due by now.") % words


def _owed(mine: Iterable[tuple], day: date, zone: ZoneInfo) -> Fraction | None:
    """What is owed for one day, by the version in force at its first moment."""
    midnight = local_midnight(day, zone)
    for promise, _pk, since, until, _number in mine:
        if since <= midnight < until:
            return volume.expected(promise, {(day.year, day.month): 1})
    return None


def _running(amounts: Iterable) -> list:
    total, found = 0, []
    for amount in amounts:
        total += amount
        found.append(total)
    return found


def _passed(days: Sequence[date], zone: ZoneInfo, now: datetime) -> Fraction:
    """How many days of the month are over, with the part of the running one."""
    today = now.astimezone(zone).date()
    if today > days[-1]:
        return Fraction(len(days))
    begin, end = local_midnight(today, zone), local_midnight(today + DAY, zone)
    return (today - days[0]).days + Fraction((now - begin) // MICROSECOND, (end - begin) // MICROSECOND)


def _at(due: Sequence[Fraction], passed: Fraction) -> Fraction:
    """What is due after so many days, of the running one in proportion."""
    whole = int(passed)
    before = due[whole - 1] if whole else Fraction(0)
    return before if whole >= len(due) else before + (due[whole] - before) * (passed - whole)


# --- What sales made of it ----------------------------------------------------------------------------------------


def _groups(handoffs: QuerySet[Handoff], by: str, evidence: Evidence) -> tuple[Group, list[Group]]:
    """Everything together, and each value of the dimension, the largest first and the blank one last."""
    rows = handoffs.annotate(why=filters.latest_reason()).order_by().values_list(by, "stage", "why")
    counts: dict[str, Counter[tuple[str, int | None]]] = defaultdict(Counter)
    for value, stage, why, count in rows.annotate(Count("pk")):
        counts[value][STAGE_VERDICT[stage], why] += count
    reasons = ReasonCode.objects.in_bulk({why for of_value in counts.values() for _verdict, why in of_value if why})
    everything: Counter = sum(counts.values(), Counter())
    groups = [_group(value, mine, reasons, evidence, {by: value}) for value, mine in counts.items()]
    groups.sort(key=lambda group: (not group.value, -group.total.count, group.value))
    return _group("", everything, reasons, evidence, {}), groups


def _group(
    value: str,
    counts: Counter[tuple[str, int | None]],
    reasons: Mapping[int, ReasonCode],
    evidence: Evidence,
    chosen: Mapping[str, str],
) -> Group:
    said: Counter[str] = Counter()
    whys: Counter[tuple[str, int | None]] = Counter()
    for (verdict, why), count in counts.items():
        said[verdict] += count
        if verdict in (Verdict.RECYCLED, Verdict.REJECTED):
            whys[verdict, why] += count
    return Group(
        value=value,
        total=Number(_("handed over"), counts.total(), evidence.url(**chosen)),
        verdicts=[
            Number(word_for(name).lower(), said[name], evidence.url(verdict=name, **chosen))
            for name in filters.VERDICTS
        ],
        reasons=[
            Number(
                str(reasons[why]) if why else _("no reason"),
                count,
                evidence.url(verdict=verdict, reason=reasons[why].code if why else filters.NOBODY, **chosen),
                str(Verdict(verdict).label),
            )
            for (verdict, why), count in whys.most_common()
        ],
    )


# --- What waits between the two -----------------------------------------------------------------------------------


def _disputes(agreement: Agreement, month: Period, now: datetime) -> tuple[list[Question], list[Dispute], Counter]:
    """Questions that wait for marketing, disputes that wait for RevOps, and how those decided in the month ended."""
    rows = Dispute.objects.filter(handoff__agreement=agreement).select_related("handoff__lead", "opened_by")
    waiting = list(rows.filter(answered_at=None).order_by("opened_at", "pk"))
    asked = [one for one in waiting if one.party == Party.SALES]
    clocks = Clock.objects.filter(
        commitment__kind="dispute_answer", handoff__in=[one.handoff_id for one in asked],
        subject__in=[one.pk for one in asked],
    )  # fmt: skip
    due = dict(clocks.values_list("subject", "due_at"))
    questions = [Question(one, at := due.get(one.pk), at is not None and at < now) for one in asked]
    start, end = month.start(agreement.zone), month.end(agreement.zone)
    decided = rows.filter(party=Party.MARKETING, answered_at__gte=start, answered_at__lt=end).order_by()
    ended = Counter(dict(decided.values_list("upheld").annotate(Count("pk"))))
    far = datetime.max.replace(tzinfo=now.tzinfo)
    questions.sort(key=lambda one: (one.due_at or far, one.dispute.pk))
    return questions, [one for one in waiting if one.party == Party.MARKETING], ended


def _disputable(agreement: Agreement, now: datetime) -> list[Returned]:
    """What sales gave back for its quality and marketing may still dispute, what ends first at the top (rule N10)."""
    disputed = Dispute.objects.filter(handoff=OuterRef("handoff"), party=Party.MARKETING, opened_at__gte=OuterRef("at"))
    given = Disposition.objects.valid().filter(
        ~Exists(disputed), handoff__agreement=agreement, reason__is_quality=True, at__gte=now - LONGEST_DISPUTE,
        handoff__stage__in=(Handoff.Stage.RECYCLED, Handoff.Stage.REJECTED),
    )  # fmt: skip
    related = ("reason", "by", "handoff__lead", "handoff__version")
    closures, latest = closures_by_calendar(), {}
    for decision in given.select_related(*related).order_by("at", "pk"):
        latest[decision.handoff_id] = decision
    found = []
    for decision in latest.values():
        agreed = terms.of(decision.handoff.version)
        calendar = agreed.business_times(closures)[agreed.calendar]
        until = calendar.deadline(decision.at, timedelta(seconds=agreed.dispute_seconds))
        if until >= now:
            found.append(Returned(decision, until))
    return sorted(found, key=lambda one: (one.until, one.decision.pk))


def _back(agreement: Agreement, today: date) -> list[Disposition]:
    """Recycled leads that may come back soon, or could have by now, and that were not handed over again."""
    again = Handoff.objects.filter(lead=OuterRef("handoff__lead"), number__gt=OuterRef("handoff__number"))
    rows = Disposition.objects.valid().filter(
        ~Exists(again), handoff__agreement=agreement, handoff__stage=Handoff.Stage.RECYCLED,
        verdict=Verdict.RECYCLED, back_on__range=(today - SINCE, today + SOON),
    )  # fmt: skip
    return list(rows.select_related("reason", "handoff__lead").order_by("back_on", "pk"))
