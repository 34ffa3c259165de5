"""Where AWS puts a Data Export's files in the bucket, and the manifest that it writes after them."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Sequence
from datetime import UTC

from sample_bills.bills import Bill, BillDelivery, FileFormat, Versioning
from sample_bills.columns import Kind
from sample_bills.cur2_columns import DISCOUNT_MAP, Shape


def execution_id(bill: Bill, delivery: BillDelivery) -> str:
    """AWS's id of what made a delivery: the same for the same delivery."""
    digest = hashlib.sha256(f"{bill.location}/{delivery.month}/{delivery.assembly_id}".encode()).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))


def export_folder(bill: Bill, delivery: BillDelivery, part: str) -> str:
    """The folder of a delivery's data files (``part`` is data) or of its own manifest (metadata)."""
    period = period_folder(bill, delivery, part)
    if bill.versioning is Versioning.OVERWRITE:
        return period
    moment = delivery.delivered_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return f"{period}/{moment}-{execution_id(bill, delivery)}"


def period_folder(bill: Bill, delivery: BillDelivery, part: str) -> str:
    """The folder of a billing period: ``cur/hourly-cur/data/BILLING_PERIOD=2026-10``."""
    names = (bill.prefix, bill.report_name, part, f"{bill.period_folder}={delivery.month:%Y-%m}")
    return "/".join(name for name in names if name)


def export_manifest_keys(bill: Bill, delivery: BillDelivery) -> list[str]:
    """The billing period's manifest first, and the execution's own copy."""
    folders = (period_folder(bill, delivery, "metadata"), export_folder(bill, delivery, "metadata"))
    return list(dict.fromkeys(f"{folder}/{bill.report_name}-Manifest.json" for folder in folders))


def export_manifest_text(bill: Bill, delivery: BillDelivery, shape: Shape, keys: Sequence[str]) -> str:
    """The manifest as JSON; ``keys`` are the data files relative to the bucket."""
    is_parquet = bill.file_format is FileFormat.PARQUET
    compression = {FileFormat.CSV_GZIP: "GZIP", FileFormat.CSV_ZIP: "ZIP", FileFormat.PARQUET: "PARQUET"}
    manifest = {
        "executionId": execution_id(bill, delivery),
        "account": bill.payer_account_id,
        "exportName": bill.report_name,
        "columns": [{"name": name, "type": _type(shape, name)} for name in shape.names],
        "format": "PARQUET" if is_parquet else "TEXT_OR_CSV",
        "compression": compression[bill.file_format],
        "dataFiles": [f"s3://{bill.bucket}/{key}" for key in keys],
    }
    return json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"


def _type(shape: Shape, name: str) -> str:
    if name in shape.maps:
        return f"map<string,{'double' if name == DISCOUNT_MAP else 'string'}>"
    return {Kind.DECIMAL: "double", Kind.TIMESTAMP: "timestamp(3)"}.get(shape.kind(name), "string")
