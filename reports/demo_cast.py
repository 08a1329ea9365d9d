"""Who plays in the demo and what they sign: people, teams, opening hours, two agreements and their versions."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group

from agreements import signoff, terms
from agreements.business_time import BusinessTime
from agreements.calendars import BusinessCalendar, SpecialDay
from agreements.models import Agreement, Commitment, Criterion, Step, Version
from slaportal import roles
from slaportal.models import Party, Team, User

LOGIN_WORDS = "demo-both-sides-keep-it"
DOMAIN = "demo.example"
LEADERS = (roles.MARKETING_LEADER, roles.SALES_LEADER)

# Login, name, role, title, zone. The first of a role is the one whose login is shown.
PEOPLE = (
    ("rena", "Rena Hartwig", roles.REVOPS, "Revenue Operations", "Europe/Berlin"),
    ("katrin", "Katrin Vogelsang", roles.MARKETING_LEADER, "Head of Marketing DACH", "Europe/Berlin"),
    ("stefan", "Stefan Brandauer", roles.SALES_LEADER, "Head of Sales DACH", "Europe/Vienna"),
    ("marlene", "Marlene Fuchs", roles.SALES_MANAGER, "Inside Sales Manager", "Europe/Berlin"),
    ("ulrike", "Dr. Ulrike Sander", roles.VIEWER, "Managing Director", "Europe/Zurich"),
    ("lena", "Lena Hoffmann", roles.REP, "Account Executive", "Europe/Berlin"),
    ("jonas", "Jonas Petersen", roles.REP, "Sales Development", "Europe/Berlin"),
    ("aylin", "Aylin Demirci", roles.REP, "Account Executive", "Europe/Berlin"),
    ("tobias", "Tobias Gruber", roles.REP, "Account Executive", "Europe/Vienna"),
    ("mira", "Mira Zollinger", roles.REP, "Sales Development", "Europe/Zurich"),
    ("pawel", "Paweł Nowicki", roles.REP, "Sales Development", "Europe/Warsaw"),
    ("chiara", "Chiara Moretti", roles.REP, "Account Executive", "Europe/Rome"),
    ("hugo", "Hugo Lambert", roles.REP, "Sales Development", "Europe/Paris"),
    ("nora", "Nora Lindqvist", roles.REP, "Account Executive", "Europe/Stockholm"),
    ("rui", "Rui Carvalho", roles.REP, "Sales Development", "Europe/Lisbon"),
    ("eva", "Eva Novotná", roles.REP, "Sales Development", "Europe/Prague"),
    ("daniel", "Daniel Okafor", roles.REP, "Account Executive", "Europe/London"),
)

WEEK = {
    **dict.fromkeys(("monday", "tuesday", "wednesday", "thursday"), "09:00-12:30, 13:15-17:30"),
    "friday": "09:00-12:30, 13:15-16:00",
}
IDEAL_CUSTOMER = (
    ("company_size", "at least", "50"),
    ("company_size", "at most", "500"),
    ("industry", "one of", "Logistics; Manufacturing; Software; Healthcare; Energy"),
    ("seniority", "one of", "VP; C-suite"),
)
REQUIRED = ["name", "email", "phone", "company", "title"]
FIRST_PROMISES = (
    {"code": "volume", "kind": "volume", "title": "50 MQLs a month", "target": 50, "baseline": 35,
     "consequence": "Marketing moves budget to the sources that deliver, and says so in the next review."},
    {"code": "acceptance-rate", "kind": "acceptance_rate", "title": "Four in five accepted", "target": 80,
     "baseline": 60, "consequence": "Both sides go through every rejection of the month."},
    {"code": "review", "kind": "acceptance", "title": "Review within 24 hours", "limit": 24, "unit": "hours",
     "target": 95, "baseline": 65, "consequence": "The sales manager takes the handoff over."},
    {"code": "contact", "kind": "contact_after_acceptance", "title": "Contact within 4 business hours", "limit": 4,
     "unit": "business hours", "target": 90, "baseline": 55, "consequence": "The handoff goes to another rep."},
    {"code": "reasons", "kind": "reasons_documented", "title": "A reason for every rejection", "target": 100,
     "baseline": 70, "consequence": "A rejection without a reason counts as accepted in the review."},
    {"code": "routing", "kind": "routing", "title": "Routed within 15 minutes", "limit": 15, "unit": "minutes",
     "target": 95, "baseline": 85, "consequence": "RevOps mends the routing within a week."},
)  # fmt: skip
NEW_PROMISES = (
    {"code": "completeness", "kind": "completeness", "title": "Complete records", "target": 95, "baseline": 85,
     "consequence": "Forms without the missing field are taken offline."},
    {"code": "answers", "kind": "dispute_answer", "title": "Questions answered within 2 business days", "limit": 2,
     "unit": "business days", "target": 90, "baseline": 50,
     "consequence": "RevOps decides the open question for sales."},
    {"code": "attempts", "kind": "attempts", "title": "Five attempts in seven days", "attempts": 5, "limit": 7,
     "unit": "days", "target": 90, "baseline": 75, "consequence": "The lead goes back to the queue of the team."},
)  # fmt: skip
# What happens by itself, by the code of the promise: share of the limit, or of the month, and what is done.
LADDERS = {
    "volume": ((60, "tell manager"), (100, "recovery plan")),
    "acceptance-rate": ((100, "task"),),
    "review": ((50, "tell owner"), (80, "tell manager"), (100, "tell manager")),
    "contact": ((50, "tell owner"), (100, "tell manager"), (150, "reassign")),
    "attempts": ((80, "tell owner"), (100, "tell manager"), (120, "return to queue")),
    "answers": ((80, "tell manager"), (100, "task")),
    "routing": ((100, "tell manager"),),
    "response": ((50, "tell owner"), (100, "tell manager")),
}
FIRST_NOTE = "The first agreement in writing. Today nobody knows how many leads are lost between the two teams."
SECOND_NOTE = (
    "After a quarter in which both sides missed: marketing adds complete records and answers to questions, sales adds "
    "five attempts in seven days and a weekend rota for the review, and contact within 4 business hours goes to 95 %."
)
PARTNER_PROMISES = (
    {"code": "volume", "kind": "volume", "title": "3 referrals a month", "target": 3, "baseline": 1,
     "consequence": "Marketing invites two more partners to the next round."},
    {"code": "fit", "kind": "definition_fit", "title": "Nine in ten name their company", "target": 90, "baseline": 70,
     "consequence": "Marketing asks the partner for what is missing."},
    {"code": "response", "kind": "first_response", "title": "First response within 8 business hours", "limit": 8,
     "unit": "business hours", "target": 80, "baseline": 60, "consequence": "The partner manager calls the partner."},
)  # fmt: skip
PARTNER_NOTE = "Partners ask for a quicker answer: 6 business hours instead of 8."


@dataclass(frozen=True)
class Cast:
    """Who plays; `leaders` are the marketing leader and the sales leader, `reps` the dozen in a fixed order."""

    revops: User
    leaders: tuple[User, User]
    manager: User
    reps: tuple[User, ...]
    teams: tuple[Team, Team]


def appear(*, now: datetime) -> Cast:
    """Add the demo's people and its two teams."""
    marketing = Team.objects.create(name="Marketing DACH", party=Party.MARKETING)
    sales = Team.objects.create(name="Sales DACH", party=Party.SALES)
    teams = {
        roles.MARKETING_LEADER: marketing,
        **dict.fromkeys((roles.SALES_LEADER, roles.SALES_MANAGER, roles.REP), sales),
    }
    # One slow hash serves all: the passphrase is no secret.
    password = make_password(LOGIN_WORDS)
    people = User.objects.bulk_create(
        User(email=f"{login}@{DOMAIN}", name=name, title=title, time_zone=zone, team=teams.get(role), password=password,
             date_joined=now, is_staff=role == roles.REVOPS)
        for login, name, role, title, zone in PEOPLE
    )  # fmt: skip
    by_role: dict[str, list[User]] = {}
    for user, (_, _, role, _, _) in zip(people, PEOPLE, strict=True):
        by_role.setdefault(role, []).append(user)
    for role, users in by_role.items():
        Group.objects.get(name=role).user_set.add(*users)
    (marketing_leader,), (sales_leader,) = (by_role[role] for role in LEADERS)
    marketing.manager, sales.manager = marketing_leader, by_role[roles.SALES_MANAGER][0]
    Team.objects.bulk_update([marketing, sales], ["manager"])
    return Cast(
        revops=by_role[roles.REVOPS][0],
        leaders=(marketing_leader, sales_leader),
        manager=sales.manager,
        reps=tuple(by_role[roles.REP]),
        teams=(marketing, sales),
    )


