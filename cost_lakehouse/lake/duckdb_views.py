"""Shows the lake's tables to DuckDB: a view over the files of each current snapshot; nothing is copied or locked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import duckdb
from pyiceberg.table import Table

from cost_lakehouse.errors import LakeError
from cost_lakehouse.formats.duckdb_paths import duckdb_list
from cost_lakehouse.formats.table_format import FORMATS
from cost_lakehouse.lake.catalog import NAMESPACES, Lake
from cost_lakehouse.lake.manifests import Span, file_tasks, within
from cost_lakehouse.lake.remembered import Remembered
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.lake.table_by_month import ShownTable, condition_of
from cost_lakehouse.lake.tables import raw_tables, read_marts

_PARTITIONS = 2  # source and billing period
_statements: Remembered[str] = Remembered(20_000_000, len)


def connect(
    lake: Lake,
    names: Sequence[str] | None = None,
    tables: Mapping[str, ShownTable] | None = None,
    spans: Sequence[Span] = (),
) -> duckdb.DuckDBPyConnection:
    """An in-memory DuckDB with a view for every table of the lake, or for ``names`` only.

    Every view shows the snapshot that is current now; later commits do not disturb a query. Given ``tables``, by name, are
    shown instead: as they were at another moment. With ``spans`` a view may lack rows of other days than theirs: what is asked
    has to leave these out itself.
    """
    connection = duckdb.connect(":memory:")
    connection.execute("set timezone = 'UTC'")
    create_views(connection, lake, names, tables=tables, spans=spans)
    return connection


def create_views(
    connection: duckdb.DuckDBPyConnection,
    lake: Lake,
    names: Sequence[str] | None = None,
    slices: Sequence[Slice] | None = None,
    tables: Mapping[str, ShownTable] | None = None,
    spans: Sequence[Span] = (),
) -> None:
    """Create or replace the views ``raw.*`` and ``marts.*`` (or ``names`` only, or of ``tables``) in the connection's database.

    Of line items, ``slices`` alone are shown where they are given; ledgers are always shown whole.
    """
    lake.warehouse.let_duckdb_read(connection)
    given = tables or {}
    chosen = list(given) or (lake.table_names() if names is None else list(names))
    for namespace in NAMESPACES:
        connection.execute(f"create schema if not exists {namespace}")
    for name in chosen:
        namespace, table_name = name.split(".")
        shown = shown_statement(given.get(name) or lake.current(name), slices if name in FORMATS else None, spans)
        connection.execute(f'create or replace view {namespace}."{table_name}" as {shown}')


def create_published_views(connection: duckdb.DuckDBPyConnection, lake: Lake, slices: Sequence[Slice] | None = None) -> None:
    """Create or replace ``published.*``: what is published of marts whose models read it, while they build ``marts.*`` anew."""
    connection.execute("create schema if not exists published")
    for name in read_marts():
        shown = select_statement(lake.current(name), slices)
        connection.execute(f'create or replace view published."{name.split(".")[1]}" as {shown}')


def shown_statement(shown: ShownTable, slices: Sequence[Slice] | None = None, spans: Sequence[Span] = ()) -> str:
    """The SELECT of a table at one snapshot (of ``slices`` alone if given), or month by month. Raises LakeError."""
    if isinstance(shown, Table):
        return select_statement(shown, slices, spans)
    parts = [f"select * from ({select_statement(table, months)}) where {condition_of(months)}" for table, months in shown.parts]
    return " union all by name ".join(parts)


def select_statement(table: Table, slices: Sequence[Slice] | None = None, spans: Sequence[Span] = ()) -> str:
    """The SELECT that shows a table's current snapshot, with the table's columns in order; of ``slices`` alone if given.

    Raises LakeError where another engine deleted rows without rewriting their files: DuckDB would show them still.
    """
    if slices is not None:
        return _select_statement(table, slices, spans)
    # A snapshot's files never change: a server asks for the same days of the same snapshots again and again.
    metadata = table.metadata
    key = repr((table.metadata_location, metadata.current_snapshot_id, metadata.current_schema_id, tuple(spans)))
    return _statements.get(key, lambda: _select_statement(table, None, spans))


def _select_statement(table: Table, slices: Sequence[Slice] | None, spans: Sequence[Span]) -> str:
    columns = [(field.name, _duckdb_type(str(field.field_type))) for field in table.schema().fields]
    tasks = within(table, file_tasks(table, slices), spans)
    if any(task.delete_files for task in tasks):
        raise LakeError(
            f"{'.'.join(table.name())} holds rows that another engine deleted without rewriting their files.",
            "Run `cost-lakehouse maintain`: it rewrites these files.",
        )
    paths = [task.file.file_path.removeprefix("file://") for task in tasks]
    nothing = "select " + ", ".join(f'cast(null as {kind}) as "{name}"' for name, kind in columns) + " where false"
    if not paths:
        return nothing
    # A file written before a column was added lacks it, and all that are shown may: only then are footers worth opening.
    grown = len(table.metadata.schemas) > 1
    by_name = ", union_by_name = true" if grown else ""
    # Partition values are taken from the paths, so that a filter on them skips files unopened.
    # Not where a folder above is called `name=value` too: DuckDB would take its value for the column of that name.
    in_paths = all("/source=" in path and "/billing_period=" in path and path.count("=") == _PARTITIONS for path in paths)
    partitions = (
        "hive_partitioning = true, hive_types = {'source': varchar, 'billing_period': date}"
        if in_paths
        else "hive_partitioning = false"
    )
    shown = ", ".join(f'"{name}"' for name, _ in columns)
    files = f"read_parquet({duckdb_list(paths)}, {partitions}{by_name})"
    if grown:
        files = f"(select * from {files} union all by name {nothing})"
    return f"select {shown} from {files}"


def raw_table_names() -> list[str]:
    """The raw tables that always exist."""
    return sorted(raw_tables())


def _duckdb_type(iceberg_type: str) -> str:
    """An Iceberg type as DuckDB spells it."""
    simple = {"string": "varchar", "long": "bigint", "int": "integer"}
    if iceberg_type.startswith("map<"):
        return "map(varchar, varchar)"
    return simple.get(iceberg_type, iceberg_type)
