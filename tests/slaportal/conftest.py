"""A mail server, and the bell of the outbox, for the tests of this room."""

from collections.abc import Iterator

import pytest

from slaportal import outbox
from tests.slaportal.postal import Desk, server

RING = outbox.ring


@pytest.fixture
def rings(monkeypatch) -> None:
    """Here the worker is really called after a commit."""
    monkeypatch.setattr(outbox, "ring", RING)
    monkeypatch.setattr(outbox, "_no_broker_until", 0.0)


@pytest.fixture
def desk(settings) -> Iterator[Desk]:
    """A mail server to which this portal sends."""
    with server() as running:
        settings.EMAIL_BACKEND = "slaportal.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", running.port, 5
        yield running
