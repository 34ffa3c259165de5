"""What a delivery says it holds is what another program reads from its files, and commitments come out even."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from decimal import Decimal, localcontext
from pathlib import Path

import pytest

from sample_bills import Bill, Expected, FileFormat, Headers, Versioning, Written, write_bill
from sample_bills.columns import ALL_COLUMNS, Kind, kind_of, snake_case
from sample_bills.commitments import plan_reservations, plan_savings_plans
from sample_bills.expected import DISCOUNT_TYPES
from sample_bills.money import EXACT

from .reading import Row, csv_rows, parquet_rows, sums

KEYS = ("bill/PayerAccountId", "lineItem/CurrencyCode", "lineItem/LineItemType", "bill/InvoiceId")
SNAKE_KEYS = ("bill_payer_account_id", "line_item_currency_code", "line_item_line_item_type", "bill_invoice_id")
DECIMALS = [column for column in ALL_COLUMNS if kind_of(column) is Kind.DECIMAL]
EVERY_TYPE = {
    "Usage",
    "DiscountedUsage",
    "RIFee",
    "Fee",
    "SavingsPlanCoveredUsage",
    "SavingsPlanNegation",
    "SavingsPlanRecurringFee",
    "SavingsPlanUpfrontFee",
    "Tax",
    "Credit",
    "Refund",
    "EdpDiscount",
    "BundledDiscount",
    "PrivateRateDiscount",
    "RiVolumeDiscount",
    "Discount",
}


def expected_sums(expected: Expected, column: str) -> dict[tuple[str, str, str, str], Decimal]:
    return {(*key,): group.sums[column] for key, group in expected.groups.items() if column in group.sums}


def decimal_of(row: Row, column: str) -> Decimal:
    return Decimal(row[column] or 0)


def test_csv_files_hold_exactly_the_expected_sums_of_every_decimal_column(csv_bill: list[Written]) -> None:
    for written in csv_bill:
        rows = csv_rows(written)
        assert len(rows) == written.expected.rows == 2_000
        for column in DECIMALS:
            assert sums(rows, column, KEYS) == expected_sums(written.expected, column), column


def test_parquet_files_hold_exactly_the_expected_sums_of_every_decimal_column(parquet_bill: list[Written]) -> None:
    for written in parquet_bill:
        rows = parquet_rows(written)
        assert len(rows) == written.expected.rows == 2_000
        for column in DECIMALS:
            assert sums(rows, snake_case(column), SNAKE_KEYS) == expected_sums(written.expected, column), column


def test_csv_and_parquet_with_snake_case_names_have_the_same_columns(parquet_bill: list[Written], tmp_path: Path) -> None:
    bill = Bill(months=(date(2026, 9, 1),), rows=150, headers=Headers.SNAKE, file_format=FileFormat.CSV_ZIP)
    (written,) = write_bill(tmp_path, bill)
    rows = csv_rows(written)
    assert list(rows[0]) == list(parquet_rows(parquet_bill[0])[0])
    column = snake_case("lineItem/UnblendedCost")
    assert sums(rows, column, SNAKE_KEYS) == expected_sums(written.expected, "lineItem/UnblendedCost")


def test_every_line_item_type_is_in_every_month(csv_bill: list[Written], parquet_bill: list[Written]) -> None:
    for written in csv_bill + parquet_bill:
        assert {group.line_item_type for group in written.expected.groups} == EVERY_TYPE - {"SavingsPlanUpfrontFee"} | (
            {"SavingsPlanUpfrontFee"} if written.delivery.month == date(2026, 9, 1) else set()
        )


def test_a_month_of_few_rows_has_every_line_item_type_too(small_bill: Bill, tmp_path: Path) -> None:
    (written,) = write_bill(tmp_path, small_bill)
    assert written.expected.rows == 150
    assert {group.line_item_type for group in written.expected.groups} == EVERY_TYPE


@pytest.mark.parametrize("months", [1, 2, 12])
def test_commitments_amortise_over_their_term_to_exactly_what_was_paid(months: int, tmp_path: Path) -> None:
    first_days = tuple(date(2026, month, 1) for month in range(1, months + 1))
    bill = Bill(months=first_days, rows=500, seed=3)
    expected = Expected.together(written.expected for written in write_bill(tmp_path, bill))
    plans = [*plan_savings_plans(bill), *plan_reservations(bill)]
    complete = [plan for plan in plans if plan.within(bill)]
    assert len(complete) == 8
    for plan in complete:
        totals = expected.commitments[plan.arn]
        assert totals.amortized == totals.paid == plan.paid
        assert plan.returned or totals.unused > 0


def test_commitments_of_a_parquet_bill_come_out_even_in_doubles(parquet_bill: list[Written]) -> None:
    expected = Expected.together(written.expected for written in parquet_bill)
    bill = parquet_bill[0].bill
    for plan in (*plan_savings_plans(bill), *plan_reservations(bill)):
        if plan.within(bill):
            assert expected.commitments[plan.arn].amortized == expected.commitments[plan.arn].paid == plan.paid


def test_an_older_commitment_spreads_its_whole_price_over_a_real_year() -> None:
    bill = Bill(months=(date(2026, 9, 1),), rows=500)
    older = [plan for plan in (*plan_savings_plans(bill), *plan_reservations(bill)) if not plan.within(bill)]
    assert [plan.hours for plan in older] == [365 * 24, 365 * 24]
    assert all(plan.start.date() == date(2026, 3, 1) for plan in older)


def test_negations_take_back_covered_usage_exactly_and_one_offsets_several(csv_bill: list[Written]) -> None:
    costs: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    covered: dict[tuple[str, str, str], int] = defaultdict(int)
    with localcontext(EXACT):
        for row in csv_rows(csv_bill[0]):
            if row["lineItem/LineItemType"] in ("SavingsPlanCoveredUsage", "SavingsPlanNegation"):
                key = row["savingsPlan/SavingsPlanARN"], row["identity/TimeInterval"], row["lineItem/UsageType"]
                costs[key] += decimal_of(row, "lineItem/UnblendedCost")
                covered[key] += row["lineItem/LineItemType"] == "SavingsPlanCoveredUsage"
    assert costs
    assert set(costs.values()) == {Decimal(0)}
    assert max(covered.values()) > 1


def test_discount_rows_are_exactly_what_net_costs_leave_out_per_invoice(csv_bill: list[Written]) -> None:
    for written in csv_bill:
        difference: dict[str, Decimal] = defaultdict(Decimal)
        with localcontext(EXACT):
            for row in csv_rows(written):
                is_discount = row["lineItem/LineItemType"] in DISCOUNT_TYPES
                assert not (is_discount and row["lineItem/NetUnblendedCost"])
                cost = decimal_of(row, "lineItem/UnblendedCost")
                net = Decimal(0) if is_discount else Decimal(row["lineItem/NetUnblendedCost"] or cost)
                difference[row["bill/InvoiceId"]] += cost - net
        assert set(difference.values()) == {Decimal(0)}


def test_net_amortised_cost_is_the_net_price_of_commitments_and_the_net_cost_of_the_rest(csv_bill: list[Written]) -> None:
    expected = Expected.together(written.expected for written in csv_bill)
    with localcontext(EXACT):
        # Both sums drop what was prepaid and what is paid for older months in the same shares.
        assert expected.amortized_cost["USD"] > expected.net_amortized_cost["USD"] > 0
    bill = csv_bill[0].bill
    for plan in plan_savings_plans(bill)[:3]:
        net = Decimal(0)
        with localcontext(EXACT):
            for written in csv_bill:
                for row in csv_rows(written):
                    if row["savingsPlan/SavingsPlanARN"] == plan.arn:
                        net += decimal_of(row, "lineItem/NetUnblendedCost")
            assert net == plan.paid * Decimal("0.93")


def test_pods_and_tasks_share_their_instance_exactly_and_cost_nothing_of_their_own(csv_bill: list[Written]) -> None:
    rows = csv_rows(csv_bill[0])
    split: dict[str, Decimal] = defaultdict(Decimal)
    operations = set()
    for row in rows:
        parent = row["splitLineItem/ParentResourceId"]
        if parent:
            operations.add(row["lineItem/Operation"])
            assert decimal_of(row, "lineItem/UnblendedCost") == 0
            split[parent] += decimal_of(row, "splitLineItem/SplitCost") + decimal_of(row, "splitLineItem/UnusedCost")
    own = {row["lineItem/ResourceId"]: decimal_of(row, "lineItem/UnblendedCost") for row in rows}
    assert operations == {"EKSPod-EC2", "ECSTask-EC2"}
    assert split
    assert all(own[parent] == cost for parent, cost in split.items())


def test_a_bill_without_discounts_has_133_columns_and_no_net_ones(tmp_path: Path) -> None:
    bill = Bill(months=(date(2026, 10, 1),), rows=150, discounts=False, split_costs=False, versioning=Versioning.OVERWRITE)
    (written,) = write_bill(tmp_path, bill)
    assert len(written.columns) == len(csv_rows(written)[0]) == 133
    assert not [column for column in written.columns if "Net" in column.split("/")[1][:3]]
    assert written.expected.net_amortized_cost == {}
