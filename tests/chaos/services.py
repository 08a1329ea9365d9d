"""What a run stands on, all of its own: a database for each scenario, a Redis, a mail server, the portal's processes.

Everything that is started here is in the list of its `Services` and is gone when they are left, however that happens.
"""

import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import psycopg
import redis
from psycopg import sql

ROOT = Path(__file__).resolve().parents[2]
CELERY_OPTIONS = ("--loglevel", "WARNING")
WORKER = ("worker", "--pool", "solo", "--without-gossip", "--without-mingle", *CELERY_OPTIONS)
BEAT = ("beat", "--pidfile", "", *CELERY_OPTIONS)
PATIENCE = 90.0  # seconds; a busy machine may be slow, and a scenario that hangs must end


class Stuck(Exception):
    """Something that was waited for did not happen."""


@dataclass(frozen=True)
class Mail:
    """A mail that the server accepted: when, under which id, for whom, and what it was about."""

    at: float
    id: str
    to: str
    subject: str


class Process:
    """A process of its own group; on standby it waits for `go`."""

    def __init__(self, name: str, command: list[str], environment: dict[str, str], log: Path) -> None:
        self.name = name
        self._log = log.open("ab")
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
            preexec_fn=die_with_parent,
        )

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    @property
    def was_killed(self) -> bool:
        """Whether SIGKILL ended it."""
        return self._process.poll() == -signal.SIGKILL

    def go(self) -> None:
        """Let a process that stands by begin."""
        self._process.stdin.write(b"go\n")
        self._process.stdin.flush()

    def kill(self) -> None:
        """SIGKILL to it and to all that it started."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process.stdin.close()
        self._log.close()

    def stop(self) -> None:
        """Ask it to end, and kill what does not."""
        if self.is_alive:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=15)
        self.kill()


class Services:
    """The services of one run. Scenarios are given a copy of the same scene, each in a database of its own."""

    def __init__(self, database_url: str) -> None:
        self._server = urlsplit(database_url)
        self._folder = Path(tempfile.mkdtemp(prefix="chaos_"))
        self._name = f"chaos_{os.getpid()}"
        self._databases: list[str] = []
        self._processes: list[Process] = []
        self.redis_port, self._mail_port = free_port(), free_port()
        self._mails = self._folder / "mails"
        self._read = 0
        self.is_clean = False
        self.orders = self._folder / "orders"
        self.database = ""

    def __enter__(self) -> Self:
        # This process is a host of the portal as well: `manage.py`, and whoever looks at what has become of it all.
        os.environ.update(self.environment())
        self.start_redis()
        self._sink = self.start("mail server", "-m", "tests.chaos.sink", str(self._mails), str(self._mail_port))
        wait_until(lambda: listens(self._mail_port), "the mail server to listen")
        return self

    def __exit__(self, kind: type | None, problem: BaseException | None, trace: TracebackType | None) -> None:
        # A second Ctrl-C must not leave anything behind.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        for process in reversed(self._processes):
            process.kill()
        with self._maintenance() as connection:
            for name in self._databases:
                connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        if self.is_clean:
            shutil.rmtree(self._folder)
        else:
            print(f"Logs are in {self._folder}.", file=sys.stderr)

    def environment(self, **more: str) -> dict[str, str]:
        """What the portal's processes run with."""
        return {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "slaportal.settings",
            "DATABASE_URL": self._server._replace(path=f"/{self.database or self._name}").geturl(),
            "CELERY_BROKER_URL": f"redis://127.0.0.1:{self.redis_port}/0",
            "EMAIL_URL": f"smtp://127.0.0.1:{self._mail_port}",
            "VAR_DIR": str(self._folder),
            "SECRET_KEY": "chaos" * 12,
            "LOG_LEVEL": "WARNING",
            **more,
        }

    # --- Databases ------------------------------------------------------------------------------------------------

    def create_database(self, *, like: str = "", suffix: str = "") -> str:
        """A fresh database, or a copy of another one; from now on everything runs on it."""
        name = f"{self._name}{suffix}"
        template = sql.SQL(" TEMPLATE {}").format(sql.Identifier(like)) if like else sql.SQL("")
        with self._maintenance() as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}{}").format(sql.Identifier(name), template))
        self._databases.append(name)
        self.database = name
        return name

    @contextmanager
    def _maintenance(self) -> Iterator[psycopg.Connection]:
        with psycopg.connect(self._server.geturl(), autocommit=True) as connection:
            yield connection

    # --- Redis ----------------------------------------------------------------------------------------------------

    def start_redis(self) -> None:
        """Redis without a memory: whoever stops it has lost what was in it."""
        if not shutil.which("redis-server"):
            raise SystemExit("The chaos scripts start and stop a Redis of their own: install redis-server.")
        options = {"port": self.redis_port, "bind": "127.0.0.1", "save": "", "appendonly": "no"}
        command = ["redis-server", *(word for name, value in options.items() for word in (f"--{name}", str(value)))]
        self._redis = self._keep(Process("redis", command, dict(os.environ), self._folder / "redis.log"))
        wait_until(lambda: listens(self.redis_port), "Redis to listen")

    def stop_redis(self) -> None:
        """Kill Redis."""
        self._redis.kill()
        self._processes.remove(self._redis)

    def flush_redis(self) -> None:
        """Forget every message."""
        redis.Redis(port=self.redis_port).flushall()

    # --- Processes ------------------------------------------------------------------------------------------------

    def worker(self, *options: str, name: str = "worker") -> Process:
        """A real worker; `options` are those of `tests.chaos.worker`."""
        return self.start(name, "-m", "tests.chaos.worker", *options, *WORKER, "--hostname", f"{name}@%h")

    def beat(self, *options: str, name: str = "beat") -> Process:
        """A real beat, with its schedule in the database."""
        return self.start(name, "-m", "tests.chaos.worker", *options, *BEAT)

    def start(self, name: str, *command: str) -> Process:
        log = self._folder / f"{name.replace(' ', '_')}.log"
        return self._keep(Process(name, [sys.executable, *command], self.environment(), log))

    def manage(self, *command: str) -> str:
        """Run `manage.py` to its end; returns what it said."""
        run = [sys.executable, "manage.py", *command]
        done = subprocess.run(run, cwd=ROOT, env=self.environment(), capture_output=True, text=True, timeout=PATIENCE)
        if done.returncode:
            raise Stuck(f"manage.py {' '.join(command)} failed: {done.stderr[-2000:]}")
        return done.stdout.strip()

    def stop(self, *processes: Process) -> None:
        """End these processes in order."""
        for process in processes:
            process.stop()
            self._processes.remove(process)

    def dismiss(self) -> None:
        """End every process of the portal."""
        self.stop(*(process for process in self._processes if process not in (self._redis, self._sink)))

    def _keep(self, process: Process) -> Process:
        self._processes.append(process)
        return process

    def log(self, name: str) -> str:
        """What processes of that name have said so far."""
        file = self._folder / f"{name}.log"
        return file.read_text(errors="replace") if file.exists() else ""

    # --- Mail -----------------------------------------------------------------------------------------------------

    def new_mails(self) -> list[Mail]:
        """What the server accepted since this was asked last."""
        if not self._mails.exists():
            return []
        with self._mails.open("rb") as file:
            file.seek(self._read)
            whole = file.read().rpartition(b"\n")[0]
        self._read += len(whole) + bool(whole)
        rows = [json.loads(line) for line in whole.splitlines()]
        return [Mail(row["at"], row["id"], row["to"][0], row["subject"]) for row in rows]


def die_with_parent() -> None:
    """Let the kernel kill this process when the one that started it is gone, however that went."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def free_port() -> int:
    """A port of this machine that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listens(port: int) -> bool:
    """Whether somebody answers on a port."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def wait_until(done: Callable[[], bool], what: str, *, patience: float = PATIENCE, pause: float = 0.05) -> float:
    """Wait for something; returns how many seconds it took, and raises `Stuck` when it takes too long."""
    begun = time.monotonic()
    while not done():
        if time.monotonic() - begun > patience:
            raise Stuck(f"waited {patience:.0f} s in vain for {what}")
        time.sleep(pause)
    return time.monotonic() - begun
