"""`manage.py import_terms "DACH inbound" terms.json`."""

from pathlib import Path

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from agreements import exchange
from agreements.management.naming import agreement_named
from slaportal.refusal import Refused


class Command(BaseCommand):
    help = "Make a draft of an agreement from terms that were exported as JSON."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("agreement", help="its name")
        parser.add_argument("file", type=Path, help="the JSON file")

    def handle(self, *args: object, agreement: str, file: Path, **options: object) -> None:
        chosen = agreement_named(agreement)
        try:
            imported = exchange.import_draft(chosen, file.read_text(encoding="utf-8"), by=None, now=timezone.now())
        except UnicodeDecodeError:
            raise CommandError(f"{file} is not text in UTF-8. Save it so, then try again.") from None
        except OSError as problem:
            raise CommandError(f"{file} cannot be read: {problem.strerror}.") from None
        except Refused as problem:
            raise CommandError(str(problem)) from None
        version = imported.version
        said = f"Version {version.number} is a draft: {version.get_absolute_url()}"
        self.stdout.write("\n".join([said, *imported.remarks]))
