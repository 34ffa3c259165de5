"""The log of accounts, ``raw.aws_accounts``: what was last said of each, and the rows that are added; none is ever changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from cost_lakehouse.lake import small_tables
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.duckdb_views import connect
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.lake.tables import ACCOUNT_CHANGES, AWS_ACCOUNTS


def last_rows(lake: Lake) -> list[dict[str, Any]]:
    """The newest row of every account of every organisation, as the table has it; times are UTC without zone."""
    with connect(lake, [AWS_ACCOUNTS]) as connection:
        rows = connection.execute(
            f"select {', '.join(ACCOUNT_CHANGES.names)} from {AWS_ACCOUNTS} "
            "qualify row_number() over (partition by organization_id, account_id order by seen_at desc) = 1 "
            "order by organization_id, account_id"
        ).fetchall()
    return [dict(zip(ACCOUNT_CHANGES.names, row, strict=True)) for row in rows]


def append_rows(lake: Lake, slice_: Slice, rows: Sequence[dict[str, Any]], guard: Callable[[], None]) -> None:
    """Add rows of one slice in one commit; no row, no commit. ``guard`` may call it off before each attempt.

    Raises LakeError where the commit keeps colliding with others.
    """
    small_tables.append_rows(lake, AWS_ACCOUNTS, ACCOUNT_CHANGES, {slice_: rows}, guard)
