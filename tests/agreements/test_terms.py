"""Terms: one way to write them down, and what is read back from the bytes that were signed."""

import hashlib
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agreements import signoff, terms
from agreements.business_time import BusinessTime
from agreements.catalogue import CATALOGUE, Action, Operator, Start, Unit
from agreements.models import Commitment, Criterion, Step, Version
from agreements.terms import Rung
from slaportal import roles
from tests.conftest import MONDAY, complete, make_always, make_calendar, make_commitment, make_step

pytestmark = pytest.mark.django_db


@pytest.fixture
def blank(draft) -> Version:
    """A draft that promises nothing yet."""
    draft.commitments.all().delete()
    return draft


def text_of(version: Version, now: datetime = MONDAY) -> str:
    return terms.freeze(Version.objects.get(pk=version.pk), now=now)[0]


def read(version: Version) -> terms.Terms:
    return terms.of(Version.objects.get(pk=version.pk), now=MONDAY)


def only_promise(version: Version) -> terms.Promise:
    (promise,) = read(version).promises
    return promise


# --- Canonical ----------------------------------------------------------------------------------------------------

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@given(st.dictionaries(st.text(max_size=5), json_values, max_size=5), st.randoms())
def test_the_order_of_keys_does_not_change_the_text_and_reading_it_loses_nothing(content, random):
    shuffled = list(content.items())
    random.shuffle(shuffled)
    assert terms.canonical(dict(shuffled)) == terms.canonical(content)
    assert json.loads(terms.canonical(content)) == content


def test_canonical_text_has_sorted_keys_no_blanks_and_every_character_itself():
    assert terms.canonical({"b": [1, None], "a": {"ü": "“4 Std.”"}}) == '{"a":{"ü":"“4 Std.”"},"b":[1,null]}'


def test_the_digest_is_the_sha_256_of_the_utf_8_bytes():
    assert terms.digest("ü") == hashlib.sha256(b"\xc3\xbc").hexdigest()
    assert terms.digest("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_one_changed_character_changes_the_digest(draft):
    before = terms.digest(text_of(draft))
    draft.commitments.filter(kind="volume").update(target=51)
    assert terms.digest(text_of(draft)) != before


def rich(version: Version) -> None:
    """Fill a draft with rows of everything that has an order."""
    always = make_always()
    for name in ("2025-12-31", "2025-12-24"):
        version.calendar.special_days.create(date=name, hours="09:00-12:00")
    for number, field in enumerate(("score", "country", "industry")):
        Criterion.objects.create(version=version, field=field, operator="filled")
        Criterion.objects.create(agreement=version.agreement, field=field, operator="filled")
        commitment = make_commitment(version, code=f"c{number}", calendar=always, position=0)
        for name in ("email", "phone"):
            Criterion.objects.create(commitment=commitment, field=name, operator="filled")
        for share in (80, 50, 100):
            make_step(commitment, "task", share=share, position=0)


def test_rows_that_were_written_again_keep_their_place(draft):
    rich(draft)
    before = text_of(draft)
    # PostgreSQL moves a row that is updated to the end of its table.
    Criterion.objects.filter(pk=Criterion.objects.order_by("pk").first().pk).update(operator="filled")
    for row in Commitment.objects.order_by("-pk"):
        row.save()
    for day in draft.calendar.special_days.all():
        day.save()
    for step in Step.objects.order_by("-pk"):
        step.save()
    assert text_of(draft) == before


def test_positions_not_ids_give_the_order_of_promises(draft):
    rich(draft)
    for position, row in enumerate(draft.commitments.order_by("-pk")):
        Commitment.objects.filter(pk=row.pk).update(position=position)
    codes = [promise.code for promise in read(draft).promises]
    assert codes == list(draft.commitments.order_by("-pk").values_list("code", flat=True))
    assert [promise.index for promise in read(draft).promises] == [0, 1, 2, 3, 4, 5]


def test_the_order_in_which_required_fields_were_ticked_does_not_matter(draft):
    texts = set()
    for fields in permutations(["email", "phone", "company"]):
        Version.objects.filter(pk=draft.pk).update(required_fields=list(fields))
        texts.add(text_of(draft))
    assert len(texts) == 1
    assert read(draft).required_fields == ("company", "email", "phone")


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (95, "95"),
        ("95.0", "95"),
        ("95.00", "95"),
        ("95.50", "95.5"),
        ("95.55", "95.55"),
        (0, "0"),
        ("0.00", "0"),
        ("0.10", "0.1"),
        (100, "100"),
        (Decimal("1E+2"), "100"),
        ("1200.00", "1200"),
        (None, None),
    ],
)
def test_95_and_95_00_are_the_same_terms(written, kept, draft):
    value = None if written is None else Decimal(written)
    row = draft.commitments.filter(kind="first_response")
    row.update(target=value, baseline=value)
    if value is not None:
        row.update(limit=value)
        Version.objects.filter(pk=draft.pk).update(entry_grace_days=value % 100)
    frozen = json.loads(text_of(draft))["commitments"][1]
    assert (frozen["target"], frozen["baseline"]) == (kept, kept)
    assert frozen["limit"] == (kept or "4")


