"""Terms as JSON: what leaves comes back as it was, what is wrong is named with its place, templates are complete."""

import json
import re
from copy import deepcopy
from datetime import date, datetime, timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agreements import exchange, lint, shapes, signoff, terms, terms_file, wording
from agreements.cadence import Cadence
from agreements.calendars import BusinessCalendar
from agreements.catalogue import CATALOGUE, FIELDS, Action, Kind, Measure, Operator, Unit
from agreements.models import Agreement, AgreementEvent, Commitment, Criterion, Step, Version
from agreements.plain_text import ALONE, SEVERAL
from leads.models import Lead
from slaportal import roles
from slaportal.models import Party, Team
from slaportal.refusal import Refused
from tests.conftest import MONDAY, agree, make_calendar, make_commitment, make_step

pytestmark = pytest.mark.django_db
NBSP = "\N{NO-BREAK SPACE}"
TABLES = (Version, Commitment, Criterion, Step, BusinessCalendar, AgreementEvent)


def fresh(version: Version) -> Version:
    return Version.objects.get(pk=version.pk)


def exported(version: Version, now: datetime = MONDAY) -> dict:
    return json.loads(exchange.export(fresh(version), now=now))


def text_of(data: object) -> str:
    return json.dumps(data, ensure_ascii=False)


def imported(agreement: Agreement, data: object, **options) -> exchange.Imported:
    text = data if isinstance(data, str) else text_of(data)
    return exchange.import_draft(agreement, text, **{"by": None, "now": MONDAY, **options})


def complaints(agreement: Agreement, data: object) -> tuple[str, ...]:
    """What is said of a file, after making sure that nothing was written."""
    before = [model.objects.count() for model in TABLES]
    with pytest.raises(terms_file.BadTerms) as refused:
        imported(agreement, data)
    after = [model.objects.count() for model in TABLES]
    assert before == after
    return refused.value.complaints


@pytest.fixture
def rich(draft) -> Version:
    """A draft with everything that terms can say."""
    Criterion.objects.create(agreement=draft.agreement, field="source", operator="is", value="Partner")
    Criterion.objects.create(version=draft, field="industry", operator="one of", value="Logistics; Energy")
    Criterion.objects.create(version=draft, field="company_size", operator="at least", value="50")
    draft.commitments.all().delete()
    agreed = {"baseline": 40, "consequence": "Talk.\nThen act."}
    volume = make_commitment(draft, "volume", target=50, monthly_targets={"2026-12": 30, "2026-08": 20}, **agreed)
    make_step(volume, "tell manager", share=60)
    make_step(volume, "recovery plan")
    contact = make_commitment(draft, code="contact", start="assigned", **agreed)
    Criterion.objects.create(commitment=contact, field="attributes.plan", operator="is not", value="“Basis”; or less")
    Criterion.objects.create(commitment=contact, field="phone", operator="filled")
    make_step(contact, "tell owner", share=50)
    make_step(contact, "tell role", offset=-30, role=roles.SALES_LEADER)
    make_step(contact, "tell chat", team=Team.objects.create(name="Partners", party=Party.SALES))
    make_step(contact, "reassign", share=150)
    make_commitment(draft, "attempts", limit=Decimal("7.5"), calendar=make_calendar(name="Support"), **agreed)
    make_commitment(draft, "attempts_before_giving_up", attempts=6, **agreed)
    make_commitment(draft, "completeness", target=Decimal("92.25"), position=1, **agreed)
    Version.objects.filter(pk=draft.pk).update(
        score_threshold=60, required_fields=["phone", "email"], review_cadence="weekly", review_weekday=3,
        entry_grace_days=Decimal("1.5"), monthly_cap=80, note="Wozu?\n„Mehr“ Tempo", ends_on=date(2026, 6, 30),
    )  # fmt: skip
    return fresh(draft)


# --- Out ----------------------------------------------------------------------------------------------------------


def test_a_frozen_version_leaves_as_exactly_its_bytes_in_a_readable_form(rich, rita):
    proposed = signoff.propose(rich, by=rita, now=MONDAY)
    text = exchange.export(proposed, now=MONDAY + timedelta(days=900))
    assert terms.canonical(json.loads(text)) == proposed.terms
    assert terms.digest(terms.canonical(json.loads(text))) == proposed.terms_hash
    assert '\n  "note": "Wozu?\\n„Mehr“ Tempo",\n' in text
    assert text.splitlines()[1] == '  "agreement": {'
    assert [*json.loads(text)] == sorted(json.loads(text))


def test_a_draft_leaves_as_it_would_be_frozen_now(rich):
    assert terms.canonical(exported(rich)) == terms.freeze(rich, now=MONDAY)[0]


def test_a_version_frozen_under_the_first_schema_leaves_as_it_was_frozen(rich, rita):
    data = of_the_first_schema(exported(rich))
    old = Version(agreement=rich.agreement, number=9, terms=terms.canonical(data))
    assert terms.canonical(json.loads(exchange.export(old, now=MONDAY))) == old.terms


def of_the_first_schema(data: dict) -> dict:
    """The same terms as the first release would have written them down."""
    data = deepcopy(data) | {"schema": 1}
    del data["review_weekday"]
    for calendar in data["calendars"].values():
        del calendar["country"], calendar["region"]
    for commitment in data["commitments"]:
        del commitment["steps"]
    return data


# --- And back -----------------------------------------------------------------------------------------------------


def dates_and_number(version: Version) -> dict:
    return {"version": version.number, "effective_from": None, "ends_on": None}


def test_what_left_comes_back_as_a_draft_with_the_same_terms(rich, rita):
    data = exported(rich)
    draft = imported(rich.agreement, data, by=rita).version
    assert (draft.number, draft.status, draft.created_by, draft.created_at) == (2, "draft", rita, MONDAY)
    assert (draft.wanted_from, draft.ends_on) == (None, None)
    assert exported(draft) == {**data, **dates_and_number(draft)}
    assert [row.position for row in draft.commitments.all()] == [0, 1, 2, 3, 4]


def test_an_agreed_version_comes_back_too(rich, rita, max_, sofia):
    agreed = agree(rich, by=rita, marketing=max_, sales=sofia)
    draft = imported(agreed.agreement, exported(agreed), by=rita).version
    assert exported(draft) == {**exported(agreed), **dates_and_number(draft)}


def test_a_draft_that_says_nothing_yet_comes_back(draft):
    draft.commitments.all().delete()
    again = imported(draft.agreement, exported(draft)).version
    assert exported(again) == {**exported(draft), **dates_and_number(again)}


def test_the_note_can_be_another_one(rich):
    assert imported(rich.agreement, exported(rich), note="From Vienna").version.note == "From Vienna"
    assert imported(rich.agreement, exported(rich), note="").version.note == ""


