"""``export focus``: a month's FOCUS rows as files, and a manifest that is written last.

A source's month is a folder of its own, ``<source>/<YYYY-MM>/``: its files have names that no other export uses, and count once
``manifest.json`` names them. So a reader sees the old export or the new one, whenever it was interrupted; run again, a month
whose manifest is of the load that the lake holds is left as it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa

from cost_lakehouse.audit.receipts import Receipt
from cost_lakehouse.errors import ConfigurationError
from cost_lakehouse.formats.decimals import EXACT
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.slice_writer import new_load_id
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.lake.warehouse import Warehouse
from cost_lakehouse.publish.focus_columns import FOCUS_VERSION, FocusColumn, focus_columns
from cost_lakehouse.publish.focus_files import FileFormat, write_files
from cost_lakehouse.publish.focus_rows import FOCUS_ROWS, focus_rows
from cost_lakehouse.summaries.stale import proven_receipts

MANIFEST = "manifest.json"
MANIFEST_VERSION = 1
_ROWS_A_BATCH = 64 * 1024
_LOCK_WAIT_SECONDS = 600.0
_SUMMED = ["billing_currency", "billed_cost", "effective_cost"]


@dataclass
class _Total:
    """What is written of one currency."""

    rows: int = 0
    billed: Decimal = Decimal(0)
    effective: Decimal = Decimal(0)


@dataclass(frozen=True)
class Exported:
    """One source's month as it is exported now. ``totals``: (currency, billed cost, effective cost)."""

    slice: Slice
    location: str
    is_new: bool
    rows: int
    files: int
    totals: tuple[tuple[str, Decimal, Decimal], ...]


def slices_to_export(lake: Lake, month: date, source: str | None) -> dict[Slice, Receipt]:
    """The bills of the month that the lake holds, with the loads that prove them.

    Raises ConfigurationError where `lake.focus` is `off`, or nothing of that month is loaded.
    """
    if lake.settings.lake.focus == "off":
        raise ConfigurationError("`lake.focus` is `off`: no FOCUS rows are made.", "Write `focus: export` below `lake:`.")
    held = {slice_: receipt for slice_, receipt in proven_receipts(lake).items() if source in (None, slice_.source)}
    chosen = {slice_: receipt for slice_, receipt in sorted(held.items()) if slice_.billing_period == month}
    if not chosen:
        months = ", ".join(sorted({slice_.month for slice_ in held}))
        of = f" of {source}" if source else ""
        raise ConfigurationError(
            f"The lake holds no bill{of} for {month:%Y-%m}.",
            f"Loaded are: {months}." if months else "`cost-lakehouse run` loads what is delivered.",
        )
    return chosen


def export_slice(lake: Lake, target: Warehouse, slice_: Slice, receipt: Receipt, form: FileFormat) -> Exported:
    """Write the slice's files and then their manifest; what an export before it or a killed one left is removed at the end.

    Raises LakeError where the rows do not add up to the bill, or the place cannot be written.
    """
    folder = f"{slice_.source}/{slice_.month}"
    with lake.lock("export-focus", "Exporting FOCUS", _LOCK_WAIT_SECONDS):
        known = _known(target, folder)
        if known is not None and (known.get("load_id"), known.get("file_format")) == (receipt.load_id, form):
            return _exported(slice_, f"{target.location}/{folder}", known, is_new=False)
        manifest = _write(lake, target, slice_, receipt, form, folder)
        target.write(f"{folder}/{MANIFEST}", json.dumps(manifest, indent=2).encode() + b"\n", only_new=False)
        _remove_others(target, folder, {entry["path"] for entry in manifest["files"]})
    return _exported(slice_, f"{target.location}/{folder}", manifest, is_new=True)


