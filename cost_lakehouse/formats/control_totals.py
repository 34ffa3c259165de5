"""Control totals: exact sums of what was delivered, taken from its text by another way than the one that stores it.

The loader casts text with pyarrow; here polars parses the same text, and Python's ``decimal`` whatever is not plain. Doubles
of at most 15 digits are whole numbers over powers of ten on both sides: the loader multiplies each into 128 bits, here they are
summed first. The stored side is summed by DuckDB from the written files. All have to agree before a delivery is committed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cost_lakehouse.formats.decimals import EXACT, DecimalColumn, exact_number
from cost_lakehouse.formats.doubles import Wholes

if TYPE_CHECKING:
    import polars as pl

# 16 MiB of text hold fewer than 2^24 rows: sums of smaller values cannot overflow 38 digits.
_SAFE_SUMMAND = Decimal(10) ** 10
_ZERO = Decimal(0)
_PLACES = 21  # a whole number has 0 to 20
_HALVES = 10**7  # cuts whole numbers of 15 digits in two


class Group(NamedTuple):
    """What control totals are kept by; a value that is not delivered is an empty text."""

    payer_account_id: str
    currency_code: str
    line_item_type: str
    invoice_id: str


@dataclass
class Total:
    """The exact sum of one metric in one group. ``rounding`` is delivered minus stored, by the rounding rule."""

    line_items: int = 0
    delivered: Decimal = _ZERO
    rounding: Decimal = _ZERO

    def add(self, line_items: int, delivered: Decimal, rounding: Decimal = _ZERO) -> None:
        """Add another sum, exactly."""
        self.line_items += line_items
        self.delivered = EXACT.add(self.delivered, delivered)
        self.rounding = EXACT.add(self.rounding, rounding)


@dataclass
class ControlTotals:
    """The delivered side of a delivery's proof: rows by group, and a total by group and metric."""

    rows: dict[Group, int] = field(default_factory=dict)
    totals: dict[tuple[Group, str], Total] = field(default_factory=dict)

    @property
    def row_count(self) -> int:
        """All rows of all groups."""
        return sum(self.rows.values())

    def total(self, group: Group, metric: str) -> Total:
        """The total of that group and metric, made on first use."""
        return self.totals.setdefault((group, metric), Total())

    def merge(self, other: ControlTotals) -> None:
        """Add another part of the same delivery."""
        for group, rows in other.rows.items():
            self.rows[group] = self.rows.get(group, 0) + rows
        for (group, metric), total in other.totals.items():
            self.total(group, metric).add(total.line_items, total.delivered, total.rounding)

    def by_currency(self, metric: str) -> dict[str, Decimal]:
        """The delivered sum of a metric, a currency each."""
        sums: dict[str, Decimal] = {group.currency_code: _ZERO for group in self.rows}
        for (group, name), total in self.totals.items():
            if name == metric:
                sums[group.currency_code] = EXACT.add(sums[group.currency_code], total.delivered)
        return sums


def totals_of(keys: Sequence[pa.Array], texts: Mapping[str, pa.Array], columns: Mapping[str, DecimalColumn]) -> ControlTotals:
    """The control totals of some rows.

    ``keys`` are the four texts of a Group (null is an empty one), ``texts`` every metric as delivered, ``columns`` the same
    metrics as cast (only for the doubles' whole numbers and which rows were rounded or rejected, never for their values).
    """
    groups, group_of_row = _groups(keys)
    result = ControlTotals(rows=dict(zip(groups, np.bincount(group_of_row, minlength=len(groups)).tolist(), strict=True)))
    plain: dict[str, pa.Array] = {}
    for metric, text in texts.items():
        if text.null_count == len(text):
            continue
        column = columns[metric]
        for row, exact in column.rounded.items():
            stored = column.stored[row].as_py()
            result.total(groups[group_of_row[row]], metric).add(1, exact, EXACT.subtract(exact, stored))
        keep = np.ones(len(text), bool)
        if column.wholes is not None:
            _add_wholes(result, groups, group_of_row, metric, column.wholes)
            keep = ~column.wholes.exact
        keep[[*column.rounded, *column.rejected]] = False
        if not keep.all():
            text = pc.if_else(pa.array(keep), text, None)
        if text.null_count < len(text):
            plain[metric] = text.cast(pa.string())
    _add_plain(result, groups, group_of_row, plain)
    return result


