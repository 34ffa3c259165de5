"""What nobody could read is found before it is committed."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from cost_lakehouse.audit.read_back import unreadable
from cost_lakehouse.audit.stored_totals import StoredTotals, differences
from cost_lakehouse.formats.control_totals import ControlTotals
from cost_lakehouse.formats.table_format import AWS_CUR

NOT_UTF8 = pa.array([b"caf\xe9"], pa.binary()).view(pa.string())
TEXTS = pa.map_(pa.string(), pa.string())


def found(folder: Path, **columns: pa.Array) -> list[str]:
    """What is found in a file of one row with these columns."""
    arrays = {field.name: pa.nulls(1, field.type) for field in AWS_CUR.schema} | columns
    path = folder / "load.parquet"
    pq.write_table(pa.table(arrays), path, store_schema=False)
    with duckdb.connect() as connection:
        return unreadable(connection, [path], AWS_CUR)


def test_files_that_can_be_read_give_no_sentence(tmp_path: Path) -> None:
    assert found(tmp_path, bill_invoice_id=pa.array(["é"]), resource_tags=pa.array([[("a", "1"), ("b", "1")]], TEXTS)) == []


def test_text_and_maps_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    (text,) = found(tmp_path, bill_invoice_id=NOT_UTF8)
    assert text.startswith("column bill_invoice_id cannot be read back: Invalid")

    twice = pa.array([[("a", "1"), ("a", "2")]], TEXTS)
    assert found(tmp_path, resource_tags=twice) == ["column resource_tags cannot be read back: a row has a key twice"]

    maps = pa.MapArray.from_arrays(pa.array([0, 1], pa.int32()), pa.array(["a"]), NOT_UTF8)
    (broken,) = found(tmp_path, resource_tags=maps)
    assert "cannot be read back: " in broken
    assert "UTF8" in broken


def test_what_cannot_be_read_is_no_proof() -> None:
    assert differences(ControlTotals(), StoredTotals(unreadable=["column x cannot be read back"])) == [
        "column x cannot be read back"
    ]
