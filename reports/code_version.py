"""Which code decides the figures: a hash of its source, by which a sealed month tells what judged it."""

import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path

# What has a say in a figure. Pages, letters and forms have none.
DECIDING = (
    "agreements.business_time",
    "agreements.calendars",
    "agreements.catalogue",
    "agreements.criteria",
    "agreements.models",
    "agreements.terms",
    "leads.as_known",
    "leads.clock_rows",
    "leads.clocks",
    "leads.delays",
    "leads.exclusions",
    "leads.facts",
    "leads.filters",
    "leads.fingerprints",
    "leads.history",
    "leads.periods",
    "leads.rules",
    "leads.stages",
    "leads.timekeeping",
    "reports.beside",
    "reports.cohorts",
    "reports.counting",
    "reports.delays",
    "reports.drawn",
    "reports.histogram",
    "reports.intervals",
    "reports.outcomes",
    "reports.scorecards",
    "reports.sums",
    "reports.values",
    "reports.volume",
)


@cache
def of_figures() -> str:
    """SHA-256 over the sources of the modules that decide."""
    found = hashlib.sha256()
    for name in DECIDING:
        found.update(name.encode() + b"\0" + Path(find_spec(name).origin).read_bytes() + b"\0")
    return found.hexdigest()
