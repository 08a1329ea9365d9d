"""What the import commands have in common: their options, and how they report."""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.template.defaultfilters import pluralize
from django.utils import timezone
from tqdm import tqdm

from leads.csvfile import CsvError, Refusal
from leads.imports import ImportResult, Options
from leads.mapping import MappingError
from slaportal.refusal import Refused

# Refused values that are printed for people; `--json` has them all.
SHOWN = 50
# Characters of a refused value that are printed.
SHORT = 80
# What counts are called when there is one.
ONE = {"handoffs": "handoff", "dispositions": "disposition", "outcomes": "outcome", "people": "person"}


class ImportCommand(BaseCommand):
    """A command that imports one file through a mapping; a subclass names the verb."""

    verb: ClassVar[Callable[..., ImportResult]]

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="the CSV file")
        parser.add_argument("--map", type=Path, required=True, help="mapping file; docs/importing.md explains it")
        parser.add_argument("--dry-run", action="store_true", help="say what would happen and write nothing")
        parser.add_argument("--skip-invalid", action="store_true", help="write the good rows and report the others")
        parser.add_argument(
            "--time-zone", metavar="ZONE", help="read local times in this zone instead of the mapping's"
        )
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, *args: object, **given: Any) -> None:
        progress = iter if given["json"] else lambda rows: with_progress(given["file"], rows)
        options = Options(dry_run=given["dry_run"], skip_invalid=given["skip_invalid"], progress=progress)
        try:
            result = type(self).verb(
                given["file"], given["map"], now=timezone.now(), time_zone=given["time_zone"], options=options
            )
        except (CsvError, MappingError, Refused) as problem:
            raise CommandError(str(problem)) from problem
        if given["json"]:
            self.stdout.write(json.dumps(result.as_dict(), indent=2, ensure_ascii=False))
        else:
            self.stdout.write("\n".join(report(result)))
        if result.refused and not given["skip_invalid"]:
            raise CommandError("Nothing was written. Mend these rows, or import the others with --skip-invalid.")


def with_progress(path: Path, rows: Iterable) -> Iterator:
    """The rows, with a bar on a terminal: a line of the file is about a row."""
    with path.open("rb") as file:
        lines = sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))
    yield from tqdm(rows, desc="Checking", total=lines, unit=" rows", disable=None)


def report(result: ImportResult) -> list[str]:
    """The result in lines for people."""
    refused = len({refusal.line for refusal in result.refused})
    rows = f"{result.rows} row{pluralize(result.rows)}"
    lines = [f"{rows}: {result.valid} good, {refused} refused, {result.skipped.total()} skipped."]
    for title, counts in (("skipped", result.skipped), ("noted", result.notes)):
        lines += [f"  {title} {count} ×: {sentence}" for sentence, count in counts.most_common()]
    lines += [f"  {refusal_in_words(refusal)}" for refusal in result.refused[:SHOWN]]
    if len(result.refused) > SHOWN:
        lines.append(f"  … and {len(result.refused) - SHOWN} more; --json has them all.")
    if result.counts:
        counts = ", ".join(
            f"{count} {ONE.get(name, name) if count == 1 else name}" for name, count in result.counts.items() if count
        )
        lines.append(f"{'Written' if result.written else 'Would be written'}: {counts or 'nothing'}.")
    return lines


def refusal_in_words(refusal: Refusal) -> str:
    """Line, column, value (its beginning, where it is long) and reason in one sentence."""
    value = refusal.value if len(refusal.value) <= SHORT else f"{refusal.value[: SHORT - 1]}…"
    cell = f"{refusal.column} “{value}” " if refusal.column else ""
    return f"line {refusal.line}: {cell}{refusal.reason}"
