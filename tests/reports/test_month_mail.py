"""The monthly mail: once, to whom it concerns, with the headline, the picture and the link."""

from datetime import timedelta

import pytest
from django.core import mail

from reports import month_letters, month_mail
from slaportal import outbox
from slaportal.models import Notice
from tests.conftest import make_user
from tests.reports.conftest import MARCH, MET, MISSED, make_clock, make_handoff

pytestmark = pytest.mark.django_db
APRIL = MARCH.next


@pytest.fixture
def history(version, response, ron):
    for state in (MET, MET, MISSED):
        make_clock(make_handoff(version, ron), response, state)
    return version.agreement


@pytest.fixture
def sealed(history):
    """A week after the month."""
    now = MARCH.end(history.zone) + timedelta(days=7, hours=10)
    month_mail.month_mail(history, MARCH, now=now)
    return now


def told(channel="email") -> set[str]:
    return set(Notice.objects.filter(kind="scorecard", channel=channel).values_list("recipient__email", flat=True))


def test_the_leaders_of_both_sides_and_revops_are_told_and_nobody_else(
    history, rita, max_, sofia, mona, vera, ron, marketing
):
    make_user("elsewhere@example.com", "Sales leader", team=marketing)
    make_user("gone@example.com", "RevOps", is_active=False)
    month_mail.month_mail(history, MARCH, now=MARCH.end(history.zone) + timedelta(days=7))

    assert told() == told("portal") == {rita.email, max_.email, sofia.email}


def test_a_month_is_told_once_and_each_month_by_itself(history, sealed, rita):
    mails = Notice.objects.filter(kind="scorecard")
    count = mails.count()

    month_mail.month_mail(history, MARCH, now=sealed + timedelta(days=1))
    assert mails.count() == count
    month_mail.month_mail(history, APRIL, now=sealed + timedelta(days=31))
    assert mails.count() == 2 * count


def test_a_month_long_over_is_news_to_nobody(history):
    month_mail.month_mail(history, MARCH, now=MARCH.end(history.zone) + month_mail.NEWS + timedelta(minutes=1))

    assert not Notice.objects.filter(kind="scorecard").exists()


@pytest.mark.embedded
def test_the_mail_has_the_headline_the_picture_in_it_and_the_link(history, sealed, sofia):
    Notice.objects.exclude(kind="scorecard").delete()  # what comes together would be one message
    outbox.send_due(now=sealed + timedelta(minutes=2))

    (sent,) = [one for one in mail.outbox if one.to == [sofia.email]]
    assert sent.subject == "Scorecard: DACH inbound, March 2025"
    said = " ".join(sent.body.replace("\xa0", " ").split())
    assert "Furthest below its target" in said
    assert "• First_response: 67 % against 95 %" in said
    assert f"/scorecards/{history.pk}/2025-03/" in said
    whole = sent.message()
    parts = {part.get_content_type(): part for part in whole.walk()}
    assert whole.get_content_type() == "multipart/related"
    picture, html = parts["image/png"], parts["text/html"].get_payload(decode=True).decode()
    assert picture["Content-Disposition"].startswith("inline")
    assert f'src="cid:{picture["Content-ID"].strip("<>")}"' in html
    assert picture.get_payload(decode=True).startswith(b"\x89PNG")


def test_in_the_portal_it_is_the_sentence_alone_and_one_letter_serves_all_readers(history, sealed, monkeypatch):
    drawn = []
    monkeypatch.setattr(month_letters.paper, "draw", lambda edition, name: drawn.append(name) or b"picture")
    notices = list(Notice.objects.filter(kind="scorecard").select_related("recipient"))

    letters = month_letters.letters(notices)

    assert drawn == ["picture"]
    for notice, letter in zip(notices, letters, strict=True):
        assert bool(letter.attachments) == (notice.channel == "email")
        assert letter.link == f"/scorecards/{history.pk}/2025-03/"


def test_a_machine_that_cannot_draw_sends_it_without_the_picture(history, sealed, monkeypatch):
    def no_library(edition, name):
        raise ImportError("resvg_py")

    monkeypatch.setattr(month_letters.paper, "draw", no_library)

    letters = month_letters.letters(list(Notice.objects.filter(kind="scorecard").select_related("recipient")))

    assert letters and all(letter.attachments == () for letter in letters)
