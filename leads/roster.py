"""Who of a team can be given work now: who is there and at work, and how much each has. Reads only."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.db.models import Count, Exists, OuterRef, Q
from django.utils.translation import gettext as _

from agreements.calendars import BusinessCalendar, WorkingHours, closures_by_calendar, snapshot, thaw
from leads.models import Handoff
from leads.rotas import Rep
from slaportal import formats, roles
from slaportal.models import Absence, User

DAY, MOMENT = timedelta(days=1), timedelta(microseconds=1)


@dataclass(eq=False, kw_only=True)
class Member(Rep):
    """A rep of a team, as routing sees them, with the person and the days on which they are away now."""

    person: User
    is_rep: bool
    absence: Absence | None = None

    @property
    def why_not(self) -> str:
        """Why nothing is given to them: “away until 5 Mar”, “5 of 5 open”; blank where they are free."""
        if not self.is_active:
            return _("cannot log in")
        if self.absence:
            return _("away until %(day)s") % {"day": formats.day_and_month(self.absence.last_day)}
        return self._counted if self.is_full else ""

    @property
    def in_words(self) -> str:
        """“3 open, at work now”, “4 of 5 open”."""
        if self.is_at_work is None:
            return self._counted
        said = _("%(count)s, at work now") if self.is_at_work else _("%(count)s, not at work now")
        return said % {"count": self._counted}

    @property
    def _counted(self) -> str:
        if self.most is None:
            return _("%(open)s open") % {"open": self.open}
        return _("%(open)s of %(most)s open") % {"open": self.open, "most": self.most}


def members(teams: Collection[int], *, people: Collection[int] = (), now: datetime) -> list[Member]:
    """Everybody of these teams with the role Rep, and these people whatever their role, by name."""
    role = User.groups.through.objects.filter(user=OuterRef("pk"), group__name=roles.REP)
    asked = Q(team__in=teams, is_rep=True) | Q(pk__in=people)
    rows = User.objects.annotate(is_rep=Exists(role)).filter(asked).select_related("team")
    found = {person.pk: person for person in rows}
    if not found:
        return []
    away, at_work = absences(found.values(), now=now), _at_work(found, now)
    opened = Handoff.objects.open().filter(owner__in=found).order_by().values_list("owner").annotate(Count("pk"))
    counts = dict(opened)
    return [
        Member(
            key=pk,
            open=counts.get(pk, 0),
            most=person.most_open,
            is_active=person.is_active,
            is_away=pk in away,
            is_at_work=at_work.get(pk),
            person=person,
            is_rep=person.is_rep,
            absence=away.get(pk),
        )
        for pk, person in found.items()
    ]


def absences(people: Iterable[User], *, now: datetime) -> dict[int, Absence]:
    """Who is away now, by id, with the absence that ends last; days are those of each person's own zone."""
    today = {person.pk: local_day(person, now) for person in people}
    day = now.astimezone(UTC).date()
    near = Absence.objects.filter(person__in=today, first_day__lte=day + DAY, last_day__gte=day - DAY)
    return {
        row.person_id: row
        for row in near.order_by("last_day", "pk")
        if row.first_day <= today[row.person_id] <= row.last_day
    }


def local_day(person: User, now: datetime) -> date:
    """Which day it is where the person is."""
    return now.astimezone(ZoneInfo(person.time_zone)).date()


def _at_work(people: Collection[int], now: datetime) -> dict[int, bool]:
    """Whether each is at work, of those whose hours are known."""
    known = WorkingHours.objects.filter(person__in=people).select_related("calendar")
    rows = list(known.prefetch_related("calendar__special_days"))
    calendars = {row.calendar_id: row.calendar for row in rows}
    closures = closures_by_calendar() if calendars else {}
    is_open = {pk: _is_open(calendar, closures.get(pk, ()), now) for pk, calendar in calendars.items()}
    return {row.person_id: is_open[row.calendar_id] for row in rows}


def _is_open(calendar: BusinessCalendar, closed: Iterable[date], now: datetime) -> bool:
    year = now.astimezone(ZoneInfo(calendar.time_zone)).year
    return bool(thaw(snapshot(calendar, years=[year]), closed).windows(now, now + MOMENT))
