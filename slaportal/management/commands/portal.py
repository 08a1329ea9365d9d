"""`manage.py portal`: the whole portal in the foreground, for one machine and for trying it out."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

# How long a part may take to finish its work before it is killed.
PATIENCE = 15.0


class Command(BaseCommand):
    help = "Migrate, load the demo into an empty database, and run web, worker and beat until Ctrl-C or SIGTERM."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--empty", action="store_true", help="do not load the demo into an empty database")

    def handle(self, *args: object, host: str, port: int, empty: bool, **options: object) -> None:
        refuse_taken(host, port)
        signal.signal(signal.SIGTERM, stop_on_signal)
        parts: dict[str, subprocess.Popen] = {}
        try:
            prepare(with_demo=not empty)
            self.stdout.write(self.style.SUCCESS(f"SLA Portal: http://{host}:{port}/   (Ctrl-C stops it)"))
            self.stdout.flush()
            for name, command in commands(host, port).items():
                # A session of its own: Ctrl-C reaches only this process, which then stops the parts in order.
                parts[name] = subprocess.Popen(  # noqa: S603 (our own words)
                    command, start_new_session=True, env=environment(host, port)
                )
            failed = wait_for_first(parts)
        except KeyboardInterrupt:
            failed = None
        finally:
            # A second Ctrl-C must not leave a part behind.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            stop(parts)
        if failed:
            raise CommandError(f"The {failed} stopped by itself, so everything was stopped. See its last lines above.")
        self.stdout.write("Stopped.")


def prepare(*, with_demo: bool) -> None:
    """Bring the database up to date, tell the demo in an empty one, and sweep once so that the start is healthy."""
    call_command("migrate", verbosity=0)
    if not settings.DEBUG:
        call_command("collectstatic", interactive=False, verbosity=0)
    # The demo's passphrase is public, so it never goes into a portal at work.
    if settings.DEBUG and with_demo:
        call_command("demo", if_empty=True)
    call_command("tick", verbosity=0)


def commands(host: str, port: int) -> dict[str, list[str]]:
    """What runs: beat sits in the worker only on the filesystem broker, where there is just one worker."""
    celery = [sys.executable, "-m", "celery", "--quiet", "-A", "slaportal"]
    level = ["--loglevel", "WARNING"]
    web = [
        sys.executable,
        "-m",
        "gunicorn",
        "slaportal.wsgi",
        "--bind",
        f"{host}:{port}",
        "--threads",
        "8",
        "--keep-alive",
        "75",
    ]
    worker = [*celery, "worker", "--pool", "solo", "--without-gossip", "--without-mingle", *level]
    parts = {"web server": [*web, "--workers", "1", "--log-level", "warning"], "worker": worker}
    if settings.CELERY_BROKER_URL.startswith("filesystem"):
        worker.append("--beat")
    else:
        parts["beat"] = [*celery, "beat", "--pidfile", "", *level]
    return parts


def environment(host: str, port: int) -> dict[str, str]:
    """What the parts run with: where nobody said where the portal is reached, mails link to where it listens."""
    here = {} if settings.PORTAL_URL != settings.LOCAL_URL else {"PORTAL_URL": f"http://{host}:{port}"}
    return {**os.environ, **here}


def refuse_taken(host: str, port: int) -> None:
    """Say at once that the address is in use, not after the demo was loaded."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OverflowError:
            raise CommandError(f"{port} is no port; use one up to 65535.") from None
        except OSError as problem:
            raise CommandError(f"Cannot listen on {host}:{port}: {problem.strerror}. Try --port or PORT=….") from None


def stop_on_signal(number: int, frame: object) -> None:
    """SIGTERM stops the portal as Ctrl-C does."""
    raise KeyboardInterrupt


def wait_for_first(parts: dict[str, subprocess.Popen]) -> str:
    """Wait until a part ends, which none should; returns its name."""
    while True:
        for name, part in parts.items():
            if part.poll() is not None:
                return name
        time.sleep(0.2)


def stop(parts: dict[str, subprocess.Popen]) -> None:
    """Ask every part to finish, wait, and kill what is left of its process group."""
    for part in parts.values():
        if part.poll() is None:
            part.terminate()
    deadline = time.monotonic() + PATIENCE
    for part in parts.values():
        with contextlib.suppress(subprocess.TimeoutExpired):
            part.wait(timeout=max(deadline - time.monotonic(), 0.1))
        with contextlib.suppress(ProcessLookupError):
            os.killpg(part.pid, signal.SIGKILL)
        part.wait()
