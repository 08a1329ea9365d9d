"""What the import commands have in common: their options, and how they report."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from tqdm import tqdm

from leads import mapping
from leads.csvfile import CsvError
from leads.imports import ImportResult, Options
from leads.mapping import MappingError
from slaportal.refusal import Refused

# Refused rows that are printed for people; `--json` has them all.
SHOWN = 50


class ImportCommand(BaseCommand):
    """A command that imports one file through a mapping; a subclass names the verb."""

    verb: ClassVar[Callable[..., ImportResult]]

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--map", type=Path, required=True, help="mapping file; docs/importing.md explains it")
        parser.add_argument("--dry-run", action="store_true", help="check the file and write nothing")
        parser.add_argument("--skip-invalid", action="store_true", help="write the good rows and report the others")
        parser.add_argument(
            "--time-zone", metavar="ZONE", help="read local times in this zone instead of the mapping's"
        )
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, *args: object, **given: Any) -> None:
        with tqdm(unit=" rows", disable=True if given["json"] else None) as bar:

            def progress(rows):
                for row in rows:
                    bar.update()
                    yield row

            options = Options(dry_run=given["dry_run"], skip_invalid=given["skip_invalid"], progress=progress)
            try:
                how = mapping.load(given["map"], time_zone=given["time_zone"])
                result = type(self).verb(given["file"], how, now=timezone.now(), options=options)
            except OSError as problem:
                raise CommandError(f"{given['file']} cannot be read: {problem.strerror}.") from problem
            except (CsvError, MappingError, Refused) as problem:
                raise CommandError(str(problem)) from problem
        if given["json"]:
            self.stdout.write(json.dumps(result.as_dict(), indent=2, ensure_ascii=False))
        else:
            self._report(result)
        if result.refused and not result.written and not given["dry_run"]:
            raise CommandError(
                f"Nothing was written, because {len(result.refused)} values were refused. Mend them, or import the "
                "good rows with --skip-invalid."
            )

    def _report(self, result: ImportResult) -> None:
        self.stdout.write(f"{result.rows} rows, {result.valid} of them good.")
        for title, counts in (("skipped", result.skipped), ("note", result.notes)):
            for reason, count in counts.most_common():
                self.stdout.write(f"  {title}: {count} × {reason}")
        for refusal in result.refused[:SHOWN]:
            where = f", column {refusal.column}: “{refusal.value}”" if refusal.column else ":"
            self.stdout.write(self.style.WARNING(f"  line {refusal.line}{where} {refusal.reason}"))
        if len(result.refused) > SHOWN:
            self.stdout.write(f"  … and {len(result.refused) - SHOWN} more; --json has them all.")
        if result.written:
            said = ", ".join(f"{count} {name}" for name, count in result.counts.items())
            self.stdout.write(self.style.SUCCESS(f"Written: {said}."))
        else:
            self.stdout.write("Nothing was written.")
