"""Invitations to reviews: read back as a calendar program reads them, exactly once for each change and reader."""

from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from zoneinfo import ZoneInfo

import pytest
from django.core import mail
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar, Component

from reports import invitations, planning, reviews
from reports.invitations import CANCEL, REQUEST, Guest, Meeting
from reports.rhythm import Review
from slaportal import outbox
from slaportal.models import Notice, NoticePreference, User
from tests.conftest import MONDAY
from tests.reports.test_reviews import APRIL, DAY, HOUR, hold

BERLIN = ZoneInfo("Europe/Berlin")
MINUTE = timedelta(minutes=1)


def make_meeting(**overrides) -> Meeting:
    fields = {"uid": "a@reviews", "sequence": 2, "changed_at": MONDAY, "created_at": MONDAY - DAY, "starts_at": APRIL,
              "length": timedelta(minutes=45), "title": "Review of DACH inbound", "about": "Agenda\nand more",
              "place": "Room 4", "url": "https://portal.example/reviews/1/",
              "organizer": "SLA Portal <portal@example.com>", "guests": [Guest("Max", "max@example.com")]}  # fmt: skip
    return Meeting(**{**fields, **overrides})


def event_in(file: bytes) -> tuple[Calendar, Component]:
    calendar = Calendar.from_ical(file)
    (event,) = calendar.walk("VEVENT")
    return calendar, event


# --- The file -----------------------------------------------------------------------------------------------------


def test_an_invitation_reads_back_as_what_it_says():
    calendar, event = event_in(invitations.written(make_meeting(), REQUEST))
    assert (calendar["METHOD"], calendar["VERSION"]) == ("REQUEST", "2.0")
    assert (event["UID"], event["SEQUENCE"], event["STATUS"]) == ("a@reviews", 2, "CONFIRMED")
    assert event.decoded("DTSTART") == APRIL and event.decoded("DTEND") == APRIL + 45 * MINUTE
    assert event.decoded("DTSTAMP") == MONDAY
    assert (str(event["SUMMARY"]), str(event["DESCRIPTION"])) == ("Review of DACH inbound", "Agenda\nand more")
    assert (str(event["LOCATION"]), str(event["URL"])) == ("Room 4", "https://portal.example/reviews/1/")
    assert str(event["ORGANIZER"]) == "mailto:portal@example.com" and event["ORGANIZER"].params["CN"] == "SLA Portal"
    asked = event["ATTENDEE"]
    assert str(asked) == "mailto:max@example.com"
    assert (asked.params["RSVP"], asked.params["PARTSTAT"], asked.params["CN"]) == ("TRUE", "NEEDS-ACTION", "Max")


def test_a_cancellation_says_so_twice_because_programs_look_at_either():
    calendar, event = event_in(invitations.written(make_meeting(), CANCEL))
    assert (calendar["METHOD"], event["STATUS"]) == ("CANCEL", "CANCELLED")


@pytest.mark.parametrize("day", [date(2025, 3, 28), date(2025, 3, 31), date(2025, 10, 24), date(2025, 10, 27)])
def test_ten_in_the_agreements_zone_is_ten_on_either_side_of_a_change_of_the_clocks(day):
    starts_at = datetime(day.year, day.month, day.day, 10, tzinfo=BERLIN)
    file = invitations.written(make_meeting(starts_at=starts_at), REQUEST)
    _, event = event_in(file)
    read = event.decoded("DTSTART").astimezone(BERLIN)
    assert (read.date(), read.hour, read.minute) == (day, 10, 0)
    assert b"DTSTART:" in file and starts_at.astimezone(UTC).strftime("DTSTART:%Y%m%dT%H%M%SZ").encode() in file


def test_the_same_review_gives_the_same_bytes_and_lines_that_every_program_reads():
    file = invitations.written(make_meeting(title="Ü" * 100), REQUEST)
    assert file == invitations.written(make_meeting(title="Ü" * 100), REQUEST)
    assert all(len(line) <= 75 for line in file.split(b"\r\n"))
    assert file.startswith(b"BEGIN:VCALENDAR\r\n") and file.endswith(b"END:VCALENDAR\r\n")


