"""Who sends a notice: one worker at a time, for as long as its lease lasts, and the next one where it was killed."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.core import mail
from django.db import connection, transaction

from slaportal import delivery, outbox, tries
from slaportal.letters import Letter
from slaportal.models import Notice, User
from slaportal.paces import GATHER
from tests.conftest import MONDAY, make_user
from tests.slaportal import postal
from tests.slaportal.postal import (
    HOUR,
    MINUTE,
    SECONDS,
    SOON,
    Killed,
    broken,
    database_url,
    nonsense,
    plain,
    post,
    states,
    the,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("rings")]


def test_a_worker_killed_between_claim_and_sending_loses_nothing(max_, sofia, monkeypatch):
    post("proposed:7", max_, sofia)
    outbox.send_due(now=MONDAY)

    def kill(*args: object) -> None:
        raise Killed

    monkeypatch.setattr(delivery, "hand_over", kill)
    with pytest.raises(Killed):
        outbox.send_due(now=SOON)
    monkeypatch.undo()
    claimed = the(max_)
    assert claimed.claimed_until == the(sofia).claimed_until > SOON + outbox.LEASE - MINUTE
    post("proposed:8", max_, now=SOON, about=8)
    # What came since goes on at once, the claimed ones when their lease has ended; nobody waits for anybody.
    assert outbox.send_due(now=claimed.claimed_until - SECONDS) == 2
    assert outbox.send_due(now=claimed.claimed_until) == 2
    assert sorted(one.to[0] for one in mail.outbox) == ["max@example.com", "max@example.com", "sofia@example.com"]


def test_what_came_since_a_worker_was_killed_before_the_wire_goes_with_what_it_had(max_, monkeypatch):
    """Nothing of it can have arrived, so it may become another message."""
    for number in range(3):
        post(f"proposed:{number}", max_, about=number)
    with monkeypatch.context() as here:
        here.setattr(delivery.Round, "deliver", lambda *given: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            outbox.send_due(now=SOON)
    for number in range(3, 6):
        post(f"proposed:{number}", max_, now=SOON, about=number)
    outbox.send_due(now=SOON + outbox.LEASE + MINUTE)
    assert [one.subject for one in mail.outbox] == ["6 notices: 6 × agreements to sign, and their news"]


@pytest.mark.parametrize("many", [1, 3, 8])
def test_a_mail_that_may_have_been_sent_is_sent_again_under_the_same_number(max_, monkeypatch, many):
    """The server took it and the worker died before it could write that down; what came since is another mail."""
    for number in range(many):
        post(f"proposed:{number}", max_, about=number)
    outbox.send_due(now=MONDAY)
    real = tries.record

    def kill(rows_: list[Notice], **fields: object) -> int:
        if "sent_at" in fields:
            raise Killed
        return real(rows_, **fields)

    monkeypatch.setattr(tries, "record", kill)
    with pytest.raises(Killed):
        outbox.send_due(now=SOON)
    monkeypatch.undo()
    post("proposed:99", max_, now=SOON, about=99)
    outbox.send_due(now=SOON + outbox.LEASE + MINUTE)
    ids = [one.message()["Message-ID"] for one in mail.outbox]
    assert len(ids) == 3 and len(set(ids)) == 2 and ids[0] in ids[1:]
    assert set(states()) == {"sent"}


@pytest.mark.parametrize("meanwhile", [plain, nonsense])
def test_a_worker_that_wakes_after_its_lease_does_not_overwrite_what_another_recorded(max_, monkeypatch, meanwhile):
    post("proposed:7", max_, letter=broken)
    recorded: list[dict] = []

    def sleeps(notices: list[Notice]) -> list[Letter]:
        """While the first worker is in here, a second one finds the lease ended, and sends or fails."""
        monkeypatch.setattr(postal, "broken", meanwhile)
        outbox.send_due(now=SOON + outbox.LEASE + MINUTE)
        recorded.extend(Notice.objects.order_by("pk").values())
        raise ValueError

    monkeypatch.setattr(postal, "broken", sleeps)
    assert outbox.send_due(now=SOON) == 0
    assert the(max_).state == (Notice.State.SENT if meanwhile is plain else Notice.State.TRIED)
    assert list(Notice.objects.order_by("pk").values()) == recorded


def test_a_lease_that_ends_in_a_moment_still_holds(max_):
    """What gathers is taken a moment before its time, but never from a worker."""
    post("proposed:7", max_)
    outbox.send_due(now=MONDAY)
    lease = MONDAY + MINUTE
    Notice.objects.filter(channel="email").update(claimed_until=lease)
    post("proposed:8", max_, now=MONDAY, about=8)
    outbox.send_due(now=lease - SECONDS)
    assert [one.subject for one in mail.outbox] == ["Please sign version 8"]
    assert the(max_, key="proposed:7").claimed_until == lease


# --- Workers at the same time -------------------------------------------------------------------------------------


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_workers_that_sweep_in_the_same_instant_send_each_notice_once(desk, monkeypatch):
    monkeypatch.setattr(outbox, "ring", lambda: None)
    monkeypatch.setattr(outbox, "MOST_READERS", 3)  # so that there is something to do for each of them
    people = [make_user(f"person{number}@example.com") for number in range(24)]
    workers, shared = 4, 0
    for round_ in range(4):
        now = MONDAY + round_ * HOUR
        for number in range(3):
            post(f"event:{round_}-{number}", *people, now=now, about=number)
        barrier = Barrier(workers)

        def sweep(now=now, barrier=barrier) -> int:
            try:
                connection.ensure_connection()
                barrier.wait(timeout=30)
                return outbox.send_due(now=now + GATHER)
            finally:
                connection.close()

        with ThreadPoolExecutor(workers) as threads:
            counts = [future.result(timeout=60) for future in [threads.submit(sweep) for _ in range(workers)]]
        assert sum(counts) == 24 * 3 * 2
        shared += sum(count > 0 for count in counts) > 1
    assert shared  # or they did not sweep at the same time
    # One mail for each person and round: no two workers shared somebody's notices.
    assert len({one["Message-ID"] for one in desk.read()}) == len(desk.mails) == 24 * 4
    assert set(states()) == {"sent"}


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_a_reader_whom_another_worker_has_is_left_to_it(max_, sofia, monkeypatch):
    monkeypatch.setattr(outbox, "ring", lambda: None)
    post("proposed:7", max_, sofia)

    def claims() -> list[Notice]:
        try:
            return outbox.claim([max_.pk, sofia.pk], [], channels=["portal", "email"], now=SOON)
        finally:
            connection.close()

    with transaction.atomic(), ThreadPoolExecutor(1) as threads:
        User.objects.select_for_update(no_key=True).get(pk=max_.pk)
        taken = threads.submit(claims).result(timeout=30)
    assert {row.recipient for row in taken} == {sofia} and len(taken) == 2


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_after_a_sigkill_in_the_middle_of_a_mail_another_worker_sends_it_with_the_same_id(
    desk, max_, monkeypatch, settings, tmp_path
):
    monkeypatch.setattr(outbox, "ring", lambda: None)
    desk.silent = True
    User.objects.update(quiet_from=None)  # at whatever time of day this runs
    post("proposed:7", max_)
    environment = {**os.environ, "DATABASE_URL": database_url(), "EMAIL_URL": f"smtp://127.0.0.1:{desk.port}",
                   "VAR_DIR": str(tmp_path), "CELERY_BROKER_URL": "filesystem://"}  # fmt: skip
    process = subprocess.Popen([sys.executable, "manage.py", "outbox"], cwd=settings.BASE_DIR, env=environment)
    try:
        deadline = 60.0
        while not desk.mails and deadline > 0 and process.poll() is None:
            desk.over.wait(0.1)
            deadline -= 0.1
        assert len(desk.mails) == 1 and process.poll() is None
    finally:
        process.send_signal(signal.SIGKILL)
        assert process.wait(timeout=30) == -signal.SIGKILL
    claimed = the(max_)
    assert claimed.state == Notice.State.WAITING and claimed.claimed_until is not None
    desk.silent = False
    assert outbox.send_due(now=claimed.claimed_until - MINUTE) == 0
    assert outbox.send_due(now=claimed.claimed_until) == 1
    first, second = desk.read()
    assert first["Message-ID"] == second["Message-ID"]
