"""People, teams, roles and scheduled tasks in the admin, and what every page of it shares."""

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.urls import reverse
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from slaportal import preferences, roles
from slaportal.admin import CheapCountPaginator
from slaportal.models import Team, User
from tests.conftest import PASSWORD, make_user

PEOPLE = "admin:slaportal_user"
NEW_PASSWORD = "another long secret"


@pytest.fixture
def desk(client, rita):
    """RevOps, logged in."""
    client.force_login(rita)
    return client


@pytest.fixture
def root(db) -> User:
    """A superuser."""
    return User.objects.create_superuser("root@example.com", PASSWORD, name="Root")


def role(name: str) -> int:
    return Group.objects.get(name=name).pk


NO_ABSENCE = {"absences-TOTAL_FORMS": 0, "absences-INITIAL_FORMS": 0}


def edit(client, person: User, **fields):
    """Save a person's page with some fields changed."""
    shown = NO_ABSENCE | {
        "email": person.email,
        "name": person.name,
        "team": person.team_id or "",
        "time_zone": person.time_zone,
        "is_active": "on",
        "groups": [group.pk for group in person.groups.all()],
    }
    response = client.post(reverse(f"{PEOPLE}_change", args=[person.pk]), shown | fields)
    person.refresh_from_db()
    return response


def test_revops_adds_a_person_who_can_log_in_at_once(desk, client, sales):
    fields = {"email": "New.Rep@Example.com", "name": "New Rep", "title": "SDR", "team": sales.pk}
    access = {"time_zone": "Europe/Vienna", "groups": [role(roles.REP)]}
    passwords = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    response = desk.post(reverse(f"{PEOPLE}_add"), {**fields, **access, **passwords})
    assert response.status_code == 302
    person = User.objects.get(email="new.rep@example.com")
    assert (person.name, person.team, person.time_zone, person.is_staff) == ("New Rep", sales, "Europe/Vienna", False)
    assert person.has_role(roles.REP)
    assert client.login(username="new.rep@example.com", password=NEW_PASSWORD)


def test_an_email_that_somebody_has_is_refused_whatever_its_case(desk, ron):
    passwords = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    fields = {"email": "RON@example.com", "name": "Other Ron", "time_zone": "UTC"}
    response = desk.post(reverse(f"{PEOPLE}_add"), {**fields, **passwords})
    assert "Somebody has this e-mail already." in response.content.decode()


def absence(first: str, last: str) -> dict[str, object]:
    """The fields of one absence."""
    return {"absences-TOTAL_FORMS": 1, "absences-0-first_day": first, "absences-0-last_day": last}


def test_revops_sends_a_person_away_sets_a_cap_and_gives_roles(desk, ron):
    fields = {"most_open": 12, "groups": [role(roles.SALES_MANAGER)], "is_staff": "on"}
    edit(desk, ron, **fields, **absence("2025-03-05", "2025-03-07"))
    assert str(ron.absences.get()) == "Ron away 5 Mar to 7 Mar 2025"
    assert ron.most_open == 12
    assert [group.name for group in ron.groups.all()] == [roles.SALES_MANAGER]
    assert ron.is_staff


def test_days_away_that_end_before_they_begin_are_refused_with_a_sentence(desk, ron):
    page = edit(desk, ron, **absence("2025-03-07", "2025-03-05")).content.decode()
    assert "The last day away comes before the first." in page
    assert not ron.absences.exists()


def test_the_admin_shows_how_people_and_teams_are_told_and_no_chat_address(desk, ron, sales):
    secret = "TIiajkdnlazkcOXrIdevi7FQ"
    address = f"https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/{secret}"
    for owner in (ron, sales):
        preferences.change(owner, {"chat_url": address})
        preferences.choose(owner, {"miss": preferences.Wish("digest", "never", is_urgent=True)})
        page = desk.get(reverse(f"admin:slaportal_{owner._meta.model_name}_change", args=[owner.pk])).content.decode()
        assert "https://hooks.slack.com/…" in page and secret not in page
        assert "A promise was broken: e-mail in the daily digest, chat not at all, urgent" in page
    assert reverse("notice_settings_team", args=[sales.pk]) in page


@pytest.mark.parametrize(
    ("rows", "lookup"),
    [
        ("user", "chat_url__startswith"),
        ("user", "chat_url"),
        ("user", "team__chat_url__startswith"),
        ("team", "chat_url__startswith"),
        ("team", "manager__chat_url__regex"),
        ("notice", "recipient__chat_url__startswith"),
    ],
)
def test_nobody_finds_out_a_chat_address_by_asking_for_the_rows_whose_address_begins_so(desk, rows, lookup):
    listed = reverse(f"admin:slaportal_{rows}_changelist")
    assert desk.get(listed, {lookup: "h"}).status_code == 400
    assert desk.get(listed).status_code == 200


def test_saving_a_team_in_the_admin_keeps_its_chat_address(desk, sales):
    preferences.change(sales, {"chat_url": "slack://a/b/c"})
    url = reverse("admin:slaportal_team_change", args=[sales.pk])
    desk.post(url, {"name": "Sales", "party": "sales", "manager": "", "chat_url": "slack://x/y/z"})
    sales.refresh_from_db()
    assert (sales.name, sales.chat_url) == ("Sales", "slack://a/b/c")


