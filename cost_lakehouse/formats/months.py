"""Which month each row of a bill belongs to, where the bill's files do not keep to months."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cost_lakehouse.errors import RejectedValue
from cost_lakehouse.formats.header import Target
from cost_lakehouse.formats.raw_schema import TIMESTAMP
from cost_lakehouse.formats.text_rows import TextRows
from cost_lakehouse.formats.timestamps import to_local_moments, to_timestamps

IN_LOCAL_TIME = "billing period in local time"
NOT_A_MONTH = "billing period does not begin with a month"


@dataclass
class Months:
    """The rows of each month with what is odd about their billing periods, and a rejection for every row of no month.

    What is odd is a text a row under the finding's name: a zone, a period's begin; null where nothing is.
    """

    parts: list[tuple[date, TextRows, dict[str, pa.Array]]] = field(default_factory=list)
    rejected: list[RejectedValue] = field(default_factory=list)


def by_month(rows: TextRows, targets: Sequence[Target], period: Sequence[str], local: Sequence[str], file: str) -> Months:
    """Put each row into its month.

    ``period`` are columns of moments; a row's month is that of the first one that has a value: in UTC, or where ``local`` names
    the column in the zone that the value is written in, as a bill's month begins at a midnight.
    """
    moments = pa.nulls(rows.count, TIMESTAMP)
    odd: dict[str, pa.Array] = {}
    rejected: dict[int, RejectedValue] = {}
    delivered = ""
    for name, target, text in _columns(period, targets, rows):
        delivered = delivered or target.delivered
        if name in local:
            column = to_local_moments(text)
            stored, wrong = column.stored, column.rejected
            if not odd:  # of the first column that is a period
                odd = _odd_periods(stored, column.zones)
        else:
            utc = to_timestamps(text)
            stored, wrong = utc.stored, utc.rejected
        for row, reason in wrong.items():
            if row not in rejected and not moments[row].is_valid:
                value = text[row].as_py()
                rejected[row] = RejectedValue(
                    value, file, int(rows.records[row]), target.delivered, f"{reason}: the row belongs to no month"
                )
        moments = pc.coalesce(moments, stored)
    if moments.null_count == 0 and rows.count and not rejected:
        edges = pc.min_max(moments).as_py()
        first, last = (date(item.year, item.month, 1) for item in (edges["min"], edges["max"]))
        if first == last:
            return Months([(first, rows, odd)])
    for row in pc.indices_nonzero(moments.is_null()).to_pylist():
        if row not in rejected:
            rejected[row] = RejectedValue("", file, int(rows.records[row]), delivered, "is empty: the row belongs to no month")
    months = moments.to_numpy(zero_copy_only=False).astype("datetime64[M]")
    good = np.ones(rows.count, bool)
    good[list(rejected)] = False
    parts = []
    for month in np.unique(months[good]):
        chosen = np.flatnonzero((months == month) & good)
        found = {reason: texts.take(pa.array(chosen)) for reason, texts in odd.items()}
        parts.append((month.astype(date), rows.take(chosen), found))
    return Months(parts, list(rejected.values()))


def _odd_periods(begins: pa.Array, zones: pa.Array) -> dict[str, pa.Array]:
    """What FOCUS does not foresee: it wants a billing period to begin at midnight UTC of a month's first day."""
    found = {IN_LOCAL_TIME: zones} if zones.null_count < len(zones) else {}
    monthly = pc.equal(begins, pc.floor_temporal(begins, unit="month"))
    if pc.all(monthly).as_py() is False:
        shown = pc.strftime(begins, format="%Y-%m-%d %H:%M")
        found[NOT_A_MONTH] = pc.if_else(monthly, pa.scalar(None, pa.string()), shown)
    return found


def _columns(period: Sequence[str], targets: Sequence[Target], rows: TextRows) -> list[tuple[str, Target, pa.Array]]:
    """The delivered columns that tell the month, the first choice first."""
    found = [
        (name, target.column != name, target, text)
        for target, text in zip(targets, rows.columns, strict=True)
        for name in period
        if name in (target.fills, target.column if target.key is None else None)
    ]
    found.sort(key=lambda one: (period.index(one[0]), one[1]))
    return [(name, target, text) for name, _, target, text in found]
