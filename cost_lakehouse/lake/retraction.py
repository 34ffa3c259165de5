"""Takes the rows of some objects out of a table's files: what stays is written anew, what goes is kept aside to be summed."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.table import FileScanTask, Table

from cost_lakehouse.errors import LakeError
from cost_lakehouse.formats.duckdb_paths import duckdb_path, parquet_rows
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.manifests import file_tasks
from cost_lakehouse.lake.rewrite import new_rewrite_id, read_rows
from cost_lakehouse.lake.slice_writer import SliceWriter
from cost_lakehouse.lake.slices import Slice


@dataclass
class Retraction:
    """What is taken out of one slice. Nothing is committed: ``dropped`` are to go, ``kept`` to come in the same commit."""

    dropped: set[str] = field(default_factory=set)  # locations of present files
    kept: list[str] = field(default_factory=list)  # locations of new files with the rows that stay
    gone: list[Path] = field(default_factory=list)  # files on this machine with the rows that go
    rows: int = 0  # that go


def retract(lake: Lake, table_name: str, slice_: Slice, objects: Collection[str], aside: Path) -> Retraction:
    """Rewrite the slice's files that hold rows of ``objects`` (their keys); rows that go are written below ``aside``.

    Raises LakeError where a file cannot be read, or rows were lost on the way.
    """
    table = lake.current(table_name)
    found = Retraction()
    with ExitStack() as stack:
        for task, rows in _files_with(lake, table, file_tasks(table, [slice_]), objects):
            rewrite_id = new_rewrite_id()
            folder = lake.data_folder(table_name, slice_)
            local = stack.enter_context(lake.warehouse.writing(folder, rewrite_id))
            stay, go = SliceWriter(local, rewrite_id, []), SliceWriter(aside, rewrite_id, [])
            kept = _part(read_rows(table, [task]), pa.array(sorted(objects)), stay, go)
            if kept + rows != task.file.record_count and not task.delete_files:
                raise LakeError(
                    f"{task.file.file_path} has {task.file.record_count} rows; {kept} would stay and {rows} go.",
                    "Nothing was committed. This is a defect: please report it with this message.",
                )
            found.dropped.add(task.file.file_path)
            found.kept += lake.warehouse.keep(stay.files, folder)
            found.gone += go.files
            found.rows += rows
    return found


def _part(batches: Iterator[pa.RecordBatch], objects: pa.Array, stay: SliceWriter, go: SliceWriter) -> int:
    """Write each row where it belongs; how many stay."""
    kept = 0
    for batch in batches:
        goes = pc.is_in(batch.column("file_name"), value_set=objects)
        staying = batch.filter(pc.invert(goes))
        kept += staying.num_rows
        stay.write(staying)
        go.write(batch.filter(goes))
    stay.close()
    go.close()
    return kept


def _files_with(
    lake: Lake, table: Table, tasks: Sequence[FileScanTask], objects: Collection[str]
) -> list[tuple[FileScanTask, int]]:
    """The files that hold rows of some objects, and how many; only the column of names is read."""
    found = []
    with duckdb.connect(":memory:") as connection:
        lake.warehouse.let_duckdb_read(connection)
        for task in tasks:
            rows = connection.execute(
                f"select count(*) from {parquet_rows()} where list_contains(?, file_name)",
                [duckdb_path(task.file.file_path), sorted(objects)],
            ).fetchall()[0][0]
            if rows:
                found.append((task, rows))
    return found
