"""`manage.py verify_agreements`: whether everything that was agreed is still what was agreed."""

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from agreements import chain, frozen
from agreements.models import Agreement


class Command(BaseCommand):
    help = (
        "Recompute every agreement's frozen terms, signatures and event chain; name the first row that does not fit. "
        "Exits 1 when one does not."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("agreement", nargs="?", help="its name; without it, all of them")
        parser.add_argument(
            "--head", help="a head that was printed on a document or sent in a notice: is it still there?"
        )
        parser.add_argument("--all", action="store_true", help="name every row that does not fit, not only the first")

    def handle(self, *args: object, agreement: str | None, head: str | None, all: bool, **options: object) -> None:
        agreements = Agreement.objects.order_by("name")
        if agreement:
            agreements = agreements.filter(name=agreement)
            if not agreements:
                raise CommandError(f"There is no agreement “{agreement}”.")
        broken = 0
        for one in agreements:
            misfits = chain.verify(one)
            for misfit in misfits if all else misfits[:1]:
                self.stdout.write(self.style.ERROR(f"{one}: {misfit}"))
            broken += bool(misfits)
            if not misfits and options["verbosity"]:
                last = one.events.last()
                self.stdout.write(f"{one}: {last.number} events fit, head {last.mac}" if last else f"{one}: no events")
        if missing := frozen.missing(connection):
            self.stdout.write(self.style.ERROR(f"Frozen rows are not guarded: {', '.join(missing)}. Run migrate."))
        if head is not None and not chain.holds(head, agreements):
            raise CommandError(f"No event has the head {head}: what was printed or sent with it is no longer there.")
        if missing:
            raise CommandError("The triggers on frozen rows are missing or changed.")
        if broken:
            raise CommandError(f"{broken} of {len(agreements)} agreements are not what was agreed.")
        if options["verbosity"]:
            self.stdout.write(self.style.SUCCESS(f"All of {len(agreements)} agreements fit."))
