"""The raw tables' schemas: the CUR 2.0 shape for AWS bills, and the ledgers that prove every load."""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files

import pyarrow as pa

MONEY = pa.decimal128(38, 20)  # money and quantities, exact end to end
EXACT = pa.decimal128(38, 25)  # control totals: room for digits that the lake rounds away
TEXT_MAP = pa.map_(pa.string(), pa.string())
_TYPES: dict[str, pa.DataType] = {
    "text": pa.string(),
    "decimal": MONEY,
    "timestamp": pa.timestamp("us"),
    "map": TEXT_MAP,
}

SLICE_FIELDS = [
    pa.field("source", pa.string(), nullable=False),
    pa.field("billing_period", pa.date32(), nullable=False),
    pa.field("delivery_id", pa.string(), nullable=False),
]
ORIGIN_FIELDS = [pa.field("file_name", pa.string(), nullable=False), pa.field("row_number", pa.int64(), nullable=False)]


@cache
def aws_cur_columns() -> dict[str, str]:
    """CUR 2.0's columns -> text, decimal, timestamp or map, in the table's order (``aws_cur_columns.csv``)."""
    text = files("cost_lakehouse.formats").joinpath("aws_cur_columns.csv").read_text(encoding="utf-8")
    return {row["column"]: row["type"] for row in csv.DictReader(text.splitlines())}


@cache
def aws_cur_schema() -> pa.Schema:
    """``raw.aws_cur``: one row a line item, every delivered column kept (unknown ones in ``other``)."""
    columns = [pa.field(name, _TYPES[kind]) for name, kind in aws_cur_columns().items()]
    return pa.schema([*SLICE_FIELDS, *ORIGIN_FIELDS, *columns, pa.field("other", TEXT_MAP)])


RECEIPTS = pa.schema(
    [
        *SLICE_FIELDS,
        pa.field("load_id", pa.string(), nullable=False),
        pa.field("state", pa.string(), nullable=False),
        pa.field("reason", pa.string()),
        pa.field("files", pa.int64()),
        pa.field("rows", pa.int64()),
        pa.field("bytes", pa.int64()),
        pa.field("rejected", pa.int64()),
        pa.field("rejected_values", pa.string()),
        pa.field("rounding_values", pa.int64()),
        pa.field("loaded_at", pa.timestamp("us"), nullable=False),
        pa.field("delivered_at", pa.timestamp("us")),
        pa.field("fingerprint", pa.string()),
        pa.field("digest", pa.string()),
    ]
)

CONTROL_TOTALS = pa.schema(
    [
        *SLICE_FIELDS,
        pa.field("load_id", pa.string(), nullable=False),
        pa.field("payer_account_id", pa.string()),
        pa.field("currency_code", pa.string()),
        pa.field("line_item_type", pa.string()),
        pa.field("invoice_id", pa.string()),
        pa.field("metric", pa.string(), nullable=False),
        pa.field("line_items", pa.int64()),
        pa.field("delivered", EXACT),
        pa.field("stored", MONEY),
        pa.field("rounding", EXACT),
        pa.field("delivered_exact", pa.string()),
        pa.field("rounding_exact", pa.string()),
    ]
)

FILES = pa.schema(
    [
        *SLICE_FIELDS,
        pa.field("load_id", pa.string(), nullable=False),
        pa.field("key", pa.string(), nullable=False),
        pa.field("etag", pa.string()),
        pa.field("size", pa.int64()),
        pa.field("rows", pa.int64()),
    ]
)


def raw_tables() -> dict[str, pa.Schema]:
    """Every raw table and its columns."""
    return {
        "raw.aws_cur": aws_cur_schema(),
        "raw.receipts": RECEIPTS,
        "raw.control_totals": CONTROL_TOTALS,
        "raw.files": FILES,
    }
