"""Delivered text becomes ``decimal(38, scale)``: what is rounded is known to the last digit, what is no number is rejected."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Context, Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cost_lakehouse.formats.raw_schema import MONEY_SCALE

_DIGITS = 38
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?\s*", re.ASCII)
# Wide enough for every double written out (1E-324 and 309 digits before the point), so that nothing is lost on the way.
EXACT = Context(prec=1500, rounding=ROUND_HALF_EVEN, Emax=99999, Emin=-99999)


@dataclass
class DecimalColumn:
    """A column of text, cast. ``rounded`` maps a row to its exact delivered value; ``rejected`` a row to the reason."""

    stored: pa.Array  # decimal(38, scale)
    rounded: dict[int, Decimal] = field(default_factory=dict)
    rejected: dict[int, str] = field(default_factory=dict)


def exact_number(text: str) -> Decimal | None:
    """The exact value of a delivered number in plain or scientific notation, or None where it is none."""
    if not _NUMBER.fullmatch(text):
        return None
    return Decimal(text.strip())


def to_decimals(text: pa.Array, scale: int = MONEY_SCALE) -> DecimalColumn:
    """Cast text; null stays null.

    A value with more than ``scale`` digits after the point is rounded half-even and reported; text that is no number, or has
    too many digits before the point (more than 18 where the scale is 20), is rejected (and stored as null: its delivery is
    refused anyway).
    """
    kind = pa.decimal128(_DIGITS, scale)
    if text.null_count == len(text):
        return DecimalColumn(pa.nulls(len(text), kind))
    try:
        # pyarrow either keeps every digit or fails; it never rounds.
        return DecimalColumn(pc.cast(text, kind))
    except pa.ArrowInvalid:
        return _one_by_one(text, scale)


def _one_by_one(text: pa.Array, scale: int) -> DecimalColumn:
    """Only values that may need rounding or rejection are looked at in Python."""
    kind = pa.decimal128(_DIGITS, scale)
    # Text that is not longer cannot hold more digits after the point, unless it has an exponent.
    doubtful = pc.fill_null(pc.greater(pc.binary_length(text), scale + 2), False)
    doubtful = pc.or_(doubtful, pc.fill_null(pc.match_substring_regex(text, r"[^0-9.\-]"), False))
    plain = pc.if_else(doubtful, None, text)
    try:
        stored = pc.cast(plain, kind)
    except pa.ArrowInvalid:
        doubtful, stored = text.is_valid(), pa.nulls(len(text), kind)
    result = DecimalColumn(stored)
    rows = np.flatnonzero(doubtful.to_numpy(zero_copy_only=False))
    values: list[Decimal | None] = []
    for row, value in zip(rows.tolist(), text.take(pa.array(rows)).to_pylist(), strict=True):
        values.append(_round(row, value, scale, result))
    mask = np.zeros(len(text), bool)
    mask[rows] = True
    result.stored = pc.replace_with_mask(stored, pa.array(mask), pa.array(values, kind))
    return result


def _round(row: int, text: str, scale: int, result: DecimalColumn) -> Decimal | None:
    exact = exact_number(text)
    if exact is None:
        result.rejected[row] = "is not a number"
        return None
    stored = exact.quantize(Decimal(1).scaleb(-scale), context=EXACT)
    if abs(stored) >= Decimal(10) ** (_DIGITS - scale):
        result.rejected[row] = f"has more than {_DIGITS - scale} digits before the point"
        return None
    if stored != exact:
        result.rounded[row] = exact
    return stored
