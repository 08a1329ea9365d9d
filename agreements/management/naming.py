"""Agreements as commands name them."""

from django.core.management.base import CommandError

from agreements.models import Agreement


def agreement_named(name: str) -> Agreement:
    """The agreement of that name, whatever its capitals."""
    found = Agreement.objects.filter(name__iexact=name.strip()).first()
    if found is None:
        known = ", ".join(f"“{one}”" for one in Agreement.objects.values_list("name", flat=True)) or "none yet"
        raise CommandError(f"There is no agreement “{name}”. There are: {known}.")
    return found