def _write(lake: Lake, target: Warehouse, slice_: Slice, receipt: Receipt, form: FileFormat, folder: str) -> dict[str, Any]:
    export_id = new_load_id()
    with focus_rows(lake, {slice_: receipt}) as connection, target.writing(folder, export_id) as local:
        local.mkdir(parents=True, exist_ok=True)
        where = f"from {FOCUS_ROWS} where {slice_.condition}"
        columns = focus_columns(connection.execute(f"select * {where} limit 0").to_arrow_table().schema)
        shown = ", ".join(column.in_csv if form == "csv" else column.in_parquet for column in columns)
        reader = connection.execute(f"select {shown}, {', '.join(_SUMMED)} {where}").to_arrow_reader(_ROWS_A_BATCH)
        totals: dict[str | None, _Total] = {}
        files = list(write_files(_added_up(reader, totals), local, f"focus-{export_id}", form))
        target.keep([file.path for file in files], folder)
    return {
        "manifest_version": MANIFEST_VERSION,
        "focus_version": FOCUS_VERSION,
        "source": slice_.source,
        "month": slice_.month,
        "delivery_id": receipt.delivery_id,
        "load_id": receipt.load_id,
        "loaded_at": receipt.loaded_at.isoformat(),
        "file_format": form,
        "rows": sum(file.rows for file in files),
        "totals": [
            {
                "currency": currency,
                "rows": total.rows,
                "BilledCost": f"{total.billed:f}",
                "EffectiveCost": f"{total.effective:f}",
            }
            for currency, total in sorted(totals.items(), key=lambda entry: (entry[0] is None, entry[0]))
        ],
        "files": [{"path": file.path.name, "rows": file.rows, "bytes": file.bytes, "sha256": file.sha256} for file in files],
        "columns": [_described(column) for column in columns],
    }


def _added_up(batches: pa.RecordBatchReader, totals: dict[str | None, _Total]) -> pa.RecordBatchReader:
    """The batches without their last columns, ``_SUMMED``, whose sums by currency go into ``totals`` as they are read."""
    kept = batches.schema.names[: -len(_SUMMED)]

    def read() -> Iterator[pa.RecordBatch]:
        for batch in batches:
            amounts = pa.Table.from_batches([batch.select(_SUMMED)])
            summed = amounts.group_by("billing_currency").aggregate(
                [("billed_cost", "sum"), ("effective_cost", "sum"), ([], "count_all")]
            )
            for row in summed.to_pylist():
                total = totals.setdefault(row["billing_currency"], _Total())
                total.billed = EXACT.add(total.billed, row["billed_cost_sum"])
                total.effective = EXACT.add(total.effective, row["effective_cost_sum"])
                total.rows += row["count_all"]
            yield batch.select(kept)

    return pa.RecordBatchReader.from_batches(pa.schema([batches.schema.field(name) for name in kept]), read())


def _described(column: FocusColumn) -> dict[str, str]:
    return {"name": column.name, "type": column.type}


def _known(target: Warehouse, folder: str) -> Mapping[str, Any] | None:
    """The export that is there: None where there is none, or files of it are gone or cut short."""
    content = target.read(f"{folder}/{MANIFEST}")
    try:
        manifest = json.loads(content) if content is not None else None
        if not isinstance(manifest, dict) or manifest.get("manifest_version") != MANIFEST_VERSION:
            return None
        sizes = {file.location.rpartition("/")[2]: file.size for file in target.list(folder)}
        whole = all(sizes.get(file["path"]) == file["bytes"] for file in manifest["files"])
    except (ValueError, KeyError, TypeError):
        return None
    return manifest if whole else None


def _remove_others(target: Warehouse, folder: str, names: set[str]) -> None:
    """Remove files of exports before this one; what others put there stays."""
    left = [file.location for file in target.list(folder)]
    target.delete([place for place in left if _is_ours(place.rpartition("/")[2]) and place.rpartition("/")[2] not in names])


def _is_ours(name: str) -> bool:
    return name.startswith("focus-") and name.endswith((".parquet", ".csv.gz"))


def _exported(slice_: Slice, location: str, manifest: Mapping[str, Any], *, is_new: bool) -> Exported:
    totals: Sequence[Mapping[str, Any]] = manifest["totals"]
    return Exported(
        slice_,
        location.removeprefix("file://"),
        is_new,
        manifest["rows"],
        len(manifest["files"]),
        tuple((total["currency"] or "", Decimal(total["BilledCost"]), Decimal(total["EffectiveCost"])) for total in totals),
    )
