"""What stands still is told: on the health page, in the log, and to RevOps on every page."""

from datetime import datetime, timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from slaportal import auditor, delivery, outbox, restored, roles, tasks
from slaportal.celery import app
from slaportal.models import Heartbeat, Notice, User
from tests.conftest import MONDAY, make_user
from tests.slaportal.postal import HOUR, MINUTE, SOON, broken, post

pytestmark = pytest.mark.django_db
NOTICES = "notices to send"


def late(now: datetime) -> list[tuple[str, int, datetime | None]]:
    return [(one.what, one.count, one.since) for one in auditor.findings(now=now)]


def beat(now: datetime | None = None) -> None:
    for name in ("tick", "notices"):
        Heartbeat.beat(name, now=now or timezone.now())


def fail(person: User) -> None:
    post("failed:1", person, letter=broken)
    Notice.objects.update(failures=7)
    outbox.send_due(now=SOON)


# --- Findings -----------------------------------------------------------------------------------------------------


def test_nothing_is_found_where_nothing_is_due(max_):
    assert late(MONDAY) == []
    post("proposed:7", max_)
    assert late(MONDAY + 2 * MINUTE - timedelta.resolution) == []


def test_what_is_due_and_untouched_for_two_minutes_is_found(max_):
    post("proposed:7", max_)
    assert late(MONDAY + 2 * MINUTE) == [(NOTICES, 1, MONDAY)]  # in the portal
    assert late(SOON + 2 * MINUTE) == [(NOTICES, 2, MONDAY)]
    assert str(auditor.findings(now=SOON + HOUR)[0]) == (
        f"Due and untouched: 2 {NOTICES}, the oldest since 3 Mar, 09:00. Is a worker running?"
    )


def test_what_a_worker_has_is_not_found_before_its_lease_ended_two_minutes_ago(max_):
    post("proposed:7", max_)
    Notice.objects.update(claimed_until=MONDAY + HOUR)
    assert late(MONDAY + HOUR + 2 * MINUTE - timedelta.resolution) == []
    assert late(MONDAY + HOUR + 2 * MINUTE) == [(NOTICES, 2, MONDAY)]


def test_what_was_tried_and_waits_is_not_found(max_):
    post("proposed:7", max_, letter=broken)
    outbox.send_due(now=SOON)
    assert late(SOON + MINUTE) == []


def test_what_was_sent_cancelled_or_given_up_is_not_found(max_):
    fail(max_)
    post("proposed:7", max_)
    outbox.cancel(Notice.objects.filter(key="proposed:7", channel="email"), now=SOON)
    outbox.send_due(now=SOON)
    assert late(MONDAY + 100 * HOUR) == []


def test_while_the_outbox_is_held_only_the_portal_can_be_late(max_):
    post("proposed:7", max_)
    restored.hold("Restored.", now=MONDAY)
    assert late(MONDAY + HOUR) == [(NOTICES, 1, MONDAY)]
    outbox.send_due(now=MONDAY + HOUR)
    assert late(MONDAY + 2 * HOUR) == []


def test_while_the_mail_server_is_away_its_mails_are_not_untouched_and_the_reason_is_told(marketing, monkeypatch):
    def down(*args: object) -> None:
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(outbox, "MOST_READERS", 3)
    monkeypatch.setattr(delivery.mail, "get_connection", down)
    for number in range(8):
        post("missed:7", make_user(f"p{number}@example.com", team=marketing), kind="miss")
    told = "The mail server cannot be reached: Connection refused. 8 mails wait for it."
    for seconds in range(30, 290, 20):
        now = MONDAY + timedelta(seconds=seconds)
        outbox.send_due(now=now)
        assert list(map(str, auditor.findings(now=now))) == ([told] if seconds >= 120 else [])
    assert auditor.alarms(now=now) == [told]
    # Without a worker it is not the server that they wait for.
    assert [one.what for one in auditor.findings(now=now + HOUR)] == [NOTICES]


def test_every_room_names_its_own_and_what_it_names_is_checked(settings, monkeypatch):
    settings.AUDITED = {"tests.slaportal.test_auditor.somethings": "somethings wait"}
    assert late(MONDAY) == [("somethings wait", 3, MONDAY - 2 * MINUTE)]
    settings.AUDITED = {"tests.slaportal.test_auditor.nowhere": "somethings wait"}
    from slaportal.checks import configuration

    assert [(one.id, one.msg.split(" ")[0]) for one in configuration()] == [("slaportal.E003", "AUDITED")]


def somethings(before: datetime) -> tuple[int, datetime]:
    return 3, before


