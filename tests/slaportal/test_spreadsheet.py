"""Lists as files: what a spreadsheet opens is what the list said, and nothing in it runs."""

import csv
import io
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slaportal import spreadsheet
from slaportal.refusal import Refused

BERLIN = ZoneInfo("Europe/Berlin")
HOSTILE = [
    '=HYPERLINK("http://evil.example","click")',
    "+49 30 1",
    "-1+1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "  =1",
    "＝1",
    "\n@x",
]
HARMLESS = ["Ines", "a=b", "1", "", "'quoted'", "“Ines”", "عربي", "x" * 10_000, "two\nlines", "semi;colon, comma"]


def as_csv(rows, heads=("What",)) -> list[list[str]]:
    text = "".join(spreadsheet.csv_lines(heads, rows, BERLIN))
    assert text.startswith("\ufeff")
    return list(csv.reader(io.StringIO(text[1:], newline="")))[1:]


def as_xlsx(rows, heads=("What",)) -> list[tuple]:
    file = io.BytesIO()
    spreadsheet.write_xlsx(file, heads, rows, BERLIN)
    file.seek(0)
    book = openpyxl.load_workbook(file)
    assert not any(cell.data_type == "f" or cell.hyperlink for row in book.active.iter_rows() for cell in row)
    return list(book.active.iter_rows(min_row=2, values_only=True))


@pytest.mark.parametrize("text", HOSTILE)
def test_what_would_run_as_a_formula_is_text_in_both_forms(text):
    ((in_csv,),) = as_csv([[text]])
    assert in_csv == f"'{text}"
    ((in_xlsx,),) = as_xlsx([[text]])
    assert in_xlsx.replace("_x000D_", "\r").strip() == text.strip()


@pytest.mark.parametrize("text", HARMLESS)
def test_other_text_stands_as_it_was(text):
    assert as_csv([[text]]) == [[text]]
    assert as_xlsx([[text]]) == ([(text,)] if text else [])


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_no_cell_of_csv_begins_like_a_formula(text):
    ((cell,),) = as_csv([[text]])
    assert not cell.strip().startswith(("=", "+", "-", "@", "＝", "＋", "－", "＠"))


def test_numbers_stay_numbers_and_moments_are_on_the_readers_clock():
    summer = datetime(2026, 7, 1, 8, 30, 15, 999, UTC)
    row = [-5, 0.25, None, True, summer, date(2026, 7, 1)]
    assert as_csv([row]) == [["-5", "0.25", "", "true", "2026-07-01 10:30:15", "2026-07-01"]]
    (found,) = as_xlsx([row])
    assert found[:4] == (-5, 0.25, None, True)
    assert [moment.isoformat() for moment in found[4:]] == ["2026-07-01T10:30:15", "2026-07-01T00:00:00"]


def test_control_characters_and_endless_text_do_not_break_the_sheet():
    found = as_xlsx([["a\x00\x0b\x1fb"], ["x" * 40_000]])
    assert found[0] == ("ab",)
    assert len(found[1][0]) == 32_767
    assert found[1][0].endswith("…")


def test_rows_are_sent_while_they_are_read():
    read = []

    def rows():
        for number in range(1000):
            read.append(number)
            yield [number]

    lines = spreadsheet.csv_lines(["n"], rows(), BERLIN)
    next(lines)
    assert len(read) == spreadsheet.BLOCK
    assert sum(block.count("\n") for block in lines) == 1000 - spreadsheet.BLOCK


def test_a_sheet_that_would_be_cut_is_refused_and_says_what_to_do(monkeypatch):
    monkeypatch.setattr(spreadsheet, "XLSX_ROWS", 3)
    rows = [[1], [2], [3]]
    with pytest.raises(Refused, match=r"holds 2 rows, and there are more\. Take CSV"):
        spreadsheet.respond("xlsx", name="x", heads=["n"], rows=rows, zone=BERLIN)
    assert as_csv(rows) == [["1"], ["2"], ["3"]]


@pytest.mark.parametrize(
    ("name", "file"),
    [("DACH inbound 2026-10", "dach-inbound-2026-10.csv"), ('"; rm\r\n', "rm.csv"), ("日本", "list.csv")],
)
def test_a_file_is_named_after_what_is_in_it(name, file):
    response = spreadsheet.respond("csv", name=name, heads=["n"], rows=[], zone=BERLIN)
    assert response["Content-Disposition"] == f'attachment; filename="{file}"'
