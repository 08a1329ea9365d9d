"""`manage.py export_terms "DACH inbound" --version 2 > terms.json`."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from agreements import exchange
from agreements.management.naming import agreement_named


class Command(BaseCommand):
    help = "Print the terms of a version as JSON, which import_terms reads."

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        # Here `--version` is the agreement's and not Django's.
        return super().create_parser(prog_name, subcommand, conflict_handler="resolve", **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("agreement", help="its name")
        parser.add_argument("--version", type=int, help="number of the version; the newest where it is left out")

    def handle(self, *args: object, agreement: str, version: int | None = None, **options: object) -> None:
        versions = agreement_named(agreement).versions.order_by("-number")
        chosen = versions.filter(number=version).first() if version is not None else versions.first()
        if chosen is None:
            numbers = ", ".join(str(number) for number in versions.values_list("number", flat=True)) or "none yet"
            raise CommandError(f"“{agreement}” has no such version. There are: {numbers}.")
        self.stdout.write(exchange.export(chosen, now=timezone.now()))