def test_a_file_with_the_mark_that_windows_puts_first_is_read(rich):
    assert imported(rich.agreement, "\ufeff" + text_of(exported(rich))).version.number == 2


def test_figures_may_stand_there_as_numbers(rich):
    data = exported(rich)
    data["commitments"][1] |= {"limit": 4, "target": 92.5, "baseline": 0}
    data["entry_grace_days"] = 2
    row = exported(imported(rich.agreement, data).version)
    assert (row["commitments"][1]["limit"], row["commitments"][1]["target"]) == ("4", "92.5")
    assert (row["commitments"][1]["baseline"], row["entry_grace_days"]) == ("0", "2")


def test_the_import_stands_in_the_agreements_history(rich, rita):
    draft = imported(rich.agreement, exported(rich), by=rita, now=MONDAY + timedelta(days=1)).version
    assert [(event.what, event.actor) for event in draft.events.all()] == [("drafted", rita)]


def test_only_revops_imports(rich, max_, vera, rita):
    for outsider in (max_, vera):
        with pytest.raises(Refused, match="Only RevOps imports terms"):
            imported(rich.agreement, exported(rich), by=outsider)
    rita.is_active = False
    with pytest.raises(Refused):
        imported(rich.agreement, exported(rich), by=rita)
    assert rich.agreement.versions.count() == 1


# --- The round trip as a law --------------------------------------------------------------------------------------

decimals = st.decimals(0, 100, places=2)
words = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp", "Cf")), min_size=1, max_size=40
)
paragraphs = st.lists(words, max_size=3).map("\r\n".join)
plain_values = words.map(lambda text: text.replace(";", ",").strip() or "x")


@st.composite
def criteria(draw) -> dict:
    operator = draw(st.sampled_from(list(Operator)))
    field = draw(st.sampled_from([*FIELDS, "attributes.plan"]))
    if operator in ALONE:
        value = ""
    elif operator in SEVERAL:
        value = "; ".join(draw(st.lists(plain_values, min_size=1, max_size=3)))
    elif operator in (Operator.AT_LEAST, Operator.AT_MOST):
        value = str(draw(st.integers(-5, 500)))
    else:
        value = draw(plain_values) + draw(st.sampled_from(["", "; more"]))
    return {"field": field, "operator": operator.value, "value": value}


def ladders(kind: Kind) -> st.SearchStrategy[list[dict]]:
    """Steps that a promise of this kind can have; a team is one of the agreement’s, by its side."""
    moments = st.integers(1, 1000 if kind.has_limit else 100).map(lambda share: {"share": share})
    if kind.has_limit:
        moments |= st.integers(-30_000, 30_000).map(lambda offset: {"offset": offset})

    def step(moment: dict, action: Action, role: str, team: str) -> dict:
        named = {"role": role} if action == Action.ROLE else {"team": team} if action.names_team and team else {}
        return {**moment, "action": action.value, **named}

    teams = st.sampled_from(["", "marketing_team", "sales_team"])
    return st.lists(
        st.builds(step, moments, st.sampled_from(kind.actions), st.sampled_from(roles.ROLES), teams), max_size=4
    )


@st.composite
def commitments(draw, code: str) -> dict:
    kind = draw(st.sampled_from(list(CATALOGUE.values())))
    fields = {"code": code, "kind": kind.code, "title": draw(words), "consequence": draw(paragraphs)}
    fields["baseline"] = draw(st.none() | decimals)
    fields["target"] = draw(st.none() | decimals)
    if kind.starts:
        fields["start"] = draw(st.sampled_from(["", *kind.starts]))
    if kind.has_limit:
        fields |= {"limit": draw(decimals), "unit": draw(st.sampled_from(list(Unit)))}
    if kind.needs_attempts or (kind.may_name_attempts and draw(st.booleans())):
        fields["attempts"] = draw(st.integers(1, 30))
    if kind.measure == Measure.COUNT:
        months = st.dates(date(2025, 1, 1), date(2030, 1, 1)).map(lambda day: f"{day:%Y-%m}")
        fields["monthly_targets"] = draw(st.dictionaries(months, st.integers(0, 999_999), max_size=3))
    return {
        "fields": fields,
        "calendar": draw(st.integers(0, 1)),
        "scope": draw(st.lists(criteria(), max_size=2)),
        "steps": draw(ladders(kind)),
    }


drafts = st.fixed_dictionaries(
    {
        "version": st.fixed_dictionaries(
            {
                "note": paragraphs,
                "score_threshold": st.none() | st.integers(0, 32_767),
                "required_fields": st.lists(st.sampled_from([*FIELDS, "attributes.plan"]), unique=True, max_size=4),
                "review_cadence": st.sampled_from(["", *Cadence]),
                "review_weekday": st.integers(0, 4),
                "entry_grace_days": decimals,
                "sealing_grace_days": decimals,
                "dispute_days": decimals,
                "monthly_cap": st.none() | st.integers(1, 100_000),
                "minimum_group": st.integers(0, 500),
                "wanted_from": st.none() | st.dates(date(2020, 1, 1), date(2040, 1, 1)),
            }
        ),
        "calendar": st.integers(0, 1),
        "country": st.sampled_from([("", ""), ("DE", ""), ("de", "be"), ("US", "CA")]),
        "special": st.dictionaries(
            st.dates(date(2024, 1, 1), date(2031, 1, 1)),
            st.tuples(st.sampled_from(["", "09:00-12:00", "10:00–11:00, 12:00-24:00"]), words),
            max_size=4,
        ),
        "criteria": st.lists(criteria(), max_size=3),
        "commitments": st.lists(st.integers(0, 99), unique=True, max_size=4).flatmap(
            lambda codes: st.tuples(*(commitments(f"c-{code}") for code in codes))
        ),
    }
)


def make_draft(agreement: Agreement, drawn: dict) -> Version:
    """The drawn draft, in two calendars of its own; each of its rows is one that the admin would take."""
    country, region = drawn["country"]
    calendars = [
        make_calendar(name="First", country=country, region=region),
        make_calendar(name="Second", time_zone="America/New_York", saturday="8:00-12:00, 13:00-14:00"),
    ]
    for day, (hours, name) in drawn["special"].items():
        calendars[0].special_days.create(date=day, hours=hours, name=name)
    version = signoff.new_draft(
        agreement, by=None, now=MONDAY, calendar=calendars[drawn["calendar"]], **drawn["version"]
    )
    rows = [version.criteria.create(**one) for one in drawn["criteria"]]
    for position, one in enumerate(drawn["commitments"]):
        row = version.commitments.create(calendar=calendars[one["calendar"]], position=position, **one["fields"])
        rows += [row, *(row.scope.create(**test) for test in one["scope"])]
        for place, step in enumerate(one["steps"]):
            team = getattr(agreement, step["team"]) if "team" in step else None
            rows.append(row.steps.create(position=place, **{**step, "team": team}))
    for row in (*calendars, *rows, version):
        row.full_clean(validate_unique=False, validate_constraints=False)
    return version


