"""The demo’s reviews: held ones with minutes and decisions, one of which became a draft; a forgotten one; the next."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from agreements.models import Agreement
from reports import planning, reviews
from reports.demo_cast import Cast
from reports.rhythm import Review

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# What is said when both sides meet, the oldest first; the last one is said of every later review too.
MINUTES = (
    "Both sides went through the misses one by one. Contact is late where a lead comes in the hour before closing: it "
    "waits for the next morning, when the list is longest.\n\nMarketing asks for shorter limits for demo requests; "
    "sales wants to see two months with five attempts first.",
    "The weekend rota works: nobody had to be called in. Of what marketing disputed, RevOps upheld what the web site "
    "proved.\n\nReasons for recycling are complete; “bad timing” now carries a date in all of them.",
    "Volume and acceptance are where both sides want them. What is left is the time between Friday noon and Monday: "
    "who is called then, and by whom, is for the next version.\n\nThe limit of 3 hours for demo requests is drafted; "
    "both leaders read it before the next review.",
)
# Of each of these reviews: what was decided, and who does it within how many days; nobody where nothing is to be done.
DECISIONS = (
    (("Demo requests are contacted within 3 business hours instead of 4.", "", 0),
     ("Go through every lead of the last hour of a day with the team on the next morning.", "manager", 14)),
    (("Write to the two partners whose records come without a phone number.", "marketing", 21),
     ("The weekend rota goes on for another quarter.", "", 0)),
    (("Say who answers on Friday afternoons, and from when on.", "manager", 35),),
)  # fmt: skip
PARTNER_MINUTES = (
    "A short one: few referrals, and those that came were called in time. Stefan still has to read the next version of "
    "the agreement before both sides can sign it."
)


def meet(cast: Cast, inbound: Agreement, referrals: Agreement, *, since: datetime, now: datetime) -> None:
    """Plan the reviews of both agreements from `since` on, and hold those that are over.

    The first decision of all becomes a draft; the last review of the referrals is forgotten.
    """
    moment = since
    while moment < now:
        planning.plan_ahead(now=moment)
        moment += 7 * DAY
    planning.plan_ahead(now=now)
    for index, review in enumerate(_over(inbound, now)):
        place = min(index, len(MINUTES) - 1)
        held = _hold(review, MINUTES[place], cast)
        _decide(held, DECISIONS[place], cast, is_first=index == 0)
    for review in _over(referrals, now)[:-1]:
        _hold(review, PARTNER_MINUTES, cast)


def _over(agreement: Agreement, now: datetime) -> list[Review]:
    return list(agreement.reviews.overdue(now).order_by("starts_at"))


def _hold(review: Review, minutes: str, cast: Cast) -> Review:
    there = {person.pk for person in (*cast.leaders, cast.manager, cast.revops)}
    return reviews.hold(review, minutes=minutes, attended=there, by=cast.revops, now=review.starts_at + HOUR)


def _decide(review: Review, decisions: Sequence[tuple], cast: Cast, *, is_first: bool) -> None:
    now, day = review.starts_at + HOUR, review.starts_at.astimezone(review.agreement.zone).date()
    owners = {"": None, "manager": cast.manager, "marketing": cast.leaders[0]}
    made = []
    for text, owner, days in decisions:
        due_on = day + timedelta(days=days) if owner else None
        made.append(reviews.decide(review, text=text, owner=owners[owner], due_on=due_on, by=cast.revops, now=now))
    if is_first:
        reviews.draft_from(made[0], by=cast.revops, now=now + HOUR)
        reviews.mark(made[1], done=True, by=cast.manager, now=now + 7 * DAY)
    reviews.close(review, by=cast.revops, now=now + HOUR)
