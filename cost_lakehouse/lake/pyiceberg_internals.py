"""What this project takes from pyiceberg that pyiceberg does not export; nothing else reaches for a name of it with ``_``.

Why there is no public way:

- ``pyarrow_to_schema`` wants field ids in the Arrow schema or a name mapping; a table that is to be created has neither.
- ``ArrowScan.to_record_batches`` reads a whole file into memory before it gives the first batch, and files that are merged
  have any size. What reads one file batch by batch is beneath it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pyarrow as pa
from pyiceberg.expressions import AlwaysTrue
from pyiceberg.schema import Schema, assign_fresh_schema_ids
from pyiceberg.table import FileScanTask, Table


@cache
def iceberg_schema(columns: pa.Schema) -> Schema:
    """Arrow columns as an Iceberg schema with fresh field ids; made once for each set of columns, of which there are few."""
    from pyiceberg.io.pyarrow import _pyarrow_to_schema_without_ids  # not needed where no table is made, and slow

    return assign_fresh_schema_ids(_pyarrow_to_schema_without_ids(columns))


def stream_batches(table: Table, task: FileScanTask) -> Iterator[pa.RecordBatch]:
    """The rows of one data file, batch by batch, without those that another engine deleted."""
    from pyiceberg.io.pyarrow import ArrowScan, _read_all_delete_files

    scan = ArrowScan(table.metadata, table.io, table.schema(), AlwaysTrue())
    yield from scan._record_batches_from_scan_tasks_and_deletes([task], _read_all_delete_files(table.io, [task]))
