"""A CSV file of unknown make is read right, or refused in one sentence."""

import gzip
import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leads import csvfile
from leads.csvfile import CsvError, Refusal, Row, read


def cells(source) -> list[list[str]]:
    return [list(row.cells.values()) for row in read(source).rows]


def zipped(**files: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("encoded", "encoding"),
    [
        ("Id,Name\n1,Zoë\n".encode(), "utf-8"),
        ("Id,Name\n1,Zoë\n".encode("utf-8-sig"), "utf-8"),
        ("Id,Name\n1,Zoë\n".encode("cp1252"), "cp1252"),
        ("Id,Name\n1,Zoë".encode("cp1252"), "cp1252"),
    ],
)
def test_utf8_with_and_without_mark_and_windows_1252_are_understood(encoded, encoding):
    table = read(encoded)
    assert (table.header, table.encoding) == (["Id", "Name"], encoding)
    assert [row.cells for row in table.rows] == [{"Id": "1", "Name": "Zoë"}]


def test_an_accent_far_behind_the_start_still_decides_the_encoding():
    plain = b"Id,Name\n" + b"1,Zoe\n" * 300_000
    assert read(plain + "1,Zoë\n".encode("cp1252")).encoding == "cp1252"
    assert read(plain + "1,Zoë\n".encode()).encoding == "utf-8"


def test_a_letter_cut_in_two_by_the_reading_in_pieces_is_still_utf8(monkeypatch):
    monkeypatch.setattr(csvfile, "_CHUNK", 12)
    assert cells("Id,Name\n1,Zoëëëëë\n2,€€€€\n".encode()) == [["1", "Zoëëëëë"], ["2", "€€€€"]]


@pytest.mark.parametrize(
    ("header", "row", "delimiter"),
    [
        ("Id,Name", "1,a;b;c", ","),
        ("Id;Name", "1;a,b,c", ";"),
        ("Id\tName", "1\ta,b;c", "\t"),
        ('Id;"Amount, in EUR, net, total"', "1;2", ";"),
        ("Amount, net;Name", "1,50;Ada", ";"),
        ("Amount;net,Name", "1,Ada", ","),
        ("Id", "1", ","),
    ],
)
def test_the_header_decides_the_delimiter_outside_its_quotes(header, row, delimiter):
    table = read(f"{header}\n{row}\n".encode())
    assert table.delimiter == delimiter
    assert [type(row) for row in table.rows] == [Row]


def test_quoted_cells_hold_delimiters_quotes_and_line_breaks_and_a_row_has_the_line_where_it_begins():
    table = read(b'Id,Note\r\n1,"a, ""b""\r\nc"\r\n\r\n2,d\r\n')
    assert list(table.rows) == [
        Row(2, {"Id": "1", "Note": 'a, "b"\r\nc'}),
        Row(5, {"Id": "2", "Note": "d"}),
    ]


def test_a_header_may_have_a_line_break_in_quotes_and_blank_lines_before_it():
    table = read(b'\n\n"Id\n(ours)";Name\n1;Ada\n')
    assert table.header == ["Id\n(ours)", "Name"]
    assert [row.line for row in table.rows] == [5]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_every_line_ending_is_understood(newline):
    assert list(read(newline.join(["Id,Name", "1,Ada", "", "2,Ben", ""]).encode()).rows) == [
        Row(2, {"Id": "1", "Name": "Ada"}),
        Row(4, {"Id": "2", "Name": "Ben"}),
    ]


def test_a_row_with_too_few_or_too_many_cells_is_refused_and_the_others_are_read():
    assert list(read(b"Id,Name\n1\n2,Ada\n3,Ben,x\n").rows) == [
        Refusal(2, "", "", "has 1 cell where the header has 2"),
        Row(3, {"Id": "2", "Name": "Ada"}),
        Refusal(4, "", "", "has 3 cells where the header has 2"),
    ]


def test_a_row_of_blank_cells_is_a_row_for_the_mapping_to_judge():
    assert list(read(b"Id,Name\n,\n").rows) == [Row(2, {"Id": "", "Name": ""})]


def test_a_header_alone_is_a_table_without_rows():
    assert cells(b"Id,Name") == []


def test_a_file_on_disk_reads_like_its_bytes(tmp_path):
    path = tmp_path / "leads.csv"
    path.write_bytes(b"Id,Name\n1,Ada\n")
    assert cells(path) == cells(str(path)) == cells(path.read_bytes()) == [["1", "Ada"]]