class Undo(Exception):
    """Leaves a transaction without a trace."""


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=drafts)
def test_law_of_the_round_trip_within_a_portal_and_from_one_to_another(agreement, drawn):
    with pytest.raises(Undo), transaction.atomic():
        draft = make_draft(agreement, drawn)
        data, wanted = exported(draft), drawn["version"]["wanted_from"]

        again, remarks = (result := imported(agreement, data)).version, result.remarks
        assert exported(again)["effective_from"] is None
        Version.objects.filter(pk=again.pk).update(wanted_from=wanted)  # which holidays are named rests on it
        assert exported(again) == {**data, "version": again.number}
        assert not [remark for remark in remarks if "first day" not in remark]

        # Elsewhere there are no such calendars: they are made, and are the same but for their ids.
        for calendar in BusinessCalendar.objects.all():
            BusinessCalendar.objects.filter(pk=calendar.pk).update(name=f"{calendar.name} of old")
        other = imported(agreement, data).version
        Version.objects.filter(pk=other.pk).update(wanted_from=wanted)
        found = exported(other)
        assert without_ids(found) == without_ids({**data, "version": other.number})
        ids = {calendar["id"] for calendar in data["calendars"].values()}
        assert ids.isdisjoint(calendar["id"] for calendar in found["calendars"].values())
        raise Undo


def without_ids(data: dict) -> dict:
    data = deepcopy(data)
    for calendar in data["calendars"].values():
        del calendar["id"]
    return data


# --- What is wrong is named ---------------------------------------------------------------------------------------

GONE = object()
VOLUME, CONTACT, ATTEMPTS = (("commitments", index) for index in range(3))
IN_CONTACT = "commitments 2 (“contact”)"
WEEK = [["09:00", "17:30"]]


