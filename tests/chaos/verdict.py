"""What has to be true after every scenario, asked of the database and of what the mail server accepted."""

from collections import Counter
from collections.abc import Iterable, Sequence

from leads.models import Escalation
from slaportal.models import Notice
from tests.chaos.services import Mail

LETTER = "leads.escalation_letters.step"
MOST_SHOWN = 5


def is_done(handoffs: Sequence[int], *, steps: int = 1) -> bool:
    """Whether so many steps of each of these were done, and every notice of them has left."""
    rows = Escalation.objects.filter(handoff__in=handoffs)
    if rows.count() < steps * len(handoffs):
        return False
    return not Notice.objects.waiting().filter(letter=LETTER, about__in=rows.values("pk")).exists()


def faults(handoffs: Sequence[int], mails: Iterable[Mail], *, steps: int = 1, extra_copies: int = 0) -> list[str]:
    """Everything that is wrong with these handoffs; empty is as it should be.

    Each step is done once and not early, told once in the portal and once by mail. The server accepted every mail under
    an id of its own, and of all of them together no more than so many copies, which differ in nothing.
    """
    found: list[str] = []
    rows = list(Escalation.objects.filter(handoff__in=handoffs).order_by("handoff", "step__position"))
    of_handoff = Counter(row.handoff_id for row in rows)
    _tell(found, "without all of their steps", [pk for pk in handoffs if of_handoff[pk] < steps])
    _tell(found, "with more steps than were due", [pk for pk in handoffs if of_handoff[pk] > steps])
    _tell(found, "steps twice", [key for key, n in Counter((r.handoff_id, r.step_id) for r in rows).items() if n > 1])
    _tell(found, "steps done early", [row.pk for row in rows if row.at <= row.due_at])

    notices = list(Notice.objects.filter(letter=LETTER, about__in=[row.pk for row in rows]).select_related("recipient"))
    for channel in (Notice.Channel.PORTAL, Notice.Channel.EMAIL):
        told = Counter(notice.about for notice in notices if notice.channel == channel)
        _tell(found, f"steps without a notice ({channel})", [row.pk for row in rows if not told[row.pk]])
        _tell(found, f"steps with two notices ({channel})", [pk for pk, count in told.items() if count > 1])
    _tell(found, "notices that did not leave", [notice.pk for notice in notices if notice.sent_at is None])

    mails = list(mails)
    envelopes = {notice.envelope: notice.recipient.email for notice in notices if notice.channel == "email"}
    _tell(found, "ids with mails that differ", _differing(mails))
    wanted, accepted = Counter(envelopes.values()), Counter(to for _, to in {(mail.id, mail.to) for mail in mails})
    _tell(found, "readers whose mail did not arrive", (wanted - accepted).elements())
    _tell(found, "readers with mails that nobody wrote", (accepted - wanted).elements())
    if copies(mails) > extra_copies:
        twice = [mail_id for mail_id, count in Counter(mail.id for mail in mails).items() if count > 1]
        _tell(found, f"mails with copies, {copies(mails)} where {extra_copies} may be", twice)
    return found


def copies(mails: Sequence[Mail]) -> int:
    """How many of these are copies of another one."""
    return len(mails) - len({mail.id for mail in mails})


def _differing(mails: Iterable[Mail]) -> list[str]:
    kinds = Counter(mail_id for mail_id, _, _ in {(mail.id, mail.to, mail.subject) for mail in mails})
    return [mail_id for mail_id, count in kinds.items() if count > 1]


def _tell(found: list[str], what: str, ids: Iterable[object]) -> None:
    ids = list(ids)
    if ids:
        shown = ", ".join(map(str, ids[:MOST_SHOWN])) + (", …" if len(ids) > MOST_SHOWN else "")
        found.append(f"{len(ids)} {what}: {shown}")
