"""The life of a version: who may take which step from which state, and what stands afterwards."""

import hashlib
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agreements import signers, signoff, terms
from agreements.catalogue import CATALOGUE, FIELDS, Action, Kind, Operator, Unit
from agreements.models import Agreement, AgreementEvent, Commitment, Criterion, Signature, Status, Step, Version
from agreements.signoff import SignoffError, TermsChanged
from slaportal import roles
from slaportal.models import Party, Team, User
from slaportal.refusal import Refused
from tests.conftest import (
    MONDAY,
    PASSWORD,
    agree,
    complete,
    make_always,
    make_commitment,
    make_step,
    make_user,
    triggers_off,
)
from tests.kept import kept

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
@kept
def proposed(draft, rita) -> Version:
    """Version 1, waiting for both signatures."""
    return signoff.propose(draft, by=rita, now=MONDAY)


def sign(version: Version, signer: User, **overrides) -> Signature:
    given = {"password": PASSWORD, "terms_hash": version.terms_hash, "name": signer.name, "now": MONDAY, **overrides}
    return signoff.sign(version, signer=signer, **given)


def next_draft(version: Version, by: User, **dates) -> Version:
    """A draft after `version` that asks for these dates."""
    draft = signoff.new_draft_from(version, by=by, now=MONDAY)
    Version.objects.filter(pk=draft.pk).update(**dates)
    draft.refresh_from_db()
    return draft


def trail(agreement: Agreement) -> list[tuple]:
    """What the agreement's events say, in order."""
    return [(event.what, event.detail, event.actor) for event in agreement.events.all()]


def row(version: Version) -> dict:
    """Every column of the version as the database has it."""
    return Version.objects.values().get(pk=version.pk)


# --- The state machine --------------------------------------------------------------------------------------------

VERBS = {
    "propose": lambda version, cast: signoff.propose(version, by=cast["rita"], now=MONDAY),
    "sign": lambda version, cast: sign(version, cast["max_"]),
    "decline": lambda version, cast: signoff.decline(version, by=cast["max_"], reason="Too fast.", now=MONDAY),
    "withdraw": lambda version, cast: signoff.withdraw(version, by=cast["rita"], reason="Obsolete.", now=MONDAY),
}


@pytest.fixture
def cast(rita, max_, sofia) -> dict[str, User]:
    return {"rita": rita, "max_": max_, "sofia": sofia}


@pytest.fixture
def in_state(draft, cast):
    """Brings version 1 into a state; nobody has signed unless it is agreed, which another marketing leader signed."""

    def bring(state: str) -> Version:
        if state == "agreed":
            return agree(draft, by=cast["rita"], marketing=make_user("mia@example.com", roles.MARKETING_LEADER),
                         sales=cast["sofia"])  # fmt: skip
        if state != "draft":
            signoff.propose(draft, by=cast["rita"], now=MONDAY)
        if state in ("declined", "withdrawn"):
            VERBS["decline" if state == "declined" else "withdraw"](draft, cast)
        draft.refresh_from_db()
        assert draft.status == state
        return draft

    return bring


@pytest.mark.parametrize(
    ("verb", "state", "after"),
    [
        ("propose", "draft", Status.PROPOSED),
        ("sign", "proposed", Status.PROPOSED),
        ("decline", "proposed", Status.DECLINED),
        ("withdraw", "draft", Status.WITHDRAWN),
        ("withdraw", "proposed", Status.WITHDRAWN),
    ],
)
def test_a_step_leads_to_its_state(verb, state, after, in_state, cast):
    version = in_state(state)
    VERBS[verb](version, cast)
    assert row(version)["status"] == after


@pytest.mark.parametrize(
    ("verb", "state", "sentence"),
    [
        ("propose", "proposed", "Version 1 is proposed; only a draft can be proposed."),
        ("propose", "agreed", "Version 1 is agreed; only a draft can be proposed."),
        ("propose", "declined", "Version 1 is declined; only a draft can be proposed."),
        ("propose", "withdrawn", "Version 1 is withdrawn; only a draft can be proposed."),
        ("sign", "draft", "Version 1 is a draft; only a proposed one can be signed."),
        ("sign", "agreed", "Version 1 is agreed; only a proposed one can be signed."),
        ("sign", "declined", "Version 1 is declined; only a proposed one can be signed."),
        ("sign", "withdrawn", "Version 1 is withdrawn; only a proposed one can be signed."),
        ("decline", "draft", "Version 1 is a draft; only a proposed one can be declined."),
        ("decline", "agreed", "Version 1 is agreed; only a proposed one can be declined."),
        ("decline", "declined", "Version 1 is declined; only a proposed one can be declined."),
        ("decline", "withdrawn", "Version 1 is withdrawn; only a proposed one can be declined."),
        ("withdraw", "agreed", "Version 1 is agreed; only a draft or a proposed one can be withdrawn."),
        ("withdraw", "declined", "Version 1 is declined; only a draft or a proposed one can be withdrawn."),
        ("withdraw", "withdrawn", "Version 1 is withdrawn; only a draft or a proposed one can be withdrawn."),
    ],
)
def test_any_other_step_is_refused_with_a_sentence_and_writes_nothing(verb, state, sentence, in_state, cast):
    version = in_state(state)
    before = row(version), trail(version.agreement), Signature.objects.count()
    with pytest.raises(SignoffError) as refusal:
        VERBS[verb](version, cast)
    assert str(refusal.value) == sentence
    assert isinstance(refusal.value, Refused)
    assert (row(version), trail(version.agreement), Signature.objects.count()) == before


