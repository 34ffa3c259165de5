"""Marts of generated bills, against what the generator says it wrote: every cost metric to the last digit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.summaries.publish import PublishedSlice
from cost_lakehouse.summaries.stale import stale_slices
from sample_bills import Bill, Expected, FileFormat, Versioning, Written, write_bill
from tests.builders import Workshop
from tests.dbt.second_rules import differences
from tests.summaries.conftest import DbtRunner, rows

MONTHS = (date(2026, 9, 1), date(2026, 10, 1))


@dataclass
class Built:
    """Two payers' bills, loaded and summarised."""

    lake: Lake
    written: dict[str, list[Written]]
    published: list[PublishedSlice]
    differences: list[tuple[Any, ...]]

    def expected(self, source: str) -> Expected:
        return Expected.together(item.expected for item in self.written[source])


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, dbt: DbtRunner) -> Built:
    folder = tmp_path_factory.mktemp("bills")
    bills = {
        "csv": Bill(months=MONTHS, rows=2_000),
        "plain": Bill(
            months=MONTHS,
            rows=400,
            payer_account_id="222222222222",
            currency="EUR",
            report_name="plain",
            discounts=False,
            split_costs=False,
            file_format=FileFormat.PARQUET,
            versioning=Versioning.OVERWRITE,
        ),
    }
    written = {name: write_bill(folder / "bucket", bill, files=2) for name, bill in bills.items()}
    workshop = Workshop(
        folder, {name: f"bucket/{bill.bucket}/{bill.prefix}/{bill.report_name}" for name, bill in bills.items()}
    )
    for source in bills:
        for month in MONTHS:
            workshop.load(source, month)
    published = dbt.summarize(workshop.lake)
    with duckdb.connect(str(dbt.scratch), read_only=True) as scratch:
        return Built(workshop.lake, written, published, differences(scratch, "aws"))


def test_every_metric_of_every_day_is_what_a_second_set_of_rules_says(built: Built) -> None:
    assert built.differences == []


@pytest.mark.parametrize("source", ["csv", "plain"])
@pytest.mark.parametrize(
    ("column", "delivered"),
    [
        ("unblended_cost", "lineItem/UnblendedCost"),
        ("blended_cost", "lineItem/BlendedCost"),
        ("split_cost", "splitLineItem/SplitCost"),
    ],
)
def test_a_mart_adds_up_to_what_was_delivered(built: Built, source: str, column: str, delivered: str) -> None:
    found = rows(
        built.lake, f"select currency_code, sum({column}) from marts.aws_daily_summary where source = '{source}' group by 1"
    )
    assert dict(found) == built.expected(source).total(delivered)


@pytest.mark.parametrize("source", ["csv", "plain"])
def test_amortised_and_net_amortised_costs_are_the_generators(built: Built, source: str) -> None:
    expected = built.expected(source)
    found = rows(
        built.lake,
        "select currency_code, sum(amortized_cost), sum(net_amortized_cost) "
        f"from marts.aws_daily_summary where source = '{source}' group by 1",
    )
    assert {currency: amortized for currency, amortized, _ in found} == expected.amortized_cost
    assert {currency: net for currency, _, net in found} == (expected.net_amortized_cost or expected.amortized_cost)


@pytest.mark.parametrize("source", ["csv", "plain"])
def test_commitments_are_paid_and_amortised_as_the_generator_says(built: Built, source: str) -> None:
    found = {
        arn: (paid, amortized, unused)
        for arn, paid, amortized, unused in rows(
            built.lake,
            "select commitment_arn, sum(paid), sum(amortized_cost), sum(unused_cost) "
            f"from marts.commitment_costs where source = '{source}' group by 1",
        )
    }
    expected = built.expected(source).commitments
    assert found == {arn: (item.paid, item.amortized, item.unused) for arn, item in expected.items()}
    even = [arn for arn, (paid, amortized, _) in found.items() if paid == amortized != 0]
    assert len(even) >= 6  # a plan and a reservation of each payment option, with their terms inside the bill


def test_every_line_is_in_the_summary_and_daily_costs_bill_the_same(built: Built) -> None:
    raw = rows(
        built.lake,
        "select source, billing_period, count(*), sum(line_item_unblended_cost) from raw.aws_cur group by all order by all",
    )
    for table, column in (
        ("aws_daily_summary", "unblended_cost"),
        ("daily_costs", "billed_cost"),
        ("bill_status", "billed_cost"),
    ):
        found = rows(
            built.lake,
            f"select source, billing_period, sum(line_item_count), sum({column}) from marts.{table} group by all order by all",
        )
        assert found == raw, table


def test_effective_cost_is_net_amortised_cost(built: Built) -> None:
    query = "select source, usage_date, sum({}) from marts.{} group by all order by all"
    assert rows(built.lake, query.format("effective_cost", "daily_costs")) == rows(
        built.lake, query.format("net_amortized_cost", "aws_daily_summary")
    )


def test_tags_and_categories_are_sorted_json_in_snake_case(built: Built) -> None:
    keys = rows(built.lake, "select distinct unnest(json_keys(tags)) from marts.aws_daily_summary order by 1")
    assert keys
    assert all(key.split("_")[0] in {"user", "aws"} and ":" not in key for (key,) in keys)


def test_the_invoiced_month_and_the_open_month_are_told_apart(built: Built) -> None:
    states = rows(built.lake, "select distinct source, billing_period, state from marts.bill_status order by all")
    assert [state for _, _, state in states] == ["invoiced", "estimated", "invoiced", "estimated"]


def test_publishing_tells_old_and_new_totals_and_leaves_nothing_stale(built: Built) -> None:
    assert stale_slices(built.lake) == []
    first = next(entry for entry in built.published if entry.table == "marts.daily_costs" and entry.source == "csv")
    assert first.old is None
    assert first.new == {"USD": built.written["csv"][0].expected.total()["USD"]}
    assert all(isinstance(total, Decimal) for total in first.new.values())


def test_no_money_is_left_out_and_a_dedicated_hosts_fee_is_listed(built: Built) -> None:
    assert rows(built.lake, "select * from marts.bill_findings where kind = 'exclusion'") == []
    (fee,) = rows(
        built.lake,
        "select distinct reason, line_item_type from marts.bill_findings "
        "where source = 'csv' and detail like '%:host-reservation/%'",
    )
    assert fee == ("fee that AWS does not amortise", "Fee")


def test_what_every_load_took_is_in_a_mart_as_its_receipt_says(built: Built) -> None:
    columns = (
        "source, billing_period, delivery_id, load_id, loaded_at, rows, bytes, requests, athena_bytes, athena_cost_usd, seconds"
    )

    taken = rows(built.lake, f"select {columns} from marts.pipeline_costs where work = 'load' order by all")

    assert taken == rows(built.lake, f"select {columns} from raw.receipts order by all")
    assert [(load[0], load[1]) for load in taken] == [(source, month) for source in ("csv", "plain") for month in MONTHS]
    # Folders are asked nothing over a network, and Athena was not there.
    assert {load[7:10] for load in taken} == {(0, 0, Decimal(0))}
    assert all(0 < load[10] < 600 for load in taken)