@pytest.mark.parametrize("written", [30, 30.0, "30", "30.00"])
def test_a_monthly_target_is_the_same_however_it_was_written(written, blank):
    make_commitment(blank, "volume", monthly_targets={"2026-12": written, "2026-08": 20})
    assert json.loads(text_of(blank))["commitments"][0]["monthly_targets"] == {"2026-08": "20", "2026-12": "30"}
    assert only_promise(blank).monthly_targets == {"2026-08": Fraction(20), "2026-12": Fraction(30)}


def test_the_moment_of_the_proposal_changes_nothing_but_how_far_holidays_are_named(draft):
    assert text_of(draft, MONDAY) == text_of(draft, MONDAY + timedelta(days=200))
    type(draft.calendar).objects.update(country="DE", region="BE")
    assert text_of(draft, MONDAY) == text_of(draft, MONDAY + timedelta(days=200))
    this_year, next_year = (json.loads(text_of(draft, datetime(year, 6, 1, tzinfo=UTC))) for year in (2025, 2026))
    closed = [sorted(year["calendars"]["Office"]["closed"]) for year in (this_year, next_year)]
    assert (closed[0][0], closed[0][-1], closed[1][-1]) == ("2024-01-01", "2030-12-26", "2031-12-26")
    assert closed[1][: len(closed[0])] == closed[0]


def test_holidays_are_named_from_the_year_before_the_terms_apply(draft):
    type(draft.calendar).objects.update(country="DE", region="BE")
    Version.objects.filter(pk=draft.pk).update(wanted_from=date(2019, 1, 1))
    closed = json.loads(text_of(draft))["calendars"]["Office"]["closed"]
    assert min(closed) == "2018-01-01"
    assert closed["2018-01-01"] == "New Year's Day"


@pytest.mark.parametrize("language", ["de", "fr_FR", "C"])
def test_the_language_of_the_machine_changes_no_byte(language, draft, monkeypatch):
    type(draft.calendar).objects.update(country="DE", region="BE")
    before = text_of(draft)
    for variable in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.setenv(variable, language)
    assert text_of(draft) == before


def test_terms_wanted_from_a_far_year_still_read(draft):
    Version.objects.filter(pk=draft.pk).update(wanted_from=date(2150, 1, 1))
    assert read(draft).effective_from == datetime(2149, 12, 31, 23, tzinfo=UTC)


# --- Reading ------------------------------------------------------------------------------------------------------


