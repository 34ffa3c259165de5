"""Parquet files as DuckDB's ``read_parquet`` is to take them: just these, whatever the folders that they lie in are called."""

from __future__ import annotations

from collections.abc import Sequence

# DuckDB takes these for patterns, and has no escape character but a class of one.
_PATTERNS = str.maketrans({"*": "[*]", "?": "[?]", "[": "[[]"})


def duckdb_path(location: str) -> str:
    """The location (``file:///a``, ``/a`` or ``s3://b/k``) as a path that stands for this one file alone."""
    return location.removeprefix("file://").translate(_PATTERNS)


def duckdb_paths(locations: Sequence[str]) -> list[str]:
    """As ``duckdb_path``, of each location: for a bound parameter."""
    return [duckdb_path(location) for location in locations]


def duckdb_list(locations: Sequence[str]) -> str:
    """As ``duckdb_path``, of each location: a list literal of SQL."""
    return "[" + ", ".join("'" + duckdb_path(location).replace("'", "''") + "'" for location in locations) + "]"


def parquet_rows(files: str = "?", *options: str) -> str:
    """The table function that reads files (a list literal, or a parameter) and nothing else.

    DuckDB would take the value of a folder called ``name=value``, wherever it stands in a path, for the column of that name.
    """
    return f"read_parquet({', '.join((files, 'hive_partitioning = false', *options))})"