@given(st.text(max_size=80), st.text(max_size=40), st.text(max_size=200))
def test_no_name_or_title_breaks_out_of_its_place(title, name, about):
    printable = {key: "".join(sign for sign in text if sign.isprintable() or sign == "\n")
                 for key, text in {"title": title, "about": about}.items()}  # fmt: skip
    file = invitations.written(make_meeting(**printable, guests=[Guest(name, "max@example.com")]), REQUEST)
    calendar, event = event_in(file)
    assert len(calendar.subcomponents) == 1 and event["SEQUENCE"] == 2
    assert str(event["SUMMARY"]) == printable["title"] and str(event["DESCRIPTION"]) == printable["about"]
    assert str(event["ATTENDEE"]) == "mailto:max@example.com"


# --- By mail ------------------------------------------------------------------------------------------------------


@pytest.fixture
def review(cast) -> Review:
    Notice.objects.all().delete()  # of the agreement, with its PDF
    planning.plan_ahead(now=MONDAY + 2 * DAY)
    return Review.objects.get()


def mails_to(person: User, *, now: datetime) -> list[EmailMessage]:
    """What the outbox sends this person by `now`, as it arrives."""
    mail.outbox.clear()
    outbox.send_due(now=now)
    sent = [one for one in mail.outbox if one.to == [person.email]]
    return [message_from_bytes(one.message().as_bytes(), policy=policy.default) for one in sent]


def invitation_of(message: EmailMessage) -> tuple[Calendar, Component]:
    """The part that a calendar program takes, which has to agree with the header and with the attached file."""
    (part,) = [part for part in message.walk() if part.get_content_type() == "text/calendar"]
    (file,) = message.iter_attachments()
    assert (file.get_filename(), file.get_content_type()) == ("review.ics", "application/ics")
    calendar, event = event_in(part.get_content().encode())
    assert part["Content-Type"].params["method"] == calendar["METHOD"]
    _, attached = event_in(file.get_content())
    assert attached["SEQUENCE"] == event["SEQUENCE"] and attached["UID"] == event["UID"]
    return calendar, event


SOON = MONDAY + 2 * DAY + 5 * MINUTE


@pytest.mark.django_db
def test_everybody_is_invited_once_by_a_mail_that_calendars_take(review, cast):
    (message,) = mails_to(cast["mona"], now=SOON)
    assert message["Subject"] == "Review of DACH inbound: Tue 1 Apr 2025, 10:00"
    calendar, event = invitation_of(message)
    assert (calendar["METHOD"], event["SEQUENCE"]) == ("REQUEST", 0)
    assert str(event["UID"]).startswith(str(review.uid))
    assert event.decoded("DTSTART") == APRIL
    asked = {str(one).removeprefix("mailto:") for one in event["ATTENDEE"]}
    assert asked == {f"{name}@example.com" for name in ("rita", "max", "sofia", "mona")}
    kinds = [part.get_content_type() for part in message.walk() if not part.is_multipart()]
    assert kinds == ["text/plain", "text/html", "text/calendar", "application/ics"]
    planning.plan_ahead(now=SOON + MINUTE)
    assert mails_to(cast["mona"], now=SOON + HOUR) == []


@pytest.mark.django_db
def test_a_change_raises_the_sequence_and_a_cancellation_takes_it_off(review, cast):
    uid = invitation_of(mails_to(cast["mona"], now=SOON)[0])[1]["UID"]
    given = {"starts_at": APRIL + DAY, "length": 60, "place": "Room 4"}
    reviews.move(review, **given, by=cast["max_"], now=SOON + HOUR)
    (changed,) = mails_to(cast["mona"], now=SOON + 2 * HOUR)
    assert changed["Subject"] == "Changed: review of DACH inbound, now Wed 2 Apr 2025, 10:00"
    calendar, event = invitation_of(changed)
    assert (calendar["METHOD"], event["SEQUENCE"], event["UID"]) == ("REQUEST", 1, uid)
    assert event.decoded("DTSTART") == APRIL + DAY and event.decoded("DTEND") == APRIL + DAY + HOUR
    reviews.cancel(review, why="Trade fair", by=cast["max_"], now=SOON + 3 * HOUR)
    (off,) = mails_to(cast["mona"], now=SOON + 4 * HOUR)
    assert off["Subject"] == "Cancelled: review of DACH inbound, Wed 2 Apr 2025, 10:00"
    assert "Max has cancelled it: Trade fair" in off.get_body(("plain",)).get_content()
    calendar, event = invitation_of(off)
    assert (calendar["METHOD"], event["STATUS"], event["SEQUENCE"]) == ("CANCEL", "CANCELLED", 2)
    assert event["UID"] == uid


