"""What one process has read of many small ledger files, in one file for the next process.

Ledger files never change, so what was once read of one holds for as long as the table names it. Nothing depends on this file:
where it lacks a ledger file's rows, is damaged or not there, the ledger file itself is read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

import pyarrow as pa
from pyarrow import parquet as pq

from cost_lakehouse.errors import LakeError
from cost_lakehouse.lake.warehouse import Warehouse

_LOCATION = pa.field("file_location", pa.string(), nullable=False)
_DIGEST_BYTES = hashlib.sha256().digest_size


def kept_rows(warehouse: Warehouse, name: str, schema: pa.Schema) -> dict[str, list[tuple[Any, ...]]]:
    """Location of a file of the ledger ``name`` -> its rows, in the columns of ``schema``; of no file where none is kept.

    Raises LakeError where the store does not answer.
    """
    content = warehouse.read(_place(name, schema)) or b""
    digest, rows = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    found: dict[str, list[tuple[Any, ...]]] = {}
    if not rows or hashlib.sha256(rows).digest() != digest:
        return found
    table = pq.read_table(pa.BufferReader(rows))
    columns = [table[column].to_pylist() for column in schema.names]
    for location, *row in zip(table[_LOCATION.name].to_pylist(), *columns, strict=True):
        found.setdefault(location, []).append(tuple(row))
    return found


def keep_rows(warehouse: Warehouse, name: str, schema: pa.Schema, rows: Mapping[str, Sequence[tuple[Any, ...]]]) -> None:
    """Keep these rows by location, in the place of what was kept. Who may not write there keeps nothing: only time is lost."""
    flat = [(location, *row) for location, of_file in rows.items() for row in of_file]
    if not flat:
        return
    kept = pa.schema([_LOCATION, *(field.with_nullable(True) for field in schema)])
    arrays = [pa.array(values, field.type) for values, field in zip(zip(*flat, strict=True), kept, strict=True)]
    sink = BytesIO()
    pq.write_table(pa.Table.from_arrays(arrays, schema=kept), sink, compression="zstd")
    content = sink.getvalue()
    try:
        warehouse.write(_place(name, schema), hashlib.sha256(content).digest() + content, only_new=False)
    except (LakeError, OSError):
        return


def _place(name: str, schema: pa.Schema) -> str:
    """One for each choice of columns. Not in a table's folder, whose unknown files maintenance removes."""
    columns = hashlib.sha256(str(schema.remove_metadata()).encode()).hexdigest()[:8]
    return f"ledgers/{name}-{columns}.rows"
