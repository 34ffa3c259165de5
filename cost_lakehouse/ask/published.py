"""Rows of the marts as they are published: bills with their states, and what is odd about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cost_lakehouse.ask.reading import NO_LIMITS, Limits, reading, snapshots_of, tables_of_moment
from cost_lakehouse.ask.statement import Statement
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.table_by_month import Version, columns_of


@dataclass(frozen=True)
class Published:
    """Rows of one mart, each a column's name -> its value, and the snapshot that they are of."""

    rows: tuple[Mapping[str, Any], ...]
    snapshots: Mapping[str, Version]


def published(
    lake: Lake, mart: str, equal: Mapping[str, Any], as_of: datetime | None = None, limits: Limits = NO_LIMITS
) -> Published:
    """The rows of a mart whose columns have these values, sorted by source and month, then by their id.

    ``mart`` and the names in ``equal`` are the program's own, never a user's. Raises LakeError, TooMuchAsked.
    """
    name = f"marts.{mart}"
    tables = tables_of_moment(lake, [name], as_of)
    columns = columns_of(tables[name])
    made = Statement()
    with reading(lake, tables, limits) as (fetch, dialect):
        where = " and ".join(f"{column} = {made.bind(value)}" for column, value in equal.items())
        made.sql = f"""
select {", ".join(columns)}
from {dialect.table(mart)}
{f"where {where}" if where else ""}
order by source, billing_period, {mart}_id
"""
        rows = tuple(dict(zip(columns, row, strict=True)) for row in fetch(made))
    return Published(rows, snapshots_of(tables))
