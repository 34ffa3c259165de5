"""The ledgers ``raw.receipts``, ``raw.control_totals`` and ``raw.files``: what every load proved, and which files it read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
from pyiceberg.io.pyarrow import schema_to_pyarrow
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table

from cost_lakehouse.audit.receipts import ACCEPTED, REFUSED, Receipt
from cost_lakehouse.errors import LakeError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.data_files import delivery_of, load_of, stored_deliveries
from cost_lakehouse.lake.ledger_rows import ledger_rows
from cost_lakehouse.lake.manifests import file_tasks
from cost_lakehouse.lake.replace import COMMIT_ATTEMPTS, replace_files
from cost_lakehouse.lake.rewrite import new_rewrite_id, read_rows
from cost_lakehouse.lake.slice_writer import SliceWriter
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.lake.tables import ADDING_TABLES, CONTROL_TOTALS, FILES, RECEIPTS

_SNAPSHOTS = 20  # of a ledger, whose rows all stay: old ones tell nothing, and would make every commit dearer
LEDGERS = ("raw.files", "raw.control_totals", "raw.receipts")
_PAYERS = pa.schema(
    [
        CONTROL_TOTALS.field(name)
        for name in ("raw_table", "billing_period", "source", "delivery_id", "payer_account_id", "line_items")
    ]
)
# The tables of costs: no payer's month may be in two of their slices.
BILLS = ("raw.aws_cur", "raw.oci_cost", "raw.focus", "raw.lakehouse_costs")


def receipts(lake: Lake, slice_: Slice | None = None, raw_table: str | None = None, source: str | None = None) -> list[Receipt]:
    """Every receipt, or those of one slice, raw table or source, oldest first."""
    rows = ledger_rows(lake, "raw.receipts", RECEIPTS, None if slice_ is None else [slice_], source=source)
    found = [Receipt(**_aware(dict(zip(RECEIPTS.names, row, strict=True)))) for row in rows]
    chosen = [entry for entry in found if raw_table in (None, entry.raw_table)]
    return sorted(chosen, key=lambda one: (one.loaded_at, one.load_id))


def holders_of(lake: Lake, raw_table: str, source: str, payers: Mapping[date, set[str]]) -> dict[date, dict[str, set[str]]]:
    """Which other sources hold the same payers (tenancies) of the same months: month -> source -> payers.

    Bills of costs are compared with each other, whatever table they are in: a CUR and a FOCUS export of one payer say the same
    costs. Reports of usage are compared among themselves. Records without rows in the lake hold nobody back.
    """
    tables = BILLS if raw_table in BILLS else (raw_table,)
    if not any(payers.values()):
        return {}
    items: dict[tuple[str, date, str, str, str], int] = {}
    for row in ledger_rows(lake, "raw.control_totals", _PAYERS, months=payers.keys()):
        table, month, name, delivery_id, payer, count = row
        if name != source and table in tables and payer in payers[month]:
            key = table, month, name, delivery_id, payer
            items[key] = items.get(key, 0) + count
    same = [(*key, count) for key, count in items.items()]
    # Mostly nobody else has the payer: then no table is looked at.
    slices: dict[str, set[Slice]] = {}
    for table, month, name, *_ in same:
        slices.setdefault(table, set()).add(Slice(name, month))
    present = {table: stored_deliveries(lake, sorted(found), table) for table, found in slices.items()}
    counts: dict[tuple[date, str, str], int] = {}
    for table, month, name, delivery_id, payer, count in same:
        of_slice = present[table].get(Slice(name, month))
        if of_slice is not None and (table in ADDING_TABLES or of_slice == delivery_id):
            counts[month, name, payer] = counts.get((month, name, payer), 0) + count
    held: dict[date, dict[str, set[str]]] = {}
    for (month, name, payer), count in counts.items():
        if count > 0:
            held.setdefault(month, {}).setdefault(name, set()).add(payer)
    return held


def record_load(lake: Lake, receipt: Receipt, totals: Sequence[dict[str, Any]], files: Sequence[dict[str, Any]]) -> None:
    """Put what a load brings to one month on record, its receipt first.

    It says nothing before the commit of its load, and where that is killed it tells what to take back. Where a month is one
    delivery, the totals and files of an earlier load of the same one go, so that nobody adds them up twice; elsewhere what was
    there stays, and the sum of all is what the month holds. For a refused load ``files`` are the objects it is refused for.
    """

    def repeated(load_id: str, delivery_id: str) -> bool:
        return receipt.state == ACCEPTED and receipt.raw_table not in ADDING_TABLES and delivery_id == receipt.delivery_id

    _replace(lake, "raw.receipts", RECEIPTS, receipt, [_naive(receipt)], _nothing)
    _replace(lake, "raw.control_totals", CONTROL_TOTALS, receipt, totals, repeated)
    _replace(lake, "raw.files", FILES, receipt, files, repeated)


def rollback(lake: Lake, receipt: Receipt, *, keep_proof: bool = False) -> None:
    """Take a load's records out of one month again, its receipt last: it never came to its commit.

    ``keep_proof`` leaves its totals and files, which took the place of those of an earlier load of the same objects.
    """

    def same_load(load_id: str, delivery_id: str) -> bool:
        return load_id == receipt.load_id

    if not keep_proof:
        _replace(lake, "raw.files", FILES, receipt, [], same_load)
        _replace(lake, "raw.control_totals", CONTROL_TOTALS, receipt, [], same_load)
    _replace(lake, "raw.receipts", RECEIPTS, receipt, [], same_load)


def _nothing(load_id: str, delivery_id: str) -> bool:
    return False


def _replace(
    lake: Lake,
    name: str,
    schema: pa.Schema,
    receipt: Receipt,
    rows: Sequence[dict[str, Any]],
    drop: Callable[[str, str], bool],
) -> None:
    """Add a load's rows to a ledger, and take out the slice's rows whose (load id, delivery id) ``drop`` picks."""
    slice_ = Slice(receipt.source, receipt.billing_period)
    same = {name: getattr(receipt, name) for name in ("source", "billing_period", "delivery_id", "load_id", "raw_table")}
    table = pa.Table.from_pylist([{**same, **row} for row in rows], schema=schema)
    added = _write(lake, name, slice_, receipt.load_id, table, first=1 if receipt.state == REFUSED else 0)
    for _ in range(COMMIT_ATTEMPTS):
        mixed = _rewrite_mixed_files(lake, name, slice_, drop)
        try:
            replace_files(lake, name, [slice_], [*added, *mixed.kept], mixed.picks, snapshots=_SNAPSHOTS)
            return
        except _FilesChanged:
            continue  # what was rewritten in vain is nobody's; maintenance removes it
    raise LakeError(f"{name} was changed by others at every attempt to add {slice_}.", "Run it again when they are done.")


class _FilesChanged(Exception):
    """Files of rows of several loads have come up since they were looked at."""


@dataclass(frozen=True)
class _MixedFiles:
    """The slice's files that hold, or may hold, rows of several loads (compaction), judged row by row."""

    drop: Callable[[str, str], bool]
    drops_by_location: dict[str, bool]  # location -> whether rows in it are to go, so that it is replaced by `kept`
    kept: list[str]  # new files, with the rows that stay

    def picks(self, table: Table, file: DataFile) -> bool:
        """Whether the commit takes a file of the slice out."""
        load_id = load_of(file)
        if load_id is not None:
            return self.drop(load_id, delivery_of(table, file))
        if file.file_path not in self.drops_by_location:
            raise _FilesChanged
        return self.drops_by_location[file.file_path]


