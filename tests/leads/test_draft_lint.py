"""Lint of a draft by the leads of the last 90 days: each rule is raised by one change to a clean draft, alone."""

import random
import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import numpy as np
import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from agreements import lint, terms
from agreements.calendars import Closure, WorkingHours
from agreements.catalogue import Operator
from agreements.models import Criterion, Version
from leads import clocks, draft_lint, facts, intake, qualification
from leads.models import Assignment, Attempt, Disposition, Handoff, Lead, ReasonCode
from slaportal.models import User
from tests.agreements.test_lint import change, commitment, make_clean_draft, promise
from tests.conftest import make_calendar, make_record

NOW = datetime(2025, 5, 20, 12, 0, tzinfo=UTC)  # a Tuesday, 14:00 in Berlin
HOUR, DAY, MINUTE = timedelta(hours=1), timedelta(days=1), timedelta(minutes=1)


HOLIDAYS = [date(2025, 4, 18), date(2025, 4, 21), date(2025, 5, 1), date(2025, 5, 8)]  # in Berlin, on weekdays


def receive_at(moments: Iterable[datetime], owner: User, prefix: str = "L", **overrides) -> list[Handoff]:
    """A lead at each of these moments, each given to its owner as it came."""
    records = [
        make_record(f"{prefix}{number}", received_at=moment, owner=owner.email, **overrides)
        for number, moment in enumerate(moments)
    ]
    return intake.receive_leads(records, now=NOW).handoffs


def receive_daily(owner: User, days: int = 90, prefix: str = "L", **overrides) -> list[Handoff]:
    """A lead a day, the newest now."""
    return receive_at([NOW - ago * DAY for ago in range(days)], owner, prefix, **overrides)


@pytest.fixture
def history(version, ron) -> list[Handoff]:
    """Ninety leads of ninety days, handed off under the version in force."""
    return receive_daily(ron, industry="Energy", attributes={"tier": "gold"})


@pytest.fixture
def clean(history, version) -> Version:
    """A draft of which neither its terms nor these leads say anything."""
    return make_clean_draft(version.agreement, version.calendar)


def assigned_late(number: int, by: timedelta = 30 * MINUTE) -> None:
    """So many handoffs of working days got their owner later than they began."""
    working = Handoff.objects.exclude(qualified_at__week_day__in=[1, 7]).exclude(qualified_at__date__in=HOLIDAYS)
    ids = list(working.order_by("-qualified_at").values_list("pk", flat=True)[:number])
    assert Assignment.objects.filter(handoff__in=ids).update(at=F("at") + by) == number


def raised(version: Version, now: datetime = NOW) -> list[tuple[str, str, str, str]]:
    found = lint.of(Version.objects.get(pk=version.pk), now=now)
    assert all(one.says.endswith(".") and "  " not in one.says and "None," not in one.says for one in found)
    return [(one.group, one.code, one.field, one.commitment) for one in found]


def sentence(version: Version) -> str:
    (only,) = lint.of(Version.objects.get(pk=version.pk), now=NOW)
    return only.says.replace("\xa0", " ")


def criterion(draft: Version, of: str, field: str, operator: str = "is", value: str = "") -> None:
    """A criterion of the agreement, of the definition, or of the commitment with the code `of`."""
    parents = {"agreement": {"agreement": draft.agreement}, "definition": {"version": draft}}
    parent = parents.get(of) or {"commitment": draft.commitments.get(code=of)}
    Criterion.objects.create(field=field, operator=operator, value=value, **parent)


def asking(of: str, field: str, operator: str = "is", value: str = ""):
    return lambda draft: criterion(draft, of, field, operator, value)


def few_score_enough(draft: Version) -> None:
    """A threshold that ten of the leads reach."""
    ids = list(Lead.objects.values_list("pk", flat=True)[:10])
    Lead.objects.filter(pk__in=ids).update(score=95)
    change(score_threshold=91)(draft)