def changed(data: dict, *path: str | int, to: object) -> dict:
    """The file with another value at a place, or without it."""
    data = deepcopy(data)
    *way, last = path
    inner = data
    for step in way:
        inner = inner[step]
    if to is GONE:
        del inner[last]
    else:
        inner[last] = to
    return data


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        # Numbers
        ((*CONTACT, "limit"), "four", f"{IN_CONTACT}: limit “four” is not a number such as 4 or 2.5."),
        ((*CONTACT, "limit"), "1e9", f"{IN_CONTACT}: limit “1e9” is not a number such as 4 or 2.5."),
        ((*CONTACT, "limit"), "NaN", f"{IN_CONTACT}: limit “NaN” is not a number such as 4 or 2.5."),
        ((*CONTACT, "limit"), float("nan"), f"{IN_CONTACT}: limit “NaN” is not a number such as 4 or 2.5."),
        ((*CONTACT, "limit"), float("inf"), f"{IN_CONTACT}: limit “Infinity” is not a number such as 4 or "
         "2.5."),
        ((*CONTACT, "limit"), 1e200, f"{IN_CONTACT}: limit “1E+200” is not a number such as 4 or 2.5."),
        ((*CONTACT, "limit"), True, f"{IN_CONTACT}: limit “true” is not a number such as 4 or 2.5."),
        ((*CONTACT, "limit"), [4], f"{IN_CONTACT}: limit (a list) is not a number such as 4 or 2.5."),
        ((*CONTACT, "limit"), {"a": {}}, f"{IN_CONTACT}: limit (an object) is not a number such as 4 or "
         "2.5."),
        ((*CONTACT, "limit"), "٤", f"{IN_CONTACT}: limit “٤” is not a number such as 4 or 2.5."),
        ((*CONTACT, "limit"), "-1", f"{IN_CONTACT}: limit “-1”: Ensure this value is greater than or equal "
         "to 0."),
        ((*CONTACT, "limit"), "0.125", f"{IN_CONTACT}: limit “0.125”: Ensure that there are no more than 2 "
         "decimal places."),
        ((*CONTACT, "limit"), None, f"{IN_CONTACT}: limit: First response needs a time limit."),
        ((*CONTACT, "limit"), "17501", f"{IN_CONTACT}: limit: A limit of more than two years promises "
         "nothing. Choose a shorter one."),
        ((*CONTACT, "target"), "101", f"{IN_CONTACT}: target: A share is at most 100 percent."),
        ((*CONTACT, "unit"), "", f"{IN_CONTACT}: A limit needs its unit, and a unit its limit."),
        ((*CONTACT, "attempts"), 2, f"{IN_CONTACT}: attempts “2”: First response counts no attempts. "
         "Write null."),
        ((*ATTEMPTS, "attempts"), None, "commitments 3 (“attempts”): attempts: Attempts needs a number of "
         "attempts."),
        ((*ATTEMPTS, "attempts"), 2.5, "commitments 3 (“attempts”): attempts “2.5” is not a whole number such as "
         "5."),
        (("monthly_cap",), 0, "monthly_cap “0”: Ensure this value is greater than or equal to 1."),
        (("minimum_group",), "5", "minimum_group “5” is not a whole number such as 5."),
        (("dispute_days",), None, "dispute_days “null” is not a number such as 4 or 2.5."),
        (("definition", "score_threshold"), False, "definition: score_threshold “false” is not a whole number such as "
         "5."),
        # Words that must be known
        ((*CONTACT, "kind"), "first_reponse", f"{IN_CONTACT}: kind “first_reponse” is not known. Did you "
         "mean “first_response”?"),
        ((*CONTACT, "unit"), "business hour", f"{IN_CONTACT}: unit “business hour” is not known. Did you "
         "mean “business hours”?"),
        ((*CONTACT, "start"), "asigned", f"{IN_CONTACT}: start “asigned” is not known. Did you mean "
         "“assigned”?"),
        ((*CONTACT, "party"), "marketing", f"{IN_CONTACT}: party “marketing” does not promise this. Write "
         "“sales”, or choose another kind."),
        ((*VOLUME, "start"), "routed", "commitments 1 (“volume”): start “routed”: Volume of qualified leads "
         "leaves no choice. Write null."),
        ((*CONTACT, "scope", 0, "operator"), "≥", f"{IN_CONTACT}: scope 1: operator “≥” is not known. Known "
         "are is, is not, at least, at most, one of, none of, contains, empty, filled."),
        ((*CONTACT, "scope", 0, "field"), "plan", f"{IN_CONTACT}: scope 1: field “plan”: Leads have no field "
         "“plan”. Use score, source, campaign, segment, name, email, phone, company, title, seniority, company_size, "
         "industry, country or attributes.<name>."),
        (("definition", "criteria", 1, "values"), ["much"], "definition: criteria 2: values: “much” is not a number."),
        (("definition", "criteria", 1, "values"), [], "definition: criteria 2: values: Give the value to compare "
         "with."),
        (("definition", "criteria", 1, "values"), ["5", "6"], "definition: criteria 2: “at least” compares with one "
         "value. Use “one of” or “none of” for several."),
        (("definition", "criteria", 0, "values"), ["A; B", "C"], "definition: criteria 1: values: none of several "
         "values may be empty or hold a semicolon, which parts them."),
        (("definition", "criteria", 0, "values"), ["A", " "], "definition: criteria 1: values: none of several values "
         "may be empty or hold a semicolon, which parts them."),
        (("definition", "criteria", 0, "values"), ["x" * 501], "definition: criteria 1: values: Ensure this value has "
         "at most 500 characters (it has 501)."),
        ((*CONTACT, "scope", 1, "values"), ["yes"], f"{IN_CONTACT}: scope 2: values: “is not empty” takes no "
         "value."),
        (("scope", 0, "values"), [1], "scope 1: values 1 “1” is not a text."),
        (("definition", "required_fields", 1), "fax", "definition: required_fields 2 “fax”: Leads have no field “fax”. "
         "Use score, source, campaign, segment, name, email, phone, company, title, seniority, company_size, industry, "
         "country or attributes.<name>."),
        (("review_cadence",), "monthy", "review_cadence “monthy” is not known. Did you mean “monthly”?"),
        (("review_weekday",), 6, "review_weekday “6”: Value 6 is not a valid choice."),
        # Texts
        ((*CONTACT, "title"), "", f"{IN_CONTACT}: title “”: This field cannot be blank."),
        ((*CONTACT, "title"), "x" * 121, f"{IN_CONTACT}: title “{'x' * 59}…”: Ensure this value has at most "
         "120 characters (it has 121)."),
        ((*CONTACT, "title"), "a\x00b", f"{IN_CONTACT}: title “a�b” holds a character that nobody can see. "
         "Write it anew."),
        ((*CONTACT, "title"), "two\nlines", f"{IN_CONTACT}: title “two�lines” holds a character that nobody "
         "can see. Write it anew."),
        ((*CONTACT, "consequence"), "within \u202e95\u202c %", f"{IN_CONTACT}: consequence “within �95� %” "
         "holds a character that nobody can see. Write it anew."),
        (("note",), "\ud800", "note “�” holds a character that nobody can see. Write it anew."),
        (("note",), None, "note “null” is not a text."),
        ((*CONTACT, "code"), "first contact", "commitments 2 (“first contact”): code “first contact”: Enter a valid "
         "“slug” consisting of letters, numbers, underscores or hyphens."),
        # Calendars
        ((*CONTACT, "calendar"), "Ofice", f"{IN_CONTACT}: calendar “Ofice” is not among the calendars of the "
         "file. Did you mean “Office”?"),
        (("calendar",), "Night", "calendar “Night” is not among the calendars of the file. Known are Office, Support."),
        (("calendars", "Office", "time_zone"), "Berlin", "calendars “Office”: time_zone “Berlin”: “Berlin” is not a "
         "time zone; write one such as Europe/Berlin."),
        (("calendars", "Office", "country"), "XX", "calendars “Office”: No public holidays are known for country “XX”, "
         "region “”."),
        (("calendars", "Office", "country"), 49, "calendars “Office”: country “49” is not a text."),
        (("calendars", "Office", "hours", "0"), [["17:30", "09:00"]], "calendars “Office”: hours “0” (a list): "
         "17:30–09:00 must end after it begins."),
        (("calendars", "Office", "hours", "0"), [["09:00", "25:00"]], "calendars “Office”: hours “0” (a list): "
         "“09:00–25:00” is not a window of two times between 00:00 and 24:00."),
        (("calendars", "Office", "hours", "0"), [["9, 10:00", "11:00"]], "calendars “Office”: hours “0” (a list) is "
         'not a list of windows such as [["09:00", "12:30"], ["13:15", "17:30"]].'),
        (("calendars", "Office", "hours", "0"), "09:00-17:30", "calendars “Office”: hours “0” “09:00-17:30” is not a "
         'list of windows such as [["09:00", "12:30"], ["13:15", "17:30"]].'),
        (("calendars", "Office", "hours"), {"7": WEEK}, "calendars “Office”: hours “7” is not known. Known are 0, 1, "
         "2, 3, 4, 5, 6."),
        (("calendars", "Office", "hours"), {}, "calendars “Office”: The calendar never opens: it has neither weekly "
         "hours nor a special day with hours."),
        (("calendars", "Office", "special"), {"2026-12-24": []}, "calendars “Office”: special “2026-12-24” (a list) is "
         "without hours. Name the day under “closed”."),
        (("calendars", "Office", "special"), {"24.12.2026": WEEK}, "calendars “Office”: special “24.12.2026” is not a "
         "day such as 2026-12-24, of the years 1970 to 2199."),
        (("calendars", "Office", "closed"), {"2026-02-30": "x"}, "calendars “Office”: closed “2026-02-30” is not a day "
         "such as 2026-12-24, of the years 1970 to 2199."),
        (("calendars", "Office", "closed"), {"2026-12-24": None}, "calendars “Office”: closed “2026-12-24” “null” is "
         "not a text."),
        (("calendars", "Office", "working_day_seconds"), 3600, "calendars “Office”: working_day_seconds “3600” is not "
         "a day of its hours. Write 30600."),
        (("calendars",), [], "calendars (a list) is not an object."),
        # Keys
        ((*CONTACT, "tagret"), "95", f"{IN_CONTACT}: “tagret” is not a key that belongs here. Did you mean "
         "“target”?"),
        ((*CONTACT, "target"), GONE, f"{IN_CONTACT}: “target” is missing."),
        (("notes",), "x", "“notes” is not a key that belongs here. Did you mean “note”?"),
        (("definition", "criteria"), GONE, "definition: “criteria” is missing."),
        (("agreement",), "DACH", "agreement “DACH” is not an object."),
        (("commitments",), None, "commitments “null” is not a list."),
        (("commitments", 0), None, "commitments 1 “null” is not an object."),
        (("scope",), {}, "scope (an object) is not a list."),
        # Days and months
        (("effective_from",), "soon", "effective_from “soon” is not a moment such as 2026-03-31T22:00:00+00:00."),
        (("effective_from",), "2026-03-31", "effective_from “2026-03-31” is not a moment such as "
         "2026-03-31T22:00:00+00:00."),
        (("effective_from",), "9999-12-31T23:00:00-05:00", "effective_from “9999-12-31T23:00:00-05:00” is not a moment "
         "such as 2026-03-31T22:00:00+00:00."),
        (("ends_on",), "2026-2-3", "ends_on “2026-2-3” is not a day such as 2026-12-24, of the years 1970 to 2199."),
        ((*VOLUME, "monthly_targets"), {"2026-13": "30"}, "commitments 1 (“volume”): monthly_targets “2026-13” "
         "is not a month such as 2026-12."),
        ((*VOLUME, "monthly_targets"), {"0000-12": "30"}, "commitments 1 (“volume”): monthly_targets “0000-12” "
         "is not a month such as 2026-12."),
        ((*VOLUME, "monthly_targets"), {"2026-12": "30.5"}, "commitments 1 (“volume”): monthly_targets “2026-12”"
         " “30.5” is not a number of leads such as 30."),
        ((*CONTACT, "monthly_targets"), {"2026-12": "30"}, f"{IN_CONTACT}: monthly_targets: First response "
         "has no targets by month. Write {}."),
        # Ladders
        ((*CONTACT, "steps", 0, "share"), 0, f"{IN_CONTACT}: steps 1: share “0”: A step comes at 1 to 1000 percent."),
        ((*CONTACT, "steps", 0, "share"), "50", f"{IN_CONTACT}: steps 1: share “50” is not a whole number such as 5."),
        ((*CONTACT, "steps", 0, "share"), None, f"{IN_CONTACT}: steps 1: share: A step comes at a share of the limit, "
         "or so many minutes from it. Give one."),
        ((*CONTACT, "steps", 0, "offset"), 30, f"{IN_CONTACT}: steps 1: share: A step comes at a share of the limit, "
         "or so many minutes from it. Give one."),
        ((*CONTACT, "steps", 1, "offset"), -40_000, f"{IN_CONTACT}: steps 2: offset “-40000”: A step comes within "
         "30,000 minutes of the limit."),
        ((*CONTACT, "steps", 0, "action"), "tell ower", f"{IN_CONTACT}: steps 1: action “tell ower” is not known. Did "
         "you mean “tell owner”?"),
        ((*CONTACT, "steps", 0, "action"), "recovery plan", f"{IN_CONTACT}: steps 1: action: First response cannot "
         "“ask for a recovery plan”. Choose from: tell the owner, tell the manager, tell everybody of a team, tell "
         "everybody with a role, post in a team’s chat, open a task for RevOps, reassign to the next rep, return to "
         "the team’s queue."),
        ((*CONTACT, "steps", 0, "team"), "Partners", f"{IN_CONTACT}: steps 1: team: “Tell the owner” names no team. "
         "Leave it blank."),
        ((*CONTACT, "steps", 2, "team"), None, f"{IN_CONTACT}: steps 3: team “null” is not a text."),
        ((*CONTACT, "steps", 1, "role"), "", f"{IN_CONTACT}: steps 2: role: Name the role that is told."),
        ((*CONTACT, "steps", 0, "role"), "RevOps", f"{IN_CONTACT}: steps 1: role: “Tell the owner” names no role. "
         "Leave it blank."),
        ((*CONTACT, "steps", 1, "role"), "Sales boss", f"{IN_CONTACT}: steps 2: role “Sales boss” is not known. Known "
         "are RevOps, Marketing leader, Sales leader, Sales manager, Rep, Viewer."),
        ((*CONTACT, "steps", 0, "note"), "x", f"{IN_CONTACT}: steps 1: “note” is not a key that belongs here. Known "
         "are share, offset, action, role, team."),
        ((*CONTACT, "steps"), {}, f"{IN_CONTACT}: steps (an object) is not a list."),
        ((*CONTACT, "steps"), [{"share": 1, "offset": None, "action": "task", "team": "", "role": ""}] * 21,
         f"{IN_CONTACT}: steps: there are 21; a ladder has no more than 20."),
        ((*VOLUME, "steps", 0, "share"), 101, "commitments 1 (“volume”): steps 1: share: After 100 percent the month "
         "is over. Give no more."),
    ],
    ids=lambda value: ".".join(map(str, value)) if isinstance(value, tuple) else "",
)  # fmt: skip
def test_a_bad_value_is_named_with_its_place_and_nothing_is_written(path, value, said, rich):
    assert complaints(rich.agreement, changed(exported(rich), *path, to=value)) == (said,)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Line 1, character 1: this is not JSON. Export a version to see how terms look."),
        ('{"schema": 2,\n "note": }', "Line 2, character 10: this is not JSON. Export a version to see how terms "
         "look."),
        ("code;title\n1;2", "Line 1, character 1: this is not JSON. Export a version to see how terms look."),
        ("[" * 200_000, "A number in it is too long, or its lists and objects stand too deep in each other. Export a "
         "version to see how terms look."),
        ('{"schema": ' + "9" * 5000 + "}", "A number in it is too long, or its lists and objects stand too deep in "
         "each other. Export a version to see how terms look."),
        ("[]", "It is not an object. Export a version to see how terms look."),
        ('"terms"', "It is not an object. Export a version to see how terms look."),
        ("{}", "schema “null” is not known; this release reads schemas 1 to 3. Export a version to see how it looks."),
        ('{"schema": true}', "schema “true” is not known; this release reads schemas 1 to 3. Export a version to see "
         "how it looks."),
        ('{"schema": "2"}', "schema “2” is not known; this release reads schemas 1 to 3. Export a version to see how "
         "it looks."),
        ('{"schema": 4}', "schema “4” is not known; this release reads schemas 1 to 3. Update the portal: a later "
         "release wrote this."),
        ('{"note": "' + "ü" * 1_000_000 + '"}', "It is larger than 2 MB, and terms fit on a page."),
    ],
    ids=range(12),
)  # fmt: skip
def test_what_are_no_terms_at_all_is_said_at_once(text, said, agreement):
    assert terms.SCHEMA == 3  # the sentences above name it
    assert complaints(agreement, text) == (said,)


