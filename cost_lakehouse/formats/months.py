"""Which month each row of a bill belongs to, where the bill's files do not keep to months."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cost_lakehouse.errors import RejectedValue
from cost_lakehouse.formats.header import Target
from cost_lakehouse.formats.raw_schema import TIMESTAMP
from cost_lakehouse.formats.text_rows import TextRows
from cost_lakehouse.formats.timestamps import to_timestamps


def by_month(
    rows: TextRows, targets: Sequence[Target], period: Sequence[str], file: str
) -> tuple[list[tuple[date, TextRows]], list[RejectedValue]]:
    """The rows of each month (UTC), and a rejection for every row that belongs to none.

    ``period`` are columns of moments; a row's month is that of the first one that has a value.
    """
    moments = pa.nulls(rows.count, TIMESTAMP)
    rejected: dict[int, RejectedValue] = {}
    delivered = ""
    for target, text in _columns(period, targets, rows):
        delivered = delivered or target.delivered
        column = to_timestamps(text)
        for row, reason in column.rejected.items():
            if row not in rejected and not moments[row].is_valid:
                value = text[row].as_py()
                rejected[row] = RejectedValue(
                    value, file, int(rows.records[row]), target.delivered, f"{reason}: the row belongs to no month"
                )
        moments = pc.coalesce(moments, column.stored)
    if moments.null_count == 0 and rows.count and not rejected:
        edges = pc.min_max(moments).as_py()
        first, last = (date(each.year, each.month, 1) for each in (edges["min"], edges["max"]))
        if first == last:
            return [(first, rows)], []
    for row in pc.indices_nonzero(moments.is_null()).to_pylist():
        if row not in rejected:
            rejected[row] = RejectedValue("", file, int(rows.records[row]), delivered, "is empty: the row belongs to no month")
    return _split(rows, moments.to_numpy(zero_copy_only=False).astype("datetime64[M]"), rejected), list(rejected.values())


def _columns(period: Sequence[str], targets: Sequence[Target], rows: TextRows) -> list[tuple[Target, pa.Array]]:
    """The delivered columns that tell the month, the first choice first."""
    found = [
        (name, target.column != name, target, text)
        for target, text in zip(targets, rows.columns, strict=True)
        for name in period
        if name in (target.fills, target.column if target.key is None else None)
    ]
    found.sort(key=lambda each: (period.index(each[0]), each[1]))
    return [(target, text) for _, _, target, text in found]


def _split(rows: TextRows, months: np.ndarray, rejected: dict[int, RejectedValue]) -> list[tuple[date, TextRows]]:
    good = np.ones(rows.count, bool)
    good[list(rejected)] = False
    return [(month.astype(date), rows.take(np.flatnonzero((months == month) & good))) for month in np.unique(months[good])]
