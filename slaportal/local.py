"""What a machine makes once and keeps for itself, in the folder of everything that the program writes by itself."""

import os
from contextlib import suppress
from pathlib import Path

from django.core.management.utils import get_random_secret_key


def local_key(file: Path) -> str:
    """A random key that is made once and stays in its file."""
    if not file.exists():
        # Whole or not at all, and the first one wins: two processes may start in the same instant.
        fresh = file.with_name(f"{file.name}.{os.getpid()}")
        fresh.touch(mode=0o600)
        fresh.write_text(get_random_secret_key() + get_random_secret_key())
        with suppress(FileExistsError):
            os.link(fresh, file)
        fresh.unlink()
    return file.read_text()