UNKNOWN, NOBODY, OUT_OF_REACH = "field-nobody-has", "nobody-in-scope", "target-out-of-reach"
BLIND, UNREACHABLE = "not measurable", "unreachable"

RAISED = {
    "scope by an unknown field": (asking("agreement", "country", value="DE"), (BLIND, UNKNOWN, "", "")),
    "scope by an unknown attribute": (asking("agreement", "attributes.plan", value="x"), (BLIND, UNKNOWN, "", "")),
    "definition by an unknown field": (asking("definition", "phone", "filled"), (BLIND, UNKNOWN, "covers", "")),
    "an unknown field that should be empty": (asking("definition", "phone", "empty"), (BLIND, UNKNOWN, "covers", "")),
    "commitment by an unknown field": (
        asking("attempts", "seniority", value="VP"),
        (BLIND, UNKNOWN, "covers", "attempts"),
    ),
    "an unknown required field": (
        change(required_fields=["email", "phone"]),
        (BLIND, UNKNOWN, "required_fields", ""),
    ),
    "no score at all": (
        lambda draft: Lead.objects.update(score=None),
        (BLIND, UNKNOWN, "score_threshold", ""),
    ),
    "scope of none": (asking("agreement", "source", value="Fair"), (BLIND, NOBODY, "", "")),
    "commitment for none": (asking("attempts", "source", value="Fair"), (BLIND, NOBODY, "covers", "attempts")),
    "volume for none": (asking("volume", "source", value="Fair"), (BLIND, NOBODY, "covers", "volume")),
    "more leads than came": (commitment("volume", target=31), (UNREACHABLE, OUT_OF_REACH, "target", "volume")),
    "a definition that too few meet": (few_score_enough, (UNREACHABLE, OUT_OF_REACH, "target", "volume")),
    "a definition that nobody meets": (change(score_threshold=91), (BLIND, "nobody-qualifies", "covers", "")),
    "a limit shorter than routing": (
        commitment("first-response", limit=15, unit="business minutes"),
        (UNREACHABLE, OUT_OF_REACH, "target", "first-response"),
    ),
    "a touch sooner than routing": (
        lambda draft: promise(draft, "first_touch", limit=29, unit="business minutes"),
        (UNREACHABLE, OUT_OF_REACH, "target", "first-touch"),
    ),
    "a review sooner than routing": (
        lambda draft: promise(draft, "acceptance", limit=29, unit="business minutes"),
        (UNREACHABLE, OUT_OF_REACH, "target", "acceptance"),
    ),
}

CLEAN = {
    "nothing changed": lambda draft: None,
    "fields that leads have": lambda draft: [
        criterion(draft, "agreement", "source", "contains", "demo"),
        criterion(draft, "definition", "attributes.tier", "is", "GOLD"),
        criterion(draft, "attempts", "industry", "one of", "energy; Retail"),
        change(required_fields=["email"])(draft),
    ],
    "as many leads as came": commitment("volume", target=30),
    "a limit as long as routing": commitment("first-response", limit=30, unit="business minutes"),
    "a target as high as could be": commitment("first-response", limit=15, unit="business minutes", target="88.88"),
    "a clock that starts with the owner": commitment(
        "first-response", limit=15, unit="business minutes", start="routed"
    ),
    "a commitment for those that were quick": lambda draft: [
        Lead.objects.filter(pk__in=quick()).update(segment="Quick"),
        commitment("first-response", limit=15, unit="business minutes")(draft),
        criterion(draft, "first-response", "segment", value="Quick"),
    ],
    "a definition of those that were quick": lambda draft: [
        Lead.objects.filter(pk__in=quick()).update(segment="Quick"),
        commitment("first-response", limit=15, unit="business minutes")(draft),
        commitment("volume", target=26)(draft),
        criterion(draft, "definition", "segment", value="Quick"),
    ],
}