def test_a_key_that_stands_there_twice_is_named_because_one_value_would_be_lost(rich):
    text = text_of(exported(rich)).replace('"limit": "4"', '"limit": "4", "limit": "8"', 1)
    assert complaints(rich.agreement, text) == (f"{IN_CONTACT}: “limit” stands there twice. Keep one.",)


def test_two_commitments_of_one_code_are_named(rich):
    data = changed(exported(rich), *ATTEMPTS, "code", to="contact")
    assert complaints(rich.agreement, data) == (
        "commitments 3 (“contact”): commitments 2 (“contact”) has the same code. Choose another.",
    )


def test_a_day_both_closed_and_open_is_named(rich):
    data = exported(rich)
    data["calendars"]["Office"] |= {"special": {"2026-12-24": WEEK}, "closed": {"2026-12-24": "Christmas Eve"}}
    assert complaints(rich.agreement, data) == (
        "calendars “Office”: “2026-12-24” is both under “special” and “closed”. Keep one.",
    )


def test_more_promises_than_anybody_keeps_are_refused_unread(rich):
    data = exported(rich)
    many = changed(data, "commitments", to=[None] * 61)
    assert complaints(rich.agreement, many) == ("commitments: there are 61; a version has no more than 60.",)
    many = changed(data, "calendars", to=dict.fromkeys(map(str, range(62))))
    assert complaints(rich.agreement, many) == ("calendars: there are 62; a version has no more than 61.",)


