"""What all raw tables share: the types of their columns, and the columns that say where a row came from."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from importlib.resources import files

import pyarrow as pa

MONEY_SCALE = 20
MONEY = pa.decimal128(38, MONEY_SCALE)  # money and quantities, exact end to end
TEXT_MAP = pa.map_(pa.string(), pa.string())
CODED_TEXT = pa.dictionary(pa.int32(), pa.string())  # text while it is on its way: each value once, and codes
CODED_MAP = pa.map_(CODED_TEXT, CODED_TEXT)
TIMESTAMP = pa.timestamp("us")  # UTC, without zone

# Of every raw table: which slice and delivery a row belongs to.
SLICE_FIELDS = [
    pa.field("source", pa.string(), nullable=False),
    pa.field("billing_period", pa.date32(), nullable=False),
    pa.field("delivery_id", pa.string(), nullable=False),
]
# Nearly every value is another one: codes would only cost time and room.
DISTINCT_TEXT = {"identity_line_item_id", "line_item_reference_no"}
# Codes and ids, of which a blank says nothing. (Descriptions and names stay as they are delivered.)
_CODES = ("_id", "_code", "_currency", "_type", "_category", "_class", "_arn", "_a_r_n", "_no", "_status")
# Of every line item: the file and the record in it, header excluded.
ORIGIN_FIELDS = [pa.field("file_name", pa.string(), nullable=False), pa.field("row_number", pa.int64(), nullable=False)]


@dataclass(frozen=True)
class Column:
    """A column of a raw table that bills fill. ``delivered`` are the header names it is known by, the preferred one first."""

    name: str
    kind: str  # text, decimal, timestamp or map
    delivered: tuple[str, ...] = ()

    @property
    def is_code(self) -> bool:
        """Whether it holds codes or ids, of which a blank says nothing."""
        return self.kind == "text" and self.name.endswith(_CODES) and self.name not in DISTINCT_TEXT

    def type(self, scale: int) -> pa.DataType:
        """How it is stored; ``scale`` is that of the table's decimals."""
        types = {"text": pa.string(), "decimal": pa.decimal128(38, scale), "timestamp": TIMESTAMP, "map": TEXT_MAP}
        return types[self.kind]


def read_columns(file: str) -> tuple[Column, ...]:
    """A raw table's columns in its order, from the package's table of them (``column,type`` and maybe ``delivered``)."""
    text = files("cost_lakehouse.formats").joinpath(file).read_text(encoding="utf-8")
    return tuple(
        Column(row["column"], row["type"], tuple(name for name in (row.get("delivered") or "").split("|") if name))
        for row in csv.DictReader(text.splitlines())
    )