def test_a_cell_longer_than_the_interpreters_own_limit_is_read():
    assert cells(b'Id,Note\n1,"' + b"x" * 500_000 + b'"\n')[0][1] == "x" * 500_000


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "The file is empty."),
        (b"\xef\xbb\xbf \r\n", "The file is empty."),
        (b'""\n', "The file has no header: every line is blank."),
        ("Id,Name\n1,Ada\n".encode("utf-16"), "The file is UTF-16 text, not CSV: export it again as CSV in UTF-8."),
        ("Id,Name\n".encode("utf-16-be"), "The file is UTF-16 or UTF-32 text, not CSV"),
        ("Id,Name\n".encode("utf-16-le"), "The file is UTF-16 or UTF-32 text, not CSV"),
        ("Id,Name\n".encode("utf-32"), "The file is UTF-32 text, not CSV"),
        (
            zipped(**{"[Content_Types].xml": "<x/>", "xl/workbook.xml": "<x/>"}),
            "The file is an Excel workbook (.xlsx), not CSV",
        ),
        (
            zipped(mimetype="application/vnd.oasis.opendocument.spreadsheet"),
            "The file is an OpenDocument spreadsheet (.ods), not CSV",
        ),
        (zipped(leads="Id,Name"), "The file is a ZIP archive, not CSV"),
        (b"PK\x05\x06" + bytes(18), "The file is a ZIP archive, not CSV"),
        (bytes.fromhex("d0cf11e0a1b11ae1") + bytes(9), "The file is an old Excel workbook (.xls), not CSV"),
        (gzip.compress(b"Id,Name\n", mtime=0), "The file is a gzip archive, not CSV"),
        (b"7z\xbc\xaf\x27\x1c\x00\x04", "The file is a 7-Zip archive, not CSV"),
        (b"Rar!\x1a\x07\x01\x00", "The file is a RAR archive, not CSV"),
        (b"%PDF-1.7\n", "The file is a PDF document, not CSV"),
        (b" <!DOCTYPE HTML><table>", "The file is a web page or XML, not CSV"),
        (b"Id,Name\n1,A\0da\n", "Line 2 has a NUL byte: the file is damaged or not text."),
        (b"Id,Name\n1,\x81\n", "The file is neither UTF-8 nor Windows-1252: line 2 has a byte that neither knows."),
        ("Id,Name\n1,Zoë\n2,Zoë\n".encode() + b"3,Zo\xc3\n", "The file is UTF-8, but line 4 is damaged"),
        (b"\xef\xbb\xbfId,Name\n1,Zo\xeb\n", "The file is UTF-8, but line 2 is damaged"),
        (
            b"1,Ada,ada@example.com\n",
            "The file has no header: line 1 should name the columns, but “1” looks like data.",
        ),
        (b"Ada,ada@example.com\n", "but “ada@example.com” looks like data."),
        (b"Ada,2024-03-14 09:30\n", "but “2024-03-14 09:30” looks like data."),
        (b"Ada,14.03.2024\n", "but “14.03.2024” looks like data."),
        (b"Id,,Name,\n", "The header (line 1) has no name for column 2 of 4."),
        (b"Id,Name, Id \n", "The header (line 1) names more than one column “Id”."),
        (b'Id,"Name\n1,Ada\n', "The record that begins in line 1 has a quote that is never closed."),
    ],
)
def test_what_is_no_csv_is_refused_in_one_sentence(content, sentence):
    with pytest.raises(CsvError) as caught:
        read(content)
    assert sentence in str(caught.value)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b'Id,Name\n1,Ada\n2,"Ben\n3,Cy\n', "The record that begins in line 3 has a quote that is never closed."),
        (
            b'Id,Name\n1,"Ada "the" first"\n',
            "The record that begins in line 2 goes on after a closing quote: "
            "a quote inside a quoted cell must be doubled.",
        ),
        (
            b'Id,Name\n1,"' + b"x" * 1_000_001,
            "The record that begins in line 2 has a cell of more than 1,000,000 characters: a quote is missing.",
        ),
    ],
)
def test_a_bad_quote_is_found_while_reading_with_the_line_where_its_row_begins(content, sentence):
    rows = read(content).rows
    with pytest.raises(CsvError) as caught:
        list(rows)
    assert str(caught.value) == sentence


def test_a_file_that_is_not_there_is_refused_in_one_sentence(tmp_path):
    with pytest.raises(CsvError, match=r"none\.csv cannot be read: No such file or directory\."):
        read(tmp_path / "none.csv")


words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)


@given(
    rows=st.lists(st.tuples(words, words, words), max_size=6),
    delimiter=st.sampled_from(",;\t"),
    newline=st.sampled_from(["\n", "\r\n"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig"]),
)
def test_whatever_is_written_with_every_cell_quoted_is_read_back(rows, delimiter, newline, encoding):
    lines = [("Id", "Name", "Note"), *rows]
    quoted = [delimiter.join('"' + cell.replace('"', '""') + '"' for cell in line) for line in lines]
    assert cells((newline.join(quoted) + newline).encode(encoding)) == [list(row) for row in rows]
