"""Reads a CSV file of unknown make into rows, or says in one sentence why it cannot.

UTF-8 (with or without byte order mark) and Windows-1252; comma, semicolon or tab, decided from the header line; quoted
cells may hold delimiters and line breaks. The bytes are checked first, then the rows stream: memory does not grow with
the file. What is wrong with the file is a `CsvError`; what is wrong with a row is a `Refusal` among the rows.
"""

import codecs
import csv
import io
import re
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import BinaryIO, NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from slaportal import formats

LONGEST_CELL = 1_000_000
"""Characters. A longer cell is almost always a missing closing quote, which swallows the rest of the file."""

_CHUNK = 1 << 20

_SIGNATURES = (
    (b"\x00\x00\xfe\xff", gettext_lazy("UTF-32 text")),
    (b"\xff\xfe\x00\x00", gettext_lazy("UTF-32 text")),
    (b"\xfe\xff", gettext_lazy("UTF-16 text")),
    (b"\xff\xfe", gettext_lazy("UTF-16 text")),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", gettext_lazy("an old Excel workbook (.xls)")),
    (b"\x1f\x8b", gettext_lazy("a gzip archive")),
    (b"7z\xbc\xaf\x27\x1c", gettext_lazy("a 7-Zip archive")),
    (b"Rar!\x1a\x07", gettext_lazy("a RAR archive")),
    (b"BZh", gettext_lazy("a bzip2 archive")),
    (b"\xfd7zXZ\x00", gettext_lazy("an xz archive")),
    (b"%PDF-", gettext_lazy("a PDF document")),
)
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_UNDEFINED_IN_CP1252 = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")
_UTF8_LETTER = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_DATUM = re.compile(
    r"[^@\s]+@[^@\s]+\.\w+"  # an e-mail address
    r"|[-+]?\d[\d.,' ]*"  # a number
    r"|\d{1,4}[-./]\d{1,2}[-./]\d{1,4}([ T].*)?"  # a date
)


class CsvError(ValueError):
    """The file cannot be read as CSV; the message is a sentence for the person who sent it."""


class Row(NamedTuple):
    """One record: the physical line (from 1) where it begins, and its cells by column name, as they stand."""

    line: int
    cells: dict[str, str]


class Refusal(NamedTuple):
    """Why a row cannot be taken: physical line, column and value where one cell is to blame, else blank, and reason."""

    line: int
    column: str
    value: str
    reason: str


@dataclass(frozen=True)
class Table:
    """A checked file: its header, its rows (to be read once, in order), and how it was written."""

    header: list[str]
    rows: Iterator[Row | Refusal]
    encoding: str
    delimiter: str


def read(source: str | PathLike[str] | bytes) -> Table:
    """The table in a file (by path) or an upload (its bytes).

    Blank lines are skipped. A row with too few or too many cells is a `Refusal`. Raises `CsvError` for a file that is
    empty, no CSV, in another encoding, or without a usable header; reading the rows raises it for a bad quote.
    """
    with _opened(source) as file:
        encoding = _encoding(file)
        file.seek(0)
        text = io.TextIOWrapper(file, encoding, newline="")
        delimiter = _delimiter(text)
        text.seek(0)
        header = _header(_records(text, delimiter))
        text.detach()
    return Table(header, _rows(source, header, encoding, delimiter), encoding.removesuffix("-sig"), delimiter)


@contextmanager
def _opened(source: str | PathLike[str] | bytes) -> Iterator[BinaryIO]:
    if isinstance(source, bytes):
        yield io.BytesIO(source)
        return
    try:
        with Path(source).open("rb") as file:
            yield file
    except OSError as error:
        raise CsvError(_("%(source)s cannot be read: %(why)s.") % {"source": source, "why": error.strerror}) from error


def _encoding(file: BinaryIO) -> str:
    """UTF-8 if every byte allows it, else Windows-1252; the whole file is looked at, for one accent may end it."""
    chunk = file.read(_CHUNK)
    _refuse_other_formats(chunk)
    is_utf8 = chunk.startswith(codecs.BOM_UTF8)
    utf8 = codecs.getincrementaldecoder("utf-8")()
    fault = undefined = 0
    line = 1
    while chunk:
        if (at := chunk.find(0)) >= 0:
            line += chunk.count(b"\n", 0, at)
            raise CsvError(_("Line %(line)s has a NUL byte: the file is damaged or not text.") % {"line": line})
        if not fault:
            try:
                is_utf8 = not utf8.decode(chunk).isascii() or is_utf8
            except UnicodeDecodeError as error:
                fault = line + chunk.count(b"\n", 0, error.start)
                # Windows-1252 hardly ever forms UTF-8 letters by chance; many mean UTF-8 with a damaged place.
                letters = sum(map(len, _UTF8_LETTER.findall(chunk)))
                is_utf8 = is_utf8 or letters * 2 > len(chunk.translate(None, bytes(range(128))))
        if not undefined and (match := _UNDEFINED_IN_CP1252.search(chunk)):
            undefined = line + chunk.count(b"\n", 0, match.start())
        line += chunk.count(b"\n")
        chunk = file.read(_CHUNK)
    if not fault and utf8.getstate()[0]:
        fault = line
    if not fault:
        return "utf-8-sig"
    if is_utf8:
        raise CsvError(
            _("The file is UTF-8, but line %(line)s is damaged: it has bytes that are no UTF-8 letter.")
            % {"line": fault}
        )
    if undefined:
        raise CsvError(
            _("The file is neither UTF-8 nor Windows-1252: line %(line)s has a byte that neither knows.")
            % {"line": undefined}
        )
    return "cp1252"


