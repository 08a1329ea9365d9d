"""`manage.py demo`: tells the demo into an empty portal and says who can log in."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from reports import demo, demo_cast
from reports.models import Scorecard
from slaportal.management.moments import moment
from slaportal.refusal import Refused
from slaportal.templatetags.display import percent

NOTHING = "–"


class Command(BaseCommand):
    help = "Fill an empty portal with two teams, a dozen reps, and half a year that ends with both sides keeping it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--seed", type=int, default=1, help="another number is another half year of the same story")
        parser.add_argument("--now", metavar="ISO", help="when the story ends, such as 2025-03-03T09:00Z")
        parser.add_argument("--if-empty", action="store_true", help="do nothing where there is something already")
        parser.add_argument("--force", action="store_true", help="also where DEBUG is off; the passphrase is known")

    def handle(self, *, seed: int, now: str | None, if_empty: bool, force: bool, **options: Any) -> None:
        if if_empty and not demo.is_empty_portal():
            self.stdout.write("The portal is not empty, so no demo was added.")
            if demo.is_loaded():
                self._show_logins()
            return
        if not settings.DEBUG and not force:
            raise CommandError(
                "The demo's people have a passphrase that anybody can read. Use --force if that is meant."
            )
        try:
            cards = demo.tell(now=moment(now), seed=seed, evenings=_bar)
        except Refused as problem:
            raise CommandError(str(problem)) from problem
        self.stdout.write("\n".join(table(cards)) + "\n")
        self._show_logins()

    def _show_logins(self) -> None:
        self.stdout.write(f"Demo logins, all with the passphrase {demo_cast.LOGIN_WORDS}")
        for role, email in demo_cast.logins():
            self.stdout.write(f"  {role:<17} {email}")


def _bar(evenings: Sequence[datetime]) -> Iterable[datetime]:
    return tqdm(evenings, unit=" days", leave=False, disable=None)


def table(cards: Sequence[Scorecard]) -> list[str]:
    """A line for each promise and a column for each month: what was attained, and whether that kept it."""
    found: dict[str, dict[int, str]] = {}
    for month, card in enumerate(cards):
        for row in card.data["commitments"]:
            title = f"{row['party']}: {row['title']}"
            found.setdefault(title, {})[month] = f"{_attained(row)} {_kept(row['kept'])}"
    width = max(map(len, found))
    cells = [[cells.get(month, "") for month in range(len(cards))] for cells in found.values()]
    heads = [f"{card.data['period']['key']}" for card in cards]
    versions = [f"version {'+'.join(map(str, card.data['versions']))}" for card in cards]
    lines = [("", heads), ("", versions), *zip(found, cells, strict=True)]
    return [f"{title:<{width}}" + "".join(f"{cell:>12}" for cell in row) for title, row in lines]


def _attained(row: dict[str, Any]) -> str:
    if row["target_unit"] == "per month":
        return str(row["met"])
    return NOTHING if row["attainment"] is None else percent(row["attainment"], row["target"])


def _kept(kept: bool | None) -> str:
    return {True: "✓", False: "✗", None: " "}[kept]
