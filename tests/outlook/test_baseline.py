"""What a day is expected to cost, by hand."""

from __future__ import annotations

from decimal import Decimal

from cost_lakehouse.outlook.baseline import expected, expected_days, level

WEEKLY = [Decimal(amount) for amount in (10, 10, 10, 10, 10, 4, 2)]


def test_nothing_is_expected_of_less_than_two_weeks() -> None:
    assert expected(WEEKLY + WEEKLY[:6], 1) is None
    assert expected_days(WEEKLY, 3) is None


def test_every_weekday_is_expected_as_it_was() -> None:
    assert expected_days(WEEKLY * 4, 9) == [*WEEKLY, Decimal(10), Decimal(10)]
    assert expected(WEEKLY * 4, 6) == 4


def test_a_day_that_went_mad_changes_nothing() -> None:
    mad = WEEKLY * 8
    mad[-7] = Decimal(9000)

    assert expected(mad, 1) == 10


def test_what_grew_in_the_last_days_is_expected_to_stay() -> None:
    grown = WEEKLY * 7 + [amount * Decimal("1.5") for amount in WEEKLY]

    # Each weekday's median of eight weeks is still the old one; each of the last 7 days was half above it.
    assert level(grown) == Decimal("1.5")
    assert expected_days(grown, 7) == [amount * Decimal("1.5") for amount in WEEKLY]


def test_no_level_is_more_than_twice_or_less_than_half_the_usual() -> None:
    assert level(WEEKLY * 7 + [amount * 100 for amount in WEEKLY]) == 2
    assert level(WEEKLY * 7 + [Decimal(0)] * 7) == Decimal("0.5")


def test_weekdays_that_are_hardly_known_are_as_the_last_two_weeks() -> None:
    assert expected_days([Decimal(1)] * 7 + [Decimal(3)] * 7, 1) == [Decimal(2) * Decimal("1.5")]