def quick() -> list[int]:
    """Leads that got their owner at once."""
    return list(Handoff.objects.filter(assignments__at=F("qualified_at")).values_list("lead", flat=True))


@pytest.mark.parametrize("name", RAISED)
def test_one_change_raises_exactly_its_lint(clean, name):
    assigned_late(10)
    apply, expected = RAISED[name]
    apply(clean)
    assert raised(clean) == [expected]


@pytest.mark.parametrize("name", CLEAN)
def test_up_to_its_edge_a_rule_says_nothing(clean, name):
    assigned_late(10)
    CLEAN[name](clean)
    assert raised(clean) == []


def test_without_leads_nothing_is_said(version):
    draft = make_clean_draft(version.agreement, version.calendar)
    criterion(draft, "agreement", "attributes.plan", value="x")
    assert raised(draft) == []


def test_leads_older_than_ninety_days_or_yet_to_come_say_nothing(clean, history):
    moments = {1: NOW - 90 * DAY, 2: NOW + MINUTE}
    for place, moment in moments.items():
        Lead.objects.filter(pk=history[place].lead_id).update(segment="Fair", received_at=moment)
    criterion(clean, "attempts", "segment", value="Fair")
    assert raised(clean) == [(BLIND, NOBODY, "covers", "attempts")]
    Lead.objects.filter(pk=history[1].lead_id).update(received_at=NOW - 90 * DAY + MINUTE)
    assert raised(clean) == []


def test_a_commitments_scope_is_looked_for_among_the_leads_of_the_agreement(clean, ron):
    receive_daily(ron, 3, "F", source="Fair")
    criterion(clean, "attempts", "source", value="Fair")
    assert raised(clean) == []
    criterion(clean, "agreement", "source", "is not", value="Fair")
    assert raised(clean) == [(BLIND, NOBODY, "covers", "attempts")]


def test_a_field_is_named_beside_each_place_that_reads_it(clean):
    for of in ("agreement", "definition", "attempts"):
        criterion(clean, of, "attributes.plan", "is not", "x")
        criterion(clean, of, "attributes.plan", "is not", "y")
    places = [(field, code) for _, _, field, code in raised(clean)]
    assert places == [("", ""), ("covers", ""), ("covers", "attempts")]


# --- Sentences ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("apply", "words"),
    [
        (
            asking("definition", "company_size", "at least", "50"),
            "In none of the last 90 days’ 90 leads is the company size known, and the lead definition reads it. Have "
            "the source send it, or use another field.",
        ),
        (
            asking("agreement", "source", "one of", "Fair; Webinar"),
            "None of the last 90 days’ 90 leads is in the agreement’s scope (source is one of Fair, Webinar). Widen "
            "which leads it covers.",
        ),
        (
            asking("attempts", "score", "at most", "40"),
            "None of the last 90 days’ 90 leads is among those to which “Attempts” applies (score is at most 40). "
            "Widen that, or leave it out until such leads come.",
        ),
        (
            commitment("volume", target=40),
            "“Volume” asks for 40 leads a month; of the last 90 days’ 90 leads those that meet this definition were "
            "30.7 a month. Lower the target, or widen the definition.",
        ),
        (
            commitment("first-response", limit=15, unit="business minutes"),
            "“First response”: at best 88.8 % of the last 90 days’ 90 handoffs could have been met; the target is "
            "95 %. Lower the target, allow longer, or assign leads sooner.",
        ),
    ],
)
def test_a_sentence_names_the_thing_and_the_cure(clean, apply, words):
    assigned_late(10)
    apply(clean)
    assert sentence(clean) == words


# --- What could have been reached ---------------------------------------------------------------------------------


def out_of_reach(draft: Version, now: datetime = NOW) -> dict[str, tuple[Fraction, int]]:
    """By commitment the share that could have been met at best, floored, and of how many handoffs."""
    found = {}
    for one in draft_lint.lint(draft, terms.of(draft, now=now), now=now):
        if one.code == OUT_OF_REACH and one.commitment != "volume":
            percent, total = re.search(r"at best ([\d.]+)\s% of the last 90 days’ ([\d,]+) handoff", one.says).groups()
            found[one.commitment] = Fraction(percent), int(total.replace(",", ""))
    return found