@pytest.mark.parametrize("state", ["draft", "proposed", "agreed", "declined", "withdrawn"])
def test_a_new_draft_can_be_made_from_a_version_in_any_state(state, in_state, cast):
    version = in_state(state)
    before = row(version)
    draft = signoff.new_draft_from(version, by=cast["rita"], now=MONDAY + DAY)
    # After version 1 was declined, 2 stands there already.
    assert (draft.status, draft.number, draft.based_on) == (Status.DRAFT, 3 if state == "declined" else 2, version)
    assert (draft.created_by, draft.created_at) == (cast["rita"], MONDAY + DAY)
    assert (draft.wanted_from, draft.ends_on, draft.terms, draft.terms_hash) == (None, None, "", "")
    assert row(version) == before


def test_steps_are_judged_by_what_stands_in_the_database_and_not_by_a_page_left_open(draft, rita, max_):
    left_open = Version.objects.get(pk=draft.pk)
    signoff.withdraw(draft, by=rita, reason="Obsolete.", now=MONDAY)
    with pytest.raises(SignoffError, match="Version 1 is withdrawn"):
        signoff.propose(left_open, by=rita, now=MONDAY)


def test_numbers_are_given_in_order_and_never_again(draft, rita, office):
    signoff.withdraw(draft, by=rita, reason="Obsolete.", now=MONDAY)
    assert [signoff.new_draft(draft.agreement, by=rita, now=MONDAY, calendar=office).number for _ in "ab"] == [2, 3]


def test_a_version_that_promises_nothing_cannot_be_proposed(draft, rita):
    draft.commitments.all().delete()
    with pytest.raises(SignoffError, match=r"Marketing promises nothing.* Sales promises nothing"):
        signoff.propose(draft, by=rita, now=MONDAY)
    assert row(draft)["terms"] == ""


def test_sixty_commitments_can_be_proposed_and_sixty_one_cannot(draft, rita):
    for number in range(61 - draft.commitments.count()):
        make_commitment(draft, code=f"promise-{number}")
    with pytest.raises(SignoffError, match="Nobody keeps more than 60 promises"):
        signoff.propose(draft, by=rita, now=MONDAY)
    draft.commitments.last().delete()
    assert signoff.propose(draft, by=rita, now=MONDAY).status == Status.PROPOSED


@pytest.mark.parametrize("verb", ["decline", "withdraw"])
def test_ending_a_proposal_needs_a_reason_which_is_kept(verb, proposed, max_, rita):
    by = max_ if verb == "decline" else rita
    step = getattr(signoff, verb)
    with pytest.raises(SignoffError, match="Say why"):
        step(proposed, by=by, reason=" \n", now=MONDAY)
    assert row(proposed)["status"] == Status.PROPOSED
    step(proposed, by=by, reason="  Four hours are too few.  ", now=MONDAY + DAY)
    event = proposed.events.last()
    detail = "for marketing: Four hours are too few." if verb == "decline" else "Four hours are too few."
    assert (event.what, event.detail, event.actor, event.at) == (
        {"decline": "declined", "withdraw": "withdrawn"}[verb], detail, by, MONDAY + DAY
    )  # fmt: skip


@pytest.mark.parametrize("who", ["rita", "ron", "mona", "vera"])
def test_only_the_two_leaders_can_decline(who, proposed, request):
    with pytest.raises(SignoffError, match="Only the leaders of this agreement’s marketing and sales teams can"):
        signoff.decline(proposed, by=request.getfixturevalue(who), reason="No.", now=MONDAY)


def test_after_one_side_declined_the_other_ones_signature_stays_visible_without_effect(proposed, max_, sofia):
    signature = sign(proposed, max_)
    signoff.decline(proposed, by=sofia, reason="Too fast.", now=MONDAY)
    assert list(proposed.signatures.all()) == [signature]
    with pytest.raises(SignoffError, match="Version 1 is declined"):
        sign(proposed, sofia)
    with pytest.raises(SignoffError, match="Version 1 is declined"):
        sign(proposed, max_)


# --- What is frozen -----------------------------------------------------------------------------------------------


