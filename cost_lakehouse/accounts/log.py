"""The log of accounts, ``raw.aws_accounts``: what was last said of each, and the rows that are added; none is ever changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa

from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.duckdb_views import connect
from cost_lakehouse.lake.replace import replace_files
from cost_lakehouse.lake.slice_writer import SliceWriter, new_load_id
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
    if not rows:
        return
    load_id = new_load_id()
    folder = lake.data_folder(AWS_ACCOUNTS, slice_)
    with lake.warehouse.writing(folder, load_id) as local:
        writer = SliceWriter(local, load_id, [])
        for batch in pa.Table.from_pylist(list(rows), schema=ACCOUNT_CHANGES).to_batches():
            writer.write(batch)
        writer.close()
        files = lake.warehouse.keep(writer.files, folder)
    replace_files(lake, AWS_ACCOUNTS, [slice_], files, lambda table, file: False, {"load-id": load_id}, guard)
