"""The `--now` of management commands."""

from datetime import datetime

from django.core.management.base import CommandError
from django.utils import timezone


def moment(text: str | None) -> datetime:
    """An ISO moment with its zone, or the present one."""
    if not text:
        return timezone.now()
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(f"“{text}” is not a moment; write 2025-03-03T09:00Z.") from None
    if found.tzinfo is None:
        raise CommandError(f"“{text}” names no time zone; write 2025-03-03T09:00Z.")
    return found