def test_revops_makes_nobody_a_superuser_and_leaves_superusers_alone(desk, ron, root):
    edit(desk, ron, is_superuser="on", user_permissions=[1])
    assert not ron.is_superuser and not ron.user_permissions.exists()
    assert "Beyond roles" not in desk.get(reverse(f"{PEOPLE}_change", args=[ron.pk])).content.decode()
    assert edit(desk, root, name="Mine").status_code == 403
    assert root.name == "Root"


def test_nobody_gives_themselves_more_than_they_have(desk, rita):
    edit(desk, rita, name="Rita R.", groups=[role(roles.REVOPS), role(roles.SALES_LEADER)], is_staff="")
    assert rita.name == "Rita R."
    assert [group.name for group in rita.groups.all()] == [roles.REVOPS]
    assert rita.is_staff


def test_a_superuser_edits_everything(client, root, ron):
    client.force_login(root)
    edit(client, ron, is_superuser="on")
    assert ron.is_superuser


@pytest.mark.parametrize(
    ("asks", "whose", "changed"),
    [("rita", "sofia", False), ("rita", "root", False), ("rita", "rita", True), ("root", "sofia", True)],
)
def test_a_password_is_changed_by_its_owner_and_a_superuser_only(client, rita, sofia, root, asks, whose, changed):
    people = {"rita": rita, "sofia": sofia, "root": root}
    person = people[whose]
    client.force_login(people[asks])
    url = reverse("admin:auth_user_password_change", args=[person.pk])
    client.post(url, {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD, "usable_password": "true"})
    person.refresh_from_db()
    assert person.check_password(NEW_PASSWORD) == changed


def test_revops_gives_a_first_password_to_somebody_from_an_import(desk, db):
    person = User.objects.create_user("old@import.invalid", name="Old Rep", is_active=False, from_import=True)
    url = reverse("admin:auth_user_password_change", args=[person.pk])
    desk.post(url, {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD, "usable_password": "true"})
    person.refresh_from_db()
    assert person.check_password(NEW_PASSWORD)


@pytest.mark.parametrize("path", ["admin:index", f"{PEOPLE}_changelist", "admin:slaportal_team_changelist"])
def test_a_rep_cannot_open_the_admin(client, ron, path):
    client.force_login(ron)
    response = client.get(reverse(path))
    assert response.status_code == 302 and reverse("admin:login") in response["Location"]


def test_revops_keeps_teams(desk, mona, sales):
    url = reverse("admin:slaportal_team_add")
    assert desk.post(url, {"name": "Sales Nordics", "party": "sales", "manager": mona.pk}).status_code == 302
    assert Team.objects.get(name="Sales Nordics").manager == mona
    desk.post(reverse("admin:slaportal_team_delete", args=[sales.pk]), {"post": "yes"})
    assert Team.objects.filter(pk=sales.pk).exists()  # it has members


def test_known_roles_keep_their_names(client, root):
    client.force_login(root)
    group = Group.objects.get(name=roles.REP)
    client.post(reverse("admin:auth_group_change", args=[group.pk]), {"name": "Seller"})
    group.refresh_from_db()
    assert group.name == roles.REP
    assert client.post(reverse("admin:auth_group_delete", args=[group.pk]), {"post": "yes"}).status_code == 403


def test_scheduled_tasks_are_shown_in_the_same_dress(client, root):
    client.force_login(root)
    every = IntervalSchedule.objects.create(every=1, period="minutes")
    task = PeriodicTask.objects.create(name="Sweep", task="leads.tasks.tick", interval=every)
    page = client.get(reverse("admin:django_celery_beat_periodictask_change", args=[task.pk])).content.decode()
    assert "leads.tasks.tick" in page and "unfold/css/styles.css" in page
    for name in ("intervalschedule", "crontabschedule", "solarschedule", "clockedschedule"):
        for place in ("changelist", "add"):
            assert client.get(reverse(f"admin:django_celery_beat_{name}_{place}")).status_code == 200


def test_lists_of_people_and_teams_ask_as_often_for_thirty_rows_as_for_three(
    desk, sales, django_assert_max_num_queries
):
    for number in range(30):
        make_user(f"rep{number}@example.com", roles.REP, team=sales)
        Team.objects.create(name=f"Team {number}", party="sales", manager=User.objects.last())
        if number in (2, 29):
            for place in (f"{PEOPLE}_changelist", "admin:slaportal_team_changelist"):
                with django_assert_max_num_queries(10):
                    assert desk.get(reverse(place)).status_code == 200


def test_a_small_table_is_counted_exactly(ron, ruth):
    assert CheapCountPaginator(User.objects.order_by("pk"), 100).count == User.objects.count()


@pytest.mark.postgresql
def test_a_big_table_is_estimated_unless_it_is_filtered(ron, ruth, monkeypatch):
    monkeypatch.setattr(CheapCountPaginator, "EXACT_BELOW", 1)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE slaportal_user")
    User.objects.create_user("late@example.com", name="Late")
    everybody = User.objects.order_by("pk")
    assert CheapCountPaginator(everybody, 100).count == everybody.count() - 1  # the statistics are older
    assert CheapCountPaginator(everybody.filter(name="Late"), 100).count == 1