def test_everything_that_was_written_is_read_back(blank, rita):
    Version.objects.filter(pk=blank.pk).update(
        note="Why", ends_on=date(2026, 6, 30), score_threshold=60, required_fields=["phone", "email"],
        review_cadence="weekly", entry_grace_days=Decimal("1.5"), sealing_grace_days=4, dispute_days=Decimal("0.25"),
        monthly_cap=80, minimum_group=7,
    )  # fmt: skip
    Criterion.objects.create(agreement=blank.agreement, field="country", operator="none of", value="US; CA ;")
    Criterion.objects.create(version=blank, field="company_size", operator="at least", value=" 50 ")
    commitment = make_commitment(
        blank, "attempts", code="tries", title="Five tries", calendar=make_always(), start="accepted",
        limit=Decimal("1.5"), unit="hours", attempts=5, target=Decimal("92.5"), baseline=40, consequence="Talk",
        position=3,
    )  # fmt: skip
    Criterion.objects.create(commitment=commitment, field="phone", operator="filled")
    make_step(commitment, "tell role", share=150, role=roles.REVOPS)
    make_step(commitment, "tell team", offset=-30, team=blank.agreement.marketing_team)
    agreed = read(blank)
    assert (agreed.agreement, agreed.marketing_team, agreed.sales_team) == (
        "DACH inbound",
        "Marketing DACH",
        "Sales DACH",
    )
    assert (agreed.time_zone, agreed.version, agreed.calendar, agreed.note) == ("Europe/Berlin", 1, "Office", "Why")
    assert (agreed.effective_from, agreed.ends_on) == (datetime(2024, 12, 31, 23, tzinfo=UTC), date(2026, 6, 30))
    assert agreed.scope == (terms.Test("country", Operator.NONE_OF, ("US", "CA")),)
    assert agreed.criteria == (terms.Test("company_size", Operator.AT_LEAST, ("50",)),)
    assert (agreed.score_threshold, agreed.required_fields) == (60, ("email", "phone"))
    assert (agreed.review_cadence, agreed.monthly_cap, agreed.minimum_group) == ("weekly", 80, 7)
    day = 8 * 3600 + 1800  # the office's
    assert (agreed.entry_grace_seconds, agreed.sealing_grace_seconds, agreed.dispute_seconds) == (
        day * 3 // 2, day * 4, day // 4
    )  # fmt: skip
    assert set(agreed.calendars) == {"Office", "Always"}
    (promise,) = agreed.promises
    assert promise == terms.Promise(
        index=0, code="tries", title="Five tries", kind=CATALOGUE["attempts"], calendar=None,
        scope=(terms.Test("phone", Operator.FILLED, ()),), start=Start.ACCEPTED, limit="1.5 hours", limit_seconds=5400,
        attempts=5, target=Fraction(37, 40), monthly_targets={}, baseline=Fraction(2, 5), consequence="Talk",
        worked_by="Always",
        steps=(
            Rung(index=0, action=Action.ROLE, share=Fraction(3, 2), role="RevOps"),
            Rung(index=1, action=Action.TEAM, offset_seconds=-1800, team="Marketing DACH"),
        ),
    )  # fmt: skip
    assert [rung.index for rung in promise.ladder] == [1, 0]
    # What makes it complete stands behind it; nothing else differs once it is frozen.
    complete(blank)
    assert terms.of(signoff.propose(blank, by=rita, now=MONDAY)).promises[0] == promise


def test_reading_and_writing_again_gives_the_same_bytes(draft):
    rich(draft)
    text = text_of(draft)
    assert terms.canonical(json.loads(text)) == text
    assert terms.read(text) == terms.read(str(text))


def test_what_is_left_blank_reads_as_nothing(blank):
    make_commitment(blank, "volume", target=None)
    Version.objects.filter(pk=blank.pk).update(wanted_from=None, required_fields=[])
    blank.commitments.update(baseline=None, consequence="")
    blank.refresh_from_db()
    agreed, promise = read(blank), only_promise(blank)
    assert (agreed.effective_from, agreed.ends_on, agreed.score_threshold, agreed.monthly_cap) == (None,) * 4
    assert (agreed.scope, agreed.criteria, agreed.required_fields, agreed.note) == ((), (), (), "")
    assert (promise.target, promise.baseline, promise.limit, promise.limit_seconds, promise.start) == (
        None, None, "", None, None
    )  # fmt: skip


def test_a_target_of_nothing_is_a_target(blank):
    make_commitment(blank, target=0, baseline=0)
    assert (only_promise(blank).target, only_promise(blank).baseline) == (0, 0)


