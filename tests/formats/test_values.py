"""Text becomes decimals, dates and maps exactly, or is rejected by its row."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import pyarrow as pa
import pytest

from cost_lakehouse.formats.decimals import to_decimals
from cost_lakehouse.formats.maps import to_map
from cost_lakehouse.formats.timestamps import to_timestamps


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("0", "0"),
        ("-0.0000000001", "-0.0000000001"),
        ("1E-7", "0.0000001"),
        ("1.25e2", "125"),
        ("+3.5", "3.5"),
        (" 2.5 ", "2.5"),
        (".5", "0.5"),
        ("5.", "5"),
        ("123456789012345678.12345678901234567890", "123456789012345678.1234567890123456789"),
        ("1.100000000000000000000000000000", "1.1"),
    ],
)
def test_numbers_in_plain_and_scientific_notation_are_stored_exactly(text: str, stored: str) -> None:
    column = to_decimals(pa.array(["1", text, None]))
    assert column.stored.to_pylist() == [Decimal(1), Decimal(stored), None]
    assert (column.rounded, column.rejected) == ({}, {})


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("0.000000000000000000005", "0"),
        ("0.000000000000000000015", "0.00000000000000000002"),
        ("-0.0000000000000000000051", "-0.00000000000000000001"),
        ("4.9E-324", "0"),
        ("1.123456789012345678949", "1.12345678901234567895"),
    ],
)
def test_more_than_twenty_digits_are_rounded_half_even_and_reported(text: str, stored: str) -> None:
    column = to_decimals(pa.array(["7", text]))
    assert column.stored.to_pylist() == [Decimal(7), Decimal(stored)]
    assert column.rounded == {1: Decimal(text)}


@pytest.mark.parametrize("text", ["12,34", "n/a", "NaN", "Infinity", "1_000", "0x10", "１２", "1e5_0", "--1", "1e", "$5", "١٢"])
def test_text_that_is_no_number_is_rejected(text: str) -> None:
    column = to_decimals(pa.array(["1", text]))
    assert column.stored.to_pylist() == [Decimal(1), None]
    assert column.rejected == {1: "is not a number"}


@pytest.mark.parametrize(
    "text",
    ["1E+2000", "-1e400000", "1E999999999", "1E+99999999999999999999", "1E-2000", "9" * 10_000, "0." + "1" * 10_000],
    ids=["2000", "negative", "long", "beyond", "small", "digits", "fraction"],
)
def test_a_number_of_more_digits_than_can_be_reckoned_with_is_rejected(text: str) -> None:
    column = to_decimals(pa.array(["1", text]))
    assert column.stored.to_pylist() == [Decimal(1), None]
    assert column.rejected == {1: "is a number of more than 700 digits"}


@pytest.mark.parametrize("text", ["0E+2000", "0e-999999", "0." + "0" * 10_000], ids=["large", "small", "long"])
def test_zero_is_zero_whatever_its_exponent(text: str) -> None:
    assert to_decimals(pa.array([text, "0.25"])).stored.to_pylist() == [Decimal(0), Decimal("0.25")]


def test_digits_that_would_run_over_in_128_bits_are_rejected() -> None:
    """pyarrow's own cast makes -882318454300884229.42 of 57 ones."""
    assert to_decimals(pa.array(["1" * 57])).rejected == {0: "has more than 18 digits before the point"}


@pytest.mark.parametrize("text", ["1234567890123456789", "1e18", "-1e400", "999999999999999999.999999999999999999999"])
def test_a_number_that_does_not_fit_is_rejected(text: str) -> None:
    assert to_decimals(pa.array([text])).rejected == {0: "has more than 18 digits before the point"}


@pytest.mark.parametrize(
    "text",
    [
        "2026-10-05T04:00:00Z",
        "2026-10-05T04:00:00.000Z",
        "2026-10-05 04:00:00",
        "2026-10-05 04:00:00+00:00",
        "2026-10-05T04:00Z",
        "2026-10-05T06:30:00+02:30",
        "2026-10-05 04:00:00 UTC",
        "2026-10-05T04:00:00.000000000Z",
    ],
)
def test_dates_in_every_known_spelling_are_the_same_moment_in_utc(text: str) -> None:
    column = to_timestamps(pa.array([None, text, text]))
    assert column.stored.to_pylist() == [None, datetime(2026, 10, 5, 4), datetime(2026, 10, 5, 4)]
    assert column.rejected == {}


@pytest.mark.parametrize("text", ["05/10/2026", "2026-13-01T00:00:00Z", "soon", "20261005"])
def test_text_that_is_no_date_is_rejected(text: str) -> None:
    assert to_timestamps(pa.array(["2026-10-05", text])).rejected == {1: "is not a date"}


def test_columns_become_one_map_a_row_without_what_is_missing() -> None:
    columns = [
        ("a", pa.array(["1", None, None])),
        ("b", pa.array(["2", "x,\n", None])),
        ("c", pa.array([None, None, None], pa.string())),
    ]
    mapped = to_map(columns, 3)
    assert mapped.to_pylist() == [[("a", "1"), ("b", "2")], [("b", "x,\n")], None]


def test_a_map_without_any_column_is_null() -> None:
    assert to_map([], 2).to_pylist() == [None, None]
