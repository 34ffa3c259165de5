"""Writes rows into the lake's small tables, such as logs and invoices: whole slices, or rows beside those that are there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from cost_lakehouse.lake.catalog import Lake, table_folder
from cost_lakehouse.lake.replace import replace_files
from cost_lakehouse.lake.slice_writer import SliceWriter, new_load_id
from cost_lakehouse.lake.slices import Slice

Rows = Mapping[Slice, Sequence[Mapping[str, Any]]]


def replace_rows(lake: Lake, name: str, schema: pa.Schema, rows: Rows, guard: Callable[[], None] | None = None) -> None:
    """Make these the only rows of the given slices, in one commit; a slice without rows is emptied.

    ``guard`` may call the commit off before each attempt. Raises LakeError where it keeps colliding with others.
    """
    _commit(lake, name, schema, rows, True, guard)


def replace_table(lake: Lake, name: str, schema: pa.Schema, rows: Sequence[Mapping[str, Any]]) -> None:
    """Make these the only rows of a table that has no months, in one commit. Raises as ``replace_rows``."""
    load_id = new_load_id()
    files = _written(lake, f"{table_folder(name)}/data", schema, rows, load_id)
    replace_files(lake, name, None, files, lambda table, file: True, {"load-id": load_id})


def append_rows(lake: Lake, name: str, schema: pa.Schema, rows: Rows, guard: Callable[[], None] | None = None) -> None:
    """Add rows to those that are there, in one commit; no row, no commit. Raises as ``replace_rows``."""
    if any(rows.values()):
        _commit(lake, name, schema, rows, False, guard)


def _commit(lake: Lake, name: str, schema: pa.Schema, rows: Rows, replace: bool, guard: Callable[[], None] | None) -> None:
    load_id = new_load_id()
    files: list[str] = []
    for slice_, of_slice in sorted(rows.items()):
        files += _written(lake, lake.data_folder(name, slice_), schema, of_slice, load_id)
    replace_files(lake, name, sorted(rows), files, lambda table, file: replace, {"load-id": load_id}, guard)


def _written(lake: Lake, folder: str, schema: pa.Schema, rows: Sequence[Mapping[str, Any]], load_id: str) -> list[str]:
    """New files with these rows, which nobody sees before the commit that names them; none where there is no row."""
    if not rows:
        return []
    with lake.warehouse.writing(folder, load_id) as local:
        writer = SliceWriter(local, load_id, [])
        for batch in pa.Table.from_pylist([dict(row) for row in rows], schema=schema).to_batches():
            writer.write(batch)
        writer.close()
        return lake.warehouse.keep(writer.files, folder)
