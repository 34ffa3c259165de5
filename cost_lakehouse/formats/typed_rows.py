"""Rows as text in, typed batches of a raw table and their control totals out; the same way for every kind of bill."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

import pyarrow as pa

from cost_lakehouse.errors import RejectedValue
from cost_lakehouse.formats.columns_of_one_name import one_column_each, without_blanks
from cost_lakehouse.formats.control_totals import ControlTotals, totals_of
from cost_lakehouse.formats.decimals import DecimalColumn, to_decimals
from cost_lakehouse.formats.gathered_maps import Findings, GatheredMaps
from cost_lakehouse.formats.header import Target
from cost_lakehouse.formats.maps import map_type
from cost_lakehouse.formats.months import by_month
from cost_lakehouse.formats.raw_schema import CODED_TEXT, DISTINCT_TEXT
from cost_lakehouse.formats.table_format import TableFormat
from cost_lakehouse.formats.text_rows import TextRows
from cost_lakehouse.formats.timestamps import to_timestamps


@dataclass(frozen=True)
class Origin:
    """What every row of a file says of where it came from.

    ``billing_period`` is None where the delivery does not say it: each row then tells its own month.
    """

    source: str
    billing_period: date | None
    delivery_id: str
    file_name: str


@dataclass
class TypedRows:
    """Records of one month as rows of a raw table, with their control totals and how many values were rounded."""

    batch: pa.RecordBatch
    totals: ControlTotals
    rounded: int = 0


@dataclass
class TypedPiece:
    """Some records of a file, by month, and whatever could not be stored exactly."""

    months: dict[date, TypedRows]
    rejected: list[RejectedValue] = field(default_factory=list)


def typed_piece(rows: TextRows, targets: Sequence[Target], origin: Origin, table: TableFormat) -> TypedPiece:
    """Cast the text of each column to what the table holds, month by month, and sum the control totals from the text."""
    result = TypedPiece({}, list(rows.rejected))
    rows, rejected = one_column_each(without_blanks(rows, targets, table), targets, origin.file_name)
    result.rejected += rejected
    if origin.billing_period is not None:
        parts: list[tuple[date, TextRows, dict[str, pa.Array]]] = [(origin.billing_period, rows, {})]
    else:
        months = by_month(rows, targets, table.period, table.local_period, origin.file_name)
        parts = months.parts
        result.rejected += months.rejected
    for month, part, odd in parts:
        result.months[month] = _typed(part, targets, origin, month, table, result.rejected, Findings(odd))
    return result


def _typed(
    rows: TextRows,
    targets: Sequence[Target],
    origin: Origin,
    month: date,
    table: TableFormat,
    rejected: list[RejectedValue],
    findings: Findings,
) -> TypedRows:
    count = rows.count
    arrays: dict[str, pa.Array] = {}
    maps = GatheredMaps(table, count, rows.coded)
    texts: dict[str, pa.Array] = {}
    decimals: dict[str, DecimalColumn] = {}
    for target, text in zip(targets, rows.columns, strict=True):
        reasons: dict[int, str] = {}
        if target.key is not None:
            maps.add(target, text)
        elif target.kind == "map":
            maps.add_whole(target, text, findings)
        elif target.kind == "decimal":
            column = to_decimals(text, table.scale)
            arrays[target.column], reasons = column.stored, column.rejected
            texts[target.column], decimals[target.column] = text, column
        elif target.kind == "timestamp":
            moments = to_timestamps(text)
            arrays[target.column], reasons = moments.stored, moments.rejected
        else:
            arrays[target.column] = text
        for row, reason in reasons.items():
            record = int(rows.records[row])
            value = text.slice(row, 1).cast(pa.string())[0].as_py()
            rejected.append(RejectedValue(value, origin.file_name, record, target.delivered, reason))
    arrays |= maps.arrays(findings)
    totals = totals_of(table.group_keys(arrays, count), texts, decimals)
    arrays |= _origin_columns(origin, month, rows)
    if rows.coded:
        _code(arrays, table, count)
    for field_ in table.schema:
        if field_.name not in arrays:
            arrays[field_.name] = pa.nulls(count, map_type(rows.coded) if pa.types.is_map(field_.type) else field_.type)
    # The arrays' own types (a constant is a dictionary) under the table's names; a field that may be null differs from one
    # that may not.
    fields = [field_.with_type(arrays[field_.name].type) for field_ in table.schema]
    batch = pa.RecordBatch.from_arrays([arrays[name] for name in table.schema.names], schema=pa.schema(fields))
    return TypedRows(batch, totals, sum(len(column.rounded) for column in decimals.values()))


def _code(arrays: dict[str, pa.Array], table: TableFormat, count: int) -> None:
    """Every column of text that repeats becomes codes, also where nothing was delivered: a file has one type a column."""
    nothing = pa.DictionaryArray.from_arrays(pa.nulls(count, pa.int32()), pa.array([""]))
    for name, kind in table.columns.items():
        if kind != "text" or name in DISTINCT_TEXT:
            continue
        text = arrays.get(name)
        if text is None or text.null_count == count:
            arrays[name] = nothing
        elif text.type != CODED_TEXT:
            arrays[name] = text.dictionary_encode()


def _origin_columns(origin: Origin, month: date, rows: TextRows) -> dict[str, pa.Array]:
    count = rows.count
    return {
        "source": _constant(origin.source, count),
        "billing_period": pa.repeat(pa.scalar(month, pa.date32()), count),
        "delivery_id": _constant(origin.delivery_id, count),
        "file_name": _constant(origin.file_name, count),
        "row_number": pa.array(rows.records),
    }


def _constant(value: str, count: int) -> pa.Array:
    """One text for all rows, written once."""
    return pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), count), pa.array([value]))