def test_it_is_cheap(max_, django_assert_num_queries, settings):
    settings.AUDITED = {"slaportal.auditor.late_notices": NOTICES}
    post("proposed:7", max_)
    with django_assert_num_queries(2):
        auditor.findings(now=MONDAY)
    with django_assert_num_queries(4):
        auditor.alarms(now=MONDAY)


# --- In the log ---------------------------------------------------------------------------------------------------


def test_the_log_has_an_error_each_minute_until_it_is_mended(max_, caplog, settings):
    entry = settings.CELERY_BEAT_SCHEDULE["auditor"]
    assert entry["task"] in app.tasks
    assert entry["options"]["expire_seconds"] - settings.MOST_SKEW < entry["schedule"] == 60
    assert tasks.audit() == 0
    post("proposed:7", max_)
    assert tasks.audit() == 1
    (record,) = [one for one in caplog.records if one.name == "slaportal.auditor"]
    assert record.levelname == "ERROR"
    assert "auditor: Due and untouched: 2 notices to send" in record.getMessage()


# --- The health page ----------------------------------------------------------------------------------------------


def test_the_health_page_is_well_while_everything_runs(client):
    beat()
    response = client.get("/healthz")
    assert response.status_code == 200
    assert response.json() == {
        "database": True,
        "ticking": True,
        "sending": True,
        "late": {},
        "held": False,
        "failed": 0,
    }


@pytest.mark.parametrize(("silent", "said"), [("tick", "ticking"), ("notices", "sending")])
def test_the_health_page_tells_of_a_sweep_that_does_not_run(client, silent, said):
    beat()
    Heartbeat.objects.filter(name=silent).update(at=timezone.now() - 3 * MINUTE)
    response = client.get("/healthz")
    assert (response.status_code, response.json()[said]) == (503, False)
    Heartbeat.objects.filter(name=silent).delete()
    assert client.get("/healthz").status_code == 503


def test_the_health_page_names_what_lags_and_nothing_secret(client, max_, caplog):
    beat()
    post("proposed:7", max_)
    response = client.get("/healthz")
    assert (response.status_code, response.json()["late"]) == (503, {NOTICES: 2})
    assert "max" not in response.content.decode().lower() and "proposed" not in response.content.decode()
    assert any(one.levelname == "ERROR" for one in caplog.records)


def test_the_health_page_tells_of_an_outbox_that_is_held(client):
    beat()
    restored.hold("Secret reasons.", now=MONDAY)
    response = client.get("/healthz")
    assert (response.status_code, response.json()["held"]) == (503, True)
    assert "Secret" not in response.content.decode()


def test_one_address_that_does_not_exist_makes_nobody_ill(client, max_):
    fail(max_)
    beat()
    response = client.get("/healthz")
    assert (response.status_code, response.json()["failed"]) == (200, 2)


# --- To RevOps ----------------------------------------------------------------------------------------------------


def test_revops_is_told_what_stands_still_what_is_held_and_what_failed(max_):
    fail(max_)
    post("proposed:7", max_)
    restored.hold("Restored.", now=MONDAY)
    assert auditor.alarms(now=MONDAY + HOUR) == [
        "Due and untouched: 1 notices to send, the oldest since 3 Mar, 09:00. Is a worker running?",
        "No mail and no chat message leaves since 3 Mar, 09:00. Restored. Look at what waits under Notices, then run "
        "manage.py outbox --release.",
        "2 notices could not be sent. Send again or cancel what failed under Notices.",
    ]


def test_the_alarms_stand_on_portal_pages_and_on_the_admins_first_page(client, rita, max_):
    fail(max_)
    client.force_login(rita)
    for url in (reverse("agreements"), reverse("admin:index")):
        assert "2 notices could not be sent." in client.get(url).content.decode()
    outbox.cancel(Notice.objects.all(), now=SOON)
    for url in (reverse("agreements"), reverse("admin:index")):
        assert "could not be sent" not in client.get(url).content.decode()


@pytest.mark.parametrize("role", [role for role in roles.ROLES if role != roles.REVOPS])
def test_nobody_else_is_told_or_asked_for(client, role, max_, monkeypatch):
    fail(max_)
    monkeypatch.setattr(auditor, "alarms", lambda **given: pytest.fail("asked for"))
    client.force_login(make_user("somebody@example.com", role))
    assert "could not be sent" not in client.get(reverse("agreements")).content.decode()


def test_a_page_that_shows_no_alarms_asks_for_none(client, rita, monkeypatch):
    monkeypatch.setattr(auditor, "alarms", lambda **given: pytest.fail("asked for"))
    client.force_login(rita)
    assert client.get(reverse("admin:slaportal_notice_changelist")).status_code == 200
