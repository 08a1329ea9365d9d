"""`manage.py scorecard`: one agreement over one period, computed now, as a table or as JSON."""

import json
from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from agreements.models import Agreement
from leads.periods import FORMS, MONTH, Period, parse
from reports import scorecards
from slaportal.refusal import Refused
from slaportal.templatetags.display import duration, percent

HEADS = ("promise", "met", "missed", "open", "excluded", "attained", "target", "kept", "median", "p90", "not stopped")
NOTHING = "–"


class Command(BaseCommand):
    """Prints what the scorecard page would say after *compute now*; stores nothing."""

    help = "Print the scorecard of an agreement over a period, computed now."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("agreement", help="its name")
        parser.add_argument("--period", help=f"{FORMS}; the running month where it is left out")
        parser.add_argument(
            "--by",
            action="append",
            default=[],
            help=f"break down by {', '.join(scorecards.DIMENSIONS)}; may be repeated, or several with commas",
        )
        parser.add_argument("--json", action="store_true", help="as one JSON object")

    def handle(self, *, agreement: str, period: str | None, by: list[str], **options: Any) -> None:
        now = timezone.now()
        chosen = find(agreement)
        names = tuple(dict.fromkeys(name.strip() for part in by for name in part.split(",") if name.strip()))
        try:
            asked = parse(period) if period else Period.current(MONTH, now, chosen.zone)
            data = scorecards.compute(chosen, asked, now=now, by=names)
        except (ValueError, Refused) as problem:
            raise CommandError(str(problem)) from problem
        if options["json"]:
            self.stdout.write(json.dumps(data, indent=2, ensure_ascii=False))
        else:
            self.stdout.write("\n".join(table(data)))


def find(name: str) -> Agreement:
    """The agreement of that name, whatever its capitals."""
    found = Agreement.objects.filter(name__iexact=name.strip()).first()
    if found is None:
        names = ", ".join(f"“{known}”" for known in Agreement.objects.values_list("name", flat=True))
        raise CommandError(f"There is no agreement “{name}”. " + (f"There are {names}." if names else "There is none."))
    return found


def table(data: dict[str, Any]) -> list[str]:
    """The scorecard as lines of text."""
    versions = ", ".join(str(number) for number in data["versions"]) or "none in force"
    rows = [HEADS]
    for row in data["commitments"]:
        title = f"{row['title']} (version {row['version']})" if len(data["versions"]) > 1 else row["title"]
        rows.append((f"{row['party']}: {title}", *_counts(row), *_verdict(row)))
        for dimension, groups in row["by"].items():
            rows += [(f"  {dimension} {group['value'] or 'none'}", *_counts(group)) for group in groups]
    counts = " · ".join(f"{name} {value:,.10g}" for name, value in data["outcomes"].items())
    return [
        f"{data['agreement']} · {data['period']['label']} · version {versions}",
        f"{data['handoffs']} handoffs; beside them {data['unmatched']} leads that no agreement covers",
        "",
        *_aligned(rows),
        "",
        f"Outcomes: {counts}",
    ]


def _counts(row: dict[str, Any]) -> tuple[str, ...]:
    is_known = row["attainment"] is not None
    attained = (
        "too few" if row.get("too_few") else percent(row["attainment"], row.get("target")) if is_known else NOTHING
    )
    return (*(str(row[name]) for name in ("met", "missed", "open", "excluded")), attained)


def _verdict(row: dict[str, Any]) -> tuple[str, ...]:
    owed = row["expected"] if row["target_unit"] == "per month" else row["target"]
    target = NOTHING if owed is None else f"{owed:.4g}" if row["target_unit"] == "per month" else percent(owed)
    spans = (NOTHING if span is None else duration(span) for span in (row["median_seconds"], row["p90_seconds"]))
    return (target, {True: "yes", False: "no", None: NOTHING}[row["kept"]], *spans, str(row["unstopped"]))


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Cells as columns: the first from the left, figures from the right."""
    widths = [max(len(row[n]) for row in rows if n < len(row)) for n in range(len(HEADS))]
    return [
        "  ".join([row[0].ljust(widths[0]), *(cell.rjust(widths[n]) for n, cell in enumerate(row[1:], 1))]).rstrip()
        for row in rows
    ]
