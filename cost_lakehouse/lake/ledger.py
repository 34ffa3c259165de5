"""The ledgers ``raw.receipts``, ``raw.control_totals`` and ``raw.files``: what every load proved, and which files it read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table

from cost_lakehouse.audit.receipts import ACCEPTED, REFUSED, Receipt
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.data_files import StoredLoad, delivery_of, load_of
from cost_lakehouse.lake.duckdb_views import connect
from cost_lakehouse.lake.replace import replace_files
from cost_lakehouse.lake.slice_writer import SliceWriter
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.lake.tables import CONTROL_TOTALS, FILES, RECEIPTS

LEDGERS = ("raw.files", "raw.control_totals", "raw.receipts")


def receipts(lake: Lake, slice_: Slice | None = None) -> list[Receipt]:
    """Every receipt, or those of one slice, oldest first."""
    where = "true" if slice_ is None else slice_.condition
    with connect(lake, ["raw.receipts"]) as connection:
        rows = connection.execute(
            f"select {', '.join(RECEIPTS.names)} from raw.receipts where {where} order by loaded_at, load_id"
        ).fetchall()
    return [Receipt(**_aware(dict(zip(RECEIPTS.names, row, strict=True)))) for row in rows]


def current_receipts(lake: Lake) -> dict[Slice, Receipt]:
    """The newest accepted receipt of every slice."""
    return newest(receipts(lake), ACCEPTED)


def newest(all_receipts: Sequence[Receipt], state: str) -> dict[Slice, Receipt]:
    """The newest receipt of that state, a slice each."""
    return {Slice(each.source, each.billing_period): each for each in all_receipts if each.state == state}


def is_current(receipt: Receipt | None, stored: StoredLoad | None) -> bool:
    """Whether the slice holds what its newest accepted receipt proves (an empty slice has the receipt alone)."""
    if receipt is None:
        return False
    if stored is None:
        return receipt.rows == 0
    return stored.delivery_id == receipt.delivery_id and stored.load_id in (None, receipt.load_id)


def other_sources_of(lake: Lake, slice_: Slice, payers: set[str], stored: dict[Slice, StoredLoad]) -> dict[str, set[str]]:
    """Which other sources hold the same month of these payer accounts: source -> payers.

    ``stored`` says whose slices have rows; a receipt without rows in the lake holds nobody back.
    """
    others = {each.source: load.delivery_id for each, load in stored.items() if each.billing_period == slice_.billing_period}
    others.pop(slice_.source, None)
    if not others or not payers:
        return {}
    with connect(lake, ["raw.control_totals"]) as connection:
        rows = connection.execute(
            "select distinct source, delivery_id, payer_account_id from raw.control_totals "
            f"where billing_period = date '{slice_.billing_period.isoformat()}'"
        ).fetchall()
    found: dict[str, set[str]] = {}
    for source, delivery_id, payer in rows:
        if others.get(source) == delivery_id and payer in payers:
            found.setdefault(source, set()).add(payer)
    return found


def record_accepted(
    lake: Lake,
    receipt: Receipt,
    totals: Sequence[dict[str, Any]],
    files: Sequence[dict[str, Any]],
    committed_loads: set[str],
    refused_loads: set[str],
) -> None:
    """Put an accepted load on record, its receipt last.

    A repeated load of a delivery takes the place of its earlier totals and files, so that nobody adds them up twice. So do
    the records of loads that were killed before their commit (neither committed nor refused): they never happened.
    """

    def never_happened(table: Table, file: DataFile) -> bool:
        return load_of(file) not in committed_loads

    def repeated(table: Table, file: DataFile) -> bool:
        return never_happened(table, file) or delivery_of(table, file) == receipt.delivery_id

    def killed(table: Table, file: DataFile) -> bool:
        return never_happened(table, file) and load_of(file) not in refused_loads

    _replace(lake, "raw.files", FILES, receipt, files, repeated)
    _replace(lake, "raw.control_totals", CONTROL_TOTALS, receipt, totals, repeated)
    _replace(lake, "raw.receipts", RECEIPTS, receipt, [_naive(receipt)], killed)


def record_refused(lake: Lake, receipt: Receipt) -> None:
    """Put a refused load on record. An accepted receipt of the same load, written just before, is taken back."""

    def same_load(table: Table, file: DataFile) -> bool:
        return load_of(file) == receipt.load_id

    for name in ("raw.files", "raw.control_totals"):
        replace_files(lake, name, [Slice(receipt.source, receipt.billing_period)], [], same_load)
    _replace(lake, "raw.receipts", RECEIPTS, receipt, [_naive(receipt)], same_load)


def _replace(
    lake: Lake,
    name: str,
    schema: pa.Schema,
    receipt: Receipt,
    rows: Sequence[dict[str, Any]],
    drop: Callable[[Table, DataFile], bool],
) -> None:
    slice_ = Slice(receipt.source, receipt.billing_period)
    same = {name: getattr(receipt, name) for name in ("source", "billing_period", "delivery_id", "load_id")}
    folder = lake.data_folder(name, slice_)
    with lake.warehouse.writing(folder, receipt.load_id) as local:
        writer = SliceWriter(local, receipt.load_id, [1] if receipt.state == REFUSED else [])
        table = pa.Table.from_pylist([{**same, **row} for row in rows], schema=schema)
        for batch in table.to_batches():
            writer.write(batch)
        writer.close()
        locations = lake.warehouse.keep(writer.files, folder)
    replace_files(lake, name, [slice_], locations, drop)


def _naive(receipt: Receipt) -> dict[str, Any]:
    """A receipt as the table stores it: UTC without zone."""
    row = dict(receipt.__dict__)
    for name in ("loaded_at", "delivered_at"):
        row[name] = row[name].astimezone(UTC).replace(tzinfo=None)
    return row


def _aware(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value.replace(tzinfo=UTC) if isinstance(value, datetime) else value for name, value in row.items()}
