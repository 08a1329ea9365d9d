"""People: how they log in, how a file's names become people, and who sees what."""

from datetime import date, timedelta

import pytest
from django.apps import apps
from django.contrib.auth import authenticate
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from django.urls import reverse

from agreements import signoff
from agreements.models import Agreement, Version
from leads.models import Assignment, Dispute, Handoff, Lead
from leads.timekeeping import evaluate_handoffs
from reports.models import RecoveryPlan, Review, Scorecard, Seal
from slaportal import roles
from slaportal.models import Absence, Heartbeat, Party, Team, User
from slaportal.people import find_or_add
from slaportal.refusal import Refused
from tests.conftest import MONDAY, PASSWORD, make_absence, make_user, receive

pytestmark = pytest.mark.django_db


# --- Logging in ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("typed", ["ron@example.com", "Ron@Example.COM", "RON@EXAMPLE.COM"])
def test_the_case_of_the_email_does_not_matter_when_logging_in(typed, ron, client):
    response = client.post(reverse("login"), {"username": typed, "password": PASSWORD})
    assert response.status_code == 302
    assert client.session["_auth_user_id"] == str(ron.pk)


@pytest.mark.parametrize(
    ("fields", "password"),
    [({}, "wrong"), ({}, ""), ({"is_active": False}, PASSWORD)],
)
def test_nobody_logs_in_with_another_password_or_after_leaving(fields, password, client):
    make_user("ron@example.com", **fields)
    assert client.post(reverse("login"), {"username": "ron@example.com", "password": password}).status_code == 200
    assert "_auth_user_id" not in client.session


def test_emails_are_kept_in_lower_case_and_trimmed():
    assert make_user(" Ron.Weber@Example.COM ").email == "ron.weber@example.com"
    user = User(email=" Ruth@Example.COM ", name="Ruth", password="x")
    user.clean()
    assert user.email == "ruth@example.com"


def test_one_email_belongs_to_one_person_whatever_its_case(ron):
    with pytest.raises(IntegrityError), transaction.atomic():
        make_user("RON@example.com")
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.bulk_create([User(email="Ron@Example.com", name="Other Ron")])
    with pytest.raises(ValidationError, match="Somebody has this e-mail already"):
        User(email="Ron@Example.com", name="Other Ron", password="x").full_clean()


@pytest.mark.parametrize("email", ["", None, "   "])
def test_a_person_needs_an_email_to_log_in_with(email):
    with pytest.raises(ValueError, match="A person needs an e-mail address to log in with"):
        User.objects.create_user(email)


def test_a_superuser_opens_the_admin_and_holds_no_role_by_that(db):
    root = User.objects.create_superuser("Root@example.com", PASSWORD, name="Root")
    assert (root.email, root.is_staff, root.is_superuser, root.role_names()) == ("root@example.com", True, True, set())
    assert authenticate(None, username="ROOT@example.com", password=PASSWORD) == root


@pytest.mark.parametrize(("zone", "known"), [("Europe/Berlin", True), ("UTC", True), ("CET+1", False), ("", False)])
def test_a_persons_time_zone_is_one_that_exists(zone, known):
    user = User(email="a@example.com", name="A", password="x", time_zone=zone)
    if known:
        user.full_clean()
        return
    with pytest.raises(ValidationError) as problem:
        user.full_clean()
    assert list(problem.value.message_dict) == ["time_zone"]


@pytest.mark.parametrize(
    ("name", "shown", "short"),
    [("Ron Weber", "Ron Weber", "Ron"), ("Cher", "Cher", "Cher"), ("", "ron@example.com", "ron@example.com")],
)
def test_a_person_is_called_by_name_and_by_email_where_there_is_none(name, shown, short):
    user = User(email="ron@example.com", name=name)
    assert (str(user), user.get_short_name(), user.get_full_name()) == (shown, short, name)


