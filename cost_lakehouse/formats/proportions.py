"""An amount in parts that add up to it, to the last digit: by the largest remainder. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from cost_lakehouse.formats.decimals import EXACT

PLACES = 20
"""Digits behind the point that an amount has at most."""


def parts_of(amount: Decimal, weights: Sequence[Decimal]) -> list[Decimal]:
    """The amount in proportion to the weights, none of which is negative and one of which is more than 0.

    Each part is rounded towards 0 at its 20th digit; what is left goes, digit by digit, to those that lost most, the first of
    equals. A part is never further from its exact value than one such digit. Raises ValueError.
    """
    if any(weight < 0 for weight in weights) or not any(weights):
        raise ValueError("weights are 0 or more, and not all 0")
    units = _whole(amount, PLACES)
    places = max(_places(weight) for weight in weights)
    return [EXACT.scaleb(Decimal(part), -PLACES) for part in counts_of(units, [_whole(weight, places) for weight in weights])]


def counts_of(number: int, weights: Sequence[int]) -> list[int]:
    """A whole number in whole parts, in the same way."""
    whole = sum(weights)
    sign = -1 if number < 0 else 1
    divided = [divmod(abs(number) * weight, whole) for weight in weights]
    left = abs(number) - sum(part for part, _ in divided)
    by_loss = sorted(range(len(weights)), key=lambda index: (-divided[index][1], index))
    favoured = set(by_loss[:left])
    return [sign * (part + (index in favoured)) for index, (part, _) in enumerate(divided)]


def _places(value: Decimal) -> int:
    return max(-int(value.as_tuple().exponent), 0)


def _whole(value: Decimal, places: int) -> int:
    """The value in units of its last place. Raises ValueError where it has more."""
    scaled = EXACT.scaleb(value, places)
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{value} has more than {places} digits behind the point")
    return int(scaled)