@pytest.mark.parametrize(
    ("kind", "target", "read_as", "is_share"),
    [("volume", "50", 50, False), ("acceptance_rate", "80", Fraction(4, 5), True),
     ("first_response", "99.99", Fraction(9999, 10000), True)],
)  # fmt: skip
def test_shares_are_read_exactly_and_counts_as_they_stand(kind, target, read_as, is_share, blank):
    make_commitment(blank, kind, target=Decimal(target))
    assert (only_promise(blank).target, only_promise(blank).is_share) == (read_as, is_share)


@pytest.mark.parametrize(
    ("kind", "start", "read_as"),
    [
        ("first_response", "", Start.QUALIFIED),
        ("first_response", "assigned", Start.ASSIGNED),
        ("routing", "", Start.QUALIFIED),
        ("contact_after_acceptance", "", Start.ACCEPTED),
        ("contact_after_acceptance", "qualified", Start.ACCEPTED),  # the kind leaves no choice
        ("dispute_answer", "", None),
        ("acceptance_rate", "", None),
        ("acceptance_rate", "assigned", None),  # the kind has none
    ],
)
def test_the_start_is_what_the_kind_fixes_or_was_chosen_or_qualified(kind, start, read_as, blank):
    make_commitment(blank, kind, start=start)
    assert only_promise(blank).start == read_as


# --- Limits (rule T4) ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("unit", "limit", "seconds"),
    [
        (Unit.BUSINESS_MINUTES, "90", 5_400),
        (Unit.BUSINESS_HOURS, "4", 14_400),
        (Unit.BUSINESS_HOURS, "0.25", 900),
        (Unit.BUSINESS_DAYS, "1", 30_600),  # eight and a half hours
        (Unit.BUSINESS_DAYS, "2.5", 76_500),
        (Unit.MINUTES, "90", 5_400),
        (Unit.HOURS, "24", 86_400),
        (Unit.DAYS, "1", 86_400),
        (Unit.DAYS, "0.01", 864),
        (Unit.BUSINESS_HOURS, "0", 0),
    ],
)
def test_a_limit_in_any_unit_is_kept_in_seconds(unit, limit, seconds, blank):
    make_commitment(blank, limit=Decimal(limit), unit=unit)
    promise = only_promise(blank)
    assert promise.limit_seconds == seconds
    assert promise.limit == f"{limit} {unit}"
    # Calendar time counts every hour, whatever calendar stands beside it.
    assert promise.calendar == ("Office" if unit.startswith("business") else None)


def test_every_unit_is_in_the_table_above():
    (mark,) = test_a_limit_in_any_unit_is_kept_in_seconds.pytestmark[:1]
    assert {unit for unit, _, _ in mark.args[1]} == set(Unit)


@pytest.mark.parametrize(
    ("hours", "seconds"),
    [
        ({"friday": "09:00-12:00"}, 30_600),  # the most common day, not the mean
        (dict.fromkeys(("monday", "tuesday", "wednesday"), "08:00-12:00, 13:00-17:00"), 28_800),
        (dict.fromkeys(("monday", "tuesday", "wednesday", "thursday", "friday"), "00:00-24:00"), 86_400),
        # As often one as the other: the longer.
        ({"friday": "", **dict.fromkeys(("wednesday", "thursday"), "09:00-13:00")}, 30_600),
    ],
)
def test_a_business_day_is_the_working_day_of_the_commitments_own_calendar(hours, seconds, blank):
    make_commitment(blank, calendar=make_calendar(name="Own", **hours), limit=1, unit="business days")
    assert only_promise(blank).limit_seconds == seconds
    assert read(blank).entry_grace_seconds == 2 * 30_600  # in the version's calendar


def test_monday_15_00_plus_one_business_day_is_tuesday_15_00(blank):
    make_commitment(blank, limit=1, unit="business days")
    agreed = read(blank)
    office = agreed.business_times({})["Office"]
    start = datetime(2025, 3, 3, 14, tzinfo=UTC)
    assert office.deadline(start, timedelta(seconds=agreed.promises[0].limit_seconds)) == start + timedelta(days=1)