# --- Who is there -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("absences", "is_active", "is_there"),
    [
        ([], True, True),
        ([(1, 2)], True, True),  # the last day away was yesterday
        ([(1, 3)], True, False),
        ([(3, 3)], True, False),
        ([(3, 9)], True, False),
        ([(4, 9)], True, True),  # from tomorrow on
        ([(1, 2), (4, 9)], True, True),
        ([(1, 2), (2, 4)], True, False),
        ([], False, False),
    ],
)
def test_work_goes_to_people_who_are_active_and_not_away(absences, is_active, is_there, ron, ruth):
    for first, last in absences:
        make_absence(ron, date(2025, 3, first), date(2025, 3, last))
    User.objects.filter(pk=ron.pk).update(is_active=is_active)
    expected = [ron, ruth] if is_there else [ruth]
    assert list(User.objects.available(on=date(2025, 3, 3))) == expected


def test_an_absence_does_not_end_before_it_begins(ron):
    with pytest.raises(IntegrityError), transaction.atomic():
        make_absence(ron, date(2025, 3, 3), date(2025, 3, 2))
    with pytest.raises(ValidationError, match="The last day away comes before the first"):
        Absence(person=ron, first_day=date(2025, 3, 3), last_day=date(2025, 3, 2)).full_clean()
    assert str(make_absence(ron, date(2025, 3, 3), date(2025, 3, 7))) == "Ron away 3 Mar to 7 Mar 2025"


def test_a_role_taken_away_is_gone_at_once_although_the_person_was_loaded_before(ron):
    loaded = User.objects.prefetch_related("groups").get(pk=ron.pk)
    assert loaded.has_role(roles.REP)
    ron.groups.clear()
    assert not loaded.has_role(roles.REP)


def test_a_manager_can_leave_and_a_team_with_members_cannot_go(mona, sales):
    with pytest.raises(ProtectedError), transaction.atomic():
        sales.delete()
    mona.delete()
    sales.refresh_from_db()
    assert sales.manager is None


def test_a_sweep_leaves_one_heartbeat_with_its_latest_time():
    for minute in (0, 1):
        Heartbeat.beat("tick", now=MONDAY + timedelta(minutes=minute))
    assert [str(beat) for beat in Heartbeat.objects.all()] == ["tick at 2025-03-03 09:01:00"]


# --- Names of a file ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "written", ["ron@example.com", "RON@example.com", "Ron Weber", "ron weber", " Ron   Weber ", "RON WEBER"]
)
def test_a_person_is_found_by_email_or_name_however_it_is_written(written):
    ron = make_user("ron@example.com", name="Ron Weber")
    assert find_or_add([written]) == {written: ron}
    assert User.objects.count() == 1


def test_several_ways_to_write_one_name_are_one_person(ron):
    found = find_or_add(["Ron", "ron", "Ina Roth", "INA ROTH", "ina  roth"])
    assert found["Ron"] == found["ron"] == ron
    assert len({user.pk for name, user in found.items() if name.casefold().startswith("ina")}) == 1
    assert User.objects.count() == 2


def test_somebody_unknown_is_added_inactive_and_marked_and_cannot_log_in():
    user = find_or_add(["  Ina Roth "])["  Ina Roth "]
    assert (user.name, user.email, user.is_active, user.from_import) == (
        "Ina Roth", "ina-roth@import.invalid", False, True
    )  # fmt: skip
    assert (user.is_staff, user.role_names(), user.has_usable_password()) == (False, set(), False)
    assert not User.objects.available(on=date(2025, 3, 3)).exists()
    assert find_or_add(["ina roth"])["ina roth"] == user


@pytest.mark.parametrize(
    ("name", "email"),
    [
        ("Jürgen Müßig", "jurgen-muig@import.invalid"),
        ("山田太郎", "somebody@import.invalid"),
        ("!!!", "somebody@import.invalid"),
        ("New.Person@Example.com", "new.person@example.com"),
    ],
)
def test_somebody_added_gets_an_address_that_nobody_can_write_to_unless_the_file_gave_one(name, email):
    assert find_or_add([name])[name].email == email


