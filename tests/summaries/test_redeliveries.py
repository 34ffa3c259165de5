"""What people see of a month as its bill changes: late refunds, empty bills, a delivery replaced under its own id."""

from __future__ import annotations

import gzip
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from cost_lakehouse.errors import LakeError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.lake.warehouse import FoundFile
from cost_lakehouse.summaries.stale import stale_slices
from tests.builders import Workshop, csv_bytes, line
from tests.summaries.conftest import DbtRunner, rows

SEPTEMBER, OCTOBER = date(2026, 9, 1), date(2026, 10, 1)
STATUS = (
    "select billing_period, delivery_id, state, currency_code, billed_cost, invoice_ids from marts.bill_status order by all"
)


def files_of(lake: Lake, table: str, slice_: Slice) -> list[FoundFile]:
    """The files of a slice as they lie in the warehouse."""
    return lake.warehouse.list(lake.data_folder(table, slice_))


def invoiced(cost: str, invoice: str = "INV-1", **changes: str) -> dict[str, str]:
    """A line that AWS has invoiced."""
    return line(UnblendedCost=cost, **{"bill/InvoiceId": invoice}, **changes)


def test_a_late_refund_corrects_an_invoiced_month_and_leaves_the_other_alone(tmp_path: Path, dbt: DbtRunner) -> None:
    workshop = Workshop(tmp_path)
    september = {"UsageStartDate": "2026-09-05T10:00:00Z", "UsageEndDate": "2026-09-05T11:00:00Z"}
    workshop.write([invoiced("10", **september)], assembly="sep-1", month=SEPTEMBER)
    workshop.write([invoiced("0.1"), line(UnblendedCost="0.2")], assembly="oct-1", month=OCTOBER)
    workshop.load(month=SEPTEMBER)
    workshop.load(month=OCTOBER)
    dbt.summarize(workshop.lake)
    assert rows(workshop.lake, STATUS) == [
        (SEPTEMBER, "sep-1", "invoiced", "USD", Decimal(10), "INV-1"),
        (OCTOBER, "oct-1", "estimated", "USD", Decimal("0.3"), "INV-1"),
    ]
    untouched = files_of(workshop.lake, "marts.daily_costs", Slice("acme", OCTOBER))

    refund = invoiced("-4", "INV-2", LineItemType="Refund", **september)
    workshop.write([invoiced("10", **september), refund], assembly="sep-2", month=SEPTEMBER)
    workshop.load(month=SEPTEMBER)
    assert [
        (stale_slice.slice, stale_slice.delivery_id, stale_slice.published_delivery_id)
        for stale_slice in stale_slices(workshop.lake)
    ] == [(Slice("acme", SEPTEMBER), "sep-2", "sep-1")]
    published = {item.table: item for item in dbt.summarize(workshop.lake)}

    change = published["marts.daily_costs"]
    assert (change.billing_period, change.old, change.new) == (SEPTEMBER, {"USD": Decimal(10)}, {"USD": Decimal(6)})
    assert rows(workshop.lake, STATUS)[0] == (SEPTEMBER, "sep-2", "corrected", "USD", Decimal(6), "INV-1, INV-2")
    assert files_of(workshop.lake, "marts.daily_costs", Slice("acme", OCTOBER)) == untouched


def test_a_bill_that_became_empty_empties_its_marts_and_keeps_its_status(tmp_path: Path, dbt: DbtRunner) -> None:
    workshop = Workshop(tmp_path)
    workshop.write([line(UnblendedCost="3")], assembly="first")
    workshop.load()
    dbt.summarize(workshop.lake)

    workshop.write(gzip.compress(csv_bytes([], list(line())), mtime=0), assembly="second")
    workshop.load()
    published = {item.table: item for item in dbt.summarize(workshop.lake)}
    assert (published["marts.daily_costs"].rows, published["marts.daily_costs"].old) == (0, {"USD": Decimal(3)})
    assert rows(workshop.lake, STATUS) == [(OCTOBER, "second", "estimated", None, Decimal(0), None)]
    assert rows(workshop.lake, "select count(*) from marts.aws_daily_summary") == [(0,)]
    assert stale_slices(workshop.lake) == []