def test_a_promise_in_calendar_time_counts_on_a_calendar_that_never_closes(draft):
    calendars = read(draft).business_times({})
    assert set(calendars) == {None, "Office"}
    assert calendars[None] == BusinessTime.always()


# --- Ladders ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "seconds"),
    [
        ({"share": 50}, 7_200),
        ({"share": 1}, 144),
        ({"share": 100}, 14_400),
        ({"share": 150}, 21_600),
        ({"offset": 0}, 14_400),
        ({"offset": -30}, 12_600),
        ({"offset": 90}, 19_800),
        ({"offset": -240}, 0),
        ({"offset": -241}, 0),  # never before the start
    ],
)
def test_a_step_comes_after_its_share_of_the_limit_or_so_many_minutes_from_it(step, seconds, blank):
    make_step(make_commitment(blank, limit=4, unit="business hours"), "task", **step)
    (rung,) = only_promise(blank).ladder
    assert rung.position(only_promise(blank).limit_seconds) == seconds


def test_shares_that_do_not_come_out_even_stay_exact(blank):
    make_step(make_commitment(blank, limit=Decimal("0.01"), unit="hours"), "task", share=33)
    assert only_promise(blank).ladder[0].position(36) == Fraction(33 * 36, 100)


def test_a_ladder_is_climbed_by_time_and_of_equal_moments_as_it_is_written(blank):
    timed = make_commitment(blank, limit=4, unit="business hours")
    for step in ({"share": 100, "action": "reassign"}, {"share": 50, "action": "tell owner"},
                 {"offset": 0, "action": "task"}, {"offset": -120, "action": "tell chat"}):  # fmt: skip
        make_step(timed, **step)
    monthly = make_commitment(blank, "volume", position=1)
    for share in (100, 60, 80):
        make_step(monthly, "task", share=share)
    of_time, of_month = read(blank).promises
    assert [rung.action for rung in of_time.ladder] == ["tell owner", "tell chat", "reassign", "task"]
    assert [rung.index for rung in of_time.ladder] == [1, 3, 0, 2]
    assert [rung.share for rung in of_month.ladder] == [Fraction(3, 5), Fraction(4, 5), 1]


def test_positions_not_ids_give_the_order_of_steps(blank):
    commitment = make_commitment(blank)
    for position in (2, 0, 1):
        make_step(commitment, "task", share=100 + position, position=position)
    assert [rung.share * 100 for rung in only_promise(blank).steps] == [100, 101, 102]


def test_terms_from_before_there_were_ladders_have_none(draft):
    frozen = json.loads(text_of(draft)) | {"schema": 2}
    for row in frozen["commitments"]:
        assert row.pop("steps") == []
    assert [promise.steps for promise in terms.read(terms.canonical(frozen)).promises] == [()] * 3


# --- What a handoff must copy -------------------------------------------------------------------------------------


def test_fields_read_are_those_of_every_criterion_and_the_required_ones(draft):
    assert read(draft).fields_read() == {"name"}
    Criterion.objects.create(agreement=draft.agreement, field="country", operator="filled")
    Criterion.objects.create(version=draft, field="industry", operator="filled")
    for commitment in draft.commitments.all():
        Criterion.objects.create(commitment=commitment, field="attributes.plan", operator="filled")
    Version.objects.filter(pk=draft.pk).update(required_fields=["phone", "industry"])
    assert read(draft).fields_read() == {"country", "industry", "attributes.plan", "phone"}


def test_a_test_of_terms_reads_as_one_would_say_it():
    assert [str(test) for test in (
        terms.Test("score", Operator.AT_LEAST, ("80",)), terms.Test("company_size", Operator.ONE_OF, ("1", "2")),
        terms.Test("attributes.plan", Operator.IS, ("B",)), terms.Test("phone", Operator.EMPTY, ()),
    )] == ["score is at least 80", "company size is one of 1, 2", "plan is B", "phone is empty"]  # fmt: skip
