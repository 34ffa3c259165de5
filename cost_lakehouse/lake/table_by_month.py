"""A table each of whose months is shown as it was at a moment of its own, for DuckDB and Trino."""

from __future__ import annotations

from dataclasses import dataclass

from pyiceberg.table import Table

from cost_lakehouse.lake.slices import Slice

_TRINO_TYPES = {"string": "varchar", "long": "bigint", "int": "integer", "timestamp": "timestamp(6)"}


@dataclass(frozen=True)
class TableByMonth:
    """Some months of a table with slices, each at a snapshot; other months have no rows. The newest moment comes first."""

    parts: tuple[tuple[Table, tuple[Slice, ...]], ...]


ShownTable = Table | TableByMonth
"""A table at one snapshot, or month by month."""


@dataclass(frozen=True)
class VersionByMonth:
    """The same as Trino is told of it: the columns of all parts with their types; of each part its snapshot (None: it was
    empty), the columns that it had, and the condition of its months.
    """

    columns: tuple[tuple[str, str], ...]
    parts: tuple[tuple[int | None, frozenset[str], str], ...]


Version = int | None | VersionByMonth
"""A snapshot, nothing (the table was empty then), or months at several snapshots."""


def version_of(shown: ShownTable) -> Version:
    """Which snapshots a table is shown at."""
    if isinstance(shown, Table):
        return shown.metadata.current_snapshot_id
    columns: dict[str, str] = {}
    parts = []
    for table, slices in shown.parts:
        fields = {field.name: _trino_type(str(field.field_type)) for field in table.schema().fields}
        columns |= {name: kind for name, kind in fields.items() if name not in columns}
        parts.append((table.metadata.current_snapshot_id, frozenset(fields), condition_of(slices)))
    return VersionByMonth(tuple(columns.items()), tuple(parts))


def columns_of(shown: ShownTable) -> list[str]:
    """The table's columns, of all its parts, in order."""
    parts = [shown] if isinstance(shown, Table) else [table for table, _ in shown.parts]
    return list(dict.fromkeys(field.name for table in parts for field in table.schema().fields))


def condition_of(slices: tuple[Slice, ...]) -> str:
    """The slices as one SQL condition."""
    return " or ".join(f"({slice_.condition})" for slice_ in slices)


def relation_at(relation: str, version: Version) -> str:
    """What Trino selects from: the relation at a version. Pure."""
    if version is None:
        return f"(select * from {relation} where false)"
    if isinstance(version, int):
        return f"{relation} for version as of {version}"
    selects = []
    for snapshot, present, condition in version.parts:
        columns = ", ".join(
            f'"{name}"' if name in present else f'cast(null as {kind}) as "{name}"' for name, kind in version.columns
        )
        at, where = ("", "false") if snapshot is None else (f" for version as of {snapshot}", condition)
        selects.append(f"select {columns} from {relation}{at} where {where}")
    return f"({' union all '.join(selects)})"


def _trino_type(iceberg_type: str) -> str:
    return "map(varchar, varchar)" if iceberg_type.startswith("map<") else _TRINO_TYPES.get(iceberg_type, iceberg_type)