@pytest.mark.django_db
def test_of_several_changes_before_the_mail_leaves_only_the_newest_is_sent(review, cast):
    for number in (1, 2, 3):
        given = {"starts_at": APRIL + number * DAY, "length": 45, "place": ""}
        reviews.move(review, **given, by=cast["max_"], now=MONDAY + 2 * DAY + number * timedelta(seconds=1))
    (message,) = mails_to(cast["mona"], now=SOON)
    _, event = invitation_of(message)
    assert event["SEQUENCE"] == 3 and event.decoded("DTSTART") == APRIL + 3 * DAY
    states = Notice.objects.filter(recipient=cast["mona"], channel="email", about=review.pk).order_by("key")
    assert [row.state for row in states] == ["cancelled", "cancelled", "cancelled", "sent"]


@pytest.mark.django_db
def test_a_mail_that_failed_does_not_bring_an_old_state_back(review, cast, monkeypatch):
    monkeypatch.setattr("slaportal.delivery.hand_over", lambda *given: 1 / 0)
    assert mails_to(cast["mona"], now=SOON) == []
    monkeypatch.undo()
    reviews.move(review, starts_at=APRIL + DAY, length=45, place="", by=cast["max_"], now=SOON + timedelta(seconds=1))
    (message,) = mails_to(cast["mona"], now=SOON + 3 * HOUR)
    assert invitation_of(message)[1]["SEQUENCE"] == 1
    assert mails_to(cast["mona"], now=SOON + 6 * HOUR) == []


@pytest.mark.django_db
def test_who_never_heard_of_it_is_not_told_that_it_is_off(review, cast):
    reviews.cancel(review, why="Trade fair", by=cast["max_"], now=MONDAY + 2 * DAY + timedelta(seconds=1))
    assert mails_to(cast["mona"], now=SOON) == []


@pytest.mark.django_db
def test_who_is_taken_off_the_list_gets_a_cancellation_alone(review, cast):
    mails_to(cast["mona"], now=SOON)
    cast["max_"].groups.clear()
    planning.plan_ahead(now=SOON + HOUR)
    mail.outbox.clear()
    (message,) = mails_to(cast["max_"], now=SOON + 2 * HOUR)
    assert len(mail.outbox) == 1
    calendar, event = invitation_of(message)
    assert (calendar["METHOD"], event["SEQUENCE"]) == ("CANCEL", 1)
    assert str(event["ATTENDEE"]) == "mailto:max@example.com"
    assert "You are not asked to this review any more." in message.get_body(("plain",)).get_content()


@pytest.mark.django_db
def test_to_a_review_that_was_held_nobody_is_invited(review, cast):
    Notice.objects.filter(channel="email").update(due_at=APRIL + 2 * HOUR)
    hold(review, cast["max_"])
    assert mails_to(cast["mona"], now=APRIL + 3 * HOUR) == []


@pytest.mark.django_db
def test_after_an_outage_nobody_is_invited_to_what_is_over(review, cast):
    assert mails_to(cast["mona"], now=APRIL + 2 * HOUR) == []
    row = Notice.objects.get(recipient=cast["mona"], channel="email", about=review.pk)
    assert row.state == "cancelled"


@pytest.mark.django_db
def test_who_is_called_at_once_is_invited_while_it_lasts(review, cast):
    given = {"starts_at": SOON + MINUTE, "length": 30, "reason": "Now"}
    called = reviews.call(review.agreement, **given, by=cast["max_"], now=SOON)
    found = mails_to(cast["sofia"], now=SOON + 2 * MINUTE)
    assert str(called.uid) in " ".join(str(invitation_of(one)[1]["UID"]) for one in found)


