"""The monthly mail: how a sealed month ended, to the leaders of both sides and to RevOps, once for each month."""

from datetime import datetime, timedelta

from agreements import signers
from agreements.models import Agreement
from leads.periods import Period
from slaportal import outbox, roles
from slaportal.models import User

KIND = "scorecard"
# A month that ended longer ago is news to nobody: it is sealed late, as when history was imported.
NEWS = timedelta(days=45)


def month_mail(agreement: Agreement, period: Period, *, now: datetime) -> None:
    """Tell how the month ended, in the transaction that seals it; a second call tells nobody a second time."""
    if now - period.end(agreement.zone) > NEWS:
        return
    leaders = [user for user, _party in signers.signers(agreement)]
    people = [*leaders, *User.objects.filter(groups__name=roles.REVOPS, is_active=True)]
    key, letter = f"scorecard:{agreement.pk}:{period.key}", "reports.month_letters.letters"
    outbox.post(outbox.to_people(people, key=key, kind=KIND, letter=letter, about=agreement.pk), now=now)
