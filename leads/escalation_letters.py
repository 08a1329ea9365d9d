"""What is said of a step of a ladder: in a mail, in the portal and in the history of a handoff.

A letter is worded when it is sent, from what then stands in the database; None when it no longer holds.
"""

from collections.abc import Sequence

from django.urls import reverse
from django.utils import timezone

from agreements.catalogue import Action
from leads import clocks, ladder
from leads.models import Clock, Escalation, Handoff
from slaportal.letters import Letter
from slaportal.models import Notice, User
from slaportal.templatetags.display import duration


def step(notices: Sequence[Notice]) -> list[Letter | None]:
    """Letters of steps that came due: a warning while the promise can be kept, a miss once it cannot.

    None where the clock has stopped in time, or was taken away, or does not count: there is nothing to warn of.
    """
    found = Escalation.objects.select_related(
        "step__commitment", "handoff__lead", "handoff__owner", "handoff__team", "handoff__agreement"
    ).in_bulk({notice.about for notice in notices})
    of_clock = {(row.handoff_id, row.step.commitment_id, row.subject) for row in found.values()}
    rows = Clock.objects.filter(handoff__in={handoff for handoff, _, _ in of_clock})
    clock_of = {(row.handoff_id, row.commitment_id, row.subject): row for row in rows}
    openable = _openable(notices, {row.handoff_id for row in found.values()})
    letters = []
    for notice in notices:
        row = found[notice.about]
        clock = clock_of.get((row.handoff_id, row.step.commitment_id, row.subject))
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
    handoff, title = row.handoff, row.step.commitment.title
    is_mine = handoff.owner_id == notice.recipient_id and notice.recipient_id is not None
    whose = "" if is_mine else f" ({handoff.owner or 'in the queue'})"
    due = f"{timezone.localtime(clock.due_at):%a %-d %b, %-H:%M}" if clock.due_at else "once it is released"
    if clock.state == clocks.OPEN:
        subject = f"Due {due}: {handoff}{whose}: {title}"
        said = f"“{title}” for {handoff} is due {due}: {ladder.when(row.step)} this step of the agreement is taken."
    else:
        subject = f"Missed: {handoff}{whose}: {title}"
        late = f" It was done after {duration(clock.elapsed_seconds)}." if clock.stopped_at else ""
        said = f"“{title}” for {handoff} was due {due} and is missed.{late}"
    if row.step.action == Action.TASK:
        subject = f"To look into: {subject}"
    paragraphs = [said]
    lead = ", ".join(part for part in (handoff.lead.company, handoff.lead.title, handoff.source) if part)
    if lead:
        paragraphs.append(lead)
    if not is_mine:
        paragraphs.append(f"Owner: {handoff.owner or 'nobody, it waits in the queue'} · {handoff.agreement}")
    if row.is_late:
        paragraphs.append("This step comes late, because nothing was running when it was due.")
    if clock.state == clocks.MISSED and not clock.stopped_at:
        paragraphs.append("Act now, and answer the miss in one line: why it happened, and what is done about it.")
    return Letter(
        subject=subject,
        paragraphs=tuple(paragraphs),
        link_label="Open the handoff",
        link=handoff.get_absolute_url() if may_open else reverse("home"),
    )
