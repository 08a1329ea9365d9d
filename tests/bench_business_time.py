"""How fast business time is: run as `python tests/bench_business_time.py`; exits with 1 when a target is missed.

100,000 random pairs within a year, a lunch break, Europe/Berlin, 20 holidays. Both targets are ratios within one run:
against businesstimedelta per pair, and against one bare `numpy.searchsorted` of the same 100,000 instants into the
openings of the same calendar. What is compared takes turns, and of each the best turn counts, so that a busy machine
slows all of them alike.
"""

import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from pathlib import Path
from time import perf_counter

import businesstimedelta
import numpy as np
import pytz
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from agreements.business_time import BusinessTime

PAIRS, PEER_PAIRS, TURNS = 100_000, 10, 15
LEAST_TIMES_PEER, MOST_SEARCHES = 1_000, 8
ZONE, YEAR = "Europe/Berlin", (datetime(2024, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC))
HOLIDAYS = ["01-01", "01-06", "03-08", "03-29", "04-01", "05-01", "05-09", "05-20", "05-30", "08-08"]
HOLIDAYS += ["08-15", "09-20", "10-03", "10-31", "11-01", "11-20", "12-24", "12-25", "12-26"]
# The peer looks for the next holiday after each pair, so one has to follow them all.
CLOSED = [date.fromisoformat(f"2024-{day}") for day in HOLIDAYS] + [date(2025, 1, 1)]


def main() -> int:
    hours = {day: [("09:00", "12:00"), ("13:00", "17:30")] for day in range(5)}
    calendar = BusinessTime(time_zone=ZONE, hours=hours, closed=CLOSED)
    starts, ends, spans = random_pairs()
    openings = np.array([opening.replace(tzinfo=None) for opening, _ in calendar.windows(*YEAR)], starts.dtype)

    peer = make_peer()
    few = [
        (start.replace(tzinfo=UTC), end.replace(tzinfo=UTC), businesstimedelta.BusinessTimeDelta(peer, timedelta=span))
        for start, end, span in zip(*(array[:PEER_PAIRS].tolist() for array in (starts, ends, spans)), strict=True)
    ]
    for start, end, span in few:
        if calendar.elapsed(start, end) != peer.difference(start, end).timedelta:
            raise AssertionError(f"Both should count the same from {start} to {end}.")
        if calendar.deadline(start, span.timedelta) != start + span:
            raise AssertionError(f"Both should find the same deadline of {span.timedelta} from {start}.")

    names = ("search", "elapsed_many", "deadline_many", "peer elapsed_many", "peer deadline_many")
    seconds = dict(
        zip(
            names,
            best_of_turns(
                lambda: openings.view(np.int64).searchsorted(starts.view(np.int64)),
                lambda: calendar.elapsed_many(starts, ends),
                lambda: calendar.deadline_many(starts, spans),
                lambda: [peer.difference(start, end) for start, end, _ in few],
                lambda: [start + span for start, _, span in few],
            ),
            strict=True,
        )
    )
    kept = [report(seconds, name) for name in ("elapsed_many", "deadline_many")]
    return 0 if all(kept) else 1


def random_pairs() -> tuple[NDArray[np.datetime64], NDArray[np.datetime64], NDArray[np.timedelta64]]:
    """Starts and ends anywhere in the year, and allowances of up to a working week, all in whole seconds."""
    noise = np.random.default_rng(20240101)
    first, last = (np.datetime64(end.replace(tzinfo=None), "s") for end in YEAR)
    instants = np.sort(first + noise.integers(0, (last - first).astype(int), (2, PAIRS)), axis=0)
    starts, ends = instants.astype("datetime64[us]")
    return starts, ends, noise.integers(1, 5 * 7.5 * 3600, PAIRS).astype("timedelta64[s]").astype("timedelta64[us]")


def make_peer() -> businesstimedelta.Rules:
    zone, weekdays = pytz.timezone(ZONE), list(range(5))
    day = businesstimedelta.WorkDayRule(time(9), time(17, 30), weekdays, tz=zone)
    lunch = businesstimedelta.LunchTimeRule(time(12), time(13), weekdays, tz=zone)
    return businesstimedelta.Rules([day, lunch, businesstimedelta.HolidayRule(set(CLOSED), tz=zone)])


def best_of_turns(*programs: Callable[[], object]) -> list[float]:
    """The shortest time in seconds of each program, which run in turns."""
    best = [float("inf")] * len(programs)
    for _ in range(TURNS):
        for index, program in enumerate(programs):
            begin = perf_counter()
            program()
            best[index] = min(best[index], perf_counter() - begin)
    return best


def report(seconds: dict[str, float], name: str) -> bool:
    """Print both ratios of one function; whether both targets are met."""
    times_peer = seconds[f"peer {name}"] / PEER_PAIRS / (seconds[name] / PAIRS)
    searches = seconds[name] / seconds["search"]
    print(
        f"{name}: {PAIRS:,} pairs in {seconds[name] * 1000:.2f} ms, {PAIRS / seconds[name] / 1e6:.0f} million a second"
    )
    for kept, text in (
        (times_peer >= LEAST_TIMES_PEER, f"{times_peer:,.0f} times businesstimedelta (at least {LEAST_TIMES_PEER:,})"),
        (searches <= MOST_SEARCHES, f"{searches:.2f} times one bare numpy.searchsorted (at most {MOST_SEARCHES})"),
    ):
        print(f"  {'PASS' if kept else 'FAIL'}  {text}")
    return times_peer >= LEAST_TIMES_PEER and searches <= MOST_SEARCHES


if __name__ == "__main__":
    sys.exit(main())
