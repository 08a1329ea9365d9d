"""Invitations to reviews as iCalendar files, which calendar programs take over, update and cancel (RFC 5545, 5546).

A file has the same bytes whenever it is made of the same review. Times are in UTC: one meeting needs no rules of summer
time, and every program shows it in its reader's zone. Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parseaddr

from icalendar import Calendar, Event, vCalAddress, vText, vUri

REQUEST, CANCEL = "REQUEST", "CANCEL"
PRODUCT = "-//SLA Portal//Reviews//EN"
FILE_NAME = "review.ics"


@dataclass(frozen=True)
class Guest:
    """Somebody who is asked."""

    name: str
    email: str


@dataclass(frozen=True)
class Meeting:
    """One review as calendars know it. `sequence` never goes back; `changed_at` is when it was last changed."""

    uid: str
    sequence: int
    changed_at: datetime
    created_at: datetime
    starts_at: datetime
    length: timedelta
    title: str
    about: str
    place: str
    url: str
    organizer: str  # as in a From header
    guests: Sequence[Guest]


def written(meeting: Meeting, method: str) -> bytes:
    """The file that asks its guests to the meeting or changes it (`REQUEST`), or takes it off (`CANCEL`)."""
    event = Event()
    event.add("uid", meeting.uid)
    event.add("sequence", meeting.sequence)
    event.add("dtstamp", _utc(meeting.changed_at))
    event.add("created", _utc(meeting.created_at))
    event.add("last-modified", _utc(meeting.changed_at))
    event.add("dtstart", _utc(meeting.starts_at))
    event.add("dtend", _utc(meeting.starts_at + meeting.length))
    event.add("summary", meeting.title)
    event.add("description", meeting.about)
    if meeting.place:
        event.add("location", meeting.place)
    event.add("url", vUri(meeting.url))
    event.add("status", "CANCELLED" if method == CANCEL else "CONFIRMED")
    event.add("transp", "OPAQUE")
    name, email = parseaddr(meeting.organizer)
    event.add("organizer", _address(Guest(name or email, email)))
    for guest in meeting.guests:
        address = _address(guest)
        address.params |= {
            "CUTYPE": vText("INDIVIDUAL"),
            "ROLE": vText("REQ-PARTICIPANT"),
            "PARTSTAT": vText("NEEDS-ACTION"),
            "RSVP": vText("TRUE"),
        }
        event.add("attendee", address, encode=0)
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("method", method)
    calendar.add_component(event)
    return calendar.to_ical()


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)


def _address(guest: Guest) -> vCalAddress:
    address = vCalAddress(f"mailto:{guest.email}")
    # Quotes, colons and line breaks cannot stand in a parameter (RFC 5545, 3.1).
    address.params["CN"] = vText(" ".join("".join(" " if sign in '";:,' or not sign.isprintable() else sign
                                                  for sign in guest.name).split()))  # fmt: skip
    return address
