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

from cost_lakehouse.formats.duckdb_paths import duckdb_paths, parquet_rows
from cost_lakehouse.formats.maps import has_repeats
from cost_lakehouse.formats.table_format import TableFormat


def unreadable(connection: duckdb.DuckDBPyConnection, files: Sequence[Path], table: TableFormat) -> list[str]:
    """What of the written files cannot be read, a sentence each; none: everything can."""
    there = {*pq.read_schema(files[0]).names}
    texts = [field.name for field in table.schema if pa.types.is_string(field.type) and field.name in there]
    others = [field.name for field in table.schema if not pa.types.is_nested(field.type) and field.name in there]
    looks = [f"max(strlen({name}))" if name in texts else f"max({name})" for name in others if name not in table.metrics]
    paths = duckdb_paths([str(path) for path in files])
    with ThreadPoolExecutor(max(1, os.cpu_count() or 1)) as pool:
        maps = pool.map(lambda path: _unreadable_maps(path, table), files)
        found = _unseen(connection, paths, looks)
        return [*found, *(sentence for sentences in maps for sentence in sentences)]


def _unseen(connection: duckdb.DuckDBPyConnection, paths: list[str], looks: Sequence[str]) -> list[str]:
    """The columns that DuckDB cannot read: all at once, and one by one only where that fails.

    Lengths make it decode texts; a count would be answered by the file's statistics.
    """
    try:
        connection.execute(f"select {', '.join(looks)} from {parquet_rows()}", [paths]).fetchall()
    except duckdb.Error as error:
        if len(looks) == 1:
            column = looks[0].removesuffix(")").removesuffix(")").rpartition("(")[2]
            return [f"column {column} cannot be read back: {_first_line(error)}"]
        found = [sentence for look in looks for sentence in _unseen(connection, paths, [look])]
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
