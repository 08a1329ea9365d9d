"""`manage.py outbox`: what the beat task does, without Celery; and letting notices leave again after a restore."""

from django.core.management.base import BaseCommand, CommandError, CommandParser

from slaportal import outbox, restored
from slaportal.models import Heartbeat
from slaportal.timing import database_now


class Command(BaseCommand):
    help = "Send every notice that is due; safe to run at any time and twice."

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--release", action="store_true", help="let notices leave again after a restore")
        what.add_argument("--hold", metavar="WHY", help="let nothing leave until it is released")
        parser.add_argument(
            "--cancel-waiting",
            action="store_true",
            help="with --release: cancel every mail and chat message that waits now, because it was sent before",
        )

    def handle(self, *args: object, release: bool, hold: str | None, cancel_waiting: bool, **options: object) -> None:
        if cancel_waiting and not release:
            raise CommandError("--cancel-waiting goes with --release.")
        now = database_now()
        if hold is not None:
            if not hold.strip():
                raise CommandError('Say why nothing shall leave: --hold "…".')
            restored.hold(hold.strip(), now=now)
            self._say("Held: nothing leaves until manage.py outbox --release.", options)
        elif release:
            count = restored.release(now=now, cancel_waiting=cancel_waiting)
            self._say(f"Released; {_notices(count)} cancelled.", options)
        else:
            count = outbox.send_due(now=now)
            Heartbeat.beat("notices", now=database_now())
            self._say(f"{_notices(count)} sent.", options)
            if wire := restored.held():
                since = f"{wire.held_at:%Y-%m-%d %H:%M} UTC"
                self._say(f"Held since {since}: no mail and no chat message leaves. {wire.held_why}", options)

    def _say(self, sentence: str, options: dict) -> None:
        if options["verbosity"]:
            self.stdout.write(sentence)


def _notices(count: int) -> str:
    return f"{count} notice{'s' * (count != 1)}"
