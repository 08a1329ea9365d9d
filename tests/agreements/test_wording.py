"""Terms in plain English, from frozen terms as they are written at a proposal."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from agreements import terms, wording
from agreements.calendars import snapshot
from agreements.catalogue import CATALOGUE
from agreements.models import Commitment, Criterion, Version
from slaportal.models import Party
from tests.conftest import MONDAY, make_always, make_calendar, make_commitment, make_step

HOURS = "(Mon–Fri 9:00–17:30)"


@pytest.fixture
def blank(draft) -> Version:
    """A draft that defines and promises nothing yet."""
    draft.commitments.all().delete()
    draft.required_fields = []
    draft.save()
    return draft


def promise(version: Version, kind: str = "first_response", **fields) -> Commitment:
    """A commitment that says no more than it is given."""
    return make_commitment(version, kind, **{"baseline": None, "consequence": "", **fields})


def said(version: Version) -> str:
    """The one clause of a draft, with plain blanks."""
    agreed = terms.of(version, now=MONDAY)
    (only,) = agreed.promises
    return plain(wording.clause(only, agreed).text)


def plain(text: str) -> str:
    return text.replace("\xa0", " ")


def frozen(calendar) -> dict:
    """The calendar as it is frozen with terms."""
    return snapshot(calendar, years=[2025])


def test_a_promise_reads_as_one_would_say_it(blank):
    commitment = promise(blank, limit=60, unit="business minutes", target=95, baseline=70)
    Criterion.objects.create(commitment=commitment, field="score", operator="at least", value="80")
    assert said(blank) == (
        "make first contact with every lead scoring at least 80 within 60 business minutes after it qualifies "
        f"{HOURS}, for at least 95 % of handoffs a month; today 70 %."
    )


@pytest.mark.parametrize(
    ("kind", "fields", "sentence"),
    [
        (
            "volume",
            {"target": 50, "baseline": 31},
            "hand over at least 50 qualified leads a month, not counting duplicates, unusable contact data and leads "
            "that come back after recycling; today 31.",
        ),
        (
            "volume",
            {"target": 50, "monthly_targets": {"2026-12": 30, "2026-08": 20}},
            "hand over at least 50 qualified leads a month (20 in August 2026 and 30 in December 2026), not counting "
            "duplicates, unusable contact data and leads that come back after recycling.",
        ),
        (
            "definition_fit",
            {"target": 90},
            "see to it that at least 90 % of handoffs meet the definition of a qualified lead.",
        ),
        ("completeness", {"target": 100}, "see to it that 100 % of handoffs have a complete record."),
        (
            "acceptance_rate",
            {"target": "80.5", "baseline": "62.25"},
            "hand over leads that sales accepts: at least 80.5 % of those that it accepts, or rejects for a reason "
            "about quality; today 62.25 %.",
        ),
        (
            "dispute_answer",
            {"limit": 2, "unit": "business days"},
            f"answer every dispute or request for data within 2 business days {HOURS}, for at least 95 % of them a "
            "month.",
        ),
        (
            "routing",
            {"limit": 15, "unit": "business minutes", "target": None},
            f"give every lead an owner within 15 business minutes after it qualifies {HOURS}.",
        ),
        (
            "acceptance",
            {"limit": 24, "unit": "hours"},
            "accept, recycle or reject every lead within 24 hours after it qualifies, nights and weekends included, "
            "for at least 95 % of handoffs a month.",
        ),
        (
            "first_touch",
            {"limit": 1, "unit": "business days", "start": "assigned", "target": None},
            f"reach every lead, with an answer, within 1 business day after each assignment {HOURS}.",
        ),
        (
            "contact_after_acceptance",
            {},
            f"make contact with every accepted lead within 4 business hours after accepting it {HOURS}, for at least "
            "95 % of handoffs a month.",
        ),
        (
            "attempts",
            {"attempts": 5, "limit": 7, "unit": "days", "target": 90},
            "try every lead at least 5 times within 7 days after it qualifies, nights and weekends included, unless it "
            "is reached sooner, for at least 90 % of handoffs a month.",
        ),
        (
            "attempts",
            {"attempts": 1, "start": "routed", "target": None},
            f"try every lead at least once within 5 business days after it is first assigned {HOURS}, unless it is "
            "reached sooner.",
        ),
        (
            "disposition",
            {"limit": 30, "unit": "days", "start": "accepted", "target": None},
            "bring every lead to an outcome, or recycle or reject it with a reason, within 30 days after accepting it, "
            "nights and weekends included.",
        ),
        (
            "attempts_before_giving_up",
            {"target": 90},
            "give up a lead only after the attempts that the reason needs, for at least 90 % of the leads given up for "
            "such a reason.",
        ),
        (
            "reasons_documented",
            {"target": 100},
            "give a reason code for 100 % of the leads that it recycles or rejects.",
        ),
    ],
)
def test_each_kind_has_its_sentence(kind, fields, sentence, blank):
    if kind == "attempts" and "limit" not in fields:
        fields = {**fields, "limit": 5, "unit": "business days"}
    promise(blank, kind, **fields)
    assert said(blank) == sentence


def test_every_kind_of_the_catalogue_can_be_said():
    assert set(wording.CLAUSES) == set(CATALOGUE)


@pytest.mark.parametrize(
    ("criteria", "leads"),
    [
        ([], "every lead"),
        ([("score", "at least", "80")], "every lead scoring at least 80"),
        ([("score", "at least", "50"), ("score", "at most", "79")], "every lead scoring 50 to 79"),
        ([("score", "is", "80")], "every lead whose score is 80"),
        ([("source", "one of", "Webinar; Event;Fair")], "every lead whose source is Webinar, Event or Fair"),
        ([("source", "none of", "Webinar;Event")], "every lead whose source is none of Webinar and Event"),
        (
            [("country", "is", "DE"), ("title", "contains", "head"), ("attributes.deal_type", "is not", "renewal")],
            "every lead whose country is DE, job title contains “head” and deal type is not renewal",
        ),
        (
            [("phone", "filled", ""), ("email", "empty", "")],
            "every lead whose phone number is known and e-mail address is empty",
        ),
        (
            [("company_size", "at most", "500"), ("source", "is", "Fair"), ("company_size", "at least", "50")],
            "every lead whose company size is 50 to 500 and source is Fair",
        ),
    ],
)
def test_a_scope_reads_as_a_kind_of_lead(criteria, leads, blank):
    for field, operator, value in criteria:
        Criterion.objects.create(agreement=blank.agreement, field=field, operator=operator, value=value)
    assert wording.document(terms.of(blank, now=MONDAY)).covers == f"This agreement covers {leads}."


def test_a_share_names_its_scope(blank):
    commitment = promise(blank, "completeness", target=97)
    Criterion.objects.create(commitment=commitment, field="source", value="Webinar")
    assert said(blank) == "see to it that at least 97 % of handoffs whose source is Webinar have a complete record."


def test_the_definition_says_what_a_qualified_lead_does_and_has(blank):
    blank.score_threshold, blank.required_fields = 80, ["phone", "email", "attributes.deal_type"]
    blank.save()
    for field, operator, value in (
        ("company_size", "at least", "50"),
        ("company_size", "at most", "500"),
        ("industry", "one of", "logistics; energy; health"),
        ("seniority", "one of", "VP;C-suite"),
        ("industry", "is not", "media"),
        ("campaign", "contains", "spring"),
        ("attributes.budget", "filled", ""),
        ("phone", "empty", ""),
    ):
        Criterion.objects.create(version=blank, field=field, operator=operator, value=value)
    assert wording.definition(terms.of(blank, now=MONDAY)) == (
        "A qualified lead scores 80 or more, works for a company with a size of 50 to 500, works in logistics, energy "
        "or health, is VP or C-suite, has an industry that is not media, has a campaign that contains “spring”, has a "
        "budget, and has no phone number.",
        "Its record is complete with deal type, e-mail address and phone number.",
    )


def test_without_a_definition_every_lead_qualifies(blank):
    assert wording.definition(terms.of(blank, now=MONDAY)) == ("Every lead is a qualified lead.",)


@pytest.mark.parametrize(
    ("hours", "words"),
    [
        ({}, "Mon–Fri 9:00–17:30, Europe/Berlin"),
        ({"friday": "09:00-15:00"}, "Mon–Thu 9:00–17:30, Fri 9:00–15:00, Europe/Berlin"),
        ({"wednesday": ""}, "Mon–Tue 9:00–17:30, Thu–Fri 9:00–17:30, Europe/Berlin"),
        ({"saturday": "09:00-12:00, 13:00-24:00"}, "Mon–Fri 9:00–17:30, Sat 9:00–12:00 and 13:00–24:00, Europe/Berlin"),
        ({"time_zone": "Asia/Tokyo"}, "Mon–Fri 9:00–17:30, Asia/Tokyo"),
    ],
)
def test_opening_hours_read_as_on_a_door(hours, words, db):
    assert wording.hours(frozen(make_calendar(**hours))) == words


def test_a_calendar_that_never_closes_says_so_and_one_with_a_holiday_does_not(db):
    always = make_always()
    assert wording.hours(frozen(always)) == "around the clock"
    always.special_days.create(date=date(2025, 12, 25), hours="", name="Christmas")
    assert wording.hours(frozen(always)) == "Mon–Sun 0:00–24:00, UTC"


def test_a_calendar_names_its_business_day_its_other_hours_and_its_closed_days(db):
    calendar = make_calendar(country="DE", region="BE")
    calendar.special_days.create(date=date(2025, 12, 24), hours="09:00-12:00")
    said = wording.calendar("Office", frozen(calendar))
    assert plain(said.working_day) == "8.5 hours"
    assert said.special == ("24 December 2025 9:00–12:00",)
    ((year, days),) = said.closed
    assert year == 2025
    assert "8 Mar Women's Day" in days
    assert days[0].startswith("1 Jan ")
    assert plain(said.text) == (
        "Mon–Fri 9:00–17:30, Europe/Berlin. One business day is 8.5 hours. Other hours on 24 December 2025 9:00–12:00."
    )


def test_hours_of_several_spans_are_named_instead_of_repeated(blank, office):
    office.friday = "09:00-15:00"
    office.save()
    blank.refresh_from_db()
    promise(blank, target=None)
    assert said(blank) == (
        "make first contact with every lead within 4 business hours after it qualifies (“Office” hours)."
    )


def test_hours_in_another_zone_than_the_agreements_name_it(blank):
    promise(blank, target=None, calendar=make_calendar(name="Boston", time_zone="America/New_York"))
    assert said(blank) == (
        "make first contact with every lead within 4 business hours after it qualifies (Mon–Fri 9:00–17:30, "
        "America/New_York)."
    )


def test_a_document_keeps_the_order_marketing_sales_operations(blank):
    for kind in ("routing", "first_response", "volume", "acceptance"):
        promise(blank, kind, title=f"The {kind}", consequence="We talk." if kind == "volume" else "")
    document = wording.document(terms.of(blank, now=MONDAY))
    assert [(party, [clause.title for clause in clauses]) for party, clauses in document.promises] == [
        (Party.MARKETING, ["The volume"]),
        (Party.SALES, ["The first_response", "The acceptance"]),
        (Party.OPERATIONS, ["The routing"]),
    ]
    assert document.promises[0][1][0].consequence == "We talk."
    assert document.promises[0][1][0].ladder == ""
    assert [calendar.name for calendar in document.calendars] == ["Office"]


def test_a_clause_names_its_ladder_beside_what_is_promised(blank):
    commitment = promise(blank, "first_response", target=None)
    before = said(blank)
    make_step(commitment, "tell owner", share=50)
    make_step(commitment, "reassign", share=150)
    ((_, (clause,)),) = wording.document(terms.of(blank, now=MONDAY)).promises
    assert plain(clause.text) == before
    assert plain(clause.ladder) == (
        "Until it is done: at 50 % (2 business hours) the owner is told; at 150 % (6) the lead goes to the next rep."
    )


def test_graces_are_said_in_business_days_as_they_were_agreed(blank):
    blank.entry_grace_days, blank.sealing_grace_days, blank.dispute_days = 1, "2.5", 10
    blank.save()
    blank.refresh_from_db()
    lines = plain(" ".join(wording.both(terms.of(blank, now=MONDAY))))
    assert "enter what they did within 1 business day:" in lines
    assert "final 2.5 business days after" in lines
    assert "dispute a decision within 10 business days" in lines


@pytest.mark.parametrize(
    ("cadence", "weekday", "line"),
    [
        ("weekly", 1, "look at the scorecard together every Tuesday;"),
        ("monthly", 1, "look at the scorecard together on the first Tuesday of each month;"),
        ("quarterly", 4, "look at the scorecard together on the first Friday of each quarter;"),
        # Terms that were frozen before a day could be named.
        ("monthly", None, "look at the scorecard together monthly;"),
    ],
)
def test_a_review_is_said_with_its_day(cadence, weekday, line, blank):
    agreed = replace(terms.of(blank, now=MONDAY), review_cadence=cadence, review_weekday=weekday)
    assert wording.both(agreed)[0] == line


@pytest.mark.parametrize("weekday", [1, None])
def test_where_no_review_is_agreed_none_is_said(weekday, blank):
    agreed = replace(terms.of(blank, now=MONDAY), review_cadence="", review_weekday=weekday)
    assert wording.both(agreed)[0].startswith("dispute a decision")
    assert "scorecard together" not in " ".join(wording.both(agreed))


def test_the_first_four_notes_are_those_that_figures_rest_on(draft):
    attempt, touch, clock, version = wording.notes(terms.of(draft, now=MONDAY))[:4]
    assert attempt == (
        "An attempt is a call or message to the lead by a person, answered or not; automated ones and notes are none."
    )
    assert touch == "A meaningful touch is a two-way contact with a person on both ends, whoever began it."
    assert clock == (
        "A clock starts when the lead qualifies; what came before does not stop it, and business time counts only in "
        "the open hours of “Office”."
    )
    assert version == "A lead stays under the version in force when it qualified; no later version moves it."


@pytest.mark.parametrize(
    ("promises", "line"),
    [
        ([("acceptance_rate", {})], "No promise here has a time limit, so no clock starts."),
        (
            [("acceptance", {"limit": 24, "unit": "hours", "start": "routed"}), ("volume", {})],
            "A clock starts when the lead is first assigned; what came before does not stop it, and time counts day "
            "and night.",
        ),
        (
            [("contact_after_acceptance", {}), ("routing", {}), ("first_touch", {"start": "assigned"})],
            "A clock starts when the lead qualifies, at each assignment (afresh for each owner) or when sales accepts "
            "the lead, as the promise says; what came before does not stop it, and business time counts only in the "
            "open hours of “Office”.",
        ),
        (
            [("dispute_answer", {}), ("first_response", {"limit": 1, "unit": "days"})],
            "A clock starts when the lead qualifies or with the dispute or request for data, as the promise says; what "
            "came before does not stop it, and business time counts only in the open hours of “Office”, other time "
            "day and night.",
        ),
    ],
)
def test_when_a_clock_starts_is_said_of_the_promises_that_are_made(promises, line, blank):
    for kind, fields in promises:
        promise(blank, kind, **fields)
    assert wording.clock_start(terms.of(blank, now=MONDAY)) == line


def test_a_clock_names_every_calendar_on_which_a_promise_counts_and_no_other(blank):
    promise(blank, "acceptance", calendar=make_calendar(name="Hotline"))
    promise(blank, "first_response")
    promise(blank, "acceptance_rate", calendar=make_calendar(name="Nobody’s"))
    line = wording.clock_start(terms.of(blank, now=MONDAY))
    assert line.endswith("only in the open hours of “Hotline” or “Office”, as the promise says.")


def test_a_cap_and_an_end_are_named_only_where_agreed(blank):
    without = " ".join(wording.notes(terms.of(blank, now=MONDAY)))
    blank.monthly_cap, blank.ends_on = 200, date(2027, 3, 31)
    blank.save()
    fully = " ".join(wording.notes(terms.of(blank, now=datetime(2025, 4, 1, tzinfo=UTC))))
    assert "200" not in without
    assert "The agreement ends" not in without
    assert "the first 200 leads of a month" in fully
    assert "The agreement ends with 31 March 2027." in fully