def test_a_proposal_freezes_canonical_json_and_its_sha_256(proposed):
    assert proposed.terms_hash == hashlib.sha256(proposed.terms.encode("utf-8")).hexdigest()
    read = json.loads(proposed.terms)
    again = json.dumps(read, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert proposed.terms == again
    assert (read["schema"], read["version"]) == (3, 1)
    assert [promise["code"] for promise in read["commitments"]] == ["volume", "first-response", "completeness"]
    assert (proposed.proposed_at, proposed.proposed_by.name) == (MONDAY, "Rita")


def test_nothing_that_is_edited_later_changes_what_was_proposed(proposed, office, marketing, rita, max_, sofia):
    before, read = row(proposed), terms.of(proposed)
    with triggers_off(), transaction.atomic():
        proposed.commitments.update(target=1, title="Other")
        make_commitment(proposed, "routing")
        Criterion.objects.create(version=proposed, field="score", operator="at least", value="99")
        Version.objects.filter(pk=proposed.pk).update(
            monthly_cap=1, wanted_from=date(2025, 2, 2), ends_on=date(2025, 2, 3)
        )
        assert terms.of(Version.objects.get(pk=proposed.pk)) == read
        # The rows are no terms, but nobody signs over rows that somebody changed.
        with pytest.raises(TermsChanged, match="changed behind everybody’s back"):
            sign(proposed, max_)
        transaction.set_rollback(True)
    Criterion.objects.create(agreement=proposed.agreement, field="country", value="AT")
    Agreement.objects.filter(pk=proposed.agreement_id).update(name="Other", time_zone="Asia/Tokyo")
    office.monday, office.name = "", "Closed on Mondays"
    office.save()
    Team.objects.filter(pk=marketing.pk).update(name="Other")
    fresh = Version.objects.get(pk=proposed.pk)
    assert (fresh.terms, fresh.terms_hash) == (before["terms"], before["terms_hash"])
    assert terms.of(fresh) == read
    assert signoff.meaning(fresh, Party.SALES) == (
        "I have read version 1 of “DACH inbound” and commit sales to it from 1 January 2025."
    )
    for leader in (max_, sofia):
        sign(fresh, leader)
    fresh.refresh_from_db()
    assert (fresh.effective_from, fresh.ends_at) == (datetime(2024, 12, 31, 23, tzinfo=UTC), None)


def test_a_draft_has_no_frozen_terms_and_reads_as_it_would_be_frozen(draft, rita):
    assert (draft.terms, draft.terms_hash) == ("", "")
    read = terms.of(draft, now=MONDAY)
    assert terms.of(signoff.propose(draft, by=rita, now=MONDAY)) == read


# --- A new draft from a version -----------------------------------------------------------------------------------

# Sorted out by hand: when a field is added, it must be decided here whether a new draft takes it over.
TAKEN_OVER = {"note", "calendar_id", "score_threshold", "required_fields", "review_cadence", "review_weekday",
              "entry_grace_days", "sealing_grace_days", "dispute_days", "monthly_cap", "minimum_group"}  # fmt: skip
ITS_OWN = {"id", "number", "status", "based_on_id", "wanted_from", "ends_on", "terms", "terms_hash", "effective_from",
           "ends_at", "created_by_id", "created_at", "proposed_by_id", "proposed_at", "agreed_at"}  # fmt: skip


def test_every_field_is_either_taken_over_or_the_drafts_own():
    assert set(row_names(Version)) == TAKEN_OVER | ITS_OWN | {"agreement_id"}


def row_names(model) -> list[str]:
    return [field.attname for field in model._meta.concrete_fields]


def test_a_new_draft_takes_over_everything_but_the_dates(draft, office, rita):
    fields = {"note": "Why", "score_threshold": 60, "required_fields": ["email", "phone"], "review_cadence": "weekly",
              "entry_grace_days": Decimal("1.5"), "sealing_grace_days": 7, "dispute_days": Decimal("0.25"),
              "monthly_cap": 80, "minimum_group": 9, "ends_on": date(2025, 12, 31)}  # fmt: skip
    always = make_always()
    Version.objects.filter(pk=draft.pk).update(calendar=always, **fields)
    draft.refresh_from_db()
    Criterion.objects.create(version=draft, field="industry", operator="one of", value="Logistics; Energy")
    fields = {"start": "accepted", "limit": Decimal("1.25"), "unit": "business days", "attempts": 3, "target": 80,
              "baseline": 40, "consequence": "Talk", "position": 7, "title": "Tries", "calendar": always}  # fmt: skip
    rich = make_commitment(draft, "attempts", **fields, monthly_targets={"2025-08": 20})
    Criterion.objects.create(commitment=rich, field="score", operator="at least", value="80")
    make_step(rich, "tell team", offset=-30, team=draft.agreement.marketing_team, position=4)
    make_step(rich, "tell role", share=80, role=roles.REVOPS, position=2)
    copy = signoff.new_draft_from(draft, by=rita, now=MONDAY)
    assert {name: row(copy)[name] for name in TAKEN_OVER} == {name: row(draft)[name] for name in TAKEN_OVER}
    for names, parent in (
        (set(row_names(Commitment)) - {"id", "version_id"}, "version"),
        ({"field", "operator", "value"}, "version"),
        ({"field", "operator", "value"}, "commitment__version"),
        (set(row_names(Step)) - {"id", "commitment_id"}, "commitment__version"),
    ):
        model = Commitment if "code" in names else Step if "share" in names else Criterion
        old, new = (list(model.objects.filter(**{parent: one}).values(*names)) for one in (draft, copy))
        assert old == new != []


def test_a_new_draft_shares_no_row_with_its_origin(proposed, rita):
    before = terms.freeze(proposed, now=MONDAY)
    draft = signoff.new_draft_from(proposed, by=rita, now=MONDAY)
    draft.commitments.update(title="Other")
    draft.commitments.first().delete()
    Step.objects.filter(commitment__version=draft).delete()
    assert terms.freeze(proposed, now=MONDAY) == before


text = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=30)
amount = st.decimals(0, 9999, places=2)
day_amount = st.decimals(0, 99, places=2)


