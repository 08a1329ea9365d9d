"""`manage.py measure_crm DIR`: the export of a school's CRM, measured and compared with the CRM's own figures."""

import json
from collections.abc import Iterator, Mapping, Sequence
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
from slaportal.spreadsheet import csv_lines
from slaportal.templatetags.display import duration


class Command(BaseCommand):
    """Sets up an agreement with three promises in an empty database, imports the export, prints what comes of it."""

    help = "Measure the export of a school's CRM, compare it with the CRM's own figures, and explain each difference."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, help="with deals.csv, calls.csv and contacts.csv")
        parser.add_argument("--time-zone", metavar="ZONE", default="UTC", help="of the files' local times; default UTC")
        parser.add_argument(
            "--differences",
            type=Path,
            metavar="FILE",
            help="write every deal on which the two disagree to this CSV file",
        )
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
        if options["differences"]:
            write_differences(options["differences"], measured["against_crm"]["differences"])
        if options["json"]:
            self.stdout.write(json.dumps({"seconds": seconds, **measured}, indent=2, ensure_ascii=False))
        else:
            self.stdout.write(
                "\n".join([*imported(measured), *against_crm(measured), *by_source(measured), *scorecard(measured)])
            )
            self.stdout.write("\n".join(months(measured)))


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


def by_source(measured: Mapping[str, Any]) -> Iterator[str]:
    """The same for each source, with both medians side by side."""
    heads = ("both", "agree", "share", "CRM median", "our median", "differ")
    yield "\nBy source" + " " * 15 + "".join(f"{head:>12}" for head in heads)
    for row in measured["against_crm"]["by_source"]:
        medians = "".join(f"{duration(row[name]):>12}" for name in ("crm_median_seconds", "our_median_seconds"))
        shares = f"{row['both']:>12,}{row['agree']:>12,}{row['share']:>12.2%}"
        yield f"  {row['source'] or 'no source':<22}{shares}{medians}{row['differ']:>12,}"


def write_differences(file: Path, differences: Sequence[Mapping[str, Any]]) -> None:
    """One line for each deal on which the CRM and we disagree; an empty file but for the headings where none is."""
    heads = differences[0].keys() if differences else ("deal",)
    try:
        with file.open("w", encoding="utf-8", newline="") as out:
            out.writelines(csv_lines(list(heads), [list(row.values()) for row in differences], ZoneInfo("UTC")))
    except OSError as problem:
        raise CommandError(f"{file} cannot be written: {problem.strerror}.") from problem


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


def months(measured: Mapping[str, Any]) -> Iterator[str]:
    """Each month's scorecard in one line, the year by quality, and whether every deal is counted once each time."""
    found = measured["months"]
    titles = [row["code"] for row in found["rows"][0]["commitments"]]
    yield "\nMonth" + f"{'handoffs':>14}" + "".join(f"{title:>23}" for title in titles)
    for row in found["rows"]:
        yield f"{row['month']}{row['handoffs']:>12,}" + "".join(map(_attained, row["commitments"]))
    yield f"together{found['handoffs']:>11,}"
    yield from (f"  counted otherwise than once: {wrong}" for wrong in found["miscounted"])
    if not found["miscounted"]:
        yield "every deal is counted once each month: by state, by source, by owner (rep) and by quality (segment)"


def _attained(row: Mapping[str, Any]) -> str:
    of = f"{row['met']:,} of {row['met'] + row['missed']:,}"
    return f"{of:>15}{row['attainment'] or 0:>8.2%}"
