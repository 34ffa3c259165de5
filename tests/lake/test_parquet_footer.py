"""Footers of Parquet files, read and written again: not a byte differs, and what is no footer is told."""

from __future__ import annotations

import io
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cost_lakehouse.lake.parquet_footer import read_footer, write_footer

ROWS = {
    "text": ["a", None, "é" * 200],
    "number": [1, -1, 2**62],
    "money": [Decimal("1.5"), None, Decimal("-0.00000001")],
    "map": [[("k", "v")], [], None],
    "list": [[1.5], [], [None, 2.5]],
    "flag": [True, False, None],
}


def footer_of(content: bytes) -> bytes:
    length = int.from_bytes(content[-8:-4], "little")
    return content[-8 - length : -8]


@pytest.mark.parametrize("options", [{}, {"write_page_index": True, "store_schema": False}, {"use_dictionary": False}])
def test_a_footer_is_written_as_it_was_read(options: dict[str, bool]) -> None:
    table = pa.table(
        {name: pa.array(rows, pa.map_(pa.string(), pa.string()) if name == "map" else None) for name, rows in ROWS.items()}
    )
    table = table.replace_schema_metadata({"key": "v" * 300})
    written = io.BytesIO()
    pq.write_table(table, written, row_group_size=1, **options)
    content = footer_of(written.getvalue())

    footer = read_footer(content)

    assert footer[3][1] == 3  # rows, as parquet.thrift numbers them
    assert len(footer[4][1][1]) == 3  # row groups
    assert write_footer(footer) == content


@pytest.mark.parametrize("content", [b"", b"\x15", b"\x1c", b"\x18\xff\xff\xff\x7fabc", b"\x00\x00", b"\x1e\x00"])
def test_what_is_no_footer_is_told(content: bytes) -> None:
    with pytest.raises(ValueError, match="Parquet footer"):
        read_footer(content)
