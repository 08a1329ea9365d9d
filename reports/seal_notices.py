"""What people are told of sealed scorecards: that one was restated, by whom, why, and what it reads now."""

from datetime import datetime

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from agreements import signers
from reports.differences import figures, told
from reports.seals import Seal
from slaportal import outbox
from slaportal.letters import Letter
from slaportal.models import Notice

MOST_FIGURES = 8


def tell_restated(seal: Seal, *, now: datetime) -> None:
    """Tell the leaders of both sides, in the transaction of the event."""
    people = [user for user, _party in signers.signers(seal.agreement)]
    key, letter = f"restated:{seal.pk}", "reports.seal_notices.restated"
    outbox.post(outbox.to_people(people, key=key, kind="agreement", letter=letter, about=seal.pk), now=now)


@outbox.one_by_one
def restated(notice: Notice) -> Letter:
    """Who restated the month and why, with what it read before and reads now."""
    seal = Seal.objects.figures().select_related("agreement", "by", "replaces").get(pk=notice.about)
    changed = figures(seal.replaces.data, seal.data)
    shown = [f"• {told(one)}" for one in changed[:MOST_FIGURES]]
    if len(changed) > MOST_FIGURES:
        shown.append("• " + gettext("and %(number)s more") % {"number": len(changed) - MOST_FIGURES})
    said = {"person": seal.by, "period": seal.period, "agreement": seal.agreement}
    return Letter(
        subject=_("Restated: %(agreement)s, %(period)s") % said,
        paragraphs=(
            gettext("%(person)s has restated %(period)s of “%(agreement)s”. What it read before stays readable.")
            % said,
            gettext("The reason: %(reason)s") % {"reason": seal.reason},
            *(shown or [gettext("No figure changed.")]),
        ),
        link_label=gettext("See both"),
        link=seal.get_absolute_url(),
    )
