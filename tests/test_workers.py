"""Real worker processes on PostgreSQL and a real broker: they see committed data, in a database, a Redis number and a
queue of their own for each process that runs tests.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote, urlsplit
from uuid import uuid4

import pytest
from celery import Task
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone
from django_celery_beat.models import PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler

from leads import clocks, timekeeping, tracking
from leads import tasks as of_leads
from leads.models import Clock, Handoff
from reports import tasks as of_reports
from reports.models import Scorecard
from slaportal.celery import app
from slaportal.models import Heartbeat
from tests.conftest import MONDAY, receive

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]

PATIENCE = 60  # seconds; a worker starts in three, on a busy machine in ten


def database_url() -> str:
    """The address of the database in which this test stands."""
    given = connection.settings_dict
    person = quote(given["USER"]) + (f":{quote(given['PASSWORD'])}" if given["PASSWORD"] else "")
    return f"postgres://{person}@{given['HOST']}:{given['PORT'] or 5432}/{given['NAME']}"


def own_broker() -> str:
    """The broker's address; on Redis with a number of its own for each process that runs tests."""
    number = 1 + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    url = urlsplit(settings.CELERY_BROKER_URL)
    return url._replace(path=f"/{number}").geturl() if url.scheme.startswith("redis") else url.geturl()


@dataclass(frozen=True)
class Works:
    """A queue of its own, and how to start workers on it."""

    queue: str
    broker: str
    folder: Path

    def send(self, task: Task, *arguments: int) -> None:
        """Send a task through the broker, as beat and the portal do."""
        with app.connection_for_write(self.broker) as wire:
            task.apply_async(arguments, queue=self.queue, connection=wire)

    @contextmanager
    def worker(self) -> Iterator[subprocess.Popen]:
        """A running worker; afterwards it and everything that it started is gone."""
        environment = {**os.environ, "DATABASE_URL": database_url(), "CELERY_BROKER_URL": self.broker,
                       "CELERY_QUEUE": self.queue, "VAR_DIR": str(self.folder)}  # fmt: skip
        command = [sys.executable, "-m", "celery", "-A", "slaportal", "worker", "--pool", "solo", "--without-gossip",
                   "--without-mingle", "--loglevel", "WARNING"]  # fmt: skip
        with self.log.open("a") as log:
            process = subprocess.Popen(
                command, cwd=settings.BASE_DIR, env=environment, stdout=log, stderr=log, start_new_session=True
            )
        try:
            yield process
            if process.poll() is None:
                process.terminate()
                # One that has just begun knows no better than to die of it.
                assert process.wait(timeout=PATIENCE) in (0, -signal.SIGTERM), self.log.read_text()
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        with pytest.raises(ProcessLookupError):
            os.killpg(process.pid, 0)

    @property
    def log(self) -> Path:
        return self.folder / "worker.log"

    def wait_until(self, done: Callable[[], bool], process: subprocess.Popen) -> None:
        """Wait for what a worker shall have done; fails with its log when it stops or takes too long."""
        deadline = time.monotonic() + PATIENCE
        while not done():
            assert process.poll() is None, f"The worker stopped: {self.log.read_text()}"
            assert time.monotonic() < deadline, f"Nothing happened: {self.log.read_text()}"
            time.sleep(0.1)


@pytest.fixture
def works(tmp_path) -> Iterator[Works]:
    """Tasks go through the real broker instead of being called in this process."""
    app.conf.task_always_eager = False
    made = Works(queue=f"test-{uuid4().hex[:12]}", broker=own_broker(), folder=tmp_path)
    yield made
    with app.connection_for_write(made.broker) as wire, wire.channel() as channel:
        channel.queue_delete(made.queue)
        if wire.transport.driver_type == "redis":
            forget(channel.client, made.queue)


def forget(redis, queue: str) -> None:
    """Remove what Redis still knows of a queue: its bindings, and what a killed worker had taken from it."""
    for key in redis.scan_iter(f"_kombu.*.{queue}"):
        redis.delete(key)
    for tag, message in redis.hgetall("unacked").items():
        if queue.encode() in message:
            redis.hdel("unacked", tag)
            redis.zrem("unacked_index", tag)


