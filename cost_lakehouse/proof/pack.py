"""A month-close pack: what the lake says of one month, and its proof, in one archive that comes out the same byte for byte.

Nothing in it depends on when or where it was made: entries are in a fixed order, rows too, times inside the archive are fixed,
and every file's SHA-256 is in ``manifest.json``.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from cost_lakehouse.audit.receipts import Receipt, plain
from cost_lakehouse.errors import CostLakehouseError, LakeError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.proof.protocols import Reader
from cost_lakehouse.publish.focus_rows import FOCUS_ROWS, focus_rows
from cost_lakehouse.summaries.stale import proven_receipts

_FIXED_TIME = (1980, 1, 1, 0, 0, 0)  # the first that an archive can hold
_SUMMARY = "summary.csv"
_FOCUS = "focus.csv"
# File of the pack -> table of the lake; those that a lake does not have are left out, and missing in the manifest.
_TABLES = {
    "bill_status.csv": "marts.bill_status",
    "daily_costs.csv": "marts.daily_costs",
    "commitment_costs.csv": "marts.commitment_costs",
    "findings.csv": "marts.bill_findings",
    "changes.csv": "marts.cost_changes",
    "invoices.csv": "marts.invoices",
    "receipts.csv": "raw.receipts",
    "control_totals.csv": "raw.control_totals",
    "files.csv": "raw.files",
}


@dataclass(frozen=True)
class PackedFile:
    """One file of a pack; ``rows`` without its header."""

    name: str
    rows: int
    bytes: int
    sha256: str


def pack(lake: Lake, month: date, target: Path, reader: Reader) -> list[PackedFile]:
    """Write the pack of a month to ``target``, which is replaced at once or not at all.

    FOCUS rows are in it unless `lake.focus` is `off`. Raises LakeError where the lake holds nothing of the month, or its FOCUS
    rows do not add up, CostLakehouseError where the archive cannot be written.
    """
    tables = {name: table for name, table in _TABLES.items() if table in lake.table_names()}
    condition = f"billing_period = date '{month.isoformat()}'"
    if not any(reader.rows(f"select 1 from {tables['receipts.csv']} where {condition} limit 1")):
        raise LakeError(f"The lake holds nothing of {month:%Y-%m}.", "`cost-lakehouse status` shows the months that it holds.")
    aside = target.with_name(f".{target.name}.part")
    packed: list[PackedFile] = []
    try:
        with zipfile.ZipFile(aside, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
            packed.append(_write(archive, _SUMMARY, _SUMMARY_COLUMNS, _summary(reader, tables, condition)))
            for name, table in tables.items():
                columns = reader.columns(table)
                order = ", ".join(f'"{column}"' for column in columns)
                rows = reader.stream(f"select {order} from {table} where {condition} order by {order}")
                packed.append(_write(archive, name, columns, rows))
            bills = {slice_: receipt for slice_, receipt in proven_receipts(lake).items() if slice_.billing_period == month}
            if bills and lake.settings.lake.focus != "off":
                packed.append(_write_focus(archive, lake, month, bills))
            manifest = {"month": f"{month:%Y-%m}", "files": [vars(file) for file in packed]}
            _entry(archive, "manifest.json", json.dumps(manifest, indent=2, sort_keys=True).encode() + b"\n")
        with aside.open("rb") as written:
            os.fsync(written.fileno())
        aside.replace(target)
    except OSError as error:
        raise CostLakehouseError(
            f"{target} cannot be written: {error.strerror}.", "Free space, or choose another file."
        ) from None
    finally:
        aside.unlink(missing_ok=True)
    return packed


_SUMMARY_COLUMNS = ("source", "currency_code", "state", "delivery_id", "invoice_ids", "billed_cost", "days", "difference")


def _summary(reader: Reader, tables: dict[str, str], condition: str) -> Iterator[Sequence[Any]]:
    """A row a source and currency: what the bill comes to, what its days come to, and what is between them (0)."""
    if "bill_status.csv" not in tables or "daily_costs.csv" not in tables:
        return
    days = {
        (row[0], row[1]): Decimal(row[2])
        for row in reader.rows(
            "select source, coalesce(currency_code, ''), sum(billed_cost) "
            f"from marts.daily_costs where {condition} group by 1, 2"
        )
    }
    for source, currency, state, delivery, invoices, billed in reader.rows(
        "select source, coalesce(currency_code, ''), state, delivery_id, invoice_ids, billed_cost "
        f"from marts.bill_status where {condition} order by 1, 2"
    ):
        of_days = days.get((source, currency), Decimal(0))
        yield source, currency, state, delivery, invoices, billed, of_days, Decimal(billed) - of_days


def _write(archive: zipfile.ZipFile, name: str, columns: Sequence[str], rows: Iterator[Sequence[Any]]) -> PackedFile:
    """One CSV file, written as it is read."""
    digest, written, count = hashlib.sha256(), 0, 0
    with archive.open(_info(name), "w", force_zip64=True) as file:
        for chunk, lines in _chunks(columns, rows):
            digest.update(chunk)
            written += len(chunk)
            count += lines
            file.write(chunk)
    return PackedFile(name, count, written, digest.hexdigest())


def _write_focus(archive: zipfile.ZipFile, lake: Lake, month: date, bills: Mapping[Slice, Receipt]) -> PackedFile:
    """The month's FOCUS rows, which are built for it where no mart holds them."""
    with focus_rows(lake, bills) as connection:
        result = connection.execute(f"select * from {FOCUS_ROWS} where billing_period = ? order by all", [month])
        columns = [column[0] for column in result.description or ()]
        return _write(archive, _FOCUS, columns, _fetched(result))


def _fetched(result: duckdb.DuckDBPyConnection, at_once: int = 5_000) -> Iterator[Sequence[Any]]:
    while found := result.fetchmany(at_once):
        yield from found


def _chunks(columns: Sequence[str], rows: Iterator[Sequence[Any]], at_once: int = 5_000) -> Iterator[tuple[bytes, int]]:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    held = 0
    for row in rows:
        writer.writerow(["" if value is None else plain(value) if isinstance(value, Decimal) else str(value) for value in row])
        held += 1
        if held == at_once:
            yield buffer.getvalue().encode(), held
            buffer.seek(0)
            buffer.truncate()
            held = 0
    yield buffer.getvalue().encode(), held


def _entry(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    archive.writestr(_info(name), content)


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _FIXED_TIME)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    return info
