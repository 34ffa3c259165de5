"""Reads the rows of data files as the table shows them, to rewrite them into others, and proves that these hold the same."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
from pyiceberg.io.pyarrow import schema_to_pyarrow
from pyiceberg.table import FileScanTask, Table

from cost_lakehouse.errors import LakeError
from cost_lakehouse.formats.duckdb_paths import duckdb_list, parquet_rows
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.pyiceberg_internals import stream_batches
from cost_lakehouse.lake.slice_writer import ROWS_PER_GROUP


def new_rewrite_id() -> str:
    """A name that no load and no other rewriting has: nobody takes such a file for a load's own."""
    return f"merged-{secrets.token_hex(8)}"


def read_rows(table: Table, tasks: Sequence[FileScanTask]) -> Iterator[pa.RecordBatch]:
    """The rows of data files with the table's columns, without those that another engine deleted.

    Small files' rows come together, as a row group of the new file would else hold no more than theirs.
    """
    schema = schema_to_pyarrow(table.schema(), include_field_ids=False)
    waiting: list[pa.RecordBatch] = []
    for batch in _batches(table, tasks):
        if sum(record_batch.num_rows for record_batch in waiting) + batch.num_rows > ROWS_PER_GROUP:
            yield from _together(waiting, schema)
            waiting = []
        waiting.append(batch.cast(schema))
    yield from _together(waiting, schema)


def _batches(table: Table, tasks: Sequence[FileScanTask]) -> Iterator[pa.RecordBatch]:
    for task in tasks:
        yield from stream_batches(table, task)


def _together(batches: Sequence[pa.RecordBatch], schema: pa.Schema) -> list[pa.RecordBatch]:
    return list(pa.Table.from_batches(batches, schema).combine_chunks().to_batches())


def check_same_rows(lake: Lake, table: Table, tasks: Sequence[FileScanTask], files: Sequence[Path]) -> None:
    """Read old and new files again with another reader (DuckDB).

    Raises LakeError unless it finds the very same rows in both, however they are ordered.
    """
    columns = [field.name for field in table.schema().fields]
    deletes = sorted({delete_file.file_path for task in tasks for delete_file in task.delete_files})
    with duckdb.connect(":memory:") as connection:
        connection.execute("set timezone = 'UTC'")
        lake.warehouse.let_duckdb_read(connection)
        old = _content(connection, columns, [file_scan_task.file.file_path for file_scan_task in tasks], deletes)
        new = _content(connection, columns, [str(path) for path in files], [])
    if old != new:
        raise LakeError(
            f"{'.'.join(table.name())}: rewritten files would hold {new[0]} rows that are not the {old[0]} of the old ones.",
            "Nothing was committed. This is a defect: please report it with this message.",
        )


def _content(
    connection: duckdb.DuckDBPyConnection, columns: Sequence[str], files: Sequence[str], deletes: Sequence[str]
) -> tuple[int, int | None]:
    """The number of rows, and the sum of their hashes. A column that no file has yet is null."""
    if not files:
        return 0, None
    rows = parquet_rows(duckdb_list(files), "union_by_name = true", "filename = true", "file_row_number = true")
    there = {str(row[0]) for row in connection.execute(f"describe select * from {rows}").fetchall()}
    hashed = ", ".join(f'"{name}"' if name in there else "null" for name in columns)
    gone = (
        f"where not exists (select 1 from {parquet_rows(duckdb_list(deletes), 'union_by_name = true')} deleted "
        "where replace(deleted.file_path, 'file://', '') = found.filename and deleted.pos = found.file_row_number)"
    )
    counted = f"select count(*), sum(hash({hashed})) from {rows} found {gone if deletes else ''}"
    (count, total) = connection.execute(counted).fetchall()[0]
    return count, total