def test_two_strangers_whose_addresses_would_be_the_same_are_two_people():
    found = find_or_add(["山田太郎", "鈴木花子", "Ina Roth", "Ina-Roth"])
    assert len({user.pk for user in found.values()}) == 4
    assert {user.email for user in found.values()} == {
        "somebody@import.invalid", "somebody-2@import.invalid", "ina-roth@import.invalid", "ina-roth-2@import.invalid"
    }  # fmt: skip


def test_a_name_of_any_length_is_taken():
    (user,) = find_or_add(["Anna " * 80]).values()
    user.refresh_from_db()
    assert len(user.name) <= 120
    assert len(user.email) <= 254
    assert list(find_or_add(["Anna " * 80]).values()) == [user]


def test_a_name_that_fits_two_people_is_refused_and_nobody_is_added():
    for email in ("ron.b@example.com", "ron.a@example.com"):
        make_user(email, name="Ron Weber")
    with pytest.raises(Refused) as refusal:
        find_or_add(["Aaron New", "ron weber"])
    assert str(refusal.value) == (
        "“ron weber” may be any of ron.a@example.com, ron.b@example.com. Use the e-mail address in the file."
    )
    assert find_or_add(["ron.a@example.com"])["ron.a@example.com"].email == "ron.a@example.com"
    assert User.objects.count() == 2


@pytest.mark.parametrize("names", [[], [""], ["  "], ["\t"]])
def test_no_name_is_nobody(names):
    assert find_or_add(names) == {}
    assert not User.objects.exists()


def test_finding_people_asks_once_however_many_names_there_are(ron, ruth, django_assert_num_queries):
    with django_assert_num_queries(1):
        find_or_add(["Ron", "ruth@example.com", "RUTH"] * 50)


# --- Who sees what ------------------------------------------------------------------------------------------------


@pytest.fixture
def world(version, rita, mona, ron, ruth):
    """Handoffs of Ron, of Ruth, of Nils in another team, of Mona herself and of nobody; leads without one; a draft."""
    nordics = Team.objects.create(name="Sales Nordics", party=Party.SALES)
    nils = make_user("nils@example.com", roles.REP, team=nordics)
    handoffs = receive("of ron", "of ruth", "of nils", "of mona", "of nobody")
    Assignment.objects.all().delete()
    for handoff, owner in zip(handoffs, (ron, ruth, nils, mona), strict=False):
        Assignment.objects.create(handoff=handoff, owner=owner, team=owner.team, at=MONDAY, why="test")
    evaluate_handoffs([handoff.pk for handoff in handoffs], now=MONDAY)
    Lead.objects.create(external_id="unmatched", received_at=MONDAY, state=Lead.State.UNMATCHED)
    signoff.new_draft_from(version, by=rita, now=MONDAY)
    Scorecard.objects.create(
        agreement=version.agreement, start=MONDAY, end=MONDAY + timedelta(days=1), computed_at=MONDAY, data={}
    )
    for handoff in Handoff.objects.all():
        Dispute.objects.create(handoff=handoff, comment="Why?", opened_at=MONDAY)
    RecoveryPlan.objects.create(
        commitment=version.commitments.get(kind="volume"), month=date(2025, 3, 1), figures="", asked_at=MONDAY
    )
    moments = dict.fromkeys(("starts_at", "due_at", "created_at", "changed_at"), MONDAY)
    Review.objects.create(agreement=version.agreement, reason="Called", **moments)
    moments = dict.fromkeys(("closes_at", "known_at", "sealed_at"), MONDAY)
    Seal.objects.create(agreement=version.agreement, key="2025-02", number=1, text="{}", states=b"", **moments)


