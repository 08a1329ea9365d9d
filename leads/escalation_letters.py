"""What is said of a step of a ladder: in a mail, in the portal and in the history of a handoff.

A letter is worded when it is sent, from what then stands in the database; None when it no longer holds.
"""

from collections.abc import Sequence

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from agreements.catalogue import Action
from leads import audience, clocks, ladder
from leads.models import Clock, Escalation, Handoff
from slaportal import formats
from slaportal.letters import Letter
from slaportal.models import Notice, User
from slaportal.templatetags.display import duration

# Of whoever has missed something.


def step(notices: Sequence[Notice]) -> list[Letter | None]:
    """Letters of steps that came due: a warning while the promise can be kept, a miss once it cannot.

    None where the clock has stopped in time, or was taken away, or does not count: there is nothing to warn of.
    """
    found = Escalation.objects.select_related(
        "step__commitment", "handoff__lead", "handoff__owner", "handoff__team", "handoff__agreement"
    ).in_bulk({notice.about for notice in notices})
    clock_of = audience.clocks_of(found.values())
    openable = _openable(notices, {row.handoff_id for row in found.values()})
    letters = []
    for notice in notices:
        row = found[notice.about]
        clock = clock_of.get(row.pk)
        holds = clock is not None and clock.state in (clocks.OPEN, clocks.MISSED)
        may_open = notice.recipient_id is None or row.handoff_id in openable[notice.recipient_id]
        letters.append(_letter(row, clock, notice, may_open=may_open) if holds else None)
    return letters


def _openable(notices: Sequence[Notice], handoffs: set[int]) -> dict[int, set[int]]:
    """Which of these handoffs each reader may open; a rep who is told of a colleague's may not."""
    readers: dict[int, User] = {notice.recipient_id: notice.recipient for notice in notices if notice.recipient}
    return {
        pk: set(Handoff.objects.visible_to(reader).filter(pk__in=handoffs).values_list("pk", flat=True))
        for pk, reader in readers.items()
    }


def _letter(row: Escalation, clock: Clock, notice: Notice, *, may_open: bool) -> Letter:
    handoff, title, reader = row.handoff, row.step.commitment.title, notice.recipient_id
    # Whom it is about: of a miss whoever it counts for, who may have lost the handoff since (N4).
    about = audience.whose(clock, handoff)
    is_about_reader = reader is not None and about is not None and about.pk == reader
    has_it = reader is not None and handoff.owner_id == reader
    nobody = _("unassigned") if handoff.owner_id else _("in the queue")
    whose = "" if is_about_reader else f" ({about or nobody})"
    due = formats.weekday_time(timezone.localtime(clock.due_at)) if clock.due_at else _("once it is released")
    named = {"promise": title, "lead": handoff, "whose": f"{handoff}{whose}", "due": due}
    if clock.state == clocks.OPEN:
        subject = _("Due %(due)s: %(whose)s: %(promise)s") % named
        said = _("“%(promise)s” for %(lead)s is due %(due)s: %(when)s this step of the agreement is taken.")
        said %= {**named, "when": ladder.when(row.step)}
    else:
        subject = _("Missed: %(whose)s: %(promise)s") % named
        said = _("“%(promise)s” for %(lead)s was due %(due)s and is missed.") % named
        if clock.stopped_at:
            said += " " + _("It was done after %(span)s.") % {"span": duration(clock.elapsed_seconds)}
    if row.step.action == Action.TASK:
        subject = _("To look into: %(subject)s") % {"subject": subject}
    paragraphs = [said]
    lead = ", ".join(part for part in (handoff.lead.company, handoff.lead.title, handoff.source) if part)
    if lead:
        paragraphs.append(lead)
    if not (is_about_reader or has_it):
        paragraphs.append(_whose_it_is(handoff, about))
    if row.is_late:
        paragraphs.append(_("This step comes %(late)s.") % {"late": ladder.lateness(row)})
    if is_about_reader and not has_it:
        if handoff.owner:
            paragraphs.append(_("It is no longer yours: %(person)s has it now.") % {"person": handoff.owner})
        else:
            paragraphs.append(_("It is no longer yours: it waits in the queue now."))
        paragraphs[-1] += " " + _("One line of answer is asked: why it happened, and what is done about it.")
    elif clock.state == clocks.MISSED and not clock.stopped_at:
        paragraphs.append(_("Act now, and answer the miss in one line: why it happened, and what is done about it."))
    return Letter(
        subject=subject,
        paragraphs=tuple(paragraphs),
        link_label=_("Open the handoff"),
        link=handoff.get_absolute_url() if may_open else reverse("home"),
    )


def _whose_it_is(handoff: Handoff, about: User | None) -> str:
    """Who has it, whom it counts for where that is somebody else, and under which agreement."""
    owner = str(handoff.owner or _("nobody, it waits in the queue"))
    if about is not None and about.pk != handoff.owner_id:
        owner = _("%(owner)s; it counts for %(person)s") % {"owner": owner, "person": about}
    return _("Owner: %(owner)s · %(agreement)s") % {"owner": owner, "agreement": handoff.agreement}
