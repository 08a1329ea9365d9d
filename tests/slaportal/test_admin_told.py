"""Notices in the admin: looked at, sent again or cancelled by RevOps, and never edited."""

import pytest
from django.contrib.messages import get_messages
from django.urls import reverse

from slaportal import outbox, roles
from slaportal.models import Notice, NoticePreference
from tests.conftest import MONDAY, make_user
from tests.slaportal.postal import (
    HOUR,
    SECRET,
    broken,
    no_longer,
    plain,
    post,
    states,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("rings")]
LIST = "admin:slaportal_notice_changelist"


@pytest.fixture
def one_of_each(max_, sofia) -> dict[str, Notice]:
    """A notice in every state."""
    NoticePreference.objects.create(person=max_, kind="agreement", email="never")
    for letter in (plain, no_longer):
        post(letter.__name__, max_, letter=letter)
    outbox.send_due(now=MONDAY)
    post("given up", max_, letter=broken)
    Notice.objects.filter(key="given up").update(failures=7)
    post("once", max_, letter=broken)
    outbox.send_due(now=MONDAY)
    post("waits", max_, now=MONDAY + HOUR)
    return {notice.state: notice for notice in Notice.objects.all()}


def test_every_state_is_told_and_found(one_of_each, client, rita):
    assert set(one_of_each) == set(Notice.State.values)
    client.force_login(rita)
    page = client.get(reverse(LIST)).content.decode()
    for state, notice in one_of_each.items():
        assert str(Notice.State(state).label) in page and notice.key in page
        assert list(Notice.objects.in_state(state)) == [notice]
        found = client.get(reverse(LIST), {"state": state})
        assert list(found.context["cl"].queryset) == [notice]
    assert client.get(reverse(LIST), {"state": "lost"}).status_code == 200


def test_notices_are_found_by_channel_and_by_what_they_are_about(client, rita, max_):
    post("miss:1", max_, kind="miss")
    post("alarm:1", max_, kind="alarm")
    client.force_login(rita)
    found = client.get(reverse(LIST), {"channel__exact": "email", "kind": "miss"}).context["cl"].queryset
    assert [(row.key, row.channel) for row in found] == [("miss:1", "email")]


def test_revops_sends_again_what_failed(one_of_each, client, rita):
    client.force_login(rita)
    chosen = [notice.pk for notice in one_of_each.values()]
    response = client.post(reverse(LIST), {"action": "retry", "_selected_action": chosen})
    assert [str(said) for said in get_messages(response.wsgi_request)] == ["1 notice will be sent again."]
    one_of_each["failed"].refresh_from_db()
    assert one_of_each["failed"].state == Notice.State.WAITING
    response = client.post(reverse(LIST), {"action": "retry", "_selected_action": chosen})
    said = [str(message) for message in get_messages(response.wsgi_request)]
    assert said[-1] == "None of these failed, so there is nothing to send again."


def test_revops_cancels_what_nobody_needs_any_more(one_of_each, client, rita):
    client.force_login(rita)
    chosen = [notice.pk for notice in one_of_each.values()]
    for expected in ("3 notices cancelled.", "None of these waits or failed, so there is nothing to cancel."):
        response = client.post(reverse(LIST), {"action": "cancel", "_selected_action": chosen})
        assert [str(said) for said in get_messages(response.wsgi_request)][-1] == expected
    assert sorted(states()) == ["cancelled"] * 4 + ["sent"]


def test_a_notice_is_shown_and_never_edited(one_of_each, client, rita):
    client.force_login(rita)
    notice = one_of_each["failed"]
    page = client.get(reverse("admin:slaportal_notice_change", args=[notice.pk])).content.decode()
    assert "could not answer" in page and SECRET not in page
    before = Notice.objects.values().get(pk=notice.pk)
    assert client.post(reverse("admin:slaportal_notice_change", args=[notice.pk]), {"key": "x"}).status_code == 403
    assert client.post(reverse("admin:slaportal_notice_delete", args=[notice.pk]), {"post": "yes"}).status_code == 403
    assert client.get(reverse("admin:slaportal_notice_add")).status_code == 403
    assert Notice.objects.values().get(pk=notice.pk) == before


@pytest.mark.parametrize("role", [role for role in roles.ROLES if role != roles.REVOPS])
def test_nobody_but_revops_sees_notices_even_with_a_way_into_the_admin(one_of_each, client, role):
    client.force_login(make_user("somebody@example.com", role, is_staff=True))
    assert client.get(reverse(LIST)).status_code == 403
    assert client.post(reverse(LIST), {"action": "retry", "_selected_action": [1]}).status_code == 403
    assert client.post(reverse(LIST), {"action": "cancel", "_selected_action": [1]}).status_code == 403


def test_the_list_asks_as_often_for_thirty_rows_as_for_three(client, rita, django_assert_max_num_queries):
    client.force_login(rita)
    for number in range(30):
        post(f"event:{number}", make_user(f"person{number}@example.com"))
        if number in (2, 29):
            with django_assert_max_num_queries(11):
                assert client.get(reverse(LIST)).status_code == 200
