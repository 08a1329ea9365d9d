"""What a manager does with a team's work: reassign many handoffs, set somebody away, and have somebody back."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet, prefetch_related_objects
from django.utils.translation import gettext, ngettext

from leads import roster, routing, tracking
from leads.desk import lock_teams
from leads.models import Assignment, Handoff
from slaportal import formats
from slaportal.models import Absence, Party, Team, User
from slaportal.refusal import Refused


@dataclass
class Handover:
    """What became of handoffs that were to be given to somebody: what was written, and how many were not, by why."""

    written: list[Assignment] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)

    @property
    def given(self) -> int:
        """How many somebody has now."""
        return sum(row.owner_id is not None for row in self.written)

    def in_words(self) -> str:
        """“3 reassigned: 2 to Ruth, 1 to Ron. 1 waits in the queue of Sales DACH. 2 stayed: 2 have ended.”"""
        to = Counter(str(row.owner) for row in self.written if row.owner)
        queued = Counter(str(row.team) for row in self.written if row.owner is None)
        words = [(gettext("%(given)s reassigned") % {"given": self.given}) + (f": {_counted(to, 'to ')}" if to else "")]
        words += [
            ngettext("%(count)s waits in the queue of %(team)s", "%(count)s wait in the queue of %(team)s", count)
            % {"count": count, "team": team}
            for team, count in sorted(queued.items())
        ]
        if self.refused:
            said = ", ".join(f"{count} {why}" for why, count in sorted(self.refused.items()))
            words.append(
                gettext("%(total)s stayed where they were: %(said)s") % {"total": self.refused.total(), "said": said}
            )
        return ". ".join(words) + "."


def managed_teams(user: User) -> QuerySet[Team]:
    """The sales teams whose work the person gives out: the own ones of a manager, all of them for RevOps."""
    if not user.has_perm("leads.assign_handoff"):
        return Team.objects.none()
    if user.has_perm("leads.view_all_handoffs"):
        return Team.objects.filter(party=Party.SALES)
    return Team.objects.filter(manager=user)


@transaction.atomic
def reassign_many(handoffs: Iterable[Handoff], *, to: User | None, why: str, by: User, now: datetime) -> Handover:
    """Give handoffs to a rep of their team who is free, as far as the cap allows, or each to the next by the rules.

    What has ended, belongs to that rep already or is another team's stays; the result says how many.
    """
    if not why.strip():
        raise Refused(gettext("Say why they change hands."))
    fresh = list(tracking.locked(handoffs).values())
    done = Handover()
    done.refused["ended"] = sum(handoff.ended_at is not None for handoff in fresh)
    still = [handoff for handoff in fresh if handoff.ended_at is None]
    if to is None:
        done.written = routing.reassign(still, why=why.strip(), by=by, now=now)
        done.refused[gettext("waiting on, because nobody is free")] = len(still) - len(done.written)
    else:
        moving = _fitting(still, to, done.refused, now=now)
        done.written = routing.assign([(handoff, to) for handoff in moving], why=why.strip(), by=by, now=now)
    done.refused = +done.refused
    # For the words: who and where, read once.
    prefetch_related_objects(done.written, "owner", "team")
    return done


@transaction.atomic
def reassign_one(handoff: Handoff, *, to: User | None, why: str, by: User, now: datetime) -> Assignment:
    """The same of one: what would stay where it is, is refused with the reason."""
    done = reassign_many([handoff], to=to, why=why, by=by, now=now)
    if not done.written:
        raise Refused(gettext("%(handoff)s stays where it is: %(why)s."), handoff=handoff, why=", ".join(done.refused))
    return done.written[0]


def in_words(given: Assignment) -> str:
    """“Given to Ruth.”, or that nobody is free."""
    if given.owner:
        return gettext("Given to %(person)s.") % {"person": given.owner}
    return gettext("Nobody is free: it waits in the queue of %(team)s.") % {"team": given.team}


@transaction.atomic
def set_away(
    person: User, *, first_day: date, last_day: date, note: str, hand_over: bool, by: User, now: datetime
) -> tuple[Absence, Handover | None]:
    """Have nothing given to somebody on these days; what is open may go to others at once, by the rules."""
    _refuse_stranger(person, by)
    today = roster.local_day(person, now)
    if last_day < first_day:
        raise Refused(gettext("The last day away comes before the first."))
    if last_day < today:
        raise Refused(gettext("%(last_day)s is over."), last_day=formats.long_day(last_day))
    # Of two who do it at once the second is told.
    User.objects.select_for_update(no_key=True).get(pk=person.pk)
    if overlap := person.absences.filter(first_day__lte=last_day, last_day__gte=first_day).first():
        raise Refused(gettext("%(overlap)s already. End that first, or choose other days."), overlap=overlap)
    absence = Absence.objects.create(person=person, first_day=first_day, last_day=last_day, note=note.strip())
    if not hand_over:
        return absence, None
    why = gettext("%(person)s is away from %(first_day)s to %(last_day)s") % {
        "person": person,
        "first_day": formats.day_and_month(first_day),
        "last_day": formats.day_and_month(last_day),
    }
    return absence, reassign_many(Handoff.objects.open().filter(owner=person), to=None, why=why, by=by, now=now)


@transaction.atomic
def end_absence(absence: Absence, *, by: User, now: datetime) -> User:
    """Have somebody back from today on; one that has not begun is taken back as a whole."""
    found = Absence.objects.select_for_update(of=("self",)).select_related("person").filter(pk=absence.pk).first()
    if found is None:
        raise Refused(gettext("This absence was ended already."))
    _refuse_stranger(found.person, by)
    today = roster.local_day(found.person, now)
    if found.last_day < today:
        raise Refused(
            gettext("%(person)s has been back since %(last_day)s."),
            person=found.person,
            last_day=formats.short_day(found.last_day + timedelta(days=1)),
        )
    if found.first_day >= today:
        found.delete()
    else:
        found.last_day = today - timedelta(days=1)
        found.save(update_fields=["last_day"])
    return found.person


def _fitting(handoffs: Sequence[Handoff], to: User, refused: Counter[str], *, now: datetime) -> list[Handoff]:
    """Those of the locked handoffs that the rep can get, counting the others by why not."""
    prefetch_related_objects(handoffs, "agreement")
    lock_teams([to.team_id] if to.team_id else [])
    (rep,) = roster.members((), people=[to.pk], now=now)
    if not rep.is_active or rep.is_away:
        raise Refused(gettext("%(person)s is not free: %(why_not)s."), person=to, why_not=rep.why_not)
    if rep.is_full:
        raise Refused(gettext("%(person)s has %(why_not)s."), person=to, why_not=rep.why_not)
    moving = []
    for handoff in sorted(handoffs, key=lambda one: (one.qualified_at, one.pk)):
        if handoff.owner_id == to.pk:
            refused[(gettext("%(person)s’s already") % {"person": to})] += 1
        elif to.team_id != (handoff.team_id or handoff.agreement.sales_team_id):
            refused[(gettext("of another team than %(person)s") % {"person": to})] += 1
        elif rep.is_full:
            refused[(gettext("beyond the cap of %(person)s (%(most)s open)") % {"person": to, "most": rep.most})] += 1
        else:
            rep.open += 1
            moving.append(handoff)
    return moving


def _refuse_stranger(person: User, by: User) -> None:
    if not managed_teams(by).filter(pk=person.team_id).exists():
        raise Refused(gettext("%(person)s is in none of your teams."), person=person)


def _counted(names: Counter[str], before: str) -> str:
    return ", ".join(f"{count} {before}{name}" for name, count in sorted(names.items()))