def logins() -> list[tuple[str, str]]:
    """For each role, and for the first rep, the e-mail address to log in with."""
    shown = {role: f"{login}@{DOMAIN}" for login, _, role, _, _ in reversed(PEOPLE)}
    return [(role, shown[role]) for role in roles.ROLES]


def open_office(years: range) -> BusinessCalendar:
    """The sales team's hours: lunch, a short Friday, Berlin's public holidays, two half days at the end of a year."""
    calendar = BusinessCalendar.objects.create(name="Sales DACH", country="DE", region="BE", **WEEK)
    SpecialDay.objects.bulk_create(
        SpecialDay(calendar=calendar, date=date(year, 12, day), hours="09:00-12:30", name=name)
        for year in years
        for day, name in ((24, "Christmas Eve"), (31, "New Year’s Eve"))
    )
    return calendar


def promise_inbound(
    cast: Cast, calendar: BusinessCalendar, *, first_day: date, second_day: date, target: int, drafted: datetime
) -> tuple[Agreement, BusinessTime]:
    """“DACH inbound”: version 1 signed before its first day, version 2 negotiated a month and signed before its own.

    `target` is the monthly volume. Also returns the sales team's opening hours as they were frozen.
    """
    agreement = _agreement(cast, "DACH inbound", 100, ("country", "one of", "DE; AT; CH"))
    promises = [
        {**row, "title": f"{target} MQLs a month", "target": target} if row["kind"] == "volume" else row
        for row in FIRST_PROMISES
    ]
    first = signoff.new_draft(
        agreement, by=cast.revops, now=drafted, calendar=calendar, wanted_from=first_day, note=FIRST_NOTE,
        minimum_group=3,
    )  # fmt: skip
    _define(first, IDEAL_CUSTOMER)
    _promise(first, promises)
    _negotiate(first, cast, cast.leaders, drafted + timedelta(days=2))

    begun = _morning(second_day - timedelta(days=27), agreement)
    second = signoff.new_draft_from(first, by=cast.revops, now=begun)
    second.wanted_from, second.note, second.required_fields = second_day, SECOND_NOTE, REQUIRED
    second.save()
    second.commitments.filter(code="contact").update(target=95)
    _promise(second, NEW_PROMISES)
    _negotiate(second, cast, cast.leaders, begun + timedelta(days=8))
    return agreement, terms.of(second).business_times({})[calendar.name]


