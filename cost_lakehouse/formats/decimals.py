"""Delivered text becomes ``decimal(38, 20)``: what is rounded is known to the last digit, what is no number is rejected."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Context, Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cost_lakehouse.formats.aws_cur_schema import MONEY

SCALE = 20
_STEP = Decimal(1).scaleb(-SCALE)
_LIMIT = Decimal(10) ** (38 - SCALE)
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?\s*", re.ASCII)
# Wide enough for every double written out (1E-324 and 309 digits before the point), so that nothing is lost on the way.
EXACT = Context(prec=1500, rounding=ROUND_HALF_EVEN, Emax=99999, Emin=-99999)
# Text that is not longer cannot hold more than 20 digits after the point, unless it has an exponent.
_SURELY_SHORT = SCALE + 2


@dataclass
class DecimalColumn:
    """A column of text, cast. ``rounded`` maps a row to its exact delivered value; ``rejected`` a row to the reason."""

    stored: pa.Array  # decimal(38, 20)
    rounded: dict[int, Decimal] = field(default_factory=dict)
    rejected: dict[int, str] = field(default_factory=dict)


def exact_number(text: str) -> Decimal | None:
    """The exact value of a delivered number in plain or scientific notation, or None where it is none."""
    if not _NUMBER.fullmatch(text):
        return None
    return Decimal(text.strip())


def to_decimals(text: pa.Array) -> DecimalColumn:
    """Cast text; null stays null.

    A value with more than 20 digits after the point is rounded half-even and reported; text that is no number, or has more
    than 18 digits before the point, is rejected (and stored as null: its delivery is refused anyway).
    """
    if text.null_count == len(text):
        return DecimalColumn(pa.nulls(len(text), MONEY))
    try:
        # pyarrow either keeps every digit or fails; it never rounds.
        return DecimalColumn(pc.cast(text, MONEY))
    except pa.ArrowInvalid:
        return _one_by_one(text)


def _one_by_one(text: pa.Array) -> DecimalColumn:
    """Only values that may need rounding or rejection are looked at in Python."""
    doubtful = pc.fill_null(pc.greater(pc.binary_length(text), _SURELY_SHORT), False)
    doubtful = pc.or_(doubtful, pc.fill_null(pc.match_substring_regex(text, r"[^0-9.\-]"), False))
    plain = pc.if_else(doubtful, None, text)
    try:
        stored = pc.cast(plain, MONEY)
    except pa.ArrowInvalid:
        doubtful, stored = text.is_valid(), pa.nulls(len(text), MONEY)
    result = DecimalColumn(stored)
    rows = np.flatnonzero(doubtful.to_numpy(zero_copy_only=False))
    values: list[Decimal | None] = []
    for row, value in zip(rows.tolist(), text.take(pa.array(rows)).to_pylist(), strict=True):
        values.append(_round(row, value, result))
    mask = np.zeros(len(text), bool)
    mask[rows] = True
    result.stored = pc.replace_with_mask(stored, pa.array(mask), pa.array(values, MONEY))
    return result


def _round(row: int, text: str, result: DecimalColumn) -> Decimal | None:
    exact = exact_number(text)
    if exact is None:
        result.rejected[row] = "is not a number"
        return None
    stored = exact.quantize(_STEP, context=EXACT)
    if abs(stored) >= _LIMIT:
        result.rejected[row] = f"has more than {38 - SCALE} digits before the point"
        return None
    if stored != exact:
        result.rounded[row] = exact
    return stored
