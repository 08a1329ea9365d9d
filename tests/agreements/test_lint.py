"""Lint of a draft by its terms and by who works when: each rule is raised by one change to a clean draft, alone."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agreements import lint, signoff, terms, wording
from agreements.calendars import BusinessCalendar, SpecialDay, WorkingHours
from agreements.models import Agreement, Commitment, Criterion, Version
from slaportal.models import Team, User
from tests.conftest import MONDAY, make_always, make_calendar, make_commitment, make_step, make_user

TODAY = date(2025, 3, 3)


def make_clean_draft(agreement: Agreement, calendar: BusinessCalendar, **overrides) -> Version:
    """A draft with a promise for everything, of which there is nothing to say."""
    calendar.country, calendar.region = "DE", "BE"
    calendar.save()
    fields = {"score_threshold": 50, "sealing_grace_days": 10, **overrides}
    draft = signoff.new_draft(agreement, by=None, now=MONDAY, calendar=calendar, **fields)
    promise(draft, "volume", target=30)
    promise(draft, "acceptance_rate", target=70)
    promise(draft, "first_response")
    promise(draft, "attempts")
    promise(draft, "disposition", limit=10, unit="business days")
    return draft


def promise(draft: Version, kind: str, scope: str = "", **overrides) -> Commitment:
    """A complete commitment with a ladder, for leads from the source `scope` if one is named."""
    fields = {"title": kind.replace("_", " ").capitalize(), "baseline": 20, "consequence": "Both leaders talk."}
    commitment = make_commitment(draft, kind, **{**fields, **overrides})
    make_step(commitment, "task")
    if scope:
        Criterion.objects.create(commitment=commitment, field="source", value=scope)
    return commitment


@pytest.fixture
def clean(agreement, office) -> Version:
    return make_clean_draft(agreement, office)


def said(version: Version, now=MONDAY) -> list[tuple[str, str, str, str]]:
    """What lint says without its sentences, which all end like one."""
    found = lint.of(version, now=now)
    assert all(one.says[0].isupper() or one.says[0] == "“" for one in found)
    assert all(one.says.endswith(".") and "  " not in one.says and "None" not in one.says for one in found)
    return [(one.group, one.code, one.field, one.commitment) for one in found]


def sentence(version: Version) -> str:
    (only,) = lint.of(version, now=MONDAY)
    return only.says.replace("\xa0", " ")


# --- Changes ------------------------------------------------------------------------------------------------------


def change(**fields) -> Callable[[Version], object]:
    return lambda draft: Version.objects.filter(pk=draft.pk).update(**fields)


def commitment(code: str, **fields) -> Callable[[Version], object]:
    return lambda draft: draft.commitments.filter(code=code).update(**fields)


def without(*codes: str) -> Callable[[Version], object]:
    return lambda draft: draft.commitments.filter(code__in=codes).delete()


def also(kind: str, scope: str = "", **fields) -> Callable[[Version], object]:
    return lambda draft: promise(draft, kind, scope, **fields)


def ladder(code: str, *steps: tuple[str, dict]) -> Callable[[Version], object]:
    """The commitment with this ladder instead of its own."""

    def apply(draft: Version) -> None:
        commitment = draft.commitments.get(code=code)
        commitment.steps.all().delete()
        for action, fields in steps:
            make_step(commitment, action, **fields)

    return apply


def calendar(**fields) -> Callable[[Version], object]:
    return lambda draft: BusinessCalendar.objects.filter(pk=draft.calendar_id).update(**fields)


def elsewhere(code: str, **fields) -> Callable[[Version], object]:
    """The commitment counts in a calendar of its own."""
    fields = {"name": "Boston", "time_zone": "America/New_York", "country": "US", **fields}
    return lambda draft: draft.commitments.filter(code=code).update(calendar=make_calendar(**fields))


def all_at_once(*changes: Callable[[Version], object]) -> Callable[[Version], object]:
    return lambda draft: [apply(draft) for apply in changes]


def special(day: str, hours: str) -> Callable[[Version], object]:
    return lambda draft: SpecialDay.objects.create(calendar=draft.calendar, date=day, hours=hours)


def long_text(code: str, lines: int) -> Callable[[Version], object]:
    return commitment(code, consequence="word " * (19 * lines))


def owner_by_night(draft: Version) -> None:
    night = make_calendar(name="Night", **dict.fromkeys(["monday", "saturday"], "20:00-24:00"), tuesday="",
                          wednesday="", thursday="", friday="")  # fmt: skip
    person = make_user("nils@example.com", name="Nils Nacht", team=draft.agreement.sales_team)
    WorkingHours.objects.create(person=person, calendar=night)


NO_LIMIT = {"limit": None, "unit": ""}
INCOMPLETE, UNREACHABLE, CALENDAR, LADDER = "incomplete", "unreachable", "calendar", "ladder"

RAISED = {
    # incomplete
    "no definition": (change(score_threshold=None), (INCOMPLETE, "no-definition", "score_threshold", "")),
    "no volume": (without("volume"), (INCOMPLETE, "no-quantity", "", "")),
    "no quality": (without("acceptance-rate"), (INCOMPLETE, "no-quality", "", "")),
    "no speed": (without("first-response"), (INCOMPLETE, "no-speed", "", "")),
    "only what nobody signs for is quick": (
        commitment("first-response", kind="routing"),
        (INCOMPLETE, "no-speed", "", ""),
    ),
    "no promise of marketing": (
        without("volume", "acceptance-rate"),
        (INCOMPLETE, "marketing-promises-nothing", "", ""),
    ),
    "no promise of sales": (
        without("first-response", "attempts", "disposition"),
        (INCOMPLETE, "sales-promises-nothing", "", ""),
    ),
    "no share": (commitment("attempts", target=None), (INCOMPLETE, "no-target", "target", "attempts")),
    "no number of leads": (commitment("volume", target=None), (INCOMPLETE, "no-target", "target", "volume")),
    "months alone are no target": (
        commitment("volume", target=None, monthly_targets={"2025-04": 30}),
        (INCOMPLETE, "no-target", "target", "volume"),
    ),
    "no baseline": (commitment("volume", baseline=None), (INCOMPLETE, "no-baseline", "baseline", "volume")),
    "no consequence": (
        commitment("disposition", consequence=""),
        (INCOMPLETE, "no-consequence", "consequence", "disposition"),
    ),
    "a blank consequence": (
        commitment("disposition", consequence=" \n"),
        (INCOMPLETE, "no-consequence", "consequence", "disposition"),
    ),
    "no reviews": (change(review_cadence=""), (INCOMPLETE, "no-review-cadence", "review_cadence", "")),
    # not measurable
    "two limits for every lead": (
        also("first_response", code="faster", limit=1),
        ("not measurable", "two-limits", "covers", "faster"),
    ),
    "two limits for some leads": (
        also("first_response", "Web", code="web", limit=1),
        ("not measurable", "two-limits", "covers", "web"),
    ),
    # unreachable
    "a night is longer": (
        commitment("first-response", limit=24, unit="hours"),
        (UNREACHABLE, "closed-longer-than-limit", "limit", "first-response"),
    ),
    "Easter is a minute longer": (
        commitment("first-response", limit=111 * 60 + 29, unit="minutes"),
        (UNREACHABLE, "closed-longer-than-limit", "limit", "first-response"),
    ),
    "more days than a year opens": (
        commitment("disposition", limit=260, unit="business days"),
        (UNREACHABLE, "too-little-open-time", "limit", "disposition"),
    ),
    "more attempts than hours": (
        commitment("attempts", attempts=43),
        (UNREACHABLE, "no-hour-for-each-attempt", "limit", "attempts"),
    ),
    "more attempts than hours around Easter": (
        commitment("attempts", attempts=9, limit=120, unit="hours"),
        (UNREACHABLE, "no-hour-for-each-attempt", "limit", "attempts"),
    ),
    "closed before the last attempt": (
        commitment("disposition", limit="4.99"),
        (UNREACHABLE, "closed-before-attempts-end", "limit", "disposition"),
    ),
    "closed before the last attempt, day and night": (
        all_at_once(commitment("attempts", limit=7), commitment("disposition", limit=7, unit="days")),
        (UNREACHABLE, "closed-before-attempts-end", "limit", "disposition"),
    ),
    "closed before the last attempt, from one assignment on": (
        all_at_once(commitment("attempts", start="routed"), commitment("disposition", limit=4, start="assigned")),
        (UNREACHABLE, "closed-before-attempts-end", "limit", "disposition"),
    ),
    "a first response after the last attempt": (
        commitment("first-response", limit="5.01", unit="business days"),
        (UNREACHABLE, "response-after-attempts", "limit", "first-response"),
    ),
    # calendar
    "no country": (calendar(country="", region=""), (CALENDAR, "no-holidays", "calendar", "")),
    "a commitment's own calendar without country": (
        elsewhere("first-response", country=""),
        (CALENDAR, "no-holidays", "calendar", "first-response"),
    ),
    "closing at 23:59": (calendar(saturday="10:00-12:00, 20:00-23:59"), (CALENDAR, "closes-at-23-59", "calendar", "")),
    "closing at 23:59 on a special day": (
        special("2025-05-10", "20:00-23:59"),
        (CALENDAR, "closes-at-23-59", "calendar", ""),
    ),
    "a commitment's own calendar closing at 23:59": (
        elsewhere("first-response", friday="09:00-23:59"),
        (CALENDAR, "closes-at-23-59", "calendar", "first-response"),
    ),
    "an owner by night": (owner_by_night, (CALENDAR, "owners-elsewhere", "calendar", "first-response")),
    "sealed too soon": (
        change(sealing_grace_days="9.99"),
        (CALENDAR, "sealed-before-the-longest-limit", "sealing_grace_days", ""),
    ),
    "sealed before a fortnight is over": (
        commitment("disposition", limit=13, unit="days"),
        (CALENDAR, "sealed-before-the-longest-limit", "sealing_grace_days", ""),
    ),
    # ladder
    "a step that the kind cannot take": (
        ladder("volume", ("reassign", {})),
        (INCOMPLETE, "impossible-step", "ladder", "volume"),
    ),
    "minutes from a limit that there is not": (
        ladder("volume", ("task", {"offset": -30})),
        (INCOMPLETE, "impossible-step", "ladder", "volume"),
    ),
    "more than a month": (
        ladder("acceptance-rate", ("task", {"share": 101})),
        (INCOMPLETE, "impossible-step", "ladder", "acceptance-rate"),
    ),
    "no ladder": (ladder("volume"), (LADDER, "no-ladder", "ladder", "volume")),
    "the same step twice": (
        ladder("first-response", ("task", {}), ("task", {"offset": 0})),
        (LADDER, "same-step-twice", "ladder", "first-response"),
    ),
    "the same step of a month twice": (
        ladder("volume", ("task", {}), ("task", {})),
        (LADDER, "same-step-twice", "ladder", "volume"),
    ),
    "before the start": (
        ladder("first-response", ("task", {"offset": -241})),
        (LADDER, "step-before-the-start", "ladder", "first-response"),
    ),
    "reassigned while it can be kept": (
        ladder("first-response", ("reassign", {"share": 99})),
        (LADDER, "taken-before-the-limit", "ladder", "first-response"),
    ),
    "back in the queue while it can be kept": (
        ladder("first-response", ("return to queue", {"offset": -1})),
        (LADDER, "taken-before-the-limit", "ladder", "first-response"),
    ),
    "the owner is told when it is reassigned": (
        ladder("attempts", ("reassign", {}), ("tell owner", {"share": 150})),
        (LADDER, "owner-told-too-late", "ladder", "attempts"),
    ),
    "the owner is told in the moment after": (
        ladder("attempts", ("return to queue", {}), ("tell owner", {})),
        (LADDER, "owner-told-too-late", "ladder", "attempts"),
    ),
    "two steps in one minute": (
        all_at_once(
            commitment("first-response", limit=1, unit="business minutes"),
            ladder("first-response", ("task", {"share": 50}), ("task", {})),
        ),
        (LADDER, "steps-in-one-minute", "ladder", "first-response"),
    ),
    "a team without manager": (ladder("volume", ("tell manager", {})), (LADDER, "no-manager", "ladder", "volume")),
    "a team without chat": (
        ladder("first-response", ("tell chat", {})),
        (LADDER, "no-chat", "ladder", "first-response"),
    ),
    "a team without people": (ladder("volume", ("tell team", {})), (LADDER, "nobody-is-told", "ladder", "volume")),
    "a role that nobody has": (
        ladder("volume", ("tell role", {"role": "Viewer"})),
        (LADDER, "nobody-is-told", "ladder", "volume"),
    ),
    # too heavy
    "a long page": (long_text("volume", 40), ("too heavy", "more-than-one-page", "", "")),
    "a long note": (change(note="line\n" * 40), ("too heavy", "more-than-one-page", "", "")),
}

CLEAN = {
    "nothing changed": lambda draft: None,
    "criteria are a definition": lambda draft: (
        change(score_threshold=None)(draft),
        Criterion.objects.create(version=draft, field="industry", value="Energy"),
    ),
    "required fields are a definition": change(score_threshold=None, required_fields=["phone"]),
    "nought is a target and a baseline": commitment("attempts", target=0, baseline=0),
    "answers to disputes are quick": all_at_once(without("first-response"), also("dispute_answer")),
    "each lead has one limit": all_at_once(
        without("first-response"),
        also("first_response", "Web", code="web"),
        also("first_response", "Fair", code="fair"),
    ),
    "one limit each of two kinds": also("first_touch"),
    "two shares of one kind": also("acceptance_rate", code="again"),
    "as long as Easter": all_at_once(
        commitment("attempts", limit=7), commitment("first-response", limit="111.5", unit="hours")
    ),
    "routing by night": also("routing", limit=5, unit="minutes"),
    "an hour for each attempt": commitment("attempts", attempts=42),
    "an hour for each attempt around Easter": commitment("attempts", attempts=8, limit=120, unit="hours"),
    "closed with the last attempt": commitment("disposition", limit=5),
    "closed as soon, but counted from acceptance": commitment("disposition", limit=4, start="accepted"),
    "closed as soon, but other leads": all_at_once(
        without("disposition", "attempts"), also("attempts", "Web"), also("disposition", "Fair", limit=4)
    ),
    "a first response with the last attempt": commitment("first-response", limit=5, unit="business days"),
    "attempts counted from acceptance": commitment(
        "attempts", start="accepted", attempts=3, limit=3, unit="business hours"
    ),
    "a calendar around the clock": lambda draft: draft.commitments.filter(code="first-response").update(
        calendar=make_always()
    ),
    "open until midnight": calendar(friday="20:00-24:00"),
    "a commitment's own calendar": elsewhere("first-response"),
    "sealed with the longest limit": change(sealing_grace_days=10),
    "the same at two moments": ladder("first-response", ("task", {"share": 80}), ("task", {})),
    "two steps at one moment": ladder("first-response", ("task", {}), ("reassign", {})),
    "one step at the start": ladder("first-response", ("task", {"offset": -240})),
    "taken at the limit": ladder("first-response", ("tell owner", {"share": 99}), ("reassign", {})),
    "told in the moment before it is taken": ladder("first-response", ("tell owner", {}), ("return to queue", {})),
    "two steps a minute apart": ladder("first-response", ("task", {"offset": -1}), ("task", {})),
    "the end of the month": ladder("volume", ("task", {"share": 99}), ("recovery plan", {})),
}


@pytest.mark.parametrize("name", RAISED)
def test_one_change_raises_exactly_its_lint(clean, name):
    apply, expected = RAISED[name]
    apply(clean)
    clean.refresh_from_db()
    assert said(clean) == [expected]


@pytest.mark.parametrize("name", CLEAN)
def test_up_to_its_edge_a_rule_says_nothing(clean, name):
    CLEAN[name](clean)
    clean.refresh_from_db()
    assert said(clean) == []


def test_every_rule_that_terms_can_break_has_its_draft():
    """The rules, by name; what leads say stands in tests/leads/test_draft_lint.py."""
    sides = {f"{side}-promises-nothing" for side in ("marketing", "sales")}
    shares = {f"no-{word}" for word in ("quantity", "quality", "speed")}
    others = {"no-definition", "no-review-cadence", "no-target", "no-baseline", "no-consequence", "two-limits",
              "closed-longer-than-limit", "too-little-open-time", "no-hour-for-each-attempt",
              "closed-before-attempts-end", "response-after-attempts", "no-holidays", "closes-at-23-59",
              "owners-elsewhere", "sealed-before-the-longest-limit", "more-than-one-page", "impossible-step",
              "no-ladder", "same-step-twice", "step-before-the-start", "taken-before-the-limit", "owner-told-too-late",
              "steps-in-one-minute", "no-manager", "no-chat", "nobody-is-told"}  # fmt: skip
    assert {code for _, (_, code, _, _) in RAISED.values()} == sides | shares | others


# --- Groups -------------------------------------------------------------------------------------------------------


def test_only_what_is_incomplete_forbids_the_proposal(clean):
    for apply in (calendar(country="", region=""), change(review_cadence=""), commitment("volume", target=None)):
        apply(clean)
    clean.refresh_from_db()
    blocking = [one for one in lint.of(clean, now=MONDAY) if one.blocks]
    assert [one.code for one in blocking] == ["no-target", "no-review-cadence"]
    assert blocking == lint.incomplete(terms.of(clean, now=MONDAY))


def test_a_blank_draft_lacks_a_definition_and_the_promises_of_both(agreement, office):
    draft = signoff.new_draft(agreement, by=None, now=MONDAY, calendar=office)
    missing = lint.incomplete(terms.of(draft, now=MONDAY))
    assert [one.code for one in missing] == ["no-definition", "marketing-promises-nothing", "sales-promises-nothing"]
    assert missing[1].says == (
        "Marketing promises nothing, and an agreement binds both sides. Add at least a volume of qualified leads and a "
        "share that meets the definition or is accepted."
    )


def test_everything_that_is_blank_is_said_beside_its_field(clean):
    clean.commitments.update(target=None, baseline=None, consequence="")
    found = said(clean)
    assert len(found) == 15
    assert {(field, code) for _, _, field, code in found} == {
        (field, code)
        for field in ("target", "baseline", "consequence")
        for code in ("volume", "acceptance-rate", "first-response", "attempts", "disposition")
    }


# --- Sentences ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("apply", "words"),
    [
        (commitment("volume", target=None), "“Volume” has no target. Say how many leads a month it asks for."),
        (
            commitment("attempts", target=None),
            "“Attempts” has no target. Say what share of handoffs has to keep it.",
        ),
        (
            also("first_response", "Web", code="web", title="Web leads"),
            "“Web leads” can cover the same lead as “First response”, which then has two limits of one kind (first "
            "response). Narrow what they apply to, so that each lead has one.",
        ),
        (
            commitment("first-response", limit=24, unit="hours"),
            "“First response” allows 24 hours, nights and weekends included, but “Office” is closed from Thu 17 Apr "
            "2025 17:30 to Tue 22 Apr 2025 9:00: a lead that comes at the closing bell has no open minute within the "
            "limit. Count it in business time, or allow at least 112 hours.",
        ),
        (
            commitment("attempts", attempts=6, limit=4, unit="business hours"),
            "“Attempts” asks for 6 attempts within 4 business hours, in which “Office” may be open for no more than "
            "4 hours. Allow an open hour for each attempt, or ask for fewer.",
        ),
        (
            commitment("disposition", limit=3),
            "“Disposition” allows 3 business days, but the attempts of “Attempts” go on for 5 business days. Allow at "
            "least as long, or ask for the attempts sooner.",
        ),
        (
            calendar(saturday="10:00-23:59", sunday="10:00-23:59"),
            "“Office” closes at 23:59 on Saturdays and Sundays, so the last minute of the day does not count. Write "
            "24:00.",
        ),
        (
            special("2025-05-10", "20:00-23:59"),
            "“Office” closes at 23:59 on 10 May 2025, so the last minute of the day does not count. Write 24:00.",
        ),
        (
            calendar(country="", region=""),
            "“Office” knows no public holiday before 3 March 2026, so limits run on through all. Choose the country "
            "whose days it keeps.",
        ),
        (
            change(sealing_grace_days=1),
            "A scorecard is final 1 business day after its period, but “Disposition” allows 10 business days. Lengthen "
            "the grace until every clock has run out.",
        ),
        (
            owner_by_night,
            "Nils Nacht is never there while “Office” is open, by which “First response” counts. Choose another "
            "calendar, or correct the working hours.",
        ),
        (
            ladder("volume", ("task", {}), ("tell owner", {})),
            "Step 2 of “Volume” cannot be done: Volume of qualified leads cannot “tell the owner”. Choose from: tell "
            "the manager, tell everybody of a team, tell everybody with a role, post in a team’s chat, open a task for "
            "RevOps, ask for a recovery plan.",
        ),
        (
            ladder("volume", ("task", {"offset": -30})),
            "Step 1 of “Volume” cannot be done: Volume of qualified leads has no limit to count from. Give a share of "
            "the month.",
        ),
        (
            ladder("volume"),
            "“Volume” has a consequence but no ladder: nothing happens by itself, and a miss is found when somebody "
            "looks. Add a step, such as telling the manager at 100 %.",
        ),
        (
            ladder("first-response", ("task", {}), ("task", {})),
            "“First response” says twice that at the limit RevOps gets a task. Drop one.",
        ),
        (
            ladder("first-response", ("task", {"offset": -300})),
            "A step of “First response” is to come 300 minutes before the limit, which is before the clock starts, so "
            "it comes at once. Bring it nearer to the limit.",
        ),
        (
            ladder("first-response", ("reassign", {"share": 50})),
            "“First response” takes the lead from its owner while the promise can still be kept: at 50 % (2 business "
            "hours) the lead goes to the next rep. Let that happen at the limit or later, and tell the owner before.",
        ),
        (
            ladder("first-response", ("reassign", {}), ("tell owner", {"share": 150})),
            "“First response” tells the owner at 150 % (6 business hours), but the lead is taken from them at the "
            "limit, and its owner then is new to it. Tell the owner before that, or the manager.",
        ),
        (
            ladder("first-response", ("return to queue", {}), ("tell owner", {"offset": 60})),
            "“First response” tells the owner 1 business hour after the limit, but the lead is taken from them at the "
            "limit, and nobody owns it then. Tell the owner before that, or the manager.",
        ),
        (
            all_at_once(
                commitment("first-response", limit=1, unit="business minutes"),
                ladder("first-response", ("task", {"share": 50}), ("task", {})),
            ),
            "Two steps of “First response”, at 50 % (0.5 business minutes) and at the limit, come within the same "
            "minute, and the portal looks once a minute. Drop one, or allow longer.",
        ),
        (
            ladder("first-response", ("tell manager", {})),
            "“First response” tells the manager of Sales DACH, which has none. RevOps would be told instead. Name the "
            "team’s manager, or tell a role.",
        ),
        (
            ladder("volume", ("tell chat", {})),
            "“Volume” posts in the chat of Marketing DACH, which has none. Its manager would be told instead. Give the "
            "team the address of its channel, or tell somebody else.",
        ),
        (
            ladder("volume", ("tell team", {})),
            "“Volume” tells everybody of Marketing DACH, and that is nobody. Tell another team, or a role.",
        ),
        (
            ladder("volume", ("tell role", {"role": "Viewer"})),
            "“Volume” tells every Viewer, and there is none. Tell another role, or a team.",
        ),
    ],
)
def test_a_sentence_names_the_thing_and_the_cure(clean, apply, words):
    apply(clean)
    clean.refresh_from_db()
    assert sentence(clean) == words


def test_three_limits_of_one_kind_are_said_beside_each_that_comes_late(clean):
    promise(clean, "first_response", "Web", code="web", title="Web")
    promise(clean, "first_response", "Fair", code="fair", title="Fair")
    assert [code for *_, code in said(clean)] == ["web", "fair"]
    promise(clean, "first_response", code="all", title="All")
    last = lint.of(clean, now=MONDAY)[-1]
    assert "the same lead as “First response”, “Web” and “Fair”" in last.says


def test_the_agreements_own_scope_can_keep_two_limits_apart(clean):
    Criterion.objects.create(
        commitment=clean.commitments.get(code="first-response"), field="country", operator="one of", value="DE; AT"
    )
    other = promise(clean, "first_response", code="other", limit=1)
    Criterion.objects.create(commitment=other, field="country", operator="one of", value="AT; CH")
    assert [code for _, code, _, _ in said(clean)] == ["two-limits"]
    Criterion.objects.create(agreement=clean.agreement, field="country", operator="is not", value="at")
    assert said(clean) == []


# --- Calendars ----------------------------------------------------------------------------------------------------


def with_closed(agreed: terms.Terms, closed: dict, **overrides) -> terms.Terms:
    """The terms with other closed days in their one calendar."""
    frozen = {**agreed.calendars["Office"], "closed": closed, **overrides}
    return replace(agreed, calendars={"Office": frozen})


@pytest.mark.parametrize(
    ("day", "is_known"),
    [("2025-03-02", False), ("2025-03-03", True), ("2026-03-02", True), ("2026-03-03", False)],
)
def test_the_coming_year_has_to_have_a_holiday(clean, day, is_known):
    agreed = with_closed(terms.of(clean, now=MONDAY), {day: "A holiday"})
    found = [one for one in lint.lint(agreed, today=TODAY) if one.code == "no-holidays"]
    assert (found == []) is is_known
    assert all("Look at its country and region." in one.says for one in found)


def test_terms_that_do_not_say_whose_holidays_they_keep_are_judged_by_their_days(clean):
    """Schema 1 froze the days alone."""
    agreed = terms.of(clean, now=MONDAY)
    frozen = {key: value for key, value in agreed.calendars["Office"].items() if key not in ("country", "region")}
    assert lint.lint(replace(agreed, calendars={"Office": frozen}), today=TODAY) == []
    frozen["closed"] = {}
    (only,) = lint.lint(replace(agreed, calendars={"Office": frozen}), today=TODAY)
    assert only.code == "no-holidays"


def test_a_calendar_that_closes_for_good_cannot_hold_a_limit(clean):
    agreed = with_closed(
        terms.of(clean, now=MONDAY), {}, hours={}, special={"2025-05-10": [["10:00", "12:00"]]}, country="DE"
    )
    found = lint.lint(agreed, today=TODAY)
    assert {one.commitment for one in found if one.code == "too-little-open-time"} == {
        "first-response",
        "attempts",
        "disposition",
    }
    assert {one.code for one in found} == {"too-little-open-time", "no-holidays"}


# --- Owners -------------------------------------------------------------------------------------------------------


def works(person: User, calendar: BusinessCalendar) -> None:
    WorkingHours.objects.create(person=person, calendar=calendar)


def test_a_shared_minute_in_four_weeks_is_enough(clean, ron):
    evenings = make_calendar(name="Evenings", **dict.fromkeys(["monday", "tuesday"], "17:30-21:00"), wednesday="",
                             thursday="", friday="")  # fmt: skip
    works(ron, evenings)
    assert [code for _, code, _, _ in said(clean)] == ["owners-elsewhere"]
    BusinessCalendar.objects.filter(pk=evenings.pk).update(tuesday="17:29-21:00")
    assert said(clean) == []


@pytest.mark.parametrize(("days_ahead", "meets"), [(25, True), (29, False)])
def test_a_meeting_beyond_four_weeks_is_too_far(clean, ron, days_ahead, meets):
    nights = make_calendar(name="Nights", **dict.fromkeys(["monday", "tuesday", "wednesday", "thursday", "friday"], ""),
                           sunday="20:00-24:00")  # fmt: skip
    works(ron, nights)
    day = TODAY + timedelta(days=days_ahead)
    SpecialDay.objects.create(calendar=nights, date=day, hours="00:00-24:00")
    assert day.weekday() < 5
    assert (said(clean) == []) is meets


def test_only_active_members_of_the_sales_team_are_asked(clean, ron, max_):
    night = make_calendar(name="Night", monday="20:00-24:00", tuesday="", wednesday="", thursday="", friday="")
    works(max_, night)
    works(ron, night)
    assert len(said(clean)) == 1
    ron.is_active = False
    ron.save()
    assert said(clean) == []
    ron.is_active, ron.team = True, Team.objects.create(name="Other", party="sales")
    ron.save()
    assert said(clean) == []


def test_each_calendar_in_which_sales_is_measured_names_who_is_never_there(clean, ron, ruth):
    boston = make_calendar(name="Boston", time_zone="America/New_York", country="US")
    clean.commitments.filter(code="attempts").update(calendar=boston)
    clean.commitments.filter(kind="volume").update(calendar=boston)
    mornings = dict.fromkeys(["monday", "tuesday", "wednesday", "thursday", "friday"], "09:00-12:00")
    works(ron, make_calendar(name="Mornings", **mornings))
    works(ruth, make_calendar(name="Sundays", sunday="09:00-12:00", **dict.fromkeys(mornings, "")))
    found = {one.commitment: one.says for one in lint.of(clean, now=MONDAY)}
    assert found.keys() == {"first-response", "attempts"}
    assert found["first-response"].startswith("Ruth is never there while “Office” is open")
    assert found["attempts"].startswith("Ron and Ruth are never there while “Boston” is open")


# --- Whom a ladder reaches ----------------------------------------------------------------------------------------


def test_a_step_reaches_the_team_that_owes_the_promise_or_the_one_that_it_names(clean, marketing, sales, max_, mona):
    for code in ("volume", "first-response"):
        ladder(code, ("tell manager", {}), ("tell team", {"share": 90}), ("tell chat", {"share": 80}))(clean)
    assert [(code, where) for _, code, _, where in said(clean)] == [
        ("no-chat", "volume"),
        ("no-manager", "volume"),
        ("no-chat", "first-response"),
    ]
    marketing.chat_url, marketing.manager, sales.chat_url = "slack://a", max_, "slack://b"
    marketing.save()
    sales.save()
    assert said(Version.objects.get(pk=clean.pk)) == []
    partners = Team.objects.create(name="Partners", party="sales")
    ladder("volume", *((f"tell {whom}", {"team": partners}) for whom in ("manager", "team", "chat")))(clean)
    assert [code for _, code, _, _ in said(Version.objects.get(pk=clean.pk))] == [
        "no-manager",
        "nobody-is-told",
        "no-chat",
    ]


def test_operations_has_no_team_so_that_of_sales_is_told(clean, mona):
    promise(clean, "routing", limit=5, unit="minutes").steps.all().delete()
    ladder("routing", ("tell manager", {}))(clean)
    assert said(clean) == []


def test_a_manager_who_has_left_is_none(clean, mona):
    ladder("first-response", ("tell manager", {}))(clean)
    assert said(clean) == []
    User.objects.filter(pk=mona.pk).update(is_active=False)
    assert [code for _, code, _, _ in said(Version.objects.get(pk=clean.pk))] == ["no-manager"]


def test_a_role_of_one_side_is_held_by_people_of_these_teams_and_revops_by_anybody(clean, sofia, rita):
    ladder("first-response", ("tell role", {"role": "Sales leader"}), ("tell role", {"role": "RevOps"}))(clean)
    assert said(clean) == []
    sofia.team = Team.objects.create(name="Sales Nordics", party="sales")
    sofia.save()
    assert [code for _, code, _, _ in said(clean)] == ["nobody-is-told"]


def test_what_many_promises_have_in_common_is_said_once(clean):
    for code in ("first-response", "attempts", "disposition"):
        ladder(code, ("tell manager", {}), ("tell manager", {"share": 80}))(clean)
    assert said(clean) == [(LADDER, "no-manager", "ladder", "first-response")]


# --- One page -----------------------------------------------------------------------------------------------------


def test_a_page_holds_its_lines_and_not_one_more(clean):
    room = lint.LINES_A_PAGE - lint.length(terms.of(clean, now=MONDAY))
    assert room > 5
    change(note="line\n" * room)(clean)
    clean.refresh_from_db()
    assert lint.length(terms.of(clean, now=MONDAY)) == lint.LINES_A_PAGE
    assert said(clean) == []
    change(note="line\n" * (room + 1))(clean)
    clean.refresh_from_db()
    assert said(clean) == [("too heavy", "more-than-one-page", "", "")]
    assert "about 1.1 pages" in sentence(clean)
    assert "Start small" in sentence(clean)


def test_every_part_of_the_document_takes_room(clean):
    """Its length grows with each of them by as many lines as it has."""
    before = lint.length(terms.of(clean, now=MONDAY))
    long_text("volume", 3)(clean)
    assert lint.length(terms.of(clean, now=MONDAY)) == before + 3
    Criterion.objects.create(agreement=clean.agreement, field="source", operator="one of", value="Webinar; " * 40)
    clean = Version.objects.get(pk=clean.pk)
    document = wording.document(terms.of(clean, now=MONDAY))
    assert len(document.covers) > 3 * lint.CHARACTERS_A_LINE
    assert lint.length(terms.of(clean, now=MONDAY)) > before + 6
    before = lint.length(terms.of(clean, now=MONDAY))
    ladder("first-response", *(("task", {"share": share}) for share in range(50, 150, 5)))(clean)
    assert lint.length(terms.of(clean, now=MONDAY)) == before + 3


# --- Cost ---------------------------------------------------------------------------------------------------------


def queries(version: Version) -> int:
    version = Version.objects.get(pk=version.pk)
    with CaptureQueriesContext(
        connection,
    ) as captured:
        lint.of(version, now=MONDAY)
    return len(captured)


def test_more_promises_and_people_take_no_more_queries(clean, ron):
    works(ron, clean.calendar)
    before = queries(clean)
    for number in range(10):
        extra = promise(clean, "first_touch", f"Source {number}", code=f"touch-{number}")
        Criterion.objects.create(commitment=extra, field="industry", value="Energy")
        works(make_user(f"rep{number}@example.com", team=ron.team), clean.calendar)
    assert queries(clean) == before
