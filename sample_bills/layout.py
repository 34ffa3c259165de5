"""Where AWS puts a report's files in the bucket, and the manifests and artifacts it writes beside them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import date

from sample_bills.bills import Bill, BillDelivery, FileFormat, Headers, Report, Versioning, next_month
from sample_bills.columns import Kind, kind_of, merged_by_snake_case, snake_case
from sample_bills.cur2_layout import export_folder, export_manifest_keys

ACCESS_TEST_KEY = "aws-programmatic-access-test-object"
"""The object AWS leaves at the bucket's root when it tests that it may write."""

_SUFFIX = {FileFormat.CSV_GZIP: ".csv.gz", FileFormat.CSV_ZIP: ".csv.zip", FileFormat.PARQUET: ".snappy.parquet"}


def report_prefix(bill: Bill) -> str:
    """The folder of the report, relative to the bucket, without a slash at its end."""
    return "/".join(part for part in (bill.prefix, bill.report_name) if part)


def period_prefix(bill: Bill, month: date) -> str:
    """The folder of a billing period: ``cur/hourly-cur/20261001-20261101``."""
    return f"{report_prefix(bill)}/{month:%Y%m%d}-{next_month(month):%Y%m%d}"


def data_prefix(bill: Bill, delivery: BillDelivery) -> str:
    """The folder the data files of a delivery go to."""
    if bill.report is Report.CUR_2:
        return export_folder(bill, delivery, "data")
    if bill.file_format is FileFormat.PARQUET:
        # The Athena layout: the report's name twice, the month without a leading zero.
        return f"{report_prefix(bill)}/{bill.report_name}/year={delivery.month.year}/month={delivery.month.month}"
    period = period_prefix(bill, delivery.month)
    return period if bill.versioning is Versioning.OVERWRITE else f"{period}/{delivery.assembly_id}"


def data_key(bill: Bill, delivery: BillDelivery, part: int) -> str:
    """The key of data file number ``part`` (from 1), relative to the bucket."""
    return f"{data_prefix(bill, delivery)}/{bill.report_name}-{part:05d}{_SUFFIX[bill.file_format]}"


def manifest_keys(bill: Bill, delivery: BillDelivery) -> list[str]:
    """Where the manifest goes: the billing period's folder first, and the assembly's (or Athena's) own copy."""
    if bill.report is Report.CUR_2:
        return export_manifest_keys(bill, delivery)
    name = f"{bill.report_name}-Manifest.json"
    keys = [f"{period_prefix(bill, delivery.month)}/{name}", f"{data_prefix(bill, delivery)}/{name}"]
    return list(dict.fromkeys(keys))


def status_key(bill: Bill) -> str:
    """The Athena status file: one column ``status``, READY or UPDATING."""
    folder = f"{report_prefix(bill)}/{bill.report_name}/cost_and_usage_data_status"
    return f"{folder}/cost_and_usage_data_status.parquet"


def create_table_key(bill: Bill, month: date) -> str:
    """The SQL file AWS adds for Athena."""
    return f"{period_prefix(bill, month)}/{bill.report_name}-create-table.sql"


def manifest_text(bill: Bill, delivery: BillDelivery, columns: Sequence[str], keys: Sequence[str]) -> str:
    """The manifest as JSON; ``columns`` are those of the first file, ``keys`` the data files relative to the bucket."""
    is_parquet = bill.file_format is FileFormat.PARQUET
    compression = {FileFormat.CSV_GZIP: "GZIP", FileFormat.CSV_ZIP: "ZIP", FileFormat.PARQUET: "Parquet"}
    start, end = delivery.month, next_month(delivery.month)
    manifest = {
        "assemblyId": delivery.assembly_id,
        "account": bill.payer_account_id,
        "columns": _manifest_columns(columns, is_parquet or bill.headers is Headers.SNAKE),
        "charset": "UTF-8",
        "compression": compression[bill.file_format],
        "contentType": "Parquet" if is_parquet else "text/csv",
        "reportId": hashlib.sha256(f"{bill.payer_account_id}/{bill.location}".encode()).hexdigest(),
        "reportName": bill.report_name,
        "billingPeriod": {"start": f"{start:%Y%m%d}T000000.000Z", "end": f"{end:%Y%m%d}T000000.000Z"},
        "bucket": bill.bucket,
        "reportKeys": list(keys),
        "additionalArtifactKeys": [],
    }
    return json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"


def create_table_text(bill: Bill, columns: Sequence[str]) -> str:
    """AWS's CREATE EXTERNAL TABLE for a Parquet report."""
    types = {Kind.DECIMAL: "DOUBLE", Kind.TIMESTAMP: "TIMESTAMP"}
    merged = merged_by_snake_case(columns)
    lines = ",\n".join(f"  {name} {types.get(kind_of(same[0]), 'STRING')}" for name, same in merged.items())
    name = bill.report_name.replace("-", "_")
    return f"CREATE EXTERNAL TABLE IF NOT EXISTS {name}(\n{lines}\n) STORED AS PARQUET\n"


def _manifest_columns(columns: Sequence[str], snake: bool) -> list[dict[str, str]]:
    described = []
    for same in merged_by_snake_case(columns).values() if snake else [[column] for column in columns]:
        category, name = same[0].split("/", 1)
        kind = kind_of(same[0])
        optional = "Optional" if kind in (Kind.TEXT, Kind.DECIMAL) and category not in ("identity", "bill") else ""
        spelt = (snake_case(category), snake_case(same[0])[len(snake_case(category)) + 1 :]) if snake else (category, name)
        described.append({"category": spelt[0], "name": spelt[1], "type": optional + kind.value})
    return described
