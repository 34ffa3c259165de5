"""Exact decimal arithmetic for generated amounts: sums and products never round, quotients round down and say so."""

from __future__ import annotations

from decimal import ROUND_DOWN, Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow

ZERO = Decimal(0)
# A result that would have to be rounded raises instead, so an amount is either exact or not written at all.
EXACT = Context(prec=120, traps=[Inexact, InvalidOperation, DivisionByZero, Overflow])
_ROUNDING_DOWN = Context(prec=60, rounding=ROUND_DOWN, traps=[InvalidOperation, DivisionByZero, Overflow])


def plain(value: Decimal) -> str:
    """``value`` as text without an exponent."""
    return format(value, "f")


def quotient_down(dividend: Decimal, divisor: Decimal, digits: int) -> Decimal:
    """``dividend / divisor``, cut to ``digits`` fractional digits."""
    return cut(_ROUNDING_DOWN.divide(dividend, divisor), digits)


def quotient(dividend: Decimal, divisor: Decimal) -> Decimal:
    """``dividend / divisor``, exact where it has an end within 60 digits."""
    return _ROUNDING_DOWN.divide(dividend, divisor)


def cut(value: Decimal, digits: int) -> Decimal:
    """``value`` cut (towards zero) to ``digits`` fractional digits."""
    return value.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_DOWN, context=_ROUNDING_DOWN)


def units(count: int, digits: int) -> Decimal:
    """``count`` units of 10 to the power of minus ``digits``: ``units(15, 1)`` is 1.5."""
    return Decimal(count).scaleb(-digits)