def _refuse_other_formats(start: bytes) -> None:
    if not start.removeprefix(codecs.BOM_UTF8).strip():
        raise CsvError(_("The file is empty."))
    found = next((name for signature, name in _SIGNATURES if start.startswith(signature)), "")
    if start.startswith(_ZIP):
        found = _("a ZIP archive")
        if b"opendocument.spreadsheet" in start[:200]:
            found = _("an OpenDocument spreadsheet (.ods)")
        elif b"[Content_Types].xml" in start or b"xl/" in start:
            found = _("an Excel workbook (.xlsx)")
    elif start.lstrip()[:15].lower().startswith((b"<!doctype html", b"<html", b"<table", b"<?xml")):
        found = _("a web page or XML")
    elif not found and start.count(b"\0") * 3 > len(start):
        found = _("UTF-16 or UTF-32 text")
    if found:
        raise CsvError(_("The file is %(found)s, not CSV: export it again as CSV in UTF-8.") % {"found": found})


def _delimiter(text: io.TextIOWrapper) -> str:
    """The delimiter that stands most often outside the quotes of the header; a tie goes by the line after it."""
    lines = (line for line in text if line.strip())
    header = next(lines, "")
    while header.count('"') % 2 and len(header) < LONGEST_CELL and (line := next(lines, "")):
        header += line
    named, following = (re.sub(r'"[^"]*"', "", line) for line in (header, next(lines, "")))
    most = max(named.count(character) for character in ",;\t")
    if not most:
        return ","
    # A comma comes last: names and numbers hold one more often than a semicolon or a tab.
    candidates = [character for character in "\t;," if named.count(character) == most]
    return min(candidates, key=lambda character: abs(following.count(character) - most))


def _records(text: io.TextIOWrapper, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Line and cells of each record that is not a blank line."""
    # The limit is the interpreter's, not this reader's: set before each file, always to the same value.
    csv.field_size_limit(LONGEST_CELL)
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    line = 1
    try:
        for cells in reader:
            if len(cells) > 1 or (cells and cells[0].strip()):
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        if "field larger" in str(error):
            raise CsvError(
                _(
                    "The record that begins in line %(line)s has a cell of more than %(most)s "
                    "characters: a quote is missing."
                )
                % {"line": line, "most": formats.number(LONGEST_CELL)}
            ) from error
        if "unexpected end" in str(error):
            raise CsvError(
                _("The record that begins in line %(line)s has a quote that is never closed.") % {"line": line}
            ) from error
        raise CsvError(
            _(
                "The record that begins in line %(line)s goes on after a closing quote: a quote inside a "
                "quoted cell must be doubled."
            )
            % {"line": line}
        ) from error


def _header(records: Iterator[tuple[int, list[str]]]) -> list[str]:
    line, cells = next(records, (1, []))
    names = [unicodedata.normalize("NFC", cell.strip()) for cell in cells]
    if not names:
        raise CsvError(_("The file has no header: every line is blank."))
    if datum := next((name for name in names if _DATUM.fullmatch(name)), ""):
        raise CsvError(
            _("The file has no header: line %(line)s should name the columns, but “%(datum)s” looks like data.")
            % {"line": line, "datum": datum}
        )
    if "" in names:
        raise CsvError(
            _("The header (line %(line)s) has no name for column %(number)s of %(count)s.")
            % {"line": line, "number": names.index("") + 1, "count": len(names)}
        )
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise CsvError(
            _("The header (line %(line)s) names more than one column “%(name)s”.") % {"line": line, "name": twice[0]}
        )
    return names


def _rows(
    source: str | PathLike[str] | bytes, header: list[str], encoding: str, delimiter: str
) -> Iterator[Row | Refusal]:
    width = len(header)
    with _opened(source) as file, io.TextIOWrapper(file, encoding, newline="") as text:
        records = _records(text, delimiter)
        next(records)
        for line, cells in records:
            if len(cells) == width:
                yield Row(line, dict(zip(header, cells, strict=True)))
            else:
                said = ngettext(
                    "has %(count)s cell where the header has %(width)s",
                    "has %(count)s cells where the header has %(width)s",
                    len(cells),
                )
                yield Refusal(line, "", "", said % {"count": len(cells), "width": width})
