"""The shape of ``raw.aws_cur``: CUR 2.0's columns (``aws_cur_columns.csv``), whatever way a bill was delivered."""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files

import pyarrow as pa

MONEY = pa.decimal128(38, 20)  # money and quantities, exact end to end
TEXT_MAP = pa.map_(pa.string(), pa.string())
_TYPES: dict[str, pa.DataType] = {
    "text": pa.string(),
    "decimal": MONEY,
    "timestamp": pa.timestamp("us"),
    "map": TEXT_MAP,
}

# Of every raw table: which slice and delivery a row belongs to.
SLICE_FIELDS = [
    pa.field("source", pa.string(), nullable=False),
    pa.field("billing_period", pa.date32(), nullable=False),
    pa.field("delivery_id", pa.string(), nullable=False),
]
# Of every line item: the file and the record in it, header excluded.
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
