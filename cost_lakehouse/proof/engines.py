"""The engines that answer what is behind a number: DuckDB in memory, on the current snapshots, or the lake's Trino."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import duckdb

from cost_lakehouse.errors import LakeError
from cost_lakehouse.formats.table_format import FORMATS
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.duckdb_views import connect, create_views, raw_table_names
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.lake.trino_client import rows, running, trino_settings
from cost_lakehouse.proof.explain import Engine
from cost_lakehouse.proof.mart_lines import lines_query


@contextmanager
def engine_of(lake: Lake, mart: str) -> Iterator[Engine]:
    """The engine that the lake is configured for, ready to be asked about a mart. Raises LakeError."""
    if lake.settings.lake.engine == "trino":
        yield _Trino(lake)
        return
    with connect(lake, [name for name in lake.table_names() if name == f"marts.{mart}"]) as connection:
        connection.execute("set autoinstall_known_extensions = false")
        yield _Duckdb(connection)


class _Duckdb:
    """A result that is needed again is kept as a temporary table."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(sql).fetchall()
        except duckdb.Error as error:
            raise _refused(error) from None

    def columns(self, relation: str) -> list[str]:
        return [column[0] for column in self._connection.execute(f"select * from {relation} limit 0").description or ()]

    def keep(self, name: str, sql: str) -> str:
        self.rows(f"create or replace temporary table {name} as {sql}")
        return name

    def lines(self, lake: Lake, mart: str, slices: Sequence[Slice]) -> str:
        create_views(self._connection, lake, raw_table_names(), slices)
        sql = lines_query(lake, mart, _plain_name)
        self.rows(f"create or replace temporary view mart_lines as {sql}")
        return "mart_lines"


class _Trino:
    """Nothing is kept: every question reads the tables again, of the months that it is about alone."""

    def __init__(self, lake: Lake) -> None:
        self._settings = lake.settings
        self._catalog = trino_settings(lake.settings).catalog

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return rows(self._settings, sql, schema="marts")

    def columns(self, relation: str) -> list[str]:
        with running(self._settings, f"select * from {relation} limit 0", schema="marts") as result:
            return result.names

    def keep(self, name: str, sql: str) -> str:
        return f"({sql})"

    def lines(self, lake: Lake, mart: str, slices: Sequence[Slice]) -> str:
        condition = " or ".join(f"({slice_.condition})" for slice_ in slices)

        def raw_table(name: str) -> str:
            relation = f'"{self._catalog}".{_plain_name(name)}'
            return f"(select * from {relation} where {condition})" if name in FORMATS else relation

        return f"({lines_query(lake, mart, raw_table)})"


def _plain_name(name: str) -> str:
    schema, table = name.split(".")
    return f'{schema}."{table}"'


def _refused(error: duckdb.Error) -> LakeError:
    said = str(error).splitlines()[0]
    return LakeError(f"DuckDB does not take the condition: {said}", "Correct it; columns are those of the mart.")