def test_everything_that_is_wrong_is_said_together(rich):
    data = exported(rich)
    data["commitments"][1]["limit"] = "four"
    data["commitments"][2] |= {"code": "contact", "kind": "attemps"}
    data["calendar"] = "Night"
    data["surprise"] = 1
    with pytest.raises(Refused) as refused:
        imported(rich.agreement, data)
    assert str(refused.value).splitlines() == [
        "Nothing was imported. Mend this in the file:",
        "– calendar “Night” is not among the calendars of the file. Known are Office, Support.",
        "– commitments 3 (“contact”): commitments 2 (“contact”) has the same code. Choose another.",
        f"– “surprise” is not a key that belongs here. Known are {', '.join(terms_file.DOCUMENT.keys)}.",
        "– commitments 2 (“contact”): limit “four” is not a number such as 4 or 2.5.",
        "– commitments 3 (“contact”): kind “attemps” is not known. Did you mean “attempts”?",
    ]


def test_what_is_known_is_told_without_what_nobody_can_see(rich):
    data = exported(rich)
    data["calendars"] = {"\x1f": None}
    with pytest.raises(Refused) as refused:
        imported(rich.agreement, data)
    assert "– calendar “Office” is not among the calendars of the file. Known are �." in str(refused.value).splitlines()


def test_no_more_than_twenty_complaints_are_listed(rich):
    data = changed(exported(rich), "definition", "required_fields", to=["fax"] * 5000)
    with pytest.raises(Refused) as refused:
        imported(rich.agreement, data)
    lines = str(refused.value).splitlines()
    assert len(lines) == 22
    assert lines[-1] == "– There is more; these are the first 20."


