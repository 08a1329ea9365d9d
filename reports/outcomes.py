"""What came of a period's handoffs: meetings, opportunities, won, lost, and the pipeline they are worth."""

from typing import Any

from django.db.models import Count, QuerySet, Sum
from django.utils.translation import gettext_noop

from leads.models import Handoff, Outcome

PLURALS = {
    Outcome.Kind.MEETING: gettext_noop("meetings"),
    Outcome.Kind.OPPORTUNITY: gettext_noop("opportunities"),
    Outcome.Kind.WON: gettext_noop("won"),
    Outcome.Kind.LOST: gettext_noop("lost"),
}


def count(handoffs: QuerySet[Handoff]) -> dict[str, Any]:
    """Handoffs with each outcome, whenever it came, and the sum of their opportunities' amounts as `pipeline`."""
    rows = (
        Outcome.objects.valid()
        .filter(handoff__in=handoffs)
        .order_by()
        .values_list("kind")
        .annotate(Count("handoff", distinct=True), Sum("amount"))
    )
    found = {kind: (number, amount) for kind, number, amount in rows}
    counts = {plural: found.get(kind, (0, None))[0] for kind, plural in PLURALS.items()}
    return {**counts, "pipeline": float(found.get(Outcome.Kind.OPPORTUNITY, (0, None))[1] or 0)}