def test_what_a_night_uses_up_in_calendar_time_could_not_be_met(clean, history):
    """Of 90 handoffs at 14:00 those on weekends and holidays waited for the next opening."""
    commitment("first-response", limit=1, unit="hours")(clean)
    hours = terms.of(clean, now=NOW).business_times({})["Office"]
    closed = sum(not hours.windows(handoff.qualified_at, handoff.qualified_at + MINUTE) for handoff in history)
    assert closed == 13 * 2 + len(HOLIDAYS)
    percent = Fraction(1000 * (90 - closed) // 90, 10)
    assert out_of_reach(clean) == {"first-response": (percent, 90)}


def test_a_closure_added_since_counts_as_closed(clean, history, rita):
    commitment("first-response", limit=2, unit="hours", target=100)(clean)
    before, day = out_of_reach(clean), NOW - DAY
    Closure.objects.create(calendar=clean.calendar, date=day.date(), reason="Strike", added_by=rita, added_at=NOW)
    assert before == {"first-response": (Fraction(1000 * 60 // 90, 10), 90)}
    assert out_of_reach(clean) == {"first-response": (Fraction(1000 * 59 // 90, 10), 90)}


def test_below_the_definition_and_outside_the_scope_nothing_counts(clean, history, ron):
    commitment("first-response", limit=15, unit="business minutes")(clean)
    assigned_late(40)
    assert out_of_reach(clean) == {"first-response": (Fraction("55.5"), 90)}
    Lead.objects.filter(pk__in=[handoff.lead_id for handoff in history[:30]]).update(score=49)
    assert out_of_reach(clean)["first-response"][1] == 60
    Lead.objects.filter(pk__in=[handoff.lead_id for handoff in history[30:40]]).update(source="Fair")
    criterion(clean, "first-response", "source", "is not", "Fair")
    assert out_of_reach(clean)["first-response"][1] == 50
    criterion(clean, "agreement", "source", "is not", "Fair")
    Criterion.objects.filter(commitment__isnull=False).delete()
    assert out_of_reach(clean)["first-response"][1] == 50


def test_only_handoffs_of_the_agreement_begun_in_the_last_ninety_days_count(clean, history):
    commitment("first-response", limit=15, unit="business minutes", target=100)(clean)
    assigned_late(10)
    Handoff.objects.filter(pk=history[50].pk).update(qualified_at=NOW - 90 * DAY)
    assert out_of_reach(clean)["first-response"][1] == 89
    # Its lead is older than the leads that are read, and counts all the same.
    Lead.objects.filter(pk=history[60].lead_id).update(received_at=NOW - 200 * DAY)
    assert out_of_reach(clean)["first-response"][1] == 89
    other = Version.objects.get(pk=history[0].version_id).agreement
    other.pk, other.name = None, "Other"
    other.save()
    Handoff.objects.filter(pk__in=[handoff.pk for handoff in history[70:80]]).update(agreement=other)
    assert out_of_reach(clean)["first-response"][1] == 79


def test_a_handoff_without_an_owner_is_lost_once_its_limit_is_used_up(clean, history):
    commitment("first-response", limit=2, unit="business hours", target=100)(clean)
    assert out_of_reach(clean) == {}
    newest, yesterday = history[0], history[1]
    Assignment.objects.filter(handoff__in=[newest, yesterday]).delete()
    # The one that came now has its two hours before it, and is not counted.
    assert out_of_reach(clean) == {"first-response": (Fraction(98 * 10 + 8, 10), 89)}
    commitment("first-response", start="routed")(clean)
    assert out_of_reach(clean) == {}


def test_contact_after_acceptance_starts_with_the_acceptance(clean, history):
    """Accepted on a Saturday, worked on Monday: in calendar time that is late."""
    promise(clean, "contact_after_acceptance", limit=24, unit="hours", target=100)
    assert out_of_reach(clean) == {}
    for handoff in history:
        Disposition.objects.create(handoff=handoff, verdict="accepted", at=handoff.qualified_at, entered_at=NOW)
    (percent, total) = out_of_reach(clean)["contact-after-acceptance"]
    assert (total, percent < 90) == (90, True)
    Disposition.objects.filter(handoff__in=[one.pk for one in history[:45]]).update(voided_at=NOW)
    assert out_of_reach(clean)["contact-after-acceptance"][1] == 45


def test_fewer_handoffs_than_the_agreed_group_say_nothing(clean, history):
    commitment("first-response", limit=15, unit="business minutes")(clean)
    assigned_late(20)
    Lead.objects.filter(pk__in=[handoff.lead_id for handoff in history[5:]]).update(segment="Other")
    criterion(clean, "first-response", "segment", "is not", "Other")
    assert out_of_reach(clean)["first-response"][1] == 5
    Version.objects.filter(pk=clean.pk).update(minimum_group=6)
    assert out_of_reach(Version.objects.get(pk=clean.pk)) == {}


CHANNELS = {
    "first_response": {"outcome": "no_answer"},
    "first_touch": {"outcome": "connected"},
    "attempts": {"outcome": "connected"},
}


@pytest.mark.parametrize("kind", [*CHANNELS, "acceptance", "disposition"])
@pytest.mark.parametrize(
    ("amount", "unit", "start"),
    [
        (40, "business minutes", "qualified"),
        (20, "hours", "qualified"),
        (20, "hours", "routed"),
        (3, "business hours", "assigned"),
    ],
)
def test_at_best_is_what_the_evaluation_says_of_whoever_acts_at_once(version, ron, kind, amount, unit, start):
    """Sixty handoffs with any delay before their owner; each is then worked with the owner's first open moment."""
    chance = random.Random(f"{kind} {amount} {unit} {start}")
    moments = [NOW - 5 * DAY - chance.randrange(80 * 24 * 60) * MINUTE for _ in range(60)]
    handoffs = receive_at(moments, ron)
    draft = make_clean_draft(version.agreement, version.calendar)
    draft.commitments.all().delete()
    promise(draft, kind, limit=amount, unit=unit, start=start, target=100)
    agreed = terms.of(draft, now=NOW)
    calendars = agreed.business_times({})
    hours, by = calendars["Office"], Disposition if kind in ("acceptance", "disposition") else Attempt
    for handoff, moment in zip(handoffs, moments, strict=True):
        assigned = moment + chance.choice([0, 0, 20, 40, 90, 600]) * MINUTE
        Assignment.objects.filter(handoff=handoff).update(at=assigned)
        acted = hours.deadline(assigned, timedelta())
        if by is Attempt:
            fields = {"lead": handoff.lead, **CHANNELS[kind]}
        else:
            fields = {"handoff": handoff, "verdict": "recycled" if kind == "disposition" else "accepted"}
            fields |= {"reason": reason()} if kind == "disposition" else {}
        by.objects.create(at=acted, entered_at=acted, from_system=True, **fields)
    found = facts.load([handoff.pk for handoff in handoffs], agreed, version.agreement_id)
    found.handoffs["in_scope"] = 1
    states = clocks.evaluate(agreed, calendars, found, NOW)["state"]
    met = int((states == clocks.MET).sum())
    assert set(np.unique(states)) <= {clocks.MET, clocks.MISSED}
    expected = {} if met == 60 else {kind.replace("_", "-"): (Fraction(1000 * met // 60, 10), 60)}
    assert out_of_reach(draft) == expected


def reason() -> ReasonCode:
    """One that only contact can tell, so that it takes no clock away."""
    return ReasonCode.objects.filter(for_recycled=True, needs_contact=True).first()


# --- Volume -------------------------------------------------------------------------------------------------------


def volume_of(draft: Version) -> list[str]:
    """The monthly rate that the lint of the volume names."""
    found = draft_lint.lint(draft, terms.of(draft, now=NOW), now=NOW)
    return [re.search(r"were ([\d.,]+) a month", one.says)[1] for one in found if one.commitment == "volume"]


def test_leads_of_less_than_a_month_tell_nothing_of_a_month(version, ron):
    draft = make_clean_draft(version.agreement, version.calendar)
    commitment("volume", target=500)(draft)
    receive_daily(ron, 31)
    assert volume_of(draft) == []
    receive_at([NOW - 31 * DAY], ron, "M")
    assert volume_of(draft) == ["31.3"]  # 32 leads in 31 days


def test_a_volume_that_came_exactly_can_be_reached(version, ron):
    """A month is a twelfth of a year: 72 leads in 73 days, a fifth of one, are 30 a month."""
    draft = make_clean_draft(version.agreement, version.calendar)
    received = receive_daily(ron, 74)
    Lead.objects.filter(pk__in=[received[0].lead_id, received[1].lead_id]).update(score=49)
    assert volume_of(draft) == []
    commitment("volume", target="30.01")(draft)
    assert volume_of(draft) == ["30"]


def test_only_leads_in_scope_that_meet_the_definition_count(clean, history):
    commitment("volume", target=29)(clean)
    assert volume_of(clean) == []
    Lead.objects.filter(pk__in=[handoff.lead_id for handoff in history[:30]]).update(score=49)
    assert volume_of(clean) == ["20.5"]
    Lead.objects.filter(pk__in=[handoff.lead_id for handoff in history[30:60]]).update(segment="SMB")
    criterion(clean, "volume", "segment", "is not", "smb")
    assert volume_of(clean) == ["10.2"]
    Lead.objects.filter(pk__in=[handoff.lead_id for handoff in history[60:75]]).update(source="Fair")
    criterion(clean, "agreement", "source", "is not", "fair")
    assert volume_of(clean) == ["5.1"]


def test_waiting_and_unmatched_leads_count_for_the_volume_too(clean, history):
    """They are what a wider definition would hand over."""
    Handoff.objects.all().delete()
    Lead.objects.update(state="waiting")
    assert raised(clean) == []


# --- Cost ---------------------------------------------------------------------------------------------------------


def test_no_more_than_the_newest_leads_and_handoffs_are_read(clean, history, monkeypatch):
    assigned_late(10)
    monkeypatch.setattr(draft_lint, "MOST", 20)
    Lead.objects.filter(pk__in=[handoff.lead_id for handoff in history[20:]]).update(segment="Old")
    criterion(clean, "attempts", "segment", value="Old")
    commitment("first-response", limit=15, unit="business minutes")(clean)
    commitment("volume", target=40)(clean)
    found = {one.code + one.commitment: one.says for one in lint.of(clean, now=NOW)}
    assert found.keys() == {f"{NOBODY}attempts", f"{OUT_OF_REACH}first-response", f"{OUT_OF_REACH}volume"}
    assert found[f"{NOBODY}attempts"].startswith("None of the newest 20 leads is")
    assert "of the newest 20 leads those" in found[f"{OUT_OF_REACH}volume"]
    assert "were 32 a month" in found[f"{OUT_OF_REACH}volume"]  # 20 leads in 19 days
    assert "20 handoffs among the newest 20 could" in found[f"{OUT_OF_REACH}first-response"]


def queries(draft: Version) -> int:
    draft = Version.objects.get(pk=draft.pk)
    agreed = terms.of(draft, now=NOW)
    with CaptureQueriesContext(connection) as captured:
        draft_lint.lint(draft, agreed, now=NOW)
    return len(captured)


def test_more_criteria_promises_and_leads_take_no_more_queries(clean, ron):
    assert queries(clean) == 3  # leads, handoffs, closures
    for number in range(5):
        promise(clean, "first_touch", f"Source {number}", code=f"touch-{number}")
        criterion(clean, "definition", "attributes.tier", "is not", f"tier {number}")
    receive_daily(ron, 30, "M")
    assert queries(clean) == 3


def test_where_there_is_nothing_to_ask_nothing_is_read(version, clean):
    criterion(clean, "agreement", "source", value="Fair")
    assert queries(clean) == 1
    Lead.objects.all().update(received_at=NOW + DAY)
    assert queries(clean) == 1


# --- Columns ------------------------------------------------------------------------------------------------------

ODD = [None, "", "  ", " Energy ", "energy", "ENERGY demo", "0", "1.0", "1e0", "Straße", "STRASSE", "1_0"]


def test_a_sample_says_of_each_lead_what_qualification_says(db, version):
    plan = [*ODD, 0, 1, 1.0, True, False, [1, "a"], {"deep": 1}, "[1, 'a']"]
    rows = [
        Lead(external_id=f"{n}", received_at=NOW, industry=ODD[n % len(ODD)] or "", score=[None, 0, 1, 80][n % 4],
             attributes={} if n % 7 == 0 else {"plan": plan[n % len(plan)], "other": n})
        for n in range(120)
    ]  # fmt: skip
    Lead.objects.bulk_create(rows)
    tests = [
        terms.Test(field, operator, () if operator in (Operator.EMPTY, Operator.FILLED) else (value,))
        for field in ("industry", "score", "attributes.plan", "attributes.never", "phone")
        for operator in Operator
        for value in (
            ["1", "0"] if operator in (Operator.AT_LEAST, Operator.AT_MOST) else ["energy", "1", "Strasse", "[1"]
        )
    ]
    agreed = terms.of(version)
    draft = terms.Terms(**{**vars(agreed), "criteria": tuple(tests)})
    sample = draft_lint.Sample(Lead.objects.order_by("-pk"), draft)
    leads = list(Lead.objects.order_by("-pk"))
    assert sample.ids.tolist() == [lead.pk for lead in leads]
    for test in tests:
        assert sample.meeting([test]).tolist() == [qualification.meets(test, vars(lead)) for lead in leads], test
    both = [tests[0], tests[7]]
    assert sample.meeting(both).tolist() == [all(qualification.meets(t, vars(lead)) for t in both) for lead in leads]
    assert sample.meeting([]).all()


def test_no_leads_are_a_sample_of_none(db, version):
    sample = draft_lint.Sample(Lead.objects.none(), terms.of(version))
    assert (len(sample), sample.meeting([]).tolist()) == (0, [])


def test_the_definition_of_a_sample_is_that_of_the_intake(clean, history):
    """One question, two askers: the volume counts exactly the leads that would qualify."""
    for place, score in enumerate([None, 0, 49, 50, 51, 90]):
        Lead.objects.filter(pk=history[place].lead_id).update(score=score)
    criterion(clean, "definition", "attributes.tier", "is not", "silver")
    commitment("volume", target=500)(clean)
    agreed = terms.of(clean, now=NOW)
    qualified = sum(not qualification.failed(agreed, vars(lead)) for lead in Lead.objects.all())
    assert qualified == 87
    (only,) = draft_lint.lint(clean, agreed, now=NOW)
    assert f"were {float(int(10 * qualified * 365 / 12 / 89)) / 10:g} a month" in only.says


def test_an_owners_lint_and_the_leads_stand_side_by_side(clean, ron):
    WorkingHours.objects.create(person=ron, calendar=make_calendar(name="Night", **{
        **dict.fromkeys(["tuesday", "wednesday", "thursday", "friday"], ""), "monday": "20:00-24:00"}))  # fmt: skip
    commitment("volume", target=500)(clean)
    assert [code for _, code, _, _ in raised(clean)] == ["owners-elsewhere", OUT_OF_REACH]
