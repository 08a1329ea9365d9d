"""`manage.py import_attempts FILE --map MAP.toml`."""

from leads.imports import import_attempts
from leads.management.importing import ImportCommand


class Command(ImportCommand):
    help = "Import attempts (calls, mails) from another system's CSV export."
    verb = import_attempts