@st.composite
def criteria(draw) -> dict:
    operator = draw(st.sampled_from(Operator.values))
    value = "" if operator in ("empty", "filled") else draw(text.filter(str.strip))
    return {"field": draw(st.sampled_from([*FIELDS, "attributes.product"])), "operator": operator, "value": value}


@st.composite
def promises(draw) -> dict:
    kind = CATALOGUE[draw(st.sampled_from(list(CATALOGUE)))]
    limit = {"limit": draw(amount), "unit": draw(st.sampled_from(Unit.values))} if kind.has_limit else {}
    return {
        "kind": kind.code,
        "title": draw(text),
        "start": draw(st.sampled_from(["", *kind.starts])),
        "attempts": draw(st.integers(1, 30)) if kind.needs_attempts else None,
        "target": draw(st.none() | amount),
        "baseline": draw(st.none() | amount),
        "consequence": draw(text),
        "monthly_targets": draw(st.dictionaries(st.sampled_from(["2025-08", "2025-12"]), st.integers(0, 900))),
        "position": draw(st.integers(0, 3)),
        "steps": draw(st.lists(steps(kind), max_size=3)),
        **limit,
    }


@st.composite
def steps(draw, kind: Kind) -> dict:
    action = draw(st.sampled_from(kind.actions))
    is_share = not kind.has_limit or draw(st.booleans())
    moment = {"share": draw(st.integers(1, 100))} if is_share else {"offset": draw(st.integers(-500, 500))}
    return {**moment, "action": action, "role": roles.REP if action == Action.ROLE else "",
            "position": draw(st.integers(0, 3))}  # fmt: skip


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    fields=st.fixed_dictionaries(
        {
            "note": text,
            "score_threshold": st.none() | st.integers(0, 500),
            "required_fields": st.lists(st.sampled_from(list(FIELDS)), unique=True),
            "review_cadence": st.sampled_from(["weekly", "monthly", "quarterly"]),
            "entry_grace_days": day_amount,
            "sealing_grace_days": day_amount,
            "dispute_days": day_amount,
            "monthly_cap": st.none() | st.integers(1, 5000),
            "minimum_group": st.integers(0, 100),
        }
    ),
    definition=st.lists(criteria(), max_size=3),
    commitments=st.lists(st.tuples(promises(), st.lists(criteria(), max_size=2)), min_size=1, max_size=4),
)
def test_what_a_new_draft_says_equals_what_was_proposed_but_for_number_and_dates(
    agreement, office, rita, fields, definition, commitments
):
    with transaction.atomic():
        calendars = [office, make_always()]
        first = signoff.new_draft(
            agreement, by=rita, now=MONDAY, calendar=office, wanted_from=date(2025, 5, 1), ends_on=date(2026, 5, 1),
            **fields,
        )  # fmt: skip
        Criterion.objects.bulk_create(Criterion(version=first, **one) for one in definition)
        for number, (promise, scope) in enumerate(commitments):
            ladder = promise.pop("steps")
            made = Commitment.objects.create(
                version=first, code=f"c{number}", calendar=calendars[number % 2], **promise
            )
            Step.objects.bulk_create(Step(commitment=made, **one) for one in ladder)
            Criterion.objects.bulk_create(Criterion(commitment=made, **one) for one in scope)
        first = signoff.propose(complete(first), by=rita, now=MONDAY)
        copy = signoff.new_draft_from(first, by=rita, now=MONDAY)
        frozen, written = json.loads(first.terms), json.loads(terms.freeze(copy, now=MONDAY)[0])
        assert (written.pop("version"), frozen.pop("version")) == (copy.number, first.number)
        assert [written.pop(name) for name in ("effective_from", "ends_on")] == [None, None]
        assert [frozen.pop(name) for name in ("effective_from", "ends_on")] == [
            "2025-04-30T22:00:00+00:00",
            "2026-05-01",
        ]
        assert written == frozen
        transaction.set_rollback(True)


# --- Signing ------------------------------------------------------------------------------------------------------