parts = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["95", "1e9", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def places(value: object, path: tuple = ()) -> list[tuple]:
    """The path of every value inside."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, item in inner for found in places(item, (*path, key)))]


@pytest.mark.long
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_stands_in_a_file_is_refused_with_sentences_or_becomes_a_draft_that_reads(rich, data):
    file = exported(rich)
    path = data.draw(st.sampled_from([path for path in places(file) if path]))
    file = changed(file, *path, to=data.draw(parts))
    with pytest.raises(Undo), transaction.atomic():
        try:
            draft = imported(rich.agreement, file).version
        except terms_file.BadTerms as refused:
            assert all(re.fullmatch(r"\S[^\x00-\x1f]*[.?]", one) for one in refused.complaints), refused
        else:
            wording.document(terms.of(fresh(draft), now=MONDAY))
        raise Undo


def test_a_shape_without_a_complaint_says_nothing():
    shape = shapes.Record({"a": [shapes.maybe(shapes.whole)], "b": shapes.Each(shapes.line, shapes.number)})
    good = shapes.parse('{"a": [1, null], "b": {"x": "2.5", "y": 3}}')
    assert list(shapes.complaints(good, shape)) == []


# --- What is not taken over ---------------------------------------------------------------------------------------


def test_name_teams_zone_and_scope_stay_the_agreements_own_and_are_reported(rich):
    other = Agreement.objects.create(
        name="Nordics", time_zone="Europe/Oslo",
        marketing_team=Team.objects.create(name="Marketing Nordics", party=Party.MARKETING),
        sales_team=Team.objects.create(name="Sales Nordics", party=Party.SALES),
    )  # fmt: skip
    draft, remarks = (result := imported(other, exported(rich))).version, result.remarks
    assert remarks == (
        "The file’s name “DACH inbound”, marketing team “Marketing DACH”, sales team “Sales DACH” and time zone "
        "“Europe/Berlin” are not taken over: the agreement has its own.",
        "The file’s scope “source is Partner” is not taken over: the scope stands on the agreement.",
        "The file’s first day 1 January 2025 and last day 30 June 2026 are left open. Choose anew.",
    )
    data = exported(draft)
    assert data["agreement"]["name"] == "Nordics"
    assert (data["scope"], data["effective_from"], data["ends_on"]) == ([], None, None)
    assert data["commitments"] == exported(rich)["commitments"]


def test_steps_that_name_a_team_of_the_files_agreement_name_that_of_this_one(rich):
    sales = Team.objects.get(name="Sales DACH")
    make_step(rich.commitments.get(code="contact"), "tell team", team=sales)
    data = changed(exported(rich), "agreement", "sales_team", to="Sales of old")
    data["commitments"][1]["steps"][-1]["team"] = "Sales of old"
    draft = imported(rich.agreement, data).version
    assert exported(draft)["commitments"][1]["steps"][-1]["team"] == "Sales DACH"


def test_a_team_that_is_not_here_is_left_out_of_the_ladder_and_reported(rich):
    data = exported(rich)
    Team.objects.filter(name="Partners").update(name="Others")
    result = imported(rich.agreement, data)
    assert result.remarks[-1] == (
        "There is no team “Partners” here. Steps that name it tell the team that owes the promise. Choose anew."
    )
    steps = exported(result.version)["commitments"][1]["steps"]
    assert [step["team"] for step in steps] == [""] * 4
    assert [step["action"] for step in steps] == ["tell owner", "tell role", "tell chat", "reassign"]


def test_a_file_of_the_second_schema_has_no_ladders(rich):
    data = exported(rich) | {"schema": 2}
    for commitment in data["commitments"]:
        del commitment["steps"]
    draft = imported(rich.agreement, data).version
    assert [row["steps"] for row in exported(draft)["commitments"]] == [[]] * 5


def test_a_file_for_every_lead_does_not_widen_the_agreement(rich):
    data = changed(exported(rich), "scope", to=[])
    data |= {"effective_from": None, "ends_on": None}
    assert imported(rich.agreement, data).remarks == (
        "The file’s cover of every lead is not taken over: the scope stands on the agreement.",
    )


def test_the_same_scope_and_open_dates_need_no_remark(rich):
    data = exported(rich) | {"effective_from": None, "ends_on": None}
    assert imported(rich.agreement, data).remarks == ()


def test_a_file_of_the_first_schema_is_read_and_its_closed_days_are_kept_one_by_one(rich):
    data = of_the_first_schema(exported(rich)) | {"effective_from": None, "ends_on": None}
    long = "Epiphany; " * 12
    data["calendars"]["Office"] |= {"closed": {"2026-01-06": long.strip(), "2026-12-25": "Christmas Day"}}
    BusinessCalendar.objects.filter(name="Office").update(name="Office of old")
    draft, remarks = (result := imported(rich.agreement, data)).version, result.remarks
    assert remarks == (
        "The file names no review day. The draft has Tuesday.",
        "Calendar “Office” is new: Mon–Fri 9:00–17:30, Europe/Berlin.",
    )
    assert draft.review_weekday == 1
    assert not Step.objects.filter(commitment__version=draft).exists()
    assert [*exported(draft)["calendars"]["Office"]["closed"]] == ["2026-01-06", "2026-12-25"]
    assert [len(day.name) for day in draft.calendar.special_days.all()] == [80, 13]


# --- Calendars ----------------------------------------------------------------------------------------------------


def test_a_calendar_is_the_one_that_was_chosen_for_its_name(rich):
    chosen = make_calendar(name="Vienna", time_zone="Europe/Vienna")
    draft, remarks = (
        (result := imported(rich.agreement, exported(rich), calendars={"Office": chosen})).version,
        (result.remarks),
    )
    assert draft.calendar == chosen
    assert {row.calendar.name for row in draft.commitments.all()} == {"Vienna", "Support"}
    assert not [remark for remark in remarks if "alendar" in remark]


def test_how_the_portals_calendar_differs_from_the_files_is_reported(rich):
    office = rich.calendar
    for day, hours in ((24, "09:00-12:00"), (31, "")):
        office.special_days.create(date=date(2026, 12, day), hours=hours)
    data = exported(rich) | {"effective_from": None, "ends_on": None}
    assert imported(rich.agreement, data).remarks == ()

    office.special_days.filter(date=date(2026, 12, 24)).update(hours="09:00-13:00")
    office.special_days.filter(date=date(2026, 12, 31)).update(date=date(2026, 12, 30))
    BusinessCalendar.objects.filter(pk=office.pk).update(friday="09:00-15:00", country="DE", region="BE")
    assert imported(rich.agreement, data).remarks == (
        "Calendar “Office” is the portal’s: Mon–Thu 9:00–17:30, Fri 9:00–15:00, Europe/Berlin, with the public "
        "holidays of DE, BE. In the file: Mon–Fri 9:00–17:30, Europe/Berlin, without public holidays.",
        "Calendar “Office” is the portal’s, and opens otherwise than in the file on 3 days, the first of them "
        "24 December 2026.",
    )


def test_a_new_calendar_keeps_public_holidays_as_a_country_and_other_closed_days_as_special_days(rich):
    BusinessCalendar.objects.filter(pk=rich.calendar_id).update(country="DE", region="BE")
    rich.calendar.special_days.create(date=date(2026, 12, 24), hours="", name="Christmas Eve")
    rich.calendar.special_days.create(date=date(2026, 12, 25), hours="10:00-12:00", name="Open house")
    data = exported(rich)
    BusinessCalendar.objects.filter(pk=rich.calendar_id).update(name="Office of old")
    result = imported(rich.agreement, data)
    made = result.version.calendar
    assert result.remarks[-1] == (
        "Calendar “Office” is new: Mon–Fri 9:00–17:30, Europe/Berlin, with the public holidays of DE, BE."
    )
    assert (made.name, made.time_zone, made.country, made.region) == ("Office", "Europe/Berlin", "DE", "BE")
    assert [(day.date.day, day.hours, day.name) for day in made.special_days.all()] == [
        (24, "", "Christmas Eve"),
        (25, "10:00–12:00", ""),
    ]
    made.full_clean()


def test_a_calendar_that_somebody_else_makes_in_the_same_moment_is_taken(rich):
    frozen = exported(rich)["calendars"]["Office"] | {"special": {"2026-12-24": WEEK}}
    assert exchange._make("Office", frozen) == rich.calendar
    assert not rich.calendar.special_days.exists()


def test_a_calendar_that_nothing_counts_in_is_left_out(rich):
    data = exported(rich)
    data["calendars"]["Night"] = data["calendars"]["Office"]
    assert imported(rich.agreement, data).remarks[-1] == (
        "Nothing in the file counts in its calendar “Night”, which is left out."
    )
    assert not BusinessCalendar.objects.filter(name="Night").exists()


# --- Templates ----------------------------------------------------------------------------------------------------


@pytest.fixture
def manned(agreement, max_, mona, rita) -> Agreement:
    """An agreement whose teams have managers, so that ladders reach somebody."""
    agreement.marketing_team.manager = max_
    agreement.marketing_team.save()
    return Agreement.objects.get(pk=agreement.pk)


TEMPLATES = {"argvalues": exchange.TEMPLATES, "ids": [template.slug for template in exchange.TEMPLATES]}


def from_template(agreement: Agreement, template: exchange.Template, **options) -> exchange.Imported:
    return exchange.draft_from_template(agreement, template, **{"calendar": None, "by": None, "now": MONDAY, **options})


def test_four_templates_ship_and_no_file_besides():
    assert [template.name for template in exchange.TEMPLATES] == [
        "One-page starter",
        "Inbound demo requests",
        "ICP with review and acceptance",
        "High-volume MQLs with attempt cadence",
    ]
    assert {file.stem for file in exchange.STARTERS.glob("*")} == {template.slug for template in exchange.TEMPLATES}


@pytest.mark.parametrize("template", **TEMPLATES)
def test_a_template_says_in_a_sentence_for_whom_it_is_and_in_its_note_what_to_adapt(template):
    assert re.fullmatch(r"For [^.]+\.", template.about)
    assert "Before it is proposed: " in template.terms["note"]
    assert all(len(row["title"]) <= 50 for row in template.terms["commitments"])


@pytest.mark.parametrize("template", **TEMPLATES)
def test_changing_the_terms_of_a_template_leaves_the_template_as_it_is(template):
    template.terms["commitments"].clear()
    assert template.terms["commitments"]


@pytest.mark.parametrize("template", **TEMPLATES)
@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/Argentina/Buenos_Aires", "Asia/Kolkata", "Europe/London"])
def test_a_template_gives_a_draft_that_lints_clean(template, zone, manned):
    manned.time_zone = zone
    manned.save()
    draft = from_template(manned, template).version
    assert lint.of(fresh(draft), now=MONDAY) == []


@pytest.mark.parametrize("template", **TEMPLATES)
def test_a_template_in_a_calendar_with_public_holidays_lints_clean(template, manned, rita):
    calendar = make_calendar(
        country="DE", region="BY", monday="09:00-12:30, 13:15-17:30", friday="09:00-15:00", name="Bavaria"
    )
    result = from_template(manned, template, calendar=calendar, by=rita)
    assert result.remarks == ()
    assert {result.version.calendar, *(row.calendar for row in result.version.commitments.all())} == {calendar}
    assert lint.of(fresh(result.version), now=MONDAY) == []
    assert BusinessCalendar.objects.count() == 1


def receive_many(**fields: object) -> None:
    """Enough leads of the last 90 days for every template, all of which fit but for what is given."""
    known = {"name": "Ines", "email": "ines@nordhaus.example", "phone": "+49 30 1", "company": "Nordhaus", "score": 90,
             "title": "Head of IT", "company_size": 200, "industry": "software", "seniority": "Director",
             "source": "Demo request"}  # fmt: skip
    Lead.objects.bulk_create(
        Lead(external_id=f"L{n}", received_at=MONDAY - timedelta(hours=n), **{**known, **fields}) for n in range(2000)
    )


@pytest.mark.parametrize("template", **TEMPLATES)
def test_with_leads_that_bear_its_names_a_template_still_lints_clean(template, manned):
    receive_many()
    draft = from_template(manned, template).version
    assert lint.of(fresh(draft), now=MONDAY) == []


@pytest.mark.parametrize("template", **TEMPLATES)
def test_with_leads_of_other_names_only_the_names_are_to_adapt(template, manned):
    receive_many(source="Website", industry="IT", seniority="Head")
    draft = from_template(manned, template).version
    found = lint.of(fresh(draft), now=MONDAY)
    reads_names = {test.field for test in terms.of(draft, now=MONDAY).criteria} & {"source", "industry", "seniority"}
    # No lead bears the names, so that none would be qualified.
    assert [(one.code, one.field) for one in found] == [("nobody-qualifies", "covers")] * bool(reads_names)
    assert all("Use the values that your leads have." in one.says for one in found)


@pytest.mark.parametrize("template", **TEMPLATES)
def test_a_template_can_be_proposed_and_signed_as_it_is(template, agreement, rita, max_, sofia):
    draft = from_template(agreement, template, by=rita).version
    agreed = agree(draft, by=rita, marketing=max_, sales=sofia)
    assert agreed.status == "agreed"
    promises = terms.of(agreed).promises
    assert {promise.kind.party for promise in promises} >= {Party.MARKETING, Party.SALES}
    assert {promise.kind.dimension.value for promise in promises} >= {"quantity", "quality", "speed"}
    assert all(None not in (promise.target, promise.baseline) and promise.consequence for promise in promises)
    assert all(promise.baseline < promise.target for promise in promises)
    assert all(promise.ladder for promise in promises)


def test_the_template_for_demo_requests_reads_as_people_would_say_it(agreement):
    draft = from_template(agreement, exchange.TEMPLATES[1]).version
    document = wording.document(terms.of(draft, now=MONDAY))
    said = {clause.code: clause.text for _, clauses in document.promises for clause in clauses}
    assert said["first-response"] == (
        f"make first contact with every lead within 15{NBSP}business minutes after it is first assigned (Mon–Fri "
        f"9:00–17:30), for at least 90{NBSP}% of handoffs a month; today 40{NBSP}%."
    )
    assert said["routing"].startswith(f"give every lead an owner within 5{NBSP}minutes after it qualifies")
    assert document.qualified[0] == (
        "A qualified lead comes from Demo request or Contact request, and has an e-mail address."
    )


def test_office_hours_are_made_once_with_the_holidays_of_the_zones_country(agreement):
    first, second = (from_template(agreement, template) for template in exchange.TEMPLATES[:2])
    assert first.remarks == (
        "Calendar “Office hours” is new: Mon–Fri 9:00–17:30, Europe/Berlin, with the public holidays of DE.",
    )
    assert second.remarks == ()
    assert first.version.calendar == second.version.calendar == BusinessCalendar.objects.get()


def test_an_agreement_in_another_zone_gets_office_hours_of_its_own(agreement):
    from_template(agreement, exchange.TEMPLATES[0])
    agreement.time_zone = "America/New_York"
    agreement.save()
    for _ in range(2):
        calendar = from_template(agreement, exchange.TEMPLATES[0]).version.calendar
        assert (calendar.name, calendar.time_zone, calendar.country) == (
            "Office hours, New York",
            "America/New_York",
            "US",
        )
    assert BusinessCalendar.objects.count() == 2


@pytest.mark.parametrize(
    ("zone", "country"),
    [("Europe/Berlin", "DE"), ("Europe/Zurich", "CH"), ("America/Chicago", "US"), ("Asia/Kolkata", "IN"),
     ("UTC", ""), ("Etc/GMT+5", ""), ("US/Eastern", "")],
)  # fmt: skip
def test_whose_holidays_a_zone_keeps_is_guessed_only_where_its_country_is_known(zone, country):
    assert exchange.country_of(zone) == country


def test_a_country_without_known_holidays_is_not_guessed(monkeypatch):
    monkeypatch.setattr(exchange.holidays, "list_supported_countries", lambda: {"AT": []})
    assert (exchange.country_of("Europe/Vienna"), exchange.country_of("Europe/Berlin")) == ("AT", "")


def test_a_template_takes_the_agreement_as_it_is(rich):
    result = from_template(rich.agreement, exchange.TEMPLATES[0])
    assert not [remark for remark in result.remarks if "not taken over" in remark]
    assert exported(result.version)["scope"] == exported(rich)["scope"]


def test_only_revops_drafts_from_a_template(agreement, sofia):
    with pytest.raises(Refused, match="Only RevOps"):
        from_template(agreement, exchange.TEMPLATES[0], by=sofia)
    assert not BusinessCalendar.objects.exists()


# --- From the command line ----------------------------------------------------------------------------------------


def run(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def test_what_one_command_prints_the_other_reads(rich, tmp_path):
    file = tmp_path / "terms.json"
    file.write_text(run("export_terms", "dach INBOUND", "--version", "1"), encoding="utf-8")
    said = run("import_terms", "DACH inbound", str(file)).splitlines()
    draft = rich.agreement.versions.get(number=2)
    assert said[0] == f"Version 2 is a draft: {draft.get_absolute_url()}"
    assert said[1:] == ["The file’s first day 1 January 2025 and last day 30 June 2026 are left open. Choose anew."]
    assert json.loads(run("export_terms", "DACH inbound"))["version"] == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("export_terms", "EMEA"), "There is no agreement “EMEA”. There are: “DACH inbound”."),
        (("export_terms", "DACH inbound", "--version", "9"), "“DACH inbound” has no such version. There are: 1."),
        (("import_terms", "DACH inbound", "/nowhere/x.json"), "/nowhere/x.json cannot be read: No such file or "
         "directory."),
    ],
)  # fmt: skip
def test_a_command_says_what_there_is(arguments, said, draft):
    with pytest.raises(CommandError) as refused:
        run(*arguments)
    assert str(refused.value) == said


def test_a_file_that_cannot_be_imported_ends_the_command_with_its_complaints(draft, tmp_path):
    file = tmp_path / "terms.json"
    file.write_text("{}")
    with pytest.raises(CommandError, match="schema “null” is not known"):
        run("import_terms", "DACH inbound", str(file))
    file.write_bytes(b'{"note": "\xfc"}')
    with pytest.raises(CommandError, match="is not text in UTF-8"):
        run("import_terms", "DACH inbound", str(file))