def promise_referrals(
    cast: Cast, calendar: BusinessCalendar, *, first_day: date, drafted: datetime, now: datetime
) -> Agreement:
    """“Partner referrals”, asked before the other one; its second version still waits for sales to sign."""
    agreement = _agreement(cast, "Partner referrals", 50, ("source", "is", "Partner"))
    first = signoff.new_draft(
        agreement, by=cast.revops, now=drafted, calendar=calendar, wanted_from=first_day, minimum_group=3
    )
    _define(first, (("company", "filled", ""),))
    _promise(first, PARTNER_PROMISES)
    _negotiate(first, cast, cast.leaders, drafted + timedelta(days=2))

    begun = _morning(now.astimezone(agreement.zone).date() - timedelta(days=9), agreement)
    second = signoff.new_draft_from(first, by=cast.revops, now=begun)
    second.note = PARTNER_NOTE
    second.save()
    second.commitments.filter(code="response").update(limit=6, title="First response within 6 business hours")
    _negotiate(second, cast, cast.leaders[:1], begun + timedelta(days=3))
    return agreement


def _agreement(cast: Cast, name: str, priority: int, scope: tuple[str, str, str]) -> Agreement:
    marketing, sales = cast.teams
    agreement = Agreement.objects.create(name=name, marketing_team=marketing, sales_team=sales, priority=priority)
    field, operator, value = scope
    Criterion.objects.create(agreement=agreement, field=field, operator=operator, value=value)
    return agreement


def _define(version: Version, criteria: tuple[tuple[str, str, str], ...]) -> None:
    Criterion.objects.bulk_create(
        Criterion(version=version, field=field, operator=operator, value=value) for field, operator, value in criteria
    )


def _promise(version: Version, rows: tuple[dict, ...] | list[dict]) -> None:
    after = version.commitments.count()
    made = Commitment.objects.bulk_create(
        Commitment(version=version, calendar=version.calendar, position=after + index, **row)
        for index, row in enumerate(rows)
    )
    Step.objects.bulk_create(
        Step(commitment=commitment, share=share, action=action, position=place)
        for commitment in made
        for place, (share, action) in enumerate(LADDERS.get(commitment.code, ()))
    )


def _negotiate(version: Version, cast: Cast, signers: tuple[User, ...], proposed: datetime) -> None:
    """Propose the draft; each signer takes two days and a few hours."""
    version = signoff.propose(version, by=cast.revops, now=proposed)
    for index, leader in enumerate(signers, 1):
        signoff.sign(
            version, signer=leader, password=LOGIN_WORDS, terms_hash=version.terms_hash, name=leader.name,
            title=leader.title, now=proposed + timedelta(days=2 * index, hours=2 * index, minutes=11 * index),
        )  # fmt: skip


def _morning(day: date, agreement: Agreement) -> datetime:
    """Twenty past nine of a local day; of a weekend, of the Friday before."""
    day -= timedelta(days=max(0, day.weekday() - 4))
    return datetime(day.year, day.month, day.day, 9, 20, tzinfo=agreement.zone)