def test_a_signature_keeps_who_signed_what_when_and_in_which_words(proposed, sofia):
    signature = sign(proposed, sofia, name="  Sofia Lang ", title=" VP Sales ", now=MONDAY + DAY)
    assert (signature.party, signature.signer, signature.name, signature.title) == (
        Party.SALES, sofia, "Sofia Lang", "VP Sales"
    )  # fmt: skip
    assert (signature.terms_hash, signature.signed_at) == (proposed.terms_hash, MONDAY + DAY)
    assert signature.meaning == "I have read version 1 of “DACH inbound” and commit sales to it from 1 January 2025."
    assert row(proposed)["status"] == Status.PROPOSED


@pytest.mark.parametrize("order", [("max_", "sofia"), ("sofia", "max_")])
def test_the_second_signature_agrees_the_version_whoever_comes_first(order, proposed, request):
    first, second = (request.getfixturevalue(name) for name in order)
    sign(proposed, first, now=MONDAY)
    assert row(proposed)["agreed_at"] is None
    sign(proposed, second, now=MONDAY + DAY)
    proposed.refresh_from_db()
    assert (proposed.status, proposed.agreed_at) == (Status.AGREED, MONDAY + DAY)
    assert Version.objects.in_force(MONDAY).get() == proposed


def test_when_the_version_cannot_be_agreed_the_second_signature_is_not_written_either(
    proposed, max_, sofia, monkeypatch
):
    sign(proposed, max_)

    def broken(*args, **kwargs):
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(signoff, "_agree", broken)
    with pytest.raises(RuntimeError):
        sign(proposed, sofia)
    assert [signature.signer for signature in Signature.objects.all()] == [max_]
    assert row(proposed)["status"] == Status.PROPOSED


def test_each_step_appends_one_event(proposed, max_, sofia):
    for leader in (max_, sofia):
        sign(proposed, leader)
    rita = proposed.proposed_by
    assert trail(proposed.agreement) == [
        ("drafted", "", rita),
        ("proposed", f"terms {proposed.terms_hash}", rita),
        ("signed", "for marketing", max_),
        ("signed", "for sales", sofia),
        ("agreed", "in force from 1 January 2025", None),
    ]


def test_a_second_click_returns_the_same_signature_before_and_after_the_version_is_agreed(proposed, max_, sofia):
    signature = sign(proposed, max_)
    assert sign(proposed, max_, now=MONDAY + DAY) == signature
    sign(proposed, sofia)
    before = row(proposed), trail(proposed.agreement)
    assert sign(proposed, max_, name="Other", now=MONDAY + DAY) == signature
    assert (row(proposed), trail(proposed.agreement)) == before
    assert Signature.objects.get(pk=signature.pk).name == "Max"


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"password": "wrong"}, "That is not your password. Nothing was signed."),
        ({"password": ""}, "That is not your password. Nothing was signed."),
        ({"name": "  "}, "Type your name as it shall stand under the agreement."),
    ],
)
def test_a_signature_needs_the_password_and_a_name(fields, sentence, proposed, sofia):
    with pytest.raises(SignoffError) as refusal:
        sign(proposed, sofia, **fields)
    assert str(refusal.value) == sentence
    assert not Signature.objects.exists()


def test_the_password_of_somebody_else_does_not_sign(proposed, sofia, max_):
    max_.set_password("another good password")
    max_.save()
    with pytest.raises(SignoffError, match="not your password"):
        sign(proposed, sofia, password="another good password")


@pytest.mark.parametrize("shown", ["", "0" * 64])
def test_terms_that_were_not_shown_are_not_signed(shown, proposed, sofia):
    with pytest.raises(TermsChanged, match="These are not the terms that you were shown"):
        sign(proposed, sofia, terms_hash=shown)
    assert not Signature.objects.exists()
    assert [event.what for event in AgreementEvent.objects.all()] == ["drafted", "proposed"]


def test_the_hash_of_an_earlier_proposal_does_not_sign_a_later_one(proposed, sofia, rita):
    signoff.withdraw(proposed, by=rita, reason="A number was wrong.", now=MONDAY)
    second = signoff.propose(next_draft(proposed, rita), by=rita, now=MONDAY)
    with pytest.raises(TermsChanged):
        sign(second, sofia, terms_hash=proposed.terms_hash)


def somebody(*held: str, team: Team | None = None, **fields) -> User:
    user = make_user("somebody@example.com", team=team, **fields)
    for role in held:
        user.groups.add(Group.objects.get(name=role))
    return user


