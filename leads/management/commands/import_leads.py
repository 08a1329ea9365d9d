"""`manage.py import_leads FILE --map MAP.toml`."""

from leads.imports import import_leads
from leads.management.importing import ImportCommand


class Command(ImportCommand):
    help = "Import leads, with their dispositions and outcomes, from another system's CSV export."
    verb = import_leads
