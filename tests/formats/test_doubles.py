"""Doubles become the decimals that Python's ``repr`` of them spells, every bit pattern of them, and so do their sums."""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Sequence
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from cost_lakehouse.formats.control_totals import Group, totals_of
from cost_lakehouse.formats.decimals import EXACT, to_decimals
from cost_lakehouse.formats.doubles import Wholes, to_decimal128, wholes_of

HOSTILE = [
    0.0, -0.0, 0.1, 0.2, 0.1 + 0.2, -0.3, 1.0, 0.7, 2.675, 1 / 3, 2 / 3, 100 / 7,
    5e-324, 2.2250738585072014e-308, 2.225073858507201e-308, 1e-21, 1e-20, -1e-20, 1.5e-20, 2.5e-20, 1e-19, 9.5e-16,
    1e14, 1e15, 1e15 - 1, 999999999999999.9, 99999999999999.9, 123456789012345.6, 0.1234567890123456, 0.12345678901234567,
    2.0**53 - 1, 2.0**53, 2.0**53 + 2, 1e17, 999999999999999999.0, 1e18, -1e18, 1e22, 1e23, 1.7976931348623157e308,
    4.35, 0.000001, 1e-7, 123456.789e-9, 8.41e21, 9007199254740993.0, 5e-15, 4.9999999999999e-15,
    math.nan, math.inf, -math.inf,
]  # fmt: skip


def decimals_of_digits(rng: random.Random, count: int) -> list[float]:
    """Numbers of 1 to 17 digits with the point anywhere, as bills have them."""
    return [
        float(f"{rng.choice(['', '-'])}{rng.randrange(10 ** rng.randint(1, 17))}e{rng.randint(-24, 4)}") for _ in range(count)
    ]


def any_bits(rng: random.Random, count: int) -> list[float]:
    """Doubles of any bit pattern, and neighbours of short decimals."""
    found = [struct.unpack("<d", rng.randbytes(8))[0] for _ in range(count)]
    short = decimals_of_digits(rng, count)
    return found + [math.nextafter(text, rng.choice([-math.inf, math.inf])) for text in short]


def samples() -> list[float]:
    rng = random.Random(20)
    return [*HOSTILE, *decimals_of_digits(rng, 20_000), *any_bits(rng, 5_000)]


@pytest.mark.parametrize("scale", [20, 6])
def test_a_double_is_stored_as_the_decimal_of_its_shortest_text(scale: int) -> None:
    doubles = [*samples(), None, 0.1, None]
    column = to_decimals(pa.array(doubles, pa.float64()), scale)

    for row, (double, stored) in enumerate(zip(doubles, column.stored.to_pylist(), strict=True)):
        if double is None:
            assert (stored, row in column.rounded, row in column.rejected) == (None, False, False)
            continue
        exact = Decimal(repr(double))
        fits = exact.is_finite() and abs(exact.quantize(Decimal(1).scaleb(-scale), context=EXACT)) < 10 ** (38 - scale)
        assert (row in column.rejected) is not fits, double
        if fits:
            assert stored == exact.quantize(Decimal(1).scaleb(-scale), context=EXACT), double
            assert column.rounded.get(row, stored) == exact, double
            assert (row in column.rounded) is (stored != exact), double
        else:
            assert stored is None, double


def test_every_double_of_at_most_fifteen_digits_takes_the_quick_way() -> None:
    rng = random.Random(15)
    costs = [rng.randrange(1, 10 ** rng.randint(1, 15)) for _ in range(20_000)]
    doubles = np.array([float(f"{cost}e-{rng.randint(0, 20)}") for cost in costs])
    assert wholes_of(doubles, 20).exact.all()


def test_numbers_times_powers_of_ten_are_multiplied_to_the_last_bit() -> None:
    rng = random.Random(128)
    numbers = [0, 1, -1, 10**15 - 1, 1 - 10**15, 2**32, -(2**32), 2**32 - 1] * 21
    numbers += [rng.randint(1 - 10**15, 10**15 - 1) for _ in range(5_000)]
    places = np.array([*sorted([*range(21)] * 8), *(rng.randint(0, 20) for _ in range(5_000))])
    stored = to_decimal128(Wholes(np.array(numbers), places, np.ones(len(numbers), bool)), 20).to_pylist()
    assert stored == [Decimal(number).scaleb(-int(place), EXACT) for number, place in zip(numbers, places, strict=True)]


def sums(numbers: pa.Array, groups: Sequence[str]) -> dict[tuple[Group, str], tuple[int, Decimal, Decimal]]:
    nothing = pa.nulls(len(numbers), pa.string())
    keys = [pa.array(groups), nothing, nothing, nothing]
    found = totals_of(keys, {"cost": numbers}, {"cost": to_decimals(numbers)}).totals
    return {item: (total.line_items, total.delivered, total.rounding) for item, total in found.items()}


def test_sums_of_doubles_are_those_of_their_shortest_texts() -> None:
    doubles = [*samples(), *[999_999_999.999999] * 30_000, *[-0.1] * 10_000]
    rng = random.Random(7)
    groups = [rng.choice(["1", "2", "3"]) for _ in doubles]
    texts = [repr(double) for double in doubles]

    found = sums(pa.array(doubles), groups)

    assert found == sums(pa.array(texts), groups)
    for group in "123":
        exact = Decimal(0)
        for text, key in zip(texts, groups, strict=True):
            value = Decimal(text)
            if key == group and value.is_finite() and abs(value) < 10**18:
                exact = EXACT.add(exact, value)
        assert found[(Group(group, "", "", ""), "cost")][1] == exact
