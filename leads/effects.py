"""What a fact did to the clocks of a handoff, in words, for whoever entered it. Reads only."""

from collections.abc import Sequence

from django.utils.translation import gettext as _

from leads import timeline
from leads.models import Attempt, Clock, Disposition, Handoff


def states(handoff: Handoff) -> dict[int, int]:
    """The state of each clock, to be kept until the fact is in."""
    return dict(handoff.clocks.order_by().values_list("pk", "state"))


def in_words(handoff: Handoff, before: dict[int, int]) -> str:
    """Which promises with a time limit the fact met or missed: “First response met after 1 h.”"""
    words = []
    for clock in Clock.objects.filter(handoff=handoff).select_related("commitment"):
        if not clock.commitment.catalogue.has_limit or before.get(clock.pk) == clock.state:
            continue
        if clock.state == Clock.State.MET:
            words.append(
                _("%(commitment)s met after %(spent)s.")
                % {"commitment": clock.commitment, "spent": timeline.spent(clock)}
            )
        elif clock.state == Clock.State.MISSED:
            words.append(_("%(commitment)s missed.") % {"commitment": clock.commitment})
    return " ".join(words)


def stopped_by(handoff: Handoff, facts: Sequence[Attempt | Disposition]) -> str:
    """Which promises with a time limit these new facts stopped, in time or too late."""
    moments = {fact.at for fact in facts}
    stopped = Clock.objects.filter(handoff=handoff, stopped_at__in=moments).select_related("commitment")
    stopped = stopped.only("state", "elapsed_seconds", "commitment__title", "commitment__kind")
    said = {
        Clock.State.MET: _("%(promise)s met after %(time)s."),
        Clock.State.MISSED: _("%(promise)s: too late, after %(time)s."),
    }
    return " ".join(
        said[clock.state] % {"promise": clock.commitment, "time": timeline.spent(clock)}
        for clock in stopped
        if clock.state in said and clock.commitment.catalogue.has_limit
    )
