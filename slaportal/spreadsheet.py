"""Lists as files that a spreadsheet opens: CSV and XLSX, row by row, with formulas defused.

Text that somebody typed can begin with “=”. A spreadsheet that takes it as a formula would run it on the reader's
machine, so in CSV such a cell gets an apostrophe before it, and in XLSX it is stored as the text that it is. Numbers
stay numbers. Moments are local to the reader; the heading of their column says in which zone.
"""

import csv
import io
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import IO
from zoneinfo import ZoneInfo

from django.http import FileResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.text import slugify
from django.utils.translation import gettext as _

from slaportal.refusal import Refused

FORMS = {"csv": "CSV", "xlsx": "XLSX"}
XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
# What spreadsheets may take for the beginning of a formula, the wide forms of East Asian keyboards too.
FORMULA = re.compile(r"\s*[=+\-@\t\r\n＝＋－＠]")
# What XML cannot hold.
UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
XLSX_ROWS, XLSX_CELL = 1_048_576, 32_767
BLOCK = 200  # rows that are sent together

Cell = str | int | float | bool | datetime | date | None


def respond(
    form: str, *, name: str, heads: Sequence[str], rows: Iterable[Sequence[Cell]], zone: ZoneInfo
) -> HttpResponseBase:
    """A download of the rows in one of `FORMS`, `name` becomes the file's; `Refused` where no sheet holds that many.

    CSV is sent while it is read, so any number of rows takes no memory; XLSX is written to a temporary file first.
    """
    filename = f"{slugify(name) or 'list'}.{form}"
    if form == "csv":
        response = StreamingHttpResponse(csv_lines(heads, rows, zone), content_type="text/csv; charset=utf-8")
        response.headers["Content-Disposition"] = f'attachment; filename="{filename}"'
        return response
    file = tempfile.TemporaryFile(suffix=".xlsx")  # noqa: SIM115 (the response closes it)
    try:
        write_xlsx(file, heads, rows, zone)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return FileResponse(file, as_attachment=True, filename=filename, content_type=XLSX_TYPE)


def csv_lines(heads: Sequence[str], rows: Iterable[Sequence[Cell]], zone: ZoneInfo) -> Iterator[str]:
    """Blocks of lines, the headings first. A mark at the beginning tells spreadsheets that it is UTF-8."""
    block = io.StringIO()
    block.write("\ufeff")
    writer = csv.writer(block)
    writer.writerow(map(defused, heads))
    for number, row in enumerate(rows, start=1):
        writer.writerow([_in_csv(cell, zone) for cell in row])
        if number % BLOCK == 0:
            yield block.getvalue()
            block.seek(0)
            block.truncate()
    yield block.getvalue()


def write_xlsx(file: IO[bytes], heads: Sequence[str], rows: Iterable[Sequence[Cell]], zone: ZoneInfo) -> None:
    """Write the rows as the only sheet of a workbook, with a fixed line of headings that filters."""
    import xlsxwriter  # here, because few requests need it

    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "in_memory": False}
    with xlsxwriter.Workbook(file, options) as book:
        sheet, bold = book.add_worksheet(), book.add_format({"bold": True})
        formats = {datetime: "yyyy-mm-dd hh:mm:ss", date: "yyyy-mm-dd"}
        looks = {kind: book.add_format({"num_format": text}) for kind, text in formats.items()}
        sheet.freeze_panes(1, 0)
        for column, head in enumerate(heads):
            sheet.write_string(0, column, head, bold)
            sheet.set_column(column, column, min(max(len(head) + 2, 12), 40))
        last = 0
        for last, row in enumerate(rows, start=1):
            if last == XLSX_ROWS:
                sentence = _("A sheet of XLSX holds %(most)s rows, and there are more. Take CSV, or choose fewer.")
                raise Refused(sentence, most=f"{XLSX_ROWS - 1:,}")
            for column, cell in enumerate(row):
                match cell:
                    case None | "":
                        continue
                    case bool():
                        sheet.write_boolean(last, column, cell)
                    case int() | float():
                        sheet.write_number(last, column, cell)
                    case datetime():
                        sheet.write_datetime(last, column, _local(cell, zone), looks[datetime])
                    case date():
                        sheet.write_datetime(last, column, cell, looks[date])
                    case _:
                        sheet.write_string(last, column, _printable(str(cell)))
        sheet.autofilter(0, 0, last, max(len(heads) - 1, 0))


def defused(text: str) -> str:
    """The text, after an apostrophe where a spreadsheet would take it for a formula."""
    return f"'{text}" if FORMULA.match(text) else text


def _in_csv(cell: Cell, zone: ZoneInfo) -> Cell:
    match cell:
        case bool():
            return str(cell).lower()
        case datetime():
            return f"{_local(cell, zone):%Y-%m-%d %H:%M:%S}"
        case str():
            return defused(cell.replace("\0", ""))
    return cell


def _local(moment: datetime, zone: ZoneInfo) -> datetime:
    """On the wall clock of the zone, without a zone, as sheets have them."""
    return moment.astimezone(zone).replace(tzinfo=None, microsecond=0)


def _printable(text: str) -> str:
    """What a cell can hold: without control characters, and cut where it is longer than any cell."""
    text = UNPRINTABLE.sub("", text)
    return text if len(text) <= XLSX_CELL else f"{text[: XLSX_CELL - 1]}…"
