"""A stop of six hours over the night in which an hour comes twice, told minute by minute with the verbs themselves."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from zoneinfo import ZoneInfo

from agreements.models import Agreement, Version
from leads import escalations, ticking
from leads.models import Escalation
from slaportal import outbox
from slaportal.models import Notice, NoticePreference, Team, User
from tests.chaos import scene, verdict
from tests.chaos.report import Report
from tests.chaos.services import Services
from tests.conftest import make_calendar, make_commitment, make_step

ZONE = ZoneInfo("Europe/Berlin")
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
BEGIN, END = datetime(2026, 10, 24, 14, tzinfo=UTC), datetime(2026, 10, 25, 12, tzinfo=UTC)
# Berlin puts its clocks back at 01:00 UTC; 02:30 comes at 00:30 and at 01:30.
STOP, AGAIN = datetime(2026, 10, 24, 21, 30, tzinfo=UTC), datetime(2026, 10, 25, 3, 30, tzinfo=UTC)
LIMIT = timedelta(hours=2)
LADDER = {50: "tell owner", 80: "tell owner", 100: "tell manager", 150: "tell manager"}
# When the night shift is open, worked out by hand: an opening takes the first 02:30, a closing the second.
NIGHT_SHIFT = {"saturday": "18:00-24:00", "sunday": "00:00-02:30, 04:00-12:00"}
OPEN = [
    (datetime(2026, 10, 24, 16, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),
    (datetime(2026, 10, 25, 3, tzinfo=UTC), datetime(2026, 10, 25, 11, tzinfo=UTC)),
]
# Of a step: the handoff, the kind of its promise, the share of the limit.
Key = tuple[int, str, int]
ALWAYS = [(BEGIN - timedelta(days=1), END + timedelta(days=1))]


def night(services: Services, report: Report, *, count: int, pace: int) -> None:
    """So many handoffs over a day, a tick every `pace` minutes, none for six hours."""
    version = _agreement()
    owners = _people()
    qualified = [BEGIN + (END - BEGIN) * n / count for n in range(count)]
    waiting = list(zip(islice(cycle(owners), count), qualified, strict=True))
    started: dict[int, datetime] = {}
    last = BEGIN
    for now in _moments(pace):
        begun = [(owner, at) for owner, at in waiting if at <= now]
        waiting = waiting[len(begun) :]
        # Leads come in all the time; it is the sweeps that stand still.
        for owner, at in begun:
            (handoff,) = scene.hand_off([owner], [at], now=at, version=version)
            started[handoff] = at
        if not STOP <= now < AGAIN:
            ticking.tick(now=now)
            outbox.send_due(now=now)
            last = now
    rows = list(Escalation.objects.select_related("step__commitment").order_by("pk"))
    expected = dict(_expected(started, last))
    report.faults("night", _faults(rows, expected, timedelta(minutes=pace)))
    notices = Notice.objects.filter(letter=verdict.LETTER).select_related("recipient")
    report.faults("night", _quiet_faults(notices))
    mails = services.new_mails()
    report.check("night", verdict.copies(mails) == 0, f"{verdict.copies(mails)} mails came twice")
    envelopes = {notice.envelope for notice in notices if notice.channel == "email" and notice.sent_at}
    report.check("night", len(mails) == len(envelopes), f"{len(mails)} mails, {len(envelopes)} envelopes")
    late = sum(row.is_late for row in rows)
    report.check("night", late > 0, "no step came late: was there a stop?")
    report.line(
        "six hours without a sweep over the end of daylight saving time",
        f"{len(rows):,} steps of {count} handoffs, none early, each once and in order, {late} marked late; "
        f"{len(mails)} mails, none in quiet hours",
    )


def _agreement() -> Version:
    """Two promises with the same ladder: one runs round the clock, one only while the night shift is there."""
    sales = Team.objects.get(name="Sales")
    NoticePreference.objects.all().delete()
    agreement = Agreement.objects.create(
        name="Night", marketing_team=Team.objects.get(name="Marketing"), sales_team=sales, time_zone=str(ZONE)
    )
    day_and_night = make_calendar(name="Day and night", **dict.fromkeys(DAYS, "00:00-24:00"))
    shift = make_calendar(**{"name": "Night shift", **dict.fromkeys(DAYS, ""), **NIGHT_SHIFT})
    version = Version.objects.create(agreement=agreement, number=1, calendar=day_and_night)
    hours = LIMIT // timedelta(hours=1)
    for position, (kind, calendar) in enumerate((("first_response", day_and_night), ("first_touch", shift))):
        promise = make_commitment(
            version, kind, limit=hours, unit="business hours", calendar=calendar, position=position
        )
        for share, action in LADDER.items():
            make_step(promise, action, share=share)
    scene.agree(version)
    return version


def _people() -> Sequence[User]:
    """Reps who live in Berlin; every second one sleeps at night."""
    people = scene.reps(20)
    for number, person in enumerate(people):
        person.time_zone = str(ZONE)
        if number % 2:
            person.quiet_from, person.quiet_until = User().quiet_from, User().quiet_until
    User.objects.bulk_update(people, ["time_zone", "quiet_from", "quiet_until"])
    return people


def _moments(pace: int) -> Iterator[datetime]:
    now = BEGIN
    while now <= END:
        yield now
        now += timedelta(minutes=pace)


def _expected(started: dict[int, datetime], last: datetime) -> Iterator[tuple[Key, datetime]]:
    """The last moment before each step is due, for what was due by the last tick."""
    for handoff, at in started.items():
        for kind, windows in (("first_response", ALWAYS), ("first_touch", OPEN)):
            for share in LADDER:
                moment = _used_up(at, LIMIT * share / 100, windows)
                if moment is not None and moment < last:
                    yield (handoff, kind, share), moment


def _used_up(start: datetime, allowance: timedelta, windows: Sequence[tuple[datetime, datetime]]) -> datetime | None:
    """The last moment at which no more than this much of the open time since the start has passed."""
    for opening, closing in windows:
        begin = max(opening, start)
        if closing <= begin:
            continue
        if allowance < closing - begin:
            return begin + allowance
        allowance -= closing - begin
    return None


def _faults(rows: Sequence[Escalation], expected: dict[Key, datetime], pace: timedelta) -> Iterator[str]:
    found: dict[Key, Escalation] = {}
    order: dict[tuple[int, str], int] = Counter()
    for row in rows:
        key = (row.handoff_id, row.step.commitment.kind, row.step.share)
        if key in found:
            yield f"{key} twice"
        found[key] = row
        if row.step.share < order[key[:2]]:
            yield f"{key} after a later step"
        order[key[:2]] = row.step.share
    for key in expected.keys() - found.keys():
        yield f"{key} is missing, due {expected[key]}"
    for key, row in found.items():
        due = expected.get(key)
        if due is None:
            yield f"{key} was not due at all"
            continue
        # The first tick after it was due, or the first one after the stop.
        in_time = due + pace if not STOP - pace < due < AGAIN else AGAIN + pace
        if row.due_at != due:
            yield f"{key} due {row.due_at}, by hand {due}"
        if not due < row.at <= in_time:
            yield f"{key} at {row.at}, due {due}"
        if row.is_late != (row.at - due > escalations.LATE):
            yield f"{key} {'is' if row.is_late else 'is not'} marked late"


def _quiet_faults(notices: Sequence[Notice]) -> Iterator[str]:
    for notice in notices:
        person = notice.recipient
        if notice.sent_at is None or notice.channel != "email" or person.quiet_from is None:
            continue
        on_the_wall = notice.sent_at.astimezone(ZoneInfo(person.time_zone)).time()
        if not person.quiet_until <= on_the_wall < person.quiet_from:
            yield f"{notice} came at {on_the_wall:%H:%M}"
