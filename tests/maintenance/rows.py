"""What must be the same before and after maintenance: the rows of every table."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.duckdb_views import connect
from cost_lakehouse.lake.ledger import LEDGERS
from cost_lakehouse.lake.manifests import data_files
from cost_lakehouse.maintenance.rules import Rules

TABLES = ("raw.aws_cur", *LEDGERS)
MEGABYTE = 1024 * 1024


def rules(**changes: Any) -> Rules:
    """Rules that keep no snapshot for its age."""
    usual: dict[str, Any] = {
        "keep": timedelta(0),
        "keep_deliveries": 2,
        "orphan_safety": timedelta(hours=72),
        "small_bytes": 32 * MEGABYTE,
        "target_bytes": 128 * MEGABYTE,
    }
    return Rules(**usual | changes)


def rows(lake: Lake) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every raw table, sorted."""
    with connect(lake, TABLES) as connection:
        return {name: connection.execute(f"select * from {name} order by all").fetchall() for name in TABLES}


def file_count(lake: Lake, name: str) -> int:
    """How many data files the table's current snapshot has."""
    return len(data_files(lake.table(name)))
