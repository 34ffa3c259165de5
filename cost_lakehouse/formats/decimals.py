"""Text and doubles become ``decimal(38, scale)``: what is rounded is known to the last digit, what is no number is rejected."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cost_lakehouse.formats.doubles import Wholes, to_decimal128, wholes_of
from cost_lakehouse.formats.raw_schema import MONEY_SCALE

_DIGITS = 38
_Said = TypeVar("_Said")
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
_MOST_DIGITS = 700  # before and after the point together: the shortest text of every double has fewer
_LONGEST_TEXT = 45  # pyarrow casts 57 digits and more to a number that they are not
# Wide enough for sums of such numbers, so that nothing is lost on the way.
EXACT = Context(prec=1500, rounding=ROUND_HALF_EVEN, Emax=99999, Emin=-99999)


_CENT = Decimal("0.01")


def in_cents(amount: Decimal) -> Decimal:
    """An amount for people, rounded half-even to two places; never -0.00."""
    return EXACT.add(amount.quantize(_CENT, context=EXACT), Decimal(0))


def exact_sum(amounts: Iterable[Decimal]) -> Decimal:
    """A sum without any rounding."""
    total = Decimal(0)
    for amount in amounts:
        total = EXACT.add(total, amount)
    return total


@dataclass
class DecimalColumn:
    """A column of text or doubles, cast. ``rounded`` maps a row to its exact delivered value; ``rejected`` a row to the reason.

    ``wholes`` are the doubles that were cast without a text.
    """

    stored: pa.Array  # decimal(38, scale)
    rounded: dict[int, Decimal] = field(default_factory=dict)
    rejected: dict[int, str] = field(default_factory=dict)
    wholes: Wholes | None = None


def exact_number(text: str) -> Decimal | None:
    """The exact value of a delivered number in plain or scientific notation, or None where it is none.

    Raises OverflowError where it has too many digits to reckon with (``1E+2000``, ten thousand digits): no bill has them.
    """
    if not _NUMBER.fullmatch(text):
        return None
    try:
        exact = Decimal(text.strip())
    except InvalidOperation:  # an exponent beyond what Python counts to
        raise OverflowError from None
    if exact.is_zero():
        return Decimal(0)
    last = exact.as_tuple().exponent
    if isinstance(last, str) or max(exact.adjusted(), 0) - min(last, 0) >= _MOST_DIGITS:
        raise OverflowError
    return exact


def to_decimals(text: pa.Array, scale: int = MONEY_SCALE) -> DecimalColumn:
    """Cast text, or doubles as their shortest text; null stays null.

    A value with more than ``scale`` digits after the point is rounded half-even and reported; text that is no number, or has
    too many digits before the point (more than 18 where the scale is 20), is rejected (and stored as null: its delivery is
    refused anyway).
    """
    kind = pa.decimal128(_DIGITS, scale)
    if text.null_count == len(text):
        return DecimalColumn(pa.nulls(len(text), kind))
    if text.type == pa.float64():
        return _of_doubles(text, scale)
    if pc.max(pc.binary_length(text)).as_py() <= _LONGEST_TEXT:
        try:
            # pyarrow either keeps every digit or fails; it never rounds.
            return DecimalColumn(pc.cast(text, kind))
        except pa.ArrowInvalid:
            pass
    return _one_by_one(text, scale)


def _of_doubles(doubles: pa.Array, scale: int) -> DecimalColumn:
    """Each distinct double is cast once, by its text only where it has more than 15 digits."""
    encoded = doubles.dictionary_encode()
    distinct = encoded.dictionary
    wholes = wholes_of(distinct.to_numpy(), scale)
    cast = DecimalColumn(to_decimal128(wholes, scale))
    rest = np.flatnonzero(~wholes.exact)
    if len(rest):
        by_text = to_decimals(distinct.take(pa.array(rest)).cast(pa.string()), scale)
        cast.stored = pc.replace_with_mask(cast.stored, pa.array(~wholes.exact), by_text.stored)
        cast.rounded = {int(rest[item]): exact for item, exact in by_text.rounded.items()}
        cast.rejected = {int(rest[item]): reason for item, reason in by_text.rejected.items()}
    valid = encoded.indices.is_valid().to_numpy(zero_copy_only=False)
    codes = pc.fill_null(encoded.indices, 0).to_numpy()
    return DecimalColumn(
        cast.stored.take(encoded.indices),
        _of_rows(cast.rounded, codes, valid),
        _of_rows(cast.rejected, codes, valid),
        wholes.take(codes, valid),
    )


def _of_rows(values: dict[int, _Said], codes: np.ndarray, valid: np.ndarray) -> dict[int, _Said]:
    """What was said of distinct values, said of each row."""
    if not values:
        return {}
    rows = np.flatnonzero(np.isin(codes, list(values)) & valid)
    return {row: values[code] for row, code in zip(rows.tolist(), codes[rows].tolist(), strict=True)}


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
    try:
        exact = exact_number(text)
    except OverflowError:
        result.rejected[row] = f"is a number of more than {_MOST_DIGITS} digits"
        return None
    if exact is None:
        result.rejected[row] = "is not a number"
        return None
    if exact.adjusted() >= _DIGITS - scale:
        result.rejected[row] = f"has more than {_DIGITS - scale} digits before the point"
        return None
    stored = exact.quantize(Decimal(1).scaleb(-scale), context=EXACT)
    if stored.copy_abs() >= Decimal(10) ** (_DIGITS - scale):
        result.rejected[row] = f"has more than {_DIGITS - scale} digits before the point"
        return None
    if stored != exact:
        result.rounded[row] = exact
    return stored