def test_what_beat_sends_expires_so_that_nothing_piles_up_while_no_worker_is_there():
    DatabaseScheduler(app=app, lazy=True).setup_schedule()  # as beat does when it starts
    for name, entry in settings.CELERY_BEAT_SCHEDULE.items():
        row = PeriodicTask.objects.get(name=name)
        assert settings.MOST_SKEW < row.expire_seconds < settings.MOST_SKEW + entry["schedule"]


def stored() -> list[tuple]:
    fields = ("handoff", "commitment__code", "state", "rule", "due_at", "stopped_at", "elapsed_seconds")
    return sorted(Clock.objects.values_list(*fields), key=str)


@pytest.fixture
def handoffs(version, ron, ruth) -> list[Handoff]:
    """Three handoffs of March 2025, of which the first was answered in time."""
    begun = receive("A", "B", "C")
    attempt = tracking.NewAttempt(lead=begun[0].lead, at=MONDAY + timedelta(hours=1))
    tracking.log_attempts([attempt], by=ron, now=MONDAY + timedelta(hours=1))
    return begun


def test_a_worker_evaluates_a_range_as_this_process_does(works, handoffs):
    timekeeping.evaluate_all(now=timezone.now())
    expected = stored()
    assert {state for _, code, state, *_ in expected if code == "first-response"} == {clocks.MET, clocks.MISSED}
    Clock.objects.all().delete()
    with works.worker() as worker:
        works.send(of_leads.evaluate_range, handoffs[0].pk, handoffs[1].pk)
        works.wait_until(lambda: Clock.objects.count() == 2 * len(expected) // 3, worker)
        assert stored() == [row for row in expected if row[0] != handoffs[2].pk]
        # One task that sends the others, through the same broker.
        works.send(of_leads.evaluate_everything)
        works.wait_until(lambda: stored() == expected, worker)


def test_a_worker_ticks_and_computes_scorecards(works, handoffs):
    waiting = Clock.objects.filter(handoff__in=handoffs[1:], commitment__code="first-response")
    assert set(waiting.values_list("state", flat=True)) == {clocks.OPEN}
    with works.worker() as worker:
        works.send(of_leads.tick)
        works.wait_until(lambda: set(waiting.values_list("state", flat=True)) == {clocks.MISSED}, worker)
        lately = timezone.now() - timedelta(minutes=2)
        works.wait_until(Heartbeat.objects.filter(name="tick", at__gt=lately).exists, worker)
        works.send(of_reports.refresh_scorecards)
        works.wait_until(Scorecard.objects.exists, worker)


def test_two_workers_share_the_work_of_one_queue(works, handoffs):
    expected = {handoff.pk for handoff in handoffs}
    Clock.objects.all().delete()
    with works.worker() as first, works.worker() as second:
        for handoff in handoffs:
            works.send(of_leads.evaluate_range, handoff.pk, handoff.pk)
        works.wait_until(lambda: set(Clock.objects.values_list("handoff", flat=True)) == expected, first)
        assert second.poll() is None


def somebody_waits_for_us() -> bool:
    """Whether another connection waits for a lock that this one holds."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))")
        return cursor.fetchone()[0] > 0


def test_after_a_worker_was_killed_in_the_middle_nothing_is_half_done_and_a_new_one_finishes(works, handoffs):
    timekeeping.evaluate_all(now=timezone.now())
    expected = stored()
    Clock.objects.all().delete()
    with works.worker() as killed:
        with transaction.atomic():
            Handoff.objects.select_for_update().get(pk=handoffs[2].pk)
            works.send(of_leads.evaluate_range, handoffs[0].pk, handoffs[2].pk)
            works.wait_until(somebody_waits_for_us, killed)
            killed.kill()
            assert killed.wait(timeout=PATIENCE) == -signal.SIGKILL
        assert not Clock.objects.exists()
    # Nobody works now: what beat sends meanwhile waits in the queue.
    works.send(of_leads.evaluate_everything)
    with works.worker() as new:
        works.wait_until(lambda: stored() == expected, new)
