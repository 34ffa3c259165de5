"""FOCUS's own names and forms of values: PascalCase, UTC date-times, plain numbers."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

FOCUS_VERSION = "1.2"
TRACED = ("source", "delivery_id", "file_name", "row_number")
"""Columns of ours that lead a row back to its record; the billing period is FOCUS's own."""
_NOT_EXPORTED = {"billing_period"}


@dataclass(frozen=True)
class FocusColumn:
    """A column of the mart, as an export names it. ``type`` is one of Decimal, Double, Integer, String, DateTime."""

    column: str
    name: str
    type: str

    @property
    def in_parquet(self) -> str:
        """Its SQL for Parquet: date-times are instants."""
        value = f"timezone('UTC', {self.column})" if self.type == "DateTime" else self.column
        return f'{value} as "{self.name}"'

    @property
    def in_csv(self) -> str:
        """Its SQL as text, as FOCUS writes it: ``2026-10-01T00:00:00Z``, decimals without exponent and needless zeros."""
        if self.type == "DateTime":
            value = f"strftime({self.column}, '%Y-%m-%dT%H:%M:%SZ')"
        elif self.type == "Decimal":
            value = f"rtrim(rtrim(cast({self.column} as varchar), '0'), '.')"
        else:
            value = f"cast({self.column} as varchar)"
        return f'{value} as "{self.name}"'


def focus_columns(schema: pa.Schema) -> list[FocusColumn]:
    """The columns of an export, out of the mart's: FOCUS's in the order of their names, then those of ours."""
    focus: list[FocusColumn] = []
    own: list[FocusColumn] = []
    for field in schema:
        if field.name in _NOT_EXPORTED:
            continue
        is_own = field.name.startswith("x_") or field.name in TRACED
        words = "".join(word.capitalize() for word in field.name.removeprefix("x_").split("_"))
        column = FocusColumn(field.name, f"x_{words}" if is_own else words, _type_of(field.type))
        (own if is_own else focus).append(column)
    return sorted(focus, key=lambda column: column.name) + own


def _type_of(type_: pa.DataType) -> str:
    if pa.types.is_decimal(type_):
        return "Decimal"
    if pa.types.is_floating(type_):
        return "Double"
    if pa.types.is_integer(type_):
        return "Integer"
    return "DateTime" if pa.types.is_temporal(type_) else "String"
