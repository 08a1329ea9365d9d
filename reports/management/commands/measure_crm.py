"""`manage.py measure_crm DIR`: the export of a school's CRM, measured and compared with the CRM's own figures."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, process_time
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from leads.csvfile import CsvError
from leads.mapping import MappingError
from reports import measurement
from slaportal.refusal import Refused
from slaportal.templatetags.display import duration


class Command(BaseCommand):
    """Sets up an agreement with three promises in an empty database, imports the export, prints what comes of it."""

    help = "Measure the export of a school's CRM, compare it with the CRM's own figures, and explain each difference."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, help="with deals.csv, calls.csv and contacts.csv")
        parser.add_argument("--time-zone", metavar="ZONE", default="UTC", help="of the files' local times; default UTC")
        parser.add_argument("--json", action="store_true", help="as one JSON object")

    def handle(self, *, folder: Path, time_zone: str, **options: Any) -> None:
        if time_zone not in available_timezones():
            raise CommandError(f"“{time_zone}” is not a time zone; write one such as Europe/Berlin.")
        seconds: dict[str, dict[str, float]] = {}

        @contextmanager
        def step(name: str) -> Iterator[None]:
            clock, cpu = perf_counter(), process_time()
            yield
            seconds[name] = {"clock": round(perf_counter() - clock, 1), "cpu": round(process_time() - cpu, 1)}
            if not options["json"]:
                self.stdout.write("{:<28}{clock:6.1f} s (CPU {cpu:.1f} s)".format(name, **seconds[name]))

        call_command("migrate", verbosity=0)
        try:
            measured = measurement.measure(folder, ZoneInfo(time_zone), now=timezone.now(), step=step)
        except (CsvError, MappingError, Refused) as problem:
            raise CommandError(str(problem)) from problem
        if options["json"]:
            self.stdout.write(json.dumps({"seconds": seconds, **measured}, indent=2, ensure_ascii=False))
        else:
            self.stdout.write("\n".join([*imported(measured), *against_crm(measured), *scorecard(measured)]))


def imported(measured: Mapping[str, Any]) -> Iterator[str]:
    """What came of each file."""
    for name, result in measured["imported"].items():
        if result is None:
            yield f"\n{name}: imported before"
            continue
        counts = ", ".join(f"{count:,} {what}" for what, count in result["counts"].items() if count)
        yield f"\n{name}: {result['rows']:,} rows, {result['valid']:,} good; {counts}"
        yield from (f"  skipped {count:,} ×: {why}" for why, count in result["skipped"].items())
        yield from (f"  noted {count:,} ×: {what}" for what, count in result["notes"].items())


def against_crm(measured: Mapping[str, Any]) -> Iterator[str]:
    """How ours and the CRM's figures agree, why the others differ, and what another zone would change."""
    crm = measured["against_crm"]
    yield f"\nFirst response against the CRM's own column SLA, read in {measured['time_zone']}"
    yield f"  {crm['both']:,} deals have both; {crm['agree']:,} agree within 60 s: {crm['share']:.2%}"
    yield f"  {crm['differ']:,} differ; in {crm['crm_shorter']:,} of them the CRM's time is the shorter one"
    for cause in crm["causes"]:
        if cause["deals"]:
            yield f"  {cause['deals']:7,}  {cause['code']:<18} {cause['sentence']}"
    yield f"  {sum(cause['deals'] for cause in crm['causes']):7,}  together"
    yield f"  {crm['only_crm']:,} deals have only the CRM's time, {crm['only_ours']:,} only ours"
    other = crm["read_in"]
    points = 100 * (other["share"] - crm["share"])
    yield f"\nRead in {other['time_zone']} instead"
    yield f"  {other['agree']:,} agree: {other['share']:.2%}, {points:+.2f} points; {other['agree_anew']:,} agree anew"
    yield f"  {other['agree_no_longer']:,} agree no longer"
    for change, deals in other["changed_by_seconds"].items():
        yield f"  {deals:7,}  became {duration(abs(change))} {'longer' if change > 0 else 'shorter'}"
    these = "exactly these" if other["exactly_these"] else "not the same"
    yield f"  {other['agreeing_spans_over_a_clock_change']:,} agreeing spans cross a change of the clocks: {these}"


def scorecard(measured: Mapping[str, Any]) -> Iterator[str]:
    """The promises side by side, and how many handoffs their break-downs count."""
    card = measured["scorecard"]
    yield f"\n{card['handoffs']:,} handoffs with {card['clocks']:,} clocks, {card['period']}"
    heads = ("met", "missed", "open", "excluded", "attained", "median", "p90")
    yield f"  {'':<46}" + "".join(f"{head:>10}" for head in heads)
    for row in card["commitments"]:
        counts = "".join(f"{row[state]:>10,}" for state in measurement.STATES)
        spans = "".join(f"{duration(row[name]):>10}" for name in ("median_seconds", "p90_seconds"))
        yield f"  {row['title']:<46}{counts}{row['attainment'] or 0:>10.2%}{spans}"
        for dimension, counted in row["by"].items():
            yield f"    by {dimension}: {counted['values']} values, {counted['handoffs']:,} handoffs"
