"""The engines that answer what is behind a number: DuckDB in memory, on the current snapshots, or the lake's Trino."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from threading import Timer
from time import monotonic
from typing import Any

import duckdb
from pyiceberg.table import Table

from cost_lakehouse.errors import LakeError
from cost_lakehouse.formats.table_format import FORMATS
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.duckdb_views import connect, create_views, raw_table_names, shown_statement
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.lake.table_by_month import condition_of, relation_at, version_of
from cost_lakehouse.lake.trino_client import TimeIsUp, rows, running, trino_settings
from cost_lakehouse.proof.mart_lines import lines_query
from cost_lakehouse.proof.protocols import Engine, Reader
from cost_lakehouse.summaries.dbt_project import ParsedProject
from cost_lakehouse.summaries.trino_build import build_schema

_AT_ONCE = 5_000
_RECEIPTS = "raw.receipts"


@contextmanager
def engine_of(lake: Lake, mart: str, seconds: float | None = None) -> Iterator[Engine]:
    """The engine that the lake is configured for, ready to be asked about a mart; for so many seconds (None: any number).

    Raises LakeError.
    """
    if lake.settings.lake.engine == "trino":
        with build_schema(lake) as schema:
            yield _Trino(lake, schema, seconds)
        return
    with connect(lake, [name for name in lake.table_names() if name == f"marts.{mart}"]) as connection:
        connection.execute("set autoinstall_known_extensions = false")
        with _ended_after(connection, seconds):
            yield _Duckdb(connection)


@contextmanager
def _ended_after(connection: duckdb.DuckDBPyConnection, seconds: float | None) -> Iterator[None]:
    """Whatever the connection does after so many seconds is interrupted. Raises LakeError where it was."""
    timer = Timer(seconds, connection.interrupt) if seconds is not None else None
    if timer is not None:
        timer.daemon = True
        timer.start()
    try:
        yield
    finally:
        if timer is not None:
            timer.cancel()


@contextmanager
def reader_of(lake: Lake) -> Iterator[Reader]:
    """The lake's tables to read from, each as it is now. Raises LakeError."""
    if lake.settings.lake.engine == "trino":
        yield _Trino(lake)
        return
    with connect(lake) as connection:
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

    def stream(self, sql: str) -> Iterator[tuple[Any, ...]]:
        result = self._connection.execute(sql)
        while found := result.fetchmany(_AT_ONCE):
            yield from found

    def columns(self, relation: str) -> list[str]:
        return [column[0] for column in self._connection.execute(f"select * from {relation} limit 0").description or ()]

    def same(self, left: str, right: str) -> str:
        return f"{left} is not distinct from {right}"

    def keep(self, name: str, sql: str) -> str:
        self.rows(f"create or replace temporary table {name} as {sql}")
        return name

    def _show(self, name: str, sql: str) -> str:
        self.rows(f"create or replace temporary view {name} as {sql}")
        return name

    def lines(
        self,
        lake: Lake,
        project: ParsedProject,
        mart: str,
        slices: Sequence[Slice],
        tables: Mapping[str, Table] | None = None,
        until: datetime | None = None,
        picked: Mapping[str, str] | None = None,
    ) -> str:
        create_views(self._connection, lake, raw_table_names(), slices)
        if tables:
            create_views(self._connection, lake, slices=slices, tables=tables)
        if until is not None:
            receipts = shown_statement(lake.current(_RECEIPTS))
            self.rows(f"create or replace view {_RECEIPTS} as select * from ({receipts}) {_loaded(until)}")
        sql = lines_query(lake, project, mart, _plain_name, self.keep, picked, self._show)
        self.rows(f"create or replace temporary view mart_lines as {sql}")
        return "mart_lines"

    def raw(self, name: str) -> str:
        return _plain_name(name)


class _Trino:
    """What is needed again is kept in a schema of its own, where there is one."""

    def __init__(self, lake: Lake, schema: str = "", seconds: float | None = None) -> None:
        self._settings = lake.settings
        self._until = None if seconds is None else monotonic() + seconds
        self._catalog = trino_settings(lake.settings).catalog
        self._schema = schema
        self._raw_table: Callable[[str], str] = _plain_name

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        left = None if self._until is None else self._until - monotonic()
        if left is not None and left <= 0:
            raise _too_long()
        try:
            return rows(self._settings, sql, schema="marts", seconds=left)
        except TimeIsUp:
            raise _too_long() from None

    def stream(self, sql: str) -> Iterator[tuple[Any, ...]]:
        with running(self._settings, sql, schema="marts") as result:
            yield from map(tuple, result.rows)

    def columns(self, relation: str) -> list[str]:
        with running(self._settings, f"select * from {relation} limit 0", schema="marts") as result:
            return result.names

    def same(self, left: str, right: str) -> str:
        # Trino 476 finds no row where some of many columns that are compared by `is not distinct from` are null.
        return " = ".join(f"coalesce(cast({column} as varchar), chr(30))" for column in (left, right))

    def keep(self, name: str, sql: str) -> str:
        relation = f'"{self._catalog}".{self._schema}.{name}'
        self.rows(f"create table {relation} as {sql}")
        return relation

    def lines(
        self,
        lake: Lake,
        project: ParsedProject,
        mart: str,
        slices: Sequence[Slice],
        tables: Mapping[str, Table] | None = None,
        until: datetime | None = None,
        picked: Mapping[str, str] | None = None,
    ) -> str:
        condition = condition_of(tuple(slices))
        shown = tables or {}
        # What is kept of another moment has another name: its tables are there until the end.
        ending = f"_{until:%Y%m%d%H%M%S%f}" if until is not None else ""

        def raw_table(name: str) -> str:
            relation = f'"{self._catalog}".{_plain_name(name)}'
            if name == _RECEIPTS and until is not None:
                return f"(select * from {relation} {_loaded(until)})"
            at = relation_at(relation, version_of(shown[name])) if name in shown else relation
            return f"(select * from {at} where {condition})" if name in FORMATS else relation

        self._raw_table = raw_table
        query = lines_query(lake, project, mart, raw_table, lambda name, sql: self.keep(f"{name}{ending}", sql), picked)
        return f"({query})"

    def raw(self, name: str) -> str:
        return self._raw_table(name)


def _loaded(until: datetime) -> str:
    return f"where loaded_at <= timestamp '{until:%Y-%m-%d %H:%M:%S.%f}'"


def _plain_name(name: str) -> str:
    schema, table = name.split(".")
    return f'{schema}."{table}"'


def _refused(error: duckdb.Error) -> LakeError:
    if isinstance(error, duckdb.InterruptException):
        return _too_long()
    said = str(error).splitlines()[0]
    return LakeError(f"DuckDB does not take the condition: {said}", "Correct it; columns are those of the mart.")


def _too_long() -> LakeError:
    return LakeError("It took longer than it may.", "Pick fewer rows, or raise serve.timeout_seconds in lakehouse.yaml.")