def _groups(keys: Sequence[pa.Array]) -> tuple[list[Group], np.ndarray]:
    """The distinct groups, and the group's index of each row."""
    codes = np.zeros(len(keys[0]), np.int64)
    values: list[list[str]] = []
    for key in keys:
        encoded = pc.fill_null(key, "").dictionary_encode()
        distinct = encoded.dictionary.to_pylist()
        codes = codes * max(len(distinct), 1) + encoded.indices.to_numpy(zero_copy_only=False)
        values.append(distinct)
    distinct_codes, group_of_row = np.unique(codes, return_inverse=True)
    groups = []
    for code in distinct_codes.tolist():
        parts = []
        for distinct in reversed(values):
            code, index = divmod(code, max(len(distinct), 1))
            parts.append(distinct[index])
        groups.append(Group(*reversed(parts)))
    return groups, group_of_row


def _add_wholes(result: ControlTotals, groups: list[Group], group_of_row: np.ndarray, metric: str, wholes: Wholes) -> None:
    """Sum whole numbers, those of a group that have as many places together."""
    key = (group_of_row * _PLACES + wholes.places)[wholes.exact]
    high, low = np.divmod(wholes.number[wholes.exact], _HALVES)
    # Neither sum comes near 2^53, up to which doubles count without rounding.
    counts, highs, lows = np.bincount(key), np.bincount(key, high), np.bincount(key, low)
    sums: dict[int, tuple[int, int]] = {}
    for item in np.flatnonzero(counts).tolist():
        group, places = divmod(item, _PLACES)
        count, total = sums.get(group, (0, 0))
        whole = int(highs[item]) * _HALVES + int(lows[item])
        sums[group] = (count + int(counts[item]), total + whole * 10 ** (_PLACES - 1 - places))
    for group, (count, total) in sums.items():
        result.total(groups[group], metric).add(count, Decimal(total).scaleb(1 - _PLACES, EXACT))


def _add_plain(result: ControlTotals, groups: list[Group], group_of_row: np.ndarray, texts: dict[str, pa.Array]) -> None:
    """Sum plain numbers by polars; where it cannot take a column, by Python."""
    import polars as pl  # half a second, which whoever only reads totals does not need

    parsed: dict[str, pl.Series] = {}
    for metric, text in texts.items():
        try:
            numbers = pl.Series(metric, pl.from_arrow(text)).cast(pl.Decimal(38, 20), strict=True)
        except pl.exceptions.InvalidOperationError:
            numbers = None
        if numbers is None or _may_overflow(numbers):
            _add_by_python(result, groups, group_of_row, metric, text)
        else:
            parsed[metric] = numbers
    if not parsed:
        return
    frame = pl.DataFrame([pl.Series("group", group_of_row), *parsed.values()])
    sums = frame.group_by("group").agg(
        *(pl.col(metric).sum() for metric in parsed), *(pl.col(metric).count().alias(f"count {metric}") for metric in parsed)
    )
    for row in sums.iter_rows(named=True):
        for metric in parsed:
            if row[f"count {metric}"]:
                result.total(groups[row["group"]], metric).add(row[f"count {metric}"], row[metric])


def _may_overflow(numbers: pl.Series) -> bool:
    highest, lowest = numbers.max(), numbers.min()
    return any(isinstance(edge, Decimal) and abs(edge) > _SAFE_SUMMAND for edge in (highest, lowest))


def _add_by_python(result: ControlTotals, groups: list[Group], group_of_row: np.ndarray, metric: str, text: pa.Array) -> None:
    for row, value in enumerate(text.to_pylist()):
        exact = None if value is None else exact_number(value)
        if exact is not None:
            result.total(groups[group_of_row[row]], metric).add(1, exact)
