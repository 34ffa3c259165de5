"""Doubles become the decimals that their shortest texts spell, without a text for those of at most 15 digits.

A double is ``number / 10**places`` where that quotient, rounded as IEEE 754 rounds, is the double again. Of at most 15 digits
there is no second such number (no two decimals of 15 digits are one double), so it is the one that the shortest text spells.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

# Whole numbers below it have at most 15 digits, and powers of ten up to 10**22 are doubles: no step before the division rounds.
_LIMIT = 1e15
_MOST_PLACES = 20
_POWERS = np.array([10.0**number for number in range(_MOST_PLACES + 1)])
_HIGH = np.array([10**number >> 64 for number in range(_MOST_PLACES + 1)], np.uint64)
_LOW = np.array([10**number & (2**64 - 1) for number in range(_MOST_PLACES + 1)], np.uint64)
_HALF, _MASK = np.uint64(32), np.uint64(2**32 - 1)


@dataclass(frozen=True)
class Wholes:
    """Doubles as whole numbers: each is ``number / 10**places`` where ``exact`` is true; elsewhere they mean nothing."""

    number: np.ndarray  # int64, less than 10**15 without its sign
    places: np.ndarray  # int64, 0 to 20
    exact: np.ndarray  # bool

    def take(self, rows: np.ndarray, valid: np.ndarray) -> Wholes:
        """Those of these rows, of which the ones that are not ``valid`` are not exact."""
        return Wholes(self.number[rows], self.places[rows], self.exact[rows] & valid)


def wholes_of(doubles: np.ndarray, scale: int) -> Wholes:
    """Doubles that have at most 15 digits, and at most ``scale`` (up to 20) of them after the point, as whole numbers."""
    with np.errstate(all="ignore"):
        size = np.floor(np.log10(np.abs(doubles)))
        places = np.clip(14 - np.nan_to_num(size), 0, scale).astype(np.int64)
        powers = _POWERS[places]
        number = np.rint(doubles * powers)
        exact = (np.abs(number) < _LIMIT) & (number / powers == doubles)
    return Wholes(np.where(exact, number, 0).astype(np.int64), places, exact)


def to_decimal128(wholes: Wholes, scale: int) -> pa.Array:
    """``number * 10**(scale - places)`` as decimal(38, scale), of 128 bits in two halves."""
    size = np.abs(wholes.number).astype(np.uint64)
    power = scale - wholes.places
    low = _LOW[power]
    size_high, size_low, low_high, low_low = size >> _HALF, size & _MASK, low >> _HALF, low & _MASK
    first, second, third = size_low * low_low, size_low * low_high, size_high * low_low
    middle = (first >> _HALF) + (second & _MASK) + (third & _MASK)
    result = np.empty((len(size), 2), np.uint64)
    result[:, 0] = (first & _MASK) | (middle << _HALF)
    result[:, 1] = size_high * low_high + (second >> _HALF) + (third >> _HALF) + (middle >> _HALF) + size * _HIGH[power]
    negative = wholes.number < 0
    result[negative] = ~result[negative]
    result[negative, 0] += np.uint64(1)
    result[negative, 1] += (result[negative, 0] == 0).astype(np.uint64)
    return pa.Array.from_buffers(pa.decimal128(38, scale), len(size), [None, pa.py_buffer(result)])
