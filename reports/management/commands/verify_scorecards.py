"""`manage.py verify_scorecards`: whether sealed scorecards are what was sealed, and what the facts of then say."""

from django.core.management.base import BaseCommand, CommandError, CommandParser

from agreements.models import Agreement
from leads.periods import parse
from reports import verification
from reports.seals import Seal


class Command(BaseCommand):
    help = (
        "Compute every sealed scorecard again from the facts as they were known at its sealing, and name what is "
        "otherwise with its cause. Leads that no agreement covers are taken as they were sealed: when each came and "
        "went is not kept. Exits 1 when something is otherwise."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("agreement", nargs="?", help="its name; without it, all of them")
        parser.add_argument("--period", help="a month, such as 2026-03; without it, every sealed one")

    def handle(self, *args: object, agreement: str | None, period: str | None, **options: object) -> None:
        agreements = Agreement.objects.order_by("name")
        if agreement:
            agreements = agreements.filter(name=agreement)
            if not agreements:
                raise CommandError(f"There is no agreement “{agreement}”.")
        seals = Seal.objects.filter(agreement__in=agreements).order_by("agreement__name", "key", "number")
        if period:
            try:
                seals = seals.filter(key=parse(period).key)
            except ValueError as problem:
                raise CommandError(str(problem)) from problem
        broken = 0
        for one in agreements:
            for misfit in verification.of_chain(one):
                broken += 1
                self.stdout.write(self.style.ERROR(f"{one}: {verification.CHAIN}: {misfit}"))
        count = 0
        for seal in seals.select_related("agreement").iterator(chunk_size=5):
            count += 1
            findings = verification.verify(seal)
            broken += bool(findings)
            for finding in findings:
                self.stdout.write(self.style.ERROR(str(finding)))
            if not findings and options["verbosity"]:
                self.stdout.write(f"{seal}: fits, sealed {seal.sealed_at:%Y-%m-%d %H:%M} UTC, SHA-256 {seal.digest}")
        if broken:
            raise CommandError("What was sealed is not what the facts of then say; see above.")
        if options["verbosity"]:
            said = f"All of {count} sealed scorecards fit." if count else "Nothing is sealed yet."
            self.stdout.write(self.style.SUCCESS(said))
