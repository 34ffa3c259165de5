"""Reads a ledger's rows from the files that hold them, each once a process: files never change, and every load adds some.

A process that had to open many of them keeps what it read for the next one.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date
from typing import Any

import duckdb
import pyarrow as pa

from cost_lakehouse.formats.duckdb_paths import duckdb_paths, parquet_rows
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.data_files import load_of
from cost_lakehouse.lake.duckdb_views import connect
from cost_lakehouse.lake.kept_rows import keep_rows, kept_rows
from cost_lakehouse.lake.manifests import file_tasks, slice_of
from cost_lakehouse.lake.remembered import Remembered
from cost_lakehouse.lake.slices import Slice

Row = tuple[Any, ...]
MANY_FILES = 200
"""From so many files on, what others have read is asked for, and what is read is kept: each takes milliseconds to open."""
_ROWS: Remembered[tuple[Row, ...]] = Remembered(500_000, len)


def ledger_rows(
    lake: Lake,
    name: str,
    schema: pa.Schema,
    slices: Collection[Slice] | None = None,
    months: Collection[date] | None = None,
    source: str | None = None,
    load: str | None = None,
) -> list[Row]:
    """A ledger's rows as tuples in the order of ``schema``, its columns or some; of given slices, months or a source alone.

    With ``load``, files that other loads wrote are left out: there may be rows of others all the same.
    """
    tasks = file_tasks(lake.current(name), None if slices is None else sorted(slices), months)
    if source is not None:
        tasks = [task for task in tasks if slice_of(task.file).source == source]
    if load is not None:
        tasks = [task for task in tasks if load_of(task.file) in (load, None)]
    if any(task.delete_files for task in tasks):
        with connect(lake, [name]) as connection:  # says what to do
            connection.execute(f"select 1 from {name}")
    locations = [task.file.file_path for task in tasks]
    known = {candidate: _ROWS.known(_key(candidate, schema)) for candidate in locations}
    unread = [item for item, rows in known.items() if rows is None]
    found: dict[str, tuple[Row, ...]] = {}
    if len(unread) >= MANY_FILES:
        kept = kept_rows(lake.warehouse, name, schema)
        found = {item: tuple(kept[item]) for item in unread if item in kept}
    opened = [item for item in unread if item not in found]
    found |= _read(lake, opened, schema) if opened else {}
    for location, rows in found.items():
        _ROWS.put(_key(location, schema), rows)
    by_location = {candidate: known[candidate] or found.get(candidate, ()) for candidate in locations}
    is_whole = slices is None and months is None and source is None and load is None
    if is_whole and len(opened) >= MANY_FILES:
        keep_rows(lake.warehouse, name, schema, by_location)
    return [row for candidate in locations for row in by_location[candidate]]


def _key(location: str, schema: pa.Schema) -> str:
    return f"{location} {' '.join(schema.names)}"


def _read(lake: Lake, locations: Sequence[str], schema: pa.Schema) -> dict[str, tuple[Row, ...]]:
    """Every file's rows. A file of before a column was added lacks it."""
    by_path = {candidate.removeprefix("file://"): candidate for candidate in locations}
    found: dict[str, list[Row]] = {candidate: [] for candidate in locations}
    with duckdb.connect(":memory:") as connection:
        connection.execute("set timezone = 'UTC'")
        lake.warehouse.let_duckdb_read(connection)
        connection.register("nothing", pa.Table.from_pylist([], schema=schema))
        files = parquet_rows("?", "union_by_name = true", "filename = true")
        rows = connection.execute(
            f"select filename, {', '.join(schema.names)} from (select * from {files} union all by name select * from nothing)",
            [duckdb_paths(locations)],
        ).fetchall()
    for path, *row in rows:
        found[by_path[path]].append(tuple(row))
    return {location: tuple(of_one) for location, of_one in found.items()}
