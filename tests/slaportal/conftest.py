"""A mail server for the tests of this room."""

from collections.abc import Iterator

import pytest

from tests.slaportal.postal import Desk, server


@pytest.fixture
def desk(settings) -> Iterator[Desk]:
    """A mail server to which this portal sends."""
    with server() as running:
        settings.EMAIL_BACKEND = "slaportal.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", running.port, 5
        yield running