EVERY_HANDOFF = {"of ron", "of ruth", "of nils", "of mona", "of nobody"}
EVERY_LEAD = EVERY_HANDOFF | {"unmatched"}
SEES = {
    # who: agreements, versions, handoffs, leads, scorecards (seals, recovery plans, reviews), people
    "rita": ("DACH inbound", {1, 2}, EVERY_HANDOFF, EVERY_LEAD, 1, True),
    "max_": ("DACH inbound", {1}, EVERY_HANDOFF, EVERY_LEAD, 1, True),
    "sofia": ("DACH inbound", {1}, EVERY_HANDOFF, EVERY_LEAD, 1, True),
    "vera": ("DACH inbound", {1}, EVERY_HANDOFF, EVERY_LEAD, 1, True),
    "mona": ("DACH inbound", {1}, {"of ron", "of ruth", "of mona"}, {"of ron", "of ruth", "of mona"}, 1, True),
    "ron": ("DACH inbound", {1}, {"of ron"}, {"of ron"}, 0, True),
    "without a role": ("", set(), set(), set(), 0, True),
    "who left": ("", set(), set(), set(), 0, False),
}


@pytest.mark.parametrize("who", SEES)
def test_each_role_sees_what_its_work_needs(who, world, request):
    if who.startswith("w"):
        user = make_user("other@example.com", roles.REVOPS if who == "who left" else None, is_active=who != "who left")
    else:
        user = request.getfixturevalue(who)
    user = User.objects.get(pk=user.pk)
    agreement, versions, handoffs, leads, scorecards, people = SEES[who]
    assert [row.name for row in Agreement.objects.visible_to(user)] == [agreement] * bool(agreement)
    assert {row.number for row in Version.objects.visible_to(user)} == versions
    assert {row.lead.external_id for row in Handoff.objects.visible_to(user)} == handoffs
    assert {row.handoff.lead.external_id for row in Dispute.objects.visible_to(user)} == handoffs
    assert {row.external_id for row in Lead.objects.visible_to(user)} == leads
    assert Scorecard.objects.visible_to(user).count() == scorecards
    assert {model.objects.visible_to(user).count() for model in (RecoveryPlan, Review, Seal)} == {scorecards}
    assert User.objects.visible_to(user).exists() is people


def test_the_table_above_has_every_role_and_every_model_that_has_such_a_question(rita, max_, sofia, mona, ron, vera):
    cast = {"rita": rita, "max_": max_, "sofia": sofia, "mona": mona, "ron": ron, "vera": vera}
    assert {role for who, user in cast.items() if who in SEES for role in user.role_names()} == set(roles.ROLES)
    asked = {model for model in apps.get_models() if hasattr(model._default_manager, "visible_to")}
    assert asked == {Agreement, Version, Handoff, Lead, Dispute, Scorecard, RecoveryPlan, Review, Seal, User}


def test_a_manager_sees_every_team_they_manage_and_no_handoff_twice(world, mona, sales):
    nordics = Team.objects.get(name="Sales Nordics")
    nordics.manager = mona
    nordics.save()
    seen = [handoff.lead.external_id for handoff in Handoff.objects.visible_to(mona)]
    assert sorted(seen) == ["of mona", "of nils", "of ron", "of ruth"]
    sales.manager = None
    sales.save()
    seen = {handoff.lead.external_id for handoff in Handoff.objects.visible_to(mona)}
    assert seen == {"of mona", "of nils"}


def test_a_manager_who_only_has_the_role_sees_their_own(world, ron):
    other = make_user("other@example.com", roles.SALES_MANAGER, team=ron.team)
    assert not Handoff.objects.visible_to(other).exists()


def test_what_is_given_to_somebody_else_stays_in_sight_of_who_had_it_to_answer_for_it(world, ron, ruth):
    handoff = Handoff.objects.get(lead__external_id="of ron")
    Assignment.objects.create(handoff=handoff, owner=ruth, team=ruth.team, at=MONDAY + timedelta(1), why="test")
    evaluate_handoffs([handoff.pk], now=MONDAY + timedelta(1))
    assert list(Handoff.objects.visible_to(ron)) == [handoff]
    assert list(Lead.objects.visible_to(ron)) == [handoff.lead]
    assert {row.lead.external_id for row in Handoff.objects.visible_to(ruth)} == {"of ron", "of ruth"}