@pytest.mark.parametrize(
    ("held", "team", "fields", "party"),
    [
        ([roles.MARKETING_LEADER], "marketing", {}, Party.MARKETING),
        ([roles.SALES_LEADER], "sales", {}, Party.SALES),
        # Above all teams: signs for the side.
        ([roles.MARKETING_LEADER], None, {}, Party.MARKETING),
        ([roles.SALES_LEADER, roles.SALES_MANAGER], None, {}, Party.SALES),
        # The role of one side, in a team of the other.
        ([roles.MARKETING_LEADER], "sales", {}, None),
        ([roles.SALES_LEADER], "marketing", {}, None),
        # Both roles: the team decides; without one it is one side, never both.
        ([roles.MARKETING_LEADER, roles.SALES_LEADER], "sales", {}, Party.SALES),
        ([roles.MARKETING_LEADER, roles.SALES_LEADER], "marketing", {}, Party.MARKETING),
        ([roles.MARKETING_LEADER, roles.SALES_LEADER], None, {}, Party.MARKETING),
        # A leader of another team of that side.
        ([roles.SALES_LEADER], "other", {}, None),
        # RevOps never, whatever else they hold.
        ([roles.REVOPS], None, {}, None),
        ([roles.REVOPS], None, {"is_superuser": True, "is_staff": True}, None),
        ([roles.REVOPS, roles.SALES_LEADER], "sales", {}, None),
        ([roles.REVOPS, roles.MARKETING_LEADER, roles.SALES_LEADER], None, {"is_superuser": True}, None),
        # Nobody signs because of what they may do otherwise.
        ([], None, {"is_superuser": True, "is_staff": True}, None),
        ([], "sales", {}, None),
        ([roles.SALES_MANAGER], "sales", {}, None),
        ([roles.REP], "sales", {}, None),
        ([roles.VIEWER], None, {}, None),
        # Somebody who has left.
        ([roles.SALES_LEADER], "sales", {"is_active": False}, None),
    ],
)
def test_who_may_sign_for_which_side(held, team, fields, party, proposed, marketing, sales):
    other = Team.objects.create(name="Sales Nordics", party=Party.SALES)
    teams = {"marketing": marketing, "sales": sales, "other": other, None: None}
    user = somebody(*held, team=teams[team], **fields)
    assert signers.signing_party(user, proposed.agreement) == party
    if party:
        assert sign(proposed, user).party == party
        return
    with pytest.raises(SignoffError, match="Only the leaders of this agreement’s marketing and sales teams sign"):
        sign(proposed, user)
    assert not Signature.objects.exists()


def test_a_role_that_was_taken_away_a_second_ago_does_not_sign(proposed, sofia):
    loaded = User.objects.prefetch_related("groups").get(pk=sofia.pk)
    assert loaded.has_perm("agreements.view_version")
    sofia.groups.clear()
    with pytest.raises(SignoffError, match="Only the leaders"):
        sign(proposed, loaded)


@pytest.mark.parametrize("change", [{"is_active": False}, {"team": "other"}])
def test_whoever_left_or_moved_a_second_ago_does_not_sign(change, proposed, sofia):
    if "team" in change:
        change = {"team": Team.objects.create(name="Sales Nordics", party=Party.SALES)}
    loaded = User.objects.get(pk=sofia.pk)
    User.objects.filter(pk=sofia.pk).update(**change)
    with pytest.raises(SignoffError, match="Only the leaders"):
        sign(proposed, loaded)


def test_one_side_signs_once(proposed, max_):
    sign(proposed, max_)
    colleague = make_user("mia@example.com", roles.MARKETING_LEADER)
    with pytest.raises(SignoffError, match="Somebody has signed for your side already"):
        sign(proposed, colleague)
    assert [signature.signer for signature in Signature.objects.all()] == [max_]


def test_one_person_cannot_sign_for_both_sides_by_changing_roles(proposed, marketing):
    user = somebody(roles.MARKETING_LEADER)
    sign(proposed, user)
    user.groups.set(Group.objects.filter(name=roles.SALES_LEADER))
    with pytest.raises(SignoffError, match="or you for the other one"):
        sign(proposed, user)
    assert Signature.objects.get().party == Party.MARKETING
    assert row(proposed)["status"] == Status.PROPOSED


# --- From when it is in force (rule A2) ---------------------------------------------------------------------------


def test_a_first_version_may_apply_to_the_past_and_signatures_keep_their_true_time(version):
    assert version.effective_from == datetime(2024, 12, 31, 23, tzinfo=UTC)
    assert version.agreed_at == MONDAY
    assert version.is_retroactive
    assert {signature.signed_at for signature in version.signatures.all()} == {MONDAY}


def test_a_first_version_may_even_have_ended_before_it_was_signed(draft, rita, max_, sofia):
    Version.objects.filter(pk=draft.pk).update(wanted_from=date(2024, 1, 1), ends_on=date(2024, 12, 31))
    version = agree(draft, by=rita, marketing=max_, sales=sofia)
    assert version.ends_at == datetime(2024, 12, 31, 23, tzinfo=UTC)
    assert Version.objects.in_force(datetime(2024, 6, 1, tzinfo=UTC)).get() == version
    assert not Version.objects.in_force(MONDAY).exists()


