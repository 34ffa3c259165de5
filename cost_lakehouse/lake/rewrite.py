"""Reads the rows of data files as the table shows them, and names the files that rows of several loads are rewritten into."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence

import pyarrow as pa
from pyiceberg.expressions import AlwaysTrue
from pyiceberg.io.pyarrow import ArrowScan, _read_all_delete_files, schema_to_pyarrow
from pyiceberg.table import FileScanTask, Table


def new_rewrite_id() -> str:
    """A name that no load and no other rewriting has: nobody takes such a file for a load's own."""
    return f"merged-{secrets.token_hex(8)}"


def read_rows(table: Table, tasks: Sequence[FileScanTask]) -> Iterator[pa.RecordBatch]:
    """The rows of data files with the table's columns, without those that another engine deleted; file by file."""
    schema = schema_to_pyarrow(table.schema(), include_field_ids=False)
    scan = ArrowScan(table.metadata, table.io, table.schema(), AlwaysTrue())
    for task in tasks:
        # Not `to_record_batches`: it reads a whole file into memory before it gives the first batch.
        deleted = _read_all_delete_files(table.io, [task])
        for batch in scan._record_batches_from_scan_tasks_and_deletes([task], deleted):
            yield batch.cast(schema)