def test_a_delivery_loaded_again_under_its_own_id_is_stale_until_it_is_summarised_again(tmp_path: Path, dbt: DbtRunner) -> None:
    workshop = Workshop(tmp_path)
    workshop.write([line(UnblendedCost="3")], assembly="same")
    workshop.load()
    dbt.summarize(workshop.lake)
    workshop.write([line(UnblendedCost="5")], assembly="same")
    workshop.load(force=True)
    assert [stale_slice.published_delivery_id for stale_slice in stale_slices(workshop.lake)] == ["same"]
    dbt.summarize(workshop.lake)
    assert rows(workshop.lake, "select sum(billed_cost) from marts.daily_costs") == [(Decimal(5),)]
    assert stale_slices(workshop.lake) == []


def test_two_currencies_of_one_bill_stay_apart(tmp_path: Path, dbt: DbtRunner) -> None:
    workshop = Workshop(tmp_path)
    workshop.write([line(UnblendedCost="3"), line(UnblendedCost="5", CurrencyCode="EUR"), line(UnblendedCost="4")])
    workshop.load()
    dbt.summarize(workshop.lake)
    assert rows(workshop.lake, "select currency_code, billed_cost, line_item_count from marts.daily_costs order by 1") == [
        ("EUR", Decimal(5), 1),
        ("USD", Decimal(7), 2),
    ]


def test_regions_and_tags_of_legacy_headers(tmp_path: Path, dbt: DbtRunner) -> None:
    def at(number: str, code: str, region: str, zone: str, **more: str) -> dict[str, str]:
        columns = {"product/regionCode": code, "product/region": region, "product/ProductName": "Amazon EC2"}
        return line(ResourceId=number, AvailabilityZone=zone, **columns, **more)

    workshop = Workshop(tmp_path)
    workshop.write(
        [
            at(
                "1",
                "eu-west-1",
                "us-east-1",
                "us-east-1a",
                **{"resourceTags/user:CostCenter": "7", "costCategory/My Team": "core"},
            ),
            at("2", "", "us-east-1", "us-west-2a"),
            at("3", "", "", "us-west-2a"),
            at("4", "", "", "us-west-2-lax-1a"),
            at("5", "", "", ""),
        ]
    )
    workshop.load()
    dbt.summarize(workshop.lake)
    found = rows(
        workshop.lake,
        "select region, availability_zone, tags, cost_categories, product_name "
        "from marts.aws_daily_summary order by 1 nulls last, 2",
    )
    assert found == [
        ("eu-west-1", "us-east-1a", '{"user_cost_center":"7"}', '{"my_team":"core"}', "Amazon EC2"),
        ("us-east-1", "us-west-2a", "{}", "{}", "Amazon EC2"),
        ("us-west-2", "us-west-2-lax-1a", "{}", "{}", "Amazon EC2"),
        ("us-west-2", "us-west-2a", "{}", "{}", "Amazon EC2"),
        (None, None, "{}", "{}", "Amazon EC2"),
    ]


def test_a_scratch_database_that_was_built_for_other_slices_is_not_published(tmp_path: Path, dbt: DbtRunner) -> None:
    workshop = Workshop(tmp_path)
    workshop.write([line()])
    workshop.load()
    dbt.build(workshop.lake, [])
    with pytest.raises(LakeError, match="was not built for acme 2026-10"):
        dbt.publish(workshop.lake, [Slice("acme", OCTOBER)])
    with pytest.raises(LakeError, match="There is no scratch database"):
        dbt.publish(workshop.lake, [Slice("acme", OCTOBER)], tmp_path / "missing.duckdb")
    assert workshop.lake.table_or_none("marts.bill_status") is None
