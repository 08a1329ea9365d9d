"""Where a worker can be killed: the one place that knows the names of the portal's own functions."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Point:
    """Just before or just after a function of the portal, by its dotted name.

    Of three handoffs with two due steps each, one worker passes it at least so often. A copy of a mail too many is
    unavoidable where the server has accepted what nobody has recorded yet.
    """

    name: str
    says: str
    function: str
    is_after: bool = False
    passings: int = 1
    extra_copies: int = 0


# The sweep does the first step of all three together, then the second; the outbox claims for several readers at once.
POINTS = {
    point.name: point
    for point in (
        Point("before_step", "before the step row", "leads.models.Escalation.objects.bulk_create", passings=2),
        Point(
            "after_step",
            "after it, before commit",
            "leads.models.Escalation.objects.bulk_create",
            is_after=True,
            passings=2,
        ),
        Point("after_commit", "after commit", "slaportal.outbox.ring", passings=2),
        Point("after_claim", "after the claim", "slaportal.outbox.claim", is_after=True),
        Point("before_send", "before sending", "slaportal.delivery.hand_over", passings=3),
        Point(
            "after_send",
            "after the server accepted, before recording",
            "slaportal.delivery.hand_over",
            is_after=True,
            passings=3,
            extra_copies=1,
        ),
    )
}
