"""Control totals are exact, and every way of losing, doubling or inventing an amount shows."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pytest

from cost_lakehouse.audit.receipts import control_total_rows
from cost_lakehouse.audit.stored_totals import StoredTotals, differences
from cost_lakehouse.formats.control_totals import ControlTotals, Group, totals_of
from cost_lakehouse.formats.decimals import to_decimals

METRIC = "line_item_unblended_cost"
USD_USAGE = Group("1", "USD", "Usage", "")


def totals(*lines: tuple[str, str, str | None]) -> ControlTotals:
    """Control totals of (currency, type, cost) lines of payer 1."""
    text = pa.array([cost for *_, cost in lines], pa.string())
    keys = [
        pa.array(["1"] * len(lines)),
        pa.array([currency for currency, *_ in lines]),
        pa.array([kind for _, kind, _ in lines]),
        pa.nulls(len(lines), pa.string()),
    ]
    return totals_of(keys, {METRIC: text}, {METRIC: to_decimals(text)})


def test_each_currency_and_type_has_its_own_exact_sum() -> None:
    result = totals(("USD", "Usage", "0.1"), ("EUR", "Usage", "1E-7"), ("USD", "Usage", "0.2"), ("USD", "Tax", None))

    assert result.rows == {USD_USAGE: 2, Group("1", "EUR", "Usage", ""): 1, Group("1", "USD", "Tax", ""): 1}
    assert result.totals[(USD_USAGE, METRIC)].delivered == Decimal("0.3")
    assert result.totals[(Group("1", "EUR", "Usage", ""), METRIC)].delivered == Decimal("0.0000001")
    assert (Group("1", "USD", "Tax", ""), METRIC) not in result.totals
    assert result.by_currency(METRIC) == {"USD": Decimal("0.3"), "EUR": Decimal("0.0000001")}


def test_what_rounding_takes_is_summed_to_the_last_digit() -> None:
    result = totals(("USD", "Usage", "0.0000000000000000000149"), ("USD", "Usage", "1"))

    total = result.totals[(USD_USAGE, METRIC)]
    assert (total.line_items, total.delivered) == (2, Decimal("1.0000000000000000000149"))
    assert total.rounding == Decimal("0.0000000000000000000049")


@pytest.mark.parametrize("cost", ["99999999999999999.5", " 2.50 "])
def test_numbers_that_the_fast_way_cannot_take_are_summed_as_exactly(cost: str) -> None:
    result = totals(*[("USD", "Usage", cost)] * 3)
    assert result.totals[(USD_USAGE, METRIC)].delivered == 3 * Decimal(cost.strip())


def stored(rows: int, count: int, amount: str) -> StoredTotals:
    return StoredTotals({USD_USAGE: rows}, {(USD_USAGE, METRIC): (count, Decimal(amount))})


def test_equal_totals_prove_a_load() -> None:
    delivered = totals(("USD", "Usage", "0.1"), ("USD", "Usage", "0.2"))
    assert differences(delivered, stored(2, 2, "0.3")) == []


@pytest.mark.parametrize(
    ("rows", "count", "amount"), [(1, 1, "0.1"), (3, 3, "0.4"), (2, 2, "0.30000000000000000001"), (2, 1, "0.3"), (2, 2, "-0.3")]
)
def test_a_lost_doubled_or_changed_amount_is_a_difference(rows: int, count: int, amount: str) -> None:
    delivered = totals(("USD", "Usage", "0.1"), ("USD", "Usage", "0.2"))
    assert differences(delivered, stored(rows, count, amount))


def test_a_group_that_nobody_delivered_is_a_difference() -> None:
    assert differences(ControlTotals(), stored(1, 1, "0")) != []


def test_a_group_without_any_number_still_has_a_row_of_zeros() -> None:
    delivered = totals(("USD", "Usage", None))
    (row,) = control_total_rows(delivered, StoredTotals({USD_USAGE: 1}))
    assert (row["metric"], row["line_items"], row["delivered"], row["stored"], row["rounding"]) == (METRIC, 0, 0, 0, 0)