@pytest.mark.django_db
def test_invitations_that_come_together_are_a_mail_each_because_programs_take_one_of_a_mail(review, cast):
    for number in (1, 2):
        given = {"starts_at": MONDAY + (10 + number) * DAY, "length": 30, "reason": f"Reason {number}"}
        reviews.call(review.agreement, **given, by=cast["max_"], now=MONDAY + 2 * DAY)
    found = mails_to(cast["sofia"], now=SOON)
    assert len(found) == 3
    assert len({str(invitation_of(one)[1]["UID"]) for one in found}) == 3
    assert len({one["Message-ID"] for one in found}) == 3


@pytest.mark.django_db
def test_who_wants_no_mails_of_reviews_finds_them_in_the_portal(review, cast):
    NoticePreference.objects.create(person=cast["mona"], kind="review", email="never")
    assert mails_to(cast["mona"], now=SOON) == []
    row = Notice.objects.get(recipient=cast["mona"], channel="portal", about=review.pk)
    assert row.subject == "Review of DACH inbound: Tue 1 Apr 2025, 10:00" and row.link == review.get_absolute_url()


@pytest.mark.django_db
def test_times_are_the_readers_own_in_words_and_everybodys_in_the_file(review, cast):
    User.objects.filter(pk=cast["mona"].pk).update(time_zone="America/New_York", quiet_from=None, quiet_until=None)
    (message,) = mails_to(cast["mona"], now=SOON)
    assert message["Subject"] == "Review of DACH inbound: Tue 1 Apr 2025, 04:00"
    assert "(America/New_York)" in message.get_body(("plain",)).get_content()
    assert invitation_of(message)[1].decoded("DTSTART") == APRIL


@pytest.mark.django_db
def test_a_called_review_says_who_calls_it_and_why(review, cast):
    given = {"starts_at": MONDAY + 10 * DAY, "length": 30, "place": "Room 4", "reason": "Contact fell under 80 %"}
    called = reviews.call(review.agreement, **given, by=cast["max_"], now=SOON)
    messages = mails_to(cast["sofia"], now=SOON + HOUR)
    (message,) = [one for one in messages if str(invitation_of(one)[1]["UID"]).startswith(str(called.uid))]
    text = message.get_body(("plain",)).get_content()
    assert "Max calls it: Contact fell under 80 %" in text and "30 minutes, Room 4" in text


@pytest.mark.django_db
def test_an_overdue_review_reminds_revops_while_it_has_no_minutes(review, cast):
    mails_to(cast["rita"], now=SOON)
    planning.plan_ahead(now=APRIL + DAY)
    found = [one["Subject"] for one in mails_to(cast["rita"], now=APRIL + DAY + HOUR)]
    assert any("Overdue: review of DACH inbound" in subject for subject in found)


@pytest.mark.django_db
def test_once_it_has_minutes_the_reminder_is_not_sent_any_more(review, cast):
    planning.plan_ahead(now=APRIL + DAY)
    hold(review, cast["rita"], now=APRIL + DAY)
    outbox.send_due(now=APRIL + DAY + HOUR)
    row = Notice.objects.get(key__startswith="review-overdue:", channel="email")
    assert row.state == "cancelled"


@pytest.mark.django_db
def test_whoever_owes_something_reads_what_and_by_when(review, cast):
    mails_to(cast["mona"], now=SOON)
    due = {"owner": cast["mona"], "due_on": date(2025, 4, 20)}
    decision = reviews.decide(review, text="Call every partner.", **due, by=cast["max_"], now=APRIL + HOUR)
    found = mails_to(cast["mona"], now=APRIL + 2 * HOUR)
    message = next(one for one in found if one["Subject"].startswith("Yours until"))
    assert message["Subject"] == "Yours until 20 April 2025: review of DACH inbound"
    text = message.get_body(("plain",)).get_content()
    assert "Call every partner." in text and f"#decision-{decision.pk}" in text