def test_a_version_without_a_first_day_begins_with_its_second_signature(draft, rita, max_, sofia):
    Version.objects.filter(pk=draft.pk).update(wanted_from=None)
    proposed = signoff.propose(draft, by=rita, now=MONDAY)
    assert signoff.meaning(proposed, Party.SALES).endswith("commit sales to it from the second signature.")
    sign(proposed, max_, now=MONDAY + DAY)
    sign(proposed, sofia, now=MONDAY + 2 * DAY)
    proposed.refresh_from_db()
    assert proposed.effective_from == proposed.agreed_at == MONDAY + 2 * DAY
    assert not proposed.is_retroactive


@pytest.mark.parametrize(
    ("wanted", "begins"),
    [
        (None, MONDAY + 2 * DAY),
        (date(2025, 2, 1), MONDAY + 2 * DAY),  # in the past: no earlier than the second signature
        (date(2025, 3, 4), MONDAY + 2 * DAY),  # between the two signatures
        (date(2025, 3, 6), datetime(2025, 3, 5, 23, tzinfo=UTC)),
        (date(2025, 6, 1), datetime(2025, 5, 31, 22, tzinfo=UTC)),  # midnight of Berlin's summer
    ],
)
def test_a_later_version_takes_effect_no_earlier_than_its_second_signature(wanted, begins, version, rita, max_, sofia):
    second = signoff.propose(next_draft(version, rita, wanted_from=wanted), by=rita, now=MONDAY)
    sign(second, max_, now=MONDAY + DAY)
    sign(second, sofia, now=MONDAY + 2 * DAY)
    second.refresh_from_db()
    assert second.effective_from == begins
    assert not second.is_retroactive
    assert Version.objects.in_force(begins - timedelta(microseconds=1)).get() == version
    assert Version.objects.in_force(begins).get() == second


def test_what_a_later_version_is_signed_for_says_that_it_may_begin_later_than_asked(version, rita):
    second = signoff.propose(next_draft(version, rita, wanted_from=date(2025, 3, 10)), by=rita, now=MONDAY)
    assert signoff.meaning(second, Party.MARKETING) == (
        "I have read version 2 of “DACH inbound” and commit marketing to it from 10 March 2025, or from the second "
        "signature if that is later."
    )


@pytest.mark.parametrize("wanted", [date(2024, 12, 31), date(2025, 1, 1)])
def test_a_later_version_cannot_ask_to_begin_before_or_with_the_one_agreed_last(wanted, version, rita):
    with pytest.raises(SignoffError) as refusal:
        signoff.propose(next_draft(version, rita, wanted_from=wanted), by=rita, now=MONDAY)
    assert str(refusal.value) == (
        "Version 1 takes effect on 1 January 2025; a later version must begin after it. Choose a later first day."
    )


@pytest.fixture
def planned(draft, rita, max_, sofia) -> Version:
    """Version 1, agreed but in force only from 1 June."""
    Version.objects.filter(pk=draft.pk).update(wanted_from=date(2025, 6, 1))
    return agree(draft, by=rita, marketing=max_, sales=sofia)


@pytest.mark.parametrize("wanted", [None, date(2025, 5, 1), date(2025, 6, 1)])
def test_nothing_is_agreed_before_a_version_that_is_planned_already(wanted, planned, rita):
    with pytest.raises(SignoffError, match="Version 1 takes effect on 1 June 2025; a later version must begin after"):
        signoff.propose(next_draft(planned, rita, wanted_from=wanted), by=rita, now=MONDAY)


def test_of_two_proposals_the_one_signed_later_cannot_begin_first(version, rita, max_, sofia):
    early = signoff.propose(next_draft(version, rita, wanted_from=date(2025, 5, 1)), by=rita, now=MONDAY)
    late = signoff.propose(next_draft(version, rita, wanted_from=date(2025, 6, 1)), by=rita, now=MONDAY)
    for leader in (max_, sofia):
        sign(late, leader)
    sign(early, max_)
    with pytest.raises(SignoffError, match="Version 3 takes effect on 1 June 2025"):
        sign(early, sofia)
    assert early.signatures.count() == 1
    assert row(early)["status"] == Status.PROPOSED


def test_a_version_can_be_proposed_in_the_instant_in_which_the_last_one_began(version, rita, max_, sofia):
    second = agree(next_draft(version, rita), by=rita, marketing=max_, sales=sofia)
    assert second.effective_from == MONDAY
    assert signoff.propose(next_draft(second, rita), by=rita, now=MONDAY).status == Status.PROPOSED


def test_two_versions_cannot_take_effect_at_the_same_instant(version, rita, max_, sofia):
    second, third = (signoff.propose(next_draft(version, rita), by=rita, now=MONDAY + DAY) for _ in "ab")
    for leader in (max_, sofia):
        sign(second, leader, now=MONDAY + DAY)
    sign(third, max_, now=MONDAY + DAY)
    with pytest.raises(SignoffError, match="Version 2 takes effect on 4 March 2025"):
        sign(third, sofia, now=MONDAY + DAY)
    sign(third, sofia, now=MONDAY + DAY + timedelta(microseconds=1))
    assert row(third)["status"] == Status.AGREED


