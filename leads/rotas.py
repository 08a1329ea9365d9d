"""Who of several reps is next. Pure: it sees who is free, how much each has, and how often each was next.

Turns are fair at every moment and not only in the end: while the same people are free, nobody has had more than one
turn more or less than their weight's share. Of those whose next turn has begun, the one whose turn ends soonest is next
(to take whoever is owed most, as is often done, leaves some owed more than a turn). Whoever is passed over counts as
having had the turns of the share: nobody saves any up, and nobody is flooded on return.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext_lazy as _

# Only when weights or people change can somebody be owed so many turns, or be so many ahead; then it is forgotten.
FORGOTTEN_FROM = 2

# Why somebody is not free, in the order in which it is said of several.
AWAY, FULL, HAD, NO_LOGIN = _("away"), _("full"), _("had it before"), _("without a login")


@dataclass(eq=False)
class Rep:
    """A rep at one moment: how many handoffs are open, how many may be, and whether they are there.

    `is_at_work` is None where nobody knows the hours; such a person may be at work. `open` grows with what is given.
    """

    key: int
    open: int = 0
    most: int | None = None
    is_active: bool = True
    is_away: bool = False
    is_at_work: bool | None = None

    @property
    def is_full(self) -> bool:
        """Whether the cap is reached."""
        return self.most is not None and self.open >= self.most

    @property
    def is_free(self) -> bool:
        """Whether work can be given to them, at work or not."""
        return not why_not(self)


@dataclass(eq=False)
class Seat:
    """A rep's place in a rota: the weight of the share, and how many turns were had or passed over; None is new."""

    rep: Rep
    weight: int = 1
    turns: int | None = None


class Rota:
    """The reps between whom one rule chooses: in turn, or whoever has the fewest open."""

    def __init__(self, seats: Iterable[Seat], *, in_turn: bool) -> None:
        self.seats = sorted(seats, key=lambda seat: seat.rep.key)
        self.in_turn = in_turn
        known = [seat for seat in self.seats if seat.turns is not None]
        weight, turns = _sums(known)
        for seat in self.seats:
            if seat.turns is None:
                seat.turns = _share(seat, weight, turns) if known else 0

    def next(self, *, but: Collection[int] = ()) -> Rep | None:
        """The next one of those who are free, who counts one more open from now on; None when nobody is left.

        Of the free ones those at work are asked, unless nobody is. `but` are keys of people who must not get it.
        """
        free = [seat for seat in self.seats if seat.rep.is_free and seat.rep.key not in but]
        asked = [seat for seat in free if seat.rep.is_at_work is not False] or free
        if not asked:
            return None
        if self.in_turn:
            chosen = _next_in_turn(asked)
            chosen.turns += 1
            self._pass_over(asked)
        else:
            chosen = min(asked, key=lambda seat: (seat.rep.open, seat.rep.key))
        chosen.rep.open += 1
        return chosen.rep

    def _pass_over(self, asked: Sequence[Seat]) -> None:
        """Count the turns of those who were not asked as had."""
        weight, turns = _sums(asked)
        keys = {seat.rep.key for seat in asked}
        for seat in self.seats:
            if seat.rep.key not in keys:
                seat.turns = max(seat.turns, _share(seat, weight, turns))


def missing(reps: Iterable[Rep], *, but: Collection[int] = ()) -> Counter[str]:
    """How many of these are not free, by why."""
    return Counter(why for rep in reps if (why := why_not(rep, but=but)))


def why_not(rep: Rep, *, but: Collection[int] = ()) -> str:
    """Why nothing is given to somebody, in a word; blank where they are free."""
    if rep.key in but:
        return HAD
    if not rep.is_active:
        return NO_LOGIN
    return AWAY if rep.is_away else FULL if rep.is_full else ""


def _next_in_turn(asked: Sequence[Seat]) -> Seat:
    """Of those whose turn has begun, the one whose turn ends soonest; of equals who is owed most, then the first."""
    weight, turns = _sums(asked)
    for seat in asked:
        owed = seat.weight * turns - seat.turns * weight
        if abs(owed) >= FORGOTTEN_FROM * weight:
            seat.turns += owed // weight if owed > 0 else -(-owed // weight)
    weight, turns = _sums(asked)

    def order(seat: Seat) -> tuple[bool, int, int, int]:
        owed = seat.weight * (turns + 1) - seat.turns * weight
        ends = -(-(seat.turns + 1) * weight // seat.weight)
        return owed <= 0, ends, -owed, seat.rep.key

    return min(asked, key=order)


def _sums(seats: Sequence[Seat]) -> tuple[int, int]:
    """The weights of these seats and the turns that they had, together."""
    return sum(seat.weight for seat in seats), sum(seat.turns for seat in seats)


def _share(seat: Seat, weight: int, turns: int) -> int:
    """How many turns the seat's weight stands for, where others of this weight had so many; rounded up."""
    return -(-seat.weight * turns // weight)
