"""Answers as files: every type as the format has it, all digits, and a file that is there stays until the new one is whole."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pyarrow.parquet as pq
import pytest

from cost_lakehouse.cli.answers import Answer
from cost_lakehouse.cli.files import write_answer
from cost_lakehouse.errors import ConfigurationError, CostLakehouseError

NAMES = ["name", "cost", "day", "at", "count", "is_others", "tags", "nothing"]
TYPES = [
    "VARCHAR",
    "DECIMAL(38,20)",
    "DATE",
    "TIMESTAMP WITH TIME ZONE",
    "BIGINT",
    "BOOLEAN",
    "MAP(VARCHAR, VARCHAR)",
    "VARCHAR",
]
EXACT = Decimal("123456789012345.12345678901234567890")
ROW: list[Any] = [
    "=HYPERLINK(1)",
    EXACT,
    date(2026, 10, 1),
    datetime(2026, 10, 1, 12, tzinfo=UTC),
    7,
    True,
    {"team": "a"},
    None,
]


def answer(rows: Iterator[Sequence[Any]] | None = None) -> Answer:
    return Answer(list(NAMES), list(TYPES), iter([ROW]) if rows is None else rows)


def cells(path: Path) -> dict[str, str]:
    """Cell -> its text or number, out of the sheet's XML."""
    main = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    with zipfile.ZipFile(path) as book:
        sheet = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))  # noqa: S314 - written a moment ago
    found = {}
    for cell in sheet.iter(f"{main}c"):
        found[cell.attrib["r"]] = "".join(cell.itertext())
        assert cell.find(f"{main}f") is None, "a text became a formula"
    return found


def test_parquet_keeps_types_and_digits(tmp_path: Path) -> None:
    write_answer(answer(), tmp_path / "a.parquet")

    table = pq.read_table(tmp_path / "a.parquet")
    assert [str(kind) for kind in table.schema.types][:6] == [
        "string",
        "decimal128(38, 20)",
        "date32[day]",
        "timestamp[us, tz=UTC]",
        "int64",
        "bool",
    ]
    (row,) = table.to_pylist()
    assert (row["cost"], row["tags"], row["nothing"]) == (EXACT, '{"team": "a"}', None)


def test_a_workbook_has_numbers_and_all_their_digits_beside_them(tmp_path: Path) -> None:
    write_answer(answer(), tmp_path / "a.xlsx")

    found = cells(tmp_path / "a.xlsx")
    assert (found["B1"], found["I1"]) == ("cost", "cost (exact)")
    assert found["A2"] == "=HYPERLINK(1)"
    assert found["B2"] == "123456789012345.1"
    assert found["I2"] == "123456789012345.1234567890123456789"
    assert "H2" not in found


def test_a_file_stays_as_it_was_where_the_new_one_fails_half_way(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("old", encoding="utf-8")

    def broken() -> Iterator[Sequence[Any]]:
        yield ROW
        raise CostLakehouseError("The store is gone.", "Try again.")

    with pytest.raises(CostLakehouseError, match="store is gone"):
        write_answer(answer(broken()), file)

    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]
    assert file.read_text(encoding="utf-8") == "old"


def test_a_cell_that_is_too_long_for_a_workbook_is_not_cut(tmp_path: Path) -> None:
    long = Answer(["text"], ["VARCHAR"], iter([["x" * 32_768]]))

    with pytest.raises(CostLakehouseError, match="Row 1, column text"):
        write_answer(long, tmp_path / "a.xlsx")

    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be written"):
        write_answer(answer(), tmp_path / "none" / "a.parquet")