@pytest.mark.parametrize("ends_on", [date(2025, 3, 2), date(2024, 12, 31)])
def test_a_later_version_that_would_be_over_already_cannot_be_proposed(ends_on, version, rita):
    with pytest.raises(SignoffError, match="The agreement would end before it begins; choose a later last day"):
        signoff.propose(next_draft(version, rita, ends_on=ends_on), by=rita, now=MONDAY)


def test_a_version_whose_last_day_passed_while_it_waited_is_not_agreed(version, rita, max_, sofia):
    second = signoff.propose(next_draft(version, rita, ends_on=date(2025, 3, 4)), by=rita, now=MONDAY)
    sign(second, max_)
    midnight = datetime(2025, 3, 4, 23, tzinfo=UTC)
    with pytest.raises(SignoffError, match="The agreement would end before it begins"):
        sign(second, sofia, now=midnight)
    assert second.signatures.count() == 1
    sign(second, sofia, now=midnight - timedelta(seconds=1))
    assert row(second)["ends_at"] == midnight


def test_the_last_day_belongs_to_the_agreement_and_the_midnight_after_it_does_not(draft, rita, max_, sofia):
    Version.objects.filter(pk=draft.pk).update(ends_on=date(2025, 3, 30))  # the day on which summer time begins
    version = agree(draft, by=rita, marketing=max_, sales=sofia)
    assert version.ends_at == datetime(2025, 3, 30, 22, tzinfo=UTC)


# --- What the database refuses when the code is bypassed ----------------------------------------------------------


def bare_signature(version: Version, party: str, signer: User) -> Signature:
    return Signature(version=version, party=party, signer=signer, name="X", meaning="-", terms_hash="-",
                     signed_at=MONDAY)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "pairs"),
    [
        ("signature_party_unique", [("sales", "sofia"), ("sales", "max_")]),
        ("signature_signer_unique", [("sales", "sofia"), ("marketing", "sofia")]),
        ("signature_party_signs", [("operations", "rita")]),
    ],
)
def test_the_database_refuses_signatures_that_cannot_be(name, pairs, proposed, cast):
    found = [bare_signature(proposed, party, cast[who]) for party, who in pairs]
    with triggers_off(), pytest.raises(IntegrityError) as refusal, transaction.atomic():
        Signature.objects.bulk_create(found)
    assert constraint_named(refusal, name, Signature)
    assert not Signature.objects.exists()


def constraint_named(refusal: pytest.ExceptionInfo, name: str, model) -> bool:
    """Whether that constraint refused: SQLite names the columns of a unique one, PostgreSQL always the constraint."""
    said = str(refusal.value)
    constraint = next(one for one in model._meta.constraints if one.name == name)
    columns = [model._meta.get_field(field).column for field in getattr(constraint, "fields", ())]
    unique = "UNIQUE" in said and columns and all(f"{model._meta.db_table}.{column}" in said for column in columns)
    return name in said or bool(unique)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("version_status_known", {"status": "signed"}),
        ("version_frozen_from_proposal", {"status": "draft"}),
        ("version_frozen_from_proposal", {"terms": ""}),
        ("version_frozen_from_proposal", {"terms_hash": ""}),
        ("version_agreed_has_dates", {"status": "agreed", "agreed_at": MONDAY}),
        ("version_agreed_has_dates", {"status": "agreed", "effective_from": MONDAY}),
        ("version_ends_after_it_begins", {"effective_from": MONDAY, "ends_at": MONDAY}),
    ],
)
def test_the_database_refuses_versions_that_cannot_be(name, fields, proposed):
    with triggers_off(), pytest.raises(IntegrityError) as refusal, transaction.atomic():
        Version.objects.filter(pk=proposed.pk).update(**fields)
    assert constraint_named(refusal, name, Version)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("version_number_unique", {"number": 1}),
        ("version_effective_from_unique", {"effective_from": datetime(2024, 12, 31, 23, tzinfo=UTC)}),
    ],
)
def test_the_database_refuses_two_versions_with_one_number_or_one_beginning(name, fields, version, rita):
    second = signoff.propose(next_draft(version, rita), by=rita, now=MONDAY)
    with triggers_off(), pytest.raises(IntegrityError) as refusal, transaction.atomic():
        Version.objects.filter(pk=second.pk).update(
            status="agreed", agreed_at=MONDAY, **{"effective_from": MONDAY, **fields}
        )
    assert constraint_named(refusal, name, Version)


@pytest.mark.parametrize("who", ["max_", "sofia", "mona", "ron", "vera"])
def test_only_revops_proposes_and_withdraws(draft, who, request):
    user = request.getfixturevalue(who)
    with pytest.raises(signoff.SignoffError, match="Only RevOps proposes"):
        signoff.propose(draft, by=user, now=MONDAY)
    with pytest.raises(signoff.SignoffError, match="Only RevOps proposes"):
        signoff.withdraw(draft, by=user, reason="no", now=MONDAY)