def _rewrite_mixed_files(lake: Lake, name: str, slice_: Slice, drop: Callable[[str, str], bool]) -> _MixedFiles:
    """Look into the files whose name tells no load; where rows are to go, write those that stay into new files."""
    table = lake.table(name)
    drops_by_location: dict[str, bool] = {}
    kept: list[str] = []
    for task in file_tasks(table, [slice_]):
        if load_of(task.file) is not None:
            continue
        rows = pa.Table.from_batches(read_rows(table, [task]), schema_to_pyarrow(table.schema(), include_field_ids=False))
        stay = [not drop(*ids) for ids in zip(*(rows[id_].to_pylist() for id_ in ("load_id", "delivery_id")), strict=True)]
        drops_by_location[task.file.file_path] = not all(stay)
        if not all(stay):
            kept += _write(lake, name, slice_, new_rewrite_id(), rows.filter(pa.array(stay, pa.bool_())))
    return _MixedFiles(drop, drops_by_location, kept)


def _write(lake: Lake, name: str, slice_: Slice, load_id: str, rows: pa.Table, first: int = 0) -> list[str]:
    """New files with these rows, which nobody sees before the commit that names them; none where there is no row."""
    folder = lake.data_folder(name, slice_)
    with lake.warehouse.writing(folder, load_id) as local:
        writer = SliceWriter(local, load_id, [0] * first)
        for batch in rows.to_batches():
            writer.write(batch)
        writer.close()
        return lake.warehouse.keep(writer.files, folder)


def _naive(receipt: Receipt) -> dict[str, Any]:
    """A receipt as the table stores it: UTC without zone."""
    row = dict(receipt.__dict__)
    for name in ("loaded_at", "delivered_at"):
        row[name] = row[name].astimezone(UTC).replace(tzinfo=None)
    return row


def _aware(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value.replace(tzinfo=UTC) if isinstance(value, datetime) else value for name, value in row.items()}
