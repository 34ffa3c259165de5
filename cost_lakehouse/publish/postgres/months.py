"""How a source's month takes its old rows' place in one table: a few rows among the others', many as a table of their own.

A table of its own is filled before anything has an index, and frozen, as nobody sees it yet: three times as fast. It counts in
PostgreSQL's locks and plans, though, so only months of many rows get one.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import duckdb
import psycopg2  # type: ignore[import-untyped]  # its stubs are no dependency

from cost_lakehouse.errors import PushFailed
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.duckdb_views import connect
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.publish.postgres.rows import ROWS_A_BATCH, csv_rows
from cost_lakehouse.publish.postgres.tables import create_part, index_part, month_of, order_of, quoted, rest_of

MANY_ROWS = 100_000
"""From so many rows on a source's month has a table of its own."""
TURN_SECONDS = 2
TURNS = 30
_MEMORY = "128MB"
_READ_BYTES = 1 << 20


@dataclass(frozen=True)
class Filled:
    """Rows that were brought and counted. ``part`` is the table they are in until it is attached; None where they are there."""

    table: str
    rows: int
    part: str | None
    old: str | None  # the table whose place it takes


class MonthTables:
    """The tables of one schema, in one transaction: ``fill`` each of them, then ``attach`` what was filled aside."""

    def __init__(self, lake: Lake, schema: str, place: str, cursor: Any) -> None:
        self._lake = lake
        self._schema = schema
        self._place = place
        self._cursor = cursor

    def fill(self, slice_: Slice, table: str, columns: Mapping[str, str]) -> Filled:
        """Bring the mart's rows, and prove that they are there. Raises PushFailed where they are not the mart's."""
        old = self._part_of(slice_, table)
        with self._mart(slice_, table, columns) as (marts, rows_of, expected):
            # Once it has one it keeps one: the others' table takes no rows of a source that has its own.
            part = self._new_part(slice_, table) if old is not None or expected[0] >= MANY_ROWS else None
            place = self._named(part or rest_of(table, slice_.billing_period))
            if part is None:
                self._cursor.execute(f"delete from {place} where source = %s", [slice_.source])
            names = ", ".join(map(quoted, columns))
            options = "format csv, freeze" if part else "format csv"
            if part is not None:
                rows_of += _in_order(marts, f"from marts.{table} where {slice_.condition}", columns)
            with csv_rows(marts.execute(rows_of).to_arrow_reader(ROWS_A_BATCH)) as rows:
                self._cursor.copy_expert(f"copy {place} ({names}) from stdin with ({options})", rows, _READ_BYTES)
        self._prove(slice_, table, columns, place, expected)
        if part is not None:
            for statement in index_part(self._schema, part, columns):
                self._cursor.execute(statement)
        return Filled(table, int(expected[0]), part, old)

    def attach(self, slice_: Slice, filled: Sequence[Filled]) -> None:
        """Let what was filled aside take the place of what was there. Raises PushFailed where readers let nobody in."""
        aside = [(one, one.part) for one in filled if one.part is not None]
        if not aside:
            return
        self._take_turn([month_of(one.table, slice_.billing_period) for one, _ in aside])
        for one, made in aside:
            if one.old is not None:
                self._cursor.execute(f"drop table {one.old}")
            # Its rows among the others' go, or the two would overlap.
            rest = self._named(rest_of(one.table, slice_.billing_period))
            self._cursor.execute(f"delete from {rest} where source = %s", [slice_.source])
            month, part = self._named(month_of(one.table, slice_.billing_period)), self._named(made)
            self._cursor.execute(f"alter table {month} attach partition {part} for values in (%s)", [slice_.source])
            self._cursor.execute(f"alter table {part} drop constraint one_slice")

    @contextmanager
    def _mart(
        self, slice_: Slice, table: str, columns: Mapping[str, str]
    ) -> Iterator[tuple[duckdb.DuckDBPyConnection, str, Sequence[Any]]]:
        """A connection, the SELECT of the rows, and what they come to."""
        where = f"from marts.{table} where {slice_.condition}"
        with connect(self._lake, [f"marts.{table}"]) as marts:
            expected = marts.execute(f"select {_sums(columns)} {where}").fetchall()[0]
            yield marts, f"select {', '.join(map(quoted, columns))} {where}", expected

    def _new_part(self, slice_: Slice, table: str) -> str:
        name = f"{month_of(table, slice_.billing_period)}_{uuid.uuid4().hex[:8]}"
        self._cursor.execute(f"set local maintenance_work_mem = '{_MEMORY}'")
        self._cursor.execute(create_part(self._schema, table, slice_, name))
        return name

    def _part_of(self, slice_: Slice, table: str) -> str | None:
        """The table of a source's month alone, as SQL names it, whatever it is called; None where it has none."""
        self._cursor.execute(
            "select c.oid::regclass::text from pg_inherits i join pg_class c on c.oid = i.inhrelid "
            "where i.inhparent = %s::regclass and pg_get_expr(c.relpartbound, c.oid) = format('FOR VALUES IN (%%L)', %s::text)",
            [self._named(month_of(table, slice_.billing_period)), slice_.source],
        )
        return next((row[0] for row in self._cursor.fetchall()), None)

    def _prove(self, slice_: Slice, table: str, columns: Mapping[str, str], place: str, expected: Sequence[Any]) -> None:
        self._cursor.execute(f"select {_sums(columns)} from {place} where source = %s", [slice_.source])
        there = self._cursor.fetchall()[0]
        if [Decimal(item) for item in there] != [Decimal(item) for item in expected]:
            raise PushFailed(
                f"{self._place}: {slice_}, {table}: what arrived is not the mart: {list(map(str, there))} and not "
                f"{list(map(str, expected))} (rows, {', '.join(_amounts(columns))}).",
                "Nothing was committed. Look for triggers or rules on the table.",
            )

    def _take_turn(self, months: Sequence[str]) -> None:
        """Lock readers out for the moment of the change.

        Who waits for such a lock holds up everybody behind him: so only for two seconds at a time, then the others go first.
        """
        self._cursor.execute(f"set local lock_timeout = '{TURN_SECONDS}s'")
        named = ", ".join(self._named(month) for month in sorted(months))
        for turn in range(1, TURNS + 1):
            self._cursor.execute("savepoint turn")
            try:
                self._cursor.execute(f"lock table only {named} in access exclusive mode")
                break
            except psycopg2.errors.LockNotAvailable:
                self._cursor.execute("rollback to savepoint turn")
                if turn == TURNS:
                    raise PushFailed(
                        f"{self._place}: {', '.join(sorted(months))} cannot be changed: queries read there without a pause.",
                        "The next run tries again; look for queries that do not end.",
                    ) from None
        self._cursor.execute(f"set local lock_timeout = '{TURN_SECONDS * TURNS}s'")

    def _named(self, table: str) -> str:
        return f"{quoted(self._schema)}.{quoted(table)}"


def _in_order(marts: duckdb.DuckDBPyConnection, rows: str, columns: Mapping[str, str]) -> str:
    """ORDER BY as the index of a table of its own wants it; texts as numbers of an enum, which sort in half the time."""
    keys: list[str] = []
    for column in order_of(columns):
        key = quoted(column)
        if columns[column] == "text":
            text, kind = f"coalesce({key}, '')", quoted(f"order_of_{column}")
            marts.execute(f"create type {kind} as enum (select '' union select {text} {rows} order by 1)")
            key = f"{text}::{kind}"
        keys.append(key)
    return f" order by {', '.join(keys)}" if keys else ""


def _amounts(columns: Mapping[str, str]) -> list[str]:
    return [name for name, kind in columns.items() if kind.startswith("numeric")]


def _sums(columns: Mapping[str, str]) -> str:
    """How many rows, and the exact sum of each amount, on either side."""
    return ", ".join(["count(*)", *(f"coalesce(sum({quoted(name)}), 0)" for name in _amounts(columns))])
