"""Reads the lake's tables, as they are or as they were, with the engine that it is configured for; no longer than allowed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Timer
from time import monotonic
from typing import Any

import duckdb

from cost_lakehouse.ask.dialects import DuckdbDialect, TrinoDialect
from cost_lakehouse.ask.dimensions import DAILY_COSTS, SUMMARIES
from cost_lakehouse.ask.statement import Dialect, Statement
from cost_lakehouse.errors import ConfigurationError, LakeError
from cost_lakehouse.lake import trino_client
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.duckdb_views import connect
from cost_lakehouse.lake.invoiced import AsInvoiced, Moment, tables_as_invoiced
from cost_lakehouse.lake.manifests import Span, is_live, manifests_of
from cost_lakehouse.lake.moments import tables_at
from cost_lakehouse.lake.table_by_month import ShownTable, Version, version_of
from cost_lakehouse.sources.registry import main_table_of

Fetch = Callable[[Statement], list[tuple[Any, ...]]]
"""Runs a statement and gives all its rows."""


class TooMuchAsked(ConfigurationError):
    """An answer is larger than allowed, or takes longer; nothing is answered rather than a part of it."""


@dataclass(frozen=True)
class Limits:
    """How long an answer may take, and how many rows it may have."""

    seconds: float | None = None
    rows: int | None = None


NO_LIMITS = Limits()


def tables_of_moment(lake: Lake, names: Sequence[str], as_of: Moment | None = None) -> dict[str, ShownTable]:
    """Tables by their names (``marts.daily_costs``), as they are, as they were at a moment (UTC, without zone), or as each
    month was first invoiced. Left out are summaries that were never published, as no bill of their kind was ever loaded.

    Raises LakeError where one is not there yet, or its snapshot of then is not kept any more.
    """
    there = set(lake.table_names())
    missing = [name for name in names if name not in there]
    if must_be := [name for name in missing if not _may_be_missing(lake, name, there)]:
        raise LakeError(
            f"There is no table {', '.join(must_be)} yet.",
            "Run `cost-lakehouse run`: it loads what is delivered and summarises it.",
        )
    names = [name for name in names if name in there]
    if as_of is None:
        return {name: lake.current(name) for name in names}
    if isinstance(as_of, AsInvoiced):
        return tables_as_invoiced(lake, as_of, names)
    shown = tables_at(lake, as_of, lambda name: name in names)
    return {name: shown[name] for name in names}


def _may_be_missing(lake: Lake, name: str, there: Collection[str]) -> bool:
    """Whether a summary that is not there would have no row: others are published, and no bill of its kind was ever loaded.

    So it is in a lake whose marts were last built before there was such a summary.
    """
    provider = next((provider for provider, mart in SUMMARIES.items() if name == f"marts.{mart}"), None)
    if provider is None or f"marts.{DAILY_COSTS}" not in there:
        return False
    raw = main_table_of(provider)
    return raw not in there or not any(map(is_live, manifests_of(lake.current(raw))))


def snapshots_of(tables: Mapping[str, ShownTable]) -> dict[str, Version]:
    """The snapshot that each table is shown at, or those of its months; None where it has none, and no rows."""
    return {name: version_of(table) for name, table in tables.items()}


@contextmanager
def reading(
    lake: Lake, tables: Mapping[str, ShownTable], limits: Limits = NO_LIMITS, spans: Sequence[Span] = ()
) -> Iterator[tuple[Fetch, Dialect]]:
    """Runs statements on the lake's engine, which sees these tables; and how that engine writes.

    ``spans`` are all the days that the statements ask for, so that files of others are not looked at.

    Raises TooMuchAsked, and LakeError where the engine does not answer.
    """
    if lake.settings.lake.engine == "trino":
        dialect = TrinoDialect(trino_client.trino_settings(lake.settings).catalog, snapshots_of(tables))
        most = None if limits.rows is None else limits.rows + 1
        begun = monotonic()

        def fetch(made: Statement) -> list[tuple[Any, ...]]:
            left = None if limits.seconds is None else limits.seconds - (monotonic() - begun)
            if left is not None and left <= 0:
                raise _too_long(limits)
            return _checked(trino_client.rows(lake.settings, made.sql, made.parameters, seconds=left, most=most), limits)

        try:
            yield fetch, dialect
        except trino_client.TimeIsUp:
            raise _too_long(limits) from None
        return
    with connect(lake, tables=tables, spans=spans) as connection:
        connection.execute("set autoinstall_known_extensions = false")
        connection.execute("set parquet_metadata_cache = true")  # files never change: a page's statements read each footer once
        timer = Timer(limits.seconds, connection.interrupt) if limits.seconds is not None else None
        if timer is not None:
            timer.daemon = True
            timer.start()
        try:
            yield lambda made: _fetched(connection, made, limits), DuckdbDialect(tables)
        except duckdb.InterruptException:
            raise _too_long(limits) from None
        finally:
            if timer is not None:
                timer.cancel()


def _too_long(limits: Limits) -> TooMuchAsked:
    return TooMuchAsked(
        f"The answer took longer than {limits.seconds or 0:g} seconds.",
        "Ask for fewer days or groups, or raise serve.timeout_seconds in lakehouse.yaml.",
    )


def _fetched(connection: duckdb.DuckDBPyConnection, made: Statement, limits: Limits) -> list[tuple[Any, ...]]:
    result = connection.execute(made.sql, made.parameters)
    return _checked(result.fetchall() if limits.rows is None else result.fetchmany(limits.rows + 1), limits)


def _checked(rows: list[tuple[Any, ...]], limits: Limits) -> list[tuple[Any, ...]]:
    if limits.rows is not None and len(rows) > limits.rows:
        raise TooMuchAsked(
            f"The answer has more than {limits.rows:,} rows.",
            "Ask for the top groups (others are added up), fewer groups or days, or raise serve.most_rows in lakehouse.yaml.",
        )
    return rows
