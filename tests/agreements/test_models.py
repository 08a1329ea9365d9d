"""What is in force when (rule A2), what a form refuses, and what the database refuses when no form is asked."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction

from agreements import signoff
from agreements.catalogue import CATALOGUE
from agreements.models import (
    Agreement,
    AgreementEvent,
    BusinessCalendar,
    Closure,
    Commitment,
    Criterion,
    Signature,
    SpecialDay,
    Status,
    Step,
    Version,
    local_midnight,
)
from slaportal import roles
from slaportal.models import Team
from tests.conftest import MONDAY, make_commitment, make_step, make_user

pytestmark = pytest.mark.django_db
TICK = timedelta(microseconds=1)


def at(month: int, day: int = 1, hour: int = 0) -> datetime:
    return datetime(2025, month, day, hour, tzinfo=UTC)


def make_version(agreement: Agreement, number: int, start: datetime | None, end: datetime | None = None, **fields):
    """A version as it stands after its signatures, without the steps that lead there."""
    calendar = BusinessCalendar.objects.get_or_create(name="Any", monday="09:00-17:00")[0]
    agreed = {"status": Status.AGREED, "proposed_at": MONDAY, "agreed_at": MONDAY, "terms": "{}", "terms_hash": "-"}
    given = {"calendar": calendar, "effective_from": start, "ends_at": end, **agreed, **fields}
    return Version.objects.create(agreement=agreement, number=number, **given)


def in_force(moment: datetime) -> dict[str, int]:
    """The number of the version in force, by agreement."""
    return {version.agreement.name: version.number for version in Version.objects.in_force(moment)}


# --- In force (rule A2) -------------------------------------------------------------------------------------------


@pytest.fixture
def history(agreement):
    """Three versions of one agreement: from January, from March to the end of June, and from September."""
    make_version(agreement, 1, at(1))
    make_version(agreement, 2, at(3), at(7))
    make_version(agreement, 3, at(9))
    # What nobody agreed is never in force, whatever its dates say.
    for number, status in enumerate((Status.PROPOSED, Status.DECLINED, Status.WITHDRAWN), start=4):
        make_version(agreement, number, at(2), status=status)
    make_version(agreement, 7, None, status=Status.DRAFT, terms="", terms_hash="", agreed_at=None)
    return agreement


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        (datetime(1999, 1, 1, tzinfo=UTC), None),
        (at(1) - TICK, None),
        (at(1), 1),  # exactly at its beginning
        (at(2), 1),
        (at(3) - TICK, 1),
        (at(3), 2),  # the next one begins, and the former is over
        (at(7) - TICK, 2),
        (at(7), None),  # exactly at its end; the former version does not come back
        (at(9) - TICK, None),
        (at(9), 3),
        (datetime(2099, 1, 1, tzinfo=UTC), 3),
    ],
)
def test_the_version_in_force_is_the_agreed_one_that_began_last_and_has_not_ended(moment, number, history):
    assert in_force(moment).get(history.name) == number
    annotated = Agreement.objects.with_in_force(moment).get()
    assert annotated.in_force_id == (Version.objects.get(number=number).pk if number else None)


def test_the_order_of_numbers_does_not_matter_only_that_of_dates(agreement):
    make_version(agreement, 9, at(1))
    make_version(agreement, 2, at(3))
    assert [in_force(moment) for moment in (at(2), at(4))] == [{agreement.name: 9}, {agreement.name: 2}]
    assert [version.number for version in agreement.versions.agreed()] == [9, 2]


def test_each_agreement_has_its_own_version_in_force(history, marketing, sales):
    other = Agreement.objects.create(name="Nordics", marketing_team=marketing, sales_team=sales)
    make_version(other, 1, at(5), at(10))
    assert [in_force(moment) for moment in (at(4), at(6), at(8), at(9), at(12))] == [
        {history.name: 2},
        {history.name: 2, "Nordics": 1},
        {"Nordics": 1},
        {history.name: 3, "Nordics": 1},
        {history.name: 3},
    ]
    assert list(other.versions.in_force(at(6)).values_list("number", flat=True)) == [1]
    assert not other.versions.in_force(at(4)).exists()


def test_what_is_in_force_is_one_query_for_all_agreements(history, marketing, sales, django_assert_num_queries):
    for name in ("Nordics", "Iberia"):
        other = Agreement.objects.create(name=name, marketing_team=marketing, sales_team=sales)
        make_version(other, 1, at(1))
    with django_assert_num_queries(1):
        assert len([agreement.in_force_id for agreement in Agreement.objects.with_in_force(at(4))]) == 3
    with django_assert_num_queries(1):
        assert len(Version.objects.in_force(at(4)).select_related("agreement")) == 3


@pytest.mark.parametrize(
    ("agreed_at", "start", "retroactive"),
    [(MONDAY, MONDAY - TICK, True), (MONDAY, MONDAY, False), (MONDAY, MONDAY + TICK, False), (None, None, False)],
)
def test_only_a_version_that_applies_before_it_was_agreed_is_retroactive(agreed_at, start, retroactive):
    assert Version(agreed_at=agreed_at, effective_from=start).is_retroactive is retroactive


@pytest.mark.parametrize(
    ("zone", "day", "instant"),
    [
        ("UTC", date(2025, 3, 3), "2025-03-03T00:00"),
        ("Europe/Berlin", date(2025, 3, 30), "2025-03-29T23:00"),  # summer time begins later that day
        ("Europe/Berlin", date(2025, 3, 31), "2025-03-30T22:00"),
        ("Asia/Tokyo", date(2025, 3, 3), "2025-03-02T15:00"),
        ("America/Los_Angeles", date(2025, 3, 3), "2025-03-03T08:00"),
        ("Africa/Cairo", date(2025, 4, 25), "2025-04-24T22:00"),  # that midnight does not exist: 01:00 follows 23:59
        ("America/Havana", date(2025, 11, 2), "2025-11-02T04:00"),  # that midnight comes twice: the first one
    ],
)
def test_a_local_day_begins_at_its_first_moment(zone, day, instant):
    assert local_midnight(day, ZoneInfo(zone)) == datetime.fromisoformat(instant).replace(tzinfo=UTC)


# --- What forms refuse --------------------------------------------------------------------------------------------


def messages(record: models.Model, *without: str) -> dict[str, list[str]]:
    """What is wrong with a record, by field; empty when nothing is."""
    try:
        record.full_clean(exclude=without)
    except ValidationError as problem:
        return problem.message_dict
    return {}


def test_an_agreement_is_between_a_marketing_and_a_sales_team(marketing, sales):
    good = Agreement(name="A", marketing_team=marketing, sales_team=sales)
    assert messages(good) == {}
    swapped = messages(Agreement(name="A", marketing_team=sales, sales_team=marketing))
    assert swapped["marketing_team"][-1] == "Sales DACH is not a marketing team."
    one_sided = messages(Agreement(name="A", marketing_team=marketing, sales_team=marketing))
    assert one_sided["sales_team"][-1] == "Marketing DACH is not a sales team."
    assert set(one_sided) == {"sales_team"}
    assert set(messages(Agreement())) == {"name", "marketing_team", "sales_team"}
    assert messages(Agreement(name="A", marketing_team=marketing, sales_team=sales, time_zone="Mars")) == {
        "time_zone": ["“Mars” is not a time zone; write one such as Europe/Berlin."]
    }


@pytest.mark.parametrize(
    ("wanted_from", "ends_on", "problems"),
    [
        (None, None, {}),
        (date(2025, 1, 1), None, {}),
        (None, date(2025, 1, 1), {}),
        (date(2025, 1, 1), date(2025, 1, 1), {}),  # one day
        (date(2025, 1, 2), date(2025, 1, 1), {"ends_on": ["The agreement would end before it begins."]}),
        (date(1, 1, 1), None, {"wanted_from": ["Choose a day of the years 1970 to 2199."]}),
        (date(1969, 12, 31), date(2200, 1, 1), {"wanted_from": ["Choose a day of the years 1970 to 2199."],
                                                "ends_on": ["Choose a day of the years 1970 to 2199."]}),
        (date(1970, 1, 1), date(2199, 12, 31), {}),
        (None, date.max, {"ends_on": ["Choose a day of the years 1970 to 2199."]}),
    ],
)  # fmt: skip
def test_the_days_of_a_version_are_in_order_and_no_slip_of_the_pen(wanted_from, ends_on, problems, draft):
    draft.wanted_from, draft.ends_on = wanted_from, ends_on
    assert messages(draft) == problems


@pytest.mark.parametrize("field", ["entry_grace_days", "sealing_grace_days", "dispute_days"])
def test_a_grace_can_be_nothing_but_not_negative(field, draft):
    setattr(draft, field, 0)
    assert messages(draft) == {}
    setattr(draft, field, -1)
    assert list(messages(draft)) == [field]


LIMITED = {"limit": 4, "unit": "business hours"}


@pytest.mark.parametrize(
    ("fields", "problems"),
    [
        ({**LIMITED}, {}),
        ({**LIMITED, "start": "accepted", "target": 100, "baseline": 70}, {}),
        ({**LIMITED, "limit": 0}, {}),
        ({}, {"limit": ["First response needs a time limit."]}),
        ({**LIMITED, "limit": -1}, {"limit": ["Ensure this value is greater than or equal to 0."]}),
        ({**LIMITED, "unit": ""}, {"__all__": ["A limit needs its unit, and a unit its limit."]}),
        ({**LIMITED, "unit": "weeks"}, {"unit": ["Value 'weeks' is not a valid choice."]}),
        ({**LIMITED, "start": "monday"}, {"start": ["Value 'monday' is not a valid choice."]}),
        ({**LIMITED, "target": 101}, {"target": ["A share is at most 100 percent."]}),
        ({**LIMITED, "target": "100.00"}, {}),
        ({**LIMITED, "code": "First response"}, {"code": ["Enter a valid “slug” consisting of letters, numbers, "
                                                          "underscores or hyphens."]}),
        ({**LIMITED, "kind": "acceptance", "start": "accepted"},
         {"start": ["Review cannot start when sales accepts."]}),
        ({**LIMITED, "kind": "attempts"}, {"attempts": ["Attempts needs a number of attempts."]}),
        ({**LIMITED, "kind": "attempts", "attempts": 3}, {}),
        ({**LIMITED, "attempts": 0}, {"attempts": ["Ensure this value is greater than or equal to 1."]}),
        ({**LIMITED, "kind": "acceptance_rate"},
         {"limit": ["Acceptance rate has no time limit; leave it blank."]}),
        ({"kind": "acceptance_rate", "target": 80}, {}),
        ({"kind": "volume", "target": 500}, {}),
        ({"kind": "uptime"}, {"kind": ["Value 'uptime' is not a valid choice."]}),
        ({**LIMITED, "limit": "17500.00"}, {}),
        ({**LIMITED, "limit": "17500.01"},
         {"limit": ["A limit of more than two years promises nothing. Choose a shorter one."]}),
        ({"limit": 730, "unit": "days"}, {}),
        ({"limit": 731, "unit": "business days"},
         {"limit": ["A limit of more than two years promises nothing. Choose a shorter one."]}),
        ({"limit": "999999.99", "unit": "minutes"}, {}),
    ],
)  # fmt: skip
def test_a_commitment_promises_only_what_its_kind_can_measure(fields, problems, draft):
    given = {"code": "x", "title": "X", "kind": "first_response", "calendar": draft.calendar, "target": None, **fields}
    commitment = Commitment(version=draft, **given)
    for field in ("limit", "target"):
        if given.get(field) is not None:
            setattr(commitment, field, Commitment._meta.get_field(field).to_python(given[field]))
    assert messages(commitment) == problems


@pytest.mark.parametrize("kind", CATALOGUE)
def test_every_kind_of_the_catalogue_can_be_promised(kind, draft):
    commitment = make_commitment(draft, kind, code="another")
    assert messages(commitment) == {}
    assert commitment.catalogue.party in ("marketing", "sales", "operations")


def test_two_commitments_of_a_version_cannot_share_a_code(draft):
    twin = Commitment(version=draft, code="volume", title="X", kind="volume", calendar=draft.calendar)
    assert messages(twin) == {"__all__": ["Two commitments of one version cannot share a code."]}


@pytest.mark.parametrize(
    ("field", "operator", "value", "problems"),
    [
        ("score", "at least", "80", {}),
        ("score", "at least", "80.5", {}),
        ("score", "at most", "-1", {}),
        ("attributes.product", "is", "Plan B", {}),
        ("source", "contains", "demo", {}),
        ("phone", "empty", "", {}),
        ("phone", "filled", "  ", {}),
        ("industry", "one of", "Logistics; Energy", {}),
        ("industry", "one of", "Logistics;", {}),
        ("shoe_size", "is", "44", {"field": [
            "Leads have no field “shoe_size”. Use score, source, campaign, segment, name, email, phone, company, "
            "title, seniority, company_size, industry, country or attributes.<name>."]}),
        ("attributes.", "is", "1", {"field": None}),
        ("attributes", "is", "1", {"field": None}),
        ("score", "around", "80", {"operator": ["Value 'around' is not a valid choice."]}),
        ("source", "is", " ", {"value": ["Give the value to compare with."]}),
        ("industry", "one of", " ; ;", {"value": ["Give the value to compare with."]}),
        ("industry", "none of", ";", {"value": ["Give the value to compare with."]}),
        ("phone", "empty", "x", {"value": ["“is empty” takes no value."]}),
        ("phone", "filled", "x", {"value": ["“is not empty” takes no value."]}),
        ("score", "at least", "high", {"value": ["“high” is not a number."]}),
        ("score", "at most", "1,5", {"value": ["“1,5” is not a number."]}),
        ("score", "at least", "nan", {"value": ["“nan” is not a number."]}),
        ("score", "at most", "inf", {"value": ["“inf” is not a number."]}),
    ],
)  # fmt: skip
def test_a_criterion_names_a_field_a_comparison_and_a_fitting_value(field, operator, value, problems, agreement):
    found = messages(Criterion(agreement=agreement, field=field, operator=operator, value=value))
    assert list(found) == list(problems)
    for name, sentences in problems.items():
        assert sentences is None or found[name] == sentences


GIVE_ONE = "A step comes at a share of the limit, or so many minutes from it. Give one."


@pytest.mark.parametrize(
    ("kind", "fields", "problems"),
    [
        ("first_response", {"share": 50, "action": "tell owner"}, {}),
        ("first_response", {"share": 1000, "action": "reassign"}, {}),
        ("first_response", {"offset": 0, "action": "return to queue"}, {}),
        ("first_response", {"offset": -30_000, "action": "task"}, {}),
        ("first_response", {"share": 80, "action": "tell role", "role": roles.REP}, {}),
        ("volume", {"share": 100, "action": "recovery plan"}, {}),
        ("routing", {"share": 100, "action": "tell chat"}, {}),
        ("first_response", {"action": "task"}, {"share": GIVE_ONE}),
        ("first_response", {"share": 50, "offset": 1, "action": "task"}, {"share": GIVE_ONE}),
        ("first_response", {"share": 0, "action": "task"}, {"share": "A step comes at 1 to 1000 percent."}),
        ("first_response", {"share": 1001, "action": "task"}, {"share": "A step comes at 1 to 1000 percent."}),
        ("first_response", {"offset": 30_001, "action": "task"},
         {"offset": "A step comes within 30,000 minutes of the limit."}),
        ("first_response", {"share": 80, "action": "tell role"}, {"role": "Name the role that is told."}),
        ("first_response", {"share": 80, "action": "tell owner", "role": roles.REP},
         {"role": "“Tell the owner” names no role. Leave it blank."}),
        ("volume", {"share": 60, "action": "tell owner"},
         {"action": "Volume of qualified leads cannot “tell the owner”. Choose from: tell the manager, tell everybody "
          "of a team, tell everybody with a role, post in a team’s chat, open a task for RevOps, ask for a recovery "
          "plan."}),
        ("volume", {"offset": 5, "action": "task"},
         {"offset": "Volume of qualified leads has no limit to count from. Give a share of the month."}),
        ("volume", {"share": 101, "action": "task"}, {"share": "After 100 percent the month is over. Give no more."}),
        ("dispute_answer", {"share": 100, "action": "reassign"}, {"action": None}),
        ("reasons_documented", {"share": 100, "action": "recovery plan"}, {"action": None}),
        ("routing", {"share": 100, "action": "tell owner"}, {"action": None}),
        ("first_response", {"share": 100, "action": "shout"}, {"action": "Value 'shout' is not a valid choice."}),
    ],
)  # fmt: skip
def test_a_step_does_only_what_its_commitments_kind_can(kind, fields, problems, draft):
    commitment = draft.commitments.filter(kind=kind).first() or make_commitment(draft, kind)
    found = messages(Step(commitment=commitment, **fields))
    found.pop("__all__", None)  # what the database would say of the same
    assert list(found) == list(problems)
    for name, sentence in problems.items():
        assert sentence is None or found[name] == [sentence]


def test_a_step_names_a_team_only_where_one_is_told(draft, sales):
    commitment = draft.commitments.get(kind="first_response")
    for action in ("tell team", "tell manager", "tell chat"):
        assert messages(Step(commitment=commitment, share=100, action=action, team=sales)) == {}
    found = messages(Step(commitment=commitment, share=100, action="reassign", team=sales))
    assert found["team"] == ["“Reassign to the next rep” names no team. Leave it blank."]


# --- What the database refuses ------------------------------------------------------------------------------------


def test_a_criterion_belongs_to_exactly_one_agreement_version_or_commitment(draft):
    commitment = draft.commitments.first()
    parents = {"agreement": draft.agreement, "version": draft, "commitment": commitment}
    for names in ([], ["agreement", "version"], ["version", "commitment"], ["agreement", "commitment"], list(parents)):
        row = Criterion(field="score", operator="filled", **{name: parents[name] for name in names})
        with pytest.raises(IntegrityError, match="criterion_has_one_parent"), transaction.atomic():
            Criterion.objects.bulk_create([row])
    for name, parent in parents.items():
        Criterion.objects.bulk_create([Criterion(field="score", operator="filled", **{name: parent})])


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("commitment_limit_has_unit", {"limit": None}),
        ("commitment_limit_has_unit", {"unit": ""}),
        ("commitment_attempts_positive", {"attempts": 0}),
    ],
)
def test_the_database_refuses_commitments_that_cannot_be(name, fields, draft):
    response = draft.commitments.filter(kind="first_response")
    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        response.update(**fields)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("step_share_or_offset", {"share": None}),
        ("step_share_or_offset", {"offset": 5}),
        ("step_share_in_range", {"share": 0}),
        ("step_share_in_range", {"share": 1001}),
        ("step_offset_in_range", {"share": None, "offset": 30_001}),
        ("step_offset_in_range", {"share": None, "offset": -30_001}),
        ("step_role_where_one_is_told", {"role": roles.REP}),
        ("step_role_where_one_is_told", {"action": "tell role"}),
        ("step_team_where_one_is_told", {"action": "task", "team_id": 1}),
    ],
)
def test_the_database_refuses_steps_that_cannot_be(name, fields, draft, sales):
    step = make_step(draft.commitments.first())
    fields = {**fields, "team_id": sales.pk} if "team_id" in fields else fields
    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        Step.objects.filter(pk=step.pk).update(**fields)


def test_a_team_that_a_step_names_cannot_be_deleted(draft):
    team = Team.objects.create(name="Partners", party="sales")
    make_step(draft.commitments.first(), "tell team", team=team)
    with pytest.raises(models.ProtectedError):
        team.delete()


def test_the_database_refuses_two_commitments_with_one_code(draft):
    with pytest.raises(IntegrityError), transaction.atomic():
        draft.commitments.update(code="same")


def test_a_calendar_has_one_special_day_and_one_running_closure_a_day(office, rita):
    SpecialDay.objects.create(calendar=office, date=date(2025, 12, 24))
    with pytest.raises(IntegrityError), transaction.atomic():
        SpecialDay.objects.create(calendar=office, date=date(2025, 12, 24), hours="09:00-12:00")
    fields = {"calendar": office, "date": date(2025, 3, 4), "reason": "Strike", "added_by": rita, "added_at": MONDAY}
    first = Closure.objects.create(**fields)
    with pytest.raises(IntegrityError), transaction.atomic():
        Closure.objects.create(**fields)
    Closure.objects.filter(pk=first.pk).update(withdrawn_at=MONDAY, withdrawn_by=rita)
    Closure.objects.create(**fields)


def test_what_others_rest_on_cannot_be_deleted(version, max_, office):
    for record in (version.agreement, version, version.agreement.sales_team, max_, office):
        with pytest.raises(models.ProtectedError), transaction.atomic():
            record.delete()


# --- Who sees what ------------------------------------------------------------------------------------------------


@pytest.fixture
def one_in_each_state(agreement):
    for number, status in enumerate(Status.values, start=1):
        terms = {"terms": "", "terms_hash": "", "proposed_at": None} if status == "draft" else {}
        make_version(agreement, number, at(number), status=status, **terms)
    return agreement


@pytest.mark.parametrize(
    ("who", "sees_agreements", "states"),
    [
        ("rita", True, {"draft", "proposed", "agreed", "declined", "withdrawn"}),
        ("max_", True, {"proposed", "agreed", "declined", "withdrawn"}),
        ("sofia", True, {"proposed", "agreed", "declined", "withdrawn"}),
        ("mona", True, {"proposed", "agreed", "declined", "withdrawn"}),
        ("ron", True, {"proposed", "agreed", "declined", "withdrawn"}),
        ("vera", True, {"proposed", "agreed", "declined", "withdrawn"}),
        (None, False, set()),
    ],
)
def test_both_sides_read_every_agreement_and_only_revops_its_drafts(
    who, sees_agreements, states, one_in_each_state, request
):
    user = request.getfixturevalue(who) if who else make_user("nobody@example.com")
    assert Agreement.objects.visible_to(user).exists() is sees_agreements
    assert {version.status for version in Version.objects.visible_to(user)} == states


# --- How records are called ---------------------------------------------------------------------------------------


def test_records_say_what_they_are(version, max_, office):
    criterion = Criterion(field="company_size", operator="at least", value="50")
    assert [str(record) for record in (version.agreement, version, version.signatures.first(), criterion)] == [
        "DACH inbound", "DACH inbound, version 1", "Max for marketing", "company size is at least 50"
    ]  # fmt: skip
    assert str(Criterion(field="attributes.plan", operator="empty")) == "attributes.plan is empty"
    assert str(SpecialDay(date=date(2025, 12, 24))) == "2025-12-24: closed"
    assert str(SpecialDay(date=date(2025, 12, 24), hours="09:00-12:00")) == "2025-12-24: 09:00-12:00"
    assert str(AgreementEvent.objects.first()) == "drafted"
    assert str(Closure(date=date(2025, 3, 4), reason="Strike")) == "2025-03-04: Strike"
    assert str(Step(share=50, action="tell owner")) == "50 %: tell the owner"
    assert str(Step(offset=-30, action="reassign")) == "-30 min: reassign to the next rep"


def test_records_stand_in_the_order_in_which_people_read_them(version, marketing, sales, office):
    Agreement.objects.create(name="Nordics", marketing_team=marketing, sales_team=sales, priority=10)
    assert [str(agreement) for agreement in Agreement.objects.all()] == ["Nordics", "DACH inbound"]
    make_version(version.agreement, 2, at(9))
    assert [row.number for row in version.agreement.versions.all()] == [2, 1]
    draft = signoff.new_draft_from(version, by=None, now=at(9))
    draft.commitments.filter(kind="volume").update(position=5)
    assert [row.kind for row in draft.commitments.all()] == ["first_response", "completeness", "volume"]
    assert [event.what for event in version.agreement.events.all()][:2] == ["drafted", "proposed"]
    assert Signature.objects.count() == Team.objects.count() == 2
