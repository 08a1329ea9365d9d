"""Notes: what a manager tells somebody of a managed team, as a notice that says what the manager wrote."""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext as _

from leads import handovers
from leads.models import Handoff
from slaportal import outbox
from slaportal.letters import Letter
from slaportal.models import Notice, User
from slaportal.outbox import Post, one_by_one
from slaportal.refusal import Refused

KIND = "note"
LONGEST = 300


@transaction.atomic
def send(to: User, *, text: str, token: UUID, handoff: Handoff | None = None, by: User, now: datetime) -> None:
    """Tell somebody of a managed team something, about one handoff or not.

    The `token` is drawn with the form, so that a form that is sent twice tells it once.
    """
    text = " ".join(text.split())
    if not text:
        raise Refused(_("Write what you want to say."))
    if len(text) > LONGEST:
        raise Refused(
            _("A note has at most %(number)s characters; this has %(count)s."), number=LONGEST, count=len(text)
        )
    if not handovers.managed_teams(by).filter(pk=to.team_id).exists():
        raise Refused(_("%(person)s is in none of your teams."), person=to)
    if not to.is_active:
        raise Refused(_("%(person)s cannot log in, so nobody would read it."), person=to)
    subject, link = _("Note from %(person)s") % {"person": by}, reverse("home")
    if handoff is not None:
        if not Handoff.objects.visible_to(to).filter(pk=handoff.pk).exists():
            raise Refused(_("%(person)s does not see %(lead)s."), person=to, lead=handoff)
        subject, link = f"{subject}: {handoff}", handoff.get_absolute_url()
    about = handoff.pk if handoff else to.pk
    written = Letter(subject, (text,), "", link)
    note = Post(f"note:{by.pk}:{token}", f"person:{to.pk}", KIND, f"{__name__}.as_written", about, to, written=written)
    outbox.post([note], now=now)


@one_by_one
def as_written(notice: Notice) -> Letter:
    """What the manager wrote: it stands in the notice from the beginning."""
    return Letter(notice.subject, (notice.summary,), _("Open the portal"), notice.link)
