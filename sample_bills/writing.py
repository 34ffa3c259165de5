"""Writes deliveries into a folder that plays the object store: one folder a bucket, laid out as AWS does."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal, localcontext
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from sample_bills import layout
from sample_bills.bills import Bill, BillDelivery, FileFormat, Report, Versioning, usual_deliveries
from sample_bills.columns import VANISHING, delivered_columns
from sample_bills.cur2_columns import Shape
from sample_bills.cur2_layout import export_manifest_text
from sample_bills.cur2_packing import pack_export
from sample_bills.expected import Adder, Expected
from sample_bills.faults import (
    Fault,
    corrupt_file,
    duplicate_file,
    empty_file,
    spoil_rows,
    tear_file,
)
from sample_bills.line_items import line_items, planned_rows
from sample_bills.money import EXACT
from sample_bills.month import Month
from sample_bills.packing import pack


@dataclass(frozen=True)
class Written:
    """One delivery as it was written, and what a right reader must find in it.

    ``expected`` is what was generated, also where a fault of a file keeps a reader from it.
    """

    bill: Bill
    delivery: BillDelivery
    bucket_root: Path
    keys: tuple[str, ...]  # the manifest's reportKeys, relative to the bucket
    manifest_keys: tuple[str, ...]  # the billing period's own first
    columns: tuple[str, ...]  # of the first file, in slash spelling
    expected: Expected

    @property
    def files(self) -> tuple[Path, ...]:
        """The data files the manifest lists; with some faults they are not there."""
        return tuple(self.bucket_root / key for key in self.keys)

    @property
    def manifest(self) -> Path:
        """The manifest of the billing period."""
        return self.bucket_root / self.manifest_keys[0]

    @property
    def bytes(self) -> int:
        """The size of the data files that are there."""
        return sum(path.stat().st_size for path in self.files if path.exists())


def write_bill(root: Path, bill: Bill, *, files: int = 1, gzip_level: int = 6, last_is_open: bool = True) -> list[Written]:
    """Write the usual delivery of every month of ``bill`` under ``root`` (see ``usual_deliveries``)."""
    deliveries = usual_deliveries(bill, files=files, gzip_level=gzip_level, last_is_open=last_is_open)
    return [write_delivery(root, bill, delivery) for delivery in deliveries]


def write_delivery(root: Path, bill: Bill, delivery: BillDelivery) -> Written:
    """Write one delivery under ``root/<bucket>``, over what an earlier one left where AWS overwrites it.

    Modification times follow ``delivered_at``: the data files shortly before it, the manifests at it. Raises ValueError where
    the delivery cannot be one of ``bill``.
    """
    delivery.check_against(bill)
    bucket_root = root / bill.bucket
    if Fault.OLD_ASSEMBLY in delivery.faults:
        _write_old_assembly(root, bill, delivery)
    keys = tuple(layout.data_key(bill, delivery, part) for part in range(1, delivery.files + 1))
    columns = _columns_of_part(bill, delivery, 1)
    if bill.versioning is Versioning.OVERWRITE:
        _remove_old_parts(bucket_root, bill, delivery)
    expected = _write_data(bucket_root, bill, delivery, keys)
    _spoil_files(bucket_root, bill, delivery, keys)
    manifests = tuple(layout.manifest_keys(bill, delivery))
    if bill.report is Report.CUR_2:
        text = export_manifest_text(bill, delivery, _shape(bill, columns), keys)
    else:
        text = layout.manifest_text(bill, delivery, columns, keys)
    for key in manifests:
        _put(bucket_root / key, text.encode(), delivery)
    _put(bucket_root / layout.ACCESS_TEST_KEY, b"", delivery)
    if bill.file_format is FileFormat.PARQUET and bill.report is Report.LEGACY:
        _write_athena_artifacts(bucket_root, bill, delivery, columns)
    return Written(bill, delivery, bucket_root, keys, manifests, columns, expected)


def _columns_of_part(bill: Bill, delivery: BillDelivery, part: int) -> tuple[str, ...]:
    uneven = Fault.UNEVEN_COLUMNS in delivery.faults and part == delivery.files
    return delivered_columns(
        discounts=bill.discounts,
        split_costs=bill.split_costs,
        appearing=uneven or Fault.COLUMN_APPEARS in delivery.faults,
        without=VANISHING if uneven or Fault.COLUMN_VANISHES in delivery.faults else (),
    )


def _shape(bill: Bill, columns: tuple[str, ...]) -> Shape:
    return Shape.of(columns, bill.split_costs, bill.left_out)


def _write_data(bucket_root: Path, bill: Bill, delivery: BillDelivery, keys: tuple[str, ...]) -> Expected:
    expected = Expected()
    adder = Adder(expected, _shortest_text if bill.file_format is FileFormat.PARQUET else Decimal)
    with localcontext(EXACT):
        month = Month(bill, delivery)
        planned = planned_rows(month)
        rows = spoil_rows(line_items(month), delivery.faults, planned)
        rows_of_part = -(-planned // delivery.files)
        for part, key in enumerate(keys, start=1):
            columns = _columns_of_part(bill, delivery, part)
            path = bucket_root / key
            counted = _counted(islice(rows, rows_of_part), adder)
            if bill.report is Report.CUR_2:
                shape = _shape(bill, columns)
                adder.start_file(path.name, shape.written(columns))
                pack_export(path, shape, counted, bill.file_format, delivery.gzip_level)
            else:
                adder.start_file(path.name, columns)
                pack(path, columns, counted, bill.file_format, bill.headers, delivery.gzip_level)
            _set_time(path, delivery, seconds_before=60 + delivery.files - part)
        adder.finish()
    return expected


def _counted(rows: Iterator[list[str]], adder: Adder) -> Iterator[list[str]]:
    for row in rows:
        adder.add(row)
        yield row


def _shortest_text(text: str) -> Decimal:
    return Decimal(repr(float(text)))


def _spoil_files(bucket_root: Path, bill: Bill, delivery: BillDelivery, keys: tuple[str, ...]) -> None:
    first, last = bucket_root / keys[0], bucket_root / keys[-1]
    faults = delivery.faults
    if Fault.DUPLICATE_FILE in faults:
        copy = bucket_root / layout.data_key(bill, delivery, delivery.files + 1)
        duplicate_file(first, copy)
        _set_time(copy, delivery, seconds_before=60)
    for fault, spoil in ((Fault.TORN_FILE, tear_file), (Fault.CORRUPT_FILE, corrupt_file), (Fault.EMPTY_FILE, empty_file)):
        if fault in faults:
            spoil(last)
            _set_time(last, delivery, seconds_before=60)
    if Fault.MISSING_FILE in faults:
        last.unlink()
    if Fault.MANIFEST_FIRST in faults:
        for key in keys:
            (bucket_root / key).unlink(missing_ok=True)


def _write_old_assembly(root: Path, bill: Bill, delivery: BillDelivery) -> None:
    """An earlier delivery of the month, whose usage rows differ; the newer one then replaces the period's manifest."""
    earlier = delivery.delivered_at - timedelta(days=1, hours=3)
    faults = frozenset({Fault.CHANGED_ROWS, Fault.VANISHED_ROWS})
    old = dataclasses.replace(delivery, delivered_at=earlier, assembly_id="", faults=faults, invoiced=False)
    write_delivery(root, bill, old)


def _remove_old_parts(bucket_root: Path, bill: Bill, delivery: BillDelivery) -> None:
    folder = bucket_root / layout.data_prefix(bill, delivery)
    for path in folder.glob(f"{bill.report_name}-[0-9]*"):
        path.unlink()


def _write_athena_artifacts(bucket_root: Path, bill: Bill, delivery: BillDelivery, columns: tuple[str, ...]) -> None:
    status = "UPDATING" if Fault.REFRESHING in delivery.faults else "READY"
    path = bucket_root / layout.status_key(bill)
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"status": [status]}), path)
    _set_time(path, delivery, seconds_before=0)
    sql = layout.create_table_text(bill, columns)
    _put(bucket_root / layout.create_table_key(bill, delivery.month), sql.encode(), delivery)


def _put(path: Path, content: bytes, delivery: BillDelivery) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    _set_time(path, delivery, seconds_before=0)


def _set_time(path: Path, delivery: BillDelivery, seconds_before: int) -> None:
    moment = int(delivery.delivered_at.timestamp()) - seconds_before
    os.utime(path, (moment, moment))
