"""Whether every column of written files can be read: what nobody can read must not become part of a table that all share.

The sums of the proof read the numbers; here all else is decoded as readers will do it: text by DuckDB, which checks that it is
UTF-8, maps by pyarrow, which leaves repeated text as codes (DuckDB takes three times as long for them).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from cost_lakehouse.formats.maps import has_repeats
from cost_lakehouse.formats.table_format import TableFormat


def unreadable(connection: duckdb.DuckDBPyConnection, files: Sequence[Path], table: TableFormat) -> list[str]:
    """What of the written files cannot be read, a sentence each; none: everything can."""
    summed, there = {*table.metrics}, {*pq.read_schema(files[0]).names}
    others = [field.name for field in table.schema if not pa.types.is_map(field.type) and field.name in there]
    counted = [name for name in others if name not in summed]
    paths = [str(path) for path in files]
    with ThreadPoolExecutor(max(1, os.cpu_count() or 1)) as pool:
        maps = pool.map(lambda path: _unreadable_maps(path, table), files)
        found = _uncounted(connection, paths, counted)
        return [*found, *(each for sentences in maps for each in sentences)]


def _uncounted(connection: duckdb.DuckDBPyConnection, paths: list[str], columns: Sequence[str]) -> list[str]:
    """The columns that DuckDB cannot read: all at once, and one by one only where that fails."""
    query = "select {} from read_parquet(?)"
    try:
        connection.execute(query.format(", ".join(f"count({name})" for name in columns)), [paths]).fetchall()
    except (duckdb.Error, UnicodeDecodeError) as error:
        if len(columns) == 1:
            return [f"column {columns[0]} cannot be read back: {_first_line(error)}"]
        found = [sentence for name in columns for sentence in _uncounted(connection, paths, [name])]
        return found or [f"its columns cannot be read back: {_first_line(error)}"]
    return []


def _unreadable_maps(path: Path, table: TableFormat) -> list[str]:
    names = [field.name for field in table.schema if pa.types.is_map(field.type)]
    metadata = pq.read_metadata(path)
    leaves = [metadata.schema.column(index).path for index in range(metadata.num_columns)]
    coded = [leaf for leaf in leaves if leaf.split(".")[0] in names]
    found: dict[str, str] = {}
    with pq.ParquetFile(path, metadata=metadata, read_dictionary=coded) as file:
        for group in range(metadata.num_row_groups):
            try:
                rows = file.read_row_group(group, columns=names, use_threads=False)
                for name in names:
                    for maps in rows.column(name).chunks:
                        maps.validate(full=True)
                        if has_repeats(maps):
                            found.setdefault(name, "a row has a key twice")
            except pa.ArrowException as error:
                found.setdefault("of maps", _first_line(error))
    return [f"column {name} cannot be read back: {reason}" for name, reason in found.items()]


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
