"""Asks the lake: the engine that it is configured for, its tables as they are or as they were."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any

from pyiceberg.table import Table

from cost_lakehouse.ask.answer import Answer, Bill, rows_of
from cost_lakehouse.ask.dialects import DuckdbDialect, TrinoDialect
from cost_lakehouse.ask.request import Request
from cost_lakehouse.ask.statement import Dialect, Statement, statement_of, tables_of
from cost_lakehouse.errors import LakeError
from cost_lakehouse.lake import trino_client
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.duckdb_views import connect
from cost_lakehouse.lake.moments import tables_at

_STATES = "bill_status"


def answer(lake: Lake, request: Request, as_of: datetime | None = None) -> Answer:
    """What it cost, on the lake as it is, or as it was at a moment (UTC, without zone).

    Raises LakeError where the engine does not answer, nothing is summarised yet, or the moment's tables are not kept any more.
    """
    tables = _tables(lake, [f"marts.{name}" for name in (*tables_of(request), _STATES)], as_of)
    snapshots = {name: table.metadata.current_snapshot_id for name, table in tables.items()}
    with _reading(lake, tables) as fetch:
        dialect = _dialect(lake, snapshots)
        rows, totals = rows_of(request, fetch(statement_of(request, dialect)))
        bills = tuple(Bill(*row) for row in fetch(_bills_of(request, dialect)))
    return Answer(request, rows, totals, bills, snapshots, as_of)


def newest_month(lake: Lake) -> date | None:
    """The month of the newest bill that is published; None where there is none. Raises LakeError."""
    tables = _tables(lake, [f"marts.{_STATES}"], None)
    dialect = _dialect(lake, {name: table.metadata.current_snapshot_id for name, table in tables.items()})
    with _reading(lake, tables) as fetch:
        ((month,),) = fetch(Statement(f"select max(billing_period) from {dialect.table(_STATES)}"))
    return month if isinstance(month, date) else None


def _tables(lake: Lake, names: Sequence[str], as_of: datetime | None) -> dict[str, Table]:
    there = set(lake.table_names())
    if missing := [name for name in names if name not in there]:
        raise LakeError(
            f"There is no table {', '.join(missing)} yet.",
            "Run `cost-lakehouse run`: it loads what is delivered and summarises it.",
        )
    if as_of is None:
        return {name: lake.current(name) for name in names}
    shown = tables_at(lake, as_of, lambda name: name in names)
    return {name: shown[name] for name in names}


@contextmanager
def _reading(lake: Lake, tables: Mapping[str, Table]) -> Iterator[Callable[[Statement], list[tuple[Any, ...]]]]:
    """Runs statements on the lake's engine."""
    if lake.settings.lake.engine == "trino":
        yield lambda made: trino_client.rows(lake.settings, made.sql, made.parameters)
        return
    with connect(lake, tables=tables) as connection:
        connection.execute("set autoinstall_known_extensions = false")
        yield lambda made: connection.execute(made.sql, made.parameters).fetchall()


def _dialect(lake: Lake, snapshots: Mapping[str, int | None]) -> Dialect:
    if lake.settings.lake.engine == "trino":
        return TrinoDialect(trino_client.trino_settings(lake.settings).catalog, snapshots)
    return DuckdbDialect()


def _bills_of(request: Request, dialect: Dialect) -> Statement:
    """The published bills of the range's months."""
    made = Statement()
    made.sql = f"""
select distinct source, billing_period, delivery_id, state
from {dialect.table(_STATES)}
where billing_period >= {made.bind(request.range.begin.replace(day=1))} and billing_period < {made.bind(request.range.end)}
order by source, billing_period, delivery_id, state
"""
    return made
